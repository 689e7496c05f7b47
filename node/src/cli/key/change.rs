//! `frex key encrypt`, `decrypt` and `passphrase`: all keys of a folder, or none.

use std::path::{Path, PathBuf};

use frex_client::{
    environment::Random,
    keys::{
        change::{self, Change, Changed},
        file::KeyPlace,
    },
};
use frex_proto::error::WireCode;
use serde_json::json;

use crate::cli::{
    failure::{Done, Failure, OrFail},
    output, passphrase as source,
};

/// Encrypts keys.
pub fn encrypt(dir: &Path, keys: &[PathBuf], json: bool) -> Done {
    let passphrase = source::present()
        .or_fail("there is no passphrase to encrypt the keys with")
        .map_err(|failure| {
            failure.advise(format!(
                "frex key encrypt {} --passphrase-fd 3 3<FILE",
                dir.display()
            ))
        })?;
    let done = carry_out(keys, Change::Encrypt(&passphrase))?;
    report("encrypted", &done, json);
    if !json {
        output::message(
            "note: a disk may keep what was overwritten; a key that lay open on one you do not trust is better made anew",
        );
        output::data("Commands now ask for the passphrase; one that nobody watches is given it:");
        output::data(format_args!(
            "  frex key ls {} --passphrase-fd 3 3<FILE",
            dir.display()
        ));
    }
    Ok(0)
}

/// Writes keys without encryption.
pub fn decrypt(dir: &Path, keys: &[PathBuf], json: bool) -> Done {
    let unlock = source::unlock();
    let passphrase = unlock
        .passphrase()
        .or_fail("there is no passphrase to decrypt the keys with")
        .map_err(|failure| {
            failure.advise(format!(
                "frex key decrypt {} --passphrase-fd 3 3<FILE",
                dir.display()
            ))
        })?;
    let done = carry_out(keys, Change::Decrypt(passphrase))?;
    report("decrypted", &done, json);
    Ok(0)
}

/// Puts keys under another passphrase.
pub fn passphrase(dir: &Path, keys: &[PathBuf], new: Option<u32>, json: bool) -> Done {
    let how = |failure: Failure| {
        failure.advise(format!(
            "frex key passphrase {} --passphrase-fd 3 --new-passphrase-fd 4 3<OLD 4<NEW",
            dir.display()
        ))
    };
    let encrypted = |path: &PathBuf| KeyPlace::file(path).read().map(|text| text.is_encrypted());
    let states = keys.iter().map(encrypted).collect::<Result<Vec<_>, _>>();
    if !states.or_fail("a key cannot be read")?.contains(&true) {
        let what = "none of these keys is encrypted";
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("so there is no passphrase to change")
            .advise(format!("frex key encrypt {}", dir.display())));
    }
    let unlock = source::unlock();
    let old = unlock
        .passphrase()
        .or_fail("the present passphrase of the keys is missing")
        .map_err(how)?;
    let new = source::next(new)
        .or_fail("the new passphrase of the keys is missing")
        .map_err(how)?;
    if *old == new {
        return Err(how(Failure::new(
            WireCode::BadInput,
            "nothing would change",
        )
        .cause("the new passphrase is the present one")));
    }
    let done = carry_out(keys, Change::Replace(old, &new))?;
    report("changed", &done, json);
    Ok(0)
}

fn carry_out(keys: &[PathBuf], change: Change<'_>) -> Result<Vec<Changed>, Failure> {
    let planned =
        change::plan(keys, change).or_fail("a key cannot be opened, so none was changed")?;
    change::carry_out(planned, change, &mut Random::System.rng())
        .or_fail("a key cannot be written anew; the same command again goes on from there")
}

fn report(what: &str, done: &[Changed], json: bool) {
    let paths = |changed| {
        let these = done.iter().filter(move |done| done.changed == changed);
        these.map(|done| &done.path).collect::<Vec<_>>()
    };
    if json {
        output::document(json!({ "changed": paths(true), "unchanged": paths(false) }));
        return;
    }
    for path in paths(true) {
        output::data(format_args!("{what:<10} {}", path.display()));
    }
    for path in paths(false) {
        output::data(format_args!("{:<10} {}", "as it was", path.display()));
    }
}
