//! One attempt at some outbox items: send, verify what comes back, record it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use frex_client::transport::{self, FrameReader, Session, Stream, TransportError};
use frex_proto::{
    envelope,
    error::{Retry, WireCode},
    id::EnvelopeId,
    limits,
    log::{LogVerifier, witness},
    receipt::{self, CheckpointCache},
    v1,
    wire::FrameType,
};
use prost::Message;

use super::{About, Attempt, Batch, Report, Tried, desk::Desk};
use crate::{
    frames::{FRAME_WAIT, put_envelope},
    ledger::{
        Entry, LedgerError, Outcome, PeerReceiptEntry,
        records::{self, LANES, OutboxItem},
    },
    shared::Shared,
    suspension::Suspensions,
    witness::heads::Heads,
};

/// Items taken up together.
pub const ITEMS_MAX: usize = limits::BATCH_ENVELOPES_MAX;
/// Bytes of envelopes in one request; more go in the next.
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Verifies the receipts of one destination; one signature check serves a whole batch.
pub struct Verifier {
    /// Those that the node has had, and the one it has: a receipt given again is of its own day.
    logs: Vec<LogVerifier>,
    node: String,
    heads: Arc<Heads>,
    cache: Mutex<CheckpointCache>,
}

/// One envelope on its way.
struct Outgoing {
    item: OutboxItem,
    id: EnvelopeId,
    resealed: bool,
    envelope: v1::Envelope,
}

/// A code, and how long the peer wants to be left alone; 0 if it does not say.
#[derive(Clone, Copy)]
struct Refusal {
    code: WireCode,
    retry_after_ms: u64,
    about: About,
}

/// What the replies to an envelope are worth: encoded receipts, or a refusal.
type Verdict = Result<Answer, Refusal>;

/// What a node has stated about an envelope.
#[derive(Default)]
struct Answer {
    accepted: Option<Bytes>,
    rejected: Option<Bytes>,
}

/// Receipts of one node about one envelope: for some of its members it may be accepted, and
/// refused for the others.
const REPLIES_MAX: usize = 2;

impl Refusal {
    fn of(wire: &v1::Refusal) -> Self {
        Self {
            code: WireCode::from_number(wire.code),
            retry_after_ms: wire.retry_after_ms,
            about: About::Item,
        }
    }

    fn silence(code: WireCode) -> Self {
        Self {
            about: About::Silence,
            ..code.into()
        }
    }
}

impl From<WireCode> for Refusal {
    fn from(code: WireCode) -> Self {
        Self {
            code,
            retry_after_ms: 0,
            about: About::Item,
        }
    }
}

/// A peer that stops a stream says why, about the whole of it; any other failure says nothing.
impl From<TransportError> for Refusal {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::StreamRefused(code) => Self {
                about: About::Request,
                ..code.into()
            },
            other => Self::silence((&other).into()),
        }
    }
}

/// What came back for one envelope.
enum Reply {
    Receipt(v1::Receipt),
    Refusal(Refusal),
}

impl Verifier {
    /// For the log of `node`.
    #[must_use]
    pub fn new(shared: &Shared, node: &str) -> Self {
        Self {
            logs: shared.roster().log_verifiers(node),
            node: node.to_owned(),
            heads: shared.heads.clone(),
            cache: Mutex::default(),
        }
    }

    fn verify(
        &self,
        wire: &v1::Receipt,
        id: EnvelopeId,
    ) -> Result<receipt::VerifiedReceipt, WireCode> {
        let log = LogVerifier::choose(&self.logs, &wire.checkpoint).ok_or(WireCode::NotTrusted)?;
        let mut cache = self.cache.lock().map_err(|_| WireCode::StorageFailed)?;
        let verified = receipt::verify_cached(wire, log, Some(id), &mut cache)?;
        // Whatever a log adds to its own lines takes no memory while the head waits to be compared.
        let note = match wire.checkpoint.len() <= limits::SEEN_CHECKPOINT_BYTES_MAX {
            true => wire.checkpoint.clone(),
            false => witness::bare(&wire.checkpoint, log).map_err(|_| WireCode::BadReceipt)?,
        };
        self.heads.signed(&self.node, &verified.checkpoint, &note);
        self.heads.pass(&self.node, &verified.checkpoint, &note);
        Ok(verified)
    }
}

