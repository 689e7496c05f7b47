//! A node without space, in a deterministic world.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use frex_client::{
    client::{Client, ClientConfig, News, ProvenReceipt},
    environment::{Clock, Environment, Random},
    tls::config::Limits,
    transport::{RosterHandle, Socket},
};
use frex_node::node::{Execution, Node};
use frex_proto::{error::WireCode, keys::SealingSecretKey, v1};
use frex_tests::{
    federation::{Federation, Organisation, Place},
    sim::{
        disk::{Failure, Operation, SimDisk},
        world::{self, Machine, World},
    },
};

mod log_key;

const EPOCH_MS: u64 = 1_800_000_000_000;
const PORT: u16 = 7443;
const MEMBER: &str = "hotline";
const TERABYTE: u64 = 1 << 40;
/// Longer than the node takes to bring its published files up to date.
const A_WHILE: Duration = Duration::from_secs(5);

struct Scene {
    federation: Federation,
    machine: Machine,
    clock: Clock,
    client: Client,
    /// Everything that was acknowledged.
    held: Vec<ProvenReceipt>,
}

impl Scene {
    async fn new(world: &World) -> (Self, Node) {
        let machines = [1, 2].map(|last| world.machine([10, 0, 0, last].into()));
        let [machine, reader] = machines;
        let organisation = Organisation {
            id: MEMBER,
            role: v1::Role::Hotline,
            country: "FR",
            node: Ok(SocketAddr::new(machine.ip(), PORT)),
        };
        let federation = Federation::new(world.seed(), EPOCH_MS, &[organisation]);
        let clock = Clock::virtual_from(EPOCH_MS);
        let seat = federation.member(MEMBER);
        let client = Client::new(ClientConfig {
            member: MEMBER.to_owned(),
            roster: RosterHandle::new(federation.roster(EPOCH_MS)),
            membership: None,
            identity: seat.identity.clone(),
            tls: seat.tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&seat.sealing.seed())].into(),
            environment: environment(&clock, 2),
            socket: Some(Socket::Abstract(reader.bind(50_000).unwrap())),
            limits: Limits::default(),
            patience: Duration::from_secs(600),
            heads: Arc::default(),
        });
        let scene = Self {
            client: client.await.unwrap(),
            federation,
            machine,
            clock,
            held: Vec::new(),
        };
        let node = scene.start().await;
        (scene, node)
    }

    async fn start(&self) -> Node {
        let place = Place {
            environment: environment(&self.clock, 1),
            disk: Arc::new(self.disk().clone()),
            socket: Socket::Abstract(self.machine.bind(PORT).unwrap()),
            data: PathBuf::from("/data"),
            execution: Execution::Inline,
        };
        self.federation.start(MEMBER, place).await.unwrap()
    }

    fn disk(&self) -> &SimDisk {
        self.machine.disk()
    }

    /// Submits one report to itself; gives the code if it is refused.
    async fn submit(&mut self) -> Result<(), WireCode> {
        self.submit_many(1).await
    }

    async fn submit_many(&mut self, count: usize) -> Result<(), WireCode> {
        let draft = || {
            let draft = self.client.draft(&[MEMBER]).content("text/plain", "report");
            self.client.finish(draft).unwrap()
        };
        let drafts: Vec<_> = std::iter::repeat_with(draft).take(count).collect();
        let envelopes = self.client.seal_batch(&drafts).unwrap();
        let submission = self.client.submit(envelopes, Duration::from_secs(1)).await;
        let events = submission.unwrap().finish().await;
        let mut refused = None;
        let before = self.held.len();
        for event in events {
            match event.news {
                News::Submitted(receipt) | News::Accepted { receipt, .. } => {
                    self.held.push(*receipt);
                }
                News::Refused { code } => refused = Some(code),
                other => panic!("{other:?}"),
            }
        }
        let due = if refused.is_some() { 0 } else { 2 * count };
        assert_eq!(self.held.len() - before, due);
        refused.map_or(Ok(()), Err)
    }

    /// The published log holds exactly what was acknowledged.
    async fn check(&self, what: &str) {
        let head = self.client.checkpoint(None).await.unwrap();
        assert_eq!(head.checkpoint.size, self.held.len() as u64, "{what}");
        for receipt in self.held.iter().step_by(7).chain(self.held.last()) {
            let verified = &receipt.verified;
            let proof = self
                .client
                .prove_entry(verified.index, &verified.leaf_hash)
                .await;
            assert!(proof.is_ok(), "{what}: entry {}: {proof:?}", verified.index);
        }
    }
}

fn environment(clock: &Clock, seed: u8) -> Environment {
    Environment {
        clock: clock.clone(),
        random: Random::seeded([seed; 32]),
    }
}

// NOD-7: a full disk refuses, loses nothing, and is forgotten when there is space again.
#[test]
fn full_disk_refuses_and_goes_on_when_there_is_space() {
    world::run(1, |world| async move {
        let (mut scene, _node) = Scene::new(&world).await;
        scene.submit().await.unwrap();
        scene.disk().set_capacity(0);
        // A node asks its disk for the space that is left once a second.
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(scene.submit().await, Err(WireCode::DiskFull));
        scene.disk().set_capacity(TERABYTE);
        tokio::time::sleep(A_WHILE).await;
        scene.submit().await.unwrap();
        tokio::time::sleep(A_WHILE).await;
        scene.disk().fail(Operation::Write, 1, Failure::Enospc);
        assert_eq!(scene.submit().await, Err(WireCode::DiskFull));
        scene.submit().await.unwrap();
        scene.check("after a journal without space").await;
    });
}

// NOD-7: what the published files could not take is published later, whichever call failed.
#[test]
fn full_disk_holds_up_the_published_log_and_spoils_nothing() {
    let calls = world::run(2, |world| held_up(world, None));
    for (operation, calls) in OPERATIONS.into_iter().zip(calls) {
        println!("{operation:?}: {calls} calls");
        assert!(calls > 0);
        for nth in 1..=calls {
            world::run(2, |world| held_up(world, Some((operation, nth))));
        }
    }
}

const OPERATIONS: [Operation; 6] = [
    Operation::Open,
    Operation::SetLen,
    Operation::Write,
    Operation::Sync,
    Operation::Rename,
    Operation::SyncDir,
];

/// Publishes full and partial tiles; one call fails for lack of space. Gives the calls it took.
async fn held_up(world: World, fault: Option<(Operation, u64)>) -> [u64; 6] {
    let what = format!("{fault:?}");
    let (mut scene, node) = Scene::new(&world).await;
    scene.submit().await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    // Three requests over the edge of a full tile, before the next publication.
    for _ in 0..3 {
        scene.submit_many(64).await.unwrap();
    }
    let disk = scene.disk();
    let before = OPERATIONS.map(|operation| disk.calls(operation));
    if let Some((operation, nth)) = fault {
        disk.fail(operation, nth, Failure::Enospc);
    }
    tokio::time::sleep(A_WHILE).await;
    let after = OPERATIONS.map(|operation| scene.disk().calls(operation));
    scene.check(&what).await;
    scene.submit().await.unwrap();
    scene.check(&format!("{what}, one more")).await;
    scene.machine.crash();
    drop(node);
    tokio::time::sleep(A_WHILE).await;
    let _node = scene.start().await;
    scene.submit().await.unwrap();
    scene.check(&format!("{what}, started again")).await;
    std::array::from_fn(|number| after[number] - before[number])
}
