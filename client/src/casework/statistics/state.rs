//! What a folded case says of a report of it. Spec: STA-7.

use std::collections::BTreeSet;

use super::CaseState;
use crate::casework::{
    case::{Case, Entry, Matter, Standing, Thread, View},
    clock::Duty,
};

/// The state, or the reason, of a report that says again what another said.
const DUPLICATE: &str = "duplicate";
/// What is said in a case once something was done.
const ACTS: [&str; 3] = ["assessment", "takedown", "outcome"];

impl CaseState {
    /// What a case comes to for whoever counts: by what these members have said of it. Who counts what it
    /// received names itself, who counts what it filed the recipients.
    #[must_use]
    pub fn of(case: &Case, view: &View, by: &[&str]) -> Self {
        let is_theirs = |member: &str| by.contains(&member);
        let of_matter = |matter: Matter| {
            let threads = view.threads.iter();
            threads.filter(move |thread| thread.matter == matter)
        };
        let told = of_matter(Matter::Outcome)
            .filter(|thread| is_theirs(&thread.member) && !thread.state.is_empty());
        let outcome = told.max_by_key(|thread| (thread.since_ms, &thread.member));
        let is_shelved = |thread: &&Thread| thread.state == super::SHELVED;
        // Its author knows best what it has said before.
        let authors = view.timeline.iter().filter(|entry| entry.what == "report");
        let authors: BTreeSet<&str> = authors.map(|entry| entry.key.from.as_str()).collect();
        let mut routes = of_matter(Matter::Route)
            .filter(|thread| is_theirs(&thread.member) || authors.contains(thread.member.as_str()));
        let acts = view.timeline.iter().filter(|entry| {
            entry.not.is_none() && ACTS.contains(&entry.what) && is_theirs(&entry.key.from)
        });
        Self {
            outcome: outcome.map(|thread| thread.state.clone()),
            shelved: outcome
                .filter(is_shelved)
                .map(|thread| thread.reason.clone()),
            overdue: overdue(view),
            duplicate: routes.any(is_duplicate),
            acted_ms: acts.filter_map(|entry| told_ms(case, entry)).min(),
        }
    }
}

fn is_duplicate(thread: &Thread) -> bool {
    let away = matches!(thread.state.as_str(), "declined" | "rejected");
    thread.state == DUPLICATE || (away && thread.reason == DUPLICATE)
}

/// Requests that were not answered in time, by whomever.
fn overdue(view: &View) -> u32 {
    let late = view.deadlines.iter().filter(|one| {
        let asked = matches!(one.what, Duty::Answer | Duty::Extend);
        asked && matches!(one.state, Standing::Overdue | Standing::AnsweredLate)
    });
    let requests = late.filter_map(|one| view.threads[one.thread?].request.as_ref());
    let requests: BTreeSet<_> = requests.collect();
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}

/// When others had it first, by what is logged, or as long as nothing shows that, when it was sent: a
/// time that its writer names dates no figure.
fn told_ms(case: &Case, entry: &Entry) -> Option<u64> {
    let said = case.get(&entry.key)?;
    Some(
        said.received
            .values()
            .copied()
            .min()
            .unwrap_or(said.created_ms),
    )
}
