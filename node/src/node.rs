//! A running node: what it is made of, how it starts and how it stops.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_client::{
    environment::Environment,
    membership::Membership,
    transport::{RosterHandle, Socket, TransportError},
};
use frex_proto::{error::WireCode, keys::SigningKey, roster::TrustAnchor};
use serde::Serialize;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    config::NodeConfig,
    disk::Disk,
    ledger::LedgerError,
    metrics::Metrics,
    shared::Shared,
    suspension::SuspensionHandle,
    witness::{heads::DoubtedLog, outside},
};

mod look_back;
mod own_keys;
mod start;
mod status;
mod trust;

/// Where work runs that would hold up the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// On threads of their own.
    Threads,
    /// On the calling thread, in order: the deterministic simulator.
    Inline,
}

/// What a node is made of.
pub struct NodeParts {
    /// Clock and randomness.
    pub environment: Environment,
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Where it listens.
    pub socket: Socket,
    /// The data directory.
    pub data: PathBuf,
    /// Its settings.
    pub config: NodeConfig,
    /// Authenticates its connections.
    pub tls_key: SigningKey,
    /// Signs its log.
    pub log_key: SigningKey,
    /// Cosigns the logs of other nodes, if it has one.
    pub witness_key: Option<SigningKey>,
    /// Who belongs to the federation.
    pub roster: RosterHandle,
    /// What every later roster is judged from.
    pub anchor: TrustAnchor,
    /// The operator's word that nothing was lost, where others cannot be asked. Spec: BAK-13.
    pub nothing_was_lost: bool,
    /// Threads or none.
    pub execution: Execution,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Why a node does not start. The operator or the environment must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Journal, index or log.
    #[error("the ledger cannot be opened")]
    Ledger(#[from] LedgerError),
    /// The roster does not list this node, or lists other keys for it.
    #[error("the roster does not list this node with the keys in this directory")]
    NotListed,
    /// The roster lists another log key, and the one held here has ended.
    #[error("the log key in this directory has ended, and the roster lists another")]
    LogKeyEnded,
    /// This directory is an old copy.
    #[error(
        "a witness has seen this log with {seen} entries, which do not lead to the {here} that are here"
    )]
    RolledBack {
        /// At the witness.
        seen: u64,
        /// Here.
        here: u64,
    },
    /// This directory was restored, and too few have said that they saw no more of its log.
    #[error("{} have said that they saw no more of this log than was restored", heard(*.answered, *.needed))]
    Unconfirmed {
        /// Witnesses that have answered.
        answered: usize,
        /// How many it takes; none: nobody witnesses.
        needed: Option<usize>,
    },
    /// The roster lists another log of this node than the one that is here.
    #[error("the roster lists the log {listed}, and here is {here}")]
    OtherLog {
        /// The log that the journal goes on with.
        here: String,
        /// The log in force.
        listed: String,
    },
    /// The socket or TLS refuses.
    #[error("cannot listen")]
    Listen(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The operating system refuses a thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

impl From<&StartError> for WireCode {
    fn from(error: &StartError) -> Self {
        match error {
            StartError::Ledger(error) => error.into(),
            StartError::NotListed => Self::NotTrusted,
            StartError::LogKeyEnded => Self::KeyEnded,
            StartError::RolledBack { .. } => Self::LogRolledBack,
            StartError::Unconfirmed { .. } => Self::LogUnconfirmed,
            StartError::OtherLog { .. } => Self::LogEnded,
            StartError::Listen(_) => Self::BadConfig,
            StartError::Thread(_) => Self::StorageFailed,
        }
    }
}

fn heard(answered: usize, needed: Option<usize>) -> String {
    match needed {
        Some(needed) => format!("{answered} of the {needed} witnesses that it takes"),
        None => "no witnesses, for the roster names none,".to_owned(),
    }
}

/// A node that runs until it is shut down or its storage fails.
pub struct Node {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    failed: watch::Receiver<Option<WireCode>>,
    tasks: JoinSet<()>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// A node's state as an operator reads it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeStatus {
    /// This node's id.
    pub node: String,
    /// Federation.
    pub federation: String,
    /// Version of the roster in use.
    pub roster_version: u64,
    /// How far that roster may be relied on: current, stale, unconfirmed, expired or void.
    pub roster_standing: &'static str,
    /// When it ends.
    pub roster_expires_ms: u64,
    /// Name of its log.
    pub log_origin: String,
    /// Id of the key that signs its log.
    pub log_key: String,
    /// Id of the key of its connections.
    pub tls_key: String,
    /// Entries in its log.
    pub log_size: u64,
    /// Newest signed checkpoint.
    pub checkpoint: String,
    /// Entries up to which it is final; none where the roster names no witnesses.
    pub final_size: Option<u64>,
    /// Since when later ones wait for enough witnesses.
    pub unwitnessed_since_ms: Option<u64>,
    /// Logs of others that do not prove that they extend what they have shown.
    pub doubted_logs: Vec<DoubtedLog>,
    /// Nodes whose logs have signed two histories.
    pub forked_logs: Vec<String>,
    /// Deliveries that wait, per node.
    pub outbox: Vec<Waiting>,
    /// Deliveries past half of their life, per node and lane.
    pub half_life: Vec<HalfLife>,
    /// Items that wait to be confirmed, per member.
    pub inbox: Vec<Waiting>,
    /// Open connections.
    pub sessions: usize,
    /// Free bytes where the data is.
    pub disk_free_bytes: u64,
    /// Lanes of which nothing new is taken, for lack of space or of witnesses.
    pub lanes_refused: Vec<&'static str>,
    /// Bytes of requests under way and of unread answers that are held in memory.
    pub under_way_bytes: usize,
    /// The most that ever were.
    pub under_way_bytes_highest: usize,
    /// Since the start, milliseconds.
    pub uptime_ms: u64,
}

/// How much waits for one node or member.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Whose.
    pub owner: String,
    /// How many, counted up to 10,000.
    pub count: usize,
}

