//! What `frex send` is given to say, and to whom.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use frex_client::{
    casework::model::{self, Shape},
    client::DraftBuilder,
    environment::{Clock, Environment},
    keys::{MemberHome, MemberSettings},
    report::{self, Report, ReportErrors},
};
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    limits,
    roster::Roster,
};
use serde_json::Value;

use crate::cli::{
    SendArgs,
    failure::{Failure, OrCode},
    files, messages,
};

/// What is done with a file that somebody has put into a report. Spec: REP-10.
const FILES: &str = "Take it out: a report names files by their hashes and where they are found, and they stay with whoever may hold them";

/// The content and its type.
pub fn content(args: &SendArgs) -> Result<(String, Vec<u8>), Failure> {
    if let Some(part) = &args.how.part {
        return Ok((part.content_type.clone(), part.data.clone()));
    }
    // A report's JSON is larger than what travels of it.
    let most = match args.content_type {
        Some(_) => limits::CONTENT_BYTES_MAX,
        None => model::JSON_BYTES_MAX,
    };
    let data = read(&args.file, most)?;
    match &args.content_type {
        Some(content_type) => Ok((content_type.clone(), data)),
        None => report_of(&args.file, data),
    }
}

/// A report in a file of its own.
pub fn report_at(file: &Path) -> Result<(String, Vec<u8>), Failure> {
    report_of(file, read(file, model::JSON_BYTES_MAX)?)
}

fn read(file: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    if file == Path::new("-") {
        let mut data = Vec::new();
        let mut input = io::stdin().lock().take(most as u64 + 1);
        input
            .read_to_end(&mut data)
            .or_code(WireCode::Files, "cannot read standard input")?;
        if data.len() > most {
            return Err(Failure::new(
                WireCode::TooLarge,
                "the report on standard input is too large",
            ));
        }
        return Ok(data);
    }
    files::read(file, most)
}

/// A report of either version, by what the file holds. Spec: MOD-2.
fn report_of(file: &Path, data: Vec<u8>) -> Result<(String, Vec<u8>), Failure> {
    let file = file.display();
    let failure = || Failure::new(WireCode::BadInput, format!("{file} is no report"));
    let mend = |error: &ReportErrors| {
        let advice = match error.is_about_files() {
            true => FILES.to_owned(),
            false => format!(
                "Mend the field named above; all that is wrong is listed by: frex report check {file}"
            ),
        };
        failure().because(error).advise(advice)
    };
    let second = model::CONTENT_TYPE.to_owned();
    match model::detect(&data) {
        Shape::First => {
            let report = Report::parse(&data).and_then(|report| report.misspelt());
            report.map_err(|error| mend(&error))?;
            Ok((report::CONTENT_TYPE.to_owned(), data))
        }
        Shape::View => {
            let report = model::Report::from_json(&data);
            let report = report.map_err(|error| mend(&error))?;
            Ok((second, report.encode()))
        }
        Shape::Encoded => {
            model::Report::decode(&data).map_err(|error| mend(&error))?;
            Ok((second, data))
        }
        Shape::Mixed(first) => Err(mend(&model::mixed(first))),
        Shape::Document => Err(failure()
            .cause("it is XML, which is imported first")
            .advise(format!("frex report import {file} --out REPORT.frexreport"))),
    }
}

/// A case, and the place in it.
pub(super) type Place = ([u8; 16], u64);

/// A draft of it, to be ended by a roster.
pub(super) fn words(
    roster: &Roster,
    sender: &MemberSettings,
    args: &SendArgs,
    (message, in_reply_to, case): (Option<MessageId>, Option<EnvelopeId>, Option<Place>),
    (content_type, data): (&str, Vec<u8>),
) -> DraftBuilder {
    let now_ms = Clock::System.now_ms();
    let until = |ms: u64| Duration::from_millis(ms.saturating_sub(now_ms));
    let to: Vec<&str> = args.to.iter().map(String::as_str).collect();
    let mut draft = DraftBuilder::new(roster, &sender.member, &to, &Environment::default())
        .kind(args.kind.into())
        .lane(args.lane.into())
        .content(content_type, data)
        // What is missing was said before, or is left out by a plan.
        .anyway(args.how.anyway || args.how.part.is_some());
    if let Some(message) = message {
        draft = draft.message_id(message);
    }
    if let Some(envelope) = in_reply_to {
        draft = draft.in_reply_to(envelope);
    }
    if let Some((case, place)) = case {
        draft = draft.conversation(case, place.max(1));
    }
    if let Some(expires) = args.expires {
        draft = draft.life(until(expires.after(now_ms)));
    }
    if let Some(reply_by) = args.reply_by {
        draft = draft.reply_within(until(reply_by.after(now_ms)));
    }
    draft
}

