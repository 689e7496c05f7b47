//! Whom an envelope may come from and whom it may be for, one refusal after the other.

use frex_proto::{
    attachment::{Attached, AttachedFile},
    envelope::{Draft, SignedEnvelope, seal, sign_one},
    id::MessageId,
    keys::{SealingPublicKey, SealingSecretKey, SigningKey, VerifyingKey},
    roster::{TrustAnchor, build, document},
};
use prost::Message;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;

mod forwards;

const NOW: u64 = 1_900_000_000_000;
const DAY: u64 = 24 * 60 * 60 * 1000;
/// The attachment that is whole at every node.
const WHOLE: [u8; 32] = [7; 32];
/// Members with the node that serves them; `gone` is revoked, `choosy` takes no reports.
const MEMBERS: [(&str, &str); 5] = [
    ("a", "node-a"),
    ("b", "node-b"),
    ("c", "node-b"),
    ("gone", "node-b"),
    ("choosy", "node-b"),
];

fn key(seed: usize) -> SigningKey {
    SigningKey::from_seed(&[u8::try_from(seed).expect("small"); 32])
}

fn public(seed: usize) -> VerifyingKey {
    key(seed).verifying_key()
}

fn sealing(place: usize) -> SealingSecretKey {
    SealingSecretKey::from_seed(&[u8::try_from(place).expect("small"); 32])
}

/// A roster in which each member's document lists the sealing key of its place, and that of `b`
/// also key 100, which has ended, and key 101, whose secret is gone in a day.
fn roster() -> Roster {
    let root = build::root(&build::RootDraft {
        federation: "f",
        version: 1,
        expires_ms: NOW + 90 * DAY,
        root_keys: &[public(1)],
        root_threshold: 1,
        roster_keys: &[public(2)],
        roster_threshold: 1,
    });
    let mut listed = build::first_roster(&root, NOW, NOW + 90 * DAY);
    let mut docs = Vec::new();
    for (place, (id, home)) in MEMBERS.into_iter().enumerate() {
        let seed = 10 * (place + 1);
        let runs = home.ends_with(id);
        let card = build::card(&build::CardDraft {
            federation: "f",
            id,
            name: id,
            role: v1::Role::Hotline,
            country: "NO",
            home_node: home,
            identity: &key(seed),
            client_tls: &[public(seed + 1)],
            sealing: &[sealing(place).public()],
            node: runs.then_some(build::NodeDraft {
                id: home,
                log_key: &public(seed + 2),
                witness_key: None,
                tls_keys: &[public(seed + 3)],
                addresses: &[],
            }),
            issued_ms: NOW,
            expires_ms: NOW + 90 * DAY,
        })
        .unwrap();
        build::list_card(&mut listed, &card);
        docs.push(if id == "b" {
            with_old_keys(&card)
        } else {
            card.member_doc
        });
    }
    listed.members[1].attachments = true;
    listed.members[3].status = v1::Status::Revoked.into();
    listed.members[4].accepts = vec![v1::Accepts {
        kind: v1::Kind::Notice.into(),
        lanes: vec![v1::Lane::Normal.into()],
    }];
    let root = build::sign_root(&root, &[&key(1)]).unwrap();
    let signed = build::sign_roster(&listed, &[&key(2)]).unwrap();
    let anchor = TrustAnchor::of_root(&root).expect("sound");
    Roster::judge(&build::bundle(&root, &signed, docs, None), &anchor, NOW).expect("sound")
}

fn with_old_keys(card: &v1::MemberCard) -> Bytes {
    let signed = v1::Signed::decode(card.member_doc.clone()).expect("signed");
    let mut doc = v1::MemberDoc::decode(signed.payload).expect("a document");
    for place in [100, 101] {
        let mut ended = build::sealing_key(&sealing(place).public());
        ended.not_after_ms = NOW - DAY;
        doc.sealing_keys.push(ended);
    }
    document::retire_sealing_key(&mut doc, &sealing(101).public(), NOW + DAY);
    build::sign_member_doc(&doc, &key(20)).unwrap()
}

fn intake(node: &str) -> Intake {
    Intake {
        roster: RosterHandle::new(roster()),
        node: node.to_owned(),
        suspensions: SuspensionHandle::default(),
        is_whole: Arc::new(|listed, _| listed.root == WHOLE),
    }
}

