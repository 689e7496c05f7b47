//! Keys that have ended: what they signed holds back nothing that a good key signs.

use super::*;
use crate::roster::document;

/// The first member's other identity keys: one that ended, one that ends in a day, one to come.
const ENDED: u8 = 100;
const ENDING: u8 = 101;
const TO_COME: u8 = 102;
const GOOD: u8 = 20;

/// A federation whose first member has had other identity keys, and its document by `signer`.
fn world(version: u64, sealing_seed: u8, signer: u8) -> World {
    let mut world = World::new();
    let listed = |seed, not_before_ms, not_after_ms| v1::PublicKey {
        not_before_ms,
        not_after_ms,
        ..build::signing_key(&public(seed))
    };
    first_member(&mut world).identity_keys.extend([
        listed(ENDED, 0, NOW),
        listed(ENDING, 0, NOW + DAY),
        listed(TO_COME, NOW + DAY, 0),
    ]);
    let doc = first_doc(&mut world);
    doc.version = version;
    doc.sealing_keys = vec![build::sealing_key(&sealing(sealing_seed))];
    world.docs[0].1 = signer;
    world
}

fn sealing(seed: u8) -> SealingPublicKey {
    SealingSecretKey::from_seed(&[seed; 32]).public().clone()
}

/// What a thief of the ended key would put out: the highest version, and every key retired.
fn stolen() -> World {
    let mut world = world(NOW - DAY, 99, ENDED);
    let doc = first_doc(&mut world);
    "thief.example:1".clone_into(&mut doc.nodes[0].addresses[0]);
    for seed in [40, 99] {
        let key = sealing(seed);
        document::end_key(&mut doc.sealing_keys, key.as_bytes(), 1);
        document::retire_sealing_key(doc, &key, 1);
    }
    world
}

fn judge_at(world: &World, now_ms: u64) -> Roster {
    Roster::judge(&world.bundle(), &world.anchor(), now_ms).unwrap()
}

/// What `held` is after an offer.
fn after(held: &Roster, offered: &Roster, now_ms: u64) -> Roster {
    let merged = held.merge(offered.bytes(), &World::new().anchor(), now_ms);
    merged.unwrap().unwrap_or_else(|| held.clone())
}

fn version(roster: &Roster) -> u64 {
    doc_version(roster, "hotline-de").unwrap()
}

// DIS-3: whatever its version, a document by an ended key does not replace one by a good key, and
// gives way to every one of these.
#[test]
fn a_document_by_an_ended_key_replaces_none_by_a_good_one() {
    let (good, stolen) = (judge_at(&world(1, 40, GOOD), NOW), judge_at(&stolen(), NOW));
    for (held, offered) in [(&good, &stolen), (&stolen, &good)] {
        let kept = after(held, offered, NOW);
        assert_eq!(kept.state_sha256(), good.state_sha256());
        assert_eq!(
            kept.sealing_key("hotline-de", NOW),
            Some(&sealing(40)),
            "held version {}",
            version(held)
        );
    }
    // Among documents by ended keys the version decides: there is nothing better.
    let earlier = judge_at(&world(1, 40, ENDED), NOW);
    assert_eq!(version(&after(&earlier, &stolen, NOW)), NOW - DAY);
    assert_eq!(version(&after(&stolen, &earlier, NOW)), NOW - DAY);
}

// DIS-3: the keys that the roster in force lists decide, not those that the offered one lists.
#[test]
fn the_roster_in_force_says_which_key_has_ended() {
    let mut before = world(7, 99, ENDING);
    let mut after_it = world(1, 40, GOOD);
    let old = judge_at(&before, NOW);
    after_it.roster = build::next_roster(&old, NOW, NOW + 90 * DAY);
    after_it.roster.members[0].identity_keys[2].not_after_ms = NOW;
    let new = judge_at(&after_it, NOW);
    for (held, offered) in [(&old, &new), (&new, &old)] {
        let kept = after(held, offered, NOW);
        assert_eq!((kept.version(), version(&kept)), (2, 1));
    }
    // A key that it does not list at all signs nothing.
    before.docs[2].0.version = 2;
    let old = judge_at(&before, NOW);
    after_it.roster.members[0].identity_keys.remove(2);
    let kept = after(&judge_at(&after_it, NOW), &old, NOW);
    assert_eq!(version(&kept), 1);
    assert_eq!(doc_version(&kept, "platform"), Some(2));
}

