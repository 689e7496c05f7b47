//! What the text of known fields looks like. Each rule is one function and one sentence.

use std::net::IpAddr;

use frex_proto::roster;

/// A rule for one text field.
pub(super) struct Rule {
    pub(super) holds: fn(&str) -> bool,
    pub(super) bytes_max: usize,
    pub(super) expected: &'static str,
}

/// Hash algorithms with the length of their values in hexadecimal digits. Spec: REP-7.
pub(super) const ALGORITHMS: [(&str, usize, &str); 6] = [
    ("md5", 32, "32 lower-case hexadecimal digits for md5"),
    ("sha1", 40, "40 lower-case hexadecimal digits for sha1"),
    ("sha256", 64, "64 lower-case hexadecimal digits for sha256"),
    (
        "sha512",
        128,
        "128 lower-case hexadecimal digits for sha512",
    ),
    ("blake3", 64, "64 lower-case hexadecimal digits for blake3"),
    ("pdq", 64, "64 lower-case hexadecimal digits for pdq"),
];

pub(super) const REFERENCE: Rule = Rule {
    holds: is_line,
    bytes_max: 128,
    expected: "the sender's own name for the case: 1 to 128 bytes on one line",
};
pub(super) const CREATED: Rule = Rule {
    holds: is_rfc3339,
    bytes_max: 64,
    expected: "an RFC 3339 time with its offset, such as 2026-07-01T12:00:00Z",
};
pub(super) const LEVEL: Rule = Rule {
    holds: |text| matches!(text, "imminent" | "ongoing" | "high" | "normal" | "low"),
    bytes_max: 16,
    expected: "imminent, ongoing, high, normal or low",
};
pub(super) const REASON: Rule = Rule {
    holds: is_text,
    bytes_max: 12_000,
    expected: "1 to 12,000 bytes of text",
};
pub(super) const LANGUAGE: Rule = Rule {
    holds: is_language,
    bytes_max: 35,
    expected: "a BCP 47 language tag, such as en or pt-BR",
};
pub(super) const WORD: Rule = Rule {
    holds: is_word,
    bytes_max: 64,
    expected: "1 to 64 printable ASCII characters without spaces",
};
pub(super) const DESCRIPTION: Rule = Rule {
    holds: is_text,
    bytes_max: 256 * 1024,
    expected: "1 to 262,144 bytes of text",
};
pub(super) const URL: Rule = Rule {
    holds: is_url,
    bytes_max: 8192,
    expected: "an absolute URL without spaces, at most 8,192 bytes; not data:, file:, blob: or javascript:",
};
pub(super) const NOTE: Rule = Rule {
    holds: is_text,
    bytes_max: 4096,
    expected: "1 to 4,096 bytes of text",
};
pub(super) const ALGORITHM: Rule = Rule {
    holds: is_algorithm,
    bytes_max: 64,
    expected: "md5, sha1, sha256, sha512, blake3, pdq, or x- and a name of your own",
};
pub(super) const OTHER_HASH: Rule = Rule {
    holds: is_word,
    bytes_max: 510,
    expected: "1 to 510 printable ASCII characters without spaces",
};
pub(super) const COUNTRY: Rule = Rule {
    holds: roster::is_country,
    bytes_max: 2,
    expected: "an ISO 3166-1 alpha-2 country code in capitals, such as NO",
};
pub(super) const CODE: Rule = Rule {
    holds: is_code,
    bytes_max: 64,
    expected: "a code of 1 to 64 of a-z, 0-9, dot, hyphen and underscore",
};
pub(super) const EMAIL: Rule = Rule {
    holds: is_email,
    bytes_max: 320,
    expected: "an e-mail address",
};
pub(super) const IP: Rule = Rule {
    holds: |text| text.parse::<IpAddr>().is_ok(),
    bytes_max: 45,
    expected: "an IPv4 or IPv6 address, without port",
};
pub(super) const PHONE: Rule = Rule {
    holds: is_phone,
    bytes_max: 16,
    expected: "an international number: + and 7 to 15 digits",
};
pub(super) const IDENTIFIER: Rule = Rule {
    holds: is_line,
    bytes_max: 1024,
    expected: "1 to 1,024 bytes on one line",
};

/// Whether `text` is so many lower-case hexadecimal digits.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_text(text: &str) -> bool {
    !text.trim().is_empty() && is_plain(text)
}

/// Whether text may stand in a report at all: nothing that moves a cursor.
pub(crate) fn is_plain(text: &str) -> bool {
    let allowed = |symbol: char| !symbol.is_control() || matches!(symbol, '\n' | '\r' | '\t');
    text.chars().all(allowed)
}

pub(crate) fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(crate) fn is_code(text: &str) -> bool {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_algorithm(text: &str) -> bool {
    let listed = ALGORITHMS.iter().any(|(name, ..)| *name == text);
    listed || text.strip_prefix("x-").is_some_and(is_code)
}

pub(crate) fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

pub(crate) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme = scheme.to_ascii_lowercase();
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let local = ["data", "file", "blob", "javascript", "about"].contains(&scheme.as_str());
    scheme.len() > 1
        && scheme.as_bytes()[0].is_ascii_alphabetic()
        && scheme.bytes().all(letters)
        && !local
        && !rest.trim_start_matches('/').is_empty()
        && !text
            .chars()
            .any(|symbol| symbol.is_whitespace() || symbol.is_control())
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let clean = |symbol: char| !symbol.is_whitespace() && !symbol.is_control();
    !local.is_empty() && !domain.is_empty() && text.chars().all(clean)
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// RFC 3339 with a real calendar date. A leap second is allowed, as the RFC does.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let Some((fixed, rest)) = bytes.split_at_checked(shape.len()) else {
        return false;
    };
    let fits = fixed.iter().zip(shape).all(|(byte, form)| match form {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't'),
        form => byte == form,
    });
    if !fits || !text.is_ascii() {
        return false;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u32>().unwrap_or(u32::MAX);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let date = (1..=12).contains(&month) && (1..=days(year, month)).contains(&day);
    let time = number(11, 13) < 24 && number(14, 16) < 60 && number(17, 19) <= 60;
    date && time && is_rfc3339_end(rest)
}

/// An optional fraction, then the offset.
fn is_rfc3339_end(rest: &[u8]) -> bool {
    let rest = match rest.strip_prefix(b".") {
        None => rest,
        Some(fraction) => {
            let digits = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
    };
    match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let digits = [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit());
            digits && (h1, h2) <= (&b'2', if *h1 == b'2' { &b'3' } else { &b'9' }) && *m1 < b'6'
        }
        _ => false,
    }
}

pub(crate) fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
