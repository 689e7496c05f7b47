//! Keys that never enter this process: whoever holds one is asked for each signature.

use super::VerifyingKey;
use crate::error::WireCode;

/// What holds a secret key and signs with it: a hardware token, a signing service.
///
/// How it is reached is the business of whoever implements this. It may take its time, and must
/// give up in the end.
pub trait Token: Send + Sync {
    /// The Ed25519 signature (RFC 8032, pure) of `message`. It is verified before it is used.
    ///
    /// # Errors
    /// [`SigningError::Unavailable`], [`SigningError::Refused`].
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError>;
}

/// Why a key has not signed. The environment is at fault, and trying later can help. A key in
/// memory always signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The token is gone, or does not answer.
    #[error("the token that holds the key does not answer")]
    Unavailable,
    /// The token answers, but does not sign with this key.
    #[error("the token does not sign with the key")]
    Refused,
    /// What the token gave is no signature of the message by this key.
    #[error("what the token gave as a signature does not verify")]
    WrongSignature,
}

impl From<SigningError> for WireCode {
    fn from(_: SigningError) -> Self {
        Self::KeyUnavailable
    }
}

/// Asks `token` and believes nothing: a wrong signature must not be published, and one that was
/// computed wrongly could give the secret key away. Spec: KEY-21.
pub(super) fn ask(
    token: &dyn Token,
    key: &VerifyingKey,
    message: &[u8],
) -> Result<[u8; 64], SigningError> {
    let signature = token.sign(message)?;
    key.verify_ed25519(message, &signature)
        .map_err(|_| SigningError::WrongSignature)?;
    Ok(signature)
}
