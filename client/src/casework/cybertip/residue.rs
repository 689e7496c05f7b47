//! What a message keeps of its document beside its fields.

use prost_reflect::DynamicMessage;
use ring::digest;

use super::RESIDUE;
use crate::casework::v1;

/// The residue of a message; empty if it has none.
pub(super) fn of(message: &DynamicMessage) -> v1::Residue {
    let value = message.get_field_by_name(RESIDUE);
    let residue = value.as_ref().and_then(|value| value.as_message());
    residue
        .and_then(|residue| residue.transcode_to().ok())
        .unwrap_or_default()
}

/// Where a message came from, by the bytes that were read.
pub(super) fn source(bytes: &[u8]) -> v1::SourceDocument {
    let sha256 = digest::digest(&digest::SHA256, bytes);
    v1::SourceDocument {
        media_type: Some("text/xml".to_owned()),
        sha256: Some(hex::encode(sha256)),
        bytes: Some(bytes.len() as u64),
    }
}

/// The path of a child element, with its number among those of its name.
pub(super) fn step(path: &str, name: &str, at: usize) -> String {
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{path}{slash}{name}[{at}]")
}
