//! Whoever changes an envelope is refused, each change by its one error.

use bytes::Bytes;
use frex_proto::{
    envelope::{
        EnvelopeError, OpenCause, SharedContexts, open, seal, seal_shared, sign_many, sign_one,
    },
    id::EnvelopeId,
    keys::SealingSecretKey,
    label,
    sign::{self, SignError},
    v1,
};
use proptest::prelude::*;
use prost::Message;

use crate::support::*;

// ENV-18: the shared form binds to header, position and member as the single one does.
#[test]
fn shared_wraps_do_not_open_elsewhere() {
    let mut contexts = SharedContexts::new();
    let mut rng = rng(2);
    let mut make =
        |text: &'static str| seal_shared(&draft(2, text), &mut contexts, &mut rng).unwrap();
    let (first, second) = (make("first"), make("second"));
    let moved = resign(first.clone(), &author(), |manifest, _, wraps| {
        wraps[0] = second.wraps[0].clone();
        manifest.wrap_sha256[0] = wrap_hash(&wraps[0]);
    });
    let swapped = resign(first.clone(), &author(), |manifest, _, wraps| {
        wraps.swap(0, 1);
        manifest.wrap_sha256.swap(0, 1);
    });
    let unknown_form = resign(first.clone(), &author(), |manifest, _, wraps| {
        let mut wrap = wraps[0].to_vec();
        wrap[0] = 3;
        wraps[0] = wrap.into();
        manifest.wrap_sha256[0] = wrap_hash(&wraps[0]);
    });
    let reattributed = resign(first, &signer(9), |_, core, _| core.sender = member(9));
    for envelope in [moved, swapped, unknown_form] {
        let parsed = judge(&envelope, &author_keys()).unwrap();
        assert_eq!(cause(&envelope, &parsed, 0), Some(OpenCause::Wrap));
    }
    let parsed = judge(&reattributed, &[signer(9).verifying_key()]).unwrap();
    assert_eq!(cause(&reattributed, &parsed, 0), Some(OpenCause::Wrap));
}

// ENV-19, ENV-20, ENV-28: who holds no key of the sender changes nothing unnoticed.
#[test]
fn changes_on_the_way_are_refused_by_name() {
    let forged = EnvelopeError::Signature(SignError::BadSignature);
    let stranger = EnvelopeError::Signature(SignError::UnknownKey);
    type Change = fn(&mut v1::Envelope);
    let changes: [(&str, Change, EnvelopeError); 9] = [
        (
            "header",
            |e| resigned_with_old_signature(e, |c| c.lane = 3),
            forged,
        ),
        (
            "sender",
            |e| resigned_with_old_signature(e, |c| c.sender = member(9)),
            forged,
        ),
        (
            "recipient",
            |e| resigned_with_old_signature(e, |c| c.recipients[0].member = member(9)),
            forged,
        ),
        (
            "key id",
            |e| with_signed(e, |s| s.signatures[0].key_id = Bytes::new()),
            stranger,
        ),
        (
            "signatures",
            |e| with_signed(e, |s| s.signatures.clear()),
            stranger,
        ),
        ("wraps", swap_wraps, EnvelopeError::WrapMismatch),
        (
            "body cut",
            |e| e.body.truncate(e.body.len() - 1),
            EnvelopeError::BodyLength,
        ),
        ("body gone", |e| e.body.clear(), EnvelopeError::BodyLength),
        (
            "body",
            |e| e.body = flip(&e.body, 60),
            EnvelopeError::BodyMismatch,
        ),
    ];
    for (name, change, expected) in changes {
        let mut envelope = envelope_for_two();
        change(&mut envelope);
        assert_eq!(
            judge(&envelope, &author_keys()).err(),
            Some(expected),
            "{name}"
        );
    }
    let other = judge(&envelope_for_two(), &[signer(2).verifying_key()]);
    assert_eq!(
        other.err(),
        Some(stranger),
        "a member's valid signature for another member"
    );
}

fn swap_wraps(envelope: &mut v1::Envelope) {
    let first = envelope.wraps[0].wrap.clone();
    envelope.wraps[0].wrap = std::mem::replace(&mut envelope.wraps[1].wrap, first);
}

fn resigned_with_old_signature(envelope: &mut v1::Envelope, change: fn(&mut v1::Core)) {
    with_signed(envelope, |signed| {
        let mut manifest = v1::Manifest::decode(signed.payload.clone()).unwrap();
        let mut core = v1::Core::decode(manifest.core.clone()).unwrap();
        change(&mut core);
        manifest.core = core.encode_to_vec().into();
        signed.payload = manifest.encode_to_vec().into();
    });
}

