//! `frex show`: one report that was sent or received, with what is proven about it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use frex_client::{
    casework::{case, model},
    environment::Clock,
    keys::MemberHome,
    report,
};
use frex_proto::{id::MessageId, limits, roster::Roster, v1};
use prost::Message;
use serde_json::{Value, json};

use super::{
    ShowArgs,
    casework::desk::{content_path, said_path},
    ended::{self, GIVEN_UP},
    failure::{Done, Failure},
    files, member,
    messages::{self, BEGUN, RECALLS},
    output, receipt, recipients,
    time::rfc3339,
};

/// Fields of a sent message that are shown as rows of their own.
const SHOWN_APART: [&str; 5] = ["v", "recipients", GIVEN_UP, RECALLS, BEGUN];

/// What is said of one message.
struct Shown {
    direction: &'static str,
    about: Value,
    /// Of a message that was sent.
    recipients: Vec<Value>,
    receipts: Vec<Value>,
    content: Option<Value>,
    /// What of it went with the end of a log.
    lost: Option<String>,
}

/// Shows what is kept under an envelope or message id. Asks nobody.
pub fn show(args: &ShowArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let (direction, about) = messages::find_one(&home, &args.id)?;
    let kept = receipts(&home, about["message"].as_str().unwrap_or_default())?;
    let sent = direction == messages::SENT;
    let roster = home.roster(Clock::System.now_ms()).ok();
    let statements: Vec<v1::Statement> = kept.iter().map(|one| one.1.clone()).collect();
    let roster = roster.as_ref();
    let shown = Shown {
        recipients: match sent {
            true => recipients::marked(
                recipients::rows(&about, &statements, roster),
                &lost_of(&kept, roster),
                roster,
            ),
            false => Vec::new(),
        },
        lost: lost(&kept, roster),
        content: match sent {
            true => said(&home, &about)?,
            false => content(&home, &about)?,
        },
        receipts: kept.iter().map(|one| receipt_row(one, roster)).collect(),
        direction,
        about,
    };
    if json {
        output::document(json!({
            "direction": direction, "about": shown.about, "recipients": shown.recipients,
            "content": shown.content, "receipts": shown.receipts,
        }));
    } else {
        shown.print(&args.dir);
    }
    Ok(0)
}

impl Shown {
    fn print(&self, dir: &Path) {
        output::data(self.direction);
        let fields = self.about.as_object().into_iter().flatten();
        for (name, value) in
            fields.filter(|(name, value)| !SHOWN_APART.contains(&name.as_str()) && !value.is_null())
        {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            output::data(format_args!("  {name:<14} {}", output::clean(&text)));
        }
        self.print_recipients(dir);
        output::data("receipts (as they say; check them with frex receipt verify)");
        for receipt in &self.receipts {
            let text = |field: &str| output::clean(receipt[field].as_str().unwrap_or_default());
            let mut event = match receipt["outcome"].is_string() {
                true => format!("{} {}", text("event"), text("outcome")),
                false => text("event"),
            };
            if receipt["lost"] == true {
                event.push_str(", lost");
            }
            output::data(format_args!(
                "  {event:<24} {:<20} {}",
                text("node"),
                text("file")
            ));
        }
        if let Some(lost) = &self.lost {
            output::message(format_args!("note: {lost}"));
        }
        if let Some(content) = &self.content {
            output::data("content");
            for line in format!("{content:#}").lines() {
                output::data(format_args!("  {}", output::clean(line)));
            }
        }
    }

    fn print_recipients(&self, dir: &Path) {
        if self.recipients.is_empty() {
            return;
        }
        output::data("");
        let open = recipients::print(&self.recipients);
        output::data("");
        let rows = |field: &str| self.about[field].as_array().into_iter().flatten();
        for row in rows(GIVEN_UP) {
            output::data(format_args!("given up     {}", ended::text(row)));
        }
        for row in rows(RECALLS) {
            let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
            output::data(format_args!(
                "recalled by  {}, reason {}; what became of that: frex receipt fetch {} {}",
                text("message"),
                text("reason"),
                text("message"),
                dir.display()
            ));
        }
        for row in rows(BEGUN) {
            let id = output::clean(row["message"].as_str().unwrap_or_default());
            output::data(format_args!(
                "recall begun {id}, to which the node did not answer; the same frex recall again asks it"
            ));
        }
        if open {
            let expires_ms = self.about["expires_ms"].as_u64().unwrap_or(u64::MAX);
            let what = match expires_ms <= Clock::System.now_ms() {
                true => format!("its time was over at {}", rfc3339(expires_ms)),
                false => "this is what the folder knows".to_owned(),
            };
            output::message(format_args!(
                "note: {what}; how far it has come, the node says: frex receipt fetch {} {}",
                output::clean(self.about["message"].as_str().unwrap_or_default()),
                dir.display()
            ));
        }
    }
}

