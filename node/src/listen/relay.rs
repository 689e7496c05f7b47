//! Another node relays what its member stated about an envelope that a member served here sent.

use std::sync::Arc;

use frex_client::transport::FrameWriter;
use frex_proto::{error::WireCode, id::EnvelopeId, label, receipt, sign, v1};
use prost::Message;

use super::{Refused, not_signed, put_outcome};
use crate::{
    ledger::{Entry, PeerReceiptEntry, records, sequencer},
    shared::Shared,
};

pub(super) async fn serve(
    shared: &Arc<Shared>,
    peer: &str,
    request: v1::Relay,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let receipt = request.receipt.ok_or(WireCode::Malformed)?;
    let entry = judge(shared, peer, &receipt)?;
    let outcome = shared.ledger.record(Entry::PeerReceipt(entry)).await;
    put_outcome(writer, 0, outcome);
    Ok(())
}

/// The receipt proves that the peer logged it; the statement inside proves who said it.
fn judge(shared: &Shared, peer: &str, wire: &v1::Receipt) -> Result<PeerReceiptEntry, Refused> {
    let roster = shared.roster();
    let log = roster.log_verifier(peer).ok_or(WireCode::NotTrusted)?;
    let verified = receipt::verify(wire, &log, None).map_err(WireCode::from)?;
    let statement = verified.statement;
    if statement.event != v1::Event::Stage {
        return Err(Refused(WireCode::Malformed));
    }
    if roster
        .member(&statement.sender)
        .is_none_or(|sender| sender.home_node != shared.id)
    {
        return Err(Refused(WireCode::UnknownRecipient));
    }
    let signed =
        v1::Signed::decode(statement.member_statement.clone()).map_err(|_| WireCode::Malformed)?;
    let member = statement.recipients.first().ok_or(WireCode::Malformed)?;
    if roster
        .member(member)
        .is_none_or(|member| member.home_node != peer)
    {
        return Err(Refused(WireCode::WrongSender));
    }
    let keys = roster.sender_keys(member, shared.now_ms());
    let said = sign::verify(&signed, label::TYPE_STAGE, &keys, 1).map_err(not_signed)?;
    let said = v1::StageStatement::decode(said.payload).map_err(|_| WireCode::Malformed)?;
    let id = statement.envelope_id.ok_or(WireCode::Malformed)?;
    let matches = said.member == *member
        && said.federation == roster.federation()
        && said.envelope_id.as_ref() == id.0
        && said.stage() != v1::Stage::Unspecified;
    if !matches {
        return Err(Refused(WireCode::BadEnvelope));
    }
    let message = records::message_of_statement(&statement).map_err(|_| WireCode::Malformed)?;
    known(shared, message, id)?;
    Ok(PeerReceiptEntry {
        message,
        node: peer.to_owned(),
        detail: sequencer::stage_detail(member, said.stage()),
        receipt: wire.encode_to_vec().into(),
        outbox_key: None,
    })
}

/// Nobody can make this node keep statements about envelopes it never sent.
fn known(
    shared: &Shared,
    message: crate::ledger::MessageKey,
    id: EnvelopeId,
) -> Result<(), Refused> {
    match shared.ledger.was_sent(message, id) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refused(WireCode::NotFound)),
        Err(_) => Err(Refused(WireCode::StorageFailed)),
    }
}
