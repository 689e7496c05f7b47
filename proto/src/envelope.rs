//! The envelope: a header in clear, a body sealed to its recipients, one signature over both.
//!
//! The life of one: [`seal()`] makes header, wraps and body from a [`Draft`]; [`sign_one`] or
//! [`sign_many`] sign the manifest; [`parse()`] judges the shape of what came in; [`verify()`] its
//! signature, [`check_time`] its dates and [`check_body`] its body, all without any secret;
//! [`open`] gives the content to a recipient; [`forward`] passes the content key on, together with
//! the original signed manifest. Spec: chapter ENV.

mod body;
mod carried;
mod forward;
mod kept;
mod open;
mod parse;
mod recall;
mod seal;
mod shared;
mod verify;
mod wrap;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use prost::Message;
use zeroize::Zeroizing;

pub use self::{
    carried::{parse_carried, shown},
    forward::{ForwardDraft, ParsedForward, forward, open_forward, parse_forward, verify_forward},
    open::{OpenCause, OpenError, open, open_cached, read_content},
    parse::parse,
    recall::{
        PING_CONTENT_TYPE, RECALL_CONTENT_TYPE, RECALL_REASONS, Recall, RecallError, read_recall,
        recall_notice,
    },
    seal::{SealError, seal, seal_shared},
    shared::{OpenContexts, SharedContexts},
    verify::{EnvelopeError, check_body, check_time, check_times, verify},
};
use crate::{
    attachment::{Attached, Listed},
    id::{EnvelopeId, KeyId, MessageId},
    keys::{SealingPublicKey, SigningError, SigningKey},
    label::{self, Hash},
    limits, sign, v1,
};

/// The one suite: HPKE Base with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305 for wraps, chunked
/// AES-256-GCM under HKDF-SHA512 for the body, Ed25519 over it. Spec: ENV-10.
pub const SUITE: u32 = 1;

/// What a sender wants to say, and to whom.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Federation that all parties belong to.
    pub federation: String,
    /// Member who sends.
    pub sender: String,
    /// Members who can open, each with its current sealing key.
    pub recipients: Vec<(String, SealingPublicKey)>,
    /// What it is about.
    pub kind: v1::Kind,
    /// How fast it must travel.
    pub lane: v1::Lane,
    /// Now.
    pub created_ms: u64,
    /// When delivery is given up.
    pub expires_ms: u64,
    /// By when an answer is awaited.
    pub reply_by_ms: Option<u64>,
    /// Random; kept when the same message is sealed again.
    pub message_id: MessageId,
    /// Conversation and the place in it.
    pub conversation: Option<([u8; 16], u64)>,
    /// Envelope that this one answers.
    pub in_reply_to: Option<EnvelopeId>,
    /// Type of `data`; sealed with it.
    pub content_type: String,
    /// The content.
    pub data: Bytes,
    /// Files that travel beside it, sealed before.
    pub attachments: Vec<Attached>,
}

/// A sealed and not yet signed envelope.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Encoded manifest: what is signed.
    pub manifest: Bytes,
    /// One wrap for each recipient, in their order.
    pub wraps: Vec<Bytes>,
    /// The sealed content.
    pub body: Bytes,
    /// The recipients' names, in their order.
    pub members: Vec<String>,
    /// Salt of the content commitment: with the content it proves later what was sent. A forward
    /// has none of its own.
    pub salt: Option<[u8; 32]>,
}

/// A signed envelope as its sender keeps it.
#[derive(Debug, Clone)]
pub struct SignedEnvelope {
    /// Encoded signed manifest, or signed forward.
    pub signed: Bytes,
    /// Whether it is a forward.
    pub is_forward: bool,
    /// Wraps with the recipient's position.
    pub wraps: Vec<(u32, Bytes)>,
    /// The sealed content.
    pub body: Bytes,
    /// The recipients' names, in their order.
    pub members: Vec<String>,
    /// The envelope's identity.
    pub id: EnvelopeId,
    /// As [`Sealed::salt`]; none in one that was read back.
    pub salt: Option<[u8; 32]>,
}

/// One recipient as the header names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Member.
    pub member: String,
    /// Key its wrap is for.
    pub sealing_key_id: KeyId,
}

/// The header with every field judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// Federation that all parties belong to.
    pub federation: String,
    /// Member who sends.
    pub sender: String,
    /// 1..=64 members who can open, each once.
    pub recipients: Vec<Recipient>,
    /// The sender's id of the message; survives sealing it again.
    pub message_id: MessageId,
    /// Conversation and the place in it.
    pub conversation: Option<([u8; 16], u64)>,
    /// Envelope that this one answers.
    pub in_reply_to: Option<EnvelopeId>,
    /// What it is about.
    pub kind: v1::Kind,
    /// How fast it must travel.
    pub lane: v1::Lane,
    /// When it was sealed.
    pub created_ms: u64,
    /// When delivery is given up.
    pub expires_ms: u64,
    /// By when an answer is awaited.
    pub reply_by_ms: Option<u64>,
    /// Smallest k with the body's length at most 2^k.
    pub size_class: u32,
    /// Salted commitment to the content.
    pub content_commitment: Hash,
}

impl v1::Kind {
    /// Whether envelopes of this kind are about the exchange itself: they travel in lane CONTROL
    /// alone, and every member takes them. Spec: RCL-1, RCL-4.
    #[must_use]
    pub fn is_for_control(self) -> bool {
        matches!(self, Self::Ping | Self::Recall)
    }

