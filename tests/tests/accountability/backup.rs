//! A node is backed up while it runs, and made again of that; what was lost since is known, and its log begins anew.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use frex_proto::error::WireCode;
use frex_tests::processes::{Frex, NodeProcess, copy_dir};
use serde_json::Value;

const SENDER: &str = "hotline.fr";
const MEMBERS: [&str; 3] = [SENDER, "police.es", "clearing.de"];
const ROOT: &str = "governance/root.frex";
const WITNESSED: &str = "witnessed.frex";
const ANEW: &str = "anew.frex";
const NODES: &str = "node.hotline.fr,node.police.es,node.clearing.de";
const LOGS: &str = "hotline.fr/node/log/frex/example/node.hotline.fr/log";

fn federation(dir: &Path, witnessed: bool) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(&MEMBERS, &[]);
    if witnessed {
        let witnesses = ["--witnesses", NODES, "--quorum", "2"];
        frex.next_roster(WITNESSED, "roster.frex", &witnesses);
        for member in MEMBERS {
            let _ = frex.done(&["roster", "install", WITNESSED, member]);
        }
    }
    let lines: Vec<String> = (0..300)
        .map(|number| report(&format!("B-{number}")))
        .collect();
    fs::write(dir.join("reports.jsonl"), lines.join("\n")).unwrap();
    fs::write(dir.join("report.json"), report("A-1")).unwrap();
    frex
}

fn report(reference: &str) -> String {
    format!(
        r#"{{"reference":"{reference}","created":"2026-07-01T12:00:00Z","description":"made up"}}"#
    )
}

fn started(frex: &Frex, members: &[&str]) -> Vec<NodeProcess> {
    members.iter().map(|member| frex.start(member)).collect()
}

fn home(frex: &Frex) -> PathBuf {
    frex.dir().join(SENDER).join("node")
}

/// Files the report; gives the receipts.
fn file(frex: &Frex) -> Vec<String> {
    let send = ["send", "report.json", "--to", "police.es", "--from", SENDER];
    let sent = frex.done(&send);
    let accepted = sent["recipients"][0]["receipt"].as_str();
    let submitted = sent["submitted"].as_str();
    [submitted, accepted]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
}

fn until_final(frex: &Frex, receipt: &str) {
    let message = Path::new(receipt).file_name().unwrap().to_str().unwrap();
    let message = &message[..32];
    let _ = frex.done(&[
        "receipt", "fetch", message, SENDER, "--final", "--wait", "60s",
    ]);
}

fn backup(frex: &Frex) -> Value {
    frex.done(&["backup", SENDER, "--to", "kept"])
}

/// Puts the node away, and another there that is made of the backup, with the keys of the first.
fn restore(frex: &Frex, away: &str, more: &[&str]) -> Value {
    let away = frex.dir().join(away);
    fs::rename(home(frex), &away).unwrap();
    let restored = frex.done(&[&["restore", "kept", SENDER], more].concat());
    assert_eq!(restored["has_keys"], false);
    for name in ["tls.key", "log.key", "witness.key"] {
        fs::copy(
            away.join("keys").join(name),
            home(frex).join("keys").join(name),
        )
        .unwrap();
    }
    restored
}

fn refused(frex: &Frex, more: &[&str]) -> (Option<i32>, String) {
    frex.node_with(SENDER, more).ready().unwrap_err()
}

fn verified(frex: &Frex, receipt: &str, roster: &str) -> bool {
    let verify = [
        "receipt", "verify", receipt, "--roster", roster, "--root", ROOT,
    ];
    frex.run(&verify).json()["receipts"][0]["verified"] == true
}