// ROS-17: what a document says counts only while it and its signer are good: keys, addresses, and
// which sealing keys are retired or unknown.
#[test]
fn a_document_that_is_not_good_says_nothing() {
    let mut expired = stolen();
    first_doc(&mut expired).expires_ms = NOW;
    expired.docs[0].1 = GOOD;
    for world in [stolen(), expired] {
        let roster = judge_at(&world, NOW);
        let member = roster.member("hotline-de").unwrap();
        for key in [40, 99, 98] {
            let opens = member.sealed_to(sealing(key).key_id(), NOW);
            assert_eq!(opens, SealedTo::Opens);
        }
        let node = roster.node("node-de").unwrap();
        assert!(node.addresses_at(NOW).is_empty());
        assert_eq!(roster.sealing_key("hotline-de", NOW), None);
        // The others go on as if nothing were.
        assert!(roster.sealing_key("police-fr", NOW).is_some());
        let other = roster.node("node-fr").unwrap();
        assert_eq!(other.addresses_at(NOW), ["node-fr.example:4433"]);
        let client = roster.owner_of_tls_key(public(31).as_bytes(), NOW);
        assert_eq!(client, Some(&Peer::Client("police-fr".to_owned())));
    }
    let mut good = stolen();
    good.docs[0].1 = GOOD;
    let good = judge_at(&good, NOW);
    let member = good.member("hotline-de").unwrap();
    let says = |key| member.sealed_to(sealing(key).key_id(), NOW);
    assert_eq!((says(40), says(98)), (SealedTo::Retired, SealedTo::Unknown));
}

// DIS-2, DIS-3: a bundle that carries such a document brings all that is sound in it.
#[test]
fn a_document_by_an_ended_key_keeps_no_other_back() {
    let mut offered = stolen();
    offered.docs[1].0.version = 2;
    offered.fresh();
    let held = judge_at(&world(1, 40, GOOD), NOW);
    let merged = after(&held, &judge_at(&offered, NOW), NOW);
    assert_eq!(version(&merged), 1);
    assert_eq!(doc_version(&merged, "police-fr"), Some(2));
    assert!(merged.freshness().is_some());
}

// DIS-1, DIS-3: who has the very same document by an ended key is told of the good signature, and
// the ended key's signature beside it takes nothing away.
#[test]
fn a_good_signature_under_the_same_document_is_news() {
    let by = |signer| judge_at(&world(3, 40, signer), NOW);
    let (good, ended) = (by(GOOD), by(ENDED));
    assert_ne!(good.state_sha256(), ended.state_sha256());
    for (held, offered) in [(&good, &ended), (&ended, &good)] {
        let kept = after(held, offered, NOW);
        assert_eq!(kept.state_sha256(), good.state_sha256());
    }
    let mut both = world(3, 40, ENDED);
    both.tamper = |bundle| {
        let good = by_good(bundle.member_docs[0].clone());
        retouch(&mut bundle.member_docs[0], |signed| {
            signed.signatures.push(good);
        });
    };
    let both = judge_at(&both, NOW);
    assert_eq!(both.state_sha256(), good.state_sha256());
    assert!(both.sealing_key("hotline-de", NOW).is_some());
}

fn by_good(signed: Bytes) -> v1::Signature {
    let payload = v1::Signed::decode(signed).unwrap().payload;
    let doc = v1::MemberDoc::decode(payload).unwrap();
    let signed = build::sign_member_doc(&doc, &key(GOOD)).unwrap();
    v1::Signed::decode(signed).unwrap().signatures.remove(0)
}

/// Every holder hears of every other's state in some order, often enough to settle.
fn settle(holders: &mut [Roster], now_ms: u64, rng: &mut ChaCha20Rng) {
    for _ in 0..3 {
        for held in 0..holders.len() {
            let first = rng.next_u32() as usize;
            for step in 0..holders.len() {
                let offered = (first + step) % holders.len();
                holders[held] = after(&holders[held], &holders[offered].clone(), now_ms);
            }
        }
    }
}

