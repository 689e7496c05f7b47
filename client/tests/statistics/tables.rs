//! Vectors of tables: how they read, and what their figures say of each other.

use frex_client::casework::statistics::wire::{
    AxisValues, Control, Coordinate, Crossing, LogRange, Row, StatisticsTable,
};

use crate::{Vector, replay::unsigned};

fn row(at: &[(&str, &str)], reports: u64) -> Row {
    let place = |(axis, value): &(&str, &str)| Coordinate {
        axis: (*axis).to_owned(),
        value: (*value).to_owned(),
    };
    Row {
        at: at.iter().map(place).collect(),
        reports: Some(reports),
        ..Row::default()
    }
}

fn axis(axis: &str, values: &[&str]) -> AxisValues {
    AxisValues {
        axis: axis.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

/// A table with a crossing of which four cells are hidden.
fn good() -> StatisticsTable {
    let months = ["2026-01", "2026-02", "2026-03"];
    let mut rows = vec![Row {
        incidents: Some(280),
        overdue_percent: Some(20),
        ..row(&[], 300)
    }];
    rows.extend(months.map(|month| Row {
        incidents: Some(95),
        ..row(&[("month", month)], 100)
    }));
    rows.push(row(&[("country", "ES")], 200));
    rows.push(row(&[("country", "FR")], 60));
    rows.push(row(&[("country", "other")], 40));
    rows.push(row(&[("overdue", "no")], 240));
    rows.push(row(&[("overdue", "yes")], 60));
    for at in &mut rows[4..7] {
        at.incidents = Some(90);
    }
    for at in &mut rows[7..9] {
        at.incidents = Some(140);
    }
    rows.push(row(&[("month", "2026-01"), ("country", "ES")], 70));
    rows.push(row(&[("month", "2026-01"), ("country", "FR")], 20));
    rows.push(row(&[("month", "2026-01"), ("country", "other")], 10));
    rows.push(row(&[("month", "2026-02"), ("country", "ES")], 65));
    rows.push(row(&[("month", "2026-03"), ("country", "ES")], 65));
    StatisticsTable {
        federation: "fed".to_owned(),
        member: "police.example".to_owned(),
        definition_id: "frex.reports-received".to_owned(),
        definition_version: 1,
        definition_sha256: vec![1; 32].into(),
        first_month: "2026-01".to_owned(),
        last_month: "2026-03".to_owned(),
        zone: "Europe/Madrid".to_owned(),
        as_of_ms: 1_780_000_000_000,
        revision: 1,
        supersedes: bytes::Bytes::new(),
        range: Some(LogRange {
            origin: "frex/fed/node.example/log/1".to_owned(),
            first: 3,
            end: 400,
            checkpoint: bytes::Bytes::new(),
        }),
        records_sha256: vec![2; 32].into(),
        control: Some(Control {
            threshold: 10,
            base: 5,
            noise_max: 2,
            exact_from: 1000,
            noise_key_id: vec![3; 8].into(),
        }),
        axes: vec![
            axis("month", &months),
            axis("country", &["ES", "FR", "other"]),
            axis("overdue", &["no", "yes"]),
        ],
        crossings: vec![Crossing {
            first: "month".to_owned(),
            second: "country".to_owned(),
            withdrawn: false,
        }],
        rows,
    }
}

fn changed(
    name: &'static str,
    spec: &str,
    what: &str,
    expect: &str,
    change: impl Fn(&mut StatisticsTable),
) -> Vector {
    let mut table = good();
    change(&mut table);
    let message = hex::encode(unsigned(&table));
    Vector::new(name, spec, what, "read_figures")
        .set("expect", expect)
        .set("message", message)
}

pub fn make() -> Vec<Vector> {
    let mut vectors = vec![changed(
        "table",
        "STA-28",
        "a table whose figures agree",
        "ok",
        |_| {},
    )];
    vectors.extend(forms());
    vectors.extend(lengths());
    vectors.extend(axes());
    vectors.extend(rows());
    vectors.extend(agreement());
    vectors.extend(shares());
    vectors
}

fn forms() -> Vec<Vector> {
    const M: &str = "Malformed";
    let form = |name, what: &str, expect: &str, change: &dyn Fn(&mut StatisticsTable)| {
        changed(name, "STA-2", what, expect, change)
    };
    vec![
        form("table-member-formula", "a member is a name", M, &|one| {
            one.member = "=1+1".to_owned();
        }),
        form(
            "table-federation-empty",
            "a federation has a name",
            M,
            &|one| one.federation.clear(),
        ),
        form("table-zone-path", "a zone is the name of one", M, &|one| {
            one.zone = "../../etc/x y".to_owned();
        }),
        form("table-revision-0", "revisions count from 1", M, &|one| {
            one.revision = 0;
        }),
        form(
            "table-supersedes-nothing",
            "a later revision names the one before",
            M,
            &|one| one.revision = 2,
        ),
        form(
            "table-first-supersedes",
            "the first revision has none before it",
            M,
            &|one| one.supersedes = vec![9; 32].into(),
        ),
        form("table-definition-hash", "a hash has 32 bytes", M, &|one| {
            one.definition_sha256 = vec![1; 31].into();
        }),
        form("table-without-range", "a table rests on a log", M, &|one| {
            one.range = None;
        }),
        form(
            "table-range-backwards",
            "a range does not go backwards",
            M,
            &|one| one.range.as_mut().unwrap().end = 2,
        ),
        form(
            "table-without-control",
            "a table says how it hides",
            M,
            &|one| one.control = None,
        ),
        form(
            "table-threshold-4",
            "a threshold is at least 5",
            "Threshold",
            &|one| one.control.as_mut().unwrap().threshold = 4,
        ),
        form("table-base-1", "figures are rounded to 5", M, &|one| {
            one.control.as_mut().unwrap().base = 1;
        }),
        form("table-no-noise", "noise is of at most 2", M, &|one| {
            one.control.as_mut().unwrap().noise_max = 0;
        }),
    ]
}

fn lengths() -> Vec<Vector> {
    let long = |name, spec: &str, what: &str, change: &dyn Fn(&mut StatisticsTable)| {
        changed(name, spec, what, "Malformed", change)
    };
    vec![
        long(
            "table-value-too-long",
            "LIM-145",
            "a value has a bound",
            &|one| {
                one.axes[1].values[0] = "E".repeat(201);
            },
        ),
        long(
            "table-zone-too-long",
            "LIM-146",
            "a zone has a bound",
            &|one| {
                one.zone = "z".repeat(65);
            },
        ),
    ]
}

fn axes() -> Vec<Vector> {
    const M: &str = "Malformed";
    let form = |name, what: &str, expect: &str, change: &dyn Fn(&mut StatisticsTable)| {
        changed(name, "STA-2", what, expect, change)
    };
    vec![
        form(
            "table-axis-unknown",
            "axes are those of the chapter",
            M,
            &|one| one.axes[1].axis = "age".to_owned(),
        ),
        form(
            "table-axes-turned",
            "axes stand in their order",
            M,
            &|one| one.axes.swap(1, 2),
        ),
        form("table-value-twice", "a value stands once", M, &|one| {
            one.axes[1].values[1] = "ES".to_owned();
        }),
        form("table-value-formula", "a value is no formula", M, &|one| {
            one.axes[1].values[0] = "=ES".to_owned();
        }),
        form(
            "table-values-129",
            "an axis has at most 128 values",
            "TooLarge",
            &|one| {
                one.axes[1].values = (0..129).map(|at| format!("v{at}")).collect();
            },
        ),
        form(
            "table-months-missing",
            "every month of the period is there",
            M,
            &|one| drop(one.axes[0].values.pop()),
        ),
        form("table-months-overlap", "a month stands once", M, &|one| {
            one.axes[0].values[1] = "2026-01/2026-02".to_owned();
        }),
        form(
            "table-crossing-with-itself",
            "a crossing is of two axes",
            M,
            &|one| one.crossings[0].second = "month".to_owned(),
        ),
        form(
            "table-crossing-twice",
            "a crossing stands once",
            M,
            &|one| {
                let mut again = one.crossings[0].clone();
                std::mem::swap(&mut again.first, &mut again.second);
                one.crossings.push(again);
            },
        ),
        form(
            "table-period-backwards",
            "months do not go backwards",
            "Period",
            &|one| one.last_month = "2025-12".to_owned(),
        ),
    ]
}

fn rows() -> Vec<Vector> {
    const M: &str = "Malformed";
    let form = |name, what: &str, change: &dyn Fn(&mut StatisticsTable)| {
        changed(name, "STA-2", what, M, change)
    };
    vec![
        form("table-rows-turned", "rows stand in their order", &|one| {
            one.rows.swap(1, 2);
        }),
        form("table-row-twice", "a row stands once", &|one| {
            one.rows.insert(2, one.rows[1].clone());
        }),
        form(
            "table-row-missing",
            "every value of an axis has its row",
            &|one| drop(one.rows.remove(4)),
        ),
        form(
            "table-row-elsewhere",
            "a row is of values that the axes have",
            &|one| one.rows[4].at[0].value = "DE".to_owned(),
        ),
        form(
            "table-cell-of-no-crossing",
            "a cell is of a crossing",
            &|one| {
                one.rows
                    .push(row(&[("country", "ES"), ("overdue", "no")], 50));
            },
        ),
        form(
            "table-cell-withdrawn",
            "a crossing that is withdrawn shows nothing",
            &|one| one.crossings[0].withdrawn = true,
        ),
        changed(
            "table-cell-with-more",
            "STA-24",
            "of a cell only the number of reports is shown",
            M,
            |one| {
                one.rows.last_mut().unwrap().items = Some(50);
            },
        ),
        form(
            "table-value-without-reports",
            "the reports of a value are shown",
            &|one| one.rows[4].reports = None,
        ),
    ]
}

fn agreement() -> Vec<Vector> {
    let last = |one: &mut StatisticsTable, reports: u64| {
        one.rows.last_mut().unwrap().reports = Some(reports);
    };
    vec![
        changed(
            "table-small",
            "STA-27",
            "5 is under the threshold",
            "Small",
            |one| last(one, 5),
        ),
        changed(
            "table-zero",
            "STA-10",
            "a figure that is shown is never 0",
            "Small",
            |one| last(one, 0),
        ),
        changed(
            "table-small-incidents",
            "STA-27",
            "other figures are not small either",
            "Small",
            |one| one.rows[0].incidents = Some(5),
        ),
        changed(
            "table-not-rounded",
            "STA-27",
            "62 is no multiple of 5",
            "NotRounded",
            |one| last(one, 62),
        ),
        changed(
            "table-total-not-exact",
            "STA-20",
            "a total of less than the number named is rounded",
            "NotRounded",
            |one| one.rows[0].reports = Some(301),
        ),
        changed(
            "table-does-not-add-up",
            "STA-28",
            "a month has 60 too many",
            "NotAdditive",
            |one| one.rows[1].reports = Some(160),
        ),
        changed(
            "table-cell-over-its-row",
            "STA-28",
            "a cell has more than its month",
            "NotAdditive",
            |one| last(one, 180),
        ),
    ]
}

fn shares() -> Vec<Vector> {
    vec![
        changed(
            "table-alone",
            "STA-26",
            "of a month all but one are shown",
            "Alone",
            |one| {
                one.rows
                    .insert(13, row(&[("month", "2026-02"), ("country", "FR")], 25));
            },
        ),
        changed(
            "table-share-wrong",
            "STA-23",
            "21 % does not follow from 60 of 300",
            "Share",
            |one| one.rows[0].overdue_percent = Some(21),
        ),
        changed(
            "table-share-missing",
            "STA-23",
            "a share that follows is there",
            "Share",
            |one| one.rows[0].overdue_percent = None,
        ),
        changed(
            "table-share-of-a-month",
            "STA-23",
            "of a month no share follows from what is shown",
            "Share",
            |one| one.rows[1].overdue_percent = Some(20),
        ),
        changed(
            "table-joined",
            "STA-12",
            "months that are joined are those of the period",
            "ok",
            |one| {
                one.axes[0].values = vec!["2026-01".to_owned(), "2026-02/2026-03".to_owned()];
                for at in &mut one.rows[2].at {
                    at.value = "2026-02/2026-03".to_owned();
                }
                one.rows[2].reports = Some(200);
                one.rows[2].incidents = Some(190);
                one.rows.remove(3);
                one.rows.truncate(8);
                one.crossings[0].withdrawn = true;
            },
        ),
        changed(
            "table-medians-of-nothing",
            "STA-22",
            "where reports are not shown, no median is",
            "Small",
            |one| {
                one.rows[0].reports = None;
                one.rows[0].opened_tenths = Some(25);
            },
        ),
    ]
}
