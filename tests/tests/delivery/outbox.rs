//! What waits, what did not get there, and what is ordered for it, while nodes are killed.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use frex_client::{
    environment::{Clock, Environment},
    passphrase::Unlock,
    transport::Socket,
};
use frex_node::home::NodeHome;
use frex_proto::error::WireCode;
use frex_tests::{
    processes::{Ended, Frex, NodeProcess},
    refuser::Refuser,
};
use serde_json::Value;
use tokio::sync::oneshot;

const SENDER: &str = "hotline.fr";
const RECEIVER: &str = "police.es";
const RECEIVER_NODE: &str = "node.police.es";
const REPORT: &str = "report.json";
const ROOT: &str = "governance/root.frex";
/// A wide bound: nothing here takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

fn federation(dir: &Path, settings: &[(&str, &str)]) -> Frex {
    federation_of(dir, &[SENDER, RECEIVER], settings)
}

fn federation_of(dir: &Path, members: &[&str], settings: &[(&str, &str)]) -> Frex {
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
    frex.federation(members, settings);
    let report = r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"made up"}"#;
    fs::write(dir.join(REPORT), report).unwrap();
    frex
}

/// Kills the node and starts it again on what its disk has.
fn killed_and_started(frex: &Frex, member: &str, mut node: NodeProcess) -> NodeProcess {
    node.kill().unwrap();
    frex.start(member)
}

/// Files a report that nobody takes yet; gives its message id.
fn file(frex: &Frex, from: &str, more: &[&str]) -> String {
    let send = ["send", REPORT, "--to", RECEIVER, "--from", from];
    let sent = frex.run(&[&send[..], &["--wait", "0s"], more].concat());
    assert_eq!(sent.exit, Some(3), "{sent:?}");
    sent.json()["message"].as_str().unwrap().to_owned()
}

/// The one delivery of a message; none if there is none.
fn delivery(frex: &Frex, message: &str) -> Option<Value> {
    let shown = frex.run(&["outbox", "show", message, SENDER]);
    if shown.code() == Some(WireCode::NotFound as u64) {
        return None;
    }
    let rows = shown.json()["deliveries"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 1, "{shown:?}");
    rows.into_iter().next()
}

/// Waits until the delivery stands so.
fn until_state(frex: &Frex, message: &str, state: &str) -> Value {
    until(|| delivery(frex, message).filter(|row| row["state"] == state))
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come to that");
        thread::sleep(Duration::from_millis(200));
    }
}

fn order(frex: &Frex, words: &[&str], message: &str, more: &[&str]) -> Ended {
    frex.run(&[&["outbox"], words, &[message, SENDER], more].concat())
}

fn given_up(frex: &Frex, message: &str) -> Value {
    let fetched = frex.run(&["receipt", "fetch", message, SENDER, "--wait", "0s"]);
    fetched.json()["given_up"].clone()
}

fn has(row: &Value, field: &str, text: &str) -> bool {
    row[field].as_str().unwrap().contains(text)
}

/// How `frex show` says it stands with the receiver, and why.
fn fate(frex: &Frex, message: &str) -> [Value; 2] {
    let shown = frex.done(&["show", message, SENDER]);
    let row = shown["recipients"][0].clone();
    assert_eq!(row["member"], RECEIVER, "{shown}");
    ["state", "code_name"].map(|field| row[field].clone())
}

