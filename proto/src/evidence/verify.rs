//! Every check of a file of evidence, by name. Spec: EVD-5.

mod exhibits;
mod receipts;
mod silences;

use super::{Check, EvidenceError, Findings, Outcome, parse::shape};
use crate::{envelope::Carried, id::EnvelopeId, receipt::CheckpointCache, roster::Roster, v1};

/// Verifies what a file shows under a roster: the one of the file, or one of the verifier's own.
#[must_use]
pub fn verify(bundle: &v1::EvidenceBundle, roster: &Roster) -> Findings {
    let shapes: Vec<_> = bundle.exhibits.iter().map(shape).collect();
    // Receipts under one head cost one check of its signature.
    let mut cache = CheckpointCache::new();
    let mut receipts: Vec<_> = (0..)
        .zip(&bundle.receipts)
        .map(|(place, receipt)| receipts::judge(place, receipt, roster, &mut cache))
        .collect();
    let mut findings = Findings::default();
    let mut seen = Vec::new();
    for (place, exhibit) in bundle.exhibits.iter().enumerate() {
        let logged_ms = shapes[place].as_ref().ok().and_then(|carried| {
            let proven = receipts.iter().filter_map(|(_, proven)| proven.as_ref());
            let about = proven.filter(|one| is_about(one, carried.id()));
            about.map(|one| one.verified.time_ms).min()
        });
        let shape = shapes[place].clone();
        let (checks, shown) = exhibits::judge(place, exhibit, shape, (logged_ms, &seen), roster);
        seen.extend(shapes[place].as_ref().map(Carried::id));
        findings.checks.extend(checks);
        findings.exhibits.push(shown);
    }
    let shown: Vec<&Carried> = shapes.iter().flatten().collect();
    let first = receipts.iter().find_map(|(_, proven)| proven.clone());
    for (place, (checks, proven)) in receipts.iter_mut().enumerate() {
        let relation = receipts::relation(proven.as_ref(), &shown, first.as_ref());
        let name = format!("receipt {}: is about what this file shows", place + 1);
        if matches!(relation, Outcome::Fails(_)) {
            *proven = None;
        }
        checks.push(check(name, relation));
    }
    for (checks, proven) in receipts {
        findings.checks.extend(checks);
        findings.receipts.push(proven);
    }
    for (place, signed) in bundle.silences.iter().enumerate() {
        let (checks, silence) = silences::judge(place, signed, &findings, roster);
        findings.checks.extend(checks);
        findings.silences.push(silence);
    }
    findings
}

fn is_about(proven: &super::Proven, envelope: EnvelopeId) -> bool {
    proven.verified.statement.envelope_id == Some(envelope)
}

fn check(name: String, outcome: Outcome) -> Check {
    Check { name, outcome }
}

fn outcome(result: Result<(), EvidenceError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Holds,
        Err(error) => Outcome::Fails(error),
    }
}
