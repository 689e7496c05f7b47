//! `frex peer test`: every step of the way to a node, by name, with what mends it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use frex_client::{
    environment::{Clock, Environment},
    keys::MEMBER_FILE,
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Session, Socket, TransportError},
};
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    limits,
    roster::{Peer, Roster},
    v1::{self, Lane},
    wire::FrameType,
};
use serde_json::{Value, json};

use super::PeerTestArgs;
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, member, output, passphrase,
    },
    home::{CONFIG_FILE, NodeHome},
};

/// The steps, in the order in which they can fail.
const STEPS: [&str; 7] = [
    "address resolves",
    "answers on UDP",
    "speaks frex/1 over TLS",
    "keys listed on both sides",
    "hello accepted",
    "request answered",
    "clocks agree",
];
const UDP: usize = 1;
const TLS: usize = 2;
const LISTED: usize = 3;
const HELLO: usize = 4;

/// A difference of clocks that is worth mending, long before it is refused.
const CLOCK_DIFFERENCE_MS_MAX: u64 = 30_000;
const PATIENCE: Duration = Duration::from_secs(5);

/// Who asks.
struct Us {
    peer: Peer,
    key: SigningKey,
    roster: Roster,
}

/// How far it went.
struct Outcome {
    /// What each step found, as far as it came.
    found: Vec<String>,
    /// Why the next step failed, and what mends it.
    failed: Option<(WireCode, String, String)>,
}

/// Connects to a node and reports each step.
pub fn test(args: &PeerTestArgs, json: bool) -> Done {
    let us = us(args)?;
    let node = us.roster.node(&args.node).cloned().ok_or_else(|| {
        let what = format!("the roster lists no node {}", output::clean(&args.node));
        let roster = args.dir.join("node/roster.frex");
        Failure::new(WireCode::NotFound, what)
            .advise(format!("frex roster show {}", roster.display()))
    })?;
    let outcome = member::runtime()?.block_on(walk(us, &node.id, &node.addresses, args));
    let exit = outcome
        .failed
        .as_ref()
        .map_or(0, |(code, _, _)| code.info().exit);
    report(&node.id, &outcome, json);
    Ok(exit)
}

/// A node asks as itself; a member that another's node serves can only ask that one.
fn us(args: &PeerTestArgs) -> Result<Us, Failure> {
    if let Ok(dir) = files::home(&args.dir, "node", CONFIG_FILE) {
        let node = NodeHome::open(&dir, Clock::System.now_ms(), &passphrase::unlock())
            .or_fail("cannot open the node")?;
        return Ok(Us {
            peer: Peer::Node(node.config.node),
            key: node.tls_key,
            roster: node.roster,
        });
    }
    files::home(&args.dir, "member", MEMBER_FILE)?;
    let home = member::open(&args.dir)?;
    Ok(Us {
        peer: Peer::Client(home.settings().member.clone()),
        key: home.keys().or_fail("cannot read the member's keys")?.tls,
        roster: member::roster(&home)?,
    })
}

async fn walk(us: Us, node: &str, addresses: &[String], args: &PeerTestArgs) -> Outcome {
    let mut outcome = Outcome {
        found: Vec::new(),
        failed: None,
    };
    let Some(address) = resolve(addresses).await else {
        let why = format!("none of {} addresses resolves", addresses.len());
        let mend = "Ask its operator for an address, to be stated in its document".to_owned();
        outcome.failed = Some((WireCode::Unreachable, why, mend));
        return outcome;
    };
    outcome.found.push(address.to_string());
    match dial(us, node, address).await {
        Ok(session) => ask(&session, &mut outcome).await,
        Err(error) => {
            let step = step_of(&error);
            outcome.found.resize(step, "yes".to_owned());
            let mend = mend(step, &error, node, args);
            outcome.failed = Some((WireCode::from(&error), error.to_string(), mend));
        }
    }
    outcome
}

async fn resolve(addresses: &[String]) -> Option<SocketAddr> {
    for address in addresses {
        if let Ok(mut found) = tokio::net::lookup_host(address).await
            && let Some(address) = found.next()
        {
            return Some(address);
        }
    }
    None
}

async fn dial(us: Us, node: &str, address: SocketAddr) -> Result<Session, TransportError> {
    let environment = Environment::default();
    let greeter = Greeter::new(us.peer, RosterHandle::new(us.roster), environment);
    let endpoint = Endpoint::bind(EndpointConfig {
        socket: Socket::toward(address),
        identity: Identity::new(&us.key)?,
        key_check: greeter.key_check(),
        key_exchange: greeter.key_exchange(),
        limits: Limits::default(),
        listen: false,
        rng_seed: None,
    })?;
    endpoint.dial(address, &greeter.dialling(node)).await
}

