//! Witnessing: the request of C2SP tlog-witness, and whose cosignatures suffice. Spec: chapter WIT.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    AddCheckpoint, Checkpoint, CheckpointError, Cosignature, LogVerifier, NoteError, NoteKeyKind,
    NoteSignature, SignedNote, WitnessPolicy,
    checkpoint::{parse_decimal, parse_hash},
    cosignature, note, subtree,
};
use crate::{error::WireCode, limits};

/// Why bytes are no request to a witness. Spec: WIT-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// Over the limit.
    #[error("request to a witness over the size limit")]
    TooLarge,
    /// The lines are not those of such a request.
    #[error("request to a witness is malformed")]
    Shape,
    /// More hashes than any proof has.
    #[error("request to a witness has too long a proof")]
    TooLong,
}

impl From<AddCheckpointError> for WireCode {
    fn from(error: AddCheckpointError) -> Self {
        match error {
            AddCheckpointError::TooLarge | AddCheckpointError::TooLong => Self::TooLarge,
            AddCheckpointError::Shape => Self::Malformed,
        }
    }
}

impl AddCheckpoint {
    /// Reads a request: `old <size>`, the hashes of the proof, an empty line, the checkpoint as it
    /// is, which is not judged here. Spec: WIT-3.
    ///
    /// # Errors
    /// [`AddCheckpointError`] by what is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, AddCheckpointError> {
        if body.len() > limits::ADD_CHECKPOINT_BYTES_MAX {
            return Err(AddCheckpointError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| AddCheckpointError::Shape)?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(AddCheckpointError::Shape)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size = old
            .and_then(parse_decimal)
            .ok_or(AddCheckpointError::Shape)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == limits::PROOF_HASHES_MAX {
                return Err(AddCheckpointError::TooLong);
            }
            proof.push(parse_hash(line).ok_or(AddCheckpointError::Shape)?);
        }
        Ok(Self {
            old_size,
            proof,
            checkpoint: Bytes::copy_from_slice(checkpoint.as_bytes()),
        })
    }

    /// The request as it travels.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let mut text = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", STANDARD.encode(hash));
        }
        text.push('\n');
        let mut body = text.into_bytes();
        body.extend_from_slice(&self.checkpoint);
        body.into()
    }
}

impl WitnessPolicy {
    /// The cosignatures on a checkpoint that count here.
    ///
    /// # Errors
    /// [`NoteError`]; a wrong line of a known witness spoils the note. Spec: LOG-10.
    pub fn cosignatures(&self, checkpoint: &[u8]) -> Result<Vec<Cosignature>, NoteError> {
        let note = SignedNote::parse(checkpoint)?;
        cosignature::verify_cosignatures(&note, &self.witnesses)
    }

    /// Whether so many make a checkpoint final. Spec: WIT-2.
    #[must_use]
    pub fn is_met(&self, cosignatures: &[Cosignature]) -> bool {
        cosignatures.len() >= self.quorum
    }
}

/// A checkpoint with the signature of the log's key which decides about it and no other line: as the
/// log signed it, whoever cosigned, and whatever else it put under its own name, so that no log can
/// make the evidence against it too large to be stated. Spec: WIT-10, WIT-11, LIM-82.
///
/// # Errors
/// [`CheckpointError`] if it is no checkpoint, or none that the log signed.
pub fn bare(checkpoint: &[u8], log: &LogVerifier) -> Result<Bytes, CheckpointError> {
    let mut note = SignedNote::parse(checkpoint)?;
    let head = Checkpoint::parse_text(note.text())?;
    let key = &log.verify(&note, &head)?.key;
    let first = note::key_id(&log.origin, NoteKeyKind::Ed25519, key.as_bytes());
    let second = key
        .companion()
        .map(|companion| subtree::key_id(&log.origin, companion));
    note.signatures.retain(|line| {
        line.name == log.origin && (line.key_id == first || Some(line.key_id) == second)
    });
    Ok(Bytes::from(note.to_string()))
}