/// The beginning of an id is taken where it fits one message; asks the sender's node, which has one
/// delivery of `message` and keeps it.
fn beginnings_of_ids_are_taken(frex: &Frex, message: &str) {
    let fetch = |id: &str| frex.run(&["receipt", "fetch", id, SENDER, "--wait", "0s"]);
    let show = |id: &str| order(frex, &["show"], id, &[]);
    for ended in [fetch(&message[..8]), show(&message[..8])] {
        assert_eq!(
            (ended.exit, &ended.json()["message"]),
            (Some(0), &message.into())
        );
    }
    let sent = frex.dir().join(SENDER).join("member/sent");
    let other = format!("{}{}", &message[..16], "0".repeat(16));
    let twin = sent.join(format!("{other}.json"));
    let kept = fs::read_to_string(sent.join(format!("{message}.json"))).unwrap();
    fs::write(&twin, kept.replace(message, &other)).unwrap();
    for (id, code) in [
        (&message[..8], WireCode::BadInput),
        ("abc", WireCode::BadInput),
        ("not-hexadecimal", WireCode::BadInput),
        (&"0".repeat(20), WireCode::NotFound),
    ] {
        for ended in [fetch(id), show(id)] {
            assert_eq!(ended.code(), Some(code as u64), "{id}: {ended:?}");
        }
    }
    assert!(fetch(&message[..8]).err.contains(message));
    assert_eq!(fetch(message).exit, Some(0));
    fs::remove_file(twin).unwrap();
}

/// The plan says that the sender was told before why it ended, and that nothing else is told now.
fn dropping_is_planned(frex: &Frex, late: &str) {
    let planned = order(frex, &["drop"], &late[..12], &[]);
    let plan = planned.json();
    assert_eq!(
        (planned.exit, &plan["confirmed"], &plan["message"]),
        (Some(0), &Value::Bool(false), &late.into())
    );
    assert!(
        has(&plan["deliveries"][0], "step", "goes on seeing EXPIRED"),
        "{plan}"
    );
}

// DEL-32, DEL-33, DEL-34, DEL-37, DEL-43, DEL-46, CLI-21, CLI-22, CLI-23, CLI-24, CLI-27, CLI-28,
// CLI-29, CLI-31: a destination is down; what waits says why, what expires is kept, what is dropped is
// told; and no kill -9 changes that.
#[test]
fn what_waits_says_why_and_no_order_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), &[]);
    let node = frex.start(SENDER);
    let kept = file(&frex, SENDER, &[]);
    let row = until_state(&frex, &kept, "unreachable");
    assert_eq!(row["node"], RECEIVER_NODE);
    assert!(has(&row, "what", "is not reached"), "{row}");
    assert!(has(&row, "try", "frex peer test node.police.es"), "{row}");
    let node = killed_and_started(&frex, SENDER, node);
    until_state(&frex, &kept, "unreachable");
    beginnings_of_ids_are_taken(&frex, &kept);
    assert_eq!(fate(&frex, &kept), [Value::from("SUBMITTED"), Value::Null]);

    expires_while_it_is_watched(&frex);
    let late = file(&frex, SENDER, &["--expires", "4s"]);
    let row = until_state(&frex, &late, "dead");
    assert_eq!(row["code_name"], "EXPIRED");
    assert!(has(&row, "try", "frex send"), "{row}");
    let node = killed_and_started(&frex, SENDER, node);
    until_state(&frex, &late, "dead");
    let refused = order(&frex, &["requeue"], &late[..12], &[]);
    let code = (refused.exit, refused.code());
    assert_eq!(code, (Some(22), Some(WireCode::Expired as u64)));
    let ended = given_up(&frex, &late);
    assert_eq!(ended[0]["code_name"], "EXPIRED", "{ended}");
    assert_eq!(ended[0]["node"], RECEIVER_NODE, "{ended}");
    assert_eq!(ended[0]["members"][0], RECEIVER, "{ended}");
    assert_eq!(fate(&frex, &late), ["EXPIRED", "EXPIRED"].map(Value::from));
    dropping_is_planned(&frex, &late);
    until_state(&frex, &late, "dead");
    assert_eq!(order(&frex, &["drop"], &late, &["--confirm"]).exit, Some(0));
    let node = killed_and_started(&frex, SENDER, node);
    assert_eq!(delivery(&frex, &late), None);
    assert_eq!(given_up(&frex, &late)[0]["code_name"], "EXPIRED");

    let unwanted = file(&frex, SENDER, &[]);
    let other = order(
        &frex,
        &["drop"],
        &unwanted,
        &["--node", "node.nobody", "--confirm"],
    );
    assert_eq!(other.code(), Some(WireCode::NotFound as u64), "{other:?}");
    let dropped = order(
        &frex,
        &["drop"],
        &unwanted,
        &["--node", RECEIVER_NODE, "--confirm"],
    );
    assert_eq!(dropped.exit, Some(0), "{dropped:?}");
    let ended = &dropped.json()["deliveries"][0];
    assert_eq!(ended["sender_sees"], "WITHDRAWN", "{ended}");
    assert!(has(ended, "step", "its sender sees WITHDRAWN"), "{ended}");
    assert_eq!(
        fate(&frex, &unwanted),
        ["UNDELIVERABLE", "WITHDRAWN"].map(Value::from)
    );
    let _node = killed_and_started(&frex, SENDER, node);
    assert_eq!(delivery(&frex, &unwanted), None);
    assert_eq!(given_up(&frex, &unwanted)[0]["code_name"], "WITHDRAWN");
    assert_eq!(fate(&frex, &unwanted)[0], "UNDELIVERABLE");

    let _receiver = frex.start(RECEIVER);
    until(|| delivery(&frex, &kept).is_none().then_some(()));
    let listed = frex.done(&["outbox", "ls", SENDER]);
    assert_eq!(listed["deliveries"], Value::Array(Vec::new()));
    assert_eq!(arrived(&frex), [kept]);
}