/// A recipient with the key that its document lists.
fn addressed(member: &str) -> (String, SealingPublicKey) {
    let place = MEMBERS.iter().position(|(id, _)| *id == member);
    (member.to_owned(), sealing(place.unwrap_or(99)).public())
}

fn draft(to: &[&str]) -> Draft {
    let recipients = to.iter();
    Draft {
        federation: "f".to_owned(),
        sender: "a".to_owned(),
        recipients: recipients.map(|member| addressed(member)).collect(),
        kind: v1::Kind::Report,
        lane: v1::Lane::Normal,
        created_ms: NOW,
        expires_ms: NOW + DAY,
        reply_by_ms: None,
        message_id: MessageId([5; 16]),
        conversation: None,
        in_reply_to: None,
        content_type: "text/plain".to_owned(),
        data: Bytes::from_static(b"words"),
        attachments: Vec::new(),
    }
}

fn signed(draft: &Draft, signer: usize) -> SignedEnvelope {
    let sealed = seal(draft, &mut ChaCha20Rng::seed_from_u64(1)).expect("sound");
    sign_one(sealed, &key(signer)).unwrap()
}

fn arrived(envelope: v1::Envelope) -> Arrived {
    let bytes = envelope.encode_to_vec().into();
    Arrived { envelope, bytes }
}

/// What the node of `a` makes of what a client of `member` submits.
fn submit(envelope: v1::Envelope, member: &str) -> Result<Entry, WireCode> {
    submit_at(envelope, member, NOW)
}

fn submit_at(envelope: v1::Envelope, member: &str, now_ms: u64) -> Result<Entry, WireCode> {
    let mut cache = BatchCache::new();
    let judged = intake("node-a").submission(&arrived(envelope), member, now_ms, &mut cache);
    of_a_stranger(judged)
}

/// What the node of `b` makes of what `peer` delivers.
fn deliver(envelope: v1::Envelope, peer: &str, now_ms: u64) -> Result<Entry, WireCode> {
    let mut cache = BatchCache::new();
    let judged = intake("node-b").delivery(&arrived(envelope), peer, now_ms, &mut cache);
    of_a_stranger(judged)
}

/// What the sequencer is to record of an envelope that it does not hold.
fn of_a_stranger(judged: Verdict) -> Result<Entry, WireCode> {
    match judged {
        Verdict::Refuse(code) => Err(code),
        Verdict::Record(entry) => match *entry {
            Entry::Refuse { code, .. } => Err(code),
            entry => Ok(entry),
        },
    }
}

// DEL-7, DEL-8, DEL-9: each refusal has its code, and nothing of it is recorded.
#[test]
fn a_submission_that_breaks_a_rule_is_refused() {
    let wire = |draft: &Draft| signed(draft, 10).to_wire(None);
    let good = wire(&draft(&["b", "a"]));
    assert!(matches!(
        submit(good.clone(), "a"),
        Ok(Entry::Submit { .. })
    ));
    let mut cut = good.clone();
    cut.body = cut.body.slice(1..);
    let mut elsewhere = draft(&["b"]);
    elsewhere.federation = "g".to_owned();
    let from = |sender: &str| Draft {
        sender: sender.to_owned(),
        ..draft(&["b"])
    };
    let late = Draft {
        created_ms: NOW - DAY,
        expires_ms: NOW,
        ..draft(&["b"])
    };
    let early = Draft {
        created_ms: NOW + DAY,
        expires_ms: NOW + 2 * DAY,
        ..draft(&["b"])
    };
    let cases = [
        (good, "b", WireCode::WrongSender),
        (v1::Envelope::default(), "a", WireCode::Malformed),
        (cut, "a", WireCode::BadEnvelope),
        (
            signed(&draft(&["b"]), 20).to_wire(None),
            "a",
            WireCode::NotTrusted,
        ),
        (wire(&elsewhere), "a", WireCode::WrongFederation),
        (wire(&from("nobody")), "nobody", WireCode::NotTrusted),
        (wire(&from("gone")), "gone", WireCode::Revoked),
        (wire(&late), "a", WireCode::Expired),
        (wire(&early), "a", WireCode::FutureDated),
        (
            wire(&draft(&["b", "nobody"])),
            "a",
            WireCode::UnknownRecipient,
        ),
        (wire(&draft(&["gone"])), "a", WireCode::UnknownRecipient),
        (wire(&draft(&["choosy"])), "a", WireCode::NotAccepted),
        (
            signed(&draft(&["b", "c"]), 10).to_wire(Some(&["b"])),
            "a",
            WireCode::BadEnvelope,
        ),
    ];
    for (row, (envelope, member, code)) in cases.into_iter().enumerate() {
        assert_eq!(submit(envelope, member).err(), Some(code), "row {row}");
    }
}

