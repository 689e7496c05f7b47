//! Judges a report by the rules that its schema carries, and lists all that is wrong.

use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

use super::{ENTRIES_MAX, UNKNOWN_BYTES_MAX, format, json, rules};
use crate::{
    casework::schema::{self, Field},
    report::{
        ReportErrors,
        format::is_plain,
        no_files::{self, in_text},
    },
};

/// Bytes of a field of a later version that are no text: above, they are taken for a file.
const UNKNOWN_BINARY_BYTES_MAX: usize = 512;

/// Judges a whole report. Spec: MOD-9, MOD-13 to MOD-16, MOD-18.
pub(super) fn check(message: &DynamicMessage) -> Result<(), ReportErrors> {
    let mut errors = ReportErrors::default();
    walk(message, "", &mut errors);
    rules::check(message, &mut errors);
    match errors.problems.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}

fn walk(message: &DynamicMessage, path: &str, errors: &mut ReportErrors) {
    let shape = schema::shape(&message.descriptor());
    for field in &shape.fields {
        // Most fields of most messages are neither there nor needed: they have no path.
        let is_set = message.has_field(&field.descriptor);
        if !is_set && !field.rule.required {
            continue;
        }
        let name = field.descriptor.name();
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}");
        if !is_set {
            errors.fault(&path, "is missing", expected(field));
            continue;
        }
        match &*message.get_field(&field.descriptor) {
            Value::List(list) => {
                if list.len() > ENTRIES_MAX {
                    let found = format!("has {} entries", list.len());
                    errors.fault(&path, &found, "a list of at most 10,000 entries");
                }
                for (at, value) in list.iter().enumerate() {
                    judge(field, value, &format!("{path}[{at}]"), errors);
                }
            }
            value => judge(field, value, &path, errors),
        }
    }
    unknown(message, path, errors);
}

fn judge(field: &Field, value: &Value, path: &str, errors: &mut ReportErrors) {
    match value {
        Value::Message(inner) => walk(inner, path, errors),
        Value::String(text) => judge_text(field, text, path, errors),
        Value::EnumNumber(0) => errors.fault(path, "says nothing", expected(field)),
        Value::I32(number) => judge_number(field, f64::from(*number), path, errors),
        Value::U32(number) => judge_number(field, f64::from(*number), path, errors),
        Value::F64(number) => judge_number(field, *number, path, errors),
        _ => {}
    }
}

fn judge_text(field: &Field, text: &str, path: &str, errors: &mut ReportErrors) {
    let rule = &field.rule;
    let form = rule.format.as_deref().and_then(format::by_name);
    let chars = text.chars().count();
    if rule.chars_max.is_some_and(|most| chars > most) {
        errors.fault(path, &format!("has {chars} characters"), expected(field));
    } else if rule.required && text.is_empty() {
        errors.fault(path, "is empty", expected(field));
    } else if form.is_some_and(|form| !(form.holds)(text)) {
        errors.fault(path, "is not of this form", expected(field));
    } else if !is_plain(text) {
        errors.fault(
            path,
            "holds control characters",
            "text without control characters",
        );
    }
    if let Some(found) = in_text(text, form.is_some_and(|form| form.opaque)) {
        errors.fault(path, found, no_files::EXPECTED);
    }
}

fn judge_number(field: &Field, number: f64, path: &str, errors: &mut ReportErrors) {
    let rule = &field.rule;
    let low = rule.min.is_some_and(|least| number < least);
    let high = rule.max.is_some_and(|most| number > most);
    if low || high || !number.is_finite() {
        errors.fault(path, "is not such a number", expected(field));
    }
}

/// What would be right in a field.
fn expected(field: &Field) -> String {
    let rule = &field.rule;
    let form = rule.format.as_deref().and_then(format::by_name);
    let form = form.map(|form| form.expected);
    match field.descriptor.kind() {
        Kind::String => match (form, rule.chars_max) {
            (Some(form), Some(most)) => format!("{form}, at most {most} characters"),
            (Some(form), None) => form.to_owned(),
            (None, Some(most)) => format!("text of at most {most} characters"),
            (None, None) => "text".to_owned(),
        },
        Kind::Enum(words) => format!("one of {}", json::listed(&words)),
        Kind::Message(_) => "an object".to_owned(),
        _ => match (rule.min, rule.max) {
            (Some(least), Some(most)) => format!("a number from {least} to {most}"),
            (Some(least), None) => format!("a number from {least}"),
            _ => "a number".to_owned(),
        },
    }
}

/// Fields of a later version may be anything but a file.
fn unknown(message: &DynamicMessage, path: &str, errors: &mut ReportErrors) {
    for field in message.unknown_fields() {
        let mut bytes = Vec::new();
        field.encode(&mut bytes);
        let found = match std::str::from_utf8(&bytes) {
            _ if bytes.len() > UNKNOWN_BYTES_MAX => {
                Some("holds too large a field of a later version")
            }
            Ok(text) => in_text(text, false),
            Err(_) if bytes.len() > UNKNOWN_BINARY_BYTES_MAX => text_of(&bytes),
            Err(_) => None,
        };
        if let Some(found) = found {
            errors.fault(path, found, no_files::EXPECTED);
        }
    }
}

/// A message of many texts is mostly text; a picture is not.
fn text_of(bytes: &[u8]) -> Option<&'static str> {
    let printable = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ' || **byte == b'\n';
    let texts = bytes.iter().filter(printable).count();
    if texts * 4 < bytes.len() * 3 {
        return Some("holds bytes in a field of a later version");
    }
    in_text(&String::from_utf8_lossy(bytes), false)
}
