//! Reports as files, and reports of version 2 between real node processes, by the commands that
//! people type.

use std::fs;

use serde_json::{Value, json};
use support::{World, exits, frex, json, ok, refused, stderr};

mod support;

const TIP: &str = "<?xml version=\"1.0\"?>\n<report>\n    <incidentSummary>\n        <incidentType>Online Enticement of Children for Sexual Acts</incidentType>\n        <escalateToHighPriority>Made up for a test.</escalateToHighPriority>\n        <reportAnnotations><sextortion/></reportAnnotations>\n        <incidentDateTime>2026-07-01T12:00:00.000+02:00</incidentDateTime>\n    </incidentSummary>\n    <later at='1'>kept</later>\n    <reporter>\n        <reportingPerson>\n            <email>desk@platform.example</email>\n        </reportingPerson>\n    </reporter>\n</report>";
const FILE: &str = "<fileDetails><reportId>17</reportId><fileId>f1</fileId><originalFileHash hashType=\"MD5\">D41D8CD98F00B204E9800998ECF8427E</originalFileHash></fileDetails>";
const FIRST: &str = r#"{"reference": "A-1", "created": "2026-07-01T12:00:00Z", "urls": [{"url": "https://host.example/1"}]}"#;

fn write(dir: &std::path::Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).expect("own file");
}

// MOD-4, MOD-8: the document that comes out is the one that went in.
#[test]
fn a_document_goes_in_and_comes_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    write(dir, "tip.xml", TIP);
    write(dir, "file.xml", FILE);
    ok(dir, "report check tip.xml");
    ok(dir, "report check file.xml");
    let line = "report import tip.xml --files file.xml --reference 2026-0417 --out";
    let made = json(dir, &format!("{line} r.frexreport"), 0);
    assert_eq!(
        (&made["reference"], &made["items"], &made["faults"]),
        (&"2026-0417".into(), &1.into(), &0.into())
    );
    ok(dir, &format!("{line} r.json"));
    for file in ["r.frexreport", "r.json"] {
        ok(dir, &format!("report check {file}"));
        let shown = json(dir, &format!("report show {file}"), 0);
        assert_eq!(shown["report"]["incident"]["type"], "grooming");
        assert_eq!(shown["report"]["urgency"]["level"], "high");
        let written = ok(dir, &format!("report export {file} --as xml"));
        assert!(
            written.contains("<later at=\"1\">kept</later>"),
            "{written}"
        );
        assert!(written.contains("12:00:00.000+02:00"), "{written}");
        let item = ok(dir, &format!("report export {file} --as xml --item 1"));
        assert!(
            item.contains(">D41D8CD98F00B204E9800998ECF8427E<"),
            "{item}"
        );
    }
    let named = stderr(&frex(dir, "report export r.json --as xml --out again.xml"));
    assert!(named.contains("no place for reference, created"), "{named}");
    let again = ok(
        dir,
        "report import again.xml --reference 2026-0417 --out again.json",
    );
    assert!(again.starts_with("again.json"), "{again}");
    refused(
        dir,
        "report export r.json --as xml --item 2",
        2,
        "BAD_INPUT",
    );
    refused(
        dir,
        "report import tip.xml --out r.json",
        1,
        "ALREADY_EXISTS",
    );
    // CLI-3: a file that is named twice is a slip; another one that says the same may be meant, and is told of.
    let twice = "report import tip.xml --out twice.json --files file.xml";
    refused(dir, &format!("{twice} ./file.xml"), 2, "BAD_INPUT");
    write(dir, "copy.xml", FILE);
    let told = stderr(&frex(dir, &format!("{twice} copy.xml")));
    assert!(
        told.contains("copy.xml says the same as file.xml"),
        "{told}"
    );
    refused(dir, "report show tip.xml", 2, "BAD_INPUT");
}

// MOD-9: every fault is listed, by its path and without what it says.
#[test]
fn faults_are_listed_by_their_paths() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let view =
        json!({"reference": "A-1", "created": "secret", "victims": [{"person": {"age": 200}}]});
    write(dir, "view.json", &view.to_string());
    let listed = exits(dir, "report check view.json", 2);
    assert!(
        listed.contains("created is not of this form; expected an RFC 3339"),
        "{listed}"
    );
    assert!(listed.contains("victims[0].person.age"), "{listed}");
    assert!(!listed.contains("secret"), "{listed}");
    let judged = json(dir, "report check view.json", 2);
    assert_eq!(judged["problems"].as_array().map(Vec::len), Some(2));
    write(
        dir,
        "doctype.xml",
        "<!DOCTYPE report SYSTEM \"file:///etc/passwd\"><report/>",
    );
    let text = refused(dir, "report check doctype.xml", 2, "BAD_INPUT");
    assert!(text.contains("document type"), "{text}");
    write(dir, "first.json", FIRST);
    ok(dir, "report check first.json");
    ok(dir, "report import first.json --out second.json");
    ok(dir, "report check second.json");
    let shown = json(dir, "report show second.json", 0);
    assert_eq!(
        shown["report"]["hosting"][0]["url"],
        "https://host.example/1"
    );
}

// MOD-2, MOD-3: both forms of version 2 are sent, arrive as Protobuf and are shown as JSON.
#[test]
fn a_report_of_version_2_is_sent_and_shown() {
    let world = World::new();
    let dir = world.path();
    let _nodes = [world.start("fr"), world.start("es")];
    write(dir, "tip.xml", TIP);
    refused(dir, "send tip.xml --from fr --to police.es", 2, "BAD_INPUT");
    for (name, out) in [("one", "one.frexreport"), ("two", "two.json")] {
        ok(
            dir,
            &format!("report import tip.xml --reference {name} --out {out}"),
        );
        let sent = json(
            dir,
            &format!("send {out} --once --from fr --to police.es"),
            0,
        );
        assert_eq!(sent["recipients"][0]["state"], "accepted", "{sent}");
        let read = json(dir, "inbox es --wait 5s", 0);
        let item = &read["items"][0];
        assert_eq!(
            item["content_type"],
            "application/vnd.frex.report.v2+protobuf"
        );
        let file = item["file"].as_str().expect("a path");
        assert!(file.ends_with(".frexreport"), "{file}");
        let message = sent["message"].as_str().expect("an id");
        let shown = json(dir, &format!("show {message} es"), 0);
        assert_eq!(shown["content"]["reference"], name);
        assert_eq!(shown["content"]["incident"]["type"], "grooming");
        let written = ok(dir, &format!("report export {file} --as xml"));
        assert!(
            written.contains("<later at=\"1\">kept</later>"),
            "{written}"
        );
        let line = format!("evidence export {message} fr --out {name}.frexev --reveal content");
        ok(dir, &line);
    }
    // By the line, each version as what it is.
    let view = fs::read_to_string(dir.join("two.json")).expect("made above");
    let view: Value = serde_json::from_str(&view).expect("JSON");
    let view = view.to_string().replacen("\"two\"", "\"three\"", 1);
    write(dir, "lines.jsonl", &format!("{view}\n{FIRST}\n"));
    ok(dir, "bulk lines.jsonl --from fr --to police.es");
    let read = json(dir, "inbox es --wait 5s", 0);
    let items = read["items"].as_array().expect("a list");
    let types: Vec<&str> = items
        .iter()
        .filter_map(|item| item["content_type"].as_str())
        .collect();
    assert!(
        types.contains(&"application/vnd.frex.report.v2+protobuf"),
        "{types:?}"
    );
    let twice: Value = json(dir, "send two.json --once --from fr --to police.es", 0);
    assert_eq!(twice["before"], true);
}