    /// In lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Report => "report",
            Self::Feedback => "feedback",
            Self::Request => "request",
            Self::Response => "response",
            Self::Notice => "notice",
            Self::Statistics => "statistics",
            Self::Ping => "ping",
            Self::Recall => "recall",
        }
    }
}

impl Core {
    /// The message and envelope that a recall withdraws; none if it is no recall, or names none.
    /// Spec: RCL-5.
    #[must_use]
    pub fn recalls(&self) -> Option<(MessageId, EnvelopeId)> {
        let (message, sequence) = self.conversation?;
        let recalls = self.kind == v1::Kind::Recall && sequence == 0;
        recalls.then_some((MessageId(message), self.in_reply_to?))
    }

    /// A recipient's position and entry.
    #[must_use]
    pub fn recipient(&self, member: &str) -> Option<(u32, &Recipient)> {
        position(&self.recipients, member)
    }
}

/// An envelope of the right shape. Its signature is judged by [`verify()`].
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The signed object, decoded once.
    pub signed: v1::Signed,
    /// The signed object as received: what is stored and passed on.
    pub signed_bytes: Bytes,
    /// The manifest.
    pub manifest: v1::Manifest,
    /// What travels beside the envelope.
    pub attachments: Vec<Listed>,
    /// The header.
    pub core: Core,
    /// The header's bytes as received.
    pub core_bytes: Bytes,
    /// The header's hash, to which wraps and body are bound.
    pub core_hash: Hash,
    /// The envelope's identity.
    pub id: EnvelopeId,
    /// The wraps that came along, by recipient position.
    pub wraps: BTreeMap<u32, Bytes>,
}

/// What travels as an envelope. Each of the two forms has an identity, a sender and recipients of
/// its own; the content belongs to the original. Spec: RCL-14, ENV-32.
#[derive(Debug, Clone)]
pub enum Carried {
    /// The sender's own.
    Own(Box<Parsed>),
    /// What the sender passes on.
    Forward(Box<ParsedForward>),
}

/// What a recipient gets.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The encoded `Content` as it was sealed: what the header commits to. `data` is a part of it.
    pub content: Bytes,
    /// Type of `data`.
    pub content_type: String,
    /// The content.
    pub data: Bytes,
    /// What travels beside the envelope, as the manifest lists it.
    pub attachments: Vec<Attached>,
    /// Salt of the content commitment: with the content it proves later what was sent.
    pub salt: [u8; 32],
    /// Opens this body only; passing it on is what [`forward`] does.
    pub content_key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.data.len())
    }
}

/// Signs one envelope.
///
/// # Errors
/// [`SigningError`].
pub fn sign_one(sealed: Sealed, key: &SigningKey) -> Result<SignedEnvelope, SigningError> {
    let signed = sign::sign(label::TYPE_MANIFEST, sealed.manifest.clone(), &[key])?;
    Ok(assemble(sealed, &signed))
}

/// Signs envelopes with one signature for each 64 of them.
///
/// # Errors
/// [`SigningError`]; none is then signed.
pub fn sign_many(
    sealed: Vec<Sealed>,
    key: &SigningKey,
) -> Result<Vec<SignedEnvelope>, SigningError> {
    let payloads = sealed
        .iter()
        .map(|sealed| sealed.manifest.clone())
        .collect();
    let signed = sign::sign_batch(label::TYPE_MANIFEST, payloads, key)?;
    let pairs = sealed.into_iter().zip(&signed);
    Ok(pairs
        .map(|(sealed, signed)| assemble(sealed, signed))
        .collect())
}

fn assemble(sealed: Sealed, signed: &v1::Signed) -> SignedEnvelope {
    SignedEnvelope {
        id: EnvelopeId::of_manifest(&signed.payload),
        signed: signed.encode_to_vec().into(),
        is_forward: signed.payload_type == label::TYPE_FORWARD,
        wraps: (0..).zip(sealed.wraps).collect(),
        body: sealed.body,
        members: sealed.members,
        salt: sealed.salt,
    }
}

impl SignedEnvelope {
    /// The envelope for the wire, with the wraps of `for_members` only, or with all. A body over
    /// the inline limit is left out: it follows in a BODY frame. Spec: LIM-6.
    #[must_use]
    pub fn to_wire(&self, for_members: Option<&[&str]>) -> v1::Envelope {
        let wanted = |recipient: u32| {
            let index = usize::try_from(recipient).unwrap_or(usize::MAX);
            let member = self.members.get(index).map(String::as_str);
            for_members.is_none_or(|wanted| member.is_some_and(|name| wanted.contains(&name)))
        };
        let wraps = self
            .wraps
            .iter()
            .filter(|(recipient, _)| wanted(*recipient));
        let inline = self.body.len() <= limits::INLINE_BODY_BYTES_MAX;
        let (signed, forward) = match self.is_forward {
            true => (Bytes::new(), self.signed.clone()),
            false => (self.signed.clone(), Bytes::new()),
        };
        v1::Envelope {
            signed,
            forward,
            wraps: wraps
                .map(|(recipient, wrap)| v1::Wrap {
                    recipient: *recipient,
                    wrap: wrap.clone(),
                })
                .collect(),
            body: if inline {
                self.body.clone()
            } else {
                Bytes::new()
            },
        }
    }
}

fn position<'a>(recipients: &'a [Recipient], member: &str) -> Option<(u32, &'a Recipient)> {
    let mut indexed = (0..).zip(recipients);
    indexed.find(|(_, recipient)| recipient.member == member)
}
