//! What a recipient needs a report to say, before it is sent.

use serde_json::{Map, Value};

/// Those of `needed` that the report in `json` lacks or has empty. Names that this version does
/// not know count like others, because the recipient knows them. Spec: ROS-28.
#[must_use]
pub fn missing_fields(json: &[u8], needed: &[String]) -> Vec<String> {
    let report: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    let says = |field: &String| match report.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => true,
    };
    needed
        .iter()
        .filter(|field| !says(field))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // ROS-28: what is there must say something.
    #[test]
    fn a_field_that_is_missing_or_empty_is_named() {
        let json = br#"{"urls": [], "note": " ", "hashes": [1], "x": null, "custom": 0}"#;
        let needed = ["urls", "note", "hashes", "x", "custom", "jurisdictions"];
        let needed = needed.map(str::to_owned);
        let missing = missing_fields(json, &needed);
        assert_eq!(missing, ["urls", "note", "x", "jurisdictions"]);
        assert_eq!(missing_fields(b"no json", &needed).len(), needed.len());
    }
}
