//! Items that are no message to this member: shown by their header, and set aside when asked.

use frex_client::client::FailedItem;
use frex_proto::{
    envelope::{self, Carried},
    error::WireCode,
};
use prost::Message;
use serde_json::{Value, json};

use super::Place;
use crate::cli::{
    failure::{Failure, OrFail},
    files, member,
};

/// What is known of an item, and what is to be said of it. Its header is the sender's word, of which nothing need hold.
pub(super) fn describe(item: &FailedItem) -> (Value, String) {
    let code = WireCode::from(&item.error);
    let note = format!(
        "an item is no message to this member: {} [{} {}]",
        item.error,
        code.info().name,
        code as u16
    );
    let carried = envelope::parse_carried(&item.envelope).ok();
    let carried = carried.as_ref();
    let core = carried.map(|carried| &carried.original().core);
    let row = json!({
        "envelope": item.id().map(|id| id.to_string()), "state": "failed",
        "message": carried.map(|carried| carried.message_id().to_string()),
        "from": carried.map(Carried::sender), "author": core.map(|core| core.sender.clone()),
        "kind": core.map(|core| core.kind.word()),
        "lane": core.map(|core| member::lane_name(core.lane)),
        "code": code as u16, "why": item.error.to_string(),
    });
    (row, note)
}

/// Keeps the envelope as it came, and then takes it off the inbox: its sender sees DELIVERED and
/// never OPENED.
///
/// # Errors
/// It stays in the inbox.
pub(super) async fn set_aside(place: &Place, item: FailedItem) -> Result<String, Failure> {
    let id = item.id().map(|id| id.to_string());
    let name = id.unwrap_or_else(|| "unnamed".to_owned());
    let path = place.envelope(&name);
    files::replace(&path, &item.envelope.encode_to_vec())?;
    let proven = item.set_aside().await;
    let proven = proven.or_fail("the item is kept, and stays in the inbox too")?;
    member::keep_receipt(&place.receipts, &proven)?;
    Ok(path.display().to_string())
}
