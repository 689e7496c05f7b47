//! Whether a report names what is said about it: a slip of the hand would otherwise be signed as a finding about
//! something that nobody has reported. Spec: CSE-31.

use frex_client::casework::{
    case::Case,
    model::{self, Report},
};
use frex_proto::error::WireCode;
use serde_json::Value;

use super::{desk::case_of, reports, say::Room};
use crate::cli::failure::Failure;

/// Refuses what neither a report of the case nor what was said in it names, where one of the reports can be
/// read here.
pub fn check(room: &Room, case: &Case, what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Ok(());
    }
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let mut threads = view.threads.iter();
    if threads.any(|thread| thread.subject == name || thread.reason == name) {
        return Ok(());
    }
    let rows = room.rows.iter().map(|(_, row)| row);
    let of_case = rows.filter(|row| case_of(row) == Some(case.id));
    let read = of_case.filter_map(|row| reports::content(&room.home, row));
    let reports: Vec<Value> = read
        .map(|(content_type, bytes)| view_of(&content_type, &bytes))
        .collect();
    if reports.is_empty() || reports.iter().any(|report| mentions(report, name)) {
        return Ok(());
    }
    let dir = room.dir().display();
    let summary = format!("the report names no such {what}, as it is kept here");
    Err(Failure::new(WireCode::BadInput, summary).advise(format!(
        "Name it as the report does:  frex show {} {dir}; or say it all the same:  --anyway",
        &case.id.to_string()[..8]
    )))
}

fn view_of(content_type: &str, bytes: &[u8]) -> Value {
    if content_type == model::CONTENT_TYPE {
        let report = Report::decode_unchecked(bytes).ok();
        return report.map_or(Value::Null, |report| report.to_json());
    }
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// Whether a text of it is this one: as it is, or as a hash with its algorithm before it.
fn mentions(report: &Value, name: &str) -> bool {
    let hash = name.split_once(':').map(|(_, hash)| hash);
    match report {
        Value::String(text) => {
            let same = text.trim_end_matches('/') == name.trim_end_matches('/');
            same || hash.is_some_and(|hash| text.eq_ignore_ascii_case(hash))
        }
        Value::Array(list) => list.iter().any(|one| mentions(one, name)),
        Value::Object(fields) => fields.values().any(|one| mentions(one, name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_mentions_urls_items_and_hashes() {
        let report = json!({
            "hosting": [{ "url": "https://host.example/page/" }],
            "files": [{ "id": "item-1", "hashes": [{ "algorithm": "sha256", "value": "AB12" }] }],
        });
        for name in ["https://host.example/page", "item-1", "sha256:ab12"] {
            assert!(mentions(&report, name), "{name}");
        }
        for name in [
            "https://host.example/",
            "item-2",
            "sha256:ab",
            "host.example",
        ] {
            assert!(!mentions(&report, name), "{name}");
        }
    }
}
