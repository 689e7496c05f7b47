//! One member's own figures for a round. Spec: STA-30.

use super::{Axis, Fact, OTHER, Round, StatisticsError};
use crate::casework::statistics::{
    grid::value,
    period::{month_in, zone_of},
};

/// Counts facts into the cells of a round, exactly: what is not named counts as `other`.
///
/// # Errors
/// [`StatisticsError`].
pub fn input(round: &Round, facts: &[Fact]) -> Result<Vec<u64>, StatisticsError> {
    let zone = zone_of(&round.said.zone)?;
    let period = round.period()?;
    let mut facts: Vec<&Fact> = facts.iter().collect();
    facts.sort_by_key(|fact| (fact.record, fact.entry));
    facts.dedup_by_key(|fact| fact.record);
    let mut figures = vec![0; round.cells().len()];
    for fact in facts {
        let month = month_in(fact.logged_ms, &zone)?;
        if !period.contains(month) {
            continue;
        }
        figures[0] += 1;
        let mut first = 1;
        for one in &round.said.axes {
            let axis = Axis::of_name(&one.axis).ok_or(StatisticsError::Malformed)?;
            let said = match axis {
                Axis::Month => month.to_string(),
                axis => value(fact, axis),
            };
            let place = |named: &str| one.values.iter().position(|value| value == named);
            if let Some(place) = place(&said).or_else(|| place(OTHER)) {
                figures[first + place] += 1;
            }
            first += one.values.len();
        }
    }
    Ok(figures)
}
