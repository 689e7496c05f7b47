//! What an envelope is answered that comes again, and who gets it when not everybody can.

use super::*;

fn delivery(number: u8, members: &[&str], retired: &[&str]) -> Entry {
    Entry::Deliver {
        admitted: admitted(number),
        members: names(members),
        retired: names(retired),
    }
}

fn rejection(number: u8, code: WireCode, recipients: &[&str]) -> Entry {
    Entry::Reject {
        admitted: admitted(number),
        code,
        recipients: names(recipients),
    }
}

fn refusal(number: u8, submitted: bool, code: WireCode) -> Entry {
    Entry::Refuse {
        message: MessageKey::new("a", MESSAGE),
        id: id(number),
        recipients: names(&["b", "c"]),
        submitted,
        code,
    }
}

fn fresh(outcome: Outcome) -> Bytes {
    match outcome {
        Outcome::Receipt(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

fn stored(outcome: Outcome) -> Bytes {
    match outcome {
        Outcome::Stored(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

/// Event, code and recipients of a receipt.
fn stated(receipt: &Bytes) -> (v1::Event, u32, Vec<String>) {
    let receipt = v1::Receipt::decode(receipt.clone()).expect("a receipt");
    let said = v1::Statement::decode(receipt.statement).expect("a statement");
    (said.event(), said.code, said.recipients)
}

impl Scene {
    /// What this node has answered envelope `number`, as it is delivered.
    fn answered(&self, number: u8) -> Vec<(v1::Event, u32, Vec<String>)> {
        let index = &self.sequencer.index;
        let keys = records::answer_keys(MessageKey::new("a", MESSAGE), id(number), false);
        let rows = keys
            .iter()
            .filter_map(|key| {
                index
                    .get(crate::index::Table::Message, key)
                    .expect("an index")
            })
            .filter_map(|value| records::parse_kept(&value))
            .filter(|kept| kept.id == id(number));
        rows.map(|kept| {
            let (_, bytes) = self
                .sequencer
                .journal
                .reader()
                .read(kept.position)
                .expect("whole");
            stated(&Record::decode(bytes).expect("a record").receipt)
        })
        .collect()
    }
}

// DEL-17: the answer was lost, and meanwhile a key was retired, the envelope expired, a member
// left: it is answered as before, nothing is logged, and the message id stays free of blame.
#[test]
fn what_is_held_is_answered_as_before_whatever_has_changed() {
    let mut scene = Scene::new();
    let accepted = fresh(scene.record(delivery(1, &["b", "c"], &[])));
    let submitted = fresh(scene.record(submission(1, &["b", "c"], &["nb"])));
    let size = scene.sequencer.frontier.size();
    let changes = [
        WireCode::KeyRetired,
        WireCode::Expired,
        WireCode::UnknownRecipient,
        WireCode::NotAccepted,
        WireCode::Revoked,
    ];
    for code in changes {
        assert_eq!(stored(scene.record(rejection(1, code, &["b"]))), accepted);
        assert_eq!(stored(scene.record(refusal(1, false, code))), accepted);
        assert_eq!(stored(scene.record(refusal(1, true, code))), submitted);
    }
    // Its key is retired for one of the two by now.
    assert_eq!(stored(scene.record(delivery(1, &["c"], &["b"]))), accepted);
    assert_eq!(scene.sequencer.frontier.size(), size);
    for submitted in [false, true] {
        let code = WireCode::KeyRetired;
        let unknown = scene.record(refusal(2, submitted, code));
        assert!(matches!(unknown, Outcome::Failed(WireCode::KeyRetired)));
    }
    // What was refused for the record is answered so, not by halves.
    let mut other = Scene::new();
    let rejected = fresh(other.record(rejection(1, WireCode::Expired, &[])));
    let again = other.record(refusal(1, false, WireCode::NotTrusted));
    assert_eq!(stored(again), rejected);
}

// DEL-17: the first and its repetition may be in one block.
#[test]
fn a_repetition_waits_for_the_block_of_the_first() {
    let refusals: [fn() -> Entry; 2] = [
        || rejection(1, WireCode::KeyRetired, &["b"]),
        || refusal(1, false, WireCode::KeyRetired),
    ];
    for repetition in refusals {
        let mut scene = Scene::new();
        let (first_reply, mut first) = oneshot::channel();
        let (reply, mut second) = oneshot::channel();
        let left = scene.sequencer.commit(vec![
            Job {
                entry: delivery(1, &["b"], &[]),
                reply: first_reply,
            },
            Job {
                entry: repetition(),
                reply,
            },
        ]);
        let left = left.expect("a disk that works");
        assert_eq!(left.len(), 1);
        assert!(scene.sequencer.commit(left).expect("a disk").is_empty());
        let first = fresh(first.try_recv().expect("an outcome"));
        assert_eq!(stored(second.try_recv().expect("an outcome")), first);
    }
}

// DEL-30, DEL-31: of two members here one has retired the key: the other gets it, both is stated,
// and the one is reached by the envelope that follows, once; also after the index was lost.
#[test]
fn who_has_retired_the_key_keeps_it_from_nobody_else() {
    let mut scene = Scene::new();
    let key_retired = WireCode::KeyRetired as u32;
    let accepted = fresh(scene.record(delivery(1, &["b"], &["c"])));
    let both = vec![
        (v1::Event::Accepted, 0, names(&["b"])),
        (v1::Event::Rejected, key_retired, names(&["c"])),
    ];
    assert_eq!(stated(&accepted), both[0]);
    assert_eq!(scene.answered(1), both);
    assert_eq!(scene.sequencer.frontier.size(), 2);
    // Not for the one who has it, nor for one who was never meant.
    for (number, members) in [(2, &["b"][..]), (3, &["c", "b"]), (4, &["d"])] {
        let refused = fresh(scene.record(delivery(number, members, &[])));
        assert_eq!(stated(&refused).1, WireCode::IdReuse as u32, "{members:?}");
    }
    let retired = fresh(scene.record(rejection(5, WireCode::KeyRetired, &["c"])));
    assert_eq!(stated(&retired).1, key_retired);
    let second = fresh(scene.record(delivery(6, &["c"], &[])));
    assert_eq!(stated(&second), (v1::Event::Accepted, 0, names(&["c"])));
    scene.restart();
    for entry in [
        delivery(6, &["c"], &[]),
        rejection(6, WireCode::Expired, &[]),
        refusal(6, false, WireCode::NotTrusted),
    ] {
        assert_eq!(stored(scene.record(entry)), second);
    }
    assert_eq!(stored(scene.record(delivery(1, &["b"], &["c"]))), accepted);
    let third = fresh(scene.record(delivery(7, &["c"], &[])));
    assert_eq!(stated(&third).1, WireCode::IdReuse as u32);
}

// DEL-29, DEL-30: the sender's node keeps both receipts and takes it again for the one alone.
#[test]
fn a_message_is_taken_again_for_the_members_that_a_refusal_names() {
    let mut scene = Scene::new();
    assert_eq!(scene.submit(1, &["b", "c"], &["n"]), Said::Submitted);
    let receipt = |event: v1::Event, code: u32, to: &str| {
        let statement = v1::Statement {
            event: event.into(),
            envelope_id: Bytes::copy_from_slice(&id(1).0),
            code,
            recipients: names(&[to]),
            ..v1::Statement::default()
        };
        let receipt = v1::Receipt {
            statement: statement.encode_to_vec().into(),
            ..v1::Receipt::default()
        };
        Bytes::from(receipt.encode_to_vec())
    };
    let entry = Entry::PeerReceipt(PeerReceiptEntry {
        message: MessageKey::new("a", MESSAGE),
        node: "n".to_owned(),
        detail: String::new(),
        receipt: receipt(v1::Event::Accepted, 0, "b"),
        refusal: Some(receipt(
            v1::Event::Rejected,
            WireCode::KeyRetired as u32,
            "c",
        )),
        outbox_key: Some(Bytes::from_static(b"an item")),
    });
    assert!(matches!(scene.record(entry), Outcome::Done));
    scene.restart();
    for recipients in [&["b"][..], &["b", "c"]] {
        assert_eq!(scene.submit(2, recipients, &["n"]), Said::Reuse(id(1)));
    }
    assert_eq!(scene.submit(3, &["c"], &["n"]), Said::Submitted);
}
