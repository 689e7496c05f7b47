//! An auditor with no node and no account follows logs by what they publish.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use frex_client::environment::Clock;
use frex_proto::{error::WireCode, limits};
use frex_tests::{
    processes::{Ended, Frex},
    published::{MadeLog, ORIGIN, StaticServer},
};
use serde_json::Value;

use crate::witnesses::{MEMBERS, ROOT, ROSTER, SENDER, federation, started, until_final};

/// A time long ago.
const OLD_MS: u64 = 1_600_000_000_000;
const DEADLINE: Duration = Duration::from_secs(60);

struct Auditor {
    frex: Frex,
    vkey: String,
}

impl Auditor {
    fn of(dir: &Path, log: &MadeLog) -> Self {
        Self {
            frex: Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir),
            vkey: log.vkey(),
        }
    }

    fn audit(&self, source: &str, more: &[&str]) -> Ended {
        self.frex.run(&[&self.args(source)[..], more].concat())
    }

    fn verified(&self, source: &str) -> Value {
        let ended = self.audit(source, &[]);
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        ended.json()
    }

    fn refused(&self, source: &str, code: WireCode) {
        let ended = self.audit(source, &[]);
        let exit = i32::from(code.info().exit);
        assert_eq!(
            (ended.exit, ended.code()),
            (Some(exit), Some(code as u64)),
            "{ended:?}"
        );
    }

    fn args<'a>(&'a self, source: &'a str) -> [&'a str; 7] {
        [
            "log", "audit", source, "--state", "state", "--vkey", &self.vkey,
        ]
    }
}

/// What lies in the auditor's folder and begins so.
fn kept(dir: &Path, kind: &str) -> Vec<Vec<u8>> {
    let names = fs::read_dir(dir.join("state")).unwrap();
    let mut paths: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let of_kind = |path: &&std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(kind)
    };
    paths
        .iter()
        .filter(of_kind)
        .map(|path| fs::read(path).unwrap())
        .collect()
}

// AUD-1, AUD-2, AUD-4, AUD-5, AUD-10: what running nodes publish is audited as it grows, out of their folder
// and out of a copy that is brought up to date, with whose word makes it final.
#[test]
fn what_nodes_publish_is_audited_while_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let _nodes = started(&frex, &MEMBERS);
    let lines: Vec<String> = (0..300)
        .map(|number| {
            format!(r#"{{"reference":"B-{number}","created":"2026-07-01T12:00:00Z","description":"made up"}}"#)
        })
        .collect();
    let file =
        |name: &str, lines: &[String]| fs::write(dir.path().join(name), lines.join("\n")).unwrap();
    let trust = ["--roster", ROSTER, "--root", ROOT];
    let audit = |source: &str, state: &str| {
        let args = ["log", "audit", source, "--state", state];
        let ended = frex.run(&[&args[..], &trust].concat());
        let is_early = ended.code() == Some(WireCode::NotFound as u64);
        assert!(ended.exit == Some(0) || is_early, "{ended:?}");
        if is_early { Value::Null } else { ended.json() }
    };
    let bulk = |name: &str| frex.done(&["bulk", name, "--to", "police.es", "--from", SENDER]);

    file("few.jsonl", &lines[..20]);
    let _ = bulk("few.jsonl");
    let first = until_audited(
        || audit("police.es", "of-node"),
        |found| found["size"].as_u64() >= Some(20),
    );
    let _ = frex.done(&["log", "export", "copy", "police.es"]);
    let again = frex.run(&["log", "export", "copy", "police.es"]);
    assert_eq!(again.code(), Some(WireCode::AlreadyExists as u64));
    assert_eq!(audit("copy", "of-copy")["verified"], true);

    file("many.jsonl", &lines[20..]);
    let _ = bulk("many.jsonl");
    let more = until_audited(
        || audit("police.es", "of-node"),
        |found| found["size"].as_u64() >= Some(300),
    );
    assert!(more["before"].as_u64() >= first["size"].as_u64(), "{more}");
    let _ = frex.done(&["log", "export", "copy", "police.es", "--update"]);
    let copied = audit("copy", "of-copy");
    assert!(copied["size"].as_u64() >= Some(300), "{copied}");
    let verified = frex.done(&["log", "verify", "copy"]);
    assert_eq!(verified["size"], copied["size"]);
    // Of full tiles nothing partial is left, at the node and in the copy.
    let full = "tile/entries/000";
    for root in ["copy", "police.es/node/log"] {
        let log = dir
            .path()
            .join(root)
            .join("frex/example/node.police.es/log/1");
        assert!(log.join(full).is_file());
        assert!(!log.join(format!("{full}.p")).exists(), "{root}");
    }

    let message = crate::witnesses::file(&frex);
    let _ = until_final(&frex, &message);
    let found = until_audited(
        || audit("police.es", "of-node"),
        |found| found["finality"]["state"] == "final",
    );
    assert_eq!(
        found["finality"]["witnesses"].as_array().unwrap().len(),
        2,
        "{found}"
    );
}

