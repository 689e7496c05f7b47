//! The whole exchange through the client library: three nodes in one process, real sockets, real
//! disks.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeSet,
    net::UdpSocket,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use frex_client::{
    client::{Client, ClientConfig, News, ProvenReceipt, SubmissionEvent},
    environment::Environment,
    report::CONTENT_TYPE,
    tls::config::Limits,
    transport::{RosterHandle, Socket},
};
use frex_node::{
    disk::RealDisk,
    node::{Execution, Node},
};
use frex_proto::{
    delivery::Stage, envelope::SignedEnvelope, error::WireCode, id::EnvelopeId,
    keys::SealingSecretKey, receipt, v1,
};
use frex_tests::{
    federation::{Federation, Organisation, Place},
    processes::free_addresses,
};
use prost::Message;
use tempfile::TempDir;

const PLATFORM: &str = "platform";
const MEMBERS: [&str; 3] = ["hotline.no", "police.de", "centre.us"];
const COUNTRIES: [&str; 3] = ["NO", "DE", "US"];
const WAIT: Duration = Duration::from_secs(20);

/// Three organisations with a node each; the platform is served by the first.
struct World {
    federation: Federation,
    nodes: Vec<Option<Node>>,
    dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let addresses = free_addresses(MEMBERS.len());
        let mut organisations: Vec<Organisation<'_>> = MEMBERS
            .iter()
            .zip(COUNTRIES)
            .zip(addresses)
            .map(|((id, country), address)| Organisation {
                id,
                role: v1::Role::Hotline,
                country,
                node: Ok(address),
            })
            .collect();
        organisations.push(Organisation {
            id: PLATFORM,
            role: v1::Role::Platform,
            country: "IE",
            node: Err(MEMBERS[0]),
        });
        let mut world = Self {
            federation: Federation::new(7, now_ms(), &organisations),
            nodes: Vec::new(),
            dir: tempfile::tempdir().unwrap(),
        };
        for number in 0..MEMBERS.len() {
            let node = world.start(number).await;
            world.nodes.push(Some(node));
        }
        world
    }

    fn data(&self, number: usize) -> PathBuf {
        self.dir.path().join(MEMBERS[number])
    }

    async fn start(&self, number: usize) -> Node {
        let data = self.data(number);
        std::fs::create_dir_all(&data).unwrap();
        // A node that was shut down keeps its socket until its last connection has drained.
        let address = self.federation.node(MEMBERS[number]).address;
        while UdpSocket::bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let place = Place {
            environment: Environment::default(),
            disk: Arc::new(RealDisk),
            socket: Socket::Udp(address),
            data,
            execution: Execution::Threads,
        };
        self.federation.start(MEMBERS[number], place).await.unwrap()
    }

    async fn stop(&mut self, number: usize) {
        self.nodes[number].take().unwrap().shutdown().await;
    }

    async fn restart(&mut self, number: usize) {
        self.stop(number).await;
        self.nodes[number] = Some(self.start(number).await);
    }

    async fn client(&self, member: &str) -> Client {
        Client::connect(self.config(member)).await.unwrap()
    }

    fn config(&self, member: &str) -> ClientConfig {
        let seat = self.federation.member(member);
        ClientConfig {
            member: member.to_owned(),
            roster: RosterHandle::new(self.federation.roster(now_ms())),
            membership: None,
            identity: seat.identity.clone(),
            tls: seat.tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&seat.sealing.seed())].into(),
            environment: Environment::default(),
            socket: None,
            limits: Limits::default(),
            patience: Duration::from_secs(15),
            heads: Arc::default(),
        }
    }

    async fn shutdown(mut self) {
        for number in 0..MEMBERS.len() {
            if self.nodes[number].is_some() {
                self.stop(number).await;
            }
        }
    }
}

fn seal(client: &Client, to: &[&str], data: Vec<u8>) -> SignedEnvelope {
    let draft = client.draft(to).content(CONTENT_TYPE, data);
    client.seal(&client.finish(draft).unwrap()).unwrap()
}

