//! Vectors of a chapter of casework: one outcome in each file of its folder below `spec/vectors`, agreed on with
//! the independent reader. What the tests beside this say themselves: what they make, and what an operation comes
//! to here.
//!
//! With `FREX_REGENERATE=1` they are written anew. Each maker states what must come out; what is found is compared
//! with it and only then written. With `FREX_VECTORS=DIR` the files of another folder are judged, such as those that
//! the reader has made of other inputs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// What the operation of a vector comes to here: its result if it has one, or the name of the failure.
type Run = fn(&Map<String, Value>) -> Result<Option<String>, String>;

/// One vector before it is written: its name, and its fields in their order.
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

    fn inputs(&self) -> Map<String, Value> {
        let pairs = self.fields.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// One field a line, so that a person can read it.
    fn to_text(&self, result: Option<String>) -> String {
        let result = result.map(|result| ("result", json!(result)));
        let lines = self.fields.iter().chain(&result);
        let lines: Vec<String> = lines
            .map(|(name, value)| format!("  {}: {value}", json!(name)))
            .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

/// `ok` or the name of the failure, and the result.
fn outcome(run: Run, inputs: &Map<String, Value>) -> (String, Option<String>) {
    match run(inputs) {
        Ok(result) => ("ok".to_owned(), result),
        Err(name) => (name, None),
    }
}

fn regenerate(folder: &Path, vectors: Vec<Vector>, run: Run) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).unwrap();
    let mut wrong = Vec::new();
    for vector in vectors {
        let path = folder.join(format!("{}.json", vector.name));
        assert!(!path.exists(), "{} stands twice", path.display());
        let inputs = vector.inputs();
        let (found, result) = outcome(run, &inputs);
        if inputs["expect"] != found {
            wrong.push(format!("{}: {found} {result:?}", vector.name));
        }
        fs::write(&path, vector.to_text(result)).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every file of a chapter comes out as it says, and most say what must be refused.
pub fn check(chapter: &str, make: fn() -> Vec<Vector>, run: Run) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    let others = std::env::var_os("FREX_VECTORS").map(PathBuf::from);
    let folder = others.clone().unwrap_or_else(|| own.join(chapter));
    if others.is_none() && std::env::var_os("FREX_REGENERATE").is_some() {
        regenerate(&folder, make(), run);
    }
    let (mut wrong, mut failures, mut count) = (Vec::new(), 0, 0);
    for entry in fs::read_dir(&folder).expect("the vectors are there") {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let inputs: Map<String, Value> = serde_json::from_str(&text).expect("a JSON object");
        let (found, result) = outcome(run, &inputs);
        (failures, count) = (failures + usize::from(inputs["expect"] != "ok"), count + 1);
        let wanted = inputs.get("result").and_then(Value::as_str);
        if inputs["expect"] != found || wanted != result.as_deref() {
            wrong.push(format!("{}: {found} {result:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{count} vectors");
    assert!(
        failures * 2 > count || others.is_some(),
        "most vectors say what must be refused: {failures} of {count}"
    );
}
