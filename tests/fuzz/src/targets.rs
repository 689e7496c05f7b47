//! What is tried: bytes go in, and nothing may panic, hang or allocate beyond its limit.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use frex_node::{
    config::NodeConfig,
    disk::Disk,
    journal::{self, Journal},
};
use frex_proto::{
    envelope, label,
    log::{checkpoint, leaf, tile, Checkpoint, Leaf, LogVerifier, SignedNote},
    receipt,
    roster::{Card, Peer, Roster, TrustAnchor},
    session,
    sign::{self, BatchCache},
    v1,
    wire::{self, FrameType},
};
use frex_tests::sim::disk::SimDisk;
use prost::Message;

use crate::samples::{self, NOW_MS};

/// A parser under test.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: &[(&str, Target)] = &[
    ("frame", frame),
    ("signed", signed),
    ("envelope", envelope),
    ("forward", forward),
    ("receipt", receipt),
    ("statement", statement),
    ("tlog_proof", tlog_proof),
    ("checkpoint", checkpoint),
    ("leaf", leaf),
    ("roster", roster),
    ("member_card", member_card),
    ("hello", hello),
    ("config", config),
    ("key_file", key_file),
    ("member_settings", member_settings),
    ("journal_segment", journal_segment),
    ("journal_marker", journal_marker),
];

fn frame(data: &[u8]) {
    let Some((header, payload)) = data.split_first_chunk() else {
        return;
    };
    let Ok((kind, length)) = wire::parse_header(*header) else {
        return;
    };
    assert!(length <= kind.payload_bytes_max());
    let payload = Bytes::copy_from_slice(payload);
    match kind {
        FrameType::Hello => drop(wire::decode::<v1::Hello>(payload)),
        FrameType::Request => drop(wire::decode::<v1::Request>(payload)),
        FrameType::Envelope => drop(wire::decode::<v1::Envelope>(payload)),
        FrameType::Answer => drop(wire::decode::<v1::Answer>(payload)),
        FrameType::Item => drop(wire::decode::<v1::Item>(payload)),
        FrameType::Confirm => drop(wire::decode::<v1::Confirm>(payload)),
        _ => {}
    }
}

fn signed(data: &[u8]) {
    let Ok(signed) = v1::Signed::decode(data) else {
        return;
    };
    let keys = [samples::author().verifying_key(), samples::log_key().verifying_key()];
    for threshold in [1, 2] {
        if let Ok(verified) = sign::verify(&signed, label::TYPE_MANIFEST, &keys, threshold) {
            assert_eq!(verified.payload, signed.payload);
            assert!(verified.key_ids.len() >= threshold);
        }
    }
}

fn envelope(data: &[u8]) {
    let Ok(wire) = v1::Envelope::decode(data) else {
        return;
    };
    let Ok(parsed) = envelope::parse(&wire) else {
        return;
    };
    let keys = [samples::author().verifying_key()];
    let verified = envelope::verify(&parsed, &keys, &mut BatchCache::new());
    let body = envelope::check_body(&parsed, &wire.body);
    let _ = envelope::check_time(&parsed.core, NOW_MS);
    // Opening is tried on unverified bytes too: a careless caller must not crash either.
    let opened = envelope::open(&parsed, &wire.body, "b", &[samples::sealing()]);
    if verified.is_ok() && body.is_ok() {
        assert!(opened.is_ok() || parsed.core.recipient("b").is_none() || parsed.wraps.is_empty());
    }
}

fn forward(data: &[u8]) {
    let Ok(wire) = v1::Envelope::decode(data) else {
        return;
    };
    let Ok(parsed) = envelope::parse_forward(&wire) else {
        return;
    };
    let keys = [samples::author().verifying_key()];
    let _ = envelope::verify_forward(&parsed, &keys, &keys, &mut BatchCache::new());
    let _ = envelope::open_forward(&parsed, &wire.body, "b", &[samples::sealing()]);
}

fn log() -> LogVerifier {
    LogVerifier {
        origin: samples::origin(),
        key: samples::log_key().verifying_key(),
    }
}

fn receipt(data: &[u8]) {
    let Ok(wire) = v1::Receipt::decode(data) else {
        return;
    };
    let verdict = receipt::verify(&wire, &log(), None);
    let checks = receipt::checks(&wire, &log(), None);
    assert!(!checks.is_empty());
    if verdict.is_ok() {
        let text = receipt::to_tlog_proof_text(&wire).expect("a verified receipt can be written");
        let again = receipt::from_tlog_proof_text(&text).expect("what we write we read");
        assert!(receipt::verify(&again, &log(), None).is_ok());
    }
}

