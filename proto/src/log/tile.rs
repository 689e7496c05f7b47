//! The log as files: C2SP tlog-tiles. Spec: LOG-14, LOG-15.

use super::{Hash, SIZE_MAX, Tile, TileKind, empty_root, node_hash};
use crate::error::WireCode;

/// Hashes or entries of a full tile.
pub const TILE_WIDTH: u16 = 256;
/// Levels of the tree that one tile spans.
pub const TILE_HEIGHT: u8 = 8;

/// Why a tile or an entry bundle is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// An entry of more than 65,535 bytes.
    #[error("entry too long for a bundle")]
    EntryTooLong,
    /// A file whose content is not what its name says.
    #[error("tile content does not fit its width")]
    Width,
    /// A hash that this tile does not hold.
    #[error("hash is not in this tile")]
    NotHere,
}

impl From<TileError> for WireCode {
    fn from(_: TileError) -> Self {
        Self::Malformed
    }
}

impl Tile {
    /// The entry bundle with this number in a log of `size` entries. Spec: LOG-15.
    #[must_use]
    pub fn bundle(index: u64, size: u64) -> Self {
        let width = size.saturating_sub(index.saturating_mul(TILE_WIDTH.into()));
        Self {
            kind: TileKind::Entries,
            index,
            width: u16::try_from(width).map_or(TILE_WIDTH, |width| width.min(TILE_WIDTH)),
        }
    }

    /// Path below the log's folder. Spec: LOG-14.
    #[must_use]
    pub fn path(&self) -> String {
        let mut number = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let level = match self.kind {
            TileKind::Hashes(level) => level.to_string(),
            TileKind::Entries => "entries".to_owned(),
        };
        let partial = match self.width {
            TILE_WIDTH => String::new(),
            width => format!(".p/{width}"),
        };
        format!("tile/{level}/{number}{partial}")
    }

    /// The first hash of its level, or the first entry, that this tile holds.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.index * TILE_WIDTH as u64
    }

    /// The first entry behind those that this tile spans when it is full: none at the end of all logs.
    /// Spec: AUD-8.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        let level = match self.kind {
            TileKind::Hashes(level) => u32::from(level),
            TileKind::Entries => 0,
        };
        let span = 1_u64.checked_shl(u32::from(TILE_HEIGHT) * (level + 1))?;
        self.index.checked_add(1)?.checked_mul(span)
    }

    /// The tile of the same place that is not partial. Spec: LOG-14.
    #[must_use]
    pub const fn full(&self) -> Self {
        Self {
            kind: self.kind,
            index: self.index,
            width: TILE_WIDTH,
        }
    }

    /// What this tile holds, out of the content of one of the same place that holds more: a log may
    /// take a partial tile away once it is full. Spec: AUD-2.
    ///
    /// # Errors
    /// [`TileError::Width`].
    pub fn cut(&self, content: &[u8]) -> Result<Vec<u8>, TileError> {
        let width = usize::from(self.width);
        let bytes = match self.kind {
            TileKind::Hashes(_) => width * 32,
            TileKind::Entries => {
                let mut rest = content;
                for _ in 0..width {
                    (_, rest) = split_entry(rest)?;
                }
                content.len() - rest.len()
            }
        };
        let part = content.get(..bytes).ok_or(TileError::Width)?;
        Ok(part.to_vec())
    }

    /// The full tiles and bundles that lie below `minimum` and not all below `before`: those that a
    /// log may take away when the least entry that it publishes rises. Spec: AUD-8.
    pub fn below(before: u64, minimum: u64) -> impl Iterator<Item = Self> {
        let levels = (0..=63 / TILE_HEIGHT).map(|level| (TileKind::Hashes(level), level));
        levels
            .chain([(TileKind::Entries, 0)])
            .flat_map(move |(kind, level)| {
                let span = TILE_HEIGHT * (level + 1);
                let ends = [before, minimum].map(|at| at.checked_shr(span.into()).unwrap_or(0));
                (ends[0]..ends[1]).map(move |index| Self {
                    kind,
                    index,
                    width: TILE_WIDTH,
                })
            })
    }

    /// The tiles to write when the tree grows: every one whose content or width changes, hashes
    /// by rising level and then entries. Spec: LOG-14.
    #[must_use]
    pub fn touched(old_size: u64, new_size: u64) -> Vec<Self> {
        let mut tiles = Vec::new();
        let levels = (0..=63 / TILE_HEIGHT).map(|level| (TileKind::Hashes(level), level));
        for (kind, level) in levels.chain([(TileKind::Entries, 0)]) {
            let (old, new) = (
                old_size >> (level * TILE_HEIGHT),
                new_size >> (level * TILE_HEIGHT),
            );
            if old < new {
                tiles.extend(row(kind, old / u64::from(TILE_WIDTH), new));
            }
        }
        tiles
    }

    /// The hash tile of a tree of `size` that holds what the subtree `index` of `level` is
    /// computed from, for a complete subtree within `size`. Spec: LOG-14.
    #[must_use]
    pub fn holding(level: u8, index: u64, size: u64) -> Option<Self> {
        let end = index
            .checked_add(1)?
            .checked_mul(1_u64.checked_shl(level.into())?)?;
        if end > size || size > SIZE_MAX {
            return None;
        }
        let tile_level = level / TILE_HEIGHT;
        let first = index << (level % TILE_HEIGHT);
        let count = size >> (tile_level * TILE_HEIGHT);
        let index = first / u64::from(TILE_WIDTH);
        let kind = TileKind::Hashes(tile_level);
        row(kind, index, count).next()
    }

    /// The root of the subtree `index` of `level` from the content of the tile that
    /// [`Tile::holding`] names. Spec: LOG-14.
    ///
    /// # Errors
    /// [`TileError::Width`], [`TileError::NotHere`].
    pub fn subtree(&self, content: &[u8], level: u8, index: u64) -> Result<Hash, TileError> {
        let (hashes, odd) = content.as_chunks::<32>();
        if !odd.is_empty() || hashes.len() != usize::from(self.width) {
            return Err(TileError::Width);
        }
        if self.kind != TileKind::Hashes(level / TILE_HEIGHT) {
            return Err(TileError::NotHere);
        }
        let height = level % TILE_HEIGHT;
        let start = (index << height)
            .checked_sub(self.first())
            .and_then(|start| usize::try_from(start).ok())
            .ok_or(TileError::NotHere)?;
        let part = hashes
            .get(start..start.saturating_add(1 << height))
            .ok_or(TileError::NotHere)?;
        Ok(fold_complete(part))
    }
}

