//! A copy of a node's data from which a node can be made again, taken while it runs.
//!
//! ```text
//! <folder>/backup.json     what it holds, of which node, up to where; written last
//! <folder>/files/<hash>    the files, each under the SHA-256 of its bytes
//! <folder>/lock            held while somebody writes
//! ```
//!
//! A backup that was made before stays whole until the next one is: files of a hash never change, and
//! one `backup.json` follows another at once. Then what only the former one named is removed: what was
//! erased from the node does not stay in its backup. Spec: chapter BAK.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use frex_client::keys::KeyFileError;
use frex_proto::{error::WireCode, roster::RosterError};
use serde::{Deserialize, Serialize};

use crate::{
    anew,
    disk::{self, Disk},
    home::{INDEX_DIR, JOURNAL_DIR, LOG_DIR},
    journal::JournalError,
    ledger::LedgerError,
};

pub mod check;
mod list;
mod objects;
pub mod restore;
pub mod take;
#[cfg(test)]
mod tests;

/// The file that says what a backup holds.
pub const MANIFEST_FILE: &str = "backup.json";
/// The folder of the files.
const FILES_DIR: &str = "files";
/// In a node's directory: when it was last backed up, and where to.
pub const LAST_FILE: &str = "backup.last";
/// In a node's directory: it was restored, and nobody has said yet that nothing is missing.
pub const RESTORED_FILE: &str = "restored";
/// Largest manifest, bytes. Spec: LIM-101.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Form of the manifest.
const VERSION: u32 = 1;
/// What of a node's directory is its own affair, or follows from the rest.
const LEFT_OUT: [&str; 8] = [
    INDEX_DIR,
    LOG_DIR,
    "lock",
    LAST_FILE,
    RESTORED_FILE,
    anew::SEEN_FILE,
    anew::NEXT_FILE,
    anew::ASKED_FILE,
];

/// What the mark says where the operator has answered for it that nothing was lost.
const VOUCHED: &str =
    "Restored from a backup. The operator answers for it that nothing was signed since.\n";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of this file: 1.
    pub v: u32,
    /// The federation.
    pub federation: String,
    /// The node.
    pub node: String,
    /// When it was made.
    pub made_ms: u64,
    /// Whether keys are in it, and how.
    pub keys: KeysKept,
    /// Entries of the node's log.
    pub log_size: u64,
    /// The signed head that covers them; empty for an empty log.
    pub checkpoint: String,
    /// The files, by their paths in the node's directory, with `/` between the parts.
    pub files: BTreeMap<String, Kept>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hex: its name in the backup.
    pub sha256: String,
}

/// Whether secret keys are in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeysKept {
    /// None are.
    None,
    /// All of them are encrypted, or in a token.
    Encrypted,
    /// Some lie open.
    Plain,
}

/// When a node was last backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// When.
    pub made_ms: u64,
    /// Where to.
    pub folder: PathBuf,
    /// Entries of the log in it.
    pub log_size: u64,
}

