//! The `frex` command as real processes: commands that end, nodes that run and are killed.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// No node takes nearly as long to get ready or to stop; a machine may be busy.
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);
/// Where a federation's files lie below its folder.
const ROOT: &str = "governance/root.frex";
const ROSTER: &str = "roster.frex";

/// The program, run in one folder.
#[derive(Debug, Clone)]
pub struct Frex {
    program: PathBuf,
    dir: PathBuf,
    variables: Vec<(&'static str, PathBuf)>,
}

/// What a command said.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; none if a signal ended it.
    pub exit: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        Self {
            exit: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one JSON document on standard output.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The number of the code that the error on standard error names, as `--json` writes it.
    #[must_use]
    pub fn code(&self) -> Option<u64> {
        let report: Value = serde_json::from_str(self.err.lines().last()?).ok()?;
        report["error"]["code"].as_u64()
    }
}

/// A command that goes on while others run.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Its process id.
    ///
    /// # Panics
    /// If it was waited for before.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it is still waited for").id()
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_none_or(|child| matches!(child.try_wait(), Ok(Some(_))))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If its output cannot be read, or it was waited for before.
    pub fn wait(&mut self) -> Ended {
        let child = self.child.take().expect("it is waited for once");
        Ended::of(&child.wait_with_output().expect("the program ends"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // After an orderly end there is nothing left to kill.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Frex {
    /// The program at `program`, started in `dir`.
    #[must_use]
    pub fn new(program: &str, dir: &Path) -> Self {
        Self {
            program: program.into(),
            dir: dir.to_owned(),
            variables: Vec::new(),
        }
    }

    /// The same, with a variable in its environment that names a file.
    #[must_use]
    pub fn with(mut self, variable: &'static str, file: PathBuf) -> Self {
        self.variables.push((variable, file));
        self
    }

    /// Where it runs.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs a command to its end, with `--json`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, "")
    }

    /// As [`run`](Self::run), with this text on standard input.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn run_with(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads nothing may have ended before.
            let _ = stdin.write_all(input.as_bytes());
        }
        Ended::of(&child.wait_with_output().expect("the program ends"))
    }

    /// Starts a command that takes its time, with `--json`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn begin(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = Some(command.spawn().expect("the program starts"));
        Running { child }
    }

    /// Runs a command that must succeed; gives its document.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn done(&self, args: &[&str]) -> Value {
        let ended = self.run(args);
        assert_eq!(ended.exit, Some(0), "frex {}: {ended:?}", args.join(" "));
        ended.json()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.dir).args(args).arg("--json");
        command.env("NO_COLOR", "1");
        for name in ["FREX_DIR", "FREX_LOG", "FREX_LOG_FORMAT"] {
            command.env_remove(name);
        }
        let variables = self.variables.iter();
        command.envs(variables.map(|(name, file)| (name, file)));
        command
    }

    /// Writes `report.json`, a report of nothing in particular.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn report(&self) {
        let report =
            r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;
        fs::write(self.dir().join("report.json"), report).expect("a folder of the test");
    }

    /// Makes the federation `example` of members that each run a node, with folders named after
    /// them. `settings` replaces lines of every node's settings file.
    ///
    /// # Panics
    /// If a step fails.
    pub fn federation(&self, members: &[&str], settings: &[(&str, &str)]) {
        let hotlines: Vec<_> = members.iter().map(|id| (*id, "hotline", "FR")).collect();
        self.federation_of(&hotlines, settings);
    }

    /// As [`federation`](Self::federation), of members with their roles and countries.
    ///
    /// # Panics
    /// If a step fails.
    pub fn federation_of(&self, members: &[(&str, &str, &str)], settings: &[(&str, &str)]) {
        let _ = self.done(&[
            "federation",
            "init",
            "--name",
            "example",
            "--keys",
            "1",
            "--threshold",
            "1",
            "governance",
        ]);
        let cards: Vec<String> = members
            .iter()
            .zip(free_addresses(members.len()))
            .map(|(member, address)| self.member(*member, address, settings))
            .collect();
        let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
        self.roster(ROSTER, &cards);
        for (member, ..) in members {
            let _ = self.done(&["roster", "install", ROSTER, "--root", ROOT, member]);
        }
    }

    /// Makes a roster under the governance of [`federation`](Self::federation): proposed with
    /// these arguments, signed, put together.
    ///
    /// # Panics
    /// If a step fails.
    pub fn roster(&self, out: &str, arguments: &[&str]) {
        self.agree(out, &[], arguments);
    }

    /// Makes the roster that follows the one in the file `previous`, as [`roster`](Self::roster).
    ///
    /// # Panics
    /// If a step fails.
    pub fn next_roster(&self, out: &str, previous: &str, arguments: &[&str]) {
        self.agree(out, &["--previous", previous], arguments);
    }

    fn agree(&self, out: &str, previous: &[&str], arguments: &[&str]) {
        let (proposal, signature) = (format!("{out}.proposal"), format!("{out}.sig"));
        let trust = [&["--root", ROOT], previous].concat();
        let propose = ["roster", "propose", "--out", &proposal];
        let _ = self.done(&[&propose[..], &trust, arguments].concat());
        let key = "governance/holder-1/roster.key";
        // Tests make forks on purpose.
        let sign = [
            "roster",
            "sign",
            &proposal,
            "--key",
            key,
            "--out",
            &signature,
            "--instead",
        ];
        let _ = self.done(&[&sign[..], &trust].concat());
        let combine = ["roster", "combine", &proposal, &signature, "--out", out];
        let _ = self.done(&[&combine[..], &trust].concat());
    }

    fn member(
        &self,
        (id, role, country): (&str, &str, &str),
        address: SocketAddr,
        settings: &[(&str, &str)],
    ) -> String {
        let listen = address.to_string();
        let made = self.done(&[
            "init",
            "--member",
            id,
            "--name",
            id,
            "--country",
            country,
            "--role",
            role,
            "--federation",
            "example",
            "--listen",
            &listen,
            id,
        ]);
        let path = self.dir.join(id).join("node/frex.toml");
        let mut text = fs::read_to_string(&path).expect("the settings were just written");
        for (key, value) in settings {
            text.push_str(&format!("{key} = {value}\n"));
        }
        fs::write(&path, text).expect("the settings are ours");
        made["card"].as_str().expect("a card was made").to_owned()
    }

    /// Starts the node in `dir`, without waiting for it. Its log goes to `<dir>.log`.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn node(&self, dir: &str) -> NodeProcess {
        self.node_with(dir, &[])
    }

    /// As [`node`](Self::node), with more arguments.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn node_with(&self, dir: &str, more: &[&str]) -> NodeProcess {
        let log = format!("{dir}.log");
        let run = ["run", "--stop-with-stdin", "--log", "warn", dir];
        self.spawn(&[&run[..], more].concat(), &log)
    }

    /// As [`node`](Self::node), and waits until it is ready.
    ///
    /// # Panics
    /// If the node does not get ready.
    #[must_use]
    pub fn start(&self, dir: &str) -> NodeProcess {
        let mut node = self.node(dir);
        node.ready().expect("the node gets ready");
        node
    }

    /// Starts `frex invite` with these arguments, without waiting for it. It is ready when it has
    /// printed the invitation. What it says of visitors goes to the file `log`.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn invite(&self, args: &[&str], log: &str) -> NodeProcess {
        self.spawn(&[&["invite", "--stop-with-stdin"], args].concat(), log)
    }

    fn spawn(&self, args: &[&str], log: &str) -> NodeProcess {
        let log = self.dir.join(log);
        let stderr = File::create(&log).expect("the folder is ours");
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("the output is piped");
        let (sender, first_line) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            if BufReader::new(stdout).read_line(&mut line).is_ok() {
                // Whoever waits may have killed the node meanwhile.
                let _ = sender.send(line);
            }
        });
        NodeProcess {
            child,
            first_line,
            ready: None,
            log,
        }
    }
}

