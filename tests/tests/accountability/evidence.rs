//! A request, an answer and a silence, shown to others by files that prove themselves.

use std::fs;

use frex_proto::{
    error::WireCode,
    evidence::{self, Parts},
    v1,
};
use serde_json::Value;

use crate::scene::{CLEARING, HOTLINE, POLICE, ROOT, Scene, told};

fn clock<'a>(found: &'a Value, member: &str) -> &'a Value {
    let mut clocks = found["clocks"].as_array().unwrap().iter();
    clocks.find(|clock| clock["member"] == member).unwrap()
}

/// A request to two: one answers late, one does not.
fn asked(scene: &Scene) -> String {
    let request = scene.ask(&[POLICE, CLEARING], "1ms");
    let items = scene.read_inbox(POLICE);
    assert_eq!(items[0]["message"], request.as_str());
    scene.read_inbox(CLEARING);
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
    assert_eq!(clock(&timeline, CLEARING)["state"], "open");
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

/// Changes the file's bundle, whatever then becomes of it.
fn changed(file: &[u8], change: impl FnOnce(&mut v1::EvidenceBundle)) -> Vec<u8> {
    let mut bundle = evidence::parse(file).unwrap();
    change(&mut bundle);
    let parts = Parts {
        roster: bundle.roster.to_vec(),
        exhibits: bundle.exhibits,
        receipts: bundle.receipts,
        silences: bundle.silences,
    };
    evidence::build(parts).unwrap()
}

fn flip(bytes: &bytes::Bytes, at: usize) -> bytes::Bytes {
    let mut copy = bytes.to_vec();
    copy[at] ^= 1;
    copy.into()
}

/// The names of the checks that fail.
fn failed(scene: &Scene, file: &[u8]) -> Vec<String> {
    fs::write(scene.frex.dir().join("changed.frexev"), file).unwrap();
    let ended = scene.verify("changed.frexev", &[]);
    assert_eq!(ended.exit, Some(20), "{ended:?}");
    let found = ended.json();
    let checks = found["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["outcome"] == "failed");
    failed
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

// EVD-1, EVD-2, EVD-4, EVD-5: whatever is changed is found, under the name of what was changed.
#[test]
fn tampering_with_any_part_fails_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let request = asked(&scene);
    scene.read_inbox(HOTLINE);
    let more = ["--silence", "--reveal", "content"];
    scene.export(&request, HOTLINE, "good.frexev", &more);
    let good = scene.bytes("good.frexev");
    scene.verified("good.frexev");
    let bundle = evidence::parse(&good).unwrap();
    for place in 0..bundle.exhibits.len() {
        let at = bundle.exhibits[place].signed.len() - 3;
        let file = changed(&good, |b| {
            b.exhibits[place].signed = flip(&b.exhibits[place].signed, at)
        });
        let names = failed(&scene, &file);
        let name = format!("exhibit {}: is signed", place + 1);
        assert!(names[0].starts_with(&name), "{names:?}");
    }
    let content = changed(&good, |b| {
        b.exhibits[0].content = flip(&b.exhibits[0].content, 40)
    });
    assert!(failed(&scene, &content)[0].starts_with("exhibit 1: content"));
    let salt = changed(&good, |b| b.exhibits[0].salt = flip(&b.exhibits[0].salt, 0));
    assert!(failed(&scene, &salt)[0].starts_with("exhibit 1: content"));
    let twice = changed(&good, |b| b.exhibits.push(b.exhibits[0].clone()));
    assert!(failed(&scene, &twice)[0].contains("once"));
    for place in 0..bundle.receipts.len() {
        let name = |what: &str| format!("receipt {}: {what}", place + 1);
        let statement = changed(&good, |b| {
            let statement = &mut b.receipts[place].statement;
            *statement = flip(statement, 5);
        });
        let names = failed(&scene, &statement);
        assert_eq!(names[0], name("statement matches the leaf"), "{names:?}");
        let proof = changed(&good, |b| b.receipts[place].index += 1);
        assert!(
            failed(&scene, &proof)[0].starts_with(&name("entry")),
            "{place}"
        );
        let head = changed(&good, |b| {
            let note = &mut b.receipts[place].checkpoint;
            let at = note.windows(2).position(|two| two == b"\n\n").unwrap() - 10;
            *note = flip(note, at);
        });
        let names = failed(&scene, &head);
        assert!(
            names[0].starts_with(&name("signed by the log")),
            "{names:?}"
        );
    }
    let silence = changed(&good, |b| {
        let at = b.silences[0].len() - 3;
        b.silences[0] = flip(&b.silences[0], at);
    });
    assert!(failed(&scene, &silence)[0].starts_with("silence 1: is signed"));
    // What it is put into, and the roster, are refused whole.
    for wrong in [
        [&good[..], b"\x2a\x01x"].concat(),
        good[1..].to_vec(),
        good[..good.len() - 1].to_vec(),
    ] {
        fs::write(scene.frex.dir().join("wrong.frexev"), wrong).unwrap();
        let refused = scene.verify("wrong.frexev", &[]);
        assert_eq!(refused.code(), Some(WireCode::BadEvidence as u64));
    }
    let at = good.len() - bundle_tail(&bundle) - 3;
    let mut roster = good.clone();
    roster[at] ^= 1;
    fs::write(scene.frex.dir().join("roster.frexev"), roster).unwrap();
    assert_eq!(scene.verify("roster.frexev", &[]).exit, Some(21));
    let nothing = scene
        .frex
        .run(&["evidence", "verify", ROOT, "--root", ROOT]);
    assert_eq!(nothing.code(), Some(WireCode::BadEvidence as u64));
}

/// How many bytes of the file come after the roster.
fn bundle_tail(bundle: &v1::EvidenceBundle) -> usize {
    use prost::Message;
    let tail = v1::EvidenceBundle {
        roster: bytes::Bytes::new(),
        ..bundle.clone()
    };
    tail.encoded_len()
}
