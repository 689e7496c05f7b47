//! People on several machines agree by exchanging files, as they meet it: real processes, a folder
//! for each of them, and nothing but the files that they would mail.

use std::{fs, path::PathBuf};

use frex_client::{keys::file, passphrase::Unlock};
use frex_proto::{
    roster::{Roster, TrustAnchor, build},
    v1,
};
use prost::Message;
use support::{World, exits, files_below, frex, init, json, ok, refused, stderr, stdout};
use tempfile::TempDir;

mod support;

/// A folder for each person and one for whoever coordinates.
struct Rooms {
    dir: TempDir,
}

impl Rooms {
    fn new(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for name in names.iter().chain(&["desk"]) {
            fs::create_dir(dir.path().join(name)).expect("own folder");
        }
        let rooms = Self { dir };
        for name in names {
            let key = format!("federation key --federation test --holder {name} keys");
            let text = ok(&rooms.at(name), &key);
            assert!(
                text.contains("fingerprint") && text.contains("telephone"),
                "{text}"
            );
            rooms.hand(name, &format!("keys/{name}.holder"), "desk");
        }
        rooms
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Copies a file from one person's folder to another's, under its own name.
    fn hand(&self, from: &str, file: &str, to: &str) {
        let source = self.at(from).join(file);
        let name = source.file_name().expect("a file");
        fs::copy(&source, self.at(to).join(name)).expect("the file is there");
    }

    /// Lets somebody sign what lies on the desk; the signature comes back to it.
    fn sign(&self, name: &str, what: &str, proposal: &str, options: &str) -> String {
        self.hand("desk", proposal, name);
        let text = ok(&self.at(name), &format!("{what} sign {proposal} {options}"));
        self.hand(name, &format!("{proposal}.{name}.sig"), "desk");
        text
    }

    /// A federation of ana, ben and chloe, two of whom must agree, and its root everywhere.
    fn governed() -> Self {
        let rooms = Self::new(&["ana", "ben", "chloe"]);
        let desk = rooms.at("desk");
        let propose = "federation propose --name test --threshold 2 --out root.proposal";
        let cards = "ana.holder ben.holder chloe.holder";
        ok(&desk, &format!("{propose} {cards}"));
        let key = "--key keys/root.key";
        let said = rooms.sign("ana", "federation", "root.proposal", key);
        assert!(
            said.contains("+ holder  chloe") && said.contains("2 of 3"),
            "{said}"
        );
        let combine = "federation combine root.proposal --out root.frex root.proposal.ana.sig";
        let said = exits(&desk, combine, 3);
        assert!(
            said.contains("signed   ana") && said.contains("1 more must sign"),
            "{said}"
        );
        assert!(!desk.join("root.frex").exists());
        rooms.sign("chloe", "federation", "root.proposal", key);
        ok(&desk, &format!("{combine} root.proposal.chloe.sig"));
        for name in ["ana", "ben", "chloe"] {
            rooms.hand("desk", "root.frex", name);
        }
        rooms
    }

    /// A roster of what `options` ask for, signed by these, who each have a copy of the one before.
    fn roster(&self, out: &str, options: &str, signers: &[&str], previous: Option<&str>) {
        let root = "--root root.frex";
        for name in signers {
            previous.inspect(|file| self.hand("desk", file, name));
        }
        let previous = previous.map_or(String::new(), |file| format!("--previous {file}"));
        let proposal = format!("{out}.proposal");
        let propose = format!("roster propose {root} {previous} --out {proposal} {options}");
        ok(&self.at("desk"), &propose);
        let mut files = proposal.clone();
        for name in signers {
            let key = format!("--key keys/roster.key {root} {previous}");
            self.sign(name, "roster", &proposal, &key);
            files.push_str(&format!(" {proposal}.{name}.sig"));
        }
        ok(
            &self.at("desk"),
            &format!("roster combine {files} {root} {previous} --out {out}"),
        );
    }

    /// Two members with nodes, listed.
    fn with_members() -> Self {
        let rooms = Self::governed();
        let desk = rooms.at("desk");
        ok(&desk, &init("fr", "hotline.fr", "127.0.0.1:7443"));
        ok(&desk, &init("es", "police.es", "127.0.0.1:7444"));
        let cards = "fr/hotline.fr.card es/police.es.card";
        rooms.roster("r1", cards, &["ana", "ben"], None);
        ok(&desk, "roster install r1 --root root.frex fr");
        rooms
    }
}

// ROS-26, ROS-29, ROS-30, CLI-8, CLI-9: nobody has more than their own keys, and a forged, foreign
// or repeated signature does not count.
#[test]
fn three_people_make_a_root_and_a_roster_by_exchanging_files() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    let shown = json(&desk, "roster show r1 --root root.frex", 0);
    assert_eq!(shown["members"].as_array().map(Vec::len), Some(2));
    assert!(
        files_below(&desk)
            .iter()
            .all(|file| !file.ends_with("roster.key"))
    );

