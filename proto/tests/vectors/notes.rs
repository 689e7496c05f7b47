//! Signed notes, verifier keys and checkpoints.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use frex_proto::{
    keys::SigningKey,
    log::{Checkpoint, LogVerifier, SignedNote, checkpoint, empty_root, leaf_hash, origin},
};

use crate::{
    Vector,
    fixtures::{FEDERATION, stranger},
};

pub(crate) fn log_key() -> SigningKey {
    SigningKey::from_seed(&[31; 32])
}

pub(crate) fn log_origin() -> String {
    origin(FEDERATION, "node.example-a", 1)
}

pub(crate) fn vkey() -> String {
    let key = log_key().verifying_key();
    LogVerifier::new(log_origin(), key).vkey()
}

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = vkeys();
    vectors.extend(texts());
    vectors.extend(notes());
    vectors
}

#[rustfmt::skip] // A table: one row a vector.
fn vkeys() -> Vec<Vector> {
    let row = |name: &str, what: &str, vkey: &str, expect: &str| {
        Vector::new("log", name, "LOG-8", what, "parse_vkey").set("vkey", vkey).expect(expect)
    };
    let example = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    vec![
        row("vkey", "the example of the signed-note specification", example, "ok"),
        row("vkey-of-a-log", "a node's log", &vkey(), "ok"),
        row("vkey-upper-case", "the key id in capitals", &example.replace("530d903a", "530D903A"), "VerifierKey"),
        row("vkey-other-id", "another key id", &example.replace("530d903a", "530d903b"), "VerifierKey"),
        row("vkey-other-name", "the key id is that of another name", &example.replace("foo", "bar"), "VerifierKey"),
        row("vkey-without-id", "no key id", "example.com/foo+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "VerifierKey"),
        row("vkey-without-name", "no name", &example.replace("example.com/foo", ""), "KeyName"),
        row("vkey-name-with-a-space", "a space in the name", &example.replace("foo", "f oo"), "KeyName"),
        row("vkey-cut-off", "base64 that lacks its end", &example[..example.len() - 1], "VerifierKey"),
        row("vkey-of-another-type", "type 2 is not Ed25519", &example.replace("+Aeky", "+Aukx"), "VerifierKey"),
        row("vkey-with-a-newline", "a newline behind it", &format!("{example}\n"), "VerifierKey"),
        row("vkey-weak", "a key of small order", &weak_vkey(), "VerifierKey"),
    ]
}

fn weak_vkey() -> String {
    let mut key = [0; 32];
    key[0] = 1;
    let id = frex_proto::label::sha256(&[b"example.com/weak\n\x01", &key]);
    let key = STANDARD.encode([&[1][..], &key].concat());
    format!("example.com/weak+{}+{key}", hex::encode(&id[..4]))
}

fn head() -> Checkpoint {
    let root = leaf_hash(b"the only leaf");
    Checkpoint {
        origin: log_origin(),
        size: 1,
        root,
    }
}

/// A checkpoint text as it stands, signed by the log's key.
fn signed(text: &str) -> String {
    SignedNote::sign(text, &log_origin(), &log_key())
        .expect("a text")
        .to_string()
}

fn vector(name: &str, spec: &str, what: &str, checkpoint: &str, expect: &str) -> Vector {
    Vector::new("log", name, spec, what, "verify_checkpoint")
        .set("vkey", vkey())
        .set("checkpoint", checkpoint)
        .expect(expect)
}

#[rustfmt::skip] // A table: one row a vector.
fn texts() -> Vec<Vector> {
    let text = head().text();
    let root = STANDARD.encode(head().root);
    let origin = log_origin();
    let row = |name: &str, spec: &str, what: &str, text: &str, expect: &str| vector(name, spec, what, &signed(text), expect);
    let empty = Checkpoint { size: 0, root: empty_root(), ..head() };
    let trailing_bits = format!("{origin}\n1\n{}\n", root.replace("=", "").chars().take(42).collect::<String>() + "B=");
    vec![
        row("checkpoint", "LOG-5", "a checkpoint", &text, "ok"),
        row("checkpoint-empty", "LOG-6", "the checkpoint of an empty log", &empty.text(), "ok"),
        row("checkpoint-empty-other-root", "LOG-6", "size 0 with another root", &text.replace("\n1\n", "\n0\n"), "Root"),
        row("checkpoint-with-an-extension", "LOG-6", "a fourth line", &format!("{text}more\n"), "Extension"),
        row("checkpoint-two-lines", "LOG-5", "no root", &format!("{origin}\n1\n"), "Lines"),
        row("checkpoint-size-leading-zero", "LOG-5", "a size of 01", &text.replace("\n1\n", "\n01\n"), "Size"),
        row("checkpoint-size-with-a-sign", "LOG-5", "a size of +1", &text.replace("\n1\n", "\n+1\n"), "Size"),
        row("checkpoint-size-empty", "LOG-5", "no size", &text.replace("\n1\n", "\n\n"), "Size"),
        row("checkpoint-size-over-the-limit", "LOG-16", "a size of 2^63", &text.replace("\n1\n", "\n9223372036854775808\n"), "Size"),
        row("checkpoint-root-31-bytes", "LOG-5", "a root cut short", &format!("{origin}\n1\n{}\n", STANDARD.encode([7; 31])), "Root"),
        row("checkpoint-root-without-padding", "LOG-5", "base64 without its padding", &format!("{origin}\n1\n{}\n", root.trim_end_matches('=')), "Root"),
        row("checkpoint-root-trailing-bits", "LOG-5", "base64 whose unused bits are not zero", &trailing_bits, "Root"),
        row("checkpoint-of-another-log", "LOG-4", "the checkpoint of another node", &text.replace("example-a", "example-b"), "Origin"),
        row("checkpoint-of-another-epoch", "LOG-4", "the checkpoint of another epoch", &text.replace("log/1", "log/2"), "Origin"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn notes() -> Vec<Vector> {
    let good = String::from_utf8(checkpoint::sign(&head(), &log_key()).expect("a head").to_vec()).expect("text");
    let line = good.lines().last().expect("a line").to_owned() + "\n";
    let by = |name: &str, key: &SigningKey| SignedNote::sign(&head().text(), name, key).expect("a text").to_string();
    let strangers_line = by("elsewhere/log", &stranger()).lines().last().expect("a line").to_owned() + "\n";
    let same_name = by(&log_origin(), &stranger());
    let blob = line.rsplit(' ').next().expect("a blob").trim_end();
    let mut bytes = STANDARD.decode(blob).expect("base64");
    bytes[70 - 3] ^= 1;
    let row = |name: &str, spec: &str, what: &str, note: &str, expect: &str| vector(name, spec, what, note, &format!("Note({expect})"));
    vec![
        vector("note-with-an-unknown-line", "LOG-9", "a line of an unknown key beside the log's", &format!("{good}{strangers_line}"), "ok"),
        row("note-signature-changed", "LOG-9", "one bit of the signature changed", &good.replace(blob, &STANDARD.encode(bytes)), "BadSignature"),
        row("note-text-changed", "LOG-9", "another size under the signature", &good.replace("\n1\n", "\n2\n"), "BadSignature"),
        row("note-of-another-key", "LOG-9", "another key under the log's name", &same_name, "Unsigned"),
        row("note-unsigned-by-the-log", "LOG-9", "only an unknown key's line", &good.replace(&line, &strangers_line), "Unsigned"),
        row("note-signed-twice", "LOG-9", "the log's line twice", &format!("{good}{line}"), "Repeated"),
        row("note-without-signatures", "LOG-7", "no line", &good.replace(&line, ""), "Shape"),
        row("note-without-an-empty-line", "LOG-7", "no empty line", &good.replace("\n\n", "\n"), "Shape"),
        row("note-without-its-last-newline", "LOG-7", "no newline at the end", good.trim_end(), "Shape"),
        row("note-with-text-behind", "LOG-7", "something behind the signatures", &format!("{good}more\n"), "SignatureLine"),
        row("note-with-a-hyphen", "LOG-7", "a hyphen where the dash belongs", &good.replace('\u{2014}', "-"), "SignatureLine"),
        row("note-with-carriage-returns", "LOG-7", "lines that end as on another system", &good.replace('\n', "\r\n"), "NotText"),
        row("note-with-a-tab", "LOG-7", "a tab in the text", &good.replace("\n1\n", "\n\t1\n"), "NotText"),
        row("note-signature-not-base64", "LOG-7", "a signature that is not base64", &good.replace(blob, "!!!!"), "SignatureLine"),
        row("note-signature-of-4-bytes", "LOG-7", "a key id and nothing behind it", &good.replace(blob, "AAAAAA=="), "SignatureLine"),
        row("note-name-with-a-plus", "LOG-7", "a plus in a key name", &good.replace("\u{2014} frex/", "\u{2014} frex+"), "KeyName"),
        row("note-129-signatures", "LIM-23", "more lines than a note may have", &format!("{good}{}", strangers_line.repeat(128)), "TooManySignatures"),
        row("note-over-the-limit", "LIM-22", "a note of more than 131072 bytes", &good.replace("\n1\n", &format!("\n{}\n", "1".repeat(131_072))), "TooLarge"),
    ]
}
