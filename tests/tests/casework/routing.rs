//! One filing reaches everybody competent, each with what it may have; what is missing, sent before or
//! nobody's is said.

use std::{fs, path::Path};

use frex_proto::error::WireCode;
use frex_tests::processes::{Ended, Frex, NodeProcess, free_addresses};
use serde_json::{Value, json};

const PLATFORM: &str = "platform.us";
const CLEARING: &str = "clearing.us";
const POLICE: &str = "police.no";
const HOTLINE: &str = "hotline.no";
/// Member, role, country.
const MEMBERS: [(&str, &str, &str); 4] = [
    (PLATFORM, "platform", "US"),
    (CLEARING, "clearing-house", "US"),
    (POLICE, "police", "NO"),
    (HOTLINE, "hotline", "NO"),
];
const ROOT: &str = "governance/root.frex";

struct Scene {
    frex: Frex,
    _nodes: Vec<NodeProcess>,
}

impl Scene {
    /// Four members in two countries; the hotline needs a report to say when an address was used.
    fn new(dir: &Path) -> Self {
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
        let governance = ["--name", "example", "--keys", "1", "--threshold", "1"];
        let _ = frex.done(&[&["federation", "init"], &governance[..], &["governance"]].concat());
        let addresses = free_addresses(MEMBERS.len());
        let cards: Vec<String> = MEMBERS
            .iter()
            .zip(addresses)
            .map(|((id, role, country), address)| {
                let made = frex.done(&[
                    "init",
                    "--member",
                    id,
                    "--name",
                    id,
                    "--country",
                    country,
                    "--role",
                    role,
                    "--federation",
                    "example",
                    "--listen",
                    &address.to_string(),
                    id,
                ]);
                made["card"].as_str().unwrap().to_owned()
            })
            .collect();
        let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
        frex.roster("first.frex", &cards);
        frex.next_roster(
            "roster.frex",
            "first.frex",
            &["--needs", "hotline.no=reported.ip_events.at,hashes"],
        );
        for (member, ..) in MEMBERS {
            let _ = frex.done(&["roster", "install", "roster.frex", "--root", ROOT, member]);
        }
        let nodes = MEMBERS.map(|(member, ..)| frex.start(member)).into();
        Self {
            frex,
            _nodes: nodes,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.frex.dir().join(name), text).unwrap();
    }

    fn send(&self, file: &str, more: &[&str]) -> Ended {
        let words = ["send", file, "--route", "--from", PLATFORM, "--wait", "30s"];
        self.frex.run(&[&words[..], more].concat())
    }

    /// What a member reads of the one report that waits for it or comes soon.
    fn read(&self, member: &str) -> (Value, Value) {
        let read = self.frex.done(&["inbox", member, "--wait", "30s"]);
        let item = read["items"][0].clone();
        let envelope = item["envelope"].as_str().unwrap();
        let shown = self.frex.done(&["show", envelope, member]);
        (shown["about"].clone(), shown["content"].clone())
    }
}

fn report(change: impl FnOnce(&mut Value)) -> String {
    let mut report = json!({
        "reference": "P-1", "created": "2026-07-01T12:00:00Z",
        "incident": {"type": "grooming", "at": "2026-07-01T11:00:00Z"},
        "description": "The words that only the clearing house may have.",
        "channels": [{"chat": {"client": "Example Chat", "content": "Words of a conversation."}}],
        "reported": [{
            "screen_name": "sam_4711", "profile_bio": "Words of a profile.",
            "ip_events": [{"ip_address": "192.0.2.17", "at": "2026-07-01T10:59:00Z", "port": 4711}],
            "person": {"phones": [{"value": "+47 00 00 00 00"}]},
        }],
        "items": [{"file_name": "words-of-a-name.jpg", "hashes": [{"algorithm": "md5", "value": "d41d8cd98f00b204e9800998ecf8427e"}]}],
    });
    change(&mut report);
    report.to_string()
}

fn cause(ended: &Ended) -> String {
    let said: Value = serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    let error = &said["error"];
    format!(
        "{} {}",
        error["what"].as_str().unwrap(),
        error["cause"].as_str().unwrap()
    )
}

