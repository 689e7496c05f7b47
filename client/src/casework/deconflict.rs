//! Deconfliction: does another member hold this identifier? It learns that it was asked, and not what.
//!
//! Both sides write an identifier in one way ([`Identifier::parse`]). The asker blinds it
//! ([`Question::begin`]); the asked member evaluates what it cannot read under its key of the epoch
//! ([`EpochKey::evaluate`]) and proves that it did; the asker unblinds and looks in the member's
//! [`Book`] of the epoch, by itself. A hit opens the contact of a desk, and nothing else. Only when the
//! asker calls there does the member learn which identifier it was ([`verify_claim`]).
//!
//! The function is the VOPRF of RFC 9497 over ristretto255 with SHA-512. Spec: chapter DCF.
//!
//! Nothing here prints an identifier: errors name rules, never values.

use std::fmt;

use frex_proto::{
    error::WireCode,
    label::{self, Hash},
    sign::SignError,
};

mod answer;
mod ask;
mod book;
mod claim;
mod epoch;
mod message;
mod named;
mod normalise;
mod oprf;
mod serve;
pub mod store;
#[cfg(test)]
mod tests;

pub use answer::read_answer;
pub use ask::{Item, Question};
pub use book::{Book, BookBuilder};
pub use claim::verify_claim;
pub use epoch::EpochDraft;
pub use message::{decode, encode};
pub use named::Named;
pub use oprf::{Blinded, EpochKey, Evaluation, Output, finish};
pub use serve::{Served, Serving, serve};

pub use super::v1::{
    Deconflict, DeconflictAnswer, DeconflictContact, DeconflictDesk, DeconflictEpoch,
    DeconflictQuery, deconflict::What,
};

/// The type of the content that holds a [`Deconflict`]. Spec: DCF-4.
pub const CONTENT_TYPE: &str = "application/vnd.frex.deconflict.v1+protobuf";
/// The function: ristretto255-SHA512 in the verifiable mode of RFC 9497. Spec: DCF-10.
pub const SUITE: u32 = 1;
/// Length of every message without a book, or one byte less. Spec: DCF-5.
pub const MESSAGE_BYTES: usize = 8192;
/// Books that a question names. Spec: DCF-6.
pub const BOOKS_MAX: usize = 4;
/// The asked member evaluates no more for this asker today. Spec: DCF-19.
pub const REFUSED_QUOTA: &str = "quota";
/// The asked member does not answer this asker. Spec: DCF-19.
pub const REFUSED_NOT_SERVED: &str = "not-served";
/// The question names what is no element. Spec: DCF-19.
pub const REFUSED_MALFORMED: &str = "malformed";
/// The asked member holds nothing that it may tell of, or answers nobody. Spec: DCF-19.
pub const REFUSED_NO_BOOK: &str = "no-book";

/// Something by which a person, an account or a file is known, as it is compared: a kind and one to
/// three words, with one space between them. Spec: DCF-1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// As it is compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the function is applied to. Spec: DCF-9.
    #[must_use]
    pub fn input(&self) -> Vec<u8> {
        [label::DECONFLICT_INPUT, self.0.as_bytes()].concat()
    }

    /// `email`, `phone`, `account`, `username`, `ip`, `url`, `onion` or `hash`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split(' ').next().unwrap_or_default()
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({})", self.kind())
    }
}

/// Why a text is no identifier that can be compared. Whoever wrote it must mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// No kind that is known.
    #[error(
        "it does not begin with email, phone, account, username, ip, url, onion or hash and a space"
    )]
    Kind,
    /// Too few or too many words.
    #[error("it has more or fewer words than its kind has")]
    Words,
    /// Longer than LIM-136.
    #[error("it is longer than 4,096 bytes")]
    TooLong,
    /// Characters that nobody sees.
    #[error("it holds characters that nobody sees, or spaces of another kind: write it anew")]
    Unseen,
    /// Not one `@`, or nothing on one side of it.
    #[error("it is no e-mail address")]
    Email,
    /// No name that the domain name system can hold.
    #[error("its domain is none")]
    Domain,
    /// Not in the international form.
    #[error("it is no telephone number in the international form: + and 7 to 15 digits")]
    Phone,
    /// Empty, or too long.
    #[error("the name of the account is empty or longer than 256 bytes")]
    Account,
    /// No IP address.
    #[error("it is no IP address")]
    Address,
    /// No port.
    #[error("its port is no number of 1 to 65535")]
    Port,
    /// No time with an offset.
    #[error("its time is none of RFC 3339 with an offset")]
    Time,
    /// No absolute web address.
    #[error("it is no URL of http or https without user name, or has characters that none has")]
    Url,
    /// No version 3 onion address, or mistyped.
    #[error("it is no onion address of version 3, or its checksum does not fit")]
    Onion,
    /// No name of an algorithm.
    #[error("its algorithm is none: a name of the registry, or x- and one of a-z, 0-9, . _ and -")]
    Algorithm,
    /// Not what values of that algorithm look like.
    #[error("its value is not of the form that its algorithm gives")]
    Value,
}

