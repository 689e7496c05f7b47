//! Checkpoints: a log's head as a C2SP signed note. Spec: LOG-5, LOG-6, LOG-9.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{
    Checkpoint, LogKey, LogVerifier, NoteError, NoteKey, NoteKeyKind, NotePublicKey, Origin,
    SIZE_MAX, SignedNote, empty_root, note, subtree,
};
use crate::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
};

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
    /// Signed by a key of this log that had ended by then.
    #[error("checkpoint is signed by a log key that had ended by then")]
    KeyEnded,
}

impl From<CheckpointError> for WireCode {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Note(error) => error.into(),
            CheckpointError::Origin | CheckpointError::KeyEnded => Self::BadSignature,
            _ => Self::Malformed,
        }
    }
}

/// Signs a head as a note under the origin's name; twice if the key has a companion for it.
/// Spec: LOG-5, LOG-32.
///
/// # Errors
/// [`CheckpointError`] for a head that no reader would take, or a key that does not sign.
pub fn sign(head: &Checkpoint, key: &SigningKey) -> Result<Bytes, CheckpointError> {
    if head.size > SIZE_MAX {
        return Err(CheckpointError::Size);
    }
    note::check_key_name(&head.origin)?;
    let mut note = SignedNote::sign(&head.text(), &head.origin, key)?;
    let second = subtree::line(head, &head.origin, key, subtree::NO_TIME);
    note.signatures.extend(second?);
    Ok(Bytes::from(note.to_string()))
}

/// Reads a checkpoint and believes it if this log signed it with a key that had not ended at
/// `at_ms`: the time of a leaf that it covers, or a moment just past for a head that is the newest
/// one now. Spec: LOG-5, LOG-6, LOG-9, LOG-23.
///
/// # Errors
/// [`CheckpointError`] by what is wrong.
pub fn parse_and_verify(
    bytes: &[u8],
    log: &LogVerifier,
    at_ms: u64,
) -> Result<Checkpoint, CheckpointError> {
    let (head, signer) = parse_and_find_signer(bytes, log)?;
    signer.check_time(at_ms)?;
    Ok(head)
}

/// As [`parse_and_verify`], but for the time: the head, and the key that signed it.
pub(crate) fn parse_and_find_signer<'a>(
    bytes: &[u8],
    log: &'a LogVerifier,
) -> Result<(Checkpoint, &'a LogKey), CheckpointError> {
    let note = SignedNote::parse(bytes)?;
    let head = Checkpoint::parse_text(note.text())?;
    if head.origin != log.origin {
        return Err(CheckpointError::Origin);
    }
    let signer = log.verify(&note, &head)?;
    Ok((head, signer))
}

impl Checkpoint {
    /// The three lines that are signed. Spec: LOG-5.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// The head that a signed note names, whoever signed it: of one that was verified before.
    ///
    /// # Errors
    /// [`CheckpointError`] if it is no note, or names none.
    pub fn of_note(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::parse_text(SignedNote::parse(bytes)?.text())
    }

    /// Whether it is of a log that the same node began after the one of `origin`. Spec: LOG-30.
    #[must_use]
    pub fn is_of_later_log(&self, origin: &str) -> bool {
        let (Ok(own), Ok(other)) = (Origin::parse(&self.origin), Origin::parse(origin)) else {
            return false;
        };
        (own.federation, own.node) == (other.federation, other.node) && own.epoch > other.epoch
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
    /// A log that has one key, and that until another follows it.
    #[must_use]
    pub fn new(origin: String, key: VerifyingKey) -> Self {
        let in_force = LogKey {
            key,
            not_after_ms: None,
        };
        Self::with_earlier(origin, in_force, [])
    }

    /// A log that has changed its key: the one in force, and those before it, newest first.
    #[must_use]
    pub fn with_earlier(
        origin: String,
        in_force: LogKey,
        earlier: impl IntoIterator<Item = LogKey>,
    ) -> Self {
        let keys = std::iter::once(in_force).chain(earlier).collect();
        Self { origin, keys }
    }

    /// The key in force, then the earlier ones.
    #[must_use]
    pub fn keys(&self) -> &[LogKey] {
        &self.keys
    }

    /// The key in force.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.keys[0].key
    }

