//! Whether evidence is kept here: two rosters of one version, or two histories of one log.

use std::{fs, path::PathBuf};

use frex_client::{heads::CHECKPOINT, keys::ROOT_FILE, membership::store::EVIDENCE_DIR};
use frex_proto::error::WireCode;

use super::{Folder, Row};

/// Evidence stays until people have looked at it and put it elsewhere. Spec: ROS-21, DIS-2.
pub fn examine(folder: &Folder) -> Row {
    let check = folder.check("evidence");
    let evidence = folder.path.join(EVIDENCE_DIR);
    let is_fork = |path: &PathBuf| path.extension().is_some_and(|end| end == CHECKPOINT);
    let (forks, kept) = match fs::read_dir(&evidence) {
        Ok(entries) => {
            let paths = entries.flatten().map(|entry| entry.path());
            let (forks, kept): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(is_fork);
            (forks.len(), kept.len())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (0, 0),
        Err(error) => {
            let mend = format!("Look at {}", evidence.display());
            return Row::fail(check, WireCode::Files, error.to_string(), mend);
        }
    };
    if forks > 0 {
        let found = "a log has signed two histories".to_owned();
        let mend = format!(
            "See which: frex log evidence {}; show the governance and other members, then move the files away",
            folder.path.display()
        );
        return Row::fail(check, WireCode::Forked, found, mend);
    }
    if kept == 0 {
        return Row::ok(check, "no roster and no log contradicted itself");
    }
    let found = format!(
        "{kept} rosters that contradict each other are in {}",
        evidence.display()
    );
    let mend = format!(
        "See who signed both: frex roster verify {0}/*.frex --root {1}; show the governance and other members, then move them away",
        evidence.display(),
        folder.path.join(ROOT_FILE).display()
    );
    Row::fail(check, WireCode::BadRoster, found, mend)
}