// RTE-10, RTE-18, RTE-20, RTE-24, RTE-27 to RTE-34: previewed, sent as one message for each copy, in one
// case; a copy without contents has none; what was decided can be checked without the report.
#[test]
fn one_filing_reaches_everybody_with_what_each_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.write("report.json", &report(|_| ()));
    scene.write("platform.us/member/ranges.csv", "192.0.2.0/24,NO\n");
    scene.write(
        "platform.us/member/route.toml",
        "version = 1\nranges = \"ranges.csv\"\n[[approval]]\ncountries = [\"NO\"]\nby = \"legal\"\n",
    );

    let shown = scene
        .frex
        .done(&["route", "report.json", PLATFORM, "--out", "plan.json"]);
    let plan = &shown["plan"];
    let members: Vec<(&str, &str)> = plan["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["member"].as_str().unwrap(),
                one["copy"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (CLEARING, "full"),
        (HOTLINE, "metadata"),
        (POLICE, "metadata"),
    ];
    assert_eq!(members, expected);
    assert_eq!(plan["candidates"][0]["country"], "NO");
    assert_eq!(plan["recipients"][0]["ground"]["law"], "18 USC 2258A");
    assert!(!plan.to_string().contains("192.0.2") && !plan.to_string().contains("sam_4711"));

    let nothing = scene.send("report.json", &[]);
    assert_eq!(
        (nothing.exit, &nothing.json()["sent"]),
        (Some(0), &false.into())
    );
    let refused = scene.send("report.json", &["--plan", "plan.json"]);
    assert_eq!(
        refused.code(),
        Some(WireCode::NotApproved as u64),
        "{refused:?}"
    );
    assert!(cause(&refused).contains("legal for NO"));
    let sent = scene.send(
        "report.json",
        &["--plan", "plan.json", "--approved", "legal"],
    );
    assert_eq!(sent.exit, Some(0), "{sent:?}");
    let sent = sent.json();
    let case = sent["case"].as_str().unwrap();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 2);
    assert_eq!(sent["messages"][0]["message"], case);

    let (about, content) = scene.read(CLEARING);
    assert_eq!(
        (&about["message"], &about["conversation"]),
        (&case.into(), &case.into())
    );
    assert_eq!(
        content["channels"][0]["chat"]["content"],
        "Words of a conversation."
    );
    let copied = sent["messages"][1]["message"].as_str().unwrap();
    for member in [POLICE, HOTLINE] {
        let (about, content) = scene.read(member);
        assert_eq!(
            (&about["message"], &about["conversation"]),
            (&copied.into(), &case.into())
        );
        let text = content.to_string();
        assert!(!text.to_lowercase().contains("words"), "{text}");
        assert_eq!(content["reported"][0]["ip_events"][0]["port"], 4711);
        assert_eq!(content["items"][0]["hashes"][0]["algorithm"], "md5");
        assert_eq!(content["lineage"]["origin"], PLATFORM);
        let scored = scene
            .frex
            .done(&["report", "score", copied, "--dir", member]);
        assert!(scored["scores"]["actionability"]["score"].as_u64() > Some(30));
    }

    let record = sent["record"].as_str().unwrap();
    let text = fs::read_to_string(dir.path().join(record)).unwrap();
    assert!(!text.contains("P-1") && !text.contains("192.0.2") && text.contains("legal"));
    let words = [
        "route",
        "verify",
        record,
        "--message",
        case,
        "--message",
        copied,
    ];
    let verified = scene.frex.done(&words);
    assert_eq!(verified["checks"][1]["part"], 1);
    // The record and a bundle of evidence without content bind the decision to what the logs hold.
    let evidence = [
        "evidence",
        "export",
        case,
        PLATFORM,
        "--out",
        "case.frexevidence",
    ];
    let _ = scene.frex.done(&evidence);
    let timeline = scene
        .frex
        .run(&["evidence", "verify", "case.frexevidence", "--root", ROOT]);
    assert_eq!(timeline.exit, Some(0), "{timeline:?}");
    assert!(timeline.out.contains(case));
    fs::write(
        dir.path().join("other.json"),
        text.replacen("\"legal\"", "\"nobody\"", 1),
    )
    .unwrap();
    let other = scene
        .frex
        .run(&["route", "verify", "other.json", "--message", case]);
    assert_eq!(
        other.code(),
        Some(WireCode::BadEvidence as u64),
        "{other:?}"
    );

    // Given again under its id, it goes on where it was stopped: here nothing is left to send.
    let go_on = ["--confirm", "--approved", "legal", "--message", case];
    let again = scene.send("report.json", &go_on);
    assert_eq!(again.exit, Some(0), "{again:?}");
    let again = again.json();
    assert_eq!(again["record_sha256"], sent["record_sha256"]);
    let before = again["messages"].as_array().unwrap();
    assert!(
        before.len() == 2 && before.iter().all(|one| one["before"] == true),
        "{again}"
    );
    scene.write("platform.us/member/route.toml", "version = 1\n");
    let other = scene.send("report.json", &go_on);
    assert_eq!(
        other.code(),
        Some(WireCode::PlanChanged as u64),
        "{other:?}"
    );

    // What is erased takes the record and what it would be noticed by along.
    let erase = [
        "erase",
        case,
        PLATFORM,
        "--ground",
        "withdrawn",
        "--authority",
        "x:1",
        "--local",
    ];
    let erased = scene.frex.run(&[&erase[..], &["--confirm"]].concat());
    assert_eq!(erased.exit, Some(0), "{erased:?}");
    assert!(!dir.path().join(record).exists());
    let before = dir.path().join(PLATFORM).join("member/before");
    assert!(!before.join(format!("{case}.tags")).exists());
}

