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
    let makers = [
        good, texts, bounds, missing, refusals, places, wrong, nothing, elsewhere,
    ];
    makers.into_iter().flat_map(|make| make()).collect()
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
    let strange = of(What::PreserveRequest(letter("mars-1"))).encode_to_vec();
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
            &strange,
            "ok",
        ),
    ]
}

fn assessed(verdict: i32, country: &str) -> Assessment {
    Assessment {
        verdict,
        jurisdiction: country.to_owned(),
        ..Assessment::default()
    }
}

fn order() -> ProduceRequest {
    ProduceRequest {
        profile: "eu-epoc".to_owned(),
        ..ProduceRequest::default()
    }
}

fn letter(profile: &str) -> PreserveRequest {
    PreserveRequest {
        profile: profile.to_owned(),
        ..PreserveRequest::default()
    }
}

/// Changed in one place.
fn but<T>(mut one: T, change: impl Fn(&mut T)) -> T {
    change(&mut one);
    one
}

fn asked(change: impl Fn(&mut ProduceRequest)) -> CaseMessage {
    of(What::ProduceRequest(but(order(), change)))
}

fn found(change: impl Fn(&mut Assessment)) -> CaseMessage {
    of(What::Assessment(but(assessed(1, ""), change)))
}

// LIM-126, LIM-127, LIM-130: over a bound by one.
fn texts() -> Vec<Vector> {
    let with = |change: &dyn Fn(&mut CaseMessage)| but(triaged(), change);
    let ids = |count: usize, id: &str| {
        let (system, id) = ("siena".to_owned(), id.to_owned());
        vec![ExternalId { system, id }; count]
    };
    let facts = letter_with_facts(2001);
    [
        ("note-too-long", with(&|one| one.note = long(4001))),
        ("reference-too-long", with(&|one| one.reference = long(129))),
        (
            "many-external-ids",
            with(&|one| one.external_ids = ids(33, "1")),
        ),
        (
            "external-id-too-long",
            with(&|one| one.external_ids = ids(1, &long(129))),
        ),
        ("facts-too-long", facts),
        ("handle-too-long", handle(129)),
    ]
    .map(over)
    .into()
}

// LIM-132
fn letter_with_facts(bytes: usize) -> CaseMessage {
    of(What::PreserveRequest(but(letter(""), |one| {
        one.facts = long(bytes);
    })))
}

fn handle(bytes: usize) -> CaseMessage {
    let answer = but(PreserveAnswer::default(), |one| one.handle = long(bytes));
    of(What::PreserveAnswer(answer))
}

fn over((name, message): (&str, CaseMessage)) -> Vector {
    let bytes = message.encode_to_vec();
    vector(name, "CSE-4", "over its bound by one", &bytes, "TooLong")
}

// LIM-128, LIM-129, LIM-130, LIM-131, LIM-133: over a bound by one.
fn bounds() -> Vec<Vector> {
    let law = || but(LegalInstrument::default(), |one| one.law = long(257));
    let coded = || but(Classification::default(), |one| one.scheme = long(65));
    let many = || vec![Classification::default(); 33];
    [
        ("item-too-long", found(|one| one.item = long(2084))),
        (
            "classification-too-long",
            found(|one| one.classifications = vec![coded()]),
        ),
        (
            "too-many-classifications",
            found(|one| one.classifications = many()),
        ),
        (
            "too-many-targets",
            asked(|one| one.targets = vec![long(1); 65]),
        ),
        (
            "target-too-long",
            asked(|one| one.targets = vec![long(257)]),
        ),
        (
            "too-many-addressees",
            asked(|one| one.addressed_to = vec![long(1); 65]),
        ),
        (
            "too-many-categories",
            asked(|one| one.categories = vec![1; 17]),
        ),
        (
            "instrument-too-long",
            asked(|one| one.instrument = Some(law())),
        ),
        ("zone-too-long", asked(|one| one.time_zone = long(65))),
    ]
    .map(over)
    .into()
}

fn missing() -> Vec<Vector> {
    let outcome = |state| {
        What::Outcome(Outcome {
            state,
            ..Outcome::default()
        })
    };
    let produced = |state| {
        What::ProduceAnswer(ProduceAnswer {
            state,
            ..ProduceAnswer::default()
        })
    };
    let taken = |state, url: &str| {
        let url = url.to_owned();
        What::Takedown(TakedownStep {
            state,
            url,
            ..TakedownStep::default()
        })
    };
    let kept = PreserveAnswer {
        state: 5,
        ..PreserveAnswer::default()
    };
    let case_id = vec![1; 15].into();
    let other = DuplicateOf {
        case_id,
        reference: String::new(),
    };
    [
        ("triage-without-state", What::Triage(Triage::default())),
        (
            "route-without-decision",
            What::Route(RouteAnswer::default()),
        ),
        (
            "assessment-without-verdict",
            What::Assessment(assessed(0, "")),
        ),
        (
            "national-without-country",
            What::Assessment(assessed(2, "")),
        ),
        ("takedown-without-url", taken(1, "")),
        ("takedown-without-state", taken(0, "https://host.example/")),
        ("outcome-without-state", outcome(0)),
        ("shelved-without-reason", outcome(12)),
        ("reopened-without-because", outcome(13)),
        ("not-possible-without-reason", What::PreserveAnswer(kept)),
        ("new-deadline-without-time", produced(5)),
        ("non-execution-without-reason", produced(10)),
        ("refused-without-reason", produced(11)),
        ("objection-without-reason", produced(14)),
        ("duplicate-of-fifteen-bytes", What::DuplicateOf(other)),
    ]
    .map(|(name, what)| {
        let bytes = of(what).encode_to_vec();
        vector(
            name,
            "CSE-6",
            "what must be there is not",
            &bytes,
            "Missing",
        )
    })
    .into()
}

