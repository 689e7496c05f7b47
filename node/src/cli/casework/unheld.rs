//! Cases that nobody has: a report that each recipient has refused would otherwise look like nothing to do.
//! Spec: CSE-28, CSE-33.

use std::{collections::BTreeSet, path::Path};

use frex_client::casework::case::{Case, Said, What};
use frex_proto::id::MessageId;
use serde_json::{Value, json};

use super::{reports, say::Room};
use crate::cli::{output, receipt::fetch, route};

/// Cases that are named one by one.
const NAMED_MAX: usize = 5;

/// A case that nobody has, and the command that brings its report to another member.
pub fn of(room: &Room, case: &Case, dir: &Path) -> Value {
    let desk = &room.desk;
    let dir = dir.display();
    let id = case.id.to_string();
    let reports = case.said().filter(|said| said.what == What::Report);
    let reports: Vec<&Said> = reports.collect();
    let own = reports.iter().any(|said| said.key.from == desk.own);
    let sent = reports::sent(&room.rows, case.id).filter(|_| own);
    let command = match (sent, reports::to_pass_on(&room.rows, case.id)) {
        (Some(sent), _) => format!(
            "frex send {} --case {id} --to MEMBER{} --from {dir}",
            output::clean(sent["file"].as_str().unwrap_or("FILE")),
            fetch::options(sent)
        ),
        (None, Some(report)) => format!("frex forward {report} {dir} --to MEMBER"),
        (None, None) => format!("frex case show {} {dir}", &id[..8]),
    };
    let is_gone = |member: &&String| {
        let party = desk.setting.members.get(*member);
        party.is_some_and(|party| party.gone)
    };
    let gone = reports.iter().flat_map(|said| &said.to).filter(is_gone);
    let gone: BTreeSet<&String> = gone.collect();
    // A route gave each what it may have; whoever is named gets all of it.
    let note = sent.filter(|_| route::record_path(&room.home, MessageId(case.id.0)).exists());
    let note = note.map(|sent| {
        format!(
            "it went by a route, and --to sends all of it, also to who may have metadata only; who may have what: frex route {} {dir}",
            output::clean(sent["file"].as_str().unwrap_or("FILE"))
        )
    });
    json!({ "case": id, "no_live_member": gone, "try": command, "note": note })
}

/// Says so, with the commands.
pub fn print(rows: &[Value], dir: &Path) {
    for row in rows.iter().take(NAMED_MAX) {
        let text = |field: &str| row[field].as_str().unwrap_or_default();
        let gone = row["no_live_member"].as_array().into_iter().flatten();
        let gone: Vec<String> = gone
            .filter_map(|name| Some(output::clean(name.as_str()?)))
            .collect();
        let gone = match gone.is_empty() {
            true => String::new(),
            false => format!(" ({} is no live member any more)", gone.join(", ")),
        };
        output::message(format_args!(
            "nobody has case {}: everybody who got its report has refused it, or cannot have it{gone}. Bring it to another member:\n  {}",
            &text("case")[..8],
            text("try")
        ));
        if let Some(note) = row["note"].as_str() {
            output::message(format_args!("  note: {note}"));
        }
    }
    if let Some(more @ 1..) = rows.len().checked_sub(NAMED_MAX) {
        output::message(format_args!(
            "{more} more that nobody has:  frex case ls {} --state nobody",
            dir.display()
        ));
    }
}
