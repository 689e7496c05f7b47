//! The map beside an attachment's chunks: "FREXATT1", when it was last added to (u64), bytes of
//! all chunks (u64), the sender (length u8, then 64 bytes), then a hash and a bit for each chunk.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use frex_proto::{
    attachment::{Hashes, Held, Listed},
    label::Hash,
    limits,
};

use super::Known;
use crate::disk::{Disk, DiskFile};

const MAGIC: &[u8; 8] = b"FREXATT1";
const TOUCHED_AT: u64 = 8;
const NAME_AT: usize = 24;
const HEAD_BYTES: usize = NAME_AT + 1 + limits::ID_BYTES_MAX;
const HASH_BYTES: u64 = 32;

pub(super) const MAP: &str = "map";
pub(super) const PART: &str = "part";
pub(super) const SEALED: &str = "sealed";

pub(super) fn path(folder: &Path, root: &Hash, extension: &str) -> PathBuf {
    folder.join(format!("{}.{extension}", hex::encode(root)))
}

/// Reads the heads of all maps. What is no attachment any more, or not yet, is removed.
pub(super) fn load(disk: &dyn Disk, folder: &Path) -> io::Result<BTreeMap<Hash, Known>> {
    let mut known = BTreeMap::new();
    let names = disk.list(folder)?;
    let has = |root: &Hash, extension: &str| {
        let name = format!("{}.{extension}", hex::encode(root));
        names.binary_search(&name).is_ok()
    };
    for name in &names {
        let Some((root, extension)) = parse_name(name) else {
            continue;
        };
        if extension != MAP {
            // A part without its map was never begun.
            if extension == PART && !has(&root, MAP) {
                disk.remove(&folder.join(name))?;
            }
            continue;
        }
        let head = read_head(disk.open(&folder.join(name), false)?.as_ref());
        let whole = has(&root, SEALED);
        match head {
            Ok(head) if whole || has(&root, PART) => {
                known.insert(root, Known { whole, ..head });
            }
            _ => {
                for extension in [SEALED, PART, MAP] {
                    if has(&root, extension) {
                        disk.remove(&path(folder, &root, extension))?;
                    }
                }
            }
        }
    }
    disk.sync_dir(folder)?;
    Ok(known)
}

pub(super) fn parse_name(name: &str) -> Option<(Hash, &str)> {
    let (root, extension) = name.split_once('.')?;
    let mut hash = Hash::default();
    hex::decode_to_slice(root, &mut hash).ok()?;
    Some((hash, extension))
}

fn read_head(file: &dyn DiskFile) -> io::Result<Known> {
    let mut head = [0; HEAD_BYTES];
    file.read_at(&mut head, 0)?;
    let number = |at: usize| {
        let bytes = head[at..at + 8].try_into();
        u64::from_be_bytes(bytes.expect("eight bytes of the head"))
    };
    let sender = head[NAME_AT + 1..].get(..usize::from(head[NAME_AT]));
    let sender = sender.and_then(|sender| std::str::from_utf8(sender).ok());
    match sender {
        Some(sender) if head[..8] == *MAGIC => Ok(Known {
            bytes: number(16),
            sender: sender.to_owned(),
            whole: false,
            touched_ms: number(8),
            part: None,
        }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Makes the map of an attachment of which nothing is there yet. Not durable.
pub(super) fn create(
    file: &dyn DiskFile,
    hashes: &Hashes,
    sender: &str,
    now_ms: u64,
) -> io::Result<()> {
    let listed = hashes.listed();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&now_ms.to_be_bytes());
    bytes.extend_from_slice(&listed.bytes.to_be_bytes());
    bytes.push(u8::try_from(sender.len()).map_err(|_| io::ErrorKind::InvalidInput)?);
    bytes.extend_from_slice(sender.as_bytes());
    bytes.resize(HEAD_BYTES, 0);
    bytes.extend_from_slice(&hashes.to_bytes());
    bytes.extend_from_slice(Held::none(listed).bytes());
    file.set_len(0)?;
    file.write_at(&bytes, 0)
}

/// Writes which chunks are there, and that some came just now. Not durable.
pub(super) fn note(
    file: &dyn DiskFile,
    listed: Listed,
    held: &Held,
    now_ms: u64,
) -> io::Result<()> {
    file.write_at(&now_ms.to_be_bytes(), TOUCHED_AT)?;
    let bits_at = HEAD_BYTES as u64 + u64::from(listed.chunks()) * HASH_BYTES;
    file.write_at(held.bytes(), bits_at)
}

/// The hashes and bits of a map.
///
/// # Errors
/// `InvalidData`: they are not those of this attachment.
pub(super) fn read(file: &Arc<dyn DiskFile>, listed: Listed) -> io::Result<(Hashes, Held)> {
    let hash_bytes = u64::from(listed.chunks()) * HASH_BYTES;
    let mut hashes = vec![0; usize::try_from(hash_bytes).map_err(|_| io::ErrorKind::InvalidData)?];
    file.read_at(&mut hashes, HEAD_BYTES as u64)?;
    let mut held = Held::none(listed).bytes().to_vec();
    file.read_at(&mut held, HEAD_BYTES as u64 + hash_bytes)?;
    let hashes = Hashes::parse(listed, &hashes).map_err(|_| io::ErrorKind::InvalidData)?;
    let held = Held::parse(listed, &held).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok((hashes, held))
}
