//! Axes on which every value is large enough to be shown: the rest is counted together.
//!
//! With that, every total of a value over the whole period is open, and only crossings have cells to
//! hide. Values that were counted together once stay so in later revisions: the difference would
//! be the figure that was not shown. Spec: STA-11, STA-12.

use std::collections::{BTreeMap, BTreeSet};

use frex_proto::limits::STATISTICS_VALUES_MAX;

use super::{Month, OTHER, StatisticsError};

/// Values in their order, and the place of each that was folded or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) values: Vec<String>,
    places: BTreeMap<String, u16>,
}

impl Folded {
    /// The place of a value among those that are told apart.
    pub(super) fn place(&self, value: &str) -> u16 {
        let other = || self.places.get(OTHER).copied().unwrap_or_default();
        self.places.get(value).copied().unwrap_or_else(other)
    }
}

/// Counts values that are too rare under `other`, with the next rarest if that is too rare itself.
/// `before` are the values that an earlier revision told apart.
pub(super) fn values(
    counts: &BTreeMap<String, u64>,
    threshold: u64,
    before: Option<&[String]>,
) -> Folded {
    let known: Option<BTreeSet<&String>> = before.map(|before| before.iter().collect());
    let mut kept: Vec<(u64, &String)> = Vec::new();
    let (mut other, mut folded) = (0, false);
    for (value, count) in counts {
        let known = known.as_ref().is_none_or(|known| known.contains(value));
        if value != OTHER && *count >= threshold && known {
            kept.push((*count, value));
        } else if *count > 0 {
            (other, folded) = (other + count, true);
        }
    }
    kept.sort();
    // The rarest first: as few as can be are lost.
    let mut rarest = 0;
    while rarest < kept.len()
        && ((folded && other < threshold) || kept.len() - rarest >= STATISTICS_VALUES_MAX)
    {
        (other, folded) = (other + kept[rarest].0, true);
        rarest += 1;
    }
    let mut values: Vec<String> = kept
        .drain(rarest..)
        .map(|(_, value)| value.clone())
        .collect();
    values.sort();
    if folded {
        values.push(OTHER.to_owned());
    }
    let places = placed(values.iter().cloned());
    Folded { values, places }
}

/// Joins months until each has enough; a rest that has too little is joined to the one before.
pub(super) fn months(
    counts: &[(Month, u64)],
    threshold: u64,
    before: Option<&[String]>,
) -> Result<Folded, StatisticsError> {
    let mut blocks: Vec<(Month, Month, u64)> = match before {
        None => counts
            .iter()
            .map(|(month, count)| (*month, *month, *count))
            .collect(),
        Some(before) => before
            .iter()
            .map(|label| block(label, counts))
            .collect::<Result<_, _>>()?,
    };
    let mut joined: Vec<(Month, Month, u64)> = Vec::new();
    for next in blocks.drain(..) {
        match joined.last_mut().filter(|last| last.2 < threshold) {
            Some(last) => (last.1, last.2) = (next.1, last.2 + next.2),
            None => joined.push(next),
        }
    }
    if joined.len() > 1
        && joined.last().is_some_and(|last| last.2 < threshold)
        && let Some(rest) = joined.pop()
        && let Some(last) = joined.last_mut()
    {
        (last.1, last.2) = (rest.1, last.2 + rest.2);
    }
    let values: Vec<String> = joined
        .iter()
        .map(|(first, last, _)| label(*first, *last))
        .collect();
    let mut places = placed(values.iter().cloned());
    for (month, _) in counts {
        let at = joined
            .iter()
            .position(|(first, last, _)| first <= month && month <= last);
        let at = at.ok_or(StatisticsError::NotARevision)?;
        places.insert(month.to_string(), u16::try_from(at).unwrap_or_default());
    }
    Ok(Folded { values, places })
}

fn placed(values: impl Iterator<Item = String>) -> BTreeMap<String, u16> {
    values.zip(0..).collect()
}

fn label(first: Month, last: Month) -> String {
    match first == last {
        true => first.to_string(),
        false => format!("{first}/{last}"),
    }
}

/// The months that a label joins.
pub(super) fn joined(label: &str) -> Result<(Month, Month), StatisticsError> {
    let (first, last) = label.split_once('/').unwrap_or((label, label));
    Ok((first.parse()?, last.parse()?))
}

fn block(label: &str, counts: &[(Month, u64)]) -> Result<(Month, Month, u64), StatisticsError> {
    let (first, last) = joined(label)?;
    let within = counts
        .iter()
        .filter(|(month, _)| first <= *month && *month <= last);
    Ok((first, last, within.map(|(_, count)| count).sum()))
}
