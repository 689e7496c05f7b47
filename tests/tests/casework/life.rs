//! What recipients do with a report, and what becomes of it.

use std::fs;

use crate::scene::{HOTLINE, ORDER, PLATFORM, POLICE, Scene, deadline, state};

/// Police and the hotline tell the platform what they do with its report.
fn tell(scene: &Scene) {
    let case = scene.case.as_str();
    let police = |words: &[&str]| scene.say(words, POLICE, &[PLATFORM]);
    let hotline = |words: &[&str]| scene.say(words, HOTLINE, &[PLATFORM]);
    let named = ["--reference", "POL 7/26", "--note", "seen \u{1b}[31mred"];
    police(&[&["act", "triage", case, "acknowledged"][..], &named].concat());
    police(&["act", "route", case, "accepted"]);
    let found = ["assess", case, "nationally-illegal", "--jurisdiction", "FR"];
    let item = [
        "--item",
        "item-1",
        "--classification",
        "ucs/3.1/categorisation/A1",
        "--anyway",
    ];
    hotline(&[&found[..], &item].concat());
    let url = "https://host.example/page";
    let unknown = scene.refused(&["act", "takedown", case, "removed", "--url", url], HOTLINE);
    assert!(unknown.err.contains("--anyway"), "{unknown:?}");
    let place = ["--url", url, "--country", "NL", "--anyway"];
    hotline(&[&["act", "takedown", case, "notice-sent"], &place[..]].concat());
    hotline(&[&["act", "takedown", case, "removed"], &place[..]].concat());
    police(&["outcome", case, "in-investigation"]);
}

// CSE-1, CSE-12, CSE-13, CSE-18, CSE-19: a report is seen, taken over, assessed, taken down; whoever
// reported hears it.
#[test]
fn a_case_is_told_to_who_reported_it() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let case = scene.case.clone();
    let open = scene.show(PLATFORM);
    assert_eq!(
        deadline(&open, "acknowledge", POLICE)["state"],
        "open",
        "{open}"
    );
    tell(&scene);
    let shown = scene.show(PLATFORM);
    assert_eq!(state(&shown, "route", POLICE), "accepted", "{shown}");
    assert_eq!(state(&shown, "assessment", ""), "nationally_illegal FR");
    assert_eq!(state(&shown, "takedown", ""), "removed");
    assert_eq!(state(&shown, "outcome", POLICE), "in_investigation");
    assert_eq!(deadline(&shown, "acknowledge", POLICE)["state"], "answered");
    assert_eq!(deadline(&shown, "takedown", HOTLINE)["state"], "answered");
    let mut notes = shown["timeline"].as_array().unwrap().iter();
    assert!(
        notes.any(|one| one["note"] == "seen \u{1b}[31mred"),
        "{shown}"
    );
    let people = scene.people(&["case", "show", &case, PLATFORM]);
    assert!(people.contains("note of police.example-b"), "{people}");
    assert!(people.contains("notice-sent"), "{people}");
    // By the report's own name, of either side, and by what police call it.
    for member in [PLATFORM, POLICE] {
        assert_eq!(scene.show(member)["name"], "A-1", "{member}");
    }
    let named = scene.frex.done(&["case", "ls", POLICE]);
    assert_eq!(named["cases"][0]["references"][0], "A-1", "{named}");
    assert_eq!(shown["references"][0], "POL 7/26");
    // What police told the platform is not the hotline's business.
    let hotline = scene.show(HOTLINE);
    assert_eq!(state(&hotline, "route", HOTLINE), "offered");
    assert_eq!(hotline["timeline"].as_array().unwrap().len(), 4);

    let listed = scene.frex.done(&["case", "ls", PLATFORM]);
    let row = &listed["cases"][0];
    assert_eq!(
        (&row["case"], &row["state"]),
        (&case.as_str().into(), &"open".into())
    );
    // By the beginning of its id, and of any message of it.
    let last = shown["timeline"].as_array().unwrap().last().unwrap();
    for id in [&case[..8], last["message"].as_str().unwrap()] {
        let found = scene.frex.done(&["case", "show", id, PLATFORM]);
        assert_eq!(found["case"], case.as_str());
    }
}

