//! What a sender keeps of an envelope so that it can be shown later: what was signed, and the salt with
//! which its content proves that it was sent. Neither the content nor a key is kept. Spec: EVD-12.

use std::path::PathBuf;

use bytes::Bytes;
use frex_client::keys::MemberHome;
use frex_proto::{
    envelope::SignedEnvelope,
    evidence,
    id::{EnvelopeId, MessageId},
    limits, v1,
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
    write(home, &envelope.id.to_string(), &exhibit)
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
    write(home, &id, &exhibit)
}

fn path_of(home: &MemberHome, envelope: &str) -> PathBuf {
    let folder = home.dir().join(SENT_DIR);
    folder.join(format!("{envelope}.{EXTENSION}"))
}

fn write(home: &MemberHome, envelope: &str, exhibit: &v1::Exhibit) -> Result<(), Failure> {
    files::ensure_folder(&home.dir().join(SENT_DIR))?;
    files::replace(&path_of(home, envelope), &exhibit.encode_to_vec())
}

/// What was kept of an envelope that was sent, if it was.
///
/// # Errors
/// It cannot be read.
pub fn kept(home: &MemberHome, envelope: &str) -> Result<Option<v1::Exhibit>, Failure> {
    let path = path_of(home, envelope);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read(&path, BYTES_MAX)?;
    Ok(v1::Exhibit::decode(&bytes[..]).ok())
}

/// The files of everything that was kept so, each with the message that it is of. One that does not say
/// may be of any.
///
/// # Errors
/// One of them cannot be read.
pub fn all(home: &MemberHome) -> Result<Vec<(Option<MessageId>, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for path in files::with_extension(&home.dir().join(SENT_DIR), EXTENSION)? {
        let bytes = files::read(&path, BYTES_MAX)?;
        let exhibit = v1::Exhibit::decode(&bytes[..]).ok();
        found.push((exhibit.as_ref().and_then(evidence::message_of), path));
    }
    Ok(found)
}
