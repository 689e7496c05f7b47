//! Files of evidence: a request to two, an answer by one, the word that the other has not answered.

mod ended;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use frex_proto::{
    envelope::{self, Draft, ForwardDraft, SignedEnvelope},
    evidence::{self, FIRST_LINE, Parts},
    id::MessageId,
    keys::SigningKey,
    label,
    log::{Checkpoint, Frontier, Leaf, batch_append, checkpoint, cosignature, origin},
    receipt, sign,
    v1::{self, Event},
};
use prost::Message;

use crate::{
    Vector,
    fixtures::{
        CLEARING, DAY_MS, FEDERATION, NOW_MS, POLICE, SENDER, clearing_seed, draft, rng, sealing,
        stranger,
    },
    rosters::{two_of_three, two_of_three_anew},
};

const SALT: [u8; 32] = [41; 32];
/// Nodes with the seeds of their log and witness keys.
const NODES: [(&str, u8, u8); 3] = [
    ("node.example-a", 51, 54),
    ("node.example-b", 61, 64),
    ("node.example-c", 71, 74),
];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// The hotline's request to police and clearing house, due after a day.
fn request() -> Draft {
    Draft {
        kind: v1::Kind::Request,
        ..draft(b"a request")
    }
}

fn sealed(draft: &Draft, seed: u8) -> SignedEnvelope {
    let sealed = envelope::seal(draft, &mut rng(u64::from(seed))).expect("a good draft");
    envelope::sign_one(sealed, &key(seed)).expect("a key in memory signs")
}

/// What a member sends the hotline about an envelope, two days later.
fn reply(asked: &SignedEnvelope, sender: &str, seed: u8) -> SignedEnvelope {
    let draft = Draft {
        sender: sender.to_owned(),
        recipients: vec![(SENDER.to_owned(), sealing(&[24; 32]).public().clone())],
        kind: v1::Kind::Response,
        created_ms: NOW_MS + 2 * DAY_MS,
        expires_ms: NOW_MS + 5 * DAY_MS,
        reply_by_ms: None,
        message_id: MessageId([seed; 16]),
        in_reply_to: Some(asked.id),
        ..draft(b"an answer")
    };
    sealed(&draft, seed)
}

/// The hotline passes what the police sent it on to the clearing house: id and exhibit.
fn passed_on() -> (Bytes, v1::Exhibit) {
    let own = sealing(&[24; 32]);
    let draft = Draft {
        sender: POLICE.to_owned(),
        recipients: vec![(SENDER.to_owned(), own.public().clone())],
        reply_by_ms: None,
        message_id: MessageId([12; 16]),
        ..draft(b"a report")
    };
    let wire = sealed(&draft, 60).to_wire(None);
    let original = envelope::parse(&wire).expect("own output");
    let opened = envelope::open(&original, &wire.body, SENDER, &[&own]).expect("it opens");
    let draft = ForwardDraft {
        federation: FEDERATION.to_owned(),
        sender: SENDER.to_owned(),
        recipients: vec![(
            CLEARING.to_owned(),
            sealing(&clearing_seed()).public().clone(),
        )],
        message_id: MessageId([13; 16]),
        created_ms: NOW_MS + DAY_MS,
        expires_ms: NOW_MS + 5 * DAY_MS,
    };
    let content_key = &opened.content_key;
    let forward = envelope::forward(
        &original,
        wire.body,
        content_key,
        &draft,
        &mut rng(14),
        &key(50),
    );
    let forward = forward.expect("a good draft");
    let shown = v1::Exhibit {
        signed: forward.to_wire(None).forward,
        ..v1::Exhibit::default()
    };
    (Bytes::copy_from_slice(forward.id.as_ref()), shown)
}

/// The hotline's reminder, a day after the request.
fn reminder(asked: &SignedEnvelope) -> SignedEnvelope {
    reminder_sealed(asked, 50)
}

