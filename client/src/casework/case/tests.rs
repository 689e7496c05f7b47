//! Cases as they go, told in a few words each; time and members are made up.

use std::collections::{BTreeMap, BTreeSet};

use frex_proto::{
    id::{EnvelopeId, MessageId},
    v1::{Kind, Lane},
};

use super::{
    Case, CaseId, Deadline, Key, Matter, Party, Said, Setting, Standing, Thread, View, What,
    kind_of,
};
use crate::casework::{
    clock::{Duty, instant},
    v1::{
        Assessment, CaseMessage, Extension, Outcome, PreserveAnswer, PreserveRequest,
        ProduceAnswer, ProduceRequest, Reminder, RouteAnswer, TakedownStep, Triage,
        case_message::What as Content,
    },
};

mod counting;
mod ends;
mod fitting;
mod folding;
mod life;
mod reading;
mod roles;

const CASE: CaseId = CaseId([7; 16]);
const PLATFORM: &str = "platform.us";
const HOTLINE: &str = "hotline.fr";
const POLICE: &str = "police.es";
const AUTHORITY: &str = "authority.ie";
const STRANGER: &str = "stranger.de";

fn at(text: &str) -> u64 {
    instant(text).unwrap_or_else(|| panic!("{text} is no time"))
}

fn id(number: u8) -> EnvelopeId {
    EnvelopeId([number; 32])
}

/// A message under a number that is also that of its envelope, received a second after it was sent.
fn said(number: u8, from: &str, to: &[&str], when: &str, about: u8, what: What) -> Said {
    let created_ms = at(when);
    let kind = match &what {
        What::Case(message) => kind_of(message.what.as_ref().unwrap()),
        What::Recall { .. } => Kind::Recall,
        _ => Kind::Report,
    };
    Said {
        key: Key {
            from: from.to_owned(),
            message: MessageId([number; 16]),
        },
        envelopes: BTreeSet::from([id(number)]),
        to: to.iter().map(|one| (*one).to_owned()).collect(),
        kind,
        lane: Lane::Normal,
        in_reply_to: (about != 0).then(|| id(about)),
        created_ms,
        reply_by_ms: None,
        received: to
            .iter()
            .map(|one| ((*one).to_owned(), created_ms + 1000))
            .collect(),
        what,
        otherwise: false,
    }
}

/// What police tell the platform.
fn police(number: u8, when: &str, about: u8, what: What) -> Said {
    said(number, POLICE, &[PLATFORM], when, about, what)
}

/// What the platform tells police.
fn platform(number: u8, when: &str, about: u8, what: What) -> Said {
    said(number, PLATFORM, &[POLICE], when, about, what)
}

fn message(what: Content) -> What {
    What::Case(Box::new(CaseMessage {
        what: Some(what),
        ..CaseMessage::default()
    }))
}

fn report() -> Said {
    said(
        1,
        PLATFORM,
        &[HOTLINE, POLICE],
        "2026-11-02T10:00:00Z",
        0,
        What::Report,
    )
}

fn outcome(state: &str, reason: &str) -> What {
    use super::words::{parse_outcome, parse_shelved};
    message(Content::Outcome(Outcome {
        state: parse_outcome(state).unwrap(),
        reason: parse_shelved(reason).unwrap_or_default(),
        because: i32::from(state == "reopened"),
    }))
}

fn preserve(profile: &str) -> What {
    message(Content::PreserveRequest(PreserveRequest {
        profile: profile.to_owned(),
        addressed_to: vec![PLATFORM.to_owned()],
        ..PreserveRequest::default()
    }))
}

fn kept(state: &str) -> What {
    message(Content::PreserveAnswer(PreserveAnswer {
        state: super::words::parse_preserve(state).unwrap(),
        ..PreserveAnswer::default()
    }))
}

fn produce(profile: &str, authority: &str) -> What {
    message(Content::ProduceRequest(ProduceRequest {
        profile: profile.to_owned(),
        addressed_to: vec![PLATFORM.to_owned()],
        enforcing_authority: authority.to_owned(),
        ..ProduceRequest::default()
    }))
}

fn produced(state: &str) -> What {
    message(Content::ProduceAnswer(ProduceAnswer {
        state: super::words::parse_produce(state).unwrap(),
        reason: 15,
        ..ProduceAnswer::default()
    }))
}

fn assessed(verdict: &str, country: &str) -> What {
    message(Content::Assessment(Assessment {
        item: "item-1".to_owned(),
        verdict: super::words::parse_verdict(verdict).unwrap(),
        jurisdiction: country.to_owned(),
        ..Assessment::default()
    }))
}

fn taken(state: &str) -> What {
    message(Content::Takedown(TakedownStep {
        url: "https://host.example/page".to_owned(),
        state: super::words::parse_takedown(state).unwrap(),
        ..TakedownStep::default()
    }))
}

fn route(decision: &str, to: &str) -> What {
    message(Content::Route(RouteAnswer {
        decision: super::words::parse_decision(decision).unwrap(),
        rerouted_to: to.to_owned(),
        ..RouteAnswer::default()
    }))
}

fn extension() -> What {
    message(Content::Extension(Extension::default()))
}

fn setting() -> Setting {
    let party = |country: &str, platform| Party {
        country: country.to_owned(),
        platform,
        gone: false,
    };
    Setting {
        members: BTreeMap::from([
            (PLATFORM.to_owned(), party("US", true)),
            (HOTLINE.to_owned(), party("FR", false)),
            (POLICE.to_owned(), party("ES", false)),
            (AUTHORITY.to_owned(), party("IE", false)),
            (STRANGER.to_owned(), party("DE", false)),
        ]),
        holidays: BTreeMap::new(),
        own: String::new(),
    }
}

fn view(said: &[Said], now: &str) -> View {
    Case::fold(CASE, said.to_vec()).view(at(now), &setting())
}

fn thread<'a>(view: &'a View, matter: Matter, member: &str) -> &'a Thread {
    let mut threads = view.threads.iter();
    threads
        .find(|one| one.matter == matter && one.member == member)
        .unwrap_or_else(|| panic!("no {matter:?} of {member}: {view:?}"))
}

fn deadline<'a>(view: &'a View, what: Duty, who: &str) -> &'a Deadline {
    let mut deadlines = view.deadlines.iter();
    deadlines
        .find(|one| one.what == what && one.who == who)
        .unwrap_or_else(|| panic!("no {what:?} of {who}: {view:?}"))
}

fn triage() -> What {
    message(Content::Triage(Triage {
        state: 1,
        reason: 0,
    }))
}

fn reminder() -> What {
    message(Content::Reminder(Reminder {
        number: 1,
        deadline: String::new(),
    }))
}

/// In which state it is, and until when something is kept.
fn kept_as(view: &View) -> (String, String) {
    let thread = thread(view, Matter::Preserve, PLATFORM);
    let until = thread.until_ms.map(crate::casework::clock::rfc3339);
    (thread.state.clone(), until.unwrap_or_default())
}

fn stands(view: &View, what: Duty, who: &str) -> Standing {
    deadline(view, what, who).state
}
