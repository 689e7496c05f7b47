//! Verification spelled out, check by check, for people. Spec: RCP-9.

use super::{Check, CheckpointCache, Outcome, Receipt, ReceiptError};
use crate::{
    id::EnvelopeId,
    log::{ANY_TIME_MS, Leaf, LogVerifier, Origin},
    v1,
};

/// Every check of [`verify`](super::verify()), named, in its order, each with its own verdict. A
/// receipt verifies if and only if all of them hold.
#[must_use]
pub fn checks(
    receipt: &v1::Receipt,
    log: &LogVerifier,
    expected_envelope: Option<EnvelopeId>,
) -> Vec<Check> {
    checks_cached(receipt, log, expected_envelope, &mut CheckpointCache::new())
}

/// As [`checks`], with the checkpoints verified before.
#[must_use]
pub fn checks_cached(
    receipt: &v1::Receipt,
    log: &LogVerifier,
    expected_envelope: Option<EnvelopeId>,
    cache: &mut CheckpointCache,
) -> Vec<Check> {
    let node = Origin::parse(&log.origin).map_or(log.origin.as_str(), |origin| origin.node);
    let parsed = Receipt::parse(receipt);
    let time_ms = Leaf::parse(&receipt.leaf).map_or(ANY_TIME_MS, |leaf| leaf.time_ms());
    let signed = cache.verify(&receipt.checkpoint, log, time_ms);
    let entry = format!("entry #{}", receipt.index);
    let place = match &signed {
        Ok(head) => format!("{entry} is in the log of size {}", head.size),
        Err(_) => format!("{entry} is in the log"),
    };
    let included = match (&parsed, &signed) {
        (Ok(receipt), Ok(head)) => outcome(receipt.check_inclusion(&receipt.leaf.hash(), head)),
        _ => Outcome::NotReached,
    };
    let with_parsed = |check: &dyn Fn(&Receipt) -> Result<(), ReceiptError>| {
        parsed
            .as_ref()
            .map_or(Outcome::NotReached, |receipt| outcome(check(receipt)))
    };
    let mut list = vec![
        (
            "receipt is well-formed".to_owned(),
            outcome(parsed.as_ref().map(drop).map_err(|e| *e)),
        ),
        (
            format!("receipt signed by the log of {node}"),
            outcome(signed.as_ref().map(drop).map_err(|error| (*error).into())),
        ),
        (
            format!("statement is made by {node}"),
            with_parsed(&|receipt| receipt.check_node(log)),
        ),
        (
            "statement matches the leaf".to_owned(),
            with_parsed(&Receipt::check_leaf),
        ),
        (place, included),
    ];
    if let Some(envelope) = expected_envelope {
        let covers = with_parsed(&|receipt| receipt.check_envelope(envelope));
        list.push(("covers the envelope you name".to_owned(), covers));
    }
    list.into_iter()
        .map(|(name, outcome)| Check { name, outcome })
        .collect()
}

fn outcome(result: Result<(), ReceiptError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Holds,
        Err(error) => Outcome::Fails(error),
    }
}
