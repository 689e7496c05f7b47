//! States and deadlines of threads as they go on.

use super::*;
use crate::casework::clock::rfc3339;

fn due(deadline: &Deadline) -> String {
    deadline.due_ms.map(rfc3339).unwrap_or_default()
}

// CSE-13, CSE-20: the recipient of a report is to look at it and to say whether it takes it over.
#[test]
fn a_report_is_acknowledged_and_taken_over_or_overdue() {
    let mut case = vec![report()];
    let open = view(&case, "2026-11-03T00:00:00Z");
    assert_eq!(stands(&open, Duty::Acknowledge, POLICE), Standing::Open);
    assert_eq!(thread(&open, Matter::Route, POLICE).state, "offered");
    let late = view(&case, "2026-11-06T00:00:00Z");
    assert_eq!(stands(&late, Duty::Acknowledge, POLICE), Standing::Overdue);
    assert_eq!(late.state, "overdue");
    case.push(police(2, "2026-11-02T11:00:00Z", 1, triage()));
    case.push(police(3, "2026-11-12T11:00:00Z", 1, route("accepted", "")));
    let seen = view(&case, "2026-11-13T00:00:00Z");
    assert_eq!(stands(&seen, Duty::Acknowledge, POLICE), Standing::Answered);
    assert_eq!(stands(&seen, Duty::Route, POLICE), Standing::AnsweredLate);
    assert_eq!(thread(&seen, Matter::Route, POLICE).state, "accepted");
    // What is told later does not undo what was decided.
    case.push(police(4, "2026-11-13T11:00:00Z", 1, triage()));
    let seen = view(&case, "2026-12-13T00:00:00Z");
    assert_eq!(thread(&seen, Matter::Route, POLICE).state, "accepted");
    let feedback = deadline(&seen, Duty::Feedback, POLICE);
    assert_eq!(
        (due(feedback).as_str(), feedback.state),
        ("2026-12-12T22:59:59.999Z", Standing::Overdue)
    );
}

// CSE-20: a report that is urgent has shorter clocks, and is to be assessed within a day.
#[test]
fn an_urgent_report_has_its_own_clocks() {
    let mut report = report();
    report.lane = Lane::Urgent;
    let seen = view(&[report], "2026-11-02T20:00:00Z");
    let acknowledge = deadline(&seen, Duty::Acknowledge, HOTLINE);
    assert_eq!(due(acknowledge), "2026-11-02T11:00:01.000Z");
    assert_eq!(
        due(deadline(&seen, Duty::Route, HOTLINE)),
        "2026-11-02T18:00:01.000Z"
    );
    assert_eq!(
        due(deadline(&seen, Duty::Assess, HOTLINE)),
        "2026-11-03T10:00:01.000Z"
    );
}

/// A request to keep that is in force since 4 November.
fn keeping() -> Vec<Said> {
    vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, preserve("eu-epoc-pr")),
        platform(3, "2026-11-03T12:00:00Z", 2, kept("acked")),
        platform(4, "2026-11-04T12:00:00Z", 3, kept("in_force")),
    ]
}

fn so(state: &str, until: &str) -> (String, String) {
    (state.to_owned(), until.to_owned())
}

// CSE-14, CSE-21, CSE-25: what is kept under the Union's order ends after sixty days, and lapses unless
// somebody sees to it; the end is announced.
#[test]
fn what_is_kept_lapses_at_its_end() {
    let case = keeping();
    let sent = view(&case[..2], "2026-11-03T11:00:00Z");
    assert_eq!(kept_as(&sent), so("sent", ""));
    // 3 November in New York and 60 days.
    let end = "2027-01-03T04:59:59.999Z";
    assert_eq!(
        kept_as(&view(&case, "2026-11-05T00:00:00Z")),
        so("in_force", end)
    );
    let warning = |now| deadline(&view(&case, now), Duty::Keep, POLICE).warning;
    assert_eq!(warning("2026-12-10T00:00:00Z"), None);
    assert_eq!(warning("2026-12-21T00:00:00Z"), Some(14));
    assert_eq!(warning("2026-12-28T00:00:00Z"), Some(7));
    assert_eq!(warning("2027-01-02T00:00:00Z"), Some(2));
    let lapsed = view(&case, "2027-01-04T00:00:00Z");
    assert_eq!(kept_as(&lapsed), so("lapsed", end));
    assert_eq!(stands(&lapsed, Duty::Keep, POLICE), Standing::Overdue);
}

