//! `frex report check`: everything that is wrong with a report, by its path.

use frex_client::{
    casework::{
        cybertip::{self, Form},
        model::{Origin, import},
    },
    report::{Problem, ReportErrors},
};
use frex_proto::error::WireCode;
use serde_json::json;

use super::{CheckArgs, Found, read};
use crate::cli::{
    failure::{Done, Failure},
    output,
};

/// A time for a report that is only looked at.
const SOME_TIME: &str = "2000-01-01T00:00:00Z";

/// Judges a file and lists every fault. Says nothing of what the report says.
pub fn check(args: &CheckArgs, json: bool) -> Done {
    let (form, judged) = match read(&args.file)? {
        // What else version 1 judges it has judged when it was read.
        Found::First(report) => ("JSON, version 1", report.misspelt()),
        Found::Second(report) => ("version 2", report.check()),
        Found::Document(form, bytes) => ("CyberTipline XML", document(form, &bytes)?),
    };
    let errors = judged.err().unwrap_or_default();
    let holds = errors.problems.is_empty();
    if json {
        let row = |problem: &Problem| {
            json!({
                "path": problem.path, "found": problem.found, "expected": problem.expected,
            })
        };
        let problems: Vec<_> = errors.problems.iter().map(row).collect();
        output::document(json!({
            "file": args.file, "form": form, "holds": holds,
            "problems": problems, "further": errors.further,
        }));
    } else if holds {
        output::data(format_args!(
            "{}  {form}: {}",
            args.file.display(),
            output::good("ok")
        ));
    } else {
        for line in errors.to_string().lines() {
            output::data(line);
        }
    }
    match holds {
        true => Ok(0),
        false => Ok(WireCode::BadInput.info().exit),
    }
}

/// Judges what an import would make of a document.
fn document(form: Form, bytes: &[u8]) -> Result<Result<(), ReportErrors>, Failure> {
    let failed = |error: cybertip::ImportError| {
        Failure::new(WireCode::BadInput, "the document cannot be carried").because(&error)
    };
    let origin = Origin {
        reference: None,
        created: SOME_TIME.to_owned(),
    };
    let imported = match form {
        Form::Report => import(bytes, &[], &origin),
        // The details of a file are judged in a report that says nothing else.
        Form::FileDetails => import(b"<report/>", &[bytes.to_vec()], &origin),
    };
    let imported = imported.map_err(|(_, error)| failed(error))?;
    Ok(imported.report.check())
}
