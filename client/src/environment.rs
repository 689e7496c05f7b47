//! Time and randomness as values, so that a whole federation can run from one seed.
//!
//! Programs use the system's; the simulator gives every node a virtual clock that follows
//! tokio's paused time, and a seeded generator.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// What a program takes from the world around it, other than sockets and files.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Where time comes from.
    pub clock: Clock,
    /// Where randomness comes from.
    pub random: Random,
}

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that advances with tokio's time, which a simulation pauses and steps.
    Virtual {
        /// Its reading at `start`.
        base_ms: u64,
        /// The instant it was set.
        start: Instant,
    },
}

impl Clock {
    /// A virtual clock that reads `base_ms` now.
    #[must_use]
    pub fn virtual_from(base_ms: u64) -> Self {
        Self::Virtual {
            base_ms,
            start: Instant::now(),
        }
    }

    /// The present. A machine clock before 1970 reads 0, which every freshness check refuses.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let (base_ms, passed) = match self {
            Self::System => (
                0,
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            ),
            Self::Virtual { base_ms, start } => (*base_ms, start.elapsed()),
        };
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        base_ms.saturating_add(passed_ms)
    }
}

/// Where keys, ids, salts and jitter come from.
#[derive(Clone, Default)]
pub enum Random {
    /// The operating system.
    #[default]
    System,
    /// A generator that repeats itself from its seed. For simulations and tests only.
    Seeded(Arc<Mutex<ChaCha20Rng>>),
}

impl Random {
    /// Randomness that repeats itself from `seed`.
    #[must_use]
    pub fn seeded(seed: [u8; 32]) -> Self {
        Self::Seeded(Arc::new(Mutex::new(ChaCha20Rng::from_seed(seed))))
    }

    /// A generator of its own for one task, so that tasks never wait for each other.
    ///
    /// # Panics
    /// If the operating system refuses randomness: nothing safe can be done without it.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        let mut seed = Zeroizing::new([0; 32]);
        match self {
            Self::System => SystemRandom::new()
                .fill(seed.as_mut())
                .expect("the operating system gives randomness"),
            Self::Seeded(parent) => parent
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill_bytes(seed.as_mut()),
        }
        ChaCha20Rng::from_seed(*seed)
    }

    /// The seed for an endpoint's own choices: fixed in a simulation, absent otherwise.
    #[must_use]
    pub fn endpoint_seed(&self) -> Option<[u8; 32]> {
        match self {
            Self::System => None,
            Self::Seeded(_) => {
                let mut seed = [0; 32];
                self.rng().fill_bytes(&mut seed);
                Some(seed)
            }
        }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "Random::System",
            Self::Seeded(_) => "Random::Seeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    // A simulation that sleeps an hour finishes at once and sees the hour.
    #[tokio::test(start_paused = true)]
    async fn virtual_clock_follows_paused_time() {
        let clock = Clock::virtual_from(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(clock.now_ms(), 3_601_000);
    }

    #[test]
    fn seeded_randomness_repeats_and_system_randomness_does_not() {
        let draw = |random: &Random| (random.rng().next_u64(), random.rng().next_u64());
        let (first, second) = draw(&Random::seeded([3; 32]));
        assert_eq!((first, second), draw(&Random::seeded([3; 32])));
        assert_ne!(first, second);
        assert_ne!(draw(&Random::System), draw(&Random::System));
        assert_eq!(Random::System.endpoint_seed(), None);
    }
}
