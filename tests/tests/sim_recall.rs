//! A recall races its message, over a bad network and through power cuts: whichever comes first, it
//! ends the same.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim_recall`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use frex_client::{
    client::{Client, ClientConfig, ConfirmError, DraftBuilder, News},
    environment::{Clock, Environment, Random},
    tls::config::Limits,
    transport::{RosterHandle, Socket},
};
use frex_node::node::{Execution, Node};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::{EnvelopeId, MessageId},
    keys::SealingSecretKey,
    v1,
};
use frex_tests::{
    federation::{Federation, Organisation, Place},
    sim::{
        Link,
        world::{self, Machine, World},
    },
};
use rand_chacha::rand_core::Rng;

const EPOCH_MS: u64 = 1_800_000_000_000;
const SEEDS: RangeInclusive<u64> = 1..=24;
const PORT: u16 = 7443;
const SENDER: &str = "platform";
const READER: &str = "hotline";
/// Messages of one history; every second one is withdrawn.
const MESSAGES: usize = 6;

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

struct Scene {
    federation: Federation,
    machines: BTreeMap<&'static str, Machine>,
    clock: Clock,
}

impl Scene {
    fn new(world: &World) -> Self {
        let organisation = |id, role, last| Organisation {
            id,
            role,
            country: "FR",
            node: Ok(SocketAddr::new(ip(last), PORT)),
        };
        let organisations = [
            organisation(SENDER, v1::Role::Platform, 1),
            organisation(READER, v1::Role::Hotline, 2),
        ];
        let machines = [(SENDER, 1), (READER, 2), ("sending", 3), ("reading", 4)];
        let machines = machines.map(|(name, last)| (name, world.machine(ip(last))));
        Self {
            federation: Federation::new(world.seed(), EPOCH_MS, &organisations),
            machines: machines.into(),
            clock: Clock::virtual_from(EPOCH_MS),
        }
    }

    fn environment(&self, name: &str) -> Environment {
        let mut seed = [0; 32];
        self.machines[name].rng("environment").fill_bytes(&mut seed);
        Environment {
            clock: self.clock.clone(),
            random: Random::seeded(seed),
        }
    }

    async fn node(&self, id: &'static str) -> Node {
        let machine = &self.machines[id];
        let place = Place {
            environment: self.environment(id),
            disk: Arc::new(machine.disk().clone()),
            socket: Socket::Abstract(machine.bind(PORT).unwrap()),
            data: PathBuf::from("/data"),
            execution: Execution::Inline,
        };
        self.federation.start(id, place).await.unwrap()
    }

    async fn client(&self, member: &str, machine: &'static str) -> Client {
        let seat = self.federation.member(member);
        let environment = self.environment(machine);
        let socket = self.machines[machine].bind(50_000).unwrap();
        let config = ClientConfig {
            member: member.to_owned(),
            roster: RosterHandle::new(self.federation.roster(environment.clock.now_ms())),
            membership: None,
            identity: seat.identity.clone(),
            tls: seat.tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&seat.sealing.seed())].into(),
            environment,
            socket: Some(Socket::Abstract(socket)),
            limits: Limits::default(),
            patience: Duration::from_secs(600),
        };
        Client::new(config).await.unwrap()
    }

    async fn power_cut(&self, id: &'static str, node: Node) -> Node {
        self.machines[id].crash();
        drop(node);
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.node(id).await
    }
}

fn seal(client: &Client, draft: DraftBuilder) -> (MessageId, SignedEnvelope) {
    let draft = client.finish(draft).unwrap();
    (draft.message_id, client.seal(&draft).unwrap())
}

