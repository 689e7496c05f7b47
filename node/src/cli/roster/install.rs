//! `frex roster install`: puts a roster in force for the member and its node.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use frex_client::{
    environment::Clock,
    keys::{MEMBER_FILE, ROOT_FILE, ROSTER_FILE},
    membership::store::{EVIDENCE_DIR, evidence_name},
};
use frex_proto::{
    error::WireCode,
    roster::{Fault, Part, Roster, RosterError, TrustAnchor},
};
use serde_json::json;

use super::{judge_even_expired, read_bundle, read_root, refused};
use crate::{
    cli::{
        RosterInstallArgs,
        failure::{Done, Failure},
        files, fingerprint, output,
    },
    home::CONFIG_FILE,
};

/// Judges a roster and installs it wherever `dir` holds a member or a node.
///
/// Everything is judged before anything is written; each file is replaced whole. A crash between
/// two of them leaves homes with rosters that both verify, and the command can be repeated.
pub fn install(args: &RosterInstallArgs, json: bool) -> Done {
    let (homes, version) = put_in_force(&args.dir, &args.file, args.root.as_deref())?;
    report(&args.dir, &homes, version, json);
    Ok(0)
}

/// Judges a roster and puts it in force; gives the folders, whether each had something to gain,
/// and the roster's version.
pub fn put_in_force(
    dir: &Path,
    file: &Path,
    root: Option<&Path>,
) -> Result<(Vec<(PathBuf, bool)>, u64), Failure> {
    let homes = homes(dir)?;
    let bundle = read_bundle(file)?;
    let given = root.map(read_root).transpose()?;
    let mut plans = Vec::new();
    let mut holds = Vec::with_capacity(homes.len());
    for home in &homes {
        holds.push(files::hold(&home.join(ROSTER_FILE))?);
        let (root, anchor) = trusted_root(home, given.as_ref())?;
        let roster = Roster::judge(&bundle, &anchor, Clock::System.now_ms())
            .map_err(|error| refused(file, error))?;
        let wanted = wanted(home, &anchor, &roster, file)?;
        plans.push((home, root, roster, wanted));
    }
    let mut version = 0;
    let mut done = Vec::new();
    for (home, root, roster, wanted) in plans {
        if let Some(root) = root {
            files::replace(&home.join(ROOT_FILE), root)?;
        }
        if let Some(bytes) = &wanted {
            files::replace(&home.join(ROSTER_FILE), bytes)?;
        }
        version = roster.version();
        done.push((home.clone(), wanted.is_some()));
    }
    Ok((done, version))
}

fn homes(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let member = files::home(dir, "member", MEMBER_FILE);
    let node = files::home(dir, "node", CONFIG_FILE);
    match (member, node) {
        (Ok(member), Ok(node)) => Ok(vec![member, node]),
        (Ok(home), Err(_)) | (Err(_), Ok(home)) => Ok(vec![home]),
        (Err(failure), Err(_)) => Err(failure),
    }
}

/// The root pinned in `home`, or the one given, which is then to be written.
fn trusted_root<'a>(
    home: &Path,
    given: Option<&'a (Vec<u8>, TrustAnchor)>,
) -> Result<(Option<&'a [u8]>, TrustAnchor), Failure> {
    let path = home.join(ROOT_FILE);
    if !path.exists() {
        let (bytes, anchor) = given.ok_or_else(|| {
            Failure::new(WireCode::NotInitialised, "no root is pinned here yet")
                .advise("Add --root root.frex, got from the governance by a way you trust")
        })?;
        return Ok((Some(bytes), anchor.clone()));
    }
    let (_, pinned) = read_root(&path)?;
    match given {
        Some((_, anchor)) if *anchor != pinned => Err(other_root(&path, &pinned, anchor)),
        _ => Ok((None, pinned)),
    }
}

