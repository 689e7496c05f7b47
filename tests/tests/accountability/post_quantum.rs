//! A log and a witness go over to keys with an ML-DSA-44 companion, in processes: what was final stays so,
//! what comes is signed twice, and half of it is none.

use std::{fs, path::Path};

use super::witnesses::{MEMBERS, ROOT, ROSTER, SENDER, federation, file, started, until_final};
use frex_proto::error::WireCode;
use frex_tests::processes::Frex;
use serde_json::Value;

const WITNESS: &str = "police.es";
const NEXT: &str = "third.frex";

fn verify(frex: &Frex, receipt: &str, trust: &[&str]) -> (Option<u64>, Value) {
    let ended = frex.run(&[&["receipt", "verify", receipt][..], trust].concat());
    (ended.code(), ended.json()["receipts"][0].clone())
}

/// What `frex doctor` finds of one key.
fn doctor(frex: &Frex, member: &str, check: &str) -> String {
    let report = frex.run(&["doctor", &format!("{member}/node")]).json();
    let rows = report["checks"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["check"] == check).unwrap();
    row["found"].as_str().unwrap().to_owned()
}

/// Sender's log and the police's witness go over to keys with companions, by one roster.
fn go_over(frex: &Frex) {
    for (usage, member) in [("log", SENDER), ("witness", WITNESS)] {
        let made = frex.done(&["key", "rotate", usage, "--post-quantum", member]);
        assert_eq!(made["post_quantum"], true, "{made}");
    }
    let cards = [SENDER, WITNESS].map(|member| format!("{member}/{member}.card"));
    frex.next_roster(NEXT, ROSTER, &[&cards[0], &cards[1]]);
    for member in MEMBERS {
        let _ = frex.done(&["roster", "install", NEXT, member]);
    }
}

/// The receipt without the last line of the log or of the witness: what somebody on the way can do.
fn stripped(dir: &Path, receipt: &str, name: &str) -> String {
    let path = dir.join(receipt);
    let text = fs::read_to_string(path).unwrap();
    let start = format!("\u{2014} {name} ");
    let longest = text.lines().filter(|line| line.starts_with(&start));
    let longest = longest.max_by_key(|line| line.len()).unwrap();
    assert!(longest.len() > 3000, "an ML-DSA-44 line: {longest}");
    let file = "stripped.tlog-proof";
    fs::write(dir.join(file), text.replace(&format!("{longest}\n"), "")).unwrap();
    file.to_owned()
}

/// A receipt that lacks one line of its log is refused; that of a witness, and it counts no more.
fn half_of_it_is_none(frex: &Frex, own: &str, vkey: &str) {
    let trust = ["--roster", NEXT, "--root", ROOT];
    let log = "frex/example/node.hotline.fr/log/1";
    let half = stripped(frex.dir(), own, log);
    for trust in [&trust[..], &["--vkey", vkey]] {
        let (code, found) = verify(frex, &half, trust);
        assert_eq!(code, Some(WireCode::BadReceipt as u64), "{found}");
        assert!(found.to_string().contains("one line is missing"), "{found}");
    }
    // Of three two must cosign, and none its own log: both others have.
    let half = stripped(frex.dir(), own, "frex/example/node.police.es/witness/1");
    let (code, found) = verify(frex, &half, &trust[..]);
    assert_eq!(
        (code, &found["verified"]),
        (None, &true.into()),
        "the log's word holds"
    );
    assert_eq!(found["finality"]["state"], "provisional", "{found}");
    let witnesses = found["finality"]["witnesses"].to_string();
    assert!(!witnesses.contains("police"), "{found}");
}

// LOG-32, WIT-23, WIT-24, ROS-63, CLI-33: from the roster that lists them on both halves must have signed; what was
// final under the keys before stays final.
#[test]
fn log_and_witness_go_over_to_two_signatures_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let nodes = started(&frex, &MEMBERS);
    let before = until_final(&frex, &file(&frex));
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
    go_over(&frex);
    let _nodes = started(&frex, &MEMBERS);
    for (member, check) in [(SENDER, "node log key"), (WITNESS, "node witness key")] {
        let found = doctor(&frex, member, check);
        assert!(found.contains("Ed25519 and ML-DSA-44"), "{found}");
    }
    let shown = frex.done(&["roster", "show", NEXT, "--root", ROOT]);
    let nodes = shown["nodes"].as_array().unwrap();
    let of = |member: &str| {
        let id = format!("node.{member}");
        nodes.iter().find(|node| node["id"] == id.as_str()).unwrap()
    };
    assert_eq!(
        of(SENDER)["ml_dsa_44_log_key"].as_str().map(str::len),
        Some(2624)
    );
    let former = of(WITNESS)["earlier_witness_keys"].as_array().unwrap();
    assert_eq!(former.len(), 1, "{former:?}");

    let trust = ["--roster", NEXT, "--root", ROOT, "--final"];
    for row in &before {
        let (code, found) = verify(&frex, row["file"].as_str().unwrap(), &trust);
        assert_eq!((code, &found["verified"]), (None, &true.into()), "{found}");
    }
    let after = until_final(&frex, &file(&frex));
    let own = after.iter().find(|row| row["node"] == "node.hotline.fr");
    let own = own.unwrap()["file"].as_str().unwrap();
    let (code, found) = verify(&frex, own, &trust);
    assert_eq!((code, &found["verified"]), (None, &true.into()), "{found}");
    // Offline by the verifier keys that lie beside it: both are there, and both must hold.
    let vkey = Path::new(own).with_extension("vkey");
    let vkey = vkey.to_str().unwrap();
    assert_eq!(
        fs::read_to_string(dir.path().join(vkey))
            .unwrap()
            .lines()
            .count(),
        2
    );
    assert_eq!(verify(&frex, own, &["--vkey", vkey]).0, None);

    half_of_it_is_none(&frex, own, vkey);
    let _ = frex.done(&["log", "verify", SENDER]);
    let evidence = frex.done(&["log", "evidence", SENDER]);
    assert_eq!(evidence["forks"], Value::Array(Vec::new()));
}

// CLI-33, FIL-20: a node that is made with the option has both halves from its first head on.
#[test]
fn a_node_is_made_with_two_signatures() {
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    let init = [
        "init",
        "--member",
        SENDER,
        "--name",
        "Hotline",
        "--country",
        "FR",
        "--role",
        "hotline",
        "--federation",
        "example",
        "--post-quantum-log",
        SENDER,
    ];
    let made = frex.done(&init);
    assert_eq!(
        (&made["post_quantum_log"], &made["post_quantum"]),
        (&true.into(), &false.into())
    );
    let listed = frex.done(&["key", "ls", SENDER]);
    let keys = listed["keys"].as_array().unwrap();
    let paired = |name: &str| {
        let key = keys.iter().find(|key| {
            let file = key["file"].as_str().unwrap();
            file.ends_with(&format!("node/keys/{name}"))
        });
        key.unwrap()["post_quantum"].as_bool().unwrap()
    };
    assert!(paired("log.key") && paired("witness.key") && !paired("tls.key"));
}
