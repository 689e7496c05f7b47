//! How much a report says before it is sent, and whether something like it was sent before.
//!
//! *Completeness* is how much is said of what such a report should say; *actionability* is how much of it
//! somebody can act on. Neither is a priority: a full form about nothing scores high on the first. Weights
//! are data, `client/schema/quality.v1.json`. Scores travel nowhere by themselves; whoever receives a report
//! counts them again. Spec: RTE-1 to RTE-9.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod profile;
mod score;
mod seen;
mod tokens;

pub use profile::{Lacking, lacking};
pub use score::{for_recipient, score};
pub use seen::{Alike, FOLDER as SEEN_FOLDER, Likeness, SeenError, SeenStore};
pub(in crate::casework) use tokens::number;
pub use tokens::tokens;

/// Tokens of one message that are remembered. Spec: LIM-120.
pub const TOKENS_MAX: usize = 256;
/// Messages of which tokens are remembered. Spec: LIM-121.
pub const MESSAGES_MAX: usize = 10_000;
/// From this share of tokens in common on, in percent, two reports are alike. Spec: RTE-8.
pub const ALIKE_PERCENT: usize = 75;
/// Tokens that two alike reports have in common at least, unless all are the same: a person who is reported
/// again for something else has a few. Spec: RTE-8.
pub const ALIKE_TOKENS: usize = 3;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(TABLE_TEXT).expect("a test reads the table that is built in")
});

const TABLE_TEXT: &str = include_str!("../../schema/quality.v1.json");

/// The table of weights that is built in.
#[must_use]
pub fn table() -> &'static Table {
    &TABLE
}

/// Weights, as data. Spec: RTE-2.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What it is called.
    pub id: String,
    /// Counts from 1.
    pub version: u32,
    /// States of a field that take it out of what is counted.
    pub declared: Vec<String>,
    /// The profile of each type of incident; of others it is `any`.
    pub types: BTreeMap<String, String>,
    /// What a report should say, by profile. Weights add up to 100.
    pub completeness: BTreeMap<String, Vec<Entry>>,
    /// What somebody can act on. Weights add up to 100.
    pub actionability: Vec<Entry>,
}

/// Something that a report may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub code: String,
    /// What it counts.
    pub weight: u32,
    /// Where it is said: at any of these paths.
    pub paths: Vec<String>,
    /// Names that one entry at a path must all say; none: the path itself.
    #[serde(default)]
    pub with: Vec<String>,
    /// What it is, for people.
    pub text: String,
}

/// A score, with what made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// From 0 to 100.
    pub score: u32,
    /// By which profile.
    pub profile: String,
    /// Everything that was counted, in the order of the table.
    pub reasons: Vec<Reason>,
}

/// One thing that was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Its name.
    pub code: String,
    /// The path at which it is said, or the first at which it could be.
    pub field: String,
    /// What it counts.
    pub weight: u32,
    /// Whether it is said.
    pub state: State,
    /// What the report states of a field that is missing: `not_held`, `withheld` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// What it is, for people.
    pub text: String,
}

/// Whether something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Said,
    /// It is not.
    Missing,
}

/// Both scores of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scores {
    /// By which table: its name and version.
    pub table: String,
    /// How much is said.
    pub completeness: Score,
    /// How much of it somebody can act on.
    pub actionability: Score,
}

impl Score {
    /// What is missing and not declared, in the order of the table.
    pub fn missing(&self) -> impl Iterator<Item = &Reason> {
        let open = |reason: &&Reason| reason.state == State::Missing && reason.declared.is_none();
        self.reasons.iter().filter(open)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.state, &self.declared) {
            (State::Said, _) => "said",
            (State::Missing, None) => "missing",
            (State::Missing, Some(state)) => state,
        };
        write!(
            f,
            "{:>3}  {state:<13} {:<14} {}",
            self.weight, self.code, self.text
        )?;
        match self.state {
            State::Said => write!(f, " ({})", self.field),
            State::Missing => write!(f, ": add {}", super::paths::place(&self.field)),
        }
    }
}

/// The view of a report of either version: what all that is counted here is counted of. Nothing, if it is
/// no report.
#[must_use]
pub fn view(content_type: &str, data: &[u8]) -> Option<Value> {
    match content_type {
        crate::report::CONTENT_TYPE => {
            let first = crate::report::Report::parse(data).ok()?;
            Some(super::model::from_first(&first).to_json())
        }
        super::model::CONTENT_TYPE => {
            let report = super::model::Report::decode_unchecked(data).ok()?;
            Some(report.to_json())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casework::{paths, schema};

    // RTE-2: weights add up, codes stand once, and every path is one of the schema.
    #[test]
    fn the_table_adds_up_and_names_what_there_is() {
        let table = table();
        assert_eq!((table.id.as_str(), table.version), ("frex/quality", 1));
        let lists = table.completeness.values().chain([&table.actionability]);
        for list in lists {
            assert_eq!(list.iter().map(|entry| entry.weight).sum::<u32>(), 100);
            let mut codes: Vec<_> = list.iter().map(|entry| &entry.code).collect();
            codes.sort_unstable();
            codes.dedup();
            assert_eq!(codes.len(), list.len());
            for path in list.iter().flat_map(|entry| &entry.paths) {
                assert!(paths::is_of_schema(path), "{path}");
            }
        }
        for (kind, profile) in &table.types {
            let kinds = schema::message("Incident").get_field_by_name("type");
            let kinds = kinds.unwrap().kind();
            let kinds = kinds.as_enum().unwrap();
            assert!(schema::number(kinds, kind).is_some(), "{kind}");
            assert!(table.completeness.contains_key(profile), "{profile}");
        }
        assert!(table.completeness.contains_key("any"));
    }
}
