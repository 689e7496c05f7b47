//! Which second envelope of a message is taken.

use frex_client::environment::Random;
use frex_proto::{
    id::{EnvelopeId, MessageId},
    log::LogVerifier,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::{
    disk::RealDisk,
    journal::JournalConfig,
    ledger::{
        Admitted, Entry, MessageKey, PeerReceiptEntry,
        replay::{self, Folders},
    },
};

mod begun;
mod erased;
mod outbox;
mod recalled;
mod repeated;
mod seen;
mod signer;

const MESSAGE: MessageId = MessageId([7; 16]);

struct Scene {
    sequencer: Sequencer,
    dir: TempDir,
}

/// What a submission comes to.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Submitted,
    Again,
    Reuse(EnvelopeId),
}

fn id(number: u8) -> EnvelopeId {
    EnvelopeId([number; 32])
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self {
            sequencer: open(&dir),
            dir,
        }
    }

    /// The node ends and starts again, its index lost.
    fn restart(&mut self) {
        let fresh = tempfile::tempdir().expect("a folder");
        let ended = std::mem::replace(&mut self.sequencer, open(&fresh));
        drop(ended);
        self.sequencer = open(&self.dir);
    }

    fn record(&mut self, entry: Entry) -> Outcome {
        let (reply, mut outcome) = oneshot::channel();
        let left = self.sequencer.commit(vec![Job { entry, reply }]);
        assert!(left.expect("a disk that works").is_empty());
        outcome.try_recv().expect("an outcome")
    }

    fn submit(&mut self, number: u8, recipients: &[&str], nodes: &[&str]) -> Said {
        let outcome = self.record(submission(number, recipients, nodes));
        said(outcome)
    }

    /// The node answers envelope `number`, which followed another one or not.
    fn answer(&mut self, number: u8, node: &str, event: v1::Event, code: u32, again: bool) {
        let statement = v1::Statement {
            event: event.into(),
            envelope_id: Bytes::copy_from_slice(&id(number).0),
            code,
            recipients: vec![node.trim_start_matches('n').to_owned()],
            ..v1::Statement::default()
        };
        let receipt = v1::Receipt {
            statement: statement.encode_to_vec().into(),
            ..v1::Receipt::default()
        };
        let entry = Entry::PeerReceipt(PeerReceiptEntry {
            message: MessageKey::new("a", MESSAGE),
            node: node.to_owned(),
            detail: if again {
                id(number).to_string()
            } else {
                String::new()
            },
            receipt: receipt.encode_to_vec().into(),
            refusal: None,
            outbox_key: None,
        });
        assert!(matches!(self.record(entry), Outcome::Done));
    }

    fn retired(&mut self, number: u8, node: &str, again: bool) {
        let code = WireCode::KeyRetired as u32;
        self.answer(number, node, v1::Event::Rejected, code, again);
    }
}

fn open(dir: &TempDir) -> Sequencer {
    let key = SigningKey::from_seed(&[3; 32]);
    let log = LogVerifier::new(log::origin("f", "n", 1), key.verifying_key());
    open_under(dir, &log, key).expect("a sound journal")
}

/// As the node with this key, whose roster lists these for its log.
fn open_under(dir: &TempDir, log: &LogVerifier, key: SigningKey) -> Result<Sequencer, LedgerError> {
    let folders = Folders {
        journal: dir.path().join("journal"),
        logs: dir.path().join("log"),
    };
    let config = JournalConfig {
        segment_bytes: 1024 * 1024,
        fill_ahead_bytes: 64 * 1024,
        salt: 1,
    };
    let (disk, index): (Arc<dyn crate::disk::Disk>, _) = (
        Arc::new(RealDisk),
        Arc::new(Index::open(None).expect("memory")),
    );
    let progress = &mut |_, _| {};
    let logs = std::slice::from_ref(log);
    let replay = replay::open(&disk, &folders, config, &index, logs, false, progress)?;
    Ok(Sequencer {
        journal: replay.journal,
        index,
        signer: Signer {
            key,
            end_ms: watch::channel(None).1,
        },
        origin: log.origin.clone(),
        node: "n".to_owned(),
        frontier: replay.frontier,
        checkpoint: watch::channel(replay.checkpoint).0,
        tail: Arc::new(Mutex::new(replay.tail)),
        clock: Clock::default(),
        rng: Random::seeded([1; 32]).rng(),
        last_ms: replay.last_ms,
        after: Arc::new(Bells::new("n")),
        metrics: Arc::new(Metrics::new()),
    })
}

fn admitted(number: u8) -> Admitted {
    Admitted {
        attachments: Vec::new(),
        id: id(number),
        message_id: MESSAGE,
        sender: "a".to_owned(),
        lane: v1::Lane::Normal,
        expires_ms: u64::MAX,
        envelope: Bytes::from_static(b"sealed"),
        is_forward: false,
        recalls: None,
    }
}

fn submission(number: u8, recipients: &[&str], nodes: &[&str]) -> Entry {
    Entry::Submit {
        admitted: admitted(number),
        nodes: names(nodes),
        members: Vec::new(),
        recipients: names(recipients),
    }
}

fn said(outcome: Outcome) -> Said {
    let (bytes, fresh) = match outcome {
        Outcome::Receipt(bytes) => (bytes, true),
        Outcome::Stored(bytes) => (bytes, false),
        other => panic!("{other:?}"),
    };
    let receipt = v1::Receipt::decode(bytes).expect("a receipt");
    let statement = v1::Statement::decode(receipt.statement).expect("a statement");
    match (statement.event(), fresh) {
        (v1::Event::Submitted, true) => Said::Submitted,
        (v1::Event::Submitted, false) => Said::Again,
        (event, _) => {
            assert_eq!(event, v1::Event::Rejected);
            assert_eq!(statement.code, WireCode::IdReuse as u32);
            let other = statement.other_envelope_id;
            Said::Reuse(EnvelopeId::from_slice(&other).expect("an id"))
        }
    }
}

