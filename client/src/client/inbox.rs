//! The inbox: leased items come opened and verified, and go when they are confirmed.

use std::time::Duration;

use frex_proto::{
    delivery::Backoff,
    envelope::{
        self, Carried, EnvelopeError, OpenContexts, OpenError, Opened, Parsed, ParsedForward,
        Recall, RecallError,
    },
    error::{Retry, WireCode},
    id::{EnvelopeId, MessageId},
    keys::SigningError,
    limits,
    sign::BatchCache,
    v1,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Client, ConnectError, ProvenReceipt, Unproven, UnprovenError,
    pump::{self, Arrival, Command, End, Ends},
};
use crate::transport::{self, TransportError};

mod confirm;

/// Less than this is not worth another request.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Why the inbox cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InboxError {
    /// There is no session with the home node.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The home node refuses.
    #[error("the home node refuses: {0}")]
    Refused(WireCode),
    /// The home node broke the protocol.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A ping cannot be confirmed: nothing else could be either.
    #[error("a ping cannot be confirmed: {0}")]
    Ping(Box<ConfirmError>),
}

impl From<&InboxError> for WireCode {
    fn from(error: &InboxError) -> Self {
        match error {
            InboxError::Connect(error) => error.into(),
            InboxError::Refused(code) => *code,
            InboxError::Transport(error) => error.into(),
            InboxError::Ping(error) => (&**error).into(),
        }
    }
}

impl From<InboxError> for WireCode {
    fn from(error: InboxError) -> Self {
        Self::from(&error)
    }
}

/// Why an item is not shown as a message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// It has no envelope or no receipt.
    #[error("the item is not complete")]
    Incomplete,
    /// The node's receipt for it does not hold.
    #[error("its receipt does not hold: {}", .0.error)]
    Unproven(Box<Unproven>),
    /// The sender is not in the roster.
    #[error("its sender is not in the roster")]
    UnknownSender,
    /// It belongs to another federation.
    #[error("it belongs to another federation")]
    WrongFederation,
    /// Shape, signature or body.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is sealed to a key that is not held here: one that was destroyed, or of another copy of
    /// the member's keys.
    #[error("it is sealed to a key that is not held here; one that was destroyed opens nothing")]
    NoKey,
    /// It cannot be opened with the keys held here.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is a recall and does not say what one must.
    #[error(transparent)]
    Recall(#[from] RecallError),
}

impl From<&ItemError> for WireCode {
    fn from(error: &ItemError) -> Self {
        match error {
            ItemError::Incomplete => Self::Malformed,
            ItemError::Unproven(unproven) => unproven.error.into(),
            ItemError::UnknownSender => Self::NotTrusted,
            ItemError::WrongFederation => Self::WrongFederation,
            ItemError::Envelope(error) => (*error).into(),
            ItemError::NoKey | ItemError::Open(_) => Self::CannotOpen,
            ItemError::Recall(error) => (*error).into(),
        }
    }
}

impl From<ItemError> for WireCode {
    fn from(error: ItemError) -> Self {
        Self::from(&error)
    }
}

/// Why a statement about an item was not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// No stage, or an outcome where none belongs, or one that is no short code.
    #[error(
        "a statement needs a stage; an outcome is a code of 1 to 64 of a-z, 0-9, . _ - and goes with ACTED"
    )]
    Statement,
    /// The lease ended with the connection: the item comes again.
    #[error("the lease of the item has ended; it comes again")]
    LeaseEnded,
    /// The node refuses the statement.
    #[error("the home node refuses: {0}")]
    Refused(WireCode),
    /// The node's receipt does not hold.
    #[error("the receipt of the statement does not hold: {}", .0.error)]
    Unproven(Box<Unproven>),
    /// The node did not answer in time.
    #[error("the home node did not answer in time")]
    TimedOut,
    /// Our own identity key does not sign the statement.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl From<&ConfirmError> for WireCode {
    fn from(error: &ConfirmError) -> Self {
        match error {
            ConfirmError::Statement => Self::Malformed,
            ConfirmError::LeaseEnded => Self::Unreachable,
            ConfirmError::Refused(code) => *code,
            ConfirmError::Unproven(unproven) => unproven.error.into(),
            ConfirmError::TimedOut => Self::TimedOut,
            ConfirmError::Signing(error) => (*error).into(),
        }
    }
}

