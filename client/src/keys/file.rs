//! Key files: text that other tools read too, for the owner's eyes alone. Spec: FIL-1 to FIL-4.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use ed25519_dalek::pkcs8::{
    DecodePrivateKey, EncodePrivateKey, KeypairBytes,
    spki::der::pem::{LineEnding, decode_vec, encode_string},
};
use frex_proto::keys::{SealingSecretKey, SigningKey};
use zeroize::Zeroizing;

use super::KeyFileError;

const SEALING_LABEL: &str = "FREX SEALING KEY";
const SIGNING_KIND: &str = "PKCS#8 Ed25519 key file";
const SEALING_KIND: &str = "FREX sealing key file";
const KEY_FILE_BYTES_MAX: u64 = 4096;
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// Writes a signing key as PKCS#8 version 1 PEM, which OpenSSL 3 reads too.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn write_signing_key(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let document = KeypairBytes {
        secret_key: *key.seed(),
        // Without the public half the document is version 1.
        public_key: None,
    };
    let text = document
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_| malformed(path, SIGNING_KIND))?;
    write_private(path, text.as_bytes())
}

/// Reads a signing key.
///
/// # Errors
/// [`KeyFileError`]; a file or folder open to others is refused unread.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, KeyFileError> {
    let text = read_private(path, SIGNING_KIND)?;
    let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&text)
        .map_err(|_| malformed(path, SIGNING_KIND))?;
    Ok(SigningKey::from_seed(key.as_bytes()))
}

/// Writes the seed of a sealing key under a PEM label of its own.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
pub fn write_sealing_key(path: &Path, key: &SealingSecretKey) -> Result<(), KeyFileError> {
    let text = encode_string(SEALING_LABEL, LineEnding::LF, key.seed().as_slice())
        .map(Zeroizing::new)
        .map_err(|_| malformed(path, SEALING_KIND))?;
    write_private(path, text.as_bytes())
}

/// Reads a sealing key.
///
/// # Errors
/// [`KeyFileError`]; a file or folder open to others is refused unread.
pub fn read_sealing_key(path: &Path) -> Result<SealingSecretKey, KeyFileError> {
    let text = read_private(path, SEALING_KIND)?;
    let refused = || malformed(path, SEALING_KIND);
    let (label, seed) = decode_vec(text.as_bytes()).map_err(|_| refused())?;
    let seed = Zeroizing::new(seed);
    let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| refused())?;
    if label == SEALING_LABEL {
        Ok(SealingSecretKey::from_seed(seed))
    } else {
        Err(refused())
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
    check_dir(path)
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
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    if let Err(source) = fs::remove_file(draft)
        && source.kind() != ErrorKind::NotFound
    {
        return Err(io(draft, source));
    }
    write_new(draft, bytes)?;
    fs::rename(draft, path).map_err(|source| io(path, source))?;
    sync_parent(path)
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

pub(super) fn io(path: &Path, source: std::io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        source,
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    check_parent(path)?;
    write_new(path, bytes)
}

fn read_private(path: &Path, kind: &'static str) -> Result<Zeroizing<String>, KeyFileError> {
    // Existence first: a missing key is better news than its loose folder.
    let file = open(path)?;
    check_parent(path)?;
    // The open file is judged, not its name, which could come to mean another file meanwhile.
    let metadata = file.metadata().map_err(|source| io(path, source))?;
    check_mode(path, metadata.permissions().mode())?;
    let bytes = read_open(file, path, KEY_FILE_BYTES_MAX, kind)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed(path, kind))?;
    Ok(Zeroizing::new(text.to_owned()))
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

fn check_parent(path: &Path) -> Result<(), KeyFileError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => check_dir(parent),
        _ => check_dir(Path::new(".")),
    }
}

fn check_dir(path: &Path) -> Result<(), KeyFileError> {
    let metadata = fs::metadata(path).map_err(|source| io(path, source))?;
    check_mode(path, metadata.permissions().mode())
}

fn check_mode(path: &Path, mode: u32) -> Result<(), KeyFileError> {
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(KeyFileError::LooseMode {
        path: path.to_owned(),
        mode: mode & 0o7777,
    })
}

/// A new name is durable only when its folder is.
fn sync_parent(path: &Path) -> Result<(), KeyFileError> {
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
mod tests {
    use frex_proto::error::WireCode;

    use super::*;

    // FIL-1: written keys read back, as text that begins as other tools expect.
    #[test]
    fn keys_read_back_as_written() {
        let dir = private_dir();
        let (signing, sealing) = (dir.path().join("a.key"), dir.path().join("b.key"));
        write_signing_key(&signing, &SigningKey::from_seed(&[1; 32])).unwrap();
        write_sealing_key(&sealing, &SealingSecretKey::from_seed(&[2; 32])).unwrap();
        assert_eq!(*read_signing_key(&signing).unwrap().seed(), [1; 32]);
        assert_eq!(*read_sealing_key(&sealing).unwrap().seed(), [2; 32]);
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
                .contains(SEALING_LABEL)
        );
    }

    // FIL-2, KEY-12: a key that others can read is refused, and the refusal names the path.
    #[test]
    fn loose_file_and_loose_folder_are_refused_by_name() {
        let dir = private_dir();
        let path = dir.path().join("a.key");
        write_signing_key(&path, &SigningKey::from_seed(&[1; 32])).unwrap();
        set_mode(&path, 0o640);
        let error = read_signing_key(&path).unwrap_err();
        assert!(
            matches!(&error, KeyFileError::LooseMode { path: named, mode: 0o640 } if *named == path)
        );
        assert_eq!(WireCode::from(error), WireCode::LooseMode);
        set_mode(&path, 0o600);
        set_mode(dir.path(), 0o750);
        let error = read_signing_key(&path).unwrap_err();
        assert!(matches!(&error, KeyFileError::LooseMode { path, .. } if path == dir.path()));
        assert!(
            write_signing_key(&dir.path().join("b.key"), &SigningKey::from_seed(&[1; 32])).is_err()
        );
        set_mode(dir.path(), 0o700);
        read_signing_key(&path).unwrap();
    }

    // FIL-3: no key is ever overwritten.
    #[test]
    fn existing_key_is_kept() {
        let dir = private_dir();
        let path = dir.path().join("a.key");
        write_signing_key(&path, &SigningKey::from_seed(&[1; 32])).unwrap();
        let error = write_signing_key(&path, &SigningKey::from_seed(&[2; 32])).unwrap_err();
        assert!(matches!(error, KeyFileError::Exists { .. }));
        assert_eq!(*read_signing_key(&path).unwrap().seed(), [1; 32]);
    }

    // FIL-4: what is not the key that is due is refused without a panic.
    #[test]
    fn files_of_other_kinds_are_refused() {
        let dir = private_dir();
        let path = dir.path().join("a.key");
        let missing = read_signing_key(&path).unwrap_err();
        assert_eq!(WireCode::from(missing), WireCode::NotInitialised);
        write_sealing_key(&path, &SealingSecretKey::from_seed(&[2; 32])).unwrap();
        assert!(matches!(
            read_signing_key(&path).unwrap_err(),
            KeyFileError::Malformed { .. }
        ));
        let good = fs::read(&path).unwrap();
        for length in 0..good.len() - 1 {
            fs::write(&path, &good[..length]).unwrap();
            assert!(read_sealing_key(&path).is_err());
        }
        fs::write(&path, vec![b'-'; 5000]).unwrap();
        assert!(read_sealing_key(&path).is_err());
    }

    fn private_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o700);
        dir
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}
