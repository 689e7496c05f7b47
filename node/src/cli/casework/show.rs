//! `frex case show`: one case as its messages make it.

use std::path::Path;

use frex_client::casework::{
    case::{Deadline, Entry, Matter, Thread, View, view_json},
    clock::Duty,
};
use frex_proto::id::MessageId;
use serde_json::{Value, json};

use super::{
    CaseShowArgs,
    list::minute,
    say::{Room, letters, short},
};
use crate::cli::{failure::Done, output, time::rfc3339};

/// Messages that are named one by one.
const NAMED_MAX: usize = 5;

/// Shows it.
pub fn show(args: &CaseShowArgs, json: bool) -> Done {
    let room = Room::open(&args.dir)?;
    let case = room.case(&args.case)?;
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let waits = room.desk.not_shown(case);
    if json {
        let mut said = view_json(&view);
        said["name"] = json!(room.desk.names.get(&case.id));
        said["not_received"] = waits.iter().map(not_received).collect();
        output::document(said);
        return Ok(0);
    }
    let parties: Vec<String> = view
        .parties
        .iter()
        .map(|name| output::clean(name))
        .collect();
    output::data(format_args!("case     {}", view.id));
    output::data(format_args!("state    {}", view.state));
    output::data(format_args!("parties  {}", parties.join(", ")));
    let names = room.desk.names_of(&view);
    let names: Vec<String> = names.map(|name| output::clean(name)).collect();
    if !names.is_empty() {
        output::data(format_args!("names    {}", names.join(", ")));
    }
    timeline(&view);
    threads(&view);
    deadlines(&view);
    for one in &view.reopenings {
        output::data(format_args!(
            "\n{} has shelved it for {}; it re-opens because {} ({}, {} by {})",
            output::clean(&one.member),
            one.reason,
            one.because,
            minute(Some(&rfc3339(one.at_ms))),
            short(&one.by),
            output::clean(&one.by.from)
        ));
    }
    print_not_received(&waits, &args.dir);
    Ok(0)
}

/// A message of this member's with those of whom nothing shows that they have it.
pub fn not_received((message, members): &(MessageId, Vec<String>)) -> Value {
    json!({ "message": message.to_string(), "members": members })
}

/// Says by which command it is found out whether they have it.
pub fn print_not_received(waits: &[(MessageId, Vec<String>)], dir: &Path) {
    for (message, members) in waits.iter().take(NAMED_MAX) {
        let members: Vec<String> = members.iter().map(|name| output::clean(name)).collect();
        output::message(format_args!(
            "note: no receipt here shows that {} has {}, so no clock of it has begun: frex receipt fetch {message} {}",
            members.join(", "),
            letters(message),
            dir.display()
        ));
    }
    if let Some(more @ 1..) = waits.len().checked_sub(NAMED_MAX) {
        output::message(format_args!(
            "note: {more} more of which that is so: --json names them"
        ));
    }
}

fn timeline(view: &View) {
    output::data("");
    let mut table = output::table(&["AT", "FROM", "WHAT", "SAYS", "MESSAGE", "NOTE"]);
    for entry in &view.timeline {
        table.add_row([
            minute(Some(&rfc3339(entry.at_ms))),
            output::clean(&entry.key.from),
            entry.what.to_owned(),
            output::clean(&entry.says),
            letters(&entry.key.message),
            remark(entry),
        ]);
    }
    output::print_table(&table);
}

/// Why it does not count, or what it contradicts.
fn remark(entry: &Entry) -> String {
    match (entry.not, &entry.contradicts) {
        (Some(not), _) => format!("does not count: {}", not.text()),
        (None, Some(against)) => format!("contradicts: {}", output::clean(against)),
        (None, None) => String::new(),
    }
}

fn threads(view: &View) {
    if view.threads.is_empty() {
        return;
    }
    output::data("");
    let mut table = output::table(&["THREAD", "OF", "STATE", "SINCE", "REASON", "UNTIL"]);
    for thread in &view.threads {
        table.add_row([
            named(thread),
            output::clean(&format!("{}{}", thread.member, thread.subject)),
            output::clean(&thread.state),
            minute(Some(&rfc3339(thread.since_ms))),
            output::clean(&thread.reason),
            thread
                .until_ms
                .map(|until| minute(Some(&rfc3339(until))))
                .unwrap_or_default(),
        ]);
    }
    output::print_table(&table);
    let contradictions = view
        .threads
        .iter()
        .flat_map(|thread| &thread.contradictions);
    for one in contradictions {
        output::data(format_args!("contradiction: {}", output::clean(one)));
    }
}

/// The matter, and of a request its message.
fn named(thread: &Thread) -> String {
    let matter = match thread.matter {
        Matter::Preserve | Matter::Produce => {
            let request = thread.request.as_ref().map(short).unwrap_or_default();
            format!("{} {request}", thread.matter.word())
        }
        matter => matter.word().to_owned(),
    };
    match thread.profile.is_empty() {
        true => matter,
        false => format!("{matter} ({})", output::clean(&thread.profile)),
    }
}

fn deadlines(view: &View) {
    if view.deadlines.is_empty() {
        return;
    }
    output::data("");
    let mut table = output::table(&["DUE", "WHAT", "WHO", "STATE", "CLOCK"]);
    for one in &view.deadlines {
        table.add_row([
            one.due_ms
                .map(|due| minute(Some(&rfc3339(due))))
                .unwrap_or_default(),
            one.what.word().to_owned(),
            output::clean(&one.who),
            standing(one),
            clock(one),
        ]);
    }
    output::print_table(&table);
}

/// How it stands; of what is kept, that its end is near.
pub fn standing(one: &Deadline) -> String {
    match (one.warning, one.what) {
        (Some(days), Duty::Keep) => format!("{}, ends within {days} days", one.state.word()),
        _ => one.state.word().to_owned(),
    }
}

fn clock(one: &Deadline) -> String {
    let zone = match one.zone.is_empty() {
        true => String::new(),
        false => format!(" in {}", one.zone),
    };
    output::clean(&format!("{}: {}{zone}", one.profile, one.source))
}
