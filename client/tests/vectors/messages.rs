//! Messages that are read, and many that are not.

use frex_client::casework::v1::{
    Assessment, CaseMessage, DuplicateOf, Extension, Outcome, PreserveAnswer, PreserveRequest,
    ProduceAnswer, ProduceRequest, Reminder, RouteAnswer, TakedownStep, Triage,
    case_message::{Classification, ExternalId, LegalInstrument, What},
};
use prost::Message;

use super::Vector;

fn of(what: What) -> CaseMessage {
    CaseMessage {
        what: Some(what),
        ..CaseMessage::default()
    }
}

fn triaged() -> CaseMessage {
    of(What::Triage(Triage {
        state: 1,
        reason: 0,
    }))
}

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn vector(name: &str, spec: &str, what: &str, bytes: &[u8], expect: &str) -> Vector {
    let vector = Vector::new(name, spec, what, "read_case");
    vector
        .set("message", hex::encode(bytes))
        .set("expect", expect)
}

pub(crate) fn make() -> Vec<Vector> {
    [good(), bounds(), missing(), wrong()]
        .into_iter()
        .flatten()
        .collect()
}

fn good() -> Vec<Vector> {
    let mut full = of(What::Outcome(Outcome {
        state: 12,
        reason: 3,
        because: 0,
    }));
    full.at = "2026-11-26T16:00:00.5+01:00".to_owned();
    full.note = long(4000);
    let unknown = of(What::ProduceAnswer(ProduceAnswer {
        state: 99,
        ..ProduceAnswer::default()
    }));
    let mut more = triaged().encode_to_vec();
    more.extend([0xd0, 0x05, 0x05]);
    let strange = PreserveRequest {
        profile: "mars-1".to_owned(),
        ..PreserveRequest::default()
    };
    vec![
        vector(
            "outcome-shelved",
            "CSE-2",
            "a case is put aside, with its reason",
            &full.encode_to_vec(),
            "ok",
        ),
        vector(
            "state-not-known",
            "CSE-7",
            "a state that a reader does not know is kept",
            &unknown.encode_to_vec(),
            "ok",
        ),
        vector(
            "field-not-known",
            "CSE-7",
            "a field that a reader does not know is kept",
            &more,
            "ok",
        ),
        vector(
            "profile-not-known",
            "CSE-5",
            "a profile that the table does not have",
            &of(What::PreserveRequest(strange)).encode_to_vec(),
            "ok",
        ),
    ]
}

fn bounds() -> Vec<Vector> {
    let with = |change: &dyn Fn(&mut CaseMessage)| {
        let mut message = triaged();
        change(&mut message);
        message.encode_to_vec()
    };
    let ids = |count: usize, id: &str| {
        vec![
            ExternalId {
                system: "siena".to_owned(),
                id: id.to_owned()
            };
            count
        ]
    };
    let assessed = |change: &dyn Fn(&mut Assessment)| {
        let mut one = Assessment {
            verdict: 1,
            ..Assessment::default()
        };
        change(&mut one);
        of(What::Assessment(one)).encode_to_vec()
    };
    let asked = |change: &dyn Fn(&mut ProduceRequest)| {
        let mut one = ProduceRequest {
            profile: "eu-epoc".to_owned(),
            ..ProduceRequest::default()
        };
        change(&mut one);
        of(What::ProduceRequest(one)).encode_to_vec()
    };
    let law = |law: usize| {
        Some(LegalInstrument {
            law: long(law),
            ..LegalInstrument::default()
        })
    };
    let coded = Classification {
        scheme: long(65),
        ..Classification::default()
    };
    [
        ("note-too-long", with(&|one| one.note = long(4001))),
        ("reference-too-long", with(&|one| one.reference = long(129))),
        (
            "too-many-external-ids",
            with(&|one| one.external_ids = ids(33, "1")),
        ),
        (
            "external-id-too-long",
            with(&|one| one.external_ids = ids(1, &long(129))),
        ),
        ("item-too-long", assessed(&|one| one.item = long(2084))),
        (
            "classification-too-long",
            assessed(&|one| one.classifications = vec![coded.clone()]),
        ),
        (
            "too-many-classifications",
            assessed(&|one| one.classifications = vec![Classification::default(); 33]),
        ),
        (
            "too-many-targets",
            asked(&|one| one.targets = vec!["a".to_owned(); 65]),
        ),
        (
            "target-too-long",
            asked(&|one| one.targets = vec![long(257)]),
        ),
        (
            "too-many-addressees",
            asked(&|one| one.addressed_to = vec!["a".to_owned(); 65]),
        ),
        (
            "too-many-categories",
            asked(&|one| one.categories = vec![1; 17]),
        ),
        (
            "instrument-too-long",
            asked(&|one| one.instrument = law(257)),
        ),
        ("zone-too-long", asked(&|one| one.time_zone = long(65))),
        (
            "facts-too-long",
            of(What::PreserveRequest(PreserveRequest {
                facts: long(2001),
                ..PreserveRequest::default()
            }))
            .encode_to_vec(),
        ),
        (
            "handle-too-long",
            of(What::PreserveAnswer(PreserveAnswer {
                state: 1,
                handle: long(129),
                ..PreserveAnswer::default()
            }))
            .encode_to_vec(),
        ),
    ]
    .map(|(name, bytes)| vector(name, "CSE-4", "over its bound by one", &bytes, "TooLong"))
    .into()
}

