//! Whether the roster verifies, lists who is here by the keys that are here, and for how long.

use frex_client::keys::{MEMBER_FILE, ROOT_FILE, ROSTER_FILE};
use frex_proto::{
    error::WireCode,
    label::{Hash, sha256},
    limits,
    roster::{Fault, Peer, Roster, RosterError, Standing, TrustAnchor, Validity},
};

use super::{Folder, Kind, Row};
use crate::cli::{failure::Failure, files, time::rfc3339};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Time in which a new roster, key or document is got without haste.
const NOTICE_MS: u64 = 30 * DAY_MS;

/// Every check of a folder's roster, and the roster if it can be believed.
pub fn examine(folder: &Folder, now_ms: u64) -> (Vec<Row>, Option<Roster>) {
    match judge(folder, now_ms) {
        Ok(roster) => {
            let found = format!(
                "version {}, {} members, {} nodes, under the pinned root",
                roster.version(),
                roster.members().len(),
                roster.nodes().len()
            );
            let rows = vec![
                Row::ok(folder.check("roster"), found),
                listed(folder, &roster),
                standing(folder, &roster, now_ms),
                expiry(folder, &roster, now_ms),
            ];
            (rows, Some(roster))
        }
        Err(row) => {
            let skip = |what| Row::skip(folder.check(what), "there is no roster to judge it by");
            let skipped = ["listed", "standing", "expiry"].map(skip);
            (std::iter::once(row).chain(skipped).collect(), None)
        }
    }
}

/// A roster that has ended still tells who is listed: its standing says that it has.
fn judge(folder: &Folder, now_ms: u64) -> Result<Roster, Row> {
    let dir = folder.path.display();
    let roster_path = folder.path.join(ROSTER_FILE);
    let check = folder.check("roster");
    if !roster_path.exists() {
        let mend = format!("frex roster install roster.frex --root root.frex {dir}");
        return Err(Row::fail(
            check,
            WireCode::NotInitialised,
            "none is installed",
            mend,
        ));
    }
    let unread = |failure: Failure| {
        let mend = format!("frex roster install roster.frex --root root.frex {dir}");
        Row::fail(
            folder.check("roster"),
            failure.code(),
            failure.cause_text(),
            mend,
        )
    };
    let root_path = folder.path.join(ROOT_FILE);
    let root = files::read(&root_path, limits::ROOT_BYTES_MAX).map_err(unread)?;
    let bundle = files::read(&roster_path, limits::ROSTER_BUNDLE_BYTES_MAX).map_err(unread)?;
    let refused = |error: RosterError| {
        let mend = match error.fault {
            // A pinned root is not replaced by installing another.
            Fault::WrongRoot | Fault::WrongFederation => format!(
                "Compare the pinned root with the governance's: frex federation show {}",
                root_path.display()
            ),
            _ => format!(
                "Get it again from the governance, and see what fails: frex roster verify FILE --root {}",
                root_path.display()
            ),
        };
        Row::fail(
            folder.check("roster"),
            error.into(),
            error.to_string(),
            mend,
        )
    };
    let anchor = TrustAnchor::of_root(&root).map_err(refused)?;
    Roster::judge_held(&bundle, &anchor, now_ms).map_err(refused)
}

/// Whether the roster means the very keys that are here.
fn listed(folder: &Folder, roster: &Roster) -> Row {
    let (check, id) = (folder.check("listed"), &folder.id);
    let peer = match folder.kind {
        Kind::Member => Peer::Client(id.clone()),
        Kind::Node => Peer::Node(id.clone()),
    };
    let Some(keys) = listed_keys(folder, roster) else {
        let found = format!("the roster does not list {id}");
        return Row::fail(check, WireCode::NotTrusted, found, list_card(folder));
    };
    if !roster.is_live(&peer) {
        let found = format!("{id} or its operator is suspended or revoked");
        let roster_path = folder.path.join(ROSTER_FILE);
        let mend = format!(
            "Ask the governance why: frex roster show {}",
            roster_path.display()
        );
        return Row::fail(check, WireCode::Revoked, found, mend);
    }
    let served_by = roster.member(id).map(|member| &member.home_node);
    if let (Some(named), Some(listed)) = (&folder.home_node, served_by)
        && named != listed
    {
        let found = format!("{id} is served by {listed}, and member.toml names {named}");
        let mend = format!(
            "Set home_node = \"{listed}\" in {}",
            folder.path.join(MEMBER_FILE).display()
        );
        return Row::fail(check, WireCode::WrongNode, found, mend);
    }
    // Of a key that need not be there, a check of its own tells.
    let due = |(name, _): &&(&str, _)| folder.kind.key_files().contains(name);
    let (mut here, mut unread) = (0_usize, 0_usize);
    for (name, text) in folder.keys.iter().filter(due) {
        here += 1;
        let Some(public) = text.as_ref().ok().and_then(|text| text.public()) else {
            unread += 1;
            continue;
        };
        let known = keys.iter().filter(|(of, ..)| of == name);
        if !known.clone().any(|(_, key, _)| *key == public.sha256()) {
            let found = format!("{name} is not a key that the roster lists for {id}");
            return Row::fail(check, WireCode::NotTrusted, found, list_card(folder));
        }
    }
    let found = match unread {
        0 => format!("{id} is live, with the keys held here"),
        all if all == here => {
            return Row::skip(
                check,
                format!("{id} is live; no key here states its public half"),
            );
        }
        some => format!("{id} is live; {some} of its keys here do not state their public half"),
    };
    Row::ok(check, found)
}

