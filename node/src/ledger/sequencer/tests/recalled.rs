//! A recall before, with and after its message, at either node.

use super::*;
use crate::{
    index::Table,
    journal::Position,
    ledger::{Recalls, StageEntry, records},
};

const RECALL: u8 = 9;

/// The recall of message [`MESSAGE`], which names this envelope of it.
fn recall(envelope: u8) -> Admitted {
    Admitted {
        message_id: MessageId([8; 16]),
        lane: v1::Lane::Control,
        recalls: Some(Box::new(Recalls {
            message: MessageKey::new("a", MESSAGE),
            envelope: id(envelope),
            stops: Vec::new(),
        })),
        ..admitted(RECALL)
    }
}

fn delivered(admitted: Admitted, members: &[&str]) -> Entry {
    Entry::Deliver {
        admitted,
        members: names(members),
        retired: Vec::new(),
    }
}

impl Scene {
    /// Ids of the envelopes that wait for a member, in the order in which they are handed out.
    fn inbox(&self, member: &str) -> Vec<EnvelopeId> {
        let prefix = records::queue_prefix(member);
        let rows = self.sequencer.index.scan(Table::Inbox, &prefix, None, 10);
        let places = rows.expect("an index").into_iter();
        let places = places.map(|(key, _)| records::queue_position(&key).expect("an inbox key"));
        places.map(|place| self.id_at(place)).collect()
    }

    fn id_at(&self, place: Position) -> EnvelopeId {
        let reader = self.sequencer.journal.reader();
        let (_, bytes) = reader.read(place).expect("a sound journal");
        let record = Record::decode(bytes).expect("a record");
        EnvelopeId::from_slice(&record.envelope_id).expect("an id")
    }

    /// The statement of `member` on the message, by whoever has it leased.
    fn opened(&self, member: &str) -> Entry {
        let key =
            records::message_key(MessageKey::new("a", MESSAGE), records::ACCEPTED_SUFFIX, &[]);
        let kept = self.sequencer.index.get(Table::Message, &key);
        let kept = kept.expect("an index").expect("it was accepted");
        Entry::Stage(StageEntry {
            id: id(1),
            message_id: MESSAGE,
            sender: "a".to_owned(),
            member: member.to_owned(),
            stage: v1::Stage::Opened,
            lane: v1::Lane::Normal,
            expires_ms: u64::MAX,
            statement: Bytes::from_static(b"signed"),
            item: records::parse_kept(&kept).expect("a row").position,
            relay_to: None,
        })
    }

    /// All in one block, or in as few as their order allows.
    fn record_together(&mut self, entries: Vec<Entry>) -> Vec<Outcome> {
        let (mut jobs, mut outcomes) = (Vec::new(), Vec::new());
        for entry in entries {
            let (reply, outcome) = oneshot::channel();
            jobs.push(Job { entry, reply });
            outcomes.push(outcome);
        }
        let mut rounds = 0;
        while !jobs.is_empty() {
            jobs = self.sequencer.commit(jobs).expect("a disk that works");
            rounds += 1;
            assert!(rounds < 4, "every block takes something");
        }
        let mut outcomes = outcomes.into_iter();
        let said = |mut outcome: oneshot::Receiver<Outcome>| outcome.try_recv();
        outcomes
            .by_ref()
            .map(|one| said(one).expect("an outcome"))
            .collect()
    }
}

fn recalled(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(WireCode::Recalled))
}

// RCL-10, RCL-11: whichever comes first, and also in one block and after the index was lost, what
// waits is the recall and not the message; for a recipient whom it does not name nothing changes.
#[test]
fn a_recall_and_its_message_come_to_the_same_in_either_order() {
    for together in [false, true] {
        for recall_first in [false, true] {
            let mut scene = Scene::new();
            let mut entries = vec![
                delivered(admitted(1), &["b", "c"]),
                delivered(recall(1), &["b"]),
            ];
            if recall_first {
                entries.reverse();
            }
            let outcomes = match together {
                true => scene.record_together(entries),
                false => entries.into_iter().map(|one| scene.record(one)).collect(),
            };
            assert!(
                outcomes
                    .iter()
                    .all(|one| matches!(one, Outcome::Receipt(_)))
            );
            for _ in 0..2 {
                assert_eq!(scene.inbox("b"), [id(RECALL)]);
                assert_eq!(scene.inbox("c"), [id(1)]);
                let late = scene.opened("b");
                assert!(recalled(&scene.record(late)));
                scene.restart();
            }
            // Both come again, as after an answer that was lost.
            for entry in [
                delivered(admitted(1), &["b", "c"]),
                delivered(recall(1), &["b"]),
            ] {
                assert!(matches!(scene.record(entry), Outcome::Stored(_)));
            }
            assert_eq!(scene.inbox("b"), [id(RECALL)]);
        }
    }
}

