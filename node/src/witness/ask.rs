//! As a log: brings its heads to its witnesses until enough have cosigned them. Spec: WIT-7.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    log::{
        ANY_TIME_MS, AddCheckpoint, Checkpoint, LogVerifier, WitnessPolicy, WitnessVerifier,
        checkpoint, witness,
    },
    roster::Roster,
    v1::{self, answer::Answer, request::Request},
};
use tokio::{sync::watch, task::JoinSet};

use super::{AskError, seen::is_here};
use crate::{
    anew,
    ledger::{Entry, Outcome},
    shared::Shared,
};

/// Between two rounds: what is logged meanwhile is cosigned together.
const PAUSE: Duration = Duration::from_secs(1);
/// How soon witnesses that did not cosign are asked again though nothing is logged.
const AGAIN: Duration = Duration::from_secs(10);
/// Answers of one witness in one round: it says what it holds, and is led from there.
const TRIES: usize = 3;

/// A head of the own log.
pub(super) struct Head {
    pub(super) note: Bytes,
    pub(super) checkpoint: Checkpoint,
    log: LogVerifier,
}

/// What is brought, and whose cosignatures make it final.
struct Brought {
    head: Head,
    policy: WitnessPolicy,
    /// Who is asked, by node.
    witnesses: BTreeMap<String, WitnessVerifier>,
}

/// What a witness said in the end.
enum Said {
    /// It cosigned, by this line, or two of a key with a companion.
    Line(Bytes),
    /// It has not seen what is newer than this; it is to be asked again.
    Later,
    /// It has seen this log at this size, and that is not the log as it is here.
    More(u64, Bytes),
}

