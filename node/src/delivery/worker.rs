//! The worker of one destination: connects, keeps requests in flight, tries again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use frex_client::transport::{Greeter, Session, TransportError};
use frex_proto::{delivery::Backoff, error::WireCode, v1};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{Attempt, Tried, request};
use crate::{
    ledger::{LedgerError, records::OutboxItem},
    shared::Shared,
};

/// Lane slots of an outbox, in the order in which they are served.
const LANES: [v1::Lane; 4] = [
    v1::Lane::Urgent,
    v1::Lane::Control,
    v1::Lane::Normal,
    v1::Lane::Bulk,
];
/// How long to wait before looking again when the own index cannot be read.
const INDEX_PAUSE: Duration = Duration::from_secs(1);

/// Delivers to `node` until the node stops.
pub async fn run(shared: Arc<Shared>, greeter: Greeter, node: String) {
    let Some(bell) = shared.bells.outbox(&node) else {
        return;
    };
    let mut worker = Worker {
        cursors: Default::default(),
        in_flight: BTreeSet::new(),
        resting: BTreeMap::new(),
        backoff: Backoff::default(),
        shared,
        greeter,
        node,
        bell,
    };
    let shared = worker.shared.clone();
    tokio::select! {
        biased;
        () = shared.stopped() => {}
        () = worker.work() => {}
    }
}

struct Worker {
    shared: Arc<Shared>,
    greeter: Greeter,
    node: String,
    bell: watch::Receiver<()>,
    /// Per lane, the last key that was taken up in this session.
    cursors: [Option<Bytes>; LANES.len()],
    in_flight: BTreeSet<Bytes>,
    /// Items that were refused for a while.
    resting: BTreeMap<Bytes, Resting>,
    /// Failures to reach the destination at all.
    backoff: Backoff,
}

struct Resting {
    until: Instant,
    backoff: Backoff,
}

impl Worker {
    async fn work(&mut self) {
        loop {
            let lane = self.wait_for_work().await;
            match self.connect().await {
                Ok(session) => {
                    self.backoff.alive();
                    tracing::info!(node = %self.node, "connected");
                    let ended = self.exchange(&session).await;
                    tracing::info!(node = %self.node, reason = %ended, "connection ended");
                }
                Err(error) => {
                    self.shared.metrics.delivery(false);
                    tracing::warn!(node = %self.node, error = %error, failures = self.backoff.failures(), "cannot connect");
                    self.pause(lane).await;
                }
            }
        }
    }

