//! The listener's side: tells what it holds, takes what is offered.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{error::WireCode, limits, roster::Roster, v1, wire::FrameType};
use tokio::time::Instant;

use super::{Membership, transfer};
use crate::transport::{FrameReader, FrameWriter};

impl Membership {
    /// Answers as soon as another state is held than the asker's, or not at all within its wait.
    /// Spec: DIS-4.
    ///
    /// # Errors
    /// The code with which the request is refused.
    pub async fn tell(
        &self,
        request: &v1::GetRoster,
        writer: &mut FrameWriter,
    ) -> Result<(), WireCode> {
        let wait = Duration::from_millis(request.wait_ms.min(limits::WAIT_MS_MAX).into());
        let deadline = Instant::now() + wait;
        let mut changes = self.roster().changes();
        loop {
            let roster = changes.borrow_and_update().clone();
            if roster.state_sha256()[..] != request.state_sha256[..] {
                put_state(writer, &roster, roster.bytes().len() as u64);
                return Ok(transfer::send(writer, roster.bytes()).await?);
            }
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                // Nothing else came up in time.
                _ => return Ok(()),
            }
        }
    }

    /// Takes what a peer offers, and tells what is held then. Spec: DIS-2, DIS-3, DIS-7.
    ///
    /// # Errors
    /// The code with which the offer is refused; the roster in force stays.
    pub async fn hear(
        &self,
        request: &v1::OfferRoster,
        reader: &mut FrameReader,
        writer: &mut FrameWriter,
    ) -> Result<(), WireCode> {
        if request.bundle_bytes > limits::ROSTER_BUNDLE_BYTES_MAX as u64 {
            return Err(WireCode::TooLarge);
        }
        let held = self.roster().current();
        put_state(writer, &held, 0);
        if held.state_sha256()[..] == request.state_sha256[..] {
            return Ok(());
        }
        writer.flush().await?;
        let bundle = transfer::receive(reader, request.bundle_bytes).await?;
        self.take(bundle)
            .await
            .map_err(|error| WireCode::from(&error))?;
        put_state(writer, &self.roster().current(), 0);
        Ok(())
    }
}

fn put_state(writer: &mut FrameWriter, roster: &Roster, bundle_bytes: u64) {
    let state = v1::RosterState {
        state_sha256: Bytes::copy_from_slice(roster.state_sha256()),
        bundle_bytes,
    };
    let answer = v1::Answer {
        envelope: 0,
        answer: Some(v1::answer::Answer::Roster(state)),
    };
    writer.put_message(FrameType::Answer, &answer);
}
