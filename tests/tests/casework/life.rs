//! What recipients do with a report, and what becomes of it.

use std::fs;

use crate::scene::{HOTLINE, PLATFORM, POLICE, Scene, deadline, thread};

// CSE-1, CSE-12, CSE-13, CSE-18, CSE-19: a report is seen, taken over, assessed, taken down; whoever reported hears it.
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

    let seen = [
        "act",
        "triage",
        &case,
        "acknowledged",
        "--reference",
        "POL 7/26",
        "--note",
        "seen \u{1b}[31mred",
    ];
    scene.say(&seen, POLICE, &[PLATFORM]);
    scene.say(&["act", "route", &case, "accepted"], POLICE, &[PLATFORM]);
    let assess = [
        "assess",
        &case,
        "nationally-illegal",
        "--jurisdiction",
        "FR",
        "--item",
        "item-1",
    ];
    let coded = ["--classification", "ucs/3.1/categorisation/A1"];
    scene.say(&[&assess[..], &coded].concat(), HOTLINE, &[PLATFORM]);
    let place = ["--url", "https://host.example/page", "--country", "NL"];
    scene.say(
        &[&["act", "takedown", &case, "notice-sent"], &place[..]].concat(),
        HOTLINE,
        &[PLATFORM],
    );
    scene.say(
        &[&["act", "takedown", &case, "removed"], &place[..]].concat(),
        HOTLINE,
        &[PLATFORM],
    );
    scene.say(&["outcome", &case, "in-investigation"], POLICE, &[PLATFORM]);

    let shown = scene.show(PLATFORM);
    assert_eq!(
        thread(&shown, "route", POLICE)["state"],
        "accepted",
        "{shown}"
    );
    assert_eq!(
        thread(&shown, "assessment", "")["state"],
        "nationally_illegal FR"
    );
    assert_eq!(thread(&shown, "takedown", "")["state"], "removed");
    assert_eq!(
        thread(&shown, "outcome", POLICE)["state"],
        "in_investigation"
    );
    assert_eq!(deadline(&shown, "acknowledge", POLICE)["state"], "answered");
    assert_eq!(deadline(&shown, "takedown", "")["state"], "answered");
    assert_eq!(shown["references"][0], "POL 7/26");
    // The hotline has not said what it does with the report, and what police told the platform is not its business.
    assert_eq!(
        thread(&scene.show(HOTLINE), "route", HOTLINE)["state"],
        "offered"
    );
    assert_eq!(scene.show(HOTLINE)["timeline"].as_array().unwrap().len(), 4);

    let listed = scene.frex.done(&["case", "ls", PLATFORM]);
    assert_eq!(
        (&listed["cases"][0]["case"], &listed["cases"][0]["state"]),
        (&case.as_str().into(), &"open".into())
    );
    // By the beginning of its id, and of any message of it.
    let short = scene.frex.done(&["case", "show", &case[..8], PLATFORM]);
    assert_eq!(short["case"], case.as_str());
    let outcome = shown["timeline"].as_array().unwrap().last().unwrap()["message"]
        .as_str()
        .unwrap();
    assert_eq!(
        scene.frex.done(&["case", "show", outcome, PLATFORM])["case"],
        case.as_str()
    );
}

// CSE-26: an exoneration is a recall; it ends the case and erases the report. What was said itself goes with
// the message that said it.
#[test]
fn an_exoneration_is_folded_and_what_was_said_can_be_erased() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let said = scene.say(&["outcome", &scene.case, "registered"], POLICE, &[PLATFORM]);
    let kept = scene.frex.dir().join(POLICE).join("member/cases");
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);

    let recall = [
        "recall",
        &scene.case,
        PLATFORM,
        "--reason",
        "exonerated",
        "--confirm",
    ];
    let _ = scene.frex.done(&recall);
    scene.read(POLICE);
    let police = scene.show(POLICE);
    assert_eq!(police["state"], "exonerated", "{police}");
    assert_eq!(thread(&police, "outcome", PLATFORM)["state"], "exonerated");
    assert_eq!(scene.show(PLATFORM)["state"], "exonerated");
    let due = police["deadlines"].as_array().unwrap();
    assert!(
        due.iter()
            .all(|one| one["state"] != "overdue" && one["state"] != "open"),
        "{police}"
    );

    let erase = [
        "erase",
        &said,
        POLICE,
        "--local",
        "--confirm",
        "--ground",
        "exonerated",
        "--authority",
        "CSE-26",
    ];
    let _ = scene.frex.done(&erase);
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 0);
}