/// Audits until the published files have come so far: they follow the receipts after a moment.
fn until_audited(audit: impl Fn() -> Value, enough: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let found = audit();
        if enough(&found) {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "{found}");
        thread::sleep(Duration::from_millis(20));
    }
}

// AUD-1, AUD-5: over a web server that knows nothing of logs; killed in the middle, it goes on where it was,
// and later fetches only what is new.
#[test]
fn an_audit_over_http_goes_on_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("web")).unwrap();
    log.grow(40_000, OLD_MS).unwrap();
    let auditor = Auditor::of(dir.path(), &log);
    let server = StaticServer::start(log.folder(), 250).unwrap();
    let url = server.url();
    let mut running = auditor.frex.begin(&auditor.args(&url));
    let state = dir.path().join("state/audit.state");
    let started = Instant::now();
    let read = || -> Option<u64> {
        let text = fs::read_to_string(&state).ok()?;
        let kept: Value = serde_json::from_str(text.lines().next()?).ok()?;
        kept["read"].as_u64()
    };
    while read().unwrap_or(0) == 0 {
        assert!(started.elapsed() < DEADLINE && !running.is_over());
        thread::sleep(Duration::from_millis(5));
    }
    drop(running);
    let before = read().unwrap();
    assert!(before >= 64 * 256, "{before}");
    server.let_all();
    let _ = server.asked();

    let found = auditor.verified(&url);
    assert_eq!(
        (&found["size"], &found["origin"]),
        (&40_000.into(), &ORIGIN.into())
    );
    let asked = server.asked();
    let bundles = asked
        .iter()
        .filter(|path| path.starts_with("/tile/entries/"));
    assert_eq!(
        bundles.count() as u64,
        40_000_u64.div_ceil(256) - before / 256
    );

    log.grow(10, OLD_MS + 50_000).unwrap();
    assert_eq!(auditor.verified(&url)["before"], 40_000);
    assert!(server.asked().len() < 12, "some tiles at the right edge");
    assert_eq!(auditor.verified(&url)["before"], 40_010);
    assert_eq!(server.asked(), ["/checkpoint"]);
    // What is verified lies there as any C2SP tool reads it.
    let checkpoint = fs::read(log.folder().join("checkpoint")).unwrap();
    assert_eq!(kept(dir.path(), "checkpoint"), [checkpoint]);
}

