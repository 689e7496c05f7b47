//! What may follow what, how signatures come together, and what two rosters prove.

use super::*;
use crate::log::LogVerifier;
use crate::roster::{
    ceremony::{CollectError, Collection, Holder, detached, holder_card},
    succession::fork,
};

/// A roster of version 3 under the second of two roots, and the one of version 2 held before.
#[derive(Clone)]
struct Scene {
    roots: Vec<(v1::Root, Vec<u8>)>,
    world: World,
    held: Roster,
    garble: fn(&mut v1::RosterBundle),
}

impl Scene {
    /// Key 4 follows key 3 as root key, 14 follows 13; the platform and node-fr are revoked, and
    /// node-de's log has had key 59 before.
    fn new() -> Self {
        let mut world = World::new();
        let first = world.root.clone();
        world.root.version = 2;
        world.root.root_keys[2] = build::signing_key(&public(4));
        world.root.roster_keys[2] = build::signing_key(&public(14));
        world.roster.root_version = 2;
        world.roster.version = 2;
        world.roster.prev_sha256 = vec![9; 32].into();
        world.roster.members[2].status = i32::from(v1::Status::Revoked);
        world.roster.members[1].status = i32::from(v1::Status::Suspended);
        world.roster.nodes[1].status = i32::from(v1::Status::Revoked);
        world.roster.nodes[0].earlier_log_keys = vec![spare(59)];
        world.roster_signers = vec![11, 14];
        let roots = vec![(first, vec![1, 2]), (world.root.clone(), vec![1, 2, 4])];
        let anchor = world.anchor();
        let bundle = bundle_under(&world, &roots);
        let held = Roster::judge(&bundle, &anchor, NOW).unwrap();
        world.roster = build::next_roster(&held, NOW - 1, NOW + 90 * DAY);
        Self {
            roots,
            world,
            held,
            garble: |_| (),
        }
    }

    fn bundle(&self) -> Bytes {
        let mut bundle = v1::RosterBundle::decode(bundle_under(&self.world, &self.roots)).unwrap();
        (self.garble)(&mut bundle);
        bundle.encode_to_vec().into()
    }

    fn judge(&self) -> Result<Roster, RosterError> {
        Roster::judge(&self.bundle(), &self.world.anchor(), NOW)
    }

    fn taken(&self) -> Result<bool, RosterError> {
        self.judge()?.succeeds(&self.held)
    }

    fn node(&mut self) -> &mut v1::Node {
        &mut self.world.roster.nodes[0]
    }

    fn begin_anew(&mut self) {
        let node = self.node();
        let not_after_ms = NOW + u64::from(node.log_epoch);
        node.ended_logs.push(v1::EndedLog {
            not_after_ms,
            kept: 7,
        });
        node.log_epoch += 1;
    }

    fn change_log_key(&mut self, seed: u8) {
        let node = self.node();
        let old = node.log_key.replace(build::signing_key(&public(seed)));
        node.earlier_log_keys.insert(0, ended(old.unwrap()));
    }

    fn member(&mut self, place: usize) -> &mut v1::Member {
        &mut self.world.roster.members[place]
    }

    /// As if the second root had never been.
    fn back_to_the_first_root(&mut self) {
        self.roots.truncate(1);
        self.world.roster.root_version = 1;
        self.world.roster_signers = vec![11, 13];
    }
}

/// A key that was a log's.
fn spare(seed: u8) -> v1::PublicKey {
    ended(build::signing_key(&public(seed)))
}

fn bundle_under(world: &World, roots: &[(v1::Root, Vec<u8>)]) -> Bytes {
    let mut roots: Vec<Bytes> = roots
        .iter()
        .map(|(root, signers)| {
            let keys: Vec<_> = signers.iter().copied().map(key).collect();
            build::sign_root(root, &keys.iter().collect::<Vec<_>>()).unwrap()
        })
        .collect();
    let mut bundle = v1::RosterBundle::decode(world.bundle()).unwrap();
    bundle.root = roots.pop().unwrap();
    bundle.earlier_roots = roots;
    bundle.encode_to_vec().into()
}

