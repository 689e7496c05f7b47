//! Key files: text that other tools read too, for the owner's eyes alone. Spec: FIL-1 to FIL-4.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use frex_proto::keys::{SealingSecretKey, SigningKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{
    KeyFileError,
    text::{KeyText, KeyTextError, SecretKey, SecretKeyRef},
};
use crate::passphrase::{Passphrase, PassphraseError, Unlock};

const SIGNING_KIND: &str = "PKCS#8 Ed25519 key file";
const SEALING_KIND: &str = "FREX sealing key file";
const ANY_KIND: &str = "key file";
/// An encrypted key states its companion's public half in 3,904 digits.
pub(super) const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;
const OTHERS: u32 = 0o077;
/// A service manager grants its service access by a list, which shows as reading by the group.
const CREDENTIAL_OTHERS: u32 = 0o037;
const CREDENTIAL_DIR_OTHERS: u32 = 0o027;

/// Where a key is read from.
#[derive(Debug)]
pub struct KeyPlace {
    path: PathBuf,
    credential: bool,
}

impl KeyPlace {
    /// A key file of our own.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            credential: false,
        }
    }

    /// The key file `name` in `dir`; or, if the settings name the `credentials` that stand for
    /// the folder, the credential of that prefix and name. Spec: FIL-13.
    ///
    /// # Errors
    /// [`KeyFileError::NoCredentials`].
    pub fn find(
        dir: &Path,
        name: &str,
        credentials: Option<&str>,
        unlock: &Unlock,
    ) -> Result<Self, KeyFileError> {
        let Some(prefix) = credentials else {
            return Ok(Self::file(&dir.join(name)));
        };
        let name = format!("{prefix}{name}");
        match unlock.credentials() {
            Some(folder) => Ok(Self {
                path: folder.join(name),
                credential: true,
            }),
            None => Err(KeyFileError::NoCredentials { name }),
        }
    }

    /// Reads the file and takes it apart; nothing is decrypted.
    ///
    /// # Errors
    /// [`KeyFileError`]; a file or folder open to others is refused unread.
    pub fn read(&self) -> Result<KeyText, KeyFileError> {
        self.read_as(ANY_KIND)
    }

    /// Reads the key, of whichever kind.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read_key(&self, unlock: &Unlock) -> Result<SecretKey, KeyFileError> {
        self.open(self.read()?, ANY_KIND, unlock)
    }

    /// Reads a signing key.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read_signing_key(&self, unlock: &Unlock) -> Result<SigningKey, KeyFileError> {
        let text = self.read_as(SIGNING_KIND)?;
        // The kind first: nobody should type a passphrase for the wrong file.
        if text.is_sealing() {
            return Err(malformed(&self.path, SIGNING_KIND));
        }
        match self.open(text, SIGNING_KIND, unlock)? {
            SecretKey::Signing(key) => Ok(*key),
            SecretKey::Sealing(_) => Err(malformed(&self.path, SIGNING_KIND)),
        }
    }

    /// Reads a sealing key.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read_sealing_key(&self, unlock: &Unlock) -> Result<SealingSecretKey, KeyFileError> {
        let text = self.read_as(SEALING_KIND)?;
        if !text.is_sealing() {
            return Err(malformed(&self.path, SEALING_KIND));
        }
        match self.open(text, SEALING_KIND, unlock)? {
            SecretKey::Sealing(key) => Ok(key),
            SecretKey::Signing(_) => Err(malformed(&self.path, SEALING_KIND)),
        }
    }

    fn read_as(&self, kind: &'static str) -> Result<KeyText, KeyFileError> {
        let masks = match self.credential {
            true => (CREDENTIAL_DIR_OTHERS, CREDENTIAL_OTHERS),
            false => (OTHERS, OTHERS),
        };
        let text = read_text(&self.path, masks, KEY_FILE_BYTES_MAX, kind)?;
        KeyText::parse(&text).map_err(|error| refused(&self.path, kind, error))
    }

    fn open(
        &self,
        text: KeyText,
        kind: &'static str,
        unlock: &Unlock,
    ) -> Result<SecretKey, KeyFileError> {
        let sealed = |source| KeyFileError::Sealed {
            path: self.path.clone(),
            source,
        };
        if let Some(place) = text.token() {
            let key = place.open(unlock).map_err(|source| KeyFileError::Token {
                path: self.path.clone(),
                source,
            })?;
            return Ok(SecretKey::Signing(Box::new(key)));
        }
        let passphrase = match text.is_encrypted() {
            true => Some(unlock.passphrase().map_err(sealed)?),
            false => None,
        };
        text.open(passphrase)
            .map_err(|error| refused(&self.path, kind, error))
    }
}

