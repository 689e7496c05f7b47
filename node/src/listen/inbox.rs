//! A member reads its inbox: items are leased to one stream at a time and gone once confirmed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::{
    envelope,
    error::WireCode,
    id::EnvelopeId,
    label, limits, sign, v1,
    wire::{FrameType, HEADER_BYTES},
};
use prost::Message;
use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{Refused, not_signed, put_outcome, put_refusal};
use crate::{
    bells::Bells,
    journal::Position,
    leases::Leases,
    ledger::{Entry, LedgerError, Outcome, StageEntry, records},
    shared::Shared,
};

/// Rows looked at in one step.
const PAGE_ROWS: usize = 64;
/// Bytes handed to the connection at once: a reader that takes nothing costs no more than this and
/// one item. Spec: ADM-8.
const FLUSH_BYTES: usize = 256 * 1024;
/// Of the frames of one item.
const HEADERS_BYTES: usize = 2 * HEADER_BYTES;
/// How soon a reader is looked after again for whom there was no room.
const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);
/// How long a reader may hold items without a word. Spec: ADM-16.
const SILENCE: Duration = Duration::from_millis(limits::LEASE_MS_MAX);

/// Statements of one stream that are on their way to the disk: as many as one write takes along, and
/// few enough to cost little memory.
const RECORDING_MAX: usize = 32;

/// Items that this stream holds; given back when it ends.
struct Held<'a> {
    leases: &'a Leases,
    bells: &'a Bells,
    member: &'a str,
    items: BTreeMap<u32, HeldItem>,
    next: u32,
    /// Items whose statements are being recorded, and what comes of it.
    stated: BTreeMap<u32, HeldItem>,
    recording: JoinSet<(u32, Outcome)>,
}

/// What came of handing out items.
struct Filled {
    /// Some were sent.
    sent: bool,
    /// Some wait for room in memory.
    no_room: bool,
}

struct HeldItem {
    key: Bytes,
    id: EnvelopeId,
}

