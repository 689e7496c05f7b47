//! Delivers what members submitted: one worker per destination, until receipted or expired.
//!
//! A worker reads its destination's outbox, urgent lane first, keeps a few requests in flight and
//! takes an item off only when the answer is durable here. Whatever else happens, the item stays
//! and is tried again, so a crash on either side costs a repetition and never a report: the
//! receiver answers a repetition with the receipt it already gave. Beside each worker somebody
//! watches what waits, so that it ends in time and is noticed before. Spec: DEL-1, DEL-12.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use frex_proto::error::WireCode;
use tokio::{task::JoinSet, time::Instant};

use crate::{ledger::records::OutboxItem, shared::Shared, suspension::Suspensions};

mod attachments;
pub mod breaker;
pub mod desk;
pub mod dial;
pub mod request;
pub mod slots;
pub mod watch;
pub mod worker;

/// What became of one outbox item in one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// The destination answered for good, and that is recorded; the outbox no longer holds it.
    Answered,
    /// It is given up, and the destination did not say so.
    Ended,
    /// To be tried again, after the time that the peer asks for.
    Again {
        /// What it said.
        code: WireCode,
        /// How long it wants to be left alone; 0 if it did not say.
        retry_after_ms: u64,
        /// What it spoke of.
        about: About,
    },
    /// Not tried: it cannot be read here.
    Unreadable,
    /// The peer lacks attachments of it: they are to be brought first.
    Attachments,
    /// Not tried: one of its recipients is suspended by this list.
    Withheld(Arc<Suspensions>),
}

/// What a refusal speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// This item.
    Item,
    /// The request, whatever was in it.
    Request,
    /// The request, because of something in it: each item is to be tried alone.
    Company,
    /// Nothing: there was no answer to the request, or none that can be read.
    Silence,
}

/// One outbox item and what became of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Its outbox key.
    pub key: Bytes,
    /// What became of it.
    pub attempt: Attempt,
}

/// Items of one lane that go out together.
#[derive(Debug)]
pub struct Batch {
    /// Which lane, as a slot of [`LANES`](crate::ledger::records::LANES).
    pub slot: usize,
    /// Whether it only goes to see if the lane's rest is over.
    pub probe: bool,
    /// When it was put together.
    pub began: Instant,
    /// The items.
    pub items: Vec<OutboxItem>,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Report {
    /// Which lane.
    pub slot: usize,
    /// Whether it was a probe.
    pub probe: bool,
    /// When it was put together.
    pub began: Instant,
    /// Its items.
    pub tried: Vec<Tried>,
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
                let desk = shared
                    .desks
                    .open(&node.id, shared.config.requests_in_flight_max);
                workers.spawn(worker::run(shared.clone(), desk.clone()));
                workers.spawn(watch::run(shared.clone(), desk));
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
