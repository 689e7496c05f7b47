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
            View, What, name_of, read,
        },
        clock::{Holidays, holidays, instant},
        model,
    },
    environment::Clock,
    keys::MemberHome,
};
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    label,
    log::Leaf,
    roster::Roster,
    v1::{Kind, Lane, Role},
};
use serde_json::Value;

use crate::cli::{
    failure::Failure,
    files,
    member::{self, INBOX_DIR},
    messages::{self, SENT},
    output,
};

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
    /// What reports call themselves here, by case.
    pub names: BTreeMap<CaseId, String>,
    /// The case of each message that came or was sent.
    pub case_of: BTreeMap<MessageId, CaseId>,
    /// The files of reports that this member has sent, where they were then, by case.
    pub files: BTreeMap<CaseId, String>,
}

/// What the folder keeps, while it is read.
struct Shelf<'a> {
    home: &'a MemberHome,
    roster: &'a Roster,
    own: &'a str,
    /// Nodes that state of a message of ours that they have it, with the leaf that dates it.
    accepted: BTreeMap<MessageId, Vec<(String, PathBuf)>>,
    /// Messages of ours that the home node has taken.
    submitted: BTreeSet<MessageId>,
    /// The case of each message.
    case_of: BTreeMap<MessageId, CaseId>,
    /// Of what was passed on and has been taken back by its author: its own message, and who that is.
    back: BTreeMap<MessageId, (MessageId, String)>,
}

/// Reads everything.
///
/// # Errors
/// The folder cannot be read.
pub fn open(home: &MemberHome) -> Result<Desk, Failure> {
    of(home, member::roster(home)?, &messages::all(home)?)
}

