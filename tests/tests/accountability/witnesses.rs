//! Three members witness for each other: their receipts become final, and an old copy of a node stays
//! where it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use frex_proto::error::WireCode;
use frex_tests::processes::{Frex, NodeProcess, copy_dir};
use serde_json::Value;

pub const SENDER: &str = "hotline.fr";
pub const MEMBERS: [&str; 3] = [SENDER, "police.es", "clearing.de"];
pub const ROOT: &str = "governance/root.frex";
pub const ROSTER: &str = "second.frex";
const NODES: &str = "node.hotline.fr,node.police.es,node.clearing.de";

pub fn federation(dir: &Path) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(&MEMBERS, &[]);
    let witnesses = ["--witnesses", NODES, "--quorum", "2"];
    frex.next_roster(ROSTER, "roster.frex", &witnesses);
    for member in MEMBERS {
        let _ = frex.done(&["roster", "install", ROSTER, member]);
    }
    frex.report();
    frex
}

pub fn started(frex: &Frex, members: &[&str]) -> Vec<NodeProcess> {
    members.iter().map(|member| frex.start(member)).collect()
}

/// Files the report; gives its message id.
pub fn file(frex: &Frex) -> String {
    let send = ["send", "report.json", "--to", "police.es", "--from", SENDER];
    let sent = frex.done(&send);
    sent["message"].as_str().unwrap().to_owned()
}

/// Its receipts, once all of them are final.
pub fn until_final(frex: &Frex, message: &str) -> Vec<Value> {
    let fetch = [
        "receipt", "fetch", message, SENDER, "--final", "--wait", "60s",
    ];
    let fetched = frex.done(&fetch);
    let rows = fetched["receipts"].as_array().unwrap().clone();
    assert!(
        rows.iter().all(|row| row["finality"] == "final"),
        "{rows:?}"
    );
    rows
}

fn verify(frex: &Frex, file: &Value, more: &[&str]) -> (Option<u64>, Value) {
    let file = file.as_str().unwrap();
    let verify = [
        "receipt", "verify", file, "--roster", ROSTER, "--root", ROOT,
    ];
    let ended = frex.run(&[&verify[..], more].concat());
    (ended.code(), ended.json()["receipts"][0].clone())
}

// RCP-17, RCP-18, WIT-2, WIT-7, WIT-12: both nodes' receipts become final, by the word of two others each,
// and are so in the file; while nobody witnesses they are provisional and say so.
#[test]
fn receipts_become_final_and_say_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let mut nodes = started(&frex, &MEMBERS);
    let message = file(&frex);
    let rows = until_final(&frex, &message);
    assert_eq!(rows.len(), 2, "SUBMITTED and ACCEPTED");
    for row in &rows {
        let (code, found) = verify(&frex, &row["file"], &["--final"]);
        assert_eq!((code, &found["verified"]), (None, &Value::Bool(true)));
        assert_eq!(found["finality"]["state"], "final", "{found}");
        let witnesses = found["finality"]["witnesses"].as_array().unwrap();
        assert!(
            witnesses.len() == 2 && !witnesses.contains(&row["node"]),
            "{found}"
        );
    }
    let listed = frex.done(&["receipt", "ls", SENDER]);
    let listed = listed["receipts"].as_array().unwrap();
    assert!(listed.iter().all(|row| row["finality"] == "final"));

    for place in [2, 1] {
        nodes[place].kill().unwrap();
    }
    let send = ["send", "report.json", "--to", "police.es", "--from", SENDER];
    let sent = frex.run(&[&send[..], &["--wait", "0s"]].concat());
    assert_eq!(sent.exit, Some(3), "{sent:?}");
    let submitted = &sent.json()["submitted"];
    let (code, found) = verify(&frex, submitted, &[]);
    assert_eq!(
        (code, &found["finality"]["state"]),
        (None, &"provisional".into())
    );
    let (code, found) = verify(&frex, submitted, &["--final"]);
    assert_eq!(code, Some(WireCode::Provisional as u64), "{found}");
    assert_eq!(found["finality"]["state"], "provisional");
}

// WIT-8, WIT-9, CLI-3: a node that is brought back from an older copy does not start and says what to do; the
// newer one does.
#[test]
fn an_older_copy_of_a_node_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let _others = started(&frex, &MEMBERS[1..]);
    let home = dir.path().join(SENDER).join("node");
    let aside = |name: &str| -> PathBuf { dir.path().join(name) };
    let mut node = frex.start(SENDER);
    until_final(&frex, &file(&frex));
    node.kill().unwrap();
    copy_dir(&home, &aside("older")).unwrap();
    let mut node = frex.start(SENDER);
    until_final(&frex, &file(&frex));
    node.kill().unwrap();

    fs::rename(&home, aside("newer")).unwrap();
    fs::rename(aside("older"), &home).unwrap();
    let (exit, log) = frex.node(SENDER).ready().unwrap_err();
    assert_eq!(exit, Some(20), "{log}");
    assert!(log.contains("LOG_ROLLED_BACK"), "{log}");

    fs::rename(&home, aside("older")).unwrap();
    fs::rename(aside("newer"), &home).unwrap();
    let _node = frex.start(SENDER);
    until_final(&frex, &file(&frex));
    let evidence = frex.done(&["log", "evidence", SENDER]);
    assert_eq!(evidence["forks"], Value::Array(Vec::new()));
}
