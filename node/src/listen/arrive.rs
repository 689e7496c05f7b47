//! The envelopes of a request come in: read within the limits, then let in by room and quota.

use frex_client::transport::{FrameReader, FrameWriter, priority};
use frex_proto::{
    delivery::LaneClass,
    error::WireCode,
    limits::{BATCH_ENVELOPES_MAX, BODY_BYTES_MAX, REQUEST_BODY_BYTES_MAX},
    v1::{self, Lane},
    wire::FrameType,
};
use prost::Message;

use super::{Refused, Waiting, put_refusal, put_refusal_until};
use crate::{
    frames::FRAME_WAIT,
    intake::{Arrived, Heading},
    ledger::LedgerError,
    shared::Shared,
};

/// When to come again while the log waits for its witnesses.
const UNWITNESSED_RETRY_MS: u64 = 60_000;

/// Reads the envelopes of a request, with the bodies that follow them.
pub(super) async fn read_envelopes(
    reader: &mut FrameReader,
    count: u32,
) -> Result<Vec<Waiting>, Refused> {
    let due = usize::try_from(count).map_err(|_| WireCode::TooLarge)?;
    if due == 0 || due > BATCH_ENVELOPES_MAX {
        return Err(Refused(WireCode::TooLarge));
    }
    let mut read = Vec::with_capacity(due);
    let (mut body_bytes, mut reserved) = (0, false);
    for number in 0..count {
        let waiting = read_envelope(reader, number, count, &mut reserved).await?;
        body_bytes += waiting.arrived.envelope.body.len();
        if body_bytes > REQUEST_BODY_BYTES_MAX {
            return Err(Refused(WireCode::TooLarge));
        }
        read.push(waiting);
    }
    // What the request turned out not to need is free for others.
    reader.release_unused();
    Ok(read)
}

/// One envelope of `count`, with its body.
async fn read_envelope(
    reader: &mut FrameReader,
    number: u32,
    count: u32,
    reserved: &mut bool,
) -> Result<Waiting, Refused> {
    let bytes = reader.expect(FrameType::Envelope, FRAME_WAIT).await?;
    let mut envelope: v1::Envelope =
        v1::Envelope::decode(bytes.clone()).map_err(|_| WireCode::Malformed)?;
    let heading = Heading::of(&envelope).map_err(WireCode::from)?;
    if number == 0 {
        reader.set_class(LaneClass::of(heading.lane));
    }
    let Some(length) = heading.body_follows else {
        let arrived = Arrived { envelope, bytes };
        return Ok(Waiting {
            number,
            heading,
            arrived,
        });
    };
    if !envelope.body.is_empty() || length > BODY_BYTES_MAX {
        return Err(Refused(WireCode::Malformed));
    }
    if !std::mem::replace(reserved, true) {
        // For all bodies that may still come, at once: requests that each held a part and waited
        // for the rest would wait for each other. Spec: TRN-8.
        let due = usize::try_from(count - number).map_err(|_| WireCode::TooLarge)?;
        let bytes = (due * BODY_BYTES_MAX).min(REQUEST_BODY_BYTES_MAX);
        reader.reserve(bytes).await?;
    }
    envelope.body = reader.expect(FrameType::Body, FRAME_WAIT).await?;
    let bytes = envelope.encode_to_vec().into();
    let arrived = Arrived { envelope, bytes };
    Ok(Waiting {
        number,
        heading,
        arrived,
    })
}

/// Lets in what there is room for on the disk and what its sender may still send, and answers the
/// rest, before any signature is looked at. `pays`: whose quota an envelope draws on; nobody's if
/// it is refused anyway. `held`: whether the node has it already. Spec: ADM-1 to ADM-6.
pub(super) fn let_in(
    shared: &Shared,
    mut read: Vec<Waiting>,
    writer: &mut FrameWriter,
    pays: impl Fn(&Heading) -> bool,
    held: impl Fn(&Heading) -> Result<bool, LedgerError>,
) -> Vec<Waiting> {
    let (roster, now_ms) = (shared.roster(), shared.now_ms());
    let room = shared.room();
    let mut ahead = [0; 2];
    read.retain(|waiting| {
        let Waiting {
            number, heading, ..
        } = waiting;
        if !room.takes(heading.lane) {
            shared.metrics.refused(WireCode::DiskFull);
            put_refusal(writer, *number, WireCode::DiskFull);
            return false;
        }
        if !shared.is_witnessed_for(heading.lane) {
            shared.metrics.refused(WireCode::RetryAfter);
            put_refusal_until(writer, *number, WireCode::RetryAfter, UNWITNESSED_RETRY_MS);
            return false;
        }
        let member = roster.member(&heading.sender);
        let Some(member) = member.filter(|_| pays(heading)) else {
            return true;
        };
        let class = LaneClass::of(heading.lane);
        if member.quota.per_minute(class).is_none() {
            return true;
        }
        // An index that cannot be read says so in the sequencer.
        let held = held(heading).unwrap_or(false);
        let ahead = &mut ahead[usize::from(class == LaneClass::Urgent)];
        let spent = shared
            .admission
            .spend(&member.id, member.quota, (class, held), *ahead, now_ms);
        if let Err(retry_after_ms) = spent {
            *ahead += 1;
            shared.metrics.refused(WireCode::RetryAfter);
            put_refusal_until(writer, *number, WireCode::RetryAfter, retry_after_ms);
        }
        spent.is_ok()
    });
    read
}

/// The lane that goes first of all.
pub(super) fn most_urgent(waiting: &[Waiting]) -> Lane {
    let lanes = waiting.iter().map(|waiting| waiting.heading.lane);
    lanes.max_by_key(|lane| priority(*lane)).unwrap_or_default()
}
