//! Admission of listed keys: every key is checked, and has one owner and one purpose.

use std::collections::BTreeSet;

use super::{Fault, Part, RosterError, Timed, Validity};
use crate::{
    keys::{SealingPublicKey, VerifyingKey},
    limits, v1,
};

/// The keys seen so far in one roster.
#[derive(Default)]
pub(super) struct KeyLedger {
    signing: BTreeSet<[u8; 32]>,
    sealing: BTreeSet<Vec<u8>>,
}

impl KeyLedger {
    /// Admits a list of Ed25519 keys. Spec: ROS-5, ROS-6, ROS-7.
    pub(super) fn signing_keys(
        &mut self,
        part: Part,
        keys: &[v1::PublicKey],
    ) -> Result<Vec<Timed<VerifyingKey>>, RosterError> {
        check_count(part, keys.len(), limits::KEYS_PER_ENTRY_MAX)?;
        keys.iter().map(|key| self.signing_key(part, key)).collect()
    }

    /// Admits one Ed25519 key.
    pub(super) fn signing_key(
        &mut self,
        part: Part,
        listed: &v1::PublicKey,
    ) -> Result<Timed<VerifyingKey>, RosterError> {
        if listed.algorithm() != v1::KeyAlgorithm::Ed25519 {
            return Err(part.fault(Fault::KeyAlgorithm));
        }
        let validity = validity(part, listed)?;
        let key =
            VerifyingKey::admit(&listed.key).map_err(|cause| part.fault(Fault::Key(cause)))?;
        self.note(part, &key)?;
        Ok(Timed { key, validity })
    }

    /// Takes an admitted key as used.
    pub(super) fn note(&mut self, part: Part, key: &VerifyingKey) -> Result<(), RosterError> {
        if !self.signing.insert(*key.as_bytes()) {
            return Err(part.fault(Fault::KeyReused));
        }
        Ok(())
    }

    /// Admits a list of sealing keys. Spec: ROS-5, ROS-6, ROS-7.
    pub(super) fn sealing_keys(
        &mut self,
        part: Part,
        keys: &[v1::PublicKey],
    ) -> Result<Vec<Timed<SealingPublicKey>>, RosterError> {
        check_count(part, keys.len(), limits::KEYS_PER_ENTRY_MAX)?;
        keys.iter().map(|key| self.sealing_key(part, key)).collect()
    }

    fn sealing_key(
        &mut self,
        part: Part,
        listed: &v1::PublicKey,
    ) -> Result<Timed<SealingPublicKey>, RosterError> {
        if listed.algorithm() != v1::KeyAlgorithm::Mlkem768X25519 {
            return Err(part.fault(Fault::KeyAlgorithm));
        }
        let validity = validity(part, listed)?;
        let key =
            SealingPublicKey::admit(&listed.key).map_err(|cause| part.fault(Fault::Key(cause)))?;
        if !self.sealing.insert(listed.key.to_vec()) {
            return Err(part.fault(Fault::KeyReused));
        }
        Ok(Timed { key, validity })
    }
}

/// Refuses a list that is longer than `max`.
pub(super) fn check_count(part: Part, count: usize, max: usize) -> Result<(), RosterError> {
    if count > max {
        return Err(part.fault(Fault::TooLarge));
    }
    Ok(())
}

fn validity(part: Part, listed: &v1::PublicKey) -> Result<Validity, RosterError> {
    let not_after_ms = (listed.not_after_ms != 0).then_some(listed.not_after_ms);
    if not_after_ms.is_some_and(|end| end <= listed.not_before_ms) {
        return Err(part.fault(Fault::BadTimes));
    }
    Ok(Validity {
        not_before_ms: listed.not_before_ms,
        not_after_ms,
    })
}
