//! Keys as types: what has this type was judged, or made here.
//!
//! A public key becomes a value only through `admit`, so code that holds one need not ask again.
//! Secret keys wipe themselves, do not print and are not compared; one may also stay in a token
//! outside the process. Spec: chapter KEY.

mod admission;
mod companion;
mod token;

use std::{fmt, hash, sync::Arc};

use ed25519_dalek::{Signer, ed25519};
use hpke::{Deserializable, Serializable, kem::Kem};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::companion::CompanionSecret;
pub use self::{
    admission::KeyError,
    companion::{CompanionKey, CompanionKind},
    token::{SigningError, Token},
};
use crate::{
    error::WireCode,
    id::KeyId,
    label::{self, Hash},
};

/// Bytes of an encoded X-Wing public key.
pub const SEALING_KEY_BYTES: usize = 1216;

/// The key encapsulation of suite 1. Spec: ENV-10.
pub(crate) type SuiteKem = hpke::kem::XWing;

/// Number of Ed25519 in a key id.
const ALGORITHM_ED25519: u16 = 1;

/// A signature does not hold. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct SignatureError;

impl From<SignatureError> for WireCode {
    fn from(_: SignatureError) -> Self {
        Self::BadSignature
    }
}

/// An admitted Ed25519 public key: canonical, of prime order; and its companion, if it has one.
/// Then it is one key all the same, and verifies what both have signed. Cloning is cheap.
/// Spec: KEY-3, KEY-30.
#[derive(Clone)]
pub struct VerifyingKey {
    point: ed25519_dalek::VerifyingKey,
    id: KeyId,
    companion: Option<CompanionKey>,
}

/// Which half of a key with a companion a signature is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Ed25519,
    Companion,
}

impl VerifyingKey {
    /// Judges `bytes` and keeps the point, so that no verification decodes it again.
    ///
    /// # Errors
    /// [`KeyError`] says which rule is broken.
    pub fn admit(bytes: &[u8]) -> Result<Self, KeyError> {
        admission::admit_verifying(bytes).map(Self::new)
    }

    /// Judges a key as an entry lists it: with its companion of this kind, unless those bytes are
    /// empty.
    ///
    /// # Errors
    /// [`KeyError`] says which rule is broken.
    pub fn admit_pair(
        bytes: &[u8],
        kind: CompanionKind,
        companion: &[u8],
    ) -> Result<Self, KeyError> {
        let companion = (!companion.is_empty()).then(|| CompanionKey::admit(kind, companion));
        let companion = companion.transpose()?;
        let key = Self::admit(bytes)?;
        Ok(Self { companion, ..key })
    }

    /// Judges a key with a companion of whichever kind is so long, unless those bytes are empty.
    ///
    /// # Errors
    /// [`KeyError`] says which rule is broken.
    pub fn admit_with(bytes: &[u8], companion: &[u8]) -> Result<Self, KeyError> {
        if companion.is_empty() {
            return Self::admit(bytes);
        }
        let kind = CompanionKind::of_length(companion.len()).ok_or(KeyError::Length)?;
        Self::admit_pair(bytes, kind, companion)
    }

    /// Judges what [`encoded`](Self::encoded) gives.
    ///
    /// # Errors
    /// [`KeyError`] says which rule is broken.
    pub fn admit_encoded(bytes: &[u8]) -> Result<Self, KeyError> {
        let (key, companion) = bytes.split_at_checked(32).ok_or(KeyError::Length)?;
        Self::admit_with(key, companion)
    }

    fn new(point: ed25519_dalek::VerifyingKey) -> Self {
        let algorithm = ALGORITHM_ED25519.to_be_bytes();
        let id = short_id(&[label::SIGNATURE_KEY, &algorithm, point.as_bytes()]);
        Self {
            point,
            id,
            companion: None,
        }
    }

