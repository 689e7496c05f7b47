//! Counting what a report says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Entry, Reason, Score, Scores, State, Table, table};
use crate::casework::paths;

/// The profile of reports whose type of incident has none of its own.
const ANY: &str = "any";
/// How a recipient's profile is called.
const RECIPIENT: &str = "recipient";

/// Both scores of a report, by the view of it. Spec: RTE-3, RTE-4.
#[must_use]
pub fn score(view: &Value) -> Scores {
    let table = table();
    let declared = declared(view);
    let kind = view.pointer("/incident/type").and_then(Value::as_str);
    let profile = kind.and_then(|kind| table.types.get(kind));
    let profile = profile.map_or(ANY, String::as_str);
    let entries = table.completeness.get(profile);
    let entries = entries.map_or(&[][..], Vec::as_slice);
    Scores {
        table: format!("{} {}", table.id, table.version),
        completeness: count(view, profile, entries, Some((table, &declared))),
        actionability: count(view, "actionability", &table.actionability, None),
    }
}

/// How much of what a recipient needs is said; `missing` is what [`crate::report::missing_fields`] or
/// [`crate::casework::model::missing_fields`] names of it. Spec: RTE-5.
#[must_use]
pub fn for_recipient(view: &Value, needed: &[String], missing: &[String]) -> Score {
    let declared = declared(view);
    let reason = |field: &String| {
        let said = !missing.contains(field);
        Reason {
            code: "needed".to_owned(),
            field: field.clone(),
            weight: 1,
            state: if said { State::Said } else { State::Missing },
            declared: declared.get(field).filter(|_| !said).cloned(),
            text: "what the recipient needs".to_owned(),
        }
    };
    let met = needed.len() - needed.iter().filter(|one| missing.contains(one)).count();
    Score {
        score: u32::try_from((met * 100).checked_div(needed.len()).unwrap_or(100)).unwrap_or(0),
        profile: RECIPIENT.to_owned(),
        reasons: needed.iter().map(reason).collect(),
    }
}

/// Counts entries; those that the report declares not to have are left out of the whole, if declaring
/// counts.
fn count(
    view: &Value,
    profile: &str,
    entries: &[Entry],
    declaring: Option<(&Table, &BTreeMap<String, String>)>,
) -> Score {
    let mut reasons = Vec::with_capacity(entries.len());
    let (mut said, mut whole) = (0, 0);
    for entry in entries {
        let at = entry.paths.iter().find(|path| is_there(view, path, entry));
        let state = declaring.and_then(|(table, states)| {
            let mut states = entry.paths.iter().filter_map(|path| states.get(path));
            states.find(|state| table.declared.contains(state)).cloned()
        });
        let declared = state.filter(|_| at.is_none());
        if declared.is_none() {
            whole += entry.weight;
        }
        if at.is_some() {
            said += entry.weight;
        }
        let field = at.or_else(|| entry.paths.first());
        reasons.push(Reason {
            code: entry.code.clone(),
            field: field.cloned().unwrap_or_default(),
            weight: entry.weight,
            state: match at {
                Some(_) => State::Said,
                None => State::Missing,
            },
            declared,
            text: entry.text.clone(),
        });
    }
    Score {
        score: (said * 100).checked_div(whole).unwrap_or(0),
        profile: profile.to_owned(),
        reasons,
    }
}

/// Whether an entry of the table is said at this path.
fn is_there(view: &Value, path: &str, entry: &Entry) -> bool {
    if entry.with.is_empty() {
        return paths::is_said(view, path);
    }
    let mut there = false;
    paths::each_entry(view, path, &mut |one| {
        there |= entry.with.iter().all(|name| paths::is_said(one, name));
    });
    there
}

/// What a report states of its fields, by their paths without numbers. Of several statements the first.
fn declared(view: &Value) -> BTreeMap<String, String> {
    let mut states = BTreeMap::new();
    paths::each_entry(view, "field_states", &mut |one| {
        let (Some(path), Some(state)) = (one["path"].as_str(), one["state"].as_str()) else {
            return;
        };
        states
            .entry(without_numbers(path))
            .or_insert_with(|| state.to_owned());
    });
    states
}

fn without_numbers(path: &str) -> String {
    let names = path
        .split('.')
        .map(|step| step.split('[').next().unwrap_or(step));
    names.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RTE-3, RTE-4: a full form is no rescue, and what is declared leaves the whole.
    #[test]
    fn a_complete_report_need_not_be_one_to_act_on() {
        let view = json!({
            "incident": {"type": "misleading_domain", "at": "2026-07-01T12:00:00Z"},
            "description": "a shop with a strange name",
            "hosting": [{"url": "https://shop.example/", "country": "NL"}],
            "provenance": {"source": "public"},
        });
        let scores = score(&view);
        assert_eq!(scores.completeness.score, 100);
        assert_eq!(scores.actionability.score, 5);
        let mut bare = json!({"incident": {"type": "grooming"}});
        assert_eq!(score(&bare).completeness.score, 10);
        bare["field_states"] = json!([
            {"path": "victims[0].person.age", "state": "not_collected"},
            {"path": "reported[3].ip_events", "state": "not_held"},
            {"path": "channels", "state": "held"},
        ]);
        let scores = score(&bare);
        assert_eq!(scores.completeness.score, 10 * 100 / (100 - 5 - 10));
        assert_eq!(scores.actionability.score, 0);
        let declared = |code: &str| {
            let mut reasons = scores.completeness.reasons.iter();
            reasons
                .find(|one| one.code == code)
                .unwrap()
                .declared
                .clone()
        };
        assert_eq!(declared("age").as_deref(), Some("not_collected"));
        assert_eq!(declared("channel"), None);
    }

    // RTE-4: what belongs together must stand in one entry.
    #[test]
    fn an_address_counts_with_its_own_time() {
        let said = |events: Value| {
            let scores = score(&json!({"reported": [{"ip_events": events}]}));
            let mut reasons = scores.actionability.reasons.into_iter();
            reasons.find(|one| one.code == "ip-and-time").unwrap().state
        };
        let together = json!([{"ip_address": "192.0.2.1", "at": "2026-07-01T12:00:00Z"}]);
        let apart = json!([{"ip_address": "192.0.2.1"}, {"at": "2026-07-01T12:00:00Z"}]);
        assert_eq!(said(together), State::Said);
        assert_eq!(said(apart), State::Missing);
    }
}
