//! What came in cases, in a few words each, with the command that comes next.

use std::path::Path;

use frex_client::{
    casework::{
        case::{CONTENT_TYPE, Key, MESSAGE_BYTES_MAX, json_of, read, words_of},
        v1::{CaseMessage, case_message::What},
    },
    keys::MemberHome,
};
use frex_proto::id::MessageId;
use serde_json::Value;

use crate::cli::{
    casework::desk::{self, Desk, case_of, content_path},
    files, output,
};

/// Messages that are told one by one; the rest is in their cases.
const TOLD_MAX: usize = 20;

/// What is said of a request without saying which: its header names an envelope, and people know the message.
const OF_A_REQUEST: [&str; 2] = ["extension", "reminder"];

/// Adds to each row the case that it belongs to, and to a message of a case what it says.
pub(super) fn tell(home: &MemberHome, rows: &mut [Value]) {
    for row in rows.iter_mut() {
        let is_message = row["content_type"] == CONTENT_TYPE;
        // What could not be opened belongs to nothing.
        if !row["file"].is_string() || (!is_message && row["kind"] != "report") {
            continue;
        }
        if let Some(case) = case_of(row) {
            row["case"] = case.to_string().into();
        }
        if is_message && let Some(bytes) = bytes(home, row) {
            row["says"] = json_of(&bytes);
        }
    }
    tell_requests(home, rows);
}

/// Adds the request to what is of one. What cannot be looked up is left out, and all else is shown.
fn tell_requests(home: &MemberHome, rows: &mut [Value]) {
    let is_of_one = |row: &Value| {
        OF_A_REQUEST
            .iter()
            .any(|what| row["says"][*what].is_object())
    };
    if !rows.iter().any(is_of_one) {
        return;
    }
    let Ok((desk, _)) = desk::open(home) else {
        return;
    };
    for row in rows.iter_mut().filter(|row| is_of_one(row)) {
        if let Some(request) = request_of(&desk, row) {
            row["request"] = request.to_string().into();
        }
    }
}

fn request_of(desk: &Desk, row: &Value) -> Option<MessageId> {
    let key = Key {
        from: row["from"].as_str()?.to_owned(),
        message: MessageId::from_hex(row["message"].as_str()?).ok()?,
    };
    desk.request_of(case_of(row)?, &key)
}

fn bytes(home: &MemberHome, row: &Value) -> Option<Vec<u8>> {
    files::read(&content_path(home, row), MESSAGE_BYTES_MAX).ok()
}

/// Says who said what in which case, and what comes next.
pub(super) fn print(home: &MemberHome, rows: &[Value], dir: &Path) {
    let messages = rows
        .iter()
        .filter(|row| row["content_type"] == CONTENT_TYPE);
    let mut told = 0;
    for row in messages.clone().take(TOLD_MAX) {
        let line = bytes(home, row).and_then(|bytes| line(home, row, &read(&bytes).ok()?, dir));
        if let Some(line) = line {
            output::message(line);
            told += 1;
        }
    }
    let more = messages.count() - told;
    let begins = rows
        .iter()
        .any(|row| row["kind"] == "report" && row["case"].is_string());
    if more > 0 || begins {
        output::message(format_args!(
            "note: each report begins a case, or belongs to one; see what is next in each:  frex case ls {}",
            dir.display()
        ));
    }
}

fn line(home: &MemberHome, row: &Value, message: &CaseMessage, dir: &Path) -> Option<String> {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let case = case_of(row)?.to_string();
    let (what, says) = words_of(message);
    let (what, says) = (what.replace('_', "-"), output::clean(&says));
    let says = match says == what || says.is_empty() {
        true => what,
        false => format!("{what} {}", says.replace('_', "-")),
    };
    let note = match message.note.is_empty() {
        true => String::new(),
        false => format!("; note: {}", output::clean(&message.note)),
    };
    let dir = dir.display();
    let begins = |id: &str| id.get(..8).unwrap_or(id).to_owned();
    let request = row["request"].as_str();
    let of = request.map_or_else(String::new, |id| format!(" of {}", begins(id)));
    let next = match &message.what {
        // Nobody answers itself.
        _ if text("from") == home.settings().member => {
            format!("frex case show {} {dir}", &case[..8])
        }
        Some(What::PreserveRequest(_) | What::ProduceRequest(_)) => {
            format!("frex answer {} acked --from {dir}", begins(text("message")))
        }
        Some(What::Extension(_)) if row["in_reply_to"].is_string() => {
            format!(
                "frex answer {} extended --from {dir}",
                begins(request.unwrap_or(text("in_reply_to")))
            )
        }
        _ => format!("frex case show {} {dir}", &case[..8]),
    };
    Some(format!(
        "{} in case {}: {says}{of}{note}; next:  {next}",
        output::clean(text("from")),
        &case[..8],
    ))
}
