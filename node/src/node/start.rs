//! From files and keys to a running node.

use std::{
    future::Future,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use frex_client::{
    membership::Membership,
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter},
};
use frex_proto::{error::WireCode, log::LogVerifier, roster::Peer};
use rand_core::Rng;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Execution, Node, NodeParts, StartError,
    look_back::{self, Copied},
    own_keys,
    trust::{self, DataStore},
};
use crate::{
    attachments::{Attachments, keep},
    bells::Bells,
    delivery,
    disk::Space,
    erasure::{self, retention},
    index::Index,
    intake::Intake,
    journal::JournalConfig,
    leases::Leases,
    ledger::{
        Job, LedgerError,
        query::Ledger,
        replay::{self, Folders, Replay},
        sequencer::{QUEUE_ENTRIES_MAX, Sequencer, Signer},
    },
    listen,
    shared::Shared,
    suspension::SuspensionHandle,
    witness::{Links, Progress, Witness, ask, compare, gossip, outside},
    workers::Workers,
};

/// Threads that read and write attachments.
const ATTACHMENT_THREADS: usize = 2;

pub(super) async fn start(
    parts: NodeParts,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Node, StartError> {
    let id = parts.config.node.clone();
    let roster = parts.roster.current();
    let log = roster.log_verifier(&id).ok_or(StartError::NotListed)?;
    let keys = own_keys::of(&parts, &log);
    let end_ms = own_keys::end_of_log_key(&log, &keys.log, parts.environment.clock.now_ms())?;
    let (stop, stopping) = watch::channel(false);
    let (fail, failed) = watch::channel(None);
    let (log_key_end, end_ms) = watch::channel(end_ms);
    let (mut tasks, suspensions) = (JoinSet::new(), SuspensionHandle::default());
    let bells = Arc::new(Bells::new(&id));
    let (ledger, sequencer, jobs) = open_ledger(&parts, &log, end_ms, bells.clone(), progress)?;
    let copy = Copied::judge(&parts, &log, &sequencer.origin)?;
    let interval_ms = parts.config.publish_interval_ms;
    let publishing = publish(ledger.clone(), stopping.clone(), interval_ms);
    let writers = (sequence(sequencer, jobs, fail.clone()), publishing);
    let threads = run_writers(parts.execution, writers, &mut tasks)?;
    let workers = workers(&parts)?;
    let attachments = attachments(&parts, &ledger, fail.clone())?;
    let greeter = greeter(&parts, &id, &ledger);
    let endpoint = bind(&parts, &greeter)?;
    let shared = Arc::new(Shared {
        witness: witness(&parts, &id),
        intake: intake(&parts, &suspensions, attachments.clone()),
        suspensions,
        attachments,
        membership: membership(&parts, &workers),
        greeter: greeter.clone(),
        started_ms: parts.environment.clock.now_ms(),
        id,
        keys,
        config: parts.config,
        environment: parts.environment,
        disk: parts.disk,
        data: parts.data,
        ledger,
        workers,
        bells,
        metrics: parts.metrics,
        endpoint,
        stopping,
        admission: Arc::default(),
        space: Space::default(),
        leases: Leases::default(),
        desks: delivery::desk::Desks::default(),
        links: Links::default(),
        witnessed: Progress::default(),
        looked_back: watch::Sender::new(false),
        heads: Arc::default(),
    });
    // Who starts at the same moment asks this node what it asks them.
    tasks.spawn(listen::accept(shared.clone(), greeter));
    look_back::look_back(&shared, &copy, &stop).await?;
    erasure::finish(&shared.ledger, &shared.attachments).await?;
    run(&shared, log_key_end, fail, &mut tasks);
    Ok(Node {
        shared,
        stop,
        failed,
        tasks,
        threads,
    })
}

/// Begins everything else that goes on until the node stops.
fn run(
    shared: &Arc<Shared>,
    log_key_end: watch::Sender<Option<u64>>,
    fail: watch::Sender<Option<WireCode>>,
    tasks: &mut JoinSet<()>,
) {
    tasks.spawn(delivery::run(shared.clone()));
    tasks.spawn(keep::run(shared.clone()));
    tasks.spawn(retention::run(shared.clone()));
    tasks.spawn(trust::log_changes(shared.clone()));
    tasks.spawn(ask::run(shared.clone(), fail.clone()));
    tasks.spawn(compare::watch_own(shared.clone(), fail.clone()));
    tasks.spawn(compare::run(shared.clone()));
    tasks.spawn(gossip::run(shared.clone()));
    tasks.spawn(outside::push::run(shared.clone()));
    tasks.spawn(own_keys::watch(shared.clone(), log_key_end, fail));
}

/// Runs sequencer and publisher, on threads of their own unless everything runs in one.
fn run_writers(
    execution: Execution,
    (sequencer, publisher): (
        impl Future<Output = ()> + Send + 'static,
        impl Future<Output = ()> + Send + 'static,
    ),
    tasks: &mut JoinSet<()>,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    match execution {
        Execution::Threads => {
            let sequencer = thread("frex-sequencer", sequencer).map_err(StartError::Thread)?;
            let publisher = thread("frex-publisher", publisher).map_err(StartError::Thread)?;
            Ok(vec![sequencer, publisher])
        }
        Execution::Inline => {
            tokio::spawn(sequencer);
            tasks.spawn(publisher);
            Ok(Vec::new())
        }
    }
}

/// Who judges envelopes.
fn workers(parts: &NodeParts) -> Result<Workers, StartError> {
    match parts.execution {
        Execution::Inline => Ok(Workers::Inline),
        Execution::Threads => {
            Workers::pool(crypto_threads(parts.config.crypto_threads)).map_err(StartError::Thread)
        }
    }
}

fn witness(parts: &NodeParts, id: &str) -> Option<Witness> {
    let name = parts.roster.current().witness(id)?.name;
    let key = parts.witness_key.clone()?;
    Some(Witness { name, key })
}

fn membership(parts: &NodeParts, workers: &Workers) -> Membership {
    let workers = workers.clone();
    Membership::new(
        parts.roster.clone(),
        parts.anchor.clone(),
        parts.environment.clock.clone(),
        Arc::new(DataStore::new(parts.disk.clone(), &parts.data)),
        Arc::new(move |work| workers.start(work)),
    )
}

fn intake(parts: &NodeParts, suspensions: &SuspensionHandle, attachments: Attachments) -> Intake {
    Intake {
        roster: parts.roster.clone(),
        node: parts.config.node.clone(),
        suspensions: suspensions.clone(),
        is_whole: Arc::new(move |listed, now_ms| attachments.is_whole(listed, now_ms)),
    }
}

/// Their disk has threads of its own: a sync there holds nobody else up.
fn attachments(
    parts: &NodeParts,
    ledger: &Ledger,
    fail: watch::Sender<Option<WireCode>>,
) -> Result<Attachments, StartError> {
    let workers = match parts.execution {
        Execution::Inline => Workers::Inline,
        Execution::Threads => Workers::pool(ATTACHMENT_THREADS).map_err(StartError::Thread)?,
    };
    let index = ledger.index.clone();
    let opened = Attachments::open(parts.disk.clone(), &parts.data, workers, index, fail);
    Ok(opened.map_err(LedgerError::from)?)
}

fn open_ledger(
    parts: &NodeParts,
    log: &LogVerifier,
    end_ms: watch::Receiver<Option<u64>>,
    bells: Arc<Bells>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Ledger, Sequencer, mpsc::Receiver<Job>), LedgerError> {
    let (replay, index) = replay(parts, progress)?;
    let (jobs, receiver) = mpsc::channel(QUEUE_ENTRIES_MAX);
    let log_key = parts.log_key.clone();
    let followed = own_keys::has_followed(log, &log_key.verifying_key(), &replay.checkpoint);
    let (checkpoint, newest) = watch::channel(replay.checkpoint);
    let tail = Arc::new(Mutex::new(replay.tail));
    let ledger = Ledger {
        jobs,
        index: index.clone(),
        reader: replay.journal.reader(),
        publisher: Arc::new(Mutex::new(replay.publisher)),
        tail: tail.clone(),
        checkpoint: newest,
    };
    let mut sequencer = Sequencer {
        journal: replay.journal,
        index,
        signer: Signer {
            key: log_key,
            end_ms,
        },
        origin: replay.origin,
        node: parts.config.node.clone(),
        frontier: replay.frontier,
        checkpoint,
        tail,
        clock: parts.environment.clock.clone(),
        rng: parts.environment.random.rng(),
        last_ms: replay.last_ms,
        after: bells,
        metrics: parts.metrics.clone(),
    };
    if followed {
        sequencer.sign_head_anew()?;
        ledger.publish()?;
        tracing::info!("the log goes on under its new key");
    }
    Ok((ledger, sequencer, receiver))
}

/// What the files make.
fn replay(
    parts: &NodeParts,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Replay, Arc<Index>), LedgerError> {
    let folder = parts.data.join("index");
    let index = match parts.execution {
        Execution::Threads => Index::open(Some(&folder)),
        Execution::Inline => Index::open(None),
    };
    let index = Arc::new(index.map_err(LedgerError::from)?);
    let folders = Folders {
        journal: parts.data.join("journal"),
        logs: parts.data.join("log"),
    };
    let config = JournalConfig {
        segment_bytes: parts.config.segment_bytes,
        fill_ahead_bytes: parts.config.fill_ahead_bytes,
        salt: parts.environment.random.rng().next_u32(),
    };
    let logs = parts.roster.current().log_verifiers(&parts.config.node);
    let replay = replay::open(
        &parts.disk,
        &folders,
        config,
        &index,
        &logs,
        false,
        progress,
    )?;
    if replay.rebuilt {
        tracing::info!(
            log_size = replay.frontier.size(),
            "the index was made from the journal"
        );
    }
    Ok((replay, index))
}

fn greeter(parts: &NodeParts, id: &str, ledger: &Ledger) -> Greeter {
    let checkpoint = ledger.checkpoint.clone();
    let (seen, roster) = (ledger.clone(), parts.roster.clone());
    Greeter {
        checkpoint: Arc::new(move || checkpoint.borrow().clone()),
        seen: Arc::new(move |peer| {
            let log = roster.current().log_verifier(peer);
            let seen = log.map(|log| seen.seen(&log.origin));
            // An index that cannot be read says so in the sequencer.
            seen.and_then(|seen| seen.ok().flatten())
                .map_or_else(Bytes::new, |seen| seen.checkpoint)
        }),
        ..Greeter::new(
            Peer::Node(id.to_owned()),
            parts.roster.clone(),
            parts.environment.clone(),
        )
    }
}

fn bind(parts: &NodeParts, greeter: &Greeter) -> Result<Endpoint, StartError> {
    let identity =
        Identity::new(&parts.tls_key).map_err(|error| StartError::Listen(error.into()))?;
    let roster = parts.roster.current();
    let now_ms = parts.environment.clock.now_ms();
    if roster.owner_of_tls_key(identity.public_key(), now_ms) != Some(&greeter.us) {
        return Err(StartError::NotListed);
    }
    let config = EndpointConfig {
        socket: parts.socket.clone(),
        identity,
        key_check: greeter.key_check(),
        key_exchange: greeter.key_exchange(),
        limits: Limits::default(),
        listen: true,
        rng_seed: parts.environment.random.endpoint_seed(),
    };
    Endpoint::bind(config).map_err(|error| StartError::Listen(error.into()))
}

/// Runs the single writer; its failure is the node's.
async fn sequence(
    sequencer: Sequencer,
    jobs: mpsc::Receiver<Job>,
    fail: watch::Sender<Option<WireCode>>,
) {
    if let Err(error) = sequencer.run(jobs).await {
        tracing::error!(error = ?error, "the ledger cannot go on: the node stops");
        fail.send_replace(Some((&error).into()));
        // Keeps the channel of failures open, so that late askers learn of it too.
        fail.closed().await;
    }
}

/// Brings the published files and the index up to the journal every now and then.
async fn publish(ledger: Ledger, mut stopping: watch::Receiver<bool>, interval_ms: u64) {
    let interval = Duration::from_millis(interval_ms.max(10));
    loop {
        let stopped = tokio::time::timeout(interval, stopping.wait_for(|stopping| *stopping))
            .await
            .is_ok();
        if stopped {
            return;
        }
        // The journal is whole, so the node goes on; the next round tries again.
        if let Err(error) = ledger.publish() {
            tracing::error!(error = ?error, "the published log could not be brought up to date");
        }
    }
}

fn crypto_threads(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn thread(
    name: &str,
    work: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(work))
}
