//! Vectors of figures: one outcome in each file of `spec/vectors/statistics`, agreed on with the independent
//! reader.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test statistics` writes them anew. Each maker states what must
//! come out; what is found is compared with it and only then written.
#![allow(clippy::unwrap_used, missing_docs)]

mod facts;
mod replay;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// One vector before it is written.
pub struct Vector {
    name: &'static str,
    fields: Map<String, Value>,
}

impl Vector {
    pub fn new(name: &'static str, spec: &str, what: &str, op: &str, expect: &str) -> Self {
        let mut fields = Map::new();
        for (field, value) in [
            ("spec", spec),
            ("what", what),
            ("op", op),
            ("expect", expect),
        ] {
            fields.insert(field.to_owned(), value.into());
        }
        Self { name, fields }
    }

    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    fn text(&self, result: Option<&String>) -> String {
        let mut lines: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("  {}: {value}", json!(name)))
            .collect();
        lines.extend(result.map(|result| format!("  \"result\": {}", json!(result))));
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/statistics")
}

fn outcome(inputs: &Map<String, Value>) -> (String, Option<String>) {
    match replay::run(inputs) {
        Ok(result) => ("ok".to_owned(), result),
        Err(name) => (name, None),
    }
}

fn regenerate() {
    let mut wrong = Vec::new();
    let _ = fs::remove_dir_all(folder());
    fs::create_dir_all(folder()).unwrap();
    for vector in [facts::make(), tables::make()].into_iter().flatten() {
        let path = folder().join(format!("{}.json", vector.name));
        assert!(!path.exists(), "{} stands twice", vector.name);
        let (found, result) = outcome(&vector.fields);
        if vector.fields["expect"] != found {
            wrong.push(format!("{}: {found}", vector.name));
        }
        fs::write(&path, vector.text(result.as_ref())).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_vector_of_figures_comes_out_as_it_says() {
    if std::env::var_os("FREX_REGENERATE").is_some() {
        regenerate();
    }
    let (mut wrong, mut failures, mut count) = (Vec::new(), 0, 0);
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
    assert!(
        failures * 2 > count,
        "most vectors say what must be refused: {failures} of {count}"
    );
}
