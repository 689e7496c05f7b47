//! The worker of one destination: connects, keeps requests in flight, tries again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use frex_client::transport::{Session, TransportError};
use frex_proto::{
    delivery::Backoff,
    error::WireCode,
    roster::{Peer, Roster},
    v1,
};
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
/// How often the keys of a session are looked at where nothing else happens.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// A session that ends sooner is not made anew at once.
const SHORT: Duration = Duration::from_secs(1);
/// How often the outbox of a node that may not act is looked through.
const NOT_LIVE_PAUSE: Duration = Duration::from_secs(10);
/// How often what is withheld is looked through for what has expired.
const WITHHELD_PAUSE: Duration = Duration::from_secs(10);
/// How long to wait before looking again when the own index cannot be read.
const INDEX_PAUSE: Duration = Duration::from_secs(1);

/// Delivers to `node` until the node stops.
pub async fn run(shared: Arc<Shared>, node: String) {
    let mut worker = Worker {
        cursors: Default::default(),
        in_flight: BTreeSet::new(),
        resting: BTreeMap::new(),
        backoff: Backoff::default(),
        bell: shared.bells.outbox(&node),
        changes: shared.membership.roster().changes(),
        shared,
        node,
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
    node: String,
    bell: watch::Receiver<()>,
    changes: watch::Receiver<Arc<Roster>>,
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
    /// Nobody refused it: one of its recipients is suspended.
    withheld: bool,
}

impl Worker {
    async fn work(&mut self) {
        loop {
            self.until_live().await;
            let Some(lane) = self.wait_for_work().await else {
                continue;
            };
            match self.connect().await {
                Ok(session) => {
                    self.backoff.alive();
                    tracing::info!(node = %self.node, "connected");
                    let began = Instant::now();
                    let ended = self.exchange(&session).await;
                    tracing::info!(node = %self.node, reason = %ended, "connection ended");
                    if began.elapsed() < SHORT {
                        self.pause(lane).await;
                    }
                }
                Err(error) => {
                    self.shared.metrics.delivery(false);
                    tracing::warn!(node = %self.node, error = %error, failures = self.backoff.failures(), "cannot connect");
                    self.pause(lane).await;
                }
            }
        }
    }

    /// Waits while the destination may not act, or our people do not exchange with it. What was
    /// meant for a revoked one is given up, and its senders are told; a suspended one may come
    /// back. Spec: DIS-9, DIS-12.
    async fn until_live(&mut self) {
        let node = Peer::Node(self.node.clone());
        let mut suspensions = self.shared.suspensions.changes();
        loop {
            let roster = self.changes.borrow_and_update().clone();
            let suspended = suspensions.borrow_and_update().holds(&node, &roster);
            if roster.is_live(&node) && !suspended {
                return;
            }
            let revoked = roster.is_revoked(&self.node);
            self.give_up_where(|item, now_ms| {
                if item.expires_ms <= now_ms {
                    Some(WireCode::Expired)
                } else {
                    revoked.then_some(WireCode::Revoked)
                }
            })
            .await;
            tokio::select! {
                biased;
                _ = self.changes.changed() => {}
                _ = suspensions.changed() => {}
                _ = self.bell.changed() => {}
                () = tokio::time::sleep(NOT_LIVE_PAUSE) => {}
            }
        }
    }

    /// Waits until something is in the outbox, and tells the most urgent lane that waits; a
    /// neighbour is connected to even so. Nothing if the roster changed meanwhile.
    async fn wait_for_work(&mut self) -> Option<v1::Lane> {
        loop {
            self.bell.mark_unchanged();
            for (slot, lane) in (0..).zip(LANES) {
                match self.shared.ledger.outbox(&self.node, slot, None, 1) {
                    Ok(items) if items.is_empty() => {}
                    Ok(_) => return Some(lane),
                    Err(error) => self.index_failed(&error).await,
                }
            }
            let roster = self.changes.borrow_and_update().clone();
            if roster
                .neighbours(&self.shared.id)
                .contains(&self.node.as_str())
            {
                return Some(v1::Lane::Normal);
            }
            tokio::select! {
                biased;
                _ = self.changes.changed() => return None,
                _ = self.bell.changed() => {}
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
        self.give_up_where(|item, now_ms| (item.expires_ms <= now_ms).then_some(WireCode::Expired))
            .await;
    }

    /// Gives up the items for which there is a reason, all of them.
    async fn give_up_where(&self, reason: impl Fn(&OutboxItem, u64) -> Option<WireCode>) {
        let (ledger, now_ms) = (&self.shared.ledger, self.shared.now_ms());
        for (slot, _) in (0..).zip(LANES) {
            let mut after: Option<Bytes> = None;
            loop {
                let some = ledger.outbox(&self.node, slot, after.as_deref(), request::ITEMS_MAX);
                let items = match some {
                    Ok(items) => items,
                    Err(error) => break self.index_failed(&error).await,
                };
                let Some(last) = items.last() else { break };
                after = Some(last.key.clone());
                for item in &items {
                    if let Some(code) = reason(item, now_ms) {
                        request::give_up(&self.shared, &self.node, item, code).await;
                    }
                }
            }
        }
    }

    async fn connect(&self) -> Result<Session, TransportError> {
        let roster = self.shared.roster();
        let node = roster.node(&self.node).ok_or(TransportError::NotTrusted)?;
        let greeting = self.shared.greeter.dialling(&self.node);
        let mut failure = TransportError::Unreachable;
        for address in node.addresses_at(self.shared.now_ms()) {
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
        let mut attempts = Arc::new(request::Verifier::new(&self.shared, &self.node));
        let mut rng = self.shared.environment.random.rng();
        let membership = self.shared.membership.clone();
        let mut news = pin!(membership.follow(session, &mut rng));
        let mut following = true;
        let mut suspensions = self.shared.suspensions.changes();
        self.changes.mark_unchanged();
        loop {
            suspensions.mark_unchanged();
            if let Err(code) = self.shared.check(session) {
                session.close(code);
                return TransportError::Closed(code);
            }
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
            // What is under way wakes nobody: its rest is over until it is answered.
            let idle = |(key, _): &(&Bytes, _)| !self.in_flight.contains(*key);
            let resting = self.resting.iter().filter(idle);
            let wake = resting.map(|(_, resting)| resting.until).min();
            let wake = wake.filter(|_| requests.len() < self.shared.config.requests_in_flight_max);
            let wake = wake
                .unwrap_or_else(|| Instant::now() + LOOK_AGAIN)
                .min(Instant::now() + LOOK_AGAIN);
            tokio::select! {
                biased;
                reason = session.closed() => return reason,
                _ = self.changes.changed() => {
                    attempts = Arc::new(request::Verifier::new(&self.shared, &self.node));
                }
                _ = suspensions.changed() => self.let_go(),
                told = &mut news, if following => {
                    following = false;
                    if let Err(error) = told {
                        tracing::debug!(node = %self.node, %error, "no more news of the roster");
                    }
                }
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
        if !matches!(tried.attempt, Attempt::Withheld(_)) {
            let settled = tried.attempt == Attempt::Settled;
            self.shared.metrics.delivery(settled);
        }
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
                let resting = self.rest(tried.key);
                let lane = lane.unwrap_or(v1::Lane::Normal);
                let wait_ms = resting.backoff.refused(lane, retry_after_ms, &mut rng);
                resting.until = Instant::now() + Duration::from_millis(wait_ms);
                tracing::info!(node = %self.node, code = %code, wait_ms, "refused, will be tried again");
            }
            Attempt::Withheld(by) => {
                // Another list may have come into force meanwhile.
                let holds = Arc::ptr_eq(&by, &self.shared.suspensions.current());
                let resting = self.rest(tried.key);
                resting.withheld = true;
                resting.until = Instant::now();
                if holds {
                    resting.until += WITHHELD_PAUSE;
                }
            }
        }
    }

    fn rest(&mut self, key: Bytes) -> &mut Resting {
        let resting = self.resting.entry(key).or_insert_with(|| Resting {
            until: Instant::now(),
            backoff: Backoff::default(),
            withheld: false,
        });
        resting.withheld = false;
        resting
    }

    /// What was kept back for somebody's suspension may go: whether it does is looked at now.
    fn let_go(&mut self) {
        let withheld = self.resting.values_mut().filter(|item| item.withheld);
        withheld.for_each(|item| item.until = Instant::now());
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
