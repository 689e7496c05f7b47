//! Urgent reports, one every now and then, and how long each takes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context;
use frex_client::{
    casework::{model, v1},
    client::{Client, News},
};
use frex_proto::v1::Lane;
use frex_tests::{
    bench::scene::{RECEIVER, SENDER, Scene, runtime},
    reports::samples::Stream,
};
use prost::Message;

/// How long the idle exchange is looked at.
pub const IDLE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);
const WAIT: Duration = Duration::from_secs(60);

/// Files urgent reports until it is ended.
pub struct Probe {
    over: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Vec<Duration>>>,
}

/// From the start of sealing to the verified ACCEPTED receipt.
pub struct Figures {
    /// How many.
    pub count: usize,
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Probe {
    /// Begins, on a thread and a connection of its own.
    pub fn start(scene: Scene, seed: u64) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        let thread = thread::spawn(move || {
            runtime()?.block_on(async {
                let client = scene.client(SENDER, WAIT).await?;
                let mut taken = Vec::new();
                for report in Stream::of(seed) {
                    if seen.load(Ordering::Relaxed) {
                        break;
                    }
                    taken.push(file(&client, &report).await?);
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(taken)
            })
        });
        Self { over, thread }
    }

    /// Ends, and reckons.
    pub fn end(self) -> anyhow::Result<Figures> {
        self.over.store(true, Ordering::Relaxed);
        let taken = self.thread.join();
        let mut taken = taken.ok().context("the urgent reports failed")??;
        anyhow::ensure!(!taken.is_empty(), "no urgent report was accepted");
        taken.sort_unstable();
        let at = |per_mille: usize| {
            let place = (taken.len() * per_mille / 1000).min(taken.len() - 1);
            taken[place].as_secs_f64() * 1000.0
        };
        Ok(Figures {
            count: taken.len(),
            p50_ms: at(500),
            p99_ms: at(990),
            max_ms: at(1000),
        })
    }
}

async fn file(client: &Client, report: &v1::Report) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let draft = client.draft(&[RECEIVER]).lane(Lane::Urgent);
    let draft = draft.content(model::CONTENT_TYPE, report.encode_to_vec());
    let envelope = client.seal(&client.finish(draft)?)?;
    let mut submission = client.submit(vec![envelope], WAIT).await?;
    while let Some(event) = submission.next().await {
        match event.news {
            News::Accepted { .. } => return Ok(started.elapsed()),
            News::Submitted(_) => {}
            other => anyhow::bail!("an urgent report was not accepted: {other:?}"),
        }
    }
    anyhow::bail!("an urgent report was not accepted in time")
}
