//! Reports between real node processes, by the commands that people type.

use std::fs;

use serde_json::Value;
use support::{World, exits, files_below, frex, json, ok, refused};

mod support;

const REPORT: &str = r#"{
  "reference": "EXAMPLE-1",
  "created": "2026-01-02T03:04:05Z",
  "categories": [{"scheme": "example", "version": "1", "code": "synthetic"}],
  "description": "Made up for a test.",
  "urls": [{"url": "https://example.invalid/1"}]
}"#;

fn world() -> World {
    let world = World::new();
    fs::write(world.path().join("report.json"), REPORT).expect("own file");
    world
}

#[test]
fn a_report_is_delivered_opened_and_acknowledged_once() {
    let world = world();
    let nodes = [world.start("fr"), world.start("es")];
    let sent = json(world.path(), "send report.json --from fr --to police.es", 0);
    assert_eq!(sent["recipients"][0]["state"], "accepted");
    let message = sent["message"].as_str().expect("an id");

    // Left there with `none`, gone after `opened`.
    for (confirm, state) in [("none", "new"), ("none", "new"), ("opened", "opened")] {
        let read = json(
            world.path(),
            &format!("inbox es --wait 5s --confirm {confirm}"),
            0,
        );
        let item = &read["items"][0];
        assert_eq!(
            (&item["state"], &item["from"]),
            (&state.into(), &"hotline.fr".into()),
            "{confirm}: {read}"
        );
        let file = item["file"].as_str().expect("a path");
        assert_eq!(
            fs::read_to_string(world.path().join(file)).expect("kept"),
            REPORT
        );
    }
    assert_eq!(
        json(world.path(), "inbox es", 0)["items"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );

    let fetched = json(
        world.path(),
        &format!("receipt fetch {message} fr --opened 1"),
        0,
    );
    assert_eq!(fetched["opened"][0], "police.es");
    // The sender has the ids and receipts; the report itself stays where its owner keeps it.
    let sent = json(world.path(), &format!("show {} fr", &message[..8]), 0);
    assert_eq!(sent["direction"], "sent");
    assert!(
        sent["content"].is_null()
            && sent["receipts"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
    );
    let shown = json(world.path(), &format!("show {} es", &message[..8]), 0);
    assert_eq!(shown["content"]["reference"], "EXAMPLE-1");
    assert!(ok(world.path(), "receipt ls fr").contains("opened-police.es"));
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
    ok(world.path(), "fsck fr");
    ok(world.path(), "log verify es");
}

// CLI-2, DEL-11: done in part is 3, and what is missing comes by itself when the other node is
// back.
#[test]
fn a_recipient_whose_node_is_down_gets_the_report_later() {
    let world = world();
    let _fr = world.start("fr");
    let line = "send report.json --from fr --to police.es hotline.fr --wait 1s";
    let sent = json(world.path(), line, 3);
    let state = |member: &str| {
        let list = sent["recipients"].as_array().expect("a list");
        let found = list.iter().find(|recipient| recipient["member"] == member);
        found.expect("a recipient")["state"].clone()
    };
    assert_eq!(
        (state("police.es"), state("hotline.fr")),
        ("waiting".into(), "accepted".into())
    );
    let _es = world.start("es");
    let read = json(world.path(), "inbox es --wait 30s", 0);
    assert_eq!(read["items"][0]["message"], sent["message"]);
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_leaves() {
    let world = world();
    let send = |rest: &str| format!("send report.json --from fr {rest}");
    refused(
        world.path(),
        &send("--to nobody.xx"),
        22,
        "UNKNOWN_RECIPIENT 4001",
    );
    refused(
        world.path(),
        &send("--to police.es --expires 90d"),
        22,
        "LIFE_TOO_LONG 4006",
    );
    fs::write(
        world.path().join("bad.json"),
        REPORT.replace("created", "made"),
    )
    .expect("own file");
    let text = refused(
        world.path(),
        "send bad.json --from fr --to police.es",
        2,
        "BAD_INPUT",
    );
    assert!(text.contains("created"), "{text}");
    refused(
        world.path(),
        &send("--to police.es --wait 1s"),
        23,
        "UNREACHABLE 5005",
    );
    refused(world.path(), "inbox es --wait 1s", 23, "UNREACHABLE 5005");
}

#[test]
fn any_bytes_travel_under_a_content_type() {
    let world = world();
    let _nodes = [world.start("fr"), world.start("es")];
    let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    fs::write(world.path().join("any"), &bytes).expect("own file");
    ok(
        world.path(),
        "send any --content-type application/x-example --from fr --to police.es --lane bulk",
    );
    let read = json(world.path(), "inbox es --wait 5s", 0);
    let file = read["items"][0]["file"].as_str().expect("a path");
    assert!(file.ends_with(".bin"), "{file}");
    assert_eq!(fs::read(world.path().join(file)).expect("kept"), bytes);
}

// RCP-6, CLI-4, RCP-13: a receipt proves what it says to anyone, and nothing once a letter is changed;
// no node runs by then.
#[test]
fn a_tampered_receipt_fails_by_the_name_of_the_check() {
    let world = world();
    let nodes = [world.start("fr"), world.start("es")];
    let sent = json(world.path(), "send report.json --from fr --to police.es", 0);
    drop(nodes);
    let receipt = sent["recipients"][0]["receipt"].as_str().expect("a path");
    let envelope = sent["envelope"].as_str().expect("an id");
    let trust = "--roster roster.frex --root gov/root.frex";
    let verified = ok(
        world.path(),
        &format!("receipt verify {receipt} {trust} --envelope {envelope}"),
    );
    assert!(
        verified.contains("VERIFIED") && verified.contains("covers the envelope"),
        "{verified}"
    );
    let vkey = receipt.replace(".tlog-proof", ".vkey");
    ok(
        world.path(),
        &format!("receipt verify {receipt} --vkey {vkey}"),
    );
    let other = "00".repeat(32);
    refused(
        world.path(),
        &format!("receipt verify {receipt} {trust} --envelope {other}"),
        20,
        "BAD_RECEIPT",
    );

    let text = fs::read_to_string(world.path().join(receipt)).expect("a receipt");
    let extra = text.find("extra ").expect("a line") + 40;
    let signature = text.rfind(' ').expect("a signature line") + 20;
    for place in [extra, signature] {
        let mut bad = text.clone().into_bytes();
        bad[place] = if bad[place] == b'A' { b'B' } else { b'A' };
        fs::write(world.path().join("bad.tlog-proof"), bad).expect("own file");
        let line = format!("receipt verify bad.tlog-proof {trust}");
        refused(world.path(), &line, 20, "BAD_RECEIPT 2004");
        let printed = exits(world.path(), &line, 20);
        assert!(
            printed.contains("failed ") && !printed.contains("VERIFIED"),
            "{printed}"
        );
    }
}

// The main job, as it stands in the README.
#[test]
fn the_demo_verifies_and_leaves_evidence_and_no_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let report = json(dir.path(), "demo --keep kept", 0);
    assert_eq!(report["verified"], true, "{report}");
    assert_eq!(report["recipients"].as_array().map(Vec::len), Some(3));
    let kept = dir.path().join("kept");
    let receipts = files_below(&kept.join("receipts"));
    let of = |extension: &str| {
        let fits =
            |path: &&std::path::PathBuf| path.extension().is_some_and(|found| found == extension);
        receipts.iter().filter(fits).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("tlog-proof").len(), of("leaf").len(), of("vkey").len()),
        (7, 7, 7)
    );
    for leaf in of("leaf") {
        assert_eq!(fs::metadata(leaf).expect("a leaf").len(), 48);
    }
    for (member, node) in [
        ("platform.ie", "node.platform.ie"),
        ("hotline.fr", "node.hotline.fr"),
    ] {
        assert!(
            kept.join(format!("log/frex/demo/{node}/log/1/checkpoint"))
                .is_file()
        );
        let status: Value = json(&kept, &format!("status members/{member}"), 0);
        assert_eq!(status["node"]["running"], false, "{member}");
    }
    assert!(!frex(dir.path(), "demo --keep kept").status.success());
}
