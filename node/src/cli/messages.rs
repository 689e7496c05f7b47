//! Messages as the member's folder keeps them: found by an id or the beginning of one, and changed
//! as more is learned of them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use frex_client::{
    keys::MemberHome,
    sent::{Remembered, SentStore},
};
use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    error::WireCode,
    id::{EnvelopeId, MessageId},
};
use serde_json::{Value, json};

use super::{
    erased, evidence,
    failure::{Failure, OrCode, OrFail},
    files,
    member::{self, ABOUT, ABOUT_BYTES_MAX, INBOX_DIR, REFERENCES_DIR, SENT_DIR},
    output,
};

/// What this member sent.
pub const SENT: &str = "sent";
/// What came to it.
pub const RECEIVED: &str = "received";
/// Field of a sent message that lists its recalls that the node has taken.
pub const RECALLS: &str = "recalls_of_it";
/// Field of a sent message that lists its recalls of which it is not known whether they were taken.
pub const BEGUN: &str = "recalls_begun";
/// Where what is known of messages lies, and how its files end.
const PLACES: [(&str, &str, &str); 2] = [(SENT, SENT_DIR, "json"), (RECEIVED, INBOX_DIR, ABOUT)];
/// Fewer letters would match by accident.
const PREFIX_MIN: usize = 4;

/// What is kept under an envelope or message id, or the beginning of one. Spec: CLI-28.
///
/// # Errors
/// There is nothing, or more than one thing.
pub fn find_one(home: &MemberHome, id: &str) -> Result<(&'static str, Value), Failure> {
    find_as(home, id, SENT)
}

/// As [`find_one`]; what a member sent to itself too is found as what came, with what came with it.
///
/// # Errors
/// As [`find_one`].
pub fn find_received(home: &MemberHome, id: &str) -> Result<(&'static str, Value), Failure> {
    find_as(home, id, RECEIVED)
}

fn find_as(home: &MemberHome, id: &str, direction: &str) -> Result<(&'static str, Value), Failure> {
    let wanted = beginning(id)?;
    let mut found = find(home, &wanted)?;
    once(&mut found, direction);
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(nothing(home, &wanted)),
        (Some(_), others) => Err(several(&wanted, others + 1)),
    }
}

