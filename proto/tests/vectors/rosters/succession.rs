//! What may follow a roster or a root.

use super::*;

/// A roster of version 2 under the second root, and what a holder of it is then offered.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) held: Parts,
    pub(super) next: Parts,
}

impl Pair {
    /// Key 7 follows key 3 and key 8 follows key 6; the police are revoked, with their node.
    pub(super) fn new() -> Self {
        let mut held = Parts::new();
        held.earlier = vec![(held.root.clone(), vec![1, 2])];
        held.root.version = 2;
        held.root.root_keys[2] = listed(7);
        held.root.roster_keys[2] = listed(8);
        held.root_signers = vec![1, 2, 7];
        held.roster.root_version = 2;
        held.roster.version = 2;
        held.roster.prev_sha256 = Bytes::from_static(&[7; 32]);
        held.roster.members[1].status = v1::Status::Revoked.into();
        held.roster.nodes[1].status = v1::Status::Revoked.into();
        held.roster_signers = vec![4, 8];
        let mut next = held.clone();
        next.roster.version = 3;
        next.roster.prev_sha256 = Bytes::copy_from_slice(&sha256(&[&held.roster.encode_to_vec()]));
        Self { held, next }
    }

    pub(super) fn vector(&self, name: &str, spec: &str, what: &str, expect: &str) -> Vector {
        Vector::new("roster", name, spec, what, "succeed_roster")
            .set("federation", FEDERATION)
            .hex("root_sha256", self.held.pinned())
            .set("now_ms", NOW_MS)
            .hex("held", self.held.bundle())
            .hex("bundle", self.next.bundle())
            .expect(expect)
    }
}

fn row(name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts), expect: &str) -> Vector {
    let mut pair = Pair::new();
    change(&mut pair.next);
    pair.vector(name, spec, what, expect)
}

/// The same change in the roster held and in the next.
fn both(name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Parts)) -> Vector {
    let mut pair = Pair::new();
    change(&mut pair.held);
    change(&mut pair.next);
    pair.vector(name, spec, what, "ok")
}

pub(super) fn make() -> Vec<Vector> {
    let mut vectors = rosters();
    vectors.extend(chains());
    vectors.extend(entries());
    vectors
}