/// Submits and waits for every node's answer.
async fn send(client: &Client, envelopes: Vec<SignedEnvelope>) -> Vec<SubmissionEvent> {
    client.submit(envelopes, WAIT).await.unwrap().finish().await
}

fn submitted(events: &[SubmissionEvent]) -> Vec<&ProvenReceipt> {
    let receipts = events.iter().filter_map(|event| match &event.news {
        News::Submitted(receipt) => Some(&**receipt),
        _ => None,
    });
    receipts.collect()
}

fn accepting_members(events: &[SubmissionEvent]) -> BTreeSet<(usize, String)> {
    let mut accepting = BTreeSet::new();
    for event in events {
        if let News::Accepted { members, .. } = &event.news {
            accepting.extend(
                members
                    .iter()
                    .map(|member| (event.envelope, member.clone())),
            );
        }
    }
    accepting
}

/// Takes everything that waits and states that it was opened; gives the contents.
async fn read_all(client: &Client) -> Vec<Bytes> {
    let mut inbox = client.inbox(16, Duration::from_millis(300)).await.unwrap();
    let mut contents = Vec::new();
    while let Some(item) = inbox.next().await {
        let item = item.unwrap().map_err(|failed| failed.error).unwrap();
        assert_eq!(item.sender(), PLATFORM);
        contents.push(item.opened.data.clone());
        let proof = item.confirm(v1::Stage::Opened, "").await.unwrap();
        assert_eq!(proof.stage.unwrap().member, client.member());
    }
    contents
}

/// Waits until the sender's node holds the members' word on its message.
async fn staged(client: &Client, envelope: &SignedEnvelope, members: usize) -> BTreeSet<String> {
    let message = message_id(envelope);
    for _ in 0..100 {
        let receipts = client.receipts(message).await.unwrap();
        let stages = receipts
            .into_iter()
            .filter_map(|receipt| receipt.unwrap().stage);
        let heard: BTreeSet<String> = stages
            .filter(|word| Stage::of_word(word.stage()) == Some(Stage::Opened))
            .map(|word| word.member)
            .collect();
        if heard.len() == members {
            return heard;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the stages did not flow back");
}

fn message_id(envelope: &SignedEnvelope) -> frex_proto::id::MessageId {
    let wire = envelope.to_wire(None);
    let parsed = frex_proto::envelope::parse(&wire).unwrap();
    parsed.core.message_id
}

// DEL-12: one report to three countries; what they did comes back, all of it proved.
// A node refuses wraps of members that are not its own (DEL-14), so each got exactly its own.
#[tokio::test]
async fn one_report_reaches_three_countries_and_their_word_comes_back() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let envelope = seal(&platform, &MEMBERS, b"{\"reference\":\"A-1\"}".to_vec());
    let events = send(&platform, vec![envelope.clone()]).await;
    assert_eq!(submitted(&events).len(), 1, "{events:?}");
    assert_eq!(accepting_members(&events).len(), 3, "{events:?}");
    refuses_what_receipts_do_not_prove(&platform, submitted(&events)[0]);
    for member in MEMBERS {
        let contents = read_all(&world.client(member).await).await;
        assert_eq!(contents, [Bytes::from_static(b"{\"reference\":\"A-1\"}")]);
    }
    let heard = staged(&platform, &envelope, 3).await;
    assert_eq!(heard, MEMBERS.map(str::to_owned).into());
    world.shutdown().await;
}

/// RCP-6, MBR-4: a receipt that was changed, or is about something else, is never handed out as one.
fn refuses_what_receipts_do_not_prove(client: &Client, proof: &ProvenReceipt) {
    let verifier = client.verifier();
    let id = proof.statement().envelope_id;
    verifier.prove(proof.receipt.clone(), id).unwrap();
    let other = Some(EnvelopeId([7; 32]));
    let wrong = verifier.prove(proof.receipt.clone(), other).unwrap_err();
    assert_eq!(wrong.node.as_deref(), Some(MEMBERS[0]));
    let mut changed = proof.receipt.clone();
    let mut statement = v1::Statement::decode(changed.statement).unwrap();
    statement.recipients.truncate(1);
    changed.statement = statement.encode_to_vec().into();
    let wrong = verifier.prove(changed, id).unwrap_err();
    assert_eq!(WireCode::from(wrong.error), WireCode::BadReceipt);
    let mut claimed = proof.receipt.clone();
    statement.node = "nobody".to_owned();
    claimed.statement = statement.encode_to_vec().into();
    let wrong = verifier.prove(claimed, id).unwrap_err();
    assert_eq!(WireCode::from(wrong.error), WireCode::NotTrusted);
}

// SIG-4, LIM-2: 64 envelopes under one signature and one HPKE context per recipient.
#[tokio::test]
async fn batch_of_sixty_four_arrives_whole() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let drafts: Vec<_> = (0..64_u8)
        .map(|number| {
            let draft = platform
                .draft(&MEMBERS[1..])
                .content(CONTENT_TYPE, vec![number; 2048]);
            platform.finish(draft).unwrap()
        })
        .collect();
    let events = send(&platform, platform.seal_batch(&drafts).unwrap()).await;
    assert_eq!(submitted(&events).len(), 64);
    assert_eq!(accepting_members(&events).len(), 128);
    for member in &MEMBERS[1..] {
        let contents: BTreeSet<Bytes> = read_all(&world.client(member).await)
            .await
            .into_iter()
            .collect();
        let sent: BTreeSet<Bytes> = drafts.iter().map(|draft| draft.data.clone()).collect();
        assert!(contents == sent);
    }
    world.shutdown().await;
}

