//! Recalls of a message, kept beside it: begun before they leave, and taken once the node has them.
//! So the same command again sends none twice, also if no answer came. Spec: RCL-20.

use frex_client::{
    client::{Client, ProvenReceipt},
    keys::MemberHome,
};
use frex_proto::{
    envelope::Draft,
    error::WireCode,
    id::{EnvelopeId, MessageId},
    v1::Event,
};
use serde_json::{Value, json};

use super::{Plan, Words, cause_id};
use crate::cli::{
    failure::{Failure, OrFail},
    messages::{self, BEGUN, RECALLS},
};

/// Before it leaves: whatever happens next, it is known to be under way.
pub(super) fn begin(
    home: &MemberHome,
    plan: &Plan,
    draft: &Draft,
    words: &Words<'_>,
) -> Result<(), Failure> {
    let recall = json!({
        "message": draft.message_id.to_string(), "from": plan.recipients, "created_ms": draft.created_ms,
        "reason": words.reason, "cause": cause_id(&words.cause), "left_out": plan.left_out,
    });
    messages::change_sent(home, &plan.message.to_string(), |about| {
        let mut begun = about[BEGUN].as_array().cloned().unwrap_or_default();
        begun.push(recall);
        about[BEGUN] = begun.into();
    })
}

/// The home node has taken it: from now on the message is withdrawn, whoever hears of it when.
pub(super) fn take(home: &MemberHome, message: MessageId, recall: &str) -> Result<(), Failure> {
    messages::change_sent(home, &message.to_string(), |about| {
        let id = Value::from(recall);
        let mut recalls = without(about, RECALLS, &id);
        let begun = about[BEGUN].as_array().into_iter().flatten();
        recalls.extend(begun.filter(|one| one["message"] == id).cloned());
        end(about, &id);
        let withdrawn = |member: &Value| {
            let from = recalls.iter().filter_map(|one| one["from"].as_array());
            from.flatten().any(|one| one == member)
        };
        let recipients = about["recipients"].as_array();
        let all = recipients.is_some_and(|recipients| recipients.iter().all(withdrawn));
        about["state"] = if all { "recalled" } else { "recalled in part" }.into();
        about[RECALLS] = recalls.into();
    })
}

/// Asks the node about each recall of which it is not known whether it was taken.
pub(super) async fn settle(client: &Client, home: &MemberHome, plan: &Plan) -> Result<(), Failure> {
    for recall in plan.about[BEGUN].as_array().into_iter().flatten() {
        let name = recall["message"].as_str().unwrap_or_default();
        let Ok(id) = MessageId::from_hex(name) else {
            continue;
        };
        match client.history(id).await {
            Ok(history) => {
                let mut proven = history.receipts.iter().flatten();
                if proven.any(|one| one.statement().event == Event::Submitted) {
                    take(home, plan.message, name)?;
                }
            }
            Err(error) if WireCode::from(&error) == WireCode::NotFound => forget(home, plan, name)?,
            failed => {
                let what = "the node does not say whether it took the recall of before";
                failed.map(|_| ()).or_fail(what)?;
            }
        }
    }
    Ok(())
}

/// Takes over which of a message's envelopes the home node has: a command that was stopped may have kept
/// another. Of what the node does not know nothing changes.
pub(super) async fn follow(client: &Client, home: &MemberHome, plan: &Plan) -> Result<(), Failure> {
    // The node has taken a recall only of what it has.
    if plan.about[RECALLS].is_array() {
        return Ok(());
    }
    let history = match client.history(plan.message).await {
        Err(error) if WireCode::from(&error) == WireCode::NotFound => return Ok(()),
        asked => asked.or_fail("the node does not say how far the message has come")?,
    };
    let proven = history.receipts.iter().flatten();
    let taken = proven.map(ProvenReceipt::statement);
    let taken = taken.filter(|said| matches!(said.event, Event::Submitted | Event::Forwarded));
    let taken: Vec<EnvelopeId> = taken.filter_map(|said| said.envelope_id).collect();
    match taken.last() {
        Some(last) if !taken.contains(&plan.envelope) => messages::take(home, plan.message, *last),
        _ => Ok(()),
    }
}

/// The node has never had it.
fn forget(home: &MemberHome, plan: &Plan, recall: &str) -> Result<(), Failure> {
    messages::change_sent(home, &plan.message.to_string(), |about| {
        end(about, &recall.into());
    })
}

fn end(about: &mut Value, recall: &Value) {
    let begun = without(about, BEGUN, recall);
    match (begun.is_empty(), about.as_object_mut()) {
        (true, Some(fields)) => {
            fields.remove(BEGUN);
        }
        _ => about[BEGUN] = begun.into(),
    }
}

fn without(about: &Value, field: &str, recall: &Value) -> Vec<Value> {
    let rows = about[field].as_array().into_iter().flatten();
    rows.filter(|one| one["message"] != *recall)
        .cloned()
        .collect()
}
