//! The companion of an Ed25519 key: an ML-DSA key (FIPS 204) that signs what the key signs.
//!
//! It is there for the day on which Ed25519 falls to a quantum computer. Its implementation was
//! never audited, so nothing rests on it alone: a key with a companion has signed only if both
//! have. Who signs objects has one of ML-DSA-65; who signs a log's heads has one of ML-DSA-44, as
//! C2SP tlog-cosignature wants it. Spec: KEY-30 to KEY-36.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use ml_dsa::{
    B32, EncodedVerifyingKey, ExpandedSigningKey, MlDsa44, MlDsa65, MlDsaParams, Signature,
    VerifyingKey,
};
use zeroize::Zeroizing;

use super::{KeyError, SignatureError, short_id};
use crate::{id::KeyId, label};

/// What a companion signs, and so by which parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompanionKind {
    /// ML-DSA-65 over objects, under the context of this protocol.
    Objects,
    /// ML-DSA-44 over heads of logs, without a context, as C2SP wants it.
    Heads,
}

impl CompanionKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Objects, Self::Heads];

    /// Bytes of an encoded public key. Spec: KEY-30, KEY-35.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Objects => 1952,
            Self::Heads => 1312,
        }
    }

    /// Bytes of a signature. Spec: KEY-31, KEY-36.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Objects => 3309,
            Self::Heads => 2420,
        }
    }

    /// The kind of which keys are so long; none: no kind.
    #[must_use]
    pub fn of_length(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key_bytes() == bytes)
    }

    /// Its number in a key id. Spec: KEY-2.
    const fn number(self) -> u16 {
        match self {
            Self::Objects => 2,
            Self::Heads => 4,
        }
    }

    const fn context(self) -> &'static [u8] {
        match self {
            Self::Objects => label::SIGNATURE_CONTEXT,
            Self::Heads => b"",
        }
    }
}

/// The public half of a companion. Cloning is cheap.
#[derive(Clone)]
pub struct CompanionKey(Arc<Public>);

struct Public {
    kind: CompanionKind,
    bytes: Box<[u8]>,
    id: KeyId,
    expanded: Expanded,
}

/// Some 45 KB or 25 KB, made when it is first needed: a roster lists many that never are.
enum Expanded {
    Objects(OnceLock<VerifyingKey<MlDsa65>>),
    Heads(OnceLock<VerifyingKey<MlDsa44>>),
}

impl CompanionKey {
    /// Takes an encoded key. Every string of the right length encodes one; a weak one weakens
    /// only what its owner signs, and never below Ed25519. Spec: KEY-30, KEY-35.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn admit(kind: CompanionKind, bytes: &[u8]) -> Result<Self, KeyError> {
        let fits = bytes.len() == kind.key_bytes();
        fits.then(|| Self::new(kind, bytes)).ok_or(KeyError::Length)
    }

    fn new(kind: CompanionKind, bytes: &[u8]) -> Self {
        let id = short_id(&[label::SIGNATURE_KEY, &kind.number().to_be_bytes(), bytes]);
        Self(Arc::new(Public {
            kind,
            bytes: bytes.into(),
            id,
            expanded: match kind {
                CompanionKind::Objects => Expanded::Objects(OnceLock::new()),
                CompanionKind::Heads => Expanded::Heads(OnceLock::new()),
            },
        }))
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> CompanionKind {
        self.0.kind
    }

    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The key's short hash, which its signatures name. Spec: KEY-2.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.0.id
    }

    /// Verifies under the context of its kind. Spec: KEY-31, KEY-36.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let (bytes, context) = (self.as_bytes(), self.0.kind.context());
        match &self.0.expanded {
            Expanded::Objects(key) => verify(key, bytes, message, context, signature),
            Expanded::Heads(key) => verify(key, bytes, message, context, signature),
        }
    }
}

fn verify<P: MlDsaParams>(
    expanded: &OnceLock<VerifyingKey<P>>,
    key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let signature = Signature::<P>::try_from(signature).map_err(|_| SignatureError)?;
    let encoded = EncodedVerifyingKey::<P>::try_from(key).map_err(|_| SignatureError)?;
    let key = expanded.get_or_init(|| VerifyingKey::decode(&encoded));
    match key.verify_with_context(message, context, &signature) {
        true => Ok(()),
        false => Err(SignatureError),
    }
}

impl PartialEq for CompanionKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for CompanionKey {}

impl fmt::Debug for CompanionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompanionKey({})", self.0.id)
    }
}

/// The secret half of a companion, held as its 32-byte seed and what follows from it.
pub(super) struct CompanionSecret {
    key: ExpandedSecret,
    seed: Zeroizing<[u8; 32]>,
    public: CompanionKey,
}

enum ExpandedSecret {
    Objects(Box<ExpandedSigningKey<MlDsa65>>),
    Heads(Box<ExpandedSigningKey<MlDsa44>>),
}

impl CompanionSecret {
    /// The key of a stored seed. Spec: KEY-32.
    pub(super) fn from_seed(kind: CompanionKind, seed: &[u8; 32]) -> Self {
        let bytes = B32::from(*seed);
        let (key, public) = match kind {
            CompanionKind::Objects => {
                let key = Box::new(ExpandedSigningKey::from_seed(&bytes));
                let public = CompanionKey::new(kind, &key.verifying_key().encode());
                (ExpandedSecret::Objects(key), public)
            }
            CompanionKind::Heads => {
                let key = Box::new(ExpandedSigningKey::from_seed(&bytes));
                let public = CompanionKey::new(kind, &key.verifying_key().encode());
                (ExpandedSecret::Heads(key), public)
            }
        };
        Self {
            key,
            seed: Zeroizing::new(*seed),
            public,
        }
    }

    /// The public half.
    pub(super) fn public(&self) -> &CompanionKey {
        &self.public
    }

    /// The seed, for storing.
    pub(super) fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.seed.clone()
    }

    /// Signs under the context of its kind, by the deterministic variant.
    ///
    /// What is signed is never secret and never signed twice on purpose, so equal signatures of
    /// equal bytes tell nothing; and signing takes no randomness anywhere in this crate, which
    /// keeps vectors and simulated runs repeatable. The hedged variant would harden against faults
    /// induced in the signing machine; Ed25519 beside it is deterministic in the same way.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let context = self.public.kind().context();
        match &self.key {
            ExpandedSecret::Objects(key) => sign(key, message, context),
            ExpandedSecret::Heads(key) => sign(key, message, context),
        }
    }
}

fn sign<P: MlDsaParams>(key: &ExpandedSigningKey<P>, message: &[u8], context: &[u8]) -> Vec<u8> {
    let signature = key
        .sign_deterministic(message, context)
        // Thousands of rejections in a row, each with a chance of four in five.
        .expect("a signature is found after five tries on average");
    signature.encode().to_vec()
}
