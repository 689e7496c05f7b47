//! The federation from nothing, by the commands that people type: three organisations in three
//! countries found it and exchange, a fourth is invited, one changes every key while reports flow,
//! one is revoked while connected, and what a thief may hold opens nothing.
//!
//! `cargo test -p frex-tests --test membership -- --nocapture` tells what is done and how long it
//! takes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use frex_proto::error::WireCode;
use serde_json::Value;

use crate::script::{Script, code_of};

mod flow;
mod rosters;
mod script;

/// In how long three organisations exchange, from nothing.
const FOUNDED_WITHIN: Duration = Duration::from_secs(60);
/// In how long a revocation has cut whoever is connected.
const CUT_WITHIN: Duration = Duration::from_secs(5);

// ROS-26, ROS-29, ROS-30, JOI-9, JOI-13, JOI-14, ROS-21, ROS-27, DIS-9, FIL-14: the whole life of
// a federation, one act after the other.
#[test]
fn a_federation_is_founded_grows_changes_its_keys_and_revokes() {
    let mut script = Script::new();
    let began = Instant::now();
    script.tell("three people agree on a root, each with keys of their own");
    script.found();
    script.tell("three organisations are listed, and their nodes run");
    script.list_three();
    script.tell("one report, two recipients, receipts verified offline");
    let message = script.send("hotline", &["police.es", "clearing.de"]);
    script.verify(&message);
    let taken = began.elapsed();
    script.tell("verified");
    assert!(taken < FOUNDED_WITHIN, "{taken:?}");

    script.tell("a platform is invited, joins, and files a report");
    let spent = script.invite_platform();
    script.tell("who finds the used invitation, or an old roster, gets nowhere");
    script.thief_with_invitation(&spent);
    script.thief_with_roster();

    script.tell("the police change every key while reports flow");
    script.rotate_while_reports_flow();

    script.tell("the platform is revoked while it is connected");
    revoke_while_connected(&mut script);
    script.tell("done");
    script.stop();
}

/// The governance signs, one node hears of it, and goes offline; a connection elsewhere is cut.
fn revoke_while_connected(script: &mut Script) {
    let sessions = |live: &Value| live["sessions"].as_u64();
    let before = Cell::new(None);
    script.until("hotline", |live| {
        before.set(sessions(live));
        true
    });
    let mut waiting = script.wait_at_inbox("platform");
    script.until("hotline", |live| sessions(live) > before.get());
    let revised = script.agree(&["--revoke", "platform.ie"]);
    let began = Instant::now();
    let _ = script.frex.done(&["roster", "install", &revised, "police"]);
    let ended = waiting.wait();
    let taken = began.elapsed();
    assert_eq!(
        ended.exit,
        Some(i32::from(WireCode::Revoked.info().exit)),
        "{ended:?}"
    );
    assert_eq!(code_of(&ended), Some(WireCode::Revoked), "{ended:?}");
    assert!(taken < CUT_WITHIN, "{taken:?}");
    let refused = script.frex.run(&[
        "send",
        "report.json",
        "--to",
        "police.es",
        "--from",
        "platform",
    ]);
    assert_eq!(code_of(&refused), Some(WireCode::Revoked), "{refused:?}");
    let refused = script.frex.run(&[
        "send",
        "report.json",
        "--to",
        "platform.ie",
        "--from",
        "police",
    ]);
    assert_eq!(code_of(&refused), Some(WireCode::Revoked), "{refused:?}");
    // Those who stay go on.
    let message = script.send("hotline", &["police.es"]);
    script.verify(&message);
}
