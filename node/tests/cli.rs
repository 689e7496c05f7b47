//! The command line as its users meet it: real processes, exit codes, words.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;
use support::{World, files_below, free_port, frex, init, ok, refused, stderr, stdout};

mod support;

// CLI-2, CLI-3: one refusal of each kind of broken directory, with its exit code and advice.
#[test]
fn a_directory_without_a_node_is_not_initialised() {
    let dir = tempfile::tempdir().expect("a folder");
    for args in [
        &["run", "."][..],
        &["status", "."],
        &["fsck", "."],
        &["receipt", "ls"],
        &["log", "checkpoint"],
    ] {
        let text = refused(&frex(dir.path(), args), 10, "NOT_INITIALISED 6001");
        assert!(text.contains("frex init"), "{text}");
    }
}

#[test]
fn a_node_without_a_roster_says_which_command_installs_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = init("fr", "hotline.fr", 7443);
    ok(
        dir.path(),
        &args.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let text = refused(
        &frex(dir.path(), &["run", "fr"]),
        10,
        "NOT_INITIALISED 6001",
    );
    assert!(
        text.contains("frex roster install roster.frex --root root.frex fr"),
        "{text}"
    );
}

#[test]
fn a_wrong_configuration_is_refused_by_line_and_key() {
    let world = World::new(free_port());
    let path = world.path().join("fr/node/frex.toml");
    let good = fs::read_to_string(&path).expect("made by init");
    for (bad, named) in [
        ("listenn = 1\n", "listenn"),
        ("publish_interval_ms = 0\n", "publish_interval_ms"),
        ("= =\n", "line"),
    ] {
        fs::write(&path, format!("{good}{bad}")).expect("own file");
        let text = refused(&frex(world.path(), &["run", "fr"]), 78, "BAD_CONFIG 6004");
        assert!(text.contains(named) && text.contains("frex.toml"), "{text}");
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let world = World::new(free_port());
    for key in ["fr/node/keys/log.key", "fr/node/keys/tls.key"] {
        let path = world.path().join(key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("own file");
        let text = refused(&frex(world.path(), &["run", "fr"]), 78, "LOOSE_MODE 6003");
        assert!(text.contains("chmod 600") && text.contains(key), "{text}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
    }
}

// NOD-6
#[test]
fn a_second_process_on_one_directory_is_locked_out_and_the_first_goes_on() {
    let world = World::new(free_port());
    let first = world.start();
    refused(&frex(world.path(), &["run", "fr"]), 11, "LOCKED 6002");
    refused(&frex(world.path(), &["fsck", "fr"]), 11, "LOCKED 6002");
    let status: Value =
        serde_json::from_str(&ok(world.path(), &["status", "fr", "--json"])).expect("JSON");
    assert_eq!(status["node"]["running"], true);
    assert_eq!(first.stop(), Some(0));
    assert!(ok(world.path(), &["fsck", "fr"]).contains("OK"));
    assert!(ok(world.path(), &["fsck", "--rebuild", "fr"]).contains("rebuilt"));
}

#[test]
fn init_keeps_secrets_closed_and_never_overwrites() {
    let dir = tempfile::tempdir().expect("a folder");
    let args = init("fr", "hotline.fr", 7443);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let text = ok(dir.path(), &args);
    assert!(
        text.contains("fingerprint") && text.contains("frex roster install"),
        "{text}"
    );
    for file in files_below(&dir.path().join("fr")) {
        let mode = fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    let before = fs::read(dir.path().join("fr/member/keys/identity.key")).expect("a key");
    refused(&frex(dir.path(), &args), 1, "ALREADY_EXISTS 6006");
    assert_eq!(
        fs::read(dir.path().join("fr/member/keys/identity.key")).expect("a key"),
        before
    );
}

#[test]
fn init_writes_nothing_for_an_argument_that_no_roster_would_list() {
    let dir = tempfile::tempdir().expect("a folder");
    for (flag, value) in [
        ("--member", "Not An Id"),
        ("--country", "XX"),
        ("--name", ""),
        ("--federation", "A B"),
    ] {
        let mut args = init("fr", "hotline.fr", 7443);
        let place = args
            .iter()
            .position(|arg| arg == flag)
            .expect("a flag of init");
        args[place + 1] = value.to_owned();
        let output = frex(
            dir.path(),
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        refused(&output, 2, "BAD_INPUT");
        assert!(!dir.path().join("fr").exists(), "{flag}");
    }
    let mut args = init("fr", "hotline.fr", 7443);
    let place = args
        .iter()
        .position(|arg| arg == "--listen")
        .expect("a flag of init");
    args[place + 1] = "0.0.0.0:7443".to_owned();
    let output = frex(
        dir.path(),
        &args.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let text = refused(&output, 2, "BAD_INPUT");
    assert!(text.contains("--address"), "{text}");
}

// ROS-2: the governance needs its quorum, and says who is missing.
#[test]
fn a_roster_waits_for_its_second_signature() {
    let world = World::new(free_port());
    let one = [
        "roster",
        "make",
        "--root",
        "gov/root.frex",
        "--key",
        "gov/holder-2/roster.key",
    ];
    let output = frex(
        world.path(),
        &[&one[..], &["--out", "one.frex", "fr/hotline.fr.card"]].concat(),
    );
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("frex roster sign one.frex"),
        "{}",
        stdout(&output)
    );
    refused(
        &frex(
            world.path(),
            &["roster", "show", "one.frex", "--root", "gov/root.frex"],
        ),
        21,
        "BAD_ROSTER 3006",
    );
    ok(
        world.path(),
        &[
            "roster",
            "sign",
            "one.frex",
            "--root",
            "gov/root.frex",
            "--key",
            "gov/holder-1/roster.key",
        ],
    );
    let shown = ok(
        world.path(),
        &["roster", "show", "one.frex", "--root", "gov/root.frex"],
    );
    assert!(
        shown.contains("hotline.fr") && shown.contains("hotline"),
        "{shown}"
    );
    let wrong = [
        "roster",
        "sign",
        "one.frex",
        "--root",
        "gov/root.frex",
        "--key",
        "gov/holder-1/root.key",
    ];
    refused(&frex(world.path(), &wrong), 21, "NOT_TRUSTED 3001");
}

// ROS-21
#[test]
fn an_older_or_another_roster_is_not_installed() {
    let world = World::new(free_port());
    let install = |file: &str| {
        frex(
            world.path(),
            &["roster", "install", file, "--root", "gov/root.frex", "fr"],
        )
    };
    world.make_roster("fork.frex", &[]);
    let text = refused(&install("fork.frex"), 21, "BAD_ROSTER 3006");
    assert!(text.contains("evidence"), "{text}");
    world.make_roster("next.frex", &["--previous", "roster.frex"]);
    assert!(install("next.frex").status.success());
    refused(&install("roster.frex"), 21, "BAD_ROSTER 3006");
    assert!(install("next.frex").status.success());
    ok(
        world.path(),
        &["federation", "init", "--name", "test", "other"],
    );
    let other = [
        "roster",
        "install",
        "next.frex",
        "--root",
        "other/root.frex",
        "fr",
    ];
    let text = refused(&frex(world.path(), &other), 21, "BAD_ROSTER 3006");
    assert!(text.contains("root"), "{text}");
}

#[test]
fn a_roster_with_a_flipped_byte_names_the_part_at_fault() {
    let world = World::new(free_port());
    let good = fs::read(world.path().join("roster.frex")).expect("made");
    for place in [good.len() / 5, good.len() / 2, good.len() - 3] {
        let mut bad = good.clone();
        bad[place] ^= 1;
        fs::write(world.path().join("bad.frex"), bad).expect("own file");
        let output = frex(
            world.path(),
            &["roster", "show", "bad.frex", "--root", "gov/root.frex"],
        );
        refused(&output, 21, "BAD_ROSTER 3006");
    }
}

#[test]
fn what_is_no_receipt_is_refused_as_unverified() {
    let world = World::new(free_port());
    fs::write(
        world.path().join("x.tlog-proof"),
        "c2sp.org/tlog-proof@v1\nindex 0\n\nnothing\n",
    )
    .expect("own file");
    let args = [
        "receipt",
        "verify",
        "x.tlog-proof",
        "--roster",
        "roster.frex",
        "--root",
        "gov/root.frex",
    ];
    let output = frex(world.path(), &args);
    refused(&output, 20, "BAD_RECEIPT 2004");
    assert!(
        stdout(&output).contains("FAILED") && !stdout(&output).contains("VERIFIED"),
        "{}",
        stdout(&output)
    );
    let output = frex(world.path(), &[&args[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one document");
    assert_eq!(
        (report["v"].as_u64(), report["verified"].as_bool()),
        (Some(1), Some(false))
    );
    let error: Value = serde_json::from_str(&stderr(&output)).expect("one line of JSON");
    assert_eq!(
        (
            error["error"]["code"].as_u64(),
            error["error"]["exit"].as_u64()
        ),
        (Some(2004), Some(20))
    );
}

#[test]
fn an_unknown_option_or_verb_is_a_usage_error() {
    let dir = tempfile::tempdir().expect("a folder");
    for args in [
        &["run", "--fast"][..],
        &["fly"],
        &["send", "x"],
        &["receipt"],
        &["completions", "tcsh"],
    ] {
        let output = frex(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stdout(&output).is_empty() && stderr(&output).contains("--help"),
            "{args:?}"
        );
    }
    assert!(ok(dir.path(), &["--help"]).contains("frex demo"));
    assert!(ok(dir.path(), &["--version"]).starts_with("frex "));
}

// ERR-1: every code can be looked up by number and by name.
#[test]
fn every_error_code_explains_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let listed: Value = serde_json::from_str(&ok(dir.path(), &["errors", "--json"])).expect("JSON");
    let listed = listed["errors"].as_array().expect("a list");
    assert!(listed.len() > 30);
    for name in ["2004", "BAD_RECEIPT", "bad-receipt", "FREX-2004"] {
        assert!(
            ok(dir.path(), &["errors", name]).contains("exit code 20"),
            "{name}"
        );
    }
    refused(&frex(dir.path(), &["errors", "9999"]), 1, "NOT_FOUND 5006");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let dir = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            ok(dir.path(), &["completions", shell]).contains("frex"),
            "{shell}"
        );
    }
}

// CLI-5: no option takes a secret; keys are files.
#[test]
fn no_option_takes_a_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    for verb in ["init", "run", "send", "inbox"] {
        let help = ok(dir.path(), &[verb, "--help"]).to_lowercase();
        for word in ["passphrase", "password", "secret", "seed"] {
            assert!(!help.contains(word), "{verb}: {word}");
        }
    }
}
