//! Two histories of one log, kept as files that any C2SP tool reads: each proves the other's signer a
//! liar. Spec: WIT-10.

use std::{io, path::PathBuf};

use frex_client::{
    heads::{CHECKPOINT, fork_names},
    membership::store::EVIDENCE_DIR,
};
use frex_proto::{
    error::WireCode,
    log::{Fork, Origin},
};

use crate::{
    disk,
    ledger::{Entry, Outcome, records::SeenLog},
    shared::Shared,
};

/// States in the own log that another has signed two histories, keeps that where people find it, and
/// has everybody told.
///
/// # Errors
/// It cannot be recorded.
pub async fn record(shared: &Shared, fork: Fork) -> Result<(), WireCode> {
    let origin = fork.origin.clone();
    let outcome = shared.ledger.record(Entry::Forked(fork)).await;
    if let Outcome::Failed(code) = outcome {
        return Err(code);
    }
    if let Outcome::Receipt(_) = outcome {
        tracing::error!(%origin, "a log has signed two histories");
        if let Ok(parts) = Origin::parse(&origin) {
            shared.heads.fork(parts.node);
        }
    }
    let seen = shared.ledger.seen(&origin);
    let seen = seen.map_err(|error| WireCode::from(&error))?;
    // The journal has it in any case.
    if let Err(error) = keep(shared, &seen.unwrap_or_default()) {
        tracing::error!(%error, "the evidence of a fork is in the journal and nowhere else");
    }
    Ok(())
}

/// Keeps what a log signed against itself, unless it is kept already.
///
/// # Errors
/// Whatever the disk says; the journal holds it too.
pub fn keep(shared: &Shared, seen: &SeenLog) -> io::Result<()> {
    let folder = shared.data.join(EVIDENCE_DIR);
    let disk = shared.disk.as_ref();
    let paths = fork_names(&seen.origin).map(|name| folder.join(format!("{name}.{CHECKPOINT}")));
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
