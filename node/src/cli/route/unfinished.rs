//! Decisions that are not carried out: some of those to whom a report was to go have not got it, and nothing
//! else would say so. Spec: RTE-35.

use std::path::Path;

use frex_client::{
    casework::{case::CaseId, routing::Record},
    keys::MemberHome,
};
use frex_proto::id::MessageId;
use serde_json::{Value, json};

use super::{ROUTES_DIR, read};
use crate::cli::{
    casework::say::Room,
    failure::Failure,
    files,
    inbox::RECALLED,
    messages::{self, SENT},
    output,
    receipt::fetch,
    show,
};

/// Decisions that are named one by one.
const NAMED_MAX: usize = 5;

/// A decision of which some part has not left.
pub struct Unfinished {
    /// Its first message, which names the case.
    case: MessageId,
    /// Those to whom it is still to go.
    members: Vec<String>,
    /// The command that goes on with it.
    command: String,
}

/// Every decision of a member that is not carried out.
///
/// # Errors
/// The records cannot be read.
pub fn all(room: &Room, dir: &Path) -> Result<Vec<Unfinished>, Failure> {
    let mut found = Vec::new();
    for path in files::with_extension(&room.home.dir().join(ROUTES_DIR), "json")? {
        found.extend(of(room, &read(&path)?, dir)?);
    }
    Ok(found)
}

/// What of a decision has not left; none if all of it has, or none of it was ever sealed, or who sent it has
/// taken it back.
fn of(room: &Room, record: &Record, dir: &Path) -> Result<Option<Unfinished>, Failure> {
    let case = record.message_id(0);
    let parts = record.value()["parts"].as_array().into_iter().flatten();
    let (mut members, mut is_begun) = (Vec::new(), false);
    for (place, part) in parts.enumerate() {
        let message = record.message_id(place);
        is_begun |= is_sealed(room, message);
        if !has_left(room, case, message) {
            let names = part["members"].as_array().into_iter().flatten();
            members.extend(names.filter_map(|name| Some(name.as_str()?.to_owned())));
        }
    }
    if members.is_empty() || !is_begun || is_taken_back(&room.home, record)? {
        return Ok(None);
    }
    Ok(Some(Unfinished {
        command: fetch::again(&room.home, case, &[], dir),
        case,
        members,
    }))
}

/// Whether what has left of a decision was withdrawn from everybody: then the rest is not to go either.
/// Spec: RTE-36.
///
/// # Errors
/// What is kept of its messages cannot be read.
pub fn is_taken_back(home: &MemberHome, record: &Record) -> Result<bool, Failure> {
    let mut is_back = false;
    for place in 0..record.parts() {
        let message = record.message_id(place).to_string();
        let about = messages::sent(home, &message)?.unwrap_or_default();
        if about["state"] == RECALLED {
            is_back = true;
        } else if !show::receipts(home, &message)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(is_back)
}

/// Whether a message was sealed here.
fn is_sealed(room: &Room, message: MessageId) -> bool {
    let wanted = message.to_string();
    let mut rows = room.rows.iter();
    rows.any(|(at, row)| *at == SENT && row["message"] == wanted.as_str())
}

/// Whether the home node has it: only then it was said.
fn has_left(room: &Room, case: MessageId, message: MessageId) -> bool {
    let case = room.desk.cases.get(&CaseId(case.0));
    case.is_some_and(|case| {
        let mut said = case.said();
        said.any(|said| said.key.message == message && said.key.from == room.desk.own)
    })
}

impl Unfinished {
    /// Whether it is the decision by which this case began.
    #[must_use]
    pub fn is_of(&self, case: CaseId) -> bool {
        self.case.0 == case.0
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "case": self.case.to_string(), "members": self.members, "try": self.command })
    }
}

/// Says who has not got what was decided, with the commands that go on.
pub fn print(rows: &[Unfinished]) {
    for row in rows.iter().take(NAMED_MAX) {
        let members: Vec<String> = row.members.iter().map(|name| output::clean(name)).collect();
        output::message(format_args!(
            "the decision of case {} is not carried out: {} ({}). Go on with:\n  {}",
            &row.case.to_string()[..8],
            match members.len() {
                1 => "1 member has not got the report".to_owned(),
                count => format!("{count} members have not got the report"),
            },
            members.join(", "),
            row.command
        ));
    }
    if let Some(more @ 1..) = rows.len().checked_sub(NAMED_MAX) {
        output::message(format_args!(
            "{more} more decisions that are not carried out: --json names them"
        ));
    }
}
