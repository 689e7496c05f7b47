//! Takes sessions and serves their requests, one task per stream.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_client::transport::{FrameReader, FrameWriter, Greeter, Session, Stream, TransportError};
use frex_proto::{
    error::WireCode,
    roster::Peer,
    sign::{BatchCache, SignError},
    v1,
    wire::FrameType,
};
use prost::Message;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    admission::Place,
    frames::FRAME_WAIT,
    intake::{Arrived, Heading, Intake, Verdict},
    ledger::Outcome,
    shared::Shared,
    witness::{gossip, judge},
};

mod arrive;
mod attachment;
mod deliver;
mod erase;
mod inbox;
mod outbox;
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
    let peer = session.peer().peer.clone();
    tracing::debug!(peer = %peer.id(), role = peer.role().as_str_name(), "session opened");
    if let Peer::Node(node) = &peer {
        shared.bells.ring_peer(node);
    }
    shared.greeted(session.peer());
    match shared.admission.enter(&peer, shared.now_ms()) {
        Ok(place) => {
            let session = session.metered(place.share().clone());
            exchange(&shared, &session, &Arc::new(place)).await;
        }
        Err(code) => {
            shared.metrics.refused(code);
            session.close(code);
        }
    }
    shared.metrics.session(false);
}

/// Answers the requests of one session until it ends.
async fn exchange(shared: &Arc<Shared>, session: &Session, place: &Arc<Place>) {
    let mut streams = JoinSet::new();
    let mut distrusted = pin!(distrusted(shared, session));
    loop {
        tokio::select! {
            biased;
            () = shared.stopped() => break,
            refused = &mut distrusted => {
                tracing::info!(peer = %session.peer().peer.id(), code = %refused, "session cut");
                session.close(refused);
                break;
            }
            Some(_) = streams.join_next() => {}
            stream = session.accept() => match stream {
                Ok(stream) if place.opened(shared.now_ms()) => {
                    streams.spawn(answer(shared.clone(), session.clone(), place.clone(), stream));
                }
                Ok(_) => cut_off(shared, session),
                Err(_) => break,
            },
        }
    }
    if !session.is_closed() {
        // What was accepted is answered before the connection goes.
        while streams.join_next().await.is_some() {}
        session.close(WireCode::ShuttingDown);
    }
}

