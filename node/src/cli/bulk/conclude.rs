//! What is said at the end of `frex bulk`.

use std::{collections::BTreeSet, path::Path};

use frex_client::keys::MemberHome;
use frex_proto::error::WireCode;
use serde_json::json;

use super::{BulkArgs, EndedThere, NotSent, Tally};
use crate::cli::{
    failure::{Done, Failure, PARTIAL},
    member::REFERENCES_DIR,
    output,
};

/// Rows that are shown of a table; the rest is counted.
const SHOWN_MAX: usize = 20;
/// What mends a reference that names two things.
const OTHER_REFERENCE: &str = "Give another report a reference of its own; under the one that was used goes the same report, to the same members, and nothing else";
/// What is wrong where a reference was used.
const REUSED: &str = "where ID_REUSE stands, the reference went out before with another report, or to other members than the ones named now";

/// Prints what has become of the file and gives the exit code.
pub(super) fn conclude(home: &MemberHome, args: &BulkArgs, tally: &Tally, json: bool) -> Done {
    if json {
        let not_sent: Vec<_> = tally.not_sent.iter().map(NotSent::to_json).collect();
        let ended: Vec<_> = tally.ended.iter().map(EndedThere::to_json).collect();
        output::document(json!({
            "submitted": tally.submitted, "before": tally.before.len(), "accepted": tally.accepted,
            "not_sent": tally.not_sent.len(), "reports_not_sent": not_sent,
            "ended": references(&tally.ended).len(), "reports_ended": ended,
        }));
    } else {
        print(home.dir(), args, tally);
    }
    if let Some(why) = &tally.unknown {
        output::message(format_args!(
            "note: the node does not say what became of those submitted before: {why}"
        ));
    }
    match (tally.gave_up, tally.not_sent.first()) {
        (Some(code), _) => Err(Failure::new(code, "the node has taken nothing for too long")
            .advise(format!("Give the same command again{}: what was submitted does not go out twice; see how the node is: frex status {}", with_list(args), args.from.display()))),
        (None, None) if tally.ended.is_empty() => Ok(0),
        (None, None) => Ok(PARTIAL),
        (None, Some(first)) if tally.submitted == 0 && tally.before.is_empty() => {
            Err(nothing_sent(first, &args.from))
        }
        (None, Some(_)) => Ok(PARTIAL),
    }
}

fn with_list(args: &BulkArgs) -> &'static str {
    match args.list {
        Some(_) => ", with a new file for --list",
        None => "",
    }
}

/// The reports behind these rows, each once.
fn references<'a>(ended: impl IntoIterator<Item = &'a EndedThere>) -> BTreeSet<&'a str> {
    ended
        .into_iter()
        .map(|one| one.reference.as_str())
        .collect()
}

fn nothing_sent(first: &NotSent, dir: &Path) -> Failure {
    let failure = Failure::new(first.code, "no report was sent").cause(first.why.clone());
    match first.code {
        WireCode::IdReuse => failure.advise(OTHER_REFERENCE),
        WireCode::NotAccepted => failure.advise(format!(
            "Add to each line what is lacking and give the file again; what each member needs: frex roster show {}",
            dir.display()
        )),
        _ => failure,
    }
}

fn print(home: &Path, args: &BulkArgs, tally: &Tally) {
    output::data(format_args!("submitted  {}", tally.submitted));
    if !args.wait.0.is_zero() {
        output::data(format_args!("accepted   {}", tally.accepted));
    }
    if !tally.before.is_empty() {
        output::data(format_args!(
            "before     {}  submitted at an earlier time, nothing was sent",
            tally.before.len()
        ));
    }
    for code in tally
        .ended
        .iter()
        .map(|one| one.code)
        .collect::<BTreeSet<_>>()
    {
        let rows = tally.ended.iter().filter(|one| one.code == code);
        let name = match code {
            WireCode::Expired => "expired",
            WireCode::Withdrawn => "withdrawn",
            WireCode::Recalled => "recalled",
            _ => "given up",
        };
        let (count, text) = (references(rows).len(), code.info().text);
        output::data(format_args!("{name:<10} {count}  of these: {text}"));
    }
    if !tally.not_sent.is_empty() {
        output::data(format_args!("not sent   {}", tally.not_sent.len()));
    }
    print_ended(args, &tally.ended);
    print_not_sent(home, args, &tally.not_sent);
}

fn print_ended(args: &BulkArgs, ended: &[EndedThere]) {
    let Some(first) = ended.first() else {
        return;
    };
    output::data("");
    let mut table = output::table(&["REFERENCE", "MESSAGE", "NODE", "CODE"]);
    for one in ended.iter().take(SHOWN_MAX) {
        table.add_row([
            output::clean(&one.reference),
            one.message.to_string(),
            output::clean(one.node.as_deref().unwrap_or_default()),
            one.code.info().name.to_owned(),
        ]);
    }
    output::print_table(&table);
    say_more(args, ended.len());
    output::message(format_args!(
        "note: these did not get to the node that is named, or were recalled, and nothing sends them again by itself. To file one anew, give its report a reference of its own.\n\
         note: how far one has come: frex receipt fetch {} {}",
        first.message,
        args.from.display()
    ));
}

fn print_not_sent(home: &Path, args: &BulkArgs, not_sent: &[NotSent]) {
    if not_sent.is_empty() {
        return;
    }
    output::data("");
    let mut table = output::table(&["LINE", "REFERENCE", "CODE", "WHY"]);
    for one in not_sent.iter().take(SHOWN_MAX) {
        table.add_row([
            one.line.to_string(),
            output::clean(&one.reference),
            one.code.info().name.to_owned(),
            output::clean(&one.why),
        ]);
    }
    output::print_table(&table);
    say_more(args, not_sent.len());
    let reused = not_sent.iter().filter(|one| one.code == WireCode::IdReuse);
    let reused = reused.count();
    if reused > 0 {
        output::message(format_args!("note: {REUSED}. {OTHER_REFERENCE}"));
    }
    if reused < not_sent.len() {
        let which = if reused > 0 { "the other" } else { "these" };
        output::message(format_args!(
            "note: mend {which} lines and give the file again{}; what was submitted does not go out twice",
            with_list(args)
        ));
    }
    output::message(format_args!(
        "note: what was sent is remembered in {}",
        home.join(REFERENCES_DIR).display()
    ));
}

/// That a table is longer than what is shown of it.
fn say_more(args: &BulkArgs, count: usize) {
    let Some(more) = count.checked_sub(SHOWN_MAX).filter(|more| *more > 0) else {
        return;
    };
    let place = match &args.list {
        Some(list) => format!("in {}", list.display()),
        None => "with --list FILE, or --json".to_owned(),
    };
    output::data(format_args!("… and {more} more; all of them: {place}"));
}
