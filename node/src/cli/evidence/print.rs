//! What was found, as text and as JSON. Spec: CLI-4, EVD-5, EVD-7, EVD-8.

use frex_proto::{
    envelope::Carried,
    error::WireCode,
    evidence::{self, Clock, EvidenceError, Findings, Outcome, Proven, Row, Shown, Silence},
    roster::{Finality, Roster},
};
use serde_json::{Value, json};

use super::clocks::{self, Told};
use crate::cli::{output, receipt::finality, time::rfc3339};

/// Every head on which something in the file rests.
fn heads(findings: &Findings) -> impl Iterator<Item = &Finality> {
    let receipts = findings.receipts.iter().flatten();
    let silences = findings.silences.iter().flatten();
    let receipts = receipts.map(|proven| &proven.finality);
    receipts.chain(silences.map(|silence| &silence.finality))
}

/// Whether there is a head, and each is cosigned by as many witnesses as the roster asks for. Where it
/// names none, nothing is final. Spec: RCP-18.
pub(super) fn is_final(findings: &Findings) -> bool {
    let finals = |head: &Finality| matches!(head, Finality::Final(_));
    heads(findings).next().is_some() && heads(findings).all(finals)
}

/// Whether a head waits for witnesses.
pub(super) fn is_provisional(findings: &Findings) -> bool {
    let provisional = |one: &evidence::Check| one.outcome == Outcome::Provisional;
    findings.checks.iter().any(provisional)
}

/// Whether something rests on a head, and nobody could cosign it.
pub(super) fn is_unwitnessed(findings: &Findings) -> bool {
    heads(findings).any(|head| *head == Finality::Unwitnessed)
}

/// The first check that failed so, by its name, or that was not reached.
pub(super) fn failed(findings: &Findings, error: EvidenceError) -> String {
    let fails = |check: &&evidence::Check| match check.outcome {
        Outcome::Fails(found) => found == error,
        Outcome::NotReached => error == EvidenceError::NotReached,
        Outcome::Holds | Outcome::Provisional => false,
    };
    let check = findings.checks.iter().find(fails);
    check.map_or_else(String::new, |check| output::clean(&check.name))
}

pub(super) fn checks(findings: &Findings) {
    for check in &findings.checks {
        let name = output::clean(&check.name);
        output::data(format_args!("    {:<12} {name}", check.outcome.word()));
        if let Outcome::Fails(error) = check.outcome {
            output::data(format_args!("    {:<12}   {error}", ""));
        }
    }
}

pub(super) fn checks_json(findings: &Findings) -> Vec<Value> {
    let checks = findings.checks.iter();
    let row = |check: &evidence::Check| {
        let why = match check.outcome {
            Outcome::Fails(error) => Some(error.to_string()),
            _ => None,
        };
        json!({ "name": check.name, "outcome": check.outcome.word(), "why": why })
    };
    checks.map(row).collect()
}

/// What a row says in a few words.
pub(super) fn said(row: &Row) -> String {
    let members = output::clean(&row.members.join(", "));
    let detail = output::clean(&row.detail);
    let node = &row.node;
    match row.what {
        "written" => format!("{members} wrote a {detail}"),
        "due" => format!("an answer by {members} is due"),
        "expires" => format!("delivery to {members} ends"),
        "submitted" | "forwarded" => format!("{node} took it on for {members}"),
        "accepted" => format!("{node} had it for {members}"),
        "rejected" => format!("{node} refused it for {members}: {}", code(&row.detail)),
        "silent" => {
            let (by, head) = detail.rsplit_once(", ").unwrap_or((&detail, ""));
            format!("{by} states that no answer by {members} had come by {head} of its node's log")
        }
        "acted" if !detail.is_empty() => format!("{members} acted: {detail}"),
        what => format!("{members} {what} it"),
    }
}

fn code(number: &str) -> &'static str {
    let number = number.parse().unwrap_or_default();
    WireCode::from_number(number).info().name
}

pub(super) fn timeline(findings: &Findings, told: Told) {
    let mut table = output::table(&["TIME", "WHAT", "MESSAGE", "PROOF"]);
    for row in evidence::rows(findings) {
        let message = row.message.map_or_else(String::new, |id| id.to_string());
        table.add_row([
            rfc3339(row.at_ms),
            said(&row),
            message.chars().take(8).collect(),
            place(&row, findings),
        ]);
    }
    output::print_table(&table);
    for clock in evidence::clocks(findings) {
        output::data("");
        output::data(verdict(&clock, told));
        for line in clocks::words(&clock, findings, told) {
            output::data(format_args!("  {line}"));
        }
    }
}

/// How one recipient of a request stands, with the request: one member is asked more than once.
pub(super) fn verdict(clock: &Clock, told: Told) -> String {
    let message = clock.message.to_string();
    let (asker, member) = (&clock.asker, &clock.member);
    let state = told.state(clock).word();
    format!("{asker} asked {member} by {}: {state}", &message[..8])
}

/// What proves a row: the part of the file, and where it stands in which log.
pub(super) fn place(row: &Row, findings: &Findings) -> String {
    match findings.receipt(row.proof) {
        Some(proven) => format!("{}, entry #{}", row.proof, proven.verified.index),
        None => row.proof.to_string(),
    }
}

pub(super) fn timeline_json(findings: &Findings) -> Vec<Value> {
    let rows = evidence::rows(findings).into_iter();
    let row = |row: Row| {
        let proven = findings.receipt(row.proof);
        json!({
            "time": rfc3339(row.at_ms), "what": row.what,
            "message": row.message.map(|id| id.to_string()), "members": row.members,
            "node": (!row.node.is_empty()).then_some(&row.node),
            "detail": (!row.detail.is_empty()).then_some(&row.detail),
            "proof": row.proof.to_string(),
            "entry": proven.map(|proven| proven.verified.index),
            "log": proven.map(|proven| &proven.verified.checkpoint.origin),
        })
    };
    rows.map(row).collect()
}

