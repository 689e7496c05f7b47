//! No file bytes in reports, in whatever field they are put. Spec: REP-10.

use serde_json::Value;

use super::check::Checker;

/// A word of this many base64 characters is no word. The longest hash has 128.
const BLOB_CHARS_MIN: usize = 512;
/// Encoders break lines at 60 to 76 characters; prose seldom has such lines without a space.
const BLOB_LINE_CHARS_MIN: usize = 56;
/// So many small numbers in a row are bytes.
const BYTE_LIST_MIN: usize = 256;
pub(crate) const EXPECTED: &str =
    "no file content: name files by their hashes and URLs, and keep them where they are";

/// Looks at every string and list, known field or not.
pub(super) fn check(checker: &mut Checker, path: &str, value: &Value) {
    match value {
        Value::String(text) => {
            if let Some(found) = in_text(text, is_location(path)) {
                checker.fault(path, found, EXPECTED);
            }
        }
        Value::Array(list) => {
            if list.len() >= BYTE_LIST_MIN && list.iter().all(is_byte) {
                return checker.fault(path, "holds a list of bytes", EXPECTED);
            }
            for (number, value) in list.iter().enumerate() {
                check(checker, &format!("{path}[{number}]"), value);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                check(checker, &super::check::join(path, name), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a text holds of a file. `opaque` texts, which their own rule bounds, may have long words.
pub(crate) fn in_text(text: &str, opaque: bool) -> Option<&'static str> {
    if is_data_url(text) {
        return Some("holds a data: URL");
    }
    (!opaque && has_blob(text)).then_some("holds encoded bytes")
}

fn is_data_url(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut starts = text.match_indices("data:").map(|(start, _)| start);
    starts.any(|start| {
        let before = text[..start].chars().next_back();
        let header = text[start + 5..].split(',').next().unwrap_or_default();
        let typed = header.contains('/') && !header.contains(char::is_whitespace);
        before.is_none_or(|before| !before.is_alphanumeric())
            && (header.ends_with(";base64") || (typed && text[start..].contains(',')))
    })
}

/// A URL may have long opaque parts; its own rule bounds it.
fn is_location(path: &str) -> bool {
    path.starts_with("urls[") && path.ends_with("].url")
}

/// A long unbroken word of base64 or hexadecimal, or several full lines of it.
fn has_blob(text: &str) -> bool {
    let mut run = 0;
    for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        let longest = line.split(|symbol| !is_base64(symbol)).map(str::len).max();
        if longest.unwrap_or_default() >= BLOB_CHARS_MIN {
            return true;
        }
        let line = line.trim();
        run = if line.len() >= BLOB_LINE_CHARS_MIN && line.chars().all(is_base64) {
            run + line.len()
        } else {
            0
        };
        if run >= BLOB_CHARS_MIN {
            return true;
        }
    }
    false
}

fn is_base64(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric() || matches!(symbol, '+' | '/' | '-' | '_' | '=')
}

fn is_byte(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| number < 256)
}
