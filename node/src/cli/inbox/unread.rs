//! What another program has fetched, and nobody has been shown. Spec: DCF-25.

use frex_client::keys::MemberHome;
use serde_json::Value;

use super::kept;
use crate::cli::{
    failure::Failure,
    files,
    member::{ABOUT, INBOX_DIR},
};

/// Field of what is known of a received message that nobody has been shown yet.
pub(super) const UNREAD: &str = "unread";

/// All of it, the oldest first.
pub(super) fn all(home: &MemberHome) -> Result<Vec<Value>, Failure> {
    let mut rows = kept::all(home)?;
    rows.retain(|row| row[UNREAD] == true);
    Ok(rows)
}

/// Notes that somebody has been shown these.
pub(super) fn are_read(home: &MemberHome, rows: &[Value]) -> Result<(), Failure> {
    for row in rows.iter().filter(|row| row[UNREAD] == true) {
        let Some(envelope) = row["envelope"].as_str() else {
            continue;
        };
        let path = home.dir().join(INBOX_DIR);
        let path = path.join(format!("{envelope}.{ABOUT}"));
        // What was erased since does not come back.
        if !path.exists() {
            continue;
        }
        let mut now = kept::read(&path)?;
        if let Some(fields) = now.as_object_mut() {
            fields.remove(UNREAD);
        }
        files::replace(&path, format!("{now:#}\n").as_bytes())?;
    }
    Ok(())
}
