//! Nodes that are brought back from copies, in the simulator: nothing is signed before it is certain enough that
//! nothing is missing, and a log begins anew once, through power cuts.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim restore`.

use std::{path::Path, time::Duration};

use frex_client::client::{Client, News, ProvenReceipt};
use frex_node::{
    anew::{self, Next},
    backup,
    node::{Node, StartError},
};
use frex_proto::{
    log::Checkpoint,
    receipt,
    v1::{self, EndedLog},
};
use frex_tests::{
    scene::{self, EPOCH_MS, Scene, ip},
    sim::world::{self, World},
};
use rand_chacha::rand_core::Rng;
use tokio::time::{sleep, timeout};

const LOG: &str = "platform";
const RECEIVER: &str = "hotline";
const WITNESSES: [&str; 3] = [RECEIVER, "police", "clearing"];
const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;
const MINUTE: Duration = Duration::from_secs(60);

/// Four nodes, of which three witness for all; two of the three must cosign.
fn scene(world: &World) -> Scene {
    let organisations = [
        scene::organisation(LOG, v1::Role::Platform, 1),
        scene::organisation(WITNESSES[0], v1::Role::Hotline, 2),
        scene::organisation(WITNESSES[1], v1::Role::Police, 5),
        scene::organisation(WITNESSES[2], v1::Role::ClearingHouse, 6),
    ];
    let machines = [("platform-client", 3)];
    Scene::new(world, &organisations, &machines).revised(|roster| {
        roster.witnessing = Some(v1::Witnessing {
            nodes: WITNESSES.map(str::to_owned).to_vec(),
            quorum: 2,
        });
    })
}

async fn witnesses(scene: &Scene) -> Vec<Node> {
    let mut nodes = Vec::new();
    for id in WITNESSES {
        nodes.push(scene.node(id).await);
    }
    nodes
}

