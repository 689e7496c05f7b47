//! Vectors of chapter RTE: one outcome in each file of `spec/vectors/routing`, agreed on with the
//! independent reader.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test routing` writes them anew. `FREX_VECTORS=DIR` judges the
//! files of another folder, such as those that the reader has made of other reports.
#![allow(clippy::unwrap_used, missing_docs)]

mod make;
mod policies;
mod replay;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// One vector before it is written.
pub struct Vector {
    pub name: String,
    pub fields: Vec<(&'static str, Value)>,
}

impl Vector {
    pub fn new(name: &str, spec: &str, what: &str, op: &str) -> Self {
        let fields = [("spec", spec), ("what", what), ("op", op)];
        Self {
            name: name.to_owned(),
            fields: fields.map(|(field, text)| (field, json!(text))).to_vec(),
        }
    }

    pub fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub fn expect(self, name: &str) -> Self {
        self.set("expect", name)
    }

    fn inputs(&self) -> Map<String, Value> {
        let pairs = self.fields.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    fn to_text(&self, result: Option<String>) -> String {
        let result = result.map(|result| ("result", json!(result)));
        let lines = self.fields.iter().chain(&result);
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("  {}: {value}", json!(name)))
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/routing");
    std::env::var_os("FREX_VECTORS").map_or(own, PathBuf::from)
}

fn outcome(inputs: &Map<String, Value>) -> (String, Option<String>) {
    match replay::run(inputs) {
        Ok(result) => ("ok".to_owned(), Some(result)),
        Err(name) => (name, None),
    }
}

fn regenerate() {
    if folder().exists() {
        fs::remove_dir_all(folder()).unwrap();
    }
    fs::create_dir_all(folder()).unwrap();
    let mut wrong = Vec::new();
    for vector in make::make().into_iter().chain(policies::make()) {
        let path = folder().join(format!("{}.json", vector.name));
        assert!(!path.exists(), "{} stands twice", path.display());
        let (found, result) = outcome(&vector.inputs());
        let expected = vector.inputs()["expect"].clone();
        if expected != found {
            wrong.push(format!("{}: {found} {result:?}", vector.name));
        }
        fs::write(&path, vector.to_text(result)).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_vector_comes_out_as_it_says() {
    if std::env::var_os("FREX_REGENERATE").is_some() {
        regenerate();
    }
    let mut wrong = Vec::new();
    let (mut failures, mut count) = (0, 0);
    for entry in fs::read_dir(folder()).expect("the vectors are there") {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let inputs: Map<String, Value> = serde_json::from_str(&text).expect("a JSON object");
        let (found, result) = outcome(&inputs);
        (failures, count) = (failures + usize::from(inputs["expect"] != "ok"), count + 1);
        let wanted = inputs.get("result").and_then(Value::as_str);
        if inputs["expect"] != found || wanted != result.as_deref() {
            wrong.push(format!("{}: {found} {result:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        failures * 2 > count || std::env::var_os("FREX_VECTORS").is_some(),
        "most of {count} vectors say what must be refused"
    );
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
