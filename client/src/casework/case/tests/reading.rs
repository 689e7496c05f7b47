//! What a message may be, and how people see it.

use prost::Message;
use serde_json::json;

use super::*;
use crate::casework::{
    case::{CaseError, MESSAGE_BYTES_MAX, check, json_of, read, view_json, words},
    v1::{DuplicateOf, case_message::LegalInstrument},
};

fn of(what: Content) -> CaseMessage {
    CaseMessage {
        what: Some(what),
        ..CaseMessage::default()
    }
}

// CSE-2 to CSE-6: each rule refuses what breaks it, by its name.
#[test]
fn each_rule_refuses_what_breaks_it() {
    let good = of(Content::Triage(Triage {
        state: 1,
        reason: 0,
    }));
    assert_eq!(check(&good), Ok(()));
    let with = |change: &dyn Fn(&mut CaseMessage)| {
        let mut message = good.clone();
        change(&mut message);
        check(&message)
    };
    let long = |bytes: usize| "x".repeat(bytes);
    assert_eq!(with(&|one| one.note = long(4000)), Ok(()));
    assert_eq!(
        with(&|one| one.note = long(4001)),
        Err(CaseError::TooLong("note"))
    );
    assert_eq!(
        with(&|one| one.reference = long(129)),
        Err(CaseError::TooLong("reference"))
    );
    assert_eq!(
        with(&|one| one.at = "26 November".to_owned()),
        Err(CaseError::Time("at"))
    );
    assert_eq!(with(&|one| one.what = None), Err(CaseError::Nothing));
    let refused = [
        (
            Content::Triage(Triage::default()),
            CaseError::Missing("triage.state"),
        ),
        (
            Content::Outcome(Outcome {
                state: 12,
                reason: 0,
                because: 0,
            }),
            CaseError::Missing("outcome.reason"),
        ),
        (
            Content::Outcome(Outcome {
                state: 13,
                reason: 0,
                because: 0,
            }),
            CaseError::Missing("outcome.because"),
        ),
        (
            Content::Assessment(Assessment {
                verdict: 2,
                ..Assessment::default()
            }),
            CaseError::Missing("jurisdiction"),
        ),
        (
            Content::Assessment(Assessment {
                verdict: 3,
                jurisdiction: "fr".to_owned(),
                ..Assessment::default()
            }),
            CaseError::Country("jurisdiction"),
        ),
        (
            Content::Takedown(TakedownStep {
                state: 1,
                ..TakedownStep::default()
            }),
            CaseError::Missing("url"),
        ),
        (
            Content::PreserveRequest(PreserveRequest {
                profile: "eu-epoc".to_owned(),
                ..PreserveRequest::default()
            }),
            CaseError::Profile,
        ),
        (
            Content::ProduceRequest(ProduceRequest {
                targets: vec![String::new(); 65],
                ..ProduceRequest::default()
            }),
            CaseError::TooLong("targets"),
        ),
        (
            Content::PreserveAnswer(PreserveAnswer {
                state: 5,
                ..PreserveAnswer::default()
            }),
            CaseError::Missing("reason"),
        ),
        (
            Content::ProduceAnswer(ProduceAnswer {
                state: 5,
                ..ProduceAnswer::default()
            }),
            CaseError::Missing("deadline"),
        ),
        (
            Content::ProduceAnswer(ProduceAnswer {
                state: 11,
                ..ProduceAnswer::default()
            }),
            CaseError::Missing("reason"),
        ),
        (
            Content::Extension(Extension {
                until: "later".to_owned(),
                instrument: None,
            }),
            CaseError::Time("until"),
        ),
        (
            Content::Extension(Extension {
                until: String::new(),
                instrument: Some(LegalInstrument {
                    law: long(257),
                    ..LegalInstrument::default()
                }),
            }),
            CaseError::TooLong("instrument"),
        ),
        (
            Content::DuplicateOf(DuplicateOf {
                case_id: vec![1; 15].into(),
                reference: String::new(),
            }),
            CaseError::Missing("duplicate_of.case_id"),
        ),
    ];
    for (what, why) in refused {
        assert_eq!(check(&of(what)), Err(why));
    }
    assert_eq!(read(&[0xff]), Err(CaseError::Malformed));
    assert_eq!(
        read(&vec![0; MESSAGE_BYTES_MAX + 1]),
        Err(CaseError::TooLarge)
    );
    // A profile that nobody here knows is a name, and no fault.
    let new = PreserveRequest {
        profile: "mars-1".to_owned(),
        ..PreserveRequest::default()
    };
    assert_eq!(check(&of(Content::PreserveRequest(new))), Ok(()));
}

