//! Two members find out that they hold the same, and nobody learns anything else.

use std::{fs, path::Path};

use frex_proto::error::WireCode;
use frex_tests::processes::{Ended, Frex, NodeProcess};
use serde_json::Value;

const HOTLINE: &str = "hotline.fr";
const POLICE: &str = "police.es";
const SECRET: &str = "only.the.hotline.asks@mail.example";
const SHARED: &str = "email Known.To.Both@mail.example";
const SILENT: &str = "phone +999 55 00 11 22";

/// A report of version 2, as JSON.
const REPORT: &str = r#"{"reference": "B-1", "created": "2026-07-01T12:00:00Z", "incident": {},
    "description": "synthetic", "reported": [{"person": {"emails": [{"value": "Named.In@Mail.Example"}],
    "phones": [{"value": "055012345"}]}}], "items": [{"hashes": [{"algorithm": "md5",
    "value": "d41d8cd98f00b204e9800998ecf8427e"}]}]}"#;

struct Scene {
    frex: Frex,
    _nodes: Vec<NodeProcess>,
}

impl Scene {
    fn new(dir: &Path) -> Self {
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
        let members = [HOTLINE, POLICE];
        frex.federation(&members, &[]);
        frex.next_roster(
            "second.frex",
            "roster.frex",
            &["--attachments", "hotline.fr=yes"],
        );
        for member in members {
            let _ = frex.done(&["roster", "install", "second.frex", member]);
        }
        let nodes = members.iter().map(|member| frex.start(member)).collect();
        let scene = Self {
            frex,
            _nodes: nodes,
        };
        scene.done(&[
            "desk",
            "default",
            POLICE,
            "--email",
            "desk@police.example",
            "--called",
            "Night desk",
        ]);
        scene.done(&["desk", "default", HOTLINE, "--phone", "+99955000001"]);
        scene
    }

    fn run(&self, words: &[&str]) -> Ended {
        self.frex.run(&[&["deconflict"], words].concat())
    }

    fn done(&self, words: &[&str]) -> Value {
        self.frex.done(&[&["deconflict"], words].concat())
    }

    fn hold(&self, lines: &str, more: &[&str]) -> Value {
        let words = ["deconflict", "hold", "-", "--from", POLICE];
        let ended = self.frex.run_with(&[&words[..], more].concat(), lines);
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        ended.json()
    }

    /// The hotline asks, and the police answers meanwhile.
    fn ask(&self, identifiers: &[&str]) -> (Ended, Value) {
        let mut words = vec![
            "deconflict",
            "ask",
            "--to",
            POLICE,
            "--from",
            HOTLINE,
            "--wait",
            "60s",
        ];
        for identifier in identifiers {
            words.extend(["--identifier", identifier]);
        }
        let mut asking = self.frex.begin(&words);
        let taken = self.done(&["answer", POLICE, "--wait", "60s"]);
        let ended = asking.wait();
        (ended, taken["taken"][0].clone())
    }

    fn answered(&self, identifiers: &[&str]) -> Value {
        let (ended, served) = self.ask(identifiers);
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        assert_eq!(served["state"], "answered", "{served}");
        ended.json()
    }

    fn hold_report(&self, report: &str, more: &[&str]) -> Ended {
        let words = ["hold", "--report", report, "--from", POLICE];
        self.run(&[&words[..], more].concat())
    }

    /// Added and removed.
    fn held_of(&self, report: &str, more: &[&str]) -> [u64; 2] {
        let ended = self.hold_report(report, more);
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        let merged = ended.json();
        ["added", "removed"].map(|field| merged[field].as_u64().unwrap())
    }
}

fn held(answer: &Value) -> Vec<Option<bool>> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["held"].as_bool()).collect()
}

/// Whether these words stand in any file below a folder.
fn anywhere(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => anywhere(&path, words),
            false => {
                let bytes = fs::read(&path).unwrap();
                bytes
                    .windows(words.len())
                    .any(|window| window == words.as_bytes())
            }
        }
    })
}