// BAK-1, BAK-2, BAK-5, BAK-7, NOD-8: backups that are made while reports flow hold all that was acknowledged before
// each began, and every one reads back.
#[test]
fn a_node_is_backed_up_while_reports_flow() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), false);
    let mut nodes = started(&frex, &MEMBERS);
    let mut bulk = frex.begin(&[
        "bulk",
        "reports.jsonl",
        "--to",
        "police.es",
        "--from",
        SENDER,
    ]);
    let (mut sizes, mut copied) = (Vec::new(), 0);
    while !bulk.is_over() || sizes.len() < 3 {
        let made = backup(&frex);
        sizes.push(made["log_size"].as_u64().unwrap());
        copied += made["copied"].as_u64().unwrap();
        let checked = frex.done(&["backup", "verify", "kept"]);
        assert_eq!(
            (&checked["verified"], &checked["log_size"]),
            (&true.into(), &made["log_size"])
        );
    }
    let filed = bulk.wait();
    assert_eq!(filed.exit, Some(0), "{filed:?}");
    assert!(sizes.is_sorted(), "{sizes:?}");
    let last = backup(&frex);
    assert_eq!(last["log_size"], 300, "{sizes:?}");
    assert!(copied > 0);
    assert_eq!(backup(&frex)["copied"], 0, "nothing is new");
    let doctor = frex.run(&["doctor", SENDER]).json();
    let rows = doctor["checks"].as_array().unwrap();
    let row = rows.iter().find(|row| row["check"] == "node backup");
    assert_eq!(row.unwrap()["outcome"], "ok", "{doctor}");

    // Killed, and made again elsewhere: all is there, and goes on.
    nodes[0].kill().unwrap();
    restore(&frex, "first", &["--nothing-was-lost"]);
    nodes[0] = frex.start(SENDER);
    let log = frex.done(&["log", "verify", SENDER]);
    assert_eq!(log["size"], 300);
    let receipts = file(&frex);
    assert!(
        receipts
            .iter()
            .all(|receipt| verified(&frex, receipt, "roster.frex"))
    );
}

// BAK-5, BAK-9, BAK-10: killed at any moment, a backup leaves the one before whole, and a restore leaves no node, or a
// whole one; the same command then does it.
#[test]
fn what_is_killed_on_its_way_leaves_nothing_that_looks_whole() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), false);
    let mut nodes = started(&frex, &MEMBERS[..2]);
    let file_all = [
        "bulk",
        "reports.jsonl",
        "--to",
        "police.es",
        "--from",
        SENDER,
    ];
    let _ = frex.done(&file_all);
    let mut size = backup(&frex)["log_size"].clone();
    for moment in 0..10 {
        file(&frex);
        let killed = frex.begin(&["backup", SENDER, "--to", "kept"]);
        thread::sleep(Duration::from_millis(moment * 4));
        drop(killed);
        let whole = frex.done(&["backup", "verify", "kept"])["log_size"].clone();
        assert!(whole == size || whole.as_u64() > size.as_u64());
        size = whole;
    }
    let keys = ["--with-keys", "--even-unencrypted"];
    let size = frex.done(&[&["backup", SENDER, "--to", "kept"][..], &keys].concat());
    let size = size["log_size"].clone();
    assert_eq!(size, 310);
    nodes[0].kill().unwrap();
    for moment in 0..10 {
        let place = format!("made-{moment}");
        let killed = frex.begin(&["restore", "kept", &place]);
        thread::sleep(Duration::from_millis(moment * 8));
        drop(killed);
        if !frex.dir().join(&place).join("node/frex.toml").exists() {
            let made = frex.done(&["restore", "kept", &place]);
            assert_eq!(made["log_size"], size);
        }
        assert_eq!(frex.done(&["fsck", &place])["published_size"], size);
    }
}

// BAK-11, BAK-13: where nobody witnesses, a restored node waits for the word of its operator, once.
#[test]
fn a_restored_node_without_witnesses_waits_for_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), false);
    let _others = started(&frex, &MEMBERS[1..]);
    let mut node = frex.start(SENDER);
    file(&frex);
    backup(&frex);
    node.kill().unwrap();
    restore(&frex, "first", &[]);
    for _ in 0..2 {
        let (exit, log) = refused(&frex, &[]);
        assert_eq!(exit, Some(23), "{log}");
        assert!(
            log.contains("LOG_UNCONFIRMED") && log.contains("--nothing-was-lost"),
            "{log}"
        );
    }
    let mut node = frex.node_with(SENDER, &["--nothing-was-lost"]);
    node.ready().unwrap();
    let log = fs::read_to_string(dir.path().join(format!("{SENDER}.log"))).unwrap();
    assert!(log.contains("you answer for it"), "{log}");
    node.kill().unwrap();
    let _node = frex.start(SENDER);
    file(&frex);
}

// CLI-3: keys that are not there are brought back, and not made anew.
#[test]
fn a_restored_node_without_keys_asks_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), false);
    backup(&frex);
    let _ = frex.done(&["restore", "kept", "keyless"]);
    let refused = frex.run(&["run", "keyless"]);
    assert_eq!(refused.code(), Some(WireCode::NotInitialised as u64));
    let said = refused.err.contains("Put the node's keys back");
    assert!(said && !refused.err.contains("frex init"), "{refused:?}");
}