/// Who refuses says why, and who passes on to whom.
fn refusals() -> Vec<Vector> {
    let route = |decision| {
        What::Route(RouteAnswer {
            decision,
            ..RouteAnswer::default()
        })
    };
    let rejected = Triage {
        state: 3,
        reason: 0,
    };
    [
        ("rejected-without-reason", What::Triage(rejected)),
        ("declined-without-reason", route(2)),
        ("rerouted-to-nobody", route(3)),
        ("moved-nowhere", taken(3, "https://host.example/", "")),
    ]
    .map(|(name, what)| {
        let bytes = of(what).encode_to_vec();
        let what = "what must be there is not";
        vector(name, "CSE-6", what, &bytes, "Missing")
    })
    .into()
}

fn taken(state: i32, url: &str, moved_to: &str) -> What {
    What::Takedown(TakedownStep {
        state,
        url: url.to_owned(),
        moved_to: moved_to.to_owned(),
        ..TakedownStep::default()
    })
}

fn places() -> Vec<Vector> {
    let there = "https://host.example/page";
    [
        (
            "url-with-a-blank",
            taken(1, "https://host.example/a page", ""),
        ),
        ("url-without-scheme", taken(1, "host.example/page", "")),
        ("url-without-place", taken(1, "https:///page", "")),
        (
            "url-with-a-number-first",
            taken(1, "4chan://host.example", ""),
        ),
        ("moved-to-words", taken(3, there, "another host")),
    ]
    .map(|(name, what)| {
        let bytes = of(what).encode_to_vec();
        vector(name, "CSE-6", "words are no place", &bytes, "Url")
    })
    .into()
}

fn time(name: &str, what: &str, at: &str) -> Vector {
    let bytes = but(triaged(), |one| one.at = at.to_owned()).encode_to_vec();
    vector(name, "CSE-3", what, &bytes, "Time")
}

fn wrong() -> Vec<Vector> {
    let until = but(Extension::default(), |one| {
        one.until = "2026-13-01T00:00:00Z".to_owned();
    });
    let until = of(What::Extension(until)).encode_to_vec();
    let soon = but(Reminder::default(), |one| one.deadline = "soon".to_owned());
    let soon = of(What::Reminder(soon)).encode_to_vec();
    vec![
        time("time-without-offset", "no offset", "2026-11-26T16:00:00"),
        time("time-without-clock", "a day alone", "2026-11-26"),
        time(
            "time-with-a-blank",
            "a blank for the T",
            "2026-11-26 16:00:00Z",
        ),
        time(
            "time-a-day-from-utc",
            "an offset of a whole day",
            "2026-11-26T16:00:00+24:00",
        ),
        time(
            "time-in-second-60",
            "a second that not everybody reads",
            "2026-12-31T23:59:60Z",
        ),
        time(
            "time-in-small-letters",
            "small letters, which not everybody reads",
            "2026-11-26t16:00:00z",
        ),
        time(
            "time-before-1970",
            "before instants are counted",
            "1969-12-31T23:59:59Z",
        ),
        vector("time-in-no-month", "CSE-3", "no such month", &until, "Time"),
        vector("time-in-words", "CSE-3", "a word", &soon, "Time"),
    ]
}

// LIM-125
fn nothing() -> Vec<Vector> {
    let note = but(CaseMessage::default(), |one| one.note = long(1)).encode_to_vec();
    let cut = &triaged().encode_to_vec()[..3];
    let large = vec![0; 65_537];
    vec![
        vector("empty", "CSE-2", "no bytes say nothing", &[], "Nothing"),
        vector("only-a-note", "CSE-2", "a note by itself", &note, "Nothing"),
        vector(
            "cut-off",
            "CSE-2",
            "the last byte is missing",
            cut,
            "Malformed",
        ),
        vector(
            "too-large",
            "CSE-2",
            "over its bound by one",
            &large,
            "TooLarge",
        ),
    ]
}

fn elsewhere() -> Vec<Vector> {
    let country = of(What::Assessment(assessed(3, "fr"))).encode_to_vec();
    let keep = of(What::PreserveRequest(letter("eu-epoc"))).encode_to_vec();
    let give = asked(|one| one.profile = "us-2703f".to_owned()).encode_to_vec();
    vec![
        vector(
            "country-in-small-letters",
            "CSE-5",
            "small letters",
            &country,
            "Country",
        ),
        vector(
            "profile-of-another-purpose",
            "CSE-5",
            "an order, to keep",
            &keep,
            "Profile",
        ),
        vector(
            "letter-as-an-order",
            "CSE-5",
            "a letter, to produce",
            &give,
            "Profile",
        ),
    ]
}
