//! What a journal record holds, and the index changes that follow from it.

use bytes::Bytes;
use frex_proto::{
    id::{EnvelopeId, MessageId},
    label::{self, Hash},
    log::{Leaf, LogVerifier},
    receipt, v1,
};
use prost::{Message, encoding};

use crate::{
    index::{Change, Table},
    journal::{Position, RecordKind},
    ledger::{LedgerError, MessageKey},
};

mod changes;
mod sight;
mod stub;

pub use changes::changes;
pub use sight::Sight;
pub use stub::stub;

/// A member's envelope was taken for delivery.
pub const SENT: RecordKind = RecordKind(1);
/// An envelope was accepted for members served here.
pub const ACCEPTED: RecordKind = RecordKind(2);
/// An envelope was refused for good.
pub const REJECTED: RecordKind = RecordKind(3);
/// A member stated what became of an envelope.
pub const STAGE: RecordKind = RecordKind(4);
/// Another node's receipt.
pub const PEER_RECEIPT: RecordKind = RecordKind(5);
/// The checkpoint that covers every leaf before it.
pub const CHECKPOINT: RecordKind = RecordKind(6);
/// A relayed stage arrived.
pub const RELAYED: RecordKind = RecordKind(7);
/// An outbox item was given up.
pub const UNDELIVERABLE: RecordKind = RecordKind(8);
/// The first roster of a journal: known, and no change to be logged.
pub const TRUST_HELD: RecordKind = RecordKind(9);
/// Another roster came into force.
pub const TRUST: RecordKind = RecordKind(10);
/// A delivery that was given up waits again.
pub const REQUEUED: RecordKind = RecordKind(11);
/// A delivery was ended by an order, or a dead letter removed by one.
pub const DROPPED: RecordKind = RecordKind(12);
/// A sender withdrew a message: from what waits here for its recipients, and from what comes.
pub const WITHDRAWN: RecordKind = RecordKind(15);
/// It became known until when a record needs an attachment.
pub const ATTACHMENT_RELEASED: RecordKind = RecordKind(13);
/// A record needs an attachment no more.
pub const ATTACHMENT_REMOVED: RecordKind = RecordKind(14);
/// A checkpoint of another log was seen.
pub const SEEN: RecordKind = RecordKind(16);
/// A checkpoint of another log was seen, and that is logged.
pub const SEEN_LOGGED: RecordKind = RecordKind(17);
/// Another log has signed two checkpoints that contradict each other.
pub const FORKED: RecordKind = RecordKind(18);
/// Enough witnesses have cosigned a checkpoint of this log.
pub const COSIGNED: RecordKind = RecordKind(19);
/// Another log of this node begins: its first entry, which names the one before.
pub const LOG_BEGUN: RecordKind = RecordKind(25);

/// What was kept of a message was erased.
pub const ERASED: RecordKind = RecordKind(20);
/// A message must not be erased.
pub const HELD: RecordKind = RecordKind(21);
/// A message that was held may be erased.
pub const RELEASED: RecordKind = RecordKind(22);

/// Whether a record of this kind stands for an entry of the log.
#[must_use]
pub fn has_leaf(kind: RecordKind) -> bool {
    matches!(
        kind,
        SENT | ACCEPTED | REJECTED | STAGE | TRUST | SEEN_LOGGED | FORKED | LOG_BEGUN | ERASED
    )
}

/// The entry of the log that a record stands for, and its place there.
///
/// # Errors
/// [`LedgerError::Record`] if the record is not what its kind says.
pub fn leaf_of(record: &Record) -> Result<(u64, Leaf), LedgerError> {
    let receipt = v1::Receipt::decode(record.receipt.clone()).map_err(|_| LedgerError::Record)?;
    let leaf = Leaf::parse(&receipt.leaf).map_err(|_| LedgerError::Record)?;
    Ok((receipt.index, leaf))
}

/// The log that begins with a record of [`LOG_BEGUN`], which is a later one than `before`: a copy of the
/// directory may have had the ones between.
///
/// # Errors
/// [`LedgerError::Record`]; [`LedgerError::Inconsistent`] for any other log.
pub fn begun_log<'a>(
    record: &Record,
    before: &LogVerifier,
    logs: &'a [LogVerifier],
) -> Result<&'a LogVerifier, LedgerError> {
    let receipt = v1::Receipt::decode(record.receipt.clone()).map_err(|_| LedgerError::Record)?;
    let later = logs.iter().skip_while(|log| log.origin != before.origin);
    let mut later = later.skip(1);
    later
        .find(|log| log.is_named_by(&receipt.checkpoint))
        .ok_or(LedgerError::Inconsistent)
}

