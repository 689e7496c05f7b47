//! The real path: a client and its home node in the sending process, the recipient's node in the
//! receiving one, as operators run them.
//!
//! An envelope counts when its ACCEPTED receipt is verified and durable in the home node and has
//! reached the client, which has by then also been told SUBMITTED. Nobody reads the inbox.

use std::path::Path;

use anyhow::Context;
use frex_tests::bench::{
    roles::{self, Role},
    scene::{RECEIVER, Scene, runtime},
};

use crate::case::{Case, Figures};

pub mod sender;

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
    roles::end_with_parent();
    let scene = Scene::from_argument(scene)?;
    runtime()?.block_on(async {
        let node = scene.start(RECEIVER, directory).await?;
        println!("ready");
        node.failed().await;
        anyhow::bail!("the receiving node's storage failed")
    })
}
