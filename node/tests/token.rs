//! Keys in a hardware token, as their holders meet them: real processes and `SoftHSM2`.
#![cfg(feature = "pkcs11")]

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::Value;
use support::{World, files_below, frex, json, ok, refused, stderr};

mod support;

const PIN: &str = "--pin-fd 3 3<pin";
const WRONG: &str = "--pin-fd 3 3<wrong";
const SEND: &str = "send note.txt --content-type text/plain --lane urgent";
const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// Makes a token with PIN 4321 and gives the options that name it.
fn token(dir: &Path, label: &str) -> String {
    let tokens = dir.join("tokens");
    fs::create_dir_all(&tokens).expect("own folder");
    let conf = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(dir.join("softhsm.conf"), conf).expect("own file");
    for (name, text) in [
        ("pin", "4321\n"),
        ("wrong", "1234\n"),
        ("note.txt", "made up"),
    ] {
        fs::write(dir.join(name), text).expect("own file");
    }
    let made = Command::new("softhsm2-util")
        .env("SOFTHSM2_CONF", dir.join("softhsm.conf"))
        .args(["--init-token", "--free", "--label", label])
        .args(["--so-pin", "12345678", "--pin", "4321"])
        .output()
        .expect("softhsm2-util is installed");
    assert!(made.status.success(), "{}", stderr(&made));
    let module = MODULES.iter().find(|path| Path::new(path).exists());
    let module = module.expect("SoftHSM2 is installed");
    format!("--token {label} --module {module}")
}

/// Two members; all keys of the first that sign are in a token.
fn world() -> World {
    World::with(|dir| {
        let token = token(dir, "hotline");
        format!("{token} --token-keys identity,log,witness,tls {PIN}")
    })
}

fn state(sent: &Value) -> &Value {
    &sent["recipients"][0]["state"]
}

// FIL-31, FIL-33, FIL-34, KEY-21: a member and its node work with keys that no file holds.
#[test]
fn member_and_node_with_their_keys_in_a_token_exchange_proven_reports() {
    let world = world();
    let listed = json(world.path(), "key ls fr", 0);
    let keys = listed["keys"].as_array().expect("keys");
    let in_token = keys.iter().filter(|key| key["token"] == "hotline");
    assert_eq!((keys.len(), in_token.count()), (6, 5));
    for path in files_below(&world.path().join("fr")) {
        let text = String::from_utf8_lossy(&fs::read(&path).expect("own file")).into_owned();
        let secret = text.contains("PRIVATE KEY") || text.contains("4321\n");
        assert!(!secret, "{}", path.display());
    }
    for line in ["run fr", &format!("run fr {WRONG}"), "inbox fr"] {
        let text = refused(world.path(), line, 12, "SEALED 6010");
        assert!(text.contains("--pin-fd"), "{text}");
    }
    let _nodes = [world.start(&format!("fr {PIN}")), world.start("es")];
    let sent = json(
        world.path(),
        &format!("{SEND} --from fr --to police.es {PIN}"),
        0,
    );
    assert_eq!(state(&sent), "accepted");
    let back = json(
        world.path(),
        &format!("{SEND} --from es --to hotline.fr"),
        0,
    );
    assert_eq!(state(&back), "accepted");
    let read = json(world.path(), &format!("inbox fr --wait 5s {PIN}"), 0);
    assert_eq!(read["items"][0]["state"], "opened");
    for receipt in [&sent, &back].map(|sent| sent["recipients"][0]["receipt"].as_str()) {
        let receipt = receipt.expect("a receipt");
        let verify = format!("receipt verify {receipt} --roster roster.frex --root gov/root.frex");
        ok(world.path(), &verify);
    }
    let rows = json(world.path(), &format!("doctor fr {PIN}"), 0);
    let rows = rows["checks"].as_array().expect("checks");
    let tokens = rows.iter().filter(|row| {
        let name = row["check"].as_str().unwrap_or_default();
        name.ends_with("token") && row["outcome"] == "ok"
    });
    assert_eq!(tokens.count(), 2, "{rows:?}");
}

