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

/// Runs `frex` in `dir` with colour and environment settings of the outside taken away.
pub fn frex(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("the program starts")
}

pub fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frex"));
    command
        .current_dir(dir)
        .args(args)
        .env_remove("FREX_DIR")
        .env_remove("FREX_LOG");
    command.env_remove("FREX_LOG_FORMAT").env("NO_COLOR", "1");
    command
}

pub fn ok(dir: &Path, args: &[&str]) -> String {
    let output = frex(dir, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails with `exit` and names `code`; says what happened, why, and what to do. Gives the text.
pub fn refused(output: &Output, exit: i32, code: &str) -> String {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(exit), "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("INFO")).collect();
    assert!(
        lines[0].starts_with("error: ") && lines[0].contains(code),
        "{text}"
    );
    assert!(lines[1].starts_with("cause: "), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("try:   ")),
        "{text}"
    );
    text
}

/// A federation of one member with its node on `port`, roster made and installed.
pub struct World {
    dir: TempDir,
}

impl World {
    pub fn new(port: u16) -> Self {
        let world = Self {
            dir: tempfile::tempdir().expect("a folder"),
        };
        ok(
            world.path(),
            &["federation", "init", "--name", "test", "gov"],
        );
        ok(
            world.path(),
            &init("fr", "hotline.fr", port)
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        world.make_roster("roster.frex", &[]);
        ok(
            world.path(),
            &[
                "roster",
                "install",
                "roster.frex",
                "--root",
                "gov/root.frex",
                "fr",
            ],
        );
        world
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn make_roster(&self, out: &str, more: &[&str]) {
        let args = [
            "roster",
            "make",
            "--root",
            "gov/root.frex",
            "--key",
            "gov/holder-1/roster.key",
        ];
        let rest = [
            "--key",
            "gov/holder-3/roster.key",
            "--out",
            out,
            "fr/hotline.fr.card",
        ];
        ok(self.path(), &[&args[..], &rest, more].concat());
    }

    /// Starts the node and waits until it says that it is ready.
    pub fn start(&self) -> Running {
        let mut child = command(self.path(), &["run", "--stop-with-stdin", "--json", "fr"])
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
            (ready["v"].as_u64(), ready["ready"].as_bool()),
            (Some(1), Some(true)),
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

pub fn init(dir: &str, member: &str, port: u16) -> Vec<String> {
    let listen = format!("127.0.0.1:{port}");
    [
        "init",
        "--member",
        member,
        "--name",
        "Hotline",
        "--country",
        "FR",
        "--role",
        "hotline",
    ]
    .into_iter()
    .chain(["--federation", "test", "--listen", &listen, dir])
    .map(str::to_owned)
    .collect()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
