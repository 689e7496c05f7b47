//! Secret keys at rest, as their holders meet them: real processes, exit codes, words.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use support::{World, command, exits, files_below, free_port, init, json, ok, refused, stderr};

mod support;

const GIVEN: &str = "--passphrase-fd 3 3<secret";
const WRONG: &str = "--passphrase-fd 3 3<wrong";

fn passphrases(dir: &Path) {
    for (name, text) in [
        ("secret", "open sesame\n"),
        ("wrong", "open barley\n"),
        ("new", "rain\n"),
    ] {
        fs::write(dir.join(name), text).expect("own file");
    }
}

/// A federation whose every key is encrypted after the fact.
fn encrypted_world() -> World {
    let world = World::new();
    passphrases(world.path());
    fs::write(world.path().join("note.txt"), "made up").expect("own file");
    for (place, count) in [("gov", 6), ("fr", 6), ("es", 6)] {
        let done = json(world.path(), &format!("key encrypt {place} {GIVEN}"), 0);
        assert_eq!(
            done["changed"].as_array().map(Vec::len),
            Some(count),
            "{place}"
        );
        let again = json(world.path(), &format!("key encrypt {place} {GIVEN}"), 0);
        assert_eq!(again["unchanged"].as_array().map(Vec::len), Some(count));
    }
    world
}

