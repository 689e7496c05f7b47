use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    limits,
    roster::{Peer, Roster},
    v1,
    wire::{FrameError, FrameType, HEADER_BYTES},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use super::*;
use crate::{
    environment::{Clock, Environment},
    fixture::{CLIENT, Federation, NODE, NOW_MS, OTHER_CLIENT, key},
    tls::{Identity, KeyCheck, KeyExchange, config::Limits},
};

const STRANGER: u8 = 9;
const WAIT: Duration = Duration::from_secs(5);

// TRN-1, TRN-5: a thousand requests at once are answered, over no more streams than allowed.
#[tokio::test]
async fn thousand_streams_are_answered_over_one_session() {
    let (session, served) = pair(Limits::default()).await;
    tokio::spawn(async move {
        while let Ok(mut stream) = served.accept().await {
            tokio::spawn(async move {
                let request = stream
                    .reader
                    .expect(FrameType::Request, WAIT)
                    .await
                    .unwrap();
                let body = stream.reader.expect(FrameType::Body, WAIT).await.unwrap();
                assert!(stream.reader.next(WAIT).await.unwrap().is_none());
                stream.writer.put_bytes(FrameType::Answer, request);
                stream.writer.put_bytes(FrameType::Body, body);
                stream.writer.finish().await.unwrap();
            });
        }
    });
    let mut requests = JoinSet::new();
    for index in 0..1000_u64 {
        let session = session.clone();
        requests.spawn(async move {
            let request = get_proof(index);
            let mut stream = session
                .request(&request, priority(v1::Lane::Urgent))
                .await
                .unwrap();
            stream.writer.put_bytes(FrameType::Body, body(index).into());
            stream.writer.finish().await.unwrap();
            let answer: v1::Request = stream
                .reader
                .message(FrameType::Answer, WAIT)
                .await
                .unwrap();
            assert_eq!(answer, request);
            let echoed = stream.reader.expect(FrameType::Body, WAIT).await.unwrap();
            assert_eq!(echoed, body(index));
            assert!(stream.reader.next(WAIT).await.unwrap().is_none());
        });
    }
    assert_eq!(requests.join_all().await.len(), 1000);
}

// TLS-8: who asks and never reads costs the send window, and blocks nobody else.
#[tokio::test]
async fn peer_that_never_reads_is_bounded_and_blocks_nobody() {
    let limits = Limits {
        stream_window_bytes: 64 * 1024,
        connection_window_bytes: 256 * 1024,
        send_window_bytes: 512 * 1024,
        ..Limits::default()
    };
    let server = endpoint(NODE, [CLIENT], limits.clone());
    let mut sessions = serve(&server);
    let hoarder = endpoint(CLIENT, [NODE], limits.clone());
    let hoarding = dial(&hoarder, &server).await.unwrap();
    let written = answer_without_end(sessions.recv().await.unwrap());
    let mut unread = Vec::new();
    for index in 0..100 {
        let mut stream = hoarding.request(&get_proof(index), 0).await.unwrap();
        stream.writer.flush().await.unwrap();
        unread.push(stream);
    }
    let settled = settled(&written).await;
    assert!(settled > 0);
    assert!(settled <= 1024 * 1024, "{settled} bytes were taken");

    let honest = endpoint(CLIENT, [NODE], limits);
    let session = dial(&honest, &server).await.unwrap();
    answer_without_end(sessions.recv().await.unwrap());
    let mut stream = session.request(&get_proof(7), 0).await.unwrap();
    stream.writer.flush().await.unwrap();
    let answer = stream.reader.expect(FrameType::Body, WAIT).await.unwrap();
    assert_eq!(answer.len(), BLOCK_BYTES);
}

// TLS-3: each side learns in one word that its key is not listed.
#[tokio::test]
async fn strangers_are_refused_on_both_sides() {
    let server = endpoint(NODE, [CLIENT], Limits::default());
    let _sessions = serve(&server);
    let stranger = endpoint(STRANGER, [NODE], Limits::default());
    assert_code(dial(&stranger, &server).await, WireCode::NotTrusted);

    let impostor = endpoint(STRANGER, [CLIENT], Limits::default());
    let _sessions = serve(&impostor);
    let client = endpoint(CLIENT, [NODE], Limits::default());
    assert_code(dial(&client, &impostor).await, WireCode::NotTrusted);
}