// DCF-4 to DCF-8, DCF-17 to DCF-22: asked, answered, called; the asked member knows nothing before the call.
#[test]
fn two_members_find_what_both_hold_and_nothing_else_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.hold(&format!("# a remark\n{SHARED}\n"), &[]);
    let merged = scene.hold(SILENT, &["--silent", "--source", "sealed-court-file"]);
    assert_eq!((&merged["added"], &merged["held"]), (&1.into(), &2.into()));
    scene.done(&["keys", POLICE, "--next"]);

    let asked = format!("email {SECRET}");
    let answer = scene.answered(&[SHARED, &asked, SILENT]);
    assert_eq!(held(&answer), [Some(true), Some(false), Some(false)]);
    assert_eq!(answer["items"][0]["desk"]["email"], "desk@police.example");
    let police = dir.path().join(POLICE);
    assert!(!anywhere(&police, SECRET));
    assert!(anywhere(&dir.path().join(HOTLINE), SECRET));
    let served = &scene.done(&["ls", POLICE])["served"][0];
    assert_eq!(
        (&served["member"], &served["items"]),
        (&HOTLINE.into(), &3.into())
    );

    // Nothing was answered to the second, and nobody calls about it.
    let question = answer["question"].as_str().unwrap();
    let nothing = scene.run(&["contact", question, HOTLINE, "--item", "2"]);
    assert_eq!(
        nothing.code(),
        Some(WireCode::BadInput as u64),
        "{nothing:?}"
    );
    let words = [
        "contact",
        question,
        HOTLINE,
        "--note",
        "same account here",
        "--wait",
        "30s",
    ];
    scene.done(&words);
    let taken = scene.done(&["answer", POLICE, "--wait", "60s"]);
    let call = &taken["taken"][0];
    assert_eq!(
        (&call["state"], &call["held"]),
        (&"proved".into(), &true.into()),
        "{call}"
    );
    assert_eq!(call["identifier"], "email known.to.both@mail.example");
    assert_eq!(call["caller"]["phone"], "+99955000001");
    assert_eq!(
        scene.done(&["ls", POLICE])["calls"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(!anywhere(&police, SECRET));

    // In the next epoch everything is other, and what was let go of is not found.
    let gone = scene.done(&["hold", "--let-go-of", "file", "--from", POLICE]);
    assert_eq!((&gone["removed"], &gone["held"]), (&1.into(), &1.into()));
    scene.done(&["keys", POLICE, "--next"]);
    assert_eq!(held(&scene.answered(&[SHARED])), [Some(false)]);
    let keys = scene.done(&["keys", HOTLINE]);
    assert_eq!(keys["epochs"].as_array().unwrap().len(), 2);
}

// DCF-25: a report that comes while questions are answered is not taken for read: it is shown once, first.
#[test]
fn what_else_comes_is_left_to_who_reads() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    fs::write(dir.path().join("note.txt"), "somebody should read this").unwrap();
    let send = ["send", "note.txt", "--content-type", "text/plain"];
    let way = ["--to", POLICE, "--from", HOTLINE, "--wait", "60s"];
    let sent = scene.frex.done(&[&send[..], &way].concat());
    let message = sent["message"].as_str().unwrap().to_owned();
    let answered = scene.run(&["answer", POLICE, "--wait", "60s"]);
    assert_eq!(answered.exit, Some(0), "{answered:?}");
    assert!(
        answered.err.contains("1 other message came too"),
        "{answered:?}"
    );
    let listed = |words: &[&str]| {
        let listed = scene.frex.done(&[&["inbox", POLICE], words].concat());
        listed["items"].as_array().unwrap().clone()
    };
    let first = listed(&["--wait", "1h"]);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(
        (&first[0]["message"], &first[0]["state"]),
        (&message.as_str().into(), &"delivered".into())
    );
    assert_eq!(listed(&[]).len(), 0);
    assert_eq!(listed(&["--kept"]).len(), 1);
    let receipts = scene.frex.done(&["receipt", "fetch", &message, HOTLINE]);
    assert_eq!(receipts["opened"], serde_json::json!([]), "{receipts}");
}

// DCF-18, DCF-19: what is over the quota is refused, also after the member was stopped.
#[test]
fn who_asks_too_much_hears_until_when() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let settings = dir
        .path()
        .join(POLICE)
        .join("member/deconflict/settings.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        text.replace("items_per_day = 256", "items_per_day = 3"),
    )
    .unwrap();
    scene.hold(SHARED, &[]);
    let numbers: Vec<String> = (0..3).map(|one| format!("phone +9995500{one}00")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    // The first question begins the epoch by itself.
    assert_eq!(held(&scene.answered(&numbers)), [Some(false); 3]);
    let (refused, served) = scene.ask(&[SHARED]);
    assert_eq!(
        refused.code(),
        Some(WireCode::RetryAfter as u64),
        "{refused:?}"
    );
    assert_eq!(served["refusal"], "quota", "{served}");
    let wrong = scene.run(&[
        "ask",
        "--identifier",
        "phone 055",
        "--to",
        POLICE,
        "--from",
        HOTLINE,
    ]);
    assert_eq!(wrong.code(), Some(WireCode::BadInput as u64), "{wrong:?}");
    assert!(!wrong.err.contains("055"), "{wrong:?}");
}

