//! `frex deconflict contact`: calls the desk that a hit has named. From here on the other side knows
//! which identifier it was.

use std::time::Duration;

use bytes::Bytes;
use frex_client::{
    casework::deconflict::{DeconflictContact, DeconflictDesk, What, encode, store::Store},
    keys::MemberHome,
};
use frex_proto::{envelope, error::WireCode, id::EnvelopeId, v1};
use serde_json::json;

use super::{
    ContactArgs, ask, desk,
    post::{Post, post},
};
use crate::cli::{
    failure::{Done, Failure, OrFail, PARTIAL},
    inbox, member, output,
};

/// Together with everything else they fit the one length of all messages.
const NOTE_BYTES_MAX: usize = 2048;
const REFERENCE_BYTES_MAX: usize = 128;

/// Calls a desk.
pub fn contact(args: &ContactArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let store = Store::of(home.dir());
    if args.note.len() > NOTE_BYTES_MAX || args.reference.len() > REFERENCE_BYTES_MAX {
        let what = "a note is at most 2,048 bytes long, a reference 128";
        return Err(Failure::new(WireCode::TooLarge, what));
    }
    let mut asked = ask::find(&home, &store, &args.question)?;
    let own_desk = desk::known(&store, &args.desk, &args.dir)?;
    let number = args.item as usize;
    let item = asked
        .items
        .get(number - 1)
        .filter(|item| item.held == Some(true));
    let (Some(item), Some(answer)) = (item, &asked.answer) else {
        let what = format!("{} has answered nothing to number {number}", asked.member);
        return Err(Failure::new(WireCode::BadInput, what).advise(format!(
            "See what was answered: frex deconflict ls {}",
            args.dir.display()
        )));
    };
    let answer_id = id(answer)?;
    let claim = DeconflictContact {
        query: Bytes::copy_from_slice(id(&asked.envelope)?.as_ref()),
        answer: Bytes::copy_from_slice(answer_id.as_ref()),
        item: args.item - 1,
        identifier: item.identifier.clone(),
        blind: hex::decode(&item.blind).unwrap_or_default().into(),
        desk: Some(DeconflictDesk::from(&own_desk)),
        reference: args.reference.clone(),
        note: args.note.clone(),
    };
    let call = Post {
        to: &asked.member,
        kind: v1::Kind::Feedback,
        content: encode(What::Contact(claim)),
        conversation: (conversation(&home, answer)?, 2),
        in_reply_to: Some(answer_id),
        reply_within: None,
        attach: None,
        wait: args.wait.0.max(Duration::from_millis(1)),
    };
    let posted = post(&home, call, &mut |_, _| Ok(()))?;
    let message = posted.message.to_string();
    asked.items[number - 1].contacts.push(message.clone());
    store
        .keep_asked(&asked)
        .or_fail("the call cannot be noted")?;
    if json {
        output::document(json!({
            "question": asked.message, "item": args.item, "message": message,
            "envelope": posted.envelope.to_string(), "reached": posted.reached, "notes": posted.notes,
        }));
    } else {
        output::data(format_args!("message  {message}"));
        let state = if posted.reached {
            "has it"
        } else {
            "is waited for"
        };
        output::data(format_args!("the node of {} {state}", asked.member));
    }
    for note in &posted.notes {
        output::message(format_args!("note: {note}"));
    }
    Ok(if posted.reached { 0 } else { PARTIAL })
}

fn id(text: &str) -> Result<EnvelopeId, Failure> {
    let damaged = |_| Failure::new(WireCode::Files, "what was asked is damaged");
    EnvelopeId::from_hex(text).map_err(damaged)
}

/// That of the answer, which is that of the question.
fn conversation(home: &MemberHome, answer: &str) -> Result<[u8; 16], Failure> {
    let kept = inbox::kept_envelope(home, answer)?;
    let carried = envelope::parse_carried(&kept).or_fail("a kept envelope cannot be read")?;
    Ok(carried.original().core.conversation.unwrap_or_default().0)
}
