//! Who sends too much, reads nothing or finds a full disk, in a deterministic world.
//!
//! Computing takes no virtual time, so what is measured here is what queues, quotas and pauses do;
//! `cargo bench --bench flood` measures what a processor adds. A failing seed replays with
//! `FREX_SEED=N cargo test -p frex-tests --test sim_admission`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use frex_client::{
    client::{Client, ClientConfig, News},
    environment::{Clock, Environment, Random},
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Session, Socket, Stream},
};
use frex_node::{
    disk::Disk,
    node::{Execution, Node},
};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::EnvelopeId,
    keys::SealingSecretKey,
    limits::{LEASE_MS_MAX, PEER_UNDER_WAY_BYTES_MIN, UNDER_WAY_BYTES_MAX},
    roster::Peer,
    v1::{self, Lane, request::Request as R},
    wire::FrameType,
};
use frex_tests::{
    federation::{Federation, MemberSeat, Organisation, Place},
    sim::world::{self, Machine, World},
};
use rand_chacha::rand_core::Rng;
use tokio::time::Instant;

mod quota;
mod room;

const EPOCH_MS: u64 = 1_800_000_000_000;
const PORT: u16 = 7443;
const HOME: &str = "home";
const AWAY: &str = "away";
const ROGUE: &str = "rogue";
const PLATFORM: &str = "platform";
const POLICE: &str = "police";
/// Of the rogue, in a minute.
const QUOTA: u32 = 6;

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn seed() -> u64 {
    let seed = std::env::var("FREX_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("replay with FREX_SEED={seed}");
    seed
}

/// Two nodes; the first serves three more members.
struct Scene {
    federation: Federation,
    nodes: BTreeMap<&'static str, Machine>,
    members: Machine,
    clock: Clock,
}

impl Scene {
    fn new(world: &World) -> Self {
        let organisation = |id, node| Organisation {
            id,
            role: v1::Role::Hotline,
            country: "FR",
            node,
        };
        let at = |last| Ok(SocketAddr::new(ip(last), PORT));
        let organisations = [
            organisation(HOME, at(1)),
            organisation(AWAY, at(2)),
            organisation(ROGUE, Err(HOME)),
            organisation(PLATFORM, Err(HOME)),
            organisation(POLICE, Err(HOME)),
        ];
        let mut federation = Federation::new(world.seed(), EPOCH_MS, &organisations);
        let held = federation.roster(EPOCH_MS);
        federation.bundle = federation.revised(&held, &[], |roster| {
            let limited = |member: &&mut v1::Member| [ROGUE, AWAY].contains(&member.id.as_str());
            for member in roster.members.iter_mut().filter(limited) {
                member.quota = Some(v1::Quota {
                    envelopes_per_minute: QUOTA,
                    urgent_per_minute: 1,
                });
            }
        });
        Self {
            federation,
            nodes: [(HOME, 1), (AWAY, 2)]
                .map(|(id, last)| (id, world.machine(ip(last))))
                .into(),
            members: world.machine(ip(3)),
            clock: Clock::virtual_from(EPOCH_MS),
        }
    }

    fn environment(&self, machine: &Machine) -> Environment {
        let mut seed = [0; 32];
        machine.rng("environment").fill_bytes(&mut seed);
        Environment {
            clock: self.clock.clone(),
            random: Random::seeded(seed),
        }
    }

    async fn node(&self, id: &'static str) -> Node {
        let machine = &self.nodes[id];
        let place = Place {
            environment: self.environment(machine),
            disk: Arc::new(machine.disk().clone()),
            socket: Socket::Abstract(machine.bind(PORT).unwrap()),
            data: PathBuf::from("/data"),
            execution: Execution::Inline,
        };
        self.federation.start(id, place).await.unwrap()
    }

    async fn client(&self, member: &str, port: u16, patience: Duration) -> Client {
        let MemberSeat {
            id,
            identity,
            tls,
            sealing,
            ..
        } = self.federation.member(member);
        let environment = self.environment(&self.members);
        let config = ClientConfig {
            member: id.clone(),
            roster: RosterHandle::new(self.federation.roster(environment.clock.now_ms())),
            membership: None,
            identity: identity.clone(),
            tls: tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&sealing.seed())].into(),
            environment,
            socket: Some(Socket::Abstract(self.members.bind(port).unwrap())),
            limits: Limits::default(),
            patience,
        };
        Client::new(config).await.unwrap()
    }

    /// Sessions of a peer that does with them what it likes, from one socket.
    async fn sessions(&self, peer: Peer, port: u16, count: usize) -> Vec<Session> {
        let environment = self.environment(&self.members);
        let roster = RosterHandle::new(self.federation.roster(environment.clock.now_ms()));
        let key = match &peer {
            Peer::Client(member) => &self.federation.member(member).tls,
            Peer::Node(node) => &self.federation.node(node).tls,
        };
        let identity = Identity::new(key).unwrap();
        let greeter = Greeter::new(peer, roster, environment);
        let config = EndpointConfig {
            socket: Socket::Abstract(self.members.bind(port).unwrap()),
            identity,
            key_check: greeter.key_check(),
            key_exchange: greeter.key_exchange(),
            limits: Limits::default(),
            listen: false,
            rng_seed: greeter.environment.random.endpoint_seed(),
        };
        let endpoint = Endpoint::bind(config).unwrap();
        let (address, greeting) = (self.federation.node(HOME).address, greeter.dialling(HOME));
        let mut sessions = Vec::new();
        for _ in 0..count {
            sessions.push(endpoint.dial(address, &greeting).await.unwrap());
        }
        sessions
    }
}

fn client(member: &str) -> Peer {
    Peer::Client(member.to_owned())
}

fn seal(client: &Client, to: &str, lane: Lane, content: Vec<u8>) -> SignedEnvelope {
    let draft = client
        .draft(&[to])
        .lane(lane)
        .content("text/plain", content);
    client.seal(&client.finish(draft).unwrap()).unwrap()
}

/// Submits one report; whether it was taken, and after how long it was accepted.
async fn send(client: &Client, to: &str, lane: Lane) -> Result<Duration, WireCode> {
    let envelope = seal(client, to, lane, b"report".to_vec());
    let started = Instant::now();
    let submission = client.submit(vec![envelope], Duration::from_secs(20)).await;
    let mut submission = submission.map_err(|error| WireCode::from(&error))?;
    while let Some(event) = submission.next().await {
        match event.news {
            News::Accepted { .. } => return Ok(started.elapsed()),
            News::Submitted(_) | News::Delayed { .. } => {}
            News::Refused { code } | News::Unanswered { code } => return Err(code),
            other => panic!("{other:?}"),
        }
    }
    Err(WireCode::TimedOut)
}

/// Reads everything that comes for `member` within a while.
async fn drain(client: &Client) -> BTreeMap<EnvelopeId, usize> {
    let mut seen = BTreeMap::new();
    let mut inbox = client.inbox(8, Duration::from_secs(60)).await.unwrap();
    while let Some(item) = inbox.next().await {
        let Ok(item) = item.unwrap() else {
            panic!("an item that cannot be opened")
        };
        *seen.entry(item.id()).or_default() += 1;
        item.confirm(v1::Stage::Delivered, "").await.unwrap();
    }
    seen
}
