//! A recall because the suspicion was unfounded: what is kept of the message goes, at the home node
//! and here, also what was passed on from here, and that is what the sender is told. Spec: ERA-17.

use frex_client::{
    casework::case::{CONTENT_TYPE, CaseId},
    client::{Client, EraseOrder, InboxItem},
    keys::MemberHome,
};
use frex_proto::{envelope::Recall, erasure::EXONERATED, error::WireCode, id::MessageId};
use serde_json::Value;

use crate::cli::{
    casework::desk,
    erase::local::{self, Folder},
    failure::{Failure, OrFail},
    member,
    messages::{self, SENT},
};

/// What a member states of such a recall: all of it is gone, a hold keeps some of it, or others
/// whom the same node serves have it too.
pub(super) const ERASED: &str = "erased";
pub(super) const HELD: &str = "held";
pub(super) const HELD_BY_OTHERS: &str = "held-by-others";

/// Whether a recall is one.
#[must_use]
pub fn is_one(recall: &Recall) -> bool {
    recall.reason == EXONERATED
}

/// Erases for such a recall what its author's word reaches; gives the outcome to be stated, none if
/// nothing of the message is or was here. Who passed a message on speaks for nobody else, and where
/// nothing is kept of it nothing shows who wrote it: then nothing is erased.
///
/// # Errors
/// The node cannot be reached, or a file cannot be read or removed.
pub async fn settle(
    home: &MemberHome,
    client: &Client,
    item: &InboxItem,
    recall: &Recall,
    kept: &[Value],
) -> Result<Option<&'static str>, Failure> {
    let mut said_so = kept
        .iter()
        .map(|about| about["recalled"]["by_author"] == true);
    let by_author = !kept.is_empty() && said_so.all(|one| one);
    let folder = Folder::read(home)?;
    let before = match kept.is_empty() {
        true => folder.erased_for(recall.message, item.sender()),
        false => Vec::new(),
    };
    // What a program that was stopped had begun is finished: all of it was kept here at the time.
    if by_author || before.contains(&authority(item)) {
        return erase(&folder, client, (item, recall), kept).await;
    }
    Ok((!before.is_empty()).then_some(ERASED))
}

/// The recall itself is the authority: whoever has its receipts can look it up.
pub fn authority(item: &InboxItem) -> String {
    format!("recall:{}", &item.id().to_string()[..32])
}

/// Erases the message and every forward of it. What cannot be erased now for another reason than a hold
/// keeps the recall in the inbox.
async fn erase(
    folder: &Folder<'_>,
    client: &Client,
    (item, recall): (&InboxItem, &Recall),
    kept: &[Value],
) -> Result<Option<&'static str>, Failure> {
    let home = folder.home();
    let cause = recall.cause.as_ref().map(|cause| &cause.core.sender);
    let author = cause.map_or(item.sender(), String::as_str);
    let own = forwards(home, (recall.message, author), kept)?.into_iter();
    let mut messages: Vec<_> = own
        .map(|id| (id, home.settings().member.as_str()))
        .collect();
    // Last, for in what is kept of it stands what was passed on.
    messages.push((recall.message, item.sender()));
    let mut outcome = None;
    for (message, sender) in messages {
        let order = EraseOrder {
            message,
            sender: Some(sender.to_owned()),
            ground: EXONERATED.to_owned(),
            authority: authority(item),
        };
        let said = match client.erase(&order).await {
            Ok(receipt) => {
                // First what proves it: should this end here, that is how it is known.
                member::keep_receipt(&home.receipts_dir(), &receipt)?;
                remove(folder, message, sender)?;
                ERASED
            }
            Err(error) => match WireCode::from(&error) {
                WireCode::NotFound => match remove(folder, message, sender)? {
                    true => ERASED,
                    false => continue,
                },
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

/// Removes what the folder has of a message; says whether that was anything.
fn remove(folder: &Folder<'_>, message: MessageId, sender: &str) -> Result<bool, Failure> {
    let home = folder.home();
    let found = folder.find(message, Some(sender), true)?;
    let referenced = sender == home.settings().member && local::is_referenced(home, message)?;
    if referenced {
        local::forget(home, &[message].into())?;
    }
    local::let_go(home, &[message].into())?;
    found.remove()?;
    found.tell_by_hand();
    Ok(referenced || !found.files.is_empty())
}

/// What members have said in the case of an exonerated report and is kept here still, each with who said
/// it: its author's word reaches the report alone, so a person decides about the rest. Spec: CSE-29.
///
/// # Errors
/// The folder cannot be read.
pub fn still_said(
    home: &MemberHome,
    recall: &Recall,
    case: Option<CaseId>,
) -> Result<Vec<(String, String)>, Failure> {
    let case = case.unwrap_or(CaseId(recall.message.0));
    let own = home.settings().member.as_str();
    let rows = messages::all(home)?
        .into_iter()
        .filter(|(_, row)| row["content_type"] == CONTENT_TYPE && desk::case_of(row) == Some(case));
    let said = rows.filter_map(|(direction, row)| {
        let from = if direction == SENT {
            own
        } else {
            row["from"].as_str()?
        };
        Some((row["message"].as_str()?.to_owned(), from.to_owned()))
    });
    Ok(said.collect())
}

/// What was passed on of a message of this author, by what is kept of it and of them.
fn forwards(
    home: &MemberHome,
    (message, author): (MessageId, &str),
    kept: &[Value],
) -> Result<Vec<MessageId>, Failure> {
    let mut ids: Vec<String> = Vec::new();
    let listed = kept.iter().flat_map(|about| about["forwards"].as_array());
    let listed = listed.flatten().filter_map(|one| one["message"].as_str());
    ids.extend(listed.map(str::to_owned));
    let of = message.to_string();
    for (direction, about) in messages::all(home)? {
        if direction == SENT && about["forwards"] == of.as_str() && about["author"] == author {
            ids.extend(about["message"].as_str().map(str::to_owned));
        }
    }
    ids.sort();
    ids.dedup();
    let ids = ids.iter().filter_map(|id| MessageId::from_hex(id).ok());
    Ok(ids.collect())
}
