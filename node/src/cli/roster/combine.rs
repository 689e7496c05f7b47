//! `frex roster combine`: the signatures of several holders put a roster in force.

use std::path::PathBuf;

use clap::Args;
use frex_client::environment::Clock;
use frex_proto::roster::Roster;
use serde_json::json;

use super::{Reading, read_proposal, refused};
use crate::cli::{
    ceremony::{self, Quorum},
    failure::{Done, PARTIAL},
    files, fingerprint, output,
};

/// `frex roster combine`.
#[derive(Debug, Args)]
pub struct RosterCombineArgs {
    /// The proposal
    pub file: PathBuf,
    /// Signature files of holders
    #[arg(value_name = "SIG", required = true)]
    pub signatures: Vec<PathBuf>,
    /// The root you have pinned
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// Your own copy of the roster in force, unless this is the first
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// Where to write the roster when enough have signed
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Puts signatures together; writes the roster when the quorum is there. Spec: ROS-3, ROS-30.
pub fn combine(args: &RosterCombineArgs, json: bool) -> Done {
    let reading = read_proposal(&args.file, &args.root, args.previous.as_deref())?;
    let proposal = &reading.proposal;
    let quorums = [Quorum::of_roster(proposal.contents().root())];
    let collection = ceremony::collect(proposal.signed(), &args.signatures, &quorums)?;
    let complete = ceremony::missing(&collection, &quorums) == 0;
    if complete {
        let bundle = proposal.completed(collection.signed());
        Roster::judge(&bundle, &reading.anchor, Clock::System.now_ms())
            .map_err(|error| refused(&args.file, error))?;
        files::replace(&args.out, &bundle)?;
    }
    if json {
        output::document(json!({
            "complete": complete, "file": complete.then_some(&args.out),
            "version": proposal.contents().version(), "sha256": hex::encode(proposal.sha256()),
            "fingerprint": fingerprint::of(proposal.sha256()),
            "quorums": ceremony::to_json(&collection, &quorums),
        }));
    } else {
        ceremony::print(&collection, &quorums);
        next(args, &reading, complete);
    }
    Ok(if complete { 0 } else { PARTIAL })
}

fn next(args: &RosterCombineArgs, reading: &Reading, complete: bool) {
    let (root, out) = (args.root.display(), args.out.display());
    if !complete {
        output::data("not written  the roster needs more signatures");
        output::data("Next, another holder, and then this command with every signature file:");
        return output::data(format_args!(
            "  frex roster sign {} --root {root}{} --key DIR/roster.key",
            args.file.display(),
            super::previous_option(args.previous.as_deref())
        ));
    }
    let roster = reading.proposal.contents();
    output::data(format_args!(
        "wrote        {out}   version {}   {} members   {} nodes",
        roster.version(),
        roster.members().len(),
        roster.nodes().len()
    ));
    output::data(match roster.version() {
        1 => "Anybody may pass it on. Next, on every member's machine:",
        _ => "Next, at one member whose node runs; it reaches all others from there:",
    });
    output::data(format_args!(
        "  frex roster install {out} --root {root} DIR"
    ));
}
