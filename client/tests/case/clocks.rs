//! Clocks across zones, changes of clocks, ends of years, leap days, holidays.

use frex_client::casework::clock::instant;
use serde_json::json;

use super::Vector;

type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    (
        "clock-order-madrid",
        "eu-epoc",
        "answer",
        "2026-11-26T10:00:00Z",
        "",
        "ES",
        &[],
    ),
    (
        "clock-order-before-midnight",
        "eu-epoc",
        "answer",
        "2026-11-26T22:59:59.999Z",
        "",
        "ES",
        &[],
    ),
    (
        "clock-order-after-midnight",
        "eu-epoc",
        "answer",
        "2026-11-26T23:00:00Z",
        "",
        "ES",
        &[],
    ),
    (
        "clock-order-rolls-over-holidays",
        "eu-epoc",
        "answer",
        "2026-11-25T10:00:00Z",
        "",
        "ES",
        &["2026-12-07", "2026-12-08"],
    ),
    (
        "clock-emergency-over-the-change",
        "eu-epoc-emergency",
        "answer",
        "2026-10-24T23:30:00Z",
        "Europe/Berlin",
        "DE",
        &[],
    ),
    (
        "clock-keep-never-rolls",
        "eu-epoc-pr",
        "keep",
        "2026-11-24T10:00:00Z",
        "",
        "IE",
        &["2027-01-23"],
    ),
    (
        "clock-keep-leap-day",
        "us-2703f",
        "keep",
        "2028-02-29T12:00:00Z",
        "America/Los_Angeles",
        "US",
        &[],
    ),
    (
        "clock-year-leap-day",
        "us-report-act",
        "keep",
        "2028-02-29T12:00:00Z",
        "",
        "US",
        &[],
    ),
    (
        "clock-enforcement-year-end",
        "eu-epoc",
        "enforcement",
        "2026-12-23T12:00:00Z",
        "",
        "FR",
        &["2026-12-25", "2027-01-01"],
    ),
    (
        "clock-santiago-gap-at-midnight",
        "eu-2023-977",
        "answer",
        "2026-08-30T12:00:00Z",
        "America/Santiago",
        "CL",
        &[],
    ),
    (
        "clock-kiritimati",
        "eu-2023-977",
        "answer",
        "2026-11-26T10:00:00Z",
        "Pacific/Kiritimati",
        "KI",
        &[],
    ),
    (
        "clock-unknown-zone",
        "eu-2023-977",
        "answer",
        "2026-11-26T10:00:00Z",
        "Nowhere/Else",
        "XX",
        &[],
    ),
    (
        "clock-no-such-profile",
        "mars-1",
        "answer",
        "2026-11-26T10:00:00Z",
        "",
        "ES",
        &[],
    ),
    (
        "clock-no-such-rule",
        "eu-epoc-pr",
        "route",
        "2026-11-26T10:00:00Z",
        "",
        "ES",
        &[],
    ),
    (
        "clock-without-clocks",
        "mla",
        "answer",
        "2026-11-26T10:00:00Z",
        "",
        "ES",
        &[],
    ),
];

pub(crate) fn make() -> Vec<Vector> {
    let vector = |(name, profile, what, from, zone, country, free): &Row| {
        let refused = [
            "clock-no-such-profile",
            "clock-no-such-rule",
            "clock-without-clocks",
        ];
        let expect = if refused.contains(name) {
            "NoClock"
        } else {
            "ok"
        };
        Vector::new(name, "CSE-21", "when a clock is over", "count_clock")
            .set("profile", *profile)
            .set("duty", *what)
            .set("from_ms", instant(from).unwrap())
            .set("zone", *zone)
            .set("country", *country)
            .set("holidays", json!(free))
            .set("expect", expect)
    };
    ROWS.iter().map(vector).collect()
}