// BAK-11, BAK-12: with witnesses it waits until enough of them have said that they saw no more.
#[test]
fn a_restored_node_waits_for_its_witnesses() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), true);
    let mut others = started(&frex, &MEMBERS[1..]);
    let mut node = frex.start(SENDER);
    until_final(&frex, &file(&frex)[0]);
    assert_eq!(node.kill(), Ok(()));
    backup(&frex);
    for other in &mut others {
        other.kill().unwrap();
    }
    restore(&frex, "first", &[]);
    let (exit, log) = refused(&frex, &[]);
    assert_eq!(exit, Some(23), "{log}");
    assert!(log.contains("0 of the 1 witnesses that it takes"), "{log}");
    let _others = started(&frex, &MEMBERS[1..]);
    let _node = frex.start(SENDER);
    until_final(&frex, &file(&frex)[0]);
}

// BAK-14 to BAK-21, LOG-30, ROS-60, ROS-61, EVD-5: what was lost is known, the log begins anew, old receipts verify and say
// what is not there any more, and neither copy of before starts again.
#[test]
fn a_log_whose_end_is_lost_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), true);
    let _others = started(&frex, &MEMBERS[1..]);
    let mut node = frex.start(SENDER);
    let before = file(&frex);
    backup(&frex);
    let lost = file(&frex);
    until_final(&frex, &lost[0]);
    node.kill().unwrap();
    restore(&frex, "first", &[]);
    let log = kept_out(&frex, 20, "LOG_ROLLED_BACK");
    assert!(log.contains("frex log new-epoch hotline.fr"), "{log}");

    let (kept, seen) = ask_for_another_log(&frex);
    let mut node = frex.start(SENDER);
    let receipts = file(&frex);
    until_final(&frex, &receipts[0]);
    for receipt in before.iter().chain(&lost).chain(&receipts) {
        assert!(verified(&frex, receipt, ANEW), "{receipt}");
    }
    shown_in_evidence(&frex, &[&before[0], &lost[0], &receipts[0]]);
    let begun = format!("{LOGS}/2/begun.tlog-proof");
    let trust = ["--roster", ANEW, "--root", ROOT];
    let begun = frex.done(&[&["receipt", "verify", &begun][..], &trust].concat());
    let begun = &begun["receipts"][0]["receipt"];
    let of = |size: u64| {
        Value::from(format!(
            "frex/example/node.hotline.fr/log/1 of {size} entries"
        ))
    };
    assert_eq!((&begun["follows"], &begun["seen"]), (&of(kept), &of(seen)));
    let listed = frex.done(&["receipt", "ls", SENDER]);
    let rows = listed["receipts"].as_array().unwrap();
    let is_lost = |file: &str| {
        let row = rows.iter().find(|row| row["file"].as_str() == Some(file));
        row.unwrap()["finality"] == "lost"
    };
    let found = [&before[0], &lost[0], &receipts[0]].map(|file| is_lost(file));
    assert_eq!(found, [false, true, false], "{listed}");
    node.kill().unwrap();
    the_whole_history_is_in_the_next_backup(&frex);

    // The copy that was lost, should it turn up: it stops when it hears that its log has ended, and does not start
    // again.
    fs::remove_dir_all(home(&frex)).unwrap();
    copy_dir(&frex.dir().join("first"), &home(&frex)).unwrap();
    let mut node = frex.node(SENDER);
    // It may hear before it is ready.
    let _ = node.ready();
    let (exit, log) = node.ended();
    assert_eq!(exit, Some(78), "{log}");
    assert!(log.contains("LOG_ENDED"), "{log}");
    kept_out(&frex, 78, "LOG_ENDED");
}

