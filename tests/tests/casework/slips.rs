//! Slips of the hand, and what would look like nothing to do.

use std::fs;

use serde_json::Value;

use crate::scene::{HOTLINE, ORDER, PLATFORM, POLICE, Scene, state};

// CSE-6, CSE-28, CSE-33: a report that everybody has refused is on top at who sent it, with the command that
// brings it to somebody else; who refuses says why.
#[test]
fn a_report_that_everybody_refuses_comes_back_to_its_sender() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let case = scene.case.as_str();
    for (words, mends) in [
        (
            &["act", "route", case, "declined"][..],
            "--reason with not-competent",
        ),
        (
            &["act", "triage", case, "rejected"][..],
            "--reason with not-competent",
        ),
        (
            &["act", "route", case, "rerouted"][..],
            "--rerouted-to with a member",
        ),
        (
            &[
                "act",
                "route",
                case,
                "rerouted",
                "--rerouted-to",
                "nobody.xx",
            ][..],
            "frex roster show",
        ),
    ] {
        let refused = scene.refused(words, POLICE);
        assert!(refused.err.contains(mends), "{words:?}: {refused:?}");
    }
    let reason = ["--reason", "not-competent"];
    let declined = [&["act", "route", case, "declined"][..], &reason].concat();
    scene.say(&declined, POLICE, &[PLATFORM]);
    assert_eq!(scene.show(PLATFORM)["state"], "open");
    let rejected = [&["act", "triage", case, "rejected"][..], &reason].concat();
    scene.say(&rejected, HOTLINE, &[PLATFORM]);

    let listed = scene.frex.done(&["case", "ls", PLATFORM]);
    assert_eq!(listed["cases"][0]["state"], "nobody", "{listed}");
    let command = listed["nobody"][0]["try"].as_str().unwrap();
    assert!(command.contains(&format!("--case {case}")), "{command}");
    assert!(listed["nobody"][0]["note"].is_null(), "{listed}");
    let overdue = scene.frex.done(&["overdue", PLATFORM]);
    assert_eq!(overdue["nobody"][0]["case"], case, "{overdue}");
    let people = scene.people(&["case", "ls", PLATFORM]);
    assert!(people.contains("nobody has case"), "{people}");
}

// CSE-31: what would mean nothing is refused before it is sealed, and nothing is kept of it.
#[test]
fn what_would_not_count_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let case = scene.case.as_str();
    let ask = [
        "request",
        "produce",
        case,
        "--to",
        PLATFORM,
        "--profile",
        "mla",
    ];
    let bare = scene.refused(&ask, POLICE);
    assert!(bare.err.contains("--target with"), "{bare:?}");
    let order = [&ask[..], &ORDER, &["--reply-by", "1h"]].concat();
    let request = scene.say(&order, POLICE, &[PLATFORM]);
    let charged = ["outcome", case, "charged", "--reason", "capacity"];
    let elsewhere = ["answer", &request, "delivered", "--to", HOTLINE];
    let ahead = [
        "act",
        "triage",
        case,
        "acknowledged",
        "--at",
        "2999-01-01T00:00:00Z",
    ];
    let before = [
        "act",
        "triage",
        case,
        "acknowledged",
        "--at",
        "2020-01-01T00:00:00Z",
    ];
    for (words, from, mends) in [
        (
            &["answer", &request, "delivered"][..],
            POLICE,
            "was not asked",
        ),
        (
            &["answer", &request, "withdrawn"][..],
            PLATFORM,
            "only who asked",
        ),
        (&["remind", &request][..], PLATFORM, "only who asked"),
        (
            &["act", "route", case, "accepted"][..],
            PLATFORM,
            "who has got the report",
        ),
        (
            &["act", "duplicate", case, case][..],
            POLICE,
            "duplicate of itself",
        ),
        (&charged[..], POLICE, "Leave --reason out"),
        (&elsewhere[..], PLATFORM, "--to police.example-b"),
        (&ahead[..], POLICE, "--at is yet to come"),
        (&before[..], POLICE, "before the case began"),
    ] {
        let refused = scene.refused(words, from);
        assert_ne!(refused.exit, Some(0), "{words:?}");
        assert!(refused.err.contains(mends), "{words:?}: {refused:?}");
    }
    let kept = fs::read_dir(scene.frex.dir().join(POLICE).join("member/cases"));
    assert_eq!(kept.unwrap().count(), 1);
}

// CSE-1: into a case of which nothing is here nothing is sent.
#[test]
fn nothing_is_sent_into_an_invented_case() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let invented = ["send", "report-1.json", "--to", POLICE, "--case"];
    let invented = [&invented[..], &["00112233445566778899aabbccddeeff"]].concat();
    let invented = scene.refused(&invented, PLATFORM);
    assert!(invented.err.contains("frex case ls"), "{invented:?}");
}

// CSE-32: what its author has taken back is no work any more, on either side.
#[test]
fn what_was_taken_back_is_no_work() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let recall = [
        "recall",
        &scene.case,
        PLATFORM,
        "--reason",
        "wrong-recipient",
    ];
    let _ = scene.frex.done(&[&recall[..], &["--confirm"]].concat());
    scene.read(POLICE);
    for member in [POLICE, PLATFORM] {
        let shown = scene.show(member);
        assert_eq!(shown["state"], "withdrawn", "{member}: {shown}");
        assert_eq!(state(&shown, "route", POLICE), "withdrawn");
        let due = shown["deadlines"].as_array().unwrap();
        assert!(due.iter().all(|one| one["state"] != "open"), "{shown}");
    }
}

// CSE-28: the inbox says what a message of a case says, its note too, and what comes next.
#[test]
fn the_inbox_says_what_came_in_which_case() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let case = scene.case.as_str();
    let ask = [
        "request",
        "produce",
        case,
        "--to",
        PLATFORM,
        "--profile",
        "mla",
    ];
    let note = ["--note", "by telephone too"];
    let request = scene.say(&[&ask[..], &ORDER, &note].concat(), POLICE, &[]);
    let told: Vec<Value> = scene.read(PLATFORM);
    assert_eq!(told[0]["case"], case, "{told:?}");
    assert_eq!(told[0]["says"]["note"], "by telephone too", "{told:?}");
    assert_eq!(told[0]["says"]["produce_request"]["profile"], "mla");
    let kept = scene.people(&["inbox", PLATFORM, "--kept"]);
    let next = format!("frex answer {} acked --from {PLATFORM}", &request[..8]);
    assert!(kept.contains(&next), "{kept}");
    assert!(kept.contains("note: by telephone too"), "{kept}");
}
