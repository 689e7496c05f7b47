//! Inclusion and consistency proofs: making them from stored subtrees, and checking them.
//!
//! The checks are those of RFC 9162 §2.1.3.2 and §2.1.4.2. Spec: LOG-11, LOG-12.

use super::{Hash, SIZE_MAX, empty_root, node_hash, tree};
use crate::{error::WireCode, limits};

/// Why a proof does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// There is no such entry in a tree of this size.
    #[error("entry index outside the tree")]
    IndexOutside,
    /// Larger than a log can be.
    #[error("tree size over the limit")]
    Size,
    /// The newer tree is the smaller one.
    #[error("the later tree is smaller than the earlier one")]
    Shrunk,
    /// More hashes than any proof has.
    #[error("proof has too many hashes")]
    TooLong,
    /// Too few or too many hashes for these sizes.
    #[error("proof has the wrong number of hashes")]
    WrongLength,
    /// The path leads to another root.
    #[error("inclusion proof leads to another root")]
    RootMismatch,
    /// The proof does not contain the earlier tree.
    #[error("consistency proof does not lead to the earlier root")]
    OldRootMismatch,
    /// The proof does not lead to the later tree.
    #[error("consistency proof does not lead to the later root")]
    NewRootMismatch,
}

impl From<ProofError> for WireCode {
    fn from(_: ProofError) -> Self {
        Self::BadProof
    }
}

/// Checks that the entry with `leaf_hash` stands at `index` in the tree of `size` and `root`.
/// Spec: LOG-11.
///
/// # Errors
/// [`ProofError`] unless exactly this proof shows it.
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    hashes: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    check_sizes(size, hashes)?;
    if index >= size {
        return Err(ProofError::IndexOutside);
    }
    let (mut position, mut last) = (index, size - 1);
    let mut node = *leaf_hash;
    for hash in hashes {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if position & 1 == 1 || position == last {
            node = node_hash(hash, &node);
            // A node without right sibling stood alone on the levels skipped here.
            let alone = position.trailing_zeros();
            position >>= alone;
            last >>= alone;
        } else {
            node = node_hash(&node, hash);
        }
        position >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    (node == *root)
        .then_some(())
        .ok_or(ProofError::RootMismatch)
}

/// Checks that the tree of `new_size` and `new_root` begins with that of `old_size` and
/// `old_root`. Spec: LOG-12.
///
/// # Errors
/// [`ProofError`] unless exactly this proof shows it.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    hashes: &[Hash],
) -> Result<(), ProofError> {
    check_sizes(new_size, hashes)?;
    if old_size > new_size {
        return Err(ProofError::Shrunk);
    }
    if old_size == 0 || old_size == new_size {
        return verify_trivial(old_size, old_root, new_size, new_root, hashes);
    }
    // A power of two is one complete subtree: its root is known and not repeated in the proof.
    let (old, new) = match old_size.is_power_of_two() {
        true => walk(old_size, new_size, old_root, hashes)?,
        false => proven_roots(old_size, new_size, hashes)?,
    };
    if old != *old_root {
        return Err(ProofError::OldRootMismatch);
    }
    (new == *new_root)
        .then_some(())
        .ok_or(ProofError::NewRootMismatch)
}

/// The roots of both trees to which the hashes of a consistency proof lead, for sizes above 0 that
/// differ. A proof from a power of two leaves out the root of that subtree; here it stands first.
/// Where the later root is a signed one, the earlier one is what that head begins with. Spec: LOG-12.
///
/// # Errors
/// [`ProofError`] for other sizes or a wrong number of hashes.
pub fn proven_roots(
    old_size: u64,
    new_size: u64,
    hashes: &[Hash],
) -> Result<(Hash, Hash), ProofError> {
    if old_size == 0 || old_size >= new_size {
        return Err(ProofError::Shrunk);
    }
    let (start, rest) = hashes.split_first().ok_or(ProofError::WrongLength)?;
    walk(old_size, new_size, start, rest)
}

/// Walks from the last subtree of the earlier tree up to both roots.
fn walk(
    old_size: u64,
    new_size: u64,
    start: &Hash,
    rest: &[Hash],
) -> Result<(Hash, Hash), ProofError> {
    let (mut position, mut last) = (old_size - 1, new_size - 1);
    let skipped = position.trailing_ones();
    position >>= skipped;
    last >>= skipped;
    let (mut old, mut new) = (*start, *start);
    for hash in rest {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if position & 1 == 1 || position == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            let alone = position.trailing_zeros().min(63);
            position >>= alone;
            last >>= alone;
        } else {
            new = node_hash(&new, hash);
        }
        position >>= 1;
        last >>= 1;
    }
    match last {
        0 => Ok((old, new)),
        _ => Err(ProofError::WrongLength),
    }
}

