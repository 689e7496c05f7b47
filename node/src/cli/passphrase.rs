//! Where the passphrase of encrypted keys comes from: a file descriptor, a credential of the
//! service manager, or the terminal. Never an argument, never the environment. Spec: CLI-5, CLI-6.

use std::{
    env,
    fs::File,
    io::{self, IsTerminal},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use frex_client::{
    keys::{KeyFileError, file},
    passphrase::{Passphrase, PassphraseError, Unlock},
};
use zeroize::Zeroizing;

use super::failure::{Failure, OrFail};

/// The credential that holds a passphrase. Spec: FIL-13.
const CREDENTIAL: &str = "frex-passphrase";

/// Descriptor and terminal belong to the process as a whole, and a pipe gives its line once:
/// whichever command, or part of one, comes to need the passphrase shares one reading.
static DESCRIPTOR: OnceLock<Option<u32>> = OnceLock::new();
static UNLOCK: OnceLock<Arc<Unlock>> = OnceLock::new();

/// Names the descriptor that the process was started with. Once, before any key is read.
pub fn name_descriptor(descriptor: Option<u32>) {
    DESCRIPTOR.get_or_init(|| descriptor);
}

/// What opens keys in this process. The passphrase is read when the first encrypted key is met.
#[must_use]
pub fn unlock() -> Arc<Unlock> {
    let make = || {
        let ask = || given()?.map_or_else(|| ask("Passphrase of the keys: "), Ok);
        Arc::new(Unlock::asking(ask).with_credentials(credentials()))
    };
    Arc::clone(UNLOCK.get_or_init(make))
}

/// As [`unlock`], for a command that goes without keys rather than ask for a passphrase.
#[must_use]
pub fn unlock_unasked() -> Unlock {
    let given = || given()?.ok_or(PassphraseError::NotGiven);
    Unlock::asking(given).with_credentials(credentials())
}

/// The passphrase of keys that are about to be made, if they are to be encrypted.
///
/// # Errors
/// The failure says how to give one.
pub fn of_new_keys(encrypt: bool, command: &str) -> Result<Option<Passphrase>, Failure> {
    if !encrypt {
        return Ok(None);
    }
    let passphrase = given().and_then(|given| given.map_or_else(ask_twice, Ok));
    passphrase
        .or_fail("there is no passphrase for the keys that are to be made")
        .map(Some)
        .map_err(|failure| {
            failure.advise(format!(
                "{command} --encrypt-keys --passphrase-fd 3 … 3<FILE"
            ))
        })
}

/// The passphrase to encrypt keys with: given, or asked for twice.
///
/// # Errors
/// [`PassphraseError`].
pub fn present() -> Result<Passphrase, PassphraseError> {
    given()?.map_or_else(ask_twice, Ok)
}

/// The passphrase that shall take the place of the present one.
///
/// # Errors
/// [`PassphraseError`].
pub fn next(descriptor: Option<u32>) -> Result<Passphrase, PassphraseError> {
    match descriptor {
        Some(descriptor) => read_descriptor(descriptor),
        None => ask_twice(),
    }
}

/// What was given without asking anybody.
fn given() -> Result<Option<Passphrase>, PassphraseError> {
    if let Some(descriptor) = DESCRIPTOR.get().copied().flatten() {
        return read_descriptor(descriptor).map(Some);
    }
    let Some(folder) = credentials() else {
        return Ok(None);
    };
    match file::open_credential(&folder.join(CREDENTIAL)) {
        Ok(Some(mut file)) => Passphrase::read(&mut file).map(Some),
        Ok(None) => Ok(None),
        Err(KeyFileError::LooseMode { .. }) => Err(PassphraseError::Loose),
        Err(KeyFileError::Io { source, .. }) => Err(PassphraseError::Unreadable(source.kind())),
        Err(_) => Err(PassphraseError::Unreadable(io::ErrorKind::Other)),
    }
}

/// Opened by its name: only the system may turn a number into a file of ours.
fn read_descriptor(descriptor: u32) -> Result<Passphrase, PassphraseError> {
    let mut file =
        File::open(format!("/dev/fd/{descriptor}")).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PassphraseError::NotOpen(descriptor),
            kind => PassphraseError::Unreadable(kind),
        })?;
    if file.is_terminal() {
        // What is typed must not be shown.
        return ask("Passphrase: ");
    }
    Passphrase::read(&mut file)
}

fn ask_twice() -> Result<Passphrase, PassphraseError> {
    let first = ask("New passphrase: ")?;
    match first == ask("The same again:  ")? {
        true => Ok(first),
        false => Err(PassphraseError::Differ),
    }
}

/// Asks at the terminal, if somebody sits there, without showing what is typed.
fn ask(prompt: &str) -> Result<Passphrase, PassphraseError> {
    if !io::stdin().is_terminal() {
        return Err(PassphraseError::NotGiven);
    }
    let typed = rpassword::prompt_password(prompt)
        .map_err(|error| PassphraseError::Unreadable(error.kind()))?;
    Passphrase::new(Zeroizing::new(typed.into_bytes()))
}

/// The folder that a service manager made for this process.
fn credentials() -> Option<PathBuf> {
    env::var_os("CREDENTIALS_DIRECTORY")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
}
