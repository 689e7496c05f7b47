//! `frex deconflict ask`: asks a member whether it holds identifiers, and waits for the answer.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use frex_client::{
    casework::deconflict::{
        Identifier, Question, What, encode,
        store::{Asked, AskedItem, Store},
    },
    environment::{Clock, Random},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, limits, v1};
use rand_core::Rng;
use serde_json::{Value, json};

use super::{
    AskArgs,
    post::{Post, post},
    turn, words,
};
use crate::cli::{
    failure::{Done, Failure, OrFail, PARTIAL},
    member, output,
    time::rfc3339,
};

/// By when a member is to answer.
const REPLY_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks.
pub fn ask(args: &AskArgs, json: bool) -> Done {
    let identifiers = identifiers(args)?;
    let home = member::open(&args.from)?;
    if args.to == home.settings().member {
        let what = format!("{} is this member itself", args.to);
        return Err(Failure::new(WireCode::BadInput, what).advise(format!(
            "What it holds is counted by: frex deconflict ls {}",
            args.from.display()
        )));
    }
    let store = Store::of(home.dir());
    let started = Instant::now();
    let message = send(&home, &store, args, identifiers)?;
    let mut asked = find(&home, &store, &message)?;
    while asked.state == "asked" && started.elapsed() < args.wait.0 {
        turn::fetch(&args.from, args.wait.0.saturating_sub(started.elapsed()))?;
        for row in turn::take_up(&home, &store, turn::Which::Answers)? {
            if row["state"] == "failed" {
                output::message(format_args!(
                    "note: a message of {} does not hold: {}",
                    output::clean(row["from"].as_str().unwrap_or_default()),
                    row["say"].as_str().unwrap_or_default()
                ));
            }
        }
        asked = find(&home, &store, &message)?;
    }
    if asked.state == "refused" {
        let again = asked.again_ms.map(rfc3339).unwrap_or_default();
        return Err(turn::refused(&asked.member, &asked.refusal, &again));
    }
    print(&asked, args, json);
    Ok(if asked.state == "answered" {
        0
    } else {
        PARTIAL
    })
}

fn identifiers(args: &AskArgs) -> Result<Vec<Identifier>, Failure> {
    let read = match &args.file {
        Some(file) => words::read(file)?,
        None => words::parse((1..).zip(args.identifier.iter().map(String::as_str)))?,
    };
    let mut seen = BTreeSet::new();
    let once: Vec<Identifier> = read
        .into_iter()
        .filter(|one| seen.insert(one.clone()))
        .collect();
    if (1..=limits::DECONFLICT_ITEMS_MAX).contains(&once.len()) {
        return Ok(once);
    }
    let what = format!(
        "a question names 1 to 64 identifiers, and these are {}",
        once.len()
    );
    Err(Failure::new(WireCode::BadInput, what).advise(
        "Ask in parts; each identifier counts against what the member answers within a day",
    ))
}

fn send(
    home: &MemberHome,
    store: &Store,
    args: &AskArgs,
    identifiers: Vec<Identifier>,
) -> Result<String, Failure> {
    let now_ms = Clock::System.now_ms();
    let mut rng = Random::System.rng();
    let books = store
        .books_of(&args.to, now_ms)
        .or_fail("the books cannot be read")?;
    let question = Question::begin(identifiers, &mut rng).or_fail("this cannot be asked")?;
    let mut conversation = [0; 16];
    rng.fill_bytes(&mut conversation);
    let question_post = Post {
        to: &args.to,
        kind: v1::Kind::Request,
        content: encode(What::Query(question.query(&books))),
        conversation: (conversation, 0),
        in_reply_to: None,
        reply_within: Some(REPLY_WITHIN),
        attach: None,
        wait: args.wait.0.min(Duration::from_secs(2)),
    };
    let items = question.items.iter().map(|item| AskedItem {
        identifier: item.identifier.as_str().to_owned(),
        blind: hex::encode(item.blinded.blind().as_ref()),
        held: None,
        desk: None,
        contacts: Vec::new(),
    });
    let items: Vec<AskedItem> = items.collect();
    let posted = post(home, question_post, &mut |draft, envelope| {
        // Without the blinds no answer can be understood: they are kept before it leaves.
        let asked = Asked {
            message: draft.message_id.to_string(),
            envelope: envelope.id.to_string(),
            member: args.to.clone(),
            at_ms: now_ms,
            state: "asked".to_owned(),
            items: items.clone(),
            answer: None,
            epoch_ms: None,
            refusal: String::new(),
            again_ms: None,
        };
        store
            .keep_asked(&asked)
            .or_fail("the question cannot be kept")
    })?;
    for note in &posted.notes {
        output::message(format_args!("note: {note}"));
    }
    Ok(posted.message.to_string())
}

