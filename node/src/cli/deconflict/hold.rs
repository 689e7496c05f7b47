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
            desk::known(&store, &args.desk)?;
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
    tell(args, merged, json);
    Ok(0)
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
        return Err(Failure::new(WireCode::BadInput, what)
            .advise("List what was received: frex inbox --kept DIR"));
    }
    let envelope = about["envelope"].as_str().unwrap_or_default();
    let path = home.dir().join(INBOX_DIR).join(format!("{envelope}.json"));
    let bytes = files::read(&path, limits::CONTENT_BYTES_MAX)?;
    let report = Report::parse(&bytes).or_fail(format_args!("{} is no report", path.display()))?;
    let named = report
        .subjects
        .iter()
        .flat_map(|subject| &subject.identifiers);
    let named = named
        .filter(|one| KINDS.contains(&one.kind.as_str()))
        .map(|one| format!("{} {}", one.kind, one.value));
    let urls = report.urls.iter().map(|one| format!("url {}", one.url));
    let hashes = report.hashes.iter();
    let hashes = hashes.map(|one| format!("hash {} {}", one.algorithm, one.value));
    let texts: Vec<String> = named.chain(urls).chain(hashes).collect();
    let parsed = texts.iter().filter_map(|text| Identifier::parse(text).ok());
    let found: Vec<Identifier> = parsed.collect();
    if found.len() < texts.len() {
        output::message(format_args!(
            "note: {} of the report cannot be compared and is left out; write it in a file as it should be",
            output::counted(texts.len() - found.len(), "identifier")
        ));
    }
    Ok((
        found,
        about["message"].as_str().unwrap_or_default().to_owned(),
    ))
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
