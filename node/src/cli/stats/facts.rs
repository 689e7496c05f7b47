//! From a member's folder to facts. Spec: STA-4, STA-7.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use bytes::Bytes;
use frex_client::{
    casework::{
        case::{Case, CaseId, View},
        clock::instant,
        model,
        statistics::{CaseState, Code, Definition, Fact, Period, Times, month_of, wire::LogRange},
        v1,
    },
    keys::MemberHome,
    report::Report,
};
use frex_proto::{
    error::WireCode,
    id::MessageId,
    log::Origin,
    roster::Roster,
    v1::{Event, Stage},
};
use serde_json::Value;

use super::gather::{self, BySeen, Seen};
use crate::cli::{
    casework::{
        desk::{self, Desk},
        reports,
    },
    failure::Failure,
    inbox::RECALLED,
    member,
    messages::{self, RECALLS, RECEIVED, SENT},
    roster::words::role_name,
    route,
};

/// What is counted, and on what it rests.
pub(super) struct Counted {
    pub(super) facts: Vec<Fact>,
    /// The newest head of the log of the member's node that the receipts show, of each log it had.
    heads: Vec<(String, u64, Bytes)>,
    /// The log of each fact.
    origins: Vec<String>,
    /// The folder that was counted, as people name it.
    folder: PathBuf,
}

/// A report that is counted.
struct Told {
    fact: Fact,
    /// The log that its entry is of.
    origin: String,
    /// Who wrote it, and its case.
    case: Option<(String, CaseId)>,
}

impl Told {
    /// Which of two came first.
    fn place(&self) -> (u64, u64, [u8; 16]) {
        (self.fact.logged_ms, self.fact.entry, self.fact.record)
    }
}

/// Everything in a folder that a definition may count, as it was known by `as_of_ms`.
pub(super) fn of(
    home: &MemberHome,
    roster: &Roster,
    definition: &Definition,
    as_of_ms: u64,
) -> Result<Counted, Failure> {
    let seen = gather::receipts(home, roster)?;
    let all = messages::all(home)?;
    let desk = desk::of(home, roster.clone(), &all)?;
    let settings = home.settings();
    let place = Place {
        home,
        roster,
        member: &settings.member,
        node: &settings.home_node,
        seen: &seen,
        as_of_ms,
        answers: answers(&all),
        cases: cases(&desk, as_of_ms),
        desk: &desk,
    };
    let direction = if definition.received { RECEIVED } else { SENT };
    let mut counted = Counted {
        facts: Vec::new(),
        heads: heads(&seen, &settings.home_node),
        origins: Vec::new(),
        folder: member::folder(home).to_owned(),
    };
    let rows = all.iter().filter(|(of, _)| *of == direction);
    let rows: Vec<&Value> = rows.map(|(_, about)| about).collect();
    let mut facts: Vec<Told> = match definition.received {
        true => rows
            .iter()
            .filter_map(|about| place.received(about))
            .collect(),
        false => {
            let filings = filings(home, &rows)?;
            filings.iter().filter_map(|one| place.sent(one)).collect()
        }
    };
    repeats(&mut facts);
    let facts = facts.into_iter().map(|one| (one.fact, one.origin));
    (counted.facts, counted.origins) = facts.unzip();
    Ok(counted)
}

impl Counted {
    /// The range of the log on which the facts of a period rest, under the newest head.
    pub(super) fn range(&self, period: &Period, zone: &str) -> Result<LogRange, Failure> {
        let within = |fact: &Fact| {
            let month = month_of(fact.logged_ms, zone);
            month.is_ok_and(|month| period.contains(month))
        };
        let facts = self.facts.iter().zip(&self.origins);
        let facts: Vec<(&Fact, &String)> = facts.filter(|(fact, _)| within(fact)).collect();
        let origins: BTreeSet<&String> = facts.iter().map(|(_, origin)| *origin).collect();
        if origins.len() > 1 {
            let what = "the log of the node began anew within these months";
            return Err(Failure::new(WireCode::BadInput, what).advise(
                "Count the months before and after apart, so that each table rests on one log",
            ));
        }
        let newest = self.heads.last().map(|(origin, _, _)| origin);
        let origin = origins
            .first()
            .copied()
            .or(newest)
            .cloned()
            .unwrap_or_default();
        let mut heads = self.heads.iter().filter(|(of, _, _)| *of == origin);
        let Some((_, _, checkpoint)) = heads.next_back() else {
            let what = "there is no receipt of this member's node, on which figures could rest";
            return Err(Failure::new(WireCode::NotHeld, what).advise(format!(
                "Fetch what has come first: frex inbox {0}; or the receipts of what was sent: frex receipt fetch ID {0}",
                self.folder.display()
            )));
        };
        let entries = facts.iter().map(|(fact, _)| fact.entry);
        Ok(LogRange {
            first: entries.clone().min().unwrap_or_default(),
            end: entries.max().map_or(0, |last| last + 1),
            checkpoint: checkpoint.clone(),
            origin,
        })
    }
}

