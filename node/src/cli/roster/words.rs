//! A roster's entries in words: the same words in `show`, `diff`, `propose` and `sign`.

use frex_proto::{
    keys::VerifyingKey,
    roster::{Accepts, EndedLog, Member, Node, Quota, Roster, Timed},
    v1,
};

use super::witnesses;
use crate::cli::{
    change::{self, Change, Field},
    fingerprint, member,
    time::rfc3339,
};

/// Lanes there are: a kind that is taken in all of them is named alone.
const EVERY_LANE: usize = 4;

/// What `new` changes in the roster before it.
#[must_use]
pub fn changes(old: Option<&Roster>, new: &Roster) -> Vec<Change> {
    let members = |roster: &Roster| roster.members().map(member_entry).collect::<Vec<_>>();
    let nodes = |roster: &Roster| roster.nodes().map(node_entry).collect::<Vec<_>>();
    let before = old.map(roster_fields);
    let mut found = change::between_entries(
        "member",
        &old.map(members).unwrap_or_default(),
        &members(new),
    );
    found.extend(change::between_entries(
        "node",
        &old.map(nodes).unwrap_or_default(),
        &nodes(new),
    ));
    found.extend(change::between_fields(
        "roster",
        new.federation(),
        before.as_deref(),
        &roster_fields(new),
    ));
    found
}

fn roster_fields(roster: &Roster) -> Vec<Field> {
    let root = fingerprint::of(&roster.root().sha256);
    vec![
        ("expires", rfc3339(roster.expires_ms())),
        ("root", format!("version {}, {root}", roster.root().version)),
        ("key exchange", transport(roster).to_owned()),
        ("witnesses", witnesses::words(roster)),
    ]
}

fn member_entry(member: &Member) -> (String, Vec<Field>) {
    let doc = member.doc.map(|doc| format!("version {}", doc.version));
    let attachments = if member.attachments { "yes" } else { "" };
    let fields = vec![
        ("name", member.name.clone()),
        ("role", role_name(member.role).to_owned()),
        ("country", member.country.clone()),
        ("competent for", member.jurisdictions.join(",")),
        ("status", status_name(member.status).to_owned()),
        ("served by", member.home_node.clone()),
        ("takes", accepts(&member.accepts)),
        ("needs in a report", member.report_fields.join(",")),
        ("quota", quota(member.quota)),
        ("attachments", attachments.to_owned()),
        ("document", doc.unwrap_or_default()),
        ("signs by", algorithms(&member.identity_keys).to_owned()),
        ("fingerprint", prints(&member.identity_keys)),
    ];
    (member.id.clone(), fields)
}

fn node_entry(node: &Node) -> (String, Vec<Field>) {
    let print = |key: &VerifyingKey| key.key_id().to_string();
    let cosigns_by = node.witness_key.as_ref().map(head_algorithms);
    let fields = vec![
        ("run by", node.operator.clone()),
        ("status", status_name(node.status).to_owned()),
        (
            "log",
            format!("{} under key {}", node.log_epoch, print(&node.log_key.key)),
        ),
        (
            "log signed by",
            head_algorithms(&node.log_key.key).to_owned(),
        ),
        ("earlier log keys", earlier(&node.earlier_log_keys)),
        ("logs before", ended_logs(&node.ended_logs)),
        (
            "witness key",
            node.witness_key.as_ref().map(print).unwrap_or_default(),
        ),
        (
            "witness signs by",
            cosigns_by.unwrap_or_default().to_owned(),
        ),
        ("earlier witness keys", earlier(&node.earlier_witness_keys)),
        ("addresses", node.addresses.join(" ")),
    ];
    (node.id.clone(), fields)
}

/// Each log that has ended, with what is left of it.
fn ended_logs(logs: &[EndedLog]) -> String {
    let ended = (1..).zip(logs).map(|(epoch, log): (u32, _)| {
        let (end, kept) = (rfc3339(log.not_after_ms), log.kept);
        format!("{epoch} until {end}, {kept} entries kept")
    });
    ended.collect::<Vec<_>>().join(", ")
}

