//! Requests to keep and for data, from both sides, and proven where there is no answer.

use frex_proto::error::WireCode;

use crate::scene::{HOTLINE, PLATFORM, POLICE, Scene, deadline, thread};

// CSE-8, CSE-9, CSE-14: data are asked to be kept, and are; both sides see the same state and the same end.
#[test]
fn preservation_is_requested_acknowledged_and_extended() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let law = [
        "--law",
        "Regulation (EU) 2023/1543",
        "--file-number",
        "7/26",
        "--target",
        "account 4711",
    ];
    let ask = [
        "request",
        "preserve",
        &scene.case,
        "--to",
        PLATFORM,
        "--profile",
        "eu-epoc-pr",
    ];
    let request = scene.say(&[&ask[..], &law].concat(), POLICE, &[PLATFORM]);
    let sent = scene.show(POLICE);
    assert_eq!(
        thread(&sent, "preserve", PLATFORM)["state"],
        "sent",
        "{sent}"
    );

    scene.say(&["answer", &request, "acked"], PLATFORM, &[POLICE]);
    scene.say(
        &["answer", &request, "in-force", "--handle", "box 7"],
        PLATFORM,
        &[POLICE],
    );
    let (asked, kept) = (scene.show(POLICE), scene.show(PLATFORM));
    assert_eq!(
        thread(&asked, "preserve", PLATFORM)["state"],
        "in_force",
        "{asked}"
    );
    assert_eq!(
        thread(&asked, "preserve", PLATFORM),
        thread(&kept, "preserve", PLATFORM)
    );
    let first = thread(&asked, "preserve", PLATFORM)["until_ms"]
        .as_u64()
        .unwrap();
    assert_eq!(deadline(&asked, "keep", POLICE)["due_ms"], first);
    // Nobody but its two sides knows of it.
    let hotline = scene.show(HOTLINE);
    assert_eq!(
        hotline["timeline"].as_array().unwrap().len(),
        1,
        "{hotline}"
    );

    scene.say(&["request", "extend", &request], POLICE, &[PLATFORM]);
    scene.say(&["answer", &request, "extended"], PLATFORM, &[POLICE]);
    let longer = scene.show(POLICE);
    let extended = thread(&longer, "preserve", PLATFORM);
    assert_eq!(extended["state"], "extended");
    let more = extended["until_ms"].as_u64().unwrap() - first;
    // Thirty days, in which a clock may have changed.
    assert!(more.abs_diff(30 * 86_400_000) <= 3_600_000, "{more}");
    scene.say(&["answer", &request, "released"], POLICE, &[PLATFORM]);
    let over = scene.show(PLATFORM);
    assert_eq!(thread(&over, "preserve", PLATFORM)["state"], "released");
    assert_eq!(deadline(&over, "keep", POLICE)["state"], "moot");
    // What it said itself is there to be shown, and no more is kept of what was sent than that.
    let shown = scene.frex.done(&["show", &request, PLATFORM]);
    assert_eq!(
        shown["content"]["preserve_request"]["targets"][0], "account 4711",
        "{shown}"
    );
}

// CSE-24, CSE-27, EVD-8: what is overdue for people is overdue for a court, by the same instant; that it
// was seen is no answer.
#[test]
fn a_request_for_data_is_overdue_and_proven_so() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let ask = [
        "request",
        "produce",
        &scene.case,
        "--to",
        PLATFORM,
        "--profile",
        "mla",
        "--reply-by",
        "1s",
    ];
    let request = scene.say(&ask, POLICE, &[PLATFORM]);
    scene.say(&["answer", &request, "acked"], PLATFORM, &[POLICE]);
    let late = scene.until(POLICE, "overdue", |shown| shown["state"] == "overdue");
    let due = deadline(&late, "answer", PLATFORM);
    assert_eq!(due["state"], "overdue");

    let listed = scene.frex.done(&["overdue", POLICE]);
    assert_eq!(
        listed["overdue"][0]["request"],
        request.as_str(),
        "{listed}"
    );
    assert_eq!(
        scene.frex.done(&["overdue", PLATFORM, "--own"])["overdue"][0]["who"],
        PLATFORM
    );
    scene.say(&["remind", &request], POLICE, &[PLATFORM]);

    let export = [
        "evidence",
        "export",
        &request,
        POLICE,
        "--out",
        "late.frexev",
        "--silence",
    ];
    let _ = scene.frex.done(&[&export[..], &["--wait", "60s"]].concat());
    let verify = [
        "evidence",
        "verify",
        "late.frexev",
        "--root",
        "governance/root.frex",
    ];
    let proven = scene.frex.run(&verify).json();
    let clocks = proven["clocks"].as_array().unwrap();
    let clock = clocks.iter().find(|one| one["member"] == PLATFORM).unwrap();
    assert_eq!(
        (&clock["state"], &clock["reminders"]),
        (&"overdue".into(), &1.into()),
        "{clock}"
    );
    assert_eq!(clock["due"], due["due"], "{clock}");

    // A case that was shelved for that is to be taken up again once the data are there.
    let shelve = [
        "outcome",
        &scene.case,
        "shelved",
        "--reason",
        "no-cooperation",
    ];
    scene.say(&shelve, POLICE, &[PLATFORM]);
    assert_eq!(scene.show(POLICE)["reopens"], serde_json::json!([]));
    scene.say(
        &["answer", &request, "delivered", "--handle", "disc 3"],
        PLATFORM,
        &[POLICE],
    );
    let again = scene.show(POLICE);
    assert_eq!(
        (&again["state"], &again["reopens"][0]["because"]),
        (&"reopens".into(), &"data_delivered".into())
    );
    assert_eq!(
        deadline(&again, "answer", PLATFORM)["state"],
        "answered late"
    );
    scene.say(
        &[
            "outcome",
            &scene.case,
            "reopened",
            "--because",
            "data-delivered",
        ],
        POLICE,
        &[PLATFORM],
    );
    assert_eq!(scene.show(PLATFORM)["reopens"], serde_json::json!([]));
    // Nobody owes an answer any more.
    let nobody = scene.refused(&["remind", &request], POLICE);
    assert_eq!(nobody.code(), Some(WireCode::Answered as u64), "{nobody:?}");
}

// CLI-3, CSE-6: what cannot be asked so is refused before anything is sent.
#[test]
fn a_request_that_cannot_be_is_refused_with_what_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let case = scene.case.as_str();
    for (words, mends) in [
        (
            vec![
                "request",
                "preserve",
                case,
                "--to",
                PLATFORM,
                "--profile",
                "mars-1",
            ],
            "frex request profiles",
        ),
        (
            vec![
                "request",
                "preserve",
                case,
                "--to",
                PLATFORM,
                "--profile",
                "eu-epoc",
            ],
            "Mend what is named above",
        ),
        (
            vec!["request", "preserve", case, "--profile", "eu-epoc-pr"],
            "--to MEMBER",
        ),
        (vec!["answer", case, "delivered"], "frex case show"),
        (vec!["outcome", case, "shelved"], "Mend what is named above"),
        (vec!["assess", "ffffffff", "baseline"], "frex case ls"),
        (vec!["request", "extend", case], "frex case show"),
    ] {
        let refused = scene.refused(&words, POLICE);
        assert!(
            refused.exit != Some(0) && refused.err.contains(mends),
            "{words:?}: {refused:?}"
        );
    }
    // Nothing was sent, and nothing is left over.
    assert!(!scene.frex.dir().join(POLICE).join("member/sent").exists());
}
