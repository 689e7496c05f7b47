//! Proof files: C2SP tlog-proof, an inclusion proof with its checkpoint as text. Spec: LOG-13.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    Checkpoint, CheckpointError, Hash, SIZE_MAX, SignedNote, TlogProof,
    checkpoint::{parse_decimal, parse_hash},
};
use crate::{error::WireCode, limits};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1\n";
/// Longest application data of a proof file: a statement with its salt and leaf. Spec: LOG-13.
pub const EXTRA_BYTES_MAX: usize = limits::STATEMENT_BYTES_MAX + 256;
/// Longest proof file. Spec: LOG-13.
pub const TLOG_PROOF_BYTES_MAX: usize = EXTRA_BYTES_MAX.div_ceil(3) * 4
    + limits::PROOF_HASHES_MAX * 45
    + limits::CHECKPOINT_BYTES_MAX
    + 128;

/// Why a text is not a proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Over the size limit.
    #[error("proof file over the size limit")]
    TooLarge,
    /// Another format or version.
    #[error("not a tlog-proof file of version 1")]
    FirstLine,
    /// An extra line that is empty, too long or not base64; or one that the application cannot
    /// read.
    #[error("malformed extra line")]
    Extra,
    /// No index line, or not a canonical decimal.
    #[error("malformed index line")]
    Index,
    /// A line that is not the base64 of 32 bytes.
    #[error("malformed hash line")]
    Hash,
    /// More hash lines than any proof has.
    #[error("too many hash lines")]
    TooManyHashes,
    /// No empty line before the checkpoint.
    #[error("no empty line before the checkpoint")]
    Divider,
    /// The checkpoint is not one.
    #[error("proof file: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl From<TlogProofError> for WireCode {
    fn from(error: TlogProofError) -> Self {
        match error {
            TlogProofError::TooLarge | TlogProofError::TooManyHashes => Self::TooLarge,
            TlogProofError::Checkpoint(error) => error.into(),
            _ => Self::Malformed,
        }
    }
}

