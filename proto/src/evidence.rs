//! Evidence: one message in one file, with everything that proves what became of it.
//!
//! [`build()`] puts together what was signed, receipts and the roster under which they verify;
//! [`parse()`] reads the file; [`roster_of`] judges its roster from a pinned root; [`verify()`] names
//! every check; [`rows`] and [`clocks`] tell what follows, when, and by which proof; [`content_of`],
//! [`without_content`], [`without_manifests`] and [`of_member_alone`] decide how much is shown;
//! [`state_silence`] is a member's word that no answer has come. Nobody's word rests on who made the
//! file. This file holds the nouns. Spec: chapter EVD.

mod build;
mod clock;
mod disclose;
mod parse;
mod silence;
mod thread;
mod timeline;
mod verify;

pub use build::build;
pub use clock::clocks;
pub use disclose::{
    content_of, message_of, of_member_alone, subject, without_content, without_manifests,
};
pub use parse::{parse, roster_of};
pub use silence::state_silence;
pub use timeline::rows;
pub use verify::verify;

use crate::{
    envelope::{Carried, EnvelopeError},
    error::WireCode,
    id::{EnvelopeId, MessageId},
    log::{Checkpoint, CheckpointError, NoteError},
    receipt::{ReceiptError, VerifiedReceipt},
    roster::Finality,
    sign::SignError,
    v1,
};

/// The first line of a file of evidence. Spec: EVD-1.
pub const FIRST_LINE: &[u8] = b"frex-evidence/v1\n";

/// What a file of evidence is made of.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The roster's bundle; what proves nothing here is left out of it.
    pub roster: Vec<u8>,
    /// The message in question first.
    pub exhibits: Vec<v1::Exhibit>,
    /// In any order; the same entry of a log once.
    pub receipts: Vec<v1::Receipt>,
    /// Each a `Signed` `SilenceStatement`.
    pub silences: Vec<bytes::Bytes>,
}

/// Why bytes are no file of evidence. Spec: EVD-1 to EVD-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Over the size limit, or too many of something.
    #[error("the file is over a limit")]
    TooLarge,
    /// It begins otherwise.
    #[error("the file does not begin as a file of evidence does")]
    FirstLine,
    /// It does not decode.
    #[error("the file does not decode")]
    Malformed,
    /// It holds what is not part of it, or in another form.
    #[error("the file is not in its one form")]
    NotCanonical,
    /// Receipts stand in another order, or an entry of a log stands twice.
    #[error("the receipts are not in their order, each once")]
    Order,
    /// It shows nothing.
    #[error("the file shows neither an exhibit nor a receipt")]
    Empty,
}

impl From<FileError> for WireCode {
    fn from(_: FileError) -> Self {
        Self::BadEvidence
    }
}

/// Why a part of the evidence does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// What was signed is no envelope, or not signed as it must be.
    #[error("{0}")]
    Exhibit(EnvelopeError),
    /// Its sender, or its author, is not in the roster.
    #[error("a sender is not in the roster")]
    UnknownSender,
    /// It belongs to another federation than the roster.
    #[error("it belongs to another federation")]
    WrongFederation,
    /// The same envelope stands in the file twice.
    #[error("the same envelope stands in the file twice")]
    Repeated,
    /// The content is not the one that the header commits to.
    #[error("the content is not the one that the signed header commits to")]
    Content,
    /// The receipt does not hold.
    #[error("{0}")]
    Receipt(ReceiptError),
    /// The roster lists no such log.
    #[error("the roster lists no such log")]
    UnknownLog,
    /// A node speaks of members that it does not serve.
    #[error("the node speaks of members that it does not serve")]
    NotItsMember,
    /// The member's own word inside does not hold.
    #[error("the member's own statement inside does not hold")]
    MemberStatement,
    /// It is about something that the file does not show.
    #[error("it is about something that the file does not show")]
    Unrelated,
    /// It says otherwise than what was signed by the sender.
    #[error("it says otherwise than what the sender signed")]
    Disagrees,
    /// A line of a witness is wrong.
    #[error("{0}")]
    Cosignature(NoteError),
    /// The word that no answer has come is not of its form.
    #[error("the statement is malformed")]
    Silence,
    /// It is not signed by the member that it names.
    #[error("{0}")]
    SilenceSignature(SignError),
    /// Its head is not signed by the log of the member's node.
    #[error("{0}")]
    SilenceHead(CheckpointError),
    /// An answer had come by then: the statement is false.
    #[error("an answer had come to the same node before that head: the statement is false")]
    Contradicted,
    /// A check was not reached, and none before it says why.
    #[error("a check was not reached")]
    NotReached,
}

/// One step of verification, named for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked, as a sentence without its verdict.
    pub name: String,
    /// The verdict.
    pub outcome: Outcome,
}

/// Verdict of one [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It holds, and fewer witnesses have cosigned than must.
    Provisional,
    /// It does not.
    Fails(EvidenceError),
    /// It rests on a check that failed.
    NotReached,
}

