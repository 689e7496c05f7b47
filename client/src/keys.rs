//! What a member keeps on disk: secret keys, settings, the roster and receipts.
//!
//! ```text
//! <dir>/member.toml            who this is; written last, so it tells a complete directory
//! <dir>/keys/identity.key      signs envelopes and statements
//! <dir>/keys/sealing.key       opens what is sealed to the member; never leaves the member
//! <dir>/keys/tls.key           authenticates connections
//! <dir>/root.frex              the pinned root of trust
//! <dir>/roster.frex            the roster in force
//! <dir>/receipts/              proofs of what nodes took on
//! ```
//!
//! Secrets are readable by their owner alone, or not used at all. They may be encrypted under a
//! passphrase, or come from the credentials of a service manager. Spec: chapter FIL.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use frex_proto::{
    error::WireCode,
    keys::{SealingPublicKey, SealingSecretKey, SigningKey, VerifyingKey},
    roster::RosterError,
    v1,
};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use self::rotation::KeyRecord;
use crate::{
    passphrase::{PassphraseError, Unlock},
    tls::{Identity, TlsError},
};

pub mod change;
pub mod file;
mod home;
pub mod rotation;
pub mod text;

/// The settings file of a member's directory.
pub const MEMBER_FILE: &str = "member.toml";
/// The file of the pinned root.
pub const ROOT_FILE: &str = "root.frex";
/// The file of the roster in force.
pub const ROSTER_FILE: &str = "roster.frex";
/// The folder of secret keys.
pub const KEYS_DIR: &str = "keys";
/// The folder of receipts.
pub const RECEIPTS_DIR: &str = "receipts";

/// Why a key file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Other users can read the file or reach into its folder.
    #[error("{} is open to other users (mode {mode:04o})", path.display())]
    LooseMode {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A key is never overwritten.
    #[error("{} exists already and is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Not a key file of the kind that is due.
    #[error("{} is not a {kind}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
    },
    /// What was written is not what is there.
    #[error("{} is damaged: its checksum or its companion does not fit", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Encrypted by another program, in a way that is not read here.
    #[error("{} is encrypted in another way than scrypt with AES-256-CBC", path.display())]
    OtherCipher {
        /// The file.
        path: PathBuf,
    },
    /// Opening it would take more memory or time than any key file needs.
    #[error("{} asks for more memory or work than a key file may", path.display())]
    TooCostly {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not fit.
    #[error("the passphrase does not open {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The key is encrypted, and there is no passphrase.
    #[error("{} is encrypted: {source}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why there is none.
        source: PassphraseError,
    },
    /// The secret half is in a token, so it cannot be written.
    #[error("{} cannot be written: the key is in a token, which does not give it away", path.display())]
    InToken {
        /// The file.
        path: PathBuf,
    },
    /// The key is due from the service manager, which has handed over none.
    #[error(
        "{name} is due as a credential (keys_from_credentials = true), and $CREDENTIALS_DIRECTORY is not set"
    )]
    NoCredentials {
        /// The credential.
        name: String,
    },
    /// The record of a folder of keys cannot be used.
    #[error("{} cannot be read: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The keys are the service manager's, which alone can change them.
    #[error("the keys of {} come from the service manager (keys_from_credentials = true), and it alone can change them", dir.display())]
    FromCredentials {
        /// The folder that they stand for.
        dir: PathBuf,
    },
    /// The system refuses.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<&KeyFileError> for WireCode {
    fn from(error: &KeyFileError) -> Self {
        match error {
            KeyFileError::LooseMode { .. } => Self::LooseMode,
            KeyFileError::Missing { .. } => Self::NotInitialised,
            KeyFileError::Sealed { source, .. } => (*source).into(),
            KeyFileError::WrongPassphrase { .. } => Self::Sealed,
            KeyFileError::InToken { .. } => Self::BadInput,
            KeyFileError::Damaged { .. }
            | KeyFileError::OtherCipher { .. }
            | KeyFileError::TooCostly { .. } => Self::KeyUnusable,
            KeyFileError::Exists { .. }
            | KeyFileError::Malformed { .. }
            | KeyFileError::NoCredentials { .. }
            | KeyFileError::Record { .. }
            | KeyFileError::FromCredentials { .. }
            | KeyFileError::Io { .. } => Self::BadConfig,
        }
    }
}

impl From<KeyFileError> for WireCode {
    fn from(error: KeyFileError) -> Self {
        Self::from(&error)
    }
}

/// Why a member's directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// There is no member in this directory.
    #[error("{} holds no member", dir.display())]
    NotInitialised {
        /// The directory.
        dir: PathBuf,
    },
    /// The settings do not parse; the text names line and field.
    #[error("{} cannot be read: {reason}", path.display())]
    BadSettings {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A key or other file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The roster or its root does not verify.
    #[error("{} does not verify: {source}", path.display())]
    Roster {
        /// The file.
        path: PathBuf,
        /// The rule that fails.
        source: RosterError,
    },
}

