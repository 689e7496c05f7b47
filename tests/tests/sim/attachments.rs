//! Attachments between two real nodes and two real clients in one deterministic world: loss,
//! partition, and power cuts on both sides in the middle of a transfer.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim attachments`.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use bytes::Bytes;
use frex_client::{
    client::{Client, EraseOrder, InboxItem, News, OutboxQuery},
    transport::Socket,
};
use frex_node::node::Node;
use frex_proto::{
    attachment::{Attached, Hashes, Held, Opener, Sealer},
    envelope::SignedEnvelope,
    error::WireCode,
    limits::{self, CHUNK_BYTES},
    v1,
};
use frex_tests::{
    refuser::Refuser,
    scene::{self, CLIENT_PORT, NODE_PORT, Scene, ip},
    sim::{
        Link,
        world::{self, Machine, World},
    },
};
use rand_chacha::rand_core::Rng;
use tokio::time::{Instant, sleep};

const SEEDS: RangeInclusive<u64> = 1..=8;
const FILE_BYTES: usize = 18 * CHUNK_BYTES + 777;

/// A platform and the police, who take attachments, and a hotline that takes none.
fn scene(world: &World) -> Scene {
    let organisations = [
        scene::organisation("platform", v1::Role::Platform, 1),
        scene::organisation("police", v1::Role::Police, 2),
        scene::organisation("hotline", v1::Role::Hotline, 5),
    ];
    let clients = [("platform-client", 3), ("police-client", 4)];
    Scene::new(world, &organisations, &clients).revised(|roster| {
        let takes = |member: &&mut v1::Member| member.id != "hotline";
        let members = roster.members.iter_mut().filter(takes);
        members.for_each(|member| member.attachments = true);
    })
}

/// A client with the patience that a file needs.
async fn client(scene: &Scene, member: &str, machine: &str) -> Client {
    let patience = Duration::from_secs(3600);
    scene
        .client_at(member, machine, CLIENT_PORT, patience)
        .await
}

/// Cuts the power of a node's machine, now and then again later, and starts it on what the disk
/// kept.
async fn power_cuts(scene: &Scene, id: &'static str, node: Node, pauses_ms: &[u32]) -> Node {
    let mut node = node;
    for pause_ms in pauses_ms {
        sleep(Duration::from_millis(u64::from(*pause_ms))).await;
        node = scene.power_cut(id, node).await;
    }
    node
}

/// Names of the files with attachments on a node's disk.
fn files(scene: &Scene, id: &str) -> Vec<String> {
    let files = scene.machines[id].disk().files().into_iter();
    let files = files.filter(|path| path.starts_with("/data/attachments"));
    let extension = |path: PathBuf| Some(path.extension()?.to_str()?.to_owned());
    files.filter_map(extension).collect()
}

struct File {
    plain: Vec<u8>,
    chunks: Vec<Vec<u8>>,
    attached: Attached,
    hashes: Hashes,
}

fn file(world: &World) -> File {
    let mut rng = world.rng("file");
    let mut plain = vec![0; FILE_BYTES];
    rng.fill_bytes(&mut plain);
    let mut sealer = Sealer::new(FILE_BYTES as u64, &mut rng).unwrap();
    let (mut chunks, mut rest) = (Vec::new(), &plain[..]);
    while let Some(due) = sealer.due() {
        let (chunk, after) = rest.split_at(due);
        rest = after;
        chunks.push(sealer.seal(chunk.to_vec()).unwrap());
    }
    let (attached, hashes) = sealer.finish("a.bin", "application/octet-stream").unwrap();
    File {
        plain,
        chunks,
        attached,
        hashes,
    }
}

fn seal(client: &Client, attached: &Attached) -> SignedEnvelope {
    let draft = client
        .draft(&["police"])
        .content("text/plain", "words")
        .attach(attached.clone());
    client.seal(&client.finish(draft).unwrap()).unwrap()
}

