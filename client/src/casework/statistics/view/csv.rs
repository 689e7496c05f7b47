//! Comma-separated values: RFC 4180, and nothing that a program takes for a formula. Spec: STA-39.

use super::{ALL, Rests, as_of, cells, period};
use crate::casework::statistics::{
    Axis,
    wire::{Row, StatisticsTable},
};

const ABOUT: [&str; 13] = [
    "federation",
    "member",
    "definition",
    "definition_version",
    "period",
    "zone",
    "as_of",
    "revision",
    "log",
    "log_first",
    "log_end",
    "log_size",
    "log_root",
];
const FIGURES: [&str; 9] = [
    "reports",
    "incidents",
    "accounts",
    "items",
    "median_hours_to_accepted",
    "median_hours_to_opened",
    "median_hours_to_acted",
    "overdue_percent",
    "shelved_percent",
];

/// A table: a row for each cell, with all on which it rests in every row.
#[must_use]
pub fn csv(table: &StatisticsTable) -> String {
    let axes = Axis::ALL.map(Axis::name);
    let mut text = line(
        ABOUT
            .into_iter()
            .chain(axes)
            .chain(FIGURES)
            .map(str::to_owned),
    );
    let rests = Rests::of(table);
    let about = [
        table.federation.clone(),
        table.member.clone(),
        table.definition_id.clone(),
        table.definition_version.to_string(),
        period(table),
        table.zone.clone(),
        as_of(table),
        table.revision.to_string(),
        rests.origin.clone(),
        rests.first.to_string(),
        rests.end.to_string(),
        rests.size.to_string(),
        hex::encode(rests.root),
    ];
    for row in cells(table) {
        let at = axes.map(|axis| {
            let mut places = row.at.iter().filter(|place| place.axis == axis);
            places
                .next()
                .map_or_else(|| ALL.to_owned(), |place| place.value.clone())
        });
        text.push_str(&line(
            about.clone().into_iter().chain(at).chain(figures(&row)),
        ));
    }
    text
}

/// Of crossings only reports are counted: the other fields are empty there.
fn figures(row: &Row) -> [String; 9] {
    let mut figures = super::figures(row);
    if row.at.len() > 1 {
        figures.iter_mut().skip(1).for_each(String::clear);
    }
    figures
}

fn line(fields: impl Iterator<Item = String>) -> String {
    let fields: Vec<String> = fields.map(|field| quoted(&field)).collect();
    format!("{}\r\n", fields.join(","))
}

/// A field as it stands in a file.
pub(super) fn quoted(field: &str) -> String {
    // A cell that begins so is run by programs that open the file.
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let field = if formula {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    }
}
