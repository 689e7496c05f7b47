//! A table on a terminal.

use frex_client::casework::statistics::{
    Signed,
    view::{HIDDEN, Rests, figure, hours, place, row, values},
    wire::{Crossing, Row, StatisticsTable},
};

use crate::cli::{output, time::rfc3339};

/// Prints a table with what it rests on.
pub(super) fn table(signed: &Signed) {
    let table = &signed.table;
    let rests = Rests::of(table);
    let control = table.control.clone().unwrap_or_default();
    let months = match table.first_month == table.last_month {
        true => table.first_month.clone(),
        false => format!("{}..{}", table.first_month, table.last_month),
    };
    let about = [
        (
            "counts",
            format!(
                "{} version {}",
                table.definition_id, table.definition_version
            ),
        ),
        ("by", table.member.clone()),
        ("months", format!("{months}, in {}", table.zone)),
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
    let percent = |percent: Option<u32>| figure(percent.map(u64::from));
    let (by, value) = match row.at.first() {
        None => ("total", "all"),
        Some(place) => (&*place.axis, &*place.value),
    };
    vec![
        by.to_owned(),
        output::clean(value),
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
        let cell = |other: &String| {
            let shown = row(table, &[place(first, one), place(second, other)]);
            shown.map_or_else(|| HIDDEN.to_owned(), |row| figure(row.reports))
        };
        let cells: Vec<String> = std::iter::once(output::clean(one))
            .chain(columns.iter().map(cell))
            .collect();
        printed.add_row(cells);
    }
    output::print_table(&printed);
}
