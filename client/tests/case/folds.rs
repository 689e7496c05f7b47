//! Cases as they arrive, in several orders with one outcome.

use frex_client::casework::{
    case::words,
    clock::instant,
    v1::{
        Assessment, CaseMessage, Extension, Outcome, PreserveAnswer, PreserveRequest,
        ProduceAnswer, ProduceRequest, Reminder, RouteAnswer, TakedownStep, Triage,
        case_message::What,
    },
};
use prost::Message;
use serde_json::{Value, json};

use super::Vector;

pub(crate) const PLATFORM: &str = "platform.us";
pub(crate) const HOTLINE: &str = "hotline.fr";
pub(crate) const POLICE: &str = "police.es";
const AUTHORITY: &str = "authority.ie";
pub(crate) const STRANGER: &str = "stranger.de";

/// A message under a number that is also that of its envelope, received a second after it was sent.
pub(crate) fn said(number: u8, from: &str, to: &[&str], when: &str, about: u8) -> Value {
    let created_ms = instant(when).unwrap();
    let received = to
        .iter()
        .map(|one| ((*one).to_owned(), json!(created_ms + 1000)));
    let about = (about != 0).then(|| hex::encode([about; 32]));
    json!({
        "from": from, "message": hex::encode([number; 16]), "envelopes": [hex::encode([number; 32])],
        "to": to, "in_reply_to": about, "created_ms": created_ms,
        "received": received.collect::<serde_json::Map<_, _>>(),
    })
}

pub(crate) fn report() -> Value {
    let mut report = said(1, PLATFORM, &[HOTLINE, POLICE], "2026-11-02T10:00:00Z", 0);
    report["report"] = true.into();
    report
}

pub(crate) fn with(mut said: Value, what: What) -> Value {
    let message = CaseMessage {
        what: Some(what),
        ..CaseMessage::default()
    };
    said["content"] = hex::encode(message.encode_to_vec()).into();
    said
}

pub(crate) fn police(number: u8, when: &str, about: u8, what: What) -> Value {
    with(said(number, POLICE, &[PLATFORM], when, about), what)
}

pub(crate) fn platform(number: u8, when: &str, about: u8, what: What) -> Value {
    with(said(number, PLATFORM, &[POLICE], when, about), what)
}

pub(crate) fn produced(state: &str) -> What {
    What::ProduceAnswer(ProduceAnswer {
        state: words::parse_produce(state).unwrap(),
        reason: 11,
        deadline: if state == "new_deadline" {
            "2026-12-24T18:00:00+01:00".to_owned()
        } else {
            String::new()
        },
        ..ProduceAnswer::default()
    })
}

pub(crate) fn kept(state: &str) -> What {
    What::PreserveAnswer(PreserveAnswer {
        state: words::parse_preserve(state).unwrap(),
        reason: 4,
        ..PreserveAnswer::default()
    })
}

pub(crate) fn order(profile: &str, authority: &str) -> What {
    What::ProduceRequest(ProduceRequest {
        profile: profile.to_owned(),
        addressed_to: vec![PLATFORM.to_owned()],
        enforcing_authority: authority.to_owned(),
        validation_follows: profile.contains("emergency"),
        ..ProduceRequest::default()
    })
}

pub(crate) fn letter(profile: &str) -> What {
    What::PreserveRequest(PreserveRequest {
        profile: profile.to_owned(),
        ..PreserveRequest::default()
    })
}

pub(crate) fn outcome(state: &str, reason: &str) -> What {
    What::Outcome(Outcome {
        state: words::parse_outcome(state).unwrap(),
        reason: words::parse_shelved(reason).unwrap_or_default(),
        because: i32::from(state == "reopened"),
    })
}

pub(crate) fn members() -> Value {
    let party = |country: &str| json!({ "country": country });
    json!({
        PLATFORM: { "country": "US", "platform": true }, HOTLINE: party("FR"), POLICE: party("ES"),
        AUTHORITY: party("IE"), STRANGER: party("DE"),
    })
}

pub(crate) fn vector(name: &str, spec: &str, what: &str, said: Vec<Value>, now: &str) -> Vector {
    among(members(), (name, spec, what), said, now)
}

/// A case as it is while these are the members.
pub(crate) fn among(
    members: Value,
    (name, spec, what): (&str, &str, &str),
    said: Vec<Value>,
    now: &str,
) -> Vector {
    Vector::new(name, spec, what, "fold_case")
        .set("said", said)
        .set("members", members)
        .set(
            "holidays",
            json!({ "IE": ["2026-12-25"], "US": ["2026-11-26"] }),
        )
        .set("now_ms", instant(now).unwrap())
        .set("expect", "ok")
}

