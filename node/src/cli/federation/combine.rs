//! `frex federation combine`: the signatures of several holders become a root.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{quorums, read_proposal};
use crate::cli::{
    ceremony,
    failure::{Done, PARTIAL},
    fingerprint, output,
};

/// `frex federation combine`.
#[derive(Debug, Args)]
pub struct FederationCombineArgs {
    /// The proposal
    pub file: PathBuf,
    /// Signature files of holders
    #[arg(value_name = "SIG", required = true)]
    pub signatures: Vec<PathBuf>,
    /// The root in force, for a change of it
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// Where to write the root when enough have signed; never over another file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Puts signatures together; writes the root when every quorum is there. Spec: ROS-22, ROS-30.
pub fn combine(args: &FederationCombineArgs, json: bool) -> Done {
    let (signed, root, old) = read_proposal(&args.file, args.root.as_deref())?;
    let quorums = quorums(&root, old.as_ref());
    let collection = ceremony::collect(&signed, &args.signatures, &quorums)?;
    let complete = ceremony::missing(&collection, &quorums) == 0;
    if complete {
        super::write_root(&args.out, collection.signed(), old.as_ref())?;
    }
    let print = fingerprint::of(&root.sha256);
    if json {
        output::document(json!({
            "complete": complete, "file": complete.then_some(&args.out), "version": root.version,
            "fingerprint": print, "quorums": ceremony::to_json(&collection, &quorums),
        }));
        return Ok(if complete { 0 } else { PARTIAL });
    }
    ceremony::print(&collection, &quorums);
    if !complete {
        output::data("not written  the root needs more signatures");
        output::data("Next, another holder, and then this command with every signature file:");
        output::data(format_args!(
            "  frex federation sign {} --key DIR/root.key{}",
            args.file.display(),
            args.root
                .as_ref()
                .map_or(String::new(), |path| format!(" --root {}", path.display())),
        ));
        return Ok(PARTIAL);
    }
    output::data(format_args!("wrote        {}", args.out.display()));
    output::data(format_args!("fingerprint  {print}"));
    match &args.root {
        None => {
            output::data(
                "Give it to every holder and member; they compare the fingerprint by telephone.",
            );
            output::data("Next, with the cards of members:");
            output::data(format_args!(
                "  frex roster propose --root {} --out roster.proposal CARD…",
                args.out.display()
            ));
        }
        Some(old) => {
            output::data(
                "Members keep the root they pinned: the next roster carries this one to them.",
            );
            output::data("Next:");
            output::data(format_args!(
                "  frex roster propose --root {} --new-root {} --previous roster.frex --out roster.proposal",
                old.display(),
                args.out.display()
            ));
        }
    }
    Ok(0)
}
