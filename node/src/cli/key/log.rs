//! `frex key rotate log`: the log's next key, and the card by which the governance lists it.

use std::path::PathBuf;

use clap::Args;
use frex_client::{environment::Clock, keys::rotation::KeyUse};
use frex_proto::error::WireCode;
use serde_json::json;

use super::own_node::{Next, OwnNode};
use crate::cli::{
    failure::{Done, Failure},
    files, output,
    time::rfc3339,
};

/// `frex key rotate log`.
#[derive(Debug, Args)]
pub struct RotateLogArgs {
    /// Give the next key an ML-DSA-44 companion: what it signs is signed by both; a key that has one is
    /// followed by one that has
    #[arg(long)]
    pub post_quantum: bool,
    /// The folder that `frex init` made, with the node in it
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Makes the log's next key and writes the card that names it.
pub fn rotate(args: &RotateLogArgs, json: bool) -> Done {
    let now_ms = Clock::System.now_ms();
    let mut node = OwnNode::open(&args.dir, now_ms)?;
    let in_force = node.listed.log_key.key.key_id();
    if node.keys.next(KeyUse::Log).map(|record| record.key_id) == Some(in_force) {
        return listed(args, &node, json);
    }
    // Should the key in force be lost, one before it can still be followed by another.
    let active = node.public_key(&KeyUse::Log.active_file())?;
    if node.listed.listed_log_key(&active).is_none() {
        return Err(unlisted(args, &node));
    }
    let member = node.listed.operator.clone();
    let path = args.dir.join(format!("{member}.card"));
    // Whatever can be wrong with the card comes before the key: nothing is to be made in vain.
    let pair = args.post_quantum || node.listed.log_key.key.companion().is_some();
    node.check_card(KeyUse::Log, pair, now_ms)?;
    let (next, made) = node.next_key(KeyUse::Log, pair, now_ms)?;
    files::replace(&path, &node.card(KeyUse::Log, &next, now_ms)?)?;
    let waiting = Next {
        usage: KeyUse::Log,
        key: &next,
        made,
        card: &path,
        until: "Until then the log goes on under its present key. Next, when you have their roster:",
    };
    node.report(&args.dir, &waiting, json);
    Ok(0)
}

/// The governance has done its part.
fn listed(args: &RotateLogArgs, node: &OwnNode, json: bool) -> Done {
    let dir = args.dir.display();
    let former = node.listed.earlier_log_keys.first();
    let end_ms = former.and_then(|listed| listed.validity.not_after_ms);
    if json {
        output::document(json!({
            "state": "listed", "node": node.config.node, "key_id": node.listed.log_key.key.key_id().to_string(),
            "former_ends": end_ms.map(rfc3339),
        }));
        return Ok(0);
    }
    let version = node.roster.version();
    output::data(format_args!(
        "listed       by roster version {version}: {}",
        node.listed.log_key.key.key_id()
    ));
    if let Some(end_ms) = end_ms {
        output::data(format_args!(
            "until then   the present key signs, to {} at the latest",
            rfc3339(end_ms)
        ));
    }
    output::data("Next: stop the node and start it again, which takes up the key:");
    output::data(format_args!("  frex run {dir}"));
    Ok(0)
}

fn unlisted(args: &RotateLogArgs, node: &OwnNode) -> Failure {
    Failure::new(
        WireCode::NotTrusted,
        "log.key was never this log's, so nothing can follow it",
    )
    .cause("the roster lists other keys for this log")
    .advise(format!(
        "Restore {}/log.key from the backup of the keys, then: frex doctor {}",
        node.keys.dir().display(),
        args.dir.display()
    ))
}
