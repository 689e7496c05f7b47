use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
};

use frex_proto::{join, keys::SigningKey, v1};
use zeroize::Zeroizing;

use super::*;
use crate::{
    environment::Clock,
    tls::{Identity, KeyExchange, config::Limits},
    transport::{Endpoint, EndpointConfig},
};

const LISTENER: [u8; 32] = [3; 32];

fn environment() -> Environment {
    Environment {
        clock: Clock::System,
        ..Environment::default()
    }
}

fn door() -> Door {
    Door::open(&DoorConfig {
        socket: Socket::Udp((Ipv4Addr::LOCALHOST, 0).into()),
        key: SigningKey::from_seed(&LISTENER),
        environment: environment(),
    })
    .unwrap()
}

fn newcomer(door: &Door, listener: [u8; 32]) -> Newcomer {
    Newcomer {
        invitation: Invitation {
            federation: "fed".to_owned(),
            root_sha256: [0; 32],
            member: "host".to_owned(),
            address: door.local_addr().unwrap().to_string(),
            listener_key: *SigningKey::from_seed(&listener).verifying_key().as_bytes(),
            secret: Zeroizing::new([9; 16]),
            expires_ms: u64::MAX,
        },
        member: "guest".to_owned(),
        card: Bytes::from_static(b"card"),
        identity: Arc::new(SigningKey::from_seed(&[5; 32])),
        environment: environment(),
        socket: None,
    }
}

/// Serves a door whose judge answers everything with this code; counts what it is asked.
fn serve(door: &Door, code: WireCode) -> Arc<AtomicU32> {
    let asked = Arc::new(AtomicU32::new(0));
    let (door, count) = (door.clone(), Arc::clone(&asked));
    let judge: Judge = Arc::new(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Reply {
            answer: join::refusal(code).into(),
            pause: Duration::ZERO,
        }
    });
    tokio::spawn(async move { door.serve(judge).await });
    asked
}

async fn refused(newcomer: &Newcomer) -> KnockError {
    let pending = join::Decision::pending(1);
    knock(newcomer, &pending).await.expect_err("refused")
}

// JOI-3: whoever answers under another key than the invitation's is asked nothing.
#[tokio::test]
async fn another_listener_gets_no_question() {
    let door = door();
    let asked = serve(&door, WireCode::IdTaken);
    let error = refused(&newcomer(&door, [4; 32])).await;
    assert!(matches!(error, KnockError::OtherListener), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let error = refused(&newcomer(&door, LISTENER)).await;
    assert!(
        matches!(
            error,
            KnockError::Answer(AnswerError::Refused(WireCode::IdTaken))
        ),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    door.close(WireCode::ShuttingDown).await;
    let late = newcomer(&door, LISTENER);
    drop(door);
    let error = refused(&late).await;
    assert_eq!(WireCode::from(error), WireCode::Unreachable);
}

// JOI-1: a peer of the exchange itself finds no common protocol at this door.
#[tokio::test]
async fn the_protocol_of_sessions_is_not_spoken_at_the_door() {
    let door = door();
    let asked = serve(&door, WireCode::IdTaken);
    let endpoint = Endpoint::bind(EndpointConfig {
        socket: Socket::Udp((Ipv4Addr::LOCALHOST, 0).into()),
        identity: Identity::new(&SigningKey::from_seed(&[1; 32])).unwrap(),
        key_check: Arc::new(|_| true),
        key_exchange: KeyExchange::HybridOnly,
        limits: Limits::default(),
        listen: false,
        rng_seed: None,
    })
    .unwrap();
    let error = endpoint.connect(door.local_addr().unwrap()).await;
    assert!(matches!(error, Err(TransportError::NoCommonGround)));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

// JOI-15, LIM-52: strangers that say nothing, or too much, leave the door open for others.
#[tokio::test]
async fn strangers_do_not_keep_the_door_from_others() {
    let door = door();
    let asked = serve(&door, WireCode::IdTaken);
    let guest = newcomer(&door, LISTENER);
    let address = door.local_addr().unwrap();
    let strangers = knock::endpoint(&guest, address).unwrap();
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(strangers.connect(address).await.unwrap());
    }
    let talker = strangers.connect(address).await.unwrap();
    let (mut send, mut receive) = talker.open_bi().await.unwrap();
    // What the listener no longer reads need not arrive.
    let _ = send.write_all(&vec![0; limits_over()]).await;
    let _ = send.finish();
    let answer = read_message(&mut receive, 1024).await.unwrap();
    let answer: v1::JoinAnswer = frex_proto::wire::decode(answer.into()).unwrap();
    let code = match answer.answer.unwrap() {
        v1::join_answer::Answer::Refusal(refusal) => refusal.code,
        v1::join_answer::Answer::Welcome(_) => 0,
    };
    assert_eq!(WireCode::from_number(code), WireCode::TooLarge);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    refused(&guest).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

// JOI-5: the hash that both sides sign is the connection's own.
#[tokio::test]
async fn both_ends_export_the_same_and_each_connection_its_own() {
    let door = door();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (served, log) = (door.clone(), Arc::clone(&heard));
    let judge: Judge = Arc::new(move |_, channel| {
        log.lock().unwrap().push(*channel);
        Reply {
            answer: join::refusal(WireCode::IdTaken).into(),
            pause: Duration::ZERO,
        }
    });
    tokio::spawn(async move { served.serve(judge).await });
    let guest = newcomer(&door, LISTENER);
    let address = door.local_addr().unwrap();
    let endpoint = knock::endpoint(&guest, address).unwrap();
    let mut ours = Vec::new();
    for _ in 0..2 {
        let connection = endpoint.connect(address).await.unwrap();
        ours.push(channel(&connection).unwrap());
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(b"x").await.unwrap();
        send.finish().unwrap();
        read_message(&mut receive, 1024).await.unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), ours);
    assert_ne!(ours[0], ours[1]);
}

fn limits_over() -> usize {
    frex_proto::limits::JOIN_REQUEST_BYTES_MAX + 1
}
