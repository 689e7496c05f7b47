//! Deliveries that ended without getting there, kept beside the message for `frex show`: the home
//! node says so, and no receipt proves it.

use frex_client::{client::GivenUp, environment::Clock, keys::MemberHome};
use frex_proto::{delivery::Stage, error::WireCode, id::MessageId, roster::Roster};
use serde_json::{Value, json};

use super::{failure::Failure, messages, output, time::rfc3339};

/// Field of what is kept of a sent message.
pub const GIVEN_UP: &str = "given_up";

/// One delivery as it is kept and shown, with those of `missing` whom that node serves.
#[must_use]
pub fn row<'a>(
    told: &GivenUp,
    roster: &Roster,
    missing: impl IntoIterator<Item = &'a String>,
) -> Value {
    let node = told.node.as_deref();
    let served = |member: &&String| node.is_some_and(|node| roster.is_served_by(member, node));
    let members: Vec<&String> = missing.into_iter().filter(served).collect();
    json!({
        "node": node, "members": members, "code": told.code as u16,
        "code_name": told.code.info().name, "heard": rfc3339(Clock::System.now_ms()),
    })
}

/// Why it was given up, as a row says.
#[must_use]
pub fn code(row: &Value) -> WireCode {
    let number = row["code"].as_u64();
    WireCode::from_number(
        number
            .and_then(|code| code.try_into().ok())
            .unwrap_or_default(),
    )
}

/// How far that is. Spec: DEL-5.
#[must_use]
pub fn stage(code: WireCode) -> Stage {
    match code {
        WireCode::Expired => Stage::Expired,
        WireCode::Recalled => Stage::Recalled,
        _ => Stage::Undeliverable,
    }
}

/// What a row says, for people.
#[must_use]
pub fn text(row: &Value) -> String {
    let members = row["members"].as_array().into_iter().flatten();
    let members: Vec<String> = members
        .filter_map(Value::as_str)
        .map(output::clean)
        .collect();
    let whom = match members.is_empty() {
        true => String::new(),
        false => format!(", for {}", members.join(", ")),
    };
    format!("{}{whom}: {}", place(row["node"].as_str()), code(row))
}

/// What the home node says of one delivery, for people.
#[must_use]
pub fn note(node: Option<&str>, code: WireCode) -> String {
    format!("delivery to {} was given up: {code}", place(node))
}

/// Keeps all that the home node tells of a message, in the place of what it told before.
///
/// # Errors
/// What is kept of the message cannot be changed.
pub fn keep_all(home: &MemberHome, message: MessageId, rows: &[Value]) -> Result<(), Failure> {
    messages::change_sent(home, &message.to_string(), |about| {
        // The time alone is no news.
        let told = |rows: &[Value]| -> Vec<[Value; 3]> {
            let parts = |row: &Value| ["node", "members", "code"].map(|field| row[field].clone());
            rows.iter().map(parts).collect()
        };
        let before = about[GIVEN_UP].as_array().cloned().unwrap_or_default();
        if told(&before) != told(rows) {
            about[GIVEN_UP] = rows.into();
        }
    })
}

/// Keeps that a delivery ended, for those of the message's recipients whom that node serves.
///
/// # Errors
/// What is kept of the message cannot be changed.
pub fn keep_of(
    home: &MemberHome,
    message: MessageId,
    told: &GivenUp,
    roster: &Roster,
) -> Result<(), Failure> {
    messages::change_sent(home, &message.to_string(), |about| {
        let names = about["recipients"].as_array().into_iter().flatten();
        let names: Vec<String> = names
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        put(about, row(told, roster, &names));
    })
}

/// Keeps what was heard of one delivery beside what was heard of others.
///
/// # Errors
/// What is kept of the message cannot be changed.
pub fn keep(home: &MemberHome, message: MessageId, row: &Value) -> Result<(), Failure> {
    messages::change_sent(home, &message.to_string(), |about| {
        put(about, row.clone());
    })
}

/// A delivery waits again: it is not given up any more.
///
/// # Errors
/// What is kept of the message cannot be changed.
pub fn forget(home: &MemberHome, message: MessageId, node: &str) -> Result<(), Failure> {
    messages::change_sent(home, &message.to_string(), |about| {
        if about[GIVEN_UP].is_array() {
            about[GIVEN_UP] = others(about, Some(node)).into();
        }
    })
}

fn put(about: &mut Value, row: Value) {
    let mut rows = others(about, row["node"].as_str());
    rows.push(row);
    about[GIVEN_UP] = rows.into();
}

fn others(about: &Value, node: Option<&str>) -> Vec<Value> {
    let rows = about[GIVEN_UP].as_array().into_iter().flatten();
    let others = rows.filter(|row| row["node"].as_str() != node);
    others.cloned().collect()
}

fn place(node: Option<&str>) -> String {
    node.map_or_else(|| "one of the nodes".to_owned(), output::clean)
}
