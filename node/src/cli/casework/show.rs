//! `frex case show`: one case as its messages make it.

use std::path::Path;

use frex_client::casework::{
    case::{Deadline, Entry, Key, Matter, Standing, Thread, View, view_json},
    clock::Duty,
};
use frex_proto::id::MessageId;
use serde_json::{Value, json};

use super::{
    CaseShowArgs, asked,
    desk::Desk,
    list::{dashed, second},
    reports,
    say::{Room, letters, short},
    unheld,
};
use crate::cli::{
    failure::Done,
    inbox::METADATA,
    output,
    route::unfinished::{self, Unfinished},
    time::rfc3339,
};

/// Messages that are named one by one.
const NAMED_MAX: usize = 5;

/// Shows it.
pub fn show(args: &CaseShowArgs, json: bool) -> Done {
    let room = Room::open(&args.dir)?;
    let case = room.case(&args.case)?;
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let waits = room.desk.not_shown(case);
    let unheld: Vec<Value> = match view.state {
        "nobody" => vec![unheld::of(&room, case, &args.dir)],
        _ => Vec::new(),
    };
    let names = reports::names(&room.home, &room.rows, |id| *id == case.id);
    let name = names.get(&case.id);
    let undone = unfinished::of_case(&room, case.id, &args.dir)?;
    let undone = Vec::from_iter(undone);
    let asked = asked::all(case, &view);
    let without = reports::without_contents(&room.rows).contains(&case.id);
    if json {
        let mut said = view_json(&view);
        said["name"] = json!(name);
        said["not_received"] = waits.iter().map(not_received).collect();
        said["nobody"] = unheld.into();
        said["unfinished"] = undone.iter().map(Unfinished::to_json).collect();
        said["requests"] = asked.into();
        said["copy"] = without.then_some(METADATA).into();
        output::document(said);
        return Ok(0);
    }
    let parties = view.parties.iter().map(|name| room.desk.called(name));
    let parties: Vec<String> = parties.collect();
    output::data(format_args!("case     {}", view.id));
    output::data(format_args!("state    {}", view.state));
    output::data(format_args!("parties  {}", parties.join(", ")));
    let names = name.into_iter().chain(&view.references);
    let names: Vec<String> = names.map(|name| output::clean(name)).collect();
    if !names.is_empty() {
        output::data(format_args!("names    {}", names.join(", ")));
    }
    if without {
        output::data("report   a copy without contents; its sender has the rest");
    }
    timeline(&view);
    threads(&view, &room.desk);
    asked::print(&asked);
    deadlines(&view, &room.desk);
    for one in &view.reopenings {
        output::data(format_args!(
            "\n{} has shelved it for {}; it re-opens because {} ({}, {} by {})",
            output::clean(&one.member),
            dashed(&one.reason),
            dashed(one.because),
            second(Some(&rfc3339(one.at_ms))),
            short(&one.by),
            output::clean(&one.by.from)
        ));
    }
    unheld::print(&unheld, &args.dir);
    unfinished::print(&undone);
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
    let mut table = output::table(&["AT", "FROM", "WHAT", "SAYS", "MESSAGE", "REMARK"]);
    for entry in &view.timeline {
        table.add_row([
            second(Some(&rfc3339(entry.at_ms))),
            output::clean(&entry.key.from),
            dashed(entry.what),
            says(entry, view),
            letters(&entry.key.message),
            remark(entry),
        ]);
    }
    output::print_table(&table);
    for entry in view.timeline.iter().filter(|entry| !entry.note.is_empty()) {
        output::data(format_args!(
            "note of {} with {}: {}",
            output::clean(&entry.key.from),
            letters(&entry.key.message),
            output::clean(&entry.note)
        ));
    }
}

/// What was said, as commands take it; a name, code or time is as it was written. Of what goes on with a
/// request without a word of its own, also which request that is.
fn says(entry: &Entry, view: &View) -> String {
    let said = match entry.what {
        "recall" | "preserve_request" | "produce_request" => output::clean(&entry.says),
        _ => output::clean(&dashed(&entry.says)),
    };
    let thread = entry.thread.and_then(|thread| view.threads.get(thread));
    let request = thread.and_then(|thread| thread.request.as_ref());
    match (entry.what, request) {
        ("extension" | "reminder", Some(request)) if said.is_empty() => {
            format!("of {}", short(request))
        }
        ("extension" | "reminder", Some(request)) => format!("of {}, {said}", short(request)),
        _ => said,
    }
}

