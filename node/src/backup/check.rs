//! Whether a backup holds what it says, file by file, record by record, up to the signed head.
//! Spec: BAK-7.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use frex_proto::{
    label::sha256,
    limits,
    log::{ANY_TIME_MS, Frontier, LogVerifier, checkpoint},
    roster::{Roster, TrustAnchor},
};

use super::{
    BackupError, MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, VERSION, io_at, is_plain,
    objects::{Objects, View},
};
use crate::{
    disk::{self, Disk, RealDisk},
    home::JOURNAL_DIR,
    journal::{self, JournalError, Replayed, Summary},
    ledger::{
        LedgerError,
        records::{self, Record},
    },
};
use frex_client::keys::{ROOT_FILE, ROSTER_FILE};
use prost::Message as _;

/// A backup that holds.
#[derive(Debug)]
pub struct Checked {
    /// What it holds.
    pub manifest: Manifest,
    /// The SHA-256 of its manifest: who keeps it elsewhere knows the very backup again.
    pub sha256: [u8; 32],
    /// Its journal; none of a node that had not run.
    pub journal: Option<Summary>,
}

/// Reads all of a backup and judges it.
///
/// # Errors
/// [`BackupError`] names the first thing that does not hold.
pub fn check(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked, BackupError> {
    let (manifest, sha256) = manifest(folder)?;
    let objects = Objects::of(folder);
    let total = total(&manifest);
    let mut done = 0;
    for (path, kept) in &manifest.files {
        let mut told = |step| {
            done += step;
            progress(done, total);
        };
        let holds = objects.check(kept, &mut told);
        if !holds.map_err(io_at(&objects.path(kept)))? {
            return Err(BackupError::File(path.clone()));
        }
    }
    let view = View {
        objects: &objects,
        manifest: &manifest,
    };
    let told = &mut |read, _| progress(done + read, total);
    let (log, journal) = read_log(&view, told)?;
    if (log.size, &log.checkpoint[..]) != (manifest.log_size, manifest.checkpoint.as_bytes()) {
        return Err(BackupError::Log);
    }
    Ok(Checked {
        manifest,
        sha256,
        journal,
    })
}

/// Reads the manifest of a backup; also gives its hash. What it says is not looked after.
///
/// # Errors
/// [`BackupError::Incomplete`], [`BackupError::Manifest`], [`BackupError::Io`].
pub fn manifest(folder: &Path) -> Result<(Manifest, [u8; 32]), BackupError> {
    let path = folder.join(MANIFEST_FILE);
    let bytes = match disk::read_all(&RealDisk, &path, MANIFEST_BYTES_MAX) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder.to_owned();
            return Err(BackupError::Incomplete { folder });
        }
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(BackupError::Manifest("it is too large".to_owned()));
        }
        read => read.map_err(io_at(&path))?,
    };
    let malformed = |why: String| BackupError::Manifest(why);
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if manifest.v != VERSION {
        return Err(malformed(format!("it has the form {}", manifest.v)));
    }
    for (path, kept) in &manifest.files {
        let is_hash = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let named = kept.sha256.len() == 64 && kept.sha256.chars().all(is_hash);
        if !is_plain(path) || !named {
            return Err(malformed("it names a file that no node has".to_owned()));
        }
    }
    Ok((manifest, sha256(&[&bytes])))
}

/// Bytes that a check reads.
fn total(manifest: &Manifest) -> u64 {
    let files = manifest.files.iter();
    let bytes = files.map(|(path, kept)| match path.starts_with(JOURNAL_DIR) {
        true => kept.bytes.saturating_mul(2),
        false => kept.bytes,
    });
    bytes.fold(0, u64::saturating_add)
}

/// The newest head in a journal.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) checkpoint: Bytes,
}

/// The logs that the roster in the backup lists for its node, by epoch; none without a roster.
pub(super) fn logs(view: &View<'_>) -> Result<Vec<LogVerifier>, BackupError> {
    let read = |name: &str, bytes_max: usize| match disk::read_all(
        view,
        Path::new(name),
        bytes_max as u64,
    ) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(io_at(Path::new(name))),
    };
    let root = read(ROOT_FILE, limits::ROOT_BYTES_MAX)?;
    let roster = read(ROSTER_FILE, limits::ROSTER_BUNDLE_BYTES_MAX)?;
    let (Some(root), Some(roster)) = (root, roster) else {
        return Ok(Vec::new());
    };
    let anchor = TrustAnchor::of_root(&root).map_err(BackupError::Roster)?;
    // It was in force, or had been, when the backup was made: that it ends later changes nothing.
    let judged = Roster::judge_held(&roster, &anchor, view.manifest.made_ms);
    let judged = judged.map_err(BackupError::Roster)?;
    Ok(judged.log_verifiers(&view.manifest.node))
}

/// Reads the journal through: every checksum holds, and the entries make each head that was signed.
pub(super) fn read_log(
    view: &View<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Head, Option<Summary>), BackupError> {
    let folder = PathBuf::from(JOURNAL_DIR);
    let empty = view.list(&folder).map_err(io_at(&folder))?.is_empty();
    if empty {
        return Ok((Head::default(), None));
    }
    let logs = logs(view)?;
    let first = logs.first().ok_or(BackupError::Log)?;
    let mut tree = Tree {
        logs: &logs,
        log: first,
        frontier: Frontier::new(),
        open: false,
        head: Head::default(),
        failure: None,
    };
    let read = journal::read_through(
        view,
        &folder,
        &mut |replayed| {
            tree.take(&replayed).map_err(|failure| {
                tree.failure = Some(failure);
                JournalError::Poisoned
            })
        },
        progress,
    );
    match tree.failure {
        Some(LedgerError::Inconsistent | LedgerError::Record) => return Err(BackupError::Log),
        Some(error) => return Err(error.into()),
        None => {}
    }
    let summary = read.map_err(BackupError::Journal)?;
    // A block with entries ends in a head, and the copy in a whole block.
    if tree.open || summary.torn_tail {
        return Err(BackupError::Log);
    }
    Ok((tree.head, Some(summary)))
}

/// The tree as it grows from record to record.
struct Tree<'a> {
    logs: &'a [LogVerifier],
    log: &'a LogVerifier,
    frontier: Frontier,
    /// Whether entries came after the last head.
    open: bool,
    head: Head,
    failure: Option<LedgerError>,
}

impl Tree<'_> {
    fn take(&mut self, replayed: &Replayed<'_>) -> Result<(), LedgerError> {
        if replayed.kind == records::CHECKPOINT {
            let signed = checkpoint::parse_and_verify(replayed.bytes, self.log, ANY_TIME_MS);
            let signed = signed.map_err(|_| LedgerError::Inconsistent)?;
            if signed.size != self.frontier.size() || signed.root != self.frontier.root() {
                return Err(LedgerError::Inconsistent);
            }
            self.open = false;
            self.head = Head {
                size: signed.size,
                checkpoint: Bytes::copy_from_slice(replayed.bytes),
            };
            return Ok(());
        }
        if !records::has_leaf(replayed.kind) {
            return Ok(());
        }
        let record = Record::decode(replayed.bytes).map_err(|_| LedgerError::Record)?;
        if replayed.kind == records::LOG_BEGUN {
            self.log = records::begun_log(&record, self.log, self.logs)?;
            self.frontier = Frontier::new();
        }
        let (index, leaf) = records::leaf_of(&record)?;
        if index != self.frontier.size() {
            return Err(LedgerError::Inconsistent);
        }
        self.frontier.append(leaf.hash());
        self.open = true;
        Ok(())
    }
}