/// Body of every record kind but [`CHECKPOINT`], which is the note itself.
///
/// One shape for all kinds keeps replay in one place; a kind uses the fields it needs.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// Own receipt with its leaf (1–4, 10, 25), or the other node's (5).
    #[prost(bytes = "bytes", tag = "1")]
    pub receipt: Bytes,
    /// Encoded [`v1::Envelope`] (1–3).
    #[prost(bytes = "bytes", tag = "2")]
    pub envelope: Bytes,
    /// Envelope id (1–4, 20, 21), that of the recall (15), or the hash of a roster (9, 10).
    #[prost(bytes = "bytes", tag = "3")]
    pub envelope_id: Bytes,
    /// Message key (all).
    #[prost(bytes = "bytes", tag = "4")]
    pub message: Bytes,
    /// Recipients served here (2), or the member who speaks (4) or orders (21, 22).
    #[prost(string, repeated, tag = "5")]
    pub members: Vec<String>,
    /// Destinations (1), the node to relay to (4), the issuer (5), the destination (8, 11, 12).
    #[prost(string, repeated, tag = "6")]
    pub nodes: Vec<String>,
    /// Lane (1–2).
    #[prost(int32, tag = "7")]
    pub lane: i32,
    /// Expiry (1, 2, 4, 8, 11).
    #[prost(uint64, tag = "8")]
    pub expires_ms: u64,
    /// Position of the inbox item that is done (4), or of the receipt that this one follows (5).
    #[prost(uint64, tag = "9")]
    pub item: u64,
    /// Outbox key that is done (5, 7, 8, 12), or is not (11).
    #[prost(bytes = "bytes", tag = "10")]
    pub outbox_key: Bytes,
    /// Wire code (3, 8), or why what was dropped while it still waited was (12).
    #[prost(uint32, tag = "11")]
    pub code: u32,
    /// Member and stage of a stage statement (4, 5), or the id of an envelope that was sealed
    /// again (5).
    #[prost(string, tag = "12")]
    pub detail: String,
    /// Whether the message came before, sealed to keys that were retired (1, 2).
    #[prost(bool, tag = "13")]
    pub resealed: bool,
    /// Since when there was something to deliver (1, 4, 8, 11), or it is held (21). Records of before have none.
    #[prost(uint64, tag = "14")]
    pub since_ms: u64,
    /// How it was given up (8).
    #[prost(message, optional, tag = "15")]
    pub ended: Option<Ended>,
    /// Roots of attachments that are needed (1, 2), or index rows (13, 14, 20).
    #[prost(bytes = "bytes", repeated, tag = "16")]
    pub attachments: Vec<Bytes>,
    /// Until when an attachment is needed (13).
    #[prost(uint64, tag = "17")]
    pub until_ms: u64,
    /// For whom the message was withdrawn before it came (2), or is by now (15).
    #[prost(string, repeated, tag = "18")]
    pub withdrawn: Vec<String>,
    /// Inbox keys of what is withdrawn (15) or erased (20).
    #[prost(bytes = "bytes", repeated, tag = "19")]
    pub inbox_keys: Vec<Bytes>,
    /// What was seen of a log (16–19).
    #[prost(message, optional, tag = "20")]
    pub seen: Option<SeenLog>,
    /// Whether this is what stays of a record that was erased (1–5).
    #[prost(bool, tag = "40")]
    pub erased: bool,
    /// Fills the length that the erased record had (1–5).
    #[prost(bytes = "bytes", tag = "41")]
    pub padding: Bytes,
    /// Positions of records that this one erases (20).
    #[prost(uint64, repeated, tag = "42")]
    pub erases: Vec<u64>,
    /// Rows of the message's history that go with them (20).
    #[prost(bytes = "bytes", repeated, tag = "43")]
    pub message_rows: Vec<Bytes>,
    /// Outbox keys of deliveries that end with them (20).
    #[prost(bytes = "bytes", repeated, tag = "44")]
    pub outbox_keys: Vec<Bytes>,
    /// Why it is held (21, 22).
    #[prost(string, tag = "45")]
    pub ground: String,
    /// By which order or rule (21, 22).
    #[prost(string, tag = "46")]
    pub authority: String,
    /// Whether a court has ordered it (21).
    #[prost(bool, tag = "47")]
    pub court: bool,
    /// Index row of the hold (21), or of those that are over (20, 22). Records of before have none: then a
    /// message had one hold, and its row is the message's key.
    #[prost(bytes = "bytes", repeated, tag = "48")]
    pub hold_rows: Vec<Bytes>,
}