pub(super) async fn serve(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::Inbox,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<u32, Refused> {
    let credit = request.credit.clamp(1, limits::INBOX_CREDIT_MAX) as usize;
    let wait = Duration::from_millis(request.wait_ms.min(limits::WAIT_MS_MAX).into());
    let mut bell = shared.bells.inbox(member);
    let mut held = Held::nothing(shared, member);
    let mut idle_until = Instant::now() + wait;
    let mut silent_until = Instant::now() + SILENCE;
    loop {
        bell.mark_unchanged();
        if held.items.is_empty() {
            silent_until = Instant::now() + SILENCE;
        }
        let filled = held.fill(shared, credit, writer).await?;
        if filled.sent {
            idle_until = Instant::now() + wait;
            writer.flush().await?;
        }
        let idle = held.unconfirmed() == 0;
        tokio::select! {
            biased;
            () = shared.stopped() => return Err(Refused(WireCode::ShuttingDown)),
            Some(recorded) = held.recording.join_next() => {
                held.answer(recorded, writer)?;
                idle_until = Instant::now() + wait;
                writer.flush().await?;
            }
            frame = reader.next(Duration::from_millis(limits::WAIT_MS_MAX.into())),
                if held.recording.len() < RECORDING_MAX =>
            {
                let Some(frame) = frame? else {
                    held.finish(writer).await?;
                    return Ok(0);
                };
                if frame.kind != FrameType::Confirm {
                    return Err(Refused(WireCode::Malformed));
                }
                let confirm = v1::Confirm::decode(frame.payload).map_err(|_| WireCode::Malformed)?;
                held.confirm(shared, &confirm, writer);
                reader.release();
                idle_until = Instant::now() + wait;
                silent_until = Instant::now() + SILENCE;
                writer.flush().await?;
            }
            _ = bell.changed() => {}
            () = tokio::time::sleep(NO_ROOM_PAUSE), if filled.no_room => {}
            () = tokio::time::sleep_until(idle_until), if idle => {
                // Nothing was sent is not to mean that nothing is there.
                return match filled.no_room {
                    true => Err(Refused(WireCode::RetryAfter)),
                    false => held_elsewhere(shared, member),
                };
            }
            // What it holds is for another reader now.
            () = tokio::time::sleep_until(silent_until), if !idle => {
                return Err(Refused(WireCode::TimedOut));
            }
        }
    }
}

/// How many items of a member other streams hold. Spec: DEL-47.
fn held_elsewhere(shared: &Shared, member: &str) -> Result<u32, Refused> {
    let rows = shared
        .ledger
        .inbox(member, None, limits::INBOX_CREDIT_MAX as usize);
    let rows = rows.map_err(|error| WireCode::from(&error))?;
    let held = rows.iter().filter(|key| shared.leases.is_held(key)).count();
    Ok(u32::try_from(held).unwrap_or(u32::MAX))
}

impl<'a> Held<'a> {
    fn nothing(shared: &'a Shared, member: &'a str) -> Self {
        Self {
            leases: &shared.leases,
            bells: &shared.bells,
            member,
            items: BTreeMap::new(),
            next: 1,
            stated: BTreeMap::new(),
            recording: JoinSet::new(),
        }
    }

    fn unconfirmed(&self) -> usize {
        self.items.len() + self.stated.len()
    }

    /// Leases and sends what waits, up to the credit and as far as there is room.
    async fn fill(
        &mut self,
        shared: &Shared,
        credit: usize,
        writer: &mut FrameWriter,
    ) -> Result<Filled, Refused> {
        let mut filled = Filled {
            sent: false,
            no_room: false,
        };
        let mut after: Option<Bytes> = None;
        while self.unconfirmed() < credit {
            let rows = shared
                .ledger
                .inbox(self.member, after.as_deref(), PAGE_ROWS);
            let rows = rows.map_err(|error| WireCode::from(&error))?;
            let Some(last) = rows.last() else { break };
            after = Some(last.clone());
            for key in rows {
                if self.unconfirmed() == credit {
                    return Ok(filled);
                }
                if writer.pending_bytes() > FLUSH_BYTES {
                    writer.flush().await?;
                }
                if self.leases.take(&key) {
                    filled.no_room = !self.send(shared, key, writer)?;
                    if filled.no_room {
                        return Ok(filled);
                    }
                    filled.sent = true;
                }
            }
        }
        Ok(filled)
    }

    /// Sends one item that is leased; false, and the lease is over, if there is no room for it.
    fn send(
        &mut self,
        shared: &Shared,
        key: Bytes,
        writer: &mut FrameWriter,
    ) -> Result<bool, Refused> {
        let (lease, number) = (self.next, u64::from(self.next));
        match item(shared, self.member, &key, number) {
            Ok((item, _)) if !writer.has_room_for(item.encoded_len() + HEADERS_BYTES) => {
                self.leases.give_back(&key);
                Ok(false)
            }
            Ok((mut item, id)) => {
                self.next += 1;
                self.items.insert(lease, HeldItem { key, id });
                let envelope = item.envelope.get_or_insert_default();
                let large = envelope.body.len() > limits::INLINE_BODY_BYTES_MAX;
                let body = if large {
                    std::mem::take(&mut envelope.body)
                } else {
                    Bytes::new()
                };
                writer.put_message(FrameType::Item, &item);
                if large {
                    writer.put_bytes(FrameType::Body, body);
                }
                Ok(true)
            }
            // It was erased in this moment.
            Err(LedgerError::Erased) => {
                self.leases.give_back(&key);
                Ok(true)
            }
            Err(error) => {
                self.leases.give_back(&key);
                tracing::error!(error = ?error, "an inbox item cannot be read");
                Err(Refused(WireCode::from(&error)))
            }
        }
    }

    /// Judges a statement and has it recorded, while the next one is read. Spec: DEL-25.
    fn confirm(&mut self, shared: &Arc<Shared>, confirm: &v1::Confirm, writer: &mut FrameWriter) {
        let lease = u32::try_from(confirm.lease).unwrap_or(0);
        let Some(item) = self.items.remove(&lease) else {
            put_refusal(writer, lease, WireCode::NotFound);
            return;
        };
        if confirm.statement.is_empty() {
            self.give_back(&item.key);
            return;
        }
        match stage(shared, self.member, &item, &confirm.statement) {
            Ok(stage) => {
                self.stated.insert(lease, item);
                let shared = Arc::clone(shared);
                self.recording
                    .spawn(async move { (lease, shared.ledger.record(Entry::Stage(stage)).await) });
            }
            Err(Refused(code)) => {
                self.give_back(&item.key);
                put_refusal(writer, lease, code);
            }
        }
    }

    /// Answers what is recorded.
    fn answer(
        &mut self,
        recorded: Result<(u32, Outcome), JoinError>,
        writer: &mut FrameWriter,
    ) -> Result<(), Refused> {
        let (lease, outcome) = recorded.map_err(|_| WireCode::StorageFailed)?;
        if let Some(item) = self.stated.remove(&lease) {
            self.leases.give_back(&item.key);
        }
        put_outcome(writer, lease, outcome);
        Ok(())
    }

    /// Answers everything that was stated before the reader ended.
    async fn finish(&mut self, writer: &mut FrameWriter) -> Result<(), Refused> {
        while let Some(recorded) = self.recording.join_next().await {
            self.answer(recorded, writer)?;
        }
        Ok(())
    }

    fn give_back(&self, key: &Bytes) {
        self.leases.give_back(key);
        self.bells.ring_inbox(self.member);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for item in self.items.values().chain(self.stated.values()) {
            self.leases.give_back(&item.key);
        }
        if self.unconfirmed() > 0 {
            self.bells.ring_inbox(self.member);
        }
    }
}

/// The envelope as this member needs it: its own wrap only.
fn item(
    shared: &Shared,
    member: &str,
    key: &Bytes,
    lease: u64,
) -> Result<(v1::Item, EnvelopeId), LedgerError> {
    let position = records::queue_position(key).ok_or(LedgerError::Record)?;
    let record = shared.ledger.read(position)?.record;
    if record.erased {
        return Err(LedgerError::Erased);
    }
    let mut kept = v1::Envelope::decode(record.envelope).map_err(|_| LedgerError::Record)?;
    let carried = envelope::parse_carried(&kept).map_err(|_| LedgerError::Record)?;
    let (number, _) = carried.recipient(member).ok_or(LedgerError::Record)?;
    kept.wraps.retain(|wrap| wrap.recipient == number);
    let receipt = v1::Receipt::decode(record.receipt).map_err(|_| LedgerError::Record)?;
    Ok((
        v1::Item {
            lease,
            envelope: Some(kept),
            receipt: Some(receipt),
        },
        carried.id(),
    ))
}

/// Judges a member's stage statement on an item it holds. Spec: RCP-14, DEL-25.
fn stage(
    shared: &Shared,
    member: &str,
    item: &HeldItem,
    statement: &Bytes,
) -> Result<StageEntry, Refused> {
    if statement.len() > limits::CONFIRM_FRAME_BYTES_MAX {
        return Err(Refused(WireCode::TooLarge));
    }
    let signed = v1::Signed::decode(statement.clone()).map_err(|_| WireCode::Malformed)?;
    let roster = shared.roster();
    let keys = roster.sender_keys(member, shared.now_ms());
    let verified = sign::verify(&signed, label::TYPE_STAGE, &keys, 1).map_err(not_signed)?;
    let said = v1::StageStatement::decode(verified.payload).map_err(|_| WireCode::Malformed)?;
    let matches = said.member == member
        && said.federation == roster.federation()
        && said.envelope_id.as_ref() == item.id.0
        && said.stage() != v1::Stage::Unspecified;
    if !matches {
        return Err(Refused(WireCode::BadEnvelope));
    }
    let position = records::queue_position(&item.key).ok_or(WireCode::StorageFailed)?;
    stage_entry(shared, member, position, said.stage(), statement)
        .map_err(|error| Refused(WireCode::from(&error)))
}

fn stage_entry(
    shared: &Shared,
    member: &str,
    position: Position,
    stage: v1::Stage,
    statement: &Bytes,
) -> Result<StageEntry, LedgerError> {
    let record = shared.ledger.read(position)?.record;
    if record.erased {
        return Err(LedgerError::Erased);
    }
    let kept = v1::Envelope::decode(record.envelope).map_err(|_| LedgerError::Record)?;
    let carried = envelope::parse_carried(&kept).map_err(|_| LedgerError::Record)?;
    let home = shared
        .roster()
        .member(carried.sender())
        .map(|sender| sender.home_node.clone());
    Ok(StageEntry {
        id: carried.id(),
        message_id: carried.message_id(),
        member: member.to_owned(),
        stage,
        lane: carried.original().core.lane,
        // Evidence of what became of a report outlives the report's own deadline.
        expires_ms: shared.now_ms() + limits::LIFE_MS_MAX,
        statement: statement.clone(),
        item: position,
        relay_to: home.filter(|home| *home != shared.id),
        sender: carried.sender().to_owned(),
    })
}
