//! Clocks: how long a law or the exchange gives for something, as data, and when that is over.
//!
//! The table is `client/schema/clocks.v1.json`, each row with its source. [`Rule::due`] counts by it,
//! in the time zone of whoever must act. This file holds the nouns. Spec: CSE-20 to CSE-26.

mod count;
mod lexical;
mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use lexical::{holidays, instant, rfc3339};
pub use zone::{Zone, zone_of};

/// One way in which something is asked for, with its clocks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// How requests name it.
    pub id: String,
    /// What it is for.
    pub of: Purpose,
    /// The law that it comes from.
    pub law: String,
    /// Its clocks.
    pub clocks: Vec<Rule>,
}

/// What a profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Requests to keep.
    Preserve,
    /// Requests for data.
    Produce,
    /// What follows a report by itself.
    Report,
    /// What follows a notice.
    Takedown,
}

/// One clock.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What must be done before it is over.
    pub what: Duty,
    /// How many of the unit.
    pub count: i32,
    /// Hours that pass, days of a calendar, days on which people work, or years.
    pub unit: Unit,
    /// An end on a Saturday, Sunday or public holiday moves to the next working day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolls: bool,
    /// How often it may run, of an extension; 0: as often as is asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub times: u32,
    /// Where that is written.
    pub source: String,
}

/// What must be done before a clock is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duty {
    /// A person looks at the report.
    Acknowledge,
    /// The case is taken over, declined or passed on.
    Route,
    /// It is assessed.
    Assess,
    /// A request is answered.
    Answer,
    /// The enforcing authority objects, or not.
    Objection,
    /// The enforcing authority recognises an order or refuses it.
    Enforcement,
    /// An order that was issued in an emergency is validated.
    Validation,
    /// What is kept need not be kept any more.
    Keep,
    /// The longer time for which it is kept.
    Extend,
    /// The outcome is told.
    Feedback,
    /// What a notice is about is gone.
    Takedown,
}

/// In what a clock counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Hours that pass, whatever clocks on walls do.
    Hours,
    /// Days of the calendar.
    Days,
    /// Days that are neither Saturday, Sunday nor public holiday.
    WorkingDays,
    /// Years of the calendar.
    Years,
}

/// Public holidays by country (ISO 3166-1 alpha-2): data that a member brings along.
pub type Holidays = BTreeMap<String, BTreeSet<Date>>;

#[derive(Deserialize)]
struct Table {
    profiles: Vec<Profile>,
}

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let table = include_str!("../../schema/clocks.v1.json");
    // A test reads the same table: what is built in reads back.
    serde_json::from_str::<Table>(table).map_or_else(|_| Vec::new(), |table| table.profiles)
});

/// Every profile there is.
#[must_use]
pub fn profiles() -> &'static [Profile] {
    &PROFILES
}

/// The profile of this name.
#[must_use]
pub fn profile(id: &str) -> Option<&'static Profile> {
    profiles().iter().find(|profile| profile.id == id)
}

impl Profile {
    /// Its first clock for this.
    #[must_use]
    pub fn rule(&self, what: Duty) -> Option<&Rule> {
        self.clocks.iter().find(|rule| rule.what == what)
    }
}

impl Duty {
    /// In lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Route => "route",
            Self::Assess => "assess",
            Self::Answer => "answer",
            Self::Objection => "objection",
            Self::Enforcement => "enforcement",
            Self::Validation => "validation",
            Self::Keep => "keep",
            Self::Extend => "extend",
            Self::Feedback => "feedback",
            Self::Takedown => "takedown",
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it so.
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests;
