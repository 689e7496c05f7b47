//! Sessions: authenticated connections on which requests travel as streams of frames.
//!
//! A connection is a session only when both Hellos were exchanged and judged. TLS alone does not
//! suffice: a TLS 1.3 dialler believes itself connected before the listener has judged its key.
//! Every wait has an end and every buffer a bound. Spec: chapter TRN.

use std::{io, sync::Arc};

use frex_proto::{
    error::WireCode,
    session::SessionPeer,
    v1,
    wire::{FrameError, FrameType},
};
use quinn::{ConnectionError, TransportErrorCode, VarInt};

mod accept;
mod endpoint;
mod frames;
mod greeting;
pub mod memory;
mod prefixes;
mod seeded;
mod session;
#[cfg(test)]
mod tests;

pub use accept::Counters;
pub use endpoint::{Endpoint, EndpointConfig, Socket, udp_socket};
pub use frames::{FrameReader, FrameWriter};
pub use greeting::{Greeter, RosterHandle};
pub use session::{Session, Stream};

/// Writes our Hello. A listener answers, so it knows the peer; a dialler speaks first.
pub type HelloMaker = Arc<dyn Fn(Option<&SessionPeer>) -> v1::Hello + Send + Sync>;

/// Judges a peer's Hello against the key that its connection was authenticated with.
pub type HelloJudge =
    Arc<dyn Fn(&v1::Hello, &[u8; 32]) -> Result<SessionPeer, WireCode> + Send + Sync>;

/// How one side of a connection presents itself and judges the other. Spec: TRN-1.
#[derive(Clone)]
pub struct Greeting {
    /// Writes our Hello.
    pub make: HelloMaker,
    /// Judges theirs.
    pub judge: HelloJudge,
}

/// One frame as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it carries.
    pub kind: FrameType,
    /// The bytes, at most the cap of the type.
    pub payload: bytes::Bytes,
}

/// Urgency of a stream among those of its connection: higher goes first. Spec: TRN-6.
#[must_use]
pub const fn priority(lane: v1::Lane) -> i32 {
    match lane {
        v1::Lane::Urgent => 3,
        v1::Lane::Control => 2,
        v1::Lane::Normal | v1::Lane::Unspecified => 1,
        v1::Lane::Bulk => 0,
    }
}

/// Why a session or one of its streams does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The local socket cannot be had.
    #[error("cannot bind the local address")]
    Bind(#[source] io::Error),
    /// The transport key or limits make no configuration.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// Nothing answered at the address.
    #[error("nothing answers at the peer's address")]
    Unreachable,
    /// The connection broke.
    #[error("the connection broke")]
    Lost,
    /// Those who are served have taken up the memory that there is.
    #[error("there is no room for the request now")]
    NoRoom,
    /// The peer has no room for another connection.
    #[error("the peer takes no further connection now")]
    Busy,
    /// One of the two keys is not listed at the other end.
    #[error("the transport key of one side is not listed by the other")]
    NotTrusted,
    /// No common key exchange, protocol or version.
    #[error("no common key exchange, protocol or version")]
    NoCommonGround,
    /// The peer broke the transport protocol.
    #[error("the peer broke the transport protocol")]
    Protocol,
    /// We refused the peer's Hello.
    #[error("the peer's hello was refused: {0}")]
    HelloRefused(WireCode),
    /// Our own Hello is over its cap.
    #[error("the own hello is longer than its frame allows")]
    HelloTooLong,
    /// The peer closed the connection.
    #[error("the peer closed the connection: {0}")]
    Closed(WireCode),
    /// The peer gave up this stream.
    #[error("the peer gave up the stream: {0}")]
    StreamRefused(WireCode),
    /// The stream ended where a frame, or the rest of one, was due.
    #[error("the stream ended too early")]
    Ended,
    /// The stream was finished or reset on this side before.
    #[error("the stream is closed on this side")]
    StreamClosed,
    /// Not the frame that belongs here.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer stopped talking or listening.
    #[error("the peer did not go on in time")]
    TimedOut,
}