// RTE-5, RTE-8, RTE-9, RTE-19, RTE-33: what is missing is named for whom, what was sent before is noticed,
// a plan that does not hold is refused, and what nobody would get is refused with its reason.
#[test]
fn what_is_missing_sent_before_or_nobodys_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.write("report.json", &report(|_| ()));
    let bare = report(|one| {
        one["reported"][0]
            .as_object_mut()
            .unwrap()
            .remove("ip_events");
        one["items"] = json!([]);
    });
    scene.write("bare.json", &bare);

    let refused = scene.send("bare.json", &["--confirm"]);
    assert_eq!(refused.exit, Some(22), "{refused:?}");
    let said = cause(&refused);
    assert!(
        said.contains("hotline.no needs a report to say more"),
        "{said}"
    );
    assert!(
        said.contains("reported[0].ip_events[0].at") && said.contains("hashes (add items)"),
        "{said}"
    );
    let score = scene.frex.done(&[
        "report",
        "score",
        "bare.json",
        "--to",
        HOTLINE,
        "--dir",
        PLATFORM,
    ]);
    assert_eq!(score["recipients"][0]["completeness"]["score"], 0);
    let named = [
        "send",
        "bare.json",
        "--to",
        HOTLINE,
        "--from",
        PLATFORM,
        "--wait",
        "30s",
    ];
    assert_eq!(
        scene.frex.run(&named).code(),
        Some(WireCode::NotAccepted as u64)
    );
    let anyway = scene.frex.run(&[&named[..], &["--anyway"]].concat());
    assert_eq!(anyway.exit, Some(0), "{anyway:?}");
    assert!(anyway.err.contains("it goes all the same"), "{anyway:?}");

    let named = [
        "send",
        "report.json",
        "--to",
        POLICE,
        "--from",
        PLATFORM,
        "--wait",
        "30s",
    ];
    let first = scene.frex.done(&named);
    let message = first["message"].as_str().unwrap();
    let again = scene.frex.run(&named);
    assert_eq!(again.code(), Some(WireCode::LooksSent as u64), "{again:?}");
    assert!(cause(&again).contains(message));
    let alike = report(|one| one["description"] = "In other words.".into());
    scene.write("alike.json", &alike);
    let routed = scene.send("alike.json", &["--confirm"]);
    assert_eq!(
        routed.code(),
        Some(WireCode::LooksSent as u64),
        "{routed:?}"
    );
    let same_case = scene
        .frex
        .done(&[&named[..], &["--duplicate-of", message]].concat());
    let kept = dir.path().join(PLATFORM).join("member/sent");
    let path = kept.join(format!("{}.json", same_case["message"].as_str().unwrap()));
    let about: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(about["conversation"], message);

    let _ = scene
        .frex
        .done(&["route", "report.json", PLATFORM, "--out", "plan.json"]);
    scene.write(
        "platform.us/member/route.toml",
        "version = 1\n[[rule]]\nroles = [\"police\"]\ndo = \"deny\"\nwhy = \"no agreement\"\n",
    );
    let changed = scene.send("report.json", &["--plan", "plan.json", "--anyway"]);
    assert_eq!(
        changed.code(),
        Some(WireCode::PlanChanged as u64),
        "{changed:?}"
    );
    assert!(cause(&changed).contains("passed_over"), "{changed:?}");
    scene.write(
        "platform.us/member/route.toml",
        "version = 1\n[[rule]]\ndo = \"deny\"\n",
    );
    let nobody = scene.send("report.json", &["--confirm"]);
    assert_eq!(nobody.code(), Some(WireCode::Unrouted as u64), "{nobody:?}");
    assert!(
        cause(&nobody).contains("police.no is passed over: denied"),
        "{nobody:?}"
    );
    scene.write("platform.us/member/route.toml", "version = 1\ncolour = 3\n");
    let bad = scene.frex.run(&["route", "report.json", PLATFORM]);
    assert_eq!(bad.code(), Some(WireCode::BadConfig as u64), "{bad:?}");
    assert!(cause(&bad).contains("line 2"), "{bad:?}");
}
