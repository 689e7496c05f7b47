//! `frex doctor` as operators meet it: each thing that breaks has its row, its exit code, and a
//! remedy that exists.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{World, exits, free_port, frex, init, json, ok, refused, stderr};

mod support;

/// Looks over `place`; gives every row, and checks what holds for every report.
fn doctor(world: &World, place: &str, exit: i32) -> Vec<Value> {
    let report = json(world.path(), &format!("doctor {place}"), exit);
    let rows = report["checks"].as_array().expect("rows").clone();
    for row in &rows {
        let ill = ["warn", "fail"].contains(&row["outcome"].as_str().expect("a word"));
        // CLI-10: whoever is told that something is not well is told what mends it.
        assert_eq!(row["try"].is_string(), ill, "{row}");
        if let Some(mend) = row["try"].as_str() {
            exists(world.path(), mend);
        }
    }
    let failed = rows.iter().any(|row| row["outcome"] == "fail");
    assert_eq!(failed, exit != 0);
    assert_eq!(report["verdict"] == "fail", failed);
    rows
}

/// Every `frex` command in a remedy has its verb and its options.
fn exists(dir: &Path, mend: &str) {
    // The name of a file may end like the program's.
    let spaced = format!(" {mend}");
    let mut parts = spaced.split(" frex ");
    let before = parts.next().expect("a first part");
    let known = ["chmod ", "df "].iter().any(|word| mend.starts_with(word));
    let sentence = mend.starts_with(|c: char| c.is_ascii_uppercase());
    assert!(before.is_empty() || known || sentence, "{mend}");
    for command in parts {
        let command = command.split([',', ';']).next().expect("a command");
        let words: Vec<&str> = command
            .split_whitespace()
            .filter(|word| !word.contains('<') && *word != "3")
            .collect();
        let output = frex(dir, &format!("{} --help", words.join(" ")));
        assert_eq!(output.status.code(), Some(0), "{mend}: {}", stderr(&output));
    }
}

fn row<'a>(rows: &'a [Value], check: &str) -> &'a Value {
    let found = rows.iter().find(|row| row["check"] == check);
    found.unwrap_or_else(|| panic!("no row {check} in {rows:?}"))
}

/// The checks that warn or fail.
fn ill(rows: &[Value]) -> Vec<(String, String)> {
    let text = |row: &Value, field: &str| row[field].as_str().expect("text").to_owned();
    rows.iter()
        .filter(|row| row["outcome"] == "warn" || row["outcome"] == "fail")
        .map(|row| (text(row, "check"), text(row, "outcome")))
        .collect()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).expect("a text");
    fs::write(path, change(text)).expect("own file");
}

/// Gives a place's node an address for its metrics.
fn with_metrics(world: &World, place: &str) {
    let address = format!("metrics = \"127.0.0.1:{}\"\n", free_port());
    edit(&world.path().join(place).join("node/frex.toml"), |text| {
        text + &address
    });
}