// DEL-13, DEL-16: without the sender's node and signature nothing of a delivery is recorded.
#[test]
fn a_delivery_that_cannot_be_attributed_is_refused_without_a_trace() {
    let good = signed(&draft(&["b"]), 10).to_wire(None);
    assert!(matches!(
        deliver(good.clone(), "node-a", NOW),
        Ok(Entry::Deliver { .. })
    ));
    let forged = signed(&draft(&["b"]), 20).to_wire(None);
    let refused = [
        (deliver(good.clone(), "node-b", NOW), WireCode::WrongSender),
        (deliver(good.clone(), "node-c", NOW), WireCode::WrongSender),
        (deliver(forged, "node-a", NOW), WireCode::NotTrusted),
        // Waiting mends it.
        (deliver(good, "node-a", NOW - DAY), WireCode::FutureDated),
    ];
    for (judged, code) in refused {
        assert_eq!(judged.err(), Some(code));
    }
}

// DIS-12: nothing of a suspended sender is taken, whichever node brings it, and nothing recorded:
// it comes again.
#[test]
fn what_a_suspended_member_sends_is_refused_until_later() {
    let intake = intake("node-b");
    let mut list = crate::suspension::Suspensions::default();
    let said = crate::suspension::Suspension {
        since_ms: NOW,
        reason: "asked to".to_owned(),
    };
    list.add("a", said);
    intake.suspensions.replace(list);
    let envelope = arrived(signed(&draft(&["b"]), 10).to_wire(None));
    let verdict = |intake: &Intake| {
        let mut cache = BatchCache::new();
        intake.delivery(&envelope, "node-a", NOW, &mut cache)
    };
    let refused = verdict(&intake);
    assert!(matches!(refused, Verdict::Refuse(WireCode::PeerSuspended)));
    assert_eq!(WireCode::PeerSuspended.info().retry, Retry::Later);
    intake.suspensions.replace(Suspensions::default());
    assert!(matches!(verdict(&intake), Verdict::Record(_)));
}