pub(super) fn clocks_json(findings: &Findings, told: Told) -> Vec<Value> {
    let clocks = evidence::clocks(findings).into_iter();
    let row = |clock: Clock| {
        let at = |point: Option<(u64, evidence::Proof)>| {
            point.map(|(ms, proof)| json!({ "time": rfc3339(ms), "proof": proof.to_string() }))
        };
        json!({
            "message": clock.message.to_string(), "asker": clock.asker, "member": clock.member,
            "state": told.state(&clock).word(), "received": at(clock.received),
            "due": clock.due_ms.map(rfc3339), "further": clock.further,
            "answered": at(clock.answered), "silent": at(clock.silent),
            "elapsed_ms": clock.elapsed_ms(), "overdue_ms": told.overdue_ms(&clock),
            "words": clocks::words(&clock, findings, told),
        })
    };
    clocks.map(row).collect()
}

pub(super) fn exhibits_json(findings: &Findings) -> Vec<Value> {
    let exhibit = |shown: &Option<Shown>| {
        let Some(shown) = shown else {
            return Value::Null;
        };
        let carried = &shown.carried;
        let core = &carried.original().core;
        let recipients = carried.recipients().iter();
        json!({
            "envelope": carried.id().to_string(), "message": carried.message_id().to_string(),
            "from": carried.sender(), "author": core.sender,
            "forward": matches!(carried, Carried::Forward(_)),
            "kind": core.kind.word(),
            "recipients": recipients.map(|one| &one.member).collect::<Vec<_>>(),
            "created": rfc3339(carried.times().0), "expires": rfc3339(carried.times().1),
            "reply_by": core.reply_by_ms.map(rfc3339),
            "in_reply_to": core.in_reply_to.map(|id| id.to_string()),
            "logged": shown.logged_ms.map(rfc3339),
            "content_type": shown.content.as_ref().map(|content| &content.content_type),
            "content_sha256": shown.content.as_ref().map(|content| {
                hex::encode(frex_proto::label::sha256(&[&content.data]))
            }),
        })
    };
    findings.exhibits.iter().map(exhibit).collect()
}

pub(super) fn receipts_json(findings: &Findings) -> Vec<Value> {
    let receipt = |proven: &Option<Proven>| {
        let Some(proven) = proven else {
            return Value::Null;
        };
        let (verified, statement) = (&proven.verified, &proven.verified.statement);
        json!({
            "event": crate::metrics::event_name(statement.event), "node": statement.node,
            "index": verified.index, "time": rfc3339(verified.time_ms),
            "envelope": statement.envelope_id.map(|id| id.to_string()),
            "recipients": statement.recipients,
            "code": statement.wire_code().map(|code| code.info().name),
            "outcome": proven.stage.as_ref().map(|word| &word.outcome),
            "finality": finality::describe(&proven.finality),
        })
    };
    findings.receipts.iter().map(receipt).collect()
}

pub(super) fn silences_json(findings: &Findings) -> Vec<Value> {
    let silence = |silence: &Option<Silence>| match silence {
        None => Value::Null,
        Some(silence) => json!({
            "member": silence.member, "envelope": silence.envelope.to_string(),
            "silent": silence.silent, "log": silence.head.origin, "size": silence.head.size,
            "time": rfc3339(silence.time_ms), "finality": finality::describe(&silence.finality),
        }),
    };
    findings.silences.iter().map(silence).collect()
}

/// Who cosigned a head, in words; nothing where the roster names no witnesses.
pub(super) fn cosigned(finality: &Finality) -> String {
    match finality {
        Finality::Unwitnessed => String::new(),
        Finality::Provisional(list, quorum) => {
            format!("provisional, cosigned by {} of {quorum}", list.len())
        }
        Finality::Final(list) => format!(
            "final, cosigned by {}",
            finality::witnesses(list).join(", ")
        ),
    }
}

/// Everybody who is named in the file, with name and country by the roster.
pub(super) fn parties<'a>(
    findings: &'a Findings,
    roster: &'a Roster,
) -> Vec<&'a frex_proto::roster::Member> {
    let mut ids = std::collections::BTreeSet::new();
    for shown in findings.exhibits.iter().flatten() {
        ids.insert(shown.carried.sender().to_owned());
        ids.insert(shown.carried.original().core.sender.clone());
        ids.extend(
            shown
                .carried
                .recipients()
                .iter()
                .map(|one| one.member.clone()),
        );
    }
    for proven in findings.receipts.iter().flatten() {
        ids.insert(proven.verified.statement.sender.clone());
        ids.extend(proven.verified.statement.recipients.iter().cloned());
    }
    ids.iter().filter_map(|id| roster.member(id)).collect()
}

#[cfg(test)]
mod tests {
    use frex_proto::id::MessageId;

    use super::*;

    // EVD-8: one member is asked more than once, so that a verdict says by which request.
    #[test]
    fn a_verdict_names_its_request() {
        let clock = Clock {
            message: MessageId([7; 16]),
            asker: "police.example-a".to_owned(),
            member: "platform.example-b".to_owned(),
            received: None,
            due_ms: None,
            further: 0,
            answered: None,
            silent: None,
        };
        assert_eq!(
            verdict(&clock, Told::File),
            "police.example-a asked platform.example-b by 07070707: not received"
        );
    }
}
