//! Members witness each other's logs, over a bad network and through power cuts: what is final stays
//! so, an old copy of a node does not start, and two histories of one log are found.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim witness`.

use std::time::Duration;

use frex_client::{
    client::{Client, News, ProvenReceipt, QueryError},
    transport::{Endpoint, Session, Stream},
};
use frex_node::node::{Node, NodeParts, StartError};
use frex_proto::{
    error::WireCode,
    keys::{CompanionKind, SigningKey},
    log::{AddCheckpoint, Checkpoint, Frontier, Origin, checkpoint, consistency_proof, leaf_hash},
    roster::{Finality, Peer, build},
    v1::{self, answer::Answer, request::Request},
    wire::FrameType,
};
use frex_tests::{
    scene::{self, Scene, ip},
    sim::{
        Link,
        world::{self, World},
    },
};
use rand_chacha::rand_core::Rng;
use tokio::time::sleep;

const LOG: &str = "platform";
const RECEIVER: &str = "hotline";
const WITNESSES: [&str; 3] = [RECEIVER, "police", "clearing"];
const QUORUM: u32 = 2;
const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;
const MINUTE: Duration = Duration::from_secs(60);

/// Four nodes, of which three witness for all, and a program of the platform. Its log and one of the
/// witnesses sign twice, the others once.
fn scene(world: &World) -> Scene {
    let organisations = [
        scene::organisation(LOG, v1::Role::Platform, 1),
        scene::organisation(WITNESSES[0], v1::Role::Hotline, 2),
        scene::organisation(WITNESSES[1], v1::Role::Police, 5),
        scene::organisation(WITNESSES[2], v1::Role::ClearingHouse, 6),
    ];
    let machines = [("platform-client", 3), ("stranger", 7)];
    let mut scene = Scene::new(world, &organisations, &machines);
    let paired = |key: &mut SigningKey, seed| {
        *key = key
            .clone()
            .with_companion_of(CompanionKind::Heads, &[seed; 32]);
        Some(build::signing_key(&key.verifying_key()))
    };
    let nodes = &mut scene.federation.nodes;
    let log_key = paired(&mut nodes[0].log, 1);
    let witness_key = paired(&mut nodes[2].witness, 2);
    scene.revised(|roster| {
        roster.nodes[0].log_key = log_key;
        roster.nodes[2].witness_key = witness_key;
        roster.witnessing = Some(v1::Witnessing {
            nodes: WITNESSES.map(str::to_owned).to_vec(),
            quorum: QUORUM,
        });
    })
}

async fn start(scene: &Scene, ids: &[&'static str]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for id in ids {
        nodes.push(scene.node(id).await);
    }
    nodes
}

