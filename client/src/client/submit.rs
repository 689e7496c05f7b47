//! Submitting: the home node's receipt at once, then what each recipient's node says.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use frex_proto::{
    delivery::Backoff,
    envelope::SignedEnvelope,
    error::{Retry, WireCode},
    id::EnvelopeId,
    limits, v1,
    wire::{FrameError, FrameType},
};
use prost::Message;
use tokio::time::{Instant, timeout_at};

use super::{Client, ConnectError, ProvenReceipt, Unproven, UnprovenError};
use crate::transport::{self, FrameReader, FrameWriter, Stream, TransportError};

mod refuse;

/// How much longer than it was asked to wait the node may take to say that it is done.
const GRACE: Duration = Duration::from_secs(20);
/// Bytes handed to the connection at once.
const FLUSH_BYTES: usize = 256 * 1024;
/// Longest encoded signed manifest with all its wraps.
const HEAD_BYTES_MAX: usize = limits::ENVELOPE_FRAME_BYTES_MAX - limits::INLINE_BODY_BYTES_MAX;

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// None, or more than one request carries.
    #[error("a submission has 1 to 64 envelopes")]
    Count,
    /// More bytes than one request carries.
    #[error("the envelopes together are over the limit of one request")]
    TooLarge,
    /// There is no session with the home node.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl From<&SubmitError> for WireCode {
    fn from(error: &SubmitError) -> Self {
        match error {
            SubmitError::Count | SubmitError::TooLarge => Self::TooLarge,
            SubmitError::Connect(error) => error.into(),
        }
    }
}

impl From<SubmitError> for WireCode {
    fn from(error: SubmitError) -> Self {
        Self::from(&error)
    }
}

/// News of one envelope.
#[derive(Debug, Clone)]
pub struct SubmissionEvent {
    /// Its position among those submitted.
    pub envelope: usize,
    /// Its id.
    pub id: EnvelopeId,
    /// What happened.
    pub news: News,
}

/// What became of an envelope. Every receipt was verified before it is handed out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum News {
    /// The home node has it and will deliver it.
    Submitted(Box<ProvenReceipt>),
    /// The node of these members has it.
    Accepted {
        /// Which node.
        node: String,
        /// For whom.
        members: Vec<String>,
        /// Proof.
        receipt: Box<ProvenReceipt>,
    },
    /// A node refused it for good, on the record.
    Rejected {
        /// Which node.
        node: String,
        /// For whom: the others there may have it.
        members: Vec<String>,
        /// Why.
        code: WireCode,
        /// The envelope that the same message id named before.
        other: Option<EnvelopeId>,
        /// Proof.
        receipt: Box<ProvenReceipt>,
    },
    /// A recipient has stated what it did.
    Stage {
        /// Who.
        member: String,
        /// What.
        stage: v1::Stage,
        /// Proof; the member's signed word is inside.
        receipt: Box<ProvenReceipt>,
    },
    /// The home node gave up bringing it to one of the recipients' nodes.
    Undeliverable {
        /// To which; none: it does not say, or names one that the roster does not list.
        node: Option<String>,
        /// Why.
        code: WireCode,
    },
    /// The home node asks to come again later: it is busy, or the member's quota is used up. It is
    /// submitted again then, within the client's patience; beyond that, `Refused` follows.
    Delayed {
        /// What the node said.
        code: WireCode,
        /// How long it wants to be left alone.
        retry_after: Duration,
    },
    /// The home node did not take it: nothing was logged, nothing is owed.
    Refused {
        /// Why.
        code: WireCode,
    },
    /// Something that should be a receipt does not prove what it says. Nothing is believed.
    Unproven(Box<Unproven>),
    /// The connection was lost before the home node answered. It may have the envelope: submit
    /// the same envelope again, which has no effect the second time.
    Unanswered {
        /// How it was lost, or why the node did not take it later either: that says nothing of the
        /// try that was lost.
        code: WireCode,
    },
}

/// A submission under way. Dropping it stops listening; what was submitted stays so.
pub struct Submission {
    client: Client,
    envelopes: Vec<Pending>,
    stream: Option<Answers>,
    events: VecDeque<SubmissionEvent>,
    priority: i32,
    /// Until when recipients are waited for.
    wait_until: Instant,
    /// Until when a lost session is made again for what is not yet submitted.
    try_until: Instant,
    backoff: Backoff,
    /// Whether a session was lost after envelopes had left: what is refused for now may be there.
    lost: bool,
    ended: bool,
}

