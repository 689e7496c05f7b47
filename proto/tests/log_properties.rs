//! Properties of the log and of receipts over random trees, texts and damage.

use bytes::Bytes;
use frex_proto::{
    id::{EnvelopeId, MessageId},
    keys::SigningKey,
    log::{
        self, AddCheckpoint, Checkpoint, Frontier, Hash, Leaf, LogVerifier, NoteKey, SignedNote,
        TlogProof, batch_append, checkpoint, tile, verify_consistency, verify_inclusion,
    },
    receipt::{self, Outcome, Statement},
    v1::{self, Event},
};
use proptest::prelude::*;
use prost::Message as _;

const NODE: &str = "node-b";
const ENVELOPE: EnvelopeId = EnvelopeId([5; 32]);

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn verifier() -> LogVerifier {
    LogVerifier::new(log::origin("f.test", NODE, 1), key().verifying_key())
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|i| log::leaf_hash(&i.to_be_bytes()))
        .collect()
}

fn receipt(before: u64, after: u64) -> v1::Receipt {
    let statement = Statement {
        envelope_id: Some(ENVELOPE),
        message_id: Some(MessageId([6; 16])),
        sender: "hotline.a".to_owned(),
        recipients: vec!["police.b".to_owned()],
        ..Statement::new(Event::Accepted, NODE)
    };
    let bytes = statement.encode().expect("within the rules");
    let leaf = Leaf::build(Event::Accepted, 1_700_000_000_000, &[3; 32], &bytes);
    let old = batch_append(&Frontier::new(), &leaves(before)).frontier;
    let mut batch = vec![leaf.hash()];
    batch.extend(leaves(after));
    let grown = batch_append(&old, &batch);
    let head = Checkpoint {
        origin: verifier().origin,
        size: grown.frontier.size(),
        root: grown.root,
    };
    let note = checkpoint::sign(&head, &key()).expect("valid head");
    receipt::build(bytes, &[3; 32], &leaf, before, &grown.proofs[0], note)
}

// RCP-1 to RCP-8: no single flipped bit of an encoded receipt leaves it valid.
#[test]
fn a_receipt_with_any_flipped_bit_is_refused() {
    let good = receipt(5, 3).encode_to_vec();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(damaged) = v1::Receipt::decode(&bytes[..]) {
            let judged = receipt::verify(&damaged, &verifier(), Some(ENVELOPE));
            assert!(judged.is_err(), "bit {bit}");
        }
    }
}

