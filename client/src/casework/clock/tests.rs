//! The table of clocks, and counting by fixed tables that were made with another program's time zones.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{Duty, Profile, Rule, Unit, holidays, instant, profile, profiles, rfc3339, zone_of};

fn at(text: &str) -> u64 {
    instant(text).unwrap_or_else(|| panic!("{text} is no time"))
}

fn rule(unit: Unit, count: i32, rolls: bool) -> Rule {
    Rule {
        what: Duty::Answer,
        count,
        unit,
        rolls,
        times: 0,
        source: String::new(),
    }
}

fn due(rule: &Rule, from: &str, zone: &str, free: &[&str]) -> String {
    let free: BTreeSet<Date> = free.iter().map(|day| day.parse().unwrap()).collect();
    rule.due(at(from), &zone_of(zone, ""), Some(&free))
        .map(rfc3339)
        .unwrap()
}

// CSE-20: every row has its source, and requests name a row by one name.
#[test]
fn every_clock_has_a_source_and_every_profile_a_name_of_its_own() {
    let names: BTreeSet<&str> = profiles().iter().map(|one| one.id.as_str()).collect();
    assert_eq!((names.len(), names.len()), (profiles().len(), 15));
    let rules = profiles().iter().flat_map(|one| &one.clocks);
    assert!(
        rules
            .clone()
            .all(|rule| !rule.source.is_empty() && rule.count > 0)
    );
    let count = |id: &str, what| {
        let rule = profile(id)
            .and_then(|one: &Profile| one.rule(what))
            .unwrap();
        (rule.count, rule.unit)
    };
    assert_eq!(count("eu-epoc", Duty::Answer), (10, Unit::Days));
    assert_eq!(count("eu-epoc-emergency", Duty::Answer), (8, Unit::Hours));
    assert_eq!(
        count("eu-epoc-emergency", Duty::Objection),
        (96, Unit::Hours)
    );
    assert_eq!(count("eu-epoc", Duty::Enforcement), (5, Unit::WorkingDays));
    assert_eq!(count("eu-epoc-pr", Duty::Keep), (60, Unit::Days));
    assert_eq!(count("eu-epoc-pr", Duty::Extend), (30, Unit::Days));
    assert_eq!(count("us-2703f", Duty::Extend), (90, Unit::Days));
    assert_eq!(count("us-report-act", Duty::Keep), (1, Unit::Years));
    assert_eq!(count("report-urgent", Duty::Acknowledge), (1, Unit::Hours));
    assert_eq!(count("takedown", Duty::Takedown), (60, Unit::Hours));
    assert_eq!(
        profile("eu-epoc-pr")
            .unwrap()
            .rule(Duty::Extend)
            .unwrap()
            .times,
        1
    );
}

/// When ten days are over that begin at an instant, in a zone.
const TEN_DAYS: &[(&str, &str, &str)] = &[
    (
        "2026-11-26T10:00:00Z",
        "Europe/Madrid",
        "2026-12-06T22:59:59.999Z",
    ),
    // One minute before midnight in Madrid, and one after.
    (
        "2026-11-26T22:59:00Z",
        "Europe/Madrid",
        "2026-12-06T22:59:59.999Z",
    ),
    (
        "2026-11-26T23:01:00Z",
        "Europe/Madrid",
        "2026-12-07T22:59:59.999Z",
    ),
    (
        "2026-11-26T10:00:00Z",
        "America/New_York",
        "2026-12-07T04:59:59.999Z",
    ),
    (
        "2026-11-26T10:00:00Z",
        "Pacific/Kiritimati",
        "2026-12-07T09:59:59.999Z",
    ),
    (
        "2026-11-26T10:00:00Z",
        "Asia/Kolkata",
        "2026-12-06T18:29:59.999Z",
    ),
    // Clocks go back on 25 October and forward on 28 March: days in between are longer or shorter.
    (
        "2026-10-20T10:00:00Z",
        "Europe/Berlin",
        "2026-10-30T22:59:59.999Z",
    ),
    (
        "2027-03-22T10:00:00Z",
        "Europe/Berlin",
        "2027-04-01T21:59:59.999Z",
    ),
    // A year ends, and a leap day comes.
    (
        "2026-12-28T10:00:00Z",
        "Europe/London",
        "2027-01-07T23:59:59.999Z",
    ),
    (
        "2028-02-20T10:00:00Z",
        "Europe/London",
        "2028-03-01T23:59:59.999Z",
    ),
    (
        "2027-02-20T10:00:00Z",
        "Europe/London",
        "2027-03-02T23:59:59.999Z",
    ),
    // In Santiago clocks go forward at midnight: 6 September 2026 begins at one o'clock.
    (
        "2026-08-27T12:00:00Z",
        "America/Santiago",
        "2026-09-07T02:59:59.999Z",
    ),
    (
        "2026-08-26T12:00:00Z",
        "America/Santiago",
        "2026-09-06T03:59:59.999Z",
    ),
    (
        "2026-08-25T12:00:00Z",
        "America/Santiago",
        "2026-09-05T03:59:59.999Z",
    ),
    // Samoa had no 30 December 2011.
    (
        "2011-12-20T12:00:00Z",
        "Pacific/Apia",
        "2011-12-30T09:59:59.999Z",
    ),
];

// CSE-21: days begin after the day of receipt and end with the last one where the addressee is.
#[test]
fn days_end_at_midnight_where_the_addressee_is() {
    let ten = rule(Unit::Days, 10, false);
    for (from, zone, wanted) in TEN_DAYS {
        assert_eq!(due(&ten, from, zone, &[]), *wanted, "{from} in {zone}");
    }
}

