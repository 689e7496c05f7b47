//! The command line as its users meet it: real processes, exit codes, words.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;
use support::{World, exits, files_below, frex, init, json, ok, refused, stderr, stdout};

mod support;

const LISTEN: &str = "127.0.0.1:7443";

// CLI-3: each broken directory has its exit code, and the advice is a command.
#[test]
fn a_directory_without_a_node_is_not_initialised() {
    let dir = tempfile::tempdir().expect("a folder");
    for line in [
        "run .",
        "status .",
        "fsck .",
        "receipt ls",
        "log checkpoint",
        "inbox",
        "show abcd",
    ] {
        let text = refused(dir.path(), line, 10, "NOT_INITIALISED 6001");
        assert!(text.contains("frex init"), "{text}");
    }
}

#[test]
fn a_node_without_a_roster_says_which_command_installs_one() {
    let dir = tempfile::tempdir().expect("a folder");
    ok(dir.path(), &init("fr", "hotline.fr", LISTEN));
    let text = refused(dir.path(), "run fr", 10, "NOT_INITIALISED 6001");
    assert!(
        text.contains("frex roster install roster.frex --root root.frex fr"),
        "{text}"
    );
}

#[test]
fn a_wrong_configuration_is_refused_by_line_and_key() {
    let world = World::new();
    let path = world.path().join("fr/node/frex.toml");
    let good = fs::read_to_string(&path).expect("made by init");
    for (bad, named) in [
        ("listenn = 1\n", "listenn"),
        ("publish_interval_ms = 0\n", "publish_interval_ms"),
        ("metrics = \"0.0.0.0:1\"\n", "metrics"),
        ("= =\n", "line"),
    ] {
        fs::write(&path, format!("{good}{bad}")).expect("own file");
        let text = refused(world.path(), "run fr", 78, "BAD_CONFIG 6004");
        assert!(text.contains(named) && text.contains("frex.toml"), "{text}");
    }
}

