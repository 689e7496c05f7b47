//! `frex status`: what is in a directory, and what its node says if it runs.

use std::{
    io::{Read, Write},
    iter,
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use frex_client::{
    environment::Clock,
    keys::{KeyFileError, MEMBER_FILE, MemberHome},
};
use serde_json::{Value, json};

use super::{
    failure::{Done, Failure, OrFail},
    files, fingerprint,
    log::{LogFiles, WhichLog},
    output,
    time::rfc3339,
};
use crate::home::{CONFIG_FILE, DirLock, NodeHome, NodeHomeError};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Shows the member and the node of a directory.
pub fn status(dir: &Path, json: bool) -> Done {
    let member = files::home(dir, "member", MEMBER_FILE);
    let node = files::home(dir, "node", CONFIG_FILE);
    let (member, node) = match (member, node) {
        (Err(failure), Err(_)) => return Err(failure),
        (member, node) => (member.ok(), node.ok()),
    };
    let member = member.map(|home| member_status(&home)).transpose()?;
    let node = node.map(|home| node_status(&home)).transpose()?;
    if json {
        output::document(json!({ "member": member, "node": node }));
    } else {
        print("member", member.as_ref());
        print("node", node.as_ref());
    }
    Ok(0)
}

fn member_status(home: &Path) -> Result<Value, Failure> {
    let home = MemberHome::open(home).or_fail("cannot open the member")?;
    let keys = match home.public_keys() {
        Ok(keys) => Some(keys),
        // Only a service is handed credentials; whoever looks on is not.
        Err(KeyFileError::NoCredentials { .. }) => None,
        Err(error) => return Err(error).or_fail("cannot read the member's keys"),
    };
    let identity = keys.as_ref().and_then(|keys| keys.identity.clone());
    let sealing = keys.as_ref().and_then(|keys| keys.sealing.as_ref());
    let settings = home.settings();
    let roster = home.roster(Clock::System.now_ms());
    let roster = match &roster {
        Ok(roster) => roster_text(roster.version(), roster.expires_ms()),
        Err(_) if !home.roster_path().exists() => "none yet: frex roster install".to_owned(),
        Err(error) => error.to_string(),
    };
    Ok(json!({
        "id": settings.member, "name": settings.name, "federation": settings.federation,
        "home_node": settings.home_node, "roster": roster,
        "fingerprint": identity.map(|key| fingerprint::of_key(&key)),
        "sealing_key": sealing.map(|key| key.key_id().to_string()),
    }))
}

fn node_status(home: &Path) -> Result<Value, Failure> {
    let config = NodeHome::config(home).or_fail("cannot read the node's settings")?;
    let roster = match NodeHome::roster(home, Clock::System.now_ms()) {
        Ok(roster) => roster_text(roster.version(), roster.expires_ms()),
        Err(NodeHomeError::NoRoster { .. }) => "none yet: frex roster install".to_owned(),
        Err(error) => error.to_string(),
    };
    // Whoever holds the lock is the node; a free lock is given back at once.
    let running = matches!(DirLock::take(home), Err(NodeHomeError::Locked { .. }));
    let log = LogFiles::open(home, &WhichLog::ANY).ok();
    let live = match config.metrics {
        Some(address) if running => ask(address),
        _ => None,
    };
    Ok(json!({
        "id": config.node, "listen": config.listen, "running": running, "roster": roster,
        "log": log.as_ref().map(|log| log.head.origin.clone()),
        "published_size": log.as_ref().map_or(0, |log| log.head.size),
        "live": live,
    }))
}

fn roster_text(version: u64, expires_ms: u64) -> String {
    format!("version {version}, until {}", rfc3339(expires_ms))
}

/// The node's own words, if it answers.
pub fn ask(address: SocketAddr) -> Option<Value> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    let request = format!("GET /status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut answer)
        .ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let ok = head.starts_with("HTTP/1.1 200");
    ok.then(|| serde_json::from_str(body).ok())?
}

fn print(title: &str, fields: Option<&Value>) {
    let Some(Value::Object(fields)) = fields else {
        return;
    };
    output::data(title);
    for (name, value) in fields {
        if let (Value::Object(live), "live") = (value, name.as_str()) {
            for (name, value) in live {
                line(name, value);
            }
        } else if !value.is_null() {
            line(name, value);
        }
    }
}

fn line(name: &str, value: &Value) {
    for line in lines(name, value) {
        output::data(line);
    }
}

/// A field as it is printed: a value of several lines, as a checkpoint is, goes on below its beginning.
fn lines(name: &str, value: &Value) -> Vec<String> {
    let text = match value {
        Value::String(text) => text.trim_end().to_owned(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        other => other.to_string(),
    };
    let names = iter::once(name).chain(iter::repeat(""));
    let lines = text.split('\n').zip(names).map(|(text, name)| {
        let line = format!("  {name:<16} {}", output::clean(text));
        line.trim_end().to_owned()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-1: whatever a node says, each line of it is one on the screen.
    #[test]
    fn a_checkpoint_is_printed_line_by_line() {
        let note = json!("frex/example/node.police.es/log/1\n1\nAAAA\n\n\u{2014} node AAAA\n");
        let printed = lines("checkpoint", &note);
        let (name, below) = (format!("  {:<16} ", "checkpoint"), " ".repeat(19));
        let wanted = [
            format!("{name}frex/example/node.police.es/log/1"),
            format!("{below}1"),
            format!("{below}AAAA"),
            String::new(),
            format!("{below}\u{2014} node AAAA"),
        ];
        assert_eq!(printed, wanted);
        assert_eq!(
            lines("inbox", &json!([])),
            [format!("  {:<16} none", "inbox")]
        );
        assert_eq!(lines("log", &json!("")), ["  log"]);
        let one = lines("roster", &json!("a\u{1b}[2Jb"));
        assert!(one.len() == 1 && !one[0].contains('\u{1b}'), "{one:?}");
    }
}
