//! Made-up reports. [`document`] and [`view`] make any that the schema allows, to show that
//! nothing is lost of them; [`samples`] makes such as people write, in many languages, for tests and
//! trials. All from a seed, and all harmless: example domains, documentation addresses,
//! telephone numbers of no country, hashes of nothing. No imagery, and nothing that imitates it.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

pub mod document;
pub mod samples;
pub mod view;
mod words;

/// Chance, repeatable.
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// Chance of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.0.next_u64() % bound).unwrap_or_default()
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of a list that is not empty.
    pub fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// Puts a list in any order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }

    /// Digits of a hash of nothing.
    pub fn hex(&mut self, digits: usize) -> String {
        let digit = |dice: &mut Self| char::from(b"0123456789abcdef"[dice.below(16)]);
        (0..digits).map(|_| digit(self)).collect()
    }

    /// So many bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