impl From<TransportError> for WireCode {
    fn from(error: TransportError) -> Self {
        Self::from(&error)
    }
}

impl From<&TransportError> for WireCode {
    fn from(error: &TransportError) -> Self {
        use TransportError as E;
        match error {
            E::Bind(_) | E::Tls(_) => Self::BadConfig,
            E::Unreachable | E::Lost => Self::Unreachable,
            E::Busy | E::NoRoom => Self::RetryAfter,
            E::NotTrusted => Self::NotTrusted,
            E::NoCommonGround => Self::Unsupported,
            E::Protocol | E::Ended => Self::Malformed,
            E::HelloTooLong | E::Frame(FrameError::TooLong) => Self::TooLarge,
            E::Frame(_) => Self::Malformed,
            E::HelloRefused(code) | E::Closed(code) | E::StreamRefused(code) => *code,
            E::StreamClosed => Self::ShuttingDown,
            E::TimedOut => Self::TimedOut,
        }
    }
}

impl From<ConnectionError> for TransportError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => Self::Closed(wire_code(close.error_code)),
            ConnectionError::ConnectionClosed(close) => by_quic_code(close.error_code),
            ConnectionError::TransportError(error) => by_quic_code(error.code),
            ConnectionError::VersionMismatch => Self::NoCommonGround,
            ConnectionError::LocallyClosed => Self::Closed(WireCode::ShuttingDown),
            ConnectionError::TimedOut | ConnectionError::Reset | ConnectionError::CidsExhausted => {
                Self::Lost
            }
        }
    }
}

impl From<quinn::ReadError> for TransportError {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::Reset(code) => Self::StreamRefused(wire_code(code)),
            quinn::ReadError::ConnectionLost(error) => error.into(),
            quinn::ReadError::ClosedStream
            | quinn::ReadError::IllegalOrderedRead
            | quinn::ReadError::ZeroRttRejected => Self::StreamClosed,
        }
    }
}

impl From<quinn::WriteError> for TransportError {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::Stopped(code) => Self::StreamRefused(wire_code(code)),
            quinn::WriteError::ConnectionLost(error) => error.into(),
            quinn::WriteError::ClosedStream | quinn::WriteError::ZeroRttRejected => {
                Self::StreamClosed
            }
        }
    }
}

/// The number under which a code closes connections and streams. Spec: TRN-7.
pub(crate) fn close_code(code: WireCode) -> VarInt {
    VarInt::from_u32(code as u32)
}

/// 0 is what QUIC itself sends when a program drops a stream or connection without a word.
fn wire_code(number: VarInt) -> WireCode {
    match u32::try_from(number.into_inner()) {
        Ok(0) => WireCode::ShuttingDown,
        Ok(number) => WireCode::from_number(number),
        Err(_) => WireCode::Unknown,
    }
}

fn by_quic_code(code: TransportErrorCode) -> TransportError {
    /// Alerts about a certificate: bad, unsupported, revoked, expired, unknown, unknown
    /// authority, access denied, signature, missing.
    const CERTIFICATE_ALERTS: [u64; 9] = [42, 43, 44, 45, 46, 48, 49, 51, 116];
    /// Handshake failure, protocol version, insufficient security, application protocol.
    const NO_COMMON_ALERTS: [u64; 4] = [40, 70, 71, 120];

    if code == TransportErrorCode::CONNECTION_REFUSED {
        return TransportError::Busy;
    }
    // On a slow and lossy way the listener gives up a handshake that takes too long, and the
    // address token of a Retry comes back too late: the next dial may do better.
    if matches!(
        code,
        TransportErrorCode::APPLICATION_ERROR | TransportErrorCode::INVALID_TOKEN
    ) {
        return TransportError::Lost;
    }
    match u64::from(code).checked_sub(0x100) {
        Some(alert) if CERTIFICATE_ALERTS.contains(&alert) => TransportError::NotTrusted,
        Some(alert) if NO_COMMON_ALERTS.contains(&alert) => TransportError::NoCommonGround,
        _ => TransportError::Protocol,
    }
}
