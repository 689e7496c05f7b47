//! `frex roster show`: who belongs, after judging that the file may say so.

use std::path::{Path, PathBuf};

use frex_client::{environment::Clock, keys::ROSTER_FILE};
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    limits,
    roster::{Member, Node, Roster, Timed, TrustAnchor},
    v1,
};
use prost::Message;
use serde_json::{Value, json};

use super::{
    fresh, judge_even_expired, read_bundle, read_root, refused, witnesses,
    words::{self, role_name, status_name},
};
use crate::cli::{
    RosterShowArgs,
    failure::{Done, Failure, OrCode, OrFail},
    fingerprint, output,
    time::rfc3339,
};

/// Judges a roster and lists it.
pub fn show(args: &RosterShowArgs, json: bool) -> Done {
    let file = roster_file(&args.file);
    let bundle = read_bundle(&file)?;
    let anchor = match &args.root {
        Some(path) => read_root(path)?.1,
        None => own_root(&bundle)?,
    };
    let judged =
        judge_even_expired(&bundle, &anchor, None).map_err(|error| refused(&file, error))?;
    let (roster, pinned) = (&judged.roster, args.root.is_some());
    if json {
        output::document(json!({
            "federation": roster.federation(), "version": roster.version(),
            "sha256": hex::encode(roster.sha256()), "issued": rfc3339(roster.issued_ms()),
            "expires": rfc3339(roster.expires_ms()), "expired": judged.expired, "root_pinned": pinned,
            "root_fingerprint": fingerprint::of(&anchor.root_sha256),
            "root_version": roster.root().version, "root_chain": roster.root_chain().len(),
            "fresh_until": roster.fresh_until_ms().map(rfc3339),
            "fresh": roster.fresh_until_ms().is_some_and(|until| Clock::System.now_ms() < until),
            "allow_classical": roster.allow_classical(), "witnessing": witnesses::to_json(roster),
            "members": roster.members().map(member_json).collect::<Vec<_>>(),
            "nodes": roster.nodes().map(|node| node_json(roster, node)).collect::<Vec<_>>(),
        }));
    } else {
        print(roster, &anchor, pinned, judged.expired);
    }
    if judged.expired {
        return Err(Failure::new(WireCode::BadRoster, "the roster has expired")
            .cause(format!("it ended {}", rfc3339(roster.expires_ms())))
            .advise("Ask the governance for the roster in force now"));
    }
    Ok(0)
}

/// The file itself, or the roster in force in the folder of a member or node.
fn roster_file(path: &Path) -> PathBuf {
    let within = ["member", "node", ""].map(|part| path.join(part).join(ROSTER_FILE));
    let found = within.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| path.to_owned())
}

/// The root inside the file itself: shows what the file says, not whether to trust it.
fn own_root(bundle: &[u8]) -> Result<TrustAnchor, Failure> {
    let what = "the file is no roster";
    if bundle.len() > limits::ROSTER_BUNDLE_BYTES_MAX {
        return Err(Failure::new(WireCode::TooLarge, what));
    }
    let bundle = v1::RosterBundle::decode(bundle).or_code(WireCode::BadRoster, what)?;
    TrustAnchor::of_root(&bundle.root).or_fail(what)
}

fn print(roster: &Roster, anchor: &TrustAnchor, pinned: bool, expired: bool) {
    output::data(format_args!(
        "federation  {}   version {}",
        roster.federation(),
        roster.version()
    ));
    output::data(format_args!("issued      {}", rfc3339(roster.issued_ms())));
    let ended = if expired { "   EXPIRED" } else { "" };
    output::data(format_args!(
        "expires     {}{ended}",
        rfc3339(roster.expires_ms())
    ));
    output::data(format_args!(
        "freshness   {}",
        fresh(roster, Clock::System.now_ms())
    ));
    output::data(format_args!("transport   {}", words::transport(roster)));
    let witnesses = Some(witnesses::words(roster)).filter(|words| !words.is_empty());
    output::data(format_args!(
        "witnesses   {}",
        witnesses.as_deref().unwrap_or("none")
    ));
    output::data(format_args!(
        "root        {}",
        fingerprint::of(&anchor.root_sha256)
    ));
    if roster.root_chain().len() > 1 {
        let version = roster.root().version;
        output::data(format_args!(
            "            followed, step by step, by version {version}, now in force"
        ));
    }
    if pinned {
        output::data("            ok: the root you gave signed for it");
    } else {
        output::message(
            "note: judged by the root inside the file; give --root to check it against yours",
        );
    }
    print_entries(roster);
}

