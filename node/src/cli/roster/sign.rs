//! `frex roster sign`: one holder's signature on a proposal, in a file of its own.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Reading, read_proposal, words};
use crate::cli::{
    ceremony::{
        self, Quorum,
        signed::{self, Signing},
    },
    change::Change,
    failure::Done,
    fingerprint, output,
};

/// `frex roster sign`.
#[derive(Debug, Args)]
pub struct RosterSignArgs {
    /// The proposal
    pub file: PathBuf,
    /// The root you have pinned
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// Your own copy of the roster in force, unless this is the first
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// A holder's roster key; repeat for each
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// Where to write the signature [default: beside the proposal, with the holder's name]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Sign although a key has signed another proposal of this version, which was given up
    #[arg(long)]
    pub instead: bool,
}

/// Shows what the proposal changes, then signs it. Spec: ROS-29, ROS-30.
pub fn sign(args: &RosterSignArgs, json: bool) -> Done {
    let Reading { proposal, held, .. } =
        read_proposal(&args.file, &args.root, args.previous.as_deref())?;
    let quorum = Quorum::of_roster(proposal.contents().root());
    let keys = ceremony::read_keys(&args.keys, &[quorum], "roster.key")?;
    let held = held.as_ref().map(|judged| &judged.roster);
    let changes = words::changes(held, proposal.contents());
    if !json {
        super::announce(&proposal, held, &changes);
    }
    let signing = Signing {
        what: "roster",
        version: proposal.contents().version(),
        sha256: proposal.sha256(),
        instead: args.instead,
    };
    signed::note(&args.keys, &signing)?;
    let out = args.out.as_deref();
    let path = ceremony::write_signatures(proposal.signed(), &keys, &args.file, out)?;
    let names: Vec<&str> = keys.iter().map(|(_, name)| name.as_str()).collect();
    if json {
        output::document(json!({
            "signature": path, "signed_by": names, "version": proposal.contents().version(),
            "fingerprint": fingerprint::of(proposal.sha256()),
            "changes": changes.iter().map(Change::to_json).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    output::data(format_args!(
        "signed       by {}",
        output::clean(&names.join(", "))
    ));
    output::data(format_args!("wrote        {}", path.display()));
    output::data("Compare the fingerprint with the other holders before you hand the file over.");
    output::data("Next, whoever coordinates, with the signatures of all:");
    output::data(format_args!(
        "  frex roster combine {} {} SIG… --root {}{} --out {}",
        args.file.display(),
        path.display(),
        args.root.display(),
        super::previous_option(args.previous.as_deref()),
        if args.previous.is_some() {
            "next.frex"
        } else {
            "roster.frex"
        }
    ));
    Ok(0)
}
