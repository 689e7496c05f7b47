#![allow(clippy::unwrap_used)]

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::*;

/// A point of order eight.
const ORDER_EIGHT: &str = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
/// The order of the prime-order group, little-endian.
const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn bytes(hex_text: &str) -> [u8; 32] {
    hex::decode(hex_text).unwrap().try_into().unwrap()
}

fn number(low: u8, middle: u8, high: u8) -> [u8; 32] {
    let mut number = [middle; 32];
    number[0] = low;
    number[31] = high;
    number
}

// KEY-2
#[test]
fn key_id_is_the_labelled_half_hash() {
    let key = SigningKey::from_seed(&[7; 32]).verifying_key();
    let hash = label::sha256(&[b"frex/v1/sig-key\0", &[0, 1], key.as_bytes()]);
    assert_eq!(key.key_id().0, hash[..16]);
    let key = SealingSecretKey::from_seed(&[7; 32]).public();
    let hash = label::sha256(&[b"frex/v1/hpke-key\0", &[0x64, 0x7a], key.as_bytes()]);
    assert_eq!(key.key_id().0, hash[..16]);
}

// KEY-3, KEY-4, KEY-5: every rule of admission refuses by its own name.
#[test]
fn verifying_keys_that_break_a_rule_are_refused() {
    let good = SigningKey::from_seed(&[1; 32]).verifying_key();
    assert_eq!(VerifyingKey::admit(good.as_bytes()), Ok(good.clone()));
    assert_eq!(VerifyingKey::admit(&[0; 31]), Err(KeyError::Length));
    let off_curve = (0..=255)
        .map(|low| number(low, 0, 0))
        .find(|encoding| VerifyingKey::admit(encoding) == Err(KeyError::NotAPoint));
    assert!(off_curve.is_some());
    // y = p + 1 is another encoding of y = 1, and the sign of x = 0 is not a sign.
    let twice = [number(0xee, 0xff, 0x7f), number(1, 0, 0x80)];
    for encoding in twice {
        assert_eq!(VerifyingKey::admit(&encoding), Err(KeyError::NotCanonical));
    }
    let small = [
        number(1, 0, 0),
        [0; 32],
        number(0xec, 0xff, 0x7f),
        bytes(ORDER_EIGHT),
    ];
    for encoding in small {
        assert_eq!(VerifyingKey::admit(&encoding), Err(KeyError::Weak));
    }
    let torsion = ed25519_dalek::VerifyingKey::from_bytes(&bytes(ORDER_EIGHT)).unwrap();
    let mixed = (good.point.to_edwards() + torsion.to_edwards()).compress();
    assert_eq!(
        VerifyingKey::admit(mixed.as_bytes()),
        Err(KeyError::Torsion)
    );
}

// KEY-5: the forgery that makes admission necessary. Key and R are the identity, S is zero.
#[test]
fn forgery_that_a_plain_verifier_accepts_has_no_admitted_key() {
    let identity = number(1, 0, 0);
    let mut forgery = [0; 64];
    forgery[..32].copy_from_slice(&identity);
    let plain = UnparsedPublicKey::new(&ED25519, identity);
    for message in ["one report", "any other report"] {
        assert!(plain.verify(message.as_bytes(), &forgery).is_ok());
    }
    assert_eq!(VerifyingKey::admit(&identity), Err(KeyError::Weak));
    let good = SigningKey::from_seed(&[1; 32]).verifying_key();
    assert_eq!(good.verify(b"one report", &forgery), Err(SignatureError));
}

// KEY-7: S + L would be a second signature of the same message.
#[test]
fn signature_with_s_plus_l_is_refused() {
    let key = SigningKey::generate(&mut rng());
    let mut signature = key.sign(b"message").unwrap();
    assert_eq!(key.verifying_key().verify(b"message", &signature), Ok(()));
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(bytes(L)) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let refused = key.verifying_key().verify(b"message", &signature);
    assert_eq!(refused, Err(SignatureError));
}

