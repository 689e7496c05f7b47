//! Whether the key is here with which the federation counts on this node to cosign.

use frex_client::keys::rotation::KeyUse;
use frex_proto::{
    error::WireCode,
    roster::{Node, Roster},
};

use super::{
    Folder, Row,
    log_key::{in_force, next_key, verifying_key},
};

const CHECK: &str = "node witness key";

/// The key in the file against the one that the roster lists. Spec: CLI-10.
pub fn examine(folder: &Folder, roster: Option<&Roster>) -> Row {
    let listed = roster.and_then(|roster| Some((roster, roster.node(&folder.id)?)));
    let Some((roster, node)) = listed else {
        return Row::skip(CHECK, "no roster lists this node");
    };
    let file = KeyUse::Witness.active_file();
    let text = folder.keys.iter().find(|(name, _)| *name == file);
    let own = match text.map(|(_, text)| text) {
        None => None,
        Some(text) => match text
            .as_ref()
            .ok()
            .and_then(|text| verifying_key(text.public()?))
        {
            Some(own) => Some(own),
            None => return Row::skip(CHECK, format!("{file} does not state its public half")),
        },
    };
    let witnessing = roster.witnessing();
    let named = witnessing.is_some_and(|listed| listed.nodes.contains(&node.id));
    match (&node.witness_key, &own) {
        (Some(listed), Some(own)) if own == listed => {
            let counts = match named {
                true => "the federation counts on this node to cosign",
                false => "the roster does not name this node as a witness",
            };
            Row::ok(CHECK, format!("{}; {counts}", in_force(own)))
        }
        (Some(_), own) => lacking(folder, node, (own.is_some(), named)),
        (None, Some(_)) => Row::ok(CHECK, "not listed by the roster: the node cosigns nothing"),
        (None, None) => Row::ok(CHECK, "none, and none is listed: the node cosigns nothing"),
    }
}

/// The roster lists a key that is not the one in use here.
fn lacking(folder: &Folder, node: &Node, (other, named): (bool, bool)) -> Row {
    let dir = folder.path.display();
    let (here, code) = match other {
        true => ("another than the one in force", WireCode::NotTrusted),
        false => ("missing", WireCode::NotInitialised),
    };
    if next_key(&folder.path, KeyUse::Witness) == node.witness_key {
        let found = format!("{here}; the next start takes up the one in force");
        let mend = format!("Stop the node and start it again: frex run {dir}");
        return Row::warn(CHECK, found, mend);
    }
    let mend = format!(
        "Restore it from the backup of the keys, as {dir}/keys/witness.key; if it is lost: frex key rotate witness {dir}"
    );
    match named {
        true => {
            let found = format!("{here}, and the federation counts on this node to cosign");
            Row::fail(CHECK, code, found, mend)
        }
        false => Row::warn(CHECK, format!("{here}; the roster lists one"), mend),
    }
}