// CSE-8: what asks travels as a request, what concludes as a response, what goes between as feedback.
#[test]
fn a_message_travels_under_the_kind_of_what_it_does() {
    let kinds = [
        (produce("eu-epoc", ""), Kind::Request),
        (extension(), Kind::Request),
        (reminder(), Kind::Request),
        (kept("acked"), Kind::Feedback),
        (kept("in_force"), Kind::Response),
        (kept("released"), Kind::Feedback),
        (produced("acked"), Kind::Feedback),
        (produced("partial"), Kind::Feedback),
        (produced("clarify"), Kind::Feedback),
        (produced("delivered"), Kind::Response),
        (produced("refused"), Kind::Response),
        (produced("no_objection"), Kind::Response),
        (outcome("registered", ""), Kind::Feedback),
        (route("accepted", ""), Kind::Response),
    ];
    for (what, kind) in kinds {
        let What::Case(message) = &what else {
            unreachable!()
        };
        assert_eq!(kind_of(message.what.as_ref().unwrap()), kind, "{message:?}");
    }
}

// CSE-7: people see fields by their names and enums as words; what is not known is kept and shown.
#[test]
fn a_message_is_shown_whole() {
    let mut message = of(Content::ProduceAnswer(ProduceAnswer {
        state: 99,
        reason: 11,
        handle: "box 7".to_owned(),
        ..ProduceAnswer::default()
    }));
    message.at = "2026-11-26T16:00:00+01:00".to_owned();
    let mut bytes = message.encode_to_vec();
    // Field 90, a varint of 5.
    bytes.extend([0xd0, 0x05, 0x05]);
    let wanted = json!({
        "at": "2026-11-26T16:00:00+01:00",
        "produce_answer": { "state": "#99", "reason": "data_deleted", "handle": "box 7" },
        "unknown_fields": [{ "number": 90, "field": "d00505" }],
    });
    assert_eq!(json_of(&bytes), wanted);
    assert!(read(&bytes).is_ok());
    assert_eq!(json_of(&[0xff]), serde_json::Value::Null);
}

// CSE-7: a word reads back as its number, written with either kind of stroke.
#[test]
fn words_read_back() {
    assert_eq!(words::parse_outcome("in-investigation"), Some(2));
    assert_eq!(words::parse_outcome("in_investigation"), Some(2));
    assert_eq!(words::parse_outcome("unspecified"), None);
    assert_eq!(words::outcomes().count(), 14);
    assert!(words::outcomes().all(|word| words::parse_outcome(&word).is_some()));
    assert!(words::produces().all(|word| words::parse_produce(&word).is_some()));
    assert!(words::non_executions().all(|word| words::parse_non_execution(&word).is_some()));
}

// CSE-28: a view says each instant twice, for programs and for people.
#[test]
fn a_view_says_its_instants_twice() {
    let case = [
        report(),
        said(
            2,
            POLICE,
            &[PLATFORM],
            "2026-11-03T10:00:00Z",
            1,
            produce("eu-epoc", ""),
        ),
    ];
    let shown = view_json(&view(&case, "2026-11-20T00:00:00Z"));
    let answers = shown["deadlines"].as_array().unwrap().iter();
    let answer = answers.clone().find(|one| one["what"] == "answer").unwrap();
    assert_eq!(answer["due"], "2026-11-14T04:59:59.999Z");
    assert_eq!(answer["due_ms"], at("2026-11-14T04:59:59.999Z"));
    assert_eq!(
        (&answer["state"], &answer["zone"]),
        (&json!("overdue"), &json!("America/New_York"))
    );
    assert_eq!(shown["timeline"][1]["counts"], true);
}
