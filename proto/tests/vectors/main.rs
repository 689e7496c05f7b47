//! Vectors: one outcome in each file of `spec/vectors`, agreed on with the independent reader.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-proto --test vectors` writes them anew from fixed seeds.
//! Each maker states what must come out; what the replay finds is compared with it and only then
//! written, so that a file never says what this implementation does not do.
//!
//! `FREX_VECTORS=DIR` judges the files of another folder: `spec/reader/mutate.py` fills one with
//! damaged copies and what the independent reader makes of them.

mod attachments;
mod companions;
mod envelopes;
mod evidence;
mod fixtures;
mod forwards;
mod heads;
mod joining;
mod keys;
mod logs;
mod notes;
mod opening;
mod recalls;
mod receipts;
mod replay;
mod rosters;
mod signing;
mod wire;
mod witnesses;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

/// One vector before it is written.
pub(crate) struct Vector {
    chapter: &'static str,
    name: String,
    fields: Vec<(&'static str, Value)>,
}

impl Vector {
    pub(crate) fn new(chapter: &'static str, name: &str, spec: &str, what: &str, op: &str) -> Self {
        let fields = vec![
            ("spec", json!(spec)),
            ("what", json!(what)),
            ("op", json!(op)),
        ];
        Self {
            chapter,
            name: name.to_owned(),
            fields,
        }
    }

    pub(crate) fn set(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn hex(self, name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        self.set(name, hex::encode(bytes))
    }

    pub(crate) fn hexes(
        self,
        name: &'static str,
        list: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Self {
        let list: Vec<String> = list.into_iter().map(hex::encode).collect();
        self.set(name, list)
    }

    pub(crate) fn expect(self, name: &str) -> Self {
        self.set("expect", name)
    }

    fn inputs(&self) -> Map<String, Value> {
        let pairs = self.fields.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// One field a line in the order they were set, so that a person can read it.
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

/// Chapters of casework, whose vectors `frex-client` makes and replays.
const CASEWORK: [&str; 5] = ["case", "deconfliction", "model", "routing", "statistics"];

fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    folder.is_dir() && name.is_some_and(|name| !CASEWORK.contains(&name))
}

fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    std::env::var_os("FREX_VECTORS").map_or(own, PathBuf::from)
}

fn make_all() -> Vec<Vector> {
    [
        wire::make(),
        keys::make(),
        signing::make(),
        companions::make(),
        envelopes::make(),
        opening::make(),
        forwards::make(),
        recalls::make(),
        logs::make(),
        notes::make(),
        heads::make(),
        receipts::make(),
        rosters::make(),
        joining::make(),
        attachments::make(),
        witnesses::make(),
        evidence::make(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a vector's inputs lead to here: `ok` with a result, or the name of the failure.
fn outcome(inputs: &Map<String, Value>) -> (String, Option<String>) {
    match replay::run(inputs) {
        Ok(result) => ("ok".to_owned(), result),
        Err(name) => (name, None),
    }
}

fn regenerate() {
    for entry in fs::read_dir(folder()).expect("the vectors' folder exists") {
        let path = entry.expect("readable folder").path();
        if is_ours(&path) {
            fs::remove_dir_all(path).expect("writable folder");
        }
    }
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for vector in make_all() {
        let path = folder()
            .join(vector.chapter)
            .join(format!("{}.json", vector.name));
        assert!(
            names.insert(path.clone()),
            "{} stands twice",
            path.display()
        );
        let inputs = vector.inputs();
        let (found, result) = outcome(&inputs);
        if inputs["expect"] != found {
            wrong.push(format!("{}/{}: {found}", vector.chapter, vector.name));
        }
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("writable folder");
        fs::write(&path, vector.to_text(result)).expect("writable folder");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn files() -> Vec<PathBuf> {
    let chapters = fs::read_dir(folder()).expect("the vectors' folder exists");
    let mut files: Vec<PathBuf> = chapters
        .map(|entry| entry.expect("readable folder").path())
        .filter(|path| is_ours(path))
        .flat_map(|path| fs::read_dir(path).expect("readable folder"))
        .map(|entry| entry.expect("readable folder").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_vector_comes_out_as_it_says() {
    if std::env::var_os("FREX_REGENERATE").is_some() {
        regenerate();
    }
    let mut wrong = Vec::new();
    let mut failures = 0;
    let files = files();
    for path in &files {
        let text = fs::read_to_string(path).expect("readable file");
        let inputs: Map<String, Value> = serde_json::from_str(&text).expect("a JSON object");
        let (found, result) = outcome(&inputs);
        failures += usize::from(inputs["expect"] != "ok");
        let wanted = inputs.get("result").and_then(Value::as_str);
        if inputs["expect"] != found || wanted != result.as_deref() {
            wrong.push(format!("{}: {found} {result:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} vectors", files.len());
    assert!(
        failures * 2 > files.len(),
        "most vectors say what must be refused"
    );
}
