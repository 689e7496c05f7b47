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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        environment::Random,
        keys::{MemberHome, MemberRole, MemberSettings, rotation::KeyUse},
    };

    const NOW_MS: u64 = 1_900_000_000_000;

    fn ids(keys: &[SealingSecretKey]) -> Vec<KeyId> {
        keys.iter().map(SealingSecretKey::key_id).collect()
    }

    // MBR-11, FIL-17: a key made after the program read its keys is found; one that was destroyed
    // is forgotten, also by a program that has read it long before.
    #[test]
    fn keys_are_followed_as_they_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let settings = MemberSettings {
            member: "hotline.no".to_owned(),
            federation: "fed".to_owned(),
            home_node: "node.no".to_owned(),
            country: "NO".to_owned(),
            name: "Hotline".to_owned(),
            role: MemberRole::Hotline,
            keys_from_credentials: false,
        };
        let mut rng = Random::seeded([1; 32]).rng();
        let (home, keys) = MemberHome::create(dir.path(), settings, None, &mut rng).unwrap();
        let old = keys.sealing.keys[0].key_id();
        let ring = Keyring::following(&home, keys.sealing);
        let next = SealingSecretKey::from_seed(&[8; 32]);
        let (mut folder, _) = home.key_folder(NOW_MS).unwrap();
        let unlock = home.unlock();
        folder
            .add_next(KeyUse::Sealing, (&next).into(), unlock, &mut rng, NOW_MS)
            .unwrap();
        assert_eq!(ids(&ring.with(old, NOW_MS)), [old]);
        assert_eq!(ids(&ring.with(next.key_id(), NOW_MS)), [old, next.key_id()]);
        let until_ms = NOW_MS + 10_000;
        folder
            .promote(KeyUse::Sealing, old, NOW_MS, until_ms)
            .unwrap();
        let stranger = KeyId([9; 16]);
        let both = [next.key_id(), old];
        assert_eq!(ids(&ring.with(stranger, NOW_MS + LOOK_PAUSE_MS)), both);
        assert_eq!(ids(&ring.with(old, until_ms - 1)), both);
        assert_eq!(ids(&ring.with(old, until_ms)), [next.key_id()]);
    }
}
