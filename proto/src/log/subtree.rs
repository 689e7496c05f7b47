//! Lines of ML-DSA-44 keys, type 0x06 of C2SP tlog-cosignature: a log's own, and those of witnesses.
//! Each stands beside the line of an Ed25519 key, whose companion made it. Spec: LOG-31, LOG-32.

use super::{Checkpoint, NoteError, NoteKeyKind, NoteSignature, SignedNote, note};
use crate::keys::{CompanionKey, CompanionKind, SigningKey};

const LABEL: &[u8; 12] = b"subtree/v1\n\0";
pub(super) const TIME_BYTES: usize = 8;
/// Seconds; beyond it no cosignature has a time.
pub(super) const TIME_MAX: u64 = i64::MAX.cast_unsigned();
/// The time that a log gives: it says nothing of when.
pub(super) const NO_TIME: u64 = 0;

/// What the companion of `key` signs of a head under `name`; none if there is none for it.
///
/// # Errors
/// [`NoteError::KeyName`] for a name or an origin that the signed message has no room for.
pub(super) fn line(
    head: &Checkpoint,
    name: &str,
    key: &SigningKey,
    time_s: u64,
) -> Result<Option<NoteSignature>, NoteError> {
    if key.verifying_key().head_companion().is_none() {
        return Ok(None);
    }
    let message = message(head, name, time_s).ok_or(NoteError::KeyName)?;
    let signed = key.sign_companion(CompanionKind::Heads, &message);
    Ok(signed.map(|(companion, signature)| NoteSignature {
        name: name.to_owned(),
        key_id: key_id(name, companion),
        signature: [&time_s.to_be_bytes()[..], &signature].concat(),
    }))
}

/// The time that the line of a companion states; none if it has no line here.
///
/// # Errors
/// [`NoteError::Repeated`], [`NoteError::BadSignature`].
pub(super) fn verify(
    note: &SignedNote,
    head: &Checkpoint,
    name: &str,
    companion: &CompanionKey,
) -> Result<Option<u64>, NoteError> {
    let Some(line) = note.line_of(name, key_id(name, companion))? else {
        return Ok(None);
    };
    let (time_s, signature) = split_time(line).ok_or(NoteError::BadSignature)?;
    let message = message(head, name, time_s).ok_or(NoteError::BadSignature)?;
    let verified = companion.verify(&message, signature);
    verified.map_err(|_| NoteError::BadSignature)?;
    Ok(Some(time_s))
}

/// Id of a companion as a note key of this name.
pub(super) fn key_id(name: &str, companion: &CompanionKey) -> [u8; 4] {
    note::key_id(name, NoteKeyKind::Subtree, companion.as_bytes())
}

/// The time in front of a cosignature, and what follows it; none for a time that is none.
pub(super) fn split_time(line: &NoteSignature) -> Option<(u64, &[u8])> {
    let (time, signature) = line.signature.split_first_chunk::<TIME_BYTES>()?;
    let time_s = u64::from_be_bytes(*time);
    (time_s <= TIME_MAX).then_some((time_s, signature))
}

/// `cosigned_message` of C2SP tlog-cosignature, of a whole tree.
fn message(head: &Checkpoint, name: &str, time_s: u64) -> Option<Vec<u8>> {
    let mut message = LABEL.to_vec();
    push_name(&mut message, name)?;
    message.extend_from_slice(&time_s.to_be_bytes());
    push_name(&mut message, &head.origin)?;
    message.extend_from_slice(&0_u64.to_be_bytes());
    message.extend_from_slice(&head.size.to_be_bytes());
    message.extend_from_slice(&head.root);
    Some(message)
}

