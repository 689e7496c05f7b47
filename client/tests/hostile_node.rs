//! A home node that answers anything: the client believes none of it and never panics.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use frex_client::{
    client::{Client, ClientConfig, GivenUp, ItemError, News, QueryError},
    environment::Environment,
    heads::{Heads, LogFault, fork_names},
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Socket, Stream},
};
use frex_proto::{
    envelope::SignedEnvelope,
    error::WireCode,
    id::MessageId,
    keys::{SealingSecretKey, SigningKey},
    log::{Checkpoint, checkpoint, leaf_hash, node_hash},
    roster::{Peer, Roster, TrustAnchor, build},
    v1::{self, answer::Answer},
    wire::FrameType,
};
use tokio::sync::mpsc;

const MEMBER: &str = "member";
const NODE: &str = "node";
const SECOND: Duration = Duration::from_secs(1);
const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// What the node does on one stream after the request was read.
type Script = Arc<dyn Fn(&mut Stream) + Send + Sync>;

/// A script that needs nothing from its surroundings.
type Reply = fn(&mut Stream);

/// A client whose home node follows `script` on every stream.
async fn client_of(script: impl Fn(&mut Stream) + Send + Sync + 'static) -> Client {
    client_shown(Bytes::new(), Heads::default(), script).await.0
}

/// A client that has seen `heads`, whose home node shows `head` of its log and follows `script` on
/// every stream; and what the client says it has seen.
async fn client_shown(
    head: Bytes,
    heads: Heads,
    script: impl Fn(&mut Stream) + Send + Sync + 'static,
) -> (Client, Bytes) {
    let node = Endpoint::bind(endpoint_config(address())).unwrap();
    let roster = RosterHandle::new(roster(node.local_addr().unwrap()));
    // The roster names the port, so the node is bound before the roster is known to it.
    let greeter = Greeter {
        checkpoint: Arc::new(move || head.clone()),
        ..Greeter::new(
            Peer::Node(NODE.to_owned()),
            roster.clone(),
            Environment::default(),
        )
    };
    let (sender, mut sessions) = mpsc::channel(4);
    let serving = node.clone();
    tokio::spawn(async move { serving.serve(greeter.listening(), sender).await });
    let script: Script = Arc::new(script);
    let (tell, mut told) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Some(session) = sessions.recv().await {
            let script = Arc::clone(&script);
            tell.send(session.peer().seen.clone()).await.unwrap();
            tokio::spawn(async move {
                while let Ok(stream) = session.accept().await {
                    tokio::spawn(follow(stream, Arc::clone(&script)));
                }
            });
        }
    });
    let config = ClientConfig {
        member: MEMBER.to_owned(),
        roster,
        membership: None,
        identity: key(1),
        tls: key(2),
        sealing: vec![SealingSecretKey::from_seed(&[9; 32])].into(),
        environment: Environment::default(),
        socket: None,
        limits: Limits::default(),
        patience: SECOND,
        heads: std::sync::Arc::new(heads),
    };
    let client = Client::connect(config).await.unwrap();
    (client, told.recv().await.unwrap())
}

async fn follow(mut stream: Stream, script: Script) {
    let request: v1::Request = stream
        .reader
        .message(FrameType::Request, SECOND)
        .await
        .unwrap();
    if let Some(v1::request::Request::Submit(submit)) = request.request {
        for _ in 0..submit.envelopes {
            let frame = stream.reader.expect(FrameType::Envelope, SECOND).await;
            frame.unwrap();
        }
    }
    script(&mut stream);
    // The client may be gone already.
    let _ = stream.writer.finish().await;
}

fn put(stream: &mut Stream, envelope: u32, answer: Answer) {
    let answer = v1::Answer {
        envelope,
        answer: Some(answer),
    };
    stream.writer.put_message(FrameType::Answer, &answer);
}

fn done(stream: &mut Stream) {
    put(stream, 0, Answer::Done(v1::Done::default()));
}

fn refusal(code: WireCode) -> Answer {
    Answer::Refusal(v1::Refusal {
        code: code as u32,
        retry_after_ms: 0,
    })
}

fn envelopes(client: &Client, count: usize) -> Vec<SignedEnvelope> {
    let seal = |_| {
        let draft = client.draft(&[MEMBER]).content("text/plain", "words");
        client.seal(&client.finish(draft).unwrap()).unwrap()
    };
    (0..count).map(seal).collect()
}

async fn submit(client: &Client, count: usize) -> Vec<News> {
    let submission = client.submit(envelopes(client, count), SECOND).await;
    let events = submission.unwrap().finish().await;
    events.into_iter().map(|event| event.news).collect()
}

