//! The member's own epochs: a folder for each, named by its beginning, with key, book and statement.
//! At its end the key and the book are destroyed; the statement stays, to be held against others.

use std::{
    fs, io as std_io,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

use bytes::Bytes;
use frex_proto::{keys::SigningKey, limits};
use rand_core::CryptoRng;

use super::{Holding, Settings, Store, StoreError, bytes_of, damaged, entries, io};
use crate::{
    casework::deconflict::{
        BookBuilder, DeconflictDesk, Epoch, EpochDraft, EpochKey, OprfError, Output,
        book::BOOK_BYTES_MAX,
    },
    keys::file,
};

const FOLDER: &str = "epochs";
const BEGUN: &str = "begun";
const KEY: &str = "key";
const BOOK: &str = "book";
const STATEMENT: &str = "epoch";
/// Identifiers that are evaluated together, on all processors.
const STEP: usize = 4096;

/// An epoch of this member.
#[derive(Debug, Clone)]
pub struct OwnEpoch {
    /// What it states.
    pub epoch: Epoch,
    /// The `Signed` statement.
    pub signed: Bytes,
    folder: PathBuf,
}

/// What a new epoch is made of.
pub struct Begin<'a> {
    /// The federation's name.
    pub federation: &'a str,
    /// This member.
    pub member: &'a str,
    /// Signs the statement.
    pub identity: &'a SigningKey,
    /// The present, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Hears how many identifiers were gone through.
    pub progress: &'a mut dyn FnMut(u64),
}

impl Store {
    /// Begins an epoch: a new key, and a book of all that is held and may be told. From then on it is
    /// the one in force. A million identifiers take about a minute of one processor.
    ///
    /// # Errors
    /// [`StoreError`]; the epoch of before stays in force.
    pub fn begin_epoch(
        &self,
        begin: Begin<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<OwnEpoch, StoreError> {
        let Begin {
            federation,
            member,
            identity,
            now_ms,
            progress,
        } = begin;
        let settings = self.settings()?;
        let folder = self.dir().join(FOLDER);
        file::create_private_dir(&folder)?;
        let _held = file::hold(&folder).map_err(|error| io(&folder, error))?;
        let key = EpochKey::generate(rng);
        let book = self.book(&settings, &key, progress, rng)?;
        // Epochs are named by their beginning: two of them never are the same.
        let newest_ms = self.epochs()?.last().map_or(0, |last| last.epoch.begins_ms);
        let begins_ms = now_ms.max(newest_ms.saturating_add(1));
        let draft = EpochDraft {
            federation,
            member,
            begins_ms,
            ends_ms: begins_ms.saturating_add(settings.epoch_ms()),
            public_key: &key.public(),
            book: &book,
        };
        let signed = draft.sign(identity)?;
        let begun = folder.join(BEGUN);
        remove_all(&begun)?;
        file::create_private_dir(&begun)?;
        let digits = zeroize::Zeroizing::new(hex::encode(key.to_bytes().as_ref()));
        file::write_new(&begun.join(KEY), digits.as_bytes())?;
        file::write_new(&begun.join(BOOK), &book)?;
        file::write_new(&begun.join(STATEMENT), &signed)?;
        let place = folder.join(begins_ms.to_string());
        fs::rename(&begun, &place).map_err(|error| io(&place, error))?;
        file::sync_parent(&place)?;
        read(&place)
    }

    fn book(
        &self,
        settings: &Settings,
        key: &EpochKey,
        progress: &mut dyn FnMut(u64),
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, StoreError> {
        let names: Vec<&String> = settings.desk.keys().collect();
        let desks: Vec<DeconflictDesk> = settings.desk.values().map(DeconflictDesk::from).collect();
        let mut builder = BookBuilder::new(&desks, rng)?;
        let mut reading = self.reading()?;
        let (mut step, mut done, mut more) = (Vec::with_capacity(STEP), 0, true);
        while more {
            match reading.next_held()? {
                Some(holding) => {
                    done += 1;
                    if !holding.silent {
                        step.push(holding);
                    }
                }
                None => more = false,
            }
            if step.len() < STEP && more {
                continue;
            }
            for (holding, output) in step.iter().zip(outputs(key, &step)?) {
                let desk = names.iter().position(|name| **name == holding.desk);
                let desk = desk.ok_or_else(|| StoreError::NoDesk {
                    name: holding.desk.clone(),
                })?;
                builder.hold(&output, desk)?;
            }
            step.clear();
            progress(done);
        }
        Ok(builder.finish(rng))
    }

    /// All epochs whose statements are kept, the newest last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn epochs(&self) -> Result<Vec<OwnEpoch>, StoreError> {
        let mut found = Vec::new();
        for path in entries(&self.dir().join(FOLDER))? {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.parse::<u64>().is_ok()) {
                found.push(read(&path)?);
            }
        }
        found.sort_by_key(|one| one.epoch.begins_ms);
        Ok(found)
    }

