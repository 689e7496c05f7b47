//! The JSON view: names of the schema, enumerations as lower-case words, what is absent is absent,
//! fields of later versions as they are under one name. Spec: MOD-3.

use data_encoding::BASE64;
use prost::{Message as _, bytes::BytesMut};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value as Held};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::{ENTRIES_MAX, UNKNOWN_BYTES_MAX};
use crate::{
    casework::schema::{self, Field, Shape},
    near,
    report::{
        Problem, ReportErrors,
        check::{join, kind},
    },
};

/// The name of what this version does not know: the fields as Protobuf, in base64.
pub(super) const UNKNOWN: &str = "unknown_fields";

/// A message as it is shown.
pub(super) struct View<'a>(pub(super) &'a DynamicMessage);

struct Shown<'a>(&'a FieldDescriptor, &'a Held);

struct List<'a>(&'a FieldDescriptor, &'a [Held]);

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields: Vec<_> = self.0.fields().collect();
        fields.sort_by_key(|(field, _)| order(field));
        let mut map = serializer.serialize_map(None)?;
        for (field, value) in fields {
            match value {
                Held::List(list) => map.serialize_entry(field.name(), &List(&field, list))?,
                value => map.serialize_entry(field.name(), &Shown(&field, value))?,
            }
        }
        let mut unknown = BytesMut::new();
        for field in self.0.unknown_fields() {
            field.encode(&mut unknown);
        }
        if !unknown.is_empty() {
            map.serialize_entry(UNKNOWN, &BASE64.encode(&unknown))?;
        }
        map.end()
    }
}

/// The name of a report comes before what it says.
fn order(field: &FieldDescriptor) -> (bool, u32) {
    let names_it = matches!(
        field.name(),
        "reference" | "created" | "urgency" | "item_id"
    );
    (!names_it, field.number())
}

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.1.len()))?;
        for value in self.1 {
            list.serialize_element(&Shown(self.0, value))?;
        }
        list.end()
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Held::Bool(value) => serializer.serialize_bool(*value),
            Held::I32(number) => serializer.serialize_i32(*number),
            Held::I64(number) => serializer.serialize_i64(*number),
            Held::U32(number) => serializer.serialize_u32(*number),
            Held::U64(number) => serializer.serialize_u64(*number),
            Held::F64(number) => serializer.serialize_f64(*number),
            Held::String(text) => serializer.serialize_str(text),
            Held::Message(message) => View(message).serialize(serializer),
            Held::EnumNumber(number) => {
                let value = match self.0.kind() {
                    Kind::Enum(kind) => kind.get_value(*number),
                    _ => None,
                };
                match value {
                    Some(value) => serializer.serialize_str(&schema::word(&value)),
                    None => serializer.serialize_i32(*number),
                }
            }
            // The schema has no other types.
            Held::F32(_) | Held::Bytes(_) | Held::List(_) | Held::Map(_) => {
                serializer.serialize_unit()
            }
        }
    }
}

/// Reads a message of this shape, and lists every field that is not known or of another type, with what
/// else is wrong: who mends it does so once.
pub(super) fn read(shape: &Shape, value: &Value) -> Result<DynamicMessage, ReportErrors> {
    let mut errors = ReportErrors::default();
    let message = object(shape, value, "", &mut errors);
    match message {
        Some(message) if errors.problems.is_empty() => Ok(message),
        Some(message) => {
            let besides = super::check::check(&message).err().unwrap_or_default();
            for problem in besides.problems {
                if !errors.problems.iter().any(|one| hides(one, &problem.path)) {
                    errors.fault(&problem.path, &problem.found, problem.expected);
                }
            }
            Err(errors)
        }
        None => Err(errors),
    }
}

/// Whether what is at a path was not read because of this, or was read as another entry of its list. What
/// the whole report lacks may be in what was not read.
fn hides(problem: &Problem, path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    let own = problem.path.as_str();
    let list = own.strip_suffix(']').and_then(|own| own.rsplit_once('['));
    path.starts_with(list.map_or(own, |(list, _)| list))
}

