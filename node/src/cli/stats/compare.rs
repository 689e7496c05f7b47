//! `frex stats compare`: what changed, by the published rule. Spec: STA-25.

use frex_client::casework::statistics::{
    change, percent,
    view::{figure, row},
    wire::{Row, StatisticsTable},
};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{CompareArgs, print::named, read};
use crate::cli::{
    failure::{Done, Failure},
    output,
};

/// What a change reads that is not told.
const NOT_TOLD: &str = "-";

/// Compares two tables, figure by figure, where both show it.
pub fn compare(args: &CompareArgs, json: bool) -> Done {
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let (before, after) = (&before.table, &after.table);
    let same = before.definition_id == after.definition_id
        && before.definition_sha256 == after.definition_sha256
        && before.federation == after.federation;
    if !same {
        let what = "the tables do not count the same";
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("figures of two definitions cannot be compared"));
    }
    let lines: Vec<Line> = after
        .rows
        .iter()
        .filter_map(|row| line(row, before))
        .collect();
    if json {
        let list: Vec<Value> = lines.iter().map(Line::json).collect();
        output::document(json!({
            "before": period(before), "after": period(after), "member": [before.member, after.member],
            "changes": list,
        }));
        return Ok(0);
    }
    output::data(format_args!("{}  to  {}", period(before), period(after)));
    let mut table = output::table(&["BY", "VALUE", "BEFORE", "AFTER", "CHANGE"]);
    for line in &lines {
        table.add_row([
            line.by.clone(),
            output::clean(&line.value),
            figure(line.before),
            figure(line.after),
            line.change.clone().unwrap_or_else(|| NOT_TOLD.to_owned()),
        ]);
    }
    output::print_table(&table);
    output::message(format_args!(
        "note: {NOT_TOLD}: no change is told where a figure is not shown, or was under 50"
    ));
    Ok(0)
}

struct Line {
    by: String,
    value: String,
    before: Option<u64>,
    after: Option<u64>,
    change: Option<String>,
}

impl Line {
    fn json(&self) -> Value {
        json!({
            "by": self.by, "value": self.value, "before": figure(self.before),
            "after": figure(self.after), "change": self.change,
        })
    }
}

/// The total, and each value that both tell apart; months are of two periods and are not compared.
fn line(after: &Row, before: &StatisticsTable) -> Option<Line> {
    if after.at.len() > 1 || after.at.iter().any(|place| place.axis == "month") {
        return None;
    }
    let earlier = row(before, &after.at)?;
    let (by, value) = named(after);
    let both = earlier.reports.zip(after.reports);
    Some(Line {
        by: by.to_owned(),
        value: value.to_owned(),
        before: earlier.reports,
        after: after.reports,
        change: both
            .and_then(|(before, after)| change(before, after))
            .map(percent),
    })
}

fn period(table: &StatisticsTable) -> String {
    format!(
        "{} {}..{}",
        table.member, table.first_month, table.last_month
    )
}
