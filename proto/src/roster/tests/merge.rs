//! What two holders take from one another, and what not.

use super::*;

/// The bundle of a world whose first member has put out document version `version`.
fn with_doc(version: u64, sealing_seed: u8) -> World {
    let mut world = World::new();
    let doc = first_doc(&mut world);
    doc.version = version;
    let key = SealingSecretKey::from_seed(&[sealing_seed; 32]).public();
    doc.sealing_keys = vec![build::sealing_key(&key)];
    world
}

fn next(held: &Roster, world: &World, change: impl FnOnce(&mut v1::Roster)) -> World {
    let mut listed = build::next_roster(held, NOW, NOW + 90 * DAY);
    change(&mut listed);
    World {
        roster: listed,
        docs: world.docs.clone(),
        ..World::new()
    }
}

fn merge(held: &Roster, offered: &World) -> Result<Option<Roster>, RosterError> {
    held.merge(&offered.bundle(), &offered.anchor(), NOW)
}

fn taken(held: &Roster, offered: &World) -> Roster {
    merge(held, offered).unwrap().expect("there is news")
}

// DIS-1: order and signers make no difference to what is known.
#[test]
fn the_same_knowledge_is_the_same_state() {
    let held = World::new().judge().unwrap();
    let mut other = World::new();
    other.docs.reverse();
    other.roster_signers = vec![12, 13];
    assert_ne!(other.bundle(), World::new().bundle());
    assert_eq!(other.judge().unwrap().state_sha256(), held.state_sha256());
    assert!(merge(&held, &other).unwrap().is_none());

    let mut fresh = World::new();
    fresh.fresh();
    assert_ne!(fresh.judge().unwrap().state_sha256(), held.state_sha256());
    assert_ne!(
        with_doc(2, 99).judge().unwrap().state_sha256(),
        held.state_sha256()
    );
}

// DIS-2: a newer roster is taken with its documents; an older one changes nothing.
#[test]
fn a_newer_roster_is_taken_and_an_older_one_is_not() {
    let first = World::new();
    let held = first.judge().unwrap();
    let second = next(&held, &first, |roster| {
        roster.members[1].status = v1::Status::Revoked.into();
    });
    let newer = taken(&held, &second);
    assert_eq!(newer.version(), 2);
    assert!(!newer.is_live(&Peer::Client("police-fr".to_owned())));
    assert!(merge(&newer, &first).unwrap().is_none());
}

// DIS-2: two rosters of one version, or one that does not follow, are refused.
#[test]
fn a_fork_is_refused_and_the_roster_in_force_stays() {
    let first = World::new();
    let held = first.judge().unwrap();
    let mut fork = World::new();
    fork.roster.issued_ms += 1;
    let refused = merge(&held, &fork).unwrap_err();
    assert_eq!(refused.fault, Fault::Forked);
    let detached = next(&fork.judge().unwrap(), &fork, |_| ());
    let refused = merge(&held, &detached).unwrap_err();
    assert_eq!(refused.fault, Fault::BrokenChain);
}

// DIS-3: of each document the higher version is kept, whichever way it comes.
#[test]
fn the_newer_document_is_kept_on_both_sides() {
    let (old, new) = (World::new(), with_doc(2, 99));
    let (held_old, held_new) = (old.judge().unwrap(), new.judge().unwrap());
    let gained = taken(&held_old, &new);
    assert_eq!(gained.state_sha256(), held_new.state_sha256());
    assert!(merge(&held_new, &old).unwrap().is_none());
    // A holder of an older roster may still know a newer document.
    let second = next(&held_old, &old, |_| ()).judge().unwrap();
    let gained = taken(&second, &new);
    assert_eq!(gained.version(), 2);
    assert_eq!(doc_version(&gained, "hotline-de"), Some(2));
}

// DIS-3: a member that contradicts itself cannot make holders differ for good.
#[test]
fn of_two_documents_of_one_version_everyone_keeps_the_same() {
    let (one, other) = (with_doc(2, 98), with_doc(2, 99));
    let (held_one, held_other) = (one.judge().unwrap(), other.judge().unwrap());
    let from_one = merge(&held_one, &other).unwrap();
    let from_other = merge(&held_other, &one).unwrap();
    assert!(from_one.is_some() != from_other.is_some());
    let state =
        |merged: &Option<Roster>, held: &Roster| *merged.as_ref().unwrap_or(held).state_sha256();
    assert_eq!(state(&from_one, &held_one), state(&from_other, &held_other));
}

// DIS-3: a document that takes somebody else's key is left out, and the others still spread.
#[test]
fn a_document_that_does_not_fit_keeps_no_other_back() {
    // The victim has moved on to a key which the thief then states as its own.
    let mut held = World::new();
    let stolen = build::signing_key(&public(99));
    held.docs[1].0.version = 2;
    held.docs[1].0.client_tls_keys = vec![stolen.clone()];
    let held = held.judge().unwrap();
    let mut thief = World::new();
    thief.docs[0].0.version = 2;
    thief.docs[0].0.client_tls_keys = vec![stolen];
    thief.docs[2].0.version = 2;
    let merged = taken(&held, &thief);
    assert_eq!(doc_version(&merged, "hotline-de"), Some(1));
    assert_eq!(doc_version(&merged, "police-fr"), Some(2));
    assert_eq!(doc_version(&merged, "platform"), Some(2));
}

