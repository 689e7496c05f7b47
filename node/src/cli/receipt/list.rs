//! `frex receipt ls`.

use std::{fs, path::Path};

use frex_proto::{log::Leaf, v1};
use prost::Message;
use serde_json::{Value, json};

use super::finality;
use crate::cli::{
    failure::{Done, Failure},
    member, output,
    time::rfc3339,
};

/// Lists the receipts of a member, oldest first.
pub fn list(dir: &Path, json: bool) -> Done {
    let home = member::open(dir)?;
    let folder = home.receipts_dir();
    // Without one nobody is a witness here.
    let roster = member::roster(&home).ok();
    let failed = |error| Failure::file("list", &folder, &error);
    let mut rows = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "tlog-proof")
        {
            continue;
        }
        let receipt = super::read(&path)?;
        let statement = v1::Statement::decode(receipt.statement.clone()).unwrap_or_default();
        let time_ms = Leaf::parse(&receipt.leaf).map_or(0, |leaf| leaf.time_ms());
        let lost = roster
            .as_ref()
            .is_some_and(|roster| member::is_lost(roster, &statement.node, &receipt));
        let finality = match &roster {
            Some(_) if lost => "lost".into(),
            Some(roster) => finality::word(roster, &receipt),
            None => Value::Null,
        };
        rows.push((time_ms, receipt.index, statement, path, finality));
    }
    rows.sort_by(|left, right| (left.0, left.1, &left.3).cmp(&(right.0, right.1, &right.3)));
    if json {
        let list: Vec<Value> = rows
            .iter()
            .map(|(time_ms, index, statement, path, finality)| {
                json!({
                    "file": path, "event": member::event_label(statement),
                    "outcome": member::outcome_of(statement), "node": statement.node,
                    "index": index, "time": rfc3339(*time_ms),
                    "message": hex::encode(&statement.message_id),
                    "envelope": hex::encode(&statement.envelope_id), "finality": finality,
                })
            })
            .collect();
        output::document(json!({ "receipts": list }));
        return Ok(0);
    }
    let mut table = output::table(&["TIME", "NODE", "WHAT", "WITNESSED", "MESSAGE", "FILE"]);
    for (time_ms, _, statement, path, finality) in &rows {
        table.add_row([
            rfc3339(*time_ms),
            output::clean(&statement.node),
            member::event_text(statement),
            finality.as_str().unwrap_or_default().to_owned(),
            hex::encode(&statement.message_id),
            path.display().to_string(),
        ]);
    }
    output::print_table(&table);
    if rows.iter().any(|row| row.4 == "lost") {
        output::message(
            "note: lost: by the roster the node has lost this entry with the end of a log; the receipt holds, but the report is not there any more: file it anew",
        );
    }
    output::message("note: listed as they say; check them with: frex receipt verify FILE");
    Ok(0)
}
