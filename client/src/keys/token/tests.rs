#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::keys::{file::KeyPlace, text::KeyText};

fn place() -> TokenPlace {
    TokenPlace {
        token: TokenAddress {
            module: PathBuf::from("/no/such/module.so"),
            label: "hotline \"one\"".to_owned(),
            serial: None,
        },
        id: vec![0, 0xff],
        public: SigningKey::from_seed(&[1; 32]).verifying_key(),
    }
}

// FIL-31: what is written is read back, and nothing but these lines is.
#[test]
fn place_of_a_key_comes_back_from_its_file() {
    let with_serial = TokenPlace {
        token: TokenAddress {
            serial: Some("0123".to_owned()),
            ..place().token
        },
        ..place()
    };
    for place in [place(), with_serial] {
        let text = place.to_text().unwrap();
        assert_eq!(TokenPlace::parse(&text), Some(place.clone()));
        let read = KeyText::parse(&text).unwrap();
        assert_eq!(read.token(), Some(&place));
        assert!(!read.is_encrypted() && !read.is_sealing());
        assert_eq!(read.public().unwrap().as_bytes(), place.public.as_bytes());
    }
}

// FIL-32
#[test]
fn file_that_names_no_sound_place_is_refused() {
    let good = place().to_text().unwrap();
    let weak = hex::encode([0; 32]);
    let key = hex::encode(place().public.as_bytes());
    for (what, with) in [
        ("/no/such/module.so", "module.so"),
        ("\"00ff\"", "\"\""),
        ("\"00ff\"", "\"0\""),
        ("id = ", "pin = \"1234\"\nid = "),
        (key.as_str(), weak.as_str()),
        (key.as_str(), &key[2..]),
        ("token = ", "# "),
    ] {
        let text = good.replacen(what, with, 1);
        assert_ne!(text, good);
        assert!(KeyText::parse(&text).is_err(), "{text}");
    }
}

// FIL-33: a build that cannot speak to tokens says so and how to get one; one that can names what
// it misses.
#[test]
fn key_whose_token_is_out_of_reach_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = dir.path().join("identity.key");
    let key = NewKey {
        key: SigningKey::from_seed(&[1; 32]),
        place: Some(place()),
    };
    let mut rng = crate::environment::Random::seeded([1; 32]).rng();
    key.write(&path, None, &mut rng).unwrap();
    let again = key.write(&path, None, &mut rng).unwrap_err();
    assert!(matches!(again, KeyFileError::Exists { .. }));
    let pin = Passphrase::new(b"1234".to_vec().into()).unwrap();
    let unlock = Unlock::none().with_pin(move || Ok(pin.clone()));
    let refused = KeyPlace::file(&path).read_signing_key(&unlock).unwrap_err();
    let (code, expected) = match cfg!(feature = "pkcs11") {
        true => (WireCode::BadConfig, "/no/such/module.so cannot be used"),
        false => (WireCode::NotBuilt, "feature pkcs11"),
    };
    assert_eq!(WireCode::from(&refused), code);
    assert!(refused.to_string().contains(expected), "{refused}");
    assert!(!fs::read_to_string(&path).unwrap().contains("1234"));
}

// FIL-34: who has no PIN is told so before a token is asked anything; and nobody is asked for one
// that could not be used.
#[test]
fn missing_pin_is_a_sealed_key() {
    let refused = place().open(&Unlock::none()).unwrap_err();
    let missing = TokenError::NoPin(PassphraseError::NotGiven);
    assert_eq!(WireCode::from(&missing), WireCode::Sealed);
    let expected = match cfg!(feature = "pkcs11") {
        true => missing,
        false => TokenError::NotBuilt,
    };
    assert_eq!(refused, expected);
}
