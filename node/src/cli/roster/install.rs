//! `frex roster install`: puts a roster in force for the member and its node.

use std::path::{Path, PathBuf};

use frex_client::{
    environment::Clock,
    keys::{MEMBER_FILE, ROOT_FILE, ROSTER_FILE},
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
        files, output,
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

/// Judges a roster and puts it in force; gives the folders and the roster's version.
pub fn put_in_force(
    dir: &Path,
    file: &Path,
    root: Option<&Path>,
) -> Result<(Vec<PathBuf>, u64), Failure> {
    let homes = homes(dir)?;
    let bundle = read_bundle(file)?;
    let given = root.map(read_root).transpose()?;
    let mut plans = Vec::new();
    for home in &homes {
        let (root, anchor) = trusted_root(home, given.as_ref())?;
        let roster = Roster::judge(&bundle, &anchor, Clock::System.now_ms())
            .map_err(|error| refused(file, error))?;
        check_newer(home, &anchor, &roster, file)?;
        plans.push((home, root, roster));
    }
    let mut version = 0;
    for (home, root, roster) in plans {
        if let Some(root) = root {
            files::replace(&home.join(ROOT_FILE), root)?;
        }
        files::replace(&home.join(ROSTER_FILE), &bundle)?;
        version = roster.version();
    }
    Ok((homes, version))
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
        Some((_, anchor)) if *anchor != pinned => {
            let error = RosterError {
                part: Part::Root,
                fault: Fault::WrongRoot,
            };
            Err(refused(&path, error))
        }
        _ => Ok((None, pinned)),
    }
}

fn check_newer(
    home: &Path,
    anchor: &TrustAnchor,
    roster: &Roster,
    file: &Path,
) -> Result<(), Failure> {
    let path = home.join(ROSTER_FILE);
    if !path.exists() {
        return Ok(());
    }
    let held = judge_even_expired(&read_bundle(&path)?, anchor, None)
        .map_err(|error| refused(&path, error))?;
    roster
        .is_newer_than(held.roster.reference())
        .map_err(|error| refused(file, error))?;
    Ok(())
}

fn report(dir: &Path, homes: &[PathBuf], version: u64, json: bool) {
    if json {
        return output::document(json!({ "version": version, "installed": homes }));
    }
    for home in homes {
        output::data(format_args!(
            "installed  roster version {version} in {}",
            home.display()
        ));
    }
    output::data("Next (a node that runs takes the new roster when it is started again):");
    output::data(format_args!("  frex run {}", dir.display()));
}
