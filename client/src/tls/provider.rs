//! The cryptography that TLS may use: ring, AES-GCM first, the hybrid key exchange.

use std::sync::Arc;

use rustls::crypto::{
    CryptoProvider,
    ring::{self, cipher_suite, kx_group},
};

use super::{KeyExchange, kx::X25519MlKem768};

/// The provider for a key-exchange policy. Spec: TLS-6, TLS-7.
///
/// AES-GCM stands first: hardware makes it a third faster than ChaCha20-Poly1305, which stays
/// for peers without such hardware.
#[must_use]
pub fn provider(key_exchange: KeyExchange) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    provider.kx_groups = match key_exchange {
        KeyExchange::HybridOnly => vec![&X25519MlKem768],
        KeyExchange::ClassicalTolerated => vec![&X25519MlKem768, kx_group::X25519],
    };
    Arc::new(provider)
}
