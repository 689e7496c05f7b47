//! The right edge of a tree as tiles: what makes every tile of a log from its entries, in the memory
//! of a few tiles. Spec: LOG-14.

use super::{
    Edge, Frontier, Hash, Tile, TileKind, TreeError,
    tile::{TILE_HEIGHT, TILE_WIDTH, fold_complete},
};

/// Hashes of a full tile, as a count.
const WIDTH: u64 = TILE_WIDTH as u64;

impl Edge {
    /// The edge of the tree without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of a tree of `size` from the hashes of its partial tiles, by rising level.
    ///
    /// # Errors
    /// [`TreeError`] when they cannot belong together. Whether they are the right ones is told by
    /// comparing [`Edge::root`] with a signed checkpoint.
    pub fn from_rows(size: u64, rows: Vec<Vec<Hash>>) -> Result<Self, TreeError> {
        if size > super::SIZE_MAX {
            return Err(TreeError::Size);
        }
        let fits = |(level, row): (u8, &Vec<Hash>)| row.len() as u64 == count(size, level) % WIDTH;
        let levels = (0_u8..).take_while(|level| count(size, *level) > 0);
        match levels.count() == rows.len() && (0..).zip(&rows).all(fits) {
            true => Ok(Self { size, rows }),
            false => Err(TreeError::HashCount),
        }
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the partial tiles, by rising level; none where the last tile is full.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Hash>] {
        &self.rows
    }

    /// Adds one entry's [`leaf_hash`](super::leaf_hash); gives the tiles that it fills, by rising
    /// level, with what they hold.
    pub fn push(&mut self, leaf_hash: Hash) -> Vec<(Tile, Vec<u8>)> {
        let mut filled = Vec::new();
        let mut hash = leaf_hash;
        self.size += 1;
        for level in 0_u8.. {
            let place = usize::from(level);
            if self.rows.len() == place {
                self.rows.push(Vec::new());
            }
            let row = &mut self.rows[place];
            row.push(hash);
            if row.len() < usize::from(TILE_WIDTH) {
                break;
            }
            let tile = Tile {
                kind: TileKind::Hashes(level),
                index: count(self.size, level) / WIDTH - 1,
                width: TILE_WIDTH,
            };
            hash = fold_complete(row);
            filled.push((tile, std::mem::take(row).concat()));
        }
        filled
    }

    /// The partial tiles, by rising level, with what they hold.
    pub fn partials(&self) -> impl Iterator<Item = (Tile, Vec<u8>)> {
        let rows = (0_u8..).zip(&self.rows);
        rows.filter_map(|(level, row)| {
            let width = u16::try_from(row.len()).ok().filter(|width| *width > 0)?;
            let tile = Tile {
                kind: TileKind::Hashes(level),
                index: count(self.size, level) / WIDTH,
                width,
            };
            Some((tile, row.concat()))
        })
    }

    /// The root of the whole tree.
    ///
    /// # Panics
    /// Never: the lengths of the rows are the digits of the size.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut subtrees = Vec::new();
        for row in self.rows.iter().rev() {
            let mut rest = row.as_slice();
            while !rest.is_empty() {
                let (complete, after) = rest.split_at(1 << rest.len().ilog2());
                subtrees.push(fold_complete(complete));
                rest = after;
            }
        }
        let frontier = Frontier::from_hashes(self.size, subtrees);
        frontier
            .expect("one complete subtree for each one-bit of the size")
            .root()
    }
}

/// Hashes of a level in a tree of `size`.
fn count(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::leaf_hash, *};

    // LOG-14: every tile comes once, full, and the edge is that of the tree.
    #[test]
    fn an_edge_makes_the_tiles_and_the_root_of_its_tree() {
        let (mut edge, mut tree, mut filled) = (Edge::new(), Frontier::new(), BTreeMap::new());
        for number in 0_u64..70_000 {
            let hash = leaf_hash(&number.to_be_bytes());
            for (tile, content) in edge.push(hash) {
                assert!(filled.insert(tile, content).is_none());
            }
            tree.append(hash);
            if number % 611 == 0 || number == 65_535 {
                assert_eq!(edge.root(), tree.root(), "{number}");
                let rows = edge.rows().to_vec();
                assert_eq!(Edge::from_rows(number + 1, rows), Ok(edge.clone()));
            }
        }
        let partials: BTreeMap<Tile, Vec<u8>> = edge.partials().collect();
        let mut wanted = Tile::touched(0, 70_000);
        wanted.retain(|tile| tile.kind != TileKind::Entries);
        let made = filled.keys().chain(partials.keys());
        assert!(
            wanted
                .iter()
                .all(|tile| made.clone().any(|one| one == tile))
        );
        assert_eq!(wanted.len(), filled.len() + partials.len());
        let all = filled.iter().chain(&partials);
        assert!(
            all.clone()
                .all(|(tile, bytes)| bytes.len() == 32 * usize::from(tile.width))
        );
    }

    // LOG-14
    #[test]
    fn rows_that_cannot_be_of_a_size_are_refused() {
        let refused = |size, rows| Edge::from_rows(size, rows).unwrap_err();
        assert_eq!(refused(2, vec![vec![[0; 32]]]), TreeError::HashCount);
        assert_eq!(refused(0, vec![vec![]]), TreeError::HashCount);
        assert_eq!(refused(256, vec![vec![]]), TreeError::HashCount);
        assert_eq!(refused(u64::MAX, Vec::new()), TreeError::Size);
        assert_eq!(Edge::from_rows(0, Vec::new()), Ok(Edge::new()));
    }
}