/// Marks what repeats another report: one that its author has sent into the case of an earlier one of its own,
/// where that is counted. Spec: STA-42.
fn repeats(told: &mut [Told]) {
    let mut firsts = BTreeMap::new();
    for one in &*told {
        if let Some(case) = &one.case {
            let first = firsts.entry(case.clone()).or_insert_with(|| one.place());
            *first = one.place().min(*first);
        }
    }
    for one in told {
        let first = one.case.as_ref().and_then(|case| firsts.get(case));
        let is_later = first.is_some_and(|first| *first != one.place());
        one.fact.duplicate |= is_later;
    }
}

/// What was sent, together what is one report: the messages that carry out one decision, in their order.
fn filings<'a>(home: &MemberHome, rows: &[&'a Value]) -> Result<Vec<Vec<&'a Value>>, Failure> {
    let mut filings: BTreeMap<String, BTreeMap<usize, &'a Value>> = BTreeMap::new();
    for about in rows {
        let (first, place) = match route::decision_of(home, about)? {
            Some((record, place)) => (record.message_id(0).to_string(), place),
            None => {
                let message = about["message"].as_str().unwrap_or_default();
                (message.to_owned(), 0)
            }
        };
        filings.entry(first).or_default().insert(place, about);
    }
    let filings = filings.into_values();
    Ok(filings.map(|parts| parts.into_values().collect()).collect())
}

/// The newest head of each log of a node, oldest log first.
fn heads(seen: &BySeen, node: &str) -> Vec<(String, u64, Bytes)> {
    let mut heads: Vec<(String, u64, Bytes)> = Vec::new();
    for one in seen.values().flatten().filter(|one| one.node == node) {
        match heads
            .iter_mut()
            .find(|(origin, _, _)| *origin == one.origin)
        {
            None => heads.push((one.origin.clone(), one.size, one.checkpoint.clone())),
            Some(head) if head.1 < one.size => {
                (head.1, head.2) = (one.size, one.checkpoint.clone());
            }
            Some(_) => {}
        }
    }
    heads.sort_by_key(|(origin, _, _)| Origin::parse(origin).map_or(0, |origin| origin.epoch));
    heads
}

/// Every case as it was known at that instant.
fn cases(desk: &Desk, as_of_ms: u64) -> BTreeMap<CaseId, (Case, View)> {
    let cases = desk.cases.iter().map(|(id, case)| {
        let case = case.as_of(as_of_ms);
        let view = case.view(as_of_ms, &desk.setting);
        (*id, (case, view))
    });
    cases.collect()
}