// SES-4, TRN-7, SES-21: the dialler learns why its Hello was refused.
#[tokio::test]
async fn suspended_member_is_told_so() {
    let server = endpoint(NODE, [CLIENT], Limits::default());
    let strict = greeter(NODE);
    strict.roster.replace(roster(v1::Status::Suspended));
    let (sender, _sessions) = mpsc::channel(1);
    spawn_serve(&server, strict.listening(), sender);
    let client = endpoint(CLIENT, [NODE], Limits::default());
    let error = dial(&client, &server).await.unwrap_err();
    assert!(matches!(error, TransportError::Closed(WireCode::Revoked)));
}

// TRN-2: a dialler that meets another node than it asked for leaves, and says so.
#[tokio::test]
async fn dialler_refuses_another_node_than_expected() {
    let server = endpoint(NODE, [CLIENT], Limits::default());
    let mut sessions = serve(&server);
    let client = endpoint(CLIENT, [NODE], Limits::default());
    // The Hello names the right node, so that only the dialler has a reason to refuse.
    let picky = Greeting {
        make: greeting(CLIENT).make,
        judge: greeter(CLIENT).dialling("node-b").judge,
    };
    let address = server.local_addr().unwrap();
    let error = client.dial(address, &picky).await.unwrap_err();
    assert!(matches!(
        error,
        TransportError::HelloRefused(WireCode::WrongNode)
    ));
    let orphan = sessions.recv().await.unwrap();
    assert!(matches!(
        orphan.closed().await,
        TransportError::Closed(WireCode::WrongNode)
    ));
}

// SES-4: a Hello that was meant for another node is refused by the one it reached.
#[tokio::test]
async fn hello_for_another_node_is_refused() {
    let server = endpoint(NODE, [CLIENT], Limits::default());
    let _sessions = serve(&server);
    let client = endpoint(CLIENT, [NODE], Limits::default());
    let greeting = greeter(CLIENT).dialling("node-b");
    let address = server.local_addr().unwrap();
    let error = client.dial(address, &greeting).await.unwrap_err();
    assert!(matches!(error, TransportError::Closed(WireCode::WrongNode)));
}

// SES-4: the key of one member's client opens no session in another's name.
#[tokio::test]
async fn client_with_another_members_key_is_refused() {
    let server = endpoint(NODE, [OTHER_CLIENT], Limits::default());
    let _sessions = serve(&server);
    let client = endpoint(OTHER_CLIENT, [NODE], Limits::default());
    let error = dial(&client, &server).await.unwrap_err();
    assert!(matches!(
        error,
        TransportError::Closed(WireCode::WrongSender)
    ));
}

// TRN-1: both ends know each other by roster id.
#[tokio::test]
async fn both_ends_know_each_other_by_roster_id() {
    let (session, served) = pair(Limits::default()).await;
    assert_eq!(session.peer().peer, Peer::Node("node-a".to_owned()));
    assert_eq!(served.peer().peer, Peer::Client("member-a".to_owned()));
    assert_eq!(session.hello().receiver, "member-a");
}

// TRN-1: a Hello has no room for a checkpoint with many cosignatures; it still travels.
#[tokio::test]
async fn long_checkpoint_stays_out_of_the_hello() {
    let mut greeter = greeter(NODE);
    let checkpoint_of = |bytes: usize| {
        greeter.checkpoint = Arc::new(move || Bytes::from(vec![b'x'; bytes]));
        (greeter.listening().make)(None).checkpoint.len()
    };
    // As long as a head is under both keys of a log with the longest name.
    let longest = limits::SEEN_CHECKPOINT_BYTES_MAX;
    assert_eq!([longest, longest + 1].map(checkpoint_of), [longest, 0]);
}