// MBR-3: silence is not acceptance.
#[tokio::test]
async fn node_that_says_only_done_has_answered_nothing() {
    let client = client_of(done).await;
    let news = submit(&client, 2).await;
    assert_eq!(news.len(), 2);
    assert!(
        news.iter()
            .all(|news| matches!(news, News::Unanswered { .. }))
    );
}

// MBR-4: a receipt that proves nothing is shown as that.
#[tokio::test]
async fn forged_receipts_are_not_news_of_success() {
    let client = client_of(|stream| {
        put(stream, 0, Answer::Receipt(v1::Receipt::default()));
        let statement = frex_proto::receipt::Statement {
            sender: MEMBER.to_owned(),
            recipients: vec![MEMBER.to_owned()],
            envelope_id: Some(frex_proto::id::EnvelopeId([1; 32])),
            message_id: Some(MessageId([1; 16])),
            ..frex_proto::receipt::Statement::new(v1::Event::Submitted, NODE)
        };
        let receipt = v1::Receipt {
            statement: statement.encode().unwrap(),
            ..v1::Receipt::default()
        };
        put(stream, 0, Answer::Receipt(receipt));
        done(stream);
    })
    .await;
    let news = submit(&client, 1).await;
    let [
        News::Unproven(shapeless),
        News::Unproven(forged),
        News::Unanswered { .. },
    ] = news.as_slice()
    else {
        panic!("{news:?}")
    };
    assert_eq!(shapeless.node, None);
    assert_eq!(forged.node.as_deref(), Some(NODE));
}

// MBR-3: one refusal of a whole request counts for every envelope in it.
#[tokio::test]
async fn refusal_of_the_request_is_told_for_every_envelope() {
    let client = client_of(|stream| {
        put(stream, 0, refusal(WireCode::DiskFull));
        done(stream);
    })
    .await;
    let news = submit(&client, 3).await;
    assert_eq!(news.len(), 3);
    let refused = |news: &News| {
        matches!(
            news,
            News::Refused {
                code: WireCode::DiskFull
            }
        )
    };
    assert!(news.iter().all(refused), "{news:?}");
}

// MBR-3: what is refused for now after a try that was lost may have been taken by that.
#[tokio::test]
async fn refusal_after_a_lost_try_is_no_refusal_of_that() {
    let asked = AtomicUsize::new(0);
    let client = client_of(move |stream| {
        let code = match asked.fetch_add(1, Ordering::Relaxed) {
            0 => WireCode::ShuttingDown,
            _ => WireCode::DiskFull,
        };
        put(stream, 0, refusal(code));
        done(stream);
    })
    .await;
    let submission = client.submit(envelopes(&client, 1), 10 * SECOND).await;
    let events = submission.unwrap().finish().await;
    let News::Unanswered { code } = &events[0].news else {
        panic!("{events:?}")
    };
    assert_eq!((events.len(), *code), (1, WireCode::DiskFull));
}

// MBR-3, WIR-4: answers that belong nowhere, wrong frames and cut streams end the wait in time.
#[tokio::test]
async fn senseless_answers_end_a_submission() {
    let scripts: [Reply; 4] = [
        |stream| put(stream, 99, refusal(WireCode::Expired)),
        |stream| put(stream, 0, Answer::Proof(v1::Proof::default())),
        |stream| {
            stream
                .writer
                .put_bytes(FrameType::Answer, vec![0xff; 100].into());
        },
        |stream| {
            stream
                .writer
                .put_bytes(FrameType::Body, vec![0; 100].into());
        },
    ];
    for script in scripts {
        let client = client_of(script).await;
        let news = submit(&client, 1).await;
        let [News::Unanswered { code }] = news.as_slice() else {
            panic!("{news:?}")
        };
        assert_eq!(*code, WireCode::Malformed);
    }
}

// DEL-46: what a node gave up is news of what it is proven to have taken, and no name that the
// roster does not list is repeated.
#[tokio::test]
async fn giving_up_proves_nothing_and_names_nobody_unknown() {
    let client = client_of(|stream| {
        let told = v1::GivenUp {
            node: "node.of.nobody".to_owned(),
            code: WireCode::Expired as u32,
        };
        put(stream, 0, Answer::GivenUp(told));
        done(stream);
    })
    .await;
    let news = submit(&client, 1).await;
    assert!(
        matches!(news.as_slice(), [News::Unanswered { .. }]),
        "{news:?}"
    );
    let history = client.history(MessageId([7; 16])).await.unwrap();
    let unnamed = GivenUp {
        node: None,
        code: WireCode::Expired,
    };
    assert_eq!(history.given_up, [unnamed]);
}