impl From<&HomeError> for WireCode {
    fn from(error: &HomeError) -> Self {
        match error {
            HomeError::NotInitialised { .. } => Self::NotInitialised,
            HomeError::BadSettings { .. } => Self::BadConfig,
            HomeError::File(error) => error.into(),
            HomeError::Roster { source, .. } => (*source).into(),
        }
    }
}

impl From<HomeError> for WireCode {
    fn from(error: HomeError) -> Self {
        Self::from(&error)
    }
}

/// What kind of organisation a member is, as settings and commands spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberRole {
    /// Takes reports from the public.
    Hotline,
    /// Runs a service.
    Platform,
    /// Investigates.
    Police,
    /// Prosecutes.
    Prosecutor,
    /// Collects and passes on for many.
    ClearingHouse,
    /// Watches over the others.
    Oversight,
}

impl From<MemberRole> for v1::Role {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Hotline => Self::Hotline,
            MemberRole::Platform => Self::Platform,
            MemberRole::Police => Self::Police,
            MemberRole::Prosecutor => Self::Prosecutor,
            MemberRole::ClearingHouse => Self::ClearingHouse,
            MemberRole::Oversight => Self::Oversight,
        }
    }
}

/// The settings of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSettings {
    /// Its id in the roster.
    pub member: String,
    /// The federation it belongs to.
    pub federation: String,
    /// The node that serves it.
    pub home_node: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Its name, for people.
    pub name: String,
    /// What kind of organisation it is.
    pub role: MemberRole,
    /// The secret keys come from the service manager and not from the folder. Spec: FIL-13.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keys_from_credentials: bool,
}

/// The secret keys of a member. Printing them prints only their public ids.
#[derive(Debug)]
pub struct MemberKeys {
    /// Signs envelopes, statements and the member's document.
    pub identity: SigningKey,
    /// Open what is sealed to the member.
    pub sealing: SealingKeys,
    /// Authenticates connections.
    pub tls: SigningKey,
    /// What was destroyed when the keys were read: its time was over. Spec: FIL-17.
    pub destroyed: Vec<KeyRecord>,
}

/// The keys that open what is sealed to a member: the one in use first, then the one that comes
/// next and those that are kept for what is still under way.
#[derive(Debug)]
pub struct SealingKeys {
    /// The keys.
    pub keys: Vec<SealingSecretKey>,
    /// When the first of them is to be destroyed.
    pub until_ms: Option<u64>,
}

impl MemberKeys {
    /// New keys.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::beside(SigningKey::generate(rng), rng)
    }

    /// New keys beside this identity.
    #[must_use]
    pub fn beside(identity: SigningKey, rng: &mut dyn CryptoRng) -> Self {
        Self {
            identity,
            sealing: SealingKeys {
                keys: vec![SealingSecretKey::generate(rng)],
                until_ms: None,
            },
            tls: SigningKey::generate(rng),
            destroyed: Vec::new(),
        }
    }

    /// What others are to seal to: the key in use.
    #[must_use]
    pub fn sealing_public(&self) -> SealingPublicKey {
        self.sealing.keys[0].public()
    }

    /// The identity of connections.
    ///
    /// # Errors
    /// [`TlsError::Identity`].
    pub fn transport_identity(&self) -> Result<Identity, TlsError> {
        Identity::new(&self.tls)
    }
}

/// The public halves of a member's keys, as far as they can be read without a passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPublicKeys {
    /// Verifies what the member signs.
    pub identity: Option<VerifyingKey>,
    /// What others seal to.
    pub sealing: Option<SealingPublicKey>,
}

/// A member's directory.
#[derive(Clone)]
pub struct MemberHome {
    dir: PathBuf,
    settings: MemberSettings,
    unlock: Arc<Unlock>,
}

impl MemberHome {
    /// The same directory, with what opens its keys. Without it only plain keys are read.
    #[must_use]
    pub fn unlocked_by(mut self, unlock: Arc<Unlock>) -> Self {
        self.unlock = unlock;
        self
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What opens its keys.
    #[must_use]
    pub fn unlock(&self) -> &Unlock {
        &self.unlock
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &MemberSettings {
        &self.settings
    }

    /// The folder of secret keys.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.dir.join(KEYS_DIR)
    }

    /// The folder of receipts.
    #[must_use]
    pub fn receipts_dir(&self) -> PathBuf {
        self.dir.join(RECEIPTS_DIR)
    }

    /// The file of the roster in force.
    #[must_use]
    pub fn roster_path(&self) -> PathBuf {
        self.dir.join(ROSTER_FILE)
    }

    /// The file of the pinned root.
    #[must_use]
    pub fn root_path(&self) -> PathBuf {
        self.dir.join(ROOT_FILE)
    }
}

impl fmt::Debug for MemberHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberHome")
            .field("dir", &self.dir)
            .field("member", &self.settings.member)
            .finish_non_exhaustive()
    }
}
