//! Cosignatures of witnesses, `cosignature/v1` as C2SP tlog-cosignature says, and beside it
//! `subtree/v1` of a witness whose key has a companion. Spec: LOG-10, LOG-31, WIT-23.

use bytes::Bytes;

use super::{
    Checkpoint, CheckpointError, Cosignature, LogKey, NoteError, NoteKey, NoteKeyKind,
    NotePublicKey, NoteSignature, SignedNote, WitnessVerifier, note,
    subtree::{self, TIME_MAX},
    witness,
};
use crate::{
    keys::{SigningKey, VerifyingKey},
    limits,
};

/// Adds a witness's cosignature to a checkpoint, in two lines if the key has a companion for it. The
/// witness must have checked the log's own signature and the consistency with what it cosigned
/// before, and kept that durably. Spec: LOG-10, LOG-31.
///
/// # Errors
/// [`CheckpointError`] when the bytes are no checkpoint, the name is malformed, or the result
/// would be over the limits of a note, or the key does not sign.
pub fn cosign(
    checkpoint: &[u8],
    name: &str,
    key: &SigningKey,
    time_s: u64,
) -> Result<Bytes, CheckpointError> {
    let mut note = SignedNote::parse(checkpoint)?;
    let head = Checkpoint::parse_text(note.text())?;
    note::check_key_name(name)?;
    let time_s = time_s.min(TIME_MAX);
    let message = message(note.text(), time_s);
    let signature = key.sign(&message).map_err(NoteError::from)?;
    note.signatures.push(NoteSignature {
        name: name.to_owned(),
        key_id: key_id(name, &key.verifying_key()),
        signature: [&time_s.to_be_bytes()[..], &signature].concat(),
    });
    note.signatures
        .extend(subtree::line(&head, name, key, time_s)?);
    let text = note.to_string();
    if text.len() > limits::CHECKPOINT_BYTES_MAX {
        return Err(NoteError::TooLarge.into());
    }
    if note.signatures.len() > limits::NOTE_SIGNATURES_MAX {
        return Err(NoteError::TooManySignatures.into());
    }
    Ok(Bytes::from(text))
}

/// The cosignatures of known witnesses on a checkpoint, each witness at most once; lines of
/// unknown keys are ignored. Whether they suffice is for the caller's policy. Spec: LOG-10, WIT-23,
/// WIT-24.
///
/// # Errors
/// [`NoteError::BadSignature`] or [`NoteError::Repeated`] when a known witness's line is wrong:
/// then the whole note is not to be used.
pub fn verify_cosignatures(
    note: &SignedNote,
    witnesses: &[WitnessVerifier],
) -> Result<Vec<Cosignature>, NoteError> {
    let mut found = Vec::new();
    for witness in witnesses {
        if let Some(time_s) = witness.verify(note)? {
            let witness = witness.name.clone();
            found.push(Cosignature { witness, time_s });
        }
    }
    Ok(found)
}

impl Cosignature {
    /// The node that cosigned, as the witness's name says.
    #[must_use]
    pub fn node(&self) -> &str {
        self.witness.split('/').nth(2).unwrap_or_default()
    }
}

impl WitnessVerifier {
    /// A witness that has one key.
    #[must_use]
    pub fn new(name: String, key: VerifyingKey) -> Self {
        let earlier = Vec::new();
        Self { name, key, earlier }
    }

    /// Reads the verifier key line of a witness, or two of a key that has a companion. Spec: LOG-8,
    /// LOG-10, LOG-31.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::VerifierKey`], also for a key that signs no cosignatures.
    pub fn from_vkey(text: &str) -> Result<Self, NoteError> {
        match NoteKey::parse_pair(text)? {
            (name, NotePublicKey::Cosignature(key)) => Ok(Self::new(name, key)),
            _ => Err(NoteError::VerifierKey),
        }
    }

    /// The verifier key line of its key in force, as C2SP tools take it; a second one if that has a
    /// companion. Spec: LOG-8, LOG-31.
    #[must_use]
    pub fn vkey(&self) -> String {
        note::vkeys(&self.name, NotePublicKey::Cosignature(self.key.clone()))
    }

    /// A checkpoint with what this witness has cosigned it by: so many lines as its key in force makes,
    /// and no other. Spec: WIT-13.
    ///
    /// # Errors
    /// [`CheckpointError`] if these are not its lines, or do not verify, or are over the limits.
    pub fn add(&self, checkpoint: &[u8], lines: &[u8]) -> Result<Bytes, CheckpointError> {
        let joined = witness::with_lines(checkpoint, lines)?;
        let note = SignedNote::parse(&joined)?;
        let known = SignedNote::parse(checkpoint)?.signatures.len();
        let added = &note.signatures[known..];
        let expected = 1 + usize::from(self.key.companion().is_some());
        if added.len() != expected || !added.iter().all(|line| self.has_made(line)) {
            return Err(NoteError::SignatureLine.into());
        }
        match self.verify(&note)? {
            Some(_) => Ok(joined),
            None => Err(NoteError::HalfSigned.into()),
        }
    }

    /// Of the lines that somebody answers those that name its key in force, as they travel.
    #[must_use]
    pub fn own_lines(&self, answer: &str) -> String {
        let lines = answer.split_inclusive('\n');
        let own = lines.filter(|line| {
            let line = line.strip_suffix('\n').map(NoteSignature::parse);
            line.is_some_and(|line| line.is_ok_and(|line| self.has_made(&line)))
        });
        own.collect()
    }

