//! Erasures in simulated federations: the disk fails at every call of one, the power goes, and time
//! passes until what is kept is over.
//!
//! A failing case prints its seed, the call that failed and its kind.

use std::time::Duration;

use frex_client::client::{Client, EraseOrder, News, ProvenReceipt, QueryError};
use frex_node::{
    config::retention::{Period, Retention},
    node::Node,
};
use frex_proto::{envelope::SignedEnvelope, error::WireCode, id::MessageId, v1};
use frex_tests::{
    scene::{self, Scene},
    sim::{
        disk::{Failure, Operation},
        world::{self, World},
    },
};

const SENDER: &str = "platform";
const READER: &str = "hotline";
const HOUR: Duration = Duration::from_secs(3600);

/// A message, and bytes that only its envelope has.
struct Filed {
    message: MessageId,
    envelope: SignedEnvelope,
    needle: Vec<u8>,
}

impl Filed {
    fn order(&self, sender: Option<&str>, ground: &str) -> EraseOrder {
        EraseOrder {
            message: self.message,
            sender: sender.map(str::to_owned),
            ground: ground.to_owned(),
            authority: "LU:2024/12".to_owned(),
        }
    }
}

/// Submits until its recipient's node has it.
async fn file(client: &Client, number: usize) -> Filed {
    file_to(client, number, &[READER]).await
}

async fn file_to(client: &Client, number: usize, recipients: &[&str]) -> Filed {
    let draft = client
        .draft(recipients)
        .life(HOUR)
        .content("text/plain", format!("report {number}").into_bytes());
    let draft = client.finish(draft).unwrap();
    let envelope = client.seal(&draft).unwrap();
    let body = envelope.to_kept().body;
    let needle = body[body.len() / 2..][..32].to_vec();
    let wait = Duration::from_secs(60);
    let mut submission = client.submit(vec![envelope.clone()], wait).await.unwrap();
    while let Some(event) = submission.next().await {
        if matches!(event.news, News::Accepted { .. }) {
            return Filed {
                message: draft.message_id,
                envelope,
                needle,
            };
        }
    }
    panic!("it is not accepted");
}

/// Opens what has come, so many items.
async fn open(client: &Client, items: usize) {
    let mut inbox = client.inbox(8, HOUR).await.unwrap();
    for _ in 0..items {
        let item = inbox.next().await.unwrap().unwrap();
        let item = item.unwrap_or_else(|item| panic!("{}", item.error));
        item.confirm(v1::Stage::Opened, "").await.unwrap();
    }
}

/// What the home node has on a message, all of it proved.
async fn receipts(client: &Client, message: MessageId) -> Vec<ProvenReceipt> {
    let receipts = client.receipts(message).await.unwrap().into_iter();
    receipts
        .map(|one| one.unwrap_or_else(|unproven| panic!("{}", unproven.error)))
        .collect()
}

/// What the home node answers to an envelope that it is given again.
async fn given_again(client: &Client, envelope: &SignedEnvelope) -> News {
    let wait = Duration::from_secs(1);
    let mut submission = client.submit(vec![envelope.clone()], wait).await.unwrap();
    submission.next().await.unwrap().news
}

/// The `nth` call of this kind fails during an erasure, then the power goes. Gives whether the erasure
/// was said to be done.
fn cut_short(seed: u64, operation: Operation, nth: u64) -> bool {
    let why = format!("seed {seed}, {operation:?} {nth} fails");
    world::run(seed, |world| async move {
        let scene = Scene::pair(&world);
        let (node, _reader) = (scene.node(SENDER).await, scene.node(READER).await);
        let client = scene.client(SENDER, "platform-client").await;
        let (gone, other) = (file(&client, 1).await, file(&client, 2).await);
        let old = receipts(&client, gone.message).await;
        assert_eq!(old.len(), 2, "{why}");
        let disk = scene.machines[SENDER].disk().clone();
        assert!(
            disk.holds(&gone.needle) && disk.holds(&other.needle),
            "{why}"
        );
        disk.fail(operation, nth, Failure::Eio);
        let order = gone.order(None, "court-order");
        let asked = tokio::time::timeout(HOUR, client.erase(&order)).await;
        let done = matches!(asked, Ok(Ok(_)));
        let node = scene.power_cut(SENDER, node).await;
        assert!(!done || !disk.holds(&gone.needle), "said to be gone: {why}");
        whole(&client, &scene, &gone, &other, &old, &why).await;
        drop(node);
        done
    })
}

