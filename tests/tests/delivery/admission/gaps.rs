//! A connection whose packets carry what no QUIC library sends: bytes of many streams with a gap
//! before each.
//!
//! Packets are rewritten where they are encrypted, so that the handshake and all else is quinn's.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::BytesMut;
use frex_client::tls::{ALPN, KeyExchange, cert, provider, verifier::PinnedKeys};
use frex_proto::keys::SigningKey;
use quinn::{
    ConnectError, ConnectionId, Side,
    crypto::{
        ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey,
        Session, rustls::QuicClientConfig,
    },
};
use quinn_proto::{TransportError, transport_parameters::TransportParameters};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const PKCS8_BEFORE_SEED: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// STREAM with offset and length.
const STREAM: u8 = 0x0e;
/// Bidirectional streams of a client that a node allows before it knows the peer better; the first
/// is the Hello's.
const STREAMS: u64 = 63;
/// A receiver gives up a stream of more than 1024 pieces.
const PIECES_MAX: u64 = 1000;
/// One byte with a gap before it: type, stream, offset, length, byte.
const PIECE_BYTES: usize = 1 + 2 + 4 + 1 + 1;
/// Shorter packets are left alone: acknowledgements and the like.
const REWRITTEN_BYTES_MIN: usize = 1000;

/// Pieces sent so far, and whether packets are rewritten.
#[derive(Default)]
pub struct Gaps {
    on: AtomicBool,
    pieces: AtomicU64,
}

impl Gaps {
    /// From now on no long packet carries what it was meant to.
    pub fn begin(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    pub fn pieces(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }

    fn rewrite(&self, payload: &mut [u8]) {
        for place in payload.chunks_mut(PIECE_BYTES) {
            let number = self.pieces.load(Ordering::Relaxed);
            let (stream, piece) = (number % STREAMS + 1, number / STREAMS);
            if place.len() < PIECE_BYTES || piece >= PIECES_MAX {
                // What is left is padding.
                place.fill(0);
                continue;
            }
            place[0] = STREAM;
            // Variable-length integers of two and four bytes.
            let id = u16::try_from(4 * stream).unwrap() | 0x4000;
            let offset = u32::try_from(2 * piece + 1).unwrap() | 0x8000_0000;
            place[1..3].copy_from_slice(&id.to_be_bytes());
            place[3..7].copy_from_slice(&offset.to_be_bytes());
            place[7..9].copy_from_slice(&[1, 7]);
            self.pieces.store(number + 1, Ordering::Relaxed);
        }
    }
}

/// What a member's client would dial with, rewritten by `gaps`.
pub fn client(key: &SigningKey, gaps: &Arc<Gaps>) -> quinn::ClientConfig {
    let pkcs8 = [&PKCS8_BEFORE_SEED[..], &key.seed().unwrap()[..]].concat();
    let private: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(pkcs8).into();
    let provider = provider::provider(KeyExchange::HybridOnly);
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(PinnedKeys::new(Arc::new(|_| true)))
        .with_client_auth_cert(vec![cert::self_signed(key).unwrap()], private)
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    quinn::ClientConfig::new(Arc::new(Config {
        tls: Arc::new(QuicClientConfig::try_from(tls).unwrap()),
        gaps: gaps.clone(),
    }))
}

struct Config {
    tls: Arc<QuicClientConfig>,
    gaps: Arc<Gaps>,
}

struct Rewriting {
    session: Box<dyn Session>,
    gaps: Arc<Gaps>,
}

struct Key {
    key: Box<dyn PacketKey>,
    gaps: Arc<Gaps>,
}

impl ClientConfig for Config {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let session = self
            .tls
            .clone()
            .start_session(version, server_name, params)?;
        Ok(Box::new(Rewriting {
            session,
            gaps: self.gaps.clone(),
        }))
    }
}

impl Session for Rewriting {
    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let mut keys = self.session.write_handshake(buf)?;
        keys.packet.local = Box::new(Key {
            key: keys.packet.local,
            gaps: self.gaps.clone(),
        });
        Some(keys)
    }

    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.session.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.session.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.session.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.session.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.session.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.session.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.session.transport_parameters()
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.session.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.session.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.session.export_keying_material(output, label, context)
    }
}

impl PacketKey for Key {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        let end = buf.len() - self.key.tag_len();
        if self.gaps.on.load(Ordering::Relaxed) && end - header_len >= REWRITTEN_BYTES_MIN {
            self.gaps.rewrite(&mut buf[header_len..end]);
        }
        self.key.encrypt(packet, buf, header_len);
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.key.decrypt(packet, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.key.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.key.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.key.integrity_limit()
    }
}
