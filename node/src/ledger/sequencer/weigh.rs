//! What an entry weighs in a block, and whether it goes before others.

use bytes::Bytes;
use frex_proto::v1;

use crate::ledger::Entry;

impl Entry {
    /// Whether it is an envelope of the urgent lane.
    pub(super) fn is_urgent(&self) -> bool {
        match self {
            Self::Submit { admitted, .. } | Self::Deliver { admitted, .. } => {
                admitted.lane == v1::Lane::Urgent
            }
            _ => false,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Submit { admitted, .. }
            | Self::Deliver { admitted, .. }
            | Self::Reject { admitted, .. } => admitted.envelope.len(),
            Self::Stage(stage) => stage.statement.len(),
            Self::PeerReceipt(entry) => {
                entry.receipt.len() + entry.refusal.as_ref().map_or(0, Bytes::len)
            }
            Self::Refuse { .. }
            | Self::Relayed { .. }
            | Self::Undeliverable { .. }
            | Self::Order { .. }
            | Self::Trust(_)
            | Self::Begin(_)
            | Self::Attachment(_) => 64,
            Self::Seen(entry) => entry.checkpoint.len(),
            Self::Forked(fork) => fork.checkpoints.iter().map(Bytes::len).sum(),
            Self::Cosigned(checkpoint) => checkpoint.len(),
            Self::Erase(_) | Self::Hold(_) => 256,
        }
    }
}
