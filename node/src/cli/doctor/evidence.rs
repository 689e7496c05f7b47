//! Whether rosters that contradict each other are kept here: somebody signed two of one version.

use std::fs;

use frex_client::{keys::ROOT_FILE, membership::store::EVIDENCE_DIR};
use frex_proto::error::WireCode;

use super::{Folder, Row};

/// Evidence stays until people have looked at it and put it elsewhere. Spec: ROS-21, DIS-2.
pub fn examine(folder: &Folder) -> Row {
    let check = folder.check("evidence");
    let evidence = folder.path.join(EVIDENCE_DIR);
    let kept = match fs::read_dir(&evidence) {
        Ok(entries) => entries.count(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => {
            let mend = format!("Look at {}", evidence.display());
            return Row::fail(check, WireCode::Files, error.to_string(), mend);
        }
    };
    if kept == 0 {
        return Row::ok(check, "no roster contradicted another one");
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
