//! Deliveries that are given up, queued again and dropped; and that the index follows from it.

use std::collections::BTreeMap;

use rand_chacha::rand_core::Rng;

use super::*;
use crate::{
    index::{Change, Table},
    ledger::{
        Act,
        publish::{INDEX_FORM, State},
        records::{OutboxItem, UNDELIVERABLE_SUFFIX},
    },
};

type Rows = BTreeMap<(u8, Bytes), Bytes>;

const NEVER: WireCode = WireCode::Malformed;

impl Scene {
    /// Everything that the index holds.
    fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for table in [Table::Message, Table::Outbox, Table::Dead] {
            let found = self.sequencer.index.scan(table, &[], None, 100_000);
            let found = found.expect("an index").into_iter();
            rows.extend(found.map(|(key, value)| ((table as u8, key), value)));
        }
        rows
    }

    fn keys(&self, table: Table) -> Vec<Bytes> {
        let rows = self.rows().into_keys();
        let of_it = rows.filter(|(number, _)| *number == table as u8);
        of_it.map(|(_, key)| key).collect()
    }

    fn waiting(&self) -> Vec<OutboxItem> {
        let rows = self.rows().into_iter();
        let waiting = rows.filter(|((number, _), _)| *number == Table::Outbox as u8);
        waiting
            .map(|((_, key), value)| records::parse_outbox(key, &value).expect("a row"))
            .collect()
    }

    fn file(&mut self, number: u8, expires_ms: u64, nodes: &[&str]) {
        let mut entry = submission(number, &["b"], nodes);
        if let Entry::Submit { admitted, .. } = &mut entry {
            admitted.message_id = MessageId([number; 16]);
            admitted.expires_ms = expires_ms;
        }
        assert_eq!(said(self.record(entry)), Said::Submitted);
    }

    fn give_up(&mut self, item: &OutboxItem, code: WireCode) {
        let entry = Entry::Undeliverable {
            item: item.clone(),
            code,
            attempts: 7,
        };
        assert!(matches!(self.record(entry), Outcome::Done));
    }

    fn order(&mut self, key: &Bytes, act: Act) -> Result<(), WireCode> {
        let key = key.clone();
        match self.record(Entry::Order { key, act }) {
            Outcome::Done => Ok(()),
            Outcome::Failed(code) => Err(code),
            other => panic!("{other:?}"),
        }
    }

    fn accept(&mut self, item: &OutboxItem) {
        let entry = Entry::PeerReceipt(PeerReceiptEntry {
            message: item.message,
            node: item.node().to_owned(),
            detail: String::new(),
            receipt: Bytes::from_static(b"a receipt"),
            refusal: None,
            outbox_key: Some(item.key.clone()),
        });
        assert!(matches!(self.record(entry), Outcome::Done));
    }

    /// The code of every delivery of a message that did not get there.
    fn not_delivered(&self, number: u8) -> Vec<u32> {
        let message = MessageKey::new("a", MessageId([number; 16]));
        let prefix = records::message_key(message, UNDELIVERABLE_SUFFIX, &[]);
        let rows = self.sequencer.index.scan(Table::Message, &prefix, None, 10);
        let rows = rows.expect("an index").into_iter();
        rows.map(|(_, place)| {
            let place = u64::from_be_bytes(place[..].try_into().expect("a position"));
            let reader = self.sequencer.journal.reader();
            let (_, bytes) = reader.read(Position::from_u64(place)).expect("whole");
            Record::decode(bytes).expect("a record").code
        })
        .collect()
    }
}

