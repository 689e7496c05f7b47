//! Vectors of cases: one outcome in each file of `spec/vectors/case`, agreed on with the independent reader.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test case` writes them anew. Each maker states what
//! must come out; what the replay finds is compared with it and only then written.
#![allow(clippy::unwrap_used, missing_docs)]

mod clocks;
mod ends;
mod folds;
mod messages;
mod replay;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// One vector before it is written: its name, and its fields in their order.
pub(crate) struct Vector {
    name: String,
    fields: Vec<(&'static str, Value)>,
}

impl Vector {
    pub(crate) fn new(name: &str, spec: &str, what: &str, op: &str) -> Self {
        let fields = vec![
            ("spec", json!(spec)),
            ("what", json!(what)),
            ("op", json!(op)),
        ];
        Self {
            name: name.to_owned(),
            fields,
        }
    }

    pub(crate) fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    fn inputs(&self) -> Map<String, Value> {
        let pairs = self.fields.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    fn to_text(&self, result: Option<String>) -> String {
        let result = result.map(|result| ("result", json!(result)));
        let lines: Vec<String> = self
            .fields
            .iter()
            .chain(&result)
            .map(|(name, value)| format!("  {}: {value}", json!(name)))
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/case")
}

fn outcome(inputs: &Map<String, Value>) -> (String, Option<String>) {
    match replay::run(inputs) {
        Ok(result) => ("ok".to_owned(), Some(result)),
        Err(name) => (name, None),
    }
}

fn regenerate() {
    let _ = fs::remove_dir_all(folder());
    fs::create_dir_all(folder()).unwrap();
    let mut wrong = Vec::new();
    for vector in [
        messages::make(),
        clocks::make(),
        folds::make(),
        ends::make(),
    ]
    .into_iter()
    .flatten()
    {
        let path = folder().join(format!("{}.json", vector.name));
        assert!(!path.exists(), "{} stands twice", path.display());
        let inputs = vector.inputs();
        let (found, result) = outcome(&inputs);
        if inputs["expect"] != found {
            wrong.push(format!("{}: {found}", vector.name));
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
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let inputs: Map<String, Value> =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let (found, result) = outcome(&inputs);
        count += 1;
        failures += usize::from(inputs["expect"] != "ok");
        let wanted = inputs.get("result").and_then(Value::as_str);
        if inputs["expect"] != found || wanted != result.as_deref() {
            wrong.push(format!("{}: {found} {result:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{count} vectors");
    assert!(
        failures * 2 > count,
        "most vectors say what must be refused"
    );
}