fn verify_trivial(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    hashes: &[Hash],
) -> Result<(), ProofError> {
    if !hashes.is_empty() {
        return Err(ProofError::WrongLength);
    }
    if old_size == 0 && *old_root != empty_root() {
        return Err(ProofError::OldRootMismatch);
    }
    if old_size == new_size && old_root != new_root {
        return Err(ProofError::NewRootMismatch);
    }
    Ok(())
}

fn check_sizes(size: u64, hashes: &[Hash]) -> Result<(), ProofError> {
    if size > SIZE_MAX {
        return Err(ProofError::Size);
    }
    if hashes.len() > limits::PROOF_HASHES_MAX {
        return Err(ProofError::TooLong);
    }
    Ok(())
}

/// Proves the entry at `index` in the tree of `size`. `read(level, index)` gives the root of a
/// complete subtree; only subtrees within `size` are asked for. Spec: LOG-11.
///
/// # Errors
/// [`ProofError::IndexOutside`], [`ProofError::Size`], and what `read` returns.
pub fn inclusion_proof<E: From<ProofError>>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    check_sizes(size, &[])?;
    if index >= size {
        return Err(ProofError::IndexOutside.into());
    }
    let mut hashes = Vec::new();
    for level in 0..u8::try_from(bits(size - 1)).unwrap_or(u8::MAX) {
        let sibling = (index >> level) ^ 1;
        let start = sibling << level;
        if start < size {
            let end = size.min(start + (1 << level));
            hashes.push(range_root(start, end, &mut read)?);
        }
    }
    Ok(hashes)
}

