//! Answers what is asked of the log and of a member's own messages.

use bytes::Bytes;
use frex_client::transport::FrameWriter;
use frex_proto::{
    error::WireCode,
    id::MessageId,
    label::Hash,
    limits,
    log::Checkpoint,
    v1::{self, request::Request as R},
};
use prost::Message as _;

use super::{Refused, put_answer, put_given_up, put_receipt};
use crate::{
    ledger::{LedgerError, MessageKey, records},
    shared::Shared,
};

/// Every receipt that this node holds on a message of the asking member, and where it was given up.
pub(super) fn receipts(
    shared: &Shared,
    member: &str,
    request: &v1::GetReceipts,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let id = MessageId::from_slice(&request.message_id).map_err(|_| WireCode::Malformed)?;
    let history = shared
        .ledger
        .history(MessageKey::new(member, id))
        .map_err(|error| WireCode::from(&error))?;
    if history.is_empty() {
        return Err(Refused(WireCode::NotFound));
    }
    for stored in history {
        if matches!(stored.kind, records::UNDELIVERABLE | records::DROPPED) {
            let node = stored.record.nodes.into_iter().next().unwrap_or_default();
            put_given_up(writer, 0, node, stored.record.code);
        } else if !stored.record.receipt.is_empty() && !stored.record.erased {
            put_receipt(writer, 0, stored.record.receipt);
        }
    }
    Ok(())
}

/// What was signed of each envelope of a message that the asking member sent. Spec: EVD-14.
pub(super) fn signed(
    shared: &Shared,
    member: &str,
    request: &v1::GetSigned,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let id = MessageId::from_slice(&request.message_id).map_err(|_| WireCode::Malformed)?;
    let history = shared
        .ledger
        .history(MessageKey::new(member, id))
        .map_err(|error| WireCode::from(&error))?;
    let sent = history.into_iter().filter(|one| one.kind == records::SENT);
    let signed = sent.filter_map(|one| {
        let envelope = v1::Envelope::decode(one.record.envelope).ok()?;
        let signed = match envelope.forward.is_empty() {
            true => envelope.signed,
            false => envelope.forward,
        };
        // Room for the numbers around it.
        let fits = (1..=limits::ANSWER_FRAME_BYTES_MAX - 64).contains(&signed.len());
        fits.then_some(signed)
    });
    let mut none = true;
    for signed in signed {
        put_answer(writer, 0, v1::answer::Answer::Shown(v1::Shown { signed }));
        none = false;
    }
    match none {
        true => Err(Refused(WireCode::NotFound)),
        false => Ok(()),
    }
}

/// The inclusion proof of one entry: of the own log, or for a member of another's. Spec: WIT-12.
pub(super) async fn proof(
    shared: &Shared,
    request: &v1::GetProof,
    role: v1::PeerRole,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    if request.node.is_empty() || request.node == shared.id {
        return own_proof(shared, request, writer);
    }
    let asked = v1::GetProof {
        node: String::new(),
        ..request.clone()
    };
    pass_on(shared, &request.node, R::GetProof(asked), role, writer).await
}

/// Asks the node of another log for a client.
async fn pass_on(
    shared: &Shared,
    node: &str,
    asked: R,
    role: v1::PeerRole,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    if role != v1::PeerRole::Client {
        return Err(Refused(WireCode::WrongNode));
    }
    let answer = shared.links.ask(shared, node, asked).await;
    put_answer(writer, 0, answer.map_err(WireCode::from)?);
    Ok(())
}

fn own_proof(
    shared: &Shared,
    request: &v1::GetProof,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let published = shared.ledger.publish_to(request.index.saturating_add(1));
    published.map_err(|error| WireCode::from(&error))?;
    if request.witnessed {
        return witnessed_proof(shared, request.index, writer);
    }
    let publisher = shared.ledger.published();
    let size = if request.size == 0 {
        publisher.size()
    } else {
        request.size
    };
    let hashes = publisher
        .inclusion_proof(request.index, size)
        .map_err(|error| asked(&error))?;
    let proof = v1::Proof {
        index: request.index,
        hashes: wire(&hashes),
        checkpoint: publisher.checkpoint(),
    };
    put_answer(writer, 0, v1::answer::Answer::Proof(proof));
    Ok(())
}

/// The inclusion proof of one entry under the newest head that enough witnesses have cosigned.
fn witnessed_proof(shared: &Shared, index: u64, writer: &mut FrameWriter) -> Result<(), Refused> {
    let cosigned = shared.ledger.cosigned();
    let cosigned = cosigned.map_err(|error| WireCode::from(&error))?;
    let head = Checkpoint::of_note(&cosigned).map_err(|_| WireCode::NotFound)?;
    let hashes = {
        let publisher = shared.ledger.published();
        let hashes = publisher.inclusion_proof(index, head.size);
        hashes.map_err(|error| asked(&error))?
    };
    let proof = v1::Proof {
        index,
        hashes: wire(&hashes),
        checkpoint: cosigned,
    };
    put_answer(writer, 0, v1::answer::Answer::Proof(proof));
    Ok(())
}

/// The newest checkpoint, and that it, or the size that was asked for, extends the one the asker
/// knows: of the own log, or for a member of another's. Spec: WIT-16.
pub(super) async fn checkpoint(
    shared: &Shared,
    request: &v1::GetCheckpoint,
    role: v1::PeerRole,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    if request.node.is_empty() || request.node == shared.id {
        return own_checkpoint(shared, request, writer);
    }
    let asked = v1::GetCheckpoint {
        node: String::new(),
        ..request.clone()
    };
    pass_on(shared, &request.node, R::GetCheckpoint(asked), role, writer).await
}

fn own_checkpoint(
    shared: &Shared,
    request: &v1::GetCheckpoint,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let published = match request.size {
        0 => shared.ledger.publish(),
        size => shared.ledger.publish_to(size),
    };
    published.map_err(|error| WireCode::from(&error))?;
    let publisher = shared.ledger.published();
    let size = match request.size {
        0 => publisher.size(),
        size => size,
    };
    let consistency = match request.consistent_with {
        0 => Vec::new(),
        old => publisher
            .consistency_proof(old, size)
            .map_err(|error| asked(&error))?,
    };
    let answer = v1::Checkpoint {
        checkpoint: publisher.checkpoint(),
        consistency: wire(&consistency),
    };
    put_answer(writer, 0, v1::answer::Answer::Checkpoint(answer));
    Ok(())
}

fn asked(error: &LedgerError) -> WireCode {
    match error {
        LedgerError::Inconsistent => WireCode::NotFound,
        other => other.into(),
    }
}

fn wire(hashes: &[Hash]) -> Vec<Bytes> {
    hashes
        .iter()
        .map(|hash| Bytes::copy_from_slice(hash))
        .collect()
}
