//! What is known here of each message that was sent, and whether one is given again as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use frex_client::{casework::case::name_of, keys::MemberHome};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::{EnvelopeId, MessageId},
    label, v1,
};
use serde_json::{Value, json};

use super::Sent;
use crate::cli::{
    SendArgs,
    failure::Failure,
    member, messages, output,
    staged::{Source, Staged},
    time::rfc3339,
};

/// What is given to be sent.
pub(super) struct Given<'a> {
    pub(super) args: &'a SendArgs,
    pub(super) content_type: &'a str,
    pub(super) data: &'a [u8],
    pub(super) sources: &'a mut [Source],
}

impl<'a> Given<'a> {
    pub(super) fn of(
        args: &'a SendArgs,
        (content_type, data): (&'a str, &'a [u8]),
        sources: &'a mut [Source],
    ) -> Self {
        Self {
            args,
            content_type,
            data,
            sources,
        }
    }
}

impl Sent<'_> {
    /// Keeps the ids of what is sent, and what it is sent from.
    pub(super) fn remember(&self, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let draft = self.draft;
        let more = json!({
            "sha256": hash(&draft.data), "file": self.file,
            "name": name_of(&draft.content_type, &draft.data),
            "attachments": draft.attachments.iter().zip(self.attached).map(|(attached, path)| json!({
                "file": path, "name": attached.file.name, "bytes": attached.file.bytes,
                "sha256": hex::encode(attached.file.sha256),
            })).collect::<Vec<_>>(),
        });
        messages::remember(self.home, draft, envelope, more)
    }
}

/// The home node will never take the envelope: of others, if there are any, it is none.
pub(super) fn forget(
    home: &MemberHome,
    message: MessageId,
    envelope: EnvelopeId,
) -> Result<(), Failure> {
    messages::change_sent(home, &message.to_string(), |about| {
        let id = Value::from(envelope.to_string());
        let rows = about["envelopes"].as_array().into_iter().flatten();
        let others: Vec<Value> = rows.filter(|one| **one != id).cloned().collect();
        let Some(last) = others.last().cloned() else {
            return;
        };
        if about["envelope"] == id {
            about["envelope"] = last;
        }
        about["envelopes"] = others.into();
    })
}

/// Keeps of the envelopes those that the home node has taken and the one that is to go there still.
pub(super) fn follow(
    home: &MemberHome,
    message: MessageId,
    taken: &[EnvelopeId],
    stopped: Option<&SignedEnvelope>,
) -> Result<(), Failure> {
    let ids = taken.iter().map(EnvelopeId::to_string);
    let taken: Vec<Value> = ids.map(Value::from).collect();
    messages::change_sent(home, &message.to_string(), |about| {
        let mut envelopes = taken.clone();
        let stopped = stopped.map(|stopped| Value::from(stopped.id.to_string()));
        envelopes.extend(stopped.filter(|id| !taken.contains(id)));
        about["envelopes"] = envelopes.into();
        if let Some(last) = taken.last().filter(|_| !taken.contains(&about["envelope"])) {
            about["envelope"] = last.clone();
        }
    })
}

/// What is given otherwise than it is remembered, each in a sentence; nothing, if it is not
/// remembered.
pub(super) fn other(known: &Value, given: &mut Given<'_>) -> Result<Vec<String>, Failure> {
    if known.is_null() {
        return Ok(Vec::new());
    }
    let mut other = other_files(known, given.sources)?;
    if !is_same_report(known, given) {
        other.push("the report, its type, kind or lane is another".to_owned());
    }
    Ok(other)
}

/// Checks that everything is given as it was when the envelope was sealed: nothing else is in it.
/// Spec: ATT-23, ATT-26.
pub(super) fn check_stopped(
    known: &Value,
    args: &SendArgs,
    envelope: &SignedEnvelope,
    mut other: Vec<String>,
    staged: &Staged,
) -> Result<(), Failure> {
    other.extend(others(args, envelope));
    if known["sha256"].is_null() {
        other.push("what it was begun with is not known here any more".to_owned());
    }
    if !other.is_empty() {
        return Err(differs(staged.message(), &other).advise(format!(
            "Give the same report, files and members as then; or send it as a new message, without --message, and remove what was sealed for this one: rm -r {}",
            staged.folder().display()
        )));
    }
    output::message(format_args!(
        "going on with the message that was sealed before; it is tried until {}",
        rfc3339(known["expires_ms"].as_u64().unwrap_or_default())
    ));
    Ok(())
}

/// The message was begun with something else. Spec: ATT-26.
pub(super) fn differs(message: impl Display, other: &[String]) -> Failure {
    let what = format!("message {message} was begun with something else");
    Failure::new(WireCode::BadInput, what).cause(other.join("; "))
}

fn others(args: &SendArgs, envelope: &SignedEnvelope) -> Vec<String> {
    let given: BTreeSet<&String> = args.to.iter().collect();
    let sealed: BTreeSet<&String> = envelope.members.iter().collect();
    match given == sealed {
        true => Vec::new(),
        false => vec![format!("it was for {}", envelope.members.join(" "))],
    }
}

/// Of what was not sent from a file here, the content is not known.
fn is_same_report(known: &Value, given: &Given<'_>) -> bool {
    (known["sha256"].is_null() || known["sha256"] == hash(given.data))
        && known["content_type"] == given.content_type
        && known["kind"] == v1::Kind::from(given.args.kind).word()
        && known["lane"] == member::lane_name(given.args.lane.into())
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

fn hash(data: &[u8]) -> String {
    hex::encode(label::sha256(&[data]))
}
