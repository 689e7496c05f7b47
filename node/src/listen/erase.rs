//! A member wants what this node keeps of a message erased, or held, or asks what was.
//!
//! Whom a message concerns is read from the records, never from what the asker says. Spec: ERA-5.

use std::{collections::BTreeSet, sync::Arc};

use frex_client::transport::FrameWriter;
use frex_proto::{
    erasure as codes,
    error::WireCode,
    id::{MessageId, check_name},
    v1,
};
use prost::Message;

use super::{Refused, outbox::operates, put_answer, put_receipt};
use crate::{
    erasure,
    ledger::{Entry, EraseEntry, HoldEntry, LedgerError, MessageKey, Outcome, records},
    shared::Shared,
};

pub(super) async fn serve(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::EraseMessage,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let message = named(&request.message_id, &request.sender, member)?;
    codes::check(&request.ground, &request.authority).map_err(WireCode::from)?;
    may_order(shared, member, message, true)?;
    let entry = EraseEntry {
        message,
        ground: request.ground.clone(),
        authority: request.authority.clone(),
        ordered_by: member.to_owned(),
    };
    if request.plan {
        let plan = erasure::plan(&shared.ledger, &entry)?;
        put_answer(writer, 0, v1::answer::Answer::ErasurePlan(plan));
        return Ok(());
    }
    // What takes the place of the records is written beside them first, and must find room.
    if !shared.room().takes(v1::Lane::Urgent) {
        return Err(Refused(WireCode::DiskFull));
    }
    let receipt = erasure::erase(&shared.ledger, &shared.attachments, &entry).await?;
    tracing::info!(by = member, ground = %entry.ground, authority = %entry.authority, "a message was erased");
    put_receipt(writer, 0, receipt);
    Ok(())
}

pub(super) async fn hold(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::HoldMessage,
) -> Result<(), Refused> {
    let message = named(&request.message_id, &request.sender, member)?;
    codes::check(&request.ground, &request.authority).map_err(WireCode::from)?;
    may_order(shared, member, message, false)?;
    let entry = HoldEntry {
        message,
        ground: request.ground.clone(),
        authority: request.authority.clone(),
        ordered_by: member.to_owned(),
        court: request.court,
        release: request.release,
        operates: operates(shared, member),
    };
    match shared.ledger.record(Entry::Hold(entry)).await {
        Outcome::Failed(code) => Err(Refused(code)),
        _ => {
            tracing::info!(by = member, ground = %request.ground, release = request.release, "a legal hold");
            Ok(())
        }
    }
}

/// What was erased or is held of what concerns the asker; for the operator's member all.
pub(super) fn list(
    shared: &Shared,
    member: &str,
    request: &v1::ListErasures,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    if request.after.len() > crate::index::KEY_BYTES_MAX {
        return Err(Refused(WireCode::Malformed));
    }
    let all = operates(shared, member);
    let page = erasure::page(&shared.ledger, request, |row, concerned| {
        all || erasure::concerns(row, concerned, member)
    });
    let page = page.map_err(|error| failed(&error))?;
    put_answer(writer, 0, v1::answer::Answer::Erasures(page));
    Ok(())
}

fn named(message_id: &[u8], sender: &str, member: &str) -> Result<MessageKey, Refused> {
    let id = MessageId::from_slice(message_id).map_err(|_| WireCode::Malformed)?;
    let sender = if sender.is_empty() { member } else { sender };
    check_name(sender).map_err(|_| WireCode::Malformed)?;
    Ok(MessageKey::new(sender, id))
}

fn failed(error: &LedgerError) -> Refused {
    Refused(WireCode::from(error))
}

/// Whether the member may order this: whom the node is run by, and whom the message concerns, if
/// it concerns nobody else here or `alone` is not asked for.
fn may_order(
    shared: &Shared,
    member: &str,
    message: MessageKey,
    alone: bool,
) -> Result<(), Refused> {
    if operates(shared, member) {
        return Ok(());
    }
    let concerned = concerned(shared, message).map_err(|error| failed(&error))?;
    if !concerned.contains(member) {
        return Err(Refused(WireCode::NotFound));
    }
    if alone && concerned.len() > 1 {
        return Err(Refused(WireCode::HeldByOthers));
    }
    Ok(())
}

/// Members served here who sent the message or for whom it came.
fn concerned(shared: &Shared, message: MessageKey) -> Result<BTreeSet<String>, LedgerError> {
    let mut concerned = BTreeSet::new();
    for stored in shared.ledger.history(message)? {
        let receipt = v1::Receipt::decode(stored.record.receipt).unwrap_or_default();
        let said = v1::Statement::decode(receipt.statement).unwrap_or_default();
        match stored.kind {
            records::SENT => concerned.extend([said.sender]),
            records::ACCEPTED => concerned.extend(stored.record.members),
            records::ERASED => concerned.extend(said.recipients.into_iter().chain([said.sender])),
            _ => {}
        }
    }
    let roster = shared.roster();
    concerned.retain(|member| roster.is_served_by(member, &shared.id));
    Ok(concerned)
}
