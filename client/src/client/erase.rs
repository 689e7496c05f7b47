//! Having the home node erase what it keeps of a message, or keep it. Spec: chapter ERA.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    id::{EnvelopeId, MessageId},
    limits,
    v1::{self, answer::Answer, request::Request},
    wire::FrameError,
};

use super::{Client, ProvenReceipt, QueryError};
use crate::transport::TransportError;

/// What is to become of a message at the home node.
#[derive(Debug, Clone)]
pub struct EraseOrder {
    /// The message.
    pub message: MessageId,
    /// Who sent it; none: this member.
    pub sender: Option<String>,
    /// Why, as a code.
    pub ground: String,
    /// By which order or rule, as a code.
    pub authority: String,
}

/// What would go, as the home node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasurePlan {
    /// Records of its journal.
    pub records: u32,
    /// Bytes in them.
    pub bytes: u64,
    /// Entries of its log whose statements go.
    pub entries: u32,
    /// Deliveries that wait or were given up.
    pub deliveries: u32,
    /// Items that nobody has confirmed.
    pub inbox_items: u32,
    /// Attachments.
    pub attachments: u32,
    /// Why it would not be done.
    pub refusal: Option<WireCode>,
}

/// An erasure or a hold, as the home node tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureRow {
    /// The message, if its id is known.
    pub message: Option<MessageId>,
    /// An envelope of it.
    pub envelope: Option<EnvelopeId>,
    /// Who sent it.
    pub sender: String,
    /// Why.
    pub ground: String,
    /// By which order or rule.
    pub authority: String,
    /// Who ordered it; empty: the node's own rule.
    pub ordered_by: String,
    /// When.
    pub time_ms: u64,
    /// Entry of the log that states it; of an erasure.
    pub index: u64,
    /// Entries whose statements are gone; of an erasure.
    pub entries: u32,
    /// By order of a court; of a hold.
    pub court: bool,
}

impl From<v1::ErasureRow> for ErasureRow {
    fn from(row: v1::ErasureRow) -> Self {
        Self {
            message: MessageId::from_slice(&row.message_id).ok(),
            envelope: EnvelopeId::from_slice(&row.envelope_id).ok(),
            sender: row.sender,
            ground: row.ground,
            authority: row.authority,
            ordered_by: row.ordered_by,
            time_ms: row.time_ms,
            index: row.index,
            entries: row.entries,
            court: row.court,
        }
    }
}

impl Client {
    /// Has the home node erase what it keeps of a message; gives the receipt of that. What was
    /// erased before is answered with the receipt of before. Spec: ERA-5, ERA-6.
    ///
    /// # Errors
    /// [`QueryError`]; refused with `ON_HOLD`, `HELD_BY_OTHERS`, `NOT_FOUND`.
    pub async fn erase(&self, order: &EraseOrder) -> Result<ProvenReceipt, QueryError> {
        match self.ask_one(request(order, false)).await? {
            Answer::Receipt(receipt) => {
                let proven = self.0.verifier.prove(receipt, None);
                proven.map_err(|unproven| QueryError::Unproven(Box::new(unproven)))
            }
            _ => Err(malformed()),
        }
    }

    /// What would go; nothing does.
    ///
    /// # Errors
    /// [`QueryError`]; refused with `NOT_FOUND`.
    pub async fn plan_erasure(&self, order: &EraseOrder) -> Result<ErasurePlan, QueryError> {
        match self.ask_one(request(order, true)).await? {
            Answer::ErasurePlan(plan) => Ok(ErasurePlan {
                records: plan.records,
                bytes: plan.bytes,
                entries: plan.entries,
                deliveries: plan.deliveries,
                inbox_items: plan.inbox_items,
                attachments: plan.attachments,
                refusal: (plan.refusal != 0).then(|| WireCode::from_number(plan.refusal)),
            }),
            _ => Err(malformed()),
        }
    }

    /// Has the home node keep a message, whoever wants it erased; or lets go of it. Spec: ERA-12.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn hold(
        &self,
        order: &EraseOrder,
        court: bool,
        release: bool,
    ) -> Result<(), QueryError> {
        let request = Request::HoldMessage(v1::HoldMessage {
            message_id: Bytes::copy_from_slice(&order.message.0),
            sender: order.sender.clone().unwrap_or_default(),
            ground: order.ground.clone(),
            authority: order.authority.clone(),
            court,
            release,
        });
        match self.ask(request).await?.into_iter().next() {
            None => Ok(()),
            Some(Answer::Refusal(refusal)) => Err(super::query::refused(&refusal)),
            Some(_) => Err(malformed()),
        }
    }

    /// One page of what was erased, or of what is held, and where the next begins. Spec: ERA-13.
    ///
    /// # Errors
    /// [`QueryError`]
    pub async fn erasures(
        &self,
        holds: bool,
        after: Option<Bytes>,
    ) -> Result<(Vec<ErasureRow>, Option<Bytes>), QueryError> {
        let request = Request::ListErasures(v1::ListErasures {
            after: after.unwrap_or_default(),
            holds,
        });
        let Answer::Erasures(page) = self.ask_one(request).await? else {
            return Err(malformed());
        };
        if page.rows.len() > limits::ERASURE_ROWS_MAX {
            return Err(malformed());
        }
        let rows = page.rows.into_iter().map(ErasureRow::from);
        Ok((rows.collect(), (!page.next.is_empty()).then_some(page.next)))
    }
}

fn request(order: &EraseOrder, plan: bool) -> Request {
    Request::EraseMessage(v1::EraseMessage {
        message_id: Bytes::copy_from_slice(&order.message.0),
        sender: order.sender.clone().unwrap_or_default(),
        ground: order.ground.clone(),
        authority: order.authority.clone(),
        plan,
    })
}

fn malformed() -> QueryError {
    TransportError::from(FrameError::Malformed).into()
}
