//! Pings that nobody sees, and messages that their sender withdraws: before they leave, before they
//! are fetched, and after they were opened.

use std::{collections::BTreeSet, fs, process::Command};

use frex_proto::error::WireCode;
use frex_tests::processes::{Frex, NodeProcess};
use serde_json::{Value, json};
use tempfile::TempDir;

const SENDER: &str = "hotline.fr";
const POLICE: &str = "police.es";
const CLEARING: &str = "clearing.de";
const COURT: &str = "court.es";
const REPORT: &str = "report.json";

struct Scene {
    frex: Frex,
    nodes: Vec<NodeProcess>,
    _dir: TempDir,
}

impl Scene {
    fn new(members: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
        frex.federation(members, &[]);
        let report =
            r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;
        fs::write(dir.path().join(REPORT), report).unwrap();
        let nodes = members.iter().map(|member| frex.start(member)).collect();
        Self {
            frex,
            nodes,
            _dir: dir,
        }
    }

    /// Sends the report, and gives its message id.
    fn send(&self, to: &[&str], wait: &str) -> String {
        let line = [
            &["send", REPORT, "--from", SENDER, "--wait", wait, "--to"],
            to,
        ]
        .concat();
        let sent = self.frex.run(&line);
        assert!(matches!(sent.exit, Some(0 | 3)), "{sent:?}");
        text(&sent.json()["message"])
    }

    /// Withdraws a message; gives the exit code and what was said.
    fn recall(&self, message: &str, more: &[&str]) -> (Option<i32>, Value) {
        let line = [
            "recall",
            message,
            SENDER,
            "--reason",
            "wrong-recipient",
            "--confirm",
        ];
        let ended = self.frex.run(&[&line, more].concat());
        assert!(matches!(ended.exit, Some(0 | 3)), "{ended:?}");
        (ended.exit, ended.json())
    }

    fn inbox(&self, member: &str) -> Vec<Value> {
        let inbox = self.frex.done(&["inbox", member]);
        inbox["items"].as_array().unwrap().clone()
    }

    /// Passes a message on to one member; gives the forward's message id.
    fn forward(&self, message: &str, from: &str, to: &str) -> String {
        let forward = self.frex.done(&["forward", message, from, "--to", to]);
        text(&forward["message"])
    }

    /// What a member keeps of a message.
    fn about(&self, message: &str, member: &str) -> Value {
        self.frex.done(&["show", message, member])["about"].clone()
    }

    /// What `frex show` says of a recipient: how far it is, how far it was, and the outcome.
    fn fate(&self, message: &str, recipient: &str) -> [Value; 3] {
        let shown = self.frex.done(&["show", message, SENDER]);
        let rows = shown["recipients"].as_array().unwrap().iter();
        let row = rows.clone().find(|row| row["member"] == recipient);
        let row = row.unwrap_or_else(|| panic!("{shown}"));
        ["state", "was", "outcome"].map(|field| row[field].clone())
    }

    /// What a command says to people.
    fn said(&self, line: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frex-under-test"));
        let command = command.current_dir(self.frex.dir()).args(line);
        let ended = command.env_remove("FREX_DIR").output().unwrap();
        String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap()
    }

    /// Names of all that the sender has sent.
    fn sent(&self) -> BTreeSet<String> {
        let folder = self.frex.dir().join(SENDER).join("member/sent");
        let names = fs::read_dir(folder).unwrap();
        // Beside each message lies what was signed.
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json"))
            .collect()
    }