fn flip(bytes: &[u8], at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

// ENV-12, ENV-17: who signs someone else's sealed parts as their own gets nothing that opens.
#[test]
fn parts_under_another_header_do_not_open() {
    type Change = fn(&mut v1::Manifest, &mut v1::Core, &mut Vec<Bytes>);
    let changes: [(&str, Change, OpenCause); 6] = [
        (
            "re-attributed",
            |_, c, _| c.sender = member(9),
            OpenCause::Wrap,
        ),
        ("re-dated", |_, c, _| c.expires_ms += 1, OpenCause::Wrap),
        (
            "re-committed",
            |_, c, _| c.content_commitment = vec![0; 32].into(),
            OpenCause::Wrap,
        ),
        (
            "re-addressed",
            |_, c, _| {
                c.recipients[1].member = member(0);
                c.recipients[0].member = member(1);
            },
            OpenCause::NoKey,
        ),
        (
            "re-addressed with the key",
            |_, c, _| c.recipients.swap(0, 1),
            OpenCause::Wrap,
        ),
        (
            "another's wrap",
            |m, _, w| {
                w.swap(0, 1);
                m.wrap_sha256.swap(0, 1);
            },
            OpenCause::Wrap,
        ),
    ];
    let thief = signer(9);
    for (name, change, expected) in changes {
        let envelope = resign(sealed_for_two(), &thief, change);
        let parsed = judge(&envelope, &[thief.verifying_key()]).unwrap();
        assert_eq!(cause(&envelope, &parsed, 0), Some(expected), "{name}");
    }
}

// ENV-15, ENV-16, ENV-31: a sender cannot sign a body that is not the header's; the refusal holds no content
#[test]
fn signed_bodies_that_are_not_the_headers_do_not_open() {
    let other = seal(&draft(2, "tHe content"), &mut rng(9)).unwrap();
    let good = sealed_for_two().body;
    let bodies = [
        (other.body, OpenCause::Commitment),
        (flip(&good, 0), OpenCause::Commitment),
        (flip(&good, 30), OpenCause::Commitment),
        (flip(&good, 56), OpenCause::Chunk),
        (flip(&good, good.len() - 1), OpenCause::Chunk),
        (good.slice(..good.len() - 1), OpenCause::Chunk),
    ];
    for (body, expected) in bodies {
        let mut sealed = sealed_for_two();
        sealed.body = body.clone();
        let envelope = resign(sealed, &author(), |manifest, _, _| {
            manifest.body_len = body.len() as u64;
            manifest.body_sha256 = Bytes::copy_from_slice(&label::sha256(&[&body]));
        });
        let parsed = judge(&envelope, &author_keys()).unwrap();
        assert_eq!(cause(&envelope, &parsed, 0), Some(expected));
    }
}

// ENV-22: whose envelope it is not, and with which key it is not.
#[test]
fn strangers_and_old_keys_do_not_open() {
    let envelope = envelope_for_two();
    let parsed = judge(&envelope, &author_keys()).unwrap();
    let open = |member: &str, key: &SealingSecretKey| {
        open(&parsed, &envelope.body, member, &[key])
            .err()
            .map(frex_proto::envelope::OpenError::cause)
    };
    assert_eq!(
        open(&member(9), &sealing(9)),
        Some(OpenCause::NotARecipient)
    );
    assert_eq!(open(&member(0), &sealing(9)), Some(OpenCause::NoKey));
    assert_eq!(open(&member(0), &sealing(1)), Some(OpenCause::NoKey));
    assert_eq!(open(&member(0), &sealing(0)), None);
    assert_eq!(
        cause(&v1::Envelope::default(), &parsed, 0),
        Some(OpenCause::BodyLength)
    );
}

// SIG-1, SIG-10: a manifest signed as something else is no envelope.
#[test]
fn manifest_signed_as_another_type_is_refused() {
    let mut envelope = envelope_for_two();
    let manifest = sealed_for_two().manifest;
    let signed = sign::sign(label::TYPE_STAGE, manifest, &[&author()]).unwrap();
    envelope.signed = signed.encode_to_vec().into();
    assert_eq!(
        judge(&envelope, &author_keys()).err(),
        Some(EnvelopeError::PayloadType)
    );
    with_signed(&mut envelope, |signed| {
        signed.payload_type = label::TYPE_MANIFEST.to_owned();
    });
    let refused = judge(&envelope, &author_keys()).err();
    assert_eq!(
        refused,
        Some(EnvelopeError::Signature(SignError::BadSignature))
    );
}

// ENV-19, WIR-8: unknown fields that the signer wrote stay signed and change nothing else.
#[test]
fn unknown_fields_are_kept_in_what_is_signed_and_hashed() {
    let mut sealed = sealed_for_two();
    let mut manifest = sealed.manifest.to_vec();
    manifest.extend_from_slice(&[0xfa, 0x3f, 1, 42]); // field 1023, one byte
    sealed.manifest = manifest.into();
    let expected = EnvelopeId::of_manifest(&sealed.manifest);
    let envelope = sign_one(sealed, &author()).unwrap().to_wire(None);
    let parsed = judge(&envelope, &author_keys()).unwrap();
    assert_eq!(parsed.id, expected);
    assert_eq!(parsed.signed_bytes, envelope.signed);
    assert_eq!(cause(&envelope, &parsed, 1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // ENV-19..ENV-22: no single flipped bit anywhere survives.
    #[test]
    fn any_flipped_bit_is_refused(part in 0_usize..4, at: prop::sample::Index, bit in 0_u8..8, batch: bool) {
        let sealed = sealed_for_two();
        let signed = if batch {
            sign_many(vec![sealed; 3], &author()).unwrap().remove(1)
        } else {
            sign_one(sealed, &author()).unwrap()
        };
        let mut envelope = signed.to_wire(None);
        let target = match part {
            0 => &mut envelope.signed,
            1 => &mut envelope.wraps[0].wrap,
            2 => &mut envelope.wraps[1].wrap,
            _ => &mut envelope.body,
        };
        let mut bytes = target.to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        *target = bytes.into();
        prop_assert!(judge(&envelope, &author_keys()).is_err());
    }
}
