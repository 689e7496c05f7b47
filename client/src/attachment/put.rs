//! Bringing an attachment to a node. Spec: ATT-13.

use bytes::Bytes;
use frex_proto::{
    attachment::{Held, Listed, chunk_frame},
    error::WireCode,
    v1,
    wire::{FrameError, FrameType},
};

use super::{ANSWER_WAIT, Put, StreamError, show};
use crate::transport::{FrameReader, Session, Stream, TransportError};

impl Put {
    /// Shows the node the envelope, as [`shown`](frex_proto::envelope::shown) makes it, and hears
    /// what it holds of the attachment at this position of it.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn begin(
        session: &Session,
        shown: v1::Envelope,
        attachment: u32,
        listed: Listed,
    ) -> Result<Self, StreamError> {
        let put = v1::PutAttachment { attachment };
        let put = v1::request::Request::PutAttachment(put);
        let Stream {
            mut writer,
            mut reader,
        } = show(session, put, &shown).await?;
        writer.flush().await?;
        let answer: v1::Answer = reader.message(FrameType::Answer, ANSWER_WAIT).await?;
        let held = match answer.answer {
            Some(v1::answer::Answer::Attachment(state)) => Held::parse(listed, &state.held)?,
            Some(v1::answer::Answer::Refusal(refusal)) => {
                return Err(StreamError::Refused(WireCode::from_number(refusal.code)));
            }
            _ => return Err(TransportError::from(FrameError::Malformed).into()),
        };
        Ok(Self {
            writer,
            reader,
            held,
            done: false,
        })
    }

    /// What the node held at first.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Sends the hashes of all chunks: once, before the first chunk.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn hashes(&mut self, hashes: Bytes) -> Result<(), StreamError> {
        self.send(FrameType::Hashes, hashes).await
    }

    /// Sends a sealed chunk that the node does not hold.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn chunk(&mut self, number: u32, sealed: &[u8]) -> Result<(), StreamError> {
        self.send(FrameType::Chunk, chunk_frame(number, sealed))
            .await
    }

    /// Waits until the node has all of it, durable.
    ///
    /// # Errors
    /// [`StreamError`].
    pub async fn finish(mut self) -> Result<(), StreamError> {
        if self.done {
            return Ok(());
        }
        match self.writer.finish().await {
            Ok(()) | Err(TransportError::StreamRefused(_)) => heard(&mut self.reader).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn send(&mut self, kind: FrameType, payload: Bytes) -> Result<(), StreamError> {
        if self.done {
            return Ok(());
        }
        self.writer.put_bytes(kind, payload);
        match self.writer.flush().await {
            Ok(()) => Ok(()),
            // The node has said why on the way back.
            Err(TransportError::StreamRefused(_)) => {
                heard(&mut self.reader).await?;
                self.done = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn heard(reader: &mut FrameReader) -> Result<(), StreamError> {
    let answer: v1::Answer = reader.message(FrameType::Answer, ANSWER_WAIT).await?;
    match answer.answer {
        Some(v1::answer::Answer::Done(_)) => Ok(()),
        Some(v1::answer::Answer::Refusal(refusal)) => {
            Err(StreamError::Refused(WireCode::from_number(refusal.code)))
        }
        _ => Err(TransportError::from(FrameError::Malformed).into()),
    }
}
