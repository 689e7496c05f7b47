//! The generated code is what the schema of casework says.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test generated` writes it anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path};

#[test]
fn generated_code_matches_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = root.join("schema");
    let mut files: Vec<_> = fs::read_dir(schema.join("frex/casework/v1"))
        .expect("the schema is there")
        .map(|entry| entry.expect("readable folder").path())
        .collect();
    files.sort();
    let descriptors = protox::compile(files, [&schema]).expect("the schema compiles");
    let out = root.join("../target/generated-check-casework");
    fs::create_dir_all(&out).expect("the target folder is writable");
    prost_build::Config::new()
        .skip_protoc_run()
        .bytes(["."])
        .out_dir(&out)
        .compile_fds(descriptors)
        .expect("the schema generates");
    let fresh = fs::read_to_string(out.join("frex.casework.v1.rs")).expect("one file per package");
    let kept = root.join("src/casework/gen/frex.casework.v1.rs");
    if std::env::var_os("FREX_REGENERATE").is_some() {
        fs::write(&kept, &fresh).expect("the source folder is writable");
    }
    let kept = fs::read_to_string(&kept).unwrap_or_default();
    assert!(
        kept == fresh,
        "the schema changed: run FREX_REGENERATE=1 cargo test -p frex-client --test generated"
    );
}