/// A question by its message id or the beginning of it.
///
/// # Errors
/// There is none, or more than one.
pub fn find(home: &MemberHome, store: &Store, message: &str) -> Result<Asked, Failure> {
    let asked = store.all_asked().or_fail("what was asked cannot be read")?;
    let mut found: Vec<Asked> = asked
        .into_iter()
        .filter(|asked| asked.message.starts_with(message))
        .collect();
    match (found.pop(), found.len()) {
        (Some(asked), 0) => Ok(asked),
        (None, _) => Err(
            Failure::new(WireCode::NotFound, format!("no question {message}")).advise(format!(
                "List them with: frex deconflict ls {}",
                member::folder(home).display()
            )),
        ),
        (Some(_), _) => Err(Failure::new(
            WireCode::BadInput,
            format!("{message} fits several questions: give more letters"),
        )),
    }
}

/// A question and its answer, for others.
#[must_use]
pub fn row(asked: &Asked) -> Value {
    let items = (1..).zip(&asked.items).map(|(number, item): (u32, _)| {
        json!({
            "number": number, "identifier": item.identifier, "held": item.held, "desk": item.desk,
            "contacts": item.contacts,
        })
    });
    json!({
        "question": asked.message, "envelope": asked.envelope, "member": asked.member,
        "asked": rfc3339(asked.at_ms), "state": asked.state, "items": items.collect::<Vec<_>>(),
        "answer": asked.answer, "epoch": asked.epoch_ms.map(rfc3339), "refusal": asked.refusal,
        "again": asked.again_ms.map(rfc3339),
    })
}

fn print(asked: &Asked, args: &AskArgs, json: bool) {
    let dir = args.from.display();
    if json {
        output::document(row(asked));
    } else {
        output::data(format_args!("question {}", asked.message));
        let mut table = output::table(&["N", "IDENTIFIER", "ANSWER", "CALL"]);
        for (number, item) in (1..).zip(&asked.items) {
            let answer = match item.held {
                Some(true) => "held",
                Some(false) => "nothing",
                None => "no answer yet",
            };
            let call = item.desk.as_ref().map(|desk| {
                let parts = [
                    &desk.name,
                    &desk.email,
                    &desk.phone,
                    &desk.languages,
                    &desk.hours,
                ];
                let parts = parts.into_iter().filter(|part| !part.is_empty());
                output::clean(&parts.map(String::as_str).collect::<Vec<_>>().join(", "))
            });
            table.add_row([
                format!("{number}"),
                output::clean(&item.identifier),
                answer.to_owned(),
                call.unwrap_or_default(),
            ]);
        }
        output::print_table(&table);
    }
    if asked.state == "asked" {
        output::message(format_args!(
            "No answer yet. It is read when it comes, by:  frex deconflict answer {dir}"
        ));
    } else if asked.items.iter().any(|item| item.held == Some(true)) {
        output::message(format_args!(
            "{} does not know that it has hit. To call its desk, which shows it the identifier:\n  frex deconflict contact {} {dir} --item N --note TEXT",
            asked.member, asked.message
        ));
    }
}
