//! Whether the node runs, answers, has the roster that is installed, and gets rid of its mail.

use std::path::Path;

use frex_proto::{error::WireCode, roster::Roster};
use serde_json::Value;

use super::{Folder, Row};
use crate::{
    cli::{output, status, time::rfc3339},
    config::NodeConfig,
    home::{DirLock, NodeHomeError},
};

/// So many deliveries to one node pile up only if they do not arrive.
const WAITING_WARN: u64 = 1000;

/// Witnesses that are restarted or updated are away for less.
const UNWITNESSED_WARN_MS: u64 = 10 * 60 * 1000;

/// What a running node says of itself; rows that cannot be had from one that does not are skipped.
pub fn examine(
    folder: &Folder,
    config: &NodeConfig,
    roster: Option<&Roster>,
    now_ms: u64,
) -> Vec<Row> {
    let home = &folder.path;
    let run = format!("frex run {}", home.display());
    let (running, row) = match DirLock::take(home) {
        Err(NodeHomeError::Locked { .. }) => (true, Row::ok("node running", "a process holds it")),
        Ok(_) => (
            false,
            Row::fail(
                "node running",
                WireCode::Unreachable,
                "no process runs it",
                &run,
            ),
        ),
        Err(error) => {
            let text = error.to_string();
            let mend = format!("See whose the folder is: ls -l {}", home.display());
            (false, Row::fail("node running", error.into(), text, mend))
        }
    };
    let mut rows = vec![row];
    let said = match (running, config.metrics) {
        (false, _) => Err("the node does not run"),
        (true, None) => Err("frex.toml names no metrics address to ask at"),
        (true, Some(address)) => Ok(status::ask(address)),
    };
    match said {
        Err(why) => rows.extend(CHECKS.map(|check| Row::skip(check, why))),
        Ok(None) => {
            let found = "nothing answers at the metrics address";
            let mend = format!("See what it logs, and start it anew: {run}");
            rows.push(Row::fail(CHECKS[0], WireCode::TimedOut, found, mend));
            let why = "the node does not answer";
            rows.extend(CHECKS[1..].iter().map(|check| Row::skip(*check, why)));
        }
        Ok(Some(said)) => rows.extend([
            answers(&said, config, now_ms, &run),
            roster_used(&said, roster, &run),
            outbox(&said, home),
            keys_used(&said, folder, &run),
            witnessed(&said, now_ms, home),
            believed(&said, home),
        ]),
    }
    rows
}

const CHECKS: [&str; 6] = [
    "node answers",
    "node roster in use",
    "node outbox",
    "node keys in use",
    "node log witnessed",
    "logs of other nodes",
];

fn answers(said: &Value, config: &NodeConfig, now_ms: u64, run: &str) -> Row {
    if said["node"] != config.node.as_str() {
        let found = "another program answers at the metrics address";
        let mend = format!("Choose another `metrics` address in frex.toml, then: {run}");
        return Row::fail(CHECKS[0], WireCode::BadConfig, found, mend);
    }
    let up_ms = said["uptime_ms"].as_u64().unwrap_or_default();
    let since = rfc3339(now_ms.saturating_sub(up_ms));
    let size = &said["log_size"];
    Row::ok(CHECKS[0], format!("up since {since}, {size} log entries"))
}

fn roster_used(said: &Value, roster: Option<&Roster>, run: &str) -> Row {
    let Some(installed) = roster.map(Roster::version) else {
        return Row::skip(CHECKS[1], "the installed one cannot be read");
    };
    let used = said["roster_version"].as_u64().unwrap_or_default();
    if used == installed {
        return Row::ok(CHECKS[1], format!("version {used}, as installed"));
    }
    let found = format!("version {used}, and {installed} is installed");
    let mend = format!("Wait some seconds; if it stays, stop the node and start it anew: {run}");
    Row::warn(CHECKS[1], found, mend)
}

