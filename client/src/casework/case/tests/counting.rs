//! What a case says for figures.

use super::*;
use crate::casework::{statistics::CaseState, v1::DuplicateOf};

fn state(case: &Case, now: &str, by: &[&str]) -> CaseState {
    let case = case.as_of(at(now));
    CaseState::of(&case, &case.view(at(now), &setting()), by)
}

/// Police put the case aside, take it up, and ask for data that come too late; the hotline says that it is
/// another's.
fn told() -> Case {
    let mut found = police(2, "2026-11-05T10:00:00Z", 1, outcome("registered", ""));
    // It says that it was done before; the log says when it was told.
    if let What::Case(message) = &mut found.what {
        message.at = "2026-11-02T11:00:00Z".to_owned();
    }
    let mut asked = police(4, "2026-11-10T10:00:00Z", 1, produce("mla", ""));
    asked.reply_by_ms = Some(at("2026-11-12T10:00:00Z"));
    let same = message(Content::DuplicateOf(DuplicateOf {
        case_id: vec![8; 16].into(),
        reference: String::new(),
    }));
    Case::fold(
        CASE,
        [
            report(),
            found,
            police(
                3,
                "2026-11-06T10:00:00Z",
                1,
                outcome("shelved", "data_expired"),
            ),
            asked,
            platform(5, "2026-11-20T10:00:00Z", 4, produced("delivered")),
            said(6, HOTLINE, &[PLATFORM], "2026-11-21T10:00:00Z", 1, same),
            police(7, "2026-11-22T10:00:00Z", 1, outcome("arrest", "")),
        ],
    )
}

// STA-7: figures take from a case what was known at the time, and of whose word they are.
#[test]
fn figures_take_what_was_known_and_by_whom() {
    let case = told();
    let before = state(&case, "2026-11-04T00:00:00Z", &[POLICE]);
    assert_eq!(before, CaseState::default());

    let shelved = state(&case, "2026-11-07T00:00:00Z", &[POLICE]);
    assert_eq!(shelved.outcome.as_deref(), Some("shelved"));
    assert_eq!(shelved.shelved.as_deref(), Some("data_expired"));
    assert_eq!(shelved.acted_ms, Some(at("2026-11-05T10:00:01Z")));

    let overdue = state(&case, "2026-11-13T00:00:00Z", &[POLICE]);
    assert_eq!(overdue.overdue, 1);

    let last = state(&case, "2026-12-01T00:00:00Z", &[POLICE]);
    assert_eq!(
        (last.outcome.as_deref(), &last.shelved),
        (Some("arrest"), &None)
    );
    // What was answered too late was overdue.
    assert_eq!((last.overdue, last.duplicate), (1, false));

    let hotline = state(&case, "2026-12-01T00:00:00Z", &[HOTLINE]);
    assert_eq!((hotline.outcome, hotline.duplicate), (None, true));
    let both = state(&case, "2026-12-01T00:00:00Z", &[POLICE, HOTLINE]);
    assert_eq!(
        (both.outcome.as_deref(), both.duplicate),
        (Some("arrest"), true)
    );
}
