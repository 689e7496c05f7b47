//! Encrypted key files: what opens them, what does not, and why.

use std::{process::Command, time::Instant};

use pkcs8::{
    der::pem::decode_vec,
    pkcs5::pbes2::{Kdf, Pbkdf2Params, ScryptParams},
};

use super::*;
use crate::{environment::Random, keys::file};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::read(&mut text.as_bytes()).unwrap()
}

fn signing() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn encrypted(key: SecretKeyRef<'_>) -> String {
    let mut rng = Random::seeded([9; 32]).rng();
    key.to_encrypted_text(&passphrase("open sesame"), &mut rng)
        .unwrap()
        .to_string()
}

fn refusal(text: &str, given: &str) -> KeyTextError {
    let opened = KeyText::parse(text).and_then(|text| text.open(Some(&passphrase(given))));
    opened.unwrap_err()
}

/// A file whose encryption says `scheme`, as another program, or somebody hostile, may write it.
fn foreign(scheme: EncryptionScheme, data: &[u8]) -> String {
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: scheme,
        encrypted_data: OctetString::new(data).unwrap(),
    };
    encode_string(
        SIGNING_ENCRYPTED_LABEL,
        LineEnding::LF,
        &info.to_der().unwrap(),
    )
    .unwrap()
}

fn costing(cost: u64, block_size: u16, parallelization: u16) -> EncryptionScheme {
    let kdf = Kdf::Scrypt(ScryptParams {
        salt: [3; 16].as_slice().try_into().unwrap(),
        cost_parameter: cost,
        block_size,
        parallelization,
        key_length: None,
    });
    let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: [4; 16] };
    pbes2::Parameters { kdf, encryption }.into()
}

// FIL-7, FIL-8: either kind opens under its passphrase, and states its public half without it.
#[test]
fn an_encrypted_key_opens_under_its_passphrase_and_is_named_without() {
    let sealing = SealingSecretKey::from_seed(&[2; 32]);
    for (key, label) in [
        (SecretKeyRef::from(&signing()), "ENCRYPTED PRIVATE KEY"),
        (SecretKeyRef::from(&sealing), "ENCRYPTED FREX SEALING KEY"),
    ] {
        let text = encrypted(key);
        assert!(text.contains(&format!("-----BEGIN {label}-----")), "{text}");
        assert!(text.len() < 4096, "{}", text.len());
        let parsed = KeyText::parse(&text).unwrap();
        assert!(parsed.is_encrypted());
        assert_eq!(parsed.public(), Some(&key.public()));
        let opened = parsed.open(Some(&passphrase("open sesame"))).unwrap();
        assert_eq!(opened.as_ref().document(), key.document());
    }
    let plain = signing();
    let plain = KeyText::parse(&SecretKeyRef::from(&plain).to_text().unwrap()).unwrap();
    assert!(!plain.is_encrypted() && plain.open(None).is_ok());
}

// FIL-8: the same key is never encrypted the same way twice.
#[test]
fn salt_and_vector_are_new_each_time() {
    let (key, mut rng) = (signing(), Random::seeded([9; 32]).rng());
    let mut text = || {
        SecretKeyRef::from(&key)
            .to_encrypted_text(&passphrase("open sesame"), &mut rng)
            .unwrap()
    };
    assert_ne!(*text(), *text());
}

// FIL-8: a passphrase costs whoever guesses it what it should.
#[test]
fn guessing_costs_what_it_should() {
    let text = encrypted(SecretKeyRef::from(&signing()));
    let pem = &text[text.find("-----BEGIN").unwrap()..];
    let (_, document) = decode_vec(pem.as_bytes()).unwrap();
    let info = EncryptedPrivateKeyInfoRef::from_der(&document).unwrap();
    let parameters = info.encryption_algorithm.pbes2().unwrap();
    let scrypt = parameters.kdf.scrypt().unwrap();
    let asked = (
        scrypt.cost_parameter,
        scrypt.block_size,
        scrypt.parallelization,
    );
    assert_eq!(asked, (16_384, 8, 5));
    assert_eq!(scrypt.salt.as_ref().len(), 16);
}

