//! Open enums as words: lower case, without their prefix. A number that is not known here is shown as
//! `#` and that number, and is kept.

use crate::casework::v1::{
    NonExecution, assessment::Verdict, outcome, preserve_answer, produce_answer,
    produce_request::Category, route_answer, takedown_step, triage,
};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident, $parse:ident, $all:ident: $enum:ty, $prefix:literal, $last:literal;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(value: i32) -> String {
            match <$enum>::try_from(value) {
                Ok(known) => known.as_str_name()[$prefix.len()..].to_ascii_lowercase(),
                Err(_) => format!("#{value}"),
            }
        }

        /// The number of such a word, written with `_` or `-`.
        #[must_use]
        pub fn $parse(word: &str) -> Option<i32> {
            let name = word.to_ascii_uppercase().replace('-', "_");
            let known = <$enum>::from_str_name(&format!("{}{name}", $prefix))?;
            Some(known as i32).filter(|number| *number != 0)
        }

        /// Every such word, as a command takes it.
        pub fn $all() -> impl Iterator<Item = String> {
            (1..=$last).map(|number| $name(number).replace('_', "-"))
        }
    )*};
}

words! {
    /// State of a triage.
    triage, parse_triage, triages: triage::State, "STATE_", 3;
    /// Decision of a route.
    decision, parse_decision, decisions: route_answer::Decision, "DECISION_", 3;
    /// Reason of a route.
    route_reason, parse_route_reason, route_reasons: route_answer::Reason, "REASON_", 6;
    /// Verdict of an assessment.
    verdict, parse_verdict, verdicts: Verdict, "VERDICT_", 4;
    /// Step of a take-down.
    takedown, parse_takedown, takedowns: takedown_step::State, "STATE_", 8;
    /// State of an outcome.
    outcome, parse_outcome, outcomes: outcome::State, "STATE_", 14;
    /// Reason for which a case is shelved.
    shelved, parse_shelved, shelvings: outcome::Reason, "REASON_", 7;
    /// Why a case was taken up again.
    because, parse_because, becauses: outcome::Because, "BECAUSE_", 6;
    /// Answer to a request to keep.
    preserve, parse_preserve, preserves: preserve_answer::State, "STATE_", 7;
    /// Answer to a request for data.
    produce, parse_produce, produces: produce_answer::State, "STATE_", 17;
    /// How much of a request.
    scope, parse_scope, scopes: produce_answer::Scope, "SCOPE_", 3;
    /// Category of data.
    category, parse_category, categories: Category, "CATEGORY_", 4;
    /// Why something is not done.
    non_execution, parse_non_execution, non_executions: NonExecution, "NON_EXECUTION_", 15;
}

/// A reason as a word; none given is empty.
pub(super) fn or_empty(value: i32, word: fn(i32) -> String) -> String {
    match value {
        0 => String::new(),
        value => word(value),
    }
}
