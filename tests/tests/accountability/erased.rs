//! What is left of a message after it was erased, at a node and in a folder, and what is said of it.

use std::{fs, net::UdpSocket, path::Path};

use frex_proto::error::WireCode;
use frex_tests::processes::{Ended, Frex, NodeProcess};
use serde_json::{Value, json};

const SENDER: &str = "hotline.fr";
const READER: &str = "police.es";
const MEMBERS: [&str; 2] = [SENDER, READER];
const WHY: [&str; 4] = ["--ground", "court-order", "--authority", "LU:2024/12"];

/// Two members, and a report from one to the other that was sent under a reference and read.
fn exchanged(dir: &Path) -> (Frex, Vec<NodeProcess>, String) {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(&MEMBERS, &[]);
    let nodes = MEMBERS.iter().map(|member| frex.start(member)).collect();
    frex.report();
    let send = ["send", "report.json", "--to", READER, "--from", SENDER];
    let sent = frex.done(&[&send[..], &["--once=A-1"]].concat());
    let message = sent["message"].as_str().unwrap().to_owned();
    let _ = frex.done(&["inbox", READER, "--wait", "30s"]);
    (frex, nodes, message)
}

fn erase(frex: &Frex, message: &str, member: &str, more: &[&str]) -> Ended {
    frex.run(&[&["erase", message, member], &WHY[..], more].concat())
}

fn code(ended: &Ended, code: WireCode) {
    assert_eq!(ended.code(), Some(code as u64), "{ended:?}");
}

// ERA-14: of a fetched attachment the file goes that came, and no other that stands where older programs noted
// one; what is known of the message goes last, and of another sender's message nothing.
#[test]
fn only_what_is_of_a_message_goes_from_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (frex, _nodes, message) = exchanged(dir.path());
    let inbox = dir.path().join(READER).join("member/inbox");
    let about = fs::read_dir(&inbox).unwrap().map(|one| one.unwrap().path());
    let about = about.filter(|path| path.extension().is_some_and(|end| end == "about"));
    let about = about.last().unwrap();
    let file = |name: &str| {
        let path = dir.path().join(name);
        fs::write(&path, "four").unwrap();
        path
    };
    let (came, grown, relative) = (file("came"), file("grown"), file("relative"));
    let mut row: Value = serde_json::from_slice(&fs::read(&about).unwrap()).unwrap();
    row["attachments"] = json!([
        { "file": came, "bytes": 4 }, { "file": grown, "bytes": 3 }, { "file": "relative", "bytes": 4 },
    ]);
    fs::write(&about, row.to_string()).unwrap();

    let other = ["--local", "--confirm", "--sender", "nobody"];
    code(&erase(&frex, &message, READER, &other), WireCode::NotFound);
    let plan = erase(&frex, &message, READER, &["--local"]).json();
    let files = plan["files"].as_array().unwrap();
    assert!(files.last().unwrap().as_str().unwrap().ends_with(".about"));
    assert_eq!(plan["by_hand"], json!([grown, "relative"]), "{plan}");
    assert_eq!(plan["receipts_go"], true);
    let done = erase(&frex, &message, READER, &["--local", "--confirm"]);
    assert_eq!(done.exit, Some(0), "{done:?}");
    let there = [&came, &grown, &relative, &about].map(|path| path.exists());
    assert_eq!(there, [false, true, true, false]);
    assert!(fs::read_dir(&inbox).unwrap().next().is_none());
}

// ERA-14, CLI-28: a reference alone is something that is kept; and once a message was erased, that is what is
// said of it, with the ground, and not that nothing was ever there.
#[test]
fn what_was_erased_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (frex, _nodes, message) = exchanged(dir.path());
    fs::remove_dir_all(dir.path().join(SENDER).join("member/sent")).unwrap();
    let local = ["--local", "--keep-receipts", "--confirm"];
    let done = erase(&frex, &message, SENDER, &local);
    assert_eq!(done.exit, Some(0), "{done:?}");
    assert_eq!(done.json()["referenced"], true);
    code(&erase(&frex, &message, SENDER, &local), WireCode::NotFound);

    let done = erase(&frex, &message, SENDER, &["--confirm"]);
    assert_eq!(done.exit, Some(0), "{done:?}");
    let hold = [&["hold", "set", &message, SENDER], &WHY[..]].concat();
    let export = ["evidence", "export", &message, SENDER, "--out", "a.frexev"];
    for words in [
        &["show", &message, SENDER][..],
        &["show", &message[..8], SENDER],
        &export,
        &hold,
    ] {
        let ended = frex.run(words);
        code(&ended, WireCode::Erased);
        assert!(ended.err.contains("ground court-order"), "{ended:?}");
    }
}

