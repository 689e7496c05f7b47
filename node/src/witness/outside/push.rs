//! Brings the own log's heads to outside witnesses, and publishes what they cosigned. Nothing waits for
//! them, and they make nothing final. Spec: WIT-22.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::error::WireCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Outside, SIZE_TYPE};
use crate::{
    shared::Shared,
    witness::ask::{self, Head},
};

/// Between two rounds: what is logged meanwhile is cosigned together.
const PAUSE: Duration = Duration::from_secs(5);
/// How soon a witness that did not cosign is asked again though nothing is logged.
const AGAIN: Duration = Duration::from_secs(60);
/// How long one call may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Calls to one witness in one round: it says what it holds, and is led from there.
const TRIES: usize = 3;
/// Answers are some signature lines, or a number.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why an outside witness has not cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum PushError {
    /// It is not reached, or does not speak HTTP.
    #[error("not answered")]
    Lost,
    /// It refuses.
    #[error("refused with status {0}")]
    Refused(StatusCode),
    /// It says that it has seen more of this log than there is. That is its word alone.
    #[error("it says that it has seen {0} entries, more than there are")]
    Ahead(u64),
    /// What it answers is no cosignature by its key.
    #[error("answered with no cosignature of its own")]
    Unsigned,
    /// The published log cannot be read just now.
    #[error("the log is not published so far")]
    Unpublished,
}

/// Brings heads to outside witnesses until the node stops.
pub async fn run(shared: Arc<Shared>) {
    let settings = shared.config.outside_witnesses.iter();
    let outsides: Vec<Outside> = settings.filter_map(|one| one.read().ok()).collect();
    if outsides.is_empty() {
        return;
    }
    let mut log = shared.bells.log();
    let mut sizes = BTreeMap::new();
    loop {
        log.mark_unchanged();
        let complete = tokio::select! {
            biased;
            () = shared.stopped() => return,
            complete = round(&shared, &outsides, &mut sizes) => complete,
        };
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            _ = log.changed() => {}
            () = tokio::time::sleep(AGAIN), if !complete => {}
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Asks each once; says whether all have cosigned.
async fn round(
    shared: &Arc<Shared>,
    outsides: &[Outside],
    sizes: &mut BTreeMap<String, u64>,
) -> bool {
    let head = match ask::head(shared, &shared.roster()).await {
        Ok(Some(head)) => head,
        Ok(None) => return true,
        Err(code) => {
            tracing::warn!(%code, "the log's head cannot be brought to outside witnesses");
            return false;
        }
    };
    let mut complete = true;
    for outside in outsides {
        let name = &outside.verifier.name;
        let known = sizes.get(name).copied().unwrap_or(0);
        let brought = match bring(shared, outside, &head, known).await {
            Ok(note) => publish(shared, note).await,
            Err(error) => {
                // Who is not reached comes back by itself; who refuses has a reason.
                match error {
                    PushError::Lost | PushError::Unpublished => {
                        tracing::debug!(witness = %name, %error, "an outside witness is not reached");
                    }
                    _ => {
                        tracing::warn!(witness = %name, %error, "an outside witness has not cosigned");
                    }
                }
                complete = false;
                continue;
            }
        };
        match brought {
            Ok(()) => {
                sizes.insert(name.clone(), head.checkpoint.size);
            }
            Err(code) => {
                tracing::warn!(%code, "what an outside witness cosigned is not published");
                complete = false;
            }
        }
    }
    complete
}

/// The head with the witness's cosignature.
async fn bring(
    shared: &Shared,
    outside: &Outside,
    head: &Head,
    known: u64,
) -> Result<Bytes, PushError> {
    let mut known = known;
    for _ in 0..TRIES {
        let body = ask::body(shared, head, known).ok_or(PushError::Unpublished)?;
        let call = tokio::time::timeout(ANSWER_WAIT, call(outside, body));
        let (status, is_size, answer) = call.await.map_err(|_| PushError::Lost)??;
        match status {
            StatusCode::OK => return cosigned(outside, &head.note, &answer),
            StatusCode::CONFLICT if is_size => {
                let held = std::str::from_utf8(&answer).ok();
                let held = held.and_then(|text| text.trim_end().parse().ok());
                known = held.ok_or(PushError::Refused(status))?;
                if known > head.checkpoint.size {
                    return Err(PushError::Ahead(known));
                }
            }
            status => return Err(PushError::Refused(status)),
        }
    }
    Err(PushError::Refused(StatusCode::CONFLICT))
}

/// One call: its status, whether the answer is a size, and the answer.
async fn call(outside: &Outside, body: Bytes) -> Result<(StatusCode, bool, Bytes), PushError> {
    let lost = |_| PushError::Lost;
    let stream = TcpStream::connect(&outside.authority).await;
    let io = TokioIo::new(stream.map_err(|_| PushError::Lost)?);
    let (mut sender, connection) = http1::handshake(io).await.map_err(lost)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(&outside.path)
        .header(header::HOST, &outside.authority)
        .body(Full::new(body))
        .map_err(|_| PushError::Lost)?;
    let response = sender.send_request(request).await.map_err(lost)?;
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_size = kind.is_some_and(|kind| kind == SIZE_TYPE);
    let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let answer = answer.collect().await.map_err(|_| PushError::Lost)?;
    Ok((status, is_size, answer.to_bytes()))
}

/// The head with those lines of the answer that are the witness's cosignature; lines of other keys are
/// left out.
fn cosigned(outside: &Outside, note: &Bytes, answer: &[u8]) -> Result<Bytes, PushError> {
    let text = std::str::from_utf8(answer).map_err(|_| PushError::Unsigned)?;
    let own = outside.verifier.own_lines(text);
    let joined = outside.verifier.add(note, own.as_bytes());
    joined.map_err(|_| PushError::Unsigned)
}

/// Files are written: nothing for the thread of the network.
async fn publish(shared: &Shared, note: Bytes) -> Result<(), WireCode> {
    let ledger = shared.ledger.clone();
    let published = shared.workers.run(move || ledger.publish_cosigned(&note));
    let published = published.await.ok_or(WireCode::ShuttingDown)?;
    published.map_err(|error| WireCode::from(&error))
}