/// Submits until the home node has acknowledged it.
async fn submit(client: &Client, envelope: SignedEnvelope) {
    for _ in 0..1_000 {
        let wait = Duration::from_millis(1);
        let mut submission = client.submit(vec![envelope.clone()], wait).await.unwrap();
        while let Some(event) = submission.next().await {
            match event.news {
                News::Submitted(_) => return,
                News::Unanswered { .. } => {}
                News::Refused { code } => {
                    assert_eq!(code.info().retry, frex_proto::error::Retry::Later, "{code}");
                }
                other => panic!("unexpected news before SUBMITTED: {other:?}"),
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the home node acknowledges nothing");
}

/// What a reader has seen of the messages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    opened: BTreeSet<EnvelopeId>,
    /// By the message that they withdraw.
    recalls: BTreeSet<MessageId>,
    /// Items that were withdrawn while they were held.
    lost: BTreeSet<EnvelopeId>,
    /// Items whose confirmation was not answered.
    unsure: BTreeSet<EnvelopeId>,
}

/// Reads until so many recalls have come; holds each item for a moment.
async fn read(client: Client, recalls: usize, hold: Duration) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..200 {
        let wait = Duration::from_secs(600);
        let mut inbox = client.inbox(4, wait).await.unwrap();
        while let Some(item) = inbox.next().await {
            let item = item
                .unwrap()
                .unwrap_or_else(|item| panic!("{}", item.error));
            let (id, recall) = (item.id(), item.recall.clone());
            tokio::time::sleep(hold).await;
            let (stage, outcome) = match &recall {
                Some(_) => (v1::Stage::Acted, "withdrawn"),
                None => (v1::Stage::Opened, ""),
            };
            let message = recall.is_none().then_some(id);
            seen.recalls.extend(recall.map(|recall| recall.message));
            match (item.confirm(stage, outcome).await, message) {
                (Ok(_), Some(id)) => assert!(seen.opened.insert(id), "twice"),
                (Ok(_), None) => {}
                (Err(ConfirmError::Refused(WireCode::Recalled)), Some(id)) => {
                    seen.lost.insert(id);
                }
                // The connection was lost: it is logged, or it comes again.
                (Err(ConfirmError::LeaseEnded | ConfirmError::TimedOut), message) => {
                    seen.unsure.extend(message);
                }
                (Err(error), _) => panic!("{error}"),
            }
        }
        if seen.recalls.len() >= recalls {
            break;
        }
    }
    seen
}

/// One history: what was seen, and how many datagrams and faults there were.
fn history(seed: u64) -> (Seen, String, u64) {
    world::run(seed, |world| async move {
        let scene = Scene::new(&world);
        let mut rng = world.rng("scenario");
        let mut sending = scene.node(SENDER).await;
        let mut receiving = scene.node(READER).await;
        let sender = scene.client(SENDER, "sending").await;
        world.network().set_link(Link::draw(&mut rng));
        let reader = scene.client(READER, "reading").await;
        let hold = Duration::from_millis(rng.next_u64() % 4_000);
        let recalls = MESSAGES.div_ceil(2);
        // Either somebody reads all the time, or only when all is over.
        let reading = !rng.next_u64().is_multiple_of(3);
        let reading = reading.then(|| tokio::spawn(read(reader.clone(), recalls, hold)));
        let (mut withdrawn, mut kept) = (BTreeMap::new(), BTreeSet::new());
        for number in 0..MESSAGES {
            if number == MESSAGES / 2 {
                world.network().partition(ip(1), ip(2));
                receiving = scene.power_cut(READER, receiving).await;
            }
            let text = format!("report {number}").into_bytes();
            let (message, envelope) =
                seal(&sender, sender.draft(&[READER]).content("text/plain", text));
            let id = envelope.id;
            submit(&sender, envelope).await;
            let pause = Duration::from_millis(rng.next_u64() % 3_000);
            tokio::time::sleep(pause).await;
            if number % 2 == 1 {
                kept.insert(id);
                continue;
            }
            let recall = sender
                .draft(&[READER])
                .recall(message, id, "sent-in-error")
                .unwrap();
            submit(&sender, seal(&sender, recall).1).await;
            withdrawn.insert(message, id);
            if number == 2 {
                sending = scene.power_cut(SENDER, sending).await;
            }
        }
        world.network().heal();
        let seen = match reading {
            Some(reading) => reading.await.unwrap(),
            None => read(reader.clone(), recalls, hold).await,
        };
        let names: BTreeSet<MessageId> = withdrawn.keys().copied().collect();
        assert_eq!(seen.recalls, names, "seed {seed}: every recall comes");
        let ids: BTreeSet<EnvelopeId> = withdrawn.values().copied().collect();
        let read: BTreeSet<_> = seen.opened.union(&seen.unsure).copied().collect();
        assert!(
            kept.is_subset(&read),
            "seed {seed}: nothing else is withdrawn"
        );
        let early: BTreeSet<_> = seen.opened.difference(&kept).copied().collect();
        assert!(
            early.is_subset(&ids) && early.is_disjoint(&seen.lost),
            "seed {seed}"
        );
        // Long after, nothing that was withdrawn comes to light.
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        let mut late = reader.inbox(8, Duration::ZERO).await.unwrap();
        assert!(
            late.next().await.is_none(),
            "seed {seed}: the inbox is empty"
        );
        let logged = receiving.status().log_size;
        // Every recall was accepted and acted on; a message may have been stopped before it left.
        let least = 2 * (withdrawn.len() + kept.len() + early.len());
        let most = least + withdrawn.len() - early.len() + seen.unsure.len();
        assert!(
            (least..=most).contains(&usize::try_from(logged).unwrap()),
            "seed {seed}"
        );
        assert_eq!(
            sending.status().log_size,
            (MESSAGES + withdrawn.len()) as u64,
            "seed {seed}"
        );
        let (hash, faults) = world
            .network()
            .trace(|trace| (trace.hash(), trace.faults()));
        (seen, hash, faults)
    })
}

// RCL-7, RCL-9 to RCL-11, NOD-3: every recall is heard of once, nothing that was withdrawn unread is
// read afterwards, and nothing else is touched.
#[test]
fn a_recall_and_its_message_end_the_same_in_every_order() {
    let seeds = match std::env::var("FREX_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => SEEDS.collect(),
    };
    let (mut faults, mut read_before, mut held) = (0, 0, 0);
    for seed in &seeds {
        println!("replay with FREX_SEED={seed}");
        let (seen, _, met) = history(*seed);
        faults += met;
        held += seen.lost.len();
        read_before += seen.opened.len().saturating_sub(MESSAGES / 2);
    }
    println!("{faults} faults, {read_before} read before their recall, {held} held at that time");
    assert!(faults > 0, "nothing went wrong, so nothing was tried");
    assert!(
        seeds.len() == 1 || (read_before > 0 && held > 0),
        "no race was run"
    );
}

#[test]
fn a_seed_replays_the_same_history() {
    assert_eq!(history(3), history(3));
}
