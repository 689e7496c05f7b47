//! Keys that follow one another: NEXT → ACTIVE → RETIRING → RETIRED. Spec: FIL-14 to FIL-18.
//!
//! ```text
//! sealing.next.key       NEXT: made, not in use yet
//! sealing.key            ACTIVE
//! sealing.5c1f2b90.key   RETIRING: kept until its time is over, then destroyed
//! rotation.toml          which is which, since when and until when
//! ```
//!
//! Every move writes the record first and renames then. Whoever opens the folder next ends what a
//! crash cut short.

use std::path::{Path, PathBuf};

use frex_proto::id::KeyId;
use serde::{Deserialize, Serialize};

mod moves;
mod record;
mod settle;

/// The record of a folder of keys.
pub const ROTATION_FILE: &str = "rotation.toml";

/// What a key is for; its file is called after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyUse {
    /// Signs envelopes, statements and the member's document.
    Identity,
    /// Opens what is sealed to the member.
    Sealing,
    /// Authenticates connections.
    Tls,
    /// Signs a node's log.
    Log,
    /// Cosigns the logs of other nodes.
    Witness,
}

/// Where a key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Made and kept, not in use yet.
    Next,
    /// In use.
    Active,
    /// Followed by another, and kept for what still needs it.
    Retiring,
    /// Destroyed: its file is overwritten and gone.
    Retired,
}

/// What is recorded of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// Where it is in its life.
    pub state: KeyState,
    /// Its short hash.
    #[serde(with = "record::key_id")]
    pub key_id: KeyId,
    /// When it came into this state, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When it is destroyed; only of one that is RETIRING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// A folder of keys, a member's or a node's, with what is recorded of them. A folder whose keys
/// never followed one another has no record: its keys are ACTIVE.
#[derive(Debug)]
pub struct KeyFolder {
    dir: PathBuf,
    records: Vec<KeyRecord>,
}

impl KeyUse {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Identity,
        Self::Sealing,
        Self::Tls,
        Self::Log,
        Self::Witness,
    ];

    /// The name, as files, settings and commands spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Sealing => "sealing",
            Self::Tls => "tls",
            Self::Log => "log",
            Self::Witness => "witness",
        }
    }

    /// The file of the key that is in use.
    #[must_use]
    pub fn active_file(self) -> String {
        format!("{}.key", self.name())
    }

    /// The file of the key that comes next.
    #[must_use]
    pub fn next_file(self) -> String {
        format!("{}.next.key", self.name())
    }

    /// The file of a key that another one has followed.
    #[must_use]
    pub fn retiring_file(self, key_id: KeyId) -> String {
        format!("{}.{}.key", self.name(), hex::encode(&key_id.0[..4]))
    }
}

impl KeyState {
    /// The name, as commands print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

impl KeyRecord {
    /// Its file; none once it is destroyed.
    #[must_use]
    pub fn file(&self) -> Option<String> {
        match self.state {
            KeyState::Next => Some(self.usage.next_file()),
            KeyState::Active => Some(self.usage.active_file()),
            KeyState::Retiring => Some(self.usage.retiring_file(self.key_id)),
            KeyState::Retired => None,
        }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.state == KeyState::Retiring && self.until_ms.is_some_and(|until| until <= now_ms)
    }
}

/// Says in the log which keys were destroyed. Spec: FIL-17.
pub(crate) fn log_destroyed(destroyed: &[KeyRecord]) {
    for gone in destroyed {
        tracing::info!(usage = gone.usage.name(), key = %gone.key_id, "a key was destroyed: its time was over");
    }
}

impl KeyFolder {
    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is recorded, oldest first.
    #[must_use]
    pub fn records(&self) -> &[KeyRecord] {
        &self.records
    }

    /// What is recorded of the keys for one purpose that are in one state, newest first.
    pub fn of(&self, usage: KeyUse, state: KeyState) -> impl Iterator<Item = &KeyRecord> {
        let fits = move |record: &&KeyRecord| record.usage == usage && record.state == state;
        self.records.iter().rev().filter(fits)
    }

    /// The key that comes next.
    #[must_use]
    pub fn next(&self, usage: KeyUse) -> Option<&KeyRecord> {
        self.of(usage, KeyState::Next).next()
    }

    /// What is recorded of the key in this file.
    #[must_use]
    pub fn record_of(&self, file: &str) -> Option<&KeyRecord> {
        let fits = |record: &&KeyRecord| record.file().as_deref() == Some(file);
        self.records.iter().rev().find(fits)
    }

    /// Whether the folder holds a key in this file.
    fn has(&self, file: &str) -> bool {
        // A link to nowhere counts: nothing may be renamed over it.
        self.dir.join(file).symlink_metadata().is_ok()
    }
}

#[cfg(test)]
mod tests;
