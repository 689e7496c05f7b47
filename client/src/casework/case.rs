//! A case: everything that members have said in one conversation, folded into one picture.
//!
//! [`Said`] is one message as its reader has it; [`read()`] and [`check`] judge what is in it;
//! [`Case::add`] and [`Case::merge`] gather messages in any order, as often as they come; [`Case::view`]
//! says what they come to: a timeline, threads with their states, deadlines, what re-opens.
//! [`Case::fits`] says before anything is sealed whether it would count. Time, members and holidays are
//! arguments. This file holds the nouns. Spec: chapter CSE.

mod content;
mod deadlines;
mod display;
mod fit;
mod gather;
mod members;
mod requests;
mod roles;
mod subjects;
mod view;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    v1::{Kind, Lane},
};

pub use content::{check, kind_of, name_of, read};
pub use display::{json_of, view_json};
pub use fit::Unfit;
pub use view::words_of;

use super::{
    clock::{Duty, Holidays},
    v1::CaseMessage,
};

/// The content type of a message of a case.
pub const CONTENT_TYPE: &str = "application/vnd.frex.case.v1+protobuf";
/// Content types of reports, each of which begins a case.
pub const REPORT_TYPES: [&str; 2] = [
    "application/vnd.frex.report.v1+json",
    "application/vnd.frex.report.v2+protobuf",
];

/// Longest encoded message. Spec: LIM-125.
pub const MESSAGE_BYTES_MAX: usize = 65_536;
/// Longest name of a case, bytes. Spec: LIM-126.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest note, bytes. Spec: LIM-127.
pub const NOTE_BYTES_MAX: usize = 4000;
/// Longest place or item, bytes. Spec: LIM-128.
pub const PLACE_BYTES_MAX: usize = 2083;
/// Most addressees or targets. Spec: LIM-129.
pub const LIST_MAX: usize = 64;
/// Most classifications or external ids. Spec: LIM-130.
pub const CODES_MAX: usize = 32;

/// The case's 16 bytes: the conversation that its first report has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseId(pub [u8; 16]);

impl std::fmt::Display for CaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A message under its sender's name for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Who wrote it.
    pub from: String,
    /// Its id there.
    pub message: MessageId,
}

/// One message of a case, as its reader has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Whose it is.
    pub key: Key,
    /// The envelopes that carried it.
    pub envelopes: BTreeSet<EnvelopeId>,
    /// Who has it.
    pub to: BTreeSet<String>,
    /// What the header says it is about.
    pub kind: Kind,
    /// How fast it was to travel.
    pub lane: Lane,
    /// What it answers, or comes back to.
    pub in_reply_to: Option<EnvelopeId>,
    /// When it was sealed.
    pub created_ms: u64,
    /// By when an answer was awaited.
    pub reply_by_ms: Option<u64>,
    /// When a recipient's node had it, by the leaves of its receipts.
    pub received: BTreeMap<String, u64>,
    /// What is in it.
    pub what: What,
    /// It was said twice, and not the same both times.
    pub otherwise: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A message of the case.
    Case(Box<CaseMessage>),
    /// A report, whose content is no matter of the fold.
    Report,
    /// Its author takes back a message; `exonerated` is a reason like others.
    Recall {
        /// What is taken back.
        message: MessageId,
        /// Why, as a code.
        reason: String,
    },
    /// It cannot be read as what it says it is.
    Unreadable(&'static str),
    /// Something else that belongs to the conversation.
    Other,
}

/// Why what a message says does not count. It is shown all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Not {
    /// No report of the case names its sender, nobody has passed the case on to it, and it asks no party.
    NoParty,
    /// It answers no request that is here.
    NoRequest,
    /// Its sender was not asked.
    NotAsked,
    /// Its sender has not asked.
    NotTheAsker,
    /// Its sender is not the authority that the request names.
    NotTheAuthority,
    /// Nobody has sent its sender a report of the case, or passed one on to it.
    NotARecipient,
    /// Its sender is a platform, and has reported the case itself.
    Reporter,
    /// It says that the case is the same as itself.
    Itself,
    /// It was said twice, and not the same both times.
    Otherwise,
    /// It cannot be read.
    Unreadable,
    /// This program does not know what it says.
    Unknown,
}

