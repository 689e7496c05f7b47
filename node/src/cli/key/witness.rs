//! `frex key rotate witness`: the key by which a node cosigns, and the card that has it listed.
//!
//! No overlap, and no earlier keys: a cosignature is kept in the receipt that it was given for, and
//! a new one counts by the key that the roster lists then. So the node goes on with the key it has,
//! or with none, until the roster lists the other one and the node is started again.

use std::path::{Path, PathBuf};

use clap::Args;
use frex_client::{environment::Clock, keys::rotation::KeyUse};
use frex_proto::{id::KeyId, keys::VerifyingKey};
use serde_json::json;

use super::own_node::OwnNode;
use crate::cli::{failure::Done, files, output};

/// `frex key rotate witness`.
#[derive(Debug, Args)]
pub struct RotateWitnessArgs {
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
    node.check_card(KeyUse::Witness, now_ms)?;
    let (next, made) = node.next_key(KeyUse::Witness, now_ms)?;
    files::replace(&path, &node.card(KeyUse::Witness, &next, now_ms)?)?;
    report(args, &node, (next.key_id(), made), &path, json);
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

fn report(
    args: &RotateWitnessArgs,
    node: &OwnNode,
    (next, made): (KeyId, bool),
    card: &Path,
    json: bool,
) {
    let file = node.keys.dir().join(KeyUse::Witness.next_file());
    let log = node.keys.next(KeyUse::Log).map(|record| record.key_id);
    if json {
        return output::document(json!({
            "state": "next", "node": node.config.node, "file": file, "made": made,
            "key_id": next.to_string(), "card": card,
            "next_log_key": log.map(|key| key.to_string()),
        }));
    }
    let (dir, file, card) = (args.dir.display(), file.display(), card.display());
    match made {
        true => output::data(format_args!("made         {file}   the next witness key")),
        false => output::data(format_args!(
            "kept         {file}   made earlier, not listed yet"
        )),
    }
    output::data(format_args!("key          {next}"));
    output::data(format_args!("card         {card}"));
    if let Some(log) = log {
        output::data(format_args!("also in it   the log's next key, {log}"));
    }
    output::data("");
    let federation = node.roster.federation();
    output::data(format_args!(
        "Hand {card} to the governance of {federation}; read them the key by telephone. They:"
    ));
    output::data(format_args!(
        "  frex roster propose {}.card --root root.frex --previous roster.frex --out next.proposal",
        node.listed.operator
    ));
    output::data(match node.listed.witness_key {
        Some(_) => "Until then the node cosigns with its present key. Next, with their roster:",
        None => "Until then the node cosigns nothing. Next, when you have their roster:",
    });
    output::data(format_args!("  frex roster install roster.frex {dir}"));
    output::data("Then stop the node and start it again, which takes up the key:");
    output::data(format_args!("  frex run {dir}"));
}