/// Writes a new key file, encrypted if there is a passphrase.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn write_key(
    path: &Path,
    key: SecretKeyRef<'_>,
    passphrase: Option<&Passphrase>,
    rng: &mut dyn CryptoRng,
) -> Result<(), KeyFileError> {
    let text = text_of(path, key, passphrase, rng)?;
    write_private(path, text.as_bytes())
}

/// Whether a key may be written into the folder of `path`, before it is made.
///
/// # Errors
/// [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn check_folder(path: &Path) -> Result<(), KeyFileError> {
    check_parent(path, OTHERS)
}

/// Writes a signing key as PKCS#8 version 1 PEM, which OpenSSL 3 reads too.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn write_signing_key(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let text = SecretKeyRef::from(key).to_text();
    let text = text.map_err(|error| refused(path, SIGNING_KIND, error))?;
    write_private(path, text.as_bytes())
}

/// Writes the seed of a sealing key under a PEM label of its own.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn write_sealing_key(path: &Path, key: &SealingSecretKey) -> Result<(), KeyFileError> {
    let text = SecretKeyRef::from(key).to_text();
    let text = text.map_err(|error| refused(path, SEALING_KIND, error))?;
    write_private(path, text.as_bytes())
}

/// Reads a signing key from a file of our own.
///
/// # Errors
/// [`KeyFileError`]; a file or folder open to others is refused unread.
pub fn read_signing_key(path: &Path, unlock: &Unlock) -> Result<SigningKey, KeyFileError> {
    KeyPlace::file(path).read_signing_key(unlock)
}

/// Reads a sealing key from a file of our own.
///
/// # Errors
/// [`KeyFileError`]; a file or folder open to others is refused unread.
pub fn read_sealing_key(path: &Path, unlock: &Unlock) -> Result<SealingSecretKey, KeyFileError> {
    KeyPlace::file(path).read_sealing_key(unlock)
}

/// Opens a credential that is no key, if there is one. Spec: FIL-13.
///
/// # Errors
/// [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn open_credential(path: &Path) -> Result<Option<File>, KeyFileError> {
    match open_private(path, (CREDENTIAL_DIR_OTHERS, CREDENTIAL_OTHERS)) {
        Ok(file) => Ok(Some(file)),
        Err(KeyFileError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a folder, with its parents, that only its owner can enter. One that exists is kept if
/// it is as closed.
///
/// # Errors
/// [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn create_private_dir(path: &Path) -> Result<(), KeyFileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIR)
        .create(path)
        .map_err(|source| io(path, source))?;
    check_dir(path, OTHERS)
}

/// Writes a new file that only its owner can read, and does not return before it would survive a
/// power failure.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(path)
        .map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => KeyFileError::Exists {
                path: path.to_owned(),
            },
            _ => io(path, source),
        })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(source) = written {
        // Half a file would be refused as malformed and could not be written anew.
        let _ = fs::remove_file(path);
        return Err(io(path, source));
    }
    sync_parent(path)
}

/// Replaces a file so that a crash leaves the old one or the new one, never a mixture.
///
/// # Errors
/// [`KeyFileError::Io`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let draft = draft_of(path);
    remove_draft(path)?;
    write_new(&draft, bytes)?;
    fs::rename(&draft, path).map_err(|source| io(path, source))?;
    sync_parent(path)
}

/// Waits until no other program changes the file at `path`, and keeps them from it until what this
/// gives is dropped. Whoever replaces what others replace too looks at it first, under the same
/// hold. Spec: FIL-22.
///
/// # Errors
/// Whatever the system says of the lock beside it.
pub fn hold(path: &Path) -> std::io::Result<File> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE_FILE)
        .open(lock)?;
    lock.lock()?;
    Ok(lock)
}

/// Where [`replace`] writes before it renames.
#[must_use]
pub fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    draft.into()
}

/// Removes what a replacement left that did not come to its end: the file itself is whole.
///
/// # Errors
/// [`KeyFileError::Io`].
pub fn remove_draft(path: &Path) -> Result<(), KeyFileError> {
    let draft = draft_of(path);
    match fs::remove_file(&draft) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(io(&draft, source)),
        _ => Ok(()),
    }
}

