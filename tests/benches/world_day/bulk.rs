//! The bulk of the reports.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use frex_client::{
    casework::model,
    client::{BulkFate, BulkNews, BulkSender, BulkSettings, Client, News},
    sent::SentStore,
};
use frex_proto::v1::Lane;
use frex_tests::{
    bench::scene::{RECEIVER, SENDER, Scene, runtime},
    reports::samples::Stream,
};
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message;

use crate::{PARTS, as_f64};

/// Longer than a batch waits on the slowest machine: one that is not accepted within it fails.
const WAIT: Duration = Duration::from_secs(120);

/// How it went.
pub struct Run {
    /// From the first report given to the last accepted.
    pub elapsed: Duration,
    /// Reports per second in each part.
    pub parts: Vec<f64>,
}

/// Files so many reports and waits until each is accepted.
pub fn run(scene: &Scene, references: &Path, seed: u64, count: usize) -> anyhow::Result<Run> {
    runtime()?.block_on(async {
        let client = scene.client(SENDER, WAIT).await?;
        let store = SentStore::open(references, scene.now_ms)?;
        let settings = BulkSettings {
            wait: WAIT,
            ..BulkSettings::default()
        };
        let (sender, news) = client.bulk(store, settings)?;
        let feeding = tokio::spawn(feed(client.clone(), sender, seed, count));
        let run = hear(news, count).await?;
        feeding.await??;
        Ok(run)
    })
}

async fn feed(client: Client, sender: BulkSender, seed: u64, count: usize) -> anyhow::Result<()> {
    for report in Stream::of(seed).take(count) {
        let draft = client.draft(&[RECEIVER]).lane(Lane::Bulk);
        let draft = draft.content(model::CONTENT_TYPE, report.encode_to_vec());
        let reference = report.reference.as_deref().unwrap_or_default();
        sender.send(reference, draft).await?;
    }
    Ok(())
}

async fn hear(mut news: BulkNews, count: usize) -> anyhow::Result<Run> {
    let bar = ProgressBar::new(u64::try_from(count)?);
    let style = "world day [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}";
    bar.set_style(ProgressStyle::with_template(style)?.progress_chars("#-"));
    let started = Instant::now();
    let (mut accepted, mut parts, mut part) = (0, Vec::new(), Instant::now());
    while accepted < count {
        let event = news.next().await.context("not every report was accepted")?;
        match event.fate {
            BulkFate::News {
                news: News::Accepted { .. },
                ..
            } => {
                accepted += 1;
                bar.inc(1);
                if accepted == count * (parts.len() + 1) / PARTS {
                    let done = count * (parts.len() + 1) / PARTS - count * parts.len() / PARTS;
                    parts.push(as_f64(done) / part.elapsed().as_secs_f64());
                    part = Instant::now();
                }
            }
            BulkFate::News {
                news: News::Submitted(_),
                ..
            }
            | BulkFate::Ended
            | BulkFate::Waiting(_) => {}
            other => anyhow::bail!("{}: {other:?}", event.reference),
        }
    }
    bar.finish_and_clear();
    let elapsed = started.elapsed();
    Ok(Run { elapsed, parts })
}