// DEL-14, DEL-16: who is meant tells the wraps; what its sender signed is refused for the record.
#[test]
fn a_delivery_for_the_wrong_members_is_rejected_on_the_record() {
    let rejected = |to: &[&str], wraps: &[&str], now_ms: u64| {
        let envelope = signed(&draft(to), 10).to_wire(Some(wraps));
        match deliver(envelope, "node-a", now_ms) {
            Ok(Entry::Reject { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    };
    let unknown = WireCode::UnknownRecipient;
    assert_eq!(rejected(&["b", "a"], &["b", "a"], NOW), unknown);
    assert_eq!(rejected(&["b", "a"], &[], NOW), unknown);
    assert_eq!(rejected(&["gone"], &["gone"], NOW), unknown);
    assert_eq!(
        rejected(&["choosy"], &["choosy"], NOW),
        WireCode::NotAccepted
    );
    assert_eq!(rejected(&["b"], &["b"], NOW + DAY), WireCode::Expired);
    let part = signed(&draft(&["b", "a", "c"]), 10).to_wire(Some(&["b", "c"]));
    match deliver(part, "node-a", NOW) {
        Ok(Entry::Deliver { members, .. }) => assert_eq!(members, ["b", "c"]),
        other => panic!("{other:?}"),
    }
}

// DIS-8: once the roster has ended nothing new begins; what was on its way still arrives, for a
// while.
#[test]
fn an_ended_roster_finishes_what_was_begun_and_no_more() {
    let end_ms = NOW + 90 * DAY;
    let envelope = Draft {
        created_ms: end_ms - DAY,
        expires_ms: end_ms + 20 * DAY,
        ..draft(&["b"])
    };
    let envelope = signed(&envelope, 10).to_wire(None);
    let begun = |now_ms| submit_at(envelope.clone(), "a", now_ms);
    let arrived = |now_ms| deliver(envelope.clone(), "node-a", now_ms);
    assert!(matches!(begun(end_ms - 1), Ok(Entry::Submit { .. })));
    assert_eq!(begun(end_ms).err(), Some(WireCode::RosterStale));
    assert!(matches!(arrived(end_ms), Ok(Entry::Deliver { .. })));
    let void_ms = end_ms + frex_proto::limits::ROSTER_GRACE_MS;
    assert!(matches!(arrived(void_ms - 1), Ok(Entry::Deliver { .. })));
    assert_eq!(arrived(void_ms).err(), Some(WireCode::RosterStale));
}

/// An envelope to these members, sealed to the keys of these places.
fn sealed_to(keys: &[(&str, usize)]) -> v1::Envelope {
    let recipients = keys
        .iter()
        .map(|(member, place)| ((*member).to_owned(), sealing(*place).public()));
    let draft = Draft {
        recipients: recipients.collect(),
        expires_ms: NOW + 3 * DAY,
        ..draft(&["b"])
    };
    signed(&draft, 10).to_wire(None)
}

// DEL-28, DEL-16: an ended key is taken while its secret opens; a retired one is refused for the
// record; one that nobody has heard of is not lost.
#[test]
fn what_is_sealed_to_a_key_of_before_is_taken_until_that_is_retired() {
    for (key, now_ms) in [(1, NOW), (100, NOW), (101, NOW), (101, NOW + DAY - 1)] {
        let judged = deliver(sealed_to(&[("b", key)]), "node-a", now_ms);
        assert!(
            matches!(judged, Ok(Entry::Deliver { .. })),
            "{key} {judged:?}"
        );
    }
    match deliver(sealed_to(&[("b", 101)]), "node-a", NOW + DAY) {
        Ok(Entry::Reject {
            code, recipients, ..
        }) => {
            assert_eq!(code, WireCode::KeyRetired);
            assert_eq!(recipients, ["b"]);
        }
        other => panic!("{other:?}"),
    }
    // Whose key is good gets it all the same.
    match deliver(sealed_to(&[("b", 101), ("c", 2)]), "node-a", NOW + DAY) {
        Ok(Entry::Deliver {
            members, retired, ..
        }) => assert_eq!((members, retired), (vec!["c".into()], vec!["b".into()])),
        other => panic!("{other:?}"),
    }
    let unknown = deliver(sealed_to(&[("b", 1), ("c", 77)]), "node-a", NOW);
    assert_eq!(unknown.err(), Some(WireCode::KeyUnknown));
    assert_eq!(WireCode::KeyUnknown.info().retry, Retry::Later);
}

// DEL-28: at submit a node judges the keys of those it serves, and leaves the others to theirs.
#[test]
fn a_submission_is_judged_by_the_keys_of_those_who_are_served_here() {
    assert!(submit(sealed_to(&[("a", 0), ("b", 77)]), "a").is_ok());
    let unknown = submit(sealed_to(&[("a", 77)]), "a");
    assert_eq!(unknown.err(), Some(WireCode::KeyUnknown));
}

// DEL-17: what may be held from before is for the ledger to refuse; what comes from elsewhere, or
// from a suspended member, is refused at once.
#[test]
fn what_may_be_held_is_not_refused_by_judgement_alone() {
    let mut cache = BatchCache::new();
    // In three days it has expired, its key is retired, and it was signed by nobody's key.
    let envelope = arrived(signed(&draft(&["b", "a"]), 20).to_wire(None));
    let late_ms = NOW + 3 * DAY;
    let (home, other) = (intake("node-a"), intake("node-b"));
    let refused = |judged: Verdict| match judged {
        Verdict::Refuse(_) => None,
        Verdict::Record(entry) => match *entry {
            Entry::Refuse { submitted, .. } => Some(submitted),
            entry => panic!("{entry:?}"),
        },
    };
    let submitted = home.submission(&envelope, "a", late_ms, &mut cache);
    assert_eq!(refused(submitted), Some(true));
    let delivered = other.delivery(&envelope, "node-a", late_ms, &mut cache);
    assert_eq!(refused(delivered), Some(false));
    let stranger = home.submission(&envelope, "b", late_ms, &mut cache);
    assert_eq!(refused(stranger), None);
    let stranger = other.delivery(&envelope, "node-b", late_ms, &mut cache);
    assert_eq!(refused(stranger), None);
}

/// A draft with the attachment of this root.
fn with_attachment(to: &[&str], root: [u8; 32]) -> Draft {
    let file = AttachedFile {
        name: "file".to_owned(),
        media_type: "text/plain".to_owned(),
        bytes: 1,
        sha256: [1; 32],
        key: [2; 32].into(),
    };
    Draft {
        attachments: vec![Attached {
            listed: Listed { root, bytes: 4112 },
            file,
        }],
        ..draft(to)
    }
}

// ATT-16, ATT-17, DEL-16: what takes none is refused, on the record where it was delivered; what is
// not here yet is waited for.
#[test]
fn attachments_are_refused_or_waited_for() {
    let wire = |to: &[&str], root| signed(&with_attachment(to, root), 10).to_wire(None);
    let (whole, missing) = (wire(&["b"], WHOLE), wire(&["b"], [8; 32]));
    assert!(matches!(
        submit(whole.clone(), "a"),
        Ok(Entry::Submit { .. })
    ));
    assert_eq!(
        submit(missing.clone(), "a").err(),
        Some(WireCode::AttachmentMissing)
    );
    let delivered = deliver(whole, "node-a", NOW);
    assert!(
        matches!(delivered, Ok(Entry::Deliver { admitted, .. }) if admitted.attachments == [WHOLE])
    );
    let refused = deliver(missing, "node-a", NOW).err();
    assert_eq!(refused, Some(WireCode::AttachmentMissing));
    let to_c = wire(&["b", "c"], WHOLE);
    assert_eq!(
        submit(to_c.clone(), "a").err(),
        Some(WireCode::AttachmentsRefused)
    );
    let rejected = deliver(to_c, "node-a", NOW);
    assert!(matches!(
        rejected,
        Ok(Entry::Reject {
            code: WireCode::AttachmentsRefused,
            ..
        })
    ));
}

// ATT-14: an attachment is taken from whom its envelope would be, for those who take it, and from
// nobody else.
#[test]
fn an_attachment_is_judged_as_its_envelope() {
    let shown = |draft: &Draft, signer| v1::Envelope {
        signed: signed(draft, signer).signed,
        ..v1::Envelope::default()
    };
    let ask = |node: &str, envelope: &v1::Envelope, number, peer: Peer, now_ms| {
        intake(node).attachment(envelope, number, &peer, now_ms)
    };
    let (client, node) = (
        |id: &str| Peer::Client(id.to_owned()),
        |id: &str| Peer::Node(id.to_owned()),
    );
    let good = shown(&with_attachment(&["b"], [8; 32]), 10);
    let listed = Listed {
        root: [8; 32],
        bytes: 4112,
    };
    let taken = Ok((listed, "a".to_owned()));
    assert_eq!(ask("node-a", &good, 0, client("a"), NOW), taken);
    assert_eq!(ask("node-b", &good, 0, node("node-a"), NOW), taken);
    let refused = |judged: Result<_, WireCode>, code| assert_eq!(judged.err(), Some(code));
    refused(
        ask("node-a", &good, 1, client("a"), NOW),
        WireCode::NotFound,
    );
    refused(
        ask("node-a", &good, 0, client("b"), NOW),
        WireCode::WrongSender,
    );
    refused(
        ask("node-b", &good, 0, node("node-b"), NOW),
        WireCode::WrongSender,
    );
    refused(
        ask("node-a", &good, 0, client("a"), NOW + 2 * DAY),
        WireCode::Expired,
    );
    refused(
        ask("node-a", &good, 0, node("node-a"), NOW),
        WireCode::UnknownRecipient,
    );
    let forged = shown(&with_attachment(&["b"], [8; 32]), 20);
    let judged = ask("node-a", &forged, 0, client("a"), NOW);
    refused(judged, WireCode::NotTrusted);
    let to_c = shown(&with_attachment(&["c"], [8; 32]), 10);
    for (at, peer) in [("node-a", client("a")), ("node-b", node("node-a"))] {
        refused(ask(at, &to_c, 0, peer, NOW), WireCode::AttachmentsRefused);
    }
}
