//! Member and node entries of a roster.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Accepts, EndedLog, Fault, Member, Node, Part, Quota, RosterError,
    country::is_country,
    ledger::{KeyLedger, check_count},
};
use crate::{id::check_name, limits, v1};

/// Judges the member entries. Spec: ROS-11 to ROS-14.
pub(super) fn members(
    listed: &[v1::Member],
    keys: &mut KeyLedger,
) -> Result<BTreeMap<String, Member>, RosterError> {
    let mut members = BTreeMap::new();
    for (position, entry) in listed.iter().enumerate() {
        let part = Part::Member(position);
        let member = member(part, entry, keys)?;
        if members.insert(member.id.clone(), member).is_some() {
            return Err(part.fault(Fault::Duplicate));
        }
    }
    Ok(members)
}

/// Judges the node entries. Spec: ROS-11, ROS-15.
pub(super) fn nodes(
    listed: &[v1::Node],
    keys: &mut KeyLedger,
) -> Result<BTreeMap<String, Node>, RosterError> {
    let mut nodes = BTreeMap::new();
    for (position, entry) in listed.iter().enumerate() {
        let part = Part::Node(position);
        let node = node(part, entry, keys)?;
        if nodes.insert(node.id.clone(), node).is_some() {
            return Err(part.fault(Fault::Duplicate));
        }
    }
    Ok(nodes)
}

/// Checks that home nodes and operators are listed. Spec: ROS-13, ROS-15.
pub(super) fn check_references(
    listed: &v1::Roster,
    members: &BTreeMap<String, Member>,
    nodes: &BTreeMap<String, Node>,
) -> Result<(), RosterError> {
    for (position, member) in listed.members.iter().enumerate() {
        if !nodes.contains_key(&member.home_node) {
            return Err(Part::Member(position).fault(Fault::UnknownHomeNode));
        }
    }
    for (position, node) in listed.nodes.iter().enumerate() {
        if !members.contains_key(&node.operator) {
            return Err(Part::Node(position).fault(Fault::UnknownOperator));
        }
    }
    Ok(())
}

/// Judges one member entry.
pub(super) fn member(
    part: Part,
    entry: &v1::Member,
    keys: &mut KeyLedger,
) -> Result<Member, RosterError> {
    check_name(&entry.id).map_err(|_| part.fault(Fault::BadId))?;
    check_name(&entry.home_node).map_err(|_| part.fault(Fault::BadId))?;
    check_display_name(part, &entry.name)?;
    if !is_country(&entry.country) {
        return Err(part.fault(Fault::BadCountry));
    }
    if entry.role() == v1::Role::Unspecified {
        return Err(part.fault(Fault::BadRole));
    }
    if entry.identity_keys.is_empty() {
        return Err(part.fault(Fault::KeyMissing));
    }
    let quota = entry.quota.unwrap_or_default();
    Ok(Member {
        id: entry.id.clone(),
        name: entry.name.clone(),
        role: entry.role(),
        country: entry.country.clone(),
        status: status(part, entry.status())?,
        home_node: entry.home_node.clone(),
        identity_keys: keys.paired_keys(part, &entry.identity_keys)?,
        accepts: accepts(part, &entry.accepts)?,
        quota: Quota {
            envelopes_per_minute: non_zero(quota.envelopes_per_minute),
            urgent_per_minute: non_zero(quota.urgent_per_minute),
        },
        attachments: entry.attachments,
        report_fields: report_fields(part, &entry.report_fields)?,
        jurisdictions: jurisdictions(part, &entry.jurisdictions)?,
        doc: None,
        client_tls_keys: Vec::new(),
        sealing_keys: Vec::new(),
        retired_sealing_keys: Vec::new(),
    })
}

/// The logs that a node had before: one of each epoch, in order. Spec: ROS-60.
fn ended_logs(part: Part, entry: &v1::Node) -> Result<Vec<EndedLog>, RosterError> {
    if entry.ended_logs.len() > limits::ENDED_LOGS_MAX {
        return Err(part.fault(Fault::TooLarge));
    }
    let count = u32::try_from(entry.ended_logs.len()).unwrap_or(u32::MAX);
    if entry.log_epoch.checked_sub(1) != Some(count) {
        return Err(part.fault(Fault::BadEpoch));
    }
    let mut end_ms = 0;
    let logs = entry.ended_logs.iter().map(|log| {
        if log.not_after_ms <= end_ms {
            return Err(part.fault(Fault::BadTimes));
        }
        end_ms = log.not_after_ms;
        Ok(EndedLog {
            not_after_ms: log.not_after_ms,
            kept: log.kept,
        })
    });
    logs.collect()
}

