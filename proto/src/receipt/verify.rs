//! Verifying receipts, offline. Spec: RCP-1 to RCP-8.

use super::{CachedCheckpoint, CheckpointCache, Receipt, ReceiptError, Statement, VerifiedReceipt};
use crate::{
    id::EnvelopeId,
    limits,
    log::{Checkpoint, CheckpointError, Leaf, LogVerifier, Origin, checkpoint, verify_inclusion},
    v1,
};

/// How many checkpoints a cache keeps: the newest of a few logs.
const CACHED_CHECKPOINTS_MAX: usize = 16;

/// Verifies a receipt of `log`, and that it covers `expected_envelope` if one is named.
///
/// # Errors
/// [`ReceiptError`]: the first of [`checks`](super::checks) that fails.
pub fn verify(
    receipt: &v1::Receipt,
    log: &LogVerifier,
    expected_envelope: Option<EnvelopeId>,
) -> Result<VerifiedReceipt, ReceiptError> {
    verify_cached(receipt, log, expected_envelope, &mut CheckpointCache::new())
}

/// As [`verify`], with the checkpoints verified before: the receipts of one batch share one, and
/// each further receipt costs only hashing.
///
/// # Errors
/// As [`verify`].
pub fn verify_cached(
    receipt: &v1::Receipt,
    log: &LogVerifier,
    expected_envelope: Option<EnvelopeId>,
    cache: &mut CheckpointCache,
) -> Result<VerifiedReceipt, ReceiptError> {
    let receipt = Receipt::parse(receipt)?;
    let checkpoint = cache.verify(&receipt.checkpoint, log)?;
    receipt.check_node(log)?;
    receipt.check_leaf()?;
    receipt.check_inclusion(&checkpoint)?;
    if let Some(envelope) = expected_envelope {
        receipt.check_envelope(envelope)?;
    }
    Ok(VerifiedReceipt {
        time_ms: receipt.leaf.time_ms(),
        index: receipt.index,
        leaf_hash: receipt.leaf.hash(),
        statement: receipt.statement,
        checkpoint,
    })
}

impl Receipt {
    /// Judges shape and limits. Spec: RCP-1, RCP-2.
    ///
    /// # Errors
    /// [`ReceiptError::Salt`], [`ReceiptError::Hash`], [`ReceiptError::TooLarge`],
    /// [`ReceiptError::Statement`], [`ReceiptError::Leaf`].
    pub fn parse(receipt: &v1::Receipt) -> Result<Self, ReceiptError> {
        let too_large = receipt.hashes.len() > limits::PROOF_HASHES_MAX
            || receipt.checkpoint.len() > limits::CHECKPOINT_BYTES_MAX;
        if too_large {
            return Err(ReceiptError::TooLarge);
        }
        let hash = |bytes: &bytes::Bytes| bytes[..].try_into().map_err(|_| ReceiptError::Hash);
        Ok(Self {
            statement: Statement::parse(&receipt.statement)?,
            statement_bytes: receipt.statement.clone(),
            salt: receipt.salt[..]
                .try_into()
                .map_err(|_| ReceiptError::Salt)?,
            leaf: Leaf::parse(&receipt.leaf)?,
            index: receipt.index,
            hashes: receipt.hashes.iter().map(hash).collect::<Result<_, _>>()?,
            checkpoint: receipt.checkpoint.clone(),
        })
    }

    /// The statement names the node whose log this is. Spec: RCP-6.
    pub(super) fn check_node(&self, log: &LogVerifier) -> Result<(), ReceiptError> {
        match Origin::parse(&log.origin) {
            Ok(origin) if origin.node == self.statement.node => Ok(()),
            _ => Err(ReceiptError::WrongNode),
        }
    }

    /// The leaf is of the statement's event and commits to it. Spec: RCP-3, RCP-4.
    pub(super) fn check_leaf(&self) -> Result<(), ReceiptError> {
        self.leaf.check(&self.salt, &self.statement_bytes)?;
        if self.leaf.event() != self.statement.event {
            return Err(ReceiptError::EventMismatch);
        }
        Ok(())
    }

    /// The log of the checkpoint holds the leaf. Spec: RCP-7.
    pub(super) fn check_inclusion(&self, head: &Checkpoint) -> Result<(), ReceiptError> {
        let leaf = self.leaf.hash();
        verify_inclusion(&leaf, self.index, head.size, &self.hashes, &head.root)?;
        Ok(())
    }

    /// It is about this envelope. Spec: RCP-8.
    pub(super) fn check_envelope(&self, expected: EnvelopeId) -> Result<(), ReceiptError> {
        (self.statement.envelope_id == Some(expected))
            .then_some(())
            .ok_or(ReceiptError::WrongEnvelope)
    }
}

impl CheckpointCache {
    /// A cache that knows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A checkpoint of `log`, its signature checked now or before. Spec: RCP-5.
    ///
    /// # Errors
    /// [`CheckpointError`]. Failures are not remembered.
    pub fn verify(
        &mut self,
        note: &[u8],
        log: &LogVerifier,
    ) -> Result<Checkpoint, CheckpointError> {
        let key = log.key.as_bytes();
        let known = self.verified.iter().find(|cached| {
            *cached.note == *note && cached.key == *key && cached.head.origin == log.origin
        });
        if let Some(cached) = known {
            return Ok(cached.head.clone());
        }
        let head = checkpoint::parse_and_verify(note, log)?;
        self.verified.truncate(CACHED_CHECKPOINTS_MAX - 1);
        self.verified.push_front(CachedCheckpoint {
            note: note.into(),
            key: *key,
            head: head.clone(),
        });
        Ok(head)
    }
}
