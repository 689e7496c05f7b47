//! The local end of all connections: one socket, one identity, one policy.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::Arc,
};

use frex_proto::error::WireCode;
use quinn::{AsyncUdpSocket, Connection, Incoming, Runtime, TokioRuntime};
use socket2::SockRef;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{
    Greeting, Session, TransportError,
    accept::{Counters, Doorkeeper, Wide},
    close_code,
    prefixes::Prefixes,
    seeded::Seeded,
    session,
};
use crate::tls::{
    ALPN, Identity, KeyCheck, KeyExchange,
    config::{self, Limits, MTU_BYTES_MAX},
    provider,
};

/// Smallest receive buffer per packet: what fits an Ethernet frame.
const PAYLOAD_BYTES_MIN: u16 = 1472;

/// Asked of the system for each socket and direction; it may give less. The usual default holds
/// some twenty packets: a request with a body overflows it at once, and each loss costs a timeout.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Where packets go out and come in.
#[derive(Debug, Clone)]
pub enum Socket {
    /// A UDP socket at this address; port 0 takes any free one.
    Udp(SocketAddr),
    /// A socket of the caller's making, as simulations use it.
    Abstract(Arc<dyn AsyncUdpSocket>),
}

impl Socket {
    /// A socket from which a program that only dials reaches `peer`. On the loopback interface it
    /// stays there, where packets may be larger.
    #[must_use]
    pub fn toward(peer: SocketAddr) -> Self {
        let local: IpAddr = match (peer.ip().is_loopback(), peer.is_ipv4()) {
            (true, true) => Ipv4Addr::LOCALHOST.into(),
            (true, false) => Ipv6Addr::LOCALHOST.into(),
            (false, true) => Ipv4Addr::UNSPECIFIED.into(),
            (false, false) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self::Udp(SocketAddr::new(local, 0))
    }
}

/// What an endpoint is made of.
pub struct EndpointConfig {
    /// Where packets go out and come in.
    pub socket: Socket,
    /// Our transport key.
    pub identity: Identity,
    /// Which keys a peer may have.
    pub key_check: KeyCheck,
    /// Which key exchanges are offered and taken.
    pub key_exchange: KeyExchange,
    /// What a connection and the endpoint may hold.
    pub limits: Limits,
    /// Whether connections are taken, or only dialled.
    pub listen: bool,
    /// Fixes the endpoint's own random choices and keys. For simulations only.
    pub rng_seed: Option<[u8; 32]>,
}

/// The local end of all connections. Clones share it.
#[derive(Clone)]
pub struct Endpoint {
    quinn: quinn::Endpoint,
    client: quinn::ClientConfig,
    limits: Arc<Limits>,
    half_open: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Endpoint {
    /// Opens the socket. Must run inside a tokio runtime, which then drives the connections; a
    /// current-thread runtime is two to three times faster than a shared one.
    ///
    /// # Errors
    /// [`TransportError::Bind`], [`TransportError::Tls`].
    pub fn bind(config: EndpointConfig) -> Result<Self, TransportError> {
        Self::bind_for(ALPN, config)
    }

    /// As [`bind`](Self::bind), for another application protocol, whose connections are not
    /// sessions.
    pub(crate) fn bind_for(alpn: &[u8], config: EndpointConfig) -> Result<Self, TransportError> {
        let mut limits = config.limits;
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
        let socket = match config.socket {
            Socket::Abstract(socket) => socket,
            Socket::Udp(address) => {
                if address.ip().is_loopback() {
                    limits.mtu_bytes_max = MTU_BYTES_MAX;
                }
                udp_socket(address)
                    .and_then(|socket| runtime.wrap_udp_socket(socket))
                    .map_err(TransportError::Bind)?
            }
        };
        let mut seeded = config.rng_seed.map(Seeded::new);
        let provider = match &mut seeded {
            Some(seeded) => seeded.provider(config.key_exchange),
            None => provider::provider(config.key_exchange),
        };
        let identity = &config.identity;
        let check = Arc::clone(&config.key_check);
        let mut client = config::client_for(alpn, identity, check, provider.clone(), &limits)?;
        let mut server = config
            .listen
            .then(|| config::server_for(alpn, identity, config.key_check, provider, &limits))
            .transpose()?;
        let mut settings = quinn::EndpointConfig::default();
        if let Some(seeded) = &mut seeded {
            seeded.apply(&mut settings, &mut client, server.as_mut());
        }
        settings
            .max_udp_payload_size(limits.mtu_bytes_max.clamp(PAYLOAD_BYTES_MIN, MTU_BYTES_MAX))
            .map_err(|_| TransportError::Tls(crate::tls::TlsError::Configuration))?;
        let quinn = quinn::Endpoint::new_with_abstract_socket(settings, server, socket, runtime)
            .map_err(TransportError::Bind)?;
        Ok(Self {
            quinn,
            client,
            half_open: Arc::new(Semaphore::new(limits.half_open_max)),
            limits: Arc::new(limits),
            counters: Arc::default(),
        })
    }

    /// Connects to `address` and exchanges Hellos. Who must be there is for the greeting's judge
    /// to say. Spec: TRN-1, TRN-2.
    ///
    /// # Errors
    /// [`TransportError`]; [`TransportError::Unreachable`] if no handshake happens in time.
    pub async fn dial(
        &self,
        address: SocketAddr,
        greeting: &Greeting,
    ) -> Result<Session, TransportError> {
        let connection = self.connect(address).await?;
        session::greet(connection, greeting, &self.limits).await
    }

    /// The connection alone, before anything was said on it.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Result<Connection, TransportError> {
        // The name is never sent nor looked at: only the key counts.
        let connecting = self
            .quinn
            .connect_with(self.client.clone(), address, "frex")
            .map_err(|_| TransportError::Unreachable)?;
        Ok(timeout(self.limits.handshake_timeout, connecting)
            .await
            .map_err(|_| TransportError::Unreachable)??)
    }