fn print_entries(roster: &Roster) {
    output::data("");
    let mut members = output::table(&[
        "MEMBER", "NAME", "COUNTRY", "ROLE", "STATE", "NODE", "SIGNS BY",
    ]);
    for member in roster.members() {
        members.add_row([
            member.id.clone(),
            output::clean(&member.name),
            member.country.clone(),
            role_name(member.role).to_owned(),
            status_name(member.status).to_owned(),
            member.home_node.clone(),
            words::algorithms(&member.identity_keys).to_owned(),
        ]);
    }
    output::print_table(&members);
    output::data("");
    let mut rules = output::table(&[
        "MEMBER",
        "TAKES",
        "NEEDS IN A REPORT",
        "QUOTA/MIN",
        "ATTACHMENTS",
        "COMPETENT FOR",
    ]);
    for member in roster.members() {
        rules.add_row(rules_of(member));
    }
    output::print_table(&rules);
    output::data("");
    let mut nodes = output::table(&["NODE", "OPERATOR", "STATE", "LOG", "WITNESS", "ADDRESSES"]);
    for node in roster.nodes() {
        nodes.add_row([
            node.id.clone(),
            node.operator.clone(),
            words::node_state(roster, node).to_owned(),
            node.log_epoch.to_string(),
            witnesses::place(roster, node).to_owned(),
            node.addresses.join(" "),
        ]);
    }
    output::print_table(&nodes);
}

/// What may be sent to a member, and how much it may send.
fn rules_of(member: &Member) -> [String; 6] {
    let or = |text: String, otherwise: &str| match text.is_empty() {
        true => otherwise.to_owned(),
        false => text,
    };
    [
        member.id.clone(),
        words::accepts(&member.accepts),
        or(member.report_fields.join(","), "-"),
        or(words::quota(member.quota), "-"),
        if member.attachments { "yes" } else { "no" }.to_owned(),
        or(member.jurisdictions.join(","), &member.country),
    ]
}

fn member_json(member: &Member) -> Value {
    json!({
        "id": member.id, "name": member.name, "country": member.country,
        "role": role_name(member.role), "state": status_name(member.status),
        "home_node": member.home_node, "accepts": words::accepts(&member.accepts),
        "needs": member.report_fields, "attachments": member.attachments,
        "jurisdictions": member.jurisdictions,
        "envelopes_per_minute": member.quota.envelopes_per_minute,
        "urgent_per_minute": member.quota.urgent_per_minute,
        "identity_keys": member.identity_keys.iter().map(|timed| hex::encode(timed.key.as_bytes())).collect::<Vec<_>>(),
        "ml_dsa_65_keys": member.identity_keys.iter().map(|timed| companion(&timed.key)).collect::<Vec<_>>(),
        "sealing_keys": member.sealing_keys.iter().map(|timed| timed.key.key_id().to_string()).collect::<Vec<_>>(),
    })
}

fn node_json(roster: &Roster, node: &Node) -> Value {
    json!({
        "id": node.id, "operator": node.operator, "state": words::node_state(roster, node),
        "log_key": hex::encode(node.log_key.key.as_bytes()), "log_epoch": node.log_epoch,
        "witness_key": node.witness_key.as_ref().map(|key| hex::encode(key.as_bytes())),
        "ml_dsa_44_log_key": companion(&node.log_key.key),
        "ml_dsa_44_witness_key": node.witness_key.as_ref().and_then(companion),
        "earlier_witness_keys": earlier_json("witness_key", &node.earlier_witness_keys),
        "ended_logs": node.ended_logs.iter().map(|log| json!({
            "ended": rfc3339(log.not_after_ms), "kept": log.kept,
        })).collect::<Vec<_>>(),
        "earlier_log_keys": earlier_json("log_key", &node.earlier_log_keys),
        "addresses": node.addresses,
    })
}

fn companion(key: &VerifyingKey) -> Option<String> {
    key.companion().map(|key| hex::encode(key.as_bytes()))
}

/// Keys that others followed, each under this name with its end.
fn earlier_json(name: &str, keys: &[Timed<VerifyingKey>]) -> Vec<Value> {
    let row = |timed: &Timed<VerifyingKey>| {
        json!({
            name: hex::encode(timed.key.as_bytes()),
            "ended": timed.validity.not_after_ms.map(rfc3339),
        })
    };
    keys.iter().map(row).collect()
}
