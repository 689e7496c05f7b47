//! A node that starts takes up the keys that the roster has come to list. Spec: NOD-12, FIL-36.
//!
//! At its start and not while it runs: then only one process moves keys, nothing is signed while
//! they move, and a node that runs keeps neither the passphrase nor a secret that it does not use.

use std::path::Path;

use frex_client::{
    keys::{
        KEYS_DIR, KeyFileError,
        rotation::{KeyFolder, KeyState, KeyUse},
    },
    passphrase::Unlock,
};
use frex_proto::{id::KeyId, keys::VerifyingKey};

use super::{LOG_KEY_FILE, NodeHome, NodeHomeError, WITNESS_KEY_FILE, key_place, unless_missing};
use crate::config::NodeConfig;

impl NodeHome {
    /// Makes the NEXT log key the ACTIVE one if the roster lists it as the log's, and says whether
    /// it does. The caller holds the directory's lock.
    ///
    /// # Errors
    /// [`NodeHomeError::File`]; a roster that cannot be read is for [`open`](Self::open) to tell.
    pub fn take_up_log_key(
        dir: &Path,
        now_ms: u64,
        unlock: &Unlock,
    ) -> Result<bool, NodeHomeError> {
        let Some((config, mut folder, next)) = Self::next_key(dir, KeyUse::Log, now_ms)? else {
            return Ok(false);
        };
        let Ok(roster) = Self::roster(dir, now_ms) else {
            return Ok(false);
        };
        let node = roster.node(&config.node);
        let Some(node) = node.filter(|node| node.log_key.key.key_id() == next) else {
            return Ok(false);
        };
        let former = active_key(dir, LOG_KEY_FILE, &config, unlock)?;
        let mut earlier = node.earlier_log_keys.iter();
        let end_ms = earlier
            .find(|listed| listed.key.key_id() == former)
            .and_then(|listed| listed.validity.not_after_ms);
        // Should the start fail, the former one goes at its end; after a start it goes at once.
        folder.promote(KeyUse::Log, former, now_ms, end_ms.unwrap_or(now_ms))?;
        Ok(true)
    }

    /// Makes the NEXT witness key the ACTIVE one if the roster lists it, and says whether it does.
    /// The former one goes at once: what it has cosigned holds without it, and nobody takes a
    /// cosignature of it any more. The caller holds the directory's lock.
    ///
    /// # Errors
    /// As [`take_up_log_key`](Self::take_up_log_key).
    pub fn take_up_witness_key(
        dir: &Path,
        now_ms: u64,
        unlock: &Unlock,
    ) -> Result<bool, NodeHomeError> {
        let Some((config, mut folder, next)) = Self::next_key(dir, KeyUse::Witness, now_ms)? else {
            return Ok(false);
        };
        let Ok(roster) = Self::roster(dir, now_ms) else {
            return Ok(false);
        };
        let listed = roster.node(&config.node).and_then(|node| {
            let key = node.witness_key.as_ref();
            key.map(VerifyingKey::key_id)
        });
        if listed != Some(next) {
            return Ok(false);
        }
        let former = active_key(dir, WITNESS_KEY_FILE, &config, unlock);
        folder.promote(KeyUse::Witness, unless_missing(former)?, now_ms, now_ms)?;
        Ok(true)
    }

    /// The key that waits to be taken up, if one does, in its folder.
    fn next_key(
        dir: &Path,
        usage: KeyUse,
        now_ms: u64,
    ) -> Result<Option<(NodeConfig, KeyFolder, KeyId)>, NodeHomeError> {
        let config = Self::config(dir)?;
        if config.keys_from_credentials {
            return Ok(None);
        }
        let (folder, _) = KeyFolder::open(&dir.join(KEYS_DIR), now_ms)?;
        let next = folder.next(usage).map(|record| record.key_id);
        Ok(next.map(|next| (config, folder, next)))
    }

    /// Destroys the log keys that were followed: the one in use is in force and has signed the
    /// log's head, and there is nothing that an earlier one would be needed for. Says how many.
    ///
    /// # Errors
    /// [`NodeHomeError::File`].
    pub fn retire_log_keys(dir: &Path, now_ms: u64) -> Result<usize, NodeHomeError> {
        if Self::config(dir)?.keys_from_credentials {
            return Ok(0);
        }
        let (mut folder, _) = KeyFolder::open(&dir.join(KEYS_DIR), now_ms)?;
        let retiring: Vec<KeyId> = folder
            .of(KeyUse::Log, KeyState::Retiring)
            .map(|record| record.key_id)
            .collect();
        for key in &retiring {
            folder.destroy(*key, now_ms)?;
        }
        Ok(retiring.len())
    }
}

/// The id of the key in use: its file states it, or the passphrase opens it.
fn active_key(
    dir: &Path,
    file: &str,
    config: &NodeConfig,
    unlock: &Unlock,
) -> Result<KeyId, KeyFileError> {
    let place = key_place(dir, file, config, unlock)?;
    match place.read()?.public() {
        Some(public) => Ok(public.key_id()),
        None => Ok(place.read_signing_key(unlock)?.verifying_key().key_id()),
    }
}
