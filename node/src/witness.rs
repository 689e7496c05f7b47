//! Nodes witness one another: each cosigns what others' logs say of themselves, so that none can show
//! two histories, and none can lose its own without being told.
//!
//! As a witness ([`judge`]) a node keeps the newest head of each log that asks it, and cosigns only
//! what extends that. As a log ([`ask`]) it brings its heads to its witnesses. Before it signs
//! anything it asks them what they have seen of it ([`seen`]). Heads of all other logs that pass by
//! ([`heads`]) are compared with what is known ([`compare`]), and evidence goes to everybody
//! ([`gossip`]). Spec: chapter WIT.

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
    v1::{self, Lane, answer::Answer},
    wire::{FrameError, FrameType},
};

use crate::{delivery::dial, shared::Shared};

pub mod ask;
pub mod compare;
pub mod evidence;
pub mod gossip;
pub mod heads;
pub mod judge;
pub mod outside;
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

    /// Whether new envelopes of a lane are taken while the log has waited for its witnesses, given how
    /// long it may; 0: for ever. Bulk stops after a quarter of that. Spec: WIT-18.
    #[must_use]
    pub fn takes(&self, lane: Lane, max_ms: u64, now_ms: u64) -> bool {
        let Some(since_ms) = self.waits_since_ms().filter(|_| max_ms > 0) else {
            return true;
        };
        let waited_ms = now_ms.saturating_sub(since_ms);
        match lane {
            Lane::Urgent | Lane::Control => true,
            Lane::Normal | Lane::Unspecified => waited_ms < max_ms,
            Lane::Bulk => waited_ms < max_ms / 4,
        }
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
    let priority = transport::priority(Lane::Control);
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

#[cfg(test)]
mod tests {
    use super::*;

    // WIT-18: bulk stops first, then what is normal, and what is urgent never.
    #[test]
    fn a_log_that_waits_too_long_takes_less() {
        let progress = Progress::default();
        let takes = |max_ms, now_ms| {
            let lanes = [Lane::Bulk, Lane::Normal, Lane::Control, Lane::Urgent];
            lanes.map(|lane| progress.takes(lane, max_ms, now_ms))
        };
        assert_eq!(takes(400, 10_000), [true; 4]);
        progress.note(false, 1000);
        progress.note(false, 1200);
        assert_eq!(takes(400, 1099), [true; 4]);
        assert_eq!(takes(400, 1100), [false, true, true, true]);
        assert_eq!(takes(400, 1400), [false, false, true, true]);
        assert_eq!(takes(0, 10_000), [true; 4]);
        progress.note(true, 1500);
        assert_eq!(takes(400, 10_000), [true; 4]);
    }
}
