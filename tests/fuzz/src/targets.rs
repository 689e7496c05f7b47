//! What is tried: bytes go in, and nothing may panic, hang or allocate beyond its limit.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use frex_client::{keys::KeyFileError, passphrase::Unlock};
use frex_node::{
    config::NodeConfig,
    disk::Disk,
    journal::{self, Journal},
};
use frex_proto::{
    attachment::{clean_file_name, Hashes, Held, Listed, Opener},
    envelope, label,
    log::{checkpoint, tile, witness, AddCheckpoint, Checkpoint, Leaf, LogVerifier, SignedNote},
    receipt,
    roster::{Card, Peer, Roster, TrustAnchor},
    session,
    sign::{self, BatchCache},
    v1,
    wire::{self, FrameType},
};
use frex_tests::sim::disk::SimDisk;
use prost::Message;

use crate::{
    casework::{case_message, figures_table, route_policy, route_record, sum_round},
    governing::{holder, offered_roster, proposal, signatures},
    joining::{invitation, join_answer, join_request},
    reporting::{
        deconflict, deconflict_book, document, first_report, identifier, report, report_view,
    },
    samples::{self, NOW_MS},
};

/// A parser under test. It tells whether the input was sound to the end, so that the samples can
/// be shown to be.
pub type Target = fn(&[u8]) -> bool;

/// Every target by name.
pub const ALL: &[(&str, Target)] = &[
    ("frame", frame),
    ("signed", signed),
    ("envelope", envelope),
    ("forward", forward),
    ("attachment", attachment),
    ("recall", recall),
    ("receipt", receipt),
    ("statement", statement),
    ("tlog_proof", tlog_proof),
    ("checkpoint", checkpoint),
    ("add_checkpoint", add_checkpoint),
    ("leaf", leaf),
    ("roster", roster),
    ("member_card", member_card),
    ("offered_roster", offered_roster),
    ("proposal", proposal),
    ("holder", holder),
    ("signatures", signatures),
    ("hello", hello),
    ("invitation", invitation),
    ("join_request", join_request),
    ("join_answer", join_answer),
    ("config", config),
    ("key_file", key_file),
    ("member_settings", member_settings),
    ("journal_segment", journal_segment),
    ("journal_marker", journal_marker),
    ("document", document),
    ("report", report),
    ("report_view", report_view),
    ("first_report", first_report),
    ("identifier", identifier),
    ("deconflict", deconflict),
    ("deconflict_book", deconflict_book),
    ("case_message", case_message),
    ("figures_table", figures_table),
    ("sum_round", sum_round),
    ("route_record", route_record),
    ("route_policy", route_policy),
];

fn frame(data: &[u8]) -> bool {
    let Some((header, payload)) = data.split_first_chunk() else {
        return false;
    };
    let Ok((kind, length)) = wire::parse_header(*header) else {
        return false;
    };
    assert!(length <= kind.payload_bytes_max());
    let payload = Bytes::copy_from_slice(payload);
    match kind {
        FrameType::Hello => wire::decode::<v1::Hello>(payload).is_ok(),
        FrameType::Request => wire::decode::<v1::Request>(payload).is_ok(),
        FrameType::Envelope => wire::decode::<v1::Envelope>(payload).is_ok(),
        FrameType::Answer => wire::decode::<v1::Answer>(payload).is_ok(),
        FrameType::Item => wire::decode::<v1::Item>(payload).is_ok(),
        FrameType::Confirm => wire::decode::<v1::Confirm>(payload).is_ok(),
        FrameType::Body | FrameType::Hashes | FrameType::Chunk => true,
    }
}

fn signed(data: &[u8]) -> bool {
    let Ok(signed) = v1::Signed::decode(data) else {
        return false;
    };
    let keys = [
        samples::author().verifying_key(),
        samples::log_key().verifying_key(),
    ];
    assert!(sign::verify(&signed, label::TYPE_MANIFEST, &keys[..1], 2).is_err());
    match sign::verify(&signed, label::TYPE_MANIFEST, &keys, 1) {
        Ok(verified) => verified.payload == signed.payload && !verified.key_ids.is_empty(),
        Err(_) => false,
    }
}

