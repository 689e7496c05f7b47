//! Making a backup, or bringing one up to date, while the node runs. Spec: BAK-1 to BAK-6.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use frex_client::keys::file::{self, KeyPlace};
use frex_proto::label::sha256;

use super::{
    BackupError, FILES_DIR, Kept, KeysKept, LAST_FILE, Last, MANIFEST_FILE, Manifest, VERSION,
    check::{self, Head},
    io_at, is_key, journal_path, list,
    objects::{Objects, View},
};
use crate::{
    disk::{self, RealDisk},
    home::{CONFIG_FILE, DirLock, JOURNAL_DIR, NodeHomeError},
    journal::{self, Extent, JournalError, MARKER_FILE},
};

/// How often a copy of the journal is made again that does not read back: the node may have erased
/// something from it meanwhile.
const TRIES: usize = 3;

/// What is to be backed up, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The node's directory.
    pub home: &'a Path,
    /// The folder of the backup.
    pub folder: &'a Path,
    /// The federation.
    pub federation: &'a str,
    /// The node.
    pub node: &'a str,
    /// Whether keys go too.
    pub keys: WithKeys,
    /// When it is made.
    pub now_ms: u64,
}

/// Whether keys go into a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithKeys {
    /// They do not.
    No,
    /// They do, if all of them are encrypted or in a token.
    Encrypted,
    /// They do, as they are.
    Plain,
}

/// A backup that was made.
#[derive(Debug)]
pub struct Taken {
    /// What it holds.
    pub manifest: Manifest,
    /// Files that were copied now; the others it had.
    pub copied: usize,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Files of the backup before that went.
    pub removed: usize,
    /// The SHA-256 of the manifest as it was written.
    pub sha256: [u8; 32],
}

/// What is done so far.
struct Progress<'a> {
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(u64, u64),
}

impl Progress<'_> {
    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        (self.tell)(self.done.min(self.total), self.total);
    }
}

/// Makes the backup, or brings the one in the folder up to date.
///
/// # Errors
/// [`BackupError`]; a backup that was there before is then still whole.
pub fn take(wanted: &Wanted<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Taken, BackupError> {
    let kept = judge_keys(wanted)?;
    prepare(wanted)?;
    let _lock = DirLock::take(wanted.folder).map_err(|_| BackupError::Locked {
        path: wanted.folder.to_owned(),
    })?;
    let objects = Objects::of(wanted.folder);
    file::create_private_dir(objects.folder())?;
    // The end of the journal first: whatever it needs beside it is there by now.
    let extent = extent(wanted.home)?;
    let files = list::list(wanted.home, wanted.keys != WithKeys::No)?;
    let mut told = Progress {
        done: 0,
        total: bytes_to_read(wanted.home, extent.as_ref(), &files),
        tell: progress,
    };
    let mut manifest = Manifest {
        v: VERSION,
        federation: wanted.federation.to_owned(),
        node: wanted.node.to_owned(),
        made_ms: wanted.now_ms,
        keys: kept,
        log_size: 0,
        checkpoint: String::new(),
        files: BTreeMap::new(),
    };
    let mut copied = BTreeMap::new();
    for (place, path) in files {
        // What went meanwhile is nothing that the journal's copy needs.
        if let Some((kept, fresh)) = objects.take(&path, None, &mut |step| told.add(step))? {
            if fresh {
                copied.insert(place.clone(), kept.bytes);
            }
            manifest.files.insert(place, kept);
        }
    }
    let head = copy_journal(
        wanted.home,
        extent.as_ref(),
        &objects,
        (&mut manifest, &mut copied),
        &mut told,
    )?;
    manifest.log_size = head.size;
    manifest.checkpoint = String::from_utf8_lossy(&head.checkpoint).into_owned();
    let (removed, sha256) = conclude(wanted, &objects, &manifest)?;
    Ok(Taken {
        copied: copied.len(),
        copied_bytes: copied.values().sum(),
        removed,
        sha256,
        manifest,
    })
}

/// Looks at the keys before anything is written.
fn judge_keys(wanted: &Wanted<'_>) -> Result<KeysKept, BackupError> {
    if wanted.keys == WithKeys::No {
        return Ok(KeysKept::None);
    }
    let mut kept = KeysKept::Encrypted;
    for (place, path) in list::list(wanted.home, true)? {
        if !is_key(&place) || !place.ends_with(".key") {
            continue;
        }
        let text = KeyPlace::file(&path).read()?;
        if text.is_encrypted() || text.token().is_some() {
            continue;
        }
        if wanted.keys == WithKeys::Encrypted {
            return Err(BackupError::PlainKey { path });
        }
        kept = KeysKept::Plain;
    }
    Ok(kept)
}

/// Sees to it that the folder is there and holds a backup, what one that was cut short left, or
/// nothing.
fn prepare(wanted: &Wanted<'_>) -> Result<(), BackupError> {
    let folder = wanted.folder;
    file::create_private_dir(folder)?;
    let whole = |path: &Path| path.canonicalize().map_err(io_at(path));
    if whole(folder)?.starts_with(whole(wanted.home)?) {
        let path = folder.to_owned();
        return Err(BackupError::Inside { path });
    }
    let ours = [MANIFEST_FILE, FILES_DIR, "lock", "backup.json.new"];
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let name = entry.map_err(io_at(folder))?.file_name();
        if !ours.iter().any(|known| *known == name) {
            let path = folder.to_owned();
            return Err(BackupError::NotEmpty { path });
        }
    }
    match check::manifest(folder) {
        Ok((manifest, _)) if manifest.node != wanted.node => Err(BackupError::NotEmpty {
            path: folder.to_owned(),
        }),
        Err(BackupError::Io { path, source }) => Err(BackupError::Io { path, source }),
        // A damaged manifest is replaced as a missing one is made: that is what a backup is for.
        _ => Ok(()),
    }
}

