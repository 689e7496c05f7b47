//! What is recorded of other logs, and of the cosignatures on the own one.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    limits,
    log::{self, Fork},
    receipt::Statement,
    v1,
};
use prost::Message;

use super::{Plan, Planned, Sequencer, plan::Taken};
use crate::{
    index::Table,
    ledger::{
        LedgerError, MessageKey, Outcome, SeenEntry,
        records::{self, Record, SeenLog, Sight},
    },
};

impl Sequencer {
    /// Compares with what is known, and sets it: no two of these see the same past.
    /// Spec: WIT-5, WIT-11.
    pub(super) fn plan_seen(
        &mut self,
        job: usize,
        entry: &SeenEntry,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let key = records::seen_key(&entry.head.origin);
        if !seen.insert(key.clone()) {
            return Ok(Plan::NextBlock);
        }
        let before = self.seen(&key)?;
        if before.as_ref().is_some_and(SeenLog::is_fork) {
            return Ok(Plan::Answer(Outcome::Failed(WireCode::Forked)));
        }
        let nothing = log::empty_root();
        let known = before
            .as_ref()
            .map_or((0, &nothing[..]), |before| (before.size, &before.root[..]));
        if known != (entry.known.0, &entry.known.1[..]) {
            return Ok(Plan::Answer(Outcome::Failed(WireCode::RetryAfter)));
        }
        let mut log = SeenLog {
            origin: entry.head.origin.clone(),
            size: entry.head.size,
            root: Bytes::copy_from_slice(&entry.head.root),
            checkpoint: entry.checkpoint.clone(),
            logged_ms: match (&before, entry.states_first) {
                (Some(before), _) => before.logged_ms,
                (None, true) => 0,
                (None, false) => now_ms,
            },
            contradicts: Bytes::new(),
        };
        let due = now_ms >= log.logged_ms.saturating_add(limits::SEEN_LOGGED_MS);
        if due {
            log.logged_ms = now_ms;
        }
        let record = of_log(log);
        Ok(Plan::of(match due {
            true => {
                let checkpoints = vec![entry.checkpoint.clone()];
                let statement = Statement {
                    checkpoints,
                    ..Statement::new(v1::Event::PeerSeen, &self.node)
                };
                self.leaf(job, records::SEEN_LOGGED, record, &statement, now_ms)?
            }
            false => Planned::plain(job, records::SEEN, record),
        }))
    }

    /// States once what a log has signed against itself: nothing is taken of that log any more.
    /// Spec: WIT-10.
    pub(super) fn plan_forked(
        &mut self,
        job: usize,
        fork: &Fork,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        let key = records::seen_key(&fork.origin);
        if !seen.insert(key.clone()) {
            return Ok(Plan::NextBlock);
        }
        if self.seen(&key)?.is_some_and(|seen| seen.is_fork()) {
            return Ok(Plan::Answer(Outcome::Done));
        }
        let [checkpoint, contradicts] = fork.checkpoints.clone();
        let log = SeenLog {
            origin: fork.origin.clone(),
            size: fork.size,
            root: Bytes::copy_from_slice(&fork.roots[0]),
            checkpoint,
            logged_ms: now_ms,
            contradicts,
        };
        let statement = Statement {
            checkpoints: fork.checkpoints.to_vec(),
            ..Statement::new(v1::Event::ForkEvidence, &self.node)
        };
        let record = of_log(log);
        let planned = self.leaf(job, records::FORKED, record, &statement, now_ms)?;
        Ok(Plan::of(planned))
    }

    fn seen(&self, key: &[u8]) -> Result<Option<SeenLog>, LedgerError> {
        let Some(value) = self.index.get(Table::Seen, key)? else {
            return Ok(None);
        };
        let sight = Sight::parse(&value).ok_or(LedgerError::Record)?;
        let (_, bytes) = self.journal.reader().read(sight.position)?;
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        record.seen.map(Some).ok_or(LedgerError::Record)
    }

    /// Keeps the newest own checkpoint that is final. Spec: WIT-12.
    pub(super) fn plan_cosigned(&self, job: usize, checkpoint: &Bytes) -> Plan {
        let seen = SeenLog {
            origin: self.origin.clone(),
            checkpoint: checkpoint.clone(),
            ..SeenLog::default()
        };
        Plan::of(Planned::plain(job, records::COSIGNED, of_log(seen)))
    }
}

fn of_log(seen: SeenLog) -> Record {
    let message = MessageKey::of_log(&seen.origin);
    Record {
        seen: Some(seen),
        ..Record::about(message)
    }
}