// CSE-14, CSE-25: it is extended once, more is shown as what it is, and converted it does not end.
#[test]
fn what_is_kept_is_extended_once_and_converted() {
    let mut case = keeping();
    case.push(police(5, "2026-12-20T10:00:00Z", 2, extension()));
    case.push(platform(6, "2026-12-20T12:00:00Z", 5, kept("extended")));
    let longer = view(&case, "2027-01-04T00:00:00Z");
    assert_eq!(kept_as(&longer), so("extended", "2027-02-02T04:59:59.999Z"));
    let mut again = case.clone();
    again.push(platform(7, "2026-12-21T12:00:00Z", 5, kept("extended")));
    let again = view(&again, "2027-01-04T00:00:00Z");
    let said = &thread(&again, Matter::Preserve, PLATFORM).contradictions;
    assert!(
        said[0].contains("more often than eu-epoc-pr allows"),
        "{said:?}"
    );
    case.push(police(8, "2027-01-20T12:00:00Z", 2, kept("converted")));
    let converted = view(&case, "2028-01-04T00:00:00Z");
    assert_eq!(kept_as(&converted).0, "converted");
    assert_eq!(stands(&converted, Duty::Keep, POLICE), Standing::Moot);
}

// CSE-14: under 18 USC 2703(f) it is 90 days, and 90 more each time.
#[test]
fn the_letter_of_the_united_states_is_renewed() {
    let case = [
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, preserve("us-2703f")),
        platform(3, "2026-11-03T12:00:00Z", 2, kept("in_force")),
        platform(4, "2027-01-20T12:00:00Z", 2, kept("extended")),
        platform(5, "2027-04-20T12:00:00Z", 2, kept("extended")),
    ];
    let seen = view(&case, "2027-04-21T00:00:00Z");
    assert_eq!(kept_as(&seen).1, "2027-08-01T03:59:59.999Z");
    assert!(
        thread(&seen, Matter::Preserve, PLATFORM)
            .contradictions
            .is_empty()
    );
    // Who reported keeps for a year what it has reported.
    let mut keepers = seen
        .deadlines
        .iter()
        .filter(|one| one.profile == "us-report-act");
    assert_eq!(due(keepers.next().unwrap()), "2027-11-03T03:59:59.999Z");
}

// CSE-20: the messages of one filing are kept by one clock; what is filed on another day has its own.
#[test]
fn a_filing_of_two_messages_is_kept_once() {
    let filed = |id: u8, when: &str| said(id, PLATFORM, &[POLICE], when, 0, What::Report);
    let mut case = vec![report(), filed(2, "2026-11-02T10:00:01Z")];
    let kept = |case: &[Said]| {
        let seen = view(case, "2026-11-03T00:00:00Z");
        let keepers = seen.deadlines.into_iter();
        let keepers = keepers.filter(|one| one.profile == "us-report-act");
        keepers.map(|one| due(&one)).collect::<Vec<_>>()
    };
    assert_eq!(kept(&case), ["2027-11-03T03:59:59.999Z"]);
    case.push(filed(3, "2026-11-04T10:00:00Z"));
    let both = ["2027-11-03T03:59:59.999Z", "2027-11-05T03:59:59.999Z"];
    assert_eq!(kept(&case), both);
}