/// Keeps of a message that was both sent and received here what is known of it as `direction` alone: it
/// is one message. One of another sender under the same id is another.
pub fn once(rows: &mut Vec<(&'static str, Value)>, direction: &str) {
    let wanted = rows.iter().filter(|row| row.0 == direction);
    let wanted: BTreeSet<String> = wanted.flat_map(|(_, about)| carried(about)).collect();
    rows.retain(|row| row.0 == direction || carried(&row.1).all(|id| !wanted.contains(&id)));
}

/// Whether two rows are of one message: an envelope is of one alone.
#[must_use]
pub fn is_same(one: &Value, other: &Value) -> bool {
    carried(one).any(|id| carried(other).any(|twin| twin == id))
}

/// The envelopes that carried a message.
fn carried(about: &Value) -> impl Iterator<Item = String> {
    let envelopes = about["envelopes"].as_array().into_iter().flatten();
    let ids = envelopes.chain([&about["envelope"]]);
    ids.filter_map(|id| id.as_str().map(str::to_owned))
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
    only(home, &wanted, &fitting(home, &wanted)?)
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
    only(home, &wanted, &ids(kept.filter(|one| one.0 == SENT)))
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
pub fn only(
    home: &MemberHome,
    wanted: &str,
    ids: &BTreeSet<MessageId>,
) -> Result<MessageId, Failure> {
    match (ids.first(), ids.len()) {
        (None, _) => Err(nothing(home, wanted)),
        (Some(id), 1) => Ok(*id),
        (Some(_), count) => {
            let names: Vec<String> = ids.iter().map(MessageId::to_string).collect();
            Err(several(wanted, count).cause(names.join(", ")))
        }
    }
}

/// What is kept of a message that was sent, if anything is; what left under a reference and of
/// which nothing was heard since, as the store of references has it.
///
/// # Errors
/// It cannot be read.
pub fn sent(home: &MemberHome, message: &str) -> Result<Option<Value>, Failure> {
    let path = path_of(home, message);
    if path.exists() {
        let kept = files::read(&path, ABOUT_BYTES_MAX)?;
        let what = format!("{} is damaged", path.display());
        return serde_json::from_slice(&kept).or_code(WireCode::Files, what);
    }
    Ok(recollect(home, message)?.pop())
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
    files::ensure_folder(&folder)?;
    let _held = files::hold(&folder)?;
    let Some(kept) = sent(home, message)? else {
        return Ok(());
    };
    let mut changed = kept.clone();
    change(&mut changed);
    if changed == kept {
        return Ok(());
    }
    let path = path_of(home, message);
    files::replace(&path, format!("{changed:#}\n").as_bytes())
}

/// Keeps the ids of what is about to leave, and `more` of what is known of it; the content stays where its
/// owner has it. Of a message that is sealed again, all the envelopes: the one before stays the message's
/// own until the home node has this one. Spec: ATT-28.
///
/// # Errors
/// It cannot be kept.
pub fn remember(
    home: &MemberHome,
    draft: &Draft,
    envelope: &SignedEnvelope,
    more: Value,
) -> Result<(), Failure> {
    let message = draft.message_id.to_string();
    let folder = home.dir().join(SENT_DIR);
    files::ensure_folder(&folder)?;
    // What has been learned of the message meanwhile stays beside what is said here.
    let _held = files::hold(&folder)?;
    let mut about = remembered(home, draft.message_id)?;
    let earlier = about["envelopes"].as_array().cloned().unwrap_or_default();
    let names = |value: &Value| value.as_str().map(str::to_owned);
    let recipients = about["recipients"].as_array().into_iter().flatten();
    let recipients: BTreeSet<String> = recipients
        .filter(|_| !earlier.is_empty())
        .filter_map(names)
        .chain(envelope.members.iter().cloned())
        .collect();
    let id = Value::from(envelope.id.to_string());
    let own = match earlier.is_empty() {
        true => id.clone(),
        false => about["envelope"].clone(),
    };
    let envelopes: Vec<Value> = earlier.into_iter().chain([id]).collect();
    let kept = json!({
        "v": output::JSON_VERSION, "message": message,
        "envelope": own, "envelopes": envelopes, "recipients": recipients,
        "kind": draft.kind.word(), "lane": member::lane_name(draft.lane),
        "content_type": draft.content_type, "bytes": draft.data.len(),
        "created_ms": draft.created_ms, "expires_ms": draft.expires_ms, "reply_by_ms": draft.reply_by_ms,
        "in_reply_to": draft.in_reply_to.map(|id| id.to_string()),
        "conversation": draft.conversation.map(|(id, _)| hex::encode(id)),
    });
    for said in [kept, more] {
        match (&mut about, said) {
            (Value::Object(about), Value::Object(said)) => about.extend(said),
            (about, said) => *about = said,
        }
    }
    evidence::keep::keep(home, envelope)?;
    files::replace(&path_of(home, &message), format!("{about:#}\n").as_bytes())
}

/// The home node has taken the envelope: it is the message's own from now on.
///
/// # Errors
/// What is kept of the message cannot be changed.
pub fn take(home: &MemberHome, message: MessageId, envelope: EnvelopeId) -> Result<(), Failure> {
    change_sent(home, &message.to_string(), |about| {
        about["envelope"] = envelope.to_string().into();
    })
}

/// What is known of a message that was sent; null if it is none.
///
/// # Errors
/// It cannot be read.
pub fn remembered(home: &MemberHome, message: MessageId) -> Result<Value, Failure> {
    let path = path_of(home, &message.to_string());
    let known = match path.exists() {
        true => files::read(&path, ABOUT_BYTES_MAX)?,
        false => Vec::new(),
    };
    Ok(serde_json::from_slice(&known).unwrap_or_default())
}

/// Where a message that was sent is kept.
#[must_use]
pub fn path_of(home: &MemberHome, message: &str) -> PathBuf {
    home.dir().join(SENT_DIR).join(format!("{message}.json"))
}

/// Nothing is kept under this, and whether that is so because it was erased.
fn nothing(home: &MemberHome, wanted: &str) -> Failure {
    if let Some(erased) = erased::failure(home, wanted) {
        return erased;
    }
    let what = format!("nothing is kept under {wanted}");
    let dir = member::folder(home).display();
    Failure::new(WireCode::NotFound, what)
        .advise(format!("frex receipt ls {dir}, or frex inbox {dir} --kept"))
}

fn several(wanted: &str, count: usize) -> Failure {
    let what = format!("{wanted} fits {count} ids: give more letters");
    Failure::new(WireCode::BadInput, what)
}

/// Everything that was sent or received and of which more is kept than its name.
///
/// # Errors
/// The folder cannot be read.
pub fn all(home: &MemberHome) -> Result<Vec<(&'static str, Value)>, Failure> {
    let mut found = Vec::new();
    for (direction, folder, extension) in PLACES {
        for path in files::with_extension(&home.dir().join(folder), extension)? {
            found.push((direction, read(&path)?));
        }
    }
    Ok(found)
}

/// What is kept under a whole message id, whoever sent it.
///
/// # Errors
/// The folder cannot be read.
pub fn of_message(
    home: &MemberHome,
    message: MessageId,
) -> Result<Vec<(&'static str, Value)>, Failure> {
    let wanted = message.to_string();
    let mut found = find(home, &wanted)?;
    found.retain(|(_, about)| about["message"] == wanted.as_str());
    Ok(found)
}

/// What is known of a message, from its file.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn read(path: &Path) -> Result<Value, Failure> {
    let bytes = files::read(path, ABOUT_BYTES_MAX)?;
    let what = format!("{} is damaged", path.display());
    serde_json::from_slice(&bytes).or_code(WireCode::Files, what)
}

/// What is kept of envelopes whose envelope or message id begins so.
fn find(home: &MemberHome, wanted: &str) -> Result<Vec<(&'static str, Value)>, Failure> {
    let mut found = Vec::new();
    for (direction, folder, extension) in PLACES {
        for path in files::with_extension(&home.dir().join(folder), extension)? {
            let about = read(&path)?;
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
    for about in recollect(home, wanted)? {
        let id = about["message"].clone();
        if found
            .iter()
            .any(|(direction, one)| *direction == SENT && one["message"] == id)
        {
            continue;
        }
        // More may be kept of it under another envelope.
        let kept = sent(home, id.as_str().unwrap_or_default())?;
        found.push((SENT, kept.unwrap_or(about)));
    }
    Ok(found)
}

/// What the store of references has under ids that begin so.
fn recollect(home: &MemberHome, wanted: &str) -> Result<Vec<Value>, Failure> {
    let found = SentStore::recollect(&home.dir().join(REFERENCES_DIR), wanted);
    let found = found.or_fail("what was sent before cannot be looked up")?;
    Ok(found.iter().map(about).collect())
}

/// As what `frex send` keeps of a message.
fn about(one: &Remembered) -> Value {
    let (message, envelope) = (one.sent.message.to_string(), one.sent.envelope.to_string());
    let mut about = json!({
        "v": output::JSON_VERSION, "message": message, "envelope": envelope,
        "envelopes": [envelope], "expires_ms": one.expires_ms,
    });
    if let Some(address) = &one.address {
        about["reference"] = address.reference.clone().into();
        about["recipients"] = address.to.clone().into();
        about["kind"] = address.kind.word().into();
        about["lane"] = member::lane_name(address.lane).into();
        about["created_ms"] = address.created_ms.into();
    }
    if !one.submitted {
        about["submitted"] = false.into();
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    // EVD-2: what a member sent to itself too is one message, and what another sent under its id another.
    #[test]
    fn what_was_sent_and_came_is_one_message() {
        let sent = json!({ "message": "m", "envelope": "e1", "envelopes": ["e1", "e2"] });
        let came = json!({ "message": "m", "envelope": "e2" });
        let other = json!({ "message": "m", "envelope": "e3" });
        let rows = [(SENT, sent), (RECEIVED, came), (RECEIVED, other)];
        let left = |direction| {
            let mut rows = rows.to_vec();
            once(&mut rows, direction);
            let left = rows.iter().map(|(_, about)| about["envelope"].clone());
            left.collect::<Vec<_>>()
        };
        assert_eq!(left(SENT), ["e1", "e3"]);
        assert_eq!(left(RECEIVED), ["e2", "e3"]);
        assert!(is_same(&rows[0].1, &rows[1].1));
        assert!(!is_same(&rows[0].1, &rows[2].1));
    }
}
