//! The node's account of what happened: records in the journal, leaves in the log, keys in the
//! index.
//!
//! One sequencer writes. Every other part hands it an [`Entry`] and gets an [`Outcome`] back once
//! the entry is durable: persist, sync, then speak. What the index holds follows from the records
//! alone ([`records::changes`]), so replaying the journal rebuilds it.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    keys::SigningError,
    label::{self, Hash},
    log::{self, Checkpoint, Fork},
    roster::RosterRef,
    v1,
};
use tokio::sync::oneshot;

use self::records::OutboxItem;
use crate::journal::{JournalError, Position};

pub mod erase;
pub mod publish;
pub mod query;
pub mod records;
pub mod replay;
pub mod sequencer;

/// Key of everything that concerns one message: a short hash of its sender and message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub [u8; 16]);

impl MessageKey {
    /// The key of `message_id` as chosen by `sender`.
    #[must_use]
    pub fn new(sender: &str, message_id: MessageId) -> Self {
        let hash = label::sha256(&[
            b"frex/node/message\0",
            sender.as_bytes(),
            b"\0",
            &message_id.0,
        ]);
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    /// The key of what concerns a log.
    #[must_use]
    pub fn of_log(origin: &str) -> Self {
        let hash = label::sha256(&[b"frex/node/log\0", origin.as_bytes()]);
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }

    /// The key of what concerns the roster in force.
    #[must_use]
    pub fn of_trust() -> Self {
        let hash = label::sha256(&[b"frex/node/trust\0"]);
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self(key)
    }
}

/// An envelope that passed intake, with what the sequencer needs to know about it.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Identity of the envelope.
    pub id: EnvelopeId,
    /// The sender's message id.
    pub message_id: MessageId,
    /// Member who signed it.
    pub sender: String,
    /// Lane, as it orders the outbox.
    pub lane: v1::Lane,
    /// When delivery is given up.
    pub expires_ms: u64,
    /// Roots of the attachments that it needs.
    pub attachments: Vec<Hash>,
    /// The encoded [`v1::Envelope`] with its body inside, exactly as kept and passed on.
    pub envelope: Bytes,
    /// Whether its sender passes on what another member wrote.
    pub is_forward: bool,
    /// What it withdraws, if it is a recall.
    pub recalls: Option<Box<Recalls>>,
}

/// What a recall withdraws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalls {
    /// The message: of the same sender as the recall, so nobody withdraws what others sent.
    pub message: MessageKey,
    /// The envelope of it that the recall names.
    pub envelope: EnvelopeId,
    /// Outbox keys of deliveries that are needless once it is recorded.
    pub stops: Vec<Bytes>,
}

/// What a caller wants to have happened.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A member of this node submits.
    Submit {
        /// The envelope.
        admitted: Admitted,
        /// Other nodes that serve a recipient.
        nodes: Vec<String>,
        /// Recipients served here.
        members: Vec<String>,
        /// All recipients, for the statement.
        recipients: Vec<String>,
    },
    /// Another node delivers to members served here.
    Deliver {
        /// The envelope.
        admitted: Admitted,
        /// Recipients served here.
        members: Vec<String>,
        /// Recipients served here who have retired the key that it is sealed to: they do not get
        /// it, and that is stated too.
        retired: Vec<String>,
    },
    /// A verified envelope is refused for good, and the refusal is signed and logged.
    Reject {
        /// The envelope.
        admitted: Admitted,
        /// Why.
        code: WireCode,
        /// For whom, if it is named.
        recipients: Vec<String>,
    },
    /// An envelope is refused without a trace, unless it is held: then it is answered as before.
    Refuse {
        /// The message.
        message: MessageKey,
        /// The envelope.
        id: EnvelopeId,
        /// Its recipients.
        recipients: Vec<String>,
        /// Whether it was submitted; else delivered.
        submitted: bool,
        /// Why.
        code: WireCode,
    },
    /// A member served here says what became of an inbox item.
    Stage(StageEntry),
    /// Another node's receipt for something this node sent.
    PeerReceipt(PeerReceiptEntry),
    /// A roster came into force.
    Trust(RosterRef),
    /// A relayed stage reached the sender's node.
    Relayed {
        /// The outbox key that is done.
        outbox_key: Bytes,
        /// The message it belonged to.
        message: MessageKey,
    },
    /// An outbox item is given up, unless it is answered or gone meanwhile.
    Undeliverable {
        /// What waited.
        item: OutboxItem,
        /// Why.
        code: WireCode,
        /// How often it was tried, as far as is known.
        attempts: u32,
    },
    /// Something is to become of one delivery.
    Order {
        /// Its outbox key.
        key: Bytes,
        /// What.
        act: Act,
    },
    /// What became of an attachment that a recorded envelope needed.
    Attachment(AttachmentEntry),
    /// More was seen of another log, unless something else was seen meanwhile.
    Seen(SeenEntry),
    /// A log has signed two histories.
    Forked(Fork),
    /// Enough witnesses have cosigned this checkpoint of the own log.
    Cosigned(Bytes),
    /// The log before has ended, and another begins.
    Begin(BeginEntry),
    /// What is kept of a message is to go.
    Erase(EraseEntry),
    /// A message must not be erased, or may be again.
    Hold(HoldEntry),
}

/// Why a message is erased.
#[derive(Debug, Clone)]
pub struct EraseEntry {
    /// The message.
    pub message: MessageKey,
    /// Why, as a code.
    pub ground: String,
    /// By which order or rule, as a code.
    pub authority: String,
    /// The member who orders it; empty: the node's own rule.
    pub ordered_by: String,
}

