//! A file from one member to another through two nodes, while every program is killed in the
//! middle of it; who takes none gets none.
//!
//! `FREX_ATTACHMENT_BYTES=2147483648` makes the file as large as that.

use std::{
    fs,
    io::Write,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use frex_proto::{error::WireCode, label};
use frex_tests::processes::{Ended, Frex, NodeProcess, Running, copy_dir};
use serde_json::Value;

const SENDER: &str = "platform.ie";
const RECEIVER: &str = "police.es";
/// Takes no attachments, as it is unless the governance says otherwise.
const HOTLINE: &str = "hotline.fr";
const REPORT: &str = "report.json";
const FILE: &str = "minutes of meeting.bin";
const BYTES: u64 = 64 * 1024 * 1024 + 12_345;
/// What a program may have in memory: far less than the file.
const MEMORY_BYTES_MAX: u64 = 60 * 1024 * 1024;
/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn federation(dir: &Path) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    let members = [SENDER, RECEIVER, HOTLINE];
    frex.federation(&members, &[]);
    let takes = format!("{RECEIVER}=yes");
    frex.next_roster("second.frex", "roster.frex", &["--attachments", &takes]);
    for member in members {
        let _ = frex.done(&["roster", "install", "second.frex", member]);
    }
    let report = r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;
    fs::write(dir.join(REPORT), report).unwrap();
    frex
}

/// Random-looking bytes; gives their hash.
fn write_file(path: &Path, bytes: u64) -> String {
    let mut file = fs::File::create(path).unwrap();
    let mut left = bytes;
    let mut block = Vec::new();
    for number in 0_u64.. {
        if left == 0 {
            break;
        }
        let seed = label::sha256(&[&number.to_be_bytes()]);
        block.clear();
        block.extend(seed.iter().cycle().take(left.min(1 << 20) as usize));
        file.write_all(&block).unwrap();
        left -= block.len() as u64;
    }
    hash(path)
}

/// SHA-256 of a file of any size.
fn hash(path: &Path) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut file = fs::File::open(path).unwrap();
    let mut block = vec![0; 1 << 20];
    loop {
        let read = std::io::Read::read(&mut file, &mut block).unwrap();
        if read == 0 {
            return hex::encode(context.finish().as_ref());
        }
        context.update(&block[..read]);
    }
}

/// Files in a folder whose names end so.
fn ending(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

/// The folders of messages whose files the home node may not have.
fn staged(sent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(sent).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < PATIENCE, "{what} does not come to pass");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The most memory that a process has had.
fn memory_bytes(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().nth(1));
    figure.map_or(0, |kib| kib.parse::<u64>().unwrap() * 1024)
}

struct Scene {
    frex: Frex,
    dir: PathBuf,
    out: PathBuf,
    peak_bytes: u64,
    /// The message, once it is begun.
    message: String,
}

impl Scene {
    fn attachments(&self, member: &str) -> PathBuf {
        self.dir.join(member).join("node/attachments")
    }

    /// Whether a transfer to this member's node is under way.
    fn is_coming(&self, member: &str) -> bool {
        !ending(&self.attachments(member), "part").is_empty()
    }

    fn begin_send(&self) -> Running {
        let send = ["send", REPORT, "--to", RECEIVER, "--attach", FILE];
        let wait = ["--wait", "280s", "--from", SENDER];
        let named = ["--message", &self.message];
        let named = &named[..if self.message.is_empty() { 0 } else { 2 }];
        self.frex.begin(&[&send[..], &wait, named].concat())
    }

    /// The message of the only folder that was staged.
    fn staged(&self) -> String {
        let folders = staged(&self.dir.join(SENDER).join("member/sent"));
        let name = folders[0].file_name().unwrap().to_str().unwrap();
        name.to_owned()
    }

    fn begin_fetch(&self) -> Running {
        let out = self.out.to_str().unwrap();
        self.frex.begin(&[
            "attachment",
            "fetch",
            &self.message,
            "--out",
            out,
            "--wait",
            "120s",
            RECEIVER,
        ])
    }

    fn note(&mut self, process: u32) {
        self.peak_bytes = self.peak_bytes.max(memory_bytes(process));
    }

    /// Kills a node and starts it again.
    fn restart(&mut self, node: &mut NodeProcess, member: &str) {
        self.note(node.pid());
        node.kill().unwrap();
        *node = self.frex.start(member);
    }