// CLI-10, CLI-11: two running nodes are well; when one stops, the row that says so is the one
// about reaching it.
#[test]
fn two_running_nodes_are_well_until_one_stops() {
    let world = World::new();
    with_metrics(&world, "fr");
    let (fr, es) = (world.start("fr"), world.start("es"));
    fs::write(world.path().join("note.txt"), "made up").expect("own file");
    let send = "send note.txt --content-type text/plain --to police.es --from fr";
    ok(world.path(), send);
    // The published files follow the journal within a moment.
    let began = Instant::now();
    let rows = loop {
        let rows = doctor(&world, "fr", 0);
        if row(&rows, "node log extends")["outcome"] == "ok" {
            break rows;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{rows:?}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(ill(&rows), []);
    for check in [
        "node answers",
        "node roster in use",
        "node log",
        "reach node.hotline.fr",
        "reach node.police.es",
        "clock node.police.es",
        "log node.police.es",
    ] {
        assert_eq!(row(&rows, check)["outcome"], "ok", "{check}");
    }
    let text = ok(world.path(), "doctor fr");
    assert_eq!(text.lines().last(), Some("OK"), "{text}");
    assert!(!text.contains("made up"));
    let gauges = ok(world.path(), "doctor fr --format prometheus");
    assert!(gauges.contains("# TYPE frex_doctor gauge"), "{gauges}");
    assert!(gauges.contains("frex_doctor{check=\"reach node.police.es\"} 0\n"));

    assert_eq!(es.stop(), Some(0));
    let rows = doctor(&world, "fr", 23);
    let failed = vec![("reach node.police.es".to_owned(), "fail".to_owned())];
    assert_eq!(ill(&rows), failed);
    let unreached = row(&rows, "reach node.police.es");
    assert_eq!(unreached["code"], "UNREACHABLE");
    assert_eq!(row(&rows, "clock node.police.es")["outcome"], "skip");
    let gauges = exits(world.path(), "doctor fr --format prometheus", 23);
    assert!(gauges.contains("frex_doctor{check=\"reach node.police.es\"} 2"));
    assert!(!gauges.contains("clock node.police.es"), "{gauges}");
    let rows = doctor(&world, "es", 23);
    assert_eq!(row(&rows, "node running")["outcome"], "fail");
    assert_eq!(fr.stop(), Some(0));
}

/// What is broken, the row that says so, its outcome, and the exit code.
type Break = (&'static str, fn(&Path), &'static str, &'static str, i32);

const BREAKS: [Break; 14] = [
    (
        "loose key",
        |fr| chmod(&fr.join("node/keys/log.key"), 0o640),
        "node modes",
        "fail",
        78,
    ),
    (
        "loose keys folder",
        |fr| chmod(&fr.join("member/keys"), 0o755),
        "member modes",
        "fail",
        78,
    ),
    (
        "loose receipts",
        |fr| chmod(&fr.join("member/receipts"), 0o755),
        "member modes",
        "warn",
        0,
    ),
    (
        "lost key",
        |fr| fs::remove_file(fr.join("member/keys/sealing.key")).expect("own file"),
        "member keys",
        "fail",
        10,
    ),
    (
        "foreign key",
        |fr| {
            copy(
                &fr.with_file_name("es/node/keys/tls.key"),
                &fr.join("node/keys/tls.key"),
            );
        },
        "node listed",
        "fail",
        21,
    ),
    (
        "served elsewhere",
        |fr| {
            edit(&fr.join("member/member.toml"), |text| {
                text.replace("node.hotline.fr", "node.police.es")
            });
        },
        "member listed",
        "fail",
        21,
    ),
    (
        "wrong root",
        |fr| {
            copy(
                &fr.with_file_name("other/root.frex"),
                &fr.join("member/root.frex"),
            );
        },
        "member roster",
        "fail",
        21,
    ),
    (
        "damaged roster",
        |fr| fs::write(fr.join("node/roster.frex"), "damaged").expect("own file"),
        "node roster",
        "fail",
        21,
    ),
    (
        "no roster",
        |fr| fs::remove_file(fr.join("member/roster.frex")).expect("own file"),
        "member roster",
        "fail",
        10,
    ),
    (
        "misspelt setting",
        |fr| edit(&fr.join("node/frex.toml"), |text| text + "listenn = 1\n"),
        "node settings",
        "fail",
        78,
    ),
    (
        "no space",
        |fr| {
            edit(&fr.join("node/frex.toml"), |text| {
                text + "disk_reserve_bytes = 4611686018427387904\n"
            });
        },
        "node disk",
        "fail",
        1,
    ),
    (
        "little space",
        |fr| {
            let reserve = format!("disk_reserve_bytes = {}\n", free_bytes(fr) / 4 * 3);
            edit(&fr.join("node/frex.toml"), |text| text + &reserve);
        },
        "node disk",
        "warn",
        0,
    ),
    (
        "no index",
        |fr| fs::remove_dir_all(fr.join("node/index")).expect("own folder"),
        "node journal",
        "fail",
        1,
    ),
    (
        "changed checkpoint",
        |fr| {
            let path = fr.join("node/log/frex/test/node.hotline.fr/log/1/checkpoint");
            edit(&path, |text| text.replacen('\n', "\n9", 1));
        },
        "node log",
        "fail",
        20,
    ),
];

fn free_bytes(path: &Path) -> u64 {
    let df = std::process::Command::new("df")
        .args(["-B1", "--output=avail"])
        .arg(path)
        .output()
        .expect("df starts");
    let text = String::from_utf8(df.stdout).expect("text");
    let last = text.lines().last().expect("a line");
    last.trim().parse().expect("a number")
}

fn copy(from: &Path, to: &Path) {
    fs::write(to, fs::read(from).expect("made before")).expect("own file");
}

// CLI-10: one thing is broken at a time, in a copy of a folder that is well.
#[test]
fn each_thing_that_breaks_has_its_row_and_exit_code() {
    let world = World::new();
    ok(world.path(), "federation init --name test other");
    let (fr, es) = (world.start("fr"), world.start("es"));
    fs::write(world.path().join("note.txt"), "made up").expect("own file");
    let send = "send note.txt --content-type text/plain --to police.es --from fr";
    ok(world.path(), send);
    // Stopping publishes; the copies then dial the node that runs on the original.
    assert_eq!(fr.stop(), Some(0));
    let fr = world.start("fr");
    let path = world.path().join("copy");
    for (what, breaks, check, outcome, exit) in BREAKS {
        let copied = std::process::Command::new("cp")
            .args(["-a", "fr", "copy"])
            .current_dir(world.path())
            .status();
        assert!(copied.expect("cp starts").success());
        // Held as a running node holds it, so that only what is broken is amiss.
        let lock = fs::File::create(path.join("node/lock")).expect("own file");
        lock.try_lock().expect("free");
        breaks(&path);
        let rows = doctor(&world, "copy", exit);
        // What rests on the broken part may fail after it.
        let first = ill(&rows).into_iter().next();
        assert_eq!(
            first,
            Some((check.to_owned(), outcome.to_owned())),
            "{what}: {rows:?}"
        );
        drop(lock);
        fs::remove_dir_all(&path).expect("own folder");
    }
    assert_eq!(fr.stop(), Some(0));
    assert_eq!(es.stop(), Some(0));
}

// CLI-10: what ends within 30 days warns; what has ended fails, and still says who is listed.
#[test]
fn a_roster_that_ends_soon_warns_and_one_that_has_ended_fails() {
    let world = World::new();
    let previous = "--previous roster.frex";
    let options = format!("{previous} --expires 29d");
    world.propose("soon.frex", &options, previous);
    ok(world.path(), "roster install soon.frex fr");
    let rows = doctor(&world, "fr", 23);
    for part in ["member", "node"] {
        assert_eq!(row(&rows, &format!("{part} expiry"))["outcome"], "warn");
        assert_eq!(row(&rows, &format!("{part} standing"))["outcome"], "ok");
    }
    let previous = "--previous soon.frex";
    let options = format!("{previous} --expires 5s");
    let began = Instant::now();
    world.propose("short.frex", &options, previous);
    ok(world.path(), "roster install short.frex fr");
    std::thread::sleep(Duration::from_secs(6).saturating_sub(began.elapsed()));
    let rows = doctor(&world, "fr", 22);
    for (what, outcome) in [
        ("roster", "ok"),
        ("listed", "ok"),
        ("standing", "fail"),
        ("expiry", "fail"),
    ] {
        assert_eq!(
            row(&rows, &format!("member {what}"))["outcome"],
            outcome,
            "{what}"
        );
    }
}

// CLI-12: no passphrase is asked for; what needs one is skipped, and says how to give it.
#[test]
fn encrypted_keys_are_looked_at_without_their_passphrase() {
    let world = World::new();
    fs::write(world.path().join("secret"), "open sesame\n").expect("own file");
    chmod(&world.path().join("secret"), 0o600);
    ok(world.path(), "key encrypt fr --passphrase-fd 3 3<secret");
    let rows = doctor(&world, "fr", 23);
    for part in ["member", "node"] {
        let keys = row(&rows, &format!("{part} keys"));
        assert_eq!(keys["outcome"], "ok");
        assert!(
            keys["found"]
                .as_str()
                .is_some_and(|found| found.ends_with(": encrypted"))
        );
        assert_eq!(row(&rows, &format!("{part} listed"))["outcome"], "ok");
    }
    let reach = row(&rows, "reach node.police.es");
    assert_eq!(reach["outcome"], "skip");
    let found = reach["found"].as_str().expect("text");
    assert!(found.contains("--passphrase-fd"), "{found}");
    let given = json(world.path(), "doctor fr --passphrase-fd 3 3<secret", 23);
    let rows = given["checks"].as_array().expect("rows");
    assert_eq!(row(rows, "reach node.police.es")["outcome"], "fail");
}

#[test]
fn a_folder_with_nothing_in_it_is_not_initialised() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = refused(dir.path(), "doctor .", 10, "NOT_INITIALISED 6001");
    assert!(text.contains("frex init"), "{text}");
    let output = frex(dir.path(), "doctor . --format json");
    let error: Value = serde_json::from_str(&stderr(&output)).expect("one line of JSON");
    assert_eq!(error["error"]["exit"], 10);
    ok(dir.path(), &init("fr", "hotline.fr", "127.0.0.1:7443"));
    let report = json(dir.path(), "doctor fr", 10);
    let rows = report["checks"].as_array().expect("rows");
    assert_eq!(row(rows, "member roster")["code"], "NOT_INITIALISED");
}
