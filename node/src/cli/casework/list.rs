//! `frex case ls` and `frex request profiles`.

use std::collections::BTreeMap;

use frex_client::casework::{
    case::{Standing, View},
    clock::{Purpose, Unit, profiles as all_profiles},
};
use serde_json::{Value, json};

use super::{CaseListArgs, desk::Desk, reports, say::Room, unheld};
use crate::cli::{
    failure::Done,
    inbox::METADATA,
    output,
    route::unfinished::{self, Unfinished},
    time::rfc3339,
};

/// Which cases need somebody first: every state that a case can be in.
pub const ORDER: [&str; 9] = [
    "nobody",
    "overdue",
    "reopens",
    "open",
    "declined",
    "shelved",
    "closed",
    "withdrawn",
    "exonerated",
];

/// Lists cases.
pub fn list(args: &CaseListArgs, json: bool) -> Done {
    let room = Room::open(&args.dir)?;
    let desk = &room.desk;
    let views = desk.cases.iter().map(|(id, case)| {
        let view = case.view(desk.now_ms, &desk.setting);
        (*id, (case, view))
    });
    let is_wanted = |view: &View| args.state.as_ref().is_none_or(|state| state == view.state);
    let views: BTreeMap<_, _> = views.filter(|(_, (_, view))| is_wanted(view)).collect();
    let names = reports::names(&room.home, &room.rows, |id| views.contains_key(id));
    let mut rows: Vec<(usize, u64, Value)> = Vec::new();
    let mut unheld = Vec::new();
    let without = reports::without_contents(&room.rows);
    for (case, view) in views.values() {
        if view.state == "nobody" {
            unheld.push(unheld::of(&room, case, &args.dir));
        }
        let rank = ORDER.iter().position(|state| *state == view.state);
        let mut row = row(view, names.get(&view.id));
        row["copy"] = without.contains(&view.id).then_some(METADATA).into();
        let due = row["due_ms"].as_u64().unwrap_or(u64::MAX);
        rows.push((rank.unwrap_or(ORDER.len()), due, row));
    }
    rows.sort_by(|one, other| {
        let name = |row: &(usize, u64, Value)| (row.0, row.1, row.2["case"].to_string());
        name(one).cmp(&name(other))
    });
    let rows: Vec<Value> = rows.into_iter().map(|(_, _, row)| row).collect();
    let undone = unfinished::all(&room, &args.dir)?;
    if json {
        let undone: Vec<Value> = undone.iter().map(Unfinished::to_json).collect();
        output::document(json!({ "cases": rows, "nobody": unheld, "unfinished": undone }));
    } else {
        print(desk, &rows);
        unheld::print(&unheld, &args.dir);
        unfinished::print(&undone);
    }
    Ok(0)
}

/// What is said of a case that its report calls so.
fn row(view: &View, name: Option<&String>) -> Value {
    let mut waits = view.deadlines.iter().filter(|one| {
        matches!(one.state, Standing::Open | Standing::Overdue) && one.due_ms.is_some()
    });
    let next = waits.next();
    let overdue = view
        .deadlines
        .iter()
        .filter(|one| one.state == Standing::Overdue);
    let since = view.timeline.first().map(|entry| entry.at_ms);
    let names: Vec<&String> = name.into_iter().chain(&view.references).collect();
    json!({
        "case": view.id.to_string(), "state": view.state, "references": names,
        "parties": view.parties, "messages": view.timeline.len(),
        "since": since.map(rfc3339), "overdue": overdue.count(),
        "reopens": view.reopenings.iter().map(|one| json!({
            "member": one.member, "because": one.because,
        })).collect::<Vec<_>>(),
        "due": next.and_then(|one| one.due_ms).map(rfc3339), "due_ms": next.and_then(|one| one.due_ms),
        "due_what": next.map(|one| one.what.word()), "due_who": next.map(|one| one.who.clone()),
        "due_more": waits.count(), "ends_soon": view.deadlines.iter().any(|one| one.warning.is_some()),
    })
}

fn print(desk: &Desk, rows: &[Value]) {
    if rows.is_empty() {
        return output::message("no cases are kept here");
    }
    let header = [
        "CASE", "STATE", "SINCE", "NAMES", "MESSAGES", "NEXT", "BY", "WHO",
    ];
    let mut table = output::table(&header);
    for row in rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        let mut names: Vec<String> = row["references"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| Some(output::clean(name.as_str()?)))
            .collect();
        if row["copy"] == METADATA {
            names.push("(without contents)".to_owned());
        }
        let state = match row["reopens"].as_array().and_then(|list| list.first()) {
            Some(one) => dashed(&format!(
                "reopens: {}",
                one["because"].as_str().unwrap_or_default()
            )),
            None => text("state"),
        };
        table.add_row([
            row["case"].as_str().unwrap_or_default()[..12].to_owned(),
            state,
            second(row["since"].as_str()),
            names.join(", "),
            row["messages"].to_string(),
            match row["due_more"].as_u64() {
                Some(more @ 1..) => format!("{} (+{more})", text("due_what")),
                _ => text("due_what"),
            },
            second(row["due"].as_str()),
            desk.called(row["due_who"].as_str().unwrap_or_default()),
        ]);
    }
    output::print_table(&table);
}

/// A word of the schema as commands take it.
pub fn dashed(word: &str) -> String {
    word.replace('_', "-")
}

/// A time in UTC to the second.
pub fn second(time: Option<&str>) -> String {
    let time = time.unwrap_or_default();
    match time.get(..19) {
        Some(start) => format!("{}Z", start.replace('T', " ")),
        None => time.to_owned(),
    }
}

/// By which command a profile is named.
fn asked_by(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Preserve => "request preserve",
        Purpose::Produce => "request produce",
        Purpose::Report => "reports, by itself",
        Purpose::Takedown => "take-downs, by itself",
    }
}

/// The table of clocks.
pub fn profiles(json: bool) -> u8 {
    if json {
        output::document(json!({ "profiles": all_profiles() }));
        return 0;
    }
    let mut table = output::table(&["PROFILE", "FOR", "CLOCK", "TIME", "LAW", "SOURCE"]);
    for profile in all_profiles() {
        if profile.clocks.is_empty() {
            let by = "as --reply-by says".to_owned();
            let none = String::new();
            table.add_row([
                profile.id.clone(),
                asked_by(profile.of).to_owned(),
                none.clone(),
                by,
                profile.law.clone(),
                none,
            ]);
        }
        for rule in &profile.clocks {
            let unit = match rule.unit {
                Unit::Hours => "h",
                Unit::Days => "d",
                Unit::WorkingDays => "working days",
                Unit::Years => "y",
            };
            table.add_row([
                profile.id.clone(),
                asked_by(profile.of).to_owned(),
                rule.what.word().to_owned(),
                format!("{} {unit}", rule.count),
                profile.law.clone(),
                rule.source.clone(),
            ]);
        }
    }
    output::print_table(&table);
    output::message(super::NO_LEGAL_CHANNEL);
    0
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::cli::Cli;

    // CLI-3: a state that none can be in lists nothing, and would look like nothing to do.
    #[test]
    fn a_state_that_no_case_can_be_in_is_refused_with_those_that_it_can() {
        let listed = |state: &str| {
            Cli::command().try_get_matches_from(["frex", "case", "ls", "--state", state])
        };
        assert!(listed("overdue").is_ok());
        let wrong = listed("opne").unwrap_err().to_string();
        assert!(wrong.contains("nobody, overdue, reopens"), "{wrong}");
    }
}
