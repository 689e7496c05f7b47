//! What members say in a case, count and add up, and how a report was routed.

use std::{fs, path::Path};

use bytes::Bytes;
use frex_client::casework::{
    case,
    routing::{Policy, Record},
    statistics::{
        self, figures, view,
        wire::{AxisValues, SumRound},
        Round,
    },
};
use frex_tests::federation::FEDERATION;
use serde_json::Value;

use crate::samples::{self, NOW_MS};

/// What is taken can be shown.
pub fn case_message(data: &[u8]) -> bool {
    let Ok(message) = case::read(data) else {
        return false;
    };
    let _ = case::words_of(&message);
    assert!(case::json_of(data).is_object());
    true
}

/// A table is judged and drawn whatever it says.
pub fn figures_table(data: &[u8]) -> bool {
    let Ok(signed) = statistics::parse(data) else {
        return false;
    };
    let _ = view::csv(&signed.table);
    let _ = view::json(&signed);
    let _ = view::page(&signed, "figures.frexstats");
    figures(&signed.table)
        .iter()
        .all(|check| check.problem.is_none())
}

pub fn sum_round(data: &[u8]) -> bool {
    let Ok(round) = Round::read(data, &samples::federation().roster(NOW_MS)) else {
        return false;
    };
    let _ = round.period();
    !round.cells().is_empty()
}

/// A record is kept as it is: what is read is what was written.
pub fn route_record(data: &[u8]) -> bool {
    let Ok(record) = Record::parse(data) else {
        return false;
    };
    assert_eq!(record.bytes(), data);
    record.parts() > 0
}

pub fn route_policy(data: &[u8]) -> bool {
    Policy::parse(data).is_ok()
}

/// Well-formed inputs of these targets: what the vectors say is sound.
pub fn samples(target: &str) -> Option<Vec<Vec<u8>>> {
    let hex = |text: &str| hex::decode(text).expect("a vector in hexadecimal");
    let plain = |text: &str| text.as_bytes().to_vec();
    Some(match target {
        "case_message" => sound("case", "read_case", "message", hex),
        "figures_table" => sound("statistics", "read_figures", "message", hex),
        "route_record" => sound("routing", "read_record", "record", plain),
        "route_policy" => sound("routing", "read_policy", "policy", plain),
        "sum_round" => vec![round()],
        _ => return None,
    })
}

/// This field of each vector of an operation that says it is sound.
fn sound(chapter: &str, op: &str, field: &str, read: impl Fn(&str) -> Vec<u8>) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors");
    let entries = fs::read_dir(folder.join(chapter)).expect("the vectors are there");
    let mut found: Vec<Vec<u8>> = entries
        .filter_map(|entry| {
            let text = fs::read(entry.expect("an entry").path()).expect("a vector");
            let vector: Value = serde_json::from_slice(&text).expect("a vector in JSON");
            let is_sound = vector["op"] == op && vector["expect"] == "ok";
            is_sound.then(|| read(vector[field].as_str().unwrap_or_default()))
        })
        .collect();
    found.retain(|bytes| !bytes.is_empty());
    assert!(!found.is_empty(), "no vector of {op} is sound");
    // Of the directory's order nothing must depend.
    found.sort();
    found
}

fn round() -> Vec<u8> {
    let definition = statistics::definition("frex.reports-received", None).expect("it is known");
    let said = SumRound {
        federation: FEDERATION.to_owned(),
        initiator: "a".to_owned(),
        members: ["a", "b", "c"].map(str::to_owned).to_vec(),
        definition_id: definition.id.clone(),
        definition_version: definition.version,
        definition_sha256: Bytes::copy_from_slice(&definition.sha256),
        first_month: "2026-01".to_owned(),
        last_month: "2026-03".to_owned(),
        zone: "Europe/Madrid".to_owned(),
        threshold: 10,
        axes: vec![AxisValues {
            axis: "country".to_owned(),
            values: ["ES", "FR", "other"].map(str::to_owned).to_vec(),
        }],
        nonce: Bytes::from_static(&[5; 16]),
        closes_ms: NOW_MS + 1000,
    };
    let key = &samples::federation().member("a").identity;
    Round::open(said, key).expect("a round of three").to_bytes().to_vec()
}
