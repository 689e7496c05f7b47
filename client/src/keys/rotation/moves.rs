//! The moves: each records what is to be, and then makes it so. Spec: FIL-15, FIL-16.

use std::path::PathBuf;

use frex_proto::id::KeyId;
use rand_core::CryptoRng;

use super::{KeyFolder, KeyRecord, KeyState, KeyUse, settle::lock};
use crate::{
    keys::{
        KeyFileError,
        file::{self, KeyPlace},
        text::{PublicKey, SecretKeyRef},
    },
    passphrase::Unlock,
};

impl KeyFolder {
    /// Keeps a new key as NEXT, encrypted if the one in use is; where there is none, if one of those
    /// beside it is. It does not return before the key would survive a power failure; until then
    /// nobody may be told of it.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] if there is one already, [`KeyFileError::Sealed`] without the
    /// passphrase that it would have to be encrypted under.
    pub fn add_next(
        &mut self,
        usage: KeyUse,
        key: SecretKeyRef<'_>,
        unlock: &Unlock,
        rng: &mut dyn CryptoRng,
        now_ms: u64,
    ) -> Result<KeyRecord, KeyFileError> {
        let passphrase = match self.encrypted_beside(usage)? {
            Some(path) => {
                let sealed = |source| KeyFileError::Sealed { path, source };
                Some(unlock.passphrase().map_err(sealed)?)
            }
            None => None,
        };
        let path = self.dir.join(usage.next_file());
        let text = file::text_of(&path, key, passphrase, rng)?;
        let _lock = self.hold()?;
        if self.has(&usage.next_file()) {
            return Err(KeyFileError::Exists { path });
        }
        let record = self.record_next(usage, key.public().key_id(), now_ms)?;
        file::replace(&path, text.as_bytes())?;
        Ok(record)
    }

    /// Takes the file of the next key, made by other hands, as NEXT: one that says where in a
    /// token the key is. Nothing if there is no such file.
    ///
    /// # Errors
    /// [`KeyFileError`]
    pub fn adopt_next(
        &mut self,
        usage: KeyUse,
        now_ms: u64,
    ) -> Result<Option<KeyRecord>, KeyFileError> {
        let path = self.dir.join(usage.next_file());
        if !self.has(&usage.next_file()) {
            return Ok(None);
        }
        let text = KeyPlace::file(&path).read()?;
        let in_token = text.token().is_some();
        let key_id = text.public().filter(|_| in_token).map(PublicKey::key_id);
        let key_id = key_id.ok_or(KeyFileError::Exists { path })?;
        let _lock = self.hold()?;
        self.record_next(usage, key_id, now_ms).map(Some)
    }

    /// NEXT becomes ACTIVE, and the key that was, `former`, is RETIRING until `until_ms`. None was
    /// before a folder's first witness key.
    ///
    /// # Errors
    /// [`KeyFileError::Missing`] if there is no next key, [`KeyFileError::Exists`] if there is a
    /// key in use that was not named.
    pub fn promote(
        &mut self,
        usage: KeyUse,
        former: impl Into<Option<KeyId>>,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<(), KeyFileError> {
        let _lock = self.hold()?;
        self.record_promotion(usage, former, now_ms, until_ms)?;
        self.settle(now_ms).map(drop)
    }

    /// NEXT is RETIRING until `until_ms` without ever having been in use, and leaves its place to
    /// another. What is sealed to it goes on to open. Nothing happens if there is none.
    ///
    /// # Errors
    /// [`KeyFileError`]; the key is then still kept, under one name or both.
    pub fn set_aside_next(
        &mut self,
        usage: KeyUse,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<(), KeyFileError> {
        let _lock = self.hold()?;
        let Some(next) = self.next(usage).cloned() else {
            return Ok(());
        };
        // A copy, recorded before the other goes: a rename would look like a promotion cut short.
        let path = self.dir.join(usage.next_file());
        let text = file::read_private(&path, file::KEY_FILE_BYTES_MAX, "key file")?;
        let aside = self.dir.join(usage.retiring_file(next.key_id));
        file::replace(&aside, text.as_bytes())?;
        self.records.push(KeyRecord {
            state: KeyState::Retiring,
            since_ms: now_ms,
            until_ms: Some(until_ms),
            ..next
        });
        self.write()?;
        self.settle(now_ms).map(drop)
    }

    /// A RETIRING key is destroyed before its time.
    ///
    /// # Errors
    /// [`KeyFileError::Io`]; the next opening of the folder goes on.
    pub fn destroy(&mut self, key_id: KeyId, now_ms: u64) -> Result<Vec<KeyRecord>, KeyFileError> {
        let _lock = self.hold()?;
        for record in &mut self.records {
            if record.key_id == key_id && record.state == KeyState::Retiring {
                record.until_ms = Some(now_ms);
            }
        }
        self.write()?;
        self.settle(now_ms)
    }

    pub(super) fn record_promotion(
        &mut self,
        usage: KeyUse,
        former: impl Into<Option<KeyId>>,
        now_ms: u64,
        until_ms: u64,
    ) -> Result<(), KeyFileError> {
        let former = former.into();
        let missing = || KeyFileError::Missing {
            path: self.dir.join(usage.next_file()),
        };
        let next = self.next(usage).ok_or_else(missing)?.key_id;
        // Nothing may lie where the key in use goes, be it aside or away.
        let free = former.map_or(usage.active_file(), |former| usage.retiring_file(former));
        if self.has(&free) {
            let path = self.dir.join(free);
            return Err(KeyFileError::Exists { path });
        }
        // A key that was in use before anything was recorded comes into the record now.
        self.records
            .retain(|record| record.usage != usage || record.state != KeyState::Active);
        for record in &mut self.records {
            if record.usage == usage && record.key_id == next {
                record.state = KeyState::Active;
                record.since_ms = now_ms;
            }
        }
        self.records.extend(former.map(|key_id| KeyRecord {
            usage,
            state: KeyState::Retiring,
            key_id,
            since_ms: now_ms,
            until_ms: Some(until_ms),
        }));
        self.write()
    }

    /// The file of a key that is encrypted, as a new one then must be too.
    fn encrypted_beside(&self, usage: KeyUse) -> Result<Option<PathBuf>, KeyFileError> {
        let models: Vec<String> = match usage {
            KeyUse::Witness if !self.has(&usage.active_file()) => KeyUse::ALL
                .map(KeyUse::active_file)
                .into_iter()
                .filter(|file| self.has(file))
                .collect(),
            _ => vec![usage.active_file()],
        };
        for file in models {
            let path = self.dir.join(file);
            if KeyPlace::file(&path).read()?.is_encrypted() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// There is one next key at most, whoever else has made one meanwhile.
    fn record_next(
        &mut self,
        usage: KeyUse,
        key_id: KeyId,
        now_ms: u64,
    ) -> Result<KeyRecord, KeyFileError> {
        if self.next(usage).is_some() {
            let path = self.dir.join(usage.next_file());
            return Err(KeyFileError::Exists { path });
        }
        let record = KeyRecord {
            usage,
            state: KeyState::Next,
            key_id,
            since_ms: now_ms,
            until_ms: None,
        };
        self.records.push(record.clone());
        self.write()?;
        Ok(record)
    }

    /// Takes the lock, and reads again what another program may have changed before.
    fn hold(&mut self) -> Result<std::fs::File, KeyFileError> {
        let lock = lock(&self.dir)?;
        *self = Self::read(&self.dir)?;
        Ok(lock)
    }
}
