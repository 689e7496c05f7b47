//! Admission of keys, and Ed25519 signatures at the edge of what is valid.

use frex_proto::keys::SealingSecretKey;

use crate::Vector;

/// An ordinary key, and a message that the signatures below are over.
const KEY: &str = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c";
const MESSAGE: &[u8] = b"cofactor";

pub(crate) fn make() -> Vec<Vector> {
    ed25519_keys()
        .into_iter()
        .chain(signatures())
        .chain(sealing_keys())
        .collect()
}

#[rustfmt::skip] // A table: one row a vector.
fn ed25519_keys() -> Vec<Vector> {
    let key = |name: &str, spec: &str, what: &str, key: &str, expect: &str| {
        Vector::new("keys", name, spec, what, "admit_key")
            .set("algorithm", "ed25519")
            .set("key", key)
            .expect(expect)
    };
    let zeros = |start: &str, end: &str| {
        let middle = "0".repeat(64 - start.len() - end.len());
        format!("{start}{middle}{end}")
    };
    vec![
        key("ed25519", "KEY-2", "an ordinary key and its id", KEY, "ok"),
        key("ed25519-31-bytes", "KEY-1", "a byte too few", &KEY[2..], "Length"),
        key("ed25519-33-bytes", "KEY-1", "a byte too many", &format!("{KEY}00"), "Length"),
        key("ed25519-no-point", "KEY-3", "y = 2 is on no point", &zeros("02", ""), "NotAPoint"),
        key("ed25519-y-not-reduced", "KEY-3", "y = p + 1, which is y = 1", &format!("ee{}7f", "f".repeat(60)), "NotCanonical"),
        key("ed25519-negative-zero", "KEY-3", "x = 0 with its sign bit set", &zeros("01", "80"), "NotCanonical"),
        key("ed25519-identity", "KEY-4", "the neutral point: accepts one signature for every message", &zeros("01", ""), "Weak"),
        key("ed25519-order-2", "KEY-4", "the point of order 2", &format!("ec{}7f", "f".repeat(60)), "Weak"),
        key("ed25519-order-4", "KEY-4", "a point of order 4", &zeros("", "80"), "Weak"),
        key("ed25519-order-8", "KEY-4", "a point of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "Weak"),
        key("ed25519-torsion", "KEY-5", "an ordinary key plus a point of order 8", "1f4f580e73ac208f06760190e9edc6f5916775dabd9c1cdca393175c2d6d1083", "Torsion"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn signatures() -> Vec<Vector> {
    const GOOD: &str = "3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a70dc3655f7ef2724903b6294a299dcc17e1427845e4a28f276e11c092f7c0503";
    let signature = |name: &str, what: &str, message: &[u8], signature: &str, expect: &str| {
        Vector::new("keys", name, "KEY-7", what, "verify_ed25519")
            .set("key", KEY)
            .hex("message", message)
            .set("signature", signature)
            .expect(expect)
    };
    let flipped = GOOD.replacen("3e", "3f", 1);
    vec![
        signature("signature", "an ordinary signature", MESSAGE, GOOD, "ok"),
        signature("signature-other-message", "over another message", b"cofactors", GOOD, "SignatureError"),
        signature("signature-flipped", "one bit changed", MESSAGE, &flipped, "SignatureError"),
        signature("signature-63-bytes", "a byte too few", MESSAGE, &GOOD[..126], "SignatureError"),
        signature("signature-65-bytes", "a byte too many", MESSAGE, &format!("{GOOD}00"), "SignatureError"),
        signature("signature-malleated", "S + L instead of S", MESSAGE, "3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a5db02cb211533a7c66d859378193bbd67e1427845e4a28f276e11c092f7c0513", "SignatureError"),
        signature("signature-small-r", "R is the neutral point", MESSAGE, "0100000000000000000000000000000000000000000000000000000000000000e3f056a7c808b24d10931cd6ce5b70f6b17f92d5a94d5fec450389d7c992fa0f", "SignatureError"),
        signature("signature-cofactored", "R has a part of order 8: only a cofactored verifier takes it", MESSAGE, "5b61c2e3b93e6c06450f327ea72cdfeb8cde6aa020d2dd827ab3f86e708c83939dd2c869c6731519c4b71d1b91cac773c66c51c80853aca95bc261c63ba7ef0b", "SignatureError"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn sealing_keys() -> Vec<Vector> {
    let good = *SealingSecretKey::from_seed(&[5; 32]).public().as_bytes();
    let key = |name: &str, spec: &str, what: &str, key: &[u8], expect: &str| {
        Vector::new("keys", name, spec, what, "admit_key")
            .set("algorithm", "mlkem768-x25519")
            .hex("key", key)
            .expect(expect)
    };
    let with = |at: usize, bytes: &[u8]| {
        let mut key = good;
        key[at..at + bytes.len()].copy_from_slice(bytes);
        key
    };
    let mut unreduced = [0xff; 32];
    unreduced[0] = 0xed;
    unreduced[31] = 0x7f;
    let mut high_bit = [0; 32];
    high_bit.copy_from_slice(&good[1184..]);
    high_bit[31] |= 0x80;
    vec![
        key("sealing", "KEY-2", "an ordinary sealing key and its id", &good, "ok"),
        key("sealing-1215-bytes", "KEY-1", "a byte too few", &good[1..], "Length"),
        key("sealing-coefficient", "KEY-6", "a coefficient of 4095", &with(0, &[0xff, 0xff]), "NotCanonical"),
        key("sealing-coefficient-3329", "KEY-6", "a coefficient of 3329, one too large", &with(0, &[0x01, 0x0d]), "NotCanonical"),
        key("sealing-x25519-zero", "KEY-6", "u = 0 is of small order", &with(1184, &[0; 32]), "Weak"),
        key("sealing-x25519-unreduced", "KEY-6", "u = p", &with(1184, &unreduced), "NotCanonical"),
        key("sealing-x25519-high-bit", "KEY-6", "the unused bit of u is set", &with(1184, &high_bit), "NotCanonical"),
        Vector::new("keys", "sealing-seed", "KEY-11", "the public key of a seed, by its hash", "sealing_key_of_seed")
            .hexes("secrets", [[5; 32]])
            .expect("ok"),
    ]
}
