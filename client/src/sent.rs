//! What a program has sealed, under names of its own, so that a report that is tried again is
//! never a second one.
//!
//! A *reference* is the program's name for a report: its number in a case system, say. An envelope
//! is kept under its reference, durable, before it leaves; a program that was stopped in between
//! finds it and submits the very same bytes, which the node answers as it did before. Once they are
//! submitted, only its name, ids and address stay, until a month after the report has expired. Neither
//! the content nor a key is kept: what is sealed opens for its recipients only. Spec: MBR-13 to
//! MBR-17.

use std::{collections::BTreeMap, fs::File, io, path::PathBuf};

use frex_proto::{
    envelope::{EnvelopeError, SignedEnvelope},
    error::WireCode,
    id::{EnvelopeId, MessageId},
    v1,
};

use crate::keys::KeyFileError;

mod forget;
mod log;
mod recollect;
mod sealed;
mod store;

/// Longest reference, bytes.
pub const REFERENCE_BYTES_MAX: usize = 256;

/// What was sent from one folder. One program at a time holds it.
#[derive(Debug)]
pub struct SentStore {
    folder: PathBuf,
    /// Held for as long as the store lives.
    _lock: File,
    log: File,
    rows: BTreeMap<Name, Row>,
    /// Number of the next batch.
    next: u64,
}

/// A report to be sent, as its sender names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Hash of the reference.
    name: Name,
    /// Hash of what is said, and to whom.
    words: Name,
}

/// An envelope under its sender's reference.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The sender's name for it.
    pub reference: String,
    /// What it names.
    pub named: Named,
    /// The message that it carries.
    pub message: MessageId,
    /// What it is about.
    pub kind: v1::Kind,
    /// How fast it must travel.
    pub lane: v1::Lane,
    /// When it was made.
    pub created_ms: u64,
    /// When its delivery is given up.
    pub expires_ms: u64,
    /// Sealed and signed.
    pub envelope: SignedEnvelope,
}

/// Envelopes that were kept together.
#[derive(Debug)]
pub struct KeptBatch {
    /// What is in it.
    pub items: Vec<Kept>,
    path: PathBuf,
}

/// A report that was submitted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentBefore {
    /// Its message.
    pub message: MessageId,
    /// Its envelope.
    pub envelope: EnvelopeId,
}

/// What is known of a reference.
#[derive(Debug)]
pub enum Found {
    /// Nothing: it may be sealed.
    Nothing,
    /// It was sealed and may not have been submitted: it is in one of the pending batches.
    Sealed(SentBefore),
    /// It was submitted.
    Submitted(SentBefore),
}

/// A message as it is known after it has left. Spec: MBR-17.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its ids.
    pub sent: SentBefore,
    /// When its delivery is given up.
    pub expires_ms: u64,
    /// Whether it is known to be submitted.
    pub submitted: bool,
    /// None: it was submitted by a program that did not keep this.
    pub address: Option<Address>,
}

/// What stands on the outside of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The sender's name for it.
    pub reference: String,
    /// Its recipients.
    pub to: Vec<String>,
    /// What it is about.
    pub kind: v1::Kind,
    /// How fast it travels.
    pub lane: v1::Lane,
    /// When it was made.
    pub created_ms: u64,
}

/// Sixteen bytes of a hash.
type Name = [u8; 16];

#[derive(Debug, Clone, Copy)]
struct Row {
    words: Name,
    sent: SentBefore,
    expires_ms: u64,
    submitted: bool,
}

/// Why nothing is known of what was sent, or nothing can be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SentError {
    /// Empty or too long.
    #[error("a reference has 1 to 256 bytes")]
    Reference,
    /// The caller gives one name to two reports.
    #[error("this reference was used for another report, or for other recipients")]
    OtherReport,
    /// Another program sends from this folder.
    #[error("another program sends from this folder now")]
    Locked,
    /// A file of ours is not what it should be.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The disk refuses.
    #[error("cannot use {}", path.display())]
    Io {
        /// What it is about.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder is open to others, or the disk refuses.
    #[error(transparent)]
    Files(#[from] KeyFileError),
    /// An envelope that was kept does not read back.
    #[error("an envelope that was kept does not read back")]
    Envelope(#[from] EnvelopeError),
}

impl From<&SentError> for WireCode {
    fn from(error: &SentError) -> Self {
        match error {
            SentError::Reference => Self::BadInput,
            SentError::OtherReport => Self::IdReuse,
            SentError::Locked => Self::Locked,
            SentError::Files(error) => error.into(),
            SentError::Damaged { .. } | SentError::Envelope(_) | SentError::Io { .. } => {
                Self::Files
            }
        }
    }
}

impl From<SentError> for WireCode {
    fn from(error: SentError) -> Self {
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests;
