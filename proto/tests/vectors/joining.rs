//! Invitations as text.

use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use frex_proto::{keys::SigningKey, label::sha256, limits, v1};
use prost::Message;

use crate::Vector;

fn message() -> v1::Invitation {
    let key = SigningKey::from_seed(&[7; 32]).verifying_key();
    v1::Invitation {
        federation: "example".to_owned(),
        root_sha256: Bytes::from_static(&[1; 32]),
        member: "hotline.example-a".to_owned(),
        address: "frex.example.org:7444".to_owned(),
        listener_key: Bytes::copy_from_slice(key.as_bytes()),
        secret: Bytes::from_static(&[2; 16]),
        expires_ms: 1_800_000_000_000,
    }
}

fn text(version: u8, message: &v1::Invitation) -> String {
    let mut bytes = vec![version];
    bytes.extend(message.encode_to_vec());
    let check = sha256(&[&bytes]);
    bytes.extend_from_slice(&check[..4]);
    format!("FREX-JOIN:{}", BASE32_NOPAD.encode(&bytes))
}

fn changed(change: impl FnOnce(&mut v1::Invitation)) -> String {
    let mut message = message();
    change(&mut message);
    text(1, &message)
}

#[rustfmt::skip] // A table: one row a vector.
pub(crate) fn make() -> Vec<Vector> {
    let invitation = |name: &str, spec: &str, what: &str, text: &str, expect: &str| {
        Vector::new("join", &format!("invitation-{name}"), spec, what, "read_invitation")
            .set("invitation", text)
            .expect(expect)
    };
    let good = text(1, &message());
    let folded = format!(" {}\r\n\t{}\n", &good[..50], good[50..].to_lowercase());
    let slip = if good.ends_with('A') { "B" } else { "A" };
    let slip = format!("{}{slip}", &good[..good.len() - 1]);
    let wrong_check = good.replacen("FREX-JOIN:AE", "FREX-JOIN:AF", 1);
    let long = format!("{good}{}", " ".repeat(limits::INVITATION_BYTES_MAX + 1 - good.len()));
    vec![
        invitation("ordinary", "JOI-2", "an invitation", &good, "ok"),
        invitation("folded", "JOI-2", "line ends, spaces and small letters of a mail", &folded, "ok"),
        invitation("at-the-limit", "LIM-50", "1024 bytes, most of them spaces", &long[..long.len() - 1], "ok"),
        invitation("over-the-limit", "LIM-50", "1025 bytes, most of them spaces", &long, "TooLong"),
        invitation("of-something-else", "JOI-2", "another prefix", &good.replacen("JOIN", "JOIM", 1), "NotOne"),
        invitation("empty", "JOI-2", "no text", "", "NotOne"),
        invitation("prefix-alone", "JOI-2", "nothing behind the prefix", "FREX-JOIN:", "Damaged"),
        invitation("last-letter-changed", "JOI-2", "the last letter is another", &slip, "Damaged"),
        invitation("early-letter-changed", "JOI-2", "an early letter is another", &wrong_check, "Damaged"),
        invitation("cut-off", "JOI-2", "the second half is missing", &good[..good.len() / 2], "Damaged"),
        invitation("with-padding", "JOI-2", "base32 padding", &format!("{good}="), "Damaged"),
        invitation("with-a-digit-one", "JOI-2", "a character that base32 does not have", &format!("{good}1"), "Damaged"),
        invitation("of-version-2", "JOI-2", "a later version", &text(2, &message()), "Version"),
        invitation("federation-empty", "JOI-2", "no federation", &changed(|said| said.federation.clear()), "Malformed"),
        invitation("member-upper-case", "JOI-2", "a member id with a capital", &changed(|said| said.member.push('A')), "Malformed"),
        invitation("address-without-port", "JOI-2", "an address without a port", &changed(|said| said.address = "frex.example.org".to_owned()), "Malformed"),
        invitation("root-31-bytes", "JOI-2", "a root hash of 31 bytes", &changed(|said| said.root_sha256 = Bytes::from_static(&[1; 31])), "Malformed"),
        invitation("secret-15-bytes", "JOI-2", "a secret of 15 bytes", &changed(|said| said.secret = Bytes::from_static(&[2; 15])), "Malformed"),
        invitation("listener-key-weak", "JOI-2", "a listener key of small order", &changed(|said| said.listener_key = small_order()), "Malformed"),
    ]
}

/// The neutral element.
fn small_order() -> Bytes {
    let mut key = [0; 32];
    key[0] = 1;
    Bytes::copy_from_slice(&key)
}