// DCF-7, DCF-14: a large book goes along as a file, once for an epoch.
#[test]
fn a_large_book_is_fetched_once() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let lines: Vec<String> = (0..16_400)
        .map(|one| format!("phone +9994{one:06}"))
        .collect();
    scene.hold(&lines.join("\n"), &[]);
    scene.done(&["keys", POLICE, "--next"]);
    let answer = scene.answered(&["phone +999 4 012345", "phone +999 4 999999"]);
    assert_eq!(held(&answer), [Some(true), Some(false)]);
    let again = scene.answered(&["phone +999 4 000000"]);
    assert_eq!(held(&again), [Some(true)]);
    let inbox = scene.frex.done(&["inbox", HOTLINE, "--kept"]);
    let items = inbox["items"].as_array().unwrap().iter();
    let files: Vec<usize> = items
        .map(|item| item["attachments"].as_array().unwrap().len())
        .collect();
    assert_eq!(files, [1, 0]);
    let books = dir.path().join(HOTLINE).join("member/deconflict/books");
    assert_eq!(fs::read_dir(books).unwrap().count(), 1);
}

// DCF-1, DCF-24: what a report names is held, in whatever form it comes; with the message it goes, and so do
// the key and the book of the epoch.
#[test]
fn what_a_report_names_is_held_until_it_is_erased() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("report.json", REPORT);
    let first = r#"{"reference": "B-1", "created": "2026-07-01T12:00:00Z", "subjects": [{"identifiers":
        [{"kind": "email", "value": "named.in@mail.example"}]}], "hashes": [{"algorithm": "md5",
        "value": "d41d8cd98f00b204e9800998ecf8427e"}]}"#;
    write("first.json", first);
    write("tip.xml", "<report/>");
    let import = ["report", "import", "report.json", "--out", "r.frexreport"];
    let _ = scene.frex.done(&import);
    assert_eq!(scene.held_of("report.json", &[]), [2, 0]);
    assert_eq!(scene.held_of("r.frexreport", &[]), [0, 0]);
    assert_eq!(scene.held_of("first.json", &["--let-go"]), [0, 2]);
    let document = scene.hold_report("tip.xml", &[]);
    assert_eq!(
        document.code(),
        Some(WireCode::BadInput as u64),
        "{document:?}"
    );

    let send = ["send", "r.frexreport", "--from", HOTLINE, "--to", POLICE];
    let sent = scene.frex.done(&[&send[..], &["--wait", "30s"]].concat());
    let message = sent["message"].as_str().unwrap();
    let _ = scene.frex.done(&["inbox", POLICE, "--wait", "30s"]);
    let named = scene.hold_report(&message[..8], &["--source", "word"]);
    assert_eq!(named.code(), Some(WireCode::BadInput as u64), "{named:?}");
    let taken = scene.hold_report(&message[..8], &[]);
    assert!(
        taken
            .err
            .contains("1 identifier of the report cannot be compared"),
        "{taken:?}"
    );
    assert_eq!(taken.json()["held"], 2);
    scene.done(&["keys", POLICE, "--next"]);
    let asked = [
        "email named.in@mail.example",
        "hash MD-5 D41D8CD98F00B204E9800998ECF8427E",
    ];
    assert_eq!(held(&scene.answered(&asked)), [Some(true), Some(true)]);

    let why = ["--ground", "data-subject", "--authority", "c1", "--confirm"];
    let _ = scene
        .frex
        .done(&[&["erase", message, POLICE][..], &why].concat());
    assert_eq!(scene.done(&["ls", POLICE])["held"], serde_json::json!([]));
    let keys = scene.done(&["keys", POLICE]);
    assert_eq!(keys["epochs"][0]["state"], "own, key destroyed", "{keys}");
    assert!(!anywhere(
        &dir.path().join(POLICE).join("member/deconflict"),
        "named.in@"
    ));
}
