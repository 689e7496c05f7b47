//! Everything that a folder holds about a message and its thread, made final where the node can be asked.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use frex_client::{client::Client, keys::MemberHome};
use frex_proto::{
    error::{Retry, WireCode},
    evidence::Parts,
    id::MessageId,
    limits,
    roster::Roster,
    v1,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{GatherArgs, keep, reveal::exhibit_of};
use crate::cli::{
    failure::{Failure, OrFail},
    inbox, member,
    messages::{self, RECEIVED, SENT},
    output,
    receipt::finality,
    show,
};

const PATIENCE: Duration = Duration::from_secs(3);
/// How often is asked whether a receipt is final by now: each is a question of its own.
const PAUSE: Duration = Duration::from_millis(500);

/// A message, and those that belong to it.
pub(super) struct Gathered {
    /// The message in question first, each with whether it was sent or received here.
    pub(super) messages: Vec<(&'static str, Value)>,
    pub(super) parts: Parts,
}

/// Looks everything up that the folder holds, after the node was asked for what it has, if it can be.
pub(super) fn gather(home: &MemberHome, id: &str, args: &GatherArgs) -> Result<Gathered, Failure> {
    let subject = messages::find_one(home, id)?;
    let messages = match args.alone {
        true => vec![subject],
        false => thread(home, subject)?,
    };
    if !args.offline {
        let asked = member::runtime()?.block_on(update(home, &messages, args.wait.0));
        if let Err(failure) = asked {
            if failure.code().info().retry == Retry::Never {
                return Err(failure);
            }
            output::message(format_args!(
                "note: the node was not asked, so this is what the folder holds: {}",
                failure.cause_text()
            ));
        }
    }
    let roster = member::roster(home)?;
    let parts = parts(home, &messages, &roster)?;
    Ok(Gathered { messages, parts })
}

/// The message, what it answers, what answers it, what withdraws it and what passes it on, and so on.
fn thread(
    home: &MemberHome,
    subject: (&'static str, Value),
) -> Result<Vec<(&'static str, Value)>, Failure> {
    let mut rest = messages::all(home)?;
    // What was sent to oneself too stands in the file once.
    messages::once(&mut rest, SENT);
    rest.retain(|(_, about)| !messages::is_same(about, &subject.1));
    let mut found = vec![subject];
    let mut next = 0;
    while let Some((_, about)) = found.get(next).cloned() {
        let (belong, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|(_, other)| belongs(&about, other));
        found.extend(belong);
        rest = others;
        next += 1;
    }
    Ok(found)
}

fn belongs(one: &Value, other: &Value) -> bool {
    let names = |from: &Value, to: &Value| {
        let envelopes = to["envelopes"].as_array().into_iter().flatten();
        let mut ids = envelopes.chain([&to["envelope"]]);
        let answers = from["in_reply_to"].is_string() && ids.any(|id| *id == from["in_reply_to"]);
        let about = |field: &str| from[field].is_string() && from[field] == to["message"];
        answers || about("recalls") || about("forwards")
    };
    names(one, other) || names(other, one)
}

/// Fetches the receipts of what was sent, and makes every receipt of the thread final that can be.
async fn update(
    home: &MemberHome,
    messages: &[(&'static str, Value)],
    wait: Duration,
) -> Result<(), Failure> {
    let client = member::client(home, PATIENCE).await?;
    let deadline = Instant::now() + wait;
    for id in ids(messages, Some(SENT)) {
        match client.history(id).await {
            Ok(history) => {
                for proven in history.receipts.iter().flatten() {
                    member::keep_receipt(&home.receipts_dir(), proven)?;
                }
            }
            // What was never submitted has none.
            Err(error) if WireCode::from(&error) == WireCode::NotFound => {}
            failed => {
                failed.map(drop).or_fail("the receipts cannot be fetched")?;
            }
        }
    }
    for (direction, about) in messages {
        if *direction == SENT {
            ask_signed(&client, home, about).await?;
        }
    }
    let mut kept: Vec<PathBuf> = Vec::new();
    for id in ids(messages, None) {
        let receipts = show::receipts(home, &id.to_string())?;
        kept.extend(receipts.into_iter().map(|(_, _, path)| path));
    }
    let bar = output::progress_of("making receipts final", Some(kept.len() as u64));
    for path in kept {
        make_final(&client, &path, deadline).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    client.close().await;
    Ok(())
}

/// Asks for what was signed where the folder has not kept it: of many that were sent together, and of
/// what older programs sent.
async fn ask_signed(client: &Client, home: &MemberHome, about: &Value) -> Result<(), Failure> {
    let envelopes = about["envelopes"].as_array().into_iter().flatten();
    let envelopes: Vec<&str> = envelopes.filter_map(Value::as_str).collect();
    let mut missing = false;
    for envelope in &envelopes {
        missing |= keep::kept(home, envelope)?.is_none();
    }
    let id = MessageId::from_hex(about["message"].as_str().unwrap_or_default());
    let (true, Ok(id)) = (missing, id) else {
        return Ok(());
    };
    let signed = match client.signed(id).await {
        Err(error) if WireCode::from(&error).info().retry == Retry::Never => return Ok(()),
        signed => signed.or_fail("what was signed cannot be fetched")?,
    };
    for signed in &signed {
        keep::keep_signed(home, signed, &envelopes)?;
    }
    Ok(())
}

async fn make_final(client: &Client, path: &Path, deadline: Instant) -> Result<(), Failure> {
    // One that does not hold is shown as it is: verifying says so.
    let Ok(proven) = client
        .verifier()
        .prove(crate::cli::receipt::read(path)?, None)
    else {
        return Ok(());
    };
    while finality::make_final(client, &proven, path).await? == finality::PROVISIONAL {
        if Instant::now() + PAUSE >= deadline {
            break;
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

fn ids(messages: &[(&'static str, Value)], direction: Option<&str>) -> BTreeSet<MessageId> {
    let meant = messages
        .iter()
        .filter(|(of, _)| direction.is_none_or(|direction| *of == direction));
    let id = |(_, about): &(&str, Value)| MessageId::from_hex(about["message"].as_str()?).ok();
    meant.filter_map(id).collect()
}

/// What goes into the file. What was signed and is not kept any more takes the receipts that rest on
/// it along, unless nothing at all that was signed is kept of the message in question.
fn parts(
    home: &MemberHome,
    messages: &[(&'static str, Value)],
    roster: &Roster,
) -> Result<Parts, Failure> {
    let mut parts = Parts {
        roster: roster.bytes().to_vec(),
        ..Parts::default()
    };
    for (place, (direction, about)) in messages.iter().enumerate() {
        let message = about["message"].as_str().unwrap_or_default();
        let exhibits = exhibits(home, direction, about)?;
        if exhibits.is_empty() {
            let what = format!(
                "what was signed of message {} is not kept here",
                output::clean(message)
            );
            if place > 0 {
                output::message(format_args!("note: {what}; it is left out"));
                continue;
            }
            output::message(format_args!("note: {what}: its receipts alone are shown"));
        }
        let receipts = show::receipts(home, message)?;
        let full = parts.exhibits.len() + exhibits.len() > limits::EXHIBITS_MAX
            || parts.receipts.len() + receipts.len() > limits::EVIDENCE_RECEIPTS_MAX;
        if full {
            output::message("note: the thread is longer than a file may be; the rest is left out");
            break;
        }
        let alone = exhibits.is_empty();
        let receipts = receipts.into_iter().map(|(receipt, _, _)| receipt);
        parts.receipts.extend(receipts);
        parts.exhibits.extend(exhibits);
        if alone {
            break;
        }
    }
    Ok(parts)
}

/// What was signed of a message, of every envelope that carried it.
fn exhibits(
    home: &MemberHome,
    direction: &str,
    about: &Value,
) -> Result<Vec<v1::Exhibit>, Failure> {
    if direction == RECEIVED {
        let id = about["envelope"].as_str().unwrap_or_default();
        return Ok(came(home, id)?.into_iter().collect());
    }
    let mut exhibits = Vec::new();
    for id in about["envelopes"].as_array().into_iter().flatten() {
        let id = id.as_str().unwrap_or_default();
        let kept = keep::kept(home, id)?.map(|kept| v1::Exhibit {
            salt: bytes::Bytes::new(),
            ..kept
        });
        // What was sent to oneself too is kept where it came.
        exhibits.extend(match kept {
            None => came(home, id)?,
            kept => kept,
        });
    }
    Ok(exhibits)
}

/// What was signed of an envelope that came and is kept.
fn came(home: &MemberHome, id: &str) -> Result<Option<v1::Exhibit>, Failure> {
    match inbox::kept_envelope(home, id) {
        Ok(envelope) => Ok(Some(exhibit_of(&envelope))),
        Err(failure) if failure.code() == WireCode::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
