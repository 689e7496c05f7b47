//! What belongs to one request: its envelopes, what its sender sent about it later, its answers. Spec: EVD-8.

use std::collections::BTreeMap;

use super::{Findings, Proven, Shown};
use crate::{
    envelope::{Carried, Core},
    id::{EnvelopeId, MessageId},
    v1::{Event, Kind},
};

/// A message, and what its sender sent after it about it.
pub(super) struct Thread {
    pub(super) asker: String,
    pub(super) message: MessageId,
    /// Every envelope of the message that is shown.
    pub(super) envelopes: Vec<EnvelopeId>,
    /// Every envelope by which its sender came back to it, with its message: one that was sealed again
    /// is one message all the same.
    pub(super) further: BTreeMap<EnvelopeId, MessageId>,
    /// It asks: what only says how it goes on is no answer.
    asks: bool,
}

impl Thread {
    /// The thread of the message that an envelope carries.
    pub(super) fn of_envelope(envelope: EnvelopeId, findings: &Findings) -> Option<Self> {
        let mut shown = own(findings);
        let (_, core) = shown.find(|(id, _)| *id == envelope)?;
        Some(Self::of(core, findings))
    }

    /// The thread of a message.
    pub(super) fn of(asked: &Core, findings: &Findings) -> Self {
        let same = |core: &Core| core.sender == asked.sender && core.message_id == asked.message_id;
        let envelopes: Vec<EnvelopeId> = own(findings)
            .filter(|(_, core)| same(core))
            .map(|(id, _)| id)
            .collect();
        let comes_back = |core: &Core| {
            let about = core.in_reply_to.is_some_and(|id| envelopes.contains(&id));
            about && core.sender == asked.sender && !core.kind.is_for_control()
        };
        let further = own(findings)
            .filter(|(_, core)| !same(core) && comes_back(core))
            .map(|(id, core)| (id, core.message_id))
            .collect();
        Self {
            asker: asked.sender.clone(),
            message: asked.message_id,
            envelopes,
            further,
            asks: asked.kind == Kind::Request,
        }
    }

    /// What a member sent the asker in reply to it, or to a further message about it.
    pub(super) fn answers_of<'a>(
        &'a self,
        member: &'a str,
        findings: &'a Findings,
    ) -> impl Iterator<Item = &'a Shown> {
        let is_answer = move |shown: &&Shown| {
            let Carried::Own(parsed) = &shown.carried else {
                return false;
            };
            let core = &parsed.core;
            let about = core
                .in_reply_to
                .is_some_and(|id| self.envelopes.contains(&id) || self.further.contains_key(&id));
            about
                && core.sender == member
                && !core.kind.is_for_control()
                && !(self.asks && core.kind == Kind::Feedback)
                && core.recipient(&self.asker).is_some()
        };
        findings.exhibits.iter().flatten().filter(is_answer)
    }
}

/// What is shown and was no forward: id and header.
pub(super) fn own(findings: &Findings) -> impl Iterator<Item = (EnvelopeId, &Core)> {
    let shown = findings.exhibits.iter().flatten();
    shown.filter_map(|shown| match &shown.carried {
        Carried::Own(parsed) => Some((parsed.id, &parsed.core)),
        Carried::Forward(_) => None,
    })
}

/// The receipts by which a node says that it has an envelope for `member`, with their places.
pub(super) fn accepted_by<'a>(
    envelope: EnvelopeId,
    member: &'a str,
    findings: &'a Findings,
) -> impl Iterator<Item = (usize, &'a Proven)> {
    about(envelope, findings).filter(move |(_, proven)| {
        let statement = &proven.verified.statement;
        let names = statement.recipients.iter().any(|one| one == member);
        statement.event == Event::Accepted && names
    })
}

/// The receipts about an envelope, with their places.
pub(super) fn about(
    envelope: EnvelopeId,
    findings: &Findings,
) -> impl Iterator<Item = (usize, &Proven)> {
    let receipts = findings.receipts.iter().enumerate();
    let proven = receipts.filter_map(|(place, proven)| Some((place, proven.as_ref()?)));
    proven.filter(move |(_, proven)| proven.verified.statement.envelope_id == Some(envelope))
}
