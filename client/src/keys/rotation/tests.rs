#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use frex_proto::keys::{SealingSecretKey, SigningKey};

use super::{settle::Step, *};
use crate::{
    environment::Random,
    keys::{
        KeyFileError,
        file::{self, KeyPlace},
    },
    passphrase::{Passphrase, Unlock},
};

const USE: KeyUse = KeyUse::Sealing;
const NOW_MS: u64 = 1_000;
const UNTIL_MS: u64 = 5_000;

fn key(seed: u8) -> SealingSecretKey {
    SealingSecretKey::from_seed(&[seed; 32])
}

/// A folder with key 1 in use.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    file::write_sealing_key(&dir.path().join("sealing.key"), &key(1)).unwrap();
    dir
}

fn open(dir: &Path, now_ms: u64) -> (KeyFolder, Vec<KeyRecord>) {
    KeyFolder::open(dir, now_ms).unwrap()
}

fn add(folder: &mut KeyFolder, seed: u8) -> Result<KeyRecord, KeyFileError> {
    let mut rng = Random::seeded([9; 32]).rng();
    let key = key(seed);
    folder.add_next(USE, (&key).into(), &Unlock::none(), &mut rng, NOW_MS)
}

/// Which key lies in which file.
fn layout(dir: &Path) -> Vec<(String, u8)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "key") {
            let seed = file::read_sealing_key(&path, &Unlock::none())
                .unwrap()
                .seed()[0];
            found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), seed));
        }
    }
    found.sort();
    found
}

fn names(folder: &KeyFolder) -> Vec<(KeyState, KeyId)> {
    let name = |record: &KeyRecord| (record.state, record.key_id);
    folder.records().iter().map(name).collect()
}

fn retired_file(seed: u8) -> String {
    USE.retiring_file(key(seed).key_id())
}

