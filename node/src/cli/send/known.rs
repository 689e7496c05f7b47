//! A message that is named with `--message`: what is known of it here and at the home node decides
//! whether it is gone on with, sealed again, or was submitted before. Spec: ATT-27.

use std::{collections::BTreeSet, path::Path};

use frex_client::{
    client::{Client, QueryError},
    keys::MemberHome,
};
use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    error::WireCode,
    id::{EnvelopeId, MessageId},
    roster::Roster,
    v1,
};
use prost::Message;
use serde_json::json;

use super::{
    AttachedFile,
    remember::{self, Given},
    tell,
};
use crate::cli::{
    SendArgs,
    failure::{Failure, OrFail, PARTIAL},
    member::{self, SENT_DIR},
    messages, output,
    receipt::{fetch, reach::Reach},
    show,
    staged::Staged,
};

const NO_SUCH: &str = "Check the id; to send a new message, leave out --message";

/// A message that is named, as it is known here.
pub(super) struct Named {
    pub(super) id: MessageId,
    /// What was sealed before the command was stopped.
    stopped: Option<SignedEnvelope>,
    /// Whether it was begun here at all.
    begun: bool,
    /// What is given otherwise than it was sent, each in a sentence.
    other: Vec<String>,
}

/// How a message goes on.
pub(super) enum Course {
    /// It is sealed: it is new, was never submitted, or is for who refused the key.
    Seal,
    /// It is sealed again for those recipients of a planned message who refused the key.
    SealFor(BTreeSet<String>),
    /// The envelope goes that was sealed before; with its files, unless the home node has it.
    GoOn(Box<SignedEnvelope>, bool),
    /// It was submitted before.
    Over(Earlier),
}

impl Course {
    /// Leaves out of a message those who are not to get it again.
    pub(super) fn narrow(&self, draft: &mut Draft) {
        if let Self::SealFor(members) = self {
            draft
                .recipients
                .retain(|(member, _)| members.contains(member));
        }
    }
}

/// A message that was submitted before.
pub(super) struct Earlier {
    message: MessageId,
    envelopes: Vec<EnvelopeId>,
    /// Who refused the key and has not got it.
    retired: Vec<String>,
    /// The command that seals it again for them.
    again: String,
    /// What of it went with the end of a log.
    lost: Option<String>,
}

/// Looks up what is known here of the message that is named, if one is.
pub(super) fn named(home: &MemberHome, given: &mut Given<'_>) -> Result<Option<Named>, Failure> {
    let Some(id) = &given.args.message else {
        return Ok(None);
    };
    let id = messages::sent_id(home, id).map_err(|failure| match failure.code() {
        WireCode::NotFound => failure.advise(NO_SUCH),
        _ => failure,
    })?;
    let staged = Staged::of(&home.dir().join(SENT_DIR), &id.to_string());
    let known = messages::remembered(home, id)?;
    let other = remember::other(&known, given)?;
    let stopped = staged.envelope()?;
    if let Some(envelope) = &stopped {
        remember::check_stopped(&known, given.args, envelope, other.clone(), &staged)?;
    }
    Ok(Some(Named {
        id,
        stopped,
        begun: staged.folder().exists() || known["sha256"].is_string(),
        other,
    }))
}

/// Asks the home node for the message that is named, and decides.
pub(super) async fn course(
    client: &Client,
    home: &MemberHome,
    args: &SendArgs,
    named: Option<Named>,
) -> Result<Course, Failure> {
    let Some(named) = named else {
        return Ok(Course::Seal);
    };
    let roster = client.roster().current();
    let reach = reach(client, home, args, &named, &roster).await?;
    if let Some(envelope) = named.stopped {
        let has = reach.taken.contains(&envelope.id);
        return Ok(Course::GoOn(Box::new(envelope), has));
    }
    if reach.taken.is_empty() {
        return match named.begun {
            true => Ok(Course::Seal),
            false => Err(unknown(named.id)),
        };
    }
    let mut other = named.other;
    let strangers = args.to.iter().filter(|member| !reach.is_for(member));
    other.extend(strangers.map(|member| format!("it was not for {member}")));
    if !other.is_empty() {
        return Err(remember::differs(named.id, &other)
            .advise("Give the same report, files and members as then; or send it as a new message, without --message"));
    }
    let retired = reach.retired();
    if args.to.iter().all(|member| retired.contains(&**member)) {
        return Ok(Course::Seal);
    }
    // A plan names its recipients itself, so that nobody can name the rest of them.
    if args.how.part.is_some() && !retired.is_empty() {
        let retired = retired.into_iter().map(str::to_owned);
        return Ok(Course::SealFor(retired.collect()));
    }
    let members: Vec<&str> = retired.into_iter().collect();
    Ok(Course::Over(Earlier {
        message: named.id,
        again: fetch::again(home, named.id, &members, &args.from),
        retired: members.into_iter().map(str::to_owned).collect(),
        lost: lost(home, named.id, &roster)?,
        envelopes: reach.taken,
    }))
}

