//! The sender's side in a deterministic world: a long outage, poison, a destination that is full.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim outbox`.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use frex_client::client::{Client, Delivery, News, OutboxQuery, SubmissionEvent};
use frex_node::{
    bells::Bells,
    index::Index,
    journal::JournalConfig,
    ledger::{
        Admitted, Entry, Job, Outcome,
        replay::{self, Folders},
        sequencer::{Sequencer, Signer},
    },
    metrics::Metrics,
    node::Node,
};
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    limits,
    v1::{self, Lane, OutboxShelf, OutboxState},
};
use frex_tests::{
    scene::{self, Scene, ip},
    sim::{
        Link,
        world::{self, World},
    },
};
use prost::Message;
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep},
};

const HOUR: Duration = Duration::from_secs(3600);
const SENDER: &str = "platform";
const RECEIVER: &str = "hotline";
/// Served by the sender's node.
const GUEST: &str = "guest";
/// One request for each of urgent, normal and bulk, so that their order can be seen.
const REQUESTS_MAX: usize = 3;
const BATCH_MAX: usize = 8;
const TERABYTE: u64 = 1 << 40;

/// Runs a scenario from each of its seeds, or from the one that is to be replayed.
fn each_seed<F: Future<Output = ()>>(scenario: impl Fn(World) -> F) {
    for seed in crate::seeds(1..=3) {
        world::run(seed, &scenario);
    }
}

/// A node that runs, and what it counts.
struct Running {
    node: Node,
    metrics: Arc<Metrics>,
}

impl Running {
    /// The sum of a metric over its labels.
    fn count(&self, metric: &str) -> u64 {
        let text = self.metrics.text();
        let of_it = |line: &&str| line.starts_with(metric) && !line.starts_with('#');
        let values = text.lines().filter(of_it);
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        values.map(value).sum()
    }
}

fn scene(world: &World) -> Scene {
    let organisations = [
        scene::organisation(SENDER, v1::Role::Platform, 1),
        scene::organisation(RECEIVER, v1::Role::Hotline, 2),
        scene::guest(GUEST, v1::Role::Platform, SENDER),
    ];
    let clients = [("sending", 3), ("reading", 4), ("guest", 5)];
    Scene::new(world, &organisations, &clients)
}

async fn start(scene: &Scene, id: &'static str) -> Running {
    let small = scene.node_with(id, |parts| {
        parts.config.requests_in_flight_max = REQUESTS_MAX;
        parts.config.delivery_batch_max = BATCH_MAX;
        parts.metrics.clone()
    });
    let (node, metrics) = small.await;
    Running { node, metrics }
}

/// Writes envelopes that no submission would bring into the journal of the sender's node,
/// which does not run.
fn inject(scene: &Scene, envelopes: &[(u8, Bytes, Duration)]) {
    let seat = scene.federation.node(SENDER);
    let environment = scene.environment(SENDER);
    let now_ms = environment.clock.now_ms();
    let log = scene
        .federation
        .roster(now_ms)
        .log_verifier(SENDER)
        .unwrap();
    let folders = Folders {
        journal: PathBuf::from("/data/journal"),
        logs: PathBuf::from("/data/log"),
    };
    let config = JournalConfig {
        segment_bytes: 8 * 1024 * 1024,
        fill_ahead_bytes: 1024 * 1024,
        salt: 1,
    };
    let disk: Arc<dyn frex_node::disk::Disk> = Arc::new(scene.machines[SENDER].disk().clone());
    let index = Arc::new(Index::open(None).unwrap());
    let quiet = &mut |_, _| {};
    let logs = std::slice::from_ref(&log);
    let replay = replay::open(&disk, &folders, config, &index, logs, false, quiet).unwrap();
    let mut sequencer = Sequencer {
        journal: replay.journal,
        index,
        signer: Signer {
            key: seat.log.clone(),
            end_ms: watch::channel(None).1,
        },
        origin: log.origin.clone(),
        node: SENDER.to_owned(),
        frontier: replay.frontier,
        checkpoint: watch::channel(replay.checkpoint).0,
        tail: Arc::new(Mutex::new(replay.tail)),
        clock: environment.clock.clone(),
        rng: environment.random.rng(),
        last_ms: replay.last_ms,
        after: Arc::new(Bells::new(SENDER)),
        metrics: Arc::new(Metrics::new()),
    };
    for (number, envelope, life) in envelopes {
        let admitted = Admitted {
            id: EnvelopeId([*number; 32]),
            message_id: MessageId([*number; 16]),
            sender: SENDER.to_owned(),
            lane: Lane::Normal,
            expires_ms: now_ms + u64::try_from(life.as_millis()).unwrap(),
            attachments: Vec::new(),
            envelope: envelope.clone(),
            is_forward: false,
            recalls: None,
        };
        let entry = Entry::Submit {
            admitted,
            nodes: vec![RECEIVER.to_owned()],
            members: Vec::new(),
            recipients: vec![RECEIVER.to_owned()],
        };
        let (reply, mut outcome) = oneshot::channel();
        sequencer.commit(vec![Job { entry, reply }]).unwrap();
        assert!(matches!(outcome.try_recv().unwrap(), Outcome::Receipt(_)));
    }
}

