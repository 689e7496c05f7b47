//! A table on a terminal.

use frex_client::casework::statistics::{
    Signed,
    view::{self, ALL, HIDDEN, Rests, period, place, reports, values},
    wire::{Crossing, Row, StatisticsTable},
};

use crate::cli::{output, time::rfc3339};

/// Prints a table with what it rests on.
pub(super) fn table(signed: &Signed) {
    let table = &signed.table;
    let rests = Rests::of(table);
    let control = table.control.clone().unwrap_or_default();
    let about = [
        (
            "counts",
            format!(
                "{} version {}",
                table.definition_id, table.definition_version
            ),
        ),
        ("by", table.member.clone()),
        ("months", format!("{}, in {}", period(table), table.zone)),
        (
            "as of",
            format!("{}, revision {}", rfc3339(table.as_of_ms), table.revision),
        ),
        (
            "log",
            format!("{} [{}, {})", rests.origin, rests.first, rests.end),
        ),
        (
            "root",
            format!("{} of size {}", hex::encode(rests.root), rests.size),
        ),
        ("sha256", hex::encode(signed.sha256)),
    ];
    for (name, said) in about {
        output::data(format_args!("{name:<8} {}", output::clean(&said)));
    }
    output::data("");
    figures(table);
    for crossing in &table.crossings {
        output::data("");
        print_crossing(table, crossing);
    }
    output::data("");
    output::data(format_args!(
        "{HIDDEN}: not shown, fewer than {} or a figure by which such a one could be computed; never 0",
        control.threshold
    ));
}

fn figures(table: &StatisticsTable) {
    let header = [
        "BY",
        "VALUE",
        "REPORTS",
        "INCIDENTS",
        "ACCOUNTS",
        "ITEMS",
        "H ACCEPTED",
        "H OPENED",
        "H ACTED",
        "% OVERDUE",
        "% SHELVED",
    ];
    let mut printed = output::table(&header);
    for row in table.rows.iter().filter(|row| row.at.len() < 2) {
        printed.add_row(cells(row));
    }
    output::print_table(&printed);
}

fn cells(row: &Row) -> Vec<String> {
    let (by, value) = named(row);
    [by.to_owned(), output::clean(value)]
        .into_iter()
        .chain(view::figures(row))
        .collect()
}

/// The axis and the value of a row that stands for one value, or for all.
pub(super) fn named(row: &Row) -> (&str, &str) {
    match row.at.first() {
        None => ("total", ALL),
        Some(place) => (&*place.axis, &*place.value),
    }
}

fn print_crossing(table: &StatisticsTable, crossing: &Crossing) {
    let (first, second) = (&*crossing.first, &*crossing.second);
    if crossing.withdrawn {
        output::data(format_args!(
            "{first} by {second}: nothing of it can be shown"
        ));
        return;
    }
    let columns = values(table, second);
    let corner = format!("{} \\ {}", first.to_uppercase(), second.to_uppercase());
    let columns_clean: Vec<String> = columns.iter().map(|column| output::clean(column)).collect();
    let header: Vec<&str> = std::iter::once(&*corner)
        .chain(columns_clean.iter().map(|one| &**one))
        .collect();
    let mut printed = output::table(&header);
    for one in values(table, first) {
        let cell = |other: &String| reports(table, &[place(first, one), place(second, other)]);
        let cells: Vec<String> = std::iter::once(output::clean(one))
            .chain(columns.iter().map(cell))
            .collect();
        printed.add_row(cells);
    }
    output::print_table(&printed);
}
