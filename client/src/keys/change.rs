//! Keys that exist are encrypted, decrypted or put under another passphrase, and none is lost on
//! the way. Spec: FIL-11.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rand_core::CryptoRng;

use super::{
    KeyFileError,
    file::{self, KeyPlace},
    text::{KeyText, KeyTextError, SecretKey},
};
use crate::passphrase::Passphrase;

const KIND: &str = "key file";

/// What is to become of key files.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Those that are not encrypted are, from then on.
    Encrypt(&'a Passphrase),
    /// Those that are encrypted no longer are.
    Decrypt(&'a Passphrase),
    /// Those under the first passphrase come under the second, and so do those under none.
    Replace(&'a Passphrase, &'a Passphrase),
}

/// A key file whose change is decided and whose key is at hand.
#[derive(Debug)]
pub struct Planned {
    path: PathBuf,
    /// None: the file is already as it is to be.
    key: Option<SecretKey>,
}

/// What became of a key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The file.
    pub path: PathBuf,
    /// False if it was already as it was to be.
    pub changed: bool,
}

/// Opens every key before anything is written, so that a wrong passphrase or a damaged file
/// changes nothing. What an earlier call that was interrupted has done already is left as it is.
///
/// # Errors
/// [`KeyFileError`] names the file.
pub fn plan(paths: &[PathBuf], change: Change<'_>) -> Result<Vec<Planned>, KeyFileError> {
    let planned = paths.iter().map(|path| {
        let refused = |error| file::refused(path, KIND, error);
        let text = KeyPlace::file(path).read()?;
        let key = due(text, path, change).map_err(|error| match error {
            Refusal::File(error) => error,
            Refusal::Text(error) => refused(error),
        })?;
        Ok(Planned {
            path: path.clone(),
            key,
        })
    });
    planned.collect()
}