fn envelope(data: &[u8]) -> bool {
    let Ok(wire) = v1::Envelope::decode(data) else {
        return false;
    };
    let Ok(parsed) = envelope::parse(&wire) else {
        return false;
    };
    let keys = [samples::author().verifying_key()];
    let verified = envelope::verify(&parsed, &keys, &mut BatchCache::new()).is_ok();
    let whole = envelope::check_body(&parsed, &wire.body).is_ok();
    let timely = envelope::check_time(&parsed.core, NOW_MS).is_ok();
    // Opening is tried on unverified bytes too: a careless caller must not crash either.
    let opened = envelope::open(&parsed, &wire.body, "b", &[samples::sealing()]).is_ok();
    verified && whole && timely && opened
}

/// The hash of one chunk, then a CHUNK frame. What is not one is taken for other things that come
/// with attachments, too.
fn attachment(data: &[u8]) -> bool {
    let named = clean_file_name(&String::from_utf8_lossy(data));
    assert_eq!(clean_file_name(&named), named);
    let Some((root, frame)) = data.split_first_chunk() else {
        return false;
    };
    let listed = Listed {
        root: *root,
        bytes: samples::CHUNK_BYTES,
    };
    if let Ok(held) = Held::parse(listed, frame) {
        assert!(held.count() <= listed.chunks());
    }
    let hashes = Hashes::parse(listed, root).expect("one chunk is its own root");
    let chunk = hashes.read_chunk(&Bytes::copy_from_slice(frame));
    let Ok((_, sealed)) = chunk else { return false };
    let mut opener = Opener::new(samples::attached().0);
    opener.open(sealed.to_vec()).is_ok() && opener.finish().is_ok()
}

fn forward(data: &[u8]) -> bool {
    let Ok(wire) = v1::Envelope::decode(data) else {
        return false;
    };
    let Ok(parsed) = envelope::parse_forward(&wire) else {
        return false;
    };
    let keys = [samples::author().verifying_key()];
    let verified = envelope::verify_forward(&parsed, &keys, &keys, &mut BatchCache::new()).is_ok();
    let opened = envelope::open_forward(&parsed, &wire.body, "b", &[samples::sealing()]).is_ok();
    verified && opened
}

fn log() -> LogVerifier {
    LogVerifier::new(samples::origin(), samples::log_key().verifying_key())
}

/// The content of a recall, as its sender could have sealed it.
fn recall(data: &[u8]) -> bool {
    let (core, mut opened) = samples::opened_recall();
    opened.data = Bytes::copy_from_slice(data);
    envelope::read_recall(&core, &opened).is_ok()
}

fn receipt(data: &[u8]) -> bool {
    let Ok(wire) = v1::Receipt::decode(data) else {
        return false;
    };
    let checks = receipt::checks(&wire, &log(), None);
    assert!(!checks.is_empty());
    if receipt::verify(&wire, &log(), None).is_err() {
        return false;
    }
    let text = receipt::to_tlog_proof_text(&wire).expect("a verified receipt can be written");
    let again = receipt::from_tlog_proof_text(&text).expect("what we write we read");
    receipt::verify(&again, &log(), None).is_ok()
}

fn statement(data: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(statement) = receipt::Statement::parse(&bytes) else {
        return false;
    };
    let _ = statement.wire_code();
    let encoded = statement
        .encode()
        .expect("a judged statement can be written");
    assert_eq!(receipt::Statement::parse(&encoded), Ok(statement));
    true
}

fn tlog_proof(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(wire) = receipt::from_tlog_proof_text(text) else {
        return false;
    };
    if let Ok(again) = receipt::to_tlog_proof_text(&wire) {
        assert_eq!(receipt::from_tlog_proof_text(&again).as_ref(), Ok(&wire));
    }
    receipt::verify(&wire, &log(), None).is_ok()
}

fn checkpoint(data: &[u8]) -> bool {
    let note = SignedNote::parse(data).is_ok();
    let verified = checkpoint::parse_and_verify(data, &log(), 0).is_ok();
    assert!(note || !verified);
    let twice = checkpoint::parse_and_verify(data, &samples::paired_log().1, 0).is_ok();
    assert!(verified || !twice);
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let head = Checkpoint::parse_text(text).inspect(|head| assert_eq!(head.text(), text));
    verified || head.is_ok() || LogVerifier::from_vkey(text).is_ok()
}

