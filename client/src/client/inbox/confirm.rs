//! Saying what became of an item: a signed statement on its lease, and the receipt for it.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{
    id::{EnvelopeId, is_code},
    label, sign, v1,
};
use prost::Message;
use tokio::{sync::oneshot, time::timeout};

use super::{Command, ConfirmError, Hold, ProvenReceipt, Unproven, in_place};

/// How long the node may take to answer a confirmation.
const CONFIRM_WAIT: Duration = Duration::from_secs(30);
/// Longest outcome code of a statement, bytes.
const OUTCOME_BYTES_MAX: usize = 64;

impl Hold {
    pub(super) async fn confirm(
        self,
        id: EnvelopeId,
        stage: v1::Stage,
        outcome: &str,
    ) -> Result<ProvenReceipt, ConfirmError> {
        let parts = &self.client.0;
        let statement = v1::StageStatement {
            envelope_id: Bytes::copy_from_slice(id.as_ref()),
            federation: parts.roster.current().federation().to_owned(),
            member: parts.member.clone(),
            stage: stage.into(),
            time_ms: parts.environment.clock.now_ms(),
            outcome: outcome.to_owned(),
        };
        if !is_statement(&statement) {
            return Err(ConfirmError::Statement);
        }
        let payload = statement.encode_to_vec().into();
        let signed = sign::sign(label::TYPE_STAGE, payload, &[&parts.identity])?;
        let (reply, answer) = oneshot::channel();
        let command = Command {
            confirm: v1::Confirm {
                lease: self.lease,
                statement: signed.encode_to_vec().into(),
            },
            reply: Some(reply),
        };
        self.commands
            .send(command)
            .map_err(|_| ConfirmError::LeaseEnded)?;
        let answer = timeout(CONFIRM_WAIT, answer).await;
        let answer = answer.map_err(|_| ConfirmError::TimedOut)?;
        let receipt = answer
            .map_err(|_| ConfirmError::LeaseEnded)?
            .map_err(ConfirmError::Refused)?;
        let proven = parts.verifier.prove(receipt, Some(id));
        proven
            .and_then(|proven| stated(proven, &statement))
            .map_err(|unproven| ConfirmError::Unproven(Box::new(unproven)))
    }

    pub(super) fn release(self) {
        let confirm = v1::Confirm {
            lease: self.lease,
            statement: Bytes::new(),
        };
        // A stream that has ended has given everything back.
        let _ = self.commands.send(Command {
            confirm,
            reply: None,
        });
    }
}

fn is_statement(statement: &v1::StageStatement) -> bool {
    let outcome = &statement.outcome;
    let code = outcome.len() <= OUTCOME_BYTES_MAX && is_code(outcome);
    match statement.stage() {
        v1::Stage::Unspecified => false,
        v1::Stage::Acted => code,
        v1::Stage::Delivered | v1::Stage::Opened => outcome.is_empty(),
    }
}

/// A repeated statement is answered with the receipt of the first, which said the same earlier.
fn stated(proven: ProvenReceipt, ours: &v1::StageStatement) -> Result<ProvenReceipt, Unproven> {
    let same = |word: &v1::StageStatement| word.member == ours.member && word.stage == ours.stage;
    let fits = proven.stage.as_ref().is_some_and(same);
    in_place(fits, proven)
}

#[cfg(test)]
mod tests {
    use super::*;

    // MBR-7: an outcome is a code, and stands beside ACTED only.
    #[test]
    fn an_outcome_goes_with_acted_only() {
        let states = |stage: v1::Stage, outcome: &str| {
            is_statement(&v1::StageStatement {
                stage: stage.into(),
                outcome: outcome.to_owned(),
                ..v1::StageStatement::default()
            })
        };
        for stage in [v1::Stage::Delivered, v1::Stage::Opened] {
            assert!(states(stage, "") && !states(stage, "removed"));
        }
        assert!(states(v1::Stage::Acted, "removed") && states(v1::Stage::Acted, ""));
        assert!(!states(v1::Stage::Acted, "in so many words"));
        assert!(!states(v1::Stage::Unspecified, ""));
    }
}
