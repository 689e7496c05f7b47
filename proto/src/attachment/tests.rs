#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{label, limits};

type Change = dyn Fn(&mut Vec<Vec<u8>>);

/// A file that repeats nowhere within a few chunks.
fn file(bytes: usize) -> Vec<u8> {
    let blocks = (0..bytes.div_ceil(32) as u64).map(|at| label::sha256(&[&at.to_be_bytes()]));
    let mut file = blocks.collect::<Vec<_>>().concat();
    file.truncate(bytes);
    file
}

struct Sealed {
    attached: Attached,
    hashes: Hashes,
    chunks: Vec<Vec<u8>>,
}

fn seal(plain: &[u8], seed: u64) -> Sealed {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut sealer = Sealer::new(plain.len() as u64, &mut rng).unwrap();
    let (mut chunks, mut rest) = (Vec::new(), plain);
    while let Some(due) = sealer.due() {
        let (chunk, after) = rest.split_at(due);
        rest = after;
        chunks.push(sealer.seal(chunk.to_vec()).unwrap());
    }
    let (attached, hashes) = sealer
        .finish("file.bin", "application/octet-stream")
        .unwrap();
    Sealed {
        attached,
        hashes,
        chunks,
    }
}

fn open(attached: &Attached, chunks: &[Vec<u8>]) -> Result<Vec<u8>, OpenError> {
    let mut opener = Opener::new(attached.clone());
    let mut plain = Vec::new();
    for chunk in chunks {
        plain.extend(opener.open(chunk.clone())?);
    }
    opener.finish().map(|()| plain)
}

// ATT-2, ATT-3, ATT-4: lengths around the bounds of a chunk come back as they were.
#[test]
fn a_file_of_any_length_comes_back() {
    const MIB: usize = limits::CHUNK_BYTES;
    for bytes in [1, 4096, 4097, MIB - 1, MIB, MIB + 1, 3 * MIB] {
        let plain = file(bytes);
        let sealed = seal(&plain, 1);
        let listed = sealed.attached.listed;
        let all: usize = sealed.chunks.iter().map(Vec::len).sum();
        assert_eq!(listed.bytes, all as u64, "{bytes}");
        assert_eq!(listed.chunks() as usize, sealed.chunks.len());
        let wire = v1_of(listed);
        assert_eq!(judge_listed(&[wire]), Ok(vec![listed]), "{bytes}");
        assert_eq!(open(&sealed.attached, &sealed.chunks), Ok(plain));
        let parsed = Hashes::parse(listed, &sealed.hashes.to_bytes());
        assert_eq!(parsed.as_ref(), Ok(&sealed.hashes));
        for (number, chunk) in (0..).zip(&sealed.chunks) {
            let frame = chunk_frame(number, chunk);
            assert_eq!(
                sealed.hashes.read_chunk(&frame),
                Ok((number, frame.slice(4..)))
            );
        }
    }
}

fn v1_of(listed: Listed) -> crate::v1::Attachment {
    crate::v1::Attachment {
        root: bytes::Bytes::copy_from_slice(&listed.root),
        bytes: listed.bytes,
    }
}

// ATT-6: the root of two chunks, by hand.
#[test]
fn the_root_is_that_of_a_tree_over_the_chunks() {
    let sealed = seal(&file(limits::CHUNK_BYTES + 1), 1);
    let [left, right] = [0, 1].map(|at| crate::log::leaf_hash(&sealed.chunks[at]));
    let root = crate::log::node_hash(&left, &right);
    assert_eq!(sealed.attached.listed.root, root);
}

// ATT-3: up to 4 KiB all files look the same, above that nearly the same.
#[test]
fn the_length_of_a_file_hides_among_others() {
    let length = |bytes| seal(&file(bytes), 1).attached.listed.bytes;
    assert_eq!(length(1), length(4096));
    assert_eq!(length(1_000_001), length(1_015_808));
    assert!(length(4096) < length(4097));
}

