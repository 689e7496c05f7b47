//! The member's folder: what is held, epochs, quotas, what was asked.

use std::collections::BTreeMap;

use bytes::Bytes;
use frex_proto::{error::WireCode, id::EnvelopeId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::{DAY_MS, NOW_MS, identity, phone, rng};
use crate::casework::deconflict::{
    store::{Admission, Begin, Desk, Holding, OwnEpoch, Settings, Store, StoreError},
    *,
};

fn folder() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::of(dir.path());
    let mut settings = Settings {
        items_per_day: 10,
        items_per_day_all: 15,
        ..Settings::default()
    };
    let desk = Desk {
        email: "desk@hotline.example".to_owned(),
        ..Desk::default()
    };
    settings.desk.insert("default".to_owned(), desk);
    store.write_settings(&settings).unwrap();
    assert_eq!(store.settings().unwrap(), settings);
    (dir, store)
}

fn holding(identifier: Identifier, silent: bool) -> Holding {
    Holding {
        identifier,
        desk: "default".to_owned(),
        silent,
        source: "test".to_owned(),
    }
}

fn begin(store: &Store, now_ms: u64) -> Result<OwnEpoch, StoreError> {
    let begin = Begin {
        federation: "example",
        member: "hotline.fr",
        identity: &identity(),
        now_ms,
        progress: &mut |_| {},
    };
    // Each epoch draws anew.
    let seed = u8::try_from(store.epochs()?.len()).unwrap();
    store.begin_epoch(begin, &mut rng(seed))
}

fn query(count: u64) -> (Question, DeconflictQuery) {
    let question = Question::begin((0..count).map(phone).collect(), &mut rng(2)).unwrap();
    let query = question.query(&[]);
    (question, query)
}

