//! Another node delivers: every envelope is judged, recorded and answered on the same stream.

use std::sync::Arc;

use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::v1;

use super::{Batch, Refused, judge, put_outcome, put_refusal, read_envelopes};
use crate::{intake::Verdict, shared::Shared};

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
        intake.delivery(arrived, &owner, now_ms, cache)
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
                entries.push(entry);
                numbers.push(number);
            }
        }
    }
    let outcomes = shared.ledger.record_all(entries).await;
    drop(granted);
    for (number, outcome) in numbers.into_iter().zip(outcomes) {
        put_outcome(writer, number, outcome);
    }
    Ok(())
}
