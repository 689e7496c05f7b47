//! A member's application to be listed, checked before the governance signs it into a roster.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::{Fault, Member, Node, Part, RosterError, docs, entry, ledger::KeyLedger};
use crate::{limits, v1};

/// A judged member card: it would be sound as a roster entry, and its document proves that the
/// applicant holds the identity key. Who the applicant is remains for people to check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Card {
    /// The member as the card states it.
    pub member: Member,
    /// The node it would run, if any.
    pub node: Option<Node>,
    /// The message, for [`build`](super::build).
    pub wire: v1::MemberCard,
}

impl Card {
    /// Judges the bytes of a member card. Spec: ROS-19.
    ///
    /// # Errors
    /// [`RosterError`] with what a roster that listed this card would be refused for.
    pub fn judge(bytes: &[u8], federation: &str, now_ms: u64) -> Result<Self, RosterError> {
        let part = Part::Card;
        if bytes.len() > limits::SIGNED_BYTES_MAX {
            return Err(part.fault(Fault::TooLarge));
        }
        let wire = v1::MemberCard::decode(Bytes::copy_from_slice(bytes))
            .map_err(|_| part.fault(Fault::Malformed))?;
        docs::check_federation(part, federation)?;
        let mut keys = KeyLedger::default();
        let listed = wire.member.as_ref().ok_or(part.fault(Fault::Malformed))?;
        let member = entry::member(part, listed, &mut keys)?;
        let mut nodes = BTreeMap::new();
        if let Some(listed) = &wire.node {
            let node = entry::node(part, listed, &mut keys)?;
            // What a log or a witness has signed with before, the rosters before this one say.
            if !node.earlier_log_keys.is_empty() || !node.earlier_witness_keys.is_empty() {
                return Err(part.fault(Fault::ForeignLogKey));
            }
            if node.operator != member.id {
                return Err(part.fault(Fault::UnknownOperator));
            }
            nodes.insert(node.id.clone(), node);
        }
        let id = member.id.clone();
        let mut members = BTreeMap::from([(id.clone(), member)]);
        let doc = docs::open(part, &wire.member_doc, federation, &members, now_ms)?;
        if !doc.is_good_at(now_ms) {
            return Err(part.fault(Fault::Expired));
        }
        docs::add(doc, &mut members, &mut nodes, &mut keys)?;
        Ok(Self {
            member: members
                .remove(&id)
                .ok_or(part.fault(Fault::UnknownMember))?,
            node: nodes.into_values().next(),
            wire,
        })
    }
}
