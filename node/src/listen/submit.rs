//! A member submits: SUBMITTED at once, then what each recipient's node says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use frex_client::transport::{FrameReader, FrameWriter};
use frex_proto::{error::WireCode, id::EnvelopeId, limits, roster::Roster, v1};
use prost::Message;
use tokio::{sync::mpsc, time::Instant};

use super::{Refused, arrive, judge, put_given_up, put_outcome, put_receipt, put_refusal};
use crate::{
    bells::{Bells, Ear, Listener, Notice},
    intake::{Heading, Verdict},
    ledger::{Entry, MessageKey, Outcome},
    recall,
    shared::Shared,
};

/// One envelope of the request while its recipients' nodes are waited for.
struct Waiting {
    envelope: u32,
    id: EnvelopeId,
    /// Nodes that have not spoken, and about whom.
    nodes: BTreeMap<String, BTreeSet<String>>,
}

pub(super) async fn serve(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::Submit,
    reader: &mut FrameReader,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    let read = arrive::read_envelopes(reader, request.envelopes).await?;
    // Whoever names another sender is refused for that, and spends nobody's quota.
    let pays = |heading: &Heading| heading.sender == member;
    let held = |heading: &Heading| shared.ledger.was_sent(heading.message, heading.id);
    let admitted = arrive::let_in(shared, read, writer, pays, held);
    let owner = member.to_owned();
    let verdicts = judge(shared, admitted, move |intake, arrived, now_ms, cache| {
        intake.submission(&arrived, &owner, now_ms, cache)
    })
    .await?;
    let wait_ms = request.wait_ms.min(limits::WAIT_MS_MAX);
    let deadline = Instant::now() + Duration::from_millis(wait_ms.into());

    let (ear, notices) = mpsc::unbounded_channel();
    let mut open = Open {
        shared,
        waiting: Vec::new(),
        listeners: Vec::new(),
    };
    let roster = shared.roster();
    let mut entries = Vec::new();
    let mut numbers = Vec::new();
    for (number, verdict) in verdicts {
        match verdict {
            Verdict::Refuse(code) => {
                shared.metrics.refused(code);
                put_refusal(writer, number, code);
            }
            Verdict::Record(mut entry) => {
                if let Err(code) = recall::find_stops(&shared.ledger, &roster, &mut entry) {
                    shared.metrics.refused(code);
                    put_refusal(writer, number, code);
                    continue;
                }
                open.listen(number, &entry, &ear, &roster);
                entries.push(*entry);
                numbers.push(number);
            }
        }
    }
    drop(ear);
    let outcomes = shared.ledger.record_all(entries).await;
    reader.release();
    for (number, outcome) in numbers.into_iter().zip(outcomes) {
        let fresh = matches!(outcome, Outcome::Receipt(_));
        if let Outcome::Failed(code) = outcome {
            shared.metrics.refused(code);
        }
        put_outcome(writer, number, outcome.clone());
        if !fresh {
            open.catch_up(number, &outcome, writer);
        }
    }
    writer.flush().await?;
    open.wait(notices, deadline, writer).await
}

struct Open<'a> {
    shared: &'a Shared,
    waiting: Vec<(MessageKey, Waiting)>,
    listeners: Vec<Listener<'a>>,
}

impl<'a> Open<'a> {
    /// Listens before anything is recorded, so that no answer can come in between unheard.
    fn listen(&mut self, envelope: u32, entry: &Entry, ear: &Ear, roster: &Roster) {
        let (message, id, recipients) = match entry {
            Entry::Submit {
                admitted,
                recipients,
                ..
            } => (admitted.message(), admitted.id, recipients),
            Entry::Refuse {
                message,
                id,
                recipients,
                ..
            } => (*message, *id, recipients),
            _ => return,
        };
        let mut nodes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for member in recipients {
            if let Some(entry) = roster.member(member) {
                let about = nodes.entry(entry.home_node.clone()).or_default();
                about.insert(member.clone());
            }
        }
        let bells: &'a Bells = &self.shared.bells;
        self.listeners.push(bells.listen(message, ear.clone()));
        let waiting = Waiting {
            envelope,
            id,
            nodes,
        };
        self.waiting.push((message, waiting));
    }

    /// Passes on what the recipients' nodes say, until all have spoken or the time is up.
    async fn wait(
        &mut self,
        mut notices: mpsc::UnboundedReceiver<(MessageKey, Notice)>,
        deadline: Instant,
        writer: &mut FrameWriter,
    ) -> Result<(), Refused> {
        while !self.waiting.is_empty() {
            let notice = tokio::select! {
                biased;
                // What the client waits for is still to come, from the node that follows this one.
                () = self.shared.stopped() => return Err(Refused(WireCode::ShuttingDown)),
                notice = tokio::time::timeout_at(deadline, notices.recv()) => notice,
            };
            let Ok(Some(notice)) = notice else {
                return Ok(());
            };
            self.pass_on(notice, writer);
            while let Ok(notice) = notices.try_recv() {
                self.pass_on(notice, writer);
            }
            writer.flush().await?;
        }
        Ok(())
    }

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
            Outcome::Stored(receipt) => statement(receipt).event() == v1::Event::Rejected,
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
        match notice {
            Notice::Receipt { node, receipt } => {
                let said = statement(&receipt);
                // The message may have been sealed more than once.
                if said.envelope_id.as_ref() != waiting.id.as_ref() {
                    return;
                }
                put_receipt(writer, waiting.envelope, receipt);
                waiting.heard(&node, &said);
            }
            Notice::Undeliverable { node, code } => {
                waiting.nodes.remove(&node);
                put_given_up(writer, waiting.envelope, node, code as u32);
            }
        }
        if waiting.nodes.is_empty() {
            self.waiting.remove(place);
        }
    }
}

impl Waiting {
    /// A refusal may name some of a node's members, when it is accepted for others.
    fn heard(&mut self, node: &str, said: &v1::Statement) {
        let Some(about) = self.nodes.get_mut(node) else {
            return;
        };
        about.retain(|member| !said.recipients.contains(member));
        let partial = said.event() == v1::Event::Rejected && !said.recipients.is_empty();
        if !partial || about.is_empty() {
            self.nodes.remove(node);
        }
    }
}

/// The statement in a receipt of ours, or in one that was verified.
fn statement(receipt: &Bytes) -> v1::Statement {
    let receipt = v1::Receipt::decode(receipt.clone());
    let statement = receipt.and_then(|receipt| v1::Statement::decode(receipt.statement));
    statement.unwrap_or_default()
}
