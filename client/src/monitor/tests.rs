//! A log made up in memory, followed over its growth, and over what it must not do.

use std::collections::BTreeMap;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    log::{self, Checkpoint, Edge, FollowError, Leaf, Tile, TileKind, checkpoint, tile},
    v1::Event,
};

use super::{Fault, Followed, Monitor, StateError};

const ORIGIN: &str = "frex/example/node.example-a/log/1";

/// A published log: its files and its heads.
#[derive(Default)]
struct Published {
    edge: Edge,
    leaves: Vec<[u8; 48]>,
    files: BTreeMap<Tile, Vec<u8>>,
}

impl Published {
    fn of(count: u64) -> Self {
        let mut published = Self::default();
        published.grow(count, 0);
        published
    }

    /// Adds entries, each with `salt` in its commitment, and what they make.
    fn grow(&mut self, count: u64, salt: u8) {
        for _ in 0..count {
            let index = self.edge.size();
            self.push(leaf(1_900_000_000_000 + index, salt));
        }
    }

    fn push(&mut self, leaf: [u8; 48]) {
        let old = self.edge.size();
        self.leaves.push(leaf);
        self.files.extend(self.edge.push(log::leaf_hash(&leaf)));
        self.files.extend(self.edge.partials());
        let touched = Tile::touched(old, old + 1);
        let bundle = touched
            .into_iter()
            .find(|tile| tile.kind == TileKind::Entries);
        let bundle = bundle.expect("one bundle grows");
        let mut content = Vec::new();
        let first = usize::try_from(bundle.first()).expect("small");
        for leaf in &self.leaves[first..] {
            tile::put_entry(&mut content, leaf).expect("short");
        }
        self.files.insert(bundle, content);
    }

    fn head(&self) -> (Checkpoint, Bytes) {
        let head = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: self.edge.size(),
            root: self.edge.root(),
        };
        let key = SigningKey::from_seed(&[7; 32]);
        let note = checkpoint::sign(&head, &key).expect("valid head");
        (head, note)
    }

    fn read(&self, tile: &Tile) -> Result<Vec<u8>, Fault> {
        let content = self.files.get(tile).cloned();
        content.ok_or_else(|| Fault::Bundle(tile.path()))
    }

    /// A whole visit; gives what is kept, and the files that were read.
    fn visit(&self, followed: Followed) -> Result<(Followed, Vec<Tile>), Fault> {
        let (head, note) = self.head();
        let mut monitor = Monitor::begin(followed, head, note, |tile| self.read(tile))?;
        let mut read = Vec::new();
        while let Some(tile) = monitor.wanted(1).first() {
            read.push(*tile);
            monitor.take(&self.read(tile)?)?;
        }
        assert!(monitor.wanted(9).is_empty());
        assert_eq!(monitor.followed().verified, monitor.followed().head);
        Ok((monitor.followed().clone(), read))
    }
}

fn leaf(time_ms: u64, salt: u8) -> [u8; 48] {
    *Leaf::build(Event::Accepted, time_ms, &[salt; 32], b"made up").as_bytes()
}

// AUD-3, AUD-4, AUD-5: a visit reads what is new and nothing twice but the bundle that was not full, and
// what is kept between two visits is kept as text.
#[test]
fn a_log_is_followed_over_its_growth() {
    let (mut published, mut followed) = (Published::default(), Followed::default());
    let mut size = 0;
    for more in [0, 1, 1, 254, 1, 255, 256, 300, 65_000, 1_000] {
        published.grow(more, 0);
        let (kept, read) = published.visit(followed).expect("an honest log");
        let entries = |tile: &&Tile| tile.kind == TileKind::Entries;
        let bundles: Vec<u64> = read.iter().filter(entries).map(|tile| tile.index).collect();
        let due = match more {
            0 => 0..0,
            _ => size / 256..(size + more).div_ceil(256),
        };
        assert_eq!(bundles, due.collect::<Vec<u64>>());
        size += more;
        assert_eq!(kept.verified, published.head().1);
        let text = kept.to_text();
        assert!(text.len() < super::state::STATE_BYTES_MAX);
        followed = Followed::from_text(&text).expect("own output");
        assert_eq!(followed, kept);
    }
}

