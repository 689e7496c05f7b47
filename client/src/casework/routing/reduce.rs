//! The copy of a report without contents: identifiers, hashes and times, for whom more may not go to.
//!
//! What is kept is a list, and everything else goes: a field that a later version adds is not in such a
//! copy until somebody has put it on the list. Spec: RTE-24 to RTE-26.

use std::collections::BTreeSet;

use prost::Message;
use serde_json::{Map, Value, json};

use super::{Copies, tables};
use crate::{
    casework::{model::Report, paths, v1},
    report::ReportErrors,
};

/// The message that a report is.
const REPORT: &str = "Report";
const WITHHELD: &str = "withheld";

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
#[error("no copy without contents can be made of the report")]
pub struct ReduceError(#[from] ReportErrors);

impl From<&ReduceError> for frex_proto::error::WireCode {
    fn from(_: &ReduceError) -> Self {
        Self::BadInput
    }
}

impl From<ReduceError> for frex_proto::error::WireCode {
    fn from(error: ReduceError) -> Self {
        Self::from(&error)
    }
}

/// The copy of a report without contents, which says whose it is.
///
/// # Errors
/// [`ReduceError`]: a rule of reports does not hold of the copy.
pub fn metadata_only(report: &Report, sender: &str) -> Result<Report, ReduceError> {
    let copy = Report::of_json(&reduced(&report.to_json(), sender))?;
    copy.check()?;
    Ok(copy)
}

/// Whether a report, as it travels, says that it is such a copy: that something is withheld for that reason.
#[must_use]
pub fn is_metadata_only(encoded: &[u8]) -> bool {
    /// A report of which nothing else is read.
    #[derive(Clone, PartialEq, Message)]
    struct Stated {
        #[prost(message, repeated, tag = "54")]
        field_states: Vec<v1::FieldState>,
    }
    let note = tables().copy.note.as_str();
    Stated::decode(encoded).is_ok_and(|report| {
        report.field_states.iter().any(|one| {
            one.state == Some(v1::State::Withheld as i32) && one.note.as_deref() == Some(note)
        })
    })
}

/// The view of such a copy, by the view of the report. Spec: RTE-24 to RTE-26.
#[must_use]
pub fn reduced(view: &Value, sender: &str) -> Value {
    let copies = &tables().copy;
    let mut left_out = BTreeSet::new();
    let mut copy = keep(copies, REPORT, view, "", &mut left_out);
    let Some(fields) = copy.as_object_mut() else {
        return json!({});
    };
    // A reason is needed above normal, and the one that was given is text.
    if paths::is_said(view, "urgency.reason") {
        fields["urgency"]["reason"] = copies.note.clone().into();
    }
    let lineage = fields.entry("lineage").or_insert_with(|| json!({}));
    for (name, value) in [
        ("origin", Some(&Value::from(sender))),
        ("origin_reference", view.get("reference")),
    ] {
        // What came from somebody else stays theirs.
        if let Some(value) = value.filter(|_| !paths::is_said(lineage, name)) {
            lineage[name] = value.clone();
        }
    }
    let states = states(copies, view, &left_out);
    if !states.is_empty() {
        fields.insert("field_states".to_owned(), states.into());
    }
    // A report that had nothing but words says at least that something happened.
    fields.entry("incident").or_insert_with(|| json!({}));
    copy
}

/// What is kept of one message; the paths of all that is left out are gathered.
fn keep(
    copies: &Copies,
    message: &str,
    value: &Value,
    path: &str,
    left_out: &mut BTreeSet<String>,
) -> Value {
    let (Some(kept), Value::Object(fields)) = (copies.keep.get(message), value) else {
        return json!({});
    };
    let mut copy = Map::new();
    for (name, value) in fields {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}");
        let Some(inner) = kept.get(name) else {
            if paths::says(value) && !copies.unlisted.contains(name) {
                left_out.insert(path);
            }
            continue;
        };
        let value = match (inner.as_str(), value) {
            ("", value) => value.clone(),
            (inner, Value::Array(list)) => {
                let entries = list.iter().enumerate().map(|(at, entry)| {
                    keep(copies, inner, entry, &format!("{path}[{at}]"), left_out)
                });
                Value::Array(entries.collect())
            }
            (inner, value) => keep(copies, inner, value, &path, left_out),
        };
        copy.insert(name.clone(), value);
    }
    Value::Object(copy)
}

/// What is said of fields: what the report says, without words, and that others are held back.
fn states(copies: &Copies, view: &Value, left_out: &BTreeSet<String>) -> Vec<Value> {
    let mut states = Vec::new();
    let mut named = BTreeSet::new();
    paths::each_entry(view, "field_states", &mut |one| {
        let (path, state) = (&one["path"], &one["state"]);
        states.push(json!({"path": path, "state": state}));
        named.extend(path.as_str().map(str::to_owned));
    });
    let open = left_out.iter().filter(|path| {
        let is_own = path.as_str() == "field_states" || path.contains("unknown_fields");
        !is_own && !named.contains(*path)
    });
    for path in open.take(copies.listed_max) {
        states.push(json!({"path": path, "state": WITHHELD, "note": copies.note}));
    }
    states
}

#[cfg(test)]
mod tests {
    use prost_reflect::Kind;

    use super::*;
    use crate::casework::schema;

    // RTE-24: the list names fields of the schema, each with the message that it holds.
    #[test]
    fn the_list_of_what_is_kept_is_of_the_schema() {
        let keep = &tables().copy.keep;
        let mut reached = BTreeSet::from([REPORT.to_owned()]);
        for (message, fields) in keep {
            let descriptor = schema::message(message);
            for (name, inner) in fields {
                let field = descriptor.get_field_by_name(name);
                let field = field.unwrap_or_else(|| panic!("{message}.{name}"));
                let holds = match field.kind() {
                    Kind::Message(message) => message.name().to_owned(),
                    _ => String::new(),
                };
                assert_eq!(*inner, holds, "{message}.{name}");
                reached.insert(inner.clone());
            }
        }
        assert!(keep.keys().all(|message| reached.contains(message)));
    }

    // RTE-24: no field whose name speaks of words, contents, file names or looks is on the list.
    #[test]
    fn nothing_that_holds_contents_is_kept() {
        let free = [
            "content",
            "additional_info",
            "description",
            "profile_bio",
            "statements",
            "text",
            "translation",
            "note",
            "at_note",
            "age_note",
            "file_name",
            "original_file_name",
            "file_names",
            "metadata",
            "views",
            "escalation",
            "reason",
            "extensions",
            "residue",
            "source",
            "title",
            "company_template",
            "terms_of_service",
            "vehicle_description",
            "school_name",
            "witnesses",
        ];
        // Why a batch is one is a code, what may be done is for whoever gets it, and a source is a code.
        let codes = [
            ("Batched", "reason"),
            ("Handling", "note"),
            ("Provenance", "source"),
        ];
        for (message, fields) in &tables().copy.keep {
            for name in fields.keys().filter(|name| free.contains(&name.as_str())) {
                assert!(codes.contains(&(message, name)), "{message}.{name}");
            }
        }
    }
}
