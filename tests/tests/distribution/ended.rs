//! A member's identity key leaked, and has ended.

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    keys::{SealingSecretKey, SigningKey},
    roster::{Roster, build, document},
    v1,
};
use prost::Message;

use super::{PLATFORM, World, now_ms, send, until};

const VICTIM: &str = "police.de";

// DIS-3, ROS-17: while a key that leaked is good its thief speaks for the member. Once the governance
// has ended it, what the member states by its next key takes the place of that everywhere, whatever
// the versions, and the thief changes nothing any more through anybody.
#[tokio::test]
async fn a_document_by_an_ended_key_changes_nothing_anywhere() {
    let world = World::new().await;
    let (platform, _) = world.client(PLATFORM).await;
    let (leaked, next) = (
        &world.federation.member(VICTIM).identity,
        SigningKey::from_seed(&[88; 32]),
    );
    let (held, now) = (world.held(), now_ms());
    let mut stated = held.member_doc(VICTIM).unwrap().1;
    let mut stolen = stated.clone();
    (stolen.version, stolen.issued_ms) = (now, now);
    let thief = SealingSecretKey::from_seed(&[77; 32]).public();
    stolen.sealing_keys = vec![build::sealing_key(&thief)];
    document::retire_sealing_key(
        &mut stolen,
        &world.federation.member(VICTIM).sealing.public(),
        1,
    );
    let stolen = build::sign_member_doc(&stolen, leaked).unwrap();
    let offer = held.with_member_doc(VICTIM, stolen.clone());
    assert!(world.nodes[0].membership().take(offer).await.unwrap());
    let sealed_to = |roster: &Roster| roster.sealing_key(VICTIM, now_ms()).cloned();
    until("everybody believes the thief", || {
        let nodes = world.nodes.iter().map(|node| node.membership().roster());
        let mut all = nodes.chain([platform.roster()]);
        all.all(|roster| sealed_to(&roster.current()) == Some(thief.clone()))
    })
    .await;

    stated.version += 1;
    let stated = build::sign_member_doc(&stated, &next).unwrap();
    let revised = with_next_key(&world, &next, stated);
    let taken = world.nodes[1].membership().take(revised.bytes().clone());
    assert!(taken.await.unwrap());
    until("everybody believes the member", || {
        let nodes = world.nodes.iter().map(|node| node.membership().roster());
        let mut all = nodes.chain([platform.roster()]);
        all.all(|roster| roster.current().state_sha256() == revised.state_sha256())
    })
    .await;
    let again = revised.with_member_doc(VICTIM, stolen);
    for node in &world.nodes {
        assert!(!node.membership().take(again.clone()).await.unwrap());
    }
    assert!(send(&platform, &[VICTIM]).await.unwrap());
    world.shutdown().await;
}

// ROS-17, DIS-3: who signs with a key that has ended is told that this changes nothing.
#[tokio::test]
async fn a_member_whose_key_has_ended_is_told_that_it_publishes_nothing() {
    let world = World::new().await;
    let (officer, _) = world.client(VICTIM).await;
    let now = now_ms();
    let seat = world.federation.member(VICTIM);
    let next = SigningKey::from_seed(&[88; 32]);
    let stated = world.held().member_doc(VICTIM).unwrap().1;
    let by_next = build::sign_member_doc(&stated, &next).unwrap();
    let revised = with_next_key(&world, &next, by_next.clone());
    let news = revised.bytes().clone();
    assert!(officer.membership().unwrap().take(news).await.unwrap());
    let next_doc = document::next_version(&stated, now);
    let by_ended = build::sign_member_doc(&next_doc, &seat.identity).unwrap();
    let refused = officer.publish(by_ended).await.unwrap_err();
    assert_eq!(WireCode::from(&refused), WireCode::NotTrusted);
    officer.publish(by_next).await.unwrap();
    world.shutdown().await;
}

/// The next roster, in which another identity key follows the victim's, with a document by it.
fn with_next_key(world: &World, next: &SigningKey, signed_doc: Bytes) -> Roster {
    let held = world.held();
    let revised = world.federation.revised(&held, &[], |roster| {
        let mut members = roster.members.iter_mut();
        let victim = members.find(|member| member.id == VICTIM).unwrap();
        victim.identity_keys[0].not_after_ms = now_ms();
        let next = build::signing_key(&next.verifying_key());
        victim.identity_keys.push(next);
    });
    let (former, _) = held.member_doc(VICTIM).unwrap();
    let mut revised = v1::RosterBundle::decode(revised).unwrap();
    let mut docs = revised.member_docs.iter_mut();
    *docs.find(|doc| **doc == former).unwrap() = signed_doc;
    world.judged(&revised.encode_to_vec().into())
}
