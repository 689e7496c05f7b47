//! The open registry of hash algorithms, `schema/hash-algorithms.json`: data, not a list in the
//! program. An id that stands in it has values of one form; one that begins with `x-` is the
//! sender's own, and any other is of a later registry: both are opaque. Spec: MOD-10.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::report::format::{is_code, is_hex, is_word};

const REGISTRY: &str = include_str!("../../schema/hash-algorithms.json");

/// Longest value of an algorithm that the registry does not know, characters.
const OPAQUE_CHARS_MAX: usize = 510;
/// Characters of one frame of a vPDQ value before its second.
const PDQ_CHARS: usize = 64;

static ALGORITHMS: LazyLock<Vec<Algorithm>> = LazyLock::new(|| {
    let registry: Registry = serde_json::from_str(REGISTRY).expect("a test reads the registry");
    registry.algorithms
});

#[derive(Deserialize)]
struct Registry {
    algorithms: Vec<Algorithm>,
}

/// An entry of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Algorithm {
    /// Its id.
    pub id: String,
    /// What its values look like.
    pub form: Form,
    /// Digits of a hexadecimal value, bytes of a base64 value, most characters of another.
    pub length: usize,
    /// Its name in CyberTipline's form.
    pub tip: String,
    /// Other names of it, in lower case.
    pub names: Vec<String>,
    /// Whether it tells what looks alike, so that quality and distance mean something.
    pub perceptual: bool,
    /// Of what it is.
    pub about: String,
}

/// What values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Lower-case hexadecimal of exactly that many digits.
    Hex,
    /// Base64 with padding, of exactly that many bytes.
    Base64,
    /// Frames of a video.
    Frames,
    /// Printable characters without spaces.
    Opaque,
}

/// All entries.
#[must_use]
pub fn all() -> &'static [Algorithm] {
    &ALGORITHMS
}

/// The entry of an id.
#[must_use]
pub fn algorithm(id: &str) -> Option<&'static Algorithm> {
    all().iter().find(|known| known.id == id)
}

/// The id for any of the names of an algorithm, in whatever case; a name that the registry does
/// not know stays what it is.
#[must_use]
pub fn id_of(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let named = |known: &&Algorithm| {
        known.id == lower || known.tip.eq_ignore_ascii_case(name) || known.names.contains(&lower)
    };
    let found = all().iter().find(named);
    found.map_or_else(|| name.to_owned(), |known| known.id.clone())
}

/// The name of an algorithm in CyberTipline's form.
#[must_use]
pub fn tip_name(id: &str) -> String {
    algorithm(id).map_or_else(|| id.to_owned(), |known| known.tip.clone())
}

/// Whether an algorithm may be named so: by a word, in lower case if it is the sender's own.
#[must_use]
pub fn is_name(id: &str) -> bool {
    match id.strip_prefix("x-") {
        Some(own) => is_code(own),
        // Of a form that names it otherwise, or of a later registry.
        None => is_opaque(id, 64),
    }
}

/// Why `value` is none of this algorithm: what would be right.
#[must_use]
pub fn fault(id: &str, value: &str) -> Option<String> {
    let Some(known) = algorithm(id) else {
        let right = is_opaque(value, OPAQUE_CHARS_MAX);
        return (!right)
            .then(|| format!("1 to {OPAQUE_CHARS_MAX} printable ASCII characters without spaces"));
    };
    let length = known.length;
    let (right, expected) = match known.form {
        Form::Hex => (
            is_hex(value, length),
            format!("{length} lower-case hexadecimal digits for {id}"),
        ),
        Form::Base64 => (
            is_base64(value, length),
            format!("{length} bytes in base64 with padding for {id}"),
        ),
        Form::Frames => (
            value.len() <= length && value.split(';').all(is_frame),
            format!(
                "frames of PDQ value, quality and second for {id}, at most {length} characters"
            ),
        ),
        Form::Opaque => (
            is_opaque(value, length),
            format!("1 to {length} printable ASCII characters without spaces for {id}"),
        ),
    };
    (!right).then_some(expected)
}

/// The value as it is compared: hexadecimal in lower case, also in frames, all else as it stands.
/// Spec: MOD-11.
#[must_use]
pub fn normal(id: &str, value: &str) -> String {
    match algorithm(id).map(|known| known.form) {
        Some(Form::Hex | Form::Frames) => value.trim().to_ascii_lowercase(),
        _ => value.trim().to_owned(),
    }
}

fn is_base64(value: &str, bytes: usize) -> bool {
    data_encoding::BASE64
        .decode(value.as_bytes())
        .is_ok_and(|decoded| decoded.len() == bytes)
}

fn is_opaque(value: &str, chars_max: usize) -> bool {
    value.len() <= chars_max && is_word(value)
}

fn is_frame(frame: &str) -> bool {
    let parts: Vec<&str> = frame.split(',').collect();
    let [pdq, quality, second] = parts[..] else {
        return false;
    };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let quality =
        number(quality) && quality.len() <= 3 && quality.parse().is_ok_and(|q: u32| q <= 100);
    let second = second.split_once('.').is_some_and(|(whole, rest)| {
        number(whole) && whole.len() <= 9 && number(rest) && rest.len() == 3
    });
    is_hex(pdq, PDQ_CHARS) && quality && second
}

#[cfg(test)]
mod tests {
    use super::*;

    // MOD-10: every entry is found by its names, and its own form is what is taken.
    #[test]
    fn entries_are_found_by_their_names() {
        for known in all() {
            for name in [&known.id, &known.tip, &known.tip.to_lowercase()] {
                assert_eq!(id_of(name), known.id);
            }
            assert!(is_name(&known.id) && !known.about.is_empty());
        }
        assert_eq!(id_of("SHA-256"), "sha256");
        assert_eq!(id_of("Somebody's"), "Somebody's");
        assert_eq!(tip_name("photodna"), "PDNA");
        assert_eq!(tip_name("x-mine"), "x-mine");
        assert!(is_name("x-mine") && !is_name("x-") && !is_name("x-Mine") && !is_name("two words"));
    }

    // MOD-10: a value that is not of the algorithm's form is a fault.
    #[test]
    fn values_have_the_form_of_their_algorithm() {
        let pdq = "0f".repeat(32);
        let vpdq = format!("{pdq},88,0.000;{pdq},100,12.345");
        let photodna = data_encoding::BASE64.encode(&[7; 144]);
        for (id, value) in [
            ("md5", &*"a1".repeat(16)),
            ("pdq", &*pdq),
            ("vpdq", &*vpdq),
            ("photodna", &*photodna),
            ("netclean", "anything-printable"),
            ("x-mine", "1:2:3"),
            ("of-a-later-registry", "abc"),
        ] {
            assert_eq!(fault(id, value), None, "{id}");
        }
        for (id, value) in [
            ("md5", &*"a1".repeat(15)),
            ("md5", &*"A1".repeat(16)),
            ("sha256", ""),
            ("vpdq", &*format!("{pdq},101,0.000")),
            ("vpdq", &*format!("{pdq},88,0.0")),
            ("vpdq", ""),
            ("photodna", &photodna[1..]),
            ("netclean", "two words"),
            ("x-mine", ""),
        ] {
            assert!(fault(id, value).is_some(), "{id} {value}");
        }
    }
}
