//! A message with a file is passed on: the file goes along, to those who take files.

use std::{fs, path::Path};

use frex_proto::error::WireCode;
use frex_tests::processes::{Frex, NodeProcess};
use serde_json::Value;

const MEMBERS: [&str; 4] = ["platform", "police", "court", "hotline"];

/// All but the hotline take files.
fn federation(dir: &Path) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(&MEMBERS, &[]);
    let takes = ["--attachments", "police=yes", "--attachments", "court=yes"];
    frex.next_roster("second.frex", "roster.frex", &takes);
    for member in MEMBERS {
        let _ = frex.done(&["roster", "install", "second.frex", member]);
    }
    frex
}

fn started(frex: &Frex) -> Vec<NodeProcess> {
    MEMBERS.iter().map(|member| frex.start(member)).collect()
}

fn only(inbox: &Value) -> &Value {
    let items = inbox["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{inbox}");
    &items[0]
}

// ATT-17, RCL-21: not to a member that takes no files, nor to whoever passes it on.
fn goes_to_nobody_who_must_not_have_it(frex: &Frex, message: &str) {
    let forward = |to: &[&str]| frex.run(&[&["forward", message, "police"], to].concat());
    let refused = forward(&["--to", "hotline"]);
    let code = Some(WireCode::AttachmentsRefused as u64);
    assert_eq!(refused.code(), code, "{refused:?}");
    let refused = forward(&["--to", "court", "--to", "police"]);
    let code = Some(WireCode::BadInput as u64);
    assert_eq!(
        (refused.exit, refused.code()),
        (Some(2), code),
        "{refused:?}"
    );
}

// RCL-14, ATT-14, ATT-16, ATT-18, ATT-19: the forwarder's node brings the file to the next one, as
// it would bring one of its own member's.
#[test]
fn a_file_goes_along_with_a_message_that_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let frex = federation(folder.path());
    let _nodes = started(&frex);
    let report = r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;
    fs::write(folder.path().join("report.json"), report).unwrap();
    let words: Vec<u8> = b"words and more words\n"
        .iter()
        .copied()
        .cycle()
        .take(2_500_000)
        .collect();
    fs::write(folder.path().join("minutes.txt"), &words).unwrap();

    let send = [
        "send",
        "report.json",
        "--to",
        "police",
        "--from",
        "platform",
        "--wait",
        "60s",
    ];
    let _ = frex.done(&[&send[..], &["--attach", "minutes.txt"]].concat());
    let came = frex.done(&["inbox", "police", "--wait", "20s"]);
    let message = only(&came)["message"].as_str().unwrap().to_owned();

    goes_to_nobody_who_must_not_have_it(&frex, &message);
    let _ = frex.done(&[
        "forward", &message, "--to", "court", "police", "--wait", "60s",
    ]);

    // RCL-22: who has it does not get it again unasked.
    for member in ["court", "platform"] {
        let again = frex.run(&["forward", &message, "police", "--to", member]);
        let code = Some(WireCode::BadInput as u64);
        assert_eq!((again.exit, again.code()), (Some(2), code), "{again:?}");
    }

    let came = frex.done(&["inbox", "court", "--wait", "20s"]);
    let passed_on = only(&came);
    assert_eq!(passed_on["from"], "police");
    assert_eq!(passed_on["author"], "platform");
    let id = passed_on["envelope"].as_str().unwrap();
    let fetch = [
        "attachment",
        "fetch",
        id,
        "--out",
        "evidence",
        "--wait",
        "30s",
        "court",
    ];
    let _ = frex.done(&fetch);
    assert_eq!(
        fs::read(folder.path().join("evidence/minutes.txt")).unwrap(),
        words
    );
    // What is there is not fetched again, and what does not exist is no success.
    let _ = frex.done(&fetch);
    let none = frex.run(&[&fetch[..], &["--number", "7"]].concat());
    assert_eq!(none.code(), Some(WireCode::NotFound as u64), "{none:?}");
    // Nobody else is given it, though the message is known.
    let stranger = frex.run(&["attachment", "fetch", id, "--out", "stolen", "hotline"]);
    assert_ne!(stranger.exit, Some(0), "{stranger:?}");
}
