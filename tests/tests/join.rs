//! Joining with the program itself, as people run it: an invitation, a newcomer, two decisions,
//! a roster, an exchange; and everything that is refused on the way.

use std::{fs, net::SocketAddr, path::Path};

use frex_proto::{
    error::WireCode,
    join::{self, Invitation},
};
use frex_tests::processes::{Frex, NodeProcess, free_addresses};
use serde_json::Value;
use zeroize::Zeroizing;

const HOST: &str = "alpha";
const GUEST: &str = "gamma";

/// A federation of one member, and where it waits for newcomers.
struct Scene {
    frex: Frex,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
        frex.federation(&[HOST], &[]);
        Self { frex, _dir: dir }
    }

    /// Makes a newcomer `id` in a folder of its own.
    fn newcomer(&self, id: &str, federation: &str, folder: &str) {
        let listen = free_address().to_string();
        let _ = self.frex.done(&[
            "init",
            "--member",
            id,
            "--name",
            id,
            "--country",
            "ES",
            "--role",
            "police",
            "--federation",
            federation,
            "--listen",
            &listen,
            folder,
        ]);
    }

    /// Waits at a new invitation; gives the process and the text of the invitation.
    fn invite(&self, more: &[&str]) -> (NodeProcess, String) {
        let mut process = self.frex.invite(
            &[&["--listen", "127.0.0.1:0", HOST], more].concat(),
            "invite.log",
        );
        let ready = process.ready().expect("it waits");
        let code = ready["code"].as_str().expect("it prints the invitation");
        (process, code.to_owned())
    }

    fn join(&self, code: &str, folder: &str) -> frex_tests::processes::Ended {
        self.frex.run_with(&["join", folder], code)
    }

    /// The fingerprint that a member reads out: its own, from its own files.
    fn own_fingerprint(&self, folder: &str) -> String {
        let status = self.frex.done(&["status", folder]);
        text(&status["member"]["fingerprint"])
    }

    fn accept(&self, peer: &str, folder: &str, of: &str) -> Value {
        let print = self.own_fingerprint(of);
        self.frex.done(&[
            "peer",
            "accept",
            peer,
            folder,
            "--fingerprint",
            &print,
            "--confirm",
        ])
    }

    fn states(&self, peer: &str, folder: &str) -> (String, String) {
        let shown = self.frex.done(&["peer", "show", peer, folder]);
        (
            text(&shown["ours"]["state"]),
            text(&shown["theirs"]["state"]),
        )
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn free_address() -> SocketAddr {
    free_addresses(1)[0]
}

fn code_of(ended: &frex_tests::processes::Ended) -> Option<WireCode> {
    let number = ended.code()?;
    Some(WireCode::from_number(u32::try_from(number).ok()?))
}

fn pair(ours: &str, theirs: &str) -> (String, String) {
    (ours.to_owned(), theirs.to_owned())
}

/// The number of files below a folder that are called so.
fn installed(dir: &Path, folder: &str) -> usize {
    [
        "member/roster.frex",
        "node/roster.frex",
        "member/root.frex",
        "node/root.frex",
    ]
    .iter()
    .filter(|name| dir.join(folder).join(name).exists())
    .count()
}

// JOI-9, JOI-13, JOI-14: nothing is trusted before people on both sides have compared and decided;
// then the newcomer is listed, gets the roster over the same invitation, and reports arrive.
#[test]
fn a_newcomer_is_invited_accepted_listed_and_exchanges() {
    let scene = Scene::new();
    let (frex, dir) = (&scene.frex, scene.frex.dir().to_owned());
    scene.newcomer(GUEST, "example", GUEST);
    let (process, code) = scene.invite(&["--note", "gamma of ES"]);
    let joined = scene.join(&code, GUEST);
    assert_eq!(joined.exit, Some(0), "{joined:?}");
    assert_eq!(
        text(&joined.json()["fingerprint"]),
        scene.own_fingerprint(HOST)
    );
    assert_eq!(scene.states(GUEST, HOST), pair("pending", "pending"));
    assert_eq!(scene.states(HOST, GUEST), pair("pending", "pending"));
    assert_eq!(installed(&dir, GUEST), 0);

    // The newcomer first: the other side sees it, and is not yet asked to trust anything.
    let plan = frex.done(&["peer", "accept", HOST, GUEST]);
    assert_eq!(plan["confirmed"], false);
    assert_eq!(
        (installed(&dir, GUEST), scene.states(HOST, GUEST).0.as_str()),
        (0, "pending")
    );
    let done = scene.accept(HOST, GUEST, HOST);
    assert_eq!(
        (&done["installed"], &done["theirs"]),
        (&1.into(), &"pending".into())
    );
    assert_eq!(installed(&dir, GUEST), 4);
    assert_eq!(scene.states(GUEST, HOST), pair("pending", "accepted"));
    assert!(!dir.join(HOST).join("cards").exists());
    let done = scene.accept(GUEST, HOST, GUEST);
    let card = dir.join(text(&done["card"]));
    assert!(card.is_file() && text(&done["next"]).contains("frex roster"));
    let asked = frex.done(&["peer", "show", HOST, GUEST, "--ask"]);
    assert_eq!(asked["theirs"]["state"], "accepted");
    let (exit, log) = process.ended();
    assert_eq!(exit, Some(0), "{log}");

    list_and_exchange(&scene, &card);
}

/// The governance lists the card, the invitation brings the roster, reports arrive.
fn list_and_exchange(scene: &Scene, card: &Path) {
    let frex = &scene.frex;
    let card = card.to_string_lossy();
    frex.next_roster("next.frex", "roster.frex", &[&card]);
    let _ = frex.done(&["roster", "install", "next.frex", HOST]);
    let used = frex.done(&["invite", "ls", HOST]);
    let id = text(&used["invitations"][0]["id"]);
    let mut process = frex.invite(&["--resume", &id, HOST], "resumed.log");
    process.ready().expect("it waits again");
    let asked = frex.done(&["peer", "show", HOST, GUEST, "--ask"]);
    assert_eq!(asked["installed"], 2, "{asked}");
    // Nothing is left to wait for.
    assert_eq!(process.ended().0, Some(0));
    let down = frex.run(&["peer", "test", "node.gamma", HOST]);
    assert_eq!(down.exit, Some(23), "{down:?}");
    assert_eq!(down.json()["steps"][1]["ok"], false);
    assert_eq!(down.json()["steps"][2]["ok"], Value::Null);
    let mut nodes = [HOST, GUEST].map(|dir| frex.node(dir));
    for node in &mut nodes {
        node.ready().expect("it is listed");
    }
    let up = frex.done(&["peer", "test", "node.gamma", HOST]);
    assert_eq!(up["ok"], true, "{up}");
    fs::write(frex.dir().join("note.txt"), "a harmless note").expect("the folder is ours");
    let _ = frex.done(&[
        "send",
        "note.txt",
        "--content-type",
        "text/plain",
        "--to",
        GUEST,
        "--from",
        HOST,
    ]);
    let inbox = frex.done(&["inbox", GUEST, "--wait", "10s"]);
    assert!(inbox.to_string().contains(HOST), "{inbox}");
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
}

// JOI-14: what was read out decides, and a slip of the tongue is not taken for another key.
#[test]
fn only_the_fingerprint_that_was_read_out_is_accepted() {
    let scene = Scene::new();
    scene.newcomer(GUEST, "example", GUEST);
    let (process, code) = scene.invite(&[]);
    assert_eq!(scene.join(&code, GUEST).exit, Some(0));
    let accept = |print: &str| {
        let print = [
            "peer",
            "accept",
            HOST,
            GUEST,
            "--confirm",
            "--fingerprint",
            print,
        ];
        scene.frex.run(&print)
    };
    let right = scene.own_fingerprint(HOST);
    let other = if right.starts_with('A') { "B" } else { "A" };
    let slip = right.replacen(&right[..1], other, 1);
    for (print, exit, code) in [
        (scene.own_fingerprint(GUEST), 21, WireCode::NotTrusted),
        (slip, 2, WireCode::BadInput),
        ("yes".to_owned(), 2, WireCode::BadInput),
    ] {
        let ended = accept(&print);
        assert_eq!(
            (ended.exit, code_of(&ended)),
            (Some(exit), Some(code)),
            "{ended:?}"
        );
    }
    let blind = scene
        .frex
        .run(&["peer", "accept", HOST, GUEST, "--confirm"]);
    assert_eq!(
        (blind.exit, code_of(&blind)),
        (Some(2), Some(WireCode::BadInput))
    );
    assert_eq!(installed(scene.frex.dir(), GUEST), 0);
    assert_eq!(scene.states(HOST, GUEST), pair("pending", "pending"));
    assert_eq!(process.stop(), Some(0));
}

// JOI-9: a refusal is seen on the other side, with its reason, and ends the invitation.
#[test]
fn a_refusal_reaches_the_other_side_with_its_reason() {
    let scene = Scene::new();
    let frex = &scene.frex;
    scene.newcomer(GUEST, "example", GUEST);
    let (process, code) = scene.invite(&[]);
    assert_eq!(scene.join(&code, GUEST).exit, Some(0));
    let refuse = |peer, dir, more: &[&str]| {
        frex.run(
            &[
                &["peer", "refuse", peer, dir, "--reason", "nobody we know"],
                more,
            ]
            .concat(),
        )
    };
    assert_eq!(refuse(GUEST, HOST, &[]).exit, Some(0));
    assert_eq!(scene.states(GUEST, HOST).0, "pending");
    assert_eq!(refuse(GUEST, HOST, &["--confirm"]).exit, Some(0));
    let asked = frex.run(&["peer", "show", HOST, GUEST, "--ask"]);
    assert_eq!(
        (asked.exit, code_of(&asked)),
        (Some(22), Some(WireCode::InvitationClosed))
    );
    assert!(asked.err.contains("nobody we know"), "{asked:?}");
    assert_eq!(scene.states(GUEST, HOST), pair("refused", "pending"));
    assert_eq!(process.ended().0, Some(0));
    let late = frex.run(&["peer", "accept", HOST, GUEST]);
    assert_eq!(late.exit, Some(22), "{late:?}");
    // The other way round: the newcomer refuses, and whoever waits learns it.
    scene.newcomer("delta", "example", "delta");
    let (process, code) = scene.invite(&[]);
    assert_eq!(scene.join(&code, "delta").exit, Some(0));
    assert_eq!(refuse(HOST, "delta", &["--confirm"]).exit, Some(0));
    let (exit, log) = process.ended();
    assert!(
        exit == Some(22) && log.contains("nobody we know"),
        "{exit:?} {log}"
    );
    assert_eq!(scene.states("delta", HOST), pair("pending", "refused"));
    let listed = frex.done(&["peer", "ls", HOST]);
    assert_eq!(listed["peers"].as_array().map(Vec::len), Some(2));
    // What is not needed any more is put away, once somebody says so.
    let plan = frex.done(&["peer", "rm", "delta", HOST]);
    assert_eq!(
        (&plan["confirmed"], &plan["listed"]),
        (&false.into(), &false.into())
    );
    let removed = frex.done(&["peer", "rm", "delta", HOST, "--confirm"]);
    assert_eq!(removed["confirmed"], true);
    let listed = frex.done(&["peer", "ls", HOST]);
    assert_eq!(listed["peers"].as_array().map(Vec::len), Some(1));
    let gone = frex.run(&["peer", "rm", "delta", HOST, "--confirm"]);
    assert_eq!(code_of(&gone), Some(WireCode::NotFound));
}

// JOI-7, JOI-10: each invitation or newcomer that does not fit has its own error, and whoever waits
// goes on waiting.
#[test]
fn each_refused_newcomer_has_its_error_and_the_door_stays_open() {
    let scene = Scene::new();
    let (mut process, code) = scene.invite(&[]);
    let refused = |code: &str, folder: &str, due: WireCode| {
        let ended = scene.join(code, folder);
        let exit = Some(i32::from(due.info().exit));
        assert_eq!(
            (ended.exit, code_of(&ended)),
            (exit, Some(due)),
            "{ended:?}"
        );
    };
    scene.newcomer(GUEST, "example", GUEST);
    let invitation = join::parse(&code).expect("it was printed");
    let foreign = Invitation {
        secret: Zeroizing::new([1; 16]),
        ..invitation.clone()
    };
    refused(&join::text(&foreign), GUEST, WireCode::NotTrusted);
    let impostor = Invitation {
        listener_key: *foreign.proof_key().verifying_key().as_bytes(),
        ..invitation.clone()
    };
    refused(&join::text(&impostor), GUEST, WireCode::NotTrusted);
    let old = Invitation {
        expires_ms: 1,
        ..invitation
    };
    refused(&join::text(&old), GUEST, WireCode::Expired);
    refused(&code[..code.len() - 1], GUEST, WireCode::BadInput);
    scene.newcomer(HOST, "example", "namesake");
    refused(&code, "namesake", WireCode::IdTaken);
    scene.newcomer("epsilon", "elsewhere", "epsilon");
    refused(&code, "epsilon", WireCode::WrongFederation);
    assert!(process.ready().is_ok());
    assert_eq!(scene.join(&code, GUEST).exit, Some(0));
    // The same newcomer may come again, another may not.
    assert_eq!(scene.join(&code, GUEST).exit, Some(0));
    scene.newcomer("delta", "example", "delta");
    refused(&code, "delta", WireCode::InvitationClosed);
    assert_eq!(scene.states(GUEST, HOST), pair("pending", "pending"));
    assert_eq!(process.stop(), Some(0));
}

// CLI-5: as an argument an invitation would be seen by every user of the machine.
#[test]
fn an_invitation_is_no_argument() {
    let dir = tempfile::tempdir().expect("a folder");
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    let seen = frex.run(&["join", "FREX-JOIN:AAAA"]);
    assert_eq!(
        (seen.exit, code_of(&seen)),
        (Some(2), Some(WireCode::BadInput)),
        "{seen:?}"
    );
}

// JOI-1, JOI-10, LIM-56: an invitation that was taken back or has ended opens nothing, also for who waits.
#[test]
fn an_invitation_ends_when_it_is_taken_back_or_its_time_is_over() {
    let scene = Scene::new();
    let frex = &scene.frex;
    scene.newcomer(GUEST, "example", GUEST);
    let (mut process, code) = scene.invite(&[]);
    let id = text(&process.ready().expect("it waits")["invitation"]);
    let second = frex.run(&["invite", "--resume", &id, HOST]);
    assert_eq!(
        (second.exit, code_of(&second)),
        (Some(11), Some(WireCode::Locked))
    );
    let _ = frex.done(&["invite", "rm", &id, HOST]);
    assert_eq!(process.ended().0, Some(22));
    assert_eq!(
        code_of(&scene.join(&code, GUEST)),
        Some(WireCode::Unreachable)
    );
    let again = frex.run(&["invite", "--resume", &id, HOST]);
    assert_eq!(code_of(&again), Some(WireCode::InvitationClosed));
    let (process, _) = scene.invite(&["--expires", "1s"]);
    let (exit, log) = process.ended();
    assert!(
        exit == Some(22) && log.contains("EXPIRED"),
        "{exit:?} {log}"
    );
    let listed = frex.done(&["invite", "ls", HOST]);
    let states: Vec<String> = listed["invitations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| text(&row["state"]))
        .collect();
    assert_eq!(states, ["withdrawn", "expired"]);
    let unknown = frex.run(&["invite", "rm", "00000000", HOST]);
    assert_eq!(code_of(&unknown), Some(WireCode::NotFound));
    let long = frex.run(&["invite", HOST, "--expires", "32d"]);
    assert_eq!(
        (long.exit, code_of(&long)),
        (Some(2), Some(WireCode::BadInput))
    );
}

// JOI-9, JOI-10: what is decided while nobody waits is told as soon as somebody waits again.
#[test]
fn a_decision_is_told_when_the_invitation_is_taken_up_again() {
    let scene = Scene::new();
    let frex = &scene.frex;
    scene.newcomer(GUEST, "example", GUEST);
    let (mut process, code) = scene.invite(&[]);
    let id = text(&process.ready().expect("it waits")["invitation"]);
    assert_eq!(scene.join(&code, GUEST).exit, Some(0));
    let waited = frex.run(&["peer", "show", HOST, GUEST, "--ask", "--wait", "1s"]);
    assert_eq!(waited.exit, Some(3), "{waited:?}");
    assert_eq!(process.stop(), Some(0));
    let done = scene.accept(HOST, GUEST, HOST);
    assert_eq!(done["theirs"], "pending");
    scene.accept(GUEST, HOST, GUEST);
    let nobody = frex.run(&["peer", "show", HOST, GUEST, "--ask"]);
    assert_eq!(nobody.exit, Some(23), "{nobody:?}");
    assert_eq!(scene.states(GUEST, HOST), pair("accepted", "pending"));
    let mut process = frex.invite(&["--resume", &id, HOST], "resumed.log");
    assert_eq!(
        process.ready().expect("it waits again")["code"],
        Value::Null
    );
    let told = frex.run(&["peer", "show", HOST, GUEST, "--ask", "--wait", "20s"]);
    assert_eq!(told.exit, Some(0), "{told:?}");
    assert_eq!(scene.states(HOST, GUEST), pair("accepted", "accepted"));
    assert_eq!(process.ended().0, Some(0));
    assert_eq!(scene.states(GUEST, HOST), pair("accepted", "accepted"));
}
