//! How each recipient of a request stands: asked, written to again, answered, silent. Spec: EVD-8.

use std::collections::BTreeSet;

use super::{
    Clock, Findings, Proof, Proven, State,
    thread::{Thread, about, accepted_by, own},
};
use crate::{
    envelope::Core,
    id::EnvelopeId,
    v1::{Event, Kind},
};

/// A clock for each recipient of each request that the file shows.
#[must_use]
pub fn clocks(findings: &Findings) -> Vec<Clock> {
    let mut clocks = Vec::new();
    let mut seen = Vec::new();
    for (_, core) in own(findings).filter(|(_, core)| asks(core)) {
        let name = (&core.sender, core.message_id);
        if seen.contains(&name) || is_further(core, findings) {
            continue;
        }
        seen.push(name);
        let thread = Thread::of(core, findings);
        let recipients = core.recipients.iter();
        clocks.extend(recipients.map(|one| clock(core, &thread, &one.member, findings)));
    }
    clocks
}

/// An answer is awaited.
fn asks(core: &Core) -> bool {
    core.kind == Kind::Request || core.reply_by_ms.is_some()
}

/// It comes back to what its own sender sent before and what has a clock. What comes back to a further
/// message is in no other clock, and so has its own: every second one of a chain is further.
fn is_further(core: &Core, findings: &Findings) -> bool {
    let before = |core: &Core| {
        let id = core.in_reply_to?;
        let mut shown = own(findings).filter(|(_, before)| asks(before));
        let found = shown.find(|(shown, before)| {
            *shown == id && before.sender == core.sender && before.message_id != core.message_id
        });
        found.map(|(_, before)| before)
    };
    // An id is a hash of what it names, so that no chain comes back to itself.
    std::iter::successors(before(core), |core| before(core)).count() % 2 == 1
}

fn clock(core: &Core, thread: &Thread, member: &str, findings: &Findings) -> Clock {
    let had = |id: &EnvelopeId| had(*id, member, findings);
    Clock {
        message: thread.message,
        asker: thread.asker.clone(),
        member: member.to_owned(),
        received: thread.envelopes.iter().filter_map(had).min(),
        due_ms: core.reply_by_ms,
        further: further(thread, member, findings),
        answered: answered(thread, member, findings),
        silent: silent(thread, member, findings),
    }
}

/// How many further messages of the asker the node of `member` had.
fn further(thread: &Thread, member: &str, findings: &Findings) -> usize {
    let came = thread.further.iter();
    let came = came.filter(|(id, _)| had(**id, member, findings).is_some());
    came.map(|(_, message)| message)
        .collect::<BTreeSet<_>>()
        .len()
}

/// When the node of `member` first had an envelope for it.
fn had(envelope: EnvelopeId, member: &str, findings: &Findings) -> Option<(u64, Proof)> {
    accepted_by(envelope, member, findings).map(dated).min()
}

fn dated((place, proven): (usize, &Proven)) -> (u64, Proof) {
    (proven.verified.time_ms, Proof::Receipt(place))
}

/// When the first answer was logged: where the asker's node has it, or else where its sender's has.
fn answered(thread: &Thread, member: &str, findings: &Findings) -> Option<(u64, Proof)> {
    let answers = thread.answers_of(member, findings);
    let logged = answers.filter_map(|shown| {
        let id = shown.carried.id();
        let submitted =
            |(_, proven): &(usize, &Proven)| proven.verified.statement.event == Event::Submitted;
        let left = || about(id, findings).filter(submitted).map(dated).min();
        had(id, &thread.asker, findings).or_else(left)
    });
    logged.min()
}

/// When the asker last stated that the member had not answered.
fn silent(thread: &Thread, member: &str, findings: &Findings) -> Option<(u64, Proof)> {
    let placed = findings.silences.iter().enumerate();
    let said = placed.filter_map(|(place, silence)| {
        let silence = silence.as_ref()?;
        let about = thread.envelopes.contains(&silence.envelope)
            || thread.further.contains_key(&silence.envelope);
        let names = silence.silent.iter().any(|one| one == member);
        let fits = about && names && silence.member == thread.asker;
        fits.then_some((silence.time_ms, Proof::Silence(place)))
    });
    said.max()
}

impl Clock {
    /// What it shows.
    #[must_use]
    pub fn state(&self) -> State {
        let late = |at_ms: u64| self.due_ms.is_some_and(|due_ms| at_ms > due_ms);
        match (self.answered, self.received, self.silent) {
            (Some((at_ms, _)), _, _) if late(at_ms) => State::AnsweredLate,
            (Some(_), _, _) => State::Answered,
            (None, None, _) => State::NotReceived,
            (None, _, Some((at_ms, _))) if late(at_ms) => State::Overdue,
            (None, _, Some(_)) => State::Waiting,
            (None, _, None) => State::Open,
        }
    }

    /// Milliseconds from when the request was received to the answer, or to the word that none had
    /// come; none: one of the two is missing.
    #[must_use]
    pub fn elapsed_ms(&self) -> Option<u64> {
        Some(self.end_ms()?.saturating_sub(self.received?.0))
    }

    /// Milliseconds from when an answer was due to when it came, or to the word that none had come;
    /// 0 if that was before; none: nothing was due, or nobody says until when.
    #[must_use]
    pub fn overdue_ms(&self) -> Option<u64> {
        Some(self.end_ms()?.saturating_sub(self.due_ms?))
    }

    fn end_ms(&self) -> Option<u64> {
        self.answered.or(self.silent).map(|(at_ms, _)| at_ms)
    }
}
