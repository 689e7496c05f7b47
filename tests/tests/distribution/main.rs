//! News of the roster among running nodes and connected members: real sockets, real disks, no
//! governance at hand once it has signed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use frex_client::{
    client::{Client, ClientConfig, GivenUp, News},
    environment::Environment,
    keys::{ROSTER_FILE, file},
    membership::{Membership, RosterStore},
    passphrase::Unlock,
    report::CONTENT_TYPE,
    tls::config::Limits,
    transport::{RosterHandle, Socket},
};
use frex_node::{
    disk::RealDisk,
    node::{Execution, Node},
    suspension::{Suspension, Suspensions},
};
use frex_proto::{
    error::WireCode,
    keys::SealingSecretKey,
    roster::{Roster, TrustAnchor, build},
    v1,
};
use frex_tests::{
    federation::{Federation, Organisation, Place},
    processes::{Frex, free_addresses},
};
use prost::Message;
use tempfile::TempDir;

mod ended;

mod retired;

const PLATFORM: &str = "platform";
const IDS: [&str; 4] = ["centre.us", "hotline.no", "police.de", "police.es"];
/// What the federation promises: a revocation is everywhere, and has cut what it must, in so long.
const PROMISE: Duration = Duration::from_secs(5);
const WAIT: Duration = Duration::from_secs(20);

/// Four organisations with a node each; the platform is served by the first.
struct World {
    federation: Federation,
    nodes: Vec<Node>,
    dir: TempDir,
}

/// Keeps rosters in memory, in the order in which they came.
#[derive(Default)]
struct Kept(Mutex<Vec<Bytes>>);