    let propose = "roster propose --root root.frex --previous r1 --out p --quota police.es=5/1";
    let plan = ok(&desk, &format!("{propose} --dry-run"));
    assert!(
        plan.contains("~ member  police.es  quota: none -> 5/1"),
        "{plan}"
    );
    assert!(!desk.join("p").exists());
    ok(&desk, propose);
    let sign = "roster sign p --root root.frex --key keys/roster.key";
    rooms.hand("desk", "p", "ben");
    let text = refused(&rooms.at("ben"), sign, 2, "BAD_INPUT 6008");
    assert!(text.contains("--previous roster.frex"), "{text}");
    rooms.hand("desk", "r1", "ben");
    let said = ok(&rooms.at("ben"), &format!("{sign} --previous r1"));
    assert!(
        said.contains("quota: none -> 5/1") && said.contains("fingerprint"),
        "{said}"
    );
    rooms.hand("ben", "p.ben.sig", "desk");
    let combine = |signatures: &str| {
        format!("roster combine p {signatures} --root root.frex --previous r1 --out r2")
    };
    let partial = json(&desk, &combine("p.ben.sig p.ben.sig"), 3);
    assert_eq!(partial["quorums"][0]["missing"], 1);
    let foreign = combine("p.ben.sig r1.proposal.ana.sig");
    let text = refused(&desk, &foreign, 20, "BAD_SIGNATURE 2001");
    assert!(
        text.contains("r1.proposal.ana.sig does not count"),
        "{text}"
    );
    let mut forged = fs::read(desk.join("p.ben.sig")).expect("just handed over");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    fs::write(desk.join("forged.sig"), forged).expect("own file");
    refused(&desk, &combine("forged.sig"), 20, "BAD_SIGNATURE 2001");
    assert!(!desk.join("r2").exists());
}

// ROS-22, ROS-24, ROS-33: who pinned the first root follows to the second; who was dropped signs
// nothing any more, and a roster under the first root is a rollback.
#[test]
fn a_root_changes_hands_and_members_follow_without_pinning_it_anew() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    let root = "--root root.frex";
    fs::create_dir(rooms.at("dora")).expect("own folder");
    let key = "federation key --federation test --holder dora keys";
    ok(&rooms.at("dora"), key);
    rooms.hand("dora", "keys/dora.holder", "desk");
    rooms.hand("desk", "root.frex", "dora");
    let propose = "federation propose --root root.frex --remove chloe dora.holder --out root.2";
    let twice = format!("{propose} dora.holder");
    refused(&desk, &twice, 2, "BAD_INPUT 6008");
    let said = ok(&desk, propose);
    assert!(
        said.contains("- holder  chloe") && said.contains("+ holder  dora"),
        "{said}"
    );
    let options = format!("--key keys/root.key {root}");
    for name in ["ana", "dora"] {
        rooms.sign(name, "federation", "root.2", &options);
    }
    let combine = "federation combine root.2 --root root.frex --out new.frex";
    let new_only = format!("{combine} root.2.ana.sig root.2.dora.sig");
    let waits = exits(&desk, &new_only, 3);
    assert!(
        waits.contains("root keys of the root in force: 2 of 3"),
        "{waits}"
    );
    rooms.sign("ben", "federation", "root.2", &options);
    ok(&desk, &format!("{new_only} root.2.ben.sig"));

    // Before anyone knows of it, the old quorum issues one more roster, for later.
    rooms.roster("late", "--suspend police.es", &["ben", "chloe"], Some("r1"));
    rooms.roster("r2", "--new-root new.frex", &["ana", "dora"], Some("r1"));
    ok(&desk, "roster install r2 fr");
    let seen = json(&desk, &format!("roster verify r2 --previous r1 {root}"), 0);
    assert_eq!(seen["verified"], true);
    let text = refused(&desk, "roster install late fr", 21, "BAD_ROSTER 3006");
    assert!(text.contains("root: older than the version held"), "{text}");
    let sign = format!("roster sign r2.proposal --key keys/roster.key {root} --previous r1");
    rooms.hand("desk", "r2.proposal", "chloe");
    rooms.hand("desk", "r1", "chloe");
    refused(&rooms.at("chloe"), &sign, 21, "NOT_TRUSTED 3001");
}

