//! The labels of the specification are those of the code, each for one use.

use std::{collections::BTreeSet, fs, path::Path};

fn read(place: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    fs::read_to_string(path).expect("the file is there")
}

/// What stands between two marks and begins as a label does.
fn labels(text: &str, before: &str, after: &str) -> Vec<String> {
    let pieces = text.split(before).skip(1);
    pieces
        .filter_map(|piece| piece.split(after).next())
        .filter(|piece| piece.starts_with("frex/v1/"))
        .map(str::to_owned)
        .collect()
}

// LBL-2, LBL-3: one label for each row, none twice, and each with the zero byte that ends it.
#[test]
fn every_label_has_one_use_and_ends_in_zero() {
    let chapter = read("../spec/02-labels-and-hashes.md");
    let code = read("src/label.rs");
    let listed = labels(&chapter, "\n| `", "`");
    let known = labels(&code, "b\"", "\"");
    assert_eq!(known.len(), 25);
    for label in &known {
        assert_eq!(label.find("\\0"), Some(label.len() - 2), "{label}");
    }
    let rows: BTreeSet<&String> = listed.iter().collect();
    let constants: BTreeSet<&String> = known.iter().collect();
    assert_eq!(rows, constants);
    assert_eq!((rows.len(), constants.len()), (listed.len(), known.len()));
}