/// Files one report; gives the receipts of both nodes.
async fn file(client: &Client) -> Vec<ProvenReceipt> {
    let draft = client.draft(&[RECEIVER]).content("text/plain", "words");
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    let mut receipts: Vec<ProvenReceipt> = Vec::new();
    for _ in 0..100 {
        let wait = 10 * MINUTE;
        let mut submission = client.submit(vec![envelope.clone()], wait).await.unwrap();
        while let Some(event) = submission.next().await {
            match event.news {
                News::Submitted(receipt) => receipts.insert(0, *receipt),
                News::Accepted { receipt, .. } => {
                    receipts.push(*receipt);
                    return receipts;
                }
                News::Unanswered { .. } | News::Refused { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        receipts.clear();
    }
    panic!("nobody accepts it");
}

/// The receipt once it is final; how long that took.
async fn until_final(client: &Client, receipt: &ProvenReceipt) -> (ProvenReceipt, Duration) {
    let began = tokio::time::Instant::now();
    while began.elapsed() < 60 * MINUTE {
        match client.finalize(receipt).await {
            Ok(proven) => return (proven, began.elapsed()),
            Err(QueryError::Proof(error)) => panic!("{error}"),
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
    panic!("it does not become final");
}

fn cosigners(scene: &Scene, proven: &ProvenReceipt) -> usize {
    let roster = scene
        .federation
        .roster(scene.environment(LOG).clock.now_ms());
    match roster.finality(proven.node(), &proven.receipt.checkpoint) {
        Ok(Finality::Final(cosignatures)) => cosignatures.len(),
        other => panic!("{other:?}"),
    }
}

// WIT-1, WIT-2, WIT-4, WIT-5, WIT-7, WIT-12, RCP-17: receipts of both nodes become final while witnesses lose power,
// messages are lost and one of the three is cut off; with two cut off they do not, and then they do.
#[test]
fn receipts_become_final_through_loss_partition_and_power_cuts() {
    for seed in crate::seeds(SEEDS) {
        let faults = world::run(seed, |world| async move {
            let scene = scene(&world);
            let mut rng = world.rng("scenario");
            let mut nodes = start(&scene, &[LOG, WITNESSES[0], WITNESSES[1], WITNESSES[2]]).await;
            let client = scene.client(LOG, "platform-client").await;
            world.network().set_link(Link::draw(&mut rng));
            for cut in [6, 5] {
                world.network().partition(ip(1), ip(cut));
                for receipt in file(&client).await {
                    let (proven, _) = until_final(&client, &receipt).await;
                    assert!(cosigners(&scene, &proven) >= 2);
                    assert_eq!(proven.verified.leaf_hash, receipt.verified.leaf_hash);
                }
                let id = WITNESSES[usize::try_from(rng.next_u32() % 3).unwrap()];
                let place = 1 + WITNESSES.iter().position(|one| *one == id).unwrap();
                let node = nodes.remove(place);
                nodes.insert(place, scene.power_cut(id, node).await);
                world.network().heal();
            }
            world.network().partition(ip(1), ip(5));
            world.network().partition(ip(1), ip(6));
            let receipt = file(&client).await.remove(0);
            sleep(10 * MINUTE).await;
            let early = client.finalize(&receipt).await;
            let code = WireCode::from(early.unwrap_err());
            assert_eq!(code, WireCode::NotFound, "one of three is no quorum");
            world.network().heal();
            let (_, after) = until_final(&client, &receipt).await;
            assert!(after < 5 * MINUTE, "{after:?}");
            world.network().trace(frex_tests::sim::Trace::faults)
        });
        assert!(faults > 0, "seed {seed}: nothing went wrong");
    }
}

// WIT-7, WIT-11: nodes of which nobody asks anything do not keep each other busy.
#[test]
fn idle_logs_do_not_grow() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let nodes = start(&scene, &[LOG, WITNESSES[0], WITNESSES[1], WITNESSES[2]]).await;
        let client = scene.client(LOG, "platform-client").await;
        file(&client).await;
        sleep(30 * MINUTE).await;
        let sizes = |nodes: &[Node]| nodes.iter().map(|node| node.status().log_size).sum::<u64>();
        let before = sizes(&nodes);
        sleep(24 * 60 * MINUTE).await;
        assert_eq!(sizes(&nodes), before);
    });
}

// WIT-8, WIT-9, BAK-14: a node that is brought back from an older copy does not start; if no witness can be asked,
// it stops as soon as one can.
#[test]
fn an_old_copy_of_a_node_does_not_start() {
    for seed in crate::seeds(SEEDS) {
        world::run(seed, |world| async move {
            let scene = scene(&world);
            let mut others = start(&scene, &WITNESSES).await;
            let node = scene.node(LOG).await;
            let client = scene.client(LOG, "platform-client").await;
            let receipt = file(&client).await.remove(0);
            until_final(&client, &receipt).await;
            let disk = scene.machines[LOG].disk().clone();
            let old = disk.image();
            let receipt = file(&client).await.remove(0);
            until_final(&client, &receipt).await;
            let newest = node.status().log_size;

            scene.power_off(LOG, node).await;
            let new = disk.image();
            disk.put_back(&old);
            let refused = scene.try_node(LOG).await;
            assert!(
                matches!(refused, Err(StartError::RolledBack { seen, .. }) if seen == newest),
                "seed {seed}"
            );

            scene.machines[LOG].crash();
            for last in [2, 5, 6] {
                world.network().partition(ip(1), ip(last));
            }
            // What it was shown is not undone by nobody being there; of another old copy nothing is known.
            let refused = scene.try_node(LOG).await;
            assert!(
                matches!(refused, Err(StartError::RolledBack { seen, .. }) if seen == newest),
                "seed {seed}"
            );
            scene.machines[LOG].crash();
            disk.put_back(&old);
            let started = scene.node(LOG).await;
            let client = scene.client(LOG, "stranger").await;
            for _ in 0..3 {
                submit_only(&client).await;
            }
            world.network().heal();
            let stopped = tokio::time::timeout(5 * MINUTE, started.failed()).await;
            assert_eq!(stopped, Ok(WireCode::LogRolledBack), "seed {seed}");

            scene.power_off(LOG, started).await;
            disk.put_back(&new);
            // What the old copy took in is not here either, and its receipts are out.
            let whole = scene.try_node(LOG).await;
            assert!(
                matches!(whole, Err(StartError::RolledBack { seen, here }) if here == newest && seen > newest),
                "seed {seed}"
            );
            others.clear();
        });
    }
}

/// Files one report and waits for nobody but the home node.
async fn submit_only(client: &Client) {
    let draft = client.draft(&[RECEIVER]).content("text/plain", "words");
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    let submission = client.submit(vec![envelope], Duration::ZERO).await;
    let events = submission.unwrap().finish().await;
    assert!(matches!(events[0].news, News::Submitted(_)), "{events:?}");
}

/// What the home node says to one envelope of a lane.
async fn said_to(client: &Client, lane: v1::Lane) -> News {
    let draft = client.draft(&[RECEIVER]).lane(lane);
    let draft = draft.content("text/plain", "words");
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    let mut submission = client.submit(vec![envelope], MINUTE).await.unwrap();
    submission.next().await.expect("it is answered").news
}

// WIT-18: while too few witnesses can be asked, bulk is refused after a quarter of the time and normal after all of
// it, urgent never; once they can be asked again, everything is taken.
#[test]
fn what_nobody_witnesses_is_shed_lane_by_lane() {
    use v1::Lane::{Bulk, Normal, Urgent};
    world::run(1, |world| async move {
        let scene = scene(&world);
        let _others = start(&scene, &WITNESSES).await;
        let set = |parts: &mut NodeParts| parts.config.unwitnessed_max_s = 4 * 3600;
        let (_node, ()) = scene.node_with(LOG, set).await;
        let client = scene.client(LOG, "platform-client").await;
        for cut in [5, 6] {
            world.network().partition(ip(1), ip(cut));
        }
        let steps: [(u32, &[v1::Lane]); 4] =
            [(0, &[]), (30, &[]), (45, &[Bulk]), (180, &[Bulk, Normal])];
        for (minutes, refused) in steps {
            sleep(minutes * MINUTE).await;
            for lane in [Urgent, Normal, Bulk] {
                let said = said_to(&client, lane).await;
                let right = match refused.contains(&lane) {
                    true => matches!(
                        said,
                        News::Delayed {
                            code: WireCode::RetryAfter,
                            ..
                        }
                    ),
                    false => matches!(said, News::Submitted(_)),
                };
                assert!(right, "{lane:?} after {minutes} more minutes: {said:?}");
            }
        }
        world.network().heal();
        sleep(10 * MINUTE).await;
        for lane in [Urgent, Normal, Bulk] {
            let said = said_to(&client, lane).await;
            assert!(matches!(said, News::Submitted(_)), "{lane:?}: {said:?}");
        }
    });
}

/// A log that is whatever its owner wants, with the key of the platform's.
struct Liar<'a> {
    scene: &'a Scene,
    origin: String,
    session: Session,
    _endpoint: Endpoint,
}

impl<'a> Liar<'a> {
    async fn new(scene: &'a Scene, witness: &str) -> Self {
        let log = Peer::Node(LOG.to_owned());
        let (endpoint, greeter) = scene.caller(log, "stranger", 50_001);
        let log = greeter.roster.current().log_verifier(LOG);
        let origin = log.unwrap().origin;
        let address = scene.federation.node(witness).address;
        let session = endpoint.dial(address, &greeter.dialling(witness)).await;
        Self {
            scene,
            origin,
            session: session.unwrap(),
            _endpoint: endpoint,
        }
    }

    /// A signed head of a log of so many entries, all of one kind.
    fn head(&self, size: u64, kind: u8) -> Checkpoint {
        let mut tree = Frontier::new();
        for number in 0..size {
            tree.append(entry(number, kind));
        }
        Checkpoint {
            origin: self.origin.clone(),
            size,
            root: tree.root(),
        }
    }

    async fn add(&self, old_size: u64, size: u64, kind: u8) -> Answer {
        let key = &self.scene.federation.node(LOG).log;
        self.add_signed(key, old_size, size, kind).await
    }

    async fn add_signed(&self, key: &SigningKey, old_size: u64, size: u64, kind: u8) -> Answer {
        let checkpoint = checkpoint::sign(&self.head(size, kind), key).unwrap();
        let proof = match old_size {
            0 => Vec::new(),
            old if old > size => Vec::new(),
            old => {
                let subtree = |level, index| {
                    Ok::<_, frex_proto::log::ProofError>(subtree(level, index, kind))
                };
                consistency_proof(old, size, subtree).unwrap()
            }
        };
        let asked = AddCheckpoint {
            old_size,
            proof,
            checkpoint,
        };
        self.ask(Request::AddCheckpoint(v1::AddCheckpoint {
            body: asked.to_body(),
        }))
        .await
    }

    async fn ask(&self, request: Request) -> Answer {
        let request = v1::Request {
            request: Some(request),
        };
        let Stream { writer, mut reader } = self.session.request(&request, 0).await.unwrap();
        writer.finish().await.unwrap();
        let answer: v1::Answer = reader.message(FrameType::Answer, MINUTE).await.unwrap();
        answer.answer.unwrap()
    }

    async fn seen(&self) -> u64 {
        let origin = self.origin.clone();
        match self.ask(Request::GetSeen(v1::GetSeen { origin })).await {
            Answer::Checkpoint(seen) => head_of(&seen.checkpoint).size,
            other => panic!("{other:?}"),
        }
    }
}

fn entry(number: u64, kind: u8) -> [u8; 32] {
    leaf_hash(&[&number.to_be_bytes()[..], &[kind]].concat())
}

/// Root of a complete subtree of a liar's log.
fn subtree(level: u8, index: u64, kind: u8) -> [u8; 32] {
    let width = 1_u64 << level;
    let mut tree = Frontier::new();
    for number in index * width..(index + 1) * width {
        tree.append(entry(number, kind));
    }
    tree.root()
}

fn head_of(note: &[u8]) -> Checkpoint {
    let note = frex_proto::log::SignedNote::parse(note).unwrap();
    Checkpoint::parse_text(note.text()).unwrap()
}

fn refused(answer: &Answer) -> Option<WireCode> {
    match answer {
        Answer::Refusal(refusal) => Some(WireCode::from_number(refusal.code)),
        _ => None,
    }
}

// WIT-4, WIT-5, WIT-6, WIT-10, WIT-11, LIM-84: a witness is led from what it holds and by nothing else; two histories of one size
// are evidence, through a power cut too.
#[test]
fn a_log_with_two_histories_is_found() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let node = scene.node(RECEIVER).await;
        let liar = Liar::new(&scene, RECEIVER).await;
        assert!(matches!(liar.add(0, 5, 0).await, Answer::Cosigned(_)));
        assert!(matches!(liar.add(5, 9, 0).await, Answer::Cosigned(_)));
        assert!(matches!(liar.add(9, 9, 0).await, Answer::Cosigned(_)));
        let Answer::Checkpoint(held) = liar.add(5, 12, 0).await else {
            panic!("it holds 9");
        };
        assert_eq!(head_of(&held.checkpoint).size, 9);
        assert_eq!(refused(&liar.add(9, 12, 1).await), Some(WireCode::BadProof));
        assert_eq!(refused(&liar.add(9, 7, 0).await), Some(WireCode::BadProof));
        assert_eq!(liar.seen().await, 9);
        assert_eq!(node.status().log_size, 1, "seen twice, stated once");
        sleep(5 * MINUTE).await;
        assert!(matches!(liar.add(9, 10, 0).await, Answer::Cosigned(_)));
        let before = node.status().log_size;
        assert_eq!(before, 2);

        assert_eq!(refused(&liar.add(10, 10, 1).await), Some(WireCode::Forked));
        assert_eq!(node.status().log_size, before + 1, "evidence is logged");
        for (old, kind) in [(10, 0), (10, 1), (0, 0)] {
            let asked = liar.add(old, 12, kind).await;
            assert_eq!(refused(&asked), Some(WireCode::Forked));
        }
        assert_eq!(node.status().log_size, before + 1, "once");
        drop(liar);
        let _node = scene.power_cut(RECEIVER, node).await;
        let liar = Liar::new(&scene, RECEIVER).await;
        assert_eq!(refused(&liar.add(10, 12, 0).await), Some(WireCode::Forked));
    });
}