// CSE-15, CSE-24: an order is due ten days after its receipt, not before what the asker has signed, and is
// answered when the asker's node has it.
#[test]
fn an_order_is_answered_late_or_overdue_or_in_time() {
    let mut order = police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", ""));
    let mut case = vec![report(), order.clone()];
    let seen = view(&case, "2026-11-10T00:00:00Z");
    // 13 November 2026 is a Friday in New York.
    assert_eq!(
        due(deadline(&seen, Duty::Answer, PLATFORM)),
        "2026-11-14T04:59:59.999Z"
    );
    assert_eq!(stands(&seen, Duty::Answer, PLATFORM), Standing::Open);
    assert_eq!(
        stands(&view(&case, "2026-11-14T05:00:00Z"), Duty::Answer, PLATFORM),
        Standing::Overdue
    );
    // That it was seen is no answer, and a part is none yet.
    case.push(platform(3, "2026-11-04T10:00:00Z", 2, produced("acked")));
    case.push(platform(4, "2026-11-05T10:00:00Z", 2, produced("partial")));
    let overdue = view(&case, "2026-11-14T05:00:00Z");
    let answer = deadline(&overdue, Duty::Answer, PLATFORM);
    assert_eq!(
        (answer.state, answer.overdue_ms(overdue.now_ms)),
        (Standing::Overdue, Some(1))
    );
    case.push(platform(
        5,
        "2026-11-14T04:59:59Z",
        2,
        produced("delivered"),
    ));
    // It was at the asker's node a second later.
    let answered =
        |case: &[Said]| stands(&view(case, "2026-11-20T05:00:00Z"), Duty::Answer, PLATFORM);
    assert_eq!(answered(&case), Standing::AnsweredLate);
    order.reply_by_ms = Some(at("2026-11-30T00:00:00Z"));
    case[1] = order.clone();
    assert_eq!(answered(&case), Standing::Answered);
    let given = view(&case, "2026-11-20T05:00:00Z");
    let clock = &deadline(&given, Duty::Answer, PLATFORM).source;
    // What the law gives is named beside the time that the asker gave, and not as its source.
    assert!(
        clock.starts_with("the asker's signed header; by ") && clock.contains("2026-11-14T"),
        "{clock}"
    );
    order.received.clear();
    assert_eq!(answered(&[report(), order]), Standing::NotReceived);
}

// CSE-15: what must be made clear stops the clock; then it begins anew. A new time replaces the old one.
#[test]
fn a_clock_waits_for_the_asker_and_moves_with_it() {
    let mut case = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
        platform(3, "2026-11-04T10:00:00Z", 2, produced("clarify")),
    ];
    let waits = view(&case, "2026-12-01T00:00:00Z");
    assert_eq!(stands(&waits, Duty::Answer, PLATFORM), Standing::Paused);
    case.push(police(
        4,
        "2026-12-01T10:00:00Z",
        3,
        produced("clarification"),
    ));
    let anew = view(&case, "2026-12-02T00:00:00Z");
    assert_eq!(thread(&anew, Matter::Produce, PLATFORM).state, "clarified");
    assert_eq!(
        due(deadline(&anew, Duty::Answer, PLATFORM)),
        "2026-12-12T04:59:59.999Z"
    );
    let mut time = police(5, "2026-12-05T10:00:00Z", 2, produced("new_deadline"));
    let What::Case(message) = &mut time.what else {
        unreachable!()
    };
    let Some(Content::ProduceAnswer(answer)) = &mut message.what else {
        unreachable!()
    };
    answer.deadline = "2026-12-24T18:00:00+01:00".to_owned();
    case.push(time);
    let moved = view(&case, "2026-12-06T00:00:00Z");
    assert_eq!(
        due(deadline(&moved, Duty::Answer, PLATFORM)),
        "2026-12-24T17:00:00.000Z"
    );
    case.push(police(6, "2026-12-07T10:00:00Z", 2, produced("withdrawn")));
    assert_eq!(
        stands(&view(&case, "2027-12-06T00:00:00Z"), Duty::Answer, PLATFORM),
        Standing::Moot
    );
}

