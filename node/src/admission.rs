//! Who is let in, and how much of the house each may take up. Spec: chapter ADM.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use frex_client::transport::memory::{Memory, Share};
use frex_proto::{
    delivery::{LaneClass, Quotas, Spent},
    error::WireCode,
    limits::{BROKEN_OFF_MAX, FLOODING_PENALTY_MS, OPENED_MAX, SESSIONS_OF_PEER_MAX},
    roster::{Peer, Quota},
};

/// What a node keeps account of while it runs. Nothing of it is on disk.
#[derive(Debug, Default)]
pub struct Admission {
    quotas: Mutex<Quotas>,
    memory: Memory,
    guests: Mutex<BTreeMap<Peer, Guest>>,
}

/// A peer with sessions, or with a penalty. The roster names the peers, so there are no more of
/// them than it has had entries.
#[derive(Debug, Default)]
struct Guest {
    sessions: usize,
    away_until_ms: u64,
}

/// A session's place; free again when dropped. It counts what the peer does on that session.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    peer: Peer,
    share: Share,
    opened: Mutex<Spent>,
    broken_off: Mutex<Spent>,
}

impl Admission {
    /// The memory that all peers share.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// A place for a session of `peer`. Spec: ADM-11, ADM-13.
    ///
    /// # Errors
    /// [`WireCode::Flooding`] during a penalty, [`WireCode::RetryAfter`] where it has as many as it
    /// may.
    pub fn enter(self: &Arc<Self>, peer: &Peer, now_ms: u64) -> Result<Place, WireCode> {
        let mut guests = self.guests();
        guests.retain(|_, guest| guest.sessions > 0 || guest.away_until_ms > now_ms);
        let guest = guests.entry(peer.clone()).or_default();
        if guest.away_until_ms > now_ms {
            return Err(WireCode::Flooding);
        }
        if guest.sessions >= SESSIONS_OF_PEER_MAX {
            return Err(WireCode::RetryAfter);
        }
        guest.sessions += 1;
        drop(guests);
        let role = match peer {
            Peer::Node(_) => "node",
            Peer::Client(_) => "client",
        };
        Ok(Place {
            admission: Arc::clone(self),
            peer: peer.clone(),
            share: self.memory.share(&format!("{role} {}", peer.id())),
            opened: Mutex::default(),
            broken_off: Mutex::default(),
        })
    }

    /// Takes one envelope of the quota of `member`; see [`Quotas::take`].
    ///
    /// # Errors
    /// The milliseconds after which it fits.
    pub fn spend(
        &self,
        member: &str,
        quota: Quota,
        class: (LaneClass, bool),
        ahead: u32,
        now_ms: u64,
    ) -> Result<(), u64> {
        let mut quotas = self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        quotas.take(member, quota, class, ahead, now_ms)
    }

    fn guests(&self) -> MutexGuard<'_, BTreeMap<Peer, Guest>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The peer's part of the memory.
    #[must_use]
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Counts a request that the peer opened; false if it floods. Spec: ADM-12.
    #[must_use]
    pub fn opened(&self, now_ms: u64) -> bool {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.take(OPENED_MAX, 0, now_ms).is_ok() || self.flooded(now_ms)
    }

    /// Counts a request that the peer broke off before it was whole; false if it floods.
    /// Spec: ADM-12.
    #[must_use]
    pub fn broken_off(&self, now_ms: u64) -> bool {
        let mut broken_off = self
            .broken_off
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        broken_off.take(BROKEN_OFF_MAX, 0, now_ms).is_ok() || self.flooded(now_ms)
    }

    /// Spec: ADM-13.
    fn flooded(&self, now_ms: u64) -> bool {
        if let Some(guest) = self.admission.guests().get_mut(&self.peer) {
            guest.away_until_ms = now_ms + FLOODING_PENALTY_MS;
        }
        false
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(guest) = self.admission.guests().get_mut(&self.peer) {
            guest.sessions -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: &str) -> Peer {
        Peer::Client(id.to_owned())
    }

    // ADM-11, LIM-63: a peer has a bounded number of sessions, and one that ends makes room.
    #[test]
    fn a_peer_has_so_many_sessions_and_no_more() {
        let admission = Arc::new(Admission::default());
        let mut held: Vec<_> = (0..SESSIONS_OF_PEER_MAX)
            .map(|_| admission.enter(&peer("a"), 0).expect("there is room"))
            .collect();
        let refused = admission.enter(&peer("a"), 0).err();
        assert_eq!(refused, Some(WireCode::RetryAfter));
        assert!(admission.enter(&peer("b"), 0).is_ok());
        held.pop();
        assert!(admission.enter(&peer("a"), 0).is_ok());
    }

    // ADM-12, ADM-13, LIM-66, LIM-67: who floods stays away for a while, with all its sessions, and alone.
    #[test]
    fn who_breaks_off_too_many_requests_waits_out_a_penalty() {
        let admission = Arc::new(Admission::default());
        let place = admission.enter(&peer("a"), 0).expect("there is room");
        for _ in 0..BROKEN_OFF_MAX.burst {
            assert!(place.broken_off(0));
        }
        assert!(!place.broken_off(0));
        drop(place);
        let refused = |at_ms| admission.enter(&peer("a"), at_ms).err();
        assert_eq!(refused(FLOODING_PENALTY_MS - 1), Some(WireCode::Flooding));
        assert!(admission.enter(&peer("b"), 1).is_ok());
        assert_eq!(refused(FLOODING_PENALTY_MS), None);
    }

    // ADM-12, LIM-65: twenty thousand requests in each second of a minute are no flood; a hundred
    // thousand are.
    #[test]
    fn a_busy_peer_is_no_flood() {
        let admission = Arc::new(Admission::default());
        let place = admission.enter(&peer("a"), 0).expect("there is room");
        for at_ms in (0..60_000).step_by(10) {
            assert!((0..200).all(|_| place.opened(at_ms)), "{at_ms}");
        }
        let flood = (60_000..62_000).all(|at_ms| (0..100).all(|_| place.opened(at_ms)));
        assert!(!flood);
    }
}
