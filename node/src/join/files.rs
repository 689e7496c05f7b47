//! Small JSON files in private folders, replaced whole and synced.

use std::{fs, path::Path};

use frex_client::keys::{KeyFileError, file};
use serde::{Serialize, de::DeserializeOwned};

use super::JoinStoreError;
use crate::disk::{self, RealDisk};

const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// Keeps a record.
pub(super) fn put<T: Serialize>(path: &Path, record: &T) -> Result<(), JoinStoreError> {
    let text = serde_json::to_vec_pretty(record).map_err(|_| JoinStoreError::Damaged {
        path: path.to_owned(),
    })?;
    put_bytes(path, &text)
}

/// Keeps bytes.
pub(super) fn put_bytes(path: &Path, bytes: &[u8]) -> Result<(), JoinStoreError> {
    disk::replace(&RealDisk, path, bytes).map_err(|source| JoinStoreError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Reads a record; none where there is none.
pub(super) fn get<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, JoinStoreError> {
    let Some(bytes) = get_bytes(path, RECORD_BYTES_MAX)? else {
        return Ok(None);
    };
    let record = serde_json::from_slice(&bytes).map_err(|_| JoinStoreError::Damaged {
        path: path.to_owned(),
    })?;
    Ok(Some(record))
}

/// Reads bytes; none where there are none.
pub(super) fn get_bytes(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, JoinStoreError> {
    match file::read_capped(path, bytes_max, "file about a peer") {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(KeyFileError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The names of the folders in `dir` that hold `marker`, in order.
pub(super) fn names(dir: &Path, marker: &str) -> Result<Vec<String>, JoinStoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(JoinStoreError::Write {
                path: dir.to_owned(),
                source,
            });
        }
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| dir.join(name).join(marker).is_file())
        .collect();
    names.sort();
    Ok(names)
}