// DIS-3: whatever came in whatever order, and whoever heard of the key's end early or late, all
// come to hold the same, and nobody can tell them anything more.
#[test]
fn everyone_comes_to_hold_the_same_document() {
    let mut rng = ChaCha20Rng::seed_from_u64(0xE4D);
    let signers = [GOOD, ENDED, ENDING, TO_COME];
    for case in 0..12 {
        let mut pick = |below: u32| rng.next_u32() % below;
        let mut holders: Vec<Roster> = (0..4)
            .map(|_| {
                let signer = signers[pick(4) as usize];
                let sealing_seed = if pick(2) == 0 { 98 } else { 99 };
                judge_at(&world(1 + u64::from(pick(3)), sealing_seed, signer), NOW)
            })
            .collect();
        let all = holders.clone();
        // Two whose clocks are before the end of one key and the beginning of another, and two
        // whose clocks are past it, hear of all in their own order.
        for (held, now_ms) in [(0, NOW), (1, NOW + DAY - 1), (2, NOW + DAY), (3, NOW + DAY)] {
            let first = pick(4) as usize;
            for step in 0..4 {
                holders[held] = after(&holders[held], &all[(first + step) % 4], now_ms);
            }
        }
        let same_clock = |one: usize, other: usize| {
            assert_eq!(
                holders[one].state_sha256(),
                holders[other].state_sha256(),
                "case {case}"
            );
        };
        same_clock(0, 1);
        same_clock(2, 3);
        // Soon every clock is past it.
        settle(&mut holders, NOW + DAY, &mut rng);
        let state = *holders[0].state_sha256();
        for one in &holders {
            assert_eq!(*one.state_sha256(), state, "case {case}");
            for offered in &holders {
                let merged = one.merge(offered.bytes(), &World::new().anchor(), NOW + DAY);
                assert!(merged.unwrap().is_none(), "case {case}");
            }
        }
    }
}

// ROS-36: no document uses up the versions; there is always one that follows.
#[test]
fn a_higher_version_is_always_left() {
    for version in [u64::MAX, NOW - DAY + 1] {
        let refused = world(version, 99, ENDING).judge().unwrap_err();
        assert_eq!(refused, Part::MemberDoc(0).fault(Fault::BadVersion));
    }
    // A thief of a key that is still good states the highest there may be, from ahead.
    let mut thief = world(1, 99, ENDING);
    let ahead_ms = NOW + limits::CLOCK_SKEW_MS_MAX;
    let doc = first_doc(&mut thief);
    (doc.version, doc.issued_ms) = (ahead_ms, ahead_ms);
    let held = judge_at(&thief, NOW);
    let next = document::next_version(&thief.docs[0].0, NOW);
    assert_eq!((next.version, next.issued_ms), (ahead_ms + 1, ahead_ms + 1));
    let mut owner = world(1, 40, GOOD);
    owner.docs[0].0 = next;
    let kept = after(&held, &judge_at(&owner, NOW + 1), NOW + 1);
    assert_eq!(version(&kept), ahead_ms + 1);
}

// ROS-10: a roster key vouches for nothing after its end.
#[test]
fn freshness_ends_with_the_key_that_signed_it() {
    let end_ms = NOW + DAY / 2;
    let mut world = World::new();
    world.root.roster_keys[1].not_after_ms = end_ms;
    world.fresh();
    let anchor = TrustAnchor {
        root_sha256: crate::label::sha256(&[&world.root.encode_to_vec()]),
        ..world.anchor()
    };
    let judge = |now_ms| Roster::judge(&world.bundle(), &anchor, now_ms);
    let roster = judge(NOW).unwrap();
    assert_eq!(roster.fresh_until_ms(), Some(end_ms));
    assert_eq!(roster.standing(end_ms - 1), Standing::Current);
    assert_eq!(roster.standing(end_ms), Standing::Stale);
    let refused = judge(end_ms).unwrap_err();
    assert_eq!(refused, Part::Freshness.fault(Fault::TooFewSignatures));
}
