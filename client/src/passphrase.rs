//! What opens encrypted keys: a passphrase, asked for once and only if a key needs it, and the
//! folder in which a service manager hands over credentials. Spec: FIL-10, FIL-13.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use frex_proto::error::WireCode;
use zeroize::Zeroizing;

/// Longest passphrase, bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

/// A passphrase. It is wiped when dropped and never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// Why there is no passphrase. The caller must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Nobody was named who could give one.
    #[error("no passphrase is given")]
    NotGiven,
    /// An empty line.
    #[error("the passphrase is empty")]
    Empty,
    /// More than [`PASSPHRASE_BYTES_MAX`].
    #[error("the passphrase is longer than {PASSPHRASE_BYTES_MAX} bytes")]
    TooLong,
    /// Typed twice, differently.
    #[error("the two passphrases differ")]
    Differ,
    /// The credential lies open to other users.
    #[error("the credential that holds the passphrase is open to other users")]
    Loose,
    /// Nothing is open under the number named.
    #[error("file descriptor {0} is not open: the shell opens it, as in {0}<FILE")]
    NotOpen(u32),
    /// The place named does not give one.
    #[error("the passphrase cannot be read: {0}")]
    Unreadable(io::ErrorKind),
}

impl From<PassphraseError> for WireCode {
    fn from(error: PassphraseError) -> Self {
        match error {
            PassphraseError::Unreadable(io::ErrorKind::Interrupted) => Self::Cancelled,
            PassphraseError::Loose => Self::LooseMode,
            _ => Self::Sealed,
        }
    }
}

impl Passphrase {
    /// A passphrase of these bytes.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`], [`PassphraseError::TooLong`].
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PassphraseError> {
        match bytes.len() {
            0 => Err(PassphraseError::Empty),
            1..=PASSPHRASE_BYTES_MAX => Ok(Self(bytes)),
            _ => Err(PassphraseError::TooLong),
        }
    }

    /// Reads one line. What follows it is left to whoever reads on. Spec: FIL-10.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn read(source: &mut dyn Read) -> Result<Self, PassphraseError> {
        // Room for the longest line from the start: growing would leave copies in memory.
        let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
        let mut byte = Zeroizing::new([0]);
        loop {
            match source.read(&mut *byte) {
                Ok(0) => break,
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) if line.len() > PASSPHRASE_BYTES_MAX => return Err(PassphraseError::TooLong),
                Ok(_) => line.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(PassphraseError::Unreadable(error.kind())),
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Self::new(line)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Passphrase {
    /// Both were given by the same person a moment ago: there is nobody to keep the time from.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Passphrase {}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

type Ask = dyn Fn() -> Result<Passphrase, PassphraseError> + Send + Sync;

/// What a program may use to read keys.
pub struct Unlock {
    ask: Box<Ask>,
    held: OnceLock<Result<Passphrase, PassphraseError>>,
    credentials: Option<PathBuf>,
}

impl Unlock {
    /// Nothing: only keys that are not encrypted can be read.
    #[must_use]
    pub fn none() -> Self {
        Self::asking(|| Err(PassphraseError::NotGiven))
    }

    /// This passphrase.
    #[must_use]
    pub fn with(passphrase: Passphrase) -> Self {
        Self::asking(move || Ok(passphrase.clone()))
    }

    /// Asks `ask` when the first encrypted key is met, and never again.
    #[must_use]
    pub fn asking(
        ask: impl Fn() -> Result<Passphrase, PassphraseError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ask: Box::new(ask),
            held: OnceLock::new(),
            credentials: None,
        }
    }

    /// Adds the folder of credentials. Spec: FIL-13.
    #[must_use]
    pub fn with_credentials(mut self, folder: Option<PathBuf>) -> Self {
        self.credentials = folder;
        self
    }

    /// The folder of credentials, if the service manager has made one.
    #[must_use]
    pub fn credentials(&self) -> Option<&Path> {
        self.credentials.as_deref()
    }

    /// The passphrase.
    ///
    /// # Errors
    /// [`PassphraseError`], the same one each time.
    pub fn passphrase(&self) -> Result<&Passphrase, PassphraseError> {
        self.held
            .get_or_init(&self.ask)
            .as_ref()
            .map_err(|error| *error)
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlock")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn read(text: &[u8]) -> Result<Vec<u8>, PassphraseError> {
        let mut source = text;
        Passphrase::read(&mut source).map(|passphrase| passphrase.as_bytes().to_vec())
    }

    // FIL-10: one line, without its end; what follows is not touched.
    #[test]
    fn a_passphrase_is_one_line() {
        for text in [
            "open sesame",
            "open sesame\n",
            "open sesame\r\n",
            "open sesame\nmore",
        ] {
            assert_eq!(read(text.as_bytes()), Ok(b"open sesame".to_vec()));
        }
        assert_eq!(read(b""), Err(PassphraseError::Empty));
        assert_eq!(read(b"\n"), Err(PassphraseError::Empty));
        assert_eq!(
            read(&[b'a'; PASSPHRASE_BYTES_MAX]).map(|text| text.len()),
            Ok(1024)
        );
        assert_eq!(
            read(&[b'a'; PASSPHRASE_BYTES_MAX + 1]),
            Err(PassphraseError::TooLong)
        );
        assert_eq!(read(&[b'a'; 1 << 20]), Err(PassphraseError::TooLong));
        let mut source: &[u8] = b"first\nsecond";
        assert!(Passphrase::read(&mut source).is_ok());
        assert_eq!(source, b"second");
    }

    #[test]
    fn a_passphrase_is_asked_for_once_and_only_when_needed() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let unlock = Unlock::asking(|| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            Passphrase::read(&mut &b"open sesame"[..])
        });
        assert_eq!(ASKED.load(Ordering::Relaxed), 0);
        assert!(unlock.passphrase().is_ok() && unlock.passphrase().is_ok());
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        assert_eq!(
            Unlock::none().passphrase().unwrap_err(),
            PassphraseError::NotGiven
        );
    }

    // FIL-12, KEY-13: no form of printing gives a passphrase away.
    #[test]
    fn a_passphrase_is_never_printed() {
        let passphrase = Passphrase::read(&mut &b"open sesame"[..]).unwrap();
        let unlock = Unlock::with(passphrase.clone());
        assert!(unlock.passphrase().is_ok());
        for text in [
            format!("{passphrase:?}"),
            format!("{unlock:?}"),
            format!("{unlock:#?}"),
        ] {
            assert!(!text.contains("sesame"), "{text}");
        }
    }
}
