//! The node that a command speaks to: the one that runs, or the own one, started for as long as the
//! command takes. It is started whole, so that it signs nothing before it has asked what others have
//! seen of its log.

use std::{path::Path, time::Duration};

use frex_client::{
    client::Client,
    environment::{Clock, Environment},
    keys::MemberHome,
};

use crate::{
    cli::{
        failure::{Failure, OrFail},
        files, member, passphrase, run,
    },
    home::{CONFIG_FILE, DirLock, NodeHome, NodeHomeError},
    node::Node,
};

const PATIENCE: Duration = Duration::from_secs(10);

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
            Ok(folder) => start(&folder, home).await?,
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

    /// Ends the session, and the node if it was started for it.
    pub async fn end(self) {
        self.client.close().await;
        if let Some((node, _lock)) = self.node {
            node.shutdown().await;
        }
    }
}

/// Starts the node in a folder; nothing if it runs, or is not the member's.
async fn start(folder: &Path, home: &MemberHome) -> Result<Option<(Node, DirLock)>, Failure> {
    let lock = match DirLock::take(folder) {
        Ok(lock) => lock,
        Err(NodeHomeError::Locked { .. }) => return Ok(None),
        Err(error) => return Err(error).or_fail("the node's folder cannot be used"),
    };
    let now_ms = Clock::System.now_ms();
    let opened = NodeHome::open(folder, now_ms, &passphrase::unlock());
    let opened = opened.or_fail("the node cannot be opened")?;
    if opened.config.node != home.settings().home_node {
        return Ok(None);
    }
    let (parts, suspensions) = run::parts(opened, Environment::default())?;
    let started = Node::start(parts, &mut |_, _| {}).await;
    let node = started.map_err(|error| run::not_started(&error, folder))?;
    node.suspensions().replace(suspensions);
    Ok(Some((node, lock)))
}
