//! Without any witness: what a log has shown to one party and what it shows to another meet in Hellos
//! and receipts, and evidence goes to everybody.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim gossip`.

use std::time::Duration;

use bytes::Bytes;
use frex_client::{
    client::{Client, News},
    transport::{Endpoint, Greeter, Session, Stream},
};
use frex_node::node::Node;
use frex_proto::{
    error::WireCode,
    limits,
    log::{Checkpoint, Hash, checkpoint, node_hash},
    roster::Peer,
    v1::{self, answer::Answer, request::Request},
    wire::FrameType,
};
use frex_tests::{
    scene::{self, NODE_PORT, Scene, ip},
    sim::world::{self, World},
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

const LIAR: &str = "platform";
const OTHERS: [&str; 3] = ["hotline", "police", "clearing"];
const MINUTE: Duration = Duration::from_secs(60);

fn scene(world: &World) -> Scene {
    let organisations = [
        scene::organisation(LIAR, v1::Role::Platform, 1),
        scene::organisation(OTHERS[0], v1::Role::Hotline, 2),
        scene::organisation(OTHERS[1], v1::Role::Police, 5),
        scene::organisation(OTHERS[2], v1::Role::ClearingHouse, 6),
    ];
    let machines = [("platform-client", 3), ("stranger", 7)];
    Scene::new(world, &organisations, &machines)
}

/// Files one report to the hotline and waits until its node has accepted it.
async fn exchange(client: &Client) {
    let draft = client.draft(&[OTHERS[0]]).content("text/plain", "words");
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    let mut submission = client.submit(vec![envelope], MINUTE).await.unwrap();
    while let Some(event) = submission.next().await {
        if matches!(event.news, News::Accepted { .. }) {
            return;
        }
    }
    panic!("nobody accepts it");
}

/// Waits until something holds, for at most ten virtual minutes.
async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("never: {what}");
}

fn knows(node: &Node) -> bool {
    node.status().forked_logs == [LIAR]
}

// WIT-9, WIT-14, WIT-17: two lives of one node from one copy of its disk sign two histories. The second one
// stops at the first word of who has seen the first; who has seen both has evidence; everybody has it,
// also who was away; and nobody is accused besides.
#[test]
fn two_histories_are_found_and_everybody_is_told() {
    for seed in crate::seeds(1..=6) {
        world::run(seed, |world| async move {
            let scene = scene(&world);
            let hotline = scene.node(OTHERS[0]).await;
            let police = scene.node(OTHERS[1]).await;
            let node = scene.node(LIAR).await;
            let client = scene.client(LIAR, "platform-client").await;
            exchange(&client).await;
            sleep(MINUTE).await;
            let disk = scene.machines[LIAR].disk().clone();
            let old = disk.image();
            exchange(&client).await;
            let size = node.status().log_size;
            sleep(MINUTE).await;
            scene.power_off(LIAR, node).await;

            disk.put_back(&old);
            for last in [2, 5] {
                world.network().partition(ip(1), ip(last));
            }
            let again = scene.node(LIAR).await;
            let client = scene.client(LIAR, "stranger").await;
            while again.status().log_size < size {
                let draft = client.draft(&[OTHERS[0]]).content("text/plain", "other");
                let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
                let sent = client.submit(vec![envelope], Duration::ZERO).await.unwrap();
                sent.finish().await;
            }
            world.network().heal();
            let stopped = tokio::time::timeout(30 * MINUTE, again.failed()).await;
            assert_eq!(stopped, Ok(WireCode::LogRolledBack));
            let nodes = [&hotline, &police];
            until("evidence", || nodes.iter().all(|node| knows(node))).await;
            let clearing = scene.node(OTHERS[2]).await;
            until("who was away is told", || knows(&clearing)).await;
            let hotline = scene.power_cut(OTHERS[0], hotline).await;
            sleep(30 * MINUTE).await;
            let nodes = [&hotline, &police, &clearing];
            let sizes = || nodes.map(|node| node.status().log_size);
            let before = sizes();
            sleep(120 * MINUTE).await;
            assert_eq!(sizes(), before, "idle logs do not grow");
            assert!(knows(&hotline), "over a power cut too");
            for node in [&hotline, &police, &clearing] {
                let status = node.status();
                assert_eq!(status.doubted_logs, []);
                assert!(node.alarms().iter().any(|alarm| alarm.kind == "log-forked"));
            }
        });
    }
}

