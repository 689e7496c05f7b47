//! `frex key rotate witness`: the key by which a node cosigns, and the card that has it listed.
//!
//! No overlap: who asks counts by the key that the roster lists then. So the node goes on with the key
//! it has, or with none, until the roster lists the other one and the node is started again. What the
//! key before has cosigned keeps its worth: the roster keeps it with its end. Spec: WIT-24.

use std::path::PathBuf;

use clap::Args;
use frex_client::{environment::Clock, keys::rotation::KeyUse};
use frex_proto::{id::KeyId, keys::VerifyingKey};
use serde_json::json;

use super::own_node::{Next, OwnNode};
use crate::cli::{failure::Done, files, output};

/// `frex key rotate witness`.
#[derive(Debug, Args)]
pub struct RotateWitnessArgs {
    /// Give the next key an ML-DSA-44 companion: what it signs is signed by both; a key that has one is
    /// followed by one that has
    #[arg(long)]
    pub post_quantum: bool,
    /// The folder that `frex init` made, with the node in it
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Makes the next witness key and writes the card that names it. Spec: CLI-33.
pub fn rotate(args: &RotateWitnessArgs, json: bool) -> Done {
    let now_ms = Clock::System.now_ms();
    let mut node = OwnNode::open(&args.dir, now_ms)?;
    let in_force = node.listed.witness_key.as_ref().map(VerifyingKey::key_id);
    let next = node.keys.next(KeyUse::Witness).map(|record| record.key_id);
    if let Some(next) = next.filter(|next| in_force == Some(*next)) {
        listed(args, &node, next, json);
        return Ok(0);
    }
    let path = args.dir.join(format!("{}.card", node.listed.operator));
    let former = node.listed.witness_key.as_ref();
    let pair = args.post_quantum || former.is_some_and(|key| key.companion().is_some());
    node.check_card(KeyUse::Witness, pair, now_ms)?;
    let (next, made) = node.next_key(KeyUse::Witness, pair, now_ms)?;
    files::replace(&path, &node.card(KeyUse::Witness, &next, now_ms)?)?;
    let waiting = Next {
        usage: KeyUse::Witness,
        key: &next,
        made,
        card: &path,
        until: match node.listed.witness_key {
            Some(_) => "Until then the node cosigns with its present key. Next, with their roster:",
            None => "Until then the node cosigns nothing. Next, when you have their roster:",
        },
    };
    node.report(&args.dir, &waiting, json);
    Ok(0)
}

/// The governance has done its part.
fn listed(args: &RotateWitnessArgs, node: &OwnNode, key: KeyId, json: bool) {
    let version = node.roster.version();
    if json {
        return output::document(json!({
            "state": "listed", "node": node.config.node, "key_id": key.to_string(),
            "roster_version": version,
        }));
    }
    output::data(format_args!(
        "listed       by roster version {version}: {key}"
    ));
    output::data("Next: stop the node and start it again, which takes up the key:");
    output::data(format_args!("  frex run {}", args.dir.display()));
}
