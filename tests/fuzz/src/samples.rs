//! Well-formed inputs, made from fixed keys.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use frex_client::{keys::text::SecretKeyRef, passphrase::Passphrase};
use frex_node::journal::{Journal, JournalConfig, RecordKind};
use frex_proto::{
    attachment::{chunk_frame, Attached, Sealer},
    envelope::{self, Core, Draft, ForwardDraft, Opened, SignedEnvelope},
    id::MessageId,
    keys::{CompanionKind, SealingSecretKey, SigningKey},
    log::{
        self, checkpoint, cosignature, witness, AddCheckpoint, Checkpoint, Frontier, Leaf,
        LogVerifier,
    },
    receipt,
    roster::{
        build::{self, CardDraft},
        Peer,
    },
    session::{self, SessionLimits},
    v1,
    wire::{self, FrameType},
};
use frex_tests::{
    federation::{Federation, Organisation, FEDERATION},
    sim::disk::SimDisk,
};
use prost::Message;
use rand_chacha::{rand_core::SeedableRng, ChaCha20Rng};

use crate::{casework, governing, joining, reporting, targets};

/// Sealed length of a file of a few bytes.
pub const CHUNK_BYTES: u64 = 4112;
/// When all samples are made and judged.
pub const NOW_MS: u64 = 1_790_000_000_000;
/// The journal that damage is done to.
pub const JOURNAL: JournalConfig = JournalConfig {
    segment_bytes: 8192,
    fill_ahead_bytes: 4096,
    salt: 7,
};
/// All record bytes in it.
pub const JOURNAL_PAYLOAD_BYTES: usize = 6 * 200;

/// Signs envelopes.
pub fn author() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// Signs checkpoints.
pub fn log_key() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

/// The key of a log whose heads have two signatures, and how they are verified.
pub fn paired_log() -> &'static (SigningKey, LogVerifier) {
    static LOG: OnceLock<(SigningKey, LogVerifier)> = OnceLock::new();
    LOG.get_or_init(|| {
        let key = log_key().with_companion_of(CompanionKind::Heads, &[4; 32]);
        let log = LogVerifier::new(origin(), key.verifying_key());
        (key, log)
    })
}

/// Opens envelopes for member `b`.
pub fn sealing() -> &'static SealingSecretKey {
    static KEY: OnceLock<SealingSecretKey> = OnceLock::new();
    KEY.get_or_init(|| SealingSecretKey::from_seed(&[3; 32]))
}

/// The log's name.
pub fn origin() -> String {
    log::origin(FEDERATION, "a", 1)
}

/// Two members with a node each.
pub fn federation() -> &'static Federation {
    static FEDERATION: OnceLock<Federation> = OnceLock::new();
    let organisation = |id, port| Organisation {
        id,
        role: v1::Role::Hotline,
        country: "DE",
        node: Ok(SocketAddr::from(([127, 0, 0, 1], port))),
    };
    FEDERATION.get_or_init(|| {
        Federation::new(
            1,
            NOW_MS - 1000,
            &[organisation("a", 1), organisation("b", 2)],
        )
    })
}

/// Writes the samples of a target as files, once the target has found them sound.
pub fn write(name: &str, target: targets::Target, directory: &Path) {
    std::fs::create_dir_all(directory).expect("the samples' directory");
    for (number, sample) in of(name).into_iter().enumerate() {
        assert!(target(&sample), "sample {number} of {name} is not sound");
        std::fs::write(directory.join(format!("sample-{number}")), sample).expect("a sample");
    }
}

fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frame" => frames(),
        "signed" => envelopes()
            .iter()
            .map(|wire| wire.signed.to_vec())
            .collect(),
        "envelope" => envelopes().iter().map(Message::encode_to_vec).collect(),
        "forward" => vec![forwarded().encode_to_vec()],
        "attachment" => {
            let (attached, chunk) = attached();
            vec![[&attached.listed.root[..], &chunk_frame(0, &chunk)].concat()]
        }
        "recall" => recalls(),
        "receipt" => vec![receipt().encode_to_vec()],
        "statement" => vec![receipt().statement.to_vec()],
        "tlog_proof" => vec![proof_text().into_bytes()],
        "checkpoint" => vec![
            receipt().checkpoint.to_vec(),
            vkey().into_bytes(),
            paired_head(),
            paired_log().1.vkey().into_bytes(),
            head().text().into_bytes(),
        ],
        "add_checkpoint" => witness_requests(),
        "leaf" => vec![receipt().leaf.to_vec()],
        "roster" => vec![federation().bundle.to_vec()],
        "member_card" => vec![card()],
        "hello" => vec![hello().encode_to_vec()],
        "config" => vec![CONFIG.into()],
        "key_file" => key_files(),
        "member_settings" => vec![SETTINGS.into()],
        "journal_segment" => journal_file(".seg"),
        "journal_marker" => journal_file("committed"),
        "offered_roster" | "proposal" | "holder" | "signatures" => governing::samples(target),
        other => reporting::samples(other)
            .or_else(|| casework::samples(other))
            .unwrap_or_else(|| joining::samples(other)),
    }
}

const CONFIG: &str = "node = \"a\"\nlisten = \"127.0.0.1:4433\"\nmetrics = \"127.0.0.1:9433\"\n";
const SETTINGS: &str = "member = \"a\"\nfederation = \"test\"\nhome_node = \"a\"\n\
    country = \"DE\"\nname = \"A\"\nrole = \"hotline\"\n";

fn draft(data: Bytes) -> Draft {
    Draft {
        federation: FEDERATION.to_owned(),
        sender: "a".to_owned(),
        recipients: vec![("b".to_owned(), sealing().public().clone())],
        kind: v1::Kind::Report,
        lane: v1::Lane::Normal,
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 1000,
        reply_by_ms: None,
        message_id: MessageId([4; 16]),
        conversation: None,
        in_reply_to: None,
        content_type: "text/plain".to_owned(),
        data,
        attachments: vec![attached().0],
    }
}

/// A file of a few bytes, and its only chunk.
pub fn attached() -> (Attached, Vec<u8>) {
    let file = b"a note".to_vec();
    let rng = &mut ChaCha20Rng::from_seed([8; 32]);
    let mut sealer = Sealer::new(file.len() as u64, rng).expect("a short file");
    let chunk = sealer.seal(file).expect("all of the file");
    let finished = sealer.finish("note.txt", "text/plain");
    (finished.expect("a harmless name").0, chunk)
}

/// One with a signature of its own, and one of a batch of two.
fn envelopes() -> Vec<v1::Envelope> {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut sealed = |text: &'static str| {
        envelope::seal(&draft(Bytes::from(text)), &mut rng).expect("a sound draft")
    };
    let single = envelope::sign_one(sealed("one"), &author()).expect("a key in memory signs");
    let mut batch = envelope::sign_many(vec![sealed("two"), sealed("three")], &author())
        .expect("a key in memory signs");
    batch.push(single);
    batch.iter().map(|signed| signed.to_wire(None)).collect()
}

fn forwarded() -> v1::Envelope {
    let wire = envelopes().pop().expect("three envelopes");
    let parsed = envelope::parse(&wire).expect("a sound envelope");
    let opened = envelope::open(&parsed, &wire.body, "b", &[sealing()]).expect("b can open");
    let draft = ForwardDraft {
        federation: FEDERATION.to_owned(),
        sender: "a".to_owned(),
        recipients: vec![("b".to_owned(), sealing().public().clone())],
        message_id: MessageId([6; 16]),
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 1000,
    };
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let key = &opened.content_key;
    let forward = envelope::forward(&parsed, wire.body, key, &draft, &mut rng, &author());
    forward.expect("a sound forward").to_wire(None)
}

