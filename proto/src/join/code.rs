//! An invitation as a line of text: letters that survive a mail, and fit a QR code's denser mode.

use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use prost::Message;
use zeroize::Zeroizing;

use super::{Invitation, InvitationError};
use crate::{id::check_name, keys::VerifyingKey, label::sha256, limits, roster::is_host_port, v1};

const PREFIX: &str = "FREX-JOIN:";
const VERSION: u8 = 1;
const CHECK_BYTES: usize = 4;

/// Writes an invitation. Spec: JOI-2.
#[must_use]
pub fn text(invitation: &Invitation) -> Zeroizing<String> {
    let message = v1::Invitation {
        federation: invitation.federation.clone(),
        root_sha256: Bytes::copy_from_slice(&invitation.root_sha256),
        member: invitation.member.clone(),
        address: invitation.address.clone(),
        listener_key: Bytes::copy_from_slice(&invitation.listener_key),
        secret: Bytes::copy_from_slice(invitation.secret.as_ref()),
        expires_ms: invitation.expires_ms,
    };
    let mut bytes = Zeroizing::new(vec![VERSION]);
    bytes.extend_from_slice(&Zeroizing::new(message.encode_to_vec()));
    let check = sha256(&[&bytes]);
    bytes.extend_from_slice(&check[..CHECK_BYTES]);
    Zeroizing::new(format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes)))
}

/// Reads an invitation; spaces and line breaks that a mail put in are passed over. Whether it has
/// expired is not asked here. Spec: JOI-2.
///
/// # Errors
/// [`InvitationError`].
pub fn parse(text: &str) -> Result<Invitation, InvitationError> {
    use InvitationError as E;
    if text.len() > limits::INVITATION_BYTES_MAX {
        return Err(E::TooLong);
    }
    let letters: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n'))
            .map(|c| c.to_ascii_uppercase())
            .collect(),
    );
    let letters = letters.strip_prefix(PREFIX).ok_or(E::NotOne)?;
    let bytes = BASE32_NOPAD
        .decode(letters.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| E::Damaged)?;
    let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(E::Damaged)?;
    if sha256(&[body])[..CHECK_BYTES] != check[..] {
        return Err(E::Damaged);
    }
    match body.split_first() {
        Some((&VERSION, message)) => open(message).ok_or(E::Malformed),
        _ => Err(E::Version),
    }
}

fn open(message: &[u8]) -> Option<Invitation> {
    let message = v1::Invitation::decode(message).ok()?;
    check_name(&message.federation).ok()?;
    check_name(&message.member).ok()?;
    let listener_key = VerifyingKey::admit(&message.listener_key).ok()?;
    is_host_port(&message.address).then_some(())?;
    Some(Invitation {
        root_sha256: message.root_sha256[..].try_into().ok()?,
        secret: Zeroizing::new(message.secret[..].try_into().ok()?),
        listener_key: *listener_key.as_bytes(),
        federation: message.federation,
        member: message.member,
        address: message.address,
        expires_ms: message.expires_ms,
    })
}
