//! Saying something in a case: it is kept here, sealed to whom it concerns, and goes as `frex send` goes.
//! Spec: CSE-8, CSE-9.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use frex_client::{
    casework::{
        case::{CONTENT_TYPE, Case, CaseId, Key, Said, Unfit, What, kind_of},
        v1::{CaseMessage, case_message::What as Content},
    },
    keys::MemberHome,
};
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    label,
    roster::Member,
    v1::{Kind, Lane},
};
use prost::Message;

use super::{
    SayArgs,
    desk::{self, CASES_DIR, Desk, Row},
    option,
};
use crate::cli::{
    KindArg, LaneArg, SendArgs, erased,
    failure::{Done, Failure},
    files, member, messages, output,
    route::How,
    send,
    time::Moment,
};

/// The desk and the folder that it is of, with what is known there of each message.
pub struct Room {
    pub home: MemberHome,
    pub desk: Desk,
    pub rows: Vec<Row>,
}

/// What is said, and where it belongs.
pub struct Word<'a> {
    pub case: CaseId,
    pub what: Content,
    /// What it is about.
    pub about: Option<EnvelopeId>,
    /// Whom it concerns, unless the caller names others.
    pub to: Vec<String>,
    pub reply_by: Option<Moment>,
    /// As which lane it goes, unless the caller names another.
    pub lane: Lane,
    pub say: &'a SayArgs,
}

