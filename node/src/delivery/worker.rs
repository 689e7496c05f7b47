//! The worker of one destination: connects, keeps requests in flight, tries again.

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_client::transport::{Session, TransportError};
use frex_proto::{
    delivery::Backoff,
    error::WireCode,
    roster::{Peer, Roster},
};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{
    Attempt, Report, attachments,
    desk::{Desk, Link},
    dial, request,
};
use crate::{
    ledger::{LedgerError, records::LANES},
    shared::Shared,
};

/// How often the keys of a session are looked at where nothing else happens.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// A session that ends sooner is not made anew at once.
const SHORT: Duration = Duration::from_secs(1);
/// How often the outbox of a node that may not act is looked through.
const NOT_LIVE_PAUSE: Duration = Duration::from_secs(10);
/// How long to wait before looking again when the own index cannot be read.
const INDEX_PAUSE: Duration = Duration::from_secs(1);
/// How often a pause is looked at anew while things come that may be more urgent.
const RING_PAUSE: Duration = Duration::from_millis(200);
/// The lane in which a neighbour is connected to for whom nothing waits.
const NORMAL_SLOT: usize = 2;

/// Delivers to the node of `desk` until this one stops.
pub async fn run(shared: Arc<Shared>, desk: Arc<Desk>) {
    let mut worker = Worker {
        lacking: VecDeque::new(),
        backoff: Backoff::default(),
        bell: shared.bells.outbox(desk.node()),
        heard: shared.bells.peer(desk.node()),
        changes: shared.membership.roster().changes(),
        shared,
        desk,
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
    desk: Arc<Desk>,
    bell: watch::Receiver<()>,
    /// Rings when the destination itself connects.
    heard: watch::Receiver<()>,
    changes: watch::Receiver<Arc<Roster>>,
    /// Items of which the destination lacks attachments, in the order in which it said so.
    lacking: VecDeque<Bytes>,
    /// Failures to reach the destination at all.
    backoff: Backoff,
}

/// How many chunks of an item's attachments the destination was brought, or why not all.
type Brought = (Bytes, Result<u32, WireCode>);

impl Worker {
    async fn work(&mut self) {
        loop {
            self.until_live().await;
            if !self.wait_for_work().await {
                continue;
            }
            match dial::dial(&self.shared, self.desk.node()).await {
                Ok(session) => {
                    self.backoff.alive();
                    self.desk.set_link(Link::Up);
                    tracing::info!(node = %self.desk.node(), "connected");
                    let began = Instant::now();
                    let ended = self.exchange(&session).await;
                    self.desk.set_link(Link::Idle);
                    tracing::info!(node = %self.desk.node(), reason = %ended, "connection ended");
                    if began.elapsed() < SHORT {
                        self.pause((&ended).into()).await;
                    }
                }
                Err(error) => {
                    self.shared.metrics.delivery(false);
                    tracing::warn!(node = %self.desk.node(), error = %error, failures = self.backoff.failures(), "cannot connect");
                    self.pause((&error).into()).await;
                }
            }
        }
    }

    /// Waits while the destination may not act, or our people do not exchange with it. What was
    /// meant for a revoked one is given up, and its senders are told; a suspended one may come
    /// back. Spec: DIS-9, DIS-12.
    async fn until_live(&mut self) {
        let node = Peer::Node(self.desk.node().to_owned());
        let mut suspensions = self.shared.suspensions.changes();
        loop {
            let roster = self.changes.borrow_and_update().clone();
            let suspended = suspensions.borrow_and_update().holds(&node, &roster);
            if roster.is_live(&node) && !suspended {
                return;
            }
            let code = match (suspended, roster.is_revoked(self.desk.node())) {
                (_, true) => WireCode::Revoked,
                (true, _) => WireCode::PeerSuspended,
                _ => WireCode::NotTrusted,
            };
            self.desk.set_link(Link::Barred(code));
            if code == WireCode::Revoked {
                self.give_everything_up(code).await;
            }
            tokio::select! {
                biased;
                _ = self.changes.changed() => {}
                _ = suspensions.changed() => {}
                _ = self.bell.changed() => {}
                () = tokio::time::sleep(NOT_LIVE_PAUSE) => {}
            }
        }
    }

    /// Waits until something is in the outbox; a neighbour is connected to even so. Says whether
    /// there is a reason to connect: there is none yet if the roster changed meanwhile.
    async fn wait_for_work(&mut self) -> bool {
        loop {
            self.bell.mark_unchanged();
            match self.most_urgent() {
                Ok(Some(_)) => return true,
                Ok(None) => {}
                Err(error) => self.index_failed(&error).await,
            }
            let roster = self.changes.borrow_and_update().clone();
            if roster
                .neighbours(&self.shared.id)
                .contains(&self.desk.node())
            {
                return true;
            }
            self.desk.set_link(Link::Idle);
            tokio::select! {
                biased;
                _ = self.changes.changed() => return false,
                _ = self.bell.changed() => {}
            }
        }
    }

    /// The most urgent lane in which something waits.
    fn most_urgent(&self) -> Result<Option<usize>, LedgerError> {
        for (lane, slot) in (0_u8..).zip(0..LANES.len()) {
            let some = self.shared.ledger.outbox(self.desk.node(), lane, None, 1)?;
            if !some.is_empty() {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// Waits as long as the most urgent of what waits must, also if that comes only now, or until the
    /// destination itself is heard of. Spec: DEL-1, DEL-39, DEL-48.
    async fn pause(&mut self, code: WireCode) {
        let began = Instant::now();
        let mut rng = self.shared.environment.random.rng();
        let before = self.backoff;
        let until = LANES.map(|lane| {
            self.backoff = before;
            began + Duration::from_millis(self.backoff.failed(lane, &mut rng))
        });
        let attempts = self.backoff.failures();
        self.desk.set_link(Link::Down {
            code,
            attempts,
            until,
        });
        self.heard.mark_unchanged();
        loop {
            self.bell.mark_unchanged();
            let slot = match self.most_urgent() {
                Ok(slot) => slot.unwrap_or(NORMAL_SLOT),
                Err(error) => return self.index_failed(&error).await,
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(until[slot]) => return,
                _ = self.changes.changed() => return,
                _ = self.heard.changed() => return,
                _ = self.bell.changed() => tokio::time::sleep(RING_PAUSE).await,
            }
        }
    }

    /// Gives up whatever waits.
    async fn give_everything_up(&self, code: WireCode) {
        let node = self.desk.node();
        for lane in (0_u8..).take(LANES.len()) {
            let mut after: Option<Bytes> = None;
            loop {
                let ledger = &self.shared.ledger;
                let some = ledger.outbox(node, lane, after.as_deref(), request::ITEMS_MAX);
                let items = match some {
                    Ok(items) => items,
                    Err(error) => break self.index_failed(&error).await,
                };
                let Some(last) = items.last() else { break };
                after = Some(last.key.clone());
                for item in &items {
                    request::give_up(&self.shared, &self.desk, item, code).await;
                }
            }
        }
    }

    /// Keeps requests in flight until the session ends.
    async fn exchange(&mut self, session: &Session) -> TransportError {
        let (shared, desk) = (self.shared.clone(), self.desk.clone());
        let (mut requests, mut bringing) = (JoinSet::new(), JoinSet::new());
        self.lacking.clear();
        let mut attempts = Arc::new(request::Verifier::new(&shared, desk.node()));
        let mut rng = shared.environment.random.rng();
        let mut news = pin!(shared.membership.follow(session, &mut rng));
        let mut following = true;
        let mut suspensions = shared.suspensions.changes();
        self.changes.mark_unchanged();
        loop {
            suspensions.mark_unchanged();
            if let Err(code) = shared.check(session) {
                session.close(code);
                return TransportError::Closed(code);
            }
            self.bell.mark_unchanged();
            self.begin(session, &attempts, &mut requests).await;
            self.bring_next(&mut bringing, session);
            let later = Instant::now() + LOOK_AGAIN;
            let wake = desk.next_wake().map_or(later, |wake| wake.min(later));
            tokio::select! {
                biased;
                reason = session.closed() => return reason,
                _ = self.changes.changed() => {
                    attempts = Arc::new(request::Verifier::new(&shared, desk.node()));
                    desk.let_go();
                }
                _ = suspensions.changed() => desk.let_go(),
                told = &mut news, if following => {
                    following = false;
                    if let Err(error) = told {
                        tracing::debug!(node = %desk.node(), %error, "no more news of the roster");
                    }
                }
                Some(done) = requests.join_next() => match done {
                    Ok(report) => self.settle(report),
                    // What it had under way is told by the session's end only.
                    Err(error) => {
                        tracing::error!(%error, "an attempt broke off");
                        session.close(WireCode::ShuttingDown);
                    }
                },
                Some(Ok(brought)) = bringing.join_next() => self.brought(brought),
                changed = self.bell.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Brings the attachments of one item at a time: their chunks take turns with large envelopes,
    /// and must leave turns to them. Spec: TRN-8, ATT-18.
    fn bring_next(&mut self, bringing: &mut JoinSet<Brought>, session: &Session) {
        if !bringing.is_empty() {
            return;
        }
        if let Some(key) = self.lacking.pop_front() {
            let (shared, session) = (self.shared.clone(), session.clone());
            bringing.spawn(async move {
                let brought = attachments::bring(&shared, &session, &key).await;
                (key, brought)
            });
        }
    }

    fn brought(&self, (key, brought): Brought) {
        if let Ok(chunks) = brought {
            tracing::info!(node = %self.desk.node(), chunks, "attachments brought");
        }
        let mut rng = self.shared.environment.random.rng();
        self.desk.brought(key, brought, &mut rng);
    }

    /// Sends what may go.
    async fn begin(
        &self,
        session: &Session,
        attempts: &Arc<request::Verifier>,
        requests: &mut JoinSet<Report>,
    ) {
        let items_max = self
            .shared
            .config
            .delivery_batch_max
            .min(request::ITEMS_MAX);
        loop {
            let batch = match self.desk.next_batch(&self.shared.ledger, items_max) {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => break self.index_failed(&error).await,
            };
            let (shared, session) = (self.shared.clone(), session.clone());
            let (desk, attempts) = (self.desk.clone(), attempts.clone());
            requests.spawn(async move {
                request::deliver(&shared, &session, &desk, &attempts, batch).await
            });
        }
        self.measure();
    }

    fn settle(&mut self, report: Report) {
        for tried in &report.tried {
            match &tried.attempt {
                Attempt::Answered | Attempt::Ended => self.shared.metrics.delivery(true),
                Attempt::Again { code, .. } => {
                    self.shared.metrics.delivery(false);
                    tracing::info!(node = %self.desk.node(), %code, "refused, will be tried again");
                }
                Attempt::Unreadable => self.shared.metrics.delivery(false),
                Attempt::Attachments => self.lacking.push_back(tried.key.clone()),
                Attempt::Withheld(_) => {}
            }
        }
        let mut rng = self.shared.environment.random.rng();
        let suspended = self.shared.suspensions.current();
        self.desk.settle(report, &suspended, &mut rng);
    }

    fn measure(&self) {
        let (resting, requests) = self.desk.load();
        let metrics = &self.shared.metrics;
        metrics.destination(self.desk.node(), resting, requests);
    }

    async fn index_failed(&self, error: &LedgerError) {
        tracing::error!(error = ?error, "the outbox cannot be read");
        tokio::time::sleep(INDEX_PAUSE).await;
    }
}
