//! Takes sessions and serves their requests, one task per stream.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_client::transport::{FrameReader, FrameWriter, Greeter, Session, Stream, TransportError};
use frex_proto::{
    error::WireCode,
    limits,
    sign::{BatchCache, SignError},
    v1,
    wire::FrameType,
};
use prost::Message;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinSet,
};

use crate::{
    frames::FRAME_WAIT,
    intake::{self, Arrived, Intake, Verdict},
    ledger::Outcome,
    shared::Shared,
};

mod attachment;
mod deliver;
mod inbox;
mod query;
mod relay;
mod roster;
mod submit;

/// How long a busy node asks to be left alone.
const BUSY_MS: u64 = 1_000;
/// Sessions that wait to be served.
const SESSIONS_WAITING_MAX: usize = 64;

/// How often the keys of a session are looked at where no roster changes.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// The code for a member's statement that its member has not signed.
fn not_signed(error: SignError) -> WireCode {
    match error {
        SignError::HalfSigned => WireCode::HalfSigned,
        _ => WireCode::BadSignature,
    }
}

/// Takes sessions until the node stops; waits for those it serves.
pub async fn accept(shared: Arc<Shared>, greeter: Greeter) {
    let (sender, mut sessions) = mpsc::channel(SESSIONS_WAITING_MAX);
    let endpoint = shared.endpoint.clone();
    let door = tokio::spawn(async move { endpoint.serve(greeter.listening(), sender).await });
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shared.stopped() => break,
            session = sessions.recv() => match session {
                Some(session) => { serving.spawn(serve(shared.clone(), session)); }
                None => break,
            },
            Some(_) = serving.join_next() => {}
        }
    }
    drop(sessions);
    while serving.join_next().await.is_some() {}
    // The door closes by itself once nobody receives sessions.
    let _ = door.await;
}

async fn serve(shared: Arc<Shared>, session: Session) {
    shared.metrics.session(true);
    tracing::debug!(peer = %session.peer().peer.id(), role = session.peer().peer.role().as_str_name(), "session opened");
    let mut streams = JoinSet::new();
    let mut distrusted = pin!(distrusted(&shared, &session));
    loop {
        tokio::select! {
            biased;
            () = shared.stopped() => break,
            refused = &mut distrusted => {
                tracing::info!(peer = %session.peer().peer.id(), code = %refused, "session cut");
                session.close(refused);
                break;
            }
            stream = session.accept() => match stream {
                Ok(stream) => { streams.spawn(answer(shared.clone(), session.clone(), stream)); }
                Err(_) => break,
            },
            Some(_) = streams.join_next() => {}
        }
    }
    if !session.is_closed() {
        // What was accepted is answered before the connection goes.
        while streams.join_next().await.is_some() {}
        session.close(WireCode::ShuttingDown);
    }
    shared.metrics.session(false);
}