/// The steps that a session makes possible.
async fn ask(session: &Session, outcome: &mut Outcome) {
    let peer = session.peer();
    outcome.found.resize(LISTED + 1, "yes".to_owned());
    outcome.found.push(format!(
        "version {}, roster {}",
        peer.version,
        match peer.roster {
            frex_proto::session::RosterNews::Same => "the same",
            frex_proto::session::RosterNews::PeerIsBehind => "older than ours",
            frex_proto::session::RosterNews::PeerIsAhead => "newer than ours",
        }
    ));
    let started = Instant::now();
    if let Err(error) = checkpoint(session).await {
        let mend = "Look into that node's log".to_owned();
        outcome.failed = Some((WireCode::from(&error), error.to_string(), mend));
        return;
    }
    let taken_ms = started.elapsed().as_secs_f64() * 1000.0;
    outcome.found.push(format!("{taken_ms:.1} ms"));
    let offset_ms = peer.clock_offset_ms;
    if offset_ms.unsigned_abs() > CLOCK_DIFFERENCE_MS_MAX {
        let why = format!(
            "their clock is {offset_ms} ms from ours, and {} ms are refused",
            limits::CLOCK_SKEW_MS_MAX
        );
        let mend = "On the machine whose clock is wrong: timedatectl set-ntp true".to_owned();
        outcome.failed = Some((WireCode::FutureDated, why, mend));
        return;
    }
    outcome.found.push(format!("{offset_ms:+} ms"));
    session.close(WireCode::ShuttingDown);
}

async fn checkpoint(session: &Session) -> Result<(), TransportError> {
    let request = v1::Request {
        request: Some(v1::request::Request::GetCheckpoint(v1::GetCheckpoint {
            consistent_with: 0,
        })),
    };
    let urgency = frex_client::transport::priority(Lane::Control);
    let mut stream = session.request(&request, urgency).await?;
    stream.writer.finish().await?;
    // Any answer shows that requests are answered; a log without entries has no checkpoint.
    stream.reader.expect(FrameType::Answer, PATIENCE).await?;
    Ok(())
}

/// The step at which a dial failed.
fn step_of(error: &TransportError) -> usize {
    match WireCode::from(error) {
        WireCode::BadConfig
        | WireCode::Unreachable
        | WireCode::RetryAfter
        | WireCode::ShuttingDown => UDP,
        WireCode::Unsupported | WireCode::Malformed
            if !matches!(
                error,
                TransportError::HelloRefused(_) | TransportError::Closed(_)
            ) =>
        {
            TLS
        }
        WireCode::NotTrusted | WireCode::WrongNode | WireCode::Revoked => LISTED,
        // A clock that is far off is what a hello is refused for.
        _ => HELLO,
    }
}

fn mend(step: usize, error: &TransportError, node: &str, args: &PeerTestArgs) -> String {
    let dir = args.dir.display();
    match (step, WireCode::from(error)) {
        (UDP, _) => format!("On the machine of {node}: frex status DIR, and let UDP pass"),
        (TLS, _) => "Update the older of the two programs".to_owned(),
        (LISTED, WireCode::Revoked) => "Ask the governance why".to_owned(),
        (LISTED, WireCode::WrongNode) => {
            "See whose address it is: frex roster show ROSTER".to_owned()
        }
        (LISTED, _) => format!("Install the newest roster on both: frex roster install FILE {dir}"),
        (HELLO, WireCode::FutureDated) => {
            "On the machine whose clock is wrong: timedatectl set-ntp true".to_owned()
        }
        (HELLO, code) => format!("frex errors {}", code as u16),
        _ => format!("frex status {dir}"),
    }
}

fn report(node: &str, outcome: &Outcome, json: bool) {
    let rows: Vec<Value> = STEPS
        .iter()
        .enumerate()
        .map(|(step, name)| match outcome.found.get(step) {
            Some(found) => json!({ "step": name, "ok": true, "found": found }),
            None if step == outcome.found.len() && outcome.failed.is_some() => {
                let (code, why, mend) = outcome.failed.clone().unwrap_or_else(|| {
                    (WireCode::Unknown, String::new(), String::new())
                });
                json!({ "step": name, "ok": false, "found": why, "code": code.info().name, "try": mend })
            }
            None => json!({ "step": name, "ok": null }),
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