/// The same message, sealed by this randomness: another envelope.
fn reminder_sealed(asked: &SignedEnvelope, seed: u64) -> SignedEnvelope {
    let draft = Draft {
        created_ms: NOW_MS + DAY_MS,
        expires_ms: NOW_MS + 5 * DAY_MS,
        reply_by_ms: None,
        message_id: MessageId([9; 16]),
        in_reply_to: Some(asked.id),
        ..request()
    };
    of_asker(&draft, seed)
}

/// What the hotline sends, sealed by this randomness.
fn of_asker(draft: &Draft, seed: u64) -> SignedEnvelope {
    let sealed = envelope::seal(draft, &mut rng(seed)).expect("a good draft");
    envelope::sign_one(sealed, &key(50)).expect("a key in memory signs")
}

fn statement(event: Event, about: &SignedEnvelope, to: &[&str]) -> v1::Statement {
    let signed = v1::Signed::decode(about.signed.clone()).expect("own output");
    let manifest = v1::Manifest::decode(signed.payload).expect("own output");
    let core = v1::Core::decode(manifest.core).expect("own output");
    v1::Statement {
        event: event.into(),
        envelope_id: Bytes::copy_from_slice(about.id.as_ref()),
        message_id: core.message_id,
        sender: core.sender,
        recipients: to.iter().map(|one| (*one).to_owned()).collect(),
        ..v1::Statement::default()
    }
}

/// A member's word, in a statement of its node.
fn staged(about: &SignedEnvelope, member: &str, by: &SigningKey) -> v1::Statement {
    let word = v1::StageStatement {
        envelope_id: Bytes::copy_from_slice(about.id.as_ref()),
        federation: FEDERATION.to_owned(),
        member: member.to_owned(),
        stage: v1::Stage::Opened.into(),
        time_ms: NOW_MS + 30,
        outcome: String::new(),
    };
    let signed = sign::sign(label::TYPE_STAGE, word.encode_to_vec().into(), &[by]);
    v1::Statement {
        member_statement: signed
            .expect("a key in memory signs")
            .encode_to_vec()
            .into(),
        ..statement(Event::Stage, about, &[member])
    }
}

/// A node's log of these entries, each with its time; a receipt for each under one head.
fn logged(
    place: usize,
    epoch: u32,
    entries: &[(u64, v1::Statement)],
    witnesses: &[usize],
) -> Vec<v1::Receipt> {
    let (node, log_key, _) = NODES[place];
    let leaves: Vec<(Bytes, Leaf)> = entries
        .iter()
        .map(|(time_ms, statement)| {
            let statement = v1::Statement {
                node: node.to_owned(),
                ..statement.clone()
            };
            let event = statement.event();
            let bytes = Bytes::from(statement.encode_to_vec());
            let leaf = Leaf::build(event, *time_ms, &SALT, &bytes);
            (bytes, leaf)
        })
        .collect();
    let hashes: Vec<_> = leaves.iter().map(|(_, leaf)| leaf.hash()).collect();
    let grown = batch_append(&Frontier::new(), &hashes);
    let head = Checkpoint {
        origin: origin(FEDERATION, node, epoch),
        size: hashes.len() as u64,
        root: grown.root,
    };
    let signed = checkpoint::sign(&head, &key(log_key)).expect("a head");
    let signed = witnesses.iter().fold(signed, |note, witness| {
        let (node, _, seed) = NODES[*witness];
        let name = format!("frex/{FEDERATION}/{node}/witness/1");
        cosignature::cosign(&note, &name, &key(seed), NOW_MS / 1000).expect("a checkpoint")
    });
    (0..)
        .zip(&leaves)
        .map(|(index, (bytes, leaf))| {
            let proof = &grown.proofs[usize::try_from(index).expect("small")];
            receipt::build(bytes.clone(), &SALT, leaf, index, proof, signed.clone())
        })
        .collect()
}

fn exhibit(envelope: &SignedEnvelope) -> v1::Exhibit {
    v1::Exhibit {
        signed: envelope.signed.clone(),
        ..v1::Exhibit::default()
    }
}

