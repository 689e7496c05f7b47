//! Joining in the deterministic world: a newcomer gets through a lossy network, and one seed is one
//! history.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim join`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use frex_client::{
    environment::{Clock, Environment, Random},
    join::{Door, DoorConfig, Judge, Newcomer, Reply, knock},
    transport::Socket,
};
use frex_proto::{
    error::WireCode,
    join::{self, Decision, Invitation},
    keys::{SealingSecretKey, SigningKey},
    roster::build::{self, CardDraft},
    v1,
};
use frex_tests::{
    federation::{FEDERATION, Federation, Organisation},
    sim::{
        Link, Trace,
        world::{self, Machine, World},
    },
};
use prost::Message;
use rand_chacha::rand_core::Rng;
use zeroize::Zeroizing;

const EPOCH_MS: u64 = 1_800_000_000_000;
const PORT: u16 = 7444;
const KNOCKS: u16 = 40;

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn environment(machine: &Machine, clock: &Clock) -> Environment {
    let mut seed = [0; 32];
    machine.rng("environment").fill_bytes(&mut seed);
    Environment {
        clock: clock.clone(),
        random: Random::seeded(seed),
    }
}

fn card() -> Bytes {
    let card = build::card(&CardDraft {
        federation: FEDERATION,
        id: "guest",
        name: "Guest",
        role: v1::Role::Police,
        country: "ES",
        home_node: "host",
        identity: &key(1),
        client_tls: &[key(2).verifying_key()],
        sealing: &[SealingSecretKey::from_seed(&[3; 32]).public()],
        node: None,
        issued_ms: EPOCH_MS,
        expires_ms: EPOCH_MS + 86_400_000,
    })
    .unwrap();
    card.encode_to_vec().into()
}

/// Answers every good request with a welcome, in memory, and counts what came.
fn judge(federation: Federation, invitation: &Invitation, heard: Arc<Mutex<Vec<String>>>) -> Judge {
    let (terms, roster) = (invitation.terms(), federation.roster(EPOCH_MS));
    Arc::new(move |question, channel| {
        let judged = join::judge_request(question, &terms, channel, EPOCH_MS);
        let answer = match &judged {
            Ok(guest) => {
                let identity = &federation.member("host").identity;
                let pending = Decision::pending(EPOCH_MS);
                join::welcome(&roster, "host", identity, guest, &pending, channel).unwrap()
            }
            Err(error) => join::refusal(WireCode::from(*error)),
        };
        let line = judged.map_or_else(|error| error.to_string(), |guest| guest.card.member.id);
        heard.lock().unwrap().push(line);
        Reply {
            answer: answer.into(),
            pause: Duration::ZERO,
        }
    })
}

/// A newcomer knocks over a bad link until it has heard an answer twice.
fn history(seed: u64) -> (Vec<String>, String, Duration) {
    world::run(seed, |world: World| async move {
        let clock = Clock::virtual_from(EPOCH_MS);
        let (near, far) = (world.machine(ip(1)), world.machine(ip(2)));
        let organisations = [Organisation {
            id: "host",
            role: v1::Role::Hotline,
            country: "FR",
            node: Ok(SocketAddr::new(ip(2), 7443)),
        }];
        let federation = Federation::new(seed, EPOCH_MS, &organisations);
        let invitation = Invitation {
            federation: FEDERATION.to_owned(),
            root_sha256: federation.anchor.root_sha256,
            member: "host".to_owned(),
            address: SocketAddr::new(ip(2), PORT).to_string(),
            listener_key: *key(9).verifying_key().as_bytes(),
            secret: Zeroizing::new([9; 16]),
            expires_ms: EPOCH_MS + 86_400_000,
        };
        let heard = Arc::default();
        let judge = judge(federation, &invitation, Arc::clone(&heard));
        let door = Door::open(&DoorConfig {
            socket: Socket::Abstract(far.bind(PORT).unwrap()),
            key: key(9),
            environment: environment(&far, &clock),
        })
        .unwrap();
        far.spawn(async move { door.serve(judge).await });
        let link = Link::draw(&mut world.rng("weather"));
        world.network().set_link(Link {
            loss_ppm: link.loss_ppm.min(100_000),
            ..link
        });
        let mut welcomes = 0;
        for attempt in 0..KNOCKS {
            let newcomer = Newcomer {
                invitation: invitation.clone(),
                member: "guest".to_owned(),
                card: card(),
                identity: Arc::new(key(1)),
                environment: environment(&near, &clock),
                socket: Some(Socket::Abstract(near.bind(50_000 + attempt).unwrap())),
            };
            match knock(&newcomer, &Decision::pending(EPOCH_MS)).await {
                Ok(host) => {
                    assert_eq!(host.roster.version(), 1);
                    welcomes += 1;
                }
                // A link this bad may lose a whole handshake; nothing worse may come of it.
                Err(error) => assert!(
                    matches!(
                        WireCode::from(error),
                        WireCode::Unreachable | WireCode::TimedOut | WireCode::RetryAfter
                    ),
                    "seed {seed}"
                ),
            }
            if welcomes == 2 {
                break;
            }
        }
        assert_eq!(welcomes, 2, "seed {seed}");
        let heard = heard.lock().unwrap().clone();
        let hash = world.network().trace(Trace::hash);
        (heard, hash, world.elapsed())
    })
}

// JOI-5, JOI-10: the same newcomer is answered as often as it comes, whatever the network does.
#[test]
fn a_newcomer_gets_through_a_bad_network_and_a_seed_repeats_itself() {
    for seed in crate::seeds(1..=8) {
        let first = history(seed);
        assert!(first.0.iter().all(|who| who == "guest"), "{:?}", first.0);
        assert_eq!(first, history(seed));
    }
}