/// Files one report; it is in the sender's log when this returns.
async fn file(client: &Client, lane: Lane, number: usize, life: Duration) -> EnvelopeId {
    let draft = client
        .draft(&[RECEIVER])
        .lane(lane)
        .life(life)
        .content("text/plain", number.to_string());
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    let id = envelope.id;
    let mut submission = client.submit(vec![envelope], Duration::ZERO).await.unwrap();
    let event = submission.next().await.unwrap();
    assert!(matches!(event.news, News::Submitted(_)), "{event:?}");
    id
}

/// What has arrived.
struct Arrived {
    id: EnvelopeId,
    lane: Lane,
    number: usize,
    /// Its place in the log of the receiver's node.
    index: u64,
}

/// Reads the inbox until `count` have come and then for a while longer, for at most `time`; in the
/// order in which the receiver's node took them.
async fn drain(client: &Client, count: usize, time: Duration) -> Vec<Arrived> {
    let mut seen = Vec::new();
    let began = Instant::now();
    while began.elapsed() < time && seen.len() < count {
        let mut inbox = client.inbox(64, Duration::from_secs(300)).await.unwrap();
        while let Some(item) = inbox.next().await {
            let Ok(item) = item.unwrap() else {
                panic!("an item that cannot be opened")
            };
            let number = String::from_utf8(item.opened.data.to_vec()).unwrap();
            seen.push(Arrived {
                id: item.id(),
                lane: item.parsed.core.lane,
                number: number.parse().unwrap(),
                index: item.receipt.receipt.index,
            });
            item.confirm(v1::Stage::Opened, "").await.unwrap();
        }
    }
    seen.sort_by_key(|arrived| arrived.index);
    seen
}

fn ids(arrived: &[Arrived]) -> Vec<EnvelopeId> {
    sorted(arrived.iter().map(|one| one.id).collect())
}

fn sorted(mut ids: Vec<EnvelopeId>) -> Vec<EnvelopeId> {
    ids.sort_unstable();
    ids
}

fn places(arrived: &[Arrived], lane: Lane) -> Vec<usize> {
    let places = arrived.iter().enumerate();
    let of_lane = places.filter(|(_, one)| one.lane == lane);
    of_lane.map(|(place, _)| place).collect()
}