/// Everything, before it is put together.
struct Scene {
    request: SignedEnvelope,
    answer: SignedEnvelope,
    /// The entries of each node's log.
    logs: [Vec<(u64, v1::Statement)>; 3],
    /// How the first log of the hotline's node ended, and the entries of the one that follows it.
    anew: Option<(v1::EndedLog, Vec<(u64, v1::Statement)>)>,
    exhibits: Vec<v1::Exhibit>,
    silence: v1::SilenceStatement,
    silence_by: SigningKey,
    witnessed: bool,
}

impl Scene {
    fn new() -> Self {
        let request = sealed(&request(), 50);
        let answer = reply(&request, POLICE, 60);
        let both = [POLICE, CLEARING];
        let late = NOW_MS + 2 * DAY_MS + 10;
        let logs = [
            vec![
                (NOW_MS + 10, statement(Event::Submitted, &request, &both)),
                (late, statement(Event::Accepted, &answer, &[SENDER])),
            ],
            vec![
                (NOW_MS + 20, statement(Event::Accepted, &request, &[POLICE])),
                (NOW_MS + 30, staged(&request, POLICE, &key(60))),
            ],
            vec![(
                NOW_MS + 25,
                statement(Event::Accepted, &request, &[CLEARING]),
            )],
        ];
        let silence = v1::SilenceStatement {
            federation: FEDERATION.to_owned(),
            member: SENDER.to_owned(),
            envelope_id: Bytes::copy_from_slice(request.id.as_ref()),
            silent: vec![CLEARING.to_owned()],
            checkpoint: Bytes::new(),
            time_ms: NOW_MS + 3 * DAY_MS,
        };
        Self {
            exhibits: vec![exhibit(&request), exhibit(&answer)],
            request,
            answer,
            logs,
            anew: None,
            silence,
            silence_by: key(50),
            witnessed: true,
        }
    }

