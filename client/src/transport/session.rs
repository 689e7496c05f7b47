//! A session and the exchange of Hellos that makes one.

use std::{fmt, sync::Arc, time::Duration};

use frex_proto::{error::WireCode, session::SessionPeer, v1, wire::FrameType};
use prost::Message;
use quinn::{Connection, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{FrameReader, FrameWriter, Greeting, TransportError, close_code, memory::Share};
use crate::tls::{cert, config::Limits};

/// A connection whose two ends know each other. Clones share it; it closes with the last one.
#[derive(Clone)]
pub struct Session {
    peer: Arc<SessionPeer>,
    peer_key: [u8; 32],
    hello: Arc<v1::Hello>,
    connection: Connection,
    large_frames: Arc<Semaphore>,
    large_requests: Arc<Semaphore>,
    share: Option<Share>,
    _wide: Option<Arc<OwnedSemaphorePermit>>,
}

/// One request with its answers: a stream both ways.
#[derive(Debug)]
pub struct Stream {
    /// Frames out.
    pub writer: FrameWriter,
    /// Frames in.
    pub reader: FrameReader,
}

impl Session {
    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> &SessionPeer {
        &self.peer
    }

    /// The Ed25519 key that the peer has proved to hold.
    #[must_use]
    pub fn peer_key(&self) -> &[u8; 32] {
        &self.peer_key
    }

    /// What the peer said of itself.
    #[must_use]
    pub fn hello(&self) -> &v1::Hello {
        &self.hello
    }

    /// Opens a stream with `request` as its first frame, not yet flushed, so that what follows
    /// travels in the same packets. Waits while the peer has as many streams as it allows.
    /// `priority` as [`priority`](super::priority) gives it.
    ///
    /// # Errors
    /// [`TransportError`] if the session has ended.
    ///
    /// # Panics
    /// If the request exceeds its cap.
    pub async fn request(
        &self,
        request: &v1::Request,
        priority: i32,
    ) -> Result<Stream, TransportError> {
        let (send, receive) = self.connection.open_bi().await?;
        if priority != 0 {
            // A new stream is open, so its priority can be set.
            let _ = send.set_priority(priority);
        }
        let mut stream = Stream {
            writer: FrameWriter::in_turn(send, Arc::clone(&self.large_requests)),
            reader: FrameReader::new(receive, Arc::clone(&self.large_frames), None),
        };
        stream.writer.put_message(FrameType::Request, request);
        Ok(stream)
    }

    /// The next stream that the peer opens; its first frame is a request.
    ///
    /// # Errors
    /// [`TransportError`] when the session has ended.
    pub async fn accept(&self) -> Result<Stream, TransportError> {
        let (send, receive) = self.connection.accept_bi().await?;
        let share = self.share.as_ref();
        Ok(Stream {
            writer: FrameWriter::new(send, share),
            reader: FrameReader::new(receive, Arc::clone(&self.large_frames), share),
        })
    }

    /// The same session; what its peer's requests take up counts from now on. Spec: ADM-8.
    #[must_use]
    pub fn metered(mut self, share: Share) -> Self {
        self.share = Some(share);
        self
    }

    /// Ends the session for both sides. Spec: TRN-7.
    pub fn close(&self, code: WireCode) {
        close(&self.connection, code);
    }

    /// Waits for the end of the session and says why it ended.
    pub async fn closed(&self) -> TransportError {
        self.connection.closed().await.into()
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.close_reason().is_some()
    }

    /// The present estimate of the way to the peer and back.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.connection.rtt()
    }

    #[cfg(test)]
    pub(super) fn raw_connection(&self) -> Connection {
        self.connection.clone()
    }
}

