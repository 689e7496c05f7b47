//! The log as static files in the C2SP tlog-tiles layout.
//!
//! Tiles and entry bundles are derived from the journal and written off the acknowledgement path.
//! They serve three readers with one set of bytes: proofs for old entries, auditors with any web
//! server, and the check at start that the journal still holds what was published.
//! Spec: LOG-14, LOG-15.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use frex_proto::{
    label::Hash,
    limits,
    log::{
        self, Frontier, Tile, TileKind,
        tile::{self, TILE_WIDTH},
    },
    receipt, v1,
};
use prost::Message;

use super::LedgerError;
use crate::{
    disk::{self, Disk},
    index::{Index, STATE_BYTES_MAX},
    journal::Position,
};

pub mod cosigned;

/// Hashes and entries of one full tile, as a count.
const WIDTH: u64 = TILE_WIDTH as u64;
/// The file with the newest head that is final.
pub const WITNESSED: &str = "witnessed";
/// Largest published file; a bundle of 256 entries of 48 bytes is far below.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// In the folder of a log that follows another: the receipt of its first entry, which names that one.
pub const BEGUN_FILE: &str = "begun.tlog-proof";

/// Leaves that are durable in the journal and not yet in the published files.
#[derive(Debug)]
pub struct Tail {
    /// The log that they are of.
    origin: String,
    leaves: Vec<[u8; 48]>,
    frontier: Frontier,
    end: Position,
    checkpoint: Bytes,
    last_ms: u64,
    dirty: bool,
}

impl Tail {
    /// A tail that starts where the published files end.
    #[must_use]
    pub fn new(
        origin: String,
        frontier: Frontier,
        end: Position,
        checkpoint: Bytes,
        last_ms: u64,
    ) -> Self {
        Self {
            origin,
            leaves: Vec::new(),
            frontier,
            end,
            checkpoint,
            last_ms,
            dirty: false,
        }
    }

    /// Whether the log before has been published to its end, so that another may begin.
    #[must_use]
    pub fn is_published(&self) -> bool {
        !self.dirty && self.leaves.is_empty()
    }

    /// From here on leaves are those of another log. All of the one before is published.
    pub fn begin(&mut self, origin: &str) {
        debug_assert!(self.is_published());
        origin.clone_into(&mut self.origin);
    }

    /// Adds the leaves of one block.
    pub fn push(
        &mut self,
        leaves: impl Iterator<Item = [u8; 48]>,
        frontier: &Frontier,
        end: Position,
        checkpoint: Option<&Bytes>,
        last_ms: u64,
    ) {
        self.leaves.extend(leaves);
        self.frontier = frontier.clone();
        self.end = end;
        self.last_ms = last_ms;
        self.dirty = true;
        if let Some(checkpoint) = checkpoint {
            self.checkpoint = checkpoint.clone();
        }
    }

    /// Puts leaves that could not be published before those that came meanwhile.
    fn give_back(&mut self, mut leaves: Vec<[u8; 48]>) {
        leaves.append(&mut self.leaves);
        self.leaves = leaves;
        self.dirty = true;
    }

    /// Where the journal ends.
    #[must_use]
    pub fn end(&self) -> Position {
        self.end
    }

    /// Leaves that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether no leaf waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }
}

/// How far the index and the published files reach; kept inside the index.
#[derive(Clone, PartialEq, Message)]
pub struct State {
    /// End of the last block applied.
    #[prost(uint64, tag = "1")]
    pub position: u64,
    /// Tree size there.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// Roots of the tree's perfect subtrees, largest first.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub frontier: Vec<Bytes>,
    /// Newest checkpoint there.
    #[prost(bytes = "bytes", tag = "4")]
    pub checkpoint: Bytes,
    /// Time of the newest leaf.
    #[prost(uint64, tag = "5")]
    pub last_ms: u64,
    /// The [`INDEX_FORM`] of the index that this lies in.
    #[prost(uint32, tag = "6")]
    pub form: u32,
}

// A tree has at most as many subtrees as a proof has hashes.
const _: () = assert!(
    limits::PROOF_HASHES_MAX * 34 + limits::SEEN_CHECKPOINT_BYTES_MAX + 64 <= STATE_BYTES_MAX
);

/// How keys and values of the index are made. An index of another form is made anew from the
/// journal at the next start: it holds nothing that is not there. Spec: NOD-13.
pub const INDEX_FORM: u32 = 3;

