//! `frex attachment ls`: what came with a report, from this folder alone.

use serde_json::{Value, json};

use super::{AttachmentLsArgs, received::Received};
use crate::cli::{failure::Done, member, output};

/// Lists the files of one report.
pub fn list(args: &AttachmentLsArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let received = Received::find(&home, &args.id)?;
    let rows = received.about["attachments"].as_array().cloned();
    print(&rows.unwrap_or_default(), json);
    Ok(0)
}

/// Prints rows as `frex inbox` keeps them.
pub fn print(rows: &[Value], json: bool) {
    if json {
        return output::document(json!({ "attachments": rows }));
    }
    let mut table = output::table(&["NUMBER", "NAME", "BYTES", "STATE", "FILE"]);
    for row in rows {
        let text = |field: &str| match &row[field] {
            Value::String(text) => output::clean(text),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        table.add_row([
            text("number"),
            text("name"),
            text("bytes"),
            text("state"),
            text("file"),
        ]);
    }
    output::print_table(&table);
}