// AUD-1: a web server whose certificate this machine trusts, watched; another is not talked to.
#[test]
fn an_audit_over_https_watches_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("web")).unwrap();
    log.grow(300, OLD_MS).unwrap();
    let (server, certificate) = StaticServer::start_tls(log.folder()).unwrap();
    let trusted = dir.path().join("trusted.pem");
    fs::write(&trusted, certificate).unwrap();
    let mut auditor = Auditor::of(dir.path(), &log);
    let stranger = auditor
        .frex
        .clone()
        .with("SSL_CERT_FILE", dir.path().join("none.pem"));
    let url = server.url();
    let refused = stranger.run(&auditor.args(&url));
    assert!(matches!(refused.exit, Some(1 | 23)), "{refused:?}");
    assert!(server.asked().is_empty());

    auditor.frex = auditor.frex.with("SSL_CERT_FILE", trusted);
    let watch = ["--watch", "10ms"];
    let _watching = auditor
        .frex
        .begin(&[&auditor.args(&url)[..], &watch].concat());
    let verified = dir.path().join("state/checkpoint");
    for more in [0, 7, 700] {
        log.grow(more, OLD_MS + 1_000 * (1 + more)).unwrap();
        let head = fs::read(log.folder().join("checkpoint")).unwrap();
        let started = Instant::now();
        while fs::read(&verified).ok().as_ref() != Some(&head) {
            assert!(started.elapsed() < DEADLINE);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

// AUD-4, LIM-86: a changed file is told apart from a second history, and once it is mended the audit goes on.
#[test]
fn a_tampered_tile_is_found_and_accuses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("web")).unwrap();
    log.grow(600, OLD_MS).unwrap();
    let auditor = Auditor::of(dir.path(), &log);
    let web = log.folder().to_string_lossy().into_owned();
    for tile in [
        "tile/entries/001",
        "tile/0/000",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
    ] {
        let path = log.folder().join(tile);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(&path, bad).unwrap();
        auditor.refused(&web, WireCode::BadProof);
        fs::write(&path, good).unwrap();
    }
    let bundle = log.folder().join("tile/entries/000");
    let good = fs::read(&bundle).unwrap();
    fs::write(&bundle, vec![0; 65_537]).unwrap();
    auditor.refused(&web, WireCode::TooLarge);
    let server = StaticServer::start(log.folder(), usize::MAX).unwrap();
    auditor.refused(&server.url(), WireCode::TooLarge);
    fs::write(&bundle, good).unwrap();
    assert!(kept(dir.path(), "fork").is_empty() && kept(dir.path(), "rewritten").is_empty());
    assert_eq!(auditor.verified(&web)["size"], 600);
    let stranger = MadeLog::new(dir.path()).unwrap();
    let other = stranger.vkey().replace("node.example-a", "node.example-b");
    let args = ["log", "audit", &web, "--state", "other", "--vkey", &other];
    assert_eq!(
        auditor.frex.run(&args).exit,
        Some(2),
        "the key id is not that of this name"
    );
}

// AUD-3, AUD-7, WIT-10: a second history of one size, and one that leaves out what was there, are kept as
// evidence, and the log is not believed again; one that is only shorter is refused without.
#[test]
fn a_log_that_takes_back_what_it_signed_is_caught_with_evidence() {
    for (kind, code, more) in [
        ("fork", WireCode::Forked, 1),
        ("rewritten", WireCode::LogRewritten, 700),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = MadeLog::new(&dir.path().join("web")).unwrap();
        log.grow(299, OLD_MS).unwrap();
        let mut other = log.parted().unwrap();
        let auditor = Auditor::of(dir.path(), &log);
        let web = log.folder().to_string_lossy().into_owned();
        let shorter = fs::read(log.folder().join("checkpoint")).unwrap();
        log.grow(1, OLD_MS + 299).unwrap();
        assert_eq!(auditor.verified(&web)["size"], 300);
        let honest = fs::read(log.folder().join("checkpoint")).unwrap();

        fs::write(log.folder().join("checkpoint"), shorter).unwrap();
        auditor.refused(&web, WireCode::LogShrunk);
        assert!(kept(dir.path(), kind).is_empty());

        other.grow(more, OLD_MS + 299).unwrap();
        auditor.refused(&web, code);
        let second = fs::read(log.folder().join("checkpoint")).unwrap();
        assert_eq!(kept(dir.path(), kind), [honest.clone(), second]);
        fs::write(log.folder().join("checkpoint"), honest).unwrap();
        auditor.refused(&web, WireCode::Forked);
    }
}

