//! As a witness of whoever asks by HTTP: the same judgement, and the codes of C2SP tlog-witness.
//! Spec: WIT-21.

use std::sync::Arc;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    limits,
    log::{AddCheckpoint, Checkpoint, Origin},
    v1::answer::Answer,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use tokio::net::TcpListener;

use super::{ADD_CHECKPOINT, SIZE_TYPE};
use crate::{
    http::{self, response},
    shared::Shared,
    witness::judge,
};

const TEXT: &str = "text/plain; charset=utf-8";

/// Serves until the node stops.
pub async fn run(shared: Arc<Shared>, listener: TcpListener) {
    let serving = Arc::clone(&shared);
    let answer = move |request| {
        let shared = Arc::clone(&serving);
        async move { respond(&shared, request).await }
    };
    http::serve(listener, shared.stopped(), answer).await;
}

async fn respond(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != ADD_CHECKPOINT {
        return response(StatusCode::NOT_FOUND, TEXT, "try POST /add-checkpoint\n");
    }
    if request.method() != Method::POST {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only POST\n");
    }
    let body = Limited::new(request.into_body(), limits::ADD_CHECKPOINT_BYTES_MAX);
    let Ok(body) = body.collect().await else {
        return response(
            StatusCode::PAYLOAD_TOO_LARGE,
            TEXT,
            "too large or cut short\n",
        );
    };
    match judged(shared, &body.to_bytes()).await {
        Ok(Answer::Cosigned(cosigned)) => response(StatusCode::OK, TEXT, cosigned.line),
        Ok(Answer::Checkpoint(held)) => {
            let size = Checkpoint::of_note(&held.checkpoint).map_or(0, |head| head.size);
            response(StatusCode::CONFLICT, SIZE_TYPE, format!("{size}\n"))
        }
        Ok(_) => refused(WireCode::StorageFailed),
        Err(code) => refused(code),
    }
}

/// Whoever brings it, the checkpoint says whose log it is, and its signature that it is so.
async fn judged(shared: &Shared, body: &[u8]) -> Result<Answer, WireCode> {
    let asked = AddCheckpoint::parse(body)?;
    let head = Checkpoint::of_note(&asked.checkpoint).map_err(|_| WireCode::Malformed)?;
    let origin = Origin::parse(&head.origin).map_err(|_| WireCode::NotTrusted)?;
    if asked.old_size > head.size {
        return Err(WireCode::Malformed);
    }
    judge::add_checkpoint(shared, origin.node, body).await
}

fn refused(code: WireCode) -> Response<Full<Bytes>> {
    let status = match code {
        WireCode::Malformed | WireCode::TooLarge => StatusCode::BAD_REQUEST,
        WireCode::BadSignature => StatusCode::FORBIDDEN,
        WireCode::NotTrusted | WireCode::WrongSender | WireCode::WrongRole => StatusCode::NOT_FOUND,
        WireCode::Forked => StatusCode::CONFLICT,
        WireCode::BadProof => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    response(status, TEXT, format!("{}\n", code.info().name))
}
