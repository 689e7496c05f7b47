//! `frex peer suspend` and `frex peer resume`: with whom this organisation exchanges.

use std::path::{Path, PathBuf};

use frex_client::{
    environment::Clock,
    keys::{MEMBER_FILE, MemberHome},
};
use frex_proto::{error::WireCode, limits, roster::Roster};
use serde_json::json;

use super::{PeerResumeArgs, PeerSuspendArgs, print_plan};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, output,
        time::rfc3339,
    },
    home::{CONFIG_FILE, NodeHome},
    suspension::{Suspension, Suspensions},
};

/// Stops the exchange with a member at this organisation's node; nothing is lost by it.
/// Spec: DIS-12.
pub fn suspend(args: &PeerSuspendArgs, json: bool) -> Done {
    let reason = args.reason.trim();
    let most = limits::JOIN_REASON_BYTES_MAX;
    if !(1..=most).contains(&reason.len()) {
        let what = format!("a reason has 1 to {most} bytes");
        return Err(Failure::new(WireCode::BadInput, what)
            .advise("--reason 'their machine was broken into'"));
    }
    let node_dir = node_dir(&args.dir)?;
    let (roster, own) = known(&args.dir, &node_dir)?;
    let plan = plan(&args.id, &roster, own.as_deref(), &args.dir)?;
    let mut suspensions = Suspensions::load(&node_dir).or_fail("cannot read who is suspended")?;
    if !json {
        print_plan(&plan);
    }
    if !args.confirm {
        if json {
            output::document(json!({ "peer": args.id, "confirmed": false, "plan": plan }));
        } else {
            output::data("Nothing was changed. To do it:");
            output::data(format_args!(
                "  frex peer suspend {} {} --reason … --confirm",
                args.id,
                args.dir.display()
            ));
        }
        return Ok(0);
    }
    let suspension = Suspension {
        since_ms: Clock::System.now_ms(),
        reason: reason.to_owned(),
    };
    suspensions.add(&args.id, suspension);
    suspensions.save(&node_dir).or_fail("nobody is suspended")?;
    if json {
        output::document(json!({
            "peer": args.id, "confirmed": true, "suspended": true, "reason": reason,
        }));
    } else {
        output::data(format_args!("suspended  {}", args.id));
        output::data(format_args!(
            "To resume:\n  frex peer resume {} {}",
            args.id,
            args.dir.display()
        ));
    }
    Ok(0)
}

/// Takes the exchange up again; what waited goes on its way.
pub fn resume(args: &PeerResumeArgs, json: bool) -> Done {
    let node_dir = node_dir(&args.dir)?;
    let mut suspensions = Suspensions::load(&node_dir).or_fail("cannot read who is suspended")?;
    let Some(was) = suspensions.remove(&args.id) else {
        let what = format!("{} is not suspended here", output::clean(&args.id));
        return Err(Failure::new(WireCode::NotFound, what)
            .advise(format!("frex peer ls {}", args.dir.display())));
    };
    suspensions
        .save(&node_dir)
        .or_fail("the suspension stays")?;
    if json {
        output::document(json!({
            "peer": args.id, "suspended": false, "was_since": rfc3339(was.since_ms),
            "was_reason": was.reason,
        }));
    } else {
        output::data(format_args!(
            "resumed  {}, suspended since {}: {}",
            args.id,
            rfc3339(was.since_ms),
            output::clean(&was.reason)
        ));
    }
    Ok(0)
}

/// Who is suspended at the node in `dir`; nobody where there is no node.
///
/// # Errors
/// The list is there and cannot be read.
pub fn suspended(dir: &Path) -> Result<Suspensions, Failure> {
    match node_dir(dir) {
        Ok(node_dir) => Suspensions::load(&node_dir).or_fail("cannot read who is suspended"),
        Err(_) => Ok(Suspensions::default()),
    }
}

fn node_dir(dir: &Path) -> Result<PathBuf, Failure> {
    files::home(dir, "node", CONFIG_FILE).map_err(|failure| {
        failure.advise("A suspension is kept at the node: name the folder of the organisation whose node it is")
    })
}

/// The node's roster, and the id of the member in the same folder.
fn known(dir: &Path, node_dir: &Path) -> Result<(Roster, Option<String>), Failure> {
    let own = files::home(dir, "member", MEMBER_FILE)
        .ok()
        .and_then(|home| MemberHome::open(&home).ok())
        .map(|home| home.settings().member.clone());
    let roster = NodeHome::roster(node_dir, Clock::System.now_ms())
        .or_fail("cannot read the roster in force")?;
    Ok((roster, own))
}

fn plan(id: &str, roster: &Roster, own: Option<&str>, dir: &Path) -> Result<Vec<String>, Failure> {
    let listed = format!("frex roster show {}", dir.display());
    if roster.member(id).is_none() {
        let operator = roster.node(id).map(|node| node.operator.clone());
        let failure = Failure::new(
            WireCode::UnknownRecipient,
            format!("{} is no member of the roster", output::clean(id)),
        );
        return Err(match operator {
            Some(operator) => failure
                .cause("it is a node; its organisation is suspended, not the machine")
                .advise(format!(
                    "frex peer suspend {operator} {} --reason …",
                    dir.display()
                )),
            None => failure.advise(listed),
        });
    }
    if own == Some(id) {
        return Err(
            Failure::new(WireCode::BadInput, format!("{id} is your own organisation"))
                .advise("To stop the exchange with everybody, stop the node"),
        );
    }
    let nodes: Vec<&str> = roster
        .nodes()
        .filter(|node| node.operator == id)
        .map(|node| node.id.as_str())
        .collect();
    let elsewhere = roster
        .home_node(id)
        .filter(|home| !nodes.contains(&home.id.as_str()));
    let mut plan = Vec::new();
    if !nodes.is_empty() {
        plan.push(format!("close connections with {}", nodes.join(", ")));
    }
    plan.push(format!(
        "take nothing from {id}: what it sends waits at its own node, which is told PEER_SUSPENDED"
    ));
    plan.push(format!(
        "deliver nothing to {id}: what is sent to it waits here until you resume or it expires"
    ));
    if let Some(home) = elsewhere {
        let host = &home.id;
        plan.push(format!(
            "hold back at once, for all of them, what is sent to {id} and to others at {host}, which serves {id}: send it apart to reach the others"
        ));
        plan.push(format!(
            "go on with {host}: statements about what became of earlier reports still pass"
        ));
    }
    plan.push(format!(
        "{id} stays a member for everybody else: only the governance revokes"
    ));
    Ok(plan)
}