// KEY-12, FIL-2: neither a node nor a member starts with a loose key.
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let world = World::new();
    for (key, line) in [
        ("fr/node/keys/log.key", "run fr"),
        ("fr/node/keys/tls.key", "run fr"),
        ("fr/member/keys/sealing.key", "inbox fr"),
    ] {
        let path = world.path().join(key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("own file");
        let text = refused(world.path(), line, 78, "LOOSE_MODE 6003");
        assert!(text.contains("chmod 600") && text.contains(key), "{text}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
    }
}

// NOD-6
#[test]
fn a_second_process_on_one_directory_is_locked_out_and_the_first_goes_on() {
    let world = World::new();
    let first = world.start("fr");
    refused(world.path(), "run fr", 11, "LOCKED 6002");
    refused(world.path(), "fsck fr", 11, "LOCKED 6002");
    assert_eq!(json(world.path(), "status fr", 0)["node"]["running"], true);
    assert_eq!(first.stop(), Some(0));
    assert_eq!(json(world.path(), "status fr", 0)["node"]["running"], false);
    assert!(ok(world.path(), "fsck fr").contains("OK"));
    assert!(ok(world.path(), "fsck --rebuild fr").contains("rebuilt"));
}

#[test]
fn init_keeps_secrets_closed_and_never_overwrites() {
    let dir = tempfile::tempdir().expect("a folder");
    let line = init("fr", "hotline.fr", LISTEN);
    let text = ok(dir.path(), &line);
    assert!(
        text.contains("fingerprint") && text.contains("frex roster install"),
        "{text}"
    );
    for file in files_below(&dir.path().join("fr")) {
        let mode = fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    let key = dir.path().join("fr/member/keys/identity.key");
    let before = fs::read(&key).expect("a key");
    refused(dir.path(), &line, 1, "ALREADY_EXISTS 6006");
    assert_eq!(fs::read(&key).expect("a key"), before);
}

#[test]
fn init_writes_nothing_for_an_argument_that_no_roster_would_list() {
    let dir = tempfile::tempdir().expect("a folder");
    let good = init("fr", "hotline.fr", LISTEN);
    for (right, wrong) in [
        ("--member hotline.fr", "--member Hotline.FR"),
        ("--country FR", "--country XX"),
        ("--federation test", "--federation Te_st"),
        ("--listen 127.0.0.1:7443", "--listen 0.0.0.0:7443"),
    ] {
        refused(dir.path(), &good.replace(right, wrong), 2, "BAD_INPUT");
        assert!(!dir.path().join("fr").exists(), "{wrong}");
    }
}

// ROS-2: the governance needs its quorum.
#[test]
fn a_roster_waits_for_its_second_signature() {
    let world = World::new();
    let root = "--root gov/root.frex";
    let propose = format!("roster propose {root} --out one.proposal fr/hotline.fr.card");
    assert!(ok(world.path(), &propose).contains("frex roster sign one.proposal"));
    let show = format!("roster show one.proposal {root}");
    refused(world.path(), &show, 21, "BAD_ROSTER 3006");
    let sign = |key: &str| format!("roster sign one.proposal {root} --key gov/{key}");
    let wrong = sign("holder-1/root.key");
    refused(world.path(), &wrong, 21, "NOT_TRUSTED 3001");
    ok(world.path(), &sign("holder-2/roster.key"));
    let combine = |signatures: &str| {
        format!("roster combine one.proposal {signatures} {root} --out one.frex")
    };
    // ROS-30: the same holder twice is one.
    let twice = combine("one.proposal.holder-2.sig one.proposal.holder-2.sig");
    assert!(exits(world.path(), &twice, 3).contains("1 more must sign"));
    assert!(!world.path().join("one.frex").exists());
    let instead = format!("{} --instead", sign("holder-1/roster.key"));
    ok(world.path(), &instead);
    ok(
        world.path(),
        &combine("one.proposal.holder-2.sig one.proposal.holder-1.sig"),
    );
    let shown = json(world.path(), &format!("roster show one.frex {root}"), 0);
    assert_eq!(shown["members"][0]["id"], "hotline.fr");
    assert_eq!(shown["root_pinned"], true);
}

// ROS-21
#[test]
fn an_older_or_another_roster_is_not_installed() {
    let world = World::new();
    let install = |file: &str| format!("roster install {file} --root gov/root.frex fr");
    world.forget_signatures();
    world.make_roster("fork.frex", "");
    let text = refused(world.path(), &install("fork.frex"), 21, "BAD_ROSTER 3006");
    assert!(text.contains("evidence"), "{text}");
    let kept = files_below(&world.path().join("fr/member/evidence"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    world.make_roster("next.frex", "--previous roster.frex");
    ok(world.path(), &install("next.frex"));
    refused(world.path(), &install("roster.frex"), 21, "BAD_ROSTER 3006");
    ok(world.path(), &install("next.frex"));
    ok(world.path(), "federation init --name test other");
    let other = "roster install next.frex --root other/root.frex fr";
    assert!(refused(world.path(), other, 21, "BAD_ROSTER 3006").contains("root"));
}

#[test]
fn a_roster_with_a_flipped_byte_is_refused() {
    let world = World::new();
    let good = fs::read(world.path().join("roster.frex")).expect("made");
    for place in [good.len() / 5, good.len() / 2, good.len() - 3] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        fs::write(world.path().join("bad.frex"), bad).expect("own file");
        refused(
            world.path(),
            "roster show bad.frex --root gov/root.frex",
            21,
            "BAD_ROSTER 3006",
        );
    }
}

// CLI-4, CLI-1: the verdict is one JSON document on standard output, the error stands on the other.
#[test]
fn what_is_no_receipt_is_refused_as_unverified() {
    let world = World::new();
    let text = "c2sp.org/tlog-proof@v1\nindex 0\n\nnothing\n";
    fs::write(world.path().join("x.tlog-proof"), text).expect("own file");
    let line = "receipt verify x.tlog-proof --roster roster.frex --root gov/root.frex";
    refused(world.path(), line, 20, "BAD_RECEIPT 2004");
    let printed = exits(world.path(), line, 20);
    assert!(
        printed.contains("FAILED") && !printed.contains("VERIFIED"),
        "{printed}"
    );
    let output = frex(world.path(), &format!("{line} --json"));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one document");
    assert_eq!(
        (&report["v"], &report["verified"]),
        (&1.into(), &false.into())
    );
    let error: Value = serde_json::from_str(&stderr(&output)).expect("one line of JSON");
    assert_eq!(
        (&error["error"]["code"], &error["error"]["exit"]),
        (&2004.into(), &20.into())
    );
}

// CLI-2: called wrongly is 2, and nothing is printed where data belongs.
#[test]
fn an_unknown_option_or_verb_is_a_usage_error() {
    let dir = tempfile::tempdir().expect("a folder");
    for line in [
        "run --fast",
        "fly",
        "send x",
        "receipt",
        "completions tcsh",
        "send x --to y --wait soon",
    ] {
        let output = frex(dir.path(), line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(
            stdout(&output).is_empty() && stderr(&output).contains("--help"),
            "{line}"
        );
    }
    assert!(ok(dir.path(), "--help").contains("frex demo"));
    assert!(ok(dir.path(), "--version").starts_with("frex "));
}

// ERR-1: every code can be looked up by number and by name.
#[test]
fn every_error_code_explains_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let listed = json(dir.path(), "errors", 0);
    assert!(
        listed["errors"]
            .as_array()
            .is_some_and(|list| list.len() > 30)
    );
    for name in ["2004", "BAD_RECEIPT", "bad-receipt", "FREX-2004"] {
        assert!(
            ok(dir.path(), &format!("errors {name}")).contains("exit code 20"),
            "{name}"
        );
    }
    refused(dir.path(), "errors 9999", 1, "NOT_FOUND 5006");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let dir = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            ok(dir.path(), &format!("completions {shell}")).contains("frex"),
            "{shell}"
        );
    }
}

// CLI-5: no option takes a secret; keys are files, and a passphrase is named by its descriptor.
#[test]
fn no_option_takes_a_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    for verb in [
        "init",
        "run",
        "send",
        "inbox",
        "roster propose",
        "roster sign",
        "federation key",
        "federation sign",
        "federation init",
        "key encrypt",
        "key passphrase",
    ] {
        let help = ok(dir.path(), &format!("{verb} --help")).to_lowercase();
        for line in help
            .lines()
            .filter(|line| line.trim_start().starts_with('-'))
        {
            // The name and what it takes, without the explanation behind it.
            let option = line.trim_start().split("  ").next().unwrap_or_default();
            for word in ["passphrase", "password", "secret", "seed"] {
                let named = option.contains(word) && !option.ends_with("passphrase-fd <n>");
                assert!(!named, "{verb}: {option}");
            }
        }
        let line = format!("{verb} --passphrase-fd hunter2");
        assert_eq!(frex(dir.path(), &line).status.code(), Some(2), "{verb}");
    }
}

