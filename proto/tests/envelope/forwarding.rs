//! Forwards: opened by whom they are for, and refused when tampered with.

use bytes::Bytes;
use frex_proto::{
    envelope::{
        EnvelopeError, ForwardDraft, OpenCause, SealError, SignedEnvelope, check_body, forward,
        open, open_forward, parse, parse_forward, seal, sign_one, verify_forward,
    },
    id::MessageId,
    label,
    sign::{self, BatchCache, SignError},
    v1,
};
use prost::Message;

use crate::support::*;

fn forward_draft(to: usize) -> ForwardDraft {
    ForwardDraft {
        federation: "federation.example".to_owned(),
        sender: member(0),
        recipients: vec![
            (member(to), sealing(to).public()),
            (member(30), sealing(30).public()),
        ],
        message_id: MessageId([8; 16]),
        created_ms: NOW + 1,
        expires_ms: NOW + DAY,
    }
}

fn forwarded() -> SignedEnvelope {
    let envelope = envelope_for_two();
    let original = judge(&envelope, &author_keys()).unwrap();
    let opened = open(&original, &envelope.body, &member(0), &[&sealing(0)]).unwrap();
    let key = &opened.content_key;
    let draft = forward_draft(20);
    forward(
        &original,
        envelope.body,
        key,
        &draft,
        &mut rng(3),
        &signer(2),
    )
    .unwrap()
}

// ENV-23, ENV-24, ENV-25, ENV-32
#[test]
fn forward_opens_for_its_recipients_and_keeps_the_author_provable() {
    let envelope = forwarded().to_wire(None);
    let parsed = parse_forward(&envelope).unwrap();
    let forwarder = [signer(2).verifying_key()];
    verify_forward(&parsed, &forwarder, &author_keys(), &mut BatchCache::new()).unwrap();
    check_body(&parsed.original, &envelope.body).unwrap();
    for index in [20, 30] {
        let opened = open_forward(&parsed, &envelope.body, &member(index), &[&sealing(index)]);
        assert_eq!(opened.unwrap().data, "the content");
        assert!(parsed.original.core.recipient(&member(index)).is_none());
    }
    assert_eq!(parsed.original.core.sender, "sender.example");
    let stranger = open_forward(&parsed, &envelope.body, &member(1), &[&sealing(1)]);
    assert_eq!(stranger.unwrap_err().cause(), OpenCause::NotARecipient);
    assert_eq!(parse(&envelope).err(), Some(EnvelopeError::PayloadType));
    assert_eq!(
        parse_forward(&envelope_for_two()).err(),
        Some(EnvelopeError::PayloadType)
    );
}

// ENV-24, ENV-25: each tampering with a forward by its name.
#[test]
fn forwards_that_were_tampered_with_are_refused_by_name() {
    let good = forwarded();
    let resigned = |change: &dyn Fn(&mut v1::ForwardManifest)| {
        let signed = v1::Signed::decode(good.signed.clone()).unwrap();
        let mut manifest = v1::ForwardManifest::decode(signed.payload).unwrap();
        change(&mut manifest);
        let payload = manifest.encode_to_vec().into();
        let signed = sign::sign(label::TYPE_FORWARD, payload, &[&signer(9)]).unwrap();
        let mut envelope = good.to_wire(None);
        envelope.forward = signed.encode_to_vec().into();
        envelope
    };
    let other = sign_one(seal(&draft(2, "other"), &mut rng(7)).unwrap(), &author())
        .unwrap()
        .signed;
    let opens: [&dyn Fn(&mut v1::ForwardManifest); 4] = [
        &|m| m.sender = member(9),
        &|m| m.message_id = Bytes::from_static(&[9; 16]),
        &|m| m.recipients[1].member = member(9),
        &|m| m.original = other.clone(),
    ];
    for (index, change) in opens.into_iter().enumerate() {
        let envelope = resigned(change);
        let parsed = parse_forward(&envelope).unwrap();
        let thief = [signer(9).verifying_key()];
        verify_forward(&parsed, &thief, &author_keys(), &mut BatchCache::new()).unwrap();
        let name = parsed.recipients[1].member.clone();
        let opened = open_forward(&parsed, &envelope.body, &name, &[&sealing(30)]);
        assert_eq!(opened.unwrap_err().cause(), OpenCause::Wrap, "row {index}");
        let kept = verify_forward(&parsed, &[], &author_keys(), &mut BatchCache::new());
        assert_eq!(kept, Err(EnvelopeError::Signature(SignError::UnknownKey)));
    }
    let nested = good.signed.clone();
    type Change<'a> = &'a dyn Fn(&mut v1::ForwardManifest);
    let shapes: [(Change<'_>, EnvelopeError); 6] = [
        (
            &|m| m.federation = "other".to_owned(),
            EnvelopeError::WrongFederation,
        ),
        (&|m| m.original = nested.clone(), EnvelopeError::PayloadType),
        (&|m| m.original.clear(), EnvelopeError::PayloadType),
        (&|m| m.expires_ms = m.created_ms, EnvelopeError::TimeOrder),
        (&|m| m.recipients.clear(), EnvelopeError::RecipientCount),
        (&|m| drop(m.wrap_sha256.pop()), EnvelopeError::WrapCount),
    ];
    for (index, (change, expected)) in shapes.into_iter().enumerate() {
        assert_eq!(
            parse_forward(&resigned(change)).err(),
            Some(expected),
            "row {index}"
        );
    }
}

// ENV-24: an original whose author's signature is gone is no original.
#[test]
fn forward_of_an_unsigned_original_is_refused() {
    let mut envelope = envelope_for_two();
    let original = parse(&envelope).unwrap();
    let opened = open(&original, &envelope.body, &member(0), &[&sealing(0)]).unwrap();
    with_signed(&mut envelope, |signed| signed.signatures.clear());
    let stripped = parse(&envelope).unwrap();
    let (key, draft) = (&opened.content_key, forward_draft(20));
    let forged = forward(
        &stripped,
        envelope.body,
        key,
        &draft,
        &mut rng(3),
        &signer(2),
    )
    .unwrap();
    let parsed = parse_forward(&forged.to_wire(None)).unwrap();
    let forwarder = [signer(2).verifying_key()];
    let judged = verify_forward(&parsed, &forwarder, &author_keys(), &mut BatchCache::new());
    assert_eq!(judged, Err(EnvelopeError::Signature(SignError::UnknownKey)));
}

// ENV-23
#[test]
fn forward_with_another_key_or_federation_is_not_made() {
    let envelope = envelope_for_two();
    let original = parse(&envelope).unwrap();
    let opened = open(&original, &envelope.body, &member(0), &[&sealing(0)]).unwrap();
    let make = |key: &[u8; 32], draft: &ForwardDraft| {
        forward(
            &original,
            envelope.body.clone(),
            key,
            draft,
            &mut rng(3),
            &signer(2),
        )
        .err()
    };
    assert_eq!(
        make(&[0; 32], &forward_draft(20)),
        Some(SealError::WrongKey)
    );
    let mut elsewhere = forward_draft(20);
    elsewhere.federation = "other".to_owned();
    assert_eq!(
        make(&opened.content_key, &elsewhere),
        Some(SealError::WrongFederation)
    );
}