    /// Kills a node in the middle of what comes to it: looked at before it goes on.
    fn interrupt(&mut self, node: &mut NodeProcess, member: &str) {
        self.note(node.pid());
        node.kill().unwrap();
        assert!(self.is_coming(member), "the node was killed in the middle");
        *node = self.frex.start(member);
    }

    /// Waits for a command's end, with an eye on its memory.
    fn finish(&mut self, mut running: Running) -> Ended {
        let began = Instant::now();
        while !running.is_over() {
            assert!(began.elapsed() < PATIENCE);
            self.note(running.id());
            thread::sleep(Duration::from_millis(5));
        }
        running.wait()
    }
}

/// ATT-26: what was stopped is not gone on with as something else; what differs is named, and so
/// are both ways out.
fn goes_on_with_nothing_else(scene: &Scene) {
    let file = |path: &str| scene.dir.join(path);
    fs::create_dir(file("other")).unwrap();
    let (shorter, report) = (format!("other/{FILE}"), "other/report.json");
    fs::write(file(&shorter), "a few words").unwrap();
    fs::write(
        file(report),
        r#"{"reference":"A-2","created":"2026-07-01T12:00:00Z","description":"made up"}"#,
    )
    .unwrap();
    let refused = |words: &[&str], why: &str| {
        let message = ["--message", &scene.message, "--from", SENDER];
        let ended = scene.frex.run(&[&["send"], words, &message].concat());
        let code = Some(WireCode::BadInput as u64);
        assert_eq!((ended.exit, ended.code()), (Some(2), code), "{ended:?}");
        let staged = format!("rm -r {SENDER}/member/sent/{}", scene.message);
        for text in [why, "without --message", &staged] {
            assert!(ended.err.contains(text), "{text}: {ended:?}");
        }
    };
    let to = ["--to", RECEIVER];
    refused(&[&[REPORT], &to[..]].concat(), "is missing");
    let attach = ["--attach", &shorter];
    refused(&[&[REPORT], &to[..], &attach].concat(), "has 11 bytes now");
    let attach = ["--attach", FILE, "--attach", REPORT];
    refused(&[&[REPORT], &to[..], &attach].concat(), "was not with it");
    let attach = ["--attach", FILE];
    refused(&[&[report], &to[..], &attach].concat(), "the report");
    let both = ["--to", RECEIVER, HOTLINE];
    refused(&[&[REPORT], &both[..], &attach].concat(), "it was for");
    flip_a_byte(&file(FILE));
    let changed = "is not what it was when it was sealed";
    refused(&[&[REPORT], &to[..], &attach].concat(), changed);
    flip_a_byte(&file(FILE));
}

fn flip_a_byte(path: &Path) {
    let file = fs::File::options().read(true).write(true).open(path);
    let (file, mut byte) = (file.unwrap(), [0]);
    file.read_exact_at(&mut byte, 1_000_000).unwrap();
    file.write_all_at(&[!byte[0]], 1_000_000).unwrap();
}

/// Sends the file, while the client, then either node is killed in the middle.
fn send(scene: &mut Scene, home: &mut NodeProcess, away: &mut NodeProcess) {
    let sending = scene.begin_send();
    wait_until("a first upload", || scene.is_coming(SENDER));
    drop(sending);
    assert!(
        scene.is_coming(SENDER),
        "the client was killed in the middle"
    );
    scene.message = scene.staged();
    goes_on_with_nothing_else(scene);
    let sending = scene.begin_send();
    // The file is compared first.
    thread::sleep(Duration::from_millis(400));
    scene.restart(home, SENDER);
    wait_until("a transfer between nodes", || scene.is_coming(RECEIVER));
    scene.interrupt(away, RECEIVER);
    thread::sleep(Duration::from_millis(50));
    scene.restart(home, SENDER);
    let sent = scene.finish(sending);
    assert_eq!(sent.exit, Some(0), "{sent:?}");
    assert_eq!(sent.json()["recipients"][0]["state"], "accepted");
    let staged = scene
        .dir
        .join(SENDER)
        .join("member/sent")
        .join(&scene.message);
    assert!(!staged.exists(), "nothing sealed is left behind");
}

