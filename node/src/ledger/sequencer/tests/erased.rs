//! What is erased is gone from the files, and the tree and every old receipt stay.

use frex_proto::{
    id::EnvelopeId,
    limits,
    log::LogVerifier,
    receipt::{self, VerifiedReceipt},
};

use super::*;
use crate::{
    index::Table,
    ledger::{EraseEntry, HoldEntry, StageEntry, records::ERASED_SUFFIX},
};

const TABLES: [Table; 8] = [
    Table::Message,
    Table::Inbox,
    Table::Outbox,
    Table::Dead,
    Table::Attachment,
    Table::Seen,
    Table::Erasure,
    Table::Hold,
];
/// Stands for what an envelope says.
const SECRET: &[u8] = b"what nobody may find again";

fn log() -> LogVerifier {
    let key = SigningKey::from_seed(&[3; 32]);
    LogVerifier::new(log::origin("f", "n", 1), key.verifying_key())
}

/// A message of `a` under its own number, with its secret.
fn message(number: u8) -> Admitted {
    let mut admitted = admitted(number);
    admitted.message_id = MessageId([number; 16]);
    admitted.envelope = [SECRET, &[number]].concat().into();
    admitted.expires_ms = u64::MAX;
    admitted
}

fn key(number: u8) -> MessageKey {
    message(number).message()
}

fn sent(number: u8) -> Entry {
    Entry::Submit {
        admitted: message(number),
        nodes: names(&["nb"]),
        members: names(&["h"]),
        recipients: names(&["b", "h"]),
    }
}

fn delivered(number: u8) -> Entry {
    Entry::Deliver {
        admitted: message(number),
        members: names(&["h"]),
        retired: names(&["i"]),
    }
}

fn stage(number: u8, item: Position) -> Entry {
    Entry::Stage(StageEntry {
        id: id(number),
        message_id: MessageId([number; 16]),
        sender: "a".to_owned(),
        member: "h".to_owned(),
        stage: v1::Stage::Opened,
        lane: v1::Lane::Normal,
        expires_ms: u64::MAX,
        statement: [SECRET, b"opened"].concat().into(),
        item,
        relay_to: Some("na".to_owned()),
    })
}

fn erase(number: u8, ground: &str) -> Entry {
    Entry::Erase(EraseEntry {
        message: key(number),
        ground: ground.to_owned(),
        authority: "LU:1".to_owned(),
        ordered_by: "a".to_owned(),
    })
}

fn hold(number: u8, court: bool, release: bool) -> Entry {
    Entry::Hold(HoldEntry {
        message: key(number),
        ground: "litigation".to_owned(),
        authority: "case:1".to_owned(),
        ordered_by: "a".to_owned(),
        court,
        release,
        operates: false,
    })
}

/// As [`hold`], by another member or another order.
fn ordered(entry: Entry, by: &str, authority: &str) -> Entry {
    let Entry::Hold(entry) = entry else {
        panic!("{entry:?}");
    };
    Entry::Hold(HoldEntry {
        ordered_by: by.to_owned(),
        authority: authority.to_owned(),
        ..entry
    })
}

/// As `entry`, by whose node this is.
fn operated(entry: Entry) -> Entry {
    match entry {
        Entry::Hold(entry) => Entry::Hold(HoldEntry {
            operates: true,
            ..entry
        }),
        other => panic!("{other:?}"),
    }
}

impl Scene {
    fn index(&self) -> Vec<(u8, Bytes, Bytes)> {
        let mut rows = Vec::new();
        for table in TABLES {
            let found = self.sequencer.index.scan(table, &[], None, 10_000);
            let found = found.expect("an index").into_iter();
            rows.extend(found.map(|(key, value)| (table as u8, key, value)));
        }
        rows
    }

    /// Whether these bytes are in any file.
    fn holds(&self, needle: &[u8]) -> bool {
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("our folder") {
                let path = entry.expect("our folder").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(path).expect("our file");
                if bytes.windows(needle.len()).any(|some| some == needle) {
                    return true;
                }
            }
        }
        false
    }

    fn receipt(&mut self, entry: Entry) -> Bytes {
        match self.record(entry) {
            Outcome::Receipt(receipt) => receipt,
            other => panic!("{other:?}"),
        }
    }
}

