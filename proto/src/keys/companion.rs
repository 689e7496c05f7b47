//! The companion of an Ed25519 key: an ML-DSA-65 key (FIPS 204) that signs the same bytes.
//!
//! It is there for the day on which Ed25519 falls to a quantum computer. Its implementation was
//! never audited, so nothing rests on it alone: a key with a companion has signed only if both
//! have. Spec: KEY-30 to KEY-34.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use ml_dsa::{B32, EncodedVerifyingKey, ExpandedSigningKey, MlDsa65, Signature, VerifyingKey};
use zeroize::Zeroizing;

use super::{KeyError, SignatureError, short_id};
use crate::{id::KeyId, label};

/// Bytes of an encoded ML-DSA-65 public key.
pub const COMPANION_KEY_BYTES: usize = 1952;
/// Bytes of an ML-DSA-65 signature.
pub const COMPANION_SIGNATURE_BYTES: usize = 3309;

/// Number of ML-DSA-65 in a key id.
const ALGORITHM_ML_DSA_65: u16 = 2;

/// The public half of a companion. Cloning is cheap.
#[derive(Clone)]
pub struct CompanionKey(Arc<Public>);

struct Public {
    bytes: [u8; COMPANION_KEY_BYTES],
    id: KeyId,
    /// Some 45 KB, made when it is first needed: a roster lists many that never are.
    expanded: OnceLock<VerifyingKey<MlDsa65>>,
}

impl CompanionKey {
    /// Takes an encoded key. Every string of the right length encodes one; a weak one weakens
    /// only what its owner signs, and never below Ed25519. Spec: KEY-30.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn admit(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self::new).or(Err(KeyError::Length))
    }

    fn new(bytes: [u8; COMPANION_KEY_BYTES]) -> Self {
        let algorithm = ALGORITHM_ML_DSA_65.to_be_bytes();
        let id = short_id(&[label::SIGNATURE_KEY, &algorithm, &bytes]);
        Self(Arc::new(Public {
            bytes,
            id,
            expanded: OnceLock::new(),
        }))
    }

    /// The 1952 bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; COMPANION_KEY_BYTES] {
        &self.0.bytes
    }

    /// The key's short hash, which its signatures name. Spec: KEY-2.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.0.id
    }

    /// Verifies under the context of this protocol. Spec: KEY-31.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = Signature::<MlDsa65>::try_from(signature).map_err(|_| SignatureError)?;
        let expand = || VerifyingKey::decode(&EncodedVerifyingKey::<MlDsa65>::from(self.0.bytes));
        let key = self.0.expanded.get_or_init(expand);
        match key.verify_with_context(message, label::SIGNATURE_CONTEXT, &signature) {
            true => Ok(()),
            false => Err(SignatureError),
        }
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
    key: Box<ExpandedSigningKey<MlDsa65>>,
    seed: Zeroizing<[u8; 32]>,
    public: CompanionKey,
}

impl CompanionSecret {
    /// The key of a stored seed. Spec: KEY-32.
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ExpandedSigningKey::from_seed(&B32::from(*seed));
        let public = CompanionKey::new(key.verifying_key().encode().into());
        Self {
            key: Box::new(key),
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

    /// Signs under the context of this protocol, by the deterministic variant.
    ///
    /// What is signed is never secret and never signed twice on purpose, so equal signatures of
    /// equal bytes tell nothing; and signing takes no randomness anywhere in this crate, which
    /// keeps vectors and simulated runs repeatable. The hedged variant would harden against faults
    /// induced in the signing machine; Ed25519 beside it is deterministic in the same way.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; COMPANION_SIGNATURE_BYTES] {
        let signature = self
            .key
            .sign_deterministic(message, label::SIGNATURE_CONTEXT)
            // 13,107 rejections in a row, each with a chance of four in five.
            .expect("a signature is found after five tries on average");
        signature.encode().into()
    }
}
