#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [1; 32];
const CORE: Hash = [2; 32];
const STREAM: [u8; STREAM_SALT] = [3; STREAM_SALT];

fn sealed(content: &[u8]) -> Vec<u8> {
    let (head, data) = content.split_at(content.len() / 3);
    let plain = Plain {
        salt: &[4; 32],
        content: [head, data],
    };
    seal(&KEY, &CORE, &STREAM, &plain)
}

fn cause(body: &[u8]) -> Option<OpenCause> {
    open(&KEY, &CORE, body).err()
}

/// Seals raw inner bytes, as a sender could who pads as it likes.
fn sealed_raw(inner: &[u8]) -> Vec<u8> {
    let keys = Keys::derive(&KEY, &CORE, &STREAM);
    let mut body = [&STREAM[..], &keys.commitment].concat();
    let start = body.len();
    let mut writer = Writer {
        start,
        index: 0,
        body: std::mem::take(&mut body),
        keys: &keys,
    };
    writer.write(inner);
    writer.finish()
}

// ENV-13, ENV-14: around every chunk boundary the length is as computed and the content returns.
#[test]
fn content_returns_for_lengths_around_chunk_boundaries() {
    for chunks in 0..4 {
        for near in 0..=200_usize {
            let Some(length) = (chunks * CHUNK + near).checked_sub(100) else {
                continue;
            };
            let content: Vec<u8> = (0..=250).cycle().take(length).collect();
            let body = sealed(&content);
            assert_eq!(body.len(), sealed_len(length));
            assert_eq!(
                body.capacity(),
                body.len(),
                "the body never moved while it was sealed"
            );
            let inner = open(&KEY, &CORE, &body).unwrap();
            assert_eq!((inner.salt, &inner.content[..]), ([4; 32], &content[..]));
        }
    }
}

// ENV-15: a body cut at any length does not open.
#[test]
fn cut_bodies_are_refused_at_every_length() {
    let body = sealed(&[7; 100]);
    for length in 0..body.len() {
        let expected = match length {
            0..HEAD => OpenCause::BodyLength,
            _ if length < HEAD + TAG => OpenCause::BodyLength,
            _ => OpenCause::Chunk,
        };
        assert_eq!(cause(&body[..length]), Some(expected), "cut at {length}");
    }
    // The end of a full chunk: nothing is wrong but that the short last one is missing.
    let body = sealed(&[7; 3 * CHUNK]);
    let one_chunk = HEAD + CHUNK + TAG;
    assert_eq!(cause(&body[..one_chunk]), Some(OpenCause::BodyLength));
    assert_eq!(
        cause(&body[..one_chunk + TAG - 1]),
        Some(OpenCause::BodyLength)
    );
    assert_eq!(cause(&body[..one_chunk + TAG]), Some(OpenCause::Chunk));
}

// ENV-15: chunks keep their places.
#[test]
fn swapped_and_repeated_chunks_are_refused() {
    let body = sealed(&(0..=255).cycle().take(3 * CHUNK).collect::<Vec<u8>>());
    let (head, chunks) = body.split_at(HEAD);
    let (first, rest) = chunks.split_at(CHUNK + TAG);
    let (second, rest) = rest.split_at(CHUNK + TAG);
    for reordered in [[head, second, first, rest], [head, first, first, rest]] {
        assert_eq!(cause(&reordered.concat()), Some(OpenCause::Chunk));
    }
    let dropped = [head, second, rest].concat();
    assert_eq!(cause(&dropped), Some(OpenCause::Chunk));
}

// ENV-13: keys belong to one header, one stream salt and one content key.
#[test]
fn bodies_under_another_key_header_or_salt_fail_the_commitment() {
    let mut body = sealed(b"content");
    let other_key = open(&[9; 32], &CORE, &body).err();
    let other_core = open(&KEY, &[9; 32], &body).err();
    assert_eq!(other_key, Some(OpenCause::Commitment));
    assert_eq!(other_core, Some(OpenCause::Commitment));
    assert!(is_under(&KEY, &CORE, &body) && !is_under(&KEY, &[9; 32], &body));
    body[0] ^= 1;
    assert_eq!(cause(&body), Some(OpenCause::Commitment));
}

// ENV-14: what a sender pads wrongly is refused: it could hide bytes there.
#[test]
fn padding_that_is_not_exact_or_not_zero_is_refused() {
    let inner = |length: u64, tail: &[u8]| [&[4; 32][..], &length.to_be_bytes(), tail].concat();
    assert_eq!(cause(&sealed_raw(&inner(5, &[0; 8]))), None);
    let wrong = [
        inner(5, &[0, 0, 0, 0, 0, 0, 0, 1]),
        inner(5, &[0; 5]),
        inner(5, &[0; 16]),
        inner(9, &[0; 8]),
        inner(u64::MAX, &[0; 8]),
        vec![0; 39],
        Vec::new(),
    ];
    for inner in wrong {
        assert_eq!(cause(&sealed_raw(&inner)), Some(OpenCause::Padding));
    }
}

