//! Heads of logs that passed by in Hellos and receipts, until they are compared with what is known.
//! Nothing here is verified but the largest of each log, and nothing is on disk. Spec: WIT-14.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use frex_proto::{error::WireCode, log::Checkpoint};
use serde::Serialize;
use tokio::sync::Notify;

/// Heads of one log that wait. When there are more, the largest takes the place of the one that was.
const WAITING_MAX: usize = 16;
/// What others say they have seen of the own log, and nobody has looked at yet.
const OWN_MAX: usize = 64;

/// What passed by.
#[derive(Debug, Default)]
pub struct Heads {
    logs: Mutex<BTreeMap<String, Log>>,
    own: Mutex<Vec<Bytes>>,
    passed: Notify,
    own_passed: Notify,
    forked: Notify,
}

/// The log of one node. The roster names nodes, so there are no more of these than it has had.
#[derive(Debug, Default)]
struct Log {
    waiting: Vec<Shown>,
    /// What could not be compared, largest first.
    left: Vec<Shown>,
    last: Option<Checkpoint>,
    /// The largest of the newest log that it has signed and that has passed by, compared or not.
    largest: Option<Shown>,
    doubt: Option<Doubt>,
    forked: bool,
}

/// A head as somebody showed it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What it says.
    pub head: Checkpoint,
    /// The note.
    pub note: Bytes,
}

/// A log that does not prove that it extends what it has shown: no evidence, but not in order either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Since when, milliseconds.
    pub since_ms: u64,
    /// Not as large as it was, or without a proof.
    pub code: WireCode,
}

/// A log in doubt, as an operator reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoubtedLog {
    /// Whose.
    pub node: String,
    /// Since when, milliseconds.
    pub since_ms: u64,
    /// Why, as a code.
    pub code: &'static str,
}

impl Heads {
    /// The log of `node` has shown `head`, signed as `note`. The head of before costs nothing.
    pub fn pass(&self, node: &str, head: &Checkpoint, note: &Bytes) {
        let mut logs = self.logs();
        if let Some(log) = logs.get_mut(node) {
            if !log.take(head, note) {
                return;
            }
        } else {
            let mut log = Log::default();
            log.take(head, note);
            logs.insert(node.to_owned(), log);
        }
        drop(logs);
        self.passed.notify_one();
    }

    /// The log of `node` has signed `head`, as was verified. What only somebody says it has shown must not stand
    /// here: it would hide what is true, and can be as large as he likes. Spec: WIT-8.
    pub fn signed(&self, node: &str, head: &Checkpoint, note: &Bytes) {
        let mut logs = self.logs();
        if let Some(log) = logs.get_mut(node) {
            log.sign(head, note);
        } else {
            let mut log = Log::default();
            log.sign(head, note);
            logs.insert(node.to_owned(), log);
        }
    }

