//! `frex roster verify`: each check by name, then the verdict. Asks nobody. Spec: CLI-4.

use std::path::{Path, PathBuf};

use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    roster::{Fault, Part, Roster, RosterError, TrustAnchor, succession::fork},
};
use serde_json::{Value, json};

use super::{judge_even_expired, read_bundle, read_root, refused};
use crate::cli::{
    failure::{Done, Failure},
    output,
    time::rfc3339,
};

/// `frex roster verify`.
#[derive(Debug, Args)]
pub struct RosterVerifyArgs {
    /// Rosters; two or more are also compared with each other
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The root you have pinned
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// The roster that they must follow
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
}

/// What is checked, in this order; a fault stops it.
const STEPS: [&str; 8] = [
    "file is a roster file within its limits",
    "roots lead from the pinned one to the one in force",
    "root in force has not ended",
    "roster is signed by its quorum",
    "roster is of this federation and root, in its time",
    "members and nodes are well formed, their keys sound and used once",
    "documents are signed by their members",
    "freshness statement is by a holder and about this roster",
];

/// A check: its name, its outcome, and why it failed.
struct Row(String, &'static str, Option<String>);

struct Finding {
    file: String,
    rows: Vec<Row>,
    code: Option<WireCode>,
}

/// Verifies rosters.
pub fn verify(args: &RosterVerifyArgs, json: bool) -> Done {
    let (_, anchor) = read_root(&args.root)?;
    let previous = args.previous.as_deref();
    let held = previous.map(|path| {
        let judged = judge_even_expired(&read_bundle(path)?, &anchor, None);
        judged.map_err(|error| refused(path, error))
    });
    let held = held.transpose()?.map(|judged| judged.roster);
    let mut findings = Vec::new();
    let mut bundles = Vec::new();
    for file in &args.files {
        let bundle = read_bundle(file)?;
        findings.push(examine(file, &bundle, &anchor, held.as_ref()));
        bundles.push(bundle);
    }
    let forks = forks(&args.files, &bundles, &anchor);
    let failed = findings
        .iter()
        .filter(|finding| finding.code.is_some())
        .count();
    if json {
        output::document(json!({
            "verified": failed == 0 && forks.is_empty(), "forks": forks,
            "rosters": findings.iter().map(to_json).collect::<Vec<_>>(),
        }));
    } else {
        findings.iter().for_each(print);
        forks.iter().for_each(print_fork);
        let verdict = match failed == 0 && forks.is_empty() {
            true => output::good("VERIFIED"),
            false => output::bad("FAILED"),
        };
        output::data(verdict);
    }
    conclude(&findings, &forks, failed)
}

fn examine(file: &Path, bundle: &[u8], anchor: &TrustAnchor, held: Option<&Roster>) -> Finding {
    let mut finding = Finding {
        file: file.display().to_string(),
        rows: Vec::new(),
        code: None,
    };
    let now_ms = Clock::System.now_ms();
    let judged = Roster::judge(bundle, anchor, now_ms);
    let stop = judged.as_ref().err().map(|error| step_of(*error));
    for (place, name) in STEPS.iter().enumerate() {
        let row = match (&judged, stop) {
            (Ok(roster), _) => Row(
                detail(place, name, roster, now_ms),
                outcome(place, roster),
                None,
            ),
            (Err(error), Some(stop)) if stop == place => {
                finding.code = Some((*error).into());
                Row((*name).to_owned(), "failed", Some(error.to_string()))
            }
            (_, Some(stop)) if place < stop => Row((*name).to_owned(), "ok", None),
            _ => Row((*name).to_owned(), "not reached", None),
        };
        finding.rows.push(row);
    }
    if let (Ok(roster), Some(held)) = (&judged, held) {
        let name = format!("it may follow version {}", held.version());
        let row = match roster.succeeds(held) {
            Ok(_) => Row(name, "ok", None),
            Err(error) => {
                finding.code = Some(error.into());
                Row(name, "failed", Some(error.to_string()))
            }
        };
        finding.rows.push(row);
    }
    finding
}

/// The check that an error of judging belongs to.
fn step_of(error: RosterError) -> usize {
    match (error.part, error.fault) {
        (Part::Bundle, _) => 0,
        (Part::Root, Fault::Expired) => 2,
        (Part::Root, _) => 1,
        (
            Part::Roster,
            Fault::TooFewSignatures
            | Fault::BadSignature
            | Fault::HalfSigned
            | Fault::WrongType
            | Fault::Malformed,
        ) => 3,
        (Part::Roster, _) => 4,
        (Part::MemberDoc(_), _) => 6,
        (Part::Freshness, _) => 7,
        _ => 5,
    }
}

fn outcome(place: usize, roster: &Roster) -> &'static str {
    match (place, roster.freshness()) {
        (7, None) => "not there",
        _ => "ok",
    }
}

