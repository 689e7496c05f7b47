//! The real path: a client and its home node in the sending process, the recipient's node in the
//! receiving one, as operators run them.
//!
//! An envelope counts when its ACCEPTED receipt is verified and durable in the home node and has
//! reached the client, which has by then also been told SUBMITTED. Nobody reads the inbox.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use frex_client::{environment::Environment, transport::Socket};
use frex_node::{
    disk::RealDisk,
    node::{Execution, Node},
};
use frex_proto::v1;
use frex_tests::federation::{Federation, Organisation, Place};

use crate::{
    case::{Case, Figures},
    measure::{self, Role},
};

pub mod sender;

const SEED: u64 = 7;
const SENDER: &str = "platform";
const RECEIVER: &str = "hotline";

/// One receiver and one sender process for one case.
pub fn run(case: &Case, directory: &Path) -> anyhow::Result<Figures> {
    let directory = tempfile::tempdir_in(directory)?;
    let path = directory
        .path()
        .to_str()
        .context("a path that is not text")?;
    let case = case.to_argument();
    let scene = Scene::new()?.to_argument();
    let mut receiver = Role::start("real-receiver", &[&scene, path])?;
    receiver.line()?;
    let pid = receiver.0.id().to_string();
    let mut sender = Role::start("real-sender", &[&case, &scene, path, &pid])?;
    Figures::from_line(&sender.line()?)
}

/// Runs the recipient's node until the parent goes.
pub fn receiver(scene: &str, directory: &Path) -> anyhow::Result<()> {
    measure::end_with_parent();
    let scene = Scene::from_argument(scene)?;
    runtime()?.block_on(async {
        let node = scene.start(RECEIVER, directory).await?;
        println!("ready");
        node.failed().await;
        anyhow::bail!("the receiving node's storage failed")
    })
}

/// What both processes must agree on.
#[derive(Debug, Clone, Copy)]
struct Scene {
    now_ms: u64,
    ports: [u16; 2],
}

impl Scene {
    fn new() -> anyhow::Result<Self> {
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

    fn to_argument(self) -> String {
        format!("{}/{}/{}", self.now_ms, self.ports[0], self.ports[1])
    }

    fn from_argument(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.split('/');
        let mut part = || parts.next().context("a scene is NOW_MS/PORT/PORT");
        Ok(Self {
            now_ms: part()?.parse()?,
            ports: [part()?.parse()?, part()?.parse()?],
        })
    }

    fn federation(&self) -> Federation {
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

    async fn start(&self, id: &str, directory: &Path) -> anyhow::Result<Node> {
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
}

fn free_port() -> anyhow::Result<UdpSocket> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_io().enable_time().build()?)
}