    /// Whether a checkpoint says that it is this log's; whose it is, only its signature proves.
    #[must_use]
    pub fn is_named_by(&self, checkpoint: &[u8]) -> bool {
        let rest = checkpoint.strip_prefix(self.origin.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b'\n'))
    }

    /// Which of the logs that a node had and has a checkpoint is of: the one that it names, and the last,
    /// under which it is refused, where it names none. Spec: LOG-30.
    #[must_use]
    pub fn choose<'a>(logs: &'a [Self], checkpoint: &[u8]) -> Option<&'a Self> {
        let named = logs.iter().find(|log| log.is_named_by(checkpoint));
        named.or(logs.last())
    }

    /// Whose line decides about a note: the first of the log's keys that has one. It may not hold.
    /// Spec: LOG-23.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Repeated`].
    pub fn signer(&self, note: &SignedNote) -> Result<&LogKey, NoteError> {
        for listed in &self.keys {
            let id = note::key_id(&self.origin, NoteKeyKind::Ed25519, listed.key.as_bytes());
            if note.line_of(&self.origin, id)?.is_some() {
                return Ok(listed);
            }
        }
        Err(NoteError::Unsigned)
    }

    /// The key that has signed a note, which names this head; with its companion, if it has one.
    /// Spec: LOG-9, LOG-32.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Repeated`], [`NoteError::BadSignature`],
    /// [`NoteError::HalfSigned`].
    pub(super) fn verify(
        &self,
        note: &SignedNote,
        head: &Checkpoint,
    ) -> Result<&LogKey, NoteError> {
        let signer = self.signer(note)?;
        note.verify(&self.origin, &signer.key)?;
        if let Some(companion) = signer.key.companion() {
            let signed = subtree::verify(note, head, &self.origin, companion)?;
            signed.ok_or(NoteError::HalfSigned)?;
        }
        Ok(signer)
    }

    /// The verifier key line (vkey) of the key in force, as C2SP tools take it; a second one if it has
    /// a companion. Spec: LOG-8, LOG-31.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.vkey_of(self.key())
    }

    /// The verifier key line, or two, under which this very checkpoint verifies; none for one that is
    /// not this log's. Spec: LOG-8, LOG-31.
    #[must_use]
    pub fn vkey_for(&self, checkpoint: &[u8]) -> Option<String> {
        let note = SignedNote::parse(checkpoint).ok()?;
        let signer = self.signer(&note).ok()?;
        Some(self.vkey_of(&signer.key))
    }

    fn vkey_of(&self, key: &VerifyingKey) -> String {
        note::vkeys(&self.origin, NotePublicKey::Ed25519(key.clone()))
    }

    /// Reads a log's verifier key line, or two of a key that has a companion. Spec: LOG-8, LOG-31.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::VerifierKey`].
    pub fn from_vkey(text: &str) -> Result<Self, NoteError> {
        match NoteKey::parse_pair(text)? {
            (name, NotePublicKey::Ed25519(key)) => Ok(Self::new(name, key)),
            _ => Err(NoteError::VerifierKey),
        }
    }
}

impl LogKey {
    /// Whether it can sign of what happened at `at_ms`. Spec: LOG-23.
    #[must_use]
    pub fn is_good_at(&self, at_ms: u64) -> bool {
        self.not_after_ms.is_none_or(|end_ms| at_ms < end_ms)
    }