// TRN-4, TRN-3: a peer that shakes hands and then says nothing holds its place only for a moment;
// every address had to prove itself first.
#[tokio::test]
async fn silent_peer_is_dropped_and_holds_no_place() {
    let limits = Limits {
        half_open_max: 1,
        handshake_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = endpoint(NODE, [CLIENT], limits.clone());
    let _sessions = serve(&server);
    let silent = raw_client(&limits);
    let address = server.local_addr().unwrap();
    let held = silent.connect(address, "frex").unwrap().await.unwrap();
    let client = endpoint(CLIENT, [NODE], limits);
    assert_code(dial(&client, &server).await, WireCode::RetryAfter);
    let closed = timeout(WAIT, held.closed()).await.unwrap();
    assert!(matches!(
        TransportError::from(closed),
        TransportError::Closed(WireCode::TimedOut)
    ));
    dial(&client, &server).await.unwrap();
    assert_eq!(server.counters().turned_away(), 1);
    assert_eq!(server.counters().failed(), 1);
    assert_eq!(server.counters().welcomed(), 1);
    assert!(server.counters().retried() >= 3);
}

// TRN-4: a listener that never answers is given up in time.
#[tokio::test]
async fn silent_listener_is_given_up() {
    let limits = Limits {
        handshake_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let client = endpoint(CLIENT, [NODE], limits.clone());
    let silent = endpoint(NODE, [CLIENT], limits);
    assert_code(dial(&client, &silent).await, WireCode::Unreachable);
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let outcome = client.dial(nobody, &greeting(CLIENT)).await;
    assert_code(outcome, WireCode::Unreachable);
}

// WIR-1, WIR-2, WIR-3, SES-16: what is not a frame, or not the one that is due, is refused by its
// header.
#[tokio::test]
async fn bad_frames_are_refused_by_their_header() {
    let cases: [(&[u8], TransportError); 5] = [
        (&[99, 0, 0, 0, 1, 0], FrameError::UnknownType.into()),
        (&[2, 0xff, 0xff, 0xff, 0xff], FrameError::TooLong.into()),
        (&[4, 0, 0x10, 0, 0], FrameError::Unexpected.into()),
        (&[2, 0, 0, 0, 9, 1, 2], TransportError::Ended),
        (&[2, 0, 0], TransportError::Ended),
    ];
    let server = endpoint(NODE, [CLIENT], Limits::default());
    let mut sessions = serve(&server);
    let client = endpoint(CLIENT, [NODE], Limits::default());
    let connection = raw_session(&client, &server).await;
    let served = sessions.recv().await.unwrap();
    for (bytes, expected) in cases {
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        send.finish().unwrap();
        let mut stream = served.accept().await.unwrap();
        let error = stream
            .reader
            .message::<v1::Request>(FrameType::Request, WAIT)
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected.to_string());
    }
}

// TRN-5: a cut-off request never looks complete, and a silent stream is given up.
#[tokio::test]
async fn dropped_writer_resets_its_stream_and_silence_times_out() {
    let (session, served) = pair(Limits::default()).await;
    let mut cut = session.request(&get_proof(1), 0).await.unwrap();
    cut.writer.flush().await.unwrap();
    let mut stream = served.accept().await.unwrap();
    stream
        .reader
        .expect(FrameType::Request, WAIT)
        .await
        .unwrap();
    let moment = Duration::from_millis(50);
    let silence = stream.reader.next(moment).await.unwrap_err();
    assert!(matches!(silence, TransportError::TimedOut));
    drop(cut.writer);
    let reset = stream.reader.next(WAIT).await.unwrap_err();
    assert!(matches!(
        reset,
        TransportError::StreamRefused(WireCode::ShuttingDown)
    ));
}

// ADM-8: what was read counts until it is let go, what is to be sent until it is gone; who asks for
// more than its share gets none of it, and all comes back at the end.
#[tokio::test]
async fn a_metered_session_takes_up_no_more_than_its_share() {
    let (session, served) = pair(Limits::default()).await;
    let memory = memory::Memory::default();
    let served = served.metered(memory.share("peer"));
    let large = Bytes::from(vec![5; FrameType::Body.payload_bytes_max()]);
    let mut asked = session.request(&get_proof(1), 0).await.unwrap();
    asked.writer.put_bytes(FrameType::Body, large.clone());
    let sending = tokio::spawn(async move { asked.writer.finish().await.map(|()| asked.reader) });
    let mut stream = served.accept().await.unwrap();
    for kind in [FrameType::Request, FrameType::Body] {
        stream.reader.expect(kind, WAIT).await.unwrap();
    }
    assert!(memory.held_bytes().0 >= large.len());
    stream.reader.release();
    assert!(memory.held_bytes().0 < large.len());
    let mut added = 0;
    while stream.writer.has_room_for(large.len() + HEADER_BYTES) {
        stream.writer.put_bytes(FrameType::Body, large.clone());
        added += large.len();
        assert!(added <= limits::UNDER_WAY_BYTES_MAX);
    }
    let held = memory.held_bytes().0;
    assert!(held >= added, "{held} of {added}");
    stream.writer.put_bytes(FrameType::Body, large.clone());
    assert_eq!(stream.writer.pending_bytes(), 0);
    let refused = stream.writer.flush().await;
    assert!(matches!(refused, Err(TransportError::NoRoom)));
    drop(stream);
    assert_eq!(memory.held_bytes().0, 0);
    let mut reader = sending.await.unwrap().unwrap();
    let reset = reader.next(WAIT).await;
    assert!(matches!(reset, Err(TransportError::StreamRefused(_))));
}

// WIR-3: the largest body passes, many at a time.
#[tokio::test]
async fn largest_bodies_pass_many_at_a_time() {
    let (session, served) = pair(Limits {
        large_frames_max: 2,
        ..Limits::default()
    })
    .await;
    let large = Bytes::from(vec![5; FrameType::Body.payload_bytes_max()]);
    let mut writers = JoinSet::new();
    for index in 0..8 {
        let (session, large) = (session.clone(), large.clone());
        writers.spawn(async move {
            let mut stream = session.request(&get_proof(index), 0).await.unwrap();
            stream.writer.put_bytes(FrameType::Body, large);
            stream.writer.finish().await.unwrap();
            stream.reader.next(WAIT).await
        });
    }
    for _ in 0..8 {
        let mut stream = served.accept().await.unwrap();
        stream
            .reader
            .expect(FrameType::Request, WAIT)
            .await
            .unwrap();
        let body = stream.reader.expect(FrameType::Body, WAIT).await.unwrap();
        assert_eq!(body, large);
        stream.writer.finish().await.unwrap();
    }
    assert!(writers.join_all().await.iter().all(Result::is_ok));
}

// TRN-8: parts of many large requests never fill the window while none of them is whole.
#[tokio::test]
async fn many_large_requests_share_a_small_window() {
    const REQUESTS: u64 = 48;
    let (session, served) = pair(Limits {
        large_frames_max: 3,
        stream_window_bytes: 256 * 1024,
        connection_window_bytes: 1024 * 1024,
        ..Limits::default()
    })
    .await;
    let large = Bytes::from(vec![5; FrameType::Body.payload_bytes_max()]);
    let mut tasks = JoinSet::new();
    for index in 0..REQUESTS {
        let (session, large) = (session.clone(), large.clone());
        tasks.spawn(async move {
            let mut stream = session.request(&get_proof(index), 0).await.unwrap();
            stream.writer.put_bytes(FrameType::Body, large.clone());
            stream.writer.put_bytes(FrameType::Body, large);
            stream.writer.finish().await.unwrap();
            assert!(stream.reader.next(WAIT).await.unwrap().is_none());
        });
    }
    let served = async {
        for _ in 0..REQUESTS {
            let mut stream = served.accept().await.unwrap();
            tasks.spawn(async move {
                for kind in [FrameType::Request, FrameType::Body, FrameType::Body] {
                    stream.reader.expect(kind, WAIT).await.unwrap();
                }
                stream.writer.finish().await.unwrap();
            });
        }
        tasks.join_all().await;
    };
    timeout(4 * WAIT, served).await.unwrap();
}

const BLOCK_BYTES: usize = 16 * 1024;

/// Answers every request with blocks for as long as the peer takes them; counts what it took.
fn answer_without_end(session: Session) -> Arc<AtomicUsize> {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok(mut stream) = session.accept().await {
            let written = Arc::clone(&counter);
            tokio::spawn(async move {
                loop {
                    stream
                        .writer
                        .put_bytes(FrameType::Body, vec![0; BLOCK_BYTES].into());
                    if stream.writer.flush().await.is_err() {
                        return;
                    }
                    written.fetch_add(BLOCK_BYTES, Ordering::Relaxed);
                }
            });
        }
    });
    written
}

