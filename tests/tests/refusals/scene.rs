//! One running node among members of every state, and peers that say anything to it.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use frex_client::{
    environment::{Clock, Environment},
    tls::{ALPN, Identity, KeyExchange, cert, config, provider, verifier::PinnedKeys},
    transport::{Socket, TransportError},
};
use frex_node::{
    disk::RealDisk,
    node::{Execution, Node},
};
use frex_proto::{
    envelope::{self, Draft, SignedEnvelope},
    error::WireCode,
    id::MessageId,
    keys::{SealingSecretKey, SigningKey},
    log::LogVerifier,
    receipt,
    roster::{Peer, Roster, build},
    session::{self, SessionLimits},
    v1,
    wire::{self, FrameType, HEADER_BYTES},
};
use frex_tests::{
    federation::{FEDERATION, Federation, Organisation, Place},
    processes::free_addresses,
};
use prost::Message;
use quinn::crypto::rustls::QuicClientConfig;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rustls::{
    crypto::ring::{self, kx_group},
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::TempDir;

/// The node under test, and the member that runs it.
pub const HOME: &str = "hotline.no";
/// Served by [`HOME`]; submits.
pub const PLATFORM: &str = "platform.ie";
/// Has a node of its own; delivers.
pub const POLICE: &str = "police.de";
/// Its node is suspended.
pub const CENTRE: &str = "centre.us";
/// Was revoked; served by [`HOME`] before.
pub const FORMER: &str = "former.se";
/// Takes nothing but feedback in the normal lane; served by [`HOME`].
pub const NARROW: &str = "narrow.fr";

const WAIT: Duration = Duration::from_secs(30);
const ANSWERS_BYTES_MAX: usize = 1024 * 1024;
const PKCS8_BEFORE_SEED: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

pub struct Scene {
    pub federation: Federation,
    pub node: Node,
    pub dir: TempDir,
    pub roster: Roster,
    log: LogVerifier,
    drawn: AtomicU64,
    /// Keeps the addresses of nodes that do not run from anybody else.
    _silent: Vec<UdpSocket>,
}

/// Who speaks on an authenticated connection.
#[derive(Clone, Copy)]
pub enum Who {
    Client(&'static str),
    Node(&'static str),
}

/// A connection as it is attempted.
pub struct Knock {
    pub tls: SigningKey,
    pub first_frame: Vec<u8>,
    /// Offers X25519 alone.
    pub classical: bool,
}

/// What the node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Refused in passing: nothing is kept.
    Refused(WireCode),
    /// Refused on the record.
    Rejected(WireCode),
    /// No session.
    Closed(WireCode),
    /// Anything else.
    Other(String),
}

impl Scene {
    pub async fn new() -> Self {
        let addresses = free_addresses(3);
        let silent = addresses[1..]
            .iter()
            .map(|address| UdpSocket::bind(address).unwrap());
        let mut federation = Federation::new(11, now_ms(), &organisations(&addresses));
        relist(&mut federation, |roster| {
            for member in &mut roster.members {
                match member.id.as_str() {
                    FORMER => member.status = v1::Status::Revoked.into(),
                    NARROW => {
                        member.accepts = vec![v1::Accepts {
                            kind: v1::Kind::Feedback.into(),
                            lanes: vec![v1::Lane::Normal.into()],
                        }];
                    }
                    _ => {}
                }
            }
            let centre = roster.nodes.iter_mut().find(|node| node.id == CENTRE);
            centre.unwrap().status = v1::Status::Suspended.into();
        });
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            environment: Environment::default(),
            disk: Arc::new(RealDisk),
            socket: Socket::Udp(addresses[0]),
            data: dir.path().join("data"),
            execution: Execution::Threads,
        };
        std::fs::create_dir(&place.data).unwrap();
        let node = federation.start(HOME, place).await.unwrap();
        let roster = federation.roster(now_ms());
        Self {
            log: roster.log_verifier(HOME).unwrap(),
            drawn: AtomicU64::new(0),
            _silent: silent.collect(),
            roster,
            federation,
            node,
            dir,
        }
    }

    pub fn log(&self) -> &LogVerifier {
        &self.log
    }

    /// Randomness that never repeats.
    pub fn rng(&self) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// A report by `sender`; a recipient without a key gets one that nobody holds.
    pub fn draft(&self, sender: &str, to: &[&str]) -> Draft {
        let mut message_id = [0; 16];
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        message_id[..8].copy_from_slice(&number.to_be_bytes());
        let now_ms = now_ms();
        let key = |member: &&str| {
            let key = self.roster.sealing_key(member, now_ms).cloned();
            let key = key.unwrap_or_else(|| SealingSecretKey::from_seed(&[9; 32]).public());
            ((*member).to_owned(), key)
        };
        Draft {
            federation: FEDERATION.to_owned(),
            sender: sender.to_owned(),
            recipients: to.iter().map(key).collect(),
            kind: v1::Kind::Report,
            lane: v1::Lane::Normal,
            created_ms: now_ms,
            expires_ms: now_ms + 60_000,
            reply_by_ms: None,
            message_id: MessageId(message_id),
            conversation: None,
            in_reply_to: None,
            content_type: "text/plain".to_owned(),
            data: Bytes::from_static(b"report"),
            attachments: Vec::new(),
        }
    }

    /// Seals and signs with the identity key of `signer`.
    pub fn sealed(&self, draft: &Draft, signer: &str) -> SignedEnvelope {
        let sealed = envelope::seal(draft, &mut self.rng()).unwrap();
        envelope::sign_one(sealed, &self.federation.member(signer).identity).unwrap()
    }

    /// A report that is in order in every respect.
    pub fn good(&self, sender: &str, to: &[&str]) -> v1::Envelope {
        self.sealed(&self.draft(sender, to), sender).to_wire(None)
    }

    /// What a peer of the roster says first.
    pub fn hello(&self, who: Who) -> v1::Hello {
        let us = who.peer();
        let limits = SessionLimits::default();
        let rng = &mut self.rng();
        session::build_hello(
            &self.roster,
            &us,
            HOME,
            Bytes::new(),
            &limits,
            now_ms(),
            rng,
        )
    }

    pub fn tls_key(&self, who: Who) -> SigningKey {
        let key = match who {
            Who::Client(member) => &self.federation.member(member).tls,
            Who::Node(node) => &self.federation.node(node).tls,
        };
        key.clone()
    }

    /// Connects as a peer whose Hello is in order.
    pub async fn ask(&self, who: Who, frames: Vec<u8>) -> Vec<v1::answer::Answer> {
        let knock = Knock {
            tls: self.tls_key(who),
            first_frame: message(FrameType::Hello, &self.hello(who)),
            classical: false,
        };
        let connection = self.connect(knock).await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        // The node may have heard enough and stop the stream; it answers all the same.
        let _ = send.write_all(&frames).await;
        let _ = send.finish();
        let bytes = receive.read_to_end(ANSWERS_BYTES_MAX);
        let bytes = tokio::time::timeout(WAIT, bytes).await.unwrap().unwrap();
        let mut answers = answers(&bytes);
        assert_eq!(
            answers.pop(),
            Some(v1::answer::Answer::Done(v1::Done::default()))
        );
        answers
    }

    /// Makes a connection and exchanges Hellos.
    pub async fn connect(&self, knock: Knock) -> Result<quinn::Connection, WireCode> {
        let code = |error: TransportError| WireCode::from(error);
        let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        endpoint.set_default_client_config(if knock.classical {
            classical(&knock.tls)
        } else {
            let identity = Identity::new(&knock.tls).unwrap();
            let limits = config::Limits::default();
            config::client(
                &identity,
                Arc::new(|_| true),
                provider::provider(KeyExchange::HybridOnly),
                &limits,
            )
            .unwrap()
        });
        let address = self.federation.node(HOME).address;
        let connecting = endpoint.connect(address, "frex").unwrap();
        let connection = connecting.await.map_err(|error| code(error.into()))?;
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let _ = send.write_all(&knock.first_frame).await;
        let _ = send.finish();
        match receive.read_to_end(ANSWERS_BYTES_MAX).await {
            Ok(_) => Ok(connection),
            Err(quinn::ReadToEndError::Read(error)) => Err(code(error.into())),
            Err(quinn::ReadToEndError::TooLong) => panic!("a Hello without end"),
        }
    }

    /// The one thing that the node said.
    pub fn said(&self, mut answers: Vec<v1::answer::Answer>) -> Said {
        // What a node holds is no judgement on what it is offered.
        answers.retain(|answer| !matches!(answer, v1::answer::Answer::Roster(_)));
        let [answer] = <[_; 1]>::try_from(answers).unwrap_or_else(|other| panic!("{other:?}"));
        match answer {
            v1::answer::Answer::Refusal(refusal) => {
                Said::Refused(WireCode::from_number(refusal.code))
            }
            v1::answer::Answer::Receipt(receipt) => {
                let statement = receipt::verify(&receipt, &self.log, None)
                    .unwrap()
                    .statement;
                match statement.event {
                    v1::Event::Rejected => Said::Rejected(WireCode::from_number(statement.code)),
                    event => Said::Other(event.as_str_name().to_owned()),
                }
            }
            other => Said::Other(format!("{other:?}")),
        }
    }

    pub fn log_size(&self) -> u64 {
        self.node.status().log_size
    }
}

impl Who {
    pub fn peer(self) -> Peer {
        match self {
            Self::Client(member) => Peer::Client(member.to_owned()),
            Self::Node(node) => Peer::Node(node.to_owned()),
        }
    }
}

fn organisations(addresses: &[SocketAddr]) -> Vec<Organisation<'static>> {
    let runs = [HOME, POLICE, CENTRE].into_iter().zip(addresses);
    let mut organisations: Vec<Organisation<'_>> = runs
        .map(|(id, address)| Organisation {
            id,
            role: v1::Role::Hotline,
            country: "NO",
            node: Ok(*address),
        })
        .collect();
    for id in [PLATFORM, FORMER, NARROW] {
        organisations.push(Organisation {
            id,
            role: v1::Role::Platform,
            country: "IE",
            node: Err(HOME),
        });
    }
    organisations
}