fn late() -> Vec<Value> {
    vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, order("eu-epoc", "")),
        platform(3, "2026-11-04T10:00:00Z", 2, produced("acked")),
        police(
            4,
            "2026-11-16T10:00:00Z",
            2,
            What::Reminder(Reminder {
                number: 1,
                deadline: String::new(),
            }),
        ),
        police(
            5,
            "2026-11-17T10:00:00Z",
            1,
            outcome("shelved", "no_cooperation"),
        ),
        platform(6, "2026-11-18T10:00:00Z", 4, produced("delivered")),
    ]
}

fn keeping() -> Vec<Value> {
    let mut ask = police(
        5,
        "2026-12-20T10:00:00Z",
        2,
        What::Extension(Extension::default()),
    );
    ask["reply_by_ms"] = instant("2026-12-30T10:00:00Z").unwrap().into();
    vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, letter("eu-epoc-pr")),
        platform(3, "2026-11-03T12:00:00Z", 2, kept("acked")),
        platform(4, "2026-11-04T12:00:00Z", 3, kept("in_force")),
        ask,
        platform(6, "2026-12-20T12:00:00Z", 5, kept("extended")),
        platform(7, "2026-12-21T12:00:00Z", 5, kept("extended")),
    ]
}

fn recall() -> Value {
    let mut recall = said(2, PLATFORM, &[HOTLINE, POLICE], "2026-11-05T10:00:00Z", 0);
    recall["recall"] = json!({ "message": hex::encode([1; 16]), "reason": "exonerated" });
    recall
}

pub(crate) fn make() -> Vec<Vector> {
    let mut urgent = report();
    urgent["lane"] = "urgent".into();
    let backwards: Vec<Value> = late().into_iter().rev().collect();
    let twice: Vec<Value> = late().into_iter().chain(late()).collect();
    let orders = vec![
        vector(
            "fold-late",
            "CSE-24",
            "an order answered late re-opens what was shelved for it",
            late(),
            "2026-11-20T00:00:00Z",
        ),
        vector(
            "fold-late-backwards",
            "CSE-10",
            "the same, in the opposite order",
            backwards,
            "2026-11-20T00:00:00Z",
        ),
        vector(
            "fold-late-twice",
            "CSE-11",
            "the same, each twice",
            twice,
            "2026-11-20T00:00:00Z",
        ),
        vector(
            "fold-overdue",
            "CSE-27",
            "the same, before the answer",
            late()[..4].to_vec(),
            "2026-11-20T00:00:00Z",
        ),
        vector(
            "fold-kept",
            "CSE-25",
            "what is kept, near its end, extended more often than it may be",
            keeping(),
            "2027-02-18T00:00:00Z",
        ),
        vector(
            "fold-lapsed",
            "CSE-14",
            "what is kept and not extended lapses",
            keeping()[..4].to_vec(),
            "2027-01-10T00:00:00Z",
        ),
        vector(
            "fold-urgent",
            "CSE-20",
            "an urgent report has clocks of its own",
            vec![urgent],
            "2026-11-02T12:00:00Z",
        ),
        vector(
            "fold-exonerated",
            "CSE-26",
            "a report that is taken back because the suspicion was unfounded",
            vec![recall(), report()],
            "2027-01-01T00:00:00Z",
        ),
    ];
    orders.into_iter().chain(parts()).collect()
}

pub(crate) fn by(number: u8, from: &str, to: &[&str], when: &str, about: u8, what: What) -> Value {
    with(said(number, from, to, when, about), what)
}

pub(crate) fn hotline(number: u8, when: &str, about: u8, what: What) -> Value {
    by(number, HOTLINE, &[POLICE, PLATFORM], when, about, what)
}

fn authority(number: u8, when: &str, about: u8, what: What) -> Value {
    by(number, AUTHORITY, &[POLICE, PLATFORM], when, about, what)
}

/// What police tell the platform and the authority.
fn both(number: u8, when: &str, about: u8, what: What) -> Value {
    by(number, POLICE, &[PLATFORM, AUTHORITY], when, about, what)
}

fn stranger(number: u8, when: &str, what: What) -> Value {
    by(number, STRANGER, &[POLICE], when, 1, what)
}

pub(crate) fn route(decision: i32, to: &str) -> What {
    let rerouted_to = to.to_owned();
    What::Route(RouteAnswer {
        decision,
        reason: 0,
        rerouted_to,
    })
}

fn assessed(verdict: i32, country: &str) -> What {
    What::Assessment(Assessment {
        verdict,
        jurisdiction: country.to_owned(),
        item: "item-1".to_owned(),
        ..Assessment::default()
    })
}

