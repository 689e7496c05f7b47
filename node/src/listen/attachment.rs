//! Takes and gives attachments: one on a stream, one chunk in memory at a time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::{
    attachment::{Hashes, Held, Listed, chunk_frame},
    envelope,
    error::WireCode,
    roster::Peer,
    v1,
    wire::FrameType,
};

use super::{Refused, put_answer};
use crate::{attachments::Incoming, frames::FRAME_WAIT, ledger::MessageKey, shared::Shared};

/// How long a peer may take to read a chunk of its own from its disk, and bring it.
const CHUNK_WAIT: Duration = Duration::from_secs(60);

/// Takes an attachment of an envelope that this node is to have. Spec: ATT-13, ATT-14.
pub(super) async fn take(
    shared: &Arc<Shared>,
    peer: &Peer,
    request: &v1::PutAttachment,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let shown = shown(reader).await?;
    let (now_ms, number) = (shared.now_ms(), request.attachment);
    let (intake, judged) = (shared.intake.clone(), peer.clone());
    let judge = move || intake.attachment(&shown, number, &judged, now_ms);
    let judged = shared.workers.run(judge).await;
    let (listed, sender) = judged.ok_or(WireCode::ShuttingDown)??;
    let _turn = shared.attachments.turn(peer.id())?;
    let free_bytes = shared
        .space
        .free_bytes(shared.disk.as_ref(), &shared.data, now_ms)
        .saturating_sub(shared.config.disk_reserve_bytes);
    let store = &shared.attachments;
    let held = store.held(listed, &sender, (now_ms, free_bytes)).await?;
    let state = v1::AttachmentState {
        held: Bytes::copy_from_slice(held.bytes()),
    };
    put_answer(writer, 0, v1::answer::Answer::Attachment(state));
    writer.flush().await?;
    if held.is_whole() {
        return Ok(());
    }
    let hashes = reader.expect(FrameType::Hashes, CHUNK_WAIT).await?;
    let hashes = Hashes::parse(listed, &hashes).map_err(WireCode::from)?;
    let incoming = store.take(hashes, &sender, now_ms).await?;
    let taken = receive(shared, &incoming, reader).await;
    if taken.is_err() {
        // What came is not to come again.
        incoming.settle(shared.now_ms()).await?;
    }
    taken
}

/// Takes chunks until all are there.
async fn receive(
    shared: &Shared,
    incoming: &Incoming,
    reader: &mut FrameReader,
) -> Result<(), Refused> {
    loop {
        let frame = tokio::select! {
            biased;
            () = shared.stopped() => return Err(Refused(WireCode::ShuttingDown)),
            frame = reader.expect(FrameType::Chunk, CHUNK_WAIT) => frame?,
        };
        let free_bytes =
            shared
                .space
                .free_bytes(shared.disk.as_ref(), &shared.data, shared.now_ms());
        if free_bytes < shared.config.disk_reserve_bytes {
            return Err(Refused(WireCode::DiskFull));
        }
        let whole = incoming.put(frame, shared.now_ms()).await?;
        // A chunk is on its way to the disk by now: the stream holds one at a time.
        reader.release();
        if whole {
            return Ok(());
        }
    }
}

/// Gives a member an attachment of an envelope that was accepted for it. Spec: ATT-19.
pub(super) async fn give(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::GetAttachment,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let shown = shown(reader).await?;
    let listed = received(shared, member, &shown, request.attachment)?;
    let held = Held::parse(listed, &request.held).map_err(WireCode::from)?;
    let _turn = shared.attachments.turn(member)?;
    let outgoing = shared.attachments.give(listed, shared.now_ms()).await?;
    writer.put_bytes(FrameType::Hashes, outgoing.hashes());
    for number in held.missing() {
        let chunk = outgoing.chunk(number).await?;
        writer.put_bytes(FrameType::Chunk, chunk_frame(number, &chunk));
        tokio::select! {
            biased;
            () = shared.stopped() => return Err(Refused(WireCode::ShuttingDown)),
            flushed = writer.flush() => flushed?,
        }
    }
    Ok(())
}

/// The envelope that a peer shows: what is signed of it, and nothing else.
async fn shown(reader: &mut FrameReader) -> Result<v1::Envelope, Refused> {
    let shown: v1::Envelope = reader.message(FrameType::Envelope, FRAME_WAIT).await?;
    if shown.wraps.is_empty() && shown.body.is_empty() {
        Ok(shown)
    } else {
        Err(Refused(WireCode::Malformed))
    }
}

/// An attachment of an envelope that this node holds for `member`: nothing is said of others.
fn received(
    shared: &Shared,
    member: &str,
    shown: &v1::Envelope,
    number: u32,
) -> Result<Listed, Refused> {
    let carried = envelope::parse_carried(shown).map_err(WireCode::from)?;
    let message = MessageKey::new(carried.sender(), carried.message_id());
    let accepted = shared.ledger.accepted(message, carried.id());
    let accepted = accepted.map_err(|error| WireCode::from(&error))?;
    let place = usize::try_from(number).ok();
    let listed = place.and_then(|place| carried.original().attachments.get(place));
    match (accepted, listed) {
        (Some(members), Some(listed)) if members.iter().any(|name| name == member) => Ok(*listed),
        _ => Err(Refused(WireCode::NotFound)),
    }
}