// ROS-27
#[test]
fn who_is_revoked_never_comes_back_and_who_is_suspended_may() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    let both = "--suspend hotline.fr --revoke police.es";
    rooms.roster("r2", both, &["ana", "ben"], Some("r1"));
    let propose = "roster propose --root root.frex --previous r2 --out p";
    let text = refused(
        &desk,
        &format!("{propose} --resume police.es"),
        2,
        "BAD_INPUT 6008",
    );
    assert!(text.contains("revoked is for good"), "{text}");
    // New keys under the old id are no way around it.
    ok(&desk, &init("again", "police.es", "127.0.0.1:7445"));
    let text = refused(
        &desk,
        &format!("{propose} again/police.es.card"),
        21,
        "BAD_ROSTER 3006",
    );
    assert!(text.contains("the keys of a revoked member"), "{text}");
    assert!(!desk.join("p").exists());
    let plan = ok(&desk, &format!("{propose} --resume hotline.fr"));
    assert!(plan.contains("status: suspended -> live"), "{plan}");
    // CLI-8: nobody signs a second version 2 who has seen the first.
    ok(
        &desk,
        "roster propose --root root.frex --previous r1 --out q",
    );
    let sign = "roster sign q --root root.frex --previous r2 --key keys/roster.key";
    for file in ["q", "r2"] {
        rooms.hand("desk", file, "ben");
    }
    let text = refused(&rooms.at("ben"), sign, 21, "BAD_ROSTER 3006");
    assert!(text.contains("the same version exists"), "{text}");
    assert!(!rooms.at("ben").join("q.ben.sig").exists());
    let diff = json(&desk, "roster diff r1 r2 --root root.frex", 0);
    assert_eq!(diff["follows"], true);
    let back = json(&desk, "roster diff r2 r1 --root root.frex", 0);
    assert_eq!(back["follows"], false);
}

// ROS-10, ROS-31, ROS-32, CLI-4: freshness is replaced by newer alone; two rosters of one version
// are shown and kept as evidence.
#[test]
fn freshness_and_forks_are_told() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    rooms.hand("desk", "r1", "ana");
    let state = "roster freshness r1 --root root.frex --key keys/roster.key";
    ok(&rooms.at("ana"), &format!("{state} --out old"));
    ok(&rooms.at("ana"), &format!("{state} --for 1h --out fresh"));
    // LIM-57
    let long = format!("{state} --for 8d --out long");
    refused(&rooms.at("ana"), &long, 2, "BAD_INPUT");
    rooms.hand("ana", "fresh", "desk");
    rooms.hand("ana", "old", "desk");
    ok(&desk, "roster install fresh fr");
    assert!(ok(&desk, "roster install old fr").contains("kept"));
    let shown = json(&desk, "roster show fresh --root root.frex", 0);
    assert_eq!(shown["fresh"], true);
    let text = ok(&desk, "roster verify fresh --root root.frex");
    assert!(
        text.contains("the newest, as stated until") && text.ends_with("VERIFIED\n"),
        "{text}"
    );

    // A holder without notes, or with other software, can sign both.
    for name in ["ben", "chloe"] {
        let notes = rooms.at(name).join("keys/signed.json");
        let _ = std::fs::remove_file(notes);
    }
    let cards = "fr/hotline.fr.card";
    rooms.roster("fork", cards, &["ben", "chloe"], None);
    let line = "roster verify r1 fork --root root.frex";
    let output = frex(&desk, line);
    assert_eq!(output.status.code(), Some(21), "{}", stderr(&output));
    let printed = stdout(&output);
    assert!(
        printed.contains("FORK") && !printed.contains("VERIFIED"),
        "{printed}"
    );
    let found = json(&desk, line, 21);
    let both = found["forks"][0]["keys_that_signed_both"].as_array();
    assert_eq!(both.map(Vec::len), Some(1), "{found}");
    refused(&desk, "roster install fork fr", 21, "BAD_ROSTER 3006");
    assert_eq!(files_below(&desk.join("fr/member/evidence")).len(), 2);
}

// ROS-28: what a recipient needs is asked for before anybody is dialled.
#[test]
fn a_report_that_says_too_little_is_not_sent() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    let needs = "--needs police.es=urls,jurisdictions --jurisdictions police.es=ES,PT";
    rooms.roster("r2", needs, &["ana", "ben"], Some("r1"));
    ok(&desk, "roster install r2 fr");
    let shown = json(&desk, "roster show r2 --root root.frex", 0);
    assert_eq!(shown["members"][1]["needs"][1], "jurisdictions");
    assert_eq!(shown["members"][1]["jurisdictions"][1], "PT");
    let report = r#"{"reference": "1", "created": "2026-07-01T12:00:00Z",
        "urls": [{"url": "https://host.example/page"}]}"#;
    fs::write(desk.join("report.json"), report).expect("own file");
    let send = "send report.json --to police.es --from fr";
    let text = refused(&desk, send, 22, "NOT_ACCEPTED 4005");
    assert!(
        text.contains("police.es needs a report to say more, it lacks: jurisdictions"),
        "{text}"
    );
}

