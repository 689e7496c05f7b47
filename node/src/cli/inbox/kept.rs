//! `frex inbox --kept`: what was fetched before, as it lies in the folder. Asks nobody.

use std::path::Path;

use frex_client::keys::MemberHome;
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{cases, unread};
use crate::cli::{
    failure::{Done, Failure, OrCode},
    files,
    member::{self, ABOUT, ABOUT_BYTES_MAX, INBOX_DIR},
    output,
};

/// Lists kept reports, the oldest first.
pub fn list(home: &MemberHome, json: bool) -> Done {
    let paths = files::with_extension(&home.dir().join(INBOX_DIR), ABOUT)?;
    let rows: Result<Vec<Value>, Failure> = paths.iter().map(|path| read(path)).collect();
    let mut rows = rows?;
    rows.sort_by_key(|row| row["received"].as_str().unwrap_or_default().to_owned());
    cases::tell(home, &mut rows);
    let shown = unread::all(home)?;
    let code = print(home, &rows, json);
    unread::are_read(home, &shown)?;
    Ok(code)
}

pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let bytes = files::read(path, ABOUT_BYTES_MAX)?;
    let what = format!("{} is damaged", path.display());
    serde_json::from_slice(&bytes).or_code(WireCode::Files, &what)
}

fn print(home: &MemberHome, rows: &[Value], json: bool) -> u8 {
    if json {
        output::document(json!({ "items": rows }));
    } else if rows.is_empty() {
        output::message("nothing is kept");
    } else {
        super::print(home, rows, member::folder(home));
    }
    0
}
