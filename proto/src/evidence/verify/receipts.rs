//! What nodes and members state: by their own signatures, about what the file shows.

use super::{check, outcome};
use crate::{
    envelope::Carried,
    evidence::{Check, EvidenceError, Outcome, Proven},
    log::{Checkpoint, Cosignature, LogVerifier},
    receipt::{self, CheckpointCache, VerifiedReceipt},
    roster::{Finality, Roster},
    v1::{self, Event},
};

/// Judges a receipt by itself.
pub(super) fn judge(
    place: usize,
    wire: &v1::Receipt,
    roster: &Roster,
    cache: &mut CheckpointCache,
) -> (Vec<Check>, Option<Proven>) {
    let name = |what: &str| format!("receipt {}: {what}", place + 1);
    let Some(log) = log_of(wire, roster) else {
        let unknown = Outcome::Fails(EvidenceError::UnknownLog);
        let checks = vec![check(name("log is one of the roster"), unknown)];
        return (checks, None);
    };
    let mut checks: Vec<Check> = receipt::checks_cached(wire, &log, None, cache)
        .into_iter()
        .map(|one| {
            let what = one.name.strip_prefix("receipt ").unwrap_or(&one.name);
            check(name(what), of_receipt(one.outcome))
        })
        .collect();
    let Ok(verified) = receipt::verify_cached(wire, &log, None, cache) else {
        let rest = name("node speaks of members that it serves");
        checks.push(check(rest, Outcome::NotReached));
        return (checks, None);
    };
    let may = receipt::may_state(&verified.statement, roster);
    let may = may.then_some(()).ok_or(EvidenceError::NotItsMember);
    let what = name("node speaks of members that it serves");
    checks.push(check(what, outcome(may)));
    let stage = stage(&verified, roster);
    if let Some(stage) = &stage {
        let who = verified.statement.recipients.join(", ");
        let what = name(&format!("stage is signed by {who}"));
        checks.push(check(what, outcome(stage.clone().map(drop))));
    }
    let finality = cosigned(&verified.statement.node, &wire.checkpoint, roster);
    if let Some((what, outcome)) = witnessed(&finality) {
        checks.push(check(name(&what), outcome));
    }
    let holds = may.is_ok() && stage.as_ref().is_none_or(Result::is_ok);
    let proven = finality.ok().filter(|_| holds).map(|finality| Proven {
        stage: stage.and_then(Result::ok),
        verified,
        finality,
    });
    (checks, proven)
}

/// The log that a receipt names, if the roster lists it as one that a node has or had.
fn log_of(wire: &v1::Receipt, roster: &Roster) -> Option<LogVerifier> {
    let head = Checkpoint::of_note(&wire.checkpoint).ok()?;
    roster.log_verifier_of(&head.origin)
}

fn of_receipt(outcome: receipt::Outcome) -> Outcome {
    match outcome {
        receipt::Outcome::Holds => Outcome::Holds,
        receipt::Outcome::Fails(error) => Outcome::Fails(EvidenceError::Receipt(error)),
        receipt::Outcome::NotReached => Outcome::NotReached,
    }
}

fn stage(
    verified: &VerifiedReceipt,
    roster: &Roster,
) -> Option<Result<v1::StageStatement, EvidenceError>> {
    let staged = verified.statement.event == Event::Stage;
    staged.then(|| receipt::member_word(verified, roster).ok_or(EvidenceError::MemberStatement))
}

pub(super) fn cosigned(
    node: &str,
    checkpoint: &[u8],
    roster: &Roster,
) -> Result<Finality, EvidenceError> {
    roster
        .finality(node, checkpoint)
        .map_err(EvidenceError::Cosignature)
}

/// What is said of cosignatures; nothing where the roster names no witnesses.
pub(super) fn witnessed(finality: &Result<Finality, EvidenceError>) -> Option<(String, Outcome)> {
    let names = |list: &[Cosignature]| {
        let names: Vec<&str> = list.iter().map(Cosignature::node).collect();
        names.join(", ")
    };
    let what = "head is cosigned by witnesses".to_owned();
    match finality {
        Err(error) => Some((what, Outcome::Fails(*error))),
        Ok(Finality::Unwitnessed) => None,
        Ok(Finality::Provisional(list, quorum)) => {
            let count = list.len();
            Some((format!("{what}: {count} of {quorum}"), Outcome::Provisional))
        }
        Ok(Finality::Final(list)) => Some((format!("{what}: {}", names(list)), Outcome::Holds)),
    }
}

/// Whether a receipt is about an exhibit and agrees with what was signed; where no exhibit is shown,
/// whether it is about the message of the `first` receipt.
pub(super) fn relation(
    proven: Option<&Proven>,
    shown: &[&Carried],
    first: Option<&Proven>,
) -> Outcome {
    let Some(proven) = proven else {
        return Outcome::NotReached;
    };
    let statement = &proven.verified.statement;
    let unrelated = Outcome::Fails(EvidenceError::Unrelated);
    if statement.envelope_id.is_none() {
        return unrelated;
    }
    if shown.is_empty() {
        let same = first.is_some_and(|first| {
            let first = &first.verified.statement;
            first.message_id == statement.message_id && first.sender == statement.sender
        });
        return if same { Outcome::Holds } else { unrelated };
    }
    let mut all = shown.iter();
    let own = all.find(|one| Some(one.id()) == statement.envelope_id);
    let Some(own) = own else {
        // Sealed again, or a used id under which other bytes came: of the same message.
        let same = |one: &&Carried| {
            statement.message_id == Some(one.message_id()) && statement.sender == one.sender()
        };
        return match shown.iter().any(same) {
            true => Outcome::Holds,
            false => unrelated,
        };
    };
    let agrees = statement.message_id.is_none_or(|id| id == own.message_id())
        && (statement.sender.is_empty() || statement.sender == own.sender())
        && statement
            .recipients
            .iter()
            .all(|member| own.recipient(member).is_some());
    match agrees {
        true => Outcome::Holds,
        false => Outcome::Fails(EvidenceError::Disagrees),
    }
}
