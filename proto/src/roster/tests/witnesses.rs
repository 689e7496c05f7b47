//! Who cosigns for whom, and what a roster cannot say of it.

use super::*;

fn witnessing(nodes: &[&str], quorum: u32) -> v1::Witnessing {
    let nodes = nodes.iter().map(|id| (*id).to_owned()).collect();
    v1::Witnessing { nodes, quorum }
}

/// A world with a third node, all of which have a witness key.
fn world(witnessing: v1::Witnessing) -> World {
    let mut world = World::new();
    let card = member_card(3, "clearing", "node-nl", true);
    let doc = v1::Signed::decode(card.member_doc.clone()).unwrap();
    world
        .docs
        .push((v1::MemberDoc::decode(doc.payload).unwrap(), 23));
    build::list_card(&mut world.roster, &card);
    world.roster.witnessing = Some(witnessing);
    world
}

fn ids<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<&'a str> {
    nodes.map(|node| node.id.as_str()).collect()
}

#[rustfmt::skip]
const WITNESSES: &[Case] = &[
    ("a witness that is not listed", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de", "node-xx"], 1))),
    ("a member as a witness", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de", "police-fr"], 1))),
    ("a witness twice", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de", "node-fr", "node-de"], 1))),
    ("a witness without a key", Part::Roster, Fault::BadWitnessing, |w| { first_node(w).witness_key = None; w.roster.witnessing = Some(witnessing(&["node-de", "node-fr"], 1)); }),
    ("a quorum of nobody", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de", "node-fr"], 0))),
    ("a quorum of all", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de", "node-fr"], 2))),
    ("a quorum above all", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de", "node-fr"], u32::MAX))),
    ("one witness alone", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&["node-de"], 1))),
    ("no witness", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(witnessing(&[], 0))),
    ("too many witnesses", Part::Roster, Fault::BadWitnessing, |w| w.roster.witnessing = Some(many(w, limits::WITNESSES_MAX + 1))),
];

/// Lists so many more nodes of the first member, and names them all.
fn many(world: &mut World, count: usize) -> v1::Witnessing {
    let names: Vec<String> = (0..count).map(|number| format!("w{number}")).collect();
    for (name, number) in names.iter().zip(0_u8..) {
        let key = |kind: u8| {
            let mut seed = [kind; 32];
            seed[1] = number;
            build::signing_key(&SigningKey::from_seed(&seed).verifying_key())
        };
        let mut node = world.roster.nodes[0].clone();
        node.id.clone_from(name);
        (node.log_key, node.witness_key) = (Some(key(200)), Some(key(201)));
        world.roster.nodes.push(node);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    witnessing(&names, 1)
}

// ROS-52, LIM-81: each fault refuses the whole roster.
#[test]
fn no_roster_names_witnesses_that_cannot_make_a_receipt_final() {
    for (name, part, fault, spoil) in WITNESSES {
        let mut world = World::new();
        spoil(&mut world);
        let error = world.judge().expect_err(name);
        assert_eq!(error, part.fault(*fault), "{name}");
    }
    let mut world = World::new();
    world.roster.witnessing = Some(many(&mut world, limits::WITNESSES_MAX));
    let roster = world.judge().unwrap();
    assert_eq!(
        roster.witnessing().unwrap().nodes.len(),
        limits::WITNESSES_MAX
    );
}

// ROS-52, WIT-1: nobody is its own witness, and a roster that names none has no policy.
#[test]
fn a_log_is_witnessed_by_all_that_are_listed_but_its_own_node() {
    let all = ["node-nl", "node-de", "node-fr"];
    let roster = world(witnessing(&all, 2)).judge().unwrap();
    assert_eq!(roster.witnessing().unwrap().quorum, 2);
    assert_eq!(ids(roster.witnesses_of("node-de")), ["node-nl", "node-fr"]);
    assert_eq!(ids(roster.witnesses_of("node-xx")), all);
    let policy = roster.witness_policy("node-de").unwrap();
    let names = policy.witnesses.iter().map(|one| one.name.as_str());
    let expected = [
        "frex/example/node-nl/witness/1",
        "frex/example/node-fr/witness/1",
    ];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    assert_eq!(policy.quorum, 2);
    assert_eq!(policy.witnesses[1].key, public(61));

    let roster = World::new().judge().unwrap();
    assert!(roster.witnessing().is_none() && roster.witness_policy("node-de").is_none());
    assert_eq!(roster.witnesses_of("node-de").count(), 0);
    let name = roster.witness("node-de").unwrap().name;
    assert_eq!(name, "frex/example/node-de/witness/1");
    assert!(roster.witness("node-xx").is_none());
}

// WIT-1, WIT-7: who is not live is not asked any more, and what it said keeps its worth.
#[test]
fn a_witness_that_is_not_live_counts_and_is_not_asked() {
    let mut world = world(witnessing(&["node-de", "node-fr", "node-nl"], 1));
    first_node(&mut world).status = i32::from(v1::Status::Suspended);
    let roster = world.judge().unwrap();
    assert_eq!(ids(roster.witnesses_of("node-fr")), ["node-nl"]);
    assert_eq!(roster.witness_policy("node-fr").unwrap().witnesses.len(), 2);
}