    /// Waits until something is in the outbox; tells the most urgent lane that waits.
    async fn wait_for_work(&mut self) -> v1::Lane {
        loop {
            self.bell.mark_unchanged();
            for (slot, lane) in (0..).zip(LANES) {
                match self.shared.ledger.outbox(&self.node, slot, None, 1) {
                    Ok(items) if items.is_empty() => {}
                    Ok(_) => return lane,
                    Err(error) => self.index_failed(&error).await,
                }
            }
            if self.bell.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn pause(&mut self, lane: v1::Lane) {
        let mut rng = self.shared.environment.random.rng();
        let wait_ms = self.backoff.failed(lane, &mut rng);
        self.expire().await;
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }

    /// Gives up what has expired while the destination could not be reached.
    async fn expire(&self) {
        let now_ms = self.shared.now_ms();
        for slot in 0..LANES.len() {
            let slot = u8::try_from(slot).unwrap_or(0);
            let items = self
                .shared
                .ledger
                .outbox(&self.node, slot, None, request::ITEMS_MAX);
            let expired = items
                .unwrap_or_default()
                .into_iter()
                .filter(|item| item.expires_ms <= now_ms);
            for item in expired {
                request::give_up(&self.shared, &self.node, &item, WireCode::Expired).await;
            }
        }
    }

    async fn connect(&self) -> Result<Session, TransportError> {
        let node = self
            .shared
            .roster
            .node(&self.node)
            .ok_or(TransportError::NotTrusted)?;
        let greeting = self.greeter.dialling(&self.node);
        let mut failure = TransportError::Unreachable;
        for address in &node.addresses {
            for address in resolve(address).await {
                match self.shared.endpoint.dial(address, &greeting).await {
                    Ok(session) => return Ok(session),
                    Err(error) => failure = error,
                }
            }
        }
        Err(failure)
    }

    /// Keeps requests in flight until the session ends.
    async fn exchange(&mut self, session: &Session) -> TransportError {
        self.cursors = Default::default();
        self.in_flight.clear();
        let mut requests = JoinSet::new();
        let attempts = Arc::new(request::Verifier::new(&self.shared, &self.node));
        loop {
            self.bell.mark_unchanged();
            while requests.len() < self.shared.config.requests_in_flight_max {
                match self.next_batch() {
                    Ok(Some((lane, items))) => {
                        let (shared, session) = (self.shared.clone(), session.clone());
                        let (node, attempts) = (self.node.clone(), attempts.clone());
                        requests.spawn(async move {
                            request::deliver(&shared, &session, &node, &attempts, lane, items).await
                        });
                    }
                    Ok(None) => break,
                    Err(error) => self.index_failed(&error).await,
                }
            }
            let wake = self.resting.values().map(|resting| resting.until).min();
            let wake = wake.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                reason = session.closed() => return reason,
                Some(done) = requests.join_next() => {
                    for tried in done.unwrap_or_default() {
                        self.settle(tried);
                    }
                }
                changed = self.bell.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// The next items of the most urgent lane that has any.
    fn next_batch(&mut self) -> Result<Option<(v1::Lane, Vec<OutboxItem>)>, LedgerError> {
        let now = Instant::now();
        let items_max = self
            .shared
            .config
            .delivery_batch_max
            .min(request::ITEMS_MAX);
        for (slot, lane) in (0_u8..).zip(LANES) {
            let mut items = self.rested(slot, now)?;
            let cursor = &mut self.cursors[usize::from(slot)];
            while items.len() < items_max {
                let limit = items_max - items.len();
                let found =
                    self.shared
                        .ledger
                        .outbox(&self.node, slot, cursor.as_deref(), limit)?;
                let Some(last) = found.last() else { break };
                *cursor = Some(last.key.clone());
                let idle = |item: &OutboxItem| {
                    !self.in_flight.contains(&item.key) && !self.resting.contains_key(&item.key)
                };
                items.extend(found.into_iter().filter(idle));
            }
            if !items.is_empty() {
                self.in_flight
                    .extend(items.iter().map(|item| item.key.clone()));
                return Ok(Some((lane, items)));
            }
        }
        Ok(None)
    }

    /// Items of a lane that were refused and whose rest is over.
    fn rested(&mut self, slot: u8, now: Instant) -> Result<Vec<OutboxItem>, LedgerError> {
        let lane_of = |key: &Bytes| {
            key.len()
                .checked_sub(9)
                .and_then(|place| key.get(place).copied())
        };
        let due: Vec<Bytes> = self
            .resting
            .iter()
            .filter(|(key, resting)| {
                resting.until <= now && lane_of(key) == Some(slot) && !self.in_flight.contains(*key)
            })
            .map(|(key, _)| key.clone())
            .take(request::ITEMS_MAX)
            .collect();
        let mut items = Vec::with_capacity(due.len());
        for key in due {
            match self.shared.ledger.outbox_item(&key)? {
                Some(item) => items.push(item),
                None => {
                    self.resting.remove(&key);
                }
            }
        }
        Ok(items)
    }

    fn settle(&mut self, tried: Tried) {
        self.in_flight.remove(&tried.key);
        self.shared
            .metrics
            .delivery(tried.attempt == Attempt::Settled);
        match tried.attempt {
            Attempt::Settled => {
                self.resting.remove(&tried.key);
            }
            Attempt::Again {
                code,
                retry_after_ms,
            } => {
                let slot = tried
                    .key
                    .len()
                    .checked_sub(9)
                    .and_then(|place| tried.key.get(place).copied());
                let lane = slot.and_then(|slot| LANES.get(usize::from(slot))).copied();
                let mut rng = self.shared.environment.random.rng();
                let resting = self.resting.entry(tried.key).or_insert_with(|| Resting {
                    until: Instant::now(),
                    backoff: Backoff::default(),
                });
                let lane = lane.unwrap_or(v1::Lane::Normal);
                let wait_ms = resting.backoff.refused(lane, retry_after_ms, &mut rng);
                resting.until = Instant::now() + Duration::from_millis(wait_ms);
                tracing::info!(node = %self.node, code = %code, wait_ms, "refused, will be tried again");
            }
        }
    }

    async fn index_failed(&self, error: &LedgerError) {
        tracing::error!(error = ?error, "the outbox cannot be read");
        tokio::time::sleep(INDEX_PAUSE).await;
    }
}

/// Addresses behind `host:port`; an address in figures asks no resolver.
async fn resolve(address: &str) -> Vec<SocketAddr> {
    if let Ok(address) = address.parse() {
        return vec![address];
    }
    match tokio::net::lookup_host(address).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    }
}