/// The tiles of one row from `first` on, for a row of `count` hashes or entries.
fn row(kind: TileKind, first: u64, count: u64) -> impl Iterator<Item = Tile> {
    let width = u64::from(TILE_WIDTH);
    (first..count.div_ceil(width)).map(move |index| Tile {
        kind,
        index,
        width: u16::try_from(width.min(count - index * width)).unwrap_or(TILE_WIDTH),
    })
}

/// Root over a power of two of hashes.
pub(super) fn fold_complete(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let pairs = row.as_chunks::<2>().0;
        row = pairs.iter().map(|[l, r]| node_hash(l, r)).collect();
    }
    row.first().copied().unwrap_or_else(empty_root)
}

/// Appends one entry to an entry bundle: its length as a big-endian 16-bit number, then itself.
/// Spec: LOG-15.
///
/// # Errors
/// [`TileError::EntryTooLong`].
pub fn put_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong)?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle, which must be exactly `width`. Spec: LOG-15.
///
/// # Errors
/// [`TileError::Width`].
pub fn entries(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut rest = bundle;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = split_entry(rest)?;
        found.push(entry);
        rest = after;
    }
    if found.len() != usize::from(width) {
        return Err(TileError::Width);
    }
    Ok(found)
}

/// The first entry of a bundle, and what follows it.
fn split_entry(bundle: &[u8]) -> Result<(&[u8], &[u8]), TileError> {
    let (length, after) = bundle.split_first_chunk().ok_or(TileError::Width)?;
    let length = usize::from(u16::from_be_bytes(*length));
    after.split_at_checked(length).ok_or(TileError::Width)
}

#[cfg(test)]
mod tests {
    use super::*;

