//! What is heard of a report on its way: news become what is known of each recipient.

use std::{collections::BTreeSet, time::Instant};

use frex_client::{
    client::{GivenUp, News, ProvenReceipt, SendError, Unproven},
    keys::MemberHome,
};
use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    error::WireCode,
    id::MessageId,
    roster::Roster,
};

use super::{EXPIRED, Fate, GIVEN_UP, Heard, REJECTED, WAITING};
use crate::cli::{ended, failure::Failure, member, messages, output, time::seconds};

/// Where news of one envelope goes.
pub(super) struct Ear<'a> {
    home: &'a MemberHome,
    message: MessageId,
    roster: &'a Roster,
    started: Instant,
    pub(super) heard: Heard,
}

impl<'a> Ear<'a> {
    pub(super) fn new(
        home: &'a MemberHome,
        roster: &'a Roster,
        draft: &Draft,
        started: Instant,
    ) -> Self {
        let waiting = |member: &str| Fate {
            state: WAITING,
            node: node_of(roster, member),
            code: None,
            ms: None,
            receipt: None,
        };
        let recipients = draft.recipients.iter();
        let fates = recipients.map(|(member, _)| (member.clone(), waiting(member)));
        Self {
            home,
            message: draft.message_id,
            roster,
            started,
            heard: Heard {
                envelopes: Vec::new(),
                untaken: None,
                rejected: false,
                fates: fates.collect(),
                submitted: None,
                refused: None,
                unanswered: false,
                delayed: None,
                notes: Vec::new(),
            },
        }
    }

    pub(super) fn sealed(&mut self, round: u32, envelope: &SignedEnvelope) {
        self.heard.envelopes.push(envelope.id);
        (self.heard.untaken, self.heard.rejected) = (Some(envelope.id), false);
        if round > 0 {
            let note = format!(
                "{} had retired the key: sealed again under the same message id, as envelope {}",
                envelope.members.join(", "),
                envelope.id
            );
            self.heard.notes.push(note);
            self.heard.refused = None;
        }
    }

    /// What was taken before stays so; with nothing taken, this is why.
    pub(super) fn not_again(&mut self, members: &[String], why: &SendError) {
        let note = format!("not sealed again for {}: {why}", members.join(", "));
        self.heard.notes.push(note);
        if self.heard.submitted.is_none() {
            let _ = self.heard.refused.get_or_insert(why.into());
        }
    }

    pub(super) fn hear(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Submitted(receipt) => {
                self.heard.submitted = Some(self.keep(&receipt)?);
                if let Some(envelope) = self.heard.envelopes.last().copied() {
                    self.heard.untaken = None;
                    messages::take(self.home, self.message, envelope)?;
                }
            }
            News::Accepted {
                node,
                members,
                receipt,
            } => self.set(&members, "accepted", node, None, &receipt)?,
            News::Rejected {
                node,
                members,
                code,
                receipt,
                ..
            } => {
                self.heard.rejected = self.heard.untaken.is_some();
                self.set(&members, REJECTED, node, Some(code), &receipt)?;
            }
            News::Stage {
                member,
                stage,
                receipt,
            } => {
                let node = node_of(self.roster, &member);
                self.set(&[member], stage.word(), node, None, &receipt)?;
            }
            News::Undeliverable { node, code } => {
                self.heard.give_up(node.as_deref(), code);
                let told = GivenUp { node, code };
                ended::keep_of(self.home, self.message, &told, self.roster)?;
            }
            News::Delayed { retry_after, .. } => {
                self.heard.delayed = Some(retry_after);
                output::message(format_args!(
                    "the node is busy or the quota is used up: it takes the report after {}",
                    seconds(retry_after)
                ));
            }
            News::Refused { code } => {
                (self.heard.refused, self.heard.unanswered) = (Some(code), false);
            }
            News::Unanswered { code } => {
                (self.heard.refused, self.heard.unanswered) = (Some(code), true);
            }
            News::Unproven(unproven) => self.heard.notes.push(unproven_text(&unproven)),
            _ => {}
        }
        Ok(())
    }

    fn set(
        &mut self,
        members: &[String],
        state: &'static str,
        node: String,
        code: Option<WireCode>,
        receipt: &ProvenReceipt,
    ) -> Result<(), Failure> {
        let fate = Fate {
            state,
            node,
            code,
            ms: u64::try_from(self.started.elapsed().as_millis()).ok(),
            receipt: Some(self.keep(receipt)?),
        };
        for member in members {
            if let Some(held) = self.heard.fates.get_mut(member) {
                *held = fate.clone();
            }
        }
        Ok(())
    }

    fn keep(&self, receipt: &ProvenReceipt) -> Result<String, Failure> {
        let path = member::keep_receipt(&self.home.receipts_dir(), receipt)?;
        Ok(path.display().to_string())
    }
}

impl Heard {
    /// Nobody is waited for any more whose node was given up. Where the home node does not say which
    /// one that is, it is still known if only one is left, or the time that all have is over.
    pub(super) fn give_up(&mut self, node: Option<&str>, code: WireCode) {
        let waiting = || self.fates.values().filter(|fate| fate.state == WAITING);
        let nodes: BTreeSet<&str> = waiting().map(|fate| fate.node.as_str()).collect();
        let known = node.is_some() || code == WireCode::Expired || nodes.len() == 1;
        if !known {
            self.notes.push(ended::note(node, code));
            return;
        }
        let state = match code {
            WireCode::Expired => EXPIRED,
            _ => GIVEN_UP,
        };
        for fate in self.fates.values_mut() {
            if fate.state == WAITING && node.is_none_or(|node| node == fate.node) {
                (fate.state, fate.code) = (state, Some(code));
            }
        }
    }
}

fn node_of(roster: &Roster, member: &str) -> String {
    let node = roster.home_node(member);
    node.map(|node| node.id.clone()).unwrap_or_default()
}

fn unproven_text(unproven: &Unproven) -> String {
    let node = unproven.node.as_deref().unwrap_or("a node");
    format!(
        "a receipt of {} does not hold and is not believed: {}",
        output::clean(node),
        unproven.error
    )
}
