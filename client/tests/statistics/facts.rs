//! Vectors from facts to figures, sums and changes.

use frex_proto::label;
use serde_json::{Value, json};

use crate::{Vector, replay::begins};

const DAY_MS: u64 = 86_400_000;

/// A small generator of numbers, the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Made-up facts in three months, unevenly spread.
fn facts(count: u32, seed: u64) -> Vec<Value> {
    let mut numbers = Numbers(seed);
    (0..count)
        .map(|number| fact(number, &mut numbers))
        .collect()
}

fn fact(number: u32, numbers: &mut Numbers) -> Value {
    let months = [
        "2026-01", "2026-01", "2026-01", "2026-02", "2026-02", "2026-03",
    ];
    let countries = ["ES", "ES", "ES", "ES", "FR", "FR", "FR", "IE", "IE", "NL"];
    let outcomes = [
        None,
        None,
        None,
        Some("arrest"),
        Some("no_crime"),
        Some("no_crime"),
    ];
    let mut pick = |of: usize| usize::try_from(numbers.below(of as u64)).unwrap();
    let filed_ms = begins(months[pick(6)]) + pick(27) as u64 * DAY_MS + pick(1000) as u64;
    let (country, outcome, twist) = (countries[pick(10)], outcomes[pick(6)], pick(40));
    let record = label::sha256(&[&number.to_be_bytes()]);
    json!([
        hex::encode(&record[..16]),
        number,
        filed_ms + 1500,
        filed_ms,
        filed_ms + 1000 + pick(60_000) as u64,
        (pick(3) > 0).then(|| filed_ms + pick(200_000_000) as u64),
        outcome.map(|_| filed_ms + pick(900_000_000) as u64),
        if twist == 0 {
            vec![]
        } else {
            vec!["iccam/3/baseline"]
        },
        if twist == 1 {
            vec![country, "SE"]
        } else {
            vec![country]
        },
        vec!["platform"],
        "normal",
        (twist < 8).then(|| format!("batch-{}", twist % 4)),
        twist == 9,
        pick(4),
        1 + pick(5),
        outcome,
        (twist == 10).then_some("mla_pending"),
        u64::from(pick(6) == 0)
    ])
}

fn count(name: &'static str, spec: &str, what: &str, revisions: &[Vec<Value>]) -> Vector {
    Vector::new(name, spec, what, "count_figures")
        .set("expect", "ok")
        .set("first_month", "2026-01")
        .set("last_month", "2026-03")
        .set("zone", "UTC")
        .set("threshold", 10)
        .set("exact_from", 1000)
        .set("noise_key", hex::encode([0x5a; 32]))
        .set(
            "crossings",
            json!([
                ["month", "country"],
                ["month", "outcome"],
                ["country", "outcome"],
                ["country", "overdue"]
            ]),
        )
        .set("revisions", json!(revisions))
}

pub fn make() -> Vec<Vector> {
    let made = [
        counts(),
        further(),
        periods(),
        changes(),
        sums(),
        commitments(),
    ];
    made.into_iter().flatten().collect()
}

fn counts() -> Vec<Vector> {
    let many = facts(220, 1);
    let mut turned = many.clone();
    turned.rotate_left(77);
    let fewer = many[..180].to_vec();
    vec![
        count(
            "protect",
            "STA-14",
            "small cells are hidden with those by which they could be computed",
            std::slice::from_ref(&many),
        ),
        count(
            "protect-turned",
            "STA-9",
            "the same reports in another order make the same table",
            &[turned],
        ),
        count(
            "protect-again",
            "STA-16",
            "what the first revision hid stays hidden in the second",
            &[fewer, many.clone()],
        ),
        count(
            "protect-star",
            "STA-14",
            "a crossing that cannot be made safe is withdrawn, and those without the month with it",
            &[facts(60, 3)],
        ),
        count(
            "too-few",
            "STA-11",
            "of fewer than the threshold nothing is said",
            &[facts(9, 4)],
        ),
        count(
            "nothing",
            "STA-11",
            "of none nothing is said either",
            &[vec![]],
        ),
    ]
}

fn further() -> Vec<Vector> {
    let many = facts(220, 1);
    vec![
        count(
            "madrid",
            "STA-5",
            "months begin in the zone that the table names",
            std::slice::from_ref(&many),
        )
        .set("zone", "Europe/Madrid"),
        count(
            "higher-threshold",
            "STA-10",
            "a threshold of 17 is rounded up to 20 where a figure is shown",
            std::slice::from_ref(&many),
        )
        .set("threshold", 17),
        count(
            "exact-total",
            "STA-20",
            "a large total is exact",
            std::slice::from_ref(&many),
        )
        .set("exact_from", 200),
        count(
            "zone-unknown",
            "STA-5",
            "a zone that the database does not have",
            std::slice::from_ref(&many),
        )
        .set("zone", "Europe/Nowhere")
        .set("expect", "UnknownZone"),
    ]
}

