//! What stands in a key file: PEM, as it is or encrypted under a passphrase. Spec: FIL-1, FIL-7
//! to FIL-9.
//!
//! Before an encrypted key stand two lines that other tools skip: the public key, so that a key
//! can be named without opening it, and a checksum, so that damage is not taken for a wrong
//! passphrase.

use std::fmt;

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use frex_proto::{
    error::WireCode,
    id::KeyId,
    keys::{SealingPublicKey, SealingSecretKey, SigningKey, VerifyingKey},
    label::sha256,
};
use pkcs8::{
    EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef,
    der::{
        Decode, Encode,
        asn1::OctetString,
        pem::{LineEnding, decode_vec, encode_string},
    },
    pkcs5::{EncryptionScheme, pbes2, scrypt},
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::token::TokenPlace;
use crate::passphrase::Passphrase;

const SIGNING_LABEL: &str = "PRIVATE KEY";
const SIGNING_ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const SEALING_LABEL: &str = "FREX SEALING KEY";
const SEALING_ENCRYPTED_LABEL: &str = "ENCRYPTED FREX SEALING KEY";
const PUBLIC_LINE: &str = "FREX-Public-Key: ";
const CHECKSUM_LINE: &str = "FREX-Checksum: ";

/// 16 MiB, the most that OpenSSL 3 grants, done five times over: the least that OWASP advises.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;
/// What a file may ask for: it may have been laid there to exhaust the machine. Spec: FIL-9.
/// `N·r`, of 128 bytes each: 128 MiB.
const SCRYPT_TABLE_MAX: u64 = 1 << 20;
/// `r·p`, of 128 bytes each: 1 MiB.
const SCRYPT_BLOCKS_MAX: u64 = 1 << 13;
/// `N·r·p`: some thirteen times the work of a file of ours.
const SCRYPT_WORK_MAX: u64 = 1 << 23;
const CIPHER_BLOCK_BYTES: usize = 16;

/// Why the text of a file gives no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// Not a key file of any kind known here.
    #[error("not a key file")]
    Malformed,
    /// What was written is not what is there.
    #[error("the key file is damaged")]
    Damaged,
    /// Encrypted, but not by scrypt and AES-256-CBC.
    #[error("the key file is encrypted in another way than scrypt with AES-256-CBC")]
    OtherCipher,
    /// Opening it would take more memory or time than any file of ours.
    #[error("the key file asks for more memory or work than allowed")]
    TooCostly,
    /// The passphrase does not fit.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
    /// Encrypted, and there is no passphrase.
    #[error("the key file is encrypted")]
    Sealed,
    /// The secret half is in a token.
    #[error("the key is in a token, which does not give it away")]
    InToken,
}

impl From<KeyTextError> for WireCode {
    fn from(error: KeyTextError) -> Self {
        match error {
            KeyTextError::WrongPassphrase | KeyTextError::Sealed => Self::Sealed,
            KeyTextError::Malformed => Self::BadConfig,
            KeyTextError::InToken => Self::BadInput,
            KeyTextError::Damaged | KeyTextError::OtherCipher | KeyTextError::TooCostly => {
                Self::KeyUnusable
            }
        }
    }
}

/// A secret key of either kind.
#[derive(Debug)]
pub enum SecretKey {
    /// Signs. It is the larger one by far.
    Signing(Box<SigningKey>),
    /// Opens what is sealed.
    Sealing(SealingSecretKey),
}

/// A secret key that somebody else holds.
#[derive(Debug, Clone, Copy)]
pub enum SecretKeyRef<'a> {
    /// Signs.
    Signing(&'a SigningKey),
    /// Opens what is sealed.
    Sealing(&'a SealingSecretKey),
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Of a signing key.
    Signing(VerifyingKey),
    /// Of a sealing key.
    Sealing(SealingPublicKey),
}

/// The text of a key file, taken apart. A key that is not encrypted is read already.
#[derive(Debug)]
pub struct KeyText {
    public: Option<PublicKey>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Plain(SecretKey),
    Token(TokenPlace),
    Encrypted(Encrypted),
}

struct Encrypted {
    sealing: bool,
    scheme: EncryptionScheme,
    data: Vec<u8>,
}

impl SecretKey {
    /// The key, lent.
    #[must_use]
    pub fn as_ref(&self) -> SecretKeyRef<'_> {
        match self {
            Self::Signing(key) => SecretKeyRef::Signing(key),
            Self::Sealing(key) => SecretKeyRef::Sealing(key),
        }
    }
}

