//! One filing reaches everybody competent, each with what it may have; what is missing, sent before or
//! nobody's is said.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use frex_proto::{error::WireCode, v1};
use frex_tests::processes::{Ended, Frex, NodeProcess};
use prost::Message;
use serde_json::{Value, json};

mod recalled;

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
const PATIENCE: Duration = Duration::from_secs(30);
/// One envelope a minute.
const NARROW: [&str; 2] = ["--quota", "platform.us=1/1"];

struct Scene {
    frex: Frex,
    _nodes: Vec<NodeProcess>,
}

impl Scene {
    /// Four members in two countries; the hotline needs a report to say when an address was used.
    fn new(dir: &Path) -> Self {
        Self::with(dir, &[])
    }

    /// The same, with more in the roster.
    fn with(dir: &Path, more: &[&str]) -> Self {
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
        frex.federation_of(&MEMBERS, &[]);
        let needs = ["--needs", "hotline.no=reported.ip_events.at,hashes"];
        frex.next_roster("next.frex", "roster.frex", &[&needs, more].concat());
        for (member, ..) in MEMBERS {
            let _ = frex.done(&["roster", "install", "next.frex", member]);
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

    /// A command of words without blanks.
    fn run(&self, line: &str) -> Ended {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.frex.run(&words)
    }

    fn done(&self, line: &str) -> Value {
        let ended = self.run(line);
        assert_eq!(ended.exit, Some(0), "{line}: {ended:?}");
        ended.json()
    }

    /// Gives the platform room again, whose quota was one envelope a minute.
    fn widen(&self) {
        let room = ["--quota", "platform.us=none"];
        self.frex.next_roster("wide.frex", "next.frex", &room);
        self.done(&format!("roster install wide.frex {PLATFORM}"));
    }

    /// The command again until its node has heard that there is room.
    fn patiently(&self, line: &str) -> Ended {
        let start = Instant::now();
        loop {
            let ended = self.run(line);
            if !ended.err.contains("RETRY_AFTER") {
                return ended;
            }
            assert!(start.elapsed() < PATIENCE, "{ended:?}");
        }
    }

    fn send(&self, file: &str, more: &str) -> Ended {
        self.run(&format!(
            "send {file} --route --from {PLATFORM} --wait 30s {more}"
        ))
    }

    fn policy(&self, text: &str) {
        self.write(
            "platform.us/member/route.toml",
            &format!("version = 1\n{text}"),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.frex.dir().join(name)
    }

    /// Files of the platform that begin so, in a folder.
    fn files(&self, folder: &str, begin: &str) -> Vec<PathBuf> {
        let folder = self.path(&format!("{PLATFORM}/member/{folder}"));
        let entries = fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let begins = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(begin)
        };
        paths.filter(begins).collect()
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

/// Refused with this code; gives what was said.
fn refused(ended: &Ended, code: WireCode) -> String {
    assert_eq!(ended.code(), Some(code as u64), "{ended:?}");
    assert_eq!(ended.exit, Some(i32::from(code.info().exit)), "{ended:?}");
    let said: Value = serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
    let text = |name: &str| said["error"][name].as_str().unwrap().to_owned();
    format!("{} {}", text("what"), text("cause"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

// RTE-10, RTE-18, RTE-20, RTE-24, RTE-27 to RTE-34: previewed, sent as one message for each copy, in one
// case; a copy without contents has none; what was decided can be checked without the report.
#[test]
fn one_filing_reaches_everybody_with_what_each_may_have() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.write("report.json", &report(|_| ()));
    scene.write("platform.us/member/ranges.csv", "192.0.2.0/24,NO\n");
    scene.policy("ranges = \"ranges.csv\"\n[[approval]]\ncountries = [\"NO\"]\nby = \"legal\"\n");
    previewed(&scene);
    let sent = agreed_and_sent(&scene);
    arrived(&scene, &sent);
    decided(&scene, &sent);
    goes_on(&scene, &sent);
    erased(&scene, &sent);
}

fn previewed(scene: &Scene) {
    let shown = scene.done(&format!("route report.json {PLATFORM} --out plan.json"));
    let plan = &shown["plan"];
    assert_eq!(shown["lacks"], json!([]));
    let as_printed = "--plan plan.json --from platform.us --approved 'legal'";
    assert!(text(&shown, "try").ends_with(as_printed), "{shown}");
    let recipients = plan["recipients"].as_array().unwrap().iter();
    let copies: Vec<(&str, &str)> = recipients
        .map(|one| (text(one, "member"), text(one, "copy")))
        .collect();
    let expected = [
        (CLEARING, "full"),
        (HOTLINE, "metadata"),
        (POLICE, "metadata"),
    ];
    assert_eq!(copies, expected);
    assert_eq!(plan["candidates"][0]["country"], "NO");
    assert_eq!(plan["recipients"][0]["ground"]["law"], "18 USC 2258A");
    let said = plan.to_string();
    assert!(!said.contains("192.0.2") && !said.contains("sam_4711"));
}

fn agreed_and_sent(scene: &Scene) -> Value {
    let nothing = scene.send("report.json", "");
    assert_eq!(nothing.json()["sent"], false);
    assert!(text(&nothing.json(), "try").ends_with("--approved 'legal'"));
    let no_plan = scene.send("report.json", "--plan report.json");
    let said = refused(&no_plan, WireCode::BadInput);
    assert!(said.contains("report.json is no plan"), "{said}");
    let alone = scene.send("report.json", "--plan plan.json");
    let said = refused(&alone, WireCode::NotApproved);
    assert!(said.contains("legal for NO"), "{said}");
    let sent = scene.send("report.json", "--plan plan.json --approved legal");
    assert_eq!(sent.exit, Some(0), "{sent:?}");
    sent.json()
}

fn arrived(scene: &Scene, sent: &Value) {
    let (case, copied) = (&sent["case"], &sent["messages"][1]["message"]);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 2);
    assert_eq!(sent["messages"][0]["message"], *case);
    for (place, message) in sent["messages"].as_array().unwrap().iter().enumerate() {
        let core = header(scene, text(message, "envelope"));
        assert_eq!(hex::encode(&core.conversation_id), *case);
        assert_eq!(core.sequence, place as u64);
    }
    let (about, content) = scene.read(CLEARING);
    assert_eq!((&about["message"], &about["conversation"]), (case, case));
    let chat = &content["channels"][0]["chat"];
    assert_eq!(chat["content"], "Words of a conversation.");
    for member in [POLICE, HOTLINE] {
        let (about, content) = scene.read(member);
        assert_eq!((&about["message"], &about["conversation"]), (copied, case));
        let text = content.to_string().to_lowercase();
        assert!(!text.contains("words"), "{text}");
        assert_eq!(content["reported"][0]["ip_events"][0]["port"], 4711);
        assert_eq!(content["items"][0]["hashes"][0]["algorithm"], "md5");
        assert_eq!(content["lineage"]["origin"], PLATFORM);
        let copied = copied.as_str().unwrap();
        let scored = scene.done(&format!("report score {copied} --dir {member}"));
        assert!(scored["scores"]["actionability"]["score"].as_u64() > Some(30));
    }
}

/// The header of a message that the platform sent.
fn header(scene: &Scene, envelope: &str) -> v1::Core {
    let kept = format!("{PLATFORM}/member/sent/{envelope}.exhibit");
    let kept = v1::Exhibit::decode(&fs::read(scene.path(&kept)).unwrap()[..]).unwrap();
    let signed = v1::Signed::decode(kept.signed).unwrap();
    let manifest = v1::Manifest::decode(signed.payload).unwrap();
    v1::Core::decode(manifest.core).unwrap()
}

/// The record and evidence without content bind the decision to what the logs hold.
fn decided(scene: &Scene, sent: &Value) {
    let (record, case) = (text(sent, "record"), text(sent, "case"));
    let written = fs::read_to_string(scene.path(record)).unwrap();
    assert!(!written.contains("P-1") && !written.contains("192.0.2") && written.contains("legal"));
    let copied = text(&sent["messages"][1], "message");
    let verified = scene.done(&format!(
        "route verify {record} --message {case} --message {copied}"
    ));
    assert_eq!(verified["checks"][1]["part"], 1);
    let begun = format!("route verify {record} --message {}", &copied[..8]);
    assert_eq!(scene.done(&begun)["checks"][0]["message"], copied);
    let plan = scene.run(&format!("route verify plan.json --message {case}"));
    let said = refused(&plan, WireCode::BadInput);
    assert!(said.contains("plan.json is a plan"), "{said}");
    scene.done(&format!(
        "evidence export {case} {PLATFORM} --out case.frexevidence"
    ));
    let proven = scene.run(&format!("evidence verify case.frexevidence --root {ROOT}"));
    assert!(
        proven.exit == Some(0) && proven.out.contains(case),
        "{proven:?}"
    );
    scene.write(
        "other.json",
        &written.replacen("\"legal\"", "\"nobody\"", 1),
    );
    let other = scene.run(&format!("route verify other.json --message {case}"));
    refused(&other, WireCode::BadEvidence);
}

/// Given again under its id, it goes on where it was stopped: here nothing is left to send.
fn goes_on(scene: &Scene, sent: &Value) {
    let go_on = format!(
        "--confirm --approved legal --message {}",
        text(sent, "case")
    );
    scene.write(
        "edited.json",
        &report(|one| one["description"] = "Other words.".into()),
    );
    let edited = scene.send("edited.json", &format!("{go_on} --anyway"));
    refused(&edited, WireCode::BadInput);
    let again = scene.send("report.json", &go_on);
    assert_eq!(again.exit, Some(0), "{again:?}");
    let again = again.json();
    assert_eq!(again["record_sha256"], sent["record_sha256"]);
    let before = again["messages"].as_array().unwrap();
    let all = before.iter().all(|one| one["before"] == true);
    assert!(before.len() == 2 && all, "{again}");
    scene.policy("");
    let changed = scene.send("report.json", &go_on);
    let _ = refused(&changed, WireCode::PlanChanged);
    // Whoever is named would get all of it.
    assert!(!changed.err.contains("--to MEMBER"), "{changed:?}");
}

/// What is erased takes the record along, and what it would be noticed by.
fn erased(scene: &Scene, sent: &Value) {
    let case = text(sent, "case");
    let tags = scene.path(&format!("{PLATFORM}/member/before/{case}.tags"));
    assert!(tags.exists());
    let order = "--ground withdrawn --authority x:1 --local --confirm";
    scene.done(&format!("erase {case} {PLATFORM} {order}"));
    assert!(!scene.path(text(sent, "record")).exists() && !tags.exists());
}

// RTE-5, RTE-8, RTE-9, RTE-19, RTE-33: what is missing is named for whom, what was sent before is noticed,
// a plan that does not hold is refused, and what nobody would get is refused with its reason.
#[test]
fn what_is_missing_sent_before_or_nobodys_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.write("report.json", &report(|_| ()));
    missing(&scene);
    sent_before(&scene);
    changed(&scene);
}

// RTE-30, RTE-33: where a part could not leave, the others have, and the command that is printed sends the
// rest; it is one report still.
#[test]
fn a_route_that_stops_halfway_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::with(dir.path(), &NARROW);
    scene.write("report.json", &report(|_| ()));
    let stopped = scene.send("report.json", "--confirm");
    assert_eq!(stopped.exit, Some(3), "{stopped:?}");
    let sent = stopped.json();
    assert_eq!(sent["sent"], true);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 1);
    let printed = stopped.err.lines().find_map(|line| {
        let (_, command) = line.split_once("go on with:  frex ")?;
        Some(command.to_owned())
    });
    // RTE-37: what the node does not take has not left, and is not noticed.
    let other = report(|one| {
        one["reported"] = json!([{"person": {"phones": [{"value": "+47 11 11 11 11"}]}}]);
        one["items"] = json!([]);
    });
    scene.write("other.json", &other);
    let named = format!("send other.json --to {POLICE} --from {PLATFORM} --wait 30s");
    let kept = scene.files("before", "").len();
    refused(&scene.run(&named), WireCode::RetryAfter);
    assert_eq!(scene.files("before", "").len(), kept);
    scene.widen();
    let finished = scene.patiently(&printed.unwrap_or_else(|| panic!("{stopped:?}")));
    assert_eq!(finished.exit, Some(0), "{finished:?}");
    let finished = finished.json();
    let parts = finished["messages"].as_array().unwrap();
    let before: Vec<bool> = parts.iter().map(|one| one["before"] == true).collect();
    assert_eq!(before, [true, false], "{finished}");
    assert_eq!(finished["record_sha256"], sent["record_sha256"]);
    for member in [CLEARING, POLICE, HOTLINE] {
        assert_eq!(scene.read(member).0["conversation"], sent["case"]);
    }
    let count = "stats count platform.us --definition frex.reports-filed";
    assert_eq!(scene.done(count)["reports"], 1);
    scene.done(&named);
    nobody_has_it(&scene, text(&sent, "case"));
}

/// The command for a case that nobody has says what it sends: who is named may have had metadata only.
fn nobody_has_it(scene: &Scene, case: &str) {
    let acts = ["triage rejected", "triage rejected", "route declined"];
    for (member, act) in [CLEARING, HOTLINE, POLICE].into_iter().zip(acts) {
        let (verb, word) = act.split_once(' ').unwrap();
        let why = "--reason not-competent --wait 30s";
        scene.done(&format!("act {verb} {case} {word} {why} --from {member}"));
        let _ = scene.frex.done(&["inbox", PLATFORM, "--wait", "30s"]);
    }
    let listed = scene.done(&format!("case ls {PLATFORM}"));
    let note = text(&listed["nobody"][0], "note");
    assert!(note.contains("may have metadata only"), "{note}");
}

fn missing(scene: &Scene) {
    let bare = report(|one| {
        let party = one["reported"][0].as_object_mut().unwrap();
        party.remove("ip_events");
        one["items"] = json!([]);
    });
    scene.write("bare.json", &bare);
    let ahead = scene.done(&format!("route bare.json {PLATFORM}"));
    let lacks = ahead["lacks"][0].as_str().unwrap();
    assert!(lacks.contains("hotline.no needs a report"), "{ahead}");
    assert!(text(&ahead, "try").ends_with("--anyway"), "{ahead}");
    let routed = scene.send("bare.json", "--confirm");
    let said = refused(&routed, WireCode::NotAccepted);
    for words in [
        "hotline.no needs a report to say more",
        "reported[0].ip_events[0].at",
        "items (in the roster hashes)",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let score = scene.done(&format!(
        "report score bare.json --to {HOTLINE} --dir {PLATFORM}"
    ));
    assert_eq!(score["recipients"][0]["completeness"]["score"], 0);
    let named = format!("send bare.json --to {HOTLINE} --from {PLATFORM} --wait 30s");
    refused(&scene.run(&named), WireCode::NotAccepted);
    let anyway = scene.run(&format!("{named} --anyway"));
    assert_eq!(anyway.exit, Some(0), "{anyway:?}");
    assert!(anyway.err.contains("it goes all the same"), "{anyway:?}");
    unreadable(scene);
}

/// What cannot be read says nothing that is needed, and no field is read as one of another version.
fn unreadable(scene: &Scene) {
    scene.write("words.xml", "<words/>");
    let foreign = format!("send words.xml --to {HOTLINE} --from {PLATFORM} --wait 30s");
    let said = scene.run(&format!("{foreign} --content-type application/xml"));
    let said = refused(&said, WireCode::NotAccepted);
    assert!(
        said.contains("no report whose fields can be read"),
        "{said}"
    );
    // MOD-21
    let mixed = report(|one| one["urls"] = json!([{"url": "https://host.example/page"}]));
    scene.write("mixed.json", &mixed);
    // REP-11
    let typed = r#"{"reference": "A", "created": "2026-07-01T12:00:00Z", "description": "words", "hashs": []}"#;
    scene.write("typed.json", typed);
    for (file, meant) in [("mixed.json", "hosting"), ("typed.json", "hashes")] {
        let way = format!("send {file} --to {POLICE} --from {PLATFORM} --wait 30s");
        let said = refused(&scene.run(&way), WireCode::BadInput);
        assert!(said.contains(meant), "{said}");
        let checked = scene.run(&format!("report check {file}"));
        assert_eq!(checked.exit, Some(2), "{checked:?}");
    }
}

fn sent_before(scene: &Scene) {
    let named = format!("send report.json --to {POLICE} --from {PLATFORM} --wait 30s");
    let first = scene.done(&named);
    let message = text(&first, "message");
    let said = refused(&scene.run(&named), WireCode::LooksSent);
    assert!(said.contains(message), "{said}");
    let alike = report(|one| {
        one["description"] = "In other words.".into();
        one["reference"] = "P-2".into();
    });
    scene.write("alike.json", &alike);
    let routed = scene.send("alike.json", "--confirm");
    refused(&routed, WireCode::LooksSent);
    assert!(!routed.err.contains("--to MEMBER"), "{routed:?}");
    // STA-42: under another name it is the same incident all the same.
    let counted = || {
        let filed = scene.done("stats count platform.us --definition frex.reports-filed");
        ["reports", "incidents"].map(|field| filed[field].as_u64().unwrap())
    };
    let [reports, incidents] = counted();
    let again = named.replace("report.json", "alike.json");
    let same_case = scene.done(&format!("{again} --duplicate-of {message}"));
    assert_eq!(counted(), [reports + 1, incidents]);
    let name = format!(
        "{PLATFORM}/member/sent/{}.json",
        text(&same_case, "message")
    );
    let about = fs::read(scene.path(&name)).unwrap();
    let about: Value = serde_json::from_slice(&about).unwrap();
    assert_eq!(about["conversation"], message);
    by_the_beginning_of_an_id(scene, &named, message);
}

/// A case is named by its id, that of a message of it, or the beginning of one.
fn by_the_beginning_of_an_id(scene: &Scene, named: &str, case: &str) {
    let short = scene.done(&format!("{named} --anyway --case {}", &case[..8]));
    let core = header(scene, text(&short, "envelope"));
    assert_eq!(hex::encode(&core.conversation_id), case);
    let of_message = &text(&short, "message")[..8];
    let again = scene.done(&format!("{named} --anyway --case {of_message}"));
    let core = header(scene, text(&again, "envelope"));
    assert_eq!(hex::encode(&core.conversation_id), case);
}

/// What leads away from a plan, or names somebody twice, is refused, and what a name gets round is said.
fn by_name(scene: &Scene) {
    let named = format!("send report.json --from {PLATFORM} --wait 30s --to {POLICE}");
    let planned = scene.run(&format!("{named} --plan plan.json --approved legal"));
    let said = refused(&planned, WireCode::BadInput);
    assert!(said.contains("--plan, --approved"), "{said}");
    let confirmed = scene.run(&format!("{named} --confirm"));
    refused(&confirmed, WireCode::BadInput);
    let twice = scene.run(&format!("{named} {POLICE}"));
    let said = refused(&twice, WireCode::BadInput);
    assert!(said.contains("named more than once"), "{said}");
}

// RTE-37, RTE-38: that something is sent is kept before it leaves, so that what may have left is not sent twice;
// what was exonerated is not sent again for the asking.
#[test]
fn what_may_have_left_is_not_sent_twice() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.write("report.json", &report(|_| ()));
    let named = format!("send report.json --to {POLICE} --from {PLATFORM} --wait 30s");
    let first = scene.run(&named);
    assert_eq!(first.exit, Some(0), "{first:?}");
    let note = format!("{POLICE} (metadata only)");
    assert!(first.err.contains(&note), "{first:?}");
    let message = text(&first.json(), "message").to_owned();
    let go_on = format!("--message {message}");
    assert!(first.err.contains(&go_on), "{first:?}");
    let tags = scene.path(&format!("{PLATFORM}/member/before/{message}.tags"));
    let written = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let receipts = scene.files("receipts", &message);
    assert!(!receipts.is_empty());
    for receipt in &receipts {
        assert!(written(&tags) <= written(receipt), "{receipt:?}");
        // As if the command had been stopped before it came.
        fs::remove_file(receipt).unwrap();
    }
    let shown = scene.run(&format!("case show {message} {PLATFORM}"));
    let said = refused(&shown, WireCode::NotFound);
    assert!(said.contains("was sealed here"), "{said}");
    let again = scene.run(&named);
    refused(&again, WireCode::LooksSent);
    assert!(again.err.contains(&go_on), "{again:?}");
    let before = scene.done(&format!("{named} {go_on}"));
    assert_eq!(before["before"], true);
    scene.done(&format!("case show {message} {PLATFORM}"));
    let recall = format!("recall {message} {PLATFORM} --reason exonerated --confirm --wait 30s");
    scene.done(&recall);
    let again = scene.run(&named);
    let said = refused(&again, WireCode::LooksSent);
    assert!(said.contains("exonerated"), "{said}");
    assert!(!again.err.contains("all the same"), "{again:?}");
}

fn changed(scene: &Scene) {
    scene.done(&format!("route report.json {PLATFORM} --out plan.json"));
    by_name(scene);
    scene.policy("[[rule]]\nroles = [\"police\"]\ndo = \"deny\"\nwhy = \"no agreement\"\n");
    let other = scene.send("report.json", "--plan plan.json --anyway");
    let said = refused(&other, WireCode::PlanChanged);
    assert!(said.contains("passed_over"), "{said}");
    scene.policy("[[rule]]\nmembers = [\"police.on\"]\ndo = \"deny\"\n");
    let mistyped = scene.run(&format!("route report.json {PLATFORM}"));
    assert!(
        mistyped.exit == Some(0) && mistyped.err.contains("police.on"),
        "{mistyped:?}"
    );
    scene.policy("[[rule]]\ndo = \"deny\"\n");
    let nobody = scene.send("report.json", "--confirm");
    let said = refused(&nobody, WireCode::Unrouted);
    let denied = "police.no is passed over: denied by rule 1 of the policy";
    assert!(said.contains(denied), "{said}");
    assert!(
        nobody.err.contains("route.toml") && !nobody.err.contains("--to"),
        "{nobody:?}"
    );
    scene.policy("also = [\n  \"nobody.xx\",\n]\n");
    let nobody = scene.run(&format!("route report.json {PLATFORM}"));
    let said = refused(&nobody, WireCode::BadConfig);
    assert!(said.contains("nobody.xx"), "{said}");
    assert!(nobody.err.contains("line 3 of "), "{nobody:?}");
    scene.policy("[[rule]]\ncountries = [\"No\"]\ndo = \"deny\"\n");
    let bad = scene.run(&format!("route report.json {PLATFORM}"));
    let said = refused(&bad, WireCode::BadConfig);
    let where_it_is = "line 3: rule 1 names \"No\", which is written \"NO\"";
    assert!(said.contains(where_it_is), "{said}");
    scene.policy("colour = 3\n");
    let bad = scene.run(&format!("route report.json {PLATFORM}"));
    let said = refused(&bad, WireCode::BadConfig);
    assert!(said.contains("line 2"), "{said}");
}
