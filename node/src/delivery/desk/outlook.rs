//! How it stands with one delivery, for those who ask.

use std::time::Duration;

use frex_proto::{error::WireCode, v1::OutboxState};
use tokio::time::Instant;

use super::{Desk, Link};
use crate::ledger::records::lane_slot;

/// What may be said of a delivery that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// What it waits for.
    pub state: OutboxState,
    /// Attempts at it; or at its lane, or at its node, since those were last any use.
    pub attempts: u32,
    /// What came of the last one.
    pub code: Option<WireCode>,
    /// How long until the next.
    pub wait: Duration,
}

impl Outlook {
    /// Nothing stands in the way.
    pub const CLEAR: Self = Self {
        state: OutboxState::Waiting,
        attempts: 0,
        code: None,
        wait: Duration::ZERO,
    };
}

impl Desk {
    /// How it stands with the delivery under `key`. Spec: DEL-37.
    #[must_use]
    pub fn outlook(&self, key: &[u8]) -> Outlook {
        let (state, slot) = (self.lock(), lane_slot(key));
        let outlook = |state, attempts, code, until: Instant| Outlook {
            state,
            attempts,
            code: Some(code),
            wait: until.saturating_duration_since(Instant::now()),
        };
        let now = Instant::now();
        if let Link::Barred(code) = state.link {
            let why = match code {
                WireCode::PeerSuspended => OutboxState::Withheld,
                _ => OutboxState::Unreachable,
            };
            return outlook(why, 0, code, now);
        }
        let own = state.resting.get(key);
        if let Some(item) = own.filter(|item| item.withheld) {
            return outlook(OutboxState::Withheld, 0, item.code, now);
        }
        let link = match state.link {
            Link::Down {
                code,
                attempts,
                until,
            } => Some(outlook(
                OutboxState::Unreachable,
                attempts,
                code,
                until[slot],
            )),
            _ => None,
        };
        let item = own.map(|item| {
            let attempts = item.backoff.failures();
            outlook(OutboxState::Resting, attempts, item.code, item.until)
        });
        let lane = state.breakers[slot].rest().map(|rest| {
            outlook(
                OutboxState::Unreachable,
                rest.attempts,
                rest.code,
                rest.until,
            )
        });
        link.or(item).or(lane).unwrap_or(Outlook::CLEAR)
    }

    /// Attempts at the delivery under `key`, as far as is known.
    #[must_use]
    pub fn attempts(&self, key: &[u8]) -> u32 {
        let state = self.lock();
        let own = state.resting.get(key).map(|item| item.backoff.failures());
        let lane = state.breakers[lane_slot(key)].rest();
        let link = match state.link {
            Link::Down { attempts, .. } => attempts,
            _ => 0,
        };
        own.or(lane.map(|rest| rest.attempts)).unwrap_or(link)
    }
}
