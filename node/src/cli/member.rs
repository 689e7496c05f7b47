//! What commands of a member share: its folder, its roster, the receipts it keeps.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use frex_client::{
    client::{Client, ClientConfig, ProvenReceipt},
    environment::Clock,
    heads::{Heads, LogFault},
    keys::{MEMBER_FILE, MemberHome, MemberKeys, rotation::KeyRecord},
};
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    label, limits,
    log::{Checkpoint, LogVerifier, Origin},
    receipt,
    roster::Roster,
    sign::{self, SignError},
    v1::{self, Event},
};
use prost::Message;

use super::{
    failure::{Failure, OrCode, OrFail},
    files, output, passphrase,
};
pub use crate::metrics::lane_name;

/// Below the member's folder: what is known of each message that was sent.
pub const SENT_DIR: &str = "sent";
/// Below the member's folder: what was sent under references of its own.
pub const REFERENCES_DIR: &str = "references";
/// Below the member's folder: reports that were fetched, and what is known of each.
pub const INBOX_DIR: &str = "inbox";
/// Ending of the file that says what is known of a fetched report.
pub const ABOUT: &str = "about";
/// Longest file about one message, sent or fetched.
pub const ABOUT_BYTES_MAX: usize = 1024 * 1024;

/// The folder as people name it: that of `frex init`, in which the member's own lies.
#[must_use]
pub fn folder(home: &MemberHome) -> &Path {
    let own = home.dir();
    let is_within = own.file_name().is_some_and(|name| name == "member");
    let around = own.parent().filter(|path| !path.as_os_str().is_empty());
    match is_within {
        true => around.unwrap_or(Path::new(".")),
        false => own,
    }
}

/// Opens the member in `dir` or in its subfolder `member`.
pub fn open(dir: &Path) -> Result<MemberHome, Failure> {
    let folder = files::home(dir, "member", MEMBER_FILE)?;
    let home = MemberHome::open(&folder).or_fail("cannot open the member")?;
    Ok(home.unlocked_by(passphrase::unlock()))
}

/// The roster in force.
pub fn roster(home: &MemberHome) -> Result<Roster, Failure> {
    if !home.roster_path().exists() {
        let what = format!("no roster is installed in {}", home.dir().display());
        return Err(Failure::new(WireCode::NotInitialised, what).advise(format!(
            // In it may be the node too, which needs the roster as well.
            "frex roster install roster.frex --root root.frex {}",
            folder(home).display()
        )));
    }
    home.roster(Clock::System.now_ms())
        .or_fail("the roster in force cannot be used")
}

/// What a command that talks to the node runs on.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_code(WireCode::Files, "cannot start the runtime")
}

/// The member's secret keys. A key whose time was over when they were read is destroyed, which
/// is said here.
pub fn keys(home: &MemberHome) -> Result<MemberKeys, Failure> {
    let keys = home
        .keys(Clock::System.now_ms())
        .or_fail("cannot read the member's keys")?;
    tell_destroyed(&keys.destroyed);
    Ok(keys)
}

/// Says which keys were destroyed because their time was over.
pub fn tell_destroyed(destroyed: &[KeyRecord]) {
    for gone in destroyed {
        output::message(format_args!(
            "note: the {} key {} was destroyed: its time was over",
            gone.usage.name(),
            gone.key_id
        ));
    }
}

/// A client that connects when it is first needed, and gives up after `patience`.
pub async fn client(home: &MemberHome, patience: Duration) -> Result<Client, Failure> {
    let keys = keys(home)?;
    let mut config =
        ClientConfig::of_keys(home, keys).or_fail("the member's roster cannot be used")?;
    config.patience = patience;
    let dir = home.dir().to_owned();
    let heads = Heads::of_home(home).telling(move |fault| tell_fault(fault, &dir));
    config.heads = Arc::new(heads);
    let node = &home.settings().home_node;
    Client::new(config)
        .await
        .or_fail(format_args!("cannot connect to {node}"))
}

/// Says what a log has done, and what to do about it. Spec: WIT-20.
fn tell_fault(fault: &LogFault, dir: &Path) {
    let node = output::clean(&fault.node);
    let (what, mend) = match fault.code {
        WireCode::Forked => (
            "has signed two histories",
            format!(
                "Both are kept; show them to the governance: frex log evidence {}",
                dir.display()
            ),
        ),
        WireCode::LogRolledBack => (
            "is shorter than it was when this member last saw it",
            "Ask who runs it whether an older copy was brought back; keep your receipts".to_owned(),
        ),
        _ => (
            "does not prove that it extends what it has shown",
            "Ask who runs it why, and tell the governance; keep your receipts".to_owned(),
        ),
    };
    output::message(format_args!(
        "WARNING {}: the log of {node} {what}\n  {mend}",
        fault.code
    ));
}

/// What a receipt states, in a word, and of whom: `accepted`, or `opened-police.es`.
pub fn event_label(statement: &v1::Statement) -> String {
    match statement.event() {
        Event::Stage => match stage_of(statement) {
            Some(stage) => format!("{}-{}", stage.stage().word(), stage.member),
            None => "stage".to_owned(),
        },
        event => crate::metrics::event_name(event).to_owned(),
    }
}

