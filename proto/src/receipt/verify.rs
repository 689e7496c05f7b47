//! Verifying receipts, offline. Spec: RCP-1 to RCP-8.

use super::{CachedCheckpoint, CheckpointCache, Receipt, ReceiptError, Statement, VerifiedReceipt};
use crate::{
    id::EnvelopeId,
    limits,
    log::{
        Checkpoint, CheckpointError, Hash, Leaf, LogKey, LogVerifier, Origin, checkpoint,
        verify_inclusion,
    },
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
    let (checkpoint, signer) = cache.find(&receipt.checkpoint, log, receipt.leaf.time_ms())?;
    receipt.check_node(log)?;
    receipt.check_leaf()?;
    let leaf_hash = receipt.leaf.hash();
    receipt.check_inclusion(&leaf_hash, &checkpoint)?;
    if let Some(envelope) = expected_envelope {
        receipt.check_envelope(envelope)?;
    }
    Ok(VerifiedReceipt {
        time_ms: receipt.leaf.time_ms(),
        index: receipt.index,
        leaf_hash,
        statement: receipt.statement,
        checkpoint,
        log_key: signer.key,
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
    pub(super) fn check_inclusion(
        &self,
        leaf_hash: &Hash,
        head: &Checkpoint,
    ) -> Result<(), ReceiptError> {
        verify_inclusion(leaf_hash, self.index, head.size, &self.hashes, &head.root)?;
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

    /// A checkpoint of `log` that covers a leaf of `time_ms`, its signature checked now or before.
    /// Spec: RCP-5, RCP-16.
    ///
    /// # Errors
    /// [`CheckpointError`]. Failures are not remembered.
    pub fn verify(
        &mut self,
        note: &[u8],
        log: &LogVerifier,
        time_ms: u64,
    ) -> Result<Checkpoint, CheckpointError> {
        Ok(self.find(note, log, time_ms)?.0)
    }

    /// The checkpoint, and the key that signed it.
    fn find(
        &mut self,
        note: &[u8],
        log: &LogVerifier,
        time_ms: u64,
    ) -> Result<(Checkpoint, LogKey), CheckpointError> {
        let known = self.verified.iter().find(|cached| {
            *cached.note == *note && *cached.keys == *log.keys() && cached.head.origin == log.origin
        });
        // The bytes are judged once, but each receipt under them has a time of its own.
        if let Some(cached) = known {
            cached.signer.check_time(time_ms)?;
            return Ok((cached.head.clone(), cached.signer.clone()));
        }
        let (head, signer) = checkpoint::parse_and_find_signer(note, log)?;
        signer.check_time(time_ms)?;
        self.verified.truncate(CACHED_CHECKPOINTS_MAX - 1);
        self.verified.push_front(CachedCheckpoint {
            note: note.into(),
            keys: log.keys().into(),
            signer: signer.clone(),
            head: head.clone(),
        });
        Ok((head, signer.clone()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        error::WireCode,
        id::MessageId,
        keys::SigningKey,
        log::{self, Frontier, LeafError, NoteError, ProofError, batch_append},
        receipt::{Check, Outcome, StatementError, build, checks},
        v1::Event,
    };

    const NODE: &str = "node-b";
    const ENVELOPE: EnvelopeId = EnvelopeId([5; 32]);

    struct Log(LogVerifier, SigningKey);

    fn log_of(node: &str) -> Log {
        let key = SigningKey::from_seed(&[7; 32]);
        let verifier = LogVerifier::new(log::origin("f.test", node, 1), key.verifying_key());
        Log(verifier, key)
    }

    fn statement() -> Statement {
        Statement {
            envelope_id: Some(ENVELOPE),
            message_id: Some(MessageId([6; 16])),
            sender: "hotline.a".to_owned(),
            recipients: vec!["police.b".to_owned()],
            ..Statement::new(Event::Accepted, NODE)
        }
    }

    /// A receipt of entry 7 of 8, its leaf made as told.
    fn receipt_with(log: &Log, bytes: &Bytes, leaf: &Leaf, salt: &[u8; 32]) -> v1::Receipt {
        let mut leaves: Vec<Hash> = (0..7).map(|i: u8| log::leaf_hash(&[i])).collect();
        leaves.push(leaf.hash());
        let grown = batch_append(&Frontier::new(), &leaves);
        let head = Checkpoint {
            origin: log.0.origin.clone(),
            size: 8,
            root: grown.root,
        };
        let note = checkpoint::sign(&head, &log.1).expect("valid head");
        build(bytes.clone(), salt, leaf, 7, &grown.proofs[7], note)
    }

    fn good() -> (v1::Receipt, Log) {
        let log = log_of(NODE);
        let bytes = statement().encode().expect("within the rules");
        let leaf = Leaf::build(Event::Accepted, 1234, &[3; 32], &bytes);
        (receipt_with(&log, &bytes, &leaf, &[3; 32]), log)
    }

    fn outcomes(checks: &[Check]) -> Vec<Outcome> {
        checks.iter().map(|check| check.outcome).collect()
    }

    // RCP-1 to RCP-9, RCP-12
    #[test]
    fn a_receipt_verifies_and_every_check_is_named() {
        let (receipt, log) = good();
        let proved = verify(&receipt, &log.0, Some(ENVELOPE)).expect("untouched");
        assert_eq!(proved.statement, statement());
        assert_eq!((proved.time_ms, proved.index), (1234, 7));
        assert_eq!(proved.checkpoint.size, 8);
        let list = checks(&receipt, &log.0, Some(ENVELOPE));
        let names: Vec<&str> = list.iter().map(|check| check.name.as_str()).collect();
        let expected = [
            "receipt is well-formed",
            "receipt signed by the log of node-b",
            "statement is made by node-b",
            "statement matches the leaf",
            "entry #7 is in the log of size 8",
            "covers the envelope you name",
        ];
        assert_eq!(names, expected);
        assert_eq!(outcomes(&list), [Outcome::Holds; 6]);
        assert_eq!(checks(&receipt, &log.0, None).len(), 5);
    }

    // RCP-1 to RCP-8: each failure has its own error, and the named checks agree with it.
    #[test]
    fn a_wrong_receipt_is_refused_by_its_reason() {
        type Change = fn(&mut v1::Receipt);
        let cases: [(Change, ReceiptError); 14] = [
            (|r| r.salt.truncate(31), ReceiptError::Salt),
            (|r| r.hashes[1].truncate(31), ReceiptError::Hash),
            (
                |r| r.hashes = vec![r.hashes[0].clone(); 64],
                ReceiptError::TooLarge,
            ),
            (
                |r| r.checkpoint = Bytes::from(vec![b'x'; limits::CHECKPOINT_BYTES_MAX + 1]),
                ReceiptError::TooLarge,
            ),
            (
                |r| r.statement = Bytes::from(vec![0; 16 * 1024 + 1]),
                StatementError::TooLarge.into(),
            ),
            (|r| r.statement = Bytes::new(), StatementError::Event.into()),
            (|r| r.leaf = Bytes::new(), LeafError::Length.into()),
            (
                |r| r.salt = Bytes::from(vec![4; 32]),
                LeafError::Mismatch.into(),
            ),
            (
                |r| {
                    let other = Statement {
                        sender: "hotline.x".to_owned(),
                        ..statement()
                    };
                    r.statement = other.encode().expect("within the rules");
                },
                LeafError::Mismatch.into(),
            ),
            (|r| r.index = 6, ProofError::RootMismatch.into()),
            (|r| r.index = 8, ProofError::IndexOutside.into()),
            (
                |r| {
                    r.hashes.pop();
                },
                ProofError::WrongLength.into(),
            ),
            (
                |r| r.checkpoint = Bytes::new(),
                CheckpointError::from(NoteError::Shape).into(),
            ),
            (
                |r| {
                    let mut note = r.checkpoint.to_vec();
                    let size = note.iter().position(|b| *b == b'8').expect("the size line");
                    note[size] = b'9';
                    r.checkpoint = Bytes::from(note);
                },
                CheckpointError::from(NoteError::BadSignature).into(),
            ),
        ];
        let (receipt, log) = good();
        for (change, error) in cases {
            let mut wrong = receipt.clone();
            change(&mut wrong);
            let refused = verify(&wrong, &log.0, Some(ENVELOPE));
            assert_eq!(refused, Err(error));
            let list = outcomes(&checks(&wrong, &log.0, Some(ENVELOPE)));
            assert!(list.contains(&Outcome::Fails(error)), "{list:?}");
        }
    }

    // RCP-4: a leaf committed to as ACCEPTED cannot be shown with a statement of another event.
    #[test]
    fn a_leaf_of_another_event_is_refused() {
        let log = log_of(NODE);
        let bytes = statement().encode().expect("within the rules");
        let leaf = Leaf::build(Event::Submitted, 1234, &[3; 32], &bytes);
        let receipt = receipt_with(&log, &bytes, &leaf, &[3; 32]);
        let refused = verify(&receipt, &log.0, None);
        assert_eq!(refused, Err(ReceiptError::EventMismatch));
    }

    // RCP-6: a node's log cannot speak for another node.
    #[test]
    fn a_statement_in_another_nodes_log_is_refused() {
        let elsewhere = log_of("node-c");
        let bytes = statement().encode().expect("within the rules");
        let leaf = Leaf::build(Event::Accepted, 1234, &[3; 32], &bytes);
        let receipt = receipt_with(&elsewhere, &bytes, &leaf, &[3; 32]);
        let refused = verify(&receipt, &elsewhere.0, None);
        assert_eq!(refused, Err(ReceiptError::WrongNode));
    }

    // RCP-8
    #[test]
    fn a_receipt_for_another_envelope_is_refused() {
        let (receipt, log) = good();
        let other = EnvelopeId([6; 32]);
        let refused = verify(&receipt, &log.0, Some(other));
        assert_eq!(refused, Err(ReceiptError::WrongEnvelope));
        assert!(verify(&receipt, &log.0, None).is_ok());
        let list = outcomes(&checks(&receipt, &log.0, Some(other)));
        assert_eq!(
            list.last(),
            Some(&Outcome::Fails(ReceiptError::WrongEnvelope))
        );
    }

    // RCP-5: a remembered checkpoint serves only the same bytes, log and key.
    #[test]
    fn the_cache_never_believes_more_than_the_signature_check() {
        let (receipt, log) = good();
        let mut cache = CheckpointCache::new();
        for _ in 0..3 {
            assert!(verify_cached(&receipt, &log.0, None, &mut cache).is_ok());
        }
        assert_eq!(cache.verified.len(), 1);
        let other_key = SigningKey::from_seed(&[8; 32]).verifying_key();
        let other_key = LogVerifier::new(log.0.origin.clone(), other_key);
        let refused = verify_cached(&receipt, &other_key, None, &mut cache);
        let unsigned = CheckpointError::from(NoteError::Unsigned);
        assert_eq!(refused, Err(unsigned.into()));
        let other_log = log_of("node-c").0;
        let refused = verify_cached(&receipt, &other_log, None, &mut cache);
        assert_eq!(refused, Err(CheckpointError::Origin.into()));
        for size in 1..100 {
            let head = Checkpoint {
                origin: log.0.origin.clone(),
                size,
                root: [1; 32],
            };
            let note = checkpoint::sign(&head, &log.1).expect("valid head");
            assert_eq!(cache.verify(&note, &log.0, 1234), Ok(head));
        }
        assert_eq!(cache.verified.len(), CACHED_CHECKPOINTS_MAX);
    }

    // RCP-16: a key that has ended proves nothing of what came later, cached or not; what it signed
    // in its time stays proved.
    #[test]
    fn a_log_key_proves_nothing_of_the_time_after_its_end() {
        let (receipt, log) = good();
        let next = SigningKey::from_seed(&[8; 32]);
        let in_force = LogKey {
            key: next.verifying_key(),
            not_after_ms: None,
        };
        let ended_at = |end_ms| {
            let earlier = LogKey {
                key: log.1.verifying_key(),
                not_after_ms: Some(end_ms),
            };
            LogVerifier::with_earlier(log.0.origin.clone(), in_force.clone(), [earlier])
        };
        // The leaf is of 1234 ms.
        assert!(verify(&receipt, &ended_at(1235), None).is_ok());
        let ended = Err(ReceiptError::from(CheckpointError::KeyEnded));
        assert_eq!(verify(&receipt, &ended_at(1234), None), ended);
        let list = outcomes(&checks(&receipt, &ended_at(1234), None));
        assert_eq!(list[1], Outcome::Fails(CheckpointError::KeyEnded.into()));
        let later = Leaf::build(Event::Accepted, 1235, &[3; 32], &receipt.statement);
        let later = receipt_with(&log, &receipt.statement, &later, &[3; 32]);
        let mut cache = CheckpointCache::new();
        for _ in 0..2 {
            let mut judge = |receipt| verify_cached(receipt, &ended_at(1235), None, &mut cache);
            assert!(judge(&receipt).is_ok());
            assert_eq!(judge(&later), ended);
        }
        // A proof of the same entry under a newer checkpoint proves it again.
        let upgraded = Log(log.0.clone(), next);
        let upgraded = receipt_with(
            &upgraded,
            &receipt.statement,
            &receipt_leaf(&receipt),
            &[3; 32],
        );
        assert!(verify(&upgraded, &ended_at(1), None).is_ok());
    }

    fn receipt_leaf(receipt: &v1::Receipt) -> Leaf {
        Leaf::parse(&receipt.leaf).expect("own output")
    }

    // ERR-1
    #[test]
    fn a_refused_receipt_has_a_wire_code() {
        let code = WireCode::from(ReceiptError::WrongEnvelope);
        assert_eq!(code, WireCode::BadReceipt);
        let code = WireCode::from(ReceiptError::Proof(ProofError::RootMismatch));
        assert_eq!(code, WireCode::BadReceipt);
        assert_eq!(WireCode::from(ReceiptError::TooLarge), WireCode::TooLarge);
    }
}
