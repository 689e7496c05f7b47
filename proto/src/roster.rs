//! Who belongs to the federation, and with which keys.
//!
//! A [`Roster`] exists only as the outcome of judging: k of n governance signatures under a pinned
//! root, every key admitted and used once, every member and node well formed. What holds a
//! [`Roster`] therefore asks it and never checks it. Spec: chapter ROS.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;

use crate::{
    error::WireCode,
    id::KeyId,
    keys::{KeyError, SealingPublicKey, VerifyingKey},
    label::Hash,
    v1,
};

pub mod build;
mod card;
pub mod ceremony;
mod country;
mod docs;
pub mod document;
mod entry;
mod held;
mod judge;
mod ledger;
mod lookup;
mod merge;
mod proposal;
mod scan;
pub mod succession;
mod witness;

pub use witness::Finality;

pub use card::Card;
pub use country::is_country;
pub(crate) use docs::is_host_port;
pub use proposal::Proposal;

/// What a federation's trust starts from: the hash of the root that was checked by hand.
/// Spec: ROS-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The federation.
    pub federation: String,
    /// SHA-256 of the root's payload.
    pub root_sha256: Hash,
}

/// The time in which a key is good: from `not_before_ms`, before `not_after_ms`. Spec: ROS-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First millisecond.
    pub not_before_ms: u64,
    /// First millisecond after; none: until withdrawn.
    pub not_after_ms: Option<u64>,
}

/// A key with the time in which it is good.
#[derive(Debug, Clone)]
pub struct Timed<K> {
    /// The key.
    pub key: K,
    /// When it is good.
    pub validity: Validity,
}

/// The governance keys, judged. Spec: ROS-2.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Root {
    /// The federation.
    pub federation: String,
    /// Counts from 1.
    pub version: u64,
    /// After this time nothing is trusted under this root.
    pub expires_ms: u64,
    /// Keys that change the root.
    pub root_keys: Vec<Timed<VerifyingKey>>,
    /// How many of them must agree.
    pub root_threshold: usize,
    /// Keys that issue rosters.
    pub roster_keys: Vec<Timed<VerifyingKey>>,
    /// How many of them must agree.
    pub roster_threshold: usize,
    /// Names of who holds the keys, in the order of both lists; or none. Spec: ROS-25.
    pub holders: Vec<String>,
    /// SHA-256 of the payload.
    pub sha256: Hash,
}

/// Names one root: its version and the hash of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootRef {
    /// Counts from 1.
    pub version: u64,
    /// SHA-256 of the payload.
    pub sha256: Hash,
}

/// Names one roster: its version and the hash of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterRef {
    /// Counts from 1.
    pub version: u64,
    /// SHA-256 of the payload.
    pub sha256: Hash,
}

/// Names one document of a member. Spec: ROS-17, DIS-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocRef {
    /// Counts from 1.
    pub version: u64,
    /// SHA-256 of the payload.
    pub sha256: Hash,
    /// The identity key that signed it; of several the one that is good longest.
    pub signer: KeyId,
    /// When what it says counts: as long as it and its signer are good.
    pub validity: Validity,
}

/// A sealing key whose secret its member destroys. Spec: ROS-34.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetiredKey {
    /// Which key.
    pub key_id: KeyId,
    /// From then on what is sealed to it is refused.
    pub from_ms: u64,
}

/// What a member says of a key that something is sealed to. Spec: ROS-35.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedTo {
    /// The member opens it, also with a key that has ended.
    Opens,
    /// Its secret is gone, or may be before the member reads it.
    Retired,
    /// Its document does not know the key.
    Unknown,
}

/// A judged roster with its indexes.
#[derive(Debug, Clone)]
pub struct Roster {
    reference: RosterRef,
    prev_sha256: Option<Hash>,
    root: Root,
    issued_ms: u64,
    expires_ms: u64,
    root_chain: Vec<RootRef>,
    freshness: Option<Freshness>,
    allow_classical: bool,
    witnessing: Option<Witnessing>,
    members: BTreeMap<String, Member>,
    nodes: BTreeMap<String, Node>,
    tls: BTreeMap<[u8; 32], TlsKey>,
    payload: Bytes,
    bytes: Bytes,
    state_sha256: Hash,
}

/// Whose cosignatures make what a log says final. Spec: ROS-52.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessing {
    /// Node ids.
    pub nodes: Vec<String>,
    /// How many of them, the log's own node not among them.
    pub quorum: usize,
}

