//! Assessments, actions and outcomes. Spec: CSE-13, CSE-16, CSE-18, CSE-19.

use frex_client::casework::{
    case::{Case, What as Content},
    v1::{
        Assessment, DuplicateOf, Outcome, RouteAnswer, TakedownStep, Triage,
        case_message::{Classification, What},
    },
};

use super::{
    AssessArgs, DuplicateArgs, OutcomeArgs, RouteArgs, SayArgs, TakedownArgs, TriageArgs, named,
    reports,
    say::{Room, Word},
};
use crate::cli::{
    failure::{Done, Failure},
    output,
};

/// A classification as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    scheme: String,
    version: String,
    section: String,
    code: String,
}

/// Reads `SCHEME/VERSION/CODE` or `SCHEME/VERSION/SECTION/CODE`.
pub fn classification(text: &str) -> Result<Classified, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (scheme, version, section, code) = match parts[..] {
        [scheme, version, code] => (scheme, version, "", code),
        [scheme, version, section, code] => (scheme, version, section, code),
        _ => return Err("write it as ucs/3.1/CODE".to_owned()),
    };
    Ok(Classified {
        scheme: scheme.to_owned(),
        version: version.to_owned(),
        section: section.to_owned(),
        code: code.to_owned(),
    })
}

/// `frex assess`.
pub fn assess(args: &AssessArgs, json: bool) -> Done {
    let classifications = args.classification.iter().map(|one| Classification {
        scheme: one.scheme.clone(),
        version: one.version.clone(),
        section: one.section.clone(),
        code: one.code.clone(),
        value: String::new(),
    });
    let assessment = Assessment {
        item: args.item.clone(),
        verdict: args.verdict,
        jurisdiction: args.jurisdiction.clone(),
        second: args.second,
        classifications: classifications.collect(),
    };
    let room = Room::open(&args.say.from)?;
    let case = room.case(&args.case)?;
    if !args.anyway {
        named::check(&room, case, "item", &args.item)?;
    }
    let what = What::Assessment(assessment);
    of_report(&room, case, what, &args.say, json)
}

/// `frex act triage`.
pub fn triage(args: &TriageArgs, json: bool) -> Done {
    let triage = Triage {
        state: args.state,
        reason: args.reason.unwrap_or_default(),
    };
    tell(&args.case, What::Triage(triage), &args.say, json)
}

/// `frex act route`.
pub fn route(args: &RouteArgs, json: bool) -> Done {
    let route = RouteAnswer {
        decision: args.decision,
        reason: args.reason.unwrap_or_default(),
        rerouted_to: args.rerouted_to.clone(),
    };
    let room = Room::open(&args.say.from)?;
    let case = room.case(&args.case)?;
    let done = of_report(&room, case, What::Route(route), &args.say, json)?;
    if !json {
        not_passed_on(&room, case, &args.rerouted_to);
    }
    Ok(done)
}

/// That a case was passed on passes nothing on: who is to have it needs the report.
fn not_passed_on(room: &Room, case: &Case, to: &str) {
    let mut reports = case.said().filter(|said| said.what == Content::Report);
    if to.is_empty() || reports.any(|said| said.to.contains(to)) {
        return;
    }
    if let Some(report) = reports::to_pass_on(&room.rows, case.id) {
        output::message(format_args!(
            "note: nothing here shows that {} has the report; pass it on:  frex forward {report} {} --to {}",
            output::clean(to),
            room.dir().display(),
            output::clean(to)
        ));
    }
}

/// `frex act takedown`.
pub fn takedown(args: &TakedownArgs, json: bool) -> Done {
    let step = TakedownStep {
        url: args.url.clone(),
        state: args.state,
        moved_to: args.moved_to.clone(),
        country: args.country.clone(),
        host: args.host.clone(),
        asked_by: args.asked_by.clone(),
    };
    let room = Room::open(&args.say.from)?;
    let case = room.case(&args.case)?;
    if !args.anyway {
        named::check(&room, case, "URL", &args.url)?;
    }
    of_report(&room, case, What::Takedown(step), &args.say, json)
}

/// `frex outcome`.
pub fn outcome(args: &OutcomeArgs, json: bool) -> Done {
    let outcome = Outcome {
        state: args.state,
        reason: args.reason.unwrap_or_default(),
        because: args.because.unwrap_or_default(),
    };
    tell(&args.case, What::Outcome(outcome), &args.say, json)
}

/// `frex act duplicate`.
pub fn duplicate(args: &DuplicateArgs, json: bool) -> Done {
    let room = Room::open(&args.say.from)?;
    let other = room.case(&args.of)?.id;
    let duplicate = DuplicateOf {
        case_id: other.0.to_vec().into(),
        reference: String::new(),
    };
    let case = room.case(&args.case)?;
    of_report(&room, case, What::DuplicateOf(duplicate), &args.say, json)
}

/// Tells those from whom the report came.
fn tell(id: &str, what: What, say: &SayArgs, json: bool) -> Done {
    let room = Room::open(&say.from)?;
    let case = room.case(id)?;
    of_report(&room, case, what, say, json)
}

fn of_report(
    room: &Room,
    case: &Case,
    what: What,
    say: &SayArgs,
    json: bool,
) -> Result<u8, Failure> {
    let (about, to, lane) = room.reporters(case);
    let word = Word {
        case: case.id,
        what,
        about,
        to,
        reply_by: None,
        lane,
        say,
    };
    room.say(word, json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classification_has_three_parts_or_four() {
        let read = classification("ucs/3.1/categorisation/A1").unwrap();
        assert_eq!(
            (read.section.as_str(), read.code.as_str()),
            ("categorisation", "A1")
        );
        assert_eq!(classification("iwf/1/A").unwrap().section, "");
        assert!(classification("A").is_err() && classification("a/b/c/d/e").is_err());
    }
}