// LOG-32, WIT-4, WIT-10: what one half of a log's key has signed is nothing to a witness: it is not cosigned,
// and accuses nobody.
#[test]
fn half_a_signature_of_a_log_is_none() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let node = scene.node(RECEIVER).await;
        let liar = Liar::new(&scene, RECEIVER).await;
        let whole = &scene.federation.node(LOG).log;
        let half = SigningKey::from_seed(&whole.seed().unwrap());
        let asked = liar.add_signed(&half, 0, 5, 0).await;
        assert_eq!(refused(&asked), Some(WireCode::BadSignature));
        assert!(matches!(liar.add(0, 5, 0).await, Answer::Cosigned(_)));
        let before = node.status().log_size;
        let asked = liar.add_signed(&half, 5, 5, 1).await;
        assert_eq!(refused(&asked), Some(WireCode::BadSignature));
        assert_eq!(node.status().log_size, before, "no evidence of half a word");
        assert!(matches!(liar.add(5, 9, 0).await, Answer::Cosigned(_)));
    });
}

/// How a log lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// Another head of the size that was seen.
    Equivocation,
    /// A longer log that does not begin with what was seen.
    Fork,
    /// An older head, as if what came after had never been.
    Rollback,
    /// None: whatever is asked for, it is led there.
    None,
}

