//! Whom a message has reached, and who refused its key, by the receipts on it.

use std::collections::{BTreeMap, BTreeSet};

use frex_proto::{error::WireCode, id::EnvelopeId, roster::Roster, v1};

/// What receipts of one message say, in the order in which its home node has them.
#[derive(Default)]
pub struct Reach {
    /// The envelopes that the home node has taken.
    pub taken: Vec<EnvelopeId>,
    /// Everybody it was sent to, with the last envelope for them.
    sent: BTreeMap<String, Option<EnvelopeId>>,
    /// Who refused the key of which envelope.
    refused: BTreeSet<(String, Option<EnvelopeId>)>,
    /// Whose node has it.
    reached: BTreeSet<String>,
}

impl Reach {
    /// Takes note of a receipt.
    pub fn note(&mut self, statement: &v1::Statement, roster: &Roster) {
        let envelope = EnvelopeId::from_slice(&statement.envelope_id).ok();
        match statement.event() {
            v1::Event::Submitted | v1::Event::Forwarded => {
                self.taken.extend(envelope);
                let to = statement.recipients.iter().cloned();
                self.sent.extend(to.map(|member| (member, envelope)));
            }
            v1::Event::Accepted => self.reached.extend(statement.recipients.iter().cloned()),
            v1::Event::Rejected if statement.code == WireCode::KeyRetired as u32 => {
                let named = &statement.recipients;
                let there = |member: &&String| {
                    roster.is_served_by(member, &statement.node)
                        && (named.is_empty() || named.contains(member))
                };
                let members = self.sent.keys().filter(there).cloned();
                self.refused
                    .extend(members.map(|member| (member, envelope)));
            }
            _ => {}
        }
    }

    /// A member has said itself that it has the message.
    pub fn note_member(&mut self, member: &str) {
        self.reached.insert(member.to_owned());
    }

    /// Whom it was sent to.
    #[must_use]
    pub fn is_for(&self, member: &str) -> bool {
        self.sent.contains_key(member)
    }

    /// Everybody it was sent to.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.sent.keys().map(String::as_str)
    }

    /// To whom it was sent whose node does not have it.
    pub fn missing(&self) -> impl Iterator<Item = &String> {
        let sent = self.sent.keys();
        sent.filter(|member| !self.reached.contains(*member))
    }

    /// Who refused the key of the last envelope for them, and has not got the message: for them it
    /// may be sealed again. Spec: DEL-29.
    #[must_use]
    pub fn retired(&self) -> BTreeSet<&str> {
        let last = |member: &&String| {
            let envelope = self.sent.get(*member).copied().flatten();
            self.refused.contains(&((*member).clone(), envelope))
        };
        self.missing().filter(last).map(String::as_str).collect()
    }
}
