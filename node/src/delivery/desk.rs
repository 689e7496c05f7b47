//! What is known of one destination while the node runs: what is under way, what rests and why.
//!
//! The worker writes it, whoever asks about the outbox reads it. It is lost with the process, and
//! nothing hangs on it: what is to be delivered is in the ledger. Everything in it is bounded, by
//! the requests that may be under way and by LIM-60. Spec: DEL-41.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use frex_proto::{delivery::Backoff, error::WireCode, v1};
use tokio::time::Instant;

use super::{breaker::Breaker, slots::Slots};
use crate::ledger::records::LANES;

mod outlook;
mod settle;
mod take;

pub use outlook::Outlook;

/// The desks of all destinations, by node id.
#[derive(Debug, Default)]
pub struct Desks(Mutex<BTreeMap<String, Arc<Desk>>>);

/// One destination.
#[derive(Debug)]
pub struct Desk {
    node: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    link: Link,
    slots: Slots,
    in_flight: BTreeSet<Bytes>,
    /// Per lane, the last key that was taken up.
    cursors: [Option<Bytes>; LANES.len()],
    /// Per lane, when to begin at the start again for items that rest and are not remembered.
    look_again: [Option<Instant>; LANES.len()],
    breakers: [Breaker; LANES.len()],
    /// Items that rest, each for a reason of its own.
    resting: BTreeMap<Bytes, Resting>,
    /// When the destination last said anything about anything.
    heard: Option<Instant>,
    /// Something that was looked at long ago waits again.
    requeued: bool,
    /// Per lane, how much is past half of its life.
    late: [usize; LANES.len()],
}

#[derive(Debug)]
struct Resting {
    until: Instant,
    backoff: Backoff,
    code: WireCode,
    /// Nobody refused it: one of its recipients is suspended.
    withheld: bool,
    /// It goes in a request of its own.
    alone: bool,
}

/// How the destination can be reached.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// Nothing waits, so nobody has tried.
    Idle,
    /// There is a session.
    Up,
    /// There is none, and it is tried again at a time that hangs on the lane.
    Down {
        /// Why.
        code: WireCode,
        /// How often in a row.
        attempts: u32,
        /// When, by lane.
        until: [Instant; LANES.len()],
    },
    /// The roster does not let it act, or our people have suspended it.
    Barred(WireCode),
}

impl Desks {
    /// The desk of a node of the roster, made when it is first asked for.
    pub fn open(&self, node: &str, requests_max: usize) -> Arc<Desk> {
        let mut desks = self.lock();
        let made = || Arc::new(Desk::new(node, requests_max));
        desks.entry(node.to_owned()).or_insert_with(made).clone()
    }

    /// The desk of a node, if it has one.
    #[must_use]
    pub fn get(&self, node: &str) -> Option<Arc<Desk>> {
        self.lock().get(node).cloned()
    }

    /// What is past half of its life, by node and lane: only where something is.
    #[must_use]
    pub fn late(&self) -> Vec<(String, v1::Lane, usize)> {
        let mut found = Vec::new();
        for (node, desk) in self.lock().iter() {
            let late = desk.lock().late;
            let some = LANES.into_iter().zip(late).filter(|(_, count)| *count > 0);
            found.extend(some.map(|(lane, count)| (node.clone(), lane, count)));
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn new(node: &str, requests_max: usize) -> Self {
        Self {
            node: node.to_owned(),
            state: Mutex::new(State {
                link: Link::Idle,
                slots: Slots::new(requests_max),
                in_flight: BTreeSet::new(),
                cursors: Default::default(),
                look_again: Default::default(),
                breakers: Default::default(),
                resting: BTreeMap::new(),
                heard: None,
                requeued: false,
                late: Default::default(),
            }),
        }
    }

    /// The destination.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// How the destination can be reached from now on. With a session everything may go that the
    /// destination did not ask to wait; without one nothing is under way. Spec: DEL-40.
    pub fn set_link(&self, link: Link) {
        let mut state = self.lock();
        state.link = link;
        state.in_flight.clear();
        state.slots.clear();
        state.cursors = Default::default();
        for breaker in &mut state.breakers {
            breaker.forget_probe();
            if matches!(link, Link::Up) {
                breaker.hurry();
            }
        }
    }

    /// Something waits again that may stand before what was taken up last.
    pub fn requeued(&self, slot: usize) {
        let mut state = self.lock();
        state.cursors[slot] = None;
        state.requeued = true;
    }

    /// Whether something waits again since this was last asked.
    #[must_use]
    pub fn take_requeued(&self) -> bool {
        std::mem::take(&mut self.lock().requeued)
    }

    /// What was kept back for somebody's suspension may go: whether it does is looked at now.
    pub fn let_go(&self) {
        let mut state = self.lock();
        let withheld = state.resting.values_mut().filter(|item| item.withheld);
        withheld.for_each(|item| item.until = Instant::now());
        state.cursors = Default::default();
    }

    /// Whether an answer about an item may come any moment.
    #[must_use]
    pub fn is_in_flight(&self, key: &Bytes) -> bool {
        self.lock().in_flight.contains(key)
    }

    /// So much is past half of its life, by lane.
    pub fn set_late(&self, late: [usize; LANES.len()]) {
        self.lock().late = late;
    }

    /// Items that rest, and requests under way.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.resting.len(), state.slots.total())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state whole: a panic in between loses what is not the truth.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
