//! What the newcomer sends, and how the inviting side judges it.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;

use super::{Applicant, Decision, Invitation, RequestError, Terms, welcome};
use crate::{
    keys::{CompanionKey, SigningError, SigningKey, VerifyingKey},
    label::{self, Hash, sha256},
    limits,
    roster::{Card, Node, Peer, Roster},
    sign, v1,
};

/// How a card stands to the roster in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Nobody has its id.
    New,
    /// The roster lists this very member already.
    Listed,
}

/// Writes a request for one connection, whose TLS exporter gave `channel`. Spec: JOI-5.
///
/// # Errors
/// [`SigningError`].
pub fn request(
    invitation: &Invitation,
    card: &Bytes,
    member: &str,
    identity: &SigningKey,
    decision: &Decision,
    channel: &Hash,
) -> Result<Vec<u8>, SigningError> {
    let card_sha256 = sha256(&[card]);
    let statement = v1::JoinStatement {
        federation: invitation.federation.clone(),
        member: member.to_owned(),
        channel: Bytes::copy_from_slice(channel),
        root_sha256: Bytes::copy_from_slice(&invitation.root_sha256),
        card_sha256: Bytes::copy_from_slice(&card_sha256),
        state: i32::from(decision.state),
        state_ms: decision.at_ms,
        reason: decision.reason.clone(),
    };
    let keys = [&invitation.proof_key(), identity];
    let signed = sign::sign(label::TYPE_JOIN, statement.encode_to_vec().into(), &keys)?;
    let request = v1::JoinRequest {
        statement: signed.encode_to_vec().into(),
        card: card.clone(),
    };
    Ok(request.encode_to_vec())
}

/// Judges a request that came over the connection of `channel`. Spec: JOI-6.
///
/// Who does not know the secret learns nothing but that. Whether the invitation was used by
/// another, and [`check_listing`], come after it.
///
/// # Errors
/// [`RequestError`] with the first rule that is broken.
pub fn judge_request(
    bytes: &[u8],
    terms: &Terms,
    channel: &Hash,
    now_ms: u64,
) -> Result<Applicant, RequestError> {
    use RequestError as E;
    if bytes.len() > limits::JOIN_REQUEST_BYTES_MAX {
        return Err(E::TooLarge);
    }
    let request = v1::JoinRequest::decode(Bytes::copy_from_slice(bytes)).or(Err(E::Malformed))?;
    let signed = welcome::open_statement(&request.statement).ok_or(E::Malformed)?;
    let proven = sign::verify(
        &signed,
        label::TYPE_JOIN,
        std::slice::from_ref(&terms.proof_key),
        1,
    );
    let payload = proven.or(Err(E::WrongSecret))?.payload;
    let statement = v1::JoinStatement::decode(payload).or(Err(E::Malformed))?;
    if statement.channel[..] != channel[..] {
        return Err(E::Replayed);
    }
    if now_ms >= terms.expires_ms {
        return Err(E::Expired);
    }
    let same_root = statement.root_sha256[..] == terms.root_sha256[..];
    if statement.federation != terms.federation || !same_root {
        return Err(E::WrongFederation);
    }
    if request.card.len() > limits::SIGNED_BYTES_MAX {
        return Err(E::TooLarge);
    }
    let card = Card::judge(&request.card, &terms.federation, now_ms).map_err(E::Card)?;
    let card_sha256 = sha256(&[&request.card]);
    if statement.card_sha256[..] != card_sha256[..] || statement.member != card.member.id {
        return Err(E::OtherCard);
    }
    let identity = welcome::signer(&signed, &card.member, now_ms).ok_or(E::NotIdentity)?;
    let decision = welcome::decision(&statement).ok_or(E::Malformed)?;
    Ok(Applicant {
        card,
        card_sha256,
        identity,
        decision,
    })
}

/// Compares a newcomer with the roster in force. Spec: JOI-7.
///
/// # Errors
/// [`RequestError::IdTaken`], [`RequestError::KeyTaken`].
pub fn check_listing(applicant: &Applicant, roster: &Roster) -> Result<Listing, RequestError> {
    let (id, card) = (&applicant.card.member.id, &applicant.card);
    let listed = roster.member(id);
    if let Some(member) = listed {
        let known = |key: &VerifyingKey| member.identity_keys.iter().any(|held| held.key == *key);
        if !known(&applicant.identity) {
            return Err(RequestError::IdTaken);
        }
    }
    if let Some(node) = &card.node
        && roster
            .node(&node.id)
            .is_some_and(|held| held.operator != *id)
    {
        return Err(RequestError::IdTaken);
    }
    let own: BTreeSet<&[u8]> = keys_of_card(card).collect();
    let of_others = |owner: &str| owner != id;
    let members = roster.members().filter(|member| of_others(&member.id));
    let identities = members.flat_map(|member| member.identity_keys.iter());
    let nodes = roster.nodes().filter(|node| of_others(&node.operator));
    let logs = nodes.flat_map(log_keys);
    let signing = identities
        .map(|timed| &timed.key)
        .chain(logs)
        .flat_map(parts)
        .any(|key| own.contains(key));
    let transport = own
        .iter()
        .filter_map(|key| (*key).try_into().ok())
        .any(|key| match roster.listed_owner_of_tls_key(key) {
            Some(Peer::Client(member)) => of_others(member),
            Some(Peer::Node(node)) => roster
                .node(node)
                .is_some_and(|node| of_others(&node.operator)),
            None => false,
        });
    if signing || transport {
        return Err(RequestError::KeyTaken);
    }
    Ok(listed.map_or(Listing::New, |_| Listing::Listed))
}

/// What a node signs with, or has signed with: its log's keys and its witness's.
fn log_keys(node: &Node) -> impl Iterator<Item = &VerifyingKey> {
    let logs = std::iter::once(&node.log_key).chain(&node.earlier_log_keys);
    let earlier = logs.chain(&node.earlier_witness_keys);
    earlier.map(|timed| &timed.key).chain(&node.witness_key)
}

fn keys_of_card(card: &Card) -> impl Iterator<Item = &[u8]> {
    let member = &card.member;
    let timed = member.identity_keys.iter().chain(&member.client_tls_keys);
    let node = card.node.iter();
    let of_node = node.flat_map(|node| {
        let tls = node.tls_keys.iter().map(|timed| &timed.key);
        tls.chain(log_keys(node))
    });
    timed.map(|timed| &timed.key).chain(of_node).flat_map(parts)
}

/// The key, and its companion if it has one.
fn parts(key: &VerifyingKey) -> impl Iterator<Item = &[u8]> {
    let companion = key.companion().map(CompanionKey::as_bytes);
    [&key.as_bytes()[..]].into_iter().chain(companion)
}
