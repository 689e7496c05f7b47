//! Growing a tree. Spec: LOG-1.

use super::{BatchAppend, Frontier, Hash, SIZE_MAX, Subtree, empty_root, node_hash};
use crate::error::WireCode;

/// A stored frontier is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A tree of this size has another number of complete subtrees.
    #[error("number of hashes does not fit the tree size")]
    HashCount,
    /// Larger than a log can be.
    #[error("tree size over the limit")]
    Size,
}

impl From<TreeError> for WireCode {
    fn from(_: TreeError) -> Self {
        Self::Malformed
    }
}

impl Frontier {
    /// The tree without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree from its stored size and hashes.
    ///
    /// # Errors
    /// [`TreeError`] when they cannot belong together. Whether the hashes are the right ones is
    /// told by comparing [`Frontier::root`] with a signed checkpoint.
    pub fn from_hashes(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        if size > SIZE_MAX {
            return Err(TreeError::Size);
        }
        if usize::try_from(size.count_ones()) != Ok(hashes.len()) {
            return Err(TreeError::HashCount);
        }
        Ok(Self { size, hashes })
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first: one per one-bit of the size.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends one entry's [`leaf_hash`](super::leaf_hash).
    ///
    /// # Panics
    /// Never: the number of hashes follows from the size.
    pub fn append(&mut self, leaf_hash: Hash) {
        let mut node = leaf_hash;
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .hashes
                .pop()
                .expect("one hash per one-bit of the size, as every constructor ensures");
            node = node_hash(&left, &node);
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_right(&self.hashes).unwrap_or_else(empty_root)
    }
}

/// Root over neighbouring complete subtrees of falling size.
pub(super) fn fold_right(hashes: &[Hash]) -> Option<Hash> {
    let (last, rest) = hashes.split_last()?;
    let fold = |right: Hash, left: &Hash| node_hash(left, &right);
    Some(rest.iter().rev().fold(*last, fold))
}

/// Appends a batch and proves each new entry in the tree after it, from the frontier alone: one
/// pass of O(batch + log n) hashes, with no stored node read. Spec: LOG-1, LOG-11.
#[must_use]
pub fn batch_append(frontier: &Frontier, leaves: &[Hash]) -> BatchAppend {
    if leaves.is_empty() {
        return BatchAppend {
            frontier: frontier.clone(),
            root: frontier.root(),
            proofs: Vec::new(),
            completed: Vec::new(),
        };
    }
    let old_size = frontier.size;
    let size = old_size + leaves.len() as u64;
    let rows = right_edge(frontier, leaves);
    let proofs = (old_size..size).map(|index| path(&rows, index)).collect();
    let grown = Frontier {
        size,
        hashes: grown_hashes(&rows, size),
    };
    BatchAppend {
        root: grown.root(),
        frontier: grown,
        proofs,
        completed: completed(&rows, old_size, size),
    }
}

/// The nodes of one level that a batch touches, from an even position to the right edge. A last
/// node without sibling stands unchanged in the row above, as RFC 6962's split implies.
struct Row {
    first: u64,
    nodes: Vec<Hash>,
}

impl Row {
    fn node(&self, index: u64) -> Option<&Hash> {
        self.nodes
            .get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }
}

fn right_edge(frontier: &Frontier, leaves: &[Hash]) -> Vec<Row> {
    let mut kept = frontier.hashes.iter().rev();
    let mut fresh = leaves.to_vec();
    let mut rows = Vec::new();
    loop {
        let position = frontier.size >> rows.len();
        let mut nodes = Vec::with_capacity(fresh.len() + 1);
        if position & 1 == 1 {
            // An odd position means that the frontier keeps this level's left sibling.
            nodes.extend(kept.next());
        }
        nodes.append(&mut fresh);
        fresh = nodes.chunks(2).map(join).collect();
        let top = position <= 1 && nodes.len() == 1;
        let first = position & !1;
        rows.push(Row { first, nodes });
        if top {
            return rows;
        }
    }
}

fn join(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node_hash(left, right),
        [alone, ..] => *alone,
        [] => empty_root(),
    }
}

fn path(rows: &[Row], index: u64) -> Vec<Hash> {
    let sibling = |(level, row): (usize, &Row)| row.node((index >> level) ^ 1).copied();
    rows.iter().enumerate().filter_map(sibling).collect()
}

fn grown_hashes(rows: &[Row], size: u64) -> Vec<Hash> {
    let last_complete = |(level, row): (usize, &Row)| {
        let count = size >> level;
        (count & 1 == 1).then(|| row.node(count - 1).copied())?
    };
    rows.iter()
        .enumerate()
        .rev()
        .filter_map(last_complete)
        .collect()
}

fn completed(rows: &[Row], old_size: u64, size: u64) -> Vec<Subtree> {
    let mut found = Vec::new();
    for (level, row) in (0_u8..).zip(rows) {
        for index in (old_size >> level)..(size >> level) {
            found.extend(row.node(index).map(|hash| Subtree {
                level,
                index,
                hash: *hash,
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::leaf_hash, *};

    fn leaves(from: u64, to: u64) -> Vec<Hash> {
        (from..to).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    // LOG-1
    #[test]
    fn a_batch_grows_the_tree_as_single_appends_do() {
        for old in 0..70 {
            let mut single = Frontier::new();
            leaves(0, old).into_iter().for_each(|l| single.append(l));
            let before = single.clone();
            for new in old..old + 20 {
                let grown = batch_append(&before, &leaves(old, new));
                assert_eq!(grown.frontier, single, "{old} to {new}");
                assert_eq!(grown.root, single.root());
                single.append(leaf_hash(&new.to_be_bytes()));
            }
        }
    }

    // LOG-1
    #[test]
    fn a_frontier_reads_back_from_its_hashes_and_refuses_a_wrong_count() {
        let mut tree = Frontier::new();
        leaves(0, 11).into_iter().for_each(|l| tree.append(l));
        let hashes = tree.hashes().to_vec();
        assert_eq!(Frontier::from_hashes(11, hashes.clone()), Ok(tree));
        assert_eq!(
            Frontier::from_hashes(12, hashes.clone()),
            Err(TreeError::HashCount)
        );
        assert_eq!(
            Frontier::from_hashes(SIZE_MAX + 1, hashes),
            Err(TreeError::Size)
        );
    }

    // LOG-1: every complete subtree is handed out exactly once, whatever the batches.
    #[test]
    fn batches_complete_each_subtree_once() {
        let (mut tree, mut seen) = (Frontier::new(), std::collections::BTreeMap::new());
        for step in [1_u64, 2, 5, 1, 8, 64, 3, 16] {
            let old = tree.size();
            let grown = batch_append(&tree, &leaves(old, old + step));
            for part in grown.completed {
                assert!(seen.insert((part.level, part.index), part.hash).is_none());
            }
            tree = grown.frontier;
        }
        let size = tree.size();
        let complete: u64 = (0..64).map(|level| size >> level).sum();
        assert_eq!(seen.len() as u64, complete);
    }
}
