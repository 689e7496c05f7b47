//! Fields that are nearly known ones: a reader keeps what it does not know, so what is mistyped would be
//! read by nobody. Spec: REP-11.

use serde_json::{Map, Value};

use super::{Report, ReportErrors, check::join};
use crate::near;

/// What may stand in a report, and in each of its parts.
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
const URGENCY: &[&str] = &["level", "reason"];
const CATEGORY: &[&str] = &["scheme", "version", "code"];
const LOCATION: &[&str] = &["url", "note"];
const HASH: &[&str] = &["algorithm", "value"];
const JURISDICTION: &[&str] = &["country", "basis", "confidence"];
const SUBJECT: &[&str] = &["role", "identifiers"];
const IDENTIFIER: &[&str] = &["kind", "value"];

/// The fields of the part of a report that stands at a path; of the report itself, where that is empty.
pub(super) fn names_in(path: &str) -> &'static [&'static str] {
    match path {
        "" => REPORT,
        "urgency" => URGENCY,
        "categories" => CATEGORY,
        "urls" => LOCATION,
        "hashes" => HASH,
        "jurisdictions" => JURISDICTION,
        "subjects" => SUBJECT,
        "subjects.identifiers" => IDENTIFIER,
        _ => &[],
    }
}

/// Collects what is mistyped.
#[derive(Default)]
struct Reader(ReportErrors);

impl Report {
    /// Names every field that is not known and nearly a known one.
    ///
    /// # Errors
    /// All of them, each with what is meant.
    pub fn misspelt(&self) -> Result<(), ReportErrors> {
        let mut reader = Reader::default();
        reader.look("", &self.more, REPORT);
        reader.look("urgency", &self.urgency.more, URGENCY);
        reader.each(
            "categories",
            self.categories.iter().map(|one| &one.more),
            CATEGORY,
        );
        reader.each("urls", self.urls.iter().map(|one| &one.more), LOCATION);
        reader.each("hashes", self.hashes.iter().map(|one| &one.more), HASH);
        let countries = self.jurisdictions.iter().map(|one| &one.more);
        reader.each("jurisdictions", countries, JURISDICTION);
        reader.each(
            "subjects",
            self.subjects.iter().map(|one| &one.more),
            SUBJECT,
        );
        for (at, subject) in self.subjects.iter().enumerate() {
            let list = format!("subjects[{at}].identifiers");
            let identifiers = subject.identifiers.iter().map(|one| &one.more);
            reader.each(&list, identifiers, IDENTIFIER);
        }
        match reader.0.problems.is_empty() {
            true => Ok(()),
            false => Err(reader.0),
        }
    }
}

impl Reader {
    fn each<'a>(
        &mut self,
        list: &str,
        entries: impl Iterator<Item = &'a Map<String, Value>>,
        known: &[&str],
    ) {
        for (at, more) in entries.enumerate() {
            // Most have nothing more.
            if !more.is_empty() {
                self.look(&format!("{list}[{at}]"), more, known);
            }
        }
    }

    fn look(&mut self, path: &str, more: &Map<String, Value>, known: &[&str]) {
        for name in more.keys() {
            if let Some(meant) = near::meant(name, known) {
                let expected = format!("{meant}, or a name that is less like it");
                self.0
                    .fault(&join(path, name), "is no field of a report", expected);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // REP-11
    #[test]
    fn what_is_nearly_a_field_is_named() {
        let json =
            br#"{"reference": "A", "created": "2026-07-01T12:00:00Z", "description": "words",
            "subject": [], "hashs": [], "mood": 1, "x-own": {"hashs": 2},
            "urls": [{"url": "https://host.example/page", "nots": ""}],
            "subjects": [{"identifiers": [{"kind": "nickname", "value": "x", "values": ""}]}]}"#;
        let errors = Report::parse(json).unwrap().misspelt().unwrap_err();
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
        let plain = br#"{"reference": "A", "created": "2026-07-01T12:00:00Z", "description": "words", "own": 1}"#;
        assert_eq!(Report::parse(plain).unwrap().misspelt(), Ok(()));
    }
}
