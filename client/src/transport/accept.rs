//! Who gets through the door, and at which cost to the house.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use frex_proto::{error::WireCode, roster::Peer};
use quinn::Incoming;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{Greeting, Session, TransportError, prefixes::Prefixes, session};
use crate::tls::config::Limits;

/// What happened at the door since the endpoint was bound.
#[derive(Debug, Default)]
pub struct Counters {
    retried: AtomicU64,
    turned_away: AtomicU64,
    failed: AtomicU64,
    ignored: AtomicU64,
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

    /// Attempts from networks of which too many had failed.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
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
    pub(super) prefixes: Arc<Prefixes>,
    pub(super) wide: Wide,
    pub(super) sessions: mpsc::Sender<Session>,
}

/// Who may use more than one of many: some clients, and some nodes. Spec: ADM-10.
#[derive(Clone)]
pub(super) struct Wide {
    clients: Arc<Semaphore>,
    nodes: Arc<Semaphore>,
}

impl Wide {
    pub(super) fn new(each_max: usize) -> Self {
        Self {
            clients: Arc::new(Semaphore::new(each_max)),
            nodes: Arc::new(Semaphore::new(each_max)),
        }
    }
}

impl Doorkeeper {
    /// Sends an unknown address back for a token, leaves alone whose network only fails, turns away
    /// what finds no room, and lets the rest shake hands in a task of their own. Spec: TRN-3,
    /// TRN-4, ADM-14.
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
        if self.prefixes.is_ignored(incoming.remote_address()) {
            count(&self.counters.ignored);
            incoming.ignore();
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
                    house.prefixes.failed(address);
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
        let session = session::welcome(connection, &self.greeting, &self.limits).await?;
        let wide = match session.peer().peer {
            Peer::Client(_) => &self.wide.clients,
            Peer::Node(_) => &self.wide.nodes,
        };
        Ok(match Arc::clone(wide).try_acquire_owned() {
            Ok(turn) => session.widen(&self.limits, turn),
            Err(_) => session,
        })
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
