//! Everything that is to be refused, in tables: by whom, what, and the one code that answers it.
//!
//! `requests` and `envelopes` hold what peers say to a running node, `hellos` how they try to get in, `commands`
//! what the command line refuses, `full_disk` what happens where there is no space.
#![allow(clippy::unwrap_used, missing_docs)]

mod commands;
mod envelopes;
mod full_disk;
mod hellos;
mod requests;
mod scene;

use frex_client::{
    client::{Client, ClientConfig},
    environment::Environment,
    tls::config::Limits,
    transport::RosterHandle,
};
use frex_proto::{envelope, error::WireCode, keys::SealingSecretKey, receipt, v1};
use frex_tests::processes::Frex;
use prost::Message;

use self::scene::{HOME, PLATFORM, POLICE, Said, Scene, Who, deliver, now_ms, submit};

/// What a peer does, and the one code that answers it.
pub struct Row {
    pub name: &'static str,
    pub who: Who,
    pub frames: fn(&Scene) -> Vec<u8>,
    pub said: Said,
}

// DEL-7 to DEL-9, DEL-13, DEL-14, DEL-16, SES-16, SES-17, WIR-4, WIR-5: one code
// answers each refusal, and only what its sender signed for leaves a trace in the log.
#[tokio::test]
async fn every_refusal_has_one_code_and_only_signed_ones_are_logged() {
    let scene = Scene::new().await;
    let mut leaves = exchange(&scene, 0).await;
    for row in requests::rows() {
        let answers = scene.ask(row.who, (row.frames)(&scene)).await;
        let said = scene.said(answers);
        assert_eq!(said, row.said, "{}", row.name);
        leaves += u64::from(matches!(row.said, Said::Rejected(_)));
        assert_eq!(scene.log_size(), leaves, "{}: entries of the log", row.name);
    }
    for (name, knock, code) in hellos::rows() {
        let refused = scene.connect(knock(&scene)).await.err();
        assert_eq!(refused, Some(code), "{name}");
        assert_eq!(scene.log_size(), leaves, "{name}: entries of the log");
    }
    let leaves = exchange(&scene, leaves).await;
    verify_log(scene, leaves).await;
}

/// A good submission and a good delivery still pass; gives the size of the log after them.
async fn exchange(scene: &Scene, leaves: u64) -> u64 {
    let submitted = submit(&[scene.good(PLATFORM, &[HOME])]);
    let answers = scene.ask(Who::Client(PLATFORM), submitted).await;
    assert_eq!(
        scene.said(vec![answers[0].clone()]),
        accepts("EVENT_SUBMITTED")
    );
    let delivered = deliver(&[scene.good(POLICE, &[HOME])]);
    let answers = scene.ask(Who::Node(POLICE), delivered).await;
    assert_eq!(scene.said(answers), accepts("EVENT_ACCEPTED"));
    // SUBMITTED and, as the recipient is served here, ACCEPTED; then the delivered one.
    assert_eq!(scene.log_size(), leaves + 3);
    leaves + 3
}

fn accepts(event: &str) -> Said {
    Said::Other(event.to_owned())
}

/// Stops the node and has the command line verify the published log.
async fn verify_log(scene: Scene, leaves: u64) {
    let vkey = scene.log().vkey();
    let Scene { node, dir, .. } = scene;
    node.shutdown().await;
    let log = dir.path().join("data/log");
    std::fs::write(log.join(format!("{HOME}.vkey")), vkey).unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    let verified = frex.done(&["log", "verify", "data/log"]);
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["size"], leaves);
}

/// The receipts among the answers, in the order of the log.
fn receipts(answers: &[v1::answer::Answer]) -> Vec<&v1::Receipt> {
    let receipts = answers.iter().filter_map(|answer| match answer {
        v1::answer::Answer::Receipt(receipt) => Some(receipt),
        _ => None,
    });
    let mut receipts: Vec<_> = receipts.collect();
    receipts.sort_by_key(|receipt| receipt.index);
    receipts
}