/// Police erase what they have said, here.
fn erase(scene: &Scene, message: &str) {
    let how = ["--local", "--confirm", "--ground", "exonerated"];
    let erase = [
        &["erase", message, POLICE][..],
        &how,
        &["--authority", "CSE-29"],
    ]
    .concat();
    let _ = scene.frex.done(&erase);
}

// CSE-26, CSE-29: an exoneration is a recall; it ends the case and erases the report. What was said of it is
// named with the command that erases it.
#[test]
fn an_exoneration_is_folded_and_what_was_said_can_be_erased() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let said = scene.say(&["outcome", &scene.case, "registered"], POLICE, &[PLATFORM]);
    let ask = [
        "request",
        "preserve",
        &scene.case,
        "--profile",
        "eu-epoc-pr",
    ];
    let whom = ["--to", HOTLINE, "--target", "account 4711"];
    let asked = scene.say(&[&ask[..], &whom].concat(), POLICE, &[HOTLINE]);
    // What this member itself said is shown as what came is.
    let shown = scene.frex.done(&["show", &said, POLICE]);
    assert_eq!(
        shown["content"]["outcome"]["state"], "registered",
        "{shown}"
    );
    let kept = scene.frex.dir().join(POLICE).join("member/cases");
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 2);

    let recall = [
        "recall",
        &scene.case,
        PLATFORM,
        "--reason",
        "exonerated",
        "--confirm",
    ];
    let _ = scene.frex.done(&recall);
    let told = scene.read(POLICE);
    let mut named = told[0]["case_messages"].as_array().unwrap().clone();
    named.sort_by_key(|one| one["message"] != said.as_str());
    let own = |message: &str| serde_json::json!({ "message": message, "from": POLICE });
    assert_eq!(named, [own(&said), own(&asked)], "{told:?}");
    let police = scene.show(POLICE);
    assert_eq!(police["state"], "exonerated", "{police}");
    assert_eq!(state(&police, "outcome", PLATFORM), "exonerated");
    assert_eq!(scene.show(PLATFORM)["state"], "exonerated");
    let due = police["deadlines"].as_array().unwrap();
    assert!(
        due.iter()
            .all(|one| one["state"] != "overdue" && one["state"] != "open"),
        "{police}"
    );

    for (message, left) in [(&said, 1), (&asked, 0)] {
        erase(&scene, message);
        assert_eq!(fs::read_dir(&kept).unwrap().count(), left);
    }
    // The hotline has what it was asked, and learns by the recall that it is about somebody exonerated.
    let told = scene.read(HOTLINE);
    let asked = serde_json::json!([{ "message": asked, "from": POLICE }]);
    assert_eq!(told[0]["case_messages"], asked, "{told:?}");
    let people = scene.frex.run(&["case", "show", &scene.case, HOTLINE]);
    assert_eq!(people.exit, Some(0), "{people:?}");
}

// CSE-30: what nothing shows to have come is named, with the command that finds out.
#[test]
fn what_no_receipt_shows_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let ask = [
        "request",
        "produce",
        &scene.case,
        "--to",
        PLATFORM,
        "--profile",
        "eu-epoc",
    ];
    let asked = scene.say(&[&ask[..], &ORDER].concat(), POLICE, &[]);
    let shown = scene.show(POLICE);
    assert_eq!(shown["not_received"], serde_json::json!([]), "{shown}");
    // A receipt that is not here dates nothing.
    let receipts = scene.frex.dir().join(POLICE).join("member/receipts");
    for entry in fs::read_dir(receipts).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with(&asked) && name.contains("-accepted") {
            fs::remove_file(path).unwrap();
        }
    }
    let waits = serde_json::json!([{ "message": asked, "members": [PLATFORM] }]);
    let shown = scene.show(POLICE);
    assert_eq!(shown["not_received"], waits, "{shown}");
    assert_eq!(
        deadline(&shown, "answer", PLATFORM)["state"],
        "not received"
    );
    let overdue = scene.frex.done(&["overdue", POLICE]);
    assert_eq!(overdue["not_received"], waits, "{overdue}");
    let _ = scene.frex.done(&["receipt", "fetch", &asked, POLICE]);
    let shown = scene.show(POLICE);
    assert_eq!(shown["not_received"], serde_json::json!([]), "{shown}");
    assert_eq!(deadline(&shown, "answer", PLATFORM)["state"], "open");
}
