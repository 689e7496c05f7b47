//! Key files: what they hold, who may read them, where they come from.

use frex_proto::error::WireCode;

use super::*;

// FIL-1: written keys read back, as text that begins as other tools expect.
#[test]
fn keys_read_back_as_written() {
    let dir = private_dir();
    let (signing, sealing) = (dir.path().join("a.key"), dir.path().join("b.key"));
    write_signing_key(&signing, &SigningKey::from_seed(&[1; 32])).unwrap();
    write_sealing_key(&sealing, &SealingSecretKey::from_seed(&[2; 32])).unwrap();
    assert_eq!(
        *read_signing_key(&signing, &Unlock::none())
            .unwrap()
            .seed()
            .unwrap(),
        [1; 32]
    );
    assert_eq!(
        *read_sealing_key(&sealing, &Unlock::none()).unwrap().seed(),
        [2; 32]
    );
    let text = fs::read_to_string(&signing).unwrap();
    // The 48-byte version 1 document, which OpenSSL 3 writes and reads.
    assert_eq!(
        text,
        "-----BEGIN PRIVATE KEY-----\n\
         MC4CAQAwBQYDK2VwBCIEIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n\
         -----END PRIVATE KEY-----\n"
    );
    assert!(
        fs::read_to_string(&sealing)
            .unwrap()
            .contains("FREX SEALING KEY")
    );
}

// FIL-2, KEY-12: a key that others can read is refused, and the refusal names the path.
#[test]
fn loose_file_and_loose_folder_are_refused_by_name() {
    let dir = private_dir();
    let path = dir.path().join("a.key");
    write_signing_key(&path, &SigningKey::from_seed(&[1; 32])).unwrap();
    set_mode(&path, 0o640);
    let error = read_signing_key(&path, &Unlock::none()).unwrap_err();
    assert!(
        matches!(&error, KeyFileError::LooseMode { path: named, mode: 0o640 } if *named == path)
    );
    assert_eq!(WireCode::from(error), WireCode::LooseMode);
    set_mode(&path, 0o600);
    set_mode(dir.path(), 0o750);
    let error = read_signing_key(&path, &Unlock::none()).unwrap_err();
    assert!(matches!(&error, KeyFileError::LooseMode { path, .. } if path == dir.path()));
    assert!(
        write_signing_key(&dir.path().join("b.key"), &SigningKey::from_seed(&[1; 32])).is_err()
    );
    set_mode(dir.path(), 0o700);
    read_signing_key(&path, &Unlock::none()).unwrap();
}

// FIL-3: no key is ever overwritten.
#[test]
fn existing_key_is_kept() {
    let dir = private_dir();
    let path = dir.path().join("a.key");
    write_signing_key(&path, &SigningKey::from_seed(&[1; 32])).unwrap();
    let error = write_signing_key(&path, &SigningKey::from_seed(&[2; 32])).unwrap_err();
    assert!(matches!(error, KeyFileError::Exists { .. }));
    assert_eq!(
        *read_signing_key(&path, &Unlock::none())
            .unwrap()
            .seed()
            .unwrap(),
        [1; 32]
    );
}

// FIL-4: what is not the key that is due is refused without a panic.
#[test]
fn files_of_other_kinds_are_refused() {
    let dir = private_dir();
    let path = dir.path().join("a.key");
    let missing = read_signing_key(&path, &Unlock::none()).unwrap_err();
    assert_eq!(WireCode::from(missing), WireCode::NotInitialised);
    write_sealing_key(&path, &SealingSecretKey::from_seed(&[2; 32])).unwrap();
    assert!(matches!(
        read_signing_key(&path, &Unlock::none()).unwrap_err(),
        KeyFileError::Malformed { .. }
    ));
    let good = fs::read(&path).unwrap();
    for length in 0..good.len() - 1 {
        fs::write(&path, &good[..length]).unwrap();
        assert!(read_sealing_key(&path, &Unlock::none()).is_err());
    }
    fs::write(&path, vec![b'-'; 5000]).unwrap();
    assert!(read_sealing_key(&path, &Unlock::none()).is_err());
}

// FIL-13: a credential may show the group what the service manager's list grants; no more.
#[test]
fn a_key_comes_from_the_credentials_when_it_is_due_from_there() {
    let (home, credentials) = (private_dir(), private_dir());
    let path = credentials.path().join("frex-member-tls.key");
    write_signing_key(&path, &SigningKey::from_seed(&[3; 32])).unwrap();
    let folder = Some(credentials.path().to_owned());
    let unlock = Unlock::none().with_credentials(folder);
    let read = |unlock: &Unlock| {
        KeyPlace::find(home.path(), "tls.key", Some("frex-member-"), unlock)
            .and_then(|place| place.read_signing_key(unlock))
    };
    for (mode, dir_mode) in [(0o600, 0o700), (0o400, 0o500), (0o440, 0o550)] {
        set_mode(&path, mode);
        set_mode(credentials.path(), dir_mode);
        assert_eq!(*read(&unlock).unwrap().seed().unwrap(), [3; 32]);
    }
    for (mode, dir_mode) in [
        (0o444, 0o550),
        (0o460, 0o550),
        (0o440, 0o551),
        (0o440, 0o570),
    ] {
        set_mode(&path, mode);
        set_mode(credentials.path(), dir_mode);
        let error = read(&unlock).unwrap_err();
        assert!(matches!(error, KeyFileError::LooseMode { .. }), "{mode:o}");
    }
    set_mode(credentials.path(), 0o700);
    let error = read(&Unlock::none()).unwrap_err();
    assert!(error.to_string().contains("frex-member-tls.key"), "{error}");
    assert_eq!(WireCode::from(error), WireCode::BadConfig);
    std::fs::remove_file(&path).unwrap();
    let error = read(&unlock).unwrap_err();
    assert!(matches!(error, KeyFileError::Missing { path: named } if named == path));
}

fn private_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    set_mode(dir.path(), 0o700);
    dir
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

// FIL-22: who comes second looks at the file only when the first has replaced it.
#[test]
fn a_file_is_held_by_one_program_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roster.frex");
    let adders: Vec<_> = (0..8_u8)
        .map(|number| {
            let path = path.clone();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let _hold = hold(&path).unwrap();
                    let mut kept = fs::read(&path).unwrap_or_default();
                    kept.push(number);
                    replace(&path, &kept).unwrap();
                }
            })
        })
        .collect();
    adders.into_iter().for_each(|adder| adder.join().unwrap());
    assert_eq!(fs::read(&path).unwrap().len(), 160);
}
