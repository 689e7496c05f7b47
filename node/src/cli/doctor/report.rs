//! The report for people, programs and monitors.

use serde_json::{Value, json};

use super::{Format, Outcome, Row};
use crate::cli::output;

/// Prints every row and the verdict.
pub fn print(rows: &[Row], format: Format) {
    match format {
        Format::Text => text(rows),
        Format::Json => output::document(json!({
            "verdict": worst(rows).name(),
            "checks": rows.iter().map(row).collect::<Vec<_>>(),
        })),
        Format::Prometheus => output::data(prometheus(rows).trim_end()),
    }
}

fn text(rows: &[Row]) {
    let longest = rows.iter().map(|row| row.check.chars().count()).max();
    let width = longest.unwrap_or_default();
    for row in rows {
        let (mark, check, found) = (row.outcome.name(), &row.check, output::clean(&row.found));
        output::data(format_args!("{mark:<4}  {check:<width$}  {found}"));
        if let Some(mend) = &row.mend {
            output::data(format_args!("      try: {}", output::clean(mend)));
        }
    }
    let count = |wanted: fn(&Row) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let failed = count(|row| matches!(row.outcome, Outcome::Fail(_)));
    let warned = count(|row| row.outcome == Outcome::Warn);
    let of = rows.len();
    output::data(match (failed, warned) {
        (0, 0) => output::good("OK"),
        (0, _) => output::good(&format!("OK, with {warned} of {of} checks to look after")),
        _ => output::bad(&format!("FAILED: {failed} of {of} checks")),
    });
}

fn row(row: &Row) -> Value {
    let code = match row.outcome {
        Outcome::Fail(code) => Some(code.info().name),
        _ => None,
    };
    json!({
        "check": row.check, "outcome": row.outcome.name(), "found": row.found, "try": row.mend,
        "code": code,
    })
}

fn worst(rows: &[Row]) -> Outcome {
    let failed = rows
        .iter()
        .find(|row| matches!(row.outcome, Outcome::Fail(_)));
    let warned = rows.iter().find(|row| row.outcome == Outcome::Warn);
    failed.or(warned).map_or(Outcome::Ok, |row| row.outcome)
}

/// Without the checks that were skipped: of them nothing is known.
fn prometheus(rows: &[Row]) -> String {
    let mut text = "# HELP frex_doctor Outcome of a check: 0 ok, 1 warn, 2 fail.\n".to_owned();
    text.push_str("# TYPE frex_doctor gauge\n");
    for row in rows {
        let value = match row.outcome {
            Outcome::Ok => 0,
            Outcome::Warn => 1,
            Outcome::Fail(_) => 2,
            Outcome::Skip => continue,
        };
        text.push_str(&format!("frex_doctor{{check=\"{}\"}} {value}\n", row.check));
    }
    text
}
