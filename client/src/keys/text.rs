//! What stands in a key file: PEM, as it is or encrypted under a passphrase. Spec: FIL-1, FIL-7
//! to FIL-9.
//!
//! Before an encrypted key stand two lines that other tools skip: the public key, so that a key
//! can be named without opening it, and a checksum, so that damage is not taken for a wrong
//! passphrase. A key with a companion has a second block for it, and a line that says so.

mod block;
mod companion;

use std::fmt;

use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use frex_proto::{
    error::WireCode,
    id::KeyId,
    keys::{
        CompanionKey, CompanionKind, SealingPublicKey, SealingSecretKey, SigningKey, VerifyingKey,
    },
    label::{Hash, sha256},
};
use pkcs8::{
    EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef,
    der::{
        Decode, Encode,
        asn1::OctetString,
        pem::{LineEnding, encode_string},
    },
    pkcs5::{EncryptionScheme, pbes2, scrypt},
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::block::{Block, CHECKSUM_LINE, PUBLIC_LINE, checksum};
use super::token::TokenPlace;
use crate::passphrase::Passphrase;

const SIGNING_LABEL: &str = "PRIVATE KEY";
const SIGNING_ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const SEALING_LABEL: &str = "FREX SEALING KEY";
const SEALING_ENCRYPTED_LABEL: &str = "ENCRYPTED FREX SEALING KEY";
/// Stands before a key that has a companion, with the companion's id: without it a file that lost
/// its second block would be read as another key.
const COMPANION_LINE: &str = "FREX-Companion: ";

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
#[expect(
    clippy::large_enum_variant,
    reason = "one is held for each key file, and never many at once"
)]
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
    /// Id of the companion that the text names.
    companion: Option<String>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Plain(SecretKey),
    Token(TokenPlace),
    /// The key, and the companion's seed if it has one.
    Encrypted(Encrypted, Option<Encrypted>),
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
        let own = pem(label, &self.document()?)?;
        let Some((key, document)) = self.companion() else {
            return Ok(own);
        };
        let second = pem(SIGNING_LABEL, &document)?;
        let named = format!("{COMPANION_LINE}{}\n", key.key_id());
        Ok(Zeroizing::new([&named, &**own, &**second].concat()))
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
        let mut block = |label, public: &[u8], document: &[u8]| {
            let document = encrypt(document, passphrase, rng)?;
            let checksum = hex::encode(checksum(public, &document));
            let (public, pem) = (hex::encode(public), pem(label, &document)?);
            let text = format!("{PUBLIC_LINE}{public}\n{CHECKSUM_LINE}{checksum}\n{}", *pem);
            Ok(Zeroizing::new(text))
        };
        let own = block(label, self.public().as_bytes(), &self.document()?)?;
        let Some((key, document)) = self.companion() else {
            return Ok(own);
        };
        let second = block(SIGNING_ENCRYPTED_LABEL, key.as_bytes(), &document)?;
        let named = format!("{COMPANION_LINE}{}\n", key.key_id());
        Ok(Zeroizing::new([&named, &**own, &**second].concat()))
    }

    /// The companion's public key, and what the second PEM wraps.
    fn companion(self) -> Option<(CompanionKey, Zeroizing<Vec<u8>>)> {
        let Self::Signing(key) = self else {
            return None;
        };
        let public = key.verifying_key().companion()?.clone();
        let document = companion::document(public.kind(), &*key.companion_seed()?);
        Some((public, document))
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
    /// The encoded key, without its companion.
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

    /// The hash whose fingerprint people compare.
    #[must_use]
    pub fn sha256(&self) -> Hash {
        match self {
            Self::Signing(key) => key.sha256(),
            Self::Sealing(key) => sha256(&[key.as_bytes()]),
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
        if !text.contains("-----BEGIN ") {
            let place = TokenPlace::parse(text).ok_or(KeyTextError::Malformed)?;
            return Ok(Self {
                public: Some(PublicKey::Signing(place.public.clone())),
                companion: None,
                body: Body::Token(place),
            });
        }
        let (first, rest) = Block::read(text)?;
        let second = match rest.trim().is_empty() {
            true => None,
            false => Some(Block::read(rest)?),
        };
        let second = match second {
            Some((block, rest)) if rest.trim().is_empty() => Some(block),
            Some(_) => return Err(KeyTextError::Malformed),
            None => None,
        };
        let companion = first.line(COMPANION_LINE).map(str::to_owned);
        if companion.is_some() != second.is_some() {
            return Err(KeyTextError::Damaged);
        }
        let (public, body) = match encrypted_label(first.label) {
            Some(sealing) => parse_encrypted(sealing, &first, second.as_ref())?,
            None => parse_plain(&first, second.as_ref())?,
        };
        if let Some(public) = &public {
            check_companion(public, companion.as_deref())?;
        }
        Ok(Self {
            public,
            companion,
            body,
        })
    }

    /// Whether a passphrase is needed.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        matches!(self.body, Body::Encrypted(..))
    }

    /// Whether the key has a companion.
    #[must_use]
    pub fn has_companion(&self) -> bool {
        self.companion.is_some()
    }

    /// Whether it is a sealing key.
    #[must_use]
    pub fn is_sealing(&self) -> bool {
        match &self.body {
            Body::Plain(key) => matches!(key, SecretKey::Sealing(_)),
            Body::Encrypted(encrypted, _) => encrypted.sealing,
            Body::Token(_) => false,
        }
    }

    /// Where the key is, if it is in a token.
    #[must_use]
    pub fn token(&self) -> Option<&TokenPlace> {
        match &self.body {
            Body::Token(place) => Some(place),
            Body::Plain(_) | Body::Encrypted(..) => None,
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
        let (encrypted, second) = match self.body {
            Body::Plain(key) => return Ok(key),
            Body::Encrypted(encrypted, second) => (encrypted, second),
            Body::Token(_) => return Err(KeyTextError::InToken),
        };
        let passphrase = passphrase.ok_or(KeyTextError::Sealed)?;
        let mut key = encrypted.open(passphrase)?;
        if let (Some(second), SecretKey::Signing(own)) = (second, &key) {
            let (kind, seed) = second.open_companion(passphrase)?;
            let paired = (**own).clone().with_companion_of(kind, &seed);
            key = SecretKey::Signing(Box::new(paired));
        }
        let found = key.as_ref().public();
        check_companion(&found, self.companion.as_deref())?;
        match self.public {
            // The checksum held, so somebody put another key's public half there.
            Some(stated) if stated != found => Err(KeyTextError::Damaged),
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
        // A wrong passphrase shows as wrong padding, and rarely as a document that is none.
        self.decrypt(passphrase)
            .and_then(|document| decode_secret(self.sealing, &document))
            .ok_or(KeyTextError::WrongPassphrase)
    }

    fn open_companion(
        &self,
        passphrase: &Passphrase,
    ) -> Result<(CompanionKind, Zeroizing<[u8; 32]>), KeyTextError> {
        self.decrypt(passphrase)
            .and_then(|document| companion::seed(&document))
            .ok_or(KeyTextError::WrongPassphrase)
    }

    fn decrypt(&self, passphrase: &Passphrase) -> Option<Zeroizing<Vec<u8>>> {
        let document = self.scheme.decrypt(passphrase.as_bytes(), &self.data);
        document.ok().map(Zeroizing::new)
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

/// Refuses a key that has another companion than the text names.
fn check_companion(key: &PublicKey, named: Option<&str>) -> Result<(), KeyTextError> {
    let found = match key {
        PublicKey::Signing(key) => key.companion().map(|key| key.key_id().to_string()),
        PublicKey::Sealing(_) => None,
    };
    match found.as_deref() == named {
        true => Ok(()),
        false => Err(KeyTextError::Damaged),
    }
}

/// A key as it is, with its companion if there is a second block.
fn parse_plain(
    first: &Block<'_>,
    second: Option<&Block<'_>>,
) -> Result<(Option<PublicKey>, Body), KeyTextError> {
    let malformed = KeyTextError::Malformed;
    let key = match first.label {
        SIGNING_LABEL => decode_secret(false, &first.document),
        SEALING_LABEL => decode_secret(true, &first.document),
        _ => None,
    };
    let key = match (key.ok_or(malformed)?, second) {
        (key, None) => key,
        (SecretKey::Signing(key), Some(second)) if second.label == SIGNING_LABEL => {
            let (kind, seed) = companion::seed(&second.document).ok_or(malformed)?;
            SecretKey::Signing(Box::new(key.with_companion_of(kind, &seed)))
        }
        _ => return Err(malformed),
    };
    Ok((Some(key.as_ref().public()), Body::Plain(key)))
}

/// An encrypted key, with its companion if there is a second block. Both state their public halves
/// or neither does.
fn parse_encrypted(
    sealing: bool,
    first: &Block<'_>,
    second: Option<&Block<'_>>,
) -> Result<(Option<PublicKey>, Body), KeyTextError> {
    // Damage first: what does not fit its checksum is not taken for what it seems to ask.
    let own = first.stated_public()?;
    let key = Encrypted::parse(sealing, &first.document)?;
    let (companion, stated) = match second {
        None => (None, Some(Vec::new())),
        Some(second) if !sealing && second.label == SIGNING_ENCRYPTED_LABEL => {
            let stated = second.stated_public()?;
            let companion = Encrypted::parse(false, &second.document)?;
            (Some(companion), stated)
        }
        Some(_) => return Err(KeyTextError::Malformed),
    };
    let public = match (own, stated) {
        (Some(public), Some(companion)) => Some(match sealing {
            true => SealingPublicKey::admit(&public).map(PublicKey::Sealing),
            false => VerifyingKey::admit_with(&public, &companion).map(PublicKey::Signing),
        }),
        (None, None) => None,
        (None, Some(_)) if second.is_none() => None,
        _ => return Err(KeyTextError::Damaged),
    };
    let public = public.transpose().map_err(|_| KeyTextError::Damaged)?;
    Ok((public, Body::Encrypted(key, companion)))
}

fn pem(label: &str, document: &[u8]) -> Result<Zeroizing<String>, KeyTextError> {
    encode_string(label, LineEnding::LF, document)
        .map(Zeroizing::new)
        .map_err(|_| KeyTextError::Malformed)
}

#[cfg(test)]
mod tests;
