//! From facts to a table. Spec: STA-4 to STA-24.

use std::collections::BTreeMap;

use bytes::Bytes;
use frex_proto::label::{self, Hash};

use super::{
    Axis, Definition, Fact, NoiseKey, OVERDUE, Period, SHELVED, StatisticsError, Steps,
    grid::{self, Grid},
    measure::{Measures, measure, share},
    noise::Measure,
    protect::{Pattern, View, line, protect},
    view,
    wire::{self, Row, StatisticsTable},
};

/// What a table is made of.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// What counts.
    pub definition: &'a Definition,
    /// The federation.
    pub federation: &'a str,
    /// Who counts.
    pub member: &'a str,
    /// Which months.
    pub period: Period,
    /// In which time zone they begin.
    pub zone: &'a str,
    /// What was known by then is counted.
    pub as_of_ms: u64,
    /// How much is hidden.
    pub steps: Steps,
    /// On which entries of which log it rests.
    pub range: &'a wire::LogRange,
    /// Where the noise comes from.
    pub key: &'a NoiseKey,
    /// The revision before, and the SHA-256 of its payload.
    pub before: Option<(&'a StatisticsTable, Hash)>,
}

/// Counts facts. The same facts make the same table, in whatever order they stand.
///
/// # Errors
/// [`StatisticsError`]: the period is not over, or the revision before is of something else.
pub fn make(facts: &[Fact], order: &Order<'_>) -> Result<StatisticsTable, StatisticsError> {
    if order.period.last.next().begins_ms(order.zone)? > order.as_of_ms {
        return Err(StatisticsError::NotOver);
    }
    let before = order.before.map(|(before, _)| before);
    before.map_or(Ok(()), |before| revises(before, order))?;
    let threshold = u64::from(order.steps.threshold);
    let axes = axes(order.definition);
    let grid = grid::place(facts, &axes, &order.period, order.zone, threshold, before)?;
    let records = grid.facts.iter().map(|(fact, _)| fact.record);
    let mut table = StatisticsTable {
        federation: order.federation.to_owned(),
        member: order.member.to_owned(),
        definition_id: order.definition.id.clone(),
        definition_version: order.definition.version,
        definition_sha256: Bytes::copy_from_slice(&order.definition.sha256),
        first_month: order.period.first.to_string(),
        last_month: order.period.last.to_string(),
        zone: order.zone.to_owned(),
        as_of_ms: order.as_of_ms,
        revision: before.map_or(1, |before| before.revision + 1),
        supersedes: order
            .before
            .map_or_else(Bytes::new, |(_, hash)| Bytes::copy_from_slice(&hash)),
        range: Some(order.range.clone()),
        records_sha256: Bytes::copy_from_slice(&records_sha256(records)),
        control: Some(wire::Control {
            threshold: order.steps.threshold,
            base: order.steps.base,
            noise_max: order.steps.noise_max,
            exact_from: order.definition.exact_from,
            noise_key_id: Bytes::copy_from_slice(&order.key.id()),
        }),
        axes: Vec::new(),
        crossings: crossings(order.definition),
        rows: Vec::new(),
    };
    if (grid.facts.len() as u64) < threshold {
        // Too few to show anything: not even which values there are.
        table
            .crossings
            .iter_mut()
            .for_each(|one| one.withdrawn = true);
        table.rows.push(Row::default());
        return Ok(table);
    }
    table.axes = grid
        .axes
        .iter()
        .map(|(axis, folded)| wire::AxisValues {
            axis: axis.name().to_owned(),
            values: folded.values.clone(),
        })
        .collect();
    let keys = grid.facts.iter();
    let keys = keys.map(|(fact, _)| order.key.record(&fact.record));
    Maker {
        grid: &grid,
        order,
        keys: keys.collect(),
    }
    .fill(&mut table);
    Ok(table)
}

/// The hash of a set of reports: of their ids in ascending order. Spec: STA-8.
fn records_sha256(records: impl IntoIterator<Item = [u8; 16]>) -> Hash {
    let mut records: Vec<[u8; 16]> = records.into_iter().collect();
    records.sort_unstable();
    records.dedup();
    label::sha256(&[label::STATISTICS_SET, &records.concat()])
}

/// Whether what is made is a later revision of the same.
fn revises(before: &StatisticsTable, order: &Order<'_>) -> Result<(), StatisticsError> {
    let same = before.federation == order.federation
        && before.member == order.member
        && before.definition_id == order.definition.id
        && before.definition_sha256 == order.definition.sha256[..]
        && before.first_month == order.period.first.to_string()
        && before.last_month == order.period.last.to_string()
        && before.zone == order.zone
        && before.as_of_ms <= order.as_of_ms;
    match same {
        true => Ok(()),
        false => Err(StatisticsError::NotARevision),
    }
}

