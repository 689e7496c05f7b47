//! What a holder's keys have signed: two proposals of one version are a fork, and whoever signs
//! both is named in it for ever. Spec: ROS-32.

use std::path::{Path, PathBuf};

use frex_client::environment::Clock;
use frex_proto::{error::WireCode, label::Hash};
use serde::{Deserialize, Serialize};

use crate::cli::{
    failure::{Failure, OrCode},
    files, fingerprint,
    time::rfc3339,
};

/// Beside the key.
const FILE: &str = "signed.json";
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A proposal that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    what: String,
    version: u64,
    sha256: String,
    at_ms: u64,
}

/// A proposal that is about to be signed.
pub struct Signing<'a> {
    /// `root` or `roster`.
    pub what: &'a str,
    /// Of the root or roster.
    pub version: u64,
    /// Of its payload.
    pub sha256: &'a Hash,
    /// Its signer knows of another one of this version and wants this one.
    pub instead: bool,
}

/// Writes down, durably and before the signature exists, what each key signs.
///
/// # Errors
/// A key has signed another proposal of this version, or the note cannot be kept.
pub fn note(keys: &[PathBuf], signing: &Signing) -> Result<(), Failure> {
    let mut notes = Vec::new();
    for path in keys {
        let file = file_beside(path);
        let mut entries = read(&file)?;
        let key = path.file_name().unwrap_or_default().to_string_lossy();
        let sha256 = hex::encode(signing.sha256);
        let same = |entry: &&Entry| {
            entry.key == key && entry.what == signing.what && entry.version == signing.version
        };
        let earlier = entries.iter().rev().find(same);
        match earlier {
            Some(entry) if entry.sha256 == sha256 => continue,
            Some(entry) if !signing.instead => return Err(signed_another(path, entry)),
            _ => {}
        }
        entries.push(Entry {
            key: key.into_owned(),
            what: signing.what.to_owned(),
            version: signing.version,
            sha256,
            at_ms: Clock::System.now_ms(),
        });
        notes.push((file, entries));
    }
    for (file, entries) in notes {
        let text = serde_json::to_string_pretty(&entries);
        let text = text.or_code(WireCode::Files, "what is signed cannot be written down")?;
        files::replace(&file, text.as_bytes())?;
    }
    Ok(())
}

fn signed_another(path: &Path, entry: &Entry) -> Failure {
    let Entry {
        what,
        version,
        sha256,
        at_ms,
        ..
    } = entry;
    let mut hash = [0; 32];
    // A note that is not a hash is shown as none.
    let _ = hex::decode_to_slice(sha256, &mut hash);
    Failure::new(
        WireCode::AlreadyExists,
        format!(
            "{} has signed another proposal of {what} version {version}",
            path.display()
        ),
    )
    .cause(format!(
        "at {}, with the fingerprint {}; two of one version, both signed by enough, are a fork that names you",
        rfc3339(*at_ms),
        fingerprint::of(&hash)
    ))
    .advise("Ask whoever coordinates; if the earlier proposal was given up and nobody can complete it: the same command with --instead")
}

fn file_beside(key: &Path) -> PathBuf {
    key.with_file_name(FILE)
}

fn read(file: &Path) -> Result<Vec<Entry>, Failure> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let bytes = files::read(file, FILE_BYTES_MAX)?;
    let what = format!("{} does not say what was signed", file.display());
    serde_json::from_slice(&bytes).or_code(WireCode::Files, &what)
}

#[cfg(test)]
mod tests {
    use super::*;

    // ROS-32: the second proposal of a version is refused, by key and by what it is, unless its
    // signer insists; the same proposal may be signed again.
    #[test]
    fn a_second_proposal_of_a_version_needs_its_signers_word() {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = [dir.path().join("roster.key")];
        let sign = |what, version, sha256: &Hash, instead| {
            let signing = Signing {
                what,
                version,
                sha256,
                instead,
            };
            note(&keys, &signing).map_err(|failure| failure.code())
        };
        assert_eq!(sign("roster", 2, &[1; 32], false), Ok(()));
        assert_eq!(sign("roster", 2, &[1; 32], false), Ok(()));
        let refused = Err(WireCode::AlreadyExists);
        assert_eq!(sign("roster", 2, &[2; 32], false), refused);
        assert_eq!(sign("roster", 3, &[2; 32], false), Ok(()));
        assert_eq!(sign("root", 2, &[2; 32], false), Ok(()));
        assert_eq!(sign("roster", 2, &[2; 32], true), Ok(()));
        assert_eq!(sign("roster", 2, &[2; 32], false), Ok(()));
        assert_eq!(sign("roster", 2, &[1; 32], false), refused);
    }
}
