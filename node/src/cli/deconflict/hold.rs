//! `frex deconflict hold`: which identifiers this member holds, and whether it tells.

use std::collections::BTreeSet;

use frex_client::{
    casework::deconflict::{
        Identifier,
        store::{Holding, Merged, Store},
    },
    keys::MemberHome,
    report::{self, Report},
};
use frex_proto::{error::WireCode, limits};
use serde_json::json;

use super::{HoldArgs, desk, words};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files,
    member::{self, INBOX_DIR},
    messages, output,
};

/// Kinds of a report's identifiers that are compared, as they stand.
const KINDS: [&str; 2] = ["email", "phone"];
const SOURCE_BYTES_MAX: usize = 64;
/// Sources that are named to who has mistyped one.
const SOURCES_NAMED_MAX: usize = 20;

/// Takes identifiers up, or lets go of them.
pub fn hold(args: &HoldArgs, json: bool) -> Done {
    let home = member::open(&args.from)?;
    let store = Store::of(home.dir());
    let merged = if let Some(source) = &args.let_go_of {
        store.let_go(|holding| holding.source == *source)
    } else {
        let (identifiers, source) = given(&home, args)?;
        if args.let_go {
            let gone: BTreeSet<Identifier> = identifiers
                .iter()
                .flat_map(|one| [Some(one.clone()), one.implied()])
                .flatten()
                .collect();
            store.let_go(|holding| gone.contains(&holding.identifier))
        } else {
            desk::known(&store, &args.desk, &args.from)?;
            let holding = |identifier: Identifier| Holding {
                identifier,
                desk: args.desk.clone(),
                silent: args.silent,
                source: source.clone(),
            };
            store.hold(identifiers.into_iter().map(holding).collect())
        }
    };
    let merged = merged.or_fail("what is held cannot be changed")?;
    if let Some(source) = args.let_go_of.as_ref().filter(|_| merged.removed == 0) {
        return Err(of_no_source(&store, source, args)?);
    }
    tell(args, merged, json);
    Ok(0)
}

/// Nothing came from there: from where the member has what it holds.
fn of_no_source(store: &Store, source: &str, args: &HoldArgs) -> Result<Failure, Failure> {
    let mut known = BTreeSet::new();
    let seen = store.each_held(|holding| {
        let sources = holding.source.split(' ').map(str::to_owned);
        known.extend(sources.take(SOURCES_NAMED_MAX));
        while known.len() > SOURCES_NAMED_MAX {
            known.pop_last();
        }
        Ok(())
    });
    seen.or_fail("what is held cannot be read")?;
    let known: Vec<String> = known.iter().map(|one| output::clean(one)).collect();
    let what = format!("nothing that is held came from {}", output::clean(source));
    let advice = match known.is_empty() {
        true => format!(
            "Nothing is held: frex deconflict ls {}",
            args.from.display()
        ),
        false => format!("Sources are: {}", known.join(", ")),
    };
    Ok(Failure::new(WireCode::NotFound, what).advise(advice))
}

fn given(home: &MemberHome, args: &HoldArgs) -> Result<(Vec<Identifier>, String), Failure> {
    let source = args.source.clone();
    if source.as_deref().is_some_and(|word| {
        !(1..=SOURCE_BYTES_MAX).contains(&word.len()) || !word.bytes().all(|c| c.is_ascii_graphic())
    }) {
        let what = "a source is a word of 1 to 64 printable letters";
        return Err(Failure::new(WireCode::BadInput, what));
    }
    if let Some(message) = &args.report {
        let (identifiers, id) = of_report(home, message)?;
        return Ok((identifiers, source.unwrap_or(id)));
    }
    let file = args.file.as_deref().unwrap_or(std::path::Path::new("-"));
    Ok((
        words::read(file)?,
        source.unwrap_or_else(|| "file".to_owned()),
    ))
}

/// What a report names that can be compared; what cannot is left out, and how much that is, is said.
fn of_report(home: &MemberHome, id: &str) -> Result<(Vec<Identifier>, String), Failure> {
    let (direction, about) = messages::find_one(home, id)?;
    if direction != messages::RECEIVED || about["content_type"] != report::CONTENT_TYPE {
        let what = format!("{id} is no report that was received");
        return Err(Failure::new(WireCode::BadInput, what).advise(format!(
            "List what was received: frex inbox {} --kept",
            member::folder(home).display()
        )));
    }
    let envelope = about["envelope"].as_str().unwrap_or_default();
    let path = home.dir().join(INBOX_DIR).join(format!("{envelope}.json"));
    let bytes = files::read(&path, limits::CONTENT_BYTES_MAX)?;
    let report = Report::parse(&bytes).or_fail(format_args!("{} is no report", path.display()))?;
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for (place, text) in texts(&report) {
        match Identifier::parse(&text) {
            Ok(identifier) => found.push(identifier),
            Err(error) => left_out.push(format!("{place} ({error})")),
        }
    }
    if !left_out.is_empty() {
        output::message(format_args!(
            "note: of the report these cannot be compared and are left out; write them in a file as they should be: {}",
            left_out.join(", ")
        ));
    }
    Ok((
        found,
        about["message"].as_str().unwrap_or_default().to_owned(),
    ))
}

/// What a report names of what could be compared, with the place where it does.
fn texts(report: &Report) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (at, subject) in report.subjects.iter().enumerate() {
        for (number, one) in subject.identifiers.iter().enumerate() {
            if KINDS.contains(&one.kind.as_str()) {
                let place = format!("subjects[{at}].identifiers[{number}]");
                texts.push((place, format!("{} {}", one.kind, one.value)));
            }
        }
    }
    for (at, one) in report.urls.iter().enumerate() {
        texts.push((format!("urls[{at}]"), format!("url {}", one.url)));
    }
    for (at, one) in report.hashes.iter().enumerate() {
        let text = format!("hash {} {}", one.algorithm, one.value);
        texts.push((format!("hashes[{at}]"), text));
    }
    texts
}

fn tell(args: &HoldArgs, merged: Merged, json: bool) {
    let Merged {
        added,
        changed,
        removed,
        total,
    } = merged;
    if json {
        return output::document(json!({
            "added": added, "changed": changed, "removed": removed, "held": total,
        }));
    }
    output::data(format_args!(
        "{added} added, {changed} changed, {removed} let go of; {} held",
        output::counted(total, "identifier")
    ));
    output::message(format_args!(
        "Others find this from the next epoch on. Begin it now: frex deconflict keys --next {}",
        args.from.display()
    ));
}
