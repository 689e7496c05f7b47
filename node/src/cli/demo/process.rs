//! The demo's processes: commands that end, nodes that run. None outlives the demo.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use frex_proto::error::WireCode;
use serde_json::Value;

use super::{PARTIES, Party, Stage};
use crate::cli::failure::{Failure, OrCode};

/// No command of the demo takes nearly as long; a machine may be busy.
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

/// What a command printed, and its exit code.
pub struct Ended {
    /// Exit code; none if it was killed.
    pub exit: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The nodes that run, in the order of the parties. Dropping kills what still runs.
pub struct Nodes {
    children: Vec<(Party, Child)>,
}

impl Stage {
    /// Runs a command and waits for its end.
    pub fn run(&self, args: &[&str]) -> Result<Ended, Failure> {
        let what = || format!("cannot run frex {}", args.join(" "));
        let mut child = self
            .command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .or_code(WireCode::Files, what())?;
        let out = child.stdout.take().map(drain);
        let err = child.stderr.take().map(drain);
        let end = wait(&mut child, DEADLINE).or_code(WireCode::Files, what())?;
        let exit = match end {
            Some(status) => status.code(),
            None => {
                // Killing fails only if it has just ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::new(
                    WireCode::TimedOut,
                    format!("frex {} did not end", args.join(" ")),
                ));
            }
        };
        let text = |reader: Option<thread::JoinHandle<String>>| {
            reader
                .and_then(|reader| reader.join().ok())
                .unwrap_or_default()
        };
        Ok(Ended {
            exit,
            out: text(out),
            err: text(err),
        })
    }

    /// Runs a command that must end with `exit` and print one JSON document.
    pub fn expect(&self, exit: i32, args: &[&str]) -> Result<Value, Failure> {
        let ended = self.run(&[args, &["--json"]].concat())?;
        let document = serde_json::from_str(&ended.out);
        match (ended.exit, document) {
            (Some(found), Ok(document)) if found == exit => Ok(document),
            (found, _) => {
                let code = found.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
                let what = format!(
                    "frex {} ended with {code} where {exit} was due",
                    args.join(" ")
                );
                Err(Failure::new(WireCode::Unknown, what).cause(ended.err.trim().to_owned()))
            }
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.dir)
            .args(args)
            .env("NO_COLOR", "1");
        for name in ["FREX_DIR", "FREX_LOG", "FREX_LOG_FORMAT"] {
            command.env_remove(name);
        }
        command
    }
}

impl Nodes {
    /// Starts every node and waits until all are ready.
    pub fn start(stage: &mut Stage, ports: &[u16]) -> Result<Self, Failure> {
        let mut nodes = Self {
            children: Vec::new(),
        };
        let mut lines = Vec::new();
        for party in PARTIES {
            let dir = Stage::member_dir(&party);
            let path = stage.dir.join(&dir).join("node.log");
            let log = File::create(&path).map_err(|error| Failure::file("write", &path, &error))?;
            let mut child = stage
                .command(&["run", "--stop-with-stdin", "--json", "--log", "warn", &dir])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()
                .or_code(
                    WireCode::Files,
                    format_args!("cannot start the node of {}", party.id),
                )?;
            lines.push(child.stdout.take().map(first_line));
            nodes.children.push((party, child));
        }
        for ((party, _), line) in nodes.children.iter().zip(lines) {
            let line = line
                .and_then(|line| line.recv_timeout(DEADLINE).ok())
                .unwrap_or_default();
            let ready: Value = serde_json::from_str(&line).unwrap_or_default();
            if ready["ready"] != true {
                let log = stage.dir.join(Stage::member_dir(party)).join("node.log");
                let log = std::fs::read_to_string(log).unwrap_or_default();
                return Err(Failure::new(
                    WireCode::Unreachable,
                    format!("the node of {} did not get ready", party.id),
                )
                .cause(log.trim().to_owned()));
            }
        }
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        stage.done(
            "start",
            &format!(
                "4 nodes run as processes of their own, on udp {} of 127.0.0.1",
                ports.join(", ")
            ),
        );
        Ok(nodes)
    }

    /// Tells every node to stop, then waits for all.
    pub fn stop(mut self) -> Result<(), Failure> {
        for (_, child) in &mut self.children {
            drop(child.stdin.take());
        }
        for (party, child) in &mut self.children {
            let end = wait(child, DEADLINE).or_code(WireCode::Files, "cannot wait for a node")?;
            if end.and_then(|status| status.code()) != Some(0) {
                let what = format!("the node of {} did not stop in order", party.id);
                return Err(Failure::new(WireCode::Unknown, what).cause(format!("{end:?}")));
            }
        }
        Ok(())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            // After an orderly stop there is nothing left to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn wait(
    child: &mut Child,
    deadline: Duration,
) -> std::io::Result<Option<std::process::ExitStatus>> {
    let started = Instant::now();
    loop {
        let ended = child.try_wait()?;
        if ended.is_some() || started.elapsed() > deadline {
            return Ok(ended);
        }
        thread::sleep(POLL);
    }
}

/// Reads to the end on a thread of its own, so that a full pipe never holds up the command.
fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn first_line(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let mut reader = BufReader::new(pipe);
        if reader.read_line(&mut line).is_ok() {
            // The demo may have given up.
            let _ = sender.send(line);
        }
    });
    receiver
}