/// Fetches it, while the client, then the node is killed in the middle.
fn fetch(scene: &mut Scene, away: &mut NodeProcess) {
    let fetching = scene.begin_fetch();
    let unfinished = |scene: &Scene| {
        let parts = ending(&scene.out, "part");
        parts
            .iter()
            .any(|part| fs::metadata(part).is_ok_and(|about| about.len() > 0))
    };
    wait_until("a first fetch", || unfinished(scene));
    drop(fetching);
    assert!(unfinished(scene), "the client was killed in the middle");
    let fetching = scene.begin_fetch();
    thread::sleep(Duration::from_millis(50));
    scene.restart(away, RECEIVER);
    let fetched = scene.finish(fetching);
    assert_eq!(fetched.exit, Some(0), "{fetched:?}");
}

// ATT-8, ATT-12, ATT-15, ATT-16, ATT-18, ATT-22, ATT-23, ATT-25, ATT-26: kill -9 of each program in the middle of the
// transfer costs nothing but time, and none of them holds the file in memory.
#[test]
fn a_file_arrives_though_every_program_is_killed_on_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::env::var("FREX_ATTACHMENT_BYTES");
    let bytes = bytes.map_or(BYTES, |bytes| bytes.parse().unwrap());
    let frex = federation(dir.path());
    let hash_before = write_file(&dir.path().join(FILE), bytes);
    let mut scene = Scene {
        frex,
        dir: dir.path().to_owned(),
        out: dir.path().join("out"),
        peak_bytes: 0,
        message: String::new(),
    };
    let mut home = scene.frex.start(SENDER);
    let mut away = scene.frex.start(RECEIVER);
    let began = Instant::now();

    send(&mut scene, &mut home, &mut away);
    let inbox = scene.frex.done(&["inbox", RECEIVER]);
    let kept = ending(&scene.dir.join(RECEIVER).join("member/inbox"), "envelope");
    let mode = fs::metadata(&kept[0]).unwrap().permissions().mode();
    assert_eq!((kept.len(), mode & 0o777), (1, 0o600));
    let file = &inbox["items"][0]["attachments"][0];
    assert_eq!(file["name"], FILE);
    assert_eq!(file["bytes"], bytes);
    assert_eq!(file["sha256"], hash_before.as_str());
    assert_eq!(file["state"], "at the node", "nothing is fetched unasked");
    fetch(&mut scene, &mut away);
    let target = scene.out.join(FILE);
    assert_eq!(hash(&target), hash_before);
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(ending(&scene.out, "part"), [""; 0].map(PathBuf::from));

    scene.note(home.pid());
    scene.note(away.pid());
    let (peak, seconds) = (scene.peak_bytes, began.elapsed().as_secs());
    println!("{bytes} bytes in {seconds} s, at most {peak} bytes of memory in any program");
    assert!(peak < MEMORY_BYTES_MAX, "{peak} bytes of memory");
    let inode = fs::metadata(&target).unwrap().ino();
    let again = scene.finish(scene.begin_fetch());
    assert_eq!(
        again.exit,
        Some(0),
        "what is there is not fetched again: {again:?}"
    );
    assert_eq!(fs::metadata(&target).unwrap().ino(), inode);
    assert_eq!(hash(&target), hash_before);
    fs::write(&target, "somebody's own").unwrap();
    let again = scene.finish(scene.begin_fetch());
    let there = WireCode::AlreadyExists;
    assert_eq!(again.code(), Some(there as u64), "no file is replaced");
    assert_eq!(fs::read(&target).unwrap(), b"somebody's own");
    let listed = scene
        .frex
        .done(&["attachment", "ls", &scene.message, RECEIVER]);
    assert_eq!(listed["attachments"][0]["state"], "fetched");
    assert_eq!((home.stop(), away.stop()), (Some(0), Some(0)));
    let checked = scene.frex.done(&["fsck", RECEIVER]);
    assert_eq!(checked["attachments"]["whole"], 1);
}

