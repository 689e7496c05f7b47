//! A platform and a hotline with a node each, in processes of their own on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use frex_client::{
    client::{Client, ClientConfig},
    environment::Environment,
    tls::config::Limits,
    transport::{RosterHandle, Socket},
};
use frex_node::{
    disk::RealDisk,
    node::{Execution, Node},
};
use frex_proto::v1;

use crate::federation::{Federation, Organisation, Place};

const SEED: u64 = 7;
/// The member that sends, and its node.
pub const SENDER: &str = "platform";
/// The member that receives, and its node.
pub const RECEIVER: &str = "hotline";

/// What both processes must agree on.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// When it was made.
    pub now_ms: u64,
    ports: [u16; 2],
}

impl Scene {
    /// Two free ports, now.
    ///
    /// # Errors
    /// There are none.
    pub fn new() -> anyhow::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        // Both are held until both are known, so that they differ.
        let sockets = [free_port()?, free_port()?];
        let ports = [
            sockets[0].local_addr()?.port(),
            sockets[1].local_addr()?.port(),
        ];
        Ok(Self {
            now_ms: u64::try_from(now.as_millis())?,
            ports,
        })
    }

    /// As an argument of a process.
    #[must_use]
    pub fn to_argument(self) -> String {
        format!("{}/{}/{}", self.now_ms, self.ports[0], self.ports[1])
    }

    /// The inverse of [`to_argument`](Self::to_argument).
    ///
    /// # Errors
    /// The text is none.
    pub fn from_argument(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.split('/');
        let mut part = || parts.next().context("a scene is NOW_MS/PORT/PORT");
        Ok(Self {
            now_ms: part()?.parse()?,
            ports: [part()?.parse()?, part()?.parse()?],
        })
    }

    /// The same keys and roster in every process.
    #[must_use]
    pub fn federation(&self) -> Federation {
        let organisation = |id, role, country, port: u16| Organisation {
            id,
            role,
            country,
            node: Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        };
        let organisations = [
            organisation(SENDER, v1::Role::Platform, "IE", self.ports[0]),
            organisation(RECEIVER, v1::Role::Hotline, "FR", self.ports[1]),
        ];
        Federation::new(SEED, self.now_ms, &organisations)
    }

    /// Starts one of the nodes, with its files below `directory`.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, id: &str, directory: &Path) -> anyhow::Result<Node> {
        let federation = self.federation();
        let place = Place {
            environment: Environment::default(),
            disk: Arc::new(RealDisk),
            socket: Socket::Udp(federation.node(id).address),
            data: directory.join(id),
            execution: Execution::Threads,
        };
        Ok(federation.start(id, place).await?)
    }

    /// Runs one of the nodes on a thread of its own, until the process ends.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_beside(self, id: &'static str, directory: &Path) -> anyhow::Result<()> {
        let (ready, started) = std::sync::mpsc::channel();
        let directory = directory.to_owned();
        thread::spawn(move || -> anyhow::Result<()> {
            runtime()?.block_on(async {
                let node = self.start(id, &directory).await?;
                ready.send(())?;
                node.failed().await;
                anyhow::bail!("the storage of {id} failed")
            })
        });
        started
            .recv()
            .with_context(|| format!("{id} does not start"))
    }

    /// The program of one of the members.
    ///
    /// # Errors
    /// Its node does not answer.
    pub async fn client(&self, member: &str, patience: Duration) -> anyhow::Result<Client> {
        client(&self.federation(), member, self.now_ms, patience).await
    }
}

/// The program of a member of this federation, under the roster of `now_ms`.
///
/// # Errors
/// Its node does not answer.
pub async fn client(
    federation: &Federation,
    member: &str,
    now_ms: u64,
    patience: Duration,
) -> anyhow::Result<Client> {
    let seat = federation.member(member);
    let config = ClientConfig {
        member: member.to_owned(),
        roster: RosterHandle::new(federation.roster(now_ms)),
        membership: None,
        identity: seat.identity.clone(),
        tls: seat.tls.clone(),
        sealing: Vec::new().into(),
        environment: Environment::default(),
        socket: None,
        limits: Limits::default(),
        patience,
        heads: Arc::default(),
    };
    Ok(Client::connect(config).await?)
}

fn free_port() -> anyhow::Result<UdpSocket> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)
}

/// What each thread of a benchmark runs on.
///
/// # Errors
/// The system gives none.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_io().enable_time().build()?)
}
