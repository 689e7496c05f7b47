//! The node's own log key: whether the roster lets it sign, and until when. Spec: LOG-22, LOG-24.

use std::{sync::Arc, time::Duration};

use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    log::{LogKey, LogVerifier, SignedNote},
};
use tokio::sync::watch;

use super::StartError;
use crate::shared::Shared;

/// Longest wait before the clock is looked at again: it may have been set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// When the key ends that this node signs with; none if it does not.
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
    let signer = SignedNote::parse(head).and_then(|note| Ok(log.signer(&note)?.key));
    log.key() == own && signer.is_ok_and(|signer| signer != *own)
}

/// Tells the sequencer when the key ends, and ends the node when it has: started again, it takes
/// up the next one.
pub(super) async fn watch(
    shared: Arc<Shared>,
    own: VerifyingKey,
    end: watch::Sender<Option<u64>>,
    fail: watch::Sender<Option<WireCode>>,
) {
    let mut changes = shared.membership.roster().changes();
    let mut told = None;
    loop {
        let log = changes.borrow_and_update().log_verifier(&shared.id);
        let end_ms = log.as_ref().and_then(|log| listed(log, &own)?.not_after_ms);
        end.send_replace(end_ms);
        let left = end_ms.map(|end_ms| end_ms.saturating_sub(shared.now_ms()));
        if left == Some(0) {
            tracing::error!("the log key has ended: the node stops");
            fail.send_replace(Some(WireCode::KeyEnded));
            return;
        }
        if end_ms.is_some() && end_ms != told {
            tracing::warn!(
                end_ms,
                "the roster lists another log key: start the node again"
            );
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

fn listed<'a>(log: &'a LogVerifier, own: &VerifyingKey) -> Option<&'a LogKey> {
    log.keys().iter().find(|listed| listed.key == *own)
}