/// The axes that a definition uses, in their order.
fn axes(definition: &Definition) -> Vec<Axis> {
    let used = |axis: &Axis| {
        let mut crossings = definition.crossings.iter();
        *axis == Axis::Month || crossings.any(|(first, second)| first == axis || second == axis)
    };
    Axis::ALL.into_iter().filter(used).collect()
}

fn crossings(definition: &Definition) -> Vec<wire::Crossing> {
    let crossing = |(first, second): &(Axis, Axis)| wire::Crossing {
        first: first.name().to_owned(),
        second: second.name().to_owned(),
        withdrawn: false,
    };
    definition.crossings.iter().map(crossing).collect()
}

struct Maker<'a> {
    grid: &'a Grid<'a>,
    order: &'a Order<'a>,
    /// The key of each report of the grid: every report is in many cells.
    keys: Vec<u64>,
}

/// The reports of one cell.
struct Cell<'a> {
    at: Vec<wire::Coordinate>,
    facts: Vec<&'a Fact>,
    /// The sum of their keys. Spec: STA-18.
    key: u64,
}

impl Maker<'_> {
    fn fill(&self, table: &mut StatisticsTable) {
        table.rows = vec![self.total()];
        for axis in 0..self.grid.axes.len() {
            let rows = self.axis(axis, &table.rows[0]);
            table.rows.extend(rows);
        }
        let views: Vec<View> = self.views();
        let pattern = self.pattern(&views);
        for (number, view) in views.iter().enumerate() {
            match &pattern.views[number] {
                None => table.crossings[number].withdrawn = true,
                Some(open) => table.rows.extend(self.crossing(*view, open)),
            }
        }
        shares(&mut table.rows);
    }

    fn views(&self) -> Vec<View> {
        let place = |axis: &Axis| self.grid.axis(*axis);
        let view = |(first, second): &(Axis, Axis)| {
            let (first, second) = (place(first)?, place(second)?);
            Some(View { first, second })
        };
        self.order
            .definition
            .crossings
            .iter()
            .filter_map(view)
            .collect()
    }

    /// What is shown of crossings; what an earlier revision hid stays hidden.
    fn pattern(&self, views: &[View]) -> Pattern {
        let records: Vec<Vec<u16>> = self.grid.facts.iter().map(|(_, at)| at.clone()).collect();
        let before = self.order.before.map(|(before, _)| Shown::of(before));
        let forced = |view: usize, row: usize, column: usize| {
            let view = views[view];
            let place = |axis: usize, at: usize| {
                let (axis, folded) = &self.grid.axes[axis];
                (axis.name().to_owned(), folded.values[at].clone())
            };
            let at = [place(view.first, row), place(view.second, column)];
            before.as_ref().is_some_and(|before| before.hides(&at))
        };
        let month = self.grid.axis(Axis::Month).unwrap_or_default();
        let threshold = u64::from(self.order.steps.threshold);
        protect(
            &self.grid.sizes(),
            &records,
            views,
            (month, threshold),
            &forced,
        )
    }

    fn total(&self) -> Row {
        let cell = self.cell(&[]);
        let measures = self.measures(&cell.facts);
        let threshold = u64::from(self.order.steps.threshold);
        let open = |figure: u64| figure >= threshold;
        let exact_from = self.order.definition.exact_from;
        let mut row = self.row(
            &cell,
            &measures,
            [
                open(measures.incidents),
                open(measures.accounts),
                open(measures.items),
            ],
        );
        if exact_from > 0 && measures.reports >= exact_from {
            row.reports = Some(measures.reports);
        }
        row
    }

    /// A row for each value of an axis: each has enough reports, and other figures are shown as
    /// [`line`] says.
    fn axis(&self, axis: usize, total: &Row) -> Vec<Row> {
        let size = self.grid.axes[axis].1.values.len();
        let cells: Vec<Cell<'_>> = (0..size)
            .map(|at| self.cell(&[(axis, u16::try_from(at).unwrap_or_default())]))
            .collect();
        let measures: Vec<Measures> = cells
            .iter()
            .map(|cell| self.measures(&cell.facts))
            .collect();
        let threshold = u64::from(self.order.steps.threshold);
        let shown = |figure: fn(&Measures) -> u64, total: Option<u64>| {
            let figures: Vec<u64> = measures.iter().map(figure).collect();
            match total {
                Some(_) => line(&figures, threshold),
                None => vec![false; figures.len()],
            }
        };
        let incidents = shown(|one| one.incidents, total.incidents);
        let accounts = shown(|one| one.accounts, total.accounts);
        let items = shown(|one| one.items, total.items);
        let row = |at: usize| {
            let open = [incidents[at], accounts[at], items[at]];
            self.row(&cells[at], &measures[at], open)
        };
        (0..size).map(row).collect()
    }

    fn crossing(&self, view: View, open: &[bool]) -> Vec<Row> {
        let columns = self.grid.axes[view.second].1.values.len();
        let place = |at: usize| u16::try_from(at).unwrap_or_default();
        let cells = open.iter().enumerate().filter(|(_, open)| **open);
        cells
            .map(|(at, _)| {
                let at = [
                    (view.first, place(at / columns)),
                    (view.second, place(at % columns)),
                ];
                let cell = self.cell(&at);
                Row {
                    reports: Some(self.shown(Measure::Reports, &cell, cell.facts.len() as u64)),
                    at: cell.at,
                    ..Row::default()
                }
            })
            .collect()
    }

    fn cell(&self, at: &[(usize, u16)]) -> Cell<'_> {
        let within = |places: &[u16]| at.iter().all(|(axis, place)| places[*axis] == *place);
        let place = |(axis, at): &(usize, u16)| {
            view::place(self.grid.axes[*axis].0.name(), self.grid.value(*axis, *at))
        };
        let mut cell = Cell {
            at: at.iter().map(place).collect(),
            facts: Vec::new(),
            key: 0,
        };
        for ((fact, places), key) in self.grid.facts.iter().zip(&self.keys) {
            if within(places) {
                cell.facts.push(*fact);
                cell.key = cell.key.wrapping_add(*key);
            }
        }
        cell
    }

    fn measures(&self, facts: &[&Fact]) -> Measures {
        measure(
            &facts.iter().copied(),
            u64::from(self.order.steps.threshold),
        )
    }

    fn row(
        &self,
        cell: &Cell<'_>,
        measures: &Measures,
        [incidents, accounts, items]: [bool; 3],
    ) -> Row {
        let shown = |measure: Measure, figure: u64, open: bool| {
            open.then(|| self.shown(measure, cell, figure))
        };
        Row {
            at: cell.at.clone(),
            reports: shown(Measure::Reports, measures.reports, true),
            incidents: shown(Measure::Incidents, measures.incidents, incidents),
            accounts: shown(Measure::Accounts, measures.accounts, accounts),
            items: shown(Measure::Items, measures.items, items),
            accepted_tenths: measures.accepted_tenths,
            opened_tenths: measures.opened_tenths,
            acted_tenths: measures.acted_tenths,
            overdue_percent: None,
            shelved_percent: None,
        }
    }

    /// A figure with its noise, rounded.
    fn shown(&self, measure: Measure, cell: &Cell<'_>, figure: u64) -> u64 {
        let steps = &self.order.steps;
        let noise = self.order.key.noise(measure, cell.key, steps.noise_max);
        steps.shown(figure, noise)
    }
}

