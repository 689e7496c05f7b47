//! A node's directory made of a backup. Spec: BAK-8 to BAK-10.

use std::{
    fs::{self, File},
    path::Path,
    sync::{Arc, Mutex},
};

use frex_client::keys::{KEYS_DIR, file};
use frex_proto::log::LogVerifier;

use super::{
    BackupError, Manifest, RESTORED_FILE,
    check::{self, Checked},
    io_at, mark,
    objects::{Objects, View},
    vouch,
};
use crate::{
    anew,
    disk::{Disk, RealDisk},
    home::{CONFIG_FILE, INDEX_DIR, JOURNAL_DIR, LOG_DIR, NodeHome},
    index::Index,
    journal::JournalConfig,
    ledger::{
        LedgerError,
        replay::{self, Folders},
    },
};

/// The mark while it is written.
const MARK_DRAFT: &str = "restored.new";
/// The settings until all else is there.
const DRAFT: &str = "frex.toml.new";

/// What is to be restored.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The folder of the backup.
    pub folder: &'a Path,
    /// The node's directory, which is to be empty or not there.
    pub home: &'a Path,
    /// The hash that the manifest must have.
    pub sha256: Option<[u8; 32]>,
    /// Whether the operator answers for it that nothing was lost since.
    pub nothing_was_lost: bool,
}

/// Makes the node's directory, after the whole backup was checked. Its settings come last: one that was
/// cut short is no node's, and the same command makes it anew.
///
/// # Errors
/// [`BackupError`] by what does not hold, or is in the way.
pub fn restore(
    wanted: &Wanted<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Checked, BackupError> {
    let checked = check::check(wanted.folder, &mut |done, total| {
        progress(done, total.saturating_mul(2));
    })?;
    if wanted.sha256.is_some_and(|due| due != checked.sha256) {
        return Err(BackupError::OtherManifest);
    }
    let manifest = &checked.manifest;
    if !super::take::names_a_node(&manifest.files) {
        return Err(BackupError::Manifest("it names no settings".to_owned()));
    }
    let home = wanted.home;
    make_room(home)?;
    mark(&RealDisk, home).map_err(io_at(home))?;
    // One of before that is still open is smaller, and comes with the files. Spec: BAK-22.
    let base = manifest.checkpoint.as_bytes();
    if !base.is_empty() && !manifest.files.contains_key(anew::BASE_FILE) {
        anew::keep_base(&RealDisk, home, base).map_err(io_at(home))?;
    }
    for folder in [KEYS_DIR, JOURNAL_DIR, INDEX_DIR, LOG_DIR] {
        file::create_private_dir(&home.join(folder))?;
    }
    let objects = Objects::of(wanted.folder);
    let total: u64 = manifest.files.values().map(|kept| kept.bytes).sum();
    let mut done = 0;
    for (place, kept) in &manifest.files {
        let to = match place.as_str() {
            CONFIG_FILE => home.join(DRAFT),
            place => home.join(place),
        };
        let folder = to.parent().unwrap_or(home);
        file::create_private_dir(folder)?;
        let mut told = |step| {
            done += step;
            progress(total + done, 2 * total);
        };
        let holds = objects.give(kept, &to, &mut told).map_err(io_at(&to))?;
        if !holds {
            return Err(BackupError::File(place.clone()));
        }
        sync(folder)?;
    }
    make_index(home, &objects, manifest)?;
    fs::rename(home.join(DRAFT), home.join(CONFIG_FILE)).map_err(io_at(home))?;
    sync(home)?;
    if wanted.nothing_was_lost {
        vouch(&RealDisk, home).map_err(io_at(home))?;
    }
    Ok(checked)
}

/// The place is empty, or what a restore that was cut short left there goes.
fn make_room(home: &Path) -> Result<(), BackupError> {
    file::create_private_dir(home)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(home).map_err(io_at(home))? {
        names.push(entry.map_err(io_at(home))?.file_name());
    }
    // What is cut short earliest is the mark itself.
    if names.iter().all(|name| name == MARK_DRAFT) {
        return Ok(());
    }
    let cut_short = home.join(RESTORED_FILE).is_file() && !home.join(CONFIG_FILE).exists();
    if !cut_short {
        let path = home.to_owned();
        return Err(BackupError::NotEmpty { path });
    }
    // The mark goes last: what is left of this is told apart from a node's directory until then.
    for name in names.iter().filter(|name| *name != RESTORED_FILE) {
        let path = home.join(name);
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(io_at(&path))?;
    }
    Ok(())
}

/// Index and published log follow from the journal.
fn make_index(home: &Path, objects: &Objects, manifest: &Manifest) -> Result<(), BackupError> {
    let logs: Vec<LogVerifier> = check::logs(&View { objects, manifest })?;
    if logs.is_empty() {
        return Ok(());
    }
    let index = Index::open(Some(&home.join(INDEX_DIR))).map_err(LedgerError::from)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let folders = Folders {
        journal: home.join(JOURNAL_DIR),
        logs: home.join(LOG_DIR),
    };
    let config = JournalConfig::default();
    let quiet = &mut |_, _| {};
    let mut replay = replay::open(&disk, &folders, config, &index, &logs, true, quiet)?;
    replay.publisher.publish(&Mutex::new(replay.tail), &index)?;
    Ok(())
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(io_at(folder))
}

/// Whether the node's directory has the keys that it needs to start.
#[must_use]
pub fn has_keys(home: &Path) -> bool {
    let credentials = NodeHome::config(home).is_ok_and(|config| config.keys_from_credentials);
    let keys = home.join(KEYS_DIR);
    credentials
        || ["tls.key", "log.key"]
            .iter()
            .all(|name| keys.join(name).is_file())
}
