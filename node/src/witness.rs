//! Nodes witness one another: each cosigns what others' logs say of themselves, so that none can show
//! two histories, and none can lose its own without being told.
//!
//! As a witness ([`judge`]) a node keeps the newest head of each log that asks it, and cosigns only
//! what extends that. As a log ([`ask`]) it brings its heads to its witnesses. Before it signs
//! anything it asks them what they have seen of it ([`seen`]). Spec: chapter WIT.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use frex_client::transport::{self, Session, Stream, TransportError};
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    v1::{self, answer::Answer},
    wire::{FrameError, FrameType},
};

use crate::{delivery::dial, shared::Shared};

pub mod ask;
pub mod evidence;
pub mod judge;
pub mod seen;

/// How long another node may take to answer a question about logs.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What a node is as a witness of others.
#[derive(Debug)]
pub struct Witness {
    /// Its name in cosignatures.
    pub name: String,
    /// What it cosigns with.
    pub key: SigningKey,
}

/// Sessions with nodes that are asked about logs, kept for the next question.
#[derive(Default)]
pub struct Links(Mutex<BTreeMap<String, Session>>);

/// Since when a head of the own log waits for its witnesses.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Since when, milliseconds; none where the newest head is final, or none is asked for.
    #[must_use]
    pub fn waits_since_ms(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|since_ms| *since_ms > 0)
    }

    fn note(&self, is_final: bool, now_ms: u64) {
        let since_ms = match (is_final, self.waits_since_ms()) {
            (true, _) => 0,
            (false, Some(since_ms)) => since_ms,
            (false, None) => now_ms,
        };
        self.0.store(since_ms, Ordering::Relaxed);
    }
}

/// Why a question about a log has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It was not answered.
    #[error("not answered: {0}")]
    Lost(WireCode),
    /// It was refused.
    #[error("refused: {0}")]
    Refused(WireCode),
}

impl From<TransportError> for AskError {
    fn from(error: TransportError) -> Self {
        Self::Lost(WireCode::from(&error))
    }
}

impl From<AskError> for WireCode {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost(code) | AskError::Refused(code) => code,
        }
    }
}

impl Links {
    /// The first answer of `node` to one question.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        shared: &Shared,
        node: &str,
        request: v1::request::Request,
    ) -> Result<Answer, AskError> {
        let request = v1::Request {
            request: Some(request),
        };
        if let Some(session) = self.usable(shared, node) {
            match ask_on(&session, &request).await {
                // The node may have been started again: its former session is nobody's.
                Err(AskError::Lost(_)) => session.close(WireCode::TimedOut),
                answered => return answered,
            }
        }
        let session = dial::dial(shared, node).await?;
        self.links().insert(node.to_owned(), session.clone());
        ask_on(&session, &request).await
    }

    /// The session of before, if it may still be used.
    fn usable(&self, shared: &Shared, node: &str) -> Option<Session> {
        let session = self.links().get(node).cloned()?;
        match shared.check(&session) {
            Ok(()) => (!session.is_closed()).then_some(session),
            Err(code) => {
                session.close(code);
                None
            }
        }
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask_on(session: &Session, request: &v1::Request) -> Result<Answer, AskError> {
    let priority = transport::priority(v1::Lane::Control);
    let Stream { writer, mut reader } = session.request(request, priority).await?;
    writer.finish().await?;
    let answer: v1::Answer = reader.message(FrameType::Answer, ANSWER_WAIT).await?;
    match answer.answer {
        Some(Answer::Refusal(refusal)) => {
            Err(AskError::Refused(WireCode::from_number(refusal.code)))
        }
        Some(answer) => Ok(answer),
        None => Err(TransportError::from(FrameError::Malformed).into()),
    }
}

/// The answer that a node gives of a log: a checkpoint and nothing else.
#[must_use]
pub fn of_log(checkpoint: Bytes) -> Answer {
    Answer::Checkpoint(v1::Checkpoint {
        checkpoint,
        consistency: Vec::new(),
    })
}