async fn deliveries(client: &Client, shelf: OutboxShelf) -> Vec<Delivery> {
    let query = OutboxQuery {
        shelf,
        ..OutboxQuery::default()
    };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = client.outbox(&query, after).await.unwrap();
        assert!(page.deliveries.len() <= limits::OUTBOX_ROWS_MAX);
        found.extend(page.deliveries);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// Three days without a way to the other side, with a power cut in between; three reports each
/// hour. Gives the sender's node, and what was filed.
async fn outage(scene: &Scene, sender: &Client) -> (Running, Vec<EnvelopeId>) {
    let mut platform = start(scene, SENDER).await;
    let mut filed = Vec::new();
    for hour in 0..72_usize {
        for lane in [Lane::Bulk, Lane::Normal, Lane::Urgent] {
            filed.push(file(sender, lane, hour, 100 * HOUR).await);
        }
        sleep(HOUR).await;
        let [resting, requests] =
            ["resting", "requests"].map(|what| platform.count(&format!("frex_outbox_{what}{{")));
        let bounded =
            resting <= limits::RESTING_ITEMS_MAX as u64 && requests <= REQUESTS_MAX as u64;
        assert!(bounded, "hour {hour}: {resting}, {requests}");
        if hour == 40 {
            scene.power_off(SENDER, platform).await;
            platform = start(scene, SENDER).await;
        }
    }
    (platform, filed)
}

/// What went out first, arrives first: in a lane the oldest, and urgent before normal; and bulk
/// does not wait for all of normal.
fn check_order(arrived: &[Arrived]) {
    let lanes = [Lane::Urgent, Lane::Normal, Lane::Bulk];
    for lane in lanes {
        let of_lane = arrived.iter().filter(|one| one.lane == lane);
        for (rank, one) in of_lane.enumerate() {
            // Requests that are under way together may overtake each other on the way.
            let off = one.number.abs_diff(rank);
            assert!(off < 2 * BATCH_MAX, "{lane:?}: {rank} is {}", one.number);
        }
    }
    let [urgent, normal, bulk] = lanes.map(|lane| places(arrived, lane));
    assert!(urgent.last() < normal.first(), "urgent goes first");
    assert!(
        bulk.first() < normal.last(),
        "bulk does not wait for all of it"
    );
}

// DEL-37, DEL-38, DEL-39, DEL-41, DEL-44, LIM-61: three days of outage lose nothing: everything
// arrives once and in order, what is late is counted, and what is kept in memory stays small.
#[test]
fn three_days_of_outage_are_drained_once_and_in_order() {
    each_seed(|world| async move {
        let scene = scene(&world);
        let _hotline = start(&scene, RECEIVER).await;
        let sender = scene.client(SENDER, "sending").await;
        world.network().partition(ip(1), ip(2));
        let (platform, filed) = outage(&scene, &sender).await;
        let waiting = deliveries(&sender, OutboxShelf::Unspecified).await;
        assert_eq!(waiting.len(), filed.len());
        let stuck = |one: &Delivery| one.state == OutboxState::Unreachable && one.attempts > 100;
        assert!(waiting.iter().all(stuck), "{:?}", waiting[0]);
        // What was filed in the first 22 hours is past 50 of its 100.
        let late = platform.node.status().half_life;
        assert_eq!(late.len(), 3, "{late:?}");
        assert!(
            late.iter().all(|late| (22..=24).contains(&late.count)),
            "{late:?}"
        );
        let counted: usize = late.iter().map(|late| late.count).sum();
        assert_eq!(platform.count("frex_outbox_half_life{"), counted as u64);

        world.network().heal();
        let reader = scene.client(RECEIVER, "reading").await;
        let arrived = drain(&reader, filed.len(), 3 * HOUR).await;
        check_order(&arrived);
        assert_eq!(ids(&arrived), sorted(filed.clone()), "each once");
        // ACCEPTED and OPENED of each, once.
        assert_eq!(scene.stated(RECEIVER).await, 2 * filed.len());
        sleep(HOUR).await;
        assert_eq!(deliveries(&sender, OutboxShelf::Unspecified).await, []);
        assert_eq!(platform.node.status().half_life, []);
    });
}

// DEL-42, DEL-32: one that makes the destination refuse whole requests, and one that cannot be read
// here, stand between good ones: these get through, and only the bad ones are given up.
#[test]
fn poison_between_good_ones_holds_up_and_condemns_nothing_else() {
    each_seed(|world| async move {
        let scene = scene(&world);
        let platform = start(&scene, SENDER).await;
        let _hotline = start(&scene, RECEIVER).await;
        let sender = scene.client(SENDER, "sending").await;
        world.network().partition(ip(1), ip(2));
        let mut good = Vec::new();
        for number in 0..20 {
            good.push(file(&sender, Lane::Normal, number, 100 * HOUR).await);
        }
        scene.power_off(SENDER, platform).await;
        let no_manifest = v1::Envelope {
            body: Bytes::from_static(b"nobody knows what this is"),
            ..v1::Envelope::default()
        };
        let bytes = Bytes::from(no_manifest.encode_to_vec());
        inject(
            &scene,
            &[
                (101, bytes.clone(), 100 * HOUR),
                (102, Bytes::from_static(b"\xff\xff\xff"), 2 * HOUR),
                (103, bytes, 100 * HOUR),
            ],
        );
        let _platform = start(&scene, SENDER).await;
        for number in 20..40 {
            good.push(file(&sender, Lane::Normal, number, 100 * HOUR).await);
        }
        world.network().heal();
        let reader = scene.client(RECEIVER, "reading").await;
        let arrived = drain(&reader, good.len(), HOUR).await;
        assert_eq!(ids(&arrived), sorted(good), "every good one arrives, once");
        let told = |found: Vec<Delivery>| -> Vec<(u8, Option<WireCode>)> {
            found
                .iter()
                .map(|one| (one.message.0[0], one.code))
                .collect()
        };
        let refused = Some(WireCode::Malformed);
        let dead = deliveries(&sender, OutboxShelf::Dead).await;
        assert_eq!(told(dead), [(101, refused), (103, refused)]);
        let waiting = deliveries(&sender, OutboxShelf::Waiting).await;
        assert_eq!(told(waiting), [(102, Some(WireCode::StorageFailed))]);
        sleep(2 * HOUR).await;
        let dead = deliveries(&sender, OutboxShelf::Dead).await;
        let expired = (102, Some(WireCode::Expired));
        assert_eq!(told(dead), [(101, refused), expired, (103, refused)]);
        assert_eq!(deliveries(&sender, OutboxShelf::Waiting).await, []);
    });
}

// DEL-35, DEL-39, DEL-40, DEL-41, DEL-43, LIM-62: a destination whose disk is full is asked now and then by one item, and
// gets everything once it has room.
#[test]
fn a_destination_with_a_full_disk_is_not_hammered() {
    each_seed(|world| async move {
        let scene = scene(&world);
        let platform = start(&scene, SENDER).await;
        let hotline = start(&scene, RECEIVER).await;
        let sender = scene.client(SENDER, "sending").await;
        let disk = scene.machines[RECEIVER].disk();
        disk.set_capacity(0);
        sleep(Duration::from_secs(60)).await;
        let mut filed = Vec::new();
        for number in 0..150 {
            for lane in [Lane::Normal, Lane::Bulk] {
                filed.push(file(&sender, lane, number, 100 * HOUR).await);
            }
        }
        let short = file(&sender, Lane::Bulk, 150, 2 * HOUR).await;
        for hour in 0..12 {
            sleep(HOUR).await;
            assert_eq!(platform.count("frex_outbox_resting{"), 0, "hour {hour}");
        }
        let refusals = hotline.count("frex_refusals_total{code=\"DISK_FULL\"}");
        // Normal knocks every 2.5 minutes on average and bulk every 15, once they have slowed down.
        println!("{refusals} requests in 12 hours");
        assert!((200..600).contains(&refusals), "{refusals}");
        let waiting = deliveries(&sender, OutboxShelf::Waiting).await;
        let full = |one: &Delivery| one.code == Some(WireCode::DiskFull);
        assert!(waiting.len() == filed.len() && waiting.iter().all(full));
        // What expires behind a lane that rests is given up in time.
        let [dead] = &deliveries(&sender, OutboxShelf::Dead).await[..] else {
            panic!("one has expired")
        };
        assert_eq!((dead.envelope, dead.code), (short, Some(WireCode::Expired)));
        assert!(
            dead.ended_ms.unwrap() < dead.expires_ms + 60_000,
            "{dead:?}"
        );
        // Nothing of it is the guest's, who learns so page by page.
        let guest = scene.client(GUEST, "guest").await;
        let page = guest.outbox(&OutboxQuery::default(), None).await.unwrap();
        assert!(page.deliveries.is_empty() && page.next.is_some());
        assert_eq!(deliveries(&guest, OutboxShelf::Unspecified).await, []);

        disk.set_capacity(TERABYTE);
        let reader = scene.client(RECEIVER, "reading").await;
        let arrived = drain(&reader, filed.len(), HOUR).await;
        assert_eq!(ids(&arrived), sorted(filed));
    });
}

// DEL-48: a destination that was away for long is reached as soon as it shows itself, and not after the pause that its
// absence has earned.
#[test]
fn a_destination_that_comes_back_is_reached_at_once() {
    each_seed(|world| async move {
        let scene = scene(&world);
        let _platform = start(&scene, SENDER).await;
        let sender = scene.client(SENDER, "sending").await;
        for number in 0..5 {
            file(&sender, Lane::Bulk, number, 100 * HOUR).await;
        }
        sleep(12 * HOUR).await;
        let _hotline = start(&scene, RECEIVER).await;
        let back = Instant::now();
        while !deliveries(&sender, OutboxShelf::Waiting).await.is_empty() {
            sleep(Duration::from_secs(1)).await;
        }
        assert!(
            back.elapsed() < Duration::from_secs(15),
            "{:?}",
            back.elapsed()
        );
    });
}

// DEL-34, DEL-35: a stage statement that waits for the sender's node is its member's, who may end it;
// the sender then never hears of it.
#[test]
fn a_stage_statement_that_waits_is_its_members() {
    each_seed(|world| async move {
        let scene = scene(&world);
        let _platform = start(&scene, SENDER).await;
        let _hotline = start(&scene, RECEIVER).await;
        let sender = scene.client(SENDER, "sending").await;
        let id = file(&sender, Lane::Normal, 0, 100 * HOUR).await;
        sleep(Duration::from_secs(60)).await;
        world.network().partition(ip(1), ip(2));
        let reader = scene.client(RECEIVER, "reading").await;
        assert_eq!(drain(&reader, 1, HOUR).await.len(), 1);
        let [stage] = &deliveries(&reader, OutboxShelf::Unspecified).await[..] else {
            panic!("one statement waits")
        };
        let told = (
            stage.item,
            &stage.member[..],
            &stage.node[..],
            stage.envelope,
        );
        assert_eq!(told, (v1::OutboxItem::Stage, RECEIVER, SENDER, id));
        reader.requeue(&stage.key).await.unwrap();
        reader.drop_delivery(&stage.key).await.unwrap();
        assert_eq!(deliveries(&reader, OutboxShelf::Unspecified).await, []);
        world.network().heal();
        sleep(HOUR).await;
        let history = sender.history(stage.message).await.unwrap();
        let stages = history.receipts.iter().flatten();
        assert_eq!(stages.filter(|receipt| receipt.stage.is_some()).count(), 0);
        assert_eq!(history.receipts.len(), 2, "SUBMITTED and ACCEPTED");
    });
}

// DEL-38: while bulk takes all it can get of a slow way, urgent leaves at once; and bulk goes on.
#[test]
fn urgent_leaves_at_once_while_bulk_fills_the_way() {
    each_seed(|world| async move {
        let scene = scene(&world);
        let _platform = start(&scene, SENDER).await;
        let hotline = start(&scene, RECEIVER).await;
        let sender = scene.client(SENDER, "sending").await;
        world.network().partition(ip(1), ip(2));
        let slow = Link {
            latency: Duration::from_secs(1),
            ..Link::CALM
        };
        world.network().set_link_between(ip(1), ip(2), slow);
        for number in 0..400 {
            file(&sender, Lane::Bulk, number, 100 * HOUR).await;
        }
        world.network().heal();
        while hotline.node.status().log_size < 50 {
            sleep(Duration::from_millis(200)).await;
        }
        let draft = sender.draft(&[RECEIVER]).lane(Lane::Urgent);
        let draft = sender.finish(draft.content("text/plain", "1")).unwrap();
        let (began, envelope) = (Instant::now(), sender.seal(&draft).unwrap());
        let submission = sender.submit(vec![envelope], HOUR / 6).await;
        let events = submission.unwrap().finish().await;
        let accepted = |event: &SubmissionEvent| matches!(event.news, News::Accepted { .. });
        assert!(events.iter().any(accepted), "{events:?}");
        // There and back once, and what it met on the way.
        assert!(began.elapsed() < Duration::from_secs(5));
        let waiting = deliveries(&sender, OutboxShelf::Waiting).await;
        assert!(
            waiting.len() > 100,
            "bulk still fills the way: {}",
            waiting.len()
        );
        sleep(HOUR).await;
        assert_eq!(scene.stated(RECEIVER).await, 401);
    });
}