/// How far the journal goes. Whether a process appends to it decides how that is told.
fn extent(home: &Path) -> Result<Option<Extent>, BackupError> {
    let folder = home.join(JOURNAL_DIR);
    let lock = match DirLock::take(home) {
        Err(NodeHomeError::Locked { .. }) => None,
        Err(NodeHomeError::Lock { path, source }) => return Err(BackupError::Io { path, source }),
        other => other.ok(),
    };
    let extent = journal::acknowledged(&RealDisk, &folder, lock.is_none());
    match extent {
        Err(JournalError::Io(error)) => Err(io_at(&folder)(error)),
        other => other.map_err(BackupError::Journal),
    }
}

fn bytes_to_read(home: &Path, extent: Option<&Extent>, files: &[(String, PathBuf)]) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let files: u64 = files.iter().map(|(_, path)| length(path)).sum();
    let segments = extent.map_or(0, |extent| extent.end().segment());
    let folder = home.join(JOURNAL_DIR);
    let journal: u64 = (1..=segments)
        .map(|number| length(&journal::segment_path(&folder, number)))
        .sum();
    files + 2 * journal
}

/// Copies the journal up to its end, and reads the copy through.
fn copy_journal(
    home: &Path,
    extent: Option<&Extent>,
    objects: &Objects,
    (manifest, copied): (&mut Manifest, &mut BTreeMap<String, u64>),
    told: &mut Progress<'_>,
) -> Result<Head, BackupError> {
    let Some(extent) = extent else {
        return Ok(Head::default());
    };
    let folder = home.join(JOURNAL_DIR);
    let marker = objects.put(&extent.marker())?;
    manifest.files.insert(journal_path(MARKER_FILE), marker);
    let mut tries = TRIES;
    loop {
        tries -= 1;
        for number in 1..=extent.end().segment() {
            let last = number == extent.end().segment();
            let bytes = last.then(|| extent.end().offset());
            let source = journal::segment_path(&folder, number);
            let taken = objects.take(&source, bytes, &mut |step| told.add(step))?;
            let place = journal_path(&journal::segment_name(number));
            let Some((kept, fresh)) = taken else {
                return Err(BackupError::File(place));
            };
            if fresh {
                copied.insert(place.clone(), kept.bytes);
            }
            manifest.files.insert(place, kept);
        }
        let view = View { objects, manifest };
        let mut read = 0;
        let result = check::read_log(&view, &mut |done, _| {
            told.add(done.saturating_sub(read));
            read = done;
        });
        match result {
            Err(BackupError::Journal(JournalError::Damaged { .. })) if tries > 0 => {}
            other => return Ok(other?.0),
        }
    }
}

/// The files are durable, then the manifest is, then what nothing names any more goes. Gives how many
/// files went, and the manifest's hash.
fn conclude(
    wanted: &Wanted<'_>,
    objects: &Objects,
    manifest: &Manifest,
) -> Result<(usize, [u8; 32]), BackupError> {
    let synced = File::open(objects.folder()).and_then(|folder| folder.sync_all());
    synced.map_err(io_at(objects.folder()))?;
    let path = wanted.folder.join(MANIFEST_FILE);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| BackupError::Manifest(error.to_string()))?;
    disk::replace(&RealDisk, &path, &text).map_err(io_at(&path))?;
    let sha256 = sha256(&[&text]);
    let removed = objects.forget(manifest)?;
    let folder = wanted.folder.canonicalize();
    let last = Last {
        made_ms: manifest.made_ms,
        folder: folder.unwrap_or_else(|_| wanted.folder.to_owned()),
        log_size: manifest.log_size,
    };
    let path = wanted.home.join(LAST_FILE);
    let text =
        serde_json::to_vec(&last).map_err(|error| BackupError::Manifest(error.to_string()))?;
    disk::replace(&RealDisk, &path, &text).map_err(io_at(&path))?;
    Ok((removed, sha256))
}

/// The settings are in every backup: without them it is of no node.
pub(super) fn names_a_node(files: &BTreeMap<String, Kept>) -> bool {
    files.contains_key(CONFIG_FILE)
}
