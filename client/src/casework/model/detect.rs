//! Which of the forms of a report some bytes are.

use serde_json::Value;

use super::{Report, example_of};
use crate::{casework::schema, report::ReportErrors};

/// A form in which a report comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// XML: to be imported.
    Document,
    /// JSON of version 1.
    First,
    /// The JSON view of version 2.
    View,
    /// Version 2 as it travels.
    Encoded,
    /// JSON that names fields of both versions: this is one of version 1.
    Mixed(&'static str),
}

/// What only version 1 calls so.
const FIRST_ONLY: [&str; 4] = ["categories", "urls", "hashes", "subjects"];
/// What both versions call so.
const BOTH: [&str; 6] = [
    "reference",
    "created",
    "urgency",
    "language",
    "description",
    "jurisdictions",
];

/// Which form these bytes have, if they have one. JSON that both versions could mean is of
/// version 1, which was there before; what only one of them can mean is of no version beside what only
/// the other can. Spec: MOD-2, MOD-21.
#[must_use]
pub fn detect(bytes: &[u8]) -> Shape {
    let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if matches!(bare.trim_ascii_start().first(), Some(b'<')) || is_utf16(bytes) {
        return Shape::Document;
    }
    if is_encoded(bytes) {
        return Shape::Encoded;
    }
    let Ok(Value::Object(object)) = serde_json::from_slice(bytes) else {
        return Shape::First;
    };
    let first = FIRST_ONLY
        .into_iter()
        .find(|name| object.contains_key(*name));
    let report = schema::shape(&schema::message("Report"));
    let own = |name: &String| !BOTH.contains(&name.as_str()) && report.by_name(name).is_some();
    match (first, object.keys().any(own)) {
        (Some(first), true) => Shape::Mixed(first),
        (None, true) => Shape::View,
        (_, false) => Shape::First,
    }
}

/// What is wrong with a report that names a field of version 1 beside those of version 2. Spec: MOD-21.
#[must_use]
pub fn mixed(first: &str) -> ReportErrors {
    let mut errors = ReportErrors::default();
    let expected = format!(
        "the same in version 2, as {}",
        example_of(first).unwrap_or_default()
    );
    let found = "is a field of version 1 beside fields of version 2";
    errors.fault(first, found, expected);
    errors
}

/// What is wrong with XML where a report is expected.
#[must_use]
pub fn unimported() -> ReportErrors {
    ReportErrors::one("is XML", "a report: frex report import makes one of it")
}

/// Whether these bytes are no text, and so a report as it travels, if they are one: its reference
/// stands in field 41, whose tag is no character of a text.
#[must_use]
pub fn is_encoded(bytes: &[u8]) -> bool {
    let blank = |c: char| matches!(c, '\n' | '\r' | '\t');
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().any(|c| c.is_control() && !blank(c)),
        Err(_) => true,
    }
}

/// The bytes of a report of version 2 as they travel, of its view or of themselves; anything else
/// as it is.
#[must_use]
pub fn as_sent(bytes: Vec<u8>) -> Vec<u8> {
    if detect(&bytes) != Shape::View {
        return bytes;
    }
    match Report::from_json_unchecked(&bytes) {
        Ok(report) => report.encode(),
        Err(_) => bytes,
    }
}

fn is_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xfe, 0xff, 0, b'<', ..] | [0xff, 0xfe, b'<', 0, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    // MOD-2: each form is known by what it holds.
    #[test]
    fn forms_are_known_by_what_they_hold() {
        for (bytes, shape) in [
            (&b" \n<report/>"[..], Shape::Document),
            (b"\xef\xbb\xbf<report/>", Shape::Document),
            (b"{\"reference\":\"a\",\"urls\":[]}", Shape::First),
            (b"{\"reference\":\"a\",\"description\":\"b\"}", Shape::First),
            (b"{\"reference\":\"a\",\"incident\":{}}", Shape::View),
            // MOD-21: a field of version 1 in a report of version 2 is no report of version 1.
            (
                b"{\"reference\":\"a\",\"incident\":{},\"urls\":[]}",
                Shape::Mixed("urls"),
            ),
            (b"no JSON", Shape::First),
            (b"\xca\x02\x01a", Shape::Encoded),
            (b"\xff\xff", Shape::Encoded),
        ] {
            assert_eq!(detect(bytes), shape, "{bytes:?}");
        }
        let view = b"{\"reference\":\"a\",\"incident\":{}}".to_vec();
        let sent = as_sent(view);
        assert_eq!(detect(&sent), Shape::Encoded);
        assert_eq!(as_sent(sent.clone()), sent);
    }
}
