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

/// What the honest members got in two minutes.
#[derive(Debug)]
struct Served {
    normal: usize,
    urgent: Vec<Duration>,
}

impl Served {
    fn p99(&self) -> Duration {
        let mut sorted = self.urgent.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * 99).div_ceil(100) - 1]
    }
}

async fn serve_the_honest(scene: &Scene, port: u16) -> Served {
    let platform = scene.client(PLATFORM, port, Duration::from_secs(1)).await;
    let police = scene.client(POLICE, port + 1, Duration::from_secs(1)).await;
    let normal = async {
        let mut taken = 0;
        for _ in 0..100 {
            taken += usize::from(send(&platform, AWAY, Lane::Normal).await.is_ok());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        taken
    };
    let urgent = async {
        let mut latencies = Vec::new();
        for _ in 0..50 {
            latencies.extend(send(&police, AWAY, Lane::Urgent).await);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        latencies
    };
    let (normal, urgent) = tokio::join!(normal, urgent);
    Served { normal, urgent }
}

/// Sends a hundred times its quota for as long as it is let, and keeps what was not taken.
async fn flood(
    client: &Client,
    refused: &mut Vec<SignedEnvelope>,
    taken: &mut BTreeSet<EnvelopeId>,
) {
    loop {
        let draft = || {
            let draft = client.draft(&[AWAY]).content("text/plain", "again");
            client.finish(draft).unwrap()
        };
        let drafts: Vec<_> = std::iter::repeat_with(draft).take(10).collect();
        let envelopes = client.seal_batch(&drafts).unwrap();
        let submission = client
            .submit(envelopes.clone(), Duration::ZERO)
            .await
            .unwrap();
        let events = submission.finish().await;
        for (place, envelope) in envelopes.into_iter().enumerate() {
            let of = || events.iter().filter(|event| event.envelope == place);
            if of().any(|event| matches!(event.news, News::Submitted(_))) {
                taken.insert(envelope.id);
                continue;
            }
            assert!(of().any(|event| matches!(
                event.news,
                News::Delayed { code: WireCode::RetryAfter, retry_after } if !retry_after.is_zero()
            )));
            refused.push(envelope);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
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

// ADM-1, ADM-2, ADM-4: a member at a hundred times its quota takes nothing from the others, loses
// nothing of what was taken, and gets the rest through at its quota.
#[test]
fn a_rogue_at_a_hundred_times_its_quota_takes_nothing_from_the_others() {
    world::run(seed(), |world| async move {
        let scene = Scene::new(&world);
        let nodes = [scene.node(HOME).await, scene.node(AWAY).await];
        let alone = serve_the_honest(&scene, 40_000).await;
        let rogue = scene.client(ROGUE, 41_000, Duration::ZERO).await;
        let (mut refused, mut taken) = (Vec::new(), BTreeSet::new());
        let started = Instant::now();
        let beside = tokio::select! {
            biased;
            () = flood(&rogue, &mut refused, &mut taken) => unreachable!("it floods for ever"),
            beside = serve_the_honest(&scene, 42_000) => beside,
        };
        let minutes = started.elapsed().as_secs_f64() / 60.0;
        println!(
            "alone {} normal, urgent p99 {:?}",
            alone.normal,
            alone.p99()
        );
        println!(
            "beside {} normal, urgent p99 {:?}",
            beside.normal,
            beside.p99()
        );
        println!(
            "rogue: {} taken and {} refused in {minutes:.1} min",
            taken.len(),
            refused.len()
        );
        assert!(beside.normal * 10 >= alone.normal * 9);
        assert!(beside.urgent.len() * 10 >= alone.urgent.len() * 9);
        assert!(beside.p99() <= alone.p99() * 2);
        let quota = f64::from(QUOTA) * (minutes + 1.0);
        assert!(refused.len() > 900, "it is a flood: {}", refused.len());
        assert!((taken.len() as f64) <= quota + 1.0);

        let patient = scene.client(ROGUE, 41_001, Duration::from_secs(3600)).await;
        let started = Instant::now();
        refused.truncate(30);
        for envelope in refused {
            taken.insert(envelope.id);
            let submission = patient
                .submit(vec![envelope], Duration::ZERO)
                .await
                .unwrap();
            let events = submission.finish().await;
            let submitted = |news: &News| matches!(news, News::Submitted(_));
            assert!(
                events.iter().any(|event| submitted(&event.news)),
                "{events:?}"
            );
        }
        let took = started.elapsed();
        println!("rogue: 30 more at its quota in {took:?}");
        assert!(took >= Duration::from_secs(60 * 29 / u64::from(QUOTA)) - Duration::from_secs(10));
        assert!(took <= Duration::from_secs(60 * 45 / u64::from(QUOTA)));
        tokio::time::sleep(Duration::from_secs(600)).await;
        let seen = drain(&scene.client(AWAY, 43_000, Duration::from_secs(60)).await).await;
        let rogues: BTreeSet<_> = seen
            .keys()
            .filter(|id| taken.contains(id))
            .copied()
            .collect();
        assert_eq!(rogues, taken, "what was taken arrives");
        assert!(seen.values().all(|times| *times == 1));
        assert_eq!(
            seen.len(),
            taken.len() + 300,
            "and so does what the others sent"
        );
        drop(nodes);
    });
}

// ADM-3: who submits again what the node has keeps its quota for new reports.
#[test]
fn a_repetition_uses_up_no_quota() {
    world::run(seed(), |world| async move {
        let scene = Scene::new(&world);
        let _node = scene.node(HOME).await;
        let rogue = scene.client(ROGUE, 41_000, Duration::ZERO).await;
        let first = seal(&rogue, HOME, Lane::Normal, b"report".to_vec());
        let submitted = async |envelope: SignedEnvelope| {
            let submission = rogue.submit(vec![envelope], Duration::ZERO).await.unwrap();
            let events = submission.finish().await;
            events
                .iter()
                .any(|event| matches!(event.news, News::Submitted(_)))
        };
        for _ in 0..QUOTA {
            assert!(submitted(first.clone()).await);
        }
        for number in 1..QUOTA {
            let next = seal(
                &rogue,
                HOME,
                Lane::Normal,
                vec![u8::try_from(number).unwrap()],
            );
            assert!(submitted(next).await, "report {number}");
        }
        let over = seal(&rogue, HOME, Lane::Normal, b"over".to_vec());
        assert!(!submitted(over).await);
        let urgent = seal(&rogue, HOME, Lane::Urgent, b"urgent".to_vec());
        assert!(submitted(urgent).await, "the urgent quota is another");
        let over = seal(&rogue, HOME, Lane::Urgent, b"over".to_vec());
        assert!(!submitted(over).await);
    });
}

// ADM-1, ADM-4: a node counts by the sender's quota what its home node delivers, whatever that node
// counts itself, and what another node brings draws on nobody's.
#[test]
fn what_a_node_delivers_draws_on_the_senders_quota() {
    world::run(seed(), |world| async move {
        let scene = Scene::new(&world);
        let _node = scene.node(HOME).await;
        let away = scene.client(AWAY, 40_000, Duration::ZERO).await;
        let rogue = scene.client(ROGUE, 40_001, Duration::ZERO).await;
        let peer = Peer::Node(AWAY.to_owned());
        let session = scene.sessions(peer, 50_000, 1).await.remove(0);
        let foreign = (0..QUOTA).map(|_| seal(&rogue, HOME, Lane::Normal, vec![1]));
        for (receipts, refusals) in deliver(&session, foreign.collect()).await {
            assert_eq!(
                (receipts, refusals),
                (0, vec![WireCode::WrongSender as u64])
            );
        }
        let sealed = (0..QUOTA + 2).map(|_| seal(&away, HOME, Lane::Normal, vec![2]));
        let answers = deliver(&session, sealed.collect()).await;
        let taken = answers
            .iter()
            .filter(|(receipts, _)| *receipts == 1)
            .count();
        assert_eq!(taken, QUOTA as usize);
        let minute_ms = 60_000 / u64::from(QUOTA);
        for (turn, (_, waits_ms)) in (1..).zip(&answers[QUOTA as usize..]) {
            let late = turn * minute_ms - waits_ms[0];
            assert!(late < 1000, "turn {turn}: {waits_ms:?}");
        }
        let urgent = seal(&away, HOME, Lane::Urgent, vec![3]);
        assert_eq!(deliver(&session, vec![urgent]).await[0].0, 1);
    });
}

// ADM-5, ADM-6, NOD-7: bulk stops first, urgent last; what is kept is still read and confirmed.
#[test]
fn as_the_disk_fills_bulk_stops_first_and_urgent_last() {
    const RESERVE: u64 = 64 * 1024 * 1024;
    world::run(seed(), |world| async move {
        let scene = Scene::new(&world);
        let node = scene.node(HOME).await;
        let client = scene
            .client(PLATFORM, 40_000, Duration::from_secs(60))
            .await;
        send(&client, POLICE, Lane::Bulk).await.unwrap();
        let disk = scene.nodes[HOME].disk();
        let lanes = [Lane::Urgent, Lane::Normal, Lane::Bulk];
        let halves = [
            (5, 3, &[][..]),
            (4, 3, &[]),
            (3, 2, &["bulk"]),
            (2, 1, &["bulk", "normal"]),
        ];
        for (left, taken, named) in
            halves
                .into_iter()
                .chain([(1, 0, &["bulk", "normal", "control", "urgent"][..])])
        {
            let used = (1 << 40) - {
                disk.set_capacity(1 << 40);
                disk.free_bytes(Path::new("/data")).unwrap()
            };
            disk.set_capacity(used + left * RESERVE / 2 + RESERVE / 8);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(
                node.status().lanes_refused,
                named,
                "{left} halves of the reserve left"
            );
            for (place, lane) in lanes.into_iter().enumerate() {
                let sent = send(&client, POLICE, lane).await;
                let expected = if place < taken {
                    None
                } else {
                    Some(WireCode::DiskFull)
                };
                assert_eq!(sent.err(), expected, "{lane:?}, {left} halves left");
            }
        }
        let reader = scene.client(POLICE, 40_001, Duration::from_secs(60)).await;
        assert_eq!(drain(&reader).await.len(), 1 + 3 + 3 + 2 + 1);
    });
}

/// Delivers envelopes as a node does; for each the number of receipts, and of each refusal the time
/// to wait, or its code if it names none.
async fn deliver(session: &Session, envelopes: Vec<SignedEnvelope>) -> Vec<(usize, Vec<u64>)> {
    let count = u32::try_from(envelopes.len()).unwrap();
    let request = v1::Request {
        request: Some(R::Deliver(v1::Deliver { envelopes: count })),
    };
    let mut stream = session.request(&request, 0).await.unwrap();
    for envelope in &envelopes {
        let wire = envelope.to_wire(None);
        stream.writer.put_message(FrameType::Envelope, &wire);
    }
    stream.writer.finish().await.unwrap();
    let mut said = vec![(0, Vec::new()); envelopes.len()];
    loop {
        let answer = stream
            .reader
            .message(FrameType::Answer, Duration::from_secs(30));
        let answer: v1::Answer = answer.await.unwrap();
        let place = &mut said[answer.envelope as usize];
        match answer.answer.unwrap() {
            v1::answer::Answer::Receipt(_) => place.0 += 1,
            v1::answer::Answer::Refusal(refusal) if refusal.retry_after_ms > 0 => {
                assert_eq!(refusal.code, WireCode::RetryAfter as u32);
                place.1.push(refusal.retry_after_ms);
            }
            v1::answer::Answer::Refusal(refusal) => place.1.push(refusal.code.into()),
            v1::answer::Answer::Done(_) => return said,
            other => panic!("{other:?}"),
        }
    }
}

/// A request of 64 envelopes that is never finished after the first.
async fn begin(session: &Session, envelope: &SignedEnvelope) -> Stream {
    let request = v1::Request {
        request: Some(R::Submit(v1::Submit {
            envelopes: 64,
            wait_ms: 0,
        })),
    };
    let mut stream = session.request(&request, 0).await.unwrap();
    stream
        .writer
        .put_message(FrameType::Envelope, &envelope.to_wire(None));
    // The node may have heard enough of this peer.
    let _ = stream.writer.flush().await;
    stream
}

// ADM-8, ADM-10: a hundred peers that read nothing and finish nothing hold a bounded amount, and a
// report passes beside them.
#[test]
fn a_hundred_peers_that_never_read_are_bounded() {
    world::run(seed(), |world| async move {
        let scene = Scene::new(&world);
        let node = scene.node(HOME).await;
        let sender = scene
            .client(PLATFORM, 40_000, Duration::from_secs(60))
            .await;
        let idle = [ROGUE, POLICE, HOME, PLATFORM];
        for member in idle {
            for number in 0..12_u8 {
                let envelope = seal(&sender, member, Lane::Normal, vec![number; 1024 * 1024]);
                let submission = sender.submit(vec![envelope], Duration::from_secs(1)).await;
                submission.unwrap().finish().await;
            }
        }
        let large = seal(&sender, POLICE, Lane::Normal, vec![1; 50_000]);
        let mut kept = Vec::new();
        for (number, member) in (0..).zip(idle) {
            for session in scene.sessions(client(member), 50_000 + number, 25).await {
                for _ in 0..4 {
                    let inbox = R::Inbox(v1::Inbox {
                        credit: 256,
                        wait_ms: 600_000,
                    });
                    let request = v1::Request {
                        request: Some(inbox),
                    };
                    let mut stream = session.request(&request, 0).await.unwrap();
                    stream.writer.flush().await.unwrap();
                    kept.push(stream);
                }
                for _ in 0..40 {
                    kept.push(begin(&session, &large).await);
                }
            }
        }
        let status = node.status();
        println!(
            "{} streams, {} bytes held, {} at most",
            kept.len(),
            status.under_way_bytes,
            status.under_way_bytes_highest
        );
        let bound = UNDER_WAY_BYTES_MAX + 4 * PEER_UNDER_WAY_BYTES_MIN;
        assert!(status.under_way_bytes_highest <= bound);
        assert!(
            status.under_way_bytes_highest > 16 * 1024 * 1024,
            "they hold much"
        );
        let police = scene.client(POLICE, 40_001, Duration::from_secs(60)).await;
        send(&police, HOME, Lane::Urgent).await.unwrap();
        drop(kept);
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(node.status().under_way_bytes, 0, "all of it comes back");
    });
}

// DEL-22, ADM-15, ADM-16: two readers never hold the same item, each gets a share, and what a
// reader holds that falls silent goes to the other.
#[test]
fn two_readers_share_an_inbox_and_a_silent_one_loses_its_part() {
    world::run(seed(), |world| async move {
        let scene = Scene::new(&world);
        let _node = scene.node(HOME).await;
        let sender = scene
            .client(PLATFORM, 40_000, Duration::from_secs(60))
            .await;
        let mut sent = BTreeSet::new();
        for number in 0..40_u8 {
            let envelope = seal(&sender, POLICE, Lane::Normal, vec![number]);
            sent.insert(envelope.id);
            let submission = sender.submit(vec![envelope], Duration::ZERO).await.unwrap();
            submission.finish().await;
        }
        let silent = scene.client(POLICE, 40_001, Duration::from_secs(60)).await;
        let mut held = silent.inbox(8, Duration::from_secs(600)).await.unwrap();
        let mut kept = Vec::new();
        for _ in 0..8 {
            kept.push(held.next().await.unwrap().unwrap().ok().unwrap());
        }
        let silent_since = Instant::now();
        let readers =
            [40_002, 40_003].map(|port| scene.client(POLICE, port, Duration::from_secs(60)));
        let readers = readers.map(|reader| async move {
            let reader = reader.await;
            let mut read = Vec::new();
            let mut inbox = reader.inbox(4, Duration::from_secs(600)).await.unwrap();
            while let Some(item) = inbox.next().await {
                let item = item.unwrap().ok().unwrap();
                read.push((item.id(), Instant::now()));
                tokio::time::sleep(Duration::from_millis(500)).await;
                item.confirm(v1::Stage::Delivered, "").await.unwrap();
            }
            read
        });
        let [one, other] = readers;
        let (one, other) = tokio::join!(one, other);
        assert!(
            one.len() >= 10 && other.len() >= 10,
            "{} and {}",
            one.len(),
            other.len()
        );
        let read: BTreeSet<_> = one.iter().chain(&other).map(|(id, _)| *id).collect();
        assert_eq!(read.len(), one.len() + other.len(), "none twice");
        assert_eq!(read, sent, "and none is left out");
        for item in &kept {
            let both = one.iter().chain(&other);
            let (_, at) = both.clone().find(|(id, _)| *id == item.id()).unwrap();
            let after = *at - silent_since;
            assert!(
                after >= Duration::from_millis(LEASE_MS_MAX - 1000),
                "{after:?}"
            );
            assert!(
                after <= Duration::from_millis(LEASE_MS_MAX + 30_000),
                "{after:?}"
            );
        }
    });
}