/// Why a message is not to be erased.
#[derive(Debug, Clone)]
pub struct HoldEntry {
    /// The message.
    pub message: MessageKey,
    /// Why, as a code.
    pub ground: String,
    /// By which order or rule, as a code.
    pub authority: String,
    /// The member who orders it.
    pub ordered_by: String,
    /// Whether a court has ordered it.
    pub court: bool,
    /// This order keeps it no longer.
    pub release: bool,
    /// Whether the member runs the node, and may release what others have ordered.
    pub operates: bool,
}

/// What may be ordered of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A dead letter waits again, unless it has expired.
    Requeue,
    /// A delivery that waits ends, or a dead letter goes.
    Drop,
}

/// From when on an attachment is not needed any more, or that it is gone.
#[derive(Debug, Clone)]
pub struct AttachmentEntry {
    /// Key of the message whose envelope needed it.
    pub message: Bytes,
    /// Key of its row in the index.
    pub row: Bytes,
    /// From when on it is not needed; absent: it is gone.
    pub until_ms: Option<u64>,
}

/// What was seen of another log.
#[derive(Debug, Clone)]
pub struct SeenEntry {
    /// What was known of it before: size and root. It must still be so.
    pub known: (u64, Hash),
    /// The head that extends that.
    pub head: Checkpoint,
    /// The head as the log signed it, without cosignatures.
    pub checkpoint: Bytes,
    /// Whether the first sight of a log is stated, as a witness does, or only what is seen of it later.
    pub states_first: bool,
}

/// How another log begins, before anything else is recorded in it.
#[derive(Debug, Clone)]
pub struct BeginEntry {
    /// Its name.
    pub origin: String,
    /// The newest checkpoint of the log before that others have seen, or empty.
    pub seen: Bytes,
}

/// A member's stage statement on an item of its inbox.
#[derive(Debug, Clone)]
pub struct StageEntry {
    /// Identity of the envelope.
    pub id: EnvelopeId,
    /// The sender's message id.
    pub message_id: MessageId,
    /// Who sent the envelope.
    pub sender: String,
    /// Who speaks.
    pub member: String,
    /// The stage reached.
    pub stage: v1::Stage,
    /// Lane of the envelope, part of the inbox item's key.
    pub lane: v1::Lane,
    /// When relaying is given up.
    pub expires_ms: u64,
    /// The encoded signed stage statement.
    pub statement: Bytes,
    /// Position of the ACCEPTED record, the inbox item that is done.
    pub item: Position,
    /// The sender's node, if the statement must travel there.
    pub relay_to: Option<String>,
}

/// A verified receipt of another node.
#[derive(Debug, Clone)]
pub struct PeerReceiptEntry {
    /// The message it is about.
    pub message: MessageKey,
    /// The node that issued it.
    pub node: String,
    /// Empty, or the member and stage of a relayed stage statement.
    pub detail: String,
    /// The encoded receipt, as received.
    pub receipt: Bytes,
    /// Beside it: the refusal of some recipients of an envelope that was accepted for the others.
    pub refusal: Option<Bytes>,
    /// The outbox item it answers, if any.
    pub outbox_key: Option<Bytes>,
}

/// What became of an [`Entry`], once durable.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Done now: the encoded receipt.
    Receipt(Bytes),
    /// Done before: the same receipt bytes again.
    Stored(Bytes),
    /// Done; nothing to show for it.
    Done,
    /// Not done.
    Failed(WireCode),
}

/// One entry on its way to the sequencer.
#[derive(Debug)]
pub struct Job {
    /// What is to be recorded.
    pub entry: Entry,
    /// Where the outcome goes.
    pub reply: oneshot::Sender<Outcome>,
}

/// Why the ledger cannot be opened or has stopped. The environment is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The journal refuses.
    #[error("journal")]
    Journal(#[from] JournalError),
    /// The index refuses even when empty.
    #[error("index")]
    Index(#[from] crate::index::IndexError),
    /// Files of the published log cannot be read or written.
    #[error("log files")]
    Io(#[from] std::io::Error),
    /// A tile does not hold what its place in the tree says.
    #[error("the published log is damaged")]
    Proof(#[from] log::ProofError),
    /// A record passes its checksum but is not what its kind says.
    #[error("a journal record does not decode")]
    Record,
    /// The log's key has ended: nobody would take what it signs.
    #[error("the log key held here has ended")]
    KeyEnded,
    /// The log's key does not sign: it may be in a token.
    #[error("the log key does not sign")]
    Signing(#[from] SigningError),
    /// What is asked for was erased.
    #[error("the message was erased")]
    Erased,
    /// Leaves in the journal do not make the tree that was published.
    #[error("the journal holds fewer or other log entries than were published")]
    Inconsistent,
}

impl From<&LedgerError> for WireCode {
    fn from(error: &LedgerError) -> Self {
        match error {
            LedgerError::Journal(JournalError::Full) => Self::DiskFull,
            LedgerError::KeyEnded => Self::KeyEnded,
            LedgerError::Erased => Self::Erased,
            LedgerError::Signing(error) => (*error).into(),
            LedgerError::Journal(JournalError::Damaged { .. })
            | LedgerError::Record
            | LedgerError::Inconsistent => Self::JournalDamaged,
            LedgerError::Journal(_)
            | LedgerError::Index(_)
            | LedgerError::Io(_)
            | LedgerError::Proof(_) => Self::StorageFailed,
        }
    }
}
