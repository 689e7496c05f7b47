//! One report, from the platform that files it to the month's figures, as the people of four members see it.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::scene::{CLEARING, HOTLINE, ORDER, PLATFORM, POLICE, Scene, deadline, state};

/// How long it may take until everybody has a report who is to have it, on a machine that does much else.
const WITHIN: Duration = Duration::from_secs(20);
/// A platform abroad, the police and the hotline of the country that the report names, and a clearing house.
const MEMBERS: [(&str, &str, &str); 4] = [
    (PLATFORM, "platform", "US"),
    (POLICE, "police", "ES"),
    (HOTLINE, "hotline", "ES"),
    (CLEARING, "clearing-house", "US"),
];
/// Who was reported without cause; nobody of that name.
const NOBODY: &str = "nobody-4711-of-host-example";

fn report(reference: &str, account: &str) -> String {
    let report = json!({
        "reference": reference, "created": "2026-07-01T12:00:00Z", "description": "synthetic words",
        "classifications": [{ "scheme": "iccam", "version": "3", "code": "baseline" }],
        "jurisdictions": [{ "country": "ES", "basis": "account-country", "confidence": 0.9 }],
        "reported": [{ "screen_name": account }],
        "hosting": [{ "url": "https://host.example/page" }],
    });
    report.to_string()
}

/// It is filed once; police and the hotline in the country of origin and the clearing house have it at once.
fn filed(dir: &Path) -> Scene {
    let start = Instant::now();
    let mut scene = Scene::of(dir, &MEMBERS);
    let recipients = [CLEARING, HOTLINE, POLICE];
    scene.case = scene.route(&report("A-1", "somebody"), &recipients);
    let begun = start.elapsed();
    for member in recipients {
        let shown = scene.frex.done(&["case", "show", &scene.case, member]);
        assert_eq!(shown["case"], scene.case.as_str(), "{member}: {shown}");
    }
    // From when it was written until their nodes had it, by their logs: less than three minutes.
    for member in recipients {
        let counted = scene.frex.done(&["stats", "count", member]);
        assert_eq!(counted["median_hours"]["accepted"], 0.0, "{counted}");
    }
    // The next one, with everything running, by the clock on the wall.
    let start = Instant::now();
    let second = scene.file(&report("A-0", "somebody"), &recipients);
    assert!(start.elapsed() < WITHIN, "{begun:?}, {:?}", start.elapsed());
    let same = ["act", "duplicate", &second, &scene.case];
    scene.say(&same, POLICE, &[PLATFORM]);
    scene
}

/// What would be gone is kept, and then kept longer.
fn preserved(scene: &Scene) {
    let case = scene.case.as_str();
    scene.say(&["act", "route", case, "accepted"], POLICE, &[PLATFORM]);
    let ask = ["request", "preserve", case, "--to", PLATFORM];
    let what = ["--profile", "eu-epoc-pr", "--target", "account somebody"];
    let request = scene.say(&[&ask[..], &what].concat(), POLICE, &[PLATFORM]);
    for (words, from, reader, is) in [
        (["answer", &request, "acked"], PLATFORM, POLICE, "acked"),
        (
            ["answer", &request, "in-force"],
            PLATFORM,
            POLICE,
            "in_force",
        ),
        (
            ["request", "extend", &request],
            POLICE,
            PLATFORM,
            "in_force",
        ),
        (
            ["answer", &request, "extended"],
            PLATFORM,
            POLICE,
            "extended",
        ),
    ] {
        scene.say(&words, from, &[reader]);
        for member in [POLICE, PLATFORM] {
            let shown = scene.show(member);
            assert_eq!(
                state(&shown, "preserve", PLATFORM),
                is,
                "{words:?}: {shown}"
            );
        }
    }
}