/// CLI-31: a recipient whose time is over is not waited for as well.
fn expires_while_it_is_watched(frex: &Frex) {
    let send = ["send", REPORT, "--to", RECEIVER, "--from", SENDER];
    let ended = frex.run(&[&send[..], &["--expires", "3s", "--wait", "60s"]].concat());
    let code = Some(WireCode::Expired as u64);
    assert_eq!((ended.exit, ended.code()), (Some(22), code), "{ended:?}");
    let told = ended.json();
    assert_eq!(told["recipients"][0]["state"], "expired", "{ended:?}");
    assert_eq!(told["notes"], Value::Array(Vec::new()), "{ended:?}");
    assert!(!ended.err.contains("goes on by itself"), "{ended:?}");
    let message = told["message"].as_str().unwrap();
    assert_eq!(
        order(frex, &["drop"], message, &["--confirm"]).exit,
        Some(0)
    );
}

/// Message ids of what the receiver fetches.
fn arrived(frex: &Frex) -> Vec<String> {
    let inbox = frex.run(&["inbox", RECEIVER, "--wait", "20s"]).json();
    let rows = inbox["items"].as_array();
    let rows = rows.unwrap_or_else(|| panic!("{inbox}")).iter();
    rows.map(|row| row["message"].as_str().unwrap().to_owned())
        .collect()
}

// DEL-32, DEL-33: what a destination refuses for good is kept, and goes under the same ids once
// the cause is mended and the roster has changed.
#[test]
fn what_was_refused_for_good_gets_there_when_it_is_queued_again() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), &[]);
    let node = frex.start(SENDER);
    let stub = Stub::begin(&frex.dir().join(RECEIVER).join("node"));
    let message = file(&frex, SENDER, &[]);
    let row = until_state(&frex, &message, "dead");
    assert_eq!(given_up(&frex, &message)[0]["code_name"], "WRONG_SENDER");
    assert_eq!(
        fate(&frex, &message),
        ["UNDELIVERABLE", "WRONG_SENDER"].map(Value::from)
    );
    assert_eq!(
        (&row["code_name"], &row["attempts"]),
        (&"WRONG_SENDER".into(), &1.into())
    );
    assert!(has(&row, "try", "frex outbox requeue"), "{row}");
    stub.end();
    let node = killed_and_started(&frex, SENDER, node);

    frex.next_roster(
        "next.frex",
        "roster.frex",
        &["--jurisdictions", "police.es=PT"],
    );
    for member in [SENDER, RECEIVER] {
        let _ = frex.done(&["roster", "install", "next.frex", member]);
    }
    let again = order(&frex, &["requeue"], &message, &[]);
    assert_eq!(again.exit, Some(0), "{again:?}");
    assert_eq!(fate(&frex, &message)[0], "SUBMITTED");
    assert_eq!(given_up(&frex, &message), Value::Array(Vec::new()));
    let _node = killed_and_started(&frex, SENDER, node);
    let waiting = delivery(&frex, &message).unwrap();
    assert_eq!(waiting["envelope"], row["envelope"]);
    assert_eq!(waiting["since"], row["since"]);

    let _receiver = frex.start(RECEIVER);
    until(|| delivery(&frex, &message).is_none().then_some(()));
    assert_eq!(arrived(&frex), [message]);
}

