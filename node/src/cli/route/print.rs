//! A plan, for people.

use frex_client::casework::routing::{Candidate, Copy, Ground, Lane, Plan, Recipient, Why};

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
    for one in &plan.candidates {
        output::data(candidate(one));
    }
    for country in &plan.uncovered {
        output::data(format_args!(
            "{country}: no member of its own is competent and takes it"
        ));
    }
    for one in &plan.passed_over {
        let rule = one
            .rule
            .map(|rule| format!(" by rule {rule} of the policy"));
        output::data(format_args!(
            "{} is passed over: {}{} ({})",
            output::clean(&one.member),
            one.why,
            rule.unwrap_or_default(),
            reasons(&one.reasons)
        ));
    }
    for note in &plan.notes {
        output::data(format_args!("{}: {}", note.path, note.why));
    }
    for needed in &plan.approvals {
        output::data(format_args!(
            "{} must agree before it goes to {}: --approved {}",
            output::clean(&needed.by),
            needed.country,
            output::clean(&needed.by)
        ));
    }
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
        basis(&one.ground),
    ]
}

fn reasons(reasons: &[Why]) -> String {
    let text = |why: &Why| match &why.country {
        Some(country) => format!("{} {country}", why.reason),
        None => why.reason.clone(),
    };
    reasons.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn basis(ground: &Ground) -> String {
    let Some(law) = &ground.law else {
        return "not known".to_owned();
    };
    let article = ground.article.as_deref().unwrap_or_default();
    output::clean(format!("{law} {article}").trim())
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
