//! An organisation stops the exchange with another one, and takes it up again.

use std::{
    fs,
    time::{Duration, Instant},
};

use frex_node::suspension::SUSPENDED_FILE;
use support::{World, exits, json, ok, refused};

mod support;

const WAIT: Duration = Duration::from_secs(20);

// DIS-12: suspended by a command while both nodes run; what waits goes on its way afterwards.
#[test]
fn a_suspended_member_waits_and_loses_nothing() {
    let world = World::new();
    let dir = world.path();
    fs::write(dir.join("note.txt"), "made up").expect("own file");
    let nodes = [world.start("fr"), world.start("es")];
    let suspend = "peer suspend police.es fr --reason broken-into";
    let plan = ok(dir, suspend);
    assert!(
        plan.contains("node.police.es") && plan.contains("Nothing was changed"),
        "{plan}"
    );
    assert!(!dir.join("fr/node").join(SUSPENDED_FILE).exists());
    ok(dir, &format!("{suspend} --confirm"));
    let listed = json(dir, "peer ls fr", 0);
    assert_eq!(listed["suspended"][0]["peer"], "police.es");
    assert_eq!(listed["suspended"][0]["reason"], "broken-into");

    // The node looks at its directory twice a second.
    std::thread::sleep(Duration::from_secs(2));
    let send = |to: &str, from: &str, exit| {
        let line =
            format!("send note.txt --content-type text/plain --to {to} --from {from} --wait 1s");
        exits(dir, &line, exit)
    };
    send("police.es", "fr", 3);
    send("hotline.fr", "es", 3);
    assert!(ok(dir, "inbox fr").is_empty());
    let resumed = ok(dir, "peer resume police.es fr");
    assert!(resumed.contains("broken-into"), "{resumed}");
    for (place, from) in [("fr", "police.es"), ("es", "hotline.fr")] {
        let began = Instant::now();
        while !ok(dir, &format!("inbox {place} --wait 2s")).contains(from) {
            assert!(began.elapsed() < WAIT, "nothing came to {place}");
        }
        let kept = ok(dir, &format!("inbox {place} --kept"));
        assert!(kept.contains(from) && kept.contains("opened"), "{kept}");
    }
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
}

// DIS-12: what cannot be suspended is said, and a damaged list opens nothing.
#[test]
fn who_cannot_be_suspended_is_told_why() {
    let world = World::new();
    let dir = world.path();
    let suspend = |id: &str, exit, code: &str| {
        refused(
            dir,
            &format!("peer suspend {id} fr --reason because --confirm"),
            exit,
            code,
        )
    };
    assert!(suspend("hotline.fr", 2, "BAD_INPUT").contains("your own"));
    assert!(suspend("node.police.es", 22, "UNKNOWN_RECIPIENT").contains("peer suspend police.es"));
    suspend("nobody", 22, "UNKNOWN_RECIPIENT");
    refused(dir, "peer resume police.es fr", 1, "NOT_FOUND");
    fs::write(dir.join("fr/node").join(SUSPENDED_FILE), "suspended").expect("own file");
    refused(dir, "run fr", 78, "BAD_CONFIG");
    refused(dir, "peer ls fr", 78, "BAD_CONFIG");
}