/// Each key with its end.
fn earlier(keys: &[Timed<VerifyingKey>]) -> String {
    let ended = keys.iter().map(|timed| {
        let end_ms = timed.validity.not_after_ms.unwrap_or_default();
        format!("{} until {}", timed.key.key_id(), rfc3339(end_ms))
    });
    ended.collect::<Vec<_>>().join(", ")
}

/// By which algorithms a log or a witness signs.
fn head_algorithms(key: &VerifyingKey) -> &'static str {
    match key.companion() {
        Some(_) => "Ed25519 and ML-DSA-44",
        None => "Ed25519",
    }
}

/// By which algorithms these keys sign.
#[must_use]
pub fn algorithms<'a>(keys: impl IntoIterator<Item = &'a Timed<VerifyingKey>>) -> &'static str {
    algorithms_of(keys.into_iter().map(|timed| &timed.key))
}

/// As [`algorithms`], for keys that are not listed yet.
#[must_use]
pub fn algorithms_of<'a>(keys: impl IntoIterator<Item = &'a VerifyingKey>) -> &'static str {
    let mut keys = keys.into_iter();
    let paired = |key: &VerifyingKey| key.companion().is_some();
    let first = keys.next().is_some_and(paired);
    match (first, keys.all(|key| paired(key) == first)) {
        (true, true) => "Ed25519 and ML-DSA-65",
        (false, true) => "Ed25519",
        (_, false) => "Ed25519, some keys ML-DSA-65 too",
    }
}

fn prints(keys: &[Timed<VerifyingKey>]) -> String {
    let prints: Vec<String> = keys
        .iter()
        .map(|timed| fingerprint::of_key(&timed.key))
        .collect();
    prints.join(" ")
}

/// How connections may be keyed.
#[must_use]
pub fn transport(roster: &Roster) -> &'static str {
    match roster.allow_classical() {
        true => "hybrid, or classical where a peer has nothing better",
        false => "hybrid only",
    }
}

/// What a member takes, as `--accepts` reads it.
#[must_use]
pub fn accepts(accepts: &Accepts) -> String {
    let Some(pairs) = accepts.pairs() else {
        return "all".to_owned();
    };
    let mut kinds: Vec<(v1::Kind, Vec<&str>)> = Vec::new();
    for (kind, lane) in pairs {
        let lane = member::lane_name(lane);
        match kinds.last_mut().filter(|(last, _)| *last == kind) {
            Some((_, lanes)) => lanes.push(lane),
            None => kinds.push((kind, vec![lane])),
        }
    }
    let words = kinds.iter().map(|(kind, lanes)| match lanes.len() {
        EVERY_LANE => kind.word().to_owned(),
        _ => format!("{}:{}", kind.word(), lanes.join("+")),
    });
    words.collect::<Vec<_>>().join(",")
}

/// How much a member may send in a minute, as `--quota` reads it; nothing without a limit.
#[must_use]
pub fn quota(quota: Quota) -> String {
    let limit = |limit: Option<u32>| limit.map_or("none".to_owned(), |limit| limit.to_string());
    match (quota.envelopes_per_minute, quota.urgent_per_minute) {
        (None, None) => String::new(),
        (all, urgent) => format!("{}/{}", limit(all), limit(urgent)),
    }
}

/// The role as `frex init --role` reads it.
#[must_use]
pub fn role_name(role: v1::Role) -> &'static str {
    match role {
        v1::Role::Unspecified => "unspecified",
        v1::Role::Hotline => "hotline",
        v1::Role::Platform => "platform",
        v1::Role::Police => "police",
        v1::Role::Prosecutor => "prosecutor",
        v1::Role::ClearingHouse => "clearing-house",
        v1::Role::Oversight => "oversight",
    }
}

/// How a node stands in a word: one whose operator is out is out with it. Spec: ROS-14.
#[must_use]
pub fn node_state(roster: &Roster, node: &Node) -> &'static str {
    let operator = roster.member(&node.operator).map(|member| member.status);
    match (node.status, operator) {
        (v1::Status::Live, Some(status)) => status_name(status),
        (status, _) => status_name(status),
    }
}

/// The status in a word.
#[must_use]
pub fn status_name(status: v1::Status) -> &'static str {
    match status {
        v1::Status::Unspecified => "unspecified",
        v1::Status::Live => "live",
        v1::Status::Suspended => "suspended",
        v1::Status::Revoked => "revoked",
    }
}
