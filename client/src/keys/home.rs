//! A member's directory: made once, opened often.

use std::{fs, path::Path, sync::Arc};

use frex_proto::{
    id::check_name,
    keys::{SealingSecretKey, SigningKey},
    label::sha256,
    limits,
    roster::{Roster, RosterRef, TrustAnchor},
    v1,
};
use prost::Message;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    HomeError, KEYS_DIR, KeyFileError, MEMBER_FILE, MemberHome, MemberKeys, MemberPublicKeys,
    MemberSettings, NewMemberKeys, RECEIPTS_DIR, SealingKeys, file,
    file::KeyPlace,
    rotation::{KeyFolder, KeyRecord, KeyState, KeyUse, log_destroyed},
    text::PublicKey,
};
use crate::passphrase::{Passphrase, Unlock};

const SETTINGS_BYTES_MAX: u64 = 64 * 1024;
const IDENTITY_FILE: &str = "identity.key";
const SEALING_FILE: &str = "sealing.key";
const TLS_FILE: &str = "tls.key";
/// What the name of a credential begins with; the name of the file follows.
const CREDENTIAL: &str = "frex-member-";

impl MemberHome {
    /// Makes a member: new keys, folders and settings. The settings come last, so a directory
    /// that has them is complete. With a passphrase the keys are written encrypted.
    ///
    /// # Errors
    /// [`HomeError`]; nothing that exists is overwritten.
    pub fn create(
        dir: &Path,
        settings: MemberSettings,
        passphrase: Option<&Passphrase>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, MemberKeys), HomeError> {
        let keys = NewMemberKeys {
            identity: SigningKey::generate(rng).into(),
            sealing: SealingSecretKey::generate(rng),
            tls: SigningKey::generate(rng).into(),
        };
        Self::create_with(dir, settings, keys, passphrase, rng)
    }

    /// As [`create`](Self::create), with keys that were made before.
    ///
    /// # Errors
    /// [`HomeError`]; nothing that exists is overwritten.
    pub fn create_with(
        dir: &Path,
        settings: MemberSettings,
        keys: NewMemberKeys,
        passphrase: Option<&Passphrase>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, MemberKeys), HomeError> {
        let path = dir.join(MEMBER_FILE);
        check_settings(&path, &settings)?;
        if path.exists() {
            return Err(KeyFileError::Exists { path }.into());
        }
        let home = Self {
            dir: dir.to_owned(),
            settings,
            unlock: Arc::new(
                passphrase.map_or_else(Unlock::none, |passphrase| Unlock::with(passphrase.clone())),
            ),
        };
        fs::create_dir_all(dir).map_err(|source| file::io(dir, source))?;
        let keys_dir = dir.join(KEYS_DIR);
        file::create_private_dir(&keys_dir)?;
        file::create_private_dir(&dir.join(RECEIPTS_DIR))?;
        for (name, key) in [(IDENTITY_FILE, &keys.identity), (TLS_FILE, &keys.tls)] {
            key.write(&keys_dir.join(name), passphrase, rng)?;
        }
        let sealing = keys_dir.join(SEALING_FILE);
        file::write_key(&sealing, (&keys.sealing).into(), passphrase, rng)?;
        let text = toml::to_string(&home.settings).map_err(|error| bad(&path, &error))?;
        file::write_new(&path, text.as_bytes())?;
        let keys = MemberKeys::of(keys.identity.into_key(), keys.sealing, keys.tls.into_key());
        Ok((home, keys))
    }

    /// Opens a member's directory. Keys are read by [`keys`](Self::keys).
    ///
    /// # Errors
    /// [`HomeError::NotInitialised`], [`HomeError::BadSettings`], [`HomeError::File`].
    pub fn open(dir: &Path) -> Result<Self, HomeError> {
        let path = dir.join(MEMBER_FILE);
        let bytes = match file::read_capped(&path, SETTINGS_BYTES_MAX, "settings file") {
            Err(KeyFileError::Missing { .. }) => {
                return Err(HomeError::NotInitialised {
                    dir: dir.to_owned(),
                });
            }
            other => other?,
        };
        let settings = toml::from_slice(&bytes).map_err(|error| bad(&path, &error))?;
        check_settings(&path, &settings)?;
        Ok(Self {
            dir: dir.to_owned(),
            settings,
            unlock: Arc::new(Unlock::none()),
        })
    }