/// Brings the attachment, then submits, until the home node has acknowledged it; then waits for the
/// recipient's node.
async fn send(client: &Client, envelope: &SignedEnvelope, file: &File) {
    let mut read = |number: u32| Ok(file.chunks[number as usize].clone());
    let (mut submitted, mut accepted) = (false, false);
    let began = Instant::now();
    while !accepted {
        assert!(began.elapsed() < Duration::from_secs(24 * 3600));
        if !submitted {
            let mut progress = |_, _| {};
            let put = client.put_attachment(envelope, 0, &file.hashes, &mut read, &mut progress);
            put.await.unwrap();
        }
        let wait = Duration::from_secs(600);
        let mut submission = client.submit(vec![envelope.clone()], wait).await.unwrap();
        while let Some(event) = submission.next().await {
            match event.news {
                News::Submitted(_) => submitted = true,
                News::Accepted { .. } => accepted = true,
                News::Unanswered { .. } | News::Refused { .. } => {}
                other => panic!("unexpected news: {other:?}"),
            }
        }
    }
}

async fn next_item(client: &Client) -> InboxItem {
    let mut inbox = client.inbox(1, Duration::from_secs(600)).await.unwrap();
    let item = inbox.next().await.unwrap().unwrap();
    item.unwrap_or_else(|failed| panic!("{}", failed.error))
}

/// Fetches the file in two goes: the second knows only what the first has opened.
async fn fetch(client: &Client, item: &InboxItem) -> Vec<u8> {
    let attached = &item.opened.attachments[0];
    let signed = &item.parsed.signed_bytes;
    let mut plain = Vec::new();
    for part in [5, u32::MAX] {
        let mut opener = Opener::new(attached.clone());
        let mut held = 0;
        for chunk in plain.chunks(CHUNK_BYTES) {
            opener.skip(chunk).unwrap();
            held += 1;
        }
        let held = Held::first(attached.listed, held);
        let mut fetching = client.fetch_attachment(shown(signed), 0, attached.listed, held);
        for _ in 0..part {
            let Some((_, sealed)) = fetching.next().await.unwrap() else {
                opener.finish().unwrap();
                break;
            };
            plain.extend(opener.open(sealed.to_vec()).unwrap());
        }
    }
    plain
}

/// Everybody has what they need: the sender's node keeps nothing, the recipient's for a week.
async fn forget(scene: &Scene, seed: u64, nodes: (Node, Node)) {
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(
        files(scene, "platform"),
        [""; 0],
        "seed {seed}: settled, so removed"
    );
    assert_eq!(
        files(scene, "police").len(),
        2,
        "seed {seed}: kept for the grace"
    );
    // Off for a week, so that nobody needs to simulate it.
    scene.machines.values().for_each(Machine::crash);
    drop(nodes);
    sleep(Duration::from_millis(limits::ATTACHMENT_GRACE_MS)).await;
    let _police = scene.node("police").await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(
        files(scene, "police"),
        [""; 0],
        "seed {seed}: the grace is over"
    );
}

fn history(seed: u64) -> (String, u64) {
    world::run(seed, |world| async move {
        let scene = scene(&world);
        let mut rng = world.rng("scenario");
        let platform = scene.node("platform").await;
        let police = scene.node("police").await;
        let sender = client(&scene, "platform", "platform-client").await;
        let file = file(&world);
        world.network().set_link(Link::draw(&mut rng));
        let envelope = seal(&sender, &file.attached);

        let mut pauses = |count: usize| -> Vec<u32> {
            (0..count).map(|_| 200 + rng.next_u32() % 20_000).collect()
        };
        let (first, second) = (pauses(2), pauses(3));
        let network = async {
            sleep(Duration::from_secs(10)).await;
            world.network().partition(ip(1), ip(2));
            sleep(Duration::from_secs(60)).await;
            world.network().heal();
        };
        let (platform, police, (), ()) = tokio::join!(
            power_cuts(&scene, "platform", platform, &first),
            power_cuts(&scene, "police", police, &second),
            send(&sender, &envelope, &file),
            network,
        );
        // What was acknowledged must be whole after the next power cut, too.
        let police = power_cuts(&scene, "police", police, &[0]).await;
        let platform = power_cuts(&scene, "platform", platform, &[0]).await;
        let reader = client(&scene, "police", "police-client").await;
        let item = next_item(&reader).await;
        assert_eq!(item.id(), envelope.id);
        let cuts = pauses(1);
        let (police, plain) = tokio::join!(
            power_cuts(&scene, "police", police, &cuts),
            fetch(&reader, &item)
        );
        assert!(plain == file.plain, "seed {seed}: every byte as it was");
        // The power cut may have ended the lease.
        if item.confirm(v1::Stage::Opened, "").await.is_err() {
            next_item(&reader)
                .await
                .confirm(v1::Stage::Opened, "")
                .await
                .unwrap();
        }
        assert_eq!(
            scene.stated("police").await,
            2,
            "seed {seed}: ACCEPTED, OPENED"
        );
        forget(&scene, seed, (platform, police)).await;
        drop((sender, reader));
        world
            .network()
            .trace(|trace| (trace.hash(), trace.faults()))
    })
}

