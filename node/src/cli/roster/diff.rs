//! `frex roster diff`: what one roster changes in another.

use std::path::PathBuf;

use clap::Args;
use frex_client::environment::Clock;
use frex_proto::roster::{Fault, Part, Proposal, Roster, RosterError, TrustAnchor};
use serde_json::json;

use super::{judge_even_expired, read_bundle, read_root, refused, words};
use crate::cli::{
    change::{self, Change},
    failure::{Done, Failure},
    output,
};

/// `frex roster diff`.
#[derive(Debug, Args)]
pub struct RosterDiffArgs {
    /// The older roster
    pub old: PathBuf,
    /// The newer roster, or a proposal
    pub new: PathBuf,
    /// The root you have pinned
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
}

/// Lists the changes, and whether the newer one may follow.
pub fn diff(args: &RosterDiffArgs, json: bool) -> Done {
    let (_, anchor) = read_root(&args.root)?;
    let (old, _) = read(&args.old, &anchor)?;
    let (new, is_proposal) = read(&args.new, &anchor)?;
    let changes = words::changes(Some(&old), &new);
    let follows = new.succeeds(&old);
    if json {
        output::document(json!({
            "old": old.version(), "new": new.version(), "proposal": is_proposal,
            "changes": changes.iter().map(Change::to_json).collect::<Vec<_>>(),
            "follows": follows.is_ok(), "why_not": follows.err().map(|error| error.to_string()),
        }));
        return Ok(0);
    }
    let what = if is_proposal { "proposal, " } else { "" };
    output::data(format_args!(
        "{what}version {} -> {}",
        old.version(),
        new.version()
    ));
    change::print(&changes);
    match follows {
        Ok(true) => output::data("The second may follow the first."),
        Ok(false) => output::data("They are the same roster."),
        Err(error) => output::data(format_args!(
            "The second may not follow the first: {error}."
        )),
    }
    Ok(0)
}

/// A roster, or what a proposal would be.
fn read(path: &std::path::Path, anchor: &TrustAnchor) -> Result<(Roster, bool), Failure> {
    let bundle = read_bundle(path)?;
    match judge_even_expired(&bundle, anchor, None) {
        Ok(judged) => Ok((judged.roster, false)),
        Err(RosterError {
            part: Part::Roster,
            fault: Fault::TooFewSignatures,
        }) => {
            let proposal = Proposal::judge(&bundle, anchor, Clock::System.now_ms())
                .map_err(|error| refused(path, error))?;
            Ok((proposal.contents().clone(), true))
        }
        Err(error) => Err(refused(path, error)),
    }
}