/// A name of 1 to 255 bytes behind its length.
fn push_name(message: &mut Vec<u8>, name: &str) -> Option<()> {
    let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
    message.push(length);
    message.extend_from_slice(name.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::WireCode,
        log::{
            CheckpointError, LogVerifier, WitnessVerifier, checkpoint, cosignature, empty_root,
            witness,
        },
    };

    const TIME_S: u64 = 1_900_000_000;

    fn bare(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn pair(seed: u8) -> SigningKey {
        bare(seed).with_companion_of(CompanionKind::Heads, &[seed + 100; 32])
    }

    fn head() -> Checkpoint {
        Checkpoint {
            origin: "frex/f.test/n/log/1".to_owned(),
            size: 0,
            root: empty_root(),
        }
    }

    fn log(key: &SigningKey) -> LogVerifier {
        LogVerifier::new(head().origin, key.verifying_key())
    }

    /// Every note that lacks one of the lines of this one.
    fn without_one(note: &[u8]) -> Vec<String> {
        let note = SignedNote::parse(note).expect("a note");
        let without = |place| {
            let mut note = note.clone();
            note.signatures.remove(place);
            note.to_string()
        };
        (0..note.signatures.len()).map(without).collect()
    }

    // KEY-36, LOG-31, LOG-32: who lists the key decides that there are two signatures; nothing in a note
    // does.
    #[test]
    fn of_a_log_key_with_a_companion_both_lines_must_be_there() {
        let note = checkpoint::sign(&head(), &pair(1)).expect("a head");
        let judge =
            |note: &[u8], key: SigningKey| checkpoint::parse_and_verify(note, &log(&key), 0);
        assert_eq!(judge(&note, pair(1)), Ok(head()));
        // Trusted by the Ed25519 key alone the other line is a stranger's.
        assert_eq!(judge(&note, bare(1)), Ok(head()));
        let from_vkey = LogVerifier::from_vkey(&log(&pair(1)).vkey()).expect("own output");
        assert_eq!(from_vkey.key(), &pair(1).verifying_key());
        let missing = without_one(&note).into_iter();
        let missing: Vec<_> = missing
            .map(|note| judge(note.as_bytes(), pair(1)))
            .collect();
        let refused = [NoteError::Unsigned, NoteError::HalfSigned];
        assert_eq!(
            missing,
            refused.map(|error| Err(CheckpointError::Note(error)))
        );
        assert_eq!(WireCode::from(NoteError::HalfSigned), WireCode::HalfSigned);
        let bare_note = checkpoint::sign(&head(), &bare(1)).expect("a head");
        let half = Err(CheckpointError::Note(NoteError::HalfSigned));
        assert_eq!(judge(&bare_note, pair(1)), half);
        // What is kept as evidence is the log's word whole.
        let cosigned = cosignature::cosign(&note, "w", &pair(2), TIME_S).expect("a note");
        assert_eq!(witness::bare(&cosigned, &log(&pair(1))), Ok(note.clone()));
        assert_eq!(log(&pair(1)).vkey_for(&note), Some(log(&pair(1)).vkey()));
    }

    // WIT-13, WIT-23: what a witness answers is so many lines as its key makes, and counts whole.
    #[test]
    fn a_witness_with_a_companion_counts_by_both_lines_alone() {
        let note = checkpoint::sign(&head(), &bare(1)).expect("a head");
        let witness = WitnessVerifier::new("w".to_owned(), pair(2).verifying_key());
        let by = |key: SigningKey| cosignature::cosign(&note, "w", &key, TIME_S).expect("a note");
        let whole = by(pair(2));
        let lines = witness::lines_beyond(&whole, &note).expect("two lines");
        assert_eq!(witness.add(&note, &lines), Ok(whole.clone()));
        let answer = String::from_utf8([b"noise\n", &lines[..], &lines[..]].concat());
        assert_eq!(
            witness.own_lines(&answer.expect("text")).len(),
            2 * lines.len()
        );
        let count = |note: &[u8]| {
            let note = SignedNote::parse(note).expect("a note");
            let found = cosignature::verify_cosignatures(&note, std::slice::from_ref(&witness));
            found.map(|found| found.len())
        };
        assert_eq!(count(&whole), Ok(1));
        for missing in &without_one(&whole)[1..] {
            assert_eq!(count(missing.as_bytes()), Ok(0));
        }
        let line = |lines: &[u8], at: usize| {
            let text = std::str::from_utf8(lines).expect("text");
            text.split_inclusive('\n')
                .nth(at)
                .expect("a line")
                .to_owned()
        };
        let refused = |lines: &str| witness.add(&note, lines.as_bytes()).is_err();
        let other = witness::lines_beyond(&by(pair(3)), &note).expect("two lines");
        let (first, second) = (line(&lines, 0), line(&lines, 1));
        for wrong in [
            String::new(),
            first.clone(),
            second.clone(),
            second.repeat(2),
            format!("{first}{}", line(&other, 1)),
            format!("{first}{second}{first}"),
        ] {
            assert!(refused(&wrong), "{wrong}");
        }
        let later = cosignature::cosign(&note, "w", &pair(2), TIME_S + 1).expect("a note");
        let later = witness::lines_beyond(&later, &note).expect("two lines");
        assert!(refused(&format!("{first}{}", line(&later, 1))));
    }

    // LOG-31: a message has no room for a name of more than 255 bytes.
    #[test]
    fn a_name_that_is_too_long_is_not_signed() {
        let line = |name: &str| line(&head(), name, &pair(1), NO_TIME);
        assert!(line(&"n".repeat(255)).is_ok_and(|line| line.is_some()));
        for name in [String::new(), "n".repeat(256)] {
            assert_eq!(line(&name), Err(NoteError::KeyName));
        }
        assert_eq!(super::line(&head(), "n", &bare(1), NO_TIME), Ok(None));
    }
}
