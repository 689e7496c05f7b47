//! What reports and their documents say, and what members ask one another about them.

use bytes::Bytes;
use frex_client::{
    casework::{
        cybertip::{self, Form},
        deconflict::{
            self, Book, BookBuilder, DeconflictAnswer, DeconflictDesk, Epoch, EpochDraft, EpochKey,
            Identifier, Named, Question, What,
        },
        model::{self, Report},
        xml::Document,
    },
    report,
};
use frex_proto::label;
use frex_tests::{
    federation::FEDERATION,
    reports::samples::{samples as made_up, Sample, SEED},
};
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};

use crate::samples::{self, NOW_MS};

/// So that mutation has little to carry along.
const SAMPLES: usize = 14;
/// The envelope of the question.
const QUERY: [u8; 32] = [7; 32];
const IDENTIFIERS: [&str; 8] = [
    "email Some.One@Mail.Example",
    "phone +999 (0)55 01-23 45",
    "account Chat.Example AbC-123",
    "username chat.example @Some_One",
    "ip 192.0.2.7 443 2026-11-27T00:15:00+02:00",
    "url HTTPS://B\u{fc}cher.Example:443/a/../%7eb?q=1#x",
    "onion www.pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
    "hash MD-5 D41D8CD98F00B204E9800998ECF8427E",
];

/// A document that is taken is written again as it came, also after it has travelled.
pub fn document(data: &[u8]) -> bool {
    let Ok(document) = Document::parse(data) else {
        return false;
    };
    let Some(form) = Form::of_root(&document.root.name) else {
        return false;
    };
    let Ok(message) = cybertip::read(form, data) else {
        return false;
    };
    let written = cybertip::write(form, &message).document;
    assert_eq!(written.canonical(), document.canonical());
    let again = Document::parse(written.to_xml().as_bytes());
    assert!(again.is_ok_and(|again| again == written));
    true
}

pub fn report(data: &[u8]) -> bool {
    let Ok(report) = Report::decode_unchecked(data) else {
        return false;
    };
    let again = Report::decode_unchecked(&report.encode()).expect("what was read can be written");
    assert_eq!(again.to_json(), report.to_json());
    shown(&report);
    report.check().is_ok() && Report::decode(data).is_ok()
}

pub fn report_view(data: &[u8]) -> bool {
    let Ok(report) = Report::from_json_unchecked(data) else {
        return false;
    };
    let text = report.to_json_text();
    let again = Report::from_json_unchecked(text.as_bytes());
    if let Ok(again) = again {
        assert_eq!(again.to_json(), report.to_json());
    } else {
        // With its indents it may be too long.
        assert!(text.len() > model::JSON_BYTES_MAX);
    }
    shown(&report);
    report.check().is_ok() && Report::from_json(data).is_ok()
}

pub fn first_report(data: &[u8]) -> bool {
    let Ok(first) = report::Report::parse(data) else {
        return false;
    };
    shown(&model::from_first(&first));
    true
}

/// Whatever it says is judged, shown and compared.
fn shown(report: &Report) {
    let _ = report.check();
    let _ = report.to_cybertip();
    let _ = report.items_to_cybertip();
    for identifier in Named::of(report).identifiers {
        assert_eq!(Identifier::normal(identifier.as_str()), Ok(identifier));
    }
}

/// What is compared of an identifier is the form of itself.
pub fn identifier(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(identifier) = Identifier::parse(text) else {
        return false;
    };
    assert_eq!(Identifier::normal(identifier.as_str()), Ok(identifier));
    true
}

/// What a member is sent about identifiers, down to what is proved by it.
pub fn deconflict(data: &[u8]) -> bool {
    let question = question();
    let query = question.query(&[]);
    match deconflict::decode(data) {
        Ok(What::Query(query)) => {
            let _ = key().evaluate(&query.blinded, &mut rng(1));
            true
        }
        Ok(What::Answer(answer)) if answer.refusal.is_empty() => {
            let keys = [samples::author().verifying_key()];
            let Ok(epoch) = Epoch::verify(&answer.epoch, &keys, FEDERATION, "b") else {
                return false;
            };
            deconflict::read_answer(&question, &QUERY, &answer, &epoch).is_ok()
        }
        Ok(What::Answer(_)) => true,
        Ok(What::Contact(contact)) => {
            let answer = answer(&query);
            let epoch = Epoch::stated(&answer.epoch).expect("an epoch of our own");
            deconflict::verify_claim(&contact, &query, &answer, &epoch).is_ok()
        }
        Err(_) => false,
    }
}

