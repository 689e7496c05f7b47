//! Heads signed by a log's key and its ML-DSA-44 companion, type 0x06 of C2SP.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use frex_proto::{
    keys::{CompanionKind, SigningKey},
    label,
    log::{Checkpoint, LogVerifier, checkpoint, leaf_hash},
};
use ml_dsa::{B32, ExpandedSigningKey, MlDsa44};

use crate::{
    Vector,
    fixtures::stranger,
    notes::{log_key, log_origin, vkey},
};

/// What an ML-DSA-44 line is made of, where the maker does not take care.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) seed: [u8; 32],
    pub(crate) name: String,
    pub(crate) time_s: u64,
    pub(crate) head: Checkpoint,
    /// Name in the signed message.
    pub(crate) signed_name: String,
    /// First leaf in the signed message.
    pub(crate) start: u64,
    /// Context of the signature.
    pub(crate) context: &'static [u8],
}

impl Line {
    pub(crate) fn new(seed: [u8; 32], name: &str, time_s: u64, head: &Checkpoint) -> Self {
        Self {
            seed,
            name: name.to_owned(),
            time_s,
            head: head.clone(),
            signed_name: name.to_owned(),
            start: 0,
            context: b"",
        }
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut line = self.clone();
        change(&mut line);
        line
    }

    fn message(&self) -> Vec<u8> {
        let named = |name: &str| {
            let length = u8::try_from(name.len()).expect("a short name");
            [&[length][..], name.as_bytes()].concat()
        };
        [
            b"subtree/v1\n\0".to_vec(),
            named(&self.signed_name),
            self.time_s.to_be_bytes().to_vec(),
            named(&self.head.origin),
            self.start.to_be_bytes().to_vec(),
            self.head.size.to_be_bytes().to_vec(),
            self.head.root.to_vec(),
        ]
        .concat()
    }

    /// The signature line.
    pub(crate) fn make(&self) -> String {
        self.over(&self.message())
    }

    fn over(&self, message: &[u8]) -> String {
        let key = ExpandedSigningKey::<MlDsa44>::from_seed(&B32::from(self.seed));
        let public = key.verifying_key().encode();
        let id = label::sha256(&[self.name.as_bytes(), b"\n\x06", &public]);
        let signature = key.sign_deterministic(message, self.context);
        let signature = signature.expect("a short context").encode();
        let blob = [&id[..4], &self.time_s.to_be_bytes()[..], &signature[..]].concat();
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(blob))
    }
}

/// The line with other bytes behind its dash and name.
pub(crate) fn changed(line: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (start, blob) = line.rsplit_once(' ').expect("a line");
    let mut bytes = STANDARD.decode(blob.trim_end()).expect("base64");
    change(&mut bytes);
    format!("{start} {}\n", STANDARD.encode(bytes))
}

const COMPANION_SEED: [u8; 32] = [111; 32];

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = keys();
    vectors.extend(vkeys());
    vectors.extend(checkpoints());
    vectors
}

fn pair() -> SigningKey {
    log_key().with_companion_of(CompanionKind::Heads, &COMPANION_SEED)
}

fn vkeys_of(key: &SigningKey) -> String {
    LogVerifier::new(log_origin(), key.verifying_key()).vkey()
}