// LIM-4, WIR-5: the largest content travels beside its frame and opens unchanged.
#[tokio::test]
async fn content_of_a_mebibyte_arrives_unchanged() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let data: Vec<u8> = (0..1024 * 1024_u32)
        .map(|byte| byte.to_le_bytes()[0])
        .collect();
    let events = send(&platform, vec![seal(&platform, &MEMBERS, data.clone())]).await;
    assert_eq!(accepting_members(&events).len(), 3, "{events:?}");
    for member in MEMBERS {
        let contents = read_all(&world.client(member).await).await;
        assert!(contents.len() == 1 && contents[0] == data);
    }
    world.shutdown().await;
}

// DEL-17, RCP-11: the same bytes again have no effect and are answered with the same receipts.
#[tokio::test]
async fn duplicate_submission_is_answered_with_the_stored_receipt() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let envelope = seal(&platform, &MEMBERS[1..], b"once".to_vec());
    let first = send(&platform, vec![envelope.clone()]).await;
    let again = send(&platform, vec![envelope]).await;
    let bytes = |events: &[SubmissionEvent]| submitted(events)[0].receipt.encode_to_vec();
    assert_eq!(bytes(&first), bytes(&again));
    assert_eq!(accepting_members(&first), accepting_members(&again));
    for member in &MEMBERS[1..] {
        assert_eq!(read_all(&world.client(member).await).await.len(), 1);
    }
    world.shutdown().await;
}

// DEL-18: other bytes under a used message id earn a signed refusal that names the first envelope.
#[tokio::test]
async fn reused_message_id_is_rejected_on_the_record() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let first = seal(&platform, &MEMBERS[1..2], b"first".to_vec());
    let draft = platform
        .draft(&MEMBERS[1..2])
        .message_id(message_id(&first))
        .content(CONTENT_TYPE, b"second".to_vec());
    let second = platform.seal(&platform.finish(draft).unwrap()).unwrap();
    send(&platform, vec![first.clone()]).await;
    let events = send(&platform, vec![second.clone()]).await;
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    let News::Rejected {
        node,
        code,
        other,
        receipt: proof,
        ..
    } = &event.news
    else {
        panic!("{events:?}")
    };
    assert_eq!((node.as_str(), *code), (MEMBERS[0], WireCode::IdReuse));
    assert_eq!(*other, Some(first.id));
    let log = world
        .federation
        .roster(now_ms())
        .log_verifier(node)
        .unwrap();
    receipt::verify(&proof.receipt, &log, Some(second.id)).unwrap();
    world.shutdown().await;
}