    fn with(mut self, change: &dyn Fn(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn receipts(&self, place: usize) -> Vec<v1::Receipt> {
        let all = [[1, 2], [0, 2], [0, 1]];
        let witnesses = if self.witnessed { &all[place][..] } else { &[] };
        logged(place, 1, &self.logs[place], witnesses)
    }

    /// Those of the log that follows.
    fn later_receipts(&self) -> Vec<v1::Receipt> {
        let entries = self.anew.as_ref().map(|(_, entries)| &entries[..]);
        logged(0, 2, entries.unwrap_or_default(), &[1, 2])
    }

    fn parts(&self) -> Parts {
        let (first, later) = (self.receipts(0), self.later_receipts());
        let mut silence = self.silence.clone();
        if silence.checkpoint.is_empty() {
            silence.checkpoint = later.first().unwrap_or(&first[0]).checkpoint.clone();
        }
        let others = [1, 2].into_iter().flat_map(|place| self.receipts(place));
        let receipts = first.into_iter().chain(later).chain(others).collect();
        let signed = evidence::state_silence(&silence, &self.silence_by);
        let ended = self.anew.as_ref().map(|(ended, _)| *ended);
        Parts {
            roster: ended.map_or_else(|| two_of_three().0, two_of_three_anew),
            exhibits: self.exhibits.clone(),
            receipts,
            silences: vec![signed.expect("a key in memory signs")],
        }
    }

    fn file(&self) -> Vec<u8> {
        evidence::build(self.parts()).expect("within the limits")
    }

    fn bundle(&self) -> v1::EvidenceBundle {
        evidence::parse(&self.file()).expect("own output")
    }
}

fn vector(name: &str, spec: &str, what: &str, file: &[u8], expect: &str) -> Vector {
    Vector::new("evidence", name, spec, what, "verify_evidence")
        .set("federation", FEDERATION)
        .hex("root_sha256", two_of_three().1)
        .hex("evidence", file)
        .expect(expect)
}

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = good();
    vectors.extend(files());
    vectors.extend(exhibits());
    vectors.extend(receipts());
    vectors.extend(silences());
    vectors.extend(ended::ended_logs());
    vectors
}

/// The request with its content and the salt of its commitment.
fn revealed(data: &'static [u8]) -> v1::Exhibit {
    let request = sealed(&request(), 50);
    v1::Exhibit {
        content: evidence::content_of("text/plain", Bytes::from_static(data)),
        salt: Bytes::copy_from_slice(&request.salt.expect("an envelope has one")),
        signed: request.signed,
    }
}

#[rustfmt::skip] // A table: one row a vector.
fn good() -> Vec<Vector> {
    let scene = Scene::new();
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Scene)| {
        vector(name, spec, what, &Scene::new().with(change).file(), "ok")
    };
    let reminded = |s: &mut Scene| {
        let reminder = reminder(&s.request);
        s.logs[2].push((NOW_MS + DAY_MS + 5, statement(Event::Accepted, &reminder, &[CLEARING])));
        s.exhibits.push(exhibit(&reminder));
    };
    let sealed_again = |s: &mut Scene| {
        reminded(s);
        let again = reminder_sealed(&s.request, 61);
        s.logs[2].push((NOW_MS + DAY_MS + 9, statement(Event::Accepted, &again, &[CLEARING])));
        s.exhibits.push(exhibit(&again));
    };
    let once_more = |s: &mut Scene| {
        reminded(s);
        let draft = Draft {
            created_ms: NOW_MS + DAY_MS + 20,
            expires_ms: NOW_MS + 5 * DAY_MS,
            reply_by_ms: Some(NOW_MS + 2 * DAY_MS),
            message_id: MessageId([10; 16]),
            in_reply_to: Some(reminder(&s.request).id),
            ..request()
        };
        let more = of_asker(&draft, 62);
        s.logs[2].push((NOW_MS + DAY_MS + 25, statement(Event::Accepted, &more, &[CLEARING])));
        s.exhibits.push(exhibit(&more));
    };
    let soon = |s: &mut Scene| s.silence.time_ms = NOW_MS + 1000;
    let undated = |s: &mut Scene| { s.logs[0].pop(); };
    let bare = evidence::without_manifests(scene.bundle()).expect("some are left");
    let one = evidence::of_member_alone(scene.bundle(), POLICE).expect("some are left");
    vec![
        row("request", "EVD-8", "one answers late, the other is silent after the answer was due", &|_| ()),
        row("reminded", "EVD-8", "a further message of the asker reached the other", &reminded),
        row("reminded-sealed-again", "EVD-8", "a further message that was sealed again counts once", &sealed_again),
        row("further-to-further", "EVD-8", "what is further to a further message has a clock of its own", &once_more),
        row("not-due-yet", "EVD-8", "the silence is stated before the answer is due", &soon),
        row("answer-undated", "EVD-8", "no receipt dates the answer, so that it is none", &undated),
        row("provisional", "EVD-5", "no witness has cosigned", &|s| s.witnessed = false),
        row("with-content", "EVD-11", "the request's content is revealed", &|s| s.exhibits[0] = revealed(b"a request")),
        row("request-alone", "EVD-7", "no answer is shown: the word of silence about it is not contradicted here", &|s| { s.exhibits.pop(); s.logs[0].pop(); s.silence.silent = vec![POLICE.to_owned()]; }),
        vector("without-manifests", "EVD-11", "receipts alone", &bare, "ok"),
        vector("of-one-member", "EVD-11", "the receipts that name one recipient and nobody else", &one, "ok"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn files() -> Vec<Vector> {
    let good = Scene::new().file();
    let changed = |change: &dyn Fn(&mut v1::EvidenceBundle)| {
        let mut bundle = Scene::new().bundle();
        change(&mut bundle);
        [FIRST_LINE, &bundle.encode_to_vec()].concat()
    };
    let other_root = vector("other-root", "EVD-4", "under another root than the pinned one", &good, "WrongRoot");
    let other_root = Vector { fields: other_root.fields.into_iter().map(|(name, value)| if name == "root_sha256" { (name, hex::encode([7; 32]).into()) } else { (name, value) }).collect(), ..other_root };
    let tail = changed(&|b| b.roster.clear()).len() - FIRST_LINE.len();
    let mut roster = good.clone();
    let at = roster.len() - tail - 3;
    roster[at] ^= 1;
    vec![
        vector("first-line", "EVD-1", "another version", &[b"frex-evidence/v2\n", &good[FIRST_LINE.len()..]].concat(), "FirstLine"),
        vector("empty-file", "EVD-1", "no bytes", b"", "FirstLine"),
        vector("cut-off", "EVD-1", "the last byte is missing", &good[..good.len() - 1], "Malformed"),
        vector("with-more", "EVD-2", "a field that is none of it", &[&good[..], b"\x2a\x01x"].concat(), "NotCanonical"),
        vector("shows-nothing", "EVD-2", "a roster alone", &changed(&|b| { b.exhibits.clear(); b.receipts.clear(); b.silences.clear(); }), "Empty"),
        vector("out-of-order", "EVD-3", "two receipts exchanged", &changed(&|b| b.receipts.swap(0, 1)), "Order"),
        vector("receipt-twice", "EVD-3", "one receipt twice", &changed(&|b| b.receipts.insert(0, b.receipts[0].clone())), "Order"),
        vector("leaves-without-a-time", "EVD-3", "two leaves too short for a time, in the order of their bytes", &changed(&|b| {
            b.receipts[0].leaf = Bytes::from_static(b"\x01\0\0\0\0\0\0\0\x01\x01\x01\x01");
            b.receipts[1].leaf = Bytes::from_static(b"\x02\0\0\0\0\0\0\0\0\0\0\0");
        }), "Receipt(Leaf(Length))"),
        vector("roster-with-documents", "EVD-2", "a roster with its members' documents", &changed(&|b| b.roster = two_of_three().0.into()), "NotCanonical"),
        vector("exhibits-65", "LIM-91", "65 exhibits", &changed(&|b| b.exhibits = vec![b.exhibits[0].clone(); 65]), "TooLarge"),
        vector("silences-65", "LIM-93", "65 words of silence", &changed(&|b| b.silences = vec![b.silences[0].clone(); 65]), "TooLarge"),
        vector("roster-changed", "EVD-4", "one bit of a signature on the roster changed", &roster, "BadSignature"),
        other_root,
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn exhibits() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Scene), expect: &str| {
        vector(name, spec, what, &Scene::new().with(change).file(), expect)
    };
    let again = |change: &dyn Fn(&mut Draft), seed: u8| {
        let mut draft = request();
        change(&mut draft);
        let sealed = envelope::seal(&draft, &mut rng(50)).expect("a good draft");
        exhibit(&envelope::sign_one(sealed, &key(seed)).expect("a key in memory signs"))
    };
    let by_stranger = again(&|_| (), 99);
    let by_nobody = again(&|d| "nobody.example".clone_into(&mut d.sender), 50);
    let elsewhere = again(&|d| "elsewhere".clone_into(&mut d.federation), 50);
    vec![
        row("exhibit-by-a-stranger", "EVD-5", "the request signed by a key that is not the hotline's", &|s| s.exhibits[0] = by_stranger.clone(), "Exhibit(Signature(UnknownKey))"),
        row("exhibit-by-nobody", "EVD-5", "a sender that the roster does not list", &|s| s.exhibits[0] = by_nobody.clone(), "UnknownSender"),
        row("exhibit-of-another-federation", "EVD-5", "another federation", &|s| s.exhibits[0] = elsewhere.clone(), "WrongFederation"),
        row("exhibit-twice", "EVD-5", "the request twice", &|s| s.exhibits.push(s.exhibits[0].clone()), "Repeated"),
        row("exhibit-malformed", "EVD-5", "bytes that are no signed object", &|s| s.exhibits[0].signed = Bytes::from_static(b"\xff"), "Exhibit(Malformed)"),
        row("exhibit-of-another-type", "EVD-5", "the word of silence in place of a manifest", &|s| s.exhibits[0].signed = s.parts().silences[0].clone(), "Exhibit(PayloadType)"),
        row("content-of-another", "EVD-11", "another content with the right salt", &|s| s.exhibits[0] = revealed(b"a reQuest"), "Content"),
        row("content-without-its-salt", "EVD-11", "content and no salt", &|s| s.exhibits[0] = v1::Exhibit { salt: Bytes::new(), ..revealed(b"a request") }, "Content"),
        row("salt-without-content", "EVD-11", "salt and no content", &|s| s.exhibits[0] = v1::Exhibit { content: Bytes::new(), ..revealed(b"a request") }, "Content"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn receipts() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Scene), expect: &str| {
        vector(name, spec, what, &Scene::new().with(change).file(), expect)
    };
    let changed = |change: &dyn Fn(&mut v1::EvidenceBundle)| {
        let mut bundle = Scene::new().bundle();
        change(&mut bundle);
        [FIRST_LINE, &bundle.encode_to_vec()].concat()
    };
    let note = |from: &'static str, to: &'static str| move |b: &mut v1::EvidenceBundle| {
        let text = String::from_utf8(b.receipts[0].checkpoint.to_vec()).expect("text");
        b.receipts[0].checkpoint = text.replace(from, to).into();
    };
    let other = |s: &Scene| reply(&s.answer, CLEARING, 70);
    vec![
        vector("receipt-changed", "EVD-5", "another salt", &changed(&|b| b.receipts[0].salt = Bytes::from_static(&[7; 32])), "Receipt(Leaf(Mismatch))"),
        vector("receipt-of-another-entry", "EVD-5", "another index", &changed(&|b| b.receipts[0].index = 1), "Receipt(Proof(RootMismatch))"),
        vector("receipt-of-an-unknown-log", "EVD-5", "a log that the roster does not list", &changed(&note("node.example-a/log", "node.example-z/log")), "UnknownLog"),
        vector("receipt-without-a-head", "EVD-5", "no checkpoint", &changed(&|b| b.receipts[0].checkpoint.clear()), "UnknownLog"),
        vector("receipt-wrongly-cosigned", "EVD-5", "the cosignatures of two witnesses exchanged", &changed(&|b| {
            let text = String::from_utf8(b.receipts[0].checkpoint.to_vec()).expect("text");
            let lines: Vec<&str> = text.lines().collect();
            let blob = |line: &str| line.rsplit(' ').next().expect("a blob").to_owned();
            let (one, two) = (blob(lines[5]), blob(lines[6]));
            // The key ids stay, the signatures change places.
            let swapped = [&one[..5], &two[5..]].concat();
            b.receipts[0].checkpoint = text.replace(&one, &swapped).into();
        }), "Cosignature(BadSignature)"),
        row("receipt-for-anothers-member", "EVD-5", "a node that speaks of a member it does not serve", &|s| s.logs[2][0].1.recipients = vec![POLICE.to_owned()], "NotItsMember"),
        row("stage-by-a-stranger", "EVD-5", "the word of the police by another key", &|s| s.logs[1][1].1 = staged(&s.request, POLICE, &stranger()), "MemberStatement"),
        row("receipt-of-something-else", "EVD-5", "a receipt of what the file does not show", &|s| { let other = other(s); s.logs[2].push((NOW_MS + 3 * DAY_MS, statement(Event::Submitted, &other, &[SENDER]))); }, "Unrelated"),
        row("receipt-of-nothing", "EVD-5", "an act of the operator", &|s| s.logs[2].push((NOW_MS + 3 * DAY_MS, v1::Statement { event: Event::Operator.into(), ..v1::Statement::default() })), "Unrelated"),
        row("receipt-that-disagrees", "EVD-5", "another sender than the one who signed", &|s| POLICE.clone_into(&mut s.logs[2][0].1.sender), "Disagrees"),
    ]
}

/// A head below 60 more lines by nobody who is known.
fn crowded(head: &[u8]) -> Bytes {
    let line = format!("\u{2014} w.test/w {}\n", STANDARD.encode([7; 1004]));
    [head, line.repeat(60).as_bytes()].concat().into()
}

#[rustfmt::skip] // A table: one row a vector.
fn silences() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Scene), expect: &str| {
        vector(name, spec, what, &Scene::new().with(change).file(), expect)
    };
    let padded = |bytes: usize| {
        let mut bundle = Scene::new().bundle();
        let mut silence = bundle.silences[0].to_vec();
        // A field that nobody knows; its length takes three bytes.
        let more = vec![0; bytes - silence.len() - 4];
        prost::encoding::bytes::encode(15, &more, &mut silence);
        assert_eq!(silence.len(), bytes);
        bundle.silences[0] = silence.into();
        [FIRST_LINE, &bundle.encode_to_vec()].concat()
    };
    vec![
        row("silence-under-a-head-of-many", "LIM-94", "a head with 80 KiB of lines that others have put there", &|s| s.silence.checkpoint = crowded(&s.receipts(0)[0].checkpoint), "ok"),
        vector("silence-over-the-limit", "LIM-94", "a word of silence of 147457 bytes", &padded(147_457), "Silence"),
        row("silence-by-a-stranger", "EVD-9", "signed by a key that is not the hotline's", &|s| s.silence_by = stranger(), "SilenceSignature(UnknownKey)"),
        row("silence-of-nobody", "EVD-9", "nobody is said to be silent", &|s| s.silence.silent.clear(), "Silence"),
        row("silence-twice", "EVD-9", "one member twice", &|s| s.silence.silent.push(CLEARING.to_owned()), "Silence"),
        row("silence-envelope-31-bytes", "EVD-9", "an envelope id cut short", &|s| s.silence.envelope_id.truncate(31), "Silence"),
        row("silence-of-another-federation", "EVD-9", "another federation", &|s| "elsewhere".clone_into(&mut s.silence.federation), "WrongFederation"),
        row("silence-under-anothers-head", "EVD-9", "a head of the log of the police", &|s| s.silence.checkpoint = s.receipts(1)[0].checkpoint.clone(), "SilenceHead(Origin)"),
        row("silence-about-anothers-message", "EVD-9", "about what the member did not send", &|s| s.silence.envelope_id = Bytes::copy_from_slice(s.answer.id.as_ref()), "Unrelated"),
        row("silence-about-a-forward", "EVD-9", "about what the member passed on, which nobody answers", &|s| {
            let (id, forward) = passed_on();
            s.exhibits.push(forward);
            s.silence.envelope_id = id;
        }, "Unrelated"),
        row("silence-of-who-was-not-asked", "EVD-9", "of who was no recipient", &|s| s.silence.silent = vec![SENDER.to_owned()], "Unrelated"),
        row("silence-of-who-has-spoken", "EVD-10", "of who has answered before that head", &|s| s.silence.silent = vec![POLICE.to_owned()], "Contradicted"),
        row("silence-of-one-of-two-who-has-spoken", "EVD-10", "one of the two has answered", &|s| s.silence.silent.push(POLICE.to_owned()), "Contradicted"),
    ]
}

// EVD-2, EVD-5: a changed bit anywhere in a file refuses it, or takes weight from a head and changes nothing
// of what is told.
#[test]
fn no_changed_bit_changes_what_is_proved() {
    let file = Scene::new().file();
    let anchor = frex_proto::roster::TrustAnchor {
        federation: FEDERATION.to_owned(),
        root_sha256: two_of_three().1,
    };
    let told = |file: &[u8]| {
        let bundle = evidence::parse(file).ok()?;
        let roster = evidence::roster_of(&bundle, &anchor).ok()?;
        let findings = evidence::verify(&bundle, &roster);
        let told = (evidence::rows(&findings), evidence::clocks(&findings));
        findings.failure().is_none().then_some(told)
    };
    let good = told(&file).expect("it holds");
    let mut weakened = 0;
    for at in (0..file.len()).step_by(5) {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        if let Some(found) = told(&changed) {
            assert_eq!(found, good, "byte {at}");
            weakened += 1;
        }
    }
    assert!(
        weakened * 10 < file.len() / 5,
        "{weakened} of {}",
        file.len() / 5
    );
}
