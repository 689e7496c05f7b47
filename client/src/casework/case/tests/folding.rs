//! The same case, whatever the order.

use proptest::prelude::*;

use super::*;

/// Messages of every kind, by anybody, about anything: most make little sense together.
fn any_said() -> impl Strategy<Value = Said> {
    let people = prop::sample::select(vec![PLATFORM, HOTLINE, POLICE, AUTHORITY, STRANGER]);
    let what = (0..14_u8, 0..8_i32).prop_map(|(which, state)| match which {
        0 => What::Report,
        1 => message(Content::Triage(Triage { state, reason: 0 })),
        2 => message(Content::Route(RouteAnswer {
            decision: state,
            rerouted_to: STRANGER.to_owned(),
            ..RouteAnswer::default()
        })),
        3 => message(Content::Assessment(Assessment {
            verdict: state,
            item: format!("item-{}", state % 2),
            ..Assessment::default()
        })),
        4 => message(Content::Takedown(TakedownStep {
            url: "https://host.example/page".to_owned(),
            state,
            ..TakedownStep::default()
        })),
        5 | 6 => message(Content::Outcome(Outcome {
            state: state * 2,
            reason: state,
            because: 0,
        })),
        7 => preserve("eu-epoc-pr"),
        8 => message(Content::PreserveAnswer(PreserveAnswer {
            state,
            ..PreserveAnswer::default()
        })),
        9 => produce("eu-epoc", AUTHORITY),
        10 => message(Content::ProduceAnswer(ProduceAnswer {
            state: state * 2 + 1,
            ..ProduceAnswer::default()
        })),
        11 => extension(),
        12 => reminder(),
        _ => What::Recall {
            message: MessageId([1; 16]),
            reason: if state == 0 { "exonerated" } else { "mistake" }.to_owned(),
        },
    });
    let days = 0..60_u64;
    (
        1..12_u8,
        people.clone(),
        prop::collection::vec(people, 1..3),
        days,
        0..12_u8,
        what,
    )
        .prop_map(|(number, from, to, day, about, what)| {
            let mut one = said(number, from, &to, "2026-11-02T10:00:00Z", about, what);
            one.created_ms += day * 21_600_000;
            one
        })
}

fn shuffled(said: &[Said], order: &[prop::sample::Index]) -> Vec<Said> {
    let mut rest = said.to_vec();
    let mut out = Vec::new();
    for place in order.iter().take(said.len()) {
        out.push(rest.remove(place.index(rest.len())));
    }
    out.extend(rest);
    out
}

proptest! {
    // CSE-10, CSE-11: any order, any split into two folds, any message twice: the same case, and the same view.
    #[test]
    fn any_arrival_order_folds_to_the_same_case(
        said in prop::collection::vec(any_said(), 0..16),
        order in prop::collection::vec(any::<prop::sample::Index>(), 16),
        split in any::<prop::sample::Index>(),
        day in 0..400_u64,
    ) {
        let now = at("2026-11-02T10:00:00Z") + day * 86_400_000;
        let case = Case::fold(CASE, said.clone());
        let other = shuffled(&said, &order);
        prop_assert_eq!(&Case::fold(CASE, other.clone()), &case);
        let place = split.index(other.len() + 1);
        let mut left = Case::fold(CASE, other[..place].to_vec());
        // What both have changes nothing.
        let right = Case::fold(CASE, other[place..].iter().chain(said.first()).cloned());
        let mut swapped = right.clone();
        swapped.merge(left.clone());
        left.merge(right);
        prop_assert_eq!(&left, &case);
        prop_assert_eq!(&swapped, &case);
        prop_assert_eq!(left.view(now, &setting()), case.view(now, &setting()));
    }

    // CSE-10: everything that was said is shown, whether it counts or not.
    #[test]
    fn nothing_that_was_said_is_left_out(said in prop::collection::vec(any_said(), 0..16)) {
        let case = Case::fold(CASE, said);
        let view = case.view(at("2027-01-01T00:00:00Z"), &setting());
        prop_assert_eq!(view.timeline.len(), case.said().count());
        for entry in &view.timeline {
            prop_assert!(entry.thread.is_none_or(|thread| thread < view.threads.len()));
        }
    }
}

// CSE-11: the same message said twice, and not the same both times, counts neither time.
#[test]
fn a_message_that_says_two_things_counts_for_none() {
    let first = police(2, "2026-11-03T10:00:00Z", 1, outcome("registered", ""));
    let mut second = first.clone();
    second.what = outcome("no_crime", "");
    let seen = view(
        &[report(), first.clone(), second, first],
        "2026-11-04T00:00:00Z",
    );
    let entry = seen.timeline.last().unwrap();
    assert_eq!(entry.not, Some(super::super::Not::Otherwise));
    assert!(seen.threads.iter().all(|one| one.matter != Matter::Outcome));
}

// CSE-11: what was sealed again is one message, received when it was received first.
#[test]
fn a_message_that_was_sealed_again_is_one() {
    let first = police(2, "2026-11-03T10:00:00Z", 1, produce("eu-epoc", ""));
    let mut again = first.clone();
    again.envelopes = BTreeSet::from([id(9)]);
    again.received = BTreeMap::from([(PLATFORM.to_owned(), at("2026-11-05T10:00:00Z"))]);
    let answer = platform(3, "2026-11-06T10:00:00Z", 9, produced("delivered"));
    let seen = view(&[answer, again, report(), first], "2026-11-07T00:00:00Z");
    assert_eq!(seen.timeline.len(), 3);
    let answer = deadline(&seen, Duty::Answer, PLATFORM);
    assert_eq!(
        (answer.state, answer.from_ms),
        (Standing::Answered, Some(at("2026-11-03T10:00:01Z")))
    );
}