// DIS-3: freshness of the same roster is renewed, and never shortened.
#[test]
fn the_later_freshness_is_kept() {
    let mut early = World::new();
    early.fresh().expires_ms = NOW + DAY;
    let mut late = World::new();
    late.fresh().expires_ms = NOW + 2 * DAY;
    let (early, late) = (early, late);
    let renewed = taken(&early.judge().unwrap(), &late);
    assert_eq!(renewed.fresh_until_ms(), Some(NOW + 2 * DAY));
    assert!(merge(&late.judge().unwrap(), &early).unwrap().is_none());
    // Stripping it off helps nobody.
    assert!(
        merge(&late.judge().unwrap(), &World::new())
            .unwrap()
            .is_none()
    );
}

// DIS-8, LIM-38, LIM-39
#[test]
fn a_roster_stands_as_long_as_it_is_vouched_for_and_not_ended() {
    let mut world = World::new();
    world.fresh().expires_ms = NOW + DAY;
    let vouched = world.judge().unwrap();
    let never = World::new().judge().unwrap();
    let end = vouched.expires_ms();
    for (roster, at_ms, standing) in [
        (&vouched, NOW, Standing::Current),
        (&vouched, NOW + DAY - 1, Standing::Current),
        (&vouched, NOW + DAY, Standing::Stale),
        (&vouched, NOW + 8 * DAY - 1, Standing::Stale),
        (&vouched, NOW + 8 * DAY, Standing::Unconfirmed),
        (&vouched, end, Standing::Expired),
        (&never, NOW + 80 * DAY, Standing::Current),
        (&never, end - 1, Standing::Current),
        (&never, end, Standing::Expired),
        (&never, end + 14 * DAY - 1, Standing::Expired),
        (&never, end + 14 * DAY, Standing::Void),
    ] {
        assert_eq!(roster.standing(at_ms), standing, "at {at_ms}");
    }
}

/// So many members that each run a node; none has put out a document.
fn crowd(count: u8) -> World {
    let mut world = World::new();
    world.roster.nodes.clear();
    world.roster.members.clear();
    world.docs.clear();
    for place in 0..count {
        let seed = 80 + 2 * place;
        let (id, key) = (format!("m{place}"), build::signing_key(&public(seed)));
        world.roster.members.push(v1::Member {
            home_node: id.clone(),
            identity_keys: vec![key],
            id: id.clone(),
            ..World::new().roster.members[0].clone()
        });
        world.roster.nodes.push(v1::Node {
            operator: id.clone(),
            log_key: Some(build::signing_key(&public(seed + 1))),
            witness_key: None,
            id,
            ..World::new().roster.nodes[0].clone()
        });
    }
    world
}

// LIM-36: however many documents come with one that does not fit, a bounded number is tried; the
// next offer brings the rest.
#[test]
fn many_documents_beside_one_that_does_not_fit_come_in_turns() {
    let doc = |place: u8, key: VerifyingKey| {
        let doc = v1::MemberDoc {
            federation: "example".to_owned(),
            member: format!("m{place}"),
            version: 1,
            issued_ms: NOW - DAY,
            expires_ms: NOW + DAY,
            client_tls_keys: vec![build::signing_key(&key)],
            ..v1::MemberDoc::default()
        };
        (doc, 80 + 2 * place)
    };
    let stolen = SigningKey::from_seed(&[255; 32]).verifying_key();
    let own = |place: u8| {
        let mut seed = [254; 32];
        seed[0] = place;
        SigningKey::from_seed(&seed).verifying_key()
    };
    let mut held = crowd(70);
    held.docs.push(doc(69, stolen.clone()));
    let mut held = held.judge().unwrap();
    let mut offered = crowd(70);
    offered.docs.push(doc(0, stolen));
    offered
        .docs
        .extend((1..69).map(|place| doc(place, own(place))));
    let documents = |roster: &Roster| {
        let members = roster.members();
        members.filter(|member| member.doc.is_some()).count()
    };
    held = taken(&held, &offered);
    assert_eq!(documents(&held), limits::MERGE_TRIES_MAX);
    held = taken(&held, &offered);
    assert_eq!(documents(&held), 69);
    assert!(merge(&held, &offered).unwrap().is_none());
}

// DIS-6: whoever has news, everyone hears of it in as many steps as the number of nodes has bits.
#[test]
fn news_reach_every_node_in_few_steps() {
    for count in 1..=20_u8 {
        let roster = crowd(count).judge().unwrap();
        let mut reached = BTreeSet::from(["m0"]);
        let mut steps = 0;
        while reached.len() < usize::from(count) {
            let further: Vec<_> = reached
                .iter()
                .flat_map(|node| roster.neighbours(node))
                .collect();
            reached.extend(further);
            steps += 1;
            assert!(steps <= count.ilog2() + 1, "{count} nodes");
        }
        assert!(roster.neighbours("m0").len() <= 5);
        assert!(roster.neighbours("stranger").is_empty());
    }
}
