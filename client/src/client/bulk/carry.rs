//! Carries one batch to the home node, again and again until each of it is settled.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use frex_proto::{
    delivery::Backoff,
    error::{Retry, WireCode},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};

use super::{
    super::{Client, ConnectError, News, SubmitError},
    BulkEvent, BulkFate,
    gather::lock,
};
use crate::sent::{KeptBatch, SentStore};

/// What carries batches.
#[derive(Clone)]
pub(super) struct Carrier {
    pub(super) client: Client,
    pub(super) store: Arc<Mutex<SentStore>>,
    pub(super) events: mpsc::Sender<BulkEvent>,
    pub(super) wait: Duration,
}

/// How far a batch has come.
struct Progress {
    /// Places of those that the home node has said nothing final about.
    open: BTreeSet<usize>,
    /// Places of those that it has recorded.
    recorded: BTreeSet<usize>,
    /// When the home node lets the first of those come again that it put off.
    due: Option<Instant>,
}

/// Ends when each envelope was submitted, refused for good, or has expired; or when nobody listens
/// any more, and the batch stays for the next time.
pub(super) async fn carry(carrier: Carrier, batch: KeptBatch, turn: OwnedSemaphorePermit) {
    let mut progress = Progress {
        open: (0..batch.items.len()).collect(),
        recorded: BTreeSet::new(),
        due: None,
    };
    let mut backoff = Backoff::default();
    while !progress.open.is_empty() {
        let failures = progress.open.len();
        if carrier.submit(&batch, &mut progress).await.is_none() {
            return;
        }
        if carrier.expire(&batch, &mut progress).await.is_none() {
            return;
        }
        if progress.open.len() < failures {
            backoff.alive();
        }
        if !progress.open.is_empty() {
            let again = Instant::now() + carrier.client.0.link.pause(&mut backoff);
            let due = progress.due.take();
            tokio::time::sleep_until(due.map_or(again, |due| due.max(again))).await;
        }
    }
    let settled = lock(&carrier.store).settle(&batch, |place| progress.recorded.contains(&place));
    if let Err(error) = settled {
        // The batch is submitted once more the next time, without effect.
        tracing::warn!("what was submitted cannot be noted: {error}");
    }
    drop(turn);
    for kept in batch.items {
        if carrier
            .tell(kept.reference, BulkFate::Ended)
            .await
            .is_none()
        {
            return;
        }
    }
}

impl Carrier {
    /// Tells the caller; nothing if nobody listens.
    pub(super) async fn tell(&self, reference: String, fate: BulkFate) -> Option<()> {
        self.events.send(BulkEvent { reference, fate }).await.ok()
    }

    /// Submits what is open, once, and hears it out.
    async fn submit(&self, batch: &KeptBatch, progress: &mut Progress) -> Option<()> {
        let places: Vec<usize> = progress.open.iter().copied().collect();
        let envelopes = places
            .iter()
            .map(|place| batch.items[*place].envelope.clone());
        let mut submission = match self.client.submit(envelopes.collect(), self.wait).await {
            Ok(submission) => submission,
            Err(error) => {
                let code = WireCode::from(&error);
                for place in places {
                    if !may_return(&error) {
                        progress.open.remove(&place);
                    }
                    let news = News::Unanswered { code };
                    self.hear(batch, place, news, progress).await?;
                }
                return Some(());
            }
        };
        while let Some(event) = submission.next().await {
            let place = places[event.envelope];
            self.hear(batch, place, event.news, progress).await?;
        }
        Some(())
    }

    /// Takes note of news and passes it on.
    async fn hear(
        &self,
        batch: &KeptBatch,
        place: usize,
        news: News,
        progress: &mut Progress,
    ) -> Option<()> {
        let kept = &batch.items[place];
        let waits = match &news {
            News::Submitted(_) | News::Rejected { .. } => {
                // A refusal on the record by another node comes after SUBMITTED.
                progress.open.remove(&place);
                progress.recorded.insert(place);
                None
            }
            News::Delayed { retry_after, .. } => {
                let due = Instant::now() + *retry_after;
                progress.due = Some(progress.due.map_or(due, |other| other.min(due)));
                None
            }
            News::Refused { code } if code.info().retry == Retry::Later => Some(*code),
            News::Refused { .. } => {
                progress.open.remove(&place);
                None
            }
            News::Unanswered { code } if progress.open.contains(&place) => Some(*code),
            _ => None,
        };
        let fate = match waits {
            Some(code) => BulkFate::Waiting(code),
            None => BulkFate::News {
                message: kept.message,
                envelope: kept.envelope.id,
                news,
            },
        };
        self.tell(kept.reference.clone(), fate).await
    }

    /// Gives up what has expired.
    async fn expire(&self, batch: &KeptBatch, progress: &mut Progress) -> Option<()> {
        let now_ms = self.client.0.environment.clock.now_ms();
        let over: Vec<usize> = progress.open.iter().copied().collect();
        for place in over {
            if batch.items[place].expires_ms <= now_ms {
                progress.open.remove(&place);
                let code = WireCode::Expired;
                let news = News::Refused { code };
                self.hear(batch, place, news, progress).await?;
            }
        }
        Some(())
    }
}

/// Whether the same envelopes may be taken at another time.
fn may_return(error: &SubmitError) -> bool {
    match error {
        SubmitError::Count | SubmitError::TooLarge => false,
        SubmitError::Connect(ConnectError::Transport(error)) => {
            WireCode::from(error).info().retry != Retry::Never
        }
        SubmitError::Connect(_) => true,
    }
}