// WIT-9, WIT-19, WIT-20: a member has seen more of its node's log than an older copy of it has: the copy stops when
// the member comes back, though nobody else can be reached.
#[test]
fn a_member_stops_an_old_copy_of_its_node() {
    for seed in crate::seeds(1..=6) {
        world::run(seed, |world| async move {
            let scene = scene(&world);
            let hotline = scene.node(OTHERS[0]).await;
            let node = scene.node(LIAR).await;
            let client = scene.client(LIAR, "platform-client").await;
            exchange(&client).await;
            assert_eq!(client.compare_logs().await, []);
            let disk = scene.machines[LIAR].disk().clone();
            let old = disk.image();
            for _ in 0..3 {
                exchange(&client).await;
            }
            assert_eq!(client.compare_logs().await, []);
            scene.power_off(LIAR, node).await;
            disk.put_back(&old);
            world.network().partition(ip(1), ip(2));
            let again = scene.node(LIAR).await;
            let stopped = async {
                // Whatever it asks, it greets first, once it knows that the session is lost.
                let asking = async {
                    loop {
                        let _ = client.checkpoint(None).await;
                    }
                };
                tokio::select! {
                    code = again.failed() => code,
                    () = asking => unreachable!("it asks for ever"),
                }
            };
            let stopped = tokio::time::timeout(5 * MINUTE, stopped).await;
            assert_eq!(stopped, Ok(WireCode::LogRolledBack), "seed {seed}");
            drop(hotline);
        });
    }
}

/// Stands where the platform's node should, with its keys, and shows whatever log it likes.
struct Impostor<'a> {
    scene: &'a Scene,
    endpoint: Endpoint,
    greeter: Greeter,
}

impl<'a> Impostor<'a> {
    fn new(scene: &'a Scene) -> Self {
        let peer = Peer::Node(LIAR.to_owned());
        let (endpoint, greeter) = scene.caller(peer, LIAR, NODE_PORT);
        Self {
            scene,
            endpoint,
            greeter,
        }
    }

    /// A head of a log of so many entries, whatever they are.
    fn head(&self, size: u64, root: Hash) -> Bytes {
        let log = self.greeter.roster.current().log_verifier(LIAR).unwrap();
        let head = Checkpoint {
            origin: log.origin,
            size,
            root,
        };
        checkpoint::sign(&head, &self.scene.federation.node(LIAR).log).unwrap()
    }

    /// Greets `node` with this head, and stays until it is let go.
    async fn greet(&self, node: &str, head: &Bytes) -> Session {
        let shown = head.clone();
        let greeter = Greeter {
            checkpoint: std::sync::Arc::new(move || shown.clone()),
            ..self.greeter.clone()
        };
        let address = self.scene.federation.node(node).address;
        let greeting = greeter.dialling(node);
        self.endpoint.dial(address, &greeting).await.unwrap()
    }

    /// Answers every question about its log with what `answer` is then.
    fn answers(&self, answer: watch::Receiver<Answer>) -> tokio::task::JoinHandle<()> {
        let (endpoint, greeter) = (self.endpoint.clone(), self.greeter.clone());
        tokio::spawn(async move {
            let (sender, mut sessions) = mpsc::channel(4);
            let door = endpoint.serve(greeter.listening(), sender);
            let serve = async {
                while let Some(session) = sessions.recv().await {
                    tokio::spawn(answer_all(session, answer.clone()));
                }
            };
            tokio::join!(door, serve);
        })
    }

    /// The size of the newest head of its log that the node at the other end says it has seen.
    async fn seen(&self, session: &Session) -> u64 {
        let log = self.greeter.roster.current().log_verifier(LIAR).unwrap();
        let request = v1::Request {
            request: Some(Request::GetSeen(v1::GetSeen { origin: log.origin })),
        };
        let Stream { writer, mut reader } = session.request(&request, 0).await.unwrap();
        writer.finish().await.unwrap();
        let answer: v1::Answer = reader.message(FrameType::Answer, MINUTE).await.unwrap();
        match answer.answer.unwrap() {
            Answer::Checkpoint(seen) => Checkpoint::of_note(&seen.checkpoint).unwrap().size,
            other => panic!("{other:?}"),
        }
    }

    async fn offer(&self, node: &str, checkpoints: &[Bytes]) -> Option<WireCode> {
        let session = self.greet(node, &Bytes::new()).await;
        let request = v1::Request {
            request: Some(Request::OfferEvidence(v1::OfferEvidence {
                checkpoints: checkpoints.to_vec(),
            })),
        };
        let Stream { writer, mut reader } = session.request(&request, 0).await.unwrap();
        writer.finish().await.unwrap();
        let answer: v1::Answer = reader.message(FrameType::Answer, MINUTE).await.unwrap();
        match answer.answer.unwrap() {
            Answer::Refusal(refusal) => Some(WireCode::from_number(refusal.code)),
            _ => None,
        }
    }
}

