//! `frex remind`: a reminder to who has not answered. Spec: CSE-8, CSE-27.

use frex_client::casework::{
    case::{View, What as Content},
    v1::{Reminder, case_message::What},
};
use frex_proto::error::WireCode;

use super::{
    RemindArgs,
    say::{Room, Word, envelope_of, short},
};
use crate::cli::failure::{Done, Failure};

/// Reminds those who have not answered.
pub fn remind(args: &RemindArgs, json: bool) -> Done {
    let room = Room::open(&args.say.from)?;
    let (case, said) = room.message(&args.request)?;
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let to: Vec<String> = view.owing(&said.key).into_iter().collect();
    if to.is_empty() {
        if said.what == Content::Report {
            return Err(is_the_case(&room, &view));
        }
        let what = "nobody owes an answer to that";
        let advice = format!(
            "frex case show {} {}",
            args.request,
            args.say.from.display()
        );
        let cause = "who was asked has answered, or it is no request, or it is over";
        return Err(Failure::new(WireCode::Answered, what)
            .cause(cause)
            .advise(advice));
    }
    let envelopes = &said.envelopes;
    let before = case.said().filter(|one| {
        let about = one.in_reply_to.is_some_and(|id| envelopes.contains(&id));
        let reminds = matches!(&one.what, Content::Case(message)
            if matches!(message.what, Some(What::Reminder(_))));
        about && reminds
    });
    let number = u32::try_from(before.count())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let reminder = Reminder {
        number,
        deadline: args.deadline.clone().unwrap_or_default(),
    };
    let word = Word {
        case: case.id,
        what: What::Reminder(reminder),
        about: envelope_of(said),
        to,
        reply_by: None,
        lane: said.lane,
        say: &args.say,
    };
    room.say(word, json)
}

/// What was named is the case, or a report of it, of which nobody is reminded: names the requests that are open.
fn is_the_case(room: &Room, view: &View) -> Failure {
    let mut open: Vec<String> = view
        .threads
        .iter()
        .filter_map(|thread| thread.request.as_ref())
        .filter(|request| request.from == room.desk.own && !view.owing(request).is_empty())
        .map(short)
        .collect();
    open.sort();
    open.dedup();
    let dir = room.dir().display();
    let advice = match open.is_empty() {
        true => format!("frex case show {} {dir}", letters_of(view)),
        false => {
            let commands = open
                .iter()
                .map(|id| format!("frex remind {id} --from {dir}"));
            commands.collect::<Vec<_>>().join(", or  ")
        }
    };
    let cause = match open.len() {
        0 => "no request of this member in it waits for an answer".to_owned(),
        1 => "one request in it waits for an answer".to_owned(),
        count => format!("{count} requests in it wait for an answer"),
    };
    let what = "that is the case; name the request in it";
    Failure::new(WireCode::BadInput, what)
        .cause(cause)
        .advise(advice)
}

/// The first letters of the case's id.
fn letters_of(view: &View) -> String {
    view.id.to_string()[..8].to_owned()
}
