//! A recall because the suspicion was unfounded: what is kept of the message goes, at the home node
//! and here, also what was passed on from here, and that is what the sender is told. Spec: ERA-17.

use frex_client::{
    client::{Client, EraseOrder, InboxItem},
    keys::MemberHome,
};
use frex_proto::{envelope::Recall, erasure::EXONERATED, error::WireCode, id::MessageId};
use serde_json::Value;

use crate::cli::{
    erase::local::{self, Folder},
    failure::{Failure, OrFail},
    member,
};

/// What a member states of such a recall: all of it is gone, a hold keeps some of it, or others
/// whom the same node serves have it too.
const ERASED: &str = "erased";
const HELD: &str = "held";
const HELD_BY_OTHERS: &str = "held-by-others";

/// Whether a recall is one.
#[must_use]
pub fn is_one(recall: &Recall) -> bool {
    recall.reason == EXONERATED
}

/// Erases the message and every forward of it; gives the outcome to be stated, none if there was
/// nothing. What cannot be erased now for another reason keeps the recall in the inbox.
///
/// # Errors
/// The node cannot be reached, or a file cannot be removed.
pub async fn erase(
    home: &MemberHome,
    client: &Client,
    item: &InboxItem,
    recall: &Recall,
    kept: &[Value],
) -> Result<Option<&'static str>, Failure> {
    let forwards = kept.iter().flat_map(|about| about["forwards"].as_array());
    let forwards = forwards.flatten().filter_map(|one| one["message"].as_str());
    let forwards = forwards.filter_map(|id| MessageId::from_hex(id).ok());
    let mut messages = vec![(recall.message, Some(item.sender().to_owned()))];
    messages.extend(forwards.map(|id| (id, None)));
    // The recall itself is the authority: whoever has its receipts can look it up.
    let authority = format!("recall:{}", &item.id().to_string()[..32]);
    let (folder, mut outcome) = (Folder::read(home)?, None);
    for (message, sender) in messages {
        let order = EraseOrder {
            message,
            sender,
            ground: EXONERATED.to_owned(),
            authority: authority.clone(),
        };
        let said = match client.erase(&order).await {
            Ok(receipt) => {
                let found = folder.find(message, order.sender.as_deref(), true);
                if order.sender.is_none() {
                    local::forget(home, &[message].into())?;
                }
                found.remove()?;
                found.tell_by_hand();
                member::keep_receipt(&home.receipts_dir(), &receipt)?;
                ERASED
            }
            Err(error) => match WireCode::from(&error) {
                WireCode::NotFound => continue,
                WireCode::OnHold => HELD,
                WireCode::HeldByOthers => HELD_BY_OTHERS,
                _ => {
                    let what = "an exonerated message is not erased; its recall stays in the inbox";
                    return Err(error).or_fail(what);
                }
            },
        };
        outcome = match outcome {
            Some(before) if before != ERASED => Some(before),
            _ => Some(said),
        };
    }
    Ok(outcome)
}