/// Files one report at the home node; gives its receipt once it is final.
async fn file(client: &Client) -> ProvenReceipt {
    let draft = client.draft(&[RECEIVER]).content("text/plain", "words");
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    let submission = client.submit(vec![envelope], Duration::ZERO).await;
    let events = submission.unwrap().finish().await;
    let receipt = events.into_iter().find_map(|event| match event.news {
        News::Submitted(receipt) => Some(*receipt),
        _ => None,
    });
    let receipt = receipt.expect("it is submitted");
    for _ in 0..600 {
        if let Ok(proven) = client.finalize(&receipt).await {
            return proven;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("it does not become final");
}

fn origin(node: &Node) -> String {
    Checkpoint::of_note(&node.checkpoint()).unwrap().origin
}

// BAK-11, BAK-12, BAK-13, NOD-8: marked as restored, a node signs nothing while fewer than enough witnesses can be
// asked, whatever is cut in between; then it goes on, and is not asked again.
#[test]
fn a_restored_node_signs_nothing_before_enough_have_answered() {
    for seed in crate::seeds(SEEDS) {
        world::run(seed, |world| async move {
            let scene = scene(&world);
            let _others = witnesses(&scene).await;
            let node = scene.node(LOG).await;
            let client = scene.client(LOG, "platform-client").await;
            file(&client).await;
            let size = node.status().log_size;
            scene.power_off(LOG, node).await;
            let disk = scene.machines[LOG].disk().clone();
            let data = Path::new("/data");
            backup::mark(&disk, data).unwrap();
            // Of three, of which two must cosign, two must answer: one of them has seen all that is final.
            for (cut_off, answered) in [(&[2, 5, 6][..], 0), (&[2, 6], 1), (&[5, 6], 1)] {
                for last in cut_off {
                    world.network().partition(ip(1), ip(*last));
                }
                let refused = scene.try_node(LOG).await.err();
                let wanted = matches!(refused, Some(StartError::Unconfirmed { answered: heard, needed: Some(2) }) if heard == answered);
                assert!(wanted, "seed {seed}: {refused:?}");
                scene.machines[LOG].crash();
                assert!(backup::is_restored(&disk, data).unwrap());
                world.network().heal();
            }
            world.network().partition(ip(1), ip(5));
            let node = scene.node(LOG).await;
            assert_eq!(node.status().log_size, size, "seed {seed}");
            assert!(!backup::is_restored(&disk, data).unwrap());
            world.network().heal();
            file(&client).await;
            scene.power_off(LOG, node).await;
            for last in [2, 5, 6] {
                world.network().partition(ip(1), ip(last));
            }
            let _node = scene.node(LOG).await;
        });
    }
}

/// The log of a node that lost its end begins anew, once the roster and the operator want it.
async fn prepare(scene: &mut Scene, kept: u64) -> Next {
    let disk = scene.machines[LOG].disk().clone();
    let data = Path::new("/data");
    let seen = anew::seen(&disk, data).unwrap().expect("it was shown");
    let ended_ms = scene.environment(LOG).clock.now_ms();
    let next = Next {
        epoch: 2,
        ended_ms,
        kept,
        seen: String::from_utf8(seen.to_vec()).unwrap(),
    };
    next.write(&disk, data).unwrap();
    let held = scene.federation.roster(EPOCH_MS);
    scene.federation.bundle = scene.federation.revised(&held, &[], |roster| {
        let node = roster.nodes.iter_mut().find(|node| node.id == LOG).unwrap();
        node.log_epoch = 2;
        let not_after_ms = ended_ms;
        node.ended_logs.push(EndedLog { not_after_ms, kept });
    });
    next
}

/// A copy that was restored begins no log either before enough have answered: one may have begun it before.
async fn waits_for_witnesses(world: &World, scene: &Scene, seed: u64) {
    let disk = scene.machines[LOG].disk();
    backup::mark(disk, Path::new("/data")).unwrap();
    for last in [2, 5, 6] {
        world.network().partition(ip(1), ip(last));
    }
    let refused = scene.try_node(LOG).await.err();
    let wanted = matches!(
        refused,
        Some(StartError::Unconfirmed {
            answered: 0,
            needed: Some(2)
        })
    );
    assert!(wanted, "seed {seed}: {refused:?}");
    scene.machines[LOG].crash();
    world.network().heal();
}

// BAK-11, BAK-14, BAK-16, BAK-18, BAK-20, NOD-3, LOG-19: cut short at any moment, the log begins once, whoever asks; nobody sees two.
#[test]
fn a_log_begins_anew_once_through_power_cuts() {
    for seed in crate::seeds(SEEDS) {
        world::run(seed, |world| async move {
            let mut scene = scene(&world);
            let mut others = witnesses(&scene).await;
            let node = scene.node(LOG).await;
            let client = scene.client(LOG, "platform-client").await;
            let before = file(&client).await;
            let disk = scene.machines[LOG].disk().clone();
            let (old, kept) = (disk.image(), node.status().log_size);
            let lost = file(&client).await;
            scene.power_off(LOG, node).await;
            disk.put_back(&old);
            let refused = scene.try_node(LOG).await;
            assert!(
                matches!(refused, Err(StartError::RolledBack { .. })),
                "seed {seed}"
            );
            drop(refused);
            scene.machines[LOG].crash();
            let next = prepare(&mut scene, kept).await;
            for (id, other) in WITNESSES.into_iter().zip(others.drain(..)) {
                scene.power_off(id, other).await;
            }
            let _others = witnesses(&scene).await;

            waits_for_witnesses(&world, &scene, seed).await;
            let mut rng = world.rng("cuts");
            for _ in 0..6 {
                let moment = Duration::from_millis(rng.next_u64() % 60);
                match timeout(moment, scene.try_node(LOG)).await {
                    Ok(node) => scene.power_off(LOG, node.unwrap()).await,
                    Err(_) => scene.machines[LOG].crash(),
                }
                sleep(Duration::from_secs(2)).await;
            }
            let node = scene.node(LOG).await;
            assert!(origin(&node).ends_with("/log/2"), "seed {seed}");
            assert_eq!(anew::seen(&disk, Path::new("/data")).unwrap(), None);
            drop(client);
            sleep(MINUTE).await;
            let client = scene.client(LOG, "platform-client").await;
            let after = file(&client).await;
            assert!(after.verified.index >= 1, "seed {seed}");
            // Under the roster of now all of them hold, each in its own log.
            let roster = scene
                .federation
                .roster(scene.environment(LOG).clock.now_ms());
            for (proven, epoch) in [(&before, 1), (&lost, 1), (&after, 2)] {
                let log = roster
                    .log_verifier_for(LOG, &proven.receipt.checkpoint)
                    .unwrap();
                assert!(log.origin.ends_with(&format!("/log/{epoch}")));
                receipt::verify(&proven.receipt, &log, None).unwrap();
            }
            let ended = roster.node(LOG).unwrap().ended_logs[0];
            assert_eq!((ended.kept, ended.not_after_ms), (next.kept, next.ended_ms));
            assert!(before.verified.index < kept && lost.verified.index >= kept);
            // Another copy of before finds that the log has begun without it.
            scene.power_off(LOG, node).await;
            disk.put_back(&old);
            next.write(&disk, Path::new("/data")).unwrap();
            let refused = scene.try_node(LOG).await.err();
            let wanted = matches!(refused, Some(StartError::RolledBack { .. }));
            assert!(wanted, "seed {seed}: {refused:?}");
        });
    }
}
