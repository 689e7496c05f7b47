//! Checkpoints: a log's head as a C2SP signed note. Spec: LOG-5, LOG-6, LOG-9.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    Checkpoint, LogVerifier, NoteError, NoteKey, NoteKeyKind, SIZE_MAX, SignedNote, empty_root,
    note,
};
use crate::{error::WireCode, keys::SigningKey};

/// Why a checkpoint is not one, or not this log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note around it.
    #[error("checkpoint: {0}")]
    Note(#[from] NoteError),
    /// Not three lines that end in newlines.
    #[error("checkpoint is not an origin, a size and a root line")]
    Lines,
    /// More than three lines.
    #[error("checkpoint has extension lines")]
    Extension,
    /// Not a canonical decimal, or larger than a log can be.
    #[error("malformed tree size")]
    Size,
    /// Not the base64 of 32 bytes, or not the empty root at size 0.
    #[error("malformed root hash")]
    Root,
    /// Another log's.
    #[error("checkpoint is of another log")]
    Origin,
}

impl From<CheckpointError> for WireCode {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Note(error) => error.into(),
            CheckpointError::Origin => Self::BadSignature,
            _ => Self::Malformed,
        }
    }
}

/// Signs a head as a note under the origin's name. Spec: LOG-5.
///
/// # Errors
/// [`CheckpointError`] for a head that no reader would take, or a key that does not sign.
pub fn sign(head: &Checkpoint, key: &SigningKey) -> Result<Bytes, CheckpointError> {
    if head.size > SIZE_MAX {
        return Err(CheckpointError::Size);
    }
    note::check_key_name(&head.origin)?;
    let note = SignedNote::sign(&head.text(), &head.origin, key)?;
    Ok(Bytes::from(note.to_string()))
}

/// Reads a checkpoint and believes it if this log signed it. Spec: LOG-5, LOG-6, LOG-9.
///
/// # Errors
/// [`CheckpointError`] by what is wrong.
pub fn parse_and_verify(bytes: &[u8], log: &LogVerifier) -> Result<Checkpoint, CheckpointError> {
    let note = SignedNote::parse(bytes)?;
    let head = Checkpoint::parse_text(note.text())?;
    if head.origin != log.origin {
        return Err(CheckpointError::Origin);
    }
    note.verify(&log.origin, &log.key)?;
    Ok(head)
}

impl Checkpoint {
    /// The three lines that are signed. Spec: LOG-5.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a note's text as a head. Spec: LOG-5, LOG-6.
    ///
    /// # Errors
    /// [`CheckpointError`] for anything but the three lines in their one form.
    pub fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.next().is_some() {
            return Err(CheckpointError::Extension);
        }
        note::check_key_name(origin)?;
        let size = parse_decimal(size).ok_or(CheckpointError::Size)?;
        let root = parse_hash(root).ok_or(CheckpointError::Root)?;
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Root);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }
}

impl LogVerifier {
    /// The log's verifier key line (vkey), as C2SP tools take it. Spec: LOG-8.
    #[must_use]
    pub fn vkey(&self) -> String {
        let key = NoteKey {
            name: self.origin.clone(),
            kind: NoteKeyKind::Ed25519,
            key: self.key.clone(),
        };
        key.to_string()
    }

    /// Reads a log's verifier key line. Spec: LOG-8.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::VerifierKey`].
    pub fn from_vkey(text: &str) -> Result<Self, NoteError> {
        let key = NoteKey::parse(text)?;
        if key.kind != NoteKeyKind::Ed25519 {
            return Err(NoteError::VerifierKey);
        }
        Ok(Self {
            origin: key.name,
            key: key.key,
        })
    }
}

/// A tree size or index: decimal, without leading zeros or sign, at most [`SIZE_MAX`].
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    let number = (digits && canonical).then(|| text.parse().ok())??;
    (number <= SIZE_MAX).then_some(number)
}

