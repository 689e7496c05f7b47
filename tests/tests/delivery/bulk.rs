//! Many reports, and one under a reference, sent by programs that are killed and start again.

use std::{collections::BTreeMap, fs, process::Command, thread, time::Duration};

use frex_proto::error::WireCode;
use frex_tests::processes::{Ended, Frex, NodeProcess};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::{Value, json};

const MEMBERS: [&str; 2] = ["platform", "police"];
const REPORTS: usize = 1500;

struct Scene {
    _folder: tempfile::TempDir,
    frex: Frex,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), folder.path());
        frex.federation(&MEMBERS, &[]);
        Self {
            _folder: folder,
            frex,
        }
    }

    fn start(&self) -> [NodeProcess; 2] {
        MEMBERS.map(|member| self.frex.start(member))
    }

    fn write(&self, name: &str, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.frex.dir().join(name), text).unwrap();
    }

    fn bulk(&self, name: &str) -> Ended {
        self.frex
            .run(&["bulk", name, "--to", "police", "--from", "platform"])
    }

    /// What people read of it: standard output and standard error.
    fn words(&self, name: &str) -> [String; 2] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frex-under-test"));
        let bulk = ["bulk", name, "--to", "police", "--from", "platform"];
        let ended = command.current_dir(self.frex.dir()).args(bulk);
        let ended = ended.output().unwrap();
        [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn listed(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.frex.dir().join(name)).unwrap();
        let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
        rows.collect()
    }

    fn once(&self, name: &str) -> Ended {
        let to = ["send", name, "--to", "police", "--from", "platform"];
        self.frex
            .run(&[&to[..], &["--once", "--wait", "20s"]].concat())
    }

    /// How often each reference has reached the police.
    fn received(&self) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        for _ in 0..100 {
            let read = ["inbox", "police", "--max", "500", "--wait", "3s"];
            let came = self.frex.done(&read);
            let items = came["items"].as_array().unwrap();
            if items.is_empty() {
                break;
            }
            for item in items {
                let shown = item["envelope"].as_str().unwrap();
                let shown = self.frex.done(&["show", shown, "police"]);
                let reference = shown["content"]["reference"].as_str().unwrap();
                *seen.entry(reference.to_owned()).or_default() += 1;
            }
        }
        seen
    }
}

fn report(reference: &str) -> String {
    dated(reference, "2026-07-01T12:00:00Z")
}

fn dated(reference: &str, created: &str) -> String {
    let description = "made up, about a page that does not exist";
    json!({ "reference": reference, "created": created, "description": description }).to_string()
}

