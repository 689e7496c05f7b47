//! Both sides at once: what is held is found, and nothing else is learned.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_proto::{keys::SigningKey, label, limits};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

mod folder;

pub(super) const NOW_MS: u64 = 1_900_000_000_000;
pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(super) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub(super) fn identity() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

pub(super) fn phone(number: u64) -> Identifier {
    Identifier::parse(&format!("phone +999{:07}", number % 10_000_000)).unwrap()
}

fn desk() -> DeconflictDesk {
    DeconflictDesk {
        email: "desk@hotline.example".to_owned(),
        ..DeconflictDesk::default()
    }
}

fn book(key: &EpochKey, held: &[Identifier], seed: u8) -> Bytes {
    let mut builder = BookBuilder::new(&[desk()], &mut rng(seed)).unwrap();
    for one in held {
        builder.hold(&key.output(&one.input()).unwrap(), 0).unwrap();
    }
    builder.finish(&mut rng(seed)).into()
}

fn checked(bytes: &Bytes) -> Book {
    Book::check(bytes.clone(), &label::sha256(&[bytes])).unwrap()
}

/// Asks for identifiers and looks them up, as an asker would.
fn asked(key: &EpochKey, book: &Book, identifiers: Vec<Identifier>, seed: u8) -> Vec<bool> {
    let question = Question::begin(identifiers, &mut rng(seed)).unwrap();
    let query = question.query(&[]);
    let done = key.evaluate(&query.blinded, &mut rng(seed)).unwrap();
    let answer = DeconflictAnswer {
        query: vec![1; 32].into(),
        evaluated: done.evaluated,
        proof: done.proof,
        ..DeconflictAnswer::default()
    };
    let epoch = epoch(key.public());
    let outputs = read_answer(&question, &[1; 32], &answer, &epoch).unwrap();
    let found = outputs.iter().map(|output| book.find(output));
    found.map(|desk| desk.is_some()).collect()
}

