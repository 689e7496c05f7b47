//! Nothing is lost of a report: XML → model → XML, JSON → model → JSON, over ten thousand made-up
//! ones, and over those under `tests/fixtures/reports`, which the generator makes again.
//!
//! Half a minute in debug. A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test reports`;
//! `FREX_REGENERATE=1` writes the fixtures anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use frex_client::casework::{
    cybertip::{self, Form},
    model::{self, Origin, Report},
    schema,
    xml::Document,
};
use frex_tests::reports::{
    Dice, document,
    samples::{SEED, samples},
    view,
};
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage};

const DOCUMENTS: u64 = 10_000;
const VIEWS: u64 = 2_000;

/// One seed that was asked for, or so many.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("FREX_SEED") {
        Ok(seed) => vec![seed.parse().expect("FREX_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

/// The message as it arrives elsewhere.
fn travelled(message: &DynamicMessage) -> DynamicMessage {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(message.descriptor(), bytes.as_slice()).unwrap()
}

// MOD-4, MOD-5: ten thousand documents are written again as they came, and none is refused. Two tests
// share them, as machines have two cores.
#[test]
fn every_document_is_written_again_as_it_came() {
    for seed in seeds(DOCUMENTS).into_iter().filter(|seed| seed % 2 == 0) {
        written_again(seed);
    }
}

// MOD-4, MOD-5
#[test]
fn every_other_document_is_written_again_as_it_came() {
    for seed in seeds(DOCUMENTS).into_iter().filter(|seed| seed % 2 == 1) {
        written_again(seed);
    }
}

fn written_again(seed: u64) {
    let form = match seed % 4 {
        0 => Form::FileDetails,
        _ => Form::Report,
    };
    let xml = document::random(&mut Dice::of(seed), form);
    let source = Document::parse(xml.as_bytes());
    let source = source.unwrap_or_else(|error| panic!("FREX_SEED={seed}: {error}\n{xml}"));
    let message = cybertip::read(form, xml.as_bytes());
    let message = message.unwrap_or_else(|error| panic!("FREX_SEED={seed}: {error}\n{xml}"));
    let written = cybertip::write(form, &travelled(&message));
    assert_eq!(
        written.document.canonical(),
        source.canonical(),
        "FREX_SEED={seed}"
    );
    assert_eq!(written.stale, 0, "FREX_SEED={seed}");
    let again = Document::parse(written.document.to_xml().as_bytes()).unwrap();
    assert!(again == written.document, "FREX_SEED={seed}");
}

// MOD-3: the view says all, and is read as the same.
#[test]
fn every_view_is_shown_again_as_it_was() {
    for seed in seeds(VIEWS) {
        let likely = if seed % 50 == 0 { 60 } else { 25 };
        let value = view::random(&mut Dice::of(seed), likely);
        let report = Report::of_json(&value);
        let report = report.unwrap_or_else(|error| panic!("FREX_SEED={seed}: {error}"));
        assert_eq!(report.to_json(), value, "FREX_SEED={seed}");
        let again = Report::decode_unchecked(&report.encode()).unwrap();
        assert_eq!(again.to_json(), value, "FREX_SEED={seed}");
        let text: serde_json::Value = serde_json::from_str(&report.to_json_text()).unwrap();
        assert_eq!(text, value, "FREX_SEED={seed}");
        // Whatever it says is judged, shown and written without a panic.
        let _ = report.check();
        let mut written = vec![report.to_cybertip()];
        written.extend(report.items_to_cybertip());
        for one in written {
            let again = Document::parse(one.document.to_xml().as_bytes());
            assert!(again.is_ok(), "FREX_SEED={seed}: {again:?}");
        }
    }
}

// MOD-1: the documents above have every element and attribute of the form.
#[test]
fn the_generator_uses_every_element_and_attribute() {
    let mut text = String::new();
    for seed in 0..400 {
        for form in [Form::Report, Form::FileDetails] {
            text.push_str(&document::random(&mut Dice::of(seed), form));
        }
    }
    let mut missing = BTreeSet::new();
    for message in schema::messages() {
        for field in &schema::shape(&message).fields {
            let Some(tip) = &field.tip else { continue };
            let within = tip.within.iter().map(|(_, name)| name);
            for name in tip.element.iter().chain(within) {
                let there = [">", "/>", " ", "\n"].map(|end| format!("<{name}{end}"));
                if !there.iter().any(|tag| text.contains(tag)) {
                    missing.insert(name.clone());
                }
            }
            if let Some(name) = &tip.attribute
                && !text.contains(&format!(" {name}="))
            {
                missing.insert(name.clone());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports")
}

/// The files of the fixtures, by their names.
fn fixtures() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for sample in samples(SEED) {
        let name = &sample.name;
        files.insert(format!("{name}.json"), sample.report.to_json_text() + "\n");
        if !sample.is_tip {
            continue;
        }
        files.insert(
            format!("{name}.xml"),
            sample.report.to_cybertip().document.to_xml(),
        );
        for (at, item) in sample.report.items_to_cybertip().iter().enumerate() {
            files.insert(
                format!("{name}.file-{}.xml", at + 1),
                item.document.to_xml(),
            );
        }
    }
    files
}

// MOD-3: the fixtures are what the generator makes of their seed.
#[test]
fn fixtures_are_made_of_their_seed() {
    let fresh = fixtures();
    if std::env::var_os("FREX_REGENERATE").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &fresh {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    let entries = fs::read_dir(folder()).unwrap();
    let kept: BTreeMap<String, String> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&fresh));
    for (name, text) in &fresh {
        assert_eq!(&kept[name], text, "{name}");
    }
}

// MOD-3, MOD-4: the fixtures may all be sent, and their documents come back as they are.
#[test]
fn fixtures_may_be_sent_and_lose_nothing() {
    let samples = samples(SEED);
    assert!(samples.len() >= 60);
    let languages: BTreeSet<String> = samples
        .iter()
        .filter_map(|sample| sample.report.typed().language)
        .collect();
    assert!(languages.len() >= 8, "{languages:?}");
    for sample in &samples {
        let checked = Report::from_json(sample.report.to_json_text().as_bytes());
        checked.unwrap_or_else(|errors| panic!("{}: {errors}", sample.name));
        if !sample.is_tip {
            continue;
        }
        let xml = sample.report.to_cybertip().document.to_xml();
        let files = sample.report.items_to_cybertip();
        let files: Vec<Vec<u8>> = files
            .iter()
            .map(|file| file.document.to_xml().into_bytes())
            .collect();
        let origin = Origin {
            reference: sample.report.typed().reference,
            created: sample.report.typed().created.unwrap_or_default(),
        };
        let imported = model::import(xml.as_bytes(), &files, &origin).unwrap();
        imported
            .report
            .check()
            .unwrap_or_else(|errors| panic!("{}: {errors}", sample.name));
        assert_eq!(imported.kept_beside, 0, "{}", sample.name);
        assert_eq!(imported.report.to_cybertip().document.to_xml(), xml);
    }
}