fn ask(store: &Store, id: u8, count: u64, now_ms: u64) -> Option<Served> {
    let (_, query) = query(count);
    let serving = Serving {
        member: "police.es",
        envelope: EnvelopeId([id; 32]),
        query: &query,
        now_ms,
    };
    serve(store, serving, &mut rng(3)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    // DCF-22: holding and letting go, in whatever order, is what a map would be.
    #[test]
    fn holdings_are_a_map(steps in prop::collection::vec((any::<bool>(), prop::collection::vec((0_u64..12, any::<bool>()), 0..8)), 1..8)) {
        let (_dir, store) = folder();
        let mut due: BTreeMap<Identifier, bool> = BTreeMap::new();
        for (holds, rows) in steps {
            let merged = if holds {
                let given = rows.iter().map(|(number, silent)| holding(phone(*number), *silent));
                due.extend(rows.iter().map(|(number, silent)| (phone(*number), *silent)));
                store.hold(given.collect()).unwrap()
            } else {
                let gone: Vec<Identifier> = rows.iter().map(|(number, _)| phone(*number)).collect();
                due.retain(|identifier, _| !gone.contains(identifier));
                store.let_go(|holding| gone.contains(&holding.identifier)).unwrap()
            };
            prop_assert_eq!(merged.total, due.len() as u64);
        }
        let mut held = BTreeMap::new();
        store.each_held(|holding| {
            held.insert(holding.identifier, holding.silent);
            Ok(())
        }).unwrap();
        prop_assert_eq!(held, due);
    }
}

fn book(own: &OwnEpoch) -> Book {
    Book::check(own.book().unwrap(), &own.epoch.book_sha256).unwrap()
}

// DCF-12, DCF-22: what may not be told stands in no book; a desk that is not named stops all of it.
#[test]
fn what_is_silent_is_not_in_the_book() {
    let (_dir, store) = folder();
    let port = Identifier::parse("ip 192.0.2.7 443 2026-11-26T22:15:00Z").unwrap();
    let held = [
        holding(phone(1), false),
        holding(phone(2), true),
        holding(port.clone(), false),
    ];
    assert_eq!(store.hold(held.to_vec()).unwrap().added, 4);
    let own = begin(&store, NOW_MS).unwrap();
    let found = |identifier: &Identifier| {
        let output = own.key().unwrap().output(&identifier.input()).unwrap();
        book(&own).find(&output).map(|desk| desk.email)
    };
    assert_eq!(found(&phone(1)).unwrap(), "desk@hotline.example");
    assert_eq!((found(&phone(2)), found(&phone(3))), (None, None));
    assert!(found(&port).is_some() && found(&port.implied().unwrap()).is_some());
    let verified = Epoch::verify(
        &own.signed,
        &[identity().verifying_key()],
        "example",
        "hotline.fr",
    );
    assert_eq!(verified.unwrap(), own.epoch);
    let mut other = holding(phone(4), false);
    other.desk = "night".to_owned();
    store.hold(vec![other]).unwrap();
    assert!(matches!(
        begin(&store, NOW_MS),
        Err(StoreError::NoDesk { .. })
    ));
    assert_eq!(store.epoch(NOW_MS).unwrap().unwrap().epoch, own.epoch);
}

// DCF-22: of an identifier with two sources one goes alone, and what is silent from one is silent.
#[test]
fn what_is_held_from_two_sources_is_held_until_both_are_gone() {
    let (_dir, store) = folder();
    let from = |source: &str, silent: bool| Holding {
        source: source.to_owned(),
        ..holding(phone(1), silent)
    };
    let held = || {
        let mut found = Vec::new();
        let shown = store.each_held(|one| {
            found.push((one.silent, one.source));
            Ok(())
        });
        shown.unwrap();
        found
    };
    store
        .hold(vec![from("report", false), from("court", true)])
        .unwrap();
    assert_eq!(held(), [(true, "court report".to_owned())]);
    store.let_go(|one| one.source == "court").unwrap();
    assert_eq!(held(), [(false, "report".to_owned())]);
    store.let_go(|one| one.source == "report").unwrap();
    assert!(held().is_empty());
}

// DCF-16, DCF-23.
#[test]
fn keys_and_books_of_epochs_that_are_over_are_destroyed() {
    let (_dir, store) = folder();
    let first = begin(&store, NOW_MS).unwrap();
    assert_eq!(store.destroy_ended(NOW_MS).unwrap(), 0);
    // Begun at the same moment, it is another epoch all the same.
    let second = begin(&store, NOW_MS).unwrap();
    assert_eq!(second.epoch.begins_ms, NOW_MS + 1);
    assert_ne!(second.epoch.public_key, first.epoch.public_key);
    assert_eq!(store.destroy_ended(NOW_MS).unwrap(), 1);
    assert!(first.key().is_err() && !first.book_path().exists());
    assert!(store.epoch(NOW_MS).unwrap().is_some());
    let end_ms = second.epoch.ends_ms;
    assert!(store.epoch(end_ms).unwrap().is_none());
    assert_eq!(store.destroy_ended(end_ms).unwrap(), 1);
    assert_eq!(store.epochs().unwrap().len(), 2);
}

// DCF-18, DCF-19: for each asker and for all, over 24 hours, whatever the clock says afterwards.
#[test]
fn what_was_counted_stays_counted_and_ends_after_a_day() {
    let (_dir, store) = folder();
    let settings = store.settings().unwrap();
    let admit = |id: u8, member: &str, items: usize, now_ms: u64| {
        let envelope = EnvelopeId([id; 32]);
        store
            .admit(envelope, member, items, now_ms, &settings)
            .unwrap()
    };
    let over = |again_ms: u64| Admission::Over { again_ms };
    assert_eq!(admit(1, "a", 6, NOW_MS), Admission::Counted);
    assert_eq!(admit(1, "a", 6, NOW_MS), Admission::Again);
    assert_eq!(admit(2, "a", 4, NOW_MS + 5), Admission::Counted);
    assert_eq!(admit(3, "a", 1, NOW_MS + 9), over(NOW_MS + DAY_MS));
    assert_eq!(admit(3, "a", 7, NOW_MS + 9), over(NOW_MS + 5 + DAY_MS));
    assert_eq!(admit(3, "a", 11, NOW_MS + 9), over(0));
    // A clock that is set back gives nothing back.
    assert_eq!(admit(3, "a", 1, NOW_MS - 9), over(NOW_MS + DAY_MS));
    assert_eq!(admit(4, "b", 5, NOW_MS + 10), Admission::Counted);
    assert_eq!(admit(5, "c", 1, NOW_MS + 10), over(NOW_MS + DAY_MS));
    assert_eq!(admit(3, "a", 1, NOW_MS + DAY_MS), Admission::Counted);
}

// DCF-18, DCF-20: the answer of before is not given again, and one that did not leave is not counted again.
#[test]
fn a_question_is_answered_once() {
    let (_dir, store) = folder();
    store.hold(vec![holding(phone(1), false)]).unwrap();
    begin(&store, NOW_MS).unwrap();
    let first = ask(&store, 1, 8, NOW_MS).unwrap();
    assert!(first.answer.refusal.is_empty());
    // It did not leave: the same is evaluated, and the quota of 10 is as it was.
    let again = ask(&store, 1, 8, NOW_MS).unwrap();
    assert_eq!(again.answer.evaluated, first.answer.evaluated);
    store.note_served(&again.note).unwrap();
    assert!(ask(&store, 1, 8, NOW_MS).is_none());
    let refused = ask(&store, 2, 8, NOW_MS).unwrap();
    assert_eq!(refused.answer.refusal, REFUSED_QUOTA);
    assert_eq!(refused.answer.again_ms, NOW_MS + DAY_MS);
    assert!(refused.answer.evaluated.is_empty() && refused.answer.epoch.is_empty());
    store.note_served(&refused.note).unwrap();
    let told: Vec<String> = store
        .all_served()
        .unwrap()
        .into_iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(told, ["answered", "refused"]);
}

// DCF-19: who is not served, and who asks where nothing was begun, hears why.
#[test]
fn who_is_not_answered_hears_why() {
    let (_dir, store) = folder();
    assert_eq!(
        ask(&store, 1, 1, NOW_MS).unwrap().answer.refusal,
        REFUSED_NO_BOOK
    );
    begin(&store, NOW_MS).unwrap();
    let mut settings = store.settings().unwrap();
    settings.serve = vec!["clearing.de".to_owned()];
    store.write_settings(&settings).unwrap();
    assert_eq!(
        ask(&store, 1, 1, NOW_MS).unwrap().answer.refusal,
        REFUSED_NOT_SERVED
    );
    settings.serve.push("police.es".to_owned());
    store.write_settings(&settings).unwrap();
    let (_, mut query) = query(1);
    query.blinded[0] = vec![0; 32].into();
    let serving = Serving {
        member: "police.es",
        envelope: EnvelopeId([1; 32]),
        query: &query,
        now_ms: NOW_MS,
    };
    let served = serve(&store, serving, &mut rng(1)).unwrap().unwrap();
    assert_eq!(served.answer.refusal, REFUSED_MALFORMED);
}

// DCF-5, DCF-14: with and without a hit, the asked member does and keeps the same.
#[test]
fn an_asked_member_cannot_tell_a_hit_from_nothing() {
    let kept = |held: u64| {
        let (_dir, store) = folder();
        store.hold(vec![holding(phone(held), false)]).unwrap();
        begin(&store, NOW_MS).unwrap();
        let served = ask(&store, 1, 1, NOW_MS).unwrap();
        (encode(What::Answer(served.answer)).len(), served.note)
    };
    assert_eq!(kept(0), kept(5));
}

// DCF-7, DCF-17: the book comes once; what is wrong in an answer is not believed.
#[test]
fn an_answer_is_read_with_its_book() {
    let (_dir, store) = folder();
    store.hold(vec![holding(phone(1), false)]).unwrap();
    let own = begin(&store, NOW_MS).unwrap();
    let (question, query) = query(3);
    let served = ask(&store, 1, 3, NOW_MS).unwrap();
    let What::Answer(answer) = decode(&encode(What::Answer(served.answer))).unwrap() else {
        panic!("an answer");
    };
    assert_eq!(answer.book, own.book().unwrap());
    let id = [1; 32];
    let outputs = read_answer(&question, &id, &answer, &own.epoch).unwrap();
    let hits: Vec<bool> = outputs
        .iter()
        .map(|output| book(&own).find(output).is_some())
        .collect();
    assert_eq!(hits, [false, true, false]);
    let wrong = read_answer(&question, &[2; 32], &answer, &own.epoch);
    assert_eq!(wrong.err(), Some(AnswerError::OtherQuestion));
    let has_it = DeconflictQuery {
        books: vec![Bytes::copy_from_slice(&own.epoch.book_sha256)],
        ..query
    };
    let serving = Serving {
        member: "clearing.de",
        envelope: EnvelopeId([2; 32]),
        query: &has_it,
        now_ms: NOW_MS,
    };
    let served = serve(&store, serving, &mut rng(4)).unwrap().unwrap();
    assert!(served.answer.book.is_empty() && served.attach.is_none());
}

// DCF-16: the second statement of one epoch is kept beside the first, and refused.
#[test]
fn two_books_of_one_epoch_are_evidence() {
    let (_dir, store) = folder();
    let state = |book: &[u8], begins_ms: u64| {
        let draft = EpochDraft {
            federation: "example",
            member: "police.es",
            begins_ms,
            ends_ms: begins_ms + DAY_MS,
            public_key: &[1; 32],
            book,
        };
        let signed = draft.sign(&identity()).unwrap();
        (Epoch::stated(&signed).unwrap(), signed)
    };
    let (first, signed) = state(b"one book", NOW_MS);
    store.see(&signed, &first).unwrap();
    store.see(&signed, &first).unwrap();
    let (next, signed) = state(b"another book", NOW_MS + 1);
    store.see(&signed, &next).unwrap();
    let (second, signed) = state(b"another book", NOW_MS);
    let refused = store.see(&signed, &second).unwrap_err();
    assert_eq!(WireCode::from(refused), WireCode::TwoBooks);
    let seen = store.seen().unwrap();
    let told: Vec<(u64, bool)> = seen
        .iter()
        .map(|one| (one.epoch.begins_ms, one.is_second))
        .collect();
    assert_eq!(told, [(NOW_MS, false), (NOW_MS, true), (NOW_MS + 1, false)]);
    assert_eq!(seen[1].epoch, second);
}

// DCF-19, LIM-138, LIM-139: settings that nobody could be answered by are refused.
#[test]
fn settings_are_checked() {
    let (_dir, store) = folder();
    let wrong: [fn(&mut Settings); 4] = [
        |settings| settings.epoch_days = 0,
        |settings| settings.epoch_days = 32,
        |settings| drop(settings.desk.insert("Night".to_owned(), Desk::default())),
        |settings| drop(settings.desk.insert("night".to_owned(), Desk::default())),
    ];
    for change in wrong {
        let mut settings = store.settings().unwrap();
        change(&mut settings);
        let refused = store.write_settings(&settings).unwrap_err();
        assert_eq!(WireCode::from(refused), WireCode::BadConfig);
    }
    std::fs::write(store.settings_path(), "items_per_dya = 1\n").unwrap();
    assert!(matches!(store.settings(), Err(StoreError::Settings { .. })));
}