// AUD-6, AUD-8, AUD-11: old entries are taken away from a copy; what is left verifies, goes on and is audited from there.
#[test]
fn a_copy_is_pruned_and_still_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("copy")).unwrap();
    log.grow(300, OLD_MS).unwrap();
    let auditor = Auditor::of(dir.path(), &log);
    let frex = &auditor.frex;
    fs::write(dir.path().join("copy/node.example-a.vkey"), log.vkey()).unwrap();
    let _ = frex.done(&["log", "export", "behind", "copy"]);
    log.grow(65_700, OLD_MS + 300).unwrap();
    let prune = |more: &[&str]| frex.run(&[&["log", "prune", "copy"], more].concat());
    let tile = |path: &str| log.folder().join(path);
    assert_eq!(auditor.verified("copy")["size"], 66_000);

    let planned = prune(&["--below", "65900"]).json();
    assert_eq!(
        (&planned["done"], &planned["files"]),
        (&false.into(), &515.into())
    );
    assert!(tile("tile/entries/000").is_file());
    assert_eq!(prune(&["--below", "65900", "--confirm"]).exit, Some(0));
    for gone in [
        "tile/entries/000",
        "tile/entries/256",
        "tile/0/256",
        "tile/1/000",
    ] {
        assert!(!tile(gone).exists(), "{gone}");
    }
    for stays in [
        "tile/entries/257.p/208",
        "tile/0/257.p/208",
        "tile/1/001.p/1",
        "tile/2/000.p/1",
    ] {
        assert!(tile(stays).exists(), "{stays}");
    }
    assert_eq!(frex.done(&["log", "verify", "copy"])["first"], 65_792);
    assert_eq!(
        frex.done(&["log", "prove", "65950", "copy"])["size"],
        66_000
    );
    let gone = frex.run(&["log", "prove", "7", "copy"]);
    assert_eq!(gone.code(), Some(WireCode::Pruned as u64), "{gone:?}");

    // Who was there before goes on; who comes now begins later.
    log.grow(700, OLD_MS + 70_000).unwrap();
    assert_eq!(auditor.verified("copy")["before"], 66_000);
    let late = ["--state", "late", "--vkey", &auditor.vkey];
    let late = |more: &[&str]| frex.run(&[&["log", "audit", "copy"], &late[..], more].concat());
    assert_eq!(late(&[]).code(), Some(WireCode::Pruned as u64));
    fs::remove_dir_all(dir.path().join("late")).unwrap();
    assert_eq!(late(&["--from", "65900"]).json()["first"], 65_792);

    // The next copy has what is left of this one.
    let _ = frex.done(&["log", "export", "next", "copy"]);
    assert_eq!(frex.done(&["log", "verify", "next"])["first"], 65_792);
    // One that lacks what is gone is left as it is: it would have a hole.
    let hole = frex.run(&["log", "export", "behind", "copy", "--update"]);
    assert_eq!(hole.code(), Some(WireCode::Pruned as u64), "{hole:?}");
    assert_eq!(frex.done(&["log", "verify", "behind"])["size"], 300);
}

// AUD-4, AUD-8: a copy of which all entries are gone still shows that its hashes make what was signed.
#[test]
fn a_copy_that_is_pruned_to_its_end_still_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("copy")).unwrap();
    log.grow(512, OLD_MS).unwrap();
    let frex = Auditor::of(dir.path(), &log).frex;
    fs::write(dir.path().join("copy/node.example-a.vkey"), log.vkey()).unwrap();
    let _ = frex.done(&["log", "prune", "copy", "--below", "512", "--confirm"]);
    assert!(!log.folder().join("tile/entries/001").exists());
    assert_eq!(frex.done(&["log", "verify", "copy"])["first"], 512);
    // The folder of the log itself is known by the copy that it lies in.
    let own = log.folder().to_string_lossy().into_owned();
    assert_eq!(frex.done(&["log", "verify", &own])["first"], 512);
    let tile = log.folder().join("tile/1/000.p/2");
    let good = fs::read(&tile).unwrap();
    let mut bad = good.clone();
    bad[3] ^= 1;
    fs::write(&tile, bad).unwrap();
    let damaged = frex.run(&["log", "verify", "copy"]);
    assert_eq!(damaged.code(), Some(WireCode::BadProof as u64));
    assert!(!damaged.err.contains("checkpoints"), "{damaged:?}");
    fs::write(&tile, good).unwrap();
    log.grow(10, OLD_MS + 600).unwrap();
    assert_eq!(frex.done(&["log", "verify", "copy"])["size"], 522);
}

