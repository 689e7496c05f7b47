//! `frex deconflict hold`: which identifiers this member holds, and whether it tells.

use std::{collections::BTreeSet, path::Path};

use frex_client::{
    casework::{
        deconflict::{
            Identifier, Named,
            store::{Holding, Merged, Store},
        },
        model,
    },
    keys::MemberHome,
    report,
};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{HoldArgs, desk, words};
use crate::cli::{
    casework::desk::content_path,
    failure::{Done, Failure, OrFail},
    member, messages, output,
    report::read_report,
};

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
    if let Some(report) = &args.report {
        return of_report(home, report, source);
    }
    let file = args.file.as_deref().unwrap_or(Path::new("-"));
    Ok((
        words::read(file)?,
        source.unwrap_or_else(|| "file".to_owned()),
    ))
}

/// What a report names that can be compared: of a file, or of a message that was received.
fn of_report(
    home: &MemberHome,
    report: &str,
    source: Option<String>,
) -> Result<(Vec<Identifier>, String), Failure> {
    if messages::beginning(report).is_err() {
        let source = source.unwrap_or_else(|| "file".to_owned());
        return Ok((named(Path::new(report))?, source));
    }
    if source.is_some() {
        let what = "what a message names is held because of it, and let go of when it is erased";
        return Err(Failure::new(WireCode::BadInput, what).advise("Leave --source out"));
    }
    let (direction, about) = messages::find_received(home, report)?;
    let known = [report::CONTENT_TYPE, model::CONTENT_TYPE];
    let is_report = known.map(Value::from).contains(&about["content_type"]);
    if !is_report || direction != messages::RECEIVED || !about["file"].is_string() {
        let what = format!("{report} is no report that was received");
        return Err(Failure::new(WireCode::BadInput, what).advise(format!(
            "List what was received: frex inbox {} --kept",
            member::folder(home).display()
        )));
    }
    let id = about["message"].as_str().unwrap_or_default().to_owned();
    Ok((named(&content_path(home, &about))?, id))
}

/// What cannot be compared is left out, and how much of which kind that is, is said.
fn named(path: &Path) -> Result<Vec<Identifier>, Failure> {
    let Named {
        identifiers,
        left_out,
    } = Named::of(&read_report(path)?);
    if !left_out.is_empty() {
        let total = output::counted(left_out.values().sum::<usize>(), "identifier");
        let kinds = left_out
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        output::message(format_args!(
            "note: {total} of the report cannot be compared ({kinds}): write what is left out in a file, as it should be"
        ));
    }
    Ok(identifiers.into_iter().collect())
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
