//! C2SP signed notes: a text, an empty line, signature lines. Spec: LOG-7, LOG-8, LOG-9.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{NoteKey, NoteKeyKind, NotePublicKey, NoteSignature, SignedNote};
use crate::{
    error::WireCode,
    keys::{CompanionKey, CompanionKind, SigningError, SigningKey, VerifyingKey},
    label, limits,
};

const DASH: &str = "\u{2014} ";
const KEY_ID_BYTES: usize = 4;

/// Why a note is not one, or is not signed as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Over the size limit.
    #[error("note over the size limit")]
    TooLarge,
    /// Not UTF-8, or with control characters.
    #[error("note is not plain text")]
    NotText,
    /// No text that ends in a newline, empty line, and lines after it.
    #[error("note lacks its text, its empty line or its signatures")]
    Shape,
    /// A signature line that is not one.
    #[error("malformed signature line")]
    SignatureLine,
    /// Over the limit of signature lines.
    #[error("too many signature lines")]
    TooManySignatures,
    /// A key name that is empty or has a space or a plus in it.
    #[error("malformed key name")]
    KeyName,
    /// A verifier key line that is not one, or whose key id or key is wrong.
    #[error("malformed verifier key")]
    VerifierKey,
    /// The key that must sign has no line here.
    #[error("note is not signed by the expected key")]
    Unsigned,
    /// The key that must sign has two lines here.
    #[error("note is signed twice by the same key")]
    Repeated,
    /// The line of a known key does not verify.
    #[error("signature of a known key does not verify")]
    BadSignature,
    /// A key with a companion has one of its two lines here.
    #[error("of a key that signs twice one line is missing: it was taken away or never made")]
    HalfSigned,
    /// The key that is to sign does not.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl From<NoteError> for WireCode {
    fn from(error: NoteError) -> Self {
        match error {
            NoteError::TooLarge | NoteError::TooManySignatures => Self::TooLarge,
            NoteError::NotText
            | NoteError::Shape
            | NoteError::SignatureLine
            | NoteError::KeyName
            | NoteError::VerifierKey => Self::Malformed,
            NoteError::Unsigned | NoteError::Repeated | NoteError::BadSignature => {
                Self::BadSignature
            }
            NoteError::HalfSigned => Self::HalfSigned,
            NoteError::Signing(error) => error.into(),
        }
    }
}

impl SignedNote {
    /// Reads a note. Nothing in it is to be believed before [`SignedNote::verify`]. Spec: LOG-7.
    ///
    /// # Errors
    /// [`NoteError`] by what is wrong with the form.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > limits::CHECKPOINT_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        check_text(note)?;
        // The last empty line divides: the text itself may hold empty lines.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if lines.split('\n').count() > limits::NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signatures: Result<_, _> = lines.split('\n').map(NoteSignature::parse).collect();
        Ok(Self {
            text: format!("{text}\n"),
            signatures: signatures?,
        })
    }

    /// Signs a text as a new note with one signature.
    ///
    /// # Errors
    /// [`NoteError::Shape`], [`NoteError::NotText`] or [`NoteError::TooLarge`] for a text that no
    /// note can hold, [`NoteError::KeyName`], [`NoteError::Signing`].
    pub fn sign(text: &str, name: &str, key: &SigningKey) -> Result<Self, NoteError> {
        check_text(text)?;
        check_key_name(name)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Shape);
        }
        if text.len() + name.len() + 128 > limits::CHECKPOINT_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let public = key.verifying_key();
        let signature = NoteSignature {
            name: name.to_owned(),
            key_id: key_id(name, NoteKeyKind::Ed25519, public.as_bytes()),
            signature: key.sign(text.as_bytes())?.to_vec(),
        };
        Ok(Self {
            text: text.to_owned(),
            signatures: vec![signature],
        })
    }

    /// Checks the signature of the plain Ed25519 key of this name; that of its companion, if it has
    /// one, is over a head and not over a text. Spec: LOG-9.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`], [`NoteError::Repeated`], [`NoteError::BadSignature`].
    pub fn verify(&self, name: &str, key: &VerifyingKey) -> Result<(), NoteError> {
        let id = key_id(name, NoteKeyKind::Ed25519, key.as_bytes());
        let line = self.line_of(name, id)?.ok_or(NoteError::Unsigned)?;
        key.verify_ed25519(self.text.as_bytes(), &line.signature)
            .map_err(|_| NoteError::BadSignature)
    }

    /// The text with its final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, believed or not.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The only line of a key, if it has one.
    pub(super) fn line_of(
        &self,
        name: &str,
        key_id: [u8; KEY_ID_BYTES],
    ) -> Result<Option<&NoteSignature>, NoteError> {
        let mut lines = self
            .signatures
            .iter()
            .filter(|line| line.key_id == key_id && line.name == name);
        let first = lines.next();
        match lines.next() {
            Some(_) => Err(NoteError::Repeated),
            None => Ok(first),
        }
    }
}