type Row = (&'static str, Part, Fault, fn(&mut Scene));

#[rustfmt::skip]
const REFUSED: &[Row] = &[
    ("one signature of two", Part::Roster, Fault::TooFewSignatures, |s| s.world.roster_signers = vec![11]),
    ("one key that signs twice", Part::Roster, Fault::TooFewSignatures, |s| s.world.roster_signers = vec![14, 14]),
    ("a key that the new root dropped", Part::Roster, Fault::TooFewSignatures, |s| s.world.roster_signers = vec![11, 13]),
    ("a signature passed off as another's", Part::Roster, Fault::BadSignature, |s| s.garble = |b| retouch(&mut b.roster, |signed| signed.signatures[0].key_id = public(12).key_id().0.to_vec().into())),
    ("a root by the new quorum alone", Part::Root, Fault::TooFewSignatures, |s| s.roots[1].1 = vec![1, 4]),
    ("a root by the old quorum alone", Part::Root, Fault::TooFewSignatures, |s| { s.roots[1].0.root_threshold = 3; s.roots[1].1 = vec![1, 2]; }),
    ("a root by one key twice", Part::Root, Fault::TooFewSignatures, |s| s.roots[1].1 = vec![1, 1, 4]),
    ("a root left out", Part::Root, Fault::BadVersion, |s| s.roots[1].0.version = 3),
    ("the first root again, at the end", Part::Root, Fault::RolledBack, |s| { let first = s.roots[0].clone(); s.roots.push(first); }),
    ("another second root after the second", Part::Root, Fault::Forked, |s| { let mut other = s.roots[1].clone(); other.0.expires_ms += 1; s.roots.push(other); }),
    ("the second root twice", Part::Root, Fault::BadVersion, |s| { let again = s.roots[1].clone(); s.roots.push(again); }),
    ("another second root than the one held", Part::Root, Fault::Forked, |s| s.roots[1].0.expires_ms += 1),
    ("a roster by those whom the new root dropped", Part::Root, Fault::RolledBack, Scene::back_to_the_first_root),
    ("roots that the pin is not among", Part::Root, Fault::WrongRoot, |s| { s.roots.remove(0); }),
    ("a root of another federation", Part::Root, Fault::WrongFederation, |s| s.roots[1].0.federation = "other".into()),
    ("a root that has ended", Part::Root, Fault::Expired, |s| s.roots[1].0.expires_ms = NOW),
    ("a weak root key", Part::Root, Fault::Key(KeyError::Weak), |s| s.roots[1].0.root_keys[1] = weak_key()),
    ("more holders than keys", Part::Root, Fault::BadHolders, |s| s.roots[1].0.holders = ["a", "b", "c", "d"].map(String::from).to_vec()),
    ("a holder twice", Part::Root, Fault::BadHolders, |s| s.roots[1].0.holders = ["a", "b", "b"].map(String::from).to_vec()),
    ("a holder without a name", Part::Root, Fault::BadName, |s| s.roots[1].0.holders = ["a", "b", ""].map(String::from).to_vec()),
    ("too many roots", Part::Bundle, Fault::TooLarge, |s| s.garble = |b| b.earlier_roots = vec![b.root.clone(); limits::EARLIER_ROOTS_MAX + 1]),
    ("rolled back", Part::Roster, Fault::RolledBack, |s| { s.world.roster.version = 1; s.world.roster.prev_sha256 = Bytes::new(); }),
    ("forked", Part::Roster, Fault::Forked, |s| s.world.roster.version = 2),
    ("a broken chain", Part::Roster, Fault::BrokenChain, |s| s.world.roster.prev_sha256 = vec![8; 32].into()),
    ("expired", Part::Roster, Fault::Expired, |s| { s.world.roster.issued_ms = NOW - DAY; s.world.roster.expires_ms = NOW; }),
    ("from the future", Part::Roster, Fault::FutureDated, |s| s.world.roster.issued_ms = NOW + DAY),
    ("under the first root's number", Part::Roster, Fault::BadVersion, |s| s.world.roster.root_version = 1),
    ("a weak identity key", Part::Member(0), Fault::Key(KeyError::Weak), |s| s.member(0).identity_keys[0] = weak_key()),
    ("a weak log key", Part::Node(0), Fault::Key(KeyError::Weak), |s| s.world.roster.nodes[0].log_key = Some(weak_key())),
    ("a tombstone's id taken up", Part::Member(2), Fault::Revived, |s| { s.member(2).status = 1; s.member(2).identity_keys = vec![build::signing_key(&public(95))]; s.world.docs.truncate(2); }),
    ("a tombstone merely suspended", Part::Member(2), Fault::Revived, |s| s.member(2).status = 2),
    ("a tombstone with another key", Part::Member(2), Fault::TombstoneChanged, |s| { s.member(2).identity_keys = vec![build::signing_key(&public(95))]; s.world.docs.truncate(2); }),
    ("a tombstone's key used again", Part::Member(3), Fault::KeyReused, |s| { let mut m = s.member(2).clone(); m.id = "newcomer".into(); s.world.roster.members.push(m); }),
    ("a tombstone taken away", Part::Roster, Fault::EntryMissing, |s| { s.world.roster.members.remove(2); s.world.docs.truncate(2); }),
    ("a live member that vanished", Part::Roster, Fault::EntryMissing, |s| { s.world.roster.members[0].id = "renamed".into(); s.world.roster.nodes[0].operator = "renamed".into(); s.world.docs.remove(0); }),
    ("a revoked node alive again", Part::Node(1), Fault::Revived, |s| s.world.roster.nodes[1].status = 1),
    ("a revoked node with another log key", Part::Node(1), Fault::TombstoneChanged, |s| s.world.roster.nodes[1].log_key = Some(build::signing_key(&public(95)))),
    ("a revoked node with another log", Part::Node(1), Fault::TombstoneChanged, |s| { let ended = v1::EndedLog { not_after_ms: NOW, kept: 0 }; let node = &mut s.world.roster.nodes[1]; (node.log_epoch, node.ended_logs) = (2, vec![ended]); }),
    ("a revoked node's log key used again", Part::Node(1), Fault::KeyReused, |s| s.world.roster.nodes[0].log_key = s.world.roster.nodes[1].log_key.clone()),
    ("a revoked node with an earlier log key", Part::Node(1), Fault::TombstoneChanged, |s| s.world.roster.nodes[1].earlier_log_keys = vec![spare(95)]),
    ("a log key without the one before", Part::Node(0), Fault::LogKeyDropped, |s| s.node().log_key = Some(spare(95))),
    ("a log key that took another's place", Part::Node(0), Fault::LogKeyDropped, |s| { s.node().log_key = Some(spare(95)); s.node().earlier_log_keys = vec![spare(96)]; }),
    ("an earlier log key taken away", Part::Node(0), Fault::LogKeyDropped, |s| s.node().earlier_log_keys.clear()),
    ("an earlier log key that ends later", Part::Node(0), Fault::LogKeyDropped, |s| s.node().earlier_log_keys[0].not_after_ms += 1),
    ("an earlier log key that never was one", Part::Node(0), Fault::ForeignLogKey, |s| s.node().earlier_log_keys.push(spare(95))),
    ("one more beside the key that was replaced", Part::Node(0), Fault::ForeignLogKey, |s| { s.change_log_key(95); s.node().earlier_log_keys.push(spare(96)); }),
    ("a log key without the one before, in another log", Part::Node(0), Fault::LogKeyDropped, |s| { s.begin_anew(); s.node().log_key = Some(spare(95)); }),
    ("another log and no end of the one before", Part::Node(0), Fault::BadEpoch, |s| s.node().log_epoch = 2),
    ("an end of a log that goes on", Part::Node(0), Fault::BadEpoch, |s| { s.begin_anew(); s.node().log_epoch = 1; }),
    ("a log without end before another", Part::Node(0), Fault::BadTimes, |s| { s.begin_anew(); s.node().ended_logs[0].not_after_ms = 0; }),
    ("logs that end at one time", Part::Node(0), Fault::BadTimes, |s| { s.begin_anew(); s.begin_anew(); s.node().ended_logs[1].not_after_ms -= 1; }),
    ("a node with too many logs", Part::Node(0), Fault::TooLarge, |s| (0..=limits::ENDED_LOGS_MAX).for_each(|_| s.begin_anew())),
    ("a profile that names a field twice", Part::Member(0), Fault::BadProfile, |s| s.member(0).report_fields = vec!["urls".into(); 2]),
    ("a profile of no field's name", Part::Member(0), Fault::BadProfile, |s| s.member(0).report_fields = vec!["Urls!".into()]),
    ("a profile with a path of an empty step", Part::Member(0), Fault::BadProfile, |s| s.member(0).report_fields = vec!["reported..at".into()]),
    ("a profile with a step of 33 letters", Part::Member(0), Fault::BadProfile, |s| s.member(0).report_fields = vec!["a".repeat(33)]),
    ("a profile with a path of 130 bytes", Part::Member(0), Fault::BadProfile, |s| s.member(0).report_fields = vec![["a".repeat(32).as_str(); 4].join(".")]),
    ("a profile over its limit", Part::Member(0), Fault::TooLarge, |s| s.member(0).report_fields = vec!["urls".into(); limits::REPORT_FIELDS_MAX + 1]),
    ("a jurisdiction that is no country", Part::Member(0), Fault::BadCountry, |s| s.member(0).jurisdictions = vec!["ZZ".into()]),
    ("a jurisdiction twice", Part::Member(0), Fault::BadCountry, |s| s.member(0).jurisdictions = vec!["FR".into(); 2]),
];

// ROS-21, ROS-22, ROS-24, ROS-25, ROS-27, ROS-28, ROS-33, ROS-41, ROS-42, LIM-33, LIM-34, LIM-35: a thousand rosters that
// must not be taken, none taken, each refused for its own fault at its own place.
#[test]
fn no_roster_that_may_not_follow_is_taken() {
    let sound = Scene::new();
    assert_eq!(sound.taken(), Ok(true));
    let mut rng = ChaCha20Rng::seed_from_u64(27);
    for round in 0..1_000 {
        let mut scene = sound.clone();
        // Each round differs from every other in what does not matter.
        let pairs = [[11, 12], [11, 14], [14, 12], [12, 11]];
        scene.world.roster_signers = pairs[below(&mut rng, pairs.len())].to_vec();
        scene.world.roster.expires_ms += below(&mut rng, 1_000_000) as u64;
        scene.member(0).name = format!("An organisation {}", below(&mut rng, 1000));
        if below(&mut rng, 2) == 0 {
            scene.member(1).status = i32::from(v1::Status::Live);
        }
        if round % 10 == 0 {
            assert_eq!(scene.taken(), Ok(true), "round {round}");
        }
        let (name, part, fault, spoil) = REFUSED[round % REFUSED.len()];
        if name.contains("passed off") {
            // Key 12 must not have signed first: that would be its own signature.
            scene.world.roster_signers = vec![11, 14];
        }
        spoil(&mut scene);
        assert_eq!(
            scene.taken(),
            Err(part.fault(fault)),
            "{name}, round {round}"
        );
    }
}

// ROS-24: whoever pinned an older root, or a newer one, walks from there.
#[test]
fn a_chain_of_roots_is_walked_from_the_pin() {
    let scene = Scene::new();
    let roster = scene.judge().unwrap();
    assert_eq!(roster.root_chain().len(), 2);
    assert_eq!(roster.root().version, 2);
    let late = TrustAnchor {
        root_sha256: roster.root().sha256,
        ..scene.world.anchor()
    };
    let judged = Roster::judge(&scene.bundle(), &late, NOW).unwrap();
    assert_eq!(judged.root_chain(), [roster.root().reference()]);
    // An earlier root may have ended: the one in force counts.
    let mut scene = Scene::new();
    scene.roots[0].0.expires_ms = NOW - 1;
    let anchor = TrustAnchor {
        root_sha256: crate::label::sha256(&[&scene.roots[0].0.encode_to_vec()]),
        ..late
    };
    assert!(Roster::judge(&scene.bundle(), &anchor, NOW).is_ok());
}

// ROS-27: suspension ends, revocation does not; the same roster again changes nothing.
#[test]
fn who_was_suspended_may_come_back() {
    let mut scene = Scene::new();
    scene.member(1).status = i32::from(v1::Status::Live);
    scene.member(0).status = i32::from(v1::Status::Revoked);
    let next = scene.judge().unwrap();
    assert_eq!(next.succeeds(&scene.held), Ok(true));
    assert_eq!(next.succeeds(&next), Ok(false));
    assert!(next.member("police-fr").unwrap().is_live());
}

// ROS-41, ROS-42: a log goes from key to key; who missed rosters between sees no more keys that it
// does not know than there were rosters.
#[test]
fn a_log_may_change_its_key_once_in_each_roster() {
    let mut once = Scene::new();
    once.change_log_key(95);
    assert_eq!(once.taken(), Ok(true));
    let log = once.judge().unwrap().log_verifier("node-de").unwrap();
    let keys: Vec<_> = log.keys().iter().map(|listed| listed.key.clone()).collect();
    assert_eq!(keys, [public(95), public(50), public(59)]);
    for (gap, changes, expected) in [
        (1, 2, Err(Part::Node(0).fault(Fault::ForeignLogKey))),
        (2, 2, Ok(true)),
        (4, 2, Ok(true)),
        (2, 3, Err(Part::Node(0).fault(Fault::ForeignLogKey))),
        (3, 3, Ok(true)),
    ] {
        let mut scene = Scene::new();
        scene.world.roster.version = 2 + gap;
        (0..changes).for_each(|change| scene.change_log_key(95 + change));
        assert_eq!(scene.taken(), expected, "{changes} changes in {gap}");
    }
}

// ROS-60, ROS-61, LOG-30: a node may begin a log anew, once and again; what it had before stays listed with its
// end, and is judged by it.
#[test]
fn a_log_may_begin_anew_and_the_one_before_stays() {
    let mut scene = Scene::new();
    scene.begin_anew();
    scene.change_log_key(95);
    assert_eq!(scene.taken(), Ok(true));
    let next = scene.judge().unwrap();
    let logs = next.log_verifiers("node-de");
    let [ended, in_force] = &logs[..] else {
        panic!("{logs:?}");
    };
    assert!(ended.origin.ends_with("/log/1") && in_force.origin.ends_with("/log/2"));
    let end_ms = next.node("node-de").unwrap().ended_logs[0].not_after_ms;
    let ends = |log: &LogVerifier| {
        log.keys()
            .iter()
            .map(|key| key.not_after_ms)
            .collect::<Vec<_>>()
    };
    assert_eq!(ends(ended)[0], Some(end_ms));
    assert!(
        ends(ended)
            .iter()
            .all(|end| end.is_some_and(|end| end <= end_ms))
    );
    assert_eq!(ends(in_force)[0], None);
    // From there on neither may be taken back.
    for (name, change) in [
        (
            "the log before is gone",
            (|n| (n.log_epoch, n.ended_logs) = (1, Vec::new())) as fn(&mut v1::Node),
        ),
        ("it ends later", |n| n.ended_logs[0].not_after_ms += 1),
        ("more of it is kept", |n| n.ended_logs[0].kept += 1),
    ] {
        let mut later = scene.clone();
        later.held = next.clone();
        later.world.roster.version += 1;
        later.world.roster.prev_sha256 = Bytes::copy_from_slice(next.sha256());
        assert_eq!(later.taken(), Ok(true), "{name}");
        change(later.node());
        let refused = Err(Part::Node(0).fault(Fault::LogDropped));
        assert_eq!(later.taken(), refused, "{name}");
    }
    // A card from before says nothing of it.
    let mut roster = scene.world.roster.clone();
    build::list_card(&mut roster, &member_card(0, "hotline-de", "node-de", true));
    assert_eq!(
        (roster.nodes[0].log_epoch, roster.nodes[0].ended_logs.len()),
        (2, 1)
    );
}

// ROS-41: listing a card with another log key keeps the one before, for a time.
#[test]
fn a_card_with_another_log_key_keeps_the_one_before() {
    let mut roster = World::new().roster;
    let mut card = member_card(0, "hotline-de", "node-de", true);
    build::list_card(&mut roster, &card);
    assert!(roster.nodes[0].earlier_log_keys.is_empty());
    let node = card.node.as_mut().unwrap();
    node.log_key = Some(build::signing_key(&public(95)));
    build::list_card(&mut roster, &card);
    let node = &roster.nodes[0];
    assert_eq!(node.log_key, card.node.as_ref().unwrap().log_key);
    let end_ms = roster.issued_ms + build::LOG_KEY_OVERLAP_MS;
    assert_eq!(node.earlier_log_keys[0].not_after_ms, end_ms);
    assert_eq!(node.earlier_log_keys[0].key, public(50).as_bytes()[..]);
    // A card says nothing of the past: that is the rosters'.
    card.node.as_mut().unwrap().earlier_log_keys = vec![spare(96)];
    build::list_card(&mut roster, &card);
    assert_eq!(roster.nodes[0].earlier_log_keys.len(), 1);
    let bytes = card.encode_to_vec();
    let refused = Card::judge(&bytes, "example", NOW).unwrap_err();
    assert_eq!(refused, Part::Card.fault(Fault::ForeignLogKey));
}

// ROS-31: of two copies the later freshness and the newer documents are kept, from either.
#[test]
fn the_newest_of_two_copies_is_kept() {
    let mut world = World::new();
    let bare = world.judge().unwrap();
    world.fresh();
    let fresh = world.judge().unwrap();
    let mut renewed = World::new();
    renewed.docs[0].0.version = 2;
    renewed.docs[0].0.issued_ms = NOW;
    let renewed = renewed.judge().unwrap();
    let merge = |held: &Roster, offered: &Roster| {
        let merged = held.merge(offered.bytes(), &World::new().anchor(), NOW);
        merged.unwrap()
    };
    assert!(merge(&bare, &bare).is_none());
    assert!(merge(&fresh, &bare).is_none());
    assert!(merge(&renewed, &bare).is_none());
    for (held, offered) in [(&fresh, &renewed), (&renewed, &fresh)] {
        let kept = merge(held, offered).unwrap();
        assert_eq!(kept.freshness(), fresh.freshness());
        assert_eq!(doc_version(&kept, "hotline-de"), Some(2));
        assert!(merge(&kept, offered).is_none());
    }
}

// ROS-21: a roster that has ended still holds back an older one, with what was stated later.
#[test]
fn a_held_roster_is_judged_as_of_its_last_moment() {
    let mut world = World::new();
    world.fresh();
    world.docs[0].0.version = 2;
    world.docs[0].0.issued_ms = NOW;
    let bundle = world.bundle();
    let later = NOW + 900 * DAY;
    let judge = |now| Roster::judge(&bundle, &world.anchor(), now);
    assert_eq!(judge(later).unwrap_err().fault, Fault::Expired);
    let held = Roster::judge_held(&bundle, &world.anchor(), later).unwrap();
    assert_eq!(held.reference(), judge(NOW).unwrap().reference());
    world.roster_signers = vec![11];
    let unsound = Roster::judge_held(&world.bundle(), &world.anchor(), later);
    assert_eq!(unsound.unwrap_err().fault, Fault::TooFewSignatures);
}

// ROS-32: two rosters of one version name whoever signed both, also long after.
#[test]
fn two_rosters_of_one_version_are_evidence() {
    let mut world = World::new();
    world.fresh();
    world.roster_signers = vec![11, 13];
    let one = world.bundle();
    world.roster.expires_ms += 1;
    world.freshness = None;
    world.roster_signers = vec![13, 12];
    let other = world.bundle();
    let found = fork(&one, &other, &world.anchor()).unwrap().unwrap();
    assert_eq!(
        (found.version, found.signed_both),
        (1, vec![public(13).key_id()])
    );
    assert_eq!(fork(&one, &one, &world.anchor()), Ok(None));
    // What no quorum signed is no evidence against anybody.
    world.roster_signers = vec![13];
    let refused = Part::Roster.fault(Fault::TooFewSignatures);
    assert_eq!(fork(&one, &world.bundle(), &world.anchor()), Err(refused));
    let later = Roster::judge(&one, &world.anchor(), NOW + 900 * DAY);
    assert_eq!(later.unwrap_err().fault, Fault::Expired);
}

// ROS-29, ROS-30: a proposal says what the roster would; signatures come one by one, from apart.
#[test]
fn signatures_from_several_machines_make_a_roster() {
    let mut world = World::new();
    world.roster_signers = vec![];
    let proposal = Proposal::judge(&world.bundle(), &world.anchor(), NOW).unwrap();
    assert_eq!(proposal.contents().members().len(), 3);
    let keys = [11, 12, 13].map(public);
    let by = |seeds: &[u8]| {
        let keys: Vec<_> = seeds.iter().copied().map(key).collect();
        detached(proposal.signed(), &keys.iter().collect::<Vec<_>>()).unwrap()
    };
    let mut collection = Collection::new(proposal.signed());
    assert_eq!(
        collection.add(&by(&[11]), &keys),
        Ok(vec![keys[0].key_id()])
    );
    assert_eq!(
        collection.add(&by(&[11]), &keys),
        Ok(vec![keys[0].key_id()])
    );
    assert_eq!(collection.count(&keys), 1);
    assert_eq!(
        collection.add(&by(&[1]), &keys),
        Err(CollectError::UnknownKey)
    );
    assert_eq!(
        collection.add(&by(&[]), &keys),
        Err(CollectError::Malformed)
    );
    assert_eq!(
        collection.add(b"noise", &keys),
        Err(CollectError::Malformed)
    );
    let mut other = proposal.signed().clone();
    other.payload = Bytes::from_static(b"something else");
    let foreign = detached(&other, &[&key(12)]).unwrap();
    assert_eq!(
        collection.add(&foreign, &keys),
        Err(CollectError::OtherProposal)
    );
    let mut forged = v1::DetachedSignatures::decode(by(&[13])).unwrap();
    forged.signatures[0].key_id = keys[1].key_id().0.to_vec().into();
    let forged = forged.encode_to_vec();
    assert_eq!(
        collection.add(&forged, &keys),
        Err(CollectError::BadSignature)
    );
    let judge = |collection: &Collection| {
        Roster::judge(
            &proposal.completed(collection.signed()),
            &world.anchor(),
            NOW,
        )
    };
    let few = Part::Roster.fault(Fault::TooFewSignatures);
    assert_eq!(judge(&collection).unwrap_err(), few);
    assert_eq!(
        collection.add(&by(&[13]), &keys),
        Ok(vec![keys[2].key_id()])
    );
    assert!(collection.has(&keys[2]) && !collection.has(&keys[1]));
    assert_eq!(judge(&collection).unwrap().sha256(), proposal.sha256());
}

// ROS-26: a card proves both keys.
#[test]
fn a_holder_card_proves_its_keys() {
    let card = holder_card("example", "Ana", &key(1), &key(11)).unwrap();
    let holder = Holder::judge(&card, "example").unwrap();
    assert_eq!(
        (holder.root_key, holder.roster_key),
        (public(1), public(11))
    );
    let fault = |card: &Bytes, federation: &str| Holder::judge(card, federation).unwrap_err().fault;
    assert_eq!(fault(&card, "other"), Fault::WrongFederation);
    let same = holder_card("example", "Ana", &key(1), &key(1)).unwrap();
    assert_eq!(fault(&same, "example"), Fault::KeyReused);
    assert_eq!(
        fault(
            &holder_card("example", "", &key(1), &key(11)).unwrap(),
            "example"
        ),
        Fault::BadName
    );
    let mut stolen = card.clone();
    retouch(&mut stolen, |signed| signed.signatures.truncate(1));
    assert_eq!(fault(&stolen, "example"), Fault::TooFewSignatures);
}

// ROS-29: what a member has decided by its card is its own; the rest stays the governance's.
#[test]
fn a_card_that_comes_again_changes_only_what_its_member_decides() {
    let mut roster = World::new().roster;
    roster.members[0].status = i32::from(v1::Status::Suspended);
    let fields = ["urls", "reported.ip_events.at"].map(str::to_owned);
    roster.members[0].report_fields = fields.to_vec();
    let mut card = member_card(0, "hotline-de", "node-de", true);
    card.member.as_mut().unwrap().name = "Another name".to_owned();
    build::list_card(&mut roster, &card);
    let member = &roster.members[0];
    assert_eq!(
        (member.name.as_str(), roster.members.len()),
        ("Another name", 3)
    );
    assert_eq!(member.status(), v1::Status::Suspended);
    assert_eq!(member.report_fields, fields);
}

// ROS-21
#[test]
fn a_roster_follows_only_what_it_names() {
    let first = World::new().judge().unwrap();
    let mut world = World::new();
    world.roster = build::next_roster(&first, NOW, NOW + DAY);
    let second = world.judge().unwrap();
    world.roster.expires_ms += 1;
    let fork = world.judge().unwrap();
    let held = |roster: &Roster| roster.reference();
    let fault = |fault| Err(Part::Roster.fault(fault));
    assert_eq!(second.is_newer_than(held(&first)), Ok(true));
    assert_eq!(second.is_newer_than(held(&second)), Ok(false));
    assert_eq!(first.is_newer_than(held(&second)), fault(Fault::RolledBack));
    assert_eq!(second.is_newer_than(held(&fork)), fault(Fault::Forked));
    let mut other = held(&first);
    other.sha256[0] ^= 1;
    assert_eq!(second.is_newer_than(other), fault(Fault::BrokenChain));
}

// ROS-22
#[test]
fn a_root_changes_only_by_the_old_and_the_new_quorum() {
    let world = World::new();
    let sign = |root: &v1::Root, seeds: &[u8]| {
        let keys: Vec<_> = seeds.iter().copied().map(key).collect();
        build::sign_root(root, &keys.iter().collect::<Vec<_>>()).unwrap()
    };
    let old = Root::parse(&sign(&world.root, &[1, 2])).unwrap();
    let mut next = world.root.clone();
    next.version = 2;
    next.root_keys = [4, 5, 6]
        .map(public)
        .iter()
        .map(build::signing_key)
        .collect();
    let judge = |root: &v1::Root, seeds: &[u8]| {
        let judged = old.judge_successor(&sign(root, seeds), NOW);
        judged.map(|root| root.version).map_err(|error| error.fault)
    };
    assert_eq!(judge(&next, &[1, 2, 4, 5]), Ok(2));
    assert_eq!(judge(&next, &[4, 5]), Err(Fault::TooFewSignatures));
    assert_eq!(judge(&next, &[1, 4, 5]), Err(Fault::TooFewSignatures));
    assert_eq!(judge(&next, &[1, 2, 4]), Err(Fault::TooFewSignatures));
    next.version = 3;
    assert_eq!(judge(&next, &[1, 2, 4, 5]), Err(Fault::BadVersion));
    next.version = 1;
    assert_eq!(judge(&next, &[1, 2, 4, 5]), Err(Fault::Forked));
    assert_eq!(judge(&world.root, &[1, 2]), Err(Fault::BadVersion));
}
