//! What a receipt is worth: nothing, until it has proved what it says. Spec: MBR-4.

use std::sync::{Arc, Mutex, PoisonError};

use frex_proto::{
    id::EnvelopeId,
    receipt::{self, CheckpointCache, ReceiptError, Statement, VerifiedReceipt},
    roster::Roster,
    v1,
};

use super::UnprovenError;
use crate::{heads::Heads, transport::RosterHandle};

/// A receipt and what it proves.
#[derive(Debug, Clone)]
pub struct ProvenReceipt {
    /// As it was received: what is kept and shown to others.
    pub receipt: v1::Receipt,
    /// What it proves.
    pub verified: VerifiedReceipt,
    /// The member's own word, if the receipt is of a stage.
    pub stage: Option<v1::StageStatement>,
}

impl ProvenReceipt {
    /// The node that issued it.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.verified.statement.node
    }

    /// What it states.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.verified.statement
    }
}

/// A receipt that does not prove what it should. It may be evidence against the node.
#[derive(Debug, Clone)]
pub struct Unproven {
    /// The node that it names, if it names one.
    pub node: Option<String>,
    /// What fails.
    pub error: UnprovenError,
    /// As it was received.
    pub receipt: Box<v1::Receipt>,
}

/// Verifies receipts against the roster in force. One signature check serves all receipts under
/// the same checkpoint.
#[derive(Debug)]
pub struct Verifier {
    roster: RosterHandle,
    heads: Arc<Heads>,
    cache: Mutex<CheckpointCache>,
}

impl Verifier {
    /// Verifies against this roster.
    #[must_use]
    pub fn new(roster: RosterHandle) -> Self {
        Self::watching(roster, Arc::default())
    }

    /// As [`new`](Self::new), and notes which heads of logs the receipts show.
    #[must_use]
    pub fn watching(roster: RosterHandle, heads: Arc<Heads>) -> Self {
        Self {
            roster,
            heads,
            cache: Mutex::default(),
        }
    }

    /// Verifies that the log of the node that the receipt names holds what it states, that the
    /// node may state it, and that it covers `envelope` if one is given. Spec: MBR-4.
    ///
    /// # Errors
    /// [`Unproven`] names the node and keeps the receipt.
    pub fn prove(
        &self,
        wire: v1::Receipt,
        envelope: Option<EnvelopeId>,
    ) -> Result<ProvenReceipt, Unproven> {
        let roster = self.roster.current();
        let node = Statement::parse(&wire.statement).map(|statement| statement.node);
        let unproven = |node: Option<&String>, error, wire| Unproven {
            node: node.cloned(),
            error,
            receipt: Box::new(wire),
        };
        let node = match node {
            Ok(node) => node,
            Err(error) => return Err(unproven(None, ReceiptError::from(error).into(), wire)),
        };
        match self.judge(&roster, &node, &wire, envelope) {
            Ok((verified, stage)) => Ok(ProvenReceipt {
                receipt: wire,
                verified,
                stage,
            }),
            Err(error) => Err(unproven(Some(&node), error, wire)),
        }
    }

    fn judge(
        &self,
        roster: &Roster,
        node: &str,
        wire: &v1::Receipt,
        envelope: Option<EnvelopeId>,
    ) -> Result<(VerifiedReceipt, Option<v1::StageStatement>), UnprovenError> {
        let log = roster
            .log_verifier_for(node, &wire.checkpoint)
            .ok_or(UnprovenError::UnknownNode)?;
        let verified = {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            receipt::verify_cached(wire, &log, envelope, &mut cache)?
        };
        self.heads
            .pass(node, &verified.checkpoint, &wire.checkpoint);
        if !receipt::may_state(&verified.statement, roster) {
            return Err(UnprovenError::NotItsMember);
        }
        let staged = verified.statement.event == v1::Event::Stage;
        let stage = staged
            .then(|| receipt::member_word(&verified, roster).ok_or(UnprovenError::MemberStatement));
        let stage = stage.transpose()?;
        Ok((verified, stage))
    }
}
