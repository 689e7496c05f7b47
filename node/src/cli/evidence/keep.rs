//! What a sender keeps of an envelope so that it can be shown later: what was signed, and the salt with
//! which its content proves that it was sent. Neither the content nor a key is kept. Spec: EVD-12.

use std::path::PathBuf;

use bytes::Bytes;
use frex_client::keys::MemberHome;
use frex_proto::{
    envelope::SignedEnvelope,
    id::{EnvelopeId, MessageId},
    label, limits, v1,
};
use prost::Message;

use crate::cli::{failure::Failure, files, member::SENT_DIR};

const EXTENSION: &str = "exhibit";
const BYTES_MAX: usize = limits::SIGNED_BYTES_MAX + 1024;

/// Keeps it, before it leaves.
///
/// # Errors
/// It cannot be written.
pub fn keep(home: &MemberHome, envelope: &SignedEnvelope) -> Result<(), Failure> {
    let exhibit = v1::Exhibit {
        signed: envelope.signed.clone(),
        content: Bytes::new(),
        salt: envelope
            .salt
            .map_or_else(Default::default, |salt| Bytes::copy_from_slice(&salt)),
    };
    let folder = home.dir().join(SENT_DIR);
    files::ensure_folder(&folder)?;
    let path = folder.join(format!("{}.{EXTENSION}", envelope.id));
    files::replace(&path, &exhibit.encode_to_vec())
}

/// Keeps what the node has of it, if it is one of these envelopes of this member and nothing is kept.
///
/// # Errors
/// It cannot be written.
pub fn keep_signed(home: &MemberHome, signed: &Bytes, envelopes: &[&str]) -> Result<(), Failure> {
    let Ok(decoded) = v1::Signed::decode(signed.clone()) else {
        return Ok(());
    };
    let id = EnvelopeId::of_manifest(&decoded.payload).to_string();
    if !envelopes.contains(&id.as_str()) || kept(home, &id)?.is_some() {
        return Ok(());
    }
    let exhibit = v1::Exhibit {
        signed: signed.clone(),
        ..v1::Exhibit::default()
    };
    let folder = home.dir().join(SENT_DIR);
    files::ensure_folder(&folder)?;
    let path = folder.join(format!("{id}.{EXTENSION}"));
    files::replace(&path, &exhibit.encode_to_vec())
}

/// What was kept of an envelope that was sent, if it was.
///
/// # Errors
/// It cannot be read.
pub fn kept(home: &MemberHome, envelope: &str) -> Result<Option<v1::Exhibit>, Failure> {
    let path = home
        .dir()
        .join(SENT_DIR)
        .join(format!("{envelope}.{EXTENSION}"));
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read(&path, BYTES_MAX)?;
    Ok(v1::Exhibit::decode(&bytes[..]).ok())
}

/// The files of what was kept of the envelopes of a message: they go where the message is erased.
///
/// # Errors
/// One of them cannot be read.
pub fn of_message(home: &MemberHome, message: MessageId) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in files::with_extension(&home.dir().join(SENT_DIR), EXTENSION)? {
        let bytes = files::read(&path, BYTES_MAX)?;
        // One that does not say of which message it is may be of this one.
        if message_of(&bytes).is_none_or(|of| of[..] == message.0[..]) {
            found.push(path);
        }
    }
    Ok(found)
}

fn message_of(exhibit: &[u8]) -> Option<Bytes> {
    let exhibit = v1::Exhibit::decode(exhibit).ok()?;
    let signed = v1::Signed::decode(exhibit.signed).ok()?;
    if signed.payload_type == label::TYPE_FORWARD {
        let forward = v1::ForwardManifest::decode(signed.payload).ok()?;
        return Some(forward.message_id);
    }
    let manifest = v1::Manifest::decode(signed.payload).ok()?;
    Some(v1::Core::decode(manifest.core).ok()?.message_id)
}
