//! Figures that count honestly, and give nobody away.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use frex_tests::processes::{Frex, NodeProcess};
use serde_json::Value;

use crate::{
    past::{self, Came},
    scene::ORDER,
};

const HOTLINE: &str = "hotline.fr";
const POLICE: &str = "police.es";
const CLEARING: &str = "clearing.de";
const MEMBERS: [&str; 3] = [HOTLINE, POLICE, CLEARING];
const ROSTER: [&str; 4] = ["--root", "governance/root.frex", "--roster", "roster.frex"];
const PATIENCE: Duration = Duration::from_secs(30);
const DISCLOSES: Option<u64> = Some(6076);

fn federation(dir: &Path) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(&MEMBERS, &[]);
    frex
}

fn came(count: u32, day: u64, country: &'static str) -> Came {
    Came {
        count,
        day,
        country,
    }
}

/// January to March, with three reports of one country in one month.
fn quarter() -> Vec<Came> {
    vec![
        came(40, 3, "ES"),
        came(30, 5, "FR"),
        came(3, 6, "IE"),
        came(50, 35, "ES"),
        came(20, 36, "FR"),
        came(25, 37, "IE"),
        came(45, 65, "ES"),
        came(35, 66, "FR"),
        came(15, 67, "IE"),
    ]
}

fn rows<'a>(said: &'a Value, month: &str, country: &str) -> &'a Value {
    let mut rows = said["rows"].as_array().unwrap().iter();
    let found = rows.find(|row| row["month"] == month && row["country"] == country);
    &found.unwrap()["reports"]
}

// STA-4, STA-8, STA-13, STA-26, STA-38: counted from receipts, hidden, signed, verified, counted again, published.
#[test]
fn a_quarter_is_counted_and_gives_nobody_away() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    past::write(dir.path(), POLICE, HOTLINE, &quarter());
    let make = [
        "stats",
        "make",
        POLICE,
        "--period",
        "2026-01..2026-03",
        "--out",
        "q1.frexstats",
    ];
    let made = frex.done(&make);
    assert_eq!(made["log"]["origin"], "frex/example/node.police.es/log/1");
    assert_eq!(
        (&made["log"]["first"], &made["log"]["end"]),
        (&0.into(), &263.into())
    );
    assert_eq!(rows(&made, "2026-01", "IE"), "x");
    let total = made["rows"][0]["reports"].as_u64().unwrap();
    assert!(total.abs_diff(263) <= 4, "{total}");
    let verify = [&["stats", "verify", "q1.frexstats"][..], &ROSTER].concat();
    let verified = frex.done(&[&verify[..], &["--recount", POLICE]].concat());
    assert_eq!(verified["verified"], true, "{verified}");
    let publish = [
        "stats",
        "publish",
        "q1.frexstats",
        "--out",
        "q1",
        "--dir",
        POLICE,
    ];
    let _ = frex.done(&publish);
    let csv = fs::read_to_string(dir.path().join("q1/table.csv")).unwrap();
    assert!(
        csv.contains(",2026-01,all,IE,") && csv.contains(made["log"]["root"].as_str().unwrap())
    );
    assert!(
        fs::read_to_string(dir.path().join("q1/by-month.svg"))
            .unwrap()
            .contains("<title")
    );
    // One bit that was changed is found.
    let mut bytes = fs::read(dir.path().join("q1.frexstats")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(dir.path().join("changed.frexstats"), bytes).unwrap();
    let changed = [&["stats", "verify", "changed.frexstats"][..], &ROSTER].concat();
    assert_eq!(frex.run(&changed).exit, Some(20));
}