/// Stands where the receiver's node should, with its keys, and refuses every delivery for good.
struct Stub {
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Stub {
    fn begin(home: &Path) -> Self {
        let (stop, stopped) = oneshot::channel();
        let home = NodeHome::open(home, Clock::System.now_ms(), &Unlock::none()).unwrap();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(async {
                let stub = Refuser::bind(
                    &home.config.node,
                    home.roster,
                    &home.tls_key,
                    Socket::Udp(home.config.listen),
                    Environment::default(),
                );
                tokio::select! {
                    () = stub.serve() => {}
                    _ = stopped => {}
                }
                stub.end().await;
            });
        });
        Self { stop, thread }
    }

    fn end(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

// DEL-35, DEL-36, DEL-37: a member that another's node serves sees and orders what is its own, the
// member that runs the node sees and orders everything.
#[test]
fn a_hosted_member_sees_its_own_and_the_operator_sees_all() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path(), &[]);
    let hosted = "guest.fr";
    let made = frex.done(&[
        "init",
        "--member",
        hosted,
        "--name",
        hosted,
        "--country",
        "FR",
        "--role",
        "hotline",
        "--federation",
        "example",
        "--no-node",
        "--home-node",
        "node.hotline.fr",
        hosted,
    ]);
    frex.next_roster(
        "next.frex",
        "roster.frex",
        &[made["card"].as_str().unwrap()],
    );
    let _ = frex.done(&["roster", "install", "next.frex", "--root", ROOT, hosted]);
    for member in [SENDER, RECEIVER] {
        let _ = frex.done(&["roster", "install", "next.frex", member]);
    }
    let _node = frex.start(SENDER);
    let (own, theirs) = (file(&frex, SENDER, &[]), file(&frex, hosted, &[]));
    let seen = |words: &[&str]| -> Vec<String> {
        let listed = frex.done(&[&["outbox", "ls"], words].concat());
        let rows = listed["deliveries"].as_array().unwrap().iter();
        rows.map(|row| row["message"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(seen(&[hosted]), vec![theirs.clone()]);
    assert_eq!(seen(&[SENDER]), vec![own.clone()]);
    assert_eq!(seen(&[SENDER, "--all"]), [own.clone(), theirs.clone()]);
    let all = frex.run(&["outbox", "ls", hosted, "--all"]);
    assert_eq!(all.code(), Some(WireCode::WrongRole as u64), "{all:?}");
    let drop = |from: &str, message: &str, more: &[&str]| {
        let words = ["outbox", "drop", message, from, "--confirm"];
        frex.run(&[&words[..], more].concat())
    };
    let denied = drop(hosted, &own, &[]);
    assert_eq!(denied.code(), Some(WireCode::NotFound as u64), "{denied:?}");
    let unnamed = drop(SENDER, &theirs, &[]);
    assert_eq!(
        unnamed.code(),
        Some(WireCode::NotFound as u64),
        "{unnamed:?}"
    );
    // It is no message of the operator's own folder: the node knows which begins so.
    assert_eq!(drop(SENDER, &theirs[..12], &["--all"]).exit, Some(0));
    assert_eq!(drop(hosted, &theirs, &[]).exit, Some(1));
    assert_eq!(seen(&[SENDER, "--all"]), [own]);
}

// CLI-24: where a message goes to several nodes, an order must say which one is meant.
#[test]
fn a_message_to_several_nodes_is_ordered_about_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let other = "clearing.de";
    let frex = federation_of(dir.path(), &[SENDER, RECEIVER, other], &[]);
    let _node = frex.start(SENDER);
    let message = file(&frex, SENDER, &["--to", other]);
    let unclear = order(&frex, &["drop"], &message, &["--confirm"]);
    assert_eq!(unclear.exit, Some(2), "{unclear:?}");
    assert!(unclear.err.contains("node.clearing.de, node.police.es"));
    let clear = order(
        &frex,
        &["drop"],
        &message,
        &["--node", RECEIVER_NODE, "--confirm"],
    );
    assert_eq!(clear.exit, Some(0), "{clear:?}");
    let rest = delivery(&frex, &message).unwrap();
    assert_eq!(rest["node"], "node.clearing.de");
}

/// A wrong command is told of by the node as it starts, and by the doctor, before it is needed.
fn tells_of_a_command_that_cannot_be_run(frex: &Frex) {
    let path = frex.dir().join(RECEIVER).join("node/frex.toml");
    let text = fs::read_to_string(&path).unwrap();
    let kept = text
        .lines()
        .filter(|line| !line.starts_with("alert_command") && !line.starts_with("metrics"));
    let mut kept: Vec<&str> = kept.collect();
    kept.push(r#"alert_command = ["/no/such/program"]"#);
    fs::write(&path, kept.join("\n")).unwrap();
    let report = frex.run(&["doctor", &format!("{RECEIVER}/node")]).json();
    let rows = report["checks"].as_array().unwrap().iter();
    let mut rows = rows.filter(|row| row["check"] == "node alert command");
    let row = rows.next().unwrap();
    assert_eq!(row["outcome"], "warn", "{row}");
    assert!(
        row.to_string().contains("/no/such/program does not exist"),
        "{row}"
    );
    let node = frex.start(RECEIVER);
    assert_eq!(node.stop(), Some(0));
    let log = fs::read_to_string(frex.dir().join(format!("{RECEIVER}.log"))).unwrap();
    assert!(log.contains("the alert command cannot be run"), "{log}");
}

// DEL-44, DEL-45, CLI-10: half of its life is over and it waits: the operator's command is run, and
// the doctor warns.
#[test]
fn half_of_a_life_waited_away_is_told_to_the_operator() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("marker");
    let say = r#"echo "$FREX_ALERT $FREX_NODE $FREX_LANE $FREX_COUNT" >> "$0""#;
    let command = serde_json::json!(["/bin/sh", "-c", say, marker]).to_string();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = format!("\"{}\"", port.local_addr().unwrap());
    drop(port);
    let frex = federation(
        dir.path(),
        &[("alert_command", &command), ("metrics", &metrics)],
    );
    let _node = frex.start(SENDER);
    let message = file(&frex, SENDER, &["--lane", "urgent", "--expires", "20s"]);
    let told = until(|| {
        fs::read_to_string(&marker)
            .ok()
            .filter(|text| !text.is_empty())
    });
    assert_eq!(told, format!("half-life {RECEIVER_NODE} urgent 1\n"));
    let report = frex.run(&["doctor", &format!("{SENDER}/node")]).json();
    let rows = report["checks"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["check"] == "node outbox")
        .unwrap();
    assert!(row.to_string().contains("past half of their life"), "{row}");
    assert!(
        row.to_string()
            .contains("frex outbox ls --waiting --all hotline.fr\""),
        "{row}"
    );
    tells_of_a_command_that_cannot_be_run(&frex);
    until_state(&frex, &message, "dead");
    assert_eq!(
        fs::read_to_string(&marker).unwrap(),
        told,
        "it is told once"
    );
}
