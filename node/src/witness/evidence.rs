//! Two histories of one log, kept as files that any C2SP tool reads: each proves the other's signer a
//! liar. Spec: WIT-10.

use std::{io, path::PathBuf};

use frex_client::membership::store::EVIDENCE_DIR;
use frex_proto::label;

use crate::{disk, ledger::records::SeenLog, shared::Shared};

/// What the names of these files end with.
pub const CHECKPOINT: &str = "checkpoint";

/// Names of the two checkpoints, without what they end with. One pair proves all that another would.
#[must_use]
pub fn names(origin: &str) -> [String; 2] {
    let hash = label::sha256(&[origin.as_bytes()]);
    ["1", "2"].map(|number| format!("fork-{}-{number}", hex::encode(&hash[..8])))
}

/// Keeps what a log signed against itself, unless it is kept already.
///
/// # Errors
/// Whatever the disk says; the journal holds it too.
pub fn keep(shared: &Shared, seen: &SeenLog) -> io::Result<()> {
    let folder = shared.data.join(EVIDENCE_DIR);
    let disk = shared.disk.as_ref();
    let paths = names(&seen.origin).map(|name| folder.join(format!("{name}.{CHECKPOINT}")));
    let is_kept = |path: &PathBuf| disk.open(path, false).and_then(|file| file.len()).is_ok();
    if paths.iter().all(is_kept) {
        return Ok(());
    }
    disk::create_dir_durable(disk, &folder)?;
    for (path, note) in paths.iter().zip([&seen.checkpoint, &seen.contradicts]) {
        disk::replace(disk, path, note)?;
    }
    Ok(())
}
