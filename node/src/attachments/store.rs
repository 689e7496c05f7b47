//! Taking attachments: judged by the hashes, written at their places, synced in steps.

use std::{
    io,
    sync::{Arc, Mutex},
};

use super::{Attachments, Incoming, JUDGED_MS, Known, Part, STEP_CHUNKS, Turn, map};
use crate::disk::DiskFile;
use bytes::Bytes;
use frex_proto::{
    attachment::{Hashes, Held, Listed},
    error::WireCode,
    limits,
};

impl Attachments {
    /// Leave to take one more from this peer, or give it one, until it is dropped.
    ///
    /// # Errors
    /// [`WireCode::RetryAfter`]. Spec: LIM-76.
    pub fn turn(&self, peer: &str) -> Result<Turn, WireCode> {
        let mut turns = self.turns();
        let all: usize = turns.values().sum();
        let theirs = turns.entry(peer.to_owned()).or_default();
        if *theirs >= limits::PEER_TRANSFERS_MAX || all >= limits::TRANSFERS_MAX {
            return Err(WireCode::RetryAfter);
        }
        *theirs += 1;
        Ok(Turn {
            store: self.clone(),
            peer: peer.to_owned(),
        })
    }

    /// Whether all of it is here and durable. It then stays for as long as the envelope that it
    /// is asked for may take to be recorded. Spec: ATT-16.
    #[must_use]
    pub fn is_whole(&self, listed: Listed, now_ms: u64) -> bool {
        let mut known = self.known();
        let Some(entry) = known.get_mut(&listed.root) else {
            return false;
        };
        entry.touched_ms = entry.touched_ms.max(now_ms);
        entry.whole && entry.bytes == listed.bytes
    }

    /// What is here of an attachment that somebody wants to bring.
    ///
    /// # Errors
    /// [`WireCode::RetryAfter`]: too much of this sender waits for its envelopes.
    /// [`WireCode::DiskFull`]. [`WireCode::BadEnvelope`]: it is here with another length.
    pub async fn held(
        &self,
        listed: Listed,
        sender: &str,
        (now_ms, free_bytes): (u64, u64),
    ) -> Result<Held, WireCode> {
        let (store, sender) = (self.clone(), sender.to_owned());
        self.on_disk(move || {
            let part = {
                let mut known = store.known();
                match known.get_mut(&listed.root) {
                    Some(entry) if entry.bytes != listed.bytes => {
                        return Err(WireCode::BadEnvelope);
                    }
                    Some(entry) => {
                        entry.touched_ms = entry.touched_ms.max(now_ms);
                        if entry.whole {
                            return Ok(Held::all(listed));
                        }
                        true
                    }
                    None => false,
                }
            };
            if part && let Some(part) = store.part(listed)? {
                let mut part = lock(&part);
                if part.held.is_whole() {
                    // A crash came between its last bit and its name.
                    store.settle(&mut part, listed, now_ms)?;
                }
                return Ok(part.held.clone());
            }
            if free_bytes < listed.bytes {
                return Err(WireCode::DiskFull);
            }
            if store.staged_bytes(&sender)? + listed.bytes > limits::STAGED_BYTES_MAX {
                return Err(WireCode::RetryAfter);
            }
            Ok(Held::none(listed))
        })
        .await
    }

    /// Takes up an attachment, of which these are the hashes: makes its files, durable, unless
    /// they are there.
    ///
    /// # Errors
    /// [`WireCode::DiskFull`], [`WireCode::StorageFailed`].
    pub async fn take(
        &self,
        hashes: Hashes,
        sender: &str,
        now_ms: u64,
    ) -> Result<Incoming, WireCode> {
        let (store, sender, listed) = (self.clone(), sender.to_owned(), hashes.listed());
        let part = self
            .on_disk(move || match store.part(listed)? {
                Some(part) => Ok(part),
                None => store
                    .create(hashes, &sender, now_ms)
                    .map_err(|error| store.failure(&error)),
            })
            .await?;
        Ok(Incoming {
            store: self.clone(),
            listed,
            part,
        })
    }

    /// Bytes of this sender's attachments that no record needs.
    fn staged_bytes(&self, sender: &str) -> Result<u64, WireCode> {
        let mut staged_bytes: u64 = 0;
        for (root, entry) in self
            .known()
            .iter()
            .filter(|(_, entry)| entry.sender == sender)
        {
            if !self.is_needed(root)? {
                staged_bytes = staged_bytes.saturating_add(entry.bytes);
            }
        }
        Ok(staged_bytes)
    }