// FIL-12: each cause is told from the others.
#[test]
fn wrong_missing_and_damaged_are_told_apart() {
    let text = encrypted(SecretKeyRef::from(&signing()));
    assert_eq!(refusal(&text, "open barley"), KeyTextError::WrongPassphrase);
    let sealed = KeyText::parse(&text).unwrap().open(None).unwrap_err();
    assert_eq!(sealed, KeyTextError::Sealed);
    assert_eq!(WireCode::from(sealed), WireCode::Sealed);
    assert_eq!(refusal("no key at all", "x"), KeyTextError::Malformed);

    let lines: Vec<&str> = text.lines().collect();
    let changed = |line: usize, at: usize| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let old = lines[line].as_bytes()[at];
        let new = if old == b'7' { "8" } else { "7" };
        lines[line].replace_range(at..=at, new);
        lines.join("\n") + "\n"
    };
    // The public key, the checksum, and the middle of the document.
    for (line, at) in [(0, 30), (1, 30), (4, 10)] {
        assert_eq!(
            refusal(&changed(line, at), "open sesame"),
            KeyTextError::Damaged
        );
    }
    let without_checksum = text.replacen(lines[1], "", 1);
    assert_eq!(
        refusal(&without_checksum, "open sesame"),
        KeyTextError::Damaged
    );
    for length in 0..text.len() - 1 {
        // Cut inside the lines before the key, the file has none; cut inside the key, it has half.
        let error = KeyText::parse(&text[..length]).unwrap_err();
        assert!(matches!(
            error,
            KeyTextError::Malformed | KeyTextError::Damaged
        ));
    }
}

// FIL-8: a file that states the public half of another key is not believed.
#[test]
fn another_keys_public_half_is_noticed() {
    let other = SigningKey::from_seed(&[7; 32]).verifying_key();
    let text = encrypted(SecretKeyRef::from(&signing()));
    let pem = &text[text.find("-----BEGIN").unwrap()..];
    let (_, document) = decode_vec(pem.as_bytes()).unwrap();
    let sum = hex::encode(checksum(other.as_bytes(), &document));
    let stated = hex::encode(other.as_bytes());
    let forged = format!("{PUBLIC_LINE}{stated}\n{CHECKSUM_LINE}{sum}\n{pem}");
    assert_eq!(refusal(&forged, "open sesame"), KeyTextError::Damaged);
}

// FIL-9: what a file asks for is judged before memory or time is spent.
#[test]
fn absurd_demands_are_refused_at_once() {
    let started = Instant::now();
    for (cost, block, parallel) in [
        (1 << 62, 8, 1),
        (1 << 18, 8, 1),
        (1 << 17, 9, 1),
        (1 << 17, 8, 9),
        (1 << 14, 8, 200),
        (2, u16::MAX, u16::MAX),
        (2, 1, 1 << 14),
        (u64::MAX, u16::MAX, u16::MAX),
    ] {
        let text = foreign(costing(cost, block, parallel), &[0; 48]);
        assert_eq!(
            KeyText::parse(&text).unwrap_err(),
            KeyTextError::TooCostly,
            "{cost}"
        );
    }
    for (cost, block, parallel) in [(0, 8, 1), (3, 8, 1), (1 << 14, 0, 1), (1 << 14, 8, 0)] {
        let text = foreign(costing(cost, block, parallel), &[0; 48]);
        assert_eq!(
            KeyText::parse(&text).unwrap_err(),
            KeyTextError::Malformed,
            "{cost}"
        );
    }
    for data in [&[0; 0][..], &[0; 47]] {
        let text = foreign(costing(1 << 14, 8, 1), data);
        assert_eq!(KeyText::parse(&text).unwrap_err(), KeyTextError::Malformed);
    }
    assert!(KeyText::parse(&foreign(costing(1 << 17, 8, 8), &[0; 48])).is_ok());
    assert!(started.elapsed().as_secs() < 1);
}

// FIL-7: one way of encrypting, not a choice that the file makes.
#[test]
fn other_ways_of_encrypting_are_refused() {
    let aes = pbes2::EncryptionScheme::Aes256Cbc { iv: [4; 16] };
    let pbkdf2 = Pbkdf2Params::hmac_sha256(600_000, &[3; 16]).unwrap();
    let by_pbkdf2 = pbes2::Parameters {
        kdf: pbkdf2.into(),
        encryption: aes,
    };
    let cost = scrypt::Params::new(14, 8, 1).unwrap();
    let by_aes_128 = pbes2::Parameters::generate_scrypt_aes128cbc(cost, &[3; 16], [4; 16]).unwrap();
    for parameters in [by_pbkdf2, by_aes_128] {
        let error = KeyText::parse(&foreign(parameters.into(), &[0; 48])).unwrap_err();
        assert_eq!(error, KeyTextError::OtherCipher);
        assert_eq!(WireCode::from(error), WireCode::KeyUnusable);
    }
}