    /// The epoch in force: the newest, unless it is over or its key is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn epoch(&self, now_ms: u64) -> Result<Option<OwnEpoch>, StoreError> {
        let newest = self.epochs()?.pop();
        Ok(newest.filter(|one| now_ms < one.epoch.ends_ms && one.has_key()))
    }

    /// Destroys key and book of each epoch that is over, or that another one follows. Spec: DCF-23.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn destroy_ended(&self, now_ms: u64) -> Result<u64, StoreError> {
        let epochs = self.epochs()?;
        let mut gone = 0;
        for (place, one) in epochs.iter().enumerate() {
            let over = one.epoch.ends_ms <= now_ms || place + 1 < epochs.len();
            if over && one.has_key() {
                for name in [KEY, BOOK] {
                    destroy(&one.folder.join(name))?;
                }
                gone += 1;
            }
        }
        Ok(gone)
    }
}

impl OwnEpoch {
    /// Whether its key is there: it could answer.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.folder.join(KEY).exists()
    }

    /// Its key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn key(&self) -> Result<EpochKey, StoreError> {
        let path = self.folder.join(KEY);
        let digits = file::read_capped(&path, 128, "key of an epoch")?;
        let bytes = hex::decode(&digits[..]).map_err(|_| damaged(&path))?;
        let bytes = zeroize::Zeroizing::new(bytes);
        let key = EpochKey::of_bytes(&bytes).map_err(|_| damaged(&path))?;
        match key.public() == self.epoch.public_key {
            true => Ok(key),
            false => Err(damaged(&path)),
        }
    }

    /// Its book.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn book(&self) -> Result<Bytes, StoreError> {
        bytes_of(&self.book_path(), BOOK_BYTES_MAX as u64, "book")
    }

    /// Where its book is.
    #[must_use]
    pub fn book_path(&self) -> PathBuf {
        self.folder.join(BOOK)
    }
}

fn read(folder: &Path) -> Result<OwnEpoch, StoreError> {
    let path = folder.join(STATEMENT);
    let signed = bytes_of(&path, limits::SIGNED_BYTES_MAX as u64, "statement")?;
    let epoch = Epoch::stated(&signed).map_err(|_| damaged(&path))?;
    Ok(OwnEpoch {
        epoch,
        signed,
        folder: folder.to_owned(),
    })
}

/// Evaluates many, on all processors.
fn outputs(key: &EpochKey, step: &[Holding]) -> Result<Vec<Output>, OprfError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = step.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts = step.chunks(share);
        let parts = parts.map(|part| {
            scope.spawn(move || {
                let outputs = part
                    .iter()
                    .map(|holding| key.output(&holding.identifier.input()));
                outputs.collect::<Result<Vec<Output>, OprfError>>()
            })
        });
        let running: Vec<_> = parts.collect();
        let done = running.into_iter().map(|part| match part.join() {
            Ok(outputs) => outputs,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        let done: Vec<Vec<Output>> = done.collect::<Result<_, _>>()?;
        Ok(done.concat())
    })
}

/// Overwrites a file and removes it; one that is gone is gone.
fn destroy(path: &Path) -> Result<(), StoreError> {
    let overwrite = || -> std_io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(path)?;
        let length = file.metadata()?.len();
        std_io::copy(
            &mut std_io::Read::take(std_io::repeat(0), length),
            &mut file,
        )?;
        file.sync_data()?;
        fs::remove_file(path)
    };
    match overwrite() {
        // Another program may do the same meanwhile.
        Err(error) if error.kind() == std_io::ErrorKind::NotFound => Ok(()),
        done => {
            done.map_err(|error| io(path, error))?;
            Ok(file::sync_parent(path)?)
        }
    }
}

fn remove_all(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std_io::ErrorKind::NotFound => Err(io(folder, error)),
        _ => Ok(()),
    }
}