// ATT-17: who is not listed as taking attachments is sent none, and the rest of the message neither.
#[test]
fn a_member_that_takes_no_attachments_is_sent_none() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    write_file(&dir.path().join(FILE), 10);
    let _home = frex.start(SENDER);
    let send = |to: &[&str]| -> Ended {
        let command = ["send", REPORT, "--attach", FILE, "--from", SENDER, "--to"];
        frex.run(&[&command[..], to].concat())
    };
    let refused = Some(WireCode::AttachmentsRefused as u64);
    for to in [&[HOTLINE][..], &[RECEIVER, HOTLINE]] {
        let ended = send(to);
        assert_eq!((ended.exit, ended.code()), (Some(22), refused), "{ended:?}");
    }
    // ATT-29: nor is a file in the place of the content, whatever it is called.
    fs::write(
        dir.path().join("words.xml"),
        b"PK\x03\x04 an archive of nothing",
    )
    .unwrap();
    let whole = ["send", "words.xml", "--content-type", "application/xml"];
    let ended = frex.run(&[&whole[..], &["--from", SENDER, "--to", HOTLINE]].concat());
    assert_eq!((ended.exit, ended.code()), (Some(22), refused), "{ended:?}");
    let attachments = dir.path().join(SENDER).join("node/attachments");
    assert_eq!(fs::read_dir(attachments).unwrap().count(), 0);
    let status: Value = frex.done(&["status", SENDER]);
    assert!(!status.to_string().contains(FILE));
}

// ATT-25: of what cannot be attached, and of what the node will never take, nothing is left.
#[test]
fn what_is_refused_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let _home = frex.start(SENDER);
    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    let large = fs::File::create(dir.path().join("large")).unwrap();
    large.set_len(9 * 1024 * 1024 * 1024).unwrap();
    for name in ["first", "second"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let sent = dir.path().join(SENDER).join("member/sent");
    let send = |attach: &[&str], more: &[&str]| -> Ended {
        let command = ["send", REPORT, "--to", RECEIVER, "--wait", "0s"];
        let from = ["--from", SENDER];
        frex.run(&[&command[..], &from, attach, more].concat())
    };
    for (name, code) in [
        ("missing", WireCode::Files),
        ("folder", WireCode::BadInput),
        ("empty", WireCode::BadInput),
        ("large", WireCode::TooLarge),
    ] {
        let ended = send(&["--attach", "first", "--attach", name], &[]);
        assert_eq!(ended.code(), Some(code as u64), "{ended:?}");
        assert!(ended.err.contains(name), "{ended:?}");
        assert_eq!(staged(&sent).len(), 0, "{name}");
    }
    let began = send(&["--attach", "first"], &[]);
    assert_eq!(began.exit, Some(3), "{began:?}");
    assert_eq!(staged(&sent).len(), 0, "{began:?}");
}

/// A program that was killed while it brought the file to the home node; gives the message.
fn stopped(frex: &Frex, from: &str) -> String {
    let sent = frex.dir().join(from).join("member/sent");
    let command = ["send", REPORT, "--to", RECEIVER, "--attach", FILE];
    let sending = frex.begin(&[&command[..], &["--from", from]].concat());
    let is_sealed = || {
        staged(&sent)
            .iter()
            .any(|one| one.join("envelope").exists())
    };
    wait_until("sealing", is_sealed);
    drop(sending);
    let name = staged(&sent)[0].file_name().unwrap().to_owned();
    name.into_string().unwrap()
}

