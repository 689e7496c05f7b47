//! What a sender keeps of an envelope so that it can be shown later: what was signed, and the salt with
//! which its content proves that it was sent. Neither the content nor a key is kept. Spec: EVD-12.

use frex_client::keys::MemberHome;
use frex_proto::{envelope::SignedEnvelope, limits, v1};
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
        content: bytes::Bytes::new(),
        salt: envelope.salt.map_or_else(Default::default, |salt| {
            bytes::Bytes::copy_from_slice(&salt)
        }),
    };
    let folder = home.dir().join(SENT_DIR);
    files::ensure_folder(&folder)?;
    let path = folder.join(format!("{}.{EXTENSION}", envelope.id));
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
