//! The way to a node, step by step: as far as it leads, and what mends the step that fails.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use frex_client::{
    environment::Environment,
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Session, Socket, TransportError},
};
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    roster::{Node, Peer, Roster},
    session::RosterNews,
    v1::{self, Lane, answer::Answer},
    wire::FrameType,
};
use prost::Message;

/// The steps, in the order in which they can fail.
pub const STEPS: [&str; 7] = [
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

const PATIENCE: Duration = Duration::from_secs(5);
/// What a wrong clock needs, on whichever machine has it.
pub const SET_CLOCK: &str = "On the machine whose clock is wrong: timedatectl set-ntp true";

/// Who asks.
pub struct Asker {
    /// A node, or a member's client.
    pub peer: Peer,
    /// Authenticates the connection.
    pub key: SigningKey,
    /// By which the other side is judged.
    pub roster: Roster,
}

/// How far the way led. The step about clocks is the caller's to judge.
#[derive(Default)]
pub struct Outcome {
    /// What each step found, as far as it came.
    pub found: Vec<String>,
    /// Why the next step failed.
    pub failed: Option<Stop>,
    /// The other side's words, if it said hello.
    pub met: Option<Met>,
}

/// Where the way ends.
#[derive(Clone)]
pub struct Stop {
    /// Decides the exit code.
    pub code: WireCode,
    /// In a sentence.
    pub why: String,
    /// A command or an act.
    pub mend: String,
}

/// What the other side said.
pub struct Met {
    /// Its clock less ours.
    pub clock_offset_ms: i64,
    /// The newest checkpoint of its log as its hello has it, not verified; may be empty.
    pub checkpoint: Bytes,
    /// What it answered to a request for its checkpoint; none if it refused.
    pub answer: Option<v1::Checkpoint>,
}

/// Takes each step to `node`, and asks it for a checkpoint that extends one of `known_size`
/// entries. `dir` is where the commands that mend a step are to be run.
pub async fn walk(asker: Arc<Asker>, node: Node, known_size: u64, dir: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    if !asker.roster.is_live(&Peer::Node(node.id.clone())) {
        outcome.failed = Some(not_live(&asker.roster, &node));
        return outcome;
    }
    let Some(address) = resolve(&node.addresses).await else {
        outcome.failed = Some(Stop {
            code: WireCode::Unreachable,
            why: format!("none of {} addresses resolves", node.addresses.len()),
            mend: "Ask its operator for an address, to be stated in its document".to_owned(),
        });
        return outcome;
    };
    outcome.found.push(address.to_string());
    match dial(&asker, &node.id, address).await {
        Ok(session) => ask(&session, known_size, &mut outcome).await,
        Err(error) => {
            let step = step_of(&error);
            outcome.found.resize(step, "yes".to_owned());
            outcome.failed = Some(Stop {
                code: WireCode::from(&error),
                why: error.to_string(),
                mend: mend(step, &error, &node.id, dir),
            });
        }
    }
    outcome
}

/// A session with `node`, if the way leads that far.
pub async fn reach(asker: &Asker, node: &Node) -> Option<Session> {
    let address = resolve(&node.addresses).await?;
    dial(asker, &node.id, address).await.ok()
}

/// Whoever is not live is not dialled: nothing on the way there can be mended.
fn not_live(roster: &Roster, node: &Node) -> Stop {
    let how = match roster.is_revoked(&node.id) {
        true => "revoked",
        false => "suspended",
    };
    Stop {
        code: WireCode::Revoked,
        why: format!("{} or its organisation is {how}", node.id),
        mend: "Nothing to mend here: the governance decided it, frex roster show DIR".to_owned(),
    }
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

async fn dial(us: &Asker, node: &str, address: SocketAddr) -> Result<Session, TransportError> {
    let environment = Environment::default();
    let roster = RosterHandle::new(us.roster.clone());
    let greeter = Greeter::new(us.peer.clone(), roster, environment);
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
async fn ask(session: &Session, known_size: u64, outcome: &mut Outcome) {
    let peer = session.peer();
    outcome.found.resize(LISTED + 1, "yes".to_owned());
    outcome.found.push(format!(
        "version {}, roster {}",
        peer.version,
        match peer.roster {
            RosterNews::Same => "the same",
            RosterNews::PeerIsBehind => "older than ours",
            RosterNews::PeerIsAhead => "newer than ours",
        }
    ));
    let started = Instant::now();
    let answer = checkpoint(session, known_size).await;
    let taken_ms = started.elapsed().as_secs_f64() * 1000.0;
    match &answer {
        Ok(_) => outcome.found.push(format!("{taken_ms:.1} ms")),
        Err(error) => {
            outcome.failed = Some(Stop {
                code: WireCode::from(error),
                why: error.to_string(),
                mend: "Look into that node's log".to_owned(),
            });
        }
    }
    outcome.met = Some(Met {
        clock_offset_ms: peer.clock_offset_ms,
        checkpoint: peer.checkpoint.clone(),
        answer: answer.ok().flatten(),
    });
    session.close(WireCode::ShuttingDown);
}

async fn checkpoint(
    session: &Session,
    known_size: u64,
) -> Result<Option<v1::Checkpoint>, TransportError> {
    let request = v1::Request {
        request: Some(v1::request::Request::GetCheckpoint(v1::GetCheckpoint {
            consistent_with: known_size,
            ..v1::GetCheckpoint::default()
        })),
    };
    let urgency = frex_client::transport::priority(Lane::Control);
    let mut stream = session.request(&request, urgency).await?;
    stream.writer.finish().await?;
    // Any answer shows that requests are answered; a log without entries has no checkpoint.
    let frame = stream.reader.expect(FrameType::Answer, PATIENCE).await?;
    let answer = v1::Answer::decode(frame)
        .ok()
        .and_then(|answer| answer.answer);
    Ok(match answer {
        Some(Answer::Checkpoint(answer)) => Some(answer),
        _ => None,
    })
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

fn mend(step: usize, error: &TransportError, node: &str, dir: &Path) -> String {
    let dir = dir.display();
    match (step, WireCode::from(error)) {
        (UDP, _) => format!("On the machine of {node}: frex status DIR, and let UDP pass"),
        (TLS, _) => "Update the older of the two programs".to_owned(),
        (LISTED, WireCode::Revoked) => format!(
            "{node} holds a roster by which you are suspended or revoked: ask the governance why, and for that roster"
        ),
        (LISTED, WireCode::WrongNode) => {
            "See whose address it is: frex roster show ROSTER".to_owned()
        }
        (LISTED, _) => format!("Install the newest roster on both: frex roster install FILE {dir}"),
        (HELLO, WireCode::FutureDated) => SET_CLOCK.to_owned(),
        (HELLO, code) => format!("frex errors {}", code as u16),
        _ => format!("frex status {dir}"),
    }
}
