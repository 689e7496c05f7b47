//! A node's log key and connection key are changed while reports come in: real processes, a real
//! ceremony, nothing lost, and no former key proves or opens anything after its end.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use frex_client::{environment::Clock, keys::file, passphrase::Unlock};
use frex_proto::{
    error::WireCode,
    id::MessageId,
    keys::SigningKey,
    log::{Checkpoint, Frontier, Leaf, batch_append, checkpoint, origin},
    receipt,
    roster::{Roster, TrustAnchor},
    v1::{self, Event},
};
use frex_tests::processes::{Frex, NodeProcess, copy_dir};
use prost::Message;
use serde_json::Value;

const SENDER: &str = "hotline.fr";
const RECEIVER: &str = "police.es";
const ROOT: &str = "governance/root.frex";
/// Reports sent at most while everything changes.
const REPORTS_MAX: usize = 400;
const REPORT: &str = "report.json";

fn federation(dir: &Path) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(&[SENDER, RECEIVER], &[]);
    let report = r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;
    fs::write(dir.join(REPORT), report).unwrap();
    frex
}

fn code(code: WireCode) -> (Option<i32>, Option<u64>) {
    (Some(code.info().exit.into()), Some(code as u64))
}

/// One row of the node's `frex doctor`.
fn doctor(frex: &Frex, member: &str, check: &str) -> Value {
    let report = frex.run(&["doctor", &format!("{member}/node")]).json();
    let rows = report["checks"].as_array().unwrap().clone();
    let row = rows.into_iter().find(|row| row["check"] == check);
    row.unwrap_or_else(|| panic!("no {check}: {report}"))
}

/// The governance lists what the member's card says now; the roster reaches the member.
fn ceremony(frex: &Frex, number: usize, overlap: &str) {
    let name = |number: usize| match number {
        1 => "roster.frex".to_owned(),
        number => format!("roster-{number}.frex"),
    };
    let (out, previous) = (name(number), name(number - 1));
    let card = format!("{RECEIVER}/{RECEIVER}.card");
    frex.next_roster(&out, &previous, &[&card, "--log-overlap", overlap]);
    let _ = frex.done(&["roster", "install", &out, RECEIVER]);
}

/// Sends reports one by one, each until the receiver's node has accepted it, for as long as
/// somebody hears that they are through; gives their number.
fn flow(frex: &Frex) -> (thread::JoinHandle<usize>, mpsc::Receiver<usize>) {
    let (frex, (sender, through)) = (frex.clone(), mpsc::channel());
    let flow = thread::spawn(move || {
        for number in 1..=REPORTS_MAX {
            let sent = frex.run(&[
                "send", REPORT, "--to", RECEIVER, "--from", SENDER, "--wait", "60s",
            ]);
            assert_eq!(sent.exit, Some(0), "report {number}: {sent:?}");
            if sender.send(number).is_err() {
                return number;
            }
        }
        REPORTS_MAX
    });
    (flow, through)
}

fn receipts(frex: &Frex, event: &str) -> Vec<PathBuf> {
    let folder = frex.dir().join(SENDER).join("member/receipts");
    let end = format!("{event}.tlog-proof");
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.to_str().unwrap().ends_with(&end))
        .collect()
}

/// Verifies files under the roster that the sender holds, asking nobody.
fn verify(frex: &Frex, files: &[PathBuf]) -> (Option<i32>, Value) {
    let roster = format!("{SENDER}/member/roster.frex");
    let files: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let trust = ["--roster", &roster, "--root", ROOT];
    let ended = frex.run(&[&["receipt", "verify"], &files[..], &trust[..]].concat());
    (ended.exit, ended.json())
}

/// What a thief of the log key would have: a receipt of the receiver's log, of this time.
fn forged(key: &SigningKey, time_ms: u64) -> String {
    let node = format!("node.{RECEIVER}");
    let statement = v1::Statement {
        event: Event::Accepted.into(),
        envelope_id: Bytes::from_static(&[1; 32]),
        message_id: Bytes::copy_from_slice(&MessageId([2; 16]).0),
        sender: SENDER.to_owned(),
        recipients: vec![RECEIVER.to_owned()],
        node: node.clone(),
        ..v1::Statement::default()
    };
    let statement = Bytes::from(statement.encode_to_vec());
    let leaf = Leaf::build(Event::Accepted, time_ms, &[3; 32], &statement);
    let grown = batch_append(&Frontier::new(), &[leaf.hash()]);
    let head = Checkpoint {
        origin: origin("example", &node, 1),
        size: 1,
        root: grown.root,
    };
    let note = checkpoint::sign(&head, key).unwrap();
    let receipt = receipt::build(statement, &[3; 32], &leaf, 0, &grown.proofs[0], note);
    receipt::to_tlog_proof_text(&receipt).unwrap()
}