/// What a receipt states, for people: with the outcome that a member gave.
pub fn event_text(statement: &v1::Statement) -> String {
    let text = match outcome_of(statement) {
        Some(outcome) => format!("{} {outcome}", event_label(statement)),
        None => event_label(statement),
    };
    output::clean(&text)
}

/// How a member acted, in the code that it gave; not verified.
pub fn outcome_of(statement: &v1::Statement) -> Option<String> {
    let acted = Some(statement).filter(|statement| statement.event() == Event::Stage);
    let stage = acted.and_then(stage_of)?;
    (!stage.outcome.is_empty()).then_some(stage.outcome)
}

/// The member's own statement inside a stage receipt, not verified.
pub fn stage_of(statement: &v1::Statement) -> Option<v1::StageStatement> {
    let signed = v1::Signed::decode(statement.member_statement.clone()).ok()?;
    v1::StageStatement::decode(signed.payload).ok()
}

/// The key by which the member whom a stage receipt names signed for it, if it was good when that
/// was logged: the member itself could name any time.
///
/// # Errors
/// Why it is not signed; none: it is about something else, or no member's.
pub fn stage_signer(
    statement: &v1::Statement,
    logged_ms: u64,
    roster: &Roster,
) -> Result<VerifyingKey, Option<SignError>> {
    let signed = v1::Signed::decode(statement.member_statement.clone()).or(Err(None))?;
    let stage = stage_of(statement).ok_or(None)?;
    let about_this =
        stage.envelope_id == statement.envelope_id && stage.federation == roster.federation();
    let member = roster.member(&stage.member).filter(|_| about_this);
    let keys = member.ok_or(None)?.identity_keys_at(logged_ms);
    let verified = sign::verify(&signed, label::TYPE_STAGE, &keys, 1).map_err(Some)?;
    let signed_by = |key: &VerifyingKey| verified.key_ids.contains(&key.key_id());
    keys.into_iter().find(signed_by).ok_or(None)
}

/// The log that a receipt's checkpoint names, with the keys that the roster lists for it.
pub fn log_of(receipt: &v1::Receipt, roster: &Roster) -> Option<LogVerifier> {
    roster.log_verifier_of(&origin_of(receipt)?)
}

/// The log that a receipt's checkpoint names.
pub fn origin_of(receipt: &v1::Receipt) -> Option<String> {
    let head = Checkpoint::of_note(&receipt.checkpoint).ok()?;
    Some(head.origin)
}

/// Whether the node has lost the entry that a receipt is of: its log ended, and less of it is kept.
/// Spec: BAK-19.
pub fn is_lost(roster: &Roster, node: &str, receipt: &v1::Receipt) -> bool {
    let origin = origin_of(receipt).unwrap_or_default();
    let epoch = Origin::parse(&origin).map_or(0, |origin| origin.epoch);
    let ended = roster.node(node).and_then(|node| node.ended_log(epoch));
    ended.is_some_and(|ended| receipt.index >= ended.kept)
}

/// Keeps a receipt as a proof file, and beside it its leaf and the verifier key of the log key that
/// signed it; one that is kept already stays as it is. Gives the proof file's path.
pub fn keep_receipt(folder: &Path, proven: &ProvenReceipt) -> Result<PathBuf, Failure> {
    let receipt = &proven.receipt;
    let statement = v1::Statement::decode(receipt.statement.clone()).map_err(|error| {
        Failure::new(WireCode::BadReceipt, "a receipt does not decode").because(&error)
    })?;
    let message = hex::encode(&statement.message_id);
    let text = receipt::to_tlog_proof_text(receipt).or_fail("a receipt cannot be kept")?;
    let mut name = format!("{message}-{}-{}", statement.node, event_label(&statement));
    let file = |name: &str| folder.join(format!("{name}.tlog-proof"));
    if is_of_another_envelope(&file(&name), &statement) {
        // The message was sealed again: each envelope has receipts of its own.
        let id = hex::encode(statement.envelope_id.get(..4).unwrap_or_default());
        name.push_str(&format!("-{id}"));
    }
    let path = file(&name);
    if path.exists() {
        return Ok(path);
    }
    files::replace(&folder.join(format!("{name}.leaf")), &receipt.leaf)?;
    let vkey = folder.join(format!("{name}.vkey"));
    files::replace(&vkey, vkey_text(proven).as_bytes())?;
    files::replace(&path, text.as_bytes())?;
    Ok(path)
}

/// The verifier key of the log key that signed the checkpoint, as a file.
#[must_use]
pub fn vkey_text(proven: &ProvenReceipt) -> String {
    let verified = &proven.verified;
    let log = LogVerifier::new(verified.checkpoint.origin.clone(), verified.log_key.clone());
    format!("{}\n", log.vkey())
}

/// Whether the receipt kept in this file is about another envelope than `statement`.
fn is_of_another_envelope(path: &Path, statement: &v1::Statement) -> bool {
    let kept = files::read(path, limits::ANSWER_FRAME_BYTES_MAX * 4).ok();
    let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok());
    let kept = kept.and_then(|text| receipt::from_tlog_proof_text(&text).ok());
    let kept = kept.and_then(|kept| v1::Statement::decode(kept.statement).ok());
    kept.is_some_and(|kept| kept.envelope_id != statement.envelope_id)
}
