//! The forms of text that the schema names. Each is one function and one sentence; the table in
//! spec/28-model.md says the same.

use std::net::IpAddr;

use frex_proto::roster;

use crate::{
    casework::{hashes, schema, text},
    report::format::{self as first, days},
};

/// A form of text.
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) holds: fn(&str) -> bool,
    pub(super) expected: &'static str,
    /// Its own rule bounds it, so that long words are no files.
    pub(super) opaque: bool,
}

const fn format(name: &'static str, holds: fn(&str) -> bool, expected: &'static str) -> Format {
    Format {
        name,
        holds,
        expected,
        opaque: false,
    }
}

const fn opaque(name: &'static str, holds: fn(&str) -> bool, expected: &'static str) -> Format {
    Format {
        name,
        holds,
        expected,
        opaque: true,
    }
}

/// All of them. Spec: MOD-9.
pub(super) const FORMATS: [Format; 19] = [
    format("line", first::is_line, "text on one line"),
    format(
        "word",
        first::is_word,
        "printable ASCII characters without spaces",
    ),
    format(
        "code",
        first::is_code,
        "a code of a-z, 0-9, dot, hyphen and underscore",
    ),
    format(
        "language",
        first::is_language,
        "a BCP 47 language tag, such as en or pt-BR",
    ),
    format(
        "country",
        roster::is_country,
        "an ISO 3166-1 alpha-2 country code in capitals, such as NO",
    ),
    format(
        "timestamp",
        first::is_rfc3339,
        "an RFC 3339 time with its offset, such as 2026-07-01T12:00:00Z",
    ),
    format(
        "xml-datetime",
        is_xml_datetime,
        "a date and time, such as 2026-07-01T12:00:00Z",
    ),
    format("xml-date", is_xml_date, "a date, such as 2012-04-30"),
    opaque(
        "url",
        first::is_url,
        "an absolute URL without spaces; not data:, file:, blob: or javascript:",
    ),
    opaque("address", is_address, "an address on one line"),
    format(
        "ip",
        |text| text.parse::<IpAddr>().is_ok(),
        "an IPv4 or IPv6 address, without port",
    ),
    format(
        "calling-code",
        is_calling_code,
        "a country calling code: + and 1 to 3 digits",
    ),
    format("digits", is_digits, "digits"),
    format(
        "decimal",
        is_decimal,
        "decimal digits, with a dot before the fraction",
    ),
    format(
        "onion",
        |text| text::onion(text).is_ok(),
        "a version 3 onion address whose checksum holds",
    ),
    format(
        "sha256",
        |text| first::is_hex(text, 64),
        "64 lower-case hexadecimal digits",
    ),
    format(
        "path",
        is_path,
        "the path of a field, such as victims[0].person.age",
    ),
    format(
        "hash-algorithm",
        hashes::is_name,
        "an algorithm of the registry, or x- and a name of your own",
    ),
    // Judged beside its algorithm.
    opaque("hash-value", |_| true, "a value of the algorithm"),
];

/// The form of this name. A test holds the schema to names that are here.
pub(super) fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// What the form of others calls an address: often no URL, never a script or a file.
fn is_address(text: &str) -> bool {
    let lower = text.trim_start().to_ascii_lowercase();
    let local = ["data:", "file:", "blob:", "javascript:", "about:"];
    !text.contains(char::is_control) && !local.iter().any(|scheme| lower.starts_with(scheme))
}

fn is_calling_code(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (1..=3).contains(&digits.len()) && is_digits(digits)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    match text.split_once('.') {
        None => is_digits(text),
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
    }
}

/// `xs:dateTime`: four digits of a year or more, a fraction, an offset, each of these two optional.
fn is_xml_datetime(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else {
        return false;
    };
    let (time, _) = split_offset(rest);
    let (time, fraction) = match time.split_once('.') {
        None => (time, "0"),
        Some(parts) => parts,
    };
    let parts: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return false;
    };
    let number = |text: &str| two_digits(text).unwrap_or(99);
    let (hour, minute, second) = (number(hour), number(minute), number(second));
    let end_of_day =
        hour == 24 && minute == 0 && second == 0 && fraction.bytes().all(|b| b == b'0');
    let within = hour < 24 && minute < 60 && second < 60;
    is_date(date) && (within || end_of_day) && is_digits(fraction) && has_offset(rest)
}

