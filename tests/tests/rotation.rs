//! Keys follow one another while reports flow: real processes, and every report arrives once.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use frex_tests::processes::{Ended, Frex, NodeProcess};
use serde_json::Value;
use tempfile::TempDir;

const HOTLINE: &str = "hotline.no";
const POLICE: &str = "police.de";
const MEMBERS: [&str; 2] = [HOTLINE, POLICE];
/// Reports that are sent while keys follow one another.
const REPORTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(60);
const CANNOT_OPEN: u64 = 2003;
const REPORT: &str =
    r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;

struct Scene {
    frex: Frex,
    nodes: Vec<NodeProcess>,
    _dir: TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
        frex.federation(&MEMBERS, &[]);
        fs::write(dir.path().join("report.json"), REPORT).unwrap();
        let mut nodes: Vec<_> = MEMBERS.iter().map(|member| frex.node(member)).collect();
        for node in &mut nodes {
            node.ready().unwrap();
        }
        Self {
            frex,
            nodes,
            _dir: dir,
        }
    }

    fn send(&self, more: &[&str]) -> Value {
        self.frex.done(&[&send_to_police()[..], more].concat())
    }

    /// Reads the inbox of the police; gives how often each message was opened.
    fn read(&self, opened: &mut BTreeMap<String, usize>) {
        let ended = self.frex.run(&["inbox", POLICE]);
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        for item in ended.json()["items"].as_array().unwrap() {
            assert_eq!(item["state"], "opened", "{item}");
            *opened.entry(text(&item["message"])).or_default() += 1;
        }
    }

    fn rotate(&self, arguments: &[&str]) -> Value {
        self.frex.done(&[&["key", "rotate"], arguments].concat())
    }

    /// The governance lists the card, and the police install what it made.
    fn ceremony(&self, card: &str) {
        let held = "police.de/node/roster.frex";
        self.frex.next_roster("next.frex", held, &[card]);
        let _ = self.frex.done(&["roster", "install", "next.frex", POLICE]);
    }

    /// The police destroy their sealing key while the hotline's node is away. When that is back, it
    /// has not heard of it, and the police's node is not there to tell.
    fn destroy_unheard(&mut self) {
        let hotline = self.nodes.remove(0);
        assert_eq!(hotline.stop(), Some(0));
        let plan = self.rotate(&["sealing", "--compromised", POLICE]);
        assert_eq!(plan["state"], "planned");
        assert_eq!(states(&plan).len(), 0);
        let destroyed = self.rotate(&["sealing", "--compromised", "--confirm", POLICE]);
        assert!(has(&destroyed, "sealing", "retired"), "{destroyed}");
        let police = self.nodes.remove(0);
        assert_eq!(police.stop(), Some(0));
        self.nodes.push(self.frex.node(HOTLINE));
        self.nodes[0].ready().unwrap();
    }

    fn start_police(&mut self) {
        self.nodes.push(self.frex.node(POLICE));
        self.nodes[1].ready().unwrap();
    }

    fn stop(self) {
        for node in self.nodes {
            assert_eq!(node.stop(), Some(0));
        }
    }
}

