//! What must not be said, asked before it is.

use super::*;
use crate::casework::{
    case::{CaseError, Not, Unfit, words},
    v1::{DuplicateOf, case_message::LegalInstrument},
};

const WHEN: &str = "2026-11-10T10:00:00Z";

/// Police have asked for data, asked that something be kept, and let go of that again.
fn case() -> Vec<Said> {
    vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
        police(3, "2026-11-03T10:00:00Z", 1, preserve("us-2703f")),
        platform(4, "2026-11-03T12:00:00Z", 3, kept("in_force")),
        police(5, "2026-11-04T12:00:00Z", 3, kept("released")),
    ]
}

fn why(said: &Said) -> Option<Unfit> {
    Case::fold(CASE, case()).fits(said, &setting()).err()
}

fn answered(state: &str) -> What {
    message(Content::ProduceAnswer(ProduceAnswer {
        state: words::parse_produce(state).unwrap(),
        ..ProduceAnswer::default()
    }))
}

fn same(id: [u8; 16]) -> What {
    message(Content::DuplicateOf(DuplicateOf {
        case_id: id.to_vec().into(),
        reference: String::new(),
    }))
}

// CSE-31: who has no part in it, or comes too late, is told so before anything is sealed.
#[test]
fn what_would_not_count_is_refused() {
    let not = |not| Some(Unfit::Uncounted(not));
    for (said, wanted) in [
        (
            police(9, WHEN, 2, answered("delivered")),
            not(Not::NotAsked),
        ),
        (
            platform(9, WHEN, 2, answered("withdrawn")),
            not(Not::NotTheAsker),
        ),
        (platform(9, WHEN, 2, reminder()), not(Not::NotTheAsker)),
        (
            platform(9, WHEN, 1, route("accepted", "")),
            not(Not::NotARecipient),
        ),
        (
            platform(9, WHEN, 1, outcome("arrest", "")),
            not(Not::Reporter),
        ),
        (police(9, WHEN, 1, same(CASE.0)), not(Not::Itself)),
        (
            police(9, WHEN, 3, extension()),
            Some(Unfit::Against("extension after released".to_owned())),
        ),
        (
            platform(9, WHEN, 3, kept("in_force")),
            Some(Unfit::Against("in_force after released".to_owned())),
        ),
        (police(9, WHEN, 1, triage()), None),
        (police(9, WHEN, 1, same([9; 16])), None),
        (platform(9, WHEN, 2, answered("delivered")), None),
        (police(9, WHEN, 2, reminder()), None),
    ] {
        assert_eq!(why(&said), wanted, "{said:?}");
    }
}

// CSE-31: who has refused a case tells no outcome of work on it before it has taken it over.
#[test]
fn what_was_refused_has_no_outcome() {
    let tells = |case: &[Said], state: &str| {
        let said = police(9, WHEN, 1, outcome(state, ""));
        Case::fold(CASE, case.to_vec()).fits(&said, &setting())
    };
    let before = "2026-11-05T10:00:00Z";
    let mut case = case();
    assert_eq!(tells(&case, "convicted"), Ok(()));
    case.push(police(6, before, 1, route("declined", "")));
    let refused = Err(Unfit::Refused("declined".to_owned()));
    assert_eq!(tells(&case, "convicted"), refused);
    assert_eq!(tells(&case, "no_jurisdiction"), Ok(()));
    case.push(police(7, "2026-11-06T10:00:00Z", 1, route("accepted", "")));
    assert_eq!(tells(&case, "convicted"), Ok(()));
}