/// What waits for one node in one lane, and has waited for more than half of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HalfLife {
    /// For which node.
    pub node: String,
    /// In which lane, in lower case.
    pub lane: &'static str,
    /// How many.
    pub count: usize,
}

/// Something that a person should look at. It says nothing of what is exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// `half-life`, `unwitnessed`, `log-doubted` or `log-forked`.
    pub kind: &'static str,
    /// At which node.
    pub node: String,
    /// In which lane, in lower case; empty where it is about a log.
    pub lane: &'static str,
    /// How much of it there is.
    pub count: usize,
}

impl Node {
    /// Opens the ledger, listens, and starts to deliver.
    ///
    /// `progress` hears of bytes replayed and bytes in all while the journal is read.
    ///
    /// # Errors
    /// See [`StartError`]; nothing runs after an error.
    pub async fn start(
        parts: NodeParts,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, StartError> {
        start::start(parts, progress).await
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket cannot say.
    pub fn local_addr(&self) -> Result<std::net::SocketAddr, TransportError> {
        self.shared.endpoint.local_addr()
    }

    /// What an operator wants to know.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        status::of(&self.shared)
    }

    /// What a person should look at: what is past half of its life, logs that are not witnessed or
    /// not to be believed. Spec: DEL-44, WIT-15, WIT-18.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        status::alarms(&self.shared)
    }

    /// Tells the status for as long as the node runs, then nothing.
    pub fn status_handle(&self) -> impl Fn() -> Option<NodeStatus> + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move || shared.upgrade().map(|shared| status::of(&shared))
    }

    /// The newest checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Bytes {
        self.shared.ledger.checkpoint.borrow().clone()
    }

    /// Witnesses by HTTP on a loopback listener until the node stops. Spec: WIT-21.
    pub fn witness_at(&mut self, listener: TcpListener) {
        self.tasks
            .spawn(outside::serve::run(self.shared.clone(), listener));
    }

    /// The roster in force, for who brings a newer one.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.shared.membership
    }

    /// With whom this organisation has suspended the exchange; nobody, until somebody says so.
    #[must_use]
    pub fn suspensions(&self) -> &SuspensionHandle {
        &self.shared.suspensions
    }

    /// Resolves when storage failed or the log's key has ended: the process must exit, and nothing
    /// more is signed.
    pub async fn failed(&self) -> WireCode {
        let mut failed = self.failed.clone();
        let code = match failed.wait_for(Option::is_some).await {
            Ok(code) => *code,
            Err(_) => None,
        };
        match code {
            Some(code) => code,
            None => std::future::pending().await,
        }
    }

    /// Stops accepting, lets what is in flight finish for up to five seconds, publishes the log.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(5), drained).await;
        self.tasks.abort_all();
        self.shared.endpoint.close(WireCode::ShuttingDown);
        let _ =
            tokio::time::timeout(Duration::from_secs(1), self.shared.endpoint.wait_idle()).await;
        if let Err(error) = self.shared.ledger.publish() {
            tracing::error!(error = %error, "the published log could not be brought up to date");
        }
        // The sequencer ends when the last handle to its channel does.
        let threads = std::mem::take(&mut self.threads);
        drop(self);
        for thread in threads {
            // A panic there was already reported as a failure.
            let _ = thread.join();
        }
    }
}