/// A recall of `a`, signed.
fn recall() -> SignedEnvelope {
    let notice = envelope::recall_notice("legal", Bytes::new()).expect("a code");
    let draft = Draft {
        kind: v1::Kind::Recall,
        lane: v1::Lane::Control,
        conversation: Some(([8; 16], 0)),
        in_reply_to: Some(frex_proto::id::EnvelopeId([8; 32])),
        content_type: envelope::RECALL_CONTENT_TYPE.to_owned(),
        ..draft(notice)
    };
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let sealed = envelope::seal(&draft, &mut rng).expect("a sound draft");
    envelope::sign_one(sealed, &author()).expect("a key in memory signs")
}

/// The recall of `a` as `b` has opened it, made once.
pub fn opened_recall() -> (Core, Opened) {
    static OPENED: OnceLock<(Core, Opened)> = OnceLock::new();
    let opened = OPENED.get_or_init(|| {
        let wire = recall().to_wire(None);
        let parsed = envelope::parse(&wire).expect("a sound envelope");
        let opened = envelope::open(&parsed, &wire.body, "b", &[sealing()]).expect("b can open");
        (parsed.core, opened)
    });
    opened.clone()
}

/// What a recall says by itself, and when it follows another.
fn recalls() -> Vec<Vec<u8>> {
    [Bytes::new(), recall().signed]
        .map(|cause| {
            envelope::recall_notice("legal", cause)
                .expect("a code")
                .to_vec()
        })
        .into()
}

fn receipt() -> v1::Receipt {
    let statement = receipt::Statement {
        envelope_id: Some(frex_proto::id::EnvelopeId([8; 32])),
        message_id: Some(MessageId([4; 16])),
        sender: "a".to_owned(),
        recipients: vec!["b".to_owned()],
        ..receipt::Statement::new(v1::Event::Accepted, "a")
    };
    let statement = statement.encode().expect("a sound statement");
    let leaf = Leaf::build(v1::Event::Accepted, NOW_MS, &[9; 32], &statement);
    let mut tree = Frontier::new();
    let other = [10; 32];
    tree.append(other);
    tree.append(leaf.hash());
    let head = Checkpoint {
        origin: origin(),
        size: tree.size(),
        root: tree.root(),
    };
    let signed = checkpoint::sign(&head, &log_key()).expect("a small tree");
    receipt::build(statement, &[9; 32], &leaf, 1, &[other], signed)
}

/// A checkpoint that the log signed.
pub fn checkpoint() -> Bytes {
    receipt().checkpoint
}

/// What a log asks of a witness, and the line that the witness answers.
fn witness_requests() -> Vec<Vec<u8>> {
    let asked = AddCheckpoint {
        old_size: 1,
        proof: vec![[10; 32]],
        checkpoint: checkpoint(),
    };
    let name = log::witness_name(FEDERATION, "b", 1);
    let cosigned = cosignature::cosign(&checkpoint(), &name, &author(), NOW_MS / 1000);
    let line =
        witness::lines_beyond(&cosigned.expect("a checkpoint"), &checkpoint()).expect("a line");
    vec![asked.to_body().to_vec(), line.to_vec()]
}

fn proof_text() -> String {
    receipt::to_tlog_proof_text(&receipt()).expect("a sound receipt")
}

fn vkey() -> String {
    let log = LogVerifier::new(origin(), log_key().verifying_key());
    log.vkey()
}

fn head() -> Checkpoint {
    Checkpoint {
        origin: origin(),
        size: 3,
        root: [1; 32],
    }
}

fn paired_head() -> Vec<u8> {
    let signed = checkpoint::sign(&head(), &paired_log().0);
    signed.expect("a key in memory signs").to_vec()
}

pub fn card() -> Vec<u8> {
    let seat = federation().member("a");
    let tls = seat.tls.verifying_key();
    let draft = CardDraft {
        federation: FEDERATION,
        id: "a",
        name: "A",
        role: v1::Role::Hotline,
        country: "DE",
        home_node: "b",
        node: None,
        identity: &seat.identity,
        client_tls: &[tls],
        sealing: &[sealing().public().clone()],
        issued_ms: NOW_MS,
        expires_ms: NOW_MS + 1000,
    };
    build::card(&draft)
        .expect("a key in memory signs")
        .encode_to_vec()
}

