//! The log agrees with independent implementations of the same C2SP formats.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use frex_proto::{
    keys::SigningKey,
    log::{
        self, Checkpoint, Frontier, LogVerifier, NoteKey, ProofError, SignedNote, Tile, TileKind,
        checkpoint,
        proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion},
    },
};
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{tile, tlog};

const SIZE: u64 = 300;
const ORIGIN: &str = "frex/f.test/node-1/log/1";

/// Every stored hash of a tree of `SIZE` entries, in the oracle's order.
struct Oracle(Vec<tlog::Hash>);

impl tlog::HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.at(*index)).collect())
    }
}

impl Oracle {
    fn new() -> Self {
        let mut oracle = Self(Vec::new());
        for number in 0..SIZE {
            let hashes = tlog::stored_hashes(number, &entry(number), &oracle).expect("in order");
            oracle.0.extend(hashes);
        }
        oracle
    }

    fn at(&self, index: u64) -> tlog::Hash {
        self.0[usize::try_from(index).expect("small")]
    }

    fn root(&self, size: u64) -> [u8; 32] {
        tlog::tree_hash(size, self).expect("stored").0
    }

    fn read(&self, level: u8, index: u64) -> Result<[u8; 32], ProofError> {
        Ok(self.at(tlog::stored_hash_index(level, index)).0)
    }
}

fn entry(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(6)
}

fn theirs(hashes: &[[u8; 32]]) -> Vec<tlog::Hash> {
    hashes.iter().map(|hash| tlog::Hash(*hash)).collect()
}

