//! The transport key as TLS signs with it: in memory, or in a token.

use std::sync::Arc;

use frex_proto::keys::SigningKey;
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    crypto::ring::sign::any_eddsa_type,
    pki_types::PrivatePkcs8KeyDer,
    sign::{self, Signer},
};

use super::TlsError;

/// PKCS#8 version 1 of an Ed25519 seed, up to the seed itself (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What signs handshakes with `key`: ring, if the key is in memory.
pub(super) fn signer(key: &SigningKey) -> Result<Arc<dyn sign::SigningKey>, TlsError> {
    let Some(seed) = key.seed() else {
        return Ok(Arc::new(TokenKey(key.clone())));
    };
    let document = [PKCS8_PREFIX.as_slice(), seed.as_slice()].concat();
    any_eddsa_type(&PrivatePkcs8KeyDer::from(document)).map_err(|_| TlsError::Identity)
}

/// A handshake waits for the token, and with it whatever else its endpoint has to do meanwhile:
/// that is some milliseconds of a token that is there, and bounded for one that is not.
#[derive(Debug, Clone)]
struct TokenKey(SigningKey);

impl sign::SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ED25519)
            .then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature = self.0.sign(message);
        signature
            .map(Vec::from)
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
