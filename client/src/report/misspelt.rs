//! Fields of version 1 that are nearly known ones: a reader keeps what it does not know, so what is
//! mistyped would be read by nobody. Spec: REP-11.

use serde_json::Value;

use super::{ReportErrors, check::join};
use crate::near;

/// The fields of the report, and of what stands in its lists and objects.
const REPORT: &[&str] = &[
    "reference",
    "created",
    "urgency",
    "language",
    "categories",
    "description",
    "urls",
    "hashes",
    "jurisdictions",
    "subjects",
];
const WITHIN: [(&str, &[&str]); 7] = [
    ("urgency", &["level", "reason"]),
    ("categories", &["scheme", "version", "code"]),
    ("urls", &["url", "note"]),
    ("hashes", &["algorithm", "value"]),
    ("jurisdictions", &["country", "basis", "confidence"]),
    ("subjects", &["role", "identifiers"]),
    ("identifiers", &["kind", "value"]),
];

/// Names every field of a JSON report that is nearly a known one.
///
/// # Errors
/// All of them, each with what is meant.
pub fn misspelt(json: &[u8]) -> Result<(), ReportErrors> {
    let report: Value = serde_json::from_slice(json).unwrap_or_default();
    let mut errors = ReportErrors::default();
    look("", &report, REPORT, &mut errors);
    match errors.problems.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}

fn look(path: &str, value: &Value, known: &[&str], errors: &mut ReportErrors) {
    if let Value::Array(list) = value {
        for (number, value) in list.iter().enumerate() {
            look(&format!("{path}[{number}]"), value, known, errors);
        }
        return;
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = join(path, name);
        if let Some(meant) = near::meant(name, known) {
            let found = "is no field of a report";
            errors.fault(
                &path,
                found,
                format!("{meant}, or a name that is less like it"),
            );
        }
        let within = WITHIN.iter().find(|(field, _)| field == name);
        if let Some((_, known)) = within.filter(|(field, _)| known.contains(field)) {
            look(&path, value, known, errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // REP-11
    #[test]
    fn what_is_nearly_a_field_is_named() {
        let json = br#"{"subject": [], "hashs": [], "mood": 1, "x-own": 2, "urls": [{"url": "", "nots": ""}], "subjects": [{"identifiers": [{"kind": "", "values": ""}]}]}"#;
        let errors = misspelt(json).unwrap_err();
        let mut paths: Vec<&str> = errors
            .problems
            .iter()
            .map(|one| one.path.as_str())
            .collect();
        paths.sort_unstable();
        let wanted = [
            "hashs",
            "subject",
            "subjects[0].identifiers[0].values",
            "urls[0].nots",
        ];
        assert_eq!(paths, wanted);
        assert_eq!(
            misspelt(br#"{"reference": "A", "own": {"hashs": 1}}"#),
            Ok(())
        );
        assert_eq!(misspelt(b"no JSON"), Ok(()));
    }
}
