//! The append-only log as mathematics: RFC 6962 trees and the C2SP formats around them.
//!
//! A node's log holds one 48-byte [`Leaf`] per statement. The tree over them is RFC 6962; heads,
//! signatures, proofs and stored tiles are byte for byte what C2SP specifies (signed-note,
//! tlog-checkpoint, tlog-cosignature, tlog-proof, tlog-tiles), so that any C2SP verifier reads
//! them. This file holds the nouns; each child adds the verbs of one format.
//! Spec: chapter LOG.

pub mod checkpoint;
pub mod cosignature;
pub mod edge;
pub mod follow;
pub mod fork;
pub mod leaf;
pub mod note;
pub mod proof;
mod subtree;
pub mod tile;
pub mod tlog_proof;
pub mod tree;
pub mod witness;

pub use checkpoint::CheckpointError;
pub use follow::FollowError;
pub use fork::ForkError;
pub use leaf::LeafError;
pub use note::NoteError;
pub use proof::{
    ProofError, consistency_proof, inclusion_proof, proven_roots, verify_consistency,
    verify_inclusion,
};
pub use tlog_proof::TlogProofError;
pub use tree::{TreeError, batch_append};

use bytes::Bytes;

pub use crate::label::Hash;
use crate::{
    id::{self, IdError},
    keys::{CompanionKey, VerifyingKey},
    label,
};

/// Largest number of entries of a log: what a signed 64-bit number holds, as other C2SP
/// implementations count. Spec: LOG-16.
pub const SIZE_MAX: u64 = i64::MAX.cast_unsigned();
/// The time to give where the question is which of its keys a log signed with, and not when: to
/// who reads its own files.
pub const ANY_TIME_MS: u64 = 0;
/// Bytes of a leaf. Spec: LOG-2.
pub const LEAF_BYTES: usize = 48;
/// Bytes of the salt that hides a leaf's statement. Spec: LOG-3.
pub const SALT_BYTES: usize = 32;

/// Hash of an entry: SHA-256 of a zero byte and the entry. Spec: LOG-1.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    label::sha256(&[&[0], entry])
}

/// Hash of an inner node: SHA-256 of a one byte and both children. Spec: LOG-1.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    label::sha256(&[&[1], left, right])
}

/// Root of the tree without entries. Spec: LOG-1.
#[must_use]
pub fn empty_root() -> Hash {
    label::sha256(&[])
}

/// A tree reduced to the roots of its complete subtrees, largest first: all that appending and
/// the root need, in O(log n) memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

/// A tree reduced to the hashes of its partial tiles: all that making every further tile needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    rows: Vec<Vec<Hash>>,
}

/// A complete subtree of 2^`level` entries; the `index`-th of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    /// Height: 0 is an entry's own hash.
    pub level: u8,
    /// Position among the subtrees of this level.
    pub index: u64,
    /// Its root.
    pub hash: Hash,
}

/// What appending a batch gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchAppend {
    /// The tree after the batch.
    pub frontier: Frontier,
    /// The root after the batch.
    pub root: Hash,
    /// For each new entry, its inclusion proof in the tree after the batch.
    pub proofs: Vec<Vec<Hash>>,
    /// The subtrees that the batch completed, lowest level first: what a node stores for later
    /// proofs.
    pub completed: Vec<Subtree>,
}

/// A log entry: event, time and a salted commitment to a statement; nothing that identifies
/// anybody. Spec: LOG-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf([u8; LEAF_BYTES]);

/// A log's head: so many entries, with this root. Spec: LOG-5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name; also the name of its key.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Whose signature makes a checkpoint believed: the log's name with its keys. Spec: LOG-22.
#[derive(Debug, Clone)]
pub struct LogVerifier {
    /// The log's name, `frex/<federation>/<node>/log/<epoch>`.
    pub origin: String,
    keys: Vec<LogKey>,
}

/// A key of a log or of a witness. Spec: LOG-22, WIT-24.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// The key.
    pub key: VerifyingKey,
    /// First millisecond of which it can say nothing any more; none: until another follows it.
    pub not_after_ms: Option<u64>,
}

/// Whose cosignatures count: a witness's name with its keys. Spec: LOG-10, WIT-24.
#[derive(Debug, Clone)]
pub struct WitnessVerifier {
    /// The witness's name, `frex/<federation>/<node>/witness/<epoch>`.
    pub name: String,
    /// The witness's key.
    pub key: VerifyingKey,
    /// Those before it, newest first; each says nothing from its end on.
    pub earlier: Vec<LogKey>,
}

/// How many cosignatures, and whose, make a checkpoint of one log final. Spec: WIT-1.
#[derive(Debug, Clone)]
pub struct WitnessPolicy {
    /// Whose count.
    pub witnesses: Vec<WitnessVerifier>,
    /// How many of them.
    pub quorum: usize,
}

/// What a log asks of a witness. Spec: WIT-3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned before; 0: none.
    pub old_size: u64,
    /// Leads from there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The signed note.
    pub checkpoint: Bytes,
}

