//! Messages as bytes: all of one length, so that it says nothing of what they hold. Spec: DCF-5, DCF-6, DCF-7.

use bytes::Bytes;
use frex_proto::limits;
use prost::{Message, encoding::encoded_len_varint};

use super::{
    BOOKS_MAX, Deconflict, DeconflictAnswer, DeconflictContact, DeconflictQuery, MESSAGE_BYTES,
    MessageError, SUITE, What,
};

const CODE_BYTES_MAX: usize = 64;

/// The bytes of a message: padded to the one length, a book apart.
#[must_use]
pub fn encode(what: What) -> Bytes {
    let mut message = Deconflict {
        what: Some(what),
        padding: Bytes::new(),
    };
    let bare = match &message.what {
        Some(What::Answer(answer)) => {
            let mut answer = answer.clone();
            answer.book = Bytes::new();
            let what = Some(What::Answer(answer));
            let bare = Deconflict {
                what,
                ..Deconflict::default()
            };
            bare.encoded_len()
        }
        _ => message.encoded_len(),
    };
    let left = MESSAGE_BYTES.saturating_sub(bare);
    // A tag of one byte, the length, the zeros.
    let zeros = left.saturating_sub(2);
    let zeros = zeros.saturating_sub(encoded_len_varint(zeros as u64) - 1);
    message.padding = vec![0; zeros].into();
    message.encode_to_vec().into()
}

/// Reads a message, and judges all of its fields.
///
/// # Errors
/// [`MessageError`].
pub fn decode(bytes: &[u8]) -> Result<What, MessageError> {
    let message = Deconflict::decode(bytes).or(Err(MessageError::Malformed))?;
    let book = match &message.what {
        Some(What::Answer(answer)) => answer.book.len(),
        _ => 0,
    };
    // A book brings a few bytes that say how long it is.
    let most = MESSAGE_BYTES + if book == 0 { 0 } else { 8 };
    let length = bytes.len().saturating_sub(book);
    if !(MESSAGE_BYTES - 1..=most).contains(&length) {
        return Err(MessageError::Length);
    }
    match message.what.ok_or(MessageError::Malformed)? {
        What::Query(query) => judge_query(&query).map(|()| What::Query(query)),
        What::Answer(answer) => judge_answer(&answer).map(|()| What::Answer(answer)),
        What::Contact(contact) => judge_contact(&contact).map(|()| What::Contact(contact)),
    }
}

fn judge_query(query: &DeconflictQuery) -> Result<(), MessageError> {
    if query.suite != SUITE {
        return Err(MessageError::Suite);
    }
    if !(1..=limits::DECONFLICT_ITEMS_MAX).contains(&query.blinded.len()) {
        return Err(MessageError::Count);
    }
    let hashes = query.blinded.iter().chain(&query.books);
    require(query.books.len() <= BOOKS_MAX && hashes.clone().all(|one| one.len() == 32))
}

fn judge_answer(answer: &DeconflictAnswer) -> Result<(), MessageError> {
    require(answer.query.len() == 32)?;
    if answer.refusal.is_empty() {
        let count = answer.evaluated.len();
        if !(1..=limits::DECONFLICT_ITEMS_MAX).contains(&count) {
            return Err(MessageError::Count);
        }
        let whole = answer.evaluated.iter().all(|one| one.len() == 32);
        return require(whole && answer.proof.len() == 64 && !answer.epoch.is_empty());
    }
    let code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let empty = answer.evaluated.is_empty() && answer.proof.is_empty();
    let empty = empty && answer.epoch.is_empty() && answer.book.is_empty();
    require(empty && answer.refusal.len() <= CODE_BYTES_MAX && answer.refusal.bytes().all(code))
}

fn judge_contact(contact: &DeconflictContact) -> Result<(), MessageError> {
    let ids = contact.query.len() == 32 && contact.answer.len() == 32;
    let item = usize::try_from(contact.item).unwrap_or(usize::MAX);
    require(ids && contact.blind.len() == 32 && item < limits::DECONFLICT_ITEMS_MAX)
}

fn require(holds: bool) -> Result<(), MessageError> {
    holds.then_some(()).ok_or(MessageError::Field)
}
