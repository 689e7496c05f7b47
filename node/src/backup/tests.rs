//! Backups that are spoiled, cut short, or made to reach where they must not.

#![allow(clippy::unwrap_used)]

use std::fs;

use frex_client::keys::file;
use tempfile::TempDir;

use super::{
    check::{check, manifest},
    restore::restore,
    take::{Taken, WithKeys, take},
    *,
};

const NODE: &str = "node.fr";
const SETTINGS: &str = "node = \"node.fr\"\n";

/// A node that has not run, with a key that lies open, and where its backups go.
struct Scene {
    dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for folder in [
            "node",
            "node/keys",
            "node/journal",
            "node/index",
            "node/log",
        ] {
            file::create_private_dir(&scene.path(folder)).unwrap();
        }
        for (path, text) in [
            ("frex.toml", SETTINGS),
            ("suspended.toml", ""),
            ("index/derived", "x"),
            ("lock", ""),
            ("roster.frex.lock", ""),
            ("suspended.toml.new", "half"),
            ("keys/tls.key", OPEN_KEY),
        ] {
            file::write_new(&scene.path("node").join(path), text.as_bytes()).unwrap();
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn take(&self, keys: WithKeys) -> Result<Taken, BackupError> {
        let wanted = take::Wanted {
            home: &self.path("node"),
            folder: &self.path("backup"),
            federation: "example",
            node: NODE,
            keys,
            now_ms: 7,
        };
        take(&wanted, &mut |_, _| {})
    }

    fn restore(&self, sha256: Option<[u8; 32]>) -> Result<(), BackupError> {
        let wanted = restore::Wanted {
            folder: &self.path("backup"),
            home: &self.path("restored"),
            sha256,
            nothing_was_lost: false,
        };
        restore(&wanted, &mut |_, _| {}).map(drop)
    }

    fn check(&self) -> Result<Manifest, BackupError> {
        check(&self.path("backup"), &mut |_, _| {}).map(|checked| checked.manifest)
    }

    /// Rewrites the manifest.
    fn spoil(&self, change: impl FnOnce(&mut Manifest)) {
        let path = self.path("backup").join(MANIFEST_FILE);
        let mut manifest = manifest(&self.path("backup")).unwrap().0;
        change(&mut manifest);
        fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    }
}

/// An Ed25519 key of zeros, as PKCS#8.
const OPEN_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n";

// BAK-3, BAK-4: what belongs to a node is in its backup, and keys are only if somebody says so.
#[test]
fn a_backup_holds_what_a_node_is_made_of_and_keys_only_if_told() {
    let scene = Scene::new();
    let taken = scene.take(WithKeys::No).unwrap();
    let paths: Vec<&str> = taken.manifest.files.keys().map(String::as_str).collect();
    assert_eq!(paths, ["frex.toml", "suspended.toml"]);
    assert_eq!((taken.copied, taken.removed), (2, 0));
    let refused = scene.take(WithKeys::Encrypted).unwrap_err();
    assert_eq!(WireCode::from(refused), WireCode::KeysPlain);
    let taken = scene.take(WithKeys::Plain).unwrap();
    assert_eq!(taken.manifest.keys, KeysKept::Plain);
    assert!(taken.manifest.files.contains_key("keys/tls.key"));
    assert_eq!(
        last(&disk::RealDisk, &scene.path("node")).unwrap().made_ms,
        7
    );
}

// BAK-5, BAK-6: only what is new is copied, and what went from the node goes from its backup.
#[test]
fn the_next_backup_copies_what_is_new_and_forgets_what_is_gone() {
    let scene = Scene::new();
    let _ = scene.take(WithKeys::Plain).unwrap();
    let again = scene.take(WithKeys::Plain).unwrap();
    assert_eq!((again.copied, again.removed), (0, 0));
    fs::write(scene.path("node/suspended.toml"), "[police]").unwrap();
    let changed = scene.take(WithKeys::No).unwrap();
    assert_eq!((changed.copied, changed.removed), (1, 2));
    let left = fs::read_dir(scene.path("backup/files")).unwrap().count();
    assert_eq!(left, changed.manifest.files.len());
    scene.check().unwrap();
}

// BAK-5: one that was cut short leaves the one before as it was; a first one is none.
#[test]
fn a_backup_that_is_cut_short_is_none() {
    let scene = Scene::new();
    file::create_private_dir(&scene.path("backup/files")).unwrap();
    fs::write(scene.path("backup/files/new-00"), "half").unwrap();
    assert!(matches!(scene.check(), Err(BackupError::Incomplete { .. })));
    assert!(matches!(
        scene.restore(None),
        Err(BackupError::Incomplete { .. })
    ));
    let taken = scene.take(WithKeys::No).unwrap();
    assert_eq!(taken.removed, 1);
    // Files of a next one that has no manifest yet.
    fs::write(scene.path("backup/files/new-01"), "half").unwrap();
    fs::write(scene.path("backup/backup.json.new"), "{").unwrap();
    assert_eq!(scene.check().unwrap(), taken.manifest);
    let _ = scene.take(WithKeys::No).unwrap();
}

// BAK-1: a backup is kept in a folder of its own, and of one node.
#[test]
fn a_backup_is_not_made_over_anything_else() {
    let scene = Scene::new();
    fs::create_dir(scene.path("backup")).unwrap();
    fs::set_permissions(
        scene.path("backup"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    fs::write(scene.path("backup/notes"), "mine").unwrap();
    let refused = scene.take(WithKeys::No).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    fs::remove_file(scene.path("backup/notes")).unwrap();
    let _ = scene.take(WithKeys::No).unwrap();
    scene.spoil(|manifest| "node.es".clone_into(&mut manifest.node));
    let refused = scene.take(WithKeys::No).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }), "{refused}");
    let inside = take::Wanted {
        home: &scene.path("node"),
        folder: &scene.path("node/backup"),
        federation: "example",
        node: NODE,
        keys: WithKeys::No,
        now_ms: 7,
    };
    let refused = take(&inside, &mut |_, _| {}).unwrap_err();
    assert!(matches!(refused, BackupError::Inside { .. }), "{refused}");
}