impl TlogProof {
    /// Reads a proof file. Nothing in it is to be believed before the checkpoint's signature and
    /// the inclusion are checked. Spec: LOG-13.
    ///
    /// # Errors
    /// [`TlogProofError`] by what is wrong with the form.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        if text.len() > TLOG_PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLarge);
        }
        let rest = text
            .strip_prefix(FIRST_LINE)
            .ok_or(TlogProofError::FirstLine)?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(TlogProofError::Divider)?;
        let mut lines = head.split('\n').peekable();
        let extra = lines
            .next_if(|line| line.starts_with("extra "))
            .map(parse_extra)
            .transpose()?;
        let index = lines
            .next()
            .and_then(|line| parse_decimal(line.strip_prefix("index ")?))
            .ok_or(TlogProofError::Index)?;
        if lines.clone().count() > limits::PROOF_HASHES_MAX {
            return Err(TlogProofError::TooManyHashes);
        }
        let hashes = lines
            .map(|line| parse_hash(line).ok_or(TlogProofError::Hash))
            .collect::<Result<Vec<Hash>, _>>()?;
        check_checkpoint(checkpoint.as_bytes())?;
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: Bytes::copy_from_slice(checkpoint.as_bytes()),
        })
    }

    /// Writes a proof file. Spec: LOG-13.
    ///
    /// # Errors
    /// [`TlogProofError`] for parts that no reader would take.
    pub fn to_text(&self) -> Result<String, TlogProofError> {
        if self.index > SIZE_MAX {
            return Err(TlogProofError::Index);
        }
        if self.hashes.len() > limits::PROOF_HASHES_MAX {
            return Err(TlogProofError::TooManyHashes);
        }
        check_checkpoint(&self.checkpoint)?;
        let checkpoint = std::str::from_utf8(&self.checkpoint)
            .map_err(|_| CheckpointError::Note(super::NoteError::NotText))?;
        let mut text = FIRST_LINE.to_owned();
        if let Some(extra) = &self.extra {
            if extra.is_empty() || extra.len() > EXTRA_BYTES_MAX {
                return Err(TlogProofError::Extra);
            }
            text.push_str("extra ");
            STANDARD.encode_string(extra, &mut text);
            text.push('\n');
        }
        // Writing to a string has no failure to report.
        let _ = writeln!(text, "index {}", self.index);
        for hash in &self.hashes {
            STANDARD.encode_string(hash, &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(checkpoint);
        Ok(text)
    }
}

fn parse_extra(line: &str) -> Result<Bytes, TlogProofError> {
    let data = line.strip_prefix("extra ").and_then(|data| {
        let data = STANDARD.decode(data).ok()?;
        (1..=EXTRA_BYTES_MAX).contains(&data.len()).then_some(data)
    });
    data.map(Bytes::from).ok_or(TlogProofError::Extra)
}

fn check_checkpoint(bytes: &[u8]) -> Result<(), CheckpointError> {
    let note = SignedNote::parse(bytes)?;
    Checkpoint::parse_text(note.text()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::SigningKey,
        log::{NoteError, checkpoint},
    };

    fn proof() -> TlogProof {
        let head = Checkpoint {
            origin: "frex/f.test/n/log/1".to_owned(),
            size: 4,
            root: [4; 32],
        };
        TlogProof {
            extra: Some(Bytes::from_static(b"more")),
            index: 2,
            hashes: vec![[1; 32], [2; 32]],
            checkpoint: checkpoint::sign(&head, &SigningKey::from_seed(&[1; 32]))
                .expect("valid head"),
        }
    }

    // LOG-13
    #[test]
    fn a_proof_file_reads_back_in_every_form() {
        let whole = proof();
        let bare = TlogProof {
            extra: None,
            ..proof()
        };
        let single = TlogProof {
            hashes: Vec::new(),
            index: 0,
            ..proof()
        };
        for proof in [whole, bare, single] {
            let text = proof.to_text().expect("valid parts");
            assert_eq!(TlogProof::parse(&text), Ok(proof));
        }
    }

    // LOG-13: the form, byte for byte.
    #[test]
    fn a_proof_file_is_laid_out_as_specified() {
        let text = proof().to_text().expect("valid parts");
        let head = "c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 2\n\
            AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n\
            AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n\n\
            frex/f.test/n/log/1\n4\n";
        assert!(text.starts_with(head), "{text}");
    }

    // LOG-13: each fault of form has its own error.
    #[test]
    fn a_malformed_proof_file_is_refused_by_its_reason() {
        let good = proof().to_text().expect("valid parts");
        let hash = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
        let extra = "extra bW9yZQ==\n";
        let big = format!("extra {}\n", "A".repeat((EXTRA_BYTES_MAX / 3 + 1) * 4));
        let cases = [
            (good.replace("@v1", "@v2"), TlogProofError::FirstLine),
            (
                good.replace("proof@v1\n", "proof@v1\r\n"),
                TlogProofError::FirstLine,
            ),
            (good.replace(extra, "extra \n"), TlogProofError::Extra),
            (
                good.replace(extra, "extra bW9yZR==\n"),
                TlogProofError::Extra,
            ),
            (good.replace(extra, &big), TlogProofError::Extra),
            (good.replace(extra, &extra.repeat(2)), TlogProofError::Index),
            (good.replace("index 2", "index 02"), TlogProofError::Index),
            (good.replace("index 2", "index -2"), TlogProofError::Index),
            (good.replace("index 2\n", ""), TlogProofError::Index),
            (
                good.replace("index 2", "index 9223372036854775808"),
                TlogProofError::Index,
            ),
            (good.replace(hash, "AQEB\n"), TlogProofError::Hash),
            (
                good.replacen("=\n\n", "=\n\n\n", 1),
                CheckpointError::Extension.into(),
            ),
            (
                good.replace(hash, &hash.repeat(63)),
                TlogProofError::TooManyHashes,
            ),
            (FIRST_LINE.to_owned() + "index 2\n", TlogProofError::Divider),
            (good.trim_end().to_owned(), NoteError::Shape.into_proof()),
            (
                good.replace("\n4\n", "\n04\n"),
                CheckpointError::Size.into(),
            ),
            (
                "x".repeat(TLOG_PROOF_BYTES_MAX + 1),
                TlogProofError::TooLarge,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(TlogProof::parse(&text), Err(error), "{text}");
        }
    }

    trait IntoProof {
        fn into_proof(self) -> TlogProofError;
    }

    impl IntoProof for NoteError {
        fn into_proof(self) -> TlogProofError {
            CheckpointError::from(self).into()
        }
    }

    // LOG-13: the largest parts fit the limit of the whole.
    #[test]
    fn the_largest_parts_make_a_readable_file() {
        let mut largest = proof();
        largest.extra = Some(Bytes::from(vec![7; EXTRA_BYTES_MAX]));
        largest.hashes = vec![[1; 32]; limits::PROOF_HASHES_MAX];
        largest.index = SIZE_MAX;
        let padding = limits::CHECKPOINT_BYTES_MAX - largest.checkpoint.len();
        assert!(padding > 0);
        let text = largest.to_text().expect("valid parts");
        assert!(text.len() + padding <= TLOG_PROOF_BYTES_MAX);
        assert_eq!(TlogProof::parse(&text), Ok(largest));
    }

    // LOG-13: parts that no reader takes are not written.
    #[test]
    fn unreadable_parts_are_not_written() {
        let with = |change: &dyn Fn(&mut TlogProof)| {
            let mut proof = proof();
            change(&mut proof);
            proof.to_text().map(|_| ())
        };
        let empty = with(&|p| p.extra = Some(Bytes::new()));
        assert_eq!(empty, Err(TlogProofError::Extra));
        let beyond = with(&|p| p.index = SIZE_MAX + 1);
        assert_eq!(beyond, Err(TlogProofError::Index));
        let long = with(&|p| p.hashes = vec![[0; 32]; 64]);
        assert_eq!(long, Err(TlogProofError::TooManyHashes));
        let unsigned = with(&|p| p.checkpoint = Bytes::from_static(b"o\n1\n"));
        assert_eq!(unsigned, Err(NoteError::Shape.into_proof()));
    }
}