/// What the home node has of the message; if that has forgotten it, what is kept here. What is
/// remembered of it follows the node. Spec: ATT-28.
async fn reach(
    client: &Client,
    home: &MemberHome,
    args: &SendArgs,
    named: &Named,
    roster: &Roster,
) -> Result<Reach, Failure> {
    let mut reach = Reach::default();
    let history = match client.history(named.id).await {
        Err(QueryError::Refused(WireCode::NotFound)) => {
            let kept = kept(home, named.id)?;
            kept.iter().for_each(|one| reach.note(one, roster));
            return Ok(reach);
        }
        answer => answer.or_fail("the node does not say whether it has the message")?,
    };
    for answer in history.receipts {
        let Ok(proven) = answer else {
            let what = "a receipt that the node has on the message does not hold";
            return Err(Failure::new(WireCode::BadReceipt, what).advise(format!(
                "frex receipt fetch {} {}",
                named.id,
                args.from.display()
            )));
        };
        member::keep_receipt(&home.receipts_dir(), &proven)?;
        if let Some(stage) = &proven.stage {
            reach.note_member(&stage.member);
        }
        let statement = v1::Statement::decode(proven.receipt.statement.clone());
        reach.note(&statement.unwrap_or_default(), roster);
    }
    remember::follow(home, named.id, &reach.taken, named.stopped.as_ref())?;
    Ok(reach)
}

/// What the kept receipts on a message state.
fn kept(home: &MemberHome, message: MessageId) -> Result<Vec<v1::Statement>, Failure> {
    let kept = show::receipts(home, &message.to_string())?;
    let mut statements: Vec<v1::Statement> = kept.into_iter().map(|one| one.1).collect();
    // Whom it was sent to is known before who refused it.
    statements.sort_by_key(|one| (one.event() != v1::Event::Submitted, one.event));
    Ok(statements)
}

/// What of a message went with the end of a log.
fn lost(home: &MemberHome, message: MessageId, roster: &Roster) -> Result<Option<String>, Failure> {
    let kept = show::receipts(home, &message.to_string())?;
    Ok(show::lost(&kept, Some(roster)))
}

fn unknown(message: MessageId) -> Failure {
    let what =
        format!("message {message} was never begun: neither this folder nor the node has it");
    Failure::new(WireCode::NotFound, what).advise(NO_SUCH)
}

impl Earlier {
    /// Says that nothing was sent, and what is known; gives the exit code.
    pub(super) fn say(&self, files: &[AttachedFile], dir: &Path, json: bool) -> u8 {
        let message = self.message.to_string();
        let envelopes: Vec<String> = self.envelopes.iter().map(EnvelopeId::to_string).collect();
        let finish = format!(
            "{} refused the key and has not got it; finish it with: {}",
            self.retired.join(", "),
            self.again
        );
        let finish = Some(finish).filter(|_| !self.retired.is_empty());
        let told = [finish.as_deref(), self.lost.as_deref()];
        let told = Vec::from_iter(told.into_iter().flatten());
        let notes = (!told.is_empty()).then(|| told.join("; "));
        if json {
            output::document(json!({
                "before": true, "message": message, "envelope": envelopes.last(),
                "envelopes": envelopes, "attachments": tell::files_json(files), "notes": notes,
            }));
        } else {
            tell::print_earlier(&message, &envelopes);
            tell::print_files(files);
        }
        tell::note_fetch(&message, dir);
        match notes {
            None => 0,
            Some(note) => {
                output::message(format_args!("note: {note}"));
                PARTIAL
            }
        }
    }
}