fn periods() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, first, last, what) in [
        (
            "period-backwards",
            "2026-03",
            "2026-01",
            "months do not go backwards",
        ),
        (
            "period-too-long",
            "2024-01",
            "2026-01",
            "25 months are too many",
        ),
        (
            "month-13",
            "2026-13",
            "2026-13",
            "there is no thirteenth month",
        ),
        ("month-short", "2026-1", "2026-3", "a month has two digits"),
        (
            "month-signed",
            "+026-01",
            "2026-03",
            "a year has four digits and no sign",
        ),
    ] {
        let vector = count(name, "STA-6", what, &[Vec::new()]);
        vectors.push(
            vector
                .set("first_month", first)
                .set("last_month", last)
                .set("expect", "Period"),
        );
    }
    vectors
}

fn changes() -> Vec<Vector> {
    let change = |name, what: &str, before: u64, after: u64, expect: &str| {
        Vector::new(name, "STA-25", what, "change_of_figures")
            .set("expect", expect)
            .set("before", before)
            .set("after", after)
    };
    vec![
        change(
            "change-of-a-year",
            "from 785,322 to 2,497,438",
            785_322,
            2_497_438,
            "ok",
        ),
        change(
            "change-half",
            "half a per cent is away from zero",
            200,
            201,
            "ok",
        ),
        change(
            "change-half-down",
            "and so is half a per cent less",
            200,
            199,
            "ok",
        ),
        change(
            "change-none",
            "less than half a per cent is none",
            1000,
            1004,
            "ok",
        ),
        change(
            "change-from-49",
            "no change is told from 49",
            49,
            5000,
            "Base",
        ),
        change("change-from-0", "nor from nothing", 0, 50, "Base"),
    ]
}

fn sums() -> Vec<Vector> {
    let sum = |name, what: &str, parts: Value| {
        Vector::new(name, "STA-35", what, "sum_figures")
            .set("expect", "ok")
            .set("members", 3)
            .set("threshold", 10)
            .set("exact_from", 1000)
            .set("axes", json!([["country", ["ES", "FR", "other"]]]))
            .set("parts", parts)
    };
    let shares = json!([
        [u64::MAX - 5, 7, 3, 9],
        [40, u64::MAX, 1, 2],
        [21, 30, 20, 0]
    ]);
    vec![
        sum("sum", "shares add up modulo 2^64", shares),
        sum(
            "sum-small",
            "a small total hides another with it",
            json!([[30, 22, 1, 7], [31, 20, 2, 9], [35, 25, 0, 10]]),
        ),
        sum(
            "sum-too-small",
            "a total below the threshold hides all",
            json!([[3, 1, 1, 1], [3, 1, 1, 1], [3, 1, 1, 1]]),
        ),
        sum(
            "sum-exact",
            "a large total is exact",
            json!([
                [600, 200, 200, 200],
                [600, 200, 200, 200],
                [603, 201, 201, 201]
            ]),
        ),
        sum(
            "sum-of-two",
            "a round that misses somebody says nothing",
            json!([[30, 10, 10, 10], [30, 10, 10, 10]]),
        )
        .set("expect", "Missing"),
    ]
}

fn commitments() -> Vec<Vector> {
    let commit = |name, what: &str| {
        Vector::new(name, "STA-31", what, "commit_figures")
            .set("expect", "Commitment")
            .set("label", "frex/v1/sum-share")
            .set("round", hex::encode([1; 32]))
            .set("salt", hex::encode([2; 32]))
            .set("member", "a.example")
            .set("to", "b.example")
            .set("values", hex::encode([3; 16]))
    };
    let name = |name: &str| [&[0, 9][..], name.as_bytes()].concat();
    let parts: [&[u8]; 5] = [
        label::SUM_SHARE,
        &[1; 32],
        &name("a.example"),
        &name("b.example"),
        &[3; 16],
    ];
    let good = hex::encode(label::hmac_sha256(&[2; 32], &parts));
    vec![
        commit("commitment", "a share is the one that was committed to")
            .set("commitment", good.clone())
            .set("expect", "ok"),
        commit("commitment-of-another-share", "another share is not")
            .set("values", hex::encode([4; 16]))
            .set("commitment", good.clone()),
        commit("commitment-to-another", "nor is one for another member")
            .set("to", "c.example")
            .set("commitment", good.clone()),
        commit("commitment-of-another-round", "nor is one of another round")
            .set("round", hex::encode([9; 32]))
            .set("commitment", good.clone()),
        commit("commitment-of-figures", "nor are the figures themselves")
            .set("label", "frex/v1/sum-input")
            .set("commitment", good),
    ]
}