/// Ends the session of a peer that floods. Spec: ADM-12.
fn cut_off(shared: &Shared, session: &Session) {
    tracing::warn!(peer = %session.peer().peer.id(), "session cut: too many requests were opened or broken off");
    shared.metrics.refused(WireCode::Flooding);
    session.close(WireCode::Flooding);
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
async fn answer(shared: Arc<Shared>, session: Session, place: Arc<Place>, stream: Stream) {
    let Stream {
        mut writer,
        mut reader,
    } = stream;
    let peer = session.peer().clone();
    let id = peer.peer.id();
    let mut held = 0;
    let outcome = async {
        let request: v1::Request = reader.message(FrameType::Request, FRAME_WAIT).await?;
        let request = request.request.ok_or(Refused(WireCode::Malformed))?;
        if !matches!(request, v1::request::Request::GetSeen(_)) {
            shared.has_looked_back().await;
        }
        use v1::PeerRole::{Client, Node};
        use v1::request::Request as R;
        match (request, peer.peer.role()) {
            (R::Submit(submit), Client) => {
                submit::serve(&shared, id, &submit, &mut reader, &mut writer).await
            }
            (R::Inbox(inbox), Client) => {
                held = inbox::serve(&shared, id, &inbox, &mut reader, &mut writer).await?;
                Ok(())
            }
            (R::GetReceipts(get), Client) => query::receipts(&shared, id, &get, &mut writer),
            (R::GetSigned(get), Client) => query::signed(&shared, id, &get, &mut writer),
            (R::ListOutbox(list), Client) => outbox::list(&shared, id, &list, &mut writer).await,
            (R::OrderOutbox(order), Client) => outbox::order(&shared, id, &order).await,
            (R::EraseMessage(one), Client) => erase::serve(&shared, id, &one, &mut writer).await,
            (R::HoldMessage(hold), Client) => erase::hold(&shared, id, &hold).await,
            (R::ListErasures(list), Client) => erase::list(&shared, id, &list, &mut writer),
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
            (R::GetProof(get), role) => query::proof(&shared, &get, role, &mut writer).await,
            (R::GetCheckpoint(get), role) => {
                query::checkpoint(&shared, &get, role, &mut writer).await
            }
            (R::GetRoster(get), _) => roster::tell(&shared, &get, &mut writer).await,
            (R::OfferRoster(offer), _) => {
                roster::hear(&shared, &offer, &mut reader, &mut writer).await
            }
            (R::AddCheckpoint(add), Node) => put(
                &mut writer,
                judge::add_checkpoint(&shared, id, &add.body).await,
            ),
            (R::GetSeen(get), _) => put(&mut writer, judge::newest_seen(&shared, &get)),
            (R::OfferEvidence(offer), _) => Ok(gossip::hear(&shared, &offer).await?),
            _ => Err(Refused(WireCode::WrongRole)),
        }
    }
    .await;
    if reader.was_broken_off() && !place.broken_off(shared.now_ms()) && !session.is_closed() {
        cut_off(&shared, &session);
    }
    if let Err(refused) = outcome {
        refuse(&shared, refused, &mut reader, &mut writer);
    }
    put_answer(&mut writer, 0, v1::answer::Answer::Done(v1::Done { held }));
    // A peer that went away has no use for the answer; what was recorded stands.
    let _ = writer.finish().await;
}

fn refuse(shared: &Shared, refused: Refused, reader: &mut FrameReader, writer: &mut FrameWriter) {
    let Refused(code) = refused;
    shared.metrics.refused(code);
    put_refusal(writer, 0, code);
    reader.stop(code);
}

/// One envelope of a request that is to be judged.
struct Waiting {
    /// Its position in the request.
    number: u32,
    heading: Heading,
    arrived: Arrived,
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

fn put(
    writer: &mut FrameWriter,
    answer: Result<v1::answer::Answer, WireCode>,
) -> Result<(), Refused> {
    put_answer(writer, 0, answer?);
    Ok(())
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
    put_refusal_until(writer, envelope, code, retry_after_ms);
}

fn put_refusal_until(writer: &mut FrameWriter, envelope: u32, code: WireCode, retry_after_ms: u64) {
    let refusal = v1::Refusal {
        code: code as u32,
        retry_after_ms,
    };
    put_answer(writer, envelope, v1::answer::Answer::Refusal(refusal));
}

/// Names the node that a delivery was given up to, and why. Spec: DEL-46.
fn put_given_up(writer: &mut FrameWriter, envelope: u32, node: String, code: u32) {
    let given_up = v1::GivenUp { node, code };
    put_answer(writer, envelope, v1::answer::Answer::GivenUp(given_up));
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

/// Judges envelopes off the network thread, with one cache for their batch signatures. Gives each
/// verdict with the position of its envelope.
async fn judge(
    shared: &Shared,
    waiting: Vec<Waiting>,
    verdict: impl Fn(&Intake, Arrived, u64, &mut BatchCache) -> Verdict + Send + 'static,
) -> Result<Vec<(u32, Verdict)>, Refused> {
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let lane = arrive::most_urgent(&waiting);
    let (intake, now_ms) = (shared.intake.clone(), shared.now_ms());
    let work = move || {
        let mut cache = BatchCache::new();
        let judged = waiting.into_iter().map(|waiting| {
            let Waiting {
                number, arrived, ..
            } = waiting;
            (number, verdict(&intake, arrived, now_ms, &mut cache))
        });
        judged.collect()
    };
    let judged = shared.workers.run_for(lane, work).await;
    judged.ok_or(Refused(WireCode::ShuttingDown))
}
