//! Messages as the member's folder keeps them: found by an id or the beginning of one, and changed
//! as more is learned of them.

use std::collections::BTreeSet;

use frex_client::keys::MemberHome;
use frex_proto::{error::WireCode, id::MessageId};
use serde_json::Value;

use super::{
    failure::{Failure, OrCode},
    files,
    member::{ABOUT, ABOUT_BYTES_MAX, INBOX_DIR, SENT_DIR},
};

/// What this member sent.
pub const SENT: &str = "sent";
/// What came to it.
pub const RECEIVED: &str = "received";
/// Field of a sent message that lists its recalls that the node has taken.
pub const RECALLS: &str = "recalls_of_it";
/// Field of a sent message that lists its recalls of which it is not known whether they were taken.
pub const BEGUN: &str = "recalls_begun";
/// Fewer letters would match by accident.
const PREFIX_MIN: usize = 4;

/// What is kept under an envelope or message id, or the beginning of one. Spec: CLI-28.
///
/// # Errors
/// There is nothing, or more than one thing.
pub fn find_one(home: &MemberHome, id: &str) -> Result<(&'static str, Value), Failure> {
    let wanted = beginning(id)?;
    let mut found = find(home, &wanted)?;
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(nothing(&wanted)),
        (Some(_), others) => Err(several(&wanted, others + 1)),
    }
}

/// The message that is meant by an envelope or message id, or the beginning of one. Of a whole
/// message id nothing need be kept. Spec: CLI-28.
///
/// # Errors
/// The beginning fits nothing that is kept, or more than one message.
pub fn message_id(home: &MemberHome, id: &str) -> Result<MessageId, Failure> {
    if let Ok(whole) = MessageId::from_hex(id) {
        return Ok(whole);
    }
    let wanted = beginning(id)?;
    only(&wanted, &fitting(home, &wanted)?)
}

/// As [`message_id`], of a message that was sent: the beginning is looked for among those alone.
///
/// # Errors
/// As [`message_id`].
pub fn sent_id(home: &MemberHome, id: &str) -> Result<MessageId, Failure> {
    if let Ok(whole) = MessageId::from_hex(id) {
        return Ok(whole);
    }
    let wanted = beginning(id)?;
    let kept = find(home, &wanted)?.into_iter();
    only(&wanted, &ids(kept.filter(|one| one.0 == SENT)))
}

/// The beginning of an id as ids are written.
///
/// # Errors
/// It is none, or too short.
pub fn beginning(id: &str) -> Result<String, Failure> {
    let wanted = id.to_ascii_lowercase();
    if wanted.len() < PREFIX_MIN || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(
            WireCode::BadInput,
            "an id is hexadecimal; give at least 4 letters of it",
        ));
    }
    Ok(wanted)
}

/// The messages that are kept here and fit the beginning of an id.
///
/// # Errors
/// The folder cannot be read.
pub fn fitting(home: &MemberHome, wanted: &str) -> Result<BTreeSet<MessageId>, Failure> {
    Ok(ids(find(home, wanted)?))
}

fn ids(kept: impl IntoIterator<Item = (&'static str, Value)>) -> BTreeSet<MessageId> {
    let id = |(_, about): (_, Value)| MessageId::from_hex(about["message"].as_str()?).ok();
    kept.into_iter().filter_map(id).collect()
}

/// The only message of these.
///
/// # Errors
/// There is none, or more than one.
pub fn only(wanted: &str, ids: &BTreeSet<MessageId>) -> Result<MessageId, Failure> {
    match (ids.first(), ids.len()) {
        (None, _) => Err(nothing(wanted)),
        (Some(id), 1) => Ok(*id),
        (Some(_), count) => {
            let names: Vec<String> = ids.iter().map(MessageId::to_string).collect();
            Err(several(wanted, count).cause(names.join(", ")))
        }
    }
}

/// Changes what is kept of a message that was sent, if anything is; no other program changes it
/// meanwhile.
///
/// # Errors
/// It cannot be read or written.
pub fn change_sent(
    home: &MemberHome,
    message: &str,
    change: impl FnOnce(&mut Value),
) -> Result<(), Failure> {
    let folder = home.dir().join(SENT_DIR);
    let path = folder.join(format!("{message}.json"));
    if !path.exists() {
        return Ok(());
    }
    let _held = files::hold(&folder)?;
    let what = format!("{} is damaged", path.display());
    let kept = files::read(&path, ABOUT_BYTES_MAX)?;
    let kept: Value = serde_json::from_slice(&kept).or_code(WireCode::Files, what)?;
    let mut changed = kept.clone();
    change(&mut changed);
    if changed == kept {
        return Ok(());
    }
    files::replace(&path, format!("{changed:#}\n").as_bytes())
}

fn nothing(wanted: &str) -> Failure {
    let what = format!("nothing is kept under {wanted}");
    Failure::new(WireCode::NotFound, what).advise("frex receipt ls, or frex inbox")
}

fn several(wanted: &str, count: usize) -> Failure {
    let what = format!("{wanted} fits {count} ids: give more letters");
    Failure::new(WireCode::BadInput, what)
}

/// What is kept of envelopes whose envelope or message id begins so.
fn find(home: &MemberHome, wanted: &str) -> Result<Vec<(&'static str, Value)>, Failure> {
    let mut found = Vec::new();
    for (direction, folder, extension) in [(SENT, SENT_DIR, "json"), (RECEIVED, INBOX_DIR, ABOUT)] {
        for path in files::with_extension(&home.dir().join(folder), extension)? {
            let about: Value = serde_json::from_slice(&files::read(&path, ABOUT_BYTES_MAX)?)
                .or_code(
                    WireCode::Files,
                    format_args!("{} is damaged", path.display()),
                )?;
            let begins = |field: &str| {
                about[field]
                    .as_str()
                    .is_some_and(|id| id.starts_with(wanted))
            };
            if begins("envelope") || begins("message") {
                found.push((direction, about));
            }
        }
    }
    Ok(found)
}
