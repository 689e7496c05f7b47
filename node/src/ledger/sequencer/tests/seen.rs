//! What was seen of another log is taken one after the other, and follows from the journal.

use frex_proto::log::{Checkpoint, empty_root};

use super::*;
use crate::{index::Table, ledger::SeenEntry, ledger::records::SeenLog};

const LOG: &str = "frex/f.test/node.b/log/1";

fn sight(known: (u64, Hash), size: u64, root: u8, contradicts: bool) -> Entry {
    Entry::Seen(SeenEntry {
        known,
        head: Checkpoint {
            origin: LOG.to_owned(),
            size,
            root: [root; 32],
        },
        checkpoint: Bytes::from(format!("a head of {size} with {root}")),
        contradicts,
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
        let entry = sight(nothing, size, 1, false);
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
    let late = sight((7, [1; 32]), 12, 1, false);
    assert_eq!(scene.code(late), Some(WireCode::RetryAfter));
    assert_eq!(scene.code(sight((9, [1; 32]), 12, 1, false)), None);
    assert_eq!(scene.seen().size, 12);
}

// WIT-10: a contradiction is kept beside what it contradicts, and nothing is taken of that log any more.
#[test]
fn a_log_that_contradicts_itself_is_done_with() {
    let mut scene = Scene::new();
    let _ = scene.record(sight((0, empty_root()), 9, 1, false));
    assert_eq!(scene.code(sight((9, [1; 32]), 9, 2, true)), None);
    scene.restart();
    let seen = scene.seen();
    assert_eq!((seen.size, &seen.root[..]), (9, &[1; 32][..]));
    assert!(!seen.contradicts.is_empty() && seen.contradicts != seen.checkpoint);
    for entry in [
        sight((9, [1; 32]), 12, 1, false),
        sight((9, [1; 32]), 9, 3, true),
    ] {
        assert_eq!(scene.code(entry), Some(WireCode::Forked));
    }
}
