//! What a recipient needs a report to say, before it is sent.

use serde_json::Value;

use crate::casework::paths;

/// Those of `needed` that the report in `json` lacks or has empty. Names that this version does
/// not know count like others, because the recipient knows them. Spec: ROS-28, RTE-1.
#[must_use]
pub fn missing_fields(json: &[u8], needed: &[String]) -> Vec<String> {
    // Most need nothing, and a report is judged for each of its recipients.
    if needed.is_empty() {
        return Vec::new();
    }
    let report: Value = serde_json::from_slice(json).unwrap_or_default();
    let lacks = |field: &&String| !paths::is_said(&report, field);
    needed.iter().filter(lacks).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // ROS-28: what is there must say something.
    #[test]
    fn a_field_that_is_missing_or_empty_is_named() {
        let json = br#"{"urls": [], "note": " ", "hashes": [1], "x": null, "custom": 0, "subjects": [{}, {"identifiers": [{"kind": "ip"}]}]}"#;
        let needed = [
            "urls",
            "note",
            "hashes",
            "x",
            "custom",
            "jurisdictions",
            "subjects.identifiers.kind",
            "subjects.role",
        ];
        let needed = needed.map(str::to_owned);
        let missing = missing_fields(json, &needed);
        assert_eq!(
            missing,
            ["urls", "note", "x", "jurisdictions", "subjects.role"]
        );
        assert_eq!(missing_fields(b"no json", &needed).len(), needed.len());
    }
}