    /// The 32 bytes of the Ed25519 key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.point.as_bytes()
    }

    /// The key's short hash: of the Ed25519 key, with a companion or without. Spec: KEY-2.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// The companion, without which this key has signed nothing. Spec: KEY-30.
    #[must_use]
    pub fn companion(&self) -> Option<&CompanionKey> {
        self.companion.as_ref()
    }

    /// The companion that signs heads of logs beside this key. Spec: KEY-35.
    #[must_use]
    pub fn head_companion(&self) -> Option<&CompanionKey> {
        let companion = self.companion.as_ref();
        companion.filter(|companion| companion.kind() == CompanionKind::Heads)
    }

    /// The bytes of the companion; none: no bytes.
    #[must_use]
    pub fn companion_bytes(&self) -> &[u8] {
        self.companion.as_ref().map_or(&[], |key| key.as_bytes())
    }

    /// The key's 32 bytes, and behind them those of its companion if it has one.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        [&self.as_bytes()[..], self.companion_bytes()].concat()
    }

    /// The hash whose fingerprint people compare: of the key and its companion. Spec: KEY-34.
    #[must_use]
    pub fn sha256(&self) -> Hash {
        label::sha256(&[self.as_bytes(), self.companion_bytes()])
    }

    /// Verifies by RFC 8032 without cofactor, S below L, R and A not of small order. Every
    /// node must reach the same verdict, so there is no batched or lenient form. Spec: KEY-7.
    ///
    /// # Errors
    /// [`SignatureError`] for anything but a valid 64-byte signature of `message`; and for a key
    /// with a companion always: no single signature is enough for it.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        self.verify_both(message, signature, None)
    }

    /// [`verify`](Self::verify), and the companion's signature if there is a companion: both must
    /// hold, and one too many is as wrong as one too few. Spec: KEY-31.
    pub(crate) fn verify_both(
        &self,
        message: &[u8],
        signature: &[u8],
        companions: Option<&[u8]>,
    ) -> Result<(), SignatureError> {
        let both = match (&self.companion, companions) {
            (None, None) => None,
            (Some(companion), Some(signature)) if companion.kind() == CompanionKind::Objects => {
                Some((companion, signature))
            }
            _ => return Err(SignatureError),
        };
        self.verify_ed25519(message, signature)?;
        both.map_or(Ok(()), |(key, signature)| key.verify(message, signature))
    }

    /// What the Ed25519 key alone has signed: of a key with a companion the first half.
    pub(crate) fn verify_ed25519(
        &self,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let signature = ed25519::Signature::from_slice(signature).map_err(|_| SignatureError)?;
        self.point
            .verify_strict(message, &signature)
            .map_err(|_| SignatureError)
    }

    /// Which half of this key a signature names; none: another key.
    pub(crate) fn half_named(&self, key_id: &[u8]) -> Option<Half> {
        if self.id.as_ref() == key_id {
            return Some(Half::Ed25519);
        }
        let companion = self.companion.as_ref()?;
        (companion.key_id().as_ref() == key_id).then_some(Half::Companion)
    }
}

/// A key with another companion, or without one, is another key.
impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes() && self.companion == other.companion
    }
}

impl Eq for VerifyingKey {}

impl hash::Hash for VerifyingKey {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.companion {
            None => write!(f, "VerifyingKey({})", self.id),
            Some(companion) => write!(f, "VerifyingKey({}, {companion:?})", self.id),
        }
    }
}

/// An Ed25519 secret key, in memory or in a token that is asked for each signature; and that of its
/// companion, in memory, if it has one.
#[derive(Clone)]
pub struct SigningKey {
    place: Place,
    companion: Option<Arc<CompanionSecret>>,
    verifying: VerifyingKey,
}

#[derive(Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "the usual key, which signs every envelope, is reached without a detour"
)]
enum Place {
    Memory(ed25519_dalek::SigningKey),
    Token(Arc<dyn Token>),
}

impl SigningKey {
    /// The key of a stored seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        // A clamped multiple of the base point is canonical and of prime order by construction.
        let verifying = VerifyingKey::new(key.verifying_key());
        Self {
            place: Place::Memory(key),
            companion: None,
            verifying,
        }
    }

    /// The same key with the companion of a stored seed, which signs objects: another key to
    /// everyone who verifies.
    #[must_use]
    pub fn with_companion(self, seed: &[u8; 32]) -> Self {
        self.with_companion_of(CompanionKind::Objects, seed)
    }

    /// The same key with the companion of a stored seed: another key to everyone who verifies.
    #[must_use]
    pub fn with_companion_of(self, kind: CompanionKind, seed: &[u8; 32]) -> Self {
        let companion = CompanionSecret::from_seed(kind, seed);
        Self {
            place: self.place,
            verifying: VerifyingKey {
                companion: Some(companion.public().clone()),
                ..self.verifying
            },
            companion: Some(Arc::new(companion)),
        }
    }

    /// A new key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_seed(&random_seed(rng))
    }

    /// A new key with a companion that signs objects.
    #[must_use]
    pub fn generate_pair(rng: &mut dyn CryptoRng) -> Self {
        Self::generate(rng).with_companion(&random_seed(rng))
    }

    /// A new key of a log or a witness, with a companion that signs heads too.
    #[must_use]
    pub fn generate_head_pair(rng: &mut dyn CryptoRng) -> Self {
        Self::generate(rng).with_companion_of(CompanionKind::Heads, &random_seed(rng))
    }

    /// The key of which `token` holds the secret half. A companion is no part of it: see
    /// [`with_companion`](Self::with_companion).
    #[must_use]
    pub fn in_token(mut verifying: VerifyingKey, token: Arc<dyn Token>) -> Self {
        verifying.companion = None;
        Self {
            place: Place::Token(token),
            companion: None,
            verifying,
        }
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// The public half's short hash.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.verifying.id
    }

    /// The seed, for storing. A token does not give its own.
    #[must_use]
    pub fn seed(&self) -> Option<Zeroizing<[u8; 32]>> {
        match &self.place {
            Place::Memory(key) => Some(Zeroizing::new(key.to_bytes())),
            Place::Token(_) => None,
        }
    }

    /// The companion's seed, for storing.
    #[must_use]
    pub fn companion_seed(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.companion.as_ref().map(|companion| companion.seed())
    }

    /// Signs `message` as it is, by Ed25519 alone: domain separation is the caller's, see
    /// [`crate::sign`].
    ///
    /// # Errors
    /// [`SigningError`] of a token; none of a key in memory.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        match &self.place {
            Place::Memory(key) => Ok(key.sign(message).to_bytes()),
            Place::Token(token) => token::ask(&**token, &self.verifying, message),
        }
    }

    /// Signs `message` with the companion for it, and gives the companion's public half; none
    /// without one of this kind.
    pub(crate) fn sign_companion(
        &self,
        kind: CompanionKind,
        message: &[u8],
    ) -> Option<(&CompanionKey, Vec<u8>)> {
        let companion = self.companion.as_ref()?;
        let fits = companion.public().kind() == kind;
        fits.then(|| (companion.public(), companion.sign(message)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.verifying.id)
    }
}