/// When the receiver's former log key ends, as the sender's roster has it.
fn log_key_end_ms(frex: &Frex) -> u64 {
    let read = |path: String| fs::read(frex.dir().join(path)).unwrap();
    let anchor = TrustAnchor::of_root(&read(ROOT.to_owned())).unwrap();
    let bundle = read(format!("{SENDER}/member/roster.frex"));
    let roster = Roster::judge(&bundle, &anchor, Clock::System.now_ms()).unwrap();
    let node = roster.node(&format!("node.{RECEIVER}")).unwrap();
    node.earlier_log_keys[0].validity.not_after_ms.unwrap()
}

/// The folder of the keys of a member's node.
fn keys_of(frex: &Frex, member: &str) -> PathBuf {
    frex.dir().join(member).join("node/keys")
}

/// The receiver's log goes over to the key that a ceremony lists.
fn change_log_key(frex: &Frex, receiver: NodeProcess, wait_for_one: &dyn Fn()) -> NodeProcess {
    let rotate = || frex.done(&["key", "rotate", "log", RECEIVER]);
    let (made, again) = (rotate(), rotate());
    assert_eq!(
        (&made["state"], &made["made"]),
        (&"next".into(), &true.into())
    );
    assert_eq!(
        (&again["key_id"], &again["made"]),
        (&made["key_id"], &false.into())
    );
    ceremony(frex, 2, "7d");
    let listed = rotate();
    assert_eq!(
        (&listed["state"], &listed["key_id"]),
        (&"listed".into(), &made["key_id"])
    );
    assert_eq!(doctor(frex, RECEIVER, "node log key")["outcome"], "warn");
    // It goes on under the former key until it is started again.
    wait_for_one();
    let keys = keys_of(frex, RECEIVER);
    assert!(keys.join("log.next.key").exists());
    assert_eq!(receiver.stop(), Some(0));
    let receiver = frex.start(RECEIVER);
    assert_eq!(doctor(frex, RECEIVER, "node log key")["outcome"], "ok");
    let left: Vec<_> = fs::read_dir(&keys).unwrap().collect();
    assert_eq!(
        left.len(),
        4,
        "tls.key, log.key, witness.key, rotation.toml: {left:?}"
    );
    wait_for_one();
    receiver
}

fn rotate_tls<'a>(overlap: &'a str, member: &'a str) -> [&'a str; 8] {
    [
        "key",
        "rotate",
        "tls",
        "--of",
        "node",
        "--overlap",
        overlap,
        member,
    ]
}

/// The receiver's connections go over to a key that the sender's node has accepted. Nobody watches
/// that node: at the end of the former key it stops, and whatever runs services starts it again.
fn change_connection_key(frex: &Frex, receiver: NodeProcess) -> NodeProcess {
    let moved = frex.done(&rotate_tls("2s", RECEIVER));
    assert_eq!(moved["tested_by"], format!("node.{SENDER}").as_str());
    let (exit, log) = receiver.ended();
    assert_eq!(exit, code(WireCode::KeyEnded).0, "{log}");
    frex.start(RECEIVER)
}

/// Every report has its two receipts, and all verify with the newest roster.
fn nothing_is_lost(frex: &Frex, reports: usize) {
    let (accepted, submitted) = (receipts(frex, "accepted"), receipts(frex, "submitted"));
    assert_eq!((accepted.len(), submitted.len()), (reports, reports));
    let (exit, report) = verify(frex, &[accepted.clone(), submitted].concat());
    assert_eq!(
        (exit, &report["verified"]),
        (Some(0), &true.into()),
        "{report}"
    );
    let vkeys = accepted.iter().map(|path| path.with_extension("vkey"));
    let vkeys: BTreeSet<_> = vkeys
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(vkeys.len(), 2, "both keys have signed");
    let _ = frex.done(&["log", "verify", RECEIVER]);
}

/// A stolen former log key speaks of its own time alone.
fn former_log_key_proves_nothing_later(frex: &Frex, former: &SigningKey) {
    let end_ms = log_key_end_ms(frex);
    let file = frex.dir().join("forged.tlog-proof");
    for (time_ms, exit) in [(end_ms - 1, 0), (end_ms, 20), (end_ms + 86_400_000, 20)] {
        fs::write(&file, forged(former, time_ms)).unwrap();
        let (found, report) = verify(frex, std::slice::from_ref(&file));
        assert_eq!(found, Some(exit), "{report}");
        let refused = report
            .to_string()
            .contains("a log key that had ended by then");
        assert_eq!(refused, exit != 0, "{report}");
    }
}