impl<'a> From<&'a SigningKey> for SecretKeyRef<'a> {
    fn from(key: &'a SigningKey) -> Self {
        Self::Signing(key)
    }
}

impl<'a> From<&'a SealingSecretKey> for SecretKeyRef<'a> {
    fn from(key: &'a SealingSecretKey) -> Self {
        Self::Sealing(key)
    }
}

impl SecretKeyRef<'_> {
    /// The public half.
    #[must_use]
    pub fn public(self) -> PublicKey {
        match self {
            Self::Signing(key) => PublicKey::Signing(key.verifying_key()),
            Self::Sealing(key) => PublicKey::Sealing(key.public()),
        }
    }

    /// The text of a file that holds the key as it is.
    ///
    /// # Errors
    /// None for a key that exists.
    pub fn to_text(self) -> Result<Zeroizing<String>, KeyTextError> {
        let label = match self {
            Self::Signing(_) => SIGNING_LABEL,
            Self::Sealing(_) => SEALING_LABEL,
        };
        encode_string(label, LineEnding::LF, &self.document()?)
            .map(Zeroizing::new)
            .map_err(|_| KeyTextError::Malformed)
    }

    /// The text of a file that holds the key encrypted. Spec: FIL-7, FIL-8.
    ///
    /// # Errors
    /// None for a key that exists.
    pub fn to_encrypted_text(
        self,
        passphrase: &Passphrase,
        rng: &mut dyn CryptoRng,
    ) -> Result<Zeroizing<String>, KeyTextError> {
        let label = match self {
            Self::Signing(_) => SIGNING_ENCRYPTED_LABEL,
            Self::Sealing(_) => SEALING_ENCRYPTED_LABEL,
        };
        let document = encrypt(&self.document()?, passphrase, rng)?;
        let public = self.public();
        let checksum = hex::encode(checksum(public.as_bytes(), &document));
        let public = hex::encode(public.as_bytes());
        let pem =
            encode_string(label, LineEnding::LF, &document).map_err(|_| KeyTextError::Malformed)?;
        let text = format!("{PUBLIC_LINE}{public}\n{CHECKSUM_LINE}{checksum}\n{pem}");
        Ok(Zeroizing::new(text))
    }

    /// What the PEM wraps: PKCS#8 version 1, or the seed of a sealing key.
    fn document(self) -> Result<Zeroizing<Vec<u8>>, KeyTextError> {
        match self {
            Self::Sealing(key) => Ok(Zeroizing::new(key.seed().to_vec())),
            Self::Signing(key) => KeypairBytes {
                secret_key: *key.seed().ok_or(KeyTextError::InToken)?,
                // Without the public half the document is version 1, which OpenSSL 3 reads too.
                public_key: None,
            }
            .to_pkcs8_der()
            .map(|document| Zeroizing::new(document.as_bytes().to_vec()))
            .map_err(|_| KeyTextError::Malformed),
        }
    }
}

impl PublicKey {
    /// The encoded key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Signing(key) => key.as_bytes(),
            Self::Sealing(key) => key.as_bytes(),
        }
    }

    /// Its short hash.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Signing(key) => key.key_id(),
            Self::Sealing(key) => key.key_id(),
        }
    }
}

