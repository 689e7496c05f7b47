//! A federation in a simulated world: real nodes and clients on machines that have names.
//!
//! What a test does otherwise than the rest it says where it starts a node or makes a client;
//! everything drawn comes from the world's seed.

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
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Socket},
};
use frex_node::{
    disk::Disk,
    node::{Execution, Node, NodeParts, StartError},
};
use frex_proto::{keys::SealingSecretKey, roster::Peer, v1};
use rand_chacha::rand_core::Rng;

use crate::{
    federation::{Federation, MemberSeat, Organisation, Place},
    sim::world::{Machine, World},
};

/// When every world begins.
pub const EPOCH_MS: u64 = 1_800_000_000_000;
/// Where a client listens, if nothing else is said.
pub const CLIENT_PORT: u16 = 50_000;
/// Where nodes listen.
pub const NODE_PORT: u16 = 7443;
/// Longer than most links of these worlds need.
const PATIENCE: Duration = Duration::from_secs(600);

/// The address of the machine with this number.
#[must_use]
pub fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

/// An organisation whose node runs on the machine with number `last`.
#[must_use]
pub fn organisation(id: &'static str, role: v1::Role, last: u8) -> Organisation<'static> {
    Organisation {
        id,
        role,
        country: "FR",
        node: Ok(SocketAddr::new(ip(last), NODE_PORT)),
    }
}

/// An organisation without a node of its own: `home` serves it.
#[must_use]
pub fn guest(id: &'static str, role: v1::Role, home: &'static str) -> Organisation<'static> {
    Organisation {
        node: Err(home),
        ..organisation(id, role, 0)
    }
}

/// A federation, its machines and their clock.
pub struct Scene {
    /// Its keys and roster.
    pub federation: Federation,
    /// By name: those of nodes bear the nodes' ids.
    pub machines: BTreeMap<&'static str, Machine>,
    clock: Clock,
}

impl Scene {
    /// A machine for the node of each organisation that has one, and further machines by name and
    /// number.
    #[must_use]
    pub fn new(
        world: &World,
        organisations: &[Organisation<'static>],
        machines: &[(&'static str, u8)],
    ) -> Self {
        let nodes = organisations.iter().filter_map(|organisation| {
            let address = organisation.node.ok()?;
            Some((organisation.id, address.ip()))
        });
        let others = machines.iter().map(|(name, last)| (*name, ip(*last)));
        Self {
            federation: Federation::new(world.seed(), EPOCH_MS, organisations),
            machines: nodes
                .chain(others)
                .map(|(name, ip)| (name, world.machine(ip)))
                .collect(),
            clock: Clock::virtual_from(EPOCH_MS),
        }
    }

    /// A platform and a hotline with their nodes on machines 1 and 2, and a machine for a client of
    /// each: `platform-client` and `hotline-client`.
    #[must_use]
    pub fn pair(world: &World) -> Self {
        let organisations = [
            organisation("platform", v1::Role::Platform, 1),
            organisation("hotline", v1::Role::Hotline, 2),
        ];
        let clients = [("platform-client", 3), ("hotline-client", 4)];
        Self::new(world, &organisations, &clients)
    }

    /// Changes the roster that everybody begins with.
    #[must_use]
    pub fn revised(mut self, change: impl FnOnce(&mut v1::Roster)) -> Self {
        let first = self.federation.roster(EPOCH_MS);
        self.federation.bundle = self.federation.revised(&first, &[], change);
        self
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
        self.node_with(id, |_| ()).await.0
    }

    /// Like [`Self::node`], after `change` of what the node is made of; gives what `change` gave,
    /// too.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn node_with<T>(
        &self,
        id: &'static str,
        change: impl FnOnce(&mut NodeParts) -> T,
    ) -> (Node, T) {
        let (node, changed) = self.start(id, change).await;
        (node.expect("the node starts"), changed)
    }

    /// Like [`Self::node`], for one that may have a reason not to start.
    ///
    /// # Errors
    /// That reason.
    pub async fn try_node(&self, id: &'static str) -> Result<Node, StartError> {
        self.start(id, |_| ()).await.0
    }

    async fn start<T>(
        &self,
        id: &'static str,
        change: impl FnOnce(&mut NodeParts) -> T,
    ) -> (Result<Node, StartError>, T) {
        let machine = &self.machines[id];
        let place = Place {
            environment: self.environment(id),
            disk: Arc::new(machine.disk().clone()),
            socket: Socket::Abstract(machine.bind(NODE_PORT).expect("the port is free")),
            data: PathBuf::from("/data"),
            execution: Execution::Inline,
        };
        let roster = self.federation.roster(place.environment.clock.now_ms());
        let mut parts = self.federation.parts(id, place, roster);
        let changed = change(&mut parts);
        (Node::start(parts, &mut |_, _| {}).await, changed)
    }

    /// A client of `member` on `machine`; one at a time.
    ///
    /// # Panics
    /// If the machine's port is in use.
    pub async fn client(&self, member: &str, machine: &str) -> Client {
        self.client_at(member, machine, CLIENT_PORT, PATIENCE).await
    }

    /// A client of `member` on a port of `machine`, with its patience.
    ///
    /// # Panics
    /// If the port is in use.
    pub async fn client_at(
        &self,
        member: &str,
        machine: &str,
        port: u16,
        patience: Duration,
    ) -> Client {
        let MemberSeat {
            id,
            identity,
            tls,
            sealing,
            ..
        } = self.federation.member(member);
        let environment = self.environment(machine);
        let socket = self.machines[machine].bind(port);
        let config = ClientConfig {
            member: id.clone(),
            roster: RosterHandle::new(self.federation.roster(environment.clock.now_ms())),
            membership: None,
            identity: identity.clone(),
            tls: tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&sealing.seed())].into(),
            environment,
            socket: Some(Socket::Abstract(socket.expect("the port is free"))),
            limits: Limits::default(),
            patience,
            heads: std::sync::Arc::default(),
        };
        let client = Client::new(config).await;
        client.expect("the roster lists the member")
    }