/// The newest that a node has seen of a log.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SeenLog {
    /// The log.
    #[prost(string, tag = "1")]
    pub origin: String,
    /// Its size.
    #[prost(uint64, tag = "2")]
    pub size: u64,
    /// Its root, 32 bytes.
    #[prost(bytes = "bytes", tag = "3")]
    pub root: Bytes,
    /// The checkpoint: of another log with that log's signature alone, of the own with those of
    /// the witnesses.
    #[prost(bytes = "bytes", tag = "4")]
    pub checkpoint: Bytes,
    /// When a sight of it was last stated in the own log.
    #[prost(uint64, tag = "5")]
    pub logged_ms: u64,
    /// Another checkpoint that it contradicts, or empty.
    #[prost(bytes = "bytes", tag = "6")]
    pub contradicts: Bytes,
}

impl SeenLog {
    /// Whether the log has signed two histories.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        !self.contradicts.is_empty()
    }
}

/// How a delivery was given up.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Ended {
    /// When.
    #[prost(uint64, tag = "1")]
    pub at_ms: u64,
    /// How often it had been tried, as far as was known.
    #[prost(uint32, tag = "2")]
    pub attempts: u32,
}

impl Record {
    /// Since when there was something to deliver: a record of before has the time of its leaf.
    fn since_ms(&self) -> u64 {
        if self.since_ms != 0 {
            return self.since_ms;
        }
        let receipt = v1::Receipt::decode(self.receipt.clone()).unwrap_or_default();
        Leaf::parse(&receipt.leaf).map_or(0, |leaf| leaf.time_ms())
    }

    /// The record's bytes, in two parts to be written one after another: the envelope comes last
    /// and is not copied.
    #[must_use]
    pub fn encode_in_parts(mut self) -> (Vec<u8>, Bytes) {
        let envelope = std::mem::take(&mut self.envelope);
        let mut head = self.encode_to_vec();
        if !envelope.is_empty() {
            encoding::encode_key(2, encoding::WireType::LengthDelimited, &mut head);
            encoding::encode_varint(envelope.len() as u64, &mut head);
        }
        (head, envelope)
    }
}

/// What the index keeps of an envelope: where it is and which one it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Identity of the envelope.
    pub id: EnvelopeId,
    /// Its record.
    pub position: Position,
}

/// Why a record needs an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Its envelope is to be delivered to other nodes.
    Deliver,
    /// Its envelope is for members served here.
    Fetch,
}

/// One record's need of one attachment, as the index holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentRow {
    /// Root of the attachment.
    pub root: Hash,
    /// Why.
    pub need: Need,
    /// The record.
    pub position: Position,
    /// Until when, once that is known.
    pub until_ms: Option<u64>,
}

impl AttachmentRow {
    /// Reads one row.
    #[must_use]
    pub fn parse(key: &[u8], value: &[u8]) -> Option<Self> {
        let (root, rest) = key.split_first_chunk()?;
        let (need, position) = rest.split_first()?;
        let need = match *need {
            SENT_SUFFIX => Need::Deliver,
            ACCEPTED_SUFFIX => Need::Fetch,
            _ => return None,
        };
        let until_ms = match value.is_empty() {
            true => None,
            false => Some(u64::from_be_bytes(value.try_into().ok()?)),
        };
        Some(Self {
            root: *root,
            need,
            position: Position::from_u64(u64::from_be_bytes(position.try_into().ok()?)),
            until_ms,
        })
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Bytes {
        attachment_key(&self.root, self.need, self.position).into()
    }
}

pub(super) fn attachment_key(root: &[u8], need: Need, position: Position) -> Vec<u8> {
    let mut key = root.to_vec();
    key.push(match need {
        Need::Deliver => SENT_SUFFIX,
        Need::Fetch => ACCEPTED_SUFFIX,
    });
    key.extend_from_slice(&position.to_u64().to_be_bytes());
    key
}

/// One waiting delivery, as the outbox holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Index key, unique.
    pub key: Bytes,
    /// The record to deliver or relay.
    pub position: Position,
    /// When it is given up.
    pub expires_ms: u64,
    /// Since when it is to be delivered.
    pub since_ms: u64,
    /// The message it belongs to.
    pub message: MessageKey,
}