// CLI-3: a file given in another one's place is named for what it is.
#[test]
fn files_in_each_others_place_are_told_by_what_they_are() {
    let world = World::new();
    let dir = world.path();
    let text = refused(dir, "roster install gov/root.frex fr", 2, "BAD_INPUT");
    assert!(text.contains("is the root of a federation"), "{text}");
    let swapped = "roster install gov/root.frex --root roster.frex fr";
    let text = refused(dir, swapped, 2, "BAD_INPUT");
    assert!(text.contains("gov/root.frex"), "{text}");
    let text = stderr(&frex(dir, "roster verify roster.frex --root roster.frex"));
    assert!(text.contains("it is a roster"), "{text}");
    let text = refused(
        dir,
        "receipt verify roster.frex --dir fr",
        20,
        "BAD_RECEIPT",
    );
    assert!(text.contains("frex receipt ls"), "{text}");

    world.make_roster("next.frex", "--previous roster.frex");
    ok(dir, "roster install next.frex fr");
    let text = refused(dir, "roster install roster.frex fr", 21, "BAD_ROSTER");
    let versions = text.contains("version 1") && text.contains("version 2");
    assert!(versions && text.contains("Nothing to do"), "{text}");
}

// ROS-32: a holder is kept from signing two proposals of one version by oversight.
#[test]
fn a_key_signs_one_proposal_of_a_version() {
    let world = World::new();
    let dir = world.path();
    let propose = |out: &str, more: &str| {
        ok(
            dir,
            &format!(
                "roster propose --root gov/root.frex --previous roster.frex --out {out} {more}"
            ),
        );
    };
    propose("a.proposal", "--suspend police.es");
    propose("b.proposal", "--revoke police.es");
    let sign = |file: &str| {
        format!(
            "roster sign {file} --root gov/root.frex --previous roster.frex --key gov/holder-1/roster.key"
        )
    };
    ok(dir, &sign("a.proposal"));
    ok(dir, &sign("a.proposal"));
    let text = refused(dir, &sign("b.proposal"), 1, "ALREADY_EXISTS");
    assert!(
        text.contains("version 2") && text.contains("--instead"),
        "{text}"
    );
    assert!(!dir.join("b.proposal.holder-1.sig").exists());
    ok(dir, &format!("{} --instead", sign("b.proposal")));
}

// CLI-3, CLI-5
#[test]
fn an_exit_code_and_an_unopened_descriptor_are_explained() {
    let world = World::new();
    let text = ok(world.path(), "errors 3");
    assert!(text.contains("a part of what was asked"), "{text}");
    let text = ok(world.path(), "errors 12");
    assert!(
        text.contains("SEALED") && !text.contains("REVOKED"),
        "{text}"
    );
    fs::write(world.path().join("secret"), "correct horse\n").expect("own file");
    ok(world.path(), "key encrypt es --passphrase-fd 3 3<secret");
    let text = refused(world.path(), "inbox es --passphrase-fd 9", 12, "SEALED");
    assert!(text.contains("descriptor 9 is not open"), "{text}");
}