fn send_to_police() -> [&'static str; 6] {
    ["send", "report.json", "--to", POLICE, "--from", HOTLINE]
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

fn states(rotated: &Value) -> Vec<(String, String)> {
    let keys = rotated["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(&key["use"]), text(&key["state"])))
        .collect()
}

fn has(rotated: &Value, usage: &str, state: &str) -> bool {
    states(rotated).contains(&(usage.to_owned(), state.to_owned()))
}

/// Runs a command until it succeeds: another program may have to learn something first.
fn until_done(frex: &Frex, arguments: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        let ended: Ended = frex.run(arguments);
        if ended.exit == Some(0) {
            return ended.json();
        }
        assert!(began.elapsed() < DEADLINE, "{arguments:?}: {ended:?}");
        thread::sleep(PAUSE);
    }
}

// FIL-14, FIL-15, ROS-35, DEL-28: TLS, sealing and identity keys follow one another while reports
// flow; each report is opened, once.
#[test]
fn reports_flow_while_every_key_of_the_receiver_is_rotated() {
    let scene = Scene::new();
    let mut opened = BTreeMap::new();
    let frex = &scene.frex;
    let sent: Vec<String> = thread::scope(|threads| {
        let sender = threads.spawn(|| {
            let send = |_| {
                let sent = frex.done(&send_to_police());
                assert_eq!(sent["recipients"][0]["state"], "accepted", "{sent}");
                thread::sleep(PAUSE);
                text(&sent["message"])
            };
            (0..REPORTS).map(send).collect()
        });
        let tls = scene.rotate(&["tls", POLICE]);
        assert!(
            has(&tls, "tls", "active") && has(&tls, "tls", "retiring"),
            "{tls}"
        );
        scene.read(&mut opened);
        let sealing = scene.rotate(&["sealing", POLICE]);
        assert!(has(&sealing, "sealing", "retiring"), "{sealing}");
        scene.read(&mut opened);
        let card = scene.rotate(&["identity", POLICE]);
        assert_eq!(card["state"], "next");
        scene.ceremony(&text(&card["card"]));
        let identity = until_done(&scene.frex, &["key", "rotate", "identity", POLICE]);
        assert_eq!(identity["state"], "active", "{identity}");
        assert!(has(&identity, "identity", "retiring"), "{identity}");
        scene.read(&mut opened);
        let again = scene.rotate(&["sealing", POLICE]);
        assert!(has(&again, "sealing", "active"), "{again}");
        sender.join().unwrap()
    });
    scene.read(&mut opened);
    assert_eq!(sent.len(), REPORTS);
    for message in &sent {
        assert_eq!(opened.remove(message), Some(1), "{message}");
    }
    assert!(opened.is_empty(), "{opened:?}");
    // The sender hears so under the new identity key.
    let last = sent.last().unwrap();
    let _ = scene.frex.done(&[
        "receipt", "fetch", last, HOTLINE, "--opened", "1", "--wait", "20s",
    ]);
    scene.stop();
}

/// The one key of the police that is retiring, as a rotation or a listing names it.
fn retiring_key(scene: &Scene, rotated: &Value) -> PathBuf {
    let keys = rotated["keys"].as_array().unwrap().iter();
    let retiring = keys.filter(|key| key["state"] == "retiring");
    let file = retiring.map(|key| text(&key["file"])).collect::<String>();
    scene.frex.dir().join(POLICE).join("member/keys").join(file)
}

// ROS-35, FIL-19: what a node took in the last moment of a short overlap opens after it.
// FIL-17: a key whose time is over is destroyed by the next command, which says so once; what is
// still sealed to it opens no more, and is kept.
#[test]
fn a_key_whose_time_is_over_is_destroyed_and_opens_nothing() {
    let scene = Scene::new();
    let (_, _) = (scene.send(&[]), scene.send(&[]));
    let rotated = scene.rotate(&["sealing", "--overlap", "500ms", POLICE]);
    let path = retiring_key(&scene, &rotated);
    thread::sleep(Duration::from_millis(1100));
    let read = scene.frex.run(&["inbox", POLICE, "--max", "1"]);
    assert_eq!(read.exit, Some(0), "{read:?}");
    assert_eq!(read.json()["items"][0]["state"], "opened", "{read:?}");
    assert!(path.exists());
    // A week goes by.
    let record = path.with_file_name("rotation.toml");
    let kept = fs::read_to_string(&record).unwrap();
    let lines = kept.lines().map(|line| match line.starts_with("until_ms") {
        true => "until_ms = 1\n".to_owned(),
        false => format!("{line}\n"),
    });
    fs::write(&record, lines.collect::<String>()).unwrap();
    let doctor = scene.frex.done(&["doctor", POLICE]);
    let rows = doctor["checks"].as_array().unwrap().iter();
    let mut due = rows.filter(|row| row["check"] == "member keys");
    let due = due.next().unwrap();
    assert_eq!(due["outcome"], "warn", "{due}");
    assert!(text(&due["try"]).contains("frex key ls"), "{due}");
    let read = scene.frex.run(&["inbox", POLICE]);
    assert_eq!(read.exit, Some(3), "{read:?}");
    assert!(read.err.contains("was destroyed"), "{}", read.err);
    let item = &read.json()["items"][0];
    assert_eq!(
        (&item["state"], item["code"].as_u64()),
        (&"failed".into(), Some(CANNOT_OPEN))
    );
    assert!(!path.exists());
    // It stays in the way until somebody takes it off; what came is kept.
    let aside = scene.frex.done(&["inbox", POLICE, "--set-aside"]);
    assert_eq!(aside["items"][0]["state"], "set aside", "{aside}");
    assert_eq!(aside["items"][0]["from"], HOTLINE);
    assert!(
        scene
            .frex
            .dir()
            .join(text(&aside["items"][0]["file"]))
            .exists()
    );
    let empty = scene.frex.done(&["inbox", POLICE]);
    assert_eq!(empty["items"].as_array().map(Vec::len), Some(0));
    let listed = scene.frex.run(&["key", "ls", POLICE]);
    assert!(!listed.err.contains("was destroyed"), "{}", listed.err);
    assert_eq!(listed.json()["destroyed"][0]["state"], "retired");
    scene.stop();
}

// FIL-21, FIL-17, DEL-28: of a stolen folder nothing is put in use and nothing is left: not the next
// key of a run that was cut short, nor the one before; what nobody will open is told beforehand.
#[test]
fn nothing_that_lay_on_a_stolen_disk_is_put_in_use_or_kept() {
    let mut scene = Scene::new();
    let _ = scene.send(&[]);
    let first = scene.rotate(&["sealing", POLICE]);
    let before = retiring_key(&scene, &first);
    // A second run is cut short before it lists its key.
    let police = scene.nodes.pop().unwrap();
    assert_eq!(police.stop(), Some(0));
    let cut = scene.frex.run(&["key", "rotate", "sealing", POLICE]);
    assert_eq!(cut.exit, Some(23), "{cut:?}");
    let next = before.with_file_name("sealing.next.key");
    let stolen = fs::read(&next).unwrap();
    let compromised = ["sealing", "--compromised", "--confirm", POLICE];
    let cut = scene
        .frex
        .run(&[&["key", "rotate"], &compromised[..]].concat());
    assert_eq!(cut.exit, Some(23), "{cut:?}");
    let again = "frex key rotate sealing --compromised --confirm";
    assert!(cut.err.contains(again), "{cut:?}");
    scene.nodes.push(scene.frex.node(POLICE));
    scene.nodes[1].ready().unwrap();
    let plan = until_done(
        &scene.frex,
        &["key", "rotate", "sealing", "--compromised", POLICE],
    );
    assert_eq!(plan["waiting"], 1, "{plan}");
    assert_eq!(plan["would_destroy"].as_array().unwrap().len(), 4, "{plan}");
    let done = scene.rotate(&compromised);
    assert_eq!(done["unopened"], 1, "{done}");
    assert!(!has(&done, "sealing", "retiring"), "{done}");
    assert!(!has(&done, "sealing", "next"), "{done}");
    let active = before.with_file_name("sealing.key");
    assert_ne!(fs::read(&active).unwrap(), stolen);
    assert!(!before.exists() && !next.exists());
    let left = files(active.parent().unwrap()).into_keys();
    let left: Vec<_> = left.filter(|name| name.starts_with("sealing")).collect();
    assert_eq!(left, ["sealing.key"]);
    let read = scene.frex.run(&["inbox", POLICE]);
    assert_eq!(read.json()["items"][0]["state"], "failed", "{read:?}");
    // Reports go to the new key.
    let sent = scene.send(&[]);
    let read = scene.frex.run(&["inbox", POLICE]).json();
    let items = read["items"].as_array().unwrap().iter();
    let item = items.filter(|item| item["message"] == sent["message"]);
    let states: Vec<_> = item.map(|item| text(&item["state"])).collect();
    assert_eq!(states, ["opened"], "{read}");
    scene.stop();
}

// ROS-38, ROS-17, ROS-40: an identity key that ended before the next one was put in use takes nothing
// along, and the log has gone over to another key before.
#[test]
fn an_identity_key_that_has_ended_is_still_followed() {
    let scene = Scene::new();
    let log = scene.rotate(&["log", POLICE]);
    scene.ceremony(&text(&log["card"]));
    let card = scene.rotate(&["identity", "--overlap", "1ms", POLICE]);
    assert_eq!(card["state"], "next");
    scene.ceremony(&text(&card["card"]));
    let identity = until_done(&scene.frex, &["key", "rotate", "identity", POLICE]);
    assert_eq!(identity["state"], "active", "{identity}");
    assert!(has(&identity, "identity", "retired"), "{identity}");
    let sealing = scene.rotate(&["sealing", POLICE]);
    assert!(has(&sealing, "sealing", "active"), "{sealing}");
    let sent = scene.send(&[]);
    let mut opened = BTreeMap::new();
    scene.read(&mut opened);
    assert_eq!(opened.remove(&text(&sent["message"])), Some(1));
    scene.stop();
}

// LIM-11, ROS-35: what may be under way keeps its key listed, so there is an end to haste; then a
// new key waits, and everything goes on.
#[test]
fn keys_do_not_follow_one_another_faster_than_a_document_can_list() {
    let scene = Scene::new();
    for _ in 1..16 {
        let _ = scene.rotate(&["sealing", POLICE]);
    }
    let refused = scene.frex.run(&["key", "rotate", "sealing", POLICE]);
    assert_eq!(refused.exit, Some(22), "{refused:?}");
    assert!(refused.err.contains("at most 31 days"), "{refused:?}");
    let mut opened = BTreeMap::new();
    let sent = scene.send(&[]);
    scene.read(&mut opened);
    assert_eq!(opened.remove(&text(&sent["message"])), Some(1));
    scene.stop();
}

// DEL-28, DEL-29, MBR-10: what a sender with an older roster seals to a destroyed key is refused
// and sealed again under the same message id; the other recipient has no part in it.
#[test]
fn what_is_sealed_to_a_destroyed_key_arrives_sealed_again() {
    let mut scene = Scene::new();
    scene.destroy_unheard();
    let to_both = [
        "send",
        "report.json",
        "--to",
        POLICE,
        HOTLINE,
        "--from",
        HOTLINE,
        "--wait",
        "60s",
    ];
    let mut sending = scene.frex.begin(&to_both);
    // It is sealed when its id is kept, and on its way to a node that is not there yet.
    let (kept, began) = (
        scene.frex.dir().join(HOTLINE).join("member/sent"),
        Instant::now(),
    );
    while fs::read_dir(&kept).map_or(0, Iterator::count) == 0 {
        assert!(began.elapsed() < DEADLINE);
        thread::sleep(PAUSE);
    }
    scene.start_police();
    let ended = sending.wait();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    let sent = ended.json();
    assert_eq!(sent["envelopes"].as_array().unwrap().len(), 2, "{sent}");
    for recipient in sent["recipients"].as_array().unwrap() {
        assert_eq!(recipient["state"], "accepted", "{sent}");
    }
    let own = scene.frex.done(&["inbox", HOTLINE]);
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
    assert_eq!(own["items"][0]["envelope"], sent["envelopes"][0]);
    let mut opened = BTreeMap::new();
    scene.read(&mut opened);
    assert_eq!(opened.remove(&text(&sent["message"])), Some(1));
    assert!(opened.is_empty());
    scene.stop();
}

// DEL-28, DEL-29, ATT-27: a sender that did not wait to hear of it is told the command that seals again.
#[test]
fn what_was_refused_for_its_key_is_sealed_again_by_the_command_that_is_printed() {
    let mut scene = Scene::new();
    scene.destroy_unheard();
    let sent = scene
        .frex
        .run(&[&send_to_police()[..], &["--wait", "0s"]].concat());
    assert_eq!(sent.exit, Some(3), "{sent:?}");
    let message = text(&sent.json()["message"]);
    scene.start_police();
    let fetched = fetched_refusal(&scene.frex, &message);
    let command = fetched
        .err
        .lines()
        .find(|line| line.starts_with("  frex send"));
    let command = command.unwrap_or_else(|| panic!("{fetched:?}"));
    let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
    assert!(arguments.contains(&message.as_str()));
    let again = scene.frex.done(&arguments);
    assert_eq!(again["recipients"][0]["state"], "accepted", "{again}");
    assert_eq!(text(&again["message"]), message);
    let mut opened = BTreeMap::new();
    scene.read(&mut opened);
    assert_eq!(opened.remove(&message), Some(1));
    assert!(opened.is_empty());
    let done = [
        "receipt", "fetch", &message, HOTLINE, "--opened", "1", "--wait", "20s",
    ];
    let fetched = scene.frex.done(&done);
    assert_eq!(
        fetched["key_retired"].as_array().unwrap().len(),
        0,
        "{fetched}"
    );
    // Now nobody refuses the key any more: nothing is sent, and what was taken last is named.
    let over = scene.frex.done(&arguments);
    assert_eq!(over["before"], true, "{over}");
    assert_eq!(over["envelope"], again["envelope"], "{over}");
    let shown = scene.frex.done(&["show", &message, HOTLINE]);
    assert_eq!(shown["about"]["envelope"], again["envelope"], "{shown}");
    assert_eq!(shown["about"]["envelopes"], over["envelopes"], "{shown}");
    scene.stop();
}

/// Fetches receipts until the refusal is among them.
fn fetched_refusal(frex: &Frex, message: &str) -> Ended {
    let began = Instant::now();
    loop {
        let fetched = frex.run(&["receipt", "fetch", message, HOTLINE]);
        if fetched.json()["key_retired"][0] == POLICE {
            return fetched;
        }
        assert!(began.elapsed() < DEADLINE, "{fetched:?}");
        thread::sleep(PAUSE);
    }
}

// FIL-15: without a node to test it against a new key is not put in use, nothing breaks, and the
// same command goes on later.
#[test]
fn a_key_that_cannot_be_tested_waits() {
    let mut scene = Scene::new();
    let police = scene.nodes.pop().unwrap();
    assert_eq!(police.stop(), Some(0));
    for usage in ["tls", "sealing"] {
        let before = files(&scene.frex.dir().join(POLICE).join("member/keys"));
        let ended = scene.frex.run(&["key", "rotate", usage, POLICE]);
        assert_eq!(ended.exit, Some(23), "{ended:?}");
        assert!(
            ended.err.contains(&format!("frex key rotate {usage}")),
            "{ended:?}"
        );
        let after = files(&scene.frex.dir().join(POLICE).join("member/keys"));
        assert!(
            before
                .iter()
                .all(|(name, bytes)| name == "rotation.toml" || after.get(name) == Some(bytes))
        );
    }
    scene.nodes.push(scene.frex.node(POLICE));
    scene.nodes[1].ready().unwrap();
    for usage in ["tls", "sealing"] {
        let rotated = until_done(&scene.frex, &["key", "rotate", usage, POLICE]);
        assert_eq!(rotated["steps"][0]["step"], "found", "{rotated}");
        assert!(has(&rotated, usage, "active"));
    }
    let _ = scene.send(&[]);
    scene.read(&mut BTreeMap::new());
    scene.stop();
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}
