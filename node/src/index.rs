//! The index: whatever can be derived from the journal again, kept so that it need not be.
//!
//! Changes gather in memory ([`Index::apply`]) and reach the engine now and then, off the path of
//! acknowledgements, together with the *state*: the caller's word for how much of the journal they
//! reflect ([`Index::flush`]). After any crash the engine holds exactly the last flush or the one
//! before, and the caller replays the journal from the state it finds.
//!
//! The engine is sled, which neither syncs nor notices all damage. So: an own sync after each
//! flush; each flush is written beside it first and repeated at open if it was cut short; and the
//! count and checksum of all entries are kept and compared at open. Whatever does not agree is
//! moved aside, and the index starts empty ([`Index::moved_aside`]).
//!
//! Nothing of it shows outside the node, so the specification has no chapter on it; the IDX
//! numbers in its tests are its own.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use frex_proto::error::WireCode;

mod delta;
mod engine;
mod key;
mod merge;
mod sum;

#[cfg(test)]
mod tests;

use engine::Engine;
use key::FullKey;
use merge::Layers;

/// Largest value, bytes. Larger things belong into the journal; the index holds their position.
pub const VALUE_BYTES_MAX: usize = 4 * 1024;
/// Largest key, bytes.
pub const KEY_BYTES_MAX: usize = 127;
/// Largest state, bytes.
pub const STATE_BYTES_MAX: usize = 8 * 1024;

/// What a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// What is known of each envelope or message.
    Message = 1,
    /// What waits for a member.
    Inbox = 2,
    /// What waits for another node.
    Outbox = 3,
    /// Where receipts are.
    Receipt = 4,
    /// Where proof against someone is.
    Evidence = 5,
    /// What could not be delivered to another node.
    Dead = 6,
    /// Which record needs which attachment, and until when.
    Attachment = 7,
    /// The newest that was seen of each log.
    Seen = 8,
    /// Where erasures are, in the order of the journal.
    Erasure = 20,
    /// Which messages must not be erased.
    Hold = 21,
}

/// A key gets a value, or loses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which table.
    pub table: Table,
    /// Which key in it.
    pub key: Vec<u8>,
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
}

/// Changes that wait, by full key.
type Delta = BTreeMap<FullKey, Option<Bytes>>;

/// The index. Shared between threads by reference.
pub struct Index {
    engine: RwLock<Engine>,
    layers: RwLock<Layers>,
    /// Held during a flush; says whether an earlier one failed half-way.
    flush: Mutex<Flush>,
    moved_aside: Option<PathBuf>,
}

#[derive(Default)]
struct Flush {
    failed: bool,
}

impl Index {
    /// Opens the index in `dir`, making it if there is none; without `dir` it lives in memory.
    ///
    /// A damaged one is moved aside: [`Index::state`] is then empty and the caller replays the
    /// whole journal. The time taken grows with the number of entries, because all are compared
    /// with their checksum.
    ///
    /// # Errors
    /// [`IndexError::Io`] if the disk refuses, or another process holds the index.
    pub fn open(dir: Option<&Path>) -> Result<Self, IndexError> {
        let (engine, moved_aside) = match dir {
            None => (Engine::memory(), None),
            Some(dir) => Engine::open(dir)?,
        };
        Ok(Self {
            engine: RwLock::new(engine),
            layers: RwLock::default(),
            flush: Mutex::default(),
            moved_aside,
        })
    }

    /// Where a damaged index went when this one was opened.
    #[must_use]
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    /// The state given to the last flush that succeeded.
    #[must_use]
    pub fn state(&self) -> Option<Bytes> {
        read(&self.engine).state()
    }

    /// Changes that wait for a flush.
    #[must_use]
    pub fn pending(&self) -> usize {
        read(&self.layers).pending()
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Io`].
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        let Some(key) = FullKey::new(table, key) else {
            return Ok(None);
        };
        let waiting = read(&self.layers).get(&key);
        match waiting {
            Some(value) => Ok(value),
            None => read(&self.engine).get(&key),
        }
    }

    /// Up to `limit` entries whose key begins with `prefix`, in order of their keys, beginning
    /// after the key `after`.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Io`].
    pub fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        let Some(range) = key::Range::new(table, prefix, after) else {
            return Ok(Vec::new());
        };
        let waiting = read(&self.layers).first(&range, limit);
        let engine = read(&self.engine);
        merge::over(waiting, &range, limit, |range, limit| {
            engine.page(range, limit)
        })
    }

    /// Takes changes, to be seen by the next `get` and `scan`. Later ones win.
    ///
    /// # Panics
    /// If a key or value is over its limit: the caller builds both.
    pub fn apply(&self, changes: Vec<Change>) {
        let mut layers = write(&self.layers);
        for change in changes {
            let key = FullKey::new(change.table, &change.key).expect("index key over its limit");
            let length = change.value.as_ref().map_or(0, Bytes::len);
            assert!(length <= VALUE_BYTES_MAX, "index value over its limit");
            layers.put(key, change.value);
        }
    }

    /// Makes all changes taken so far durable together with `state`, all or nothing.
    ///
    /// Readers are not held up. What was put and deleted since the last flush, or put with the
    /// value it had, costs no write.
    ///
    /// # Errors
    /// [`IndexError::Full`] leaves everything as it was: try again later. After
    /// [`IndexError::Io`] or [`IndexError::Damaged`] reads go on, but no flush will succeed until
    /// the index is opened anew.
    pub fn flush(&self, state: &[u8]) -> Result<(), IndexError> {
        if state.len() > STATE_BYTES_MAX {
            return Err(IndexError::TooLarge);
        }
        let mut flush = lock(&self.flush);
        if flush.failed {
            return Err(IndexError::Damaged);
        }
        let delta = write(&self.layers).begin_flush();
        // The map's lock is shared with readers: what is written here they need not wait for.
        let result = read(&self.engine).write(&delta, state);
        match result {
            Ok(()) => write(&self.layers).end_flush(),
            Err(IndexError::Full) => write(&self.layers).abandon_flush(),
            Err(_) => flush.failed = true,
        }
        result
    }

    /// Drops everything, waiting changes and state included, and begins anew.
    ///
    /// # Errors
    /// [`IndexError::Io`].
    pub fn clear(&self) -> Result<(), IndexError> {
        let mut flush = lock(&self.flush);
        flush.failed = true;
        let mut engine = write(&self.engine);
        engine.clear()?;
        *write(&self.layers) = Layers::default();
        flush.failed = false;
        Ok(())
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}

/// Why the index cannot do what was asked. Nothing is lost: the journal holds it all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The disk failed, or another process holds the index.
    #[error("index disk failed: {0}")]
    Io(#[from] io::Error),
    /// No space; the same flush may be tried again.
    #[error("no space left for the index")]
    Full,
    /// The engine found damage or stopped. Open the index anew: it is then checked and rebuilt.
    #[error("index damaged")]
    Damaged,
    /// A state over its limit.
    #[error("index state over its limit")]
    TooLarge,
}

impl From<IndexError> for WireCode {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Full => Self::DiskFull,
            IndexError::TooLarge => Self::TooLarge,
            IndexError::Io(_) | IndexError::Damaged => Self::StorageFailed,
        }
    }
}

// A panic under one of these locks leaves the map behind it whole: each change is one call.

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
