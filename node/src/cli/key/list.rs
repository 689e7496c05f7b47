//! `frex key ls`: names every key by its public half, without a passphrase.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use frex_client::keys::{KeyFileError, file::KeyPlace, text::KeyText};
use frex_proto::label;
use serde_json::{Value, json};

use super::Found;
use crate::cli::{
    failure::{Done, Failure, OrFail},
    fingerprint, output,
};

/// A key file and what it says of itself.
struct Row<'a> {
    path: &'a Path,
    mode: String,
    text: Result<KeyText, KeyFileError>,
}

/// Lists keys; fails at the end if one cannot be used as it is.
pub fn list(found: &Found, json: bool) -> Done {
    let mut rows = Vec::new();
    for path in &found.keys {
        let metadata = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
        rows.push(Row {
            path,
            mode: format!("{:04o}", metadata.permissions().mode() & 0o7777),
            text: KeyPlace::file(path).read(),
        });
    }
    if json {
        output::document(json!({
            "keys": rows.iter().map(Row::json).collect::<Vec<_>>(), "drafts": found.drafts,
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
    let mut table = output::table(&["KEY", "KIND", "ENCRYPTED", "MODE", "FINGERPRINT"]);
    for row in rows {
        let (kind, encrypted, print) = match &row.text {
            Ok(text) => (
                kind(text),
                kept(text),
                printed(text).unwrap_or_else(|| "not stated".to_owned()),
            ),
            Err(_) => (
                "unknown",
                "unknown".to_owned(),
                "unusable, see below".to_owned(),
            ),
        };
        table.add_row([
            output::clean(&row.path.display().to_string()),
            kind.to_owned(),
            encrypted,
            row.mode.clone(),
            print,
        ]);
    }
    output::print_table(&table);
}

/// How the secret half is kept.
fn kept(text: &KeyText) -> String {
    match text.token() {
        Some(place) => format!("token {}", output::clean(&place.token.label)),
        None if text.is_encrypted() => "yes".to_owned(),
        None => "no".to_owned(),
    }
}

fn kind(text: &KeyText) -> &'static str {
    match text.is_sealing() {
        true => "sealing",
        false => "signing",
    }
}

fn printed(text: &KeyText) -> Option<String> {
    let public = text.public()?;
    Some(fingerprint::of(&label::sha256(&[public.as_bytes()])))
}

impl Row<'_> {
    fn json(&self) -> Value {
        match &self.text {
            Ok(text) => json!({
                "file": self.path, "mode": self.mode, "kind": kind(text),
                "encrypted": text.is_encrypted(),
                "token": text.token().map(|place| &place.token.label), "fingerprint": printed(text),
                "key_id": text.public().map(|public| public.key_id().to_string()), "problem": null,
            }),
            Err(error) => json!({
                "file": self.path, "mode": self.mode, "problem": error.to_string(),
            }),
        }
    }
}
