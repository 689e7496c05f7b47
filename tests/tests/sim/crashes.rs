//! Two real nodes and two real clients in one deterministic world: loss, partition, power cuts.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim crashes`.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use frex_client::client::{Client, News};
use frex_proto::{envelope::SignedEnvelope, id::EnvelopeId, v1};
use frex_tests::{
    scene::{Scene, ip},
    sim::{Link, world},
};

const REPORTS: usize = 12;
const SEEDS: RangeInclusive<u64> = 1..=12;

fn seal(client: &Client, number: usize) -> SignedEnvelope {
    let draft = client
        .draft(&["hotline"])
        .content("text/plain", format!("report {number}").into_bytes());
    client.seal(&client.finish(draft).unwrap()).unwrap()
}

/// Submits until the home node has acknowledged it, as a program with its own outbox does.
async fn submit(client: &Client, envelope: SignedEnvelope) -> EnvelopeId {
    let id = envelope.id;
    loop {
        let mut submission = client
            .submit(vec![envelope.clone()], Duration::from_secs(1))
            .await
            .unwrap();
        while let Some(event) = submission.next().await {
            match event.news {
                News::Submitted(_) => return id,
                News::Unanswered { .. } | News::Refused { .. } => {}
                other => panic!("unexpected news before SUBMITTED: {other:?}"),
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Reads the inbox until everything has come, then some more, for at most three hours; counts how
/// often each envelope came.
async fn drain(client: &Client) -> BTreeMap<EnvelopeId, usize> {
    let mut seen = BTreeMap::new();
    let started = tokio::time::Instant::now();
    while started.elapsed() < Duration::from_secs(3 * 3600) {
        let wait = Duration::from_secs(if seen.len() < REPORTS { 600 } else { 60 });
        let mut inbox = client.inbox(8, wait).await.unwrap();
        while let Some(item) = inbox.next().await {
            let Ok(item) = item.unwrap() else {
                panic!("an item that cannot be opened")
            };
            *seen.entry(item.id()).or_default() += 1;
            item.confirm(v1::Stage::Opened, "").await.unwrap();
        }
        if seen.len() >= REPORTS {
            break;
        }
    }
    seen
}

/// One history: reports flow while the link is bad and both nodes lose power once.
fn history(seed: u64) -> (String, u64, u64) {
    world::run(seed, |world| async move {
        let scene = Scene::pair(&world);
        let mut rng = world.rng("scenario");
        let platform = scene.node("platform").await;
        let hotline = scene.node("hotline").await;
        let sender = scene.client("platform", "platform-client").await;
        world.network().set_link(Link::draw(&mut rng));
        let mut acknowledged = Vec::new();
        for number in 0..REPORTS / 3 {
            acknowledged.push(submit(&sender, seal(&sender, number)).await);
        }
        world.network().partition(ip(1), ip(2));
        let _hotline = scene.power_cut("hotline", hotline).await;
        for number in REPORTS / 3..2 * REPORTS / 3 {
            acknowledged.push(submit(&sender, seal(&sender, number)).await);
        }
        let _platform = scene.power_cut("platform", platform).await;
        for number in 2 * REPORTS / 3..REPORTS {
            acknowledged.push(submit(&sender, seal(&sender, number)).await);
        }
        world.network().heal();
        let reader = scene.client("hotline", "hotline-client").await;
        let seen = drain(&reader).await;
        let once: BTreeMap<_, _> = acknowledged.iter().map(|id| (*id, 1)).collect();
        assert_eq!(
            seen, once,
            "seed {seed}: every acknowledged report arrives, and once"
        );
        assert_eq!(
            scene.stated("hotline").await,
            2 * REPORTS,
            "seed {seed}: ACCEPTED and OPENED, each once"
        );
        assert_eq!(
            scene.stated("platform").await,
            REPORTS,
            "seed {seed}: SUBMITTED, each once"
        );
        world
            .network()
            .trace(|trace| (trace.hash(), trace.datagrams(), trace.faults()))
    })
}

// NOD-1, DEL-10: an acknowledged report survives and arrives once.
#[test]
fn acknowledged_reports_survive_loss_partition_and_power_cuts() {
    for seed in crate::seeds(SEEDS) {
        let (hash, datagrams, faults) = history(seed);
        println!("seed {seed}: {datagrams} datagrams, {faults} faults, trace {hash}");
        assert!(
            faults > 0,
            "seed {seed}: nothing went wrong, so nothing was tried"
        );
    }
}

#[test]
fn a_seed_replays_the_same_trace_and_another_seed_another() {
    let mut hashes = BTreeSet::new();
    for seed in SEEDS {
        let first = history(seed);
        assert_eq!(first, history(seed), "seed {seed} replays");
        assert!(hashes.insert(first.0), "seed {seed} has a trace of its own");
    }
}