/// Proves that the tree of `new_size` begins with that of `old_size`. `read` as for
/// [`inclusion_proof`]. Spec: LOG-12.
///
/// # Errors
/// [`ProofError::Shrunk`], [`ProofError::Size`], and what `read` returns.
pub fn consistency_proof<E: From<ProofError>>(
    old_size: u64,
    new_size: u64,
    mut read: impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    check_sizes(new_size, &[])?;
    if old_size > new_size {
        return Err(ProofError::Shrunk.into());
    }
    let mut hashes = Vec::new();
    if old_size == 0 {
        return Ok(hashes);
    }
    // RFC 6962 §2.1.2, walking down; the proof lists the deepest hash first.
    let (mut start, mut end) = (0, new_size);
    while old_size < end {
        let half = 1 << (bits(end - start - 1) - 1);
        let middle = start + half;
        if old_size <= middle {
            hashes.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            hashes.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    if start > 0 {
        hashes.push(range_root(start, end, &mut read)?);
    }
    hashes.reverse();
    Ok(hashes)
}

/// How many bits a number takes.
const fn bits(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// Root over the entries `start..end`, where `start` is a multiple of a power of two that is at
/// least the length: the roots of its complete subtrees, largest first, folded.
fn range_root<E>(
    mut start: u64,
    end: u64,
    read: &mut impl FnMut(u8, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let mut hashes = Vec::new();
    while start < end {
        let level = (end - start).ilog2();
        hashes.push(read(
            u8::try_from(level).unwrap_or(u8::MAX),
            start >> level,
        )?);
        start += 1 << level;
    }
    Ok(tree::fold_right(&hashes).unwrap_or_else(empty_root))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{Frontier, batch_append, leaf_hash},
        *,
    };

    struct Store(BTreeMap<(u8, u64), Hash>, Vec<Hash>);

    impl Store {
        fn of(size: u64) -> Self {
            let leaves: Vec<Hash> = (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect();
            let parts = batch_append(&Frontier::new(), &leaves).completed;
            let nodes = parts.into_iter().map(|p| ((p.level, p.index), p.hash));
            Self(nodes.collect(), leaves)
        }

        fn read(&self, level: u8, index: u64) -> Result<Hash, ProofError> {
            Ok(self.0[&(level, index)])
        }

        fn root(&self, size: usize) -> Hash {
            batch_append(&Frontier::new(), &self.1[..size]).root
        }
    }

    // LOG-11: each way in which an inclusion proof fails has its own error.
    #[test]
    fn a_wrong_inclusion_proof_is_refused_by_its_reason() {
        let store = Store::of(7);
        let root = store.root(7);
        let leaf = store.1[4];
        let proof = inclusion_proof(4, 7, |l, i| store.read(l, i)).expect("inside");
        let check = |index, size, hashes: &[Hash], root: &Hash| {
            verify_inclusion(&leaf, index, size, hashes, root)
        };
        assert_eq!(check(4, 7, &proof, &root), Ok(()));
        assert_eq!(check(7, 7, &proof, &root), Err(ProofError::IndexOutside));
        assert_eq!(check(0, 0, &[], &root), Err(ProofError::IndexOutside));
        assert_eq!(
            check(4, 7, &proof[1..], &root),
            Err(ProofError::WrongLength)
        );
        let longer = [&proof[..], &[root]].concat();
        assert_eq!(check(4, 7, &longer, &root), Err(ProofError::WrongLength));
        assert_eq!(check(5, 7, &proof, &root), Err(ProofError::RootMismatch));
        assert_eq!(check(4, 7, &proof, &leaf), Err(ProofError::RootMismatch));
        assert_eq!(check(4, 7, &[root; 64], &root), Err(ProofError::TooLong));
        assert_eq!(check(4, SIZE_MAX + 1, &proof, &root), Err(ProofError::Size));
        assert_eq!(WireCode::from(ProofError::RootMismatch), WireCode::BadProof);
    }

    // LOG-12: each way in which a consistency proof fails has its own error.
    #[test]
    fn a_wrong_consistency_proof_is_refused_by_its_reason() {
        let store = Store::of(13);
        let (old, new) = (store.root(6), store.root(13));
        let proof = consistency_proof(6, 13, |l, i| store.read(l, i)).expect("grew");
        let check = verify_consistency;
        assert_eq!(check(6, &old, 13, &new, &proof), Ok(()));
        assert_eq!(check(13, &new, 6, &old, &proof), Err(ProofError::Shrunk));
        assert_eq!(
            check(6, &old, 13, &new, &proof[1..]),
            Err(ProofError::WrongLength)
        );
        assert_eq!(check(6, &old, 13, &new, &[]), Err(ProofError::WrongLength));
        assert_eq!(
            check(6, &new, 13, &new, &proof),
            Err(ProofError::OldRootMismatch)
        );
        assert_eq!(
            check(6, &old, 13, &old, &proof),
            Err(ProofError::NewRootMismatch)
        );
        assert_eq!(
            check(6, &old, 6, &new, &[]),
            Err(ProofError::NewRootMismatch)
        );
        assert_eq!(
            check(6, &old, 6, &old, &proof),
            Err(ProofError::WrongLength)
        );
        assert_eq!(
            check(0, &old, 13, &new, &[]),
            Err(ProofError::OldRootMismatch)
        );
        assert_eq!(check(0, &empty_root(), 13, &new, &[]), Ok(()));
        assert_eq!(check(6, &old, 6, &old, &[]), Ok(()));
        assert_eq!(
            check(6, &old, SIZE_MAX + 1, &new, &[]),
            Err(ProofError::Size)
        );
    }

    // LOG-12, AUD-3: the later root vouches for the earlier one, also where a proof leaves a root out.
    #[test]
    fn both_roots_follow_from_the_hashes_of_a_proof() {
        let store = Store::of(13);
        for old in 1..13 {
            let read = |level: u8, index| store.read(level, index);
            let mut hashes = consistency_proof(old, 13, read).expect("grew");
            if old.is_power_of_two() {
                let level = u8::try_from(old.ilog2()).expect("small");
                hashes.insert(0, store.read(level, 0).expect("stored"));
            }
            let size = usize::try_from(old).expect("small");
            let roots = proven_roots(old, 13, &hashes);
            assert_eq!(roots, Ok((store.root(size), store.root(13))), "{old}");
            let short = proven_roots(old, 13, &hashes[1..]);
            assert_ne!(short, roots);
        }
        assert_eq!(proven_roots(0, 13, &[]), Err(ProofError::Shrunk));
        assert_eq!(proven_roots(13, 13, &[]), Err(ProofError::Shrunk));
        assert_eq!(proven_roots(3, 13, &[]), Err(ProofError::WrongLength));
    }

    // LOG-11, LOG-12: making a proof outside the tree is an error, not a panic.
    #[test]
    fn proofs_outside_the_tree_are_not_made() {
        let none = |_, _| Err(ProofError::RootMismatch);
        assert_eq!(inclusion_proof(3, 3, none), Err(ProofError::IndexOutside));
        assert_eq!(inclusion_proof(0, u64::MAX, none), Err(ProofError::Size));
        assert_eq!(consistency_proof(4, 3, none), Err(ProofError::Shrunk));
        assert_eq!(consistency_proof(1, u64::MAX, none), Err(ProofError::Size));
    }

    // LOG-16: the largest log still proves with as many hashes as the limit allows.
    #[test]
    fn the_largest_tree_needs_no_more_hashes_than_allowed() {
        let any = |level: u8, _| -> Result<Hash, ProofError> { Ok([level; 32]) };
        let longest = inclusion_proof(0, SIZE_MAX, any).expect("inside");
        assert_eq!(longest.len(), limits::PROOF_HASHES_MAX);
        let longest = consistency_proof(SIZE_MAX / 2 - 1, SIZE_MAX, any).expect("grew");
        assert!(longest.len() <= limits::PROOF_HASHES_MAX + 1);
    }
}
