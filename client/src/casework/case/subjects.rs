//! What was found of items, and what becomes of places. Spec: CSE-18, CSE-19.

use std::collections::BTreeMap;

use super::{What, requests::Move, view::Track, words};
use crate::casework::v1::{Assessment, case_message::What as Content};

/// A verdict with the country that it is about: `baseline`, `nationally_illegal FR`.
pub(super) fn verdict(one: &Assessment) -> String {
    let word = words::verdict(one.verdict);
    match one.jurisdiction.is_empty() {
        true => word,
        false => format!("{word} {}", one.jurisdiction),
    }
}

/// The state of an item: what each assessor says now, all of it. Gives what contradicts what.
///
/// What is illegal in one country and not in another is no contradiction.
pub(super) fn assessed(track: &mut Track<'_>) -> Option<String> {
    let mut newest: BTreeMap<(&str, bool, &str), &str> = BTreeMap::new();
    for step in &track.steps {
        if let What::Case(message) = &step.said.what
            && let Some(Content::Assessment(one)) = &message.what
        {
            let who = (
                step.said.key.from.as_str(),
                one.second,
                one.jurisdiction.as_str(),
            );
            newest.insert(who, &step.word);
        }
    }
    let mut verdicts: Vec<&str> = newest.into_values().collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    let state = verdicts.join(", ");
    let against = contradiction(&verdicts);
    if let Some(last) = track.steps.last().filter(|_| state != track.thread.state) {
        (track.thread.state, track.thread.since_ms) = (state, last.at_ms);
    }
    against
}

fn contradiction(verdicts: &[&str]) -> Option<String> {
    let illegal = verdicts
        .iter()
        .filter(|one| one.starts_with("baseline") || one.starts_with("nationally_illegal"));
    let mut pairs = illegal.flat_map(|one| {
        let country = one.split(' ').nth(1);
        verdicts.iter().filter_map(move |other| {
            let mut parts = other.split(' ');
            let legal = parts.next() == Some("not_illegal");
            let same = match (country, parts.next()) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            };
            (legal && same).then(|| format!("{one} against {other}"))
        })
    });
    pairs.next()
}

/// What a step does to a place.
pub(super) fn taken_down(state: &str, word: &str) -> Move {
    let to = match word {
        "notice_sent" => "notice_sent",
        "removed" => "removed",
        "moved" => "moved",
        "stay_up" => "stay_up",
        "refused" => "refused",
        "unreachable" => "unreachable",
        "still_up" => "still_up",
        "gone" => "gone",
        _ => return Move::Stays,
    };
    match state == to {
        true => Move::Stays,
        false => Move::To(to),
    }
}
