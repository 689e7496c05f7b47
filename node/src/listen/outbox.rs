//! What a member asks about its deliveries, and orders for them; the operator's member for all.
//!
//! Whose a delivery is, is read from the record behind it, never from what the asker says.
//! Spec: DEL-35, DEL-36, DEL-37.

use std::sync::Arc;

use bytes::Bytes;
use frex_client::transport::FrameWriter;
use frex_proto::{
    error::WireCode,
    id::{MessageId, check_name},
    limits, v1,
};
use prost::Message;

use super::{Refused, put_answer};
use crate::{
    delivery::desk::Outlook,
    index,
    ledger::{
        Act, Entry, LedgerError, MessageKey, Outcome,
        query::Stored,
        records::{self, DeadLetter, LANES, OutboxItem},
    },
    shared::Shared,
};

/// Bytes of records read for one page, after which it ends.
const PAGE_READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a cursor begins with: which part of the outbox it stands in.
const WAITING: u8 = 1;
const DEAD: u8 = 2;

/// One page of what waits and of what did not get there.
pub(super) async fn list(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::ListOutbox,
    writer: &mut FrameWriter,
) -> Result<(), Refused> {
    if request.all && !operates(shared, member) {
        return Err(Refused(WireCode::WrongRole));
    }
    let asked = Asked::read(request, member)?;
    let (lister, owner) = (shared.clone(), member.to_owned());
    let work = move || Page::new(&lister, &owner, &asked).fill();
    let page = shared.workers.run(work).await;
    let page = page.ok_or(Refused(WireCode::ShuttingDown))?;
    let page = page.map_err(|error| Refused(WireCode::from(&error)))?;
    put_answer(writer, 0, v1::answer::Answer::Outbox(page));
    Ok(())
}

/// One delivery waits again, ends, or goes.
pub(super) async fn order(
    shared: &Arc<Shared>,
    member: &str,
    request: &v1::OrderOutbox,
) -> Result<(), Refused> {
    let act = match request.act() {
        v1::OutboxAct::Requeue => Act::Requeue,
        v1::OutboxAct::Drop => Act::Drop,
        v1::OutboxAct::Unspecified => return Err(Refused(WireCode::Malformed)),
    };
    let key = &request.key;
    if key.len() > index::KEY_BYTES_MAX {
        return Err(Refused(WireCode::Malformed));
    }
    let failed = |error: LedgerError| Refused(WireCode::from(&error));
    // What is not the asker's is not there for it.
    let found = find(shared, key).map_err(failed)?;
    let found = found.ok_or(Refused(WireCode::NotFound))?;
    let stored = shared.ledger.read(found.item().position).map_err(failed)?;
    let own = Record::of(&stored).is_some_and(|record| record.member == member);
    if !own && !operates(shared, member) {
        return Err(Refused(WireCode::NotFound));
    }
    let entry = Entry::Order {
        key: key.clone(),
        act,
    };
    if let Outcome::Failed(code) = shared.ledger.record(entry).await {
        return Err(Refused(code));
    }
    tracing::info!(node = %found.item().node(), ?act, "a delivery was ordered");
    if act == Act::Requeue
        && let Some(desk) = shared.desks.get(found.item().node())
    {
        desk.requeued(found.item().slot());
        shared.bells.ring_outbox(desk.node());
    }
    Ok(())
}

/// Whether the node is run by this member.
pub(super) fn operates(shared: &Shared, member: &str) -> bool {
    let roster = shared.roster();
    let node = roster.node(&shared.id);
    node.is_some_and(|node| node.operator == member)
}

/// A delivery, as the ledger has it.
enum Found {
    Waiting(OutboxItem),
    Dead(DeadLetter),
}

impl Found {
    fn item(&self) -> &OutboxItem {
        match self {
            Self::Waiting(item) => item,
            Self::Dead(letter) => &letter.item,
        }
    }
}

fn find(shared: &Shared, key: &Bytes) -> Result<Option<Found>, LedgerError> {
    if let Some(item) = shared.ledger.outbox_item(key)? {
        return Ok(Some(Found::Waiting(item)));
    }
    Ok(shared.ledger.dead_letter(key)?.map(Found::Dead))
}

/// What the record behind a delivery says of it.
struct Record {
    item: v1::OutboxItem,
    member: String,
    message_id: Bytes,
    envelope_id: Bytes,
}

impl Record {
    /// None if it is no record of something to be delivered.
    fn of(stored: &Stored) -> Option<Self> {
        let receipt = v1::Receipt::decode(stored.record.receipt.clone()).ok()?;
        let statement = v1::Statement::decode(receipt.statement).ok()?;
        let (item, member) = match stored.kind {
            records::SENT => (v1::OutboxItem::Envelope, statement.sender),
            records::STAGE => {
                let speaker = stored.record.members.first()?;
                (v1::OutboxItem::Stage, speaker.clone())
            }
            _ => return None,
        };
        Some(Self {
            item,
            member,
            message_id: statement.message_id,
            envelope_id: statement.envelope_id,
        })
    }
}

/// A question that is well formed.
struct Asked {
    message: Option<MessageKey>,
    all: bool,
    waiting: bool,
    dead: bool,
    after: Option<(u8, Bytes)>,
}