impl From<ConfirmError> for WireCode {
    fn from(error: ConfirmError) -> Self {
        Self::from(&error)
    }
}

/// What waits for the member. Items are leased to this inbox until they are confirmed, released,
/// or the inbox and all its items are dropped. Each comes at least once.
pub struct Inbox {
    client: Client,
    credit: u32,
    wait: Duration,
    idle_since: Instant,
    stream: Option<Ends>,
    backoff: Backoff,
    signatures: BatchCache,
    contexts: OpenContexts,
    ended: bool,
    held_elsewhere: u32,
}

/// A message of the inbox, verified and opened.
pub struct InboxItem {
    /// The header and the signed manifest as received: of a forward, those of its original.
    pub parsed: Parsed,
    /// Who passed it on, and to whom; none if it came from its author.
    pub forward: Option<Box<ParsedForward>>,
    /// The envelope as received: what is kept, to be passed on or shown as evidence.
    pub envelope: v1::Envelope,
    /// The content.
    pub opened: Opened,
    /// The home node's ACCEPTED receipt.
    pub receipt: ProvenReceipt,
    /// What it withdraws, if it is a recall: a message of this item's sender, and nobody else's. A
    /// cause in it is verified to be signed by whom it names.
    pub recall: Option<Recall>,
    hold: Hold,
}

/// An item that is no message to this member. It stays leased until it is set aside, released,
/// or the inbox ends, and takes one place of the credit meanwhile.
pub struct FailedItem {
    /// What is wrong with it.
    pub error: ItemError,
    /// The envelope as received: possible evidence.
    pub envelope: Box<v1::Envelope>,
    hold: Hold,
}

/// What came.
enum Judged {
    Item(Box<Result<InboxItem, FailedItem>>),
    /// Nothing for whoever reads.
    Ping(EnvelopeId, Hold),
}

/// A lease, and the stream on which it holds.
struct Hold {
    client: Client,
    lease: u64,
    commands: mpsc::UnboundedSender<Command>,
}

impl Client {
    /// Reads the inbox: up to `credit` (1 to 256) items are held at once, and reading ends when
    /// nothing has come for `wait`; with no wait at all, when nothing waits. Spec: MBR-5.
    ///
    /// # Errors
    /// [`InboxError::Connect`].
    pub async fn inbox(&self, credit: u32, wait: Duration) -> Result<Inbox, InboxError> {
        let mut inbox = Inbox {
            client: self.clone(),
            credit: credit.clamp(1, limits::INBOX_CREDIT_MAX),
            wait,
            idle_since: Instant::now(),
            stream: None,
            backoff: Backoff::default(),
            signatures: BatchCache::new(),
            contexts: OpenContexts::new(),
            ended: false,
            held_elsewhere: 0,
        };
        match inbox.open().await {
            Ok(()) => Ok(inbox),
            Err(InboxError::Transport(error)) if returns(&error) => Ok(inbox),
            Err(error) => Err(error),
        }
    }
}

