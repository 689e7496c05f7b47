//! Months, and in which one something happened. Spec: STA-5.

use std::{fmt, str::FromStr};

use frex_proto::limits::STATISTICS_MONTHS_MAX;
use jiff::{
    Timestamp,
    civil::date,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::StatisticsError;

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// 1970 … 9998.
    pub year: i16,
    /// 1 … 12.
    pub month: i8,
}

/// Months that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub first: Month,
    /// The last one that belongs to it.
    pub last: Month,
}

impl Month {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                year: self.year,
                month: month + 1,
            },
        }
    }

    /// When it begins in a time zone.
    ///
    /// # Errors
    /// [`StatisticsError::UnknownZone`].
    pub fn begins_ms(self, zone: &str) -> Result<u64, StatisticsError> {
        let zone = zone_of(zone)?;
        let first = date(self.year, self.month, 1).to_zoned_datetime(zone);
        let first = first.map_err(|_| StatisticsError::Period)?;
        u64::try_from(first.timestamp().as_millisecond()).map_err(|_| StatisticsError::Period)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = StatisticsError;

    fn from_str(text: &str) -> Result<Self, StatisticsError> {
        let wrong = StatisticsError::Period;
        let (year, month) = text.split_once('-').ok_or(wrong)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(wrong);
        }
        let read = Self {
            year: year.parse().map_err(|_| wrong)?,
            month: month.parse().map_err(|_| wrong)?,
        };
        let good = (1970..9999).contains(&read.year) && (1..=12).contains(&read.month);
        // What reads back otherwise, as with a sign, is none.
        (good && read.to_string() == text)
            .then_some(read)
            .ok_or(wrong)
    }
}

impl Period {
    /// From the first month to the last, as they are written.
    ///
    /// # Errors
    /// [`StatisticsError::Period`]: no months, none in this order, or too many.
    pub fn between(first: &str, last: &str) -> Result<Self, StatisticsError> {
        let period = Self {
            first: first.parse()?,
            last: last.parse()?,
        };
        period.months().map(|_| period)
    }

    /// Its months.
    ///
    /// # Errors
    /// [`StatisticsError::Period`]: none, or too many.
    pub fn months(&self) -> Result<Vec<Month>, StatisticsError> {
        let mut months = vec![self.first];
        while let Some(last) = months.last().filter(|last| **last < self.last) {
            if months.len() == STATISTICS_MONTHS_MAX {
                return Err(StatisticsError::Period);
            }
            months.push(last.next());
        }
        match self.first <= self.last {
            true => Ok(months),
            false => Err(StatisticsError::Period),
        }
    }

    /// Whether a month belongs to it.
    #[must_use]
    pub fn contains(&self, month: Month) -> bool {
        (self.first..=self.last).contains(&month)
    }

    /// Whether a month belongs to both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}..{}", self.first, self.last),
        }
    }
}

impl FromStr for Period {
    type Err = StatisticsError;

    fn from_str(text: &str) -> Result<Self, StatisticsError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        Self::between(first, last)
    }
}

/// The month in which a time falls in a zone.
///
/// # Errors
/// [`StatisticsError::UnknownZone`], [`StatisticsError::Period`] for a time that no calendar has.
pub fn month_of(ms: u64, zone: &str) -> Result<Month, StatisticsError> {
    month_in(ms, &zone_of(zone)?)
}

/// As [`month_of`], for many times.
pub(super) fn month_in(ms: u64, zone: &TimeZone) -> Result<Month, StatisticsError> {
    let ms = i64::try_from(ms).map_err(|_| StatisticsError::Period)?;
    let time = Timestamp::from_millisecond(ms).map_err(|_| StatisticsError::Period)?;
    let local = time.to_zoned_datetime(zone.clone());
    Ok(Month {
        year: local.year(),
        month: local.month(),
    })
}

/// The zone of this name, as it stands in this program and not on the machine.
pub(super) fn zone_of(name: &str) -> Result<TimeZone, StatisticsError> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    let zones = TimeZoneDatabase::bundled();
    zones.get(name).map_err(|_| StatisticsError::UnknownZone)
}
