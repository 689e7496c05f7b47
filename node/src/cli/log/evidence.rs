//! `frex log evidence`: what logs have signed against themselves, verified. Asks nobody. Spec: WIT-10.

use std::{collections::BTreeMap, path::Path};

use frex_client::{environment::Clock, membership::store::EVIDENCE_DIR};
use frex_proto::{
    limits,
    log::{ANY_TIME_MS, Checkpoint, Origin, SignedNote, checkpoint},
    roster::Roster,
};
use serde_json::{Value, json};

use crate::{
    cli::{
        failure::{Done, OrFail},
        files, output,
    },
    home::{CONFIG_FILE, NodeHome},
    witness::evidence::{CHECKPOINT, names},
};

/// Lists what is kept, each with what it proves.
pub fn evidence(dir: &Path, json: bool) -> Done {
    let home = files::home(dir, "node", CONFIG_FILE)?;
    let now_ms = Clock::System.now_ms();
    let roster = NodeHome::held_roster(&home, now_ms).or_fail("cannot read the roster")?;
    let folder = home.join(EVIDENCE_DIR);
    let mut found: BTreeMap<String, Vec<(Checkpoint, Vec<u8>, String)>> = BTreeMap::new();
    for path in files::with_extension(&folder, CHECKPOINT)? {
        let note = files::read(&path, limits::CHECKPOINT_BYTES_MAX)?;
        let head = SignedNote::parse(&note)
            .ok()
            .and_then(|note| Checkpoint::parse_text(note.text()).ok());
        if let Some(head) = head {
            let file = path.display().to_string();
            found
                .entry(head.origin.clone())
                .or_default()
                .push((head, note, file));
        }
    }
    let rows: Vec<Value> = found
        .iter()
        .filter_map(|(origin, kept)| row(origin, kept, &roster))
        .collect();
    if json {
        output::document(json!({ "forks": rows }));
    } else {
        print(&rows, &folder);
    }
    Ok(0)
}

/// What the two checkpoints of one log prove; nothing where there are not two under its names.
fn row(origin: &str, kept: &[(Checkpoint, Vec<u8>, String)], roster: &Roster) -> Option<Value> {
    let named = |name: &String| {
        kept.iter()
            .find(|(_, _, file)| file.contains(name.as_str()))
    };
    let [first, second] = names(origin);
    let pair = [named(&first)?, named(&second)?];
    let node = Origin::parse(origin).ok()?.node.to_owned();
    let log = roster.log_verifier(&node);
    let signed = |note: &[u8]| {
        log.as_ref()
            .is_some_and(|log| checkpoint::parse_and_verify(note, log, ANY_TIME_MS).is_ok())
    };
    let [(one, ..), (other, ..)] = pair;
    let proven = one.size == other.size
        && one.root != other.root
        && pair.iter().all(|(_, note, _)| signed(note));
    Some(json!({
        "origin": origin, "node": node, "size": one.size, "proven": proven,
        "roots": pair.map(|(head, ..)| hex::encode(head.root)),
        "files": pair.map(|(_, _, file)| file.clone()),
    }))
}

fn print(rows: &[Value], folder: &Path) {
    if rows.is_empty() {
        return output::message(format_args!(
            "no log has signed two histories, as far as this node has seen; evidence would be in {}",
            folder.display()
        ));
    }
    for row in rows {
        let verdict = match row["proven"] == true {
            true => output::bad("PROVEN"),
            false => "not proven by the roster in force".to_owned(),
        };
        let node = output::clean(row["node"].as_str().unwrap_or_default());
        output::data(format_args!(
            "{node} has signed two histories of its log, both of {} entries   {verdict}",
            row["size"]
        ));
        let pairs = ["roots", "files"].map(|field| row[field].as_array().into_iter().flatten());
        let [roots, kept] = pairs;
        for (root, file) in roots.zip(kept) {
            let text = |value: &Value| output::clean(value.as_str().unwrap_or_default());
            output::data(format_args!("  root {}   {}", text(root), text(file)));
        }
    }
    output::message(
        "Show both files to the governance and to other members: they need nothing else to see it.",
    );
}
