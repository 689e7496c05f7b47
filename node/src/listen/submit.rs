//! A member submits: SUBMITTED at once, then what each recipient's node says.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::{error::WireCode, limits, sign::BatchCache, v1};
use prost::Message;
use tokio::{sync::mpsc, time::Instant};

use super::{Batch, Refused, put_outcome, put_receipt, put_refusal, read_envelopes};
use crate::{
    bells::Notice,
    intake::Verdict,
    ledger::{Entry, MessageKey, Outcome},
    node::Shared,
};

/// One envelope of the request while its recipients' nodes are waited for.
struct Waiting {
    envelope: u32,
    nodes: BTreeSet<String>,
}

pub(super) async fn serve(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::Submit,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let Batch { arrived, granted } = read_envelopes(shared, reader, request.envelopes).await?;
    let (intake, owner, now_ms) = (shared.intake.clone(), member.to_owned(), shared.now_ms());
    let judge = move || {
        let mut cache = BatchCache::new();
        let judged = arrived
            .into_iter()
            .map(|arrived| intake.submission(arrived, &owner, now_ms, &mut cache));
        judged.collect::<Vec<_>>()
    };
    let verdicts = shared
        .workers
        .run(judge)
        .await
        .ok_or(WireCode::ShuttingDown)?;
    let wait_ms = request.wait_ms.min(limits::WAIT_MS_MAX);
    let deadline = Instant::now() + Duration::from_millis(wait_ms.into());

    // Listen before recording, so that no answer can come in between unheard.
    let (ear, mut notices) = mpsc::unbounded_channel();
    let mut listeners = Vec::new();
    let mut waiting = Vec::new();
    let mut entries = Vec::new();
    let mut numbers = Vec::new();
    for (number, verdict) in (0_u32..).zip(verdicts) {
        match verdict {
            Verdict::Refuse(code) => {
                shared.metrics.refused(code);
                put_refusal(writer, number, code);
            }
            Verdict::Record(entry) => {
                if let Entry::Submit {
                    admitted,
                    nodes,
                    members,
                    ..
                } = &entry
                {
                    let mut nodes: BTreeSet<String> = nodes.iter().cloned().collect();
                    if !members.is_empty() {
                        nodes.insert(shared.id.clone());
                    }
                    let (forward, message) = (ear.clone(), admitted.message());
                    listeners.push(shared.bells.listen(message, forward));
                    waiting.push((
                        message,
                        Waiting {
                            envelope: number,
                            nodes,
                        },
                    ));
                }
                entries.push(entry);
                numbers.push(number);
            }
        }
    }
    drop(ear);
    let outcomes = shared.ledger.record_all(entries).await;
    drop(granted);
    let mut open = Open { shared, waiting };
    for (number, outcome) in numbers.into_iter().zip(outcomes) {
        if !matches!(outcome, Outcome::Receipt(_)) {
            open.catch_up(number, &outcome, writer);
        }
        put_outcome(writer, number, outcome);
    }
    writer.flush().await?;
    while !open.waiting.is_empty() {
        let notice = tokio::select! {
            notice = tokio::time::timeout_at(deadline, notices.recv()) => notice,
            () = shared.stopped() => break,
        };
        let Ok(Some(notice)) = notice else { break };
        open.pass_on(notice, writer);
        while let Ok(notice) = notices.try_recv() {
            open.pass_on(notice, writer);
        }
        writer.flush().await?;
    }
    drop(listeners);
    Ok(())
}

struct Open<'a> {
    shared: &'a Shared,
    waiting: Vec<(MessageKey, Waiting)>,
}

impl Open<'_> {
    /// A repeated submission hears what its nodes have said before; a failed one waits for nothing.
    fn catch_up(&mut self, number: u32, outcome: &Outcome, writer: &mut FrameWriter) {
        let Some(place) = self
            .waiting
            .iter()
            .position(|(_, waiting)| waiting.envelope == number)
        else {
            return;
        };
        let rejected = match outcome {
            Outcome::Stored(receipt) => {
                let receipt = v1::Receipt::decode(receipt.clone()).unwrap_or_default();
                v1::Statement::decode(receipt.statement)
                    .is_ok_and(|statement| statement.event() == v1::Event::Rejected)
            }
            _ => true,
        };
        if rejected {
            self.waiting.remove(place);
            return;
        }
        let message = self.waiting[place].0;
        for stored in self.shared.ledger.history(message).unwrap_or_default() {
            if let Some(notice) = Notice::of(stored.kind, &stored.record, &self.shared.id) {
                self.pass_on((message, notice), writer);
            }
        }
    }

    fn pass_on(&mut self, (message, notice): (MessageKey, Notice), writer: &mut FrameWriter) {
        let Some(place) = self
            .waiting
            .iter()
            .position(|(waiting, _)| *waiting == message)
        else {
            return;
        };
        let waiting = &mut self.waiting[place].1;
        let node = match notice {
            Notice::Receipt { node, receipt } => {
                put_receipt(writer, waiting.envelope, receipt);
                node
            }
            Notice::Undeliverable { node, code } => {
                put_refusal(writer, waiting.envelope, code);
                node
            }
        };
        waiting.nodes.remove(&node);
        if waiting.nodes.is_empty() {
            self.waiting.remove(place);
        }
    }
}