/// Changes the roster and has the governance sign it again.
fn relist(federation: &mut Federation, change: impl FnOnce(&mut v1::Roster)) {
    let mut bundle = v1::RosterBundle::decode(federation.bundle.clone()).unwrap();
    let signed = v1::Signed::decode(bundle.roster).unwrap();
    let mut roster = v1::Roster::decode(signed.payload).unwrap();
    change(&mut roster);
    let governance = &federation.governance;
    bundle.roster = build::sign_roster(&roster, &[&governance[0], &governance[1]]).unwrap();
    federation.bundle = bundle.encode_to_vec().into();
}

/// A client that offers the classical key exchange alone and is right in everything else.
fn classical(key: &SigningKey) -> quinn::ClientConfig {
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    let pkcs8 = [&PKCS8_BEFORE_SEED[..], &key.seed().unwrap()[..]].concat();
    let private: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(pkcs8).into();
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(PinnedKeys::new(Arc::new(|_| true)))
        .with_client_auth_cert(vec![cert::self_signed(key).unwrap()], private)
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// A frame of any type and length, also one that no program of ours would send.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &length, payload].concat()
}

pub fn message(kind: FrameType, message: &impl Message) -> Vec<u8> {
    frame(kind as u8, &message.encode_to_vec())
}

pub fn request(request: v1::request::Request) -> Vec<u8> {
    let request = v1::Request {
        request: Some(request),
    };
    message(FrameType::Request, &request)
}

