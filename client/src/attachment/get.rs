//! Fetching an attachment from the home node. Spec: ATT-19.

use bytes::Bytes;
use frex_proto::{
    attachment::{Hashes, Held, Listed},
    error::WireCode,
    v1,
    wire::{self, FrameError, FrameType},
};

use super::{ANSWER_WAIT, Get, StreamError, show};
use crate::transport::{Frame, Session, Stream, TransportError};

impl Get {
    /// Asks for what is not `held` of the attachment at this position of the signed manifest.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn begin(
        session: &Session,
        shown: v1::Envelope,
        attachment: u32,
        listed: Listed,
        held: Held,
    ) -> Result<Self, StreamError> {
        let get = v1::GetAttachment {
            attachment,
            held: Bytes::copy_from_slice(held.bytes()),
        };
        let get = v1::request::Request::GetAttachment(get);
        let Stream { writer, mut reader } = show(session, get, &shown).await?;
        writer.finish().await?;
        let frame = reader.next(ANSWER_WAIT).await?;
        let frame = frame.ok_or(TransportError::Ended)?;
        let hashes = match frame.kind {
            FrameType::Hashes => Hashes::parse(listed, &frame.payload)?,
            _ => return Err(refusal(frame)),
        };
        Ok(Self {
            reader,
            hashes,
            held,
        })
    }

    /// The next chunk that was not held, judged; nothing once all are there.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn next(&mut self) -> Result<Option<(u32, Bytes)>, StreamError> {
        if self.held.is_whole() {
            return Ok(None);
        }
        let frame = self.reader.next(ANSWER_WAIT).await?;
        let frame = frame.ok_or(TransportError::Ended)?;
        if frame.kind != FrameType::Chunk {
            return Err(refusal(frame));
        }
        let (number, sealed) = self.hashes.read_chunk(&frame.payload)?;
        if self.held.has(number) {
            return Err(TransportError::from(FrameError::Unexpected).into());
        }
        self.held.set(number);
        Ok(Some((number, sealed)))
    }
}

/// What a frame says that stands where a list or a chunk was due.
fn refusal(frame: Frame) -> StreamError {
    let answer = match frame.kind {
        FrameType::Answer => wire::decode::<v1::Answer>(frame.payload),
        _ => Err(FrameError::Unexpected),
    };
    match answer.map(|answer| answer.answer) {
        Ok(Some(v1::answer::Answer::Refusal(refusal))) => {
            StreamError::Refused(WireCode::from_number(refusal.code))
        }
        Ok(_) => TransportError::from(FrameError::Malformed).into(),
        Err(error) => TransportError::from(error).into(),
    }
}