    /// Changes what the sender keeps of a message.
    fn rewrite(&self, message: &str, change: impl FnOnce(&mut Value)) {
        let name = format!("{SENDER}/member/sent/{message}.json");
        let path = self.frex.dir().join(name);
        let mut about = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut about);
        fs::write(&path, about.to_string()).unwrap();
    }

    fn stop(self) {
        for node in self.nodes {
            assert_eq!(node.stop(), Some(0));
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

// RCL-2, RCL-3: a ping shows how far the way is open, and nobody sees it.
#[test]
fn a_ping_goes_the_whole_way_and_is_shown_to_nobody() {
    let scene = Scene::new(&[SENDER, POLICE]);
    let ping = |more: &[&str]| {
        let line = ["peer", "ping", POLICE, SENDER];
        scene.frex.run(&[&line, more].concat())
    };
    let unread = ping(&["--count", "2", "--wait", "4s"]);
    assert_eq!(unread.exit, Some(0), "{unread:?}");
    let said = unread.json();
    assert_eq!(
        (&said["accepted"], &said["delivered"]),
        (&2.into(), &0.into())
    );
    // Whoever reads confirms them without a word, and sees the report that comes after.
    let message = scene.send(&[POLICE], "10s");
    let rows = scene.inbox(POLICE);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(text(&rows[0]["message"]), message);
    assert!(
        !scene
            .frex
            .done(&["inbox", POLICE, "--kept"])
            .to_string()
            .contains("ping")
    );

    let mut reader = scene
        .frex
        .begin(&["inbox", POLICE, "--wait", "20s", "--max", "1"]);
    let read = ping(&["--wait", "15s"]);
    let said = read.json();
    assert_eq!(
        (read.exit, &said["delivered"]),
        (Some(0), &1.into()),
        "{read:?}"
    );
    let stages = said["pings"][0]["stages"].as_array().unwrap().clone();
    let names: Vec<String> = stages.iter().map(|stage| text(&stage["stage"])).collect();
    assert_eq!(names, ["SUBMITTED", "ACCEPTED", "DELIVERED"]);
    let message = scene.send(&[POLICE], "10s");
    let rows = reader.wait().json();
    assert_eq!(rows["items"].as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(text(&rows["items"][0]["message"]), message);

    let nobody = scene.frex.run(&["peer", "ping", "nobody.xx", SENDER]);
    assert_eq!(
        nobody.code(),
        Some(WireCode::UnknownRecipient as u64),
        "{nobody:?}"
    );
    scene.stop();
}

// RCL-8, RCL-9, RCL-10, RCL-12, RCL-13, RCL-20, CLI-27, CLI-28, CLI-30, DEL-46: as far as it can be
// withdrawn, and everybody knows how far.
#[test]
fn a_message_is_withdrawn_before_it_leaves_before_it_is_read_and_after() {
    let mut scene = Scene::new(&[SENDER, POLICE, CLEARING]);
    // One has opened it, the other has not fetched it.
    let message = scene.send(&[POLICE, CLEARING], "10s");
    assert_eq!(scene.inbox(POLICE).len(), 1);
    let plan = scene
        .frex
        .done(&["recall", &message, SENDER, "--reason", "superseded"]);
    assert_eq!(plan["confirmed"], false);
    let (exit, said) = scene.recall(&message, &[]);
    assert_eq!(exit, Some(0));
    for (member, outcome, seen) in [(POLICE, "withdrawn", true), (CLEARING, "unseen", false)] {
        let rows = scene.inbox(member);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(text(&rows[0]["recalls"]), message);
        assert_eq!(text(&rows[0]["reason"]), "wrong-recipient");
        assert_eq!(
            (text(&rows[0]["state"]).as_str(), &rows[0]["seen"]),
            (outcome, &seen.into())
        );
        assert_eq!(scene.inbox(member), [] as [Value; 0]);
    }
    let shown = scene.frex.done(&["show", &message, POLICE]);
    assert_eq!(text(&shown["about"]["state"]), "recalled");
    let shown = scene.frex.done(&["show", &message, SENDER]);
    assert_eq!(text(&shown["about"]["state"]), "recalled");
    let recall = text(&said["recall"]);
    assert_eq!(text(&shown["about"]["recalls_of_it"][0]["message"]), recall);
    outcomes_are_told(&scene, &message, &recall);
    it_is_recalled_once(&scene, &message, &recall);

    // One node is down: what waits for it does not leave any more, and it hears that later.
    assert_eq!(scene.nodes.remove(2).stop(), Some(0));
    let message = scene.send(&[POLICE, CLEARING], "1s");
    let (exit, said) = scene.recall(&message, &["--wait", "1s", "--to", CLEARING]);
    assert_eq!(
        (exit, &said["recipients"][0]["told"]),
        (Some(3), &false.into())
    );
    let fetched = scene.frex.done(&["receipt", "fetch", &message, SENDER]);
    let given_up = &fetched["given_up"][0];
    assert_eq!(given_up["code_name"], "RECALLED", "{fetched}");
    assert_eq!(given_up["node"], "node.clearing.de", "{fetched}");
    assert_eq!(given_up["members"], json!([CLEARING]), "{fetched}");
    let fate = scene.fate(&message, CLEARING);
    assert_eq!(fate[..2], [json!("RECALLED"), json!("SUBMITTED")]);
    assert_eq!(scene.fate(&message, POLICE)[0], "ACCEPTED");
    scene.nodes.push(scene.frex.start(CLEARING));
    let arrived = scene.frex.done(&["inbox", CLEARING, "--wait", "30s"]);
    let rows = arrived["items"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["seen"]),
        (1, &false.into()),
        "{rows:?}"
    );
    // For the other nothing has changed.
    assert_eq!(text(&scene.inbox(POLICE)[0]["state"]), "opened");

    the_rest_is_recalled_later(&scene, &message);

    // What was never sent from here cannot be withdrawn.
    let line = ["recall", &message, POLICE, "--reason", "legal", "--confirm"];
    let foreign = scene.frex.run(&line);
    assert_eq!(
        foreign.code(),
        Some(WireCode::WrongSender as u64),
        "{foreign:?}"
    );
    scene.stop();
}

/// Every command that lists receipts names the outcomes, to people and to programs.
fn outcomes_are_told(scene: &Scene, message: &str, recall: &str) {
    let fetch = ["receipt", "fetch", &recall[..12], SENDER];
    let told = scene.frex.done(&fetch);
    assert_eq!(told["message"], recall);
    let list = ["receipt", "ls", SENDER];
    let listed = scene.frex.done(&list);
    let show = ["show", recall, SENDER];
    let said = [scene.said(&fetch), scene.said(&list), scene.said(&show)];
    let shown = scene.frex.done(&show);
    for (member, outcome, was) in [
        (POLICE, "withdrawn", "OPENED"),
        (CLEARING, "unseen", "ACCEPTED"),
    ] {
        let event = format!("acted-{member}");
        for rows in [&told, &listed, &shown] {
            let mut rows = rows["receipts"].as_array().unwrap().iter();
            let row = rows.find(|row| row["event"] == event.as_str()).unwrap();
            assert_eq!(row["outcome"], outcome, "{row}");
        }
        for text in &said {
            assert!(text.contains(&format!("{event} {outcome}")), "{text}");
        }
        let mut rows = told["receipts"].as_array().unwrap().iter();
        let row = rows.find(|row| row["event"] == event.as_str()).unwrap();
        let verify = ["receipt", "verify", &text(&row["file"]), "--dir", SENDER];
        let verified = scene.frex.done(&verify);
        assert_eq!(verified["receipts"][0]["receipt"]["outcome"], outcome);
        assert!(
            scene
                .said(&verify)
                .contains(&format!("{event} {outcome} by"))
        );
        let fate = scene.fate(recall, member);
        assert_eq!(fate, [json!("ACTED"), Value::Null, json!(outcome)]);
        let fate = scene.fate(message, member);
        assert_eq!(fate, [json!("RECALLED"), json!(was), Value::Null]);
    }
    let lines = scene.said(&["show", message, SENDER]);
    assert!(
        lines.contains(&format!("frex receipt fetch {recall} {SENDER}")),
        "{lines}"
    );
}

/// The same command again sends nothing, and says what was sent before.
fn it_is_recalled_once(scene: &Scene, message: &str, recall: &str) {
    let before = scene.sent();
    let (exit, said) = scene.recall(message, &[]);
    assert_eq!((exit, &said["recall"]), (Some(0), &Value::Null), "{said}");
    assert_eq!(said["recalled_before"][0]["message"], recall);
    let line = ["recall", message, SENDER, "--reason", "legal", "--confirm"];
    let lines = scene.said(&line);
    for part in [&format!("frex receipt fetch {recall}"), "--again --confirm"] {
        assert!(lines.contains(part), "{lines}");
    }
    assert_eq!(scene.sent(), before);
    // A recall that the node has is found out about, though its answer was lost.
    scene.rewrite(message, |about| {
        about["recalls_begun"] = about["recalls_of_it"].take();
    });
    let (_, said) = scene.recall(message, &[]);
    assert_eq!(said["recalled_before"][0]["message"], recall, "{said}");
    assert_eq!(scene.sent(), before);
    // One that the node never had counts for nothing.
    scene.rewrite(message, |about| {
        let mut never = about["recalls_of_it"].take();
        never[0]["message"] = "00".repeat(16).into();
        about["recalls_begun"] = never;
    });
    let lines = scene.said(&line);
    assert!(lines.contains("recall   "), "{lines}");
    assert!(lines.contains("  frex receipt fetch "), "{lines}");
    assert_eq!(scene.sent().len(), before.len() + 1);
    assert_eq!(
        scene.recall(message, &["--to", POLICE]).1["recall"],
        Value::Null
    );
    let (_, said) = scene.recall(message, &["--to", POLICE, "--again"]);
    assert!(said["recall"].is_string(), "{said}");
    for member in [POLICE, CLEARING] {
        assert!(!scene.inbox(member).is_empty());
    }
}

/// Of a message that was withdrawn from some, the others alone are left.
fn the_rest_is_recalled_later(scene: &Scene, message: &str) {
    let plan = scene
        .frex
        .done(&["recall", message, SENDER, "--reason", "legal"]);
    assert_eq!(plan["recipients"], json!([POLICE]), "{plan}");
    assert_eq!(plan["recalled_before"][0]["from"], json!([CLEARING]));
    let (exit, said) = scene.recall(message, &[]);
    assert_eq!(exit, Some(0), "{said}");
    let rows = said["recipients"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["member"]), (1, &json!(POLICE)));
    assert_eq!(scene.about(message, SENDER)["state"], "recalled");
}

/// The sender's message is passed on by the police, and again by the clearing house; gives the three
/// message ids.
fn passed_on_twice(scene: &Scene) -> [String; 3] {
    // Large enough that its body travels in a frame of its own.
    let large = vec![b'x'; 200_000];
    fs::write(scene.frex.dir().join("large.txt"), large).unwrap();
    let send = ["send", "large.txt", "--from", SENDER, "--to", POLICE];
    let sent = scene
        .frex
        .done(&[&send[..], &["--content-type", "text/plain"]].concat());
    let message = text(&sent["message"]);
    let written = scene.inbox(POLICE)[0].clone();
    let first = scene.forward(&message, POLICE, CLEARING);
    let passed = scene.inbox(CLEARING)[0].clone();
    assert_eq!(
        (
            text(&passed["from"]).as_str(),
            text(&passed["author"]).as_str()
        ),
        (POLICE, SENDER)
    );
    assert_eq!(
        (text(&passed["message"]), text(&passed["original"])),
        (first.clone(), message.clone())
    );
    let second = scene.forward(&first, CLEARING, COURT);
    let passed = scene.inbox(COURT)[0].clone();
    assert_eq!(
        (
            text(&passed["from"]).as_str(),
            text(&passed["author"]).as_str()
        ),
        (CLEARING, SENDER)
    );
    let content = |row: &Value| fs::read(scene.frex.dir().join(text(&row["file"]))).unwrap();
    assert_eq!(content(&written), content(&passed));
    // Each hop has its receipts: the forwarder's node, the recipient's node, the recipient.
    let told = scene
        .frex
        .done(&["receipt", "fetch", &second, CLEARING, "--opened", "1"]);
    for event in ["forwarded", "accepted", &format!("opened-{COURT}")] {
        assert!(
            told.to_string().contains(&format!("\"{event}\"")),
            "{event}: {told}"
        );
    }
    for receipt in told["receipts"].as_array().unwrap() {
        let verify = [
            "receipt",
            "verify",
            &text(&receipt["file"]),
            "--dir",
            SENDER,
        ];
        assert_eq!(scene.frex.run(&verify).exit, Some(0));
    }
    [message, first, second]
}

// RCL-14 to RCL-19: a message is passed on twice, each time as its author signed it, and its recall
// follows both times, also to whoever is not there when it comes.
#[test]
fn a_recall_follows_every_forward() {
    let mut scene = Scene::new(&[SENDER, POLICE, CLEARING, COURT]);
    let [message, first, second] = passed_on_twice(&scene);
    // Who passed it on can take that back, and speaks for nobody else.
    let line = [
        "recall",
        &second,
        CLEARING,
        "--reason",
        "superseded",
        "--confirm",
    ];
    assert_eq!(scene.frex.run(&line).exit, Some(0));
    let row = scene.inbox(COURT)[0].clone();
    assert_eq!(
        (text(&row["recalls"]), text(&row["from"])),
        (second.clone(), CLEARING.to_owned())
    );
    assert_eq!(scene.about(&second, COURT)["recalled"]["by_author"], false);

    assert_eq!(scene.nodes.pop().unwrap().stop(), Some(0));
    assert_eq!(scene.recall(&message, &[]).0, Some(0));
    for member in [POLICE, CLEARING] {
        let rows = scene.inbox(member);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            (text(&rows[0]["state"]).as_str(), &rows[0]["passed_on"]),
            ("withdrawn", &1.into())
        );
    }
    scene.nodes.push(scene.frex.start(COURT));
    let arrived = scene.frex.done(&["inbox", COURT, "--wait", "30s"]);
    assert_eq!(
        text(&arrived["items"][0]["state"]),
        "withdrawn",
        "{arrived}"
    );
    for (kept, member) in [(&message, POLICE), (&first, CLEARING), (&second, COURT)] {
        let about = scene.about(kept, member);
        assert_eq!(text(&about["state"]), "recalled", "{about}");
        assert_eq!(about["recalled"]["by_author"], true, "{about}");
        assert_eq!(text(&about["recalled"]["reason"]), "wrong-recipient");
    }
    let again = scene
        .frex
        .run(&["forward", &message, POLICE, "--to", COURT]);
    assert_eq!(again.code(), Some(WireCode::Recalled as u64), "{again:?}");
    scene.stop();
}
