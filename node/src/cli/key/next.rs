//! The next key, a member's or a node's: the one that is there, or one made now. Spec: FIL-15.

use std::path::PathBuf;

use frex_client::{
    environment::Random,
    keys::{
        KeyFileError,
        file::KeyPlace,
        rotation::{KeyFolder, KeyRecord, KeyUse},
        text::{SecretKey, SecretKeyRef},
    },
    passphrase::Unlock,
};
use frex_proto::{error::WireCode, id::KeyId};

use crate::cli::{
    failure::{Failure, OrFail},
    output,
};

/// What is recorded of the NEXT key for `usage`, and whether it was made now. One that was made
/// in a token is taken; no other is made where the key in use is in a token.
///
/// # Errors
/// The failure names the file, or the command that makes the key where it has to be.
pub fn find_or_make(
    folder: &mut KeyFolder,
    usage: KeyUse,
    unlock: &Unlock,
    now_ms: u64,
    make: impl FnOnce() -> SecretKey,
) -> Result<(KeyRecord, bool), Failure> {
    if let Some(record) = folder.next(usage) {
        return Ok((record.clone(), false));
    }
    let adopted = folder.adopt_next(usage, now_ms);
    if let Some(record) = adopted.or_fail("the next key cannot be taken")? {
        return Ok((record, false));
    }
    refuse_to_leave_token(folder, usage)?;
    let (key, mut rng) = (make(), Random::System.rng());
    let key: SecretKeyRef<'_> = key.as_ref();
    let made = folder.add_next(usage, key, unlock, &mut rng, now_ms);
    Ok((made.or_fail("the next key cannot be kept")?, true))
}

/// Whether the key in this file is the one on record.
///
/// # Errors
/// It is another one.
pub fn check_recorded(path: PathBuf, found: KeyId, record: &KeyRecord) -> Result<(), Failure> {
    if found == record.key_id {
        return Ok(());
    }
    Err(KeyFileError::Damaged { path }).or_fail("the next key is not the one on record")
}

/// A key in a token is not followed by one in a file unless a person makes that.
fn refuse_to_leave_token(folder: &KeyFolder, usage: KeyUse) -> Result<(), Failure> {
    let active = match KeyPlace::file(&folder.dir().join(usage.active_file())).read() {
        // A node's first witness key follows none.
        Err(KeyFileError::Missing { .. }) if usage == KeyUse::Witness => return Ok(()),
        other => other.or_fail("the key in use cannot be read")?,
    };
    let Some(place) = active.token() else {
        return Ok(());
    };
    let name = usage.name();
    let what = format!("the {name} key is in a token, and so must be the one that follows it");
    Err(Failure::new(WireCode::BadInput, what).advise(format!(
        "Make it there, then the same command again: frex key token {} --token {} --module {}",
        folder.dir().join(usage.next_file()).display(),
        output::clean(&place.token.label),
        place.token.module.display()
    )))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use frex_client::keys::file;
    use frex_proto::keys::SigningKey;

    use super::*;

    const NOW_MS: u64 = 1_000;

    /// A key file of a key in a token.
    fn write_token(dir: &Path, name: &str, seed: u8) -> SigningKey {
        let key = SigningKey::from_seed(&[seed; 32]);
        let text = format!(
            "public_key = \"{}\"\nmodule = \"/lib/token.so\"\ntoken = \"hsm\"\nid = \"07\"\n",
            hex::encode(key.verifying_key().as_bytes())
        );
        file::write_new(&dir.join(name), text.as_bytes()).unwrap();
        key
    }

    // FIL-15, FIL-31: a key of a node, as of a member, does not leave its token unsaid, and one that
    // was made there follows it.
    #[test]
    fn a_key_in_a_token_is_followed_by_one_in_a_token() {
        for usage in [KeyUse::Log, KeyUse::Tls, KeyUse::Identity, KeyUse::Witness] {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
            write_token(dir, &usage.active_file(), 1);
            let (mut folder, _) = KeyFolder::open(dir, NOW_MS).unwrap();
            let mut next = || {
                let make = || SecretKey::Signing(Box::new(SigningKey::from_seed(&[9; 32])));
                find_or_make(&mut folder, usage, &Unlock::none(), NOW_MS, make)
            };
            let refused = next().unwrap_err();
            assert_eq!(refused.code(), WireCode::BadInput);
            assert!(!dir.join(usage.next_file()).exists());
            let made = write_token(dir, &usage.next_file(), 2);
            for _ in 0..2 {
                let (record, made_now) = next().unwrap();
                assert_eq!((record.key_id, made_now), (made.key_id(), false));
            }
        }
    }
}