/// Each key of the roster's entry by the file that should hold it; none if there is no entry.
/// A key is named by the hash of itself and its companion: with another companion it is another.
fn listed_keys(folder: &Folder, roster: &Roster) -> Option<Vec<(&'static str, Hash, Validity)>> {
    let mut keys = Vec::new();
    match folder.kind {
        Kind::Member => {
            let member = roster.member(&folder.id)?;
            let identity = member.identity_keys.iter();
            keys.extend(identity.map(|key| ("identity.key", key.key.sha256(), key.validity)));
            let sealing = member.sealing_keys.iter();
            keys.extend(
                sealing.map(|key| ("sealing.key", sha256(&[key.key.as_bytes()]), key.validity)),
            );
            let tls = member.client_tls_keys.iter();
            keys.extend(tls.map(|key| ("tls.key", key.key.sha256(), key.validity)));
        }
        Kind::Node => {
            let node = roster.node(&folder.id)?;
            let tls = node.tls_keys.iter();
            keys.extend(tls.map(|key| ("tls.key", key.key.sha256(), key.validity)));
            // When an earlier one ends, the check of the node's keys tells.
            let logs = std::iter::once(&node.log_key).chain(&node.earlier_log_keys);
            keys.extend(logs.map(|key| ("log.key", key.key.sha256(), Validity::ALWAYS)));
        }
    }
    Some(keys)
}

fn list_card(folder: &Folder) -> String {
    format!(
        "Restore the listed keys, or have the governance list the card of these: frex roster propose CARD --root {} --previous {} --out next.proposal",
        folder.path.join(ROOT_FILE).display(),
        folder.path.join(ROSTER_FILE).display()
    )
}

fn standing(folder: &Folder, roster: &Roster, now_ms: u64) -> Row {
    let check = folder.check("standing");
    let vouched = match roster.fresh_until_ms() {
        Some(until_ms) => format!("vouched for as the newest until {}", rfc3339(until_ms)),
        None => "nobody vouches for its being the newest".to_owned(),
    };
    let mend = || {
        let dir = folder.path.display();
        format!("Get the newest from the governance: frex roster install FILE {dir}")
    };
    let fail = |found: String| Row::fail(check.clone(), WireCode::RosterStale, found, mend());
    match roster.standing(now_ms) {
        Standing::Current => Row::ok(check, format!("current, {vouched}")),
        Standing::Stale => Row::warn(check, format!("stale, {vouched}"), mend()),
        Standing::Unconfirmed => fail(format!("unconfirmed, {vouched}: nothing is submitted")),
        Standing::Expired => fail("expired: nothing is submitted".to_owned()),
        Standing::Void => fail("void: nothing is exchanged".to_owned()),
    }
}

/// What ends first of roster, root, and the keys here. A key that a member's document states
/// ends with the document.
fn expiry(folder: &Folder, roster: &Roster, now_ms: u64) -> Row {
    let check = folder.check("expiry");
    let root_ms = roster.root().expires_ms;
    let mut ends = vec![
        ("the roster".to_owned(), roster.expires_ms()),
        ("the root".to_owned(), root_ms),
    ];
    for (name, text) in &folder.keys {
        let public = text.as_ref().ok().and_then(|text| text.public());
        let keys = listed_keys(folder, roster).unwrap_or_default();
        let end_ms = keys
            .into_iter()
            .filter(|(of, key, _)| {
                of == name && public.is_none_or(|public| *key == public.sha256())
            })
            .filter_map(|(_, _, validity)| validity.not_after_ms)
            .max();
        ends.extend(
            end_ms.map(|end_ms| (format!("{name}, or the document that states it,"), end_ms)),
        );
    }
    // Of a roster that ends with its root, the root is to be named: it must be followed first.
    ends.sort_by_key(|(name, end_ms)| (*end_ms, name != "the root"));
    let (first, end_ms) = &ends[0];
    let days = end_ms.saturating_sub(now_ms) / DAY_MS;
    let end = rfc3339(*end_ms);
    let dir = folder.path.display();
    let mend = match first.split('.').next() {
        Some("the roster" | "the root") => {
            format!("Get the one that follows from the governance: frex roster install FILE {dir}")
        }
        // The document that follows ends later, and so do the keys that it states.
        Some(name @ ("identity" | "sealing" | "tls")) if now_ms < *end_ms => folder.rotate(name),
        _ => list_card(folder),
    };
    if now_ms >= *end_ms {
        let code = WireCode::RosterStale;
        return Row::fail(check, code, format!("{first} ended at {end}"), mend);
    }
    let found = format!("{first} ends first, at {end}, in {days} days");
    match end_ms - now_ms < NOTICE_MS {
        true => Row::warn(check, found, mend),
        false => Row::ok(check, found),
    }
}
