//! TLS and QUIC configurations with every limit written down.

use std::{sync::Arc, time::Duration};

use quinn::{
    IdleTimeout, MtuDiscoveryConfig, TransportConfig, ValidationTokenConfig, VarInt,
    congestion::CubicConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    client::Resumption, crypto::CryptoProvider, server::NoServerSessionStorage,
    sign::SingleCertAndKey, version::TLS13,
};

use super::{ALPN, Identity, KeyCheck, TlsError, verifier::PinnedKeys};

/// Largest QUIC packet that is ever probed for. quinn sends ten packets per system call and the
/// kernel takes at most 64 KiB at once. Spec: TLS-9.
pub const MTU_BYTES_MAX: u16 = 6000;

/// A frame over this size waits for its turn among the large ones of its session.
pub const LARGE_FRAME_BYTES: usize = 64 * 1024;

/// What one connection and one endpoint may hold. Spec: TLS-8.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that a peer may have open at once.
    pub streams_max: u32,
    /// Unread bytes of one stream.
    pub stream_window_bytes: u32,
    /// Unread bytes of one connection.
    pub connection_window_bytes: u32,
    /// Bytes of one connection that were written and not yet acknowledged.
    pub send_window_bytes: u32,
    /// Largest packet that path discovery tries, at most [`MTU_BYTES_MAX`].
    pub mtu_bytes_max: u16,
    /// Sessions that were taken from clients, and as many again from nodes, which may use the
    /// streams and windows above; all others share what is left. Spec: ADM-10.
    pub wide_sessions_max: usize,
    /// Handshakes waiting to be looked at.
    pub incoming_max: usize,
    /// Handshakes under way, from the first validated packet to the Hello.
    pub half_open_max: usize,
    /// Connections of one endpoint.
    pub connections_max: usize,
    /// Frames over [`LARGE_FRAME_BYTES`] that one session reads at the same time.
    pub large_frames_max: usize,
    /// Requests with such a frame that one session sends at the same time. Fewer than the node at
    /// the other end reads at once, so that one of those it reads is always whole. Spec: TRN-8.
    pub large_requests_max: usize,
    /// How long a TLS handshake, and then the exchange of Hellos, may take.
    pub handshake_timeout: Duration,
    /// Silence after which a connection is given up.
    pub idle_timeout: Duration,
    /// Silence after which a sign of life is sent.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_max: 512,
            stream_window_bytes: 1536 * 1024,
            connection_window_bytes: 4 * 1024 * 1024,
            send_window_bytes: 4 * 1024 * 1024,
            mtu_bytes_max: 1452,
            wide_sessions_max: 5,
            incoming_max: 256,
            half_open_max: 256,
            connections_max: 1024,
            large_frames_max: 16,
            large_requests_max: 3,
            handshake_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// What one of many sessions that were taken may use. A hundred of them hold 25 MiB. Spec: ADM-10.
const NARROW_WINDOW_BYTES: u32 = 128 * 1024;
const NARROW_STREAMS: u32 = 64;

/// Bytes that early packets of one waiting handshake may take.
const INCOMING_BUFFER_BYTES: u64 = 16 * 1024;
/// Bytes of a handshake that may arrive out of order.
const CRYPTO_BUFFER_BYTES: usize = 16 * 1024;

/// What a dialler offers.
///
/// # Errors
/// [`TlsError::Configuration`].
pub fn client(
    identity: &Identity,
    check: KeyCheck,
    provider: Arc<CryptoProvider>,
    limits: &Limits,
) -> Result<quinn::ClientConfig, TlsError> {
    client_for(ALPN, identity, check, provider, limits)
}

/// What a dialler offers for another application protocol. Spec: JOI-1.
pub(crate) fn client_for(
    alpn: &[u8],
    identity: &Identity,
    check: KeyCheck,
    provider: Arc<CryptoProvider>,
    limits: &Limits,
) -> Result<quinn::ClientConfig, TlsError> {
    let mut tls = client_tls(identity, check, provider)?;
    tls.alpn_protocols = vec![alpn.to_vec()];
    quic_client(tls, limits)
}

/// What a listener takes.
///
/// # Errors
/// [`TlsError::Configuration`].
pub fn server(
    identity: &Identity,
    check: KeyCheck,
    provider: Arc<CryptoProvider>,
    limits: &Limits,
) -> Result<quinn::ServerConfig, TlsError> {
    server_for(ALPN, identity, check, provider, limits)
}