// AUD-3, LOG-23: a watch believes by what its trust says now, not by what it said when it began.
#[test]
fn a_watch_reads_anew_whom_it_believes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("web")).unwrap();
    log.grow(30, OLD_MS).unwrap();
    let frex = Auditor::of(dir.path(), &log).frex;
    let vkey = dir.path().join("log.vkey");
    fs::write(&vkey, log.vkey()).unwrap();
    let audit = [
        "log", "audit", "web", "--state", "state", "--vkey", "log.vkey",
    ];
    let mut watching = frex.begin(&[&audit[..], &["--watch", "10ms"]].concat());
    let started = Instant::now();
    while !dir.path().join("state/checkpoint").exists() {
        assert!(started.elapsed() < DEADLINE && !watching.is_over());
        thread::sleep(Duration::from_millis(5));
    }
    fs::write(&vkey, "no key any more").unwrap();
    while !watching.is_over() {
        assert!(started.elapsed() < DEADLINE, "it goes on by the old key");
        thread::sleep(Duration::from_millis(5));
    }
    let ended = watching.wait();
    assert_eq!(
        (ended.exit, ended.code()),
        (Some(2), Some(WireCode::BadInput as u64))
    );
}

// AUD-8, AUD-9, AUD-11, LIM-85: what is too young stays, and what is gone; nothing is taken away from a node.
#[test]
fn what_must_stay_published_is_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = MadeLog::new(&dir.path().join("copy")).unwrap();
    log.grow(700, OLD_MS).unwrap();
    let now_ms = Clock::System.now_ms();
    log.grow(10, now_ms - limits::PUBLISHED_MS_MIN + 60_000)
        .unwrap();
    fs::write(dir.path().join("copy/node.example-a.vkey"), log.vkey()).unwrap();
    let frex = Auditor::of(dir.path(), &log).frex;
    let prune = |more: &[&str]| frex.run(&[&["log", "prune", "copy"], more].concat());
    let young = prune(&["--below", "701", "--confirm"]);
    assert_eq!(
        (young.exit, young.code()),
        (Some(22), Some(WireCode::TooYoung as u64))
    );
    let old = prune(&["--older-than", "400d", "--confirm"]).json();
    assert_eq!((&old["minimum"], &old["files"]), (&700.into(), &4.into()));
    let minimum = fs::read_to_string(log.folder().join("minimum-index")).unwrap();
    assert_eq!(minimum, "700\n");
    for wrong in ["699", "711"] {
        assert_eq!(prune(&["--below", wrong, "--confirm"]).exit, Some(2));
    }
    assert_eq!(frex.done(&["log", "verify", "copy"])["first"], 512);

    frex.federation(&[SENDER], &[]);
    let node = frex.run(&["log", "prune", SENDER, "--below", "0", "--confirm"]);
    assert_eq!(node.exit, Some(2), "{node:?}");
    // Who changes the two arguments about writes nothing into a folder that is no copy.
    fs::create_dir(dir.path().join("other")).unwrap();
    fs::write(dir.path().join("other/mine.txt"), "mine").unwrap();
    for place in [SENDER, "hotline.fr/node/log", "hotline.fr/member", "other"] {
        for more in [&[][..], &["--update"]] {
            let export = [&["log", "export", place, "copy"][..], more].concat();
            let refused = frex.run(&export);
            assert_eq!(refused.exit, Some(2), "{place}: {refused:?}");
            assert!(!dir.path().join(place).join("frex/example").exists());
        }
    }
}
