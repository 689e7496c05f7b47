//! A file shows what it is to show, and nothing else: its bytes are searched.

use std::fs;

use frex_proto::error::WireCode;

use crate::scene::{CLEARING, HOTLINE, MEMBERS, POLICE, SECRET, Scene, holds, told};

/// The 16 bytes of a message id.
fn raw(id: &str) -> Vec<u8> {
    hex::decode(id).unwrap()
}

// EVD-11, EVD-12: content is in the file if its holder reveals it, at either end, and then proves itself.
#[test]
fn content_is_shown_only_where_it_is_revealed() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let message = scene.send(HOTLINE, &[POLICE, CLEARING], &[]);
    scene.read_inbox(POLICE);
    scene.opened(&message, HOTLINE, "1");
    for (member, end) in [(HOTLINE, "sent"), (POLICE, "received")] {
        let file = |what: &str| format!("{end}-{what}.frexev");
        scene.export(&message, member, &file("plain"), &[]);
        let plain = scene.bytes(&file("plain"));
        assert!(!holds(&plain, SECRET.as_bytes()) && holds(&plain, &raw(&message)));
        scene.export(&message, member, &file("open"), &["--reveal", "content"]);
        let open = scene.bytes(&file("open"));
        assert!(holds(&open, SECRET.as_bytes()), "{end}");
        let found = scene.verified(&file("open"));
        assert!(
            found["exhibits"][0]["content_sha256"].is_string(),
            "{found}"
        );
        let (from, to) = (file("open"), file("narrow"));
        let _ = scene
            .frex
            .done(&["evidence", "disclose", &from, "--out", &to]);
        assert_eq!(
            scene.bytes(&to),
            plain,
            "the same as if it had never been shown"
        );
    }
    // Nothing of what is kept to prove it is the content, or a key.
    let sent = dir.path().join(HOTLINE).join("member/sent");
    for entry in fs::read_dir(sent).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!holds(&bytes, SECRET.as_bytes()));
    }
    // What is not there any more, or is another, is not revealed.
    fs::write(dir.path().join("report.json"), "another").unwrap();
    let reveal = [
        "evidence",
        "export",
        &message,
        HOTLINE,
        "--out",
        "no",
        "--reveal",
        "content",
        "--offline",
    ];
    let refused = scene.frex.run(&reveal);
    assert_eq!(
        refused.code(),
        Some(WireCode::NotHeld as u64),
        "{refused:?}"
    );
    assert!(!dir.path().join("no").exists());
}

// EVD-14: what was signed comes from the node where the folder has not kept it; the salt does not.
#[test]
fn what_was_signed_is_asked_of_the_node_where_it_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let line = fs::read_to_string(dir.path().join("report.json")).unwrap();
    fs::write(dir.path().join("many.jsonl"), line + "\n").unwrap();
    let bulk = ["bulk", "many.jsonl", "--from", HOTLINE, "--to", POLICE];
    let ended = scene.frex.run(&bulk);
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    let items = scene.read_inbox(POLICE);
    let message = items[0]["message"].as_str().unwrap();
    let made = scene.export(message, HOTLINE, "bulk.frexev", &[]);
    assert_eq!(made["exhibits"], 1, "{made}");
    let found = scene.verified("bulk.frexev");
    assert_eq!(found["exhibits"][0]["message"], message);
    // Its salt was not kept: what it said is shown by who received it.
    let words = [
        "evidence", "export", message, HOTLINE, "--out", "no", "--reveal", "content",
    ];
    let refused = scene.frex.run(&words);
    assert_eq!(
        refused.code(),
        Some(WireCode::NotHeld as u64),
        "{refused:?}"
    );
}

