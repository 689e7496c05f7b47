//! What was seen of another log is taken one after the other, and follows from the journal.

use frex_proto::log::{Checkpoint, Fork, empty_root};

use super::*;
use crate::{index::Table, ledger::SeenEntry, ledger::records::SeenLog};

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
        SeenLog::decode(value).expect("a row")
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