/// Tries every item once and tells what became of each.
pub async fn deliver(
    shared: &Arc<Shared>,
    session: &Session,
    desk: &Desk,
    verifier: &Arc<Verifier>,
    batch: Batch,
) -> Report {
    let now_ms = shared.now_ms();
    let lane = LANES[batch.slot];
    let mut tried = Vec::with_capacity(batch.items.len());
    let mut outgoing = Vec::new();
    let mut bytes = 0;
    for item in batch.items {
        if item.expires_ms <= now_ms {
            tried.push(give_up(shared, desk, &item, WireCode::Expired).await);
            continue;
        }
        match load(shared, desk.node(), &item) {
            Ok(Loaded::Envelope(envelope)) => {
                bytes += envelope.envelope.encoded_len();
                outgoing.push(*envelope);
            }
            Ok(Loaded::Stage(receipt)) => {
                tried.push(relay(shared, session, desk, item, receipt).await);
            }
            Ok(Loaded::Erased) => tried.push(Tried {
                key: item.key,
                attempt: Attempt::Ended,
            }),
            Ok(Loaded::Withheld(by)) => tried.push(withheld(item.key, by)),
            Err(error) => {
                tracing::error!(error = ?error, "an outbox item cannot be read");
                tried.push(Tried {
                    key: item.key,
                    attempt: Attempt::Unreadable,
                });
            }
        }
        if bytes > REQUEST_BYTES_MAX {
            let some = std::mem::take(&mut outgoing);
            tried.extend(send(shared, session, desk, verifier, lane, some).await);
            bytes = 0;
        }
    }
    if !outgoing.is_empty() {
        tried.extend(send(shared, session, desk, verifier, lane, outgoing).await);
    }
    Report {
        slot: batch.slot,
        probe: batch.probe,
        began: batch.began,
        tried,
    }
}

/// Records that an item will not be delivered, for a reason that is found here.
pub async fn give_up(shared: &Shared, desk: &Desk, item: &OutboxItem, code: WireCode) -> Tried {
    let attempts = desk.attempts(&item.key);
    conclude(shared, item, code, attempts, Attempt::Ended).await
}

/// Records that the destination refused an item for good.
async fn refused(shared: &Shared, desk: &Desk, item: &OutboxItem, code: WireCode) -> Tried {
    let attempts = desk.attempts(&item.key).saturating_add(1);
    conclude(shared, item, code, attempts, Attempt::Answered).await
}

async fn conclude(
    shared: &Shared,
    item: &OutboxItem,
    code: WireCode,
    attempts: u32,
    attempt: Attempt,
) -> Tried {
    let entry = Entry::Undeliverable {
        item: item.clone(),
        code,
        attempts,
    };
    let key = item.key.clone();
    match shared.ledger.record(entry).await {
        Outcome::Failed(code) => again(key, code),
        _ => Tried { key, attempt },
    }
}

enum Loaded {
    Envelope(Box<Outgoing>),
    Stage(v1::Receipt),
    /// One of its recipients there is suspended.
    Withheld(Arc<Suspensions>),
    /// It was erased meanwhile: nothing is to be delivered any more.
    Erased,
}

/// Reads an item's record; of an envelope, only the wraps that the destination's members need. A
/// node takes an envelope once, with the wraps that came along, so what one of its members may
/// not get yet waits for all of them there. Spec: DEL-12, DIS-12.
fn load(shared: &Shared, node: &str, item: &OutboxItem) -> Result<Loaded, LedgerError> {
    let stored = shared.ledger.read(item.position)?;
    if stored.record.erased {
        return Ok(Loaded::Erased);
    }
    if stored.kind == records::STAGE {
        let receipt =
            v1::Receipt::decode(stored.record.receipt).map_err(|_| LedgerError::Record)?;
        return Ok(Loaded::Stage(receipt));
    }
    let id = EnvelopeId::from_slice(&stored.record.envelope_id).map_err(|_| LedgerError::Record)?;
    let mut envelope =
        v1::Envelope::decode(stored.record.envelope).map_err(|_| LedgerError::Record)?;
    let suspended = shared.suspensions.current();
    if envelope.wraps.len() > 1 || !suspended.is_empty() {
        let carried = envelope::parse_carried(&envelope).map_err(|_| LedgerError::Record)?;
        let roster = shared.roster();
        let there = |member: &str| roster.is_served_by(member, node);
        let mut recipients = carried.recipients().iter();
        if recipients.any(|to| there(&to.member) && suspended.holds_member(&to.member)) {
            return Ok(Loaded::Withheld(suspended));
        }
        envelope.wraps.retain(|wrap| {
            let number = usize::try_from(wrap.recipient).ok();
            let recipient = number.and_then(|number| carried.recipients().get(number));
            recipient.is_some_and(|recipient| there(&recipient.member))
        });
    }
    Ok(Loaded::Envelope(Box::new(Outgoing {
        item: item.clone(),
        id,
        resealed: stored.record.resealed,
        envelope,
    })))
}

