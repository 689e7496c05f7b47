//! Attachments on a session: one stream for each, chunk after chunk, and only what is missing.
//!
//! [`Put`] brings one to a node, for a client as for another node; [`Get`] fetches one. Both hold
//! one chunk at a time, and both go on where an earlier stream was cut off. Spec: ATT-13, ATT-19.

use std::time::Duration;

use frex_proto::{
    attachment::{Hashes, Held, TransferError},
    error::WireCode,
    v1,
    wire::FrameType,
};

use crate::transport::{self, FrameReader, FrameWriter, Session, Stream, TransportError};

mod get;
mod put;

/// How long the other side may take to judge what it was shown, and to sync what it was given.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// An attachment on its way to a node.
pub struct Put {
    writer: FrameWriter,
    reader: FrameReader,
    held: Held,
    /// The node has all of it before it has read all that was sent: some came over another stream.
    done: bool,
}

/// An attachment on its way from a node.
pub struct Get {
    reader: FrameReader,
    hashes: Hashes,
    held: Held,
}

/// Opens a stream for the request, and shows the envelope that the attachment belongs to. What is
/// written waits to be flushed.
async fn show(
    session: &Session,
    request: v1::request::Request,
    shown: &v1::Envelope,
) -> Result<Stream, StreamError> {
    let request = v1::Request {
        request: Some(request),
    };
    let priority = transport::priority(v1::Lane::Bulk);
    let mut stream = session.request(&request, priority).await?;
    stream.writer.put_message(FrameType::Envelope, shown);
    Ok(stream)
}

/// Why an attachment does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The node refuses.
    #[error("the node refuses: {0}")]
    Refused(WireCode),
    /// The connection broke, or the node broke the protocol.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The node sent something else than what the manifest lists.
    #[error(transparent)]
    Content(#[from] TransferError),
}

impl From<StreamError> for WireCode {
    fn from(error: StreamError) -> Self {
        Self::from(&error)
    }
}

impl From<&StreamError> for WireCode {
    fn from(error: &StreamError) -> Self {
        match error {
            StreamError::Refused(code) => *code,
            StreamError::Transport(error) => error.into(),
            StreamError::Content(error) => (*error).into(),
        }
    }
}
