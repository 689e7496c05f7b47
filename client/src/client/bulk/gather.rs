//! Gathers what waits into batches, seals and keeps them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    limits,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    super::{Client, Sealer},
    BulkError, BulkEvent, BulkFate, BulkSettings, Item, Sealing,
    carry::{self, Carrier},
};
use crate::sent::{Found, Kept, KeptBatch, Named, SentStore};

/// Content of one batch; a request holds more, with all that sealing adds.
const BATCH_CONTENT_BYTES_MAX: usize = limits::REQUEST_BODY_BYTES_MAX / 4;

pub(super) struct Gatherer {
    carrier: Carrier,
    settings: BulkSettings,
    items: mpsc::Receiver<Item>,
    /// Taken up, and not fit for the batch before.
    next: Option<Item>,
}

/// A report that is about to be sealed.
struct Ready {
    reference: String,
    named: Named,
    draft: Draft,
}

/// What is to be done with a report.
enum Judged {
    Ready(Ready),
    /// It is on its way already.
    UnderWay,
    Told(String, BulkFate),
}

/// What came of sealing.
struct Sealed {
    batch: Option<KeptBatch>,
    failed: Vec<(String, BulkError)>,
}

impl Gatherer {
    pub(super) fn new(
        client: &Client,
        store: SentStore,
        settings: BulkSettings,
        items: mpsc::Receiver<Item>,
        events: mpsc::Sender<BulkEvent>,
    ) -> Self {
        Self {
            carrier: Carrier {
                client: client.clone(),
                store: Arc::new(Mutex::new(store)),
                events,
                wait: settings.wait,
            },
            settings,
            items,
            next: None,
        }
    }

    /// Works until no report can come any more and every batch has ended.
    pub(super) async fn run(mut self, left: Vec<KeptBatch>) {
        let window = Arc::new(Semaphore::new(self.settings.batches_max.max(1)));
        let mut left = left.into_iter();
        let mut under_way = JoinSet::new();
        loop {
            // While all turns are taken the next batch fills.
            let Ok(turn) = window.clone().acquire_owned().await else {
                break;
            };
            while under_way.try_join_next().is_some() {}
            let batch = match left.next() {
                Some(batch) => batch,
                None => {
                    let items = self.gather().await;
                    if items.is_empty() {
                        break;
                    }
                    match self.seal(items).await {
                        Some(batch) => batch,
                        None => continue,
                    }
                }
            };
            under_way.spawn(carry::carry(self.carrier.clone(), batch, turn));
        }
        while under_way.join_next().await.is_some() {}
    }

    /// What waits, of one lane; nothing when no more can come.
    async fn gather(&mut self) -> Vec<Item> {
        let first = match self.next.take() {
            Some(item) => item,
            None => match self.items.recv().await {
                Some(item) => item,
                None => return Vec::new(),
            },
        };
        let lane = first.draft.parts().lane;
        let mut bytes = first.draft.parts().content.len();
        let mut items = vec![first];
        while items.len() < limits::BATCH_ENVELOPES_MAX {
            let Ok(item) = self.items.try_recv() else {
                break;
            };
            let parts = item.draft.parts();
            bytes += parts.content.len();
            if parts.lane != lane || bytes > BATCH_CONTENT_BYTES_MAX {
                self.next = Some(item);
                break;
            }
            items.push(item);
        }
        items
    }

    /// Seals and keeps those that are new; nothing if none is.
    async fn seal(&self, items: Vec<Item>) -> Option<KeptBatch> {
        let (mut ready, mut names, mut twice) = (Vec::new(), BTreeSet::new(), Vec::new());
        for item in items {
            match self.judge(item) {
                Judged::Ready(one) if names.insert(one.reference.clone()) => ready.push(one),
                // Given twice within one batch: what is known of it is known once it is kept.
                Judged::Ready(one) => twice.push(one),
                Judged::UnderWay => {}
                Judged::Told(reference, fate) => self.carrier.tell(reference, fate).await?,
            }
        }
        if ready.is_empty() {
            return None;
        }
        let (sealer, store) = (self.carrier.client.sealer(), self.carrier.store.clone());
        let work = move || seal(&sealer, &store, ready);
        let Sealed { batch, failed } = match self.settings.sealing {
            Sealing::Inline => work(),
            Sealing::Thread => tokio::task::spawn_blocking(work).await.ok()?,
        };
        for (reference, why) in failed {
            let fate = BulkFate::NotSent(why);
            self.carrier.tell(reference, fate).await?;
        }
        for one in twice {
            let found = lock(&self.carrier.store).find(&one.named);
            if let Err(error) = found {
                let fate = BulkFate::NotSent(error.into());
                self.carrier.tell(one.reference, fate).await?;
            }
        }
        batch
    }

    /// Looks a report up.
    fn judge(&self, item: Item) -> Judged {
        let Item { reference, draft } = item;
        let parts = draft.parts();
        let named = Named::new(&reference, parts.content_type, parts.content, parts.to);
        let found = named.and_then(|named| {
            let found = lock(&self.carrier.store).find(&named)?;
            Ok((named, found))
        });
        let named = match found {
            Ok((named, Found::Nothing)) => named,
            Ok((_, Found::Sealed(_))) => return Judged::UnderWay,
            Ok((_, Found::Submitted(sent))) => {
                return Judged::Told(reference, BulkFate::Before(sent));
            }
            Err(error) => return Judged::Told(reference, BulkFate::NotSent(error.into())),
        };
        match draft.build(&self.carrier.client.roster().current()) {
            Ok(draft) => Judged::Ready(Ready {
                reference,
                named,
                draft,
            }),
            Err(error) => Judged::Told(reference, BulkFate::NotSent(error.into())),
        }
    }
}

/// Seals together; if that fails, each alone, so that one that breaks a rule holds up no other.
fn seal(sealer: &Sealer, store: &Mutex<SentStore>, ready: Vec<Ready>) -> Sealed {
    let drafts: Vec<Draft> = ready.iter().map(|one| one.draft.clone()).collect();
    let (mut kept, mut failed) = (Vec::with_capacity(ready.len()), Vec::new());
    match sealer.seal_batch(&drafts) {
        Ok(envelopes) => kept.extend(ready.into_iter().zip(envelopes).map(keep)),
        Err(_) => {
            for one in ready {
                match sealer.seal(&one.draft) {
                    Ok(envelope) => kept.push(keep((one, envelope))),
                    Err(error) => failed.push((one.reference, error.into())),
                }
            }
        }
    }
    if kept.is_empty() {
        let batch = None;
        return Sealed { batch, failed };
    }
    let references: Vec<String> = kept.iter().map(|one| one.reference.clone()).collect();
    match lock(store).keep(kept) {
        Ok(batch) => Sealed {
            batch: Some(batch),
            failed,
        },
        Err(error) => {
            let error = Arc::new(error);
            let why = |reference| (reference, BulkError::Sent(error.clone()));
            failed.extend(references.into_iter().map(why));
            let batch = None;
            Sealed { batch, failed }
        }
    }
}

fn keep((one, envelope): (Ready, SignedEnvelope)) -> Kept {
    Kept {
        reference: one.reference,
        named: one.named,
        message: one.draft.message_id,
        kind: one.draft.kind,
        lane: one.draft.lane,
        created_ms: one.draft.created_ms,
        expires_ms: one.draft.expires_ms,
        envelope,
    }
}

pub(super) fn lock(store: &Mutex<SentStore>) -> MutexGuard<'_, SentStore> {
    // Every change of the store is whole before anything can panic.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
