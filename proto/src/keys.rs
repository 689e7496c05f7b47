//! Keys as types: what has this type was judged, or made here.
//!
//! A public key becomes a value only through `admit`, so code that holds one need not ask again.
//! Secret keys wipe themselves, do not print and are not compared; one may also stay in a token
//! outside the process. Spec: chapter KEY.

mod admission;
mod token;

use std::{fmt, hash, sync::Arc};

use ed25519_dalek::{Signer, ed25519};
use hpke::{Deserializable, Serializable, kem::Kem};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use self::{
    admission::KeyError,
    token::{SigningError, Token},
};
use crate::{error::WireCode, id::KeyId, label};

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

/// An admitted Ed25519 public key: canonical, of prime order. Spec: KEY-3.
#[derive(Clone, Copy)]
pub struct VerifyingKey {
    point: ed25519_dalek::VerifyingKey,
    id: KeyId,
}

impl VerifyingKey {
    /// Judges `bytes` and keeps the point, so that no verification decodes it again.
    ///
    /// # Errors
    /// [`KeyError`] says which rule is broken.
    pub fn admit(bytes: &[u8]) -> Result<Self, KeyError> {
        admission::admit_verifying(bytes).map(Self::new)
    }

    fn new(point: ed25519_dalek::VerifyingKey) -> Self {
        let algorithm = ALGORITHM_ED25519.to_be_bytes();
        let id = short_id(&[label::SIGNATURE_KEY, &algorithm, point.as_bytes()]);
        Self { point, id }
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.point.as_bytes()
    }

    /// The key's short hash. Spec: KEY-2.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// Verifies by RFC 8032 without cofactor, S below L, R and A not of small order. Every
    /// node must reach the same verdict, so there is no batched or lenient form. Spec: KEY-7.
    ///
    /// # Errors
    /// [`SignatureError`] for anything but a valid 64-byte signature of `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = ed25519::Signature::from_slice(signature).map_err(|_| SignatureError)?;
        self.point
            .verify_strict(message, &signature)
            .map_err(|_| SignatureError)
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
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
        write!(f, "VerifyingKey({})", self.id)
    }
}

/// An Ed25519 secret key: in memory, or in a token that is asked for each signature.
#[derive(Clone)]
pub struct SigningKey {
    place: Place,
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
        let place = Place::Memory(key);
        Self { place, verifying }
    }

    /// A new key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_seed(&random_seed(rng))
    }

    /// The key of which `token` holds the secret half.
    #[must_use]
    pub fn in_token(verifying: VerifyingKey, token: Arc<dyn Token>) -> Self {
        let place = Place::Token(token);
        Self { place, verifying }
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying
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

    /// Signs `message` as it is: domain separation is the caller's, see [`crate::sign`].
    ///
    /// # Errors
    /// [`SigningError`] of a token; none of a key in memory.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        match &self.place {
            Place::Memory(key) => Ok(key.sign(message).to_bytes()),
            Place::Token(token) => token::ask(&**token, &self.verifying, message),
        }
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
