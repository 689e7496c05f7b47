//! The published JSON Schema, made of the schema itself and its comments.

use prost_reflect::{
    DescriptorPool, EnumDescriptor, FileDescriptor, Kind, MessageDescriptor,
    prost_types::source_code_info::Location,
};
use serde_json::{Map, Value, json};

use super::{Field, PACKAGE, message, shape, word};
use crate::casework::model::ENTRIES_MAX;

const ID: &str = "https://frex.example/schema/report.v2.schema.json";

/// The JSON Schema of a report. `described` is the schema compiled with its comments, which the
/// program itself does not carry.
#[must_use]
pub fn json_schema(described: &DescriptorPool) -> Value {
    let mut definitions = Map::new();
    define(&message("Report"), described, &mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "FREX report, version 2: the JSON view",
        "$ref": "#/$defs/Report",
        "$defs": definitions,
    })
}

fn define(kind: &MessageDescriptor, described: &DescriptorPool, out: &mut Map<String, Value>) {
    if out.contains_key(kind.name()) {
        return;
    }
    out.insert(kind.name().to_owned(), Value::Null);
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in &shape(kind).fields {
        let name = field.descriptor.name();
        let mut one = value(field, described, out);
        if field.descriptor.is_list() {
            one = json!({"type": "array", "maxItems": ENTRIES_MAX, "items": one});
        }
        let about = field_comment(described, kind, field);
        set(&mut one, "description", about.into());
        properties.insert(name.to_owned(), one);
        if field.rule.required {
            required.push(name.to_owned());
        }
    }
    let unknown = json!({
        "type": "string", "contentEncoding": "base64",
        "description": "Fields of a later version, as Protobuf.",
    });
    properties.insert("unknown_fields".to_owned(), unknown);
    let mut schema = json!({
        "type": "object",
        "description": message_comment(described, kind),
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        set(&mut schema, "required", required.into());
    }
    // A message with a choice is nothing but that choice.
    if kind.oneofs().any(|one| !one.is_synthetic()) {
        set(&mut schema, "maxProperties", 1.into());
    }
    out.insert(kind.name().to_owned(), schema);
}

fn value(field: &Field, described: &DescriptorPool, out: &mut Map<String, Value>) -> Value {
    let rule = &field.rule;
    let whole = |least: Option<f64>| {
        let mut schema = json!({"type": "integer"});
        if let Some(least) = rule.min.or(least) {
            set(&mut schema, "minimum", integral(least));
        }
        if let Some(most) = rule.max {
            set(&mut schema, "maximum", integral(most));
        }
        schema
    };
    match field.descriptor.kind() {
        Kind::Message(inner) => {
            define(&inner, described, out);
            json!({"$ref": format!("#/$defs/{}", inner.name())})
        }
        Kind::Enum(words) => enumeration(&words, described),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Double => {
            let mut schema = json!({"type": "number"});
            if let (Some(least), Some(most)) = (rule.min, rule.max) {
                set(&mut schema, "minimum", least.into());
                set(&mut schema, "maximum", most.into());
            }
            schema
        }
        Kind::String => {
            let mut schema = json!({"type": "string"});
            if let Some(most) = rule.chars_max {
                set(&mut schema, "maxLength", most.into());
            }
            if rule.required {
                set(&mut schema, "minLength", 1.into());
            }
            if let Some(form) = &rule.format {
                let known = match form.as_str() {
                    "timestamp" => ("format", "date-time"),
                    "sha256" => ("pattern", "^[0-9a-f]{64}$"),
                    "country" => ("pattern", "^[A-Z]{2}$"),
                    "calling-code" => ("pattern", "^\\+[0-9]{1,3}$"),
                    "digits" => ("pattern", "^[0-9]+$"),
                    "code" => ("pattern", "^[a-z0-9._-]+$"),
                    "word" => ("pattern", "^[!-~]+$"),
                    other => ("x-frex-format", other),
                };
                set(&mut schema, known.0, known.1.into());
            }
            schema
        }
        Kind::Uint32 | Kind::Uint64 => whole(Some(0.0)),
        _ => whole(None),
    }
}

/// The words, and any number for one of a later version.
fn enumeration(kind: &EnumDescriptor, described: &DescriptorPool) -> Value {
    let values: Vec<_> = kind.values().filter(|value| value.number() != 0).collect();
    let words = values.iter().map(|value| {
        let file = described.get_file_by_name(kind.parent_file().name());
        json!({"const": word(value), "description": comment(file, value.path())})
    });
    let later = json!({"type": "integer", "description": "A value of a later version."});
    json!({"oneOf": words.chain([later]).collect::<Vec<_>>()})
}

fn message_comment(described: &DescriptorPool, kind: &MessageDescriptor) -> String {
    let file = described.get_file_by_name(kind.parent_file().name());
    comment(file, kind.path())
}

fn field_comment(described: &DescriptorPool, kind: &MessageDescriptor, field: &Field) -> String {
    let found = described.get_message_by_name(&format!("{PACKAGE}.{}", kind.name()));
    let found = found.and_then(|kind| kind.get_field(field.descriptor.number()));
    found.map_or_else(String::new, |found| {
        comment(Some(found.parent_file()), found.path())
    })
}

/// The comment before what stands at `path` of a file, as one paragraph.
fn comment(file: Option<FileDescriptor>, path: &[i32]) -> String {
    let info = file.and_then(|file| file.file_descriptor_proto().source_code_info.clone());
    let at = |location: &&Location| location.path == path;
    let info = info.unwrap_or_default();
    let found = info.location.iter().find(at);
    let text = found.map(Location::leading_comments).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn set(schema: &mut Value, name: &str, value: Value) {
    if let Some(object) = schema.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

#[allow(clippy::cast_possible_truncation)] // Bounds of the schema are small whole numbers.
fn integral(number: f64) -> Value {
    (number as i64).into()
}
