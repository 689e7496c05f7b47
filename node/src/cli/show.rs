//! `frex show`: one report that was sent or received, with what is proven about it.

use std::path::Path;

use frex_client::{keys::MemberHome, report};
use frex_proto::{error::WireCode, limits, v1};
use prost::Message;
use serde_json::{Value, json};

use super::{
    ShowArgs,
    failure::{Done, Failure, OrCode},
    files,
    member::{self, ABOUT, ABOUT_BYTES_MAX, INBOX_DIR, SENT_DIR},
    output, receipt,
};

/// What this member sent.
pub const SENT: &str = "sent";
/// What came to it.
pub const RECEIVED: &str = "received";
/// Fewer letters would match by accident.
const PREFIX_MIN: usize = 4;

/// Shows what is kept under an envelope or message id.
pub fn show(args: &ShowArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let (direction, about) = &find_one(&home, &args.id)?;
    let receipts = receipts(&home, about["message"].as_str().unwrap_or_default())?;
    let content = match *direction {
        RECEIVED => content(&home, about)?,
        _ => None,
    };
    if json {
        output::document(
            json!({ "direction": direction, "about": about, "content": content, "receipts": receipts }),
        );
        return Ok(0);
    }
    output::data(direction);
    if let Value::Object(fields) = about {
        for (name, value) in fields
            .iter()
            .filter(|(name, value)| *name != "v" && !value.is_null())
        {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            output::data(format_args!("  {name:<14} {}", output::clean(&text)));
        }
    }
    output::data("receipts (as they say; check them with frex receipt verify)");
    for receipt in &receipts {
        let text = |field: &str| output::clean(receipt[field].as_str().unwrap_or_default());
        output::data(format_args!(
            "  {:<24} {:<20} {}",
            text("event"),
            text("node"),
            text("file")
        ));
    }
    if let Some(content) = content {
        output::data("content");
        for line in format!("{content:#}").lines() {
            output::data(format_args!("  {}", output::clean(line)));
        }
    }
    Ok(0)
}

/// What is kept under an envelope or message id, or the beginning of one.
///
/// # Errors
/// There is nothing, or more than one thing.
pub fn find_one(home: &MemberHome, id: &str) -> Result<(&'static str, Value), Failure> {
    let wanted = id.to_ascii_lowercase();
    if wanted.len() < PREFIX_MIN || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::new(
            WireCode::BadInput,
            "an id is hexadecimal; give at least 4 letters of it",
        ));
    }
    let mut found = find(home, &wanted)?;
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => {
            let what = format!("nothing is kept under {wanted}");
            Err(Failure::new(WireCode::NotFound, what).advise("frex receipt ls, or frex inbox"))
        }
        (Some(_), others) => Err(Failure::new(
            WireCode::BadInput,
            format!("{wanted} fits {} ids: give more letters", others + 1),
        )),
    }
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

fn receipts(home: &MemberHome, message: &str) -> Result<Vec<Value>, Failure> {
    let mut list = Vec::new();
    for path in files::with_extension(&home.receipts_dir(), "tlog-proof")? {
        let receipt = receipt::read(&path)?;
        let statement = v1::Statement::decode(receipt.statement).unwrap_or_default();
        if hex::encode(&statement.message_id) == message {
            list.push(json!({
                "event": member::event_label(&statement), "node": statement.node,
                "index": receipt.index, "file": path,
            }));
        }
    }
    Ok(list)
}

/// The report itself, if it was received and is text of ours.
fn content(home: &MemberHome, about: &Value) -> Result<Option<Value>, Failure> {
    let is_report = about["content_type"] == report::CONTENT_TYPE;
    // By its name: the folder may have moved since.
    let name = about["file"]
        .as_str()
        .and_then(|path| Path::new(path).file_name());
    let Some(name) = name.filter(|_| is_report) else {
        return Ok(None);
    };
    let path = home.dir().join(INBOX_DIR).join(name);
    let bytes = files::read(&path, limits::CONTENT_BYTES_MAX)?;
    Ok(serde_json::from_slice(&bytes).ok())
}
