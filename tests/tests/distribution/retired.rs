//! A key that is retired while a report to two members of one node is under way.

use frex_proto::roster::document;

use super::*;

// DEL-30, DEL-31, DEL-29, MBR-10: of two recipients at one node one has retired the key: the other
// has the report, and the one gets it sealed again under the same message id.
#[tokio::test]
async fn a_retired_key_keeps_the_report_from_nobody_else_at_the_node() {
    let world = World::new().await;
    let (from, _) = world.client(IDS[2]).await;
    let draft = from
        .draft(&[IDS[0], PLATFORM])
        .content(CONTENT_TYPE, b"{\"reference\":\"A-1\"}".to_vec());
    let draft = from.finish(draft).unwrap();
    let sealed = from.seal(&draft).unwrap();
    let retired = with_retired_key(&world, PLATFORM);
    assert!(world.nodes[0].membership().take(retired).await.unwrap());

    let outcome = |news: &News| match news {
        News::Accepted { members, .. } => Some((members.clone(), None)),
        News::Rejected { members, code, .. } => Some((members.clone(), Some(*code))),
        _ => None,
    };
    let one = (vec![IDS[0].to_owned()], None);
    let other = (vec![PLATFORM.to_owned()], Some(WireCode::KeyRetired));
    // The same envelope again is answered the same.
    for _ in 0..2 {
        let submission = from.submit(vec![sealed.clone()], WAIT).await.unwrap();
        let events = submission.finish().await;
        let mut told: Vec<_> = events
            .iter()
            .filter_map(|event| outcome(&event.news))
            .collect();
        told.sort();
        assert_eq!(told, [one.clone(), other.clone()], "{events:?}");
    }
    until("the sender knows the new key", || {
        let key = from.roster().current();
        let key = key.sealing_key(PLATFORM, now_ms()).cloned();
        key.is_some_and(|key| key.as_bytes() == fresh_key().public().as_bytes())
    })
    .await;
    let again = from.readdress(&draft, &[PLATFORM]).unwrap();
    let again = from.seal(&again).unwrap();
    let submission = from.submit(vec![again], WAIT).await.unwrap();
    let events = submission.finish().await;
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| outcome(&event.news))
        .collect();
    assert_eq!(told, [(vec![PLATFORM.to_owned()], None)], "{events:?}");
    let history = from.history(draft.message_id).await.unwrap();
    // Two of SUBMITTED and ACCEPTED, one of REJECTED.
    assert_eq!((history.receipts.len(), history.given_up.len()), (5, 0));
    assert!(history.receipts.iter().all(Result::is_ok));
    world.shutdown().await;
}

fn fresh_key() -> SealingSecretKey {
    SealingSecretKey::from_seed(&[78; 32])
}

/// The roster with a document by which a member has retired its sealing key for a new one.
fn with_retired_key(world: &World, member: &str) -> Bytes {
    let (seat, held) = (world.federation.member(member), world.held());
    let (_, doc) = held.member_doc(member).unwrap();
    let mut doc = document::next_version(&doc, now_ms());
    let old = seat.sealing.public();
    document::end_key(&mut doc.sealing_keys, old.as_bytes(), now_ms());
    document::retire_sealing_key(&mut doc, &old, now_ms());
    doc.sealing_keys
        .push(build::sealing_key(&fresh_key().public()));
    let signed = build::sign_member_doc(&doc, &seat.identity).unwrap();
    held.with_member_doc(member, signed)
}
