//! `frex deconflict answer`: what came is taken up, each message once: questions are answered as the
//! settings say, answers are read, calls are shown.

use std::{path::Path, time::Duration};

use frex_client::{
    casework::deconflict::{
        CONTENT_TYPE, DeconflictQuery, REFUSED_QUOTA, Serving, What, encode, serve,
        store::{Query, Store},
    },
    environment::{Clock, Random},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, v1};
use serde_json::{Value, json};

use super::{
    AnswerArgs, keys,
    post::{Post, post},
    received::{self, MADE, Received},
};
use crate::cli::{
    ConfirmArg, InboxArgs,
    failure::{Done, Failure, OrFail, PARTIAL},
    inbox, member, output,
    time::Span,
};

mod call;
mod result;

/// What is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Whatever there is.
    All,
    /// Answers alone: who waits for one is not kept by what others ask.
    Answers,
}

use Which::All;

/// After a failure that may pass.
const PAUSE: Duration = Duration::from_secs(5);
/// How long one look at the inbox waits where it is followed.
const FOLLOW: Duration = Duration::from_secs(60);
/// How long the asker's node is waited for: its answer is tried on afterwards all the same.
const WAIT: Duration = Duration::from_secs(2);

/// Takes up what waits.
pub fn answer(args: &AnswerArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let store = Store::of(home.dir());
    if args.follow {
        return Err(follow(&home, &store, args, json));
    }
    let rows = turn(&home, &store, &args.dir, args.wait.0)?;
    let failed = rows.iter().any(|row| row["state"] == "failed");
    if json {
        output::document(json!({ "taken": rows }));
    } else if rows.is_empty() {
        output::message("nothing about identifiers has come");
    } else {
        rows.into_iter().for_each(|row| tell(row, false));
    }
    Ok(if failed { PARTIAL } else { 0 })
}

/// Goes on until it fails for good, or until it is stopped from outside.
fn follow(home: &MemberHome, store: &Store, args: &AnswerArgs, json: bool) -> Failure {
    loop {
        match turn(home, store, &args.dir, FOLLOW) {
            Ok(rows) => rows.into_iter().for_each(|row| tell(row, json)),
            // Whoever follows outlives a node that is away for a while.
            Err(failure) if is_for_later(&failure) => {
                failure.report(json);
                std::thread::sleep(PAUSE);
            }
            Err(failure) => return failure,
        }
    }
}

/// What lies here already, and what waits at the node. A key that is over is destroyed first, whether or
/// not anybody asks. Spec: DCF-23.
fn turn(
    home: &MemberHome,
    store: &Store,
    dir: &Path,
    wait: Duration,
) -> Result<Vec<Value>, Failure> {
    let destroyed = store.destroy_ended(Clock::System.now_ms());
    destroyed.or_fail("the key of an epoch that is over cannot be destroyed")?;
    let mut rows = take_up(home, store, All)?;
    fetch(
        dir,
        if rows.is_empty() {
            wait
        } else {
            Duration::ZERO
        },
    )?;
    rows.extend(take_up(home, store, All)?);
    Ok(rows)
}

fn tell(row: Value, json: bool) {
    if json {
        return output::document(row);
    }
    let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
    let line = format!("{} {}: {}", text("what"), text("from"), text("state"));
    output::data(
        format_args!("{line} {}", text("say"))
            .to_string()
            .trim_end(),
    );
}

/// Fetches what waits at the node, as `frex inbox` does; of everything else it says that it came, and leaves it
/// to `frex inbox` to show. Spec: DCF-25.
///
/// # Errors
/// The inbox cannot be read.
pub fn fetch(dir: &Path, wait: Duration) -> Result<(), Failure> {
    let (rows, failed) = inbox::fetch(&InboxArgs {
        dir: dir.to_owned(),
        wait: Span(wait),
        max: 1000,
        confirm: ConfirmArg::Opened,
        set_aside: false,
        kept: false,
        about: Some(CONTENT_TYPE),
    })?;
    let others = rows.iter();
    let others = others.filter(|row| row["content_type"] != CONTENT_TYPE);
    let others = others.count().saturating_sub(failed);
    if others > 0 {
        output::message(format_args!(
            "note: {} came too, and nobody has read it here; see it with: frex inbox {}",
            output::counted(others, "other message"),
            dir.display()
        ));
    }
    Ok(())
}

