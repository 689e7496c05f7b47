//! The generated code, the schema as data and the published JSON Schema are what the schema says.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test generated` writes them anew; where the JSON
//! Schema must follow a changed schema, run it twice.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use frex_client::casework::{model, schema};
use prost_reflect::{Kind, MessageDescriptor};
use protox::Compiler;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Every file of the package, in the order of its name.
fn files() -> Vec<PathBuf> {
    let folder = root().join("schema/frex/casework/v1");
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn compiled(comments: bool) -> Compiler {
    let mut compiler = Compiler::new([root().join("schema")]).unwrap();
    compiler.include_source_info(comments).include_imports(true);
    compiler.open_files(files()).unwrap();
    compiler
}

/// Compares what is kept with what is made anew, or keeps the latter.
fn hold(path: &str, fresh: &[u8]) {
    let kept = root().join(path);
    if std::env::var_os("FREX_REGENERATE").is_some() {
        fs::write(&kept, fresh).unwrap();
    }
    assert!(
        fs::read(&kept).unwrap_or_default() == fresh,
        "{path}: the schema changed: run FREX_REGENERATE=1 cargo test -p frex-client --test generated"
    );
}

#[test]
fn generated_code_matches_the_schema() {
    let out = root().join("../target/generated-casework");
    fs::create_dir_all(&out).unwrap();
    prost_build::Config::new()
        .skip_protoc_run()
        .bytes(["."])
        .out_dir(&out)
        .compile_fds(compiled(true).file_descriptor_set())
        .unwrap();
    let fresh = fs::read(out.join("frex.casework.v1.rs")).unwrap();
    hold("src/casework/gen/frex.casework.v1.rs", &fresh);
    let data = compiled(false).encode_file_descriptor_set();
    hold("src/casework/gen/frex.casework.v1.bin", &data);
}

// MOD-3: the published JSON Schema is the schema with its comments.
#[test]
fn json_schema_matches_the_schema() {
    let schema = schema::json_schema(&compiled(true).descriptor_pool());
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    hold("schema/report.v2.schema.json", text.as_bytes());
    // Everything in it is described.
    let silent = text.matches("\"description\": \"\"").count();
    assert_eq!(silent, 0, "something of the schema has no comment");
}

// LIM-117: what counts, reads, shows or judges a message calls itself for those in it, and ends.
#[test]
fn no_message_is_inside_itself() {
    fn walk(message: &MessageDescriptor, around: &mut Vec<String>) {
        let name = message.full_name().to_owned();
        assert!(!around.contains(&name), "{name} is inside itself");
        around.push(name);
        for field in message.fields() {
            if let Kind::Message(inner) = field.kind() {
                walk(&inner, around);
            }
        }
        around.pop();
    }
    for message in schema::messages() {
        walk(&message, &mut Vec::new());
    }
}

// MOD-9: every form that the schema names is one that is checked.
#[test]
fn every_form_of_the_schema_is_known() {
    for message in schema::messages() {
        for field in &schema::shape(&message).fields {
            if let Some(format) = &field.rule.format {
                let known = model::formats().contains(&format.as_str());
                assert!(known, "{}: {format}", field.descriptor.full_name());
            }
        }
    }
}
