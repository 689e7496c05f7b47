//! A table as people and programs see it. What is hidden reads `x`, and every form names the log, the
//! range and the root on which the figures rest. Spec: STA-38 to STA-41.

use frex_proto::{label::Hash, log::Checkpoint};

use super::{
    Definition, definition,
    wire::{Coordinate, Row, StatisticsTable},
};

mod csv;
mod json;
mod page;
mod svg;
#[cfg(test)]
mod tests;

pub use csv::csv;
pub use json::json;
pub use page::page;
pub use svg::svg;

/// What a figure reads that is not shown.
pub const HIDDEN: &str = "x";
/// What an axis reads that holds all its values together.
pub const ALL: &str = "all";

/// A figure, or that it is hidden.
#[must_use]
pub fn figure(figure: Option<u64>) -> String {
    figure.map_or_else(|| HIDDEN.to_owned(), |figure| figure.to_string())
}

/// The figures of a row, in the order of their names in every form.
#[must_use]
pub fn figures(row: &Row) -> [String; 9] {
    let percent = |percent: Option<u32>| figure(percent.map(u64::from));
    [
        figure(row.reports),
        figure(row.incidents),
        figure(row.accounts),
        figure(row.items),
        hours(row.accepted_tenths),
        hours(row.opened_tenths),
        hours(row.acted_tenths),
        percent(row.overdue_percent),
        percent(row.shelved_percent),
    ]
}

/// The reports at these places, or that they are hidden.
#[must_use]
pub fn reports(table: &StatisticsTable, at: &[Coordinate]) -> String {
    figure(row(table, at).and_then(|row| row.reports))
}

/// Tenths of an hour, as hours.
#[must_use]
pub fn hours(tenths: Option<u32>) -> String {
    let hours = |tenths: u32| format!("{}.{}", tenths / 10, tenths % 10);
    tenths.map_or_else(|| HIDDEN.to_owned(), hours)
}

/// On what the figures of a table rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rests {
    /// The log.
    pub origin: String,
    /// The first entry that may be counted.
    pub first: u64,
    /// One after the last.
    pub end: u64,
    /// The size of the log that the root is of.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl Rests {
    /// What a table says; all zero where its head does not read, which verifying tells.
    #[must_use]
    pub fn of(table: &StatisticsTable) -> Self {
        let range = table.range.clone().unwrap_or_default();
        let head = Checkpoint::of_note(&range.checkpoint);
        let (size, root) = head.map_or((0, [0; 32]), |head| (head.size, head.root));
        Self {
            origin: range.origin,
            first: range.first,
            end: range.end,
            size,
            root,
        }
    }

    /// As one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let (first, end, size) = (self.first, self.end, self.size);
        let root = hex::encode(self.root);
        format!(
            "Entries {first} to {end} (the last not included) of the log {}, under root {root} of size {size}",
            self.origin
        )
    }
}

/// The row of a table at these places.
#[must_use]
pub fn row<'a>(table: &'a StatisticsTable, at: &[Coordinate]) -> Option<&'a Row> {
    table.rows.iter().find(|row| row.at == at)
}

/// The values that a table tells apart on an axis.
#[must_use]
pub fn values<'a>(table: &'a StatisticsTable, axis: &str) -> &'a [String] {
    let mut found = table.axes.iter().filter(|one| one.axis == axis);
    found.next().map_or(&[], |one| &one.values)
}

/// A place on an axis.
#[must_use]
pub fn place(axis: &str, value: &str) -> Coordinate {
    Coordinate {
        axis: axis.to_owned(),
        value: value.to_owned(),
    }
}

/// Every cell of a table, those that are hidden too.
fn cells(table: &StatisticsTable) -> Vec<Row> {
    let mut cells: Vec<Row> = table
        .rows
        .iter()
        .filter(|row| row.at.len() < 2)
        .cloned()
        .collect();
    for crossing in table
        .crossings
        .iter()
        .filter(|crossing| !crossing.withdrawn)
    {
        for first in values(table, &crossing.first) {
            for second in values(table, &crossing.second) {
                let at = vec![
                    place(&crossing.first, first),
                    place(&crossing.second, second),
                ];
                let shown = row(table, &at).cloned();
                cells.push(shown.unwrap_or(Row {
                    at,
                    ..Row::default()
                }));
            }
        }
    }
    cells
}

/// The months of a table.
#[must_use]
pub fn period(table: &StatisticsTable) -> String {
    match table.first_month == table.last_month {
        true => table.first_month.clone(),
        false => format!("{}..{}", table.first_month, table.last_month),
    }
}

/// What a table counts, where the definition is known by this very text.
fn known(table: &StatisticsTable) -> Option<&'static Definition> {
    let known = definition(&table.definition_id, Some(table.definition_version)).ok();
    known.filter(|known| known.sha256[..] == table.definition_sha256[..])
}

/// The time at which a table was true, in UTC.
fn as_of(table: &StatisticsTable) -> String {
    let ms = i64::try_from(table.as_of_ms).unwrap_or_default();
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| format!("{time:.0}"))
}

/// How small cells are kept from sight, as one sentence.
fn control(table: &StatisticsTable) -> String {
    let control = table.control.clone().unwrap_or_default();
    let exact = match control.exact_from {
        0 => String::new(),
        from => format!(" A total of {from} or more is exact."),
    };
    format!(
        "{HIDDEN} stands for a figure that is not shown: fewer than {}, or one by which such a figure could be computed; it never means 0. Figures are rounded to multiples of {} after noise of at most {}.{exact}",
        control.threshold, control.base, control.noise_max
    )
}