/// Two checkpoints that contradict each other: whoever reads them sees that their log has signed two
/// histories. Spec: WIT-10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The log.
    pub origin: String,
    /// The size at which the histories differ.
    pub size: u64,
    /// The roots of that size.
    pub roots: [Hash; 2],
    /// The checkpoints, each with the log's signature alone.
    pub checkpoints: [Bytes; 2],
}

/// A witness's word that it saw a checkpoint and that it is consistent with all earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness's name.
    pub witness: String,
    /// When it cosigned, seconds since the Unix epoch.
    pub time_s: u64,
}

/// A text with signatures, parsed but not believed. Spec: LOG-7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: [u8; 4],
    signature: Vec<u8>,
}

/// What a note key signs; the byte is part of its key id. Spec: LOG-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NoteKeyKind {
    /// Ed25519 over the note's text.
    Ed25519 = 0x01,
    /// Ed25519 over a time and a checkpoint's text (`cosignature/v1`).
    Cosignature = 0x04,
    /// ML-DSA-44 over a name, a time and a head (`subtree/v1`).
    Subtree = 0x06,
}

/// The public key of a note key, by what it signs. Spec: LOG-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotePublicKey {
    /// Signs notes.
    Ed25519(VerifyingKey),
    /// Cosigns.
    Cosignature(VerifyingKey),
    /// Signs heads as a log, or cosigns them, beside an Ed25519 key.
    Subtree(CompanionKey),
}

/// A named note key, as a verifier key line (vkey) carries it. Spec: LOG-8.
#[derive(Debug, Clone)]
pub struct NoteKey {
    /// Name on its signature lines.
    pub name: String,
    /// The key.
    pub key: NotePublicKey,
}

/// The parts of a tlog-proof file, parsed but not believed. Spec: LOG-13.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Application data, not authenticated by the format.
    pub extra: Option<Bytes>,
    /// Position of the entry.
    pub index: u64,
    /// Inclusion proof, leaf to root.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: Bytes,
}

/// What a tile file holds. Spec: LOG-14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level entries.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// One file of a log as C2SP tlog-tiles lays it out. Spec: LOG-14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Position among the tiles of its kind.
    pub index: u64,
    /// How many hashes or entries: 1..=256; fewer than 256 is a partial tile.
    pub width: u16,
}

/// Name of a node's log. Spec: LOG-4.
#[must_use]
pub fn origin(federation: &str, node: &str, epoch: u32) -> String {
    format!("frex/{federation}/{node}/log/{epoch}")
}

/// Name of a node's witness. Spec: LOG-10.
#[must_use]
pub fn witness_name(federation: &str, node: &str, epoch: u32) -> String {
    format!("frex/{federation}/{node}/witness/{epoch}")
}

/// The parts of a log's name. Spec: LOG-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The federation's id.
    pub federation: &'a str,
    /// The node's id.
    pub node: &'a str,
    /// Which log of the node: 1, 2, …; a new key signs the same log, a new epoch is an empty one.
    pub epoch: u32,
}

impl<'a> Origin<'a> {
    /// Reads a log's name.
    ///
    /// # Errors
    /// [`IdError`] unless it is exactly what [`origin`] writes for valid ids and an epoch from 1.
    pub fn parse(text: &'a str) -> Result<Self, IdError> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(IdError);
        let (frex, federation, node, log, epoch) = (part()?, part()?, part()?, part()?, part()?);
        let epoch_number: u32 = epoch.parse().map_err(|_| IdError)?;
        id::check_name(federation)?;
        id::check_name(node)?;
        let canonical = epoch_number > 0 && epoch_number.to_string() == epoch;
        if frex != "frex" || log != "log" || !canonical || parts.next().is_some() {
            return Err(IdError);
        }
        Ok(Self {
            federation,
            node,
            epoch: epoch_number,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // LOG-1: the published test values of RFC 6962's tree hash.
    #[test]
    fn hashes_are_those_of_rfc_6962() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let zero_leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(hex::encode(empty_root()), empty);
        assert_eq!(hex::encode(leaf_hash(b"")), zero_leaf);
    }

    // LOG-4
    #[test]
    fn an_origin_reads_back_and_only_its_exact_form_is_taken() {
        let text = origin("eu.example", "node-1", 12);
        let parts = Origin::parse(&text).expect("own output");
        assert_eq!(
            (parts.federation, parts.node, parts.epoch),
            ("eu.example", "node-1", 12)
        );
        for wrong in [
            "",
            "frex/f/n/log",
            "frex/f/n/log/0",
            "frex/f/n/log/01",
            "frex/f/n/log/+1",
            "frex/f/n/log/1/",
            "frex/F/n/log/1",
            "frex/f//log/1",
            "frex/f/n/witness/1",
            "other/f/n/log/1",
            "frex/f/n/log/4294967296",
        ] {
            assert_eq!(Origin::parse(wrong), Err(IdError), "{wrong}");
        }
    }
}
