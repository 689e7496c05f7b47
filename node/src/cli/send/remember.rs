//! What is known here of each message that was sent, and whether a stopped one is gone on with as
//! it was begun.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use frex_client::keys::MemberHome;
use frex_proto::{envelope::SignedEnvelope, error::WireCode, id::MessageId, label};
use serde_json::{Value, json};

use super::{Sent, words};
use crate::cli::{
    SendArgs,
    failure::Failure,
    files,
    member::{self, ABOUT_BYTES_MAX, SENT_DIR},
    output,
    staged::{Source, Staged},
    time::rfc3339,
};

impl Sent<'_> {
    /// Keeps the ids of what is sent; the content stays where its owner has it. Of a message that
    /// is sealed again, all the envelopes.
    pub(super) fn remember(&self, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let draft = self.draft;
        let path = path(self.home, draft.message_id);
        let folder = self.home.dir().join(SENT_DIR);
        files::ensure_folder(&folder)?;
        // What has been learned of the message meanwhile stays beside what is said here.
        let _held = files::hold(&folder)?;
        let mut before = remembered(self.home, draft.message_id)?;
        let earlier = before["envelopes"].as_array().cloned().unwrap_or_default();
        let names = |value: &Value| value.as_str().map(str::to_owned);
        let recipients = before["recipients"].as_array().into_iter().flatten();
        let recipients: BTreeSet<String> = recipients
            .filter_map(names)
            .chain(envelope.members.iter().cloned())
            .collect();
        let id = envelope.id.to_string();
        let envelopes: Vec<Value> = earlier.into_iter().chain([id.clone().into()]).collect();
        let kept = json!({
            "v": output::JSON_VERSION, "message": draft.message_id.to_string(),
            "envelope": id, "envelopes": envelopes, "recipients": recipients,
            "kind": member::kind_name(draft.kind), "lane": member::lane_name(draft.lane),
            "content_type": self.content_type, "bytes": draft.data.len(),
            "sha256": hash(&draft.data), "file": self.file,
            "attachments": draft.attachments.iter().zip(self.attached).map(|(attached, path)| json!({
                "file": path, "name": attached.file.name, "bytes": attached.file.bytes,
                "sha256": hex::encode(attached.file.sha256),
            })).collect::<Vec<_>>(),
            "created_ms": draft.created_ms, "expires_ms": draft.expires_ms, "reply_by_ms": draft.reply_by_ms,
        });
        match (&mut before, kept) {
            (Value::Object(before), Value::Object(kept)) => before.extend(kept),
            (before, kept) => *before = kept,
        }
        files::replace(&path, format!("{before:#}\n").as_bytes())
    }
}

/// The envelope that was sealed before the command was stopped, if it came to that and everything
/// is given again as it was then: nothing else is in that envelope. Spec: ATT-23, ATT-26.
pub(super) fn stopped(
    home: &MemberHome,
    args: &SendArgs,
    (content_type, data): (&str, &[u8]),
    sources: &mut [Source],
) -> Result<Option<SignedEnvelope>, Failure> {
    let Some(message) = words::message(args)? else {
        return Ok(None);
    };
    let staged = Staged::of(&home.dir().join(SENT_DIR), &message.to_string());
    let Some(envelope) = staged.envelope()? else {
        return Ok(None);
    };
    let known = remembered(home, message)?;
    let mut other = others(args, &envelope);
    if known["sha256"].is_null() {
        other.push("what it was begun with is not known here any more".to_owned());
    } else {
        if !is_same_report(&known, args, content_type, data) {
            other.push("the report, its type, kind or lane is another".to_owned());
        }
        other.extend(other_files(&known, sources)?);
    }
    if !other.is_empty() {
        let what = format!("message {message} was begun with something else");
        return Err(Failure::new(WireCode::BadInput, what).cause(other.join("; ")).advise(format!(
            "Give the same report, files and members as then; or send it as a new message, without --message, and remove what was sealed for this one: rm -r {}",
            staged.folder().display()
        )));
    }
    output::message(format_args!(
        "going on with the message that was sealed before; it is tried until {}",
        rfc3339(known["expires_ms"].as_u64().unwrap_or_default())
    ));
    Ok(Some(envelope))
}

fn others(args: &SendArgs, envelope: &SignedEnvelope) -> Vec<String> {
    let given: BTreeSet<&String> = args.to.iter().collect();
    let sealed: BTreeSet<&String> = envelope.members.iter().collect();
    match given == sealed {
        true => Vec::new(),
        false => vec![format!("it was for {}", envelope.members.join(" "))],
    }
}

fn is_same_report(known: &Value, args: &SendArgs, content_type: &str, data: &[u8]) -> bool {
    known["sha256"] == hash(data)
        && known["content_type"] == content_type
        && known["kind"] == member::kind_name(args.kind.into())
        && known["lane"] == member::lane_name(args.lane.into())
}

/// What is not as it was sealed, each in a sentence. Lengths are looked at first: a file that
/// differs by its length need not be read.
fn other_files(known: &Value, sources: &mut [Source]) -> Result<Vec<String>, Failure> {
    let rows = known["attachments"].as_array().into_iter().flatten();
    let mut sealed: BTreeMap<&str, &Value> = rows
        .filter_map(|row| Some((row["name"].as_str()?, row)))
        .collect();
    let mut other = Vec::new();
    for source in sources {
        let path = source.path.display().to_string();
        match sealed.remove(source.name.as_str()) {
            None => other.push(format!("{path} was not with it")),
            Some(row) if row["bytes"] != source.bytes => other.push(format!(
                "{path} has {} now, and had {} when it was sealed",
                output::counted(source.bytes, "byte"),
                row["bytes"]
            )),
            Some(row) if row["sha256"] != hex::encode(source.hash()?) => {
                other.push(format!("{path} is not what it was when it was sealed"));
            }
            Some(_) => {}
        }
    }
    let missing = sealed.keys();
    other.extend(missing.map(|name| format!("{} is missing", output::clean(name))));
    Ok(other)
}

/// What is known of a message; null if it is none.
fn remembered(home: &MemberHome, message: MessageId) -> Result<Value, Failure> {
    let path = path(home, message);
    let known = match path.exists() {
        true => files::read(&path, ABOUT_BYTES_MAX)?,
        false => Vec::new(),
    };
    Ok(serde_json::from_slice(&known).unwrap_or_default())
}

fn path(home: &MemberHome, message: MessageId) -> PathBuf {
    home.dir().join(SENT_DIR).join(format!("{message}.json"))
}

fn hash(data: &[u8]) -> String {
    hex::encode(label::sha256(&[data]))
}