struct Pending {
    envelope: SignedEnvelope,
    submitted: bool,
    /// Nothing more is expected.
    settled: bool,
    /// A refusal heard before SUBMITTED. It is the home node's own, unless SUBMITTED follows.
    refused: VecDeque<WireCode>,
    /// When the home node lets it come again.
    due: Option<Instant>,
    /// Members whose node has spoken.
    answered: BTreeSet<String>,
    /// Receipts heard, by log and position: a repeated request hears them again.
    heard: BTreeSet<(String, u64)>,
}

struct Answers {
    reader: FrameReader,
    /// The position in the submission of each envelope of the request.
    places: Vec<usize>,
}

impl Client {
    /// Submits sealed envelopes and listens for what becomes of them: for `wait` to the
    /// recipients' nodes, and for as long as the client's patience to the home node. If the
    /// session is lost, the same envelopes are submitted again, which has no effect on those that
    /// the node already has. Spec: MBR-3.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was submitted.
    pub async fn submit(
        &self,
        envelopes: Vec<SignedEnvelope>,
        wait: Duration,
    ) -> Result<Submission, SubmitError> {
        check(&envelopes)?;
        let now = Instant::now();
        let wait = wait.min(Duration::from_millis(limits::WAIT_MS_MAX.into()));
        let mut submission = Submission {
            client: self.clone(),
            priority: priority(&envelopes),
            envelopes: envelopes.into_iter().map(Pending::new).collect(),
            stream: None,
            events: VecDeque::new(),
            wait_until: now + wait,
            try_until: now + wait.max(self.0.patience),
            backoff: Backoff::default(),
            lost: false,
            ended: false,
        };
        match submission.open().await {
            Ok(()) => {}
            Err(Failure::Connect(error)) => return Err(error.into()),
            // A session that breaks at once is made again by the first call of `next`.
            Err(Failure::Stream(_)) => {
                submission.lost = true;
                submission.pause().await;
            }
        }
        Ok(submission)
    }
}

