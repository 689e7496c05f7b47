//! Fingerprints that people can read to each other by telephone.
//!
//! Four groups of 13 base32 letters of a SHA-256, each with a check letter, shown 8×7: a slip of
//! the tongue is noticed in its group.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The fingerprint of a hash.
#[must_use]
pub fn of(hash: &[u8; 32]) -> String {
    let mut letters = Vec::with_capacity(56);
    for group in base32(hash).chunks(13) {
        letters.extend_from_slice(group);
        letters.push(check_letter(group));
    }
    let blocks: Vec<String> = letters
        .chunks(7)
        .map(|block| {
            block
                .iter()
                .map(|digit| char::from(ALPHABET[usize::from(*digit)]))
                .collect()
        })
        .collect();
    blocks.join("-")
}

/// The 52 base32 digits of 256 bits, the last padded with zero bits.
fn base32(hash: &[u8; 32]) -> Vec<u8> {
    let bit = |index: usize| {
        hash.get(index / 8)
            .map_or(0, |byte| byte >> (7 - index % 8) & 1)
    };
    (0..52)
        .map(|digit| (0..5).fold(0, |value, place| value << 1 | bit(digit * 5 + place)))
        .collect()
}

/// Luhn's check modulo 32.
fn check_letter(group: &[u8]) -> u8 {
    let sum: u32 = group
        .iter()
        .enumerate()
        .map(|(place, digit)| {
            let product = u32::from(*digit) * (1 + u32::try_from(place % 2).unwrap_or(0));
            product / 32 + product % 32
        })
        .sum();
    u8::try_from((32 - sum % 32) % 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_eight_blocks_of_seven_and_notices_one_wrong_letter() {
        let text = of(&[7; 32]);
        let blocks: Vec<&str> = text.split('-').collect();
        assert_eq!((blocks.len(), blocks[0].len(), text.len()), (8, 7, 63));
        let group: Vec<u8> = base32(&[7; 32])[..13].to_vec();
        for place in 0..13 {
            let mut slip = group.clone();
            slip[place] = (slip[place] + 1) % 32;
            assert_ne!(check_letter(&slip), check_letter(&group));
        }
    }
}
