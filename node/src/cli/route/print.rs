//! A plan, for people.

use std::collections::BTreeMap;

use frex_client::casework::routing::{
    Candidate, Copy, Lane, NO_RANGES, Note, Plan, Recipient, Why,
};

use crate::cli::output;

/// Prints who gets it, and everything that a person must know before agreeing.
pub fn plan(plan: &Plan) {
    let count = output::counted(plan.recipients.len(), "member");
    let fast = if plan.urgent { ", urgent" } else { "" };
    output::data(format_args!(
        "{count} will be able to read what {} sends{fast}",
        output::clean(&plan.sender)
    ));
    output::data("");
    let mut table = output::table(&["WHO", "ROLE", "COUNTRY", "GETS", "LANE", "WHY", "BASIS"]);
    for one in &plan.recipients {
        table.add_row(row(one));
    }
    output::print_table(&table);
    output::data("");
    for line in below(plan) {
        output::data(line);
    }
}

/// What is said of a plan below its recipients.
fn below(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = rules(plan).collect();
    lines.extend(plan.candidates.iter().map(candidate));
    let open = plan.uncovered.iter();
    lines.extend(open.map(|country| uncovered(plan, country)));
    lines.extend(plan.passed_over.iter().map(|one| {
        format!(
            "{} is passed over: {} ({})",
            output::clean(&one.member),
            output::clean(&one.said()),
            reasons(&one.reasons)
        )
    }));
    lines.extend(plan.notes.iter().map(|one| note(plan, one)));
    lines.extend(plan.approvals.iter().map(|needed| {
        let by = output::clean(&needed.by);
        let country = &needed.country;
        format!("{by} must agree before it goes to {country}: --approved {by}")
    }));
    lines
}

/// What the rules that decided of recipients give as their reasons.
fn rules(plan: &Plan) -> impl Iterator<Item = String> {
    let decided = plan
        .recipients
        .iter()
        .filter(|one| !one.rule_why.is_empty());
    let decided = decided.filter_map(|one| Some((one.rule?, one.rule_why.as_str())));
    let decided: BTreeMap<usize, &str> = decided.collect();
    let line = |(number, why)| format!("rule {number} of the policy: {}", output::clean(why));
    decided.into_iter().map(line)
}

/// Of a country that counts for hosting alone the police are not asked for, so that it is not said that there
/// are none.
fn uncovered(plan: &Plan, country: &str) -> String {
    let mut candidates = plan.candidates.iter();
    match candidates.any(|one| one.country == country && one.hosting_alone) {
        true => format!(
            "{country}: no hotline of its own is competent and takes it; that something is hosted there brings hotlines, no police"
        ),
        false => format!("{country}: no member of its own is competent and takes it"),
    }
}

/// A table that is named and has no network is none by the plan, and is there all the same.
fn note(plan: &Plan, note: &Note) -> String {
    let why = match note.why {
        NO_RANGES if !plan.by.ranges.is_empty() => {
            "the table of address ranges, which the policy names, has no network in it"
        }
        why => why,
    };
    format!("{}: {why}", note.path)
}

/// What a copy is called.
pub fn copy_name(copy: Copy) -> &'static str {
    match copy {
        Copy::Full => "all of it",
        Copy::Metadata => "metadata only",
    }
}

/// What a lane is called.
pub fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Urgent => "urgent",
        Lane::Normal => "normal",
    }
}

fn row(one: &Recipient) -> [String; 7] {
    let role = serde_json::to_value(one.role).unwrap_or_default();
    let rule = one.rule.map(|rule| format!(" (rule {rule})"));
    [
        output::clean(&one.member),
        role.as_str().unwrap_or_default().to_owned(),
        one.country.clone(),
        format!("{}{}", copy_name(one.copy), rule.unwrap_or_default()),
        lane_name(one.lane).to_owned(),
        reasons(&one.reasons),
        basis(one),
    ]
}

