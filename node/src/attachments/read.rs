//! Giving attachments: no chunk leaves that is not the one that was taken. Spec: NOD-5.

use std::{io, sync::Arc};

use bytes::Bytes;
use frex_proto::{attachment::Listed, error::WireCode};

use super::{Attachments, Outgoing, map, store::read_chunk};

impl Attachments {
    /// Opens an attachment that is whole.
    ///
    /// # Errors
    /// [`WireCode::NotFound`]: it is not here, or no longer. [`WireCode::StorageFailed`].
    pub async fn give(&self, listed: Listed, now_ms: u64) -> Result<Outgoing, WireCode> {
        if !self.is_whole(listed, now_ms) {
            return Err(WireCode::NotFound);
        }
        let store = self.clone();
        self.on_disk(move || {
            let open = |extension| {
                let path = map::path(&store.0.folder, &listed.root, extension);
                store.0.disk.open(&path, false)
            };
            let opened = open(map::MAP).and_then(|file| {
                let (hashes, _) = map::read(&file, listed)?;
                Ok((hashes, open(map::SEALED)?))
            });
            let (hashes, chunks) = opened.map_err(|error| unreadable(&error))?;
            Ok(Outgoing {
                hashes: Arc::new(hashes),
                chunks,
                store: store.clone(),
            })
        })
        .await
    }
}

impl Outgoing {
    /// The hashes of all chunks, as they travel.
    #[must_use]
    pub fn hashes(&self) -> Bytes {
        self.hashes.to_bytes()
    }

    /// A chunk, judged once more.
    ///
    /// # Errors
    /// [`WireCode::StorageFailed`]: it does not read back as it was taken.
    pub async fn chunk(&self, number: u32) -> Result<Vec<u8>, WireCode> {
        let (hashes, chunks) = (self.hashes.clone(), self.chunks.clone());
        let read = move || {
            let chunk = read_chunk(chunks.as_ref(), &hashes, number);
            let chunk = chunk.map_err(|error| unreadable(&error))?;
            chunk.ok_or_else(|| unreadable(&io::ErrorKind::InvalidData.into()))
        };
        self.store.on_disk(read).await
    }
}

/// One attachment that does not read back stops nothing but itself: what was answered for is in
/// the journal.
fn unreadable(error: &io::Error) -> WireCode {
    tracing::error!(%error, "an attachment cannot be read");
    WireCode::StorageFailed
}
