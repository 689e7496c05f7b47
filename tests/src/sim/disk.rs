//! A disk in memory that forgets what was not synced, tears what was half written, and fails on
//! command.
//!
//! It is as harsh as POSIX allows: a file's bytes are durable after its own sync, a name after a
//! sync of its directory, and a failed sync loses what it was to keep while later syncs succeed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use frex_node::disk::{Disk, DiskFile};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::below;

mod image;

pub use image::Image;

const SECTOR_BYTES: usize = 512;
/// Linux: input/output error.
const EIO: i32 = 5;
/// Linux: no space left on device.
const ENOSPC: i32 = 28;

/// Which kind of call a fault meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `sync_data`.
    Sync,
    /// `set_len`.
    SetLen,
    /// `open`.
    Open,
    /// `rename`.
    Rename,
    /// `sync_dir`.
    SyncDir,
}

/// What the failing call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Input/output error. A write may be half done; a sync has lost what it was to keep.
    Eio,
    /// No space left. A write may be half done.
    Enospc,
}

/// A disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    rng: ChaCha20Rng,
    names: BTreeMap<PathBuf, u64>,
    directories: BTreeSet<PathBuf>,
    durable_names: BTreeMap<PathBuf, u64>,
    durable_directories: BTreeSet<PathBuf>,
    changes: Vec<NameChange>,
    files: BTreeMap<u64, Contents>,
    files_made: u64,
    /// Counts crashes: a handle of an earlier life is dead.
    life: u64,
    capacity_bytes: u64,
    calls: BTreeMap<Operation, u64>,
    faults: BTreeMap<(Operation, u64), Failure>,
}

/// A change of names that no directory sync has made durable yet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NameChange {
    Directory(PathBuf),
    Create(PathBuf, u64),
    Rename(PathBuf, PathBuf, u64),
    Remove(PathBuf),
}

#[derive(Default)]
struct Contents {
    durable: Vec<u8>,
    live: Vec<u8>,
    pending: Vec<Pending>,
}

enum Pending {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl SimDisk {
    /// An empty disk of a terabyte.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: ChaCha20Rng::seed_from_u64(seed),
            names: BTreeMap::new(),
            directories: BTreeSet::new(),
            durable_names: BTreeMap::new(),
            durable_directories: BTreeSet::new(),
            changes: Vec::new(),
            files: BTreeMap::new(),
            files_made: 0,
            life: 0,
            capacity_bytes: 1 << 40,
            calls: BTreeMap::new(),
            faults: BTreeMap::new(),
        })))
    }

    /// Loses power. Of what was not synced, `seed` keeps nothing, everything, or some 512-byte
    /// sectors and some name changes. Handles of before answer EIO from now on, and faults that
    /// were still to come are forgotten.
    pub fn crash(&self, seed: u64) {
        let mut state = self.lock();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        state.life += 1;
        state.faults.clear();
        state.lose_names(&mut rng);
        for contents in state.files.values_mut() {
            contents.lose(&mut rng);
        }
    }

    /// Ends the process that used the disk: its handles die, its writes stay in the page cache.
    pub fn close_all(&self) {
        self.lock().life += 1;
    }

    /// Makes the `nth` call of this kind from now (1 is the next) fail.
    pub fn fail(&self, operation: Operation, nth: u64, failure: Failure) {
        let mut state = self.lock();
        let done = state.calls.get(&operation).copied().unwrap_or(0);
        state.faults.insert((operation, done + nth), failure);
    }

    /// Calls of this kind so far, to fail each of them in turn.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> u64 {
        self.lock().calls.get(&operation).copied().unwrap_or(0)
    }

    /// Bytes that fit in all files together. What needs more fails with ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock().capacity_bytes = bytes;
    }

    /// Changes a file's bytes behind everybody's back, as rot or a meddler does.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.find(path)?;
        let contents = state.contents(id)?;
        change(&mut contents.live);
        contents.durable = contents.live.clone();
        contents.pending.clear();
        Ok(())
    }

    /// All files as a running process sees them.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test goes on after a panic")
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

impl State {
    /// Counts a call and says whether it is to fail.
    fn enter(&mut self, operation: Operation) -> Option<Failure> {
        let calls = self.calls.entry(operation).or_insert(0);
        *calls += 1;
        self.faults.remove(&(operation, *calls))
    }

