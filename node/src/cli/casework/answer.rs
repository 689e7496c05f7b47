//! `frex answer`: how a request goes on, by whoever has a part in it. Spec: CSE-12, CSE-14, CSE-15.

use frex_client::casework::{
    case::{Case, Said, What as Content, words},
    v1::{
        PreserveAnswer, ProduceAnswer, ProduceRequest, case_message::What, produce_answer::State,
    },
};
use frex_proto::error::WireCode;

use super::{
    AnswerArgs,
    say::{Room, Word, envelope_of},
};
use crate::cli::failure::{Done, Failure};

/// Sends it to the other side.
pub fn answer(args: &AnswerArgs, json: bool) -> Done {
    let room = Room::open(&args.say.from)?;
    let (case, said) = room.message(&args.request)?;
    let said = request_of(&room, case, said);
    let (what, authority) = what(args, said)?;
    let own = room.desk.own.as_str();
    let asker = said.key.from.as_str();
    let to: Vec<String> = match own == asker {
        // What concerns the authority alone or too is told to it as well.
        true => {
            let told = |member: &&String| {
                let named = args.addressee.is_empty() || **member == args.addressee;
                named || member.as_str() == authority
            };
            said.to.iter().filter(told).cloned().collect()
        }
        false if own == authority => said.to.iter().cloned().chain([asker.to_owned()]).collect(),
        false => vec![asker.to_owned()],
    };
    let to = to.into_iter().filter(|member| member != own).collect();
    let word = Word {
        case: case.id,
        what,
        about: envelope_of(said),
        to,
        reply_by: None,
        lane: said.lane,
        say: &args.say,
    };
    room.say(word, json)
}

/// The request that a message belongs to, as the fold has it: what answers an extension or a reminder answers that.
fn request_of<'a>(room: &Room, case: &'a Case, said: &'a Said) -> &'a Said {
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let entry = view.timeline.iter().find(|entry| entry.key == said.key);
    let thread = entry.and_then(|entry| view.threads.get(entry.thread?));
    let request = thread.and_then(|thread| case.get(thread.request.as_ref()?));
    request.unwrap_or(said)
}

/// What is said, and the authority that the request names.
fn what(args: &AnswerArgs, said: &Said) -> Result<(What, String), Failure> {
    let asked = match &said.what {
        Content::Case(message) => message.what.as_ref(),
        _ => None,
    };
    match asked {
        Some(What::PreserveRequest(_)) => {
            let state =
                words::parse_preserve(&args.state).ok_or_else(|| no_state(words::preserves()))?;
            let answer = PreserveAnswer {
                state,
                until: args.until.clone().unwrap_or_default(),
                reason: args.reason.unwrap_or_default(),
                handle: args.handle.clone(),
            };
            Ok((What::PreserveAnswer(answer), String::new()))
        }
        Some(What::ProduceRequest(request)) => produced(args, request),
        _ => {
            let what = "that is no request";
            let advice = format!(
                "frex case show {} {}",
                args.request,
                args.say.from.display()
            );
            Err(Failure::new(WireCode::BadInput, what).advise(advice))
        }
    }
}

fn produced(args: &AnswerArgs, request: &ProduceRequest) -> Result<(What, String), Failure> {
    let state = words::parse_produce(&args.state).ok_or_else(|| no_state(words::produces()))?;
    if state == State::Enforcement as i32 && request.enforcing_authority.is_empty() {
        let what = "the request names no enforcing authority";
        return Err(
            Failure::new(WireCode::BadInput, what).advise("Ask anew, with --enforcing-authority")
        );
    }
    let answer = ProduceAnswer {
        state,
        reason: args.reason.unwrap_or_default(),
        scope: args.scope.unwrap_or_default(),
        deadline: args.deadline.clone().unwrap_or_default(),
        handle: args.handle.clone(),
        addressee: args.addressee.clone(),
    };
    Ok((
        What::ProduceAnswer(answer),
        request.enforcing_authority.clone(),
    ))
}

fn no_state(words: impl Iterator<Item = String>) -> Failure {
    let what = "a request of this kind has no such answer";
    let words: Vec<String> = words.collect();
    Failure::new(WireCode::BadInput, what).advise(format!("Write one of {}", words.join(", ")))
}