// KEY-7
#[test]
fn signature_of_another_length_message_or_key_is_refused() {
    let key = SigningKey::generate(&mut rng());
    let signature = key.sign(b"message").unwrap();
    let verifying = key.verifying_key();
    assert_eq!(
        verifying.verify(b"massage", &signature),
        Err(SignatureError)
    );
    assert_eq!(
        verifying.verify(b"message", &signature[..63]),
        Err(SignatureError)
    );
    assert_eq!(verifying.verify(b"message", &[]), Err(SignatureError));
    let other = SigningKey::from_seed(&[2; 32]).verifying_key();
    assert_eq!(other.verify(b"message", &signature), Err(SignatureError));
}

// KEY-6: every rule of admission refuses by its own name.
#[test]
fn sealing_keys_that_break_a_rule_are_refused() {
    let good = SealingSecretKey::generate(&mut rng()).public();
    assert_eq!(SealingPublicKey::admit(good.as_bytes()), Ok(good.clone()));
    assert_eq!(
        SealingPublicKey::admit(&good.as_bytes()[1..]),
        Err(KeyError::Length)
    );
    let mut coefficient_over_q = *good.as_bytes();
    coefficient_over_q[..2].fill(0xff);
    let mut high_bit = *good.as_bytes();
    high_bit[1215] |= 0x80;
    let mut over_p = *good.as_bytes();
    over_p[1184..].copy_from_slice(&number(0xed, 0xff, 0x7f));
    for encoding in [coefficient_over_q, high_bit, over_p] {
        let refused = SealingPublicKey::admit(&encoding);
        assert_eq!(refused, Err(KeyError::NotCanonical));
    }
    for small in [[0; 32], number(1, 0, 0), number(0xec, 0xff, 0x7f)] {
        let mut weak = *good.as_bytes();
        weak[1184..].copy_from_slice(&small);
        assert_eq!(SealingPublicKey::admit(&weak), Err(KeyError::Weak));
    }
}

// KEY-8
#[test]
fn secret_keys_come_back_from_their_seed_and_do_not_print_it() {
    let signing = SigningKey::generate(&mut rng());
    let sealing = SealingSecretKey::generate(&mut rng());
    let seed = signing.seed().unwrap();
    let again = SigningKey::from_seed(&seed);
    assert_eq!(again.verifying_key(), signing.verifying_key());
    let again = SealingSecretKey::from_seed(&sealing.seed());
    assert_eq!(again.public(), sealing.public());
    let printed = format!("{signing:?} {sealing:?}");
    for seed in [seed, sealing.seed()] {
        assert!(!printed.contains(&hex::encode(&seed[..4])));
    }
}

fn pair(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).with_companion(&[seed; 32])
}

/// The signatures of both halves.
fn both(key: &SigningKey, message: &[u8]) -> ([u8; 64], Vec<u8>) {
    let (_, second) = key.sign_companion(CompanionKind::Objects, message).unwrap();
    (key.sign(message).unwrap(), second)
}

// KEY-2, KEY-30, KEY-34
#[test]
fn key_with_a_companion_is_another_key_under_the_same_id() {
    let (bare, paired) = (SigningKey::from_seed(&[7; 32]), pair(7));
    let (bare_key, paired_key) = (bare.verifying_key(), paired.verifying_key());
    assert_eq!(bare_key.key_id(), paired_key.key_id());
    assert_ne!(bare_key, paired_key);
    assert_ne!(bare_key.sha256(), paired_key.sha256());
    let other = bare.with_companion(&[8; 32]).verifying_key();
    assert_ne!(other, paired_key);
    assert_ne!(other.sha256(), paired_key.sha256());
    let companion = paired_key.companion().unwrap();
    let hash = label::sha256(&[b"frex/v1/sig-key\0", &[0, 2], companion.as_bytes()]);
    assert_eq!(companion.key_id().0, hash[..16]);
    let listed = VerifyingKey::admit_with(paired_key.as_bytes(), paired_key.companion_bytes());
    assert_eq!(listed, Ok(paired_key.clone()));
    for length in [1, 1951, 1953] {
        let refused = VerifyingKey::admit_pair(
            paired_key.as_bytes(),
            CompanionKind::Objects,
            &vec![0; length],
        );
        assert_eq!(refused, Err(KeyError::Length));
    }
}

