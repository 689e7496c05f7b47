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

/// How far a chain of replies is followed, as the fold does (CSE-12).
const CHAIN_MAX: usize = 64;

/// Sends it to the other side.
pub fn answer(args: &AnswerArgs, json: bool) -> Done {
    let room = Room::open(&args.say.from)?;
    let (case, said) = room.message(&args.request)?;
    let said = request_of(case, said);
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

/// The request that a message comes back to: what answers an extension or a reminder answers that.
fn request_of<'a>(case: &'a Case, said: &'a Said) -> &'a Said {
    let mut before = said;
    for _ in 0..CHAIN_MAX {
        let about = before.in_reply_to;
        let Content::Case(message) = &before.what else {
            break;
        };
        if matches!(
            message.what,
            Some(What::PreserveRequest(_) | What::ProduceRequest(_))
        ) {
            return before;
        }
        let mut others = case.said();
        match others.find(|one| about.is_some_and(|id| one.envelopes.contains(&id))) {
            Some(one) => before = one,
            None => break,
        }
    }
    said
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
