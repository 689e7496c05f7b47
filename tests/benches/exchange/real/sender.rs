//! The sending process: node, client, sealing threads, window.

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use frex_client::{
    client::{Client, DraftBuilder, News},
    environment::{Environment, Random},
};
use frex_proto::{
    envelope::{self, Draft, SharedContexts, SignedEnvelope},
    keys::SigningKey,
    roster::Roster,
};
use frex_tests::bench::{
    roles,
    scene::{RECEIVER, SENDER, Scene, runtime},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    case::{Case, Mode},
    measure::Meter,
};

const SEALING_THREADS: usize = 2;
/// Longer than any case: a receipt that does not come within it fails the benchmark.
const WAIT: Duration = Duration::from_secs(60);

/// Envelopes sealed together, since when, and their places in the window.
struct Batch {
    start: Instant,
    envelopes: Vec<SignedEnvelope>,
    places: OwnedSemaphorePermit,
}

/// Sends for the case's time, prints its figures and ends.
pub fn main(case: &Case, scene: &str, directory: &Path, receiver: u32) -> anyhow::Result<()> {
    roles::end_with_parent();
    let scene = Scene::from_argument(scene)?;
    let meter = Arc::new(Meter::new());
    scene.start_beside(SENDER, directory)?;
    let measured = (*case, meter.clone());
    thread::spawn(move || {
        let (case, meter) = measured;
        match meter.run(&case, std::process::id(), receiver) {
            Ok(figures) => println!("{}", figures.to_line()),
            Err(error) => eprintln!("{error:#}"),
        }
        std::process::exit(0);
    });
    runtime()?.block_on(exchange(case, &scene, &meter))
}

async fn exchange(case: &Case, scene: &Scene, meter: &Arc<Meter>) -> anyhow::Result<()> {
    let client = scene.client(SENDER, WAIT).await?;
    let window = Arc::new(Semaphore::new(case.concurrency));
    if case.concurrency == 1 {
        let mut sealer = Sealer::new(case, scene);
        loop {
            let places = window.clone().acquire_owned().await?;
            settle(&client, meter, sealer.seal(1, places)?).await?;
        }
    }
    let (sealed, mut batches) = mpsc::channel(SEALING_THREADS);
    for _ in 0..SEALING_THREADS {
        let (case, scene, window, sealed) = (*case, *scene, window.clone(), sealed.clone());
        thread::spawn(move || seal_all(&case, &scene, &window, &sealed));
    }
    while let Some(batch) = batches.recv().await {
        let (client, meter) = (client.clone(), meter.clone());
        tokio::spawn(async move {
            settle(&client, &meter, batch)
                .await
                .expect("both nodes are honest and up");
        });
    }
    Ok(())
}

/// Submits a batch and waits for every ACCEPTED receipt.
async fn settle(client: &Client, meter: &Meter, batch: Batch) -> anyhow::Result<()> {
    let Batch {
        start,
        envelopes,
        mut places,
    } = batch;
    let mut open = envelopes.len();
    let mut submission = client.submit(envelopes, WAIT).await?;
    while open > 0 {
        let event = submission
            .next()
            .await
            .context("the submission ended early")?;
        match event.news {
            News::Submitted(_) => {}
            News::Accepted { .. } => {
                meter.complete(std::iter::once(start));
                drop(places.split(1));
                open -= 1;
            }
            other => anyhow::bail!("not accepted: {other:?}"),
        }
    }
    Ok(())
}

fn seal_all(case: &Case, scene: &Scene, window: &Arc<Semaphore>, sealed: &mpsc::Sender<Batch>) {
    let mut sealer = Sealer::new(case, scene);
    let runtime = runtime().expect("the system gives a runtime");
    loop {
        let Ok(mut places) = runtime.block_on(window.clone().acquire_owned()) else {
            return;
        };
        while places.num_permits() < case.batch_max() {
            let Ok(more) = window.clone().try_acquire_owned() else {
                break;
            };
            places.merge(more);
        }
        let batch = sealer
            .seal(places.num_permits(), places)
            .expect("a listed key seals");
        if sealed.blocking_send(batch).is_err() {
            return;
        }
    }
}

struct Sealer {
    mode: Mode,
    roster: Roster,
    environment: Environment,
    identity: SigningKey,
    content: Vec<u8>,
}

impl Sealer {
    fn new(case: &Case, scene: &Scene) -> Self {
        let federation = scene.federation();
        Self {
            mode: case.mode,
            roster: federation.roster(scene.now_ms),
            environment: Environment {
                random: Random::System,
                ..Environment::default()
            },
            identity: federation.member(SENDER).identity.clone(),
            content: (0_u8..251).cycle().take(case.size).collect(),
        }
    }

    fn seal(&mut self, count: usize, places: OwnedSemaphorePermit) -> anyhow::Result<Batch> {
        let start = Instant::now();
        let mut rng = self.environment.random.rng();
        let mut contexts = SharedContexts::new();
        let mut sealed = Vec::with_capacity(count);
        for _ in 0..count {
            let draft: Draft =
                DraftBuilder::new(&self.roster, SENDER, &[RECEIVER], &self.environment)
                    .content("application/octet-stream", self.content.clone())
                    .build(&self.roster)?;
            sealed.push(match self.mode {
                Mode::Single | Mode::Batch => envelope::seal(&draft, &mut rng)?,
                Mode::Shared => envelope::seal_shared(&draft, &mut contexts, &mut rng)?,
            });
        }
        let envelopes = match self.mode {
            Mode::Single => sealed
                .into_iter()
                .map(|one| envelope::sign_one(one, &self.identity).expect("a key in memory signs"))
                .collect(),
            Mode::Batch | Mode::Shared => {
                envelope::sign_many(sealed, &self.identity).expect("a key in memory signs")
            }
        };
        Ok(Batch {
            start,
            envelopes,
            places,
        })
    }
}
