use std::{fs, path::PathBuf};

use frex_proto::{envelope::SignedEnvelope, limits, v1::Lane};

use super::{Found, Kept, KeptBatch, Named, SentError, SentStore};
use crate::{
    client::{DraftBuilder, Sealer},
    environment::{Clock, Environment, Random},
    fixture::{Federation, NOW_MS, key},
};

const WORDS: &[u8] = b"words that only the recipient may read";
const TYPE: &str = "text/plain";

struct Scene {
    folder: tempfile::TempDir,
    federation: Federation,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            federation: Federation::new(frex_proto::v1::Status::Live),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sent")
    }

    fn open(&self) -> Result<SentStore, SentError> {
        SentStore::open(&self.path(), NOW_MS)
    }

    fn kept(&self, reference: &str, content: &[u8]) -> Kept {
        let roster = self.federation.roster();
        let environment = Environment {
            clock: Clock::virtual_from(NOW_MS),
            random: Random::System,
        };
        let draft = DraftBuilder::new(&roster, "member-a", &["member-b"], &environment)
            .lane(Lane::Bulk)
            .content(TYPE, content.to_vec());
        let draft = draft.build(&roster).unwrap();
        let sealer = Sealer::new(key(102), Random::System);
        Kept {
            reference: reference.to_owned(),
            named: named(reference, content),
            message: draft.message_id,
            kind: draft.kind,
            lane: draft.lane,
            created_ms: draft.created_ms,
            expires_ms: draft.expires_ms,
            envelope: sealer.seal(&draft).unwrap(),
        }
    }

    fn keep(&self, store: &mut SentStore, references: &[&str]) -> KeptBatch {
        let items = references.iter().map(|name| self.kept(name, WORDS));
        store.keep(items.collect()).unwrap()
    }
}

fn named(reference: &str, content: &[u8]) -> Named {
    Named::new(reference, TYPE, content, &["member-b".to_owned()]).unwrap()
}

fn same(one: &SignedEnvelope, other: &SignedEnvelope) -> bool {
    (one.id, &one.signed, &one.wraps, &one.body, &one.members)
        == (
            other.id,
            &other.signed,
            &other.wraps,
            &other.body,
            &other.members,
        )
}

// MBR-13: a program that is stopped at any moment finds what it had sealed, byte for byte.
#[tokio::test]
async fn what_was_sealed_is_found_again_until_it_is_submitted() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    assert!(matches!(
        store.find(&named("A-1", WORDS)),
        Ok(Found::Nothing)
    ));
    let batch = scene.keep(&mut store, &["A-1", "A-2"]);
    drop(store);

    let mut store = scene.open().unwrap();
    let found = store.find(&named("A-1", WORDS));
    assert!(matches!(found, Ok(Found::Sealed(sent)) if sent.message == batch.items[0].message));
    let again = store.pending().unwrap();
    assert_eq!(again.len(), 1);
    for (kept, read) in batch.items.iter().zip(&again[0].items) {
        assert!(same(&kept.envelope, &read.envelope));
        assert_eq!((&kept.reference, kept.named), (&read.reference, read.named));
    }
    store.settle(&again[0], |place| place == 0).unwrap();
    drop(store);

    let store = scene.open().unwrap();
    assert!(store.pending().unwrap().is_empty());
    let found = store.find(&named("A-1", WORDS));
    let sent = batch.items[0].envelope.id;
    assert!(matches!(found, Ok(Found::Submitted(before)) if before.envelope == sent));
    // MBR-13: of what was refused for good nothing is left, so that it may be mended and sent.
    assert!(matches!(
        store.find(&named("A-2", WORDS)),
        Ok(Found::Nothing)
    ));
}

// MBR-13: a large body is kept whole, though it travels in a frame of its own.
#[tokio::test]
async fn a_large_envelope_is_kept_whole() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let content = vec![7; limits::INLINE_BODY_BYTES_MAX * 3];
    let batch = store.keep(vec![scene.kept("A-1", &content)]).unwrap();
    let read = store.pending().unwrap();
    assert!(same(&batch.items[0].envelope, &read[0].items[0].envelope));
}

