//! Who gets through the door, and at which cost to the house.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use frex_proto::error::WireCode;
use quinn::Incoming;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{Greeting, Session, TransportError, session};
use crate::tls::config::Limits;

/// What happened at the door since the endpoint was bound.
#[derive(Debug, Default)]
pub struct Counters {
    retried: AtomicU64,
    turned_away: AtomicU64,
    failed: AtomicU64,
    welcomed: AtomicU64,
}

impl Counters {
    /// Attempts that were asked to prove their address first.
    #[must_use]
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Attempts for which there was no room.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Handshakes or Hellos that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Attempts that became sessions.
    #[must_use]
    pub fn welcomed(&self) -> u64 {
        self.welcomed.load(Ordering::Relaxed)
    }
}

/// Admits connections without ever waiting for one.
#[derive(Clone)]
pub(super) struct Doorkeeper {
    pub(super) greeting: Greeting,
    pub(super) limits: Arc<Limits>,
    pub(super) half_open: Arc<Semaphore>,
    pub(super) counters: Arc<Counters>,
    pub(super) sessions: mpsc::Sender<Session>,
}

impl Doorkeeper {
    /// Sends an unknown address back for a token, turns away what finds no room, and lets the
    /// rest shake hands in a task of their own. Spec: TRN-3, TRN-4.
    ///
    /// A Retry costs no memory and a fortieth of a handshake's time, so a flood from forged
    /// addresses takes neither.
    pub(super) fn admit(&self, incoming: Incoming, open_connections: usize) {
        if !incoming.remote_address_validated() {
            count(&self.counters.retried);
            // An address that is not validated can always be asked; otherwise it is refused.
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
            return;
        }
        let turn = Arc::clone(&self.half_open).try_acquire_owned();
        let (Ok(turn), true) = (turn, open_connections < self.limits.connections_max) else {
            count(&self.counters.turned_away);
            incoming.refuse();
            return;
        };
        let house = self.clone();
        tokio::spawn(async move {
            let address = incoming.remote_address();
            let outcome = house.shake_hands(incoming).await;
            drop(turn);
            match outcome {
                Ok(session) => {
                    count(&house.counters.welcomed);
                    // Without a receiver the endpoint is going down; the session closes.
                    let _ = house.sessions.send(session).await;
                }
                Err(error) => {
                    count(&house.counters.failed);
                    let code = WireCode::from(&error).info().name;
                    tracing::debug!(%address, code, "handshake failed: {error}");
                }
            }
        });
    }

    async fn shake_hands(&self, incoming: Incoming) -> Result<Session, TransportError> {
        let connecting = incoming.accept()?;
        let connection = timeout(self.limits.handshake_timeout, connecting)
            .await
            .map_err(|_| TransportError::TimedOut)??;
        session::welcome(connection, &self.greeting, &self.limits).await
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