/// Why it does not count, or what it contradicts.
fn remark(entry: &Entry) -> String {
    match (entry.not, &entry.contradicts) {
        (Some(not), _) => format!("does not count: {}", not.text()),
        (None, Some(against)) => format!("contradicts: {}", output::clean(against)),
        (None, None) => String::new(),
    }
}

fn threads(view: &View, desk: &Desk) {
    if view.threads.is_empty() {
        return;
    }
    output::data("");
    let mut table = output::table(&["THREAD", "OF", "STATE", "SINCE", "REASON", "UNTIL"]);
    for thread in &view.threads {
        table.add_row([
            named(thread),
            match thread.member.is_empty() {
                true => output::clean(&thread.subject),
                false => desk.called(&thread.member),
            },
            output::clean(&dashed(&thread.state)),
            second(Some(&rfc3339(thread.since_ms))),
            reason(thread),
            thread
                .until_ms
                .map(|until| second(Some(&rfc3339(until))))
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

/// Why, as commands take it; a member, a place or the code of a recall is as it was written.
fn reason(thread: &Thread) -> String {
    let named = thread.matter == Matter::Takedown
        || matches!(
            thread.state.as_str(),
            "rerouted" | "withdrawn" | "duplicate"
        );
    match named {
        true => output::clean(&thread.reason),
        false => output::clean(&dashed(&thread.reason)),
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

fn deadlines(view: &View, desk: &Desk) {
    if view.deadlines.is_empty() {
        return;
    }
    output::data("");
    let mut table = output::table(&["DUE", "WHAT", "WHO", "STATE", "REQUEST", "CLOCK"]);
    for one in &view.deadlines {
        table.add_row([
            one.due_ms
                .map(|due| second(Some(&rfc3339(due))))
                .unwrap_or_default(),
            output::clean(&format!("{} {}", one.what.word(), subject(one, view)))
                .trim_end()
                .to_owned(),
            desk.called(&one.who),
            standing(one, view, &desk.own),
            request_of(one, view).map(short).unwrap_or_default(),
            clock(one),
        ]);
    }
    output::print_table(&table);
}

/// The request that a deadline is of, if it is of one.
pub fn request_of<'a>(one: &Deadline, view: &'a View) -> Option<&'a Key> {
    let thread = one.thread.and_then(|thread| view.threads.get(thread));
    thread.and_then(|thread| thread.request.as_ref())
}

/// The place that a deadline is about, of a take-down.
pub fn subject<'a>(one: &Deadline, view: &'a View) -> &'a str {
    let thread = one.thread.and_then(|thread| view.threads.get(thread));
    thread.map_or("", |thread| thread.subject.as_str())
}

/// How it stands; of what is kept, that its end is near. Whether somebody has what a third one sent it shows
/// to those two alone.
pub fn standing(one: &Deadline, view: &View, own: &str) -> String {
    match (one.warning, one.what) {
        (Some(days), Duty::Keep) => format!("{}, ends within {days} days", one.state.word()),
        _ if one.state == Standing::NotReceived && !is_side(one, view, own) => {
            "unknown here".to_owned()
        }
        _ => one.state.word().to_owned(),
    }
}

/// Whether this member has sent what begins the clock, or was to get it.
fn is_side(one: &Deadline, view: &View, own: &str) -> bool {
    let sent = match request_of(one, view) {
        Some(request) => request.from == own,
        None => {
            let mut reports = view.timeline.iter().filter(|entry| entry.what == "report");
            reports.any(|entry| entry.key.from == own)
        }
    };
    sent || one.who == own
}

fn clock(one: &Deadline) -> String {
    let zone = match one.zone.is_empty() {
        true => String::new(),
        false => format!(" in {}", one.zone),
    };
    output::clean(&format!("{}: {}{zone}", one.profile, one.source))
}
