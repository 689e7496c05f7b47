//! `frex report score`: how much a report says, and how much of it somebody can act on. Spec: RTE-2 to RTE-5.

use std::path::Path;

use frex_client::{
    casework::{
        model,
        quality::{self, Score, Scores},
    },
    keys::MemberHome,
    report,
};
use frex_proto::{error::WireCode, limits};
use serde_json::{Value, json};

use super::{Found, ScoreArgs};
use crate::cli::{
    casework::desk::content_path,
    failure::{Done, Failure},
    files, member, messages, output,
    send::checks,
};

/// A report, as it is scored.
struct Scored {
    content_type: &'static str,
    data: Vec<u8>,
    view: Value,
}

/// Counts what a file or a received message says.
pub fn score(args: &ScoreArgs, json: bool) -> Done {
    let path = Path::new(&args.report);
    let scored = match path.exists() {
        true => of_file(path)?,
        false => of_message(&member::open(&args.dir)?, &args.report)?,
    };
    let scores = quality::score(&scored.view);
    let recipients = recipients(args, &scored)?;
    if json {
        let row =
            |(member, score): &(String, Score)| json!({"member": member, "completeness": score});
        output::document(json!({
            "report": args.report, "scores": scores,
            "recipients": recipients.iter().map(row).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    print(&scores);
    for (member, score) in &recipients {
        output::data("");
        output::data(format_args!(
            "{} of 100 of what {} needs",
            score.score,
            output::clean(member)
        ));
        score
            .reasons
            .iter()
            .for_each(|reason| output::data(format_args!("  {reason}")));
    }
    Ok(0)
}

fn print(scores: &Scores) {
    for (name, score) in [
        ("completeness", &scores.completeness),
        ("actionability", &scores.actionability),
    ] {
        output::data(format_args!(
            "{name} {} of 100 ({})",
            score.score, score.profile
        ));
        score
            .reasons
            .iter()
            .for_each(|reason| output::data(format_args!("  {reason}")));
    }
    output::message(format_args!(
        "note: counted by {}; it says how much is said, not how urgent it is",
        scores.table
    ));
}

fn of_file(path: &Path) -> Result<Scored, Failure> {
    match super::read(path)? {
        Found::First(first) => Ok(Scored {
            content_type: report::CONTENT_TYPE,
            data: first.to_json().to_vec(),
            view: model::from_first(&first).to_json(),
        }),
        Found::Second(second) => Ok(Scored {
            content_type: model::CONTENT_TYPE,
            data: second.encode(),
            view: second.to_json(),
        }),
        Found::Document(..) => Err(super::is_document(path)),
    }
}

/// A report that came: what was sent is where its sender has it.
fn of_message(home: &MemberHome, id: &str) -> Result<Scored, Failure> {
    let (direction, about) = messages::find_received(home, id)?;
    let none = |what: &str, advice: &str| {
        let failure = Failure::new(WireCode::BadInput, what);
        Err(failure.advise(advice.to_owned()))
    };
    let dir = member::folder(home).display();
    if direction == messages::SENT {
        return none(
            "of a message that was sent the content is not kept here",
            "Name the file: frex report score FILE",
        );
    }
    let content_type = match about["content_type"].as_str() {
        Some(report::CONTENT_TYPE) => report::CONTENT_TYPE,
        Some(model::CONTENT_TYPE) => model::CONTENT_TYPE,
        _ => {
            return none(
                "that message is no report",
                &format!("frex inbox {dir} --kept"),
            );
        }
    };
    let data = files::read(&content_path(home, &about), limits::CONTENT_BYTES_MAX)?;
    match quality::view(content_type, &data) {
        Some(view) => Ok(Scored {
            content_type,
            data,
            view,
        }),
        None => none(
            "what came is no report that can be read",
            &format!("frex show {id} {dir}"),
        ),
    }
}

/// Those whom the caller names, each with what it needs.
fn recipients(args: &ScoreArgs, scored: &Scored) -> Result<Vec<(String, Score)>, Failure> {
    if args.to.is_empty() {
        return Ok(Vec::new());
    }
    let roster = member::roster(&member::open(&args.dir)?)?;
    let mut rows = Vec::new();
    for name in &args.to {
        let Some(member) = roster.member(name) else {
            let what = format!("{name} is not in the roster");
            return Err(Failure::new(WireCode::UnknownRecipient, what));
        };
        let needed = &member.report_fields;
        let missing = checks::missing(scored.content_type, &scored.data, needed);
        let score = quality::for_recipient(&scored.view, needed, &missing);
        rows.push((name.clone(), score));
    }
    Ok(rows)
}
