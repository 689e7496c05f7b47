//! What waits at the home node for other nodes, what did not get there, and orders for both.
//!
//! These are words of the home node about its own queue, and no receipts: it may say what it
//! likes, and can make nobody believe that something was delivered. Spec: DEL-37.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    limits, v1,
    wire::FrameError,
};

use super::{Client, QueryError};
use crate::transport::TransportError;

/// Which deliveries are asked for.
#[derive(Debug, Clone, Default)]
pub struct OutboxQuery {
    /// Of this message alone.
    pub message: Option<MessageId>,
    /// Whose message that is; none: the own.
    pub sender: Option<String>,
    /// Not the own alone; only the member that operates the home node may.
    pub all: bool,
    /// Waiting or dead; unspecified: both.
    pub shelf: v1::OutboxShelf,
}

/// One delivery to one node, as the home node tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// By which it is ordered about.
    pub key: Bytes,
    /// Where it goes.
    pub node: String,
    /// In which lane.
    pub lane: v1::Lane,
    /// What it is.
    pub item: v1::OutboxItem,
    /// Whose it is: the sender, or who made the stage statement.
    pub member: String,
    /// Of which message.
    pub message: MessageId,
    /// Of which envelope.
    pub envelope: EnvelopeId,
    /// Since when it is to be delivered.
    pub since_ms: u64,
    /// When it is given up.
    pub expires_ms: u64,
    /// Attempts at it, or at its node since that was last any use.
    pub attempts: u32,
    /// What came of the last one.
    pub code: Option<WireCode>,
    /// When the next is due; none: as soon as may be, or never.
    pub next_ms: Option<u64>,
    /// How it stands.
    pub state: v1::OutboxState,
    /// When it was given up.
    pub ended_ms: Option<u64>,
}

impl Delivery {
    fn read(row: v1::OutboxRow) -> Option<Self> {
        let some = |ms: u64| (ms != 0).then_some(ms);
        Some(Self {
            lane: row.lane(),
            item: row.item(),
            state: row.state(),
            message: MessageId::from_slice(&row.message_id).ok()?,
            envelope: EnvelopeId::from_slice(&row.envelope_id).ok()?,
            code: (row.code != 0).then(|| WireCode::from_number(row.code)),
            next_ms: some(row.next_ms),
            ended_ms: some(row.ended_ms),
            key: row.key,
            node: row.node,
            member: row.member,
            since_ms: row.since_ms,
            expires_ms: row.expires_ms,
            attempts: row.attempts,
        })
    }
}

/// Some deliveries, and where the next ones begin.
#[derive(Debug, Clone)]
pub struct OutboxPage {
    /// In the order of the outbox: by node, then by lane, then by age.
    pub deliveries: Vec<Delivery>,
    /// For [`Client::outbox`]; none: there are no more.
    pub next: Option<Bytes>,
}

impl Client {
    /// One page of what waits and of what did not get there, from the start or from where the page
    /// before says. It may be empty although more follow. Spec: DEL-37.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn outbox(
        &self,
        query: &OutboxQuery,
        after: Option<Bytes>,
    ) -> Result<OutboxPage, QueryError> {
        let message = query.message.as_ref();
        let request = v1::ListOutbox {
            message_id: message.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.0)),
            sender: query.sender.clone().unwrap_or_default(),
            all: query.all,
            shelf: query.shelf.into(),
            after: after.unwrap_or_default(),
        };
        let request = v1::request::Request::ListOutbox(request);
        let v1::answer::Answer::Outbox(page) = self.ask_one(request).await? else {
            return Err(malformed());
        };
        if page.rows.len() > limits::OUTBOX_ROWS_MAX {
            return Err(malformed());
        }
        let deliveries: Option<_> = page.rows.into_iter().map(Delivery::read).collect();
        Ok(OutboxPage {
            deliveries: deliveries.ok_or_else(malformed)?,
            next: (!page.next.is_empty()).then_some(page.next),
        })
    }

    /// Has a dead letter wait again, under the same ids. One that waits already goes on to.
    /// Spec: DEL-33.
    ///
    /// # Errors
    /// [`QueryError`]; refused with EXPIRED if its time is over, `NOT_FOUND` if it is not there.
    pub async fn requeue(&self, key: &Bytes) -> Result<(), QueryError> {
        self.order(key, v1::OutboxAct::Requeue).await
    }

    /// Ends a delivery that waits, or removes a dead letter. Spec: DEL-34.
    ///
    /// # Errors
    /// [`QueryError`]; refused with `NOT_FOUND` if it is not there, or no longer.
    pub async fn drop_delivery(&self, key: &Bytes) -> Result<(), QueryError> {
        self.order(key, v1::OutboxAct::Drop).await
    }

    async fn order(&self, key: &Bytes, act: v1::OutboxAct) -> Result<(), QueryError> {
        let request = v1::OrderOutbox {
            key: key.clone(),
            act: act.into(),
        };
        let request = v1::request::Request::OrderOutbox(request);
        match self.ask(request).await?.into_iter().next() {
            None => Ok(()),
            Some(v1::answer::Answer::Refusal(refusal)) => Err(super::query::refused(&refusal)),
            Some(_) => Err(malformed()),
        }
    }
}

fn malformed() -> QueryError {
    TransportError::from(FrameError::Malformed).into()
}
