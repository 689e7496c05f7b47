//! Keys with companions: in the entries, in what they sign, and from one roster to the next.

use super::*;
use crate::{
    keys::CompanionKind,
    roster::ceremony::{CollectError, Collection, Holder, detached, holder_card},
};

/// The first member, a root key and a roster key have companions.
fn world() -> World {
    let mut world = World::new();
    world.root.root_keys[2] = build::signing_key(&public(241));
    world.root.roster_keys[2] = build::signing_key(&public(242));
    world.root_signers = vec![1, 241];
    world.roster_signers = vec![11, 242];
    first_member(&mut world).identity_keys = vec![build::signing_key(&public(240))];
    world.docs[0].1 = 240;
    world
}

fn anchor(world: &World) -> TrustAnchor {
    TrustAnchor {
        root_sha256: crate::label::sha256(&[&world.root.encode_to_vec()]),
        ..world.anchor()
    }
}

fn judge(world: &World) -> Result<Roster, RosterError> {
    Roster::judge(&world.bundle(), &anchor(world), NOW)
}

fn strip(signed: &mut Bytes) {
    retouch(signed, |signed| {
        signed.signatures.retain(|one| one.signature.len() == 64);
    });
}

/// The roster after `held`, with one thing changed in its first member's keys.
fn next(held: &Roster, change: fn(&mut Vec<v1::PublicKey>)) -> Result<bool, RosterError> {
    let mut world = world();
    world.roster = build::next_roster(held, NOW, NOW + 90 * DAY);
    change(&mut first_member(&mut world).identity_keys);
    world.docs.remove(0);
    judge(&world)?.succeeds(held)
}

// ROS-50, SIG-21: nothing that lost what a companion signed is taken, whatever it is.
#[test]
fn stripped_objects_are_refused_where_they_stand() {
    let good = world();
    assert_eq!(
        judge(&good).unwrap().sender_keys("hotline-de", NOW),
        [public(240)]
    );
    type Tamper = fn(&mut v1::RosterBundle);
    let cases: [(Part, Tamper); 3] = [
        (Part::Root, |bundle| strip(&mut bundle.root)),
        (Part::Roster, |bundle| strip(&mut bundle.roster)),
        (Part::MemberDoc(0), |bundle| {
            strip(&mut bundle.member_docs[0]);
        }),
    ];
    for (part, tamper) in cases {
        let mut world = good.clone();
        world.tamper = tamper;
        let refused = judge(&world).unwrap_err();
        assert_eq!(refused, part.fault(Fault::HalfSigned));
        assert_eq!(WireCode::from(refused), WireCode::BadRoster);
    }
}

// ROS-50: of keys that sign no objects a companion is refused, unread.
#[test]
fn companions_are_refused_where_none_belongs() {
    type Change = fn(&mut World);
    let cases: [(Part, Change); 5] = [
        (Part::Node(0), |w| {
            first_node(w).log_key = Some(build::signing_key(&public(243)));
        }),
        (Part::Node(0), |w| {
            first_node(w).witness_key = Some(build::signing_key(&public(243)));
        }),
        (Part::MemberDoc(0), |w| {
            first_doc(w).client_tls_keys[0].ml_dsa_65 = vec![1].into();
        }),
        (Part::MemberDoc(0), |w| {
            first_doc(w).nodes[0].tls_keys[0].ml_dsa_65 = vec![1].into();
        }),
        (Part::MemberDoc(0), |w| {
            first_doc(w).sealing_keys[0].ml_dsa_65 = vec![1].into();
        }),
    ];
    for (part, change) in cases {
        let mut world = world();
        change(&mut world);
        let refused = judge(&world).unwrap_err();
        assert_eq!(refused, part.fault(Fault::CompanionMisplaced));
    }
}

// ROS-51, ROS-7: who wants a companion makes a new key; the old one ends beside it.
#[test]
fn a_key_keeps_its_companion_from_roster_to_roster() {
    let held = judge(&world()).unwrap();
    assert_eq!(next(&held, |_| ()), Ok(true));
    let changed = Err(Part::Member(0).fault(Fault::CompanionChanged));
    assert_eq!(next(&held, |keys| keys[0].ml_dsa_65.clear()), changed);
    let exchanged = next(&held, |keys| {
        keys[0].ml_dsa_65 = build::signing_key(&public(244)).ml_dsa_65;
    });
    assert_eq!(exchanged, changed);
    let bare_first = World::new().judge().unwrap();
    let mut gains = World::new();
    gains.roster = build::next_roster(&bare_first, NOW, NOW + 90 * DAY);
    let companion = build::signing_key(&public(240)).ml_dsa_65;
    first_member(&mut gains).identity_keys[0].ml_dsa_65 = companion;
    gains.docs.remove(0);
    let gained = gains.judge().unwrap().succeeds(&bare_first);
    assert_eq!(gained, changed);
    let beside = next(&held, |keys| {
        keys[0].not_after_ms = NOW;
        keys.push(build::signing_key(&public(245)));
    });
    assert_eq!(beside, Ok(true));
    let twice = next(&held, |keys| {
        let mut bare = keys[0].clone();
        bare.ml_dsa_65.clear();
        keys.push(bare);
    });
    assert_eq!(twice, Err(Part::Member(0).fault(Fault::KeyReused)));
}

