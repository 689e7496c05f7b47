//! Randomness and X25519 that repeat themselves from a seed. For simulations only.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rustls::{
    Error, NamedGroup, PeerMisbehaved,
    crypto::{ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup},
    ffdhe_groups::FfdheGroup,
};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

/// A generator as rustls wants it.
pub(super) struct Repeatable(Mutex<ChaCha20Rng>);

impl Repeatable {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self(Mutex::new(ChaCha20Rng::from_seed(seed)))
    }
}

impl SecureRandom for Repeatable {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rng.fill_bytes(bytes);
        Ok(())
    }
}

impl fmt::Debug for Repeatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repeatable")
    }
}

/// X25519 with keys from a generator of ours: ring takes its own from the operating system.
#[derive(Debug)]
pub(super) struct X25519 {
    pub(super) random: &'static Repeatable,
}

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = Zeroizing::new([0; 32]);
        self.random.fill(secret.as_mut())?;
        let public = x25519(*secret, X25519_BASEPOINT_BYTES);
        Ok(Box::new(Active { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Active {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, share: &[u8]) -> Result<SharedSecret, Error> {
        let share = share.try_into().ok();
        let shared = share.map(|share| x25519(*self.secret, share));
        // All zeros come of a key of small order (RFC 8446 §7.4.2).
        let shared = shared.filter(|shared| *shared != [0; 32]);
        let shared = shared.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        Ok(SharedSecret::from(shared.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring::kx_group;

    use super::*;

    fn group() -> X25519 {
        let random = Box::leak(Box::new(Repeatable::new([1; 32])));
        X25519 { random }
    }

    #[test]
    fn keys_repeat_and_agree_with_those_of_ring() {
        let ours = group().start().unwrap();
        assert_eq!(ours.pub_key(), group().start().unwrap().pub_key());
        let theirs = kx_group::X25519.start_and_complete(ours.pub_key()).unwrap();
        let secret = ours.complete(&theirs.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), theirs.secret.secret_bytes());
    }

    #[test]
    fn shares_of_small_order_or_wrong_length_give_no_secret() {
        for share in [&[0; 32][..], &[9; 31]] {
            assert!(group().start().unwrap().complete(share).is_err());
        }
    }
}