// ATT-15, ATT-16, ATT-18, ATT-21, LIM-79: whatever breaks in between, the file arrives as it was, what was
// acknowledged is durable, and nothing is kept for longer than it is needed.
#[test]
fn an_attachment_survives_loss_partition_and_power_cuts() {
    for seed in crate::seeds(SEEDS) {
        let (hash, faults) = history(seed);
        println!("seed {seed}: {faults} faults, trace {hash}");
        assert!(faults > 0, "seed {seed}: nothing went wrong");
    }
}

// ATT-13, ATT-16, ATT-19, ATT-24: nothing is submitted before its attachment, what is there is not sent
// again, and a member gets it by the envelope that was accepted for it, and by nothing else.
#[test]
fn an_attachment_goes_before_its_envelope_and_to_its_recipients_alone() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let (_platform, _police) = (scene.node("platform").await, scene.node("police").await);
        let sender = client(&scene, "platform", "platform-client").await;
        let reader = client(&scene, "police", "police-client").await;
        let file = file(&world);
        let listed = file.attached.listed;
        let envelope = seal(&sender, &file.attached);
        let early = sender.submit(vec![envelope.clone()], Duration::ZERO).await;
        let early = early.unwrap().finish().await;
        let code = WireCode::AttachmentMissing;
        assert!(
            matches!(&early[..], [event] if matches!(event.news, News::Refused { code: heard } if heard == code))
        );

        send(&sender, &envelope, &file).await;
        let mut seen = Vec::new();
        let mut read = |_| panic!("all of it is there");
        let mut progress = |done, of| seen.push((done, of));
        let again = sender.put_attachment(&envelope, 0, &file.hashes, &mut read, &mut progress);
        again.await.unwrap();
        assert_eq!(seen, [(listed.chunks(), listed.chunks())]);

        let fetched = |client: &Client, signed: &Bytes, attachment| {
            let held = Held::none(listed);
            let mut fetching = client.fetch_attachment(shown(signed), attachment, listed, held);
            async move { fetching.next().await.map_err(WireCode::from) }
        };
        let code = WireCode::NotFound;
        assert_eq!(
            fetched(&sender, &envelope.signed, 0).await,
            Err(code),
            "no recipient"
        );
        assert_eq!(
            fetched(&reader, &envelope.signed, 1).await,
            Err(code),
            "no such"
        );
        let other = seal(&sender, &file.attached);
        assert_eq!(
            fetched(&reader, &other.signed, 0).await,
            Err(code),
            "not accepted"
        );
        let (number, _) = fetched(&reader, &envelope.signed, 0)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(number, 0);
    });
}

/// Stands where a node should.
fn refuser(scene: &Scene, id: &str) -> Refuser {
    let environment = scene.environment(id);
    let socket = scene.machines[id].bind(NODE_PORT);
    Refuser::bind(
        id,
        scene.federation.roster(environment.clock.now_ms()),
        &scene.federation.node(id).tls,
        Socket::Abstract(socket.expect("the port is free")),
        environment,
    )
}

