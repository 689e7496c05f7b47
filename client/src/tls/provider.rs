//! The cryptography that TLS may use: ring, AES-GCM first, the hybrid key exchange.

use std::sync::Arc;

use rustls::crypto::{
    CryptoProvider,
    ring::{self, cipher_suite},
};

use super::{
    KeyExchange,
    kx::{self, X25519MlKem768},
    repeatable::{Repeatable, X25519},
};

/// The provider for a key-exchange policy. Spec: TLS-6, TLS-7.
///
/// AES-GCM stands first: hardware makes it a third faster than ChaCha20-Poly1305, which stays
/// for peers without such hardware.
#[must_use]
pub fn provider(key_exchange: KeyExchange) -> Arc<CryptoProvider> {
    Arc::new(with(key_exchange, &kx::SYSTEM))
}

/// The same for simulations only: every key repeats itself from `seed`.
///
/// It shows in the packet flow: a listener unmasks the header of an Initial that comes too late
/// with the wrong key, and the ciphertext decides whether what results looks like a header.
#[must_use]
pub fn repeatable(key_exchange: KeyExchange, seed: [u8; 32]) -> Arc<CryptoProvider> {
    // rustls wants what lives as long as the program, which for a simulation is not long.
    let random: &'static Repeatable = Box::leak(Box::new(Repeatable::new(seed)));
    let classical = Box::leak(Box::new(X25519 { random }));
    let hybrid = Box::leak(Box::new(X25519MlKem768 { random, classical }));
    Arc::new(CryptoProvider {
        secure_random: random,
        ..with(key_exchange, hybrid)
    })
}

fn with(key_exchange: KeyExchange, hybrid: &'static X25519MlKem768) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    provider.kx_groups = match key_exchange {
        KeyExchange::HybridOnly => vec![hybrid],
        KeyExchange::ClassicalTolerated => vec![hybrid, hybrid.classical],
    };
    provider
}
