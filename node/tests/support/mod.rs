//! Runs `frex` as a process and judges how it ended.
#![allow(dead_code)] // Each test program uses a part.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// Runs `frex` in `dir`; the words of `line` are its arguments.
pub fn frex(dir: &Path, line: &str) -> Output {
    command(dir, line).output().expect("the program starts")
}

/// The command, without what the environment outside would change. A word like `3<secret` opens
/// that file as that descriptor.
pub fn command(dir: &Path, line: &str) -> Command {
    let (opened, words): (Vec<&str>, Vec<&str>) =
        line.split_whitespace().partition(|word| word.contains('<'));
    let program = env!("CARGO_BIN_EXE_frex");
    let mut command = if opened.is_empty() {
        Command::new(program)
    } else {
        let mut shell = Command::new("sh");
        let script = format!("exec \"$0\" \"$@\" {}", opened.join(" "));
        shell.args(["-c", &script, program]);
        shell
    };
    command.current_dir(dir).args(words);
    command.env("NO_COLOR", "1");
    for name in [
        "FREX_DIR",
        "FREX_LOG",
        "FREX_LOG_FORMAT",
        "CREDENTIALS_DIRECTORY",
    ] {
        command.env_remove(name);
    }
    command
}

/// Must end with 0; gives what it printed.
pub fn ok(dir: &Path, line: &str) -> String {
    exits(dir, line, 0)
}

/// Must end with `exit`; gives what it printed.
pub fn exits(dir: &Path, line: &str, exit: i32) -> String {
    let output = frex(dir, line);
    assert_eq!(
        output.status.code(),
        Some(exit),
        "{line}: {}",
        stderr(&output)
    );
    stdout(&output)
}

/// Must end with `exit` and print one document of version 1.
pub fn json(dir: &Path, line: &str, exit: i32) -> Value {
    let text = exits(dir, &format!("{line} --json"), exit);
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(document["v"], 1, "{line}");
    document
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Must fail with `exit` and name `code`, what happened, why, and what to do. Gives the text.
pub fn refused(dir: &Path, line: &str, exit: i32, code: &str) -> String {
    let output = frex(dir, line);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(exit), "{line}: {text}");
    let said = |start: &str| text.lines().find(|line| line.starts_with(start));
    assert!(
        said("error: ").is_some_and(|line| line.contains(code)),
        "{text}"
    );
    assert!(
        said("cause: ").is_some() && said("try:   ").is_some(),
        "{text}"
    );
    text
}

/// A federation of two members, each with a node, roster made and installed.
pub struct World {
    dir: TempDir,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        ok(dir.path(), "federation init --name test gov");
        for (place, member) in [("fr", "hotline.fr"), ("es", "police.es")] {
            ok(
                dir.path(),
                &init(place, member, &format!("127.0.0.1:{}", free_port())),
            );
        }
        let world = Self { dir };
        world.make_roster("roster.frex", "");
        for place in ["fr", "es"] {
            ok(
                world.path(),
                &format!("roster install roster.frex --root gov/root.frex {place}"),
            );
        }
        world
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn make_roster(&self, out: &str, previous: &str) {
        self.propose(
            out,
            &format!("fr/hotline.fr.card es/police.es.card {previous}"),
            previous,
        );
    }

    /// Makes the roster that the options of `propose` ask for: proposed, signed by two of three,
    /// put together.
    pub fn propose(&self, out: &str, options: &str, previous: &str) {
        let root = "--root gov/root.frex";
        let proposal = format!("{out}.proposal");
        ok(
            self.path(),
            &format!("roster propose {root} --out {proposal} {options}"),
        );
        for holder in ["holder-1", "holder-3"] {
            let key = format!("--key gov/{holder}/roster.key");
            ok(
                self.path(),
                &format!("roster sign {proposal} {root} {key} {previous}"),
            );
        }
        let files = format!("{proposal} {proposal}.holder-1.sig {proposal}.holder-3.sig");
        ok(
            self.path(),
            &format!("roster combine {files} {root} {previous} --out {out}"),
        );
    }

    /// Takes away the notes of what the holders' keys signed: whoever uses other software has none.
    pub fn forget_signatures(&self) {
        for holder in ["holder-1", "holder-3"] {
            let notes = self.path().join("gov").join(holder).join("signed.json");
            fs::remove_file(notes).expect("it has signed");
        }
    }

    /// Starts the node in `place` and waits until it says that it is ready.
    pub fn start(&self, place: &str) -> Running {
        let mut child = command(
            self.path(),
            &format!("run --stop-with-stdin --json {place}"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("one document");
        assert_eq!(
            (&ready["v"], &ready["ready"]),
            (&1.into(), &true.into()),
            "{line}"
        );
        Running(child)
    }
}

/// A node's process, ended when dropped.
pub struct Running(Child);

impl Running {
    /// Closes its standard input and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        drop(self.0.stdin.take());
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone after `stop`.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command that makes a member with a node.
pub fn init(place: &str, member: &str, listen: &str) -> String {
    let what = "--name Example --country FR --role hotline --federation test";
    format!("init --member {member} {what} --listen {listen} {place}")
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