// RCL-11: what was confirmed before stays confirmed; whoever holds the item hears it from its
// confirmation.
#[test]
fn a_confirmation_counts_if_it_comes_before_the_recall() {
    for (together, recall_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut scene = Scene::new();
        let _ = scene.record(delivered(admitted(1), &["b"]));
        let mut entries = vec![scene.opened("b"), delivered(recall(1), &["b"])];
        if recall_first {
            entries.reverse();
        }
        let outcomes = match together {
            true => scene.record_together(entries),
            false => entries.into_iter().map(|one| scene.record(one)).collect(),
        };
        assert_eq!(
            outcomes.iter().filter(|one| recalled(one)).count(),
            usize::from(recall_first)
        );
        assert_eq!(scene.inbox("b"), [id(RECALL)]);
    }
}

// RCL-7: a recall is about its own sender's messages, so that of a stranger finds none.
#[test]
fn a_strangers_recall_withdraws_nothing() {
    let mut scene = Scene::new();
    let _ = scene.record(delivered(admitted(1), &["b"]));
    let mut strange = recall(1);
    strange.sender = "x".to_owned();
    let about = MessageKey::new("x", MESSAGE);
    strange.recalls.as_mut().expect("a recall").message = about;
    let _ = scene.record(delivered(strange, &["b"]));
    assert_eq!(scene.inbox("b"), [id(RECALL), id(1)]);
    let confirmed = scene.opened("b");
    assert!(matches!(scene.record(confirmed), Outcome::Receipt(_)));
}

fn submitted(recalls: Admitted, recipients: &[&str], nodes: &[&str]) -> Entry {
    Entry::Submit {
        admitted: recalls,
        nodes: names(nodes),
        members: Vec::new(),
        recipients: names(recipients),
    }
}

// RCL-8, RCL-9: the sender's node takes back what it has not delivered, and takes no recall of
// what it never had, of another envelope, or for somebody whom the message was not for.
#[test]
fn the_senders_node_stops_what_has_not_left() {
    let mut scene = Scene::new();
    let early = scene.record(submitted(recall(1), &["b"], &["nb"]));
    assert!(matches!(early, Outcome::Failed(WireCode::NotFound)));
    assert_eq!(scene.submit(1, &["b", "c"], &["nb", "nc"]), Said::Submitted);
    let other = scene.record(submitted(recall(2), &["b"], &["nb"]));
    assert!(matches!(other, Outcome::Failed(WireCode::NotFound)));
    let wide = scene.record(submitted(recall(1), &["d"], &["nd"]));
    assert!(matches!(wide, Outcome::Failed(WireCode::BadEnvelope)));

    let outbox = |scene: &Scene, node: &str| {
        let prefix = records::queue_prefix(node);
        let rows = scene.sequencer.index.scan(Table::Outbox, &prefix, None, 10);
        let keys = rows.expect("an index").into_iter().map(|(key, _)| key);
        keys.collect::<Vec<Bytes>>()
    };
    let waiting = outbox(&scene, "nb");
    let mut stopping = recall(1);
    let stops = &mut stopping.recalls.as_mut().expect("a recall").stops;
    stops.push(waiting[0].clone());
    let taken = scene.record(submitted(stopping, &["b"], &["nb"]));
    assert!(matches!(taken, Outcome::Receipt(_)));
    for _ in 0..2 {
        // The recall goes where the message may have gone.
        let left = outbox(&scene, "nb");
        assert_eq!(left.len(), 1);
        assert!(!left.contains(&waiting[0]));
        assert_eq!(outbox(&scene, "nc").len(), 1);
        // What was withdrawn is no dead letter, which could be queued again.
        let dead = scene.sequencer.index.scan(Table::Dead, &[], None, 10);
        assert!(dead.expect("an index").is_empty());
        scene.restart();
    }
    // Not even sealed again for a newer key.
    scene.retired(1, "nb", false);
    let again = scene.record(submission(2, &["b"], &["nb"]));
    assert!(recalled(&again));
}
