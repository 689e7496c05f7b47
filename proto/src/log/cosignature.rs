//! Cosignatures of witnesses, `cosignature/v1` as C2SP tlog-cosignature says. Spec: LOG-10.

use bytes::Bytes;

use super::{
    Checkpoint, CheckpointError, Cosignature, NoteError, NoteKey, NoteKeyKind, NoteSignature,
    SignedNote, WitnessVerifier, note,
};
use crate::{keys::SigningKey, limits};

const TIME_BYTES: usize = 8;
const TIME_MAX: u64 = i64::MAX.cast_unsigned();

/// Adds a witness's cosignature to a checkpoint. The witness must have checked the log's own
/// signature and the consistency with what it cosigned before, and kept that durably.
/// Spec: LOG-10.
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
    Checkpoint::parse_text(note.text())?;
    note::check_key_name(name)?;
    let time_s = time_s.min(TIME_MAX);
    let message = message(note.text(), time_s);
    let signature = key.sign(&message).map_err(NoteError::from)?;
    note.signatures.push(NoteSignature {
        name: name.to_owned(),
        key_id: note::key_id(name, NoteKeyKind::Cosignature, &key.verifying_key()),
        signature: [&time_s.to_be_bytes()[..], &signature].concat(),
    });
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
/// unknown keys are ignored. Whether they suffice is for the caller's policy. Spec: LOG-10.
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
        let id = note::key_id(&witness.name, NoteKeyKind::Cosignature, &witness.key);
        if let Some(line) = note.line_of(&witness.name, id)? {
            found.push(verify_line(note.text(), line, witness)?);
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
    /// Reads the verifier key line of a witness. Spec: LOG-8, LOG-10.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::VerifierKey`], also for a key that signs no cosignatures.
    pub fn from_vkey(text: &str) -> Result<Self, NoteError> {
        let key = NoteKey::parse(text)?;
        match key.kind {
            NoteKeyKind::Cosignature => Ok(Self {
                name: key.name,
                key: key.key,
            }),
            NoteKeyKind::Ed25519 => Err(NoteError::VerifierKey),
        }
    }

    /// Its verifier key line, as C2SP tools take it. Spec: LOG-8.
    #[must_use]
    pub fn vkey(&self) -> String {
        let key = NoteKey {
            name: self.name.clone(),
            kind: NoteKeyKind::Cosignature,
            key: self.key.clone(),
        };
        key.to_string()
    }
}

fn verify_line(
    text: &str,
    line: &NoteSignature,
    witness: &WitnessVerifier,
) -> Result<Cosignature, NoteError> {
    let (time, signature) = line
        .signature
        .split_first_chunk::<TIME_BYTES>()
        .ok_or(NoteError::BadSignature)?;
    let time_s = u64::from_be_bytes(*time);
    if time_s > TIME_MAX {
        return Err(NoteError::BadSignature);
    }
    witness
        .key
        .verify(&message(text, time_s), signature)
        .map_err(|_| NoteError::BadSignature)?;
    Ok(Cosignature {
        witness: witness.name.clone(),
        time_s,
    })
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
            WitnessVerifier {
                name,
                key: key.verifying_key(),
            }
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
            note.signatures[1].signature.drain(..TIME_BYTES);
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
        let as_witness = WitnessVerifier {
            key: log.key().clone(),
            name: log.origin,
        };
        assert_eq!(verify_cosignatures(&note, &[as_witness]), Ok(Vec::new()));
    }
}
