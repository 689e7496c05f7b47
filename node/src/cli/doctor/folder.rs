//! Whether secrets are closed to others, and the keys all there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use frex_client::{
    keys::{
        KEYS_DIR, KeyFileError,
        file::KeyPlace,
        rotation::{KeyFolder, KeyState, KeyUse},
        text::KeyText,
        token::{TokenError, TokenPlace},
    },
    passphrase::Unlock,
};
use frex_proto::error::WireCode;

use super::{Folder, Kind, Row, examine::one_line};
use crate::{
    cli::{alert, time::rfc3339},
    config::NodeConfig,
    home::CONFIG_FILE,
};

/// Group and others.
const OTHERS: u32 = 0o077;

/// Reads the keys as far as no passphrase is needed.
pub fn read(kind: Kind, path: &Path, id: &str, credentials: bool, unlock: &Unlock) -> Folder {
    let read = |name: &&'static str| {
        let place = place(kind, path, name, credentials, unlock);
        (*name, place.and_then(|place| place.read()))
    };
    let there = |(_, text): &(_, Result<_, _>)| !matches!(text, Err(KeyFileError::Missing { .. }));
    let optional = kind.optional_key_files().iter().map(read).filter(there);
    let keys = kind.key_files().iter().map(read).chain(optional);
    Folder {
        kind,
        path: path.to_owned(),
        id: id.to_owned(),
        home_node: None,
        keys: keys.collect(),
    }
}

/// Where a key is read from.
pub fn place(
    kind: Kind,
    path: &Path,
    name: &str,
    credentials: bool,
    unlock: &Unlock,
) -> Result<KeyPlace, KeyFileError> {
    let credentials = credentials.then(|| kind.credential());
    KeyPlace::find(&path.join(KEYS_DIR), name, credentials, unlock)
}

/// Whether the command that tells of late deliveries can be run, if one is named. Spec: DEL-45.
pub fn alert_command(folder: &Folder, config: &NodeConfig) -> Option<Row> {
    let check = folder.check("alert command");
    let program = config.alert_command.first()?;
    let Some(why) = alert::defect(&config.alert_command) else {
        return Some(Row::ok(check, format!("{program} can be run")));
    };
    let mend = format!(
        "Mend alert_command in {}",
        folder.path.join(CONFIG_FILE).display()
    );
    Some(Row::warn(check, why, mend))
}

/// Modes of the folders and of the key files that are there.
pub fn modes(folder: &Folder) -> Row {
    let check = folder.check("modes");
    let keys = folder.path.join(KEYS_DIR);
    let names = [folder.kind.key_files(), folder.kind.optional_key_files()];
    let files = names.into_iter().flatten().map(|name| keys.join(name));
    let secret: Vec<PathBuf> = std::iter::once(keys.clone()).chain(files).collect();
    if let Some((path, mode)) = secret.iter().find_map(|path| loose(path)) {
        let found = format!(
            "{} is open to other users (mode {mode:04o})",
            path.display()
        );
        return Row::fail(check, WireCode::LooseMode, found, close(path));
    }
    let folders = folder.kind.private_folders().iter();
    let loose_folder = folders.map(|name| folder.path.join(name)).find_map(|path| {
        let (_, mode) = loose(&path)?;
        Some((path, mode))
    });
    match loose_folder {
        Some((path, mode)) => {
            let found = format!("other users can enter {} (mode {mode:04o})", path.display());
            Row::warn(check, found, close(&path))
        }
        None => Row::ok(check, "keys and folders are closed to other users"),
    }
}