// MBR-3: a node that is always about to stop is asked again until patience ends.
#[tokio::test]
async fn node_that_always_stops_is_given_up_in_time() {
    let client = client_of(|stream| {
        put(stream, 0, refusal(WireCode::ShuttingDown));
        done(stream);
    })
    .await;
    let waited = tokio::time::timeout(10 * SECOND, submit(&client, 1)).await;
    let news = waited.unwrap();
    assert!(
        matches!(news.as_slice(), [News::Unanswered { .. }]),
        "{news:?}"
    );
}

// MBR-5, MBR-6, DEL-26: items that are none come as failures, one by one; what failed can only be released or set aside.
#[tokio::test]
async fn senseless_items_are_failures_and_not_messages() {
    let client = client_of(|stream| {
        let unsigned = v1::Envelope {
            signed: Bytes::from_static(&[10, 0]),
            ..v1::Envelope::default()
        };
        for envelope in [None, Some(v1::Envelope::default()), Some(unsigned)] {
            let item = v1::Item {
                lease: 1,
                envelope,
                receipt: Some(v1::Receipt::default()),
            };
            stream.writer.put_message(FrameType::Item, &item);
        }
        let item = v1::Item::default();
        stream.writer.put_message(FrameType::Item, &item);
        done(stream);
    })
    .await;
    let mut inbox = client.inbox(4, Duration::ZERO).await.unwrap();
    for number in 0..4 {
        let item = inbox.next().await.unwrap().unwrap();
        let failed = item.err().unwrap();
        let incomplete = matches!(failed.error, ItemError::Incomplete);
        assert_eq!(incomplete, number == 3, "{}", failed.error);
        assert_eq!(failed.id(), None);
        failed.release();
    }
    assert!(inbox.next().await.is_none());
}

// MBR-5: an inbox that is refused or answered with nonsense ends with the reason.
#[tokio::test]
async fn refused_inbox_ends_with_the_reason() {
    let scripts: [(Reply, WireCode); 2] = [
        (
            |stream| {
                put(stream, 0, refusal(WireCode::WrongNode));
                done(stream);
            },
            WireCode::WrongNode,
        ),
        (
            |stream| {
                stream
                    .writer
                    .put_bytes(FrameType::Item, vec![0xff; 9].into());
            },
            WireCode::Malformed,
        ),
    ];
    for (script, expected) in scripts {
        let client = client_of(script).await;
        let mut inbox = client.inbox(4, SECOND).await.unwrap();
        let error = inbox.next().await.unwrap().err().unwrap();
        assert_eq!(WireCode::from(error), expected);
        assert!(inbox.next().await.is_none());
    }
}

// MBR-8, MBR-9: nothing that a node says about its log is believed unproved.
#[tokio::test]
async fn unproved_answers_to_questions_are_errors() {
    let client = client_of(|stream| {
        let note = Bytes::from_static(b"frex/f/node/log/1\n1\nAAAA\n\n");
        put(
            stream,
            0,
            Answer::Checkpoint(v1::Checkpoint {
                checkpoint: note,
                consistency: Vec::new(),
            }),
        );
        done(stream);
    })
    .await;
    let error = client.checkpoint(None).await.unwrap_err();
    assert!(matches!(error, QueryError::Checkpoint(_)), "{error}");
    let error = client.prove_entry(0, &[0; 32]).await.unwrap_err();
    assert!(matches!(error, QueryError::Transport(_)), "{error}");
    let error = client.receipts(MessageId([1; 16])).await.unwrap_err();
    assert_eq!(WireCode::from(error), WireCode::Malformed);
}

/// A head of the node's log.
fn head(size: u64, root: [u8; 32], signer: &SigningKey) -> Bytes {
    let head = Checkpoint {
        origin: "frex/f/node/log/1".to_owned(),
        size,
        root,
    };
    checkpoint::sign(&head, signer).unwrap()
}

fn proof(hashes: &[[u8; 32]]) -> Answer {
    let hash = |hash: &[u8; 32]| Bytes::copy_from_slice(hash);
    Answer::Checkpoint(v1::Checkpoint {
        checkpoint: Bytes::new(),
        consistency: hashes.iter().map(hash).collect(),
    })
}

/// One run of a member's program: its node shows a head, and answers what it is asked about its log.
/// Gives what the program has found, what it had seen before, and how often it asked.
async fn run(folder: &Path, head: Bytes, answer: Answer) -> (Vec<LogFault>, Bytes, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let (client, seen) = client_shown(head, Heads::in_folder(folder), move |stream| {
        count.fetch_add(1, Ordering::Relaxed);
        put(stream, 0, answer.clone());
        done(stream);
    })
    .await;
    let found = client.compare_logs().await;
    client.close().await;
    (found, seen, asked.load(Ordering::Relaxed))
}