// DEL-29, DEL-17: sealed again for whoever retired the key, in as many rounds as it takes, and
// never twice; also after the index was lost.
#[test]
fn a_message_is_taken_again_for_whom_its_key_was_retired() {
    let mut scene = Scene::new();
    assert_eq!(scene.submit(1, &["b", "c"], &["nb", "nc"]), Said::Submitted);
    scene.retired(1, "nb", false);
    assert_eq!(scene.submit(2, &["b"], &["nb"]), Said::Submitted);
    assert_eq!(scene.submit(2, &["b"], &["nb"]), Said::Again);
    // The second has not been answered yet.
    assert_eq!(scene.submit(3, &["b"], &["nb"]), Said::Reuse(id(1)));
    scene.retired(2, "nb", true);
    scene.restart();
    assert_eq!(scene.submit(2, &["b"], &["nb"]), Said::Again);
    assert_eq!(scene.submit(4, &["b"], &["nb"]), Said::Submitted);
    scene.retired(1, "nc", false);
    assert_eq!(scene.submit(5, &["c"], &["nc"]), Said::Submitted);
    assert_eq!(scene.submit(1, &["b", "c"], &["nb", "nc"]), Said::Again);

    let history = scene.sequencer.index.scan(
        crate::index::Table::Message,
        &MessageKey::new("a", MESSAGE).0,
        None,
        100,
    );
    // Four envelopes, three refusals, one ID_REUSE: all are kept.
    assert_eq!(history.expect("an index").len(), 8);
}

// DEL-18, DEL-29: for anybody else it is another message under a used id.
#[test]
fn a_message_is_not_taken_again_for_anybody_else() {
    let mut scene = Scene::new();
    assert_eq!(scene.submit(1, &["b", "c"], &["nb", "nc"]), Said::Submitted);
    // Nobody has answered.
    assert_eq!(scene.submit(2, &["b"], &["nb"]), Said::Reuse(id(1)));
    scene.retired(1, "nb", false);
    // One of the two recipients' nodes has not answered; then it accepts; one is new; one is here.
    assert_eq!(
        scene.submit(3, &["b", "c"], &["nb", "nc"]),
        Said::Reuse(id(1))
    );
    scene.answer(1, "nc", v1::Event::Accepted, 0, false);
    assert_eq!(scene.submit(4, &["c"], &["nc"]), Said::Reuse(id(1)));
    assert_eq!(scene.submit(5, &["b", "d"], &["nb"]), Said::Reuse(id(1)));
    let mut here = submission(6, &["b"], &["nb"]);
    if let Entry::Submit { members, .. } = &mut here {
        members.push("h".to_owned());
    }
    assert_eq!(said(scene.record(here)), Said::Reuse(id(1)));

    let mut refused = Scene::new();
    assert_eq!(refused.submit(1, &["b"], &["nb"]), Said::Submitted);
    let other = WireCode::NotAccepted as u32;
    refused.answer(1, "nb", v1::Event::Rejected, other, false);
    assert_eq!(refused.submit(2, &["b"], &["nb"]), Said::Reuse(id(1)));
}

// DEL-29: of two that come at once, one follows the first envelope and the other is too late.
#[test]
fn of_two_that_follow_the_same_envelope_one_is_taken() {
    let mut scene = Scene::new();
    assert_eq!(scene.submit(1, &["b"], &["nb"]), Said::Submitted);
    scene.retired(1, "nb", false);
    let (mut jobs, mut outcomes) = (Vec::new(), Vec::new());
    for number in [2, 3] {
        let (reply, outcome) = oneshot::channel();
        let entry = submission(number, &["b"], &["nb"]);
        jobs.push(Job { entry, reply });
        outcomes.push(outcome);
    }
    let mut rounds = 0;
    while !jobs.is_empty() {
        jobs = scene.sequencer.commit(jobs).expect("a disk that works");
        rounds += 1;
        assert!(rounds < 3);
    }
    let said = outcomes
        .iter_mut()
        .map(|outcome| said(outcome.try_recv().expect("an outcome")));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [Said::Submitted, Said::Reuse(id(1))]
    );
}

// ADM-7: an urgent envelope goes into the next block, however many others wait before it.
#[tokio::test]
async fn what_is_urgent_goes_into_the_next_block() {
    let scene = Scene::new();
    let (sender, jobs) = mpsc::channel(QUEUE_ENTRIES_MAX);
    let mut last = None;
    let count = 2 * u32::try_from(BLOCK_ENTRIES_MAX).expect("a small number");
    for number in 0..count {
        let mut admitted = admitted(1);
        admitted.id.0[..4].copy_from_slice(&number.to_be_bytes());
        admitted.message_id.0[..4].copy_from_slice(&number.to_be_bytes());
        if number + 1 == count {
            admitted.lane = v1::Lane::Urgent;
        }
        let (reply, outcome) = oneshot::channel();
        let entry = Entry::Submit {
            admitted,
            nodes: Vec::new(),
            members: Vec::new(),
            recipients: names(&["b"]),
        };
        let put = sender.try_send(Job { entry, reply });
        put.expect("the queue has room");
        last = Some(outcome);
    }
    drop(sender);
    let ran = scene.sequencer.run(jobs).await;
    ran.expect("a disk that works");
    let outcome = last.expect("many were sent").await.expect("an outcome");
    let Outcome::Receipt(receipt) = outcome else {
        panic!("{outcome:?}")
    };
    let receipt = v1::Receipt::decode(receipt).expect("a receipt");
    assert_eq!(receipt.index, 0);
}