fn statement(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(statement) = receipt::Statement::parse(&bytes) {
        let _ = statement.wire_code();
        let encoded = statement.encode().expect("a judged statement can be written");
        assert!(receipt::Statement::parse(&encoded).is_ok());
    }
}

fn tlog_proof(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(wire) = receipt::from_tlog_proof_text(text) {
        let _ = receipt::verify(&wire, &log(), None);
        if let Ok(again) = receipt::to_tlog_proof_text(&wire) {
            assert_eq!(receipt::from_tlog_proof_text(&again).as_ref(), Ok(&wire));
        }
    }
}

fn checkpoint(data: &[u8]) {
    let _ = SignedNote::parse(data);
    let _ = checkpoint::parse_and_verify(data, &log());
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = LogVerifier::from_vkey(text);
        if let Ok(head) = Checkpoint::parse_text(text) {
            assert_eq!(head.text(), text);
        }
    }
}

fn leaf(data: &[u8]) {
    if let Ok(leaf) = Leaf::parse(data) {
        let _ = (leaf.event(), leaf.time_ms(), leaf.hash());
        let _: Result<(), leaf::LeafError> = leaf.check(&[0; 32], data);
    }
    let _ = tile::entries(data, 256);
}

fn roster(data: &[u8]) {
    let federation = samples::federation();
    if let Ok(judged) = Roster::judge(data, &federation.anchor, NOW_MS) {
        assert_eq!(judged.federation(), frex_tests::federation::FEDERATION);
    }
    // Unpinned, the bytes under the governance's signatures are reached by mutation too.
    if let Ok(bundle) = v1::RosterBundle::decode(data) {
        if let Ok(anchor) = TrustAnchor::of_root(&bundle.root) {
            let _ = Roster::judge(data, &anchor, NOW_MS);
        }
    }
}

fn member_card(data: &[u8]) {
    let _ = Card::judge(data, frex_tests::federation::FEDERATION, NOW_MS);
}

fn hello(data: &[u8]) {
    let Ok(hello) = v1::Hello::decode(data) else {
        return;
    };
    static ROSTER: OnceLock<Roster> = OnceLock::new();
    let roster = ROSTER.get_or_init(|| samples::federation().roster(NOW_MS));
    for peer in [Peer::Node("a".to_owned()), Peer::Client("a".to_owned())] {
        let _ = session::judge_hello(&hello, &peer, roster, "b", NOW_MS);
    }
}

fn config(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Err(error) = NodeConfig::parse(text) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// A directory for parsers that take a path; `tests/fuzz/run` keeps it in memory and removes it.
fn scratch() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| tempfile::tempdir().expect("a scratch directory").keep())
}

fn written(name: &str, data: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    std::fs::write(&path, data).expect("a scratch file");
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, closed).expect("a file of ours");
    path
}

fn key_file(data: &[u8]) {
    let path = written("some.key", data);
    if let Ok(key) = frex_client::keys::file::read_signing_key(&path) {
        assert_eq!(key.sign(b"x").len(), 64);
    }
    let _ = frex_client::keys::file::read_sealing_key(&path);
}

fn member_settings(data: &[u8]) {
    written("member.toml", data);
    let _ = frex_client::keys::MemberHome::open(scratch());
}

/// Puts `data` in the place of one file of a sound journal and opens it.
fn reopened(replaced: &str, data: &[u8]) {
    let disk = Arc::new(SimDisk::new(0));
    let directory = Path::new("/journal");
    disk.create_dir_all(directory).expect("an empty disk");
    for (path, bytes) in samples::journal() {
        let bytes = if path.to_string_lossy().ends_with(replaced) { data } else { bytes };
        let file = disk.open(path, true).expect("an empty disk");
        file.write_at(bytes, 0).expect("an empty disk");
    }
    let mut replayed = 0;
    let _ = journal::verify(&*disk, directory, &mut |_, _| {});
    let opened = Journal::open(
        disk,
        directory,
        samples::JOURNAL,
        None,
        &mut |record| {
            replayed += record.bytes.len();
            Ok(())
        },
        &mut |_, _| {},
    );
    // Whatever was damaged, nothing but what was written is ever replayed.
    assert!(replayed <= samples::JOURNAL_PAYLOAD_BYTES);
    drop(opened);
}

fn journal_segment(data: &[u8]) {
    reopened(".seg", data);
}

fn journal_marker(data: &[u8]) {
    reopened("committed", data);
}
