#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use frex_proto::{attachment::chunk_frame, log};

use frex_proto::limits;

use super::*;
use crate::disk::RealDisk;

const NOW_MS: u64 = 1_900_000_000_000;
const MIB: usize = limits::CHUNK_BYTES + 16;
const FREE: u64 = u64::MAX;

struct Scene {
    dir: tempfile::TempDir,
    store: Attachments,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        Self { dir, store }
    }

    fn restart(&mut self) {
        self.store = open(self.dir.path());
    }

    fn names(&self) -> Vec<String> {
        RealDisk.list(&self.dir.path().join(FOLDER)).unwrap()
    }
}

fn open(data: &Path) -> Attachments {
    let index = Arc::new(Index::open(None).unwrap());
    let (failed, _) = watch::channel(None);
    Attachments::open(Arc::new(RealDisk), data, Workers::Inline, index, failed).unwrap()
}

/// Chunks of one value each, as a node sees them.
fn attachment(values: &[u8]) -> (Hashes, Vec<Vec<u8>>) {
    let chunks: Vec<Vec<u8>> = values.iter().map(|value| vec![*value; MIB]).collect();
    let hashes: Vec<Hash> = chunks.iter().map(|chunk| log::leaf_hash(chunk)).collect();
    (listed(&hashes), chunks)
}

fn listed(hashes: &[Hash]) -> Hashes {
    let mut tree = log::Frontier::new();
    hashes.iter().for_each(|hash| tree.append(*hash));
    let listed = Listed {
        root: tree.root(),
        bytes: (hashes.len() * MIB) as u64,
    };
    Hashes::parse(listed, &hashes.concat()).unwrap()
}

fn frame(number: u32, chunks: &[Vec<u8>]) -> Bytes {
    chunk_frame(number, &chunks[number as usize])
}

async fn held(store: &Attachments, listed: Listed) -> Result<Held, WireCode> {
    store.held(listed, "sender", (NOW_MS, FREE)).await
}

// ATT-13, ATT-15: what was durable is held after a restart, what came after it comes again, and with
// the last chunk it is whole.
#[tokio::test]
async fn a_transfer_goes_on_after_a_restart() {
    let mut scene = Scene::new();
    let (hashes, chunks) = attachment(&[1, 2, 3]);
    let listed = hashes.listed();
    assert_eq!(held(&scene.store, listed).await, Ok(Held::none(listed)));
    let incoming = scene
        .store
        .take(hashes.clone(), "sender", NOW_MS)
        .await
        .unwrap();
    assert_eq!(incoming.put(frame(1, &chunks), NOW_MS).await, Ok(false));
    incoming.settle(NOW_MS).await.unwrap();
    let incoming = scene
        .store
        .take(hashes.clone(), "sender", NOW_MS)
        .await
        .unwrap();
    assert_eq!(incoming.put(frame(2, &chunks), NOW_MS).await, Ok(false));

    scene.restart();
    let there = held(&scene.store, listed).await.unwrap();
    assert_eq!(there.missing().collect::<Vec<_>>(), [0, 2]);
    assert!(!scene.store.is_whole(listed, NOW_MS));
    let incoming = scene.store.take(hashes, "sender", NOW_MS).await.unwrap();
    assert_eq!(incoming.put(frame(2, &chunks), NOW_MS).await, Ok(false));
    let wrong = chunk_frame(0, &chunks[1]);
    assert_eq!(
        incoming.put(wrong, NOW_MS).await,
        Err(WireCode::BadEnvelope)
    );
    assert_eq!(incoming.put(frame(0, &chunks), NOW_MS).await, Ok(true));
    assert!(scene.store.is_whole(listed, NOW_MS));

    scene.restart();
    assert!(scene.store.is_whole(listed, NOW_MS));
    assert_eq!(held(&scene.store, listed).await, Ok(Held::all(listed)));
    let outgoing = scene.store.give(listed, NOW_MS).await.unwrap();
    for (number, chunk) in (0..).zip(&chunks) {
        assert_eq!(outgoing.chunk(number).await.as_ref(), Ok(chunk));
    }
}

// ATT-15: a power cut between the last bit and the name leaves nothing that is never whole.
#[tokio::test]
async fn what_lacks_its_name_alone_gets_it() {
    let mut scene = Scene::new();
    let (hashes, chunks) = attachment(&[1]);
    let listed = hashes.listed();
    let incoming = scene.store.take(hashes, "sender", NOW_MS).await.unwrap();
    assert_eq!(incoming.put(frame(0, &chunks), NOW_MS).await, Ok(true));
    let path = |extension| map::path(&scene.dir.path().join(FOLDER), &listed.root, extension);
    RealDisk
        .rename(&path(map::SEALED), &path(map::PART))
        .unwrap();
    scene.restart();
    assert!(!scene.store.is_whole(listed, NOW_MS));
    assert_eq!(held(&scene.store, listed).await, Ok(Held::all(listed)));
    assert!(scene.store.is_whole(listed, NOW_MS));
}