/// Envelopes that were answered, each with the time of the first answer.
fn answers<'a>(all: &'a [(&'static str, Value)]) -> BTreeMap<&'a str, u64> {
    let mut answers = BTreeMap::new();
    for (direction, about) in all {
        let time = match *direction {
            SENT => about["created_ms"].as_u64(),
            _ => time_of(&about["created"]),
        };
        if let (Some(to), Some(at_ms)) = (about["in_reply_to"].as_str(), time) {
            let first = answers.entry(to).or_insert(at_ms);
            *first = at_ms.min(*first);
        }
    }
    answers
}

/// RFC 3339, as milliseconds.
fn time_of(value: &Value) -> Option<u64> {
    instant(value.as_str()?)
}

struct Place<'a> {
    home: &'a MemberHome,
    roster: &'a Roster,
    member: &'a str,
    node: &'a str,
    seen: &'a BySeen,
    as_of_ms: u64,
    answers: BTreeMap<&'a str, u64>,
    desk: &'a Desk,
    cases: BTreeMap<CaseId, (Case, View)>,
}

impl Place<'_> {
    /// A report that came: it counts by the ACCEPTED entry of the member's own node.
    fn received(&self, about: &Value) -> Option<Told> {
        if about["kind"] != "report" || about["state"] == RECALLED {
            return None;
        }
        let (record, seen) = self.seen_of(about)?;
        let own = |one: &&Seen| {
            let ours = one.recipients.iter().any(|member| member == self.member);
            one.event == Event::Accepted && one.node == self.node && ours
        };
        let entry = seen.iter().find(own)?;
        let filed_ms = time_of(&about["created"]).unwrap_or(entry.at_ms);
        let due_ms = time_of(&about["reply_by"]);
        let fact = Fact {
            roles: self.roles([about["from"].as_str().unwrap_or_default()]),
            times: self.times(seen, Some(self.member), (filed_ms, Some(entry.at_ms))),
            outcome: self.outcome(seen, Some(self.member)),
            overdue: self.overdue(about, due_ms, seen, Some(self.member)),
            ..self.fact(record, entry, about)
        };
        let fact = self.said(fact, about, about["from"].as_str().unwrap_or_default());
        let fact = fact.with(&self.case(record, &[self.member]));
        // Of what was passed on, who wrote it and not who passed it on.
        let author = about["author"].as_str().or(about["from"].as_str());
        Some(self.told(fact, entry, author.unwrap_or_default()))
    }

    /// A report that was sent in these messages: it counts by the SUBMITTED entry of the first of them that
    /// the member's own node has.
    fn sent(&self, parts: &[&Value]) -> Option<Told> {
        let is_recalled = |about: &Value| {
            let recalls = about[RECALLS].as_array();
            recalls.is_some_and(|recalls| !recalls.is_empty())
        };
        let parts = parts
            .iter()
            .filter(|about| about["kind"] == "report" && !is_recalled(about));
        let parts: Vec<&Value> = parts.copied().collect();
        let own = |one: &&Seen| one.event == Event::Submitted && one.node == self.node;
        let (record, entry, about) = parts.iter().find_map(|about| {
            let (record, seen) = self.seen_of(about)?;
            Some((record, seen.iter().find(own)?, *about))
        })?;
        let seen = parts.iter().filter_map(|about| self.seen_of(about));
        let mut seen: Vec<Seen> = seen.flat_map(|(_, seen)| seen).cloned().collect();
        seen.sort_by_key(|one| (one.at_ms, one.index));
        let filed_ms = about["created_ms"].as_u64().unwrap_or(entry.at_ms);
        let accepted = seen.iter().find(|one| one.event == Event::Accepted);
        let recipients = parts
            .iter()
            .flat_map(|about| about["recipients"].as_array().into_iter().flatten());
        let recipients: Vec<&str> = recipients.filter_map(Value::as_str).collect();
        let due_ms = about["reply_by_ms"].as_u64().filter(|ms| *ms > 0);
        let overdue = parts
            .iter()
            .map(|part| self.overdue(part, due_ms, &seen, None));
        let fact = Fact {
            roles: self.roles(recipients.iter().copied()),
            times: self.times(&seen, None, (filed_ms, accepted.map(|one| one.at_ms))),
            outcome: self.outcome(&seen, None),
            overdue: overdue.min().unwrap_or_default(),
            ..self.fact(record, entry, about)
        };
        let fact = self.said(fact, about, self.member);
        let fact = fact.with(&self.case(record, &recipients));
        Some(self.told(fact, entry, self.member))
    }

    fn told(&self, fact: Fact, entry: &Seen, author: &str) -> Told {
        let case = self.desk.case_of.get(&MessageId(fact.record));
        Told {
            origin: entry.origin.clone(),
            case: case.map(|case| (author.to_owned(), *case)),
            fact,
        }
    }

    /// What the case of a report comes to, by what these members have said.
    fn case(&self, record: [u8; 16], by: &[&str]) -> CaseState {
        let id = self.desk.case_of.get(&MessageId(record));
        let found = id.and_then(|id| self.cases.get(id));
        found.map_or_else(CaseState::default, |(case, view)| {
            CaseState::of(case, view, by)
        })
    }

    fn seen_of(&self, about: &Value) -> Option<([u8; 16], &[Seen])> {
        let message = about["message"].as_str()?;
        let record = MessageId::from_hex(message).ok()?;
        Some((record.0, self.seen.get(message)?))
    }

    fn fact(&self, record: [u8; 16], entry: &Seen, about: &Value) -> Fact {
        Fact {
            record,
            entry: entry.index,
            logged_ms: entry.at_ms,
            lane: about["lane"].as_str().unwrap_or_default().to_owned(),
            ..Fact::default()
        }
    }

    fn roles<'a>(&self, members: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let roles = members
            .into_iter()
            .filter_map(|member| self.roster.member(member));
        roles
            .map(|member| role_name(member.role).to_owned())
            .collect()
    }

    /// When what first happened, by the times that nodes have logged, so far as it was known.
    fn times(
        &self,
        seen: &[Seen],
        by: Option<&str>,
        (filed_ms, accepted_ms): (u64, Option<u64>),
    ) -> Times {
        let first = |stage: Stage| {
            let mut of_stage = seen.iter().filter(|one| one.is_stage(stage, by));
            of_stage
                .next()
                .map(|one| one.at_ms)
                .filter(|ms| *ms <= self.as_of_ms)
        };
        Times {
            filed_ms,
            accepted_ms: accepted_ms.filter(|ms| *ms <= self.as_of_ms),
            opened_ms: first(Stage::Opened),
            acted_ms: first(Stage::Acted),
        }
    }

    fn outcome(&self, seen: &[Seen], by: Option<&str>) -> Option<String> {
        let known = seen.iter().filter(|one| one.at_ms <= self.as_of_ms);
        let mut acted = known.filter(|one| one.is_stage(Stage::Acted, by));
        let last = acted.next_back()?.stage.as_ref()?;
        (!last.outcome.is_empty()).then(|| last.outcome.clone())
    }

    /// Whether nothing had been done about it by the time that its sender named.
    fn overdue(&self, about: &Value, due_ms: Option<u64>, seen: &[Seen], by: Option<&str>) -> u32 {
        let Some(due_ms) = due_ms.filter(|due_ms| *due_ms < self.as_of_ms) else {
            return 0;
        };
        let acted = seen
            .iter()
            .any(|one| one.is_stage(Stage::Acted, by) && one.at_ms <= due_ms);
        let envelope = about["envelope"].as_str().unwrap_or_default();
        let answer = self.answers.get(envelope);
        let answered = answer.is_some_and(|at_ms| *at_ms <= due_ms);
        u32::from(!acted && !answered)
    }

    /// Adds what the report itself says, where the folder still has it.
    fn said(&self, mut fact: Fact, about: &Value, author: &str) -> Fact {
        let Some(report) = self.report(about) else {
            return fact;
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let codes = report.classifications.iter().map(|one| Code {
            scheme: text(&one.scheme),
            version: text(&one.version),
            code: text(&one.code),
        });
        fact.categories = codes.collect();
        fact.countries = countries(&report);
        let named = [
            &report.reported,
            &report.recipients,
            &report.victims,
            &report.witnesses,
        ];
        fact.accounts = named.iter().map(|parties| parties.len() as u64).sum();
        fact.items = (report.hosting.len() + report.items.len()) as u64;
        // A sender gives its cases names of its own: two reports of one name are of one incident, and those
        // of a batch that name one.
        let batch = report.batch.as_ref().map(|batch| text(&batch.incident));
        fact.incident = Some(match batch {
            Some(incident) => format!("{author}/batch/{incident}"),
            None => format!("{author}/report/{}", text(&report.reference)),
        });
        fact
    }

    /// The report in the model, of whichever version, if it is one and is still what was sent.
    fn report(&self, about: &Value) -> Option<v1::Report> {
        let (content_type, bytes) = reports::content(self.home, about)?;
        // What was taken is counted, also if it breaks a rule of this version's.
        let report = match content_type == model::CONTENT_TYPE {
            true => model::Report::decode_unchecked(&bytes).ok()?,
            false => model::from_first(&Report::parse(&bytes).ok()?),
        };
        Some(report.typed())
    }
}

