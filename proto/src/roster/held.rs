//! A roster that was taken earlier: it may have ended since.

use bytes::Bytes;
use prost::Message;

use super::{Fault, Roster, RosterError, TrustAnchor};
use crate::v1;

impl Roster {
    /// Judges a roster that was in force once, as of its last moment if it has ended: it must not
    /// give way to an older one, and it proves what happened before. Spec: ROS-21.
    ///
    /// # Errors
    /// [`RosterError`] if it never was a sound roster under `anchor`.
    pub fn judge_held(
        bundle: &[u8],
        anchor: &TrustAnchor,
        now_ms: u64,
    ) -> Result<Self, RosterError> {
        match Self::judge(bundle, anchor, now_ms) {
            Err(error) if error.fault == Fault::Expired => {
                let last_ms = last_moment_ms(bundle).filter(|last_ms| *last_ms <= now_ms);
                Self::judge(bundle, anchor, last_ms.ok_or(error)?)
            }
            judged => judged,
        }
    }
}

/// The last moment at which a roster file may have been in force, by its own words.
fn last_moment_ms(bundle: &[u8]) -> Option<u64> {
    let bundle = v1::RosterBundle::decode(bundle).ok()?;
    let payload = |signed: Bytes| Some(v1::Signed::decode(signed).ok()?.payload);
    let roster = v1::Roster::decode(payload(bundle.roster)?).ok()?;
    let root = v1::Root::decode(payload(bundle.root)?).ok()?;
    roster.expires_ms.min(root.expires_ms).checked_sub(1)
}