/// A request to submit, with these envelopes.
pub fn submit(envelopes: &[v1::Envelope]) -> Vec<u8> {
    let submit = v1::Submit {
        envelopes: u32::try_from(envelopes.len()).unwrap(),
        wait_ms: 0,
    };
    with_envelopes(v1::request::Request::Submit(submit), envelopes)
}

/// A request to deliver, with these envelopes.
pub fn deliver(envelopes: &[v1::Envelope]) -> Vec<u8> {
    let deliver = v1::Deliver {
        envelopes: u32::try_from(envelopes.len()).unwrap(),
    };
    with_envelopes(v1::request::Request::Deliver(deliver), envelopes)
}

fn with_envelopes(first: v1::request::Request, envelopes: &[v1::Envelope]) -> Vec<u8> {
    let mut frames = request(first);
    for envelope in envelopes {
        frames.extend(message(FrameType::Envelope, envelope));
    }
    frames
}

fn answers(mut bytes: &[u8]) -> Vec<v1::answer::Answer> {
    let mut answers = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let (kind, length) = wire::parse_header(*header).unwrap();
        assert_eq!(kind, FrameType::Answer);
        answers.push(v1::Answer::decode(&rest[..length]).unwrap().answer.unwrap());
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
    answers
}

pub fn now_ms() -> u64 {
    Clock::System.now_ms()
}