/// Brings heads to witnesses until the node stops, or until one of them has seen what is not here.
pub async fn run(shared: Arc<Shared>, fail: watch::Sender<Option<WireCode>>) {
    let mut log = shared.bells.log();
    let mut rosters = shared.membership.roster().changes();
    let mut sizes = BTreeMap::new();
    loop {
        log.mark_unchanged();
        let roster = rosters.borrow_and_update().clone();
        let round = tokio::select! {
            biased;
            () = shared.stopped() => return,
            round = round(&shared, &roster, &mut sizes) => round,
        };
        let complete = match round {
            Ok(complete) => complete,
            Err(WireCode::LogRolledBack) => {
                fail.send_replace(Some(WireCode::LogRolledBack));
                return;
            }
            Err(code) => {
                tracing::warn!(%code, "the log's head cannot be brought to its witnesses");
                shared.witnessed.note(false, shared.now_ms());
                false
            }
        };
        let since_ms = shared.witnessed.waits_since_ms();
        let waited_ms = since_ms.map_or(0, |since_ms| shared.now_ms().saturating_sub(since_ms));
        shared.metrics.unwitnessed(waited_ms / 1000);
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            _ = rosters.changed() => {}
            _ = log.changed() => {}
            () = tokio::time::sleep(AGAIN), if !complete => {}
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Asks every witness once; says whether all have cosigned.
async fn round(
    shared: &Arc<Shared>,
    roster: &Roster,
    sizes: &mut BTreeMap<String, u64>,
) -> Result<bool, WireCode> {
    let policy = roster.witness_policy(&shared.id);
    let head = match &policy {
        Some(_) => head(shared, roster).await?,
        None => None,
    };
    let (Some(head), Some(policy)) = (head, policy) else {
        shared.witnessed.note(true, shared.now_ms());
        return Ok(true);
    };
    let asked = roster.witnesses_of(&shared.id);
    let witnesses = asked.filter_map(|node| Some((node.id.clone(), roster.witness(&node.id)?)));
    let brought = Arc::new(Brought {
        head,
        policy,
        witnesses: witnesses.collect(),
    });
    let head = &brought.head;
    let mut asking = JoinSet::new();
    for node in brought.witnesses.keys() {
        let (shared, node, brought) = (Arc::clone(shared), node.clone(), Arc::clone(&brought));
        let size = sizes.get(&node).copied().unwrap_or(0);
        asking.spawn(async move {
            let said = bring(&shared, &node, &brought, size).await;
            (node, said)
        });
    }
    let (mut note, mut complete) = (head.note.clone(), true);
    let mut is_final = false;
    while let Some(asked) = asking.join_next().await {
        let (node, said) = asked.map_err(|_| WireCode::StorageFailed)?;
        match said {
            Ok(Said::Line(line)) => {
                sizes.insert(node, head.checkpoint.size);
                note = witness::with_lines(&note, &line).map_err(|_| WireCode::BadSignature)?;
                // As soon as it is enough: whoever else does not answer holds up nobody.
                is_final |= keep(shared, &brought, &note).await?;
            }
            Ok(Said::More(size, note)) => {
                anew::note_seen(shared.disk.as_ref(), &shared.data, &note);
                tracing::error!(%node, size, here = head.checkpoint.size, "a witness has seen what is not in this log: the node stops");
                return Err(WireCode::LogRolledBack);
            }
            Ok(Said::Later) => complete = false,
            Err(error) => {
                // Who is not reached comes back by itself; who refuses has a reason.
                match error {
                    AskError::Refused(code) => {
                        tracing::warn!(%node, %code, "a witness refuses");
                    }
                    AskError::Lost(code) => {
                        tracing::debug!(%node, %code, "a witness is not reached");
                    }
                }
                complete = false;
            }
        }
    }
    shared.witnessed.note(is_final, shared.now_ms());
    Ok(complete)
}

/// The newest published head; none while nothing is published.
pub(super) async fn head(shared: &Arc<Shared>, roster: &Roster) -> Result<Option<Head>, WireCode> {
    let Some(log) = roster.log_verifier(&shared.id) else {
        return Ok(None);
    };
    // Files are written: nothing for the thread of the network.
    let ledger = shared.ledger.clone();
    let published = shared.workers.run(move || ledger.publish()).await;
    published
        .ok_or(WireCode::ShuttingDown)?
        .map_err(|error| WireCode::from(&error))?;
    let note = shared.ledger.published().checkpoint();
    if note.is_empty() {
        return Ok(None);
    }
    let checkpoint = checkpoint::parse_and_verify(&note, &log, ANY_TIME_MS)
        .map_err(|_| WireCode::StorageFailed)?;
    Ok(Some(Head {
        note,
        checkpoint,
        log,
    }))
}

/// Leads one witness from what it holds to the head.
async fn bring(
    shared: &Shared,
    node: &str,
    brought: &Brought,
    known: u64,
) -> Result<Said, AskError> {
    let (head, mut known) = (&brought.head, known);
    for _ in 0..TRIES {
        let Some(body) = body(shared, head, known) else {
            return Ok(Said::Later);
        };
        let request = Request::AddCheckpoint(v1::AddCheckpoint { body });
        match shared.links.ask(shared, node, request).await? {
            Answer::Cosigned(cosigned) => {
                let good = counts(brought, node, &cosigned.line);
                return match good {
                    true => Ok(Said::Line(cosigned.line)),
                    false => Err(AskError::Refused(WireCode::BadSignature)),
                };
            }
            Answer::Checkpoint(held) if held.checkpoint.is_empty() => known = 0,
            Answer::Checkpoint(held) => {
                let theirs = checkpoint::parse_and_verify(&held.checkpoint, &head.log, ANY_TIME_MS);
                let theirs = theirs.map_err(|_| AskError::Refused(WireCode::BadSignature))?;
                let here = is_here(shared, &theirs);
                if !here.map_err(|error| AskError::Lost(WireCode::from(&error)))? {
                    return Ok(Said::More(theirs.size, held.checkpoint));
                }
                known = theirs.size;
            }
            _ => return Err(AskError::Refused(WireCode::Malformed)),
        }
    }
    Ok(Said::Later)
}

/// The request from `known` to the head; none where the published files do not reach so far.
pub(super) fn body(shared: &Shared, head: &Head, known: u64) -> Option<Bytes> {
    let size = head.checkpoint.size;
    let proof = match known {
        0 => Vec::new(),
        known if known == size => Vec::new(),
        known => {
            let publisher = shared.ledger.published();
            publisher.consistency_proof(known, size).ok()?
        }
    };
    let asked = AddCheckpoint {
        old_size: known,
        proof,
        checkpoint: head.note.clone(),
    };
    Some(asked.to_body())
}

/// Whether these lines on the head are what the witness that was asked cosigns by, whole. Spec: WIT-13.
fn counts(brought: &Brought, node: &str, lines: &[u8]) -> bool {
    let witness = brought.witnesses.get(node);
    witness.is_some_and(|witness| witness.add(&brought.head.note, lines).is_ok())
}

/// Keeps the head if it is final; says whether it is.
async fn keep(shared: &Shared, brought: &Brought, note: &Bytes) -> Result<bool, WireCode> {
    let cosignatures = brought.policy.cosignatures(note);
    let cosignatures = cosignatures.map_err(|_| WireCode::BadSignature)?;
    let kept = shared.ledger.cosigned();
    let kept = kept.map_err(|error| WireCode::from(&error))?;
    let is_final = brought.policy.is_met(&cosignatures);
    if !is_final || kept == *note {
        return Ok(is_final);
    }
    if let Outcome::Failed(code) = shared.ledger.record(Entry::Cosigned(note.clone())).await {
        return Err(code);
    }
    publish(shared, note).await;
    Ok(true)
}

/// Lets outside auditors see it. The journal has it, and the next one takes its place.
async fn publish(shared: &Shared, note: &Bytes) {
    let (ledger, note) = (shared.ledger.clone(), note.clone());
    let put = move || ledger.published().put_witnessed(&note);
    if let Some(Err(error)) = shared.workers.run(put).await {
        tracing::warn!(%error, "a final checkpoint is not published");
    }
}
