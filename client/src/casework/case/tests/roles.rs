//! Who may say what.

use super::*;
use crate::casework::case::Not;

fn not(view: &View, number: u8) -> Option<Not> {
    let mut entries = view.timeline.iter();
    entries
        .find(|one| one.key.message == MessageId([number; 16]))
        .unwrap()
        .not
}

/// A request to keep, of everybody who gets it.
fn letter() -> What {
    message(Content::PreserveRequest(PreserveRequest {
        profile: "eu-epoc-pr".to_owned(),
        ..PreserveRequest::default()
    }))
}

// CSE-12: who has no part in the case is shown, and does not count.
#[test]
fn a_stranger_is_shown_and_does_not_count() {
    let mut case = vec![
        report(),
        said(
            2,
            STRANGER,
            &[POLICE],
            "2026-11-03T10:00:00Z",
            1,
            outcome("no_crime", ""),
        ),
        said(
            3,
            STRANGER,
            &[AUTHORITY],
            "2026-11-03T11:00:00Z",
            1,
            letter(),
        ),
        said(
            4,
            AUTHORITY,
            &[STRANGER],
            "2026-11-03T12:00:00Z",
            3,
            kept("in_force"),
        ),
    ];
    let seen = view(&case, "2026-11-04T00:00:00Z");
    assert_eq!(
        (not(&seen, 2), not(&seen, 3)),
        (Some(Not::NoParty), Some(Not::NoParty))
    );
    assert_eq!(not(&seen, 4), Some(Not::NoRequest));
    assert!(seen.threads.iter().all(|one| one.matter == Matter::Route));
    // Once a party has passed the case on to it, it has a part in it.
    case.push(said(
        5,
        POLICE,
        &[STRANGER],
        "2026-11-05T10:00:00Z",
        1,
        route("rerouted", STRANGER),
    ));
    let seen = view(&case, "2026-11-06T00:00:00Z");
    assert_eq!(
        (not(&seen, 2), not(&seen, 3), not(&seen, 4)),
        (None, None, None)
    );
    assert_eq!(thread(&seen, Matter::Outcome, STRANGER).state, "no_crime");
}

// CSE-12: of a report that went to each in a copy of its own, who has one knows nobody who has another: what that
// one asks counts, and is answered. It has no other part in the case by that, and nobody has one by its asking.
#[test]
fn who_asks_a_party_is_answered() {
    let when = "2026-11-03T12:00:00Z";
    let copy = said(
        1,
        PLATFORM,
        &[HOTLINE],
        "2026-11-02T10:00:00Z",
        0,
        What::Report,
    );
    let asks = |number, from, whom| said(number, from, &[whom], when, 1, letter());
    let mut case = vec![
        copy,
        asks(2, POLICE, HOTLINE),
        said(3, POLICE, &[HOTLINE], when, 1, outcome("no_crime", "")),
        asks(4, AUTHORITY, POLICE),
    ];
    let answer = said(5, HOTLINE, &[POLICE], when, 2, kept("in_force"));
    let fits = Case::fold(CASE, case.clone()).fits(&answer, &setting());
    assert_eq!(fits, Ok(()));
    case.push(answer);
    case.push(said(6, POLICE, &[HOTLINE], when, 5, kept("released")));
    let seen = view(&case, "2026-11-04T00:00:00Z");
    let found = [2, 3, 4, 5, 6].map(|number| not(&seen, number));
    let strange = Some(Not::NoParty);
    assert_eq!(found, [None, strange, strange, None, None]);
    assert_eq!(thread(&seen, Matter::Preserve, HOTLINE).state, "released");
    assert_eq!(stands(&seen, Duty::Answer, HOTLINE), Standing::Answered);
}

