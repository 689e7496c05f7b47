//! Keys to cosign with, and who is named to cosign, as operators and governance meet them.

use std::{fs, path::Path};

use serde_json::Value;
use support::{World, exits, free_port, init, json, ok, refused};

mod support;

const HELD: &str = "--root gov/root.frex --previous roster.frex";
const WITNESSES: &str = "--witnesses node.hotline.fr,node.police.es,node.court.de --quorum 2";

/// Three members with nodes, all of them witnesses.
fn world() -> World {
    let world = World::new();
    let listen = format!("127.0.0.1:{}", free_port());
    ok(world.path(), &init("de", "court.de", &listen));
    let previous = "--previous roster.frex";
    let options = format!("de/court.de.card {previous} {WITNESSES}");
    world.propose("next.frex", &options, previous);
    fs::rename(
        world.path().join("next.frex"),
        world.path().join("roster.frex"),
    )
    .expect("own files");
    for place in ["fr", "es", "de"] {
        let install = "roster install roster.frex --root gov/root.frex";
        ok(world.path(), &format!("{install} {place}"));
    }
    world
}

/// What `frex doctor` says of the witness key of the node in `place`.
fn doctor(world: &World, place: &str) -> Value {
    let output = support::frex(world.path(), &format!("doctor {place}/node --json"));
    let report: Value = serde_json::from_str(&support::stdout(&output)).expect("a document");
    let mut rows = report["checks"].as_array().expect("rows").iter();
    let row = rows.find(|row| row["check"] == "node witness key");
    row.unwrap_or_else(|| panic!("no such row: {report}"))
        .clone()
}

fn said(row: &Value, outcome: &str, word: &str) {
    let found = row["found"].as_str().expect("words");
    assert!(row["outcome"] == outcome && found.contains(word), "{row}");
}

/// The id of the witness key in use; none without its file.
fn in_use(world: &World, place: &str) -> Option<String> {
    let listed = json(world.path(), &format!("key ls {place}"), 0);
    let keys = listed["keys"].as_array().expect("keys").clone();
    let key = keys.into_iter().find(|key| {
        let file = key["file"].as_str().expect("a path");
        Path::new(file).ends_with("node/keys/witness.key")
    })?;
    assert_eq!(
        (&key["state"], &key["encrypted"]),
        (&"active".into(), &false.into())
    );
    Some(key["key_id"].as_str().expect("stated").to_owned())
}

/// The governance lists the card of the member in `fr`; the roster reaches its node.
fn list_card(world: &World, number: usize) {
    let name = |number: usize| match number {
        1 => "roster.frex".to_owned(),
        number => format!("roster-{number}.frex"),
    };
    let previous = format!("--previous {}", name(number - 1));
    let options = format!("fr/hotline.fr.card {previous}");
    world.propose(&name(number), &options, &previous);
    let install = format!("roster install {} fr", name(number));
    ok(world.path(), &install);
}

// CLI-33, CLI-10, FIL-35, FIL-36: the whole way of a witness key: made with the node, lost, made
// anew, listed, taken up, followed by another. The node runs with it and without it.
#[test]
fn a_witness_key_is_made_listed_taken_up_and_followed() {
    let world = world();
    let first = in_use(&world, "fr").expect("made by init");
    said(&doctor(&world, "fr"), "ok", "counts on this node");
    fs::remove_file(world.path().join("fr/node/keys/witness.key")).expect("own file");
    let row = doctor(&world, "fr");
    said(&row, "fail", "missing");
    let mend = row["try"].as_str().expect("words");
    assert!(mend.contains("frex key rotate witness fr"), "{row}");
    // A folder that was made before there were witnesses has no such key either.
    assert_eq!(world.start("fr").stop(), Some(0));

    let mut active = None;
    for number in [2, 3] {
        let rotate = || json(world.path(), "key rotate witness fr", 0);
        let (made, again) = (rotate(), rotate());
        assert_eq!(
            (&made["state"], &made["made"]),
            (&"next".into(), &true.into())
        );
        assert_eq!(
            (&again["key_id"], &again["made"]),
            (&made["key_id"], &false.into())
        );
        // Not before the roster lists it.
        assert_eq!(world.start("fr").stop(), Some(0));
        assert_eq!(in_use(&world, "fr"), active);
        list_card(&world, number);
        assert_eq!(rotate()["state"], "listed");
        let row = doctor(&world, "fr");
        said(&row, "warn", "takes up");
        assert_eq!(world.start("fr").stop(), Some(0));
        active = in_use(&world, "fr");
        assert_eq!(active.as_deref(), made["key_id"].as_str());
        assert_ne!(active.as_deref(), Some(first.as_str()));
        said(&doctor(&world, "fr"), "ok", "in force");
    }
    // The one before leaves nothing but its name.
    let keys = fs::read_dir(world.path().join("fr/node/keys")).expect("own folder");
    assert_eq!(
        keys.count(),
        4,
        "tls.key, log.key, witness.key, rotation.toml"
    );
    let listed = json(world.path(), "key ls fr", 0);
    assert_eq!(listed["destroyed"][0]["use"], "witness", "{listed}");
}

