//! What is said at the end of `frex bulk`.

use std::path::Path;

use frex_client::keys::MemberHome;
use frex_proto::error::WireCode;
use serde_json::json;

use super::{BulkArgs, NotSent, Tally};
use crate::cli::{
    failure::{Done, Failure, PARTIAL},
    member::REFERENCES_DIR,
    output,
};

/// Reports that are shown as not sent; the rest is counted.
const SHOWN_MAX: usize = 20;
/// What mends a reference that names two things.
const OTHER_REFERENCE: &str = "Give another report a reference of its own; under the one that was used goes the same report, to the same members, and nothing else";

/// Prints what has become of the file and gives the exit code.
pub(super) fn conclude(home: &MemberHome, args: &BulkArgs, tally: &Tally, json: bool) -> Done {
    if json {
        let rows = tally.not_sent.iter().take(SHOWN_MAX).map(NotSent::to_json);
        output::document(json!({
            "submitted": tally.submitted, "before": tally.before, "accepted": tally.accepted,
            "not_sent": tally.not_sent.len(), "reports_not_sent": rows.collect::<Vec<_>>(),
        }));
    } else {
        print(home.dir(), args, tally);
    }
    match (tally.gave_up, tally.not_sent.first()) {
        (Some(code), _) => Err(Failure::new(code, "the node has taken nothing for too long")
            .advise(format!("Give the same command again: what was submitted does not go out twice; see how the node is: frex status {}", args.from.display()))),
        (None, None) => Ok(0),
        (None, Some(first)) if tally.submitted + tally.before == 0 => Err(nothing_sent(first)),
        (None, Some(_)) => Ok(PARTIAL),
    }
}

fn nothing_sent(first: &NotSent) -> Failure {
    let failure = Failure::new(first.code, "no report was sent").cause(first.why.clone());
    match first.code {
        WireCode::IdReuse => failure.advise(OTHER_REFERENCE),
        _ => failure,
    }
}

fn print(home: &Path, args: &BulkArgs, tally: &Tally) {
    output::data(format_args!("submitted  {}", tally.submitted));
    if !args.wait.0.is_zero() {
        output::data(format_args!("accepted   {}", tally.accepted));
    }
    if tally.before > 0 {
        output::data(format_args!(
            "before     {}  submitted at an earlier time, nothing was sent",
            tally.before
        ));
    }
    if tally.not_sent.is_empty() {
        return;
    }
    output::data(format_args!("not sent   {}", tally.not_sent.len()));
    output::data("");
    let mut table = output::table(&["LINE", "REFERENCE", "CODE", "WHY"]);
    for one in tally.not_sent.iter().take(SHOWN_MAX) {
        table.add_row([
            one.line.to_string(),
            output::clean(&one.reference),
            one.code.info().name.to_owned(),
            output::clean(&one.why),
        ]);
    }
    output::print_table(&table);
    if tally
        .not_sent
        .iter()
        .any(|one| one.code == WireCode::IdReuse)
    {
        output::message(format_args!("note: {OTHER_REFERENCE}"));
    }
    output::message(format_args!(
        "note: mend these lines and give the file again; what was submitted does not go out twice.\n\
         note: what was sent is remembered in {}",
        home.join(REFERENCES_DIR).display()
    ));
}
