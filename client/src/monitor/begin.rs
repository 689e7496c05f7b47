//! Taking up a head: what contradicts the one before is found out before an entry is read.
//! Spec: AUD-3.

use std::collections::{BTreeMap, VecDeque, btree_map::Entry};

use bytes::Bytes;
use frex_proto::{
    label::Hash,
    log::{self, Checkpoint, Edge, FollowError, ProofError, Tile, tile::TILE_WIDTH},
};

use super::{Fault, Followed, Monitor};

/// Entries of a full bundle, as a count.
pub(super) const WIDTH: u64 = TILE_WIDTH as u64;

impl Monitor {
    /// Begins to read up to `head`, which whoever calls believes by its signature; `note` is it as
    /// served. `read` fetches a hash tile; some O(log n) of them are asked for.
    ///
    /// # Errors
    /// [`Fault::Follow`] if it contradicts what was taken before, [`Fault::Tile`], [`Fault::Root`] if
    /// there is nothing to read and that does not make its root, and what `read` returns.
    pub fn begin<E: From<Fault> + From<ProofError>>(
        followed: Followed,
        head: Checkpoint,
        note: Bytes,
        read: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        if let Some(before) = followed.taken() {
            extends(&before, &head, read)?;
        }
        let verified = Checkpoint::of_note(&followed.verified).ok();
        let before = verified.map_or(followed.first, |head| head.size);
        let mut monitor = Self {
            before,
            edge: followed.edge.clone(),
            last_ms: followed.last_ms,
            bundle: followed.edge.size() / WIDTH,
            pending: VecDeque::new(),
            followed: Followed {
                head: note,
                ..followed
            },
            target: head,
        };
        if monitor.edge.size() == monitor.target.size && monitor.edge.root() != monitor.target.root
        {
            return Err(Fault::Root.into());
        }
        if before == monitor.target.size {
            // Nothing is new but, perhaps, who has cosigned it.
            monitor.bundle = before.div_ceil(WIDTH);
            monitor.followed.verified = monitor.followed.head.clone();
        }
        Ok(monitor)
    }
}

impl Followed {
    /// Begins a log at a later entry than its first, at the start of its bundle: those before it may
    /// have been taken away. At its end it can begin where a bundle ends there. Spec: AUD-6.
    ///
    /// # Errors
    /// [`Fault::Outside`], [`Fault::Follow`], and what `read` returns.
    pub fn from_entry<E: From<Fault>>(
        first: u64,
        head: &Checkpoint,
        mut read: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let is_end = first == head.size && first.is_multiple_of(WIDTH);
        if first >= head.size && !is_end {
            return Err(Fault::Outside(head.size).into());
        }
        let first = first / WIDTH * WIDTH;
        let mut rows = Vec::new();
        for level in (0..64_u8).step_by(8).take_while(|level| first >> level > 0) {
            let count = first >> level;
            let width = usize::try_from(count % WIDTH).unwrap_or_default();
            let mut row: Vec<Hash> = Vec::new();
            if width > 0 {
                let tile = Tile::holding(level, count - 1, head.size)
                    .ok_or(Fault::Follow(FollowError::Hashes))?;
                let content = read(&tile)?;
                row.extend(content.as_chunks().0.iter().take(width));
            }
            rows.push(row);
        }
        let edge = Edge::from_rows(first, rows).map_err(|_| Fault::Follow(FollowError::Hashes))?;
        Ok(Self {
            first,
            edge,
            ..Self::default()
        })
    }

    /// The head that was taken last.
    #[must_use]
    pub fn taken(&self) -> Option<Checkpoint> {
        Checkpoint::of_note(&self.head).ok()
    }
}

/// Compares a head with the one before it, by the published hashes. `read` fetches a hash tile of the new
/// tree. Spec: AUD-3.
///
/// # Errors
/// As [`Monitor::begin`].
pub fn extends<E: From<Fault> + From<ProofError>>(
    before: &Checkpoint,
    head: &Checkpoint,
    mut read: impl FnMut(&Tile) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    let (old, new) = (before.size, head.size);
    // Neighbouring subtrees lie in one tile, and there are few tiles.
    let mut known: BTreeMap<Tile, Vec<u8>> = BTreeMap::new();
    let mut subtree = |level, index| -> Result<Hash, E> {
        let tile = Tile::holding(level, index, new).ok_or(Fault::Follow(FollowError::Hashes))?;
        let content = match known.entry(tile) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(read(&tile)?),
        };
        let hash = tile.subtree(content, level, index);
        Ok(hash.map_err(|_| Fault::Tile(tile.path()))?)
    };
    let mut hashes = Vec::new();
    // Of other sizes there is nothing to prove.
    if before.origin == head.origin && 0 < old && old < new {
        hashes = log::consistency_proof(old, new, &mut subtree)?;
        if old.is_power_of_two() {
            let level = u8::try_from(old.ilog2()).unwrap_or(u8::MAX);
            hashes.insert(0, subtree(level, 0)?);
        }
    }
    head.follows(before, &hashes)
        .map_err(|error| Fault::Follow(error).into())
}