// CLI-33, CLI-10: one card has both keys that wait to be listed, whichever was made last, and a key
// that is not the listed one is told.
#[test]
fn one_card_names_the_next_log_key_and_the_next_witness_key() {
    let world = world();
    let log = json(world.path(), "key rotate log fr", 0);
    let witness = json(world.path(), "key rotate witness fr", 0);
    assert_eq!(witness["next_log_key"], log["key_id"]);
    let again = json(world.path(), "key rotate log fr", 0);
    assert_eq!(again["next_witness_key"], witness["key_id"]);
    let text = ok(world.path(), "key rotate witness fr");
    assert!(text.contains("also in it   the log's next key"), "{text}");
    let propose = format!("roster propose {HELD} --out plan --dry-run fr/hotline.fr.card");
    let text = ok(world.path(), &propose);
    for key in [&log["key_id"], &witness["key_id"]] {
        assert!(text.contains(key.as_str().expect("an id")), "{text}");
    }
    let keys = |place: &str| world.path().join(place).join("node/keys/witness.key");
    fs::copy(keys("es"), keys("fr")).expect("own files");
    said(
        &doctor(&world, "fr"),
        "fail",
        "another than the one in force",
    );
}

// CLI-34, ROS-52: who cosigns is shown in words to whoever signs, in what is in force, in what
// changes, and as JSON.
#[test]
fn witnesses_are_named_shown_and_ended() {
    let world = world();
    let words = "2 of node.hotline.fr, node.police.es, node.court.de";
    let text = ok(world.path(), "roster show roster.frex");
    assert!(text.contains(&format!("witnesses   {words}")), "{text}");
    assert!(text.contains("named"), "{text}");
    let shown = json(world.path(), "roster show roster.frex", 0);
    let witnessing = &shown["witnessing"];
    assert_eq!(
        (&witnessing["quorum"], &witnessing["nodes"][2]),
        (&2.into(), &"node.court.de".into())
    );
    assert_eq!(
        shown["nodes"][0]["witness_key"].as_str().map(str::len),
        Some(64)
    );

    let propose = format!("roster propose {HELD} --out ended.proposal");
    let text = ok(world.path(), &format!("{propose} --witnesses none"));
    assert!(
        text.contains(&format!("witnesses: {words} -> none")),
        "{text}"
    );
    let plan = json(world.path(), &format!("{propose} --quorum 1"), 0);
    assert_eq!(
        plan["changes"][1]["text"],
        format!("witnesses: {words} -> {}", words.replace('2', "1")).as_str()
    );
    let diff = json(
        world.path(),
        "roster diff roster.frex ended.proposal --root gov/root.frex",
        0,
    );
    assert!(diff["changes"].to_string().contains("witnesses"), "{diff}");
}

// CLI-34: a witness that is kept out stays named, and the words say what that means.
#[test]
fn a_witness_that_is_kept_out_stays_named_and_is_missed_in_words() {
    let world = world();
    let propose = format!("roster propose {HELD} --out next.proposal");
    let revoke = format!("{propose} --revoke node.court.de");
    let text = ok(world.path(), &revoke);
    assert!(
        text.contains("node.court.de is revoked: fewer can cosign, 2, too few for receipts of node.hotline.fr, node.police.es"),
        "{text}"
    );
    let text = ok(world.path(), &format!("{revoke} --quorum 1"));
    assert!(
        text.contains("node.court.de is revoked: fewer can cosign, 2") && !text.contains("too few"),
        "{text}"
    );
    let text = ok(
        world.path(),
        &format!("{propose} --suspend member:court.de"),
    );
    assert!(
        text.contains("node.court.de is suspended: fewer can"),
        "{text}"
    );
}

// CLI-34, CLI-3: what no roster may say of witnesses is refused before anything is written, each with
// what mends it.
#[test]
fn witnesses_that_cannot_be_are_refused_with_what_mends_it() {
    let world = World::new();
    let both = "--witnesses node.hotline.fr,node.police.es";
    for (options, word) in [
        (both, "Add --quorum, 1 to 1"),
        ("--quorum 1", "--witnesses node.a"),
        ("--witnesses none --quorum 1", "Leave one of the two out"),
        (&format!("{both} --quorum 2"), "--quorum 1 to 1"),
        (&format!("{both} --quorum 0"), "--witnesses none"),
        (
            "--witnesses node.hotline.fr --quorum 1",
            "Name at least two",
        ),
        (
            "--witnesses node.hotline.fr,node.hotline.fr --quorum 1",
            "each once",
        ),
        (
            "--witnesses node.hotline.fr,node.xx --quorum 1",
            "frex roster show",
        ),
        (
            "--witnesses hotline.fr,node.police.es --quorum 1",
            "its node is node.hotline.fr",
        ),
    ] {
        let propose = format!("roster propose {HELD} --out bad.proposal {options}");
        let text = refused(world.path(), &propose, 2, "BAD_INPUT 6008");
        assert!(text.contains(word), "{options}: {text}");
    }
    assert!(!world.path().join("bad.proposal").exists());
    let none = format!("roster propose {HELD} --out next.proposal {both} --quorum 1");
    let text = exits(world.path(), &none, 0);
    assert!(
        text.contains("witnesses: none -> 1 of node.hotline.fr"),
        "{text}"
    );
}