fn ours(hashes: &[tlog::Hash]) -> Vec<[u8; 32]> {
    hashes.iter().map(|hash| hash.0).collect()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn verifier() -> LogVerifier {
    LogVerifier::new(ORIGIN.to_owned(), key().verifying_key())
}

/// The oracle's form of the same signing key.
fn their_signer() -> StandardSigner {
    let vkey = verifier().vkey();
    let id = vkey.split('+').nth(1).expect("own output");
    let seed = STANDARD.encode([&[1][..], &[7; 32]].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{seed}")).expect("same key id")
}

fn their_verifiers() -> VerifierList {
    let verifier = StandardVerifier::new(&verifier().vkey()).expect("our vkey");
    VerifierList::new(vec![Box::new(verifier)])
}

// LOG-1
#[test]
fn roots_of_all_sizes_agree() {
    let oracle = Oracle::new();
    let mut tree = Frontier::new();
    assert_eq!(tree.root(), tlog::EMPTY_HASH.0);
    for number in 0..SIZE {
        tree.append(log::leaf_hash(&entry(number)));
        assert_eq!(tree.root(), oracle.root(number + 1), "{number}");
    }
}

// LOG-11: 45,150 proofs, ours equal theirs, and each side accepts the other's.
#[test]
fn inclusion_proofs_of_all_sizes_agree() {
    let oracle = Oracle::new();
    for size in 1..=SIZE {
        let root = oracle.root(size);
        for index in 0..size {
            let leaf = log::leaf_hash(&entry(index));
            let our_proof = inclusion_proof(index, size, |l, i| oracle.read(l, i)).expect("inside");
            let their_proof = tlog::prove_record(size, index, &oracle).expect("inside");
            assert_eq!(our_proof, ours(&their_proof), "{index} of {size}");
            verify_inclusion(&leaf, index, size, &ours(&their_proof), &root).expect("their proof");
            let (root, leaf) = (tlog::Hash(root), tlog::Hash(leaf));
            tlog::check_record(&theirs(&our_proof), size, root, index, leaf).expect("our proof");
        }
    }
}

// LOG-12: 45,150 proofs, ours equal theirs, and each side accepts the other's.
#[test]
fn consistency_proofs_of_all_sizes_agree() {
    let oracle = Oracle::new();
    for new in 1..=SIZE {
        let new_root = oracle.root(new);
        for old in 1..=new {
            let old_root = oracle.root(old);
            let our_proof = consistency_proof(old, new, |l, i| oracle.read(l, i)).expect("grew");
            let their_proof = tlog::prove_tree(new, old, &oracle).expect("grew");
            assert_eq!(our_proof, ours(&their_proof), "{old} to {new}");
            verify_consistency(old, &old_root, new, &new_root, &ours(&their_proof))
                .expect("their proof");
            let (new_root, old_root) = (tlog::Hash(new_root), tlog::Hash(old_root));
            tlog::check_tree(&theirs(&our_proof), new, new_root, old, old_root).expect("our proof");
        }
    }
}

// LOG-11, LOG-12: what the oracle refuses, we refuse.
#[test]
fn proofs_for_another_place_are_refused_by_both() {
    let oracle = Oracle::new();
    for size in 1..=40 {
        let root = oracle.root(size);
        for index in 0..size {
            let proof = inclusion_proof(index, size, |l, i| oracle.read(l, i)).expect("inside");
            let leaf = log::leaf_hash(&entry(index));
            for (other, other_size) in (0..45).flat_map(|i| (1..45).map(move |s| (i, s))) {
                let our_word = verify_inclusion(&leaf, other, other_size, &proof, &root);
                let (root, leaf) = (tlog::Hash(root), tlog::Hash(leaf));
                let their_word = tlog::check_record(&theirs(&proof), other_size, root, other, leaf);
                assert_eq!(our_word.is_ok(), their_word.is_ok());
            }
        }
    }
}

// LOG-1, LOG-11: a batch's proofs from the frontier alone are those of the stored tree.
#[test]
fn batch_proofs_agree() {
    let oracle = Oracle::new();
    let leaves: Vec<_> = (0..SIZE).map(|n| log::leaf_hash(&entry(n))).collect();
    let mut tree = Frontier::new();
    let mut old = 0;
    for step in [1, 1, 3, 64, 7, 0, 100, 64, 2, 58_usize] {
        let new = old + step;
        let grown = log::batch_append(&tree, &leaves[old..new]);
        assert_eq!(grown.root, oracle.root(new as u64));
        for (index, proof) in (old as u64..).zip(&grown.proofs) {
            let theirs = tlog::prove_record(new as u64, index, &oracle).expect("inside");
            assert_eq!(*proof, ours(&theirs));
        }
        for part in &grown.completed {
            assert_eq!(Ok(part.hash), oracle.read(part.level, part.index));
        }
        (tree, old) = (grown.frontier, new);
    }
    assert_eq!(old as u64, SIZE);
}

// LOG-14
#[test]
fn tiles_and_their_paths_agree() {
    let sizes = [
        0, 1, 2, 255, 256, 257, 300, 511, 512, 65_535, 65_536, 65_537, 70_000,
    ];
    for new in sizes {
        for old in sizes.into_iter().filter(|old| *old <= new) {
            let their_paths: Vec<String> = tile::Tile::new_tiles(8, old, new)
                .iter()
                .map(|tile| tile.path().replace("tile/8/", "tile/"))
                .collect();
            let our_paths: Vec<String> = Tile::touched(old, new)
                .iter()
                .filter(|tile| tile.kind != TileKind::Entries)
                .map(Tile::path)
                .collect();
            assert_eq!(our_paths, their_paths, "{old} to {new}");
        }
    }
    let deep = tile::Tile::new(8, 0, 1_234_067, 256, false).path();
    let tile = Tile {
        kind: TileKind::Hashes(0),
        index: 1_234_067,
        width: 256,
    };
    assert_eq!(tile.path(), deep.replace("tile/8/", "tile/"));
}

// LOG-14: every stored hash comes back from tile files.
#[test]
fn subtrees_read_from_tiles_agree() {
    let oracle = Oracle::new();
    for level in 0..=8_u8 {
        for index in 0..SIZE >> level {
            let tile = Tile::holding(level, index, SIZE).expect("within the tree");
            let TileKind::Hashes(tile_level) = tile.kind else {
                panic!("hashes are in hash tiles");
            };
            let content: Vec<u8> = (tile.first()..)
                .take(usize::from(tile.width))
                .flat_map(|i| oracle.read(tile_level * 8, i).expect("stored"))
                .collect();
            let hash = tile.subtree(&content, level, index).expect("held here");
            assert_eq!(Ok(hash), oracle.read(level, index), "{level} {index}");
        }
    }
}

// LOG-5, LOG-7, LOG-8, LOG-9
#[test]
fn our_checkpoints_are_read_by_the_oracles() {
    let oracle = Oracle::new();
    for size in 1..=SIZE {
        let head = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: oracle.root(size),
        };
        let bytes = checkpoint::sign(&head, &key()).expect("valid head");
        let note = Note::from_bytes(&bytes).expect("well-formed");
        let (known, unknown) = note.verify(&their_verifiers()).expect("our signature");
        assert_eq!((known.len(), unknown.len()), (1, 0));
        let read = tlog_tiles::Checkpoint::from_bytes(note.text()).expect("well-formed");
        assert_eq!((read.origin(), read.size()), (ORIGIN, size));
        assert_eq!(read.hash().0, head.root);
        assert_eq!(read.extension(), "");
    }
}

// LOG-5, LOG-7, LOG-8, LOG-9
#[test]
fn the_oracles_checkpoints_are_read_by_us() {
    let oracle = Oracle::new();
    for size in 1..=SIZE {
        let root = tlog::Hash(oracle.root(size));
        let head = tlog_tiles::Checkpoint::new(ORIGIN, size, root, "").expect("valid");
        let mut note = Note::new(&head.to_bytes(), &[]).expect("valid");
        note.add_sigs(&[&their_signer()]).expect("valid name");
        let read = checkpoint::parse_and_verify(&note.to_bytes(), &verifier(), 0).expect("theirs");
        assert_eq!((read.size, read.root), (size, root.0));
        let again = SignedNote::parse(&note.to_bytes()).expect("theirs");
        assert_eq!(again.to_string().as_bytes(), note.to_bytes());
    }
}

// LOG-7, LOG-8
#[test]
fn our_notes_and_keys_agree_with_the_oracle() {
    let text = "one\n\ntwo \u{2014} three\n";
    let note = SignedNote::sign(text, ORIGIN, &key()).expect("plain text");
    let read = Note::from_bytes(note.to_string().as_bytes()).expect("well-formed");
    assert_eq!(read.text(), text.as_bytes());
    read.verify(&their_verifiers()).expect("our signature");
    assert_eq!(read.to_bytes(), note.to_string().as_bytes());
    let parsed = NoteKey::parse(&verifier().vkey()).expect("own output");
    assert_eq!(parsed.to_string(), verifier().vkey());
}
