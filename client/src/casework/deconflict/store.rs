//! What a member keeps for deconfliction, in the folder `deconflict` of its directory: what it holds,
//! its epochs, what others asked it and how much that was, what it asked others.
//!
//! Holdings and what was asked lie here as readable as reports in the inbox; keys of epochs are
//! destroyed when these end. Spec: DCF-22, DCF-23.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use frex_proto::{error::WireCode, keys::SigningError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{BookError, DeconflictDesk, Identifier, OprfError};
use crate::keys::{KeyFileError, file};

mod asked;
mod epochs;
mod holdings;
mod served;
mod settings;

pub use asked::{Asked, AskedItem, Sight};
pub use epochs::{Begin, OwnEpoch};
pub use holdings::Merged;
pub use served::{Admission, Query};

const FOLDER: &str = "deconflict";
const SETTINGS_FILE: &str = "settings.toml";
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The folder.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// That of the member whose directory this is.
    #[must_use]
    pub fn of(member: &Path) -> Self {
        Self {
            dir: member.join(FOLDER),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its settings are.
    #[must_use]
    pub fn settings_path(&self) -> PathBuf {
        self.dir.join(SETTINGS_FILE)
    }
}

/// How a member answers, and whom it names. A file that a person may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Days for which one key and one book are good, 1 to 31.
    pub epoch_days: u32,
    /// Identifiers that one member may ask for within 24 hours.
    pub items_per_day: u32,
    /// Identifiers that all members together may ask for within 24 hours.
    pub items_per_day_all: u32,
    /// Members that are answered; `*`: all that the roster lists.
    pub serve: Vec<String>,
    /// As `items_per_day`, for one member.
    pub quota: BTreeMap<String, u32>,
    /// Whom to call, by a short name.
    pub desk: BTreeMap<String, Desk>,
}

/// Whom to call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Desk {
    /// What the desk is called.
    pub name: String,
    /// Where it is written to.
    pub email: String,
    /// Where it is called, in the international form.
    pub phone: String,
    /// BCP 47 tags, separated by spaces.
    pub languages: String,
    /// When it is staffed.
    pub hours: String,
    /// What else a caller should know.
    pub note: String,
}

impl From<&Desk> for DeconflictDesk {
    fn from(desk: &Desk) -> Self {
        let desk = desk.clone();
        Self {
            name: desk.name,
            email: desk.email,
            phone: desk.phone,
            languages: desk.languages,
            hours: desk.hours,
            note: desk.note,
        }
    }
}

impl From<DeconflictDesk> for Desk {
    fn from(desk: DeconflictDesk) -> Self {
        Self {
            name: desk.name,
            email: desk.email,
            phone: desk.phone,
            languages: desk.languages,
            hours: desk.hours,
            note: desk.note,
        }
    }
}

/// An identifier that the member holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Holding {
    /// As it is compared.
    pub identifier: Identifier,
    /// The desk that answers for it.
    pub desk: String,
    /// That it is held may not be told: it stands in no book.
    pub silent: bool,
    /// From where the member has it: a message id, or a word of its own.
    pub source: String,
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding")
            .field("identifier", &self.identifier)
            .field("silent", &self.silent)
            .finish_non_exhaustive()
    }
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A private file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// What is there is not what was written.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The settings do not parse; the text names line and field.
    #[error("{} cannot be used: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An identifier is held for a desk that the settings do not name any more.
    #[error("the settings name no desk {name}")]
    NoDesk {
        /// Its short name.
        name: String,
    },
    /// More than a book holds.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The key of an epoch.
    #[error(transparent)]
    Key(#[from] OprfError),
    /// Our own identity key does not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A member has signed two keys or two books for one epoch. Both are kept.
    #[error("a member has signed two keys or books for one epoch")]
    TwoBooks,
}

impl From<&StoreError> for WireCode {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Io { .. } | StoreError::Damaged { .. } => Self::Files,
            StoreError::File(error) => error.into(),
            StoreError::Settings { .. } => Self::BadConfig,
            StoreError::NoDesk { .. } => Self::BadInput,
            StoreError::Book(error) => (*error).into(),
            StoreError::Key(_) => Self::KeyUnusable,
            StoreError::Signing(error) => (*error).into(),
            StoreError::TwoBooks => Self::TwoBooks,
        }
    }
}

impl From<StoreError> for WireCode {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

fn io(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

fn damaged(path: &Path) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
    }
}

/// The paths of what a folder holds, in their order; none if there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let listed = fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect::<std::io::Result<Vec<PathBuf>>>()
    });
    let mut listed = listed.map_err(|error| io(folder, error))?;
    listed.sort();
    Ok(listed)
}

/// The files of a folder whose names end so, in their order.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = entries(folder)?;
    files.retain(|path| path.extension().is_some_and(|end| end == extension));
    Ok(files)
}

/// What was written as JSON.
fn record<T: DeserializeOwned>(path: &Path, kind: &'static str) -> Result<T, StoreError> {
    let bytes = file::read_capped(path, FILE_BYTES_MAX, kind)?;
    serde_json::from_slice(&bytes).map_err(|_| damaged(path))
}

/// A file that is no secret, and may be long: it is neither copied nor overwritten in memory.
fn bytes_of(path: &Path, bytes_max: u64, kind: &'static str) -> Result<Bytes, StoreError> {
    let mut bytes = file::read_capped(path, bytes_max, kind)?;
    Ok(Bytes::from(std::mem::take(&mut *bytes)))
}
