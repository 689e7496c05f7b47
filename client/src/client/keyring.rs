//! The keys that open what is sealed to the member, looked for anew when one is not among them.

use std::sync::{Arc, Mutex, PoisonError};

use frex_proto::{id::KeyId, keys::SealingSecretKey};

use crate::keys::{MemberHome, SealingKeys};

/// What is not found is not looked for again at once: opening keys may take a while.
const LOOK_PAUSE_MS: u64 = 1_000;

/// Looks where the keys are kept, at this time; none if they cannot be read.
type Look = dyn Fn(u64) -> Option<SealingKeys> + Send + Sync;

/// Sealing keys, present and former. With [`Keyring::following`] a key that was made since is
/// found, and one that was destroyed since is forgotten.
pub struct Keyring {
    held: Mutex<Held>,
    look: Option<Box<Look>>,
}

struct Held {
    keys: Arc<Vec<SealingSecretKey>>,
    until_ms: Option<u64>,
    looked_ms: u64,
}

impl From<Vec<SealingSecretKey>> for Keyring {
    /// These keys and no others.
    fn from(keys: Vec<SealingSecretKey>) -> Self {
        Self::new(SealingKeys {
            keys,
            until_ms: None,
        })
    }
}

impl Keyring {
    /// The keys of a member's directory, as they were read and as they come to be.
    #[must_use]
    pub fn following(home: &MemberHome, keys: SealingKeys) -> Self {
        let home = home.clone();
        let look = move |now_ms| match home.sealing_keys(now_ms) {
            Ok(keys) => Some(keys),
            Err(error) => {
                tracing::warn!(%error, "the sealing keys cannot be read anew");
                None
            }
        };
        Self {
            look: Some(Box::new(look)),
            ..Self::new(keys)
        }
    }

    fn new(keys: SealingKeys) -> Self {
        Self {
            held: Mutex::new(Held {
                until_ms: keys.until_ms,
                keys: Arc::new(keys.keys),
                looked_ms: 0,
            }),
            look: None,
        }
    }

    /// The keys, read anew if `wanted` is not among them or the time of one is over.
    pub(super) fn with(&self, wanted: KeyId, now_ms: u64) -> Arc<Vec<SealingSecretKey>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let over = held.until_ms.is_some_and(|until_ms| until_ms <= now_ms);
        let missing = held.keys.iter().all(|key| key.key_id() != wanted);
        let rested = now_ms.saturating_sub(held.looked_ms) >= LOOK_PAUSE_MS;
        if let Some(look) = self.look.as_ref().filter(|_| over || missing && rested) {
            held.looked_ms = now_ms;
            if let Some(found) = look(now_ms) {
                held.keys = Arc::new(found.keys);
                held.until_ms = found.until_ms;
            }
        }
        Arc::clone(&held.keys)
    }
}
