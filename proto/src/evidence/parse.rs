//! Reading a file and judging its roster. Spec: EVD-1 to EVD-4.

use bytes::Bytes;
use prost::Message;

use super::{
    FIRST_LINE, FileError,
    build::{encode, key},
};
use crate::{
    envelope::{self, Carried, EnvelopeError},
    label, limits,
    roster::{Fault, Part, Roster, RosterError, TrustAnchor},
    v1,
};

/// Reads a file of evidence. Nothing in it is believed yet.
///
/// # Errors
/// [`FileError`] names the first rule that is broken.
pub fn parse(file: &[u8]) -> Result<v1::EvidenceBundle, FileError> {
    if file.len() > limits::EVIDENCE_BYTES_MAX {
        return Err(FileError::TooLarge);
    }
    let body = file.strip_prefix(FIRST_LINE).ok_or(FileError::FirstLine)?;
    let bundle = v1::EvidenceBundle::decode(Bytes::copy_from_slice(body))
        .map_err(|_| FileError::Malformed)?;
    check(&bundle)?;
    // Whatever was added to it, or left in another form, does not come back.
    if encode(&bundle)? != file {
        return Err(FileError::NotCanonical);
    }
    Ok(bundle)
}

/// Counts, order, and that the roster holds nothing but what proves.
pub(super) fn check(bundle: &v1::EvidenceBundle) -> Result<(), FileError> {
    let within = bundle.exhibits.len() <= limits::EXHIBITS_MAX
        && bundle.receipts.len() <= limits::EVIDENCE_RECEIPTS_MAX
        && bundle.silences.len() <= limits::SILENCES_MAX;
    if !within {
        return Err(FileError::TooLarge);
    }
    if bundle.exhibits.is_empty() && bundle.receipts.is_empty() {
        return Err(FileError::Empty);
    }
    let keys: Vec<_> = bundle.receipts.iter().map(key).collect();
    if keys.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(FileError::Order);
    }
    let roster =
        v1::RosterBundle::decode(bundle.roster.clone()).map_err(|_| FileError::Malformed)?;
    let bare = roster.member_docs.is_empty() && roster.freshness.is_empty();
    if !bare || roster.encode_to_vec() != bundle.roster[..] {
        return Err(FileError::NotCanonical);
    }
    Ok(())
}

/// The roster of a file, judged from a pinned root as of its issue: no clock decides what was so.
/// Spec: EVD-4.
///
/// # Errors
/// [`RosterError`] if it was never a sound roster under `anchor`.
pub fn roster_of(bundle: &v1::EvidenceBundle, anchor: &TrustAnchor) -> Result<Roster, RosterError> {
    let malformed = |_| Part::Roster.fault(Fault::Malformed);
    let roster = v1::RosterBundle::decode(bundle.roster.clone()).map_err(malformed)?;
    let signed = v1::Signed::decode(roster.roster).map_err(malformed)?;
    let issued_ms = v1::Roster::decode(signed.payload)
        .map_err(malformed)?
        .issued_ms;
    Roster::judge(&bundle.roster, anchor, issued_ms)
}

/// What was signed, of either form, without wraps and body.
pub(super) fn shape(exhibit: &v1::Exhibit) -> Result<Carried, EnvelopeError> {
    if exhibit.signed.len() > limits::SIGNED_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    let signed =
        v1::Signed::decode(exhibit.signed.clone()).map_err(|_| EnvelopeError::Malformed)?;
    let envelope = match signed.payload_type == label::TYPE_FORWARD {
        true => v1::Envelope {
            forward: exhibit.signed.clone(),
            ..v1::Envelope::default()
        },
        false => v1::Envelope {
            signed: exhibit.signed.clone(),
            ..v1::Envelope::default()
        },
    };
    envelope::parse_carried(&envelope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Parts, build};

    fn receipt(time_ms: u64) -> v1::Receipt {
        let leaf = [&[0; 8][..], &time_ms.to_be_bytes(), &[0; 32]].concat();
        v1::Receipt {
            leaf: leaf.into(),
            ..v1::Receipt::default()
        }
    }

    fn parts(receipts: u64) -> Parts {
        Parts {
            receipts: (0..receipts).rev().map(receipt).collect(),
            ..Parts::default()
        }
    }

    // EVD-2, EVD-3: the same parts in another order, and one of them twice, make the same file.
    #[test]
    fn the_same_parts_make_the_same_file() {
        let file = build(parts(5)).expect("within the limits");
        let mut turned = parts(5);
        turned.receipts.rotate_left(2);
        turned.receipts.push(receipt(3));
        assert_eq!(build(turned), Ok(file.clone()));
        assert_eq!(parse(&file).map(|bundle| bundle.receipts.len()), Ok(5));
        assert_eq!(build(Parts::default()), Err(FileError::Empty));
    }

    // EVD-3: of one entry with two heads the one that more have cosigned stays, whichever comes first.
    #[test]
    fn the_order_in_which_receipts_come_changes_nothing() {
        let under = |head: &'static str| v1::Receipt {
            checkpoint: Bytes::from_static(head.as_bytes()),
            ..receipt(3)
        };
        let heads = ["provisional", "final, cosigned", "final, cosignez"];
        let built = |order: [usize; 3]| {
            let parts = Parts {
                receipts: order.map(|place| under(heads[place])).to_vec(),
                ..Parts::default()
            };
            build(parts).expect("within the limits")
        };
        let file = built([0, 1, 2]);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(built(order), file, "{order:?}");
        }
        let kept = parse(&file).expect("own output").receipts;
        assert_eq!(kept, [under(heads[1])]);
    }

    // EVD-5
    #[test]
    fn what_was_not_reached_does_not_hold() {
        use crate::evidence::{Check, EvidenceError, Findings, Outcome};
        let findings = |outcomes: &[Outcome]| {
            let checks = outcomes.iter().map(|outcome| Check {
                name: String::new(),
                outcome: *outcome,
            });
            Findings {
                checks: checks.collect(),
                ..Findings::default()
            }
        };
        let (holds, unreached) = (Outcome::Holds, Outcome::NotReached);
        let fails = Outcome::Fails(EvidenceError::Unrelated);
        let failure = |outcomes: &[Outcome]| findings(outcomes).failure();
        assert_eq!(failure(&[holds, Outcome::Provisional]), None);
        assert_eq!(
            failure(&[holds, unreached]),
            Some(EvidenceError::NotReached)
        );
        assert_eq!(failure(&[unreached, fails]), Some(EvidenceError::Unrelated));
    }

    // LIM-90, LIM-92
    #[test]
    fn a_file_over_a_limit_is_refused() {
        let most = limits::EVIDENCE_RECEIPTS_MAX as u64;
        assert!(build(parts(most)).is_ok());
        assert_eq!(build(parts(most + 1)), Err(FileError::TooLarge));
        let mut file = FIRST_LINE.to_vec();
        file.resize(limits::EVIDENCE_BYTES_MAX + 1, 0);
        assert_eq!(parse(&file).err(), Some(FileError::TooLarge));
    }

    // ERR-1
    #[test]
    fn a_refused_file_has_a_wire_code() {
        use crate::error::WireCode;
        assert_eq!(WireCode::from(FileError::Order), WireCode::BadEvidence);
    }
}
