//! `frex remind`: a reminder to who has not answered. Spec: CSE-8, CSE-27.

use frex_client::casework::{
    case::What as Content,
    v1::{Reminder, case_message::What},
};
use frex_proto::error::WireCode;

use super::{
    RemindArgs,
    say::{Room, Word, envelope_of},
};
use crate::cli::failure::{Done, Failure};

/// Reminds those who have not answered.
pub fn remind(args: &RemindArgs, json: bool) -> Done {
    let room = Room::open(&args.say.from)?;
    let (case, said) = room.message(&args.request)?;
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let to: Vec<String> = view.owing(&said.key).into_iter().collect();
    if to.is_empty() {
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
