//! A recall races its message, over a bad network and through power cuts: whichever comes first, it
//! ends the same.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim recall`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use bytes::Bytes;
use frex_client::client::{Client, ConfirmError, DraftBuilder, InboxItem, ItemError, News};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::{EnvelopeId, MessageId},
    v1,
};
use frex_tests::{
    scene::{self, Scene, ip},
    sim::{
        Link,
        world::{self, World},
    },
};
use prost::Message;
use rand_chacha::rand_core::Rng;

const SEEDS: RangeInclusive<u64> = 1..=24;
const SENDER: &str = "platform";
const READER: &str = "hotline";
/// To whom the reader passes messages on.
const NEXT: &str = "police";
/// Messages of one history; every second one is withdrawn.
const MESSAGES: usize = 6;

fn scene(world: &World) -> Scene {
    let organisations = [
        scene::organisation(SENDER, v1::Role::Platform, 1),
        scene::organisation(READER, v1::Role::Hotline, 2),
        scene::organisation(NEXT, v1::Role::Police, 5),
    ];
    let clients = [("sending", 3), ("reading", 4), ("reading next", 6)];
    Scene::new(world, &organisations, &clients)
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

impl Seen {
    /// Every recall was seen, and nothing that was not withdrawn is missing; gives how many messages
    /// were read before their recall.
    fn read_early(
        &self,
        seed: u64,
        withdrawn: &BTreeMap<MessageId, EnvelopeId>,
        kept: &BTreeSet<EnvelopeId>,
    ) -> usize {
        let names: BTreeSet<MessageId> = withdrawn.keys().copied().collect();
        assert_eq!(self.recalls, names, "seed {seed}: every recall comes");
        let read: BTreeSet<_> = self.opened.union(&self.unsure).copied().collect();
        assert!(
            kept.is_subset(&read),
            "seed {seed}: nothing else is withdrawn"
        );
        let ids: BTreeSet<EnvelopeId> = withdrawn.values().copied().collect();
        let early: BTreeSet<_> = self.opened.difference(kept).copied().collect();
        assert!(
            early.is_subset(&ids) && early.is_disjoint(&self.lost),
            "seed {seed}"
        );
        early.len()
    }
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

/// What comes to light long after: nothing that was withdrawn.
async fn comes_late(client: &Client) -> Vec<InboxItem> {
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    let mut inbox = client.inbox(8, Duration::ZERO).await.unwrap();
    let mut late = Vec::new();
    while let Ok(Some(item)) = tokio::time::timeout(Duration::from_secs(60), inbox.next()).await {
        let item = item.unwrap();
        late.push(item.unwrap_or_else(|item| panic!("{}", item.error)));
    }
    late
}

/// One history: what was seen, and how many datagrams and faults there were.
fn history(seed: u64) -> (Seen, String, u64) {
    world::run(seed, |world| async move {
        let scene = scene(&world);
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
                .recall(message, id, "sent-in-error", Bytes::new())
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
        let early = seen.read_early(seed, &withdrawn, &kept);
        assert!(comes_late(&reader).await.is_empty(), "seed {seed}");
        let logged = scene.stated(READER).await;
        // Every recall was accepted and acted on; a message may have been stopped before it left.
        let least = 2 * (withdrawn.len() + kept.len() + early);
        let most = least + withdrawn.len() - early + seen.unsure.len();
        assert!((least..=most).contains(&logged), "seed {seed}");
        assert_eq!(
            scene.stated(SENDER).await,
            MESSAGES + withdrawn.len(),
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
    let (mut faults, mut read_before, mut held, mut all) = (0, 0, 0, 0);
    for seed in crate::seeds(SEEDS) {
        all += 1;
        let (seen, _, met) = history(seed);
        faults += met;
        held += seen.lost.len();
        read_before += seen.opened.len().saturating_sub(MESSAGES / 2);
    }
    println!("{faults} faults, {read_before} read before their recall, {held} held at that time");
    assert!(faults > 0, "nothing went wrong, so nothing was tried");
    assert!(all == 1 || (read_before > 0 && held > 0), "no race was run");
}

#[test]
fn a_seed_replays_the_same_history() {
    assert_eq!(history(3), history(3));
}

/// The first item that comes, within a day.
async fn first(client: &Client) -> InboxItem {
    for _ in 0..144 {
        let mut inbox = client.inbox(1, Duration::from_secs(600)).await.unwrap();
        if let Some(item) = inbox.next().await {
            return item
                .unwrap()
                .unwrap_or_else(|item| panic!("{}", item.error));
        }
    }
    panic!("nothing comes");
}

/// Confirms it; a lost answer leaves it to come again.
async fn done(item: InboxItem, stage: v1::Stage, outcome: &str) -> bool {
    match item.confirm(stage, outcome).await {
        Ok(_) => true,
        Err(ConfirmError::LeaseEnded | ConfirmError::TimedOut) => false,
        Err(error) => panic!("{error}"),
    }
}

/// The next recall; says whether a message came before it and was opened.
async fn next_recall(client: &Client) -> (InboxItem, bool) {
    let mut opened = false;
    for _ in 0..20 {
        let item = first(client).await;
        if item.recall.is_some() {
            return (item, opened);
        }
        opened |= done(item, v1::Stage::Opened, "").await;
    }
    panic!("no recall comes");
}

/// One message is written, passed on and withdrawn; gives whether it was read at the far end.
fn passed_on(seed: u64) -> bool {
    world::run(seed, |world| async move {
        let scene = scene(&world);
        let mut rng = world.rng("scenario");
        let _sending = scene.node(SENDER).await;
        let receiving = scene.node(READER).await;
        let next = scene.node(NEXT).await;
        world.network().set_link(Link::draw(&mut rng));
        let author = scene.client(SENDER, "sending").await;
        let reader = scene.client(READER, "reading").await;
        let last = scene.client(NEXT, "reading next").await;
        let draft = author.draft(&[READER]).content("text/plain", "words");
        let (message, envelope) = seal(&author, draft);
        let (id, written) = (envelope.id, envelope.signed.clone());
        submit(&author, envelope).await;

        let item = first(&reader).await;
        let (forward, passed) = reader.forward(&item.envelope, &[NEXT]).unwrap();
        let (forwarded, passed_id) = (forward.message_id, passed.id);
        let cut = rng.next_u64().is_multiple_of(2);
        if cut {
            world.network().partition(ip(2), ip(5));
        }
        submit(&reader, passed).await;
        done(item, v1::Stage::Opened, "").await;
        let mut read = false;
        if !cut && rng.next_u64().is_multiple_of(2) {
            let item = first(&last).await;
            assert_eq!((item.author(), item.sender()), (SENDER, READER));
            assert_eq!((item.id(), item.message_id()), (passed_id, forwarded));
            assert_eq!(item.parsed.signed_bytes, written, "seed {seed}");
            read = done(item, v1::Stage::Opened, "").await;
        }
        let recall = author.draft(&[READER]);
        let recall = recall.recall(message, id, "legal", Bytes::new()).unwrap();
        submit(&author, seal(&author, recall).1).await;
        // The forwarder's node loses power between the two, and the far one while it waits.
        let _receiving = scene.power_cut(READER, receiving).await;
        let (item, _) = next_recall(&reader).await;
        let recall = item.recall.clone().unwrap();
        assert_eq!(recall.message, message, "seed {seed}");
        let cause = item.parsed.signed_bytes.clone();
        let along = reader.draft(&[NEXT]);
        let along = along
            .recall(forwarded, passed_id, &recall.reason, cause)
            .unwrap();
        submit(&reader, seal(&reader, along).1).await;
        done(item, v1::Stage::Acted, "withdrawn").await;
        let _next = scene.power_cut(NEXT, next).await;
        world.network().heal();
        let (item, read_late) = next_recall(&last).await;
        let recall = item.recall.clone().unwrap();
        let cause = recall.cause.expect("the author's word");
        assert_eq!(recall.message, forwarded, "seed {seed}");
        assert_eq!(cause.core.sender, SENDER, "seed {seed}");
        assert_eq!(cause.core.recalls(), Some((message, id)), "seed {seed}");
        done(item, v1::Stage::Acted, "withdrawn").await;
        let late = comes_late(&last).await;
        assert!(
            late.iter().all(|item| item.recall.is_some()),
            "seed {seed}: it was withdrawn"
        );
        read || read_late
    })
}

// RCL-16, RCL-18, RCL-19: the last in the row gets the forward as its author signed it, or not at
// all, and then the author's own recall.
#[test]
fn a_recall_follows_a_forward_through_loss_partition_and_power_cuts() {
    let (mut read, mut all) = (0, 0);
    for seed in crate::seeds(SEEDS) {
        read += usize::from(passed_on(seed));
        all += 1;
    }
    println!("{read} of {all} were read at the far end");
    assert!(all == 1 || (0 < read && read < all));
}

// RCL-18: an author's recall that its author has not signed withdraws nothing.
#[test]
fn a_cause_that_nobody_signed_makes_no_recall() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let (_relay, _next) = (scene.node(READER).await, scene.node(NEXT).await);
        let reader = scene.client(READER, "reading").await;
        let last = scene.client(NEXT, "reading next").await;
        let draft = reader.draft(&[NEXT]).content("text/plain", "words");
        let (message, envelope) = seal(&reader, draft);
        let id = envelope.id;
        submit(&reader, envelope).await;
        let recall = |cause| reader.draft(&[NEXT]).recall(message, id, "legal", cause);
        let (_, own) = seal(&reader, recall(Bytes::new()).unwrap());
        let mut unsigned = v1::Signed::decode(own.signed).unwrap();
        unsigned.signatures.clear();
        let forged = recall(unsigned.encode_to_vec().into()).unwrap();
        submit(&reader, seal(&reader, forged).1).await;
        let mut inbox = last.inbox(4, Duration::from_secs(600)).await.unwrap();
        let mut failed = 0;
        for _ in 0..2 {
            let Some(item) = inbox.next().await else {
                break;
            };
            if let Err(item) = item.unwrap() {
                assert!(
                    matches!(item.error, ItemError::Envelope(_)),
                    "{}",
                    item.error
                );
                failed += 1;
                item.set_aside().await.unwrap();
            }
        }
        assert_eq!(failed, 1, "the recall is shown as what it is");
    });
}