impl OutboxItem {
    /// When half of its life is over.
    #[must_use]
    pub fn half_life_ms(&self) -> u64 {
        self.since_ms + self.expires_ms.saturating_sub(self.since_ms) / 2
    }

    /// Its lane, as a slot of [`LANES`].
    #[must_use]
    pub fn slot(&self) -> usize {
        lane_slot(&self.key)
    }

    /// The node that it is for.
    #[must_use]
    pub fn node(&self) -> &str {
        queue_owner(&self.key)
    }
}

/// One delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// As it waited.
    pub item: OutboxItem,
    /// The record that says how it ended.
    pub ended: Position,
}

/// Lanes in the order in which a queue holds them.
pub const LANES: [v1::Lane; 4] = [
    v1::Lane::Urgent,
    v1::Lane::Control,
    v1::Lane::Normal,
    v1::Lane::Bulk,
];

/// Suffix of a message's own record as sender; if it was sealed again, the envelope id follows.
pub const SENT_SUFFIX: u8 = b'S';
/// Suffix of a message's own record as receiver; if it was sealed again, the envelope id follows.
pub const ACCEPTED_SUFFIX: u8 = b'A';
/// Suffix of a signed rejection; the envelope id follows.
pub const REJECTED_SUFFIX: u8 = b'X';
/// Suffix of a stage statement made here; member and stage follow.
pub const STAGE_SUFFIX: u8 = b'T';
/// Suffix of another node's receipt; the node and detail follow.
pub const PEER_SUFFIX: u8 = b'R';
/// Ends the detail of a refusal that came beside the acceptance for other recipients.
pub const PARTIAL_DETAIL: &str = "\0refused";
/// Suffix of a given-up delivery; its outbox key follows.
pub const UNDELIVERABLE_SUFFIX: u8 = b'U';
/// Suffix of the newest recall of a message.
pub const WITHDRAWN_SUFFIX: u8 = b'W';
/// Suffix of the newest erasure of a message.
pub const ERASED_SUFFIX: u8 = b'E';
/// Suffix by which a block notes that it says something of a message; never in the index.
pub const TOUCHED_SUFFIX: u8 = b't';
/// Suffix of the roster in force.
pub const TRUST_SUFFIX: u8 = b'F';

/// Index key of something that concerns a message; details are hashed, so that it stays short.
#[must_use]
pub fn message_key(message: MessageKey, suffix: u8, detail: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(48);
    key.extend_from_slice(&message.0);
    key.push(suffix);
    if !detail.is_empty() {
        key.extend_from_slice(&label::sha256(detail)[..16]);
    }
    key
}

/// Index key of the hold on a message that a record states: one by each member for each order.
#[must_use]
pub fn hold_key(message: MessageKey, record: &Record) -> Vec<u8> {
    let by = record.members.first().map_or("", String::as_str);
    let order = [by, "\0", &record.ground, "\0", &record.authority];
    let order = order.map(str::as_bytes);
    [&message.0[..], &label::sha256(&order)[..16]].concat()
}

/// Where an envelope that is held has its answer: taken, taken again, refused on the record.
#[must_use]
pub fn answer_keys(message: MessageKey, id: EnvelopeId, submitted: bool) -> [Vec<u8>; 3] {
    let taken = if submitted {
        SENT_SUFFIX
    } else {
        ACCEPTED_SUFFIX
    };
    [
        message_key(message, taken, &[]),
        message_key(message, taken, &[&id.0]),
        message_key(message, REJECTED_SUFFIX, &[&id.0]),
    ]
}

/// Index key of the own checkpoint that enough witnesses have cosigned.
pub const COSIGNED_KEY: &[u8] = b"cosigned";

/// Index key of what was seen of a log.
#[must_use]
pub fn seen_key(origin: &str) -> Vec<u8> {
    label::sha256(&[origin.as_bytes()]).to_vec()
}