/// Resolves with a code once the peer may not act any more. Spec: DIS-9, DIS-12.
async fn distrusted(shared: &Shared, session: &Session) -> WireCode {
    let mut rosters = shared.membership.roster().changes();
    let mut suspensions = shared.suspensions.changes();
    loop {
        // What came while the peer shook hands counts too, and keys end by themselves.
        rosters.mark_unchanged();
        suspensions.mark_unchanged();
        if let Err(code) = shared.check(session) {
            return code;
        }
        tokio::select! {
            biased;
            _ = rosters.changed() => {}
            _ = suspensions.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// One request; its failure ends its stream and nothing else.
async fn answer(shared: Arc<Shared>, session: Session, stream: Stream) {
    let Stream {
        mut writer,
        mut reader,
    } = stream;
    let peer = session.peer().clone();
    let id = peer.peer.id();
    let outcome = async {
        let request: v1::Request = reader.message(FrameType::Request, FRAME_WAIT).await?;
        let request = request.request.ok_or(Refused(WireCode::Malformed))?;
        use v1::PeerRole::{Client, Node};
        use v1::request::Request as R;
        match (request, peer.peer.role()) {
            (R::Submit(submit), Client) => {
                submit::serve(&shared, id, &submit, &mut reader, &mut writer).await
            }
            (R::Inbox(inbox), Client) => {
                inbox::serve(&shared, id, &inbox, &mut reader, &mut writer).await
            }
            (R::GetReceipts(get), Client) => query::receipts(&shared, id, &get, &mut writer),
            (R::Deliver(deliver), Node) => {
                deliver::serve(&shared, id, &deliver, &mut reader, &mut writer).await
            }
            (R::PutAttachment(put), _) => {
                attachment::take(&shared, &peer.peer, &put, &mut reader, &mut writer).await
            }
            (R::GetAttachment(get), Client) => {
                attachment::give(&shared, id, &get, &mut reader, &mut writer).await
            }
            (R::Relay(relay), Node) => relay::serve(&shared, id, relay, &mut writer).await,
            (R::GetProof(get), _) => query::proof(&shared, &get, &mut writer),
            (R::GetCheckpoint(get), _) => query::checkpoint(&shared, &get, &mut writer),
            (R::GetRoster(get), _) => roster::tell(&shared, &get, &mut writer).await,
            (R::OfferRoster(offer), _) => {
                roster::hear(&shared, &offer, &mut reader, &mut writer).await
            }
            _ => Err(Refused(WireCode::WrongRole)),
        }
    }
    .await;
    if let Err(Refused(code)) = outcome {
        shared.metrics.refused(code);
        put_refusal(&mut writer, 0, code);
        reader.stop(code);
    }
    put_answer(&mut writer, 0, v1::answer::Answer::Done(v1::Done {}));
    // A peer that went away has no use for the answer; what was recorded stands.
    let _ = writer.finish().await;
}

/// A request that is answered with a code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused(pub WireCode);

impl From<TransportError> for Refused {
    fn from(error: TransportError) -> Self {
        Self(error.into())
    }
}

impl From<WireCode> for Refused {
    fn from(code: WireCode) -> Self {
        Self(code)
    }
}

fn put_answer(writer: &mut FrameWriter, envelope: u32, answer: v1::answer::Answer) {
    let answer = v1::Answer {
        envelope,
        answer: Some(answer),
    };
    writer.put_message(FrameType::Answer, &answer);
}

fn put_refusal(writer: &mut FrameWriter, envelope: u32, code: WireCode) {
    let retry_after_ms = if code == WireCode::RetryAfter {
        BUSY_MS
    } else {
        0
    };
    let refusal = v1::Refusal {
        code: code as u32,
        retry_after_ms,
    };
    put_answer(writer, envelope, v1::answer::Answer::Refusal(refusal));
}

/// Passes a stored receipt on; its signed and hashed parts are opaque bytes inside.
fn put_receipt(writer: &mut FrameWriter, envelope: u32, receipt: Bytes) {
    match v1::Receipt::decode(receipt) {
        Ok(receipt) => put_answer(writer, envelope, v1::answer::Answer::Receipt(receipt)),
        Err(_) => put_refusal(writer, envelope, WireCode::StorageFailed),
    }
}

fn put_outcome(writer: &mut FrameWriter, envelope: u32, outcome: Outcome) {
    match outcome {
        Outcome::Receipt(receipt) | Outcome::Stored(receipt) => {
            put_receipt(writer, envelope, receipt);
        }
        Outcome::Done => {}
        Outcome::Failed(code) => put_refusal(writer, envelope, code),
    }
}

/// The envelopes of a request, and the memory their bodies were granted until this is dropped.
struct Batch {
    arrived: Vec<Arrived>,
    granted: Option<OwnedSemaphorePermit>,
}

/// Reads the envelopes of a request, with the bodies that follow them.
async fn read_envelopes(
    shared: &Shared,
    reader: &mut FrameReader,
    count: u32,
) -> Result<Batch, Refused> {
    let count = usize::try_from(count).map_err(|_| WireCode::TooLarge)?;
    if count == 0 || count > limits::BATCH_ENVELOPES_MAX {
        return Err(Refused(WireCode::TooLarge));
    }
    let free_bytes = shared
        .space
        .free_bytes(shared.disk.as_ref(), &shared.data, shared.now_ms());
    if free_bytes < shared.config.disk_reserve_bytes {
        return Err(Refused(WireCode::DiskFull));
    }
    let mut batch = Batch {
        arrived: Vec::with_capacity(count),
        granted: None,
    };
    let (mut body_bytes, mut large_bytes) = (0, 0);
    for number in 0..count {
        let (arrived, large) =
            read_envelope(shared, reader, count - number, &mut batch.granted).await?;
        let length = arrived.envelope.body.len();
        body_bytes += length;
        large_bytes += if large { length } else { 0 };
        if body_bytes > limits::REQUEST_BODY_BYTES_MAX {
            return Err(Refused(WireCode::TooLarge));
        }
        batch.arrived.push(arrived);
    }
    if let Some(granted) = &mut batch.granted {
        // What the request turned out not to need is free for others.
        drop(granted.split(granted.num_permits().saturating_sub(large_bytes)));
    }
    Ok(batch)
}

/// One envelope, of so many that are still `due`, and whether its body came in a frame of its own.
async fn read_envelope(
    shared: &Shared,
    reader: &mut FrameReader,
    due: usize,
    granted: &mut Option<OwnedSemaphorePermit>,
) -> Result<(Arrived, bool), Refused> {
    let bytes = reader.expect(FrameType::Envelope, FRAME_WAIT).await?;
    let mut envelope: v1::Envelope =
        v1::Envelope::decode(bytes.clone()).map_err(|_| WireCode::Malformed)?;
    let Some(length) = intake::body_follows(&envelope).map_err(WireCode::from)? else {
        return Ok((Arrived { envelope, bytes }, false));
    };
    if !envelope.body.is_empty() || length > limits::BODY_BYTES_MAX {
        return Err(Refused(WireCode::Malformed));
    }
    if granted.is_none() {
        *granted = Some(grant(shared, due).await?);
    }
    envelope.body = reader.expect(FrameType::Body, FRAME_WAIT).await?;
    let bytes = envelope.encode_to_vec().into();
    Ok((Arrived { envelope, bytes }, true))
}

/// Memory for all bodies that a request may still bring, at once: requests that each held a part
/// and waited for the rest would wait for each other.
async fn grant(shared: &Shared, due: usize) -> Result<OwnedSemaphorePermit, Refused> {
    let bytes = (due * limits::BODY_BYTES_MAX).min(limits::REQUEST_BODY_BYTES_MAX);
    let permits = u32::try_from(bytes).map_err(|_| WireCode::TooLarge)?;
    let budget = shared.body_budget.clone().acquire_many_owned(permits);
    let budget = tokio::time::timeout(FRAME_WAIT, budget)
        .await
        .map_err(|_| WireCode::RetryAfter)?;
    Ok(budget.map_err(|_| WireCode::ShuttingDown)?)
}

/// Judges envelopes off the network thread, with one cache for their batch signatures.
async fn judge(
    shared: &Shared,
    arrived: Vec<Arrived>,
    verdict: impl Fn(&Intake, Arrived, u64, &mut BatchCache) -> Verdict + Send + 'static,
) -> Result<Vec<Verdict>, Refused> {
    let (intake, now_ms) = (shared.intake.clone(), shared.now_ms());
    let work = move || {
        let mut cache = BatchCache::new();
        let judged = arrived
            .into_iter()
            .map(|arrived| verdict(&intake, arrived, now_ms, &mut cache));
        judged.collect()
    };
    let judged = shared.workers.run(work).await;
    judged.ok_or(Refused(WireCode::ShuttingDown))
}