// CSE-12, CSE-15: the authority that is notified may object in its time; asked to enforce, it has five
// working days.
#[test]
fn an_authority_has_its_own_clocks() {
    let mut case = vec![
        report(),
        said(
            2,
            POLICE,
            &[PLATFORM, AUTHORITY],
            "2026-11-03T10:00:00Z",
            1,
            produce("eu-epoc-emergency", AUTHORITY),
        ),
    ];
    let seen = view(&case, "2026-11-03T12:00:00Z");
    assert_eq!(
        due(deadline(&seen, Duty::Answer, PLATFORM)),
        "2026-11-03T18:00:01.000Z"
    );
    assert_eq!(
        due(deadline(&seen, Duty::Objection, AUTHORITY)),
        "2026-11-07T10:00:01.000Z"
    );
    let silent = view(&case, "2026-12-03T12:00:00Z");
    assert_eq!(stands(&silent, Duty::Objection, AUTHORITY), Standing::Moot);
    case.push(said(
        3,
        POLICE,
        &[PLATFORM, AUTHORITY],
        "2026-12-02T10:00:00Z",
        2,
        produced("enforcement"),
    ));
    let enforced = view(&case, "2026-12-03T12:00:00Z");
    assert_eq!(
        due(deadline(&enforced, Duty::Enforcement, AUTHORITY)),
        "2026-12-09T23:59:59.999Z"
    );
    case.push(said(
        4,
        AUTHORITY,
        &[POLICE, PLATFORM],
        "2026-12-04T10:00:00Z",
        3,
        produced("recognised"),
    ));
    let recognised = view(&case, "2026-12-05T12:00:00Z");
    assert_eq!(
        stands(&recognised, Duty::Enforcement, AUTHORITY),
        Standing::Answered
    );
    assert_eq!(
        thread(&recognised, Matter::Produce, PLATFORM).state,
        "recognised"
    );
}

fn shelved(reason: &str) -> Vec<Said> {
    vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
        police(3, "2026-11-20T10:00:00Z", 1, outcome("shelved", reason)),
    ]
}

// CSE-16, CSE-17: a case that was put aside is to be taken up again when its reason goes.
#[test]
fn a_shelved_case_re_opens_when_its_reason_goes() {
    let before = view(&shelved("insufficient_data"), "2026-11-21T00:00:00Z");
    let outcome_of = |view: &View| thread(view, Matter::Outcome, POLICE).clone();
    assert_eq!(outcome_of(&before).reason, "insufficient_data");
    assert!(before.reopenings.is_empty());
    for (reason, answer, because) in [
        ("no_cooperation", "delivered", "data_delivered"),
        ("data_expired", "partial", "data_delivered"),
        ("insufficient_data", "delivered", "data_delivered"),
        ("mla_pending", "refused", "mla_answered"),
    ] {
        let mut case = shelved(reason);
        case.push(platform(4, "2026-11-25T10:00:00Z", 2, produced(answer)));
        let seen = view(&case, "2026-11-26T00:00:00Z");
        assert_eq!(
            (seen.reopenings[0].because, seen.state),
            (because, "reopens")
        );
        // Once it has been taken up again there is nothing to say.
        case.push(police(
            5,
            "2026-11-26T10:00:00Z",
            1,
            outcome("reopened", ""),
        ));
        let again = view(&case, "2026-11-27T00:00:00Z");
        assert!(again.reopenings.is_empty(), "{reason}");
        assert_eq!(outcome_of(&again).state, "reopened");
    }
}

// CSE-17: another report of the same case is a new match, whatever the reason was; data are none for some.
#[test]
fn a_shelved_case_re_opens_by_a_new_match() {
    let mut case = shelved("capacity");
    case.push(platform(
        4,
        "2026-11-25T10:00:00Z",
        2,
        produced("delivered"),
    ));
    assert!(view(&case, "2026-11-26T00:00:00Z").reopenings.is_empty());
    case.push(said(
        5,
        HOTLINE,
        &[POLICE],
        "2026-11-25T12:00:00Z",
        0,
        What::Report,
    ));
    let matched = view(&case, "2026-11-26T00:00:00Z");
    assert_eq!(matched.reopenings[0].because, "new_match");
    let mut case = shelved("not_illegal");
    let found = assessed("baseline", "");
    case.push(said(
        4,
        HOTLINE,
        &[POLICE],
        "2026-11-25T10:00:00Z",
        1,
        found,
    ));
    let anew = view(&case, "2026-11-26T00:00:00Z");
    assert_eq!(anew.reopenings[0].because, "assessed_anew");
}