/// One log before one witness: honest for a while, and then it lies, or does not. Gives what it was
/// told then.
async fn lie(scene: &Scene, rng: &mut impl Rng, lie: Lie) -> Result<(), WireCode> {
    let mut draw = |below: u32| u64::from(rng.next_u32() % below);
    let liar = Liar::new(scene, RECEIVER).await;
    let mut size = 2 + draw(20);
    let mut before = 0;
    for _ in 0..=draw(3) {
        let asked = liar.add(before, size, 0).await;
        assert!(matches!(asked, Answer::Cosigned(_)), "{asked:?}");
        before = size;
        size += draw(20);
    }
    let (old, new, kind) = match lie {
        Lie::Equivocation => (before, before, 1),
        Lie::Fork => (before, before + 1 + draw(9), 1),
        Lie::Rollback => (before, 1 + draw(u32::try_from(before).unwrap() - 1), 0),
        Lie::None => (before, before + draw(9), 0),
    };
    let asked = liar.add(old, new, kind).await;
    if let Some(code) = refused(&asked) {
        return Err(code);
    }
    assert!(matches!(asked, Answer::Cosigned(_)), "{asked:?}");
    Ok(())
}

// WIT-4, WIT-10: every lie is found at the first exchange with who saw the truth, and no honest log is accused.
// A thousand logs, three quarters of them liars; `FREX_LIES=1` tells one.
#[test]
fn every_lie_is_found_and_no_honest_log_accused() {
    let count = std::env::var("FREX_LIES").map_or(1000, |count| count.parse().unwrap());
    let first = std::env::var("FREX_SEED").map_or(1, |seed| seed.parse().unwrap());
    let kinds = [Lie::Equivocation, Lie::Fork, Lie::Rollback, Lie::None];
    for seed in first..first + count {
        let kind = kinds[usize::try_from(seed).unwrap() % kinds.len()];
        let told = world::run(seed, |world| async move {
            let scene = scene(&world);
            let _node = scene.node(RECEIVER).await;
            lie(&scene, &mut world.rng("lie"), kind).await
        });
        let right = match kind {
            Lie::Equivocation => told == Err(WireCode::Forked),
            Lie::Fork | Lie::Rollback => told == Err(WireCode::BadProof),
            Lie::None => told == Ok(()),
        };
        assert!(
            right,
            "{kind:?}: {told:?}; replay with FREX_SEED={seed} FREX_LIES=1"
        );
    }
}

// WIT-4: who is no witness cosigns nothing, and nobody asks for the log of another.
#[test]
fn a_witness_cosigns_for_the_asker_alone() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let _node = scene.node(RECEIVER).await;
        let mut liar = Liar::new(&scene, RECEIVER).await;
        let own = liar.origin.clone();
        let origin = Origin::parse(&own).unwrap();
        liar.origin = frex_proto::log::origin(origin.federation, "police", 1);
        let code = Some(WireCode::WrongSender);
        assert_eq!(refused(&liar.add(0, 3, 0).await), code);
        liar.origin = own;
        let unknown = liar.ask(Request::GetSeen(v1::GetSeen {
            origin: liar.origin.clone(),
        }));
        assert_eq!(refused(&unknown.await), Some(WireCode::NotFound));
        let garbage = Request::AddCheckpoint(v1::AddCheckpoint {
            body: bytes::Bytes::from_static(b"old 0\n"),
        });
        assert_eq!(refused(&liar.ask(garbage).await), Some(WireCode::Malformed));
    });
}
