//! What a recipient needs a report to say, before it is sent.

use prost_reflect::{DynamicMessage, Value};

use super::Report;

/// What a recipient's profile calls after version 1, and the fields that say it here.
const FIRST_NAMES: [(&str, &[&str]); 4] = [
    ("categories", &["classifications"]),
    ("urls", &["hosting", "channels"]),
    ("hashes", &["items"]),
    ("subjects", &["reported", "recipients", "victims"]),
];

/// Those of `needed` that the report lacks or has empty, as [`crate::report::missing_fields`] does
/// for version 1. Names of version 1 stand for what says the same. Spec: ROS-28, MOD-20.
#[must_use]
pub fn missing_fields(encoded: &[u8], needed: &[String]) -> Vec<String> {
    let report = Report::decode_unchecked(encoded).ok();
    let says = |name: &str| {
        let held = report.as_ref()?.0.get_field_by_name(name)?.into_owned();
        Some(is_said(&held))
    };
    let lacks = |needed: &&String| {
        let first = FIRST_NAMES.iter().find(|(name, _)| name == needed);
        let own = [needed.as_str()];
        let names = first.map_or(&own[..], |(_, names)| *names);
        !names.iter().any(|name| says(name) == Some(true))
    };
    needed.iter().filter(lacks).cloned().collect()
}

fn is_said(value: &Value) -> bool {
    let says = |message: &DynamicMessage| message.fields().next().is_some();
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::List(list) => !list.is_empty(),
        Value::Message(message) => says(message),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // MOD-20: what is there must say something, by its name in either version.
    #[test]
    fn a_field_that_is_missing_or_empty_is_named() {
        let json = br#"{"reference": "A", "description": " ", "victims": [{}], "incident": {}, "channels": [{"chat": {}}]}"#;
        let report = Report::from_json_unchecked(json).unwrap().encode();
        let needed = [
            "reference",
            "description",
            "victims",
            "incident",
            "urls",
            "hashes",
            "subjects",
            "custom",
        ];
        let needed = needed.map(str::to_owned);
        let missing = missing_fields(&report, &needed);
        assert_eq!(missing, ["description", "incident", "hashes", "custom"]);
        assert_eq!(missing_fields(b"\xff", &needed).len(), needed.len());
    }
}