// STA-6, STA-16: periods do not overlap, months must be over, and a revision hides what was hidden.
#[test]
fn what_could_be_subtracted_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    past::write(dir.path(), POLICE, HOTLINE, &quarter());
    let make = |period: &str, out: &str| {
        frex.run(&["stats", "make", POLICE, "--period", period, "--out", out])
    };
    assert_eq!(make("2026-01..2026-03", "first").exit, Some(0));
    for overlapping in ["2026-03", "2026-03..2026-05", "2026-01..2026-02"] {
        let refused = make(overlapping, "never");
        assert_eq!(
            (refused.exit, refused.code()),
            (Some(22), DISCLOSES),
            "{overlapping}"
        );
    }
    assert_eq!(make("2090-01", "never").code(), DISCLOSES);
    let again = make("2026-01..2026-03", "second").json();
    assert_eq!(
        (&again["revision"], rows(&again, "2026-01", "IE")),
        (&2.into(), &"x".into())
    );
    let changes = frex.done(&["stats", "compare", "first", "second"]);
    assert_eq!(changes["changes"][0]["change"], "0 %");
    assert_eq!(make("2026-04", "april").json()["rows"][0]["reports"], "x");
}

// What happened today is counted for the member alone.
#[test]
fn reports_of_today_are_counted_for_the_member_alone() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let _nodes: Vec<NodeProcess> = MEMBERS.iter().map(|member| frex.start(member)).collect();
    let report =
        r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"synthetic words"}"#;
    fs::write(dir.path().join("report.json"), report).unwrap();
    let _ = frex.done(&[
        "send",
        "report.json",
        "--to",
        POLICE,
        "--from",
        HOTLINE,
        "--wait",
        "30s",
    ]);
    let _ = frex.done(&["inbox", POLICE, "--wait", "30s"]);
    let counted = frex.done(&["stats", "count", POLICE]);
    assert_eq!(
        (&counted["reports"], &counted["by"]["role"]["hotline"]),
        (&1.into(), &1.into())
    );
    let filed = frex.done(&[
        "stats",
        "count",
        HOTLINE,
        "--definition",
        "frex.reports-filed",
    ]);
    assert_eq!(
        (&filed["reports"], &filed["by"]["lane"]["normal"]),
        (&1.into(), &1.into())
    );
}

/// What a report of each version says: the same, but for its names.
fn two_versions(dir: &Path) {
    let first = serde_json::json!({
        "reference": "A-1", "created": "2026-07-01T12:00:00Z", "description": "synthetic words",
        "categories": [{ "scheme": "iccam", "version": "3", "code": "baseline" }],
        "jurisdictions": [
            { "country": "ES", "basis": "account-country", "confidence": 0.9 },
            { "country": "NL", "basis": "hosting", "confidence": 1.0 },
        ],
        "subjects": [{ "identifiers": [{ "kind": "username", "value": "nobody" }] }],
        "urls": [{ "url": "https://host.example/page" }],
    });
    let second = serde_json::json!({
        "reference": "A-2", "created": "2026-07-01T12:00:00Z", "description": "synthetic words",
        "classifications": [{ "scheme": "iccam", "version": "3", "code": "baseline" }],
        "jurisdictions": first["jurisdictions"],
        "reported": [{ "screen_name": "nobody" }, { "screen_name": "nobody-else" }],
        "hosting": [{ "url": "https://host.example/page" }],
        "items": [{ "item_id": "item-1" }],
        "batch": { "incident": "incident-1", "part": 1, "parts": 2 },
    });
    let mut third = second.clone();
    third["reference"] = "A-3".into();
    third["batch"]["part"] = 2.into();
    for (name, report) in [("first", first), ("second", second), ("third", third)] {
        fs::write(dir.join(format!("{name}.json")), report.to_string()).unwrap();
    }
}

