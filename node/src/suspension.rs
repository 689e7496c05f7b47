//! Members with whom this node's organisation does not exchange for the time being, by its own decision.
//!
//! Who belongs is for the governance to decide; with whom one talks, for everybody. A suspended
//! member loses nothing: what it sends waits at its own node, what it is sent waits here, until
//! the suspension or the envelope ends. Spec: DIS-12, DIS-13.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use frex_client::keys::{KeyFileError, file};
use frex_proto::{
    error::WireCode,
    id::check_name,
    roster::{Peer, Roster},
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::disk::{self, RealDisk};

/// The file in a node's directory that says who is suspended. A running node reads it twice a second.
pub const SUSPENDED_FILE: &str = "suspended.toml";
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Since when and why a member is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Since when.
    pub since_ms: u64,
    /// Why, in the organisation's own words; nobody else is told.
    pub reason: String,
}

/// Who is suspended here, by member id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Suspensions(BTreeMap<String, Suspension>);

/// Why the file cannot be used. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuspensionError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// It does not say who is suspended, so nobody may be talked to by it.
    #[error("{} does not say who is suspended", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be replaced; the former one is still there.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<&SuspensionError> for WireCode {
    fn from(error: &SuspensionError) -> Self {
        match error {
            SuspensionError::File(error) => error.into(),
            SuspensionError::Malformed { .. } => Self::BadConfig,
            SuspensionError::Write { .. } => Self::Files,
        }
    }
}

impl From<SuspensionError> for WireCode {
    fn from(error: SuspensionError) -> Self {
        Self::from(&error)
    }
}

impl Suspensions {
    /// Who is suspended by a node's directory; nobody if it does not say.
    ///
    /// # Errors
    /// [`SuspensionError`]
    pub fn load(node_dir: &Path) -> Result<Self, SuspensionError> {
        let path = node_dir.join(SUSPENDED_FILE);
        let bytes = match file::read_capped(&path, FILE_BYTES_MAX, "list of suspensions") {
            Err(KeyFileError::Missing { .. }) => return Ok(Self::default()),
            read => read?,
        };
        let listed: Option<Self> = toml::from_slice(&bytes).ok();
        let sound = |listed: &Self| listed.0.keys().all(|id| check_name(id).is_ok());
        listed
            .filter(sound)
            .ok_or(SuspensionError::Malformed { path })
    }

    /// Replaces the file, durably. A running node takes it up by itself.
    ///
    /// # Errors
    /// [`SuspensionError::Write`]
    pub fn save(&self, node_dir: &Path) -> Result<(), SuspensionError> {
        let path = node_dir.join(SUSPENDED_FILE);
        let text = toml::to_string(self).map_err(io::Error::other);
        text.and_then(|text| disk::replace(&RealDisk, &path, text.as_bytes()))
            .map_err(|source| SuspensionError::Write { path, source })
    }

    /// Suspends a member; gives what was said of it before.
    pub fn add(&mut self, member: &str, suspension: Suspension) -> Option<Suspension> {
        self.0.insert(member.to_owned(), suspension)
    }

    /// Ends a suspension; gives what was said of it.
    pub fn remove(&mut self, member: &str) -> Option<Suspension> {
        self.0.remove(member)
    }

    /// Everyone who is suspended, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Suspension)> {
        self.0.iter().map(|(member, said)| (member.as_str(), said))
    }

    /// Whether nobody is suspended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this member is suspended.
    #[must_use]
    pub fn holds_member(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    /// Whether whoever is connected belongs to a suspended member: its client, or a node that it
    /// operates.
    #[must_use]
    pub fn holds(&self, peer: &Peer, roster: &Roster) -> bool {
        match peer {
            Peer::Client(member) => self.holds_member(member),
            Peer::Node(node) => roster
                .node(node)
                .is_some_and(|node| self.holds_member(&node.operator)),
        }
    }
}

/// Who is suspended now and later. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct SuspensionHandle(Arc<watch::Sender<Arc<Suspensions>>>);

impl SuspensionHandle {
    /// Who is suspended at this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Suspensions> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts another list in force.
    pub fn replace(&self, suspensions: Suspensions) {
        self.0.send_if_modified(|held| {
            let differs = **held != suspensions;
            if differs {
                *held = Arc::new(suspensions);
            }
            differs
        });
    }

    /// Tells whenever another list comes into force.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Suspensions>> {
        self.0.subscribe()
    }
}