// CSE-22: hours pass, whatever clocks on walls do.
#[test]
fn hours_are_hours_that_pass() {
    let eight = rule(Unit::Hours, 8, true);
    for (from, wanted) in [
        ("2026-10-24T22:00:00Z", "2026-10-25T06:00:00.000Z"),
        ("2027-03-27T22:30:00+01:00", "2027-03-28T05:30:00.000Z"),
        ("2026-12-31T20:00:00Z", "2027-01-01T04:00:00.000Z"),
    ] {
        assert_eq!(
            due(&eight, from, "Europe/Berlin", &["2027-01-01"]),
            wanted,
            "{from}"
        );
    }
}

// CSE-21: what rolls ends on a working day; what is kept never ends later than it must.
#[test]
fn an_end_on_a_day_without_work_moves_only_where_the_law_says_so() {
    let from = "2026-11-25T10:00:00Z";
    let ten = |rolls| rule(Unit::Days, 10, rolls);
    // 5 December 2026 is a Saturday, 8 December a holiday in Spain, as is 7 December for this table.
    assert_eq!(
        due(&ten(false), from, "Europe/Madrid", &[]),
        "2026-12-05T22:59:59.999Z"
    );
    assert_eq!(
        due(&ten(true), from, "Europe/Madrid", &[]),
        "2026-12-07T22:59:59.999Z"
    );
    let free = ["2026-12-07", "2026-12-08"];
    assert_eq!(
        due(&ten(true), from, "Europe/Madrid", &free),
        "2026-12-09T22:59:59.999Z"
    );
    let five = rule(Unit::WorkingDays, 5, false);
    assert_eq!(
        due(&five, "2026-12-02T10:00:00Z", "Europe/Madrid", &free),
        "2026-12-11T22:59:59.999Z"
    );
    assert_eq!(
        due(
            &five,
            "2026-12-24T10:00:00Z",
            "Europe/Paris",
            &["2026-12-25", "2027-01-01"]
        ),
        "2027-01-04T22:59:59.999Z"
    );
    let year = rule(Unit::Years, 1, false);
    assert_eq!(
        due(&year, "2028-02-29T12:00:00Z", "America/New_York", &[]),
        "2029-03-01T04:59:59.999Z"
    );
    assert_eq!(
        due(&year, "2026-11-26T12:00:00Z", "America/New_York", &[]),
        "2027-11-27T04:59:59.999Z"
    );
}

// CSE-21: a calendar without a working day has no end, and the end of time is none.
#[test]
fn what_cannot_be_counted_has_no_end() {
    let zone = zone_of("", "ES");
    assert_eq!(zone.name, "Europe/Madrid");
    assert_eq!(rule(Unit::Hours, 8, false).due(u64::MAX, &zone, None), None);
    assert_eq!(rule(Unit::Days, 8, false).due(u64::MAX, &zone, None), None);
    assert_eq!(rule(Unit::Hours, -1, false).due(0, &zone, None), None);
    let start: Date = "2026-01-01".parse().unwrap();
    let free = (0..800)
        .map(|days| start.checked_add(jiff::ToSpan::days(days)).unwrap())
        .collect();
    let five = rule(Unit::WorkingDays, 5, false);
    assert_eq!(
        five.due(at("2026-01-01T00:00:00Z"), &zone, Some(&free)),
        None
    );
}

// CSE-23: the zone that is named, else the country's, else UTC.
#[test]
fn a_zone_is_named_or_of_the_country() {
    for (named, country, wanted) in [
        ("", "US", "America/New_York"),
        ("America/Los_Angeles", "US", "America/Los_Angeles"),
        ("Nowhere/Else", "FR", "Europe/Paris"),
        ("", "XX", "UTC"),
        ("", "", "UTC"),
    ] {
        assert_eq!(zone_of(named, country).name, wanted, "{named} {country}");
    }
}

// CSE-3: only RFC 3339 with an offset is a time.
#[test]
fn a_time_has_a_date_a_clock_and_an_offset() {
    assert_eq!(
        instant("2026-11-26T16:00:00+01:00"),
        instant("2026-11-26T15:00:00Z")
    );
    for wrong in [
        "",
        "2026-11-26",
        "2026-11-26T16:00:00",
        "2026-11-26 16:00:00Z",
        "yesterday",
        "1969-12-31T00:00:00Z",
        "2026-11-26T16:00:00+24:00",
        "2026-11-26T16:00:00-25:59",
        "2026-11-26T16:00:00+01:60",
        "2026-11-26T16:00:00+0100",
        "2026-11-26T16:00:00+01:00[Europe/Paris]",
        "2026-11-26T16:00:00,5Z",
        "2026-11-26T16:00:00z",
        "2026-11-26t16:00:00Z",
        "2026-11-26T16:00Z",
        "2026-12-31T23:59:60Z",
    ] {
        assert_eq!(instant(wrong), None, "{wrong}");
    }
}

// CSE-21: holidays are data, whole or not at all.
#[test]
fn holidays_are_days_by_country() {
    let read = holidays(br#"{"ES": ["2026-12-25", "2026-12-08"], "FR": []}"#).unwrap();
    assert_eq!((read["ES"].len(), read["FR"].len()), (2, 0));
    for wrong in [
        r#"{"ES": ["25 December"]}"#,
        "[]",
        r#"{"ES": "2026-12-25"}"#,
    ] {
        assert_eq!(holidays(wrong.as_bytes()), None, "{wrong}");
    }
}