// FIL-7: OpenSSL reads what is written here, and what it writes is read.
#[test]
fn openssl_reads_an_encrypted_key_and_writes_one_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (ours, theirs, secret) = (path("ours.key"), path("theirs.key"), path("secret"));
    std::fs::write(&ours, encrypted(SecretKeyRef::from(&signing()))).unwrap();
    std::fs::write(&secret, "open sesame\n").unwrap();
    // From one file OpenSSL takes one line after the other: each use has a file of its own.
    std::fs::copy(&secret, path("again")).unwrap();
    let (from, to) = (format!("file:{secret}"), format!("file:{}", path("again")));
    let openssl = |args: &[&str]| Command::new("openssl").args(args).output();
    let Ok(shown) = openssl(&[
        "pkey", "-in", &ours, "-passin", &from, "-pubout", "-outform", "DER",
    ]) else {
        eprintln!("SKIPPED: there is no openssl on this machine");
        return;
    };
    assert!(
        shown.status.success(),
        "{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    // SubjectPublicKeyInfo ends with the 32 bytes of the key.
    let public = signing().verifying_key();
    assert!(shown.stdout.ends_with(public.as_bytes()));

    let written = openssl(&[
        "pkcs8", "-topk8", "-in", &ours, "-passin", &from, "-scrypt", "-out", &theirs, "-passout",
        &to,
    ])
    .unwrap();
    assert!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    let text = KeyText::parse(&std::fs::read_to_string(&theirs).unwrap()).unwrap();
    assert!(text.is_encrypted() && text.public().is_none());
    let opened = text.open(Some(&passphrase("open sesame"))).unwrap();
    assert_eq!(opened.as_ref().public(), PublicKey::Signing(public));
}

fn pair() -> SigningKey {
    signing().with_companion(&[5; 32])
}

fn both_texts() -> [String; 2] {
    texts_of(&pair())
}

fn texts_of(pair: &SigningKey) -> [String; 2] {
    let plain = SecretKeyRef::from(pair).to_text().unwrap().to_string();
    [plain, encrypted(SecretKeyRef::from(pair))]
}

// FIL-20, KEY-35: the companion of a log's key lies in the key's file like any other, and stays what it
// was.
#[test]
fn a_companion_that_signs_heads_is_kept_as_one() {
    let pair = signing().with_companion_of(CompanionKind::Heads, &[5; 32]);
    for text in texts_of(&pair) {
        assert!(text.len() < 16 * 1024, "{}", text.len());
        let parsed = KeyText::parse(&text).unwrap();
        let public = PublicKey::Signing(pair.verifying_key());
        assert_eq!(parsed.public(), Some(&public));
        let opened = parsed.open(Some(&passphrase("open sesame"))).unwrap();
        assert_eq!(opened.as_ref().public(), public);
    }
    // One that signs objects, from the same seed, is another.
    let [of_heads, _] = texts_of(&pair);
    let [of_objects, _] = both_texts();
    let second = |text: &str| text[text.rfind("-----BEGIN ").unwrap()..].to_owned();
    let exchanged = of_heads.replace(&second(&of_heads), &second(&of_objects));
    assert_eq!(refusal(&exchanged, "open sesame"), KeyTextError::Damaged);
}

// FIL-20: one file for both, named without a passphrase, opened by one.
#[test]
fn a_key_and_its_companion_are_one_file() {
    for text in both_texts() {
        assert!(text.len() < 16 * 1024, "{}", text.len());
        let parsed = KeyText::parse(&text).unwrap();
        assert!(parsed.has_companion() && !parsed.is_sealing());
        let public = PublicKey::Signing(pair().verifying_key());
        assert_eq!(parsed.public(), Some(&public));
        assert_eq!(
            parsed.public().unwrap().sha256(),
            pair().verifying_key().sha256()
        );
        let opened = parsed.open(Some(&passphrase("open sesame"))).unwrap();
        assert_eq!(opened.as_ref().public(), public);
        let SecretKey::Signing(opened) = opened else {
            panic!("a signing key");
        };
        assert_eq!(*opened.companion_seed().unwrap(), [5; 32]);
    }
    let bare = SecretKeyRef::from(&signing()).to_text().unwrap();
    assert!(!KeyText::parse(&bare).unwrap().has_companion());
}