/// Takes up what lies in the inbox folder and was not taken up before; a row of each.
///
/// # Errors
/// The folder cannot be read or written. What is wrong with one message is in its row.
pub fn take_up(home: &MemberHome, store: &Store, which: Which) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    let response = v1::Kind::Response.word();
    let waits = |about: &Value| {
        let is_meant = which == All || about["kind"] == response;
        is_meant && about[MADE].is_null() && about["state"] != inbox::RECALLED
    };
    let waiting = received::all(home)?.into_iter().filter(waits);
    for about in waiting {
        let mut received = Received::of(home, about)?;
        let row = match take(home, store, &received) {
            Ok(row) => row,
            // What the disk or the node does not do now is tried again by the next turn.
            Err(failure) if is_for_later(&failure) => return Err(failure),
            Err(failure) => json!({
                "what": "message of", "from": received.from, "state": "failed",
                "code": failure.code() as u16, "code_name": failure.code().info().name,
                "say": failure.cause_text(),
            }),
        };
        received.made(home, &row)?;
        rows.push(row);
    }
    // Only now: what came late is looked up in the book of its epoch.
    let removed = store.remove_ended_books(Clock::System.now_ms());
    removed.or_fail("books that are over cannot be removed")?;
    Ok(rows)
}

fn is_for_later(failure: &Failure) -> bool {
    use frex_proto::error::{Blame, Retry};
    let info = failure.code().info();
    info.retry == Retry::Later || info.blame == Blame::Environment
}

fn take(home: &MemberHome, store: &Store, received: &Received) -> Result<Value, Failure> {
    let kind = |kind: v1::Kind| received.about["kind"] == kind.word();
    match received.what(home)? {
        _ if received.is_forward => Ok(ignored(received, "it was passed on by another member")),
        What::Query(query) if kind(v1::Kind::Request) => respond(home, store, received, &query),
        What::Answer(answer) if kind(v1::Kind::Response) => {
            result::take(home, store, received, &answer)
        }
        What::Contact(contact) if kind(v1::Kind::Feedback) => {
            call::take(home, store, received, &contact)
        }
        _ => Ok(ignored(received, "it is of another kind than what it says")),
    }
}

fn ignored(received: &Received, why: &str) -> Value {
    json!({ "what": "message of", "from": received.from, "state": "ignored", "say": why })
}

/// Answers a question, or refuses it. Spec: DCF-18, DCF-19.
fn respond(
    home: &MemberHome,
    store: &Store,
    received: &Received,
    query: &DeconflictQuery,
) -> Result<Value, Failure> {
    let now_ms = Clock::System.now_ms();
    let settings = store.settings().or_fail("the settings cannot be read")?;
    let epoch = store.epoch(now_ms).or_fail("the epochs cannot be read")?;
    if epoch.is_none() && !settings.desk.is_empty() {
        keys::begin(home, store)?;
    }
    let serving = Serving {
        member: &received.from,
        envelope: received.envelope,
        query,
        now_ms: Clock::System.now_ms(),
    };
    let served = serve(store, serving, &mut Random::System.rng());
    let Some(served) = served.or_fail("a question cannot be answered")? else {
        return Ok(ignored(received, "it was answered before"));
    };
    let mut bare = served.answer.clone();
    bare.book = bytes::Bytes::new();
    let bare = encode(What::Answer(bare));
    let mut note = served.note;
    let answer = Post {
        to: &received.from,
        kind: v1::Kind::Response,
        content: encode(What::Answer(served.answer)),
        conversation: (received.conversation.0, 1),
        in_reply_to: Some(received.envelope),
        reply_within: None,
        attach: served.attach.map(|own| own.book_path()),
        wait: WAIT,
    };
    let posted = post(home, answer, &mut |_, envelope| {
        note.answer = Some(envelope.id.to_string());
        // Until it has left it is not answered, only counted.
        let counted = Query {
            state: "counted".to_owned(),
            ..note.clone()
        };
        let kept = store.note_served(&counted);
        let kept = kept.and_then(|()| store.keep_answer(&note.query, &bare));
        kept.or_fail("an answer cannot be kept")
    })?;
    store
        .note_served(&note)
        .or_fail("an answer cannot be noted")?;
    for text in &posted.notes {
        output::message(format_args!("note: {text}"));
    }
    Ok(json!({
        "what": "question of", "from": received.from, "state": note.state, "items": note.items,
        "refusal": note.refusal, "epoch_ms": note.epoch_ms, "query": note.query, "answer": note.answer,
        "message": posted.message.to_string(), "reached": posted.reached,
        "say": match note.refusal.is_empty() {
            true => output::counted(note.items, "identifier"),
            false => format!("{}, {}", output::counted(note.items, "identifier"), note.refusal),
        },
    }))
}

/// The question that was refused, as a failure of the asker's command.
#[must_use]
pub fn refused(member: &str, refusal: &str, again: &str) -> Failure {
    let (code, advice) = match refusal {
        REFUSED_QUOTA => (
            WireCode::RetryAfter,
            match again.is_empty() {
                true => "Ask for fewer identifiers: so many are over what that member answers within a day".to_owned(),
                false => format!("Ask again from {again} on"),
            },
        ),
        _ => (
            WireCode::NotAccepted,
            "Ask that member's people whether and whom they answer".to_owned(),
        ),
    };
    let what = format!("{member} does not answer: {}", output::clean(refusal));
    Failure::new(code, what).advise(advice)
}