impl KeyText {
    /// Takes the text of a key file apart. Nothing is decrypted, and nothing is derived from a
    /// passphrase before the file's demands are known to be modest.
    ///
    /// # Errors
    /// [`KeyTextError`].
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let Some(start) = text.find("-----BEGIN ") else {
            let place = TokenPlace::parse(text).ok_or(KeyTextError::Malformed)?;
            return Ok(Self {
                public: Some(PublicKey::Signing(place.public)),
                body: Body::Token(place),
            });
        };
        let (preamble, pem) = text.split_at(start);
        let (label, document) = decode_vec(pem.as_bytes()).map_err(|_| KeyTextError::Malformed)?;
        let document = Zeroizing::new(document);
        if let Some(sealing) = encrypted_label(label) {
            let public = stated_public(preamble, sealing, &document)?;
            let body = Body::Encrypted(Encrypted::parse(sealing, &document)?);
            return Ok(Self { public, body });
        }
        let key = match label {
            SIGNING_LABEL => decode_secret(false, &document),
            SEALING_LABEL => decode_secret(true, &document),
            _ => None,
        };
        let key = key.ok_or(KeyTextError::Malformed)?;
        Ok(Self {
            public: Some(key.as_ref().public()),
            body: Body::Plain(key),
        })
    }

    /// Whether a passphrase is needed.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        matches!(self.body, Body::Encrypted(_))
    }

    /// Whether it is a sealing key.
    #[must_use]
    pub fn is_sealing(&self) -> bool {
        match &self.body {
            Body::Plain(key) => matches!(key, SecretKey::Sealing(_)),
            Body::Encrypted(encrypted) => encrypted.sealing,
            Body::Token(_) => false,
        }
    }

    /// Where the key is, if it is in a token.
    #[must_use]
    pub fn token(&self) -> Option<&TokenPlace> {
        match &self.body {
            Body::Token(place) => Some(place),
            Body::Plain(_) | Body::Encrypted(_) => None,
        }
    }

    /// The public half: of an encrypted key as the file states it, if it does.
    #[must_use]
    pub fn public(&self) -> Option<&PublicKey> {
        self.public.as_ref()
    }

    /// The key. A passphrase is not needed, and not looked at, if it is not encrypted.
    ///
    /// # Errors
    /// [`KeyTextError::Sealed`], [`KeyTextError::WrongPassphrase`], [`KeyTextError::Damaged`], and
    /// [`KeyTextError::InToken`] where [`token`](Self::token) says where it is.
    pub fn open(self, passphrase: Option<&Passphrase>) -> Result<SecretKey, KeyTextError> {
        let encrypted = match self.body {
            Body::Plain(key) => return Ok(key),
            Body::Encrypted(encrypted) => encrypted,
            Body::Token(_) => return Err(KeyTextError::InToken),
        };
        let key = encrypted.open(passphrase.ok_or(KeyTextError::Sealed)?)?;
        match self.public {
            // The checksum held, so somebody put another key's public half there.
            Some(stated) if stated != key.as_ref().public() => Err(KeyTextError::Damaged),
            _ => Ok(key),
        }
    }
}

impl fmt::Debug for Encrypted {
    /// Without the document, at which a passphrase could be guessed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted")
            .field("sealing", &self.sealing)
            .finish_non_exhaustive()
    }
}

impl Encrypted {
    fn parse(sealing: bool, document: &[u8]) -> Result<Self, KeyTextError> {
        let info =
            EncryptedPrivateKeyInfoRef::from_der(document).map_err(|_| KeyTextError::Malformed)?;
        check_scheme(&info.encryption_algorithm)?;
        let data = info.encrypted_data.as_bytes();
        if data.is_empty() || !data.len().is_multiple_of(CIPHER_BLOCK_BYTES) {
            return Err(KeyTextError::Malformed);
        }
        Ok(Self {
            sealing,
            scheme: info.encryption_algorithm.clone(),
            data: data.to_vec(),
        })
    }

    fn open(&self, passphrase: &Passphrase) -> Result<SecretKey, KeyTextError> {
        let document = self.scheme.decrypt(passphrase.as_bytes(), &self.data);
        let document = document.map(Zeroizing::new);
        // A wrong passphrase shows as wrong padding, and rarely as a document that is none.
        document
            .ok()
            .and_then(|document| decode_secret(self.sealing, &document))
            .ok_or(KeyTextError::WrongPassphrase)
    }
}

