//! The cases of a member as its folder has them: what came, what was sent, when others had it.
//!
//! The folder's own files are all there is: nothing is derived that could be wrong. Spec: CSE-9, CSE-10.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use frex_client::{
    casework::{
        case::{
            CONTENT_TYPE, Case, CaseId, Key, MESSAGE_BYTES_MAX, Party, REPORT_TYPES, Said, Setting,
            What, read,
        },
        clock::{Holidays, holidays, instant},
    },
    environment::Clock,
    keys::MemberHome,
};
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    log::Leaf,
    roster::Roster,
    v1::{Kind, Lane, Role},
};
use serde_json::Value;

use crate::cli::{
    failure::Failure,
    files,
    inbox::UNSEEN,
    member::{self, INBOX_DIR},
    messages::{self, RECEIVED, SENT},
    output,
};

mod back;

use back::{cases_of, is_recall, taken_back};

/// Below the member's folder: what it said itself in its cases.
pub const CASES_DIR: &str = "cases";
/// How such a message's file ends; it is named by the hash of what is in it.
const SAID: &str = "case";
/// In the same folder: public holidays by country, which nobody need give.
const HOLIDAYS: &str = "holidays.json";
const HOLIDAYS_BYTES_MAX: usize = 1024 * 1024;
const LEAF_BYTES_MAX: usize = 256;

/// Every case of a member.
pub struct Desk {
    /// Whose.
    pub own: String,
    /// The roster in force, which also says who counts days where.
    pub roster: Roster,
    /// What a view needs to know.
    pub setting: Setting,
    /// The cases.
    pub cases: BTreeMap<CaseId, Case>,
    /// Now.
    pub now_ms: u64,
    /// The case of each message that came or was sent.
    pub case_of: BTreeMap<MessageId, CaseId>,
}

