//! What a recipient needs a report to say, before it is sent.

use serde_json::Value;

use super::misspelt;
use crate::{casework::paths, near};

/// A field that no report has, as far as is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField {
    /// As it is written.
    pub field: String,
    /// The field that it nearly is.
    pub meant: Option<String>,
}

/// Those of `fields` that a report has in neither version: where one is mistyped, no report has it, and
/// every report would be refused. Spec: ROS-28, ROS-64.
#[must_use]
pub fn unknown_fields(fields: &[String]) -> Vec<UnknownField> {
    let unknown = fields.iter().filter(|field| !is_known(field));
    let named = unknown.map(|field| UnknownField {
        field: field.clone(),
        meant: meant(field),
    });
    named.collect()
}

fn is_known(field: &str) -> bool {
    let first = match field.rsplit_once('.') {
        Some((parent, name)) => !parent.is_empty() && misspelt::names_in(parent).contains(&name),
        None => misspelt::names_in("").contains(&field),
    };
    first || paths::is_of_schema(field)
}

/// The known field that this one nearly is, each of its names by itself.
fn meant(field: &str) -> Option<String> {
    let mut path = String::new();
    for written in field.split('.') {
        let second = paths::names_in(&path);
        let mut known: Vec<&str> = misspelt::names_in(&path).to_vec();
        known.extend(second.iter().map(String::as_str));
        let name = match known.contains(&written) {
            true => written,
            false => near::meant(written, &known)?,
        };
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
    }
    is_known(&path).then_some(path)
}

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

    // ROS-64: a field is known by its name in either version, and one that is nearly known is meant.
    #[test]
    fn a_field_that_no_report_has_is_named_with_the_one_that_is_meant() {
        let fields = [
            ("urls", None),
            ("subjects.identifiers.kind", None),
            ("reported.ip_events.at", None),
            ("url", Some(Some("urls"))),
            (
                "subject.identifier.kind",
                Some(Some("subjects.identifiers.kind")),
            ),
            ("reported.ip_event.at", Some(Some("reported.ip_events.at"))),
            ("Language", Some(Some("language"))),
            ("language.code", Some(None)),
            ("custom", Some(None)),
            ("", Some(None)),
            (".urls", Some(None)),
        ];
        for (field, wanted) in fields {
            let found = unknown_fields(&[field.to_owned()]);
            let found = found.first().map(|one| one.meant.as_deref());
            assert_eq!(found, wanted, "{field}");
        }
    }

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
