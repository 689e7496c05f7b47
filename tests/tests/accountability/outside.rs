//! Witnesses by HTTP: a node brings its log to one and publishes what it cosigned, and is one itself, by the
//! codes of C2SP tlog-witness.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use super::witnesses::{ROOT, ROSTER, SENDER, federation, file, started, until_final};
use frex_client::environment::Clock;
use frex_proto::{
    log::{AddCheckpoint, Checkpoint, SignedNote, WitnessVerifier, checkpoint, cosignature},
    roster::{Roster, TrustAnchor},
};

const WITNESS: &str = "police.es";
const WAIT: Duration = Duration::from_secs(30);

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Puts lines before the tables of a node's settings.
fn set(dir: &Path, member: &str, first: &str, last: &str) {
    let path = dir.join(member).join("node/frex.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{first}\n{text}\n{last}\n")).unwrap();
}

fn roster(dir: &Path) -> Roster {
    let read = |name: &str| fs::read(dir.join(name)).unwrap();
    let anchor = TrustAnchor::of_root(&read(ROOT)).unwrap();
    Roster::judge(&read(ROSTER), &anchor, Clock::System.now_ms()).unwrap()
}

/// Status, content type and body of one call.
fn call(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever has heard enough may hang up.
    let _ = stream.write_all(body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-type").then_some(value)
    });
    (status, kind.unwrap_or_default().to_owned(), body.to_owned())
}

fn cosigners(note: &[u8], witnesses: &[WitnessVerifier]) -> usize {
    let note = SignedNote::parse(note).unwrap();
    cosignature::verify_cosignatures(&note, witnesses)
        .unwrap()
        .len()
}

/// The file of what outside witnesses cosigned, once this one has.
fn published(dir: &Path, origin: &str, witness: &WitnessVerifier) -> Vec<u8> {
    let log = dir.join(SENDER).join("node/log");
    let path = log.join(origin).join("cosigned");
    let began = Instant::now();
    loop {
        if let Ok(note) = fs::read(&path)
            && cosigners(&note, std::slice::from_ref(witness)) == 1
        {
            return note;
        }
        assert!(began.elapsed() < WAIT, "nobody has cosigned {path:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

// WIT-21, WIT-22, LOG-26: what a witness cosigned that is reached by HTTP stands beside the log, and makes
// nothing final by itself.
#[test]
fn an_outside_witness_cosigns_what_is_brought_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let (address, roster) = (free_address(), roster(dir.path()));
    let witness = roster.witness("node.police.es").unwrap();
    set(
        dir.path(),
        WITNESS,
        &format!("witness_listen = \"{address}\""),
        "",
    );
    let outside = format!(
        "[[outside_witnesses]]\nurl = \"http://{address}/\"\nvkey = \"{}\"",
        witness.vkey()
    );
    set(dir.path(), SENDER, "", &outside);
    // The roster asks for two: with one of them away nothing becomes final, and is cosigned all the same.
    let _nodes = started(&frex, &[WITNESS, SENDER]);
    let message = file(&frex);
    let log = roster.log_verifier("node.hotline.fr").unwrap();
    let note = published(dir.path(), &log.origin, &witness);
    let head = checkpoint::parse_and_verify(&note, &log, 0).unwrap();
    assert!(head.size >= 1);
    // By HTTP and over its session it has cosigned twice, and is one witness.
    let fetch = [
        "receipt", "fetch", &message, SENDER, "--final", "--wait", "2s",
    ];
    assert_ne!(frex.run(&fetch).exit, Some(0));
    let listed = frex.done(&["receipt", "ls", SENDER]);
    assert_eq!(listed["receipts"][0]["finality"], "provisional", "{listed}");
    let log = dir.path().join(SENDER).join("node/log").join(&log.origin);
    assert!(log.join("cosigned").exists() && !log.join("witnessed").exists());
}

// WIT-21: each refusal by its status; what it holds is told, and asking from there is cosigned.
#[test]
fn a_witness_by_http_refuses_by_the_codes_of_its_protocol() {
    let dir = tempfile::tempdir().unwrap();
    let frex = federation(dir.path());
    let (address, roster) = (free_address(), roster(dir.path()));
    set(
        dir.path(),
        WITNESS,
        &format!("witness_listen = \"{address}\""),
        "",
    );
    let _nodes = started(&frex, &super::witnesses::MEMBERS);
    until_final(&frex, &file(&frex));
    let note = frex.done(&["log", "checkpoint", SENDER])["checkpoint"].clone();
    let note = note.as_str().unwrap().to_owned();
    let head = Checkpoint::of_note(note.as_bytes()).unwrap();
    let post = |old_size: u64, proof: Vec<[u8; 32]>, note: &str| {
        let asked = AddCheckpoint {
            old_size,
            proof,
            checkpoint: note.to_owned().into(),
        };
        call(address, "POST", "/add-checkpoint", &asked.to_body())
    };
    let size = head.size;
    // The newest head is on its way to the witness over its session too.
    let began = Instant::now();
    loop {
        let (status, kind, held) = post(0, Vec::new(), &note);
        assert_eq!((status, kind.as_str()), (409, "text/x.tlog.size"));
        if held == format!("{size}\n") {
            break;
        }
        assert!(began.elapsed() < WAIT, "it holds {held:?} of {size}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, _, line) = post(size, Vec::new(), &note);
    assert_eq!(status, 200, "{line}");
    let cosigned = format!("{note}{line}");
    let witness = roster.witness("node.police.es").unwrap();
    assert_eq!(cosigners(cosigned.as_bytes(), &[witness]), 1);

    assert_eq!(post(size + 1, Vec::new(), &note).0, 400, "old above new");
    assert_eq!(post(size, vec![[1; 32]], &note).0, 422, "a proof too long");
    let changed = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    assert_eq!(post(size, Vec::new(), &changed).0, 403, "not signed");
    let strange = note.replace("/log/1", "/log/7");
    assert_eq!(post(size, Vec::new(), &strange).0, 404, "an unknown log");
    let nobody = note.replace("node.hotline.fr", "node.nobody");
    assert_eq!(post(size, Vec::new(), &nobody).0, 404, "an unknown node");
    for body in ["", "old x\n\n", "old 0\n\nno checkpoint\n"] {
        let answer = call(address, "POST", "/add-checkpoint", body.as_bytes());
        assert_eq!(answer.0, 400, "{body:?}");
    }
    let large = vec![b'x'; 20_000];
    assert_eq!(call(address, "POST", "/add-checkpoint", &large).0, 413);
    assert_eq!(call(address, "GET", "/add-checkpoint", b"").0, 405);
    assert_eq!(call(address, "POST", "/status", b"").0, 404);
}