// ERA-12, ERA-13: what a node that is stopped holds is read from its files; it is not started for that, nor for a
// hold, whatever else listens on its address.
#[test]
fn a_stopped_node_is_not_started_for_a_hold() {
    let dir = tempfile::tempdir().unwrap();
    let (frex, nodes, message) = exchanged(dir.path());
    let hold = [&["hold", "set", &message, READER], &WHY[..]].concat();
    let _ = frex.done(&hold);
    let held = frex.done(&["hold", "ls", READER]);
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
    let status = frex.done(&["status", READER]);
    let listen = status["node"]["listen"].as_str().unwrap();
    let _taken = UdpSocket::bind(listen).unwrap();
    let head = || frex.done(&["log", "checkpoint", READER]);
    let before = head();
    assert_eq!(frex.done(&["hold", "ls", READER]), held);
    assert_eq!(held["held"][0]["message"], message.as_str());
    let erased = frex.done(&["erase", "ls", READER]);
    assert_eq!(erased["erased"], json!([]));
    let refused = frex.run(&hold);
    assert_eq!(refused.exit, Some(23), "{refused:?}");
    assert!(refused.err.contains("frex run police.es"), "{refused:?}");
    assert_eq!(head(), before);
}

// ERA-16, CLI-28: another member's list is refused before any of it is erased, and of what is erased by a list it is
// said that it was.
#[test]
fn a_list_is_for_the_member_whose_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (frex, _nodes, message) = exchanged(dir.path());
    let done = erase(&frex, &message, SENDER, &["--confirm"]);
    assert_eq!(done.exit, Some(0), "{done:?}");
    let list = frex.run(&["erase", "export", SENDER]).out;
    let path = dir.path().join("list.jsonl");
    fs::write(&path, &list).unwrap();
    let again = ["erase", "again", "list.jsonl", READER];
    let refused = frex.run(&again);
    code(&refused, WireCode::BadInput);
    assert!(refused.err.contains("ordered by hotline.fr"), "{refused:?}");
    let _ = frex.done(&["show", &message, READER]);
    let by = |member: &str| format!(r#""ordered_by":"{member}""#);
    fs::write(&path, list.replace(&by(SENDER), &by(READER))).unwrap();
    assert_eq!(frex.done(&again)["erased"], 1);
    let shown = frex.run(&["show", &message, READER]);
    code(&shown, WireCode::Erased);
    assert!(shown.err.contains("ground court-order"), "{shown:?}");
}

// ERA-5, ERA-16: what the node keeps for another member too stays, and the rest of the list is done all the same.
#[test]
fn what_others_have_too_keeps_nothing_else_of_a_list() {
    const GUEST: &str = "guest.es";
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    frex.federation(&MEMBERS, &[]);
    let guest = [
        &[
            "init",
            "--member",
            GUEST,
            "--name",
            GUEST,
            "--country",
            "ES",
        ][..],
        &["--role", "police", "--federation", "example", "--no-node"],
        &["--home-node", "node.police.es", GUEST],
    ];
    let card = frex.done(&guest.concat())["card"].clone();
    frex.next_roster("second.frex", "roster.frex", &[card.as_str().unwrap()]);
    for member in [SENDER, READER, GUEST] {
        let install = ["roster", "install", "second.frex", member];
        let root: &[&str] = match member {
            GUEST => &["--root", "governance/root.frex"],
            _ => &[],
        };
        let _ = frex.done(&[&install[..], root].concat());
    }
    let _nodes = MEMBERS.map(|member| frex.start(member));
    frex.report();
    let send = |more: &[&str]| {
        let send = ["send", "report.json", "--from", SENDER, "--to", GUEST];
        let sent = frex.done(&[&send[..], more].concat());
        let message = sent["message"].as_str().unwrap();
        format!(
            "{}\n",
            json!({
                "message": message, "sender": SENDER, "ground": "data-subject", "authority": "LED-16",
            })
        )
    };
    let alone = send(&[]);
    let _ = frex.done(&["inbox", GUEST, "--wait", "30s"]);
    // A message that took several erasures is on the list as often.
    let list = send(&["--to", READER]) + &alone + &alone;
    fs::write(dir.path().join("list.jsonl"), list).unwrap();
    let again = frex.run(&["erase", "again", "list.jsonl", GUEST]);
    assert_eq!(again.exit, Some(3), "{again:?}");
    let said = again.json();
    let counts = ["erased", "erased_before", "held_by_others"];
    assert_eq!(counts.map(|count| said[count].as_u64()), [Some(1); 3]);
}