fn taken(state: i32) -> What {
    let url = "https://host.example/page".to_owned();
    What::Takedown(TakedownStep {
        url,
        state,
        ..TakedownStep::default()
    })
}

/// Cases in which not everything counts.
fn parts() -> Vec<Vector> {
    let strangers = vec![
        report(),
        both(2, "2026-11-03T10:00:00Z", 1, order("eu-epoc", AUTHORITY)),
        stranger(3, "2026-11-03T11:00:00Z", outcome("no_crime", "")),
        hotline(4, "2026-11-03T12:00:00Z", 2, produced("delivered")),
        platform(5, "2026-11-03T13:00:00Z", 2, produced("withdrawn")),
        platform(6, "2026-11-03T14:00:00Z", 2, produced("objection")),
        platform(7, "2026-11-03T15:00:00Z", 99, produced("delivered")),
        authority(8, "2026-11-04T10:00:00Z", 2, produced("no_objection")),
        police(9, "2026-11-04T11:00:00Z", 2, produced("delivered")),
    ];
    let passed = vec![
        stranger(3, "2026-11-06T11:00:00Z", outcome("registered", "")),
        police(2, "2026-11-05T10:00:00Z", 1, route(3, STRANGER)),
        report(),
    ];
    let otherwise = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, outcome("registered", "")),
        police(2, "2026-11-03T10:00:00Z", 1, outcome("no_crime", "")),
    ];
    vec![
        vector(
            "fold-strangers",
            "CSE-12",
            "whose word counts",
            strangers,
            "2026-11-05T00:00:00Z",
        ),
        vector(
            "fold-passed-on",
            "CSE-12",
            "who was passed the case",
            passed,
            "2026-11-07T00:00:00Z",
        ),
        vector(
            "fold-said-otherwise",
            "CSE-11",
            "two things at once",
            otherwise,
            "2026-11-04T00:00:00Z",
        ),
        enforced(),
        clear(),
        seen(),
        told(),
    ]
}

fn enforced() -> Vector {
    let said = vec![
        report(),
        both(
            2,
            "2026-11-03T10:00:00Z",
            1,
            order("eu-epoc-emergency", AUTHORITY),
        ),
        both(3, "2026-12-22T10:00:00Z", 2, produced("enforcement")),
        authority(4, "2026-12-24T10:00:00Z", 3, produced("recognised")),
        platform(5, "2026-12-26T10:00:00Z", 2, produced("delivered")),
        police(6, "2026-12-27T10:00:00Z", 5, produced("delivery_ok")),
        platform(7, "2026-12-28T10:00:00Z", 2, produced("refused")),
    ];
    let what = "an emergency, silence, enforcement, and a word after the end";
    vector(
        "fold-enforced",
        "CSE-15",
        what,
        said,
        "2026-12-30T00:00:00Z",
    )
}

fn clear() -> Vector {
    let said = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, order("eu-epoc", "")),
        platform(3, "2026-11-04T10:00:00Z", 2, produced("clarify")),
        police(4, "2026-12-01T10:00:00Z", 3, produced("clarification")),
        police(5, "2026-12-05T10:00:00Z", 2, produced("new_deadline")),
    ];
    let what = "what must be made clear stops a clock, and a new time moves it";
    vector(
        "fold-made-clear",
        "CSE-24",
        what,
        said,
        "2026-12-10T00:00:00Z",
    )
}

fn seen() -> Vector {
    let said = vec![
        report(),
        hotline(2, "2026-11-03T10:00:00Z", 1, assessed(2, "FR")),
        police(3, "2026-11-04T10:00:00Z", 1, assessed(3, "ES")),
        police(4, "2026-11-05T10:00:00Z", 1, assessed(3, "FR")),
        hotline(5, "2026-11-03T11:00:00Z", 1, taken(1)),
        hotline(6, "2026-11-04T11:00:00Z", 1, taken(2)),
        police(7, "2026-11-05T11:00:00Z", 1, taken(7)),
    ];
    let what = "who finds what illegal where, and a place that is found again";
    vector(
        "fold-assessed",
        "CSE-18",
        what,
        said,
        "2026-11-07T00:00:00Z",
    )
}

fn told() -> Vector {
    let looked = What::Triage(Triage {
        state: 1,
        reason: 0,
    });
    let said = vec![
        report(),
        police(2, "2026-11-02T11:00:00Z", 1, looked),
        police(3, "2026-11-03T11:00:00Z", 1, route(1, "")),
        police(
            4,
            "2026-11-20T11:00:00Z",
            1,
            outcome("in_investigation", ""),
        ),
    ];
    let what = "who has taken a case over is to tell what becomes of it";
    vector(
        "fold-feedback",
        "CSE-20",
        what,
        said,
        "2027-03-01T00:00:00Z",
    )
}
