//! What this member asked others: kept before it leaves, with the blinds that understand the answer and
//! prove what was asked; what others stated of their epochs, and their books.

use std::{fs, io::ErrorKind, path::PathBuf};

use bytes::Bytes;
use frex_proto::{label::Hash, limits};
use serde::{Deserialize, Serialize};

use super::{Desk, Store, StoreError, bytes_of, damaged, entries, files, io, record};
use crate::{
    casework::deconflict::{BOOKS_MAX, Book, Epoch, book::BOOK_BYTES_MAX},
    keys::file,
};

const FOLDER: &str = "asked";
const SEEN: &str = "seen";
const BOOKS: &str = "books";

/// A question of this member.
#[derive(Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Its message.
    pub message: String,
    /// The envelope: the question's id to whoever answers.
    pub envelope: String,
    /// Who was asked.
    pub member: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// `asked`, `answered` or `refused`.
    pub state: String,
    /// What was asked for, in the order of the question.
    pub items: Vec<AskedItem>,
    /// The envelope with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The epoch under which it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_ms: Option<u64>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refusal: String,
    /// From when on it could be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_ms: Option<u64>,
}

/// One identifier of a question.
#[derive(Clone, Serialize, Deserialize)]
pub struct AskedItem {
    /// As it is compared.
    pub identifier: String,
    /// By what it was blinded, hexadecimal.
    pub blind: String,
    /// Whether the member holds it and tells so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    /// Whom to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desk: Option<Desk>,
    /// Messages by which the desk was called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
}

/// What a member stated of an epoch, as it was seen here.
#[derive(Debug, Clone)]
pub struct Sight {
    /// What it states.
    pub epoch: Epoch,
    /// The `Signed` statement.
    pub signed: Bytes,
    /// Another statement of the same epoch: evidence.
    pub is_second: bool,
}

impl Store {
    /// Keeps a question, or what became of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_asked(&self, asked: &Asked) -> Result<(), StoreError> {
        file::create_private_dir(&self.asked_dir())?;
        let text = serde_json::to_vec_pretty(asked).unwrap_or_default();
        Ok(file::replace(&self.asked_path(&asked.message), &text)?)
    }

    /// All questions, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn all_asked(&self) -> Result<Vec<Asked>, StoreError> {
        let files = files(&self.asked_dir(), "json")?;
        let found = files
            .iter()
            .map(|path| record::<Asked>(path, "record of a question"));
        let mut found = found.collect::<Result<Vec<Asked>, StoreError>>()?;
        found.sort_by(|a: &Asked, b: &Asked| (a.at_ms, &a.message).cmp(&(b.at_ms, &b.message)));
        Ok(found)
    }

    /// Keeps what a member states of an epoch. Spec: DCF-16.
    ///
    /// # Errors
    /// [`StoreError::TwoBooks`] if it stated something else before of the same; both are kept.
    pub fn see(&self, signed: &[u8], epoch: &Epoch) -> Result<(), StoreError> {
        let folder = self.dir().join(SEEN).join(&epoch.member);
        file::create_private_dir(&folder)?;
        let first = folder.join(format!("{}.epoch", epoch.begins_ms));
        if !first.exists() {
            return Ok(file::replace(&first, signed)?);
        }
        let before = file::read_capped(&first, limits::SIGNED_BYTES_MAX as u64, "statement")?;
        if Epoch::stated(&before).is_ok_and(|before| before == *epoch) {
            return Ok(());
        }
        let second = folder.join(format!("{}.second.epoch", epoch.begins_ms));
        file::replace(&second, signed)?;
        Err(StoreError::TwoBooks)
    }

    /// What others stated, by member and beginning.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seen(&self) -> Result<Vec<Sight>, StoreError> {
        let mut found = Vec::new();
        for member in entries(&self.dir().join(SEEN))? {
            for path in files(&member, "epoch")? {
                let signed = bytes_of(&path, limits::SIGNED_BYTES_MAX as u64, "statement")?;
                let epoch = Epoch::stated(&signed).map_err(|_| damaged(&path))?;
                found.push(Sight {
                    epoch,
                    signed,
                    is_second: path.to_string_lossy().ends_with(".second.epoch"),
                });
            }
        }
        found.sort_by(|a: &Sight, b: &Sight| {
            let key = |one: &Sight| (one.epoch.member.clone(), one.epoch.begins_ms, one.is_second);
            key(a).cmp(&key(b))
        });
        Ok(found)
    }

    /// Keeps a book that was checked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_book(&self, sha256: &Hash, bytes: &[u8]) -> Result<(), StoreError> {
        file::create_private_dir(&self.dir().join(BOOKS))?;
        Ok(file::replace(&self.book_path(sha256), bytes)?)
    }

    /// A book that was kept, checked again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn kept_book(&self, sha256: &Hash) -> Result<Option<Book>, StoreError> {
        let path = self.book_path(sha256);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = bytes_of(&path, BOOK_BYTES_MAX as u64, "book")?;
        Ok(Some(Book::check(bytes, sha256)?))
    }

    /// The books of a member that are here and in force, the newest first, and no more than a
    /// question names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn books_of(&self, member: &str, now_ms: u64) -> Result<Vec<Hash>, StoreError> {
        let mut seen = self.seen()?;
        seen.retain(|one| one.epoch.member == member && one.epoch.is_in_force(now_ms));
        let hashes = seen.iter().rev().map(|one| one.epoch.book_sha256);
        let mut hashes: Vec<Hash> = hashes
            .filter(|hash| self.book_path(hash).exists())
            .collect();
        hashes.truncate(BOOKS_MAX);
        Ok(hashes)
    }

    /// Removes the books of epochs that are over: they say nothing any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn remove_ended_books(&self, now_ms: u64) -> Result<(), StoreError> {
        for one in self.seen()? {
            let path = self.book_path(&one.epoch.book_sha256);
            if one.epoch.is_in_force(now_ms) {
                continue;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Where questions are kept, each under its message id.
    #[must_use]
    pub fn asked_dir(&self) -> PathBuf {
        self.dir().join(FOLDER)
    }

    fn asked_path(&self, message: &str) -> PathBuf {
        self.asked_dir().join(format!("{message}.json"))
    }

    fn book_path(&self, sha256: &Hash) -> PathBuf {
        let name = format!("{}.book", hex::encode(sha256));
        self.dir().join(BOOKS).join(name)
    }
}
