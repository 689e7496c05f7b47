//! Tables one at a time.

use frex_proto::v1;
use prost::Message as _;

use super::*;
use crate::casework::statistics::{measure::median_tenths, noise::Measure, protect::line};

fn many(count: u32, at: impl Fn(u32) -> [u8; 4]) -> Vec<Fact> {
    (0..count).map(|number| fact(number, at(number))).collect()
}

// STA-17, STA-18: the same set of reports has the same noise wherever it stands; it is small, and there is some.
#[test]
fn noise_depends_on_the_set_alone() {
    // Of 43 reports, noise decides whether 40 or 45 are shown.
    let reports = many(43, |_| [0, 0, 1, 1]);
    let shown = |others: u32| {
        let others = (others..others + 30).map(|number| fact(number, [1, 1, 1, 1]));
        let facts: Vec<Fact> = others.chain(reports.iter().rev().cloned()).collect();
        view::row(&made(&facts), &[view::place("country", "ES")]).and_then(|row| row.reports)
    };
    let first = shown(100);
    assert!(first.is_some());
    assert!((2..20).all(|at| shown(at * 100) == first));
    let key = NoiseKey::new([1; 32]);
    let noise = |cell: u64| key.noise(Measure::Reports, cell, 2);
    let drawn: Vec<i64> = (0..2000).map(noise).collect();
    assert!(drawn.iter().all(|noise| noise.abs() <= 2));
    let counted = |of: i64| drawn.iter().filter(|noise| **noise == of).count();
    assert!(counted(0) > counted(1) && counted(1) > counted(2) && counted(-2) > 100);
    assert_ne!(NoiseKey::new([2; 32]).id(), key.id());
    assert_eq!(format!("{key:?}"), "NoiseKey([redacted])");
}

// STA-19: rounding is to the nearest, and what is shown is never under the threshold.
#[test]
fn figures_are_rounded_and_never_small() {
    let steps = Steps::default();
    let shown: Vec<u64> = [10, 12, 13, 17, 18]
        .iter()
        .map(|figure| steps.shown(*figure, 0))
        .collect();
    assert_eq!(shown, [10, 10, 15, 15, 20]);
    assert_eq!(steps.shown(10, -2), 10);
    let odd = Steps {
        threshold: 7,
        ..steps
    };
    assert_eq!(odd.shown(7, -2), 10);
}

// STA-20: a large total is exact, so that years compare; of 999 it is rounded like any other.
#[test]
fn a_large_total_is_exact() {
    let spread = |number: u32| [u8::try_from(number % 3).expect("small"), 0, 1, 1];
    assert_eq!(made(&many(1237, spread)).rows[0].reports, Some(1237));
    let small = made(&many(123, spread)).rows[0]
        .reports
        .expect("it is shown");
    assert!(
        small.is_multiple_of(5) && small.abs_diff(123) <= 4,
        "{small}"
    );
}

// STA-11: of fewer than the threshold nothing is said, not even what there is.
#[test]
fn too_few_say_nothing() {
    let table = made(&many(9, |_| [0, 0, 1, 1]));
    assert_eq!(table.rows, [wire::Row::default()]);
    assert!(table.axes.is_empty() && table.crossings.iter().all(|one| one.withdrawn));
    let csv = view::csv(&table);
    assert!(
        csv.lines()
            .nth(1)
            .is_some_and(|line| line.contains(",x,x,")),
        "{csv}"
    );
}

// STA-12: a rare value is counted with the next rarest, and a month that is small with the one after it.
#[test]
fn what_is_rare_is_counted_together() {
    let table = made(&many(100, |number| match number {
        0..3 => [0, 2, 1, 1],
        3..9 => [1, 3, 1, 1],
        9..25 => [1, 1, 1, 1],
        _ => [2, 0, 1, 1],
    }));
    assert_eq!(
        view::values(&table, "month"),
        ["2026-01/2026-02", "2026-03"]
    );
    assert_eq!(view::values(&table, "country"), ["ES", "other"]);
}

