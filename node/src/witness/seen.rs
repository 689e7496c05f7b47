//! What witnesses have seen of this log: asked before anything is signed. A copy of a directory that is
//! older than what they saw would show others a second history. Spec: WIT-9.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    log::{ANY_TIME_MS, Checkpoint, checkpoint, verify_consistency},
    roster::{Peer, Roster},
    v1::{self, answer::Answer, request::Request},
};
use tokio::task::JoinSet;

use super::AskError;
use crate::{ledger::LedgerError, shared::Shared};

/// How long witnesses that do not answer hold up the start.
const WAIT: Duration = Duration::from_secs(3);

/// What witnesses say of this log.
#[derive(Debug, Default)]
pub struct Seen {
    /// The newest head that they show and that is not one of the log as it is here, as the log
    /// signed it.
    pub elsewhere: Option<(Checkpoint, Bytes)>,
    /// How many witnesses have said what they have seen, or that they have seen nothing.
    pub answered: usize,
    /// How many of all who were asked have not answered.
    pub silent: usize,
}

/// Asks all witnesses that can be asked, or `everybody`: who is no witness has seen heads too, and its
/// silence says nothing.
///
/// # Errors
/// The published log cannot be read.
pub async fn ask(shared: &Arc<Shared>, everybody: bool) -> Result<Seen, LedgerError> {
    let roster = shared.roster();
    let mut found = Seen::default();
    let Some(log) = roster.log_verifier(&shared.id) else {
        return Ok(found);
    };
    let mut asking = JoinSet::new();
    let is_witness = |node: &str| roster.witnesses_of(&shared.id).any(|one| one.id == node);
    for node in roster.nodes() {
        let others = node.id != shared.id && roster.is_live(&Peer::Node(node.id.clone()));
        let counts = is_witness(&node.id);
        if !(counts || everybody && others) {
            continue;
        }
        let (shared, node, origin) = (Arc::clone(shared), node.id.clone(), log.origin.clone());
        asking.spawn(async move {
            let request = Request::GetSeen(v1::GetSeen { origin });
            let asked = shared.links.ask(&shared, &node, request);
            (counts, tokio::time::timeout(WAIT, asked).await)
        });
    }
    while let Some(asked) = asking.join_next().await {
        found.silent += 1;
        let (counts, note) = match asked {
            Ok((counts, Ok(Ok(Answer::Checkpoint(seen))))) => (counts, seen.checkpoint),
            Ok((counts, Ok(Err(AskError::Refused(WireCode::NotFound))))) => {
                found.answered += usize::from(counts);
                found.silent -= 1;
                continue;
            }
            _ => continue,
        };
        let theirs = checkpoint::parse_and_verify(&note, &log, ANY_TIME_MS);
        let Ok(theirs) = theirs else { continue };
        found.silent -= 1;
        found.answered += usize::from(counts);
        let known = found.elsewhere.as_ref();
        let newest = known.is_none_or(|(known, _)| known.size < theirs.size);
        if newest && !is_here(shared, &theirs)? {
            found.elsewhere = Some((theirs, note));
        }
    }
    Ok(found)
}

/// How many witnesses of the log of `node` must answer so that one of them has cosigned whatever is
/// final of it; none where nobody witnesses. Spec: BAK-12.
#[must_use]
pub fn enough(roster: &Roster, node: &str) -> Option<usize> {
    let policy = roster.witness_policy(node)?;
    Some(policy.witnesses.len().saturating_sub(policy.quorum) + 1)
}

/// Whether a head that this log's key signed is one of this log as it is here.
///
/// # Errors
/// The published log cannot be read.
pub fn is_here(shared: &Shared, theirs: &Checkpoint) -> Result<bool, LedgerError> {
    shared.ledger.publish_to(theirs.size)?;
    let publisher = shared.ledger.published();
    if publisher.origin() != theirs.origin {
        return Ok(theirs.size == 0);
    }
    let own = Checkpoint::of_note(&publisher.checkpoint()).ok();
    let Some(own) = own.filter(|own| theirs.size <= own.size) else {
        return Ok(theirs.size == 0);
    };
    let proof = publisher.consistency_proof(theirs.size, own.size)?;
    let leads = verify_consistency(theirs.size, &theirs.root, own.size, &own.root, &proof);
    Ok(leads.is_ok())
}
