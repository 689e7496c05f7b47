//! `frex federation propose`: the first root, or the next one, for its holders to sign.

use std::{collections::BTreeSet, path::PathBuf};

use bytes::Bytes;
use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    limits,
    roster::{
        Root, RosterError,
        build::{self, RootDraft},
        ceremony::Holder,
    },
};
use serde_json::json;

use super::{changes, read_root_in_force};
use crate::cli::{
    change,
    failure::{Done, Failure, OrFail},
    files, fingerprint, output,
    time::Span,
};

/// `frex federation propose`.
#[derive(Debug, Args)]
pub struct FederationProposeArgs {
    /// Name of a new federation
    #[arg(
        long,
        value_name = "FED",
        required_unless_present = "root",
        conflicts_with = "root"
    )]
    pub name: Option<String>,
    /// The root in force, for a change of it
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// How many holders must agree [default: as in the root in force]
    #[arg(long, value_name = "K", required_unless_present = "root")]
    pub threshold: Option<u32>,
    /// A holder who is to go, by name; repeat for each
    #[arg(long, value_name = "NAME", requires = "root")]
    pub remove: Vec<String>,
    /// Life of the root
    #[arg(long, default_value = "1825d")]
    pub expires: Span,
    /// Cards of holders to add; one of a name that is listed replaces that holder's keys
    #[arg(value_name = "HOLDER-CARD")]
    pub cards: Vec<PathBuf>,
    /// Where to write the proposal
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// A holder of the root to be.
struct Seat {
    name: String,
    root_key: VerifyingKey,
    roster_key: VerifyingKey,
}

/// Writes a root that nobody has signed yet.
pub fn propose(args: &FederationProposeArgs, json: bool) -> Done {
    let old = args.root.as_deref().map(read_root_in_force).transpose()?;
    let old = old.map(|(_, root)| root);
    let federation = match (&old, &args.name) {
        (Some(root), _) => root.federation.clone(),
        (None, name) => name.clone().unwrap_or_default(),
    };
    let seats = seats(args, old.as_ref(), &federation)?;
    let threshold = |kept: fn(&Root) -> usize| {
        let kept = old.as_ref().map_or(0, kept);
        args.threshold.unwrap_or(u32::try_from(kept).unwrap_or(0))
    };
    let keys =
        |pick: fn(&Seat) -> &VerifyingKey| seats.iter().map(pick).cloned().collect::<Vec<_>>();
    let mut root = build::root(&RootDraft {
        federation: &federation,
        version: old
            .as_ref()
            .map_or(1, |root| root.version.saturating_add(1)),
        expires_ms: Clock::System.now_ms().saturating_add(args.expires.as_ms()),
        root_keys: &keys(|seat| &seat.root_key),
        root_threshold: threshold(|root| root.root_threshold),
        roster_keys: &keys(|seat| &seat.roster_key),
        roster_threshold: threshold(|root| root.roster_threshold),
    });
    root.holders = seats.iter().map(|seat| seat.name.clone()).collect();
    let proposal = build::sign_root(&root, &[]).or_fail("the proposal cannot be written")?;
    let judged = judge(&proposal, old.as_ref())
        .or_fail("this would be no sound root, so nothing was written")?;
    if !json {
        super::announce(&judged, old.as_ref());
    }
    files::replace(&args.out, &proposal)?;
    report(args, &judged, old.as_ref(), json);
    Ok(0)
}

fn judge(proposal: &Bytes, old: Option<&Root>) -> Result<Root, RosterError> {
    let root = Root::read_proposal(proposal)?;
    if let Some(old) = old {
        old.check_follower(&root)?;
    }
    Ok(root)
}

fn seats(
    args: &FederationProposeArgs,
    old: Option<&Root>,
    federation: &str,
) -> Result<Vec<Seat>, Failure> {
    let mut seats = old.map(seats_of).unwrap_or_default();
    for name in &args.remove {
        let count = seats.len();
        seats.retain(|seat| seat.name != *name);
        if seats.len() == count {
            let what = format!("nobody called {name:?} holds a key");
            return Err(Failure::new(WireCode::BadInput, what)
                .advise("List the holders with: frex federation show ROOT"));
        }
    }
    let mut named = BTreeSet::new();
    for path in &args.cards {
        let bytes = files::read(path, limits::SIGNED_BYTES_MAX)?;
        let holder = Holder::judge(&bytes, federation).or_fail(format_args!(
            "{} is no card of a holder of {federation}",
            path.display()
        ))?;
        if !named.insert(holder.name.clone()) {
            let what = format!("{} is a second card of {:?}", path.display(), holder.name);
            return Err(Failure::new(WireCode::BadInput, what)
                .cause("holders are told apart by their names")
                .advise("Leave one of the two cards out, or have it made under another name"));
        }
        let seat = Seat {
            name: holder.name,
            root_key: holder.root_key,
            roster_key: holder.roster_key,
        };
        match seats.iter_mut().find(|listed| listed.name == seat.name) {
            Some(listed) => *listed = seat,
            None => seats.push(seat),
        }
    }
    Ok(seats)
}

fn seats_of(root: &Root) -> Vec<Seat> {
    let pairs = root.root_keys.iter().zip(&root.roster_keys).enumerate();
    pairs
        .map(|(place, (root_key, roster_key))| Seat {
            name: root.holder(place),
            root_key: root_key.key.clone(),
            roster_key: roster_key.key.clone(),
        })
        .collect()
}

fn report(args: &FederationProposeArgs, root: &Root, old: Option<&Root>, json: bool) {
    let (out, print) = (args.out.display(), fingerprint::of(&root.sha256));
    if json {
        return output::document(json!({
            "file": args.out, "federation": root.federation, "version": root.version,
            "fingerprint": print, "holders": root.holders, "threshold": root.root_threshold,
            "changes": changes(root, old).iter().map(change::Change::to_json).collect::<Vec<_>>(),
        }));
    }
    output::data(format_args!("wrote        {out}   for its holders to sign"));
    output::data("Next, each holder on their own machine, with this file:");
    let with_root = match &args.root {
        Some(path) => format!(" --root {}", path.display()),
        None => String::new(),
    };
    output::data(format_args!(
        "  frex federation sign {out} --key DIR/root.key{with_root}"
    ));
}