/// What a listener takes of another application protocol. Spec: JOI-1.
pub(crate) fn server_for(
    alpn: &[u8],
    identity: &Identity,
    check: KeyCheck,
    provider: Arc<CryptoProvider>,
    limits: &Limits,
) -> Result<quinn::ServerConfig, TlsError> {
    let mut tls = server_tls(identity, check, provider)?;
    tls.alpn_protocols = vec![alpn.to_vec()];
    let crypto = QuicServerConfig::try_from(tls).map_err(|_| TlsError::Configuration)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let waiting = u64::try_from(limits.incoming_max).map_err(|_| TlsError::Configuration)?;
    // Address tokens for a later visit would let a peer skip the Retry of that visit.
    let mut tokens = ValidationTokenConfig::default();
    tokens.sent(0);
    let narrow = Limits {
        streams_max: limits.streams_max.min(NARROW_STREAMS),
        connection_window_bytes: limits.connection_window_bytes.min(NARROW_WINDOW_BYTES),
        send_window_bytes: limits.send_window_bytes.min(NARROW_WINDOW_BYTES),
        ..limits.clone()
    };
    config
        .transport_config(Arc::new(transport(&narrow)?))
        .validation_token_config(tokens)
        .migration(true)
        .max_incoming(limits.incoming_max)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES)
        .incoming_buffer_size_total(INCOMING_BUFFER_BYTES * waiting);
    Ok(config)
}

fn client_tls(
    identity: &Identity,
    check: KeyCheck,
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ClientConfig, TlsError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|_| TlsError::Configuration)?
        .dangerous()
        .with_custom_certificate_verifier(PinnedKeys::new(check))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.shown.clone())));
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_sni = false;
    tls.enable_early_data = false;
    Ok(tls)
}

fn server_tls(
    identity: &Identity,
    check: KeyCheck,
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ServerConfig, TlsError> {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|_| TlsError::Configuration)?
        .with_client_cert_verifier(PinnedKeys::new(check))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.shown.clone())));
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    Ok(tls)
}

fn quic_client(
    tls: rustls::ClientConfig,
    limits: &Limits,
) -> Result<quinn::ClientConfig, TlsError> {
    let crypto = QuicClientConfig::try_from(tls).map_err(|_| TlsError::Configuration)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    // Whoever was dialled only answers: a stream of its own would never be read.
    let answered = Limits {
        streams_max: 0,
        ..limits.clone()
    };
    config.transport_config(Arc::new(transport(&answered)?));
    Ok(config)
}

