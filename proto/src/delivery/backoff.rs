//! When to try again.

use rand_core::Rng;

use crate::v1::Lane;

const FIRST_CEILING_MS: u64 = 1_000;

/// Counts failed attempts at one destination and draws the wait before the next. Spec: DEL-1.
///
/// Full jitter: anything from nothing to the ceiling, so that those who failed together do not
/// come back together. The ceiling doubles with each failure up to its lane's cap. Attempts are
/// never counted to give up: only the envelope's expiry ends them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Takes a failure and gives the wait before the next attempt, milliseconds.
    pub fn failed(&mut self, lane: Lane, rng: &mut dyn Rng) -> u64 {
        let ceiling = self.ceiling_ms(lane);
        self.failures = self.failures.saturating_add(1);
        up_to(ceiling, rng)
    }

    /// Takes a refusal that asks for `retry_after_ms`: the peer's wish within the lane's cap,
    /// and the usual jitter on top. Spec: DEL-2.
    pub fn refused(&mut self, lane: Lane, retry_after_ms: u64, rng: &mut dyn Rng) -> u64 {
        retry_after_ms.min(cap_ms(lane)) + self.failed(lane, rng)
    }

    /// Takes any sign of life: the next wait begins small again. Spec: DEL-3.
    pub fn alive(&mut self) {
        self.failures = 0;
    }

    /// How often it failed since the last sign of life.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The longest that the next wait can be.
    #[must_use]
    pub fn ceiling_ms(&self, lane: Lane) -> u64 {
        // 2^11 seconds are above every cap.
        (FIRST_CEILING_MS << self.failures.min(11)).min(cap_ms(lane))
    }
}

/// The longest wait of a lane, milliseconds. A lane of a later version waits as the urgent one does. Spec: DEL-1.
#[must_use]
pub fn cap_ms(lane: Lane) -> u64 {
    match lane {
        Lane::Urgent | Lane::Control | Lane::Unspecified => 30_000,
        Lane::Normal => 5 * 60_000,
        Lane::Bulk => 30 * 60_000,
    }
}

/// A number in `0..=ceiling`; the bias of the multiplication is below 2^-40.
fn up_to(ceiling: u64, rng: &mut dyn Rng) -> u64 {
    let scaled = (u128::from(rng.next_u64()) * (u128::from(ceiling) + 1)) >> 64;
    u64::try_from(scaled).unwrap_or(ceiling)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    // DEL-1, DEL-3
    #[test]
    fn ceilings_double_up_to_the_cap_of_the_lane() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        for (lane, cap) in [
            (Lane::Urgent, 30_000),
            (Lane::Control, 30_000),
            (Lane::Normal, 300_000),
            (Lane::Bulk, 1_800_000),
        ] {
            let mut backoff = Backoff::default();
            for failure in 0..40_u32 {
                let expected = (1_000_u64 << failure.min(20)).min(cap);
                assert_eq!(backoff.ceiling_ms(lane), expected);
                assert!(backoff.failed(lane, &mut rng) <= expected);
            }
            backoff.alive();
            assert_eq!(backoff.ceiling_ms(lane), 1_000);
        }
    }

    // DEL-1: full jitter spreads over the whole range.
    #[test]
    fn waits_spread_evenly_between_nothing_and_the_ceiling() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut quarters = [0_u32; 4];
        for _ in 0..4_000 {
            let wait = Backoff::default().failed(Lane::Normal, &mut rng);
            quarters[usize::try_from(wait / 251).expect("at most 3")] += 1;
        }
        assert!(quarters.iter().all(|count| (850..1_150).contains(count)));
    }

    // DEL-2: a peer cannot put an envelope off for ever.
    #[test]
    fn a_refusals_wish_is_bounded_by_the_lane() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let wait = Backoff::default().refused(Lane::Urgent, u64::MAX, &mut rng);
        assert!((30_000..=31_000).contains(&wait));
    }
}