impl Inbox {
    /// The next item, or nothing when nothing has come for as long as this inbox waits. A lost
    /// session is made again; items that were held then come again. Pings are confirmed here and
    /// not handed out. Spec: MBR-5, RCL-3.
    ///
    /// # Errors
    /// The outer error ends the inbox. The inner one is an item that is no message.
    pub async fn next(&mut self) -> Option<Result<Result<InboxItem, FailedItem>, InboxError>> {
        loop {
            if self.ended {
                return None;
            }
            let Some(stream) = &mut self.stream else {
                if let Err(error) = self.reopen().await {
                    self.ended = true;
                    return Some(Err(error));
                }
                continue;
            };
            match stream.arrivals.recv().await {
                Some(Arrival::Item(item)) => {
                    let commands = stream.commands.clone();
                    self.backoff.alive();
                    match self.judge(*item, commands) {
                        Judged::Item(item) => {
                            self.idle_since = Instant::now();
                            return Some(Ok(*item));
                        }
                        Judged::Ping(id, hold) => {
                            if let Err(error) = self.confirm_ping(id, hold).await {
                                self.ended = true;
                                return Some(Err(error));
                            }
                        }
                    }
                }
                Some(Arrival::End(Ok(held))) => {
                    self.held_elsewhere = held;
                    self.stream = None;
                    self.ended = self.left() < WAIT_MIN;
                }
                Some(Arrival::End(Err(End::Refused(code))))
                    if code.info().retry != Retry::Later =>
                {
                    self.ended = true;
                    return Some(Err(InboxError::Refused(code)));
                }
                Some(Arrival::End(Err(End::Lost(error)))) if !returns(&error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
                Some(Arrival::End(Err(_))) | None => {
                    self.stream = None;
                    self.pause().await;
                }
            }
        }
    }

    /// How many items other programs held when this inbox came to its end, up to 256: they come
    /// again if those programs were stopped. Spec: DEL-47.
    #[must_use]
    pub fn held_elsewhere(&self) -> u32 {
        self.held_elsewhere
    }

    async fn reopen(&mut self) -> Result<(), InboxError> {
        match self.open().await {
            Err(InboxError::Transport(error)) if returns(&error) => {
                self.pause().await;
                Ok(())
            }
            other => other,
        }
    }

    async fn open(&mut self) -> Result<(), InboxError> {
        let parts = &self.client.0;
        let session = parts.link.session(parts.patience).await?;
        let wait_ms = u32::try_from(self.left().as_millis()).unwrap_or(u32::MAX);
        let inbox = v1::Inbox {
            credit: self.credit,
            wait_ms: wait_ms.min(limits::WAIT_MS_MAX),
        };
        let request = v1::Request {
            request: Some(v1::request::Request::Inbox(inbox)),
        };
        let priority = transport::priority(v1::Lane::Control);
        let mut stream = session.request(&request, priority).await?;
        stream.writer.flush().await?;
        self.stream = Some(pump::start(stream));
        Ok(())
    }

    fn left(&self) -> Duration {
        self.wait.saturating_sub(self.idle_since.elapsed())
    }

    async fn pause(&mut self) {
        let pause = self.client.0.link.pause(&mut self.backoff);
        tokio::time::sleep(pause).await;
    }

    /// Says that a ping has come all the way. Pings alone keep nobody waiting: after its time, an
    /// inbox that was to wait only looks for what else is there.
    async fn confirm_ping(&mut self, id: EnvelopeId, hold: Hold) -> Result<(), InboxError> {
        match hold.confirm(id, v1::Stage::Delivered, "").await {
            Ok(_) | Err(ConfirmError::LeaseEnded | ConfirmError::TimedOut) => {}
            // Gone by itself: nobody's ping may end somebody else's reading.
            Err(ConfirmError::Refused(WireCode::Recalled | WireCode::NotFound)) => {}
            Err(ConfirmError::Refused(code)) if code.info().retry == Retry::Later => {
                self.pause().await;
            }
            Err(error) => return Err(InboxError::Ping(Box::new(error))),
        }
        if !self.wait.is_zero() && self.left() < WAIT_MIN {
            self.wait = Duration::ZERO;
            self.stream = None;
        }
        Ok(())
    }

    fn judge(&mut self, item: v1::Item, commands: mpsc::UnboundedSender<Command>) -> Judged {
        let hold = Hold {
            client: self.client.clone(),
            lease: item.lease,
            commands,
        };
        let wire = item.envelope.unwrap_or_default();
        let judged = match self.verify(&wire, item.receipt) {
            Ok((carried, _)) if carried.original().core.kind == v1::Kind::Ping => {
                return Judged::Ping(carried.id(), hold);
            }
            Ok((carried, receipt)) => self
                .open_item(&carried, &wire)
                .map(|told| (carried, receipt, told)),
            Err(error) => Err(error),
        };
        Judged::Item(Box::new(match judged {
            Ok((carried, receipt, (opened, recall))) => {
                let (parsed, forward) = match carried {
                    Carried::Own(parsed) => (*parsed, None),
                    Carried::Forward(forward) => (forward.original.clone(), Some(forward)),
                };
                Ok(InboxItem {
                    parsed,
                    forward,
                    envelope: wire,
                    opened,
                    receipt,
                    recall,
                    hold,
                })
            }
            Err(error) => Err(FailedItem {
                error,
                envelope: Box::new(wire),
                hold,
            }),
        }))
    }

    /// The receipt first: it fixes when the sender's keys must have been good. Spec: MBR-6.
    fn verify(
        &mut self,
        wire: &v1::Envelope,
        receipt: Option<v1::Receipt>,
    ) -> Result<(Carried, ProvenReceipt), ItemError> {
        let parts = &self.client.0;
        let receipt = receipt.ok_or(ItemError::Incomplete)?;
        let carried = envelope::parse_carried(wire)?;
        let receipt = parts
            .verifier
            .prove(receipt, Some(carried.id()))
            .and_then(|proven| accepted_for(proven, &parts.member))
            .map_err(|unproven| ItemError::Unproven(Box::new(unproven)))?;
        let roster = parts.roster.current();
        let core = &carried.original().core;
        if core.federation != roster.federation() {
            return Err(ItemError::WrongFederation);
        }
        let keys = |member: &str, at_ms| {
            let member = roster.member(member).ok_or(ItemError::UnknownSender)?;
            Ok::<_, ItemError>(member.identity_keys_at(at_ms))
        };
        let sender = keys(carried.sender(), receipt.verified.time_ms)?;
        let author = keys(&core.sender, core.created_ms)?;
        carried.verify(&sender, &author, &mut self.signatures)?;
        envelope::check_body(carried.original(), &wire.body)?;
        Ok((carried, receipt))
    }

    /// Opens what is verified, and reads it if it is a recall.
    fn open_item(
        &mut self,
        carried: &Carried,
        wire: &v1::Envelope,
    ) -> Result<(Opened, Option<Recall>), ItemError> {
        let parts = &self.client.0;
        let contexts = &mut self.contexts;
        let opened = self.client.unseal(carried, &wire.body, contexts)?;
        let core = &carried.original().core;
        let recall = core.kind == v1::Kind::Recall;
        let recall = recall.then(|| envelope::read_recall(core, &opened));
        let recall = recall.transpose()?;
        if let Some(cause) = recall.as_ref().and_then(|recall| recall.cause.as_ref()) {
            let roster = parts.roster.current();
            let author = roster.member(&cause.core.sender);
            let author = author.ok_or(ItemError::UnknownSender)?;
            let keys = author.identity_keys_at(cause.core.created_ms);
            envelope::verify(cause, &keys, &mut self.signatures)?;
        }
        Ok((opened, recall))
    }
}

impl Client {
    /// Opens an envelope again that was received, verified and kept: for its attachments, or to
    /// pass it on. The signature was verified when it came.
    ///
    /// # Errors
    /// [`ItemError`].
    pub fn reopen(&self, kept: &v1::Envelope) -> Result<(Carried, Opened), ItemError> {
        let carried = envelope::parse_carried(kept)?;
        envelope::check_body(carried.original(), &kept.body)?;
        let opened = self.unseal(&carried, &kept.body, &mut OpenContexts::new())?;
        Ok((carried, opened))
    }

