//! Figures about cases, counted so that they are honest and give nobody away.
//!
//! A [`Fact`] is what counts of one report. [`make()`] counts the facts of a [`Period`] by a
//! [`Definition`] into one table, keeps small cells from sight together with every cell by which
//! they could be computed, rounds and adds noise that is the same for the same reports, and names
//! the range of the log on which every figure rests. [`verify()`] judges a table; [`change()`] says
//! what changed between two figures; [`view`] shows a table. [`sum`] adds up figures of several
//! members of which none shows its own. Everything here is computed from its arguments alone.
//! This file holds the nouns. Spec: chapter STA.

use frex_proto::{error::WireCode, limits};

mod change;
mod definition;
mod fold;
mod grid;
mod make;
mod measure;
mod noise;
mod parse;
mod period;
mod protect;
mod state;
pub mod sum;
#[cfg(test)]
mod tests;
mod verify;
pub mod view;

pub use change::{change, percent};
pub use definition::{Definition, definition, definitions};
pub use grid::value_of;
pub use make::{Order, make};
pub use measure::{Measures, measure};
pub use noise::{NoiseKey, Steps};
pub use parse::{Signed, message, parse, sign};
pub use period::{Month, Period, month_of};
pub use sum::{Round, SumError};
pub use verify::{Check, Problem, figures, verify};

pub use super::v1 as wire;

/// The type of the content that holds figures.
pub const CONTENT_TYPE: &str = "application/vnd.frex.statistics.v1+protobuf";
/// Fewest reports of a cell that is shown, unless another number is chosen.
pub const THRESHOLD: u32 = 10;
/// The smallest number that may be chosen. Spec: STA-10.
pub const THRESHOLD_MIN: u32 = 5;
/// No change is told from fewer. Spec: STA-25.
pub const CHANGE_BASE_MIN: u64 = 50;
/// What is too rare to be told apart.
pub const OTHER: &str = "other";
/// Of reports that say nothing of an axis.
pub const NONE: &str = "none";
/// Of reports that say more than one thing of an axis.
pub const SEVERAL: &str = "several";
/// The outcome of a case that was put aside.
pub const SHELVED: &str = "shelved";
/// Of reports with a request that was overdue, and of the others.
pub const OVERDUE: [&str; 2] = ["no", "yes"];

/// By what reports are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// The month in which the counting member's log has it.
    Month,
    /// What it is, in the words of a scheme.
    Category,
    /// The country of origin.
    Country,
    /// What kind of organisation the other side is.
    Role,
    /// What became of it.
    Outcome,
    /// Whether a request about it was overdue.
    Overdue,
    /// How fast it travelled.
    Lane,
}

impl Axis {
    /// Every axis, in their order.
    pub const ALL: [Self; 7] = [
        Self::Month,
        Self::Category,
        Self::Country,
        Self::Role,
        Self::Outcome,
        Self::Overdue,
        Self::Lane,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Category => "category",
            Self::Country => "country",
            Self::Role => "role",
            Self::Outcome => "outcome",
            Self::Overdue => "overdue",
            Self::Lane => "lane",
        }
    }

    /// The axis of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|axis| axis.name() == name)
    }
}

/// What counts of one report. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fact {
    /// The message id: the same on both sides, and random.
    pub record: [u8; 16],
    /// The entry of the counting member's log that proves it.
    pub entry: u64,
    /// The time of that entry: it decides about the month.
    pub logged_ms: u64,
    /// What it is.
    pub categories: Vec<Code>,
    /// Countries of origin.
    pub countries: Vec<String>,
    /// What kind of organisation the other side is: `police`, `platform`.
    pub roles: Vec<String>,
    /// The lane in which it travelled.
    pub lane: String,
    /// What it has in common with the other reports of a batch; none: it stands alone.
    pub incident: Option<String>,
    /// It says again what another said.
    pub duplicate: bool,
    /// Accounts that are named.
    pub accounts: u64,
    /// Files and places that are named.
    pub items: u64,
    /// When what happened.
    pub times: Times,
    /// What became of it, so far as this member knows; a code.
    pub outcome: Option<String>,
    /// Why it was put aside; a code.
    pub shelved: Option<String>,
    /// Requests about it that were overdue.
    pub overdue: u32,
}

/// A classification: whose words, which edition, the word.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    /// Whose words.
    pub scheme: String,
    /// Which edition.
    pub version: String,
    /// The word.
    pub code: String,
}

/// When what happened to a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// It was written, as its sender signed.
    pub filed_ms: u64,
    /// The first recipient's node had it.
    pub accepted_ms: Option<u64>,
    /// The first recipient opened it.
    pub opened_ms: Option<u64>,
    /// The first recipient acted.
    pub acted_ms: Option<u64>,
}

/// What else is known of a case, by whoever folds its messages: it goes before what a receipt says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseState {
    /// What became of it.
    pub outcome: Option<String>,
    /// Why it was put aside.
    pub shelved: Option<String>,
    /// Requests that were overdue.
    pub overdue: u32,
    /// It says again what another said.
    pub duplicate: bool,
    /// Something was said to be done: found, taken down, come to an outcome.
    pub acted_ms: Option<u64>,
}

impl Fact {
    /// Takes over what the case says.
    #[must_use]
    pub fn with(mut self, case: &CaseState) -> Self {
        if case.outcome.is_some() {
            self.outcome.clone_from(&case.outcome);
        }
        if case.outcome.is_some() || case.shelved.is_some() {
            // One that has another outcome since is not put aside any more.
            self.shelved.clone_from(&case.shelved);
        }
        self.overdue = self.overdue.max(case.overdue);
        self.duplicate |= case.duplicate;
        self.times.acted_ms = match (self.times.acted_ms, case.acted_ms) {
            (Some(stated), Some(said)) => Some(stated.min(said)),
            (stated, said) => stated.or(said),
        };
        self
    }
}

/// Why figures are not made, or not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// Over a limit.
    #[error("it is over a limit")]
    TooLarge,
    /// It does not decode, or is not of its form.
    #[error("it is malformed")]
    Malformed,
    /// Its signature does not hold, or is by somebody else.
    #[error("it is not signed by the member that it names")]
    Signature,
    /// It belongs elsewhere.
    #[error("it belongs to another federation")]
    WrongFederation,
    /// No such definition, or changed.
    #[error("no such definition is known")]
    UnknownDefinition,
    /// No such time zone.
    #[error("no such time zone is known")]
    UnknownZone,
    /// No month, or months that do not follow each other.
    #[error("a period is written 2026-01, or 2026-01..2026-03, of at most 24 months")]
    Period,
    /// A month of it is not over.
    #[error("a month of the period is not over yet")]
    NotOver,
    /// Smaller than it may be chosen.
    #[error("the threshold is below 5")]
    Threshold,
    /// The table of before is of something else.
    #[error("what is revised is about another period, definition, zone or member, or is newer")]
    NotARevision,
}

impl From<StatisticsError> for WireCode {
    fn from(error: StatisticsError) -> Self {
        match error {
            StatisticsError::NotOver | StatisticsError::Threshold => Self::Discloses,
            StatisticsError::Period
            | StatisticsError::UnknownZone
            | StatisticsError::UnknownDefinition
            | StatisticsError::NotARevision => Self::BadInput,
            _ => Self::BadStatistics,
        }
    }
}

const _: () = assert!(limits::SUM_MEMBERS_MIN > 2);