/// An admitted X-Wing (MLKEM768-X25519, 0x647a) public key. Cloning is cheap. Spec: KEY-6.
#[derive(Clone)]
pub struct SealingPublicKey(Arc<SealingPublic>);

struct SealingPublic {
    /// Parsed once: parsing it for every wrap would add about a twentieth to the encapsulation.
    parsed: <SuiteKem as Kem>::PublicKey,
    bytes: [u8; SEALING_KEY_BYTES],
    id: KeyId,
}

impl SealingPublicKey {
    /// Judges `bytes` and keeps the parsed key.
    ///
    /// # Errors
    /// [`KeyError`] says which rule is broken.
    pub fn admit(bytes: &[u8]) -> Result<Self, KeyError> {
        admission::admit_sealing::<SuiteKem>(bytes).map(Self::new)
    }

    fn new(parsed: <SuiteKem as Kem>::PublicKey) -> Self {
        let mut bytes = [0; SEALING_KEY_BYTES];
        parsed.write_exact(&mut bytes);
        let id = short_id(&[label::HPKE_KEY, &SuiteKem::KEM_ID.to_be_bytes(), &bytes]);
        Self(Arc::new(SealingPublic { parsed, bytes, id }))
    }

    /// The 1216 bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SEALING_KEY_BYTES] {
        &self.0.bytes
    }

    /// The key's short hash. Spec: KEY-2.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.0.id
    }

    pub(crate) fn parsed(&self) -> &<SuiteKem as Kem>::PublicKey {
        &self.0.parsed
    }
}

impl PartialEq for SealingPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for SealingPublicKey {}

impl fmt::Debug for SealingPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingPublicKey({})", self.0.id)
    }
}

/// An X-Wing secret key, held as its 32-byte seed.
pub struct SealingSecretKey {
    key: <SuiteKem as Kem>::PrivateKey,
    public: SealingPublicKey,
}

impl SealingSecretKey {
    /// The key of a stored seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = <SuiteKem as Kem>::PrivateKey::from_bytes(seed)
            .expect("an X-Wing secret key is any 32 bytes");
        let public = SealingPublicKey::new(SuiteKem::sk_to_pk(&key));
        Self { key, public }
    }

    /// A new key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_seed(&random_seed(rng))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> SealingPublicKey {
        self.public.clone()
    }

    /// The public half's short hash.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    /// The seed, for storing.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        let mut seed = Zeroizing::new([0; 32]);
        self.key.write_exact(&mut *seed);
        seed
    }

    pub(crate) fn parsed(&self) -> &<SuiteKem as Kem>::PrivateKey {
        &self.key
    }
}

impl fmt::Debug for SealingSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingSecretKey(of {})", self.public.key_id())
    }
}

fn random_seed(rng: &mut dyn CryptoRng) -> Zeroizing<[u8; 32]> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *seed);
    seed
}

fn short_id(parts: &[&[u8]]) -> KeyId {
    let hash = label::sha256(parts);
    KeyId::from_slice(&hash[..16]).expect("half of a SHA-256 output is 16 bytes")
}

#[cfg(test)]
mod tests;
