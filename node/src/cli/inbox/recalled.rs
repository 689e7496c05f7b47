//! Recalls in the inbox: what is kept of the message is marked, whoever has it from here is told, and
//! the sender hears whether there was anything. Nothing is deleted by it, unless its author
//! says that the suspicion was unfounded.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use frex_client::{
    client::{Client, InboxItem},
    keys::MemberHome,
};
use frex_proto::{envelope::Recall, error::WireCode, v1};
use serde_json::{Value, json};

use super::exonerated;
use crate::cli::{
    casework::desk,
    failure::{Failure, OrCode, OrFail},
    files,
    member::{self, ABOUT, ABOUT_BYTES_MAX, INBOX_DIR},
    messages, output,
    recall::{self, Words},
    time::rfc3339,
};

/// State of a message in the folder that its sender has withdrawn.
pub const RECALLED: &str = "recalled";
/// What a member states of a recall: that it had the message, or that it never fetched it.
const WITHDRAWN: &str = "withdrawn";
pub const UNSEEN: &str = "unseen";
/// How long the nodes of those who have it from here are waited for; the home node tries on.
const WAIT: Duration = Duration::from_secs(2);

/// Marks what is kept of the message, tells those to whom it was passed on, then says so to its
/// sender. Gives what is known of it, what is to be said, and the item if it is not to be confirmed. Spec: RCL-12, RCL-19.
pub(super) async fn take(
    home: &MemberHome,
    client: &Client,
    item: InboxItem,
    recall: &Recall,
    mut row: Value,
    confirm: bool,
) -> Result<(Value, String, Option<InboxItem>), Failure> {
    let kept = mark(home, &item, recall)?;
    let mut passed_on = 0;
    for about in &kept {
        if let Some(cause) = authors_word(about, &item, recall) {
            passed_on += pass_on(home, client, about, &cause, &recall.reason).await?;
        }
    }
    let before = match kept.is_empty() {
        true => noted_before(home, &item)?,
        false => None,
    };
    let seen = !kept.is_empty();
    row["recalls"] = recall.message.to_string().into();
    row["reason"] = recall.reason.clone().into();
    row["seen"] = seen.into();
    row["passed_on"] = passed_on.into();
    note_case(&mut row, &kept);
    // Also after a program that was stopped when it had erased what was kept, and not yet said so.
    for field in ["seen", "passed_on", "case", "forwarded"] {
        if let Some(known) = before.as_ref().and_then(|before| before.get(field)) {
            row[field] = known.clone();
        }
    }
    let path = noted_at(home, &item);
    files::replace(&path, format!("{row:#}\n").as_bytes())?;
    let seen = row["seen"] == true;
    let mut outcome = if seen { WITHDRAWN } else { UNSEEN };
    if confirm && exonerated::is_one(recall) {
        let settled = exonerated::settle(home, client, &item, recall, &kept).await?;
        outcome = settled.unwrap_or(outcome);
    }
    let mut note = note(home, &item, recall, outcome, passed_on);
    if exonerated::is_one(recall) {
        let case = row["case"].as_str().and_then(desk::case_named);
        let said = exonerated::still_said(home, recall, case)?;
        note.push_str(&still_said(home, &item, &said));
        let said = said
            .iter()
            .map(|(id, from)| json!({ "message": id, "from": from }));
        row["case_messages"] = said.collect();
    }
    if !confirm {
        return Ok((row, note, Some(item)));
    }
    let id = item.id();
    let proven = item.confirm(v1::Stage::Acted, outcome).await;
    let proven = proven.or_fail(format_args!(
        "the recall {id} is noted, but its sender could not be told"
    ))?;
    let receipt = member::keep_receipt(&home.receipts_dir(), &proven)?;
    row["state"] = outcome.into();
    row["stage_receipt"] = receipt.display().to_string().into();
    Ok((row, note, None))
}

/// Where what is known of the recall itself is noted.
fn noted_at(home: &MemberHome, item: &InboxItem) -> PathBuf {
    let name = format!("{}.{ABOUT}", item.id());
    home.dir().join(INBOX_DIR).join(name)
}

/// What was noted of the recall when it came before and its sender was not told.
fn noted_before(home: &MemberHome, item: &InboxItem) -> Result<Option<Value>, Failure> {
    let path = noted_at(home, item);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read(&path, ABOUT_BYTES_MAX)?;
    let what = format!("{} is damaged", path.display());
    let row = serde_json::from_slice(&bytes).or_code(WireCode::Files, &what)?;
    Ok(Some(row))
}

/// Notes the case of what is kept, and what was passed on of it: once that is erased, nothing else shows it.
fn note_case(row: &mut Value, kept: &[Value]) {
    let Some(case) = kept.iter().find_map(desk::case_of) else {
        return;
    };
    row["case"] = case.to_string().into();
    let forwards = kept.iter().flat_map(|about| about["forwards"].as_array());
    row["forwarded"] = forwards
        .flatten()
        .map(|one| one["message"].clone())
        .collect();
}