// MBR-13, DEL-10: whatever dies, and whenever, each report of the file is submitted once, and
// every one of them.
#[test]
fn a_file_of_reports_goes_out_once_though_everything_is_killed() {
    let seed = std::env::var("FREX_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("replay with FREX_SEED={seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let scene = Scene::new();
    let [mut platform, _police] = scene.start();
    let lines: Vec<String> = (0..REPORTS)
        .map(|number| report(&format!("A-{number}")))
        .collect();
    scene.write("reports.jsonl", &lines);
    for round in 0..4 {
        let bulk = [
            "bulk",
            "reports.jsonl",
            "--to",
            "police",
            "--from",
            "platform",
        ];
        let running = scene.frex.begin(&bulk);
        let wait = Duration::from_millis(u64::from(rng.next_u32() % 400));
        thread::sleep(wait);
        if round % 2 == 0 {
            platform.kill().unwrap();
            platform = scene.frex.start("platform");
        }
        // Killed as it is dropped, unless it has ended.
        drop(running);
    }
    let ended = scene.bulk("reports.jsonl");
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    let told = ended.json();
    let count = |field: &str| usize::try_from(told[field].as_u64().unwrap()).unwrap();
    assert_eq!(count("not_sent"), 0, "{told}");
    // What an earlier run had begun is counted once, when this one finishes it.
    assert_eq!(count("submitted") + count("before"), REPORTS, "{told}");
    let again = scene.bulk("reports.jsonl").json();
    assert_eq!(again["before"], REPORTS, "{again}");
    assert_eq!(again["submitted"], 0, "{again}");

    let accepted = || scene.frex.done(&["status", "police"])["node"]["published_size"].clone();
    for _ in 0..600 {
        if accepted() == REPORTS {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(accepted(), REPORTS, "ACCEPTED, each once");
    assert_eq!(platform.stop(), Some(0));
    let status = scene.frex.done(&["log", "checkpoint", "platform"]);
    assert_eq!(status["size"], REPORTS, "SUBMITTED, each once: {status}");
}

// MBR-14, MBR-16: what is wrong is named by its line, the rest goes, and the mended file finishes it.
#[test]
fn lines_that_cannot_be_sent_are_named_and_the_others_go() {
    let scene = Scene::new();
    let _nodes = scene.start();
    let mut lines: Vec<String> = ["A-1", "A-2", "A-2", "A-3"].map(report).to_vec();
    lines.insert(1, "{ \"reference\": ".to_owned());
    lines.insert(2, String::new());
    scene.write("reports.jsonl", &lines);
    let ended = scene.bulk("reports.jsonl");
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    let told = ended.json();
    assert_eq!(told["submitted"], 3, "{told}");
    let named = |told: &Value| -> Vec<(u64, u64)> {
        let rows = told["reports_not_sent"].as_array().unwrap().iter();
        let number = |row: &Value, field: &str| row[field].as_u64().unwrap();
        let mut named: Vec<_> = rows
            .map(|row| (number(row, "line"), number(row, "code")))
            .collect();
        named.sort_unstable();
        named
    };
    let bad_input = WireCode::BadInput as u64;
    let reuse = WireCode::IdReuse as u64;
    assert_eq!(named(&told), [(2, bad_input), (5, reuse)]);
    let rows = told["reports_not_sent"].as_array().unwrap().iter();
    let mut why: Vec<&str> = rows.map(|row| row["why"].as_str().unwrap()).collect();
    why.sort_unstable();
    assert!(
        why[0].starts_with("the report is not JSON at column"),
        "{why:?}"
    );

    lines[1] = report("A-4");
    lines[4] = report("A-5");
    // Other words under a name that was used are no mending.
    lines[0] = dated("A-1", "2026-07-02T12:00:00Z");
    scene.write("reports.jsonl", &lines);
    let told = scene.bulk("reports.jsonl").json();
    assert_eq!(
        (told["submitted"].as_u64(), told["before"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(named(&told), [(1, reuse)]);
    scene.write("one.jsonl", &lines[..1]);
    let refused = scene.bulk("one.jsonl");
    assert_eq!(refused.code(), Some(reuse), "{refused:?}");
    assert!(
        refused.err.contains("a reference of its own") && !refused.err.contains("message id"),
        "{refused:?}"
    );
    let seen = scene.received();
    let once = ["A-1", "A-2", "A-3", "A-4", "A-5"].map(|name| (name.to_owned(), 1));
    assert_eq!(seen, once.into());
}

// CLI-32, RTE-5, MBR-16: what a recipient needs a report to say is judged of each line by itself; a file
// that is one report is told of once.
#[test]
fn what_a_recipient_needs_is_judged_of_each_line() {
    let scene = Scene::new();
    let needs = ["--needs", "police=language,jurisdictions"];
    let frex = &scene.frex;
    frex.next_roster("needs.frex", "roster.frex", &needs);
    for member in MEMBERS {
        let _ = frex.done(&["roster", "install", "needs.frex", member]);
    }
    let _nodes = scene.start();
    let mut whole: Value = serde_json::from_str(&report("J-2")).unwrap();
    whole["language"] = json!("es");
    whole["jurisdictions"] = json!([{ "country": "ES", "basis": "user-location" }]);
    let (one, whole) = (
        serde_json::to_string_pretty(&whole).unwrap(),
        whole.to_string(),
    );
    scene.write("one.json", &[one]);
    let refused = scene.bulk("one.json");
    assert_eq!(refused.exit, Some(2), "{refused:?}");
    assert!(refused.err.contains("frex send one.json"), "{refused:?}");
    scene.write("lacking.jsonl", &[report("J-1")]);
    let refused = scene.bulk("lacking.jsonl");
    let lacks = "lacks: language, jurisdictions";
    assert!(refused.err.contains(lacks), "{refused:?}");
    scene.write("reports.jsonl", &[report("J-1"), whole]);
    let ended = scene.bulk("reports.jsonl");
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    let told = ended.json();
    assert_eq!(told["submitted"], 1, "{told}");
    let row = &told["reports_not_sent"][0];
    assert_eq!(
        (&row["line"], &row["name"]),
        (&json!(1), &json!("NOT_ACCEPTED"))
    );
    assert!(row["why"].as_str().unwrap().contains(lacks), "{told}");
    assert_eq!(scene.received(), [("J-2".to_owned(), 1)].into());
}

// MBR-13: `--once` sends under the report's own reference, and a retry says what was sent.
#[test]
fn a_report_that_is_sent_once_is_not_sent_twice() {
    let scene = Scene::new();
    let [mut platform, police] = scene.start();
    scene.write("report.json", &[report("B-1")]);
    platform.kill().unwrap();
    let to = [
        "send",
        "report.json",
        "--to",
        "police",
        "--from",
        "platform",
        "--once",
    ];
    let lost = scene.frex.run(&[&to[..], &["--wait", "1s"]].concat());
    assert_eq!(lost.exit, Some(23), "{lost:?}");
    assert!(lost.err.contains("frex status platform"), "{lost:?}");
    let _platform = scene.frex.start("platform");
    let first = scene.once("report.json");
    assert_eq!(first.exit, Some(0), "{first:?}");
    let second = scene.once("report.json");
    assert_eq!(second.exit, Some(0), "{second:?}");
    let (first, second) = (first.json(), second.json());
    assert_eq!(second["before"], true);
    assert_eq!(first["message"], second["message"]);
    // MBR-14
    scene.write("report.json", &[dated("B-1", "2026-07-03T12:00:00Z")]);
    let reused = scene.once("report.json");
    assert_eq!(reused.code(), Some(WireCode::IdReuse as u64), "{reused:?}");
    assert_eq!(reused.exit, Some(22));
    assert!(
        reused.err.contains("--once=REFERENCE") && !reused.err.contains("message id"),
        "{reused:?}"
    );
    assert_eq!(scene.received(), [("B-1".to_owned(), 1)].into());
    drop(police);
}

// CLI-32: a node that is away is waited for from the start, as it is later, and no longer than was
// said; a recipient that cannot be sent to is told once, not line by line.
#[test]
fn a_node_that_is_away_from_the_start_is_waited_for() {
    let scene = Scene::new();
    let _police = scene.frex.start("police");
    let lines = ["C-1", "C-2"].map(report);
    scene.write("reports.jsonl", &lines);
    let bulk = ["bulk", "reports.jsonl", "--from", "platform", "--to"];
    let away = "waiting for it; Ctrl-C is safe";
    let short = scene.frex.run(
        &[
            &bulk[..],
            &["police", "--patience", "4s", "--list", "short"],
        ]
        .concat(),
    );
    let code = Some(WireCode::Unreachable as u64);
    assert_eq!((short.exit, short.code()), (Some(23), code), "{short:?}");
    assert!(short.err.contains(away), "{short:?}");
    assert!(
        short.err.contains("with a new file for --list"),
        "{short:?}"
    );

    let mut waiting = scene.frex.begin(&[&bulk[..], &["police"]].concat());
    thread::sleep(Duration::from_secs(14));
    assert!(!waiting.is_over(), "{:?}", waiting.wait());
    let _platform = scene.frex.start("platform");
    let ended = waiting.wait();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(ended.json()["submitted"], 2, "{ended:?}");
    assert_eq!(ended.err.matches(away).count(), 1, "{ended:?}");
    assert_eq!(ended.err.matches("going on").count(), 1, "{ended:?}");

    for (more, code) in [
        (&["police", "nobody"][..], WireCode::UnknownRecipient),
        (&["police", "--expires", "40d"], WireCode::LifeTooLong),
    ] {
        let list = ["--list", "became.jsonl"];
        let refused = scene.frex.run(&[&bulk[..], more, &list].concat());
        let expected = (Some(i32::from(code.info().exit)), Some(code as u64));
        assert_eq!((refused.exit, refused.code()), expected, "{refused:?}");
        assert_eq!(refused.out, "", "no line is told of by itself");
        assert!(!scene.frex.dir().join("became.jsonl").exists());
    }
}

// CLI-32: the node goes away in the middle, for longer than the caller has patience.
#[test]
fn a_node_that_stays_away_is_given_up_when_that_was_asked_for() {
    let scene = Scene::new();
    let [platform, _police] = scene.start();
    let lines: Vec<String> = (0..20_000)
        .map(|number| report(&format!("D-{number}")))
        .collect();
    scene.write("reports.jsonl", &lines);
    let bulk = [
        "bulk",
        "reports.jsonl",
        "--from",
        "platform",
        "--to",
        "police",
    ];
    let more = ["--patience", "2s", "--list", "became.jsonl"];
    let mut running = scene.frex.begin(&[&bulk[..], &more].concat());
    thread::sleep(Duration::from_millis(1500));
    drop(platform);
    let ended = running.wait();
    assert_eq!(ended.exit, Some(23), "{ended:?}");
    assert!(
        ended.err.contains("Give the same command again"),
        "{ended:?}"
    );
    let submitted = ended.json()["submitted"].as_u64().unwrap();
    let listed = fs::read_to_string(scene.frex.dir().join("became.jsonl")).unwrap();
    assert_eq!(listed.lines().count() as u64, submitted);
}

// MBR-17, CLI-28, CLI-35: what went out in a file is shown, looked up and withdrawn like any other
// message; and that it was withdrawn is told by the next run.
#[test]
fn a_report_of_a_file_is_shown_and_withdrawn_by_its_id() {
    let scene = Scene::new();
    let _nodes = scene.start();
    let lines = ["E-1", "E-2", "E-3"].map(report);
    scene.write("reports.jsonl", &lines);
    let bulk = [
        "bulk",
        "reports.jsonl",
        "--to",
        "police",
        "--from",
        "platform",
    ];
    let list = ["--list", "became.jsonl"];
    let _ = scene.frex.done(&[&bulk[..], &list].concat());
    let again = scene.frex.run(&[&bulk[..], &list].concat());
    let code = Some(WireCode::AlreadyExists as u64);
    assert_eq!(again.code(), code, "{again:?}");
    assert!(again.err.contains("a new file for --list"), "{again:?}");

    let rows = scene.listed("became.jsonl");
    let row = rows.iter().find(|row| row["reference"] == "E-2").unwrap();
    let message = row["message"].as_str().unwrap();
    for id in [message, row["envelope"].as_str().unwrap()] {
        let shown = scene.frex.done(&["show", &id[..12], "platform"]);
        let about = &shown["about"];
        assert_eq!(
            (&shown["direction"], &about["message"]),
            (&json!("sent"), &row["message"])
        );
        assert_eq!(
            (&about["reference"], &about["lane"]),
            (&json!("E-2"), &json!("bulk"))
        );
        assert_eq!(shown["recipients"][0]["member"], "police", "{shown}");
    }
    let fetched = scene
        .frex
        .done(&["receipt", "fetch", &message[..12], "platform"]);
    assert_eq!(fetched["message"], message);
    let recall = [
        "recall",
        &message[..12],
        "platform",
        "--reason",
        "wrong-recipient",
    ];
    let done = ["--confirm", "--wait", "20s"];
    let told = scene.frex.done(&[&recall[..], &done].concat());
    assert_eq!(told["recipients"][0]["member"], "police", "{told}");
    let shown = scene.frex.done(&["show", message, "platform"]);
    assert_eq!(shown["recipients"][0]["state"], "RECALLED", "{shown}");
    assert_eq!(shown["about"]["reference"], "E-2", "{shown}");

    let ended = scene.bulk("reports.jsonl");
    let told = ended.json();
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    assert_eq!((&told["before"], &told["ended"]), (&json!(3), &json!(1)));
    assert_eq!(told["reports_ended"][0]["name"], "RECALLED", "{told}");
}

// MBR-17: of what an older program has sent, the ids alone are kept; it is withdrawn from those named.
#[test]
fn what_an_older_program_sent_is_withdrawn_from_those_who_are_named() {
    let scene = Scene::new();
    let _nodes = scene.start();
    scene.write("reports.jsonl", &[report("H-1")]);
    let list = ["--from", "platform", "--list", "became.jsonl"];
    let bulk = ["bulk", "reports.jsonl", "--to", "police"];
    let _ = scene.frex.done(&[&bulk[..], &list].concat());
    let row = scene.listed("became.jsonl").remove(0);
    let log = scene
        .frex
        .dir()
        .join("platform/member/references/submitted.log");
    let text = fs::read_to_string(&log).unwrap();
    let old = text.lines().map(|line| line.split(" {").next().unwrap());
    let old: String = old.flat_map(|line| [line, "\n"]).collect();
    fs::write(&log, old).unwrap();
    let recall = ["recall", row["message"].as_str().unwrap(), "platform"];
    let recall = [&recall[..], &["--reason", "wrong-recipient", "--confirm"]].concat();
    let unknown = scene.frex.run(&recall);
    assert_eq!(
        unknown.code(),
        Some(WireCode::BadInput as u64),
        "{unknown:?}"
    );
    assert!(unknown.err.contains("--to MEMBER"), "{unknown:?}");
    let told = scene.frex.run(&[&recall[..], &["--to", "police"]].concat());
    assert_eq!(told.exit, Some(0), "{told:?}");
}

// CLI-35: what expired on its way is told of by the run that hears it and by each one after.
#[test]
fn what_expired_is_not_told_of_as_sent() {
    let scene = Scene::new();
    let _platform = scene.frex.start("platform");
    let lines: Vec<String> = (0..25)
        .map(|number| report(&format!("F-{number}")))
        .collect();
    scene.write("reports.jsonl", &lines);
    let bulk = [
        "bulk",
        "reports.jsonl",
        "--to",
        "police",
        "--from",
        "platform",
    ];
    let more = ["--expires", "3s", "--wait", "30s", "--list", "became.jsonl"];
    let first = scene.frex.run(&[&bulk[..], &more].concat());
    let second = scene.bulk("reports.jsonl");
    for (ended, count) in [(&first, "submitted"), (&second, "before")] {
        assert_eq!(ended.exit, Some(3), "{ended:?}");
        let told = ended.json();
        assert_eq!(
            (&told[count], &told["ended"]),
            (&json!(25), &json!(25)),
            "{told}"
        );
        let rows = told["reports_ended"].as_array().unwrap();
        assert_eq!(rows.len(), 25);
        assert!(rows.iter().all(|row| row["name"] == "EXPIRED"), "{told}");
    }
    let listed = scene.listed("became.jsonl");
    let ended = listed.iter().filter(|row| row["state"] == "ended");
    assert_eq!(ended.count(), 25);
    let [out, err] = scene.words("reports.jsonl");
    assert!(out.contains("\nexpired    25 "), "{out}");
    assert!(out.contains("… and 5 more; all of them"), "{out}");
    assert!(err.contains("a reference of its own"), "{err}");
}

// CLI-35, MBR-17: what was dropped from the outbox is told of, though no dead letter is left of it.
#[test]
fn what_was_withdrawn_from_the_outbox_is_told_of() {
    let scene = Scene::new();
    let _platform = scene.frex.start("platform");
    scene.write("reports.jsonl", &["I-1", "I-2"].map(report));
    let list = ["--from", "platform", "--list", "became.jsonl"];
    let bulk = ["bulk", "reports.jsonl", "--to", "police"];
    let _ = scene.frex.done(&[&bulk[..], &list].concat());
    let rows = scene.listed("became.jsonl");
    let message = rows[0]["message"].as_str().unwrap();
    let drop = ["outbox", "drop", &message[..12], "platform", "--confirm"];
    let _ = scene.frex.done(&drop);
    let shown = scene.frex.done(&["show", message, "platform"]);
    let code = &shown["recipients"][0]["code_name"];
    assert_eq!(code, "WITHDRAWN", "{shown}");
    let ended = scene.bulk("reports.jsonl");
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    let told = ended.json();
    assert_eq!((&told["before"], &told["ended"]), (&json!(2), &json!(1)));
    let row = &told["reports_ended"][0];
    assert_eq!(row["reference"], rows[0]["reference"], "{told}");
    assert_eq!(row["name"], "WITHDRAWN", "{told}");
}

// MBR-14: a reference that was used is no line to mend, and of a long table it is said that it is cut.
#[test]
fn references_that_were_used_are_no_lines_to_mend() {
    let scene = Scene::new();
    let _nodes = scene.start();
    let lines: Vec<String> = (0..25)
        .map(|number| report(&format!("F-{number}")))
        .collect();
    scene.write("reports.jsonl", &lines);
    assert_eq!(scene.bulk("reports.jsonl").exit, Some(0));
    let other: Vec<String> = (0..25)
        .map(|number| dated(&format!("F-{number}"), "2026-07-02T12:00:00Z"))
        .collect();
    scene.write("reports.jsonl", &other);
    let [out, err] = scene.words("reports.jsonl");
    assert!(out.contains("… and 5 more; all of them"), "{out}");
    assert!(
        err.contains("to other members") && !err.contains("mend "),
        "{err}"
    );
    assert_eq!(
        scene.bulk("reports.jsonl").json()["reports_not_sent"]
            .as_array()
            .unwrap()
            .len(),
        25
    );
}

// CLI-35
#[test]
fn a_report_that_was_to_go_once_and_expired_is_told_of() {
    let scene = Scene::new();
    let _platform = scene.frex.start("platform");
    scene.write("report.json", &[report("G-1")]);
    let send = [
        "send",
        "report.json",
        "--to",
        "police",
        "--from",
        "platform",
        "--once",
    ];
    let first = scene
        .frex
        .run(&[&send[..], &["--expires", "3s", "--wait", "30s"]].concat());
    assert_eq!(first.code(), Some(WireCode::Expired as u64), "{first:?}");
    let second = scene.frex.run(&send);
    assert_eq!(second.exit, Some(3), "{second:?}");
    let told = second.json();
    assert_eq!(
        (&told["before"], &told["recipients"][0]["state"]),
        (&json!(true), &json!("EXPIRED"))
    );
    assert!(
        told["notes"][0]
            .as_str()
            .unwrap()
            .contains("--once=REFERENCE"),
        "{told}"
    );
    // Of one whose time was over while nobody listened.
    scene.write("report.json", &[report("G-2")]);
    let _ = scene
        .frex
        .run(&[&send[..], &["--expires", "2s", "--wait", "0s"]].concat());
    thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.frex.run(&send).exit, Some(3));
}
