//! Inclusion and consistency proofs.

use frex_proto::log::{
    Checkpoint, Frontier, Hash, ProofError, consistency_proof, inclusion_proof, leaf_hash,
    node_hash,
};

use crate::{Vector, notes::log_origin};

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = inclusion();
    vectors.extend(bad_inclusion());
    vectors.extend(consistency());
    vectors.extend(bad_consistency());
    vectors.extend(followed());
    vectors
}

fn leaf(number: u64) -> Hash {
    leaf_hash(format!("leaf {number}").as_bytes())
}

fn root(size: u64) -> Hash {
    let mut frontier = Frontier::new();
    (0..size).for_each(|number| frontier.append(leaf(number)));
    frontier.root()
}

fn subtree(level: u8, index: u64) -> Hash {
    match level {
        0 => leaf(index),
        _ => node_hash(
            &subtree(level - 1, 2 * index),
            &subtree(level - 1, 2 * index + 1),
        ),
    }
}

fn read(level: u8, index: u64) -> Result<Hash, ProofError> {
    Ok(subtree(level, index))
}

/// One inclusion proof with what belongs to it.
struct Inclusion {
    leaf: Hash,
    index: u64,
    size: u64,
    hashes: Vec<Hash>,
    root: Hash,
}

impl Inclusion {
    fn of(index: u64, size: u64) -> Self {
        Self {
            leaf: leaf(index),
            index,
            size,
            hashes: inclusion_proof(index, size, read).expect("inside the tree"),
            root: root(size),
        }
    }

    fn vector(&self, name: &str, spec: &str, what: &str, expect: &str) -> Vector {
        Vector::new("log", name, spec, what, "verify_inclusion")
            .hex("leaf_hash", self.leaf)
            .set("index", self.index)
            .set("size", self.size)
            .hexes("hashes", &self.hashes)
            .hex("root", self.root)
            .expect(expect)
    }
}

fn inclusion() -> Vec<Vector> {
    let places = [
        (0, 1),
        (0, 2),
        (6, 7),
        (5, 7),
        (0, 8),
        (7, 8),
        (300, 301),
        (200, 301),
    ];
    let vector = |(index, size)| {
        let name = format!("inclusion-{index}-of-{size}");
        let what = format!("entry {index} of a tree of {size}");
        Inclusion::of(index, size).vector(&name, "LOG-11", &what, "ok")
    };
    places.into_iter().map(vector).collect()
}

#[rustfmt::skip] // A table: one row a vector.
fn bad_inclusion() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Inclusion), expect: &str| {
        let mut proof = Inclusion::of(5, 7);
        change(&mut proof);
        proof.vector(name, spec, what, expect)
    };
    vec![
        row("inclusion-index-at-the-size", "LOG-11", "index 7 of 7", &|p| p.index = 7, "IndexOutside"),
        row("inclusion-in-an-empty-tree", "LOG-11", "index 0 of 0", &|p| { p.index = 0; p.size = 0; }, "IndexOutside"),
        row("inclusion-one-hash-missing", "LOG-11", "a proof that ends early", &|p| { p.hashes.pop(); }, "WrongLength"),
        row("inclusion-one-hash-more", "LOG-11", "a proof with a hash more", &|p| p.hashes.push([0; 32]), "WrongLength"),
        row("inclusion-no-hashes", "LOG-11", "no proof at all", &|p| p.hashes.clear(), "WrongLength"),
        row("inclusion-64-hashes", "LIM-21", "more hashes than any proof has", &|p| p.hashes = vec![[0; 32]; 64], "TooLong"),
        row("inclusion-hash-changed", "LOG-11", "one bit of a hash changed", &|p| p.hashes[1][0] ^= 1, "RootMismatch"),
        row("inclusion-hashes-exchanged", "LOG-11", "two hashes in the wrong order", &|p| p.hashes.swap(0, 1), "RootMismatch"),
        row("inclusion-other-leaf", "LOG-11", "the leaf of another entry", &|p| p.leaf = leaf(4), "RootMismatch"),
        row("inclusion-leaf-not-hashed-as-one", "LOG-1", "a node's hash where a leaf's belongs", &|p| p.leaf = subtree(1, 2), "RootMismatch"),
        row("inclusion-other-index", "LOG-11", "the index of a neighbour", &|p| p.index = 4, "RootMismatch"),
        row("inclusion-other-root", "LOG-11", "the root of another size", &|p| p.root = root(8), "RootMismatch"),
        row("inclusion-size-over-the-limit", "LOG-16", "a size of 2^63", &|p| p.size = 1 << 63, "Size"),
    ]
}

struct Consistency {
    old_size: u64,
    old_root: Hash,
    new_size: u64,
    new_root: Hash,
    hashes: Vec<Hash>,
}

impl Consistency {
    fn of(old_size: u64, new_size: u64) -> Self {
        Self {
            old_size,
            old_root: root(old_size),
            new_size,
            new_root: root(new_size),
            hashes: consistency_proof(old_size, new_size, read).expect("a grown tree"),
        }
    }

    fn vector(&self, name: &str, what: &str, expect: &str) -> Vector {
        Vector::new("log", name, "LOG-12", what, "verify_consistency")
            .set("old_size", self.old_size)
            .hex("old_root", self.old_root)
            .set("new_size", self.new_size)
            .hex("new_root", self.new_root)
            .hexes("hashes", &self.hashes)
            .expect(expect)
    }
}

