//! The newest head that a member's program has seen of each log, kept from one run to the next: who has
//! seen more than a log shows later knows that something was taken away. Spec: WIT-20, FIL-40.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    label, limits,
    log::{Checkpoint, Fork},
};

use crate::{
    keys::{MemberHome, file},
    membership::store::EVIDENCE_DIR,
};

/// The folder of the heads that were seen.
pub const SEEN_DIR: &str = "seen";
/// What the names of files with a checkpoint end with.
pub const CHECKPOINT: &str = "checkpoint";

/// What was seen of logs.
pub struct Heads {
    folder: Option<PathBuf>,
    known: Mutex<Known>,
    tell: Tell,
}

/// Hears of what is to be said against a log.
type Tell = Box<dyn Fn(&LogFault) + Send + Sync>;

#[derive(Default)]
struct Known {
    held: BTreeMap<String, Bytes>,
    shown: BTreeMap<String, Shown>,
    faults: Vec<LogFault>,
}

/// A head as somebody showed it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) head: Checkpoint,
    pub(crate) note: Bytes,
}

/// What is to be said against a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFault {
    /// Whose log.
    pub node: String,
    /// `FORKED`: it has signed two histories, and both checkpoints are kept. `LOG_ROLLED_BACK`: it is
    /// shorter than it was. `BAD_PROOF`: it does not prove that it extends what it has shown.
    pub code: WireCode,
}

/// Under what names two checkpoints that contradict each other are kept, without what they end with.
/// One pair proves all that another would.
#[must_use]
pub fn fork_names(origin: &str) -> [String; 2] {
    ["1", "2"].map(|number| format!("fork-{}-{number}", short(origin)))
}

impl Default for Heads {
    /// Keeps nothing on disk.
    fn default() -> Self {
        Self {
            folder: None,
            known: Mutex::default(),
            tell: Box::new(|fault| {
                tracing::error!(node = %fault.node, code = %fault.code, "a log is not to be relied on");
            }),
        }
    }
}

impl Heads {
    /// What a member's directory keeps.
    #[must_use]
    pub fn of_home(home: &MemberHome) -> Self {
        Self::in_folder(home.dir())
    }

    /// What is kept below a folder of one's own.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: Some(folder.to_owned()),
            ..Self::default()
        }
    }

    /// Has `tell` hear once of each thing that is to be said against a log.
    #[must_use]
    pub fn telling(self, tell: impl Fn(&LogFault) + Send + Sync + 'static) -> Self {
        Self {
            tell: Box::new(tell),
            ..self
        }
    }

    /// What was found against logs since the start.
    #[must_use]
    pub fn faults(&self) -> Vec<LogFault> {
        self.known().faults.clone()
    }

    /// The newest head of the log `origin`, as the log signed it; empty if none was seen.
    pub(crate) fn newest(&self, origin: &str) -> Bytes {
        let mut known = self.known();
        if let Some(note) = known.held.get(origin) {
            return note.clone();
        }
        let kept = self.path(origin).and_then(|path| read(&path));
        let note =
            kept.filter(|note| Checkpoint::of_note(note).is_ok_and(|head| head.origin == origin));
        let note = note.unwrap_or_default();
        known.held.insert(origin.to_owned(), note.clone());
        note
    }

    /// Keeps a head that was proved to extend what was seen before.
    pub(crate) fn keep(&self, head: &Checkpoint, note: &Bytes) {
        let written = self.path(&head.origin).map(|path| {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            file::replace(&path, note).map_err(io::Error::other)
        });
        // The next run begins from what was written before.
        if let Some(Err(error)) = written {
            tracing::warn!(%error, "what was seen of a log cannot be kept");
        }
        let mut known = self.known();
        known.held.insert(head.origin.clone(), note.clone());
    }

    /// The log of `node` has shown this head; the largest waits to be compared.
    pub(crate) fn pass(&self, node: &str, head: &Checkpoint, note: &Bytes) {
        let mut known = self.known();
        let is_larger = |shown: &Shown| head.size > shown.head.size;
        if known.shown.get(node).is_none_or(is_larger) {
            let shown = Shown {
                head: head.clone(),
                note: note.clone(),
            };
            known.shown.insert(node.to_owned(), shown);
        }
    }

    /// What waits to be compared, by node; it waits no longer.
    pub(crate) fn take(&self) -> BTreeMap<String, Shown> {
        std::mem::take(&mut self.known().shown)
    }

    /// Keeps evidence where people find it.
    pub(crate) fn keep_fork(&self, fork: &Fork) {
        let Some(folder) = self.folder.as_ref().map(|home| home.join(EVIDENCE_DIR)) else {
            return;
        };
        let write = || -> io::Result<()> {
            std::fs::create_dir_all(&folder)?;
            for (name, note) in fork_names(&fork.origin).iter().zip(&fork.checkpoints) {
                let path = folder.join(format!("{name}.{CHECKPOINT}"));
                file::replace(&path, note).map_err(io::Error::other)?;
            }
            Ok(())
        };
        if let Err(error) = write() {
            tracing::error!(%error, "the evidence of a fork cannot be kept");
        }
    }

    /// Tells once what is to be said against the log of `node`.
    pub(crate) fn fault(&self, node: &str, code: WireCode) {
        let fault = LogFault {
            node: node.to_owned(),
            code,
        };
        let mut known = self.known();
        if known.faults.contains(&fault) {
            return;
        }
        known.faults.push(fault.clone());
        drop(known);
        (self.tell)(&fault);
    }

    fn path(&self, origin: &str) -> Option<PathBuf> {
        let name = format!("{}.{CHECKPOINT}", short(origin));
        Some(self.folder.as_ref()?.join(SEEN_DIR).join(name))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heads")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

fn short(origin: &str) -> String {
    hex::encode(&label::sha256(&[origin.as_bytes()])[..8])
}

fn read(path: &Path) -> Option<Bytes> {
    let bytes_max = limits::SEEN_CHECKPOINT_BYTES_MAX as u64;
    let kept = file::read_capped(path, bytes_max, "checkpoint");
    Some(Bytes::from(kept.ok()?.to_vec()))
}