/// The case that it belongs to, and its place in it.
pub(super) fn case(home: &MemberHome, args: &SendArgs) -> Result<Option<Place>, Failure> {
    if let Some(id) = &args.how.duplicate_of {
        return of_duplicate(home, id).map(Some);
    }
    let Some(id) = &args.case else {
        return Ok(None);
    };
    let wanted = messages::beginning(id)?;
    let whole = hex::decode(&wanted).ok();
    let whole: Option<[u8; 16]> = whole.and_then(|bytes| bytes.try_into().ok());
    // A part of a route may be the first of its case.
    if let (Some(case), true) = (whole, args.how.part.is_some()) {
        return Ok(Some((case, args.place)));
    }
    let rows = messages::all(home)?;
    let cases = fitting(&rows, &wanted);
    let case = match (cases.first(), cases.len()) {
        (Some(case), 1) => hex::decode(case).ok(),
        (None, _) => return Err(no_case(args, id)),
        (Some(_), count) => {
            let what = format!("{id} fits {count} cases: give more letters");
            let named: Vec<&str> = cases.iter().copied().collect();
            return Err(Failure::new(WireCode::BadInput, what).cause(named.join(", ")));
        }
    };
    let case: Option<[u8; 16]> = case.and_then(|bytes| bytes.try_into().ok());
    let damaged = || Failure::new(WireCode::Files, "what is kept of that case is damaged");
    Ok(Some((case.ok_or_else(damaged)?, args.place)))
}

/// The cases that are meant: by their own id, or by that of a message in them, as  frex case show  takes it.
fn fitting<'a>(rows: &'a [(&'static str, Value)], wanted: &str) -> BTreeSet<&'a str> {
    let case_of = |row: &'a Value| row["conversation"].as_str();
    let is_case = rows.iter().any(|(_, row)| case_of(row) == Some(wanted));
    let mut cases = BTreeSet::new();
    for (_, row) in rows {
        let named = ["conversation", "message", "original", "recalls"].iter();
        let found = named.filter_map(|field| row[*field].as_str());
        cases.extend(found.filter(|id| id.starts_with(wanted)).map(|id| {
            // What recalls a message, or passes it on, need not say in which case that is.
            let own = |other: &'a Value| case_of(other).filter(|_| other["message"] == id);
            let of = match row["message"] == id {
                true => case_of(row),
                false => rows
                    .iter()
                    .find_map(|(_, other)| own(other))
                    .or(case_of(row)),
            };
            of.filter(|_| !is_case).unwrap_or(id)
        }));
    }
    cases
}

fn no_case(args: &SendArgs, id: &str) -> Failure {
    let dir = args.from.display();
    let what = format!("no case {id} is kept here: what belongs to it would belong to nothing");
    Failure::new(WireCode::NotFound, what).advise(format!(
        "frex inbox {dir}, then  frex case ls {dir} --json; without --case a report begins one"
    ))
}

/// The case of a message that says the same, and the next place of this member in it. Spec: RTE-9.
fn of_duplicate(home: &MemberHome, id: &str) -> Result<Place, Failure> {
    let (_, about) = messages::find_one(home, id)?;
    let of = |about: &Value| {
        let case = about["conversation"].as_str().or(about["message"].as_str());
        case.map(str::to_owned)
    };
    let case = of(&about).unwrap_or_default();
    let bytes = hex::decode(&case)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes
        .ok_or_else(|| Failure::new(WireCode::Files, "what is kept of that message is damaged"))?;
    let rows = messages::all(home)?;
    let own = rows.iter().filter(|(direction, row)| {
        *direction == messages::SENT && of(row).as_deref() == Some(case.as_str())
    });
    Ok((bytes, own.count() as u64))
}

/// The envelope that is answered: of what was sent or received here, or any by its whole id.
pub(super) fn in_reply_to(
    home: &MemberHome,
    args: &SendArgs,
) -> Result<Option<EnvelopeId>, Failure> {
    let Some(id) = &args.in_reply_to else {
        return Ok(None);
    };
    if let Ok(whole) = EnvelopeId::from_hex(id) {
        return Ok(Some(whole));
    }
    let (_, about) = messages::find_one(home, id)?;
    let envelope = EnvelopeId::from_hex(about["envelope"].as_str().unwrap_or_default());
    envelope
        .map(Some)
        .or_code(WireCode::Files, "what is kept of that message is damaged")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // CSE-1: the id of a message, whole or not, means the case that it is in.
    #[test]
    fn what_is_named_by_one_of_its_messages_is_its_case() {
        let rows = [
            (
                messages::SENT,
                json!({ "message": "c100", "conversation": "c100" }),
            ),
            (
                messages::SENT,
                json!({ "message": "d200", "conversation": "c100" }),
            ),
            (
                messages::RECEIVED,
                json!({ "message": "e300", "recalls": "d200" }),
            ),
            (messages::RECEIVED, json!({ "message": "f400" })),
        ];
        let of = |wanted| Vec::from_iter(fitting(&rows, wanted));
        for wanted in ["c1", "c100", "d2", "d200"] {
            assert_eq!(of(wanted), ["c100"], "{wanted}");
        }
        assert_eq!(of("f400"), ["f400"]);
        assert_eq!(of("a500"), [""; 0]);
    }
}