impl Asked {
    fn read(request: &v1::ListOutbox, member: &str) -> Result<Self, Refused> {
        let malformed = Refused(WireCode::Malformed);
        let message = match request.message_id.is_empty() {
            true => None,
            false => {
                let id = MessageId::from_slice(&request.message_id).map_err(|_| malformed)?;
                let sender = match request.sender.is_empty() {
                    true => member,
                    false => request.sender.as_str(),
                };
                check_name(sender).map_err(|_| malformed)?;
                Some(MessageKey::new(sender, id))
            }
        };
        let after = match request.after.first() {
            None => None,
            Some(part @ (&WAITING | &DEAD)) if request.after.len() <= index::KEY_BYTES_MAX => {
                Some((*part, request.after.slice(1..)))
            }
            Some(_) => return Err(malformed),
        };
        let shelf = request.shelf();
        Ok(Self {
            message,
            all: request.all,
            waiting: shelf != v1::OutboxShelf::Dead,
            dead: shelf != v1::OutboxShelf::Waiting,
            after,
        })
    }
}

struct Page<'a> {
    shared: &'a Shared,
    member: &'a str,
    asked: &'a Asked,
    read_bytes: usize,
    rows: Vec<v1::OutboxRow>,
}

impl<'a> Page<'a> {
    fn new(shared: &'a Shared, member: &'a str, asked: &'a Asked) -> Self {
        Self {
            shared,
            member,
            asked,
            read_bytes: 0,
            rows: Vec::new(),
        }
    }

    fn fill(mut self) -> Result<v1::OutboxPage, LedgerError> {
        let mut looked_at = 0;
        let (mut part, mut after) = match &self.asked.after {
            Some((part, key)) => (*part, Some(key.clone())),
            None => (WAITING, None),
        };
        let keys = match self.asked.message {
            Some(message) => Some(self.keys_of(message)?),
            None => None,
        };
        loop {
            let wanted = match part {
                WAITING => self.asked.waiting,
                _ => self.asked.dead,
            };
            let next = match (wanted, &keys) {
                (false, _) => None,
                (true, Some(keys)) => {
                    let later = |key: &&Bytes| after.as_ref().is_none_or(|after| *key > after);
                    keys.iter().find(later).cloned()
                }
                (true, None) => {
                    let after = after.as_deref();
                    let some = self.shared.ledger.delivery_keys(part == DEAD, after, 1)?;
                    some.into_iter().next()
                }
            };
            let Some(key) = next else {
                if part == DEAD {
                    return Ok(self.ended(Bytes::new()));
                }
                (part, after) = (DEAD, None);
                continue;
            };
            self.look_at(&key, part)?;
            looked_at += 1;
            if self.rows.len() >= limits::OUTBOX_ROWS_MAX
                || looked_at >= limits::OUTBOX_LOOKED_AT_MAX
                || self.read_bytes >= PAGE_READ_BYTES_MAX
            {
                let next = [&[part][..], &key].concat();
                return Ok(self.ended(next.into()));
            }
            after = Some(key);
        }
    }

    fn ended(self, next: Bytes) -> v1::OutboxPage {
        v1::OutboxPage {
            rows: self.rows,
            next,
        }
    }

    /// Where deliveries of a message would be, in order.
    fn keys_of(&self, message: MessageKey) -> Result<Vec<Bytes>, LedgerError> {
        let mut keys = Vec::new();
        for (position, stored) in self.shared.ledger.history_at(message)? {
            if matches!(stored.kind, records::SENT | records::STAGE) {
                let lane = stored.record.lane;
                let nodes = stored.record.nodes.iter();
                keys.extend(
                    nodes.map(|node| Bytes::from(records::queue_key(node, lane, position))),
                );
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    fn look_at(&mut self, key: &Bytes, part: u8) -> Result<(), LedgerError> {
        let ledger = &self.shared.ledger;
        let found = match part {
            WAITING => ledger.outbox_item(key)?.map(Found::Waiting),
            _ => ledger.dead_letter(key)?.map(Found::Dead),
        };
        let Some(found) = found else { return Ok(()) };
        // One that does not read must not hide the others; it is told in the node's own log.
        let stored = match ledger.read(found.item().position) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(?error, "the record of a delivery cannot be read");
                return Ok(());
            }
        };
        self.read_bytes += stored.record.envelope.len();
        let Some(record) = Record::of(&stored) else {
            return Ok(());
        };
        if self.asked.all || record.member == self.member {
            let row = self.row(&found, record)?;
            self.rows.push(row);
        }
        Ok(())
    }

    fn row(&self, found: &Found, record: Record) -> Result<v1::OutboxRow, LedgerError> {
        let item = found.item();
        let mut row = v1::OutboxRow {
            key: item.key.clone(),
            node: item.node().to_owned(),
            lane: LANES[item.slot()].into(),
            item: record.item.into(),
            member: record.member,
            message_id: record.message_id,
            envelope_id: record.envelope_id,
            since_ms: item.since_ms,
            expires_ms: item.expires_ms,
            ..v1::OutboxRow::default()
        };
        match found {
            Found::Waiting(item) => {
                let desk = self.shared.desks.get(item.node());
                let outlook = desk.map_or(Outlook::CLEAR, |desk| desk.outlook(&item.key));
                row.state = outlook.state.into();
                row.attempts = outlook.attempts;
                row.code = outlook.code.map_or(0, |code| code as u32);
                let wait_ms = u64::try_from(outlook.wait.as_millis()).unwrap_or(u64::MAX);
                if wait_ms > 0 {
                    row.next_ms = self.shared.now_ms().saturating_add(wait_ms);
                }
            }
            Found::Dead(letter) => {
                let end = self.shared.ledger.read(letter.ended)?.record;
                let ended = end.ended.unwrap_or_default();
                row.state = v1::OutboxState::Dead.into();
                row.attempts = ended.attempts;
                row.code = end.code;
                row.ended_ms = ended.at_ms;
            }
        }
        Ok(row)
    }
}
