//! Decisions that are not carried out: some of those to whom a report was to go have not got it, and nothing
//! else would say so. Spec: RTE-35.

use std::{collections::BTreeSet, path::Path};

use frex_client::{
    casework::{case::CaseId, routing::Record},
    keys::MemberHome,
};
use frex_proto::{
    id::MessageId,
    roster::{Member, Roster},
    v1::Event,
};
use serde_json::{Value, json};

use super::{ROUTES_DIR, members_of, read, record_of};
use crate::cli::{
    casework::say::Room,
    erased,
    failure::Failure,
    files,
    inbox::RECALLED,
    messages::{self, BEGUN, RECALLS},
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

/// The decision by which a case began, if it is one of this member and is not carried out.
///
/// # Errors
/// Its record cannot be read.
pub fn of_case(room: &Room, case: CaseId, dir: &Path) -> Result<Option<Unfinished>, Failure> {
    match record_of(&room.home, MessageId(case.0))? {
        Some(record) => of(room, &record, dir),
        None => Ok(None),
    }
}

/// What of a decision has not left; none if all of it has, or none of it was ever sealed, or who sent it has
/// taken it back.
fn of(room: &Room, record: &Record, dir: &Path) -> Result<Option<Unfinished>, Failure> {
    let case = record.message_id(0);
    let (mut members, mut is_begun) = (Vec::new(), false);
    for place in 0..record.parts() {
        let message = record.message_id(place);
        let is_sealed = messages::path_of(&room.home, &message.to_string()).exists();
        is_begun |= is_sealed;
        // What was erased here since has left all the same.
        let has_left =
            has_left(room, case, message) || (!is_sealed && is_gone(&room.home, message)?);
        if !has_left {
            members.extend(members_of(record, place));
        }
    }
    if members.is_empty() || !is_begun {
        return Ok(None);
    }
    let is_taken_back = is_back(&room.home, &room.desk.roster, record, |message| {
        Ok(has_left(room, case, message) || is_gone(&room.home, message)?)
    })?;
    if is_taken_back {
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
pub fn is_taken_back(home: &MemberHome, roster: &Roster, record: &Record) -> Result<bool, Failure> {
    is_back(home, roster, record, |message| is_gone(home, message))
}

/// As [`is_taken_back`], with what tells whether a message has left: it is asked only where another was withdrawn.
fn is_back(
    home: &MemberHome,
    roster: &Roster,
    record: &Record,
    had: impl Fn(MessageId) -> Result<bool, Failure>,
) -> Result<bool, Failure> {
    let (mut is_back, mut open) = (false, Vec::new());
    for place in 0..record.parts() {
        let message = record.message_id(place);
        let about = messages::sent(home, &message.to_string())?.unwrap_or_default();
        let withdrawn = withdrawn(&about);
        if is_withdrawn(&about, &withdrawn, roster) {
            is_back |= about["state"] == RECALLED || !withdrawn.is_empty();
        } else {
            open.push(message);
        }
    }
    if !is_back {
        return Ok(false);
    }
    for message in open {
        if had(message)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// From whom a message was withdrawn, or is being withdrawn; also who could not be told then.
fn withdrawn(about: &Value) -> BTreeSet<&str> {
    let recalls = [RECALLS, BEGUN].map(|field| about[field].as_array());
    let recalls = recalls.into_iter().flatten().flatten();
    let named = recalls.flat_map(|recall| ["from", "left_out"].map(|field| &recall[field]));
    let named = named.filter_map(Value::as_array).flatten();
    named.filter_map(Value::as_str).collect()
}

/// Whether nobody who could be told is left to withdraw a message from.
fn is_withdrawn(about: &Value, withdrawn: &BTreeSet<&str>, roster: &Roster) -> bool {
    let Some(recipients) = about["recipients"].as_array() else {
        return about["state"] == RECALLED;
    };
    let is_live = |member: &str| roster.member(member).is_some_and(Member::is_live);
    let mut recipients = recipients.iter().filter_map(Value::as_str);
    about["state"] == RECALLED
        || recipients.all(|member| withdrawn.contains(member) || !is_live(member))
}

/// Whether a receipt kept here says that the home node has taken a message.
///
/// # Errors
/// The receipts cannot be read.
pub fn was_taken(home: &MemberHome, message: MessageId) -> Result<bool, Failure> {
    let kept = show::receipts(home, &message.to_string())?;
    Ok(kept
        .iter()
        .any(|(_, said, _)| said.event() == Event::Submitted))
}

/// Whether a message has left, by its receipts: also where it was erased here, which takes them away.
fn is_gone(home: &MemberHome, message: MessageId) -> Result<bool, Failure> {
    Ok(was_taken(home, message)? || erased::failure(home, &message.to_string()).is_some())
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

#[cfg(test)]
mod tests {
    use super::*;

    // RTE-36: who could not be told, and a recall without an answer yet, count as withdrawn.
    #[test]
    fn who_is_named_by_a_recall_is_withdrawn_from() {
        let about = json!({
            "recipients": ["a", "b", "c"],
            RECALLS: [{ "from": ["a"], "left_out": ["b"] }], BEGUN: [{ "from": ["c"] }],
        });
        assert_eq!(withdrawn(&about), BTreeSet::from(["a", "b", "c"]));
        assert!(withdrawn(&Value::Null).is_empty());
    }
}