// CSE-31: whom it concerns hears of it, and who owes nothing is not reminded.
#[test]
fn what_nobody_hears_whom_it_concerns_is_refused() {
    let elsewhere = said(9, PLATFORM, &[HOTLINE], WHEN, 2, answered("acked"));
    assert_eq!(why(&elsewhere), Some(Unfit::NotTold(POLICE.to_owned())));
    let past = said(9, POLICE, &[HOTLINE], WHEN, 2, reminder());
    assert_eq!(why(&past), Some(Unfit::NotTold(PLATFORM.to_owned())));
    let kept = police(9, WHEN, 3, reminder());
    assert_eq!(why(&kept), Some(Unfit::NothingOwed));
    // A request that reaches nobody who is asked asks nothing, also where the authority hears of it.
    let law = LegalInstrument {
        law: "law".to_owned(),
        ..LegalInstrument::default()
    };
    let request = message(Content::ProduceRequest(ProduceRequest {
        profile: "eu-epoc".to_owned(),
        targets: vec!["account 4711".to_owned()],
        categories: vec![1],
        instrument: Some(law),
        enforcing_authority: AUTHORITY.to_owned(),
        ..ProduceRequest::default()
    }));
    let alone = said(9, POLICE, &[AUTHORITY], WHEN, 1, request);
    assert_eq!(why(&alone), Some(Unfit::NotTold("who is asked".to_owned())));
}

// CSE-31: what says nothing beside a state is refused by its name, and so is a request that leaves open what
// it is about.
#[test]
fn what_says_nothing_or_too_little_is_refused() {
    let reason = police(9, WHEN, 1, outcome("charged", "capacity"));
    assert_eq!(why(&reason), Some(Unfit::Idle("outcome.reason")));
    assert_eq!(why(&reason).unwrap().field(), Some("outcome.reason"));
    let missing = |field| Some(Unfit::Rule(CaseError::Missing(field)));
    let ask = |targets: &[&str], categories: &[i32], law: &str| {
        let instrument = LegalInstrument {
            law: law.to_owned(),
            ..LegalInstrument::default()
        };
        let request = ProduceRequest {
            profile: "eu-epoc".to_owned(),
            addressed_to: vec![PLATFORM.to_owned()],
            targets: targets.iter().map(|one| (*one).to_owned()).collect(),
            categories: categories.to_vec(),
            instrument: Some(instrument),
            ..ProduceRequest::default()
        };
        why(&police(
            9,
            WHEN,
            1,
            message(Content::ProduceRequest(request)),
        ))
    };
    assert_eq!(ask(&[], &[1], "law"), missing("targets"));
    assert_eq!(ask(&["account 4711"], &[], "law"), missing("categories"));
    assert_eq!(ask(&["account 4711"], &[1], ""), missing("instrument.law"));
    assert_eq!(ask(&["account 4711"], &[1], "law"), None);
    let nowhere = police(9, WHEN, 1, route("rerouted", "nobody.xx"));
    assert_eq!(why(&nowhere), Some(Unfit::Member("rerouted_to")));
    let country = |code: &str| why(&police(9, WHEN, 1, assessed("nationally_illegal", code)));
    let none = Some(Unfit::Rule(CaseError::Country("jurisdiction")));
    assert_eq!((country("XX"), country("ZZ")), (none.clone(), none));
    assert_eq!(
        (country("FR"), country("")),
        (None, missing("jurisdiction"))
    );
    let itself = police(9, WHEN, 1, route("rerouted", POLICE));
    assert_eq!(why(&itself), Some(Unfit::Member("rerouted_to")));
}

// CSE-31: nothing has happened that is yet to come, or before there was a case; an end is not over.
#[test]
fn a_time_that_cannot_be_meant_is_refused() {
    let when = |at: &str| {
        let mut said = police(9, WHEN, 1, triage());
        if let What::Case(message) = &mut said.what {
            at.clone_into(&mut message.at);
        }
        why(&said)
    };
    assert_eq!(when("2026-11-09T10:00:00+01:00"), None);
    assert_eq!(
        when("2026-11-11T10:00:00Z"),
        Some(Unfit::Time("at", "is yet to come"))
    );
    assert_eq!(
        when("2020-01-01T00:00:00Z"),
        Some(Unfit::Time("at", "was before the case began"))
    );
    let until = message(Content::PreserveAnswer(PreserveAnswer {
        state: words::parse_preserve("in_force").unwrap(),
        until: "2026-11-10T10:00:00Z".to_owned(),
        ..PreserveAnswer::default()
    }));
    let until = platform(9, WHEN, 3, until);
    assert_eq!(why(&until), Some(Unfit::Time("until", "is over already")));
}