/// A statement that no newer roster exists, good as long as the key that signed it. Spec: ROS-10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// When it was made.
    pub issued_ms: u64,
    /// When it ends.
    pub until_ms: u64,
}

#[derive(Debug, Clone)]
struct TlsKey {
    owner: Peer,
    validity: Validity,
}

/// A member of the federation: its roster entry and what its own document adds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Member {
    /// Unique in the federation.
    pub id: String,
    /// For people.
    pub name: String,
    /// What kind of organisation.
    pub role: v1::Role,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Live, suspended or revoked.
    pub status: v1::Status,
    /// The node that serves it.
    pub home_node: String,
    /// Keys that sign its envelopes, stages and document.
    pub identity_keys: Vec<Timed<VerifyingKey>>,
    /// What it takes.
    pub accepts: Accepts,
    /// How much it may send.
    pub quota: Quota,
    /// Whether it takes attachments.
    pub attachments: bool,
    /// What a report to it must say: fields by name. Spec: ROS-28.
    pub report_fields: Vec<String>,
    /// Countries that it is competent for; empty: its own. Spec: ROS-12.
    pub jurisdictions: Vec<String>,
    /// Its document; none: it has not given one.
    pub doc: Option<DocRef>,
    /// Keys of its clients' connections.
    pub client_tls_keys: Vec<Timed<VerifyingKey>>,
    /// Keys that envelopes to it are sealed to.
    pub sealing_keys: Vec<Timed<SealingPublicKey>>,
    /// Sealing keys whose secrets do not last, listed above or no longer, by its document: see
    /// [`sealed_to`](Self::sealed_to).
    pub retired_sealing_keys: Vec<RetiredKey>,
}

/// The kinds and lanes that a member takes. Spec: ROS-16.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepts {
    pairs: Option<BTreeSet<(i32, i32)>>,
}

/// How much a member may send; none: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Envelopes of every lane but the urgent one, per minute. Spec: ADM-2.
    pub envelopes_per_minute: Option<u32>,
    /// Urgent envelopes, per minute.
    pub urgent_per_minute: Option<u32>,
}

/// A node of the federation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Node {
    /// Unique in the federation.
    pub id: String,
    /// The member that runs it.
    pub operator: String,
    /// Live, suspended or revoked.
    pub status: v1::Status,
    /// Signs its checkpoints.
    pub log_key: Timed<VerifyingKey>,
    /// Signed them before, newest first; each has its end. Spec: ROS-40.
    pub earlier_log_keys: Vec<Timed<VerifyingKey>>,
    /// Counts its logs, from 1.
    pub log_epoch: u32,
    /// The logs before this one, by epoch from 1. Spec: ROS-60.
    pub ended_logs: Vec<EndedLog>,
    /// Cosigns other nodes' checkpoints.
    pub witness_key: Option<VerifyingKey>,
    /// Cosigned them before, newest first; each has its end. Spec: ROS-63.
    pub earlier_witness_keys: Vec<Timed<VerifyingKey>>,
    /// `host:port`, in the operator's order of preference; to dial: [`addresses_at`](Self::addresses_at).
    pub addresses: Vec<String>,
    /// When the document that states it is good; none: no document does.
    pub stated: Option<Validity>,
    /// Keys of its connections.
    pub tls_keys: Vec<Timed<VerifyingKey>>,
}

/// A log that a node had before the one it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedLog {
    /// First millisecond of which it says nothing.
    pub not_after_ms: u64,
    /// How many of its first entries the node still holds.
    pub kept: u64,
}

/// How far a roster may be relied on. Spec: DIS-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// In force, and vouched for as the newest if it ever was.
    Current,
    /// In force; nobody has vouched for it lately.
    Stale,
    /// In force; nobody has vouched for it for so long that a newer one may be withheld:
    /// nothing new is submitted under it.
    Unconfirmed,
    /// Its end has passed: what was submitted before is still delivered.
    Expired,
    /// Its end has long passed: nothing is done under it.
    Void,
}

/// The owner of a connection's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A node, by its id.
    Node(String),
    /// A client of a member, by the member's id.
    Client(String),
}