    /// Somebody has seen this head of the own log.
    pub fn pass_own(&self, note: &Bytes) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.len() < OWN_MAX && !own.contains(note) {
            own.push(Bytes::copy_from_slice(note));
            self.own_passed.notify_one();
        }
    }

    /// Resolves when something waits to be compared.
    pub async fn passed(&self) {
        self.passed.notified().await;
    }

    /// Resolves when somebody has shown a head of the own log.
    pub async fn own_passed(&self) {
        self.own_passed.notified().await;
    }

    /// Resolves when a log was found to have signed two histories.
    pub async fn forked(&self) {
        self.forked.notified().await;
    }

    /// A log of `node` has signed two histories.
    pub fn fork(&self, node: &str) {
        self.logs().entry(node.to_owned()).or_default().forked = true;
        self.forked.notify_one();
    }

    /// Nodes whose logs have signed two histories.
    #[must_use]
    pub fn forks(&self) -> Vec<String> {
        let logs = self.logs();
        let forked = logs.iter().filter(|(_, log)| log.forked);
        forked.map(|(node, _)| node.clone()).collect()
    }

    /// What waits, by node, each with what was left of it before; and with `all` what was left of the
    /// others too. It is not kept here any longer.
    #[must_use]
    pub fn take(&self, all: bool) -> Vec<(String, Vec<Shown>)> {
        let mut logs = self.logs();
        let due = logs
            .iter_mut()
            .filter(|(_, log)| !log.waiting.is_empty() || all && !log.left.is_empty());
        due.map(|(node, log)| {
            let mut shown = std::mem::take(&mut log.left);
            shown.append(&mut log.waiting);
            (node.clone(), shown)
        })
        .collect()
    }

    /// The largest head that the log `origin` of `node` has signed, of those that have passed by, whether it was
    /// compared or not.
    #[must_use]
    pub fn largest(&self, node: &str, origin: &str) -> Option<Shown> {
        let logs = self.logs();
        let largest = logs.get(node)?.largest.as_ref();
        largest.filter(|shown| shown.head.origin == origin).cloned()
    }

    /// Whether something could not be compared.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.logs().values().any(|log| !log.left.is_empty())
    }

    /// What others have seen of the own log; it is not kept here any longer.
    #[must_use]
    pub fn take_own(&self) -> Vec<Bytes> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut own)
    }

    /// Leaves what could not be compared for later, the largest of it in any case.
    pub fn leave(&self, node: &str, mut shown: Vec<Shown>) {
        shown.sort_by_key(|shown| std::cmp::Reverse(shown.head.size));
        shown.truncate(WAITING_MAX);
        self.logs().entry(node.to_owned()).or_default().left = shown;
    }

    /// Sets or lifts what is to be said against a log; says whether that is new.
    pub fn doubt(&self, node: &str, code: Option<WireCode>, now_ms: u64) -> bool {
        let mut logs = self.logs();
        let doubt = &mut logs.entry(node.to_owned()).or_default().doubt;
        let is_new = doubt.map(|doubt| doubt.code) != code;
        if is_new {
            let since_ms = doubt.map_or(now_ms, |doubt| doubt.since_ms);
            *doubt = code.map(|code| Doubt { since_ms, code });
        }
        is_new
    }

    /// Whether something is to be said against the log of `node`.
    #[must_use]
    pub fn is_doubted(&self, node: &str) -> bool {
        self.logs().get(node).is_some_and(|log| log.doubt.is_some())
    }

    /// The logs in doubt.
    #[must_use]
    pub fn doubts(&self) -> Vec<DoubtedLog> {
        let logs = self.logs();
        let doubts = logs
            .iter()
            .filter_map(|(node, log)| Some((node, log.doubt?)));
        doubts
            .map(|(node, doubt)| DoubtedLog {
                node: node.clone(),
                since_ms: doubt.since_ms,
                code: doubt.code.info().name,
            })
            .collect()
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<String, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Says whether it is another head than those that wait and the one before.
    fn take(&mut self, head: &Checkpoint, note: &Bytes) -> bool {
        let known = |seen: &Checkpoint| seen == head;
        if self.last.as_ref().is_some_and(known)
            || self.waiting.iter().any(|shown| known(&shown.head))
        {
            return false;
        }
        self.last = Some(head.clone());
        let shown = Shown {
            head: head.clone(),
            // Not the frame that it came in.
            note: Bytes::copy_from_slice(note),
        };
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push(shown);
            return true;
        }
        let largest = self.waiting.iter_mut().max_by_key(|shown| shown.head.size);
        if let Some(largest) = largest.filter(|largest| largest.head.size < head.size) {
            *largest = shown;
        }
        true
    }

    /// Keeps it if it is the largest of the newest log.
    fn sign(&mut self, head: &Checkpoint, note: &Bytes) {
        let known = self.largest.as_ref().map(|known| &known.head);
        let is_newer = known.is_none_or(|known| {
            head.is_of_later_log(&known.origin)
                || head.origin == known.origin && head.size > known.size
        });
        if is_newer {
            self.largest = Some(Shown {
                head: head.clone(),
                // Not the frame that it came in.
                note: Bytes::copy_from_slice(note),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64, root: u8) -> Checkpoint {
        Checkpoint {
            origin: "frex/f/n/log/1".to_owned(),
            size,
            root: [root; 32],
        }
    }

    fn sizes(heads: &Heads) -> Vec<u64> {
        let taken = heads.take(false);
        let shown = taken.iter().flat_map(|(_, shown)| shown);
        shown.map(|shown| shown.head.size).collect()
    }

    // WIT-14: of a busy log so many heads are kept as are compared, the largest always among them.
    #[test]
    fn of_many_heads_some_and_the_largest_wait() {
        let heads = Heads::default();
        for size in 1..=100 {
            heads.pass("n", &head(size, 0), &Bytes::new());
            heads.pass("n", &head(size, 0), &Bytes::new());
        }
        heads.pass("n", &head(40, 1), &Bytes::new());
        let waiting = sizes(&heads);
        assert_eq!(waiting.len(), WAITING_MAX);
        assert_eq!(waiting.iter().max(), Some(&100));
        // What was compared does not come again.
        heads.pass("n", &head(40, 1), &Bytes::new());
        assert!(sizes(&heads).is_empty());
        heads.pass("n", &head(101, 1), &Bytes::new());
        assert_eq!(sizes(&heads), [101]);
    }

    // WIT-14, WIT-15: what was left is taken with what is new, or when everything is due, and the largest of it is
    // never lost to newer and smaller ones.
    #[test]
    fn what_is_left_keeps_its_largest_head() {
        let heads = Heads::default();
        heads.pass("n", &head(1000, 0), &Bytes::new());
        let (node, shown) = heads.take(false).remove(0);
        for size in 1..=20 {
            heads.pass("n", &head(size, 1), &Bytes::new());
        }
        heads.leave(&node, shown);
        assert!(heads.has_left());
        let (node, shown) = heads.take(false).remove(0);
        assert!(shown.iter().any(|shown| shown.head.size == 1000));
        heads.leave(&node, shown);
        assert!(heads.take(false).is_empty(), "nothing new");
        let shown = heads.take(true).remove(0).1;
        assert_eq!((shown.len(), shown[0].head.size), (WAITING_MAX, 1000));
        assert!(!heads.has_left());
    }

    // WIT-8: the largest head that a log has signed is known also while it is compared and afterwards, and a later
    // log's takes its place; one that nobody has verified does not.
    #[test]
    fn the_largest_head_that_was_signed_is_not_forgotten() {
        let heads = Heads::default();
        let size = |origin: &str| Some(heads.largest("n", origin)?.head.size);
        let first = head(1, 0).origin;
        assert_eq!(size(&first), None);
        for size in [3, 9, 4] {
            heads.signed("n", &head(size, 0), &Bytes::new());
            heads.pass("n", &head(size + 1000, 0), &Bytes::new());
        }
        assert_eq!(size(&first), Some(9));
        let _ = heads.take(true);
        assert_eq!((size(&first), size("frex/f/n/log/2")), (Some(9), None));
        let next = Checkpoint {
            origin: "frex/f/n/log/2".to_owned(),
            ..head(1, 0)
        };
        heads.pass("n", &next, &Bytes::new());
        assert_eq!((size(&first), size(&next.origin)), (Some(9), None));
        heads.signed("n", &next, &Bytes::new());
        assert_eq!((size(&first), size(&next.origin)), (None, Some(1)));
    }

    // WIT-15: a doubt keeps its beginning until it is lifted, and is told once.
    #[test]
    fn a_doubt_is_told_once_and_lifted() {
        let heads = Heads::default();
        assert!(heads.doubt("n", Some(WireCode::BadProof), 5));
        assert!(!heads.doubt("n", Some(WireCode::BadProof), 6));
        assert!(heads.doubt("n", Some(WireCode::LogRolledBack), 7));
        let doubts = heads.doubts();
        assert_eq!((doubts.len(), doubts[0].since_ms), (1, 5));
        assert!(heads.doubt("n", None, 8));
        assert!(heads.doubts().is_empty());
    }
}
