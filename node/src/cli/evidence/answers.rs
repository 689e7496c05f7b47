//! Answers that the member's folder holds, whether or not the file shows them. Spec: EVD-10.

use std::collections::BTreeSet;

use frex_client::keys::MemberHome;
use frex_proto::{
    envelope,
    error::WireCode,
    evidence::{Clock, Findings},
    id::EnvelopeId,
    v1::Kind,
};
use serde_json::Value;

use crate::cli::{
    failure::Failure,
    files, inbox,
    member::{ABOUT, INBOX_DIR},
    messages::{self, RECEIVED, SENT},
    output,
};

/// Something that came in reply to something.
struct Reply {
    from: String,
    to: EnvelopeId,
    envelope: String,
    /// It may only say how something goes on.
    is_feedback: bool,
}

/// Fails if one of those who have not answered by the file has, by what is kept here: what was taken
/// off the inbox meanwhile, whose envelope is not kept any more, or for which the file had no room.
pub(super) fn refuse_kept(
    home: &MemberHome,
    unanswered: &[&Clock],
    findings: &Findings,
    instead: &str,
) -> Result<(), Failure> {
    let kept = messages::all(home)?;
    let mut replies: Vec<Reply> = kept.iter().filter_map(reply).collect();
    replies.extend(unread(home)?);
    for clock in unanswered {
        let asked = asked(clock, findings, &kept);
        let requests = is_request(clock, findings);
        let answers = |reply: &&Reply| {
            let concludes = !(requests && reply.is_feedback);
            reply.from == clock.member && asked.contains(&reply.to) && concludes
        };
        let Some(answer) = replies.iter().find(answers) else {
            continue;
        };
        let what = format!(
            "an answer by {} has come, so that nobody can state that none has",
            clock.member
        );
        return Err(Failure::new(WireCode::Answered, what)
            .cause(format!(
                "this folder keeps it, or what is known of it, under envelope {}, and no receipt in the file dates it",
                output::clean(&answer.envelope)
            ))
            .advise(instead));
    }
    Ok(())
}

/// Whether a message is a REQUEST, to which FEEDBACK is no answer. Spec: EVD-8.
fn is_request(clock: &Clock, findings: &Findings) -> bool {
    let mut shown = findings.exhibits.iter().flatten().map(|one| &one.carried);
    shown.any(|one| {
        let same = one.message_id() == clock.message && one.sender() == clock.asker;
        same && one.original().core.kind == Kind::Request
    })
}

/// The envelopes that an answer would name: those of the message, and of what was sent about it later.
fn asked(
    clock: &Clock,
    findings: &Findings,
    kept: &[(&'static str, Value)],
) -> BTreeSet<EnvelopeId> {
    let shown = findings.exhibits.iter().flatten().map(|one| &one.carried);
    let own = shown.filter(|one| one.message_id() == clock.message && one.sender() == clock.asker);
    let mut asked: BTreeSet<EnvelopeId> = own.map(envelope::Carried::id).collect();
    let message = clock.message.to_string();
    let sent = || kept.iter().filter(|(direction, _)| *direction == SENT);
    let again = sent().filter(|(_, about)| about["message"] == message.as_str());
    asked.extend(again.flat_map(|(_, about)| envelopes(about)));
    let further = sent().filter(|(_, about)| replied(about).is_some_and(|to| asked.contains(&to)));
    let further: Vec<EnvelopeId> = further.flat_map(|(_, about)| envelopes(about)).collect();
    asked.extend(further);
    asked
}

fn envelopes(about: &Value) -> Vec<EnvelopeId> {
    let ids = about["envelopes"].as_array().into_iter().flatten();
    let ids = ids.filter_map(|id| EnvelopeId::from_hex(id.as_str()?).ok());
    ids.collect()
}

fn replied(about: &Value) -> Option<EnvelopeId> {
    EnvelopeId::from_hex(about["in_reply_to"].as_str()?).ok()
}

fn reply((direction, about): &(&'static str, Value)) -> Option<Reply> {
    let controls = [Kind::Ping, Kind::Recall].map(Kind::word);
    let control = controls.iter().any(|kind| about["kind"] == *kind);
    if *direction != RECEIVED || control {
        return None;
    }
    Some(Reply {
        from: about["from"].as_str()?.to_owned(),
        to: replied(about)?,
        envelope: about["envelope"].as_str().unwrap_or_default().to_owned(),
        is_feedback: about["kind"] == Kind::Feedback.word(),
    })
}

/// What was set aside because it could not be opened: its header says what it answers.
fn unread(home: &MemberHome) -> Result<Vec<Reply>, Failure> {
    let mut replies = Vec::new();
    for path in files::with_extension(&home.dir().join(INBOX_DIR), "envelope")? {
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(name), false) = (name, path.with_extension(ABOUT).exists()) else {
            continue;
        };
        let Ok(carried) = envelope::parse_carried(&inbox::kept_envelope(home, name)?) else {
            continue;
        };
        let core = &carried.original().core;
        if let Some(to) = core.in_reply_to.filter(|_| !core.kind.is_for_control()) {
            replies.push(Reply {
                from: carried.sender().to_owned(),
                to,
                envelope: name.to_owned(),
                is_feedback: core.kind == Kind::Feedback,
            });
        }
    }
    Ok(replies)
}
