//! The record on disk: read whole, written anew. Spec: FIL-14.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{KeyFolder, KeyRecord, KeyState, ROTATION_FILE};
use crate::keys::{KeyFileError, file};

const RECORD_BYTES_MAX: u64 = 64 * 1024;
/// Keys that are gone are remembered for their ids, the newest of them.
const RETIRED_MAX: usize = 128;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    key: Vec<KeyRecord>,
}

impl KeyFolder {
    /// Reads what is recorded, and changes nothing: what a crash cut short or what is due is
    /// still as it was.
    ///
    /// # Errors
    /// [`KeyFileError::Record`], [`KeyFileError::LooseMode`], [`KeyFileError::Io`].
    pub fn read(dir: &Path) -> Result<Self, KeyFileError> {
        let path = dir.join(ROTATION_FILE);
        let text = match file::read_private(&path, RECORD_BYTES_MAX, "record of keys") {
            Err(KeyFileError::Missing { .. }) => Text::default(),
            other => toml::from_str(&other?).map_err(|error| KeyFileError::Record {
                path: path.clone(),
                reason: error.to_string().trim_end().to_owned(),
            })?,
        };
        Ok(Self {
            dir: dir.to_owned(),
            records: text.key,
        })
    }

    /// Makes the record durable.
    pub(super) fn write(&mut self) -> Result<(), KeyFileError> {
        let retired = |record: &KeyRecord| record.state == KeyState::Retired;
        let count = self.records.iter().filter(|record| retired(record)).count();
        let mut surplus = count.saturating_sub(RETIRED_MAX);
        self.records.retain(|record| {
            let drop = surplus > 0 && retired(record);
            surplus -= usize::from(drop);
            !drop
        });
        let path = self.dir.join(ROTATION_FILE);
        let text = toml::to_string(&Text {
            key: self.records.clone(),
        })
        .map_err(|error| KeyFileError::Record {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        file::replace(&path, text.as_bytes())
    }
}

/// A key id as its hexadecimal.
pub(super) mod key_id {
    use frex_proto::id::KeyId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(id: &KeyId, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<KeyId, D::Error> {
        let text = String::deserialize(from)?;
        KeyId::from_hex(&text).map_err(|_| D::Error::custom("not a key id"))
    }
}