fn epoch(public_key: [u8; 32]) -> Epoch {
    Epoch {
        federation: "example".to_owned(),
        member: "hotline.fr".to_owned(),
        begins_ms: NOW_MS,
        ends_ms: NOW_MS + DAY_MS,
        public_key,
        book_sha256: [0; 32],
        book_bytes: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // DCF-12, DCF-14: no identifier that is held is missed, and none that is not is found.
    #[test]
    fn what_is_held_is_found_and_nothing_else(
        held in prop::collection::btree_set(0_u64..200, 0..40),
        wanted in prop::collection::btree_set(0_u64..200, 1..20),
        seed in 0_u8..250,
    ) {
        let key = EpochKey::generate(&mut rng(seed));
        let members: Vec<Identifier> = held.iter().copied().map(phone).collect();
        let book = checked(&book(&key, &members, seed));
        let found = asked(&key, &book, wanted.iter().copied().map(phone).collect(), seed);
        let due: Vec<bool> = wanted.iter().map(|number| held.contains(number)).collect();
        prop_assert_eq!(found, due);
    }

    // DCF-1: what is compared stays what it is, and whatever people write never panics.
    #[test]
    fn what_is_normal_stays_so(text in "(email|phone|account|username|ip|url|onion|hash)? ?.{0,60}") {
        if let Ok(identifier) = Identifier::parse(&text) {
            prop_assert_eq!(Identifier::normal(identifier.as_str()), Ok(identifier.clone()));
        }
    }

    // DCF-2: what is compared of a URL is what is compared of that.
    #[test]
    fn a_url_is_normal_at_once(host in "[a-z]{1,8}\\.[a-zA-Z]{2,4}", rest in "[/?#][ -~é]{0,40}") {
        if let Ok(first) = Identifier::parse(&format!("url http://{host}{rest}")) {
            let again = first.as_str().replacen("url ", "url http://", 1);
            prop_assert_eq!(Identifier::parse(&again), Ok(first));
        }
    }

    // DCF-14: no bytes of a peer make a book that panics.
    #[test]
    fn damaged_books_are_refused_or_read(at in 0_usize..6688, bit in 0_u8..8) {
        let key = EpochKey::generate(&mut rng(1));
        let mut bytes = book(&key, &[phone(1)], 1).to_vec();
        bytes[at] ^= 1 << bit;
        let hash = label::sha256(&[&bytes]);
        if let Ok(book) = Book::check(bytes.into(), &hash) {
            let _ = book.find(&key.output(&phone(1).input()).unwrap());
        }
    }
}

// DCF-14: the tags alone make a wrong hit rarer than one in 2^40, in the largest book.
#[test]
fn wrong_hits_are_rarer_than_anybody_will_see() {
    assert!(limits::BOOK_ROWS_MAX.ilog2() + 40 <= 64);
    let key = EpochKey::generate(&mut rng(2));
    let held: Vec<Identifier> = (0..1000).map(phone).collect();
    let book = checked(&book(&key, &held, 2));
    assert_eq!(book.row_count(), 1024);
    let mut random = rng(3);
    for _ in 0..200_000 {
        let mut output = [0; 64];
        random.fill_bytes(&mut output);
        assert!(book.find(&output).is_none());
    }
}

// DCF-9: an output is of what is compared, and of nothing else that FREX hashes.
#[test]
fn the_function_is_applied_to_what_is_compared() {
    let identifier = Identifier::parse("email Some.One@Mail.Example").unwrap();
    let input = b"frex/v1/deconflict-input\0email some.one@mail.example";
    assert_eq!(identifier.input(), input);
}

// DCF-6, DCF-10: the same identifier is blinded anew each time, and every question is as long.
#[test]
fn a_question_says_nothing_of_what_it_asks() {
    let ask = |identifiers: Vec<Identifier>, seed: u8| {
        let question = Question::begin(identifiers, &mut rng(seed)).unwrap();
        (
            question.query(&[]).blinded,
            encode(What::Query(question.query(&[]))),
        )
    };
    let (first, short) = ask(vec![phone(1)], 1);
    let (second, other) = ask(vec![phone(1)], 2);
    let (all, long) = ask((0..64).map(phone).collect(), 3);
    assert_ne!(first, second);
    assert_eq!([short.len(), other.len(), long.len()], [MESSAGE_BYTES; 3]);
    let elements: BTreeSet<&Bytes> = all.iter().collect();
    assert_eq!(elements.len(), 64);
    assert!(Question::begin(Vec::new(), &mut rng(1)).is_err());
    assert!(Question::begin((0..65).map(phone).collect(), &mut rng(1)).is_err());
}

// DCF-5: nothing but a book makes a message longer.
#[test]
fn a_message_without_a_book_is_of_the_one_length() {
    let question = Question::begin(vec![phone(1)], &mut rng(1)).unwrap();
    let mut bytes = encode(What::Query(question.query(&[]))).to_vec();
    assert!(decode(&bytes).is_ok());
    // A field that nobody knows yet, of two bytes.
    bytes.extend([14 << 3, 0]);
    assert_eq!(decode(&bytes), Err(MessageError::Length));
}

// DCF-1: an offset of a day is none, whatever a library reads.
#[test]
fn a_time_has_an_offset_of_less_than_a_day() {
    let at = |time: &str| Identifier::parse(&format!("ip 192.0.2.7 {time}"));
    assert!(at("2026-11-26T22:15:00.000000001-23:59").is_ok());
    for wrong in [
        "2026-11-26T22:15:00+24:00",
        "2026-11-26t22:15:00Z",
        "2026-11-26T22:15:00z",
        "2026-12-31T23:59:60Z",
        "2026-11-26T22:15:00.0000000001Z",
        "2026-11-26T22:15Z",
    ] {
        assert_eq!(at(wrong), Err(IdentifierError::Time), "{wrong}");
    }
}

// DCF-12, DCF-14: how many rows hold something is not seen, and nothing in one book is in another.
#[test]
fn rows_that_hold_nothing_look_like_those_that_do() {
    let key = EpochKey::generate(&mut rng(4));
    let held: Vec<Identifier> = (0..256).map(phone).collect();
    let (full, empty) = (book(&key, &held, 4), book(&key, &[], 5));
    assert_eq!(full.len(), empty.len());
    assert_eq!(full[..32], empty[..32]);
    let more = book(&key, &(0..257).map(phone).collect::<Vec<_>>(), 4);
    assert_eq!(more.len() - full.len(), 3 * 256 * 24);
    let rows = |book: &Bytes| -> BTreeSet<[u8; 24]> {
        book[32 + 512..].as_chunks().0.iter().copied().collect()
    };
    assert_eq!(rows(&full).len(), 256);
    let ones: u32 = full[32 + 512..].iter().map(|byte| byte.count_ones()).sum();
    let bits = 256 * 24 * 8;
    assert!(ones.abs_diff(bits / 2) < bits / 40, "{ones} of {bits}");
    let next = EpochKey::generate(&mut rng(6));
    assert!(rows(&full).is_disjoint(&rows(&book(&next, &held, 4))));
}

// DCF-16, DCF-23: under the next key nothing of before is found.
#[test]
fn outputs_of_one_epoch_are_worth_nothing_in_the_next() {
    let (first, second) = (
        EpochKey::generate(&mut rng(7)),
        EpochKey::generate(&mut rng(8)),
    );
    let held: Vec<Identifier> = (0..10).map(phone).collect();
    let next = checked(&book(&second, &held, 8));
    for one in &held {
        assert!(next.find(&first.output(&one.input()).unwrap()).is_none());
        assert!(next.find(&second.output(&one.input()).unwrap()).is_some());
    }
}

// DCF-15, DCF-17: an epoch counts from its beginning to its end, by clocks that differ a little.
#[test]
fn an_epoch_is_in_force_while_it_lasts() {
    let epoch = epoch([0; 32]);
    let skew_ms = limits::CLOCK_SKEW_MS_MAX;
    for (at_ms, due) in [
        (NOW_MS - skew_ms - 1, false),
        (NOW_MS - skew_ms, true),
        (NOW_MS + DAY_MS + skew_ms - 1, true),
        (NOW_MS + DAY_MS + skew_ms, false),
    ] {
        assert_eq!(epoch.is_in_force(at_ms), due, "{at_ms}");
    }
}

// DCF-3: who holds an address with its port is found by who knows the address alone.
#[test]
fn an_address_with_its_port_is_held_without_it_too() {
    let held = Identifier::parse("ip 192.0.2.7 443 2026-11-26T22:15:00Z").unwrap();
    let implied = held.implied().unwrap();
    assert_eq!(implied.as_str(), "ip 192.0.2.7 - 2026-11-26T22");
    assert_eq!((implied.implied(), phone(1).implied()), (None, None));
    assert_eq!(format!("{held:?}"), "Identifier(ip)");
}

// DCF-13, LIM-138: what does not fit a line is not written.
#[test]
fn a_desk_says_no_more_than_its_line_holds() {
    let named = |bytes: usize| DeconflictDesk {
        note: "n".repeat(bytes),
        ..DeconflictDesk::default()
    };
    let fits = named(limits::DESK_BYTES_MAX - 3);
    assert!(BookBuilder::new(&[fits], &mut rng(1)).is_ok());
    let long = named(limits::DESK_BYTES_MAX - 2);
    assert!(matches!(
        BookBuilder::new(&[long], &mut rng(1)),
        Err(BookError::Full)
    ));
    let many = vec![desk(); limits::BOOK_DESKS_MAX + 1];
    assert!(matches!(
        BookBuilder::new(&many, &mut rng(1)),
        Err(BookError::Full)
    ));
}
