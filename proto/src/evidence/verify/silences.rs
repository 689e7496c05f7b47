//! Members' words that no answer had come: by their own signatures, under a head of their node's log,
//! and not contradicted by what the file shows. Spec: EVD-9, EVD-10.

use super::{
    check, outcome,
    receipts::{cosigned, witnessed},
};
use crate::{
    evidence::{
        Check, EvidenceError, Findings, Outcome, Proven, Silence, silence,
        thread::{Thread, accepted_by, own},
    },
    limits,
    log::{Checkpoint, Origin, checkpoint},
    receipt::VerifiedReceipt,
    roster::{Finality, Roster},
    sign,
    v1::{self, Event},
};

/// Judges one by what holds of the rest of the file.
pub(super) fn judge(
    place: usize,
    signed: &[u8],
    findings: &Findings,
    roster: &Roster,
) -> (Vec<Check>, Option<Silence>) {
    let name = |what: &str| format!("silence {}: {what}", place + 1);
    let read = silence::read(signed).and_then(|(signed, said)| {
        match said.federation == roster.federation() {
            true => Ok((signed, said)),
            false => Err(EvidenceError::WrongFederation),
        }
    });
    let well_formed = outcome(read.as_ref().map(drop).map_err(|error| *error));
    let mut checks = vec![check(
        name("is a statement of this federation"),
        well_formed,
    )];
    let Ok((signed, said)) = read else {
        checks.push(check(name("is signed by its member"), Outcome::NotReached));
        return (checks, None);
    };
    let member = said.member.clone();
    let by = signed_by(&signed, &said, roster);
    checks.push(check(name(&format!("is signed by {member}")), outcome(by)));
    let head = head_of(&said, roster);
    let what = format!("head is signed by the log of the node of {member}");
    let signed_head = head.as_ref().map(drop).map_err(|error| *error);
    checks.push(check(name(&what), outcome(signed_head)));
    let node = roster
        .home_node(&member)
        .map_or("", |node| node.id.as_str());
    let finality = match &head {
        Ok(_) => cosigned(node, &said.checkpoint, roster),
        Err(_) => Ok(Finality::Unwitnessed),
    };
    if let Some((what, outcome)) = witnessed(&finality) {
        checks.push(check(name(&what), outcome));
    }
    let silence = match (head, finality) {
        (Ok(head), Ok(finality)) => Some(of(said, head, finality)),
        _ => None,
    };
    let about = about_shown(silence.as_ref(), findings);
    checks.push(check(name("is about what this file shows"), about));
    let spoken = spoken(silence.as_ref(), findings, roster);
    checks.push(check(name("no answer in this file contradicts it"), spoken));
    let holds = by.is_ok() && about == Outcome::Holds && spoken == Outcome::Holds;
    (checks, silence.filter(|_| holds))
}

fn of(said: silence::Said, head: Checkpoint, finality: Finality) -> Silence {
    Silence {
        member: said.member,
        envelope: said.envelope,
        silent: said.silent,
        head,
        finality,
        time_ms: said.time_ms,
    }
}

fn signed_by(
    signed: &v1::Signed,
    said: &silence::Said,
    roster: &Roster,
) -> Result<(), EvidenceError> {
    let member = roster.member(&said.member);
    let keys = member
        .ok_or(EvidenceError::UnknownSender)?
        .identity_keys_at(said.time_ms);
    let verified = sign::verify(signed, crate::label::TYPE_SILENCE, &keys, 1);
    verified.map(drop).map_err(EvidenceError::SilenceSignature)
}

/// The head, of a log that the member's node has or had, signed by a key that had not ended when the
/// member spoke. That it was the newest then nobody can tell.
fn head_of(said: &silence::Said, roster: &Roster) -> Result<Checkpoint, EvidenceError> {
    let log = roster
        .home_node(&said.member)
        .and_then(|node| roster.log_verifier_for(&node.id, &said.checkpoint))
        .ok_or(EvidenceError::UnknownLog)?;
    let at_ms = said.time_ms.saturating_sub(limits::CLOCK_SKEW_MS_MAX);
    checkpoint::parse_and_verify(&said.checkpoint, &log, at_ms).map_err(EvidenceError::SilenceHead)
}

/// It is about a message that the member itself has written to those whom it names: to a forward nobody
/// answers, but to its original.
fn about_shown(silence: Option<&Silence>, findings: &Findings) -> Outcome {
    let Some(silence) = silence else {
        return Outcome::NotReached;
    };
    let asked = own(findings).find(|(id, _)| *id == silence.envelope);
    let fits = asked.is_some_and(|(_, asked)| {
        let is_recipient = |member: &String| asked.recipient(member).is_some();
        asked.sender == silence.member && silence.silent.iter().all(is_recipient)
    });
    match fits {
        true => Outcome::Holds,
        false => Outcome::Fails(EvidenceError::Unrelated),
    }
}

/// Whether an answer by one of those who are said to be silent had come by that head.
fn spoken(silence: Option<&Silence>, findings: &Findings, roster: &Roster) -> Outcome {
    let Some(silence) = silence else {
        return Outcome::NotReached;
    };
    let Some(thread) = Thread::of_envelope(silence.envelope, findings) else {
        return Outcome::NotReached;
    };
    let before = |proven: &Proven| {
        let verified = &proven.verified;
        verified.statement.event == Event::Accepted && had_come(verified, &silence.head, roster)
    };
    let contradicts = |member: &String| {
        let answers = thread.answers_of(member, findings);
        let mut ids = answers.map(|shown| shown.carried.id());
        ids.any(|id| {
            let mut receipts = accepted_by(id, &silence.member, findings);
            receipts.any(|(_, proven)| before(proven))
        })
    };
    match silence.silent.iter().any(contradicts) {
        true => Outcome::Fails(EvidenceError::Contradicted),
        false => Outcome::Holds,
    }
}

/// Whether an entry stands in the log of a head before it, or is kept of a log that the same node had
/// before that one.
fn had_come(entry: &VerifiedReceipt, head: &Checkpoint, roster: &Roster) -> bool {
    let of_entry = Origin::parse(&entry.checkpoint.origin);
    let (Ok(of_entry), Ok(of_head)) = (of_entry, Origin::parse(&head.origin)) else {
        return false;
    };
    if of_entry == of_head {
        return entry.index < head.size;
    }
    let same_node = (of_entry.federation, of_entry.node) == (of_head.federation, of_head.node);
    let listed = roster.node(of_entry.node).filter(|_| same_node);
    let ended = listed.and_then(|node| node.ended_log(of_entry.epoch));
    ended.is_some_and(|ended| of_entry.epoch < of_head.epoch && entry.index < ended.kept)
}
