//! Compares what passed by of other logs with what is known of them, and what others have seen of
//! the own one with what is here. Spec: WIT-14 to WIT-16.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    log::{self, Checkpoint, Fork, LogVerifier, checkpoint, verify_consistency},
    v1::{self, answer::Answer, request::Request},
};
use tokio::sync::watch;

use super::{
    AskError, evidence,
    heads::Shown,
    judge::{bare, known, seen},
    seen::is_here,
};
use crate::{
    anew,
    ledger::{Entry, Outcome, SeenEntry, records::SeenLog},
    shared::Shared,
};

/// A log brings its heads to its witnesses itself, within seconds: there is nothing to ask for then.
const PAUSE: Duration = Duration::from_secs(5);
/// How soon a log is asked again for what it could not be asked or did not prove.
const AGAIN: Duration = Duration::from_secs(5 * 60);

/// A head that a log has signed.
struct Head {
    checkpoint: Checkpoint,
    /// With the log's signature alone.
    note: Bytes,
}

/// Compares until the node stops.
pub async fn run(shared: Arc<Shared>) {
    let mut again = tokio::time::Instant::now();
    loop {
        let all = tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = tokio::time::sleep_until(again), if shared.heads.has_left() => true,
            () = shared.heads.passed() => false,
        };
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if all || !shared.heads.has_left() {
            again = tokio::time::Instant::now() + AGAIN;
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = round(&shared, all) => {}
        }
    }
}

/// Looks at what others have seen of the own log until the node stops, or until that is not here.
/// Spec: WIT-9.
pub async fn watch_own(shared: Arc<Shared>, fail: watch::Sender<Option<WireCode>>) {
    loop {
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = shared.heads.own_passed() => {}
        }
        for note in shared.heads.take_own() {
            match own(&shared, note).await {
                Ok(None) => {}
                Ok(Some((size, note))) => {
                    anew::note_seen(shared.disk.as_ref(), &shared.data, &note);
                    tracing::error!(
                        size,
                        "somebody has seen what is not in this log: the node stops"
                    );
                    fail.send_replace(Some(WireCode::LogRolledBack));
                    return;
                }
                Err(code) => tracing::warn!(%code, "what was seen of the own log is not compared"),
            }
        }
    }
}

/// What was seen and its size, if that is not here. What a key signed that has ended says nothing: it
/// may have been stolen, and here anyone may speak, not witnesses alone.
async fn own(shared: &Arc<Shared>, note: Bytes) -> Result<Option<(u64, Bytes)>, WireCode> {
    let Some(log) = shared.roster().log_verifier(&shared.id) else {
        return Ok(None);
    };
    let just_now_ms = shared.just_now_ms();
    let here = Arc::clone(shared);
    // Signatures and files are nothing for the thread of the network.
    let looked = shared.workers.run(move || {
        let theirs = checkpoint::parse_and_verify(&note, &log, just_now_ms).ok()?;
        match is_here(&here, &theirs) {
            Ok(true) => None,
            Ok(false) => Some(Ok((theirs.size, note))),
            Err(error) => Some(Err(WireCode::from(&error))),
        }
    });
    looked.await.ok_or(WireCode::ShuttingDown)?.transpose()
}

/// Compares what waits; with `all` also what was left before and nothing has followed.
async fn round(shared: &Arc<Shared>, all: bool) {
    for (node, shown) in shared.heads.take(all) {
        match compare(shared, &node, &shown).await {
            Ok(()) => {
                shared.heads.doubt(&node, None, shared.now_ms());
            }
            Err(AskError::Lost(code)) => {
                tracing::debug!(%node, %code, "a log cannot be asked to prove what it has shown");
                shared.heads.leave(&node, shown);
            }
            Err(AskError::Refused(code)) => {
                if shared.heads.doubt(&node, Some(code), shared.now_ms()) {
                    tracing::error!(%node, %code, "a log does not prove that it extends what it has shown");
                }
                shared.heads.leave(&node, shown);
            }
        }
        shared
            .metrics
            .doubted(&node, shared.heads.is_doubted(&node));
    }
}

