//! Cases that nobody has, that were taken back, and what is owed still.

use super::*;

fn rejected() -> What {
    message(Content::Triage(Triage {
        state: 3,
        reason: 1,
    }))
}

fn hotline(number: u8, when: &str, what: What) -> Said {
    said(number, HOTLINE, &[PLATFORM], when, 1, what)
}

fn state(case: &[Said]) -> &'static str {
    view(case, "2026-11-05T00:00:00Z").state
}

// CSE-33: a report that everybody has refused is with nobody, until somebody works on it all the same.
#[test]
fn what_each_has_refused_is_with_nobody() {
    let mut case = vec![report(), hotline(2, "2026-11-03T10:00:00Z", rejected())];
    assert_eq!(state(&case), "open");
    let mut passed = case.clone();
    case.push(police(3, "2026-11-03T11:00:00Z", 1, route("declined", "")));
    assert_eq!(state(&case), "nobody");
    case.push(police(
        4,
        "2026-11-03T12:00:00Z",
        1,
        outcome("registered", ""),
    ));
    assert_eq!(state(&case), "open");
    // It is with whom it was passed on to, if that is a member; back to its author it is with nobody.
    let when = "2026-11-03T11:00:00Z";
    for (to, is) in [
        (STRANGER, "open"),
        ("nobody.xx", "nobody"),
        (PLATFORM, "nobody"),
    ] {
        passed.truncate(2);
        passed.push(police(3, when, 1, route("rerouted", to)));
        assert_eq!(state(&passed), is, "{to}");
        let parties = view(&passed, "2026-11-05T00:00:00Z").parties;
        assert_eq!(parties.contains(to), to != "nobody.xx", "{to}");
    }
    passed.push(police(
        4,
        "2026-11-03T12:00:00Z",
        1,
        route("rerouted", STRANGER),
    ));
    assert_eq!(state(&passed), "open");
}

// CSE-33: who is a member no longer has nothing.
#[test]
fn what_its_only_recipient_cannot_have_any_more_is_with_nobody() {
    let case = [report(), hotline(2, "2026-11-03T10:00:00Z", rejected())];
    let mut setting = setting();
    let police = setting.members.get_mut(POLICE).unwrap();
    police.gone = true;
    let case = Case::fold(CASE, case);
    assert_eq!(
        case.view(at("2026-11-05T00:00:00Z"), &setting).state,
        "nobody"
    );
}

// CSE-35: a recipient does not know who got other copies: at it the case is declined, and what is overdue stays so.
// Who wrote the report knows; where nobody does any more, a recipient says it.
#[test]
fn that_nobody_has_it_is_said_by_who_knows_all() {
    let when = "2026-11-03T10:00:00Z";
    let copy = said(1, PLATFORM, &[POLICE], when, 0, What::Report);
    let mut case = vec![copy, police(2, when, 1, route("declined", ""))];
    let seen = |case: &[Said], own: &str, is_gone: bool| {
        let mut setting = setting();
        own.clone_into(&mut setting.own);
        setting.members.get_mut(PLATFORM).unwrap().gone = is_gone;
        let case = Case::fold(CASE, case.to_vec());
        case.view(at("2026-11-20T00:00:00Z"), &setting).state
    };
    assert_eq!(seen(&case, PLATFORM, false), "nobody");
    assert_eq!(seen(&case, POLICE, false), "declined");
    assert_eq!(seen(&case, POLICE, true), "nobody");
    case.push(police(3, when, 1, preserve("eu-epoc-pr")));
    assert_eq!(seen(&case, POLICE, false), "overdue");
    case.push(police(4, when, 1, route("accepted", "")));
    case.push(platform(5, when, 3, kept("not_possible")));
    assert_eq!(seen(&case, POLICE, false), "open");
}

fn recall(to: &[&str]) -> Said {
    let recall = What::Recall {
        message: MessageId([1; 16]),
        reason: "wrong-recipient".to_owned(),
    };
    said(8, PLATFORM, to, "2026-11-03T10:00:00Z", 0, recall)
}

