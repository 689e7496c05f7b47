//! What completes in a window of time, with its latencies and what the kernel says of the processes.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use frex_tests::bench::roles::{cpu_time, rss_mib};

use crate::case::{Case, Figures};

/// Envelopes that must complete before a window closes, however long it takes to have them.
const COMPLETED_MIN: u64 = 8;
/// How long the slowest case is waited for before the benchmark fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts what completes while the case's window is open.
pub struct Meter {
    open: AtomicBool,
    completed: AtomicU64,
    latencies_us: Mutex<Vec<u32>>,
}

impl Meter {
    /// Nothing counts yet.
    pub fn new() -> Self {
        Self {
            open: AtomicBool::new(false),
            completed: AtomicU64::new(0),
            latencies_us: Mutex::new(Vec::with_capacity(1 << 20)),
        }
    }

    /// Notes envelopes that completed at one moment, by when their sealing began.
    pub fn complete(&self, starts: impl Iterator<Item = Instant>) {
        let now = Instant::now();
        let mut latencies = self.latencies_us.lock().expect("no thread panics with it");
        let mut added = 0;
        for start in starts {
            added += 1;
            if self.open.load(Ordering::Relaxed) {
                let taken = now.duration_since(start).as_micros();
                latencies.push(u32::try_from(taken).unwrap_or(u32::MAX));
            }
        }
        self.completed.fetch_add(added, Ordering::Relaxed);
    }

    /// Waits for the warm-up, opens the window, closes it, and reckons. Sender and receiver are
    /// processes of this machine.
    pub fn run(&self, case: &Case, sender: u32, receiver: u32) -> anyhow::Result<Figures> {
        thread::sleep(case.warm_up);
        // In a large case everything in flight takes longer than a short warm-up to go round once.
        self.wait_for(case.concurrency as u64)?;
        let cpu_before = (cpu_time(sender)?, cpu_time(receiver)?);
        let before = self.completed.load(Ordering::Relaxed);
        let start = Instant::now();
        self.open.store(true, Ordering::Relaxed);
        thread::sleep(case.measured);
        self.wait_for(before + COMPLETED_MIN)?;
        self.open.store(false, Ordering::Relaxed);
        let elapsed = start.elapsed();
        let cpu_after = (cpu_time(sender)?, cpu_time(receiver)?);
        let completed = count(self.completed.load(Ordering::Relaxed) - before);
        let mut latencies = self.latencies_us.lock().expect("no thread panics with it");
        anyhow::ensure!(!latencies.is_empty(), "nothing completed within the window");
        latencies.sort_unstable();
        let at = |per_mille: usize| {
            let place = (latencies.len() * per_mille / 1000).min(latencies.len() - 1);
            f64::from(latencies[place]) / 1000.0
        };
        let per_envelope = |before: Duration, after: Duration| {
            after.saturating_sub(before).as_secs_f64() * 1e6 / completed
        };
        Ok(Figures {
            envelopes_per_s: completed / elapsed.as_secs_f64(),
            cpu_us_sender: per_envelope(cpu_before.0, cpu_after.0),
            cpu_us_receiver: per_envelope(cpu_before.1, cpu_after.1),
            p50_ms: at(500),
            p99_ms: at(990),
            rss_mib_sender: rss_mib(sender)?,
            rss_mib_receiver: rss_mib(receiver)?,
        })
    }

    /// Waits until so many envelopes have completed since the start.
    fn wait_for(&self, completed: u64) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.completed.load(Ordering::Relaxed) < completed {
            anyhow::ensure!(
                Instant::now() < until,
                "fewer than {completed} envelopes completed in {} s",
                PATIENCE.as_secs()
            );
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn count(number: u64) -> f64 {
    // A window of seconds never completes more than 2^32 envelopes.
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
