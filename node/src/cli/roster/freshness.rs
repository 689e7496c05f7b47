//! `frex roster freshness`: a holder states that a roster is the newest there is.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    limits,
    roster::{Roster, build},
    v1,
};
use prost::Message;
use serde_json::json;

use super::{read_bundle, read_root, refused};
use crate::cli::{
    ceremony::{self, Quorum},
    failure::{Done, Failure, OrCode, OrFail},
    files, output,
    time::{Span, rfc3339},
};

/// `frex roster freshness`.
#[derive(Debug, Args)]
pub struct RosterFreshnessArgs {
    /// The roster in force; the statement replaces an older one in it
    pub file: PathBuf,
    /// The root you have pinned
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// One holder's roster key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// How long nobody needs to ask again, at most 7 days
    #[arg(long = "for", value_name = "DURATION", default_value = "24h")]
    pub life: Span,
    /// Write the roster with the statement here, instead of in its place
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Puts a freshness statement into a roster's file. Spec: ROS-10, ROS-31.
pub fn freshness(args: &RosterFreshnessArgs, json: bool) -> Done {
    if args.life.as_ms() > limits::FRESHNESS_LIFE_MS_MAX {
        let what = "nobody vouches for a roster for longer than 7 days";
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("who holds an older roster would not notice a newer one for as long")
            .advise("--for 24h, and again before that is over"));
    }
    let (_, anchor) = read_root(&args.root)?;
    let bytes = read_bundle(&args.file)?;
    let now_ms = Clock::System.now_ms();
    let judge = |bytes: &[u8]| {
        Roster::judge(bytes, &anchor, now_ms).map_err(|error| refused(&args.file, error))
    };
    let roster = judge(&bytes)?;
    let quorum = Quorum::of_roster(roster.root());
    let keys = ceremony::read_keys(std::slice::from_ref(&args.key), &[quorum], "roster.key")?;
    let what = format!("{} is no roster", args.file.display());
    let mut bundle = v1::RosterBundle::decode(&bytes[..]).or_code(WireCode::BadRoster, &what)?;
    let until_ms = now_ms.saturating_add(args.life.as_ms());
    let stated = keys
        .first()
        .map(|(key, _)| build::freshness(&bundle.roster, now_ms, until_ms, key));
    let stated: Option<Bytes> = stated.transpose().or_fail("nothing is stated")?.flatten();
    bundle.freshness = stated.ok_or_else(|| Failure::new(WireCode::BadRoster, what))?;
    let bytes = bundle.encode_to_vec();
    let fresh = judge(&bytes)?;
    let out = args.out.as_ref().unwrap_or(&args.file);
    files::replace(out, &bytes)?;
    let by = keys
        .first()
        .map(|(_, name)| name.as_str())
        .unwrap_or_default();
    if json {
        output::document(json!({
            "file": out, "version": fresh.version(), "stated_by": by,
            "fresh_until": rfc3339(until_ms),
        }));
        return Ok(0);
    }
    output::data(format_args!(
        "stated       version {} is the newest until {}, says {}",
        fresh.version(),
        rfc3339(until_ms),
        output::clean(by)
    ));
    output::data(format_args!("wrote        {}", out.display()));
    output::data("Anybody may pass it on. Next, on every member's machine:");
    output::data(format_args!("  frex roster install {} DIR", out.display()));
    Ok(0)
}