fn object(
    shape: &Shape,
    value: &Value,
    path: &str,
    errors: &mut ReportErrors,
) -> Option<DynamicMessage> {
    let Some(map) = value.as_object() else {
        errors.fault(path, &format!("is {}", kind(value)), "an object");
        return None;
    };
    let mut message = DynamicMessage::new(shape.descriptor.clone());
    for (name, value) in map {
        let path = join(path, name);
        if name == UNKNOWN {
            unknown(&mut message, value, &path, errors);
            continue;
        }
        let Some(field) = shape.by_name(name) else {
            errors.fault(&path, "is not known", of_schema(shape, name));
            continue;
        };
        let held = match field.descriptor.is_list() {
            true => list(field, value, &path, errors),
            false => single(field, value, &path, errors),
        };
        let Some(held) = held else { continue };
        if let Some(oneof) = field.descriptor.containing_oneof()
            && oneof.fields().any(|one| message.has_field(&one))
        {
            errors.fault(
                &path,
                "stands beside another of its kind",
                "one of them only",
            );
            continue;
        }
        message.set_field(&field.descriptor, held);
    }
    Some(message)
}

/// What would be right, with the field that is nearly named so.
fn of_schema(shape: &Shape, name: &str) -> String {
    let fields = shape.fields.iter().map(|field| field.descriptor.name());
    let known: Vec<&str> = fields.collect();
    match near::meant(name, &known) {
        Some(meant) => format!("a field of the schema, such as {meant}"),
        None => "a field of the schema".to_owned(),
    }
}

fn list(field: &Field, value: &Value, path: &str, errors: &mut ReportErrors) -> Option<Held> {
    let expected = "a list of at most 10,000 entries";
    let Some(list) = value.as_array() else {
        errors.fault(path, &format!("is {}", kind(value)), expected);
        return None;
    };
    if list.len() > ENTRIES_MAX {
        errors.fault(path, &format!("has {} entries", list.len()), expected);
        return None;
    }
    let held = list.iter().enumerate().filter_map(|(at, value)| {
        let path = format!("{path}[{at}]");
        single(field, value, &path, errors)
    });
    Some(Held::List(held.collect()))
}

fn single(field: &Field, value: &Value, path: &str, errors: &mut ReportErrors) -> Option<Held> {
    let int32 = || value.as_i64().and_then(|number| i32::try_from(number).ok());
    let uint32 = || value.as_u64().and_then(|number| u32::try_from(number).ok());
    let (held, expected) = match field.descriptor.kind() {
        Kind::Message(message) => {
            let shape = schema::shape(&message);
            return object(&shape, value, path, errors).map(Held::Message);
        }
        Kind::String => (
            value.as_str().map(|text| Held::String(text.to_owned())),
            "text in quotes".to_owned(),
        ),
        Kind::Bool => (value.as_bool().map(Held::Bool), "true or false".to_owned()),
        Kind::Int32 => (int32().map(Held::I32), "a whole number".to_owned()),
        Kind::Int64 => (value.as_i64().map(Held::I64), "a whole number".to_owned()),
        Kind::Uint32 => (uint32().map(Held::U32), "a whole number from 0".to_owned()),
        Kind::Uint64 => (
            value.as_u64().map(Held::U64),
            "a whole number from 0".to_owned(),
        ),
        Kind::Double => (value.as_f64().map(Held::F64), "a number".to_owned()),
        Kind::Enum(words) => {
            let number = match value {
                Value::String(word) => schema::number(&words, word),
                // One of a later version.
                _ => int32().filter(|number| words.get_value(*number).is_none()),
            };
            (
                number.map(Held::EnumNumber),
                format!("one of {}", listed(&words)),
            )
        }
        _ => (None, "nothing: the schema has no such type".to_owned()),
    };
    if held.is_none() {
        let found = match value {
            Value::String(_) | Value::Number(_) => "is not of this form".to_owned(),
            value => format!("is {}", kind(value)),
        };
        errors.fault(path, &found, expected);
    }
    held
}

/// The words of an enumeration.
pub(super) fn listed(words: &prost_reflect::EnumDescriptor) -> String {
    let words = words.values().filter(|value| value.number() != 0);
    let words: Vec<String> = words.map(|value| schema::word(&value)).collect();
    words.join(", ")
}

/// Takes fields of a later version; known ones have names to be set by.
fn unknown(message: &mut DynamicMessage, value: &Value, path: &str, errors: &mut ReportErrors) {
    let expected = "fields that this version does not know, as Protobuf in base64";
    let bytes = value
        .as_str()
        .and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let bytes = bytes.filter(|bytes| bytes.len() <= UNKNOWN_BYTES_MAX);
    let alone = bytes.as_ref().and_then(|bytes| {
        let alone = DynamicMessage::decode(message.descriptor(), bytes.as_slice()).ok()?;
        alone.fields().next().is_none().then_some(())
    });
    let merged = match (bytes, alone) {
        (Some(bytes), Some(())) => message.merge(bytes.as_slice()).is_ok(),
        _ => false,
    };
    if !merged {
        errors.fault(path, "is not of this form", expected);
    }
}
