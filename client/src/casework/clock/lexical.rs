//! Times as people write them, and back.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};

use super::Holidays;

/// The instant that RFC 3339 with an offset names, milliseconds since the epoch; none if it names none.
#[must_use]
pub fn instant(text: &str) -> Option<u64> {
    // A date and a time and an offset: what a parser takes beyond RFC 3339 is not taken here.
    let shape = text.len() <= 64 && text.is_ascii() && text.as_bytes().get(10) == Some(&b'T');
    let time: Timestamp = Some(text).filter(|_| shape)?.parse().ok()?;
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