async fn answer_all(session: Session, said: watch::Receiver<Answer>) {
    while let Ok(Stream {
        mut writer,
        mut reader,
    }) = session.accept().await
    {
        let _: Result<v1::Request, _> = reader.message(FrameType::Request, MINUTE).await;
        let answer = v1::Answer {
            envelope: 0,
            answer: Some(said.borrow().clone()),
        };
        writer.put_message(FrameType::Answer, &answer);
        let _ = writer.finish().await;
    }
}

// WIT-8, WIT-14, WIT-15, WIT-16: a log that does not prove that it extends what it has shown is in doubt: no evidence,
// and told to people; whoever starts with an older copy of it hears of the larger head all the same; and the doubt is
// lifted once it proves it.
#[test]
fn a_log_that_proves_nothing_is_in_doubt() {
    let refusal = |code: WireCode| {
        Answer::Refusal(v1::Refusal {
            code: code as u32,
            retry_after_ms: 0,
        })
    };
    let cases = [
        (Answer::Checkpoint(v1::Checkpoint::default()), "BAD_PROOF"),
        (refusal(WireCode::NotFound), "LOG_ROLLED_BACK"),
    ];
    for (answer, code) in cases {
        world::run(1, |world| async move {
            let scene = scene(&world);
            let hotline = scene.node(OTHERS[0]).await;
            let liar = Impostor::new(&scene);
            let (say, said) = watch::channel(answer);
            let serving = liar.answers(said);
            let first = liar.greet(OTHERS[0], &liar.head(8, [1; 32])).await;
            sleep(MINUTE).await;
            assert_eq!(hotline.status().doubted_logs, []);
            let grown = liar.head(9, node_hash(&[1; 32], &[2; 32]));
            let second = liar.greet(OTHERS[0], &grown).await;
            let doubted = || hotline.status().doubted_logs.len() == 1;
            until("it is in doubt", doubted).await;
            let doubt = hotline.status().doubted_logs.remove(0);
            assert_eq!((doubt.node.as_str(), doubt.code), (LIAR, code));
            let alarms = hotline.alarms();
            assert_eq!((alarms.len(), alarms[0].kind), (1, "log-doubted"));
            assert!(hotline.status().forked_logs.is_empty());
            assert_eq!(liar.seen(&second).await, 9, "signed, and not proved");
            // It is asked again, and says the same.
            sleep(20 * MINUTE).await;
            assert_eq!(hotline.status().doubted_logs, [doubt]);
            // The head of 8, and one more entry.
            say.send_replace(Answer::Checkpoint(v1::Checkpoint {
                checkpoint: grown.clone(),
                consistency: vec![Bytes::copy_from_slice(&[2; 32])],
            }));
            let lifted = || hotline.status().doubted_logs.is_empty();
            until("it has proved it", lifted).await;
            assert!(hotline.alarms().is_empty() && hotline.status().forked_logs.is_empty());
            drop((first, second));
            serving.abort();
        });
    }
}

// WIT-17: what proves nothing is refused, and nothing of it is kept; what does is stated and passed on.
#[test]
fn only_evidence_is_evidence() {
    world::run(1, |world| async move {
        let scene = scene(&world);
        let hotline = scene.node(OTHERS[0]).await;
        let police = scene.node(OTHERS[1]).await;
        let liar = Impostor::new(&scene);
        let (one, other) = (liar.head(5, [1; 32]), liar.head(5, [2; 32]));
        let broken = {
            let text = String::from_utf8(other.to_vec()).unwrap();
            Bytes::from(text.replacen("\n5\n", "\n6\n", 1))
        };
        for (checkpoints, code) in [
            (vec![], WireCode::Malformed),
            (vec![one.clone()], WireCode::Malformed),
            (vec![one.clone(); 3], WireCode::Malformed),
            (vec![one.clone(), one.clone()], WireCode::BadProof),
            (vec![one.clone(), liar.head(6, [2; 32])], WireCode::BadProof),
            (vec![one.clone(), broken], WireCode::BadSignature),
            (
                vec![
                    vec![b'x'; limits::SEEN_CHECKPOINT_BYTES_MAX + 1].into(),
                    other.clone(),
                ],
                WireCode::TooLarge,
            ),
        ] {
            assert_eq!(liar.offer(OTHERS[0], &checkpoints).await, Some(code));
        }
        assert_eq!(hotline.status().log_size, 0);
        let pair = [one, other];
        for _ in 0..2 {
            assert_eq!(liar.offer(OTHERS[0], &pair).await, None);
        }
        until("everybody is told", || knows(&hotline) && knows(&police)).await;
        assert_eq!(hotline.status().log_size, 1, "stated once");
    });
}