// CSE-18: what assessors say is shown side by side, and contradicts where both are about the same country.
#[test]
fn assessments_that_differ_are_shown_side_by_side() {
    let mut case = vec![
        report(),
        said(
            2,
            HOTLINE,
            &[POLICE],
            "2026-11-03T10:00:00Z",
            1,
            assessed("nationally_illegal", "FR"),
        ),
        said(
            3,
            POLICE,
            &[HOTLINE],
            "2026-11-04T10:00:00Z",
            1,
            assessed("not_illegal", "ES"),
        ),
    ];
    let both = view(&case, "2026-11-05T00:00:00Z");
    let item = both
        .threads
        .iter()
        .find(|one| one.subject == "item-1")
        .unwrap();
    assert_eq!(item.state, "nationally_illegal FR, not_illegal ES");
    assert!(item.contradictions.is_empty());
    case.push(said(
        4,
        POLICE,
        &[HOTLINE],
        "2026-11-05T10:00:00Z",
        1,
        assessed("not_illegal", "FR"),
    ));
    let against = view(&case, "2026-11-06T00:00:00Z");
    let item = against
        .threads
        .iter()
        .find(|one| one.subject == "item-1")
        .unwrap();
    assert_eq!(
        item.contradictions,
        ["nationally_illegal FR against not_illegal FR, by police.es"]
    );
}

// CSE-19: a place is gone, and found again.
#[test]
fn a_place_that_was_gone_is_looked_at_again() {
    let mut case = vec![
        report(),
        said(
            2,
            HOTLINE,
            &[POLICE],
            "2026-11-03T10:00:00Z",
            1,
            taken("notice_sent"),
        ),
    ];
    let open = view(&case, "2026-11-07T00:00:00Z");
    assert_eq!(stands(&open, Duty::Takedown, HOTLINE), Standing::Overdue);
    case.push(said(
        3,
        HOTLINE,
        &[POLICE],
        "2026-11-04T10:00:00Z",
        1,
        taken("removed"),
    ));
    assert_eq!(
        stands(
            &view(&case, "2026-11-07T00:00:00Z"),
            Duty::Takedown,
            HOTLINE
        ),
        Standing::Answered
    );
    case.push(said(
        4,
        POLICE,
        &[HOTLINE],
        "2026-11-05T10:00:00Z",
        1,
        taken("still_up"),
    ));
    let again = view(&case, "2026-11-07T00:00:00Z");
    let place = again
        .threads
        .iter()
        .find(|one| one.matter == Matter::Takedown)
        .unwrap();
    assert_eq!(
        (place.state.as_str(), place.contradictions.len()),
        ("still_up", 1)
    );
    assert_eq!(stands(&again, Duty::Takedown, HOTLINE), Standing::Overdue);
    case.push(said(
        5,
        POLICE,
        &[HOTLINE],
        "2026-11-06T10:00:00Z",
        1,
        taken("stay_up"),
    ));
    assert_eq!(
        stands(
            &view(&case, "2026-11-07T00:00:00Z"),
            Duty::Takedown,
            HOTLINE
        ),
        Standing::Paused
    );
}

// CSE-26: who is exonerated is so whatever else is said, and nothing is due any more.
#[test]
fn an_exoneration_ends_the_case() {
    let recall = What::Recall {
        message: MessageId([1; 16]),
        reason: "exonerated".to_owned(),
    };
    let mut case = vec![
        report(),
        said(
            2,
            PLATFORM,
            &[HOTLINE, POLICE],
            "2026-11-05T10:00:00Z",
            0,
            recall,
        ),
    ];
    let seen = view(&case, "2027-11-06T00:00:00Z");
    assert_eq!(seen.state, "exonerated");
    assert_eq!(thread(&seen, Matter::Outcome, PLATFORM).state, "exonerated");
    assert!(seen.deadlines.iter().all(|one| one.state == Standing::Moot));
    let told = [
        (3, "2026-11-06T10:00:00Z", "exonerated"),
        (4, "2026-11-07T10:00:00Z", "registered"),
    ];
    case.extend(told.map(|(number, when, state)| police(number, when, 1, outcome(state, ""))));
    let after = view(&case, "2027-11-06T00:00:00Z");
    let contradictions = &thread(&after, Matter::Outcome, POLICE).contradictions;
    assert_eq!(contradictions.len(), 1);
    // Where the report is erased, the recall alone says so.
    assert_eq!(
        view(&case[1..2], "2027-11-06T00:00:00Z").state,
        "exonerated"
    );
}
