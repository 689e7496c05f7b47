//! Who cosigns for whom, as the governance lists it. Spec: ROS-52, WIT-1.

use std::collections::BTreeMap;

use super::{Fault, Node, Part, Roster, RosterError, Witnessing};
use crate::{
    limits,
    log::{self, WitnessPolicy, WitnessVerifier},
    v1,
};

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
        let live = |id: &&String| self.is_live(&super::Peer::Node((*id).clone()));
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

    /// A node as a witness, if it has a key for that.
    #[must_use]
    pub fn witness(&self, node: &str) -> Option<WitnessVerifier> {
        let key = self.nodes.get(node)?.witness_key.clone()?;
        let name = log::witness_name(self.federation(), node, WITNESS_EPOCH);
        Some(WitnessVerifier { name, key })
    }
}