/// The check's name with what was found.
fn detail(place: usize, name: &str, roster: &Roster, now_ms: u64) -> String {
    let root = roster.root();
    let found = match place {
        1 => {
            let versions = roster.root_chain().iter();
            let versions: Vec<String> = versions.map(|root| root.version.to_string()).collect();
            format!("version {}", versions.join(" -> "))
        }
        2 => format!("until {}", rfc3339(root.expires_ms)),
        3 => format!(
            "{} of {} keys needed",
            root.roster_threshold,
            root.roster_keys.len()
        ),
        4 => format!(
            "version {}, until {}",
            roster.version(),
            rfc3339(roster.expires_ms())
        ),
        5 => format!(
            "{} members, {} nodes",
            roster.members().len(),
            roster.nodes().len()
        ),
        7 => super::fresh(roster, now_ms),
        _ => return name.to_owned(),
    };
    format!("{name}: {found}")
}

/// Pairs of files that are two rosters of one version. Spec: ROS-32.
fn forks(files: &[PathBuf], bundles: &[Vec<u8>], anchor: &TrustAnchor) -> Vec<Value> {
    let mut found = Vec::new();
    for (place, one) in bundles.iter().enumerate() {
        for (other_place, other) in bundles.iter().enumerate().skip(place + 1) {
            // One that never was a sound roster is no evidence; its own checks say so.
            if let Ok(Some(fork)) = fork(one, other, anchor) {
                let keys: Vec<String> = fork.signed_both.iter().map(ToString::to_string).collect();
                found.push(json!({
                    "version": fork.version, "files": [&files[place], &files[other_place]],
                    "sha256": fork.sha256.map(hex::encode), "keys_that_signed_both": keys,
                }));
            }
        }
    }
    found
}

fn conclude(findings: &[Finding], forks: &[Value], failed: usize) -> Done {
    let first = findings.iter().find(|finding| finding.code.is_some());
    if let Some(finding) = first {
        let why = finding.rows.iter().find_map(|Row(_, _, why)| why.clone());
        let code = finding.code.unwrap_or(WireCode::BadRoster);
        let what = format!("{failed} of {} rosters failed verification", findings.len());
        return Err(Failure::new(code, what).cause(why.unwrap_or_default()));
    }
    if !forks.is_empty() {
        return Err(Failure::new(WireCode::BadRoster, "two rosters of one version exist")
            .cause("each is signed by a quorum, and they say different things")
            .advise("Keep both files: they are evidence against the keys named above. Tell every member"));
    }
    Ok(0)
}

fn to_json(finding: &Finding) -> Value {
    let rows = finding.rows.iter();
    let checks: Vec<Value> = rows
        .map(|Row(name, outcome, why)| json!({ "name": name, "outcome": outcome, "why": why }))
        .collect();
    json!({ "file": finding.file, "verified": finding.code.is_none(), "checks": checks })
}

fn print(finding: &Finding) {
    output::data(&finding.file);
    output::data("  checks performed:");
    for Row(name, outcome, why) in &finding.rows {
        output::data(format_args!("    {outcome:<12} {name}"));
        if let Some(why) = why {
            output::data(format_args!("                 {why}"));
        }
    }
}

fn print_fork(fork: &Value) {
    let list = |field: &str| {
        let entries = fork[field].as_array().into_iter().flatten();
        entries
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join("  ")
    };
    output::data(format_args!(
        "FORK: two rosters of version {}",
        fork["version"]
    ));
    output::data(format_args!("  files             {}", list("files")));
    output::data(format_args!(
        "  keys on both      {}",
        list("keys_that_signed_both")
    ));
}