    /// The endpoint of a peer that does with its sessions what it likes, and how it greets.
    ///
    /// # Panics
    /// If the port is in use.
    #[must_use]
    pub fn caller(&self, peer: Peer, machine: &str, port: u16) -> (Endpoint, Greeter) {
        let environment = self.environment(machine);
        let roster = RosterHandle::new(self.federation.roster(environment.clock.now_ms()));
        let key = match &peer {
            Peer::Client(member) => &self.federation.member(member).tls,
            Peer::Node(node) => &self.federation.node(node).tls,
        };
        let identity = Identity::new(key).expect("a connection key");
        let greeter = Greeter::new(peer, roster, environment);
        let socket = self.machines[machine].bind(port);
        let config = EndpointConfig {
            socket: Socket::Abstract(socket.expect("the port is free")),
            identity,
            key_check: greeter.key_check(),
            key_exchange: greeter.key_exchange(),
            limits: Limits::default(),
            listen: true,
            rng_seed: greeter.environment.random.endpoint_seed(),
        };
        (Endpoint::bind(config).expect("a free socket"), greeter)
    }

    /// How much a node has stated in its log besides what it has seen of other logs.
    ///
    /// # Panics
    /// If its published log cannot be read.
    pub async fn stated(&self, id: &str) -> usize {
        // The published files follow the log within a second.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let disk = self.machines[id].disk();
        let place = |path: &PathBuf| path.to_string_lossy().contains("/tile/entries/");
        let mut bundles: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        for path in disk.files().into_iter().filter(place) {
            let file = disk.open(&path, false).expect("it is listed");
            let mut bytes = vec![0; usize::try_from(file.len().expect("a length")).expect("small")];
            file.read_at(&mut bytes, 0).expect("it is as long");
            // `000.p/17`: of one bundle the longest one counts.
            let bundle = match path.to_string_lossy().split_once(".p/") {
                Some((bundle, _)) => PathBuf::from(bundle),
                None => path,
            };
            let longest = bundles.entry(bundle).or_default();
            if bytes.len() > longest.len() {
                *longest = bytes;
            }
        }
        // Each entry has its length before it; its sixth byte says what happened.
        let entries = bundles.values().flat_map(|bytes| bytes.chunks(50));
        let seen = u8::try_from(i32::from(v1::Event::PeerSeen)).expect("a small number");
        entries.filter(|entry| entry[2 + 5] != seen).count()
    }

    /// Cuts the power of a node's machine for two seconds; nothing starts by itself afterwards.
    pub async fn power_off<N>(&self, id: &str, node: N) {
        self.machines[id].crash();
        drop(node);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    /// Cuts the power of a node's machine and starts the node again on what the disk kept.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn power_cut(&self, id: &'static str, node: Node) -> Node {
        self.power_off(id, node).await;
        self.node(id).await
    }
}