fn verified(bytes: &Bytes) -> VerifiedReceipt {
    let receipt = v1::Receipt::decode(bytes.clone()).expect("a receipt");
    receipt::verify(&receipt, &log(), None).expect("it proves what it says")
}

fn failed(outcome: Outcome) -> WireCode {
    match outcome {
        Outcome::Failed(code) => code,
        other => panic!("{other:?}"),
    }
}

// ERA-5, ERA-7, ERA-8, ERA-10: of what is erased nothing is in any file, live and after the index was
// lost it is known as the same, and every receipt of before verifies.
#[test]
fn what_is_erased_is_gone_and_every_old_receipt_verifies() {
    let mut scene = Scene::new();
    let mut old = vec![scene.receipt(sent(1)), scene.receipt(delivered(2))];
    old.push(scene.receipt(sent(3)));
    let inbox = scene.sequencer.index.scan(Table::Inbox, b"h\0", None, 9);
    let inbox = inbox.expect("an index");
    let item = records::queue_position(&inbox[1].0).expect("a key");
    old.push(scene.receipt(stage(2, item)));
    let answered = PeerReceiptEntry {
        message: key(1),
        node: "nb".to_owned(),
        detail: String::new(),
        receipt: [
            SECRET,
            b"their receipt, which says a good deal of it as well",
        ]
        .concat()
        .into(),
        refusal: None,
        outbox_key: Some(records::queue_key("nb", 2, item).into()),
    };
    for _ in 0..2 {
        let entry = Entry::PeerReceipt(answered.clone());
        assert!(matches!(scene.record(entry), Outcome::Done));
    }
    let statements: Vec<Bytes> = old[..2]
        .iter()
        .map(|bytes| v1::Receipt::decode(bytes.clone()).expect("a receipt").salt)
        .collect();
    assert!(scene.holds(SECRET) && scene.holds(&statements[0]));

    let erased: Vec<Bytes> = [1, 2]
        .into_iter()
        .map(|number| scene.receipt(erase(number, "court-order")))
        .collect();
    let said = verified(&erased[0]).statement;
    let what = said.erasure.expect("an erasure");
    assert_eq!((said.envelope_id, said.sender.as_str()), (Some(id(1)), "a"));
    assert_eq!((what.entries, what.ordered_by.as_str()), (vec![0, 1], "a"));
    let what = verified(&erased[1]).statement.erasure.expect("an erasure");
    // ACCEPTED, REJECTED for whose key was retired, and the stage.
    assert_eq!(
        (what.entries, what.authority.as_str()),
        (vec![2, 3, 6], "LU:1")
    );
    let again = scene.record(erase(1, "court-order"));
    assert!(matches!(again, Outcome::Stored(bytes) if bytes == erased[0]));

    for salt in &statements {
        assert!(
            !scene.holds(salt),
            "a salt opens the commitment of its leaf"
        );
    }
    let third = [SECRET, &[3]].concat();
    assert!(scene.holds(&third), "the third message is still there");
    let of_third = scene.receipt(erase(3, "withdrawn"));
    assert!(!scene.holds(SECRET));
    let live = scene.index();
    let waiting = live.iter().filter(|row| [2, 3, 6].contains(&row.0)).count();
    assert_eq!(waiting, 0, "nothing of it waits");
    scene.restart();
    assert_eq!(scene.index(), live);
    for receipt in old.iter().chain(&erased).chain([&of_third]) {
        verified(receipt);
    }
    assert_eq!(verified(&scene.receipt(sent(4))).index, 10);
}

