//! Every rule of shape and time refuses by its own name.

use bytes::Bytes;
use frex_proto::{
    envelope::{Draft, EnvelopeError, SealError, check_time, parse, seal},
    label, limits, sign, v1,
};
use proptest::prelude::*;
use prost::Message;

use crate::support::*;

// ENV-4..ENV-9: every rule of the header's shape refuses by its own name, whoever signed.
#[test]
fn headers_that_break_a_rule_are_refused_by_name() {
    use EnvelopeError as E;
    type Change = fn(&mut v1::Core);
    let changes: [(Change, EnvelopeError); 21] = [
        (|c| c.suite = 2, E::Suite),
        (|c| c.critical.push(1), E::Critical),
        (|c| c.federation.clear(), E::Name),
        (|c| c.sender = "Sender".to_owned(), E::Name),
        (|c| c.recipients[0].member = "a".repeat(65), E::Name),
        (|c| c.recipients.clear(), E::RecipientCount),
        (
            |c| c.recipients = vec![c.recipients[0].clone(); 65],
            E::RecipientCount,
        ),
        (
            |c| c.recipients[1] = c.recipients[0].clone(),
            E::RecipientTwice,
        ),
        (
            |c| c.recipients[0].sealing_key_id = Bytes::new(),
            E::Malformed,
        ),
        (
            |c| c.message_id = Bytes::from_static(&[0; 15]),
            E::Malformed,
        ),
        (
            |c| c.conversation_id = Bytes::from_static(&[0; 15]),
            E::Malformed,
        ),
        (|c| c.conversation_id = Bytes::new(), E::Malformed),
        (
            |c| c.in_reply_to = Bytes::from_static(&[0; 31]),
            E::Malformed,
        ),
        (|c| c.content_commitment = Bytes::new(), E::Malformed),
        (|c| c.kind = 0, E::KindOrLane),
        (|c| c.kind = 99, E::KindOrLane),
        (|c| c.lane = 0, E::KindOrLane),
        (|c| c.lane = -1, E::KindOrLane),
        (|c| c.expires_ms = c.created_ms, E::TimeOrder),
        (|c| c.reply_by_ms = c.created_ms, E::TimeOrder),
        (|c| c.size_class += 1, E::SizeClass),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let envelope = resign(sealed_for_two(), &author(), |_, core, _| change(core));
        assert_eq!(parse(&envelope).err(), Some(expected), "row {index}");
    }
}

// ENV-5..ENV-9, LIM-5, LIM-7: every rule of the manifest and its wraps.
#[test]
fn manifests_that_break_a_rule_are_refused_by_name() {
    use EnvelopeError as E;
    type Change = fn(&mut v1::Manifest);
    let changes: [(Change, EnvelopeError); 7] = [
        (|m| m.core = Bytes::from_static(&[0xff]), E::Malformed),
        (|m| drop(m.wrap_sha256.pop()), E::WrapCount),
        (
            |m| m.wrap_sha256.push(m.wrap_sha256[0].clone()),
            E::WrapCount,
        ),
        (
            |m| m.wrap_sha256[0] = Bytes::from_static(&[0; 31]),
            E::Malformed,
        ),
        (|m| m.body_sha256 = Bytes::new(), E::Malformed),
        (|m| m.body_len = 111, E::SizeClass),
        (
            |m| m.body_len = limits::BODY_BYTES_MAX as u64 + 1,
            E::TooLarge,
        ),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let envelope = resign(sealed_for_two(), &author(), |manifest, _, _| {
            change(manifest);
        });
        assert_eq!(parse(&envelope).err(), Some(expected), "row {index}");
    }
    type Wire = fn(&mut v1::Envelope);
    let changes: [(Wire, EnvelopeError); 9] = [
        (|e| e.signed.clear(), E::PayloadType),
        (|e| e.signed = e.signed.slice(1..), E::Malformed),
        (
            |e| e.signed = vec![0; limits::SIGNED_BYTES_MAX + 1].into(),
            E::TooLarge,
        ),
        (
            |e| e.body = vec![0; limits::BODY_BYTES_MAX + 1].into(),
            E::TooLarge,
        ),
        (|e| e.wraps[0].recipient = 2, E::WrapShape),
        (|e| e.wraps[0].recipient = 1, E::WrapShape),
        (
            |e| e.wraps[0].wrap = Bytes::from_static(&[0; 1167]),
            E::WrapShape,
        ),
        (|e| e.wraps.push(e.wraps[0].clone()), E::WrapShape),
        (|e| e.wraps[1].wrap.clear(), E::WrapShape),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let mut envelope = envelope_for_two();
        change(&mut envelope);
        assert_eq!(parse(&envelope).err(), Some(expected), "wire row {index}");
    }
}

// ENV-21, LIM-24
#[test]
fn envelopes_out_of_their_time_are_refused_by_name() {
    let mut core = parse(&envelope_for_two()).unwrap().core;
    let skew = limits::CLOCK_SKEW_MS_MAX;
    for (now, expected) in [
        (NOW - skew - 1, Err(EnvelopeError::FutureDated)),
        (NOW - skew, Ok(())),
        (NOW + DAY - 1, Ok(())),
        (NOW + DAY, Err(EnvelopeError::Expired)),
        (u64::MAX, Err(EnvelopeError::Expired)),
    ] {
        assert_eq!(check_time(&core, now), expected);
    }
    core.expires_ms = NOW + limits::LIFE_MS_MAX + 1;
    assert_eq!(check_time(&core, NOW), Err(EnvelopeError::LifeTooLong));
}

// ENV-4..ENV-6, LIM-1, LIM-14, LIM-25, LIM-41: what would be refused is not sealed.
#[test]
fn drafts_that_break_a_rule_are_refused_by_name() {
    use SealError as E;
    type Change = fn(&mut Draft);
    let changes: [(Change, SealError); 12] = [
        (|d| d.federation = "x y".to_owned(), E::Name),
        (|d| d.sender.clear(), E::Name),
        (|d| d.recipients[0].0 = "Ä".to_owned(), E::Name),
        (|d| d.recipients.clear(), E::RecipientCount),
        (
            |d| d.recipients = draft(65, "").recipients,
            E::RecipientCount,
        ),
        (
            |d| d.recipients[1] = d.recipients[0].clone(),
            E::RecipientTwice,
        ),
        (|d| d.kind = v1::Kind::Unspecified, E::KindOrLane),
        (|d| d.lane = v1::Lane::Unspecified, E::KindOrLane),
        (|d| d.content_type = "text/\n".to_owned(), E::ContentType),
        (|d| d.content_type = "a".repeat(129), E::ContentType),
        (|d| d.expires_ms = d.created_ms, E::TimeOrder),
        (
            |d| d.expires_ms = d.created_ms + limits::LIFE_MS_MAX + 1,
            E::LifeTooLong,
        ),
    ];
    for (index, (change, expected)) in changes.into_iter().enumerate() {
        let mut draft = draft(2, "the content");
        change(&mut draft);
        assert_eq!(
            seal(&draft, &mut rng(1)).err(),
            Some(expected),
            "row {index}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // ENV-4: arbitrary bytes are refused, never a panic.
    #[test]
    fn arbitrary_bytes_are_refused(signed in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut envelope = envelope_for_two();
        let payload = Bytes::from(signed.clone());
        envelope.signed = signed.into();
        prop_assert!(parse(&envelope).is_err());
        let signed = sign::sign(label::TYPE_MANIFEST, payload, &[&author()]).unwrap();
        envelope.signed = signed.encode_to_vec().into();
        prop_assert!(parse(&envelope).is_err());
    }
}
