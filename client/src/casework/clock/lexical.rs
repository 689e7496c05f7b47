//! Times as people write them, and back.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::Holidays;
use crate::report::format::is_rfc3339;

/// The instant that RFC 3339 with an offset names, milliseconds since the epoch; none if it names none.
#[must_use]
pub fn instant(text: &str) -> Option<u64> {
    // What a parser takes beyond RFC 3339 is not taken here, and of it neither small letters nor a second 60,
    // which not everybody reads.
    let everywhere = !text.contains(['t', 'z']) && text.get(17..19) != Some("60");
    let is_one = text.len() <= 64 && everywhere && is_rfc3339(text);
    let time: Timestamp = Some(text).filter(|_| is_one)?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// Milliseconds since the epoch as RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{ms} ms"), |time| format!("{time:.3}"))
}

/// Public holidays by country, as JSON: `{"ES": ["2026-12-25"]}`; none if that is no such thing.
#[must_use]
pub fn holidays(json: &[u8]) -> Option<Holidays> {
    let listed: BTreeMap<String, Vec<String>> = serde_json::from_slice(json).ok()?;
    let read = listed.into_iter().map(|(country, days)| {
        let days: Result<_, _> = days.iter().map(|day| day.parse::<Date>()).collect();
        Some((country, days.ok()?))
    });
    read.collect()
}