// WIT-8, WIT-9, BAK-13, BAK-14, BAK-19, BAK-22: the word that nothing was lost replaces no answer, also of those who cannot
// be asked any more. A copy that nobody has told signs on with it, and stops when others come back; of its two histories
// the beginning is kept that both have.
#[test]
fn of_two_histories_the_common_beginning_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), true);
    let mut others = started(&frex, &MEMBERS[1..]);
    let mut node = frex.start(SENDER);
    let before = file(&frex);
    until_final(&frex, &before[0]);
    let common = backup(&frex)["log_size"].as_u64().unwrap();
    let lost = file(&frex);
    until_final(&frex, &lost[0]);
    node.kill().unwrap();
    let word = ["--nothing-was-lost"];
    restore(&frex, "first", &word);
    kept_out(&frex, 20, "LOG_ROLLED_BACK");
    for other in &mut others {
        other.kill().unwrap();
    }
    kept_out(&frex, 20, "LOG_ROLLED_BACK");
    restore(&frex, "second", &word);
    // The member's own program would tell it too.
    fs::remove_dir_all(frex.dir().join(SENDER).join("member/seen")).unwrap();
    let node = frex.start(SENDER);
    let send = ["send", "report.json", "--to", "police.es", "--from", SENDER];
    let sent = frex.run(&[&send[..], &["--wait", "0s"]].concat()).json();
    let other = sent["submitted"].as_str().expect("it is signed again");
    let _others = started(&frex, &MEMBERS[1..]);
    let (exit, log) = node.ended();
    assert_eq!(exit, Some(20), "{log}");
    assert!(log.contains("LOG_ROLLED_BACK"), "{log}");

    let (kept, _) = ask_for_another_log(&frex);
    assert_eq!(kept, common);
    let _node = frex.start(SENDER);
    let listed = frex.done(&["receipt", "ls", SENDER]);
    let rows = listed["receipts"].as_array().unwrap();
    for (file, due) in [(&before[0][..], false), (&lost[0], true), (other, true)] {
        let row = rows.iter().find(|row| row["file"] == file);
        assert_eq!(row.unwrap()["finality"] == "lost", due, "{listed}");
    }
    who_asks_for_what_is_lost_is_told(&frex, &lost[0]);
}

/// BAK-19: also whoever does not list all receipts hears that a report is not there any more.
fn who_asks_for_what_is_lost_is_told(frex: &Frex, receipt: &str) {
    let message = Path::new(receipt).file_name().unwrap().to_str().unwrap();
    let message = &message[..32];
    let shown = frex.done(&["show", message, SENDER]);
    let receipts = shown["receipts"].as_array().unwrap();
    let submitted = receipts.iter().find(|one| one["event"] == "submitted");
    assert_eq!(submitted.unwrap()["lost"], true, "{shown}");
    let send = ["send", "report.json", "--to", "police.es", "--from", SENDER];
    let again = frex.run(&[&send[..], &["--message", message]].concat());
    assert_eq!(again.exit, Some(3), "{again:?}");
    assert!(again.err.contains("file it anew"), "{again:?}");
}

/// The node does not start, with this exit code and for this reason; gives its log.
fn kept_out(frex: &Frex, exit: i32, name: &str) -> String {
    let (found, log) = refused(frex, &[]);
    assert_eq!(found, Some(exit), "{log}");
    assert!(log.contains(name), "{log}");
    log
}

/// The operator sees what is lost and asks for the next log, and the governance lists it. Gives how many entries are
/// kept, and how many others have seen.
fn ask_for_another_log(frex: &Frex) -> (u64, u64) {
    let plan = frex.done(&["log", "new-epoch", SENDER]);
    assert_eq!((&plan["epoch"], &plan["card"]), (&2.into(), &Value::Null));
    let number = |field: &str| plan[field].as_u64().unwrap();
    let (kept, seen) = (number("kept"), number("seen"));
    assert_eq!(number("lost"), seen - kept, "{plan}");
    assert!(kept >= 1 && seen > kept, "{plan}");
    // One that waits for another change stays.
    let other = frex.dir().join(SENDER).join("hotline.fr.card");
    fs::write(&other, "waits").unwrap();
    let card = frex.done(&["log", "new-epoch", SENDER, "--confirm"]);
    assert_eq!(fs::read(&other).unwrap(), b"waits");
    let again = frex.done(&["log", "new-epoch", SENDER, "--confirm"]);
    assert_eq!(card, again, "the same card");
    // Not before the governance lists it.
    kept_out(frex, 20, "LOG_ROLLED_BACK");
    frex.next_roster(ANEW, WITNESSED, &[card["card"].as_str().unwrap()]);
    for member in MEMBERS {
        let _ = frex.done(&["roster", "install", ANEW, member]);
    }
    (kept, seen)
}

/// What was sent before the log began anew and after it proves itself in a file, under the roster that says so.
fn shown_in_evidence(frex: &Frex, receipts: &[&String]) {
    for receipt in receipts {
        let name = Path::new(receipt).file_name().unwrap().to_str().unwrap();
        let message = name.split('-').next().unwrap();
        let _ = frex.done(&["evidence", "export", message, SENDER, "--out", message]);
        let found = frex.done(&["evidence", "verify", message, "--root", ROOT]);
        assert_eq!(found["verified"], true, "{found}");
    }
}