    /// The files of an attachment that is not whole, opened once. One whose map is damaged is
    /// forgotten: it is brought again from the beginning.
    fn part(&self, listed: Listed) -> Result<Option<Arc<Mutex<Part>>>, WireCode> {
        let mut known = self.known();
        let Some(entry) = known.get_mut(&listed.root).filter(|entry| !entry.whole) else {
            return Ok(None);
        };
        if let Some(part) = &entry.part {
            return Ok(Some(part.clone()));
        }
        match self.open_part(listed) {
            Ok(part) => {
                let part = Arc::new(Mutex::new(part));
                entry.part = Some(part.clone());
                Ok(Some(part))
            }
            Err(error) if is_damage(&error) => {
                known.remove(&listed.root);
                Ok(None)
            }
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn open_part(&self, listed: Listed) -> io::Result<Part> {
        let open = |extension| {
            let path = map::path(&self.0.folder, &listed.root, extension);
            self.0.disk.open(&path, false)
        };
        let file = open(map::MAP)?;
        let (hashes, held) = map::read(&file, listed)?;
        Ok(Part {
            hashes,
            held,
            fresh: Vec::new(),
            map: file,
            chunks: open(map::PART)?,
        })
    }

    fn create(&self, hashes: Hashes, sender: &str, now_ms: u64) -> io::Result<Arc<Mutex<Part>>> {
        let (disk, listed) = (self.0.disk.as_ref(), hashes.listed());
        let mut known = self.known();
        // Somebody else may have begun meanwhile.
        let begun = known.get(&listed.root).and_then(|entry| entry.part.clone());
        if let Some(part) = begun {
            return Ok(part);
        }
        let file = |extension| disk.open(&map::path(&self.0.folder, &listed.root, extension), true);
        let (map_file, chunks) = (file(map::MAP)?, file(map::PART)?);
        map::create(map_file.as_ref(), &hashes, sender, now_ms)?;
        map_file.sync_data()?;
        disk.sync_dir(&self.0.folder)?;
        let part = Arc::new(Mutex::new(Part {
            held: Held::none(listed),
            hashes,
            fresh: Vec::new(),
            map: map_file,
            chunks,
        }));
        let entry = Known {
            bytes: listed.bytes,
            sender: sender.to_owned(),
            whole: false,
            touched_ms: now_ms,
            part: Some(part.clone()),
        };
        known.insert(listed.root, entry);
        Ok(part)
    }

    pub(super) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, WireCode> + Send + 'static,
    ) -> Result<T, WireCode> {
        let done = self.0.workers.run(work).await;
        done.unwrap_or(Err(WireCode::ShuttingDown))
    }

    /// Whether a record in the making may need it. Spec: ATT-16.
    pub(super) fn was_judged(entry: &Known, now_ms: u64) -> bool {
        now_ms.saturating_sub(entry.touched_ms) < JUDGED_MS
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(theirs) = self.store.turns().get_mut(&self.peer) {
            *theirs = theirs.saturating_sub(1);
        }
    }
}

impl Incoming {
    /// Judges a CHUNK frame and keeps the chunk; true if that was the last one that was missing.
    ///
    /// # Errors
    /// The chunk is another one, the disk is full, or it failed.
    pub async fn put(&self, frame: Bytes, now_ms: u64) -> Result<bool, WireCode> {
        let (store, part, listed) = (self.store.clone(), self.part.clone(), self.listed);
        self.store
            .on_disk(move || {
                let mut part = lock(&part);
                let (number, sealed) = part.hashes.read_chunk(&frame)?;
                if !part.held.has(number) && !part.fresh.contains(&number) {
                    let (place, _) = listed.place(number);
                    part.chunks
                        .write_at(&sealed, place)
                        .map_err(|error| store.failure(&error))?;
                    part.fresh.push(number);
                }
                let count = part.held.count() as usize + part.fresh.len();
                let last = u32::try_from(count) == Ok(listed.chunks());
                if last || part.fresh.len() >= STEP_CHUNKS {
                    store.settle(&mut part, listed, now_ms)?;
                }
                Ok(part.held.is_whole())
            })
            .await
    }

    /// Makes durable what came so far: nothing of it is to be sent again.
    ///
    /// # Errors
    /// The disk is full, or it failed.
    pub async fn settle(self, now_ms: u64) -> Result<(), WireCode> {
        let Self {
            store,
            listed,
            part,
        } = self;
        let disk = store.clone();
        disk.on_disk(move || store.settle(&mut lock(&part), listed, now_ms))
            .await
    }
}

impl Attachments {
    /// Chunks first, then the bits that speak of them; with the last chunk, the name. Spec: ATT-15.
    fn settle(&self, part: &mut Part, listed: Listed, now_ms: u64) -> Result<(), WireCode> {
        let settled = self.try_settle(part, listed, now_ms);
        settled.map_err(|error| self.failure(&error))
    }

    fn try_settle(&self, part: &mut Part, listed: Listed, now_ms: u64) -> io::Result<()> {
        if part.fresh.is_empty() && !part.held.is_whole() {
            return Ok(());
        }
        part.chunks.sync_data()?;
        for number in part.fresh.drain(..) {
            part.held.set(number);
        }
        map::note(part.map.as_ref(), listed, &part.held, now_ms)?;
        part.map.sync_data()?;
        let whole = part.held.is_whole();
        if whole
            && !self
                .known()
                .get(&listed.root)
                .is_some_and(|entry| entry.whole)
        {
            let path = |extension| map::path(&self.0.folder, &listed.root, extension);
            self.0.disk.rename(&path(map::PART), &path(map::SEALED))?;
            self.0.disk.sync_dir(&self.0.folder)?;
        }
        if let Some(entry) = self.known().get_mut(&listed.root) {
            entry.touched_ms = now_ms;
            entry.whole = whole;
            if whole {
                entry.part = None;
            }
        }
        Ok(())
    }
}

pub(super) fn lock(part: &Mutex<Part>) -> std::sync::MutexGuard<'_, Part> {
    part.lock().expect("no holder of a part panics")
}

/// A file that is not what it should be, on a disk that works.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound
    )
}

/// Chunks of a file, for whom reading past its end is damage.
pub(super) fn read_chunk(
    file: &dyn DiskFile,
    hashes: &Hashes,
    number: u32,
) -> io::Result<Option<Vec<u8>>> {
    let (place, length) = hashes.listed().place(number);
    let mut sealed = vec![0; length];
    match file.read_at(&mut sealed, place) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    Ok(hashes.check(number, &sealed).is_ok().then_some(sealed))
}