/// The session of before is lost, which the client learns by and by.
async fn erased_at_last(client: &Client, gone: &Filed, why: &str) -> ProvenReceipt {
    for _ in 0..20 {
        match client.erase(&gone.order(None, "court-order")).await {
            Ok(erased) => return erased,
            Err(error) => match WireCode::from(&error) {
                WireCode::TimedOut | WireCode::Unreachable => {}
                code => panic!("{code}: {why}"),
            },
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    panic!("the node does not come back: {why}");
}

/// After a restart: it is erased once more, and then as if nothing had happened meanwhile.
async fn whole(
    client: &Client,
    scene: &Scene,
    gone: &Filed,
    other: &Filed,
    old: &[ProvenReceipt],
    why: &str,
) {
    let erased = erased_at_last(client, gone, why).await;
    let disk = scene.machines[SENDER].disk();
    assert!(!disk.holds(&gone.needle), "{why}");
    assert!(disk.holds(&other.needle), "{why}");
    // The log still holds what the old receipts prove, and the newest head follows from theirs.
    let own = old.iter().filter(|receipt| receipt.node() == SENDER);
    for receipt in own {
        let verified = &receipt.verified;
        let proved = client
            .prove_entry(verified.index, &verified.leaf_hash)
            .await;
        proved.unwrap_or_else(|error| panic!("{error}: {why}"));
        let head = client.checkpoint(Some(&verified.checkpoint)).await;
        head.unwrap_or_else(|error| panic!("{error}: {why}"));
    }
    let now = receipts(client, gone.message).await;
    let events: Vec<v1::Event> = now.iter().map(|one| one.statement().event).collect();
    assert_eq!(events, [v1::Event::Erased], "{why}");
    assert_eq!(now[0].receipt, erased.receipt, "{why}");
    let again = given_again(client, &gone.envelope).await;
    let refused = matches!(
        again,
        News::Refused {
            code: WireCode::Erased
        }
    );
    assert!(refused, "{again:?}: {why}");
    assert_eq!(receipts(client, other.message).await.len(), 2, "{why}");
}

// ERA-7, ERA-9, ERA-10: whichever call of the disk fails during an erasure, after the next start it is
// either not begun or finished; it can be repeated, and proofs hold.
#[test]
fn a_loss_of_power_at_any_call_leaves_all_or_nothing_erased() {
    let operations = [
        Operation::Write,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncDir,
        Operation::Open,
    ];
    for (seed, operation) in (1..).zip(operations) {
        // Where nothing fails any more the erasure is done; a few calls of others come between.
        let (mut done, mut cut) = (0, 0);
        for nth in 1..60 {
            match cut_short(seed * 100 + nth, operation, nth) {
                true => done += 1,
                false => cut += 1,
            }
            if done == 3 {
                break;
            }
        }
        assert_eq!(done, 3, "{operation:?}");
        assert!(cut > 0, "no {operation:?} cut an erasure short");
    }
}

async fn keeping(world: &World, hours: u64) -> (Scene, Node, Node) {
    let scene = Scene::pair(world);
    let (reader, ()) = scene
        .node_with(READER, |parts| {
            parts.config.retention = Retention {
                report: Some(Period {
                    ms: hours * 3_600_000,
                }),
                authority: Some("LED-5".to_owned()),
                ..Retention::default()
            };
        })
        .await;
    let sender = scene.node(SENDER).await;
    (scene, sender, reader)
}

// ERA-12, ERA-13, ERA-15: what is over goes by itself, the held stays until it is released, and the
// other end, which has other rules, keeps all.
#[test]
fn what_is_over_goes_by_itself_unless_it_is_held() {
    world::run(7, |world| async move {
        let (scene, _sender, _reader) = keeping(&world, 6).await;
        let sending = scene.client(SENDER, "platform-client").await;
        let reading = scene.client(READER, "hotline-client").await;
        let mut filed = Vec::new();
        for number in 0..4 {
            filed.push(file(&sending, number).await);
        }
        open(&reading, filed.len()).await;
        let hold = filed[1].order(Some(SENDER), "litigation");
        reading.hold(&hold, false, false).await.unwrap();
        let disk = scene.machines[READER].disk();
        let there = || -> Vec<bool> { filed.iter().map(|one| disk.holds(&one.needle)).collect() };
        tokio::time::sleep(5 * HOUR).await;
        assert_eq!(there(), [true; 4], "their time is not over");
        tokio::time::sleep(2 * HOUR).await;
        assert_eq!(there(), [false, true, false, false]);
        let (held, _) = reading.erasures(true, None).await.unwrap();
        assert_eq!((held.len(), held[0].message), (1, Some(filed[1].message)));
        let kept = reading
            .erase(&filed[1].order(Some(SENDER), "court-order"))
            .await;
        assert_eq!(kept.err().map(WireCode::from), Some(WireCode::OnHold));
        reading.hold(&hold, false, true).await.unwrap();
        tokio::time::sleep(2 * HOUR).await;
        assert_eq!(there(), [false; 4]);
        let (erased, next) = reading.erasures(false, None).await.unwrap();
        assert_eq!((erased.len(), next), (4, None));
        for row in erased {
            assert_eq!(
                (row.ground.as_str(), row.ordered_by.as_str()),
                ("retention-over", "")
            );
            assert_eq!(
                (row.authority.as_str(), row.sender.as_str()),
                ("LED-5", SENDER)
            );
        }
        let other = scene.machines[SENDER].disk();
        assert!(filed.iter().all(|one| other.holds(&one.needle)));
    });
}

// ERA-5, ERA-6: whoever a message concerns has it erased, before anybody has fetched it too; asked again
// the node answers as before, and of what it does not have it says so.
#[test]
fn a_recipient_has_erased_what_nobody_has_fetched() {
    world::run(8, |world| async move {
        let scene = Scene::pair(&world);
        let (_sender, _reader) = (scene.node(SENDER).await, scene.node(READER).await);
        let sending = scene.client(SENDER, "platform-client").await;
        let reading = scene.client(READER, "hotline-client").await;
        let filed = file(&sending, 1).await;
        let order = filed.order(Some(SENDER), "unlawful");
        let plan = reading.plan_erasure(&order).await.unwrap();
        assert_eq!((plan.records, plan.entries, plan.inbox_items), (1, 1, 1));
        assert!(
            scene.machines[READER].disk().holds(&filed.needle),
            "nothing has happened"
        );
        let first = reading.erase(&order).await.unwrap();
        let mut inbox = reading.inbox(8, Duration::from_secs(5)).await.unwrap();
        assert!(inbox.next().await.is_none());
        assert!(!scene.machines[READER].disk().holds(&filed.needle));
        let again = reading
            .erase(&filed.order(Some(SENDER), "court-order"))
            .await
            .unwrap();
        assert_eq!(again.receipt, first.receipt, "it was done before");
        let said = first.statement();
        assert_eq!(said.envelope_id, Some(filed.envelope.id));
        assert_eq!(
            (said.sender.as_str(), &said.recipients[..]),
            (SENDER, &[READER.to_owned()][..])
        );
        let unknown = EraseOrder {
            message: MessageId([9; 16]),
            ..order
        };
        let none = reading.erase(&unknown).await;
        assert_eq!(none.err().map(WireCode::from), Some(WireCode::NotFound));
    });
}

// ERA-5: what came for two members whom one node serves neither of them has erased alone, nor learns what
// would go; whose node it is has.
#[test]
fn what_two_guests_have_neither_erases_alone() {
    world::run(9, |world| async move {
        let guests = ["guest-a", "guest-b"];
        let organisations = [
            scene::organisation(SENDER, v1::Role::Platform, 1),
            scene::organisation(READER, v1::Role::Hotline, 2),
            scene::guest(guests[0], v1::Role::Hotline, READER),
            scene::guest(guests[1], v1::Role::Hotline, READER),
        ];
        let clients = [("sending", 3), ("reading", 4), ("a", 5), ("b", 6)];
        let scene = Scene::new(&world, &organisations, &clients);
        let (_sender, _reader) = (scene.node(SENDER).await, scene.node(READER).await);
        let sending = scene.client(SENDER, "sending").await;
        let both = file_to(&sending, 1, &guests).await;
        let alone = file_to(&sending, 2, &guests[..1]).await;
        let disk = scene.machines[READER].disk();
        let code = |refused: Option<QueryError>| refused.map(WireCode::from);
        for (guest, machine) in guests.into_iter().zip(["a", "b"]) {
            let client = scene.client(guest, machine).await;
            let order = both.order(Some(SENDER), "data-subject");
            let planned = client.plan_erasure(&order).await;
            assert_eq!(code(planned.err()), Some(WireCode::HeldByOthers), "{guest}");
            let refused = client.erase(&order).await;
            assert_eq!(code(refused.err()), Some(WireCode::HeldByOthers), "{guest}");
            let own = client.erase(&alone.order(Some(SENDER), "unlawful")).await;
            // What is not the second's is not there for it.
            let due = (machine == "b").then_some(WireCode::NotFound);
            assert_eq!(code(own.err()), due, "{guest}");
        }
        assert!(disk.holds(&both.needle) && !disk.holds(&alone.needle));
        let reading = scene.client(READER, "reading").await;
        let order = both.order(Some(SENDER), "court-order");
        let erased = reading.erase(&order).await.unwrap();
        assert_eq!(erased.statement().recipients, guests);
        assert!(!disk.holds(&both.needle));
    });
}
