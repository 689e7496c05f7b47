//! A log that begins anew in the journal of the one before.

use std::fs;

use super::*;
use crate::ledger::{BeginEntry, publish::BEGUN_FILE};

fn logs() -> Vec<LogVerifier> {
    let key = SigningKey::from_seed(&[3; 32]).verifying_key();
    let log = |epoch| LogVerifier::new(log::origin("f", "n", epoch), key.clone());
    (1..=3).map(log).collect()
}

fn opened(
    dir: &TempDir,
    index: Arc<Index>,
) -> (Sequencer, Mutex<crate::ledger::publish::Publisher>) {
    let disk: Arc<dyn crate::disk::Disk> = Arc::new(RealDisk);
    let folders = Folders {
        journal: dir.path().join("journal"),
        logs: dir.path().join("log"),
    };
    let config = JournalConfig {
        salt: 1,
        ..JournalConfig::default()
    };
    let replay = replay::open(
        &disk,
        &folders,
        config,
        &index,
        &logs(),
        false,
        &mut |_, _| {},
    );
    let replay = replay.expect("a sound journal");
    let sequencer = Sequencer {
        journal: replay.journal,
        index,
        signer: Signer {
            key: SigningKey::from_seed(&[3; 32]),
            end_ms: watch::channel(None).1,
        },
        origin: replay.origin,
        node: "n".to_owned(),
        frontier: replay.frontier,
        checkpoint: watch::channel(replay.checkpoint).0,
        tail: Arc::new(Mutex::new(replay.tail)),
        clock: Clock::default(),
        rng: Random::seeded([1; 32]).rng(),
        last_ms: replay.last_ms,
        after: Arc::new(Bells::new("n")),
        metrics: Arc::new(Metrics::new()),
    };
    (sequencer, Mutex::new(replay.publisher))
}

fn record(sequencer: &mut Sequencer, entry: Entry) -> Outcome {
    let (reply, mut outcome) = oneshot::channel();
    let left = sequencer.commit(vec![Job { entry, reply }]);
    assert!(left.expect("a disk that works").is_empty());
    outcome.try_recv().expect("an outcome")
}

fn begin(sequencer: &mut Sequencer, epoch: u32) -> Outcome {
    let origin = log::origin("f", "n", epoch);
    let seen = Bytes::from_static(b"what others have seen");
    record(sequencer, Entry::Begin(BeginEntry { origin, seen }))
}

fn submit(sequencer: &mut Sequencer, number: u8) -> v1::Receipt {
    let mut entry = submission(number, &["b"], &["nb"]);
    if let Entry::Submit { admitted, .. } = &mut entry {
        admitted.message_id.0[0] = number;
    }
    match record(sequencer, entry) {
        Outcome::Receipt(receipt) => v1::Receipt::decode(receipt).expect("a receipt"),
        other => panic!("{other:?}"),
    }
}

// BAK-20, BAK-21, LOG-4: the log before is published to its end and stays; the next begins empty with an entry that
// names it; what waits is still there; and all of it follows from the journal again, also over an epoch that a
// copy has had.
#[test]
fn another_log_begins_in_the_same_journal_and_is_read_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = || Arc::new(Index::open(None).expect("memory"));
    let kept = index();
    let (mut sequencer, publisher) = opened(&dir, kept.clone());
    for number in 1..=3 {
        assert_eq!(submit(&mut sequencer, number).index, u64::from(number) - 1);
    }
    let _ = record(
        &mut sequencer,
        Entry::Cosigned(Bytes::from_static(b"final")),
    );
    let publish = |sequencer: &Sequencer| {
        let mut publisher = publisher.lock().expect("nobody panics");
        let published = publisher.publish(&sequencer.tail, &sequencer.index);
        published.expect("a disk that works");
    };
    // Not before the log that ends is published to its end.
    let early = begin(&mut sequencer, 3);
    assert!(matches!(early, Outcome::Failed(WireCode::RetryAfter)));
    assert_eq!(sequencer.origin, logs()[0].origin);
    publish(&sequencer);
    let ended = sequencer.checkpoint.borrow().clone();
    let Outcome::Receipt(begun) = begin(&mut sequencer, 3) else {
        panic!("it begins");
    };
    let receipt = v1::Receipt::decode(begun).expect("a receipt");
    let verified = receipt::verify(&receipt, &logs()[2], None).expect("of the log that begins");
    assert_eq!((verified.index, verified.checkpoint.size), (0, 1));
    assert_eq!(verified.statement.ended_log, ended);
    assert_eq!(&verified.statement.seen_log[..], b"what others have seen");
    let cosigned = |index: &Index| index.get(crate::index::Table::Seen, records::COSIGNED_KEY);
    assert!(cosigned(&sequencer.index).expect("an index").is_none());
    assert_eq!(submit(&mut sequencer, 4).index, 1);
    publish(&sequencer);
    let head = sequencer.checkpoint.borrow().clone();
    drop(sequencer);

    let of = |epoch: usize| dir.path().join("log").join(&logs()[epoch - 1].origin);
    for index in [kept, index()] {
        let (sequencer, _) = opened(&dir, index);
        assert_eq!(
            (sequencer.origin.as_str(), sequencer.frontier.size()),
            (logs()[2].origin.as_str(), 2)
        );
        assert_eq!(*sequencer.checkpoint.borrow(), head);
        assert!(cosigned(&sequencer.index).expect("an index").is_none());
        let waiting = sequencer
            .index
            .scan(crate::index::Table::Outbox, &[], None, 9);
        assert_eq!(waiting.expect("an index").len(), 4);
        assert_eq!(
            fs::read(of(1).join("checkpoint")).expect("published"),
            ended
        );
        assert!(!of(2).exists());
    }
    // Made from the journal alone it is published with its beginning.
    assert!(of(3).join(BEGUN_FILE).is_file());
}