    /// Reads the secret keys. What a crash cut short in their folder is ended before, and a key
    /// whose time is over at `now_ms` is destroyed. Spec: FIL-16, FIL-17.
    ///
    /// # Errors
    /// [`KeyFileError`]; keys that others could read are refused, and encrypted ones that
    /// [`unlocked_by`](Self::unlocked_by) was given no passphrase for.
    pub fn keys(&self, now_ms: u64) -> Result<MemberKeys, KeyFileError> {
        let (folder, destroyed) = self.settled(now_ms)?;
        let read = |name| self.place(name)?.read_signing_key(&self.unlock);
        Ok(MemberKeys {
            identity: read(IDENTITY_FILE)?,
            sealing: self.read_sealing_keys(folder.as_ref())?,
            tls: read(TLS_FILE)?,
            destroyed,
        })
    }

    /// Reads the keys that open what is sealed to the member, as [`keys`](Self::keys) does.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn sealing_keys(&self, now_ms: u64) -> Result<SealingKeys, KeyFileError> {
        let (folder, destroyed) = self.settled(now_ms)?;
        log_destroyed(&destroyed);
        self.read_sealing_keys(folder.as_ref())
    }

    /// The folder of keys, to let one follow another.
    ///
    /// # Errors
    /// [`KeyFileError::FromCredentials`] if the service manager holds the keys.
    pub fn key_folder(&self, now_ms: u64) -> Result<(KeyFolder, Vec<KeyRecord>), KeyFileError> {
        match self.settled(now_ms)? {
            (Some(folder), destroyed) => Ok((folder, destroyed)),
            (None, _) => Err(KeyFileError::FromCredentials {
                dir: self.keys_dir(),
            }),
        }
    }

    /// The folder of keys, if the keys are ours to keep.
    fn settled(&self, now_ms: u64) -> Result<(Option<KeyFolder>, Vec<KeyRecord>), KeyFileError> {
        if self.settings.keys_from_credentials {
            return Ok((None, Vec::new()));
        }
        let (folder, destroyed) = KeyFolder::open(&self.keys_dir(), now_ms)?;
        Ok((Some(folder), destroyed))
    }

    fn read_sealing_keys(&self, folder: Option<&KeyFolder>) -> Result<SealingKeys, KeyFileError> {
        let mut sealing = SealingKeys {
            keys: vec![self.place(SEALING_FILE)?.read_sealing_key(&self.unlock)?],
            until_ms: None,
        };
        let Some(folder) = folder else {
            return Ok(sealing);
        };
        // Others may seal to the next key before it is in use here.
        for state in [KeyState::Next, KeyState::Retiring] {
            for record in folder.of(KeyUse::Sealing, state) {
                let path = record.file().map(|file| folder.dir().join(file));
                let Some(path) = path else { continue };
                sealing
                    .keys
                    .push(file::read_sealing_key(&path, &self.unlock)?);
                let ends = [sealing.until_ms, record.until_ms];
                sealing.until_ms = ends.into_iter().flatten().min();
            }
        }
        Ok(sealing)
    }

    fn place(&self, name: &str) -> Result<KeyPlace, KeyFileError> {
        let credentials = self.settings.keys_from_credentials.then_some(CREDENTIAL);
        KeyPlace::find(&self.keys_dir(), name, credentials, &self.unlock)
    }

    /// Reads the public halves, for which no passphrase is needed.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn public_keys(&self) -> Result<MemberPublicKeys, KeyFileError> {
        let public = |name| -> Result<Option<PublicKey>, KeyFileError> {
            Ok(self.place(name)?.read()?.public().cloned())
        };
        Ok(MemberPublicKeys {
            identity: match public(IDENTITY_FILE)? {
                Some(PublicKey::Signing(key)) => Some(key),
                _ => None,
            },
            sealing: match public(SEALING_FILE)? {
                Some(PublicKey::Sealing(key)) => Some(key),
                _ => None,
            },
        })
    }

    /// Pins the signed root that the caller has from a hand it trusts.
    ///
    /// # Errors
    /// [`HomeError::Roster`] if it does not verify; [`HomeError::File`], also if a root is
    /// pinned already: trust is not replaced in passing.
    pub fn install_root(&self, signed_root: &[u8]) -> Result<TrustAnchor, HomeError> {
        let path = self.root_path();
        let anchor = anchor(&path, signed_root)?;
        file::write_new(&path, signed_root)?;
        Ok(anchor)
    }

    /// The pinned root.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn anchor(&self) -> Result<TrustAnchor, HomeError> {
        let path = self.root_path();
        let bytes = file::read_capped(&path, limits::ROOT_BYTES_MAX as u64, "signed root")?;
        anchor(&path, &bytes)
    }

    /// Puts a roster file in force if it verifies and may follow the one in force.
    ///
    /// # Errors
    /// [`HomeError`]; the roster in force stays.
    pub fn install_roster(&self, bundle: &[u8], now_ms: u64) -> Result<Roster, HomeError> {
        let path = self.roster_path();
        let refused = |source| HomeError::Roster {
            path: path.clone(),
            source,
        };
        let anchor = self.anchor()?;
        let roster = Roster::judge(bundle, &anchor, now_ms).map_err(refused)?;
        let held = file::hold(&path).map_err(|source| KeyFileError::Io {
            path: path.clone(),
            source,
        });
        let _hold = held?;
        if let Some(held) = self.held_roster()? {
            roster.is_newer_than(held).map_err(refused)?;
            // What does not verify any more has only its version to hold another back with.
            let held = read_bundle(&path)?;
            if let Ok(held) = Roster::judge_held(&held, &anchor, now_ms) {
                roster.succeeds(&held).map_err(refused)?;
                let merged = held.merge(bundle, &anchor, now_ms).map_err(refused)?;
                let newest = merged.unwrap_or(held);
                file::replace(&path, newest.bytes())?;
                return Ok(newest);
            }
        }
        file::replace(&path, bundle)?;
        Ok(roster)
    }

    /// Which roster is in force. It was judged when it was installed, and one that has ended
    /// meanwhile still must not give way to an older one; a file that does not read as a roster
    /// any more holds nothing back.
    fn held_roster(&self) -> Result<Option<RosterRef>, HomeError> {
        let bytes = match read_bundle(&self.roster_path()) {
            Err(KeyFileError::Missing { .. } | KeyFileError::Malformed { .. }) => return Ok(None),
            other => other?,
        };
        let payload = v1::RosterBundle::decode(bytes.as_slice())
            .and_then(|bundle| v1::Signed::decode(bundle.roster))
            .map(|signed| signed.payload);
        let held = payload.and_then(|payload| {
            let sha256 = sha256(&[&payload]);
            let version = v1::Roster::decode(payload)?.version;
            Ok(RosterRef { version, sha256 })
        });
        Ok(held.ok())
    }

    /// The roster in force, judged anew.
    ///
    /// # Errors
    /// [`HomeError`].
    pub fn roster(&self, now_ms: u64) -> Result<Roster, HomeError> {
        let path = self.roster_path();
        let bytes = read_bundle(&path)?;
        Roster::judge(&bytes, &self.anchor()?, now_ms)
            .map_err(|source| HomeError::Roster { path, source })
    }
}

