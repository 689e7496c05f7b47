//! A platform and a hotline in a simulated world: two real nodes, and a client of each member.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use frex_client::{
    client::{Client, ClientConfig},
    environment::{Clock, Environment, Random},
    tls::config::Limits,
    transport::{RosterHandle, Socket},
};
use frex_node::node::{Execution, Node};
use frex_proto::{keys::SealingSecretKey, v1};
use rand_chacha::rand_core::Rng;

use crate::{
    federation::{Federation, MemberSeat, Organisation, Place},
    sim::world::{Machine, World},
};

/// When every world begins.
pub const EPOCH_MS: u64 = 1_800_000_000_000;
const PORT: u16 = 7443;
const CLIENT_PORT: u16 = 50_000;

/// The address of a machine: 1 and 2 are the nodes `platform` and `hotline`, 3 and 4 their clients.
#[must_use]
pub fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

/// Two nodes and the clients of their members.
pub struct Pair {
    /// Its keys and roster.
    pub federation: Federation,
    /// By name: the nodes `platform` and `hotline`, and their clients.
    pub machines: BTreeMap<&'static str, Machine>,
    clock: Clock,
}

impl Pair {
    /// A platform and a hotline, each with a machine for its node and one for its client.
    #[must_use]
    pub fn new(world: &World) -> Self {
        let organisations = [
            Organisation {
                id: "platform",
                role: v1::Role::Platform,
                country: "IE",
                node: Ok(SocketAddr::new(ip(1), PORT)),
            },
            Organisation {
                id: "hotline",
                role: v1::Role::Hotline,
                country: "FR",
                node: Ok(SocketAddr::new(ip(2), PORT)),
            },
        ];
        let federation = Federation::new(world.seed(), EPOCH_MS, &organisations);
        let machines = [
            ("platform", 1),
            ("hotline", 2),
            ("platform-client", 3),
            ("hotline-client", 4),
        ];
        let machines = machines.map(|(name, last)| (name, world.machine(ip(last))));
        Self {
            federation,
            machines: machines.into(),
            clock: Clock::virtual_from(EPOCH_MS),
        }
    }

    /// The virtual clock, and randomness of a machine's present life.
    ///
    /// # Panics
    /// If there is no such machine.
    #[must_use]
    pub fn environment(&self, name: &str) -> Environment {
        let mut seed = [0; 32];
        self.machines[name].rng("environment").fill_bytes(&mut seed);
        Environment {
            clock: self.clock.clone(),
            random: Random::seeded(seed),
        }
    }

    /// Starts a node on what its disk holds.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn node(&self, id: &'static str) -> Node {
        let machine = &self.machines[id];
        let place = Place {
            environment: self.environment(id),
            disk: Arc::new(machine.disk().clone()),
            socket: Socket::Abstract(machine.bind(PORT).expect("the port is free")),
            data: PathBuf::from("/data"),
            execution: Execution::Inline,
        };
        self.federation
            .start(id, place)
            .await
            .expect("the node starts")
    }

    /// A client of `member` on `machine`; one at a time.
    ///
    /// # Panics
    /// If the machine's port is in use.
    pub async fn client(&self, member: &str, machine: &'static str) -> Client {
        let MemberSeat {
            id,
            identity,
            tls,
            sealing,
            ..
        } = self.federation.member(member);
        let environment = self.environment(machine);
        let config = ClientConfig {
            member: id.clone(),
            roster: RosterHandle::new(self.federation.roster(environment.clock.now_ms())),
            membership: None,
            identity: identity.clone(),
            tls: tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&sealing.seed())].into(),
            environment,
            socket: Some(Socket::Abstract(
                self.machines[machine]
                    .bind(CLIENT_PORT)
                    .expect("the port is free"),
            )),
            limits: Limits::default(),
            patience: Duration::from_secs(600),
        };
        Client::new(config)
            .await
            .expect("the roster lists the member")
    }

    /// Cuts the power of a node's machine and starts the node again on what the disk kept.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn power_cut(&self, id: &'static str, node: Node) -> Node {
        self.machines[id].crash();
        drop(node);
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.node(id).await
    }
}