/// Data are asked for, and have not come when they were due: that is shown to who was not there.
fn overdue(scene: &Scene) -> String {
    let ask = ["request", "produce", &scene.case, "--to", PLATFORM];
    let when = ["--profile", "mla", "--reply-by", "1s"];
    let ask = [&ask[..], &ORDER, &when].concat();
    let request = scene.say(&ask, POLICE, &[PLATFORM]);
    // That somebody has seen it waits in the inbox, and is no answer.
    scene.say(&["answer", &request, "acked"], PLATFORM, &[]);
    let late = scene.until(POLICE, "overdue", |shown| shown["state"] == "overdue");
    let listed = scene.frex.done(&["overdue", POLICE]);
    assert_eq!(listed["overdue"][0]["request"], request.as_str());
    let export = [
        "evidence",
        "export",
        &request,
        POLICE,
        "--out",
        "late.frexev",
    ];
    let silence = ["--silence", "--wait", "60s"];
    let _ = scene.frex.done(&[&export[..], &silence].concat());
    let root = ["--root", "governance/root.frex"];
    let verify = [&["evidence", "verify", "late.frexev"][..], &root].concat();
    let proven = scene.frex.run(&verify).json();
    let mut clocks = proven["clocks"].as_array().unwrap().iter();
    let clock = clocks.find(|one| one["member"] == PLATFORM).unwrap();
    let due = deadline(&late, "answer", PLATFORM);
    assert_eq!(
        (&clock["state"], &clock["due"]),
        (&"overdue".into(), &due["due"])
    );
    request
}

/// What was put aside for want of data is taken up again once they are there.
fn reopened(scene: &Scene, request: &str) {
    let case = scene.case.as_str();
    let shelve = ["outcome", case, "shelved", "--reason", "insufficient-data"];
    scene.say(&shelve, POLICE, &[PLATFORM]);
    let filed = counted(scene, PLATFORM, &["--definition", "frex.reports-filed"]);
    assert_eq!(filed["by"]["outcome"]["shelved"], 1, "{filed}");
    scene.say(&["answer", request, "delivered"], PLATFORM, &[POLICE]);
    let again = scene.show(POLICE);
    assert_eq!(
        (&again["state"], &again["reopens"][0]["because"]),
        (&"reopens".into(), &"data_delivered".into())
    );
    let reopen = ["outcome", case, "reopened", "--because", "data-delivered"];
    scene.say(&reopen, POLICE, &[PLATFORM]);
    scene.say(&["outcome", case, "victim-identified"], POLICE, &[PLATFORM]);
}

/// One was reported without cause: what is kept of it is erased wherever it went, also where it was passed on.
fn exonerated(scene: &Scene) {
    let report = scene.file(&report("A-2", NOBODY), &[POLICE, HOTLINE]);
    let forward = [
        "forward", &report, HOTLINE, "--to", CLEARING, "--wait", "30s",
    ];
    let _ = scene.frex.done(&forward);
    scene.read(CLEARING);
    let has_it = |member: &str| holds(&scene.frex.dir().join(member), NOBODY);
    for member in [POLICE, HOTLINE, CLEARING] {
        assert!(has_it(member), "{member}");
    }
    let recall = [
        "recall",
        &report,
        PLATFORM,
        "--reason",
        "exonerated",
        "--confirm",
    ];
    let _ = scene.frex.done(&recall);
    for member in [POLICE, HOTLINE, CLEARING] {
        scene.read(member);
        assert!(!has_it(member), "{member}");
        let erased = scene.frex.done(&["erase", "ls", member]);
        assert!(
            erased.to_string().contains("exonerated"),
            "{member}: {erased}"
        );
        // Also of what was passed on the case is known still, and nothing else becomes one.
        let listed = ["case", "ls", member, "--state", "exonerated"];
        let listed = scene.frex.done(&listed);
        let cases = listed["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 1, "{member}: {listed}");
        assert_eq!(cases[0]["case"], report.as_str(), "{member}");
    }
    let shown = scene.frex.done(&["case", "show", &report, POLICE]);
    assert_eq!(shown["state"], "exonerated", "{shown}");
}

/// Whether a file below a folder has these words in it.
fn holds(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, words),
            false => fs::read(&path).is_ok_and(|bytes| {
                bytes
                    .windows(words.len())
                    .any(|window| window == words.as_bytes())
            }),
        }
    })
}

fn counted(scene: &Scene, member: &str, more: &[&str]) -> Value {
    scene
        .frex
        .done(&[&["stats", "count", member][..], more].concat())
}

