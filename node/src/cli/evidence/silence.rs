//! Stating that nobody has answered, after everything that came was looked through. Spec: EVD-10.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use frex_client::{client::Client, environment::Clock, keys::MemberHome};
use frex_proto::{
    envelope::{self, Carried, Core},
    error::WireCode,
    evidence::{Clock as Asked, Findings, Parts, State, clocks, state_silence, verify},
    id::{EnvelopeId, MessageId},
    v1::{self, Event, Kind},
};

use super::answers;
use crate::cli::{
    failure::{Failure, OrFail},
    member,
};

const PATIENCE: Duration = Duration::from_secs(3);
/// More that waits than this is not looked through without being fetched.
const WAITING_MAX: u32 = 256;
/// While items are held the node does not say that there are no more: nothing for so long means that.
const QUIET: Duration = Duration::from_secs(1);

/// Signs, for each message of this member in the file that somebody had and has not answered, that no
/// answer had come by the newest head of its node's log that can be had, and adds it to the file.
/// `instead` is what to do where one has come.
pub(super) fn state(home: &MemberHome, parts: &mut Parts, instead: &str) -> Result<(), Failure> {
    let roster = member::roster(home)?;
    let own = &home.settings().member;
    let findings = verify(&bundle(parts), &roster);
    let asked = clocks(&findings);
    let unanswered: Vec<&Asked> = asked
        .iter()
        .filter(|clock| clock.asker == *own && clock.state() == State::Open)
        .collect();
    if unanswered.is_empty() {
        let what = "there is nobody here who was asked and has not answered";
        return Err(Failure::new(WireCode::Answered, what)
            .cause("silence is stated of who has received a message of this member that awaits an answer")
            .advise(instead));
    }
    let keys = member::keys(home)?;
    let heads = member::runtime()?.block_on(async {
        let client = member::client(home, PATIENCE).await?;
        let heads = looked_through(&client, own, &unanswered, &findings, parts).await;
        // Before the refusal is told: what was looked at waits for its reader again.
        client.close().await;
        heads
    })?;
    // After the inbox: what was taken off it meanwhile is in the folder by now.
    answers::refuse_kept(home, &unanswered, &findings, instead)?;
    for (message, envelope, checkpoint) in heads {
        let silent = unanswered.iter().filter(|clock| clock.message == message);
        let statement = v1::SilenceStatement {
            federation: roster.federation().to_owned(),
            member: own.clone(),
            envelope_id: Bytes::copy_from_slice(envelope.as_ref()),
            silent: silent.map(|clock| clock.member.clone()).collect(),
            checkpoint,
            time_ms: Clock::System.now_ms(),
        };
        let signed = state_silence(&statement, &keys.identity);
        parts
            .silences
            .push(signed.or_fail("the statement cannot be signed")?);
    }
    Ok(())
}

/// A head for each message that is unanswered, with the envelope that is named, all of them taken
/// before the inbox was looked through: whatever came before them has arrived or waits.
async fn looked_through(
    client: &Client,
    own: &str,
    unanswered: &[&Asked],
    findings: &Findings,
    parts: &Parts,
) -> Result<Vec<(MessageId, EnvelopeId, Bytes)>, Failure> {
    let messages: BTreeSet<MessageId> = unanswered.iter().map(|clock| clock.message).collect();
    let mut heads = Vec::new();
    for message in messages {
        if let Some(envelope) = envelope_of(message, own, findings) {
            let head = head(client, envelope, findings, parts).await?;
            heads.push((message, envelope, head));
        }
    }
    look_through(client, &awaited(own, findings)).await?;
    Ok(heads)
}

/// The file as it is so far, for what follows from it.
fn bundle(parts: &Parts) -> v1::EvidenceBundle {
    v1::EvidenceBundle {
        exhibits: parts.exhibits.clone(),
        receipts: parts.receipts.clone(),
        ..v1::EvidenceBundle::default()
    }
}