fn missing() -> Vec<Vector> {
    let produced = |state| {
        What::ProduceAnswer(ProduceAnswer {
            state,
            ..ProduceAnswer::default()
        })
    };
    [
        ("triage-without-state", What::Triage(Triage::default())),
        (
            "route-without-decision",
            What::Route(RouteAnswer::default()),
        ),
        (
            "assessment-without-verdict",
            What::Assessment(Assessment::default()),
        ),
        (
            "national-without-country",
            What::Assessment(Assessment {
                verdict: 2,
                ..Assessment::default()
            }),
        ),
        (
            "takedown-without-url",
            What::Takedown(TakedownStep {
                state: 1,
                ..TakedownStep::default()
            }),
        ),
        (
            "takedown-without-state",
            What::Takedown(TakedownStep {
                url: "https://host.example/".to_owned(),
                ..TakedownStep::default()
            }),
        ),
        ("outcome-without-state", What::Outcome(Outcome::default())),
        (
            "shelved-without-reason",
            What::Outcome(Outcome {
                state: 12,
                ..Outcome::default()
            }),
        ),
        (
            "reopened-without-because",
            What::Outcome(Outcome {
                state: 13,
                ..Outcome::default()
            }),
        ),
        (
            "not-possible-without-reason",
            What::PreserveAnswer(PreserveAnswer {
                state: 5,
                ..PreserveAnswer::default()
            }),
        ),
        ("new-deadline-without-time", produced(5)),
        ("non-execution-without-reason", produced(10)),
        ("refused-without-reason", produced(11)),
        ("objection-without-reason", produced(14)),
        (
            "duplicate-of-fifteen-bytes",
            What::DuplicateOf(DuplicateOf {
                case_id: vec![1; 15].into(),
                reference: String::new(),
            }),
        ),
    ]
    .map(|(name, what)| {
        vector(
            name,
            "CSE-6",
            "what must be there is not",
            &of(what).encode_to_vec(),
            "Missing",
        )
    })
    .into()
}

fn wrong() -> Vec<Vector> {
    let time = |at: &str| {
        let mut message = triaged();
        message.at = at.to_owned();
        message.encode_to_vec()
    };
    let until = of(What::Extension(Extension {
        until: "2026-13-01T00:00:00Z".to_owned(),
        instrument: None,
    }));
    let reminder = of(What::Reminder(Reminder {
        number: 1,
        deadline: "soon".to_owned(),
    }));
    let country = of(What::Assessment(Assessment {
        verdict: 3,
        jurisdiction: "fr".to_owned(),
        ..Assessment::default()
    }));
    let keep = of(What::PreserveRequest(PreserveRequest {
        profile: "eu-epoc".to_owned(),
        ..PreserveRequest::default()
    }));
    let give = of(What::ProduceRequest(ProduceRequest {
        profile: "us-2703f".to_owned(),
        ..ProduceRequest::default()
    }));
    let mut large = triaged().encode_to_vec();
    large.resize(65_537, 0);
    vec![
        vector("empty", "CSE-2", "no bytes say nothing", &[], "Nothing"),
        vector(
            "only-a-note",
            "CSE-2",
            "a note says nothing by itself",
            &CaseMessage {
                note: "a".to_owned(),
                ..CaseMessage::default()
            }
            .encode_to_vec(),
            "Nothing",
        ),
        vector(
            "cut-off",
            "CSE-2",
            "the last byte is missing",
            &triaged().encode_to_vec()[..3],
            "Malformed",
        ),
        vector(
            "too-large",
            "CSE-2",
            "over its bound by one",
            &large,
            "TooLarge",
        ),
        vector(
            "time-without-offset",
            "CSE-3",
            "no offset",
            &time("2026-11-26T16:00:00"),
            "Time",
        ),
        vector(
            "time-without-clock",
            "CSE-3",
            "a day alone",
            &time("2026-11-26"),
            "Time",
        ),
        vector(
            "time-with-a-blank",
            "CSE-3",
            "a blank for the T",
            &time("2026-11-26 16:00:00Z"),
            "Time",
        ),
        vector(
            "time-in-no-month",
            "CSE-3",
            "a month that is none",
            &until.encode_to_vec(),
            "Time",
        ),
        vector(
            "time-in-words",
            "CSE-3",
            "a word",
            &reminder.encode_to_vec(),
            "Time",
        ),
        vector(
            "country-in-small-letters",
            "CSE-5",
            "a country in small letters",
            &country.encode_to_vec(),
            "Country",
        ),
        vector(
            "profile-of-another-purpose",
            "CSE-5",
            "an order to produce as one to keep",
            &keep.encode_to_vec(),
            "Profile",
        ),
        vector(
            "letter-as-an-order",
            "CSE-5",
            "a letter to keep as an order to produce",
            &give.encode_to_vec(),
            "Profile",
        ),
    ]
}
