//! What a member states of an epoch: its key and its book, before it answers anybody. Spec: DCF-15, DCF-16.

use bytes::Bytes;
use frex_proto::{
    keys::{SigningError, SigningKey, VerifyingKey},
    label, limits, sign, v1,
};
use prost::Message;

use super::{DeconflictEpoch, Epoch, EpochError, SUITE};

/// What is to be stated.
#[derive(Debug, Clone, Copy)]
pub struct EpochDraft<'a> {
    /// The federation's name.
    pub federation: &'a str,
    /// Who answers.
    pub member: &'a str,
    /// From when, milliseconds since the Unix epoch.
    pub begins_ms: u64,
    /// Until when.
    pub ends_ms: u64,
    /// The function's public key.
    pub public_key: &'a [u8; 32],
    /// The book, whole.
    pub book: &'a [u8],
}

impl EpochDraft<'_> {
    /// States it: a `Signed` object as bytes.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign(&self, identity: &SigningKey) -> Result<Bytes, SigningError> {
        let epoch = DeconflictEpoch {
            federation: self.federation.to_owned(),
            member: self.member.to_owned(),
            suite: SUITE,
            begins_ms: self.begins_ms,
            ends_ms: self.ends_ms,
            public_key: Bytes::copy_from_slice(self.public_key),
            book_sha256: Bytes::copy_from_slice(&label::sha256(&[self.book])),
            book_bytes: self.book.len() as u64,
        };
        let payload = Bytes::from(epoch.encode_to_vec());
        let signed = sign::sign(label::TYPE_DECONFLICT_EPOCH, payload, &[identity])?;
        Ok(signed.encode_to_vec().into())
    }
}

impl Epoch {
    /// What a statement says; not verified: it tells at which time the member's keys must have been
    /// good.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn stated(signed: &[u8]) -> Result<Self, EpochError> {
        let stated = DeconflictEpoch::decode(decode(signed)?.payload);
        let stated = stated.or(Err(EpochError::Malformed))?;
        if stated.suite != SUITE {
            return Err(EpochError::Suite);
        }
        let life_ms = stated.ends_ms.checked_sub(stated.begins_ms);
        if !life_ms.is_some_and(|ms| (1..=limits::EPOCH_MS_MAX).contains(&ms)) {
            return Err(EpochError::Life);
        }
        let hash = |bytes: &Bytes| <[u8; 32]>::try_from(&bytes[..]).or(Err(EpochError::Malformed));
        Ok(Self {
            federation: stated.federation,
            public_key: hash(&stated.public_key)?,
            book_sha256: hash(&stated.book_sha256)?,
            member: stated.member,
            begins_ms: stated.begins_ms,
            ends_ms: stated.ends_ms,
            book_bytes: stated.book_bytes,
        })
    }

    /// Verifies a statement by the keys that the member had when its epoch began.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn verify(
        signed: &[u8],
        keys: &[VerifyingKey],
        federation: &str,
        member: &str,
    ) -> Result<Self, EpochError> {
        sign::verify(&decode(signed)?, label::TYPE_DECONFLICT_EPOCH, keys, 1)?;
        let epoch = Self::stated(signed)?;
        match epoch.member == member && epoch.federation == federation {
            true => Ok(epoch),
            false => Err(EpochError::WrongMember),
        }
    }

    /// Whether it is in force, by a clock that may differ by LIM-24.
    #[must_use]
    pub fn is_in_force(&self, at_ms: u64) -> bool {
        self.begins_ms <= at_ms.saturating_add(limits::CLOCK_SKEW_MS_MAX)
            && at_ms < self.ends_ms.saturating_add(limits::CLOCK_SKEW_MS_MAX)
    }
}

fn decode(signed: &[u8]) -> Result<v1::Signed, EpochError> {
    if signed.len() > limits::SIGNED_BYTES_MAX {
        return Err(EpochError::Malformed);
    }
    v1::Signed::decode(signed).or(Err(EpochError::Malformed))
}