fn consistency() -> Vec<Vector> {
    let sizes = [
        (0, 0),
        (0, 5),
        (1, 1),
        (1, 2),
        (3, 7),
        (4, 8),
        (6, 8),
        (7, 8),
        (64, 301),
        (256, 257),
    ];
    let vector = |(old, new)| {
        let name = format!("consistency-{old}-{new}");
        let what = format!("a tree of {new} begins with the tree of {old}");
        Consistency::of(old, new).vector(&name, &what, "ok")
    };
    sizes.into_iter().map(vector).collect()
}

#[rustfmt::skip] // A table: one row a vector.
fn bad_consistency() -> Vec<Vector> {
    let row = |name: &str, what: &str, sizes: (u64, u64), change: &dyn Fn(&mut Consistency), expect: &str| {
        let mut proof = Consistency::of(sizes.0, sizes.1);
        change(&mut proof);
        proof.vector(name, what, expect)
    };
    vec![
        row("consistency-shrunk", "the later tree is smaller", (3, 7), &|p| p.new_size = 2, "Shrunk"),
        row("consistency-equal-with-a-hash", "equal sizes need no hashes", (3, 3), &|p| p.hashes.push([0; 32]), "WrongLength"),
        row("consistency-equal-other-root", "one size, two roots", (3, 3), &|p| p.new_root[0] ^= 1, "NewRootMismatch"),
        row("consistency-empty-other-root", "size 0 with a root that is not that of the empty tree", (0, 5), &|p| p.old_root = root(1), "OldRootMismatch"),
        row("consistency-empty-with-a-hash", "from size 0 no hashes are needed", (0, 5), &|p| p.hashes.push([0; 32]), "WrongLength"),
        row("consistency-one-hash-missing", "a proof that ends early", (3, 7), &|p| { p.hashes.pop(); }, "WrongLength"),
        row("consistency-no-hashes", "no proof at all", (3, 7), &|p| p.hashes.clear(), "WrongLength"),
        row("consistency-one-hash-more", "a proof with a hash more", (4, 8), &|p| p.hashes.push([0; 32]), "WrongLength"),
        row("consistency-old-root-changed", "another old root", (3, 7), &|p| p.old_root[0] ^= 1, "OldRootMismatch"),
        row("consistency-new-root-changed", "another new root", (3, 7), &|p| p.new_root[0] ^= 1, "NewRootMismatch"),
        row("consistency-hash-changed", "one bit of the last hash changed", (3, 7), &|p| p.hashes.last_mut().expect("a hash")[0] ^= 1, "NewRootMismatch"),
    ]
}

/// A head, the one before it, and the hashes that lead to both.
struct Followed {
    before: Checkpoint,
    head: Checkpoint,
    hashes: Vec<Hash>,
}

impl Followed {
    fn of(old: u64, new: u64) -> Self {
        let head = |size| Checkpoint {
            origin: log_origin(),
            size,
            root: root(size),
        };
        let mut hashes = Vec::new();
        if 0 < old && old < new {
            hashes = consistency_proof(old, new, read).expect("a grown tree");
        }
        if old.is_power_of_two() && old < new {
            let level = u8::try_from(old.ilog2()).expect("small");
            hashes.insert(0, subtree(level, 0));
        }
        Self {
            before: head(old),
            head: head(new),
            hashes,
        }
    }
}

#[rustfmt::skip] // A table: one row a vector.
fn followed() -> Vec<Vector> {
    let row = |name: &str, what: &str, sizes: (u64, u64), change: &dyn Fn(&mut Followed), expect: &str| {
        let mut followed = Followed::of(sizes.0, sizes.1);
        change(&mut followed);
        Vector::new("log", &format!("follow-{name}"), "AUD-3", what, "follow_head")
            .set("before", followed.before.text())
            .set("head", followed.head.text())
            .hexes("hashes", &followed.hashes)
            .expect(expect)
    };
    let other = |text: &str| leaf_hash(text.as_bytes());
    vec![
        row("grown", "a log of 6 that has 11 entries now", (6, 11), &|_| (), "ok"),
        row("grown-from-a-power-of-two", "the root of 8 entries stands first among the hashes", (8, 11), &|_| (), "ok"),
        row("grown-from-none", "whatever follows the empty log", (0, 11), &|_| (), "ok"),
        row("same", "nothing new", (11, 11), &|_| (), "ok"),
        row("of-another-log", "a head of another origin", (6, 11), &|f| f.head.origin.push('1'), "OtherLog"),
        row("shrunk", "a head of fewer entries", (11, 6), &|_| (), "Shrunk"),
        row("forked", "two roots of one size", (11, 11), &|f| f.head.root = other("x"), "Forked"),
        row("rewritten", "the hashes make the new root, and another old one", (6, 11), &|f| f.before.root = other("x"), "Rewritten"),
        row("rewritten-from-a-power-of-two", "the same, where a proof names no old root", (8, 11), &|f| f.before.root = other("x"), "Rewritten"),
        row("hash-changed", "a changed hash makes no new root, and accuses nobody", (6, 11), &|f| f.hashes[0][0] ^= 1, "Hashes"),
        row("start-changed", "the same, of the root that stands first", (8, 11), &|f| f.hashes[0][0] ^= 1, "Hashes"),
        row("head-of-another-tree", "hashes that do not lead to the head", (6, 11), &|f| f.head.root = other("x"), "Hashes"),
        row("one-hash-missing", "hashes that end early", (6, 11), &|f| { f.hashes.pop(); }, "Hashes"),
        row("one-hash-more", "hashes beyond the root", (6, 11), &|f| f.hashes.push([0; 32]), "Hashes"),
        row("no-hashes", "no hashes at all", (6, 11), &|f| f.hashes.clear(), "Hashes"),
    ]
}
