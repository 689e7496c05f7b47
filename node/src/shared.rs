//! What every task of a running node sees.

use std::{path::PathBuf, sync::Arc};

use frex_client::{
    environment::Environment,
    membership::Membership,
    transport::{Endpoint, Greeter, Session},
};
use frex_proto::{error::WireCode, keys::VerifyingKey, roster::Roster};
use tokio::sync::{Semaphore, watch};

use crate::{
    attachments::Attachments,
    bells::Bells,
    config::NodeConfig,
    disk::{Disk, Space},
    intake::Intake,
    leases::Leases,
    ledger::query::Ledger,
    metrics::Metrics,
    suspension::SuspensionHandle,
    workers::Workers,
};

/// What every task of the node sees.
pub struct Shared {
    /// This node's id.
    pub id: String,
    /// What it signs and connects with.
    pub keys: OwnKeys,
    /// Settings.
    pub config: NodeConfig,
    /// Clock and randomness.
    pub environment: Environment,
    /// Files, for the space that is left.
    pub disk: Arc<dyn Disk>,
    /// The data directory.
    pub data: PathBuf,
    /// Who belongs to the federation, now and later.
    pub membership: Membership,
    /// Judges those who are connected.
    pub greeter: Greeter,
    /// Records and reads.
    pub ledger: Ledger,
    /// Judges envelopes.
    pub intake: Intake,
    /// With whom this organisation has suspended the exchange.
    pub suspensions: SuspensionHandle,
    /// What travels beside envelopes.
    pub attachments: Attachments,
    /// Runs checks off the network thread.
    pub workers: Workers,
    /// Wakes those who wait for something to be recorded.
    pub bells: Arc<Bells>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The QUIC endpoint.
    pub endpoint: Endpoint,
    /// True once the node stops.
    pub stopping: watch::Receiver<bool>,
    /// When it started.
    pub started_ms: u64,
    /// Bytes of large bodies that may be in memory at once.
    pub body_budget: Arc<Semaphore>,
    /// Space left for the data.
    pub space: Space,
    /// Inbox items that some stream holds.
    pub leases: Leases,
}

/// The public halves of the keys that a node was started with.
#[derive(Debug, Clone)]
pub struct OwnKeys {
    /// Of the log.
    pub log: VerifyingKey,
    /// Of its connections.
    pub tls: VerifyingKey,
}

impl Shared {
    /// The present, milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.environment.clock.now_ms()
    }

    /// The roster in force.
    #[must_use]
    pub fn roster(&self) -> Arc<Roster> {
        self.membership.roster().current()
    }

    /// Whether the peer of a session may still act. Spec: DIS-9, DIS-12.
    ///
    /// # Errors
    /// The code with which the session is to be closed.
    pub fn check(&self, session: &Session) -> Result<(), WireCode> {
        self.greeter.check(session)?;
        let suspended = self.suspensions.current();
        if suspended.holds(&session.peer().peer, &self.roster()) {
            return Err(WireCode::PeerSuspended);
        }
        Ok(())
    }

    /// Resolves when the node stops.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // A dropped sender means that the node is gone, which is as good as stopping.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