fn outbox(said: &Value, home: &Path) -> Row {
    let none = Vec::new();
    let waiting = said["outbox"].as_array().unwrap_or(&none).iter();
    let most = waiting
        .filter_map(|row| {
            Some((
                row["count"].as_u64()?,
                output::clean(row["owner"].as_str()?),
            ))
        })
        .max();
    let Some((count, node)) = most else {
        return Row::ok(CHECKS[2], "nothing waits for another node");
    };
    let mut found = format!("at most {count} wait for one node, {node}");
    let late = said["half_life"].as_array().unwrap_or(&none).iter();
    let late: u64 = late.filter_map(|row| row["count"].as_u64()).sum();
    if late > 0 {
        found.push_str(&format!("; {late} are past half of their life"));
        // The member that may ask lies beside the node.
        let dir = home.parent().unwrap_or(home).display();
        let mend = format!("frex outbox ls --waiting --all {dir}");
        return Row::warn(CHECKS[2], found, mend);
    }
    match count >= WAITING_WARN {
        true => Row::warn(
            CHECKS[2],
            found,
            format!("frex peer test {node} {}", home.display()),
        ),
        false => Row::ok(CHECKS[2], found),
    }
}

/// Receipts of entries that too few witnesses have seen are provisional.
fn witnessed(said: &Value, now_ms: u64, home: &Path) -> Row {
    let Some(size) = said["final_size"].as_u64() else {
        return Row::skip(CHECKS[4], "the roster names no witnesses");
    };
    let found = format!("{size} of {} entries are final", said["log_size"]);
    let since_ms = said["unwitnessed_since_ms"].as_u64().unwrap_or(now_ms);
    match now_ms.saturating_sub(since_ms) > UNWITNESSED_WARN_MS {
        false => Row::ok(CHECKS[4], found),
        true => Row::warn(
            CHECKS[4],
            format!(
                "{found}; the others have waited since {}",
                rfc3339(since_ms)
            ),
            format!(
                "See which witnesses are named: frex roster show {0}; and whether they are reached: frex peer test NODE {0}",
                home.parent().unwrap_or(home).display()
            ),
        ),
    }
}

/// Logs that have signed two histories, or do not prove that they extend what they have shown.
fn believed(said: &Value, home: &Path) -> Row {
    let none = Vec::new();
    let names = |field: &str, name: fn(&Value) -> Option<&str>| {
        let rows = said[field].as_array().unwrap_or(&none).iter();
        let names: Vec<String> = rows.filter_map(name).map(output::clean).collect();
        names.join(", ")
    };
    let forked = names("forked_logs", Value::as_str);
    if !forked.is_empty() {
        let found = format!("two histories were signed by {forked}");
        let mend = format!(
            "Show both to the governance, which decides: frex log evidence {}",
            home.display()
        );
        return Row::fail(CHECKS[5], WireCode::Forked, found, mend);
    }
    let doubted = names("doubted_logs", |row| row["node"].as_str());
    if doubted.is_empty() {
        return Row::ok(
            CHECKS[5],
            "each extends what it has shown, as far as was seen",
        );
    }
    Row::warn(
        CHECKS[5],
        format!("no proof that it extends what it has shown came from {doubted}"),
        "Ask its operator whether an older copy was brought back, and tell the governance",
    )
}

/// Keys are taken up at the start: one that was put in use since waits for the next.
fn keys_used(said: &Value, folder: &Folder, run: &str) -> Row {
    let other = folder.keys.iter().find(|(name, text)| {
        let field = name.replace(".key", "_key");
        let used = said[field.as_str()].as_str();
        let held = text.as_ref().ok().and_then(|text| text.public());
        let held = held.map(|public| public.key_id().to_string());
        matches!((used, held), (Some(used), Some(held)) if used != held)
    });
    match other {
        None => Row::ok(CHECKS[3], "those of the files"),
        Some((name, _)) => Row::warn(
            CHECKS[3],
            format!("the node runs with the key before the one in {name}"),
            format!("Stop the node and start it again, before that key ends: {run}"),
        ),
    }
}