async fn send(
    shared: &Arc<Shared>,
    session: &Session,
    desk: &Desk,
    verifier: &Arc<Verifier>,
    lane: v1::Lane,
    batch: Vec<Outgoing>,
) -> Vec<Tried> {
    let mut waiting = Vec::with_capacity(batch.len());
    let mut envelopes = Vec::with_capacity(batch.len());
    for outgoing in batch {
        // Its first envelope's receipts stay where they are.
        let detail = match outgoing.resealed {
            true => outgoing.id.to_string(),
            false => String::new(),
        };
        waiting.push((outgoing.item, outgoing.id, detail));
        envelopes.push(outgoing.envelope);
    }
    let replies = match exchange(session, lane, envelopes).await {
        Ok(replies) => replies,
        Err(refusal) => {
            let refusal = of_many(refusal, waiting.len());
            let verdicts = waiting.into_iter();
            let verdicts = verdicts.map(|(item, _, detail)| (item, detail, Err(refusal)));
            return record(shared, desk, verdicts.collect()).await;
        }
    };
    let verifier = verifier.clone();
    let verify = move || {
        let judged = waiting.into_iter().zip(replies);
        let judged =
            judged.map(|((item, id, detail), reply)| (item, detail, judge(&verifier, id, reply)));
        judged.collect::<Vec<_>>()
    };
    let judged = shared.workers.run(verify).await.unwrap_or_default();
    record(shared, desk, judged).await
}

/// What the refusal of a request means for each of so many items in it. One that is for good may
/// be meant for any of them, and must not end the others. Spec: DEL-42.
fn of_many(refusal: Refusal, items: usize) -> Refusal {
    match gives_up(refusal) && items > 1 {
        true => Refusal {
            about: About::Company,
            ..refusal
        },
        false => refusal,
    }
}

/// Sends the envelopes as one request and collects the replies to each; a refusal of the whole
/// request names its first envelope and is the only reply.
async fn exchange(
    session: &Session,
    lane: v1::Lane,
    envelopes: Vec<v1::Envelope>,
) -> Result<Vec<Vec<Reply>>, Refusal> {
    let count = envelopes.len();
    let deliver = v1::Deliver {
        envelopes: u32::try_from(count).unwrap_or(u32::MAX),
    };
    let request = v1::Request {
        request: Some(v1::request::Request::Deliver(deliver)),
    };
    let Stream {
        mut writer,
        mut reader,
    } = session.request(&request, transport::priority(lane)).await?;
    for envelope in envelopes {
        put_envelope(&mut writer, envelope);
    }
    let stopped = match writer.finish().await {
        // Whoever does not want the rest may still say why, and when to come again.
        Err(error @ TransportError::StreamRefused(_)) => Some(error),
        sent => {
            sent?;
            None
        }
    };
    match collect(&mut reader, count).await {
        Ok(replies) => of_request(replies),
        Err(error) => Err(stopped.unwrap_or(error).into()),
    }
}

/// The replies to each of so many envelopes.
async fn collect(
    reader: &mut FrameReader,
    count: usize,
) -> Result<Vec<Vec<Reply>>, TransportError> {
    let mut replies: Vec<Vec<Reply>> = Vec::new();
    replies.resize_with(count, Vec::new);
    loop {
        let answer: v1::Answer = reader.message(FrameType::Answer, FRAME_WAIT).await?;
        let place = usize::try_from(answer.envelope)
            .ok()
            .and_then(|number| replies.get_mut(number))
            .filter(|replies| replies.len() < REPLIES_MAX);
        match (answer.answer, place) {
            (Some(v1::answer::Answer::Receipt(receipt)), Some(place)) => {
                place.push(Reply::Receipt(receipt));
            }
            (Some(v1::answer::Answer::Refusal(refusal)), Some(place)) => {
                place.push(Reply::Refusal(Refusal::of(&refusal)));
            }
            (Some(v1::answer::Answer::Done(_)), _) => return Ok(replies),
            _ => return Err(frex_proto::wire::FrameError::Malformed.into()),
        }
    }
}

/// A single refusal that is all there is to several envelopes was meant for the request.
fn of_request(replies: Vec<Vec<Reply>>) -> Result<Vec<Vec<Reply>>, Refusal> {
    if let [first, others @ ..] = &replies[..]
        && !others.is_empty()
        && others.iter().all(Vec::is_empty)
        && let [Reply::Refusal(refusal)] = &first[..]
    {
        return Err(Refusal {
            about: About::Request,
            ..*refusal
        });
    }
    Ok(replies)
}

