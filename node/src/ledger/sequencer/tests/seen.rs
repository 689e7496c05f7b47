//! What was seen of another log is taken one after the other, and follows from the journal.

use frex_proto::{
    limits,
    log::{Checkpoint, Fork, empty_root},
};

use super::*;
use crate::{
    index::Table,
    ledger::{
        SeenEntry,
        publish::State,
        records::{SeenLog, Sight},
    },
};

const LOG: &str = "frex/f.test/node.b/log/1";

fn sight(known: (u64, Hash), size: u64, root: u8) -> Entry {
    Entry::Seen(SeenEntry {
        known,
        head: Checkpoint {
            origin: LOG.to_owned(),
            size,
            root: [root; 32],
        },
        checkpoint: Bytes::from(format!("a head of {size} with {root}")),
        states_first: true,
    })
}

impl Scene {
    fn seen(&self) -> SeenLog {
        let key = records::seen_key(LOG);
        let value = self.sequencer.index.get(Table::Seen, &key);
        let value = value.expect("an index").expect("it was seen");
        let sight = Sight::parse(&value).expect("a row");
        let (_, bytes) = self
            .sequencer
            .journal
            .reader()
            .read(sight.position)
            .expect("whole");
        let seen = Record::decode(bytes)
            .expect("a record")
            .seen
            .expect("what was seen");
        assert_eq!(sight.forked, seen.is_fork());
        seen
    }

    fn code(&mut self, entry: Entry) -> Option<WireCode> {
        match self.record(entry) {
            Outcome::Failed(code) => Some(code),
            _ => None,
        }
    }
}

// WIT-5: of two that build on the same past one is taken, also if they come at once; and a crash changes nothing.
#[test]
fn two_sights_of_one_log_are_taken_one_after_the_other() {
    let mut scene = Scene::new();
    let nothing = (0, empty_root());
    let mut outcomes = Vec::new();
    let jobs = [9, 7].map(|size| {
        let (reply, outcome) = oneshot::channel();
        outcomes.push(outcome);
        let entry = sight(nothing, size, 1);
        Job { entry, reply }
    });
    let left = scene.sequencer.commit(jobs.into()).expect("a disk");
    assert_eq!(left.len(), 1, "the other one waits for the next block");
    let left = scene.sequencer.commit(left).expect("a disk");
    assert!(left.is_empty());
    let said = outcomes.iter_mut().map(|one| one.try_recv().expect("one"));
    let refused: Vec<bool> = said
        .map(|one| matches!(one, Outcome::Failed(WireCode::RetryAfter)))
        .collect();
    assert_eq!(refused, [false, true]);
    scene.restart();
    assert_eq!(scene.seen().size, 9);
    let late = sight((7, [1; 32]), 12, 1);
    assert_eq!(scene.code(late), Some(WireCode::RetryAfter));
    assert_eq!(scene.code(sight((9, [1; 32]), 12, 1)), None);
    assert_eq!(scene.seen().size, 12);
}

fn fork(size: u64, roots: [u8; 2]) -> Entry {
    Entry::Forked(Fork {
        origin: LOG.to_owned(),
        size,
        roots: roots.map(|root| [root; 32]),
        checkpoints: roots.map(|root| Bytes::from(format!("a head of {size} with {root}"))),
    })
}

// WIT-10: two histories are kept and stated once, also of a log that was never seen before, and
// nothing is taken of that log any more.
#[test]
fn a_log_that_contradicts_itself_is_done_with() {
    let mut scene = Scene::new();
    let _ = scene.record(sight((0, empty_root()), 12, 1));
    assert!(matches!(scene.record(fork(9, [1, 2])), Outcome::Receipt(_)));
    scene.restart();
    let seen = scene.seen();
    assert_eq!((seen.size, &seen.root[..]), (9, &[1; 32][..]));
    assert!(!seen.contradicts.is_empty() && seen.contradicts != seen.checkpoint);
    let more = sight((9, [1; 32]), 12, 1);
    assert_eq!(scene.code(more), Some(WireCode::Forked));
    let (size, again) = (
        scene.sequencer.frontier.size(),
        scene.record(fork(9, [1, 3])),
    );
    assert!(matches!(again, Outcome::Done));
    assert_eq!(scene.sequencer.frontier.size(), size);
    assert_eq!(scene.seen(), seen);
}

// WIT-10, WIT-11: heads as large as they may be, as two signatures of a key with a companion make them, are kept:
// the journal has them, and the index where they are, also one that is made anew.
#[test]
fn the_largest_heads_are_kept() {
    let largest = |byte: u8| Bytes::from(vec![byte; limits::SEEN_CHECKPOINT_BYTES_MAX]);
    let mut scene = Scene::new();
    let mut large = sight((0, empty_root()), 9, 1);
    if let Entry::Seen(entry) = &mut large {
        entry.checkpoint = largest(b'a');
        entry.states_first = false;
    }
    assert_eq!(scene.code(large), None);
    assert_eq!(scene.seen().checkpoint, largest(b'a'));
    scene.restart();
    assert_eq!(scene.seen().checkpoint, largest(b'a'));

    let mut large = fork(9, [1, 2]);
    if let Entry::Forked(fork) = &mut large {
        fork.checkpoints = [b'a', b'b'].map(largest);
    }
    assert!(matches!(scene.record(large), Outcome::Receipt(_)));
    let kept = scene.seen();
    assert_eq!(
        [kept.checkpoint.clone(), kept.contradicts.clone()],
        [b'a', b'b'].map(largest)
    );
    scene.restart();
    assert_eq!(scene.seen(), kept);
    assert_eq!(
        scene.code(sight((9, [1; 32]), 12, 1)),
        Some(WireCode::Forked)
    );
}

// NOD-13: the state of the index has room for the roots of the largest tree and the largest head.
#[test]
fn the_largest_state_is_kept() {
    let state = State {
        position: u64::MAX,
        size: u64::MAX >> 1,
        frontier: vec![Bytes::from_static(&[1; 32]); limits::PROOF_HASHES_MAX],
        checkpoint: vec![b'x'; limits::SEEN_CHECKPOINT_BYTES_MAX].into(),
        last_ms: u64::MAX,
        form: u32::MAX,
    };
    let index = Index::open(None).expect("memory");
    index.flush(&state.encode_to_vec()).expect("there is room");
    let kept = State::decode(index.state().expect("a state"));
    assert_eq!(kept.expect("ours"), state);
}
