//! Fingerprints that people can read to each other by telephone.
//!
//! Four groups of 13 base32 letters of a SHA-256, each with a check letter, shown 8×7: a slip of
//! the tongue is noticed in its group. Spec: JOI-12.

use data_encoding::BASE32_NOPAD;
use frex_proto::keys::VerifyingKey;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const GROUPS: usize = 4;
const GROUP_LETTERS: usize = 13;

/// Why what somebody typed is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Not 56 letters.
    #[error("a fingerprint has 56 letters, here are {0}")]
    Length(usize),
    /// A letter that is not one of them.
    #[error("{0:?} is no letter of a fingerprint")]
    Letter(char),
    /// A check letter does not fit. Blocks count from 1.
    #[error("block {} or {} is not as it was read out: its check letter does not fit", 2 * .0 + 1, 2 * .0 + 2)]
    Check(usize),
}

/// The fingerprint of a hash.
#[must_use]
pub fn of(hash: &[u8; 32]) -> String {
    let mut letters = Vec::with_capacity(56);
    for group in BASE32_NOPAD.encode(hash).as_bytes().chunks(GROUP_LETTERS) {
        letters.extend_from_slice(group);
        letters.push(check_letter(group));
    }
    let blocks: Vec<String> = letters
        .chunks(7)
        .map(|block| String::from_utf8_lossy(block).into_owned())
        .collect();
    blocks.join("-")
}

/// The fingerprint of a key.
#[must_use]
pub fn of_key(key: &VerifyingKey) -> String {
    of(&key.sha256())
}

/// Whether `typed` is the fingerprint `expected`; how it is divided and whether in capitals does
/// not matter. Digits that look like letters are taken for them.
///
/// # Errors
/// [`FingerprintError`] for a slip that shows by itself, with the block that has it.
pub fn matches(typed: &str, expected: &str) -> Result<bool, FingerprintError> {
    let mut letters = Vec::new();
    for c in typed.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let letter = match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        };
        let letter = u8::try_from(letter).ok();
        letters.push(
            letter
                .filter(|letter| ALPHABET.contains(letter))
                .ok_or(FingerprintError::Letter(c))?,
        );
    }
    if letters.len() != GROUPS * (GROUP_LETTERS + 1) {
        return Err(FingerprintError::Length(letters.len()));
    }
    for (place, group) in letters.chunks(GROUP_LETTERS + 1).enumerate() {
        let (group, check) = group.split_at(GROUP_LETTERS);
        if check[..] != [check_letter(group)] {
            return Err(FingerprintError::Check(place));
        }
    }
    let expected: Vec<u8> = expected.bytes().filter(|byte| *byte != b'-').collect();
    Ok(letters == expected)
}

/// Luhn's check modulo 32.
fn check_letter(group: &[u8]) -> u8 {
    let sum: usize = group
        .iter()
        .enumerate()
        .map(|(place, letter)| {
            let digit = ALPHABET.iter().position(|known| known == letter);
            let product = digit.unwrap_or(0) * (1 + place % 2);
            product / 32 + product % 32
        })
        .sum();
    ALPHABET[(32 - sum % 32) % 32]
}

#[cfg(test)]
mod tests {
    use frex_proto::label;

    use super::*;

    // JOI-12
    #[test]
    fn a_fingerprint_is_eight_blocks_of_seven_and_notices_one_wrong_letter() {
        let text = of(&[7; 32]);
        let blocks: Vec<&str> = text.split('-').collect();
        assert_eq!((blocks.len(), blocks[0].len(), text.len()), (8, 7, 63));
        assert_eq!(matches(&text, &text), Ok(true));
        let spoken = text.to_lowercase().replace('-', " ");
        assert_eq!(matches(&spoken, &text), Ok(true));
        assert_eq!(matches(&text, &of(&[8; 32])), Ok(false));
        for place in (0..text.len()).filter(|place| text.as_bytes()[*place] != b'-') {
            let mut slip = text.clone().into_bytes();
            slip[place] = if slip[place] == b'Q' { b'R' } else { b'Q' };
            let slip = String::from_utf8(slip).expect("letters");
            let group = place / 16;
            assert_eq!(matches(&slip, &text), Err(FingerprintError::Check(group)));
        }
        assert_eq!(matches("AB", &text), Err(FingerprintError::Length(2)));
        assert_eq!(matches("A9", &text), Err(FingerprintError::Letter('9')));
    }

    // JOI-12: letter for letter what another implementation has to print.
    #[test]
    fn a_known_hash_has_the_known_fingerprint() {
        let hash = label::sha256(&[b"frex"]);
        assert_eq!(
            of(&hash),
            "7JG3MM2-R33ZU2D-5U3PDUI-5EPJ4OA-UC67J3Q-SLH4VJN-HWTYCOA-CXZSVA7"
        );
    }
}
