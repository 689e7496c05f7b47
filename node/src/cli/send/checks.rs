//! What is judged of a report before it is sealed: whether it says what its recipients need, and whether
//! something like it was sent before. Spec: RTE-5 to RTE-9.

use std::{collections::BTreeSet, path::Path};

use frex_client::{
    casework::{
        model,
        quality::{self, Lacking, Likeness, SeenStore},
    },
    environment::Random,
    keys::MemberHome,
    report,
};
use frex_proto::{error::WireCode, id::MessageId, roster::Roster};
use serde_json::Value;

use crate::cli::{
    SendArgs,
    failure::{Failure, OrFail},
    output,
    route::{self, preview},
    time::rfc3339,
};

/// By what a report is noticed that is sent again.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The message that is named then: of a plan the first.
    pub message: MessageId,
    /// When it was made.
    pub created_ms: u64,
    /// To whom it went.
    pub to: Vec<String>,
    /// What of it is compared.
    pub tokens: BTreeSet<String>,
}

/// Refuses a report that does not say what a recipient needs; says it, if it is to go all the same.
///
/// # Errors
/// Every recipient that needs more, with each field and where it is added.
pub fn needs(
    roster: &Roster,
    to: &[String],
    (content_type, data): (&str, &[u8]),
    anyway: bool,
) -> Result<(), Failure> {
    let members = to.iter().filter_map(|member| roster.member(member));
    let profiles = members.map(|member| (member.id.as_str(), member.report_fields.as_slice()));
    let missing = |needed: &[String]| missing(content_type, data, needed);
    let found = quality::lacking(missing, profiles);
    if found.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = found.iter().map(|one| line(one, content_type)).collect();
    if anyway {
        for line in lines {
            output::message(format_args!("note: {line}; it goes all the same"));
        }
        return Ok(());
    }
    Err(Failure::new(WireCode::NotAccepted, "a recipient cannot be sent to")
        .cause(lines.join("\n"))
        .advise("Add the fields named above to the report, leave that recipient out, or send it all the same: --anyway"))
}

/// What a report lacks of what is needed, by its version; of a form that is neither, all of it.
#[must_use]
pub fn missing(content_type: &str, data: &[u8], needed: &[String]) -> Vec<String> {
    match content_type {
        report::CONTENT_TYPE => report::missing_fields(data, needed),
        model::CONTENT_TYPE => model::missing_fields(data, needed),
        _ => needed.to_vec(),
    }
}

/// What a recipient misses, each field by the name that it has in this version. Spec: RTE-5, MOD-20.
fn line(one: &Lacking, content_type: &str) -> String {
    if ![report::CONTENT_TYPE, model::CONTENT_TYPE].contains(&content_type) {
        return format!(
            "{} needs a report to say {}, and this is no report whose fields can be read: make it one, or say with --kind what else it is",
            one.member,
            one.fields.join(", ")
        );
    }
    let fields: Vec<String> = match content_type == model::CONTENT_TYPE {
        true => one.places().map(second).collect(),
        false => one.fields.clone(),
    };
    format!(
        "{} needs a report to say more, it lacks: {}",
        one.member,
        fields.join(", ")
    )
}

/// A field of version 2, and how it is written.
fn second((field, place): (&str, String)) -> String {
    match model::example_of(field) {
        Some(example) => format!("{place} (in the roster {field}), as {example}"),
        None if field == place => place,
        None => format!("{field} (add {place})"),
    }
}

/// Refuses what looks like a report that went to one of these before. Spec: RTE-8, RTE-9.
///
/// # Errors
/// The message that it looks like, and how to send it all the same.
pub fn alike(
    home: &MemberHome,
    args: &SendArgs,
    to: &[String],
    view: &Value,
) -> Result<(), Failure> {
    if args.how.anyway || args.how.duplicate_of.is_some() {
        return Ok(());
    }
    let found = store(home)?.alike(&quality::tokens(view));
    let found = found.or_fail("it is not known whether it was sent before")?;
    let to_same = |one: &&quality::Alike| one.to.iter().any(|member| to.contains(member));
    let Some(one) = found.iter().find(to_same) else {
        return Ok(());
    };
    let much = match one.likeness {
        Likeness::Exact => "it names the same identifiers and hashes".to_owned(),
        Likeness::Near(percent) => {
            format!("{percent} % of the identifiers and hashes of both are the same")
        }
    };
    let what = format!(
        "this looks like message {} of {} to {}",
        one.message,
        rfc3339(one.created_ms),
        one.to.join(", ")
    );
    Err(Failure::new(WireCode::LooksSent, what)
        .cause(much)
        .advise(all_the_same(home, args, one.message)))
}

/// What can be done about a report that looks like another.
fn all_the_same(home: &MemberHome, args: &SendArgs, message: MessageId) -> String {
    if !args.how.route {
        return format!(
            "Send it all the same: --anyway; or into the case of that one: --duplicate-of {message}"
        );
    }
    let other = format!(
        "Send it all the same: --anyway; or, with --to MEMBER in place of --route, into the case of that one: --duplicate-of {message}"
    );
    match route::record_path(home, message).exists() {
        true => format!(
            "If that one was stopped, go on with it: {} --message {message}. {other}",
            preview::command_of(args)
        ),
        false => other,
    }
}

/// Remembers what was sent, so that it is noticed the next time. What cannot be kept is said: the message
/// has left all the same.
pub fn remember(home: &MemberHome, seen: &Seen) {
    let kept = SeenStore::open(home.dir(), &mut Random::System.rng());
    let kept = kept
        .and_then(|store| store.remember(seen.message, seen.created_ms, &seen.to, &seen.tokens));
    if let Err(error) = kept {
        output::message(format_args!(
            "note: this is not noticed if it is sent again: {error}"
        ));
    }
}

/// Says how much a report says, where that is not all that one of its kind should.
pub fn tell_scores(view: &Value, file: &Path) {
    let scores = quality::score(view);
    let missing: Vec<&str> = scores
        .completeness
        .missing()
        .map(|reason| reason.text.as_str())
        .collect();
    if missing.is_empty() {
        return;
    }
    output::message(format_args!(
        "note: completeness {}, actionability {} of 100; not said: {}; see  frex report score {}",
        scores.completeness.score,
        scores.actionability.score,
        missing.join(", "),
        file.display()
    ));
}

fn store(home: &MemberHome) -> Result<SeenStore, Failure> {
    let store = SeenStore::open(home.dir(), &mut Random::System.rng());
    store.or_fail("what was sent before cannot be looked up")
}
