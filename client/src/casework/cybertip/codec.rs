//! One value as text of a document, and back.

use prost_reflect::{Kind, Value};

use crate::casework::{
    hashes,
    schema::{self, Field},
};

/// White space of XML.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// What `text` says in this field; nothing if the field cannot say that. How it says so may be
/// another thing than [`write`] does: the residue keeps the difference.
pub(super) fn read(field: &Field, text: &str) -> Option<Value> {
    let bare = text.trim_matches(BLANK);
    Some(match field.descriptor.kind() {
        Kind::String => Value::String(read_string(field, text, bare)),
        Kind::Bool => Value::Bool(match bare {
            "true" | "1" => true,
            "false" | "0" => false,
            "" if field.is_flag() => true,
            _ => return None,
        }),
        Kind::Int32 => Value::I32(integer(bare)?.try_into().ok()?),
        Kind::Int64 => Value::I64(integer(bare)?),
        Kind::Double => Value::F64(double(bare)?),
        Kind::Enum(kind) => Value::EnumNumber(schema::tip_number(&kind, text)?),
        // The form has no others.
        _ => return None,
    })
}

/// The text of a value. Nothing for a value that the form has no word for.
pub(super) fn write(field: &Field, value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) if field.has_format("hash-algorithm") => hashes::tip_name(text),
        Value::String(text) => text.clone(),
        Value::Bool(true) if field.is_flag() => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::EnumNumber(number) => match field.descriptor.kind() {
            Kind::Enum(kind) => schema::tip_word(&kind, *number)?.to_owned(),
            _ => return None,
        },
        _ => return None,
    })
}

fn read_string(field: &Field, text: &str, bare: &str) -> String {
    match field.rule.format.as_deref() {
        // Types whose white space means nothing.
        Some("xml-datetime" | "xml-date" | "ip") => bare.to_owned(),
        Some("hash-algorithm") => hashes::id_of(bare),
        Some("hash-value") if bare.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            bare.to_ascii_lowercase()
        }
        Some("hash-value") => bare.to_owned(),
        _ => text.to_owned(),
    }
}

/// What `xs:long` allows: a sign, and any number of zeros before.
fn integer(bare: &str) -> Option<i64> {
    bare.parse().ok()
}

/// What `xs:double` allows, without the infinite, for which JSON has no word.
fn double(bare: &str) -> Option<f64> {
    let digits =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let number: f64 = bare.bytes().all(digits).then(|| bare.parse().ok())??;
    number.is_finite().then_some(number)
}