fn envelope_of(message: MessageId, own: &str, findings: &Findings) -> Option<EnvelopeId> {
    let shown = findings.exhibits.iter().flatten();
    let mut carried = shown.map(|shown| &shown.carried);
    let asked = carried.find(|one| one.message_id() == message && one.sender() == own)?;
    Some(asked.id())
}

/// What this member sent, of which an answer names one: to a REQUEST and what came back to it, FEEDBACK is
/// none. Spec: EVD-8.
fn awaited(own: &str, findings: &Findings) -> BTreeMap<EnvelopeId, bool> {
    let shown = findings.exhibits.iter().flatten();
    let own = shown.filter(|shown| shown.carried.sender() == own);
    let own: Vec<_> = own.map(|shown| &shown.carried).collect();
    let asks = |one: &&&Carried| one.original().core.kind == Kind::Request;
    let requests: BTreeSet<EnvelopeId> = own.iter().filter(asks).map(|one| one.id()).collect();
    let of_request = |one: &&Carried| {
        let before = one.original().core.in_reply_to;
        requests.contains(&one.id()) || before.is_some_and(|id| requests.contains(&id))
    };
    own.iter().map(|one| (one.id(), of_request(one))).collect()
}

/// The newest head that enough witnesses have cosigned, or else the newest one.
async fn head(
    client: &Client,
    envelope: EnvelopeId,
    findings: &Findings,
    parts: &Parts,
) -> Result<Bytes, Failure> {
    let mut placed = findings.receipts.iter().zip(&parts.receipts);
    let submitted = placed.find_map(|(proven, wire)| {
        let statement = &proven.as_ref()?.verified.statement;
        let own = statement.envelope_id == Some(envelope) && statement.event == Event::Submitted;
        own.then_some(wire)
    });
    if let Some(wire) = submitted
        && let Ok(proven) = client.verifier().prove(wire.clone(), None)
        && let Ok(made) = client.finalize(&proven).await
    {
        return Ok(made.receipt.checkpoint);
    }
    let head = client.checkpoint(None).await;
    Ok(head.or_fail("the node does not show its log")?.note)
}

/// Sees that nothing which waits is an answer. What waits stays there, and is told to nobody.
async fn look_through(client: &Client, asked: &BTreeMap<EnvelopeId, bool>) -> Result<(), Failure> {
    let inbox = client.inbox(WAITING_MAX, Duration::ZERO).await;
    let mut inbox = inbox.or_fail("the inbox cannot be read")?;
    let (mut held, mut seen, mut answered) = (Vec::new(), 0, false);
    while !answered {
        let item = {
            let mut next = pin!(inbox.next());
            tokio::select! {
                item = &mut next => item,
                () = tokio::time::sleep(QUIET), if seen > 0 => None,
            }
        };
        let Some(item) = item else { break };
        seen += 1;
        let item = item.or_fail("the inbox cannot be read")?;
        let is_answer = |core: &Core| {
            let of_request = core.in_reply_to.and_then(|id| asked.get(&id));
            of_request.is_some_and(|of_request| !(*of_request && core.kind == Kind::Feedback))
        };
        answered = match &item {
            Ok(item) => is_answer(&item.parsed.core),
            // What cannot be opened may be an answer all the same.
            Err(failed) => envelope::parse_carried(&failed.envelope)
                .is_ok_and(|carried| is_answer(&carried.original().core)),
        };
        held.push(item);
    }
    let elsewhere = inbox.held_elsewhere();
    for item in held {
        match item {
            Ok(item) => item.release(),
            Err(failed) => failed.release(),
        }
    }
    if answered {
        let what = "an answer waits in the inbox, so that nobody can state that none has come";
        return Err(Failure::new(WireCode::Answered, what));
    }
    if elsewhere > 0 || seen >= WAITING_MAX {
        let what = "not everything that waits in the inbox was looked through";
        return Err(Failure::new(WireCode::Answered, what)
            .cause("another program reads it, or too much waits"));
    }
    Ok(())
}