fn keys() -> Vec<Vector> {
    let public = pair().verifying_key();
    let bytes = public.companion_bytes();
    let row = |name: &str, spec: &str, what: &str, key: &[u8], expect: &str| {
        Vector::new("keys", name, spec, what, "admit_key")
            .set("algorithm", "ml-dsa-44")
            .hex("key", key)
            .expect(expect)
    };
    let longer = [bytes, &[0]].concat();
    let (few, many) = ("a byte too few", "a byte too many");
    vec![
        row(
            "ml-dsa-44",
            "KEY-2",
            "a log's companion and its id",
            bytes,
            "ok",
        ),
        row("ml-dsa-44-1311-bytes", "KEY-35", few, &bytes[1..], "Length"),
        row("ml-dsa-44-1313-bytes", "KEY-35", many, &longer, "Length"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn vkeys() -> Vec<Vector> {
    let row = |name: &str, what: &str, vkey: &str, expect: &str| {
        Vector::new("log", name, "LOG-31", what, "parse_vkey").set("vkey", vkey).expect(expect)
    };
    let both = vkeys_of(&pair());
    let (first, second) = both.split_once('\n').expect("two lines");
    let other = vkeys_of(&stranger().with_companion_of(CompanionKind::Heads, &[112; 32]));
    let elsewhere = LogVerifier::new("elsewhere/log".to_owned(), pair().verifying_key()).vkey();
    let elsewhere = elsewhere.lines().last().expect("two lines");
    let id = second.split('+').nth(1).expect("an id");
    let short = { let key = pair().verifying_key(); let bytes = [&[6][..], &key.companion_bytes()[1..]].concat(); let id = label::sha256(&[log_origin().as_bytes(), b"\n", &bytes]); format!("{}+{}+{}", log_origin(), hex::encode(&id[..4]), STANDARD.encode(bytes)) };
    vec![
        row("vkey-pair", "a log's key and its companion, one a line", &both, "ok"),
        row("vkey-pair-of-two-owners", "whose halves they are is for who trusts them to say", &format!("{first}\n{}", other.lines().last().expect("two lines")), "ok"),
        row("vkey-pair-exchanged", "the companion first", &format!("{second}\n{first}"), "VerifierKey"),
        row("vkey-companion-alone", "a companion without its key", second, "VerifierKey"),
        row("vkey-pair-of-two-names", "the companion under another name", &format!("{first}\n{elsewhere}"), "VerifierKey"),
        row("vkey-pair-other-id", "another key id of the companion", &both.replace(id, "00000000"), "VerifierKey"),
        row("vkey-pair-1311-bytes", "a companion that lacks a byte", &format!("{first}\n{short}"), "VerifierKey"),
        row("vkey-pair-of-ed25519", "two Ed25519 keys", &format!("{first}\n{first}"), "VerifierKey"),
        row("vkey-pair-and-a-third", "a third line", &format!("{both}\n{second}"), "VerifierKey"),
        row("vkey-pair-with-a-newline", "a newline behind them", &format!("{both}\n"), "VerifierKey"),
        row("vkey-pair-with-a-carriage-return", "lines that end as on another system", &both.replace('\n', "\r\n"), "VerifierKey"),
    ]
}

fn head() -> Checkpoint {
    Checkpoint {
        origin: log_origin(),
        size: 1,
        root: leaf_hash(b"the only leaf"),
    }
}

fn vector(name: &str, spec: &str, what: &str, checkpoint: &str, expect: &str) -> Vector {
    under(&vkeys_of(&pair()), name, spec, what, checkpoint, expect)
}

fn under(vkey: &str, name: &str, spec: &str, what: &str, checkpoint: &str, expect: &str) -> Vector {
    Vector::new("log", name, spec, what, "verify_checkpoint")
        .set("vkey", vkey)
        .set("checkpoint", checkpoint)
        .expect(expect)
}

fn signed(key: &SigningKey) -> String {
    let note = checkpoint::sign(&head(), key).expect("a head");
    String::from_utf8(note.to_vec()).expect("text")
}

#[rustfmt::skip] // A table: one row a vector.
fn checkpoints() -> Vec<Vector> {
    let bare = signed(&log_key());
    let good = signed(&pair());
    let line = Line::new(COMPANION_SEED, &log_origin(), 0, &head());
    assert_eq!(good, format!("{bare}{}", line.make()), "made by hand and by the library");
    let own = bare.lines().last().expect("a line").to_owned() + "\n";
    let text = head().text();
    let other_line = line.with(|line| line.seed = [112; 32]).make();
    let row = |name: &str, what: &str, second: &str, expect: &str| {
        vector(name, "LOG-32", what, &format!("{bare}{second}"), &format!("Note({expect})"))
    };
    let bad = |name: &str, what: &str, second: &str| {
        vector(name, "LOG-31", what, &format!("{bare}{second}"), "Note(BadSignature)")
    };
    let other = Checkpoint { size: 2, ..head() };
    let root = Checkpoint { root: leaf_hash(b"another leaf"), ..head() };
    let origin = Checkpoint { origin: "frex/example/node.example-b/log/1".to_owned(), ..head() };
    let strangers_id = changed(&other_line, |bytes| { let own = STANDARD.decode(line.make().rsplit_once(' ').expect("a line").1.trim_end()).expect("base64"); bytes[..4].copy_from_slice(&own[..4]); });
    let made = line.make();
    vec![
        vector("head-pair", "LOG-32", "a checkpoint that the key and its companion have signed", &good, "ok"),
        vector("head-pair-exchanged", "LOG-32", "the companion's line first", &format!("{text}\n{made}{own}"), "ok"),
        vector("head-pair-among-others", "LOG-9", "another companion's line between the two", &format!("{text}\n{own}{other_line}{made}"), "ok"),
        vector("head-pair-with-a-time", "LOG-31", "a companion that states a time", &format!("{bare}{}", line.with(|line| line.time_s = 1_900_000_000).make()), "ok"),
        under(&vkey(), "head-pair-under-the-key-alone", "LOG-9", "trusted by the Ed25519 key alone", &good, "ok"),
        row("head-pair-stripped", "the companion's line was taken away", "", "HalfSigned"),
        row("head-pair-of-another", "another companion's line in its place", &other_line, "HalfSigned"),
        row("head-pair-under-another-name", "the companion's line under another name", &made.replace(&log_origin(), "elsewhere/log"), "HalfSigned"),
        vector("head-pair-without-ed25519", "LOG-32", "the Ed25519 line was taken away", &format!("{text}\n{made}"), "Note(Unsigned)"),
        vector("head-pair-ed25519-bad", "LOG-32", "the companion's line holds, the other does not", &format!("{text}\n{}{made}", changed(&own, |bytes| bytes[40] ^= 1)), "Note(BadSignature)"),
        row("head-pair-twice", "the companion's line twice", &format!("{made}{made}"), "Repeated"),
        bad("head-pair-of-another-under-its-id", "another companion's signature under its id", &strangers_id),
        bad("head-pair-bit-flipped", "one bit of the signature changed", &changed(&made, |bytes| bytes[600] ^= 1)),
        bad("head-pair-hint-flipped", "one bit of the hints changed", &changed(&made, |bytes| { let at = bytes.len() - 1; bytes[at] ^= 1; })),
        bad("head-pair-time-changed", "another time before the signature", &changed(&made, |bytes| bytes[11] ^= 1)),
        bad("head-pair-time-too-late", "a time of 2^63", &line.with(|line| line.time_s = 1 << 63).make()),
        bad("head-pair-without-a-time", "no time before the signature", &changed(&made, |bytes| { bytes.drain(4..12); })),
        bad("head-pair-cut-short", "a byte too few", &changed(&made, |bytes| { bytes.pop(); })),
        bad("head-pair-longer", "a byte too many", &changed(&made, |bytes| bytes.push(0))),
        bad("head-pair-cut-within-the-time", "three bytes behind the id", &changed(&made, |bytes| bytes.truncate(7))),
        bad("head-pair-signed-as-another", "another name in what is signed", &line.with(|line| "elsewhere/log".clone_into(&mut line.signed_name)).make()),
        bad("head-pair-of-another-log", "another log's origin in what is signed", &line.with(|line| line.head = origin).make()),
        bad("head-pair-of-another-size", "another size in what is signed", &line.with(|line| line.head = other).make()),
        bad("head-pair-of-another-root", "another root in what is signed", &line.with(|line| line.head = root).make()),
        bad("head-pair-of-a-part", "a tree that begins at leaf 1 in what is signed", &line.with(|line| line.start = 1).make()),
        bad("head-pair-under-a-context", "signed under the context of objects", &line.with(|line| line.context = b"frex/v1").make()),
        bad("head-pair-over-the-text", "the companion signed the text of the note", &line.over(text.as_bytes())),
    ]
}