// DEL-19, DEL-20: restarts lose nothing, and the clients find their node again by themselves.
#[tokio::test]
async fn restarted_nodes_keep_everything_and_clients_return() {
    let mut world = World::new().await;
    let platform = world.client(PLATFORM).await;
    world.stop(2).await;
    let envelope = seal(&platform, &MEMBERS, b"kept".to_vec());
    let short = Duration::from_secs(2);
    let submission = platform.submit(vec![envelope.clone()], short).await;
    let events = submission.unwrap().finish().await;
    let before = submitted(&events)[0].receipt.encode_to_vec();
    assert_eq!(accepting_members(&events).len(), 2, "{events:?}");
    let known = platform.checkpoint(None).await.unwrap();
    world.restart(0).await;
    world.restart(1).await;
    world.nodes[2] = Some(world.start(2).await);

    let events = send(&platform, vec![envelope.clone()]).await;
    assert_eq!(submitted(&events)[0].receipt.encode_to_vec(), before);
    assert_eq!(accepting_members(&events).len(), 3, "{events:?}");
    for member in MEMBERS {
        let contents = read_all(&world.client(member).await).await;
        assert_eq!(contents, [Bytes::from_static(b"kept")]);
    }
    staged(&platform, &envelope, 3).await;
    let grown = platform.checkpoint(Some(&known.checkpoint)).await.unwrap();
    assert!(grown.checkpoint.size > known.checkpoint.size);
    let proof = submitted(&events)[0];
    let leaf = proof.verified.leaf_hash;
    let head = platform
        .prove_entry(proof.verified.index, &leaf)
        .await
        .unwrap();
    assert!(head.checkpoint.size >= grown.checkpoint.size);
    world.shutdown().await;
}

// MBR-5, DEL-22, DEL-23, DEL-24: what is released, or held by a program that goes away, comes again.
#[tokio::test]
async fn released_and_abandoned_items_come_again() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    for words in [b"again", b"later"] {
        let envelope = seal(&platform, &MEMBERS[1..2], words.to_vec());
        send(&platform, vec![envelope]).await;
    }
    let police = world.client(MEMBERS[1]).await;
    let mut inbox = police.inbox(1, WAIT).await.unwrap();
    let item = inbox.next().await.unwrap().unwrap().ok().unwrap();
    assert_eq!(item.opened.data, "again", "the older first");
    let moment = Duration::from_millis(300);
    let more = tokio::time::timeout(moment, inbox.next()).await;
    assert!(more.is_err(), "no more than the credit");
    let mut other = police.inbox(8, moment).await.unwrap();
    let second = other.next().await.unwrap().unwrap().ok().unwrap();
    assert_eq!(second.opened.data, "later", "the first is leased");
    drop((second, other));
    item.release();
    let item = inbox.next().await.unwrap().unwrap().ok().unwrap();
    assert_eq!(item.opened.data, "again");
    drop((item, inbox));
    let both = [b"again", b"later"].map(|words| Bytes::from_static(words));
    assert_eq!(read_all(&police).await, both);
    assert!(read_all(&police).await.is_empty());
    world.shutdown().await;
}