fn reasons(reasons: &[Why]) -> String {
    let text = |why: &Why| match &why.country {
        Some(country) => format!("{} {country}", why.reason),
        None => why.reason.clone(),
    };
    reasons.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The basis that is known, and whether a rule gives more than may go by it, or less.
fn basis(one: &Recipient) -> String {
    let Some(law) = &one.ground.law else {
        return "not known".to_owned();
    };
    let article = one.ground.article.as_deref().unwrap_or_default();
    let known = output::clean(format!("{law} {article}").trim());
    match (one.rule, one.lawful, one.copy) {
        (Some(rule), Some(Copy::Metadata), Copy::Full) => {
            format!("rule {rule}, beyond {known}")
        }
        (Some(rule), Some(Copy::Full), Copy::Metadata) => {
            format!("{known}, less by rule {rule}")
        }
        _ => known,
    }
}

fn candidate(one: &Candidate) -> String {
    let mut said: Vec<String> = Vec::new();
    for (word, confidence) in [("origin", one.origin), ("hosting", one.hosting)] {
        if confidence > 0 {
            said.push(format!("{word} {confidence}"));
        }
    }
    let evidence: Vec<String> = one
        .evidence
        .iter()
        .map(|one| format!("{} {} at {}", one.basis, one.points, one.path))
        .collect();
    let counts = if one.counts {
        ""
    } else {
        ", too little to count"
    };
    format!(
        "{}: {}{counts} ({})",
        one.country,
        said.join(", "),
        evidence.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use frex_client::casework::routing::{
        Policy, Ranges, Role, RosterView, Seat, route as plan_of,
    };
    use serde_json::{Value, json};

    use super::*;

    const SENDER: &str = "platform.us";

    fn planned(report: &Value, policy: &str, ranges: &str) -> Plan {
        let seat = |id: &str, role, country: &str| Seat {
            id: id.to_owned(),
            role,
            country: country.to_owned(),
            jurisdictions: BTreeSet::new(),
            live: true,
            lanes: BTreeSet::from([Lane::Urgent, Lane::Normal]),
        };
        let roster = RosterView {
            version: 1,
            members: vec![
                seat(SENDER, Role::Platform, "US"),
                seat("clearing.us", Role::ClearingHouse, "US"),
                seat("police.fr", Role::Police, "FR"),
                seat("police.es", Role::Police, "ES"),
            ],
        };
        let policy = Policy::parse(format!("version = 1\n{policy}").as_bytes()).unwrap();
        plan_of(
            report,
            &roster,
            SENDER,
            &policy,
            (&Ranges::default(), ranges),
        )
        .unwrap()
    }

    fn row_of(plan: &Plan, member: &str) -> [String; 7] {
        let mut all = plan.recipients.iter();
        row(all.find(|one| one.member == member).unwrap())
    }

    // RTE-18, RTE-22: what a rule gives beyond the law that is known, or less, is the rule's, and its reason is
    // said.
    #[test]
    fn what_a_rule_gives_is_not_said_of_the_law() {
        let report = json!({"jurisdictions": [{"country": "FR", "basis": "victim-location"}]});
        let of_rule = |role: &str, copy: &str| {
            let rule = format!(
                "[[rule]]\nroles = [\"{role}\"]\ndo = \"{copy}\"\nwhy = \"agreed in June\"\n"
            );
            planned(&report, &rule, "")
        };
        let plan = of_rule("police", "full");
        let [.., basis] = row_of(&plan, "police.fr");
        assert_eq!(basis, "rule 1, beyond 18 USC 2702 (c)(6)");
        let why = "rule 1 of the policy: agreed in June".to_owned();
        assert!(below(&plan).contains(&why), "{:?}", below(&plan));
        let [.., basis] = row_of(&plan, "clearing.us");
        assert_eq!(basis, "18 USC 2258A (a)");
        let less = of_rule("clearing-house", "metadata");
        let [.., basis] = row_of(&less, "clearing.us");
        assert_eq!(basis, "18 USC 2258A (a), less by rule 1");
        let none = below(&of_rule("police", "deny"));
        let over = "police.fr is passed over: denied by rule 1 of the policy, \"agreed in June\" (police-of-origin FR)";
        assert!(none.iter().any(|line| line == over), "{none:?}");
    }

    // RTE-19: that nobody has it is said of whom it was for.
    #[test]
    fn hosting_alone_wants_for_no_police() {
        let of = |report: Value| below(&planned(&report, "", "")).join("\n");
        let hosted = of(json!({"hosting": [{"country": "ES"}]}));
        assert!(hosted.contains("ES: no hotline of its own"), "{hosted}");
        let both = of(json!({
            "jurisdictions": [{"country": "GB", "basis": "victim-location"}],
            "hosting": [{"country": "GB"}],
        }));
        assert!(both.contains("GB: no member of its own"), "{both}");
    }

    // RTE-13: a table without a network is not said to be none.
    #[test]
    fn an_empty_table_of_ranges_is_there() {
        let report = json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.1"}]}]});
        let of = |ranges: &str| below(&planned(&report, "", ranges)).join("\n");
        assert!(of("").contains(NO_RANGES), "{}", of(""));
        let empty = of("00");
        assert!(empty.contains("has no network in it"), "{empty}");
        assert!(!empty.contains(NO_RANGES), "{empty}");
    }
}
