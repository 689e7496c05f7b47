//! Admission of listed keys: every key is checked, and has one owner and one purpose.

use std::collections::BTreeSet;

use super::{Fault, Part, RosterError, Timed, Validity};
use crate::{
    keys::{CompanionKind, SealingPublicKey, VerifyingKey},
    limits, v1,
};

/// The keys seen so far in one roster.
#[derive(Default)]
pub(super) struct KeyLedger {
    signing: BTreeSet<[u8; 32]>,
    companions: BTreeSet<Vec<u8>>,
    sealing: BTreeSet<Vec<u8>>,
}

impl KeyLedger {
    /// Admits a list of Ed25519 keys of connections. Spec: ROS-5, ROS-6, ROS-7.
    pub(super) fn signing_keys(
        &mut self,
        part: Part,
        keys: &[v1::PublicKey],
    ) -> Result<Vec<Timed<VerifyingKey>>, RosterError> {
        check_count(part, keys.len(), limits::KEYS_PER_ENTRY_MAX)?;
        // A companion could not sign there. Spec: ROS-50.
        let admit = |key| self.admitted(part, key, None);
        keys.iter().map(admit).collect()
    }

    /// Admits a list of Ed25519 keys of a log or a witness, which may have companions.
    pub(super) fn head_keys(
        &mut self,
        part: Part,
        keys: &[v1::PublicKey],
    ) -> Result<Vec<Timed<VerifyingKey>>, RosterError> {
        check_count(part, keys.len(), limits::KEYS_PER_ENTRY_MAX)?;
        keys.iter().map(|key| self.head_key(part, key)).collect()
    }

    /// Admits one Ed25519 key that signs checkpoints or cosignatures, with its companion if it has
    /// one. Spec: ROS-62.
    pub(super) fn head_key(
        &mut self,
        part: Part,
        listed: &v1::PublicKey,
    ) -> Result<Timed<VerifyingKey>, RosterError> {
        self.admitted(part, listed, Some(CompanionKind::Heads))
    }

    /// Admits a list of Ed25519 keys that may have companions. Spec: ROS-5, ROS-6, ROS-7.
    pub(super) fn paired_keys(
        &mut self,
        part: Part,
        keys: &[v1::PublicKey],
    ) -> Result<Vec<Timed<VerifyingKey>>, RosterError> {
        check_count(part, keys.len(), limits::KEYS_PER_ENTRY_MAX)?;
        keys.iter().map(|key| self.paired_key(part, key)).collect()
    }

    /// Admits one Ed25519 key that signs objects, with its companion if it has one. Spec: ROS-50.
    pub(super) fn paired_key(
        &mut self,
        part: Part,
        listed: &v1::PublicKey,
    ) -> Result<Timed<VerifyingKey>, RosterError> {
        self.admitted(part, listed, Some(CompanionKind::Objects))
    }

    fn admitted(
        &mut self,
        part: Part,
        listed: &v1::PublicKey,
        kind: Option<CompanionKind>,
    ) -> Result<Timed<VerifyingKey>, RosterError> {
        check_companions(part, listed, kind)?;
        if listed.algorithm() != v1::KeyAlgorithm::Ed25519 {
            return Err(part.fault(Fault::KeyAlgorithm));
        }
        let validity = validity(part, listed)?;
        let key = match kind {
            None => VerifyingKey::admit(&listed.key),
            Some(kind) => {
                VerifyingKey::admit_pair(&listed.key, kind, companion_bytes(listed, kind))
            }
        };
        let key = key.map_err(|cause| part.fault(Fault::Key(cause)))?;
        self.note(part, &key)?;
        Ok(Timed { key, validity })
    }

    /// Takes an admitted key as used, and its companion.
    pub(super) fn note(&mut self, part: Part, key: &VerifyingKey) -> Result<(), RosterError> {
        let companion = key.companion_bytes();
        let companion_is_new = companion.is_empty() || self.companions.insert(companion.to_vec());
        if !self.signing.insert(*key.as_bytes()) || !companion_is_new {
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
        check_companions(part, listed, None)?;
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

/// The bytes of a companion of this kind; none: no bytes.
fn companion_bytes(listed: &v1::PublicKey, kind: CompanionKind) -> &[u8] {
    match kind {
        CompanionKind::Objects => &listed.ml_dsa_65,
        CompanionKind::Heads => &listed.ml_dsa_44,
    }
}

/// Refuses a companion of any kind but the one that belongs here. Spec: ROS-50, ROS-62.
fn check_companions(
    part: Part,
    listed: &v1::PublicKey,
    kind: Option<CompanionKind>,
) -> Result<(), RosterError> {
    let kinds = CompanionKind::ALL.into_iter();
    let mut others = kinds.filter(|other| Some(*other) != kind);
    if others.any(|other| !companion_bytes(listed, other).is_empty()) {
        return Err(part.fault(Fault::CompanionMisplaced));
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
