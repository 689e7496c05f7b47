//! Fields of a report by their paths, as in `reported.ip_events.at`: names of the view, joined by dots,
//! that go through every entry of a list. Spec: RTE-1.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use super::schema;

/// Shows every value that stands at a path.
pub fn each<'a>(view: &'a Value, path: &str, show: &mut dyn FnMut(&'a Value)) {
    if let Value::Array(list) = view {
        list.iter().for_each(|entry| each(entry, path, show));
        return;
    }
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let Some(value) = view.get(name) else { return };
    match rest {
        Some(rest) => each(value, rest, show),
        None => show(value),
    }
}

/// Shows every value at a path, of lists each entry by itself.
pub fn each_entry<'a>(view: &'a Value, path: &str, show: &mut dyn FnMut(&'a Value)) {
    each(view, path, &mut |value| match value {
        Value::Array(list) => list.iter().for_each(&mut *show),
        one => show(one),
    });
}

/// Whether a value says anything: no blank text, no empty list or object.
#[must_use]
pub fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Whether anything is said at a path.
#[must_use]
pub fn is_said(view: &Value, path: &str) -> bool {
    let mut said = false;
    each(view, path, &mut |value| said |= says(value));
    said
}

/// Where in the JSON of a report a field is added: `reported[0].ip_events[0].at`. A name that the schema
/// does not know stands as it is.
#[must_use]
pub fn place(path: &str) -> String {
    let mut within: Option<MessageDescriptor> = Some(schema::message("Report"));
    let mut place = String::new();
    let steps: Vec<&str> = path.split('.').collect();
    for (at, name) in steps.iter().enumerate() {
        if at > 0 {
            place.push('.');
        }
        place.push_str(name);
        let field = within.as_ref().and_then(|one| one.get_field_by_name(name));
        let more = at + 1 < steps.len();
        if field.as_ref().is_some_and(FieldDescriptor::is_list) && more {
            place.push_str("[0]");
        }
        within = field.and_then(|field| match field.kind() {
            Kind::Message(message) => Some(message),
            _ => None,
        });
    }
    place
}

/// Whether every name of a path is one of the schema: what is misspelt would be found nowhere.
#[must_use]
pub fn is_of_schema(path: &str) -> bool {
    let mut within = Some(schema::message("Report"));
    path.split('.').all(|name| {
        let field = within.as_ref().and_then(|one| one.get_field_by_name(name));
        within = field
            .as_ref()
            .and_then(|field| field.kind().as_message().cloned());
        field.is_some()
    })
}

/// The names of the schema in what stands at a path; in the report itself, where that is empty.
#[must_use]
pub fn names_in(path: &str) -> Vec<String> {
    let fields = message_at(path).map(|message| {
        let names = message.fields().map(|field| field.name().to_owned());
        names.collect()
    });
    fields.unwrap_or_default()
}

fn message_at(path: &str) -> Option<MessageDescriptor> {
    let mut names = path.split('.').filter(|_| !path.is_empty());
    names.try_fold(schema::message("Report"), |within, name| {
        let field = within.get_field_by_name(name)?;
        field.kind().as_message().cloned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RTE-1: a path goes through every entry, and blank or empty is nothing said.
    #[test]
    fn a_path_finds_what_is_said_in_any_entry() {
        let view = json!({
            "reported": [{"screen_name": " "}, {"ip_events": [{"ip_address": "192.0.2.1"}, {"at": "x"}]}],
            "victims": [], "incident": {}, "language": null, "batch": {"part": 1},
        });
        for said in ["reported", "reported.ip_events.at", "batch.part"] {
            assert!(is_said(&view, said), "{said}");
        }
        for not in [
            "victims",
            "incident",
            "language",
            "reported.screen_name",
            "reported.ip_events.port",
            "batch.part.more",
            "nothing",
        ] {
            assert!(!is_said(&view, not), "{not}");
        }
    }

    #[test]
    fn a_path_is_of_the_schema_with_all_its_names() {
        for known in ["urgency", "reported", "reported.ip_events.at"] {
            assert!(is_of_schema(known), "{known}");
        }
        for unknown in [
            "",
            "urls",
            "reported.",
            ".reported",
            "reported.ip_event.at",
            "reported.ip_events.at.more",
        ] {
            assert!(!is_of_schema(unknown), "{unknown}");
        }
        assert!(names_in("").iter().any(|name| name == "reported"));
        assert!(
            names_in("reported.ip_events")
                .iter()
                .any(|name| name == "at")
        );
        assert!(names_in("language").is_empty() && names_in("nothing").is_empty());
    }

    #[test]
    fn a_place_is_where_it_is_added() {
        assert_eq!(
            place("reported.ip_events.at"),
            "reported[0].ip_events[0].at"
        );
        assert_eq!(place("channels"), "channels");
        assert_eq!(place("custom.name"), "custom.name");
    }
}