fn add_checkpoint(data: &[u8]) -> bool {
    let Ok(asked) = AddCheckpoint::parse(data) else {
        // What a witness answers is bytes of a peer too.
        let joined = witness::with_lines(&samples::checkpoint(), data);
        return joined.is_ok_and(|joined| witness::bare(&joined, &log()).is_ok());
    };
    assert_eq!(asked.to_body(), data);
    witness::bare(&asked.checkpoint, &log()).is_ok()
}

fn leaf(data: &[u8]) -> bool {
    let _ = tile::entries(data, 256);
    let Ok(leaf) = Leaf::parse(data) else {
        return false;
    };
    let _ = (leaf.event(), leaf.time_ms(), leaf.hash());
    assert!(leaf.check(&[0; 32], data).is_err());
    true
}

fn roster(data: &[u8]) -> bool {
    // Not pinned too, so that mutation can reach what stands behind the root's signatures.
    let stated = v1::RosterBundle::decode(data).ok();
    let stated = stated.and_then(|bundle| TrustAnchor::of_root(&bundle.root).ok());
    if let Some(anchor) = stated {
        let _ = Roster::judge(data, &anchor, NOW_MS);
    }
    Roster::judge(data, &samples::federation().anchor, NOW_MS).is_ok()
}

fn member_card(data: &[u8]) -> bool {
    Card::judge(data, frex_tests::federation::FEDERATION, NOW_MS).is_ok()
}

fn hello(data: &[u8]) -> bool {
    static ROSTER: OnceLock<Roster> = OnceLock::new();
    let roster = ROSTER.get_or_init(|| samples::federation().roster(NOW_MS));
    let Ok(hello) = v1::Hello::decode(data) else {
        return false;
    };
    let judged = |peer| session::judge_hello(&hello, &peer, roster, "b", NOW_MS).is_ok();
    let client = judged(Peer::Client("a".to_owned()));
    judged(Peer::Node("a".to_owned())) || client
}

fn config(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    match NodeConfig::parse(text) {
        Ok(_) => true,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// A directory for parsers that take a path; `tests/fuzz/run` keeps it in memory and removes it.
fn scratch() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(closed_directory)
}

/// A new directory that only its owner enters: key files in any other are refused.
fn closed_directory() -> PathBuf {
    let directory = tempfile::tempdir().expect("a scratch directory").keep();
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&directory, closed).expect("a directory of ours");
    directory
}

fn written(name: &str, data: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    std::fs::write(&path, data).expect("a scratch file");
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, closed).expect("a file of ours");
    path
}

fn key_file(data: &[u8]) -> bool {
    let path = written("some.key", data);
    // Without a passphrase: an encrypted key is judged up to where one would be asked for.
    let unlock = Unlock::none();
    let signing = frex_client::keys::file::read_signing_key(&path, &unlock);
    let sealing = frex_client::keys::file::read_sealing_key(&path, &unlock);
    assert!(!(signing.is_ok() && sealing.is_ok()));
    let good = |error: &KeyFileError| matches!(error, KeyFileError::Sealed { .. });
    signing.map_or_else(|error| good(&error), |_| true)
        || sealing.map_or_else(|error| good(&error), |_| true)
}

fn member_settings(data: &[u8]) -> bool {
    written("member.toml", data);
    frex_client::keys::MemberHome::open(scratch()).is_ok()
}

/// Puts `data` in the place of one file of a sound journal and opens it.
fn reopened(replaced: &str, data: &[u8]) -> bool {
    let disk = Arc::new(SimDisk::new(0));
    let directory = Path::new("/journal");
    disk.create_dir_all(directory).expect("an empty disk");
    for (path, bytes) in samples::journal() {
        let here = path.to_string_lossy().ends_with(replaced);
        let file = disk.open(path, true).expect("an empty disk");
        let bytes = if here { data } else { bytes };
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
    opened.is_ok()
}

fn journal_segment(data: &[u8]) -> bool {
    reopened(".seg", data)
}

fn journal_marker(data: &[u8]) -> bool {
    reopened("committed", data)
}