#[rustfmt::skip] // A table: one row a vector.
fn rosters() -> Vec<Vector> {
    let held = Pair::new().held;
    vec![
        row("next", "ROS-21", "the version after the one held", &|_| (), "ok"),
        row("next-is-the-same", "ROS-21", "the one held, once more", &|p| *p = held.clone(), "ok"),
        row("next-after-a-gap", "ROS-21", "a later version, whose predecessor is not known here", &|p| { p.roster.version = 9; p.roster.prev_sha256 = Bytes::from_static(&[3; 32]); }, "ok"),
        row("next-rolled-back", "ROS-21", "an older version", &|p| { p.roster.version = 1; p.roster.prev_sha256 = Bytes::new(); }, "RolledBack"),
        row("next-forked", "ROS-21", "the version held with other bytes", &|p| { *p = held.clone(); p.roster.expires_ms += 1; }, "Forked"),
        row("next-broken-chain", "ROS-21", "it names another predecessor", &|p| p.roster.prev_sha256 = Bytes::from_static(&[3; 32]), "BrokenChain"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn chains() -> Vec<Vector> {
    vec![
        row("chain-by-the-new-quorum-alone", "ROS-22", "a root that the old quorum did not sign", &|p| p.root_signers = vec![1, 7], "TooFewSignatures"),
        row("chain-by-the-old-quorum-alone", "ROS-22", "a root that its own quorum did not sign", &|p| { p.root.root_threshold = 3; p.root_signers = vec![1, 2]; }, "TooFewSignatures"),
        row("chain-with-a-gap", "ROS-22", "a root left out", &|p| p.root.version = 3, "BadVersion"),
        row("chain-that-turns-back", "ROS-24", "the first root again after the second", &|p| { let first = p.earlier[0].clone(); p.earlier.push((p.root.clone(), vec![1, 2, 7])); (p.root, p.root_signers) = first; }, "RolledBack"),
        row("chain-that-forks", "ROS-24", "two second roots", &|p| { p.earlier.push((p.root.clone(), vec![1, 2, 7])); p.root.expires_ms += 1; }, "Forked"),
        row("chain-of-another-second-root", "ROS-33", "another second root than that of the roster held", &|p| p.root.expires_ms += 1, "Forked"),
        row("chain-rolled-back", "ROS-33", "a newer roster under the older root", &|p| { (p.root, p.root_signers) = p.earlier.remove(0); p.roster.root_version = 1; p.roster_signers = vec![4, 6]; p.pin = None; }, "RolledBack"),
        row("chain-without-the-pin", "ROS-1", "a chain in which the pinned root is not", &|p| p.earlier.clear(), "WrongRoot"),
        both("chain-first-ended", "ROS-24", "an earlier root has ended: it has done its part", &|p| p.earlier[0].0.expires_ms = NOW_MS - 1),
        row("chain-last-ended", "ROS-23", "the root in force has ended", &|p| p.root.expires_ms = NOW_MS, "Expired"),
        row("chain-too-long", "LIM-33", "65 roots before the one in force", &|p| p.earlier = vec![p.earlier[0].clone(); 65], "TooLarge"),
        both("root-holders", "ROS-25", "a name for each place", &|p| p.root.holders = ["Ana", "Ben", "Chloe"].map(str::to_owned).to_vec()),
        row("root-holders-too-few", "ROS-25", "two names for three keys", &|p| p.root.holders = ["Ana", "Ben"].map(str::to_owned).to_vec(), "BadHolders"),
        row("root-holder-twice", "ROS-25", "one name twice", &|p| p.root.holders = ["Ana", "Ben", "Ben"].map(str::to_owned).to_vec(), "BadHolders"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn entries() -> Vec<Vector> {
    vec![
        row("tombstone-revived", "ROS-27", "a revoked member lives again", &|p| p.roster.members[1].status = v1::Status::Live.into(), "Revived"),
        row("tombstone-suspended", "ROS-27", "a revoked member is only suspended", &|p| p.roster.members[1].status = v1::Status::Suspended.into(), "Revived"),
        row("tombstone-missing", "ROS-27", "a revoked member and its node are listed no more", &|p| { p.roster.members.pop(); p.roster.nodes.pop(); p.docs.pop(); }, "EntryMissing"),
        row("tombstone-other-key", "ROS-27", "a revoked member with another key", &|p| { p.roster.members[1].identity_keys = vec![listed(99)]; p.docs.pop(); }, "TombstoneChanged"),
        row("tombstone-key-used-again", "ROS-7", "a revoked member's key for another", &|p| p.roster.members[0].identity_keys.push(listed(60)), "KeyReused"),
        row("tombstone-of-a-node-revived", "ROS-27", "a revoked node lives again", &|p| p.roster.nodes[1].status = v1::Status::Live.into(), "Revived"),
        row("tombstone-of-a-node-other-log", "ROS-27", "a revoked node with another log", &|p| { let node = &mut p.roster.nodes[1]; node.ended_logs = vec![v1::EndedLog { not_after_ms: 1, kept: 0 }]; node.log_epoch = 2; }, "TombstoneChanged"),
        row("member-gone", "ROS-27", "a live member that is listed no more", &|p| { "renamed".clone_into(&mut p.roster.members[0].id); "renamed".clone_into(&mut p.roster.nodes[0].operator); p.docs.remove(0); }, "EntryMissing"),
        row("member-back-from-suspension", "ROS-27", "suspended, then live", &|p| p.roster.members[0].status = v1::Status::Suspended.into(), "ok"),
        row("member-report-fields", "ROS-28", "what a report must say", &|p| p.roster.members[0].report_fields = ["urls", "jurisdictions"].map(str::to_owned).to_vec(), "ok"),
        row("member-report-field-twice", "ROS-28", "a field twice", &|p| p.roster.members[0].report_fields = vec!["urls".to_owned(); 2], "BadProfile"),
        row("member-report-field-capital", "ROS-28", "no name of a field", &|p| p.roster.members[0].report_fields = vec!["URLs".to_owned()], "BadProfile"),
        row("member-33-report-fields", "LIM-34", "33 fields", &|p| p.roster.members[0].report_fields = vec!["urls".to_owned(); 33], "TooLarge"),
        row("member-jurisdictions", "ROS-12", "competent for two countries", &|p| p.roster.members[0].jurisdictions = ["NL", "BE"].map(str::to_owned).to_vec(), "ok"),
        row("member-jurisdiction-unassigned", "ROS-12", "competent for a country that is none", &|p| p.roster.members[0].jurisdictions = vec!["QQ".to_owned()], "BadCountry"),
    ]
}