impl Outcome {
    /// `ok`, `provisional`, `failed` or `not reached`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds => "ok",
            Self::Provisional => "provisional",
            Self::Fails(_) => "failed",
            Self::NotReached => "not reached",
        }
    }
}

/// What a file proves. Places count from 0 and are those of the file; what does not hold is none.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Every check in its order.
    pub checks: Vec<Check>,
    /// What was sent.
    pub exhibits: Vec<Option<Shown>>,
    /// What nodes and members state of it.
    pub receipts: Vec<Option<Proven>>,
    /// Who states that no answer has come.
    pub silences: Vec<Option<Silence>>,
}

impl Findings {
    /// The first check that fails, or else that one was not reached; none: everything holds.
    /// Spec: EVD-5.
    #[must_use]
    pub fn failure(&self) -> Option<EvidenceError> {
        let failed = |check: &Check| match check.outcome {
            Outcome::Fails(error) => Some(error),
            _ => None,
        };
        let unreached = |check: &Check| check.outcome == Outcome::NotReached;
        let unreached = || self.checks.iter().any(unreached);
        let mut checks = self.checks.iter();
        checks
            .find_map(failed)
            .or_else(|| unreached().then_some(EvidenceError::NotReached))
    }

    /// The receipt that is meant by a proof, if one is and it holds.
    #[must_use]
    pub fn receipt(&self, proof: Proof) -> Option<&Proven> {
        match proof {
            Proof::Receipt(place) => self.receipts.get(place)?.as_ref(),
            Proof::Exhibit(_) | Proof::Silence(_) => None,
        }
    }
}

/// Something that was sent, as its sender signed it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What was signed.
    pub carried: Carried,
    /// Its content, if that is revealed.
    pub content: Option<v1::Content>,
    /// The earliest time that a log has written down for it; none: its sender's word alone dates it.
    pub logged_ms: Option<u64>,
}

/// A receipt, and what it proves.
#[derive(Debug, Clone)]
pub struct Proven {
    /// What the node states.
    pub verified: VerifiedReceipt,
    /// The member's own word, if it is of a stage.
    pub stage: Option<v1::StageStatement>,
    /// Who has cosigned its head.
    pub finality: Finality,
}

/// A member's word that no answer had come. Spec: EVD-9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Who says so.
    pub member: String,
    /// What was not answered.
    pub envelope: EnvelopeId,
    /// Who has not answered.
    pub silent: Vec<String>,
    /// The head of the log of the member's node, by which nothing had come.
    pub head: Checkpoint,
    /// Who has cosigned it.
    pub finality: Finality,
    /// When the member says that it said so.
    pub time_ms: u64,
}

/// Which part of the file proves a row. Places count from 0 and print from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// What a sender signed.
    Exhibit(usize),
    /// What a node signed and logged.
    Receipt(usize),
    /// A member's word.
    Silence(usize),
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exhibit(place) => write!(f, "exhibit {}", place + 1),
            Self::Receipt(place) => write!(f, "receipt {}", place + 1),
            Self::Silence(place) => write!(f, "silence {}", place + 1),
        }
    }
}

/// One line of what happened. Spec: EVD-7.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When, milliseconds since the Unix epoch: of a receipt its leaf's, else as it is signed.
    pub at_ms: u64,
    /// What, as one word in lower case.
    pub what: &'static str,
    /// The message that it is about; none: nothing here names it.
    pub message: Option<MessageId>,
    /// Of whom: who wrote, who had it, who opened it.
    pub members: Vec<String>,
    /// The node that states it; empty: no node does.
    pub node: String,
    /// A kind, a code, an outcome, a size of a log; or empty.
    pub detail: String,
    /// What proves it.
    pub proof: Proof,
}

/// How one recipient of a request stands. Spec: EVD-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// The request.
    pub message: MessageId,
    /// Who asked.
    pub asker: String,
    /// Who was asked.
    pub member: String,
    /// When its node had it, and by which proof.
    pub received: Option<(u64, Proof)>,
    /// By when the asker awaited an answer; none: it named no time.
    pub due_ms: Option<u64>,
    /// Further messages of the asker about it that the member's node had, each counted once. Whether one
    /// reminds, extends or ends the request no header says.
    pub further: usize,
    /// When an answer was logged, and by which proof.
    pub answered: Option<(u64, Proof)>,
    /// When the asker stated that none had come, and by which proof.
    pub silent: Option<(u64, Proof)>,
}

/// What a [`Clock`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing shows that it reached the recipient's node.
    NotReceived,
    /// It was answered, in time if a time was named.
    Answered,
    /// It was answered after it was due.
    AnsweredLate,
    /// The asker states that no answer had come after it was due.
    Overdue,
    /// The asker states that no answer had come, and it was not due yet.
    Waiting,
    /// Nothing here says whether it was answered.
    Open,
}

impl State {
    /// In lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotReceived => "not received",
            Self::Answered => "answered",
            Self::AnsweredLate => "answered late",
            Self::Overdue => "overdue",
            Self::Waiting => "waiting",
            Self::Open => "open",
        }
    }
}