/// A checkpoint with the signature lines of one more key: one, or two of a key that has a companion.
/// Spec: WIT-13.
///
/// # Errors
/// [`CheckpointError`] if either does not parse, or the result is over the limits.
pub fn with_lines(checkpoint: &[u8], lines: &[u8]) -> Result<Bytes, CheckpointError> {
    let note = SignedNote::parse(checkpoint)?;
    let text = [note.to_string().as_bytes(), lines].concat();
    let joined = SignedNote::parse(&text)?;
    let more = joined.signatures.len().checked_sub(note.signatures.len());
    // A line that brings an empty line along would divide text and signatures elsewhere.
    if joined.text != note.text || !matches!(more, Some(1 | 2)) {
        return Err(NoteError::SignatureLine.into());
    }
    Ok(Bytes::from(text))
}

/// The signature lines of both notes on one head, those of the first in front; the first alone where the
/// other is of another head or a line does not fit any more.
#[must_use]
pub fn merged(note: &Bytes, other: &[u8]) -> Bytes {
    let (Ok(mine), Ok(theirs)) = (SignedNote::parse(note), SignedNote::parse(other)) else {
        return note.clone();
    };
    if mine.text != theirs.text {
        return note.clone();
    }
    let key = |line: &NoteSignature| (line.name.clone(), line.key_id);
    let known: Vec<_> = mine.signatures.iter().map(key).collect();
    let more = theirs.signatures.iter();
    let more = more.filter(|line| !known.contains(&key(line)));
    more.fold(note.clone(), |joined, line| {
        with_lines(&joined, line.to_string().as_bytes()).unwrap_or(joined)
    })
}

