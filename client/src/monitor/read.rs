//! Reading entries: every tile is made again from them and compared. Spec: AUD-4.

use frex_proto::log::{
    self, Checkpoint, Leaf, Tile, TileKind,
    tile::{self, TILE_HEIGHT},
};

use super::{Fault, Followed, Monitor, begin::WIDTH};

impl Monitor {
    /// The next files that are wanted, in order, about `most` of them; none when all was read.
    #[must_use]
    pub fn wanted(&self, most: usize) -> Vec<Tile> {
        let mut tiles: Vec<Tile> = self.pending.iter().map(|(tile, _)| *tile).collect();
        let mut bundle = self.bundle;
        while tiles.len() < most && bundle * WIDTH < self.target.size {
            tiles.push(Tile::bundle(bundle, self.target.size));
            tiles.extend(hashes_of(bundle, self.target.size));
            bundle += 1;
        }
        tiles
    }

    /// Takes the content of the first file that is [wanted](Self::wanted).
    ///
    /// # Errors
    /// [`Fault`] by what is wrong with it; nothing more is to be taken then.
    pub fn take(&mut self, content: &[u8]) -> Result<(), Fault> {
        match self.pending.pop_front() {
            Some((tile, made)) if content != made => return Err(Fault::Tile(tile.path())),
            Some(_) => {}
            None => self.read_bundle(content)?,
        }
        match self.pending.is_empty() {
            true => self.settle(),
            false => Ok(()),
        }
    }

    /// What is to be kept now, should it end here.
    #[must_use]
    pub const fn followed(&self) -> &Followed {
        &self.followed
    }

    /// The head that it reads up to.
    #[must_use]
    pub const fn target(&self) -> &Checkpoint {
        &self.target
    }

    /// Entries that were verified before this visit.
    #[must_use]
    pub const fn before(&self) -> u64 {
        self.before
    }

    fn read_bundle(&mut self, content: &[u8]) -> Result<(), Fault> {
        let bundle = Tile::bundle(self.bundle, self.target.size);
        let entries = tile::entries(content, bundle.width);
        for entry in entries.map_err(|_| Fault::Bundle(bundle.path()))? {
            let index = self.edge.size();
            let leaf = Leaf::parse(entry).map_err(|_| Fault::Leaf(index))?;
            if leaf.time_ms() < self.last_ms {
                return Err(Fault::Backwards(index));
            }
            self.last_ms = leaf.time_ms();
            self.pending.extend(self.edge.push(log::leaf_hash(entry)));
        }
        self.bundle += 1;
        if self.edge.size() == self.target.size {
            self.pending.extend(self.edge.partials());
        }
        Ok(())
    }

    /// A bundle and all that it completes were read.
    fn settle(&mut self) -> Result<(), Fault> {
        if self.edge.size().is_multiple_of(WIDTH) {
            self.followed.edge = self.edge.clone();
            self.followed.last_ms = self.last_ms;
        }
        if self.edge.size() < self.target.size {
            return Ok(());
        }
        if self.edge.root() != self.target.root {
            return Err(Fault::Root);
        }
        self.followed.verified = self.followed.head.clone();
        Ok(())
    }
}

/// The hash tiles that a bundle completes in a tree of `size`: those that it fills, and after the last
/// one the partial ones.
fn hashes_of(bundle: u64, size: u64) -> impl Iterator<Item = Tile> {
    let start = bundle * WIDTH;
    let end = size.min(start.saturating_add(WIDTH));
    let levels = (0..=63 / TILE_HEIGHT).map(move |level| {
        let counts = [start, end].map(|at| at >> (level * TILE_HEIGHT));
        let [before, after] = counts.map(|count| count / WIDTH);
        let tile = |index, width| Tile {
            kind: TileKind::Hashes(level),
            index,
            width,
        };
        if before < after {
            return Some(tile(before, tile::TILE_WIDTH));
        }
        let width = u16::try_from(counts[1] % WIDTH).unwrap_or_default();
        (end == size && width > 0).then(|| tile(after, width))
    });
    levels.flatten()
}