// FIL-20: what is lost, exchanged or of another key is damage, never another key.
#[test]
fn a_file_that_lost_its_companion_is_damaged() {
    let refuse = |text: &str| refusal(text, "open sesame");
    for text in both_texts() {
        let second = text.rfind("-----BEGIN ").unwrap();
        let first_end = text.find("-----END ").unwrap();
        let first_end = first_end + text[first_end..].find('\n').unwrap() + 1;
        assert_eq!(refuse(&text[..first_end]), KeyTextError::Damaged);
        let unnamed = text.split_once('\n').unwrap().1;
        assert_eq!(refuse(unnamed), KeyTextError::Damaged);
        let third = format!("{text}{}", &text[second..]);
        assert_eq!(refuse(&third), KeyTextError::Malformed);
        let garbage = format!("{text}what else");
        assert_eq!(refuse(&garbage), KeyTextError::Malformed);
        let renamed = text.replacen("FREX-Companion: ", "FREX-Companion: 0", 1);
        assert_eq!(refuse(&renamed), KeyTextError::Damaged);
        for length in 0..text.len() - 1 {
            let error = KeyText::parse(&text[..length]).unwrap_err();
            assert!(matches!(
                error,
                KeyTextError::Malformed | KeyTextError::Damaged
            ));
        }
    }
    let [plain, sealed] = both_texts();
    let of = |text: &str| text[text.rfind("-----BEGIN ").unwrap()..].to_owned();
    let mixed = plain.replace(&of(&plain), &of(&sealed));
    assert_eq!(refuse(&mixed), KeyTextError::Malformed);
    let other = SecretKeyRef::from(&signing().with_companion(&[6; 32]))
        .to_text()
        .unwrap()
        .to_string();
    let exchanged = plain.replace(&of(&plain), &of(&other));
    assert_eq!(refuse(&exchanged), KeyTextError::Damaged);
    let sealing = SealingSecretKey::from_seed(&[2; 32]);
    let sealing = SecretKeyRef::from(&sealing).to_text().unwrap();
    let behind_sealing = format!("{COMPANION_LINE}00\n{}{}", *sealing, of(&plain));
    assert_eq!(refuse(&behind_sealing), KeyTextError::Malformed);
    let twice = SecretKeyRef::from(&signing()).to_text().unwrap();
    let twice = format!("{COMPANION_LINE}00\n{}{}", *twice, *twice);
    assert_eq!(refuse(&twice), KeyTextError::Malformed);
}

// FIL-20: OpenSSL reads the Ed25519 key of either file, as if there were no companion.
#[test]
fn openssl_reads_the_key_before_a_companion() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (key, secret) = (path("a.key"), path("secret"));
    std::fs::write(&secret, "open sesame\n").unwrap();
    let from = format!("file:{secret}");
    for text in both_texts() {
        std::fs::write(&key, &text).unwrap();
        let args = [
            "pkey", "-in", &key, "-passin", &from, "-pubout", "-outform", "DER",
        ];
        let Ok(shown) = Command::new("openssl").args(args).output() else {
            eprintln!("SKIPPED: there is no openssl on this machine");
            return;
        };
        let said = String::from_utf8_lossy(&shown.stderr);
        assert!(shown.status.success(), "{said}");
        assert!(shown.stdout.ends_with(pair().verifying_key().as_bytes()));
    }
}

// FIL-12, KEY-13: neither error nor log line says anything of the secret.
#[test]
fn errors_and_debug_texts_hold_no_secret() {
    let key = signing();
    let text = encrypted(SecretKeyRef::from(&key));
    let parsed = KeyText::parse(&text).unwrap();
    let plain = KeyText::parse(&SecretKeyRef::from(&key).to_text().unwrap()).unwrap();
    let path = std::path::Path::new("a.key");
    let mut said = vec![format!("{parsed:?} {plain:?}")];
    for error in [
        KeyTextError::Malformed,
        KeyTextError::Damaged,
        KeyTextError::OtherCipher,
        KeyTextError::TooCostly,
        KeyTextError::WrongPassphrase,
        KeyTextError::Sealed,
    ] {
        let named = file::refused(path, "key file", error);
        assert!(named.to_string().contains("a.key"));
        said.push(format!("{named} {named:?} {error}"));
    }
    let seed = hex::encode(key.seed().unwrap().as_slice());
    for text in said {
        let text = text.to_lowercase();
        assert!(
            !text.contains("sesame") && !text.contains(&seed[..16]),
            "{text}"
        );
        assert!(!text.contains("1, 1, 1, 1"), "{text}");
    }
}