// CSE-32: what its author has taken back is no work for who had it, and others have it still.
#[test]
fn what_was_taken_back_is_no_work_any_more() {
    let case = [recall(&[HOTLINE, POLICE]), report()];
    let seen = view(&case, "2026-12-05T00:00:00Z");
    assert_eq!(seen.state, "withdrawn");
    assert_eq!(
        thread(&seen, Matter::Route, POLICE).reason,
        "wrong-recipient"
    );
    assert_eq!(stands(&seen, Duty::Acknowledge, POLICE), Standing::Moot);
    let one = view(&[report(), recall(&[HOTLINE])], "2026-12-05T00:00:00Z");
    assert_eq!(stands(&one, Duty::Route, HOTLINE), Standing::Moot);
    assert_eq!(stands(&one, Duty::Route, POLICE), Standing::Overdue);
    // Nobody but its author takes it back.
    let mut other = recall(&[HOTLINE, POLICE]);
    other.key.from = POLICE.to_owned();
    assert_eq!(state(&[report(), other]), "open");
}

/// Somebody takes a message back because the suspicion was unfounded.
fn exonerates(number: u8, from: &str, message: u8) -> Said {
    let what = What::Recall {
        message: MessageId([message; 16]),
        reason: "exonerated".to_owned(),
    };
    said(
        number,
        from,
        &[PLATFORM, POLICE],
        "2026-11-20T10:00:00Z",
        0,
        what,
    )
}

// CSE-12, CSE-26: who owes an answer does not end the case by a recall of what it was asked, nor of what nobody
// has; the author of a report does by a recall of that.
#[test]
fn nobody_else_s_recall_ends_a_case() {
    let case = [
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
    ];
    let with = |recall: Said| {
        let case = [&case[..], &[recall]].concat();
        view(&case, "2026-12-01T00:00:00Z")
    };
    for recall in [
        exonerates(8, PLATFORM, 2),
        exonerates(8, PLATFORM, 99),
        exonerates(8, STRANGER, 99),
        exonerates(8, POLICE, 2),
    ] {
        let seen = with(recall.clone());
        assert_eq!(seen.state, "overdue", "{recall:?}");
        assert_eq!(stands(&seen, Duty::Answer, PLATFORM), Standing::Overdue);
    }
    assert_eq!(with(exonerates(8, PLATFORM, 1)).state, "exonerated");
    // A report under the same id by somebody else, dated before it, does not stand in its author's way.
    let mut other = report();
    other.key.from = HOTLINE.to_owned();
    other.created_ms -= 1000;
    other.envelopes = BTreeSet::from([id(9)]);
    let both = [report(), other, exonerates(8, PLATFORM, 1)];
    assert_eq!(view(&both, "2026-12-01T00:00:00Z").state, "exonerated");
    // That a member exonerates somebody ends nobody else's clocks.
    let mut told = case.to_vec();
    told.push(police(
        3,
        "2026-11-20T10:00:00Z",
        1,
        outcome("exonerated", ""),
    ));
    let told = view(&told, "2026-12-01T00:00:00Z");
    assert_eq!(stands(&told, Duty::Answer, PLATFORM), Standing::Overdue);
}

// CSE-32: what was taken back starts no clock of what was sent in its place.
#[test]
fn a_report_that_is_sent_again_has_its_own_clocks() {
    let mut again = report();
    again.key.message = MessageId([9; 16]);
    again.envelopes = BTreeSet::from([id(9)]);
    again.created_ms = at("2026-12-01T10:00:00Z");
    again.received = BTreeMap::from([(POLICE.to_owned(), at("2026-12-01T10:00:01Z"))]);
    let case = [report(), recall(&[HOTLINE, POLICE]), again];
    let seen = view(&case, "2026-12-02T00:00:00Z");
    assert_eq!(stands(&seen, Duty::Acknowledge, POLICE), Standing::Open);
    assert_eq!(stands(&seen, Duty::Route, POLICE), Standing::Open);
}

// CSE-33: who has taken over what it was passed has it, whatever was said of others after that.
#[test]
fn who_has_taken_it_over_has_it() {
    let mut case = vec![
        report(),
        hotline(2, "2026-11-03T10:00:00Z", rejected()),
        police(3, "2026-11-03T11:00:00Z", 1, route("rerouted", STRANGER)),
        police(4, "2026-11-03T13:00:00Z", 1, route("declined", "")),
    ];
    assert_eq!(state(&case), "nobody");
    let accepts = route("accepted", "");
    case.push(said(
        5,
        STRANGER,
        &[POLICE],
        "2026-11-03T12:00:00Z",
        1,
        accepts,
    ));
    assert_eq!(state(&case), "open");
}

fn dated(mut said: Said, when: &str) -> Said {
    let What::Case(message) = &mut said.what else {
        unreachable!()
    };
    when.clone_into(&mut message.at);
    said
}