    /// The next attempt to connect; none once the endpoint is closed.
    pub(crate) async fn incoming(&self) -> Option<Incoming> {
        self.quinn.accept().await
    }

    /// Takes connections and hands over each that has become a session, until the endpoint
    /// closes or nobody receives sessions. A slow or silent peer delays no other.
    pub async fn serve(&self, greeting: Greeting, sessions: mpsc::Sender<Session>) {
        let doorkeeper = Doorkeeper {
            greeting,
            limits: Arc::clone(&self.limits),
            half_open: Arc::clone(&self.half_open),
            counters: Arc::clone(&self.counters),
            prefixes: Arc::new(Prefixes::new()),
            wide: Wide::new(self.limits.wide_sessions_max),
            sessions: sessions.clone(),
        };
        loop {
            let incoming = tokio::select! {
                biased;
                incoming = self.quinn.accept() => incoming,
                () = sessions.closed() => None,
            };
            let Some(incoming) = incoming else { return };
            doorkeeper.admit(incoming, self.quinn.open_connections());
        }
    }

    /// What happened at the door so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Connections that are open now, sessions or not.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.quinn.open_connections()
    }

    /// The address of the socket.
    ///
    /// # Errors
    /// [`TransportError::Bind`] if the socket does not know it.
    pub fn local_addr(&self) -> Result<SocketAddr, TransportError> {
        self.quinn.local_addr().map_err(TransportError::Bind)
    }

    /// Ends every session and takes no further one.
    pub fn close(&self, code: WireCode) {
        self.quinn
            .close(close_code(code), code.info().name.as_bytes());
    }

    /// Waits until the peers were told of what is closed.
    pub async fn wait_idle(&self) {
        self.quinn.wait_idle().await;
    }
}

/// A UDP socket at this address with room for bursts.
///
/// # Errors
/// The address cannot be bound.
pub fn udp_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    let buffers = SockRef::from(&socket);
    // A system that gives less, or nothing, costs speed and nothing else.
    let _ = buffers.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = buffers.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    Ok(socket)
}
