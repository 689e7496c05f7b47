//! The roster in force as a member's directory keeps it.

use std::{fs::File, io, path::PathBuf};

use frex_proto::{limits, roster::Roster};

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
    fn hold(&self) -> io::Result<Option<File>> {
        file::hold(&self.roster).map(Some)
    }

    fn keep(&self, bundle: &[u8]) -> io::Result<()> {
        file::replace(&self.roster, bundle).map_err(io::Error::other)
    }

    fn kept(&self) -> io::Result<Vec<u8>> {
        let bytes_max = limits::ROSTER_BUNDLE_BYTES_MAX as u64;
        let kept = file::read_capped(&self.roster, bytes_max, "roster file");
        Ok(kept.map_err(io::Error::other)?.to_vec())
    }

    fn keep_evidence(&self, roster: &Roster) -> io::Result<()> {
        std::fs::create_dir_all(&self.evidence)?;
        let path = self.evidence.join(evidence_name(roster));
        match file::write_new(&path, roster.bytes()) {
            Err(KeyFileError::Exists { .. }) => Ok(()),
            kept => kept.map_err(io::Error::other),
        }
    }
}

/// Under what name a contradicted roster is kept: the same one always under the same.
#[must_use]
pub fn evidence_name(roster: &Roster) -> String {
    let (version, hash) = (roster.version(), hex::encode(&roster.sha256()[..8]));
    format!("roster-v{version}-{hash}.frex")
}
