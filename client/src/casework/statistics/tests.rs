//! What holds for every table, over random facts.

mod attack;
mod sums;
mod tables;

use super::*;

/// January to March 2026.
pub(super) fn period() -> Period {
    "2026-01..2026-03".parse().expect("a period")
}

/// Milliseconds in a month of 2026, UTC.
pub(super) fn in_month(month: i8, day: u64) -> u64 {
    let month = Month { year: 2026, month };
    month.begins_ms("UTC").expect("UTC is a zone") + day * 86_400_000
}

/// A fact by small numbers: month, country, outcome, overdue.
pub(super) fn fact(number: u32, at: [u8; 4]) -> Fact {
    let mut record = [0; 16];
    record[..4].copy_from_slice(&number.to_be_bytes());
    let month = i8::try_from(at[0] % 3).expect("small") + 1;
    let filed_ms = in_month(month, u64::from(number % 25));
    Fact {
        record,
        entry: u64::from(number),
        logged_ms: filed_ms + 1000,
        categories: vec![Code {
            scheme: "iccam".to_owned(),
            version: "3".to_owned(),
            code: ["baseline", "national"][usize::from(at[1] % 2)].to_owned(),
        }],
        countries: vec![["ES", "FR", "IE", "NL"][usize::from(at[1] % 4)].to_owned()],
        roles: vec!["platform".to_owned()],
        lane: "normal".to_owned(),
        incident: (number.is_multiple_of(7)).then(|| "batch".to_owned()),
        accounts: u64::from(number % 3),
        items: 2,
        times: Times {
            filed_ms,
            accepted_ms: Some(filed_ms + 1000),
            opened_ms: (number.is_multiple_of(2)).then_some(filed_ms + 7_200_000),
            acted_ms: None,
        },
        outcome: (!at[2].is_multiple_of(3))
            .then(|| ["", "arrest", "no_crime"][usize::from(at[2] % 3)].to_owned()),
        overdue: u32::from(at[3].is_multiple_of(5)),
        ..Fact::default()
    }
}

pub(super) fn order<'a>(range: &'a wire::LogRange, key: &'a NoiseKey) -> Order<'a> {
    Order {
        definition: definition("frex.reports-received", None).expect("it is published"),
        federation: "fed",
        member: "member-a",
        period: period(),
        zone: "UTC",
        as_of_ms: in_month(4, 1),
        steps: Steps::default(),
        range,
        key,
        before: None,
    }
}

pub(super) fn made(facts: &[Fact]) -> wire::StatisticsTable {
    let (range, key) = (wire::LogRange::default(), NoiseKey::new([7; 32]));
    make(facts, &order(&range, &key)).expect("it can be made")
}
