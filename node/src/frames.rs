//! How envelopes stand in frames, whichever way they go.

use std::time::Duration;

use bytes::Bytes;
use frex_client::transport::FrameWriter;
use frex_proto::{limits, v1, wire::FrameType};

/// How long a peer may take to send the next frame that is due.
pub const FRAME_WAIT: Duration = Duration::from_secs(20);

/// Adds an envelope as it travels: a large body in a frame of its own. Spec: WIR-5.
pub fn put_envelope(writer: &mut FrameWriter, mut envelope: v1::Envelope) {
    let body = if envelope.body.len() > limits::INLINE_BODY_BYTES_MAX {
        std::mem::take(&mut envelope.body)
    } else {
        Bytes::new()
    };
    writer.put_message(FrameType::Envelope, &envelope);
    if !body.is_empty() {
        writer.put_bytes(FrameType::Body, body);
    }
}