// DEL-47: who finds an inbox empty because others hold everything is told how much.
#[tokio::test]
async fn what_other_programs_hold_is_counted() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    for _ in 0..3 {
        let envelope = seal(&platform, &MEMBERS[1..2], b"held".to_vec());
        send(&platform, vec![envelope]).await;
    }
    let police = world.client(MEMBERS[1]).await;
    let mut inbox = police.inbox(8, WAIT).await.unwrap();
    let mut items = Vec::new();
    for _ in 0..3 {
        items.push(inbox.next().await.unwrap().unwrap().ok().unwrap());
    }
    let mut other = police.inbox(8, Duration::ZERO).await.unwrap();
    assert!(other.next().await.is_none());
    assert_eq!(other.held_elsewhere(), 3);
    for item in items {
        item.confirm(v1::Stage::Opened, "").await.unwrap();
    }
    drop(inbox);
    let mut other = police.inbox(8, Duration::ZERO).await.unwrap();
    assert!(other.next().await.is_none());
    assert_eq!(other.held_elsewhere(), 0);
    world.shutdown().await;
}

// DEL-23, DEL-25: statements about many items are on their way at once; each is answered with the receipt
// of its own item, those of a program that reads no further too.
#[tokio::test]
async fn many_items_are_confirmed_side_by_side() {
    const COUNT: usize = 40;
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let sealed = (0..COUNT).map(|_| seal(&platform, &MEMBERS[1..2], b"one of many".to_vec()));
    send(&platform, sealed.collect()).await;
    let police = world.client(MEMBERS[1]).await;
    let mut inbox = police.inbox(256, WAIT).await.unwrap();
    let mut confirming = tokio::task::JoinSet::new();
    for _ in 0..COUNT {
        let item = inbox.next().await.unwrap().unwrap().ok().unwrap();
        confirming.spawn(async move { (item.id(), item.confirm(v1::Stage::Opened, "").await) });
    }
    drop(inbox);
    let mut entries = std::collections::BTreeSet::new();
    for (id, proven) in confirming.join_all().await {
        let proven = proven.unwrap();
        assert_eq!(proven.statement().envelope_id, Some(id));
        entries.insert(proven.verified.index);
    }
    assert_eq!(entries.len(), COUNT);
    assert!(read_all(&police).await.is_empty());
    world.shutdown().await;
}

// MBR-2, SES-18, SES-20: what cannot arrive is refused before it is sealed, or by the node in one word.
#[tokio::test]
async fn unknown_recipients_and_expired_envelopes_are_refused() {
    let world = World::new().await;
    let platform = world.client(PLATFORM).await;
    let stranger = platform.finish(platform.draft(&["nobody"]));
    assert_eq!(
        WireCode::from(stranger.unwrap_err()),
        WireCode::UnknownRecipient
    );
    let draft = platform
        .draft(&MEMBERS[1..2])
        .life(Duration::from_millis(1));
    let envelope = platform.seal(&platform.finish(draft).unwrap()).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let events = send(&platform, vec![envelope]).await;
    let refused = matches!(
        events.as_slice(),
        [SubmissionEvent {
            news: News::Refused {
                code: WireCode::Expired
            },
            ..
        }]
    );
    assert!(refused, "{events:?}");
    let draft = platform
        .draft(&MEMBERS[1..2])
        .life(Duration::from_millis(1));
    let expired = platform.seal(&platform.finish(draft).unwrap()).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let good = seal(&platform, &MEMBERS[1..2], b"good".to_vec());
    let events = send(&platform, vec![expired, good]).await;
    assert_eq!(submitted(&events).len(), 1, "{events:?}");
    let of = |place: usize| events.iter().filter(move |event| event.envelope == place);
    assert!(of(0).all(|event| matches!(event.news, News::Refused { .. })));
    assert_eq!(of(1).count(), 2, "SUBMITTED and ACCEPTED");
    let own = world.client(MEMBERS[1]).await;
    let foreign = seal(&platform, &MEMBERS[2..], b"not mine".to_vec());
    let events = send(&own, vec![foreign]).await;
    let refused = matches!(
        events.as_slice(),
        [SubmissionEvent {
            news: News::Refused {
                code: WireCode::WrongSender
            },
            ..
        }]
    );
    assert!(refused, "{events:?}");
    world.shutdown().await;
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
