//! What keeps a lane from knocking at a destination that takes nothing.
//!
//! A refusal that speaks of the destination's state says the same of everything that waits for it:
//! the lane rests, not each item. While it rests one item at a time is tried, after pauses that
//! grow; the first that is answered opens the way for all. Spec: DEL-39, DEL-40.

use std::time::Duration;

use frex_proto::{delivery::Backoff, error::WireCode, v1::Lane};
use rand_core::Rng;
use tokio::time::Instant;

/// The state of one lane.
#[derive(Debug, Default)]
pub struct Breaker {
    backoff: Backoff,
    open: Option<Open>,
}

/// The lane rests.
#[derive(Debug, Clone, Copy)]
struct Open {
    code: WireCode,
    /// When one item is tried.
    until: Instant,
    /// Before that the destination asked to be left alone.
    not_before: Instant,
    probing: bool,
}

/// What may go out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Whatever waits.
    All,
    /// One item, to see.
    One,
    /// Nothing.
    Nothing,
}

/// What is known of a lane that rests.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// What the destination said.
    pub code: WireCode,
    /// How often, since it last took something.
    pub attempts: u32,
    /// When it is tried again.
    pub until: Instant,
}

/// Whether a code speaks of the one who answers, and not of what it was sent.
#[must_use]
pub fn speaks_of_destination(code: WireCode) -> bool {
    use WireCode as C;
    matches!(
        code,
        C::RetryAfter
            | C::DiskFull
            | C::StorageFailed
            | C::ShuttingDown
            | C::Unreachable
            | C::TimedOut
            | C::KeyUnavailable
    )
}

impl Breaker {
    /// What may go out at `now`.
    #[must_use]
    pub fn passage(&self, now: Instant) -> Passage {
        match self.open {
            None => Passage::All,
            Some(open) if open.probing || now < open.until => Passage::Nothing,
            Some(_) => Passage::One,
        }
    }

    /// One item is on its way, to see.
    pub fn probe(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// The probe came to nothing, so that another may go.
    pub fn forget_probe(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// The destination takes nothing; says whether that is news. Many requests that are under way
    /// hear the same at once, which counts once.
    pub fn refused(
        &mut self,
        lane: Lane,
        (code, retry_after_ms): (WireCode, u64),
        probe: bool,
        (now, rng): (Instant, &mut dyn Rng),
    ) -> bool {
        let news = self.open.is_none();
        if !news && !probe {
            return false;
        }
        let wait_ms = self.backoff.refused(lane, retry_after_ms, rng);
        let wish_ms = retry_after_ms.min(frex_proto::delivery::cap_ms(lane));
        self.open = Some(Open {
            code,
            until: now + Duration::from_millis(wait_ms),
            not_before: now + Duration::from_millis(wish_ms),
            probing: false,
        });
        news
    }

    /// The destination answered in this lane; says whether the lane had rested.
    pub fn answered(&mut self) -> bool {
        self.backoff.alive();
        self.open.take().is_some()
    }

    /// There is another sign of life: the lane tries at once, but not before the destination wants.
    pub fn hurry(&mut self) {
        if let Some(open) = &mut self.open {
            open.until = open.until.min(open.not_before);
        }
    }

    /// How it rests, if it does.
    #[must_use]
    pub fn rest(&self) -> Option<Rest> {
        self.open.map(|open| Rest {
            code: open.code,
            attempts: self.backoff.failures(),
            until: open.until,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const FULL: (WireCode, u64) = (WireCode::DiskFull, 0);

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(1)
    }

    // DEL-39: what many requests hear at once counts once, and only probes count on.
    #[test]
    fn one_item_at_a_time_knocks_and_the_pauses_grow_to_the_cap() {
        let (mut breaker, mut rng, began) = (Breaker::default(), rng(), Instant::now());
        assert!(breaker.refused(Lane::Bulk, FULL, false, (began, &mut rng)));
        for _ in 0..50 {
            assert!(!breaker.refused(Lane::Bulk, FULL, false, (began, &mut rng)));
        }
        assert_eq!(breaker.rest().map(|rest| rest.attempts), Some(1));
        let (mut knocks, mut now) = (0, began);
        while now < began + Duration::from_secs(72 * 3600) {
            now = breaker.rest().expect("it rests").until;
            assert_eq!(breaker.passage(now), Passage::One);
            breaker.probe();
            assert_eq!(breaker.passage(now), Passage::Nothing);
            assert!(!breaker.refused(Lane::Bulk, FULL, true, (now, &mut rng)));
            knocks += 1;
        }
        // Every quarter of an hour on average.
        assert!((200..450).contains(&knocks), "{knocks}");
    }

    // DEL-40: the first answer in the lane opens the way for all; one elsewhere only hurries it.
    #[test]
    fn an_answer_opens_the_lane_and_one_elsewhere_hurries_the_probe() {
        let (mut breaker, mut rng, began) = (Breaker::default(), rng(), Instant::now());
        let busy = (WireCode::RetryAfter, 60_000);
        for _ in 0..12 {
            breaker.refused(Lane::Normal, busy, true, (began, &mut rng));
        }
        breaker.hurry();
        let soon = began + Duration::from_secs(59);
        assert_eq!(breaker.passage(soon), Passage::Nothing);
        let due = began + Duration::from_secs(60);
        assert_eq!(breaker.passage(due), Passage::One);
        assert!(breaker.answered());
        assert_eq!(breaker.passage(began), Passage::All);
        assert!(!breaker.answered());
    }
}