    fn enter_plain(&mut self, operation: Operation) -> io::Result<()> {
        match self.enter(operation) {
            Some(failure) => Err(failure.into()),
            None => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        let id = self.names.get(path).copied();
        id.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn contents(&mut self, id: u64) -> io::Result<&mut Contents> {
        self.files
            .get_mut(&id)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used_bytes(&self) -> u64 {
        let lengths = self.files.values().map(|file| file.live.len() as u64);
        lengths.sum()
    }

    /// How many of `wanted` bytes of length a file may have.
    fn allowed_length(&mut self, id: u64, wanted: usize) -> io::Result<usize> {
        let now = self.contents(id)?.live.len();
        let free = self.capacity_bytes.saturating_sub(self.used_bytes());
        let free = usize::try_from(free).unwrap_or(usize::MAX);
        Ok(wanted.min(now.saturating_add(free)))
    }

    fn has_directory(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || path == Path::new("/") || self.directories.contains(path)
    }

    /// Keeps a random first part of each directory's unsynced changes.
    fn lose_names(&mut self, rng: &mut ChaCha20Rng) {
        let mut left: BTreeMap<PathBuf, u32> = BTreeMap::new();
        let changes = std::mem::take(&mut self.changes);
        let bound = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        for change in changes {
            let kept = left.entry(change.directory()).or_insert_with(|| {
                let some = below(rng, bound + 1);
                [0, some, u32::MAX][below(rng, 3) as usize]
            });
            if *kept > 0 {
                *kept -= 1;
                change.apply(&mut self.durable_names, &mut self.durable_directories);
            }
        }
        self.drop_orphans();
        self.names = self.durable_names.clone();
        self.directories = self.durable_directories.clone();
        let names: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| names.contains(id));
    }

    /// A name in a directory that is gone is gone.
    fn drop_orphans(&mut self) {
        let all = self.durable_directories.clone();
        let rooted = |path: &Path| {
            let mut above = path.ancestors().skip(1);
            above.all(|a| a.as_os_str().is_empty() || a == Path::new("/") || all.contains(a))
        };
        self.durable_directories.retain(|path| rooted(path));
        self.durable_names.retain(|path, _| rooted(path));
    }

    fn change(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names, &mut self.directories);
        self.changes.push(change);
    }
}

impl NameChange {
    /// The directory whose sync makes it durable.
    fn directory(&self) -> PathBuf {
        let (Self::Directory(path)
        | Self::Create(path, _)
        | Self::Rename(_, path, _)
        | Self::Remove(path)) = self;
        parent(path)
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, u64>, directories: &mut BTreeSet<PathBuf>) {
        match self {
            Self::Directory(path) => {
                directories.insert(path);
            }
            Self::Create(path, id) => {
                names.insert(path, id);
            }
            Self::Rename(from, to, id) => {
                names.remove(&from);
                names.insert(to, id);
            }
            Self::Remove(path) => {
                names.remove(&path);
            }
        }
    }
}

impl Contents {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        overwrite(&mut self.live, offset, bytes);
        self.pending.push(Pending::Write(offset, bytes.to_vec()));
    }

    fn set_len(&mut self, length: usize) {
        self.live.resize(length, 0);
        self.pending.push(Pending::SetLen(length));
    }

    fn sync(&mut self) {
        // Only what was written is applied: a segment is large and a block is small.
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Write(offset, bytes) => overwrite(&mut self.durable, offset, &bytes),
                Pending::SetLen(length) => self.durable.resize(length, 0),
            }
        }
    }

    /// What a power cut, or a failed sync, makes of the unsynced writes.
    fn lose(&mut self, rng: &mut ChaCha20Rng) {
        self.keep_some(rng);
        self.live = self.durable.clone();
    }

    fn keep_some(&mut self, rng: &mut ChaCha20Rng) {
        let fate = below(rng, 4);
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::SetLen(length) => {
                    if keeps(fate, rng) {
                        self.durable.resize(length, 0);
                    }
                }
                Pending::Write(offset, bytes) => {
                    for (at, piece) in sectors(offset, &bytes) {
                        if keeps(fate, rng) {
                            overwrite(&mut self.durable, at, piece);
                        }
                    }
                }
            }
        }
    }
}

