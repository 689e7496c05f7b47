//! Which roster and which root may follow the one held.

use super::{
    Fault, Part, Root, Roster, RosterError, RosterRef,
    judge::{good_at, parse_signed, verify},
};

impl Roster {
    /// Whether this roster replaces the one held; `false` for the very same one. Spec: ROS-21.
    ///
    /// # Errors
    /// A lower version is a rollback; the same version with another hash is a fork, and both are
    /// evidence; the next version must name the one held as its predecessor.
    pub fn is_newer_than(&self, held: RosterRef) -> Result<bool, RosterError> {
        let part = Part::Roster;
        let ours = self.reference;
        if ours.version < held.version {
            return Err(part.fault(Fault::RolledBack));
        }
        if ours.version == held.version {
            return if ours.sha256 == held.sha256 {
                Ok(false)
            } else {
                Err(part.fault(Fault::Forked))
            };
        }
        let follows_at_once = ours.version - held.version == 1;
        if follows_at_once && self.prev_sha256 != Some(held.sha256) {
            return Err(part.fault(Fault::BrokenChain));
        }
        Ok(true)
    }
}

impl Root {
    /// Judges a signed root as the one that follows this one. Spec: ROS-22.
    ///
    /// # Errors
    /// [`RosterError`] unless the version is the next, the federation is the same, and both the
    /// old quorum and the new one signed.
    pub fn judge_successor(&self, signed_root: &[u8], now_ms: u64) -> Result<Self, RosterError> {
        let part = Part::Root;
        let next = Self::parse(signed_root)?;
        if next.federation != self.federation {
            return Err(part.fault(Fault::WrongFederation));
        }
        if next.version == self.version && next.sha256 != self.sha256 {
            return Err(part.fault(Fault::Forked));
        }
        if next.version < self.version {
            return Err(part.fault(Fault::RolledBack));
        }
        if next.version.checked_sub(self.version) != Some(1) {
            return Err(part.fault(Fault::BadVersion));
        }
        let signed = parse_signed(part, signed_root)?;
        let old = good_at(&self.root_keys, now_ms);
        verify(part, &signed, &old, self.root_threshold)?;
        if next.expires_ms <= now_ms {
            return Err(part.fault(Fault::Expired));
        }
        Ok(next)
    }
}
