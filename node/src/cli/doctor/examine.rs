//! Every check of a folder, in the order in which one rests on the other.

use std::path::Path;

use frex_client::{
    environment::Clock,
    keys::{MEMBER_FILE, MemberHome},
    passphrase::Unlock,
};
use frex_proto::{error::WireCode, log::Checkpoint, roster::Roster};

use super::{
    DoctorArgs, Folder, Format, Kind, Outcome, Row, agreement, backup, disk, evidence, folder,
    live, log_key, reach, report, roster, witness_key,
};
use crate::{
    cli::{
        failure::{Done, Failure},
        files, passphrase,
    },
    config::NodeConfig,
    disk::RealDisk,
    home::{CONFIG_FILE, NodeHome},
};

/// What was found of a member or a node, as far as it could be read.
struct Found {
    folder: Folder,
    roster: Option<Roster>,
    credentials: bool,
}

/// Looks over a folder. Spec: CLI-10.
pub fn doctor(args: &DoctorArgs, json: bool) -> Done {
    let default = if json { Format::Json } else { Format::Text };
    let rows = examine(&args.dir)?;
    report::print(&rows, args.format.unwrap_or(default));
    let failed = rows.iter().find_map(|row| match row.outcome {
        Outcome::Fail(code) => Some(code),
        _ => None,
    });
    Ok(failed.map_or(0, |code| code.info().exit))
}

fn examine(dir: &Path) -> Result<Vec<Row>, Failure> {
    let (unlock, now_ms) = (passphrase::unlock_unasked(), Clock::System.now_ms());
    let member = files::home(dir, "member", MEMBER_FILE);
    let node = files::home(dir, "node", CONFIG_FILE);
    let (member, node) = match (member, node) {
        (Err(failure), Err(_)) => return Err(failure),
        (member, node) => (member.ok(), node.ok()),
    };
    let mut rows = Vec::new();
    let member = member.and_then(|home| member_found(&home, &unlock, now_ms, &mut rows));
    let node = node.and_then(|home| node_found(&home, &unlock, now_ms, &mut rows));
    let own = node.as_ref().map(|(found, config)| reach::Own {
        node: config.node.clone(),
        published: node_rows(found, config, now_ms, &mut rows),
    });
    let node = node.map(|(found, _)| found);
    let mut targets = Vec::new();
    for found in [member, node].iter().flatten() {
        let Some(roster) = &found.roster else {
            continue;
        };
        let (folder, credentials) = (&found.folder, found.credentials);
        match reach::targets(folder, roster, credentials, &unlock, own.as_ref()) {
            Ok(more) => targets.extend(more),
            Err(skipped) => rows.extend(skipped),
        }
    }
    rows.extend(reach::examine(targets, dir)?);
    Ok(rows)
}

fn member_found(home: &Path, unlock: &Unlock, now_ms: u64, rows: &mut Vec<Row>) -> Option<Found> {
    match MemberHome::open(home) {
        Ok(member) => {
            let settings = member.settings();
            let found = format!("{}, served by {}", settings.member, settings.home_node);
            rows.push(Row::ok("member settings", found));
            let credentials = settings.keys_from_credentials;
            let mut folder =
                folder::read(Kind::Member, home, &settings.member, credentials, unlock);
            folder.home_node = Some(settings.home_node.clone());
            Some(examined(folder, credentials, now_ms, rows))
        }
        Err(error) => {
            let mend = format!("Mend {}", home.join(MEMBER_FILE).display());
            let (code, found) = (WireCode::from(&error), error.to_string());
            rows.push(Row::fail("member settings", code, one_line(&found), mend));
            None
        }
    }
}

fn node_found(
    home: &Path,
    unlock: &Unlock,
    now_ms: u64,
    rows: &mut Vec<Row>,
) -> Option<(Found, NodeConfig)> {
    match NodeHome::config(home) {
        Ok(config) => {
            let found = format!("{}, listens on {}", config.node, config.listen);
            rows.push(Row::ok("node settings", found));
            let credentials = config.keys_from_credentials;
            let folder = folder::read(Kind::Node, home, &config.node, credentials, unlock);
            Some((examined(folder, credentials, now_ms, rows), config))
        }
        Err(error) => {
            let mend = format!("Mend {}", home.join(CONFIG_FILE).display());
            let (code, found) = (WireCode::from(&error), error.to_string());
            rows.push(Row::fail("node settings", code, one_line(&found), mend));
            None
        }
    }
}

/// The checks that a member's and a node's folder have in common.
fn examined(folder: Folder, credentials: bool, now_ms: u64, rows: &mut Vec<Row>) -> Found {
    rows.push(folder::modes(&folder));
    rows.push(folder::keys(&folder, now_ms));
    rows.extend(folder::token(&folder));
    let (judged, roster) = roster::examine(&folder, now_ms);
    rows.extend(judged);
    rows.push(evidence::examine(&folder));
    Found {
        folder,
        roster,
        credentials,
    }
}

/// The checks of a node alone; gives what it has published.
fn node_rows(
    found: &Found,
    config: &NodeConfig,
    now_ms: u64,
    rows: &mut Vec<Row>,
) -> Option<Checkpoint> {
    let (home, roster) = (&found.folder.path, found.roster.as_ref());
    rows.extend(folder::alert_command(&found.folder, config));
    rows.extend(live::examine(&found.folder, config, roster, now_ms));
    rows.push(log_key::examine(&found.folder, roster, now_ms));
    rows.push(witness_key::examine(&found.folder, roster));
    rows.extend(disk::examine(&RealDisk, home, config));
    rows.push(backup::examine(&RealDisk, home, now_ms));
    let (row, published) = agreement::published(&found.folder, roster);
    rows.push(row);
    published
}

/// What is wrong in a settings file is told with the line that has it, over several lines.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
