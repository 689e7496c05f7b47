//! Counting: from the instant that starts a clock to the last instant before it is over.

use std::collections::BTreeSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
};

use super::{Rule, Unit, Zone};

/// A calendar with that many days without work in a row is wrong.
const ROLL_MAX: u32 = 366;

impl Rule {
    /// The last millisecond in time, for what starts at `from_ms`; none if that is beyond the calendar.
    ///
    /// Hours pass; days, working days and years begin after the day of the start and end when their last day
    /// ends, both in `zone`. Spec: CSE-21, CSE-22.
    #[must_use]
    pub fn due(&self, from_ms: u64, zone: &Zone, holidays: Option<&BTreeSet<Date>>) -> Option<u64> {
        let hours = u64::try_from(self.count).ok()?;
        if self.unit == Unit::Hours {
            return from_ms.checked_add(hours.checked_mul(3_600_000)?);
        }
        let from = Timestamp::from_millisecond(i64::try_from(from_ms).ok()?).ok()?;
        let day = from.to_zoned_datetime(zone.zone.clone()).date();
        let is_free = |day: Date| {
            let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
            weekend || holidays.is_some_and(|holidays| holidays.contains(&day))
        };
        let mut last = match self.unit {
            // A leap day has its like on 28 February.
            Unit::Years => day.checked_add(self.count.years()).ok()?,
            Unit::WorkingDays => working_days(day, self.count, is_free)?,
            Unit::Days | Unit::Hours => day.checked_add(self.count.days()).ok()?,
        };
        if self.rolls && is_free(last) {
            last = working_days(last, 1, is_free)?;
        }
        end_of(last, zone)
    }
}

/// The last millisecond of a day; where clocks change at midnight, the one before the next day begins.
fn end_of(day: Date, zone: &Zone) -> Option<u64> {
    let next = day
        .tomorrow()
        .ok()?
        .to_zoned_datetime(zone.zone.clone())
        .ok()?;
    let start = next.start_of_day().ok()?.timestamp().as_millisecond();
    u64::try_from(start.checked_sub(1)?).ok()
}

/// The day on which the last of so many working days after `day` falls.
fn working_days(day: Date, count: i32, is_free: impl Fn(Date) -> bool) -> Option<Date> {
    let (mut day, mut left, mut free) = (day, count, 0);
    while left > 0 {
        day = day.tomorrow().ok()?;
        match is_free(day) {
            true if free >= ROLL_MAX => return None,
            true => free += 1,
            false => (left, free) = (left - 1, 0),
        }
    }
    Some(day)
}
