//! The inviting side: a listener that is there only while an invitation is open.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use frex_proto::{
    error::WireCode,
    join::{self, ALPN},
    keys::SigningKey,
    limits,
    wire::FrameError,
};
use quinn::{Connection, Incoming, SendStream};
use tokio::{sync::Semaphore, time::timeout};

use super::{Judge, Reply, SILENCE_MAX, channel, read_message};
use crate::{
    environment::Environment,
    tls::{Identity, KeyExchange, config::Limits},
    transport::{Endpoint, EndpointConfig, Socket, TransportError, close_code},
};

/// Strangers that are listened to at once. Spec: JOI-15.
const VISITORS_MAX: usize = 8;
/// How long a stranger may take to say what it wants.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The slowest progress of an answer that is waited for, bytes per second.
const SLOWEST_BYTES_PER_SECOND: usize = 4096;

/// What a door is made of.
pub struct DoorConfig {
    /// Where it listens.
    pub socket: Socket,
    /// The key that the invitation names.
    pub key: SigningKey,
    /// Clock and randomness.
    pub environment: Environment,
}

/// Listens for those who have an invitation. Clones share it.
#[derive(Clone)]
pub struct Door {
    endpoint: Endpoint,
    handshake_timeout: Duration,
    visitors: Arc<Semaphore>,
}

impl Door {
    /// Opens the socket. Anybody may finish the handshake, with any key: what they then have to
    /// prove is more. Spec: JOI-1, JOI-3.
    ///
    /// # Errors
    /// [`TransportError::Bind`], [`TransportError::Tls`].
    pub fn open(config: &DoorConfig) -> Result<Self, TransportError> {
        let limits = Limits {
            streams_max: 1,
            stream_window_bytes: 128 * 1024,
            connection_window_bytes: 128 * 1024,
            incoming_max: 64,
            ..Limits::default()
        };
        let handshake_timeout = limits.handshake_timeout;
        let endpoint = EndpointConfig {
            socket: config.socket.clone(),
            identity: Identity::new(&config.key)?,
            key_check: Arc::new(|_| true),
            key_exchange: KeyExchange::HybridOnly,
            limits,
            listen: true,
            rng_seed: config.environment.random.endpoint_seed(),
        };
        Ok(Self {
            endpoint: Endpoint::bind_for(ALPN, endpoint)?,
            handshake_timeout,
            visitors: Arc::new(Semaphore::new(VISITORS_MAX)),
        })
    }

    /// The address of the socket.
    ///
    /// # Errors
    /// [`TransportError::Bind`] if the socket does not know it.
    pub fn local_addr(&self) -> Result<SocketAddr, TransportError> {
        self.endpoint.local_addr()
    }

    /// Answers whoever knocks, until the door is closed. No visitor waits for another.
    /// Spec: JOI-15.
    pub async fn serve(&self, judge: Judge) {
        while let Some(incoming) = self.endpoint.incoming().await {
            if !incoming.remote_address_validated() {
                // An address that is not validated can always be asked; otherwise it is refused.
                if let Err(error) = incoming.retry() {
                    error.into_incoming().refuse();
                }
                continue;
            }
            let Ok(turn) = Arc::clone(&self.visitors).try_acquire_owned() else {
                incoming.refuse();
                continue;
            };
            let (judge, patience) = (Arc::clone(&judge), self.handshake_timeout);
            tokio::spawn(async move {
                if let Err(error) = visit(incoming, &judge, patience).await {
                    tracing::debug!("a visitor got no answer: {error}");
                }
                drop(turn);
            });
        }
    }

    /// Ends every visit and takes no further one.
    pub async fn close(&self, code: WireCode) {
        self.endpoint.close(code);
        self.endpoint.wait_idle().await;
    }
}

async fn visit(
    incoming: Incoming,
    judge: &Judge,
    handshake_timeout: Duration,
) -> Result<(), TransportError> {
    let connection = timeout(handshake_timeout, incoming.accept()?)
        .await
        .map_err(|_| TransportError::TimedOut)??;
    let outcome = converse(&connection, judge).await;
    let code = match &outcome {
        Ok(()) => WireCode::ShuttingDown,
        Err(error) => error.into(),
    };
    connection.close(close_code(code), &[]);
    outcome
}

async fn converse(connection: &Connection, judge: &Judge) -> Result<(), TransportError> {
    let channel = channel(connection)?;
    let question = async {
        let (send, mut receive) = connection.accept_bi().await?;
        let question = read_message(&mut receive, limits::JOIN_REQUEST_BYTES_MAX).await;
        Ok::<_, TransportError>((send, question))
    };
    let (send, question) = timeout(QUESTION_TIMEOUT, question)
        .await
        .map_err(|_| TransportError::TimedOut)??;
    let reply = match question {
        Ok(question) => judge(&question, &channel),
        Err(TransportError::Frame(FrameError::TooLong)) => Reply {
            answer: join::refusal(WireCode::TooLarge).into(),
            pause: Duration::ZERO,
        },
        Err(error) => return Err(error),
    };
    tokio::time::sleep(reply.pause).await;
    let slowest = reply.answer.len() / SLOWEST_BYTES_PER_SECOND;
    let allowed = SILENCE_MAX + Duration::from_secs(slowest as u64);
    timeout(allowed, answer(send, &reply))
        .await
        .map_err(|_| TransportError::TimedOut)?
}

/// Sends an answer and waits until the visitor has it.
async fn answer(mut send: SendStream, reply: &Reply) -> Result<(), TransportError> {
    send.write_all(&reply.answer).await?;
    send.finish().map_err(|_| TransportError::StreamClosed)?;
    // A visitor that leaves once it has everything is as good as one that acknowledges it.
    let _ = send.stopped().await;
    Ok(())
}
