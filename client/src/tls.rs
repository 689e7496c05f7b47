//! Mutual authentication of a connection: TLS 1.3, an Ed25519 key on both sides, nothing else.
//!
//! Each side shows a minimal self-signed certificate of which only the public key counts: no
//! chain, name, validity or authority is looked at. Who owns a key is the roster's matter and
//! arrives here as a [`KeyCheck`]. There is no resumption and no early data, so every connection
//! is judged anew. Spec: chapter TLS.

use std::{fmt, sync::Arc};

use frex_proto::{
    error::WireCode,
    keys::{SigningError, SigningKey},
};
use rustls::sign::CertifiedKey;

pub mod cert;
pub mod config;
mod kx;
pub mod provider;
mod repeatable;
mod signer;
pub mod verifier;

/// The one application protocol. Spec: TLS-5.
pub const ALPN: &[u8] = b"frex/1";

/// Says whether a peer with this Ed25519 key may finish the handshake. Spec: TLS-3.
///
/// It is asked during each handshake, so it follows the roster in force at that moment.
pub type KeyCheck = Arc<dyn Fn(&[u8; 32]) -> bool + Send + Sync>;

/// Which key exchanges are offered and taken; the roster's policy decides it. Spec: TLS-6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyExchange {
    /// Only X25519MLKEM768.
    #[default]
    HybridOnly,
    /// X25519MLKEM768 first; plain X25519 for a peer that has nothing better.
    ClassicalTolerated,
}

/// A transport key with the certificate that shows it.
#[derive(Clone)]
pub struct Identity {
    public_key: [u8; 32],
    shown: Arc<CertifiedKey>,
}

impl Identity {
    /// Makes the identity of a transport key.
    ///
    /// # Errors
    /// [`TlsError::Identity`] if no certificate can be made for the key, [`TlsError::Signing`] if
    /// its token does not sign one.
    pub fn new(key: &SigningKey) -> Result<Self, TlsError> {
        Ok(Self {
            public_key: *key.verifying_key().as_bytes(),
            shown: Arc::new(CertifiedKey::new(
                vec![cert::self_signed(key)?],
                signer::signer(key)?,
            )),
        })
    }

    /// The key as the roster lists it.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Why no TLS configuration can be made of what was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The transport key makes no certificate.
    #[error("no certificate can be made for the transport key")]
    Identity,
    /// The transport key does not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The parts do not make a configuration.
    #[error("no TLS configuration can be made")]
    Configuration,
}

impl From<TlsError> for WireCode {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Signing(error) => error.into(),
            TlsError::Identity | TlsError::Configuration => Self::BadConfig,
        }
    }
}
