//! The dialler's side: asks to be told, and offers what it holds.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{
    delivery::Backoff,
    error::WireCode,
    label::Hash,
    limits, v1,
    wire::{FrameError, FrameType},
};
use rand_core::Rng;

use super::{FollowError, Membership, transfer};
use crate::transport::{self, Session, Stream, TransportError};

/// How long a peer may keep a question open.
const WAIT_MS: u32 = 60_000;
/// How long an answer may take beyond that.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

impl Membership {
    /// Learns from the peer of a session, and tells it, for as long as the session lives.
    /// Spec: DIS-4, DIS-7.
    ///
    /// # Errors
    /// Always ends with one: the session's end, or a peer that refuses.
    pub async fn follow(
        &self,
        session: &Session,
        rng: &mut (dyn Rng + Send),
    ) -> Result<(), FollowError> {
        let mut changes = self.roster().changes();
        let ours = *changes.borrow_and_update().state_sha256();
        // A peer that says nothing holds what we hold.
        let mut theirs = ours;
        let mut offered = None;
        let mut useless = Backoff::default();
        loop {
            let ours = *changes.borrow_and_update().state_sha256();
            if ours != theirs && offered != Some(ours) {
                offered = Some(ours);
                theirs = self.offer(session).await?;
                continue;
            }
            let (state, bundle) = tokio::select! {
                biased;
                _ = changes.changed() => continue,
                asked = self.ask(session, &theirs, WAIT_MS) => match asked? {
                    Some(said) => said,
                    None => continue,
                },
            };
            let told_before = state == theirs;
            theirs = state;
            let taken = self.take(bundle).await;
            // News that another peer brought first are no fault of this one.
            let known = theirs == *self.roster().current().state_sha256();
            if matches!(taken, Ok(true)) || (known && !told_before) {
                useless.alive();
                continue;
            }
            // A peer that has nothing to tell must not keep us busy, nor keep our news from it.
            let pause_ms = 100 + useless.failed(v1::Lane::Urgent, rng);
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
            }
        }
    }

    /// Asks once and takes what comes, without waiting for anything that may come later.
    ///
    /// # Errors
    /// [`FollowError`]. A bundle that is not taken is no error here: the roster in force stays.
    pub async fn refresh(&self, session: &Session) -> Result<bool, FollowError> {
        let ours = *self.roster().current().state_sha256();
        match self.ask(session, &ours, 0).await? {
            Some((_, bundle)) => Ok(matches!(self.take(bundle).await, Ok(true))),
            None => Ok(false),
        }
    }

    /// Tells the peer what is held; gives the state that it then holds. Spec: DIS-7.
    ///
    /// # Errors
    /// [`FollowError`].
    pub async fn offer(&self, session: &Session) -> Result<Hash, FollowError> {
        let roster = self.roster().current();
        let request = v1::request::Request::OfferRoster(v1::OfferRoster {
            state_sha256: Bytes::copy_from_slice(roster.state_sha256()),
            bundle_bytes: roster.bytes().len() as u64,
        });
        let mut stream = open(session, request).await?;
        stream.writer.flush().await?;
        let state = match answer(&mut stream.reader, ANSWER_WAIT).await? {
            None => return Ok(*roster.state_sha256()),
            Some(said) => state_of(&said)?,
        };
        if state == *roster.state_sha256() {
            return Ok(state);
        }
        transfer::send(&mut stream.writer, roster.bytes()).await?;
        let Stream { writer, mut reader } = stream;
        writer.finish().await?;
        let settled = answer(&mut reader, ANSWER_WAIT).await?;
        settled.as_ref().map_or(Ok(state), state_of)
    }

    async fn ask(
        &self,
        session: &Session,
        known: &Hash,
        wait_ms: u32,
    ) -> Result<Option<(Hash, Bytes)>, FollowError> {
        let request = v1::request::Request::GetRoster(v1::GetRoster {
            state_sha256: Bytes::copy_from_slice(known),
            wait_ms,
        });
        let Stream { writer, mut reader } = open(session, request).await?;
        writer.finish().await?;
        let wait = ANSWER_WAIT + Duration::from_millis(wait_ms.min(limits::WAIT_MS_MAX).into());
        match answer(&mut reader, wait).await? {
            None => Ok(None),
            Some(said) => {
                let bundle = transfer::receive(&mut reader, said.bundle_bytes).await?;
                Ok(Some((state_of(&said)?, bundle)))
            }
        }
    }
}

async fn open(session: &Session, request: v1::request::Request) -> Result<Stream, TransportError> {
    let request = v1::Request {
        request: Some(request),
    };
    session
        .request(&request, transport::priority(v1::Lane::Control))
        .await
}

/// The state that the peer tells; none if it is done without one.
async fn answer(
    reader: &mut transport::FrameReader,
    wait: Duration,
) -> Result<Option<v1::RosterState>, FollowError> {
    let answer: v1::Answer = reader.message(FrameType::Answer, wait).await?;
    match answer.answer {
        Some(v1::answer::Answer::Roster(state)) => Ok(Some(state)),
        Some(v1::answer::Answer::Done(_)) => Ok(None),
        Some(v1::answer::Answer::Refusal(refusal)) => {
            Err(FollowError::Refused(WireCode::from_number(refusal.code)))
        }
        _ => Err(TransportError::from(FrameError::Malformed).into()),
    }
}

fn state_of(said: &v1::RosterState) -> Result<Hash, FollowError> {
    said.state_sha256
        .as_ref()
        .try_into()
        .map_err(|_| TransportError::from(FrameError::Malformed).into())
}
