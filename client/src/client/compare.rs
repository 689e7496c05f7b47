//! Compares what logs have shown with what was seen of them before. Spec: WIT-20.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    log::{Checkpoint, Fork, LogVerifier, checkpoint, proof, witness},
    v1,
};

use super::{Client, QueryError, query::hashes};
use crate::heads::{LogFault, Shown};

/// How one head stands to what was seen before.
enum Standing {
    /// It is the same, or nothing that its log has signed.
    Nothing,
    /// It is the first one.
    First(Checkpoint, Bytes),
    /// The larger must be proved to extend the smaller.
    Grown([Checkpoint; 2], Bytes),
    /// They contradict each other.
    Forked(Fork),
}

impl Client {
    /// Compares the heads of logs that Hellos and receipts have shown since the last time with the
    /// newest that this member has seen, and keeps the largest of each. Evidence is kept and told to the
    /// home node, which tells everybody. A program that runs for long calls this now and then;
    /// [`close`](Self::close) does. Gives all that was found since the start.
    pub async fn compare_logs(&self) -> Vec<LogFault> {
        let heads = &self.0.heads;
        for (node, shown) in heads.take() {
            let Some(log) = self.0.roster.current().log_verifier(&node) else {
                continue;
            };
            match self.compare_log(&node, &log, &shown).await {
                Ok(()) => {}
                Err(QueryError::Proof(_)) => heads.fault(&node, WireCode::BadProof),
                // It has shown more than it has.
                Err(QueryError::Refused(WireCode::NotFound)) => {
                    heads.fault(&node, WireCode::LogRolledBack);
                }
                // It says nothing of a log that it could not be asked; the next call asks again.
                Err(error) => {
                    heads.pass(&node, &shown.head, &shown.note);
                    tracing::debug!(%node, %error, "a log was not compared");
                }
            }
        }
        heads.faults()
    }

    async fn compare_log(
        &self,
        node: &str,
        log: &LogVerifier,
        shown: &Shown,
    ) -> Result<(), QueryError> {
        let heads = &self.0.heads;
        match self.standing(log, shown) {
            Standing::Nothing => {}
            Standing::First(head, note) => heads.keep(&head, &note),
            Standing::Grown(pair, note) => {
                self.prove_growth(node, &pair).await?;
                let [_, larger] = pair;
                if larger == shown.head {
                    heads.keep(&larger, &note);
                }
            }
            Standing::Forked(fork) => {
                heads.keep_fork(&fork);
                heads.fault(node, WireCode::Forked);
                let offer = v1::OfferEvidence {
                    checkpoints: fork.checkpoints.to_vec(),
                };
                let offer = v1::request::Request::OfferEvidence(offer);
                let answers = self.ask(offer).await?;
                if let Some(v1::answer::Answer::Refusal(refusal)) = answers.first() {
                    let code = WireCode::from_number(refusal.code);
                    tracing::warn!(%node, %code, "the home node does not take the evidence");
                }
            }
        }
        Ok(())
    }

    fn standing(&self, log: &LogVerifier, shown: &Shown) -> Standing {
        let just_now_ms = self.just_now_ms();
        let head = checkpoint::parse_and_verify(&shown.note, log, just_now_ms);
        let (Ok(head), Ok(note)) = (head, witness::bare(&shown.note, log)) else {
            return Standing::Nothing;
        };
        let before = self.0.heads.newest(&log.origin);
        // A key that has ended since says nothing any more: whoever stole it may have signed.
        let Ok(held) = checkpoint::parse_and_verify(&before, log, just_now_ms) else {
            return Standing::First(head, note);
        };
        match head.size.cmp(&held.size) {
            std::cmp::Ordering::Equal if head.root == held.root => Standing::Nothing,
            std::cmp::Ordering::Equal => Standing::Forked(Fork {
                size: head.size,
                roots: [held.root, head.root],
                checkpoints: [before, note],
                origin: head.origin,
            }),
            std::cmp::Ordering::Greater => Standing::Grown([held, head], note),
            std::cmp::Ordering::Less => Standing::Grown([head, held], note),
        }
    }

    /// Has the log prove that the second extends the first, by way of the home node.
    async fn prove_growth(&self, node: &str, pair: &[Checkpoint; 2]) -> Result<(), QueryError> {
        let [from, to] = pair;
        let home = self
            .0
            .roster
            .current()
            .home_node(&self.0.member)
            .is_some_and(|home| home.id == node);
        let request = v1::GetCheckpoint {
            consistent_with: from.size,
            size: to.size,
            node: match home {
                true => String::new(),
                false => node.to_owned(),
            },
        };
        let request = v1::request::Request::GetCheckpoint(request);
        let v1::answer::Answer::Checkpoint(answer) = self.ask_one(request).await? else {
            return Err(QueryError::Refused(WireCode::Malformed));
        };
        if Checkpoint::of_note(&answer.checkpoint)
            .is_ok_and(|head| head.is_of_later_log(&to.origin))
        {
            return Err(QueryError::Refused(WireCode::LogEnded));
        }
        let hashes = hashes(&answer.consistency)?;
        proof::verify_consistency(from.size, &from.root, to.size, &to.root, &hashes)?;
        Ok(())
    }
}
