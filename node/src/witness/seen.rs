//! What witnesses have seen of this log: asked before anything is signed. A copy of a directory that is
//! older than what they saw would show others a second history. Spec: WIT-9.

use std::{sync::Arc, time::Duration};

use frex_proto::{
    log::{ANY_TIME_MS, Checkpoint, checkpoint, verify_consistency},
    v1::{self, answer::Answer, request::Request},
};
use tokio::task::JoinSet;

use crate::{ledger::LedgerError, shared::Shared};

/// How long witnesses that do not answer hold up the start.
const WAIT: Duration = Duration::from_secs(3);

/// The size at which a witness has seen this log, if that is not the log as it is here.
///
/// # Errors
/// The published log cannot be read.
pub async fn elsewhere(shared: &Arc<Shared>) -> Result<Option<u64>, LedgerError> {
    let roster = shared.roster();
    let Some(log) = roster.log_verifier(&shared.id) else {
        return Ok(None);
    };
    let mut asking = JoinSet::new();
    for node in roster.witnesses_of(&shared.id) {
        let (shared, node, origin) = (Arc::clone(shared), node.id.clone(), log.origin.clone());
        asking.spawn(async move {
            let request = Request::GetSeen(v1::GetSeen { origin });
            tokio::time::timeout(WAIT, shared.links.ask(&shared, &node, request)).await
        });
    }
    while let Some(asked) = asking.join_next().await {
        let Ok(Ok(Ok(Answer::Checkpoint(seen)))) = asked else {
            continue;
        };
        let theirs = checkpoint::parse_and_verify(&seen.checkpoint, &log, ANY_TIME_MS);
        if let Ok(theirs) = theirs
            && !is_here(shared, &theirs)?
        {
            return Ok(Some(theirs.size));
        }
    }
    Ok(None)
}

/// Whether a head that this log's key signed is one of this log as it is here.
///
/// # Errors
/// The published log cannot be read.
pub fn is_here(shared: &Shared, theirs: &Checkpoint) -> Result<bool, LedgerError> {
    shared.ledger.publish()?;
    let publisher = shared.ledger.publisher.lock();
    let publisher = publisher.expect("no holder of the publisher panics");
    let own = Checkpoint::of_note(&publisher.checkpoint()).ok();
    let Some(own) = own.filter(|own| theirs.size <= own.size) else {
        return Ok(theirs.size == 0);
    };
    let proof = publisher.consistency_proof(theirs.size, own.size)?;
    let leads = verify_consistency(theirs.size, &theirs.root, own.size, &own.root, &proof);
    Ok(leads.is_ok())
}
