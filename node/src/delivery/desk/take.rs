//! Which items go out next.

use std::{collections::btree_map::Entry, time::Duration};

use bytes::Bytes;
use frex_proto::{
    delivery::{Backoff, cap_ms},
    error::WireCode,
    limits,
};
use tokio::time::Instant;

use super::{Desk, Resting, State};
use crate::{
    delivery::{
        Batch,
        breaker::{Breaker, Passage},
    },
    ledger::{
        LedgerError,
        query::Ledger,
        records::{LANES, OutboxItem, lane_slot},
    },
};

impl Desk {
    /// The next items of the most urgent lane that has any and may send, up to `items_max`.
    /// Spec: DEL-38.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn next_batch(
        &self,
        ledger: &Ledger,
        items_max: usize,
    ) -> Result<Option<Batch>, LedgerError> {
        let mut state = self.lock();
        let now = Instant::now();
        for slot in 0..LANES.len() {
            if !state.slots.has_room(slot) {
                continue;
            }
            let (items, probe) = match state.breakers[slot].passage(now) {
                Passage::Nothing => continue,
                Passage::All => (state.take(&self.node, slot, items_max, ledger)?, false),
                Passage::One => {
                    let mut items = state.take(&self.node, slot, 1, ledger)?;
                    // One that fails for reasons of its own must not be the only one to be tried.
                    if items.is_empty() && state.cursors[slot].take().is_some() {
                        items = state.take(&self.node, slot, 1, ledger)?;
                    }
                    (items, true)
                }
            };
            if items.is_empty() {
                continue;
            }
            if probe {
                state.breakers[slot].probe();
            }
            state.slots.begin(slot);
            let keys = items.iter().map(|item| item.key.clone());
            state.in_flight.extend(keys);
            let batch = Batch {
                slot,
                probe,
                began: now,
                items,
            };
            return Ok(Some(batch));
        }
        Ok(None)
    }

    /// When something that waits for its time comes up next, if anything does.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        let (state, now) = (self.lock(), Instant::now());
        let resting = state.resting.values().map(|resting| resting.until);
        let breakers = state.breakers.iter().filter_map(Breaker::rest);
        let lanes = breakers.map(|rest| rest.until);
        let looks = state.look_again.iter().flatten().copied();
        // What is due and was not taken up waits for an answer, and not for a time.
        let times = resting.chain(lanes).chain(looks);
        times.filter(|until| *until > now).min()
    }
}

impl State {
    fn take(
        &mut self,
        node: &str,
        slot: usize,
        items_max: usize,
        ledger: &Ledger,
    ) -> Result<Vec<OutboxItem>, LedgerError> {
        let now = Instant::now();
        if self.look_again[slot].is_some_and(|at| at <= now) {
            self.look_again[slot] = None;
            self.cursors[slot] = None;
        }
        let mut items = self.rested(slot, items_max, ledger, now)?;
        if let [first] = &items[..]
            && self.resting.get(&first.key).is_some_and(|item| item.alone)
        {
            return Ok(items);
        }
        let lane = u8::try_from(slot).unwrap_or(u8::MAX);
        while items.len() < items_max {
            let limit = items_max - items.len();
            let found = ledger.outbox(node, lane, self.cursors[slot].as_deref(), limit)?;
            let Some(last) = found.last() else { break };
            self.cursors[slot] = Some(last.key.clone());
            let idle = |item: &OutboxItem| {
                !self.in_flight.contains(&item.key) && !self.resting.contains_key(&item.key)
            };
            items.extend(found.into_iter().filter(idle));
        }
        Ok(items)
    }

    /// Items of a lane that were refused and whose rest is over: one that goes alone, or some.
    fn rested(
        &mut self,
        slot: usize,
        items_max: usize,
        ledger: &Ledger,
        now: Instant,
    ) -> Result<Vec<OutboxItem>, LedgerError> {
        let mut due: Vec<Bytes> = Vec::new();
        for (key, resting) in &self.resting {
            let is_due = resting.until <= now && lane_slot(key) == slot;
            if !is_due || self.in_flight.contains(key) {
                continue;
            }
            if resting.alone {
                due = vec![key.clone()];
                break;
            }
            if due.len() < items_max {
                due.push(key.clone());
            }
        }
        let mut items = Vec::with_capacity(due.len());
        for key in due {
            match ledger.outbox_item(&key)? {
                Some(item) => items.push(item),
                None => {
                    self.resting.remove(&key);
                }
            }
        }
        Ok(items)
    }

    /// The place where an item rests; none if there are too many already: then the whole lane is
    /// looked through again after its longest pause. Spec: DEL-41.
    pub(super) fn rest(&mut self, key: Bytes, code: WireCode) -> Option<&mut Resting> {
        let (full, slot) = (
            self.resting.len() >= limits::RESTING_ITEMS_MAX,
            lane_slot(&key),
        );
        match self.resting.entry(key) {
            Entry::Occupied(known) => {
                let resting = known.into_mut();
                (resting.code, resting.withheld) = (code, false);
                Some(resting)
            }
            Entry::Vacant(_) if full => {
                let pause = Duration::from_millis(cap_ms(LANES[slot]));
                self.look_again[slot].get_or_insert_with(|| Instant::now() + pause);
                None
            }
            Entry::Vacant(free) => Some(free.insert(Resting {
                until: Instant::now(),
                backoff: Backoff::default(),
                code,
                withheld: false,
                alone: false,
            })),
        }
    }
}