impl From<IdentifierError> for WireCode {
    fn from(error: IdentifierError) -> Self {
        match error {
            IdentifierError::TooLong => Self::TooLarge,
            _ => Self::BadInput,
        }
    }
}

/// Why a message about identifiers is not taken. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It does not decode, or says nothing.
    #[error("the message does not decode")]
    Malformed,
    /// It is shorter or longer than every message must be.
    #[error("the message is not of the length that every such message has")]
    Length,
    /// Another function than this version knows.
    #[error("the function is not known here")]
    Suite,
    /// None, or more than LIM-135.
    #[error("a question names 1 to 64 identifiers")]
    Count,
    /// An id, hash or element of another length, or a code that is none.
    #[error("a field has not the form that it must have")]
    Field,
}

impl From<MessageError> for WireCode {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Suite => Self::Unsupported,
            MessageError::Count => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

/// Why bytes are no part of the function, or do not prove themselves. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OprfError {
    /// No element of the group other than its identity, or no number below its order.
    #[error("an element, key or proof is not one of the group")]
    NotInGroup,
    /// Not one for each.
    #[error("there is not one element for each that was asked for")]
    Count,
    /// Evaluated under another key, or not all under the same.
    #[error("the proof does not hold: it was not evaluated under that key")]
    Proof,
}

impl From<OprfError> for WireCode {
    fn from(_: OprfError) -> Self {
        Self::BadAnswer
    }
}

/// Why a book is none. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// Its first bytes are not those of a book, or its length does not fit its numbers.
    #[error("it is no book, or not whole")]
    Shape,
    /// Its number of rows or desks is no class.
    #[error("its size is none of those that a book may have")]
    Class,
    /// Its rows are not in their order.
    #[error("its rows are not in order")]
    Order,
    /// It is another than the member has signed.
    #[error("it is not the book that the member has signed")]
    Hash,
    /// A desk's contact is longer than LIM-138, or there are more desks or rows than a book holds.
    #[error("a book holds at most 4,194,304 identifiers and 64 desks of 494 bytes each")]
    Full,
}

impl From<BookError> for WireCode {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Full => Self::TooLarge,
            _ => Self::BadAnswer,
        }
    }
}

/// Why what a member states of an epoch is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EpochError {
    /// It does not decode, or a field has not its form.
    #[error("what is stated of the epoch does not decode")]
    Malformed,
    /// Another function than this version knows.
    #[error("the function is not known here")]
    Suite,
    /// Signatures.
    #[error(transparent)]
    Signature(#[from] SignError),
    /// Of another member or federation.
    #[error("it is stated by another member than was asked")]
    WrongMember,
    /// It ends before it begins, or later than LIM-139.
    #[error("the epoch is longer than one may be, or ends before it begins")]
    Life,
    /// At the time of the answer it had not begun, or was over.
    #[error("the epoch was not in force when it was answered")]
    NotInForce,
}

impl From<EpochError> for WireCode {
    fn from(error: EpochError) -> Self {
        match error {
            EpochError::Suite => Self::Unsupported,
            EpochError::Signature(error) => error.into(),
            _ => Self::BadAnswer,
        }
    }
}

/// Why an answer, or what somebody claims of one, does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It answers another question, or names another item.
    #[error("it belongs to another question")]
    OtherQuestion,
    /// Refused: nothing was evaluated.
    #[error("nothing was evaluated")]
    Refused,
    /// The function.
    #[error(transparent)]
    Oprf(#[from] OprfError),
    /// The identifier is not in the form in which it is compared.
    #[error("the identifier is not in the form in which it is compared")]
    NotNormal,
    /// The blinded element of the question is not made from the identifier that is named.
    #[error("the question did not ask for this identifier")]
    NotAsked,
}

impl From<AnswerError> for WireCode {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Oprf(error) => error.into(),
            _ => Self::BadAnswer,
        }
    }
}

/// An epoch of a member, as its signed statement says it. Spec: DCF-15.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// In which federation.
    pub federation: String,
    /// Whose.
    pub member: String,
    /// From when, milliseconds since the Unix epoch: its name.
    pub begins_ms: u64,
    /// Until when.
    pub ends_ms: u64,
    /// The function's public key.
    pub public_key: [u8; 32],
    /// SHA-256 of the book.
    pub book_sha256: Hash,
    /// Length of the book, bytes.
    pub book_bytes: u64,
}
