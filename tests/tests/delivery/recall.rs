//! Pings that nobody sees, and messages that their sender withdraws: before they leave, before they
//! are fetched, and after they were opened.

use std::fs;

use frex_proto::error::WireCode;
use frex_tests::processes::{Frex, NodeProcess};
use serde_json::Value;
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

// RCL-8, RCL-9, RCL-10, RCL-12, RCL-13: as far as it can be withdrawn, and everybody knows how far.
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
    assert_eq!(scene.recall(&message, &[]).0, Some(0));
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
    let recall = text(&shown["about"]["recalls_of_it"][0]["message"]);
    let told = scene.frex.done(&["receipt", "fetch", &recall, SENDER]);
    for member in [POLICE, CLEARING] {
        assert!(
            told.to_string().contains(&format!("acted-{member}")),
            "{told}"
        );
    }

    // One node is down: what waits for it does not leave any more, and it hears that later.
    assert_eq!(scene.nodes.remove(2).stop(), Some(0));
    let message = scene.send(&[POLICE, CLEARING], "1s");
    let (exit, said) = scene.recall(&message, &["--wait", "1s", "--to", CLEARING]);
    assert_eq!(
        (exit, &said["recipients"][0]["told"]),
        (Some(3), &false.into())
    );
    let fetched = scene.frex.done(&["receipt", "fetch", &message, SENDER]);
    assert_eq!(
        fetched["given_up"],
        serde_json::json!(["RECALLED"]),
        "{fetched}"
    );
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