/// Writes the published files and keeps their right edge in memory.
pub struct Publisher {
    disk: Arc<dyn Disk>,
    /// Where the logs are published, each in the folder of its name.
    logs: PathBuf,
    origin: String,
    folder: PathBuf,
    /// Per level, the hashes of the tile that is not full yet.
    edge: Vec<Vec<Hash>>,
    /// Leaves of the entry bundle that is not full yet.
    entries: Vec<[u8; 48]>,
    size: u64,
    checkpoint: Bytes,
    /// Tiles that became full and whose partial forms still lie there.
    filled: Vec<Tile>,
}

impl Publisher {
    /// An empty log among those in `logs`.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn create(disk: Arc<dyn Disk>, logs: &Path, origin: &str) -> Result<Self, LedgerError> {
        let folder = logs.join(origin);
        disk.create_dir_all(&folder)?;
        Ok(Self {
            disk,
            logs: logs.to_owned(),
            origin: origin.to_owned(),
            folder,
            edge: Vec::new(),
            entries: Vec::new(),
            size: 0,
            checkpoint: Bytes::new(),
            filled: Vec::new(),
        })
    }

    /// Continues the files of a log of `size` entries.
    ///
    /// # Errors
    /// [`LedgerError::Inconsistent`] if the files do not make `frontier`; the caller rebuilds.
    pub fn load(
        disk: Arc<dyn Disk>,
        logs: &Path,
        origin: &str,
        frontier: &Frontier,
        checkpoint: Bytes,
    ) -> Result<Self, LedgerError> {
        let mut publisher = Self::create(disk, logs, origin)?;
        let size = frontier.size();
        let mut count = size;
        while count > 0 {
            let kind = TileKind::Hashes(level_number(publisher.edge.len()));
            let hashes = match edge_tile(kind, count) {
                Some(tile) => publisher
                    .read_tile(tile)?
                    .chunks_exact(32)
                    .map(to_hash)
                    .collect(),
                None => Vec::new(),
            };
            publisher.edge.push(hashes);
            count /= WIDTH;
        }
        if let Some(tile) = edge_tile(TileKind::Entries, size) {
            publisher.entries = publisher.read_entries(tile)?;
        }
        publisher.size = size;
        publisher.checkpoint = checkpoint;
        let hashed = publisher.entries.iter().map(|entry| log::leaf_hash(entry));
        let row = publisher.edge.first().into_iter().flatten();
        let agrees = publisher.edge_root(size) == frontier.root() && row.copied().eq(hashed);
        if agrees {
            Ok(publisher)
        } else {
            Err(LedgerError::Inconsistent)
        }
    }

    /// Name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Publishes the receipt of a log's first entry, which says what log it follows. Spec: BAK-21.
    ///
    /// # Errors
    /// Whatever the disk says; [`LedgerError::Record`] for what is no receipt.
    pub fn begin(
        disk: &dyn Disk,
        logs: &Path,
        origin: &str,
        receipt: &[u8],
    ) -> Result<(), LedgerError> {
        let receipt = v1::Receipt::decode(receipt).map_err(|_| LedgerError::Record)?;
        let text = receipt::to_tlog_proof_text(&receipt).map_err(|_| LedgerError::Record)?;
        let folder = logs.join(origin);
        disk.create_dir_all(&folder)?;
        Ok(disk::replace(
            disk,
            &folder.join(BEGUN_FILE),
            text.as_bytes(),
        )?)
    }

    /// Entries in the files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Brings the files, then the index, up to the tail.
    ///
    /// # Errors
    /// Whatever the disk or the index says; the journal is not touched, so a later call catches up.
    pub fn publish(&mut self, tail: &Mutex<Tail>, index: &Index) -> Result<(), LedgerError> {
        let (leaves, origin, state) = {
            let mut tail = tail.lock().expect("no holder of the tail panics");
            if !tail.dirty {
                return Ok(());
            }
            tail.dirty = false;
            let state = State {
                position: tail.end.to_u64(),
                size: tail.frontier.size(),
                frontier: tail
                    .frontier
                    .hashes()
                    .iter()
                    .map(|hash| Bytes::copy_from_slice(hash))
                    .collect(),
                checkpoint: tail.checkpoint.clone(),
                last_ms: tail.last_ms,
                form: INDEX_FORM,
            };
            (std::mem::take(&mut tail.leaves), tail.origin.clone(), state)
        };
        if origin != self.origin {
            match Self::create(self.disk.clone(), &self.logs, &origin) {
                Ok(next) => *self = next,
                Err(error) => {
                    tail.lock()
                        .expect("no holder of the tail panics")
                        .give_back(leaves);
                    return Err(error);
                }
            }
        }
        // Equal bytes are written again after a failure, so trying anew starts from here.
        let edge = (self.edge.clone(), self.entries.clone(), self.size);
        if let Err(error) = self.extend(&leaves, &state.checkpoint) {
            (self.edge, self.entries, self.size) = edge;
            self.filled.clear();
            tail.lock()
                .expect("no holder of the tail panics")
                .give_back(leaves);
            return Err(error);
        }
        index.flush(&state.encode_to_vec()).map_err(|error| {
            // The files are ahead of the index then; the next call brings it up to them.
            tail.lock()
                .expect("no holder of the tail panics")
                .give_back(Vec::new());
            LedgerError::from(error)
        })?;
        self.remove_partials();
        Ok(())
    }

    /// Takes away the partial forms of tiles that are full, once nothing here begins from them any
    /// more. What stays after a failure costs its space and nothing else. Spec: AUD-2.
    fn remove_partials(&mut self) {
        for tile in std::mem::take(&mut self.filled) {
            let folder = self.folder.join(format!("{}.p", tile.path()));
            let names = self.disk.list(&folder).unwrap_or_default();
            let removed = names
                .iter()
                .try_for_each(|name| self.disk.remove(&folder.join(name)))
                .and_then(|()| match names.is_empty() {
                    true => Ok(()),
                    false => self.disk.remove_dir(&folder),
                });
            if let Err(error) = removed {
                tracing::debug!(%error, "partial tiles stay beside their full one");
            }
        }
    }

    /// Adds leaves to the files, then their checkpoint.
    fn extend(&mut self, leaves: &[[u8; 48]], checkpoint: &Bytes) -> Result<(), LedgerError> {
        if leaves.is_empty() && *checkpoint == self.checkpoint {
            return Ok(());
        }
        for leaf in leaves {
            self.push_entry(*leaf)?;
            self.push_hash(0, log::leaf_hash(leaf))?;
            self.size += 1;
        }
        self.write_partials()?;
        self.write("checkpoint", checkpoint, true)?;
        self.checkpoint = checkpoint.clone();
        Ok(())
    }

    /// The inclusion proof of entry `index` in the tree of `size` published entries.
    ///
    /// # Errors
    /// [`LedgerError::Inconsistent`] beyond the published size; disk errors.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, LedgerError> {
        if size > self.size || index >= size {
            return Err(LedgerError::Inconsistent);
        }
        log::inclusion_proof(index, size, |level, position| self.hash_at(level, position))
    }

    /// The consistency proof between two published sizes.
    ///
    /// # Errors
    /// As [`Publisher::inclusion_proof`].
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, LedgerError> {
        if new > self.size || old > new {
            return Err(LedgerError::Inconsistent);
        }
        log::consistency_proof(old, new, |level, position| self.hash_at(level, position))
    }

    /// Publishes a head that enough witnesses have cosigned, beside the newest one. Spec: AUD-10.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn put_witnessed(&self, note: &[u8]) -> io::Result<()> {
        self.write(WITNESSED, note, false)
    }

    /// The checkpoint that goes with the published files; empty for an empty log.
    #[must_use]
    pub fn checkpoint(&self) -> Bytes {
        self.checkpoint.clone()
    }

    /// The entry `index` as published: 48 bytes.
    ///
    /// # Errors
    /// As [`Publisher::inclusion_proof`].
    pub fn entry(&self, index: u64) -> Result<[u8; 48], LedgerError> {
        let place = usize::try_from(index % WIDTH).map_err(|_| LedgerError::Inconsistent)?;
        let bundle = index / WIDTH;
        let entry = if bundle == self.size / WIDTH {
            self.entries.get(place).copied()
        } else {
            let tile = Tile {
                kind: TileKind::Entries,
                index: bundle,
                width: TILE_WIDTH,
            };
            self.read_entries(tile)?.get(place).copied()
        };
        entry.ok_or(LedgerError::Inconsistent)
    }

    /// The stored root of the complete subtree `index` of `level`.
    fn hash_at(&self, level: u8, index: u64) -> Result<Hash, LedgerError> {
        let tile = Tile::holding(level, index, self.size).ok_or(LedgerError::Inconsistent)?;
        let content = match tile.kind {
            TileKind::Hashes(row) if tile.width < TILE_WIDTH => self
                .edge
                .get(usize::from(row))
                .map(|hashes| hashes.concat())
                .unwrap_or_default(),
            _ => self.read_tile(tile)?,
        };
        tile.subtree(&content, level, index)
            .map_err(|_| LedgerError::Inconsistent)
    }

    fn push_entry(&mut self, leaf: [u8; 48]) -> Result<(), LedgerError> {
        self.entries.push(leaf);
        if self.entries.len() == usize::from(TILE_WIDTH) {
            let tile = Tile {
                kind: TileKind::Entries,
                index: self.size / WIDTH,
                width: TILE_WIDTH,
            };
            self.write(&tile.path(), &bundle(&self.entries)?, true)?;
            self.filled.push(tile);
            self.entries.clear();
        }
        Ok(())
    }

    fn push_hash(&mut self, level: usize, hash: Hash) -> Result<(), LedgerError> {
        if self.edge.len() == level {
            self.edge.push(Vec::new());
        }
        self.edge[level].push(hash);
        if self.edge[level].len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        let full = std::mem::take(&mut self.edge[level]);
        let row = level_number(level);
        // `size` still counts the entries before this one, so it lies inside the tile that is full now.
        let tile = Tile {
            kind: TileKind::Hashes(row),
            index: (self.size >> (8 * row)) / WIDTH,
            width: TILE_WIDTH,
        };
        self.write(&tile.path(), &full.concat(), true)?;
        self.filled.push(tile);
        self.push_hash(level + 1, perfect_root(&full))
    }

    fn write_partials(&self) -> Result<(), LedgerError> {
        for (level, hashes) in (0..).zip(&self.edge) {
            if let Some(tile) = edge_tile(TileKind::Hashes(level), self.size >> (8 * level)) {
                self.write(&tile.path(), &hashes.concat(), false)?;
            }
        }
        if let Some(tile) = edge_tile(TileKind::Entries, self.size) {
            self.write(&tile.path(), &bundle(&self.entries)?, false)?;
        }
        Ok(())
    }

    /// Readers see the old file or the whole new one. Full tiles are synced: they are never
    /// written again. A partial tile lost in a power cut is noticed at start and rebuilt.
    fn write(&self, path: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let path = self.folder.join(path);
        let parent = path.parent().unwrap_or(&self.folder);
        self.disk.create_dir_all(parent)?;
        match sync {
            true => disk::replace(self.disk.as_ref(), &path, bytes),
            false => disk::put(self.disk.as_ref(), &path, bytes),
        }
    }

    fn read_tile(&self, tile: Tile) -> Result<Vec<u8>, LedgerError> {
        let bytes = disk::read_all(
            self.disk.as_ref(),
            &self.folder.join(tile.path()),
            FILE_BYTES_MAX,
        )?;
        if bytes.len() == usize::from(tile.width) * 32 {
            Ok(bytes)
        } else {
            Err(LedgerError::Inconsistent)
        }
    }

    fn read_entries(&self, tile: Tile) -> Result<Vec<[u8; 48]>, LedgerError> {
        let bytes = disk::read_all(
            self.disk.as_ref(),
            &self.folder.join(tile.path()),
            FILE_BYTES_MAX,
        )?;
        let entries = tile::entries(&bytes, tile.width).map_err(|_| LedgerError::Inconsistent)?;
        let entries = entries
            .into_iter()
            .map(|entry| entry.try_into().map_err(|_| LedgerError::Inconsistent));
        entries.collect()
    }

    /// The root that the edge tiles make for a tree of `size` leaves.
    fn edge_root(&self, size: u64) -> Hash {
        let mut subtrees: Vec<Hash> = Vec::new();
        for hashes in self.edge.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let count = 1_usize << rest.len().ilog2();
                let (perfect, after) = rest.split_at(count);
                subtrees.push(perfect_root(perfect));
                rest = after;
            }
        }
        Frontier::from_hashes(size, subtrees).map_or([0; 32], |frontier| frontier.root())
    }
}

/// The tile at the right edge of a row of `count`, unless the row ends with a full one.
fn edge_tile(kind: TileKind, count: u64) -> Option<Tile> {
    let width = u16::try_from(count % WIDTH)
        .ok()
        .filter(|width| *width > 0)?;
    Some(Tile {
        kind,
        index: count / WIDTH,
        width,
    })
}

fn bundle(entries: &[[u8; 48]]) -> Result<Vec<u8>, LedgerError> {
    let mut bundle = Vec::with_capacity(entries.len() * 50);
    for entry in entries {
        tile::put_entry(&mut bundle, entry).map_err(|_| LedgerError::Inconsistent)?;
    }
    Ok(bundle)
}

fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            log::node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

fn level_number(level: usize) -> u8 {
    u8::try_from(level).expect("a tree of 2^64 leaves has eight tile levels")
}

fn to_hash(bytes: &[u8]) -> Hash {
    bytes.try_into().expect("chunks of exactly 32 bytes")
}
