//! A bundle on a stream: BODY frames, one after another. Spec: DIS-5.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use frex_proto::{
    limits,
    wire::{FrameError, FrameType},
};

use crate::transport::{FrameReader, FrameWriter, TransportError};

/// Sent at once: so much room there is for any peer, also where others take all they can (LIM-64).
const SENT_BYTES: usize = 128 * 1024;
/// How long the next frame of a bundle may take.
const FRAME_WAIT: Duration = Duration::from_secs(20);

pub(super) async fn send(writer: &mut FrameWriter, bundle: &Bytes) -> Result<(), TransportError> {
    let mut rest = bundle.clone();
    while !rest.is_empty() {
        let chunk = rest.split_to(rest.len().min(SENT_BYTES));
        writer.put_bytes(FrameType::Body, chunk);
        writer.flush().await?;
    }
    Ok(())
}

/// Memory grows with what has arrived, never with what was announced.
pub(super) async fn receive(
    reader: &mut FrameReader,
    bundle_bytes: u64,
) -> Result<Bytes, TransportError> {
    let due = usize::try_from(bundle_bytes).unwrap_or(usize::MAX);
    if due > limits::ROSTER_BUNDLE_BYTES_MAX {
        return Err(FrameError::TooLong.into());
    }
    let mut bundle = BytesMut::new();
    while bundle.len() < due {
        let chunk = reader.expect(FrameType::Body, FRAME_WAIT).await?;
        if chunk.len() > limits::ROSTER_CHUNK_BYTES_MAX {
            return Err(FrameError::TooLong.into());
        }
        if chunk.is_empty() || bundle.len() + chunk.len() > due {
            return Err(FrameError::Malformed.into());
        }
        bundle.extend_from_slice(&chunk);
    }
    Ok(bundle.freeze())
}
