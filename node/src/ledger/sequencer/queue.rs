//! What becomes of a delivery that waits, or waited: given up, queued again, dropped.
//! Spec: DEL-32, DEL-33, DEL-34.

use bytes::Bytes;
use frex_proto::error::WireCode;

use super::{Plan, Planned, Sequencer, plan::Taken};
use crate::{
    index::Table,
    ledger::{
        Act, LedgerError, Outcome,
        records::{self, Ended, OutboxItem, Record},
    },
};

/// Notes that this block decides about a delivery; says whether it is the first to do so.
pub(super) fn take(seen: &mut Taken, outbox_key: &[u8]) -> bool {
    // No other key that a block takes begins with 0 and ends so.
    seen.insert([&[0], outbox_key, b"outbox"].concat())
}

impl Sequencer {
    /// Gives a delivery up. One that is answered, dropped or given up already stays so.
    pub(super) fn plan_undeliverable(
        &self,
        job: usize,
        item: &OutboxItem,
        (code, attempts): (WireCode, u32),
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        if !take(seen, &item.key) {
            return Ok(Plan::NextBlock);
        }
        if self.index.get(Table::Outbox, &item.key)?.is_none() {
            return Ok(Plan::Answer(Outcome::Done));
        }
        let record = Record {
            code: code as u32,
            ended: Some(Ended {
                at_ms: now_ms,
                attempts,
            }),
            ..of_item(item)
        };
        let planned = Planned::plain(job, records::UNDELIVERABLE, record);
        Ok(Plan::of(planned))
    }

    pub(super) fn plan_order(
        &self,
        job: usize,
        key: &Bytes,
        act: Act,
        now_ms: u64,
        seen: &mut Taken,
    ) -> Result<Plan, LedgerError> {
        if !take(seen, key) {
            return Ok(Plan::NextBlock);
        }
        let waiting = self.index.get(Table::Outbox, key)?;
        let waiting = waiting.map(|value| records::parse_outbox(key.clone(), &value));
        let dead = self.index.get(Table::Dead, key)?;
        let dead = dead.map(|value| records::parse_dead(key.clone(), &value));
        let planned = match (waiting, dead, act) {
            // It waits already: an order whose answer was lost is given again.
            (Some(_), _, Act::Requeue) => return Ok(Plan::Answer(Outcome::Done)),
            (Some(waiting), _, Act::Drop) => {
                let item = waiting.ok_or(LedgerError::Record)?;
                let record = dropped(&item, WireCode::Withdrawn);
                Planned::plain(job, records::DROPPED, record)
            }
            (None, Some(dead), act) => {
                let item = dead.ok_or(LedgerError::Record)?.item;
                let kind = match act {
                    Act::Drop => records::DROPPED,
                    Act::Requeue if item.expires_ms <= now_ms => {
                        return Ok(Plan::Answer(Outcome::Failed(WireCode::Expired)));
                    }
                    Act::Requeue => records::REQUEUED,
                };
                Planned::plain(job, kind, of_item(&item))
            }
            (None, None, _) => return Ok(Plan::Answer(Outcome::Failed(WireCode::NotFound))),
        };
        Ok(Plan::of(planned))
    }
}

/// A delivery that waits ends by an order, for this reason.
pub(super) fn dropped(item: &OutboxItem, code: WireCode) -> Record {
    Record {
        code: code as u32,
        ..of_item(item)
    }
}

/// What every record about a delivery says of it, so that the index follows from the record alone.
fn of_item(item: &OutboxItem) -> Record {
    Record {
        outbox_key: item.key.clone(),
        nodes: vec![item.node().to_owned()],
        expires_ms: item.expires_ms,
        since_ms: item.since_ms,
        ..Record::about(item.message)
    }
}
