//! How much of what is held is shown. Spec: EVD-11.

use bytes::Bytes;
use prost::Message as _;

use super::{
    FileError,
    build::encode,
    parse::{check, shape},
};
use crate::{id::MessageId, receipt::Statement, v1};

/// The content of a message without attachments as it was sealed, from what its sender has: its type
/// and data. With the salt it proves what was sent.
#[must_use]
pub fn content_of(content_type: &str, data: Bytes) -> Bytes {
    let content = v1::Content {
        content_type: content_type.to_owned(),
        data,
        attachments: Vec::new(),
    };
    content.encode_to_vec().into()
}

/// The message in question: of the first exhibit, or of the receipts where there is none.
#[must_use]
pub fn subject(bundle: &v1::EvidenceBundle) -> Option<MessageId> {
    match bundle.exhibits.first() {
        Some(exhibit) => message_of(exhibit),
        None => bundle.receipts.iter().find_map(|receipt| {
            let statement = Statement::parse(&receipt.statement).ok()?;
            statement.message_id
        }),
    }
}

/// The message of which an exhibit is; none if it is no header of either form.
#[must_use]
pub fn message_of(exhibit: &v1::Exhibit) -> Option<MessageId> {
    Some(shape(exhibit).ok()?.message_id())
}

/// The file without any content.
///
/// # Errors
/// [`FileError`].
pub fn without_content(mut bundle: v1::EvidenceBundle) -> Result<Vec<u8>, FileError> {
    for exhibit in &mut bundle.exhibits {
        exhibit.content.clear();
        exhibit.salt.clear();
    }
    encode(&bundle)
}

/// The file without anything that senders signed: only the receipts of the message in question. What
/// rests on a signed header goes with it.
///
/// # Errors
/// [`FileError::Empty`] if there is no receipt of it.
pub fn without_manifests(bundle: v1::EvidenceBundle) -> Result<Vec<u8>, FileError> {
    receipts_alone(bundle, |_| true)
}

/// As [`without_manifests`], with those receipts alone that name `member` and no other recipient.
///
/// # Errors
/// [`FileError::Empty`] if there is none.
pub fn of_member_alone(bundle: v1::EvidenceBundle, member: &str) -> Result<Vec<u8>, FileError> {
    receipts_alone(bundle, |statement| statement.recipients == [member])
}

/// The receipts of the message in question that are to be kept.
fn receipts_alone(
    mut bundle: v1::EvidenceBundle,
    keep: impl Fn(&Statement) -> bool,
) -> Result<Vec<u8>, FileError> {
    let message = subject(&bundle).ok_or(FileError::Empty)?;
    bundle.exhibits.clear();
    bundle.silences.clear();
    bundle.receipts.retain(|receipt| {
        let stated = Statement::parse(&receipt.statement);
        stated.is_ok_and(|stated| stated.message_id == Some(message) && keep(&stated))
    });
    check(&bundle)?;
    encode(&bundle)
}