// DEL-32, DEL-33: the way there and back changes nothing, and what a node is given up for at one
// destination is nothing to the other.
#[test]
fn requeue_is_the_exact_inverse_of_giving_up() {
    let mut scene = Scene::new();
    scene.file(1, u64::MAX, &["nb", "nc"]);
    let before = scene.rows();
    let item = scene.waiting().remove(0);
    scene.give_up(&item, NEVER);
    assert_eq!(scene.keys(Table::Dead), vec![item.key.clone()]);
    assert_eq!(scene.waiting().len(), 1);
    assert_eq!(scene.not_delivered(1), [NEVER as u32]);
    // Giving up what is given up says nothing new.
    scene.give_up(&item, WireCode::Expired);
    assert_eq!(scene.not_delivered(1), [NEVER as u32]);
    scene.restart();
    let value = scene.rows()[&(Table::Dead as u8, item.key.clone())].clone();
    let dead = records::parse_dead(item.key.clone(), &value).expect("a row");
    assert_eq!(dead.item, item);
    assert_eq!(scene.order(&item.key, Act::Requeue), Ok(()));
    assert_eq!(scene.rows(), before);
    // Asked again, it waits already.
    assert_eq!(scene.order(&item.key, Act::Requeue), Ok(()));
    assert_eq!(scene.rows(), before);
    scene.restart();
    assert_eq!(scene.rows(), before);
}

// DEL-32: what was answered is not given up afterwards, not even in the same block.
#[test]
fn what_was_answered_is_not_given_up() {
    let mut scene = Scene::new();
    scene.file(1, u64::MAX, &["nb"]);
    let item = scene.waiting().remove(0);
    scene.accept(&item);
    scene.give_up(&item, WireCode::Expired);
    assert_eq!(scene.keys(Table::Dead), Vec::<Bytes>::new());
    assert_eq!(scene.not_delivered(1), Vec::<u32>::new());
    assert_eq!(scene.order(&item.key, Act::Drop), Err(WireCode::NotFound));
}

// DEL-33: an envelope whose time is over does not wait again.
#[test]
fn what_has_expired_is_not_queued_again() {
    let mut scene = Scene::new();
    scene.file(1, 1, &["nb"]);
    let item = scene.waiting().remove(0);
    scene.give_up(&item, WireCode::Expired);
    let refused = scene.order(&item.key, Act::Requeue);
    assert_eq!(refused, Err(WireCode::Expired));
    assert_eq!(scene.keys(Table::Dead), vec![item.key.clone()]);
    assert_eq!(scene.order(&item.key, Act::Drop), Ok(()));
    assert_eq!(scene.keys(Table::Dead), Vec::<Bytes>::new());
    // That it was given up remains the truth.
    assert_eq!(scene.not_delivered(1), [WireCode::Expired as u32]);
    assert_eq!(scene.order(&item.key, Act::Drop), Err(WireCode::NotFound));
}

// DEL-34: what is dropped while it waits is no dead letter, and the sender's node says why.
#[test]
fn what_is_dropped_while_it_waits_is_withdrawn() {
    let mut scene = Scene::new();
    scene.file(1, u64::MAX, &["nb"]);
    let item = scene.waiting().remove(0);
    assert_eq!(scene.order(&item.key, Act::Drop), Ok(()));
    assert_eq!(scene.waiting(), Vec::new());
    assert_eq!(scene.keys(Table::Dead), Vec::<Bytes>::new());
    assert_eq!(scene.not_delivered(1), [WireCode::Withdrawn as u32]);
    let requeued = scene.order(&item.key, Act::Requeue);
    assert_eq!(requeued, Err(WireCode::NotFound));
    // An answer that was on its way is kept all the same.
    scene.accept(&item);
    scene.restart();
    assert_eq!(scene.not_delivered(1), [WireCode::Withdrawn as u32]);
}

// DEL-32, DEL-33, DEL-34: whatever happens in whatever order, the journal makes the same index.
#[test]
fn every_history_replays_to_the_index_that_lived() {
    let mut rng = Random::seeded([9; 32]).rng();
    let mut scene = Scene::new();
    let (mut filed, mut dead_seen) = (0_u8, 0);
    for step in 0..400 {
        let waiting = scene.waiting();
        let dead = scene.keys(Table::Dead);
        dead_seen = dead_seen.max(dead.len());
        let pick = |length: usize, draw: u32| draw as usize % length.max(1);
        let item = waiting.get(pick(waiting.len(), rng.next_u32()));
        let letter = dead.get(pick(dead.len(), rng.next_u32()));
        match (rng.next_u32() % 6, item, letter) {
            (0, ..) | (_, None, _) if filed < 250 => {
                filed += 1;
                let expires_ms = if filed.is_multiple_of(5) { 1 } else { u64::MAX };
                scene.file(filed, expires_ms, &["nb", "nc"]);
            }
            (1 | 2, Some(item), _) => scene.give_up(item, NEVER),
            (3, Some(item), _) => scene.accept(item),
            (4, _, Some(key)) => {
                let _ = scene.order(key, Act::Requeue);
            }
            (5, Some(item), None) => scene.order(&item.key, Act::Drop).expect("it waits"),
            (5, _, Some(key)) => scene.order(key, Act::Drop).expect("it is there"),
            _ => {}
        }
        let both = scene.waiting();
        let both = both.iter().filter(|item| dead_has(&scene, &item.key));
        assert_eq!(both.count(), 0, "step {step}");
        if step % 40 == 39 {
            let lived = scene.rows();
            scene.restart();
            assert_eq!(scene.rows(), lived, "step {step}");
        }
    }
    assert!(filed > 50 && dead_seen > 5, "{filed} {dead_seen}");
}