// ERA-9: an erased message is not taken again, and nothing that is said of it is kept.
#[test]
fn nothing_of_an_erased_message_is_taken_again() {
    let mut scene = Scene::new();
    scene.receipt(sent(1));
    scene.receipt(erase(1, "data-subject"));
    for _ in 0..2 {
        let before = scene.index();
        for entry in [sent(1), delivered(1), stage(1, Position::default())] {
            assert_eq!(failed(scene.record(entry)), WireCode::Erased);
        }
        let mut other = message(1);
        other.id = id(9);
        let other = Entry::Deliver {
            admitted: other,
            members: names(&["h"]),
            retired: Vec::new(),
        };
        assert_eq!(failed(scene.record(other)), WireCode::Erased);
        let refused = Entry::Refuse {
            message: key(1),
            id: id(1),
            recipients: Vec::new(),
            submitted: false,
            code: WireCode::Expired,
        };
        assert_eq!(failed(scene.record(refused)), WireCode::Erased);
        let late = PeerReceiptEntry {
            message: key(1),
            node: "nb".to_owned(),
            detail: String::new(),
            receipt: SECRET.to_vec().into(),
            refusal: None,
            outbox_key: None,
        };
        assert!(matches!(
            scene.record(Entry::PeerReceipt(late)),
            Outcome::Done
        ));
        assert_eq!(scene.index(), before);
        scene.restart();
    }
    assert!(!scene.holds(SECRET));
    assert_eq!(
        failed(scene.record(erase(7, "withdrawn"))),
        WireCode::NotFound
    );
}

// ERA-9: of what comes in one block with the erasure nothing escapes it, whichever is first.
#[test]
fn what_comes_with_the_erasure_waits_for_the_next_block() {
    let mut scene = Scene::new();
    scene.receipt(delivered(1));
    for erasure_first in [true, false] {
        let mut entries = vec![stage(1, Position::default()), erase(1, "withdrawn")];
        if erasure_first {
            entries.reverse();
        }
        let (mut jobs, mut outcomes) = (Vec::new(), Vec::new());
        for entry in entries {
            let (reply, outcome) = oneshot::channel();
            jobs.push(Job { entry, reply });
            outcomes.push(outcome);
        }
        while !jobs.is_empty() {
            jobs = scene.sequencer.commit(jobs).expect("a disk that works");
        }
        assert!(!scene.holds(SECRET), "{erasure_first}");
        drop(outcomes);
    }
}

// ERA-12: a hold wins over every ground but exoneration, and one of a court over that too; also
// after the index was lost.
#[test]
fn a_hold_keeps_a_message_and_a_court_s_keeps_it_also_from_exoneration() {
    let mut scene = Scene::new();
    for number in [1, 2] {
        scene.receipt(sent(number));
        assert!(matches!(
            scene.record(hold(number, number == 2, false)),
            Outcome::Done
        ));
    }
    for _ in 0..2 {
        for (number, ground) in [(1, "retention-over"), (1, "court-order"), (2, "exonerated")] {
            let outcome = scene.record(erase(number, ground));
            assert_eq!(failed(outcome), WireCode::OnHold, "{ground}");
        }
        scene.restart();
    }
    scene.receipt(erase(1, "exonerated"));
    assert!(matches!(scene.record(hold(2, true, true)), Outcome::Done));
    assert_eq!(
        failed(scene.record(hold(2, true, true))),
        WireCode::NotFound
    );
    scene.receipt(erase(2, "retention-over"));
    assert_eq!(
        failed(scene.record(hold(1, false, false))),
        WireCode::Erased
    );
    assert_eq!(
        failed(scene.record(hold(7, false, false))),
        WireCode::NotFound
    );
    let live = scene.index();
    assert!(live.iter().all(|row| row.0 != Table::Hold as u8));
    scene.restart();
    assert_eq!(scene.index(), live);
}