fn read_bundle(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let bytes_max = limits::ROSTER_BUNDLE_BYTES_MAX as u64;
    file::read_capped(path, bytes_max, "roster file")
}

fn anchor(path: &Path, signed_root: &[u8]) -> Result<TrustAnchor, HomeError> {
    TrustAnchor::of_root(signed_root).map_err(|source| HomeError::Roster {
        path: path.to_owned(),
        source,
    })
}

fn check_settings(path: &Path, settings: &MemberSettings) -> Result<(), HomeError> {
    let ids = [
        ("member", &settings.member),
        ("federation", &settings.federation),
        ("home_node", &settings.home_node),
    ];
    for (field, id) in ids {
        let rule = "must be 1 to 64 of a-z, 0-9, dot and hyphen";
        check_name(id).map_err(|_| bad(path, &format!("{field} {rule}")))?;
    }
    let country = settings.country.as_bytes();
    if country.len() != 2 || !country.iter().all(u8::is_ascii_uppercase) {
        return Err(bad(path, &"country must be two capital letters"));
    }
    Ok(())
}

fn bad(path: &Path, reason: &dyn std::fmt::Display) -> HomeError {
    HomeError::BadSettings {
        path: path.to_owned(),
        reason: reason.to_string().trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use frex_proto::{
        error::WireCode,
        keys::{SealingSecretKey, SigningKey},
    };

    use super::*;
    use crate::{
        environment::Random,
        fixture::{Federation, NOW_MS},
        keys::MemberRole,
    };

    // FIL-1, FIL-5
    #[test]
    fn created_member_opens_with_the_same_keys_and_closed_modes() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("member");
        let (home, keys) = create(&dir).unwrap();
        let opened = MemberHome::open(&dir).unwrap();
        assert_eq!(opened.settings(), home.settings());
        let read = opened.keys(NOW_MS).unwrap();
        assert_eq!(read.identity.key_id(), keys.identity.key_id());
        assert_eq!(read.sealing.keys[0].key_id(), keys.sealing.keys[0].key_id());
        assert_eq!(
            read.transport_identity().unwrap().public_key(),
            keys.tls.verifying_key().as_bytes()
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home.keys_dir()), 0o700);
        assert_eq!(mode(&home.receipts_dir()), 0o700);
        for key in fs::read_dir(home.keys_dir()).unwrap() {
            assert_eq!(mode(&key.unwrap().path()), 0o600);
        }
    }

    // FIL-7, FIL-12: an encrypted member opens with its passphrase alone, and is named without.
    #[test]
    fn encrypted_member_opens_only_with_its_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let text = |text: &str| Passphrase::read(&mut text.as_bytes()).unwrap();
        let (right, mut rng) = (text("right"), Random::seeded([1; 32]).rng());
        let (_, keys) = MemberHome::create(dir.path(), settings(), Some(&right), &mut rng).unwrap();
        let open = |unlock| {
            let home = MemberHome::open(dir.path()).unwrap();
            home.unlocked_by(Arc::new(unlock)).keys(NOW_MS)
        };
        let opened = open(Unlock::with(right)).unwrap();
        assert_eq!(
            opened.sealing.keys[0].key_id(),
            keys.sealing.keys[0].key_id()
        );
        let wrong = open(Unlock::with(text("wrong"))).unwrap_err();
        assert!(matches!(wrong, KeyFileError::WrongPassphrase { .. }));
        assert_eq!(WireCode::from(wrong), WireCode::Sealed);
        let none = open(Unlock::none()).unwrap_err();
        assert!(matches!(none, KeyFileError::Sealed { .. }));
        assert_eq!(WireCode::from(none), WireCode::Sealed);
        let public = MemberHome::open(dir.path()).unwrap().public_keys().unwrap();
        assert_eq!(public.identity, Some(keys.identity.verifying_key()));
        assert_eq!(public.sealing, Some(keys.sealing_public()));
    }

    // FIL-13: the member's own folder is not looked at when the credentials are named.
    #[test]
    fn member_takes_its_keys_from_the_credentials_if_its_settings_say_so() {
        let (dir, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::set_permissions(given.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let mut from_credentials = settings();
        from_credentials.keys_from_credentials = true;
        let mut rng = Random::seeded([1; 32]).rng();
        MemberHome::create(dir.path(), from_credentials, None, &mut rng).unwrap();
        let open = |folder: Option<&Path>| {
            let unlock = Unlock::none().with_credentials(folder.map(Path::to_owned));
            let home = MemberHome::open(dir.path()).unwrap();
            home.unlocked_by(Arc::new(unlock))
        };
        let none = open(None).keys(NOW_MS).unwrap_err();
        assert!(matches!(none, KeyFileError::NoCredentials { .. }));
        let given = given.path();
        let other = SigningKey::from_seed(&[7; 32]);
        for name in ["frex-member-identity.key", "frex-member-tls.key"] {
            file::write_signing_key(&given.join(name), &other).unwrap();
        }
        let missing = open(Some(given)).keys(NOW_MS).unwrap_err();
        assert!(matches!(missing, KeyFileError::Missing { .. }));
        let sealing = SealingSecretKey::from_seed(&[8; 32]);
        file::write_sealing_key(&given.join("frex-member-sealing.key"), &sealing).unwrap();
        let keys = open(Some(given)).keys(NOW_MS).unwrap();
        assert_eq!(keys.identity.key_id(), other.key_id());
        assert_eq!(keys.sealing.keys[0].key_id(), sealing.key_id());
        let public = open(Some(given)).public_keys().unwrap();
        assert_eq!(public.identity, Some(other.verifying_key()));
    }

    // FIL-15, FIL-17, FIL-18: what is sealed to the key of before, or of next, opens until its time is over.
    #[test]
    fn member_opens_with_the_keys_around_the_one_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let (home, made) = create(dir.path()).unwrap();
        let ids = |now_ms| {
            let keys = home.keys(now_ms).unwrap();
            let ids: Vec<_> = keys
                .sealing
                .keys
                .iter()
                .map(SealingSecretKey::key_id)
                .collect();
            (ids, keys.sealing.until_ms, keys.destroyed.len())
        };
        let old = made.sealing.keys[0].key_id();
        let (next, mut rng) = (
            SealingSecretKey::from_seed(&[8; 32]),
            Random::seeded([2; 32]).rng(),
        );
        let (mut folder, _) = home.key_folder(NOW_MS).unwrap();
        folder
            .add_next(
                KeyUse::Sealing,
                (&next).into(),
                home.unlock(),
                &mut rng,
                NOW_MS,
            )
            .unwrap();
        assert_eq!(ids(NOW_MS), (vec![old, next.key_id()], None, 0));
        let until_ms = NOW_MS + 1_000;
        folder
            .promote(KeyUse::Sealing, old, NOW_MS, until_ms)
            .unwrap();
        assert_eq!(ids(NOW_MS), (vec![next.key_id(), old], Some(until_ms), 0));
        assert_eq!(ids(until_ms), (vec![next.key_id()], None, 1));
        let refused = open_from_credentials(dir.path())
            .key_folder(NOW_MS)
            .unwrap_err();
        assert!(matches!(refused, KeyFileError::FromCredentials { .. }));
    }

    fn open_from_credentials(dir: &Path) -> MemberHome {
        let path = dir.join(MEMBER_FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}keys_from_credentials = true\n")).unwrap();
        MemberHome::open(dir).unwrap()
    }

    // FIL-3: initialising twice changes nothing.
    #[test]
    fn second_creation_is_refused_and_keeps_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let (_, keys) = create(dir.path()).unwrap();
        let again = create(dir.path()).unwrap_err();
        assert!(matches!(
            again,
            HomeError::File(KeyFileError::Exists { .. })
        ));
        let kept = MemberHome::open(dir.path()).unwrap().keys(NOW_MS).unwrap();
        assert_eq!(kept.identity.key_id(), keys.identity.key_id());
    }

    // FIL-5: every broken directory has its code, and the text names what to mend.
    #[test]
    fn broken_directories_give_their_code() {
        let dir = tempfile::tempdir().unwrap();
        let open = || MemberHome::open(dir.path()).unwrap_err();
        assert_eq!(WireCode::from(open()), WireCode::NotInitialised);
        for (text, named) in [
            ("member = \"a\"", "federation"),
            ("member = 1", "line 1"),
            ("\u{0}", "line 1"),
        ] {
            fs::write(dir.path().join(MEMBER_FILE), text).unwrap();
            let error = open();
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(WireCode::from(error), WireCode::BadConfig);
        }
    }

    // FIL-5
    #[test]
    fn settings_that_no_roster_could_list_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = Random::seeded([1; 32]).rng();
        for change in [
            |settings: &mut MemberSettings| settings.member = "Not An Id".to_owned(),
            |settings: &mut MemberSettings| settings.home_node = String::new(),
            |settings: &mut MemberSettings| settings.country = "nor".to_owned(),
        ] {
            let mut settings = settings();
            change(&mut settings);
            let refused = MemberHome::create(dir.path(), settings, None, &mut rng);
            assert_eq!(WireCode::from(refused.unwrap_err()), WireCode::BadConfig);
        }
        assert!(!dir.path().join(KEYS_DIR).exists());
    }

    // FIL-6: without a pinned root no roster is believed.
    #[test]
    fn roster_without_a_pinned_root_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (home, _) = create(dir.path()).unwrap();
        let error = home.install_roster(b"", 1).unwrap_err();
        assert_eq!(WireCode::from(error), WireCode::NotInitialised);
        let error = home.install_root(b"no root").unwrap_err();
        assert_eq!(WireCode::from(error), WireCode::BadRoster);
        assert!(!home.root_path().exists());
    }

    // FIL-6: a roster is taken if it may follow the one held, also when that one has ended.
    #[test]
    fn rosters_only_move_forward() {
        let dir = tempfile::tempdir().unwrap();
        let (home, _) = create(dir.path()).unwrap();
        let first = Federation::new(v1::Status::Live);
        home.install_root(&first.signed_root).unwrap();
        home.install_roster(&first.bundle, NOW_MS).unwrap();
        home.install_roster(&first.bundle, NOW_MS).unwrap();
        assert_eq!(home.roster(NOW_MS).unwrap().version(), 1);

        let fork = Federation::new(v1::Status::Suspended).bundle;
        let refused = home.install_roster(&fork, NOW_MS).unwrap_err();
        assert_eq!(WireCode::from(refused), WireCode::BadRoster);

        let second = first.next();
        home.install_roster(&second, NOW_MS).unwrap();
        assert_eq!(home.roster(NOW_MS).unwrap().version(), 2);
        let refused = home.install_roster(&first.bundle, NOW_MS).unwrap_err();
        assert_eq!(WireCode::from(refused), WireCode::BadRoster);

        fs::write(home.roster_path(), b"damaged").unwrap();
        assert!(home.roster(NOW_MS).is_err());
        home.install_roster(&second, NOW_MS).unwrap();
        let repinned = home.install_root(&first.signed_root).unwrap_err();
        assert!(matches!(
            repinned,
            HomeError::File(KeyFileError::Exists { .. })
        ));
    }

    fn create(dir: &Path) -> Result<(MemberHome, MemberKeys), HomeError> {
        MemberHome::create(dir, settings(), None, &mut Random::seeded([1; 32]).rng())
    }

    fn settings() -> MemberSettings {
        MemberSettings {
            member: "hotline.no".to_owned(),
            federation: "fed".to_owned(),
            home_node: "node.no".to_owned(),
            country: "NO".to_owned(),
            name: "Hotline".to_owned(),
            role: MemberRole::Hotline,
            keys_from_credentials: false,
        }
    }
}