    pub(crate) fn check_time(&self, at_ms: u64) -> Result<(), CheckpointError> {
        let good = self.is_good_at(at_ms);
        good.then_some(()).ok_or(CheckpointError::KeyEnded)
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
    use crate::log::{ANY_TIME_MS, leaf_hash};

    const NOW_MS: u64 = 1_900_000_000_000;

    fn log() -> (LogVerifier, SigningKey) {
        let key = SigningKey::from_seed(&[7; 32]);
        let origin = "frex/f.test/n/log/1".to_owned();
        (LogVerifier::new(origin, key.verifying_key()), key)
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
        assert_eq!(parse_and_verify(&note, &verifier, NOW_MS), Ok(head()));
        let from_vkey = LogVerifier::from_vkey(&verifier.vkey()).expect("own output");
        assert_eq!(parse_and_verify(&note, &from_vkey, NOW_MS), Ok(head()));
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

    // LOG-22, LOG-23: an earlier key speaks of its own time alone, and the first key that has a line
    // decides.
    #[test]
    fn a_log_that_changed_its_key_is_believed_under_each_in_its_time() {
        let (verifier, old) = log();
        let (new, stranger) = ([8; 32], [9; 32]);
        let (new, stranger) = (
            SigningKey::from_seed(&new),
            SigningKey::from_seed(&stranger),
        );
        let ended = LogKey {
            key: old.verifying_key(),
            not_after_ms: Some(NOW_MS),
        };
        let in_force = LogKey {
            key: new.verifying_key(),
            not_after_ms: None,
        };
        let log = LogVerifier::with_earlier(verifier.origin, in_force, [ended]);
        let by = |keys: &[&SigningKey]| {
            let notes = keys
                .iter()
                .map(|key| sign(&head(), key).expect("valid head"));
            let lines = notes.map(|note| String::from_utf8(note.to_vec()).expect("text"));
            let mut lines = lines.map(|note| note.split_once("\n\n").expect("a note").1.to_owned());
            format!("{}\n{}", head().text(), lines.by_ref().collect::<String>())
        };
        let judge = |note: &str, at_ms| parse_and_verify(note.as_bytes(), &log, at_ms);
        assert_eq!(judge(&by(&[&old]), NOW_MS - 1), Ok(head()));
        assert_eq!(judge(&by(&[&old]), NOW_MS), Err(CheckpointError::KeyEnded));
        for at_ms in [ANY_TIME_MS, NOW_MS, u64::MAX] {
            assert_eq!(judge(&by(&[&new]), at_ms), Ok(head()));
            assert_eq!(judge(&by(&[&old, &new]), at_ms), Ok(head()));
            let unsigned = Err(NoteError::Unsigned.into());
            assert_eq!(judge(&by(&[&stranger]), at_ms), unsigned);
        }
        // A line of the key in force that does not hold is not outweighed by one that does.
        let forged = by(&[&new, &old]);
        let line = forged.lines().nth(4).expect("the first line").to_owned();
        let (start, end) = line.split_at(line.len() - 8);
        let forged = forged.replace(&line, &format!("{start}AAAAAA{}", &end[6..]));
        assert_eq!(judge(&forged, 0), Err(NoteError::BadSignature.into()));
        let vkey_for = |keys: &[&SigningKey]| log.vkey_for(by(keys).as_bytes());
        assert_eq!(vkey_for(&[&new]), Some(log.vkey()));
        let before = LogVerifier::new(log.origin.clone(), old.verifying_key());
        assert_eq!(vkey_for(&[&old]), Some(before.vkey()));
        assert_eq!(vkey_for(&[&stranger]), None);
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
            parse_and_verify(&note, &elsewhere, NOW_MS),
            Err(CheckpointError::Origin)
        );
        let forged = sign(&head(), &SigningKey::from_seed(&[8; 32])).expect("valid head");
        assert_eq!(
            parse_and_verify(&forged, &verifier, NOW_MS),
            Err(NoteError::Unsigned.into())
        );
        let text = String::from_utf8(note.to_vec()).expect("a note is text");
        let grown = text.replace("\n1\n", "\n2\n");
        assert_eq!(
            parse_and_verify(grown.as_bytes(), &verifier, NOW_MS),
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
