//! What a member's folder proves of each report: its entry in the log of the member's node, and when
//! what happened. A receipt that does not hold counts for nothing.

use std::collections::BTreeMap;

use frex_client::keys::MemberHome;
use frex_proto::{
    log::LogVerifier,
    receipt::{self, CheckpointCache},
    roster::Roster,
    v1::{self, Event, Stage},
};

use crate::cli::{failure::Failure, files, member, output};

/// One entry of a log about a message.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) event: Event,
    pub(super) node: String,
    pub(super) recipients: Vec<String>,
    /// Of a STAGE: who states what.
    pub(super) stage: Option<v1::StageStatement>,
    pub(super) at_ms: u64,
    pub(super) index: u64,
    pub(super) origin: String,
    pub(super) checkpoint: bytes::Bytes,
    pub(super) size: u64,
}

/// All that holds, by message id in hex.
pub(super) type BySeen = BTreeMap<String, Vec<Seen>>;

/// Reads and verifies every receipt of a folder.
pub(super) fn receipts(home: &MemberHome, roster: &Roster) -> Result<BySeen, Failure> {
    let paths = files::with_extension(&home.receipts_dir(), "tlog-proof")?;
    let bar = output::progress_of("verifying receipts", Some(paths.len() as u64));
    let mut logs: BTreeMap<String, Option<LogVerifier>> = BTreeMap::new();
    let mut cache = CheckpointCache::new();
    let (mut found, mut bad) = (BySeen::new(), 0);
    for path in paths {
        bar.inc(1);
        let receipt = crate::cli::receipt::read(&path)?;
        let origin = member::origin_of(&receipt).unwrap_or_default();
        let log = logs
            .entry(origin.clone())
            .or_insert_with(|| roster.log_verifier_of(&origin));
        let verified = log
            .as_ref()
            .and_then(|log| receipt::verify_cached(&receipt, log, None, &mut cache).ok());
        let Some(verified) = verified else {
            bad += 1;
            continue;
        };
        let statement = verified.statement;
        let Some(message) = statement.message_id else {
            continue;
        };
        let stage = stage(&receipt, verified.time_ms, roster);
        if statement.event == Event::Stage && stage.is_none() {
            bad += 1;
            continue;
        }
        found.entry(message.to_string()).or_default().push(Seen {
            event: statement.event,
            node: statement.node,
            recipients: statement.recipients,
            stage,
            at_ms: verified.time_ms,
            index: verified.index,
            origin,
            checkpoint: receipt.checkpoint,
            size: verified.checkpoint.size,
        });
    }
    bar.finish_and_clear();
    if bad > 0 {
        output::message(format_args!(
            "note: {} that does not hold counts for nothing: frex receipt verify says why",
            output::counted(bad, "receipt")
        ));
    }
    for seen in found.values_mut() {
        seen.sort_by_key(|seen| (seen.at_ms, seen.index));
    }
    Ok(found)
}

/// What a member states, if it is that member who signed it.
fn stage(receipt: &v1::Receipt, logged_ms: u64, roster: &Roster) -> Option<v1::StageStatement> {
    use prost::Message as _;
    let statement = v1::Statement::decode(receipt.statement.clone()).ok()?;
    member::stage_signer(&statement, logged_ms, roster).ok()?;
    member::stage_of(&statement)
}

impl Seen {
    /// Whether it is this stage, stated by one of these members; of nobody named, by anybody.
    pub(super) fn is_stage(&self, stage: Stage, by: Option<&str>) -> bool {
        let said = self.stage.as_ref().filter(|said| said.stage() == stage);
        said.is_some_and(|said| by.is_none_or(|by| said.member == by))
    }
}