pub fn deconflict_book(data: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(data);
    let hash = label::sha256(&[data]);
    let Ok(book) = Book::check(bytes, &hash) else {
        return false;
    };
    let _ = book.find(&[9; 64]);
    book.row_count() > 0
}

/// Well-formed inputs of these targets.
pub fn samples(target: &str) -> Option<Vec<Vec<u8>>> {
    let made = || made_up(SEED).into_iter().take(SAMPLES);
    let lines = |document: Document| document.to_xml().into_bytes();
    Some(match target {
        "document" => made()
            .filter(|sample| sample.is_tip)
            .flat_map(|Sample { report, .. }| {
                let items = report.items_to_cybertip().into_iter();
                items
                    .chain([report.to_cybertip()])
                    .map(|one| lines(one.document))
            })
            .collect(),
        "report" => made().map(|sample| sample.report.encode()).collect(),
        "report_view" => made()
            .map(|sample| sample.report.to_json_text().into_bytes())
            .collect(),
        "first_report" => vec![FIRST.into()],
        "identifier" => IDENTIFIERS.map(Into::into).to_vec(),
        "deconflict" => messages(),
        "deconflict_book" => vec![book()],
        _ => return None,
    })
}

const FIRST: &str = r#"{"reference": "A", "created": "2026-07-01T12:00:00Z",
    "urls": [{"url": "https://example.org/a"}],
    "hashes": [{"algorithm": "md5", "value": "d41d8cd98f00b204e9800998ecf8427e"}],
    "subjects": [{"role": "reported-user",
        "identifiers": [{"kind": "email", "value": "a@b.example"}]}]}"#;

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn key() -> EpochKey {
    EpochKey::generate(&mut rng(2))
}

fn question() -> Question {
    let identifiers = IDENTIFIERS.map(|text| Identifier::parse(text).expect("an identifier"));
    Question::begin(identifiers.to_vec(), &mut rng(3)).expect("eight of them")
}

fn book() -> Vec<u8> {
    let desk = DeconflictDesk {
        email: "desk@b.example".to_owned(),
        ..DeconflictDesk::default()
    };
    let mut book = BookBuilder::new(&[desk], &mut rng(4)).expect("one desk");
    book.hold(&[9; 64], 0).expect("one row");
    book.finish(&mut rng(5))
}

fn answer(query: &deconflict::DeconflictQuery) -> DeconflictAnswer {
    let key = key();
    let evaluation = key
        .evaluate(&query.blinded, &mut rng(6))
        .expect("elements of our own");
    let book = book();
    let epoch = EpochDraft {
        federation: FEDERATION,
        member: "b",
        begins_ms: NOW_MS,
        ends_ms: NOW_MS + 1000,
        public_key: &key.public(),
        book: &book,
    };
    DeconflictAnswer {
        query: Bytes::from_static(&QUERY),
        epoch: epoch
            .sign(&samples::author())
            .expect("a key in memory signs"),
        evaluated: evaluation.evaluated,
        proof: evaluation.proof,
        book: book.into(),
        ..DeconflictAnswer::default()
    }
}

fn messages() -> Vec<Vec<u8>> {
    let question = question();
    let query = question.query(&[[1; 32]]);
    let contact = deconflict::DeconflictContact {
        query: Bytes::from_static(&QUERY),
        answer: Bytes::from_static(&[8; 32]),
        identifier: question.items[0].identifier.as_str().to_owned(),
        blind: Bytes::copy_from_slice(&question.items[0].blinded.blind()[..]),
        ..deconflict::DeconflictContact::default()
    };
    let refusal = DeconflictAnswer {
        query: Bytes::from_static(&QUERY),
        refusal: "quota".to_owned(),
        again_ms: NOW_MS,
        ..DeconflictAnswer::default()
    };
    [
        What::Answer(answer(&query)),
        What::Query(query),
        What::Answer(refusal),
        What::Contact(contact),
    ]
    .map(|what| deconflict::encode(what).to_vec())
    .to_vec()
}
