//! Whether the log's key is the one in force, and what is due if it is not.

use std::path::Path;

use frex_client::keys::{KEYS_DIR, file::KeyPlace, rotation::KeyUse, text::PublicKey};
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    roster::{Node, Roster},
};

use super::{Folder, Row};
use crate::cli::time::rfc3339;

const CHECK: &str = "node log key";

/// The key in the file against those that the roster lists.
pub fn examine(folder: &Folder, roster: Option<&Roster>, now_ms: u64) -> Row {
    let Some(node) = roster.and_then(|roster| roster.node(&folder.id)) else {
        return Row::skip(CHECK, "no roster lists this node");
    };
    let file = KeyUse::Log.active_file();
    let text = folder.keys.iter().find(|(name, _)| *name == file);
    let own = text.and_then(|(_, text)| verifying_key(text.as_ref().ok()?.public()?));
    let Some(own) = own else {
        return Row::skip(CHECK, format!("{file} does not state its public half"));
    };
    let next = next_key(&folder.path, KeyUse::Log);
    if own == node.log_key.key {
        let waits = next.map_or("", |_| "; the next one waits to be listed");
        return Row::ok(CHECK, format!("{}{waits}", in_force(&own)));
    }
    match node.listed_log_key(&own) {
        Some(listed) => {
            let end_ms = listed.validity.not_after_ms.unwrap_or_default();
            followed(folder, node, next.as_ref(), (end_ms, now_ms))
        }
        None => Row::skip(CHECK, format!("{file} was never this log's")),
    }
}

/// That a key is in force, and by which algorithms it signs if they are two.
pub(super) fn in_force(key: &VerifyingKey) -> &'static str {
    match key.companion() {
        Some(_) => "in force, Ed25519 and ML-DSA-44",
        None => "in force",
    }
}

/// The roster lists another key than the one that signs here.
fn followed(
    folder: &Folder,
    node: &Node,
    next: Option<&VerifyingKey>,
    (end_ms, now_ms): (u64, u64),
) -> Row {
    let dir = folder.path.display();
    let (here, mend) = match next == Some(&node.log_key.key) {
        true => (
            "its next start takes up the one in force",
            format!("Stop the node and start it again: frex run {dir}"),
        ),
        false => (
            "the one in force is not here",
            format!(
                "Restore it from the backup of the keys, as {dir}/keys/log.key; if it is lost: frex key rotate log {dir}"
            ),
        ),
    };
    let end = rfc3339(end_ms);
    if now_ms >= end_ms {
        let found = format!("log.key ended at {end}; {here}");
        return Row::fail(CHECK, WireCode::KeyEnded, found, mend);
    }
    Row::warn(CHECK, format!("log.key signs until {end}; {here}"), mend)
}

/// The key that waits to be listed or taken up.
pub(super) fn next_key(home: &Path, usage: KeyUse) -> Option<VerifyingKey> {
    let path = home.join(KEYS_DIR).join(usage.next_file());
    verifying_key(KeyPlace::file(&path).read().ok()?.public()?)
}

/// A key that signs.
pub(super) fn verifying_key(public: &PublicKey) -> Option<VerifyingKey> {
    match public {
        PublicKey::Signing(key) => Some(key.clone()),
        PublicKey::Sealing(_) => None,
    }
}