// MBR-13: a program that dies between noting and tidying submits once more and mints nothing.
#[tokio::test]
async fn a_batch_that_was_noted_and_not_removed_is_known_as_submitted() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let batch = scene.keep(&mut store, &["A-1"]);
    let bytes = fs::read(&batch.path).unwrap();
    store.settle(&batch, |_| true).unwrap();
    drop(store);
    fs::write(&batch.path, bytes).unwrap();
    let mut store = scene.open().unwrap();
    assert!(matches!(
        store.find(&named("A-1", WORDS)),
        Ok(Found::Submitted(_))
    ));
    let left = store.pending().unwrap();
    store.settle(&left[0], |_| true).unwrap();
    // The number of a batch is never used for another while its file may still be there.
    let next = scene.keep(&mut store, &["A-2"]);
    assert_ne!(next.path, left[0].path);
}

// MBR-14
#[tokio::test]
async fn one_reference_names_one_report_to_the_same_members() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let _ = scene.keep(&mut store, &["A-1"]);
    let other_words = store.find(&named("A-1", b"other words"));
    assert!(matches!(other_words, Err(SentError::OtherReport)));
    let to = ["member-a".to_owned(), "member-b".to_owned()];
    let more = Named::new("A-1", TYPE, WORDS, &to).unwrap();
    assert!(matches!(store.find(&more), Err(SentError::OtherReport)));
    let other_type = Named::new("A-1", "text/html", WORDS, &to[1..]).unwrap();
    assert!(matches!(
        store.find(&other_type),
        Err(SentError::OtherReport)
    ));
    let taken = store.keep(vec![scene.kept("A-1", b"other words")]);
    assert!(matches!(taken, Err(SentError::OtherReport)));
    assert_eq!(store.pending().unwrap().len(), 1);
    let turned = [to[1].clone(), to[0].clone()];
    let turned = Named::new("A-1", TYPE, WORDS, &turned).unwrap();
    assert_eq!(more, turned);
}

#[test]
fn a_reference_has_a_length() {
    for wrong in [String::new(), "x".repeat(257)] {
        let named = Named::new(&wrong, TYPE, WORDS, &[]);
        assert!(matches!(named, Err(SentError::Reference)));
    }
}

// MBR-15: whoever reads the folder reads neither report nor key.
#[tokio::test]
async fn nothing_of_what_is_said_is_in_the_files() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let batch = scene.keep(&mut store, &["A-1"]);
    let sealed = fs::read(&batch.path).unwrap();
    store.settle(&batch, |_| true).unwrap();
    let log = fs::read(scene.path().join("submitted.log")).unwrap();
    for bytes in [sealed, log] {
        assert!(!bytes.is_empty());
        assert!(!bytes.windows(WORDS.len()).any(|window| window == WORDS));
    }
}

#[tokio::test]
async fn a_second_program_is_kept_out() {
    let scene = Scene::new();
    let store = scene.open().unwrap();
    assert!(matches!(scene.open(), Err(SentError::Locked)));
    drop(store);
    assert!(scene.open().is_ok());
}

// MBR-13: what a crash has cut short was not relied on; anything else that is wrong is said.
#[tokio::test]
async fn a_log_that_was_cut_short_opens_and_a_damaged_one_does_not() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    for reference in ["A-1", "A-2"] {
        let batch = scene.keep(&mut store, &[reference]);
        store.settle(&batch, |_| true).unwrap();
    }
    drop(store);
    let log = scene.path().join("submitted.log");
    let whole = fs::read(&log).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [first, first + 1, whole.len() - 1] {
        fs::write(&log, &whole[..cut]).unwrap();
        let store = scene.open().unwrap();
        assert!(matches!(
            store.find(&named("A-1", WORDS)),
            Ok(Found::Submitted(_))
        ));
        assert!(matches!(
            store.find(&named("A-2", WORDS)),
            Ok(Found::Nothing)
        ));
        drop(store);
        assert_eq!(fs::read(&log).unwrap(), whole[..first]);
    }
    let mut damaged = whole.clone();
    damaged[3] = b'z';
    fs::write(&log, &damaged).unwrap();
    assert!(matches!(scene.open(), Err(SentError::Damaged { path, .. }) if path == log));
}

