//! A request, an answer and a silence, shown to others by files that prove themselves.

use frex_proto::error::WireCode;
use serde_json::Value;

use crate::scene::{CLEARING, HOTLINE, POLICE, Scene, told};

fn clock<'a>(found: &'a Value, member: &str) -> &'a Value {
    let mut clocks = found["clocks"].as_array().unwrap().iter();
    clocks.find(|clock| clock["member"] == member).unwrap()
}

/// A request to two: one answers late, one does not.
pub fn asked(scene: &Scene) -> String {
    let request = scene.ask(&[POLICE, CLEARING], "1ms");
    let items = scene.read_inbox(POLICE);
    assert_eq!(items[0]["message"], request.as_str());
    scene.read_inbox(CLEARING);
    scene.opened(&request, HOTLINE, "2");
    let answer = ["--kind", "response", "--in-reply-to", &request];
    scene.send(POLICE, &[HOTLINE], &answer);
    request
}

// EVD-5, EVD-6, EVD-7, EVD-8, EVD-9, EVD-10, EVD-12: who asked shows that one has answered late and states
// that another has not; each line by its proof, verified with nothing but the root.
#[test]
fn a_request_its_answer_and_its_silence_prove_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let request = asked(&scene);
    // An answer waits in the inbox: nobody states that none has come.
    let early = [
        "evidence",
        "export",
        &request,
        HOTLINE,
        "--out",
        "early",
        "--silence",
        "--wait",
        "60s",
    ];
    let refused = scene.frex.run(&early);
    assert_eq!(
        refused.code(),
        Some(WireCode::Answered as u64),
        "{refused:?}"
    );
    scene.read_inbox(HOTLINE);

    let made = scene.export(&request, HOTLINE, "asked.frexev", &["--silence"]);
    assert_eq!(made["silences"], 1, "{made}");
    let mut scene = scene;
    for node in &mut scene.nodes {
        node.kill().unwrap();
    }
    let found = scene.verified("asked.frexev");
    let late = clock(&found, POLICE);
    assert_eq!(late["state"], "answered late", "{late}");
    assert!(late["overdue_ms"].as_u64().unwrap() > 0 && late["elapsed_ms"].is_u64());
    let silent = clock(&found, CLEARING);
    assert_eq!(silent["state"], "overdue", "{silent}");
    assert!(silent["silent"]["proof"] == "silence 1" && silent["received"]["proof"].is_string());
    let words = silent["words"].to_string();
    assert!(words.contains("That is the word of hotline.fr"), "{words}");
    let told = told(&found);
    for word in [
        "written",
        "due",
        "submitted",
        "accepted",
        "opened",
        "silent",
        "expires",
    ] {
        assert!(told.contains(&word), "{told:?}");
    }
    let proofs = found["timeline"].as_array().unwrap().iter();
    assert!(proofs.clone().all(|row| row["proof"].is_string()));
    let logged = proofs.filter(|row| row["entry"].is_u64());
    assert_eq!(logged.count(), 7, "{found}");

    // The same from the folder alone, with nobody to ask.
    let timeline = ["evidence", "timeline", &request, HOTLINE, "--offline"];
    let timeline = scene.frex.done(&timeline);
    assert_eq!(clock(&timeline, POLICE)["state"], "answered late");
    let open = clock(&timeline, CLEARING);
    assert_eq!(open["state"], "overdue", "by the clock here: {open}");
    assert!(open["overdue_ms"].as_u64() > Some(0) && open["silent"].is_null());
}

// EVD-6: a root that only the file brings is not trusted, and one of another federation refuses it.
#[test]
fn whose_federation_it_is_the_verifier_decides() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let message = scene.send(HOTLINE, &[POLICE], &[]);
    scene.read_inbox(POLICE);
    scene.export(&message, POLICE, "received.frexev", &[]);
    let found = scene.verified("received.frexev");
    assert!(
        told(&found).contains(&"opened"),
        "what its recipient holds: {found}"
    );

    let unpinned = scene.frex.run(&["evidence", "verify", "received.frexev"]);
    assert_eq!(unpinned.exit, Some(3), "{unpinned:?}");
    let said = unpinned.json();
    assert_eq!(
        (&said["verified"], &said["holds"]),
        (&false.into(), &true.into())
    );
    assert!(
        unpinned.err.contains("anybody can make a federation"),
        "{unpinned:?}"
    );
    let other = [
        "federation",
        "init",
        "--name",
        "example",
        "--keys",
        "1",
        "--threshold",
        "1",
        "other",
    ];
    let _ = scene.frex.done(&other);
    let other = [
        "evidence",
        "verify",
        "received.frexev",
        "--root",
        "other/root.frex",
    ];
    let refused = scene.frex.run(&other);
    assert_eq!(
        refused.code(),
        Some(WireCode::BadRoster as u64),
        "{refused:?}"
    );
    let own = ["evidence", "verify", "received.frexev", "--dir", CLEARING];
    assert_eq!(scene.frex.run(&own).exit, Some(0));
    let newest = ["--roster", "second.frex"];
    assert_eq!(scene.verify("received.frexev", &newest).exit, Some(0));
}

// EVD-5, CLI-28: what a member sent to itself too is one message, and stands in a file once.
#[test]
fn what_was_sent_to_oneself_too_is_one_exhibit() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let message = scene.send(HOTLINE, &[HOTLINE, POLICE], &[]);
    scene.read_inbox(HOTLINE);
    scene.read_inbox(POLICE);
    let made = scene.export(&message, HOTLINE, "own.frexev", &[]);
    assert_eq!(made["exhibits"], 1, "{made}");
    scene.verified("own.frexev");
    let answer = ["--kind", "response", "--in-reply-to", &message];
    let answer = scene.send(POLICE, &[HOTLINE], &answer);
    scene.read_inbox(HOTLINE);
    let made = scene.export(&answer, HOTLINE, "thread.frexev", &[]);
    assert_eq!(made["exhibits"], 2, "{made}");
    let shown = scene.frex.done(&["show", &message, HOTLINE]);
    assert_eq!(shown["direction"], "sent", "{shown}");
}