/// The place in a bundle at which a fault was found. Positions count from 0 and print from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The file.
    Bundle,
    /// The root.
    Root,
    /// The roster's own fields.
    Roster,
    /// A member entry.
    Member(usize),
    /// A node entry.
    Node(usize),
    /// A member's document.
    MemberDoc(usize),
    /// The freshness statement.
    Freshness,
    /// A member's application.
    Card,
    /// A governance holder's public keys.
    HolderCard,
}

/// What is wrong with a roster, and where. Spec: ROS-20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {fault}")]
pub struct RosterError {
    /// Where.
    pub part: Part,
    /// What.
    pub fault: Fault,
}

/// What is wrong with one part of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not the message it should be.
    #[error("the bytes do not decode")]
    Malformed,
    /// Over a size or count limit.
    #[error("over a size or count limit")]
    TooLarge,
    /// Signed as another type of object.
    #[error("signed as another type of object")]
    WrongType,
    /// Fewer distinct valid signatures than needed.
    #[error("too few distinct valid signatures by the keys that may sign it")]
    TooFewSignatures,
    /// A signature under a key that may sign does not hold: the bytes were changed.
    #[error("a signature does not verify: the bytes were changed")]
    BadSignature,
    /// A key with a companion has signed by one of the two alone.
    #[error("of a key that signs twice one signature is missing: it was taken away or never made")]
    HalfSigned,
    /// Not the pinned root.
    #[error("not the root that was pinned")]
    WrongRoot,
    /// Of another federation.
    #[error("belongs to another federation")]
    WrongFederation,
    /// Past its expiry.
    #[error("past its expiry")]
    Expired,
    /// Issued in the future.
    #[error("issued in the future")]
    FutureDated,
    /// It ends before it begins.
    #[error("ends before it begins")]
    BadTimes,
    /// Version zero, or not the one that must follow.
    #[error("not the version that belongs here")]
    BadVersion,
    /// The hash of the previous version is missing, superfluous or malformed.
    #[error("the hash of the previous version does not belong here")]
    BadChain,
    /// A feature that this version does not know is critical.
    #[error("needs a feature that is not known here")]
    UnknownCritical,
    /// A threshold of zero, or above the number of keys.
    #[error("a threshold is zero or above its number of keys")]
    BadThreshold,
    /// A key that must be there is not.
    #[error("a key is missing")]
    KeyMissing,
    /// A key of an algorithm that does not belong there.
    #[error("a key has an algorithm that does not belong there")]
    KeyAlgorithm,
    /// A key that may not be used.
    #[error("a key is not admitted: {0}")]
    Key(KeyError),
    /// A key stands twice, or for two purposes.
    #[error("a key is listed twice or for two purposes")]
    KeyReused,
    /// A companion of a key that signs no objects.
    #[error("a key has a companion where none may be")]
    CompanionMisplaced,
    /// A key was listed before, with another companion or without one.
    #[error(
        "a key has another companion than before, or one where it had none: it takes a new key"
    )]
    CompanionChanged,
    /// Not an id.
    #[error("an id has a wrong length or a character that is not allowed")]
    BadId,
    /// An id stands twice.
    #[error("an id or a document is listed twice")]
    Duplicate,
    /// A display name is empty, too long or has control characters.
    #[error("a name is empty, too long or has control characters")]
    BadName,
    /// Not a country.
    #[error("a country is not an ISO 3166-1 alpha-2 code")]
    BadCountry,
    /// No such role.
    #[error("a role is missing or not known here")]
    BadRole,
    /// No such status.
    #[error("a status is missing or not known here")]
    BadStatus,
    /// No such kind or lane, or none.
    #[error("an accepted kind or lane is missing or not known here")]
    BadAccepts,
    /// The home node is not a node of the roster.
    #[error("the home node is not listed")]
    UnknownHomeNode,
    /// The operator is not a member of the roster.
    #[error("the operator is not a listed member")]
    UnknownOperator,
    /// A witness is not listed, listed twice or has no witness key, or the quorum cannot be met.
    #[error("the witnesses or their quorum do not fit the nodes")]
    BadWitnessing,
    /// Epoch zero, or not the one that follows the logs that have ended.
    #[error("the log epoch is zero, or is not the one after the logs that have ended")]
    BadEpoch,
    /// A log key or witness key that was followed by another has no end.
    #[error("an earlier key of a log or a witness has no end")]
    EndMissing,
    /// A minimum report profile names a field twice, or something that is no field's name.
    #[error("a report profile names a field twice or what is no name of a field")]
    BadProfile,
    /// The names of the holders do not go with the keys.
    #[error("the names of the holders do not go with the keys, or stand twice")]
    BadHolders,
    /// A document of someone who is not a member.
    #[error("its member is not listed")]
    UnknownMember,
    /// A document states the endpoints of another operator's node.
    #[error("states the endpoints of a node that its member does not operate")]
    NotOperator,
    /// Not `host:port`.
    #[error("an address is not host:port")]
    BadAddress,
    /// Older than the one held.
    #[error("older than the version held: a rollback")]
    RolledBack,
    /// The same version with other bytes.
    #[error("the same version exists with other bytes: keep both as evidence")]
    Forked,
    /// It does not follow from the one held.
    #[error("does not name the version held as its predecessor")]
    BrokenChain,
    /// A freshness statement about an older roster.
    #[error("speaks of an older roster")]
    Stale,
    /// A freshness statement about a newer roster.
    #[error("a newer roster exists: this one was held back")]
    Superseded,
    /// Who was listed is listed no more.
    #[error("a member or node is no longer listed: who leaves stays listed as revoked")]
    EntryMissing,
    /// Revoked, and listed as another again.
    #[error("a revoked member or node is listed as something else: revoked is for good")]
    Revived,
    /// Revoked, and its keys are not what they were.
    #[error("the keys of a revoked member or node were changed")]
    TombstoneChanged,
    /// A log key that was listed is listed no more, or with another end.
    #[error("a log key that was listed is listed no more, or with another end")]
    LogKeyDropped,
    /// A log that was listed, or had ended, is listed no more, or otherwise.
    #[error("a log that a node had is listed no more, or with another end")]
    LogDropped,
    /// A key as an earlier one of a log that it never signed, or of a witness in a card.
    #[error("a key is listed as an earlier one of a log or a witness that was not its own")]
    ForeignLogKey,
}