/// A node, or another command that stays, that runs. Dropping kills it.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    first_line: mpsc::Receiver<String>,
    ready: Option<Value>,
    log: PathBuf,
}

impl NodeProcess {
    /// Waits until the node is ready; gives the line that says so.
    ///
    /// # Errors
    /// The exit code and the log of a node that ended instead.
    ///
    /// # Panics
    /// If it does neither in time.
    pub fn ready(&mut self) -> Result<Value, (Option<i32>, String)> {
        if self.ready.is_none() {
            let line = self.first_line.recv_timeout(DEADLINE).unwrap_or_default();
            self.ready = serde_json::from_str(&line).ok();
        }
        if let Some(ready) = &self.ready {
            return Ok(ready.clone());
        }
        let exit = self.wait();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Err((exit, log))
    }

    /// Its number, as the operating system counts.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut of the process does: SIGKILL.
    ///
    /// # Errors
    /// The node had ended by itself: its exit code and its log.
    pub fn kill(&mut self) -> Result<(), (Option<i32>, String)> {
        if let Ok(Some(status)) = self.child.try_wait() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            return Err((status.code(), log));
        }
        // It may end by itself in this very moment, which the wait shows.
        let _ = self.child.kill();
        let _ = self.child.wait();
        Ok(())
    }

    /// Tells it to stop and waits for its end; gives its exit code.
    #[must_use]
    pub fn stop(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Waits until it ends by itself; gives its exit code and its log.
    #[must_use]
    pub fn ended(mut self) -> (Option<i32>, String) {
        let exit = self.wait();
        (exit, fs::read_to_string(&self.log).unwrap_or_default())
    }

    fn wait(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.code(),
                Ok(None) if started.elapsed() < DEADLINE => thread::sleep(POLL),
                _ => panic!(
                    "the node neither got ready nor ended: {}",
                    self.log.display()
                ),
            }
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        // After an orderly stop there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses that were free a moment ago, all different.
///
/// # Panics
/// If the loopback interface has no free port.
#[must_use]
pub fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let sockets: Vec<UdpSocket> = (0..count)
        .map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
        .collect();
    sockets
        .iter()
        .map(|socket| socket.local_addr().expect("a bound socket has an address"))
        .collect()
}

/// Copies a folder with everything in it.
///
/// # Errors
/// What the file system says.
pub fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
