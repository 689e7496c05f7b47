//! The card by which the governance lists a node's entry anew, made from what the roster has.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    roster::{Card, Roster},
    v1,
};
use prost::Message;

use super::failure::{Failure, OrCode};

/// The entry and the document of the member that runs the node as they are, and this entry of the node,
/// whose earlier log keys the governance knows.
///
/// # Errors
/// The failure says what the roster lacks.
pub fn of_node(roster: &Roster, node: v1::Node, now_ms: u64) -> Result<Bytes, Failure> {
    let operator = &node.operator;
    let unlisted = || {
        let what = format!("the roster has no document of {operator}, which runs the node");
        Failure::new(WireCode::NotTrusted, what)
            .advise("Get the newest roster from the governance: frex roster install FILE DIR")
    };
    let member = roster.member_entry(operator).ok_or_else(unlisted)?;
    let (member_doc, _) = roster.member_doc(operator).ok_or_else(unlisted)?;
    let card = v1::MemberCard {
        member: Some(member),
        node: Some(v1::Node {
            earlier_log_keys: Vec::new(),
            earlier_witness_keys: Vec::new(),
            ..node
        }),
        member_doc,
    };
    let card = Bytes::from(card.encode_to_vec());
    Card::judge(&card, roster.federation(), now_ms).or_code(
        WireCode::BadRoster,
        "no governance could list the card: the member's document does not verify now",
    )?;
    Ok(card)
}
