//! What the command line refuses: one exit code and one code of chapter ERR for each case.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use frex_proto::error::WireCode::{self, *};
use frex_tests::processes::{Frex, copy_dir};

const RUNNING: &str = "alpha";
const STOPPED: &str = "beta";
const CASE: &str = "case";
const ROOT: &str = "governance/root.frex";

/// A fresh copy of the stopped member is prepared, then the command runs.
struct Row {
    name: &'static str,
    prepare: fn(&Path),
    args: &'static [&'static str],
    exit: i32,
    code: WireCode,
}

const fn row(
    name: &'static str,
    (exit, code): (i32, WireCode),
    args: &'static [&'static str],
    prepare: fn(&Path),
) -> Row {
    Row {
        name,
        prepare,
        args,
        exit,
        code,
    }
}

fn rows() -> Vec<Row> {
    let tables = [homes(), settings(), made(), rosters(), receipts(), calls()];
    tables.into_iter().flatten().collect()
}

// CLI-2, NOD-6: each refusal of the command line has its exit code and its code.
#[test]
fn every_refusal_of_the_command_line_has_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    frex.federation(&[RUNNING, STOPPED], &[]);
    let mut node = frex.node(RUNNING);
    node.ready().unwrap();
    prepare_files(&frex);
    for row in rows() {
        let case = dir.path().join(CASE);
        let _ = fs::remove_dir_all(&case);
        copy_dir(&dir.path().join(STOPPED), &case).unwrap();
        (row.prepare)(&case);
        let ended = frex.run(row.args);
        assert_eq!(ended.exit, Some(row.exit), "{}: {ended:?}", row.name);
        let code = Some(row.code as u64);
        assert_eq!(ended.code(), code, "{}: {ended:?}", row.name);
        let exit = i32::from(row.code.info().exit);
        assert_eq!(row.exit, exit, "{}: the table of codes", row.name);
    }
    assert_eq!(node.stop(), Some(0));
}

/// Files that commands are given: a receipt and what was made of it, and rosters.
fn prepare_files(frex: &Frex) {
    let dir = frex.dir();
    fs::write(dir.join("note.txt"), "a note").unwrap();
    let sent = frex.run(&[
        "send",
        "note.txt",
        "--content-type",
        "text/plain",
        "--to",
        STOPPED,
        "--from",
        RUNNING,
        "--wait",
        "0s",
    ]);
    // The recipient's node does not run: done in part.
    assert_eq!(sent.exit, Some(3), "{sent:?}");
    let receipt = receipt_of(&dir.join(RUNNING));
    let text = fs::read_to_string(receipt).unwrap();
    fs::write(dir.join("good.tlog-proof"), &text).unwrap();
    assert_eq!(verify(frex, "good.tlog-proof"), Some(0));
    fs::write(dir.join("cut.tlog-proof"), &text[..text.len() / 2]).unwrap();
    every_changed_letter_is_found(frex, &text);

    frex.roster("expired.frex", &["--expires", "3s", "beta/beta.card"]);
    let other = [
        "federation",
        "init",
        "--name",
        "example",
        "--keys",
        "1",
        "--threshold",
        "1",
    ];
    let _ = frex.done(&[&other[..], &["other"]].concat());
    let mut roster = fs::read(dir.join("roster.frex")).unwrap();
    let middle = roster.len() / 2;
    roster[middle] ^= 1;
    fs::write(dir.join("tampered.frex"), roster).unwrap();
    thread::sleep(Duration::from_millis(3100));
}

fn receipt_of(member: &Path) -> PathBuf {
    let receipts = member.join("member/receipts");
    let files = fs::read_dir(receipts).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "tlog-proof"))
        .unwrap()
}

fn verify(frex: &Frex, file: &str) -> Option<i32> {
    let args = ["receipt", "verify", file, "--dir", RUNNING];
    frex.run(&args).exit
}

/// One letter of each line is changed; the last such file is kept for the table.
fn every_changed_letter_is_found(frex: &Frex, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for number in 0..lines.len() {
        let line = lines[number];
        let Some(place) = line.char_indices().nth(line.len() / 2) else {
            continue;
        };
        let other = if place.1 == 'A' { "B" } else { "A" };
        let mut changed = line.to_owned();
        changed.replace_range(place.0..=place.0, other);
        let mut lines = lines.clone();
        lines[number] = &changed;
        fs::write(
            frex.dir().join("tampered.tlog-proof"),
            lines.join("\n") + "\n",
        )
        .unwrap();
        assert_eq!(
            verify(frex, "tampered.tlog-proof"),
            Some(20),
            "line {number}: {line}"
        );
    }
}