/// Key files below `place`: none but the owner reads one, and none holds a key that lies open.
fn assert_closed(dir: &Path, count: usize) {
    let keys = files_below(dir).into_iter().filter(|path| {
        path.extension()
            .is_some_and(|end| end == "key" || end == "new")
    });
    let mut found = 0;
    for path in keys {
        let text = fs::read_to_string(&path).expect("own file");
        assert!(text.contains("-----BEGIN ENCRYPTED "), "{}", path.display());
        let mode = fs::metadata(&path).expect("own file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        found += 1;
    }
    assert_eq!(found, count);
}

// FIL-7, FIL-10, FIL-12: a node, a client and a holder work with encrypted keys, and only with
// their passphrase.
#[test]
fn everything_works_with_encrypted_keys() {
    let world = encrypted_world();
    assert_closed(world.path(), 18);
    let trust = "--root gov/root.frex --previous roster.frex";
    let propose = format!("roster propose {trust} --out next.proposal");
    ok(world.path(), &propose);
    let sign = &format!("roster sign next.proposal {trust} --key gov/holder-1/roster.key");
    refused(world.path(), sign, 12, "SEALED 6010");
    ok(world.path(), &format!("{sign} {GIVEN}"));
    for line in [
        "run fr",
        "inbox fr",
        "send note.txt --content-type text/plain --from fr --to police.es",
    ] {
        let text = refused(world.path(), line, 12, "SEALED 6010");
        assert!(
            text.contains("--passphrase-fd") && text.contains("no passphrase"),
            "{text}"
        );
        let text = refused(world.path(), &format!("{line} {WRONG}"), 12, "SEALED 6010");
        assert!(
            text.contains("does not open") && text.contains(".key"),
            "{text}"
        );
        assert!(!text.contains("barley"), "{text}");
    }
    let nodes = ["fr", "es"].map(|place| world.start(&format!("{place} {GIVEN}")));
    let send = "send note.txt --content-type text/plain --from fr --to police.es";
    let sent = json(world.path(), &format!("{send} {GIVEN}"), 0);
    let read = json(world.path(), &format!("inbox es --wait 5s {GIVEN}"), 0);
    assert_eq!(read["items"][0]["message"], sent["message"]);
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
    // What needs no secret asks for none.
    let status = json(world.path(), "status fr", 0);
    assert!(status["member"]["fingerprint"].is_string(), "{status}");
    ok(world.path(), "log verify fr");
    ok(world.path(), "fsck fr");
    refused(world.path(), "fsck --rebuild fr", 12, "SEALED 6010");
    ok(world.path(), &format!("fsck --rebuild fr {GIVEN}"));
}

// FIL-14, FIL-15: what follows an encrypted key is encrypted too, and comes under another
// passphrase with the others.
#[test]
fn keys_follow_one_another_under_a_passphrase() {
    let world = encrypted_world();
    refused(world.path(), "key rotate tls fr", 12, "SEALED 6010");
    // Nobody is there to test it against.
    let line = format!("key rotate tls fr {GIVEN}");
    assert!(exits(world.path(), &line, 23).contains("made"));
    let states = |count: usize| {
        assert_closed(&world.path().join("fr"), count);
        let listed = json(world.path(), "key ls fr", 0);
        let keys = listed["keys"].as_array().expect("rows").clone();
        let of = |state: &str| keys.iter().filter(|key| key["state"] == state).count();
        (of("next"), of("active"), of("retiring"))
    };
    assert_eq!(states(7), (1, 6, 0));
    let both = "--passphrase-fd 3 --new-passphrase-fd 4 3<secret 4<new";
    let changed = json(world.path(), &format!("key passphrase fr {both}"), 0);
    assert_eq!(changed["changed"].as_array().map(Vec::len), Some(7));
    let new = "--passphrase-fd 3 3<new";
    let node = world.start(&format!("fr {new}"));
    let rotated = json(world.path(), &format!("key rotate tls fr {new}"), 0);
    assert_eq!(rotated["steps"][0]["step"], "found", "{rotated}");
    assert_eq!(states(7), (0, 6, 1));
    assert_eq!(node.stop(), Some(0));
}

// FIL-18
#[test]
fn keys_of_the_service_manager_are_not_changed() {
    let world = World::new();
    let path = world.path().join("fr/member/member.toml");
    let settings = fs::read_to_string(&path).expect("own file");
    fs::write(&path, format!("{settings}keys_from_credentials = true\n")).expect("own file");
    for usage in ["tls", "sealing", "identity"] {
        let line = format!("key rotate {usage} fr");
        let text = refused(world.path(), &line, 78, "BAD_CONFIG 6004");
        assert!(text.contains("service manager") && text.contains("keys_from_credentials = false"));
    }
    assert!(!world.path().join("fr/member/keys/rotation.toml").exists());
}

// FIL-7: keys are never on disk in the open when they are made encrypted.
#[test]
fn init_writes_encrypted_keys_and_says_how_to_give_a_passphrase() {
    let dir = tempfile::tempdir().expect("a folder");
    passphrases(dir.path());
    let make = init("fr", "hotline.fr", &format!("127.0.0.1:{}", free_port()));
    let found = "federation init --name test gov";
    for (line, place, count) in [(make.as_str(), "fr", 6), (found, "gov", 6)] {
        let text = refused(
            dir.path(),
            &format!("{line} --encrypt-keys"),
            12,
            "SEALED 6010",
        );
        assert!(text.contains("--encrypt-keys --passphrase-fd 3"), "{text}");
        assert!(!dir.path().join(place).exists());
        ok(dir.path(), &format!("{line} --encrypt-keys {GIVEN}"));
        assert_closed(&dir.path().join(place), count);
    }
    // A descriptor that is not open is no passphrase.
    let text = refused(
        dir.path(),
        "key decrypt gov --passphrase-fd 9",
        12,
        "SEALED 6010",
    );
    assert!(text.contains("is not open"), "{text}");
    let moved =
        "key passphrase gov/holder-1 --passphrase-fd 3 --new-passphrase-fd 4 3<secret 4<new";
    let moved = json(dir.path(), moved, 0);
    assert_eq!(moved["changed"].as_array().map(Vec::len), Some(2));
    assert_closed(&dir.path().join("gov"), 6);
    refused(
        dir.path(),
        &format!("key decrypt gov {GIVEN}"),
        12,
        "SEALED 6010",
    );
    assert_closed(&dir.path().join("gov"), 6);
}

// FIL-11: every conversion keeps the keys, and a refused one changes nothing.
#[test]
fn keys_are_listed_encrypted_moved_and_decrypted() {
    let world = World::new();
    passphrases(world.path());
    let listed = |place: &str| json(world.path(), &format!("key ls {place}"), 0);
    let fingerprints = |list: &Value| -> Vec<Value> {
        let keys = list["keys"].as_array().expect("a list").iter();
        keys.map(|key| key["fingerprint"].clone()).collect()
    };
    let before = listed("fr");
    let keys = before["keys"].as_array().expect("a list");
    assert_eq!(keys.len(), 6);
    for key in keys {
        assert_eq!(
            (&key["encrypted"], &key["mode"]),
            (&false.into(), &"0600".into())
        );
        assert_eq!(key["fingerprint"].as_str().map(str::len), Some(63));
    }
    let status = json(world.path(), "status fr", 0);
    assert!(fingerprints(&before).contains(&status["member"]["fingerprint"]));

    let text = refused(world.path(), "key passphrase fr", 2, "BAD_INPUT 6008");
    assert!(text.contains("frex key encrypt fr"), "{text}");
    for line in ["key encrypt fr", "key decrypt fr", "key passphrase gov"] {
        let text = refused(
            world.path(),
            line,
            if line.ends_with("gov") { 2 } else { 12 },
            "",
        );
        assert!(text.contains("frex key "), "{text}");
    }
    let change = |line: &str| ok(world.path(), line);
    change(&format!("key encrypt fr {GIVEN}"));
    let after = listed("fr");
    assert_eq!(fingerprints(&before), fingerprints(&after));
    assert!(
        after["keys"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|key| key["encrypted"] == true)
    );
    assert!(ok(world.path(), "key ls fr").contains("yes"));
    let both = "--passphrase-fd 3 --new-passphrase-fd 4";
    let same = format!("key passphrase fr {both} 3<secret 4<secret");
    refused(world.path(), &same, 2, "BAD_INPUT 6008");
    let missing = format!("key passphrase fr {both} 3<secret");
    refused(world.path(), &missing, 12, "SEALED 6010");
    change(&format!("key passphrase fr {both} 3<secret 4<new"));
    refused(
        world.path(),
        &format!("key decrypt fr {GIVEN}"),
        12,
        "SEALED 6010",
    );
    change("key decrypt fr --passphrase-fd 3 3<new");
    assert_eq!(fingerprints(&before), fingerprints(&listed("fr")));
    let node = world.start("fr");
    assert_eq!(node.stop(), Some(0));
}

// FIL-11: killed at any moment, the command loses no key, and run again it ends what it began.
#[test]
fn a_change_that_is_killed_loses_no_key() {
    let dir = tempfile::tempdir().expect("a folder");
    passphrases(dir.path());
    ok(
        dir.path(),
        "federation init --name test --keys 1 --threshold 1 gov",
    );
    let paths = ["root.key", "roster.key"].map(|name| dir.path().join("gov/holder-1").join(name));
    let read = || {
        paths
            .each_ref()
            .map(|path| fs::read(path).expect("a key file"))
    };
    let before = read();
    ok(dir.path(), &format!("key encrypt gov {GIVEN}"));
    let (mut from, mut to) = ("secret", "new");
    // Killed before the first write, during one, and between the two.
    for moment in ["start", "draft", "changed"] {
        let both = "--passphrase-fd 3 --new-passphrase-fd 4";
        let line = format!("key passphrase gov {both} 3<{from} 4<{to}");
        let old = read();
        let changed = || {
            let pairs = read().into_iter().zip(&old);
            pairs.filter(|(new, old)| new != *old).count()
        };
        let draft = || {
            paths
                .iter()
                .any(|path| path.with_extension("key.new").exists())
        };
        let mut child = command(dir.path(), &line)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let come = || match moment {
            "start" => true,
            "draft" => draft() || changed() > 0,
            _ => changed() > 0,
        };
        while !come() && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // It may have ended in this very moment.
        let _ = child.kill();
        child.wait().expect("a child");
        let changed = changed();
        println!("killed at {moment}: {changed} of 2 keys changed");
        let done = json(dir.path(), &line, 0);
        let count = |name: &str| done[name].as_array().map_or(0, Vec::len);
        assert_eq!(
            (count("changed"), count("unchanged")),
            (2 - changed, changed)
        );
        assert_closed(dir.path(), 2);
        (from, to) = (to, from);
    }
    ok(
        dir.path(),
        &format!("key decrypt gov --passphrase-fd 3 3<{from}"),
    );
    assert_eq!(read(), before);
}

// FIL-12, FIL-9: each cause has its own words, and `key ls` finds it without a passphrase.
#[test]
fn damaged_hostile_and_loose_keys_are_told_apart() {
    let world = encrypted_world();
    let path = world.path().join("fr/node/keys/log.key");
    let good = fs::read_to_string(&path).expect("own file");
    let middle = good.lines().nth(4).expect("a line of the key");
    let changed = middle.bytes().rev().map(char::from).collect::<String>();
    let damaged = good.replace(middle, &changed);
    // What `openssl pkcs8 -topk8 -v2 aes-256-cbc` writes without -scrypt.
    let foreign = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n\
        MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgYcKZp2GreewICCAAw\n\
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGnjmTVOWp0U6ju+hjvBvCwEQIfE\n\
        2Y2/y5LmpMUCpSP1sKYdSB+il3yl1Ml5W9VA5PjP774tZF64Amv+LBfhQakZyC5z\n\
        3i6D1mKoOuF+IMlcu30=\n\
        -----END ENCRYPTED PRIVATE KEY-----\n";
    for (text, word, code) in [
        (damaged.as_str(), "damaged", "KEY_UNUSABLE 6011"),
        (foreign, "scrypt", "KEY_UNUSABLE 6011"),
        ("", "is not a", "BAD_CONFIG 6004"),
    ] {
        fs::write(&path, text).expect("own file");
        for line in ["key ls fr".to_owned(), format!("run fr {GIVEN}")] {
            let said = refused(world.path(), &line, 78, code);
            assert!(said.contains(word) && said.contains("log.key"), "{said}");
        }
    }
    fs::write(&path, &good).expect("own file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("own file");
    let said = refused(world.path(), "key ls fr", 78, "LOOSE_MODE 6003");
    assert!(said.contains("0640"), "{said}");
    let listed = exits(world.path(), "key ls fr", 78);
    assert!(
        listed.contains("0640") && listed.contains("identity.key"),
        "{listed}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
    fs::write(path.with_extension("key.new"), "half").expect("own file");
    let drafts = json(world.path(), "key ls fr", 0)["drafts"].clone();
    assert!(
        drafts[0]
            .as_str()
            .is_some_and(|draft| draft.ends_with("log.key.new"))
    );
}

// FIL-13, CLI-6: the service manager hands over the passphrase, or whole keys.
#[test]
fn credentials_stand_for_passphrase_and_keys() {
    let world = encrypted_world();
    let credentials = world.path().join("credentials");
    fs::create_dir(&credentials).expect("own folder");
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
    };
    set(&credentials, 0o700);
    let run = |line: &str| {
        let mut command = command(world.path(), line);
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        command.output().expect("it starts")
    };
    let rebuild = "fsck --rebuild fr";
    assert_eq!(run(rebuild).status.code(), Some(12));
    let secret = credentials.join("frex-passphrase");
    fs::copy(world.path().join("secret"), &secret).expect("own file");
    set(&secret, 0o644);
    let loose = run(rebuild);
    assert_eq!(loose.status.code(), Some(78), "{}", stderr(&loose));
    set(&secret, 0o440);
    assert_eq!(run(rebuild).status.code(), Some(0));
    // A descriptor that is named comes before it.
    assert_eq!(run(&format!("{rebuild} {WRONG}")).status.code(), Some(12));

    for name in ["tls", "log"] {
        let key = world.path().join(format!("fr/node/keys/{name}.key"));
        fs::rename(key, credentials.join(format!("frex-node-{name}.key"))).expect("own file");
    }
    assert_eq!(run(rebuild).status.code(), Some(10));
    let path = world.path().join("fr/node/frex.toml");
    let text = fs::read_to_string(&path).expect("made by init");
    fs::write(&path, format!("{text}keys_from_credentials = true\n")).expect("own file");
    let built = run(rebuild);
    assert_eq!(built.status.code(), Some(0), "{}", stderr(&built));
    // Outside of the service the log is still read, by the key that the roster lists.
    json(world.path(), "status fr", 0);
    let text = refused(world.path(), "run fr", 78, "BAD_CONFIG 6004");
    assert!(
        text.contains("CREDENTIALS_DIRECTORY") && text.contains("frex-node-"),
        "{text}"
    );
}

const TERMINAL: &str = r"
import os, pty, signal, sys, termios, time
signal.alarm(60)
child, fd = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown, answers = b'', sys.argv[1].split(',')
while True:
    try:
        piece = os.read(fd, 1024)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if answers and piece.rstrip().endswith((b':',)):
        while termios.tcgetattr(fd)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(fd, answers.pop(0).encode() + b'\r')
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";

// CLI-6: at a terminal the passphrase is asked for, twice if it is new, and never shown.
#[test]
fn a_terminal_is_asked_and_shows_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    ok(dir.path(), "federation init --name test gov");
    let at_terminal = |answers: &str, line: &str| {
        let output = Command::new("python3")
            .args(["-c", TERMINAL, answers, env!("CARGO_BIN_EXE_frex")])
            .args(line.split_whitespace())
            .current_dir(dir.path())
            .env_remove("CREDENTIALS_DIRECTORY")
            .stdin(Stdio::null())
            .output()
            .expect("python3 is there");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        assert!(
            !text.contains("sesame") && !text.contains("barley"),
            "{text}"
        );
        (output.status.code(), text)
    };
    let (exit, text) = at_terminal("sesame,barley", "key encrypt gov/holder-1");
    assert_eq!(exit, Some(12), "{text}");
    assert!(text.contains("the two passphrases differ"), "{text}");
    let (exit, text) = at_terminal("sesame,sesame", "key encrypt gov/holder-1");
    assert_eq!(exit, Some(0), "{text}");
    let (exit, text) = at_terminal("barley", "key decrypt gov/holder-1");
    assert_eq!(exit, Some(12), "{text}");
    let (exit, text) = at_terminal("sesame", "key decrypt gov/holder-1");
    assert_eq!(exit, Some(0), "{text}");
}

// FIL-33: a build without the support for tokens knows such a key when it meets one, and says what
// to do.
#[cfg(not(feature = "pkcs11"))]
#[test]
fn build_without_tokens_names_what_it_lacks() {
    let world = World::new();
    let text = "public_key = \"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\"\n\
        module = \"/no/such.so\"\ntoken = \"one\"\nid = \"01\"\n";
    fs::write(world.path().join("fr/node/keys/log.key"), text).expect("own file");
    let listed = json(world.path(), "key ls fr/node", 0);
    assert_eq!(listed["keys"][0]["token"], "one");
    assert_eq!(listed["keys"][1]["token"], Value::Null);
    let refusal = refused(world.path(), "run fr", 78, "NOT_BUILT 6015");
    assert!(refusal.contains("--features pkcs11"), "{refusal}");
}
