//! Who sends too much, reads nothing or finds a full disk, in a deterministic world.
//!
//! Computing takes no virtual time, so what is measured here is what queues, quotas and pauses do;
//! `cargo bench --bench flood` measures what a processor adds. A failing seed replays with
//! `FREX_SEED=N cargo test -p frex-tests --test sim admission`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use frex_client::{
    client::{Client, News},
    transport::{Session, Stream},
};
use frex_node::disk::Disk;
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::EnvelopeId,
    limits::{LEASE_MS_MAX, PEER_UNDER_WAY_BYTES_MIN, UNDER_WAY_BYTES_MAX},
    roster::Peer,
    v1::{self, Lane, request::Request as R},
    wire::FrameType,
};
use frex_tests::{
    scene::{self, Scene},
    sim::world::{self, World},
};
use tokio::time::Instant;

mod quota;
mod room;

const HOME: &str = "home";
const AWAY: &str = "away";
const ROGUE: &str = "rogue";
const PLATFORM: &str = "platform";
const POLICE: &str = "police";
/// The machine of everybody's clients.
const MEMBERS: &str = "members";
/// Of the rogue, in a minute.
const QUOTA: u32 = 6;

fn seed() -> u64 {
    crate::seeds(1..=1).next().unwrap()
}

/// Two nodes; the first serves three more members.
fn scene(world: &World) -> Scene {
    let role = v1::Role::Hotline;
    let organisations = [
        scene::organisation(HOME, role, 1),
        scene::organisation(AWAY, role, 2),
        scene::guest(ROGUE, role, HOME),
        scene::guest(PLATFORM, role, HOME),
        scene::guest(POLICE, role, HOME),
    ];
    Scene::new(world, &organisations, &[(MEMBERS, 3)]).revised(|roster| {
        let limited = |member: &&mut v1::Member| [ROGUE, AWAY].contains(&member.id.as_str());
        for member in roster.members.iter_mut().filter(limited) {
            member.quota = Some(v1::Quota {
                envelopes_per_minute: QUOTA,
                urgent_per_minute: 1,
            });
        }
    })
}

/// A client of `member` on a port of its own.
async fn program(scene: &Scene, member: &str, port: u16, patience: Duration) -> Client {
    scene.client_at(member, MEMBERS, port, patience).await
}

/// Sessions of a peer that does with them what it likes, from one socket.
async fn sessions(scene: &Scene, peer: Peer, port: u16, count: usize) -> Vec<Session> {
    let (endpoint, greeter) = scene.caller(peer, MEMBERS, port);
    let (address, greeting) = (scene.federation.node(HOME).address, greeter.dialling(HOME));
    let mut sessions = Vec::new();
    for _ in 0..count {
        sessions.push(endpoint.dial(address, &greeting).await.unwrap());
    }
    sessions
}

fn client(member: &str) -> Peer {
    Peer::Client(member.to_owned())
}

fn seal(client: &Client, to: &str, lane: Lane, content: Vec<u8>) -> SignedEnvelope {
    let draft = client
        .draft(&[to])
        .lane(lane)
        .content("text/plain", content);
    client.seal(&client.finish(draft).unwrap()).unwrap()
}

/// Submits one report; whether it was taken, and after how long it was accepted.
async fn send(client: &Client, to: &str, lane: Lane) -> Result<Duration, WireCode> {
    let envelope = seal(client, to, lane, b"report".to_vec());
    let started = Instant::now();
    let submission = client.submit(vec![envelope], Duration::from_secs(20)).await;
    let mut submission = submission.map_err(|error| WireCode::from(&error))?;
    while let Some(event) = submission.next().await {
        match event.news {
            News::Accepted { .. } => return Ok(started.elapsed()),
            News::Submitted(_) | News::Delayed { .. } => {}
            News::Refused { code } | News::Unanswered { code } => return Err(code),
            other => panic!("{other:?}"),
        }
    }
    Err(WireCode::TimedOut)
}

/// Reads everything that comes for `member` within a while.
async fn drain(client: &Client) -> BTreeMap<EnvelopeId, usize> {
    let mut seen = BTreeMap::new();
    let mut inbox = client.inbox(8, Duration::from_secs(60)).await.unwrap();
    while let Some(item) = inbox.next().await {
        let Ok(item) = item.unwrap() else {
            panic!("an item that cannot be opened")
        };
        *seen.entry(item.id()).or_default() += 1;
        item.confirm(v1::Stage::Delivered, "").await.unwrap();
    }
    seen
}
