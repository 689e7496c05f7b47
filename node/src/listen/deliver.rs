//! Another node delivers: every envelope is judged, recorded and answered on the same stream.

use std::sync::Arc;

use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::{error::WireCode, id::EnvelopeId, v1};

use super::{Refused, arrive, judge, put_outcome, put_receipt, put_refusal};
use crate::{
    intake::{Heading, Verdict},
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
    let read = arrive::read_envelopes(reader, request.envelopes).await?;
    let roster = shared.roster();
    // Who it is not served by is refused for that, and pays nothing.
    let pays = |heading: &Heading| roster.is_served_by(&heading.sender, peer);
    let held = |heading: &Heading| shared.ledger.was_answered(heading.message, heading.id);
    let waiting = arrive::let_in(shared, read, writer, pays, held);
    let owner = peer.to_owned();
    let verdicts = judge(shared, waiting, move |intake, arrived, now_ms, cache| {
        intake.delivery(&arrived, &owner, now_ms, cache)
    })
    .await?;
    let mut entries = Vec::new();
    let mut numbers = Vec::new();
    for (number, verdict) in verdicts {
        match verdict {
            Verdict::Refuse(code) => {
                shared.metrics.refused(code);
                put_refusal(writer, number, code);
            }
            Verdict::Record(entry) => {
                numbers.push((number, about(&entry)));
                entries.push(*entry);
            }
        }
    }
    let outcomes = shared.ledger.record_all(entries).await;
    reader.release();
    for ((number, about), outcome) in numbers.into_iter().zip(outcomes) {
        answer(shared, writer, number, about, outcome);
    }
    Ok(())
}

/// What an entry is about.
struct About {
    message: MessageKey,
    id: EnvelopeId,
    /// Accepted for some recipients and refused for others: two receipts.
    both: bool,
}

/// Which envelope an entry is about; none if about no envelope alone.
fn about(entry: &Entry) -> Option<About> {
    let (message, id, both) = match entry {
        Entry::Deliver {
            admitted, retired, ..
        } => (admitted.message(), admitted.id, !retired.is_empty()),
        Entry::Reject { admitted, .. } => (admitted.message(), admitted.id, false),
        Entry::Refuse { message, id, .. } => (*message, *id, false),
        _ => return None,
    };
    Some(About { message, id, both })
}

/// Answers with the receipt that was just given, or, where there are more or the envelope came
/// before, with all that it was ever answered with. Spec: DEL-17, DEL-30.
fn answer(
    shared: &Shared,
    writer: &mut FrameWriter,
    number: u32,
    about: Option<About>,
    outcome: Outcome,
) {
    let looked_up = match &outcome {
        Outcome::Receipt(_) | Outcome::Done => about.filter(|about| about.both),
        Outcome::Stored(_) => about,
        Outcome::Failed(code) => {
            shared.metrics.refused(*code);
            None
        }
    };
    let answered = looked_up.map(|about| shared.ledger.answered(about.message, about.id));
    match answered.transpose() {
        Ok(Some(receipts)) if !receipts.is_empty() => {
            for receipt in receipts {
                put_receipt(writer, number, receipt);
            }
        }
        Ok(_) => put_outcome(writer, number, outcome),
        Err(error) => put_refusal(writer, number, WireCode::from(&error)),
    }
}