// AUD-5: stopped at any file, it goes on with what was kept at the end of the last whole bundle.
#[test]
fn a_visit_goes_on_where_it_was_stopped() {
    let mut published = Published::of(2_000);
    let (head, note) = published.head();
    let read = |tile: &Tile| published.read(tile);
    let mut monitor = Monitor::begin(Followed::default(), head, note, read).expect("honest");
    for _ in 0..9 {
        let tile = monitor.wanted(1)[0];
        monitor
            .take(&published.read(&tile).expect("there"))
            .expect("honest");
    }
    let kept = monitor.followed().clone();
    assert_eq!((kept.edge.size(), kept.verified.len()), (1024, 0));
    published.grow(1, 0);
    let (kept, read) = published.visit(kept).expect("an honest log");
    assert_eq!((read[0].kind, read[0].index), (TileKind::Entries, 4));
    assert_eq!(kept.verified, published.head().1);
}

// AUD-3, WIT-10: a second history is found by its head, or by some hash tiles, before an entry is read,
// whatever the size at which it parts.
#[test]
fn a_log_that_takes_back_what_it_signed_is_found_out() {
    for size in [1, 2, 255, 256, 300, 512, 777] {
        let published = Published::of(size);
        let (kept, _) = published.visit(Followed::default()).expect("honest");
        let mut other = Published::of(size - 1);
        other.grow(1, 9);
        let forked = other.visit(kept.clone()).unwrap_err();
        assert_eq!(forked, Fault::Follow(FollowError::Forked));
        other.grow(600, 0);
        let rewritten = other.visit(kept.clone()).unwrap_err();
        assert_eq!(rewritten, Fault::Follow(FollowError::Rewritten), "{size}");
        assert_eq!(WireCode::from(&rewritten), WireCode::LogRewritten);
        let shrunk = Published::of(size - 1).visit(kept).unwrap_err();
        assert_eq!(shrunk, Fault::Follow(FollowError::Shrunk));
    }
}

// AUD-4: any changed bit of any file that is read is found, and never taken for a second history.
#[test]
fn a_damaged_file_is_no_evidence_against_the_log() {
    let mut published = Published::of(700);
    let (kept, _) = published.visit(Followed::default()).expect("honest");
    published.grow(700, 0);
    let (_, read) = published.visit(kept.clone()).expect("honest");
    let mut files = read.clone();
    files.extend(
        published
            .files
            .keys()
            .filter(|tile| matches!(tile.kind, TileKind::Hashes(_))),
    );
    for tile in files {
        let good = published.files[&tile].clone();
        for place in [0, good.len() / 2, good.len() - 1] {
            published.files.get_mut(&tile).expect("read")[place] ^= 0x10;
            match published.visit(kept.clone()) {
                Err(fault) => assert_eq!(
                    WireCode::from(&fault),
                    WireCode::BadProof,
                    "{} {fault}",
                    tile.path()
                ),
                // A file that this visit does not need stays unread.
                Ok(_) => assert!(!read.contains(&tile), "{} at {place}", tile.path()),
            }
            published.files.insert(tile, good.clone());
        }
    }
}

// LOG-2, LOG-18, AUD-4: entries that the log signed and that no log may have.
#[test]
fn entries_that_no_log_may_have_are_refused() {
    let mut published = Published::of(300);
    published.push(leaf(1_900_000_000_000 + 298, 0));
    assert_eq!(
        published.visit(Followed::default()).unwrap_err(),
        Fault::Backwards(300)
    );
    // The time is carried from one visit to the next.
    let (kept, _) = Published::of(300)
        .visit(Followed::default())
        .expect("honest");
    assert_eq!(published.visit(kept).unwrap_err(), Fault::Backwards(300));
    let mut published = Published::of(3);
    published.push([0; 48]);
    assert_eq!(
        published.visit(Followed::default()).unwrap_err(),
        Fault::Leaf(3)
    );
}