/// The base64 of exactly 32 bytes.
pub(super) fn parse_hash(text: &str) -> Option<super::Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::leaf_hash;

    fn log() -> (LogVerifier, SigningKey) {
        let key = SigningKey::from_seed(&[7; 32]);
        let verifier = LogVerifier {
            origin: "frex/f.test/n/log/1".to_owned(),
            key: key.verifying_key(),
        };
        (verifier, key)
    }

    fn head() -> Checkpoint {
        Checkpoint {
            origin: log().0.origin,
            size: 1,
            root: leaf_hash(b"x"),
        }
    }

    // LOG-5, LOG-9
    #[test]
    fn a_signed_checkpoint_reads_back() {
        let (verifier, key) = log();
        let note = sign(&head(), &key).expect("valid head");
        assert_eq!(parse_and_verify(&note, &verifier), Ok(head()));
        let from_vkey = LogVerifier::from_vkey(&verifier.vkey()).expect("own output");
        assert_eq!(parse_and_verify(&note, &from_vkey), Ok(head()));
    }

    // LOG-5, LOG-6, LOG-16: each fault of the text has its own error.
    #[test]
    fn a_malformed_checkpoint_is_refused_by_its_reason() {
        let root = STANDARD.encode([1; 32]);
        let empty = STANDARD.encode(empty_root());
        let cases = [
            (format!("o\n1\n{root}"), CheckpointError::Lines),
            ("o\n1\n".to_owned(), CheckpointError::Lines),
            (format!("o\n1\n{root}\nmore\n"), CheckpointError::Extension),
            (format!("o\n1\n{root}\n\n"), CheckpointError::Extension),
            (format!("\n1\n{root}\n"), NoteError::KeyName.into()),
            (format!("o o\n1\n{root}\n"), NoteError::KeyName.into()),
            (format!("o\n01\n{root}\n"), CheckpointError::Size),
            (format!("o\n+1\n{root}\n"), CheckpointError::Size),
            (format!("o\n\n{root}\n"), CheckpointError::Size),
            (format!("o\n1x\n{root}\n"), CheckpointError::Size),
            (
                format!("o\n{}\n{root}\n", SIZE_MAX + 1),
                CheckpointError::Size,
            ),
            (
                format!("o\n99999999999999999999\n{root}\n"),
                CheckpointError::Size,
            ),
            (format!("o\n1\n{root}=\n"), CheckpointError::Root),
            ("o\n1\nAAAA\n".to_owned(), CheckpointError::Root),
            (format!("o\n0\n{root}\n"), CheckpointError::Root),
        ];
        for (text, error) in cases {
            assert_eq!(Checkpoint::parse_text(&text), Err(error), "{text}");
        }
        assert!(Checkpoint::parse_text(&format!("o\n0\n{empty}\n")).is_ok());
        assert!(Checkpoint::parse_text(&format!("o\n{SIZE_MAX}\n{root}\n")).is_ok());
    }

    // LOG-9
    #[test]
    fn a_checkpoint_of_another_log_or_key_is_refused() {
        let (verifier, key) = log();
        let note = sign(&head(), &key).expect("valid head");
        let elsewhere = LogVerifier {
            origin: "frex/f.test/m/log/1".to_owned(),
            ..verifier.clone()
        };
        assert_eq!(
            parse_and_verify(&note, &elsewhere),
            Err(CheckpointError::Origin)
        );
        let forged = sign(&head(), &SigningKey::from_seed(&[8; 32])).expect("valid head");
        assert_eq!(
            parse_and_verify(&forged, &verifier),
            Err(NoteError::Unsigned.into())
        );
        let text = String::from_utf8(note.to_vec()).expect("a note is text");
        let grown = text.replace("\n1\n", "\n2\n");
        assert_eq!(
            parse_and_verify(grown.as_bytes(), &verifier),
            Err(NoteError::BadSignature.into())
        );
    }

    // LOG-5: a head that no reader takes is not signed.
    #[test]
    fn an_unreadable_head_is_not_signed() {
        let (_, key) = log();
        let size = SIZE_MAX + 1;
        let oversized = Checkpoint { size, ..head() };
        assert_eq!(sign(&oversized, &key), Err(CheckpointError::Size));
        let origin = "two words".to_owned();
        let unnamed = Checkpoint { origin, ..head() };
        assert_eq!(sign(&unnamed, &key), Err(NoteError::KeyName.into()));
    }
}
