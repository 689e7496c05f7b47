//! Whether the home node and the neighbours are reached, and whose clock is off.

use std::{path::Path, sync::Arc, time::Duration};

use frex_client::{
    keys::{KeyFileError, token::TokenError},
    passphrase::Unlock,
};
use frex_proto::{
    error::WireCode,
    log::Checkpoint,
    roster::{Node, Peer, Roster},
};
use tokio::time::timeout;

use super::{Folder, Kind, Row, agreement, folder};
use crate::cli::{
    failure::Failure,
    member,
    way::{self, Asker, Met, Outcome, STEPS, Stop},
};

/// Longer than any step waits by itself.
const PATIENCE: Duration = Duration::from_secs(8);
const CLOCK_WARN_MS: u64 = 2_000;
const CLOCK_FAIL_MS: u64 = 60_000;

/// Somebody to reach.
pub struct Target {
    node: Node,
    asker: Arc<Asker>,
    /// Of the node in this folder alone.
    own: Option<Own>,
}

/// The node in the folder that is looked over.
#[derive(Clone)]
pub struct Own {
    /// Its id.
    pub node: String,
    /// What it has published, and has to extend.
    pub published: Option<Checkpoint>,
}

/// Whom the one of a folder keeps in touch with: a node its neighbours, a member its home node.
pub fn targets(
    folder: &Folder,
    roster: &Roster,
    credentials: bool,
    unlock: &Unlock,
    own: Option<&Own>,
) -> Result<Vec<Target>, Vec<Row>> {
    let nodes: Vec<Node> = match folder.kind {
        Kind::Member => roster.home_node(&folder.id).into_iter().cloned().collect(),
        Kind::Node => {
            let neighbours = roster.neighbours(&folder.id).into_iter();
            neighbours
                .filter_map(|id| roster.node(id).cloned())
                .collect()
        }
    };
    let place = folder::place(folder.kind, &folder.path, "tls.key", credentials, unlock);
    let key = place.and_then(|place| place.read_signing_key(unlock));
    let key = key.map_err(|error| {
        let why = without_key(&error);
        let skip = |node: &Node| Row::skip(format!("reach {}", node.id), why.clone());
        nodes.iter().map(skip).collect::<Vec<_>>()
    })?;
    let peer = match folder.kind {
        Kind::Member => Peer::Client(folder.id.clone()),
        Kind::Node => Peer::Node(folder.id.clone()),
    };
    let roster = roster.clone();
    let asker = Arc::new(Asker { peer, key, roster });
    let target = |node: Node| Target {
        own: own.filter(|own| own.node == node.id).cloned(),
        asker: Arc::clone(&asker),
        node,
    };
    Ok(nodes.into_iter().map(target).collect())
}

fn without_key(error: &KeyFileError) -> String {
    match error {
        KeyFileError::Sealed { .. } => {
            "tls.key is encrypted; to dial, give its passphrase: --passphrase-fd 3 3<FILE"
                .to_owned()
        }
        KeyFileError::Token {
            source: TokenError::NoPin(_),
            ..
        } => "tls.key is in a token; to dial, give its PIN: --pin-fd 3 3<FILE".to_owned(),
        other => format!("there is no key to dial with: {other}"),
    }
}

/// Goes all ways side by side, and judges each.
pub fn examine(targets: Vec<Target>, dir: &Path) -> Result<Vec<Row>, Failure> {
    let walked = member::runtime()?.block_on(async {
        let mut walks = Vec::new();
        for target in targets {
            let (asker, node) = (Arc::clone(&target.asker), target.node.clone());
            let published = target.own.as_ref().and_then(|own| own.published.as_ref());
            let (size, dir) = (published.map_or(0, |head| head.size), dir.to_owned());
            let walk = async move { way::walk(asker, node, size, &dir).await };
            walks.push((target, tokio::spawn(timeout(PATIENCE, walk))));
        }
        let mut walked = Vec::new();
        for (target, walk) in walks {
            let outcome = match walk.await {
                Ok(Ok(outcome)) => outcome,
                _ => too_slow(&target.node.id, dir),
            };
            walked.push((target, outcome));
        }
        walked
    });
    let rows = walked
        .iter()
        .flat_map(|(target, outcome)| judge(target, outcome));
    Ok(rows.collect())
}

fn too_slow(node: &str, dir: &Path) -> Outcome {
    Outcome {
        failed: Some(Stop {
            code: WireCode::TimedOut,
            why: "it does not go on in time".to_owned(),
            mend: format!("frex peer test {node} {}", dir.display()),
        }),
        ..Outcome::default()
    }
}

fn judge(target: &Target, outcome: &Outcome) -> Vec<Row> {
    let node = &target.node.id;
    let check = format!("reach {node}");
    let reached = match &outcome.failed {
        Some(Stop { code, why, mend }) => {
            let step = STEPS[outcome.found.len().min(STEPS.len() - 1)];
            Row::fail(check, *code, format!("{step}: no, {why}"), mend)
        }
        None => Row::ok(
            check,
            format!("{}; answers", outcome.found.first().map_or("", |at| at)),
        ),
    };
    let met = outcome.met.as_ref();
    let log = match (&target.own, target.asker.roster.log_verifier(node)) {
        (Some(own), Some(log)) => agreement::extends(own.published.as_ref(), &log, met),
        _ => agreement::of_peer(node, &target.asker.roster, met),
    };
    vec![reached, clock(node, met), log]
}

fn clock(node: &str, met: Option<&Met>) -> Row {
    let check = format!("clock {node}");
    let Some(met) = met else {
        return Row::skip(check, "it was not reached");
    };
    let found = format!("{:+} ms from ours", met.clock_offset_ms);
    match met.clock_offset_ms.unsigned_abs() {
        off if off > CLOCK_FAIL_MS => {
            Row::fail(check, WireCode::FutureDated, found, way::SET_CLOCK)
        }
        off if off > CLOCK_WARN_MS => Row::warn(check, found, way::SET_CLOCK),
        _ => Row::ok(check, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Outcome as Found;

    // CLI-10: a clock is mended long before the protocol refuses it.
    #[test]
    fn a_clock_warns_over_two_seconds_and_fails_over_a_minute() {
        for (clock_offset_ms, expected) in [
            (0, Found::Ok),
            (-2_000, Found::Ok),
            (2_001, Found::Warn),
            (-60_000, Found::Warn),
            (60_001, Found::Fail(WireCode::FutureDated)),
            (i64::MIN, Found::Fail(WireCode::FutureDated)),
        ] {
            let met = Met {
                clock_offset_ms,
                checkpoint: bytes::Bytes::new(),
                answer: None,
            };
            let row = clock("node.es", Some(&met));
            assert_eq!(row.outcome, expected, "{clock_offset_ms}");
            assert_eq!(row.mend.is_some(), expected != Found::Ok);
        }
    }
}
