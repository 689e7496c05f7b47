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

use vector::Vector;

fn make() -> Vec<Vector> {
    make::make().into_iter().chain(policies::make()).collect()
}

#[test]
fn every_vector_comes_out_as_it_says() {
    vector::check("routing", make, |inputs| replay::run(inputs).map(Some));
}

// RTE-2, RTE-11, RTE-20: the chapter prints what the tables hold.
#[test]
fn the_chapter_prints_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/29-routing.md");
    let chapter = fs::read_to_string(path).unwrap();
    let quality = frex_client::casework::quality::table();
    let lists = quality.completeness.values();
    let mut rows: Vec<String> = lists
        .chain([&quality.actionability])
        .flatten()
        .map(|entry| {
            format!(
                "| {} | `{}` | {} | `{}`",
                entry.weight, entry.code, entry.text, entry.paths[0]
            )
        })
        .collect();
    let tables = frex_client::casework::routing::tables();
    let bases = tables.routes.bases.iter();
    rows.extend(bases.map(|one| {
        format!("| `{}` | {:?} | {} |", one.basis, one.class, one.points).to_lowercase()
    }));
    let law = tables.law.rows.iter();
    rows.extend(law.map(|row| format!("{} {}", row.law, row.article).trim().to_owned()));
    let threshold = format!("from the threshold on ({}", tables.routes.threshold);
    rows.extend([
        threshold,
        format!("from {} on", tables.routes.urgent_threshold),
    ]);
    let missing: Vec<_> = rows
        .iter()
        .filter(|row| !chapter.contains(row.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
