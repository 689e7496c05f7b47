//! Evidence against a log goes to everybody: each node tells each other one once. Spec: WIT-17.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use frex_proto::{
    error::WireCode,
    limits,
    log::{Checkpoint, Fork, Origin},
    roster::{Peer, Roster},
    v1::{self, request::Request},
};

use super::{AskError, evidence};
use crate::{ledger::records::SeenLog, shared::Shared};

/// How soon nodes that were not reached are told again.
const AGAIN: Duration = Duration::from_secs(60);

/// Tells what is known until the node stops.
pub async fn run(shared: Arc<Shared>) {
    know(&shared);
    let mut told = BTreeSet::new();
    let mut rosters = shared.membership.roster().changes();
    loop {
        let roster = rosters.borrow_and_update().clone();
        let complete = tokio::select! {
            biased;
            () = shared.stopped() => return,
            complete = round(&shared, &roster, &mut told) => complete,
        };
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = shared.heads.forked() => {}
            _ = rosters.changed() => {}
            () = tokio::time::sleep(AGAIN), if !complete => {}
        }
    }
}

/// What was found out before the start is known again.
fn know(shared: &Shared) {
    match shared.ledger.forks() {
        Ok(forks) => {
            for fork in forks {
                if let Ok(origin) = Origin::parse(&fork.origin) {
                    shared.heads.fork(origin.node);
                }
            }
        }
        Err(error) => tracing::error!(?error, "what is known against logs cannot be read"),
    }
}

/// Judges and keeps what somebody tells of a log.
///
/// # Errors
/// The code with which it is refused.
pub async fn hear(shared: &Arc<Shared>, offer: &v1::OfferEvidence) -> Result<(), WireCode> {
    let first = offer.checkpoints.first().ok_or(WireCode::Malformed)?;
    if first.len() > limits::SEEN_CHECKPOINT_BYTES_MAX {
        return Err(WireCode::TooLarge);
    }
    let head = Checkpoint::of_note(first).map_err(|_| WireCode::Malformed)?;
    let origin = Origin::parse(&head.origin).map_err(|_| WireCode::Malformed)?;
    let log = shared.roster().log_verifier(origin.node);
    let log = log.ok_or(WireCode::NotTrusted)?;
    // Signatures are nothing for the thread of the network.
    let (pair, just_now_ms) = (offer.checkpoints.clone(), shared.just_now_ms());
    let judged = shared
        .workers
        .run(move || Fork::verify(&pair, &log, just_now_ms));
    let fork = judged.await.ok_or(WireCode::ShuttingDown)??;
    evidence::record(shared, fork).await
}

/// Tells everybody who was not told; says whether nobody is left.
async fn round(shared: &Shared, roster: &Roster, told: &mut BTreeSet<(String, String)>) -> bool {
    let forks = match shared.ledger.forks() {
        Ok(forks) => forks,
        Err(error) => {
            tracing::error!(?error, "what is known against logs cannot be read");
            return false;
        }
    };
    let mut complete = true;
    for fork in forks {
        for node in roster.nodes() {
            let is_other = node.id != shared.id && roster.is_live(&Peer::Node(node.id.clone()));
            let pair = (fork.origin.clone(), node.id.clone());
            if is_other && !told.contains(&pair) {
                match tell(shared, &node.id, &fork).await {
                    Ok(()) => {
                        told.insert(pair);
                    }
                    Err(code) => {
                        tracing::debug!(node = %node.id, %code, "evidence was not told");
                        complete = false;
                    }
                }
            }
        }
    }
    complete
}

/// Who refuses it has its reason, and is not asked again.
async fn tell(shared: &Shared, node: &str, fork: &SeenLog) -> Result<(), WireCode> {
    let offer = v1::OfferEvidence {
        checkpoints: vec![fork.checkpoint.clone(), fork.contradicts.clone()],
    };
    let asked = shared
        .links
        .ask(shared, node, Request::OfferEvidence(offer))
        .await;
    match asked {
        Ok(_) => Ok(()),
        Err(AskError::Refused(code)) => {
            tracing::warn!(%node, %code, "a node does not take the evidence against a log");
            Ok(())
        }
        Err(AskError::Lost(code)) => Err(code),
    }
}