// NOD-5: a chunk that does not read back is not given, and stops nothing else.
#[tokio::test]
async fn a_damaged_chunk_is_not_given() {
    let scene = Scene::new();
    let (hashes, chunks) = attachment(&[1, 2]);
    let listed = hashes.listed();
    let incoming = scene.store.take(hashes, "sender", NOW_MS).await.unwrap();
    for number in 0..2 {
        incoming.put(frame(number, &chunks), NOW_MS).await.unwrap();
    }
    let path = map::path(&scene.dir.path().join(FOLDER), &listed.root, map::SEALED);
    let file = RealDisk.open(&path, false).unwrap();
    file.write_at(&[9], 5).unwrap();
    let outgoing = scene.store.give(listed, NOW_MS).await.unwrap();
    assert_eq!(outgoing.chunk(0).await, Err(WireCode::StorageFailed));
    assert_eq!(outgoing.chunk(1).await.as_ref(), Ok(&chunks[1]));
}

// ATT-15: a map that a power cut has torn says nothing untrue: the transfer begins anew.
#[tokio::test]
async fn a_torn_map_is_begun_anew() {
    let mut scene = Scene::new();
    let (hashes, chunks) = attachment(&[1, 2]);
    let listed = hashes.listed();
    let incoming = scene
        .store
        .take(hashes.clone(), "sender", NOW_MS)
        .await
        .unwrap();
    incoming.put(frame(0, &chunks), NOW_MS).await.unwrap();
    incoming.settle(NOW_MS).await.unwrap();
    let path = map::path(&scene.dir.path().join(FOLDER), &listed.root, map::MAP);
    let file = RealDisk.open(&path, false).unwrap();
    file.write_at(&[0; 8], 100).unwrap();
    scene.restart();
    assert_eq!(held(&scene.store, listed).await, Ok(Held::none(listed)));
    let incoming = scene.store.take(hashes, "sender", NOW_MS).await.unwrap();
    for number in 0..2 {
        incoming.put(frame(number, &chunks), NOW_MS).await.unwrap();
    }
    assert!(scene.store.is_whole(listed, NOW_MS));
}

// LIM-77, LIM-78, ATT-20: one sender can fill only so much of the disk, for so long.
#[tokio::test]
async fn what_no_envelope_needs_is_bounded_and_does_not_stay() {
    let scene = Scene::new();
    let chunks = limits::ATTACHMENT_BYTES_MAX / limits::CHUNK_BYTES as u64;
    let largest = |number: u8| listed(&vec![[number; 32]; usize::try_from(chunks).unwrap()]);
    let fits = limits::STAGED_BYTES_MAX / largest(0).listed().bytes;
    for number in 0..u8::try_from(fits).unwrap() {
        let hashes = largest(number);
        held(&scene.store, hashes.listed()).await.unwrap();
        scene.store.take(hashes, "sender", NOW_MS).await.unwrap();
    }
    let one_more = largest(100).listed();
    assert_eq!(
        held(&scene.store, one_more).await,
        Err(WireCode::RetryAfter)
    );
    let other = scene.store.held(one_more, "other", (NOW_MS, FREE)).await;
    assert_eq!(other, Ok(Held::none(one_more)));
    let full = scene.store.held(one_more, "other", (NOW_MS, 1000)).await;
    assert_eq!(full, Err(WireCode::DiskFull));
    scene
        .store
        .remove_stale(NOW_MS + limits::STAGED_MS_MAX - 1)
        .await
        .unwrap();
    assert_eq!(scene.names().len(), 2 * usize::try_from(fits).unwrap());
    scene
        .store
        .remove_stale(NOW_MS + limits::STAGED_MS_MAX)
        .await
        .unwrap();
    assert_eq!(scene.names(), [""; 0]);
    assert_eq!(held(&scene.store, one_more).await, Ok(Held::none(one_more)));
}

// LIM-76
#[tokio::test]
async fn so_many_transfers_go_on_at_once() {
    let scene = Scene::new();
    let peers = limits::TRANSFERS_MAX / limits::PEER_TRANSFERS_MAX;
    let refused = Some(WireCode::RetryAfter);
    let mut turns = Vec::new();
    for peer in (0..peers).map(|number| number.to_string()) {
        for _ in 0..limits::PEER_TRANSFERS_MAX {
            turns.push(scene.store.turn(&peer).unwrap());
        }
        assert_eq!(scene.store.turn(&peer).err(), refused, "its own");
    }
    assert_eq!(scene.store.turn("other").err(), refused, "all together");
    turns.pop();
    assert!(scene.store.turn("other").is_ok());
}