// WIT-19, WIT-20, FIL-40: a program keeps the largest head of its node's log that was proved, says it in its
// next Hello, and tells what a node shows besides: no proof, less than before, another history.
#[tokio::test]
async fn what_was_seen_of_a_log_is_held_against_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let leaves = [leaf_hash(b"one"), leaf_hash(b"two")];
    let one = head(1, leaves[0], &key(4));
    let two = head(2, node_hash(&leaves[0], &leaves[1]), &key(4));
    let fault = |code| {
        vec![LogFault {
            node: NODE.to_owned(),
            code,
        }]
    };
    let (grown, nothing) = (proof(&[leaves[1]]), Bytes::new());
    // By whom else it is signed says nothing of the log.
    let strange = head(1, leaves[0], &key(8));
    let found = run(folder, strange, refusal(WireCode::NotFound)).await;
    assert_eq!(found, (vec![], nothing.clone(), 0));
    let found = run(folder, one.clone(), grown.clone()).await;
    assert_eq!(found, (vec![], nothing, 0), "the first one needs no proof");
    let found = run(folder, one.clone(), grown.clone()).await;
    assert_eq!(found, (vec![], one.clone(), 0));
    let found = run(folder, two.clone(), proof(&[])).await;
    assert_eq!(found, (fault(WireCode::BadProof), one.clone(), 1));
    let found = run(folder, two.clone(), grown.clone()).await;
    assert_eq!(
        found,
        (vec![], one.clone(), 1),
        "what was not proved was not kept"
    );
    let found = run(folder, one.clone(), grown).await;
    assert_eq!(
        found,
        (vec![], two.clone(), 1),
        "an older head of the same log"
    );
    let found = run(folder, one, refusal(WireCode::NotFound)).await;
    assert_eq!(found, (fault(WireCode::LogRolledBack), two.clone(), 1));
    let other = head(2, [7; 32], &key(4));
    let found = run(folder, other.clone(), proof(&[])).await;
    assert_eq!(
        found,
        (fault(WireCode::Forked), two.clone(), 1),
        "and the node is told"
    );
    let kept = fork_names("frex/f/node/log/1").map(|name| {
        let path = folder.join("evidence").join(format!("{name}.checkpoint"));
        Bytes::from(std::fs::read(path).unwrap())
    });
    assert_eq!(kept, [two, other]);
}

fn endpoint_config(address: SocketAddr) -> EndpointConfig {
    let listed = [key(1), key(2)].map(|key| *key.verifying_key().as_bytes());
    EndpointConfig {
        socket: Socket::Udp(address),
        identity: Identity::new(&key(3)).unwrap(),
        key_check: Arc::new(move |key| listed.contains(key)),
        key_exchange: frex_client::tls::KeyExchange::HybridOnly,
        limits: Limits::default(),
        listen: true,
        rng_seed: None,
    }
}

fn roster(address: SocketAddr) -> Roster {
    let now_ms = now_ms();
    let (root_key, issuer) = (key(5), key(6));
    let root = build::root(&build::RootDraft {
        federation: "f",
        version: 1,
        expires_ms: now_ms + YEAR_MS,
        root_keys: &[root_key.verifying_key()],
        root_threshold: 1,
        roster_keys: &[issuer.verifying_key()],
        roster_threshold: 1,
    });
    let card = build::card(&build::CardDraft {
        federation: "f",
        id: MEMBER,
        name: "Member",
        role: v1::Role::Hotline,
        country: "NO",
        home_node: NODE,
        identity: &key(1),
        client_tls: &[key(2).verifying_key()],
        sealing: &[SealingSecretKey::from_seed(&[9; 32]).public()],
        node: Some(build::NodeDraft {
            id: NODE,
            log_key: &key(4).verifying_key(),
            witness_key: None,
            tls_keys: &[key(3).verifying_key()],
            addresses: &[address.to_string()],
        }),
        issued_ms: now_ms,
        expires_ms: now_ms + YEAR_MS,
    })
    .unwrap();
    let mut listed = build::first_roster(&root, now_ms, now_ms + YEAR_MS);
    build::list_card(&mut listed, &card);
    let signed_root = build::sign_root(&root, &[&root_key]).unwrap();
    let signed = build::sign_roster(&listed, &[&issuer]).unwrap();
    let bundle = build::bundle(&signed_root, &signed, vec![card.member_doc], None);
    let anchor = TrustAnchor::of_root(&signed_root).unwrap();
    Roster::judge(&bundle, &anchor, now_ms).unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
