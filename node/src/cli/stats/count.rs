//! `frex stats count`: a member's own figures as they are, for its own eyes. They are not signed, and not hidden.

use std::collections::BTreeMap;

use frex_client::{
    casework::statistics::{self, Axis, Fact, Measures, measure, value_of, view::hours},
    environment::Clock,
};
use serde_json::{Value, json};

use super::{CountArgs, facts};
use crate::cli::{
    failure::{Done, OrFail},
    member, output,
};

/// Counts every report of a folder, those of the month that is running too.
pub fn count(args: &CountArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let definition = statistics::definition(&args.definition, None);
    let definition = definition.or_fail("nothing can be counted")?;
    let counted = facts::of(&home, &roster, definition, Clock::System.now_ms())?;
    let mut facts: Vec<&Fact> = Vec::new();
    for fact in &counted.facts {
        let month =
            statistics::month_of(fact.logged_ms, &args.zone).or_fail("no month can be told")?;
        if args.period.is_none_or(|period| period.0.contains(month)) {
            facts.push(fact);
        }
    }
    let mut rows: Vec<(&str, BTreeMap<String, u64>)> = Vec::new();
    for axis in Axis::ALL {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for fact in &facts {
            let value = value_of(fact, axis, &args.zone).or_fail("no month can be told")?;
            *counts.entry(value).or_default() += 1;
        }
        rows.push((axis.name(), counts));
    }
    // For this member alone: a median of a single report is one.
    let all = measure(&facts.iter().copied(), 1);
    if json {
        let by: serde_json::Map<String, Value> = rows
            .iter()
            .map(|(axis, counts)| ((*axis).to_owned(), json!(counts)))
            .collect();
        output::document(json!({
            "definition": definition.id, "zone": args.zone, "reports": all.reports, "by": by,
            "incidents": all.incidents, "accounts": all.accounts, "items": all.items,
            "median_hours": {
                "accepted": median(all.accepted_tenths), "opened": median(all.opened_tenths),
                "acted": median(all.acted_tenths),
            },
        }));
        return Ok(0);
    }
    let mut table = output::table(&["BY", "VALUE", "REPORTS"]);
    table.add_row([
        "total".to_owned(),
        "all".to_owned(),
        facts.len().to_string(),
    ]);
    for (axis, counts) in rows {
        for (value, count) in counts {
            table.add_row([axis.to_owned(), output::clean(&value), count.to_string()]);
        }
    }
    output::print_table(&table);
    print(&all);
    output::message(
        "note: as they are, small ones too: for this member alone. For others: frex stats make --help",
    );
    Ok(0)
}

/// Hours with one digit after the point.
fn median(tenths: Option<u32>) -> Option<f64> {
    tenths.map(|tenths| f64::from(tenths) / 10.0)
}

fn print(all: &Measures) {
    output::data("");
    let lasted = |tenths: Option<u32>| match tenths {
        None => "none yet".to_owned(),
        tenths => hours(tenths),
    };
    for (name, figure) in [
        ("incidents", all.incidents.to_string()),
        ("accounts", all.accounts.to_string()),
        ("items", all.items.to_string()),
        ("median hours until accepted", lasted(all.accepted_tenths)),
        ("median hours until opened", lasted(all.opened_tenths)),
        ("median hours until acted", lasted(all.acted_tenths)),
    ] {
        output::data(format_args!("{name:<28} {figure}"));
    }
}