/// Judges one node entry. Spec: ROS-15, ROS-40, ROS-60, ROS-63.
pub(super) fn node(
    part: Part,
    entry: &v1::Node,
    keys: &mut KeyLedger,
) -> Result<Node, RosterError> {
    check_name(&entry.id).map_err(|_| part.fault(Fault::BadId))?;
    check_name(&entry.operator).map_err(|_| part.fault(Fault::BadId))?;
    let ended_logs = ended_logs(part, entry)?;
    let log_key = entry
        .log_key
        .as_ref()
        .ok_or(part.fault(Fault::KeyMissing))?;
    // Only what is past stands there: a key without end would sign beside the one in force.
    let logs = entry.earlier_log_keys.iter();
    let mut earlier = logs.chain(&entry.earlier_witness_keys);
    if earlier.any(|key| key.not_after_ms == 0) {
        return Err(part.fault(Fault::EndMissing));
    }
    let witness_key = entry
        .witness_key
        .as_ref()
        .map(|key| keys.head_key(part, key))
        .transpose()?;
    Ok(Node {
        id: entry.id.clone(),
        operator: entry.operator.clone(),
        status: status(part, entry.status())?,
        log_key: keys.head_key(part, log_key)?,
        earlier_log_keys: keys.head_keys(part, &entry.earlier_log_keys)?,
        log_epoch: entry.log_epoch,
        ended_logs,
        witness_key: witness_key.map(|timed| timed.key),
        earlier_witness_keys: keys.head_keys(part, &entry.earlier_witness_keys)?,
        addresses: Vec::new(),
        stated: None,
        tls_keys: Vec::new(),
    })
}

pub(super) fn check_display_name(part: Part, name: &str) -> Result<(), RosterError> {
    let fits = (1..=limits::DISPLAY_NAME_BYTES_MAX).contains(&name.len());
    if !fits || name.trim() != name || name.chars().any(is_deceptive) {
        return Err(part.fault(Fault::BadName));
    }
    Ok(())
}

/// Control characters and those that reorder or hide the text around them on a screen.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

// An unknown status decodes as unspecified: it is refused and never taken for live.
fn status(part: Part, status: v1::Status) -> Result<v1::Status, RosterError> {
    if status == v1::Status::Unspecified {
        return Err(part.fault(Fault::BadStatus));
    }
    Ok(status)
}

fn accepts(part: Part, listed: &[v1::Accepts]) -> Result<Accepts, RosterError> {
    if listed.is_empty() {
        return Ok(Accepts { pairs: None });
    }
    let bad = part.fault(Fault::BadAccepts);
    let mut pairs = BTreeSet::new();
    for entry in listed {
        if entry.kind() == v1::Kind::Unspecified || entry.lanes.is_empty() {
            return Err(bad);
        }
        for lane in &entry.lanes {
            let known = v1::Lane::try_from(*lane).is_ok_and(|lane| lane != v1::Lane::Unspecified);
            if !known || !pairs.insert((entry.kind, *lane)) {
                return Err(bad);
            }
        }
    }
    Ok(Accepts { pairs: Some(pairs) })
}

/// Names of a report's fields, or paths of such names, whether known here or not. Spec: ROS-28.
fn report_fields(part: Part, listed: &[String]) -> Result<Vec<String>, RosterError> {
    check_count(part, listed.len(), limits::REPORT_FIELDS_MAX)?;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let is_step = |step: &str| (1..=32).contains(&step.len()) && step.bytes().all(letter);
    let is_name = |field: &String| {
        field.len() <= limits::REPORT_FIELD_BYTES_MAX && field.split('.').all(is_step)
    };
    let distinct: BTreeSet<&String> = listed.iter().collect();
    if distinct.len() != listed.len() || !listed.iter().all(is_name) {
        return Err(part.fault(Fault::BadProfile));
    }
    Ok(listed.to_vec())
}

/// Countries, each once. Spec: ROS-12.
fn jurisdictions(part: Part, listed: &[String]) -> Result<Vec<String>, RosterError> {
    check_count(part, listed.len(), limits::JURISDICTIONS_MAX)?;
    let distinct: BTreeSet<&String> = listed.iter().collect();
    if distinct.len() != listed.len() || !listed.iter().all(|country| is_country(country)) {
        return Err(part.fault(Fault::BadCountry));
    }
    Ok(listed.to_vec())
}

fn non_zero(limit: u32) -> Option<u32> {
    (limit != 0).then_some(limit)
}
