//! What happened, in its order, each line by its proof. Spec: EVD-7.

use super::{Findings, Proof, Proven, Row, Shown, Silence};
use crate::{envelope::Carried, v1::Event};

/// The lines that follow from what holds, by their times.
#[must_use]
pub fn rows(findings: &Findings) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, shown) in placed(&findings.exhibits) {
        rows.extend(signed(shown, Proof::Exhibit(place)));
    }
    for (place, proven) in placed(&findings.receipts) {
        rows.extend(stated(proven, findings, Proof::Receipt(place)));
    }
    for (place, silence) in placed(&findings.silences) {
        rows.push(silent(silence, findings, Proof::Silence(place)));
    }
    rows.sort_by_key(|row| (row.at_ms, row.proof));
    rows
}

fn placed<T>(list: &[Option<T>]) -> impl Iterator<Item = (usize, &T)> {
    let list = list.iter().enumerate();
    list.filter_map(|(place, one)| Some((place, one.as_ref()?)))
}

/// What a sender has signed: when it wrote, by when it awaits an answer, until when it is delivered.
fn signed(shown: &Shown, proof: Proof) -> Vec<Row> {
    let carried = &shown.carried;
    let (created_ms, expires_ms) = carried.times();
    let recipients = || {
        let recipients = carried.recipients().iter();
        recipients.map(|one| one.member.clone()).collect()
    };
    let row = |at_ms, what, members, detail: &str| Row {
        at_ms,
        what,
        message: Some(carried.message_id()),
        members,
        node: String::new(),
        detail: detail.to_owned(),
        proof,
    };
    let sender = vec![carried.sender().to_owned()];
    let (what, due_ms) = match carried {
        Carried::Own(parsed) => (parsed.core.kind.word(), parsed.core.reply_by_ms),
        Carried::Forward(_) => ("forward", None),
    };
    let mut rows = vec![row(created_ms, "written", sender, what)];
    rows.extend(due_ms.map(|due_ms| row(due_ms, "due", recipients(), "")));
    rows.push(row(expires_ms, "expires", recipients(), ""));
    rows
}

/// What a node has logged.
fn stated(proven: &Proven, findings: &Findings, proof: Proof) -> Option<Row> {
    let statement = &proven.verified.statement;
    let sender = || vec![statement.sender.clone()];
    let recipients = || statement.recipients.clone();
    let (what, members, detail) = match (statement.event, &proven.stage) {
        (Event::Submitted, _) => ("submitted", sender(), String::new()),
        (Event::Forwarded, _) => ("forwarded", sender(), String::new()),
        (Event::Accepted, _) => ("accepted", recipients(), String::new()),
        (Event::Rejected, _) => ("rejected", recipients(), statement.code.to_string()),
        (Event::Erased, _) => ("erased", recipients(), String::new()),
        (Event::Stage, Some(word)) => (word.stage().word(), recipients(), word.outcome.clone()),
        _ => return None,
    };
    let shown = || {
        let mut shown = findings.exhibits.iter().flatten();
        shown.find(|one| Some(one.carried.id()) == statement.envelope_id)
    };
    let message = statement.message_id;
    Some(Row {
        at_ms: proven.verified.time_ms,
        what,
        message: message.or_else(|| Some(shown()?.carried.message_id())),
        members,
        node: statement.node.clone(),
        detail,
        proof,
    })
}

/// A member's word that nothing had come.
fn silent(silence: &Silence, findings: &Findings, proof: Proof) -> Row {
    let mut shown = findings.exhibits.iter().flatten();
    let asked = shown.find(|one| one.carried.id() == silence.envelope);
    Row {
        at_ms: silence.time_ms,
        what: "silent",
        message: asked.map(|one| one.carried.message_id()),
        members: silence.silent.clone(),
        node: String::new(),
        detail: format!("{}, head {}", silence.member, silence.head.size),
        proof,
    }
}