    // LOG-14: the examples of the tlog-tiles specification.
    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |kind, index, width| Tile { kind, index, width }.path();
        let full = path(TileKind::Hashes(0), 1_234_067, TILE_WIDTH);
        assert_eq!(full, "tile/0/x001/x234/067");
        assert_eq!(path(TileKind::Hashes(1), 0, 17), "tile/1/000.p/17");
        let entries = path(TileKind::Entries, 1067, 112);
        assert_eq!(entries, "tile/entries/x001/067.p/112");
    }

    // LOG-14: the example of the tlog-tiles specification, a tree of 70,000 entries.
    #[test]
    fn a_tree_has_the_tiles_of_the_specification() {
        let all = Tile::touched(0, 70_000);
        let count = |kind, full: bool| {
            let of_kind = |t: &&Tile| t.kind == kind && (t.width == TILE_WIDTH) == full;
            all.iter().filter(of_kind).count()
        };
        assert_eq!(count(TileKind::Hashes(0), true), 273);
        assert_eq!(count(TileKind::Hashes(1), true), 1);
        assert_eq!(count(TileKind::Hashes(2), true), 0);
        let has = |kind, index, width| all.contains(&Tile { kind, index, width });
        assert!(has(TileKind::Hashes(0), 273, 112));
        assert!(has(TileKind::Hashes(1), 1, 17));
        assert!(has(TileKind::Hashes(2), 0, 1));
        assert!(has(TileKind::Entries, 273, 112));
        assert!(Tile::touched(256, 256).is_empty());
    }

    // LOG-15
    #[test]
    fn a_bundle_reads_back_and_a_cut_or_miscounted_one_is_refused() {
        let mut bundle = Vec::new();
        for entry in [&b"one"[..], b"", &[7; 48]] {
            put_entry(&mut bundle, entry).expect("short entry");
        }
        let read = entries(&bundle, 3).expect("own output");
        assert_eq!(read, [&b"one"[..], b"", &[7; 48]]);
        assert_eq!(entries(&bundle, 2), Err(TileError::Width));
        for length in 0..bundle.len() {
            assert_eq!(entries(&bundle[..length], 3), Err(TileError::Width));
        }
        let long = vec![0; 65_536];
        assert_eq!(put_entry(&mut bundle, &long), Err(TileError::EntryTooLong));
    }

    // AUD-2
    #[test]
    fn a_partial_tile_is_what_a_fuller_one_begins_with() {
        let partial = |kind, width| Tile {
            kind,
            index: 3,
            width,
        };
        let hashes = [[7_u8; 32], [8; 32], [9; 32]].concat();
        let two = partial(TileKind::Hashes(1), 2);
        assert_eq!(two.full().path(), "tile/1/003");
        assert_eq!(two.cut(&hashes), Ok(hashes[..64].to_vec()));
        assert_eq!(two.cut(&hashes[..63]), Err(TileError::Width));
        let mut bundle = Vec::new();
        put_entry(&mut bundle, b"one").expect("short");
        let one = bundle.clone();
        put_entry(&mut bundle, b"three").expect("short");
        let of = |width| partial(TileKind::Entries, width).cut(&bundle);
        assert_eq!((of(1), of(2)), (Ok(one), Ok(bundle.clone())));
        assert_eq!(of(3), Err(TileError::Width));
    }

    // AUD-8: the rule of the tlog-tiles specification, an end index at or below the minimum.
    #[test]
    fn what_may_be_taken_away_ends_at_or_below_the_minimum() {
        for (before, minimum) in [
            (0, 0),
            (0, 255),
            (0, 70_000),
            (300, 131_072),
            (65_536, 65_791),
        ] {
            let named: Vec<Tile> = Tile::below(before, minimum).collect();
            let end = |tile: &Tile| tile.end().expect("small");
            assert!(
                named
                    .iter()
                    .all(|tile| end(tile) <= minimum && end(tile) > before)
            );
            let all = Tile::touched(0, minimum).into_iter();
            let due = all.filter(|tile| tile.width == TILE_WIDTH && end(tile) > before);
            assert_eq!(due.count(), named.len(), "{before} to {minimum}");
        }
    }

    // LOG-14
    #[test]
    fn a_subtree_outside_its_tile_is_refused() {
        assert_eq!(Tile::holding(0, 5, 5), None);
        assert_eq!(Tile::holding(3, 0, 7), None);
        assert_eq!(Tile::holding(63, u64::MAX, 7), None);
        let tile = Tile::holding(1, 1, 5).expect("within");
        assert_eq!((tile.kind, tile.width), (TileKind::Hashes(0), 5));
        let content = [[1_u8; 32]; 5].concat();
        let root = node_hash(&[1; 32], &[1; 32]);
        assert_eq!(tile.subtree(&content, 1, 1), Ok(root));
        assert_eq!(tile.subtree(&content, 1, 2), Err(TileError::NotHere));
        assert_eq!(tile.subtree(&content, 8, 0), Err(TileError::NotHere));
        assert_eq!(tile.subtree(&content[1..], 1, 1), Err(TileError::Width));
        assert_eq!(tile.subtree(&content[32..], 1, 1), Err(TileError::Width));
    }
}