// BAK-7: every byte of a backup is under a hash, and every one that is not what it was is found.
#[test]
fn what_was_changed_in_a_backup_is_found() {
    let scene = Scene::new();
    let _ = scene.take(WithKeys::No).unwrap();
    let kept = scene.check().unwrap().files["frex.toml"].clone();
    let path = scene.path("backup/files").join(&kept.sha256);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        fs::write(&path, bytes).unwrap();
        let found = scene.check().unwrap_err();
        assert!(matches!(found, BackupError::File(name) if name == "frex.toml"));
    }
    fs::write(&path, &whole[1..]).unwrap();
    assert!(scene.check().is_err());
    fs::remove_file(&path).unwrap();
    let missing = scene.check().unwrap_err();
    assert_eq!(WireCode::from(missing), WireCode::BackupDamaged);
    fs::write(&path, &whole).unwrap();
    scene.spoil(|manifest| manifest.log_size = 1);
    assert!(matches!(scene.check(), Err(BackupError::Log)));
}

// BAK-8, LIM-101: no backup reaches out of the directory that is made of it.
#[test]
fn a_path_that_leads_out_is_refused() {
    let scene = Scene::new();
    let _ = scene.take(WithKeys::No).unwrap();
    let outside = [
        "../frex.toml",
        "/etc/passwd",
        "a/../../b",
        "",
        "a//b",
        ".ssh/keys",
        "a/.b",
        "lock",
        "index/x",
        "restored",
        "log.next",
        "log.asked",
        "a/b/c/d/e/f/g",
        "a\\b",
        "a b",
        "a\0b",
    ];
    for path in outside {
        let before = manifest(&scene.path("backup")).unwrap().0;
        scene.spoil(|manifest| {
            let kept = manifest.files["frex.toml"].clone();
            manifest.files.insert(path.to_owned(), kept);
        });
        let refused = scene.restore(None).unwrap_err();
        assert!(
            matches!(refused, BackupError::Manifest(_)),
            "{path}: {refused}"
        );
        assert!(!scene.path("restored").exists());
        let text = serde_json::to_vec(&before).unwrap();
        fs::write(scene.path("backup").join(MANIFEST_FILE), text).unwrap();
    }
    let kept = |sha256: &str| Kept {
        bytes: 1,
        sha256: sha256.to_owned(),
    };
    for name in ["", "../../x", &"A".repeat(64), &"0".repeat(63)] {
        scene.spoil(|manifest| drop(manifest.files.insert("x".to_owned(), kept(name))));
        assert!(
            matches!(scene.check(), Err(BackupError::Manifest(_))),
            "{name}"
        );
        let text = fs::read(scene.path("backup").join(MANIFEST_FILE)).unwrap();
        assert!(!text.is_empty());
        let _ = scene.take(WithKeys::No).unwrap();
    }
    let file = fs::File::create(scene.path("backup").join(MANIFEST_FILE)).unwrap();
    file.set_len(MANIFEST_BYTES_MAX + 1).unwrap();
    assert!(matches!(scene.check(), Err(BackupError::Manifest(_))));
}

// BAK-9, BAK-10: to an empty place only; one that was cut short is no node, and the same command makes it.
#[test]
fn a_node_is_restored_to_an_empty_place_and_settings_come_last() {
    let scene = Scene::new();
    // That it was restored before, and not everybody has been asked since.
    fs::write(scene.path("node/log.base"), "head").unwrap();
    fs::write(scene.path("node/log.asked"), "head").unwrap();
    let _ = scene.take(WithKeys::Plain).unwrap();
    let sha256 = manifest(&scene.path("backup")).unwrap().1;
    let other = scene.restore(Some([0; 32])).unwrap_err();
    assert!(matches!(other, BackupError::OtherManifest));
    let home = scene.path("restored");
    file::create_private_dir(&home).unwrap();
    fs::write(home.join("notes"), "mine").unwrap();
    let refused = scene.restore(Some(sha256)).unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { .. }));
    assert_eq!(fs::read(home.join("notes")).unwrap(), b"mine");
    fs::remove_file(home.join("notes")).unwrap();
    // What a restore that was cut short leaves: a mark, and files of another backup.
    mark(&disk::RealDisk, &home).unwrap();
    file::create_private_dir(&home.join("keys")).unwrap();
    fs::write(home.join("keys/stale.key"), "half").unwrap();
    assert!(!home.join("frex.toml").exists());
    scene.restore(Some(sha256)).unwrap();
    assert_eq!(
        fs::read_to_string(home.join("frex.toml")).unwrap(),
        SETTINGS
    );
    assert!(!home.join("keys/stale.key").exists() && home.join("keys/tls.key").exists());
    assert!(is_restored(&disk::RealDisk, &home).unwrap());
    assert_eq!(fs::read(home.join("log.base")).unwrap(), b"head");
    assert!(!home.join("log.asked").exists());
    let again = scene.restore(Some(sha256)).unwrap_err();
    assert!(matches!(again, BackupError::NotEmpty { .. }));
}