/// What is known of one message, with its direction.
pub type Row = (&'static str, Value);

/// What the folder keeps, while it is read.
struct Shelf<'a> {
    home: &'a MemberHome,
    roster: &'a Roster,
    own: &'a str,
    /// Nodes that state of a message of ours that they have it, with the leaf that dates it.
    accepted: BTreeMap<MessageId, Vec<(String, PathBuf)>>,
    /// Messages of ours that the home node has taken.
    taken: BTreeSet<MessageId>,
    /// What came, by the id under which it did and its author: others may use the same id.
    came: BTreeMap<(MessageId, &'a str), &'a Value>,
    /// The case of each message.
    case_of: BTreeMap<MessageId, CaseId>,
    /// Of what was passed on and has been taken back by its author: its own message, and who that is.
    back: BTreeMap<MessageId, (MessageId, String)>,
}

/// Reads everything; also gives what is known of each message.
///
/// # Errors
/// The folder cannot be read.
pub fn open(home: &MemberHome) -> Result<(Desk, Vec<Row>), Failure> {
    let rows = messages::all(home)?;
    Ok((of(home, member::roster(home)?, &rows)?, rows))
}

/// The cases of what the folder keeps, as it was read.
///
/// # Errors
/// The folder cannot be read.
pub fn of(home: &MemberHome, roster: Roster, rows: &[Row]) -> Result<Desk, Failure> {
    let own = home.settings().member.clone();
    let came = came(rows);
    let mut shelf = Shelf {
        home,
        roster: &roster,
        own: &own,
        accepted: BTreeMap::new(),
        taken: BTreeSet::new(),
        case_of: cases_of(rows, &came),
        back: taken_back(rows, &came),
        came,
    };
    shelf.list_receipts()?;
    let mut cases: BTreeMap<CaseId, Case> = BTreeMap::new();
    for (direction, row) in rows {
        if let Some((case, said)) = shelf.said(direction, row)? {
            cases
                .entry(case)
                .or_insert_with(|| Case::new(case))
                .add(said);
        }
    }
    // What nobody reported and in which nobody said anything of this kind is no case.
    cases.retain(|_, case| case.said().any(|said| said.what != What::Other));
    let case_of = shelf.case_of;
    Ok(Desk {
        case_of,
        setting: setting(home, &roster)?,
        now_ms: Clock::System.now_ms(),
        cases,
        own,
        roster,
    })
}

impl Desk {
    /// The request that a message of a case goes on with, such as an extension or a reminder; none if it is
    /// of no request, or one itself.
    #[must_use]
    pub fn request_of(&self, case: CaseId, key: &Key) -> Option<MessageId> {
        let view = self.cases.get(&case)?.view(self.now_ms, &self.setting);
        let entry = view.timeline.iter().find(|entry| entry.key == *key)?;
        let request = view.threads.get(entry.thread?)?.request.as_ref()?;
        (request != key).then_some(request.message)
    }

    /// A member's name for people, and whether it is a member no longer.
    #[must_use]
    pub fn called(&self, member: &str) -> String {
        let name = output::clean(member);
        let party = self.setting.members.get(member);
        match party.is_some_and(|party| party.gone) {
            true => format!("{name} (no live member)"),
            false => name,
        }
    }

    /// What this member has said in a case, of which no receipt here shows that these have it: what they
    /// must do about it has no clock yet.
    #[must_use]
    pub fn not_shown(&self, case: &Case) -> Vec<(MessageId, Vec<String>)> {
        let own = case.said().filter(|said| said.key.from == self.own);
        let waits = own.map(|said| {
            let without = said.to.iter().filter(|to| !said.received.contains_key(*to));
            (said.key.message, without.cloned().collect::<Vec<_>>())
        });
        waits.filter(|(_, without)| !without.is_empty()).collect()
    }
}

impl Shelf<'_> {
    /// Receipts by their names: there may be many thousands, and few leaves need be read.
    fn list_receipts(&mut self) -> Result<(), Failure> {
        let folder = self.home.receipts_dir();
        let failed = |error| Failure::file("list", &folder, &error);
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let Some((id, rest)) = name
                .strip_suffix(".leaf")
                .and_then(|name| name.split_once('-'))
            else {
                continue;
            };
            let Ok(message) = MessageId::from_hex(id) else {
                continue;
            };
            if let Some((node, _)) = rest.rsplit_once("-accepted") {
                let node = node.to_owned();
                self.accepted.entry(message).or_default().push((node, path));
            } else if is_taken(rest) {
                self.taken.insert(message);
            }
        }
        Ok(())
    }

    /// The message that a row of the folder is about, with its case; none if it belongs to none.
    fn said(&self, direction: &str, row: &Value) -> Result<Option<(CaseId, Said)>, Failure> {
        let Some(message) = message_of(row) else {
            return Ok(None);
        };
        let is_sent = direction == SENT;
        // What the home node has not taken was never said.
        if is_sent && !self.taken.contains(&message) {
            return Ok(None);
        }
        if is_recall(row) {
            return self.recall(direction, row, message);
        }
        if is_forward(direction, row) {
            return self.passed_on(row, message);
        }
        let Some(case) = case_of(row) else {
            return Ok(None);
        };
        let what = self.what(direction, row)?;
        Ok(Some((case, self.message(direction, row, message, what)?)))
    }

    fn message(
        &self,
        direction: &str,
        row: &Value,
        message: MessageId,
        what: What,
    ) -> Result<Said, Failure> {
        let text = |field: &str| row[field].as_str().unwrap_or_default();
        let is_sent = direction == SENT;
        let original = MessageId::from_hex(text("original")).ok();
        let listed = row["recipients"].as_array().into_iter().flatten();
        let mut to: BTreeSet<String> = listed
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect();
        let author = if is_sent { self.own } else { text("author") };
        if original.is_some() {
            // Who passed it on has it too.
            to.insert(text("from").to_owned());
        }
        to.remove(author);
        let mut received = BTreeMap::new();
        if is_sent {
            received = self.received(message)?;
        } else if let Some(at_ms) = instant(text("received")) {
            received.insert(self.own.to_owned(), at_ms);
        }
        let envelopes = row["envelopes"].as_array().into_iter().flatten();
        let envelopes = envelopes
            .chain([&row["envelope"]])
            .filter_map(Value::as_str);
        let time = |field: &str, ms: &str| row[ms].as_u64().or_else(|| instant(text(field)));
        Ok(Said {
            key: Key {
                from: author.to_owned(),
                message: original.unwrap_or(message),
            },
            envelopes: envelopes
                .filter_map(|id| EnvelopeId::from_hex(id).ok())
                .collect(),
            to,
            kind: kind(text("kind")),
            lane: lane(text("lane")),
            in_reply_to: EnvelopeId::from_hex(text("in_reply_to")).ok(),
            created_ms: time("created", "created_ms").unwrap_or_default(),
            reply_by_ms: time("reply_by", "reply_by_ms"),
            received,
            what,
            otherwise: false,
        })
    }

    fn what(&self, direction: &str, row: &Value) -> Result<What, Failure> {
        let content_type = row["content_type"].as_str().unwrap_or_default();
        if content_type != CONTENT_TYPE {
            let is_report = REPORT_TYPES.contains(&content_type) || row["kind"] == "report";
            return Ok(if is_report { What::Report } else { What::Other });
        }
        let path = match direction == SENT {
            true => said_path(self.home, row["sha256"].as_str().unwrap_or_default()),
            false => content_path(self.home, row),
        };
        if !path.exists() {
            return Ok(What::Unreadable("its content is not kept here any more"));
        }
        let bytes = files::read(&path, MESSAGE_BYTES_MAX)?;
        Ok(match read(&bytes) {
            Ok(message) => What::Case(Box::new(message)),
            Err(_) => What::Unreadable("it breaks a rule for such messages"),
        })
    }

    /// When the recipients' nodes had a message of ours, by the leaves of their receipts.
    fn received(&self, message: MessageId) -> Result<BTreeMap<String, u64>, Failure> {
        let mut received = BTreeMap::new();
        for (node, path) in self.accepted.get(&message).into_iter().flatten() {
            let bytes = files::read(path, LEAF_BYTES_MAX)?;
            let Ok(leaf) = Leaf::parse(&bytes) else {
                continue;
            };
            for member in self
                .roster
                .members()
                .filter(|member| member.home_node == *node)
            {
                let had = received.entry(member.id.clone()).or_insert(leaf.time_ms());
                *had = leaf.time_ms().min(*had);
            }
        }
        Ok(received)
    }

    /// A forward of ours: what came, and who has it now has it too.
    fn passed_on(
        &self,
        row: &Value,
        message: MessageId,
    ) -> Result<Option<(CaseId, Said)>, Failure> {
        let of = passes_on(row).and_then(|of| Some((of.0, *self.came.get(&of)?)));
        let Some((id, of, case)) = of.and_then(|(id, of)| Some((id, of, case_of(of)?))) else {
            return Ok(None);
        };
        let mut said = self.message(RECEIVED, of, id, self.what(RECEIVED, of)?)?;
        let forward = self.message(SENT, row, message, What::Other)?;
        said.to.extend(forward.to);
        said.to.remove(&said.key.from);
        said.envelopes.extend(forward.envelopes);
        said.received.extend(forward.received);
        Ok(Some((case, said)))
    }

    /// A recall that came, or was sent.
    fn recall(
        &self,
        direction: &str,
        row: &Value,
        message: MessageId,
    ) -> Result<Option<(CaseId, Said)>, Failure> {
        let of = row["recalls"]
            .as_str()
            .and_then(|id| MessageId::from_hex(id).ok());
        let (Some(of), Some(reason)) = (of, row["reason"].as_str()) else {
            return Ok(None);
        };
        let known = self.case_of.get(&of).copied();
        // What never was here began no case here.
        if known.is_none() && is_unseen(row) {
            let mut cases = self.case_of.values();
            if !cases.any(|case| case.0 == of.0) {
                return Ok(None);
            }
        }
        // A report that an older program has erased has left no other trace: its id is the case's.
        let case = known.unwrap_or(CaseId(of.0));
        // Who had passed it on passes on its author's word too.
        let back = self.back.get(&of);
        let of = back.map_or(of, |(original, _)| *original);
        let reason = reason.to_owned();
        let what = What::Recall {
            message: of,
            reason,
        };
        let mut said = self.message(direction, row, message, what)?;
        if let Some((_, author)) = back {
            said.key.from.clone_from(author);
        }
        Ok(Some((case, said)))
    }
}

