//! Forwards are judged by who passes them on; their originals by who wrote them.

use frex_proto::envelope::{ForwardDraft, forward, open, parse};

use super::*;

/// What `a` passes on to these: written and long expired, by a member who is revoked since.
fn passed_on(to: &[&str], signer: usize, author: usize, life_ms: u64) -> v1::Envelope {
    let written = Draft {
        sender: "gone".to_owned(),
        created_ms: NOW - 2 * DAY,
        expires_ms: NOW - DAY,
        ..draft(&["a"])
    };
    let original = signed(&written, author).to_wire(None);
    let parsed = parse(&original).expect("sound");
    let opened = open(&parsed, &original.body, "a", &[&sealing(0)]).expect("opens");
    let draft = ForwardDraft {
        federation: "f".to_owned(),
        sender: "a".to_owned(),
        recipients: to.iter().map(|member| addressed(member)).collect(),
        message_id: MessageId([6; 16]),
        created_ms: NOW,
        expires_ms: NOW + life_ms,
    };
    let (rng, key) = (&mut ChaCha20Rng::seed_from_u64(2), key(signer));
    let content_key = &opened.content_key;
    let forward = forward(&parsed, original.body, content_key, &draft, rng, &key);
    forward.expect("sound").to_wire(None)
}

// RCL-15, RCL-16, ENV-24: both signatures, the forward's own times and what its recipients take.
#[test]
fn a_forward_is_judged_by_both_signatures_and_its_own_times() {
    let good = passed_on(&["b"], 10, 40, DAY);
    let taken = submit(good.clone(), "a").expect("it is taken");
    let Entry::Submit { admitted, .. } = taken else {
        panic!("{taken:?}")
    };
    assert_eq!((admitted.sender.as_str(), admitted.is_forward), ("a", true));
    assert_eq!(admitted.message_id, MessageId([6; 16]));
    let taken = deliver(good.clone(), "node-a", NOW);
    assert!(matches!(taken, Ok(Entry::Deliver { members, .. }) if members == ["b"]));

    let mut other_body = good.clone();
    other_body.body = vec![0; good.body.len()].into();
    let mut both = good.clone();
    both.signed = good.forward.clone();
    let cases = [
        (submit(good.clone(), "b"), WireCode::WrongSender),
        (deliver(good.clone(), "node-b", NOW), WireCode::WrongSender),
        (
            submit(passed_on(&["b"], 20, 40, DAY), "a"),
            WireCode::NotTrusted,
        ),
        (
            submit(passed_on(&["b"], 10, 10, DAY), "a"),
            WireCode::NotTrusted,
        ),
        (
            submit(passed_on(&["choosy"], 10, 40, DAY), "a"),
            WireCode::NotAccepted,
        ),
        (
            submit(passed_on(&["gone"], 10, 40, DAY), "a"),
            WireCode::UnknownRecipient,
        ),
        (submit_at(good.clone(), "a", NOW + DAY), WireCode::Expired),
        (submit(other_body, "a"), WireCode::BadEnvelope),
        (submit(both, "a"), WireCode::Malformed),
    ];
    for (row, (judged, code)) in cases.into_iter().enumerate() {
        assert_eq!(judged.err(), Some(code), "row {row}");
    }
}

// RCL-4, RCL-7: what a recall withdraws is looked for under its own sender.
#[test]
fn a_recall_is_about_its_own_senders_message() {
    let recall = Draft {
        kind: v1::Kind::Recall,
        lane: v1::Lane::Control,
        conversation: Some(([5; 16], 0)),
        in_reply_to: Some(frex_proto::id::EnvelopeId([9; 32])),
        message_id: MessageId([7; 16]),
        ..draft(&["b", "choosy"])
    };
    // Whatever else they accept, everybody takes a recall.
    let taken = submit(signed(&recall, 10).to_wire(None), "a").expect("it is taken");
    let Entry::Submit { admitted, .. } = taken else {
        panic!("{taken:?}")
    };
    let recalls = admitted.recalls.expect("a recall");
    assert_eq!(recalls.message, MessageKey::new("a", MessageId([5; 16])));
    let plain = submit(signed(&draft(&["b"]), 10).to_wire(None), "a");
    assert!(matches!(plain, Ok(Entry::Submit { admitted, .. }) if admitted.recalls.is_none()));
}
