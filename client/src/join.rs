//! The connection over which a newcomer and an inviting member meet: one question, one answer.
//!
//! It is a protocol of its own, `frex-join/1`, on a socket of its own: nothing that listens for
//! members of the federation ever talks to strangers. The keys of the connection are pinned by
//! the invitation. What is said is judged by [`frex_proto::join`]. Spec: chapter JOI.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    join::{AnswerError, EXPORTER_LABEL, Invitation},
    keys::{SigningError, SigningKey},
    label::Hash,
    wire::FrameError,
};
use quinn::{Connection, RecvStream};
use tokio::time::timeout;

use crate::{
    environment::Environment,
    transport::{Socket, TransportError},
};

mod door;
mod knock;
#[cfg(test)]
mod tests;

pub use door::{Door, DoorConfig};
pub use knock::knock;

/// Silence after which a peer is given up.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Who knocks, and where.
pub struct Newcomer {
    /// The invitation in hand.
    pub invitation: Invitation,
    /// The member's id.
    pub member: String,
    /// The card that it hands in.
    pub card: Bytes,
    /// The identity key of that card.
    pub identity: Arc<SigningKey>,
    /// Clock and randomness.
    pub environment: Environment,
    /// Where packets go out; none: a socket toward the invitation's address.
    pub socket: Option<Socket>,
}

/// Judges what a newcomer sent over the connection whose exporter gave this hash.
pub type Judge = Arc<dyn Fn(&[u8], &Hash) -> Reply + Send + Sync>;

/// What a newcomer is answered, and after which pause: one that guesses has to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The encoded answer.
    pub answer: Bytes,
    /// How long it is held back.
    pub pause: Duration,
}

/// Why a knock came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnockError {
    /// The invitation names no address that resolves.
    #[error("the address in the invitation cannot be resolved")]
    NoAddress,
    /// The invitation is over by our own clock.
    #[error("the invitation is past its expiry")]
    Expired,
    /// Nobody listens, or the connection broke.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Another listener answers than the invitation names.
    #[error("whoever answers at the address does not hold the key that the invitation names")]
    OtherListener,
    /// The inviting side refused, or its answer is not sound.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// Our own identity key does not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl From<KnockError> for WireCode {
    fn from(error: KnockError) -> Self {
        match error {
            KnockError::NoAddress => Self::Unreachable,
            KnockError::Expired => Self::Expired,
            KnockError::Transport(error) => error.into(),
            KnockError::OtherListener => Self::NotTrusted,
            KnockError::Answer(error) => error.into(),
            KnockError::Signing(error) => error.into(),
        }
    }
}

/// What both ends, and nobody else, know of their connection. Spec: JOI-5.
fn channel(connection: &Connection) -> Result<Hash, TransportError> {
    let mut channel = [0; 32];
    connection
        .export_keying_material(&mut channel, EXPORTER_LABEL, &[])
        .map_err(|_| TransportError::Protocol)?;
    Ok(channel)
}

/// Everything that the peer sends on a stream, up to its end. Memory grows with what arrives.
async fn read_message(
    stream: &mut RecvStream,
    bytes_max: usize,
) -> Result<Vec<u8>, TransportError> {
    let mut message = Vec::new();
    loop {
        let piece = timeout(SILENCE_MAX, stream.read_chunk(usize::MAX, true))
            .await
            .map_err(|_| TransportError::TimedOut)??;
        let Some(piece) = piece else {
            return Ok(message);
        };
        if piece.bytes.len() > bytes_max - message.len() {
            return Err(FrameError::TooLong.into());
        }
        message.extend_from_slice(&piece.bytes);
    }
}
