//! `frex deconflict ls`: what is held, what others asked, what this member asked, who has called.

use std::collections::BTreeMap;

use frex_client::{casework::deconflict::store::Store, environment::Clock, keys::MemberHome};
use serde_json::{Value, json};

use super::{
    LsArgs, ask,
    received::{self, MADE},
};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
    time::rfc3339,
};

/// Header and field of each column.
type Columns<'a> = &'a [(&'a str, &'a str)];

/// Lists all of it. Asks nobody.
pub fn list(args: &LsArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let store = Store::of(home.dir());
    let epoch = store.epoch(Clock::System.now_ms());
    let epoch = epoch.or_fail("the epochs cannot be read")?;
    let ends = epoch.map(|own| rfc3339(own.epoch.ends_ms));
    let held = held(&store)?;
    let asked = store.all_asked().or_fail("what was asked cannot be read")?;
    let asked: Vec<Value> = asked.iter().map(ask::row).collect();
    let served = store.all_served();
    let served = served.or_fail("what others asked cannot be read")?;
    let served: Vec<Value> = served.iter().map(|one| json!(one)).collect();
    let calls = calls(&home)?;
    if json {
        output::document(json!({
            "held": held, "epoch_ends": ends, "asked": asked, "served": served, "calls": calls,
        }));
        return Ok(0);
    }
    print(
        &held,
        &[("HELD", "kind"), ("TOLD", "told"), ("SILENT", "silent")],
    );
    match ends {
        Some(ends) => output::data(format_args!("epoch until {ends}\n")),
        None => output::data(
            "no epoch: the next question, or frex deconflict keys --next, begins one\n",
        ),
    }
    print(
        &served.into_iter().map(with_time).collect::<Vec<_>>(),
        &[
            ("WAS ASKED", "at"),
            ("BY", "member"),
            ("ITEMS", "items"),
            ("STATE", "state"),
            ("WHY", "refusal"),
        ],
    );
    print(
        &asked.into_iter().map(with_counts).collect::<Vec<_>>(),
        &[
            ("ASKED", "asked"),
            ("OF", "member"),
            ("QUESTION", "question"),
            ("ITEMS", "count"),
            ("STATE", "state"),
            ("WHY", "refusal"),
            ("HITS", "hits"),
        ],
    );
    print(
        &calls,
        &[
            ("CALLED", "received"),
            ("BY", "from"),
            ("ABOUT", "identifier"),
            ("CALL BACK", "back"),
            ("REFERENCE", "reference"),
            ("NOTE", "note"),
        ],
    );
    Ok(0)
}

/// How many identifiers of each kind are held, and of how many nobody is told.
fn held(store: &Store) -> Result<Vec<Value>, Failure> {
    let mut held: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    let counted = store.each_held(|holding| {
        let kind = holding.identifier.kind().to_owned();
        held.entry(kind).or_default()[usize::from(holding.silent)] += 1;
        Ok(())
    });
    counted.or_fail("what is held cannot be read")?;
    let row = |(kind, [told, silent]): (String, [u64; 2])| json!({ "kind": kind, "told": told, "silent": silent });
    Ok(held.into_iter().map(row).collect())
}

/// Calls that proved what they claim.
fn calls(home: &MemberHome) -> Result<Vec<Value>, Failure> {
    let all = received::all(home)?.into_iter();
    let is_call =
        |about: &Value| about[MADE]["what"] == "call of" && about[MADE]["state"] == "proved";
    let row = |about: Value| {
        let mut call = about[MADE].clone();
        call["received"] = about["received"].clone();
        call["message"] = about["message"].clone();
        let ways = [&call["caller"]["email"], &call["caller"]["phone"]];
        let ways = ways.into_iter().filter_map(Value::as_str);
        let ways: Vec<&str> = ways.filter(|way| !way.is_empty()).collect();
        call["back"] = ways.join(", ").into();
        call
    };
    Ok(all.filter(is_call).map(row).collect())
}

fn with_time(mut row: Value) -> Value {
    row["at"] = rfc3339(row["at_ms"].as_u64().unwrap_or_default()).into();
    row
}

fn with_counts(mut row: Value) -> Value {
    let items = row["items"].as_array().cloned().unwrap_or_default();
    let hits = items.iter().filter(|item| item["held"] == true).count();
    (row["count"], row["hits"]) = (items.len().into(), hits.into());
    row
}

fn print(rows: &[Value], columns: Columns<'_>) {
    if rows.is_empty() {
        return;
    }
    let header: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut table = output::table(&header);
    for row in rows {
        let cell = |(_, field): &(&str, &str)| match &row[*field] {
            Value::String(text) => output::clean(text),
            Value::Null => String::new(),
            value => value.to_string(),
        };
        table.add_row(columns.iter().map(cell).collect::<Vec<_>>());
    }
    output::print_table(&table);
    output::data("");
}
