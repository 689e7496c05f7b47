//! How a node's log comes to another key: the one before is kept with its end, and no key comes in
//! that the log did not have.

use std::collections::BTreeMap;

use crate::{
    roster::{Fault, Part, RosterError},
    v1,
};

/// Every log and log key that was listed is kept, and no key is made up. Spec: ROS-41, ROS-42, ROS-61.
pub(super) fn check(held: &v1::Roster, next: &v1::Roster) -> Result<(), RosterError> {
    let known: BTreeMap<&str, &v1::Node> = held
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    // Each roster between the two may have changed the key of a log once.
    let unseen = next.version.saturating_sub(held.version).saturating_sub(1);
    for (place, node) in next.nodes.iter().enumerate() {
        let fault = match known.get(node.id.as_str()) {
            Some(old) => log_dropped(old, node).or_else(|| follows(old, node, unseen)),
            // A node that is new to the holder: what it signed with before, no roster held says.
            None => made_up(node.earlier_log_keys.len(), unseen),
        };
        if let Some(fault) = fault {
            return Err(Part::Node(place).fault(fault));
        }
    }
    Ok(())
}

/// A log that has ended stays so, with its end; the one held is in force, or has ended. Spec: ROS-61.
fn log_dropped(old: &v1::Node, new: &v1::Node) -> Option<Fault> {
    let kept = new.ended_logs.starts_with(&old.ended_logs);
    (!kept || new.log_epoch < old.log_epoch).then_some(Fault::LogDropped)
}

/// What is wrong with the log keys of one node as they follow those held; nothing if they may.
fn follows(old: &v1::Node, new: &v1::Node, unseen: u64) -> Option<Fault> {
    let listed = &new.earlier_log_keys;
    let kept = old.earlier_log_keys.iter().all(|key| listed.contains(key));
    let in_force = key_of(old);
    let changed = key_of(new) != in_force;
    let moved = listed.iter().any(|key| Some(&key.key[..]) == in_force);
    if !kept || changed && !moved {
        return Some(Fault::LogKeyDropped);
    }
    let known = old.earlier_log_keys.len() + usize::from(changed);
    let unknown = listed.len().saturating_sub(known);
    // A key that never changed has had none between.
    made_up(unknown, if changed { unseen } else { 0 })
}

fn made_up(unknown: usize, unseen: u64) -> Option<Fault> {
    (unknown as u64 > unseen).then_some(Fault::ForeignLogKey)
}

fn key_of(node: &v1::Node) -> Option<&[u8]> {
    Some(&node.log_key.as_ref()?.key)
}