impl Not {
    /// As a sentence without its subject.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoParty => "its sender is no party of this case, by what is here",
            Self::NoRequest => "it answers no request that is here",
            Self::NotAsked => "its sender was not asked",
            Self::NotTheAsker => "only who asked may say this",
            Self::NotTheAuthority => "only the authority that the request names may say this",
            Self::NotARecipient => "only who has got the report may say this",
            Self::Reporter => "a platform tells no outcome of what it has reported itself",
            Self::Itself => "a case is no duplicate of itself",
            Self::Otherwise => "it was said twice, and not the same both times",
            Self::Unreadable => "it cannot be read",
            Self::Unknown => "it says something that this program does not know",
        }
    }
}

/// Everything that was said in a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its conversation.
    pub id: CaseId,
    said: BTreeMap<Key, Said>,
}

/// What is known of a member from elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Whether it is a platform, which laws of keeping reports are about.
    pub platform: bool,
    /// Whether it is a member no longer, so that it can do nothing any more.
    pub gone: bool,
}

/// What a view needs to know beside the messages.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Members by name, as the roster has them.
    pub members: BTreeMap<String, Party>,
    /// Public holidays by country.
    pub holidays: Holidays,
    /// Whose view it is: who wrote a report knows all who got it, and others do not. Empty: that of somebody who
    /// knows all.
    pub own: String,
}

/// What a thread is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// What a recipient does with the report.
    Route,
    /// What was found of one item.
    Assessment,
    /// What becomes of one place.
    Takedown,
    /// What becomes of the case at one member.
    Outcome,
    /// A request to keep, at one addressee.
    Preserve,
    /// A request for data, at one addressee.
    Produce,
}

impl Matter {
    /// In lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Assessment => "assessment",
            Self::Takedown => "takedown",
            Self::Outcome => "outcome",
            Self::Preserve => "preserve",
            Self::Produce => "produce",
        }
    }
}

/// One line of what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it happened, by its writer's word: not later than it was sent.
    pub at_ms: u64,
    /// The message.
    pub key: Key,
    /// What was said, as one word.
    pub what: &'static str,
    /// The state or code in it, in lower case, or what it names; or empty.
    pub says: String,
    /// What its writer adds for people; or empty.
    pub note: String,
    /// To whom.
    pub to: Vec<String>,
    /// The thread that it belongs to, by its place; none: it moves none.
    pub thread: Option<usize>,
    /// Why it does not count.
    pub not: Option<Not>,
    /// What it contradicts.
    pub contradicts: Option<String>,
    /// Whether it fits what was said before it: what does not moves nothing.
    pub fits: bool,
}

/// One matter and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// What it is about.
    pub matter: Matter,
    /// The request, of requests.
    pub request: Option<Key>,
    /// Whose state it is: recipient, addressee, member; empty of items and places.
    pub member: String,
    /// The item or place; or empty.
    pub subject: String,
    /// As one word, or several joined by `, `.
    pub state: String,
    /// Why, as a code; or empty.
    pub reason: String,
    /// Since when.
    pub since_ms: u64,
    /// The row of the table of clocks; or empty.
    pub profile: String,
    /// Until when something is kept.
    pub until_ms: Option<u64>,
    /// What was said that does not fit what was said before.
    pub contradictions: Vec<String>,
}

