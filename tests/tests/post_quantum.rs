//! Real processes: a member whose key has a companion, and one whose key has none. What either
//! signs is taken; what the first has signed by half is refused.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::PathBuf, time::Duration};

use bytes::Bytes;
use frex_client::{
    client::{Client, ClientConfig, News},
    keys::MemberHome,
};
use frex_proto::{envelope::SignedEnvelope, error::WireCode, v1};
use frex_tests::processes::{Frex, NodeProcess, free_addresses};
use prost::Message;

const PAIRED: &str = "alpha";
const BARE: &str = "beta";
const ROOT: &str = "governance/root.frex";
const ROSTER: &str = "roster.frex";

/// A federation whose only governance keys have companions, and its two running nodes.
fn federation(frex: &Frex) -> [NodeProcess; 2] {
    let init = "federation init --name example --keys 1 --threshold 1 --post-quantum governance";
    let _ = frex.done(&words(init));
    let addresses = free_addresses(2);
    let cards: Vec<String> = [(PAIRED, "--post-quantum"), (BARE, "")]
        .iter()
        .zip(addresses)
        .map(|((member, kind), address)| {
            let line = format!(
                "init --member {member} --name {member} --country FR --role hotline {kind} --federation example --listen {address} {member}"
            );
            let made = frex.done(&words(&line));
            assert_eq!(made["post_quantum"], *member == PAIRED);
            made["card"].as_str().unwrap().to_owned()
        })
        .collect();
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    frex.roster(ROSTER, &cards);
    [PAIRED, BARE].map(|member| {
        let _ = frex.done(&["roster", "install", ROSTER, "--root", ROOT, member]);
        let mut node = frex.node(member);
        node.ready().unwrap();
        node
    })
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Sends a report, has it opened at the other end, and fetches every receipt; gives their files.
fn exchange(frex: &Frex, from: &str, to: &str) -> Vec<String> {
    fs::write(frex.dir().join("report.txt"), "a report").unwrap();
    let line = format!("send report.txt --content-type text/plain --to {to} --from {from}");
    let sent = frex.done(&words(&line));
    let _ = frex.done(&["inbox", to, "--wait", "20s"]);
    let message = sent["message"].as_str().unwrap();
    let _ = frex.done(&[
        "receipt", "fetch", message, from, "--opened", "1", "--wait", "20s",
    ]);
    let folder = frex.dir().join(from).join("member/receipts");
    let proofs = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let of_this = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(message) && name.ends_with(".tlog-proof")
    };
    proofs
        .filter(of_this)
        .map(|path| path.display().to_string())
        .collect()
}

/// What `frex receipt verify` says of the stage in these receipts.
fn stage_check(frex: &Frex, receipts: &[String]) -> String {
    let files: Vec<&str> = receipts.iter().map(String::as_str).collect();
    let trust = ["--roster", ROSTER, "--root", ROOT];
    let verified = frex.done(&[&["receipt", "verify"], &files[..], &trust].concat());
    assert_eq!(verified["verified"], true);
    let receipts = verified["receipts"].as_array().unwrap();
    assert_eq!(receipts.len(), 3, "submitted, accepted, opened");
    let checks = receipts
        .iter()
        .flat_map(|one| one["checks"].as_array().unwrap());
    let mut names = checks.map(|check| check["name"].as_str().unwrap());
    let stage = names.find(|name| name.starts_with("stage is signed by"));
    stage.unwrap().to_owned()
}

async fn client(frex: &Frex, member: &str) -> Client {
    let home = MemberHome::open(&frex.dir().join(member).join("member")).unwrap();
    let mut config = ClientConfig::of_home(&home).unwrap();
    config.patience = Duration::from_secs(20);
    Client::new(config).await.unwrap()
}

fn without(envelope: &SignedEnvelope, signature: usize) -> SignedEnvelope {
    let mut signed = v1::Signed::decode(envelope.signed.clone()).unwrap();
    assert_eq!(signed.signatures.len(), 2);
    signed.signatures.remove(signature);
    SignedEnvelope {
        signed: Bytes::from(signed.encode_to_vec()),
        ..envelope.clone()
    }
}

/// What the sender's own node answers.
async fn submitted(client: &Client, envelope: SignedEnvelope) -> Result<(), WireCode> {
    let wait = Duration::from_secs(20);
    let mut submission = client.submit(vec![envelope], wait).await.unwrap();
    while let Some(event) = submission.next().await {
        match event.news {
            News::Refused { code, .. } => return Err(code),
            News::Submitted(_) => return Ok(()),
            _ => {}
        }
    }
    panic!("no answer");
}

fn verifies(frex: &Frex, roster: &str) -> bool {
    let ended = frex.run(&["roster", "verify", roster, "--root", ROOT]);
    ended.exit == Some(0)
}

// SIG-20, SIG-21, ROS-50: both kinds of member understand each other, receipts name by what was
// signed, and neither node nor reader takes half of what two keys must sign.
#[tokio::test]
async fn members_with_and_without_a_companion_exchange_and_half_a_signature_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path());
    let nodes = federation(&frex);

    let receipts = exchange(&frex, PAIRED, BARE);
    let check = stage_check(&frex, &receipts);
    assert_eq!(check, "stage is signed by beta, by Ed25519");
    let receipts = exchange(&frex, BARE, PAIRED);
    let check = stage_check(&frex, &receipts);
    assert_eq!(check, "stage is signed by alpha, by Ed25519 and ML-DSA-65");

    let client = client(&frex, PAIRED).await;
    let draft = client
        .draft(&[BARE])
        .content("text/plain", b"a report".to_vec());
    let envelope = client.seal(&client.finish(draft).unwrap()).unwrap();
    for signature in [0, 1] {
        let refused = submitted(&client, without(&envelope, signature)).await;
        assert_eq!(refused, Err(WireCode::HalfSigned));
    }
    assert_eq!(submitted(&client, envelope).await, Ok(()));

    // The roster without what the companion of its governance signed.
    let whole = fs::read(frex.dir().join(ROSTER)).unwrap();
    let mut bundle = v1::RosterBundle::decode(&whole[..]).unwrap();
    let mut signed = v1::Signed::decode(bundle.roster.clone()).unwrap();
    signed.signatures.retain(|one| one.signature.len() == 64);
    bundle.roster = signed.encode_to_vec().into();
    let stripped = frex.dir().join("stripped.frex");
    fs::write(&stripped, bundle.encode_to_vec()).unwrap();
    assert!(verifies(&frex, ROSTER));
    assert!(!verifies(&frex, "stripped.frex"));
    let install = ["roster", "install", "stripped.frex", "--root", ROOT, BARE];
    let refused = frex.run(&install);
    assert_eq!(refused.code(), Some(WireCode::BadRoster as u64));
    for node in nodes {
        assert_eq!(node.stop(), Some(0));
    }
}