fn dead_has(scene: &Scene, key: &Bytes) -> bool {
    let found = scene.sequencer.index.get(Table::Dead, key);
    found.expect("an index").is_some()
}

// DEL-32: a journal of before this form says since when all the same.
#[test]
fn a_record_without_its_beginning_takes_the_time_of_its_leaf() {
    let mut scene = Scene::new();
    scene.file(1, u64::MAX, &["nb"]);
    let item = scene.waiting().remove(0);
    assert!(item.since_ms > 0);
    let reader = scene.sequencer.journal.reader();
    let (kind, bytes) = reader.read(item.position).expect("whole");
    let mut record = Record::decode(bytes).expect("a record");
    let changes = |record: &Record| -> Vec<Change> {
        records::changes(kind, item.position, record).expect("a record of its kind")
    };
    let now = changes(&record);
    record.since_ms = 0;
    assert_eq!(changes(&record), now);
}

// NOD-13: an index of another form is made anew, and then says all that this form says.
#[test]
fn an_index_of_another_form_is_made_anew() {
    let mut scene = Scene::new();
    scene.file(1, u64::MAX, &["nb"]);
    let lived = scene.rows();
    let (disk, log): (Arc<dyn crate::disk::Disk>, _) = (
        Arc::new(RealDisk),
        LogVerifier::new(
            log::origin("f", "n", 1),
            SigningKey::from_seed(&[3; 32]).verifying_key(),
        ),
    );
    let folders = Folders {
        journal: scene.dir.path().join("journal"),
        logs: scene.dir.path().join("log"),
    };
    let config = JournalConfig {
        segment_bytes: 1024 * 1024,
        fill_ahead_bytes: 64 * 1024,
        salt: 1,
    };
    let fresh = tempfile::tempdir().expect("a folder");
    drop(std::mem::replace(&mut scene.sequencer, open(&fresh)));
    let index = Index::open(None).expect("memory");
    let open = || {
        let logs = std::slice::from_ref(&log);
        let replay = replay::open(&disk, &folders, config, &index, logs, false, &mut |_, _| {});
        let mut replay = replay.expect("a sound journal");
        let tail = Mutex::new(replay.tail);
        let published = replay.publisher.publish(&tail, &index);
        published.expect("a disk that works");
        replay.rebuilt
    };
    assert!(open(), "an empty index is made");
    assert!(!open(), "one of this form is kept");
    let mut state = State::decode(index.state().expect("a state")).expect("ours");
    assert_eq!(state.form, INDEX_FORM);
    state.form = 0;
    let key = scene_key(&lived);
    let old = Bytes::from_static(&[0; 24]);
    index.apply(vec![Change {
        table: Table::Outbox,
        key: key.to_vec(),
        value: Some(old),
    }]);
    index.flush(&state.encode_to_vec()).expect("memory");
    assert!(open(), "one of another form is made anew");
    let value = index.get(Table::Outbox, &key).expect("an index");
    assert_eq!(value.as_ref(), lived.get(&(Table::Outbox as u8, key)));
}

fn scene_key(rows: &Rows) -> Bytes {
    let mut keys = rows.keys();
    let outbox = keys.find(|(number, _)| *number == Table::Outbox as u8);
    outbox.expect("one waits").1.clone()
}
