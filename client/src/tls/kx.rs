//! The hybrid key exchange X25519MLKEM768 for the ring provider. Spec: TLS-6.
//!
//! Client share: ML-KEM-768 encapsulation key, then X25519 key. Server share: ciphertext, then
//! X25519 key. Secret: the ML-KEM secret, then the X25519 secret.

use ml_kem::{Decapsulate, Encapsulate, EncapsulationKey, Kem, KeyExport, MlKem768};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::{
    Error, NamedGroup, PeerMisbehaved, ProtocolVersion,
    crypto::{
        ActiveKeyExchange, CompletedKeyExchange, GetRandomFailed, SecureRandom, SharedSecret,
        SupportedKxGroup, ring::kx_group::X25519,
    },
    ffdhe_groups::FfdheGroup,
};
use zeroize::Zeroizing;

const ENCAPSULATION_KEY_BYTES: usize = 1184;
const CIPHERTEXT_BYTES: usize = 1088;
const X25519_BYTES: usize = 32;
const INVALID_SHARE: Error = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);

/// X25519MLKEM768, group 0x11ec.
#[derive(Debug)]
pub(super) struct X25519MlKem768 {
    /// Where the ML-KEM part comes from.
    pub(super) random: &'static dyn SecureRandom,
    /// X25519, which has randomness of its own.
    pub(super) classical: &'static dyn SupportedKxGroup,
}

/// The group as every program uses it: the operating system gives all randomness.
pub(super) static SYSTEM: X25519MlKem768 = X25519MlKem768 {
    random: &System,
    classical: X25519,
};

impl X25519MlKem768 {
    /// A generator for one key exchange.
    fn rng(&self) -> Result<ChaCha20Rng, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        self.random.fill(seed.as_mut())?;
        Ok(ChaCha20Rng::from_seed(*seed))
    }
}

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = self.classical.start()?;
        let (decapsulation, encapsulation) = MlKem768::generate_keypair_from_rng(&mut self.rng()?);
        let share = [encapsulation.to_bytes().as_slice(), classical.pub_key()].concat();
        Ok(Box::new(Active {
            classical,
            decapsulation,
            share,
        }))
    }

    fn start_and_complete(&self, client_share: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (key, classical_share) = split(client_share, ENCAPSULATION_KEY_BYTES)?;
        // Reading the key is the modulus check that FIPS 203 §7.2 demands.
        let key = key.try_into().map_err(|_| INVALID_SHARE)?;
        let key = EncapsulationKey::<MlKem768>::new(key).map_err(|_| INVALID_SHARE)?;
        let classical = self.classical.start_and_complete(classical_share)?;
        let (ciphertext, secret) = key.encapsulate_with_rng(&mut self.rng()?);
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [ciphertext.as_slice(), &classical.pub_key].concat(),
            secret: join(&secret, classical.secret.secret_bytes()),
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct Active {
    classical: Box<dyn ActiveKeyExchange>,
    decapsulation: ml_kem::DecapsulationKey<MlKem768>,
    share: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, server_share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, classical_share) = split(server_share, CIPHERTEXT_BYTES)?;
        let ciphertext = ciphertext.try_into().map_err(|_| INVALID_SHARE)?;
        let classical = self.classical.complete(classical_share)?;
        let secret = self.decapsulation.decapsulate(ciphertext);
        Ok(join(&secret, classical.secret_bytes()))
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.classical.group(), self.classical.pub_key()))
    }

    fn complete_hybrid_component(
        self: Box<Self>,
        server_share: &[u8],
    ) -> Result<SharedSecret, Error> {
        self.classical.complete(server_share)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

fn split(share: &[u8], post_quantum_bytes: usize) -> Result<(&[u8], &[u8]), Error> {
    if share.len() == post_quantum_bytes + X25519_BYTES {
        Ok(share.split_at(post_quantum_bytes))
    } else {
        Err(INVALID_SHARE)
    }
}

fn join(post_quantum: &[u8], classical: &[u8]) -> SharedSecret {
    let joined = Zeroizing::new([post_quantum, classical].concat());
    SharedSecret::from(joined.as_slice())
}

#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        SystemRandom::new().fill(bytes).map_err(|_| GetRandomFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // TLS-6
    #[test]
    fn both_ends_of_the_hybrid_exchange_hold_the_same_secret() {
        let client = SYSTEM.start().unwrap();
        assert_eq!(client.pub_key().len(), 1216);
        let server = SYSTEM.start_and_complete(client.pub_key()).unwrap();
        assert_eq!(server.pub_key.len(), 1120);
        let secret = client.complete(&server.pub_key).unwrap();
        assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
        assert_eq!(secret.secret_bytes().len(), 64);
    }

    // TLS-6: a key with coefficients over the modulus is a peer's fault, not a secret.
    #[test]
    fn malformed_shares_are_refused() {
        let client = SYSTEM.start().unwrap();
        let mut share = client.pub_key().to_vec();
        share[..8].fill(0xff);
        assert!(SYSTEM.start_and_complete(&share).is_err());
        assert!(SYSTEM.start_and_complete(&share[1..]).is_err());
        assert!(client.complete(&[0; 1119]).is_err());
    }

    // TLS-6: an X25519 key of small order gives no secret.
    #[test]
    fn small_order_classical_share_is_refused() {
        let client = SYSTEM.start().unwrap();
        let mut share = client.pub_key().to_vec();
        share[1184..].fill(0);
        assert!(SYSTEM.start_and_complete(&share).is_err());
    }
}