/// The figures of a member, once they are as they should be.
fn until_counted(frex: &Frex, words: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let counted = frex.done(&[&["stats", "count"][..], words].concat());
        if is_so(&counted) {
            return counted;
        }
        assert!(start.elapsed() < PATIENCE, "{counted:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Of what either version says, the same counts, before anything is said in the case.
fn say_the_same(frex: &Frex) {
    let untold = frex.done(&["stats", "count", POLICE]);
    assert_eq!(untold["by"]["category"]["iccam/3/baseline"], 3, "{untold}");
    assert_eq!(untold["by"]["country"]["ES"], 3);
    assert_eq!(
        (&untold["accounts"], &untold["items"]),
        (&5.into(), &5.into())
    );
    // The two of a batch are of one incident.
    assert_eq!(
        (&untold["reports"], &untold["incidents"]),
        (&3.into(), &2.into())
    );
    assert_eq!(untold["by"]["outcome"]["none"], 3);
    assert_eq!(untold["median_hours"]["acted"], Value::Null);
}

// STA-7, STA-21: both versions of a report count alike; what became of them, whether a request was overdue,
// what repeats another and when something was done come from the folded case, on both sides of it.
#[test]
fn figures_say_what_the_case_says() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let _nodes: Vec<NodeProcess> = MEMBERS.iter().map(|member| frex.start(member)).collect();
    two_versions(dir.path());
    let send = |report: &str| {
        let report = format!("{report}.json");
        let words = ["send", &report, "--to", POLICE, "--from", HOTLINE];
        // They repeat one another on purpose.
        frex.done(&[&words[..], &["--anyway", "--wait", "30s"]].concat())["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let [first, second, third] = ["first", "second", "third"].map(send);
    read(&frex, POLICE, 3);
    say_the_same(&frex);
    let say = |words: &[&str]| {
        let all = [words, &["--from", POLICE, "--wait", "30s"]].concat();
        frex.done(&all)
    };
    say(&["outcome", &first, "registered"]);
    say(&["outcome", &first, "shelved", "--reason", "data-expired"]);
    say(&["outcome", &second, "arrest"]);
    say(&["act", "duplicate", &third, &first]);
    let ask = [
        "request",
        "produce",
        &second,
        "--to",
        HOTLINE,
        "--profile",
        "mla",
    ];
    say(&[&ask[..], &ORDER, &["--reply-by", "1s"]].concat());
    read(&frex, HOTLINE, 5);

    let filed = [HOTLINE, "--definition", "frex.reports-filed"];
    for words in [&[POLICE][..], &filed] {
        let counted = until_counted(&frex, words, |counted| {
            counted["by"]["overdue"] == serde_json::json!({ "yes": 1, "no": 2 })
        });
        let outcomes = serde_json::json!({ "shelved": 1, "arrest": 1, "none": 1 });
        assert_eq!(counted["by"]["outcome"], outcomes, "{words:?}: {counted:#}");
        assert_eq!(counted["by"]["country"]["ES"], 3, "{words:?}");
        assert_eq!(
            (&counted["accounts"], &counted["items"]),
            (&5.into(), &5.into())
        );
        // What repeats another is no incident of its own; the other of its batch is.
        assert_eq!(counted["incidents"], 2, "{words:?}");
        assert!(
            counted["median_hours"]["acted"].is_number(),
            "{words:?}: {counted}"
        );
    }
    // One that is taken up again is not put aside any more.
    say(&["outcome", &first, "reopened", "--because", "other"]);
    let again = frex.done(&["stats", "count", POLICE]);
    assert_eq!(again["by"]["outcome"]["reopened"], 1, "{again}");
    assert_eq!(again["by"]["outcome"].get("shelved"), None);
}

/// Reads a member's inbox until so many messages have come.
fn read(frex: &Frex, member: &str, from: usize) {
    let mut read = 0;
    for _ in 0..20 {
        let items = frex.done(&["inbox", member, "--wait", "30s"]);
        read += items["items"].as_array().unwrap().len();
        if read >= from {
            return;
        }
    }
    panic!("{member} has read {read} of {from}");
}

const OPEN: [&str; 14] = [
    "stats",
    "sum",
    "open",
    HOTLINE,
    "--with",
    HOTLINE,
    POLICE,
    CLEARING,
    "--period",
    "2026-01..2026-02",
    "--by",
    "country=ES,FR",
    "--out",
    "round",
];

/// What came to each of three members.
fn begin(dir: &Path) {
    past::write(
        dir,
        HOTLINE,
        CLEARING,
        &[came(4, 3, "ES"), came(7, 35, "FR")],
    );
    past::write(
        dir,
        POLICE,
        HOTLINE,
        &[came(20, 3, "ES"), came(2, 35, "IE")],
    );
    past::write(
        dir,
        CLEARING,
        HOTLINE,
        &[came(3, 3, "ES"), came(30, 35, "FR")],
    );
}

/// The totals of the round, once everything has come.
fn totals(frex: &Frex, member: &str) -> Value {
    let total = || frex.run(&["stats", "sum", "total", "round", member]);
    let mut said = total();
    for _ in 0..20 {
        if said.exit == Some(0) {
            break;
        }
        let _ = frex.done(&["inbox", member, "--wait", "5s"]);
        said = total();
    }
    said.json()
}

// STA-29 to STA-37: a round of three nodes; before everybody has given its part nothing comes out.
#[test]
fn three_members_add_up_and_none_shows_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    begin(dir.path());
    let _nodes: Vec<NodeProcess> = MEMBERS.iter().map(|member| frex.start(member)).collect();
    let _ = frex.done(&OPEN);
    let step = |verb: &str, member: &str| {
        frex.run(&["stats", "sum", verb, "round", member, "--wait", "30s"])
    };
    assert_eq!(step("share", HOTLINE).exit, Some(0));
    assert_eq!(step("share", POLICE).exit, Some(0));
    read(&frex, HOTLINE, 1);
    let missing = step("add", HOTLINE);
    assert_eq!(
        (missing.exit, missing.code()),
        (Some(3), Some(6077)),
        "{missing:?}"
    );
    assert!(format!("{missing:?}").contains(CLEARING), "{missing:?}");
    assert_eq!(step("share", CLEARING).exit, Some(0));
    // Said twice, it sends nothing else.
    assert_eq!(step("share", CLEARING).exit, Some(0));
    for (member, more) in [(HOTLINE, 1), (POLICE, 2), (CLEARING, 2)] {
        read(&frex, member, more);
        assert_eq!(step("add", member).exit, Some(0), "{member}");
    }
    let said = totals(&frex, POLICE);
    let figures: Vec<String> = said["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["value"].as_str().unwrap(), row["reports"]))
        .collect();
    // 66 reports: 27 of ES, 37 of FR, and 2 of which nothing is said, nor of the one beside them.
    assert_eq!(
        figures,
        [
            "all 65",
            "2026-01 25",
            "2026-02 40",
            "ES \"x\"",
            "FR 35",
            "other \"x\""
        ]
    );
}

// STA-37: nobody takes part in two rounds of the same months.
#[test]
fn a_second_round_of_the_same_months_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    for (member, from) in [(HOTLINE, CLEARING), (POLICE, HOTLINE), (CLEARING, HOTLINE)] {
        past::write(dir.path(), member, from, &[came(20, 3, "ES")]);
    }
    let _nodes: Vec<NodeProcess> = MEMBERS.iter().map(|member| frex.start(member)).collect();
    for round in ["one", "two"] {
        let open = [
            "stats", "sum", "open", HOTLINE, "--with", HOTLINE, POLICE, CLEARING, "--period",
            "2026-01", "--out", round,
        ];
        let _ = frex.done(&open);
        for member in MEMBERS {
            let shared = frex.run(&["stats", "sum", "share", round, member, "--wait", "30s"]);
            assert_eq!(shared.exit, Some(0), "{shared:?}");
        }
    }
    read(&frex, HOTLINE, 4);
    let add = |round: &str| frex.run(&["stats", "sum", "add", round, HOTLINE, "--wait", "30s"]);
    assert_eq!(add("one").exit, Some(0));
    let refused = add("two");
    assert_eq!(
        (refused.exit, refused.code()),
        (Some(22), DISCLOSES),
        "{refused:?}"
    );
    let folder = dir.path().join(HOTLINE).join("member/statistics/rounds");
    let opening = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("opening"));
    let audited = opening.map(|opening| {
        let words = [
            "stats",
            "sum",
            "audit",
            "one",
            opening.to_str().unwrap(),
            "--dir",
            POLICE,
        ];
        frex.run(&words).exit
    });
    // The part in the first round holds; that of the second is none of the first.
    let mut audited: Vec<Option<i32>> = audited.collect();
    audited.sort_unstable();
    assert_eq!(audited, [Some(0), Some(20)]);
}