// ROS-64: what is mistyped is found before anybody signs it.
#[test]
fn a_field_that_no_report_has_is_not_proposed() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    let propose = "roster propose --root root.frex --previous r1 --out p --needs";
    let mistyped = format!("{propose} police.es=url");
    let text = refused(&desk, &mistyped, 2, "BAD_INPUT 6008");
    assert!(text.contains("--needs police.es=urls"), "{text}");
    assert!(!desk.join("p").exists());
    ok(&desk, &format!("{mistyped} --unknown-fields"));
    ok(
        &desk,
        &format!("{propose} police.es=urls,reported.ip_events.at"),
    );
}

// CLI-3, ROS-40: a card that changes nothing is told from one that does, and one that was made before the
// roster in force was known is refused with the way to one that was not.
#[test]
fn a_card_of_before_is_told_from_the_next_one() {
    let rooms = Rooms::with_members();
    let desk = rooms.at("desk");
    let card = "fr/hotline.fr.card";
    fs::copy(desk.join(card), desk.join("first.card")).expect("made by init");
    let again = format!("roster propose --root root.frex --previous r1 --out p {card}");
    fs::write(desk.join("fr/hotline.fr.next.card"), "").expect("own file");
    let output = frex(&desk, &again);
    let text = stderr(&output);
    assert!(
        output.status.success() && text.contains("changes nothing"),
        "{text}"
    );
    assert!(text.contains("is fr/hotline.fr.next.card meant?"), "{text}");
    assert_eq!(json(&desk, &again, 0)["unchanged"][0], card);

    ok(&desk, "key rotate log fr");
    let output = frex(&desk, &again);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("changes nothing"));
    rooms.roster("r2", card, &["ana", "ben"], Some("r1"));
    let old = "roster propose --root root.frex --previous r2 --out p first.card";
    let text = refused(&desk, old, 2, "BAD_INPUT 6008");
    assert!(
        text.contains("old card") && text.contains("start the node"),
        "{text}"
    );
}

// DIS-3, ROS-36: a key leaked, and its thief stated the highest version there may be. A card by the
// next key puts the member's own document in force again, whatever its version.
#[test]
fn a_card_by_the_next_key_takes_the_place_of_what_a_thief_stated() {
    let world = World::new();
    let dir = world.path();
    let read = |file: &str| fs::read(dir.join(file)).unwrap();
    let leaked = dir.join("fr/member/keys/identity.key");
    let leaked = file::read_signing_key(&leaked, &Unlock::none()).unwrap();
    let anchor = TrustAnchor::of_root(&read("gov/root.frex")).unwrap();
    let judge = |file: &str| Roster::judge_held(&read(file), &anchor, u64::MAX).unwrap();
    let held = judge("roster.frex");
    let mut stolen = held.member_doc("hotline.fr").unwrap().1;
    stolen.version = stolen.issued_ms;
    stolen.sealing_keys.clear();
    let stolen = build::sign_member_doc(&stolen, &leaked).unwrap();
    fs::write(
        dir.join("stolen.frex"),
        held.with_member_doc("hotline.fr", stolen),
    )
    .unwrap();
    ok(dir, "roster install stolen.frex es");

    // As long as the card lists that key as good, the member has said something newer by it.
    let previous = "--previous stolen.frex";
    let propose = format!("roster propose --root gov/root.frex --out x.proposal {previous}");
    let text = refused(
        dir,
        &format!("{propose} fr/hotline.fr.card"),
        2,
        "BAD_INPUT",
    );
    assert!(text.contains("is an old card"), "{text}");

    // The next identity key comes with keys and a document of its own; the old one has ended.
    ok(dir, &init("new", "hotline.fr", "127.0.0.1:7443"));
    let mut card = v1::MemberCard::decode(&read("new/hotline.fr.card")[..]).unwrap();
    let next = card.member.as_mut().unwrap();
    let ended = v1::PublicKey {
        not_after_ms: held.issued_ms() + 1,
        ..build::signing_key(&leaked.verifying_key())
    };
    next.identity_keys.push(ended);
    fs::write(dir.join("next.card"), card.encode_to_vec()).unwrap();
    world.propose("next.frex", &format!("{previous} next.card"), previous);
    ok(dir, "roster install next.frex es");
    let installed = judge("es/member/roster.frex");
    let doc = installed.member("hotline.fr").unwrap().doc.unwrap();
    assert_eq!((installed.version(), doc.version), (2, 1));
}
