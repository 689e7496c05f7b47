//! A node's directory: settings, keys, roster, and the lock that keeps a second process out.
//!
//! ```text
//! <dir>/frex.toml          settings
//! <dir>/keys/tls.key       authenticates connections
//! <dir>/keys/log.key       signs the log
//! <dir>/keys/witness.key   cosigns the logs of other nodes, if it is there
//! <dir>/root.frex          the pinned root of trust
//! <dir>/roster.frex        the roster in force
//! <dir>/journal/           the truth
//! <dir>/index/             what follows from it
//! <dir>/log/               the published log
//! <dir>/lock               held while a process uses the directory
//! ```

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use frex_client::{
    keys::{
        KEYS_DIR, KeyFileError, ROOT_FILE, ROSTER_FILE, file, file::KeyPlace, rotation::KeyFolder,
        text::PublicKey, token::NewKey,
    },
    passphrase::{Passphrase, Unlock},
};
use frex_proto::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
    limits,
    roster::{Roster, RosterError, TrustAnchor},
};
use rand_core::CryptoRng;

use crate::config::{ConfigError, NodeConfig};

mod take_up;

/// The settings file of a node's directory.
pub const CONFIG_FILE: &str = "frex.toml";
/// The folder of the journal.
pub const JOURNAL_DIR: &str = "journal";
/// The folder of the index.
pub const INDEX_DIR: &str = "index";
/// The folder of published logs.
pub const LOG_DIR: &str = "log";
const LOCK_FILE: &str = "lock";
const TLS_FILE: &str = "tls.key";
const LOG_KEY_FILE: &str = "log.key";
const WITNESS_KEY_FILE: &str = "witness.key";
/// What the name of a credential begins with; the name of the file follows.
const CREDENTIAL: &str = "frex-node-";
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// Everything that a node needs from its directory, checked.
#[derive(Debug)]
pub struct NodeHome {
    /// The directory.
    pub dir: PathBuf,
    /// Settings.
    pub config: NodeConfig,
    /// Authenticates connections.
    pub tls_key: SigningKey,
    /// Signs the log.
    pub log_key: SigningKey,
    /// Cosigns the logs of other nodes; none in a folder that was made before there were witnesses.
    pub witness_key: Option<SigningKey>,
    /// Who belongs to the federation.
    pub roster: Roster,
}

/// The keys of a node that is made now.
#[derive(Debug)]
pub struct NewNodeKeys {
    /// Authenticates connections.
    pub tls: NewKey,
    /// Signs the log.
    pub log: NewKey,
    /// Cosigns the logs of other nodes.
    pub witness: NewKey,
}

/// Keeps other processes out of a directory for as long as it lives, also when it is killed.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why a node's directory cannot be used. The operator must act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeHomeError {
    /// There is no node in this directory.
    #[error("{} holds no node", dir.display())]
    NotInitialised {
        /// The directory.
        dir: PathBuf,
    },
    /// The settings cannot be used.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: ConfigError,
    },
    /// A key or other file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// No roster has been installed yet.
    #[error("no roster is installed in {}", dir.display())]
    NoRoster {
        /// The directory.
        dir: PathBuf,
    },
    /// The roster or its root does not verify.
    #[error("{} does not verify: {source}", path.display())]
    Roster {
        /// The file.
        path: PathBuf,
        /// The rule that fails.
        source: RosterError,
    },
    /// Another process uses the directory.
    #[error("another process uses {}", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The lock cannot be taken.
    #[error("{} cannot be locked: {source}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<&NodeHomeError> for WireCode {
    fn from(error: &NodeHomeError) -> Self {
        match error {
            NodeHomeError::NotInitialised { .. } | NodeHomeError::NoRoster { .. } => {
                Self::NotInitialised
            }
            NodeHomeError::Config { .. } => Self::BadConfig,
            NodeHomeError::File(error) => error.into(),
            NodeHomeError::Roster { source, .. } => (*source).into(),
            NodeHomeError::Locked { .. } => Self::Locked,
            NodeHomeError::Lock { .. } => Self::Files,
        }
    }
}

