//! Opening what was sent, asking it, and adding to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use frex_proto::label;

use super::{
    Found, Kept, KeptBatch, Name, Named, REFERENCE_BYTES_MAX, Row, SentBefore, SentError,
    SentStore, log, sealed,
};
use crate::keys::file;

impl Named {
    /// What `reference` names: this content of this type, to these members.
    ///
    /// # Errors
    /// [`SentError::Reference`].
    pub fn new(
        reference: &str,
        content_type: &str,
        content: &[u8],
        to: &[String],
    ) -> Result<Self, SentError> {
        if !(1..=REFERENCE_BYTES_MAX).contains(&reference.len()) {
            return Err(SentError::Reference);
        }
        let mut to: Vec<&str> = to.iter().map(String::as_str).collect();
        to.sort_unstable();
        let to = to.join("\0");
        let words: [&[u8]; 5] = [
            b"frex/client/words\0",
            &label::sha256(&[content_type.as_bytes()]),
            &label::sha256(&[to.as_bytes()]),
            content,
            b"",
        ];
        Ok(Self {
            name: name(&[b"frex/client/reference\0", reference.as_bytes()]),
            words: name(&words),
        })
    }
}

impl SentStore {
    /// Opens what was sent from `folder`, making it if need be. What has expired more than a month
    /// before `now_ms` is forgotten.
    ///
    /// # Errors
    /// [`SentError::Locked`], [`SentError::Damaged`], [`SentError::Io`], [`SentError::Files`].
    pub fn open(folder: &Path, now_ms: u64) -> Result<Self, SentError> {
        file::create_private_dir(folder)?;
        let lock = log::lock(folder)?;
        let (log, rows) = log::open(folder, now_ms)?;
        let mut store = Self {
            folder: folder.to_owned(),
            _lock: lock,
            log,
            rows,
            next: 1,
        };
        for batch in store.pending()? {
            let number = sealed::number(&batch.path).unwrap_or_default();
            store.next = store.next.max(number.saturating_add(1));
            for kept in &batch.items {
                store
                    .rows
                    .entry(kept.named.name)
                    .or_insert(row(kept, false));
            }
        }
        Ok(store)
    }

    /// What is known of this reference.
    ///
    /// # Errors
    /// [`SentError::OtherReport`].
    pub fn find(&self, named: &Named) -> Result<Found, SentError> {
        let Some(row) = self.rows.get(&named.name) else {
            return Ok(Found::Nothing);
        };
        if row.words != named.words {
            return Err(SentError::OtherReport);
        }
        Ok(match row.submitted {
            true => Found::Submitted(row.sent),
            false => Found::Sealed(row.sent),
        })
    }

    /// What was kept and, as far as is known here, not submitted, in the order of its keeping.
    ///
    /// # Errors
    /// [`SentError::Damaged`], [`SentError::Io`].
    pub fn pending(&self) -> Result<Vec<KeptBatch>, SentError> {
        let paths = sealed::list(&self.folder)?;
        paths.into_iter().map(sealed::read).collect()
    }

    /// Keeps envelopes that are about to leave. Durable when this returns.
    ///
    /// # Errors
    /// [`SentError::OtherReport`] if one of the references is taken; nothing is kept then.
    /// [`SentError::Files`].
    pub fn keep(&mut self, items: Vec<Kept>) -> Result<KeptBatch, SentError> {
        let taken = |kept: &Kept| self.rows.contains_key(&kept.named.name);
        if items.iter().any(taken) {
            return Err(SentError::OtherReport);
        }
        let path = sealed::path(&self.folder, self.next);
        let batch = KeptBatch { items, path };
        sealed::write(&batch)?;
        self.next += 1;
        for kept in &batch.items {
            self.rows.insert(kept.named.name, row(kept, false));
        }
        Ok(batch)
    }

    /// Ends a batch: of the items at these places the ids stay, the others are forgotten and may be
    /// sealed again. Durable when this returns.
    ///
    /// # Errors
    /// [`SentError::Io`]; the batch is then still pending.
    pub fn settle(
        &mut self,
        batch: &KeptBatch,
        submitted: impl Fn(usize) -> bool,
    ) -> Result<(), SentError> {
        let mut lines = String::new();
        for (place, kept) in batch.items.iter().enumerate() {
            if submitted(place) {
                self.rows.insert(kept.named.name, row(kept, true));
                lines.push_str(&log::line(kept));
            } else if self
                .rows
                .get(&kept.named.name)
                .is_some_and(|row| !row.submitted)
            {
                self.rows.remove(&kept.named.name);
            }
        }
        log::append(&mut self.log, &self.folder, lines.as_bytes())?;
        // One that comes back after a power cut is submitted once more, without effect.
        fs::remove_file(&batch.path).map_err(|source| io(&batch.path, source))
    }
}

fn row(kept: &Kept, submitted: bool) -> Row {
    Row {
        words: kept.named.words,
        sent: SentBefore {
            message: kept.message,
            envelope: kept.envelope.id,
        },
        expires_ms: kept.expires_ms,
        submitted,
    }
}

fn name(parts: &[&[u8]]) -> Name {
    let hash = label::sha256(parts);
    let mut name = Name::default();
    name.copy_from_slice(&hash[..16]);
    name
}

pub(super) fn io(path: &Path, source: std::io::Error) -> SentError {
    SentError::Io {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn damaged(path: PathBuf, why: &'static str) -> SentError {
    SentError::Damaged { path, why }
}