// KEY-31, KEY-33: no single signature is enough, and none too many.
#[test]
fn key_with_a_companion_verifies_only_what_both_have_signed() {
    let (key, other) = (pair(1), pair(2));
    let ((first, second), of_other) = (both(&key, b"message"), both(&other, b"message").1);
    let verifying = key.verifying_key();
    let judge =
        |first: &[u8], second: Option<&[u8]>| verifying.verify_both(b"message", first, second);
    assert_eq!(judge(&first, Some(&second)), Ok(()));
    assert_eq!(judge(&first, None), Err(SignatureError));
    assert_eq!(verifying.verify(b"message", &first), Err(SignatureError));
    assert_eq!(judge(&first, Some(&of_other)), Err(SignatureError));
    assert_eq!(judge(&first, Some(&second[1..])), Err(SignatureError));
    assert_eq!(
        judge(&other.sign(b"message").unwrap(), Some(&second)),
        Err(SignatureError)
    );
    let bare = SigningKey::from_seed(&[1; 32]).verifying_key();
    assert_eq!(bare.verify(b"message", &first), Ok(()));
    let one_too_many = bare.verify_both(b"message", &first, Some(&second));
    assert_eq!(one_too_many, Err(SignatureError));
}

// KEY-32
#[test]
fn companion_comes_back_from_its_seed_and_does_not_print_it() {
    let key = SigningKey::generate_pair(&mut rng());
    let seed = key.companion_seed().unwrap();
    let own_seed = key.seed().unwrap();
    assert_ne!(*seed, *own_seed);
    let again = SigningKey::from_seed(&own_seed).with_companion(&seed);
    assert_eq!(again.verifying_key(), key.verifying_key());
    assert_eq!(both(&again, b"message"), both(&key, b"message"));
    assert!(!format!("{key:?}").contains(&hex::encode(&seed[..4])));
    assert!(SigningKey::generate(&mut rng()).companion_seed().is_none());
}

/// A token that gives whatever it was told to.
struct Says(Result<[u8; 64], SigningError>);

impl Token for Says {
    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SigningError> {
        self.0
    }
}

// KEY-21: a token is asked for each signature, and only a good one of it is used.
#[test]
fn token_that_lies_is_found_out_and_its_refusals_come_through() {
    let inside = SigningKey::from_seed(&[1; 32]);
    let good = inside.sign(b"message").unwrap();
    let key = |says| SigningKey::in_token(inside.verifying_key(), Arc::new(Says(says)));
    let honest = key(Ok(good));
    assert_eq!(honest.key_id(), inside.key_id());
    assert_eq!(honest.sign(b"message"), Ok(good));
    assert!(honest.seed().is_none());
    let mut glitch = good;
    glitch[40] ^= 1;
    let other_key = SigningKey::from_seed(&[2; 32]).sign(b"message").unwrap();
    for wrong in [glitch, other_key, [0; 64]] {
        let refused = key(Ok(wrong)).sign(b"message");
        assert_eq!(refused, Err(SigningError::WrongSignature));
    }
    // A good signature of something else than was asked for.
    assert_eq!(honest.sign(b"massage"), Err(SigningError::WrongSignature));
    for error in [SigningError::Unavailable, SigningError::Refused] {
        assert_eq!(key(Err(error)).sign(b"message"), Err(error));
        assert_eq!(WireCode::from(error), WireCode::KeyUnavailable);
    }
    assert!(!format!("{honest:?}").contains("Says"));
}

// KEY-21, KEY-32: the Ed25519 half may be in a token, its companion beside the program.
#[test]
fn key_in_a_token_signs_with_a_companion_in_memory() {
    let inside = SigningKey::from_seed(&[1; 32]);
    let says = Says(inside.sign(b"message"));
    let key = SigningKey::in_token(pair(1).verifying_key(), Arc::new(says));
    assert_eq!(key.verifying_key(), inside.verifying_key());
    let key = key.with_companion(&[1; 32]);
    assert_eq!(key.verifying_key(), pair(1).verifying_key());
    assert_eq!(both(&key, b"message"), both(&pair(1), b"message"));
    assert_eq!(key.sign(b"massage"), Err(SigningError::WrongSignature));
}
