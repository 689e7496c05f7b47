//! Keys with an ML-DSA-65 companion, as holders and members meet them: real processes, exit codes,
//! words.

use std::{fs, path::Path};

use frex_proto::v1;
use prost::Message;
use support::{exits, frex, init, json, ok, refused, stdout};
use tempfile::TempDir;

mod support;

/// Two holders, both of whom must agree; Ana's keys have companions. Their root is proposed.
fn holders() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let said = ok(
        dir.path(),
        "federation key --federation test --holder Ana --post-quantum ana",
    );
    assert!(said.contains("ML-DSA-65 companion"), "{said}");
    ok(
        dir.path(),
        "federation key --federation test --holder Ben ben",
    );
    ok(
        dir.path(),
        "federation propose --name test --threshold 2 --out root.proposal ana/ana.holder ben/ben.holder",
    );
    dir
}

fn sign(dir: &Path, what: &str, options: &str) {
    for holder in ["ana", "ben"] {
        ok(dir, &format!("{what} --key {holder}/{options}"));
    }
}

/// A member with a companion under a roster of these holders.
fn world() -> TempDir {
    let dir = holders();
    let at = dir.path();
    sign(at, "federation sign root.proposal", "root.key");
    ok(
        at,
        "federation combine root.proposal root.proposal.ana.sig root.proposal.ben.sig --out root.frex",
    );
    let line =
        init("fr", "hotline.fr", "127.0.0.1:7443").replacen("init ", "init --post-quantum ", 1);
    ok(at, &line);
    ok(
        at,
        "roster propose --root root.frex --out r.proposal fr/hotline.fr.card",
    );
    sign(at, "roster sign r.proposal --root root.frex", "roster.key");
    ok(
        at,
        "roster combine r.proposal r.proposal.ana.sig r.proposal.ben.sig --root root.frex --out roster.frex",
    );
    ok(at, "roster install roster.frex --root root.frex fr");
    dir
}

// ROS-26, ROS-30, SIG-21: half a signature is not collected, and every listing tells the keys apart.
#[test]
fn holders_with_and_without_a_companion_agree() {
    let dir = holders();
    let at = dir.path();
    sign(at, "federation sign root.proposal", "root.key");
    let combine = "federation combine root.proposal root.proposal.ana.sig root.proposal.ben.sig --out root.frex";
    let file = at.join("root.proposal.ana.sig");
    let whole = fs::read(&file).expect("own file");
    let mut half = v1::DetachedSignatures::decode(&whole[..]).expect("signatures");
    assert_eq!(half.signatures.len(), 2);
    half.signatures.pop();
    fs::write(&file, half.encode_to_vec()).expect("own file");
    refused(at, combine, 20, "HALF_SIGNED");
    fs::write(&file, whole).expect("own file");
    ok(at, combine);

    let root = json(at, "federation show root.frex", 0);
    for keys in ["root_keys", "roster_keys"] {
        assert_eq!(root["post_quantum"][keys], serde_json::json!([true, false]));
    }
    let text = ok(at, "federation show root.frex");
    assert!(text.contains("Ana  Ed25519 and ML-DSA-65"), "{text}");
    assert!(text.contains("Ben  Ed25519\n"), "{text}");
    let cards = ["ana/ana.holder", "ben/ben.holder"]
        .map(|card| json(at, &format!("federation show {card}"), 0)["post_quantum"].clone());
    assert_eq!(cards, [true, false]);
}

// FIL-20, FIL-11, KEY-34: one file and one fingerprint for both, encrypted and decrypted together.
#[test]
fn a_member_with_a_companion_is_listed_and_its_key_kept_whole() {
    let dir = world();
    let at = dir.path();
    fs::write(at.join("secret"), "open sesame\n").expect("own file");
    let listed = |dir: &Path| {
        let keys = json(dir, "key ls fr/member/keys/identity.key", 0);
        let key = &keys["keys"][0];
        assert_eq!(key["post_quantum"], true);
        (
            key["fingerprint"].as_str().expect("stated").to_owned(),
            key["encrypted"] == true,
        )
    };
    let (print, encrypted) = listed(at);
    assert!(!encrypted);
    let status = json(at, "status fr", 0);
    assert_eq!(status["member"]["fingerprint"], print.as_str());
    ok(at, "key encrypt fr --passphrase-fd 3 3<secret");
    assert_eq!(listed(at), (print.clone(), true));
    ok(at, "key decrypt fr --passphrase-fd 3 3<secret");
    assert_eq!(listed(at), (print, false));

    let shown = ok(at, "roster show fr --root root.frex");
    assert!(shown.contains("Ed25519 and ML-DSA-65"), "{shown}");
    let roster = json(at, "roster show fr --root root.frex", 0);
    let companions = &roster["members"][0]["ml_dsa_65_keys"];
    assert_eq!(companions[0].as_str().map(str::len), Some(2 * 1952));
}

// FIL-20, FIL-12: a companion that is lost is damage, and a key that never had one is another key.
#[test]
fn a_lost_companion_is_told() {
    let dir = world();
    let at = dir.path();
    let path = at.join("fr/member/keys/identity.key");
    let whole = fs::read_to_string(&path).expect("own file");
    let (_, keys) = whole.split_once('\n').expect("lines");
    let second = keys.rfind("-----BEGIN ").expect("two blocks");
    let cut = whole.replace(&keys[second..], "");
    fs::write(&path, cut).expect("own file");
    let text = refused(at, "key ls fr", 78, "KEY_UNUSABLE");
    assert!(text.contains("its companion does not fit"), "{text}");
    fs::write(&path, &keys[..second]).expect("own file");
    exits(at, "key ls fr", 0);
    let found = stdout(&frex(at, "doctor fr"));
    let row = "identity.key is not a key that the roster lists for hotline.fr";
    assert!(found.contains(row), "{found}");
    fs::write(&path, whole).expect("own file");
    assert!(!stdout(&frex(at, "doctor fr")).contains(row));
}
