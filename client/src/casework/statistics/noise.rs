//! Noise that is the same for the same reports, and rounding.
//!
//! Every counted report has a key of its own; the keys of the reports in a cell add up to the
//! cell's, so that the same set gets the same noise in whatever table it stands and in whatever order it
//! was counted, and asking again shows nothing new. Spec: STA-17 to STA-20.

use std::fmt;

use frex_proto::label::{self, hmac_sha256};
use zeroize::Zeroizing;

use super::{StatisticsError, THRESHOLD, THRESHOLD_MIN, wire};

/// The secret that noise comes from. It stays with the member.
#[derive(Clone)]
pub struct NoiseKey(Zeroizing<[u8; 32]>);

/// How small cells are hidden and figures rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Fewer are suppressed.
    pub threshold: u32,
    /// Multiples of this are shown.
    pub base: u32,
    /// Largest noise, either way.
    pub noise_max: u32,
}

/// Which figure of a cell gets the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Reports = 1,
    Incidents = 2,
    Accounts = 3,
    Items = 4,
}

impl NoiseKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// What tells keys apart, and tells nothing of them. Spec: STA-17.
    #[must_use]
    pub fn id(&self) -> [u8; 8] {
        let hash = hmac_sha256(&self.0[..], &[label::STATISTICS_KEY]);
        first_8(&hash)
    }

    /// The key of one report.
    #[must_use]
    pub fn record(&self, record: &[u8; 16]) -> u64 {
        let hash = hmac_sha256(&self.0[..], &[label::STATISTICS_RECORD, record]);
        u64::from_be_bytes(first_8(&hash))
    }

    /// The noise of a figure of the cell whose reports have keys that add up to `cell`.
    pub(super) fn noise(&self, measure: Measure, cell: u64, noise_max: u32) -> i64 {
        let parts = [
            label::STATISTICS_NOISE,
            &[measure as u8],
            &cell.to_be_bytes(),
        ];
        let hash = hmac_sha256(&self.0[..], &parts);
        let draw = |at: usize| {
            let four = [hash[at], hash[at + 1], hash[at + 2], hash[at + 3]];
            i64::from(u32::from_be_bytes(four) % (noise_max + 1))
        };
        draw(0) + draw(4) - i64::from(noise_max)
    }
}

fn first_8(hash: &label::Hash) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    first
}

impl fmt::Debug for NoiseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseKey([redacted])")
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            threshold: THRESHOLD,
            base: 5,
            noise_max: 2,
        }
    }
}

impl Steps {
    /// The steps that a table names, if they may be.
    ///
    /// # Errors
    /// [`StatisticsError::Threshold`], [`StatisticsError::Malformed`].
    pub fn of(control: &wire::Control) -> Result<Self, StatisticsError> {
        let steps = Self {
            threshold: control.threshold,
            base: control.base,
            noise_max: control.noise_max,
        };
        if steps.threshold < THRESHOLD_MIN {
            return Err(StatisticsError::Threshold);
        }
        match steps.base == 5 && steps.noise_max == 2 && steps.threshold <= 1000 {
            true => Ok(steps),
            false => Err(StatisticsError::Malformed),
        }
    }

    /// The nearest multiple, halves up.
    #[must_use]
    pub fn round(&self, figure: u64) -> u64 {
        let base = u64::from(self.base);
        figure.saturating_add(base / 2) / base * base
    }

    /// The smallest figure that is shown: a cell that is shown is known not to be small.
    #[must_use]
    pub fn smallest(&self) -> u64 {
        u64::from(self.threshold).next_multiple_of(u64::from(self.base))
    }

    /// A figure as it is shown.
    #[must_use]
    pub fn shown(&self, figure: u64, noise: i64) -> u64 {
        self.round(figure.saturating_add_signed(noise))
            .max(self.smallest())
    }

    /// How far a figure that is shown may be from the truth.
    #[must_use]
    pub fn error_max(&self) -> u64 {
        u64::from(self.noise_max)
            + u64::from(self.base / 2)
            + (self.smallest() - u64::from(self.threshold))
    }
}