impl Submission {
    /// The next news, or nothing when no more will come.
    pub async fn next(&mut self) -> Option<SubmissionEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            if let Err(failure) = self.advance().await {
                self.retry_or_end(&failure).await;
            }
        }
    }

    /// Waits until no more news will come, and returns all of it.
    pub async fn finish(mut self) -> Vec<SubmissionEvent> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Reads one answer; opens the request first if there is none, or if it is time to come again
    /// with some of it.
    async fn advance(&mut self) -> Result<(), Failure> {
        let due = self.due();
        if self.stream.is_none() {
            let now = Instant::now();
            if let Some(due) = due.filter(|_| !self.envelopes.iter().any(|one| one.is_ready(now))) {
                tokio::time::sleep_until(due).await;
            }
            self.open().await?;
            return Ok(());
        }
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let wait = self.wait_until.saturating_duration_since(Instant::now()) + GRACE;
        let answer = stream.reader.message(FrameType::Answer, wait);
        let answer: v1::Answer = match due {
            Some(due) => match timeout_at(due, answer).await {
                Ok(answer) => answer?,
                Err(_) => {
                    self.stream = None;
                    return Ok(());
                }
            },
            None => answer.await?,
        };
        let place = usize::try_from(answer.envelope)
            .ok()
            .and_then(|number| stream.places.get(number).copied());
        use v1::answer::Answer as A;
        match (answer.answer, place) {
            (Some(A::Done(_)), _) => self.done(),
            (Some(A::Receipt(receipt)), Some(place)) => self.hear(place, receipt),
            (Some(A::GivenUp(told)), Some(place)) => self.give_up(place, told),
            (Some(A::Refusal(refusal)), Some(place)) => {
                let code = WireCode::from_number(refusal.code);
                // Nothing is refused by that: what was submitted goes on once the node is back.
                if code == WireCode::ShuttingDown {
                    return Err(TransportError::Closed(code).into());
                }
                let retry_after = Duration::from_millis(refusal.retry_after_ms);
                self.refuse(place, code, retry_after);
            }
            _ => return Err(TransportError::from(FrameError::Malformed).into()),
        }
        Ok(())
    }

    /// Sends a request with every envelope of which more is expected.
    async fn open(&mut self) -> Result<(), Failure> {
        let patience = self.until().saturating_duration_since(Instant::now());
        let session = self.client.0.link.session(patience).await?;
        let now = Instant::now();
        let places: Vec<usize> = (0..self.envelopes.len())
            .filter(|place| self.envelopes[*place].is_ready(now))
            .collect();
        for place in &places {
            self.envelopes[*place].due = None;
        }
        let wait = self.wait_until.saturating_duration_since(Instant::now());
        let submit = v1::Submit {
            envelopes: u32::try_from(places.len()).unwrap_or(u32::MAX),
            wait_ms: u32::try_from(wait.as_millis()).unwrap_or(limits::WAIT_MS_MAX),
        };
        let request = v1::Request {
            request: Some(v1::request::Request::Submit(submit)),
        };
        let Stream { writer, reader } = session.request(&request, self.priority).await?;
        let sent = self.send(writer, &places).await;
        match sent {
            // The node has said why on the way back, or says it now.
            Ok(()) | Err(TransportError::StreamRefused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.stream = Some(Answers { reader, places });
        Ok(())
    }

    async fn send(&self, mut writer: FrameWriter, places: &[usize]) -> Result<(), TransportError> {
        for place in places {
            let envelope = &self.envelopes[*place].envelope;
            writer.put_message(FrameType::Envelope, &envelope.to_wire(None));
            if envelope.body.len() > limits::INLINE_BODY_BYTES_MAX {
                writer.put_bytes(FrameType::Body, envelope.body.clone());
            }
            if writer.pending_bytes() > FLUSH_BYTES {
                writer.flush().await?;
            }
        }
        writer.finish().await
    }

    fn hear(&mut self, place: usize, wire: v1::Receipt) {
        let roster = self.client.0.roster.current();
        let pending = &mut self.envelopes[place];
        let proven = self
            .client
            .0
            .verifier
            .prove(wire, Some(pending.envelope.id));
        let proven = proven.and_then(|proven| pending.fits(proven));
        let proven = match proven {
            Ok(proven) => proven,
            Err(unproven) => return self.tell(place, News::Unproven(Box::new(unproven))),
        };
        let entry = (
            proven.verified.checkpoint.origin.clone(),
            proven.verified.index,
        );
        if !pending.heard.insert(entry) {
            return;
        }
        let home = proven.statement().event == pending.taken();
        let own = roster.is_served_by(&self.client.0.member, proven.node());
        let served = |member: &&String| own || roster.is_served_by(member, proven.node());
        let served = pending.envelope.members.iter().filter(served);
        let served: Vec<String> = served.cloned().collect();
        let news = pending.news(proven, own, served);
        self.tell(place, news);
        if home {
            while let Some(code) = self.envelopes[place].refused.pop_front() {
                self.tell(place, News::Undeliverable { node: None, code });
            }
        }
    }

    async fn retry_or_end(&mut self, failure: &Failure) {
        self.stream = None;
        for pending in &mut self.envelopes {
            pending.refused.clear();
        }
        let waiting = self.envelopes.iter().any(|pending| !pending.settled);
        let lost = matches!(failure, Failure::Stream(_));
        self.lost |= lost;
        let may_return = failure.code().info().retry == Retry::Later;
        if lost && may_return && waiting && Instant::now() < self.until() {
            self.pause().await;
            return;
        }
        let code = failure.code();
        for place in 0..self.envelopes.len() {
            if !self.envelopes[place].is_known() {
                self.tell(place, News::Unanswered { code });
            }
        }
        self.end();
    }

    /// Until when a lost session is made again.
    fn until(&self) -> Instant {
        let unknown = self.envelopes.iter().any(|pending| !pending.is_known());
        if unknown {
            self.try_until
        } else {
            self.wait_until
        }
    }

    async fn pause(&mut self) {
        let pause = self.client.0.link.pause(&mut self.backoff);
        tokio::time::sleep(pause).await;
    }

    fn end(&mut self) {
        self.stream = None;
        self.ended = true;
    }

    fn tell(&mut self, envelope: usize, news: News) {
        let id = self.envelopes[envelope].envelope.id;
        self.events
            .push_back(SubmissionEvent { envelope, id, news });
    }
}

impl Pending {
    fn new(envelope: SignedEnvelope) -> Self {
        Self {
            envelope,
            submitted: false,
            settled: false,
            refused: VecDeque::new(),
            due: None,
            answered: BTreeSet::new(),
            heard: BTreeSet::new(),
        }
    }

    /// Whether it is to be sent, if anything is sent now.
    fn is_ready(&self, now: Instant) -> bool {
        !self.settled && self.due.is_none_or(|due| due <= now)
    }

    /// Whether the home node has said what it did with it.
    fn is_known(&self) -> bool {
        self.submitted || self.settled
    }

    /// What the home node states when it has it and will deliver it.
    fn taken(&self) -> v1::Event {
        match self.envelope.is_forward {
            true => v1::Event::Forwarded,
            false => v1::Event::Submitted,
        }
    }

    /// Whether a proven receipt states something that can be news of this envelope.
    fn fits(&self, proven: ProvenReceipt) -> Result<ProvenReceipt, Unproven> {
        let statement = proven.statement();
        let ours = |member: &String| self.envelope.members.contains(member);
        let fits = match statement.event {
            event if event == self.taken() => true,
            v1::Event::Accepted | v1::Event::Rejected | v1::Event::Stage => {
                statement.recipients.iter().all(ours)
            }
            _ => false,
        };
        if fits {
            return Ok(proven);
        }
        Err(Unproven {
            node: Some(statement.node.clone()),
            error: UnprovenError::OutOfPlace,
            receipt: Box::new(proven.receipt),
        })
    }

    /// Takes note of a receipt of the node that has `served` members; `own` says that the home
    /// node issued it, whose refusal is for everybody.
    fn news(&mut self, proven: ProvenReceipt, own: bool, served: Vec<String>) -> News {
        let statement = proven.statement().clone();
        let receipt = Box::new(proven);
        match statement.event {
            event if event == self.taken() => {
                self.submitted = true;
                News::Submitted(receipt)
            }
            v1::Event::Accepted => {
                self.answered.extend(statement.recipients.iter().cloned());
                self.settled = self.answered.len() == self.envelope.members.len();
                News::Accepted {
                    node: statement.node,
                    members: statement.recipients,
                    receipt,
                }
            }
            v1::Event::Stage => News::Stage {
                member: statement.recipients.into_iter().next().unwrap_or_default(),
                stage: receipt
                    .stage
                    .as_ref()
                    .map_or(v1::Stage::Unspecified, v1::StageStatement::stage),
                receipt,
            },
            _ => {
                // The home node delivers nothing that it rejected itself.
                self.settled |= own;
                let named = !statement.recipients.is_empty();
                News::Rejected {
                    code: WireCode::from_number(statement.code),
                    node: statement.node,
                    members: if named { statement.recipients } else { served },
                    other: statement.other_envelope_id,
                    receipt,
                }
            }
        }
    }
}

enum Failure {
    Connect(ConnectError),
    Stream(TransportError),
}

impl Failure {
    fn code(&self) -> WireCode {
        match self {
            Self::Connect(error) => error.into(),
            Self::Stream(error) => error.into(),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Stream(error)
    }
}

fn check(envelopes: &[SignedEnvelope]) -> Result<(), SubmitError> {
    if !(1..=limits::BATCH_ENVELOPES_MAX).contains(&envelopes.len()) {
        return Err(SubmitError::Count);
    }
    let bodies: usize = envelopes.iter().map(|envelope| envelope.body.len()).sum();
    let fits = |envelope: &SignedEnvelope| {
        let wraps: usize = envelope.wraps.iter().map(|(_, wrap)| wrap.len() + 16).sum();
        envelope.signed.len() + wraps <= HEAD_BYTES_MAX
            && envelope.body.len() <= limits::BODY_BYTES_MAX
    };
    if bodies > limits::REQUEST_BODY_BYTES_MAX || !envelopes.iter().all(fits) {
        return Err(SubmitError::TooLarge);
    }
    Ok(())
}

/// The highest priority among the envelopes' lanes.
fn priority(envelopes: &[SignedEnvelope]) -> i32 {
    let lane = |envelope: &SignedEnvelope| {
        let mut signed = v1::Signed::decode(envelope.signed.clone()).ok()?;
        if envelope.is_forward {
            let forward = v1::ForwardManifest::decode(signed.payload).ok()?;
            signed = v1::Signed::decode(forward.original).ok()?;
        }
        let manifest = v1::Manifest::decode(signed.payload).ok()?;
        Some(v1::Core::decode(manifest.core).ok()?.lane())
    };
    let lanes = envelopes.iter().filter_map(lane);
    lanes.map(transport::priority).max().unwrap_or_default()
}