/// Whether every key is there and can be read.
pub fn keys(folder: &Folder, now_ms: u64) -> Row {
    let check = folder.check("keys");
    let dir = folder.path.display();
    let (mut encrypted, mut in_token) = (0_usize, 0_usize);
    for (name, text) in &folder.keys {
        match text {
            Ok(text) => {
                encrypted += usize::from(text.is_encrypted());
                in_token += usize::from(text.token().is_some());
            }
            Err(KeyFileError::LooseMode { .. }) => {
                return Row::skip(
                    check,
                    format!("{name} is not read while others can read it"),
                );
            }
            Err(KeyFileError::NoCredentials { .. }) => {
                let found =
                    "handed to the service alone: run this as a service with the same credentials";
                return Row::skip(check, found);
            }
            Err(error) => {
                let mend = match error {
                    KeyFileError::Missing { .. } => {
                        format!(
                            "Restore {name} from the backup of the keys, then: frex key ls {dir}"
                        )
                    }
                    _ => format!("frex key ls {dir}"),
                };
                return Row::fail(check, error.into(), error.to_string(), mend);
            }
        }
    }
    let names: Vec<&str> = folder.keys.iter().map(|(name, _)| *name).collect();
    let how = match encrypted {
        0 => "not encrypted".to_owned(),
        all if all == names.len() => "encrypted".to_owned(),
        some => format!("{some} of {} encrypted", names.len()),
    };
    let how = match in_token {
        0 => how,
        some => format!("{how}, {some} in a token"),
    };
    let found = format!("{}: {how}", names.join(", "));
    match KeyFolder::read(&folder.path.join(KEYS_DIR)) {
        Ok(record) => followed(folder, check, found, &record, now_ms),
        Err(error) => Row::fail(
            check,
            WireCode::from(&error),
            one_line(&error.to_string()),
            format!("frex key ls {dir}"),
        ),
    }
}

/// What there is to say of keys that follow one another.
fn followed(folder: &Folder, check: String, found: String, record: &KeyFolder, now_ms: u64) -> Row {
    let dir = folder.path.display();
    if let Some(due) = record.records().iter().find(|key| key.is_due(now_ms)) {
        let name = due.usage.name();
        let since = rfc3339(due.until_ms.unwrap_or_default());
        let found = format!("{found}; an old {name} key was to be destroyed at {since}");
        return Row::warn(check, found, format!("frex key ls {dir}"));
    }
    let waiting = KeyUse::ALL
        .iter()
        .find(|usage| record.next(**usage).is_some());
    if let Some(usage) = waiting {
        let name = usage.name();
        let found = format!("{found}; the next {name} key waits to be put in use");
        return Row::warn(check, found, folder.rotate(name));
    }
    let retiring = record.records().iter();
    let ends = retiring.filter(|key| key.state == KeyState::Retiring);
    match ends.filter_map(|key| key.until_ms).min() {
        Some(until_ms) => {
            let until = rfc3339(until_ms);
            Row::ok(check, format!("{found}; an old key is kept until {until}"))
        }
        None => Row::ok(check, found),
    }
}

/// Whether the token is there that holds a key of the folder, and still holds it. No PIN is
/// needed, and none is tried. Nothing for a folder whose keys are all in files.
pub fn token(folder: &Folder) -> Option<Row> {
    let check = folder.check("token");
    let texts = folder
        .keys
        .iter()
        .filter_map(|(_, text)| text.as_ref().ok());
    let places: Vec<&TokenPlace> = texts.filter_map(KeyText::token).collect();
    let first = places.first()?;
    for place in &places {
        if let Err(error) = place.check() {
            let mend = match &error {
                TokenError::Absent(label) => {
                    format!("Connect the token {label}, or start the service that leads to it")
                }
                TokenError::NotBuilt => WireCode::NotBuilt.info().advice.to_owned(),
                _ => format!("frex key ls {}", folder.path.display()),
            };
            return Some(Row::fail(check, (&error).into(), error.to_string(), mend));
        }
    }
    let found = format!(
        "{} is there and holds {} of the keys",
        first.token.label,
        places.len()
    );
    Some(Row::ok(check, found))
}

/// The path with its mode if others have a way in; nothing for what is not there.
fn loose(path: &Path) -> Option<(&Path, u32)> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & OTHERS != 0).then_some((path, mode))
}

fn close(path: &Path) -> String {
    let mode = if path.is_dir() { "700" } else { "600" };
    format!("chmod {mode} {}", path.display())
}