// ATT-5, ATT-7, ATT-8: whatever was done to the chunks, there is one answer.
#[test]
fn chunks_that_were_changed_exchanged_cut_or_added_do_not_open() {
    let sealed = seal(&file(2 * limits::CHUNK_BYTES + 5), 1);
    let chunks = &sealed.chunks;
    let damaged = |change: &Change| {
        let mut chunks = chunks.clone();
        change(&mut chunks);
        open(&sealed.attached, &chunks)
    };
    let changes: [&Change; 7] = [
        &|chunks| chunks[1][17] ^= 1,
        &|chunks| chunks.swap(0, 1),
        &|chunks| chunks[1] = chunks[0].clone(),
        &|chunks| drop(chunks.pop()),
        &|chunks| chunks.push(chunks[0].clone()),
        &|chunks| chunks[2].truncate(20),
        &|chunks| chunks[0].push(0),
    ];
    for change in changes {
        assert_eq!(damaged(change), Err(OpenError));
    }
    let other = seal(&file(2 * limits::CHUNK_BYTES + 5), 2);
    assert_eq!(open(&sealed.attached, &other.chunks), Err(OpenError));
    let mut lied = sealed.attached.clone();
    lied.file.sha256[0] ^= 1;
    assert_eq!(open(&lied, chunks), Err(OpenError));
}

// ATT-5: cut to whole chunks under a root of its own, the last chunk is still no last chunk.
#[test]
fn a_first_part_under_a_root_of_its_own_does_not_open() {
    let sealed = seal(&file(2 * limits::CHUNK_BYTES), 1);
    let mut attached = sealed.attached.clone();
    attached.listed.bytes = SEALED_CHUNK_BYTES as u64;
    attached.file.bytes = limits::CHUNK_BYTES as u64;
    assert_eq!(open(&attached, &sealed.chunks[..1]), Err(OpenError));
}

// ATT-12: what was opened before need not be opened again, and counts at the end.
#[test]
fn opening_goes_on_where_it_stopped() {
    let plain = file(2 * limits::CHUNK_BYTES + 1);
    let sealed = seal(&plain, 1);
    let mut opener = Opener::new(sealed.attached.clone());
    opener.skip(&plain[..limits::CHUNK_BYTES]).unwrap();
    for chunk in &sealed.chunks[1..] {
        opener.open(chunk.clone()).unwrap();
    }
    assert_eq!(opener.finish(), Ok(()));
    let mut opener = Opener::new(sealed.attached.clone());
    opener.skip(&plain[1..=limits::CHUNK_BYTES]).unwrap();
    for chunk in &sealed.chunks[1..] {
        opener.open(chunk.clone()).unwrap();
    }
    assert_eq!(opener.finish(), Err(OpenError));
}

// ATT-9, ATT-10
#[test]
fn hashes_and_chunks_of_something_else_are_refused() {
    let sealed = seal(&file(limits::CHUNK_BYTES + 1), 1);
    let (listed, hashes) = (sealed.attached.listed, sealed.hashes.to_bytes());
    let parse = |bytes: &[u8]| Hashes::parse(listed, bytes).unwrap_err();
    assert_eq!(parse(&hashes[..32]), TransferError::HashCount);
    assert_eq!(parse(&hashes[..63]), TransferError::HashCount);
    let mut swapped = hashes.to_vec();
    swapped.rotate_left(32);
    assert_eq!(parse(&swapped), TransferError::Root);
    let check = |number, chunk: &[u8]| sealed.hashes.check(number, chunk).unwrap_err();
    assert_eq!(check(0, &sealed.chunks[1]), TransferError::Chunk);
    assert_eq!(check(2, &sealed.chunks[0]), TransferError::Number);
    let short = sealed
        .hashes
        .read_chunk(&bytes::Bytes::from_static(b"\0\0\0"));
    assert_eq!(short, Err(TransferError::Number));
}

