//! Vectors of routing, in `spec/vectors/routing`.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test routing` writes them anew. `FREX_VECTORS=DIR` judges the
//! files of another folder, such as those that the reader has made of other reports.
#![allow(clippy::unwrap_used, missing_docs)]

mod make;
mod policies;
mod replay;
#[path = "../vector/mod.rs"]
mod vector;

use std::{fs, path::Path};

use frex_client::casework::{quality, routing};
use serde_json::Value;
use vector::Vector;

fn make() -> Vec<Vector> {
    make::make().into_iter().chain(policies::make()).collect()
}

#[test]
fn every_vector_comes_out_as_it_says() {
    vector::check("routing", make, |inputs| replay::run(inputs).map(Some));
}

// RTE-2, RTE-8, RTE-11, RTE-15, RTE-16, RTE-20: the chapter prints what the tables hold, row by row.
#[test]
fn the_chapter_prints_the_tables() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapter = fs::read_to_string(client.join("../spec/29-routing.md")).unwrap();
    let tables = routing::tables();
    let mut rows = weights();
    let bases = tables.routes.bases.iter();
    rows.extend(bases.map(|one| {
        format!("\n| `{}` | {:?} | {} |\n", one.basis, one.class, one.points).to_lowercase()
    }));
    let reasons = tables.routes.routes.iter();
    rows.extend(reasons.map(|one| format!(" | `{}` |\n", one.reason)));
    rows.extend([
        format!("from the threshold on ({}", tables.routes.threshold),
        format!("from {} on", tables.routes.urgent_threshold),
        format!("at least {} in common", quality::ALIKE_TOKENS),
        format!("{} in 100", quality::ALIKE_PERCENT),
    ]);
    rows.retain(|row| !chapter.contains(row.as_str()));
    rows.extend(places(&chapter, client));
    let laws = tables.law.rows.iter();
    rows.extend(laws.filter_map(|row| {
        let begin = format!("| {} in {} | ", row.sender, row.from);
        let law = format!("{} {}", row.law, row.article);
        let copy = format!("{:?}", row.copy).to_lowercase();
        let end = format!("| {} | {copy} |", law.trim_end());
        let mut lines = chapter.lines();
        let there = lines.any(|line| line.starts_with(&begin) && line.ends_with(&end));
        (!there).then_some(end)
    }));
    assert!(rows.is_empty(), "{rows:#?}");
}

/// What is counted of a report, as the chapter writes it.
fn weights() -> Vec<String> {
    let table = quality::table();
    let quoted = |names: &[String], between: &str| {
        let names = names.iter().map(|name| format!("`{name}`"));
        names.collect::<Vec<_>>().join(between)
    };
    let lists = table.completeness.values();
    let entries = lists.chain([&table.actionability]).flatten();
    let row = |entry: &quality::Entry| {
        let with = match entry.with.is_empty() {
            true => String::new(),
            false => format!(" (one entry with {})", quoted(&entry.with, " and ")),
        };
        format!(
            "\n| {} | `{}` | {} | {}{with} |\n",
            entry.weight,
            entry.code,
            entry.text,
            quoted(&entry.paths, ", ")
        )
    };
    entries.map(row).collect()
}

/// Places of the table at which a country stands and that the chapter does not print so.
fn places(chapter: &str, client: &Path) -> Vec<String> {
    let table = fs::read(client.join("schema/routing/routes.v1.json")).unwrap();
    let table: Value = serde_json::from_slice(&table).unwrap();
    let reads = table["reads"].as_array().unwrap().iter();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let missing = reads.filter_map(|one| {
        let place = format!("`{}`", text(one, "path"));
        let end = format!("| {} | `{}` |", text(one, "as"), text(one, "basis"));
        let mut lines = chapter.lines();
        let there = lines.any(|line| line.ends_with(&end) && line.contains(&place));
        (!there).then(|| format!("{place} {end}"))
    });
    missing.collect()
}