// NOD-11, FIL-33: while the token is away nothing is accepted and nothing is lost; it goes on by
// itself when the token is back.
#[test]
fn node_whose_token_goes_away_refuses_and_goes_on_when_it_is_back() {
    let world = world();
    let _nodes = [world.start(&format!("fr {PIN}")), world.start("es")];
    let send = format!("{SEND} --from es --to hotline.fr --wait 2s");
    assert_eq!(state(&json(world.path(), &send, 0)), "accepted");
    let (tokens, away) = (world.path().join("tokens"), world.path().join("away"));
    fs::rename(&tokens, &away).expect("own folder");
    fs::create_dir(&tokens).expect("own folder");

    let waiting = json(world.path(), &send, 3);
    assert_eq!(state(&waiting), "waiting");
    let own = format!("{SEND} --from fr --to police.es {PIN}");
    refused(world.path(), &own, 23, "KEY_UNAVAILABLE 5008");
    let doctor = format!("doctor fr {PIN}");
    assert!(stdout_of(&world, &doctor).contains("no token with the label"));

    fs::remove_dir(&tokens).expect("empty");
    fs::rename(&away, &tokens).expect("own folder");
    let message = waiting["message"].as_str().expect("an id");
    let fetch = format!("receipt fetch {message} es");
    let fetched = (0..60).find_map(|_| {
        std::thread::sleep(Duration::from_millis(500));
        let text = stdout_of(&world, &fetch);
        text.contains("accepted").then_some(text)
    });
    assert!(fetched.is_some(), "{}", stdout_of(&world, &fetch));
    assert_eq!(state(&json(world.path(), &own, 0)), "accepted");
    assert_eq!(state(&json(world.path(), &send, 0)), "accepted");
}

fn stdout_of(world: &World, line: &str) -> String {
    support::stdout(&frex(world.path(), line))
}

// FIL-31, FIL-32, FIL-33: a holder's keys, and a key file made anew for a key that is there.
#[test]
fn governance_signs_with_keys_in_a_token_and_no_key_file_is_replaced() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let token = token(dir, "gov");
    ok(
        dir,
        &format!("federation key --federation test --holder Ana {token} ana {PIN}"),
    );
    ok(
        dir,
        "federation propose --name test --threshold 1 --out p ana/ana.holder",
    );
    refused(
        dir,
        "federation sign p --key ana/root.key",
        12,
        "SEALED 6010",
    );
    ok(dir, &format!("federation sign p --key ana/root.key {PIN}"));
    ok(dir, "federation combine p p.ana.sig --out root.frex");
    ok(dir, "federation show root.frex");

    let again = format!("key token {token} ana/root.key {PIN}");
    refused(dir, &again, 1, "ALREADY_EXISTS 6006");
    let text = fs::read_to_string(dir.join("ana/root.key")).expect("own file");
    let id = text.lines().find_map(|line| line.strip_prefix("id = "));
    let id = id.expect("an id").trim_matches('"');
    let taken = json(
        dir,
        &format!("key token {token} --id {id} ana/copy.key {PIN}"),
        0,
    );
    assert_eq!(taken["made"], false);
    let copy = fs::read_to_string(dir.join("ana/copy.key")).expect("own file");
    assert_eq!(copy, text);
    let made = json(dir, &format!("key token {token} ana/next.key {PIN}"), 0);
    assert_ne!(made["fingerprint"], taken["fingerprint"]);
    let unknown = format!("key token {token} --id 00 ana/none.key {PIN}");
    refused(dir, &unknown, 78, "KEY_UNUSABLE 6011");
    // The roster key's file under the root key's name: the token's key is another one.
    let swapped = text.replace(id, "00");
    fs::write(dir.join("ana/copy.key"), swapped).expect("own file");
    let sign = format!("federation sign p --key ana/copy.key {PIN}");
    refused(dir, &sign, 78, "KEY_UNUSABLE 6011");
    assert!(!dir.join("ana/none.key").exists());
}
