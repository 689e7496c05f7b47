//! Facts placed on the axes of a table.

use std::collections::BTreeMap;

use super::{
    Axis, Fact, Month, NONE, OVERDUE, Period, SEVERAL, SHELVED, StatisticsError,
    fold::{self, Folded},
    parse::is_value,
    period::{month_in, month_of, zone_of},
    wire,
};

/// Facts of a period, each with its place on every axis.
pub(super) struct Grid<'a> {
    /// Axes that the definition uses, in their order.
    pub(super) axes: Vec<(Axis, Folded)>,
    pub(super) facts: Vec<(&'a Fact, Vec<u16>)>,
}

impl Grid<'_> {
    /// How many values each axis has.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.axes
            .iter()
            .map(|(_, folded)| folded.values.len())
            .collect()
    }

    pub(super) fn axis(&self, axis: Axis) -> Option<usize> {
        self.axes.iter().position(|(one, _)| *one == axis)
    }

    pub(super) fn value(&self, axis: usize, at: u16) -> &str {
        &self.axes[axis].1.values[usize::from(at)]
    }
}

/// Places the facts of a period. What `before` counted together stays together.
pub(super) fn place<'a>(
    facts: &'a [Fact],
    axes: &[Axis],
    period: &Period,
    zone: &str,
    threshold: u64,
    before: Option<&wire::StatisticsTable>,
) -> Result<Grid<'a>, StatisticsError> {
    let zone = zone_of(zone)?;
    let months = period.months()?;
    let mut placed: Vec<(&Fact, Month)> = Vec::new();
    for fact in facts {
        let month = month_in(fact.logged_ms, &zone)?;
        if months.contains(&month) {
            placed.push((fact, month));
        }
    }
    // Whatever the order in which they are given, the table is the same; and each counts once.
    placed.sort_by_key(|(fact, _)| (fact.record, fact.entry));
    placed.dedup_by_key(|(fact, _)| fact.record);
    let mut folded = Vec::new();
    for axis in axes {
        let known = before.and_then(|before| known(before, *axis));
        let fold = match axis {
            Axis::Month => {
                let count = |month: &Month| {
                    let within = placed.iter().filter(|(_, of)| of == month);
                    (*month, within.count() as u64)
                };
                let counts: Vec<_> = months.iter().map(count).collect();
                fold::months(&counts, threshold, known)?
            }
            _ => {
                let mut counts: BTreeMap<String, u64> = BTreeMap::new();
                for (fact, _) in &placed {
                    *counts.entry(value(fact, *axis)).or_default() += 1;
                }
                fold::values(&counts, threshold, known)
            }
        };
        folded.push((*axis, fold));
    }
    let place = |(fact, month): (&'a Fact, Month)| {
        let at = folded.iter().map(|(axis, folded)| match axis {
            Axis::Month => folded.place(&month.to_string()),
            axis => folded.place(&value(fact, *axis)),
        });
        (fact, at.collect())
    };
    let facts = placed.into_iter().map(place).collect();
    Ok(Grid {
        axes: folded,
        facts,
    })
}

/// What an earlier table told apart on an axis.
fn known(before: &wire::StatisticsTable, axis: Axis) -> Option<&[String]> {
    let axes = before.axes.iter();
    let mut found = axes.filter(|values| values.axis == axis.name());
    found.next().map(|values| &values.values[..])
}

/// What a fact says of an axis other than the month.
pub(super) fn value(fact: &Fact, axis: Axis) -> String {
    match axis {
        Axis::Month => String::new(),
        Axis::Category => {
            let code =
                |code: &super::Code| format!("{}/{}/{}", code.scheme, code.version, code.code);
            only(fact.categories.iter().map(code))
        }
        Axis::Country => only(fact.countries.iter().cloned()),
        Axis::Role => only(fact.roles.iter().cloned()),
        Axis::Outcome => match (&fact.shelved, &fact.outcome) {
            (Some(_), _) => SHELVED.to_owned(),
            (None, outcome) => only(outcome.iter().cloned()),
        },
        Axis::Overdue => OVERDUE[usize::from(fact.overdue > 0)].to_owned(),
        Axis::Lane => only((!fact.lane.is_empty()).then(|| fact.lane.clone())),
    }
}

/// What a fact says of an axis, its month among them.
///
/// # Errors
/// [`StatisticsError::UnknownZone`].
pub fn value_of(fact: &Fact, axis: Axis, zone: &str) -> Result<String, StatisticsError> {
    match axis {
        Axis::Month => month_of(fact.logged_ms, zone).map(|month| month.to_string()),
        axis => Ok(value(fact, axis)),
    }
}

/// The one thing that is said, or that it is none or several.
fn only(said: impl IntoIterator<Item = String>) -> String {
    let mut said: Vec<String> = said.into_iter().map(|one| harmless(&one)).collect();
    said.sort();
    said.dedup();
    match (said.pop(), said.is_empty()) {
        (Some(one), true) => one,
        (Some(_), false) => SEVERAL.to_owned(),
        (None, _) => NONE.to_owned(),
    }
}

/// A label as a table may hold it: others chose it. What is no code is told apart by nothing.
fn harmless(text: &str) -> String {
    match is_value(text) {
        true => text.to_owned(),
        false => super::OTHER.to_owned(),
    }
}
