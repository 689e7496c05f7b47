//! One page of HTML: no script, nothing from elsewhere, every figure in a table with headers. Spec: STA-41.

use super::{Rests, as_of, control, figures, known, period, place, reports, row, svg, values};
use crate::casework::statistics::{
    Signed,
    wire::{Crossing, Row, StatisticsTable},
};

const STYLE: &str = include_str!("page.css");

/// The page of a table.
#[must_use]
pub fn page(signed: &Signed, file: &str) -> String {
    let table = &signed.table;
    let title = title(table);
    let body = [
        format!("<h1>{}</h1>\n", escaped(&title)),
        about(signed),
        definition(table),
        totals(table),
        table
            .axes
            .iter()
            .map(|one| axis(table, &one.axis))
            .collect(),
        table
            .crossings
            .iter()
            .map(|one| crossing(table, one))
            .collect(),
        how(file),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        escaped(&title),
        body.concat()
    )
}

/// Text as text.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

fn title(table: &StatisticsTable) -> String {
    let what = known(table).map_or(&*table.definition_id, |known| &known.title);
    format!("{what} by {}, {}", table.member, period(table))
}

fn about(signed: &Signed) -> String {
    let table = &signed.table;
    let rests = Rests::of(table);
    let superseded = match table.supersedes.is_empty() {
        true => String::new(),
        false => format!(", in place of {}", hex::encode(&table.supersedes)),
    };
    let rows = [
        ("Federation", table.federation.clone()),
        ("Counted by", table.member.clone()),
        (
            "Months",
            format!(
                "{}, beginning in the time zone {}",
                period(table),
                table.zone
            ),
        ),
        ("As of", as_of(table)),
        ("Revision", format!("{}{superseded}", table.revision)),
        ("Rests on", rests.words()),
        ("SHA-256 of the signed table", hex::encode(signed.sha256)),
    ];
    let rows = rows.map(|(name, said)| vec![name.to_owned(), said]);
    let control = escaped(&control(table));
    format!(
        "{}<p>{control}</p>\n",
        html_table("What this is", &[], &rows)
    )
}

fn definition(table: &StatisticsTable) -> String {
    let Some(known) = known(table) else {
        return "<p>The definition is not known here: what these figures count is not known either.</p>\n".to_owned();
    };
    let list = |said: &[String]| -> String {
        said.iter()
            .map(|one| format!("<li>{}</li>\n", escaped(one)))
            .collect()
    };
    format!(
        "<h2>What counts</h2>\n<ul>\n{}</ul>\n<h2>What does not</h2>\n<ul>\n{}</ul>\n",
        list(&known.counts),
        list(&known.does_not_count)
    )
}

const HEADERS: [&str; 9] = [
    "Reports",
    "Incidents",
    "Accounts",
    "Items",
    "Median hours until accepted",
    "Median hours until opened",
    "Median hours until acted",
    "Overdue, %",
    "Shelved, %",
];

fn measures(name: &str, row: &Row) -> Vec<String> {
    std::iter::once(name.to_owned())
        .chain(figures(row))
        .collect()
}

fn totals(table: &StatisticsTable) -> String {
    let total = row(table, &[]).cloned().unwrap_or_default();
    let headers = [&["Total"][..], &HEADERS].concat();
    let rows = [measures("all", &total)];
    format!(
        "<h2>Total</h2>\n{}",
        html_table("All reports of the period", &headers, &rows)
    )
}

fn axis(table: &StatisticsTable, axis: &str) -> String {
    let headers = [&[axis][..], &HEADERS].concat();
    let rows: Vec<Vec<String>> = values(table, axis)
        .iter()
        .filter_map(|value| Some(measures(value, row(table, &[place(axis, value)])?)))
        .collect();
    let caption = format!("Reports by {axis}");
    format!(
        "<h2>By {axis}</h2>\n<figure>\n{}<figcaption>The figures of this chart are in the table below it.</figcaption>\n</figure>\n{}",
        svg(table, axis),
        html_table(&caption, &headers, &rows)
    )
}

fn crossing(table: &StatisticsTable, crossing: &Crossing) -> String {
    let (first, second) = (&*crossing.first, &*crossing.second);
    let heading = format!("<h2>By {first} and {second}</h2>\n");
    if crossing.withdrawn {
        return format!(
            "{heading}<p>Nothing of it can be shown without giving away what concerns few people.</p>\n"
        );
    }
    let columns = values(table, second);
    let corner = format!("{first} \\ {second}");
    let headers: Vec<&str> = std::iter::once(&*corner)
        .chain(columns.iter().map(|one| &**one))
        .collect();
    let line = |one: &String| {
        let cell = |other: &String| reports(table, &[place(first, one), place(second, other)]);
        let cells = columns.iter().map(cell);
        std::iter::once(one.clone()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = values(table, first).iter().map(line).collect();
    let caption = format!("Reports by {first} and {second}");
    format!("{heading}{}", html_table(&caption, &headers, &rows))
}

fn html_table(caption: &str, headers: &[&str], rows: &[Vec<String>]) -> String {
    let heads: String = headers
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escaped(name)))
        .collect();
    let head = match headers.is_empty() {
        true => String::new(),
        false => format!("<thead><tr>{heads}</tr></thead>\n"),
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(place, cell)| match place {
            0 => format!("<th scope=\"row\">{}</th>", escaped(cell)),
            _ => format!("<td>{}</td>", escaped(cell)),
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    format!(
        "<table>\n<caption>{}</caption>\n{head}<tbody>\n{}</tbody>\n</table>\n",
        escaped(caption),
        rows.iter().map(line).collect::<String>()
    )
}

fn how(file: &str) -> String {
    let file = escaped(file);
    format!(
        "<h2>How to verify it</h2>\n<p>This page proves nothing: the signed table <code>{file}</code> does, to whoever has the root of the federation from a hand they trust.</p>\n<pre>frex stats verify {file} --root root.frex --roster roster.frex</pre>\n"
    )
}