impl From<NodeHomeError> for WireCode {
    fn from(error: NodeHomeError) -> Self {
        Self::from(&error)
    }
}

impl NodeHome {
    /// Makes the node of `config` in the existing folder `dir`: keys, then settings, so that a
    /// directory that has settings is complete. With a passphrase the keys are written encrypted.
    ///
    /// # Errors
    /// [`NodeHomeError::File`], also if something is there: keys are never overwritten.
    pub fn create(
        dir: &Path,
        config: &NodeConfig,
        new: &NewNodeKeys,
        passphrase: Option<&Passphrase>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NodeHomeError> {
        let path = dir.join(CONFIG_FILE);
        config.check().map_err(|source| NodeHomeError::Config {
            path: path.clone(),
            source,
        })?;
        let keys = dir.join(KEYS_DIR);
        for folder in [KEYS_DIR, JOURNAL_DIR, INDEX_DIR, LOG_DIR] {
            file::create_private_dir(&dir.join(folder))?;
        }
        for (name, key) in [
            (TLS_FILE, &new.tls),
            (LOG_KEY_FILE, &new.log),
            (WITNESS_KEY_FILE, &new.witness),
        ] {
            key.write(&keys.join(name), passphrase, rng)?;
        }
        Ok(file::write_new(&path, config.to_string().as_bytes())?)
    }

    /// Opens a node's directory.
    ///
    /// # Errors
    /// [`NodeHomeError`] by what is missing, loose, sealed or wrong.
    pub fn open(dir: &Path, now_ms: u64, unlock: &Unlock) -> Result<Self, NodeHomeError> {
        let config = Self::config(dir)?;
        if !config.keys_from_credentials {
            // A change of keys that was cut short is ended first: a name must mean one key.
            KeyFolder::open(&dir.join(KEYS_DIR), now_ms)?;
        }
        let read = |name| key_place(dir, name, &config, unlock)?.read_signing_key(unlock);
        // Whatever can be wrong without a passphrase comes first: nobody should type one in vain.
        for name in [TLS_FILE, LOG_KEY_FILE] {
            key_place(dir, name, &config, unlock)?.read()?;
        }
        let witness = key_place(dir, WITNESS_KEY_FILE, &config, unlock)?;
        let has_witness = unless_missing(witness.read())?.is_some();
        let roster = Self::roster(dir, now_ms)?;
        Ok(Self {
            dir: dir.to_owned(),
            tls_key: read(TLS_FILE)?,
            log_key: read(LOG_KEY_FILE)?,
            witness_key: match has_witness {
                true => Some(witness.read_signing_key(unlock)?),
                false => None,
            },
            config,
            roster,
        })
    }

    /// The public half of the key that signs the log, for which no passphrase is needed; none if
    /// its file does not state it.
    ///
    /// # Errors
    /// [`NodeHomeError::File`].
    pub fn log_public_key(
        dir: &Path,
        config: &NodeConfig,
        unlock: &Unlock,
    ) -> Result<Option<VerifyingKey>, NodeHomeError> {
        let text = key_place(dir, LOG_KEY_FILE, config, unlock)?.read()?;
        match text.public() {
            Some(PublicKey::Signing(key)) => Ok(Some(key.clone())),
            _ => Ok(None),
        }
    }

    /// The settings alone.
    ///
    /// # Errors
    /// [`NodeHomeError::NotInitialised`], [`NodeHomeError::Config`], [`NodeHomeError::File`].
    pub fn config(dir: &Path) -> Result<NodeConfig, NodeHomeError> {
        let path = dir.join(CONFIG_FILE);
        let bytes = match file::read_capped(&path, CONFIG_BYTES_MAX, "settings file") {
            Err(KeyFileError::Missing { .. }) => {
                return Err(NodeHomeError::NotInitialised {
                    dir: dir.to_owned(),
                });
            }
            other => other?,
        };
        let not_text = |_| ConfigError::Syntax("not UTF-8".to_owned());
        std::str::from_utf8(&bytes)
            .map_err(not_text)
            .and_then(NodeConfig::parse)
            .map_err(|source| NodeHomeError::Config { path, source })
    }

    /// The pinned root.
    ///
    /// # Errors
    /// [`NodeHomeError::NoRoster`], [`NodeHomeError::Roster`], [`NodeHomeError::File`].
    pub fn anchor(dir: &Path) -> Result<TrustAnchor, NodeHomeError> {
        let path = dir.join(ROOT_FILE);
        let bytes = read_trust(dir, &path, limits::ROOT_BYTES_MAX)?;
        TrustAnchor::of_root(&bytes).map_err(|source| NodeHomeError::Roster { path, source })
    }

    /// The roster in force, or the one that was and has ended: it still says which keys are whose.
    ///
    /// # Errors
    /// As [`roster`](Self::roster), but for its end.
    pub fn held_roster(dir: &Path, now_ms: u64) -> Result<Roster, NodeHomeError> {
        let path = dir.join(ROSTER_FILE);
        let bytes = read_trust(dir, &path, limits::ROSTER_BUNDLE_BYTES_MAX)?;
        Roster::judge_held(&bytes, &Self::anchor(dir)?, now_ms)
            .map_err(|source| NodeHomeError::Roster { path, source })
    }

    /// The roster in force, judged anew.
    ///
    /// # Errors
    /// [`NodeHomeError::NoRoster`], [`NodeHomeError::Roster`], [`NodeHomeError::File`].
    pub fn roster(dir: &Path, now_ms: u64) -> Result<Roster, NodeHomeError> {
        let path = dir.join(ROSTER_FILE);
        let bytes = read_trust(dir, &path, limits::ROSTER_BUNDLE_BYTES_MAX)?;
        Roster::judge(&bytes, &Self::anchor(dir)?, now_ms)
            .map_err(|source| NodeHomeError::Roster { path, source })
    }
}

fn key_place(
    dir: &Path,
    name: &str,
    config: &NodeConfig,
    unlock: &Unlock,
) -> Result<KeyPlace, KeyFileError> {
    let credentials = config.keys_from_credentials.then_some(CREDENTIAL);
    KeyPlace::find(&dir.join(KEYS_DIR), name, credentials, unlock)
}

/// A file that need not be there.
fn unless_missing<T>(read: Result<T, KeyFileError>) -> Result<Option<T>, KeyFileError> {
    match read {
        Err(KeyFileError::Missing { .. }) => Ok(None),
        other => other.map(Some),
    }
}

fn read_trust(dir: &Path, path: &Path, bytes_max: usize) -> Result<Vec<u8>, NodeHomeError> {
    match file::read_capped(path, bytes_max as u64, "roster file") {
        Err(KeyFileError::Missing { .. }) => Err(NodeHomeError::NoRoster {
            dir: dir.to_owned(),
        }),
        other => Ok(other?.to_vec()),
    }
}

impl DirLock {
    /// Takes the lock of a directory. Spec: NOD-6.
    ///
    /// # Errors
    /// [`NodeHomeError::Locked`] at once if another process holds it.
    pub fn take(dir: &Path) -> Result<Self, NodeHomeError> {
        let path = dir.join(LOCK_FILE);
        let refused = |source| NodeHomeError::Lock {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(NodeHomeError::Locked {
                dir: dir.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use frex_client::environment::Random;

    use super::*;

    fn make(dir: &Path, passphrase: Option<&Passphrase>) -> Result<(), NodeHomeError> {
        let mut rng = Random::seeded([3; 32]).rng();
        let [tls, log, witness] = keys().map(NewKey::from);
        let new = NewNodeKeys { tls, log, witness };
        let config = NodeConfig::new("node.fr");
        NodeHome::create(dir, &config, &new, passphrase, &mut rng)
    }

    fn keys() -> [SigningKey; 3] {
        [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]))
    }

    fn code(error: NodeHomeError) -> WireCode {
        error.into()
    }

    #[test]
    fn a_new_node_waits_for_its_roster_and_is_not_made_twice() {
        let dir = tempfile::tempdir().expect("a folder");
        make(dir.path(), None).expect("an empty folder");
        let error = NodeHome::open(dir.path(), 1, &Unlock::none()).expect_err("no roster");
        assert!(matches!(error, NodeHomeError::NoRoster { .. }), "{error}");
        assert_eq!(
            NodeHome::config(dir.path()).expect("just written"),
            NodeConfig::new("node.fr")
        );
        let again = make(dir.path(), None);
        assert!(matches!(
            again,
            Err(NodeHomeError::File(KeyFileError::Exists { .. }))
        ));
    }

    #[test]
    fn each_broken_directory_gives_its_code() {
        let dir = tempfile::tempdir().expect("a folder");
        let open = || code(NodeHome::open(dir.path(), 1, &Unlock::none()).expect_err("broken"));
        assert_eq!(open(), WireCode::NotInitialised);
        make(dir.path(), None).expect("an empty folder");
        let key = dir.path().join("keys/log.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("own file");
        assert_eq!(open(), WireCode::LooseMode);
        std::fs::write(dir.path().join(CONFIG_FILE), "node = 7").expect("own file");
        assert_eq!(open(), WireCode::BadConfig);
    }

    // FIL-7, FIL-12: the log's public key is known without the passphrase, its secret is not.
    #[test]
    fn an_encrypted_node_states_its_public_key_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let passphrase = Passphrase::read(&mut &b"open sesame"[..]).expect("one line");
        make(dir.path(), Some(&passphrase)).expect("an empty folder");
        let config = NodeConfig::new("node.fr");
        let public = NodeHome::log_public_key(dir.path(), &config, &Unlock::none());
        assert_eq!(public.expect("stated"), Some(keys()[1].verifying_key()));
        let place = |unlock: &Unlock| {
            key_place(dir.path(), TLS_FILE, &config, unlock)?.read_signing_key(unlock)
        };
        assert!(place(&Unlock::with(passphrase)).is_ok());
        let sealed = place(&Unlock::none()).expect_err("no passphrase");
        assert_eq!(WireCode::from(sealed), WireCode::Sealed);
    }

    // FIL-13, FIL-35: nothing is taken from the folder when the settings name the credentials.
    #[test]
    fn a_node_takes_its_keys_from_the_credentials_if_its_settings_say_so() {
        let (dir, given) = (tempfile::tempdir(), tempfile::tempdir());
        let (dir, given) = (dir.expect("a folder"), given.expect("a folder"));
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(given.path(), closed).expect("own folder");
        make(dir.path(), None).expect("an empty folder");
        let path = dir.path().join(CONFIG_FILE);
        std::fs::write(path, "node = \"node.fr\"\nkeys_from_credentials = true\n")
            .expect("own file");
        let open = |unlock: &Unlock| NodeHome::open(dir.path(), 1, unlock).expect_err("no roster");
        let error = open(&Unlock::none());
        assert!(error.to_string().contains("frex-node-tls.key"), "{error}");
        let names = ["tls", "log"].map(|name| format!("frex-node-{name}.key"));
        for (name, key) in names.iter().zip(keys()) {
            file::write_signing_key(&given.path().join(name), &key).expect("a new file");
        }
        let unlock = Unlock::none().with_credentials(Some(given.path().to_owned()));
        let error = open(&unlock);
        // The keys are good, and a witness key need not be there: only the roster is missing.
        assert!(matches!(error, NodeHomeError::NoRoster { .. }), "{error}");
        // One that is there is taken from the credentials too.
        let witness = given.path().join("frex-node-witness.key");
        file::write_new(&witness, b"no key").expect("a new file");
        let error = open(&unlock);
        assert!(
            error.to_string().contains("frex-node-witness.key"),
            "{error}"
        );
    }

    // NOD-6
    #[test]
    fn a_directory_is_locked_once_until_the_lock_is_dropped() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = DirLock::take(dir.path()).expect("free");
        assert_eq!(
            code(DirLock::take(dir.path()).expect_err("held")),
            WireCode::Locked
        );
        drop(first);
        DirLock::take(dir.path()).expect("free again");
    }
}
