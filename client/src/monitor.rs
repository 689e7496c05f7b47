//! Following a log from outside, by the files that it publishes: what an auditor needs who has
//! neither node nor account.
//!
//! A [`Monitor`] takes one head of the log, already believed by its signature, and says which files it
//! wants; whoever runs it fetches them from a folder or a web server and hands them over in that
//! order. What lies between two visits is a [`Followed`], some kilobytes at any size of the log.
//! Spec: chapter AUD.

mod begin;
mod read;
pub mod state;
#[cfg(test)]
mod tests;

pub use begin::extends;

use std::collections::VecDeque;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    log::{Checkpoint, Edge, FollowError, ProofError, Tile},
};

/// What an auditor keeps of a log between two visits. Spec: AUD-5.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Followed {
    /// The newest head that was taken, as served: every later one must extend it. Empty before the
    /// first.
    pub head: Bytes,
    /// The newest head of which every entry from `first` on was read, as served. Empty before the
    /// first.
    pub verified: Bytes,
    /// The first entry that was read; 0 is all of them.
    pub first: u64,
    /// The entries that were read, whole bundles of them.
    pub edge: Edge,
    /// Time of the last of them, milliseconds.
    pub last_ms: u64,
}

/// Why what a log publishes is not to be believed. Spec: chapter AUD.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The head does not follow the one before.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The first entry wanted is not there.
    #[error("the log has only {0} entries")]
    Outside(u64),
    /// A hash tile contradicts the entries.
    #[error("{0} is not what the entries make it")]
    Tile(String),
    /// An entry bundle that does not decode.
    #[error("{0} does not decode")]
    Bundle(String),
    /// Not a leaf. Spec: LOG-2.
    #[error("entry #{0} is no leaf of the known format")]
    Leaf(u64),
    /// Time goes back. Spec: LOG-18.
    #[error("entry #{0} is of an earlier time than the one before it")]
    Backwards(u64),
    /// The entries contradict the head.
    #[error("the entries do not make the root that was signed")]
    Root,
}

impl From<&Fault> for WireCode {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Follow(error) => (*error).into(),
            Fault::Outside(_) => Self::BadInput,
            _ => Self::BadProof,
        }
    }
}

impl From<ProofError> for Fault {
    fn from(_: ProofError) -> Self {
        Self::Follow(FollowError::Hashes)
    }
}

/// Why a kept state is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Not the text that is written, or not whole.
    #[error("what is kept of the log is damaged")]
    Damaged,
}

/// Reads a log up to one head. Spec: AUD-3, AUD-4.
#[derive(Debug)]
pub struct Monitor {
    followed: Followed,
    target: Checkpoint,
    /// Entries that the last visit left behind.
    before: u64,
    /// The entries read so far.
    edge: Edge,
    last_ms: u64,
    /// The next bundle to read.
    bundle: u64,
    /// Hash tiles that the last bundle completed, with what they must hold.
    pending: VecDeque<(Tile, Vec<u8>)>,
}