/// The count once it has stopped to grow.
async fn settled(count: &AtomicUsize) -> usize {
    let mut last = usize::MAX;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = count.load(Ordering::Relaxed);
        if now == last {
            return now;
        }
        last = now;
    }
}

async fn pair(limits: Limits) -> (Session, Session) {
    let server = endpoint(NODE, [CLIENT], limits.clone());
    let mut sessions = serve(&server);
    let client = endpoint(CLIENT, [NODE], limits);
    let session = dial(&client, &server).await.unwrap();
    (session, sessions.recv().await.unwrap())
}

fn serve(endpoint: &Endpoint) -> mpsc::Receiver<Session> {
    let (sender, receiver) = mpsc::channel(4);
    spawn_serve(endpoint, greeting(NODE), sender);
    receiver
}

fn spawn_serve(endpoint: &Endpoint, greeting: Greeting, sender: mpsc::Sender<Session>) {
    let endpoint = endpoint.clone();
    tokio::spawn(async move { endpoint.serve(greeting, sender).await });
}

async fn dial(from: &Endpoint, to: &Endpoint) -> Result<Session, TransportError> {
    from.dial(to.local_addr().unwrap(), &greeting(CLIENT)).await
}

fn endpoint(seed: u8, listed: [u8; 1], limits: Limits) -> Endpoint {
    let listed = listed.map(|seed| key(seed).verifying_key());
    let key_check: KeyCheck = Arc::new(move |key| listed.iter().any(|one| one.as_bytes() == key));
    Endpoint::bind(EndpointConfig {
        socket: Socket::toward(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))),
        identity: identity(seed),
        key_check,
        key_exchange: KeyExchange::HybridOnly,
        limits,
        listen: true,
        rng_seed: None,
    })
    .unwrap()
}