fn set(case: &Path, line: &str) {
    let path = case.join("node/frex.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text + line + "\n").unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn in_force(case: &Path, roster: &str) {
    fs::copy(case.with_file_name(roster), case.join("node/roster.frex")).unwrap();
}

/// As before the first roster was installed.
fn forget(case: &Path) {
    for home in ["member", "node"] {
        for file in ["roster.frex", "root.frex"] {
            fs::remove_file(case.join(home).join(file)).unwrap();
        }
    }
}

/// Folders that cannot be used.
fn homes() -> Vec<Row> {
    let run: &[&str] = &["run", CASE];
    vec![
        row("nothing was made here", (10, NotInitialised), run, |case| {
            fs::remove_dir_all(case).unwrap();
        }),
        row(
            "no roster was installed",
            (10, NotInitialised),
            run,
            |case| {
                fs::remove_file(case.join("node/roster.frex")).unwrap();
            },
        ),
        row(
            "a second process runs",
            (11, Locked),
            &["run", RUNNING],
            |_| {},
        ),
        row(
            "checked while it runs",
            (11, Locked),
            &["fsck", RUNNING],
            |_| {},
        ),
        row("a key that others can read", (78, LooseMode), run, |case| {
            mode(&case.join("node/keys/log.key"), 0o640);
        }),
        row(
            "a folder that others can enter",
            (78, LooseMode),
            run,
            |case| {
                mode(&case.join("node/keys"), 0o755);
            },
        ),
        row(
            "a member's key that others can read",
            (78, LooseMode),
            &["inbox", CASE],
            |case| mode(&case.join("member/keys/identity.key"), 0o604),
        ),
    ]
}

/// Settings that cannot be used.
fn settings() -> Vec<Row> {
    let run: &[&str] = &["run", CASE];
    vec![
        row("a misspelt setting", (78, BadConfig), run, |case| {
            set(case, "publish_intervall_ms = 50");
        }),
        row(
            "a setting that no node can run with",
            (78, BadConfig),
            run,
            |case| {
                set(case, "segment_bytes = 1");
            },
        ),
        row("metrics for everybody", (78, BadConfig), run, |case| {
            set(case, "metrics = \"0.0.0.0:7480\"");
        }),
        row("an address that is taken", (78, BadConfig), run, |case| {
            let path = case.join("node/frex.toml");
            let taken = case.with_file_name(RUNNING).join("node/frex.toml");
            let [text, taken] = [&path, &taken].map(|path| fs::read_to_string(path).unwrap());
            let listen = |text: &str| {
                let line = text.lines().find(|line| line.starts_with("listen ="));
                line.unwrap().to_owned()
            };
            fs::write(&path, text.replace(&listen(&text), &listen(&taken))).unwrap();
        }),
    ]
}

/// What is there already, or not yet.
fn made() -> Vec<Row> {
    vec![
        row(
            "made twice",
            (1, AlreadyExists),
            &[
                "init",
                "--member",
                "beta",
                "--name",
                "b",
                "--country",
                "FR",
                "--role",
                "police",
                "--federation",
                "example",
                CASE,
            ],
            |_| {},
        ),
        row(
            "a log that has no entry",
            (1, NotFound),
            &["log", "checkpoint", CASE],
            |_| {},
        ),
    ]
}

/// Rosters and roots that do not verify.
fn rosters() -> Vec<Row> {
    vec![
        row(
            "an expired roster",
            (21, BadRoster),
            &["roster", "install", "expired.frex", "--root", ROOT, CASE],
            forget,
        ),
        row(
            "a tampered roster",
            (21, BadRoster),
            &["roster", "install", "tampered.frex", "--root", ROOT, CASE],
            forget,
        ),
        row(
            "a roster under another root",
            (21, BadRoster),
            &[
                "roster",
                "install",
                "roster.frex",
                "--root",
                "other/root.frex",
                CASE,
            ],
            forget,
        ),
        row(
            "another root than the pinned one",
            (21, BadRoster),
            &[
                "roster",
                "install",
                "roster.frex",
                "--root",
                "other/root.frex",
                CASE,
            ],
            |_| {},
        ),
        row(
            "another roster of the same version",
            (21, BadRoster),
            &["roster", "install", "expired.frex", CASE],
            |_| {},
        ),
        row(
            "run with an expired roster",
            (21, BadRoster),
            &["run", CASE],
            |case| {
                in_force(case, "expired.frex");
            },
        ),
        row(
            "run with a tampered roster",
            (21, BadRoster),
            &["run", CASE],
            |case| {
                in_force(case, "tampered.frex");
            },
        ),
    ]
}

/// Receipts that do not verify.
fn receipts() -> Vec<Row> {
    vec![
        row(
            "a tampered receipt",
            (20, BadReceipt),
            &["receipt", "verify", "tampered.tlog-proof", "--dir", RUNNING],
            |_| {},
        ),
        row(
            "half a receipt",
            (20, BadReceipt),
            &["receipt", "verify", "cut.tlog-proof", "--dir", RUNNING],
            |_| {},
        ),
        row(
            "a receipt of another envelope",
            (20, BadReceipt),
            &[
                "receipt",
                "verify",
                "good.tlog-proof",
                "--dir",
                RUNNING,
                "--envelope",
                "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            ],
            |_| {},
        ),
        row(
            "a note in place of a receipt",
            (20, BadReceipt),
            &["receipt", "verify", "note.txt", "--dir", RUNNING],
            |_| {},
        ),
    ]
}

/// Calls that cannot succeed.
fn calls() -> Vec<Row> {
    vec![
        row(
            "a recipient that nobody knows",
            (22, UnknownRecipient),
            &[
                "send",
                "note.txt",
                "--content-type",
                "text/plain",
                "--to",
                "nobody",
                "--from",
                RUNNING,
            ],
            |_| {},
        ),
        row(
            "a node that does not run",
            (23, Unreachable),
            &[
                "send",
                "note.txt",
                "--content-type",
                "text/plain",
                "--to",
                RUNNING,
                "--from",
                CASE,
                "--wait",
                "0s",
            ],
            |_| {},
        ),
        row(
            "a note in place of a report",
            (2, BadInput),
            &["send", "note.txt", "--to", STOPPED, "--from", RUNNING],
            |_| {},
        ),
        row(
            "a file that is not there",
            (1, Files),
            &["receipt", "verify", "nowhere.tlog-proof", "--dir", RUNNING],
            |_| {},
        ),
        row(
            "a code that does not exist",
            (1, NotFound),
            &["errors", "NOPE"],
            |_| {},
        ),
        row("half a command", (2, BadInput), &["roster"], |_| {}),
        row(
            "an option that is none",
            (2, BadInput),
            &["inbox", CASE, "--nothing"],
            |_| {},
        ),
    ]
}