/// The file of a message that was refused for good is at the sender's node for as long as the message
/// may be queued again, and no longer.
async fn refused_for_good(world: World, queued_again: bool) {
    let scene = scene(&world);
    let platform = scene.node("platform").await;
    let sender = client(&scene, "platform", "platform-client").await;
    let file = file(&world);
    let life = Duration::from_secs(3 * 24 * 3600);
    let draft = sender.draft(&["police"]).content("text/plain", "words");
    let draft = draft.attach(file.attached.clone()).life(life);
    let envelope = sender.seal(&sender.finish(draft).unwrap()).unwrap();
    let mut read = |number: u32| Ok(file.chunks[number as usize].clone());
    let mut progress = |_, _| {};
    let put = sender.put_attachment(&envelope, 0, &file.hashes, &mut read, &mut progress);
    put.await.unwrap();
    let submission = sender.submit(vec![envelope.clone()], Duration::ZERO).await;
    let events = submission.unwrap().finish().await;
    assert!(matches!(events[0].news, News::Submitted(_)), "{events:?}");

    let refuser = refuser(&scene, "police");
    let day = sleep(Duration::from_secs(24 * 3600));
    tokio::select! {
        () = refuser.serve() => {}
        () = day => {}
    }
    refuser.end().await;
    let platform = scene.power_cut("platform", platform).await;
    sleep(Duration::from_secs(24 * 3600)).await;
    let query = OutboxQuery {
        shelf: v1::OutboxShelf::Dead,
        ..OutboxQuery::default()
    };
    let dead = sender.outbox(&query, None).await.unwrap().deliveries;
    let told = dead.iter().map(|dead| (dead.envelope, dead.code));
    let code = Some(WireCode::WrongSender);
    assert_eq!(told.collect::<Vec<_>>(), [(envelope.id, code)]);
    assert_eq!(files(&scene, "platform").len(), 2, "chunks and hashes");

    if queued_again {
        let _police = scene.node("police").await;
        sender.requeue(&dead[0].key).await.unwrap();
        let reader = client(&scene, "police", "police-client").await;
        let item = next_item(&reader).await;
        assert!(fetch(&reader, &item).await == file.plain);
        item.confirm(v1::Stage::Opened, "").await.unwrap();
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(files(&scene, "platform"), [""; 0], "settled");
    } else {
        sleep(life).await;
        assert_eq!(files(&scene, "platform"), [""; 0], "expired");
    }
    drop(platform);
}

// ATT-21, DEL-32, DEL-33: a dead letter keeps its file until it expires, over a power cut too, and goes with
// it when it is queued again.
#[test]
fn a_dead_letter_keeps_its_file() {
    for queued_again in [true, false] {
        world::run(1, |world| refused_for_good(world, queued_again));
    }
}

/// An envelope as a node is shown it.
fn shown(signed: &Bytes) -> v1::Envelope {
    v1::Envelope {
        signed: signed.clone(),
        ..v1::Envelope::default()
    }
}

// ERA-11: what was attached to a message goes with it, at once and at either end, although it was just
// judged by and nobody has fetched it; what another message needs as well stays until that goes.
#[test]
fn attachments_of_an_erased_message_go_with_it() {
    world::run(31, |world| async move {
        let scene = scene(&world);
        let (_platform, police) = (scene.node("platform").await, scene.node("police").await);
        let sender = client(&scene, "platform", "platform-client").await;
        let reader = client(&scene, "police", "police-client").await;
        let file = file(&world);
        let envelopes = [seal(&sender, &file.attached), seal(&sender, &file.attached)];
        for envelope in &envelopes {
            send(&sender, envelope, &file).await;
        }
        let orders = envelopes.map(|envelope| EraseOrder {
            message: frex_proto::envelope::parse(&envelope.to_kept())
                .unwrap()
                .core
                .message_id,
            sender: None,
            ground: "sent-in-error".to_owned(),
            authority: "c1".to_owned(),
        });
        let there = ["map", "sealed"].map(str::to_owned).to_vec();
        for (order, left) in orders.iter().zip([there, Vec::new()]) {
            sender.erase(order).await.unwrap();
            let received = EraseOrder {
                sender: Some("platform".to_owned()),
                ..order.clone()
            };
            let plan = reader.plan_erasure(&received).await.unwrap();
            assert_eq!(plan.attachments, 1);
            reader.erase(&received).await.unwrap();
            for node in ["platform", "police"] {
                assert_eq!(files(&scene, node), left, "{node}");
            }
        }
        let police = scene.power_cut("police", police).await;
        assert!(files(&scene, "police").is_empty());
        drop(police);
    });
}
