//! The function by the vectors of RFC 9497 (A.1.2), books, epochs, messages and claims of our own.

use bytes::Bytes;
use frex_client::casework::deconflict::{
    BookBuilder, Deconflict, DeconflictAnswer, DeconflictContact, DeconflictDesk, DeconflictEpoch,
    DeconflictQuery, EpochKey, Identifier, Question, SUITE, What, encode,
};
use frex_proto::{keys::SigningKey, label, sign};
use prost::Message;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::Vector;

const KEY: &str = "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909";
const PUBLIC: &str = "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e";
const BLIND: &str = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";
const SECOND_BLIND: &str = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e";
const INPUTS: [&str; 2] = ["00", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"];
const BLINDED: [&str; 2] = [
    "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
    "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
];
const EVALUATED: [&str; 2] = [
    "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
    "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
];
const SECOND_ALONE: [&str; 2] = [
    "cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c",
    "60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468",
];
const PROOFS: [&str; 3] = [
    "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd066d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
    "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
    "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
];

fn from_hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn flipped(text: &str, at: usize) -> Vec<u8> {
    let mut bytes = from_hex(text);
    bytes[at] ^= 1;
    bytes
}

pub fn make() -> Vec<Vector> {
    [function(), books(), epochs(), messages(), calls(), claims()]
        .into_iter()
        .flatten()
        .collect()
}

fn finalize(name: &str, what: &str, items: &[usize], proof: &[u8]) -> Vector {
    let blinds = [BLIND, SECOND_BLIND];
    Vector::new(name, "DCF-11", what, "oprf_finalize")
        .hexes("inputs", items.iter().map(|one| from_hex(INPUTS[*one])))
        .hexes("blinds", (0..items.len()).map(|one| from_hex(blinds[one])))
        .hexes(
            "evaluated",
            items.iter().map(|one| from_hex(EVALUATED[*one])),
        )
        .hex("proof", proof)
        .hex("public_key", from_hex(PUBLIC))
}

fn with(vector: Vector, name: &'static str, value: impl Into<serde_json::Value>) -> Vector {
    let mut vector = vector;
    let value = value.into();
    for field in &mut vector.fields {
        if field.0 == name {
            field.1.clone_from(&value);
        }
    }
    vector
}

#[rustfmt::skip] // One vector on each line.
fn function() -> Vec<Vector> {
    let blind = |name: &str, input: &str, number: Vec<u8>, what: &str, expect: &str| {
        Vector::new(name, "DCF-10", what, "oprf_blind")
            .hex("input", from_hex(input))
            .hex("blind", number)
            .expect(expect)
    };
    let evaluate = |name: &str, blinded: Vec<Vec<u8>>, what: &str, expect: &str| {
        Vector::new(name, "DCF-18", what, "oprf_evaluate")
            .hex("key", from_hex(KEY))
            .hexes("blinded", blinded)
            .expect(expect)
    };
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let first = |what: &str| finalize("", what, &[0], &from_hex(PROOFS[0]));
    let named = |mut vector: Vector, name: &str| {
        name.clone_into(&mut vector.name);
        vector
    };
    let mut second = finalize("rfc9497-second", "the second vector", &[1], &from_hex(PROOFS[1]));
    second = with(second, "evaluated", vec![SECOND_ALONE[1]]);
    vec![
        blind("rfc9497-blind-first", INPUTS[0], from_hex(BLIND), "the first vector of RFC 9497", "ok"),
        blind("rfc9497-blind-second", INPUTS[1], from_hex(BLIND), "the second vector", "ok"),
        blind("blind-zero", INPUTS[0], vec![0; 32], "zero blinds nothing", "NotInGroup"),
        blind("blind-order", INPUTS[0], from_hex(order), "a number that is not below the order is refused", "NotInGroup"),
        blind("blind-short", INPUTS[0], vec![1; 31], "a number of another length is refused", "NotInGroup"),
        evaluate("rfc9497-evaluate", BLINDED.iter().map(|one| from_hex(one)).collect(), "both elements of the third vector", "ok"),
        evaluate("rfc9497-evaluate-alone", vec![from_hex(SECOND_ALONE[0])], "the element of the second vector", "ok"),
        evaluate("evaluate-identity", vec![vec![0; 32]], "the identity is no element that is evaluated", "NotInGroup"),
        evaluate("evaluate-not-canonical", vec![vec![0xff; 32]], "an encoding that is not canonical is refused", "NotInGroup"),
        evaluate("evaluate-negative", vec![[&[1][..], &[0; 31]].concat()], "a negative encoding is refused", "NotInGroup"),
        evaluate("evaluate-not-square", vec![[&[4][..], &[0; 30], &[0x27]].concat()], "bytes that encode nothing are refused", "NotInGroup"),
        evaluate("evaluate-one-bad", vec![from_hex(BLINDED[0]), vec![0; 32]], "one that is none refuses all", "NotInGroup"),
        named(first("the first vector of RFC 9497"), "rfc9497-first").expect("ok"),
        second.expect("ok"),
        finalize("rfc9497-batch", "the third vector: two under one proof", &[0, 1], &from_hex(PROOFS[2])).expect("ok"),
        finalize("proof-flipped", "a proof that was changed does not hold", &[0], &flipped(PROOFS[0], 40)).expect("Proof"),
        finalize("proof-of-another", "the proof of another evaluation does not hold", &[0], &from_hex(PROOFS[1])).expect("Proof"),
        finalize("proof-of-one-for-two", "the proof of one element does not hold for two", &[0, 1], &from_hex(PROOFS[0])).expect("Proof"),
        finalize("proof-exchanged", "two that changed places are not what was proved", &[1, 0], &from_hex(PROOFS[2])).expect("Proof"),
        finalize("proof-zero", "a proof of zeros is none", &[0], &[0; 64]).expect("NotInGroup"),
        finalize("proof-short", "a proof of another length is none", &[0], &from_hex(PROOFS[0])[..63]).expect("NotInGroup"),
        with(named(first("under another key nothing holds"), "key-of-another"), "public_key", BLINDED[0]).expect("Proof"),
        with(named(first("the identity is no key"), "key-identity"), "public_key", hex::encode([0; 32])).expect("NotInGroup"),
        with(named(first("another element than was evaluated"), "evaluated-of-another"), "evaluated", vec![EVALUATED[1]]).expect("Proof"),
        with(named(first("the identity was not evaluated"), "evaluated-identity"), "evaluated", vec![hex::encode([0; 32])]).expect("NotInGroup"),
        with(named(first("one answer for each"), "evaluated-too-many"), "evaluated", EVALUATED.to_vec()).expect("Count"),
        with(named(first("no answer at all"), "evaluated-none"), "evaluated", Vec::<String>::new()).expect("Count"),
    ]
}

fn key() -> EpochKey {
    EpochKey::of_bytes(&from_hex(KEY)).unwrap()
}

fn identifier(text: &str) -> Identifier {
    Identifier::parse(text).unwrap()
}

fn desk(email: &str) -> DeconflictDesk {
    DeconflictDesk {
        name: "Night desk".to_owned(),
        email: email.to_owned(),
        ..DeconflictDesk::default()
    }
}

#[rustfmt::skip] // One vector on each line.
fn books() -> Vec<Vector> {
    let key = key();
    let output = |text: &str| key.output(&identifier(text).input()).unwrap();
    let (held, other) = (output("email a@b.example"), output("phone +99955012345"));
    let desks = [desk("day@desk.example"), desk("night@desk.example")];
    let mut builder = BookBuilder::new(&desks, &mut rng(1)).unwrap();
    builder.hold(&held, 0).unwrap();
    builder.hold(&other, 1).unwrap();
    let book = builder.finish(&mut rng(2));
    let find = |name: &str, what: &str, spec: &str, book: &[u8], output: &[u8], expect: &str| {
        Vector::new(name, spec, what, "find_in_book")
            .hex("book", book)
            .hex("sha256", label::sha256(&[book]))
            .hex("output", output)
            .expect(expect)
    };
    let changed = |at: usize, byte: u8| {
        let mut book = book.clone();
        book[at] = byte;
        book
    };
    let rows_at = 32 + 4 * 512;
    let mut turned = book.clone();
    turned[rows_at..rows_at + 48].rotate_left(24);
    let mut lines = book.clone();
    for line in 0..4 {
        lines[32 + line * 512 + 100] ^= 1;
    }
    let nothing = output("email nobody@b.example");
    let hash = find("book-of-another-hash", "only the book that was signed is read", "DCF-14", &book, &held, "Hash");
    vec![
        find("book-held", "who is held opens whom to call", "DCF-12", &book, &held, "ok"),
        find("book-held-by-another-desk", "each row opens its own desk", "DCF-13", &book, &other, "ok"),
        find("book-nothing", "who is not held opens nothing", "DCF-12", &book, &nothing, "ok"),
        find("book-line-changed", "a line that was changed opens nothing", "DCF-13", &lines, &held, "ok"),
        with(hash, "sha256", hex::encode([1; 32])),
        find("book-empty", "no bytes are no book", "DCF-14", &[], &held, "Shape"),
        find("book-other-magic", "other first bytes are no book", "DCF-14", &changed(0, b'F'), &held, "Shape"),
        find("book-cut", "a book that was cut is none", "DCF-14", &book[..book.len() - 24], &held, "Shape"),
        find("book-longer", "nothing stands behind a book", "DCF-14", &[&book[..], &[0]].concat(), &held, "Shape"),
        find("book-row-class", "a number of rows that is no class is refused", "LIM-137", &changed(23, 1), &held, "Class"),
        find("book-row-many", "more rows than a book may have are refused", "LIM-137", &changed(16, 1), &held, "Class"),
        find("book-desk-class", "a number of desks that is no class is refused", "DCF-14", &changed(31, 3), &held, "Class"),
        find("book-order", "rows out of order are refused", "DCF-14", &turned, &held, "Order"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn epochs() -> Vec<Vector> {
    let identity = SigningKey::from_seed(&[3; 32]);
    let other = SigningKey::from_seed(&[4; 32]);
    let stated = DeconflictEpoch {
        federation: "example".to_owned(),
        member: "police.es".to_owned(),
        suite: SUITE,
        begins_ms: 1_900_000_000_000,
        ends_ms: 1_900_000_000_000 + 7 * 86_400_000,
        public_key: from_hex(PUBLIC).into(),
        book_sha256: vec![5; 32].into(),
        book_bytes: 6688,
    };
    let signed = |epoch: &DeconflictEpoch, key: &SigningKey, kind: &str| {
        let payload = Bytes::from(epoch.encode_to_vec());
        sign::sign(kind, payload, &[key]).unwrap().encode_to_vec()
    };
    let read = |name: &str, what: &str, spec: &str, epoch: Vec<u8>, expect: &str| {
        Vector::new(name, spec, what, "read_epoch")
            .hex("epoch", epoch)
            .hexes("keys", [identity.verifying_key().as_bytes()])
            .set("federation", "example")
            .set("member", "police.es")
            .expect(expect)
    };
    let kind = label::TYPE_DECONFLICT_EPOCH;
    let changed = |change: &dyn Fn(&mut DeconflictEpoch)| {
        let mut epoch = stated.clone();
        change(&mut epoch);
        signed(&epoch, &identity, kind)
    };
    let life = 31 * 86_400_000;
    let begins = stated.begins_ms;
    vec![
        read("epoch", "what a member states of an epoch", "DCF-15", signed(&stated, &identity, kind), "ok"),
        read("epoch-longest", "an epoch of 31 days", "DCF-15", changed(&|epoch| epoch.ends_ms = begins + life), "ok"),
        read("epoch-too-long", "an epoch of more than 31 days is refused", "DCF-15", changed(&|epoch| epoch.ends_ms = begins + life + 1), "Life"),
        read("epoch-backwards", "an epoch ends after it begins", "DCF-15", changed(&|epoch| epoch.ends_ms = begins), "Life"),
        read("epoch-suite", "another function is refused", "DCF-15", changed(&|epoch| epoch.suite = 2), "Suite"),
        read("epoch-key-length", "a key of another length is refused", "DCF-15", changed(&|epoch| epoch.public_key = vec![1; 31].into()), "Malformed"),
        read("epoch-hash-length", "a hash of another length is refused", "DCF-15", changed(&|epoch| epoch.book_sha256 = Bytes::new()), "Malformed"),
        read("epoch-member", "another member's epoch is none of this one", "DCF-16", changed(&|epoch| epoch.member = "police.de".to_owned()), "WrongMember"),
        read("epoch-federation", "an epoch of another federation is none", "DCF-16", changed(&|epoch| epoch.federation = "other".to_owned()), "WrongMember"),
        read("epoch-stranger", "a key that is not the member's states nothing", "DCF-15", signed(&stated, &other, kind), "UnknownKey"),
        read("epoch-other-type", "signed as something else it states nothing", "DCF-15", signed(&stated, &identity, label::TYPE_STAGE), "PayloadType"),
    ]
}

fn read(name: &str, what: &str, spec: &str, message: &[u8], expect: &str) -> Vector {
    Vector::new(name, spec, what, "read_deconflict")
        .hex("message", message)
        .expect(expect)
}

#[rustfmt::skip] // One vector on each line.
fn messages() -> Vec<Vector> {
    let query = DeconflictQuery {
        suite: SUITE,
        blinded: vec![from_hex(BLINDED[0]).into()],
        books: vec![vec![5; 32].into()],
    };
    let answer = DeconflictAnswer {
        query: vec![6; 32].into(),
        epoch: vec![7; 300].into(),
        evaluated: vec![from_hex(EVALUATED[0]).into()],
        proof: from_hex(PROOFS[0]).into(),
        ..DeconflictAnswer::default()
    };
    let refused = DeconflictAnswer {
        query: vec![6; 32].into(),
        refusal: "quota".to_owned(),
        again_ms: 1,
        ..DeconflictAnswer::default()
    };
    let short = Deconflict {
        what: Some(What::Query(query.clone())),
        padding: Bytes::new(),
    };
    let asked = |change: &dyn Fn(&mut DeconflictQuery)| {
        let mut query = query.clone();
        change(&mut query);
        encode(What::Query(query))
    };
    let answered = |of: &DeconflictAnswer, change: &dyn Fn(&mut DeconflictAnswer)| {
        let mut answer = of.clone();
        change(&mut answer);
        encode(What::Answer(answer))
    };
    let many = |count: usize| vec![Bytes::from(from_hex(BLINDED[0])); count];
    vec![
        read("message-query", "a question", "DCF-6", &asked(&|_| {}), "ok"),
        read("message-query-full", "a question for 64 is as long", "DCF-5", &asked(&|query| query.blinded = many(64)), "ok"),
        read("message-answer", "an answer without a book", "DCF-7", &answered(&answer, &|_| {}), "ok"),
        read("message-answer-book", "a book makes an answer longer", "DCF-5", &answered(&answer, &|answer| answer.book = vec![1; 700].into()), "ok"),
        read("message-refusal", "a refusal", "DCF-19", &answered(&refused, &|_| {}), "ok"),
        read("message-nothing", "a message says something", "DCF-4", &[], "Length"),
        read("message-damaged", "what does not decode is refused", "DCF-4", &[0x0a, 0xff], "Malformed"),
        read("message-not-padded", "a message that is not padded is refused", "DCF-5", &short.encode_to_vec(), "Length"),
        read("message-longer", "a message that is padded too far is refused", "DCF-5", &[&asked(&|_| {})[..], &[0x7a, 8, 0, 0, 0, 0, 0, 0, 0, 0]].concat(), "Length"),
        read("message-suite", "another function is refused", "DCF-6", &asked(&|query| query.suite = 0), "Suite"),
        read("message-none", "a question names something", "DCF-6", &asked(&|query| query.blinded.clear()), "Count"),
        read("message-many", "a question for 65 is refused", "LIM-135", &asked(&|query| query.blinded = many(65)), "Count"),
        read("message-element", "an element of another length is refused", "DCF-6", &asked(&|query| query.blinded[0] = vec![1; 33].into()), "Field"),
        read("message-books", "a question that names five books is refused", "DCF-6", &asked(&|query| query.books = many(5)), "Field"),
        read("message-id", "an answer names its question", "DCF-7", &answered(&answer, &|answer| answer.query = Bytes::new()), "Field"),
        read("message-answer-none", "an answer answers something", "DCF-7", &answered(&answer, &|answer| answer.evaluated.clear()), "Count"),
        read("message-proof", "an answer proves itself", "DCF-7", &answered(&answer, &|answer| answer.proof = Bytes::new()), "Field"),
        read("message-no-epoch", "an answer names its epoch", "DCF-7", &answered(&answer, &|answer| answer.epoch = Bytes::new()), "Field"),
        read("message-refused-and-answered", "a refusal answers nothing", "DCF-7", &answered(&answer, &|answer| answer.refusal = "quota".to_owned()), "Field"),
        read("message-refusal-text", "a refusal is a code", "DCF-7", &answered(&refused, &|answer| answer.refusal = "No!".to_owned()), "Field"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn calls() -> Vec<Vector> {
    let contact = DeconflictContact {
        query: vec![6; 32].into(),
        answer: vec![7; 32].into(),
        item: 3,
        identifier: "email a@b.example".to_owned(),
        blind: from_hex(BLIND).into(),
        ..DeconflictContact::default()
    };
    let called = |change: &dyn Fn(&mut DeconflictContact)| {
        let mut contact = contact.clone();
        change(&mut contact);
        encode(What::Contact(contact))
    };
    vec![
        read("message-contact", "a call", "DCF-21", &called(&|_| {}), "ok"),
        read("message-blind", "a call shows its blind", "DCF-21", &called(&|contact| contact.blind = Bytes::new()), "Field"),
        read("message-item", "a call is about one of 64", "DCF-21", &called(&|contact| contact.item = 64), "Field"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn claims() -> Vec<Vector> {
    let key = key();
    let texts = ["email a@b.example", "phone +99955012345", "ip 192.0.2.7 443 2026-11-26T22:15:00Z"];
    let identifiers = texts.map(identifier).to_vec();
    let question = Question::begin(identifiers.clone(), &mut rng(5)).unwrap();
    let query = question.query(&[]);
    let done = key.evaluate(&query.blinded, &mut rng(6)).unwrap();
    let answer = DeconflictAnswer {
        query: vec![6; 32].into(),
        epoch: vec![7; 10].into(),
        evaluated: done.evaluated,
        proof: done.proof,
        ..DeconflictAnswer::default()
    };
    let contact = |item: usize| DeconflictContact {
        query: vec![6; 32].into(),
        answer: vec![7; 32].into(),
        item: u32::try_from(item).unwrap(),
        identifier: identifiers[item].as_str().to_owned(),
        blind: Bytes::copy_from_slice(question.items[item].blinded.blind().as_ref()),
        ..DeconflictContact::default()
    };
    let claim = |name: &str, what: &str, contact: &DeconflictContact, answer: &DeconflictAnswer, expect: &str| {
        Vector::new(name, "DCF-21", what, "verify_claim")
            .hex("contact", contact.encode_to_vec())
            .hex("query", query.encode_to_vec())
            .hex("answer", answer.encode_to_vec())
            .hex("public_key", key.public())
            .expect(expect)
    };
    let claimed = |change: &dyn Fn(&mut DeconflictContact)| {
        let mut contact = contact(1);
        change(&mut contact);
        contact
    };
    let answered = |change: &dyn Fn(&mut DeconflictAnswer)| {
        let mut answer = answer.clone();
        change(&mut answer);
        answer
    };
    vec![
        claim("claim-first", "who asked proves what it asked", &contact(0), &answer, "ok"),
        claim("claim-second", "the others of the question stay unknown", &contact(1), &answer, "ok"),
        claim("claim-ip", "an address with its hour", &contact(2), &answer, "ok"),
        claim("claim-another", "nobody claims to have asked for somebody else", &claimed(&|contact| contact.identifier = "phone +99955012346".to_owned()), &answer, "NotAsked"),
        claim("claim-another-item", "each identifier has its own place", &claimed(&|contact| contact.item = 0), &answer, "NotAsked"),
        claim("claim-no-item", "a place that was not asked for is none", &claimed(&|contact| contact.item = 3), &answer, "OtherQuestion"),
        claim("claim-blind", "another blind proves nothing", &claimed(&|contact| contact.blind = from_hex(BLIND).into()), &answer, "NotAsked"),
        claim("claim-blind-zero", "zero is no blind", &claimed(&|contact| contact.blind = vec![0; 32].into()), &answer, "NotInGroup"),
        claim("claim-not-normal", "an identifier is claimed as it is compared", &claimed(&|contact| contact.identifier = "phone +999 55012345".to_owned()), &answer, "NotNormal"),
        claim("claim-other-question", "the answer is to that question", &claimed(&|contact| contact.query = vec![8; 32].into()), &answer, "OtherQuestion"),
        claim("claim-refused", "a refusal proves nothing", &contact(1), &answered(&|answer| answer.refusal = "quota".to_owned()), "Refused"),
        claim("claim-unproved", "an answer that does not hold proves nothing", &contact(1), &answered(&|answer| answer.evaluated.swap(0, 2)), "Proof"),
        claim("claim-cut", "an answer with less than was asked proves nothing", &contact(1), &answered(&|answer| drop(answer.evaluated.pop())), "Count"),
    ]
}
