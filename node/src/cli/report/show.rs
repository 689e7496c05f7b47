//! `frex report show`: what a report says, as text: nothing in it is followed, opened or rendered.

use serde_json::json;

use super::{ShowArgs, read_report};
use crate::cli::{failure::Done, output};

/// Shows a report, also one that is not right yet.
pub fn show(args: &ShowArgs, json: bool) -> Done {
    let report = read_report(&args.file)?;
    if json {
        output::document(json!({"file": args.file, "report": report.to_json()}));
    } else {
        for line in report.to_json_text().lines() {
            output::data(output::clean(line));
        }
    }
    let faults = report.check().err().unwrap_or_default();
    let count = faults.problems.len() + faults.further;
    if count > 0 {
        output::message(format_args!(
            "note: {}, listed by: frex report check {}",
            output::counted(count, "fault"),
            args.file.display(),
        ));
    }
    Ok(0)
}
