//! What the fold refuses, in the words of a command line: which option, and what it may be. Spec: CLI-3, CSE-31.

use frex_client::casework::{
    case::{CaseError, Unfit, words},
    clock::{Purpose, profiles},
    v1::case_message::What,
};
use frex_proto::error::WireCode;

use crate::cli::failure::Failure;

/// Why it is not said, and the option that mends it. `next` is the command where no option does.
pub fn refusal(unfit: &Unfit, what: &What, next: String, members: &str) -> Failure {
    let summary = match unfit {
        Unfit::Rule(_) => "this cannot be said so",
        Unfit::NothingOwed => "nobody owes an answer to that",
        _ => "this would mean nothing, and is not said",
    };
    let (option, values) = unfit
        .field()
        .map_or((String::new(), Vec::new()), |field| option(field, what));
    // A cause that is about a field begins with it.
    let text = unfit.to_string();
    let rest = unfit.field().and_then(|field| text.strip_prefix(field));
    let cause = rest.map_or(text.clone(), |rest| format!("{option}{rest}"));
    let values = values.join(", ");
    let advice = match unfit {
        Unfit::Rule(CaseError::Missing(_)) => format!("Say it:  {option} with {values}"),
        Unfit::Rule(CaseError::Profile) => {
            format!("{option} with one of {values}; see  frex request profiles")
        }
        Unfit::Rule(_) if !option.is_empty() => format!("Mend it:  {option} with {values}"),
        Unfit::Idle(_) => format!("Leave {option} out, or say another state"),
        Unfit::Time(..) => format!("Say another time:  {option} with {values}"),
        Unfit::Member(_) => format!("See who is a member:  {members}"),
        Unfit::NotTold(member) => format!("Tell it to whom it concerns:  --to {member}"),
        _ => next,
    };
    Failure::new(WireCode::from(unfit.clone()), summary)
        .cause(cause)
        .advise(advice)
}

/// The option that fills a field of the schema, and what it takes.
fn option(field: &str, what: &What) -> (String, Vec<String>) {
    let one = |value: &str| vec![value.to_owned()];
    match field {
        "triage.reason" | "route.reason" => {
            ("--reason".to_owned(), words::route_reasons().collect())
        }
        "outcome.reason" => ("--reason".to_owned(), words::shelvings().collect()),
        "outcome.because" => ("--because".to_owned(), words::becauses().collect()),
        "reason" => ("--reason".to_owned(), words::non_executions().collect()),
        "categories" => ("--category".to_owned(), words::categories().collect()),
        "profile" => ("--profile".to_owned(), profiles_for(purpose(what))),
        "targets" => ("--target".to_owned(), one("an account or address")),
        "addressed_to" => ("--to".to_owned(), one("a member")),
        "classifications" => ("--classification".to_owned(), one("SCHEME/VERSION/CODE")),
        "instrument" => (
            "--law, --article, --file-number or --authority".to_owned(),
            one("less text"),
        ),
        "instrument.jurisdiction" | "jurisdiction" | "country" => {
            let name = if field == "country" {
                "--country"
            } else {
                "--jurisdiction"
            };
            (
                name.to_owned(),
                one("a country as ISO 3166-1 writes it, such as FR"),
            )
        }
        "url" | "moved_to" => (named(field), one("a URL such as https://host.example/page")),
        "at" | "until" | "deadline" => (
            named(field),
            one("a time such as 2026-11-26T16:00:00+01:00"),
        ),
        "rerouted_to" | "enforcing_authority" | "addressee" | "asked_by" => {
            (named(field), one("a member"))
        }
        _ => {
            let last = field.rsplit('.').next().unwrap_or(field);
            (named(last), one("another text"))
        }
    }
}

fn named(field: &str) -> String {
    format!("--{}", field.replace('_', "-"))
}

/// What a request is for.
pub fn purpose(what: &What) -> Purpose {
    match what {
        What::PreserveRequest(_) => Purpose::Preserve,
        _ => Purpose::Produce,
    }
}

/// The profiles by which such requests run.
pub fn profiles_for(purpose: Purpose) -> Vec<String> {
    let fitting = profiles().iter().filter(|profile| profile.of == purpose);
    fitting.map(|profile| profile.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use frex_client::casework::v1::{Outcome, PreserveRequest};

    use super::*;

    fn said(unfit: &Unfit, what: &What) -> String {
        let failure = refusal(unfit, what, "frex case show".to_owned(), "");
        format!("{failure:?}")
    }

    // CLI-3, CSE-31: what mends it is named as it is written.
    #[test]
    fn a_refusal_names_the_option_and_what_it_takes() {
        let shelved = What::Outcome(Outcome::default());
        let reason = Unfit::Rule(CaseError::Missing("outcome.reason"));
        let text = said(&reason, &shelved);
        assert!(text.contains("--reason is missing"), "{text}");
        assert!(text.contains("no-cooperation, data-expired"), "{text}");
        let idle = said(&Unfit::Idle("outcome.because"), &shelved);
        assert!(idle.contains("Leave --because out"), "{idle}");
        let letter = What::PreserveRequest(PreserveRequest::default());
        let profile = said(&Unfit::Rule(CaseError::Profile), &letter);
        assert!(profile.contains("eu-epoc-pr, us-2703f"), "{profile}");
        let cause = "no clock profile of that name";
        assert!(profile.contains(cause), "{profile}");
        assert!(!profile.contains("eu-epoc,"), "{profile}");
        let law = said(&Unfit::Rule(CaseError::Missing("instrument.law")), &letter);
        assert!(law.contains("--law is missing"), "{law}");
    }
}