impl std::fmt::Display for SignedNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| line.fmt(f))
    }
}

impl NoteSignature {
    pub(super) fn parse(line: &str) -> Result<Self, NoteError> {
        let line = line.strip_prefix(DASH).ok_or(NoteError::SignatureLine)?;
        let (name, blob) = line.split_once(' ').ok_or(NoteError::SignatureLine)?;
        check_key_name(name)?;
        let blob = STANDARD
            .decode(blob)
            .map_err(|_| NoteError::SignatureLine)?;
        match blob.split_first_chunk() {
            Some((key_id, signature)) if !signature.is_empty() => Ok(Self {
                name: name.to_owned(),
                key_id: *key_id,
                signature: signature.to_vec(),
            }),
            _ => Err(NoteError::SignatureLine),
        }
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of the key: a hint, never proof.
    #[must_use]
    pub const fn key_id(&self) -> [u8; KEY_ID_BYTES] {
        self.key_id
    }

    /// The signature as its algorithm defines it.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl std::fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let blob = [&self.key_id[..], &self.signature].concat();
        writeln!(f, "{DASH}{} {}", self.name, STANDARD.encode(blob))
    }
}

impl NoteKey {
    /// Reads a verifier key line (vkey): name, key id and key, joined by plus signs. Spec: LOG-8.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], [`NoteError::VerifierKey`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::VerifierKey;
        let (name, rest) = text.split_once('+').ok_or(malformed)?;
        let (id, key) = rest.split_once('+').ok_or(malformed)?;
        check_text(name)?;
        check_key_name(name)?;
        let key = STANDARD.decode(key).map_err(|_| malformed)?;
        let (kind, key) = key.split_first().ok_or(malformed)?;
        let key = match kind {
            0x01 => VerifyingKey::admit(key).map(NotePublicKey::Ed25519),
            0x04 => VerifyingKey::admit(key).map(NotePublicKey::Cosignature),
            0x06 => CompanionKey::admit(CompanionKind::Heads, key).map(NotePublicKey::Subtree),
            _ => return Err(malformed),
        };
        let key = key.map_err(|_| malformed)?;
        // Compared as text, so that only lower case passes.
        if hex::encode(key_id(name, key.kind(), key.as_bytes())) != id {
            return Err(malformed);
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// Reads one verifier key, or two of one name on lines of their own: that of an Ed25519 key and
    /// that of its companion, which are one key. Spec: LOG-8, LOG-31.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`NoteError::VerifierKey`] for more, or for two that are no pair.
    pub(super) fn parse_pair(text: &str) -> Result<(String, NotePublicKey), NoteError> {
        // Not `lines`: a carriage return before the newline would pass.
        let mut lines = text.split('\n');
        let first = Self::parse(lines.next().unwrap_or_default())?;
        let second = lines.next().map(Self::parse).transpose()?;
        if lines.next().is_some() {
            return Err(NoteError::VerifierKey);
        }
        let paired = |key: VerifyingKey, companion: &CompanionKey| {
            let key = VerifyingKey::admit_with(key.as_bytes(), companion.as_bytes());
            key.map_err(|_| NoteError::VerifierKey)
        };
        let key = match (first.key, second) {
            (key, None) => key,
            (_, Some(second)) if second.name != first.name => return Err(NoteError::VerifierKey),
            (key, Some(second)) => match (key, second.key) {
                (NotePublicKey::Ed25519(key), NotePublicKey::Subtree(companion)) => {
                    NotePublicKey::Ed25519(paired(key, &companion)?)
                }
                (NotePublicKey::Cosignature(key), NotePublicKey::Subtree(companion)) => {
                    NotePublicKey::Cosignature(paired(key, &companion)?)
                }
                _ => return Err(NoteError::VerifierKey),
            },
        };
        Ok((first.name, key))
    }
}

/// The verifier key lines of a key and of its companion, if it has one.
pub(super) fn vkeys(name: &str, key: NotePublicKey) -> String {
    let companion = match &key {
        NotePublicKey::Ed25519(key) | NotePublicKey::Cosignature(key) => key.head_companion(),
        NotePublicKey::Subtree(_) => None,
    };
    let second = companion.cloned().map(NotePublicKey::Subtree);
    let lines = std::iter::once(key).chain(second).map(|key| {
        let name = name.to_owned();
        NoteKey { name, key }.to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl NotePublicKey {
    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> NoteKeyKind {
        match self {
            Self::Ed25519(_) => NoteKeyKind::Ed25519,
            Self::Cosignature(_) => NoteKeyKind::Cosignature,
            Self::Subtree(_) => NoteKeyKind::Subtree,
        }
    }

    /// The encoded key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) | Self::Cosignature(key) => key.as_bytes(),
            Self::Subtree(key) => key.as_bytes(),
        }
    }
}

impl std::fmt::Display for NoteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, key) = (self.key.kind(), self.key.as_bytes());
        let id = hex::encode(key_id(&self.name, kind, key));
        let key = [&[kind as u8][..], key].concat();
        write!(f, "{}+{id}+{}", self.name, STANDARD.encode(key))
    }
}

