//! Delivers what members submitted: one worker per destination, until receipted or expired.
//!
//! A worker reads its destination's outbox, urgent lane first, keeps a few requests in flight and
//! takes an item off only when the answer is durable here. Whatever else happens, the item stays
//! and is tried again, so a crash on either side costs a repetition and never a report: the
//! receiver answers a repetition with the receipt it already gave. Spec: DEL-1, DEL-12.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use frex_proto::error::WireCode;
use tokio::task::JoinSet;

use crate::{shared::Shared, suspension::Suspensions};

mod attachments;
pub mod request;
pub mod worker;

/// What became of one outbox item in one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Recorded as answered or given up; the outbox no longer holds it.
    Settled,
    /// To be tried again, after the time that the peer asks for.
    Again {
        /// What it said.
        code: WireCode,
        /// How long it wants to be left alone; 0 if it did not say.
        retry_after_ms: u64,
    },
    /// The peer lacks attachments of it: they are to be brought first.
    Attachments,
    /// Not tried: one of its recipients is suspended by this list.
    Withheld(Arc<Suspensions>),
}

/// One outbox item and what became of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Its outbox key.
    pub key: Bytes,
    /// What became of it.
    pub attempt: Attempt,
}

/// Keeps one worker for every node of the roster but the own, until the node stops.
pub async fn run(shared: Arc<Shared>) {
    let mut changes = shared.membership.roster().changes();
    let mut workers = JoinSet::new();
    let mut served = BTreeSet::new();
    loop {
        let roster = changes.borrow_and_update().clone();
        for node in roster.nodes() {
            if node.id != shared.id && served.insert(node.id.clone()) {
                workers.spawn(worker::run(shared.clone(), node.id.clone()));
            }
        }
        tokio::select! {
            biased;
            () = shared.stopped() => break,
            changed = changes.changed() => if changed.is_err() {
                break;
            },
        }
    }
    while workers.join_next().await.is_some() {}
}