// ENV-16: AES-GCM alone opens one crafted ciphertext under two keys; the commitment does not.
#[test]
fn ciphertext_that_opens_under_two_keys_is_refused_by_the_commitment() {
    let other_key = [9; 32];
    let first = Keys::derive(&KEY, &CORE, &STREAM);
    let second = Keys::derive(&other_key, &CORE, &STREAM);
    let (ciphertext, tag) = collide(&first, &second);
    for keys in [&first, &second] {
        let mut chunk = ciphertext;
        let opened = keys.aead.open_in_place_separate_tag(
            keys.nonce(0),
            Aad::empty(),
            Tag::from(tag),
            &mut chunk,
            0..,
        );
        assert!(opened.is_ok(), "the chunk is valid under both keys");
    }
    let body = [&STREAM[..], &first.commitment, &ciphertext, &tag].concat();
    // Under its own key it passes commitment and chunk, and fails as the nonsense it contains.
    assert_eq!(cause(&body), Some(OpenCause::Padding));
    let opened = open(&other_key, &CORE, &body).err();
    assert_eq!(opened, Some(OpenCause::Commitment));
}

/// Two blocks of ciphertext whose tag is the same under both keys: the tag is linear in each
/// block, so the second block is solved for.
fn collide(one: &Keys, two: &Keys) -> ([u8; 32], [u8; 16]) {
    let length_block = 256_u128; // no associated data, 256 bits of ciphertext
    let fixed = 0x0123_4567_89ab_cdef_u128;
    let [(h1, mask1), (h2, mask2)] = [one, two].map(hash_key_and_mask);
    let known = |h: u128, mask: u128| {
        let h2 = multiply(h, h);
        multiply(fixed, multiply(h2, h)) ^ multiply(length_block, h) ^ mask
    };
    let gap = known(h1, mask1) ^ known(h2, mask2);
    let free = multiply(gap, invert(multiply(h1, h1) ^ multiply(h2, h2)));
    let tag = known(h1, mask1) ^ multiply(free, multiply(h1, h1));
    let mut ciphertext = [0; 32];
    ciphertext[..16].copy_from_slice(&fixed.to_be_bytes());
    ciphertext[16..].copy_from_slice(&free.to_be_bytes());
    (ciphertext, tag.to_be_bytes())
}

/// GHASH key and tag mask of chunk 0, from the tags of known messages.
fn hash_key_and_mask(keys: &Keys) -> (u128, u128) {
    let tag = |aad: &[u8]| {
        let sealed = keys
            .aead
            .seal_in_place_separate_tag(keys.nonce(0), Aad::from(aad), &mut []);
        u128::from_be_bytes(sealed.unwrap().as_ref().try_into().unwrap())
    };
    let mask = tag(&[]);
    // One zero block of associated data leaves only its length, 128 bits, times the key.
    let length_block = 128_u128 << 64;
    (multiply(tag(&[0; 16]) ^ mask, invert(length_block)), mask)
}

/// Product in the field of GCM.
fn multiply(one: u128, two: u128) -> u128 {
    let (mut product, mut shifted) = (0, two);
    for bit in (0..128).rev() {
        if one >> bit & 1 == 1 {
            product ^= shifted;
        }
        let reduce = (shifted & 1) * (0xe1 << 120);
        shifted = (shifted >> 1) ^ reduce;
    }
    product
}

/// Inverse in the field of GCM: the power 2^128 - 2.
fn invert(element: u128) -> u128 {
    let (mut power, mut inverse) = (element, 1 << 127);
    for _ in 1..128 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // ENV-13
    #[test]
    fn any_content_returns(content in prop::collection::vec(any::<u8>(), 0..40_000)) {
        let inner = open(&KEY, &CORE, &sealed(&content));
        prop_assert_eq!(&inner.unwrap().content[..], &content[..]);
    }

    // ENV-15
    #[test]
    fn any_flipped_bit_is_refused(length in 0_usize..40_000, at: prop::sample::Index, bit in 0_u8..8) {
        let mut body = sealed(&vec![7; length]);
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        let expected = if at < HEAD { OpenCause::Commitment } else { OpenCause::Chunk };
        prop_assert_eq!(cause(&body), Some(expected));
    }
}
