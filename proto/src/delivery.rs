//! How an envelope gets there: when to try again, how long it lives, how far it has come.
//! Spec: chapter DEL.

mod backoff;
mod life;
mod quota;
mod stage;

pub use backoff::{Backoff, cap_ms};
pub use life::default_life_ms;
pub use quota::{Allowance, LaneClass, Quotas, Spent};

/// How far an envelope has come for one recipient. Spec: DEL-5.
///
/// The order is the lattice: of two stages the greater is the truth, whichever was heard first.
/// A sender's node that gave up only says what it does not know, so any word of the recipient's
/// side stands above it; a recall is an order about what came before, so it stands above all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// In the log of the sender's node.
    Submitted,
    /// It could not be brought to the recipient's node, and will not be.
    Undeliverable,
    /// Its time ran out before the recipient's node took it.
    Expired,
    /// The recipient's node refused it.
    Rejected,
    /// In the log of the recipient's node.
    Accepted,
    /// The member's client has it.
    Delivered,
    /// The member opened it.
    Opened,
    /// The member acted on it.
    Acted,
    /// The sender withdrew it.
    Recalled,
}

/// How far an envelope has come for each of its recipients. Spec: DEL-6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    stages: std::collections::BTreeMap<String, Stage>,
}
