//! Whatever is changed in a file of evidence is found, under the name of what was changed.

use std::fs;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    evidence::{self, Parts},
    v1,
};
use prost::Message;

use crate::{
    evidence::asked,
    scene::{HOTLINE, ROOT, Scene},
};

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

fn flip(bytes: &Bytes, at: usize) -> Bytes {
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

/// A file with content, answer and silence.
fn good(scene: &Scene) -> Vec<u8> {
    let request = asked(scene);
    scene.read_inbox(HOTLINE);
    let more = ["--silence", "--reveal", "content"];
    scene.export(&request, HOTLINE, "good.frexev", &more);
    scene.verified("good.frexev");
    scene.bytes("good.frexev")
}

// EVD-1, EVD-2, EVD-4, EVD-5
#[test]
fn tampering_with_any_part_fails_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let good = good(&scene);
    exhibits(&scene, &good);
    receipts(&scene, &good);
    let silence = changed(&good, |b| {
        let at = b.silences[0].len() - 3;
        b.silences[0] = flip(&b.silences[0], at);
    });
    assert!(failed(&scene, &silence)[0].starts_with("silence 1: is signed"));
    whole(&scene, &good);
}

fn exhibits(scene: &Scene, good: &[u8]) {
    let bundle = evidence::parse(good).unwrap();
    for (place, exhibit) in bundle.exhibits.iter().enumerate() {
        let signed = flip(&exhibit.signed, exhibit.signed.len() - 3);
        let file = changed(good, |b| b.exhibits[place].signed = signed);
        let names = failed(scene, &file);
        let name = format!("exhibit {}: is signed", place + 1);
        assert!(names[0].starts_with(&name), "{names:?}");
    }
    let content = changed(good, |b| {
        b.exhibits[0].content = flip(&b.exhibits[0].content, 40);
    });
    let salt = changed(good, |b| b.exhibits[0].salt = flip(&b.exhibits[0].salt, 0));
    for file in [content, salt] {
        let names = failed(scene, &file);
        assert!(names[0].starts_with("exhibit 1: content"), "{names:?}");
    }
    let twice = changed(good, |b| b.exhibits.push(b.exhibits[0].clone()));
    assert!(failed(scene, &twice)[0].contains("once"));
}

fn receipts(scene: &Scene, good: &[u8]) {
    let count = evidence::parse(good).unwrap().receipts.len();
    for place in 0..count {
        let name = |what: &str| format!("receipt {}: {what}", place + 1);
        let first = |change: &dyn Fn(&mut v1::Receipt)| {
            let file = changed(good, |b| change(&mut b.receipts[place]));
            failed(scene, &file)[0].clone()
        };
        let statement = first(&|receipt| receipt.statement = flip(&receipt.statement, 5));
        assert_eq!(statement, name("statement matches the leaf"));
        let proof = first(&|receipt| receipt.index += 1);
        assert!(proof.starts_with(&name("entry")), "{proof}");
        let head = first(&|receipt| {
            let note = &receipt.checkpoint;
            let at = note.windows(2).position(|two| two == b"\n\n").unwrap() - 10;
            // Another root, and still one: else the note says of no log what it is.
            let mut note = note.to_vec();
            note[at] = if note[at] == b'A' { b'B' } else { b'A' };
            receipt.checkpoint = note.into();
        });
        assert!(head.starts_with(&name("signed by the log")), "{head}");
    }
}

/// What it is put into, and the roster, are refused whole.
fn whole(scene: &Scene, good: &[u8]) {
    let refused = |file: &[u8]| {
        fs::write(scene.frex.dir().join("wrong.frexev"), file).unwrap();
        scene.verify("wrong.frexev", &[])
    };
    for wrong in [
        [good, b"\x2a\x01x"].concat(),
        good[1..].to_vec(),
        good[..good.len() - 1].to_vec(),
    ] {
        let code = refused(&wrong).code();
        assert_eq!(code, Some(WireCode::BadEvidence as u64));
    }
    let bundle = evidence::parse(good).unwrap();
    let mut roster = good.to_vec();
    let at = good.len() - bundle_tail(&bundle) - 3;
    roster[at] ^= 1;
    assert_eq!(refused(&roster).exit, Some(21));
    let nothing = scene
        .frex
        .run(&["evidence", "verify", ROOT, "--root", ROOT]);
    assert_eq!(nothing.code(), Some(WireCode::BadEvidence as u64));
}

/// How many bytes of the file come after the roster.
fn bundle_tail(bundle: &v1::EvidenceBundle) -> usize {
    let tail = v1::EvidenceBundle {
        roster: Bytes::new(),
        ..bundle.clone()
    };
    tail.encoded_len()
}
