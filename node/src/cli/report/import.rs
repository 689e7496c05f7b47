//! `frex report import`: XML, or JSON of version 1, as a report of version 2.

use std::path::Path;

use frex_client::{
    casework::model::{self, Imported, Origin, Report},
    environment::Clock,
};
use frex_proto::error::WireCode;
use serde_json::json;

use super::{Found, ImportArgs, read};
use crate::cli::{
    failure::{Done, Failure, PARTIAL},
    files, output,
    time::rfc3339,
};

/// How many places without a field are named.
const NAMED_MAX: usize = 8;

/// Makes a report. What an XML document says can be written again as it came.
pub fn import(args: &ImportArgs, json: bool) -> Done {
    let imported = match read(&args.file)? {
        Found::First(report) => plain(model::from_first(&report)),
        Found::Second(report) => plain(report),
        Found::Document(_, bytes) => documents(args, &bytes)?,
    };
    let bytes = match args.out.extension().is_some_and(|end| end == "json") {
        true => (imported.report.to_json_text() + "\n").into_bytes(),
        false => imported.report.encode(),
    };
    let faults = imported.report.check().err().unwrap_or_default();
    files::write_new(&args.out, &bytes)?;
    let typed = imported.report.typed();
    let reference = typed.reference.unwrap_or_default();
    let count = faults.problems.len() + faults.further;
    if json {
        output::document(json!({
            "file": args.out, "reference": reference, "items": typed.items.len(),
            "kept_beside": imported.kept_beside, "places": imported.places, "faults": count,
        }));
    } else {
        output::data(format_args!(
            "{}  {}, {}",
            args.out.display(),
            output::clean(&reference),
            output::counted(typed.items.len(), "item"),
        ));
    }
    if imported.kept_beside > 0 {
        output::message(format_args!(
            "note: {} of the XML without a field of their own, kept as they are: at {}",
            output::counted(imported.kept_beside, "place"),
            named(&imported.places),
        ));
    }
    if count > 0 {
        output::message(format_args!(
            "note: it cannot be sent yet, {} to mend: frex report check {}",
            output::counted(count, "fault"),
            args.out.display(),
        ));
    }
    Ok(if count == 0 { 0 } else { PARTIAL })
}

/// The first of these places, for people.
fn named(places: &[String]) -> String {
    let name = |place: &String| match place.is_empty() {
        true => "the root".to_owned(),
        false => output::clean(place),
    };
    let first: Vec<String> = places.iter().take(NAMED_MAX).map(name).collect();
    match places.len().saturating_sub(NAMED_MAX) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn plain(report: Report) -> Imported {
    Imported {
        report,
        kept_beside: 0,
        places: Vec::new(),
    }
}

fn documents(args: &ImportArgs, report: &[u8]) -> Result<Imported, Failure> {
    let mut details: Vec<Vec<u8>> = Vec::new();
    for path in &args.files {
        let bytes = files::read(path, model::JSON_BYTES_MAX)?;
        let before = details.iter().position(|other| *other == bytes);
        if let Some(first) = before.and_then(|at| args.files.get(at)) {
            said_before(path, first)?;
        }
        details.push(bytes);
    }
    let origin = Origin {
        reference: args.reference.clone(),
        created: rfc3339(Clock::System.now_ms()),
    };
    model::import(report, &details, &origin).map_err(|(at, error)| {
        let path = at.and_then(|at| args.files.get(at)).unwrap_or(&args.file);
        let what = format!("{} cannot be imported", path.display());
        Failure::new(WireCode::BadInput, what)
            .because(&error)
            .advise("Give the XML of one <report>, and of each file one <fileDetails>: frex report import FILE.xml --files DETAILS.xml --out REPORT.frexreport")
    })
}

/// What is said of a file a second time makes a second item. Of one that is named twice that is a slip; another
/// one may say the same of a second file.
fn said_before(path: &Path, first: &Path) -> Result<(), Failure> {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if whole(path) == whole(first) {
        let what = format!("{} is named twice after --files", path.display());
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("each names the details of one file, which becomes one item of the report")
            .advise("Name it once"));
    }
    output::message(format_args!(
        "note: {} says the same as {}: two equal items are made; if they are one file, leave one of them out",
        path.display(),
        first.display()
    ));
    Ok(())
}