/// Reads a file of at most so many bytes; a longer one is not what it should be.
///
/// # Errors
/// [`KeyFileError::Missing`], [`KeyFileError::Malformed`], [`KeyFileError::Io`].
pub fn read_capped(
    path: &Path,
    bytes_max: u64,
    kind: &'static str,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    read_open(open(path)?, path, bytes_max, kind)
}

/// Reads a text that nobody else can read or change.
///
/// # Errors
/// [`KeyFileError::Missing`], [`KeyFileError::LooseMode`], [`KeyFileError::Malformed`],
/// [`KeyFileError::Io`].
pub(super) fn read_private(
    path: &Path,
    bytes_max: u64,
    kind: &'static str,
) -> Result<Zeroizing<String>, KeyFileError> {
    read_text(path, (OTHERS, OTHERS), bytes_max, kind)
}

/// The text of a key file, encrypted if there is a passphrase.
pub(super) fn text_of(
    path: &Path,
    key: SecretKeyRef<'_>,
    passphrase: Option<&Passphrase>,
    rng: &mut dyn CryptoRng,
) -> Result<Zeroizing<String>, KeyFileError> {
    let text = match passphrase {
        Some(passphrase) => key.to_encrypted_text(passphrase, rng),
        None => key.to_text(),
    };
    text.map_err(|error| refused(path, ANY_KIND, error))
}

pub(super) fn io(path: &Path, source: std::io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        source,
    }
}

/// The text's own refusal, with the file that it is about.
pub(super) fn refused(path: &Path, kind: &'static str, error: KeyTextError) -> KeyFileError {
    let path = path.to_owned();
    match error {
        KeyTextError::Malformed => KeyFileError::Malformed { path, kind },
        KeyTextError::Damaged => KeyFileError::Damaged { path },
        KeyTextError::OtherCipher => KeyFileError::OtherCipher { path },
        KeyTextError::TooCostly => KeyFileError::TooCostly { path },
        KeyTextError::WrongPassphrase => KeyFileError::WrongPassphrase { path },
        KeyTextError::InToken => KeyFileError::InToken { path },
        KeyTextError::Sealed => KeyFileError::Sealed {
            path,
            source: PassphraseError::NotGiven,
        },
    }
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    check_folder(path)?;
    write_new(path, bytes)
}

fn read_text(
    path: &Path,
    others: (u32, u32),
    bytes_max: u64,
    kind: &'static str,
) -> Result<Zeroizing<String>, KeyFileError> {
    let file = open_private(path, others)?;
    let bytes = read_open(file, path, bytes_max, kind)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed(path, kind))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Opens a file if neither its folder nor itself grants others one of these bits.
fn open_private(path: &Path, (dir_others, file_others): (u32, u32)) -> Result<File, KeyFileError> {
    // Existence first: a missing key is better news than its loose folder.
    let file = open(path)?;
    check_parent(path, dir_others)?;
    // The open file is judged, not its name, which could come to mean another file meanwhile.
    let metadata = file.metadata().map_err(|source| io(path, source))?;
    check_mode(path, metadata.permissions().mode(), file_others)?;
    Ok(file)
}

fn open(path: &Path) -> Result<File, KeyFileError> {
    File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => KeyFileError::Missing {
            path: path.to_owned(),
        },
        _ => io(path, source),
    })
}

fn read_open(
    file: File,
    path: &Path,
    bytes_max: u64,
    kind: &'static str,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| io(path, source))?;
    if bytes.len() as u64 > bytes_max {
        return Err(malformed(path, kind));
    }
    Ok(bytes)
}

fn check_parent(path: &Path, others: u32) -> Result<(), KeyFileError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => check_dir(parent, others),
        _ => check_dir(Path::new("."), others),
    }
}

fn check_dir(path: &Path, others: u32) -> Result<(), KeyFileError> {
    let metadata = fs::metadata(path).map_err(|source| io(path, source))?;
    check_mode(path, metadata.permissions().mode(), others)
}

fn check_mode(path: &Path, mode: u32, others: u32) -> Result<(), KeyFileError> {
    if mode & others == 0 {
        return Ok(());
    }
    Err(KeyFileError::LooseMode {
        path: path.to_owned(),
        mode: mode & 0o7777,
    })
}

/// A new name is durable only when its folder is.
pub(crate) fn sync_parent(path: &Path) -> Result<(), KeyFileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| io(parent, source))
}

fn malformed(path: &Path, kind: &'static str) -> KeyFileError {
    KeyFileError::Malformed {
        path: path.to_owned(),
        kind,
    }
}

#[cfg(test)]
mod tests;
