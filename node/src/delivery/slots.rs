//! How many requests of one destination may be under way, and which are kept for whom.
//!
//! The most urgent lane goes first. But it must not find every request taken by lanes that came
//! before it, and the last lane must not wait for ever: so some requests are kept free for both.
//! Spec: DEL-38.

use crate::ledger::records::LANES;

const BULK: usize = LANES.len() - 1;
/// URGENT and CONTROL.
const URGENT_LANES: usize = 2;

/// Requests under way, by lane.
#[derive(Debug)]
pub struct Slots {
    max: usize,
    busy: [usize; LANES.len()],
}

impl Slots {
    /// Room for `max` requests, at least 3.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            max,
            busy: [0; LANES.len()],
        }
    }

    /// Whether one more request of a lane may start.
    #[must_use]
    pub fn has_room(&self, slot: usize) -> bool {
        let urgent: usize = self.busy[..URGENT_LANES].iter().sum();
        let kept_for_urgent = match slot < URGENT_LANES {
            true => 0,
            false => self.max.div_ceil(10).saturating_sub(urgent),
        };
        let kept_for_bulk = match slot == BULK {
            true => 0,
            false => self.max.div_ceil(20).saturating_sub(self.busy[BULK]),
        };
        self.total() + kept_for_urgent + kept_for_bulk < self.max
    }

    /// A request of a lane has started.
    pub fn begin(&mut self, slot: usize) {
        self.busy[slot] += 1;
    }

    /// A request of a lane has ended.
    pub fn end(&mut self, slot: usize) {
        self.busy[slot] = self.busy[slot].saturating_sub(1);
    }

    /// None is under way.
    pub fn clear(&mut self) {
        self.busy = [0; LANES.len()];
    }

    /// How many are under way.
    #[must_use]
    pub fn total(&self) -> usize {
        self.busy.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(slots: &mut Slots, slot: usize) -> usize {
        let mut begun = 0;
        while slots.has_room(slot) {
            slots.begin(slot);
            begun += 1;
        }
        begun
    }

    // DEL-38: whoever comes first leaves the others their share, in any order.
    #[test]
    fn every_lane_finds_its_share_free_whoever_came_first() {
        for max in [3_usize, 4, 16, 64, 1024] {
            let (tenth, twentieth) = (max.div_ceil(10), max.div_ceil(20));
            let mut slots = Slots::new(max);
            assert_eq!(fill(&mut slots, 2), max - tenth - twentieth);
            assert_eq!(fill(&mut slots, 3), twentieth);
            assert_eq!(fill(&mut slots, 1) + fill(&mut slots, 0), tenth);
            assert_eq!(slots.total(), max);

            let mut slots = Slots::new(max);
            assert_eq!(fill(&mut slots, 3), max - tenth);
            assert_eq!(fill(&mut slots, 2), 0);
            assert_eq!(fill(&mut slots, 0), tenth);

            let mut slots = Slots::new(max);
            assert_eq!(fill(&mut slots, 0), max - twentieth);
            assert_eq!(fill(&mut slots, 2), 0);
            assert_eq!(fill(&mut slots, 3), twentieth);
        }
    }
}