// FIL-14, FIL-15: the whole life of a key, and what is told of it at each point.
#[test]
fn a_key_is_next_then_active_then_retiring_then_destroyed() {
    let dir = folder();
    let (mut folder, destroyed) = open(dir.path(), NOW_MS);
    assert!(folder.records().is_empty() && destroyed.is_empty());
    let made = add(&mut folder, 2).unwrap();
    assert_eq!((made.state, made.key_id), (KeyState::Next, key(2).key_id()));
    let next = ("sealing.next.key".to_owned(), 2);
    assert_eq!(layout(dir.path()), [("sealing.key".to_owned(), 1), next]);

    folder
        .promote(USE, key(1).key_id(), NOW_MS, UNTIL_MS)
        .unwrap();
    let active = ("sealing.key".to_owned(), 2);
    assert_eq!(layout(dir.path()), [(retired_file(1), 1), active.clone()]);
    let (early, destroyed) = open(dir.path(), UNTIL_MS - 1);
    assert!(destroyed.is_empty());
    let retiring = early.of(USE, KeyState::Retiring).next().unwrap();
    assert_eq!(
        (retiring.until_ms, retiring.since_ms),
        (Some(UNTIL_MS), NOW_MS)
    );
    let mode = fs::metadata(dir.path().join(ROTATION_FILE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let (late, destroyed) = open(dir.path(), UNTIL_MS);
    assert_eq!(destroyed.len(), 1);
    assert_eq!(
        (destroyed[0].key_id, destroyed[0].since_ms),
        (key(1).key_id(), UNTIL_MS)
    );
    assert_eq!(layout(dir.path()), [active]);
    let states = [
        (KeyState::Active, key(2).key_id()),
        (KeyState::Retired, key(1).key_id()),
    ];
    assert_eq!(names(&late), states);
    // It is said once.
    assert!(open(dir.path(), UNTIL_MS).1.is_empty());
}

// FIL-16: whatever point the promotion was cut at, the next opening ends it.
#[test]
fn a_promotion_that_was_cut_short_is_ended() {
    for cut in 0..=2 {
        let dir = folder();
        let (mut folder, _) = open(dir.path(), NOW_MS);
        add(&mut folder, 2).unwrap();
        folder
            .record_promotion(USE, key(1).key_id(), NOW_MS, UNTIL_MS)
            .unwrap();
        for _ in 0..cut {
            let step = folder.next_step(NOW_MS).unwrap();
            assert!(matches!(step, Step::Rename(..)));
            folder.take(&step, NOW_MS).unwrap();
        }
        let (after, destroyed) = open(dir.path(), NOW_MS);
        assert!(destroyed.is_empty(), "cut {cut}");
        let files = [(retired_file(1), 1), ("sealing.key".to_owned(), 2)];
        assert_eq!(layout(dir.path()), files, "cut {cut}");
        assert_eq!(after.next_step(NOW_MS), None);
    }
}

// FIL-16: a record that was not renamed into place leaves everything as it was before the move.
#[test]
fn a_record_that_was_half_written_changes_nothing() {
    let dir = folder();
    let (mut folder, _) = open(dir.path(), NOW_MS);
    add(&mut folder, 2).unwrap();
    let draft = dir.path().join("rotation.toml.new");
    fs::write(&draft, "[[key]]\nuse = \"sea").unwrap();
    let (after, _) = open(dir.path(), NOW_MS);
    assert!(!draft.exists());
    assert_eq!(names(&after), [(KeyState::Next, key(2).key_id())]);
    assert_eq!(layout(dir.path()).len(), 2);
}

// FIL-16: a next key that was recorded and not wholly written is as if it had never been made.
#[test]
fn a_next_key_that_was_not_written_is_forgotten() {
    for draft in [None, Some("-----BEGIN FREX SEA")] {
        let dir = folder();
        let (mut folder, _) = open(dir.path(), NOW_MS);
        let made = add(&mut folder, 2).unwrap();
        let next = dir.path().join(made.file().unwrap());
        fs::remove_file(&next).unwrap();
        if let Some(text) = draft {
            fs::write(file::draft_of(&next), text).unwrap();
        }
        let (mut after, _) = open(dir.path(), NOW_MS);
        assert!(after.records().is_empty());
        assert!(!file::draft_of(&next).exists());
        add(&mut after, 3).unwrap();
    }
}

// FIL-17: the destruction is ended wherever it was cut: before it, after overwriting, after
// removing.
#[test]
fn a_destruction_that_was_cut_short_is_ended() {
    for cut in 0..=2 {
        let dir = folder();
        let (mut folder, _) = open(dir.path(), NOW_MS);
        add(&mut folder, 2).unwrap();
        folder
            .promote(USE, key(1).key_id(), NOW_MS, UNTIL_MS)
            .unwrap();
        let path = dir.path().join(retired_file(1));
        match cut {
            0 => {}
            1 => fs::write(&path, vec![0; 100]).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        let (after, destroyed) = open(dir.path(), UNTIL_MS);
        assert_eq!(destroyed.len(), 1, "cut {cut}");
        assert!(!path.exists());
        assert_eq!(after.of(USE, KeyState::Retired).count(), 1);
    }
}

// FIL-17: what is destroyed is overwritten, not only unlinked.
#[test]
fn a_destroyed_secret_is_overwritten_also_behind_a_link_and_under_a_second_name() {
    let dir = folder();
    let (mut folder, _) = open(dir.path(), NOW_MS);
    add(&mut folder, 2).unwrap();
    let (elsewhere, active) = (dir.path().join("elsewhere"), dir.path().join("sealing.key"));
    fs::rename(&active, &elsewhere).unwrap();
    fs::hard_link(&elsewhere, dir.path().join("second")).unwrap();
    symlink("elsewhere", &active).unwrap();
    folder
        .promote(USE, key(1).key_id(), NOW_MS, UNTIL_MS)
        .unwrap();
    let destroyed = folder.destroy(key(1).key_id(), NOW_MS).unwrap();
    assert_eq!(destroyed.len(), 1);
    assert!(!elsewhere.exists() && !dir.path().join(retired_file(1)).exists());
    let second = fs::read(dir.path().join("second")).unwrap();
    assert!(!second.is_empty() && second.iter().all(|byte| *byte == 0));
}

// FIL-21, FIL-16: a next key that somebody else may hold leaves its place to another and still opens
// what was sealed to it, wherever that is cut short.
#[test]
fn a_next_key_that_is_set_aside_is_kept_until_it_is_destroyed() {
    for cut in [false, true] {
        let dir = folder();
        let (mut folder, _) = open(dir.path(), NOW_MS);
        folder.set_aside_next(USE, NOW_MS, UNTIL_MS).unwrap();
        assert!(folder.records().is_empty());
        add(&mut folder, 2).unwrap();
        let next = dir.path().join(USE.next_file());
        let text = fs::read(&next).unwrap();
        folder.set_aside_next(USE, NOW_MS, UNTIL_MS).unwrap();
        if cut {
            // The copy was kept and recorded, and the other not yet gone.
            let retiring = folder.records()[0].clone();
            folder.records.insert(
                0,
                KeyRecord {
                    state: KeyState::Next,
                    until_ms: None,
                    ..retiring
                },
            );
            folder.write().unwrap();
            file::replace(&next, &text).unwrap();
            (folder, _) = open(dir.path(), NOW_MS);
        }
        assert_eq!(names(&folder), [(KeyState::Retiring, key(2).key_id())]);
        add(&mut folder, 3).unwrap();
        let files = [
            (retired_file(2), 2),
            ("sealing.key".to_owned(), 1),
            ("sealing.next.key".to_owned(), 3),
        ];
        assert_eq!(layout(dir.path()), files, "cut {cut}");
        folder
            .promote(USE, key(1).key_id(), NOW_MS, NOW_MS)
            .unwrap();
        folder.destroy(key(2).key_id(), NOW_MS).unwrap();
        assert_eq!(layout(dir.path()), [("sealing.key".to_owned(), 3)]);
    }
}

// FIL-15: one next key at a time, and none without the passphrase that the others are under.
#[test]
fn a_next_key_is_refused_where_there_is_one_or_no_passphrase() {
    let dir = folder();
    let (mut folder, _) = open(dir.path(), NOW_MS);
    let nothing = folder.promote(USE, key(1).key_id(), NOW_MS, UNTIL_MS);
    assert!(matches!(nothing, Err(KeyFileError::Missing { .. })));
    add(&mut folder, 2).unwrap();
    assert!(matches!(
        add(&mut folder, 3),
        Err(KeyFileError::Exists { .. })
    ));
    assert_eq!(layout(dir.path())[1], ("sealing.next.key".to_owned(), 2));

    let encrypted = tempfile::tempdir().unwrap();
    fs::set_permissions(encrypted.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (text, mut rng) = (&mut "open".as_bytes(), Random::seeded([8; 32]).rng());
    let passphrase = Passphrase::read(text).unwrap();
    let (path, first) = (encrypted.path().join("sealing.key"), key(1));
    file::write_key(&path, (&first).into(), Some(&passphrase), &mut rng).unwrap();
    let (mut folder, _) = open(encrypted.path(), NOW_MS);
    assert!(matches!(
        add(&mut folder, 2),
        Err(KeyFileError::Sealed { .. })
    ));
    assert!(folder.records().is_empty());
    let (second, unlock) = (key(2), Unlock::with(passphrase));
    folder
        .add_next(USE, (&second).into(), &unlock, &mut rng, NOW_MS)
        .unwrap();
    let next = KeyPlace::file(&encrypted.path().join("sealing.next.key"));
    assert!(next.read().unwrap().is_encrypted());
    assert_eq!(
        next.read_sealing_key(&unlock).unwrap().key_id(),
        second.key_id()
    );
}

// FIL-15, FIL-16, FIL-36: a first witness key follows none, is encrypted as the keys beside it are,
// and comes into use also where that was cut short; the one after it leaves nothing behind.
#[test]
fn a_first_witness_key_follows_none_and_the_next_one_follows_it_at_once() {
    let usage = KeyUse::Witness;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut rng = Random::seeded([8; 32]).rng();
    let passphrase = Passphrase::read(&mut "open".as_bytes()).unwrap();
    let keys = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]));
    let log = dir.path().join("log.key");
    file::write_key(&log, (&keys[0]).into(), Some(&passphrase), &mut rng).unwrap();
    let (mut folder, _) = open(dir.path(), NOW_MS);
    let sealed = folder.add_next(usage, (&keys[1]).into(), &Unlock::none(), &mut rng, NOW_MS);
    assert!(matches!(sealed, Err(KeyFileError::Sealed { .. })));
    let unlock = Unlock::with(passphrase);
    folder
        .add_next(usage, (&keys[1]).into(), &unlock, &mut rng, NOW_MS)
        .unwrap();
    folder
        .record_promotion(usage, None, NOW_MS, NOW_MS)
        .unwrap();
    let (mut folder, destroyed) = open(dir.path(), NOW_MS);
    assert!(destroyed.is_empty());
    assert_eq!(names(&folder), [(KeyState::Active, keys[1].key_id())]);
    let active = KeyPlace::file(&dir.path().join("witness.key"));
    assert!(active.read().unwrap().is_encrypted());

    folder
        .add_next(usage, (&keys[2]).into(), &unlock, &mut rng, NOW_MS)
        .unwrap();
    // A key in use is not overwritten for not being named.
    let unnamed = folder.promote(usage, None, NOW_MS, NOW_MS);
    assert!(matches!(unnamed, Err(KeyFileError::Exists { .. })));
    folder
        .promote(usage, keys[1].key_id(), NOW_MS, NOW_MS)
        .unwrap();
    let states = [
        (KeyState::Active, keys[2].key_id()),
        (KeyState::Retired, keys[1].key_id()),
    ];
    assert_eq!(names(&folder), states);
    let in_use = active.read_signing_key(&unlock).unwrap().key_id();
    assert_eq!(in_use, keys[2].key_id());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(
        left.len(),
        3,
        "log.key, witness.key, rotation.toml: {left:?}"
    );
}

// FIL-14: a record that is damaged or open to others is not guessed at.
#[test]
fn a_record_that_cannot_be_trusted_is_refused() {
    let dir = folder();
    let path = dir.path().join(ROTATION_FILE);
    for text in [
        "[[key]]\nuse = \"sealing\"\n",
        "keys = 1\n",
        "[[key]]\nuse = \"x\"\n",
    ] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = KeyFolder::open(dir.path(), NOW_MS).unwrap_err();
        assert!(matches!(error, KeyFileError::Record { .. }), "{text}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = KeyFolder::open(dir.path(), NOW_MS).unwrap_err();
    assert!(matches!(error, KeyFileError::LooseMode { .. }));
}

// FIL-15, FIL-31: a next key that was made in a token is taken as it lies there; a secret that
// nobody recorded is not.
#[test]
fn a_next_key_in_a_token_is_adopted() {
    let dir = folder();
    let (mut folder, _) = open(dir.path(), NOW_MS);
    let usage = KeyUse::Identity;
    assert_eq!(folder.adopt_next(usage, NOW_MS).unwrap(), None);
    let next = SigningKey::from_seed(&[4; 32]).verifying_key();
    let text = format!(
        "public_key = \"{}\"\nmodule = \"/lib/token.so\"\ntoken = \"t\"\nid = \"07\"\n",
        hex::encode(next.as_bytes())
    );
    let path = dir.path().join(usage.next_file());
    file::write_new(&path, text.as_bytes()).unwrap();
    let adopted = folder.adopt_next(usage, NOW_MS).unwrap().unwrap();
    assert_eq!(
        (adopted.state, adopted.key_id),
        (KeyState::Next, next.key_id())
    );
    let (again, _) = open(dir.path(), NOW_MS);
    assert_eq!(again.next(usage), Some(&adopted));

    let stray = dir.path().join(KeyUse::Sealing.next_file());
    file::write_sealing_key(&stray, &key(5)).unwrap();
    let refused = folder.adopt_next(KeyUse::Sealing, NOW_MS).unwrap_err();
    assert!(matches!(refused, KeyFileError::Exists { .. }));
}
