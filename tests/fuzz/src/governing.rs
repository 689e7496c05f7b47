//! What holders and members hand each other to agree on a roster, and to pass it on.

use std::sync::OnceLock;

use bytes::Bytes;
use frex_proto::{
    keys::SigningKey,
    label,
    roster::{
        ceremony::{detached, holder_card, Collection, Holder},
        Proposal, Roster,
    },
    v1,
};
use frex_tests::federation::FEDERATION;

use crate::samples::{self, NOW_MS};

/// A bundle that a peer offers to somebody who holds a roster.
pub fn offered_roster(data: &[u8]) -> bool {
    static HELD: OnceLock<Roster> = OnceLock::new();
    let held = HELD.get_or_init(|| samples::federation().roster(NOW_MS));
    let Ok(merged) = held.merge(data, &samples::federation().anchor, NOW_MS) else {
        return false;
    };
    // Whatever comes of it is itself a roster that may follow, and brings nothing new twice.
    if let Some(merged) = &merged {
        assert!(merged.version() >= held.version());
        let again = merged.merge(data, &samples::federation().anchor, NOW_MS);
        assert!(matches!(again, Ok(None)));
    }
    merged.is_some()
}

pub fn proposal(data: &[u8]) -> bool {
    Proposal::judge(data, &samples::federation().anchor, NOW_MS).is_ok()
}

pub fn holder(data: &[u8]) -> bool {
    Holder::judge(data, FEDERATION).is_ok()
}

pub fn signatures(data: &[u8]) -> bool {
    let mut collection = Collection::new(&proposed());
    let key = samples::author().verifying_key();
    let added = collection.add(data, std::slice::from_ref(&key));
    assert_eq!(collection.count(&[key]), usize::from(added.is_ok()));
    added.is_ok()
}

pub fn samples(target: &str) -> Vec<Vec<u8>> {
    match target {
        "offered_roster" | "proposal" => vec![next_roster().to_vec()],
        "holder" => vec![card()],
        "signatures" => {
            let signed = detached(&proposed(), &[&samples::author()]);
            vec![signed.expect("a key in memory signs").to_vec()]
        }
        other => panic!("no samples of {other}"),
    }
}

fn next_roster() -> Bytes {
    let held = samples::federation().roster(NOW_MS);
    samples::federation().revised(&held, &[], |roster| {
        roster.members[1].status = v1::Status::Suspended.into();
    })
}

fn card() -> Vec<u8> {
    let [root, roster] = [5, 6].map(|seed| SigningKey::from_seed(&[seed; 32]));
    let card = holder_card(FEDERATION, "Ana", &root, &roster);
    card.expect("a key in memory signs").to_vec()
}

fn proposed() -> v1::Signed {
    v1::Signed {
        payload: Bytes::from_static(b"what is proposed"),
        payload_type: label::TYPE_ROSTER.to_owned(),
        ..v1::Signed::default()
    }
}
