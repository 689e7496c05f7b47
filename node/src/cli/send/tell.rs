//! What is said at the end of `frex send`.

use std::path::Path;

use frex_proto::{
    envelope::Draft,
    error::WireCode,
    id::{EnvelopeId, MessageId},
};
use serde_json::{Value, json};

use super::{AttachedFile, EXPIRED, Fate, GIVEN_UP, Heard, REJECTED, Sent, WAITING};
use crate::cli::{
    failure::{Done, Failure, PARTIAL},
    output,
    staged::ANOTHER,
    time::seconds,
};

/// Prints what became of the report and gives the exit code.
pub(super) fn conclude(sent: &Sent<'_>, heard: &Heard, json: bool) -> Done {
    let (draft, files, dir) = (sent.draft, sent.files, sent.from);
    if let (None, Some(code)) = (&heard.submitted, heard.refused) {
        let failure = Failure::new(code, "the node did not take the report");
        return Err(match heard.delayed {
            Some(after) if code == WireCode::RetryAfter => failure.advise(format!(
                "Send it again after {}, or give it more time with --wait; quotas are shown by: frex roster show {}",
                seconds(after), dir.display()
            )),
            _ => failure,
        });
    }
    if heard.submitted.is_none() && heard.fates.values().all(|fate| fate.receipt.is_none()) {
        return Err(Failure::new(WireCode::TimedOut, "the node did not answer")
            .advise(format!("Give the same command again, with  --message {}  unless it has --once: what the node has is not sent twice", sent.again)));
    }
    let missed = |fate: &Fate| [REJECTED, EXPIRED, GIVEN_UP].contains(&fate.state);
    let all = !heard
        .fates
        .values()
        .any(|fate| missed(fate) || fate.state == WAITING);
    if json {
        output::document(to_json(draft, files, heard));
    } else {
        print(dir, draft, files, heard);
    }
    heard
        .notes
        .iter()
        .for_each(|note| output::message(format_args!("note: {note}")));
    match heard.fates.values().find_map(|fate| fate.code) {
        Some(code) if heard.fates.values().all(missed) => Err(nobody(dir, draft, heard, code)),
        _ if all => Ok(0),
        _ => Ok(PARTIAL),
    }
}

/// No recipient has it, and nothing goes on by itself.
fn nobody(dir: &Path, draft: &Draft, heard: &Heard, code: WireCode) -> Failure {
    let all = |state| heard.fates.values().all(|fate| fate.state == state);
    let show = format!(
        "See why with: frex outbox show {} {}",
        draft.message_id,
        dir.display()
    );
    if all(REJECTED) {
        let failure = Failure::new(code, "every recipient's node rejected the report");
        return match code {
            WireCode::IdReuse => failure.advise(ANOTHER),
            _ => failure,
        };
    }
    match all(EXPIRED) {
        true => Failure::new(
            code,
            "the report expired before any recipient's node had it",
        ),
        false => Failure::new(code, "no recipient's node has the report").advise(show),
    }
}

fn print(dir: &Path, draft: &Draft, files: &[AttachedFile], heard: &Heard) {
    output::data(format_args!(
        "sealed   {} for {}",
        output::counted(draft.data.len(), "byte"),
        output::counted(heard.fates.len(), "recipient")
    ));
    output::data(format_args!("message  {}", draft.message_id));
    for id in &heard.envelopes {
        output::data(format_args!("envelope {id}"));
    }
    print_files(files);
    output::data("");
    let mut table = output::table(&["RECIPIENT", "NODE", "STATE", "AFTER", "RECEIPT"]);
    for (member, fate) in &heard.fates {
        let state = match fate.code {
            Some(code) => format!("{} {}", fate.state, code.info().name),
            None => fate.state.to_owned(),
        };
        let after = fate.ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let receipt = fate.receipt.clone().unwrap_or_default();
        table.add_row([member.clone(), fate.node.clone(), state, after, receipt]);
    }
    output::print_table(&table);
    if heard.fates.values().any(|fate| fate.state == WAITING) {
        output::message("note: the node has it and goes on by itself; see later with:");
        output::message(format_args!(
            "  frex receipt fetch {} {}",
            draft.message_id,
            dir.display()
        ));
    }
}

/// The files that are with it, a line each.
pub(super) fn print_files(files: &[AttachedFile]) {
    for file in files {
        let bytes = output::counted(file.bytes, "byte");
        output::data(format_args!(
            "file     {}, {bytes}",
            output::clean(&file.name)
        ));
    }
}

/// The files that are with it.
pub(super) fn files_json(files: &[AttachedFile]) -> Vec<Value> {
    let row = |file: &AttachedFile| json!({ "name": file.name, "bytes": file.bytes });
    files.iter().map(row).collect()
}

fn to_json(draft: &Draft, files: &[AttachedFile], heard: &Heard) -> Value {
    let recipients: Vec<Value> = heard
        .fates
        .iter()
        .map(|(member, fate)| {
            json!({
                "member": member, "node": fate.node, "state": fate.state, "after_ms": fate.ms,
                "code": fate.code.map(|code| code as u16), "receipt": fate.receipt,
            })
        })
        .collect();
    json!({
        "message": draft.message_id.to_string(), "envelope": heard.envelopes.last().map(EnvelopeId::to_string),
        "envelopes": heard.envelopes.iter().map(EnvelopeId::to_string).collect::<Vec<_>>(),
        "submitted": heard.submitted, "attachments": files_json(files), "recipients": recipients, "notes": heard.notes,
    })
}

/// Says the id before anything leaves, and how the message goes on if the command is stopped: under this id, or
/// as it was given.
pub(super) fn begun(message: MessageId, again: Option<MessageId>) {
    let how = again.map(|id| format!(" with  --message {id} "));
    output::message(format_args!(
        "message {message}: if this is stopped, the same command{} goes on",
        how.unwrap_or_default()
    ));
}

/// Says that a message was submitted before.
pub(super) fn print_earlier(message: &str, envelopes: &[String]) {
    output::data("submitted at an earlier time: nothing was sent");
    output::data(format_args!("message  {message}"));
    for id in envelopes {
        output::data(format_args!("envelope {id}"));
    }
}

/// Says how to hear what has become of a message.
pub(super) fn note_fetch(message: &str, dir: &Path) {
    output::message("note: what has become of it, the node says:");
    output::message(format_args!(
        "  frex receipt fetch {message} {}",
        dir.display()
    ));
}
