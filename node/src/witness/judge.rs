//! As a witness: what another log asks, judged, kept, and only then cosigned. Spec: WIT-4 to WIT-6.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    label::Hash,
    limits,
    log::{
        self, AddCheckpoint, Checkpoint, CheckpointError, Fork, LogVerifier, Origin, checkpoint,
        cosignature, verify_consistency, witness,
    },
    v1,
    v1::answer::Answer,
};

use super::{Witness, evidence, of_log};
use crate::{
    ledger::{Entry, Outcome, SeenEntry, records::SeenLog},
    shared::Shared,
};

/// Answers what the log of `node` asks.
///
/// # Errors
/// The code with which it is refused.
pub async fn add_checkpoint(shared: &Shared, node: &str, body: &[u8]) -> Result<Answer, WireCode> {
    let witness = as_witness(shared)?;
    let asked = AddCheckpoint::parse(body)?;
    let roster = shared.roster();
    let log = roster.log_verifier(node).ok_or(WireCode::NotTrusted)?;
    let head = verified(&asked, &log, shared.just_now_ms())?;
    let before = seen(shared, &head.origin)?;
    if before.as_ref().is_some_and(SeenLog::is_fork) {
        return Err(WireCode::Forked);
    }
    let known = known(before.as_ref())?;
    let held = before.map_or_else(Bytes::new, |seen| seen.checkpoint);
    if head.size == known.0 && head.root != known.1 {
        let fork = Fork {
            size: head.size,
            roots: [known.1, head.root],
            checkpoints: [held, bare(&asked.checkpoint, &log)?],
            origin: head.origin,
        };
        evidence::record(shared, fork).await?;
        return Err(WireCode::Forked);
    }
    if asked.old_size != known.0 {
        return Ok(of_log(held));
    }
    let leads = verify_consistency(known.0, &known.1, head.size, &head.root, &asked.proof);
    if let Err(error) = leads {
        tracing::error!(%node, seen = known.0, shown = head.size, %error, "a log does not lead from what was seen of it to what it shows");
        return Err(error.into());
    }
    if head.size > known.0 {
        let entry = SeenEntry {
            known,
            head: head.clone(),
            checkpoint: bare(&asked.checkpoint, &log)?,
            states_first: true,
        };
        match shared.ledger.record(Entry::Seen(entry)).await {
            // It asked twice at once: the other one was first.
            Outcome::Failed(WireCode::RetryAfter) => {
                let now = seen(shared, &head.origin)?;
                return Ok(of_log(now.unwrap_or_default().checkpoint));
            }
            Outcome::Failed(code) => return Err(code),
            _ => {}
        }
    }
    cosigned(witness, &asked.checkpoint, shared.now_ms())
}

/// Tells the newest head that was seen of a log, proved or not: a log that lost its end cannot prove it any
/// more, and that it has signed it is what it must hear. Spec: WIT-8.
///
/// # Errors
/// [`WireCode::NotFound`], or why it cannot be read.
pub fn newest_seen(shared: &Shared, request: &v1::GetSeen) -> Result<Answer, WireCode> {
    let kept = seen(shared, &request.origin)?;
    let size = kept.as_ref().map_or(0, |kept| kept.size);
    let newest = passed(shared, &request.origin, size).or(kept.map(|kept| kept.checkpoint));
    newest.map(of_log).ok_or(WireCode::NotFound)
}

/// A head that has passed by and is larger than what is kept of its log, if that log has signed it.
fn passed(shared: &Shared, origin: &str, kept: u64) -> Option<Bytes> {
    let node = Origin::parse(origin).ok()?.node;
    let shown = shared.heads.largest(node, origin)?;
    let log = shared.roster().log_verifier(node)?;
    let larger = shown.head.size > kept;
    let signed =
        larger && checkpoint::parse_and_verify(&shown.note, &log, shared.just_now_ms()).is_ok();
    signed.then(|| bare(&shown.note, &log).ok()).flatten()
}

/// This node as a witness, if the roster names it as one with the key that it has.
fn as_witness(shared: &Shared) -> Result<&Witness, WireCode> {
    let witness = shared.witness.as_ref().ok_or(WireCode::WrongRole)?;
    let roster = shared.roster();
    let named = roster
        .witnessing()
        .is_some_and(|listed| listed.nodes.contains(&shared.id));
    let listed = roster.witness(&shared.id);
    match listed {
        Some(listed) if named && listed.key == witness.key.verifying_key() => Ok(witness),
        _ => Err(WireCode::WrongRole),
    }
}

fn verified(
    asked: &AddCheckpoint,
    log: &LogVerifier,
    just_now_ms: u64,
) -> Result<Checkpoint, WireCode> {
    checkpoint::parse_and_verify(&asked.checkpoint, log, just_now_ms).map_err(|error| match error {
        CheckpointError::Origin => WireCode::WrongSender,
        _ => WireCode::BadSignature,
    })
}

/// What was seen of a log.
pub(super) fn seen(shared: &Shared, origin: &str) -> Result<Option<SeenLog>, WireCode> {
    let seen = shared.ledger.seen(origin);
    seen.map_err(|error| WireCode::from(&error))
}

/// Size and root of what was seen of a log.
pub(super) fn known(seen: Option<&SeenLog>) -> Result<(u64, Hash), WireCode> {
    let Some(seen) = seen else {
        return Ok((0, log::empty_root()));
    };
    let root = seen.root.as_ref().try_into();
    Ok((seen.size, root.map_err(|_| WireCode::StorageFailed)?))
}

/// A checkpoint as a statement carries it.
pub(super) fn bare(checkpoint: &[u8], log: &LogVerifier) -> Result<Bytes, WireCode> {
    let bare = witness::bare(checkpoint, log).map_err(|_| WireCode::BadSignature)?;
    match bare.len() <= limits::SEEN_CHECKPOINT_BYTES_MAX {
        true => Ok(bare),
        false => Err(WireCode::TooLarge),
    }
}

/// The line by which it is cosigned, or two of a key with a companion. What it covers is durable here. Spec: WIT-5.
fn cosigned(witness: &Witness, checkpoint: &[u8], now_ms: u64) -> Result<Answer, WireCode> {
    let signed = cosignature::cosign(checkpoint, &witness.name, &witness.key, now_ms / 1000);
    let signed = signed.map_err(|_| WireCode::KeyUnavailable)?;
    let line = witness::lines_beyond(&signed, checkpoint).ok_or(WireCode::KeyUnavailable)?;
    Ok(Answer::Cosigned(v1::Cosigned { line }))
}
