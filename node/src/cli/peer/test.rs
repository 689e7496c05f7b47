//! `frex peer test`: every step of the way to a node, by name, with what mends it.

use std::sync::Arc;

use frex_client::{environment::Clock, keys::MEMBER_FILE};
use frex_proto::{error::WireCode, limits, roster::Peer};
use serde_json::{Value, json};

use super::PeerTestArgs;
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, member, output, passphrase,
        way::{self, Asker, Outcome, STEPS, Stop},
    },
    home::{CONFIG_FILE, NodeHome},
};

/// A difference of clocks that is worth mending, long before it is refused.
const CLOCK_DIFFERENCE_MS_MAX: u64 = 30_000;

/// Connects to a node and reports each step.
pub fn test(args: &PeerTestArgs, json: bool) -> Done {
    let us = us(args)?;
    let node = us.roster.node(&args.node).cloned().ok_or_else(|| {
        let what = format!("the roster lists no node {}", output::clean(&args.node));
        let roster = args.dir.join("node/roster.frex");
        Failure::new(WireCode::NotFound, what)
            .advise(format!("frex roster show {}", roster.display()))
    })?;
    let id = node.id.clone();
    let walk = way::walk(Arc::new(us), node, 0, &args.dir);
    let mut outcome = member::runtime()?.block_on(walk);
    judge_clock(&mut outcome);
    let exit = outcome
        .failed
        .as_ref()
        .map_or(0, |stop| stop.code.info().exit);
    report(&id, &outcome, json);
    Ok(exit)
}

/// A node asks as itself; a member that another's node serves can only ask that one.
fn us(args: &PeerTestArgs) -> Result<Asker, Failure> {
    if let Ok(dir) = files::home(&args.dir, "node", CONFIG_FILE) {
        let node = NodeHome::open(&dir, Clock::System.now_ms(), &passphrase::unlock())
            .or_fail("cannot open the node")?;
        return Ok(Asker {
            peer: Peer::Node(node.config.node),
            key: node.tls_key,
            roster: node.roster,
        });
    }
    files::home(&args.dir, "member", MEMBER_FILE)?;
    let home = member::open(&args.dir)?;
    Ok(Asker {
        peer: Peer::Client(home.settings().member.clone()),
        key: member::keys(&home)?.tls,
        roster: member::roster(&home)?,
    })
}

/// The last step.
fn judge_clock(outcome: &mut Outcome) {
    let (Some(met), None) = (&outcome.met, &outcome.failed) else {
        return;
    };
    let offset_ms = met.clock_offset_ms;
    if offset_ms.unsigned_abs() <= CLOCK_DIFFERENCE_MS_MAX {
        outcome.found.push(format!("{offset_ms:+} ms"));
        return;
    }
    outcome.failed = Some(Stop {
        code: WireCode::FutureDated,
        why: format!(
            "their clock is {offset_ms} ms from ours, and {} ms are refused",
            limits::CLOCK_SKEW_MS_MAX
        ),
        mend: way::SET_CLOCK.to_owned(),
    });
}

fn report(node: &str, outcome: &Outcome, json: bool) {
    let rows: Vec<Value> = STEPS
        .iter()
        .enumerate()
        .map(|(step, name)| match outcome.found.get(step) {
            Some(found) => json!({ "step": name, "ok": true, "found": found }),
            None => match &outcome.failed {
                Some(Stop { code, why, mend }) if step == outcome.found.len() => {
                    json!({ "step": name, "ok": false, "found": why, "code": code.info().name, "try": mend })
                }
                _ => json!({ "step": name, "ok": null }),
            },
        })
        .collect();
    if json {
        let ok = outcome.failed.is_none();
        return output::document(json!({ "node": node, "ok": ok, "steps": rows }));
    }
    for row in &rows {
        let text = |field: &str| row[field].as_str().unwrap_or_default();
        let mark = match row["ok"].as_bool() {
            Some(true) => "ok  ",
            Some(false) => "fail",
            None => "-   ",
        };
        let line = format!("{mark}  {:<28}{}", text("step"), text("found"));
        output::data(line.trim_end());
        if row["ok"] == false {
            output::data(format_args!("      try: {}", text("try")));
        }
    }
}