/// What replies are worth: a receipt only if it proves what it says about this very envelope.
fn judge(verifier: &Verifier, id: EnvelopeId, replies: Vec<Reply>) -> Verdict {
    if replies.is_empty() {
        return Err(Refusal::silence(WireCode::TimedOut));
    }
    let mut answer = Answer::default();
    for reply in replies {
        let wire = match reply {
            Reply::Receipt(wire) => wire,
            Reply::Refusal(refusal) => return Err(refusal),
        };
        let place = match verifier.verify(&wire, id)?.statement.event {
            v1::Event::Accepted => &mut answer.accepted,
            v1::Event::Rejected => &mut answer.rejected,
            _ => return Err(WireCode::BadReceipt.into()),
        };
        *place = Some(wire.encode_to_vec().into());
    }
    Ok(answer)
}

async fn record(
    shared: &Shared,
    desk: &Desk,
    judged: Vec<(OutboxItem, String, Verdict)>,
) -> Vec<Tried> {
    let mut tried = Vec::with_capacity(judged.len());
    let mut keys = Vec::with_capacity(judged.len());
    let mut entries = Vec::with_capacity(judged.len());
    for (item, detail, verdict) in judged {
        match verdict {
            Ok(Answer { accepted, rejected }) => {
                let (receipt, refusal) = match (accepted, rejected) {
                    (Some(accepted), rejected) => (accepted, rejected),
                    (None, rejected) => (rejected.unwrap_or_default(), None),
                };
                keys.push(item.key.clone());
                entries.push(Entry::PeerReceipt(PeerReceiptEntry {
                    message: item.message,
                    node: desk.node().to_owned(),
                    detail,
                    receipt,
                    refusal,
                    outbox_key: Some(item.key),
                }));
            }
            Err(Refusal {
                code: WireCode::AttachmentMissing,
                ..
            }) => tried.push(Tried {
                key: item.key,
                attempt: Attempt::Attachments,
            }),
            Err(refusal) if gives_up(refusal) => {
                tried.push(refused(shared, desk, &item, refusal.code).await);
            }
            Err(refusal) => tried.push(again(item.key, refusal)),
        }
    }
    let outcomes = shared.ledger.record_all(entries).await;
    for (key, outcome) in keys.into_iter().zip(outcomes) {
        tried.push(match outcome {
            Outcome::Failed(code) => again(key, code),
            _ => answered(key),
        });
    }
    tried
}

/// A refusal that the same bytes will meet again. A receipt that does not verify is no refusal:
/// the peer may have accepted, so the item stays until it answers well or expires. Neither is an
/// answer that cannot be read, nor one that may be meant for another item.
fn gives_up(refusal: Refusal) -> bool {
    matches!(refusal.about, About::Item | About::Request)
        && refusal.code.info().retry == Retry::Never
        && !matches!(refusal.code, WireCode::BadReceipt | WireCode::BadProof)
}

async fn relay(
    shared: &Shared,
    session: &Session,
    desk: &Desk,
    item: OutboxItem,
    receipt: v1::Receipt,
) -> Tried {
    let outcome = async {
        let request = v1::request::Request::Relay(v1::Relay {
            receipt: Some(receipt),
        });
        let request = v1::Request {
            request: Some(request),
        };
        let priority = transport::priority(v1::Lane::Control);
        let Stream { writer, mut reader } = session.request(&request, priority).await?;
        writer.finish().await?;
        let answer: v1::Answer = reader.message(FrameType::Answer, FRAME_WAIT).await?;
        Ok::<_, TransportError>(match answer.answer {
            Some(v1::answer::Answer::Refusal(refusal)) => Some(Refusal::of(&refusal)),
            _ => None,
        })
    };
    match outcome.await {
        Ok(None) => {
            let entry = Entry::Relayed {
                outbox_key: item.key.clone(),
                message: item.message,
            };
            match shared.ledger.record(entry).await {
                Outcome::Failed(code) => again(item.key, code),
                _ => answered(item.key),
            }
        }
        Ok(Some(refusal)) if gives_up(refusal) => refused(shared, desk, &item, refusal.code).await,
        Ok(Some(refusal)) => again(item.key, refusal),
        Err(error) => again(item.key, Refusal::from(error)),
    }
}

fn answered(key: Bytes) -> Tried {
    Tried {
        key,
        attempt: Attempt::Answered,
    }
}

fn withheld(key: Bytes, by: Arc<Suspensions>) -> Tried {
    Tried {
        key,
        attempt: Attempt::Withheld(by),
    }
}

fn again(key: Bytes, refusal: impl Into<Refusal>) -> Tried {
    let Refusal {
        code,
        retry_after_ms,
        about,
    } = refusal.into();
    Tried {
        key,
        attempt: Attempt::Again {
            code,
            retry_after_ms,
            about,
        },
    }
}