// STA-5: the month is that of the zone, on both sides of midnight and of summer time.
#[test]
fn months_begin_where_the_table_says() {
    let utc = |text: &str| {
        let time: jiff::Timestamp = text.parse().expect("a time");
        u64::try_from(time.as_millisecond()).expect("after 1970")
    };
    let month = |text: &str, zone: &str| month_of(utc(text), zone).map(|month| month.to_string());
    assert_eq!(
        month("2026-01-31T23:30:00Z", "UTC").as_deref(),
        Ok("2026-01")
    );
    assert_eq!(
        month("2026-01-31T23:30:00Z", "Europe/Madrid").as_deref(),
        Ok("2026-02")
    );
    // Summer time: midnight in Madrid is 22:00 UTC.
    assert_eq!(
        month("2026-06-30T21:59:59Z", "Europe/Madrid").as_deref(),
        Ok("2026-06")
    );
    assert_eq!(
        month("2026-06-30T22:00:00Z", "Europe/Madrid").as_deref(),
        Ok("2026-07")
    );
    assert_eq!(
        month("2027-01-01T02:00:00Z", "America/Bogota").as_deref(),
        Ok("2026-12")
    );
    assert_eq!(
        month("2026-01-01T00:00:00Z", "Nowhere/None"),
        Err(StatisticsError::UnknownZone)
    );
}

// STA-6, LIM-141: a month that is not over is not counted, nor a period that is written wrongly or too long.
#[test]
fn only_months_that_are_over_are_counted() {
    let (range, key) = (wire::LogRange::default(), NoiseKey::new([7; 32]));
    let early = Order {
        as_of_ms: in_month(3, 30),
        ..order(&range, &key)
    };
    assert_eq!(make(&[], &early), Err(StatisticsError::NotOver));
    for wrong in [
        "2026-13",
        "2026-1",
        "2026-03..2026-01",
        "2020-01..2026-01",
        "+026-01",
        "",
    ] {
        assert!(wrong.parse::<Period>().is_err(), "{wrong}");
    }
    let one = |text: &str| text.parse::<Period>().expect("a period");
    assert_eq!(
        one("2024-02..2026-01").months().expect("they fit").len(),
        24
    );
    assert!("2024-01..2026-01".parse::<Period>().is_err());
    assert!(one("2026-01..2026-03").overlaps(&one("2026-03")));
    assert!(!one("2026-01..2026-02").overlaps(&one("2026-03")));
}

// STA-6: a revision is of the same months, member and definition.
#[test]
fn a_revision_is_of_the_same() {
    let (range, key) = (wire::LogRange::default(), NoiseKey::new([7; 32]));
    let first = make(&many(50, |_| [0, 0, 1, 1]), &order(&range, &key)).expect("it can be made");
    for other in [
        Order {
            member: "member-b",
            ..order(&range, &key)
        },
        Order {
            zone: "Europe/Madrid",
            ..order(&range, &key)
        },
        Order {
            period: "2026-01".parse().expect("a period"),
            ..order(&range, &key)
        },
    ] {
        let order = Order {
            before: Some((&first, [0; 32])),
            ..other
        };
        assert_eq!(make(&[], &order), Err(StatisticsError::NotARevision));
    }
}

// STA-21: batches count once and what repeats another not at all; nobody sees fewer than the threshold.
#[test]
fn incidents_are_not_reports() {
    let mut facts = many(60, |_| [0, 0, 1, 1]);
    for fact in &mut facts[..30] {
        fact.incident = Some("one".to_owned());
    }
    for fact in &mut facts[30..] {
        fact.incident = None;
    }
    facts[59].duplicate = true;
    let incidents = made(&facts).rows[0].incidents.expect("it is shown");
    assert!(incidents.abs_diff(30) <= 4, "{incidents}");
    for fact in &mut facts {
        fact.incident = Some("one".to_owned());
    }
    assert_eq!(made(&facts).rows[0].incidents, None);
}

// STA-22: a median needs as many times as a cell needs reports.
#[test]
fn a_median_of_few_is_none() {
    const HOUR_MS: u64 = 3_600_000;
    let times: Vec<u64> = (1..=9).map(|hours| hours * HOUR_MS).collect();
    assert_eq!(median_tenths(times.clone(), 10), None);
    assert_eq!(median_tenths(times.clone(), 9), Some(50));
    let ten = [times, vec![10 * HOUR_MS]].concat();
    assert_eq!(median_tenths(ten, 10), Some(55));
}

// STA-23: a share follows from what is shown; of a crossing that hides its part there is none.
#[test]
fn shares_follow_from_figures() {
    let table = made(&many(200, |number| {
        [0, 0, 1, if number < 50 { 0 } else { 1 }]
    }));
    let total = &table.rows[0];
    let overdue = view::row(&table, &[view::place("overdue", "yes")]).and_then(|row| row.reports);
    let (overdue, reports) = (
        overdue.expect("it is shown"),
        total.reports.expect("it is shown"),
    );
    assert_eq!(
        total.overdue_percent.map(u64::from),
        Some((overdue * 200 + reports) / (reports * 2))
    );
    assert_eq!(total.shelved_percent, None);
}

