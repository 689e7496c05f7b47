//! What others asked, and how much of it within a day: written down before anything is evaluated.
//! Spec: DCF-18, DCF-20.

use std::{collections::BTreeMap, path::PathBuf};

use bytes::Bytes;
use frex_proto::id::EnvelopeId;
use serde::{Deserialize, Serialize};

use super::{FILE_BYTES_MAX, Settings, Store, StoreError, bytes_of, files, io, record};
use crate::keys::file;

const FOLDER: &str = "served";
const QUOTA: &str = "quota.json";
const RECORD: &str = "record of a question";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A question that came: who asked, when, for how many, and what became of it. Nothing of what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The envelope with the question.
    pub query: String,
    /// Who asked.
    pub member: String,
    /// When it was judged, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// How many identifiers.
    pub items: usize,
    /// `counted`, `answered` or `refused`.
    pub state: String,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refusal: String,
    /// Under which epoch it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_ms: Option<u64>,
    /// The envelope with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// Whether a question may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It was counted now.
    Counted,
    /// It was counted before, and its answer did not leave.
    Again,
    /// It was answered or refused before.
    Done,
    /// It would be over the quota, until this time; 0: it always would.
    Over {
        /// Milliseconds since the Unix epoch.
        again_ms: u64,
    },
}

/// What was evaluated within the last day, by member: times and numbers.
type Counted = BTreeMap<String, Vec<(u64, u64)>>;

impl Store {
    /// Counts a question if it is within the quotas, before it is answered.
    ///
    /// # Errors
    /// [`StoreError`]: then it must not be answered.
    pub fn admit(
        &self,
        query: EnvelopeId,
        member: &str,
        items: usize,
        now_ms: u64,
        settings: &Settings,
    ) -> Result<Admission, StoreError> {
        let folder = self.served_dir();
        file::create_private_dir(&folder)?;
        let _held = file::hold(&folder).map_err(|error| io(&folder, error))?;
        if let Some(before) = self.served(&query.to_string())? {
            return Ok(match before.state == "counted" {
                true => Admission::Again,
                false => Admission::Done,
            });
        }
        let path = self.dir().join(QUOTA);
        let mut counted: Counted = match path.exists() {
            true => record(&path, "quota file")?,
            false => Counted::new(),
        };
        // A clock that was set back keeps what was counted.
        let since_ms = now_ms.saturating_sub(DAY_MS);
        for rows in counted.values_mut() {
            rows.retain(|(at_ms, _)| *at_ms > since_ms);
        }
        counted.retain(|_, rows| !rows.is_empty());
        let all: Vec<(u64, u64)> = counted.values().flatten().copied().collect();
        let own = counted.entry(member.to_owned()).or_default();
        let over = over(own, items as u64, settings.quota_of(member).into())
            .or_else(|| over(&all, items as u64, settings.items_per_day_all.into()));
        if let Some(again_ms) = over {
            return Ok(Admission::Over { again_ms });
        }
        own.push((now_ms, items as u64));
        let rows = serde_json::to_vec(&counted).unwrap_or_default();
        file::replace(&path, &rows)?;
        self.note_served(&Query {
            query: query.to_string(),
            member: member.to_owned(),
            at_ms: now_ms,
            items,
            state: "counted".to_owned(),
            ..Query::default()
        })?;
        Ok(Admission::Counted)
    }

    /// Keeps what became of a question.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn note_served(&self, query: &Query) -> Result<(), StoreError> {
        file::create_private_dir(&self.served_dir())?;
        let text = serde_json::to_vec_pretty(query).unwrap_or_default();
        Ok(file::replace(&self.served_path(&query.query), &text)?)
    }

    /// What is known of a question.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn served(&self, query: &str) -> Result<Option<Query>, StoreError> {
        let path = self.served_path(query);
        path.exists().then(|| record(&path, RECORD)).transpose()
    }

    /// All questions that came, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn all_served(&self) -> Result<Vec<Query>, StoreError> {
        let files = files(&self.served_dir(), "json")?;
        let found = files.iter().map(|path| record::<Query>(path, RECORD));
        let mut found = found.collect::<Result<Vec<Query>, StoreError>>()?;
        found.sort_by(|a: &Query, b: &Query| (a.at_ms, &a.query).cmp(&(b.at_ms, &b.query)));
        Ok(found)
    }

    /// Keeps the answer itself, without its book: what a caller claims is held against it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_answer(&self, query: &str, answer: &[u8]) -> Result<(), StoreError> {
        Ok(file::replace(&self.answer_path(query), answer)?)
    }

    /// The answer to a question, as it was sent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn kept_answer(&self, query: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.answer_path(query);
        let answer = || bytes_of(&path, FILE_BYTES_MAX, "answer");
        path.exists().then(answer).transpose()
    }

    /// Where questions of others are kept, each under the id of its envelope.
    #[must_use]
    pub fn served_dir(&self) -> PathBuf {
        self.dir().join(FOLDER)
    }

    fn served_path(&self, query: &str) -> PathBuf {
        self.served_dir().join(format!("{query}.json"))
    }

    fn answer_path(&self, query: &str) -> PathBuf {
        self.served_dir().join(format!("{query}.answer"))
    }
}

/// From when on so many more are within the quota, if they are not.
fn over(rows: &[(u64, u64)], items: u64, quota: u64) -> Option<u64> {
    let mut sum: u64 = rows.iter().map(|(_, items)| items).sum();
    if sum + items <= quota {
        return None;
    }
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    for (at_ms, counted) in rows {
        sum -= counted;
        if sum + items <= quota {
            return Some(at_ms.saturating_add(DAY_MS));
        }
    }
    Some(0)
}