// EVD-11: receipts alone say that it was sent, received and opened, by whom and when; kind, times and header
// are not in them, and of one recipient alone nothing names another.
#[test]
fn receipts_alone_show_no_header() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let message = scene.ask(&[POLICE, CLEARING], "10d");
    scene.read_inbox(POLICE);
    scene.read_inbox(CLEARING);
    scene.opened(&message, HOTLINE, "2");
    scene.export(&message, HOTLINE, "bare.frexev", &["--without-manifest"]);
    let found = scene.verified("bare.frexev");
    let rows = found["timeline"].as_array().unwrap();
    let told: Vec<&str> = rows
        .iter()
        .map(|row| row["what"].as_str().unwrap())
        .collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(
        told.iter()
            .all(|what| ["submitted", "accepted", "opened"].contains(what))
    );
    assert!(found["exhibits"].as_array().unwrap().is_empty());
    assert!(found["clocks"].as_array().unwrap().is_empty());

    let narrow = [
        "evidence",
        "disclose",
        "bare.frexev",
        "--out",
        "one.frexev",
        "--without-manifest",
        "--only",
        POLICE,
    ];
    let _ = scene.frex.done(&narrow);
    let found = scene.verified("one.frexev");
    let receipts = found["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 2, "accepted and opened: {found}");
    let told = found["timeline"].to_string();
    assert!(told.contains(POLICE) && !told.contains(CLEARING), "{told}");
    let nobody = [
        "evidence",
        "disclose",
        "bare.frexev",
        "--out",
        "none",
        "--without-manifest",
        "--only",
        "nobody",
    ];
    assert_eq!(
        scene.frex.run(&nobody).code(),
        Some(WireCode::NotHeld as u64)
    );
}

// EVD-5, EVD-7, EVD-11: what was passed on proves its author and who passed it on; what was withdrawn, that it was.
#[test]
fn what_was_passed_on_or_withdrawn_proves_itself() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let message = scene.send(HOTLINE, &[POLICE], &[]);
    scene.read_inbox(POLICE);
    let words = [
        "forward", &message, POLICE, "--to", CLEARING, "--wait", "30s",
    ];
    let forward = scene.frex.done(&words)["message"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.read_inbox(CLEARING);
    scene.opened(&forward, POLICE, "1");
    scene.export(&forward, POLICE, "forward.frexev", &["--reveal", "content"]);
    assert!(holds(&scene.bytes("forward.frexev"), SECRET.as_bytes()));
    let found = scene.verified("forward.frexev");
    let first = &found["exhibits"][0];
    assert_eq!(
        (&first["forward"], &first["author"]),
        (&true.into(), &HOTLINE.into())
    );
    assert!(first["content_sha256"].is_string() && told(&found).contains(&"forwarded"));
    assert_eq!(
        found["exhibits"][1]["message"],
        message.as_str(),
        "what it passes on"
    );

    let words = [
        "recall",
        &message,
        HOTLINE,
        "--reason",
        "wrong-recipient",
        "--confirm",
    ];
    let recalled = scene.frex.done(&words);
    scene.read_inbox(POLICE);
    scene.opened(recalled["recall"].as_str().unwrap(), HOTLINE, "1");
    scene.export(&message, HOTLINE, "recalled.frexev", &[]);
    let found = scene.verified("recalled.frexev");
    assert_eq!(found["exhibits"][1]["kind"], "recall", "{found}");
    let rows = found["timeline"].as_array().unwrap();
    let acted = rows.iter().find(|row| row["what"] == "acted").unwrap();
    assert_eq!(acted["detail"], "withdrawn");
}

// EVD-13: the page loads nothing, runs nothing, and says what was found, how it was judged and by whom.
#[test]
fn the_page_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let report = r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"<script>alert(1)</script>"}"#;
    fs::write(dir.path().join("report.json"), report).unwrap();
    let message = scene.ask(&[POLICE], "10d");
    scene.read_inbox(POLICE);
    scene.export(
        &message,
        HOTLINE,
        "a.frexev",
        &["--reveal", "content", "--silence"],
    );
    let page = |more: &[&str], out: &str| {
        let words = ["evidence", "report", "a.frexev", "--out", out];
        scene.frex.run(&[&words[..], more].concat())
    };
    let trust = ["--root", "governance/root.frex"];
    assert_eq!(page(&trust, "a.html").exit, Some(0));
    let text = String::from_utf8(scene.bytes("a.html")).unwrap();
    for part in [
        "<html lang=\"en\">",
        "VERIFIED: every check below holds.",
        "@page",
        "<caption>",
        "scope=\"col\"",
        "How to verify it yourself",
        "&lt;script&gt;alert(1)",
        "hotline.fr asked police.es by ",
        ": waiting",
    ] {
        assert!(text.contains(part), "{part}");
    }
    for member in &MEMBERS[..2] {
        assert!(text.contains(member));
    }
    for part in [
        "<script", "<img", "<link", "http://", "https://", "src=", "href=", "url(",
    ] {
        assert!(!text.contains(part), "{part}");
    }
    let unpinned = page(&[], "b.html");
    assert_eq!(unpinned.exit, Some(3), "{unpinned:?}");
    let text = String::from_utf8(scene.bytes("b.html")).unwrap();
    assert!(text.contains("nobody here has checked"), "{text}");
}
