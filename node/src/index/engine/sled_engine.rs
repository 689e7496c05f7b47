//! sled 0.34, used within what it was measured to be good at.
//!
//! Its `flush` leaves bytes in the kernel's memory, so the file is synced here. It may panic on
//! damaged files, so every call is fenced. It may also open a damaged file and lack entries
//! without a word, so all entries are compared with their [`Sum`] at open. Batches of sled stop
//! all readers, so changes go in one by one and [`DeltaFile`] makes them one.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    ops::Bound,
    os::unix::fs::DirBuilderExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use bytes::Bytes;

use crate::index::{
    Delta, IndexError,
    delta::{DeltaFile, Flushed, Step},
    key::{FullKey, Range},
    lock,
    sum::Sum,
};

const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// The state record sorts before every table.
const STATE_KEY: &[u8] = &[0];
/// How long to wait for the lock: sled's threads let go of it a little after a database is closed.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Too many open files: nothing is wrong with the index.
const ERRNO_FILES: [i32; 2] = [23, 24];

pub(in crate::index) struct SledEngine {
    dir: PathBuf,
    /// `None` only if a `clear` failed half-way.
    open: Option<Open>,
    /// What the state record says, so that it need not be read.
    kept: Mutex<Option<Kept>>,
}

struct Open {
    db: sled::Db,
    /// An own handle on sled's file, to sync it.
    file: File,
    delta: DeltaFile,
}

/// The state record: which flush was the last, what all entries sum up to, the caller's state.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    number: u64,
    sum: Sum,
    state: Bytes,
}

/// Opens what is in `dir`. If it is damaged, moves it aside, says where to, and begins anew.
pub(super) fn open(dir: &Path) -> Result<(SledEngine, Option<PathBuf>), IndexError> {
    match open_checked(dir) {
        Err(IndexError::Damaged) => {
            let aside = move_aside(dir)?;
            Ok((open_checked(dir)?, Some(aside)))
        }
        result => Ok((result?, None)),
    }
}

impl SledEngine {
    pub(super) fn state(&self) -> Option<Bytes> {
        lock(&self.kept).as_ref().map(|kept| kept.state.clone())
    }

    pub(super) fn get(&self, key: &FullKey) -> Result<Option<Bytes>, IndexError> {
        let open = self.open()?;
        fenced(|| open.get(key))
    }