/// Why a backup is not made, does not hold or is not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file or folder cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A key file cannot be judged.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// There is no manifest: it is none, or was not made to its end.
    #[error("{} holds no complete backup", folder.display())]
    Incomplete {
        /// The folder.
        folder: PathBuf,
    },
    /// The manifest is not one, or names a path that no node has.
    #[error("the manifest is malformed: {0}")]
    Manifest(String),
    /// A file is missing or is not what the manifest says.
    #[error("{0} is missing or was changed")]
    File(String),
    /// The journal does not read back.
    #[error("the journal")]
    Journal(#[source] JournalError),
    /// The log's entries do not make what it signed.
    #[error("the log's entries do not make the head that was signed")]
    Log,
    /// The roster or its root does not verify.
    #[error("the roster does not verify: {0}")]
    Roster(#[source] RosterError),
    /// A secret key lies open.
    #[error("{} is not encrypted", path.display())]
    PlainKey {
        /// The file.
        path: PathBuf,
    },
    /// Something else is there already.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A backup inside what it is a backup of would grow without end.
    #[error("{} lies in the node's own directory", path.display())]
    Inside {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes to the folder.
    #[error("another process uses {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The node's ledger cannot be made from the journal.
    #[error("the ledger cannot be made from the journal")]
    Ledger(#[from] LedgerError),
    /// The manifest is another than the one that was expected.
    #[error("the manifest is not the one that was named")]
    OtherManifest,
}

impl From<&BackupError> for WireCode {
    fn from(error: &BackupError) -> Self {
        match error {
            BackupError::Io { .. } => Self::Files,
            BackupError::Key(error) => error.into(),
            BackupError::Incomplete { .. }
            | BackupError::Manifest(_)
            | BackupError::File(_)
            | BackupError::Log
            | BackupError::Roster(_)
            | BackupError::OtherManifest => Self::BackupDamaged,
            BackupError::Journal(JournalError::Damaged { .. }) => Self::BackupDamaged,
            BackupError::Journal(_) => Self::StorageFailed,
            BackupError::PlainKey { .. } => Self::KeysPlain,
            BackupError::NotEmpty { .. } => Self::AlreadyExists,
            BackupError::Inside { .. } => Self::BadInput,
            BackupError::Locked { .. } => Self::Locked,
            BackupError::Ledger(error) => error.into(),
        }
    }
}

impl From<BackupError> for WireCode {
    fn from(error: BackupError) -> Self {
        Self::from(&error)
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

/// Path of a segment or of the marker in a manifest.
fn journal_path(name: &str) -> String {
    format!("{JOURNAL_DIR}/{name}")
}

/// Whether a path is one that a node's directory may have, below which nothing else can be reached:
/// a backup may have come from elsewhere. Spec: BAK-8.
fn is_plain(path: &str) -> bool {
    let mut parts = path.split('/');
    let first = parts.clone().next().unwrap_or_default();
    let plain = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
    };
    parts.clone().count() <= list::DEPTH_MAX && parts.all(plain) && !LEFT_OUT.contains(&first)
}

/// Whether a file may hold a secret key.
fn is_key(path: &str) -> bool {
    path.starts_with("keys/") || path.ends_with(".key")
}

/// Whether this directory was restored and nobody has said yet that nothing is missing.
///
/// # Errors
/// Whatever the disk says.
pub fn is_restored(disk: &dyn Disk, data: &Path) -> io::Result<bool> {
    match disk.open(&data.join(RESTORED_FILE), false) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Somebody has said so.
///
/// # Errors
/// Whatever the disk says.
pub fn settle(disk: &dyn Disk, data: &Path) -> io::Result<()> {
    disk.remove(&data.join(RESTORED_FILE))?;
    disk.sync_dir(data)
}

/// Marks a directory as restored, durably.
///
/// # Errors
/// Whatever the disk says.
pub fn mark(disk: &dyn Disk, data: &Path) -> io::Result<()> {
    let text = "Restored from a backup. The next start asks others whether anything is missing.\n";
    disk::replace(disk, &data.join(RESTORED_FILE), text.as_bytes())
}

/// Marks a directory as restored, durably, with the word of its operator that nothing was lost: those who do not
/// answer do not keep it from starting, and those who do are heard. Spec: BAK-13.
///
/// # Errors
/// Whatever the disk says.
pub fn vouch(disk: &dyn Disk, data: &Path) -> io::Result<()> {
    disk::replace(disk, &data.join(RESTORED_FILE), VOUCHED.as_bytes())
}

/// Whether this directory is marked with the word of its operator.
///
/// # Errors
/// Whatever the disk says.
pub fn is_vouched(disk: &dyn Disk, data: &Path) -> io::Result<bool> {
    match disk::read_all(disk, &data.join(RESTORED_FILE), 4096) {
        Ok(text) => Ok(text == VOUCHED.as_bytes()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// When the node in `data` was last backed up; none if that is not known.
#[must_use]
pub fn last(disk: &dyn Disk, data: &Path) -> Option<Last> {
    let bytes = disk::read_all(disk, &data.join(LAST_FILE), 64 * 1024).ok()?;
    serde_json::from_slice(&bytes).ok()
}
