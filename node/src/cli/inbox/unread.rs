//! What another program has fetched, and nobody has been shown: beside each such message lies an empty
//! file, which goes when it is listed. Spec: DCF-25.

use std::{fs, io};

use frex_client::keys::MemberHome;
use frex_proto::id::EnvelopeId;
use serde_json::Value;

use super::{Place, kept};
use crate::cli::{
    failure::Failure,
    files,
    member::{ABOUT, INBOX_DIR},
};

/// Ending of the empty file, and field of the row of such a message.
const UNREAD: &str = "unread";

/// Marks a message, before its sender hears that it is here.
pub(super) fn mark(place: &Place, id: EnvelopeId) -> Result<(), Failure> {
    files::replace(&place.inbox.join(format!("{id}.{UNREAD}")), &[])
}

/// All of it, the oldest first. What was erased since is not among it.
pub(super) fn all(home: &MemberHome) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    for path in files::with_extension(&home.dir().join(INBOX_DIR), UNREAD)? {
        let about = path.with_extension(ABOUT);
        if about.exists() {
            let mut row = kept::read(&about)?;
            row[UNREAD] = true.into();
            rows.push(row);
        }
    }
    rows.sort_by_key(|row| row["received"].as_str().unwrap_or_default().to_owned());
    Ok(rows)
}

/// Notes that somebody has been shown these.
pub(super) fn are_read(home: &MemberHome, rows: &[Value]) -> Result<(), Failure> {
    for envelope in rows.iter().filter_map(|row| row["envelope"].as_str()) {
        let name = format!("{envelope}.{UNREAD}");
        let path = home.dir().join(INBOX_DIR).join(name);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(Failure::file("remove", &path, &error));
        }
    }
    Ok(())
}
