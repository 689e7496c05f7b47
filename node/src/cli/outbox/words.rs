//! What keeps a delivery, in words: what happened, why, and what to do.

use std::path::Path;

use frex_client::client::Delivery;
use frex_proto::{
    error::WireCode,
    v1::{OutboxItem, OutboxState},
};

use crate::cli::time::rfc3339;

/// What a person reads about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub mend: String,
}

/// What to say of a delivery to those who type into `dir`. Spec: CLI-21.
pub fn of(delivery: &Delivery, dir: &Path) -> Words {
    let node = &delivery.node;
    let dir = dir.display();
    let test = format!("frex peer test {node} {dir}");
    let (what, mend) = match delivery.state {
        OutboxState::Waiting | OutboxState::Unspecified => (
            "its turn comes".to_owned(),
            "nothing: it goes out by itself".to_owned(),
        ),
        OutboxState::Resting => (
            format!("{node} has refused it, {}", tried(delivery)),
            advice(delivery),
        ),
        OutboxState::Withheld => (
            "it is held back here".to_owned(),
            format!("frex peer ls {dir}; then: frex peer resume MEMBER {dir}"),
        ),
        OutboxState::Unreachable if delivery.code == Some(WireCode::Unreachable) => {
            (format!("{node} is not reached, {}", tried(delivery)), test)
        }
        OutboxState::Unreachable => (
            format!("{node} takes nothing at present, {}", tried(delivery)),
            test,
        ),
        OutboxState::Dead => (ended(delivery), after_the_end(delivery, &dir.to_string())),
    };
    let why = match (delivery.state, delivery.code) {
        (OutboxState::Withheld, _) => {
            "this organisation has suspended the exchange with a recipient there".to_owned()
        }
        (_, None) => "nothing stands in its way".to_owned(),
        (_, Some(code)) => code.to_string(),
    };
    Words { what, why, mend }
}

fn tried(delivery: &Delivery) -> String {
    let times = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    match delivery.next_ms {
        Some(next_ms) => format!("{times}, the next at {}", rfc3339(next_ms)),
        None => times,
    }
}

fn advice(delivery: &Delivery) -> String {
    delivery
        .code
        .map_or("", |code| code.info().advice)
        .to_owned()
}

fn ended(delivery: &Delivery) -> String {
    let at = delivery
        .ended_ms
        .map_or_else(String::new, |ended_ms| format!(" at {}", rfc3339(ended_ms)));
    let what = match delivery.code {
        Some(WireCode::Expired) => "its time was over before the node there took it",
        Some(WireCode::Revoked) => "the node there was revoked",
        _ => "the node there refused it for good",
    };
    let after = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    format!("given up{at} after {after}: {what}")
}

fn after_the_end(delivery: &Delivery, dir: &str) -> String {
    let (message, node) = (delivery.message, &delivery.node);
    let drop = format!("frex outbox drop {message} {dir} --node {node} --confirm");
    let requeue = format!("frex outbox requeue {message} {dir} --node {node}");
    match (delivery.code, delivery.item) {
        (Some(WireCode::Expired), OutboxItem::Stage) => drop,
        (Some(WireCode::Expired), _) => {
            format!("file it anew: frex send; then: {drop}")
        }
        (Some(WireCode::Revoked), _) => {
            format!("send it to another member: frex send; then: {drop}")
        }
        _ => format!("once the cause is mended: {requeue}"),
    }
}
