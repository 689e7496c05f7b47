//! Real processes that are killed at any moment, and journals that rot: nothing acknowledged may
//! be lost, doubled or silently missing.
//!
//! The moments and positions come from a seed; `FREX_SEED=N cargo test -p frex-tests --test crash`
//! draws them again.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use frex_client::{
    client::{Client, ClientConfig, News, ProvenReceipt},
    keys::MemberHome,
    tls::config::Limits,
};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::EnvelopeId,
    log::{Checkpoint, Frontier, Leaf, LogVerifier, Tile, TileKind, checkpoint, tile},
    v1,
};
use frex_tests::processes::{Frex, NodeProcess, copy_dir};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use tokio::task::JoinSet;

const SENDER: &str = "alpha";
const RECIPIENT: &str = "beta";
const KILLS: usize = 50;
/// Reports that are on their way at the same time.
const SENDERS: usize = 3;
const PAUSE: Duration = Duration::from_millis(20);
/// Small steps, so that kills meet every one of them.
const SETTINGS: [(&str, &str); 3] = [
    ("segment_bytes", "4194304"),
    ("fill_ahead_bytes", "65536"),
    ("publish_interval_ms", "50"),
];

fn seed() -> u64 {
    let seed = match std::env::var("FREX_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .subsec_nanos(),
        ),
    };
    println!("replay with FREX_SEED={seed}");
    seed
}

fn between(rng: &mut ChaCha20Rng, from: u64, to: u64) -> u64 {
    from + rng.next_u64() % (to - from)
}

fn home(frex: &Frex, member: &str) -> MemberHome {
    MemberHome::open(&frex.dir().join(member).join("member")).unwrap()
}

/// A client that notices at once that its node was killed, and leaves trying again to the test.
async fn client(frex: &Frex, member: &str) -> Client {
    let mut config = ClientConfig::of_home(&home(frex, member)).unwrap();
    config.patience = Duration::from_millis(1);
    config.limits = Limits {
        idle_timeout: Duration::from_millis(200),
        keep_alive: Duration::from_millis(50),
        handshake_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    Client::new(config).await.unwrap()
}

fn log_of(frex: &Frex, member: &str) -> LogVerifier {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now_ms.as_millis()).unwrap();
    let roster = home(frex, SENDER).roster(now_ms).unwrap();
    roster.log_verifier(&format!("node.{member}")).unwrap()
}

fn log_folder(frex: &Frex, member: &str) -> PathBuf {
    let log = frex.dir().join(member).join("node/log");
    log.join(log_of(frex, member).origin)
}

/// The published head, if anything has been published.
fn published(frex: &Frex, member: &str) -> Option<Checkpoint> {
    let note = fs::read(log_folder(frex, member).join("checkpoint")).ok()?;
    Some(checkpoint::parse_and_verify(&note, &log_of(frex, member), 0).unwrap())
}

/// What one report's sender holds in its hands.
struct Acknowledged {
    id: EnvelopeId,
    receipts: Vec<ProvenReceipt>,
}

/// Sends report after report until told to stop; each until it is acknowledged.
async fn send(client: Client, next: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let draft = client
            .draft(&[RECIPIENT])
            .lane(v1::Lane::Urgent)
            .content("text/plain", format!("report {number}").into_bytes());
        let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
        acknowledged.push(submit(&client, envelope).await);
        tokio::time::sleep(PAUSE).await;
    }
    acknowledged
}