fn sent_record(frex: &Frex, from: &str, message: &str) -> Value {
    let path = frex.dir().join(from).join("member/sent");
    let path = path.join(format!("{message}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

// ATT-23, ATT-26, ATT-27, ATT-28: a program that is killed after the node has the message, before it
// has noted that, ends with the very same; given once more it sends nothing, and what is remembered
// stays what was taken. Who gives something else is told.
#[test]
fn what_was_submitted_is_neither_sealed_nor_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let (_home, _away) = (frex.start(SENDER), frex.start(RECEIVER));
    write_file(&dir.path().join(FILE), BYTES);
    let message = stopped(&frex, SENDER);
    let folder = dir.path().join(SENDER).join("member/sent").join(&message);
    let aside = dir.path().join("aside");
    copy_dir(&folder, &aside).unwrap();
    let command = ["send", REPORT, "--to", RECEIVER, "--from", SENDER];
    let attach = ["--attach", FILE, "--wait", "120s", "--message"];
    let again = |id: &str| frex.done(&[&command[..], &attach, &[id]].concat());
    let first = again(&message);
    let files = serde_json::json!([{ "name": FILE, "bytes": BYTES }]);
    assert_eq!(first["recipients"][0]["state"], "accepted", "{first}");
    assert_eq!(first["attachments"], files, "{first}");
    let known = sent_record(&frex, SENDER, &message);
    copy_dir(&aside, &folder).unwrap();
    let noted = again(&message);
    assert_eq!(noted["recipients"][0]["state"], "accepted", "{noted}");
    assert_eq!(noted["envelope"], first["envelope"]);
    assert!(!folder.exists(), "nothing sealed is left behind");
    // By the beginning of its id, too.
    for id in [&message[..], &message[..8]] {
        let over = again(id);
        assert_eq!(over["before"], true, "{over}");
        assert_eq!(over["message"], message.as_str());
        assert_eq!(over["envelope"], first["envelope"]);
        assert_eq!(over["attachments"], files);
    }
    assert_eq!(sent_record(&frex, SENDER, &message), known);
    let other = frex.run(&[&command[..], &["--message", &message]].concat());
    let code = Some(WireCode::BadInput as u64);
    assert_eq!((other.exit, other.code()), (Some(2), code), "{other:?}");
    assert!(other.err.contains("is missing"), "{other:?}");
    assert!(other.err.contains("without --message"), "{other:?}");
    let inbox = frex.done(&["inbox", RECEIVER]);
    assert_eq!(inbox["items"].as_array().map(Vec::len), Some(1));
}

// ATT-25, ATT-28: what the home node refuses for good is removed, and what it took under the same id
// stays what is remembered and recalled.
#[test]
fn an_envelope_that_is_refused_takes_the_place_of_none_that_was_taken() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    // Two folders of one member, each of which seals the message itself.
    copy_dir(&dir.path().join(SENDER), &dir.path().join("twin")).unwrap();
    let (_home, _away) = (frex.start(SENDER), frex.start(RECEIVER));
    write_file(&dir.path().join(FILE), BYTES);
    let message = stopped(&frex, SENDER);
    fs::create_dir_all(dir.path().join("twin/member/sent").join(&message)).unwrap();
    let send = |from: &str, wait: &str| {
        let command = ["send", REPORT, "--to", RECEIVER, "--attach", FILE];
        let more = ["--from", from, "--message", &message, "--wait", wait];
        frex.run(&[&command[..], &more].concat())
    };
    let taken = send("twin", "120s");
    assert_eq!(taken.exit, Some(0), "{taken:?}");
    let taken = taken.json()["envelope"].clone();
    let reused = send(SENDER, "3s");
    let code = Some(WireCode::IdReuse as u64);
    assert_eq!((reused.exit, reused.code()), (Some(22), code), "{reused:?}");
    assert!(reused.err.contains("without --message"), "{reused:?}");
    let sent = dir.path().join(SENDER).join("member/sent");
    assert_eq!(staged(&sent), [""; 0].map(PathBuf::from), "{reused:?}");
    let known = sent_record(&frex, SENDER, &message);
    assert_eq!(known["envelope"], taken, "{known}");
    assert_eq!(known["envelopes"], serde_json::json!([taken]), "{known}");
    let recall = [
        "recall",
        &message[..8],
        SENDER,
        "--reason",
        "wrong-recipient",
        "--confirm",
    ];
    let recalled = frex.done(&recall);
    assert_eq!(
        recalled["recipients"][0]["before"], "ACCEPTED",
        "{recalled}"
    );
}

// ATT-27: an id that nobody knows starts nothing; a time that has passed, nothing either.
#[test]
fn a_mistyped_id_or_a_time_that_has_passed_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let _home = frex.start(SENDER);
    let send = [
        "send", REPORT, "--to", RECEIVER, "--from", SENDER, "--wait", "0s",
    ];
    for id in ["00112233445566778899aabbccddeeff", "00112233"] {
        let ended = frex.run(&[&send[..], &["--message", id]].concat());
        let code = Some(WireCode::NotFound as u64);
        assert_eq!((ended.exit, ended.code()), (Some(1), code), "{ended:?}");
    }
    for (option, time) in [
        ("--expires", "0s"),
        ("--expires", "2020-01-01T00:00:00Z"),
        ("--reply-by", "2020-01-01T00:00:00Z"),
    ] {
        let ended = frex.run(&[&send[..], &[option, time]].concat());
        assert_eq!(ended.exit, Some(2), "{ended:?}");
        assert!(ended.err.contains("give a time in the future"), "{ended:?}");
    }
    let bulk = frex.run(&["bulk", REPORT, "--to", RECEIVER, "--expires", "0s"]);
    assert_eq!(bulk.exit, Some(2), "{bulk:?}");
    assert!(bulk.err.contains("give a time in the future"), "{bulk:?}");
    let sent = dir.path().join(SENDER).join("member/sent");
    assert_eq!(fs::read_dir(sent).map_or(0, Iterator::count), 0);
}
