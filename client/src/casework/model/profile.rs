//! What a recipient needs a report to say, before it is sent.

use super::Report;
use crate::casework::paths;

/// What a recipient's profile calls after version 1, and the fields that say it here.
const FIRST_NAMES: [(&str, &[&str]); 4] = [
    ("categories", &["classifications"]),
    ("urls", &["hosting", "channels"]),
    ("hashes", &["items"]),
    ("subjects", &["reported", "recipients", "victims"]),
];

/// How what a profile calls so is written in version 2, the rest left out.
const EXAMPLES: [(&str, &str); 4] = [
    (
        "categories",
        r#""classifications": [{"scheme": "…", "version": "…", "code": "…"}]"#,
    ),
    ("urls", r#""hosting": [{"url": "https://…"}]"#),
    (
        "hashes",
        r#""items": [{"hashes": [{"algorithm": "sha256", "value": "…"}]}]"#,
    ),
    ("subjects", r#""reported": [{"screen_name": "…"}]"#),
];

/// How a field that only version 1 calls so is written in version 2. Spec: MOD-20.
#[must_use]
pub fn example_of(field: &str) -> Option<&'static str> {
    let known = EXAMPLES.iter().find(|(name, _)| *name == field);
    known.map(|(_, example)| *example)
}

/// The paths of version 2 that say what a profile calls so. Spec: MOD-20.
#[must_use]
pub fn names_of(field: &str) -> Vec<String> {
    let first = FIRST_NAMES.iter().find(|(name, _)| *name == field);
    match first {
        Some((_, names)) => names.iter().map(|name| (*name).to_owned()).collect(),
        None => vec![field.to_owned()],
    }
}

/// Those of `needed` that the report lacks or has empty, as [`crate::report::missing_fields`] does
/// for version 1. Names of version 1 stand for what says the same. Spec: ROS-28, MOD-20, RTE-1.
#[must_use]
pub fn missing_fields(encoded: &[u8], needed: &[String]) -> Vec<String> {
    // Most need nothing, and a report is judged for each of its recipients.
    if needed.is_empty() {
        return Vec::new();
    }
    let view = Report::decode_unchecked(encoded).map(|report| report.to_json());
    let view = view.unwrap_or_default();
    let lacks = |field: &&String| {
        let names = names_of(field);
        !names.iter().any(|name| paths::is_said(&view, name))
    };
    needed.iter().filter(lacks).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // MOD-20: an example is JSON of version 2 that says what is needed.
    #[test]
    fn an_example_says_what_it_stands_for() {
        for (field, example) in EXAMPLES {
            let json = format!("{{\"reference\": \"A\", {example}}}");
            let report = Report::from_json_unchecked(json.as_bytes()).unwrap();
            let needed = [field.to_owned()];
            assert!(
                missing_fields(&report.encode(), &needed).is_empty(),
                "{field}"
            );
        }
    }

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
            "victims.person.age",
        ];
        let needed = needed.map(str::to_owned);
        let missing = missing_fields(&report, &needed);
        assert_eq!(
            missing,
            [
                "description",
                "incident",
                "hashes",
                "custom",
                "victims.person.age"
            ]
        );
        assert_eq!(missing_fields(b"\xff", &needed).len(), needed.len());
    }
}
