//! Another node delivers: every envelope is judged, recorded and answered on the same stream.

use std::sync::Arc;

use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::{error::WireCode, id::EnvelopeId, v1};

use super::{Batch, Refused, judge, put_outcome, put_receipt, put_refusal, read_envelopes};
use crate::{
    intake::Verdict,
    ledger::{Entry, MessageKey, Outcome},
    shared::Shared,
};

pub(super) async fn serve(
    shared: &Arc<Shared>,
    peer: &str,
    request: &v1::Deliver,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let Batch { arrived, granted } = read_envelopes(shared, reader, request.envelopes).await?;
    let owner = peer.to_owned();
    let verdicts = judge(shared, arrived, move |intake, arrived, now_ms, cache| {
        intake.delivery(&arrived, &owner, now_ms, cache)
    })
    .await?;
    let mut entries = Vec::new();
    let mut numbers = Vec::new();
    for (number, verdict) in (0_u32..).zip(verdicts) {
        match verdict {
            Verdict::Refuse(code) => {
                shared.metrics.refused(code);
                put_refusal(writer, number, code);
            }
            Verdict::Record(entry) => {
                numbers.push((number, said_twice(&entry)));
                entries.push(entry);
            }
        }
    }
    let outcomes = shared.ledger.record_all(entries).await;
    drop(granted);
    for ((number, about), outcome) in numbers.into_iter().zip(outcomes) {
        if let Outcome::Failed(code) = outcome {
            shared.metrics.refused(code);
        }
        let again = matches!(outcome, Outcome::Stored(_));
        let answered = match about {
            Some((message, id, both)) if both || again => shared.ledger.answered(message, id),
            _ => Ok(Vec::new()),
        };
        match answered {
            Ok(receipts) if !receipts.is_empty() && !matches!(outcome, Outcome::Failed(_)) => {
                for receipt in receipts {
                    put_receipt(writer, number, receipt);
                }
            }
            Ok(_) => put_outcome(writer, number, outcome),
            Err(error) => put_refusal(writer, number, WireCode::from(&error)),
        }
    }
    Ok(())
}

/// Which envelope an entry is about, and whether it is accepted for some and refused for others.
fn said_twice(entry: &Entry) -> Option<(MessageKey, EnvelopeId, bool)> {
    match entry {
        Entry::Deliver {
            admitted, retired, ..
        } => Some((admitted.message(), admitted.id, !retired.is_empty())),
        Entry::Reject { admitted, .. } => Some((admitted.message(), admitted.id, false)),
        Entry::Refuse { message, id, .. } => Some((*message, *id, false)),
        _ => None,
    }
}