    pub(super) fn page(
        &self,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<(FullKey, Bytes)>, IndexError> {
        let open = self.open()?;
        fenced(|| {
            let mut page = Vec::new();
            for entry in open.db.range::<&[u8], _>(range.byte_bounds()).take(limit) {
                let (key, value) = entry.map_err(judge)?;
                if !range.holds(&key) {
                    break;
                }
                let key = FullKey::from_bytes(&key).ok_or(IndexError::Damaged)?;
                page.push((key, Bytes::copy_from_slice(&value)));
            }
            Ok(page)
        })
    }

    pub(super) fn write(&self, delta: &Delta, state: &[u8]) -> Result<(), IndexError> {
        let open = self.open()?;
        let before = lock(&self.kept).clone();
        let (mut number, mut sum) = before.map_or_else(Default::default, |k| (k.number, k.sum));
        number += 1;
        let steps = fenced(|| open.plan(delta, &mut sum))?;
        let kept = Kept {
            number,
            sum,
            state: Bytes::copy_from_slice(state),
        };
        let flushed = Flushed {
            number,
            state: kept.encode(),
            steps,
        };
        open.delta.write(&flushed).map_err(judge_io)?;
        // From here on the engine may hold part of the flush; lack of space is a failure like any.
        fenced(|| open.apply(&flushed)).map_err(|error| match error {
            IndexError::Full => IndexError::Io(ErrorKind::StorageFull.into()),
            other => other,
        })?;
        *lock(&self.kept) = Some(kept);
        Ok(())
    }

    pub(super) fn clear(&mut self) -> Result<(), IndexError> {
        let open = self.open.take();
        // Closing a damaged database may panic; it is about to be removed.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        *self = open_checked(&self.dir)?;
        Ok(())
    }

    fn open(&self) -> Result<&Open, IndexError> {
        self.open.as_ref().ok_or(IndexError::Damaged)
    }
}

impl Drop for SledEngine {
    fn drop(&mut self) {
        let open = self.open.take();
        // Closing a damaged database may panic, and nothing depends on how it closes.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
        self.kept
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}

impl Open {
    fn get(&self, key: &FullKey) -> Result<Option<Bytes>, IndexError> {
        let value = self.db.get(key.bytes()).map_err(judge)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// The changes that change something, and what they do to the sum.
    fn plan(&self, delta: &Delta, sum: &mut Sum) -> Result<Vec<Step>, IndexError> {
        let mut steps = Vec::with_capacity(delta.len());
        for (key, value) in delta {
            let before = self.db.get(key.bytes()).map_err(judge)?;
            if before.as_deref() == value.as_deref() {
                continue;
            }
            if let Some(before) = before {
                sum.remove(key.bytes(), &before);
            }
            if let Some(value) = value {
                sum.add(key.bytes(), value);
            }
            steps.push((key.clone(), value.clone()));
        }
        Ok(steps)
    }

    /// Applies a flush that is durable in its own file, then makes the engine durable.
    fn apply(&self, flushed: &Flushed) -> Result<(), IndexError> {
        for (key, value) in &flushed.steps {
            match value {
                Some(value) => self.db.insert(key.bytes(), &**value),
                None => self.db.remove(key.bytes()),
            }
            .map_err(judge)?;
        }
        // Last, so that whoever finds it finds all before it.
        self.db.insert(STATE_KEY, &*flushed.state).map_err(judge)?;
        self.db.flush().map_err(judge)?;
        self.file.sync_data()?;
        Ok(())
    }

    fn kept(&self) -> Result<Option<Kept>, IndexError> {
        match self.db.get(STATE_KEY).map_err(judge)? {
            None => Ok(None),
            Some(bytes) => Kept::decode(&bytes).map(Some).ok_or(IndexError::Damaged),
        }
    }

    /// Brings a flush that was cut short to its end.
    fn complete(&self) -> Result<(), IndexError> {
        let number = self.kept()?.map_or(0, |kept| kept.number);
        match self.delta.read()? {
            Some(flushed) if flushed.number == number + 1 => self.apply(&flushed),
            _ => Ok(()),
        }
    }

    /// Compares all entries with what the state record says they are.
    fn check(&self) -> Result<Option<Kept>, IndexError> {
        let kept = self.kept()?;
        let mut sum = Sum::default();
        let entries = (Bound::Excluded(STATE_KEY), Bound::Unbounded);
        for entry in self.db.range::<&[u8], _>(entries) {
            let (key, value) = entry.map_err(judge)?;
            sum.add(&key, &value);
        }
        if kept.as_ref().map_or_else(Sum::default, |kept| kept.sum) != sum {
            return Err(IndexError::Damaged);
        }
        Ok(kept)
    }
}

impl Kept {
    fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(8 + Sum::BYTES + self.state.len());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.sum.to_bytes());
        bytes.extend_from_slice(&self.state);
        Bytes::from(bytes)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (sum, state) = rest.split_first_chunk()?;
        Some(Self {
            number: u64::from_le_bytes(*number),
            sum: Sum::from_bytes(*sum),
            state: Bytes::copy_from_slice(state),
        })
    }
}

fn open_checked(dir: &Path) -> Result<SledEngine, IndexError> {
    fenced(|| {
        // As private when it is made anew as `frex init` makes it.
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let open = Open {
            db: open_sled(dir).map_err(judge)?,
            file: File::open(dir.join("db"))?,
            delta: DeltaFile::open(dir)?,
        };
        // The names of the files must outlive a power cut as their bytes do.
        File::open(dir)?.sync_all()?;
        open.complete()?;
        let kept = open.check()?;
        Ok(SledEngine {
            dir: dir.to_path_buf(),
            open: Some(open),
            kept: Mutex::new(kept),
        })
    })
}

fn open_sled(dir: &Path) -> sled::Result<sled::Db> {
    let open = || {
        sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .use_compression(false)
            .flush_every_ms(None)
            .open()
    };
    for _ in 1..LOCK_TRIES {
        match open() {
            Err(sled::Error::Io(error)) if is_held(&error) => thread::sleep(LOCK_PAUSE),
            result => return result,
        }
    }
    open()
}

/// sled says only in words that someone else holds its file.
fn is_held(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Other && error.to_string().contains("acquire lock")
}

/// One damaged index is kept, for whoever wants to know why; an older one makes way.
fn move_aside(dir: &Path) -> io::Result<PathBuf> {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".damaged");
    let aside = dir.with_file_name(name);
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(dir, &aside)?;
    Ok(aside)
}

/// sled panics where it should say that a file is damaged.
fn fenced<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    // Whatever the panic left half-done is in the database that is then given up.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(IndexError::Damaged))
}

fn judge(error: sled::Error) -> IndexError {
    match error {
        sled::Error::Io(error) => judge_io(error),
        _ => IndexError::Damaged,
    }
}

/// What the machine refuses is told from what is wrong with the files.
fn judge_io(error: io::Error) -> IndexError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => IndexError::Full,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::OutOfMemory => {
            IndexError::Io(error)
        }
        _ if is_held(&error) => IndexError::Io(error),
        _ if error
            .raw_os_error()
            .is_some_and(|n| ERRNO_FILES.contains(&n)) =>
        {
            IndexError::Io(error)
        }
        _ => IndexError::Damaged,
    }
}