/// What an earlier revision shows.
struct Shown<'a> {
    values: BTreeMap<&'a str, &'a [String]>,
    rows: Vec<Vec<(String, String)>>,
}

impl<'a> Shown<'a> {
    fn of(table: &'a StatisticsTable) -> Self {
        let places = |row: &Row| {
            let place = |place: &wire::Coordinate| (place.axis.clone(), place.value.clone());
            row.at.iter().map(place).collect()
        };
        let mut rows: Vec<Vec<(String, String)>> = table.rows.iter().map(places).collect();
        rows.sort();
        Self {
            values: table
                .axes
                .iter()
                .map(|one| (&*one.axis, &one.values[..]))
                .collect(),
            rows,
        }
    }

    /// Whether it told these values apart and did not show their crossing.
    fn hides(&self, at: &[(String, String); 2]) -> bool {
        let known = |(axis, value): &(String, String)| {
            self.values
                .get(&**axis)
                .is_some_and(|values| values.contains(value))
        };
        at.iter().all(known)
            && self
                .rows
                .binary_search_by(|row| row[..].cmp(&at[..]))
                .is_err()
    }
}

/// Shares follow from figures that are shown, and from nothing else. Spec: STA-23.
pub(super) fn shares(rows: &mut [Row]) {
    let figures: Vec<(Vec<wire::Coordinate>, Option<u64>)> = rows
        .iter()
        .map(|row| (row.at.clone(), row.reports))
        .collect();
    let find = |at: &[wire::Coordinate]| {
        let mut same = figures
            .iter()
            .filter(|(places, _)| places.len() == at.len());
        let found = same.find(|(places, _)| places.iter().all(|place| at.contains(place)));
        found.and_then(|(_, reports)| *reports)
    };
    for row in rows.iter_mut().filter(|row| row.at.len() < 2) {
        let part = |axis: Axis, value: &str| {
            if row.at.iter().any(|place| place.axis == axis.name()) {
                return None;
            }
            let at = [&row.at[..], &[view::place(axis.name(), value)]].concat();
            share(find(&at)?, row.reports?)
        };
        let (overdue, shelved) = (
            part(Axis::Overdue, OVERDUE[1]),
            part(Axis::Outcome, SHELVED),
        );
        (row.overdue_percent, row.shelved_percent) = (overdue, shelved);
    }
}