async fn submit(client: &Client, envelope: SignedEnvelope) -> Acknowledged {
    let id = envelope.id;
    let (mut receipts, mut submitted) = (Vec::new(), false);
    while !submitted {
        let wait = Duration::from_millis(100);
        let Ok(mut submission) = client.submit(vec![envelope.clone()], wait).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while let Some(event) = submission.next().await {
            match event.news {
                News::Submitted(receipt) => {
                    submitted = true;
                    receipts.push(*receipt);
                }
                News::Accepted { receipt, .. } => receipts.push(*receipt),
                News::Unanswered { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    Acknowledged { id, receipts }
}

/// Kills and restarts the nodes; gives them back running, with every head they had published.
fn kill_and_restart(
    frex: &Frex,
    seed: u64,
) -> (Vec<NodeProcess>, BTreeMap<&'static str, Vec<Checkpoint>>) {
    let ids = [SENDER, RECIPIENT];
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut nodes: Vec<NodeProcess> = ids.iter().map(|id| frex.node(id)).collect();
    let mut heads: BTreeMap<_, Vec<_>> = ids.map(|id| (id, Vec::new())).into();
    let mut kills = 0;
    while kills < KILLS {
        // Every fourth moment counts from the start of the process, not from when it is ready.
        if between(&mut rng, 0, 4) > 0 {
            nodes
                .iter_mut()
                .for_each(|node| drop(node.ready().unwrap()));
        }
        thread::sleep(Duration::from_millis(between(&mut rng, 20, 301)));
        // The last time both: a node that lives on waits half a minute for one that was killed.
        let last = kills + 2 >= KILLS;
        let which = if last { 3 } else { between(&mut rng, 1, 4) };
        let chosen: Vec<usize> = (0..2).filter(|number| which >> number & 1 == 1).collect();
        for number in &chosen {
            nodes[*number].kill().unwrap();
            kills += 1;
        }
        for number in chosen {
            let id = ids[number];
            heads.get_mut(id).unwrap().extend(published(frex, id));
            nodes[number] = frex.node(id);
        }
    }
    nodes
        .iter_mut()
        .for_each(|node| drop(node.ready().unwrap()));
    println!("{kills} kills");
    (nodes, heads)
}

/// Reads the inbox until all of `due` has come, and a little longer; counts how often each came.
async fn read_inbox(client: &Client, due: &BTreeSet<EnvelopeId>) -> BTreeMap<EnvelopeId, usize> {
    let mut seen = BTreeMap::new();
    let started = Instant::now();
    let mut missing = true;
    while missing && started.elapsed() < Duration::from_secs(90) {
        missing = due.iter().any(|id| !seen.contains_key(id));
        let wait = Duration::from_millis(if missing { 2000 } else { 500 });
        let Ok(mut inbox) = client.inbox(64, wait).await else {
            continue;
        };
        let mut confirming = JoinSet::new();
        while let Some(item) = inbox.next().await {
            let item = item.unwrap().map_err(|failed| failed.error).unwrap();
            *seen.entry(item.id()).or_default() += 1;
            confirming.spawn(async move { item.confirm(v1::Stage::Opened, "").await.unwrap() });
        }
        confirming.join_all().await;
    }
    seen
}

/// A log as published: its leaves, and its root at every size.
struct Log {
    leaves: Vec<Leaf>,
    roots: Vec<[u8; 32]>,
}

impl Log {
    fn read(frex: &Frex, member: &str) -> Self {
        let head = published(frex, member).unwrap();
        let mut log = Self {
            leaves: Vec::new(),
            roots: Vec::new(),
        };
        let mut frontier = Frontier::new();
        log.roots.push(frontier.root());
        for index in 0..head.size.div_ceil(256) {
            let bundle = Tile {
                kind: TileKind::Entries,
                index,
                width: u16::try_from((head.size - index * 256).min(256)).unwrap(),
            };
            let content = fs::read(log_folder(frex, member).join(bundle.path())).unwrap();
            for entry in tile::entries(&content, bundle.width).unwrap() {
                let leaf = Leaf::parse(entry).unwrap();
                frontier.append(leaf.hash());
                log.leaves.push(leaf);
                log.roots.push(frontier.root());
            }
        }
        assert_eq!(log.root_at(head.size), head.root);
        log
    }

    fn root_at(&self, size: u64) -> [u8; 32] {
        self.roots[usize::try_from(size).unwrap()]
    }

    /// Every checkpoint that was ever let out is of this very tree.
    fn extends(&self, head: &Checkpoint) {
        assert_eq!(self.root_at(head.size), head.root, "size {}", head.size);
    }

    fn holds(&self, receipt: &ProvenReceipt) {
        let index = usize::try_from(receipt.verified.index).unwrap();
        assert_eq!(self.leaves[index].hash(), receipt.verified.leaf_hash);
        self.extends(&receipt.verified.checkpoint);
    }

    fn events(&self) -> BTreeMap<&'static str, usize> {
        let mut events = BTreeMap::new();
        for leaf in &self.leaves {
            *events.entry(leaf.event().as_str_name()).or_default() += 1;
        }
        events
    }
}

// NOD-1, NOD-3, DEL-10, DEL-15, DEL-17, LOG-17, LOG-18, LOG-19, LOG-20, RCP-11: SIGKILL at any
// moment loses and doubles nothing, and every head ever seen is of the one log.
#[tokio::test]
async fn what_was_acknowledged_survives_fifty_kills_and_is_there_once() {
    let seed = seed();
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    frex.federation(&[SENDER, RECIPIENT], &SETTINGS);
    let sender = client(&frex, SENDER).await;
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(send(sender.clone(), Arc::clone(&next), Arc::clone(&stop)));
    }
    let killer = frex.clone();
    let killed = tokio::task::spawn_blocking(move || kill_and_restart(&killer, seed)).await;
    stop.store(true, Ordering::Relaxed);
    let (nodes, heads) = killed.unwrap();
    let acknowledged: Vec<Acknowledged> = senders.join_all().await.into_iter().flatten().collect();
    let proofs = acknowledged.iter().flat_map(|report| &report.receipts);
    println!(
        "{} reports acknowledged, {} receipts, {} heads",
        acknowledged.len(),
        proofs.count(),
        heads.values().flatten().count()
    );
    assert!(acknowledged.len() > KILLS / 5, "too little happened");

    let due = acknowledged.iter().map(|report| report.id).collect();
    let reader = client(&frex, RECIPIENT).await;
    let seen = read_inbox(&reader, &due).await;
    let once: BTreeMap<EnvelopeId, usize> = due.into_iter().map(|id| (id, 1)).collect();
    assert!(
        seen == once,
        "{} came, {} were acknowledged",
        seen.len(),
        once.len()
    );
    reader.close().await;
    sender.close().await;
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
    let count = acknowledged.len();
    let logs = [SENDER, RECIPIENT].map(|member| (member, check_log(&frex, member, &heads[member])));
    assert_eq!(logs[0].1.events(), [("EVENT_SUBMITTED", count)].into());
    assert_eq!(
        logs[1].1.events(),
        [("EVENT_ACCEPTED", count), ("EVENT_STAGE", count)].into()
    );
    let logs: BTreeMap<&str, Log> = logs.into();
    for receipt in acknowledged.iter().flat_map(|report| &report.receipts) {
        logs[receipt.node().trim_start_matches("node.")].holds(receipt);
    }
}

/// The log verifies, the journal reads back, and the log only ever grew.
fn check_log(frex: &Frex, member: &str, heads: &[Checkpoint]) -> Log {
    assert_eq!(frex.done(&["log", "verify", member])["verified"], true);
    assert_eq!(frex.done(&["fsck", member])["ok"], true);
    assert!(heads.is_sorted_by_key(|head| head.size));
    let log = Log::read(frex, member);
    heads.iter().for_each(|head| log.extends(head));
    assert!(log.leaves.is_sorted_by_key(Leaf::time_ms));
    log
}

const KEPT_REPORTS: usize = 60;
const FLIPS: u64 = 20;
const CASE: &str = "case";

/// What a node makes of damaged files.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The check finds nothing, and the node runs with everything: the bytes were of no use.
    Unused,
    /// The check names the damage; the node refuses to start, or starts with everything.
    Found { starts: bool },
}

/// A node that was stopped with everything it had acknowledged, to be damaged in copies.
struct Kept {
    frex: Frex,
    size: u64,
}

impl Kept {
    async fn new(dir: &Path) -> Self {
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
        frex.federation(&[SENDER, RECIPIENT], &SETTINGS);
        let mut node = frex.node(SENDER);
        node.ready().unwrap();
        let client = client(&frex, SENDER).await;
        for number in 0..KEPT_REPORTS {
            let content = vec![u8::try_from(number).unwrap(); 100 * 1024];
            let draft = client.draft(&[RECIPIENT]).content("text/plain", content);
            let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
            submit(&client, envelope).await;
        }
        client.close().await;
        assert_eq!(node.stop(), Some(0));
        Self {
            size: published(&frex, SENDER).unwrap().size,
            frex,
        }
    }

    /// The journal's segments in a fresh copy.
    fn copy(&self) -> Vec<PathBuf> {
        let case = self.frex.dir().join(CASE);
        let _ = fs::remove_dir_all(&case);
        copy_dir(&self.frex.dir().join(SENDER), &case).unwrap();
        let journal = fs::read_dir(case.join("node/journal")).unwrap();
        let mut segments: Vec<PathBuf> = journal.map(|entry| entry.unwrap().path()).collect();
        segments.retain(|path| path.extension().is_some_and(|end| end == "seg"));
        segments.sort();
        segments
    }

    fn marker(&self) -> PathBuf {
        self.frex.dir().join(CASE).join("node/journal/committed")
    }

    /// Checks the copy, then starts it: never with less than was acknowledged.
    fn judge(&self, what: &str) -> Verdict {
        let checked = self.frex.run(&["fsck", CASE]);
        let mut node = self.frex.node(CASE);
        let started = node.ready();
        let starts = started.is_ok();
        match started {
            Ok(ready) => {
                assert_eq!(ready["log_size"], self.size, "{what}: entries are missing");
                assert_eq!(node.stop(), Some(0), "{what}");
            }
            Err((exit, log)) => {
                let typed = [WireCode::JournalDamaged, WireCode::StorageFailed];
                let known = |code: &WireCode| exit == Some(i32::from(code.info().exit));
                assert!(typed.iter().any(known), "{what}: {exit:?} {log}");
            }
        }
        let verdict = match (checked.exit, starts) {
            (Some(0), true) => Verdict::Unused,
            (Some(20), starts) => {
                let code = Some(WireCode::JournalDamaged as u64);
                assert_eq!(checked.code(), code, "{what}: {checked:?}");
                Verdict::Found { starts }
            }
            (Some(0), false) => Verdict::Found { starts: false },
            _ => panic!("{what}: {checked:?}"),
        };
        println!("{what}: {verdict:?}");
        verdict
    }
}

// NOD-4, NOD-8: the check finds rot and lost tails, and no node runs with less than was
// acknowledged, or with a journal older than its published log. A node that starts reads no further
// back than to the segment where its index stands.
#[tokio::test]
async fn damaged_journals_are_found_and_never_served_short() {
    let mut rng = ChaCha20Rng::seed_from_u64(seed());
    let dir = tempfile::tempdir().unwrap();
    let kept = Kept::new(dir.path()).await;
    assert_eq!(kept.size, KEPT_REPORTS as u64);
    kept.copy();
    assert_eq!(kept.judge("an untouched copy"), Verdict::Unused);
    for _ in 0..FLIPS {
        let segments = kept.copy();
        let chosen = usize::try_from(between(&mut rng, 0, segments.len() as u64)).unwrap();
        let mut bytes = fs::read(&segments[chosen]).unwrap();
        let used = end_of_data(&bytes);
        let position = usize::try_from(between(&mut rng, 0, bytes.len() as u64)).unwrap();
        bytes[position] ^= 1 << between(&mut rng, 0, 8);
        fs::write(&segments[chosen], &bytes).unwrap();
        let what = format!("a bit at {position} of {used} in segment {}", chosen + 1);
        let verdict = kept.judge(&what);
        assert!(verdict != Verdict::Unused || position >= used, "{what}");
    }
    cut_tails(&kept);
    lose_files(&kept);
}

/// A position after which there are only zeros.
fn end_of_data(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

fn cut_tails(kept: &Kept) {
    let segments = kept.copy();
    let used = end_of_data(&fs::read(segments.last().unwrap()).unwrap());
    for length in [0, 1, 31, 32, 33, used / 2, used - 100, used - 1] {
        let what = format!("the last segment cut to {length} of {used}");
        cut(kept.copy().last().unwrap(), length);
        assert_eq!(kept.judge(&what), Verdict::Found { starts: false });
        // Without the marker only the published log remembers what was acknowledged.
        cut(kept.copy().last().unwrap(), length);
        fs::remove_file(kept.marker()).unwrap();
        let verdict = kept.judge(&format!("{what}, without the marker"));
        assert_eq!(verdict, Verdict::Found { starts: false });
    }
    cut(kept.copy().last().unwrap(), used + 64);
    assert_eq!(kept.judge("zeros cut off"), Verdict::Unused);
}

fn cut(path: &Path, length: usize) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(length as u64).unwrap();
}

fn lose_files(kept: &Kept) {
    let count = kept.copy().len();
    assert!(count > 1, "one segment only");
    for number in 0..count {
        fs::remove_file(&kept.copy()[number]).unwrap();
        let verdict = kept.judge(&format!("segment {} of {count} removed", number + 1));
        assert_eq!(verdict, Verdict::Found { starts: false });
    }
    kept.copy();
    fs::remove_file(kept.marker()).unwrap();
    assert_eq!(kept.judge("the marker removed"), Verdict::Unused);
}
