//! The roster in force as a member's directory keeps it.

use std::{
    io,
    path::{Path, PathBuf},
};

use frex_proto::label::sha256;

use super::RosterStore;
use crate::keys::{KeyFileError, MemberHome, file};

/// The folder of rosters that contradict the one in force.
pub const EVIDENCE_DIR: &str = "evidence";

/// A member's directory.
#[derive(Debug)]
pub struct HomeStore {
    roster: PathBuf,
    evidence: PathBuf,
}

impl HomeStore {
    /// The store of a member's directory.
    #[must_use]
    pub fn new(home: &MemberHome) -> Self {
        Self {
            roster: home.roster_path(),
            evidence: home.dir().join(EVIDENCE_DIR),
        }
    }
}

impl RosterStore for HomeStore {
    fn keep(&self, bundle: &[u8]) -> io::Result<()> {
        file::replace(&self.roster, bundle).map_err(io::Error::other)
    }

    fn keep_evidence(&self, bundle: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.evidence)?;
        match file::write_new(&evidence_path(&self.evidence, bundle), bundle) {
            Err(KeyFileError::Exists { .. }) => Ok(()),
            kept => kept.map_err(io::Error::other),
        }
    }
}

/// Where a contradicting bundle is kept: the same one always under the same name.
#[must_use]
pub fn evidence_path(folder: &Path, bundle: &[u8]) -> PathBuf {
    let hash = sha256(&[bundle]);
    folder.join(format!("roster-{}.frex", hex::encode(&hash[..8])))
}
