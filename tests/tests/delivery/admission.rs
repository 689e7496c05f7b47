//! Members over their quota, peers that never read or finish, and floods, against a node's process.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use frex_client::{
    client::{Client, ClientConfig},
    environment::{Clock, Environment},
    keys::MemberHome,
    tls::config::Limits,
    transport::{
        Endpoint, EndpointConfig, Greeter, RosterHandle, Session, Socket, Stream, TransportError,
    },
};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    roster::{Peer, Roster},
    session::{self, SessionLimits},
    v1::{self, request::Request as R},
    wire::FrameType,
};
use frex_tests::processes::{Frex, NodeProcess, free_addresses};
use prost::Message;
use tokio::task::JoinSet;

mod gaps;

/// What a node may take up while a hundred peers read nothing and finish nothing.
const RSS_MIB_MAX: u64 = 256;
const HOME: &str = "alpha";
const HOME_NODE: &str = "node.alpha";
/// Served by the same node.
const SERVED: [&str; 4] = ["m1", "m2", "m3", "m4"];
/// Six in a minute, and one urgent.
const QUOTA: &str = "m1=6/1";
const WAIT: Duration = Duration::from_secs(20);

struct Scene {
    frex: Frex,
    node: NodeProcess,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new(roster: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
        let federation = ["federation", "init", "--name", "example", "--keys", "1"];
        let _ = frex.done(&[&federation[..], &["--threshold", "1", "governance"]].concat());
        let listen = free_addresses(1)[0].to_string();
        let mut cards = vec![init(&frex, HOME, &["--listen", &listen])];
        let served = ["--no-node", "--home-node", HOME_NODE];
        cards.extend(SERVED.map(|member| init(&frex, member, &served)));
        let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
        frex.roster("roster.frex", &[&cards[..], roster].concat());
        for member in [HOME].into_iter().chain(SERVED) {
            let root = ["--root", "governance/root.frex", member];
            let _ = frex.done(&[&["roster", "install", "roster.frex"], &root[..]].concat());
        }
        fs::write(dir.path().join("report.txt"), "words").unwrap();
        let node = frex.start(HOME);
        Self {
            frex,
            node,
            _dir: dir,
        }
    }

    fn home(&self, member: &str) -> MemberHome {
        MemberHome::open(&self.frex.dir().join(member).join("member")).unwrap()
    }

    fn roster(&self) -> Roster {
        self.home(HOME).roster(Clock::System.now_ms()).unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.roster().node(HOME_NODE).unwrap().addresses[0]
            .parse()
            .unwrap()
    }

    fn send(&self, from: &str, to: &str, wait: &str) -> frex_tests::processes::Ended {
        let what = ["send", "report.txt", "--content-type", "text/plain"];
        let way = ["--to", to, "--wait", wait, "--from", from];
        self.frex.run(&[&what[..], &way].concat())
    }

    async fn client(&self, member: &str) -> Client {
        Client::connect(ClientConfig::of_home(&self.home(member)).unwrap())
            .await
            .unwrap()
    }

    /// A socket from which a member's client dials as often as it likes.
    fn dialler(&self, member: &str) -> (Endpoint, Greeter) {
        let roster = RosterHandle::new(self.roster());
        let us = Peer::Client(member.to_owned());
        let greeter = Greeter::new(us, roster, Environment::default());
        let keys = self.home(member).keys(Clock::System.now_ms()).unwrap();
        let endpoint = Endpoint::bind(EndpointConfig {
            socket: Socket::toward(self.address()),
            identity: keys.transport_identity().unwrap(),
            key_check: greeter.key_check(),
            key_exchange: greeter.key_exchange(),
            limits: Limits::default(),
            listen: false,
            rng_seed: None,
        });
        (endpoint.unwrap(), greeter)
    }

    async fn dial(
        &self,
        (endpoint, greeter): &(Endpoint, Greeter),
    ) -> Result<Session, TransportError> {
        endpoint
            .dial(self.address(), &greeter.dialling(HOME_NODE))
            .await
    }
}