// ERA-12, LIM-99: holds stand side by side: none takes another's place or makes it weaker, and a release
// ends the one that it names and no other; also after the index was lost.
#[test]
fn a_weaker_hold_leaves_a_courts_hold_as_it_is() {
    let mut scene = Scene::new();
    scene.receipt(sent(1));
    let done = |outcome: Outcome| assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    done(scene.record(hold(1, false, false)));
    done(scene.record(hold(1, true, false)));
    for again in [
        hold(1, false, false),
        ordered(hold(1, false, false), "h", "case:1"),
        ordered(hold(1, false, false), "h", "case:2"),
    ] {
        done(scene.record(again));
        assert_eq!(
            failed(scene.record(erase(1, "exonerated"))),
            WireCode::OnHold
        );
    }
    scene.restart();
    let release = || hold(1, false, true);
    let wrong = scene.record(ordered(release(), "a", "case:3"));
    assert_eq!(failed(wrong), WireCode::NotFound);
    let not_theirs = scene.record(ordered(release(), "a", "case:2"));
    assert_eq!(failed(not_theirs), WireCode::OnHold);
    done(scene.record(ordered(release(), "h", "case:1")));
    done(scene.record(operated(ordered(release(), "b", "case:2"))));
    let held = |scene: &mut Scene| failed(scene.record(erase(1, "exonerated")));
    assert_eq!(held(&mut scene), WireCode::OnHold, "the court's is left");
    scene.restart();
    assert_eq!(held(&mut scene), WireCode::OnHold);
    for number in 1..limits::HOLDS_MAX {
        let one = ordered(hold(1, false, false), "h", &format!("case:{number}"));
        done(scene.record(one));
    }
    let one_more = scene.record(ordered(hold(1, false, false), "h", "more"));
    assert_eq!(failed(one_more), WireCode::TooLarge);
    done(scene.record(release()));
    scene.receipt(erase(1, "exonerated"));
    let live = scene.index();
    assert!(live.iter().all(|row| row.0 != Table::Hold as u8));
    scene.restart();
    assert_eq!(scene.index(), live);
}

// ERA-12: what a journal of before says is read as it was meant: a message has one hold, the newest, and
// any release ends it; what is ordered now stands beside it.
#[test]
fn holds_of_a_journal_of_before_are_still_held() {
    let mut scene = Scene::new();
    for number in [1, 2] {
        scene.receipt(sent(number));
    }
    let write = |scene: &mut Scene, kind, number, authority: &str, court| {
        let record = Record {
            ground: "litigation".to_owned(),
            authority: authority.to_owned(),
            members: names(&["a"]),
            envelope_id: Bytes::copy_from_slice(&id(number).0),
            court,
            ..Record::about(key(number))
        };
        let planned = Planned::plain(0, kind, record);
        scene.sequencer.append(&[planned], None).expect("a disk");
    };
    write(&mut scene, records::HELD, 1, "case:0", false);
    write(&mut scene, records::HELD, 1, "case:1", true);
    write(&mut scene, records::HELD, 2, "case:1", true);
    write(&mut scene, records::RELEASED, 2, "case:9", false);
    scene.restart();
    scene.receipt(erase(2, "exonerated"));
    assert!(matches!(
        scene.record(ordered(hold(1, false, false), "a", "case:2")),
        Outcome::Done
    ));
    for _ in 0..2 {
        assert_eq!(
            failed(scene.record(erase(1, "exonerated"))),
            WireCode::OnHold
        );
        scene.restart();
    }
    assert!(matches!(scene.record(hold(1, true, true)), Outcome::Done));
    assert_eq!(
        failed(scene.record(erase(1, "withdrawn"))),
        WireCode::OnHold
    );
    scene.receipt(erase(1, "exonerated"));
}

// RCL-8, ERA-9: what is erased cannot be withdrawn any more; and a recall that comes for it from
// elsewhere is taken as for a message that is not there.
#[test]
fn a_recall_of_an_erased_message_is_refused_where_it_is_submitted() {
    let mut scene = Scene::new();
    scene.receipt(sent(1));
    scene.receipt(erase(1, "withdrawn"));
    let mut recall = message(5);
    recall.recalls = Some(Box::new(crate::ledger::Recalls {
        message: key(1),
        envelope: EnvelopeId([1; 32]),
        stops: Vec::new(),
    }));
    let submitted = Entry::Submit {
        admitted: recall.clone(),
        nodes: names(&["nb"]),
        members: Vec::new(),
        recipients: names(&["b"]),
    };
    assert_eq!(failed(scene.record(submitted)), WireCode::Erased);
    scene.receipt(Entry::Deliver {
        admitted: recall,
        members: names(&["h"]),
        retired: Vec::new(),
    });
    let row = records::message_key(key(1), ERASED_SUFFIX, &[]);
    assert!(
        scene
            .sequencer
            .index
            .get(Table::Message, &row)
            .expect("an index")
            .is_some()
    );
}
