//! The memory that peers take up, shared so that nobody can take all of it.
//!
//! What a peer sends is counted from a frame's header on, before any of it is read, until its
//! request is answered; so is what it asked for and does not read. A peer may hold as much as is
//! left over for all others, so that one alone gets half of it, and a little in any case, so that
//! whoever comes after many who never let go still finds room. Spec: ADM-8, ADM-9.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use frex_proto::{
    delivery::LaneClass,
    limits::{PEER_UNDER_WAY_BYTES_MIN, UNDER_WAY_BYTES_MAX},
};
use tokio::{sync::Notify, time::timeout};

use super::TransportError;

/// How long a request waits for room. What is held is given back in milliseconds, unless those who
/// hold it are slow; then the peer is told to come again. Spec: TRN-8.
const ROOM_WAIT: Duration = Duration::from_secs(5);
/// How soon it is looked again whether others have given back enough.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// An eighth, kept for the urgent lane and for what a request says first.
const RESERVE_BYTES: usize = UNDER_WAY_BYTES_MAX / 8;

/// The memory of all peers together.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Pool>);

#[derive(Debug, Default)]
struct Pool(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    held: usize,
    highest: usize,
    peers: BTreeMap<Arc<str>, usize>,
}

/// One session's way to the part that all sessions of its peer have together.
#[derive(Debug, Clone)]
pub struct Share {
    pool: Arc<Pool>,
    peer: Arc<str>,
    freed: Arc<Notify>,
}

/// Memory that is held until this is dropped.
#[derive(Debug)]
pub struct Held {
    share: Share,
    bytes: usize,
}

impl Memory {
    /// The part of a peer, for one of its sessions.
    #[must_use]
    pub fn share(&self, peer: &str) -> Share {
        Share {
            pool: Arc::clone(&self.0),
            peer: peer.into(),
            freed: Arc::default(),
        }
    }

    /// Bytes that are held now, and the most that ever were.
    #[must_use]
    pub fn held_bytes(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.held, state.highest)
    }
}

impl Share {
    /// Nothing yet.
    #[must_use]
    pub fn nothing(&self) -> Held {
        Held {
            share: self.clone(),
            bytes: 0,
        }
    }
}

impl Held {
    /// Bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds so many more if there is room at once; else false.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize, class: LaneClass) -> bool {
        let taken = self.share.pool.take(&self.share.peer, bytes, class);
        self.bytes += if taken { bytes } else { 0 };
        taken
    }

    /// Holds so many more; waits for a moment if there is no room.
    ///
    /// # Errors
    /// [`TransportError::NoRoom`]; what was held stays so.
    pub async fn grow(&mut self, bytes: usize, class: LaneClass) -> Result<(), TransportError> {
        let pool = &self.share.pool;
        let peer = &self.share.peer;
        let room = async {
            loop {
                let freed = self.share.freed.notified();
                if pool.take(peer, bytes, class) {
                    return;
                }
                // Many may wait: what others give back wakes none of them at once.
                let _ = timeout(LOOK_AGAIN, freed).await;
            }
        };
        timeout(ROOM_WAIT, room)
            .await
            .map_err(|_| TransportError::NoRoom)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back all but so many.
    pub fn keep(&mut self, bytes: usize) {
        let over = self.bytes.saturating_sub(bytes);
        if over > 0 {
            self.share.pool.give_back(&self.share.peer, over);
            self.bytes -= over;
            self.share.freed.notify_waiters();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keep(0);
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, peer: &Arc<str>, bytes: usize, class: LaneClass) -> bool {
        let mut state = self.lock();
        let room = match class {
            LaneClass::Urgent => UNDER_WAY_BYTES_MAX,
            LaneClass::Ordinary => UNDER_WAY_BYTES_MAX - RESERVE_BYTES,
        };
        let own = state.peers.get(peer).copied().unwrap_or_default();
        let left = room.saturating_sub(state.held);
        if own + bytes > left.max(PEER_UNDER_WAY_BYTES_MIN) {
            return false;
        }
        state.held += bytes;
        state.highest = state.highest.max(state.held);
        *state.peers.entry(Arc::clone(peer)).or_default() += bytes;
        true
    }

    fn give_back(&self, peer: &Arc<str>, bytes: usize) {
        let mut state = self.lock();
        state.held -= bytes;
        if let Some(own) = state.peers.get_mut(peer) {
            *own -= bytes;
            if *own == 0 {
                state.peers.remove(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn hold(share: &Share, bytes: usize, class: LaneClass) -> Option<Held> {
        let mut held = share.nothing();
        held.try_grow(bytes, class).then_some(held)
    }

    /// How much one peer gets if it takes all it can.
    fn greedy(share: &Share, class: LaneClass) -> (Vec<Held>, usize) {
        let mut taken = Vec::new();
        while let Some(held) = hold(share, MIB / 4, class) {
            taken.push(held);
        }
        let bytes = taken.iter().map(Held::bytes).sum();
        (taken, bytes)
    }

    // ADM-8, LIM-64: whoever comes after those who take all they can still finds room.
    #[test]
    fn a_hundred_greedy_peers_leave_room_for_the_next() {
        let memory = Memory::default();
        let mut all = Vec::new();
        let (first, bytes) = greedy(&memory.share("first"), LaneClass::Ordinary);
        assert!((40 * MIB..=42 * MIB).contains(&bytes), "{bytes}");
        all.push(first);
        for number in 0..100 {
            all.push(
                greedy(
                    &memory.share(&format!("peer {number}")),
                    LaneClass::Ordinary,
                )
                .0,
            );
        }
        let next = memory.share("next");
        let floor = PEER_UNDER_WAY_BYTES_MIN;
        assert!(hold(&next, floor, LaneClass::Ordinary).is_some());
        assert!(memory.held_bytes().0 <= UNDER_WAY_BYTES_MAX + 102 * floor);
    }

    // ADM-9: what ordinary requests cannot take is there for urgent ones, also of the same peer.
    #[test]
    fn an_eighth_is_kept_for_the_urgent_lane() {
        let memory = Memory::default();
        let share = memory.share("peer");
        let (_ordinary, _) = greedy(&share, LaneClass::Ordinary);
        let (_urgent, bytes) = greedy(&share, LaneClass::Urgent);
        assert!(bytes >= RESERVE_BYTES / 2 - MIB, "{bytes}");
    }

    // TRN-8: three requests of the largest size find room at once.
    #[test]
    fn three_of_the_largest_requests_of_one_peer_fit() {
        let share = Memory::default().share("peer");
        let largest = frex_proto::limits::REQUEST_BODY_BYTES_MAX;
        let held = [(); 3].map(|()| hold(&share, largest, LaneClass::Ordinary));
        assert!(held.iter().all(Option::is_some));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_what_is_given_back_or_hears_that_there_is_no_room() {
        let memory = Memory::default();
        let share = memory.share("peer");
        let (mut taken, bytes) = greedy(&share, LaneClass::Ordinary);
        let mut more = share.nothing();
        let refused = more.grow(MIB, LaneClass::Ordinary).await;
        assert!(matches!(refused, Err(TransportError::NoRoom)));
        let waits = tokio::spawn(async move {
            let grown = more.grow(MIB, LaneClass::Ordinary).await;
            (grown.is_ok(), more)
        });
        tokio::task::yield_now().await;
        taken.truncate(taken.len() - 8);
        let (grown, mut more) = waits.await.expect("it does not panic");
        assert!(grown);
        more.keep(1);
        assert_eq!(memory.held_bytes().0, bytes - 2 * MIB + 1);
        drop((taken, more));
        assert_eq!(memory.held_bytes().0, 0);
    }
}
