//! RFC 6962 hashes kept in memory: enough for roots, paths and their check.

use frex_proto::label::{Hash, sha256};

/// Every complete subtree's hash, by level.
#[derive(Default)]
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

/// The incomplete right edge of a tree at one size.
pub struct Edge(Vec<Option<Hash>>);

pub fn leaf_hash(data: &[u8]) -> Hash {
    sha256(&[&[0], data])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

impl Tree {
    pub fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            let [.., left, right] = row[..] else { return };
            if row.len() % 2 == 1 {
                return;
            }
            hash = node_hash(&left, &right);
        }
    }

    /// The hashes above the last complete subtrees.
    pub fn edge(&self) -> Edge {
        let mut edge = vec![None];
        for row in &self.levels {
            let below = edge[edge.len() - 1];
            edge.push(match (row.last(), row.len() % 2) {
                (Some(last), 1) => Some(below.map_or(*last, |right| node_hash(last, &right))),
                _ => below,
            });
        }
        Edge(edge)
    }

    pub fn root(&self, edge: &Edge) -> Hash {
        let whole = self.levels.last().filter(|row| row.len() == 1);
        let partial = edge
            .0
            .get(self.levels.len().saturating_sub(1))
            .copied()
            .flatten();
        match (whole, partial) {
            (Some(row), None) => row[0],
            (Some(row), Some(right)) => node_hash(&row[0], &right),
            (None, _) => sha256(&[]),
        }
    }

    /// The audit path of a leaf, from its sibling to the root.
    pub fn path(&self, index: usize, edge: &Edge, out: &mut Vec<Hash>) {
        let mut place = index;
        for (level, row) in self.levels.iter().enumerate() {
            let sibling = place ^ 1;
            if let Some(hash) = row.get(sibling) {
                out.push(*hash);
            } else if let (true, Some(hash)) = (sibling == row.len(), edge.0[level]) {
                out.push(hash);
            }
            place /= 2;
        }
    }
}

/// Whether a path leads from the leaf to the root.
pub fn verify_path(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    follow_path(leaf, index, size, path).is_some_and(|reached| reached == *root)
}

/// The root that a path leads to, if it has the right length. RFC 9162, section 2.1.3.2.
pub fn follow_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut place, mut last, mut hash) = (index, size.checked_sub(1)?, leaf);
    if place > last {
        return None;
    }
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place % 2 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place.is_multiple_of(2) && place != 0 {
                place /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}
