//! Requests to keep and for data, from both sides, and proven where there is no answer.

use std::fs;

use frex_proto::error::WireCode;

use crate::scene::{HOTLINE, ORDER, PLATFORM, POLICE, Scene, deadline, state, thread};

/// Police ask the platform to keep something; gives the request.
fn letter(scene: &Scene) -> String {
    let ask = ["request", "preserve", &scene.case, "--to", PLATFORM];
    let law = [
        "--law",
        "Regulation (EU) 2023/1543",
        "--file-number",
        "7/26",
    ];
    let what = ["--profile", "eu-epoc-pr", "--target", "account 4711"];
    scene.say(&[&ask[..], &law, &what].concat(), POLICE, &[PLATFORM])
}

// CSE-8, CSE-9, CSE-14: data are asked to be kept, and are; both sides see the same state and the same end.
#[test]
fn preservation_is_requested_acknowledged_and_extended() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let request = letter(&scene);
    let sent = scene.show(POLICE);
    assert_eq!(state(&sent, "preserve", PLATFORM), "sent");
    scene.say(&["answer", &request, "acked"], PLATFORM, &[POLICE]);
    let kept = ["answer", &request, "in-force", "--handle", "box 7"];
    scene.say(&kept, PLATFORM, &[POLICE]);
    let (asked, kept) = (scene.show(POLICE), scene.show(PLATFORM));
    let (asked_of, kept_of) = (
        thread(&asked, "preserve", PLATFORM),
        thread(&kept, "preserve", PLATFORM),
    );
    assert_eq!(
        (asked_of, &asked_of["state"]),
        (kept_of, &"in_force".into())
    );
    let first = asked_of["until_ms"].as_u64().unwrap();
    assert_eq!(deadline(&asked, "keep", POLICE)["due_ms"], first);
    // Nobody but its two sides knows of it.
    let hotline = scene.show(HOTLINE);
    assert_eq!(
        hotline["timeline"].as_array().unwrap().len(),
        1,
        "{hotline}"
    );

    scene.say(&["request", "extend", &request], POLICE, &[]);
    // People read of it under the id that they know: the request's, and not its envelope's.
    let came = scene.people(&["inbox", PLATFORM, "--wait", "30s"]);
    let known = &request[..8];
    let of = format!("extension of {known}; next:  frex answer {known} extended");
    assert!(came.contains(&of), "{came}");
    scene.say(&["answer", &request, "extended"], PLATFORM, &[POLICE]);
    let longer = scene.show(POLICE);
    assert_eq!(state(&longer, "preserve", PLATFORM), "extended");
    let more = thread(&longer, "preserve", PLATFORM)["until_ms"]
        .as_u64()
        .unwrap()
        - first;
    // Thirty days, in which a clock may have changed.
    assert!(more.abs_diff(30 * 86_400_000) <= 3_600_000, "{more}");
    scene.say(&["answer", &request, "released"], POLICE, &[PLATFORM]);
    let over = scene.show(PLATFORM);
    assert_eq!(state(&over, "preserve", PLATFORM), "released");
    assert_eq!(deadline(&over, "keep", POLICE)["state"], "moot");
    let shown = scene.frex.done(&["show", &request, PLATFORM]);
    let asked = &shown["content"]["preserve_request"];
    assert_eq!(asked["targets"][0], "account 4711", "{shown}");
}

/// A request that is overdue a second after it was made.
fn hurried(scene: &Scene) -> String {
    let ask = ["request", "produce", &scene.case, "--to", PLATFORM];
    let when = ["--profile", "mla", "--reply-by", "1s"];
    let ask = [&ask[..], &ORDER, &when].concat();
    let request = scene.say(&ask, POLICE, &[PLATFORM]);
    scene.say(&["answer", &request, "acked"], PLATFORM, &[POLICE]);
    request
}

// CSE-34: what is asked is shown with the case, to both sides; who would remind of the case is told the request.
fn asked_is_shown(scene: &Scene, request: &str) {
    for member in [POLICE, PLATFORM] {
        let asked = scene.show(member)["requests"][0].clone();
        let said = ["targets", "categories"].map(|field| &asked[field][0]);
        assert_eq!(said, ["account 4711", "subscriber"], "{asked}");
        assert_eq!(asked["law"], "a law of nobody", "{asked}");
        let people = scene.people(&["case", "show", &scene.case, member]);
        assert!(people.contains("account 4711"), "{people}");
    }
    let named = scene.refused(&["remind", &scene.case], POLICE);
    assert_eq!(named.code(), Some(WireCode::BadInput as u64), "{named:?}");
    let command = format!("frex remind {}", &request[..8]);
    assert!(named.err.contains(&command), "{named:?}");
}

