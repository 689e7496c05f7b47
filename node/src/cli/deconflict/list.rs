//! `frex deconflict ls`: what is held, what others asked, what this member asked, who has called.

use std::collections::BTreeMap;

use frex_client::{casework::deconflict::store::Store, environment::Clock};
use serde_json::{Value, json};

use super::{
    LsArgs, ask,
    received::{self, MADE},
};
use crate::cli::{
    failure::{Done, OrFail},
    member, output,
    time::rfc3339,
};

/// Lists all of it. Asks nobody.
pub fn list(args: &LsArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let store = Store::of(home.dir());
    let mut held: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    store
        .each_holding(|holding| {
            let kind = held.entry(holding.identifier.kind().to_owned()).or_default();
            kind[usize::from(holding.silent)] += 1;
            Ok(())
        })
        .or_fail("what is held cannot be read")?;
    let epoch = store.epoch(Clock::System.now_ms()).or_fail("the epochs cannot be read")?;
    let asked = store.all_asked().or_fail("what was asked cannot be read")?;
    let served = store.all_served().or_fail("what others asked cannot be read")?;
    let abouts = received::all(&home)?.into_iter();
    let calls: Vec<Value> = abouts
        .filter(|about| about[MADE]["what"] == "call of" && about[MADE]["state"] == "proved")
        .map(|about| json!({ "received": about["received"], "call": about[MADE], "message": about["message"] }))
        .collect();
    let asked: Vec<Value> = asked.iter().map(ask::row).collect();
    let served: Vec<Value> = served.iter().map(|one| json!(one)).collect();
    let held_rows: Vec<Value> = held
        .iter()
        .map(|(kind, [told, silent])| json!({ "kind": kind, "told": told, "silent": silent }))
        .collect();
    if json {
        output::document(json!({
            "held": held_rows, "epoch_ends": epoch.map(|own| rfc3339(own.epoch.ends_ms)),
            "asked": asked, "served": served, "calls": calls,
        }));
        return Ok(0);
    }
    print_table(&["HELD", "TOLD", "SILENT"], &held_rows, &["kind", "told", "silent"]);
    match epoch {
        Some(own) => output::data(format_args!("epoch until {}", rfc3339(own.epoch.ends_ms))),
        None => output::data("no epoch: nobody is answered before one is begun"),
    }
    let served: Vec<Value> = served
        .into_iter()
        .map(|mut row| {
            row["at"] = rfc3339(row["at_ms"].as_u64().unwrap_or_default()).into();
            row
        })
        .collect();
    let columns = ["at", "member", "items", "state", "refusal"];
    print_table(&["WAS ASKED", "BY", "ITEMS", "STATE", "WHY"], &served, &columns);
    let asked: Vec<Value> = asked
        .into_iter()
        .map(|mut row| {
            let items = row["items"].as_array().cloned().unwrap_or_default();
            row["count"] = items.len().into();
            row["hits"] = items.iter().filter(|item| item["held"] == true).count().into();
            row
        })
        .collect();
    let columns = ["asked", "member", "question", "count", "state", "hits"];
    print_table(&["ASKED", "OF", "QUESTION", "ITEMS", "STATE", "HITS"], &asked, &columns);
    let calls: Vec<Value> = calls
        .into_iter()
        .map(|row| {
            let mut call = row["call"].clone();
            call["received"] = row["received"].clone();
            call["back"] = [&call["caller"]["email"], &call["caller"]["phone"]]
                .into_iter()
                .filter_map(Value::as_str)
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
                .into();
            call
        })
        .collect();
    let columns = ["received", "from", "identifier", "back", "reference", "note"];
    print_table(&["CALLED", "BY", "ABOUT", "CALL BACK", "REFERENCE", "NOTE"], &calls, &columns);
    Ok(0)
}

fn print_table(header: &[&str], rows: &[Value], columns: &[&str]) {
    if rows.is_empty() {
        return;
    }
    let mut table = output::table(header);
    for row in rows {
        let cell = |column: &&str| match &row[*column] {
            Value::String(text) => output::clean(text),
            Value::Null => String::new(),
            value => value.to_string(),
        };
        table.add_row(columns.iter().map(cell).collect::<Vec<_>>());
    }
    output::print_table(&table);
    output::data("");
}
