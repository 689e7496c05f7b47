//! Processes of a benchmark: this same executable in another role, and what the kernel says of them.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::Context;

/// Processor time that the living threads of a process have used. Threads that ended before are
/// not in it: measure where none ends.
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let first = text.split_whitespace().next().context("empty schedstat")?;
        nanos += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Resident memory of a process in MiB.
///
/// # Errors
/// There is no such process.
pub fn rss_mib(pid: u32) -> anyhow::Result<f64> {
    let kib = status_kib(&pid.to_string(), "VmRSS:")?;
    Ok(f64::from(kib) / 1024.0)
}

/// The most memory that this process ever had, in MiB.
///
/// # Errors
/// The system does not tell.
pub fn peak_mib() -> anyhow::Result<u32> {
    Ok(status_kib("self", "VmHWM:")? / 1024)
}

fn status_kib(process: &str, field: &str) -> anyhow::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(field));
    let word = line.and_then(|line| line.split_whitespace().next());
    Ok(word.context("the system tells its memory")?.parse()?)
}

/// A child process in a role of this same executable. It dies with its handle, and with its
/// parent: it watches its standard input.
pub struct Role(pub Child);

impl Role {
    /// Starts this executable again.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(role: &str, arguments: &[&str]) -> anyhow::Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .arg("--role")
            .arg(role)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the role {role}"))?;
        Ok(Self(child))
    }

    /// The next line that the child says.
    ///
    /// # Errors
    /// It has ended.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let output = self.0.stdout.as_mut().context("no standard output")?;
        let mut line = String::new();
        BufReader::with_capacity(1, output).read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "a child process ended without a word");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ends this child process when its parent closes the pipe, by a crash too, and when any of its
/// threads panics: the others would wait for it forever.
pub fn end_with_parent() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(101);
    }));
    thread::spawn(|| {
        let mut nothing = String::new();
        while std::io::stdin()
            .read_line(&mut nothing)
            .is_ok_and(|read| read > 0)
        {}
        std::process::exit(0);
    });
}