/// Whether what a recall takes back never was here, whether its sender has been told so or not yet.
fn is_unseen(row: &Value) -> bool {
    row["state"] == UNSEEN || row["state"] == "new" && row["seen"] == false
}

/// Whether a receipt with this after the message in its name is one by which our node has a message of ours.
fn is_taken(rest: &str) -> bool {
    let events = ["-submitted", "-forwarded"];
    events.iter().any(|event| rest.contains(event))
}

/// Whether this member has passed on what had come to it.
pub fn is_forward(direction: &str, row: &Value) -> bool {
    direction == SENT && row["forwards"].is_string()
}

/// What a forward of ours passes on, by the id under which it came and its author.
fn passes_on(row: &Value) -> Option<(MessageId, &str)> {
    let of = MessageId::from_hex(row["forwards"].as_str()?).ok()?;
    Some((of, row["author"].as_str()?))
}

fn came(rows: &[Row]) -> BTreeMap<(MessageId, &str), &Value> {
    let came = rows.iter().filter(|(direction, _)| *direction != SENT);
    came.filter_map(|(_, row)| Some(((message_of(row)?, row["author"].as_str()?), row)))
        .collect()
}

/// Where a message that this member said is kept.
#[must_use]
pub fn said_path(home: &MemberHome, sha256: &str) -> PathBuf {
    home.dir().join(CASES_DIR).join(format!("{sha256}.{SAID}"))
}

