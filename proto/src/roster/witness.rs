//! Who cosigns for whom, as the governance lists it. Spec: ROS-52, WIT-1.

use std::collections::BTreeMap;

use super::{Fault, Node, Part, Roster, RosterError, Timed, Witnessing};
use crate::{
    keys::VerifyingKey,
    limits,
    log::{self, Cosignature, LogKey, NoteError, WitnessPolicy, WitnessVerifier},
    v1,
};

/// How far a checkpoint is beyond its log's power. Spec: WIT-2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finality {
    /// The roster names no witnesses.
    Unwitnessed,
    /// These have cosigned, and so many must.
    Provisional(Vec<Cosignature>, usize),
    /// Enough have: these.
    Final(Vec<Cosignature>),
}

/// Epoch in the names of witnesses.
const WITNESS_EPOCH: u32 = 1;

/// Judges the roster's word on witnesses. Spec: ROS-52.
pub(super) fn judge(
    listed: Option<&v1::Witnessing>,
    nodes: &BTreeMap<String, Node>,
) -> Result<Option<Witnessing>, RosterError> {
    let Some(listed) = listed else {
        return Ok(None);
    };
    let has_key = |id: &String| nodes.get(id).is_some_and(|node| node.witness_key.is_some());
    let once = |(place, id): (usize, &String)| !listed.nodes[..place].contains(id);
    let count = listed.nodes.len();
    let quorum = usize::try_from(listed.quorum).unwrap_or(usize::MAX);
    // One is missing where the log is a witness's own.
    let fits = count <= limits::WITNESSES_MAX
        && (1..count).contains(&quorum)
        && listed.nodes.iter().all(has_key)
        && listed.nodes.iter().enumerate().all(once);
    if !fits {
        return Err(Part::Roster.fault(Fault::BadWitnessing));
    }
    Ok(Some(Witnessing {
        nodes: listed.nodes.clone(),
        quorum,
    }))
}

impl Roster {
    /// Whose cosignatures make what a log says final; none: nobody's are asked for.
    #[must_use]
    pub fn witnessing(&self) -> Option<&Witnessing> {
        self.witnessing.as_ref()
    }

    /// The live nodes that cosign for `node`.
    pub fn witnesses_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Node> {
        let listed = self.witnessing.iter().flat_map(|listed| &listed.nodes);
        let others = listed.filter(move |id| *id != node);
        let live = |id: &&String| self.is_node_live(id);
        others.filter(live).filter_map(|id| self.nodes.get(id))
    }

    /// Whose cosignatures count for the log of `node`, and how many are enough. Witnesses that are
    /// not live any more count: what they cosigned while they were is worth what it was.
    /// Spec: WIT-1.
    #[must_use]
    pub fn witness_policy(&self, node: &str) -> Option<WitnessPolicy> {
        let listed = self.witnessing.as_ref()?;
        let others = listed.nodes.iter().filter(|id| *id != node);
        Some(WitnessPolicy {
            witnesses: others.filter_map(|id| self.witness(id)).collect(),
            quorum: listed.quorum,
        })
    }

    /// How far a checkpoint of the log of `node` is beyond that log's power. Spec: WIT-2.
    ///
    /// # Errors
    /// [`NoteError`]: a witness's line on it is wrong, so it is not to be used.
    pub fn finality(&self, node: &str, checkpoint: &[u8]) -> Result<Finality, NoteError> {
        let Some(policy) = self.witness_policy(node) else {
            return Ok(Finality::Unwitnessed);
        };
        let cosignatures = policy.cosignatures(checkpoint)?;
        let quorum = policy.quorum;
        Ok(match policy.is_met(&cosignatures) {
            true => Finality::Final(cosignatures),
            false => Finality::Provisional(cosignatures, quorum),
        })
    }

    /// A node as a witness, if it has a key for that. Spec: WIT-24.
    #[must_use]
    pub fn witness(&self, node: &str) -> Option<WitnessVerifier> {
        let listed = self.nodes.get(node)?;
        let earlier = |listed: &Timed<VerifyingKey>| LogKey {
            key: listed.key.clone(),
            not_after_ms: listed.validity.not_after_ms,
        };
        Some(WitnessVerifier {
            name: log::witness_name(self.federation(), node, WITNESS_EPOCH),
            key: listed.witness_key.clone()?,
            earlier: listed.earlier_witness_keys.iter().map(earlier).collect(),
        })
    }
}
