//! What is compared of a text. The text itself is always kept as it was written; nothing here
//! changes a report. Identifiers that members ask one another for are compared by the same forms
//! ([`super::deconflict`]). Spec: MOD-11, MOD-12, DCF-1, DCF-2.

use icu_normalizer::ComposingNormalizerBorrowed;
use sha3::{Digest, Sha3_256};

mod url;

pub use url::location;

/// Characters of a version 3 onion address, without its ending.
const ONION_CHARS: usize = 56;
const ONION_ENDING: &str = ".onion";

/// A text as it is compared: Unicode NFC, without characters that are not seen, white space as
/// one blank each.
#[must_use]
pub fn compared(text: &str) -> String {
    let seen: String = text.chars().filter(|symbol| !is_hidden(*symbol)).collect();
    let composed = composed(&seen);
    let words: Vec<&str> = composed.split_whitespace().collect();
    words.join(" ")
}

/// A text in Unicode NFC.
#[must_use]
pub fn composed(text: &str) -> String {
    let form = ComposingNormalizerBorrowed::new_nfc();
    form.normalize(text).into_owned()
}

/// Whether a character is not seen, moves the cursor, or turns the text around.
#[must_use]
pub fn is_hidden(symbol: char) -> bool {
    let control = symbol.is_control() && !matches!(symbol, '\n' | '\r' | '\t');
    control
        || matches!(symbol, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A name of the domain name system as it travels there: in lower case, other scripts in ASCII.
/// Nothing if it is none, or has one label only.
#[must_use]
pub fn domain(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = idna::domain_to_ascii(name).ok()?;
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            })
    };
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let is_name = ascii.len() <= 253
        && ascii.contains('.')
        && ascii.split('.').all(label)
        && last.bytes().any(|byte| byte.is_ascii_lowercase());
    is_name.then_some(ascii)
}

/// Why a text is no web address that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// Of another scheme, with a user name, or with characters that none has.
    #[error("no URL of http or https without user name, or with characters that none has")]
    Form,
    /// No name that the domain name system can hold.
    #[error("its domain is none")]
    Domain,
    /// Below `.onion`, and no address of it.
    #[error(transparent)]
    Onion(#[from] OnionError),
}

/// Why a text is no version 3 onion address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnionError {
    /// Not 56 characters of base32 and `.onion`.
    #[error("not 56 of a-z and 2-7, and .onion")]
    Form,
    /// Of another version.
    #[error("of another version than 3")]
    Version,
    /// Mistyped, or made up.
    #[error("its checksum does not hold")]
    Checksum,
}

/// The address of an onion service in lower case, if its checksum holds. Spec: MOD-12, Tor's
/// rend-spec-v3, section 6.
///
/// # Errors
/// [`OnionError`] says what is wrong.
pub fn onion(text: &str) -> Result<String, OnionError> {
    let lower = text.to_ascii_lowercase();
    let name = lower.strip_suffix(ONION_ENDING).ok_or(OnionError::Form)?;
    if name.len() != ONION_CHARS {
        return Err(OnionError::Form);
    }
    let upper = name.to_ascii_uppercase();
    let bytes = data_encoding::BASE32_NOPAD
        .decode(upper.as_bytes())
        .map_err(|_| OnionError::Form)?;
    let [key @ .., first, second, version] = bytes.as_slice() else {
        return Err(OnionError::Form);
    };
    if *version != 3 {
        return Err(OnionError::Version);
    }
    if onion_checksum(key) != [*first, *second] {
        return Err(OnionError::Checksum);
    }
    Ok(lower)
}

/// As [`onion`], of a name that may stand below the address; what stands before that goes.
///
/// # Errors
/// [`OnionError`] says what is wrong.
pub fn onion_below(text: &str) -> Result<String, OnionError> {
    let ending = text.len().saturating_sub(ONION_CHARS + ONION_ENDING.len());
    match text.get(..ending).map(|before| before.strip_suffix('.')) {
        Some(Some(_)) => onion(&text[ending..]),
        _ => onion(text),
    }
}

/// The address of the onion service with this key: for tests and samples.
#[must_use]
pub fn onion_of(key: &[u8; 32]) -> String {
    let bytes = [&key[..], &onion_checksum(key), &[3]].concat();
    let address = data_encoding::BASE32_NOPAD.encode(&bytes);
    format!("{}{ONION_ENDING}", address.to_ascii_lowercase())
}

/// What stands in the address of a service beside its key and the version, which is 3.
fn onion_checksum(key: &[u8]) -> [u8; 2] {
    let mut hash = Sha3_256::new();
    hash.update(b".onion checksum");
    hash.update(key);
    hash.update([3]);
    let hash = hash.finalize();
    [hash[0], hash[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    // MOD-11: what looks the same is compared as the same.
    #[test]
    fn texts_are_compared_as_they_look() {
        assert_eq!(compared("Ame\u{301}lie \u{200b}\n B"), "Am\u{e9}lie B");
        assert_eq!(compared("a\u{202e}b\u{1b}[2J"), "ab[2J");
        assert_eq!(compared("日本 語"), "日本 語");
    }

    // MOD-11, DCF-2: one text for a page, whoever wrote it.
    #[test]
    fn locations_are_compared_in_one_form() {
        assert_eq!(
            location("HTTPS://B\u{fc}cher.Example:443/a/../%7eb?q=1#top"),
            Ok("xn--bcher-kva.example/~b?q=1".to_owned())
        );
        for none in [
            "data:text/plain,a",
            "file:///etc/passwd",
            "example.org/a",
            "https://user:x@example.org/",
            "",
        ] {
            assert_eq!(location(none), Err(LocationError::Form), "{none}");
        }
        assert_eq!(location("https://"), Err(LocationError::Domain));
    }

    // MOD-12: an address verifies itself.
    #[test]
    fn onion_addresses_verify_themselves() {
        // The Tor project's own site.
        let known = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";
        assert_eq!(onion(&known.to_uppercase()).unwrap(), known);
        let own = onion_of(&[0x17; 32]);
        assert_eq!(onion(&own).unwrap(), own);
        let mistyped = known.replacen("2g", "3g", 1);
        assert_eq!(onion(&mistyped), Err(OnionError::Checksum));
        let other = known.replace("wid.", "wia.");
        assert_eq!(onion(&other), Err(OnionError::Version));
        for none in [
            "expyuzz4wqqyqhjn.onion",
            "www.example",
            "",
            &known[1..],
            &format!("a.{known}"),
        ] {
            assert_eq!(onion(none), Err(OnionError::Form), "{none}");
        }
        let below = format!("www.a.{known}");
        assert_eq!(onion_below(&below).unwrap(), known);
        assert_eq!(onion_below(known).unwrap(), known);
        for none in [&format!("é{known}"), &format!("a{known}"), ".onion"] {
            assert_eq!(onion_below(none), Err(OnionError::Form), "{none}");
        }
    }
}