/// The root that was given is not the one that is pinned, which nobody said is wrong.
fn other_root(path: &Path, pinned: &TrustAnchor, given: &TrustAnchor) -> Failure {
    let error = RosterError {
        part: Part::Root,
        fault: Fault::WrongRoot,
    };
    let print = |anchor: &TrustAnchor| fingerprint::of(&anchor.root_sha256);
    let what = "the root that was given is not the one that is pinned here";
    Failure::new(error.into(), what)
        .cause(format!(
            "pinned in {} is that of {}, {}; given is that of {}, {}",
            path.display(),
            output::clean(&pinned.federation),
            print(pinned),
            output::clean(&given.federation),
            print(given)
        ))
        .advise("Where it came with --root, leave that out: the pinned root counts, and one that follows it comes with the roster. If the governance says by telephone that the pinned one is wrong, keep this folder and begin in a new one: frex init")
}

/// What is to be kept in place of the roster held: one that follows it, or the same, with the
/// newest documents and freshness of both; none if there is nothing newer. Spec: ROS-21, ROS-27,
/// ROS-31, ROS-33.
fn wanted(
    home: &Path,
    anchor: &TrustAnchor,
    roster: &Roster,
    file: &Path,
) -> Result<Option<Bytes>, Failure> {
    let path = home.join(ROSTER_FILE);
    if !path.exists() {
        return Ok(Some(roster.bytes().clone()));
    }
    let held = judge_even_expired(&read_bundle(&path)?, anchor, None)
        .map_err(|error| refused(&path, error))?;
    match roster.succeeds(&held.roster) {
        Ok(_) => {
            let merged = held
                .roster
                .merge(roster.bytes(), anchor, Clock::System.now_ms())
                .map_err(|error| refused(file, error))?;
            Ok(merged.map(|merged| merged.bytes().clone()))
        }
        Err(error) if error.fault == Fault::Forked => {
            let folder = keep_evidence(home, &[&held.roster, roster])?;
            Err(refused(file, error).advise(format!(
                "Keep the roster in force; both are kept in {}: send them to the governance and to other members",
                folder.display()
            )))
        }
        Err(error) if roster.version() < held.roster.version() => {
            let (theirs, ours) = (roster.version(), held.roster.version());
            let what = format!(
                "{} holds version {theirs}, and version {ours} is in force",
                file.display()
            );
            Err(Failure::new(error.into(), what)
                .cause("an older roster does not take the place of a newer one")
                .advise("Nothing to do: the newer one stays in force"))
        }
        Err(error) => Err(refused(file, error)),
    }
}

/// Keeps rosters that contradict each other. Spec: ROS-21.
fn keep_evidence(home: &Path, rosters: &[&Roster]) -> Result<PathBuf, Failure> {
    let folder = home.join(EVIDENCE_DIR);
    files::ensure_folder(&folder)?;
    for roster in rosters {
        files::replace(&folder.join(evidence_name(roster)), roster.bytes())?;
    }
    Ok(folder)
}

fn report(dir: &Path, homes: &[(PathBuf, bool)], version: u64, json: bool) {
    if json {
        let installed = homes.iter().filter(|(_, wanted)| *wanted);
        let installed: Vec<&PathBuf> = installed.map(|(home, _)| home).collect();
        return output::document(json!({ "version": version, "installed": installed }));
    }
    for (home, wanted) in homes {
        let home = home.display();
        match wanted {
            true => output::data(format_args!(
                "installed  roster version {version} in {home}"
            )),
            false => output::data(format_args!(
                "kept       roster version {version} in {home}: it is as new as the file, or newer"
            )),
        }
    }
    output::data("A node that runs takes it within a second and passes it on. If none runs here:");
    output::data(format_args!("  frex run {}", dir.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    // ROS-1: it is the root that was given that is not trusted, and both can be compared.
    #[test]
    fn a_root_that_is_not_the_pinned_one_is_told_from_it() {
        let anchor = |seed: u8| TrustAnchor {
            federation: "example".to_owned(),
            root_sha256: [seed; 32],
        };
        let (pinned, given) = (anchor(1), anchor(2));
        let failure = other_root(Path::new("police/member/root.frex"), &pinned, &given);
        assert_eq!(failure.code(), WireCode::BadRoster);
        let cause = failure.cause_text();
        let prints = [&pinned, &given].map(|anchor| fingerprint::of(&anchor.root_sha256));
        let (first, second) = (cause.find(&prints[0]), cause.find(&prints[1]));
        assert!(first.is_some() && first < second, "{cause}");
        assert!(format!("{failure:?}").contains("leave that out"));
    }
}