/// What it says, for people, and what came of it.
fn note(
    home: &MemberHome,
    item: &InboxItem,
    recall: &Recall,
    outcome: &str,
    passed_on: usize,
) -> String {
    let (message, sender) = (recall.message, output::clean(item.sender()));
    let dir = member::folder(home).display();
    let mut text = format!(
        "{sender} has withdrawn message {message}, reason {}: ",
        recall.reason
    );
    text.push_str(&match outcome {
        UNSEEN if exonerated::is_one(recall) => format!(
            "it was never fetched here, so nothing shows that its author says so, and the node keeps it; to erase it there: frex erase {message} {dir} --sender {sender} --ground exonerated --authority CODE"
        ),
        UNSEEN => "it was never fetched here".to_owned(),
        exonerated::ERASED => "what was kept of it is erased".to_owned(),
        exonerated::HELD => format!(
            "a court's hold keeps it, so some of it is not erased, but marked; see frex hold ls {dir}"
        ),
        exonerated::HELD_BY_OTHERS => {
            "other members of the node have it too, so some of it is not erased, but marked".to_owned()
        }
        _ => "what is kept of it is marked".to_owned(),
    });
    if passed_on > 0 {
        text.push_str(&format!(
            "; {} recalled",
            output::counted(passed_on, "forward")
        ));
    }
    text
}

/// What was said in its case, with the command that erases it. Spec: CSE-29.
fn still_said(home: &MemberHome, item: &InboxItem, said: &[(String, String)]) -> String {
    let Some((first, _)) = said.first() else {
        return String::new();
    };
    let dir = member::folder(home).display();
    let ids = said
        .iter()
        .map(|(id, from)| format!("{id} by {}", output::clean(from)));
    let ids: Vec<String> = ids.collect();
    format!(
        "; still kept of its case: {}; to erase one: frex erase {first} {dir} --ground exonerated --authority {} --confirm",
        ids.join(", "),
        exonerated::authority(item)
    )
}

/// Marks everything that is kept of the message, if it came from who withdraws it.
fn mark(home: &MemberHome, item: &InboxItem, recall: &Recall) -> Result<Vec<Value>, Failure> {
    let message = recall.message.to_string();
    let mut kept = Vec::new();
    for path in files::with_extension(&home.dir().join(INBOX_DIR), ABOUT)? {
        let bytes = files::read(&path, ABOUT_BYTES_MAX)?;
        let what = format!("{} is damaged", path.display());
        let mut about: Value = serde_json::from_slice(&bytes).or_code(WireCode::Files, &what)?;
        if about["message"] != message || about["from"] != item.sender() {
            continue;
        }
        let by_author = authors_word(&about, item, recall).is_some();
        about["state"] = RECALLED.into();
        about["recalled"] = json!({
            "reason": recall.reason, "by": item.id().to_string(), "by_author": by_author,
            "received": rfc3339(item.receipt.verified.time_ms),
        });
        files::replace(&path, format!("{about:#}\n").as_bytes())?;
        kept.push(about);
    }
    Ok(kept)
}

/// The author's signed recall of what is kept: the item itself, or what it names as its cause. Who
/// passed a message on can withdraw that, and speaks for nobody else. Spec: RCL-18.
fn authors_word(about: &Value, item: &InboxItem, recall: &Recall) -> Option<Bytes> {
    if about["author"] == about["from"] {
        return Some(item.parsed.signed_bytes.clone());
    }
    let cause = recall.cause.as_ref()?;
    let (message, _) = cause.core.recalls()?;
    let fits = about["author"] == cause.core.sender && about["original"] == message.to_string();
    fits.then(|| cause.signed_bytes.clone())
}

/// Recalls every forward of it, each once; gives their number. One that cannot be sent now keeps
/// the recall in the inbox. Spec: RCL-19.
async fn pass_on(
    home: &MemberHome,
    client: &Client,
    about: &Value,
    cause: &Bytes,
    reason: &str,
) -> Result<usize, Failure> {
    let roster = client.roster().current();
    let mut count = 0;
    for forward in about["forwards"].as_array().into_iter().flatten() {
        let message = forward["message"].as_str().unwrap_or_default();
        // What was kept of it may have been erased here; that it was passed on stands with the message.
        let known = || {
            json!({
                "message": message, "envelope": forward["envelope"], "recipients": forward["to"],
            })
        };
        let about = messages::sent(home, message)?.unwrap_or_else(known);
        let plan = match recall::plan_of(&roster, about, &[]) {
            Ok(plan) => plan,
            Err(failure) if failure.code() == WireCode::UnknownRecipient => continue,
            Err(failure) => return Err(failure),
        };
        if plan.is_done(cause) {
            continue;
        }
        let words = Words {
            reason,
            cause: cause.clone(),
            wait: WAIT,
        };
        let (_, told) = recall::send(client, home, &plan, &words).await?;
        match told.refused {
            _ if told.taken => count += 1,
            // It never left, or is gone.
            Some(WireCode::NotFound | WireCode::Erased) => {}
            code => {
                let code = code.unwrap_or(WireCode::TimedOut);
                let what = "the recall of a forward was not taken; it stays in the inbox";
                return Err(Failure::new(code, what));
            }
        }
    }
    Ok(count)
}
