//! `frex key ls`: names every key by its public half, without a passphrase.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use frex_client::keys::{
    KeyFileError,
    file::KeyPlace,
    rotation::{KeyFolder, KeyRecord, KeyState, KeyUse},
    text::KeyText,
};
use serde_json::{Value, json};

use super::{Found, rotate};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    fingerprint, output,
    time::rfc3339,
};

/// A key file and what it says of itself.
struct Row<'a> {
    path: &'a Path,
    /// None for a key of the governance: those follow one another in a root.
    state: Option<KeyState>,
    record: Option<&'a KeyRecord>,
    mode: String,
    text: Result<KeyText, KeyFileError>,
}

/// Lists keys; fails at the end if one cannot be used as it is.
pub fn list(found: &Found, json: bool) -> Done {
    let mut rows = Vec::new();
    for path in &found.keys {
        let metadata = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
        let record = recorded(found, path);
        rows.push(Row {
            path,
            state: record.map(|record| record.state).or_else(|| state_of(path)),
            record,
            mode: format!("{:04o}", metadata.permissions().mode() & 0o7777),
            text: KeyPlace::file(path).read(),
        });
    }
    if json {
        let gone = found.folders.iter().flat_map(KeyFolder::records);
        let gone = gone.filter(|record| record.state == KeyState::Retired);
        output::document(json!({
            "keys": rows.iter().map(Row::json).collect::<Vec<_>>(), "drafts": found.drafts,
            "destroyed": gone.map(rotate::to_json).collect::<Vec<_>>(),
        }));
    } else {
        print(&rows);
    }
    for draft in &found.drafts {
        output::message(format_args!(
            "note: {} was left by a change that was interrupted; the key beside it is whole. Make the change again, or delete it",
            draft.display()
        ));
    }
    match rows.into_iter().find_map(|row| row.text.err()) {
        Some(error) => Err(error).or_fail("a key cannot be used as it is"),
        None => Ok(0),
    }
}

fn print(rows: &[Row<'_>]) {
    let mut table = output::table(&[
        "KEY",
        "KIND",
        "STATE",
        "SINCE",
        "UNTIL",
        "ENCRYPTED",
        "MODE",
        "FINGERPRINT",
    ]);
    for row in rows {
        let (kind, encrypted, print) = match &row.text {
            Ok(text) => (
                kind(text),
                if text.is_encrypted() { "yes" } else { "no" },
                printed(text).unwrap_or_else(|| "not stated".to_owned()),
            ),
            Err(_) => ("unknown", "unknown", "unusable, see below".to_owned()),
        };
        table.add_row([
            output::clean(&row.path.display().to_string()),
            kind.to_owned(),
            row.state
                .map(|state| state.name().to_owned())
                .unwrap_or_default(),
            row.record
                .map(|record| rfc3339(record.since_ms))
                .unwrap_or_default(),
            row.until().unwrap_or_default(),
            encrypted.to_owned(),
            row.mode.clone(),
            print,
        ]);
    }
    output::print_table(&table);
}

fn kind(text: &KeyText) -> &'static str {
    match (text.is_sealing(), text.has_companion()) {
        (true, _) => "sealing",
        (false, false) => "signing",
        (false, true) => "signing, post-quantum",
    }
}

fn printed(text: &KeyText) -> Option<String> {
    let public = text.public()?;
    Some(fingerprint::of(&public.sha256()))
}

/// What is recorded of the key in this file.
fn recorded<'a>(found: &'a Found, path: &Path) -> Option<&'a KeyRecord> {
    let name = path.file_name()?.to_str()?;
    let mut folders = found.folders.iter();
    let folder = folders.find(|folder| Some(folder.dir()) == path.parent())?;
    folder.record_of(name)
}

/// The state that a file's name tells where nothing is recorded: no key here was ever followed.
fn state_of(path: &Path) -> Option<KeyState> {
    let name = path.file_name()?.to_str()?;
    let is = |file: fn(KeyUse) -> String| KeyUse::ALL.iter().any(|usage| file(*usage) == name);
    if is(KeyUse::active_file) {
        return Some(KeyState::Active);
    }
    is(KeyUse::next_file).then_some(KeyState::Next)
}

impl Row<'_> {
    fn until(&self) -> Option<String> {
        self.record?.until_ms.map(rfc3339)
    }

    fn json(&self) -> Value {
        match &self.text {
            Ok(text) => json!({
                "state": self.state.map(KeyState::name), "until": self.until(),
                "since": self.record.map(|record| rfc3339(record.since_ms)),
                "file": self.path, "mode": self.mode,
                "kind": if text.is_sealing() { "sealing" } else { "signing" },
                "encrypted": text.is_encrypted(), "post_quantum": text.has_companion(), "fingerprint": printed(text),
                "key_id": text.public().map(|public| public.key_id().to_string()), "problem": null,
            }),
            Err(error) => json!({
                "file": self.path, "mode": self.mode, "problem": error.to_string(),
            }),
        }
    }
}
