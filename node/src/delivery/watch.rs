//! Watches what waits for one destination: ends what has expired, and counts what is past half of
//! its life.
//!
//! The worker meets an item when its turn comes, which may be never while the destination is
//! away. So what waits is looked through here, but only when there is a reason: each item is read
//! once when it begins to wait, and the whole outbox again when the first of them comes to half
//! or to the end of its life. Spec: DEL-43, DEL-44.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::error::WireCode;
use tokio::{sync::watch, task::yield_now, time::Instant};

use super::{Attempt, desk::Desk, request};
use crate::{
    ledger::{
        LedgerError,
        records::{LANES, OutboxItem},
    },
    shared::Shared,
};

/// How often what began to wait is read.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// How often the whole outbox is looked through while something is past half of its life.
const LATE_PAUSE: Duration = Duration::from_secs(30);
/// What an item adds to the pause before the whole outbox is looked through again.
const PAUSE_PER_ITEM: Duration = Duration::from_micros(100);
/// Items read together.
const PAGE_ITEMS: usize = 256;

/// Watches until the node stops.
pub async fn run(shared: Arc<Shared>, desk: Arc<Desk>) {
    let bell = shared.bells.outbox(desk.node());
    let stopping = shared.clone();
    let mut watch = Watch {
        shared,
        desk,
        seen: Default::default(),
        late: Default::default(),
        next_ms: u64::MAX,
        looked_at: 0,
        again: Instant::now(),
    };
    tokio::select! {
        biased;
        () = stopping.stopped() => {}
        () = watch.watch(bell) => {}
    }
}

struct Watch {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    /// Per lane, the last key that was looked at.
    seen: [Option<Bytes>; LANES.len()],
    /// Per lane, what was past half of its life when it was looked at.
    late: [usize; LANES.len()],
    /// When something that was looked at comes to half or to the end of its life.
    next_ms: u64,
    /// Items looked at since the last look at everything began.
    looked_at: u32,
    /// When everything may be looked at again.
    again: Instant,
}

impl Watch {
    async fn watch(&mut self, mut bell: watch::Receiver<()>) {
        loop {
            bell.mark_unchanged();
            match self.look().await {
                // What is delivered at once is never looked at.
                Ok(false) => {
                    if bell.changed().await.is_err() {
                        return;
                    }
                }
                Ok(true) => {}
                Err(error) => tracing::error!(?error, "the outbox cannot be looked through"),
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Looks at what is new, or at everything if there is a reason; says whether anything waits.
    async fn look(&mut self) -> Result<bool, LedgerError> {
        let everything = self.must_look_at_everything();
        if everything {
            self.forget();
        }
        for slot in 0..LANES.len() {
            while let Some(page) = self.page(slot)? {
                for item in page {
                    self.look_at(slot, &item).await;
                }
                yield_now().await;
            }
        }
        if everything {
            self.again = Instant::now() + PAUSE_PER_ITEM * self.looked_at;
        }
        let waits = self.seen.iter().any(Option::is_some) && self.anything_waits()?;
        if !waits {
            self.forget();
        }
        self.tell();
        Ok(waits)
    }

    fn must_look_at_everything(&self) -> bool {
        let now = Instant::now();
        let late = self.late.iter().any(|count| *count > 0);
        let over = self.shared.now_ms() >= self.next_ms;
        self.desk.take_requeued()
            || (over && now >= self.again)
            || (late && now >= self.again + LATE_PAUSE)
    }

    fn forget(&mut self) {
        self.seen = Default::default();
        self.late = Default::default();
        self.next_ms = u64::MAX;
        self.looked_at = 0;
    }

    /// The next items of a lane that were not looked at; none at its end.
    fn page(&mut self, slot: usize) -> Result<Option<Vec<OutboxItem>>, LedgerError> {
        let lane = u8::try_from(slot).unwrap_or(u8::MAX);
        let (node, after) = (self.desk.node(), self.seen[slot].as_deref());
        let page = self.shared.ledger.outbox(node, lane, after, PAGE_ITEMS)?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.seen[slot] = Some(last.key.clone());
        Ok(Some(page))
    }

    async fn look_at(&mut self, slot: usize, item: &OutboxItem) {
        self.looked_at = self.looked_at.saturating_add(1);
        let now_ms = self.shared.now_ms();
        let half_ms = item.half_life_ms();
        if now_ms < half_ms {
            self.next_ms = self.next_ms.min(half_ms);
        } else if now_ms < item.expires_ms {
            self.late[slot] += 1;
            self.next_ms = self.next_ms.min(item.expires_ms);
        } else if self.desk.is_in_flight(&item.key) {
            // The answer that is on its way may still be good.
            self.next_ms = now_ms;
        } else {
            let code = WireCode::Expired;
            let tried = request::give_up(&self.shared, &self.desk, item, code).await;
            if tried.attempt != Attempt::Ended {
                self.next_ms = now_ms;
            }
        }
    }

    fn anything_waits(&self) -> Result<bool, LedgerError> {
        for lane in (0_u8..).take(LANES.len()) {
            let some = self.shared.ledger.outbox(self.desk.node(), lane, None, 1)?;
            if !some.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn tell(&self) {
        self.desk.set_late(self.late);
        for (lane, count) in LANES.into_iter().zip(self.late) {
            self.shared.metrics.half_life(self.desk.node(), lane, count);
        }
    }
}
