//! Receipts: proof that a node's log holds a statement, verified without asking anybody.
//!
//! A receipt carries the statement, the salt that opens its leaf's commitment, the leaf, its
//! inclusion proof and the signed checkpoint. With the log's key from a roster it verifies
//! offline, for as long as anyone keeps it. This file holds the nouns; the children build,
//! check and write them.
//! Spec: chapter RCP.

mod build;
mod check;
mod member;
mod statement;
mod text;
mod verify;

pub use build::build;
pub use check::{checks, checks_cached};
pub use member::{may_state, member_word};
pub use text::{from_tlog_proof_text, to_tlog_proof_text};
pub use verify::{verify, verify_cached};

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    keys::VerifyingKey,
    log::{Checkpoint, CheckpointError, Hash, Leaf, LeafError, LogKey, ProofError, SALT_BYTES},
    roster::RosterRef,
    v1::Event,
};

/// What a node states it did. Spec: RCP-2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What happened.
    pub event: Event,
    /// The node that states it.
    pub node: String,
    /// The envelope it is about, if it is about one.
    pub envelope_id: Option<EnvelopeId>,
    /// The message that the envelope carries.
    pub message_id: Option<MessageId>,
    /// The envelope's sender, or empty.
    pub sender: String,
    /// The recipients that the node answers for.
    pub recipients: Vec<String>,
    /// Wire code of a rejection; 0 for every other event.
    pub code: u32,
    /// Rejection of a reused message id: the envelope already held.
    pub other_envelope_id: Option<EnvelopeId>,
    /// Stage: the member's own signed statement; empty for every other event.
    pub member_statement: Bytes,
    /// The roster that came into force, with a change of trust.
    pub roster: Option<RosterRef>,
    /// The checkpoint of another log that was seen, or two that contradict each other: each a note
    /// with the log's own signature alone.
    pub checkpoints: Vec<Bytes>,
    /// A log that begins: the newest checkpoint held of the one before it, as its log signed it, or
    /// empty. Spec: BAK-20.
    pub ended_log: Bytes,
    /// A log that begins: the newest checkpoint of the one before it that others have seen, or empty.
    pub seen_log: Bytes,
    /// What was erased and why; absent for every other event.
    pub erasure: Option<Erasure>,
}

/// What was erased, and why. Spec: ERA-3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Why.
    pub ground: String,
    /// By which order or rule.
    pub authority: String,
    /// Entries of the same log whose statements and salts are gone, ascending.
    pub entries: Vec<u64>,
    /// The member who ordered it; empty: the node's own rule.
    pub ordered_by: String,
}

/// A receipt of the right shape, not believed. Spec: RCP-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the node states.
    pub statement: Statement,
    /// The statement as it was committed to.
    pub statement_bytes: Bytes,
    /// What opens the leaf's commitment.
    pub salt: [u8; SALT_BYTES],
    /// The log entry.
    pub leaf: Leaf,
    /// Its position in the log.
    pub index: u64,
    /// Its inclusion proof, leaf to root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint that the proof leads to.
    pub checkpoint: Bytes,
}

/// What a receipt proves, once it has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// What the node states.
    pub statement: Statement,
    /// When it logged it, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Position in the log.
    pub index: u64,
    /// Hash of the log entry.
    pub leaf_hash: Hash,
    /// The head that the log signed.
    pub checkpoint: Checkpoint,
    /// The log's key that signed it.
    pub log_key: VerifyingKey,
}

/// Checkpoints whose signature was verified lately, so that the receipts of one batch cost one
/// signature check. A hit needs the same bytes, log name and keys.
#[derive(Debug, Default)]
pub struct CheckpointCache {
    verified: VecDeque<CachedCheckpoint>,
}

#[derive(Debug)]
struct CachedCheckpoint {
    note: Box<[u8]>,
    keys: Box<[LogKey]>,
    signer: LogKey,
    head: Checkpoint,
}

/// One step of verification, named for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked, as a sentence without its verdict.
    pub name: String,
    /// The verdict.
    pub outcome: Outcome,
}

/// Verdict of one [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails(ReceiptError),
    /// It rests on a check that failed.
    NotReached,
}

impl Outcome {
    /// `ok`, `failed` or `not reached`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds => "ok",
            Self::Fails(_) => "failed",
            Self::NotReached => "not reached",
        }
    }
}

/// Why bytes are not a statement. Spec: RCP-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Over the size limit.
    #[error("statement over the size limit")]
    TooLarge,
    /// Not a `Statement` message.
    #[error("statement does not decode")]
    Malformed,
    /// No event, or one of a later version.
    #[error("statement has an unknown event")]
    Event,
    /// A malformed envelope, message, member or node id, or one that the event needs is missing.
    #[error("statement has a malformed or missing id")]
    Id,
    /// Too many recipients, one named twice, or none where the event needs one.
    #[error("statement has malformed recipients")]
    Recipients,
    /// A code without a rejection, or a rejection without one.
    #[error("statement's code does not fit its event")]
    Code,
    /// A field that belongs to another event, or a stage without the member's word.
    #[error("statement has a field of another event")]
    Field,
}

impl From<StatementError> for WireCode {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::TooLarge => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

/// Why a receipt does not prove what it should. Spec: RCP-1 to RCP-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The salt is not 32 bytes.
    #[error("receipt's salt has the wrong length")]
    Salt,
    /// A hash of the proof is not 32 bytes.
    #[error("receipt's proof has a malformed hash")]
    Hash,
    /// More hashes than any proof has, or a checkpoint over its limit.
    #[error("receipt over a size limit")]
    TooLarge,
    /// The statement is not one.
    #[error("{0}")]
    Statement(#[from] StatementError),
    /// The leaf is not one, or not that of the statement.
    #[error("{0}")]
    Leaf(#[from] LeafError),
    /// The leaf is of another event than the statement.
    #[error("the leaf's event is not the statement's")]
    EventMismatch,
    /// The checkpoint is not signed by the log.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// The statement is another node's than the log.
    #[error("the statement is made by another node than the log's")]
    WrongNode,
    /// The entry is not in the log.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// It is about another envelope than the one in question.
    #[error("the receipt covers another envelope")]
    WrongEnvelope,
}

impl From<ReceiptError> for WireCode {
    fn from(error: ReceiptError) -> Self {
        match error {
            ReceiptError::TooLarge | ReceiptError::Statement(StatementError::TooLarge) => {
                Self::TooLarge
            }
            _ => Self::BadReceipt,
        }
    }
}
