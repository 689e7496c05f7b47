//! Signing keys that stay in a hardware token: what their file says instead of the secret, and how
//! one is made or taken into use. Spec: FIL-31 to FIL-34.

use std::path::{Path, PathBuf};

use frex_proto::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

#[cfg(not(feature = "pkcs11"))]
use self::absent as driver;
#[cfg(feature = "pkcs11")]
use self::pkcs11 as driver;
use super::{KeyFileError, file};
use crate::passphrase::{Passphrase, PassphraseError, Unlock};

#[cfg(not(feature = "pkcs11"))]
mod absent;
#[cfg(feature = "pkcs11")]
mod pkcs11;

/// Bytes of an object's id (`CKA_ID`) at most.
const ID_BYTES_MAX: usize = 64;
const COMMENT: &str = "# The secret half of this key is in a hardware token (PKCS#11), and its PIN is written nowhere.\n# frex needs this file to find the key.\n";

/// Which token, and the library of its maker that speaks to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenAddress {
    /// The PKCS#11 module, an absolute path.
    pub module: PathBuf,
    /// The label that the token was initialised with.
    pub label: String,
    /// Its serial number, where two tokens have the same label.
    pub serial: Option<String>,
}

/// Where in which token a key is, and which key it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    /// The token.
    pub token: TokenAddress,
    /// The key's id in the token (`CKA_ID`).
    pub id: Vec<u8>,
    /// The public half.
    pub public: VerifyingKey,
}

/// A signing key that no file holds yet. Printing it prints only its public id.
#[derive(Debug)]
pub struct NewKey {
    key: SigningKey,
    /// Of a key in a token, which is written instead of its secret half.
    place: Option<TokenPlace>,
}

/// Why a token does not give a key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// This program was built without the feature.
    #[error("this program was built without the support for tokens (feature pkcs11)")]
    NotBuilt,
    /// No library, or none that speaks PKCS#11.
    #[error("the PKCS#11 module {} cannot be used", .0.display())]
    Module(PathBuf),
    /// No token with this label is there.
    #[error("no token with the label {0:?} is there")]
    Absent(String),
    /// More than one token has the label.
    #[error("two tokens have the label {0:?}: name the serial number too")]
    Ambiguous(String),
    /// The token has no such key.
    #[error("the token has no Ed25519 key with the id {0}")]
    NoKey(String),
    /// The token has another key under the id.
    #[error("the key in the token is another one than its file says")]
    OtherKey,
    /// There is no PIN to log in with.
    #[error("the token wants its PIN, and none is given")]
    NoPin(PassphraseError),
    /// The PIN does not fit. It is not tried again by this process. Spec: FIL-34.
    #[error("the token does not take the PIN")]
    WrongPin,
    /// One more wrong PIN would lock the token.
    #[error("one more wrong PIN would lock the token, so none is tried")]
    LastTry,
    /// The token takes no PIN any more.
    #[error("the PIN of the token is locked")]
    Locked,
    /// The token, or the library, refuses for another reason.
    #[error("the token refuses: {0}")]
    Refused(String),
}

impl From<&TokenError> for WireCode {
    fn from(error: &TokenError) -> Self {
        match error {
            TokenError::NotBuilt => Self::NotBuilt,
            TokenError::Module(_) | TokenError::Ambiguous(_) => Self::BadConfig,
            TokenError::Absent(_) | TokenError::Refused(_) => Self::KeyUnavailable,
            TokenError::NoKey(_) | TokenError::OtherKey => Self::KeyUnusable,
            TokenError::NoPin(error) => (*error).into(),
            TokenError::WrongPin | TokenError::LastTry | TokenError::Locked => Self::Sealed,
        }
    }
}

impl From<TokenError> for WireCode {
    fn from(error: TokenError) -> Self {
        Self::from(&error)
    }
}

/// The lines of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    public_key: String,
    module: PathBuf,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    id: String,
}

impl TokenAddress {
    /// Makes an Ed25519 key in the token, which never gives it away. `label` names it for people.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn make_key(
        &self,
        label: &str,
        unlock: &Unlock,
        rng: &mut dyn CryptoRng,
    ) -> Result<NewKey, TokenError> {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        driver::generate(self, label, &id, pin(unlock)?)?;
        self.take_key(&id, unlock)
    }

    /// The Ed25519 key that is in the token under `id`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn take_key(&self, id: &[u8], unlock: &Unlock) -> Result<NewKey, TokenError> {
        let place = TokenPlace {
            token: self.clone(),
            id: id.to_vec(),
            public: driver::public(self, id)?,
        };
        Ok(NewKey {
            key: place.open(unlock)?,
            place: Some(place),
        })
    }
}

impl TokenPlace {
    /// Reads the text of a key file; none if it is not of this kind. Spec: FIL-31, FIL-32.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let stated: Stated = toml::from_str(text).ok()?;
        let id = hex::decode(&stated.id).ok()?;
        let sound = stated.module.is_absolute() && !stated.token.is_empty();
        if !sound || id.is_empty() || id.len() > ID_BYTES_MAX {
            return None;
        }
        Some(Self {
            token: TokenAddress {
                module: stated.module,
                label: stated.token,
                serial: stated.serial,
            },
            id,
            public: VerifyingKey::admit(&hex::decode(&stated.public_key).ok()?).ok()?,
        })
    }

    /// The text of the key file. Spec: FIL-31.
    fn to_text(&self) -> Result<String, toml::ser::Error> {
        let lines = toml::to_string(&Stated {
            public_key: hex::encode(self.public.as_bytes()),
            module: self.token.module.clone(),
            token: self.token.label.clone(),
            serial: self.token.serial.clone(),
            id: hex::encode(&self.id),
        })?;
        Ok(format!("{COMMENT}{lines}"))
    }

    /// Logs in and gives the key. It opens its session anew, once for a signature, when the token
    /// was away. Spec: FIL-33, FIL-34.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn open(&self, unlock: &Unlock) -> Result<SigningKey, TokenError> {
        let token = driver::open(self, pin(unlock)?)?;
        Ok(SigningKey::in_token(self.public.clone(), token))
    }

    /// Whether the token is there and holds the public half, which takes no PIN.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn check(&self) -> Result<(), TokenError> {
        match driver::public(&self.token, &self.id)? == self.public {
            true => Ok(()),
            false => Err(TokenError::OtherKey),
        }
    }
}

impl NewKey {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The key alone.
    #[must_use]
    pub fn into_key(self) -> SigningKey {
        self.key
    }

    /// Writes its file: of a key that is not in a token encrypted, if there is a passphrase.
    ///
    /// # Errors
    /// As [`file::write_key`].
    pub fn write(
        &self,
        path: &Path,
        passphrase: Option<&Passphrase>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), KeyFileError> {
        match &self.place {
            None => file::write_key(path, (&self.key).into(), passphrase, rng),
            Some(place) => {
                let text = place.to_text().map_err(|_| KeyFileError::Malformed {
                    path: path.to_owned(),
                    kind: "key file",
                })?;
                file::write_private(path, text.as_bytes())
            }
        }
    }
}

impl From<SigningKey> for NewKey {
    fn from(key: SigningKey) -> Self {
        Self { key, place: None }
    }
}

fn pin(unlock: &Unlock) -> Result<&Passphrase, TokenError> {
    if cfg!(not(feature = "pkcs11")) {
        // Nobody should type a PIN in vain.
        return Err(TokenError::NotBuilt);
    }
    unlock.pin().map_err(TokenError::NoPin)
}

#[cfg(test)]
mod tests;