/// The cases of what the folder keeps, as it was read.
///
/// # Errors
/// The folder cannot be read.
pub fn of(
    home: &MemberHome,
    roster: Roster,
    rows: &[(&'static str, Value)],
) -> Result<Desk, Failure> {
    let own = home.settings().member.clone();
    let mut shelf = Shelf {
        home,
        roster: &roster,
        own: &own,
        accepted: BTreeMap::new(),
        submitted: BTreeSet::new(),
        case_of: BTreeMap::new(),
        back: taken_back(rows),
    };
    shelf.list_receipts()?;
    for (_, row) in rows {
        if let (Some(message), Some(case)) = (message_of(row), case_of(row)) {
            shelf.case_of.insert(message, case);
        }
    }
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
    let (names, files) = (shelf.names(rows), files_of(rows));
    let case_of = shelf.case_of;
    Ok(Desk {
        names,
        files,
        case_of,
        setting: setting(home, &roster)?,
        now_ms: Clock::System.now_ms(),
        cases,
        own,
        roster,
    })
}

impl Desk {
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

    /// What a case is called: by its report, and by those who write in it.
    pub fn names_of<'a>(&'a self, view: &'a View) -> impl Iterator<Item = &'a String> {
        self.names.get(&view.id).into_iter().chain(&view.references)
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
            } else if rest.contains("-submitted") {
                self.submitted.insert(message);
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
        if is_sent && !self.submitted.contains(&message) {
            return Ok(None);
        }
        if row["recalls"].is_string() || row["kind"] == "recall" {
            return Ok(self.recall(direction, row, message));
        }
        if is_sent && row["forwards"].is_string() {
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

    /// What reports call themselves; where none has a name, what it is of which nothing more is known here.
    fn names(&self, rows: &[(&'static str, Value)]) -> BTreeMap<CaseId, String> {
        let mut names = BTreeMap::new();
        for (direction, row) in rows {
            if let (Some(case), Some(name)) = (case_of(row), self.name(direction, row)) {
                names.entry(case).or_insert(name);
            }
        }
        for (_, row) in rows.iter().filter(|(_, row)| row["kind"] == "report") {
            let content_type = row["content_type"].as_str().unwrap_or_default();
            if let Some(case) = case_of(row).filter(|_| !REPORT_TYPES.contains(&content_type)) {
                names.entry(case).or_insert(format!("({content_type})"));
            }
        }
        names
    }

    /// What a report calls itself, where it is kept. Of ours that is known from when it was sent; of older
    /// ones, as long as their file is what was sent.
    fn name(&self, direction: &str, row: &Value) -> Option<String> {
        if !REPORT_TYPES.contains(&row["content_type"].as_str()?) {
            return None;
        }
        let known = row["name"].as_str().or(row["reference"].as_str());
        if let Some(name) = known.filter(|_| direction == SENT) {
            return Some(name.to_owned());
        }
        let (content_type, bytes) = report(self.home, direction, row)?;
        name_of(&content_type, &bytes)
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

    /// A forward of ours: who has it now has the report.
    fn passed_on(
        &self,
        row: &Value,
        message: MessageId,
    ) -> Result<Option<(CaseId, Said)>, Failure> {
        let of = row["forwards"]
            .as_str()
            .and_then(|id| MessageId::from_hex(id).ok());
        let Some((of, case)) = of.and_then(|of| Some((of, *self.case_of.get(&of)?))) else {
            return Ok(None);
        };
        let author = row["author"].as_str().unwrap_or_default();
        let mut said = self.message(SENT, row, message, What::Report)?;
        said.to.insert(self.own.to_owned());
        said.to.remove(author);
        said.key = Key {
            from: author.to_owned(),
            message: of,
        };
        Ok(Some((case, said)))
    }

    /// A recall that came, or was sent.
    fn recall(&self, direction: &str, row: &Value, message: MessageId) -> Option<(CaseId, Said)> {
        let of = MessageId::from_hex(row["recalls"].as_str()?).ok()?;
        // A report that is erased has left no other trace: its id is the case's.
        let case = self.case_of.get(&of).copied().unwrap_or(CaseId(of.0));
        // Who had passed it on passes on its author's word too.
        let back = self.back.get(&of);
        let of = back.map_or(of, |(original, _)| *original);
        let what = What::Recall {
            message: of,
            reason: row["reason"].as_str()?.to_owned(),
        };
        let mut said = self.message(direction, row, message, what).ok()?;
        if let Some((_, author)) = back {
            said.key.from.clone_from(author);
        }
        Some((case, said))
    }
}

/// Forwards of reports that their author has taken back, by what the inbox has noted of that.
fn taken_back(rows: &[(&'static str, Value)]) -> BTreeMap<MessageId, (MessageId, String)> {
    let by_author = |row: &Value| row["recalled"]["by_author"] == true;
    let noted = rows.iter().filter(|(_, row)| by_author(row));
    let noted: BTreeSet<&str> = noted
        .filter_map(|(_, row)| row["message"].as_str())
        .collect();
    let found = rows.iter().filter_map(|(direction, row)| {
        let original = match *direction == SENT {
            true => row["forwards"].as_str().filter(|of| noted.contains(of))?,
            false => row["original"].as_str().filter(|_| by_author(row))?,
        };
        let original = MessageId::from_hex(original).ok()?;
        Some((
            message_of(row)?,
            (original, row["author"].as_str()?.to_owned()),
        ))
    });
    found.collect()
}

/// A report as it was sealed, with its type, where it can be read: what came, or what was sent as long as its file
/// is what was sent.
#[must_use]
pub fn report(home: &MemberHome, direction: &str, row: &Value) -> Option<(String, Vec<u8>)> {
    let content_type = row["content_type"].as_str()?;
    if !REPORT_TYPES.contains(&content_type) {
        return None;
    }
    let named = |bytes: Vec<u8>| (content_type.to_owned(), bytes);
    if direction != SENT {
        let bytes = files::read(&content_path(home, row), model::REPORT_BYTES_MAX);
        return bytes.ok().map(named);
    }
    let path = Path::new(row["file"].as_str()?);
    let bytes = files::read(path, model::JSON_BYTES_MAX).ok()?;
    let bytes = match content_type == model::CONTENT_TYPE {
        true => model::as_sent(bytes),
        false => bytes,
    };
    let is_same = hex::encode(label::sha256(&[&bytes])) == row["sha256"].as_str()?;
    Some(bytes).filter(|_| is_same).map(named)
}

fn files_of(rows: &[(&'static str, Value)]) -> BTreeMap<CaseId, String> {
    let sent = rows.iter().filter(|(direction, row)| {
        *direction == SENT && row["kind"] == "report" && !row["forwards"].is_string()
    });
    let files = sent.filter_map(|(_, row)| Some((case_of(row)?, row["file"].as_str()?.to_owned())));
    files.collect()
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

/// The case of a message: its conversation, or of a report that has none its own id. Spec: CSE-1.
#[must_use]
pub fn case_of(row: &Value) -> Option<CaseId> {
    if let Some(id) = row["conversation"].as_str() {
        return Some(CaseId(hex::decode(id).ok()?.try_into().ok()?));
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
    })
}
