//! How k people on k machines agree on one thing by exchanging files.
//!
//! Each makes keys that never leave their machine and hands out a card. A proposal goes round;
//! each hands back a small file of signatures; whoever collects them can neither change what was
//! signed nor count anybody twice. Spec: ROS-29, ROS-30.

use bytes::Bytes;
use prost::Message;

use super::{
    Fault, Part, RosterError, entry,
    judge::{parse_signed, verify},
    ledger::KeyLedger,
};
use crate::{
    error::WireCode,
    id::{KeyId, check_name},
    keys::{SigningError, SigningKey, VerifyingKey},
    label::{self, sha256},
    limits,
    sign::{self, SignError},
    v1,
};

/// A judged holder card: who it names has both secret keys. Who they are is for people to check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Holder {
    /// The person, or the office.
    pub name: String,
    /// Changes the root.
    pub root_key: VerifyingKey,
    /// Issues rosters.
    pub roster_key: VerifyingKey,
}

/// Signatures gathered for one proposal.
#[derive(Debug, Clone)]
pub struct Collection {
    signed: v1::Signed,
}

/// Why a file of signatures is not taken. Whoever made it is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Not the message it should be, or over its limits.
    #[error("the bytes are no signature file")]
    Malformed,
    /// It signs something else.
    #[error("the signatures are for another proposal")]
    OtherProposal,
    /// A key that has no say here.
    #[error("a signature is by a key that may not sign this")]
    UnknownKey,
    /// A signature that does not hold.
    #[error("a signature does not verify")]
    BadSignature,
    /// A key with a companion has signed by one of the two alone.
    #[error("of a key that signs twice one signature is missing")]
    HalfSigned,
}

impl From<CollectError> for WireCode {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Malformed => Self::Malformed,
            CollectError::UnknownKey => Self::NotTrusted,
            CollectError::HalfSigned => Self::HalfSigned,
            CollectError::OtherProposal | CollectError::BadSignature => Self::BadSignature,
        }
    }
}

impl Holder {
    /// Judges the bytes of a holder card: both keys admitted, and both have signed it. Spec:
    /// ROS-26.
    ///
    /// # Errors
    /// [`RosterError`] by the first rule that is broken.
    pub fn judge(bytes: &[u8], federation: &str) -> Result<Self, RosterError> {
        let part = Part::HolderCard;
        let signed = parse_signed(part, bytes)?;
        let stated =
            v1::Holder::decode(signed.payload.clone()).map_err(|_| part.fault(Fault::Malformed))?;
        check_name(&stated.federation).map_err(|_| part.fault(Fault::BadId))?;
        if stated.federation != federation {
            return Err(part.fault(Fault::WrongFederation));
        }
        entry::check_display_name(part, &stated.name)?;
        let mut ledger = KeyLedger::default();
        let mut admit = |listed: &Option<v1::PublicKey>| {
            let listed = listed.as_ref().ok_or(part.fault(Fault::KeyMissing))?;
            ledger.paired_key(part, listed).map(|timed| timed.key)
        };
        let keys = [admit(&stated.root_key)?, admit(&stated.roster_key)?];
        verify(part, &signed, &keys, 2)?;
        let [root_key, roster_key] = keys;
        Ok(Self {
            name: stated.name,
            root_key,
            roster_key,
        })
    }

    /// The hash whose fingerprint people compare: of both keys.
    #[must_use]
    pub fn sha256(&self) -> label::Hash {
        holder_sha256(&self.root_key, &self.roster_key)
    }
}

/// The hash whose fingerprint people compare of a holder's two keys: of both, then of their
/// companions. Spec: KEY-34.
#[must_use]
pub fn holder_sha256(root_key: &VerifyingKey, roster_key: &VerifyingKey) -> label::Hash {
    sha256(&[
        root_key.as_bytes(),
        roster_key.as_bytes(),
        root_key.companion_bytes(),
        roster_key.companion_bytes(),
    ])
}

