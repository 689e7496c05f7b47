//! Frames: one type byte, a big-endian 32-bit length, that many bytes.
//!
//! The cap of a frame's type is checked before anything is allocated for it.
//! Spec: chapter WIR.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::limits;

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 5;

/// What a frame carries. Spec: WIR-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// [`v1::Hello`](crate::v1::Hello).
    Hello = 1,
    /// [`v1::Request`](crate::v1::Request).
    Request = 2,
    /// [`v1::Envelope`](crate::v1::Envelope).
    Envelope = 3,
    /// The body of the envelope before it, as raw bytes.
    Body = 4,
    /// [`v1::Answer`](crate::v1::Answer).
    Answer = 5,
    /// [`v1::Item`](crate::v1::Item).
    Item = 6,
    /// [`v1::Confirm`](crate::v1::Confirm).
    Confirm = 7,
    /// The hashes of an attachment's sealed chunks, 32 bytes each.
    Hashes = 8,
    /// One sealed chunk of an attachment behind its number, which has 4 bytes.
    Chunk = 9,
}

impl FrameType {
    /// The largest payload of this type, bytes.
    #[must_use]
    pub const fn payload_bytes_max(self) -> usize {
        match self {
            Self::Hello => limits::HELLO_FRAME_BYTES_MAX,
            Self::Request => limits::REQUEST_FRAME_BYTES_MAX,
            Self::Envelope | Self::Item => limits::ENVELOPE_FRAME_BYTES_MAX,
            Self::Body => limits::BODY_BYTES_MAX,
            Self::Answer => limits::ANSWER_FRAME_BYTES_MAX,
            Self::Confirm => limits::CONFIRM_FRAME_BYTES_MAX,
            Self::Hashes => limits::HASHES_FRAME_BYTES_MAX,
            Self::Chunk => limits::CHUNK_FRAME_BYTES_MAX,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Request,
            3 => Self::Envelope,
            4 => Self::Body,
            5 => Self::Answer,
            6 => Self::Item,
            7 => Self::Confirm,
            8 => Self::Hashes,
            9 => Self::Chunk,
            _ => return None,
        })
    }
}

/// Why bytes from a peer are not the frame that belongs here. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No such frame type.
    #[error("unknown frame type")]
    UnknownType,
    /// Longer than its type allows.
    #[error("frame longer than its type allows")]
    TooLong,
    /// Another type was due.
    #[error("unexpected frame type")]
    Unexpected,
    /// The payload is not the message its type says.
    #[error("frame payload does not decode")]
    Malformed,
}

/// Judges a frame header: which type, how many payload bytes follow. Spec: WIR-1, WIR-3.
///
/// # Errors
/// [`FrameError::UnknownType`], [`FrameError::TooLong`].
pub fn parse_header(header: [u8; HEADER_BYTES]) -> Result<(FrameType, usize), FrameError> {
    let [kind, length @ ..] = header;
    let kind = FrameType::from_byte(kind).ok_or(FrameError::UnknownType)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| FrameError::TooLong)?;
    if length > kind.payload_bytes_max() {
        return Err(FrameError::TooLong);
    }
    Ok((kind, length))
}

/// Decodes a payload as the message that is due. Spec: WIR-4.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn decode<M: Message + Default>(payload: Bytes) -> Result<M, FrameError> {
    M::decode(payload).map_err(|_| FrameError::Malformed)
}

/// Appends one frame to `out`.
///
/// # Panics
/// If the message exceeds its type's cap: callers build messages from checked parts.
pub fn put_message(out: &mut BytesMut, kind: FrameType, message: &impl Message) {
    let length = message.encoded_len();
    put_header(out, kind, length);
    message
        .encode(out)
        .expect("BytesMut grows to what the message needs");
}

/// Appends the header of a frame to `out`; so many bytes of payload must follow.
///
/// # Panics
/// If `length` exceeds the type's cap.
pub fn put_header(out: &mut BytesMut, kind: FrameType, length: usize) {
    assert!(length <= kind.payload_bytes_max(), "frame over its own cap");
    out.put_u8(kind as u8);
    out.put_u32(u32::try_from(length).expect("caps are below 4 GiB"));
}

#[cfg(test)]
mod tests {
    use super::*;

    // WIR-3, LIM-40: the cap is judged from the header alone.
    #[test]
    fn header_over_the_cap_is_refused_before_its_payload() {
        let mut header = [FrameType::Hello as u8, 0, 0, 0, 0];
        header[1..].copy_from_slice(&12_289_u32.to_be_bytes());
        assert_eq!(parse_header(header), Err(FrameError::TooLong));
    }

    // WIR-2
    #[test]
    fn unknown_type_is_refused() {
        assert_eq!(parse_header([0, 0, 0, 0, 0]), Err(FrameError::UnknownType));
        assert_eq!(parse_header([10, 0, 0, 0, 0]), Err(FrameError::UnknownType));
    }
}