    /// Whether a line names its key in force, or the companion of that.
    fn has_made(&self, line: &NoteSignature) -> bool {
        let second = self.key.head_companion();
        let second = second.map(|companion| subtree::key_id(&self.name, companion));
        let ids = [Some(key_id(&self.name, &self.key)), second];
        line.name == self.name && ids.contains(&Some(line.key_id))
    }

    /// When it cosigned; none if it did not: by both halves of a key, at one time, before the key's
    /// end. Of several keys the first that has a line decides. Spec: WIT-23, WIT-24.
    fn verify(&self, note: &SignedNote) -> Result<Option<u64>, NoteError> {
        let in_force = LogKey {
            key: self.key.clone(),
            not_after_ms: None,
        };
        for listed in std::iter::once(&in_force).chain(&self.earlier) {
            let id = key_id(&self.name, &listed.key);
            let Some(line) = note.line_of(&self.name, id)? else {
                continue;
            };
            let time_s = verify_line(note.text(), line, &listed.key)?;
            let twice = self.has_signed_twice(note, &listed.key, time_s)?;
            let in_time = listed.is_good_at(time_s.saturating_mul(1000));
            return Ok((twice && in_time).then_some(time_s));
        }
        Ok(None)
    }

    /// Whether the companion of a key, if there is one, has cosigned at the same time.
    fn has_signed_twice(
        &self,
        note: &SignedNote,
        key: &VerifyingKey,
        time_s: u64,
    ) -> Result<bool, NoteError> {
        let Some(companion) = key.companion() else {
            return Ok(true);
        };
        let head = Checkpoint::parse_text(note.text()).map_err(|_| NoteError::BadSignature)?;
        let second = subtree::verify(note, &head, &self.name, companion)?;
        Ok(second == Some(time_s))
    }
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    note::key_id(name, NoteKeyKind::Cosignature, key.as_bytes())
}

/// The time at which the Ed25519 key has cosigned.
fn verify_line(text: &str, line: &NoteSignature, key: &VerifyingKey) -> Result<u64, NoteError> {
    let bad = NoteError::BadSignature;
    let (time_s, signature) = subtree::split_time(line).ok_or(bad)?;
    let verified = key.verify_ed25519(&message(text, time_s), signature);
    verified.map(|()| time_s).map_err(|_| bad)
}

fn message(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{LogVerifier, checkpoint, empty_root};

    fn cosigned() -> (Bytes, LogVerifier, [WitnessVerifier; 2]) {
        let key = SigningKey::from_seed(&[1; 32]);
        let head = Checkpoint {
            origin: "frex/f.test/n/log/1".to_owned(),
            size: 0,
            root: empty_root(),
        };
        let mut note = checkpoint::sign(&head, &key).expect("valid head");
        let witnesses = [2, 3].map(|seed| {
            let key = SigningKey::from_seed(&[seed; 32]);
            let name = format!("frex/f.test/w{seed}/witness/1");
            note = cosign(&note, &name, &key, 1_679_315_147).expect("valid note");
            WitnessVerifier::new(name, key.verifying_key())
        });
        let log = LogVerifier::new(head.origin, key.verifying_key());
        (note, log, witnesses)
    }

    // LOG-10: cosignatures stand beside the log's own signature.
    #[test]
    fn known_witnesses_are_counted_and_unknown_ones_ignored() {
        let (bytes, log, witnesses) = cosigned();
        assert!(checkpoint::parse_and_verify(&bytes, &log, 0).is_ok());
        let note = SignedNote::parse(&bytes).expect("own output");
        let all = verify_cosignatures(&note, &witnesses).expect("both hold");
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].time_s, 1_679_315_147);
        let one = verify_cosignatures(&note, &witnesses[1..]).expect("it holds");
        assert_eq!(one[0].witness, witnesses[1].name);
    }

    // LOG-10: the time is signed, a bare signature is none, and nobody counts twice.
    #[test]
    fn a_wrong_cosignature_of_a_known_witness_fails_the_note() {
        let (bytes, _, witnesses) = cosigned();
        let good = SignedNote::parse(&bytes).expect("own output");
        let altered = |change: &dyn Fn(&mut SignedNote)| {
            let mut note = good.clone();
            change(&mut note);
            verify_cosignatures(&note, &witnesses)
        };
        let later = altered(&|note| note.signatures[1].signature[7] ^= 1);
        assert_eq!(later, Err(NoteError::BadSignature));
        let bare = altered(&|note| {
            note.signatures[1].signature.drain(..subtree::TIME_BYTES);
        });
        assert_eq!(bare, Err(NoteError::BadSignature));
        let beyond = altered(&|note| note.signatures[1].signature[0] |= 0x80);
        assert_eq!(beyond, Err(NoteError::BadSignature));
        let short = altered(&|note| note.signatures[1].signature.truncate(3));
        assert_eq!(short, Err(NoteError::BadSignature));
        let twice = altered(&|note| {
            let line = note.signatures[1].clone();
            note.signatures.push(line);
        });
        assert_eq!(twice, Err(NoteError::Repeated));
    }

    // LOG-10: a witness's key does not sign as a log, nor a log's key as a witness.
    #[test]
    fn a_cosignature_is_no_log_signature() {
        let (bytes, log, witnesses) = cosigned();
        let note = SignedNote::parse(&bytes).expect("own output");
        let posing = note.verify(&witnesses[0].name, &witnesses[0].key);
        assert_eq!(posing, Err(NoteError::Unsigned));
        let key = log.key().clone();
        let as_witness = WitnessVerifier::new(log.origin, key);
        assert_eq!(verify_cosignatures(&note, &[as_witness]), Ok(Vec::new()));
    }
}