// CSE-3, CSE-17, CSE-24: what is said to have been done before is done when it is told.
#[test]
fn a_time_dated_back_dates_no_answer() {
    let early = "2026-11-03T12:00:00Z";
    let late = "2027-01-20T10:00:00Z";
    let case = [
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, route("accepted", "")),
        said(
            3,
            HOTLINE,
            &[POLICE],
            "2026-11-03T11:00:00Z",
            1,
            taken("notice_sent"),
        ),
        police(4, "2026-11-03T11:00:00Z", 1, produce("eu-epoc", "")),
        dated(police(5, late, 1, outcome("registered", "")), early),
        dated(
            said(6, HOTLINE, &[POLICE], late, 1, taken("removed")),
            early,
        ),
        dated(platform(7, late, 4, produced("delivered")), early),
    ];
    let seen = view(&case, "2027-01-21T00:00:00Z");
    for (what, who) in [
        (Duty::Feedback, POLICE),
        (Duty::Takedown, HOTLINE),
        (Duty::Answer, PLATFORM),
    ] {
        assert_eq!(stands(&seen, what, who), Standing::AnsweredLate, "{who}");
    }
    // Nor does it keep shelved what was put aside before that was told.
    let shelved = police(
        8,
        "2026-12-20T10:00:00Z",
        1,
        outcome("shelved", "no_cooperation"),
    );
    let case = [&case[..4], &[shelved, case[6].clone()]].concat();
    let seen = view(&case, "2027-01-21T00:00:00Z");
    assert_eq!(seen.reopenings[0].because, "data_delivered");
}

// CSE-14, CSE-24: what does not fit what was said before answers nothing.
#[test]
fn a_contradiction_answers_nothing() {
    let case = [
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, preserve("eu-epoc-pr")),
        police(3, "2026-11-04T10:00:00Z", 2, extension()),
        platform(4, "2026-11-04T12:00:00Z", 2, kept("extended")),
    ];
    let seen = view(&case, "2026-12-25T00:00:00Z");
    assert_eq!(stands(&seen, Duty::Extend, PLATFORM), Standing::Overdue);
    assert_eq!(stands(&seen, Duty::Answer, PLATFORM), Standing::Overdue);
}

// CSE-24: that data are kept is to be said in time, and whether they are kept longer.
#[test]
fn a_request_to_keep_is_to_be_answered() {
    let mut case = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, preserve("eu-epoc-pr")),
        platform(3, "2026-11-03T12:00:00Z", 2, kept("acked")),
    ];
    let late = view(&case, "2026-11-07T00:00:00Z");
    assert_eq!(stands(&late, Duty::Answer, PLATFORM), Standing::Overdue);
    case.push(platform(4, "2026-11-07T12:00:00Z", 2, kept("in_force")));
    case.push(police(5, "2026-12-20T10:00:00Z", 2, extension()));
    let longer = view(&case, "2026-12-25T00:00:00Z");
    assert_eq!(
        stands(&longer, Duty::Answer, PLATFORM),
        Standing::AnsweredLate
    );
    assert_eq!(stands(&longer, Duty::Extend, PLATFORM), Standing::Overdue);
    case[1].received.clear();
    let unseen = view(&case[..2], "2026-11-07T00:00:00Z");
    assert_eq!(
        stands(&unseen, Duty::Answer, PLATFORM),
        Standing::NotReceived
    );
}

// CSE-15, CSE-24: what is confirmed of a part leaves the rest owed.
#[test]
fn a_part_that_was_confirmed_ends_nothing() {
    let mut case = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", "")),
        platform(3, "2026-11-04T10:00:00Z", 2, produced("partial")),
        police(4, "2026-11-05T10:00:00Z", 3, produced("delivery_ok")),
    ];
    let owed = view(&case, "2026-11-06T00:00:00Z");
    assert_eq!(thread(&owed, Matter::Produce, PLATFORM).state, "partial");
    assert_eq!(stands(&owed, Duty::Answer, PLATFORM), Standing::Open);
    case.push(platform(
        5,
        "2026-11-06T10:00:00Z",
        2,
        produced("delivered"),
    ));
    let whole = view(&case, "2026-11-07T00:00:00Z");
    let thread = thread(&whole, Matter::Produce, PLATFORM);
    assert_eq!(
        (thread.state.as_str(), thread.contradictions.len()),
        ("delivered", 0)
    );
    assert_eq!(stands(&whole, Duty::Answer, PLATFORM), Standing::Answered);
}
