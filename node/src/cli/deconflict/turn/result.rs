//! An answer to a question of this member: proved, then looked up in the member's book. Spec: DCF-17.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;
use frex_client::{
    casework::deconflict::{
        Book, DeconflictAnswer, Epoch, EpochError, Identifier, Question, read_answer,
        store::{Asked, AskedItem, Store},
    },
    keys::MemberHome,
};
use frex_proto::{error::WireCode, label::Hash};
use serde_json::{Value, json};

use super::ignored;
use crate::cli::{
    attachment::{AttachmentFetchArgs, fetch},
    deconflict::received::Received,
    failure::{Failure, OrFail},
    files, member, output,
    time::Span,
};

/// How long the node is looked for that has a book.
const WAIT: Duration = Duration::from_secs(30);
const BOOK_FILE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Reads an answer.
///
/// # Errors
/// It does not prove itself; what was asked stays unanswered.
pub(super) fn take(
    home: &MemberHome,
    store: &Store,
    received: &Received,
    answer: &DeconflictAnswer,
) -> Result<Value, Failure> {
    let asked = store.all_asked().or_fail("what was asked cannot be read")?;
    let query = hex::encode(&answer.query);
    let is_it = |asked: &Asked| {
        asked.envelope == query && asked.member == received.from && asked.state == "asked"
    };
    let Some(mut asked) = asked.into_iter().find(is_it) else {
        return Ok(ignored(
            received,
            "it answers no question that waits for one",
        ));
    };
    asked.answer = Some(received.envelope.to_string());
    if answer.refusal.is_empty() {
        judge(home, store, received, answer, &mut asked)?;
        asked.state = "answered".to_owned();
    } else {
        asked.state = "refused".to_owned();
        asked.refusal.clone_from(&answer.refusal);
        asked.again_ms = Some(answer.again_ms).filter(|ms| *ms > 0);
    }
    store
        .keep_asked(&asked)
        .or_fail("the answer cannot be kept")?;
    let hits = asked.items.iter().filter(|item| item.held == Some(true));
    let hits = hits.count();
    Ok(json!({
        "what": "answer of", "from": received.from, "state": asked.state, "question": asked.message,
        "items": asked.items.len(), "hits": hits, "refusal": asked.refusal,
        "say": match asked.refusal.is_empty() {
            true => output::counted(hits, "hit"),
            false => output::clean(&asked.refusal),
        },
    }))
}

fn judge(
    home: &MemberHome,
    store: &Store,
    received: &Received,
    answer: &DeconflictAnswer,
    asked: &mut Asked,
) -> Result<(), Failure> {
    let wrong = "the answer does not hold";
    let epoch = epoch(home, received, &answer.epoch)?;
    store.see(&answer.epoch, &epoch).or_fail(wrong)?;
    let question = question(asked)?;
    let outputs = read_answer(&question, &answer.query, answer, &epoch).or_fail(wrong)?;
    let book = book(home, store, received, answer, &epoch.book_sha256)?;
    for (item, output) in asked.items.iter_mut().zip(&outputs) {
        let desk = book.find(output);
        item.held = Some(desk.is_some());
        item.desk = desk.map(Into::into);
    }
    asked.epoch_ms = Some(epoch.begins_ms);
    Ok(())
}

fn epoch(home: &MemberHome, received: &Received, signed: &[u8]) -> Result<Epoch, Failure> {
    let wrong = "what the member states of its epoch does not hold";
    let roster = member::roster(home)?;
    let stated = Epoch::stated(signed).or_fail(wrong)?;
    let keys = roster.member(&received.from);
    let keys = keys.map(|one| one.identity_keys_at(stated.begins_ms));
    let keys = keys.unwrap_or_default();
    let epoch = Epoch::verify(signed, &keys, roster.federation(), &received.from).or_fail(wrong)?;
    match epoch.is_in_force(received.received_ms()) {
        true => Ok(epoch),
        false => Err(EpochError::NotInForce).or_fail(wrong),
    }
}

fn question(asked: &Asked) -> Result<Question, Failure> {
    let damaged = || Failure::new(WireCode::Files, "what was asked is damaged");
    let item = |item: &AskedItem| {
        let identifier = Identifier::normal(&item.identifier).ok()?;
        Some((identifier, hex::decode(&item.blind).ok()?))
    };
    let items: Option<Vec<_>> = asked.items.iter().map(item).collect();
    Question::again(items.ok_or_else(damaged)?).map_err(|_| damaged())
}

/// The book that the member has signed: from the answer, from here, or from its attachment.
fn book(
    home: &MemberHome,
    store: &Store,
    received: &Received,
    answer: &DeconflictAnswer,
    sha256: &Hash,
) -> Result<Book, Failure> {
    let wrong = "the book does not hold";
    let mut bytes = answer.book.clone();
    if bytes.is_empty() {
        if let Some(book) = store.kept_book(sha256).or_fail(wrong)? {
            return Ok(book);
        }
        bytes = attached(home, store, received)?;
    }
    let book = Book::check(bytes.clone(), sha256).or_fail(wrong)?;
    store
        .keep_book(sha256, &bytes)
        .or_fail("the book cannot be kept")?;
    Ok(book)
}

fn attached(home: &MemberHome, store: &Store, received: &Received) -> Result<Bytes, Failure> {
    let out = store
        .dir()
        .join("fetched")
        .join(received.envelope.to_string());
    files::ensure_folder(&out)?;
    let fetched = fetch::fetch_files(&AttachmentFetchArgs {
        id: received.envelope.to_string(),
        dir: home.dir().to_owned(),
        number: vec![1],
        out: out.clone(),
        wait: Span(WAIT),
    })?;
    let file = fetched.first().and_then(|row| row["file"].as_str());
    let missing = || Failure::new(WireCode::BadAnswer, "the answer came without its book");
    let path = Path::new(file.ok_or_else(missing)?);
    let bytes = files::read(path, BOOK_FILE_BYTES_MAX)?;
    fs::remove_dir_all(&out).map_err(|error| Failure::file("remove", &out, &error))?;
    Ok(bytes.into())
}