/// Prefix of everything that waits for `owner` (a node's outbox or a member's inbox).
#[must_use]
pub fn queue_prefix(owner: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(owner.len() + 10);
    key.extend_from_slice(owner.as_bytes());
    key.push(0);
    key
}

/// Index key of one waiting thing; lanes sort before positions, urgent first.
#[must_use]
pub fn queue_key(owner: &str, lane: i32, position: Position) -> Vec<u8> {
    let mut key = queue_prefix(owner);
    key.push(lane_order(lane));
    key.extend_from_slice(&position.to_u64().to_be_bytes());
    key
}

/// The position in a queue key, if it is one.
#[must_use]
pub fn queue_position(key: &[u8]) -> Option<Position> {
    let tail: [u8; 8] = key.last_chunk().copied()?;
    Some(Position::from_u64(u64::from_be_bytes(tail)))
}

/// The owner in a queue key; empty if it is none.
#[must_use]
pub fn queue_owner(key: &[u8]) -> &str {
    let owner = key.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(owner).unwrap_or_default()
}

/// The slot of [`LANES`] in a queue key; that of NORMAL if it names none.
#[must_use]
pub fn lane_slot(key: &[u8]) -> usize {
    let slot = key.len().checked_sub(9).and_then(|place| key.get(place));
    match slot {
        Some(slot @ 0..=3) => usize::from(*slot),
        _ => usize::from(lane_order(v1::Lane::Normal.into())),
    }
}

fn lane_order(lane: i32) -> u8 {
    match v1::Lane::try_from(lane) {
        Ok(v1::Lane::Urgent) => 0,
        Ok(v1::Lane::Control) => 1,
        Ok(v1::Lane::Bulk) => 3,
        _ => 2,
    }
}

/// Value of a kept envelope.
#[must_use]
pub fn kept_value(id: &[u8], position: Position) -> Bytes {
    let mut value = Vec::with_capacity(40);
    value.extend_from_slice(id);
    value.extend_from_slice(&position.to_u64().to_be_bytes());
    value.into()
}

/// Reads the value of a kept envelope.
#[must_use]
pub fn parse_kept(value: &[u8]) -> Option<Kept> {
    let (id, position) = value.split_at_checked(32)?;
    Some(Kept {
        id: EnvelopeId::from_slice(id).ok()?,
        position: Position::from_u64(u64::from_be_bytes(position.try_into().ok()?)),
    })
}

/// Reads one outbox row.
#[must_use]
pub fn parse_outbox(key: Bytes, value: &[u8]) -> Option<OutboxItem> {
    let (expires, rest) = value.split_first_chunk()?;
    let (since, message) = rest.split_first_chunk()?;
    Some(OutboxItem {
        position: queue_position(&key)?,
        expires_ms: u64::from_be_bytes(*expires),
        since_ms: u64::from_be_bytes(*since),
        message: MessageKey(message.try_into().ok()?),
        key,
    })
}

/// Reads one row of the dead letters: an outbox row, and where its end is recorded.
#[must_use]
pub fn parse_dead(key: Bytes, value: &[u8]) -> Option<DeadLetter> {
    let (row, ended) = value.split_last_chunk()?;
    Some(DeadLetter {
        item: parse_outbox(key, row)?,
        ended: Position::from_u64(u64::from_be_bytes(*ended)),
    })
}

/// The message id inside a statement, as the message key needs it.
///
/// # Errors
/// [`LedgerError::Record`] if the statement names no message.
pub fn message_of_statement(statement: &receipt::Statement) -> Result<MessageKey, LedgerError> {
    let id: MessageId = statement.message_id.ok_or(LedgerError::Record)?;
    Ok(MessageKey::new(&statement.sender, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_written_in_parts_reads_as_the_whole() {
        for envelope in [Bytes::new(), Bytes::from(vec![7; 70_000])] {
            let record = Record {
                receipt: Bytes::from_static(b"receipt"),
                envelope,
                members: vec!["police.es".to_owned()],
                expires_ms: 5,
                detail: "detail".to_owned(),
                ..Record::default()
            };
            let (head, envelope) = record.clone().encode_in_parts();
            let written = [head, envelope.to_vec()].concat();
            assert_eq!(Record::decode(written.as_slice()), Ok(record));
        }
    }
}