/// The lines that a note has more than the one it was made of, as they travel.
#[must_use]
pub fn lines_beyond(checkpoint: &[u8], before: &[u8]) -> Option<Bytes> {
    let known = SignedNote::parse(before).ok()?.signatures.len();
    let note = SignedNote::parse(checkpoint).ok()?;
    let lines = note
        .signatures
        .get(known..)
        .filter(|lines| !lines.is_empty())?;
    let lines: String = lines.iter().map(ToString::to_string).collect();
    Some(Bytes::from(lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::{CompanionKind, SigningKey},
        log::{Checkpoint, LogKey, WitnessVerifier, checkpoint, leaf_hash, witness_name},
    };

    const TIME_S: u64 = 1_679_315_147;
    /// The example of C2SP tlog-witness.
    const PUBLISHED: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        \u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn log() -> LogVerifier {
        LogVerifier::new("frex/f.test/n/log/1".to_owned(), key(1).verifying_key())
    }

    fn signed() -> Bytes {
        let head = Checkpoint {
            origin: log().origin,
            size: 1,
            root: leaf_hash(b"x"),
        };
        checkpoint::sign(&head, &key(1)).expect("valid head")
    }

    fn last_line(note: &[u8]) -> Bytes {
        let note = SignedNote::parse(note).expect("a note");
        Bytes::from(note.signatures.last().expect("a line").to_string())
    }

    fn name(seed: u8) -> String {
        witness_name("f.test", &format!("w{seed}"), 1)
    }

    fn cosigned(note: &Bytes, seeds: &[u8]) -> Bytes {
        seeds.iter().fold(note.clone(), |note, seed| {
            cosignature::cosign(&note, &name(*seed), &key(*seed), TIME_S).expect("valid note")
        })
    }

    /// Two of the witnesses 2, 3 and 4.
    fn policy() -> WitnessPolicy {
        let witness = |seed| WitnessVerifier::new(name(seed), key(seed).verifying_key());
        WitnessPolicy {
            witnesses: [2, 3, 4].map(witness).into(),
            quorum: 2,
        }
    }

    // WIT-3: what other implementations send is taken, and sent on byte for byte.
    #[test]
    fn the_example_of_the_specification_reads_back() {
        let asked = AddCheckpoint::parse(PUBLISHED.as_bytes()).expect("published");
        assert_eq!((asked.old_size, asked.proof.len()), (20_852_014, 4));
        let note = SignedNote::parse(&asked.checkpoint).expect("published");
        let head = Checkpoint::parse_text(note.text()).expect("published");
        assert_eq!(head.size, 20_852_163);
        assert_eq!(note.signatures().len(), 2);
        assert_eq!(asked.to_body(), PUBLISHED.as_bytes());
    }

    // WIT-3, LIM-83, LIM-21: each fault of the form has its own error.
    #[test]
    fn a_malformed_request_is_refused_by_its_reason() {
        let hash = STANDARD.encode([7; 32]);
        let asked = |head: &str| AddCheckpoint::parse(format!("{head}\n\nrest").as_bytes());
        for head in [
            "",
            "old",
            "old ",
            "old x",
            "old 01",
            "old +1",
            "old 9223372036854775808",
            "old 1 ",
            "old 1\r",
            " old 1",
            "Old 1",
            "old 1\nAAAA",
            &format!("old 1\n{hash} "),
            &format!("old 1\n{}", hash.trim_end_matches('=')),
            &format!("{hash}\nold 1"),
        ] {
            assert_eq!(asked(head), Err(AddCheckpointError::Shape), "{head:?}");
        }
        for body in [
            &b""[..],
            b"old 1",
            b"old 1\n",
            b"old 1\nrest",
            b"old 1\n\n\xff",
        ] {
            let parsed = AddCheckpoint::parse(body);
            assert_eq!(parsed, Err(AddCheckpointError::Shape), "{body:?}");
        }
        let hashes = |count| format!("old 1{}", format!("\n{hash}").repeat(count));
        assert_eq!(asked(&hashes(63)).map(|asked| asked.proof.len()), Ok(63));
        assert_eq!(asked(&hashes(64)), Err(AddCheckpointError::TooLong));
        let sized = |bytes: usize| {
            let body = format!("old 1\n\n{}", "x".repeat(bytes - 7));
            AddCheckpoint::parse(body.as_bytes()).map(|asked| asked.checkpoint.len())
        };
        assert_eq!(sized(16_384), Ok(16_377));
        assert_eq!(sized(16_385), Err(AddCheckpointError::TooLarge));
    }

    // WIT-3
    #[test]
    fn a_malformed_request_has_its_code() {
        let codes = [
            (AddCheckpointError::TooLarge, WireCode::TooLarge),
            (AddCheckpointError::TooLong, WireCode::TooLarge),
            (AddCheckpointError::Shape, WireCode::Malformed),
        ];
        for (error, code) in codes {
            assert_eq!(WireCode::from(error), code);
        }
    }

    // WIT-1, WIT-2: so many of the listed, whoever else has cosigned.
    #[test]
    fn a_checkpoint_is_final_when_enough_of_the_listed_have_cosigned() {
        let judge = |seeds: &[u8]| {
            let found = policy().cosignatures(&cosigned(&signed(), seeds));
            found.map(|found| (found.len(), policy().is_met(&found)))
        };
        assert_eq!(judge(&[]), Ok((0, false)));
        assert_eq!(judge(&[3]), Ok((1, false)));
        assert_eq!(judge(&[3, 9, 8]), Ok((1, false)));
        assert_eq!(judge(&[4, 2]), Ok((2, true)));
        assert_eq!(judge(&[9, 2, 3, 4]), Ok((3, true)));
    }

    // WIT-1: one line of a listed witness that is wrong, or one too many, spoils the rest.
    #[test]
    fn a_wrong_or_repeated_line_of_a_listed_witness_refuses_the_checkpoint() {
        let good = cosigned(&signed(), &[2, 3]);
        let other = cosigned(&signed(), &[4]);
        let note = SignedNote::parse(&good).expect("own output");
        let mut wrong = note.clone();
        wrong.signatures[2].signature[9] ^= 1;
        let judge = |note: &[u8]| policy().cosignatures(note);
        let bad = Err(NoteError::BadSignature);
        assert_eq!(judge(wrong.to_string().as_bytes()), bad);
        // Another head under the same lines.
        let mut moved = note.clone();
        moved.text = moved.text.replace("\n1\n", "\n2\n");
        assert_eq!(judge(moved.to_string().as_bytes()), bad);
        let twice = with_lines(&good, &last_line(&good)).expect("within the limits");
        assert_eq!(judge(&twice), Err(NoteError::Repeated));
        assert_eq!(judge(b"no note"), Err(NoteError::Shape));
        // Its name under another key is a stranger's line.
        let posing = cosignature::cosign(&other, &name(3), &key(9), TIME_S).expect("valid note");
        assert_eq!(judge(&posing).map(|found| found.len()), Ok(1));
    }

    // WIT-13: what a witness answers is one line, and goes to the others.
    #[test]
    fn a_line_is_added_to_a_checkpoint_and_changes_nothing_else() {
        let note = cosigned(&signed(), &[2]);
        let line = last_line(&cosigned(&signed(), &[3]));
        let joined = with_lines(&note, &line).expect("within the limits");
        assert_eq!(joined, cosigned(&signed(), &[2, 3]));
        assert_eq!(lines_beyond(&joined, &note), Some(line.clone()));
        assert_eq!(lines_beyond(&joined, &joined), None);
        assert_eq!(lines_beyond(b"no note", &note), None);
        let refused = |line: &[u8]| with_lines(&note, line).expect_err("no line");
        let no_line = CheckpointError::Note(NoteError::SignatureLine);
        let thrice = line.repeat(3);
        let cut = &line[..line.len() - 1];
        let apart = [b"\n", &thrice[..]].concat();
        for wrong in [&b""[..], b"more\n", &thrice, &apart] {
            assert_eq!(refused(wrong), no_line, "{wrong:?}");
        }
        for wrong in [cut, b"\n"] {
            assert_eq!(refused(wrong), NoteError::Shape.into());
        }
        assert_eq!(refused(b"\xff\n"), NoteError::NotText.into());
        // An empty line would make of the checkpoint a text that others sign.
        let divided = [b"\n", &line[..], &line[..]].concat();
        let single = signed();
        assert_eq!(with_lines(&single, &divided), Err(no_line));
        let large = [b'x'; limits::CHECKPOINT_BYTES_MAX];
        let large = with_lines(&note, &large).expect_err("too large");
        assert_eq!(large, NoteError::TooLarge.into());
        let full = (0..limits::NOTE_SIGNATURES_MAX)
            .fold(note, |note, _| with_lines(&note, &line).unwrap_or(note));
        assert!(with_lines(&full, &line).is_err());
    }

    // WIT-10, LIM-82: a log cannot make the evidence against it too large by lines of its own.
    #[test]
    fn of_a_checkpoint_the_line_that_decides_is_kept_alone() {
        let good = signed();
        let padded = (10..60).fold(cosigned(&good, &[2, 3]), |note, seed| {
            let more = SignedNote::sign("x\n", &log().origin, &key(seed)).expect("a text");
            let line = last_line(more.to_string().as_bytes());
            with_lines(&note, &line).expect("within the limits")
        });
        assert!(padded.len() > limits::SEEN_CHECKPOINT_BYTES_MAX);
        assert_eq!(bare(&padded, &log()), Ok(good.clone()));
        assert_eq!(bare(&good, &log()), Ok(good.clone()));
        // Under a later key of the log the earlier one's line stays what it was.
        let ended = LogKey {
            key: key(1).verifying_key(),
            not_after_ms: Some(1),
        };
        let in_force = LogKey {
            key: key(5).verifying_key(),
            not_after_ms: None,
        };
        let later = LogVerifier::with_earlier(log().origin, in_force, [ended]);
        assert_eq!(bare(&padded, &later), Ok(good.clone()));
        let other = LogVerifier::new(log().origin, key(9).verifying_key());
        assert_eq!(bare(&good, &other), Err(NoteError::Unsigned.into()));
        assert_eq!(bare(b"no note", &log()), Err(NoteError::Shape.into()));
        let text = String::from_utf8(good.to_vec()).expect("text");
        let grown = text.replace("\n1\n", "\n2\n");
        let judged = bare(grown.as_bytes(), &log());
        assert_eq!(judged, Err(NoteError::BadSignature.into()));
    }

    // LIM-82: the longest names leave room.
    #[test]
    fn the_longest_bare_checkpoint_fits_a_statement() {
        let id = "a".repeat(limits::ID_BYTES_MAX);
        let head = Checkpoint {
            origin: crate::log::origin(&id, &id, u32::MAX),
            size: crate::log::SIZE_MAX,
            root: [1; 32],
        };
        let pair = key(1).with_companion_of(CompanionKind::Heads, &[2; 32]);
        let note = checkpoint::sign(&head, &pair).expect("valid head");
        assert!(note.len() > limits::SEEN_CHECKPOINT_BYTES_MAX * 9 / 10);
        assert!(note.len() <= limits::SEEN_CHECKPOINT_BYTES_MAX);
    }
}
