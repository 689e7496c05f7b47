//! A thousand rosters that must not come into force, at a node that runs.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use frex_client::{environment::Environment, transport::Socket};
use frex_node::{disk::RealDisk, node::Execution};
use frex_proto::{
    keys::KeyError,
    roster::{Fault, Roster},
    v1,
};
use frex_tests::{
    federation::{Federation, Organisation, Place},
    processes::free_addresses,
};
use prost::Message;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

const ROSTERS: u32 = 1_000;
const SEED: u64 = 9;
/// The neutral point: under it a signature can be made that fits every message.
const WEAK_KEY: [u8; 32] = {
    let mut key = [0; 32];
    key[0] = 1;
    key
};

/// One way to be no good, and the fault that says so.
type Kind = (&'static str, Fault, fn(&Scene, &mut ChaCha20Rng) -> Bytes);

const KINDS: [Kind; 6] = [
    (
        "signed by fewer than the threshold",
        Fault::TooFewSignatures,
        few,
    ),
    ("rolled back", Fault::RolledBack, |scene, rng| {
        scene.signed(rng, |roster| roster.version = 2)
    }),
    ("forked", Fault::Forked, |scene, rng| {
        scene.signed(rng, |roster| roster.version = 3)
    }),
    ("following another one", Fault::BrokenChain, |scene, rng| {
        scene.signed(rng, |roster| roster.prev_sha256 = vec![7; 32].into())
    }),
    ("expired", Fault::Expired, |scene, rng| {
        let now_ms = scene.now_ms;
        scene.signed(rng, |roster| {
            (roster.issued_ms, roster.expires_ms) = (now_ms - 1, now_ms);
        })
    }),
    (
        "listing a weak key",
        Fault::Key(KeyError::Weak),
        |scene, rng| {
            scene.signed(rng, |roster| {
                let keys = &mut roster.members[0].identity_keys;
                keys[0].key = Bytes::from_static(&WEAK_KEY);
            })
        },
    ),
];

struct Scene {
    federation: Federation,
    held: Roster,
    now_ms: u64,
}

impl Scene {
    fn new(now_ms: u64) -> Self {
        let addresses = free_addresses(2);
        let organisation = |(id, country, place): (_, _, usize)| Organisation {
            id,
            role: v1::Role::Hotline,
            country,
            node: Ok(addresses[place]),
        };
        let two = [("hotline.no", "NO", 0), ("police.de", "DE", 1)].map(organisation);
        let federation = Federation::new(SEED, now_ms, &two);
        let mut held = federation.roster(now_ms);
        for _ in 0..2 {
            let next = federation.revised(&held, &[], |_| ());
            held = Roster::judge(&next, &federation.anchor, now_ms).unwrap();
        }
        Self {
            federation,
            held,
            now_ms,
        }
    }

    /// Signed by enough, with one change beside what differs each time.
    fn signed(&self, rng: &mut ChaCha20Rng, change: impl FnOnce(&mut v1::Roster)) -> Bytes {
        let (more_ms, number) = (u64::from(rng.next_u32() % 1_000_000), rng.next_u32());
        self.federation.revised(&self.held, &[], |roster| {
            roster.expires_ms += more_ms;
            roster.members[1].name = format!("An organisation {number}");
            change(roster);
        })
    }
}

fn few(scene: &Scene, rng: &mut ChaCha20Rng) -> Bytes {
    let mut bundle = v1::RosterBundle::decode(scene.signed(rng, |_| ())).unwrap();
    let mut signed = v1::Signed::decode(bundle.roster).unwrap();
    let place = rng.next_u32() as usize % signed.signatures.len();
    signed.signatures.remove(place);
    bundle.roster = signed.encode_to_vec().into();
    bundle.encode_to_vec().into()
}

// ROS-3, ROS-6, ROS-20, ROS-21, ROS-23, DIS-2: none of a thousand is taken by a node that runs, and
// each is refused for its own fault.
#[tokio::test]
async fn a_thousand_rosters_and_none_is_taken() {
    println!("seed {SEED}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let scene = Scene::new(u64::try_from(now.as_millis()).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let place = Place {
        environment: Environment::default(),
        disk: Arc::new(RealDisk),
        socket: Socket::Udp(scene.federation.node("hotline.no").address),
        data: dir.path().to_owned(),
        execution: Execution::Threads,
    };
    let held = scene.held.clone();
    let node = scene.federation.start_with("hotline.no", place, held);
    let node = node.await.unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut accepted = 0;
    for round in 0..ROSTERS {
        let (name, fault, spoil) = KINDS[round as usize % KINDS.len()];
        let bundle = spoil(&scene, &mut rng);
        let judged = Roster::judge(&bundle, &scene.federation.anchor, scene.now_ms)
            .and_then(|roster| roster.succeeds(&scene.held));
        let found = judged.map_err(|error| error.fault);
        assert_eq!(found, Err(fault), "{name}, round {round}");
        // An older one is no fault of whoever passes it on; it only changes nothing.
        accepted += u32::from(matches!(node.membership().take(bundle).await, Ok(true)));
    }
    assert_eq!((accepted, node.status().roster_version), (0, 3));
    node.shutdown().await;
}