/// Where what came is kept. By its name: the folder may have moved since.
#[must_use]
pub fn content_path(home: &MemberHome, row: &Value) -> PathBuf {
    let name = row["file"]
        .as_str()
        .and_then(|path| Path::new(path).file_name());
    home.dir().join(INBOX_DIR).join(name.unwrap_or_default())
}

fn message_of(row: &Value) -> Option<MessageId> {
    MessageId::from_hex(row["message"].as_str()?).ok()
}

/// The case of this id, in hex.
#[must_use]
pub fn case_named(id: &str) -> Option<CaseId> {
    Some(CaseId(hex::decode(id).ok()?.try_into().ok()?))
}

/// The case of a message: its conversation, or of a report that has none its own id. Spec: CSE-1.
#[must_use]
pub fn case_of(row: &Value) -> Option<CaseId> {
    if let Some(id) = row["conversation"].as_str() {
        return case_named(id);
    }
    if row["kind"] != "report" {
        return None;
    }
    let original = row["original"]
        .as_str()
        .and_then(|id| MessageId::from_hex(id).ok());
    Some(CaseId(original.or_else(|| message_of(row))?.0))
}

fn kind(word: &str) -> Kind {
    let kinds = [
        Kind::Report,
        Kind::Feedback,
        Kind::Request,
        Kind::Response,
        Kind::Notice,
        Kind::Recall,
    ];
    let named = kinds.into_iter().find(|kind| kind.word() == word);
    named.unwrap_or(Kind::Unspecified)
}

fn lane(word: &str) -> Lane {
    let lanes = [Lane::Urgent, Lane::Normal, Lane::Bulk, Lane::Control];
    let named = lanes
        .into_iter()
        .find(|lane| member::lane_name(*lane) == word);
    named.unwrap_or(Lane::Normal)
}

fn setting(home: &MemberHome, roster: &Roster) -> Result<Setting, Failure> {
    let members = roster.members().map(|member| {
        let party = Party {
            country: member.country.clone(),
            platform: member.role == Role::Platform,
            gone: !member.is_live(),
        };
        (member.id.clone(), party)
    });
    let path = home.dir().join(CASES_DIR).join(HOLIDAYS);
    let holidays = match path.exists() {
        false => Holidays::new(),
        true => {
            let read = holidays(&files::read(&path, HOLIDAYS_BYTES_MAX)?);
            read.ok_or_else(|| {
                let what = format!("{} is no list of days by country", path.display());
                Failure::new(WireCode::BadInput, what)
                    .advise(r#"Write it as {"ES": ["2026-12-25"]}"#)
            })?
        }
    };
    Ok(Setting {
        members: members.collect(),
        holidays,
        own: home.settings().member.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // CSE-26: what never was here begins no case, also while the recall's sender has not been told.
    #[test]
    fn a_recall_of_what_never_came_is_told_apart() {
        for (state, seen, due) in [
            ("new", false, true),
            (UNSEEN, false, true),
            ("new", true, false),
            ("withdrawn", true, false),
        ] {
            let row = serde_json::json!({ "state": state, "seen": seen });
            assert_eq!(is_unseen(&row), due, "{row}");
        }
    }

    // CSE-9: a node states of a forward that it has it under another word than of what is sent.
    #[test]
    fn a_forward_that_the_node_has_was_said() {
        for taken in [
            "node.example-a-submitted",
            "node.example-a-forwarded-ab12cd34",
        ] {
            assert!(is_taken(taken), "{taken}");
        }
        assert!(!is_taken("node.example-a-accepted"));
    }
}