// MBR-13: ids stay for a month after the end of the report, and then go by themselves.
#[tokio::test]
async fn what_has_long_expired_is_forgotten() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let batch = scene.keep(&mut store, &["A-1"]);
    store.settle(&batch, |_| true).unwrap();
    drop(store);
    let end_ms = batch.items[0].expires_ms + limits::LIFE_MS_MAX;
    let known = |now_ms| {
        let store = SentStore::open(&scene.path(), now_ms).unwrap();
        !matches!(store.find(&named("A-1", WORDS)), Ok(Found::Nothing))
    };
    assert!(known(end_ms - 1));
    assert!(!known(end_ms));
}

// MBR-13: a batch that does not read back is named, and not taken for nothing.
#[tokio::test]
async fn a_damaged_batch_is_named() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let batch = scene.keep(&mut store, &["A-1"]);
    drop(store);
    let bytes = fs::read(&batch.path).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &[]] {
        fs::write(&batch.path, damaged).unwrap();
        assert!(matches!(scene.open(), Err(SentError::Damaged { path, .. }) if path == batch.path));
    }
}

// MBR-17: what left under a reference is found by the beginning of either id, before it is
// submitted and after, also while another program holds the folder.
#[tokio::test]
async fn what_was_sent_is_found_by_its_ids_with_its_recipients() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let batch = scene.keep(&mut store, &["A 1 \"so\"\n", "A-2"]);
    let kept = &batch.items[0];
    let ids = [kept.message.to_string(), kept.envelope.id.to_string()];
    let recollect = |id: &str| SentStore::recollect(&scene.path(), id).unwrap();
    let is_found = |submitted| {
        for id in &ids {
            let found = recollect(&id[..12]);
            assert_eq!((found.len(), found[0].submitted), (1, submitted));
            assert_eq!(found[0].expires_ms, kept.expires_ms);
            let address = found[0].address.as_ref().unwrap();
            assert_eq!(address.reference, kept.reference);
            assert_eq!(address.to, ["member-b"]);
            assert_eq!((address.kind, address.lane), (kept.kind, Lane::Bulk));
            assert_eq!(address.created_ms, kept.created_ms);
        }
    };
    is_found(false);
    store.settle(&batch, |_| true).unwrap();
    is_found(true);
    assert_eq!(recollect("").len(), 2);
    drop(store);

    // A log that is written anew keeps it, and a line of an older program has no address.
    let log = scene.path().join("submitted.log");
    let text = fs::read_to_string(&log).unwrap();
    let (first, second) = text.split_once('\n').unwrap();
    let old: Vec<&str> = second.splitn(6, ' ').take(5).collect();
    fs::write(&log, format!("{first}\n{}\ncut", old.join(" "))).unwrap();
    let store = scene.open().unwrap();
    assert!(matches!(
        store.find(&named("A-2", WORDS)),
        Ok(Found::Submitted(_))
    ));
    is_found(true);
    let second = recollect(&batch.items[1].message.to_string());
    assert_eq!((second.len(), &second[0].address), (1, &None));
    let nowhere = SentStore::recollect(&scene.path().join("none"), "");
    assert!(nowhere.unwrap().is_empty());
}

// ERA-14: of a message that is forgotten neither the reference nor the hash of its words is left in any
// file, submitted or only sealed; all others stay, now and for whoever opens the store later.
#[tokio::test]
async fn what_is_forgotten_is_in_no_file() {
    let scene = Scene::new();
    let mut store = scene.open().unwrap();
    let submitted = scene.keep(&mut store, &["A-1", "A-2"]);
    store.settle(&submitted, |_| true).unwrap();
    let sealed = scene.keep(&mut store, &["B-1", "B-2"]);
    for batch in [&submitted, &sealed] {
        let gone = [batch.items[0].message].into();
        assert!(store.forget(&gone).unwrap());
        assert!(!store.forget(&gone).unwrap());
    }
    let later = scene.keep(&mut store, &["C-1"]);
    store.settle(&later, |_| true).unwrap();
    drop(store);

    let store = scene.open().unwrap();
    for (reference, known) in [
        ("A-1", false),
        ("A-2", true),
        ("B-1", false),
        ("B-2", true),
        ("C-1", true),
    ] {
        let found = store.find(&named(reference, WORDS)).unwrap();
        assert_eq!(!matches!(found, Found::Nothing), known, "{reference}");
    }
    for entry in fs::read_dir(scene.path()).unwrap() {
        let text = String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
        assert!(!text.contains("A-1") && !text.contains("B-1"));
        assert!(!text.contains(&submitted.items[0].message.to_string()));
    }
}
