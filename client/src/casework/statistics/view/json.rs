//! A table as JSON: a figure that is hidden is `"x"`, and never null or 0. Spec: STA-38.

use serde_json::{Map, Value, json};

use super::{HIDDEN, Rests, as_of, cells, known, period};
use crate::casework::statistics::{
    Signed,
    wire::{Row, StatisticsTable},
};

/// A table with what it rests on.
#[must_use]
pub fn json(signed: &Signed) -> Value {
    let table = &signed.table;
    let rests = Rests::of(table);
    let control = table.control.clone().unwrap_or_default();
    let axes: Map<String, Value> = table
        .axes
        .iter()
        .map(|one| (one.axis.clone(), one.values.clone().into()))
        .collect();
    let crossings: Vec<Value> = table
        .crossings
        .iter()
        .map(|one| json!({ "axes": [one.first, one.second], "withdrawn": one.withdrawn }))
        .collect();
    let title = known(table).map(|known| known.title.clone());
    json!({
        "federation": table.federation, "member": table.member,
        "definition": {
            "id": table.definition_id, "version": table.definition_version, "title": title,
            "sha256": hex::encode(&table.definition_sha256),
            "counts": known(table).map(|known| known.counts.clone()),
            "does_not_count": known(table).map(|known| known.does_not_count.clone()),
        },
        "period": period(table), "zone": table.zone,
        "as_of": as_of(table), "as_of_ms": table.as_of_ms, "revision": table.revision,
        "supersedes": (!table.supersedes.is_empty()).then(|| hex::encode(&table.supersedes)),
        "sha256": hex::encode(signed.sha256),
        "log": {
            "origin": rests.origin, "first": rests.first, "end": rests.end, "size": rests.size,
            "root": hex::encode(rests.root),
        },
        "records_sha256": hex::encode(&table.records_sha256),
        "control": {
            "threshold": control.threshold, "base": control.base, "noise_max": control.noise_max,
            "exact_from": control.exact_from, "noise_key_id": hex::encode(&control.noise_key_id),
        },
        "axes": axes, "crossings": crossings, "rows": rows(table),
    })
}

fn rows(table: &StatisticsTable) -> Vec<Value> {
    cells(table).iter().map(one).collect()
}

fn one(row: &Row) -> Value {
    let figure = |figure: Option<u64>| figure.map_or_else(|| HIDDEN.into(), Value::from);
    let hours = |tenths: Option<u32>| match tenths {
        Some(tenths) => Value::from(f64::from(tenths) / 10.0),
        None => HIDDEN.into(),
    };
    let percent = |percent: Option<u32>| figure(percent.map(u64::from));
    let mut said: Map<String, Value> = row
        .at
        .iter()
        .map(|place| (place.axis.clone(), place.value.clone().into()))
        .collect();
    said.insert("reports".to_owned(), figure(row.reports));
    if row.at.len() < 2 {
        let more = [
            ("incidents", figure(row.incidents)),
            ("accounts", figure(row.accounts)),
            ("items", figure(row.items)),
            ("median_hours_to_accepted", hours(row.accepted_tenths)),
            ("median_hours_to_opened", hours(row.opened_tenths)),
            ("median_hours_to_acted", hours(row.acted_tenths)),
            ("overdue_percent", percent(row.overdue_percent)),
            ("shelved_percent", percent(row.shelved_percent)),
        ];
        said.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    said.into()
}
