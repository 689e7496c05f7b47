//! Asking that data be kept, produced, or kept longer. Spec: CSE-8, CSE-20, CSE-24.

use frex_client::casework::{
    case::{Matter, What as Said},
    clock::{self, Duty, zone_of},
    v1::{
        Extension, PreserveRequest, ProduceRequest,
        case_message::{LegalInstrument, What},
    },
};
use frex_proto::{error::WireCode, v1::Lane};

use super::{
    AskArgs, ExtendArgs, InstrumentArgs, PreserveArgs, ProduceArgs,
    option::{profiles_for, purpose},
    say::{Room, Word, envelope_of},
};
use crate::cli::{
    failure::{Done, Failure},
    output,
    time::{Moment, rfc3339},
};

/// `frex request preserve`.
pub fn preserve(args: &PreserveArgs, json: bool) -> Done {
    let ask = &args.ask;
    let request = PreserveRequest {
        profile: ask.profile.clone(),
        addressed_to: ask.say.to.clone(),
        instrument: instrument(&ask.instrument),
        targets: ask.target.clone(),
        facts: args.facts.clone(),
        necessity: args.necessity.clone(),
        assistance_follows: args.assistance_follows,
        time_zone: ask.time_zone.clone(),
    };
    send(ask, What::PreserveRequest(request), "", json)
}

/// `frex request produce`.
pub fn produce(args: &ProduceArgs, json: bool) -> Done {
    let ask = &args.ask;
    let request = ProduceRequest {
        profile: ask.profile.clone(),
        addressed_to: ask.say.to.clone(),
        instrument: instrument(&ask.instrument),
        targets: ask.target.clone(),
        categories: args.category.clone(),
        enforcing_authority: args.enforcing_authority.clone(),
        validation_follows: args.validation_follows,
        time_zone: ask.time_zone.clone(),
    };
    let authority = args.enforcing_authority.clone();
    send(ask, What::ProduceRequest(request), &authority, json)
}

fn send(ask: &AskArgs, what: What, authority: &str, json: bool) -> Done {
    if ask.say.to.is_empty() {
        let failure = Failure::new(WireCode::BadInput, "nobody is asked");
        return Err(failure.advise("Name who is to act:  --to MEMBER"));
    }
    if clock::profile(&ask.profile).is_none() {
        let fitting = profiles_for(purpose(&what)).join(", ");
        let failure = Failure::new(WireCode::BadInput, "there is no clock profile of that name");
        let advice = format!("--profile with one of {fitting}; see  frex request profiles");
        return Err(failure.advise(advice));
    }
    let room = Room::open(&ask.say.from)?;
    if ask.say.to.contains(&room.desk.own) {
        let what = format!("{} would ask itself", room.desk.own);
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("a request is to somebody else, who answers it")
            .advise("Leave your own organisation out of --to"));
    }
    let case = room.case(&ask.case)?;
    let by_profile = by_profile(&room, ask);
    not_before(&room, ask, by_profile)?;
    let (about, _, lane) = room.reporters(case);
    let mut to = ask.say.to.clone();
    if !authority.is_empty() {
        to.push(authority.to_owned());
    }
    let reply_by = ask.reply_by.or_else(|| by_profile.map(Moment::At));
    let say = super::SayArgs {
        to,
        ..ask.say.clone()
    };
    let word = Word {
        case: case.id,
        what,
        about,
        to: Vec::new(),
        reply_by,
        lane: if ask.profile.contains("emergency") {
            Lane::Urgent
        } else {
            lane
        },
        say: &say,
    };
    room.say(word, json)
}

/// Refuses a time before the clock of the profile: it would be overdue by the signed word of its asker, and
/// open in the case. Spec: CSE-31.
fn not_before(room: &Room, ask: &AskArgs, by_profile: Option<u64>) -> Result<(), Failure> {
    let (Some(moment), Some(due_ms)) = (ask.reply_by, by_profile) else {
        return Ok(());
    };
    if moment.after(room.desk.now_ms) >= due_ms {
        return Ok(());
    }
    let what = format!(
        "--reply-by is before the clock of {} ends",
        output::clean(&ask.profile)
    );
    Err(Failure::new(WireCode::BadInput, what)
        .cause(format!(
            "received now, an answer is due by {} by that profile, and nobody is late before that",
            rfc3339(due_ms)
        ))
        .advise(
            "Leave --reply-by out, give a later time, or name another --profile; see  frex request profiles",
        ))
}

/// By when the profile would have an answer if it were received now, by the last of the addressees.
fn by_profile(room: &Room, ask: &AskArgs) -> Option<u64> {
    let rule = clock::profile(&ask.profile)?.rule(Duty::Answer)?;
    let setting = &room.desk.setting;
    let due = ask.say.to.iter().filter_map(|member| {
        let country = setting.country(member);
        let zone = zone_of(&ask.time_zone, country);
        rule.due(room.desk.now_ms, &zone, setting.holidays.get(country))
    });
    due.max()
}

/// `frex request extend`.
pub fn extend(args: &ExtendArgs, json: bool) -> Done {
    let room = Room::open(&args.say.from)?;
    let (case, said) = room.message(&args.request)?;
    let view = case.view(room.desk.now_ms, &room.desk.setting);
    let threads = view.threads.iter().filter(|thread| {
        thread.matter == Matter::Preserve && thread.request.as_ref() == Some(&said.key)
    });
    let to: Vec<String> = threads.map(|thread| thread.member.clone()).collect();
    if to.is_empty() || said.what == Said::Report {
        let what = "that is no request to keep";
        let advice = format!(
            "frex case show {} {}",
            args.request,
            args.say.from.display()
        );
        return Err(Failure::new(WireCode::BadInput, what).advise(advice));
    }
    let extension = Extension {
        until: args.until.clone().unwrap_or_default(),
        instrument: instrument(&args.instrument),
    };
    let word = Word {
        case: case.id,
        what: What::Extension(extension),
        about: envelope_of(said),
        to,
        reply_by: args.reply_by,
        lane: said.lane,
        say: &args.say,
    };
    room.say(word, json)
}

/// The instrument, if anything of it is named.
fn instrument(args: &InstrumentArgs) -> Option<LegalInstrument> {
    let one = LegalInstrument {
        law: args.law.clone(),
        article: args.article.clone(),
        jurisdiction: args.jurisdiction.clone(),
        file_number: args.file_number.clone(),
        authority: args.authority.clone(),
    };
    (one != LegalInstrument::default()).then_some(one)
}
