//! What every task of a running node sees.

use std::{path::PathBuf, sync::Arc};

use frex_client::{
    environment::Environment,
    membership::Membership,
    transport::{Endpoint, Greeter, Session},
};
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    limits,
    log::Checkpoint,
    roster::{Peer, Roster},
    session::SessionPeer,
    v1::Lane,
};
use tokio::sync::watch;

use crate::{
    admission::Admission,
    attachments::Attachments,
    bells::Bells,
    config::NodeConfig,
    delivery::desk::Desks,
    disk::{Disk, Room, Space},
    intake::Intake,
    leases::Leases,
    ledger::query::Ledger,
    metrics::{Metrics, lane_name},
    suspension::SuspensionHandle,
    witness::{Links, Progress, Witness, heads::Heads},
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
    /// Who is let in, and how much each may take up.
    pub admission: Arc<Admission>,
    /// Space left for the data.
    pub space: Space,
    /// Inbox items that some stream holds.
    pub leases: Leases,
    /// How it stands with each destination.
    pub desks: Desks,
    /// What it is as a witness of other logs, if it is one.
    pub witness: Option<Witness>,
    /// Sessions for questions about logs.
    pub links: Links,
    /// How far its own log is witnessed.
    pub witnessed: Progress,
    /// True once witnesses were asked what they have seen of the own log.
    pub looked_back: watch::Sender<bool>,
    /// Heads of logs that pass by.
    pub heads: Arc<Heads>,
}

/// The public halves of the keys that a node was started with.
#[derive(Debug, Clone)]
pub struct OwnKeys {
    /// Name of the log.
    pub origin: String,
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

    /// A time that has passed also by the clock of who signed just now. Spec: LOG-23.
    #[must_use]
    pub fn just_now_ms(&self) -> u64 {
        self.now_ms().saturating_sub(limits::CLOCK_SKEW_MS_MAX)
    }

    /// The space that is left for the data.
    #[must_use]
    pub fn room(&self) -> Room {
        let free_bytes = self
            .space
            .free_bytes(self.disk.as_ref(), &self.data, self.now_ms());
        Room {
            free_bytes,
            reserve_bytes: self.config.disk_reserve_bytes,
        }
    }

    /// Whether new envelopes of a lane are taken, however long the log waits for its witnesses.
    /// Spec: WIT-18.
    #[must_use]
    pub fn is_witnessed_for(&self, lane: Lane) -> bool {
        let max_ms = self.config.unwitnessed_max_s.saturating_mul(1000);
        self.witnessed.takes(lane, max_ms, self.now_ms())
    }

    /// The lanes of which nothing new is taken, for lack of space or of witnesses.
    #[must_use]
    pub fn lanes_refused(&self) -> Vec<&'static str> {
        let mut refused = self.room().refused();
        for lane in [Lane::Bulk, Lane::Normal] {
            let name = lane_name(lane);
            if !self.is_witnessed_for(lane) && !refused.contains(&name) {
                refused.push(name);
            }
        }
        refused
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

    /// Looks at the heads of logs that a peer's Hello shows. Spec: WIT-14.
    pub fn greeted(&self, peer: &SessionPeer) {
        if let Peer::Node(node) = &peer.peer
            && let Ok(head) = Checkpoint::of_note(&peer.checkpoint)
        {
            self.heads.pass(node, &head, &peer.checkpoint);
        }
        if !peer.seen.is_empty() {
            self.heads.pass_own(&peer.seen);
        }
    }

    /// Resolves when it is known that nothing is missing here, as far as witnesses say: nothing is
    /// signed before. Spec: WIT-9.
    pub async fn has_looked_back(&self) {
        let mut looked = self.looked_back.subscribe();
        // The sender lives as long as this does.
        let _ = looked.wait_for(|looked| *looked).await;
    }

    /// Resolves when the node stops.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // A dropped sender means that the node is gone, which is as good as stopping.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