// STA-15: a line hides none alone, and hides enough together.
#[test]
fn a_line_hides_none_alone() {
    assert_eq!(line(&[50, 3, 20], 10), [true, false, false]);
    assert_eq!(line(&[50, 3, 4, 20], 10), [true, false, false, false]);
    assert_eq!(line(&[50, 20], 10), [true, true]);
    assert_eq!(line(&[50, 0], 10), [false, false]);
}

// STA-26 to STA-28: what is changed is found out, by its name.
#[test]
fn figures_that_do_not_hold_are_named() {
    let spread = |number: u32| {
        let at = u8::try_from(number % 100).expect("small");
        [at % 3, at % 2, at % 3, at]
    };
    let table = made(&many(300, spread));
    let problem = |change: &dyn Fn(&mut wire::StatisticsTable)| {
        let mut changed = table.clone();
        change(&mut changed);
        figures(&changed)
            .into_iter()
            .find_map(|check| check.problem)
    };
    assert_eq!(problem(&|_| {}), None);
    assert_eq!(
        problem(&|table| table.rows[1].reports = Some(5)),
        Some(Problem::Small)
    );
    assert_eq!(
        problem(&|table| table.rows[1].reports = Some(101)),
        Some(Problem::NotRounded)
    );
    assert_eq!(
        problem(&|table| table.rows[1].reports = Some(250)),
        Some(Problem::NotAdditive)
    );
    assert_eq!(
        problem(&|table| table.rows[0].overdue_percent = Some(99)),
        Some(Problem::Share)
    );
    assert_eq!(
        problem(&|table| drop(table.rows.pop())),
        Some(Problem::Alone)
    );
}

// STA-1, LIM-140: neither what is signed as something else is a table, nor what is longer than one may be.
#[test]
fn only_a_signed_table_is_one() {
    let table = made(&many(100, |_| [0, 0, 1, 1]));
    let key = crate::fixture::key(7);
    let signed = sign(&table, &key).expect("a key in memory signs");
    assert!(parse(&signed).is_ok());
    let mut other = v1::Signed::decode(&signed[..]).expect("it was signed");
    other.payload_type = frex_proto::label::TYPE_SUM_COMMITMENTS.to_owned();
    assert!(parse(&other.encode_to_vec()).is_err());
    let long = vec![0; limits::STATISTICS_BYTES_MAX + 1];
    assert_eq!(parse(&long).map(drop), Err(StatisticsError::TooLarge));
    assert_eq!(message(&long).map(drop), Err(StatisticsError::TooLarge));
}

// STA-2: a table that is not of its form is not read.
#[test]
fn a_table_of_another_form_is_refused() {
    let table = made(&many(100, |number| {
        [u8::try_from(number % 3).expect("small"), 0, 1, 1]
    }));
    let read = |change: &dyn Fn(&mut wire::StatisticsTable)| {
        let mut changed = table.clone();
        change(&mut changed);
        let signed = sign(&changed, &crate::fixture::key(7)).expect("a key in memory signs");
        parse(&signed).map(drop)
    };
    assert_eq!(read(&|_| {}), Ok(()));
    let malformed = Err(StatisticsError::Malformed);
    assert_eq!(read(&|table| table.rows.swap(0, 1)), malformed);
    assert_eq!(
        read(&|table| table.rows[1] = table.rows[2].clone()),
        malformed
    );
    assert_eq!(read(&|table| table.axes.swap(0, 1)), malformed);
    assert_eq!(
        read(&|table| table.supersedes = vec![1; 32].into()),
        malformed
    );
    assert_eq!(read(&|table| table.member = "=cmd".to_owned()), malformed);
    assert_eq!(
        read(&|table| table.axes[1].values[0] = "=1+1".to_owned()),
        malformed
    );
    assert_eq!(
        read(&|table| table.control.as_mut().expect("there").threshold = 4),
        Err(StatisticsError::Threshold)
    );
}

// STA-7: what else is known of a case goes before what a receipt says.
#[test]
fn a_case_says_more_than_a_receipt() {
    let case = CaseState {
        outcome: Some("arrest".to_owned()),
        shelved: None,
        overdue: 2,
        duplicate: true,
        acted_ms: Some(7),
    };
    let known = fact(1, [0, 0, 2, 1]).with(&case);
    assert_eq!(
        (known.outcome.as_deref(), known.overdue, known.duplicate),
        (Some("arrest"), 2, true)
    );
    assert_eq!(known.times.acted_ms, Some(7));
    assert_eq!(
        fact(1, [0, 0, 2, 1]).with(&CaseState::default()),
        fact(1, [0, 0, 2, 1])
    );
}
