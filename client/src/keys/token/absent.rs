//! A build without PKCS#11: key files that need it are recognised, and refused by name.

use std::sync::Arc;

use frex_proto::keys::{Token, VerifyingKey};

use super::{TokenAddress, TokenError, TokenPlace};
use crate::passphrase::Passphrase;

pub(super) fn open(_: &TokenPlace, _: &Passphrase) -> Result<Arc<dyn Token>, TokenError> {
    Err(TokenError::NotBuilt)
}

pub(super) fn public(_: &TokenAddress, _: &[u8]) -> Result<VerifyingKey, TokenError> {
    Err(TokenError::NotBuilt)
}

pub(super) fn generate(
    _: &TokenAddress,
    _: &str,
    _: &[u8],
    _: &Passphrase,
) -> Result<(), TokenError> {
    Err(TokenError::NotBuilt)
}