/// Both logs are in what is made of the next backup, also as files.
fn the_whole_history_is_in_the_next_backup(frex: &Frex) {
    let size = backup(frex)["log_size"].clone();
    let _ = frex.done(&["backup", "verify", "kept"]);
    let _ = frex.done(&["fsck", SENDER, "--rebuild"]);
    restore(frex, "second", &[]);
    for file in ["1/checkpoint", "2/checkpoint", "2/begun.tlog-proof"] {
        let path = frex.dir().join(LOGS).join(file);
        assert!(path.is_file(), "{file}");
    }
    both_logs_are_in_one_copy(frex);
    let mut node = frex.start(SENDER);
    assert_eq!(frex.done(&["log", "verify", SENDER])["size"], size);
    node.kill().unwrap();
}

/// AUD-11, BAK-21: of an ended log and its successor in one folder each is read by its name.
fn both_logs_are_in_one_copy(frex: &Frex) {
    let logs = [1, 2].map(|epoch| format!("frex/example/node.hotline.fr/log/{epoch}"));
    for log in &logs {
        let _ = frex.done(&["log", "export", "both", SENDER, "--origin", log]);
    }
    for command in [
        &["log", "verify", "both"][..],
        &["log", "prune", "both", "--below", "0"],
    ] {
        let several = frex.run(command);
        assert_eq!(
            several.code(),
            Some(WireCode::BadInput as u64),
            "{several:?}"
        );
        assert!(
            logs.iter().all(|log| several.err.contains(log)),
            "{several:?}"
        );
        assert!(several.err.contains("--origin"), "{several:?}");
        for log in &logs {
            let read = frex.done(&[command, &["--origin", log]].concat());
            assert_eq!(read["origin"], log.as_str());
        }
    }
    // AUD-12: an auditor believes both by the roster that says that the first has ended, and by none before it the second.
    for (log, epoch) in logs.iter().zip([1, 2]) {
        let (place, state) = (format!("both/{log}"), format!("audit-{epoch}"));
        let audit = ["log", "audit", &place, "--state", &state, "--root", ROOT];
        let found = frex.done(&[&audit[..], &["--roster", ANEW]].concat());
        assert_eq!(found["origin"], log.as_str());
        let ended = found["ended"]["kept"].is_u64();
        assert_eq!(ended, epoch == 1, "{found}");
        let before = frex.run(&[&audit[..], &["--roster", WITNESSED]].concat());
        let code = (epoch == 2).then_some(WireCode::NotTrusted as u64);
        assert_eq!(before.code(), code, "{before:?}");
    }
    let none = frex.run(&["log", "verify", "both", "--origin", "frex/example/x/log/1"]);
    assert_eq!(none.code(), Some(WireCode::NotFound as u64), "{none:?}");
}

// BAK-4, BAK-9, CLI-3: what a person does wrong is refused with the way out, and nothing is overwritten.
#[test]
fn backup_and_restore_refuse_and_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), false);
    let code = |args: &[&str]| {
        let ended = frex.run(args);
        assert_ne!(ended.exit, Some(0), "{args:?}");
        ended.code()
    };
    let keys = ["backup", SENDER, "--to", "kept", "--with-keys"];
    assert_eq!(code(&keys), Some(WireCode::KeysPlain as u64));
    assert_eq!(code(&["backup", SENDER]), Some(WireCode::BadInput as u64));
    assert_eq!(
        code(&["backup", "verify", SENDER]),
        Some(WireCode::BackupDamaged as u64)
    );
    assert_eq!(
        code(&["restore", "nowhere", "new"]),
        Some(WireCode::BackupDamaged as u64)
    );
    backup(&frex);
    assert_eq!(
        code(&["restore", "kept", SENDER]),
        Some(WireCode::AlreadyExists as u64)
    );
    assert_eq!(
        code(&["backup", "police.es", "--to", "kept"]),
        Some(WireCode::AlreadyExists as u64)
    );
    let other = "0".repeat(64);
    let expected = ["restore", "kept", "new", "--manifest", &other];
    assert_eq!(code(&expected), Some(WireCode::BackupDamaged as u64));
    assert!(!frex.dir().join("new/node/frex.toml").exists());
    let made = frex.done(&[&keys[..], &["--even-unencrypted"]].concat());
    assert_eq!(made["keys"], "plain");
    let manifest = made["manifest"].as_str().unwrap();
    let restored = frex.done(&["restore", "kept", "new", "--manifest", manifest]);
    assert_eq!(
        (&restored["has_keys"], &restored["log_size"]),
        (&true.into(), &0.into())
    );
    let running = frex.start(SENDER);
    assert_eq!(
        code(&["log", "new-epoch", SENDER]),
        Some(WireCode::Locked as u64)
    );
    drop(running);
}