// AUD-4: entries and hash tiles that fit each other and not the head.
#[test]
fn files_of_another_tree_do_not_make_the_signed_root() {
    let (mut other, published) = (Published::of(299), Published::of(300));
    other.grow(1, 9);
    let (head, note) = published.head();
    let read = |tile: &Tile| other.read(tile);
    let mut monitor = Monitor::begin(Followed::default(), head, note, read).expect("the first");
    let fault = loop {
        let tile = monitor.wanted(1)[0];
        if let Err(fault) = monitor.take(&other.read(&tile).expect("there")) {
            break fault;
        }
    };
    assert_eq!(fault, Fault::Root);
}

// AUD-6: a log whose beginning was taken away is followed from a later entry on.
#[test]
fn a_log_is_followed_from_a_later_entry_on() {
    let mut published = Published::of(66_000);
    let (head, _) = published.head();
    let first = 65_900;
    published
        .files
        .retain(|tile, _| !Tile::below(0, first).any(|gone| gone == *tile));
    let begun = Followed::from_entry(first, &head, |tile| published.read(tile));
    let begun = begun.expect("what is needed is there");
    assert_eq!((begun.first, begun.edge.size()), (65_792, 65_792));
    let (kept, read) = published.visit(begun).expect("honest");
    assert!(
        read.iter()
            .all(|tile| tile.kind != TileKind::Entries || tile.index >= 257)
    );
    published.grow(500, 0);
    published.visit(kept).expect("honest");
    let outside = Followed::from_entry(66_000, &head, |tile| published.read(tile));
    assert_eq!(outside.unwrap_err(), Fault::Outside(66_000));
}

// AUD-4, AUD-8: where all entries were taken away there is nothing to read, and the hashes must make the root.
#[test]
fn a_log_of_which_no_entry_is_left_has_its_root_all_the_same() {
    let (mut other, mut published) = (Published::of(511), Published::of(512));
    other.grow(1, 9);
    let (head, _) = published.head();
    let begun = |of: &Published| Followed::from_entry(512, &head, |tile| of.read(tile));
    let kept = begun(&published).expect("a bundle ends here");
    let (kept, read) = published.visit(kept).expect("honest");
    assert_eq!((kept.first, read), (512, Vec::new()));
    let forged = begun(&other).expect("hashes as they are");
    assert_eq!(published.visit(forged).unwrap_err(), Fault::Root);
    published.grow(300, 0);
    let (_, read) = published.visit(kept).expect("honest");
    assert_eq!((read[0].kind, read[0].index), (TileKind::Entries, 2));
}

// AUD-5: damage to what is kept is told as that, and nothing is said of the log.
#[test]
fn a_damaged_state_accuses_nobody() {
    let (kept, _) = Published::of(300)
        .visit(Followed::default())
        .expect("honest");
    let text = kept.to_text();
    for place in (0..text.len()).step_by(7) {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 1;
        let damaged = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(
            Followed::from_text(&damaged),
            Err(StateError::Damaged),
            "{place}"
        );
    }
    assert_eq!(Followed::from_text(""), Err(StateError::Damaged));
    let mut other = Published::of(3);
    other.grow(0, 0);
    let mut kept = kept;
    let head = Checkpoint {
        origin: "frex/example/node.example-b/log/1".to_owned(),
        ..other.head().0
    };
    kept.head = checkpoint::sign(&head, &SigningKey::from_seed(&[7; 32])).expect("valid head");
    let fault = other.visit(kept).unwrap_err();
    assert_eq!(fault, Fault::Follow(FollowError::OtherLog));
}
