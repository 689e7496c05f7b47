//! `frex inbox --kept`: what was fetched before, as it lies in the folder. Asks nobody.

use std::{fs, io::ErrorKind, path::Path};

use frex_client::keys::MemberHome;
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{ABOUT, FOLDER};
use crate::cli::{
    failure::{Done, Failure, OrCode},
    files, output,
};

const ABOUT_BYTES_MAX: usize = 64 * 1024;

/// Lists kept reports, the oldest first.
pub fn list(home: &MemberHome, json: bool) -> Done {
    let folder = home.dir().join(FOLDER);
    let mut rows = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(print(&[], json)),
        Err(error) => return Err(Failure::file("read", &folder, &error)),
    };
    for entry in entries {
        let path = entry
            .map_err(|error| Failure::file("read", &folder, &error))?
            .path();
        if path.extension().is_some_and(|extension| extension == ABOUT) {
            rows.push(read(&path)?);
        }
    }
    rows.sort_by_key(|row| row["received"].as_str().unwrap_or_default().to_owned());
    Ok(print(&rows, json))
}

fn read(path: &Path) -> Result<Value, Failure> {
    let bytes = files::read(path, ABOUT_BYTES_MAX)?;
    let what = format!("{} is damaged", path.display());
    serde_json::from_slice(&bytes).or_code(WireCode::Files, &what)
}

fn print(rows: &[Value], json: bool) -> u8 {
    if json {
        output::document(json!({ "items": rows }));
    } else if rows.is_empty() {
        output::message("nothing is kept");
    } else {
        super::print(rows);
    }
    0
}