impl Room {
    /// Opens the folder of a command.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let home = member::open(dir)?;
        let (desk, rows) = desk::open(&home)?;
        Ok(Self { home, desk, rows })
    }

    /// The case that is meant by its id, or by that of a message or envelope of it, or the beginning of one.
    pub fn case(&self, id: &str) -> Result<&Case, Failure> {
        let wanted = messages::beginning(id)?;
        let mut found = self.desk.cases.values().filter(|case| {
            let is_it = case.id.to_string().starts_with(&wanted);
            is_it || case.said().any(|said| is_named(said, &wanted))
        });
        match (found.next(), found.count()) {
            (Some(case), 0) => Ok(case),
            (None, _) => Err(self.nothing(&wanted)),
            (Some(_), others) => {
                let what = format!("{wanted} fits {} cases: give more letters", others + 1);
                Err(Failure::new(WireCode::BadInput, what))
            }
        }
    }

    /// The folder that `frex init` made, as commands take it.
    pub fn dir(&self) -> &Path {
        member::folder(&self.home)
    }

    /// Nothing is kept under this: it may not have been read yet, or was erased.
    fn nothing(&self, wanted: &str) -> Failure {
        let dir = self.dir().display();
        // Without a word of the node, what was sealed may have left or not: it has no case yet.
        if let Some(sealed) = self.sealed(wanted) {
            let what = format!("{sealed} was sealed here, and is in no case yet");
            return Failure::new(WireCode::NotFound, what)
                .cause("it is not known here whether the node has it")
                .advise(format!(
                    "frex receipt fetch {sealed} {dir}; if the node does not know it, the command that sent it, with  --message {sealed}  where it had no --once"
                ));
        }
        erased::failure(&self.home, wanted).unwrap_or_else(|| {
            let what = format!("no case is kept under {wanted}");
            Failure::new(WireCode::NotFound, what)
                .cause("what has come is in a case once it was read here")
                .advise(format!("frex inbox {dir}, then  frex case ls {dir}"))
        })
    }

    /// The report that is meant by the beginning of an id and was sealed here, if it is in none of the cases.
    fn sealed(&self, wanted: &str) -> Option<MessageId> {
        let mut rows = self.rows.iter();
        let found = rows.find(|(direction, row)| {
            let begins = |field: &str| row[field].as_str().is_some_and(|id| id.starts_with(wanted));
            *direction == messages::SENT
                && row["kind"] == "report"
                && !desk::is_forward(direction, row)
                && (begins("message") || begins("envelope"))
        });
        MessageId::from_hex(found?.1["message"].as_str()?).ok()
    }

    /// The message of a case that is meant by its id or that of an envelope.
    pub fn message(&self, id: &str) -> Result<(&Case, &Said), Failure> {
        let case = self.case(id)?;
        let wanted = messages::beginning(id)?;
        match case.said().find(|said| is_named(said, &wanted)) {
            Some(said) => Ok((case, said)),
            None => {
                let what = "that is the case; name the request in it";
                Err(Failure::new(WireCode::BadInput, what)
                    .advise(format!("frex case show {id} {}", self.dir().display())))
            }
        }
    }

    /// The reports of a case that concern this member, with who is told of what becomes of them: who wrote
    /// and who passed on what came here, and who got what was sent from here.
    pub fn reporters(&self, case: &Case) -> (Option<EnvelopeId>, Vec<String>, Lane) {
        let own = self.desk.own.as_str();
        let reports: Vec<&Said> = case
            .said()
            .filter(|said| said.what == What::Report)
            .collect();
        let mut to = Vec::new();
        for report in &reports {
            if report.key.from == own {
                to.extend(report.to.iter().cloned());
            } else {
                to.push(report.key.from.clone());
            }
        }
        to.sort();
        to.dedup();
        to.retain(|member| member != own);
        let first = reports.iter().min_by_key(|report| report.created_ms);
        let about = first.and_then(|report| report.envelopes.first().copied());
        (about, to, first.map_or(Lane::Normal, |report| report.lane))
    }

    /// Says it.
    pub fn say(&self, word: Word<'_>, json: bool) -> Done {
        let say = word.say;
        let message = CaseMessage {
            reference: say.reference.clone().unwrap_or_default(),
            at: say.at.clone().unwrap_or_default(),
            note: say.note.clone().unwrap_or_default(),
            external_ids: Vec::new(),
            what: Some(word.what),
        };
        let kind = message.what.as_ref().map_or(Kind::Feedback, kind_of);
        let to = self.recipients(&word.to, &say.to)?;
        self.fits(
            (word.case, word.about, word.reply_by),
            (kind, &message),
            &to,
        )?;
        let data = message.encode_to_vec();
        let file = desk::said_path(&self.home, &hex::encode(label::sha256(&[&data])));
        files::ensure_folder(&self.home.dir().join(CASES_DIR))?;
        let is_new = !file.exists();
        files::replace(&file, &data)?;
        let own = |said: &&Said| said.key.from == self.desk.own;
        let said = self.desk.cases.get(&word.case);
        let place = said.map_or(0, |case| case.said().filter(own).count());
        let sent = send::send(
            &SendArgs {
                file: file.clone(),
                to,
                from: say.from.clone(),
                kind: match kind {
                    Kind::Request => KindArg::Request,
                    Kind::Response => KindArg::Response,
                    _ => KindArg::Feedback,
                },
                lane: say.lane.unwrap_or(match word.lane {
                    Lane::Urgent => LaneArg::Urgent,
                    _ => LaneArg::Normal,
                }),
                content_type: Some(CONTENT_TYPE.to_owned()),
                expires: None,
                reply_by: word.reply_by,
                in_reply_to: word.about.map(|id| id.to_string()),
                attach: Vec::new(),
                message: None,
                once: None,
                wait: say.wait,
                case: Some(word.case.to_string()),
                place: place as u64 + 1,
                how: How::default(),
            },
            json,
        );
        // What never left was never said.
        if sent.is_err() && is_new && !self.is_remembered(&data)? {
            let _ = fs::remove_file(&file);
        }
        if !json && sent.is_ok() {
            output::message(format_args!(
                "case {}; see it with:  frex case show {} {}",
                word.case,
                &word.case.to_string()[..8],
                self.dir().display()
            ));
        }
        sent
    }

    /// What would not count is not sealed. Spec: CSE-31.
    fn fits(
        &self,
        (case, about, reply_by): (CaseId, Option<EnvelopeId>, Option<Moment>),
        (kind, message): (Kind, &CaseMessage),
        to: &[String],
    ) -> Result<(), Failure> {
        let desk = &self.desk;
        let (Some(case), Some(what)) = (desk.cases.get(&case), &message.what) else {
            return Ok(());
        };
        let said = Said {
            key: Key {
                from: desk.own.clone(),
                message: MessageId([0; 16]),
            },
            envelopes: BTreeSet::new(),
            to: to.iter().cloned().collect(),
            kind,
            lane: Lane::Normal,
            in_reply_to: about,
            created_ms: desk.now_ms,
            reply_by_ms: reply_by.map(|moment| moment.after(desk.now_ms)),
            received: BTreeMap::new(),
            what: What::Case(Box::new(message.clone())),
            otherwise: false,
        };
        let dir = self.dir().display();
        case.fits(&said, &desk.setting).map_err(|unfit| {
            let id = &case.id.to_string()[..8];
            let next = match &unfit {
                Unfit::Refused(_) => {
                    format!("Take it over first:  frex act route {id} accepted --from {dir}")
                }
                _ => format!("frex case show {id} {dir}"),
            };
            option::refusal(&unfit, what, next, &format!("frex roster show {dir}"))
        })
    }

    fn is_remembered(&self, data: &[u8]) -> Result<bool, Failure> {
        let hash = hex::encode(label::sha256(&[data]));
        let rows = messages::all(&self.home)?;
        Ok(rows.iter().any(|(_, row)| row["sha256"] == hash.as_str()))
    }

    /// Whom to tell: those who are named, or else those whom it concerns and who are live members.
    fn recipients(&self, concerned: &[String], named: &[String]) -> Result<Vec<String>, Failure> {
        if !named.is_empty() {
            return Ok(named.to_vec());
        }
        let roster = &self.desk.roster;
        let live = |member: &&String| roster.member(member).is_some_and(Member::is_live);
        let (to, gone): (Vec<_>, Vec<_>) = concerned.iter().partition(live);
        for member in gone {
            output::message(format_args!(
                "note: {} is no live member and is not told",
                output::clean(member)
            ));
        }
        if to.is_empty() {
            let what = "nobody is known here whom this concerns";
            return Err(
                Failure::new(WireCode::BadInput, what).advise("Name whom to tell:  --to MEMBER")
            );
        }
        Ok(to.into_iter().cloned().collect())
    }
}

/// Whether the id of a message, or of an envelope that carried it, begins so.
fn is_named(said: &Said, wanted: &str) -> bool {
    let mut envelopes = said.envelopes.iter();
    said.key.message.to_string().starts_with(wanted)
        || envelopes.any(|id| id.to_string().starts_with(wanted))
}

/// The envelope by which a message is answered.
pub fn envelope_of(said: &Said) -> Option<EnvelopeId> {
    said.envelopes.first().copied()
}

/// A message under its sender's name, shortened for people.
pub fn short(key: &Key) -> String {
    letters(&key.message)
}

/// The first letters of an id.
pub fn letters(id: &MessageId) -> String {
    id.to_string()[..8].to_owned()
}
