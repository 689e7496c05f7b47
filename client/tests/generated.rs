//! The generated code is what the schema of casework says.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test generated` writes it anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path};

use prost::Message;

const FILES: [&str; 1] = ["case"];

#[test]
fn generated_code_matches_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = root.join("schema");
    let files = FILES.map(|name| schema.join(format!("frex/casework/v1/{name}.proto")));
    let descriptors = protox::compile(files, [&schema]).expect("the schema compiles");
    // Descriptors as they are kept hold no comments and no places in the file.
    let mut bare = descriptors.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    let out = root.join("../target/generated-check-casework");
    fs::create_dir_all(&out).expect("the target folder is writable");
    prost_build::Config::new()
        .skip_protoc_run()
        .bytes(["."])
        .out_dir(&out)
        .compile_fds(descriptors)
        .expect("the schema generates");
    let fresh = fs::read(out.join("frex.casework.v1.rs")).expect("one file per package");
    let kept = root.join("src/casework/gen");
    for (name, fresh) in [
        ("frex.casework.v1.rs", fresh),
        ("descriptors.binpb", bare.encode_to_vec()),
    ] {
        let path = kept.join(name);
        if std::env::var_os("FREX_REGENERATE").is_some() {
            fs::write(&path, &fresh).expect("the source folder is writable");
        }
        assert!(
            fs::read(&path).unwrap_or_default() == fresh,
            "the schema changed: run FREX_REGENERATE=1 cargo test -p frex-client --test generated"
        );
    }
}