/// The country of origin: the one with the most confidence that is not only where something is hosted.
fn countries(report: &v1::Report) -> Vec<String> {
    let origin = report
        .jurisdictions
        .iter()
        .filter(|one| one.basis() != "hosting");
    let most = origin
        .clone()
        .map(v1::Jurisdiction::confidence)
        .fold(0.0, f64::max);
    let most = origin.filter(|one| one.confidence() >= most);
    most.map(|one| one.country().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(record: u8, logged_ms: u64, author: &str, case: u8) -> Told {
        Told {
            fact: Fact {
                record: [record; 16],
                logged_ms,
                ..Fact::default()
            },
            origin: String::new(),
            case: Some((author.to_owned(), CaseId([case; 16]))),
        }
    }

    // STA-42: what its author says again in a case repeats the first of its reports that is counted, in whatever
    // order they are read; what somebody else reports there does not, nor what is in another case.
    #[test]
    fn what_an_author_reports_again_in_a_case_is_no_incident() {
        let mut all = vec![
            told(2, 20, "hotline", 1),
            told(1, 10, "hotline", 1),
            told(3, 30, "platform", 1),
            told(4, 40, "hotline", 2),
        ];
        all.push(Told {
            case: None,
            ..told(5, 50, "hotline", 1)
        });
        for _ in 0..2 {
            for one in &mut all {
                one.fact.duplicate = false;
            }
            repeats(&mut all);
            let again: Vec<u8> = all
                .iter()
                .filter(|one| one.fact.duplicate)
                .map(|one| one.fact.record[0])
                .collect();
            assert_eq!(again, [2]);
            all.reverse();
        }
        // Where the first is not counted, the next one is the incident.
        let mut rest = vec![told(2, 20, "hotline", 1)];
        repeats(&mut rest);
        assert!(!rest[0].fact.duplicate);
    }
}