    fn unseal(
        &self,
        carried: &Carried,
        body: &[u8],
        contexts: &mut OpenContexts,
    ) -> Result<Opened, ItemError> {
        let parts = &self.0;
        let ours = carried.recipient(&parts.member);
        let ours = ours.map(|(_, recipient)| recipient.sealing_key_id);
        let now_ms = parts.environment.clock.now_ms();
        let held = ours
            .map(|id| parts.sealing.with(id, now_ms))
            .unwrap_or_default();
        if ours.is_some_and(|id| held.iter().all(|key| key.key_id() != id)) {
            return Err(ItemError::NoKey);
        }
        let keys: Vec<_> = held.iter().collect();
        Ok(carried.open(body, &parts.member, &keys, contexts)?)
    }
}

impl InboxItem {
    /// The envelope's identity.
    #[must_use]
    pub fn id(&self) -> EnvelopeId {
        let forward = self.forward.as_ref();
        forward.map_or(self.parsed.id, |forward| forward.id)
    }

    /// Who sent it: its author, or who passed it on.
    #[must_use]
    pub fn sender(&self) -> &str {
        let forward = self.forward.as_ref();
        forward.map_or(&self.parsed.core.sender, |forward| &forward.sender)
    }

    /// Who wrote it.
    #[must_use]
    pub fn author(&self) -> &str {
        &self.parsed.core.sender
    }