// LIM-70, LIM-71, LIM-72, ATT-1, ATT-3
#[test]
fn a_list_that_breaks_a_rule_is_refused() {
    use crate::envelope::EnvelopeError as E;
    let entry = |number: u8, bytes| crate::v1::Attachment {
        root: vec![number; 32].into(),
        bytes,
    };
    let most = limits::ATTACHMENT_BYTES_MAX + 8192 * 16;
    let list = |count: u8, bytes| (0..count).map(|at| entry(at, bytes)).collect::<Vec<_>>();
    assert!(judge_listed(&list(16, 4112)).is_ok());
    assert_eq!(judge_listed(&list(17, 4112)), Err(E::TooLarge));
    assert!(judge_listed(&list(4, most)).is_ok());
    assert_eq!(judge_listed(&list(5, most)), Err(E::TooLarge));
    assert_eq!(judge_listed(&[entry(1, most + 1)]), Err(E::TooLarge));
    for bytes in [0, 4111, 4113, SEALED_CHUNK_BYTES as u64 + 16] {
        assert_eq!(judge_listed(&[entry(1, bytes)]), Err(E::AttachmentSize));
    }
    let twice = [entry(1, 4112), entry(1, 4112)];
    assert_eq!(judge_listed(&twice), Err(E::AttachmentTwice));
    let mut short = entry(1, 4112);
    short.root.truncate(31);
    assert_eq!(judge_listed(&[short]), Err(E::Malformed));
}

// LIM-71, ATT-2
#[test]
fn a_file_that_is_empty_too_large_or_another_than_announced_is_refused() {
    let new = |bytes| Sealer::new(bytes, &mut ChaCha20Rng::seed_from_u64(1));
    assert_eq!(new(0).err(), Some(SealError::Empty));
    assert!(new(limits::ATTACHMENT_BYTES_MAX).is_ok());
    let over = new(limits::ATTACHMENT_BYTES_MAX + 1).err();
    assert_eq!(over, Some(SealError::TooLarge));
    let mut sealer = new(10).unwrap();
    assert_eq!(sealer.seal(vec![0; 9]), Err(SealError::Length));
    assert_eq!(
        sealer.finish("name", "type/x").err(),
        Some(SealError::Length)
    );
}

// ATT-7, LIM-75
#[test]
fn names_that_could_do_harm_are_refused_and_can_be_cleaned() {
    let harmful = [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a/b",
        "a\\b",
        "a\nb",
        "a\u{202e}b",
        "c:d",
        "a ",
        "b.",
    ];
    for name in harmful {
        assert!(!name::is_file_name(name), "{name:?}");
        assert!(name::is_file_name(&clean_file_name(name)), "{name:?}");
    }
    for name in ["report.pdf", "Ĉapelo 3.tar.gz", "_x"] {
        assert!(name::is_file_name(name));
        assert_eq!(clean_file_name(name), name);
    }
}

// ATT-11
#[test]
fn what_is_held_is_a_bit_for_each_chunk_and_no_more() {
    let listed = seal(&file(9 * limits::CHUNK_BYTES), 1).attached.listed;
    assert_eq!(listed.chunks(), 9);
    let mut held = Held::none(listed);
    held.set(0);
    held.set(8);
    held.set(9);
    assert_eq!(held.bytes(), [1, 1]);
    assert_eq!(held.missing().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(Held::parse(listed, held.bytes()), Ok(held));
    assert_eq!(Held::parse(listed, &[]), Ok(Held::none(listed)));
    assert_eq!(Held::parse(listed, &[255, 1]), Ok(Held::all(listed)));
    for wrong in [&[255][..], &[0, 2], &[0, 0, 0]] {
        assert_eq!(Held::parse(listed, wrong), Err(TransferError::Held));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // ATT-7, ATT-8
    #[test]
    fn a_flipped_bit_is_always_noticed(bytes in 1_usize..20_000, at: prop::sample::Index) {
        let mut sealed = seal(&file(bytes), 3);
        let at = at.index(sealed.chunks[0].len());
        sealed.chunks[0][at] ^= 0x10;
        prop_assert_eq!(open(&sealed.attached, &sealed.chunks), Err(OpenError));
        prop_assert!(sealed.hashes.check(0, &sealed.chunks[0]).is_err());
    }

    // ATT-7: cleaning settles, whatever it is given.
    #[test]
    fn a_cleaned_name_is_a_file_name(name in "\\PC{0,200}|.{0,200}") {
        let clean = clean_file_name(&name);
        prop_assert!(name::is_file_name(&clean), "{clean:?}");
        prop_assert_eq!(clean_file_name(&clean), clean);
    }
}