/// Writes every planned file anew: beside the old one, read back, synced, and only then renamed
/// over it.
///
/// # Errors
/// [`KeyFileError`]; files before the one named are changed, it and those after it are not.
pub fn carry_out(
    planned: Vec<Planned>,
    change: Change<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<Changed>, KeyFileError> {
    let mut done = Vec::new();
    for Planned { path, key } in planned {
        // A link stays a link: what it points at is written anew.
        let target = fs::canonicalize(&path).map_err(|source| file::io(&path, source))?;
        match &key {
            Some(key) => rewrite(&target, key, change, rng)?,
            None => file::remove_draft(&target)?,
        }
        done.push(Changed {
            path,
            changed: key.is_some(),
        });
    }
    Ok(done)
}

enum Refusal {
    File(KeyFileError),
    Text(KeyTextError),
}

/// The key, if the file has to be written anew.
fn due(text: KeyText, path: &Path, change: Change<'_>) -> Result<Option<SecretKey>, Refusal> {
    let open = |text: KeyText, passphrase| text.open(Some(passphrase)).map_err(Refusal::Text);
    match (change, text.is_encrypted()) {
        (Change::Encrypt(passphrase) | Change::Replace(_, passphrase), false) => {
            open(text, passphrase).map(Some)
        }
        // It must be the same passphrase, or the home would have two.
        (Change::Encrypt(passphrase), true) => open(text, passphrase).map(|_| None),
        (Change::Decrypt(passphrase), true) => open(text, passphrase).map(Some),
        (Change::Decrypt(_), false) => Ok(None),
        (Change::Replace(old, new), true) => match text.open(Some(old)) {
            Ok(key) => Ok(Some(key)),
            Err(KeyTextError::WrongPassphrase) => {
                let again = KeyPlace::file(path).read().map_err(Refusal::File)?;
                open(again, new).map(|_| None)
            }
            Err(error) => Err(Refusal::Text(error)),
        },
    }
}

fn rewrite(
    path: &Path,
    key: &SecretKey,
    change: Change<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<(), KeyFileError> {
    let refused = |error| file::refused(path, KIND, error);
    let passphrase = match change {
        Change::Encrypt(passphrase) | Change::Replace(_, passphrase) => Some(passphrase),
        Change::Decrypt(_) => None,
    };
    let text = match passphrase {
        Some(passphrase) => key.as_ref().to_encrypted_text(passphrase, rng),
        None => key.as_ref().to_text(),
    };
    let text = text.map_err(refused)?;
    // The old file is given up only for a text that is known to open.
    let again = KeyText::parse(&text).and_then(|text| text.open(passphrase));
    if again.map_err(refused)?.as_ref().public() != key.as_ref().public() {
        return Err(KeyFileError::Damaged {
            path: path.to_owned(),
        });
    }
    file::replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use frex_proto::keys::{SealingSecretKey, SigningKey};

    use super::*;
    use crate::{environment::Random, passphrase::Unlock};

    struct Home {
        dir: tempfile::TempDir,
        paths: Vec<PathBuf>,
    }

    impl Home {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let paths = ["a.key", "b.key"].map(|name| dir.path().join(name));
            file::write_signing_key(&paths[0], &SigningKey::from_seed(&[1; 32])).unwrap();
            file::write_sealing_key(&paths[1], &SealingSecretKey::from_seed(&[2; 32])).unwrap();
            let paths = paths.into();
            Self { dir, paths }
        }

        fn change(&self, change: Change<'_>) -> Result<Vec<bool>, KeyFileError> {
            let mut rng = Random::seeded([8; 32]).rng();
            let done = carry_out(plan(&self.paths, change)?, change, &mut rng)?;
            Ok(done.iter().map(|done| done.changed).collect())
        }

        /// Both keys open under this passphrase, or without one; and nothing else lies there.
        fn opens(&self, passphrase: Option<&Passphrase>) {
            let unlock = passphrase.map_or_else(Unlock::none, |text| Unlock::with(text.clone()));
            let signing = file::read_signing_key(&self.paths[0], &unlock).unwrap();
            let sealing = file::read_sealing_key(&self.paths[1], &unlock).unwrap();
            assert_eq!(
                (*signing.seed().unwrap(), *sealing.seed()),
                ([1; 32], [2; 32])
            );
            for path in &self.paths {
                let mode = fs::metadata(path).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600);
                assert_eq!(
                    KeyPlace::file(path).read().unwrap().is_encrypted(),
                    passphrase.is_some()
                );
            }
            assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 2);
        }
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::read(&mut text.as_bytes()).unwrap()
    }

    // FIL-11: there and back, and a second call finds nothing to do.
    #[test]
    fn keys_are_encrypted_moved_and_decrypted_and_stay_the_same() {
        let (home, old, new) = (Home::new(), passphrase("old"), passphrase("new"));
        for (change, opened_by) in [
            (Change::Encrypt(&old), Some(&old)),
            (Change::Replace(&old, &new), Some(&new)),
            (Change::Decrypt(&new), None),
        ] {
            assert_eq!(home.change(change).unwrap(), [true, true]);
            home.opens(opened_by);
            assert_eq!(home.change(change).unwrap(), [false, false]);
            home.opens(opened_by);
        }
    }

    // FIL-11: what cannot be done to all is done to none.
    #[test]
    fn a_wrong_passphrase_or_a_damaged_file_changes_nothing() {
        let (home, old, new) = (Home::new(), passphrase("old"), passphrase("new"));
        home.change(Change::Encrypt(&old)).unwrap();
        for change in [
            Change::Encrypt(&new),
            Change::Decrypt(&new),
            Change::Replace(&passphrase("neither"), &new),
        ] {
            let error = home.change(change).unwrap_err();
            assert!(matches!(error, KeyFileError::WrongPassphrase { .. }));
            home.opens(Some(&old));
        }
        let good = fs::read(&home.paths[1]).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() - 80;
        bad[middle] = if bad[middle] == b'A' { b'B' } else { b'A' };
        fs::write(&home.paths[1], bad).unwrap();
        let error = home.change(Change::Decrypt(&old)).unwrap_err();
        assert!(matches!(error, KeyFileError::Damaged { path } if path == home.paths[1]));
        fs::write(&home.paths[1], good).unwrap();
        home.opens(Some(&old));
    }

    // FIL-11: a crash leaves the old file or the new one beside a draft; the next call ends it.
    #[test]
    fn an_interrupted_change_loses_nothing_and_is_taken_up() {
        let (home, old, new) = (Home::new(), passphrase("old"), passphrase("new"));
        home.change(Change::Encrypt(&old)).unwrap();
        // The first key was renamed, the second draft was half written.
        let mut rng = Random::seeded([7; 32]).rng();
        let change = Change::Replace(&old, &new);
        carry_out(plan(&home.paths[..1], change).unwrap(), change, &mut rng).unwrap();
        fs::write(file::draft_of(&home.paths[1]), b"-----BEGIN ENCR").unwrap();
        let under = |path: &Path, text: &Passphrase| {
            let unlock = Unlock::with(text.clone());
            KeyPlace::file(path).read_key(&unlock).is_ok()
        };
        assert!(under(&home.paths[0], &new) && under(&home.paths[1], &old));
        assert_eq!(home.change(change).unwrap(), [false, true]);
        home.opens(Some(&new));
        // A draft beside a file that needs no change goes as well: it may hold a plain key.
        fs::write(file::draft_of(&home.paths[0]), b"left over").unwrap();
        assert_eq!(home.change(change).unwrap(), [false, false]);
        home.opens(Some(&new));
    }

    // FIL-11, FIL-20: the companion goes along, and stays what it was.
    #[test]
    fn a_companion_is_encrypted_and_decrypted_with_its_key() {
        let (home, text) = (Home::new(), passphrase("text"));
        let path = home.dir.path().join("c.key");
        let key = SigningKey::from_seed(&[3; 32]).with_companion(&[4; 32]);
        file::write_signing_key(&path, &key).unwrap();
        let paths = std::slice::from_ref(&path);
        for change in [Change::Encrypt(&text), Change::Decrypt(&text)] {
            let mut rng = Random::seeded([8; 32]).rng();
            carry_out(plan(paths, change).unwrap(), change, &mut rng).unwrap();
            let read = file::read_signing_key(&path, &Unlock::with(text.clone())).unwrap();
            assert_eq!(read.verifying_key(), key.verifying_key());
            assert_eq!(*read.companion_seed().unwrap(), [4; 32]);
        }
    }

    // FIL-2: a key that others could read is not taken up; its secret is out already.
    #[test]
    fn a_loose_key_is_refused_and_a_link_stays_one() {
        let (home, text) = (Home::new(), passphrase("text"));
        fs::set_permissions(&home.paths[0], fs::Permissions::from_mode(0o640)).unwrap();
        let error = home.change(Change::Encrypt(&text)).unwrap_err();
        assert!(matches!(error, KeyFileError::LooseMode { .. }));
        fs::set_permissions(&home.paths[0], fs::Permissions::from_mode(0o600)).unwrap();

        let link = home.dir.path().join("c.key");
        symlink("a.key", &link).unwrap();
        let change = Change::Encrypt(&text);
        let planned = plan(std::slice::from_ref(&link), change).unwrap();
        carry_out(planned, change, &mut Random::seeded([7; 32]).rng()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(
            KeyPlace::file(&home.paths[0])
                .read()
                .unwrap()
                .is_encrypted()
        );
    }
}