    /// The message id that its sender gave it.
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        let forward = self.forward.as_ref();
        forward.map_or(self.parsed.core.message_id, |forward| forward.message_id)
    }

    /// States, signed, what the member did with it, and waits until the node has logged that.
    /// The item is then gone from the inbox. `outcome` is a code that goes with ACTED only, and
    /// empty otherwise. Spec: MBR-7.
    ///
    /// # Errors
    /// [`ConfirmError`]; unless it is [`ConfirmError::TimedOut`], the item comes again.
    pub async fn confirm(
        self,
        stage: v1::Stage,
        outcome: &str,
    ) -> Result<ProvenReceipt, ConfirmError> {
        let id = self.id();
        self.hold.confirm(id, stage, outcome).await
    }

    /// Gives it back unconfirmed: it comes again, here or elsewhere.
    pub fn release(self) {
        self.hold.release();
    }
}

impl FailedItem {
    /// The envelope's identity, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<EnvelopeId> {
        let carried = envelope::parse_carried(&self.envelope).ok();
        carried.map(|carried| carried.id())
    }

    /// States DELIVERED, so that it leaves the inbox and others can pass. That is all that is
    /// true of it: the member has it and did not open it.
    ///
    /// # Errors
    /// [`ConfirmError`].
    pub async fn set_aside(self) -> Result<ProvenReceipt, ConfirmError> {
        let id = self.id().ok_or(ConfirmError::Statement)?;
        self.hold.confirm(id, v1::Stage::Delivered, "").await
    }

    /// Gives it back: it comes again at once, to whichever program reads the inbox next.
    pub fn release(self) {
        self.hold.release();
    }
}

fn accepted_for(proven: ProvenReceipt, member: &str) -> Result<ProvenReceipt, Unproven> {
    let statement = proven.statement();
    let fits = statement.event == v1::Event::Accepted
        && statement.recipients.iter().any(|name| name == member);
    in_place(fits, proven)
}

fn in_place(fits: bool, proven: ProvenReceipt) -> Result<ProvenReceipt, Unproven> {
    if fits {
        return Ok(proven);
    }
    Err(Unproven {
        node: Some(proven.node().to_owned()),
        error: UnprovenError::OutOfPlace,
        receipt: Box::new(proven.receipt),
    })
}

/// Whether another try can help.
fn returns(error: &TransportError) -> bool {
    WireCode::from(error).info().retry == Retry::Later
}