/// `xs:date`: with an offset or without.
fn is_xml_date(text: &str) -> bool {
    // The offset stands after the ten characters of the date.
    let Some((date, offset)) = text.split_at_checked(10) else {
        return false;
    };
    is_date(date) && (offset.is_empty() || is_offset(offset))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let Some(year) = (year.len() == 4 && is_digits(year))
        .then(|| year.parse().ok())
        .flatten()
    else {
        return false;
    };
    let (month, day) = (two_digits(month).unwrap_or(0), two_digits(day).unwrap_or(0));
    (1..=12).contains(&month) && (1..=days(year, month)).contains(&day)
}

fn two_digits(text: &str) -> Option<u32> {
    (text.len() == 2 && is_digits(text)).then(|| text.parse().ok())?
}

fn split_offset(time: &str) -> (&str, &str) {
    let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    time.split_at(at)
}

fn has_offset(time: &str) -> bool {
    let (_, offset) = split_offset(time);
    offset.is_empty() || is_offset(offset)
}

/// `Z`, or hours up to 14 and minutes.
fn is_offset(text: &str) -> bool {
    let hours = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        Some((two_digits(hour)?, two_digits(minute)?))
    };
    match text.strip_prefix(['+', '-']) {
        None => text == "Z",
        Some(rest) => hours(rest).is_some_and(|(hour, minute)| {
            (hour < 14 && minute < 60) || (hour == 14 && minute == 0)
        }),
    }
}

/// A path of the schema, whether or not the report has so many entries.
fn is_path(text: &str) -> bool {
    let mut shape = Some(schema::shape(&schema::message("Report")));
    for step in text.split('.') {
        let (name, number) = match step.split_once('[') {
            None => (step, None),
            Some((name, rest)) => (name, Some(rest)),
        };
        let field = shape.as_ref().and_then(|shape| shape.by_name(name));
        let Some(field) = field else { return false };
        let numbered = number.is_none_or(|rest| {
            let digits = rest.strip_suffix(']').unwrap_or_default();
            field.descriptor.is_list() && is_digits(digits) && digits.len() <= 5
        });
        if !numbered {
            return false;
        }
        shape = field.message();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(name: &str, text: &str) -> bool {
        (by_name(name).unwrap().holds)(text)
    }

    // MOD-9: times of the form are those of XML Schema.
    #[test]
    fn times_of_the_form_are_those_of_xml_schema() {
        for right in [
            "2026-07-01T12:00:00Z",
            "2026-07-01T12:00:00",
            "2026-07-01T24:00:00.00Z",
            "2024-02-29T23:59:59.123456+14:00",
            "2026-07-01T00:00:00-05:30",
        ] {
            assert!(holds("xml-datetime", right), "{right}");
        }
        for wrong in [
            "2026-02-29T00:00:00Z",
            "2026-07-01 12:00:00Z",
            "2026-07-01T24:00:01Z",
            "2026-07-01T12:00Z",
            "2026-07-01T12:00:60Z",
            "2026-07-01T12:00:00.Z",
            "2026-07-01T12:00:00+14:01",
            "2026-7-01T12:00:00Z",
            "",
        ] {
            assert!(!holds("xml-datetime", wrong), "{wrong}");
        }
        assert!(holds("xml-date", "2012-04-30") && holds("xml-date", "2012-04-30Z"));
        assert!(!holds("xml-date", "30.04.2012") && !holds("xml-date", "2012-04-31"));
        assert!(!holds("xml-date", "2012-04-3é"));
    }

    // MOD-9
    #[test]
    fn paths_are_those_of_the_schema() {
        for right in [
            "reported",
            "victims[0].person.date_of_birth",
            "channels[3].chat.client",
        ] {
            assert!(holds("path", right), "{right}");
        }
        for wrong in [
            "",
            "victim",
            "victims[x]",
            "victims[0",
            "reference[0]",
            "reference.x",
            "victims..person",
        ] {
            assert!(!holds("path", wrong), "{wrong}");
        }
    }
}
