//! `frex log evidence`: what logs have signed against themselves, verified. Asks nobody. And how an
//! auditor keeps it. Spec: WIT-10, AUD-7.

use std::path::{Path, PathBuf};

use frex_client::{
    environment::Clock,
    heads::{CHECKPOINT, fork_names},
    membership::store::EVIDENCE_DIR,
};
use frex_proto::{
    error::WireCode,
    limits,
    log::{ANY_TIME_MS, Checkpoint, Origin, checkpoint},
    roster::Roster,
};
use serde_json::{Value, json};

use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, member, output,
    },
    home::{CONFIG_FILE, NodeHome},
};

/// What the names of two heads of one size begin with in an auditor's folder.
pub const FORK: &str = "fork";

/// What the names of two heads begin with of which the later does not begin with the earlier.
pub const REWRITTEN: &str = "rewritten";

/// What an auditor, who may have no node, does with them.
pub const SHOW_BOTH: &str =
    "Show both files to the governance and to other members: they need nothing else to see it";

/// Keeps two heads of one log that contradict each other in an auditor's folder.
///
/// # Errors
/// They cannot be written.
pub fn keep(state: &Path, kind: &str, heads: [&[u8]; 2]) -> Result<[PathBuf; 2], Failure> {
    let paths = [1, 2].map(|number| state.join(format!("{kind}-{number}.{CHECKPOINT}")));
    for (path, head) in paths.iter().zip(heads) {
        files::replace(path, head)?;
    }
    Ok(paths)
}

/// Refuses to go on with a log that was caught before, whatever it shows now. Spec: AUD-7.
///
/// # Errors
/// [`WireCode::Forked`] if evidence is kept in the auditor's folder.
pub fn refuse_caught(state: &Path) -> Result<(), Failure> {
    match files::with_extension(state, CHECKPOINT)?.first() {
        None => Ok(()),
        Some(path) => Err(Failure::new(
            WireCode::Forked,
            "this log was caught contradicting itself",
        )
        .cause(format!("the evidence is {}", path.display()))
        .advise(SHOW_BOTH)),
    }
}

/// Lists what is kept, each with what it proves.
pub fn evidence(dir: &Path, json: bool) -> Done {
    let (home, roster) = home(dir)?;
    let folder = home.join(EVIDENCE_DIR);
    let mut rows = Vec::new();
    for path in files::with_extension(&folder, CHECKPOINT)? {
        let Ok(head) = Checkpoint::of_note(&files::read(&path, limits::CHECKPOINT_BYTES_MAX)?)
        else {
            continue;
        };
        let pair = fork_names(&head.origin).map(|name| folder.join(format!("{name}.{CHECKPOINT}")));
        // Each pair is met twice: by its first file it is taken.
        if path == pair[0] && pair[1].is_file() {
            rows.push(row(&head.origin, &pair, &roster)?);
        }
    }
    if json {
        output::document(json!({ "forks": rows }));
    } else {
        print(&rows, &folder);
    }
    Ok(0)
}

/// The folder of a node or, where there is none, of a member, and the roster that it holds.
fn home(dir: &Path) -> Result<(PathBuf, Roster), Failure> {
    if let Ok(home) = files::home(dir, "node", CONFIG_FILE) {
        let roster = NodeHome::held_roster(&home, Clock::System.now_ms());
        return Ok((home, roster.or_fail("cannot read the roster")?));
    }
    let home = member::open(dir)?;
    let roster = member::roster(&home)?;
    Ok((home.dir().to_owned(), roster))
}

/// What the two checkpoints of one log prove.
fn row(origin: &str, pair: &[PathBuf; 2], roster: &Roster) -> Result<Value, Failure> {
    let node = Origin::parse(origin).map_or("", |origin| origin.node);
    let mut heads = Vec::new();
    let mut signed = true;
    for path in pair {
        let note = files::read(path, limits::CHECKPOINT_BYTES_MAX)?;
        // A log that has ended is proven by the keys that it had.
        let log = roster.log_verifier_for(node, &note);
        signed &= log.is_some_and(|log| {
            let verified = checkpoint::parse_and_verify(&note, &log, ANY_TIME_MS);
            verified.is_ok_and(|head| head.origin == origin)
        });
        heads.extend(Checkpoint::of_note(&note).ok());
    }
    let proven = match &heads[..] {
        [one, other] => signed && one.size == other.size && one.root != other.root,
        _ => false,
    };
    let roots: Vec<String> = heads.iter().map(|head| hex::encode(head.root)).collect();
    Ok(json!({
        "origin": origin, "node": node, "size": heads.first().map(|head| head.size),
        "proven": proven, "roots": roots, "files": pair,
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
    output::message(format_args!("{SHOW_BOTH}."));
}