/// A kept receipt, what it states, and its file.
pub type Kept = (v1::Receipt, v1::Statement, PathBuf);

/// The receipts of a message that are kept here.
///
/// # Errors
/// The folder cannot be read, or a file in it is no receipt.
pub fn receipts(home: &MemberHome, message: &str) -> Result<Vec<Kept>, Failure> {
    let mut list = Vec::new();
    for path in files::with_extension(&home.receipts_dir(), "tlog-proof")? {
        // One that names another message need not be read: there may be many thousands.
        if message_in_name(&path).is_some_and(|named| named.to_string() != message) {
            continue;
        }
        let receipt = receipt::read(&path)?;
        let statement = v1::Statement::decode(receipt.statement.clone()).unwrap_or_default();
        if hex::encode(&statement.message_id) == message {
            list.push((receipt, statement, path));
        }
    }
    Ok(list)
}

/// The message that a receipt is about, where its file bears the name that it was given here.
fn message_in_name(path: &Path) -> Option<MessageId> {
    let (id, _) = path.file_stem()?.to_str()?.split_once('-')?;
    MessageId::from_hex(id).ok()
}

/// What the receipts state whose entries went with the end of a log. Spec: BAK-19.
#[must_use]
pub fn lost_of<'a>(kept: &'a [Kept], roster: Option<&Roster>) -> Vec<&'a v1::Statement> {
    let lost = kept.iter().filter(|one| is_lost(one, roster));
    lost.map(|(_, statement, _)| statement).collect()
}

/// What a person is told of a message of which entries went with the end of a log; none if none did. Spec: BAK-19.
#[must_use]
pub fn lost(kept: &[Kept], roster: Option<&Roster>) -> Option<String> {
    let lost = lost_of(kept, roster).into_iter();
    let nodes: BTreeSet<String> = lost.map(|one| output::clean(&one.node)).collect();
    (!nodes.is_empty()).then(|| {
        format!(
            "lost: by the roster {} lost entries on it with the end of a log; the receipts hold, but what they are of is not there any more: file it anew, as a new message, with --anyway",
            Vec::from_iter(nodes).join(", ")
        )
    })
}

fn is_lost((receipt, statement, _): &Kept, roster: Option<&Roster>) -> bool {
    roster.is_some_and(|roster| member::is_lost(roster, &statement.node, receipt))
}

fn receipt_row(kept: &Kept, roster: Option<&Roster>) -> Value {
    let (receipt, statement, path) = kept;
    json!({
        "lost": is_lost(kept, roster),
        "event": member::event_label(statement), "outcome": member::outcome_of(statement),
        "node": statement.node, "index": receipt.index, "file": path,
    })
}

/// A message of a case that this member said: of what else was sent, the content stays where its owner has it.
fn said(home: &MemberHome, about: &Value) -> Result<Option<Value>, Failure> {
    let path = said_path(home, about["sha256"].as_str().unwrap_or_default());
    if about["content_type"] != case::CONTENT_TYPE || !path.exists() {
        return Ok(None);
    }
    let bytes = files::read(&path, case::MESSAGE_BYTES_MAX)?;
    Ok(Some(case::json_of(&bytes)).filter(|content| !content.is_null()))
}

/// The report or message of a case itself, if it was received and is of ours.
fn content(home: &MemberHome, about: &Value) -> Result<Option<Value>, Failure> {
    let second = about["content_type"] == model::CONTENT_TYPE;
    let is_case = about["content_type"] == case::CONTENT_TYPE;
    let is_report = second || is_case || about["content_type"] == report::CONTENT_TYPE;
    if !is_report || !about["file"].is_string() {
        return Ok(None);
    }
    let bytes = files::read(&content_path(home, about), limits::CONTENT_BYTES_MAX)?;
    if second {
        // Also one whose rules do not hold: what came is shown as it came.
        let report = model::Report::decode_unchecked(&bytes).ok();
        return Ok(report.map(|report| report.to_json()));
    }
    if is_case {
        return Ok(Some(case::json_of(&bytes)).filter(|content| !content.is_null()));
    }
    Ok(serde_json::from_slice(&bytes).ok())
}
