//! The node that a command speaks to: the one that runs, or the own one, started for as long as the
//! command takes. It is started whole, so that it signs nothing before it has asked what others have
//! seen of its log.

use std::{path::Path, time::Duration};

use frex_client::{
    client::Client,
    environment::{Clock, Environment},
    keys::MemberHome,
};
use frex_proto::error::WireCode;

use crate::{
    cli::{
        failure::{Failure, OrFail},
        files, member, passphrase, run,
    },
    home::{CONFIG_FILE, DirLock, NodeHome, NodeHomeError},
    node::{Node, StartError},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// How long a node that was not started here is waited for.
const RUNNING_PATIENCE: Duration = Duration::from_secs(3);

/// A client of the member, and the node behind it if it had to be started.
pub struct Serving {
    /// Speaks for the member.
    pub client: Client,
    node: Option<(Node, DirLock)>,
}

impl Serving {
    /// Reaches the member's home node.
    ///
    /// # Errors
    /// It does not start, or cannot be reached.
    pub async fn reach(dir: &Path, home: &MemberHome) -> Result<Self, Failure> {
        let node = match files::home(dir, "node", CONFIG_FILE) {
            Ok(folder) => start(dir, &folder, home).await?,
            // Another organisation's node serves this member.
            Err(_) => None,
        };
        let client = member::client(home, PATIENCE).await;
        match client {
            Ok(client) => Ok(Self { client, node }),
            Err(failure) => {
                if let Some((node, _lock)) = node {
                    node.shutdown().await;
                }
                Err(failure)
            }
        }
    }

    /// Reaches the member's home node where it runs, and starts nothing.
    ///
    /// # Errors
    /// The member's folder cannot be used.
    pub async fn running(home: &MemberHome) -> Result<Self, Failure> {
        let client = member::client(home, RUNNING_PATIENCE).await?;
        Ok(Self { client, node: None })
    }

    /// Ends the session, and the node if it was started for it.
    pub async fn end(self) {
        self.client.close().await;
        if let Some((node, _lock)) = self.node {
            node.shutdown().await;
        }
    }
}

/// Starts the node in a folder; nothing if it runs, or is not the member's.
async fn start(
    dir: &Path,
    folder: &Path,
    home: &MemberHome,
) -> Result<Option<(Node, DirLock)>, Failure> {
    let lock = match DirLock::take(folder) {
        Ok(lock) => lock,
        Err(NodeHomeError::Locked { .. }) => return Ok(None),
        Err(error) => return Err(error).or_fail("the node's folder cannot be used"),
    };
    // Before a passphrase is asked for: another member's node is not opened.
    let config = NodeHome::config(folder).or_fail("the node's settings cannot be read")?;
    if config.node != home.settings().home_node {
        return Ok(None);
    }
    let now_ms = Clock::System.now_ms();
    let opened = NodeHome::open(folder, now_ms, &passphrase::unlock());
    let opened = opened.map_err(|error| run::not_ready(dir, error))?;
    let (parts, suspensions) = run::parts(opened, Environment::default())?;
    let node = match Node::start(parts, &mut |_, _| {}).await {
        Ok(node) => node,
        // Its address is taken: it runs from another folder, and is the one to speak to.
        Err(StartError::Listen(_)) => return Ok(None),
        Err(error) => return Err(run::not_started(&error, folder)),
    };
    node.suspensions().replace(suspensions);
    Ok(Some((node, lock)))
}

/// Where the node would have to run: a stopped one of this folder is not started for this.
#[must_use]
pub fn not_running(failure: Failure, dir: &Path) -> Failure {
    let unreached = matches!(failure.code(), WireCode::Unreachable | WireCode::TimedOut);
    match unreached && files::home(dir, "node", CONFIG_FILE).is_ok() {
        true => failure.advise(format!(
            "Start the node, then give the same command again: frex run {}",
            dir.display()
        )),
        false => failure,
    }
}