/// A peer that speaks TLS and QUIC but not the protocol above them.
fn raw_client(limits: &Limits) -> quinn::Endpoint {
    let check: KeyCheck = Arc::new(|_| true);
    let config = crate::tls::config::client(
        &identity(CLIENT),
        check,
        crate::tls::provider::provider(KeyExchange::HybridOnly),
        limits,
    );
    let mut raw = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    raw.set_default_client_config(config.unwrap());
    raw
}

/// A connection past its Hello on which the test writes raw bytes.
async fn raw_session(client: &Endpoint, server: &Endpoint) -> quinn::Connection {
    dial(client, server).await.unwrap().raw_connection()
}

fn greeting(seed: u8) -> Greeting {
    match seed {
        NODE => greeter(NODE).listening(),
        _ => greeter(seed).dialling("node-a"),
    }
}

fn greeter(seed: u8) -> Greeter {
    let us = match seed {
        NODE => Peer::Node("node-a".to_owned()),
        _ => Peer::Client("member-a".to_owned()),
    };
    Greeter::new(
        us,
        RosterHandle::new(roster(v1::Status::Live)),
        environment(),
    )
}

fn environment() -> Environment {
    Environment {
        clock: Clock::virtual_from(NOW_MS),
        ..Environment::default()
    }
}

fn roster(status: v1::Status) -> Roster {
    Federation::new(status).roster()
}

fn assert_code(outcome: Result<Session, TransportError>, expected: WireCode) {
    let error = outcome.unwrap_err();
    assert_eq!(WireCode::from(&error), expected, "{error}");
}

fn identity(seed: u8) -> Identity {
    Identity::new(&key(seed)).unwrap()
}

fn get_proof(index: u64) -> v1::Request {
    v1::Request {
        request: Some(v1::request::Request::GetProof(v1::GetProof {
            index,
            ..v1::GetProof::default()
        })),
    }
}

fn body(index: u64) -> Vec<u8> {
    let length = usize::try_from(index * 7 % 5000).unwrap();
    vec![u8::try_from(index % 251).unwrap(); length]
}