// CSE-12: the addressee answers, the asker ends, the authority objects; nobody speaks for another.
#[test]
fn each_side_of_a_request_says_its_own_part() {
    let mut case = vec![
        report(),
        said(
            2,
            POLICE,
            &[PLATFORM, AUTHORITY, HOTLINE],
            "2026-11-03T10:00:00Z",
            1,
            produce("eu-epoc", AUTHORITY),
        ),
        police(3, "2026-11-03T11:00:00Z", 2, produced("delivered")),
        platform(4, "2026-11-03T12:00:00Z", 2, produced("withdrawn")),
        platform(5, "2026-11-03T13:00:00Z", 2, produced("objection")),
        said(
            6,
            HOTLINE,
            &[POLICE],
            "2026-11-03T14:00:00Z",
            2,
            produced("delivered"),
        ),
        platform(7, "2026-11-03T15:00:00Z", 99, produced("delivered")),
        platform(8, "2026-11-03T16:00:00Z", 2, kept("in_force")),
        platform(9, "2026-11-03T17:00:00Z", 2, reminder()),
    ];
    let seen = view(&case, "2026-11-04T00:00:00Z");
    let wanted = [
        (2, None),
        (3, Some(Not::NotAsked)),
        (4, Some(Not::NotTheAsker)),
        (5, Some(Not::NotTheAuthority)),
        (6, Some(Not::NotAsked)),
        (7, Some(Not::NoRequest)),
        (8, Some(Not::NoRequest)),
        (9, Some(Not::NotTheAsker)),
    ];
    for (number, why) in wanted {
        assert_eq!(not(&seen, number), why, "{number}");
    }
    assert_eq!(thread(&seen, Matter::Produce, PLATFORM).state, "sent");
    case.push(said(
        10,
        AUTHORITY,
        &[POLICE],
        "2026-11-05T10:00:00Z",
        2,
        produced("objection"),
    ));
    let objected = view(&case, "2026-11-06T00:00:00Z");
    assert_eq!(
        thread(&objected, Matter::Produce, PLATFORM).state,
        "objected"
    );
    assert_eq!(stands(&objected, Duty::Answer, PLATFORM), Standing::Moot);
}

// CSE-10, CSE-12: an answer counts once the request is there; before that it is shown with the reason.
#[test]
fn an_answer_waits_for_its_request() {
    let answer = platform(3, "2026-11-04T10:00:00Z", 2, produced("delivered"));
    let early = view(&[report(), answer.clone()], "2026-11-05T00:00:00Z");
    assert_eq!(not(&early, 3), Some(Not::NoRequest));
    let request = police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", ""));
    let seen = view(&[report(), answer, request], "2026-11-05T00:00:00Z");
    assert_eq!(not(&seen, 3), None);
    assert_eq!(thread(&seen, Matter::Produce, PLATFORM).state, "delivered");
}

// CSE-12: what cannot be read, or says what this program does not know, is shown all the same.
#[test]
fn what_is_not_known_is_shown() {
    let unknown = message(Content::ProduceAnswer(ProduceAnswer {
        state: 99,
        ..ProduceAnswer::default()
    }));
    let case = [
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
        platform(3, "2026-11-04T10:00:00Z", 2, unknown),
        platform(4, "2026-11-04T11:00:00Z", 2, What::Unreadable("damaged")),
        platform(5, "2026-11-04T12:00:00Z", 2, What::Other),
    ];
    let seen = view(&case, "2026-11-05T00:00:00Z");
    assert_eq!(
        (not(&seen, 3), not(&seen, 4), not(&seen, 5)),
        (Some(Not::Unknown), Some(Not::Unreadable), None)
    );
    assert_eq!(seen.timeline[2].says, "#99");
}

// CSE-14, CSE-15: what does not fit what was said before is shown, and moves nothing.
#[test]
fn a_contradiction_is_shown_and_moves_nothing() {
    let case = [
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
        police(3, "2026-11-04T10:00:00Z", 2, produced("withdrawn")),
        platform(4, "2026-11-04T11:00:00Z", 2, produced("delivered")),
        platform(5, "2026-11-04T12:00:00Z", 2, produced("acked")),
    ];
    let seen = view(&case, "2026-11-05T00:00:00Z");
    let produced = thread(&seen, Matter::Produce, PLATFORM);
    assert_eq!(produced.state, "withdrawn");
    assert_eq!(
        produced.contradictions,
        ["delivered after withdrawn, by platform.us"]
    );
    assert_eq!(
        seen.timeline[3].contradicts.as_deref(),
        Some("delivered after withdrawn")
    );
    assert_eq!(seen.timeline[4].contradicts, None);
}

// CSE-26: only who wrote the report takes it back.
#[test]
fn only_its_author_takes_a_report_back() {
    let recall = What::Recall {
        message: MessageId([1; 16]),
        reason: "exonerated".to_owned(),
    };
    let case = [report(), police(2, "2026-11-03T10:00:00Z", 0, recall)];
    let seen = view(&case, "2026-11-03T12:00:00Z");
    assert_eq!((not(&seen, 2), seen.state), (Some(Not::NoParty), "open"));
}
