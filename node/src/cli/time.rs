//! Times and durations as people write and read them.

use std::{str::FromStr, time::Duration};

use frex_client::environment::Clock;
use jiff::Timestamp;

/// A duration as `500ms`, `10s`, `15m`, `24h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// Whole milliseconds.
    #[must_use]
    pub fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no duration: write 500ms, 10s, 15m, 24h or 7d");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let ms = number.checked_mul(unit_ms).ok_or_else(wrong)?;
        Ok(Self(Duration::from_millis(ms)))
    }
}

/// A moment to come: a duration from now, or an RFC 3339 time. What has passed already is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long from now.
    In(Span),
    /// At this time, milliseconds since the Unix epoch.
    At(u64),
}

impl Moment {
    /// The moment, for a present of `now_ms`.
    #[must_use]
    pub fn after(self, now_ms: u64) -> u64 {
        match self {
            Self::In(span) => now_ms.saturating_add(span.as_ms()),
            Self::At(ms) => ms,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let over = format!("{text:?} is over already: give a time in the future");
        if let Ok(span) = text.parse::<Span>() {
            return match span.0.is_zero() {
                true => Err(over),
                false => Ok(Self::In(span)),
            };
        }
        let wrong = |_| format!("{text:?} is no time: write 7d, or 2026-11-26T16:00:00Z");
        let time: Timestamp = text.parse().map_err(wrong)?;
        match u64::try_from(time.as_millisecond()) {
            Ok(ms) if ms > Clock::System.now_ms() => Ok(Self::At(ms)),
            _ => Err(over),
        }
    }
}

/// A wait, rounded up.
#[must_use]
pub fn seconds(wait: Duration) -> String {
    format!("{} s", wait.as_millis().div_ceil(1000))
}

/// Milliseconds since the Unix epoch as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{ms} ms"), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_read_as_written() {
        assert_eq!("7d".parse(), Ok(Span(Duration::from_secs(7 * 86_400))));
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!(
            "2100-01-01T00:00:00Z".parse(),
            Ok(Moment::At(4_102_444_800_000))
        );
        assert_eq!(
            "1h".parse::<Moment>().map(|moment| moment.after(5)),
            Ok(3_600_005)
        );
        for wrong in ["", "7", "d", "7 d", "-1s", "1w", "99999999999999999999s"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
        assert_eq!(rfc3339(1500), "1970-01-01T00:00:01.500Z");
    }

    #[test]
    fn what_has_passed_already_is_no_moment_to_wait_for() {
        for over in ["0s", "0d", "1970-01-01T00:00:01Z", "1969-12-31T00:00:00Z"] {
            let said = over.parse::<Moment>().unwrap_err();
            assert!(said.contains("give a time in the future"), "{said}");
        }
        assert!("1ms".parse::<Moment>().is_ok());
    }
}