impl TrustAnchor {
    /// Pins the root in `signed_root`, which the caller has from a hand they trust.
    ///
    /// # Errors
    /// [`RosterError`] if it is not a well-formed root signed by its own quorum.
    pub fn of_root(signed_root: &[u8]) -> Result<Self, RosterError> {
        let root = Root::parse(signed_root)?;
        Ok(Self {
            federation: root.federation,
            root_sha256: root.sha256,
        })
    }
}

impl Validity {
    /// Always good.
    pub const ALWAYS: Self = Self {
        not_before_ms: 0,
        not_after_ms: None,
    };

    /// Whether a key is good at `now_ms`.
    #[must_use]
    pub fn holds_at(&self, now_ms: u64) -> bool {
        self.not_before_ms <= now_ms && self.not_after_ms.is_none_or(|end| now_ms < end)
    }

    /// The time in which both hold.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let not_after_ms = match (self.not_after_ms, other.not_after_ms) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        Self {
            not_before_ms: self.not_before_ms.max(other.not_before_ms),
            not_after_ms,
        }
    }
}

impl Peer {
    /// The id of the node or member.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Node(id) | Self::Client(id) => id,
        }
    }

    /// The role that its Hello must claim.
    #[must_use]
    pub fn role(&self) -> v1::PeerRole {
        match self {
            Self::Node(_) => v1::PeerRole::Node,
            Self::Client(_) => v1::PeerRole::Client,
        }
    }
}

impl Part {
    /// The error of this part.
    pub(crate) const fn fault(self, fault: Fault) -> RosterError {
        RosterError { part: self, fault }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle => f.write_str("roster file"),
            Self::Root => f.write_str("root"),
            Self::Roster => f.write_str("roster"),
            Self::Member(entry) => write!(f, "roster, member {}", entry + 1),
            Self::Node(entry) => write!(f, "roster, node {}", entry + 1),
            Self::MemberDoc(entry) => write!(f, "member document {}", entry + 1),
            Self::Freshness => f.write_str("freshness statement"),
            Self::Card => f.write_str("member card"),
            Self::HolderCard => f.write_str("holder card"),
        }
    }
}

impl From<RosterError> for WireCode {
    fn from(error: RosterError) -> Self {
        match error.fault {
            Fault::WrongFederation => Self::WrongFederation,
            Fault::UnknownCritical => Self::Unsupported,
            _ => Self::BadRoster,
        }
    }
}

#[cfg(test)]
mod tests;