/// A holder's card: name and public keys, signed by both secret keys.
///
/// # Errors
/// [`SigningError`] if one of the keys does not sign.
pub fn holder_card(
    federation: &str,
    name: &str,
    root: &SigningKey,
    roster: &SigningKey,
) -> Result<Bytes, SigningError> {
    let stated = v1::Holder {
        federation: federation.to_owned(),
        name: name.to_owned(),
        root_key: Some(super::build::signing_key(&root.verifying_key())),
        roster_key: Some(super::build::signing_key(&roster.verifying_key())),
    };
    let payload = stated.encode_to_vec().into();
    let signed = sign::sign(label::TYPE_HOLDER, payload, &[root, roster])?;
    Ok(signed.encode_to_vec().into())
}

/// The file of signatures by `keys` on a proposal. Spec: ROS-30.
///
/// # Errors
/// [`SigningError`] if one of the keys does not sign.
pub fn detached(proposal: &v1::Signed, keys: &[&SigningKey]) -> Result<Bytes, SigningError> {
    let signed = sign::sign(&proposal.payload_type, proposal.payload.clone(), keys)?;
    let detached = v1::DetachedSignatures {
        payload_type: signed.payload_type,
        payload_sha256: Bytes::copy_from_slice(&sha256(&[&signed.payload])),
        signatures: signed.signatures,
    };
    Ok(detached.encode_to_vec().into())
}

impl Collection {
    /// Nothing collected yet. Signatures that stand in the proposal itself are left out.
    #[must_use]
    pub fn new(proposal: &v1::Signed) -> Self {
        let mut signed = proposal.clone();
        signed.signatures.clear();
        Self { signed }
    }

    /// Adds a file of signatures; gives the keys it signs with. A key counts once, however many
    /// files it comes in. Spec: ROS-30.
    ///
    /// # Errors
    /// [`CollectError`]; nothing of the file is then kept.
    pub fn add(
        &mut self,
        file: &[u8],
        candidates: &[VerifyingKey],
    ) -> Result<Vec<KeyId>, CollectError> {
        if file.len() > limits::SIGNED_BYTES_MAX {
            return Err(CollectError::Malformed);
        }
        let file = v1::DetachedSignatures::decode(file).map_err(|_| CollectError::Malformed)?;
        if file.signatures.is_empty() || file.signatures.len() > limits::SIGNATURES_MAX {
            return Err(CollectError::Malformed);
        }
        if file.payload_type != self.signed.payload_type
            || file.payload_sha256[..] != sha256(&[&self.signed.payload])
        {
            return Err(CollectError::OtherProposal);
        }
        let message = sign::pae(&self.signed.payload_type, &self.signed.payload);
        let known = |signature: &v1::Signature| {
            let named = |key: &VerifyingKey| key.half_named(&signature.key_id).is_some();
            candidates.iter().any(named)
        };
        if !file.signatures.iter().all(known) {
            return Err(CollectError::UnknownKey);
        }
        let by = sign::signers(None, &message, &file.signatures, candidates);
        let by = by.map_err(|error| match error {
            SignError::HalfSigned => CollectError::HalfSigned,
            _ => CollectError::BadSignature,
        })?;
        // Both signatures of a key come from one file, or neither does: a file is taken whole.
        for signature in file.signatures {
            let have = &self.signed.signatures;
            if have.iter().all(|known| known.key_id != signature.key_id) {
                self.signed.signatures.push(signature);
            }
        }
        Ok(by)
    }

    /// How many of `keys` have signed.
    #[must_use]
    pub fn count(&self, keys: &[VerifyingKey]) -> usize {
        keys.iter().filter(|key| self.has(key)).count()
    }

    /// Whether `key` has signed.
    #[must_use]
    pub fn has(&self, key: &VerifyingKey) -> bool {
        let signatures = &self.signed.signatures;
        signatures
            .iter()
            .any(|signature| &signature.key_id[..] == key.key_id().as_ref())
    }

    /// The proposal with the signatures collected.
    #[must_use]
    pub fn signed(&self) -> &v1::Signed {
        &self.signed
    }
}