/// 0 loses all, 1 keeps all, else each piece has a chance of its own.
fn keeps(fate: u32, rng: &mut ChaCha20Rng) -> bool {
    match fate {
        0 => false,
        1 => true,
        _ => below(rng, 2) == 0,
    }
}

/// Cuts a write where the file's sectors meet.
fn sectors(offset: usize, bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces = Vec::new();
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let room = SECTOR_BYTES - at % SECTOR_BYTES;
        let (piece, after) = rest.split_at(room.min(rest.len()));
        pieces.push((at, piece));
        at += piece.len();
        rest = after;
    }
    pieces
}

fn overwrite(target: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    target[offset..end].copy_from_slice(bytes);
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}

fn to_usize(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        Self::from_raw_os_error(match failure {
            Failure::Eio => EIO,
            Failure::Enospc => ENOSPC,
        })
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        state.enter_plain(Operation::Open)?;
        let id = match state.find(path) {
            Ok(id) => id,
            Err(absent) if !create || !state.has_directory(&parent(path)) => return Err(absent),
            Err(_) => {
                state.files_made += 1;
                let id = state.files_made;
                state.files.insert(id, Contents::default());
                state.change(NameChange::Create(path.to_path_buf(), id));
                id
            }
        };
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            id,
            life: state.life,
        }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for directory in above {
            if !state.has_directory(directory) {
                state.change(NameChange::Directory(directory.to_path_buf()));
            }
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        if !state.has_directory(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut names: Vec<String> = state
            .names
            .keys()
            .chain(&state.directories)
            .filter(|name| name.parent() == Some(path))
            .filter_map(|name| Some(name.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let failure = state.enter(Operation::SyncDir);
        let changes = std::mem::take(&mut state.changes);
        let (here, elsewhere) = changes.into_iter().partition(|c| c.directory() == path);
        state.changes = elsewhere;
        if let Some(failure) = failure {
            // As with a file: what the failed sync was to keep is lost at the next crash.
            return Err(failure.into());
        }
        let state = &mut *state;
        let here: Vec<NameChange> = here;
        for change in here {
            change.apply(&mut state.durable_names, &mut state.durable_directories);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.enter_plain(Operation::Rename)?;
        let id = state.find(from)?;
        state.change(NameChange::Rename(from.into(), to.into(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.find(path)?;
        state.change(NameChange::Remove(path.into()));
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let state = self.lock();
        Ok(state.capacity_bytes.saturating_sub(state.used_bytes()))
    }
}

struct SimFile {
    disk: SimDisk,
    id: u64,
    life: u64,
}

impl SimFile {
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.life == self.life {
            Ok(state)
        } else {
            Err(Failure::Eio.into())
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.alive()?;
        state.enter_plain(Operation::Read)?;
        let contents = state.contents(self.id)?;
        let start = to_usize(offset)?;
        let bytes = start
            .checked_add(buffer.len())
            .and_then(|end| contents.live.get(start..end))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.alive()?;
        let failure = state.enter(Operation::Write);
        let start = to_usize(offset)?;
        let end = start
            .checked_add(bytes.len())
            .ok_or(io::ErrorKind::InvalidInput)?;
        let fits = state.allowed_length(self.id, end)?.saturating_sub(start);
        let part = match failure {
            Some(_) => below(
                &mut state.rng,
                u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            ) as usize,
            None => bytes.len(),
        };
        let written = part.min(fits);
        state.contents(self.id)?.write(start, &bytes[..written]);
        match failure {
            Some(failure) => Err(failure.into()),
            None if written < bytes.len() => Err(Failure::Enospc.into()),
            None => Ok(()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.alive()?;
        let failure = state.enter(Operation::Sync);
        let state = &mut *state;
        let contents = state
            .files
            .get_mut(&self.id)
            .ok_or(io::ErrorKind::NotFound)?;
        match failure {
            Some(failure) => {
                contents.keep_some(&mut state.rng);
                Err(failure.into())
            }
            None => {
                contents.sync();
                Ok(())
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.alive()?;
        Ok(state.contents(self.id)?.live.len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.alive()?;
        state.enter_plain(Operation::SetLen)?;
        let length = to_usize(length)?;
        if state.allowed_length(self.id, length)? < length {
            return Err(Failure::Enospc.into());
        }
        state.contents(self.id)?.set_len(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