impl RosterStore for Kept {
    fn hold(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn keep(&self, bundle: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().push(Bytes::copy_from_slice(bundle));
        Ok(())
    }

    fn kept(&self) -> io::Result<Vec<u8>> {
        let kept = self.0.lock().unwrap().last().cloned();
        kept.map(|kept| kept.to_vec())
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn keep_evidence(&self, _roster: &Roster) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl World {
    async fn new() -> Self {
        let mut organisations: Vec<_> = IDS
            .iter()
            .zip(free_addresses(IDS.len()))
            .map(|(id, address)| organisation(id, address))
            .collect();
        organisations.push(Organisation {
            id: PLATFORM,
            role: v1::Role::Platform,
            country: "IE",
            node: Err(IDS[0]),
        });
        let mut world = Self {
            federation: Federation::new(11, now_ms(), &organisations),
            nodes: Vec::new(),
            dir: tempfile::tempdir().unwrap(),
        };
        for id in IDS {
            let roster = world.federation.bundle.clone();
            let node = world.start(id, &roster).await;
            world.nodes.push(node);
        }
        world
    }

    fn data(&self, id: &str) -> PathBuf {
        self.dir.path().join(id)
    }

    async fn start(&self, id: &str, bundle: &Bytes) -> Node {
        let data = self.data(id);
        std::fs::create_dir_all(&data).unwrap();
        let place = Place {
            environment: Environment::default(),
            disk: Arc::new(RealDisk),
            socket: Socket::Udp(self.federation.node(id).address),
            data,
            execution: Execution::Threads,
        };
        let roster = self.judged(bundle);
        self.federation.start_with(id, place, roster).await.unwrap()
    }

    fn judged(&self, bundle: &Bytes) -> Roster {
        Roster::judge(bundle, &self.federation.anchor, now_ms()).unwrap()
    }

    fn held(&self) -> Roster {
        self.judged(&self.federation.bundle)
    }

    async fn client(&self, member: &str) -> (Client, Arc<Kept>) {
        let seat = self.federation.member(member);
        let (environment, kept) = (Environment::default(), Arc::new(Kept::default()));
        let roster = RosterHandle::new(self.held());
        let membership = Membership::new(
            roster.clone(),
            self.federation.anchor.clone(),
            environment.clock.clone(),
            kept.clone(),
            Arc::new(|work| work()),
        );
        let client = Client::connect(ClientConfig {
            member: member.to_owned(),
            roster,
            membership: Some(membership),
            identity: seat.identity.clone(),
            tls: seat.tls.clone(),
            sealing: vec![SealingSecretKey::from_seed(&seat.sealing.seed())].into(),
            environment,
            socket: None,
            limits: Limits::default(),
            patience: Duration::from_secs(3),
            heads: Arc::default(),
        });
        (client.await.unwrap(), kept)
    }

    async fn shutdown(self) {
        for node in self.nodes {
            node.shutdown().await;
        }
    }
}

fn organisation(id: &str, address: SocketAddr) -> Organisation<'_> {
    Organisation {
        id,
        role: v1::Role::Hotline,
        country: "NO",
        node: Ok(address),
    }
}

/// Waits until something holds, and tells how long that took.
async fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < WAIT, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

fn version(node: &Node) -> u64 {
    node.status().roster_version
}

/// Submits one report; whether every recipient's node accepted it.
async fn send(client: &Client, to: &[&str]) -> Result<bool, WireCode> {
    send_within(client, to, WAIT).await
}

async fn send_within(client: &Client, to: &[&str], wait: Duration) -> Result<bool, WireCode> {
    let draft = client
        .draft(to)
        .content(CONTENT_TYPE, b"{\"reference\":\"A-1\"}".to_vec());
    let draft = client.finish(draft).map_err(WireCode::from)?;
    let envelope = client.seal(&draft).map_err(WireCode::from)?;
    let submission = client
        .submit(vec![envelope], wait)
        .await
        .map_err(|error| WireCode::from(&error))?;
    let mut accepted = 0;
    for event in submission.finish().await {
        match event.news {
            News::Accepted { members, .. } => accepted += members.len(),
            News::Refused { code, .. } => return Err(code),
            _ => {}
        }
    }
    Ok(accepted == to.len())
}

// DIS-4, DIS-6, DIS-9, DIS-10: a revocation that one node learns of is everywhere within five
// seconds; it cuts the live connections of the one who is revoked, who is told why, and is logged.
#[tokio::test]
async fn a_revocation_is_everywhere_and_cuts_in_five_seconds() {
    let world = World::new().await;
    let (platform, _) = world.client(PLATFORM).await;
    let (bystander, kept) = world.client("police.de").await;
    assert!(send(&platform, &["police.de", "police.es"]).await.unwrap());
    let log_sizes: Vec<u64> = world
        .nodes
        .iter()
        .map(|node| node.status().log_size)
        .collect();

    let revised = world.federation.revised(&world.held(), &[], |roster| {
        for member in &mut roster.members {
            if [PLATFORM, "police.es"].contains(&member.id.as_str()) {
                member.status = v1::Status::Revoked.into();
            }
        }
    });
    let mut waiting = platform.inbox(4, 3 * WAIT).await.unwrap();
    let began = Instant::now();
    let informed = &world.nodes[1];
    assert!(informed.membership().take(revised.clone()).await.unwrap());
    until("every node that may act knows", || {
        world.nodes[..3].iter().all(|node| version(node) == 2)
    })
    .await;
    until("the connected member knows", || {
        bystander.roster().current().version() == 2
    })
    .await;
    assert_eq!(
        kept.0.lock().unwrap().as_slice(),
        std::slice::from_ref(&revised)
    );
    // The platform's client is connected to another node than the one informed.
    let cut = tokio::time::timeout(WAIT, waiting.next()).await.unwrap();
    let why = cut.unwrap().err().map(WireCode::from);
    assert_eq!(why, Some(WireCode::Revoked));
    until("the revoked node is alone", || {
        world.nodes[3].status().sessions == 0
    })
    .await;
    assert!(began.elapsed() < PROMISE, "{:?}", began.elapsed());
    let refused = send(&platform, &["police.de"]).await.unwrap_err();
    assert_eq!(refused, WireCode::Revoked);

    for (node, before) in world.nodes[..3].iter().zip(log_sizes) {
        until("the change is logged", || {
            node.status().log_size == before + 1
        })
        .await;
        let file = world.data(&node.status().node).join(ROSTER_FILE);
        assert_eq!(std::fs::read(file).unwrap(), revised);
    }
    assert!(!informed.membership().take(revised).await.unwrap());
    world.shutdown().await;
}

// DIS-9: what waits for a node that is revoked is given up, and its sender is told why.
#[tokio::test]
async fn who_waits_for_a_revoked_node_is_told() {
    let mut world = World::new().await;
    let gone = world.nodes.pop().unwrap();
    gone.shutdown().await;
    let (sender, _) = world.client("police.de").await;
    let draft = sender
        .draft(&[IDS[3]])
        .content(CONTENT_TYPE, b"{}".to_vec());
    let draft = sender.finish(draft).unwrap();
    let message = draft.message_id;
    let envelope = sender.seal(&draft).unwrap();
    let submission = sender.submit(vec![envelope], Duration::ZERO).await.unwrap();
    submission.finish().await;
    let history = sender.history(message).await.unwrap();
    assert_eq!((history.receipts.len(), history.given_up.len()), (1, 0));

    let revised = world.federation.revised(&world.held(), &[], |roster| {
        let node = roster.nodes.iter_mut().find(|node| node.id == IDS[3]);
        node.unwrap().status = v1::Status::Revoked.into();
    });
    assert!(world.nodes[0].membership().take(revised).await.unwrap());
    // DEL-46: the node is named.
    let revoked = GivenUp {
        node: Some(IDS[3].to_owned()),
        code: WireCode::Revoked,
    };
    let began = Instant::now();
    loop {
        let history = sender.history(message).await.unwrap();
        if history.given_up == [revoked.clone()] {
            break;
        }
        assert!(began.elapsed() < WAIT, "{:?}", history.given_up);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.shutdown().await;
}

// DIS-12, DIS-13: an organisation stops the exchange with another one by itself. Both ways nothing
// is lost: it waits, and goes on its way when the exchange is taken up again. Nobody else notices.
#[tokio::test]
async fn what_is_meant_for_or_comes_from_a_suspended_member_waits() {
    let world = World::new().await;
    let ((from, _), (to, _)) = (world.client(IDS[1]).await, world.client(IDS[2]).await);
    let (bystander, _) = world.client(PLATFORM).await;
    assert!(send(&from, &[IDS[2]]).await.unwrap());
    let mut list = Suspensions::default();
    let said = Suspension {
        since_ms: now_ms(),
        reason: "their machine was broken into".to_owned(),
    };
    list.add(IDS[1], said);
    let (suspended, suspending) = (&world.nodes[1], &world.nodes[2]);
    let (before, began) = (suspending.status().sessions, Instant::now());
    suspending.suspensions().replace(list);
    until("connections are cut", || {
        suspending.status().sessions < before
    })
    .await;
    assert!(began.elapsed() < PROMISE, "{:?}", began.elapsed());

    let short = Duration::from_millis(500);
    assert!(!send_within(&from, &[IDS[2]], short).await.unwrap());
    assert!(!send_within(&to, &[IDS[1]], short).await.unwrap());
    assert!(send(&bystander, &[IDS[1], IDS[2]]).await.unwrap());
    let waiting = |node: &Node| {
        let outbox = node.status().outbox;
        outbox.iter().map(|waiting| waiting.count).sum::<usize>()
    };
    assert_eq!((waiting(suspended), waiting(suspending)), (1, 1));
    assert_eq!(
        suspending.membership().roster().current().state_sha256(),
        world.held().state_sha256()
    );

    suspending.suspensions().replace(Suspensions::default());
    until("everything that waited is delivered", || {
        (waiting(suspended), waiting(suspending)) == (0, 0)
    })
    .await;
    world.shutdown().await;
}

// DIS-12: the suspended member may be served by another organisation's node, with which the
// exchange goes on: its reports wait, in one piece, and go as soon as the suspension ends.
#[tokio::test]
async fn what_is_meant_for_a_suspended_guest_of_another_node_waits() {
    let world = World::new().await;
    let suspending = &world.nodes[2];
    let ((from, _), (guest, _)) = (world.client(IDS[2]).await, world.client(PLATFORM).await);
    assert!(send(&from, &[PLATFORM, IDS[0]]).await.unwrap());
    let mut list = Suspensions::default();
    let said = Suspension {
        since_ms: now_ms(),
        reason: "their machine was broken into".to_owned(),
    };
    list.add(PLATFORM, said);
    suspending.suspensions().replace(list);
    let short = Duration::from_millis(500);
    for to in [&[PLATFORM][..], &[PLATFORM, IDS[0]], &[PLATFORM, IDS[1]]] {
        assert!(!send_within(&from, to, short).await.unwrap(), "{to:?}");
    }
    // The host itself, and the guest with others, notice nothing.
    assert!(send(&from, &[IDS[0]]).await.unwrap());
    assert!(send(&guest, &[IDS[1]]).await.unwrap());
    assert!(!send_within(&guest, &[IDS[2]], short).await.unwrap());
    let waiting = || {
        let outbox = suspending.status().outbox;
        outbox.iter().map(|waiting| waiting.count).sum::<usize>()
    };
    // The other recipient of the last one, at another node, has it.
    assert_eq!(waiting(), 3);
    suspending.suspensions().replace(Suspensions::default());
    let took = until("what waited is delivered", || waiting() == 0).await;
    assert!(took < PROMISE, "{took:?}");
    world.shutdown().await;
}

// DIS-2, DIS-4: a newcomer that only one node has heard of gets and gives reports at once, and
// nobody was started again.
#[tokio::test]
async fn a_newcomer_exchanges_as_soon_as_one_node_knows_it() {
    let mut world = World::new().await;
    let address = free_addresses(1)[0];
    let card = world
        .federation
        .found(12, now_ms(), &organisation("hotline.ie", address));
    let revised = world.federation.revised(&world.held(), &[card], |_| ());
    let newcomer = world.start("hotline.ie", &revised).await;
    // The newcomer itself tells: it dials those that know it, and nobody does yet. So the
    // governance hands the roster to any one node.
    assert!(world.nodes[2].membership().take(revised).await.unwrap());
    until("every node knows the newcomer", || {
        world.nodes.iter().all(|node| version(node) == 2)
    })
    .await;
    let (platform, _) = world.client(PLATFORM).await;
    until("the platform learns of it on connecting", || {
        platform.roster().current().version() == 2
    })
    .await;
    assert!(send(&platform, &["hotline.ie", "police.de"]).await.unwrap());
    newcomer.shutdown().await;
    world.shutdown().await;
}

// DIS-7: each of many changes in a row spreads as fast as the first.
#[tokio::test]
async fn many_changes_one_after_another_are_each_everywhere_in_five_seconds() {
    let world = World::new().await;
    let mut held = world.held();
    for round in 0..12 {
        let revised = world.federation.revised(&held, &[], |_| ());
        held = world.judged(&revised);
        let began = Instant::now();
        let informed = world.nodes[round % IDS.len()].membership();
        assert!(informed.take(revised).await.unwrap());
        until("every node knows", || {
            world
                .nodes
                .iter()
                .all(|node| version(node) == held.version())
        })
        .await;
        assert!(began.elapsed() < PROMISE, "{round}: {:?}", began.elapsed());
    }
    world.shutdown().await;
}

// DIS-3, DIS-7: a member's new document travels from its client to its node to everybody, without
// the governance.
#[tokio::test]
async fn a_member_changes_its_own_document_without_ceremony() {
    let world = World::new().await;
    let (platform, _) = world.client(PLATFORM).await;
    let (officer, _) = world.client("police.de").await;
    let seat = world.federation.member("police.de");
    let fresh = SealingSecretKey::from_seed(&[77; 32]);
    let held = world.held();
    let mut bundle = v1::RosterBundle::decode(held.bytes().clone()).unwrap();
    for doc in &mut bundle.member_docs {
        let signed = v1::Signed::decode(doc.clone()).unwrap();
        let mut said = v1::MemberDoc::decode(signed.payload).unwrap();
        if said.member == seat.id {
            said.version += 1;
            said.sealing_keys = vec![build::sealing_key(&fresh.public())];
            *doc = build::sign_member_doc(&said, &seat.identity).unwrap();
        }
    }
    let bundle = Bytes::from(bundle.encode_to_vec());
    assert!(officer.membership().unwrap().take(bundle).await.unwrap());
    until("the platform seals to the new key", || {
        let roster = platform.roster().current();
        let key = roster.sealing_key("police.de", now_ms());
        key.is_some_and(|key| key.as_bytes() == fresh.public().as_bytes())
    })
    .await;
    assert!(send(&platform, &["police.de"]).await.unwrap());
    world.shutdown().await;
}

// DIS-2, DIS-5: what does not verify, does not follow or contradicts is not taken, and a
// contradiction is kept.
#[tokio::test]
async fn a_fork_is_kept_as_evidence_and_changes_nothing() {
    let world = World::new().await;
    let node = &world.nodes[0];
    let mut few =
        v1::RosterBundle::decode(world.federation.revised(&world.held(), &[], |_| ())).unwrap();
    let mut signed = v1::Signed::decode(few.roster).unwrap();
    signed.signatures.truncate(1);
    few.roster = signed.encode_to_vec().into();
    let refused = node.membership().take(few.encode_to_vec().into()).await;
    assert_eq!(WireCode::from(&refused.unwrap_err()), WireCode::BadRoster);
    assert!(!world.data(IDS[0]).join("evidence").exists());

    let fork = world.federation.revised(&world.held(), &[], |roster| {
        roster.version = 1;
        roster.prev_sha256 = Bytes::new();
    });
    let refused = node.membership().take(fork.clone()).await;
    assert_eq!(WireCode::from(&refused.unwrap_err()), WireCode::BadRoster);
    assert_eq!(version(node), 1);
    let again = node.membership().take(fork.clone()).await;
    assert!(again.is_err());
    let kept: BTreeSet<_> = std::fs::read_dir(world.data(IDS[0]).join("evidence"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let both = [fork.to_vec(), world.federation.bundle.to_vec()];
    assert_eq!(kept, BTreeSet::from(both));
    world.shutdown().await;
}

// DIS-11, DIS-4: the governance's file is installed at one running node, and all run under it; the
// members' programs learn of it when they next ask their node.
#[test]
fn a_roster_installed_at_one_running_node_is_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    let members = ["hotline.no", "police.de", "police.es"];
    frex.federation(&members, &[]);
    let mut nodes: Vec<_> = members.iter().map(|member| frex.node(member)).collect();
    for node in &mut nodes {
        node.ready().unwrap();
    }
    let root = std::fs::read(dir.path().join("governance/root.frex")).unwrap();
    let anchor = TrustAnchor::of_root(&root).unwrap();
    let held = std::fs::read(dir.path().join("roster.frex")).unwrap();
    let held = Roster::judge(&held, &anchor, now_ms()).unwrap();
    let key = dir.path().join("governance/holder-1/roster.key");
    let key = file::read_signing_key(&key, &Unlock::none()).unwrap();
    let listed = build::next_roster(&held, now_ms(), held.expires_ms());
    let bundle = v1::RosterBundle {
        roster: build::sign_roster(&listed, &[&key]).unwrap(),
        ..v1::RosterBundle::decode(held.bytes().clone()).unwrap()
    };
    std::fs::write(dir.path().join("next.frex"), bundle.encode_to_vec()).unwrap();
    let _ = frex.done(&["roster", "install", "next.frex", "police.de"]);

    let installed = |home: &str| {
        let bytes = std::fs::read(dir.path().join(home).join("roster.frex")).unwrap();
        Roster::judge(&bytes, &anchor, now_ms()).unwrap().version()
    };
    let began = Instant::now();
    while members
        .iter()
        .any(|member| installed(&format!("{member}/node")) != 2)
    {
        assert!(began.elapsed() < WAIT, "not everywhere");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(installed("police.es/member"), 1);
    let _ = frex.done(&["inbox", "police.es"]);
    assert_eq!(installed("police.es/member"), 2);
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