// LOG-22, LOG-24, NOD-12, RCP-16, ROS-41, CLI-20: while reports come in, the receiving node's log
// goes over to the key that a ceremony lists, and its connections to another. Nothing is lost, and
// every receipt verifies with the newest roster; stolen former keys are good for nothing later.
#[test]
fn a_node_changes_its_keys_while_reports_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let log_key = keys_of(&frex, RECEIVER).join("log.key");
    let former = file::read_signing_key(&log_key, &Unlock::none()).unwrap();
    copy_dir(&dir.path().join(RECEIVER), &dir.path().join("thief")).unwrap();
    let _sender = frex.start(SENDER);
    let receiver = frex.start(RECEIVER);
    let (flow, through) = flow(&frex);
    let wait_for_one = || {
        while through.try_recv().is_ok() {}
        through.recv_timeout(Duration::from_secs(60)).unwrap();
    };
    wait_for_one();
    let receiver = change_log_key(&frex, receiver, &wait_for_one);
    let receiver = change_connection_key(&frex, receiver);
    wait_for_one();
    drop(through);
    nothing_is_lost(&frex, flow.join().unwrap());
    former_log_key_proves_nothing_later(&frex, &former);
    // A stolen former connection key opens no door, and the present one does.
    let test = |dir: &str| frex.run(&["peer", "test", &format!("node.{SENDER}"), dir]);
    let stolen = test("thief");
    assert_eq!(stolen.exit, code(WireCode::NotTrusted).0, "{stolen:?}");
    let own = test(RECEIVER);
    assert_eq!(own.exit, Some(0), "{own:?}");
    // The journal under both keys makes the same log again.
    assert_eq!(receiver.stop(), Some(0));
    let rebuilt = frex.done(&["fsck", "--rebuild", RECEIVER]);
    assert_eq!(
        rebuilt["rebuilt_size"], rebuilt["published_size"],
        "{rebuilt}"
    );
    let _receiver = frex.start(RECEIVER);
}

// NOD-12, LOG-24: a node whose log key has ended stops; it starts with the key that the roster
// lists, and without it not at all.
#[test]
fn a_node_without_the_log_key_in_force_does_not_start_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let receiver = frex.start(RECEIVER);
    let _ = frex.done(&["key", "rotate", "log", RECEIVER]);
    // Whoever finds a log key stolen leaves it no time.
    ceremony(&frex, 2, "0s");
    let (exit, log) = receiver.ended();
    assert_eq!(exit, code(WireCode::KeyEnded).0, "{log}");
    assert!(log.contains("6013"), "{log}");

    let next = keys_of(&frex, RECEIVER).join("log.next.key");
    let aside = dir.path().join("aside.key");
    fs::rename(&next, &aside).unwrap();
    let row = doctor(&frex, RECEIVER, "node log key");
    assert_eq!(
        (&row["outcome"], &row["code"]),
        (&"fail".into(), &"KEY_ENDED".into())
    );
    let (exit, log) = frex.node(RECEIVER).ready().unwrap_err();
    assert_eq!(exit, code(WireCode::KeyEnded).0, "{log}");
    // The folder has forgotten a next key that was gone at its opening: it comes back as the key.
    let active = next.with_file_name("log.key");
    fs::rename(&aside, &active).unwrap();
    let receiver = frex.start(RECEIVER);
    assert_eq!(doctor(&frex, RECEIVER, "node log key")["outcome"], "ok");
    assert_eq!(receiver.stop(), Some(0));
}

// CLI-20: a connection key that no peer has accepted is not put in use.
#[test]
fn a_connection_key_that_no_peer_accepts_stays_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let refused = frex.run(&["key", "rotate", "log", SENDER, "--passphrase-fd", "9999"]);
    assert_eq!(
        refused.exit,
        Some(0),
        "a passphrase that is not needed is not read: {refused:?}"
    );
    let command = rotate_tls("1h", SENDER);
    let keys = keys_of(&frex, SENDER);
    let before = fs::read(keys.join("tls.key")).unwrap();
    let alone = frex.run(&command);
    assert_eq!(alone.exit, code(WireCode::Unreachable).0, "{alone:?}");
    assert_eq!(fs::read(keys.join("tls.key")).unwrap(), before);
    let next = fs::read(keys.join("tls.next.key")).unwrap();
    // The same command goes on once a peer is there, with the same key. The own node need not run.
    let _receiver = frex.start(RECEIVER);
    let moved = frex.done(&command);
    assert_eq!(
        (&moved["state"], &moved["made"]),
        (&"active".into(), &false.into())
    );
    assert_eq!(fs::read(keys.join("tls.key")).unwrap(), next);
    let _sender = frex.start(SENDER);
    let sent = frex.done(&[
        "send", REPORT, "--to", RECEIVER, "--from", SENDER, "--wait", "60s",
    ]);
    assert_eq!(sent["recipients"][0]["state"], "accepted", "{sent}");
}