/// One thing that must be done before its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// What.
    pub what: Duty,
    /// Who must do it.
    pub who: String,
    /// The thread that it belongs to, by its place; none: the case as a whole.
    pub thread: Option<usize>,
    /// The row of the table of clocks; `reply-by`: the asker's own word in the header.
    pub profile: String,
    /// Where that is written.
    pub source: String,
    /// In whose midnight its days end; or empty.
    pub zone: String,
    /// When its clock began; none: nothing shows that it has begun.
    pub from_ms: Option<u64>,
    /// The last instant in time.
    pub due_ms: Option<u64>,
    /// When it was done.
    pub met_ms: Option<u64>,
    /// How it stands.
    pub state: Standing,
    /// Of something that is kept: 14, 7 or 2 days before the end, whichever was passed last.
    pub warning: Option<u32>,
}

/// How a deadline stands. The words are those of evidence (EVD-8) where both have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing shows that who must act has it.
    NotReceived,
    /// There is time left.
    Open,
    /// It was done in time.
    Answered,
    /// It was done, too late.
    AnsweredLate,
    /// It was not done, and time is over.
    Overdue,
    /// It waits for the other side.
    Paused,
    /// It need not be done any more.
    Moot,
}

impl Standing {
    /// In lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        use frex_proto::evidence::State;
        match self {
            Self::NotReceived => State::NotReceived.word(),
            Self::Open => State::Open.word(),
            Self::Answered => State::Answered.word(),
            Self::AnsweredLate => State::AnsweredLate.word(),
            Self::Overdue => State::Overdue.word(),
            Self::Paused => "paused",
            Self::Moot => "moot",
        }
    }
}

/// A member's shelved case whose reason has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopening {
    /// Who has shelved it.
    pub member: String,
    /// Why it had.
    pub reason: String,
    /// Why that is over.
    pub because: &'static str,
    /// What was said by which it is over.
    pub by: Key,
    /// When the member was told that.
    pub at_ms: u64,
}

/// What the messages of a case come to, at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The case.
    pub id: CaseId,
    /// At which instant.
    pub now_ms: u64,
    /// In the order in which it happened.
    pub timeline: Vec<Entry>,
    /// As they began.
    pub threads: Vec<Thread>,
    /// The earliest first.
    pub deadlines: Vec<Deadline>,
    /// Whose case is to be taken up again.
    pub reopenings: Vec<Reopening>,
    /// In one word: `nobody`, `overdue`, `reopens`, `declined`, `open`, `shelved`, `closed`,
    /// `withdrawn`, `exonerated`.
    pub state: &'static str,
    /// Members who have the case, or were asked in it.
    pub parties: BTreeSet<String>,
    /// Names that its writers give it.
    pub references: BTreeSet<String>,
}

/// Why bytes are no message of a case. Spec: CSE-2 to CSE-6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// Over LIM-125.
    #[error("the message is over 65,536 bytes")]
    TooLarge,
    /// It does not decode.
    #[error("the message does not decode")]
    Malformed,
    /// It says nothing, or something that this program does not know.
    #[error("the message says nothing that is known here")]
    Nothing,
    /// A text is too long, or a list.
    #[error("{0} is over its bound")]
    TooLong(&'static str),
    /// A time is none.
    #[error("{0} is no time in RFC 3339 with an offset")]
    Time(&'static str),
    /// What must be said is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A place is none.
    #[error("{0} is no URL: a scheme, :// and a place, without blanks")]
    Url(&'static str),
    /// A country is none.
    #[error("{0} is no country of ISO 3166-1 alpha-2")]
    Country(&'static str),
    /// The table of clocks has no such row for this.
    #[error("there is no clock profile of that name for this")]
    Profile,
}

impl CaseError {
    /// The field that it is about, by its name in the schema.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::TooLong(field)
            | Self::Time(field)
            | Self::Missing(field)
            | Self::Url(field)
            | Self::Country(field) => Some(field),
            Self::Profile => Some("profile"),
            Self::TooLarge | Self::Malformed | Self::Nothing => None,
        }
    }
}

impl From<CaseError> for WireCode {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::TooLarge => Self::TooLarge,
            _ => Self::BadInput,
        }
    }
}

#[cfg(test)]
mod tests;