// RCP-10: the same for its text.
#[test]
fn a_proof_file_with_any_altered_character_is_refused() {
    let good = receipt::to_tlog_proof_text(&receipt(5, 3)).expect("valid parts");
    for position in 0..good.len() {
        for altered in [b'A', b'0', b' ', b'\n'] {
            let mut bytes = good.clone().into_bytes();
            if std::mem::replace(&mut bytes[position], altered) == altered {
                continue;
            }
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let read = receipt::from_tlog_proof_text(&text);
            let judged = read.map(|r| receipt::verify(&r, &verifier(), Some(ENVELOPE)));
            assert!(!matches!(judged, Ok(Ok(_))), "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    // LOG-1, LOG-11: however a tree grows, its root is the same and every new entry is proved.
    #[test]
    fn growth_by_any_batches_proves_every_entry(steps in prop::collection::vec(0_u64..70, 1..8)) {
        let all = leaves(steps.iter().sum());
        let (mut tree, mut start) = (Frontier::new(), 0_usize);
        for step in steps {
            let end = start + usize::try_from(step).expect("small");
            let grown = batch_append(&tree, &all[start..end]);
            prop_assert_eq!(grown.root, batch_append(&Frontier::new(), &all[..end]).root);
            for (index, proof) in (start..end).zip(&grown.proofs) {
                let judged =
                    verify_inclusion(&all[index], index as u64, end as u64, proof, &grown.root);
                prop_assert_eq!(judged, Ok(()));
            }
            (tree, start) = (grown.frontier, end);
        }
    }

    // LOG-11: a proof holds for nothing else.
    #[test]
    fn a_damaged_inclusion_proof_is_refused(
        size in 2_u64..300, at: prop::sample::Index, hash: prop::sample::Index, bit in 0_usize..256,
    ) {
        let all = leaves(size);
        let index = at.index(all.len());
        let grown = batch_append(&Frontier::new(), &all);
        let mut proof = grown.proofs[index].clone();
        let hash = hash.index(proof.len());
        proof[hash][bit / 8] ^= 1 << (bit % 8);
        let judged = verify_inclusion(&all[index], index as u64, size, &proof, &grown.root);
        prop_assert!(judged.is_err());
    }

    // LOG-12: a log that changed an old entry cannot prove that it only grew.
    #[test]
    fn a_rewritten_log_is_not_consistent(old in 1_u64..200, more in 1_u64..100, at: prop::sample::Index) {
        let mut all = leaves(old + more);
        let length = usize::try_from(old).expect("small");
        let old_root = batch_append(&Frontier::new(), &all[..length]).root;
        let prove = |all: &[Hash]| {
            let grown = batch_append(&Frontier::new(), all);
            let find = |level, index| -> Result<Hash, log::ProofError> {
                let here = |s: &&log::Subtree| (s.level, s.index) == (level, index);
                Ok(grown.completed.iter().find(here).expect("complete").hash)
            };
            (log::consistency_proof(old, old + more, find).expect("grew"), grown.root)
        };
        let (proof, root) = prove(&all);
        prop_assert_eq!(verify_consistency(old, &old_root, old + more, &root, &proof), Ok(()));
        all[at.index(length)][0] ^= 1;
        let (proof, root) = prove(&all);
        prop_assert!(verify_consistency(old, &old_root, old + more, &root, &proof).is_err());
    }

    // WIT-3: a request with any proof reads back, and is sent on as it was.
    #[test]
    fn a_request_to_a_witness_reads_back(
        old_size in 0..=log::SIZE_MAX,
        proof in prop::collection::vec(any::<Hash>(), 0..=63),
        checkpoint in "[ -~\n\u{2014}]{0,200}",
    ) {
        let asked = AddCheckpoint { old_size, proof, checkpoint: checkpoint.into() };
        let body = asked.to_body();
        prop_assert_eq!(AddCheckpoint::parse(&body), Ok(asked));
    }

    // RCP-10: a receipt survives its text form.
    #[test]
    fn a_receipt_reads_back_from_its_proof_file(before in 0_u64..100, after in 0_u64..100) {
        let receipt = receipt(before, after);
        let text = receipt::to_tlog_proof_text(&receipt).expect("valid parts");
        let read = receipt::from_tlog_proof_text(&text).expect("own output");
        prop_assert!(receipt::verify(&read, &verifier(), Some(ENVELOPE)).is_ok());
        prop_assert_eq!(read, receipt);
    }

    // RCP-9: the named checks and the verdict never disagree, whatever the bytes.
    #[test]
    fn checks_hold_exactly_when_the_receipt_verifies(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = receipt(9, 4).encode_to_vec();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(damaged) = v1::Receipt::decode(&bytes[..]) {
            let verdict = receipt::verify(&damaged, &verifier(), Some(ENVELOPE));
            let checks = receipt::checks(&damaged, &verifier(), Some(ENVELOPE));
            let first = checks.iter().find(|check| check.outcome != Outcome::Holds);
            match verdict {
                Ok(_) => prop_assert_eq!(first, None),
                Err(error) => {
                    prop_assert_eq!(first.map(|check| check.outcome), Some(Outcome::Fails(error)));
                }
            }
        }
    }

    // LOG-7, LOG-8, LOG-13, LOG-15, RCP-2, WIT-3: no text or bytes make a parser panic, and what a
    // parser of a text form takes, it writes again as it was.
    #[test]
    fn parsers_take_any_input(text in "[ -~\n\u{2014}]{0,200}", bytes: Vec<u8>) {
        if let Ok(note) = SignedNote::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text.clone());
        }
        if let Ok(proof) = TlogProof::parse(&text) {
            prop_assert_eq!(proof.to_text(), Ok(text.clone()));
        }
        if let Ok(asked) = AddCheckpoint::parse(text.as_bytes()) {
            prop_assert_eq!(&asked.to_body()[..], text.as_bytes());
        }
        let _ = AddCheckpoint::parse(&bytes);
        let _ = NoteKey::parse(&text);
        let _ = Checkpoint::parse_text(&text);
        let _ = SignedNote::parse(&bytes);
        let _ = tile::entries(&bytes, 3);
        let _ = Leaf::parse(&bytes);
        let _ = Statement::parse(&Bytes::from(bytes));
    }
}
