//! What a message may be, and how people see it.

use prost::Message;
use serde_json::json;

use super::*;
use crate::casework::{
    case::{
        CaseError, MESSAGE_BYTES_MAX, REPORT_TYPES, check, json_of, name_of, read, view_json, words,
    },
    v1::{DuplicateOf, case_message::LegalInstrument},
};

fn of(what: Content) -> CaseMessage {
    CaseMessage {
        what: Some(what),
        ..CaseMessage::default()
    }
}

fn why(what: Content) -> CaseError {
    check(&of(what)).unwrap_err()
}

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

// CSE-2 to CSE-5: what is over its bound, no time or no country is refused by its name.
#[test]
fn each_rule_refuses_what_breaks_it() {
    let good = of(Content::Triage(Triage {
        state: 1,
        reason: 0,
    }));
    let with = |change: &dyn Fn(&mut CaseMessage)| {
        let mut message = good.clone();
        change(&mut message);
        check(&message)
    };
    let too_long = |name| Err(CaseError::TooLong(name));
    assert_eq!(with(&|_| ()), Ok(()));
    assert_eq!(with(&|one| one.note = long(4000)), Ok(()));
    assert_eq!(with(&|one| one.note = long(4001)), too_long("note"));
    assert_eq!(
        with(&|one| one.reference = long(129)),
        too_long("reference")
    );
    assert_eq!(with(&|one| one.at = long(3)), Err(CaseError::Time("at")));
    assert_eq!(with(&|one| one.what = None), Err(CaseError::Nothing));
    assert_eq!(read(&[0xff]), Err(CaseError::Malformed));
    let large = vec![0; MESSAGE_BYTES_MAX + 1];
    assert_eq!(read(&large), Err(CaseError::TooLarge));
    let asked = |change: &dyn Fn(&mut PreserveRequest)| {
        let mut one = PreserveRequest::default();
        change(&mut one);
        check(&of(Content::PreserveRequest(one)))
    };
    assert_eq!(
        asked(&|one| one.targets = vec![String::new(); 65]),
        too_long("targets")
    );
    let law = || LegalInstrument {
        law: long(257),
        ..LegalInstrument::default()
    };
    assert_eq!(
        asked(&|one| one.instrument = Some(law())),
        too_long("instrument")
    );
    assert_eq!(
        asked(&|one| one.profile = "eu-epoc".to_owned()),
        Err(CaseError::Profile)
    );
    // A profile that nobody here knows is a name, and no fault.
    assert_eq!(asked(&|one| one.profile = "mars-1".to_owned()), Ok(()));
}

// CSE-6: what must be said is named where it is missing.
#[test]
fn what_must_be_said_is_named() {
    let missing = CaseError::Missing;
    let outcome = |state| {
        Content::Outcome(Outcome {
            state,
            ..Outcome::default()
        })
    };
    let assessed = |verdict, country: &str| {
        let jurisdiction = country.to_owned();
        Content::Assessment(Assessment {
            verdict,
            jurisdiction,
            ..Assessment::default()
        })
    };
    let produced = |state| {
        Content::ProduceAnswer(ProduceAnswer {
            state,
            ..ProduceAnswer::default()
        })
    };
    assert_eq!(
        why(Content::Triage(Triage::default())),
        missing("triage.state")
    );
    assert_eq!(why(outcome(12)), missing("outcome.reason"));
    assert_eq!(why(outcome(13)), missing("outcome.because"));
    assert_eq!(why(assessed(2, "")), missing("jurisdiction"));
    assert_eq!(why(assessed(3, "fr")), CaseError::Country("jurisdiction"));
    assert_eq!(why(produced(5)), missing("deadline"));
    assert_eq!(why(produced(11)), missing("reason"));
    let takedown = TakedownStep {
        state: 1,
        ..TakedownStep::default()
    };
    assert_eq!(why(Content::Takedown(takedown)), missing("url"));
    let kept = PreserveAnswer {
        state: 5,
        ..PreserveAnswer::default()
    };
    assert_eq!(why(Content::PreserveAnswer(kept)), missing("reason"));
    let until = Extension {
        until: "later".to_owned(),
        instrument: None,
    };
    assert_eq!(why(Content::Extension(until)), CaseError::Time("until"));
    let other = DuplicateOf {
        case_id: vec![1; 15].into(),
        reference: String::new(),
    };
    assert_eq!(
        why(Content::DuplicateOf(other)),
        missing("duplicate_of.case_id")
    );
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
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
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

// CSE-28: a case is named as its report names it, of either version; nothing else of a report is read for that.
#[test]
fn a_report_names_its_case() {
    let [first, second] = REPORT_TYPES;
    let json = br#"{"urls":[{"url":"https://host.example/"}],"reference":"A-1"}"#;
    assert_eq!(name_of(first, json).as_deref(), Some("A-1"));
    let report = crate::casework::v1::Report {
        reference: Some("A-2".to_owned()),
        description: Some("synthetic".to_owned()),
        ..Default::default()
    };
    let report = report.encode_to_vec();
    assert_eq!(name_of(second, &report).as_deref(), Some("A-2"));
    for (content_type, bytes) in [
        (first, &report[..]),
        (second, &b""[..]),
        ("text/plain", &json[..]),
        (first, &br#"{"reference":""}"#[..]),
    ] {
        assert_eq!(name_of(content_type, bytes), None, "{content_type}");
    }
}
