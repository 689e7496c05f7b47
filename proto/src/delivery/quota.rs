//! How much somebody may still ask for.

use std::collections::BTreeMap;

use crate::{limits::MEMBERS_MAX, roster::Quota, v1::Lane};

/// What one thing costs: milliseconds of a minute, so that nothing is ever rounded.
const COST: u64 = 60_000;

/// So many at once, and so many again with each minute, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// At once, after a rest.
    pub burst: u32,
    /// And then.
    pub per_minute: u32,
}

/// What one has asked for and the time since has not made good. Spec: ADM-1.
///
/// A clock that is set back makes nothing good, and goes on from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    cost: u64,
    at_ms: u64,
}

/// The lanes that share a quota. Spec: ADM-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneClass {
    /// The urgent lane alone.
    Urgent,
    /// All others.
    Ordinary,
}

/// What the members have spent of their quotas, at one node and in one direction. It holds no more
/// of them than a roster has.
#[derive(Debug, Default)]
pub struct Quotas(BTreeMap<String, [Spent; 4]>);

impl Allowance {
    /// A minute's worth at once.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self {
            burst: count,
            per_minute: count,
        }
    }
}

impl Spent {
    /// Takes one.
    ///
    /// # Errors
    /// Nothing is taken; the milliseconds until one fits, if `ahead` others go first.
    pub fn take(&mut self, allowed: Allowance, ahead: u32, now_ms: u64) -> Result<(), u64> {
        let rate = u64::from(allowed.per_minute.max(1));
        let good_again = now_ms.saturating_sub(self.at_ms).saturating_mul(rate);
        self.cost = self.cost.saturating_sub(good_again);
        self.at_ms = now_ms;
        let due = self.cost + COST * (u64::from(ahead) + 1);
        let room = COST * u64::from(allowed.burst.max(1));
        match due.checked_sub(room) {
            None | Some(0) => {
                self.cost += COST;
                Ok(())
            }
            Some(over) => Err(over.div_ceil(rate)),
        }
    }

    /// When it was last asked for. A minute later nothing of a minute's worth is left to make good.
    #[must_use]
    pub const fn asked_ms(&self) -> u64 {
        self.at_ms
    }
}

impl LaneClass {
    /// The class of a lane.
    #[must_use]
    pub const fn of(lane: Lane) -> Self {
        match lane {
            Lane::Urgent => Self::Urgent,
            _ => Self::Ordinary,
        }
    }
}

impl Quota {
    /// How many envelopes of a class; none: no limit.
    #[must_use]
    pub const fn per_minute(self, class: LaneClass) -> Option<u32> {
        match class {
            LaneClass::Urgent => self.urgent_per_minute,
            LaneClass::Ordinary => self.envelopes_per_minute,
        }
    }
}

impl Quotas {
    /// Takes one envelope of `member`; what is `held` already draws on as much again, so that who
    /// repeats itself neither uses up what it needs for new ones nor is free to go on for ever.
    /// `ahead`: how many of this class were refused just before it. Spec: ADM-1 to ADM-3.
    ///
    /// # Errors
    /// The milliseconds after which it fits.
    pub fn take(
        &mut self,
        member: &str,
        quota: Quota,
        (class, held): (LaneClass, bool),
        ahead: u32,
        now_ms: u64,
    ) -> Result<(), u64> {
        let Some(limit) = quota.per_minute(class) else {
            return Ok(());
        };
        let place = match class {
            LaneClass::Urgent => 0,
            LaneClass::Ordinary => 2,
        };
        let spent = self.of(member, now_ms);
        spent[place + usize::from(held)].take(Allowance::per_minute(limit), ahead, now_ms)
    }

