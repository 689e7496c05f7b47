//! The node's own keys: whether the roster lets it sign and connect with them, and until when.
//! Spec: LOG-22, LOG-24, NOD-12.

use std::{sync::Arc, time::Duration};

use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    log::{LogKey, LogVerifier, SignedNote},
    roster::Roster,
};
use tokio::sync::watch;

use super::{NodeParts, StartError};
use crate::shared::{OwnKeys, Shared};

/// Longest wait before the clock is looked at again: it may have been set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The public halves of the keys that the node is started with.
pub(super) fn of(parts: &NodeParts, log: &LogVerifier) -> OwnKeys {
    OwnKeys {
        origin: log.origin.clone(),
        log: parts.log_key.verifying_key(),
        tls: parts.tls_key.verifying_key(),
    }
}

/// When the log key ends that this node signs with; none if it does not.
///
/// # Errors
/// [`StartError::NotListed`] for a key that was never this log's, [`StartError::LogKeyEnded`].
pub(super) fn end_of_log_key(
    log: &LogVerifier,
    own: &VerifyingKey,
    now_ms: u64,
) -> Result<Option<u64>, StartError> {
    let listed = listed(log, own).ok_or(StartError::NotListed)?;
    match listed.is_good_at(now_ms) {
        true => Ok(listed.not_after_ms),
        false => Err(StartError::LogKeyEnded),
    }
}

/// Whether the node's key is the one in force, and the newest head is signed with one before it.
pub(super) fn has_followed(log: &LogVerifier, own: &VerifyingKey, head: &[u8]) -> bool {
    let signer = SignedNote::parse(head).and_then(|note| Ok(log.signer(&note)?.key.clone()));
    log.key() == own && signer.is_ok_and(|signer| signer != *own)
}

/// Tells the sequencer when the log key ends, and ends the node when a key has ended that another
/// has followed: started again, it takes that one up.
pub(super) async fn watch(
    shared: Arc<Shared>,
    log_key_end: watch::Sender<Option<u64>>,
    fail: watch::Sender<Option<WireCode>>,
) {
    let mut changes = shared.membership.roster().changes();
    let mut told = None;
    loop {
        let (log_end_ms, tls_end_ms) = {
            let roster = changes.borrow_and_update();
            let log = roster.log_verifier(&shared.id);
            if log.is_some_and(|log| log.origin != shared.keys.origin) {
                tracing::error!("the roster lists another log of this node: the node stops");
                fail.send_replace(Some(WireCode::LogEnded));
                return;
            }
            (log_end(&shared, &roster), tls_end(&shared, &roster))
        };
        log_key_end.send_replace(log_end_ms);
        let end_ms = [log_end_ms, tls_end_ms].into_iter().flatten().min();
        let left = end_ms.map(|end_ms| end_ms.saturating_sub(shared.now_ms()));
        if left == Some(0) {
            tracing::error!("a key has ended that another has followed: the node stops");
            fail.send_replace(Some(WireCode::KeyEnded));
            return;
        }
        if end_ms.is_some() && end_ms != told {
            tracing::warn!(end_ms, "a key is followed by another: start the node again");
            told = end_ms;
        }
        let pause = left.map_or(LOOK_AGAIN, |left| {
            LOOK_AGAIN.min(Duration::from_millis(left))
        });
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            changed = changes.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn log_end(shared: &Shared, roster: &Roster) -> Option<u64> {
    let log = roster.log_verifier(&shared.id)?;
    listed(&log, &shared.keys.log)?.not_after_ms
}

/// When the key of connections ends, if another outlasts it: a document that ends takes all keys
/// along, and no start would help.
fn tls_end(shared: &Shared, roster: &Roster) -> Option<u64> {
    let node = roster.node(&shared.id)?;
    let end = |own: bool| {
        let keys = node.tls_keys.iter();
        keys.filter(move |listed| (listed.key == shared.keys.tls) == own)
            .map(|listed| listed.validity.not_after_ms.unwrap_or(u64::MAX))
            .max()
    };
    end(true).filter(|ours| end(false).is_some_and(|others| others > *ours))
}

fn listed<'a>(log: &'a LogVerifier, own: &VerifyingKey) -> Option<&'a LogKey> {
    log.keys().iter().find(|listed| listed.key == *own)
}
