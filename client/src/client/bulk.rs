//! Many reports: batches form by themselves, and what was begun is finished, once.
//!
//! What waits is sealed together, up to 64 under one signature and with one public-key operation
//! per recipient; a lone report does not wait for others. Each is kept under its reference before
//! it leaves ([`SentStore`]), so a program that was stopped gives everything again and nothing goes
//! out twice. Spec: MBR-13 to MBR-16.

use std::{sync::Arc, time::Duration};

use frex_proto::{
    envelope::SealError,
    error::WireCode,
    id::{EnvelopeId, MessageId},
};
use tokio::{sync::mpsc, task::AbortHandle};

use super::{Client, DraftBuilder, DraftError, News};
use crate::sent::{SentBefore, SentError, SentStore};

mod carry;
mod gather;

/// Reports that wait to be sealed before the caller waits too.
const WAITING_MAX: usize = 256;

/// How many reports are sent.
#[derive(Debug, Clone, Copy)]
pub struct BulkSettings {
    /// Batches between sealing and the last word about them.
    pub batches_max: usize,
    /// How long each batch listens to the recipients' nodes; with no wait at all, to the home node
    /// alone.
    pub wait: Duration,
    /// Where sealing runs.
    pub sealing: Sealing,
}

/// Where sealing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// On a thread of its own, beside the network.
    Thread,
    /// Where the rest runs, as a simulation needs it.
    Inline,
}

impl Default for BulkSettings {
    fn default() -> Self {
        Self {
            batches_max: 8,
            wait: Duration::ZERO,
            sealing: Sealing::Thread,
        }
    }
}

/// Takes reports. Clones go to other tasks; when the last one is dropped, what was taken is
/// finished.
#[derive(Debug, Clone)]
pub struct BulkSender(mpsc::Sender<Item>);

/// What becomes of the reports. Dropping it stops the work; what was kept and not submitted is
/// submitted the next time that somebody sends from the folder.
#[derive(Debug)]
pub struct BulkNews {
    events: mpsc::Receiver<BulkEvent>,
    work: AbortHandle,
}

/// News of one report.
#[derive(Debug)]
pub struct BulkEvent {
    /// The caller's name for it.
    pub reference: String,
    /// What happened.
    pub fate: BulkFate,
}

/// What becomes of a report.
#[derive(Debug)]
pub enum BulkFate {
    /// It was submitted at an earlier time: nothing was sent.
    Before(SentBefore),
    /// It is not sent; nothing is kept of it.
    NotSent(BulkError),
    /// The home node does not take it yet; it is tried again by itself until it expires.
    Waiting(WireCode),
    /// What became of its envelope.
    News {
        /// Its message.
        message: MessageId,
        /// Its envelope.
        envelope: EnvelopeId,
        /// What happened.
        news: News,
    },
    /// No more news of its envelope will come, and what was said of it is kept.
    Ended,
}

/// Why one report is not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError {
    /// Its reference, or the folder in which it is kept.
    #[error(transparent)]
    Sent(Arc<SentError>),
    /// A recipient cannot be sent to.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// It breaks a rule.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl From<&BulkError> for WireCode {
    fn from(error: &BulkError) -> Self {
        match error {
            BulkError::Sent(error) => (&**error).into(),
            BulkError::Draft(error) => error.into(),
            BulkError::Seal(error) => (*error).into(),
        }
    }
}

impl From<SentError> for BulkError {
    fn from(error: SentError) -> Self {
        Self::Sent(Arc::new(error))
    }
}

/// The work has ended: whoever would hear of it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody listens to what becomes of these reports any more")]
pub struct BulkEnded;

/// A report as it was handed over.
#[derive(Debug)]
struct Item {
    reference: String,
    draft: DraftBuilder,
}

impl Client {
    /// Sends many reports. What an earlier program has left unfinished in `store` goes first.
    ///
    /// ```no_run
    /// # async fn example(client: frex_client::client::Client, store: frex_client::sent::SentStore)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use frex_client::client::{BulkFate, BulkSettings, News};
    ///
    /// let (sender, mut news) = client.bulk(store, BulkSettings::default())?;
    /// let reports = client.clone();
    /// tokio::spawn(async move {
    ///     for number in 0..1000 {
    ///         let json = format!(r#"{{"reference":"A-{number}"}}"#);
    ///         let draft = reports.draft(&["police.es"]).report(json);
    ///         sender.send(&format!("A-{number}"), draft).await.ok();
    ///     }
    /// });
    /// while let Some(event) = news.next().await {
    ///     match event.fate {
    ///         BulkFate::News { news: News::Submitted(_), .. } => println!("{} is on its way", event.reference),
    ///         BulkFate::NotSent(why) => println!("{}: {why}", event.reference),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SentError`]: what was left unfinished cannot be read.
    pub fn bulk(
        &self,
        store: SentStore,
        settings: BulkSettings,
    ) -> Result<(BulkSender, BulkNews), SentError> {
        let left = store.pending()?;
        let (items_in, items) = mpsc::channel(WAITING_MAX);
        let (events_in, events) = mpsc::channel(WAITING_MAX);
        let gatherer = gather::Gatherer::new(self, store, settings, items, events_in);
        let work = tokio::spawn(gatherer.run(left)).abort_handle();
        Ok((BulkSender(items_in), BulkNews { events, work }))
    }
}

impl BulkSender {
    /// Hands a report over, waiting while many wait.
    ///
    /// # Errors
    /// [`BulkEnded`].
    pub async fn send(&self, reference: &str, draft: DraftBuilder) -> Result<(), BulkEnded> {
        let reference = reference.to_owned();
        let item = Item { reference, draft };
        self.0.send(item).await.map_err(|_| BulkEnded)
    }
}

impl BulkNews {
    /// The next news, or nothing when every report is settled and no further one can come.
    pub async fn next(&mut self) -> Option<BulkEvent> {
        self.events.recv().await
    }
}

impl Drop for BulkNews {
    fn drop(&mut self) {
        self.work.abort();
    }
}
