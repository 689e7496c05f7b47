//! Recalls in the inbox: what is kept of the message is marked, and the sender hears whether there
//! was anything. Nothing is deleted by it.

use frex_client::{client::InboxItem, keys::MemberHome};
use frex_proto::{envelope::Recall, error::WireCode, v1};
use serde_json::{Value, json};

use crate::cli::{
    failure::{Failure, OrCode, OrFail},
    files,
    member::{self, ABOUT, ABOUT_BYTES_MAX, INBOX_DIR},
    output,
    time::rfc3339,
};

/// What a member states of a recall: that it had the message, or that it never fetched it.
const WITHDRAWN: &str = "withdrawn";
const UNSEEN: &str = "unseen";
/// State of a message in the folder that its sender has withdrawn.
pub(super) const RECALLED: &str = "recalled";

/// Marks what is kept of the message, then says so to its sender. Spec: RCL-12.
pub(super) async fn take(
    home: &MemberHome,
    item: InboxItem,
    recall: &Recall,
    mut row: Value,
    confirm: bool,
) -> Result<(Value, Option<InboxItem>), Failure> {
    let kept = mark(home, &item, recall)?;
    row["recalls"] = recall.message.to_string().into();
    row["reason"] = recall.reason.clone().into();
    row["seen"] = kept.is_some().into();
    let (sender, reason) = (output::clean(item.sender()), &recall.reason);
    output::message(match &kept {
        Some(file) => format!(
            "note: {sender} has withdrawn message {}, reason {reason}; it is kept in {}",
            recall.message,
            output::clean(file)
        ),
        None => format!(
            "note: {sender} has withdrawn message {}, reason {reason}; it was never fetched here",
            recall.message
        ),
    });
    if !confirm {
        return Ok((row, Some(item)));
    }
    let outcome = if kept.is_some() { WITHDRAWN } else { UNSEEN };
    let id = item.id();
    let proven = item.confirm(v1::Stage::Acted, outcome).await;
    let proven = proven.or_fail(format_args!(
        "the recall {id} is noted, but its sender could not be told"
    ))?;
    let receipt = member::keep_receipt(&home.receipts_dir(), &proven)?;
    row["state"] = outcome.into();
    row["stage_receipt"] = receipt.display().to_string().into();
    Ok((row, None))
}

/// Marks everything that is kept of the message, if it came from who withdraws it; gives the file
/// of one.
fn mark(home: &MemberHome, item: &InboxItem, recall: &Recall) -> Result<Option<String>, Failure> {
    let message = recall.message.to_string();
    let mut kept = None;
    for path in files::with_extension(&home.dir().join(INBOX_DIR), ABOUT)? {
        let bytes = files::read(&path, ABOUT_BYTES_MAX)?;
        let what = format!("{} is damaged", path.display());
        let mut about: Value = serde_json::from_slice(&bytes).or_code(WireCode::Files, &what)?;
        if about["message"] != message || about["from"] != item.sender() {
            continue;
        }
        about["state"] = RECALLED.into();
        about["recalled"] = json!({
            "reason": recall.reason, "by": item.id().to_string(),
            "received": rfc3339(item.receipt.verified.time_ms),
        });
        files::replace(&path, format!("{about:#}\n").as_bytes())?;
        kept = about["file"].as_str().map(str::to_owned);
    }
    Ok(kept)
}