// CSE-24, CSE-27, EVD-8: what is overdue for people is overdue for a court, by the same instant; that it
// was seen is no answer.
#[test]
fn a_request_for_data_is_overdue_and_proven_so() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let request = hurried(&scene);
    let late = scene.until(POLICE, "overdue", |shown| shown["state"] == "overdue");
    let due = deadline(&late, "answer", PLATFORM);
    assert_eq!(due["state"], "overdue");
    let listed = scene.frex.done(&["overdue", POLICE]);
    assert_eq!(
        listed["overdue"][0]["request"],
        request.as_str(),
        "{listed}"
    );
    let own = scene.frex.done(&["overdue", PLATFORM, "--own"]);
    assert_eq!(own["overdue"][0]["who"], PLATFORM);
    asked_is_shown(&scene, &request);
    scene.say(&["remind", &request], POLICE, &[]);
    let came = scene.read(PLATFORM);
    assert_eq!(came[0]["request"], request.as_str(), "{came:?}");
    let people = scene.people(&["case", "show", &scene.case, PLATFORM]);
    assert!(
        people.contains(&format!("of {}", &request[..8])),
        "{people}"
    );

    let export = [
        "evidence",
        "export",
        &request,
        POLICE,
        "--out",
        "late.frexev",
    ];
    let made = scene
        .frex
        .done(&[&export[..], &["--silence", "--wait", "60s"]].concat());
    // RCP-18: nobody witnesses here, so nothing is final, whatever is asked.
    assert_eq!(made["final"], false, "{made}");
    let fetched = ["receipt", "fetch", &request, POLICE, "--final"];
    let strict = ["evidence", "verify", "late.frexev", "--final"];
    let strict = [&strict[..], &["--root", "governance/root.frex"]].concat();
    for words in [&fetched[..], &strict[..]] {
        let ended = scene.frex.run(words);
        let code = Some(WireCode::Provisional as u64);
        assert_eq!(ended.code(), code, "{words:?}: {ended:?}");
    }
    let root = ["--root", "governance/root.frex"];
    let proven = scene
        .frex
        .run(&[&["evidence", "verify", "late.frexev"][..], &root].concat());
    let proven = proven.json();
    let mut clocks = proven["clocks"].as_array().unwrap().iter();
    let clock = clocks.find(|one| one["member"] == PLATFORM).unwrap();
    assert_eq!(
        (&clock["state"], &clock["further"]),
        (&"overdue".into(), &1.into())
    );
    assert_eq!(clock["due"], due["due"], "{clock}");
}

// CSE-16, CSE-17: a case that is shelved because nobody answered re-opens once somebody has.
#[test]
fn a_shelved_case_re_opens_by_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let request = hurried(&scene);
    let shelve = [
        "outcome",
        &scene.case,
        "shelved",
        "--reason",
        "no-cooperation",
    ];
    scene.say(&shelve, POLICE, &[PLATFORM]);
    assert_eq!(scene.show(POLICE)["reopens"], serde_json::json!([]));
    let deliver = ["answer", &request, "delivered", "--handle", "disc 3"];
    scene.say(&deliver, PLATFORM, &[POLICE]);
    let again = scene.show(POLICE);
    assert_eq!(again["state"], "reopens", "{again}");
    assert_eq!(again["reopens"][0]["because"], "data_delivered");
    let reopen = [
        "outcome",
        &scene.case,
        "reopened",
        "--because",
        "data-delivered",
    ];
    scene.say(&reopen, POLICE, &[PLATFORM]);
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
            "budapest-29",
        ),
        (
            vec!["request", "preserve", case, "--profile", "eu-epoc-pr"],
            "--to MEMBER",
        ),
        (vec!["answer", case, "delivered"], "frex case show"),
        (
            vec!["outcome", case, "shelved"],
            "--reason with no-cooperation",
        ),
        (vec!["assess", "ffffffff", "baseline"], "frex inbox"),
        (vec!["request", "extend", case], "frex case show"),
    ] {
        let refused = scene.refused(&words, POLICE);
        assert!(
            refused.exit != Some(0) && refused.err.contains(mends),
            "{words:?}: {refused:?}"
        );
    }
    // Nothing was sent, and nothing is left over.
    let member = scene.frex.dir().join(POLICE).join("member");
    for folder in ["sent", "cases"] {
        let left = fs::read_dir(member.join(folder)).into_iter().flatten();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        let said = |name: &std::ffi::OsString| name.to_string_lossy().contains('.');
        assert!(!left.iter().any(said), "{folder}: {left:?}");
    }
}

// CSE-8, CSE-24, CSE-31: nobody asks itself, nor for an answer before the profile's clock ends; more time is shown as
// the asker's own.
#[test]
fn the_clock_of_a_profile_is_not_undercut() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let case = scene.case.as_str();
    let ask = |to, reply_by| {
        let ask = ["request", "produce", case, "--to", to];
        let when = ["--profile", "eu-epoc", "--reply-by", reply_by];
        [&ask[..], &ORDER, &when].concat()
    };
    for (words, mends) in [
        (ask(POLICE, "30d"), "own organisation"),
        (ask(PLATFORM, "4s"), "Leave --reply-by out"),
    ] {
        let refused = scene.refused(&words, POLICE);
        assert_eq!(refused.code(), Some(WireCode::BadInput as u64));
        assert!(refused.err.contains(mends), "{words:?}: {refused:?}");
    }
    let request = scene.say(&ask(PLATFORM, "30d"), POLICE, &[PLATFORM]);
    let shown = scene.show(POLICE);
    let clock = deadline(&shown, "answer", PLATFORM);
    assert_eq!(clock["request"]["message"], request.as_str());
    let source = clock["source"].as_str().unwrap();
    assert!(source.starts_with("the asker's signed header"), "{clock}");
}