fn hello() -> v1::Hello {
    let limits = SessionLimits {
        batch_envelopes_max: 64,
        body_bytes_max: 1 << 20,
        requests_in_flight_max: 64,
    };
    session::build_hello(
        &federation().roster(NOW_MS),
        &Peer::Node("a".to_owned()),
        "b",
        receipt().checkpoint,
        &limits,
        NOW_MS,
        &mut ChaCha20Rng::from_seed([11; 32]),
    )
}

fn frames() -> Vec<Vec<u8>> {
    let frame = |kind, message: &dyn Fn(&mut bytes::BytesMut, FrameType)| {
        let mut bytes = bytes::BytesMut::new();
        message(&mut bytes, kind);
        bytes.to_vec()
    };
    let submit = v1::request::Request::Submit(v1::Submit {
        envelopes: 1,
        wait_ms: 1000,
    });
    let request = v1::Request {
        request: Some(submit),
    };
    let answer = v1::Answer {
        envelope: 1,
        answer: Some(v1::answer::Answer::Receipt(receipt())),
    };
    let item = v1::Item {
        lease: 1,
        envelope: envelopes().pop(),
        receipt: Some(receipt()),
    };
    let confirm = v1::Confirm {
        lease: 1,
        statement: Bytes::from_static(b"x"),
    };
    vec![
        frame(FrameType::Hello, &|out, kind| {
            wire::put_message(out, kind, &hello())
        }),
        frame(FrameType::Request, &|out, kind| {
            wire::put_message(out, kind, &request)
        }),
        frame(FrameType::Answer, &|out, kind| {
            wire::put_message(out, kind, &answer)
        }),
        frame(FrameType::Item, &|out, kind| {
            wire::put_message(out, kind, &item)
        }),
        frame(FrameType::Confirm, &|out, kind| {
            wire::put_message(out, kind, &confirm)
        }),
    ]
}

fn key_files() -> Vec<Vec<u8>> {
    let (author, mut rng) = (author(), ChaCha20Rng::from_seed([5; 32]));
    let passphrase = Passphrase::read(&mut &b"open sesame"[..]).expect("one line");
    let mut texts = Vec::new();
    for key in [SecretKeyRef::from(&author), sealing().into()] {
        let sealed = key.to_encrypted_text(&passphrase, &mut rng);
        let sealed = sealed.expect("a sound key");
        let pem = sealed.find("-----BEGIN").expect("PEM");
        texts.push(key.to_text().expect("a sound key").as_bytes().to_vec());
        // Without its checksum a changed document gets further.
        texts.push(sealed[pem..].as_bytes().to_vec());
        texts.push(sealed.as_bytes().to_vec());
    }
    texts
}

/// The files of a small sound journal.
pub fn journal() -> &'static [(PathBuf, Vec<u8>)] {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = Arc::new(SimDisk::new(0));
        let directory = Path::new("/journal");
        let mut journal = Journal::open(
            disk.clone(),
            directory,
            JOURNAL,
            None,
            &mut |_| Ok(()),
            &mut |_, _| {},
        )
        .expect("an empty disk");
        for number in 0..3 {
            let record: &[&[u8]] = &[&[number; 200]];
            journal
                .append(&[(RecordKind(1), record), (RecordKind(2), record)])
                .expect("room for three blocks");
        }
        let read = |path: &Path| frex_node::disk::read_all(&*disk, path, 1 << 20).expect("there");
        let files = disk.files().into_iter();
        files.map(|path| (path.clone(), read(&path))).collect()
    })
}

fn journal_file(end: &str) -> Vec<Vec<u8>> {
    let files = journal().iter();
    let named = files.filter(|(path, _)| path.to_string_lossy().ends_with(end));
    named.map(|(_, bytes)| bytes.clone()).collect()
}
