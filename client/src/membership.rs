//! The roster in force, and how a holder learns of a newer one from the peers it talks to.
//!
//! Whoever dials asks the other end, on a stream that stays open, to tell when it holds another
//! state, and offers its own state when that has changed. What comes is judged from the pinned
//! root like any roster, kept on disk, and only then put in force. Nobody needs the governance
//! for that: any node passes on what it holds. Spec: chapter DIS.

use std::{fmt, fs::File, io, sync::Arc};

use frex_proto::{
    error::WireCode,
    roster::{Roster, RosterError, TrustAnchor},
};
use tokio::sync::Mutex;

use crate::{
    environment::Clock,
    transport::{RosterHandle, TransportError},
};

mod follow;
mod serve;
pub mod store;
mod take;
mod transfer;

/// Where a holder keeps the roster in force.
pub trait RosterStore: Send + Sync {
    /// Replaces the kept bundle, durably.
    ///
    /// # Errors
    /// Whatever the disk says; the former bundle is still there.
    fn keep(&self, bundle: &[u8]) -> io::Result<()>;

    /// Keeps other programs from changing the kept bundle until what it gives is dropped; nothing
    /// where no other program can.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn hold(&self) -> io::Result<Option<File>>;

    /// The bundle that is kept at this moment: another program may have put it there.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn kept(&self) -> io::Result<Vec<u8>>;

    /// Keeps a roster that another one contradicts, for people to look at: once, under
    /// [`store::evidence_name`].
    ///
    /// # Errors
    /// Whatever the disk says.
    fn keep_evidence(&self, roster: &Roster) -> io::Result<()>;
}

/// Work that may take a while, run off the network thread or at once.
pub type Run = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

/// A holder of the roster in force. Clones share it.
#[derive(Clone)]
pub struct Membership(Arc<Parts>);

struct Parts {
    roster: RosterHandle,
    anchor: TrustAnchor,
    clock: Clock,
    store: Arc<dyn RosterStore>,
    run: Run,
    /// One bundle is judged at a time: a peer that offers many waits for itself.
    turn: Mutex<()>,
}

impl Membership {
    /// A holder of `roster`, which was judged from `anchor`.
    #[must_use]
    pub fn new(
        roster: RosterHandle,
        anchor: TrustAnchor,
        clock: Clock,
        store: Arc<dyn RosterStore>,
        run: Run,
    ) -> Self {
        Self(Arc::new(Parts {
            roster,
            anchor,
            clock,
            store,
            run,
            turn: Mutex::new(()),
        }))
    }

    /// The roster in force, now and later.
    #[must_use]
    pub fn roster(&self) -> &RosterHandle {
        &self.0.roster
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Membership").field(&self.0.roster).finish()
    }
}

/// Why an offered roster is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// It does not verify, or contradicts the one in force: the peer, or the governance.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// It cannot be kept, so it is not put in force.
    #[error("the roster cannot be kept")]
    Store(#[source] io::Error),
    /// The program ends.
    #[error("the program ends")]
    Ending,
}

impl From<&TakeError> for WireCode {
    fn from(error: &TakeError) -> Self {
        match error {
            TakeError::Roster(error) => (*error).into(),
            TakeError::Store(_) => Self::Files,
            TakeError::Ending => Self::ShuttingDown,
        }
    }
}

/// Why a peer is not followed any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The connection broke or the peer broke the protocol.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The peer refuses.
    #[error("the peer refuses: {0}")]
    Refused(WireCode),
}