/// Refuses what would not be opened, before memory or time is spent on it. Spec: FIL-9.
fn check_scheme(scheme: &EncryptionScheme) -> Result<(), KeyTextError> {
    let parameters = match scheme {
        EncryptionScheme::Pbes2(parameters) => parameters,
        _ => return Err(KeyTextError::OtherCipher),
    };
    let aes = matches!(
        parameters.encryption,
        pbes2::EncryptionScheme::Aes256Cbc { .. }
    );
    let scrypt = parameters.kdf.scrypt().filter(|_| aes);
    let scrypt = scrypt.ok_or(KeyTextError::OtherCipher)?;
    let (cost, block) = (scrypt.cost_parameter, u64::from(scrypt.block_size));
    // Factors of 16 bits: this product cannot overflow, the others could.
    let blocks = block * u64::from(scrypt.parallelization);
    if cost.saturating_mul(block) > SCRYPT_TABLE_MAX
        || blocks > SCRYPT_BLOCKS_MAX
        || cost.saturating_mul(blocks) > SCRYPT_WORK_MAX
    {
        return Err(KeyTextError::TooCostly);
    }
    // The library's own check panics at a cost of 0.
    let sound = cost >= 2 && cost.is_power_of_two() && blocks > 0;
    match sound && scrypt.key_length.is_none_or(|bytes| bytes == 32) {
        true => Ok(()),
        false => Err(KeyTextError::Malformed),
    }
}

fn encrypt(
    document: &[u8],
    passphrase: &Passphrase,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, KeyTextError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut iv);
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
        .map_err(|_| KeyTextError::TooCostly)?;
    let failed = |_| KeyTextError::OtherCipher;
    let parameters =
        pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).map_err(failed)?;
    let data = parameters
        .encrypt(passphrase.as_bytes(), document)
        .map_err(failed)?;
    let malformed = |_| KeyTextError::Malformed;
    EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetString::new(data).map_err(malformed)?,
    }
    .to_der()
    .map_err(malformed)
}

fn encrypted_label(label: &str) -> Option<bool> {
    match label {
        SIGNING_ENCRYPTED_LABEL => Some(false),
        SEALING_ENCRYPTED_LABEL => Some(true),
        _ => None,
    }
}

fn decode_secret(sealing: bool, document: &[u8]) -> Option<SecretKey> {
    if sealing {
        let seed: &[u8; 32] = document.try_into().ok()?;
        return Some(SecretKey::Sealing(SealingSecretKey::from_seed(seed)));
    }
    let key = ed25519_dalek::SigningKey::from_pkcs8_der(document).ok()?;
    let key = SigningKey::from_seed(key.as_bytes());
    Some(SecretKey::Signing(Box::new(key)))
}

/// The public key that stands before an encrypted one. Files of other tools state none.
fn stated_public(
    preamble: &str,
    sealing: bool,
    document: &[u8],
) -> Result<Option<PublicKey>, KeyTextError> {
    let value = |name| preamble.lines().find_map(|line| line.strip_prefix(name));
    let (public, sum) = match (value(PUBLIC_LINE), value(CHECKSUM_LINE)) {
        (None, None) => return Ok(None),
        (Some(public), Some(sum)) => (public, sum),
        _ => return Err(KeyTextError::Damaged),
    };
    let public = hex::decode(public).map_err(|_| KeyTextError::Damaged)?;
    if hex::encode(checksum(&public, document)) != sum {
        return Err(KeyTextError::Damaged);
    }
    let admitted = match sealing {
        true => SealingPublicKey::admit(&public).map(PublicKey::Sealing),
        false => VerifyingKey::admit(&public).map(PublicKey::Signing),
    };
    admitted.map(Some).map_err(|_| KeyTextError::Damaged)
}

fn checksum(public: &[u8], document: &[u8]) -> [u8; 32] {
    sha256(&[public, document])
}

#[cfg(test)]
mod tests;