fn transport(limits: &Limits) -> Result<TransportConfig, TlsError> {
    let idle = IdleTimeout::try_from(limits.idle_timeout).map_err(|_| TlsError::Configuration)?;
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(limits.mtu_bytes_max.min(MTU_BYTES_MAX));
    // Ten packets of the largest size, as RFC 9002 advises for the size in use. quinn's default is
    // ten of 1200 bytes: where larger packets pass, one probe fills it, and quinn holds even the
    // CONNECTION_CLOSE back while it is full, so that the peer learns of the end by its timeout.
    let mut congestion = CubicConfig::default();
    congestion.initial_window(10 * u64::from(limits.mtu_bytes_max.min(MTU_BYTES_MAX)));
    let mut config = TransportConfig::default();
    config
        .congestion_controller_factory(Arc::new(congestion))
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams_max))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(limits.stream_window_bytes))
        .receive_window(VarInt::from_u32(limits.connection_window_bytes))
        .send_window(u64::from(limits.send_window_bytes))
        .crypto_buffer_size(CRYPTO_BUFFER_BYTES)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(limits.keep_alive))
        .datagram_receive_buffer_size(None)
        .allow_spin(false)
        .enable_segmentation_offload(true)
        .mtu_discovery_config(Some(mtu));
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use frex_proto::keys::SigningKey;
    use quinn::{Connection, ConnectionError, Endpoint};
    use rustls::sign::CertifiedKey;
    use rustls::{
        crypto::ring::{self, kx_group},
        pki_types::CertificateDer,
    };

    use super::*;
    use crate::tls::{KeyExchange, cert, provider::provider};

    const CLIENT: [u8; 32] = [1; 32];
    const SERVER: [u8; 32] = [2; 32];

    // TLS-1, TLS-6: without one word about algorithms the two ends meet on the hybrid exchange.
    #[tokio::test]
    async fn listed_keys_meet_with_the_hybrid_exchange_only() {
        let limits = Limits::default();
        let server = server(
            &identity(SERVER),
            only(CLIENT),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let client = client(
            &identity(CLIENT),
            only(SERVER),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let (client, server) = connect(client.unwrap(), server.unwrap()).await;
        let peer = server.unwrap().peer_identity().unwrap();
        let chain = peer.downcast::<Vec<CertificateDer<'static>>>().unwrap();
        assert_eq!(
            cert::public_key(&chain[0]),
            Some(*identity(CLIENT).public_key())
        );
        client.unwrap();
    }

    // TLS-3
    #[tokio::test]
    async fn server_with_an_unlisted_key_is_refused() {
        let limits = Limits::default();
        let server = server(
            &identity([9; 32]),
            anyone(),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let client = client(
            &identity(CLIENT),
            only(SERVER),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let (client, _) = connect(client.unwrap(), server.unwrap()).await;
        assert!(matches!(client, Err(ConnectionError::TransportError(_))));
    }

    // TLS-3: the dialler only learns of its refusal when it reads.
    #[tokio::test]
    async fn client_with_an_unlisted_key_is_refused() {
        let limits = Limits::default();
        let server = server(
            &identity(SERVER),
            only(CLIENT),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let client = client(
            &identity([9; 32]),
            only(SERVER),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let (client, server) = connect(client.unwrap(), server.unwrap()).await;
        assert!(matches!(server, Err(ConnectionError::TransportError(_))));
        let closed = client.unwrap().closed().await;
        assert!(matches!(closed, ConnectionError::ConnectionClosed(_)));
    }

    // TLS-6: no downgrade where the roster forbids it.
    #[tokio::test]
    async fn classical_peer_is_refused_unless_the_policy_tolerates_it() {
        let limits = Limits::default();
        for (policy, meets) in [
            (KeyExchange::HybridOnly, false),
            (KeyExchange::ClassicalTolerated, true),
        ] {
            let server =
                server(&identity(SERVER), only(CLIENT), provider(policy), &limits).unwrap();
            let tls = client_tls(&identity(CLIENT), only(SERVER), classical_provider()).unwrap();
            let (_, server) = connect(quic_client(tls, &limits).unwrap(), server).await;
            match server {
                Ok(_) => assert!(meets),
                Err(error) => {
                    assert!(!meets);
                    assert!(error.to_string().contains("NoKxGroupsInCommon"), "{error}");
                }
            }
        }
    }

    // TLS-5
    #[tokio::test]
    async fn another_application_protocol_is_refused() {
        let limits = Limits::default();
        let server = server(
            &identity(SERVER),
            only(CLIENT),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let hybrid = provider(KeyExchange::HybridOnly);
        let mut tls = client_tls(&identity(CLIENT), only(SERVER), hybrid).unwrap();
        tls.alpn_protocols = vec![b"other/1".to_vec()];
        let (client, _) = connect(quic_client(tls, &limits).unwrap(), server.unwrap()).await;
        assert!(client.is_err());
    }

    // TLS-4
    #[tokio::test]
    async fn certificate_chain_is_refused() {
        let limits = Limits::default();
        let server = server(
            &identity(SERVER),
            only(CLIENT),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let me = identity(CLIENT).shown;
        let other = identity([9; 32]).shown.cert[0].clone();
        let two = CertifiedKey::new(vec![me.cert[0].clone(), other], me.key.clone());
        let mut tls =
            rustls::ClientConfig::builder_with_provider(provider(KeyExchange::HybridOnly))
                .with_protocol_versions(&[&TLS13])
                .unwrap()
                .dangerous()
                .with_custom_certificate_verifier(PinnedKeys::new(only(SERVER)))
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(two)));
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let (_, server) = connect(quic_client(tls, &limits).unwrap(), server.unwrap()).await;
        assert!(server.is_err());
    }

    // TLS-2: a certificate proves nothing to the one who does not hold its key.
    #[tokio::test]
    async fn listed_certificate_with_another_private_key_is_refused() {
        let limits = Limits::default();
        let server = server(
            &identity(SERVER),
            only(CLIENT),
            provider(KeyExchange::HybridOnly),
            &limits,
        );
        let hybrid = provider(KeyExchange::HybridOnly);
        let thief = identity([9; 32]);
        let stolen =
            CertifiedKey::new(identity(CLIENT).shown.cert.clone(), thief.shown.key.clone());
        let mut tls = rustls::ClientConfig::builder_with_provider(hybrid)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(PinnedKeys::new(only(SERVER)))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(stolen)));
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let (_, server) = connect(quic_client(tls, &limits).unwrap(), server.unwrap()).await;
        assert!(server.is_err());
    }

    async fn connect(
        client: quinn::ClientConfig,
        server: quinn::ServerConfig,
    ) -> (
        Result<Connection, ConnectionError>,
        Result<Connection, ConnectionError>,
    ) {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Endpoint::server(server, any).unwrap();
        let dialler = Endpoint::client(any).unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = tokio::spawn(async move {
            let outcome = listener.accept().await.unwrap().await;
            (outcome, listener)
        });
        let dialled = dialler.connect_with(client, address, "frex").unwrap().await;
        let (accepted, _listener) = accepted.await.unwrap();
        (dialled, accepted)
    }

    fn classical_provider() -> Arc<CryptoProvider> {
        let mut provider = ring::default_provider();
        provider.kx_groups = vec![kx_group::X25519];
        Arc::new(provider)
    }

    fn identity(seed: [u8; 32]) -> Identity {
        Identity::new(&SigningKey::from_seed(&seed)).unwrap()
    }

    fn only(seed: [u8; 32]) -> KeyCheck {
        let listed = SigningKey::from_seed(&seed).verifying_key();
        Arc::new(move |key| key == listed.as_bytes())
    }

    fn anyone() -> KeyCheck {
        Arc::new(|_| true)
    }
}
