//! Another log begins, with an entry that names the one before. Spec: BAK-20.

use frex_proto::{error::WireCode, log::Frontier, receipt::Statement, v1};

use super::{Plan, Planned, Sequencer};
use crate::ledger::{
    BeginEntry, LedgerError, MessageKey, Outcome,
    records::{self, Record},
};

impl Sequencer {
    /// From here on the tree is empty and signed under the other name. Whatever comes of it, the node
    /// does not go on with the log before: it begins this one, or does not start.
    pub(super) fn plan_begin(
        &mut self,
        job: usize,
        entry: &BeginEntry,
        now_ms: u64,
    ) -> Result<Plan, LedgerError> {
        {
            let mut tail = self.tail.lock().expect("no holder of the tail panics");
            if !tail.is_published() {
                return Ok(Plan::Answer(Outcome::Failed(WireCode::RetryAfter)));
            }
            tail.begin(&entry.origin);
        }
        let statement = Statement {
            ended_log: self.checkpoint.borrow().clone(),
            seen_log: entry.seen.clone(),
            ..Statement::new(v1::Event::Operator, &self.node)
        };
        self.origin.clone_from(&entry.origin);
        self.frontier = Frontier::new();
        let record = Record::about(MessageKey::of_log(&entry.origin));
        let begun: Planned = self.leaf(job, records::LOG_BEGUN, record, &statement, now_ms)?;
        Ok(Plan::of(begun))
    }
}