// ROS-62, ROS-63, WIT-24: keys of logs and witnesses have companions of their own kind, and a card by
// which one follows another leaves the one before with its end.
#[test]
fn a_witness_key_is_followed_by_one_with_a_companion() {
    let head_key = |seed: u8| {
        let key = key(seed).with_companion_of(CompanionKind::Heads, &[seed; 32]);
        key.verifying_key()
    };
    let mut world = World::new();
    let former = first_node(&mut world).witness_key.clone().unwrap();
    let mut card = v1::MemberCard {
        node: Some(first_node(&mut world).clone()),
        ..v1::MemberCard::default()
    };
    let node = card.node.as_mut().unwrap();
    node.witness_key = Some(build::signing_key(&head_key(150)));
    build::list_card_until(&mut world.roster, &card, NOW + DAY);
    let roster = world.judge().unwrap();
    let witness = roster.witness("node-de").unwrap();
    assert_eq!(witness.key, head_key(150));
    let companion = witness.key.companion().unwrap();
    assert_eq!(companion.kind(), CompanionKind::Heads);
    assert_eq!(witness.earlier[0].key.as_bytes()[..], former.key);
    assert_eq!(witness.earlier[0].not_after_ms, Some(NOW + DAY));
    // Listed again nothing changes; and no more stay than an entry holds.
    build::list_card_until(&mut world.roster, &card, NOW + 2 * DAY);
    assert_eq!(first_node(&mut world).earlier_witness_keys.len(), 1);
    for seed in 151..=170 {
        let node = card.node.as_mut().unwrap();
        node.witness_key = Some(build::signing_key(&head_key(seed)));
        build::list_card_until(&mut world.roster, &card, NOW + DAY);
    }
    let count = first_node(&mut world).earlier_witness_keys.len();
    assert_eq!(count, limits::KEYS_PER_ENTRY_MAX);
    assert!(world.judge().is_ok());
}

// ROS-51: roots follow the same rule, over both lists.
#[test]
fn a_root_key_keeps_its_companion() {
    let mut world = World::new();
    let first = Root::parse(&build::sign_root(&world.root, &[&key(1), &key(2)]).unwrap()).unwrap();
    world.root.version = 2;
    let judge = |root: &v1::Root, signers: &[&SigningKey]| {
        first.judge_successor(&build::sign_root(root, signers).unwrap(), NOW)
    };
    assert!(judge(&world.root, &[&key(1), &key(2)]).is_ok());
    world.root.roster_keys[0].ml_dsa_65 = build::signing_key(&public(240)).ml_dsa_65;
    let gained = judge(&world.root, &[&key(1), &key(2)]).unwrap_err();
    assert_eq!(gained, Part::Root.fault(Fault::CompanionChanged));
    world.root.roster_keys[0] = build::signing_key(&public(240));
    assert!(judge(&world.root, &[&key(1), &key(2)]).is_ok());
}

// ROS-26, ROS-30, SIG-21: signatures that come in files are whole or are not taken.
#[test]
fn cards_and_files_of_signatures_hold_both_halves() {
    let card = holder_card("example", "Ana", &key(241), &key(242)).unwrap();
    let holder = Holder::judge(&card, "example").unwrap();
    assert_eq!(
        (&holder.root_key, &holder.roster_key),
        (&public(241), &public(242))
    );
    let bare = holder_card("example", "Ana", &key(241), &key(2)).unwrap();
    let other = Holder::judge(&bare, "example").unwrap();
    assert_ne!(holder.sha256(), other.sha256());
    let mut stripped = card;
    strip(&mut stripped);
    let refused = Holder::judge(&stripped, "example").unwrap_err();
    assert_eq!(refused.fault, Fault::HalfSigned);

    let proposal = v1::Signed {
        payload: Bytes::from_static(b"a proposal"),
        payload_type: crate::label::TYPE_ROSTER.to_owned(),
        ..v1::Signed::default()
    };
    let keys = [public(242), public(12)];
    let file = detached(&proposal, &[&key(242)]).unwrap();
    for missing in [0, 1] {
        let mut half = v1::DetachedSignatures::decode(file.clone()).unwrap();
        half.signatures.remove(missing);
        let mut collection = Collection::new(&proposal);
        let refused = collection.add(&half.encode_to_vec(), &keys);
        assert_eq!(refused, Err(CollectError::HalfSigned));
        assert_eq!(collection.count(&keys), 0);
    }
    let mut collection = Collection::new(&proposal);
    assert_eq!(collection.add(&file, &keys), Ok(vec![keys[0].key_id()]));
    assert_eq!(collection.add(&file, &keys), Ok(vec![keys[0].key_id()]));
    assert_eq!(collection.count(&keys), 1);
    assert_eq!(collection.signed().signatures.len(), 2);
}

// LIM-12, LIM-13, LIM-45: a root of as many keys as there may be, each with a companion, signed by
// all of them that change it, is within every bound.
#[test]
fn the_largest_root_is_within_its_bounds() {
    let keys: Vec<SigningKey> = (0..128)
        .map(|number| SigningKey::from_seed(&[number; 32]).with_companion(&[number; 32]))
        .collect();
    let public: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
    let mut root = build::root(&build::RootDraft {
        federation: &"f".repeat(64),
        version: u64::MAX,
        expires_ms: u64::MAX,
        root_keys: &public[..64],
        root_threshold: 64,
        roster_keys: &public[64..],
        roster_threshold: 64,
    });
    root.holders = (10..74)
        .map(|number| format!("{}{number}", "n".repeat(254)))
        .collect();
    for key in root.root_keys.iter_mut().chain(&mut root.roster_keys) {
        (key.not_before_ms, key.not_after_ms) = (u64::MAX - 1, u64::MAX);
    }
    let signers: Vec<&SigningKey> = keys[..64].iter().collect();
    let signed = build::sign_root(&root, &signers).unwrap();
    assert!(signed.len() <= limits::ROOT_BYTES_MAX, "{}", signed.len());
    assert!(signed.len() > limits::SIGNED_BYTES_MAX);
    assert_eq!(Root::parse(&signed).unwrap().root_keys.len(), 64);
}