/// One incident, of which two reports were made; of the exonerated one nothing counts.
fn figures(scene: &Scene) {
    let filed = ["--definition", "frex.reports-filed"];
    for (member, more) in [(POLICE, &[][..]), (PLATFORM, &filed)] {
        let figures = counted(scene, member, more);
        let is = (
            &figures["reports"],
            &figures["incidents"],
            &figures["accounts"],
        );
        assert_eq!(
            is,
            (&2.into(), &1.into(), &2.into()),
            "{member}: {figures:#}"
        );
        let by = &figures["by"];
        assert_eq!(
            by["outcome"],
            json!({ "victim_identified": 1, "none": 1 }),
            "{member}"
        );
        assert_eq!(by["overdue"], json!({ "yes": 1, "no": 1 }), "{member}");
        assert_eq!(by["country"], json!({ "ES": 2 }), "{member}");
        assert_eq!(by["category"], json!({ "iccam/3/baseline": 2 }), "{member}");
        assert!(
            figures["median_hours"]["acted"].is_number(),
            "{member}: {figures}"
        );
    }
}

// CSE-10, CSE-14, CSE-17, CSE-24, CSE-26, EVD-8, ERA-17, STA-7: the whole of it, between real processes.
#[test]
fn a_report_is_filed_once_and_its_life_is_told_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let scene = filed(dir.path());
    preserved(&scene);
    let request = overdue(&scene);
    reopened(&scene, &request);
    exonerated(&scene);
    figures(&scene);
}

/// What came without contents is said to be so, and what is whole is not.
fn copied(scene: &Scene) {
    let case = scene.case.as_str();
    let kept = ["inbox", HOTLINE, "--kept"];
    let came = scene.frex.done(&kept);
    assert_eq!(came["items"][0]["copy"], "metadata", "{came}");
    assert_ne!(came["items"][0]["message"], case, "{came}");
    for (member, is) in [(HOTLINE, json!("metadata")), (CLEARING, Value::Null)] {
        let listed = scene.frex.done(&["case", "ls", member]);
        assert_eq!(listed["cases"][0]["copy"], is, "{member}: {listed}");
        assert_eq!(scene.show(member)["copy"], is, "{member}");
    }
    let (listed, shown) = (["case", "ls", HOTLINE], ["case", "show", case, HOTLINE]);
    for words in [&kept[..], &listed[..], &shown[..]] {
        let people = scene.people(words);
        assert!(people.contains("without contents"), "{people}");
    }
}

// CSE-12, CSE-26, CSE-31, CSE-35, CSE-36: who has one copy of a report is asked by who has another, and answers;
// that one refuses it for itself alone; what is taken back is in its case, whatever its message is called.
#[test]
fn who_has_one_copy_deals_with_who_has_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::of(dir.path(), &MEMBERS);
    let all = [CLEARING, HOTLINE, POLICE];
    scene.case = scene.route(&report("A-1", "somebody"), &all);
    copied(&scene);
    let case = scene.case.as_str();
    let ask = ["request", "preserve", case, "--to", HOTLINE];
    let what = ["--profile", "eu-epoc-pr", "--target", "account somebody"];
    let request = scene.say(&[&ask[..], &what].concat(), CLEARING, &[HOTLINE]);
    scene.say(&["answer", &request, "acked"], HOTLINE, &[CLEARING]);
    for member in [HOTLINE, CLEARING] {
        let shown = scene.show(member);
        assert_eq!(state(&shown, "preserve", HOTLINE), "acked", "{member}");
    }

    let declined = ["act", "route", case, "declined"];
    let why = ["--reason", "not-competent"];
    scene.say(&[&declined[..], &why].concat(), CLEARING, &[PLATFORM]);
    assert_eq!(scene.show(CLEARING)["state"], "declined");
    assert_eq!(scene.show(PLATFORM)["state"], "open");
    let refused = scene.refused(&["outcome", case, "arrest"], CLEARING);
    let mends = format!("frex act route {} accepted", &case[..8]);
    assert!(refused.err.contains(&mends), "{refused:?}");

    let recall = ["recall", case, PLATFORM, "--reason", "exonerated"];
    let _ = scene.frex.done(&[&recall[..], &["--confirm"]].concat());
    for member in all {
        scene.read(member);
        let listed = scene.frex.done(&["case", "ls", member]);
        let cases = listed["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 1, "{member}: {listed}");
        assert_eq!(cases[0]["case"], case, "{member}");
        assert_eq!(cases[0]["state"], "exonerated", "{member}");
    }
}