/// Leads from what is known of a log through all that it has shown, and keeps the largest.
///
/// # Errors
/// [`AskError::Refused`] with what is to be said against the log; [`AskError::Lost`]: try again.
async fn compare(shared: &Arc<Shared>, node: &str, shown: &[Shown]) -> Result<(), AskError> {
    let Some(log) = shared.roster().log_verifier(node) else {
        return Ok(());
    };
    let before = seen(shared, &log.origin).map_err(AskError::Lost)?;
    if before.as_ref().is_some_and(SeenLog::is_fork) {
        return Ok(());
    }
    let known = known(before.as_ref()).map_err(AskError::Lost)?;
    // Signatures are nothing for the thread of the network.
    let (shown, verifier, just_now_ms) = (shown.to_vec(), log.clone(), shared.just_now_ms());
    let heads = shared
        .workers
        .run(move || verified(&shown, &verifier, just_now_ms));
    let mut heads = heads.await.ok_or(AskError::Lost(WireCode::ShuttingDown))?;
    for head in &heads {
        shared.heads.signed(node, &head.checkpoint, &head.note);
    }
    heads.extend(before.map(|seen| of_seen(seen, known)));
    heads.sort_by_key(|head| head.checkpoint.size);
    heads.dedup_by(|one, other| one.checkpoint == other.checkpoint);
    for pair in heads.windows(2) {
        if let [one, other] = pair
            && one.checkpoint.size == other.checkpoint.size
        {
            let kept = evidence::record(shared, fork(one, other)).await;
            return kept.map_err(AskError::Lost);
        }
    }
    for pair in heads.windows(2) {
        if let [one, other] = pair {
            leads(shared, node, &one.checkpoint, &other.checkpoint).await?;
        }
    }
    match heads.pop() {
        Some(newest) if newest.checkpoint.size > known.0 => keep(shared, known, newest).await,
        _ => Ok(()),
    }
}

/// What the log has signed, of what it is said to have shown.
fn verified(shown: &[Shown], log: &LogVerifier, just_now_ms: u64) -> Vec<Head> {
    let heads = shown.iter().filter_map(|shown| {
        let checkpoint = checkpoint::parse_and_verify(&shown.note, log, just_now_ms).ok()?;
        let note = bare(&shown.note, log).ok()?;
        Some(Head { checkpoint, note })
    });
    heads.collect()
}

fn of_seen(seen: SeenLog, (size, root): (u64, log::Hash)) -> Head {
    Head {
        checkpoint: Checkpoint {
            origin: seen.origin,
            size,
            root,
        },
        note: seen.checkpoint,
    }
}

fn fork(one: &Head, other: &Head) -> Fork {
    Fork {
        origin: one.checkpoint.origin.clone(),
        size: one.checkpoint.size,
        roots: [one.checkpoint.root, other.checkpoint.root],
        checkpoints: [one.note.clone(), other.note.clone()],
    }
}

/// Has the log prove that one of its heads extends the other. Spec: WIT-15.
async fn leads(
    shared: &Shared,
    node: &str,
    from: &Checkpoint,
    to: &Checkpoint,
) -> Result<(), AskError> {
    let request = Request::GetCheckpoint(v1::GetCheckpoint {
        consistent_with: from.size,
        size: to.size,
        node: String::new(),
    });
    let answer = match shared.links.ask(shared, node, request).await {
        Ok(Answer::Checkpoint(answer)) => answer,
        // It has shown more than it has.
        Err(AskError::Refused(WireCode::NotFound)) => {
            return Err(AskError::Refused(WireCode::LogRolledBack));
        }
        // Whatever else keeps it from answering says nothing of its log.
        Err(AskError::Refused(code) | AskError::Lost(code)) => return Err(AskError::Lost(code)),
        Ok(_) => return Err(AskError::Lost(WireCode::Malformed)),
    };
    // Another log of that node by now: the proof is none of this one. That its newer log is not so large
    // yet cannot be told from an older copy: this one counts as in doubt until the roster tells.
    if Checkpoint::of_note(&answer.checkpoint).is_ok_and(|head| head.is_of_later_log(&to.origin)) {
        return Err(AskError::Lost(WireCode::LogEnded));
    }
    let proof = answer.consistency.iter().map(|hash| hash[..].try_into());
    let proof = proof.collect::<Result<Vec<log::Hash>, _>>();
    let proof = proof.map_err(|_| AskError::Refused(WireCode::BadProof))?;
    verify_consistency(from.size, &from.root, to.size, &to.root, &proof)
        .map_err(|_| AskError::Refused(WireCode::BadProof))
}

/// Keeps the largest head as what is known, unless the log has brought another meanwhile.
async fn keep(shared: &Shared, known: (u64, log::Hash), newest: Head) -> Result<(), AskError> {
    let entry = SeenEntry {
        known,
        head: newest.checkpoint,
        checkpoint: newest.note,
        states_first: false,
    };
    match shared.ledger.record(Entry::Seen(entry)).await {
        // Forked: that is known by now.
        Outcome::Failed(code) if code != WireCode::Forked => Err(AskError::Lost(code)),
        _ => Ok(()),
    }
}