    fn of(&mut self, member: &str, now_ms: u64) -> &mut [Spent; 4] {
        if self.0.len() >= MEMBERS_MAX && !self.0.contains_key(member) {
            let lately = |spent: &Spent| now_ms.saturating_sub(spent.at_ms) < COST;
            self.0.retain(|_, spent| spent.iter().any(lately));
        }
        self.0.entry(member.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        envelopes_per_minute: Some(60),
        urgent_per_minute: Some(6),
    };
    const URGENT: (LaneClass, bool) = (LaneClass::Urgent, false);
    const ORDINARY: (LaneClass, bool) = (LaneClass::Ordinary, false);

    fn fitting(quotas: &mut Quotas, class: (LaneClass, bool), now_ms: u64) -> u32 {
        let fits = |_: &u32| quotas.take("a", QUOTA, class, 0, now_ms).is_ok();
        u32::try_from((0..1000).take_while(fits).count()).expect("a count below a thousand")
    }

    // ADM-1: a minute's worth at once, then evenly, and the wait that is told is the wait.
    #[test]
    fn what_is_told_to_wait_fits_then_and_not_a_millisecond_sooner() {
        for per_minute in [1, 7, 60, 59_999, u32::MAX] {
            let allowed = Allowance {
                burst: per_minute.min(10),
                per_minute,
            };
            let mut spent = Spent::default();
            let mut now_ms = 1_000_000;
            for _ in 0..10.min(per_minute) {
                assert_eq!(spent.take(allowed, 0, now_ms), Ok(()));
            }
            for _ in 0..50 {
                let Err(wait_ms) = spent.take(allowed, 0, now_ms) else {
                    continue;
                };
                assert!(wait_ms > 0);
                assert!(spent.take(allowed, 0, now_ms + wait_ms - 1).is_err());
                now_ms += wait_ms;
                assert_eq!(spent.take(allowed, 0, now_ms), Ok(()), "{per_minute}");
            }
        }
    }

    // ADM-2: neither class uses up the other.
    #[test]
    fn urgent_and_ordinary_have_a_quota_each() {
        let mut quotas = Quotas::default();
        assert_eq!(fitting(&mut quotas, ORDINARY, 0), 60);
        assert_eq!(fitting(&mut quotas, URGENT, 0), 6);
        assert_eq!(quotas.take("b", QUOTA, ORDINARY, 0, 0), Ok(()));
        assert_eq!(fitting(&mut quotas, ORDINARY, 10_000), 10);
        assert_eq!(fitting(&mut quotas, URGENT, 10_000), 1);
        assert_eq!(fitting(&mut quotas, ORDINARY, 10_000_000), 60);
    }

    // ADM-3: repetitions cost nothing that new ones need, and are not free for ever.
    #[test]
    fn what_is_held_already_has_a_quota_of_its_own() {
        let mut quotas = Quotas::default();
        assert_eq!(fitting(&mut quotas, (LaneClass::Ordinary, true), 0), 60);
        assert_eq!(fitting(&mut quotas, ORDINARY, 0), 60);
    }

    // ADM-1: those who are refused together are told different times.
    #[test]
    fn each_of_those_refused_together_has_its_own_turn() {
        let mut quotas = Quotas::default();
        assert_eq!(fitting(&mut quotas, ORDINARY, 0), 60);
        let waits = (0..5).map(|ahead| quotas.take("a", QUOTA, ORDINARY, ahead, 0).unwrap_err());
        assert_eq!(waits.collect::<Vec<_>>(), [1000, 2000, 3000, 4000, 5000]);
    }

    #[test]
    fn without_a_quota_there_is_no_limit_and_nothing_is_remembered() {
        let mut quotas = Quotas::default();
        for _ in 0..10_000 {
            assert_eq!(quotas.take("a", Quota::default(), URGENT, 0, 0), Ok(()));
        }
        assert!(quotas.0.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_for_it() {
        let mut spent = Spent::default();
        let allowed = Allowance::per_minute(1);
        assert_eq!(spent.take(allowed, 0, 100_000), Ok(()));
        assert_eq!(spent.take(allowed, 0, 50_000), Err(60_000));
        assert_eq!(spent.take(allowed, 0, 50_001), Err(59_999));
    }

    #[test]
    fn no_more_members_are_remembered_than_a_roster_has() {
        let mut quotas = Quotas::default();
        for number in 0..3 * MEMBERS_MAX as u64 {
            let _ = quotas.take(&number.to_string(), QUOTA, ORDINARY, 0, number * 100);
        }
        assert!(quotas.0.len() <= MEMBERS_MAX);
    }
}
