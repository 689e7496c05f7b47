//! The exchange itself: one report filed once, delivered to three, opened, acknowledged.

use std::fs;

use frex_client::environment::Clock;
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{PARTIES, Party, Row, Stage};
use crate::cli::{failure::Failure, time::rfc3339};

/// Files one report to every other party; gives the message id.
pub fn file(stage: &mut Stage) -> Result<String, Failure> {
    let path = stage.dir.join("report.json");
    let text = format!("{:#}\n", report());
    fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    let from = Stage::member_dir(&PARTIES[0]);
    let mut args = vec!["send", "report.json", "--from", &from, "--wait", "10s"];
    for party in &PARTIES[1..] {
        args.extend(["--to", party.id]);
    }
    let sent = stage.expect(0, &args)?;
    let message = sent["message"].as_str().unwrap_or_default().to_owned();
    stage.done(
        "send",
        &format!(
            "{} filed one report once; 3 nodes accepted it and logged that",
            PARTIES[0].id
        ),
    );
    Ok(message)
}

/// Every recipient fetches and opens it, and says so.
pub fn open(stage: &mut Stage) -> Result<(), Failure> {
    let sent = fs::read(stage.dir.join("report.json")).unwrap_or_default();
    for party in &PARTIES[1..] {
        let dir = Stage::member_dir(party);
        let read = stage.expect(0, &["inbox", &dir, "--wait", "10s", "--confirm", "opened"])?;
        let items = read["items"].as_array().cloned().unwrap_or_default();
        let file = items
            .first()
            .and_then(|item| item["file"].as_str())
            .unwrap_or_default();
        let opened = fs::read(stage.dir.join(file)).unwrap_or_default();
        if items.len() != 1 || opened != sent {
            let what = format!("{} did not get the report that was sent", party.id);
            return Err(Failure::new(WireCode::CannotOpen, what));
        }
    }
    stage.done(
        "inbox",
        "hotline, police and clearing house opened it; each stated OPENED under its own key",
    );
    Ok(())
}

/// The platform learns that all have opened it.
pub fn acknowledged(stage: &mut Stage, message: &str) -> Result<Vec<(Party, Row)>, Failure> {
    let dir = Stage::member_dir(&PARTIES[0]);
    let fetched = stage.expect(
        0,
        &[
            "receipt", "fetch", message, &dir, "--opened", "3", "--final", "--wait", "30s",
        ],
    )?;
    let empty = Vec::new();
    let receipts = fetched["receipts"].as_array().unwrap_or(&empty);
    let rows = PARTIES[1..]
        .iter()
        .map(|party| (*party, row(party, receipts)))
        .collect();
    stage.done(
        "acknowledged",
        &format!(
            "{} holds 3 signed statements that it was opened; every receipt is final, cosigned by 2 nodes",
            PARTIES[0].id
        ),
    );
    Ok(rows)
}

fn row(party: &Party, receipts: &[Value]) -> Row {
    let of = |wanted: &dyn Fn(&Value) -> bool| receipts.iter().find(|receipt| wanted(receipt));
    let time = |receipt: Option<&Value>| {
        let time = receipt
            .and_then(|receipt| receipt["time"].as_str())
            .unwrap_or_default();
        // The date is today's for every row.
        time.split_once('T')
            .map_or(time, |(_, time)| time)
            .to_owned()
    };
    let accepted = of(&|receipt| {
        let recipients = receipt["recipients"].as_array();
        receipt["event"] == "accepted"
            && recipients.is_some_and(|list| list.iter().any(|member| member == party.id))
    });
    let opened = of(&|receipt| receipt["member"] == party.id);
    let index = |receipt: Option<&Value>| {
        receipt
            .map(|receipt| format!("#{}", receipt["index"]))
            .unwrap_or_default()
    };
    Row {
        accepted: time(accepted),
        opened: time(opened),
        entry: format!("{} {}", index(accepted), index(opened)),
    }
}

/// A report as a platform files it. Everything in it is made up, and says so.
fn report() -> Value {
    let digest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let jurisdiction = |country: &str| json!({ "country": country, "basis": "user-location" });
    json!({
        "reference": "EXAMPLE-0001",
        "created": rfc3339(Clock::System.now_ms()),
        "urgency": { "level": "normal" },
        "language": "en",
        "categories": [{ "scheme": "example", "version": "1", "code": "synthetic" }],
        "description": "A made-up report of the demonstration. It describes nothing that exists.",
        "urls": [{ "url": "https://example.invalid/item/1" }],
        "hashes": [{ "algorithm": "sha256", "value": digest }],
        "jurisdictions": [jurisdiction("FR"), jurisdiction("ES"), jurisdiction("DE")],
    })
}