fn init(frex: &Frex, member: &str, more: &[&str]) -> String {
    let who = [
        "init",
        "--federation",
        "example",
        "--member",
        member,
        "--name",
        member,
    ];
    let what = ["--country", "FR", "--role", "hotline"];
    let made = frex.done(&[&who[..], &what, more, &[member]].concat());
    made["card"].as_str().unwrap().to_owned()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn seal(client: &Client, to: &str, bytes: usize) -> SignedEnvelope {
    let draft = client.draft(&[to]).content("text/plain", vec![7; bytes]);
    client.seal(&client.finish(draft).unwrap()).unwrap()
}

// ADM-1, ADM-17, CLI-32: who is over its quota is told how long, and its report arrives once that is over.
#[test]
fn a_member_over_its_quota_is_told_for_how_long_and_then_served() {
    let scene = Scene::new(&["--quota", QUOTA]);
    for _ in 0..6 {
        let sent = scene.send("m1", "m2", "5s");
        assert_eq!(sent.exit, Some(0), "{sent:?}");
    }
    let refused = scene.send("m1", "m2", "1s");
    assert_eq!(
        refused.exit,
        Some(WireCode::RetryAfter.info().exit.into()),
        "{refused:?}"
    );
    assert_eq!(refused.code(), Some(WireCode::RetryAfter as u64));
    assert!(
        refused.err.contains("the quota is used up") && refused.err.contains("--wait"),
        "{refused:?}"
    );
    let others = scene.send("m3", "m2", "5s");
    assert_eq!(others.exit, Some(0), "{others:?}");
    let later = scene.send("m1", "m2", "40s");
    assert_eq!(later.exit, Some(0), "{later:?}");
    assert!(later.err.contains("it takes the report after"), "{later:?}");
    let submitted = bulk_over_quota(&scene);
    let inbox = scene.frex.done(&["inbox", "m2"]);
    let items = inbox["items"].as_array().unwrap();
    assert_eq!(items.len(), 8 + submitted, "{inbox}");
    assert_eq!(scene.node.stop(), Some(0));
}

/// CLI-32: many reports say once how long they wait; whoever has less patience is told why it ended.
fn bulk_over_quota(scene: &Scene) -> usize {
    let lines = ["A-1", "A-2", "A-3"].map(|reference| {
        let created = "2026-07-01T12:00:00Z";
        format!(r#"{{"reference":"{reference}","created":"{created}","description":"made up"}}"#)
    });
    fs::write(scene.frex.dir().join("reports.jsonl"), lines.join("\n")).unwrap();
    let bulk = ["bulk", "reports.jsonl", "--to", "m2", "--from", "m1"];
    let ended = scene.frex.run(&[&bulk[..], &["--patience", "2s"]].concat());
    let code = Some(WireCode::RetryAfter as u64);
    assert_eq!((ended.exit, ended.code()), (Some(23), code), "{ended:?}");
    let ended = scene.frex.run(&bulk);
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    let said = ended.err.matches("it takes the next report after").count();
    assert_eq!(said, 1, "{ended:?}");
    lines.len()
}

/// Requests that nobody goes on with, and their session.
struct Hoard {
    _session: Session,
    _streams: Vec<Stream>,
}

async fn hoard(session: Session, envelope: &SignedEnvelope) -> Hoard {
    let mut streams = Vec::new();
    for _ in 0..4 {
        let inbox = R::Inbox(v1::Inbox {
            credit: 256,
            wait_ms: 600_000,
        });
        streams.push(begin(&session, inbox, None).await);
    }
    for _ in 0..40 {
        let submit = R::Submit(v1::Submit {
            envelopes: 64,
            wait_ms: 0,
        });
        streams.push(begin(&session, submit, Some(envelope)).await);
    }
    Hoard {
        _session: session,
        _streams: streams,
    }
}

async fn begin(session: &Session, request: R, envelope: Option<&SignedEnvelope>) -> Stream {
    let request = v1::Request {
        request: Some(request),
    };
    let mut stream = session.request(&request, 0).await.unwrap();
    if let Some(envelope) = envelope {
        stream
            .writer
            .put_message(FrameType::Envelope, &envelope.to_wire(None));
    }
    // The node may have heard enough of this peer.
    let _ = stream.writer.flush().await;
    stream
}

/// An authenticated session whose packets then carry stream bytes with gaps.
async fn gapped(scene: &Scene, member: &str) -> (quinn::Connection, Arc<gaps::Gaps>) {
    let gaps = Arc::<gaps::Gaps>::default();
    let keys = scene.home(member).keys(Clock::System.now_ms()).unwrap();
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connecting = endpoint.connect_with(gaps::client(&keys.tls, &gaps), scene.address(), "frex");
    let connection = connecting.unwrap().await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let hello = session::build_hello(
        &scene.roster(),
        &Peer::Client(member.to_owned()),
        HOME_NODE,
        Bytes::new(),
        &SessionLimits::default(),
        Clock::System.now_ms(),
        &mut frex_client::environment::Random::System.rng(),
    );
    let hello = hello.encode_to_vec();
    let length = u32::try_from(hello.len()).unwrap().to_be_bytes();
    let frame = [&[FrameType::Hello as u8][..], &length, &hello].concat();
    send.write_all(&frame).await.unwrap();
    send.finish().unwrap();
    assert!(!receive.read_to_end(10_000).await.unwrap().is_empty());
    let (mut carrier, _) = connection.open_bi().await.unwrap();
    gaps.begin();
    tokio::spawn(async move {
        // Hardly any of it arrives: it makes packets, and fits the window beside the pieces.
        let _ = carrier.write_all(&vec![0; 90 * 1024]).await;
        std::future::pending::<()>().await;
    });
    (connection, gaps)
}

fn rss_mib(pid: u32, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

// ADM-8, ADM-10: a hundred peers that read nothing and finish nothing, and one that leaves gaps,
// cost a bounded amount of memory, and a report passes beside them.
#[test]
fn a_hundred_peers_that_never_read_cost_bounded_memory() {
    let scene = Scene::new(&[]);
    let before = rss_mib(scene.node.pid(), "VmRSS");
    runtime().block_on(async {
        let sender = scene.client(HOME).await;
        for member in SERVED {
            let envelopes: Vec<_> = (0..12).map(|_| seal(&sender, member, 1_000_000)).collect();
            let submission = sender.submit(envelopes, Duration::from_secs(5)).await;
            submission.unwrap().finish().await;
        }
        let large = seal(&sender, HOME, 50_000);
        let mut hoarding = JoinSet::new();
        for member in SERVED {
            let dialler = scene.dialler(member);
            for _ in 0..25 {
                let (session, large) = (scene.dial(&dialler).await.unwrap(), large.clone());
                hoarding.spawn(async move { hoard(session, &large).await });
            }
        }
        let _hoards = hoarding.join_all().await;
        let (connection, gaps) = gapped(&scene, SERVED[0]).await;
        let enough = async {
            while gaps.pieces() <= 5_000 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let gapped = tokio::time::timeout(3 * WAIT, enough).await;
        assert!(gapped.is_ok(), "{} pieces with gaps", gaps.pieces());
        assert!(
            connection.close_reason().is_none(),
            "{:?}",
            connection.close_reason()
        );
        let envelope = seal(&sender, HOME, 1000);
        let submission = sender
            .submit(vec![envelope], Duration::from_secs(5))
            .await
            .unwrap();
        let events = submission.finish().await;
        assert_eq!(events.len(), 2, "SUBMITTED and ACCEPTED: {events:?}");
        let highest = rss_mib(scene.node.pid(), "VmHWM");
        println!(
            "{before} MiB before, {highest} MiB at most, {} pieces",
            gaps.pieces()
        );
        assert!(highest <= RSS_MIB_MAX, "{highest} MiB");
    });
    assert_eq!(scene.node.stop(), Some(0));
}

// ADM-12, ADM-13: who opens requests only to reset them is cut off, stays away, and nobody else does.
#[test]
fn who_resets_its_requests_is_cut_off() {
    let scene = Scene::new(&[]);
    runtime().block_on(async {
        let dialler = scene.dialler("m1");
        let session = scene.dial(&dialler).await.unwrap();
        let request = v1::Request {
            request: Some(R::GetCheckpoint(v1::GetCheckpoint::default())),
        };
        let mut resets = 0;
        let ended = loop {
            match session.request(&request, 0).await {
                Ok(stream) => stream.writer.reset(WireCode::Cancelled),
                Err(error) => break error,
            }
            resets += 1;
            assert!(resets < 100_000, "nobody minds");
        };
        println!("cut off after {resets} resets");
        assert!(
            matches!(ended, TransportError::Closed(WireCode::Flooding)),
            "{ended:?}"
        );
        let again = scene.dial(&dialler).await.unwrap();
        let ended = tokio::time::timeout(WAIT, again.closed()).await.unwrap();
        assert!(
            matches!(ended, TransportError::Closed(WireCode::Flooding)),
            "{ended:?}"
        );
    });
    let other = scene.send("m2", "m3", "5s");
    assert_eq!(other.exit, Some(0), "{other:?}");
    assert_eq!(scene.node.stop(), Some(0));
}
