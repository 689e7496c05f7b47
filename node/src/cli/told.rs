//! What becomes of an envelope that is no report: whom it has reached, with the receipts kept.

use std::{collections::BTreeSet, path::PathBuf};

use frex_client::{
    client::{GivenUp, News, ProvenReceipt},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId, roster::Roster};

use super::{ended, failure::Failure, member};

/// What was heard of one envelope.
pub struct Told {
    folder: PathBuf,
    /// The home node has it.
    pub taken: bool,
    /// Recipients whose nodes have it.
    pub reached: BTreeSet<String>,
    /// Why the home node, or a recipient's, does not take it.
    pub refused: Option<WireCode>,
    /// Where the home node does not bring it any more.
    given_up: Vec<GivenUp>,
    /// For people.
    pub notes: Vec<String>,
}

impl Told {
    /// Nothing was heard yet; receipts go to the member's folder.
    pub fn new(home: &MemberHome) -> Self {
        Self {
            folder: home.receipts_dir(),
            taken: false,
            reached: BTreeSet::new(),
            refused: None,
            given_up: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes news in.
    ///
    /// # Errors
    /// A receipt cannot be kept.
    pub fn hear(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Submitted(receipt) => {
                self.taken = true;
                self.keep(&receipt)?;
            }
            News::Accepted {
                members, receipt, ..
            } => {
                self.keep(&receipt)?;
                self.reached.extend(members);
            }
            News::Rejected { code, receipt, .. } => {
                self.keep(&receipt)?;
                self.refused = Some(code);
                self.notes
                    .push(format!("a recipient's node rejected it: {code}"));
            }
            // The recipient's own word may overtake its node's.
            News::Stage {
                member, receipt, ..
            } => {
                self.keep(&receipt)?;
                self.reached.insert(member);
            }
            News::Undeliverable { node, code } => {
                self.notes.push(ended::note(node.as_deref(), code));
                self.given_up.push(GivenUp { node, code });
            }
            News::Refused { code } | News::Unanswered { code } => self.refused = Some(code),
            News::Unproven(unproven) => {
                self.notes
                    .push(format!("a receipt does not hold: {}", unproven.error));
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps beside the message where it was given up.
    ///
    /// # Errors
    /// What is kept of the message cannot be changed.
    pub fn keep_ended(
        &self,
        home: &MemberHome,
        roster: &Roster,
        message: MessageId,
        recipients: &[String],
    ) -> Result<(), Failure> {
        let missing = || recipients.iter().filter(|one| !self.reached.contains(*one));
        self.given_up
            .iter()
            .try_for_each(|told| ended::keep(home, message, &ended::row(told, roster, missing())))
    }

    fn keep(&self, receipt: &ProvenReceipt) -> Result<(), Failure> {
        member::keep_receipt(&self.folder, receipt).map(|_| ())
    }
}