impl Session {
    /// Lets the peer have as much under way as the limits allow one of a few, as long as the
    /// session lasts. Spec: ADM-10.
    pub(super) fn widen(mut self, limits: &Limits, turn: OwnedSemaphorePermit) -> Self {
        let connection = &self.connection;
        connection.set_receive_window(VarInt::from_u32(limits.connection_window_bytes));
        connection.set_send_window(limits.send_window_bytes.into());
        connection.set_max_concurrent_bi_streams(VarInt::from_u32(limits.streams_max));
        self._wide = Some(Arc::new(turn));
        self
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The dialler's side: our Hello, then theirs. Spec: TRN-1.
pub(super) async fn greet(
    connection: Connection,
    greeting: &Greeting,
    limits: &Limits,
) -> Result<Session, TransportError> {
    let exchange = async {
        let (send, receive) = connection.open_bi().await?;
        write_hello(send, &(greeting.make)(None)).await?;
        let mut reader = FrameReader::new(receive, Arc::new(Semaphore::new(0)), None);
        let hello = read_hello(&mut reader, limits).await?;
        let (peer, key) = judge(&connection, greeting, &hello)?;
        Ok((peer, key, hello))
    };
    settle(&connection, limits, exchange).await
}

/// The listener's side: their Hello, then ours. Spec: TRN-1.
pub(super) async fn welcome(
    connection: Connection,
    greeting: &Greeting,
    limits: &Limits,
) -> Result<Session, TransportError> {
    let exchange = async {
        let (send, receive) = connection.accept_bi().await?;
        let mut reader = FrameReader::new(receive, Arc::new(Semaphore::new(0)), None);
        let hello = read_hello(&mut reader, limits).await?;
        let (peer, key) = judge(&connection, greeting, &hello)?;
        write_hello(send, &(greeting.make)(Some(&peer))).await?;
        Ok((peer, key, hello))
    };
    settle(&connection, limits, exchange).await
}

/// Makes a session of a finished exchange, or tells the peer why there is none.
async fn settle(
    connection: &Connection,
    limits: &Limits,
    exchange: impl Future<Output = Result<(SessionPeer, [u8; 32], v1::Hello), TransportError>>,
) -> Result<Session, TransportError> {
    let outcome = timeout(limits.handshake_timeout, exchange)
        .await
        .unwrap_or(Err(TransportError::TimedOut));
    match outcome {
        Ok((peer, peer_key, hello)) => Ok(Session {
            peer: Arc::new(peer),
            peer_key,
            hello: Arc::new(hello),
            connection: connection.clone(),
            large_frames: Arc::new(Semaphore::new(limits.large_frames_max)),
            large_requests: Arc::new(Semaphore::new(limits.large_requests_max)),
            share: None,
            _wide: None,
        }),
        Err(error) => {
            close(connection, WireCode::from(&error));
            Err(error)
        }
    }
}

async fn write_hello(send: quinn::SendStream, hello: &v1::Hello) -> Result<(), TransportError> {
    if hello.encoded_len() > FrameType::Hello.payload_bytes_max() {
        return Err(TransportError::HelloTooLong);
    }
    let mut writer = FrameWriter::new(send, None);
    writer.put_message(FrameType::Hello, hello);
    writer.finish().await
}

async fn read_hello(
    reader: &mut FrameReader,
    limits: &Limits,
) -> Result<v1::Hello, TransportError> {
    reader
        .message(FrameType::Hello, limits.handshake_timeout)
        .await
}

fn judge(
    connection: &Connection,
    greeting: &Greeting,
    hello: &v1::Hello,
) -> Result<(SessionPeer, [u8; 32]), TransportError> {
    let key = peer_key(connection).ok_or(TransportError::NotTrusted)?;
    let peer = (greeting.judge)(hello, &key).map_err(TransportError::HelloRefused)?;
    Ok((peer, key))
}

/// The Ed25519 key that the handshake has proved the peer to hold.
fn peer_key(connection: &Connection) -> Option<[u8; 32]> {
    let chain = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    cert::public_key(chain.first()?)
}

fn close(connection: &Connection, code: WireCode) {
    connection.close(close_code(code), code.info().name.as_bytes());
}
