//! Items that are no message to this member: shown by their header, and set aside when asked.

use frex_client::{client::FailedItem, keys::MemberHome};
use frex_proto::{
    envelope::{self, Carried},
    error::WireCode,
};
use prost::Message;
use serde_json::{Value, json};

use crate::cli::{
    failure::{Failure, OrFail},
    files,
    member::{self, INBOX_DIR},
    output,
};

/// What is known of an item. Its header is the sender's word, of which nothing need hold.
pub(super) fn describe(item: &FailedItem) -> Value {
    let code = WireCode::from(&item.error);
    output::message(format_args!(
        "note: an item is no message to this member: {} [{} {}]",
        item.error,
        code.info().name,
        code as u16
    ));
    let carried = envelope::parse_carried(&item.envelope).ok();
    let carried = carried.as_ref();
    let core = carried.map(|carried| &carried.original().core);
    json!({
        "envelope": item.id().map(|id| id.to_string()), "state": "failed",
        "message": carried.map(|carried| carried.message_id().to_string()),
        "from": carried.map(Carried::sender), "author": core.map(|core| core.sender.clone()),
        "kind": core.map(|core| member::kind_name(core.kind)),
        "lane": core.map(|core| member::lane_name(core.lane)),
        "code": code as u16, "why": item.error.to_string(),
    })
}

/// Keeps the envelope as it came, and then takes it off the inbox: its sender sees DELIVERED and
/// never OPENED.
///
/// # Errors
/// It stays in the inbox.
pub(super) async fn set_aside(home: &MemberHome, item: FailedItem) -> Result<String, Failure> {
    let id = item.id().map(|id| id.to_string());
    let name = id.unwrap_or_else(|| "unnamed".to_owned());
    let folder = home.dir().join(INBOX_DIR);
    files::ensure_folder(&folder)?;
    let path = super::envelope_path(home, &name);
    files::replace(&path, &item.envelope.encode_to_vec())?;
    let proven = item.set_aside().await;
    let proven = proven.or_fail("the item is kept, and stays in the inbox too")?;
    member::keep_receipt(&home.receipts_dir(), &proven)?;
    Ok(path.display().to_string())
}
