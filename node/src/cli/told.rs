//! What becomes of an envelope that is no report: whom it has reached, with the receipts kept.

use std::{collections::BTreeSet, path::PathBuf};

use frex_client::{
    client::{News, ProvenReceipt},
    keys::MemberHome,
};
use frex_proto::error::WireCode;

use super::{failure::Failure, member};

/// What was heard of one envelope.
pub struct Told {
    folder: PathBuf,
    /// The home node has it.
    pub taken: bool,
    /// Recipients whose nodes have it.
    pub reached: BTreeSet<String>,
    /// Why the home node, or a recipient's, does not take it.
    pub refused: Option<WireCode>,
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
            News::Undeliverable { code } => {
                self.notes
                    .push(format!("one of the nodes was given up: {code}"));
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

    fn keep(&self, receipt: &ProvenReceipt) -> Result<(), Failure> {
        member::keep_receipt(&self.folder, receipt).map(|_| ())
    }
}