// DEL-17, DEL-18: the same bytes earn the same receipt, other bytes under the id a signed refusal.
#[tokio::test]
async fn replays_earn_the_stored_receipt_and_reused_ids_one_signed_refusal() {
    let scene = Scene::new().await;
    for (who, sender) in [
        (Who::Client(PLATFORM), PLATFORM),
        (Who::Node(POLICE), POLICE),
    ] {
        let frames = |envelope: &v1::Envelope| match who {
            Who::Client(_) => submit(std::slice::from_ref(envelope)),
            Who::Node(_) => deliver(std::slice::from_ref(envelope)),
        };
        let draft = scene.draft(sender, &[HOME]);
        let first = scene.sealed(&draft, sender);
        let other = scene.sealed(&draft, sender);
        let stored = scene.ask(who, frames(&first.to_wire(None))).await;
        let size = scene.log_size();
        let replayed = scene.ask(who, frames(&first.to_wire(None))).await;
        assert_eq!(receipts(&replayed), receipts(&stored));
        assert_eq!(scene.log_size(), size);

        let refused = scene.ask(who, frames(&other.to_wire(None))).await;
        let [refusal] = receipts(&refused)[..] else {
            panic!("{refused:?}")
        };
        let proven = receipt::verify(refusal, scene.log(), Some(other.id)).unwrap();
        assert_eq!(proven.statement.event, v1::Event::Rejected);
        assert_eq!(proven.statement.code, WireCode::IdReuse as u32);
        assert_eq!(proven.statement.other_envelope_id, Some(first.id));
        let again = scene.ask(who, frames(&other.to_wire(None))).await;
        assert_eq!(receipts(&again), [refusal]);
        assert_eq!(scene.log_size(), size + 1);
        let replayed = scene.ask(who, frames(&first.to_wire(None))).await;
        assert_eq!(receipts(&replayed), receipts(&stored));
    }
    let leaves = scene.log_size();
    verify_log(scene, leaves).await;
}

// ENV-12, ENV-17, ENV-22: who puts its own name over another's sealed report makes nobody read it.
#[tokio::test]
async fn a_stolen_body_under_another_name_cannot_be_opened() {
    let scene = Scene::new().await;
    let stolen = envelopes::stolen(&scene);
    let id = envelope::parse(&stolen).unwrap().id;
    let answers = scene.ask(Who::Client(PLATFORM), submit(&[stolen])).await;
    assert_eq!(receipts(&answers).len(), 2);
    let seat = scene.federation.member(HOME);
    let client = Client::connect(ClientConfig {
        member: HOME.to_owned(),
        roster: RosterHandle::new(scene.federation.roster(now_ms())),
        membership: None,
        identity: seat.identity.clone(),
        tls: seat.tls.clone(),
        sealing: vec![SealingSecretKey::from_seed(&seat.sealing.seed())].into(),
        environment: Environment::default(),
        socket: None,
        limits: Limits::default(),
        patience: std::time::Duration::from_secs(5),
        heads: std::sync::Arc::default(),
    });
    let client = client.await.unwrap();
    let mut inbox = client.inbox(1, std::time::Duration::ZERO).await.unwrap();
    let Err(failed) = inbox.next().await.unwrap().unwrap() else {
        panic!("it was opened")
    };
    assert_eq!(WireCode::from(&failed.error), WireCode::CannotOpen);
    assert_eq!(failed.id(), Some(id));
    drop((failed, inbox));
    client.close().await;
    scene.node.shutdown().await;
}

// ERR-1, CLI-3: every code says what to do, and the command line explains each.
#[test]
fn every_code_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    let listed = frex.done(&["errors"]);
    let listed = listed["errors"].as_array().unwrap();
    assert_eq!(listed.len(), WireCode::ALL.len());
    for (code, row) in WireCode::ALL.iter().zip(listed) {
        let info = code.info();
        assert!(info.text.len() > 10 && info.advice.len() > 10, "{code:?}");
        assert_eq!(row["code"], *code as u32);
        for (key, value) in [
            ("name", info.name),
            ("what", info.text),
            ("try", info.advice),
        ] {
            assert_eq!(row[key], value);
        }
        assert_eq!(&frex.done(&["errors", info.name])["code"], &row["code"]);
    }
}

/// Decodes what is known to decode.
fn decoded<M: Message + Default>(bytes: &bytes::Bytes) -> M {
    M::decode(bytes.clone()).unwrap()
}
