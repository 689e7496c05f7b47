//! What is due or was cut short is brought to its end, step by step. Spec: FIL-16, FIL-17.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{KeyFolder, KeyRecord, KeyState, KeyUse, ROTATION_FILE};
use crate::keys::{KeyFileError, file};

/// One change of the folder, whole or not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A file that was not written to its end goes.
    Discard(String),
    /// The NEXT key of this number was recorded and not written: nobody has ever seen it.
    Forget(usize),
    /// A key takes another name.
    Rename(String, String),
    /// A secret whose time is over is overwritten and its file removed.
    Destroy(String),
    /// The destroyed key of this number is recorded as such.
    Retire(usize),
}

impl KeyFolder {
    /// Opens the folder, ends what was cut short and destroys what is due. Also yields what this
    /// opening has destroyed, for its owner to be told.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn open(dir: &Path, now_ms: u64) -> Result<(Self, Vec<KeyRecord>), KeyFileError> {
        let folder = Self::read(dir)?;
        // Most folders have nothing to settle, and some may only be read.
        if folder.next_step(now_ms).is_none() {
            return Ok((folder, Vec::new()));
        }
        let _lock = lock(dir)?;
        let mut folder = Self::read(dir)?;
        let destroyed = folder.settle(now_ms)?;
        Ok((folder, destroyed))
    }

    /// Takes steps until none is left. The caller holds the lock.
    pub(super) fn settle(&mut self, now_ms: u64) -> Result<Vec<KeyRecord>, KeyFileError> {
        let mut destroyed = Vec::new();
        while let Some(step) = self.next_step(now_ms) {
            self.take(&step, now_ms)?;
            if let Step::Retire(number) = step {
                destroyed.extend(self.records.get(number).cloned());
            }
        }
        Ok(destroyed)
    }

    pub(super) fn next_step(&self, now_ms: u64) -> Option<Step> {
        let drafts = KeyUse::ALL.map(KeyUse::next_file);
        let mut drafts = drafts.iter().map(String::as_str).chain([ROTATION_FILE]);
        let left = drafts.find_map(|name| {
            let draft = format!("{name}.new");
            self.has(&draft).then_some(Step::Discard(draft))
        });
        let due = || {
            let mut records = self.records.iter().enumerate();
            records.find_map(|(number, record)| self.due_step(number, record, now_ms))
        };
        left.or_else(|| {
            KeyUse::ALL
                .into_iter()
                .find_map(|usage| self.promotion(usage))
        })
        .or_else(due)
    }

    /// The rename that a promotion still lacks.
    fn promotion(&self, usage: KeyUse) -> Option<Step> {
        let promoted =
            self.next(usage).is_none() && self.of(usage, KeyState::Active).next().is_some();
        if !promoted || !self.has(&usage.next_file()) {
            return None;
        }
        if !self.has(&usage.active_file()) {
            return Some(Step::Rename(usage.next_file(), usage.active_file()));
        }
        let mut retiring = self
            .of(usage, KeyState::Retiring)
            .filter_map(KeyRecord::file);
        let aside = retiring.find(|file| !self.has(file))?;
        Some(Step::Rename(usage.active_file(), aside))
    }

    fn due_step(&self, number: usize, record: &KeyRecord, now_ms: u64) -> Option<Step> {
        let file = record.file()?;
        match (record.state, self.has(&file)) {
            (KeyState::Next, false) => Some(Step::Forget(number)),
            (KeyState::Next, true) if self.is_set_aside(record) => Some(Step::Destroy(file)),
            (KeyState::Retiring, true) if record.is_due(now_ms) => Some(Step::Destroy(file)),
            (KeyState::Retiring, false) if record.is_due(now_ms) => Some(Step::Retire(number)),
            _ => None,
        }
    }

    /// Whether a copy of this NEXT key is kept as RETIRING, so that it can leave its place.
    fn is_set_aside(&self, next: &KeyRecord) -> bool {
        let mut retiring = self.of(next.usage, KeyState::Retiring);
        retiring.any(|record| record.key_id == next.key_id)
    }

    pub(super) fn take(&mut self, step: &Step, now_ms: u64) -> Result<(), KeyFileError> {
        match step {
            Step::Discard(file) | Step::Destroy(file) => destroy(&self.dir.join(file)),
            Step::Rename(from, to) => {
                let (from, to) = (self.dir.join(from), self.dir.join(to));
                fs::rename(&from, &to).map_err(|source| file::io(&from, source))?;
                file::sync_parent(&to)
            }
            Step::Forget(number) => {
                self.records.remove(*number);
                self.write()
            }
            Step::Retire(number) => {
                if let Some(record) = self.records.get_mut(*number) {
                    record.state = KeyState::Retired;
                    record.since_ms = now_ms;
                    record.until_ms = None;
                }
                self.write()
            }
        }
    }
}

/// Keeps other programs from moving keys in the same folder for as long as it lives.
pub(super) fn lock(dir: &Path) -> Result<File, KeyFileError> {
    let refused = |source| file::io(dir, source);
    let folder = File::open(dir).map_err(refused)?;
    folder.lock().map_err(refused)?;
    Ok(folder)
}

/// Overwrites a file, and removes it only when that has reached the disk.
fn destroy(path: &Path) -> Result<(), KeyFileError> {
    let failed = |source| file::io(path, source);
    let link = path.symlink_metadata().map_err(failed)?.is_symlink();
    match OpenOptions::new().write(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let length = file.metadata().map_err(failed)?.len();
            let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
            file.write_all(&zeros)
                .and_then(|()| file.sync_all())
                .map_err(failed)?;
        }
        // A link to nowhere holds nothing.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    if link && let Ok(target) = fs::canonicalize(path) {
        fs::remove_file(&target).map_err(|source| file::io(&target, source))?;
        file::sync_parent(&target)?;
    }
    fs::remove_file(path).map_err(failed)?;
    file::sync_parent(path)
}