/// Short id of a note key: the start of a hash of its name, kind and bytes. Spec: LOG-8.
#[must_use]
pub fn key_id(name: &str, kind: NoteKeyKind, key: &[u8]) -> [u8; KEY_ID_BYTES] {
    let hash = label::sha256(&[name.as_bytes(), b"\n", &[kind as u8], key]);
    [hash[0], hash[1], hash[2], hash[3]]
}

pub(super) fn check_key_name(name: &str) -> Result<(), NoteError> {
    let clean = |c: char| !c.is_whitespace() && c != '+';
    if name.is_empty() || !name.chars().all(clean) {
        return Err(NoteError::KeyName);
    }
    Ok(())
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let clean = |byte: u8| byte >= b' ' || byte == b'\n';
    text.bytes()
        .all(clean)
        .then_some(())
        .ok_or(NoteError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "frex/f.test/n/log/1";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn note() -> String {
        let note = SignedNote::sign("one\n\ntwo\n", NAME, &key(1)).expect("plain text");
        note.to_string()
    }

    // LOG-7, LOG-8, LOG-9: the example of the signed-note specification.
    #[test]
    fn the_example_of_the_specification_verifies() {
        let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let text = "This is an example message.\n\n\u{2014} example.com/foo \
            Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        let key = NoteKey::parse(vkey).expect("published key");
        assert_eq!(key.to_string(), vkey);
        let note = SignedNote::parse(text.as_bytes()).expect("published note");
        let NotePublicKey::Ed25519(public) = &key.key else {
            panic!("an Ed25519 key");
        };
        assert_eq!(note.verify(&key.name, public), Ok(()));
        assert_eq!(note.to_string(), text);
    }

    // LOG-8, LOG-10: the verifier key of a public witness, made by another implementation.
    #[test]
    fn a_published_witness_key_reads_back() {
        let vkey = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
        let key = NoteKey::parse(vkey).expect("published key");
        assert_eq!(key.key.kind(), NoteKeyKind::Cosignature);
        assert_eq!(key.to_string(), vkey);
    }

    // LOG-7: the last empty line divides text and signatures.
    #[test]
    fn a_text_with_empty_lines_reads_back() {
        let parsed = SignedNote::parse(note().as_bytes()).expect("own output");
        assert_eq!(parsed.text(), "one\n\ntwo\n");
        assert_eq!(parsed.verify(NAME, &key(1).verifying_key()), Ok(()));
    }

    // LOG-7: each fault of form has its own error.
    #[test]
    fn a_malformed_note_is_refused_by_its_reason() {
        let good = note();
        let parse = |text: String| SignedNote::parse(text.as_bytes()).map(|_| ());
        let line = good.lines().last().expect("one signature").to_owned();
        let cases = [
            (good.replace("one", "o\tne"), NoteError::NotText),
            (good.replace("one", "o\rne"), NoteError::NotText),
            (good.trim_end().to_owned(), NoteError::Shape),
            ("one\n".to_owned(), NoteError::Shape),
            ("one\n\n".to_owned(), NoteError::Shape),
            (good.clone() + "\n", NoteError::Shape),
            (good.replace(DASH, "- "), NoteError::SignatureLine),
            (good.replace(NAME, ""), NoteError::KeyName),
            (good.replace(NAME, "a+b"), NoteError::KeyName),
            (good.replace(NAME, "a\u{a0}b"), NoteError::KeyName),
            (good.replace("=\n", "\n"), NoteError::SignatureLine),
            (
                good.clone() + "\u{2014} x AAAAAA==\n",
                NoteError::SignatureLine,
            ),
            (
                good.clone() + "\u{2014} x AAAAAAB=\n",
                NoteError::SignatureLine,
            ),
            (
                "x".repeat(limits::CHECKPOINT_BYTES_MAX) + &good,
                NoteError::TooLarge,
            ),
            (
                good.clone() + &"\u{2014} x AAAAAAA=\n".repeat(limits::NOTE_SIGNATURES_MAX),
                NoteError::TooManySignatures,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text.clone()), Err(error), "{text}");
        }
        assert_eq!(parse(format!("one\n\n{line}\n")), Ok(()));
        assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(NoteError::NotText));
    }

    // LOG-9: a known key's bad line fails the note; an unknown key's line is ignored.
    #[test]
    fn only_the_known_key_makes_a_note_believed() {
        let (known, other) = (key(1).verifying_key(), key(2).verifying_key());
        let good = note();
        let verify =
            |text: &str, key| SignedNote::parse(text.as_bytes()).and_then(|n| n.verify(NAME, key));
        assert_eq!(verify(&good, &other), Err(NoteError::Unsigned));
        let altered = good.replace("one", "0ne");
        assert_eq!(verify(&altered, &known), Err(NoteError::BadSignature));
        let with_stranger = good.clone() + "\u{2014} stranger AAAAAAA=\n";
        assert_eq!(verify(&with_stranger, &known), Ok(()));
        let line = good.lines().last().expect("one signature");
        let twice = format!("{good}{line}\n");
        assert_eq!(verify(&twice, &known), Err(NoteError::Repeated));
        let note = SignedNote::parse(good.as_bytes()).expect("own output");
        assert_eq!(note.verify("other", &known), Err(NoteError::Unsigned));
    }

    // LOG-8
    #[test]
    fn a_wrong_verifier_key_is_refused() {
        let good = NoteKey {
            name: NAME.to_owned(),
            key: NotePublicKey::Ed25519(key(1).verifying_key()),
        };
        let text = good.to_string();
        let (name, rest) = text.split_once('+').expect("own output");
        let (id, blob) = rest.split_once('+').expect("own output");
        let weak = STANDARD.encode([&[1_u8, 1][..], &[0; 31]].concat());
        let later_kind = STANDARD.encode([&[6_u8][..], good.key.as_bytes()].concat());
        for wrong in [
            name.to_owned(),
            format!("{name}+{id}"),
            format!("x{text}"),
            format!("{name}+{}+{blob}", id.to_uppercase().replace('0', "A")),
            format!("{name}+00000000+{blob}"),
            format!("{name}+{id}+{weak}"),
            format!("{name}+{id}+{later_kind}"),
            format!("{name}+{id}+"),
        ] {
            let error = NoteKey::parse(&wrong).map(|_| ());
            assert_eq!(error, Err(NoteError::VerifierKey), "{wrong}");
        }
        let unnamed = format!("+{id}+{blob}");
        assert_eq!(
            NoteKey::parse(&unnamed).map(|_| ()),
            Err(NoteError::KeyName)
        );
    }

    // LOG-7: what no reader would take is not signed.
    #[test]
    fn an_unreadable_note_is_not_made() {
        let sign = |text: &str, name| SignedNote::sign(text, name, &key(1)).map(|_| ());
        assert_eq!(sign("x", NAME), Err(NoteError::Shape));
        assert_eq!(sign("x\0\n", NAME), Err(NoteError::NotText));
        assert_eq!(sign("x\n", "a b"), Err(NoteError::KeyName));
        assert_eq!(
            sign(&("x".repeat(limits::CHECKPOINT_BYTES_MAX) + "\n"), NAME),
            Err(NoteError::TooLarge)
        );
    }
}
