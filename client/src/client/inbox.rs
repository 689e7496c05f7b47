//! The inbox: leased items come opened and verified, and go when they are confirmed.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{
    delivery::Backoff,
    envelope::{self, EnvelopeError, OpenContexts, OpenError, Opened, Parsed},
    error::{Retry, WireCode},
    id::EnvelopeId,
    keys::SigningError,
    label, limits,
    sign::{self, BatchCache},
    v1,
};
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    Client, ConnectError, ProvenReceipt, Unproven, UnprovenError,
    pump::{self, Arrival, Command, End, Ends},
};
use crate::transport::{self, TransportError};

/// How long the node may take to answer a confirmation.
const CONFIRM_WAIT: Duration = Duration::from_secs(30);
/// Longest outcome code of a statement, bytes.
const OUTCOME_BYTES_MAX: usize = 64;
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
}

impl From<&InboxError> for WireCode {
    fn from(error: &InboxError) -> Self {
        match error {
            InboxError::Connect(error) => error.into(),
            InboxError::Refused(code) => *code,
            InboxError::Transport(error) => error.into(),
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
}

/// A message of the inbox, verified and opened.
pub struct InboxItem {
    /// The header and the signed manifest as received.
    pub parsed: Parsed,
    /// The sealed body as received: with `parsed` it is what a forward carries.
    pub body: Bytes,
    /// The content.
    pub opened: Opened,
    /// The home node's ACCEPTED receipt.
    pub receipt: ProvenReceipt,
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
    /// session is made again; items that were held then come again. Spec: MBR-5.
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
                    self.idle_since = Instant::now();
                    self.backoff.alive();
                    return Some(Ok(self.judge(*item, commands)));
                }
                Some(Arrival::End(Ok(()))) => {
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

    fn judge(
        &mut self,
        item: v1::Item,
        commands: mpsc::UnboundedSender<Command>,
    ) -> Result<InboxItem, FailedItem> {
        let hold = Hold {
            client: self.client.clone(),
            lease: item.lease,
            commands,
        };
        let envelope = item.envelope.unwrap_or_default();
        match self.read(&envelope, item.receipt) {
            Ok((parsed, opened, receipt)) => Ok(InboxItem {
                parsed,
                body: envelope.body,
                opened,
                receipt,
                hold,
            }),
            Err(error) => Err(FailedItem {
                error,
                envelope: Box::new(envelope),
                hold,
            }),
        }
    }

    /// The receipt first: it fixes when the sender's keys must have been good. Spec: MBR-6.
    fn read(
        &mut self,
        wire: &v1::Envelope,
        receipt: Option<v1::Receipt>,
    ) -> Result<(Parsed, Opened, ProvenReceipt), ItemError> {
        let parts = &self.client.0;
        let receipt = receipt.ok_or(ItemError::Incomplete)?;
        let parsed = envelope::parse(wire)?;
        let receipt = parts
            .verifier
            .prove(receipt, Some(parsed.id))
            .and_then(|proven| accepted_for(proven, &parts.member))
            .map_err(|unproven| ItemError::Unproven(Box::new(unproven)))?;
        let roster = parts.roster.current();
        if parsed.core.federation != roster.federation() {
            return Err(ItemError::WrongFederation);
        }
        let sender = roster.member(&parsed.core.sender);
        let sender = sender.ok_or(ItemError::UnknownSender)?;
        let keys = sender.identity_keys_at(receipt.verified.time_ms);
        envelope::verify(&parsed, &keys, &mut self.signatures)?;
        envelope::check_body(&parsed, &wire.body)?;
        let opened = self
            .client
            .unseal(&parsed, &wire.body, &mut self.contexts)?;
        Ok((parsed, opened, receipt))
    }
}

impl Client {
    /// Opens an envelope again that was received, verified and kept: for its attachments. The
    /// signature was verified when it came.
    ///
    /// # Errors
    /// [`ItemError`].
    pub fn reopen(&self, kept: &v1::Envelope) -> Result<(Parsed, Opened), ItemError> {
        let parsed = envelope::parse(kept)?;
        envelope::check_body(&parsed, &kept.body)?;
        let opened = self.unseal(&parsed, &kept.body, &mut OpenContexts::new())?;
        Ok((parsed, opened))
    }

    fn unseal(
        &self,
        parsed: &Parsed,
        body: &[u8],
        contexts: &mut OpenContexts,
    ) -> Result<Opened, ItemError> {
        let parts = &self.0;
        let ours = parsed.core.recipient(&parts.member);
        let ours = ours.map(|(_, recipient)| recipient.sealing_key_id);
        let now_ms = parts.environment.clock.now_ms();
        let held = ours
            .map(|id| parts.sealing.with(id, now_ms))
            .unwrap_or_default();
        if ours.is_some_and(|id| held.iter().all(|key| key.key_id() != id)) {
            return Err(ItemError::NoKey);
        }
        let keys: Vec<_> = held.iter().collect();
        let opened = envelope::open_cached(parsed, body, &parts.member, &keys, contexts)?;
        Ok(opened)
    }
}

impl InboxItem {
    /// The envelope's identity.
    #[must_use]
    pub fn id(&self) -> EnvelopeId {
        self.parsed.id
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.parsed.core.sender
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
        self.hold.confirm(self.parsed.id, stage, outcome).await
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
        envelope::parse(&self.envelope).ok().map(|parsed| parsed.id)
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

impl Hold {
    async fn confirm(
        self,
        id: EnvelopeId,
        stage: v1::Stage,
        outcome: &str,
    ) -> Result<ProvenReceipt, ConfirmError> {
        let parts = &self.client.0;
        let statement = v1::StageStatement {
            envelope_id: Bytes::copy_from_slice(id.as_ref()),
            federation: parts.roster.current().federation().to_owned(),
            member: parts.member.clone(),
            stage: stage.into(),
            time_ms: parts.environment.clock.now_ms(),
            outcome: outcome.to_owned(),
        };
        if !is_statement(&statement) {
            return Err(ConfirmError::Statement);
        }
        let payload = statement.encode_to_vec().into();
        let signed = sign::sign(label::TYPE_STAGE, payload, &[&parts.identity])?;
        let (reply, answer) = oneshot::channel();
        let command = Command {
            confirm: v1::Confirm {
                lease: self.lease,
                statement: signed.encode_to_vec().into(),
            },
            reply: Some(reply),
        };
        self.commands
            .send(command)
            .map_err(|_| ConfirmError::LeaseEnded)?;
        let answer = timeout(CONFIRM_WAIT, answer).await;
        let answer = answer.map_err(|_| ConfirmError::TimedOut)?;
        let receipt = answer
            .map_err(|_| ConfirmError::LeaseEnded)?
            .map_err(ConfirmError::Refused)?;
        let proven = parts.verifier.prove(receipt, Some(id));
        proven
            .and_then(|proven| stated(proven, &statement))
            .map_err(|unproven| ConfirmError::Unproven(Box::new(unproven)))
    }

    fn release(self) {
        let confirm = v1::Confirm {
            lease: self.lease,
            statement: Bytes::new(),
        };
        // A stream that has ended has given everything back.
        let _ = self.commands.send(Command {
            confirm,
            reply: None,
        });
    }
}

fn is_statement(statement: &v1::StageStatement) -> bool {
    let outcome = statement.outcome.as_bytes();
    let code = outcome.len() <= OUTCOME_BYTES_MAX
        && outcome
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'));
    match statement.stage() {
        v1::Stage::Unspecified => false,
        v1::Stage::Acted => code,
        v1::Stage::Delivered | v1::Stage::Opened => outcome.is_empty(),
    }
}

fn accepted_for(proven: ProvenReceipt, member: &str) -> Result<ProvenReceipt, Unproven> {
    let statement = proven.statement();
    let fits = statement.event == v1::Event::Accepted
        && statement.recipients.iter().any(|name| name == member);
    in_place(fits, proven)
}

/// A repeated statement is answered with the receipt of the first, which said the same earlier.
fn stated(proven: ProvenReceipt, ours: &v1::StageStatement) -> Result<ProvenReceipt, Unproven> {
    let same = |word: &v1::StageStatement| word.member == ours.member && word.stage == ours.stage;
    let fits = proven.stage.as_ref().is_some_and(same);
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

#[cfg(test)]
mod tests {
    use super::*;

    // MBR-7: an outcome is a code, and stands beside ACTED only.
    #[test]
    fn an_outcome_goes_with_acted_only() {
        let states = |stage: v1::Stage, outcome: &str| {
            is_statement(&v1::StageStatement {
                stage: stage.into(),
                outcome: outcome.to_owned(),
                ..v1::StageStatement::default()
            })
        };
        for stage in [v1::Stage::Delivered, v1::Stage::Opened] {
            assert!(states(stage, "") && !states(stage, "removed"));
        }
        assert!(states(v1::Stage::Acted, "removed") && states(v1::Stage::Acted, ""));
        assert!(!states(v1::Stage::Acted, "in so many words"));
        assert!(!states(v1::Stage::Unspecified, ""));
    }
}
