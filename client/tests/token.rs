//! Keys in a real token, in this process. Needs `SoftHSM2` and a folder for its tokens that
//! `SOFTHSM2_CONF` names: see the step `pkcs11` of `.ci/run`.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::{path::PathBuf, process::Command, thread};

use frex_client::{
    environment::Random,
    keys::token::{NewKey, TokenAddress, TokenError},
    passphrase::{Passphrase, Unlock},
};

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

fn pin(text: &str) -> Unlock {
    let pin = Passphrase::new(text.as_bytes().to_vec().into()).unwrap();
    Unlock::none().with_pin(move || Ok(pin.clone()))
}

/// A new token with PIN 4321.
fn token(label: &str) -> TokenAddress {
    assert!(
        std::env::var_os("SOFTHSM2_CONF").is_some(),
        "set SOFTHSM2_CONF to a file that names a folder for throw-away tokens"
    );
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", label])
        .args(["--so-pin", "12345678", "--pin", "4321"])
        .status()
        .unwrap();
    assert!(made.success());
    let module = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    TokenAddress {
        module: module.expect("SoftHSM2 is installed"),
        label: label.to_owned(),
        serial: None,
    }
}

fn make(token: &TokenAddress, label: &str) -> NewKey {
    let mut rng = Random::System.rng();
    token.make_key(label, &pin("4321"), &mut rng).unwrap()
}

// One test: the library reads its folder when it begins, and its tokens are the process's.
#[test]
fn token_signs_and_keeps_its_keys_and_its_tries() {
    let (good, other) = (token("good"), token("other"));
    let [twin, _] = [token("twin"), token("twin")];

    // KEY-3: the public half is read from the token, and what it signs verifies.
    let (first, second) = (make(&good, "first"), make(&good, "second"));
    let (key, other_key) = (first.key(), second.key());
    assert_ne!(key.key_id(), other_key.key_id());
    assert!(key.seed().is_none());
    thread::scope(|scope| {
        for number in 0..4_u8 {
            scope.spawn(move || {
                for length in [0, 1, 200, 20_000] {
                    let message = vec![number; length];
                    let signature = key.sign(&message).unwrap();
                    assert!(key.verifying_key().verify(&message, &signature).is_ok());
                    assert!(other_key.sign(&message).is_ok());
                }
            });
        }
    });

    // FIL-33: a place that names what is not there.
    let missing = TokenAddress {
        label: "none".to_owned(),
        ..good.clone()
    };
    let refused = missing.take_key(&[1], &pin("4321")).unwrap_err();
    assert_eq!(refused, TokenError::Absent("none".to_owned()));
    let refused = good.take_key(&[1], &pin("4321")).unwrap_err();
    assert_eq!(refused, TokenError::NoKey("01".to_owned()));
    let refused = twin.take_key(&[1], &pin("4321")).unwrap_err();
    assert_eq!(refused, TokenError::Ambiguous("twin".to_owned()));

    // FIL-34: a wrong PIN is not tried again by this process, nor is another one after it.
    let mut rng = Random::System.rng();
    for text in ["1234", "1234", "4321"] {
        let refused = other.make_key("never", &pin(text), &mut rng).unwrap_err();
        assert_eq!(refused, TokenError::WrongPin, "{text}");
    }
    // The tokens keep their tries apart.
    assert!(key.sign(b"message").is_ok());
}
