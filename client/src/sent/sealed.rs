//! Files of envelopes that were kept together before they left.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use frex_proto::{
    envelope::{self, SignedEnvelope},
    v1,
};
use prost::Message;

use super::{
    Kept, KeptBatch, Named, SentError,
    store::{damaged, io},
};
use crate::keys::file;

const EXTENSION: &str = "sealed";

/// A file.
#[derive(Clone, PartialEq, Message)]
struct Batch {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Item>,
}

/// One envelope in it.
#[derive(Clone, PartialEq, Message)]
struct Item {
    #[prost(string, tag = "1")]
    reference: String,
    #[prost(bytes = "bytes", tag = "2")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    words: Bytes,
    #[prost(message, optional, tag = "4")]
    envelope: Option<v1::Envelope>,
}

/// The files of a folder, in the order in which they were written.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, SentError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|source| io(folder, source))? {
        let path = entry.map_err(|source| io(folder, source))?.path();
        if path.extension().is_some_and(|found| found == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The number of a file.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// The file of this number; names sort as numbers do.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{EXTENSION}"))
}

/// Writes a file whole. Durable when this returns.
pub(super) fn write(batch: &KeptBatch) -> Result<(), SentError> {
    let items = batch.items.iter().map(|kept| Item {
        reference: kept.reference.clone(),
        name: Bytes::copy_from_slice(&kept.named.name),
        words: Bytes::copy_from_slice(&kept.named.words),
        envelope: Some(kept.envelope.to_kept()),
    });
    let bytes = Batch {
        items: items.collect(),
    }
    .encode_to_vec();
    Ok(file::replace(&batch.path, &bytes)?)
}

/// Reads a file.
pub(super) fn read(path: PathBuf) -> Result<KeptBatch, SentError> {
    let bytes = fs::read(&path).map_err(|source| io(&path, source))?;
    let batch = Batch::decode(bytes.as_slice()).unwrap_or_default();
    if batch.items.is_empty() {
        return Err(damaged(path, "it holds no envelopes"));
    }
    let mut items = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        let (Ok(name), Ok(words)) = (
            item.name.as_ref().try_into(),
            item.words.as_ref().try_into(),
        ) else {
            return Err(damaged(path, "an item has no name"));
        };
        let whole = item.envelope.unwrap_or_default();
        let core = envelope::parse(&whole)?.core;
        items.push(Kept {
            reference: item.reference,
            named: Named { name, words },
            message: core.message_id,
            kind: core.kind,
            lane: core.lane,
            created_ms: core.created_ms,
            expires_ms: core.expires_ms,
            envelope: SignedEnvelope::of_kept(&whole)?,
        });
    }
    Ok(KeptBatch { items, path })
}
