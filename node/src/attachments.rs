//! Attachments on this node's disk: sealed chunks that nobody here can open.
//!
//! An attachment is two files named after its root. `ROOT.map` holds who sends it, the hashes of
//! its chunks and a bit for each that is durable; the chunks stand at their places in `ROOT.part`,
//! which is renamed to `ROOT.sealed` when the last one is durable. A bit is written only after its
//! chunk was synced, so a power cut costs at most the chunks of one step, and a map that is torn
//! still says nothing untrue: bits are only ever set. Spec: ATT-15, ATT-20.
//!
//! What a node keeps, and until when, follows from the journal ([`keep`]).

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use frex_proto::{
    attachment::{Hashes, Held, Listed},
    error::WireCode,
    label::Hash,
};
use tokio::sync::watch;

use crate::{
    disk::{Disk, DiskFile},
    index::Index,
    workers::Workers,
};

pub mod keep;
mod map;
mod read;
mod store;
mod survey;
#[cfg(test)]
mod tests;

pub use survey::{Survey, survey};

/// Where they are below the node's data.
pub const FOLDER: &str = "attachments";
/// Chunks that become durable together.
const STEP_CHUNKS: usize = 16;
/// For so long after an envelope was judged by it an attachment is not removed, milliseconds: the
/// record that needs it is on its way.
const JUDGED_MS: u64 = 10 * 60 * 1000;

/// All attachments of this node. Clones share them.
#[derive(Clone)]
pub struct Attachments(Arc<Parts>);

struct Parts {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Runs what waits for the disk.
    workers: Workers,
    /// Where a disk that cannot be relied on any more is reported. Spec: NOD-2.
    failed: watch::Sender<Option<WireCode>>,
    index: Arc<Index>,
    known: Mutex<BTreeMap<Hash, Known>>,
    /// How many each peer brings or fetches now: as many entries as the roster has had owners.
    turns: Mutex<BTreeMap<String, usize>>,
}

/// What is known of an attachment without looking at its files.
struct Known {
    bytes: u64,
    sender: String,
    whole: bool,
    /// When it was last added to or asked for.
    touched_ms: u64,
    /// The files of one that is being taken; all who bring it write to the same.
    part: Option<Arc<Mutex<Part>>>,
}

/// An attachment that is not whole, with its files.
struct Part {
    hashes: Hashes,
    held: Held,
    /// Written and not yet synced.
    fresh: Vec<u32>,
    map: Arc<dyn DiskFile>,
    chunks: Arc<dyn DiskFile>,
}

/// Leave to take or give an attachment. Spec: LIM-76.
pub struct Turn {
    store: Attachments,
    peer: String,
}

/// An attachment that somebody brings.
pub struct Incoming {
    store: Attachments,
    listed: Listed,
    part: Arc<Mutex<Part>>,
}

/// An attachment that is whole, to be read.
pub struct Outgoing {
    store: Attachments,
    hashes: Arc<Hashes>,
    chunks: Arc<dyn DiskFile>,
}

impl Attachments {
    /// What there is in `folder` of a node's data.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn open(
        disk: Arc<dyn Disk>,
        data: &Path,
        workers: Workers,
        index: Arc<Index>,
        failed: watch::Sender<Option<WireCode>>,
    ) -> io::Result<Self> {
        let folder = data.join(FOLDER);
        crate::disk::create_dir_durable(disk.as_ref(), &folder)?;
        let known = map::load(disk.as_ref(), &folder)?;
        Ok(Self(Arc::new(Parts {
            disk,
            folder,
            workers,
            failed,
            index,
            known: Mutex::new(known),
            turns: Mutex::default(),
        })))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Hash, Known>> {
        self.0.known.lock().expect("no holder of the list panics")
    }

    fn turns(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.turns.lock().expect("no holder of the turns panics")
    }

    /// The code for what the disk said. A full disk is no failure; after any other nothing is
    /// known of what it holds.
    fn failure(&self, error: &io::Error) -> WireCode {
        if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            return WireCode::DiskFull;
        }
        tracing::error!(%error, "the disk of the attachments cannot be relied on: the node stops");
        self.0.failed.send_replace(Some(WireCode::StorageFailed));
        WireCode::StorageFailed
    }
}
